/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations, dates and times, compared with the C library's calendar; names and their neighbors;
 * UTF-8.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/names.h"
#include "policy/span.h"
#include "policy/utf8.h"

START_TEST(date_of_every_day_agrees_with_the_library)
{
	char text[16], back[24];
	struct tm tm;
	time_t t;
	int32_t got;

	/* 1900-01-01 to 2200-01-01. */
	for (int32_t day = -25567; day < 84006; day++) {
		t = (time_t)day * POLICY_DAY_S;
		ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
		strftime(text, sizeof(text), "%Y-%m-%d", &tm);
		ck_assert(policy_span_date(text, &got));
		ck_assert_int_eq(got, day);
		policy_span_date_text(day, back);
		ck_assert_str_eq(back, text);
	}
}
END_TEST

START_TEST(date_that_does_not_exist_is_refused)
{
	static const char *const bad[] = {
		"",	      "2026",	    "2026-1-01",  "2026-01-1",	"2026-01-00", "2026-00-01",
		"2026-13-01", "2026-01-32", "2026-02-29", "2100-02-29", "2026-04-31", "2026-01-01x",
		"2026/01/01", "1899-12-31", "9999-01-01", "-026-01-01", "20260101"};
	int32_t day = 77;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!policy_span_date(bad[i], &day), "%s", bad[i]);
	ck_assert_int_eq(day, 77);
	ck_assert(policy_span_date("2000-02-29", &day));
	ck_assert(policy_span_date("9998-12-31", &day));
}
END_TEST

START_TEST(duration_is_a_number_and_a_unit)
{
	static const char *const bad[] = {"",	 "m",	"5",	       "0m",   "5s", "5mm",
					  "-5m", "5 m", "4294967296m", "137y", "5M"};
	uint32_t s = 77, years;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!policy_span_duration(bad[i], &s), "%s", bad[i]);
	ck_assert_uint_eq(s, 77);
	ck_assert(policy_span_duration("60m", &s) && s == 3600);
	ck_assert(policy_span_duration("1h", &s) && s == 3600);
	ck_assert(policy_span_duration("90d", &s) && s == 90u * 86400);
	ck_assert(policy_span_duration("136y", &s) && s == 136u * 365 * 86400);
	ck_assert(policy_span_years("10y", &years) && years == 10);
	ck_assert(!policy_span_years("10d", &years));
	ck_assert(!policy_span_years("0y", &years));
	ck_assert(!policy_span_years("1001y", &years));
}
END_TEST

START_TEST(minute_is_rounded_down_and_stays_in_range)
{
	ck_assert_int_eq(policy_span_minute(0), 0);
	ck_assert_int_eq(policy_span_minute(59), 0);
	ck_assert_int_eq(policy_span_minute(60), 1);
	ck_assert_int_eq(policy_span_minute(-1), -1);
	ck_assert_int_eq(policy_span_minute(-60), -1);
	ck_assert_int_eq(policy_span_minute(-61), -2);
	ck_assert_int_gt(policy_span_minute(INT64_MIN), POLICY_MINUTE_MIN);
	ck_assert_int_lt(policy_span_minute(INT64_MAX), POLICY_MINUTE_MAX);
	ck_assert_int_eq(policy_span_minute_seconds(POLICY_MINUTE_MIN), INT64_MIN);
	ck_assert_int_eq(policy_span_minute_seconds(POLICY_MINUTE_MAX), INT64_MAX);
	ck_assert_int_eq(policy_span_minute_seconds(-3), -180);
	ck_assert_int_eq(policy_span_minute_of(INT64_MAX), POLICY_MINUTE_MAX);
	ck_assert_int_eq(policy_span_minute_of(INT64_MIN), POLICY_MINUTE_MIN);
	ck_assert_int_eq(policy_span_minute_of(-7), -7);
	ck_assert_int_eq(policy_span_time_seconds(POLICY_TIME_MIN), INT64_MIN);
	ck_assert_int_eq(policy_span_time_seconds(POLICY_TIME_MAX), INT64_MAX);
	ck_assert_int_eq(policy_span_time_seconds(-2), -120);
}
END_TEST

START_TEST(time_is_read_to_the_minute)
{
	static const char *const bad[] = {"",
					  "2026-11-01T",
					  "2026-11-01T14",
					  "2026-11-01T14:03",
					  "2026-11-01T14:03z",
					  "2026-11-01t14:03Z",
					  "2026-11-01 14:03Z",
					  "2026-11-01T24:00Z",
					  "2026-11-01T23:60Z",
					  "2026-11-01T14:03ZZ",
					  "2026-11-01T14:03:00Z",
					  "2026-11-01T1:03Z",
					  "2026-02-30T00:00Z",
					  "1899-12-31T00:00Z",
					  "9999-01-01T00:00Z"};
	int64_t minute = 77;
	bool day = false;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!policy_span_time(bad[i], &minute, &day), "%s", bad[i]);
	ck_assert_int_eq(minute, 77);
	ck_assert(policy_span_time("1970-01-02", &minute, &day));
	ck_assert(day);
	ck_assert_int_eq(minute, 1440);
	ck_assert(policy_span_time("1970-01-02T00:00Z", &minute, &day));
	ck_assert(!day);
	ck_assert_int_eq(minute, 1440);
	ck_assert(policy_span_time("1969-12-31T23:59Z", &minute, &day));
	ck_assert_int_eq(minute, -1);
	ck_assert(policy_span_time("9998-12-31T23:59Z", &minute, &day));
	ck_assert_int_gt(minute, POLICY_MINUTE_MAX);
}
END_TEST

START_TEST(minute_is_written_as_it_is_read)
{
	static const int32_t minutes[] = {0,	 1,	   -1,	      1439,  1440, -1440,
					  -1441, 29664843, -36000000, 21600000};
	char text[24];
	int64_t minute;
	bool day;

	for (unsigned i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		policy_span_minute_text(minutes[i], text);
		ck_assert_uint_eq(strlen(text), 17);
		ck_assert_msg(policy_span_time(text, &minute, &day), "%s", text);
		ck_assert_int_eq(minute, minutes[i]);
		ck_assert(!day);
	}
	policy_span_minute_text(29664843, text);
	ck_assert_str_eq(text, "2026-05-27T14:03Z");
	policy_span_minute_text(POLICY_MINUTE_MAX, text);
	ck_assert_str_eq(text, "6053-01-23T02:07Z");
	policy_span_minute_text(POLICY_MINUTE_MIN, text);
	ck_assert_uint_le(strlen(text), 23);
}
END_TEST

static const char *nearest(const char *word, const char *candidate)
{
	struct policy_suggest s;

	policy_suggest_init(&s, word);
	policy_suggest_try(&s, candidate);
	return s.best;
}

START_TEST(suggestion_is_at_most_two_edits_away)
{
	char text[128], longer[80];
	struct policy_suggest s;

	ck_assert_ptr_nonnull(nearest("sesion", "session"));
	ck_assert_ptr_nonnull(nearest("sessoin", "session"));
	ck_assert_ptr_nonnull(nearest("sseion", "session"));
	ck_assert_ptr_null(nearest("sson", "session"));
	ck_assert_ptr_null(nearest("abc", "ade"));
	ck_assert_ptr_nonnull(nearest("abc", "abd"));
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_ptr_null(nearest(longer, longer));

	policy_suggest_init(&s, "nroth");
	policy_suggest_try(&s, "sorth");
	policy_suggest_try(&s, "north");
	policy_suggest_try(&s, "forth");
	ck_assert_str_eq(policy_suggest_text(&s, text), ": did you mean `north`?");
}
END_TEST

START_TEST(index_finds_what_was_put)
{
	static char names[3000][12];
	struct policy_index ix = {0};

	ck_assert_int_eq(policy_index_find(&ix, "a"), -1);
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(names[i], sizeof(names[i]), "n%u", i);
		ck_assert_int_eq(policy_index_put(&ix, names[i], i), 0);
	}
	ck_assert_int_lt(policy_index_put(&ix, "n7", 1), 0);
	for (unsigned i = 0; i < 3000; i++)
		ck_assert_int_eq(policy_index_find(&ix, names[i]), i);
	ck_assert_int_eq(policy_index_find(&ix, "n3000"), -1);
	policy_index_clear(&ix);
	ck_assert_int_eq(policy_index_find(&ix, "n7"), -1);
}
END_TEST

START_TEST(utf8_that_is_not_strict_is_refused)
{
	static const char *const bad[] = {"\x80",
					  "\xc0\x80",
					  "\xc1\xbf",
					  "\xe0\x9f\xbf",
					  "\xed\xa0\x80",
					  "\xf0\x8f\xbf\xbf",
					  "\xf4\x90\x80\x80",
					  "\xf5\x80\x80\x80",
					  "\xff",
					  "\xc3",
					  "\xe2\x82",
					  "\xf0\x9f\x98",
					  "\xc3(",
					  "\xe2(\xa1"};
	uint32_t point = 0;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_uint_eq(policy_utf8_get(bad[i], strlen(bad[i]), &point), 0);
	ck_assert_uint_eq(policy_utf8_get("", 0, &point), 0);
	ck_assert_uint_eq(policy_utf8_get("\xc3\xb8", 2, &point), 2);
	ck_assert_uint_eq(point, 0xf8);
	ck_assert_uint_eq(policy_utf8_get("\xe2\x82\xac", 3, &point), 3);
	ck_assert_uint_eq(point, 0x20ac);
	ck_assert_uint_eq(policy_utf8_get("\xf4\x8f\xbf\xbf", 4, &point), 4);
	ck_assert_uint_eq(point, 0x10ffff);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_span");
	TCase *t = tcase_create("span");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, date_of_every_day_agrees_with_the_library);
	tcase_add_test(t, date_that_does_not_exist_is_refused);
	tcase_add_test(t, duration_is_a_number_and_a_unit);
	tcase_add_test(t, minute_is_rounded_down_and_stays_in_range);
	tcase_add_test(t, time_is_read_to_the_minute);
	tcase_add_test(t, minute_is_written_as_it_is_read);
	tcase_add_test(t, suggestion_is_at_most_two_edits_away);
	tcase_add_test(t, index_finds_what_was_put);
	tcase_add_test(t, utf8_that_is_not_strict_is_refused);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
