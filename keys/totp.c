/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/totp.c - one-time codes of an authenticator app, computed by liboath.
 *
 * Owns nothing: secret, time and last step are arguments. Implements keys/FORMAT.md,
 * "Second factor". The only file that includes liboath.
 *
 * Invariants: 1. a check costs the same whichever code is given; 2. a step that is
 * not later than the last one used is never accepted.
 */
#include "totp.h"

#include <errno.h>
#include <string.h>
#include <liboath/oath.h>

#define WINDOW 1u /* steps before and after now's */

int keys_totp_init(void)
{
	return oath_init() == OATH_OK ? 0 : -EIO;
}

int keys_totp_code(const uint8_t secret[static KEYS_TOTP_SECRET_LEN], uint64_t step,
		   char code[static KEYS_TOTP_DIGITS + 1])
{
	char key[KEYS_TOTP_SECRET_LEN], made[KEYS_TOTP_DIGITS + 1] = "";
	int rc;

	memcpy(key, secret, sizeof(key));
	rc = oath_hotp_generate(key, sizeof(key), step, KEYS_TOTP_DIGITS, false,
				OATH_HOTP_DYNAMIC_TRUNCATION, made);
	keys_wipe(key, sizeof(key));
	if (rc == OATH_OK)
		memcpy(code, made, sizeof(made));
	keys_wipe(made, sizeof(made));
	return rc == OATH_OK ? 0 : -EIO;
}

/* The code in fixed room, so that comparing it takes no notice of its length. */
static void take(const char *code, char out[static KEYS_TOTP_DIGITS + 1])
{
	size_t len = strlen(code);

	memset(out, 0, KEYS_TOTP_DIGITS + 1);
	if (len == KEYS_TOTP_DIGITS)
		memcpy(out, code, len);
}

int keys_totp_check(const uint8_t secret[static KEYS_TOTP_SECRET_LEN], uint64_t now_s,
		    uint64_t last, const char *code, uint64_t *step)
{
	uint64_t now = now_s / KEYS_TOTP_STEP_S, first = now < WINDOW ? 0 : now - WINDOW, found = 0;
	char given[KEYS_TOTP_DIGITS + 1], right[KEYS_TOTP_DIGITS + 1];
	unsigned hit = 0;
	int rc = 0;

	take(code, given);
	for (unsigned i = 0; i <= 2 * WINDOW && !rc; i++) {
		unsigned same;

		rc = keys_totp_code(secret, first + i, right);
		same = (unsigned)keys_equal(given, right, KEYS_TOTP_DIGITS);
		/* The latest of several: a code that two steps share is used up with both. */
		found = same ? first + i : found;
		hit |= same;
	}
	keys_wipe(given, sizeof(given));
	keys_wipe(right, sizeof(right));
	if (rc)
		return rc;
	if (!hit)
		return -EKEYREJECTED;
	if (found <= last)
		return -EALREADY;
	*step = found;
	return 0;
}

void keys_totp_print(const uint8_t secret[static KEYS_TOTP_SECRET_LEN],
		     char text[static KEYS_TOTP_TEXT_LEN])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

	for (unsigned i = 0; i < KEYS_TOTP_TEXT_LEN - 1; i++) {
		unsigned v = 0;

		for (unsigned bit = 5 * i; bit < 5 * i + 5; bit++)
			v = v << 1 | (secret[bit / 8] >> (7 - bit % 8) & 1u);
		text[i] = alphabet[v];
	}
	text[KEYS_TOTP_TEXT_LEN - 1] = '\0';
}
