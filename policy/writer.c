/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/writer.c - see writer.h.
 */
#include "writer.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

void policy_writer_put(struct policy_writer *w, const char *p, size_t len)
{
	if (w->needed < w->cap) {
		size_t room = w->cap - w->needed;

		memcpy(w->out + w->needed, p, len < room ? len : room);
	}
	w->needed += len;
}

void policy_writer_format(struct policy_writer *w, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		policy_writer_put(w, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

size_t policy_writer_end(struct policy_writer *w)
{
	if (w->cap)
		w->out[w->needed < w->cap ? w->needed : w->cap - 1] = '\0';
	return w->needed;
}

void policy_writer_text(struct policy_writer *w, const char *text)
{
	policy_writer_put(w, text, strlen(text));
}

void policy_writer_escaped(struct policy_writer *w, const char *text, char quote)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		unsigned n = policy_utf8_get(text + i, len - i, &point);
		bool plain = n && !policy_utf8_control(point);

		if (plain && point != '\\' && point != (unsigned char)quote) {
			policy_writer_put(w, text + i, n);
		} else if (plain) {
			policy_writer_format(w, "\\%c", (char)point);
		} else {
			for (unsigned k = 0; k < (n ? n : 1); k++)
				policy_writer_format(w, "\\x%02x", (unsigned char)text[i + k]);
		}
		i += n ? n : 1;
	}
}

void policy_writer_json(struct policy_writer *w, const char *text)
{
	size_t len = strlen(text);

	policy_writer_text(w, "\"");
	for (size_t i = 0; i < len;) {
		uint32_t point = 0xfffd;
		unsigned n = policy_utf8_get(text + i, len - i, &point);

		/* No control lies beyond the first plane, so four digits always do. */
		if (!n || policy_utf8_control(point))
			policy_writer_format(w, "\\u%04x", (unsigned)point);
		else if (point == '"' || point == '\\')
			policy_writer_format(w, "\\%c", (char)point);
		else
			policy_writer_put(w, text + i, n);
		i += n ? n : 1;
	}
	policy_writer_text(w, "\"");
}

void policy_writer_quoted(struct policy_writer *w, const char *text)
{
	policy_writer_text(w, "\"");
	policy_writer_escaped(w, text, '"');
	policy_writer_text(w, "\"");
}

void policy_writer_name(struct policy_writer *w, const char *name)
{
	if (!*name || strpbrk(name, " \",()/") || strstr(name, "\xc2\xa0"))
		policy_writer_quoted(w, name);
	else
		policy_writer_escaped(w, name, '\0');
}
