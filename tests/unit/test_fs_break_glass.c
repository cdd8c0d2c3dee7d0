/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emergency access: who gets it, for what, for how long on which clock, what it never
 * gives, what stands in the log, and what a copy of the vault or a rolled back one is worth.
 */
#include "test_fs_vault.h"

#define REASON "unconscious, brought in by ambulance"
#define MINUTE_NS (UINT64_C(60) * 1000000000)

static uint32_t p;
static struct fs_session *dan, *anna, *max;
static char practice[T_POLICY_MAX];

/* The practice with the right to break the glass, and one piece of it replaced. */
static void emergencies(const char *from, const char *to)
{
	char text[T_POLICY_MAX];
	const char *at;

	t_edit(text, "role physician clinical may list read write create",
	       "role physician clinical may list read write create finalize export break-glass");
	snprintf(practice, sizeof(practice), "%s", text);
	if (!from)
		return;
	at = strstr(text, from);
	ck_assert_ptr_nonnull(at);
	snprintf(practice, sizeof(practice), "%.*s%s%s", (int)(at - text), text, to,
		 at + strlen(from));
}

/* Anna's journal p; max, a physician of another unit, may not even see it. */
static void clinic_with(const char *from, const char *to)
{
	dan = t_clinic();
	emergencies(from, to);
	t_put(dan, "practice", practice);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "max", MAX);
	anna = t_login("anna", ANNA);
	p = t_make(anna, "p");
	ck_assert_int_eq(t_write(anna, p, "note", "what anna wrote"), 0);
	max = t_login("max", MAX);
	t_ticks();
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
}

static void clinic(void)
{
	clinic_with(NULL, NULL);
}

static void everybody_out(void)
{
	if (max)
		t_logout(max);
	if (anna)
		t_logout(anna);
	if (dan)
		t_logout(dan);
	dan = anna = max = NULL;
}

static int glass(struct fs_session *s, const char *journal, const char *reason, struct fs_grant *g)
{
	const struct fs_glass_open in = {
		.journal = journal, .ground = FS_GLASS_DANGER, .reason = reason, .code = ""};

	t.say.text[0] = '\0';
	return fs_vault_glass_open(t.v, s, &in, g, &t.say);
}

static int opens(struct fs_session *s)
{
	struct fs_journal *j = NULL;
	int rc = fs_vault_journal(t.v, s, p, &j);

	if (!rc)
		fs_journal_put(j);
	return rc;
}

START_TEST(emergency_opens_to_read_and_for_new_notes_alone)
{
	struct fs_grant g;
	char got[256];

	clinic();
	ck_assert(!t_may(max, p, POLICY_READ));
	ck_assert_int_eq(opens(max), -EACCES);
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_uint_eq(g.number, 1);
	ck_assert_int_eq(g.until_s - g.from_s, 3600);
	ck_assert(t_may(max, p, POLICY_LIST | POLICY_READ));
	ck_assert(t_may(max, p, POLICY_DRAFT));
	ck_assert(!t_may(max, p, POLICY_WRITE));
	ck_assert(!t_may(max, p, POLICY_EXPORT));
	ck_assert(!t_may(max, p, POLICY_FINALIZE));
	ck_assert(!t_may(max, p, POLICY_POLICY));
	ck_assert_int_eq(t_read(max, p, "note", got), 0);
	ck_assert_str_eq(got, "what anna wrote");
	ck_assert_uint_gt(t.changed, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_BREAK_GLASS, "danger to life"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "the break-glass key opens"), 1);
	everybody_out();
}
END_TEST

START_TEST(it_is_of_one_journal_and_one_practitioner)
{
	struct fs_grant g;
	uint32_t other;

	clinic();
	other = t_make(anna, "q");
	t_enroll(dan, "bo", BO);
	t_put(dan, "p", "journal \"p\"\nunit south\nallow user:anna:rwx\n");
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert(!t_may(max, other, POLICY_READ));
	ck_assert(!fs_glass_find(t.v, anna->pid, anna->enrolment, p, &(struct policy_grant){0}));
	ck_assert(!fs_glass_find(t.v, max->pid, max->enrolment + 1, p, &(struct policy_grant){0}));
	everybody_out();
}
END_TEST

START_TEST(each_use_of_the_key_is_logged)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "the break-glass key opens"), 0);
	ck_assert_int_eq(opens(max), 0);
	t_drop(max);
	ck_assert_int_eq(opens(max), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "the break-glass key opens"), 2);
	everybody_out();
}
END_TEST

START_TEST(works_with_nobody_else_logged_in)
{
	struct fs_grant g;
	char got[256];

	clinic();
	t_logout(anna);
	t_logout(dan);
	anna = dan = NULL;
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(t_read(max, p, "note", got), 0);
	ck_assert_str_eq(got, "what anna wrote");
	everybody_out();
}
END_TEST

START_TEST(who_has_no_key_for_emergencies_yet_is_told_so)
{
	struct fs_grant g;

	dan = t_clinic();
	emergencies(NULL, NULL);
	t_put(dan, "practice", practice);
	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	p = t_make(anna, "p");
	t_ticks();
	t_logout(anna);
	t_enroll(dan, "max", MAX);
	max = t_login("max", MAX);
	t_ticks();
	ck_assert_int_eq(glass(max, "p", REASON, &g), -EACCES);
	ck_assert_ptr_nonnull(strstr(t.say.text, "has not reached you yet"));
	ck_assert_uint_eq(t.v->grant_count, 0);
	/* A colleague logs in: without waiting for a tick. */
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(opens(max), 0);
	everybody_out();
}
END_TEST

START_TEST(no_wrap_is_left_behind)
{
	struct fs_key key = fs_journals_wrap_key(0, 1, FS_WRAP_PRACTITIONER, 0);
	struct fs_buf *buf = NULL;
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(opens(max), 0);
	t_ticks();
	key = fs_journals_wrap_key(p, 1, FS_WRAP_PRACTITIONER, max->pid);
	ck_assert_int_eq(fs_record_get(fs_records_vault(t.v->records), &key, &buf), -ENOENT);
	everybody_out();
}
END_TEST

START_TEST(ends_on_the_wall_clock)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(opens(max), 0);
	t.v->grants[0].until_s = fs_vault_wall_s();
	/* Before the tick has come to it. */
	ck_assert(!t_may(max, p, POLICY_READ));
	ck_assert_int_eq(fs_glass_unwrap(t.v, max, p, &(struct fs_journal_chain){0}), -EACCES);
	t.changed = 0;
	fs_vault_tick(t.v);
	ck_assert_uint_gt(t.changed, 0);
	ck_assert_uint_eq(t.v->grants[0].end, FS_GLASS_EXPIRED);
	ck_assert_ptr_null(fs_session_journal_find(max, p));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_BREAK_GLASS_END, "its time is over"), 1);
	everybody_out();
}
END_TEST

START_TEST(ends_on_the_boot_clock_though_the_wall_clock_was_set_back)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	t.v->grants[0].until_s += 86400;
	ck_assert(t_may(max, p, POLICY_READ));
	t.v->grants[0].until_boot_ns = fs_vault_boot_ns();
	ck_assert(!t_may(max, p, POLICY_READ));
	fs_vault_tick(t.v);
	ck_assert_uint_eq(t.v->grants[0].end, FS_GLASS_EXPIRED);
	everybody_out();
}
END_TEST

START_TEST(survives_a_restart_with_what_is_left_and_never_more)
{
	struct fs_grant g;
	uint64_t end;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	end = t.v->grants[0].until_boot_ns;
	everybody_out();
	t_close();
	t_open();
	ck_assert_uint_eq(t.v->grants[0].until_boot_ns, end);
	ck_assert_int_eq(t.v->grants[0].until_s, g.until_s);
	max = t_login("max", MAX);
	ck_assert(t_may(max, p, POLICY_READ));
	ck_assert_int_eq(opens(max), 0);
	everybody_out();
}
END_TEST

START_TEST(after_another_boot_the_time_that_was_used_counts)
{
	struct fs_grant_text text;
	struct fs_grant g;
	uint64_t now;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	/* The host booted since; by the last minute that was noted 50 of 60 were used. */
	g = t.v->grants[0];
	memset(g.boot, 7, sizeof(g.boot));
	g.used_s = 50 * 60;
	g.until_s += 86400; /* and somebody set the wall clock back */
	ck_assert_int_eq(fs_glass_text(t.v, 1, &text), 0);
	ck_assert_int_eq(fs_glass_put(t.v, &g, &text), 0);
	everybody_out();
	t_close();
	t_open();
	now = fs_vault_boot_ns();
	ck_assert_uint_le(t.v->grants[0].until_boot_ns, now + 10 * MINUTE_NS);
	ck_assert_uint_gt(t.v->grants[0].until_boot_ns, now + 9 * MINUTE_NS);
}
END_TEST

START_TEST(time_that_was_used_is_noted_each_minute)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	t.v->grants[0].until_s -= 30 * 60;
	t.v->grants_noted_ns = 0;
	fs_vault_tick(t.v);
	ck_assert_uint_ge(t.v->grants[0].used_s, 30 * 60);
	ck_assert_uint_le(t.v->grants[0].used_s, 31 * 60);
	everybody_out();
}
END_TEST

START_TEST(closed_stays_closed_over_a_restart)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(opens(max), 0);
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	ck_assert(!t_may(max, p, POLICY_READ));
	ck_assert_ptr_null(fs_session_journal_find(max, p));
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), -ENOENT);
	everybody_out();
	t_close();
	t_open();
	max = t_login("max", MAX);
	ck_assert(!t_may(max, p, POLICY_READ));
	ck_assert_uint_eq(t.v->grants[0].end, FS_GLASS_CLOSED);
	everybody_out();
}
END_TEST

/* A disk that took nothing when the first was opened, and took the second. */
START_TEST(one_that_could_not_be_stored_shuts_nobody_out_of_the_vault)
{
	struct fs_key one = fs_key_n(0, 0, FS_T_GRANT, 1, 4);
	struct fs_grant_text text;
	struct fs_glass_item item;
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	t_poke(&one, NULL, 0);
	everybody_out();
	t_close();
	t_open();
	ck_assert_uint_eq(t.v->grant_count, 2);
	ck_assert_int_eq(t.v->grants[0].end, FS_GLASS_WITHDRAWN);
	ck_assert_int_eq(t.v->grants[1].end, FS_GLASS_OPEN);
	max = t_login("max", MAX);
	ck_assert(fs_glass_item(t.v, 1, &item));
	ck_assert_int_eq(fs_glass_text(t.v, 1, &text), 0);
	ck_assert_ptr_nonnull(strstr(text.reason, "the access log has it"));
	/* And it can be kept, judged. */
	item.g.review = FS_GLASS_JUSTIFIED;
	ck_assert_int_eq(fs_glass_put(t.v, &item.g, &text), 0);
	everybody_out();
	t_close();
	t_open();
	ck_assert_int_eq(t.v->grants[0].review, FS_GLASS_JUSTIFIED);
}
END_TEST

START_TEST(one_that_could_not_be_stored_is_stored_by_a_later_tick)
{
	struct fs_key one = fs_key_n(0, 0, FS_T_GRANT, 1, 4);
	struct fs_grant_text text;
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert(!t.v->grants[0].unkept);
	t_poke(&one, NULL, 0);
	t.v->grants[0].unkept = true;
	fs_vault_tick(t.v);
	ck_assert(!t.v->grants[0].unkept);
	everybody_out();
	t_close();
	t_open();
	ck_assert_uint_eq(t.v->grant_count, 1);
	ck_assert_int_eq(t.v->grants[0].end, FS_GLASS_OPEN);
	ck_assert_int_eq(t.v->grants[0].until_s, g.until_s);
	ck_assert_int_eq(fs_glass_text(t.v, 1, &text), 0);
}
END_TEST

/* Another's request has edit; meanwhile the screen is locked. */
static void *open_late(void *ctx)
{
	struct fs_grant g;

	*(int *)ctx = glass(max, "p", REASON, &g);
	return NULL;
}

START_TEST(session_that_is_locked_while_it_waits_gets_nothing)
{
	pthread_t thread;
	int rc = 1;

	clinic();
	pthread_mutex_lock(&t.v->edit);
	ck_assert_int_eq(pthread_create(&thread, NULL, open_late, &rc), 0);
	/* In begin, or waiting for edit: then or never it is locked. */
	usleep(200000);
	atomic_store(&max->state, FS_SESSION_LOCKED);
	pthread_mutex_unlock(&t.v->edit);
	pthread_join(thread, NULL);
	ck_assert_int_eq(rc, -ENOKEY);
	ck_assert_uint_eq(t.v->grant_count, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_BREAK_GLASS, ""), 0);
	atomic_store(&max->state, FS_SESSION_ACTIVE);
	everybody_out();
}
END_TEST

START_TEST(nobody_closes_anothers)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(fs_vault_glass_close(t.v, anna, "p", &t.say), -ENOENT);
	ck_assert(t_may(max, p, POLICY_READ));
	everybody_out();
}
END_TEST

START_TEST(a_second_one_is_no_longer_time)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(glass(max, "p", REASON " again", &g), -EEXIST);
	ck_assert_uint_eq(t.v->grant_count, 1);
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_uint_eq(g.number, 2);
	ck_assert_uint_eq(g.flags, FS_GLASS_AGAIN | FS_GLASS_REPEATED);
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	ck_assert_int_eq(glass(max, "p", "he fell on the stairs, head injury", &g), 0);
	ck_assert_uint_eq(g.flags, FS_GLASS_AGAIN | FS_GLASS_SERIAL | FS_GLASS_RECURRING);
	ck_assert_ptr_nonnull(strstr(t.alarm, "journal after journal"));
	everybody_out();
}
END_TEST

START_TEST(so_many_at_once_and_so_many_a_day)
{
	struct fs_grant g;

	clinic_with("session ceiling 12h\n", "session ceiling 12h\nbreak-glass at-once 1 daily 2\n");
	t_make(anna, "q");
	t_make(anna, "r");
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(glass(max, "q", REASON, &g), -EBUSY);
	ck_assert_ptr_nonnull(strstr(t.say.text, "--close"));
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	ck_assert_int_eq(glass(max, "q", REASON, &g), 0);
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "q", &t.say), 0);
	t.alarms = 0;
	ck_assert_int_eq(glass(max, "r", REASON, &g), -EBUSY);
	ck_assert_uint_eq(t.alarms, 1);
	/* Setting the clock back does not make them older. */
	t.v->grants[0].from_s += 10 * 86400;
	ck_assert_int_eq(glass(max, "r", REASON, &g), -EBUSY);
	t.v->grants[0].from_s -= 20 * 86400;
	t.v->grants[1].from_s -= 20 * 86400;
	ck_assert_int_eq(glass(max, "r", REASON, &g), 0);
	everybody_out();
}
END_TEST

START_TEST(words_are_judged)
{
	struct fs_glass_open in = {.journal = "p", .ground = FS_GLASS_OTHER, .reason = "x", .code = ""};
	char many[FS_GLASS_TEXT_MAX + 2];
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), -EINVAL);
	in.reason = "line one is long enough\nline two";
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), -EINVAL);
	in.reason = "\xff\xfe not UTF-8 but long enough";
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), -EINVAL);
	in.reason = "....................................";
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), -EINVAL);
	memset(many, 'a', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	in.reason = many;
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), -EINVAL);
	many[FS_GLASS_TEXT_MAX] = '\0';
	in.ground = 0;
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), -EINVAL);
	in.ground = FS_GLASS_GROUNDS;
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), -EINVAL);
	ck_assert_uint_eq(t.v->grant_count, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "break-glass:"), 7);
	in.ground = FS_GLASS_OTHER;
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), 0);
	everybody_out();
}
END_TEST

START_TEST(block_takes_a_step_of_its_own)
{
	struct fs_glass_open in = {
		.journal = "p", .ground = FS_GLASS_DANGER, .reason = REASON, .code = ""};
	struct fs_glass_preview seen;
	struct fs_grant g;

	clinic();
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:max:rwx\nblock user:max\n");
	ck_assert_int_eq(fs_vault_glass_ask(t.v, max, "p", &seen, &t.say), 0);
	ck_assert(seen.blocked);
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), -EDOTDOT);
	ck_assert(!t_may(max, p, POLICY_READ));
	in.pass_block = true;
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), 0);
	ck_assert_uint_eq(g.flags, FS_GLASS_PAST_BLOCK);
	ck_assert(t_may(max, p, POLICY_READ));
	ck_assert(!t_may(max, p, POLICY_WRITE));
	ck_assert_ptr_nonnull(strstr(t.alarm, "block"));
	everybody_out();
}
END_TEST

START_TEST(block_that_comes_later_ends_an_emergency_that_did_not_pass_it)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nblock user:max\n");
	ck_assert(!t_may(max, p, POLICY_READ));
	everybody_out();
}
END_TEST

START_TEST(step_that_nothing_asked_for_passes_no_later_block)
{
	struct fs_glass_open in = {.journal = "p",
				   .ground = FS_GLASS_DANGER,
				   .reason = REASON,
				   .code = "",
				   .pass_block = true};
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), 0);
	ck_assert_uint_eq(g.flags, 0);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nblock user:max\n");
	ck_assert(!t_may(max, p, POLICY_READ));
	everybody_out();
}
END_TEST

START_TEST(who_may_not_is_refused_and_logged)
{
	struct fs_session *sue;
	struct fs_glass_preview seen;
	struct fs_grant g;
	bool more;

	clinic();
	t_enroll(dan, "sue", SUE);
	sue = t_login("sue", SUE);
	ck_assert_int_eq(glass(sue, "p", REASON, &g), -EACCES);
	ck_assert_int_eq(glass(dan, "p", REASON, &g), -EACCES);
	ck_assert_int_eq(fs_vault_glass_ask(t.v, sue, "p", &seen, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_glass_search(t.v, sue, "ppp", NULL, NULL, &more, &t.say), -EACCES);
	ck_assert_int_eq(glass(anna, "p", REASON, &g), -EEXIST);
	ck_assert_int_eq(glass(max, "none", REASON, &g), -ENOENT);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "break-glass:"), 6);
	fs_vault_lock_begin(t.v, max);
	ck_assert_int_eq(glass(max, "p", REASON, &g), -ENOKEY);
	ck_assert_int_eq(fs_vault_lock_finish(t.v, max, "test"), 0);
	ck_assert_int_eq(glass(max, "p", REASON, &g), -ENOKEY);
	t_logout(sue);
	everybody_out();
}
END_TEST

START_TEST(leave_takes_it_away_for_good)
{
	struct fs_grant g;
	char text[T_POLICY_MAX];

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(opens(max), 0);
	snprintf(text, sizeof(text), "%s", practice);
	emergencies("role physician unit south", "role physician unit south on leave");
	t_put(dan, "practice", practice);
	ck_assert(!t_may(max, p, POLICY_READ));
	fs_vault_tick(t.v);
	ck_assert_uint_eq(t.v->grants[0].end, FS_GLASS_WITHDRAWN);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_BREAK_GLASS_END, "on leave"), 1);
	t_put(dan, "practice", text);
	fs_session_put(max); /* ended by the tick */
	max = t_login("max", MAX);
	ck_assert(!t_may(max, p, POLICY_READ));
	everybody_out();
}
END_TEST

START_TEST(role_that_loses_the_right_loses_the_access)
{
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	t_put(dan, "practice", CLINIC_POLICY);
	ck_assert(!t_may(max, p, POLICY_READ));
	fs_vault_tick(t.v);
	ck_assert_uint_eq(t.v->grants[0].end, FS_GLASS_WITHDRAWN);
	everybody_out();
}
END_TEST

static int take_name(void *ctx, const char *name)
{
	snprintf(ctx, 256, "%s", name);
	return 0;
}

START_TEST(search_is_logged_and_bounded)
{
	char name[256] = "";
	bool more;

	clinic();
	t_make(anna, "010190-1234 Hansen, Anna");
	ck_assert_int_eq(fs_vault_glass_search(t.v, max, "hANSEN", take_name, name, &more, &t.say), 0);
	ck_assert_str_eq(name, "010190-1234 Hansen, Anna");
	ck_assert(!more);
	ck_assert_int_eq(fs_vault_glass_search(t.v, max, "ha", take_name, name, &more, &t.say),
			 -EINVAL);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "at least 3 characters"), 1);
	for (int i = 0; i < 25; i++) {
		char many[32];

		snprintf(many, sizeof(many), "many %d", i);
		t_make(anna, many);
	}
	ck_assert_int_eq(fs_vault_glass_search(t.v, max, "many", take_name, name, &more, &t.say), 0);
	ck_assert(more);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_LIST, "emergency search"), 2);
	everybody_out();
}
END_TEST

START_TEST(what_was_written_under_it_is_believed_afterwards)
{
	struct fs_grant g;
	char got[256];

	clinic();
	t.alarms = 0;
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(t_write(max, p, "emergency", "given 5 mg"), 0);
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	t_drop(anna);
	t_drop(max);
	ck_assert_int_eq(t_read(anna, p, "emergency", got), 0);
	ck_assert_str_eq(got, "given 5 mg");
	ck_assert_msg(t.alarms == 0, "%s", t.alarm);
	everybody_out();
	t_close();
	t_open();
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(t_read(anna, p, "emergency", got), 0);
	ck_assert_msg(t.alarms == 0, "%s", t.alarm);
	everybody_out();
}
END_TEST

START_TEST(signature_without_a_grant_is_a_forgery)
{
	clinic();
	ck_assert(!fs_glass_wrote(t.v, max->pid, max->enrolment, p, 0, INT64_MAX));
	{
		struct fs_grant g;

		ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
		ck_assert(fs_glass_wrote(t.v, max->pid, max->enrolment, p, g.from_s, g.from_s));
		ck_assert(!fs_glass_wrote(t.v, max->pid, max->enrolment, p + 1, g.from_s, g.from_s));
		ck_assert(!fs_glass_wrote(t.v, anna->pid, anna->enrolment, p, g.from_s, g.from_s));
		/* The clock was set back after the log-in: that is no forgery. */
		ck_assert(fs_glass_wrote(t.v, max->pid, max->enrolment, p, g.until_s + 7200, g.until_s + 9000));
		ck_assert(!fs_glass_wrote(t.v, max->pid, max->enrolment, p, 0, g.from_s - 86401));
		ck_assert(!fs_glass_wrote(t.v, max->pid, max->enrolment, p, g.until_s + 86401, INT64_MAX));
	}
	everybody_out();
}
END_TEST

START_TEST(who_could_not_be_believed_afterwards_may_only_read)
{
	struct fs_grant g;
	int64_t since_s;
	uint64_t number;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert(fs_vault_drafts(t.v, max, p, &since_s));
	ck_assert_int_eq(since_s, g.from_s);
	/* He logged in while the clock was days ahead; then somebody put it right. */
	atomic_store(&max->signed_s, (uint64_t)g.until_s + 86401);
	max->ceiling_s = (uint64_t)g.until_s + 2 * 86400;
	ck_assert(!fs_vault_drafts(t.v, max, p, &since_s));
	ck_assert(fs_vault_grant(t.v, max, p, &number, &since_s));
	ck_assert(t_may(max, p, POLICY_READ));
	everybody_out();
}
END_TEST

START_TEST(copy_of_the_vault_without_the_host_secret_opens_nothing)
{
	struct fs_grant g;
	uint8_t sk[KEYS_LEN];

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	/* A thief with the vault, a clinician's passphrase and so the clinician's secret; another host. */
	t.v->host_secret[0] ^= 1;
	ck_assert_int_eq(fs_bg_get(t.v, max->pid, max->enrolment, 0, max->secret->box_sk, sk),
			 -EBADMSG);
	t.v->host_secret[0] ^= 1;
	ck_assert_int_eq(fs_bg_get(t.v, max->pid, max->enrolment, 0, max->secret->box_sk, sk), 0);
	ck_assert_int_eq(fs_bg_get(t.v, max->pid, max->enrolment, 0, anna->secret->box_sk, sk),
			 -EBADMSG);
	everybody_out();
}
END_TEST

START_TEST(texts_are_sealed_and_bound_to_their_grant)
{
	struct fs_key one = fs_key_n(0, 0, FS_T_GRANT, 1, 4), two = fs_key_n(0, 0, FS_T_GRANT, 2, 4);
	struct fs_grant_text text;
	struct fs_grant g;
	struct fs_buf *buf;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	buf = t_peek(&one);
	ck_assert_ptr_null(memmem(buf->data, buf->len, "ambulance", 9));
	ck_assert_int_eq(fs_glass_text(t.v, 1, &text), 0);
	ck_assert_str_eq(text.reason, REASON);
	t_poke(&two, buf->data, buf->len);
	fs_buf_put(buf);
	ck_assert_int_eq(fs_glass_text(t.v, 2, &text), 0);
	ck_assert_ptr_nonnull(strstr(text.reason, "earlier host"));
	t_poke(&two, "\x01short", 6);
	ck_assert_int_eq(fs_glass_text(t.v, 2, &text), -EBADMSG);
	t_poke(&two, NULL, 0);
	everybody_out();
}
END_TEST

static void copy(const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf '%s' && cp -a '%s' '%s'", to, from, to);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(vault_from_when_the_grant_was_open_is_no_vault)
{
	char kept[100];
	struct fs_grant g;

	clinic();
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	everybody_out();
	t_close();
	snprintf(kept, sizeof(kept), "%s/kept", t.base);
	copy(t.vault, kept);
	t_open();
	max = t_login("max", MAX);
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, "p", &t.say), 0);
	everybody_out();
	t_close();
	copy(kept, t.vault);
	ck_assert_int_eq(t_try_open(), -ESTALE);
	ck_assert_msg(strstr(t.say.text, "rolled back") != NULL, "%s", t.say.text);
}
END_TEST

/* ---- the key is made anew ---- */

static uint32_t wrap_turn(void)
{
	struct fs_key key = fs_journals_wrap_key(p, 1, FS_WRAP_BREAK_GLASS, 0);
	struct fs_buf *buf = t_peek(&key);
	struct bytes_in in = bytes_in(buf->data, buf->len);
	uint32_t turn = bytes_get_u32(&in);

	fs_buf_put(buf);
	return turn;
}

/* Bo, who could break the glass, is nurse no longer or gone. */
static void bo_goes(const char *how)
{
	char text[T_POLICY_MAX];
	const char *at = strstr(practice, "practitioner bo user bo role nurse unit north");

	ck_assert_ptr_nonnull(at);
	snprintf(text, sizeof(text), "%.*spractitioner bo user bo role %s%s", (int)(at - practice),
		 practice, how, at + strlen("practitioner bo user bo role nurse unit north"));
	t_put(dan, "practice", text);
}

static void clinic_with_bo(uint8_t old[static KEYS_LEN])
{
	struct fs_session *bo;

	clinic_with("role nurse clinical may list read write",
		    "role nurse clinical may list read write break-glass");
	t_enroll(dan, "bo", BO);
	bo = t_login("bo", BO);
	t_ticks();
	ck_assert_int_eq(fs_bg_of_session(t.v, bo, 0, old), 0);
	t_logout(bo);
	ck_assert_uint_eq(wrap_turn(), 0);
}

START_TEST(key_is_made_anew_when_somebody_with_the_right_leaves)
{
	uint8_t old[KEYS_LEN], now[KEYS_LEN], pk[KEYS_LEN];
	const struct keys_list_entry *entry;
	struct fs_journal_chain chain;
	struct fs_grant g;

	clinic_with_bo(old);
	entry = fs_lists_find(t.v, KEYS_LIST_BREAK_GLASS, 0);
	memcpy(pk, entry->box_pk, sizeof(pk));
	bo_goes("nurse unit north left");
	t_ticks();
	ck_assert_uint_eq(t.v->bg_turn, 1);
	ck_assert_uint_eq(wrap_turn(), 1);
	ck_assert(memcmp(fs_lists_find(t.v, KEYS_LIST_BREAK_GLASS, 0)->box_pk, pk, KEYS_LEN) != 0);
	ck_assert_int_eq(fs_bg_of_session(t.v, max, 1, now), 0);
	ck_assert_mem_ne(now, old, KEYS_LEN);
	/* What bo might have kept opens nothing that is there now. */
	ck_assert_int_lt(fs_journals_unwrap(t.v, p, FS_WRAP_BREAK_GLASS, 0, 1, old, &chain), 0);
	/* And what nobody needs any more is gone. */
	ck_assert_uint_eq(t.v->bg_oldest, 1);
	ck_assert_int_eq(fs_bg_of_session(t.v, max, 0, now), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "made anew, since"), 1);
	ck_assert_int_eq(fs_lists_check(t.v), 0);
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(opens(max), 0);
	everybody_out();
	t_close();
	t_open();
	max = t_login("max", MAX);
	ck_assert_uint_eq(t.v->bg_turn, 1);
	ck_assert_int_eq(opens(max), 0);
	everybody_out();
}
END_TEST

START_TEST(other_role_is_as_good_as_leaving)
{
	uint8_t old[KEYS_LEN];

	clinic_with_bo(old);
	bo_goes("reader unit north");
	t_ticks();
	ck_assert_uint_eq(t.v->bg_turn, 1);
	ck_assert_uint_eq(wrap_turn(), 1);
	everybody_out();
}
END_TEST

START_TEST(renewal_waits_for_a_clinician_and_survives_a_restart)
{
	uint8_t old[KEYS_LEN];
	struct fs_grant g;

	clinic_with_bo(old);
	t_logout(anna);
	t_logout(max);
	anna = max = NULL;
	bo_goes("nurse unit north left");
	t_ticks();
	ck_assert_uint_eq(t.v->bg_turn, 0);
	ck_assert(t.v->bg_renew);
	t_logout(dan);
	dan = NULL;
	t_close();
	t_open();
	ck_assert(t.v->bg_renew);
	/* He alone: the journal's wraps are of the turn before until the tick comes to them. */
	max = t_login("max", MAX);
	ck_assert_int_eq(glass(max, "p", REASON, &g), 0);
	ck_assert_int_eq(opens(max), 0);
	t_drop(max);
	pthread_mutex_lock(&t.v->edit);
	t.v->lists_dirty = true;
	fs_lists_tick(t.v);
	pthread_mutex_unlock(&t.v->edit);
	ck_assert_uint_eq(t.v->bg_turn, 1);
	ck_assert_uint_eq(wrap_turn(), 0);
	ck_assert_int_eq(opens(max), 0);
	t_drop(max);
	/* Nobody who holds the journal's key is here: the key before gives it to the new one, and says so. */
	t_ticks();
	ck_assert_uint_eq(wrap_turn(), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "the break-glass key before opens"), 1);
	ck_assert_int_eq(opens(max), 0);
	everybody_out();
}
END_TEST

START_TEST(recovery_key_has_the_new_pair_too)
{
	uint8_t old[KEYS_LEN], sk[KEYS_LEN], got[KEYS_LEN], want[KEYS_LEN], key[KEYS_RECOVERY_LEN];
	uint8_t pk[KEYS_LEN];

	clinic_with_bo(old);
	bo_goes("nurse unit north left");
	t_ticks();
	ck_assert_int_eq(keys_recovery_parse(t.made.recovery, key), 0);
	keys_recovery_box(t.made.vault, key, pk, sk);
	ck_assert_int_eq(fs_bg_get(t.v, 0, 0, 1, sk, got), 0);
	ck_assert_int_eq(fs_bg_of_session(t.v, max, 1, want), 0);
	ck_assert_mem_eq(got, want, KEYS_LEN);
	everybody_out();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/break_glass");
	TCase *tc = tcase_create("emergency");

	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, emergency_opens_to_read_and_for_new_notes_alone);
	tcase_add_test(tc, it_is_of_one_journal_and_one_practitioner);
	tcase_add_test(tc, each_use_of_the_key_is_logged);
	tcase_add_test(tc, works_with_nobody_else_logged_in);
	tcase_add_test(tc, who_has_no_key_for_emergencies_yet_is_told_so);
	tcase_add_test(tc, no_wrap_is_left_behind);
	tcase_add_test(tc, ends_on_the_wall_clock);
	tcase_add_test(tc, ends_on_the_boot_clock_though_the_wall_clock_was_set_back);
	tcase_add_test(tc, survives_a_restart_with_what_is_left_and_never_more);
	tcase_add_test(tc, after_another_boot_the_time_that_was_used_counts);
	tcase_add_test(tc, time_that_was_used_is_noted_each_minute);
	tcase_add_test(tc, closed_stays_closed_over_a_restart);
	tcase_add_test(tc, one_that_could_not_be_stored_shuts_nobody_out_of_the_vault);
	tcase_add_test(tc, one_that_could_not_be_stored_is_stored_by_a_later_tick);
	tcase_add_test(tc, session_that_is_locked_while_it_waits_gets_nothing);
	tcase_add_test(tc, nobody_closes_anothers);
	tcase_add_test(tc, a_second_one_is_no_longer_time);
	tcase_add_test(tc, so_many_at_once_and_so_many_a_day);
	tcase_add_test(tc, words_are_judged);
	tcase_add_test(tc, block_takes_a_step_of_its_own);
	tcase_add_test(tc, block_that_comes_later_ends_an_emergency_that_did_not_pass_it);
	tcase_add_test(tc, step_that_nothing_asked_for_passes_no_later_block);
	tcase_add_test(tc, who_may_not_is_refused_and_logged);
	tcase_add_test(tc, leave_takes_it_away_for_good);
	tcase_add_test(tc, role_that_loses_the_right_loses_the_access);
	tcase_add_test(tc, search_is_logged_and_bounded);
	tcase_add_test(tc, what_was_written_under_it_is_believed_afterwards);
	tcase_add_test(tc, signature_without_a_grant_is_a_forgery);
	tcase_add_test(tc, who_could_not_be_believed_afterwards_may_only_read);
	tcase_add_test(tc, copy_of_the_vault_without_the_host_secret_opens_nothing);
	tcase_add_test(tc, texts_are_sealed_and_bound_to_their_grant);
	tcase_add_test(tc, vault_from_when_the_grant_was_open_is_no_vault);
	tcase_add_test(tc, key_is_made_anew_when_somebody_with_the_right_leaves);
	tcase_add_test(tc, other_role_is_as_good_as_leaving);
	tcase_add_test(tc, renewal_waits_for_a_clinician_and_survives_a_restart);
	tcase_add_test(tc, recovery_key_has_the_new_pair_too);
	suite_add_tcase(s, tc);
	return t_run(s);
}
