/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/lexer.h - lines and words of a policy text, with their places for error messages.
 *
 * One statement a line; words are separated by blanks and tabs; `#` outside of
 * quotes begins a comment; "..." is a string in which \" and \\ stand for " and \.
 * Every error is reported once: a token of kind BAD has had its report.
 */
#ifndef POLICY_LEXER_H
#define POLICY_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "features.h"
#include "report.h"

#define POLICY_LINE_MAX 4096
#define POLICY_TEXT_MAX (1u << 20)
#define POLICY_STRING_MAX 255 /* titles, reasons, cases: bytes */

enum policy_token_kind {
	POLICY_TOKEN_END,
	POLICY_TOKEN_WORD,
	POLICY_TOKEN_STRING,
	POLICY_TOKEN_BAD
};

struct policy_token {
	enum policy_token_kind kind;
	const char *text;  /* in the pool, NUL-terminated; "" at the end of the line */
	unsigned column;   /* in characters, from 1 */
	size_t start, end; /* bytes of the source, quotes included */
};

struct policy_lexer {
	const char *file;
	struct policy_report *report; /* may be NULL */
	const char *text;
	size_t len;
	size_t line_start, line_end, next; /* bytes: current line, start of the one after */
	size_t at;			   /* behind the current token */
	unsigned line;
	bool ascii; /* the current line: its columns need no counting */
	size_t errors;
	char *pool; /* texts of tokens */
	size_t pooled;
	struct policy_token token;
};

/* text is borrowed until clear. -ENOMEM. */
int policy_lexer_init(struct policy_lexer *lx, const char *text, size_t len, const char *file,
		      struct policy_report *report);
/*
 * Goes on with another part of the text given to init, from its line 1, as another file: parts of
 * a bundle share one pool. Lines of marks lie between parts, so that the pool stays large enough.
 */
void policy_lexer_part(struct policy_lexer *lx, const char *text, size_t len, const char *file);
void policy_lexer_clear(struct policy_lexer *lx);
/* The texts of all tokens so far; the caller frees it (after clear too). */
char *policy_lexer_take_pool(struct policy_lexer *lx);

/* To the next line with a statement; its first word is the current token. False at the end. */
bool policy_lexer_line(struct policy_lexer *lx);
void policy_lexer_next(struct policy_lexer *lx);

/* Reports at a column of the current line; returns false for `return policy_lexer_error(...)`. */
bool policy_lexer_error(struct policy_lexer *lx, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The current token is this word. */
bool policy_lexer_at(const struct policy_lexer *lx, const char *word);

/*
 * Each takes the current token as said and goes on to the next, or reports what it wanted instead
 * and returns false. `what` is a few words: "a role name".
 */
bool policy_lexer_end(struct policy_lexer *lx);
bool policy_lexer_word(struct policy_lexer *lx, const char *word);
bool policy_lexer_name(struct policy_lexer *lx, const char *what, const char **out);
/* max: bytes, at most POLICY_STRING_MAX where nothing else says less. */
bool policy_lexer_string(struct policy_lexer *lx, const char *what, size_t max, const char **out);
bool policy_lexer_number(struct policy_lexer *lx, const char *what, uint32_t min, uint32_t max,
			 uint32_t *out);
bool policy_lexer_duration(struct policy_lexer *lx, const char *what, uint32_t min_s,
			   uint32_t max_s, const char *range, uint32_t *out_s);
/*
 * A date or a time, as minutes since 1970: where something begins, or (until) where it ends: a
 * date ends with its day.
 */
bool policy_lexer_time(struct policy_lexer *lx, bool until, int64_t *minute);

/* Reports at the column when nothing lies between the two. */
bool policy_lexer_span(struct policy_lexer *lx, unsigned column, int64_t from, int64_t until);

/* False and reported when the feature is not built; column is that of its first word. */
bool policy_lexer_feature(struct policy_lexer *lx, unsigned column, enum policy_feature feature);

/* "unknown WHAT `token`", with the nearest of the words or all of them. Returns false. */
bool policy_lexer_unknown(struct policy_lexer *lx, const char *what, const char *const *words,
			  size_t count);

/*
 * text as a string of the language, quotes included, that the caller frees. NULL with errno
 * EINVAL when the language cannot hold it (control characters, no UTF-8), or ENOMEM.
 */
char *policy_lexer_quote(const char *text);

#endif
