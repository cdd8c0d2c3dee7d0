/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/lexer.c - splits a policy text into lines and tokens, and takes tokens as values.
 *
 * Invariants: a line is checked as a whole (length, UTF-8, controls) before a token
 * of it is seen; the pool has one byte more than the text, which is enough for every
 * token and its NUL, since tokens are separated; no token outlives its pool.
 */
#include "lexer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "span.h"
#include "utf8.h"

#define SHOWN_MAX 64 /* bytes of the user's text in a message */

int policy_lexer_init(struct policy_lexer *lx, const char *text, size_t len, const char *file,
		      struct policy_report *report)
{
	bool fits = len <= POLICY_TEXT_MAX;

	*lx = (struct policy_lexer){.file = file, .report = report, .text = text, .len = len};
	if (!fits)
		lx->len = 0;
	lx->pool = malloc(lx->len + 2);
	if (!lx->pool)
		return -ENOMEM;
	if (!fits) {
		lx->line = 1;
		policy_lexer_error(lx, 1, "the text is %zu bytes long: at most %u are read", len,
				   POLICY_TEXT_MAX);
	}
	return 0;
}

void policy_lexer_part(struct policy_lexer *lx, const char *text, size_t len, const char *file)
{
	lx->file = file;
	lx->text = text;
	lx->len = len;
	lx->line_start = lx->line_end = lx->next = lx->at = 0;
	lx->line = 0;
}

void policy_lexer_clear(struct policy_lexer *lx)
{
	free(lx->pool);
	lx->pool = NULL;
}

char *policy_lexer_take_pool(struct policy_lexer *lx)
{
	char *pool = lx->pool;

	lx->pool = NULL;
	return pool;
}

bool policy_lexer_error(struct policy_lexer *lx, unsigned column, const char *fmt, ...)
{
	char message[1024];
	va_list ap;

	lx->errors++;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	policy_report_add(lx->report, lx->file, lx->line, column, "%s", message);
	return false;
}

static unsigned column_of(const struct policy_lexer *lx, size_t at)
{
	unsigned column = 1;

	if (lx->ascii)
		return (unsigned)(at - lx->line_start) + 1;
	for (size_t i = lx->line_start; i < at; i++)
		column += ((unsigned char)lx->text[i] & 0xc0) != 0x80;
	return column;
}

static bool line_check(struct policy_lexer *lx)
{
	size_t at = lx->line_start;
	bool ascii = true;

	if (lx->line_end - at > POLICY_LINE_MAX)
		return policy_lexer_error(lx, 1, "the line is %zu bytes long: at most %u are read",
					  lx->line_end - at, POLICY_LINE_MAX);
	while (at < lx->line_end) {
		unsigned char c = (unsigned char)lx->text[at];
		uint32_t point = 0;
		unsigned n;

		/* Nearly all of a text: a vault's journals are read in one go when it opens. */
		if ((c >= ' ' && c < 0x7f) || c == '\t') {
			at++;
			continue;
		}
		ascii = false;
		n = policy_utf8_get(lx->text + at, lx->line_end - at, &point);
		if (!n)
			return policy_lexer_error(lx, column_of(lx, at),
						  "not UTF-8: save the file as UTF-8 text");
		if (!point)
			return policy_lexer_error(lx, column_of(lx, at),
						  "a NUL byte: this is not a text file");
		if (point == '\r')
			return policy_lexer_error(
				lx, column_of(lx, at),
				"a carriage return: save the file with Unix line ends (LF)");
		if (point != '\t' && policy_utf8_control(point))
			return policy_lexer_error(lx, column_of(lx, at),
						  "control character U+%04X: remove it",
						  (unsigned)point);
		at += n;
	}
	lx->ascii = ascii;
	return true;
}

static bool line_next(struct policy_lexer *lx)
{
	const char *end;

	if (lx->next >= lx->len)
		return false;
	lx->line++;
	lx->line_start = lx->at = lx->next;
	lx->ascii = false;
	end = memchr(lx->text + lx->next, '\n', lx->len - lx->next);
	lx->line_end = end ? (size_t)(end - lx->text) : lx->len;
	lx->next = end ? lx->line_end + 1 : lx->len;
	return true;
}

bool policy_lexer_line(struct policy_lexer *lx)
{
	while (line_next(lx)) {
		if (!line_check(lx))
			continue;
		policy_lexer_next(lx);
		if (lx->token.kind == POLICY_TOKEN_WORD)
			return true;
		if (lx->token.kind == POLICY_TOKEN_STRING)
			policy_lexer_error(lx, lx->token.column,
					   "a statement begins with a word, not with a string");
	}
	return false;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* At the opening quote. Sets kind, and leaves lx->at behind the closing one. */
static void string_next(struct policy_lexer *lx)
{
	size_t at = lx->at + 1;

	lx->token.kind = POLICY_TOKEN_BAD;
	for (; at < lx->line_end && lx->text[at] != '"'; at++) {
		if (lx->text[at] == '\\') {
			at++;
			if (at >= lx->line_end || !strchr("\"\\", lx->text[at])) {
				policy_lexer_error(
					lx, column_of(lx, at - 1),
					"a backslash in a string stands before \" or \\: "
					"write \\\\ for one backslash");
				return;
			}
		}
		lx->pool[lx->pooled++] = lx->text[at];
	}
	if (at >= lx->line_end) {
		policy_lexer_error(lx, lx->token.column,
				   "the string is not closed: add \" at its end");
		return;
	}
	lx->at = at + 1;
	if (lx->at < lx->line_end && !blank(lx->text[lx->at]) && lx->text[lx->at] != '#') {
		policy_lexer_error(lx, column_of(lx, lx->at), "put a blank after the closing \"");
		return;
	}
	lx->token.kind = POLICY_TOKEN_STRING;
}

static void word_next(struct policy_lexer *lx)
{
	const char *p = lx->text + lx->at, *from = p, *end = lx->text + lx->line_end;

	while (p < end && !blank(*p) && *p != '#' && *p != '"')
		p++;
	memcpy(lx->pool + lx->pooled, from, (size_t)(p - from));
	lx->pooled += (size_t)(p - from);
	lx->at += (size_t)(p - from);
	lx->token.kind = POLICY_TOKEN_WORD;
	if (p < end && *p == '"') {
		policy_lexer_error(lx, column_of(lx, lx->at), "put a blank before the \"");
		lx->token.kind = POLICY_TOKEN_BAD;
	}
}

void policy_lexer_next(struct policy_lexer *lx)
{
	struct policy_token *t = &lx->token;

	while (lx->at < lx->line_end && blank(lx->text[lx->at]))
		lx->at++;
	*t = (struct policy_token){.kind = POLICY_TOKEN_END,
				   .text = "",
				   .column = column_of(lx, lx->at),
				   .start = lx->at,
				   .end = lx->at};
	if (lx->at >= lx->line_end || lx->text[lx->at] == '#')
		return;
	t->text = lx->pool + lx->pooled;
	if (lx->text[lx->at] == '"')
		string_next(lx);
	else
		word_next(lx);
	if (t->kind == POLICY_TOKEN_BAD) {
		/* The rest of the line is not looked at, so the pool stays large enough. */
		lx->at = lx->line_end;
		lx->pooled = (size_t)(t->text - lx->pool);
	}
	lx->pool[lx->pooled++] = '\0';
	t->end = lx->at;
}

bool policy_lexer_at(const struct policy_lexer *lx, const char *word)
{
	return lx->token.kind == POLICY_TOKEN_WORD && !strcmp(lx->token.text, word);
}

/* The current token for a message. */
static const char *shown(const struct policy_lexer *lx, char out[static SHOWN_MAX + 16])
{
	const char *text = lx->token.text;
	const char *mark = lx->token.kind == POLICY_TOKEN_STRING ? "\"" : "`";
	size_t len = strlen(text), n = policy_utf8_cut(text, len, SHOWN_MAX);

	if (lx->token.kind == POLICY_TOKEN_END)
		snprintf(out, SHOWN_MAX + 16, "the line ends");
	else
		snprintf(out, SHOWN_MAX + 16, "%s%.*s%s%s", mark, (int)n, text,
			 n < len ? "..." : "", mark);
	return out;
}

static bool wanted(struct policy_lexer *lx, const char *what)
{
	char text[SHOWN_MAX + 16];

	if (lx->token.kind == POLICY_TOKEN_BAD)
		return false;
	if (lx->token.kind == POLICY_TOKEN_END)
		return policy_lexer_error(lx, lx->token.column, "%s is missing here", what);
	return policy_lexer_error(lx, lx->token.column, "%s is wanted here, not %s", what,
				  shown(lx, text));
}

bool policy_lexer_end(struct policy_lexer *lx)
{
	char text[SHOWN_MAX + 16];

	if (lx->token.kind == POLICY_TOKEN_END)
		return true;
	if (lx->token.kind == POLICY_TOKEN_BAD)
		return false;
	return policy_lexer_error(lx, lx->token.column,
				  "nothing more is wanted on this line: remove %s",
				  shown(lx, text));
}

bool policy_lexer_word(struct policy_lexer *lx, const char *word)
{
	char what[SHOWN_MAX];

	if (!policy_lexer_at(lx, word)) {
		snprintf(what, sizeof(what), "`%s`", word);
		return wanted(lx, what);
	}
	policy_lexer_next(lx);
	return true;
}

bool policy_lexer_name(struct policy_lexer *lx, const char *what, const char **out)
{
	char text[SHOWN_MAX + 16];

	if (lx->token.kind != POLICY_TOKEN_WORD)
		return wanted(lx, what);
	if (strlen(lx->token.text) > POLICY_NAME_MAX)
		return policy_lexer_error(lx, lx->token.column,
					  "%s is too long: names have at most %d bytes",
					  shown(lx, text), POLICY_NAME_MAX);
	if (!policy_name_check(lx->token.text))
		return policy_lexer_error(
			lx, lx->token.column,
			"%s is not a name: use a-z, 0-9, `.`, `_` and `-`, and begin with a letter "
			"or digit",
			shown(lx, text));
	*out = lx->token.text;
	policy_lexer_next(lx);
	return true;
}

bool policy_lexer_string(struct policy_lexer *lx, const char *what, size_t max, const char **out)
{
	size_t len = strlen(lx->token.text);

	if (lx->token.kind == POLICY_TOKEN_WORD) {
		char text[SHOWN_MAX + 16];

		return policy_lexer_error(lx, lx->token.column,
					  "%s is wanted here: put %s into double quotes", what,
					  shown(lx, text));
	}
	if (lx->token.kind != POLICY_TOKEN_STRING)
		return wanted(lx, what);
	if (!len)
		return policy_lexer_error(lx, lx->token.column, "%s is empty", what);
	if (len > max)
		return policy_lexer_error(lx, lx->token.column,
					  "%s is %zu bytes long: at most %zu fit", what, len, max);
	*out = lx->token.text;
	policy_lexer_next(lx);
	return true;
}

bool policy_lexer_number(struct policy_lexer *lx, const char *what, uint32_t min, uint32_t max,
			 uint32_t *out)
{
	const char *p = lx->token.text;
	char text[SHOWN_MAX + 16];
	uint64_t v = 0;

	if (lx->token.kind != POLICY_TOKEN_WORD)
		return wanted(lx, "a number");
	while (*p >= '0' && *p <= '9' && v <= max)
		v = v * 10 + (uint64_t)(*p++ - '0');
	if (*p || v < min || v > max)
		return policy_lexer_error(lx, lx->token.column, "%s is from %u to %u, not %s", what,
					  (unsigned)min, (unsigned)max, shown(lx, text));
	*out = (uint32_t)v;
	policy_lexer_next(lx);
	return true;
}

bool policy_lexer_duration(struct policy_lexer *lx, const char *what, uint32_t min_s,
			   uint32_t max_s, const char *range, uint32_t *out_s)
{
	char text[SHOWN_MAX + 16];
	uint32_t v;

	if (lx->token.kind != POLICY_TOKEN_WORD)
		return wanted(lx, "a duration");
	if (!policy_span_duration(lx->token.text, &v))
		return policy_lexer_error(
			lx, lx->token.column,
			"%s is not a duration: write a number and m, h, d or y, as in 15m or 90d",
			shown(lx, text));
	if (v < min_s || v > max_s)
		return policy_lexer_error(lx, lx->token.column, "%s is %s, not %s", what, range,
					  shown(lx, text));
	*out_s = v;
	policy_lexer_next(lx);
	return true;
}

bool policy_lexer_time(struct policy_lexer *lx, bool until, int64_t *minute)
{
	char text[SHOWN_MAX + 16];
	int64_t v = 0;
	bool day = false;

	if (lx->token.kind != POLICY_TOKEN_WORD)
		return wanted(lx, "a date");
	if (!policy_span_time(lx->token.text, &v, &day))
		return policy_lexer_error(
			lx, lx->token.column,
			"%s is not a date: write YYYY-MM-DD or YYYY-MM-DDTHH:MMZ, as in "
			"2026-11-01 or 2026-11-01T14:30Z",
			shown(lx, text));
	*minute = v + (until && day ? POLICY_DAY_S / 60 : 0);
	policy_lexer_next(lx);
	return true;
}

bool policy_lexer_span(struct policy_lexer *lx, unsigned column, int64_t from, int64_t until)
{
	return from < until ||
	       policy_lexer_error(lx, column,
				  "nothing lies between `from` and `until`: write the earlier one "
				  "at `from`");
}

bool policy_lexer_feature(struct policy_lexer *lx, unsigned column, enum policy_feature feature)
{
	if (policy_feature_built(feature))
		return true;
	return policy_lexer_error(lx, column, "`%s` is not in this version: remove %s",
				  policy_feature_name(feature), policy_feature_remedy(feature));
}

bool policy_lexer_unknown(struct policy_lexer *lx, const char *what, const char *const *words,
			  size_t count)
{
	char text[SHOWN_MAX + 16], nearest[128], all[512] = "";
	struct policy_suggest s;

	if (lx->token.kind == POLICY_TOKEN_BAD)
		return false;
	policy_suggest_init(&s, lx->token.text);
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(all);

		snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "", words[i]);
		policy_suggest_try(&s, words[i]);
	}
	if (lx->token.kind == POLICY_TOKEN_END)
		return policy_lexer_error(lx, lx->token.column, "missing here is %s%s",
					  count > 1 ? "one of " : "", all);
	if (s.best)
		return policy_lexer_error(lx, lx->token.column, "unknown %s %s%s", what,
					  shown(lx, text), policy_suggest_text(&s, nearest));
	return policy_lexer_error(lx, lx->token.column, "unknown %s %s: known are %s", what,
				  shown(lx, text), all);
}

char *policy_lexer_quote(const char *text)
{
	size_t len = strlen(text), at = 0;
	char *out;

	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		unsigned n = policy_utf8_get(text + i, len - i, &point);

		if (!n || policy_utf8_control(point)) {
			errno = EINVAL;
			return NULL;
		}
		i += n;
	}
	out = malloc(2 * len + 3);
	if (!out)
		return NULL;
	out[at++] = '"';
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"' || text[i] == '\\')
			out[at++] = '\\';
		out[at++] = text[i];
	}
	out[at++] = '"';
	out[at] = '\0';
	return out;
}
