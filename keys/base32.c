/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/base32.c - Crockford base32 with a check character over GF(32).
 *
 * The check makes sum(d[i] * x^i) zero in GF(2)[x]/(x^5 + x^2 + 1), i counted
 * from the check character (i = 0) leftward. One wrong character changes one
 * term; a swap of neighbors changes the sum by (a + b) * x^i * (1 + x), which is
 * never zero: both are always caught, and the check stays in the alphabet.
 * Implements keys/FORMAT.md, "Codes as text".
 */
#include "base32.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define DIGITS(len) (((len)*8 + 4) / 5)
#define DIGITS_MAX (DIGITS(KEYS_BASE32_MAX) + 1)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Multiplication by x modulo x^5 + x^2 + 1. */
static unsigned times_x(unsigned v)
{
	v <<= 1;
	return v & 32 ? v ^ 37 : v;
}

/* The sum over n digits, leftmost first, where the rightmost weighs x^0. */
static unsigned weigh(const uint8_t *digit, size_t n)
{
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = times_x(sum) ^ digit[i];
	return sum;
}

void keys_base32_print(const uint8_t *p, size_t len, char *text)
{
	uint8_t digit[DIGITS_MAX] = {0};
	size_t n = DIGITS(len);

	assert(len <= KEYS_BASE32_MAX);
	for (size_t bit = 0; bit < len * 8; bit++) {
		unsigned v = p[bit / 8] >> (7 - bit % 8) & 1u;

		digit[bit / 5] |= (uint8_t)(v << (4 - bit % 5));
	}
	digit[n] = (uint8_t)times_x(weigh(digit, n));
	n++;
	for (size_t i = 0; i < n; i++) {
		if (i && i % 4 == 0)
			*text++ = '-';
		*text++ = alphabet[digit[i]];
	}
	*text = '\0';
	keys_wipe(digit, sizeof(digit));
}

/* The value of a character, or -1. */
static int digit_of(char c)
{
	const char *at;

	c = (char)toupper((unsigned char)c);
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	at = c ? strchr(alphabet, c) : NULL;
	return at ? (int)(at - alphabet) : -1;
}

static bool is_filler(char c)
{
	return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Exactly n digits of text, else -EINVAL. */
static int digits_read(const char *text, uint8_t *digit, size_t n)
{
	size_t got = 0;

	for (; *text; text++) {
		int v;

		if (is_filler(*text))
			continue;
		v = digit_of(*text);
		if (v < 0 || got == n)
			return -EINVAL;
		digit[got++] = (uint8_t)v;
	}
	return got == n ? 0 : -EINVAL;
}

int keys_base32_parse(const char *text, size_t len, uint8_t *out)
{
	uint8_t digit[DIGITS_MAX] = {0};
	size_t n = DIGITS(len);
	unsigned spare = (unsigned)(n * 5 - len * 8);
	int rc = -EINVAL;

	assert(len && len <= KEYS_BASE32_MAX);
	if (digits_read(text, digit, n + 1) || weigh(digit, n + 1))
		goto out;
	if (digit[n - 1] & ((1u << spare) - 1))
		goto out;
	memset(out, 0, len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		unsigned v = digit[bit / 5] >> (4 - bit % 5) & 1u;

		out[bit / 8] |= (uint8_t)(v << (7 - bit % 8));
	}
	rc = 0;
out:
	keys_wipe(digit, sizeof(digit));
	return rc;
}
