/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/utf8.c - strict UTF-8 decoding (RFC 3629) and what may not reach a terminal.
 */
#include "utf8.h"

#include <string.h>

unsigned policy_utf8_get(const char *p, size_t len, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first;
	uint32_t v;
	unsigned n;

	if (!len)
		return 0;
	first = (unsigned char)p[0];
	if (first < 0x80) {
		*point = first;
		return 1;
	}
	n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	if (first < 0xc2 || first > 0xf4 || len < n)
		return 0;
	v = first & (0xffu >> (n + 1));
	for (unsigned i = 1; i < n; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | ((unsigned char)p[i] & 0x3f);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*point = v;
	return n;
}

bool policy_utf8_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x061c ||
	       (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

size_t policy_utf8_cut(const char *p, size_t len, size_t max)
{
	size_t n = len < max ? len : max;

	if (n == len)
		return n;
	for (unsigned back = 0; back < 4 && back < n; back++) {
		unsigned char c = (unsigned char)p[n - back];

		if ((c & 0xc0) != 0x80)
			return n - back;
	}
	return n;
}

size_t policy_utf8_characters(const char *text)
{
	size_t n = 0, len = strlen(text);

	for (size_t i = 0; i < len; n++) {
		uint32_t point = 0;
		unsigned k = policy_utf8_get(text + i, len - i, &point);

		if (!k || policy_utf8_control(point))
			return 0;
		i += k;
	}
	return n;
}

size_t policy_utf8_said(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text != ' ' && *text != '.' && *text != '-' && *text != '_';
	return n;
}
