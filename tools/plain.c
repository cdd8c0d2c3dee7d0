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

/* What takes no column, and what takes two (Unicode: Mn, Me, Cf; East Asian Width W and F). */
static const struct {
	uint32_t first, last;
	unsigned columns;
} widths[] = {
	{0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},	{0x0591, 0x05bd, 0}, {0x064b, 0x065f, 0},
	{0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},	{0x1dc0, 0x1dff, 0}, {0x200b, 0x200d, 0},
	{0x20d0, 0x20ff, 0},   {0x2e80, 0x303e, 2},	{0x3041, 0xa4cf, 2}, {0xac00, 0xd7a3, 2},
	{0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},	{0xfe20, 0xfe2f, 0}, {0xfe30, 0xfe6f, 2},
	{0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},	{0x1f300, 0x1f64f, 2}, {0x1f900, 0x1f9ff, 2},
	{0x20000, 0x3fffd, 2}, {0xe0100, 0xe01ef, 0},
};

static unsigned columns_of(uint32_t point)
{
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
		if (point >= widths[i].first && point <= widths[i].last)
			return widths[i].columns;
	return 1;
}

size_t tools_plain_width(const char *text)
{
	size_t len = strlen(text), n = 0;

	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		unsigned k = policy_utf8_get(text + i, len - i, &point);

		if (k && (!policy_utf8_control(point) || point == '\t'))
			n += point < 0x300 ? 1 : columns_of(point);
		else
			n += 4 * (k ? k : 1); /* \xNN */
		i += k ? k : 1;
	}
	return n;
}

int tools_plain_pad(FILE *to, const char *text, size_t width)
{
	size_t n = tools_plain_width(text);
	int rc = tools_plain_put(to, text, 0);

	return rc ? rc : fprintf(to, "%*s", (int)(n < width ? width - n : 0), "") < 0 ? -1 : 0;
}
