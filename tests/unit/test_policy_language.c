/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads policy/LANGUAGE.md: its texts must parse, its decisions must come out as it says.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/decide.h"
#include "policy/expect.h"
#include "policy/features.h"
#include "policy/model.h"
#include "policy/span.h"

struct reader {
	struct policy_practice *practice;
	struct policy_journal *journal;
	char kind[64]; /* of the block being read; "" outside */
	char block[8192];
	unsigned practices, journals, decisions, expectations;
};

static FILE *document_open(void)
{
	char path[1024];
	const char *slash = strrchr(__FILE__, '/');
	FILE *f = fopen("policy/LANGUAGE.md", "r");

	if (f)
		return f;
	snprintf(path, sizeof(path), "%.*s/../../policy/LANGUAGE.md",
		 slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
	return fopen(path, "r");
}

static void features_all(bool built)
{
	for (unsigned i = 0; i < POLICY_FEATURE_COUNT; i++)
		ck_assert(policy_feature_set(policy_feature_name(i), built));
}

static void practice_block(struct reader *rd)
{
	struct policy_report *report = NULL;
	int rc;

	policy_practice_put(rd->practice);
	rd->practice = NULL;
	ck_assert_int_eq(policy_report_new(&report), 0);
	features_all(true);
	rc = policy_practice_parse(rd->block, strlen(rd->block), "practice", report, &rd->practice);
	ck_assert_msg(!rc, "%s", rc ? policy_report_line(report, 0) : "");
	policy_report_free(report);
	rd->practices++;
}

static void journal_block(struct reader *rd)
{
	struct policy_report *report = NULL;
	int rc;

	policy_journal_put(rd->journal);
	rd->journal = NULL;
	ck_assert_int_eq(policy_report_new(&report), 0);
	rc = policy_journal_parse(rd->block, strlen(rd->block), "journal", rd->practice, report,
				  &rd->journal);
	ck_assert_msg(!rc, "%s", rc ? policy_report_line(report, 0) : "");
	policy_report_free(report);
	rd->journals++;
}

/* Asked at noon of the day that the decisions are asked about. */
static void expect_block(struct reader *rd)
{
	static const int64_t noon = INT64_C(1795262400);
	struct policy_report *report = NULL;
	struct policy_expect *e = NULL;
	char *line = NULL;
	int rc;

	ck_assert_int_eq(policy_report_new(&report), 0);
	rc = policy_expect_parse(rd->block, strlen(rd->block), "expect", report, &e);
	ck_assert_msg(!rc, "%s", rc ? policy_report_line(report, 0) : "");
	for (size_t i = 0; i < policy_expect_count(e); i++, rd->expectations++) {
		const char *journal = policy_expect_at(e, i)->journal;

		ck_assert(!journal || !strcmp(journal, policy_journal_name(rd->journal)));
		ck_assert_int_eq(
			policy_expect_judge(e, i, rd->practice, rd->journal, noon, &line), 0);
		ck_assert_msg(!line, "%s", line);
	}
	policy_expect_free(e);
	policy_report_free(report);
}

static uint32_t rights_of(char *text)
{
	uint32_t rights = 0;
	char *save = NULL;

	if (!strcmp(text, "-"))
		return 0;
	for (char *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		unsigned i;

		for (i = 0; i < POLICY_RIGHT_COUNT; i++)
			if (!strcmp(word, policy_right_names[i]))
				break;
		ck_assert_msg(i < POLICY_RIGHT_COUNT, "right %s", word);
		rights |= 1u << i;
	}
	return rights;
}

static void decision_line(struct reader *rd, const char *line)
{
	char who[65], rights[65], date[24], answer[16], text[256], got[256];
	struct policy_question q = {.practice = rd->practice, .journal = rd->journal, .who = who};
	struct policy_verdict v;
	int64_t minute;
	bool day;

	ck_assert_int_eq(
		sscanf(line, "%64s %64s %23s %15s %255[^\n]", who, rights, date, answer, text), 5);
	ck_assert(policy_span_time(date, &minute, &day));
	q.rights = rights_of(rights);
	q.now_s = policy_span_time_seconds(minute) + (day ? 12 * 3600 : 0);
	policy_decide(&q, &v);
	policy_verdict_text(&q, &v, got, sizeof(got));
	ck_assert_msg(!strcmp(got, text), "\"%s\": got \"%s\"", line, got);
	if (q.rights)
		ck_assert_str_eq(v.answer == POLICY_ALLOW ? "allow" : "deny", answer);
	else
		ck_assert_str_eq(v.visible ? "seen" : "hidden", answer);
	rd->decisions++;
}

static void line_read(struct reader *rd, const char *line)
{
	if (strncmp(line, "```", 3)) {
		if (!strcmp(rd->kind, "decision"))
			decision_line(rd, line);
		else if (rd->kind[0])
			strncat(rd->block, line, sizeof(rd->block) - strlen(rd->block) - 1);
		return;
	}
	if (!rd->kind[0]) {
		ck_assert_int_eq(sscanf(line, "```%63s", rd->kind), 1);
		rd->block[0] = '\0';
		return;
	}
	if (!strcmp(rd->kind, "practice"))
		practice_block(rd);
	else if (!strcmp(rd->kind, "journal"))
		journal_block(rd);
	else if (!strcmp(rd->kind, "expect"))
		expect_block(rd);
	rd->kind[0] = '\0';
}

START_TEST(language_document_examples_hold)
{
	struct reader rd = {.practice = NULL};
	FILE *f = document_open();
	char line[4096];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		line_read(&rd, line);
	fclose(f);
	ck_assert_uint_eq(rd.practices, 3);
	ck_assert_uint_eq(rd.journals, 8);
	ck_assert_uint_ge(rd.decisions, 42);
	ck_assert_uint_eq(rd.expectations, 7);
	policy_journal_put(rd.journal);
	policy_practice_put(rd.practice);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_language");
	TCase *t = tcase_create("document");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, language_document_examples_hold);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
