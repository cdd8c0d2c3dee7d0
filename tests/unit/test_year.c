/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the made-up year (tests/year): that it is a year of a clinic, that the log's own writer
 * and reader carry it, and that what is planted in it is found by policy/unusual, while people who
 * only look like it are not.
 *
 * YEAR_SHOW=1 prints everything that was flagged.
 */
#include "../year/sink.h"
#include "../../policy/practice.h"
#include "../../policy/report.h"
#include "../../policy/unusual.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TOP 5u	 /* people about whom somebody would ask first */
#define MOST 20u /* findings of a year that somebody would still read */
#define DAY_S 86400

/* ---- the year itself ---- */

struct sum {
	uint64_t n, hash, kinds[POLICY_RECORD_KIND_COUNT], night, weekend;
	int64_t last_ns;
	uint32_t version;
};

static uint64_t mix(uint64_t h, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static int add(void *ctx, const struct policy_record *r)
{
	static uint8_t bytes[POLICY_RECORD_MAX];
	struct sum *s = ctx;
	int64_t local = r->time_ns / 1000000000 + year_offset_s(NULL, r->time_ns / 1000000000);
	size_t len = 0;

	ck_assert_int_ge(r->time_ns, s->last_ns);
	ck_assert_uint_eq(r->seq, s->n + 1);
	ck_assert_int_eq(policy_record_encode(r, bytes, sizeof(bytes), &len), 0);
	if (r->policy_version) {
		ck_assert_uint_ge(r->policy_version, s->version);
		s->version = r->policy_version;
	}
	s->last_ns = r->time_ns;
	s->n++;
	s->hash = mix(s->hash, bytes, len);
	s->kinds[r->kind]++;
	s->night += local % DAY_S < 6 * 3600;
	s->weekend += (local / DAY_S + 3) % 7 >= 5;
	return 0;
}

static struct sum sum_of(const struct year_config *cfg)
{
	struct sum s = {.hash = 1};
	struct year *y = NULL;

	ck_assert_int_eq(year_new(cfg, &y), 0);
	ck_assert_int_eq(year_run(y, add, &s), 0);
	year_free(y);
	return s;
}

START_TEST(year_of_a_seed_is_the_same_bytes)
{
	struct sum one = sum_of(&(struct year_config){.seed = 7, .days = 60});
	struct sum again = sum_of(&(struct year_config){.seed = 7, .days = 60});
	struct sum other = sum_of(&(struct year_config){.seed = 8, .days = 60});

	ck_assert_uint_eq(one.hash, again.hash);
	ck_assert_uint_eq(one.n, again.n);
	ck_assert_uint_ne(one.hash, other.hash);
}
END_TEST

START_TEST(year_has_the_shape_of_a_clinic)
{
	static const uint8_t kinds[] = {POLICY_RECORD_START,	    POLICY_RECORD_STOP,
					POLICY_RECORD_LOGIN,	    POLICY_RECORD_LOGOUT,
					POLICY_RECORD_LOCK,	    POLICY_RECORD_UNLOCK,
					POLICY_RECORD_INTENT,	    POLICY_RECORD_OPEN,
					POLICY_RECORD_LIST,	    POLICY_RECORD_CREATE,
					POLICY_RECORD_WRITE,	    POLICY_RECORD_CLOSE,
					POLICY_RECORD_REFUSED,	    POLICY_RECORD_POLICY,
					POLICY_RECORD_AUDIT,	    POLICY_RECORD_JOURNAL,
					POLICY_RECORD_ATTEND,	    POLICY_RECORD_REVIEW,
					POLICY_RECORD_BREAK_GLASS,  POLICY_RECORD_BREAK_GLASS_END,
					POLICY_RECORD_GRANT_REVIEW, POLICY_RECORD_NOTICE,
					POLICY_RECORD_FINAL,	    POLICY_RECORD_EXPORT};
	struct sum s = sum_of(&(struct year_config){.seed = 1});

	ck_assert_uint_gt(s.n, 300000);
	ck_assert_uint_lt(s.n, 900000);
	for (size_t i = 0; i < sizeof(kinds); i++)
		ck_assert_msg(s.kinds[kinds[i]] > 0, "no record of kind %s",
			      policy_record_kind_text(kinds[i]));
	/* A little at night and on weekends, most of it in the hours of a practice. */
	ck_assert_uint_gt(s.night, 500);
	ck_assert_uint_lt(s.night, s.n / 50);
	ck_assert_uint_gt(s.weekend, 1000);
	ck_assert_uint_lt(s.weekend, s.n / 20);
	/* Everybody who logs in is out in the end; every emergency ends. */
	ck_assert_uint_eq(s.kinds[POLICY_RECORD_LOGIN], s.kinds[POLICY_RECORD_LOGOUT]);
	ck_assert_uint_eq(s.kinds[POLICY_RECORD_BREAK_GLASS],
			  s.kinds[POLICY_RECORD_BREAK_GLASS_END]);
}
END_TEST

START_TEST(year_without_misuse_loses_nothing_else)
{
	struct year_config cfg = {.seed = 3, .days = 120};
	struct sum with = sum_of(&cfg), without;

	cfg.without[YEAR_SNOOPER] = cfg.without[YEAR_SHARED] = cfg.without[YEAR_HABIT] = true;
	without = sum_of(&cfg);
	ck_assert_uint_lt(without.n, with.n);
	ck_assert_uint_gt(without.n, with.n - with.n / 50);
	ck_assert_uint_eq(with.kinds[POLICY_RECORD_ATTEND], without.kinds[POLICY_RECORD_ATTEND]);
	ck_assert_uint_eq(with.kinds[POLICY_RECORD_FINAL], without.kinds[POLICY_RECORD_FINAL]);
}
END_TEST

START_TEST(practice_of_the_year_is_a_policy)
{
	struct year *y = NULL;
	struct policy_practice *p = NULL;
	struct policy_report *report = NULL;
	char *text = calloc(1, 65536);
	size_t len;

	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(year_new(&(struct year_config){.seed = 1, .clinics = 2}, &y), 0);
	len = year_practice(y, text, 65536);
	ck_assert_uint_lt(len, 65536);
	ck_assert_int_eq(policy_report_new(&report), 0);
	ck_assert_msg(!policy_practice_parse(text, len, "practice.policy", report, &p), "%s",
		      policy_report_line(report, 0));
	policy_report_free(report);
	policy_practice_put(p);
	year_free(y);
	free(text);
}
END_TEST

/* ---- as a log ---- */

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static void setup_dir(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-year-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown_dir(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct expected {
	struct year_sink *sink;
	struct sum wrote, read;
};

/* What differs is what the log itself gives: the number, where it starts and stops by itself. */
static void count(struct sum *s, const struct policy_record *r)
{
	uint8_t bytes[64];

	if (r->kind == POLICY_RECORD_START || r->kind == POLICY_RECORD_STOP)
		return;
	s->n++;
	s->kinds[r->kind]++;
	memcpy(bytes, &r->time_ns, 8);
	memcpy(bytes + 8, &r->boot_ns, 8);
	memcpy(bytes + 16, r->session, 16);
	memcpy(bytes + 32, &r->note, 8);
	s->hash = mix(s->hash, bytes, 40);
	s->hash = mix(s->hash, (const uint8_t *)r->journal_name, strlen(r->journal_name));
	s->hash = mix(s->hash, (const uint8_t *)r->rule, strlen(r->rule));
}

static int wrote(void *ctx, const struct policy_record *r)
{
	struct expected *e = ctx;

	count(&e->wrote, r);
	return year_sink_record(e->sink, r);
}

static int was_read(void *ctx, const struct policy_record *r)
{
	struct expected *e = ctx;

	count(&e->read, r);
	e->read.last_ns = r->time_ns;
	return 0;
}

static void bad(void *ctx, uint64_t seq, const char *why)
{
	(void)ctx;
	ck_abort_msg("record %llu: %s", (unsigned long long)seq, why);
}

START_TEST(year_in_a_real_log_is_read_as_it_was_written)
{
	struct expected e = {.wrote.hash = 1, .read.hash = 1};
	struct year_keys keys;
	struct year *y = NULL;

	year_keys(1, &keys);
	ck_assert_int_eq(year_new(&(struct year_config){.seed = 1, .days = 12}, &y), 0);
	ck_assert_int_eq(year_sink_open(dir, &keys, 0, &e.sink), 0);
	ck_assert_int_eq(year_run(y, wrote, &e), 0);
	ck_assert_uint_gt(year_sink_count(e.sink), e.wrote.n);
	ck_assert_int_eq(year_sink_close(e.sink), 0);
	year_free(y);
	ck_assert_int_eq(
		fs_log_read(dir, keys.vault, keys.box_pk, keys.box_sk, 0, was_read, bad, &e), 0);
	ck_assert_uint_gt(e.read.n, 10000);
	ck_assert_uint_eq(e.read.n, e.wrote.n);
	ck_assert_uint_eq(e.read.hash, e.wrote.hash);
}
END_TEST

/* ---- found ---- */

struct asked {
	struct year *y;
	struct policy_unusual *u;
	const struct policy_finding *at;
	size_t n;
};

static int ask(void *ctx, const struct policy_record *r)
{
	return policy_unusual_add(ctx, r);
}

static void show(const struct asked *a, uint64_t seed)
{
	if (!getenv("YEAR_SHOW"))
		return;
	for (size_t i = 0; i < a->n; i++)
		printf("seed %llu  %2zu  %4u  %-18s %-8s %-26s %s\n", (unsigned long long)seed,
		       i + 1, a->at[i].score, policy_unusual_reason_text(a->at[i].reason),
		       a->at[i].who, a->at[i].journal, a->at[i].text);
}

static struct asked asked(const struct year_config *cfg)
{
	struct policy_unusual_settings set = {.offset_s = year_offset_s};
	struct asked a = {.y = NULL};

	ck_assert_int_eq(year_new(cfg, &a.y), 0);
	ck_assert_int_eq(policy_unusual_new(&set, &a.u), 0);
	ck_assert_int_eq(year_run(a.y, ask, a.u), 0);
	ck_assert_int_eq(policy_unusual_finish(a.u, &a.at, &a.n), 0);
	show(&a, cfg->seed);
	return a;
}

static void asked_clear(struct asked *a)
{
	policy_unusual_free(a->u);
	year_free(a->y);
}

/* People who stand above the finding, and its own: from 1. */
static size_t people(const struct asked *a, size_t finding)
{
	size_t n = 1;

	for (size_t i = 0; i < finding; i++) {
		size_t k = 0;

		while (k < i && a->at[k].practitioner != a->at[i].practitioner)
			k++;
		n += k == i && a->at[i].practitioner != a->at[finding].practitioner;
	}
	return n;
}

/* Which of the people in the list this one is, from 1; SIZE_MAX: not for these reasons. */
static size_t rank(const struct asked *a, uint32_t who, enum policy_unusual_reason one,
		   enum policy_unusual_reason other)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->at[i].practitioner == who &&
		    (a->at[i].reason == one || a->at[i].reason == other))
			return people(a, i);
	}
	return SIZE_MAX;
}

static size_t rank_of(const struct asked *a, enum year_misuse m)
{
	static const enum policy_unusual_reason reasons[YEAR_MISUSES][2] = {
		[YEAR_SNOOPER] = {POLICY_UNUSUAL_NO_RELATIONSHIP, POLICY_UNUSUAL_NO_RELATIONSHIP},
		[YEAR_SHARED] = {POLICY_UNUSUAL_SHARED, POLICY_UNUSUAL_SHARED},
		[YEAR_HABIT] = {POLICY_UNUSUAL_BREAK_GLASS, POLICY_UNUSUAL_COPIED_REASON},
	};
	const struct year_plant *p = year_plant(a->y, m);

	ck_assert(p->planted);
	return rank(a, p->practitioner, reasons[m][0], reasons[m][1]);
}

static size_t best_of(const struct asked *a, uint32_t who)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->at[i].practitioner == who)
			return people(a, i);
	}
	return SIZE_MAX;
}

START_TEST(misuses_stand_on_top_and_look_alikes_below)
{
	struct asked a = asked(&(struct year_config){.seed = (uint64_t)_i + 1});
	size_t worst = 0;

	for (unsigned m = 0; m < YEAR_MISUSES; m++) {
		size_t at = rank_of(&a, (enum year_misuse)m);

		ck_assert_msg(at <= TOP, "seed %d: %s stands at %zu of %zu", _i + 1,
			      year_plant(a.y, (enum year_misuse)m)->who, at, a.n);
		worst = at > worst ? at : worst;
	}
	for (unsigned k = 0; k < YEAR_ALIKES; k++) {
		struct year_alike_person p = year_alike(a.y, (enum year_alike)k);

		ck_assert_msg(best_of(&a, p.practitioner) > worst, "seed %d: %s, %s, stands at %zu",
			      _i + 1, p.who, p.why, best_of(&a, p.practitioner));
	}
	ck_assert_uint_le(a.n, MOST);
	asked_clear(&a);
}
END_TEST

/* What is said of the snooper is about the journals that she looked at. */
START_TEST(snooper_is_found_with_her_journals)
{
	struct asked a = asked(&(struct year_config){.seed = (uint64_t)_i + 1});
	const struct year_plant *p = year_plant(a.y, YEAR_SNOOPER);
	unsigned right = 0, wrong = 0;

	for (size_t i = 0; i < a.n; i++) {
		bool planted = false;

		if (a.at[i].practitioner != p->practitioner || !a.at[i].journal_number)
			continue;
		for (size_t k = 0; k < p->journals; k++)
			planted = planted || p->journal[k] == a.at[i].journal_number;
		right += planted;
		wrong += !planted;
	}
	ck_assert_uint_ge(right, 1);
	ck_assert_uint_ge(right, wrong);
	asked_clear(&a);
}
END_TEST

START_TEST(without_misuse_nobody_is_accused_of_it)
{
	struct year_config cfg = {.seed = (uint64_t)_i + 1, .without = {true, true, true}};
	struct asked a = asked(&cfg);

	for (size_t i = 0; i < a.n; i++) {
		ck_assert_int_ne(a.at[i].reason, POLICY_UNUSUAL_SHARED);
		ck_assert_int_ne(a.at[i].reason, POLICY_UNUSUAL_COPIED_REASON);
	}
	for (unsigned m = 0; m < YEAR_MISUSES; m++)
		ck_assert(!year_plant(a.y, (enum year_misuse)m)->planted);
	ck_assert_uint_le(a.n, MOST);
	asked_clear(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("year");
	TCase *shape = tcase_create("shape"), *log = tcase_create("log"),
	      *found = tcase_create("found");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(shape, year_of_a_seed_is_the_same_bytes);
	tcase_add_test(shape, year_has_the_shape_of_a_clinic);
	tcase_add_test(shape, year_without_misuse_loses_nothing_else);
	tcase_add_test(shape, practice_of_the_year_is_a_policy);
	tcase_add_checked_fixture(log, setup_dir, teardown_dir);
	tcase_add_test(log, year_in_a_real_log_is_read_as_it_was_written);
	tcase_add_loop_test(found, misuses_stand_on_top_and_look_alikes_below, 0, 3);
	tcase_add_loop_test(found, snooper_is_found_with_her_journals, 0, 3);
	tcase_add_loop_test(found, without_misuse_nobody_is_accused_of_it, 0, 3);
	tcase_set_timeout(shape, 300);
	tcase_set_timeout(log, 300);
	tcase_set_timeout(found, 300);
	suite_add_tcase(s, shape);
	suite_add_tcase(s, log);
	suite_add_tcase(s, found);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
