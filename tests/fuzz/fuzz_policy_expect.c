/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the parser of expected decisions and their judgement (libFuzzer).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/expect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char practice_text[] = "role r clinical may list read write policy audit attend\n"
				    "role s may list create\nblocks shown\n"
				    "unit n \"N\"\ndefault unit n allow user:b:--x\n"
				    "practitioner a user a role r unit n\n"
				    "practitioner b user b role s until 2026-06-01\n";
static const char journal_text[] = "unit n\nallow user:a:rwx until 2026-05-01T10:00Z\nblock role:s\n";

static void require(int holds)
{
	if (!holds)
		abort();
}

static void judge(const struct policy_expect *e, const struct policy_practice *p,
		  const struct policy_journal *j)
{
	for (size_t n = 0; n < policy_expect_count(e); n++) {
		const struct policy_expectation *x = policy_expect_at(e, n);
		char *line = NULL;

		require(x && x->line && x->who[0]);
		require((x->rights != 0) == (x->want <= POLICY_EXPECT_DENY));
		require(x->journal || x->rights);
		require(!policy_expect_judge(e, n, p, j, 1780000000, &line));
		if (!policy_practice_find(p, x->who) || (x->journal && !j))
			require(line != NULL);
		require(!line || (!strncmp(line, "file:", 5) && !strchr(line, '\n')));
		free(line);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_practice *p;
	static struct policy_journal *j;
	struct policy_report *report = NULL;
	struct policy_expect *e = NULL;
	int rc;

	if (!p) {
		require(!policy_practice_parse(practice_text, strlen(practice_text), "p", NULL,
					       &p));
		require(!policy_journal_parse(journal_text, strlen(journal_text), "j", NULL, NULL,
					      &j));
	}
	if (policy_report_new(&report))
		return 0;
	rc = policy_expect_parse((const char *)data, size, "file", report, &e);
	require(rc == 0 || rc == -EINVAL);
	require((rc == 0) == (policy_report_count(report) == 0));
	require((rc == 0) == (e != NULL));
	if (e) {
		require(policy_expect_count(e) > 0);
		judge(e, p, j);
		judge(e, p, NULL);
	}
	policy_expect_free(e);
	policy_report_free(report);
	return 0;
}
