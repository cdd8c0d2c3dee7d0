/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/plain.c - texts that others wrote, made fit for a terminal.
 *
 * Reasons, names and comments come from people whom the reader need not trust: an
 * escape sequence in one of them must not rewrite what a steward sees.
 */
#include <stdlib.h>
#include <string.h>

#include "../policy/utf8.h"
#include "plain.h"

char *tools_plain(const char *text, int lines)
{
	size_t len = strlen(text), at = 0;
	char *out = malloc(4 * len + 1);

	if (!out)
		return NULL;
	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		unsigned n = policy_utf8_get(text + i, len - i, &point);

		if (n && (!policy_utf8_control(point) || point == '\t' || (lines && point == '\n'))) {
			memcpy(out + at, text + i, n);
			at += n;
		} else {
			n = n ? n : 1;
			for (unsigned k = 0; k < n; k++)
				at += (size_t)snprintf(out + at, 5, "\\x%02x",
						       (unsigned char)text[i + k]);
		}
		i += n;
	}
	out[at] = '\0';
	return out;
}

int tools_plain_put(FILE *to, const char *text, int lines)
{
	char *plain = tools_plain(text, lines);
	int rc = plain && fputs(plain, to) >= 0 ? 0 : -1;

	free(plain);
	return rc;
}

size_t tools_plain_width(const char *text)
{
	char *plain = tools_plain(text, 0);
	size_t n = 0;

	for (const char *p = plain; p && *p; p++)
		n += ((unsigned char)*p & 0xc0) != 0x80;
	free(plain);
	return n;
}

int tools_plain_pad(FILE *to, const char *text, size_t width)
{
	size_t n = tools_plain_width(text);
	int rc = tools_plain_put(to, text, 0);

	return rc ? rc : fprintf(to, "%*s", (int)(n < width ? width - n : 0), "") < 0 ? -1 : 0;
}
