/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes explanations over random policies (libFuzzer): the input is more of a practice policy, a
 * byte 0xff, and a journal's. An explanation's verdict is the decision's, with an emergency grant
 * and without, a refusal names what is missing, and nothing in it is unterminated or empty. Of
 * emergency access nobody reads whose role has it not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base[] = "role r clinical may list read write policy audit attend\n"
			   "role g clinical may list read write break-glass\n"
			   "role s may list create export\n"
			   "unit n \"N\"\nunit m \"M\"\n"
			   "practitioner a user a role r unit n\n"
			   "practitioner b user b role s unit m until 2026-06-01\n"
			   "practitioner e user e role g unit m\n"
			   "practitioner c user c role r on leave\n"
			   "include practice.d\n";

static void require(int holds)
{
	if (!holds)
		abort();
}

static void explained(const struct policy_question *q)
{
	const struct policy_practitioner *who =
		q->who ? policy_practice_find(q->practice, q->who) : NULL;
	struct policy_verdict v;
	char *text = NULL, line[1024], expected[1100];
	size_t len;
	int missing;

	policy_decide(q, &v);
	policy_verdict_text(q, &v, line, sizeof(line));
	if (policy_explain(q, &text))
		return;
	len = strlen(text);
	missing = strstr(text, "\nWhat is missing:\n- ") != NULL;
	require(len > 2 && text[len - 1] == '\n' && text[len - 2] != '\n');
	if (q->rights) {
		require(missing == (v.answer == POLICY_DENY));
		require((strstr(text, "\nAllowed: ") != NULL) == (v.answer == POLICY_ALLOW));
		require((strstr(text, "\nDenied: ") != NULL) == (v.answer == POLICY_DENY));
	} else if (q->journal) {
		require((strstr(text, "\nHidden: ") != NULL) == !v.visible);
	}
	if (!q->grant && q->journal && who && !(who->role->rights & POLICY_BREAK_GLASS))
		require(!strstr(text, "\n- or, in an emergency: "));
	/* Why, in the words of the log. */
	if (q->journal) {
		strcpy(expected, ": ");
		strcat(expected, line);
		strcat(expected, ".\n");
		require(strstr(text, expected) != NULL);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const who[] = {"a", "b", "c", "d", "e", "x", NULL};
	const uint8_t *cut = size ? memchr(data, 0xff, size) : NULL;
	size_t more = cut ? (size_t)(cut - data) : 0;
	const char *text = (const char *)data + (cut ? more + 1 : 0);
	size_t len = size - (cut ? more + 1 : 0);
	char *all = malloc(sizeof(base) + more);
	struct policy_practice *p = NULL;
	struct policy_journal *j = NULL;

	if (!all)
		return 0;
	memcpy(all, base, sizeof(base) - 1);
	memcpy(all + sizeof(base) - 1, data, more);
	/* Where the rest is no policy, the base is one. */
	if (policy_practice_parse(all, sizeof(base) - 1 + more, "p", NULL, &p))
		require(!policy_practice_parse(all, sizeof(base) - 1, "p", NULL, &p));
	(void)policy_journal_parse(text, len, "j", NULL, NULL, &j);
	for (unsigned i = 0; i < 7 * 24; i++) {
		const struct policy_grant grant = {1, INT64_MIN, 1790000000, i % 3};
		struct policy_question q = {.practice = p,
					    .journal = i % 24 < 6 ? NULL : j,
					    .who = who[i / 24],
					    .rights = i % 12 ? 1u << (i % 12 - 1) : 0,
					    .now_s = i % 2 ? 1780000000 : 1793000000};

		if (i % 24 >= 6 && !j)
			continue;
		explained(&q);
		q.grant = &grant;
		explained(&q);
	}
	policy_journal_put(j);
	policy_practice_put(p);
	free(all);
	return 0;
}
