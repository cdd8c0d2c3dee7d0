/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A replay while memory is short: the nth allocation fails, for every n until it comes through.
 * Each failure is -ENOMEM and leaves nothing behind.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/past.h"
#include "policy/replay_decide.h"
#include "policy/replay_groups.h"
#include "policy/replay_story.h"
#include "test_policy_memory.h"

#define S INT64_C(1000000000)

static const struct policy_record_note notes[] = {{2, "a.txt"}, {3, "b.txt"}};
static struct policy_record r;

static const enum policy_record_kind day[] = {
	POLICY_RECORD_START,	    POLICY_RECORD_LOGIN,  POLICY_RECORD_INTENT,
	POLICY_RECORD_OPEN,	    POLICY_RECORD_CLOSE,  POLICY_RECORD_BREAK_GLASS,
	POLICY_RECORD_REFUSED,	    POLICY_RECORD_ALARM,  POLICY_RECORD_BREAK_GLASS_END,
	POLICY_RECORD_GRANT_REVIEW, POLICY_RECORD_START,  POLICY_RECORD_LOGIN,
	POLICY_RECORD_LIST,	    POLICY_RECORD_LOGOUT, POLICY_RECORD_STOP,
};
#define DAY (sizeof(day) / sizeof(day[0]))

/* The i-th record of a small day. */
static const struct policy_record *record_at(size_t i)
{
	policy_record_init(&r, day[i]);
	r.seq = i + 1;
	r.time_ns = (1000 + (int64_t)i) * S;
	r.policy_version = 2;
	if (day[i] == POLICY_RECORD_START || day[i] == POLICY_RECORD_STOP ||
	    day[i] == POLICY_RECORD_ALARM)
		return &r;
	strcpy(r.who, "anna");
	r.practitioner = 1;
	memset(r.session, i < 10 ? 1 : 2, sizeof(r.session));
	if (day[i] == POLICY_RECORD_LOGIN || day[i] == POLICY_RECORD_LOGOUT)
		return &r;
	r.journal = 7;
	r.note = 2;
	strcpy(r.journal_name, "Hansen");
	strcpy(r.name, "a.txt");
	strcpy(r.rule, "allow user:anna:rwx (line 2)");
	strcpy(r.detail, "open: EACCES");
	r.grant = day[i] == POLICY_RECORD_BREAK_GLASS;
	r.until_ns = r.time_ns + 3600 * S;
	if (day[i] == POLICY_RECORD_INTENT) {
		r.notes = notes;
		r.note_count = r.note_total = 2;
	}
	return &r;
}

static int add(struct policy_past *past, uint32_t version, uint32_t journal, const char *text)
{
	const struct policy_past_change c = {.version = version,
					     .time_s = 1,
					     .journal = journal,
					     .name = "Hansen",
					     .who = "dan",
					     .reason = "why",
					     .text = text,
					     .len = strlen(text)};

	return policy_past_add(past, &c);
}

static int past_up(struct policy_past **out)
{
	int rc = policy_past_new(out);

	if (!rc)
		rc = add(*out, 1, 0,
			 "practice \"K\"\nrole p clinical may list read write policy audit\n"
			 "practitioner anna user anna role p\n");
	if (!rc)
		rc = add(*out, 2, 7, "journal \"Hansen\"\nallow user:anna:rwx\n");
	return rc;
}

/* ---- each of them, once ---- */

static int decide(void)
{
	const struct policy_redo_draft draft = {.practice = NULL};
	struct policy_past *past = NULL;
	struct policy_redoing *d = NULL;
	enum policy_redo_change change;
	char rule[POLICY_RECORD_TEXT];
	struct policy_redo redo;
	int rc = past_up(&past);

	if (!rc)
		rc = policy_redoing_new(past, &d);
	for (size_t i = 0; i < DAY && !rc; i++) {
		rc = policy_redoing_judge(d, record_at(i), &redo);
		if (!rc)
			rc = policy_redoing_draft(d, &r, &draft, &change, rule);
	}
	policy_redoing_free(d);
	policy_past_free(past);
	return rc;
}

static int line(void *ctx, enum policy_story_kind kind, int64_t time_ns, const char *text)
{
	(void)kind;
	(void)time_ns;
	*(size_t *)ctx += strlen(text);
	return 0;
}

static void clock_of(int64_t time_ns, char out[static 16])
{
	(void)time_ns;
	strcpy(out, "12:00");
}

static void day_of(int64_t time_ns, char out[static 64])
{
	(void)time_ns;
	strcpy(out, "a day");
}

static size_t told;

static int tell(void)
{
	const struct policy_story_out out = {
		.line = line, .clock = clock_of, .day = day_of, .ctx = &told};
	struct policy_story *s = NULL;
	int rc = policy_story_new(&out, &s);

	told = 0;
	for (size_t i = 0; i < DAY && !rc; i++)
		rc = policy_story_step(s, record_at(i));
	if (!rc)
		rc = policy_story_end(s);
	policy_story_free(s);
	return rc;
}

static int count(void)
{
	struct policy_groups *g = NULL;
	int rc = policy_groups_new(&g);

	for (size_t i = 0; i < DAY && !rc; i++)
		rc = policy_groups_add(g, record_at(i), (int)i % 2, "no entry admits anna");
	policy_groups_free(g);
	return rc;
}

/* Fails at every allocation in turn; how many there were. */
static unsigned fail_each(int (*fn)(void))
{
	for (unsigned n = 1;; n++) {
		int rc;

		memory_begin(n);
		rc = fn();
		ck_assert_int_eq(memory_end(), 0);
		ck_assert(rc == 0 || rc == -ENOMEM);
		if (!rc)
			return n;
	}
}

START_TEST(decisions_give_back_all_when_memory_is_short)
{
	ck_assert_uint_ge(fail_each(decide), OWN_MALLOC ? 20 : 1);
}
END_TEST

START_TEST(the_story_gives_back_all_when_memory_is_short)
{
	ck_assert_uint_ge(fail_each(tell), OWN_MALLOC ? 20 : 1);
	ck_assert_uint_gt(told, 200);
}
END_TEST

START_TEST(groups_give_back_all_when_memory_is_short)
{
	ck_assert_uint_ge(fail_each(count), OWN_MALLOC ? 6 : 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_replay_memory");
	TCase *c = tcase_create("memory");
	SRunner *runner;
	int failed;

	tcase_add_test(c, decisions_give_back_all_when_memory_is_short);
	tcase_add_test(c, the_story_gives_back_all_when_memory_is_short);
	tcase_add_test(c, groups_give_back_all_when_memory_is_short);
	suite_add_tcase(s, c);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
