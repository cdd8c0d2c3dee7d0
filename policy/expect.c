/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/expect.c - reads expectations and holds policies against them.
 */
#include "expect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lexer.h"
#include "model.h"
#include "span.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const wants[] = {"allow", "deny", "seen", "hidden"};

struct policy_expect {
	struct policy_expectation *at;
	size_t count;
	char *pool;
	char *file;
};

struct parser {
	struct policy_lexer lx;
	struct policy_expect *e;
	bool short_of_memory;
};

/* Reports a word that is no right, with the nearest one or all of them. */
static bool unknown_right(struct policy_lexer *lx, unsigned column, const char *word)
{
	char nearest[128], all[128];
	struct policy_suggest s;

	if (!*word)
		return policy_lexer_error(lx, column, "a right is missing here: write read,write");
	policy_suggest_init(&s, word);
	for (unsigned i = 0; i < POLICY_RIGHT_COUNT; i++)
		policy_suggest_try(&s, policy_right_names[i]);
	if (s.best)
		return policy_lexer_error(lx, column, "unknown right `%.64s`%s", word,
					  policy_suggest_text(&s, nearest));
	return policy_lexer_error(lx, column, "unknown right `%.64s`: known are %s", word,
				  policy_right_text((1u << POLICY_RIGHT_COUNT) - 1, all));
}

/* "read,write" or "-", in the pool. */
static bool rights_parse(struct policy_lexer *lx, uint32_t *rights)
{
	unsigned column = lx->token.column;
	char *word;

	if (lx->token.kind == POLICY_TOKEN_BAD)
		return false;
	if (lx->token.kind != POLICY_TOKEN_WORD)
		return policy_lexer_error(lx, column,
					  "rights are missing here: write read or read,write, or - "
					  "for none");
	/* The pool is this parser's own and writable. */
	word = lx->pool + (lx->token.text - lx->pool);
	policy_lexer_next(lx);
	if (!strcmp(word, "-"))
		return true;
	for (char *next = word; next; word = next) {
		unsigned i = 0;

		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		while (i < POLICY_RIGHT_COUNT && strcmp(word, policy_right_names[i]))
			i++;
		if (i == POLICY_RIGHT_COUNT)
			return unknown_right(lx, column, word);
		if (*rights & 1u << i)
			return policy_lexer_error(lx, column, "`%s` is named twice", word);
		*rights |= 1u << i;
		column += (unsigned)strlen(word) + 1;
	}
	return true;
}

static bool want_parse(struct policy_lexer *lx, struct policy_expectation *x)
{
	unsigned column = lx->token.column, i = 0;

	while (i < COUNT(wants) && !policy_lexer_at(lx, wants[i]))
		i++;
	if (i == COUNT(wants))
		return policy_lexer_unknown(lx, "expectation", wants, COUNT(wants));
	x->want = (enum policy_expect_want)i;
	policy_lexer_next(lx);
	if (i >= POLICY_EXPECT_SEEN && x->rights)
		return policy_lexer_error(lx, column,
					  "`%s` is about the listing and asks for no rights: "
					  "write - for them",
					  wants[i]);
	if (i >= POLICY_EXPECT_SEEN && !x->journal)
		return policy_lexer_error(lx, column,
					  "`%s` needs a journal: write its name in quotes before it",
					  wants[i]);
	if (i < POLICY_EXPECT_SEEN && !x->rights)
		return policy_lexer_error(lx, column,
					  "`%s` needs rights: name them, or expect `seen` or "
					  "`hidden`",
					  wants[i]);
	return true;
}

static bool line_parse(struct policy_lexer *lx, struct policy_expectation *x)
{
	int64_t minute;

	if (!policy_lexer_word(lx, "expect") ||
	    !policy_lexer_name(lx, "a practitioner name", &x->who) ||
	    !rights_parse(lx, &x->rights))
		return false;
	if (lx->token.kind == POLICY_TOKEN_STRING &&
	    !policy_lexer_string(lx, "the journal's name", POLICY_JOURNAL_NAME_MAX, &x->journal))
		return false;
	if (!want_parse(lx, x))
		return false;
	if (policy_lexer_at(lx, "at")) {
		policy_lexer_next(lx);
		if (!policy_lexer_time(lx, false, &minute))
			return false;
		x->timed = true;
		x->now_s = minute * 60;
	}
	return policy_lexer_end(lx);
}

static void add(struct parser *pr, const struct policy_expectation *x)
{
	struct policy_expect *e = pr->e;

	if (!e->count || (e->count >= 16 && !(e->count & (e->count - 1)))) {
		struct policy_expectation *bigger =
			reallocarray(e->at, e->count ? e->count * 2 : 16, sizeof(*bigger));

		if (!bigger) {
			pr->short_of_memory = true;
			return;
		}
		e->at = bigger;
	}
	e->at[e->count++] = *x;
}

int policy_expect_parse(const char *text, size_t len, const char *file,
			struct policy_report *report, struct policy_expect **out)
{
	struct parser pr = {.e = calloc(1, sizeof(*pr.e))};
	int rc = -ENOMEM;

	if (!pr.e)
		return -ENOMEM;
	pr.e->file = strdup(file);
	if (!pr.e->file || policy_lexer_init(&pr.lx, text, len, file, report))
		goto out;
	while (policy_lexer_line(&pr.lx)) {
		struct policy_expectation x = {.line = pr.lx.line};

		if (line_parse(&pr.lx, &x))
			add(&pr, &x);
	}
	if (!pr.e->count && !pr.lx.errors && !pr.short_of_memory) {
		pr.lx.line = pr.lx.line ? pr.lx.line : 1;
		policy_lexer_error(&pr.lx, 1,
				   "nothing is expected here: write lines such as `expect anna "
				   "read \"JOURNAL\" allow`");
	}
	if (pr.short_of_memory)
		goto out;
	rc = -EINVAL;
	if (pr.lx.errors)
		goto out;
	pr.e->pool = policy_lexer_take_pool(&pr.lx);
	*out = pr.e;
	pr.e = NULL;
	rc = 0;
out:
	policy_lexer_clear(&pr.lx);
	policy_expect_free(pr.e);
	return rc;
}

void policy_expect_free(struct policy_expect *e)
{
	if (!e)
		return;
	free(e->at);
	free(e->pool);
	free(e->file);
	free(e);
}

size_t policy_expect_count(const struct policy_expect *e)
{
	return e->count;
}

const struct policy_expectation *policy_expect_at(const struct policy_expect *e, size_t n)
{
	return n < e->count ? &e->at[n] : NULL;
}

/* The words of the expectation again: `anna read "Hansen" allow at 2026-11-21T00:00Z`. */
static void words(const struct policy_expectation *x, char *out, size_t cap)
{
	char rights[128], at[24], when[32] = "";

	policy_right_text(x->rights, rights);
	for (char *p = rights; *p; p++)
		*p = *p == ' ' ? ',' : *p;
	if (x->timed) {
		policy_span_minute_text(x->now_s / 60, at);
		snprintf(when, sizeof(when), " at %s", at);
	}
	snprintf(out, cap, "%s %s %s%s%s%s%s", x->who, rights[0] ? rights : "-",
		 x->journal ? "\"" : "", x->journal ? x->journal : "", x->journal ? "\" " : "",
		 wants[x->want], when);
}

/* Is it as expected? Else what it is, in one word. */
static bool holds(const struct policy_expectation *x, const struct policy_verdict *v,
		  const char **is)
{
	bool allowed = v->answer == POLICY_ALLOW;

	if (x->want == POLICY_EXPECT_ALLOW || x->want == POLICY_EXPECT_DENY) {
		*is = allowed ? "allowed" : "denied";
		return allowed == (x->want == POLICY_EXPECT_ALLOW);
	}
	*is = v->visible ? "seen" : "hidden";
	return v->visible == (x->want == POLICY_EXPECT_SEEN);
}

static int unknown_who(const struct policy_expect *e, const struct policy_expectation *x,
		       const struct policy_practice *practice, char **line)
{
	const struct policy_index *ix = &practice->persons;
	struct policy_suggest s;
	char nearest[128];

	policy_suggest_init(&s, x->who);
	for (uint32_t i = 0; i < ix->size; i++)
		if (ix->slot[i].name)
			policy_suggest_try(&s, ix->slot[i].name);
	if (asprintf(line, "%s:%u: the practice policy has no practitioner `%s`%s", e->file,
		     x->line, x->who, policy_suggest_text(&s, nearest)) < 0)
		*line = NULL;
	return *line ? 0 : -ENOMEM;
}

int policy_expect_judge(const struct policy_expect *e, size_t n,
			const struct policy_practice *practice,
			const struct policy_journal *journal, int64_t now_s, char **line)
{
	const struct policy_expectation *x = policy_expect_at(e, n);
	char said[512], why[512];
	struct policy_question q;
	struct policy_verdict v;
	const char *is;

	if (!x)
		return -ENOENT;
	*line = NULL;
	if (!policy_practice_find(practice, x->who))
		return unknown_who(e, x, practice, line);
	if (x->journal && !journal) {
		if (asprintf(line, "%s:%u: there is no journal \"%s\"", e->file, x->line,
			     x->journal) < 0)
			*line = NULL;
		return *line ? 0 : -ENOMEM;
	}
	q = (struct policy_question){.practice = practice,
				     .journal = x->journal ? journal : NULL,
				     .who = x->who,
				     .rights = x->rights,
				     .now_s = x->timed ? x->now_s : now_s};
	policy_decide(&q, &v);
	if (holds(x, &v, &is))
		return 0;
	words(x, said, sizeof(said));
	policy_verdict_text(&q, &v, why, sizeof(why));
	if (asprintf(line, "%s:%u: expected %s, but it is %s: %s", e->file, x->line, said, is,
		     why) < 0)
		*line = NULL;
	return *line ? 0 : -ENOMEM;
}
