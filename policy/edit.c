/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/edit.c - finds the lines of a text that speak of a name, and writes the text anew around
 * them.
 *
 * Lines are found by their words, as the parser takes them; what is written are
 * copies of stretches of the old text and at most one new line. Nothing that is not
 * a name, permissions, a time or a quoted string of the language gets into that.
 */
#include "edit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lexer.h"
#include "names.h"

enum kind { KIND_OTHER, KIND_ALLOW, KIND_BLOCK, KIND_ATTEND };

/* A statement's line. Bytes of the text; next is behind its newline. */
struct line {
	enum kind kind;
	bool names; /* it speaks of the name that is looked for */
	size_t start, next;
	size_t entry;		       /* where KIND:NAME:PERMS begins; 0: there is none */
	size_t perms_start, perms_end; /* 0: none */
};

static enum kind kind_of(const struct policy_lexer *lx)
{
	return policy_lexer_at(lx, "allow")    ? KIND_ALLOW
	       : policy_lexer_at(lx, "block")  ? KIND_BLOCK
	       : policy_lexer_at(lx, "attend") ? KIND_ATTEND
					       : KIND_OTHER;
}

/* `word` begins with "user:NAME" (unit and group are the same), and ends there or goes on with `:`.
 */
static bool speaks_of(const char *word, const struct policy_edit *edit, size_t *used)
{
	static const char *const prefixes[][2] = {
		[POLICY_EDIT_USER] = {"user:", "user:"},
		[POLICY_EDIT_UNIT] = {"unit:", "group:"},
	};
	size_t len = strlen(edit->name);

	for (unsigned i = 0; i < 2; i++) {
		const char *prefix = prefixes[edit->subject][i];
		size_t n = strlen(prefix);

		if (strncmp(word, prefix, n) || strncmp(word + n, edit->name, len))
			continue;
		*used = n + len;
		return !word[n + len] || word[n + len] == ':';
	}
	return false;
}

/* The next line with a statement, all of its words read. False at the end. */
static bool line_next(struct policy_lexer *lx, const struct policy_edit *edit, struct line *l)
{
	size_t used;

	*l = (struct line){.kind = KIND_OTHER};
	if (!policy_lexer_line(lx))
		return false;
	l->kind = kind_of(lx);
	l->start = lx->line_start;
	l->next = lx->next;
	policy_lexer_next(lx);
	if (l->kind != KIND_OTHER && lx->token.kind == POLICY_TOKEN_WORD) {
		l->entry = lx->token.start;
		l->names = speaks_of(lx->token.text, edit, &used);
		if (l->names && lx->token.text[used] == ':') {
			l->perms_start = lx->token.start + used + 1;
			l->perms_end = lx->token.end;
		}
	}
	while (lx->token.kind != POLICY_TOKEN_END && lx->token.kind != POLICY_TOKEN_BAD)
		policy_lexer_next(lx);
	return true;
}

/* ---- what is asked for ---- */

static bool perms_check(const char *perms)
{
	return perms && strlen(perms) == 3 && strchr("r-", perms[0]) && strchr("w-", perms[1]) &&
	       strchr("x-", perms[2]);
}

static bool time_check(const char *time)
{
	size_t len = strlen(time);

	return len && len <= 32 && strspn(time, "0123456789-:.TZ") == len;
}

static bool check(const char *text, size_t len, const struct policy_edit *edit)
{
	size_t reason = edit->reason ? strlen(edit->reason) : 1;

	return policy_name_check(edit->name) && reason >= 1 && reason <= POLICY_STRING_MAX &&
	       (!edit->from || time_check(edit->from)) &&
	       (!edit->until || time_check(edit->until)) && (!len || !memchr(text, '\0', len));
}

/* ---- writing ---- */

struct piece {
	const char *p;
	size_t len;
};

static int join(const struct piece *pieces, size_t n, char **out)
{
	size_t len = 0;
	char *p;

	for (size_t i = 0; i < n; i++)
		len += pieces[i].len;
	p = malloc(len + 1);
	if (!p)
		return -ENOMEM;
	*out = p;
	for (size_t i = 0; i < n; i++) {
		if (pieces[i].len)
			memcpy(p, pieces[i].p, pieces[i].len);
		p += pieces[i].len;
	}
	*p = '\0';
	return 0;
}

/* " from A until B reason "..."", as far as they are given; the caller frees. 0 or -errno. */
static int clauses(const struct policy_edit *edit, char **out)
{
	char *quoted = edit->reason ? policy_lexer_quote(edit->reason) : NULL;
	int rc = -ENOMEM;

	if (edit->reason && !quoted)
		return errno == EINVAL ? -EINVAL : -ENOMEM;
	if (asprintf(out, "%s%s%s%s%s%s", edit->from ? "  from " : "", edit->from ? edit->from : "",
		     !edit->until ? ""
		     : edit->from ? " until "
				  : "  until ",
		     edit->until ? edit->until : "", quoted ? "  reason " : "",
		     quoted ? quoted : "") >= 0)
		rc = 0;
	free(quoted);
	return rc;
}

/* The text with `line` at byte `at`, the beginning of a line or the end of the text. */
static int insert(const char *text, size_t len, size_t at, const char *line, char **out)
{
	bool open = at && text[at - 1] != '\n'; /* the line before has no newline */
	const struct piece pieces[] = {{text, at},
				       {"\n", open},
				       {line, strlen(line)},
				       {text ? text + at : NULL, len - at}};

	return join(pieces, 4, out);
}

/* ---- allow ---- */

/* What the text says of the name, and where a new line would go. */
struct found {
	struct line line; /* the allow line of the name */
	unsigned allows;  /* how many of those there are */
	bool blocked;	  /* a block line of the name */
	struct line last; /* the last allow line of anybody; kind OTHER: none */
};

static int find(const char *text, size_t len, const struct policy_edit *edit, struct found *out)
{
	struct policy_lexer lx;
	struct line l;
	int rc;

	*out = (struct found){.allows = 0};
	if (!check(text, len, edit))
		return -EINVAL;
	rc = policy_lexer_init(&lx, text, len, "", NULL);
	if (rc)
		return rc;
	while (line_next(&lx, edit, &l)) {
		if (l.kind == KIND_ALLOW && l.entry)
			out->last = l;
		if (l.kind == KIND_ALLOW && l.names && l.perms_start) {
			out->line = l;
			out->allows++;
		}
		out->blocked |= l.kind == KIND_BLOCK && l.names;
	}
	rc = lx.errors ? -EINVAL : out->allows > 1 || out->blocked ? -EEXIST : 0;
	policy_lexer_clear(&lx);
	return rc;
}

int policy_edit_set(const char *text, size_t len, const struct policy_edit *edit, char **out)
{
	static const char *const words[] = {
		[POLICY_EDIT_USER] = "user", [POLICY_EDIT_UNIT] = "unit"};
	char *line = NULL, *more = NULL;
	struct found f;
	int rc = perms_check(edit->perms) ? find(text, len, edit, &f) : -EINVAL;

	if (rc)
		return rc;
	if (f.allows) {
		const struct piece pieces[] = {{text, f.line.perms_start},
					       {edit->perms, strlen(edit->perms)},
					       {text + f.line.perms_end, len - f.line.perms_end}};

		return join(pieces, 3, out);
	}
	rc = clauses(edit, &more);
	if (rc)
		return rc;
	if (f.last.entry)
		rc = asprintf(&line, "%.*s%s:%s:%s%s\n", (int)(f.last.entry - f.last.start),
			      text + f.last.start, words[edit->subject], edit->name, edit->perms,
			      more);
	else
		rc = asprintf(&line, "allow   %s:%s:%s%s\n", words[edit->subject], edit->name,
			      edit->perms, more);
	free(more);
	if (rc < 0)
		return -ENOMEM;
	rc = insert(text, len, f.last.entry ? f.last.next : len, line, out);
	free(line);
	return rc;
}

int policy_edit_remove(const char *text, size_t len, const struct policy_edit *edit, char **out)
{
	struct found f;
	int rc = find(text, len, edit, &f);

	if (!rc && !f.allows)
		rc = -ENOENT;
	if (!rc) {
		const struct piece pieces[] = {{text, f.line.start},
					       {text + f.line.next, len - f.line.next}};

		rc = join(pieces, 2, out);
	}
	return rc;
}

/* ---- attend ---- */

/* The text without the attend lines of the name; *at: where the last of them stood, or the end. */
static int attend_drop(const char *text, size_t len, const struct policy_edit *edit, char **out,
		       size_t *at)
{
	char *p = malloc(len + 1);
	size_t copied = 0, w = 0;
	struct policy_lexer lx;
	bool any = false;
	struct line l;
	int rc;

	if (!p)
		return -ENOMEM;
	rc = policy_lexer_init(&lx, text, len, "", NULL);
	if (rc) {
		free(p);
		return rc;
	}
	while (line_next(&lx, edit, &l)) {
		if (l.kind != KIND_ATTEND || !l.names)
			continue;
		memcpy(p + w, text + copied, l.start - copied);
		w += l.start - copied;
		copied = l.next;
		*at = w;
		any = true;
	}
	if (len > copied)
		memcpy(p + w, text + copied, len - copied);
	w += len - copied;
	p[w] = '\0';
	if (!any)
		*at = w;
	rc = lx.errors ? -EINVAL : 0;
	policy_lexer_clear(&lx);
	if (rc)
		free(p);
	else
		*out = p;
	return rc;
}

int policy_edit_attend(const char *text, size_t len, const struct policy_edit *edit, char **out)
{
	char *rest = NULL, *more = NULL, *line = NULL;
	size_t at = 0;
	int rc = -EINVAL;

	if (edit->subject == POLICY_EDIT_USER && edit->from && edit->until && edit->reason &&
	    check(text, len, edit))
		rc = attend_drop(text, len, edit, &rest, &at);
	if (!rc)
		rc = clauses(edit, &more);
	if (!rc && asprintf(&line, "attend  user:%s%s\n", edit->name, more) < 0) {
		line = NULL;
		rc = -ENOMEM;
	}
	if (!rc)
		rc = insert(rest, strlen(rest), at, line, out);
	free(rest);
	free(more);
	free(line);
	return rc;
}
