/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a steward should look at: status and the access review, who may, and what a sign-off leaves.
 */
#include <stdarg.h>

#include "test_fs_vault.h"

#define DAY 86400

static char all[65536]; /* everything told, a line each */

static void add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *fmt, ...)
{
	size_t at = strlen(all);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(all + at, sizeof(all) - at, fmt, ap);
	va_end(ap);
}

static int take_item(void *ctx, const struct fs_policy_item *i)
{
	(void)ctx;
	add("%s|%s|%s|%s|%s\n", i->kind, i->who ? i->who : "", i->journal ? i->journal : "", i->text,
	    i->next);
	return 0;
}

static int status_of(struct fs_session *by, uint32_t days)
{
	all[0] = t.say.text[0] = '\0';
	return fs_vault_policy_status(t.v, by, days, take_item, NULL, &t.say);
}

static void has(const char *line)
{
	ck_assert_msg(strstr(all, line) != NULL, "`%s` is not in:\n%s", line, all);
}

static void lacks(const char *line)
{
	ck_assert_msg(strstr(all, line) == NULL, "`%s` is in:\n%s", line, all);
}

/* "2026-11-21", so many days from now. */
static const char *day(int days, char out[static 16])
{
	time_t when = (time_t)(fs_vault_wall_s() + (int64_t)days * DAY);
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(out, 16, "%Y-%m-%d", &tm);
	return out;
}

START_TEST(status_names_people_and_what_to_do)
{
	struct fs_session *dan = t_clinic();
	char policy[T_POLICY_MAX], code[KEYS_CODE_TEXT_MAX], until[16], text[160], *at;

	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "eva", EVA);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "bo", false, 3, code, &t.say), 0);
	t_edit(policy, "role reader unit north", "role reader unit north on leave");
	at = strstr(policy, "practitioner anna user anna role physician unit north");
	ck_assert_ptr_nonnull(at);
	snprintf(text, sizeof(text), " until %s\n%s", day(10, until), "practitioner bo");
	at = strstr(policy, "\npractitioner bo");
	memmove(at + strlen(text) - strlen("practitioner bo"), at + 1, strlen(at + 1) + 1);
	memcpy(at, text, strlen(text) - strlen("practitioner bo"));
	t_put(dan, "practice", policy);
	ck_assert_int_eq(status_of(dan, 30), 0);
	has("enrolment|sue||sue has not been invited|journalfs invite sue");
	has("enrolment|bo||bo is invited and has not enrolled; the code is good until");
	has("leave|eva||eva is on leave and has no access|");
	snprintf(text, sizeof(text), "validity|anna||anna's time ends with %s|", until);
	has(text);
	lacks("|dan|");
	ck_assert_int_eq(status_of(dan, 5), 0);
	lacks("validity|");
	t_logout(dan);
}
END_TEST

START_TEST(status_tells_relationships_that_end_and_care_that_was_stated)
{
	struct fs_session *dan = t_clinic(), *anna;
	char policy[T_POLICY_MAX], text[400], soon[16], late[16], today[16], line[200];

	t_edit(policy, "may list read write\nrole reader", "may list read write attend\nrole reader");
	t_put(dan, "practice", policy);
	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	t_make(anna, "p \xc3\xb8");
	t_make(anna, "q");
	day(0, today);
	snprintf(text, sizeof(text),
		 "journal \"p \xc3\xb8\"\nallow user:anna:rwx\nallow unit:south:r-x until %s\n"
		 "allow user:max:r-x until %s\n"
		 "  attend user:bo from %sT00:00Z until %sT23:59Z reason \"covers for anna\"\n",
		 day(5, soon), day(60, late), today, today);
	t_put(dan, "p \xc3\xb8", text);
	ck_assert_int_eq(status_of(dan, 30), 0);
	snprintf(line, sizeof(line),
		 "ends|south|p \xc3\xb8|allow unit:south:r-x ends with %s|another `until` in line 3",
		 soon);
	has(line);
	lacks("user:max");
	has("attend|bo|p \xc3\xb8|attend user:bo from ");
	has("reason \"covers for anna\"|let it end");
	lacks("|q|");
	ck_assert_int_eq(status_of(dan, 90), 0);
	has("user:max:r-x ends with");
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(status_names_who_waits_for_which_key)
{
	struct fs_session *dan = t_clinic(), *anna, *bo;

	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	anna = t_login("anna", ANNA);
	t_make(anna, "p");
	t_ticks();
	t_logout(anna);
	t_put(dan, "p", "journal \"p\"\nallow user:anna:rwx\nallow user:bo:r-x\nallow user:eva:r-x\n");
	bo = t_login("bo", BO);
	t_ticks();
	ck_assert_int_eq(status_of(dan, 30), 0);
	has("grant|bo|p|its key waits for bo: nobody who holds it is logged in|one of them logs in: "
	    "anna\n");
	anna = t_login("anna", ANNA);
	t_ticks();
	ck_assert_int_eq(status_of(dan, 30), 0);
	lacks("grant|");
	t_logout(bo);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

/* ---- review ---- */

static int on_head(void *ctx, const struct fs_review_head *h)
{
	struct fs_review_head *out = ctx;

	*out = *h;
	add("head|%s|%u\n", h->title, h->practitioners);
	return 0;
}

static int on_person(void *ctx, const struct policy_practitioner *p, bool enrolled)
{
	(void)ctx;
	add("person|%s|%s|%d\n", p->name, p->role->name, enrolled);
	return 0;
}

static int on_access(void *ctx, const struct fs_review_access *a)
{
	char rights[128];

	(void)ctx;
	if (a->block)
		add("block|%s|%s|%s\n", a->who, a->journal, a->block);
	else
		add("access|%s|%s|%s|%s|%s\n", a->who, a->journal, policy_access_text(a->access),
		    policy_right_text(a->rights, rights), a->until_s == INT64_MAX ? "" : "until");
	return 0;
}

static int on_total(void *ctx, const struct fs_review_total *to)
{
	(void)ctx;
	add("total|%s|own %u attend %u unit %u role %u default %u|r %u w %u|blocked %u named %u\n",
	    to->who, to->by[POLICY_ACCESS_OWN], to->by[POLICY_ACCESS_ATTEND],
	    to->by[POLICY_ACCESS_UNIT], to->by[POLICY_ACCESS_ROLE], to->by[POLICY_ACCESS_DEFAULT],
	    to->read, to->write, to->blocked, to->named);
	return 0;
}

static int on_alone(void *ctx, const char *who, uint32_t journals)
{
	(void)ctx;
	add("alone|%s|%u\n", who, journals);
	return 0;
}

static int review_of(struct fs_session *by, const char *unit, struct fs_review_head *head)
{
	static const struct fs_review_to to = {on_head, on_person, on_access, on_total, on_alone};

	all[0] = t.say.text[0] = '\0';
	return fs_vault_review(t.v, by, unit, &to, head, &t.say);
}

static struct fs_session *reviewed(struct fs_session **anna)
{
	struct fs_session *dan = t_clinic();
	char policy[T_POLICY_MAX], until[16], text[300];

	t_edit(policy, "practitioner dan",
	       "default unit south allow role:physician:r-x\npractitioner dan");
	t_put(dan, "practice", policy);
	t_enroll(dan, "anna", ANNA);
	*anna = t_login("anna", ANNA);
	t_make(*anna, "p");
	t_make(*anna, "q");
	t_make(*anna, "s");
	snprintf(text, sizeof(text),
		 "journal \"p\"\nunit north\nallow user:anna:rwx\nallow unit:north:r-x\n"
		 "allow user:max:r-x until %s\nblock user:eva\nallow user:sue:rwx\n",
		 day(20, until));
	t_put(dan, "p", text);
	t_put(dan, "q", "journal \"q\"\nunit north\nallow user:anna:r-x\nallow role:physician:rwx\n"
			"block user:max\n");
	t_put(dan, "s", "journal \"s\"\nunit south\nallow user:bo:r-x\n");
	return dan;
}

START_TEST(review_counts_access_by_its_strongest_ground)
{
	struct fs_session *anna, *dan = reviewed(&anna);
	struct fs_review_head head;

	ck_assert_int_eq(review_of(dan, "", &head), 0);
	has("head|Klinik Nord|7\n");
	ck_assert_uint_eq(head.journals, 3);
	ck_assert_uint_eq(head.practice, t_version("practice"));
	ck_assert_uint_eq(head.version, fs_vault_policy_version(t.v));
	ck_assert_uint_eq(head.last.number, 0);
	ck_assert_uint_eq(head.changed, 3);
	has("person|anna|physician|1\naccess|anna|p|own entry|list read write|\n"
	    "access|anna|q|own entry|list read write|\n"
	    "total|anna|own 2 attend 0 unit 0 role 0 default 1|r 3 w 2|blocked 0 named 2\n");
	has("person|bo|nurse|0\naccess|bo|s|own entry|list read|\n"
	    "total|bo|own 1 attend 0 unit 1 role 0 default 0|r 2 w 0|blocked 0 named 1\n");
	has("block|eva|p|block user:eva\n");
	has("total|eva|own 0 attend 0 unit 0 role 0 default 0|r 0 w 0|blocked 1 named 0\n");
	has("access|max|p|own entry|list read|until\nblock|max|q|block user:max\n"
	    "total|max|own 1 attend 0 unit 0 role 0 default 1|r 2 w 0|blocked 1 named 1\n");
	/* An entry that the role makes little of still counts for what it gives. */
	has("access|sue|p|own entry|list|\n");
	has("total|dan|own 0 attend 0 unit 0 role 0 default 0|r 0 w 0|blocked 0 named 0\n");
	has("alone|anna|1\n");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REVIEW, "an access review is made"), 1);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(review_of_a_unit_has_its_people_only)
{
	struct fs_session *anna, *dan = reviewed(&anna);
	struct fs_review_head head;

	ck_assert_int_eq(review_of(dan, "south", &head), 0);
	has("person|max|");
	lacks("person|anna|");
	lacks("alone|");
	ck_assert_int_eq(review_of(dan, "west", &head), -ENOENT);
	ck_assert_ptr_nonnull(strstr(t.say.text, "no unit `west`"));
	t_logout(anna);
	t_logout(dan);
}
END_TEST

/* Who left reaches nothing; what still names him is told. */
START_TEST(entries_of_who_left_are_counted_and_give_nothing)
{
	struct fs_session *anna, *dan = reviewed(&anna);
	struct fs_review_head head;
	char policy[T_POLICY_MAX];

	t_edit(policy, "practitioner max user max role physician unit south",
	       "practitioner max user max role physician unit south left");
	t_put(dan, "practice", policy);
	ck_assert_int_eq(review_of(dan, "", &head), 0);
	lacks("access|max|");
	has("total|max|own 0 attend 0 unit 0 role 0 default 0|r 0 w 0|blocked 1 named 1\n");
	t_logout(anna);
	t_logout(dan);
}
END_TEST

static struct fs_review_request sign_off_of(const struct fs_review_head *h, const char *text)
{
	struct fs_review_request rq = {
		.practice = h->practice, .version = h->version, .unit = "", .text = text};

	memset(rq.digest, 0xab, sizeof(rq.digest));
	return rq;
}

START_TEST(sign_off_is_logged_and_found_by_the_next_review)
{
	struct fs_session *anna, *dan = reviewed(&anna);
	struct fs_review_head head;
	struct fs_review_request rq;
	char policy[T_POLICY_MAX];

	ck_assert_int_eq(review_of(dan, "", &head), 0);
	rq = sign_off_of(&head, "all is well");
	ck_assert_int_eq(fs_vault_review_sign_off(t.v, dan, &rq, &t.say), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REVIEW, "access review 1 signed off: practice version"),
			  1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REVIEW, "SHA-256 of the report abababab"), 1);
	t_logout(anna);
	t_logout(dan);
	t_close();
	t_open();
	dan = t_login("dan", DAN);
	ck_assert_int_eq(review_of(dan, "", &head), 0);
	ck_assert_uint_eq(head.last.number, 1);
	ck_assert_str_eq(head.last.who, "dan");
	ck_assert_uint_eq(head.last.practice, rq.practice);
	ck_assert_uint_eq(head.last.version, rq.version);
	ck_assert_uint_eq(head.last.practitioners, 7);
	ck_assert_mem_eq(head.last.digest, rq.digest, sizeof(rq.digest));
	ck_assert_int_le(llabs(head.last.time_s - fs_vault_wall_s()), 60);
	ck_assert_uint_eq(head.changed, 0);
	t_put(dan, "q", "journal \"q\"\nallow user:anna:r-x\n");
	ck_assert_int_eq(review_of(dan, "", &head), 0);
	ck_assert_uint_eq(head.changed, 1);
	rq = sign_off_of(&head, "again");
	ck_assert_int_eq(fs_vault_review_sign_off(t.v, dan, &rq, &t.say), 0);
	ck_assert_int_eq(review_of(dan, "", &head), 0);
	ck_assert_uint_eq(head.last.number, 2);
	/* What was reviewed is no longer in force. */
	t_edit(policy, "Klinik Nord", "Klinik Syd");
	t_put(dan, "practice", policy);
	ck_assert_int_eq(fs_vault_review_sign_off(t.v, dan, &rq, &t.say), -ESTALE);
	ck_assert_ptr_nonnull(strstr(t.say.text, "make the review again"));
	t_logout(dan);
}
END_TEST

START_TEST(sign_off_without_words_is_refused)
{
	struct fs_session *anna, *dan = reviewed(&anna);
	struct fs_review_head head;
	struct fs_review_request rq;
	char text[FS_REASON_MAX + 2];

	ck_assert_int_eq(review_of(dan, "", &head), 0);
	rq = sign_off_of(&head, "");
	ck_assert_int_eq(fs_vault_review_sign_off(t.v, dan, &rq, &t.say), -EINVAL);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	rq = sign_off_of(&head, text);
	ck_assert_int_eq(fs_vault_review_sign_off(t.v, dan, &rq, &t.say), -EINVAL);
	rq = sign_off_of(&head, "of a unit that is none");
	rq.unit = "west";
	ck_assert_int_eq(fs_vault_review_sign_off(t.v, dan, &rq, &t.say), -ENOENT);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REVIEW, "signed off"), 0);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

START_TEST(practitioners_see_neither_status_nor_review)
{
	struct fs_session *anna, *dan = reviewed(&anna);
	struct fs_review_head head = {.practice = 1, .version = 1};
	struct fs_review_request rq = sign_off_of(&head, "mine");

	ck_assert_int_eq(status_of(anna, 30), -EACCES);
	ck_assert_str_eq(all, "");
	ck_assert_int_eq(review_of(anna, "", &head), -EACCES);
	ck_assert_str_eq(all, "");
	/* Nor whether there is such a unit. */
	ck_assert_int_eq(review_of(anna, "west", &head), -EACCES);
	ck_assert_int_eq(fs_vault_review_sign_off(t.v, anna, &rq, &t.say), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "reading what waits for a steward"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "making an access review"), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "signing off an access review"), 1);
	/* The review right is enough for the one, not for the other. */
	t_enroll(dan, "lis", LIS);
	t_logout(anna);
	anna = t_login("lis", LIS);
	ck_assert_int_eq(review_of(anna, "", &head), 0);
	ck_assert_int_eq(status_of(anna, 30), -EACCES);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

/* A record of a sign-off that is not whole is damage, not "none yet". */
START_TEST(damaged_sign_off_is_no_missing_one)
{
	struct fs_session *anna, *dan = reviewed(&anna);
	struct fs_key key = fs_key_n(0, 0, FS_T_REVIEW, 1, 4);
	struct fs_review_head head;

	t_poke(&key, "short", 5);
	ck_assert_int_eq(review_of(dan, "", &head), -EBADMSG);
	t_logout(anna);
	t_logout(dan);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/policy_review");
	TCase *tc = tcase_create("review");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_add_test(tc, status_names_people_and_what_to_do);
	tcase_add_test(tc, status_tells_relationships_that_end_and_care_that_was_stated);
	tcase_add_test(tc, status_names_who_waits_for_which_key);
	tcase_add_test(tc, review_counts_access_by_its_strongest_ground);
	tcase_add_test(tc, review_of_a_unit_has_its_people_only);
	tcase_add_test(tc, entries_of_who_left_are_counted_and_give_nothing);
	tcase_add_test(tc, sign_off_is_logged_and_found_by_the_next_review);
	tcase_add_test(tc, sign_off_without_words_is_refused);
	tcase_add_test(tc, practitioners_see_neither_status_nor_review);
	tcase_add_test(tc, damaged_sign_off_is_no_missing_one);
	suite_add_tcase(s, tc);
	return t_run(s);
}
