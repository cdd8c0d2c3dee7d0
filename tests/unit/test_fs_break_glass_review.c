/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emergency accesses judged: who may, from which state to which, what is said and logged,
 * what is overdue, what a reviewer sees of the log, and what recurs.
 *
 * clock_gettime and pwritev2 are defined here, before the C library's: both clocks can be put
 * forward, and the log made to fail.
 */
#include "test_fs_vault.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static atomic_llong skew_s;
static atomic_int log_errno; /* what the log's synced writes fail with */

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	if (log_errno) {
		errno = log_errno;
		return -1;
	}
	return syscall(SYS_pwritev2, fd, iov, n, off, 0, flags);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	out->tv_sec += skew_s;
	return rc;
}

enum { PIA = 2100 };

#define POLICY_WITH(eva_role, more)                                                                \
	"practice \"Klinik Nord\"\n"                                                               \
	"session ceiling 12h\n"                                                                    \
	"break-glass limit 60m reason 20 review 1h at-once 20 daily 20\n"                          \
	"role physician clinical may list read write create\n"                                     \
	"role emergency clinical may list read write break-glass\n"                                \
	"role both clinical may list read write break-glass review\n"                              \
	"role steward may policy\n"                                                                \
	"role auditor may audit review\n"                                                          \
	"role privacy may review\n"                                                                \
	"role logs may audit\n"                                                                    \
	"unit north \"Nord\"\n"                                                                    \
	"unit south \"Syd\"\n"                                                                     \
	"practitioner dan user dan role steward\n"                                                 \
	"practitioner anna user anna role physician unit north\n"                                  \
	"practitioner eva user eva role " eva_role " unit south\n"                                 \
	"practitioner bo user bo role emergency unit south\n" more
#define REVIEWERS                                                                                  \
	"practitioner lis user lis role auditor\n"                                                 \
	"practitioner pia user pia role privacy\n"
#define LOGS "practitioner lis user lis role logs\n"
#define PRACTICE POLICY_WITH("emergency", REVIEWERS)

#define WHY "brought in unconscious, needs the list"
#define NOTE "the ward confirms it"

static struct fs_session *dan, *anna, *eva, *bo, *lis, *pia;
static uint32_t p, q;

static void setup(void)
{
	skew_s = 0;
	t_setup();
}

/* Check measures with the same clocks. */
static void teardown(void)
{
	skew_s = 0;
	t_teardown();
}

static void clinic(void)
{
	dan = t_clinic();
	t_put(dan, "practice", PRACTICE);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "eva", EVA);
	t_enroll(dan, "bo", BO);
	t_enroll(dan, "lis", LIS);
	t_enroll(dan, "pia", PIA);
	t_ticks();
	anna = t_login("anna", ANNA);
	p = t_make(anna, "p");
	q = t_make(anna, "q");
	eva = t_login("eva", EVA);
	bo = t_login("bo", BO);
	lis = t_login("lis", LIS);
	pia = t_login("pia", PIA);
	t_ticks();
}

static void everybody_out(void)
{
	struct fs_session *all[] = {dan, anna, eva, bo, lis, pia};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i])
			t_logout(all[i]);
	}
}

static uint32_t emergency(struct fs_session *s, const char *journal, const char *why)
{
	const struct fs_glass_open in = {
		.journal = journal, .ground = FS_GLASS_DANGER, .reason = why, .code = ""};
	struct fs_grant g = {0};
	int rc = fs_vault_glass_open(t.v, s, &in, &g, &t.say);

	ck_assert_msg(rc == 0, "emergency: %d %s", rc, t.say.text);
	return g.number;
}

/* Opened and ended. */
static uint32_t past(struct fs_session *s, const char *journal)
{
	uint32_t n = emergency(s, journal, WHY);

	ck_assert_int_eq(fs_vault_glass_close(t.v, s, journal, &t.say), 0);
	return n;
}

static uint32_t deviation;

static int judge(struct fs_session *by, uint32_t number, enum fs_glass_review verdict,
		 const char *note)
{
	t.say.text[0] = '\0';
	return fs_vault_glass_review(t.v, by, number, verdict, note, &deviation, &t.say);
}

/* ---- lists ---- */

struct seen {
	unsigned n;
	struct fs_glass_item item[8];
};

static int see(void *ctx, const struct fs_glass_item *item)
{
	struct seen *s = ctx;

	ck_assert_uint_lt(s->n, 8);
	s->item[s->n++] = *item;
	return 0;
}

static struct seen list(struct fs_session *by, uint32_t number, int want)
{
	struct seen s = {0};

	t.say.text[0] = '\0';
	ck_assert_int_eq(fs_vault_glass_list(t.v, by, number, see, &s, &t.say), want);
	return s;
}

static struct fs_glass_counts counts(struct fs_session *by)
{
	struct fs_glass_counts c;

	fs_vault_glass_counts(t.v, by, &c);
	return c;
}

struct pairs {
	unsigned n;
	struct fs_glass_pair pair[4];
};

static int take_pair(void *ctx, const struct fs_glass_pair *pair)
{
	struct pairs *all = ctx;

	ck_assert_uint_lt(all->n, 4);
	all->pair[all->n++] = *pair;
	return 0;
}

static struct pairs pairs(struct fs_session *by, int want)
{
	struct pairs all = {0};

	ck_assert_int_eq(fs_vault_glass_pairs(t.v, by, take_pair, &all, &t.say), want);
	return all;
}

/* ---- states ---- */

START_TEST(open_one_is_not_judged_and_an_ended_one_once)
{
	uint32_t n;

	clinic();
	n = emergency(eva, "p", WHY);
	ck_assert_str_eq(fs_glass_state_word(&list(pia, n, 0).item[0].g), "open");
	ck_assert_int_eq(judge(pia, n, FS_GLASS_JUSTIFIED, NOTE), -EBUSY);
	ck_assert_ptr_nonnull(strstr(t.say.text, "not over yet"));
	ck_assert_int_eq(judge(pia, n, FS_GLASS_SETTLED, NOTE), -EINVAL);
	ck_assert_int_eq(fs_vault_glass_close(t.v, eva, "p", &t.say), 0);
	ck_assert_str_eq(fs_glass_state_word(&list(pia, n, 0).item[0].g), "pending-review");
	ck_assert_uint_eq(counts(NULL).pending, 1);
	ck_assert_int_eq(judge(pia, n, FS_GLASS_SETTLED, NOTE), -EINVAL);
	ck_assert_int_eq(judge(pia, n, FS_GLASS_PENDING, NOTE), -EINVAL);
	ck_assert_int_eq(judge(pia, n, (enum fs_glass_review)4, NOTE), -EINVAL);
	ck_assert_int_eq(judge(pia, n, FS_GLASS_JUSTIFIED, NOTE), 0);
	ck_assert_uint_eq(deviation, 0);
	ck_assert_uint_eq(counts(NULL).pending, 0);
	for (int v = FS_GLASS_JUSTIFIED; v <= FS_GLASS_SETTLED; v++)
		ck_assert_int_eq(judge(lis, n, (enum fs_glass_review)v, "otherwise"), -EALREADY);
	ck_assert_str_eq(list(pia, n, 0).item[0].text.note, NOTE);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_GRANT_REVIEW, "of eva: justified"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_GRANT_REVIEW, NULL), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "judging emergency access 1"), 8);
	everybody_out();
}
END_TEST

START_TEST(unjustified_opens_a_deviation_which_is_closed_once)
{
	struct fs_glass_item item;
	unsigned alarms;
	uint32_t n;

	clinic();
	n = past(eva, "p");
	alarms = t.alarms;
	ck_assert_int_eq(judge(lis, n, FS_GLASS_UNJUSTIFIED, "she was not on duty"), 0);
	ck_assert_uint_eq(deviation, 1);
	ck_assert_uint_eq(t.alarms, alarms + 1);
	ck_assert_ptr_nonnull(strstr(t.alarm, "unjustified: deviation 1"));
	ck_assert_uint_eq(counts(NULL).deviations, 1);
	ck_assert_int_eq(judge(lis, n, FS_GLASS_JUSTIFIED, NOTE), -EALREADY);
	ck_assert_int_eq(judge(pia, n, FS_GLASS_SETTLED, "spoken with her and the patient"), 0);
	ck_assert_uint_eq(deviation, 1);
	ck_assert_uint_eq(counts(NULL).deviations, 0);
	ck_assert_int_eq(judge(pia, n, FS_GLASS_SETTLED, "again"), -EALREADY);
	ck_assert_int_eq(judge(pia, n, FS_GLASS_UNJUSTIFIED, "again"), -EALREADY);
	item = list(lis, n, 0).item[0];
	ck_assert_str_eq(fs_glass_state_word(&item.g), "closed");
	ck_assert_str_eq(item.text.reason, WHY);
	ck_assert_str_eq(item.text.note, "she was not on duty");
	ck_assert_str_eq(item.text.settled, "spoken with her and the patient");
	ck_assert_str_eq(item.reviewer, "lis");
	ck_assert_str_eq(item.role, "emergency");
	ck_assert_str_eq(item.unit, "south");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_GRANT_REVIEW, "UNJUSTIFIED, deviation 1"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_GRANT_REVIEW, "deviation 1 is closed"), 1);
	everybody_out();
}
END_TEST

START_TEST(deviations_are_numbered_without_gap_and_never_again)
{
	uint32_t n[4];

	clinic();
	for (int i = 0; i < 4; i++)
		n[i] = past(i % 2 ? bo : eva, i < 2 ? "p" : "q");
	ck_assert_int_eq(judge(pia, n[2], FS_GLASS_UNJUSTIFIED, NOTE), 0);
	ck_assert_uint_eq(deviation, 1);
	ck_assert_int_eq(judge(pia, n[0], FS_GLASS_UNJUSTIFIED, NOTE), 0);
	ck_assert_uint_eq(deviation, 2);
	ck_assert_int_eq(judge(pia, n[0], FS_GLASS_SETTLED, NOTE), 0);
	ck_assert_int_eq(judge(pia, n[1], FS_GLASS_JUSTIFIED, NOTE), 0);
	ck_assert_uint_eq(deviation, 0);
	everybody_out();
	t_close();
	t_open();
	pia = t_login("pia", PIA);
	dan = anna = eva = bo = lis = NULL;
	ck_assert_int_eq(judge(pia, n[3], FS_GLASS_UNJUSTIFIED, NOTE), 0);
	ck_assert_uint_eq(deviation, 3);
	everybody_out();
}
END_TEST

START_TEST(reopened_vault_keeps_verdicts_and_notes)
{
	struct fs_glass_item before, after;
	uint32_t n;

	clinic();
	n = past(eva, "p");
	ck_assert_int_eq(judge(pia, n, FS_GLASS_UNJUSTIFIED, NOTE), 0);
	before = list(pia, n, 0).item[0];
	everybody_out();
	t_close();
	t_open();
	pia = t_login("pia", PIA);
	dan = anna = eva = bo = lis = NULL;
	after = list(pia, n, 0).item[0];
	after.g.until_boot_ns = before.g.until_boot_ns;
	ck_assert_int_eq(memcmp(&before.g, &after.g, sizeof(before.g)), 0);
	ck_assert_str_eq(after.text.note, NOTE);
	ck_assert_str_eq(after.text.reason, WHY);
	ck_assert_str_eq(after.journal, "p");
	ck_assert_int_eq(judge(pia, n, FS_GLASS_JUSTIFIED, NOTE), -EALREADY);
	everybody_out();
}
END_TEST

/* ---- by whom ---- */

START_TEST(only_the_review_right_judges)
{
	uint32_t n;

	clinic();
	n = past(eva, "p");
	ck_assert_int_eq(judge(dan, n, FS_GLASS_JUSTIFIED, NOTE), -EACCES);
	ck_assert_ptr_nonnull(strstr(t.say.text, "review right"));
	ck_assert_int_eq(judge(anna, n, FS_GLASS_JUSTIFIED, NOTE), -EACCES);
	ck_assert_int_eq(judge(bo, n, FS_GLASS_UNJUSTIFIED, NOTE), -EACCES);
	ck_assert_int_eq(judge(eva, n, FS_GLASS_JUSTIFIED, NOTE), -EACCES);
	/* Who has not the right does not learn which numbers there are. */
	ck_assert_int_eq(judge(bo, 99, FS_GLASS_JUSTIFIED, NOTE), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "judging emergency access"), 5);
	fs_vault_lock_begin(t.v, pia);
	ck_assert_int_eq(judge(pia, n, FS_GLASS_JUSTIFIED, NOTE), -ENOKEY);
	ck_assert_uint_eq(counts(NULL).pending, 1);
	everybody_out();
}
END_TEST

START_TEST(user_who_got_the_review_right_does_not_judge_his_own)
{
	uint32_t n, other;

	clinic();
	n = past(eva, "p");
	other = past(bo, "p");
	t_put(dan, "practice", POLICY_WITH("both", REVIEWERS));
	ck_assert_int_eq(judge(eva, n, FS_GLASS_JUSTIFIED, NOTE), -EPERM);
	ck_assert_ptr_nonnull(strstr(t.say.text, "another person"));
	ck_assert_int_eq(judge(eva, other, FS_GLASS_JUSTIFIED, NOTE), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "never judges it"), 1);
	everybody_out();
}
END_TEST

START_TEST(user_with_a_new_identity_does_not_judge_his_own)
{
	char code[KEYS_CODE_TEXT_MAX];
	uint32_t n, enrolment;

	clinic();
	n = past(eva, "p");
	enrolment = eva->enrolment;
	t_put(dan, "practice", POLICY_WITH("both", REVIEWERS));
	t_logout(eva);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "eva", true, 0, code, &t.say), 0);
	ck_assert_int_eq(t_try_enroll(code, "eva", EVA, "eva"), 0);
	eva = t_login("eva", EVA);
	ck_assert_uint_gt(eva->enrolment, enrolment);
	ck_assert_int_eq(judge(eva, n, FS_GLASS_JUSTIFIED, NOTE), -EPERM);
	/* Her own it is still, for looking. */
	ck_assert(list(eva, n, 0).item[0].mine);
	ck_assert_uint_eq(counts(NULL).pending, 1);
	everybody_out();
}
END_TEST

static void t_invite_as(struct fs_session *steward, const char *name, const char *account,
			uid_t uid)
{
	char code[KEYS_CODE_TEXT_MAX];

	ck_assert_int_eq(fs_vault_invite(t.v, steward, name, false, 0, code, &t.say), 0);
	ck_assert_int_eq(t_try_enroll(code, account, uid, name), 0);
}

/* A friendly steward lets the same account have a second name, whose role may review. */
START_TEST(second_identity_of_the_same_account_does_not_judge)
{
	char moved[T_POLICY_MAX];
	struct fs_session *twin;
	uint32_t n;

	clinic();
	n = past(eva, "p");
	strcpy(moved, PRACTICE "practitioner evatwo user eva role privacy\n");
	memcpy(strstr(moved, "user eva role"), "user evb role", 13);
	t_put(dan, "practice", moved);
	t_invite_as(dan, "evatwo", "eva", EVA);
	twin = t_login("evatwo", EVA);
	ck_assert_int_eq(judge(twin, n, FS_GLASS_JUSTIFIED, NOTE), -EPERM);
	ck_assert_uint_eq(counts(NULL).pending, 1);
	t_logout(twin);
	everybody_out();
}
END_TEST

START_TEST(where_nobody_else_may_it_is_said_with_what_to_do)
{
	uint32_t n;

	clinic();
	n = past(eva, "p");
	t_put(dan, "practice",
	      POLICY_WITH("both", LOGS "practitioner pia user pia role privacy left\n"));
	ck_assert_int_eq(judge(eva, n, FS_GLASS_JUSTIFIED, NOTE), -EPERM);
	ck_assert_ptr_nonnull(strstr(t.say.text, "names nobody else with the review right"));
	ck_assert_ptr_nonnull(strstr(t.say.text, "a steward gives it to a second person"));
	list(eva, 0, 0);
	ck_assert_ptr_nonnull(strstr(t.say.text, "1 of these can be judged by nobody"));
	/* On leave, or past their time, is nobody either. */
	t_put(dan, "practice",
	      POLICY_WITH("both",
			  LOGS "practitioner kim user kim role auditor on leave\n"
			       "practitioner pia user pia role privacy until 2020-01-01\n"));
	list(eva, 0, 0);
	ck_assert_ptr_nonnull(strstr(t.say.text, "judged by nobody"));
	t_put(dan, "practice", POLICY_WITH("both", REVIEWERS));
	list(eva, 0, 0);
	ck_assert_str_eq(t.say.text, "");
	list(bo, 0, 0);
	ck_assert_ptr_nonnull(strstr(t.say.text, "only your own are shown"));
	everybody_out();
}
END_TEST

START_TEST(who_left_is_still_judged)
{
	uint32_t n;

	clinic();
	n = past(eva, "p");
	t_put(dan, "practice",
	      "practice \"Klinik Nord\"\nrole steward may policy\nrole privacy may review\n"
	      "role emergency clinical may list read write break-glass\n"
	      "role physician clinical may list read write create\nunit north \"Nord\"\n"
	      "unit south \"Syd\"\nrole auditor may audit review\n"
	      "practitioner dan user dan role steward\n"
	      "practitioner anna user anna role physician unit north\n"
	      "practitioner eva user eva role emergency unit south left\n"
	      "practitioner bo user bo role emergency unit south\n" REVIEWERS);
	ck_assert_str_eq(list(pia, n, 0).item[0].who, "eva");
	ck_assert_int_eq(judge(pia, n, FS_GLASS_UNJUSTIFIED, NOTE), 0);
	everybody_out();
}
END_TEST

/* ---- what is given ---- */

START_TEST(note_is_one_line_of_plain_text)
{
	static const char *const bad[] = {
		"",
		"   ",
		"two\nlines",
		"a\ttab",
		"bell\a",
		"red\033[31m",
		"\xff\xfe",
		"cut \xc3",
		"\xe2\x80\xae turned",
		"\xe2\x80\xa8 separated",
		"c1 \xc2\x9b",
	};
	char text[FS_GLASS_TEXT_MAX + 2];
	uint32_t n;

	clinic();
	n = past(eva, "p");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(judge(pia, n, FS_GLASS_JUSTIFIED, bad[i]) == -EINVAL, "%zu", i);
	memset(text, 'x', sizeof(text));
	text[FS_GLASS_TEXT_MAX + 1] = '\0';
	ck_assert_int_eq(judge(pia, n, FS_GLASS_JUSTIFIED, text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(t.say.text, "one line of plain text"));
	ck_assert_uint_eq(counts(NULL).pending, 1);
	text[FS_GLASS_TEXT_MAX] = '\0';
	ck_assert_int_eq(judge(pia, n, FS_GLASS_JUSTIFIED, text), 0);
	ck_assert_str_eq(list(pia, n, 0).item[0].text.note, text);
	everybody_out();
}
END_TEST

START_TEST(number_that_is_not_there_is_refused)
{
	static const uint32_t none[] = {0, 2, 99, UINT32_MAX};

	clinic();
	past(eva, "p");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		ck_assert_int_eq(judge(pia, none[i], FS_GLASS_JUSTIFIED, NOTE), -ENOENT);
		if (none[i])
			list(pia, none[i], -ENOENT);
	}
	ck_assert_uint_eq(counts(NULL).pending, 1);
	everybody_out();
}
END_TEST

/* Mallory writes into the database: the others are shown, and nothing of his is believed. */
START_TEST(damaged_record_hides_no_other)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_GRANT, 1, 4);
	struct seen s;

	clinic();
	past(eva, "p");
	past(bo, "p");
	t_poke(&key, "forged", 6);
	s = list(pia, 0, 0);
	ck_assert_uint_eq(s.n, 2);
	ck_assert_ptr_nonnull(strstr(s.item[0].text.reason, "damaged"));
	ck_assert_str_eq(s.item[0].who, "eva");
	ck_assert_str_eq(s.item[1].text.reason, WHY);
	ck_assert_int_eq(judge(pia, 1, FS_GLASS_JUSTIFIED, NOTE), -EBADMSG);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_GRANT_REVIEW, NULL), 0);
	everybody_out();
}
END_TEST

START_TEST(what_the_log_does_not_take_is_not_judged)
{
	unsigned alarms;
	uint32_t n;

	clinic();
	n = past(eva, "p");
	alarms = t.alarms;
	log_errno = EIO;
	ck_assert_int_eq(judge(pia, n, FS_GLASS_UNJUSTIFIED, NOTE), -EIO);
	ck_assert_uint_eq(counts(NULL).pending, 1);
	ck_assert_uint_eq(counts(NULL).deviations, 0);
	ck_assert_uint_eq(t.alarms, alarms);
	/* Nothing is shown either, and no refusal is answered as one. */
	ck_assert_uint_eq(list(pia, 0, -EIO).n, 0);
	ck_assert_uint_eq(pairs(pia, -EIO).n, 0);
	ck_assert_int_eq(judge(dan, n, FS_GLASS_JUSTIFIED, NOTE), -EIO);
	log_errno = 0;
	(void)fs_vault_close(t.v);
	t.v = NULL;
}
END_TEST

/* ---- overdue ---- */

START_TEST(overdue_is_counted_and_told_once)
{
	unsigned alarms;
	uint32_t n;

	clinic();
	n = past(eva, "p");
	t_ticks();
	ck_assert_uint_eq(counts(NULL).overdue, 0);
	skew_s = 3599;
	ck_assert_uint_eq(counts(NULL).overdue, 0);
	skew_s = 3700;
	alarms = t.alarms;
	t_ticks();
	ck_assert_uint_eq(counts(NULL).overdue, 1);
	ck_assert_int_eq(counts(NULL).overdue_s, list(pia, n, 0).item[0].g.due_s);
	ck_assert_uint_eq(t.alarms, alarms + 1);
	ck_assert_ptr_nonnull(strstr(t.alarm, "emergency access 1 has not been judged"));
	ck_assert_ptr_null(strstr(t.alarm, "eva"));
	ck_assert(list(pia, n, 0).item[0].overdue);
	for (int i = 0; i < 5; i++) {
		skew_s += 100;
		t_ticks();
	}
	ck_assert_uint_eq(t.alarms, alarms + 1);
	everybody_out();
	dan = anna = eva = bo = lis = NULL;
	t_close();
	t_open();
	skew_s += 100;
	t_ticks();
	ck_assert_uint_eq(t.alarms, alarms + 1);
	ck_assert_uint_eq(counts(NULL).overdue, 1);
	pia = t_login("pia", PIA);
	ck_assert_int_eq(judge(pia, n, FS_GLASS_JUSTIFIED, NOTE), 0);
	ck_assert_uint_eq(counts(NULL).overdue, 0);
	ck_assert(!list(pia, n, 0).item[0].overdue);
	everybody_out();
}
END_TEST

/* Nobody is logged in: whoever is to be told is told all the same. */
START_TEST(overdue_is_told_while_nobody_is_logged_in)
{
	unsigned alarms;

	clinic();
	past(eva, "p");
	everybody_out();
	ck_assert_ptr_null(t.v->practice);
	skew_s = 3700;
	alarms = t.alarms;
	t_ticks();
	ck_assert_uint_eq(t.alarms, alarms + 1);
	skew_s = 0;
}
END_TEST

START_TEST(one_that_expired_is_pending_and_open_ones_are_never_overdue)
{
	uint32_t n;

	clinic();
	t_put(dan, "practice",
	      "practice \"Klinik Nord\"\nsession ceiling 24h\nbreak-glass limit 4h review 1h\n"
	      "role steward may policy\nrole privacy may review\nrole auditor may audit review\n"
	      "role emergency clinical may list read write break-glass\n"
	      "role physician clinical may list read write create\nunit north \"Nord\"\n"
	      "unit south \"Syd\"\npractitioner dan user dan role steward\n"
	      "practitioner anna user anna role physician unit north\n"
	      "practitioner eva user eva role emergency unit south\n"
	      "practitioner bo user bo role emergency unit south\n" REVIEWERS);
	n = emergency(eva, "p", WHY);
	ck_assert_uint_eq(counts(eva).mine_open, 1);
	ck_assert_uint_eq(counts(bo).mine_open, 0);
	skew_s = 2 * 3600;
	t_ticks();
	ck_assert_uint_eq(counts(NULL).open, 1);
	ck_assert_uint_eq(counts(NULL).overdue, 0);
	skew_s = 4 * 3600 + 1;
	/* Over, whether the tick came to it or not; judged once it has. */
	ck_assert_uint_eq(counts(NULL).open, 0);
	ck_assert_uint_eq(counts(NULL).overdue, 1);
	ck_assert_int_eq(judge(pia, n, FS_GLASS_JUSTIFIED, NOTE), -EBUSY);
	t_ticks();
	ck_assert_str_eq(fs_glass_end_word(&list(pia, n, 0).item[0].g), "expired");
	ck_assert_int_eq(judge(pia, n, FS_GLASS_JUSTIFIED, NOTE), 0);
	everybody_out();
}
END_TEST

static int take_review(void *ctx, const struct fs_policy_item *item)
{
	char *out = ctx;

	if (!strcmp(item->kind, "review"))
		snprintf(out, 1400, "%s | %s", item->text, item->next);
	return 0;
}

START_TEST(steward_is_shown_what_is_overdue)
{
	char got[1400] = "";

	clinic();
	past(eva, "p");
	ck_assert_int_eq(fs_vault_policy_status(t.v, dan, 30, take_review, got, &t.say), 0);
	ck_assert_str_eq(got, "");
	skew_s = 3700;
	ck_assert_int_eq(fs_vault_policy_status(t.v, dan, 30, take_review, got, &t.say), 0);
	ck_assert_ptr_nonnull(strstr(got, "emergency access 1 of eva is not judged"));
	ck_assert_ptr_nonnull(strstr(got, "journalfs review 1"));
	skew_s = 0;
	everybody_out();
}
END_TEST

/* ---- looking ---- */

START_TEST(practitioner_sees_the_own_ones_with_their_verdict)
{
	struct seen s;
	uint32_t n, other;

	clinic();
	n = past(eva, "p");
	other = past(bo, "q");
	ck_assert_int_eq(judge(pia, n, FS_GLASS_UNJUSTIFIED, "not on duty"), 0);
	s = list(eva, 0, 0);
	ck_assert_uint_eq(s.n, 1);
	ck_assert_uint_eq(s.item[0].g.number, n);
	ck_assert_str_eq(s.item[0].text.note, "not on duty");
	ck_assert_str_eq(s.item[0].journal, "p");
	ck_assert(s.item[0].mine);
	list(eva, other, -ENOENT);
	ck_assert_str_eq(t.say.text, "there is no emergency access 2, or it is not yours to see");
	list(eva, 99, -ENOENT);
	ck_assert_uint_eq(list(anna, 0, 0).n, 0);
	ck_assert_uint_eq(list(dan, 0, 0).n, 0);
	ck_assert_uint_eq(list(pia, 0, 0).n, 2);
	ck_assert_uint_eq(list(lis, 0, 0).n, 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_AUDIT, "all emergency accesses were listed"), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_AUDIT, "own emergency accesses were listed"), 3);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "looking at emergency access"), 2);
	everybody_out();
}
END_TEST

/* A journal got another name: who may not look names up any more is not shown it. */
START_TEST(name_is_not_shown_to_who_may_not_break_the_glass_any_more)
{
	uint32_t n;

	clinic();
	n = past(eva, "p");
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "p", "protected name"), 0);
	ck_assert_str_eq(list(eva, n, 0).item[0].journal, "protected name");
	t_put(dan, "practice", POLICY_WITH("physician", REVIEWERS));
	ck_assert_str_eq(list(eva, n, 0).item[0].journal, "");
	ck_assert_str_eq(list(pia, n, 0).item[0].journal, "protected name");
	everybody_out();
}
END_TEST

struct acts {
	unsigned under, before, intents, others;
	char all[4000];
};

static int take_act(void *ctx, const struct policy_record *r, bool before)
{
	struct acts *a = ctx;
	size_t at = strlen(a->all);

	snprintf(a->all + at, sizeof(a->all) - at, "%s %s %s|", before ? "before" : "under",
		 r->name, r->detail);
	a->before += before;
	a->under += !before;
	return 0;
}

static struct acts acts(struct fs_session *by, uint32_t number, int want)
{
	struct acts a = {0};

	t.say.text[0] = '\0';
	ck_assert_int_eq(fs_vault_glass_acts(t.v, by, number, take_act, &a, &t.say), want);
	return a;
}

/* What the gate writes when a note is opened under a grant. */
static void opened(struct fs_session *s, uint32_t journal, const char *name, uint32_t grant)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_OPEN);
	fs_vault_record(t.v, s, 0, &r);
	r.journal = journal;
	r.grant = grant;
	policy_record_copy(r.name, sizeof(r.name), name);
	ck_assert_int_eq(fs_log_write(t.v->log, &r), 0);
}

/* A descriptor that was open when the grant ended is closed: no grant holds any more. */
static void closed(struct fs_session *s, uint32_t journal, const char *name)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_CLOSE);
	fs_vault_record(t.v, s, 0, &r);
	r.journal = journal;
	policy_record_copy(r.name, sizeof(r.name), name);
	ck_assert_int_eq(fs_log_write(t.v->log, &r), 0);
}

static int no_name(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return 0;
}

START_TEST(reviewer_is_shown_what_was_done_under_it_and_no_more_of_the_log)
{
	const struct fs_audit_query all = {.who = "", .journal = ""};
	struct fs_glass_preview preview;
	struct acts a;
	uint32_t n, other;
	bool more;

	clinic();
	ck_assert_int_eq(fs_vault_glass_search(t.v, eva, "not there", no_name, NULL, &more, &t.say),
			 0);
	ck_assert_int_eq(fs_vault_glass_search(t.v, bo, "by bo", no_name, NULL, &more, &t.say), 0);
	ck_assert_int_eq(fs_vault_glass_ask(t.v, eva, "p", &preview, &t.say), 0);
	ck_assert_int_eq(fs_vault_glass_ask(t.v, eva, "q", &preview, &t.say), 0);
	ck_assert_int_eq(fs_vault_glass_ask(t.v, eva, "nowhere", &preview, &t.say), -ENOENT);
	n = emergency(eva, "p", WHY);
	other = emergency(bo, "q", WHY);
	opened(eva, p, "plan.txt", n);
	opened(bo, q, "hers.txt", other);
	opened(anna, p, "daily.txt", 0);
	ck_assert_int_eq(fs_vault_glass_close(t.v, eva, "p", &t.say), 0);
	closed(eva, p, "closed.txt");
	closed(eva, q, "elsewhere.txt");
	closed(anna, p, "daily.txt");
	a = acts(pia, n, 0);
	ck_assert_ptr_nonnull(strstr(a.all, "under closed.txt"));
	ck_assert_ptr_null(strstr(a.all, "elsewhere.txt"));
	ck_assert_str_eq(t.say.text, "");
	ck_assert_ptr_nonnull(strstr(a.all, "under plan.txt"));
	ck_assert_ptr_nonnull(strstr(a.all, "emergency search for \"not there\""));
	ck_assert_ptr_nonnull(strstr(a.all, "asked what emergency access would give"));
	ck_assert_ptr_nonnull(strstr(a.all, "before  break-glass: there is no journal"));
	ck_assert_ptr_null(strstr(a.all, "hers.txt"));
	ck_assert_ptr_null(strstr(a.all, "daily.txt"));
	ck_assert_ptr_null(strstr(a.all, "by bo"));
	ck_assert_uint_eq(a.before, 3);
	ck_assert_uint_eq(acts(lis, n, 0).under, a.under);
	/* Neither the user nor a steward; and the log itself stays the auditor's. */
	ck_assert_uint_eq(acts(eva, n, 1).under, 0);
	ck_assert_ptr_nonnull(strstr(t.say.text, "access log"));
	ck_assert_uint_eq(acts(dan, n, 1).under, 0);
	acts(pia, 99, -ENOENT);
	ck_assert_int_eq(fs_vault_audit(t.v, pia, &all, NULL, NULL, &t.say), -EACCES);
	everybody_out();
}
END_TEST

static int count_all(void *ctx, const struct policy_record *r)
{
	unsigned *n = ctx;

	ck_assert_uint_eq(r->grant, 1);
	(*n)++;
	return 0;
}

START_TEST(auditor_filters_the_log_by_grant)
{
	const struct fs_audit_query one = {.who = "", .journal = "", .grant = 1};
	unsigned n = 0;

	clinic();
	past(eva, "p");
	past(bo, "p");
	opened(eva, p, "plan.txt", 1);
	ck_assert_int_eq(judge(pia, 1, FS_GLASS_JUSTIFIED, NOTE), 0);
	ck_assert_int_eq(fs_vault_audit(t.v, lis, &one, count_all, &n, &t.say), 0);
	ck_assert_uint_eq(n, 4); /* begun, ended, opened, judged */
	ck_assert_uint_eq(t_logged(POLICY_RECORD_AUDIT, "the log was read, emergency access 1"), 1);
	everybody_out();
}
END_TEST

/* The privacy officer comes after the emergency: an earlier reader's session lets her in. */
START_TEST(later_reviewer_reads_what_was_done_before)
{
	struct acts a;
	uint32_t n;

	dan = t_clinic();
	t_put(dan, "practice",
	      POLICY_WITH("emergency", "practitioner lis user lis role auditor\n"));
	t_enroll(dan, "lis", LIS);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "eva", EVA);
	t_ticks();
	anna = t_login("anna", ANNA);
	eva = t_login("eva", EVA);
	p = t_make(anna, "p");
	t_ticks();
	n = emergency(eva, "p", WHY);
	opened(eva, p, "plan.txt", n);
	t_put(dan, "practice", PRACTICE);
	t_enroll(dan, "pia", PIA);
	t_ticks();
	pia = t_login("pia", PIA);
	a = acts(pia, n, 0);
	ck_assert_ptr_null(strstr(a.all, "plan.txt"));
	ck_assert_ptr_nonnull(strstr(t.say.text, "ask an auditor: journalfs audit show --grant 1"));
	lis = t_login("lis", LIS);
	for (int i = 0; i < 20; i++)
		t_ticks();
	ck_assert_ptr_nonnull(strstr(acts(pia, n, 0).all, "plan.txt"));
	everybody_out();
}
END_TEST

/* ---- pairs ---- */

START_TEST(what_recurs_is_proposed)
{
	struct pairs all;

	clinic();
	for (int i = 0; i < 3; i++) {
		past(eva, "p");
		if (i < 2)
			past(eva, "q");
	}
	past(bo, "q");
	ck_assert_int_eq(judge(pia, 1, FS_GLASS_UNJUSTIFIED, NOTE), 0);
	all = pairs(pia, 0);
	ck_assert_uint_eq(all.n, 1);
	ck_assert_str_eq(all.pair[0].who, "eva");
	ck_assert_str_eq(all.pair[0].journal, "p");
	ck_assert_uint_eq(all.pair[0].count, 3);
	ck_assert_uint_eq(all.pair[0].unjustified, 1);
	ck_assert(!all.pair[0].admitted && !all.pair[0].blocked);
	ck_assert(list(pia, 5, 0).item[0].g.flags & FS_GLASS_RECURRING);
	ck_assert_uint_eq(pairs(dan, 0).n, 1);
	ck_assert_uint_eq(pairs(lis, 0).n, 1);
	ck_assert_uint_eq(pairs(eva, -EACCES).n, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "accesses that recur"), 1);
	/* 90 days on they are no pair any more. */
	t.v->grants[0].from_s -= FS_GLASS_PAIR_S;
	ck_assert_uint_eq(pairs(pia, 0).n, 0);
	everybody_out();
}
END_TEST

START_TEST(what_policy_has_said_since_is_told_with_a_pair)
{
	clinic();
	for (int i = 0; i < 3; i++)
		past(eva, "p");
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:eva:r-x\n");
	ck_assert(pairs(pia, 0).pair[0].admitted);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nblock user:eva\n");
	ck_assert(pairs(pia, 0).pair[0].blocked);
	ck_assert(!pairs(pia, 0).pair[0].admitted);
	everybody_out();
}
END_TEST

static int take_mine(void *ctx, const struct fs_glass_mine *one)
{
	struct fs_glass_mine *out = ctx;

	*out = *one;
	out->journal = "";
	ck_assert_str_eq(one->journal, "p");
	return 0;
}

START_TEST(own_open_ones_have_the_time_left_on_the_stricter_clock)
{
	struct fs_glass_mine one = {0};

	clinic();
	emergency(eva, "p", WHY);
	skew_s = 600;
	ck_assert_int_eq(fs_vault_glass_mine(t.v, eva, take_mine, &one), 0);
	ck_assert_int_ge(one.left_s, 2990);
	ck_assert_int_le(one.left_s, 3000);
	t.v->grants[0].until_boot_ns -= UINT64_C(1000000000) * 1000;
	ck_assert_int_eq(fs_vault_glass_mine(t.v, eva, take_mine, &one), 0);
	ck_assert_int_le(one.left_s, 2000);
	one.number = 0;
	ck_assert_int_eq(fs_vault_glass_mine(t.v, bo, take_mine, &one), 0);
	ck_assert_uint_eq(one.number, 0);
	everybody_out();
}
END_TEST

static int see_and_lock(void *ctx, const struct fs_glass_item *item)
{
	unsigned *seen = ctx;

	(void)item;
	(*seen)++;
	everybody_out();
	return 0;
}

START_TEST(list_ends_when_the_last_session_is_gone_in_the_middle_of_it)
{
	struct fs_session *by;
	unsigned seen = 0;

	clinic();
	past(eva, "p");
	past(bo, "q");
	by = fs_session_get(lis);
	ck_assert_int_eq(fs_vault_glass_list(t.v, by, 0, see_and_lock, &seen, &t.say), -ENOKEY);
	ck_assert_uint_eq(seen, 1);
	fs_session_put(by);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("break_glass_review");
	TCase *c = tcase_create("review");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, open_one_is_not_judged_and_an_ended_one_once);
	tcase_add_test(c, unjustified_opens_a_deviation_which_is_closed_once);
	tcase_add_test(c, deviations_are_numbered_without_gap_and_never_again);
	tcase_add_test(c, reopened_vault_keeps_verdicts_and_notes);
	tcase_add_test(c, only_the_review_right_judges);
	tcase_add_test(c, user_who_got_the_review_right_does_not_judge_his_own);
	tcase_add_test(c, user_with_a_new_identity_does_not_judge_his_own);
	tcase_add_test(c, second_identity_of_the_same_account_does_not_judge);
	tcase_add_test(c, where_nobody_else_may_it_is_said_with_what_to_do);
	tcase_add_test(c, who_left_is_still_judged);
	tcase_add_test(c, note_is_one_line_of_plain_text);
	tcase_add_test(c, number_that_is_not_there_is_refused);
	tcase_add_test(c, damaged_record_hides_no_other);
	tcase_add_test(c, what_the_log_does_not_take_is_not_judged);
	tcase_add_test(c, overdue_is_counted_and_told_once);
	tcase_add_test(c, overdue_is_told_while_nobody_is_logged_in);
	tcase_add_test(c, one_that_expired_is_pending_and_open_ones_are_never_overdue);
	tcase_add_test(c, steward_is_shown_what_is_overdue);
	tcase_add_test(c, practitioner_sees_the_own_ones_with_their_verdict);
	tcase_add_test(c, name_is_not_shown_to_who_may_not_break_the_glass_any_more);
	tcase_add_test(c, reviewer_is_shown_what_was_done_under_it_and_no_more_of_the_log);
	tcase_add_test(c, auditor_filters_the_log_by_grant);
	tcase_add_test(c, later_reviewer_reads_what_was_done_before);
	tcase_add_test(c, what_recurs_is_proposed);
	tcase_add_test(c, what_policy_has_said_since_is_told_with_a_pair);
	tcase_add_test(c, list_ends_when_the_last_session_is_gone_in_the_middle_of_it);
	tcase_add_test(c, own_open_ones_have_the_time_left_on_the_stricter_clock);
	suite_add_tcase(s, c);
	return t_run(s);
}
