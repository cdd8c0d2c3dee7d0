/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/notice*.c: who is to be told of an emergency access is told, or the log says
 * why not; nobody else learns anything, and no access waits for it.
 */
#include "fs/group_impl.h"
#include "fs/log_impl.h"
#include "test_fs_vault.h"

enum { TELLER = 3001 };

static const struct fs_notice_peer teller = {TELLER, 1}, stranger = {ANNA, 1};
static unsigned alerts;
static char alerted[4][1024];

static void on_alert(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(alerted[alerts++ % 4], sizeof(alerted[0]), "%s", text);
}

#define LAST_ALERT alerted[(alerts - 1) % 4]
#define HANSEN "010190-1234 Hansen, Anna"
#define WHY "called to the ward, the patient bleeds"

static struct fs_session *dan, *max;

static void put_practice(const char *glass)
{
	char one[T_POLICY_MAX], text[2 * T_POLICY_MAX];

	t_edit(one, "role physician clinical may list read write create",
	       "role physician clinical may list read write create break-glass");
	snprintf(text, sizeof(text), "%s%s\n", one, glass);
	t_put(dan, "practice", text);
}

/* Anna's journal in the north; max in the south has nothing to do with it. */
static void begin(const char *glass)
{
	struct fs_session *anna;

	alerts = 0;
	t.cfg.notifies = true;
	t.cfg.notify_uid = TELLER;
	t.cfg.alert = on_alert;
	dan = t_clinic();
	put_practice(glass);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "max", MAX);
	anna = t_login("anna", ANNA);
	max = t_login("max", MAX);
	t_ticks();
	t_make(anna, HANSEN);
	t_ticks();
	t_logout(anna);
}

static void reopen(void)
{
	t_logout(max);
	t_logout(dan);
	t_close();
	t_open();
}

static void end(void)
{
	t_logout(max);
	t_logout(dan);
}

static uint32_t glass(void)
{
	const struct fs_glass_open in = {.journal = HANSEN, .ground = FS_GLASS_DANGER, .reason = WHY};
	struct fs_grant g;
	int rc;

	t.say.text[0] = '\0';
	rc = fs_vault_glass_open(t.v, max, &in, &g, &t.say);
	ck_assert_msg(rc == 0, "%d %s", rc, t.say.text);
	return g.number;
}

static int next(struct fs_notice *n)
{
	memset(n, 0, sizeof(*n));
	return fs_vault_notice_next(t.v, &teller, false, n, &t.say);
}

static int done(uint32_t number, bool ok)
{
	return fs_vault_notice_done(t.v, &teller, number, ok, ok ? "" : "it \n hung", &t.say);
}

static struct fs_waiting_notice *waiting(size_t i)
{
	ck_assert_uint_lt(i, t.v->notices.count);
	return &t.v->notices.n[i];
}

static void put(const char *event, uint32_t grant)
{
	struct fs_grant g = {.number = grant,
			     .pid = max->pid,
			     .enrolment = max->enrolment,
			     .journal = 1,
			     .ground = FS_GLASS_DUTY,
			     .flags = FS_GLASS_TOLD};

	pthread_mutex_lock(&t.v->edit);
	fs_notice_put(t.v, &g, event, WHY, HANSEN);
	pthread_mutex_unlock(&t.v->edit);
}

static void group_fails(bool fails)
{
	struct fs_group *g = fs_records_group(t.v->records);

	pthread_mutex_lock(&g->lock);
	g->failed = fails ? -ENOSPC : 0;
	pthread_mutex_unlock(&g->lock);
}

#define NOTIFY "break-glass notify"
#define NAMES "break-glass notify names"

START_TEST(opened_access_is_told_with_all_but_the_name)
{
	struct fs_notice n;

	begin(NOTIFY);
	ck_assert_int_eq(next(&n), -EAGAIN);
	ck_assert_uint_eq(glass(), 1);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_uint_eq(n.number, 1);
	ck_assert_uint_eq(n.grant, 1);
	ck_assert_str_eq(n.event, "opened");
	ck_assert_str_eq(n.who, "max");
	ck_assert_str_eq(n.role, "physician");
	ck_assert_str_eq(n.unit, "south");
	ck_assert_str_eq(n.origin, "tty1");
	ck_assert_uint_eq(n.uid, MAX);
	ck_assert_uint_eq(n.journal, 1);
	ck_assert_str_eq(n.journal_name, "");
	ck_assert_str_eq(n.reason, WHY);
	ck_assert_uint_eq(n.ground, FS_GLASS_DANGER);
	ck_assert_int_eq(n.until_s - n.from_s, 3600);
	ck_assert_int_eq(n.review_s - n.from_s, 72 * 3600);
	ck_assert_int_eq(next(&n), -EAGAIN); /* it is out */
	ck_assert_int_eq(done(1, true), 0);
	ck_assert_uint_eq(t.v->notices.count, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_NOTICE, "opened: notice 1 was delivered, try 1"), 1);
	end();
}
END_TEST

START_TEST(name_is_told_only_when_policy_says_so)
{
	struct fs_notice n;

	begin(NAMES);
	glass();
	ck_assert_int_eq(next(&n), 0);
	ck_assert_str_eq(n.journal_name, HANSEN);
	end();
}
END_TEST

START_TEST(nobody_is_told_where_policy_does_not_say_notify)
{
	struct fs_notice n;

	begin("break-glass limit 30m");
	glass();
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, HANSEN, &t.say), 0);
	ck_assert_int_eq(next(&n), -EAGAIN);
	ck_assert_uint_eq(alerts, 2); /* the system's log alone */
	end();
}
END_TEST

START_TEST(system_log_gets_neither_name_nor_reason)
{
	begin(NAMES);
	glass();
	ck_assert_uint_eq(alerts, 1);
	ck_assert_ptr_nonnull(strstr(LAST_ALERT, "emergency access opened: grant 1 of max"));
	ck_assert_ptr_null(strstr(LAST_ALERT, "Hansen"));
	ck_assert_ptr_null(strstr(LAST_ALERT, "bleeds"));
	end();
}
END_TEST

START_TEST(alarms_of_emergency_access_reach_the_system_log)
{
	begin(NOTIFY);
	for (int i = 0; i < 3; i++) {
		glass();
		ck_assert_int_eq(fs_vault_glass_close(t.v, max, HANSEN, &t.say), 0);
	}
	/* three openings, three closings, and the third is one of many */
	ck_assert_uint_eq(alerts, 7);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ALARM, "opens journal after journal"), 1);
	end();
}
END_TEST

START_TEST(end_of_an_access_is_told_however_it_ends)
{
	struct fs_notice n;

	begin(NOTIFY);
	glass();
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, HANSEN, &t.say), 0);
	glass();
	t.v->grants[1].until_s = 1;
	fs_vault_tick(t.v);
	glass();
	put_practice(NOTIFY "\npractitioner zoe user zoe role nurse unit north");
	t.v->grants[2].enrolment++;
	fs_vault_tick(t.v);
	for (uint32_t i = 1; i <= 6; i++) {
		static const char *const events[] = {"opened", "closed",  "opened",
						     "expired", "opened", "withdrawn"};

		ck_assert_int_eq(next(&n), 0);
		ck_assert_uint_eq(n.number, i);
		ck_assert_str_eq(n.event, events[i - 1]);
		ck_assert_str_eq(n.reason, WHY);
		ck_assert_int_eq(n.ended_s != 0, i % 2 == 0);
	}
	end();
}
END_TEST

START_TEST(end_is_told_when_the_policy_is_closed_to_the_daemon)
{
	struct fs_notice n;

	begin(NAMES);
	glass();
	end();
	ck_assert_ptr_null(t.v->practice);
	t.v->grants[0].until_s = 1;
	fs_vault_tick(t.v);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_str_eq(n.event, "expired");
	ck_assert_str_eq(n.who, "max");
	ck_assert_str_eq(n.journal_name, "");
}
END_TEST

START_TEST(notices_survive_a_restart_in_their_order)
{
	struct fs_notice n;

	begin(NOTIFY);
	glass();
	put("closed", 1);
	put("opened", 2);
	ck_assert_int_eq(next(&n), 0); /* out, and never answered */
	reopen();
	for (uint32_t i = 1; i <= 3; i++) {
		ck_assert_int_eq(next(&n), 0);
		ck_assert_uint_eq(n.number, i);
		ck_assert_int_eq(done(i, true), 0);
	}
	ck_assert_int_eq(next(&n), -EAGAIN);
	t_close();
	t_open();
	ck_assert_int_eq(next(&n), -EAGAIN);
	dan = t_login("dan", DAN);
	max = t_login("max", MAX);
	put("opened", 3);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_uint_eq(n.number, 4); /* numbers are not used again */
	end();
}
END_TEST

START_TEST(failures_are_logged_and_tried_again_after_a_growing_time)
{
	static const unsigned wait_s[] = {5, 15, 60, 300, 900, 900};
	struct fs_notice n;

	begin(NOTIFY);
	glass();
	for (unsigned i = 0; i < 6; i++) {
		uint64_t before, after;

		waiting(0)->due_ns = 0;
		ck_assert_int_eq(next(&n), 0);
		ck_assert_uint_eq(n.tries, i);
		before = fs_vault_boot_ns();
		ck_assert_int_eq(done(1, false), 0);
		after = fs_vault_boot_ns();
		ck_assert_uint_ge(waiting(0)->due_ns, before + wait_s[i] * UINT64_C(1000000000));
		ck_assert_uint_le(waiting(0)->due_ns, after + wait_s[i] * UINT64_C(1000000000));
		ck_assert_int_eq(next(&n), -EAGAIN);
	}
	ck_assert_uint_eq(t_logged(POLICY_RECORD_NOTICE, "was not delivered, try 6: it ? hung"), 1);
	reopen();
	ck_assert_int_eq(next(&n), 0); /* at once after a start, and the count goes on */
	ck_assert_uint_eq(n.tries, 6);
	ck_assert_str_eq(n.error, "it ? hung");
}
END_TEST

START_TEST(notice_is_given_up_after_a_week_of_tries_with_an_alarm)
{
	struct fs_notice n;

	begin(NOTIFY);
	glass();
	alerts = 0;
	for (unsigned i = 0; i < 4 + 7 * 96; i++) {
		ck_assert_uint_eq(alerts, 0);
		waiting(0)->due_ns = 0;
		ck_assert_int_eq(next(&n), 0);
		n.tries++;
		snprintf(n.error, sizeof(n.error), "no");
		pthread_mutex_lock(&t.v->edit);
		fs_notice_failed(t.v, &n);
		pthread_mutex_unlock(&t.v->edit);
	}
	ck_assert_uint_eq(t.v->notices.count, 0);
	ck_assert_uint_eq(alerts, 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ALARM, "given up undelivered after 676 tries"), 1);
	reopen();
	ck_assert_int_eq(next(&n), -EAGAIN);
}
END_TEST

START_TEST(what_is_not_answered_is_taken_back)
{
	struct fs_notice n;

	begin(NOTIFY);
	glass();
	ck_assert_int_eq(next(&n), 0);
	fs_vault_tick(t.v);
	ck_assert(waiting(0)->handed); /* not before two minutes */
	waiting(0)->due_ns = 1;
	fs_vault_tick(t.v);
	ck_assert(!waiting(0)->handed);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_NOTICE, "did not answer within two minutes"), 1);
	ck_assert_int_eq(done(1, true), -ENOENT); /* too late */
	waiting(0)->due_ns = 0;
	ck_assert_int_eq(next(&n), 0);
	ck_assert_uint_eq(n.tries, 1);
	ck_assert_int_eq(done(1, true), 0);
	end();
}
END_TEST

START_TEST(service_that_begins_anew_gets_what_was_out)
{
	struct fs_notice n = {0};

	begin(NOTIFY);
	glass();
	ck_assert_int_eq(next(&n), 0);
	ck_assert_int_eq(next(&n), -EAGAIN);
	ck_assert_int_eq(fs_vault_notice_next(t.v, &teller, true, &n, &t.say), 0);
	ck_assert_uint_eq(n.number, 1);
	ck_assert_uint_eq(n.tries, 1);
	end();
}
END_TEST

/* A program that takes the service down with it, and a manager that starts it again. */
START_TEST(service_that_dies_of_a_notice_is_not_given_it_for_ever)
{
	struct fs_notice n = {0};
	unsigned got = 0;

	begin(NOTIFY);
	glass();
	for (unsigned i = 0; i < 20; i++)
		got += !fs_vault_notice_next(t.v, &teller, true, &n, &t.say);
	ck_assert_uint_eq(got, 2);
	ck_assert_uint_eq(waiting(0)->tries, 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_NOTICE, "began anew without an answer"), 2);
	end();
}
END_TEST

START_TEST(other_accounts_get_nothing_and_are_logged)
{
	const struct fs_notice_peer root = {0, 1}, daemon = {geteuid(), 1};
	struct fs_notice n = {0};

	begin(NOTIFY);
	glass();
	ck_assert_int_eq(fs_vault_notice_next(t.v, &stranger, true, &n, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_notice_next(t.v, &root, false, &n, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_notice_next(t.v, &daemon, false, &n, &t.say), -EACCES);
	ck_assert_uint_eq(n.number, 0);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_int_eq(fs_vault_notice_done(t.v, &stranger, 1, true, "", &t.say), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "not the notify account"), 4);
	ck_assert_int_eq(done(1, true), 0);
	/* With no account for it, uid 0 is none either. */
	t.v->cfg.notifies = false;
	t.v->cfg.notify_uid = 0;
	ck_assert_int_eq(fs_vault_notice_next(t.v, &root, false, &n, &t.say), -EACCES);
	end();
}
END_TEST

START_TEST(forged_and_repeated_answers_change_nothing)
{
	struct fs_notice n;

	begin(NOTIFY);
	glass();
	put("closed", 1);
	ck_assert_int_eq(done(1, true), -ENOENT); /* not handed out */
	ck_assert_int_eq(done(2, false), -ENOENT);
	ck_assert_int_eq(done(7, true), -ENOENT);
	ck_assert_int_eq(done(UINT32_MAX, true), -ENOENT);
	ck_assert_uint_eq(t.v->notices.count, 2);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_int_eq(done(1, false), 0);
	ck_assert_int_eq(done(1, true), -ENOENT); /* answered */
	ck_assert_uint_eq(waiting(0)->tries, 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "which is not handed out"), 5);
	end();
}
END_TEST

START_TEST(full_disk_refuses_no_access_and_notices_wait_in_memory)
{
	struct fs_notice n;

	begin(NOTIFY);
	group_fails(true);
	put("opened", 1);
	ck_assert(!waiting(0)->kept);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ALARM, "it waits in memory"), 1);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_str_eq(n.reason, WHY);
	ck_assert_int_eq(done(1, false), 0);
	group_fails(false);
	t.v->notices.stored_ns = 0;
	fs_vault_tick(t.v); /* there is room again */
	ck_assert(waiting(0)->kept);
	reopen();
	ck_assert_int_eq(next(&n), 0);
	ck_assert_uint_eq(n.tries, 1);
}
END_TEST

static void log_fails(bool fails)
{
	pthread_mutex_lock(&t.v->log->lock);
	t.v->log->failed = fails ? -ENOSPC : 0;
	pthread_mutex_unlock(&t.v->log->lock);
}

START_TEST(log_that_is_full_tells_nobody_twice)
{
	struct fs_notice n;

	begin(NOTIFY);
	glass();
	ck_assert_int_eq(next(&n), 0);
	log_fails(true);
	ck_assert_int_eq(done(1, true), 0);
	waiting(0)->due_ns = 0;
	ck_assert_int_eq(next(&n), -EAGAIN);
	t.v->notices.stored_ns = 0;
	fs_vault_tick(t.v);
	ck_assert_uint_eq(t.v->notices.count, 1); /* it stays, since nothing is in the log */
	log_fails(false);
	t.v->notices.stored_ns = 0;
	fs_vault_tick(t.v);
	ck_assert_uint_eq(t.v->notices.count, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_NOTICE, "notice 1 was delivered, try 1"), 1);
	end();
}
END_TEST

START_TEST(queue_is_bounded_and_openings_go_last)
{
	struct fs_notice n;

	begin(NOTIFY);
	t.v->notices.most = 3;
	put("opened", 1);
	put("expired", 1);
	put("opened", 2);
	put("opened", 3);
	ck_assert_uint_eq(t.v->notices.count, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert(waiting(i)->opened);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ALARM, "later course of emergency grant 1 was given up"), 1);
	put("expired", 3);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ALARM, "opening of emergency grant 1 was given up"), 1);
	ck_assert_uint_eq(t.v->notices.count, 3);
	reopen();
	ck_assert_uint_eq(t.v->notices.count, 3);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_uint_eq(n.grant, 2);
}
END_TEST

START_TEST(notices_of_another_host_or_place_are_dropped_with_an_alarm)
{
	struct fs_key first = fs_notice_key(1), second = fs_notice_key(2), third = fs_notice_key(9);
	struct fs_notice n;
	struct fs_buf *buf;
	uint8_t copy[FS_NOTICE_BYTES];
	size_t len;

	begin(NOTIFY);
	put("opened", 1);
	put("opened", 2);
	t.v->host_secret[0] ^= 1;
	put("opened", 3);
	t.v->host_secret[0] ^= 1;
	buf = t_peek(&first);
	len = buf->len;
	memcpy(copy, buf->data, len);
	fs_buf_put(buf);
	t_poke(&third, copy, len); /* under another number */
	copy[len - 1] ^= 1;
	t_poke(&second, copy, len);
	alerts = 0;
	reopen();
	ck_assert_uint_eq(alerts, 3);
	ck_assert_uint_eq(t.v->notices.count, 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ALARM, "it is dropped undelivered"), 3);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_uint_eq(n.number, 1);
	ck_assert_int_eq(done(1, true), 0);
	t_close();
	t_open();
	ck_assert_uint_eq(alerts, 3); /* once */
	ck_assert_uint_eq(t.v->notices.last, 3); /* nor is a forged number counted on from */
}
END_TEST

START_TEST(stored_notice_is_sealed)
{
	struct fs_key key = fs_notice_key(1);
	struct fs_buf *buf;

	begin(NAMES);
	glass();
	buf = t_peek(&key);
	ck_assert_ptr_null(memmem(buf->data, buf->len, "bleeds", 6));
	ck_assert_ptr_null(memmem(buf->data, buf->len, "Hansen", 6));
	ck_assert_ptr_null(memmem(buf->data, buf->len, "opened", 6));
	fs_buf_put(buf);
	end();
}
END_TEST

START_TEST(longest_notice_fits_its_record)
{
	static char name[256], reason[FS_GLASS_TEXT_MAX + 1];
	struct fs_notice n = {.number = 1, .grant = 1, .ground = 1}, got = {.number = 1};
	uint8_t bytes[FS_NOTICE_BYTES];
	size_t len = 0;

	begin(NAMES);
	memset(name, 'n', sizeof(name) - 1);
	memset(reason, 'r', sizeof(reason) - 1);
	memset(n.event, 'e', sizeof(n.event) - 1);
	memset(n.who, 'w', sizeof(n.who) - 1);
	memset(n.error, 'x', sizeof(n.error) - 1);
	strcpy(n.role, name);
	strcpy(n.unit, name);
	strcpy(n.origin, name);
	strcpy(n.journal_name, name);
	strcpy(n.reason, reason);
	ck_assert_int_eq(fs_notice_seal(t.v, &n, bytes, &len), 0);
	ck_assert_uint_eq(len, 2414); /* as FORMAT.md works it out */
	ck_assert_int_eq(fs_notice_unseal(t.v, (struct keys_span){bytes, len}, &got), 0);
	ck_assert_str_eq(got.reason, reason);
	ck_assert_str_eq(got.journal_name, name);
	ck_assert_int_eq(fs_notice_unseal(t.v, (struct keys_span){bytes, len - 1}, &got), -EBADMSG);
	ck_assert_int_eq(fs_notice_unseal(t.v, (struct keys_span){bytes, 3}, &got), -EBADMSG);
	got.number = 2;
	ck_assert_int_eq(fs_notice_unseal(t.v, (struct keys_span){bytes, len}, &got), -EBADMSG);
	end();
}
END_TEST

START_TEST(status_counts_for_those_who_may_know)
{
	struct fs_notice_stat st;
	struct fs_notice n;

	begin(NOTIFY);
	glass();
	put("expired", 1);
	ck_assert_int_eq(fs_vault_notice_stat(t.v, max, &st), -EACCES);
	ck_assert_int_eq(fs_vault_notice_stat(t.v, NULL, &st), -EACCES);
	ck_assert_int_eq(fs_vault_notice_stat(t.v, dan, &st), 0);
	ck_assert_uint_eq(st.waiting, 2);
	ck_assert_int_ne(st.oldest_s, 0);
	ck_assert_int_eq(st.asked_s, 0);
	ck_assert_int_eq(next(&n), 0);
	ck_assert_int_eq(done(1, false), 0);
	ck_assert_int_eq(fs_vault_notice_stat(t.v, dan, &st), 0);
	ck_assert_str_eq(st.error, "it ? hung");
	ck_assert_int_ne(st.asked_s, 0);
	end();
}
END_TEST

START_TEST(waiting_ends_when_a_notice_comes)
{
	struct fs_notice n;

	begin(NOTIFY);
	fs_vault_notice_wait(t.v, 1); /* nothing: at its time */
	put("opened", 1);
	fs_vault_notice_wait(t.v, 600000); /* due already: at once */
	ck_assert_int_eq(next(&n), 0);
	end();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_notice");
	TCase *c = tcase_create("notice");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, t_setup, t_teardown);
	tcase_add_test(c, opened_access_is_told_with_all_but_the_name);
	tcase_add_test(c, name_is_told_only_when_policy_says_so);
	tcase_add_test(c, nobody_is_told_where_policy_does_not_say_notify);
	tcase_add_test(c, system_log_gets_neither_name_nor_reason);
	tcase_add_test(c, alarms_of_emergency_access_reach_the_system_log);
	tcase_add_test(c, end_of_an_access_is_told_however_it_ends);
	tcase_add_test(c, end_is_told_when_the_policy_is_closed_to_the_daemon);
	tcase_add_test(c, notices_survive_a_restart_in_their_order);
	tcase_add_test(c, failures_are_logged_and_tried_again_after_a_growing_time);
	tcase_add_test(c, notice_is_given_up_after_a_week_of_tries_with_an_alarm);
	tcase_add_test(c, what_is_not_answered_is_taken_back);
	tcase_add_test(c, service_that_begins_anew_gets_what_was_out);
	tcase_add_test(c, service_that_dies_of_a_notice_is_not_given_it_for_ever);
	tcase_add_test(c, other_accounts_get_nothing_and_are_logged);
	tcase_add_test(c, forged_and_repeated_answers_change_nothing);
	tcase_add_test(c, full_disk_refuses_no_access_and_notices_wait_in_memory);
	tcase_add_test(c, log_that_is_full_tells_nobody_twice);
	tcase_add_test(c, queue_is_bounded_and_openings_go_last);
	tcase_add_test(c, notices_of_another_host_or_place_are_dropped_with_an_alarm);
	tcase_add_test(c, stored_notice_is_sealed);
	tcase_add_test(c, longest_notice_fits_its_record);
	tcase_add_test(c, status_counts_for_those_who_may_know);
	tcase_add_test(c, waiting_ends_when_a_notice_comes);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
