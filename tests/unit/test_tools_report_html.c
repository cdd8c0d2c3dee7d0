/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as a page: well formed, closed to the outside, names escaped, numbers those of the
 * tally. With JOURNALFS_REPORT_PAGE the page of the made year is left there, to be looked at.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "html_check.h"
#include "test_report_year.h"
#include "tools/report_html.h"
#include "tools/tool.h"

/* main.c's, which tests do not link. */
int tools_fail(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_FAILED;
}
int tools_usage(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_USAGE;
}

static struct policy_tally *tally;
static struct policy_unusual *unusual;
static struct report_integrity integrity;
static struct report_html report;
static char *page;
static size_t page_len;

static int32_t one_hour_east(void *ctx, int64_t time_s)
{
	(void)ctx;
	(void)time_s;
	return 3600;
}

static int add(void *ctx, const struct policy_record *r)
{
	int rc = policy_tally_add(tally, r);

	(void)ctx;
	return rc ? rc : policy_unusual_add(unusual, r);
}

static void begin(void)
{
	const struct policy_tally_settings set = {.now_ns = YEAR_NS +
							    YEAR_DAYS * INT64_C(86400) * 1000000000,
						  .offset_s = one_hour_east};
	const struct policy_unusual_settings how = {.offset_s = one_hour_east};

	setenv("TZ", "UTC-1", 1);
	tzset();
	ck_assert_int_eq(policy_tally_new(&set, &tally), 0);
	ck_assert_int_eq(policy_unusual_new(&how, &unusual), 0);
	memset(&integrity, 0, sizeof(integrity));
}

static void make(void)
{
	report = (struct report_html){.tally = policy_tally_finish(tally),
				      .integrity = &integrity,
				      .made_ns = YEAR_NS + YEAR_DAYS * INT64_C(86400) * 1000000000,
				      .practice = "Klinik Nord " YEAR_HOSTILE,
				      .by = "auditor " YEAR_HOSTILE,
				      .host = "clinic",
				      .source = "the daemon",
				      .review_h = 72,
				      .hours_known = true};
	ck_assert_int_eq(policy_unusual_finish(unusual, &report.findings, &report.finding_count),
			 0);
	integrity.verified.records = integrity.verified.sealed = report.tally->last_seq;
	integrity.verified.checkpoints = 412;
	integrity.verified.segments = 6;
	strcpy(integrity.verified.checkpoint,
	       "journalfs/log/5c1f7f0e6a0b4d5e9d516a6f75726e66\n41213\n"
	       "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n");
}

static void print(void)
{
	FILE *to = open_memstream(&page, &page_len);

	tools_report_html(to, &report);
	fclose(to);
}

static void end(void)
{
	policy_tally_free(tally);
	policy_unusual_free(unusual);
	free(page);
	page = NULL;
}

static int times(const char *what)
{
	int n = 0;

	for (const char *p = page; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static void ck_sound(void)
{
	static struct html_check c;
	bool sound = html_check(&c, page);

	ck_assert_msg(sound, "%s", c.why);
}

/* <b><data value="N">..</data></b> <span>WHAT</span> */
static void ck_tile(const char *what, uint64_t n)
{
	char begins[64], tail[200];
	const char *p;
	bool found = false;

	snprintf(begins, sizeof(begins), "<li><b><data value=\"%llu\">", (unsigned long long)n);
	snprintf(tail, sizeof(tail), "</data></b> <span>%s</span>", what);
	for (p = page; !found && (p = strstr(p, begins)); p++) {
		const char *q = strstr(p, "</data>");

		found = q && !strncmp(q, tail, strlen(tail));
	}
	ck_assert_msg(found, "no tile \"%s\" of %llu", what, (unsigned long long)n);
}

START_TEST(year_is_a_sound_page_with_the_numbers_of_the_tally)
{
	const struct policy_tally_view *v;
	const char *leave = getenv("JOURNALFS_REPORT_PAGE");
	char text[200];

	begin();
	ck_assert_int_eq(year_walk(add, NULL), 0);
	make();
	print();
	v = report.tally;
	ck_sound();
	ck_tile("accesses", v->reads + v->writes);
	ck_tile("people", 25);
	ck_tile("refusals", v->refused);
	ck_tile("emergency accesses", v->grant_count);
	ck_tile("alarms", 2);
	ck_tile("to ask about", report.finding_count);
	ck_assert_uint_gt(v->grants_at[POLICY_TALLY_JUSTIFIED], 0);
	ck_assert_int_eq(times("<span class=\"tag good\">justified</span>"),
			 (int)v->grants_at[POLICY_TALLY_JUSTIFIED]);
	ck_assert_int_eq(times("<span class=\"tag bad\">unjustified</span>"),
			 (int)v->grants_at[POLICY_TALLY_UNJUSTIFIED]);
	ck_assert_int_eq(times("<span class=\"tag bad\">review overdue</span>"),
			 (int)v->grants_at[POLICY_TALLY_OVERDUE]);
	for (int d = 0; d < 7; d++) {
		for (int h = 0; h < 24; h++) {
			static const char *const days[] = {"Monday",   "Tuesday", "Wednesday",
							   "Thursday", "Friday",  "Saturday",
							   "Sunday"};

			snprintf(text, sizeof(text), "<title>%s %02d to %02d: %llu</title>",
				 days[d], h, h + 1, (unsigned long long)v->hours[d][h]);
			ck_assert_msg(strstr(page, text) != NULL, "%s", text);
		}
	}
	ck_assert_ptr_nonnull(strstr(page, "The log is whole."));
	if (leave) {
		FILE *f = fopen(leave, "w");

		ck_assert_ptr_nonnull(f);
		fwrite(page, 1, page_len, f);
		fclose(f);
	}
	end();
}
END_TEST

START_TEST(hostile_names_are_text_everywhere)
{
	begin();
	ck_assert_int_eq(year_walk(add, NULL), 0);
	make();
	strcpy(integrity.findings[0].text, YEAR_HOSTILE);
	integrity.finding_count = 1;
	print();
	ck_sound();
	ck_assert_int_eq(times("<script"), 0);
	ck_assert_int_eq(times("\033"), 0);
	ck_assert_int_eq(times("\xe2\x80\xae"), 0);
	ck_assert_int_eq(times("<p class=\"facts\">Klinik Nord "), 1);
	/* The practice, a person, a journal, a reason, an alarm, the maker, a finding of the
	 * verification. */
	ck_assert_int_ge(times("&lt;script&gt;alert(1)&lt;/"
			       "script&gt;\\x1b[2J&quot;&#39;&amp;\\xe2\\x80\\xae"),
			 7);
	end();
}
END_TEST

START_TEST(empty_log_is_a_sound_page)
{
	begin();
	make();
	report.integrity = NULL;
	print();
	ck_sound();
	ck_tile("accesses", 0);
	ck_assert_ptr_nonnull(strstr(page, "could not be checked"));
	ck_assert_ptr_nonnull(strstr(page, "Nobody used emergency access"));
	ck_assert_ptr_nonnull(strstr(page, "Nothing was refused"));
	ck_assert_ptr_nonnull(strstr(page, "no records"));
	end();
}
END_TEST

START_TEST(damage_stands_first_and_what_was_found_is_told)
{
	begin();
	ck_assert_int_eq(year_walk(add, NULL), 0);
	make();
	integrity.verified.alarms = 2;
	strcpy(integrity.findings[0].text, "record 77 was changed");
	integrity.findings[0].alarm = true;
	integrity.finding_count = 20;
	for (size_t i = 1; i < 20; i++)
		strcpy(integrity.findings[i].text, "a note");
	integrity.verified.notes = 30;
	report.unread = 5;
	print();
	ck_sound();
	ck_assert_ptr_nonnull(strstr(page, "The log is not whole: 2 alarms."));
	ck_assert_ptr_null(strstr(page, "The log is whole."));
	ck_assert_ptr_nonnull(strstr(page, "record 77 was changed"));
	ck_assert_int_eq(times("a note</li>"), 6);
	ck_assert_ptr_nonnull(strstr(page, "25 more are told by"));
	ck_assert_ptr_nonnull(strstr(page, "records or stretches that could not be read"));
	end();
	begin();
	make();
	integrity.rc = -EIO;
	print();
	ck_assert_ptr_null(strstr(page, "The log is whole."));
	end();
}
END_TEST

START_TEST(one_day_and_ten_years_are_drawn)
{
	static const int spans[] = {0, 1, 92, 93, 799, 800, 3650};

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		struct policy_record r;

		begin();
		policy_record_init(&r, POLICY_RECORD_OPEN);
		r.practitioner = r.journal = 1;
		r.seq = 1;
		r.time_ns = YEAR_NS;
		ck_assert_int_eq(add(NULL, &r), 0);
		r.seq = 2;
		r.time_ns += spans[i] * INT64_C(86400) * 1000000000;
		ck_assert_int_eq(add(NULL, &r), 0);
		make();
		print();
		ck_sound();
		ck_assert_int_ge(times("class=\"bar\""), spans[i] ? 2 : 1);
		ck_assert_int_eq(times("nan"), 0);
		end();
	}
}
END_TEST

START_TEST(clock_that_was_centuries_off_draws_no_timeline)
{
	struct policy_record r;

	begin();
	policy_record_init(&r, POLICY_RECORD_OPEN);
	r.practitioner = r.journal = 1;
	r.time_ns = 1;
	ck_assert_int_eq(add(NULL, &r), 0);
	r.time_ns = INT64_MAX;
	ck_assert_int_eq(add(NULL, &r), 0);
	make();
	print();
	ck_sound();
	end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/report_html");
	TCase *t = tcase_create("page");
	SRunner *sr;
	int failed;

	tcase_add_test(t, year_is_a_sound_page_with_the_numbers_of_the_tally);
	tcase_add_test(t, hostile_names_are_text_everywhere);
	tcase_add_test(t, empty_log_is_a_sound_page);
	tcase_add_test(t, damage_stands_first_and_what_was_found_is_told);
	tcase_add_test(t, one_day_and_ten_years_are_drawn);
	tcase_add_test(t, clock_that_was_centuries_off_draws_no_timeline);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
