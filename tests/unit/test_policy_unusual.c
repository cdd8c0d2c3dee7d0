/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_unusual.c - each reason alone: what it fires on, and the innocent twin
 * that it leaves out.
 */
#include <stdlib.h>

#include "policy/practice.h"
#include "policy/unusual.h"
#include "test_policy_log.h"

struct found {
	const struct policy_finding *f;
	size_t n;
	struct policy_unusual *u;
	struct policy_practice *practice;
};

static const char practice_text[] = "role nurse clinical may list read write policy audit\n"
				    "unit north \"N\"\n"
				    "practitioner p1 user p1 role nurse unit north\n"
				    "practitioner p2 user p2 role nurse unit north\n";

static void begin(struct found *x, const char *more)
{
	struct policy_unusual_settings set = {.offset_s = NULL};
	char text[2048];

	*x = (struct found){0};
	if (more) {
		snprintf(text, sizeof(text), "%s%s", practice_text, more);
		ck_assert_int_eq(policy_practice_parse(text, strlen(text), "p", NULL, &x->practice),
				 0);
	}
	set.practice = x->practice;
	ck_assert_int_eq(policy_unusual_new(&set, &x->u), 0);
}

static void add(struct found *x, const struct policy_record *r)
{
	ck_assert_int_eq(policy_unusual_add(x->u, r), 0);
}

static void act(struct found *x, enum policy_record_kind kind, unsigned who, unsigned journal,
		int64_t at_ns)
{
	struct policy_record r = t_record(kind, who, journal, at_ns);

	add(x, &r);
}

static void finish(struct found *x)
{
	ck_assert_int_eq(policy_unusual_finish(x->u, &x->f, &x->n), 0);
	for (size_t i = 1; i < x->n; i++)
		ck_assert_uint_ge(x->f[i - 1].score, x->f[i].score);
	for (size_t i = 0; i < x->n; i++) {
		ck_assert_uint_ge(x->f[i].score, 1);
		ck_assert_uint_le(x->f[i].score, 1000);
		ck_assert(x->f[i].text[0] && x->f[i].count && x->f[i].first_seq);
		ck_assert_int_le(x->f[i].first_ns, x->f[i].last_ns);
	}
}

static void end(struct found *x)
{
	policy_unusual_free(x->u);
	policy_practice_put(x->practice);
}

/* The first finding for that reason about this person; 0: anybody. */
static const struct policy_finding *of(const struct found *x, enum policy_unusual_reason reason,
				       unsigned who)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->f[i].reason == reason && (!who || x->f[i].practitioner == who))
			return &x->f[i];
	return NULL;
}

static void only(struct found *x, enum policy_unusual_reason reason, unsigned who)
{
	finish(x);
	ck_assert_msg(of(x, reason, who) != NULL, "no %s", policy_unusual_reason_text(reason));
	for (size_t i = 0; i < x->n; i++)
		ck_assert_msg(x->f[i].reason == reason && x->f[i].practitioner == who, "%s: %s",
			      policy_unusual_reason_text(x->f[i].reason), x->f[i].text);
	end(x);
}

static void nothing(struct found *x)
{
	finish(x);
	ck_assert_msg(!x->n, "%s %s: %s", x->f[0].who, policy_unusual_reason_text(x->f[0].reason),
		      x->f[0].text);
	end(x);
}

/* A visit: read, written, closed. */
static void visit(struct found *x, unsigned who, unsigned journal, int64_t at)
{
	act(x, POLICY_RECORD_OPEN, who, journal, at);
	act(x, POLICY_RECORD_WRITE, who, journal, at + 120 * T_NS);
	act(x, POLICY_RECORD_FINAL, who, journal, at + 300 * T_NS);
}

/* Weekdays of four nurses, ten patients each a day from 8 to 13, over some weeks. */
static void weeks(struct found *x, int from, int until)
{
	for (int day = from; day < until; day++)
		for (int n = 0; day % 7 < 5 && n < 40; n++)
			visit(x, 1 + (unsigned)n % 4, 10 + (unsigned)(day * 7 + n) % 200,
			      t_at(day, 8 + n / 8, n % 8 * 7));
}

/* A nurse who reads what is not hers, and after each reading leaves such a trace. */
static bool snooping_found(enum policy_record_kind kind, const char *name)
{
	struct found x;
	bool is;

	begin(&x, NULL);
	weeks(&x, 0, 56);
	for (unsigned n = 0; n < 30; n++) {
		struct policy_record r =
			t_record(kind, 2, 900 + n, t_at(57, 9, (int)n * 11) + T_NS);

		act(&x, POLICY_RECORD_OPEN, 2, 900 + n, t_at(57, 9, (int)n * 11));
		snprintf(r.name, sizeof(r.name), "%s", name);
		add(&x, &r);
	}
	weeks(&x, 57, 90);
	finish(&x);
	is = of(&x, POLICY_UNUSUAL_NO_RELATIONSHIP, 2) != NULL;
	end(&x);
	return is;
}

START_TEST(unusual_traces_of_programs_explain_nothing)
{
	ck_assert(snooping_found(POLICY_RECORD_LIST, ""));
	ck_assert(snooping_found(POLICY_RECORD_ATTRIBUTE, "note.txt"));
	ck_assert(snooping_found(POLICY_RECORD_CREATE, ".~lock.note.odt#"));
	ck_assert(snooping_found(POLICY_RECORD_DELETE, "~$note.docx"));
	ck_assert(!snooping_found(POLICY_RECORD_FINAL, "note.txt"));
}
END_TEST

START_TEST(unusual_ordinary_weeks_are_nothing)
{
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 60);
	nothing(&x);
}
END_TEST

START_TEST(unusual_reading_without_relationship_fires)
{
	const struct policy_finding *f;
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 60);
	for (unsigned n = 0; n < 8; n++)
		act(&x, POLICY_RECORD_OPEN, 2, 900 + n, t_at(60 + (int)n, 12, 30));
	weeks(&x, 70, 80);
	finish(&x);
	f = of(&x, POLICY_UNUSUAL_NO_RELATIONSHIP, 2);
	ck_assert_ptr_nonnull(f);
	ck_assert(!f->journal[0] && f->count == 8);
	ck_assert_ptr_null(of(&x, POLICY_UNUSUAL_NO_RELATIONSHIP, 1));
	ck_assert_ptr_null(of(&x, POLICY_UNUSUAL_NO_RELATIONSHIP, 3));
	end(&x);
}
END_TEST

/* The same readings, each explained in another way. */
START_TEST(unusual_explained_reading_is_left_out)
{
	struct policy_record r;
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 60);
	/* Colleagues wrote on the day before. */
	for (unsigned n = 0; n < 8; n++)
		visit(&x, 3, 900 + n, t_at(63, 10, (int)n * 7));
	for (unsigned n = 0; n < 8; n++)
		act(&x, POLICY_RECORD_OPEN, 2, 900 + n, t_at(64, 12, (int)n * 7));
	/* They, or the reader, write two days later. */
	for (unsigned n = 0; n < 8; n++)
		act(&x, POLICY_RECORD_OPEN, 2, 920 + n, t_at(70, 8, (int)n * 9));
	for (unsigned n = 0; n < 8; n++)
		visit(&x, n % 2 ? 2 : 3, 920 + n, t_at(72, 9, (int)n * 7));
	/* An entry of the reader's own. */
	for (unsigned n = 0; n < 8; n++) {
		r = t_record(POLICY_RECORD_OPEN, 2, 940 + n, t_at(77, 8, (int)n * 9));
		strcpy(r.rule, "allow user:p2:rwx (line 3)");
		add(&x, &r);
	}
	/* A stated relationship: before, and an hour after. */
	for (unsigned n = 0; n < 8; n++) {
		r = t_record(POLICY_RECORD_ATTEND, 2, 960 + n,
			     t_at(78, n % 2 ? 8 : 10, (int)n * 7));
		r.until_ns = r.time_ns + 86400 * T_NS;
		if (n % 2)
			add(&x, &r);
		act(&x, POLICY_RECORD_OPEN, 2, 960 + n, t_at(78, 9, (int)n * 7));
	}
	for (unsigned n = 0; n < 8; n += 2) {
		r = t_record(POLICY_RECORD_ATTEND, 2, 960 + n, t_at(78, 10, (int)n * 7));
		r.until_ns = r.time_ns + 86400 * T_NS;
		add(&x, &r);
	}
	/* Emergency access, and a journal made this week. */
	for (unsigned n = 0; n < 4; n++) {
		r = t_record(POLICY_RECORD_OPEN, 2, 980 + n, t_at(79, 9, (int)n * 9));
		r.grant = 5 + n;
		add(&x, &r);
		act(&x, POLICY_RECORD_JOURNAL, 4, 990 + n, t_at(79, 10, (int)n * 9));
		act(&x, POLICY_RECORD_OPEN, 2, 990 + n, t_at(80, 10, (int)n * 9));
	}
	weeks(&x, 84, 90);
	nothing(&x);
}
END_TEST

/* One journal once by mistake is not worth a question; strange in two ways it is. */
START_TEST(unusual_single_journal_needs_more_than_chance)
{
	const struct policy_finding *f;
	struct policy_record r;
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 40);
	visit(&x, 3, 900, t_at(40, 9, 0));
	weeks(&x, 41, 60);
	act(&x, POLICY_RECORD_OPEN, 2, 900, t_at(60, 10, 0));
	weeks(&x, 63, 70);
	nothing(&x);

	begin(&x, "hours mon-fri 07:00-17:00\n");
	r = t_record(POLICY_RECORD_WRITE, 9, 900, t_at(0, 7, 0));
	strcpy(r.unit, "south");
	strcpy(r.role, "physician");
	add(&x, &r);
	weeks(&x, 0, 60);
	act(&x, POLICY_RECORD_OPEN, 2, 900, t_at(60, 17, 20));
	weeks(&x, 63, 70);
	finish(&x);
	f = of(&x, POLICY_UNUSUAL_NO_RELATIONSHIP, 2);
	ck_assert_ptr_nonnull(f);
	ck_assert_str_eq(f->journal, "journal 900");
	ck_assert_uint_eq(f->journal_number, 900);
	ck_assert_ptr_nonnull(strstr(f->text, "outside of working hours"));
	end(&x);
}
END_TEST

START_TEST(unusual_own_and_relatives_journals_where_policy_names_them)
{
	struct policy_record r;
	struct found x;

	begin(&x, "own p1 \"journal 10\"\nrelative p2 \"journal 11\" \"journal 12\"\n");
	visit(&x, 1, 10, t_at(1, 9, 0));
	visit(&x, 1, 11, t_at(1, 9, 30));
	act(&x, POLICY_RECORD_OPEN, 2, 12, t_at(1, 9, 40));
	visit(&x, 3, 12, t_at(1, 9, 50));
	finish(&x);
	ck_assert_uint_eq(x.n, 2);
	ck_assert_ptr_nonnull(of(&x, POLICY_UNUSUAL_OWN, 1));
	ck_assert_str_eq(of(&x, POLICY_UNUSUAL_RELATIVE, 2)->journal, "journal 12");
	end(&x);
	/* Renamed, and the line with it. */
	begin(&x, "relative p2 \"new name\"\n");
	act(&x, POLICY_RECORD_OPEN, 2, 12, t_at(1, 9, 40));
	r = t_record(POLICY_RECORD_OPEN, 2, 12, t_at(2, 9, 0));
	strcpy(r.journal_name, "new name");
	add(&x, &r);
	add(&x, &r);
	finish(&x);
	ck_assert_ptr_nonnull(of(&x, POLICY_UNUSUAL_RELATIVE, 2));
	ck_assert_uint_eq(of(&x, POLICY_UNUSUAL_RELATIVE, 2)->count, 2);
	end(&x);
	begin(&x, "");
	visit(&x, 1, 10, t_at(1, 9, 0));
	visit(&x, 3, 12, t_at(1, 9, 50));
	act(&x, POLICY_RECORD_OPEN, 2, 12, t_at(1, 9, 51));
	nothing(&x);
}
END_TEST

/* Journals that his unit works in, so that each alone is explained. */
static void burst(struct found *x, bool written)
{
	begin(x, NULL);
	weeks(x, 0, 60);
	for (unsigned n = 0; n < 30; n++)
		visit(x, 3 + n % 2, 10 + n, t_at(63, 9, (int)n));
	for (unsigned n = 0; n < 30; n++) {
		act(x, POLICY_RECORD_OPEN, 2, 10 + n, t_at(63, 11, (int)n));
		if (written)
			act(x, POLICY_RECORD_WRITE, 2, 10 + n, t_at(63, 11, (int)n) + 20 * T_NS);
	}
	weeks(x, 64, 70);
}

START_TEST(unusual_many_journals_against_habit_fires)
{
	struct found x;

	burst(&x, false);
	only(&x, POLICY_UNUSUAL_MANY, 2);
}
END_TEST

START_TEST(unusual_many_journals_written_in_is_work)
{
	struct found x;

	burst(&x, true);
	nothing(&x);
}
END_TEST

/* Who always reads thirty an hour does what he always does. */
START_TEST(unusual_many_journals_as_every_day_is_habit)
{
	struct found x;

	begin(&x, NULL);
	for (int day = 0; day < 40; day++) {
		for (unsigned n = 0; day % 7 < 5 && n < 30; n++) {
			visit(&x, 3, 10 + n, t_at(day, 9, (int)n));
			act(&x, POLICY_RECORD_OPEN, 2, 10 + n, t_at(day, 9, (int)n) + 30 * T_NS);
		}
	}
	nothing(&x);
}
END_TEST

static void glass(struct found *x, unsigned who, unsigned journal, int64_t at, const char *reason)
{
	struct policy_record r = t_record(POLICY_RECORD_BREAK_GLASS, who, journal, at);
	static uint64_t grant;

	r.grant = ++grant;
	policy_record_copy(r.reason, sizeof(r.reason), reason);
	add(x, &r);
	r = t_record(POLICY_RECORD_OPEN, who, journal, at + 60 * T_NS);
	r.grant = grant;
	strcpy(r.purpose, "BTG");
	add(x, &r);
}

static const char *reason_of(unsigned n)
{
	static char text[100];

	snprintf(text, sizeof(text), "patient %u came in unconscious, sent by ward %u", n, n * 7);
	return text;
}

START_TEST(unusual_break_glass_habit_fires)
{
	struct found x;

	begin(&x, NULL);
	for (unsigned n = 0; n < 14; n++) {
		weeks(&x, (int)n * 4, (int)n * 4 + 4);
		glass(&x, 2, 900 + n, t_at((int)n * 4 + 4, 0, 30), reason_of(n));
	}
	weeks(&x, 56, 60);
	glass(&x, 1, 800, t_at(60, 9, 30), reason_of(99));
	only(&x, POLICY_UNUSUAL_BREAK_GLASS, 2);
}
END_TEST

/* Where all of the role do it as often it is how the place works. */
START_TEST(unusual_break_glass_as_colleagues_is_usual)
{
	struct found x;

	begin(&x, NULL);
	for (unsigned n = 0; n < 56; n++) {
		weeks(&x, (int)n, (int)n + 1);
		glass(&x, 1 + n % 4, 900 + n, t_at((int)n, 23, 30), reason_of(n));
	}
	nothing(&x);
}
END_TEST

START_TEST(unusual_copied_reason_fires)
{
	static const char *const same[] = {
		"Acute: see the referral letter!",
		"acute, see the  referral letter",
		"ACUTE see the referral letter.",
	};
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 30);
	for (unsigned n = 0; n < 3; n++)
		glass(&x, 2, 900 + n, t_at(30 + (int)n, 9, 30), same[n]);
	only(&x, POLICY_UNUSUAL_COPIED_REASON, 2);
}
END_TEST

START_TEST(unusual_same_reason_for_the_same_journal_is_one_emergency)
{
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 30);
	for (unsigned n = 0; n < 4; n++)
		glass(&x, 2, 900, t_at(30, 9 + (int)n, 30), "still unconscious, no relatives");
	/* And of several people, each once. */
	for (unsigned n = 0; n < 3; n++)
		glass(&x, 1 + n, 910 + n, t_at(32, 9, (int)n), "still unconscious, no relatives");
	nothing(&x);
}
END_TEST

static void night(struct found *x, unsigned who, bool work)
{
	for (unsigned n = 0; n < 3; n++) {
		act(x, POLICY_RECORD_OPEN, who, 10 + n, t_at(60, 2, (int)n * 5));
		if (work)
			act(x, POLICY_RECORD_WRITE, who, 10 + n, t_at(60, 2, (int)n * 5 + 2));
	}
}

START_TEST(unusual_hours_never_worked_fire)
{
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 60);
	for (unsigned n = 0; n < 3; n++)
		visit(&x, 3, 10 + n, t_at(59, 11, (int)n));
	night(&x, 2, false);
	weeks(&x, 63, 70);
	only(&x, POLICY_UNUSUAL_HOURS, 2);
}
END_TEST

START_TEST(unusual_hours_with_work_or_known_ones_are_left_out)
{
	struct found x;

	/* Somebody writes at night. */
	begin(&x, NULL);
	weeks(&x, 0, 60);
	night(&x, 2, true);
	nothing(&x);
	/* The practice says that it works then. */
	begin(&x, "hours mon-fri 07:00-17:00\nhours fri 22:00-06:00\n");
	weeks(&x, 0, 60);
	for (unsigned n = 0; n < 3; n++)
		visit(&x, 3, 10 + n, t_at(58, 11, (int)n));
	for (unsigned n = 0; n < 3; n++)
		act(&x, POLICY_RECORD_OPEN, 2, 10 + n, t_at(61, 2, (int)n * 5)); /* Saturday */
	nothing(&x);
	/* Too little is known of somebody new. */
	begin(&x, NULL);
	weeks(&x, 0, 10);
	for (unsigned n = 0; n < 3; n++)
		act(&x, POLICY_RECORD_OPEN, 2, 10 + n, t_at(10, 2, (int)n * 5));
	visit(&x, 2, 10, t_at(10, 9, 0));
	finish(&x);
	ck_assert_ptr_null(of(&x, POLICY_UNUSUAL_HOURS, 0));
	end(&x);
	/* Two colleagues have had this shift for weeks. */
	begin(&x, NULL);
	for (int day = 0; day < 60; day++) {
		weeks(&x, day, day + 1);
		for (unsigned n = 0; n < 4; n++)
			visit(&x, 5 + n % 2, 10 + n, t_at(day, 22, (int)n * 5));
	}
	for (unsigned n = 0; n < 3; n++)
		act(&x, POLICY_RECORD_OPEN, 2, 10 + n, t_at(60, 22, (int)n * 5));
	nothing(&x);
}
END_TEST

static void walk(struct found *x, int64_t from, unsigned n, int64_t pause_ns)
{
	for (unsigned i = 0; i < n; i++) {
		struct policy_record r =
			t_record(POLICY_RECORD_OPEN, 2, 500 + i / 2, from + (int64_t)i * pause_ns);

		r.note = 1000 + i;
		strcpy(r.program, "tracker-miner-f");
		add(x, &r);
	}
}

START_TEST(unusual_crawl_fires_once_and_explains_what_it_read)
{
	const struct policy_finding *f;
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 60);
	walk(&x, t_at(60, 12, 0), 400, T_NS / 5);
	weeks(&x, 70, 80);
	finish(&x);
	ck_assert_uint_eq(x.n, 1);
	f = of(&x, POLICY_UNUSUAL_CRAWL, 2);
	ck_assert(f && f->count == 400);
	ck_assert_ptr_nonnull(strstr(f->text, "tracker-miner-f"));
	end(&x);
}
END_TEST

START_TEST(unusual_slow_even_crawl_fires)
{
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 60);
	walk(&x, t_at(60, 9, 0), 150, 60 * T_NS);
	finish(&x);
	ck_assert_ptr_nonnull(of(&x, POLICY_UNUSUAL_CRAWL, 2));
	end(&x);
}
END_TEST

/* All notes of one journal at once: thumbnails. And many journals at a person's pace. */
START_TEST(unusual_thumbnails_of_one_journal_are_no_crawl)
{
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 30);
	visit(&x, 2, 700, t_at(31, 8, 0));
	for (int n = 0; n < 300; n++)
		act(&x, POLICY_RECORD_OPEN, 2, 700, t_at(31, 9, 0) + n * T_NS / 50);
	nothing(&x);
}
END_TEST

static void two_places(struct found *x, int64_t pause_ns, unsigned n, bool same_place)
{
	begin(x, NULL);
	weeks(x, 0, 30);
	for (unsigned i = 0; i < n; i++) {
		struct policy_record r = t_record(POLICY_RECORD_WRITE, 2, 10 + i % 2,
						  t_at(30, 9, 0) + (int64_t)i * pause_ns);

		r.session[15] = i % 2 ? 8 : 9;
		if (same_place)
			strcpy(r.origin, i % 2 ? "/dev/pts/3" : "/dev/tty2");
		else
			strcpy(r.origin, i % 2 ? "ssh 10.0.0.7" : "ssh 10.0.0.8");
		add(x, &r);
	}
}

START_TEST(unusual_two_places_at_once_fire)
{
	struct found x;

	two_places(&x, 30 * T_NS, 6, false);
	only(&x, POLICY_UNUSUAL_SHARED, 2);
	two_places(&x, 300 * T_NS, 12, false);
	only(&x, POLICY_UNUSUAL_SHARED, 2);
}
END_TEST

/* Two rooms in turn, at a walking pace; two terminals of one machine. */
START_TEST(unusual_two_rooms_in_turn_are_left_out)
{
	struct found x;

	two_places(&x, 900 * T_NS, 20, false);
	nothing(&x);
	two_places(&x, 20 * T_NS, 20, true);
	nothing(&x);
	two_places(&x, 30 * T_NS, 3, false);
	nothing(&x);
}
END_TEST

START_TEST(unusual_many_refusals_fire)
{
	struct policy_record r;
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 30);
	for (unsigned n = 0; n < 9; n++)
		act(&x, POLICY_RECORD_REFUSED, 2, 900 + n, t_at(30, 9, (int)n));
	only(&x, POLICY_UNUSUAL_REFUSED, 2);
	begin(&x, NULL);
	for (int n = 0; n < 15; n++) {
		r = t_record(POLICY_RECORD_REFUSED, 2, 0, t_at(30, 9, n));
		memset(r.session, 0, sizeof(r.session));
		add(&x, &r);
	}
	only(&x, POLICY_UNUSUAL_REFUSED, 2);
}
END_TEST

/* One door many times (a program that tries again), a few doors a week, an indexer kept out. */
START_TEST(unusual_few_doors_are_left_out)
{
	struct policy_record r;
	struct found x;

	begin(&x, NULL);
	weeks(&x, 0, 30);
	for (int n = 0; n < 50; n++)
		act(&x, POLICY_RECORD_REFUSED, 2, 900, t_at(30, 9, n));
	for (unsigned n = 0; n < 9; n++)
		act(&x, POLICY_RECORD_REFUSED, 2, 900 + n, t_at(31 + 2 * (int)n, 9, 0));
	for (unsigned n = 0; n < 9; n++) {
		r = t_record(POLICY_RECORD_REFUSED, 3, 900 + n, t_at(60, 9, (int)n));
		strcpy(r.detail, "opendir: EACCES");
		strcpy(r.rule, "program deny tracker-miner-f");
		add(&x, &r);
	}
	for (int n = 0; n < 3; n++) {
		r = t_record(POLICY_RECORD_REFUSED, 2, 0, t_at(61, 9, n));
		memset(r.session, 0, sizeof(r.session));
		add(&x, &r);
	}
	nothing(&x);
}
END_TEST

START_TEST(unusual_empty_and_odd_records_are_taken)
{
	struct policy_record r;
	struct found x;

	begin(&x, NULL);
	nothing(&x);
	begin(&x, NULL);
	memset(&r, 0, sizeof(r));
	add(&x, &r);
	r = t_record(POLICY_RECORD_OPEN, 0, 7, INT64_MIN);
	strcpy(r.who, "somebody");
	add(&x, &r);
	r.time_ns = INT64_MAX;
	add(&x, &r);
	r.time_ns = 0;
	r.kind = 200;
	add(&x, &r);
	finish(&x);
	end(&x);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_unusual");
	TCase *c = tcase_create("unusual");
	SRunner *sr;
	int failed;

	tcase_add_test(c, unusual_ordinary_weeks_are_nothing);
	tcase_add_test(c, unusual_traces_of_programs_explain_nothing);
	tcase_add_test(c, unusual_reading_without_relationship_fires);
	tcase_add_test(c, unusual_explained_reading_is_left_out);
	tcase_add_test(c, unusual_single_journal_needs_more_than_chance);
	tcase_add_test(c, unusual_own_and_relatives_journals_where_policy_names_them);
	tcase_add_test(c, unusual_many_journals_against_habit_fires);
	tcase_add_test(c, unusual_many_journals_written_in_is_work);
	tcase_add_test(c, unusual_many_journals_as_every_day_is_habit);
	tcase_add_test(c, unusual_break_glass_habit_fires);
	tcase_add_test(c, unusual_break_glass_as_colleagues_is_usual);
	tcase_add_test(c, unusual_copied_reason_fires);
	tcase_add_test(c, unusual_same_reason_for_the_same_journal_is_one_emergency);
	tcase_add_test(c, unusual_hours_never_worked_fire);
	tcase_add_test(c, unusual_hours_with_work_or_known_ones_are_left_out);
	tcase_add_test(c, unusual_crawl_fires_once_and_explains_what_it_read);
	tcase_add_test(c, unusual_slow_even_crawl_fires);
	tcase_add_test(c, unusual_thumbnails_of_one_journal_are_no_crawl);
	tcase_add_test(c, unusual_two_places_at_once_fire);
	tcase_add_test(c, unusual_two_rooms_in_turn_are_left_out);
	tcase_add_test(c, unusual_many_refusals_fire);
	tcase_add_test(c, unusual_few_doors_are_left_out);
	tcase_add_test(c, unusual_empty_and_odd_records_are_taken);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
