/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the journal policy's parser, the decision about what parsed, and renaming (libFuzzer).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/decide.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char practice_text[] = "role r clinical may list read write policy audit attend\n"
				    "role s may list create\n"
				    "unit n \"N\"\nunit m \"M\"\n"
				    "practitioner a user a role r unit n\n"
				    "practitioner b user b role s unit m until 2026-06-01\n"
				    "practitioner c user c role r on leave\n"
				    "default unit n allow unit:m:r-x until 2026-05-28T20:27Z\n";

static void require(int holds)
{
	if (!holds)
		abort();
}

static void decisions(const struct policy_practice *p, const struct policy_journal *j)
{
	static const char *const who[] = {"a", "b", "c", "d"};

	for (unsigned i = 0; i < 4 * 16; i++) {
		struct policy_question q = {.practice = p,
					    .journal = j,
					    .who = who[i / 16],
					    .rights = i % 16,
					    .now_s = 1780000000};
		struct policy_verdict v;
		char text[256];

		policy_decide(&q, &v);
		require((v.answer == POLICY_ALLOW) == (q.rights && !(q.rights & ~v.rights)));
		require(v.visible || !v.rights);
		require(v.until_s > q.now_s);
		require(i < 32 || v.answer == POLICY_DENY);
		policy_verdict_text(&q, &v, text, sizeof(text));
		require(text[0] != '\0');
	}
}

static void renamed(const char *text, size_t len, const struct policy_practice *p)
{
	struct policy_journal *j = NULL;
	char *again = policy_journal_renamed(text, len, "New \"name\"");

	if (!again)
		return;
	if (!policy_journal_parse(again, strlen(again), "j", p, NULL, &j))
		require(!strcmp(policy_journal_name(j), "New \"name\""));
	policy_journal_put(j);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_practice *p;
	const char *text = (const char *)data;
	struct policy_journal *j = NULL, *loose = NULL;
	struct policy_report *report = NULL;
	int rc;

	if (!p)
		require(!policy_practice_parse(practice_text, strlen(practice_text), "p", NULL,
					       &p));
	if (policy_report_new(&report))
		return 0;
	rc = policy_journal_parse(text, size, "j", p, report, &j);
	require(rc == 0 || rc == -EINVAL);
	require((rc == 0) == (policy_report_count(report) == 0));
	/* What holds under a practice holds without one. */
	rc = policy_journal_parse(text, size, "j", NULL, NULL, &loose);
	require(!j || !rc);
	if (loose)
		decisions(p, loose);
	renamed(text, size, p);
	policy_journal_put(loose);
	policy_journal_put(j);
	policy_report_free(report);
	return 0;
}
