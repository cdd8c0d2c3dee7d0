/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explanations, compared with golden/policy_explain.txt: sections that begin with "%% practice",
 * "%% journal", "%% vault" (no journal) or "%% ask WHO RIGHTS TIME", whose text is the answer;
 * behind TIME may stand "grant UNTIL" or "grant UNTIL past-block". With GOLDEN_WRITE=FILE the file
 * is written anew there, for somebody to read.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/explain.h"
#include "policy/model.h"
#include "policy/span.h"

#define TEXT_MAX 16384

struct golden {
	struct policy_practice *practice;
	struct policy_journal *journal;
	char head[256], body[TEXT_MAX];
	FILE *again; /* written anew */
	unsigned asked;
};

static FILE *golden_open(const char *name)
{
	const char *slash = strrchr(__FILE__, '/');
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "tests/unit/golden/%s", name);
	f = fopen(path, "r");
	if (f)
		return f;
	snprintf(path, sizeof(path), "%.*s/golden/%s", slash ? (int)(slash - __FILE__) : 1,
		 slash ? __FILE__ : ".", name);
	return fopen(path, "r");
}

static void practice_set(struct golden *g)
{
	struct policy_report *report = NULL;
	int rc;

	policy_practice_put(g->practice);
	g->practice = NULL;
	ck_assert_int_eq(policy_report_new(&report), 0);
	/* A part begins with "%part" here as in a bundle. */
	rc = policy_practice_parse(g->body, strlen(g->body), "p", report, &g->practice);
	ck_assert_msg(!rc, "%s", rc ? policy_report_line(report, 0) : "");
	policy_report_free(report);
}

static void journal_set(struct golden *g, bool any)
{
	policy_journal_put(g->journal);
	g->journal = NULL;
	if (any)
		ck_assert_int_eq(policy_journal_parse(g->body, strlen(g->body), "j", NULL, NULL,
						      &g->journal),
				 0);
}

static uint32_t rights_of(char *text)
{
	uint32_t rights = 0;
	char *save = NULL;

	if (!strcmp(text, "-"))
		return 0;
	for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		unsigned i;

		for (i = 0; i < POLICY_RIGHT_COUNT && strcmp(word, policy_right_names[i]); i++)
			;
		ck_assert_msg(i < POLICY_RIGHT_COUNT, "right %s", word);
		rights |= 1u << i;
	}
	return rights;
}

static int64_t seconds_of(const char *time)
{
	int64_t minute = 0;
	bool day;

	ck_assert(policy_span_time(time, &minute, &day));
	return policy_span_time_seconds(minute);
}

static void answer_check(struct golden *g)
{
	char who[65], rights[128], time[32], until[32], past[32], *got = NULL;
	struct policy_grant grant = {.number = 7, .from_s = INT64_MIN};
	struct policy_question q = {.practice = g->practice, .journal = g->journal, .who = who};
	int n = sscanf(g->head, "%% ask %64s %127s %31s grant %31s %31s", who, rights, time, until,
		       past);

	ck_assert_int_ge(n, 3);
	q.now_s = seconds_of(time);
	if (n > 3) {
		grant.until_s = seconds_of(until);
		grant.past_block = n > 4 && !strcmp(past, "past-block");
		q.grant = &grant;
	}
	q.rights = rights_of(rights);
	ck_assert_int_eq(policy_explain(&q, &got), 0);
	if (g->again)
		fputs(got, g->again);
	else
		ck_assert_msg(!strcmp(got, g->body), "%s\ngot:\n%s\nwanted:\n%s", g->head, got,
			      g->body);
	free(got);
	g->asked++;
}

static void section_end(struct golden *g)
{
	bool ask = !strncmp(g->head, "% ask ", 6);

	if (g->again && g->head[0])
		fprintf(g->again, "%%%s%s", g->head, ask ? "" : g->body);
	if (ask)
		answer_check(g);
	else if (!strcmp(g->head, "% practice\n"))
		practice_set(g);
	else if (g->head[0])
		journal_set(g, !strcmp(g->head, "% journal\n"));
	g->body[0] = '\0';
}

START_TEST(explanation_reads_as_written)
{
	FILE *f = golden_open("policy_explain.txt");
	struct golden *g = calloc(1, sizeof(*g));
	const char *to = getenv("GOLDEN_WRITE");
	char line[4096];

	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(g);
	if (to)
		ck_assert_ptr_nonnull(g->again = fopen(to, "w"));
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "%% ", 3)) {
			strncat(g->body, line, sizeof(g->body) - strlen(g->body) - 1);
			continue;
		}
		section_end(g);
		snprintf(g->head, sizeof(g->head), "%.200s", line + 1);
	}
	section_end(g);
	fclose(f);
	if (g->again)
		fclose(g->again);
	ck_assert_uint_ge(g->asked, 72);
	policy_journal_put(g->journal);
	policy_practice_put(g->practice);
	free(g);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_explain");
	TCase *t = tcase_create("explain");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, explanation_reads_as_written);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
