/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_answers_memory.c - answers from the log while memory is short: the nth
 * allocation fails, for every n until all comes through. Each failure is -ENOMEM and leaves nothing
 * behind once the object is freed.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/patient.h"
#include "policy/practitioner_use.h"
#include "policy/unusual.h"
#include "test_policy_log.h"
#include "test_policy_memory.h"

#define RECORDS 160

static struct policy_record records[RECORDS];

/* Some of everything: readings that wait and are settled, work, kin, emergencies, refusals. */
static void records_make(void)
{
	static const enum policy_record_kind kinds[] = {
		POLICY_RECORD_OPEN,   POLICY_RECORD_WRITE,	 POLICY_RECORD_OPEN,
		POLICY_RECORD_ATTEND, POLICY_RECORD_BREAK_GLASS, POLICY_RECORD_REFUSED,
		POLICY_RECORD_LIST,   POLICY_RECORD_OPEN,
	};

	for (unsigned i = 0; i < RECORDS; i++) {
		struct policy_record *r = &records[i];

		*r = t_record(kinds[i % 8], 1 + i % 5, 1 + i * 7 % 60, t_at((int)i, 9, 0));
		r->session[3] = (uint8_t)i;
		sprintf(r->unit, "unit%u", i % 3);
		sprintf(r->journal_name, "journal %u %s", r->journal, i > 100 ? "renamed" : "");
		if (r->kind == POLICY_RECORD_BREAK_GLASS || r->kind == POLICY_RECORD_ATTEND) {
			strcpy(r->reason, "a reason that is given again");
			r->grant = r->kind == POLICY_RECORD_BREAK_GLASS ? i : 0;
			r->until_ns = r->time_ns + T_NS;
		}
	}
}

static struct policy_practice *practice(void)
{
	static const char text[] =
		"role nurse clinical may list read write policy audit\n"
		"practitioner p1 user p1 role nurse\npractitioner p3 user p3 role nurse\n"
		"own p1 \"journal 1 \"\nrelative p3 \"journal 15 \"\n";
	struct policy_practice *p = NULL;

	ck_assert_int_eq(policy_practice_parse(text, strlen(text), "p", NULL, &p), 0);
	return p;
}

/* Feeds and frees; -ENOMEM or 0. */
static int unusual_run(const struct policy_practice *p)
{
	const struct policy_unusual_settings set = {.practice = p};
	const struct policy_finding *f;
	struct policy_unusual *u = NULL;
	size_t n;
	int rc = policy_unusual_new(&set, &u);

	for (unsigned i = 0; !rc && i < RECORDS; i++)
		rc = policy_unusual_add(u, &records[i]);
	if (!rc)
		rc = policy_unusual_finish(u, &f, &n);
	policy_unusual_free(u);
	return rc;
}

static int patient_run(const struct policy_practice *p)
{
	const struct policy_patient_view view = {.names = p, .refused = true, .notes = true};
	const struct policy_visit *v;
	struct policy_patient *x = NULL;
	size_t n;
	int rc = policy_patient_new(&view, &x);

	for (unsigned i = 0; !rc && i < RECORDS; i++)
		rc = policy_patient_add(x, &records[i]);
	if (!rc)
		policy_patient_finish(x, &v, &n);
	policy_patient_free(x);
	return rc;
}

static int use_run(const struct policy_practice *p)
{
	const struct policy_use_settings set = {.practice = p};
	struct policy_use *u = NULL;
	int rc = policy_use_new(&set, &u);

	for (unsigned i = 0; !rc && i < RECORDS; i++)
		rc = policy_use_add(u, &records[i]);
	policy_use_free(u);
	return rc;
}

static int (*const runs[])(const struct policy_practice *p) = {unusual_run, patient_run, use_run};

START_TEST(answer_gives_back_all_when_memory_is_short)
{
	struct policy_practice *p = practice();
	int rc = -ENOMEM;

	records_make();
	for (unsigned n = 1; rc; n++) {
		memory_begin(n);
		rc = runs[_i](p);
		(void)memory_end();
		ck_assert(rc == 0 || rc == -ENOMEM);
		ck_assert_int_eq(held, 0);
	}
	policy_practice_put(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_answers_memory");
	TCase *c = tcase_create("memory");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(c, answer_gives_back_all_when_memory_is_short, 0, 3);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
