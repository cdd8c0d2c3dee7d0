/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/which.c - which policy a text is, by its own words. Nothing else of it is judged.
 */
#include "which.h"

#include <string.h>

#include "lexer.h"

bool policy_which_journal(const char *text, size_t len,
			  char name[static POLICY_JOURNAL_NAME_MAX + 1])
{
	struct policy_lexer lx;
	bool found = false;

	if (policy_lexer_init(&lx, text, len, "", NULL))
		return false;
	while (!found && policy_lexer_line(&lx)) {
		if (!policy_lexer_at(&lx, "journal"))
			continue;
		policy_lexer_next(&lx);
		if (lx.token.kind != POLICY_TOKEN_STRING || !lx.token.text[0] ||
		    strlen(lx.token.text) > POLICY_JOURNAL_NAME_MAX)
			continue;
		strcpy(name, lx.token.text);
		found = true;
	}
	policy_lexer_clear(&lx);
	return found;
}
