/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/writer.h - text into a buffer of a given size, and what escapes hostile names in it.
 */
#ifndef POLICY_WRITER_H
#define POLICY_WRITER_H

#include <stddef.h>

/* Appends to out like snprintf: needed counts on beyond cap, out is always terminated. */
struct policy_writer {
	char *out;
	size_t cap;
	size_t needed;
};

void policy_writer_put(struct policy_writer *w, const char *p, size_t len);
void policy_writer_format(struct policy_writer *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Terminates; returns the length needed. */
size_t policy_writer_end(struct policy_writer *w);
void policy_writer_text(struct policy_writer *w, const char *text);
/* Controls, marks that turn text and bytes that are no UTF-8 as \xNN; a backslash, and quote where
 * it is not 0, behind a backslash. */
void policy_writer_escaped(struct policy_writer *w, const char *text, char quote);
void policy_writer_quoted(struct policy_writer *w, const char *text);
/* A name, in quotes only where it needs them. */
void policy_writer_name(struct policy_writer *w, const char *name);
/* A JSON string with its quotes, valid UTF-8 whatever text holds (FORMAT.md, JSON). */
void policy_writer_json(struct policy_writer *w, const char *text);

#endif
