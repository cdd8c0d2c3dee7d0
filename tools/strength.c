/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/strength.c - see strength.h. What is guessed first is refused; nothing is scored.
 */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include "../keys/label.h"
#include "strength.h"

#define TEXT_MAX 1024
#define FRESH_MIN 7  /* characters that continue no run */
#define PERIOD_MAX 6 /* a shorter piece again and again adds nothing */

/* In small letters, without spaces, digits and signs. */
static const char *const commonest[] = {
	"abcdefghijkl",	    "administrator",	 "adminadmin",	      "changeme",
	"correcthorsebatterystaple", "dragon",	 "football",	      "hemmelighed",
	"hemmeligt",	    "iloveyou",		 "iloveyouforever",   "journal",
	"journalfs",	    "kodeord",		 "letmein",	      "letmeinplease",
	"losenord",	    "monkey",		 "mypassphrase",      "mypassword",
	"newpassphrase",    "newpassword",	 "passord",	      "passphrase",
	"password",	    "passwordpassword",	 "patientjournal",    "princess",
	"qwerty",	    "qwertyuiop",	 "secret",	      "secretpassword",
	"sommer",	    "sommerferie",	 "sunshine",	      "thisismypassphrase",
	"thisismypassword", "trustnoone",	 "velkommen",	      "verysecret",
	"vinter",	    "welcome",		 "welcometothejungle",
};

static size_t characters(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

/* Takes every `name` out of text, in place; the new length. */
static size_t without(char *text, size_t len, const char *name)
{
	size_t n = name ? strlen(name) : 0, out = 0;

	if (n < 2)
		return len;
	for (size_t i = 0; i < len;) {
		if (len - i >= n && !strncasecmp(text + i, name, n))
			i += n;
		else
			text[out++] = text[i++];
	}
	return out;
}

/* Neighbors on a keyboard or in the alphabet, either way, or the same. */
static bool continues(char a, char b)
{
	static const char *const rows[] = {"qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890"};
	int x = tolower((unsigned char)a), y = tolower((unsigned char)b);

	if (x == y || (isalnum(x) && isalnum(y) && (x - y == 1 || y - x == 1)))
		return true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = x ? strchr(rows[i], x) : NULL;

		if (at && y && (at[1] == y || (at > rows[i] && at[-1] == y)))
			return true;
	}
	return false;
}

static size_t fresh(const char *text, size_t len)
{
	size_t n = len ? 1 : 0;

	for (size_t i = 1; i < len; i++)
		n += !continues(text[i - 1], text[i]);
	return n;
}

static bool repeats(const char *text, size_t len)
{
	for (size_t period = 1; period <= PERIOD_MAX && 2 * period <= len; period++)
		if (!memcmp(text, text + period, len - period))
			return true;
	return false;
}

static bool is_common(const char *text, size_t len)
{
	char letters[TEXT_MAX + 1];
	bool found = false;
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (isalpha((unsigned char)text[i]) || (unsigned char)text[i] >= 0x80)
			letters[n++] = (char)tolower((unsigned char)text[i]);
	letters[n] = '\0';
	for (size_t i = 0; i < sizeof(commonest) / sizeof(commonest[0]); i++)
		found = found || !strcmp(letters, commonest[i]);
	/* Nothing but digits and signs is a date, a number or a telephone. */
	found = found || n == 0;
	keys_wipe(letters, sizeof(letters));
	return found;
}

const char *tools_strength_wrong(const char *text, size_t len, const char *const names[], size_t n)
{
	const char *wrong = NULL;
	char rest[TEXT_MAX];
	size_t left = len;

	if (len > sizeof(rest))
		return "the passphrase is too long";
	if (characters(text, len) < STRENGTH_MIN)
		return "a passphrase needs at least 12 characters; a few words do well";
	memcpy(rest, text, len);
	for (size_t i = 0; i < n; i++)
		left = without(rest, left, names[i]);
	if (repeats(text, len))
		wrong = "the passphrase is one short piece again and again; take a few words";
	else if (fresh(text, len) < FRESH_MIN)
		wrong = "the passphrase is hardly more than a run of neighbors, as in abcdef or 123456; "
			"take a few words";
	else if (is_common(text, len))
		wrong = "the passphrase is among the first that anybody tries; take a few words that "
			"only you would put together";
	else if (characters(rest, left) < STRENGTH_MIN)
		wrong = "your name in the passphrase does not count, and without it there are fewer than "
			"12 characters; take a few words more";
	keys_wipe(rest, sizeof(rest));
	return wrong;
}
