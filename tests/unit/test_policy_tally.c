/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of a report: what counts as an access, in which hour and day, on what basis, and how
 * emergency accesses stand.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/tally.h"

#define S INT64_C(1000000000)
#define MONDAY (INT64_C(1767571200) * S) /* 2026-01-05 00:00 UTC */
#define HOUR (3600 * S)
#define DAY (24 * HOUR)

static struct policy_tally *tally;
static uint64_t seq;

static void begin(const struct policy_tally_settings *set)
{
	seq = 0;
	ck_assert_int_eq(policy_tally_new(set, &tally), 0);
}

static void begin_plain(void)
{
	const struct policy_tally_settings set = {.now_ns = MONDAY + 400 * DAY};

	begin(&set);
}

static struct policy_record at(int kind, int64_t time_ns, unsigned person, unsigned journal)
{
	struct policy_record r;

	policy_record_init(&r, (enum policy_record_kind)kind);
	r.seq = ++seq;
	r.time_ns = time_ns;
	r.practitioner = person;
	r.journal = journal;
	if (person)
		snprintf(r.who, sizeof(r.who), "p%u", person);
	if (journal)
		snprintf(r.journal_name, sizeof(r.journal_name), "j%u", journal);
	return r;
}

static void add(const struct policy_record *r)
{
	ck_assert_int_eq(policy_tally_add(tally, r), 0);
}

static void put(int kind, int64_t time_ns, unsigned person, unsigned journal, const char *rule)
{
	struct policy_record r = at(kind, time_ns, person, journal);

	policy_record_copy(r.rule, sizeof(r.rule), rule);
	add(&r);
}

static void put_close(int64_t time_ns, unsigned person, unsigned journal)
{
	struct policy_record r = at(POLICY_RECORD_CLOSE, time_ns, person, journal);

	r.bytes_written = 100;
	add(&r);
}

static void put_grant(int kind, int64_t time_ns, unsigned number, const char *detail)
{
	struct policy_record r = at(kind, time_ns, 3, 8);

	r.grant = number;
	r.until_ns = time_ns + HOUR;
	policy_record_copy(r.detail, sizeof(r.detail), detail);
	policy_record_copy(r.reason, sizeof(r.reason), "why");
	add(&r);
}

START_TEST(accesses_are_counted_by_person_journal_and_basis)
{
	const struct policy_tally_view *v;

	begin_plain();
	put(POLICY_RECORD_OPEN, MONDAY, 1, 5, "allow user:p1:r (line 3)");
	put(POLICY_RECORD_OPEN, MONDAY, 1, 6, "attend until later");
	put(POLICY_RECORD_WRITE, MONDAY, 1, 5, "allow unit:north:rw");
	put(POLICY_RECORD_LIST, MONDAY, 1, 5, "allow user:p1:r");
	put(POLICY_RECORD_OPEN, MONDAY, 2, 5, "default unit");
	put(POLICY_RECORD_OPEN, MONDAY, 2, 5, "");
	put(POLICY_RECORD_LOGIN, MONDAY, 2, 0, "");
	put_close(MONDAY, 2, 5);
	put(POLICY_RECORD_REFUSED, MONDAY, 2, 6, "no rule");
	v = policy_tally_finish(tally);
	ck_assert_uint_eq(v->records, 9);
	ck_assert_uint_eq(v->reads, 4);
	ck_assert_uint_eq(v->writes, 1);
	ck_assert_uint_eq(v->looks, 1);
	ck_assert_uint_eq(v->refused, 1);
	ck_assert_uint_eq(v->logins, 1);
	ck_assert_uint_eq(v->basis[POLICY_TALLY_OWN], 2);
	ck_assert_uint_eq(v->basis[POLICY_TALLY_SHARED], 2);
	ck_assert_uint_eq(v->basis[POLICY_TALLY_NOT_SAID], 1);
	ck_assert_uint_eq(v->people_count, 2);
	ck_assert_str_eq(v->people[0].who, "p1");
	ck_assert_uint_eq(v->people[0].reads, 2);
	ck_assert_uint_eq(v->people[0].journals, 2);
	ck_assert_uint_eq(v->people[1].journals, 1);
	ck_assert_uint_eq(v->people[1].refused, 1);
	ck_assert_str_eq(v->journals[0].name, "j5");
	ck_assert_uint_eq(v->journals[0].people, 2);
	ck_assert_uint_eq(v->journals[1].refused, 1);
	policy_tally_free(tally);
}
END_TEST

static int32_t two_hours_east(void *ctx, int64_t time_s)
{
	(void)ctx;
	(void)time_s;
	return 7200;
}

START_TEST(hours_and_days_are_local)
{
	struct policy_tally_settings set = {.offset_s = two_hours_east};
	const struct policy_tally_view *v;

	begin(&set);
	put(POLICY_RECORD_OPEN, MONDAY - HOUR, 1, 5, "");      /* Monday 01:00 there */
	put(POLICY_RECORD_OPEN, MONDAY - 3 * HOUR, 1, 5, "");  /* Sunday 23:00 */
	put(POLICY_RECORD_OPEN, MONDAY + 21 * HOUR, 1, 5, ""); /* Monday 23:00 */
	v = policy_tally_finish(tally);
	ck_assert_uint_eq(v->hours[0][1], 1);
	ck_assert_uint_eq(v->hours[6][23], 1);
	ck_assert_uint_eq(v->hours[0][23], 1);
	ck_assert_uint_eq(v->day_count, 2);
	ck_assert_int_eq(v->days[0].day, MONDAY / DAY - 1);
	ck_assert_uint_eq(v->days[0].accesses, 1);
	ck_assert_uint_eq(v->days[1].accesses, 2);
	policy_tally_free(tally);
}
END_TEST

START_TEST(times_before_1970_fall_into_a_day)
{
	const struct policy_tally_view *v;

	begin(&(const struct policy_tally_settings){.since_ns = INT64_MIN});
	put(POLICY_RECORD_OPEN, -1, 1, 5, "");
	v = policy_tally_finish(tally);
	ck_assert_uint_eq(v->hours[2][23], 1); /* Wednesday 1969-12-31 */
	ck_assert_int_eq(v->days[0].day, -1);
	policy_tally_free(tally);
}
END_TEST

START_TEST(what_is_outside_the_period_is_not_counted)
{
	const struct policy_tally_settings set = {.since_ns = MONDAY, .until_ns = MONDAY + DAY};
	const struct policy_tally_view *v;

	begin(&set);
	put(POLICY_RECORD_OPEN, MONDAY - 1, 1, 5, "");
	put(POLICY_RECORD_OPEN, MONDAY, 1, 5, "");
	put(POLICY_RECORD_OPEN, MONDAY + DAY - 1, 1, 5, "");
	put(POLICY_RECORD_OPEN, MONDAY + DAY, 1, 5, "");
	v = policy_tally_finish(tally);
	ck_assert_uint_eq(v->records, 2);
	ck_assert_uint_eq(v->first_seq, 2);
	ck_assert_uint_eq(v->last_seq, 3);
	ck_assert_int_eq(v->first_ns, MONDAY);
	policy_tally_free(tally);
}
END_TEST

START_TEST(grants_stand_where_the_log_says)
{
	static const enum policy_tally_state want[] = {
		POLICY_TALLY_JUSTIFIED, POLICY_TALLY_UNJUSTIFIED, POLICY_TALLY_SETTLED,
		POLICY_TALLY_OVERDUE,	POLICY_TALLY_PENDING,	  POLICY_TALLY_OPEN};
	const struct policy_tally_settings set = {
		.since_ns = MONDAY, .until_ns = MONDAY + 10 * DAY, .now_ns = MONDAY + 10 * DAY};
	const struct policy_tally_view *v;

	begin(&set);
	put_grant(POLICY_RECORD_BREAK_GLASS, MONDAY - DAY, 1, "before");
	for (unsigned i = 2; i <= 5; i++)
		put_grant(POLICY_RECORD_BREAK_GLASS, MONDAY, i, "danger to life or health");
	put_grant(POLICY_RECORD_OPEN, MONDAY + 1, 2, "");
	put_grant(POLICY_RECORD_WRITE, MONDAY + 2, 2, "");
	put_grant(POLICY_RECORD_BREAK_GLASS_END, MONDAY + HOUR, 2, "its time is over");
	put_grant(POLICY_RECORD_BREAK_GLASS, MONDAY + 9 * DAY, 6, "");
	put_grant(POLICY_RECORD_BREAK_GLASS, MONDAY + 10 * DAY - 1, 7, "");
	/* Judged after the period, and by words in a name that are none. */
	put_grant(POLICY_RECORD_GRANT_REVIEW, MONDAY + 11 * DAY, 2,
		  "emergency access of x: UNJUSTIFIED, deviation 3: justified");
	put_grant(POLICY_RECORD_GRANT_REVIEW, MONDAY + 11 * DAY, 3,
		  "emergency access of x: UNJUSTIFIED, deviation 3");
	put_grant(POLICY_RECORD_GRANT_REVIEW, MONDAY + 11 * DAY, 4,
		  "emergency access of x: UNJUSTIFIED, deviation 4");
	put_grant(POLICY_RECORD_GRANT_REVIEW, MONDAY + 12 * DAY, 4,
		  "emergency access of x:  deviation 4 is closed");
	put_grant(POLICY_RECORD_GRANT_REVIEW, MONDAY + 12 * DAY, 5, "says nothing");
	v = policy_tally_finish(tally);
	ck_assert_uint_eq(v->grant_count, 6);
	for (size_t i = 0; i < 6; i++) {
		ck_assert_uint_eq(v->grants[i].number, i + 2);
		ck_assert_msg(v->grants[i].state == want[i], "grant %zu is %s", i + 2,
			      policy_tally_state_text(v->grants[i].state));
		ck_assert_uint_eq(v->grants_at[want[i]], 1);
	}
	ck_assert_uint_eq(v->grants[0].acts, 2);
	ck_assert_str_eq(v->grants[0].ended, "its time is over");
	ck_assert_str_eq(v->grants[0].ground, "danger to life or health");
	ck_assert_str_eq(v->grants[1].reviewer, "p3");
	policy_tally_free(tally);
}
END_TEST

START_TEST(refusals_are_gathered_by_pair_most_first)
{
	const struct policy_tally_view *v;

	begin_plain();
	put(POLICY_RECORD_REFUSED, MONDAY, 1, 5, "one");
	for (int i = 0; i < 3; i++)
		put(POLICY_RECORD_REFUSED, MONDAY + i, 2, 6, i ? "last" : "first");
	put(POLICY_RECORD_REFUSED, MONDAY, 0, 0, "nobody");
	v = policy_tally_finish(tally);
	ck_assert_uint_eq(v->refused, 5);
	ck_assert_uint_eq(v->refusal_count, 3);
	ck_assert_uint_eq(v->refusals[0].count, 3);
	ck_assert_str_eq(v->refusals[0].who, "p2");
	ck_assert_str_eq(v->refusals[0].why, "last");
	ck_assert_int_eq(v->refusals[0].last_ns, MONDAY + 2);
	ck_assert_uint_eq(v->people_count, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(v->people[i].refused_at, 1);
		ck_assert_str_eq(v->people[i].refused_why,
				 v->people[i].practitioner == 2 ? "last" : "one");
	}
	policy_tally_free(tally);
}
END_TEST

START_TEST(events_kept_are_bounded_but_all_are_counted)
{
	const struct policy_tally_view *v;

	begin_plain();
	for (int i = 0; i < POLICY_TALLY_EVENTS + 50; i++)
		put(POLICY_RECORD_ALARM, MONDAY, 0, 0, "");
	v = policy_tally_finish(tally);
	ck_assert_uint_eq(v->alarm_count, POLICY_TALLY_EVENTS);
	ck_assert_uint_eq(v->alarms, POLICY_TALLY_EVENTS + 50);
	policy_tally_free(tally);
}
END_TEST

/* A made log: every sum is the same whichever way it is taken. */
START_TEST(sums_agree_over_people_hours_days_and_journals)
{
	const struct policy_tally_view *v;
	uint64_t people = 0, journals = 0, hours = 0, days = 0, met = 0, seen = 0, all;
	static uint8_t pair[30][500];

	begin_plain();
	srand(7);
	for (int i = 0; i < 20000; i++) {
		static const int kinds[] = {POLICY_RECORD_OPEN, POLICY_RECORD_WRITE,
					    POLICY_RECORD_LIST, POLICY_RECORD_REFUSED};
		int kind = kinds[rand() % 4];
		unsigned p = 1 + (unsigned)rand() % 29, j = 1 + (unsigned)rand() % 499;

		put(kind, MONDAY + (rand() % 400) * DAY + (rand() % 24) * HOUR, p, j, "default x");
		if (kind == POLICY_RECORD_OPEN || kind == POLICY_RECORD_WRITE) {
			met += !pair[p][j];
			pair[p][j] = 1;
		}
	}
	v = policy_tally_finish(tally);
	all = v->reads + v->writes;
	for (size_t i = 0; i < v->people_count; i++) {
		people += v->people[i].reads + v->people[i].writes;
		seen += v->people[i].journals;
		if (i)
			ck_assert_uint_le(v->people[i].reads + v->people[i].writes,
					  v->people[i - 1].reads + v->people[i - 1].writes);
	}
	ck_assert_uint_eq(seen, met);
	for (size_t i = 0; i < v->journal_count; i++) {
		journals += v->journals[i].reads + v->journals[i].writes;
		seen -= v->journals[i].people;
	}
	ck_assert_uint_eq(seen, 0);
	for (int d = 0; d < 7; d++)
		for (int h = 0; h < 24; h++)
			hours += v->hours[d][h];
	for (size_t i = 0; i < v->day_count; i++) {
		days += v->days[i].accesses;
		ck_assert(!i || v->days[i].day > v->days[i - 1].day);
	}
	ck_assert_uint_eq(people, all);
	ck_assert_uint_eq(journals, all);
	ck_assert_uint_eq(hours, all);
	ck_assert_uint_eq(days, all);
	ck_assert_uint_eq(v->basis[POLICY_TALLY_SHARED], all);
	policy_tally_free(tally);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_tally");
	TCase *t = tcase_create("numbers");
	SRunner *sr;
	int failed;

	tcase_add_test(t, accesses_are_counted_by_person_journal_and_basis);
	tcase_add_test(t, hours_and_days_are_local);
	tcase_add_test(t, times_before_1970_fall_into_a_day);
	tcase_add_test(t, what_is_outside_the_period_is_not_counted);
	tcase_add_test(t, grants_stand_where_the_log_says);
	tcase_add_test(t, refusals_are_gathered_by_pair_most_first);
	tcase_add_test(t, events_kept_are_bounded_but_all_are_counted);
	tcase_add_test(t, sums_agree_over_people_hours_days_and_journals);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
