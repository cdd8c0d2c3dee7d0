/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emergency grants in the decision: each rule of decide.h's paragraph by hand, and what somebody
 * would try who wants more of a grant than it gives. The comparison with a slow evaluator is in
 * test_policy_reference.c.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/decide.h"

#define NOW INT64_C(1780272000) /* 2026-06-01 */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NEVER (POLICY_WRITE | POLICY_FINALIZE | POLICY_EXPORT | POLICY_HISTORY)

/* `all` has every right there is: what it lacks under a grant, the grant does not give. */
static const char practice_text[] =
	"role all clinical may list read write create finalize export break-glass policy audit "
	"review attend history\n"
	"role nurse clinical may list read write break-glass\n"
	"role reader clinical may list read break-glass\n"
	"role bare clinical may break-glass\n"
	"role doctor clinical may list read write\n"
	"role clerk may list read write\n"
	"unit north \"N\"\nunit south \"S\"\n"
	"practitioner max user max role all unit south\n"
	"practitioner nan user nan role nurse unit south\n"
	"practitioner rea user rea role reader unit south\n"
	"practitioner bea user bea role bare unit south\n"
	"practitioner doc user doc role doctor unit south\n"
	"practitioner cle user cle role clerk unit south\n"
	"practitioner oli user oli role nurse unit south on leave\n"
	"practitioner lea user lea role nurse unit south left\n"
	"practitioner tim user tim role nurse from 2026-06-02 until 2026-06-30\n"
	"practitioner old user old role nurse until 2026-05-31\n"
	"default unit north allow role:reader:--x\n";

/* One question, with a grant of an hour around NOW that the caller may change first. */
struct question {
	struct policy_practice *p;
	struct policy_journal *j;
	struct policy_grant grant;
	struct policy_question q;
	struct policy_verdict v;
	char text[256];
};

static void begin(struct question *x, const char *journal, const char *who)
{
	memset(x, 0, sizeof(*x));
	ck_assert_int_eq(
		policy_practice_parse(practice_text, strlen(practice_text), "p", NULL, &x->p), 0);
	ck_assert_int_eq(policy_journal_parse(journal, strlen(journal), "j", NULL, NULL, &x->j), 0);
	x->grant = (struct policy_grant){.number = 7, .from_s = NOW - 60, .until_s = NOW + 3540};
	x->q = (struct policy_question){
		.practice = x->p, .journal = x->j, .who = who, .now_s = NOW, .grant = &x->grant};
}

static const struct policy_verdict *ask(struct question *x, uint32_t rights)
{
	x->q.rights = rights;
	memset(&x->v, 0xa5, sizeof(x->v));
	policy_decide(&x->q, &x->v);
	policy_verdict_text(&x->q, &x->v, x->text, sizeof(x->text));
	return &x->v;
}

static void end(struct question *x)
{
	policy_journal_put(x->j);
	policy_practice_put(x->p);
}

/* The verdict is exactly that without the grant, but for the moment when it may change. */
static void gives_nothing(struct question *x, uint32_t rights)
{
	struct policy_verdict with;
	char text[256];

	with = *ask(x, rights);
	memcpy(text, x->text, sizeof(text));
	x->q.grant = NULL;
	ask(x, rights);
	x->q.grant = &x->grant;
	ck_assert_int_eq(with.answer, x->v.answer);
	ck_assert_uint_eq(with.rights, x->v.rights);
	ck_assert(with.visible == x->v.visible);
	ck_assert_int_eq(with.ground, x->v.ground);
	ck_assert_uint_eq(with.line, x->v.line);
	ck_assert_str_eq(text, x->text);
}

START_TEST(grant_shows_the_journal_and_gives_list_read_and_draft)
{
	struct question x;

	begin(&x, "unit north\n", "nan");
	ck_assert(ask(&x, 0)->visible);
	ck_assert_int_eq(x.v.answer, POLICY_DENY);
	ck_assert_uint_eq(x.v.rights, POLICY_LIST | POLICY_READ | POLICY_DRAFT);
	ck_assert_int_eq(x.v.ground, POLICY_GROUND_GRANT);
	ck_assert_str_eq(x.text, "emergency access, grant 7");
	ck_assert_int_eq(ask(&x, POLICY_LIST | POLICY_READ | POLICY_DRAFT)->answer, POLICY_ALLOW);
	ck_assert_int_eq(x.v.ground, POLICY_GROUND_GRANT);
	ck_assert_uint_eq(x.v.line, 0);
	ck_assert_uint_eq(x.v.unit_default, 0);
	ck_assert_str_eq(x.text, "emergency access, grant 7");
	x.q.grant = NULL;
	ck_assert(!ask(&x, 0)->visible);
	ck_assert_uint_eq(x.v.rights, 0);
	end(&x);
}
END_TEST

START_TEST(grant_gives_no_draft_to_a_role_without_write)
{
	struct question x;

	begin(&x, "allow user:nan:r-x\n", "rea");
	ck_assert_int_eq(ask(&x, POLICY_READ)->answer, POLICY_ALLOW);
	ck_assert_uint_eq(x.v.rights, POLICY_LIST | POLICY_READ);
	ck_assert_int_eq(ask(&x, POLICY_DRAFT)->answer, POLICY_DENY);
	end(&x);
}
END_TEST

START_TEST(grant_gives_read_to_a_role_that_has_break_glass_alone)
{
	struct question x;

	begin(&x, "unit south\nallow user:bea:rwx\n", "bea");
	ck_assert_int_eq(ask(&x, POLICY_READ)->answer, POLICY_ALLOW);
	ck_assert_uint_eq(x.v.rights, POLICY_LIST | POLICY_READ);
	ck_assert_int_eq(x.v.ground, POLICY_GROUND_GRANT);
	x.q.grant = NULL;
	ck_assert_int_eq(ask(&x, POLICY_READ)->answer, POLICY_DENY);
	ck_assert_int_eq(x.v.ground, POLICY_GROUND_ROLE);
	end(&x);
}
END_TEST

START_TEST(grant_never_gives_write_finalize_export_or_history)
{
	static const uint32_t asked[] = {POLICY_WRITE,
					 POLICY_FINALIZE,
					 POLICY_EXPORT,
					 POLICY_HISTORY,
					 POLICY_READ | POLICY_WRITE,
					 POLICY_READ | POLICY_FINALIZE,
					 POLICY_READ | POLICY_EXPORT,
					 POLICY_READ | POLICY_HISTORY};
	struct question x;

	begin(&x, "unit north\nblock user:nan\n", "max");
	x.grant.past_block = true;
	for (unsigned i = 0; i < COUNT(asked); i++) {
		ck_assert_int_eq(ask(&x, asked[i])->answer, POLICY_DENY);
		ck_assert_uint_eq(x.v.rights & NEVER, 0);
	}
	end(&x);
}
END_TEST

/* EXPORT and HISTORY need READ by an entry: that of a grant does not do, nor with an entry's x. */
START_TEST(grant_and_an_entry_do_not_add_up_to_export_or_history)
{
	struct question x;

	begin(&x, "allow user:max:-wx\n", "max");
	ck_assert_int_eq(ask(&x, POLICY_EXPORT)->answer, POLICY_DENY);
	ck_assert_int_eq(ask(&x, POLICY_HISTORY)->answer, POLICY_DENY);
	ck_assert_int_eq(ask(&x, POLICY_READ | POLICY_HISTORY)->answer, POLICY_DENY);
	ck_assert_uint_eq(x.v.rights & NEVER, POLICY_WRITE | POLICY_FINALIZE);
	ck_assert_int_eq(ask(&x, POLICY_READ | POLICY_EXPORT)->answer, POLICY_DENY);
	end(&x);
	/* Nor does its LIST stand for the x that an entry did not give. */
	begin(&x, "allow user:max:rw-\n", "max");
	ask(&x, POLICY_READ | POLICY_WRITE);
	ck_assert_int_eq(x.v.answer, POLICY_DENY);
	ck_assert_uint_eq(x.v.rights & NEVER, 0);
	end(&x);
}
END_TEST

/* A journal that only a grant shows gives nothing of what the role may in the vault. */
START_TEST(grant_gives_none_of_the_rights_in_the_vault)
{
	static const uint32_t vault[] = {POLICY_CREATE, POLICY_BREAK_GLASS, POLICY_POLICY,
					 POLICY_AUDIT,	POLICY_REVIEW,	    POLICY_ATTEND};
	struct question x;

	begin(&x, "unit north\nblock unit:south\n", "max");
	x.grant.past_block = true;
	for (unsigned i = 0; i < COUNT(vault); i++) {
		ck_assert_int_eq(ask(&x, vault[i])->answer, POLICY_DENY);
		ck_assert_uint_eq(x.v.rights, POLICY_LIST | POLICY_READ | POLICY_DRAFT);
	}
	/* Asked of the vault itself the grant changes nothing. */
	x.q.journal = NULL;
	for (unsigned i = 0; i < COUNT(vault); i++)
		gives_nothing(&x, vault[i]);
	gives_nothing(&x, POLICY_READ);
	gives_nothing(&x, POLICY_DRAFT);
	ck_assert_uint_eq(x.v.rights & (POLICY_READ | POLICY_DRAFT), 0);
	end(&x);
}
END_TEST

START_TEST(grant_is_nothing_to_who_may_not_break_the_glass)
{
	static const char *const who[] = {"doc", "cle", "oli", "lea", "tim", "old", "nobody"};
	static const char *const journals[] = {"unit south\n", "unit north\n",
					       "allow user:doc:rwx\nallow user:oli:rwx\n",
					       "unit south\nblock role:doctor\nblock role:nurse\n"};
	struct question x;

	for (unsigned i = 0; i < COUNT(who); i++) {
		for (unsigned n = 0; n < COUNT(journals); n++) {
			begin(&x, journals[n], who[i]);
			x.grant.past_block = n % 2;
			for (unsigned bit = 0; bit < 12; bit++)
				gives_nothing(&x, 1u << bit);
			gives_nothing(&x, 0);
			end(&x);
		}
	}
	/* Who is away has no right at all, with the grant still running. */
	begin(&x, "allow user:oli:rwx\n", "oli");
	ck_assert_uint_eq(ask(&x, POLICY_READ)->rights, 0);
	ck_assert(!x.v.visible);
	ck_assert_int_eq(x.v.ground, POLICY_GROUND_STATUS);
	end(&x);
}
END_TEST

START_TEST(grant_of_who_is_valid_later_begins_with_the_validity)
{
	struct question x;

	begin(&x, "unit north\n", "tim");
	x.grant.until_s = INT64_MAX;
	x.q.now_s = NOW + 86399;
	ck_assert_int_eq(ask(&x, POLICY_READ)->answer, POLICY_DENY);
	ck_assert_int_eq(x.v.until_s, NOW + 86400);
	x.q.now_s = NOW + 86400;
	ck_assert_int_eq(ask(&x, POLICY_READ)->answer, POLICY_ALLOW);
	end(&x);
}
END_TEST

START_TEST(grant_passes_a_block_only_when_it_was_to)
{
	static const char *const blocks[] = {
		"unit north\nblock user:nan\n", "unit south\nblock unit:south\n",
		"block role:nurse\nallow user:nan:rwx\n", "block group:south\n"};
	struct question x;

	for (unsigned i = 0; i < COUNT(blocks); i++) {
		begin(&x, blocks[i], "nan");
		gives_nothing(&x, POLICY_READ);
		ck_assert(x.v.blocked && !x.v.visible);
		x.grant.past_block = true;
		ck_assert_int_eq(ask(&x, POLICY_READ | POLICY_DRAFT)->answer, POLICY_ALLOW);
		ck_assert(x.v.visible && x.v.blocked);
		/* What the entries would give stays blocked. */
		ck_assert_uint_eq(x.v.rights, POLICY_LIST | POLICY_READ | POLICY_DRAFT);
		ck_assert_str_eq(x.text, "emergency access, grant 7, past the patient's block");
		end(&x);
	}
}
END_TEST

/* A block that was written while a grant runs ends it: it was not asked about that block. */
START_TEST(grant_that_passed_no_block_does_not_pass_a_later_one)
{
	struct question x;

	begin(&x, "unit north\n", "nan");
	ck_assert_int_eq(ask(&x, POLICY_READ)->answer, POLICY_ALLOW);
	ck_assert(!x.v.blocked);
	end(&x);
	begin(&x, "unit north\nblock user:nan\n", "nan");
	ck_assert_int_eq(ask(&x, POLICY_READ)->answer, POLICY_DENY);
	ck_assert_int_eq(x.v.ground, POLICY_GROUND_BLOCK);
	ck_assert_str_eq(x.text, "block user:nan (line 2)");
	end(&x);
}
END_TEST

START_TEST(block_that_is_shown_stays_closed_without_the_step)
{
	char text[sizeof(practice_text) + 32];
	struct question x;

	begin(&x, "unit south\nblock user:nan\n", "nan");
	policy_practice_put(x.p);
	snprintf(text, sizeof(text), "%sblocks shown\n", practice_text);
	ck_assert_int_eq(policy_practice_parse(text, strlen(text), "p", NULL, &x.p), 0);
	x.q.practice = x.p;
	gives_nothing(&x, 0);
	ck_assert(x.v.visible);
	ck_assert_uint_eq(x.v.rights, 0);
	gives_nothing(&x, POLICY_LIST);
	x.grant.past_block = true;
	ck_assert(ask(&x, 0)->visible);
	ck_assert_int_eq(x.v.ground, POLICY_GROUND_GRANT);
	ck_assert_uint_eq(x.v.rights, POLICY_LIST | POLICY_READ | POLICY_DRAFT);
	end(&x);
}
END_TEST

/* Who is blocked is told so whatever else refuses: emergency access asks for its second step. */
START_TEST(block_is_known_where_the_role_is_the_ground)
{
	struct question x;

	begin(&x, "block user:bea\n", "bea");
	x.q.grant = NULL;
	ck_assert_int_eq(ask(&x, POLICY_READ)->ground, POLICY_GROUND_ROLE);
	ck_assert(x.v.blocked);
	end(&x);
	begin(&x, "block user:nan\n", "bea");
	ck_assert(!ask(&x, POLICY_READ)->blocked);
	end(&x);
}
END_TEST

START_TEST(grant_holds_from_its_first_second_to_its_last)
{
	struct question x;

	begin(&x, "unit north\n", "nan");
	x.q.now_s = x.grant.from_s - 1;
	gives_nothing(&x, POLICY_READ);
	ck_assert_int_eq(ask(&x, POLICY_READ)->until_s, x.grant.from_s);
	x.q.now_s = x.grant.from_s;
	ck_assert_int_eq(ask(&x, POLICY_READ)->answer, POLICY_ALLOW);
	ck_assert_int_eq(x.v.until_s, x.grant.until_s);
	x.q.now_s = x.grant.until_s - 1;
	ck_assert_int_eq(ask(&x, POLICY_READ)->answer, POLICY_ALLOW);
	ck_assert_int_eq(x.v.until_s, x.grant.until_s);
	x.q.now_s = x.grant.until_s;
	gives_nothing(&x, POLICY_READ);
	ck_assert_int_eq(ask(&x, POLICY_READ)->until_s, INT64_MAX);
	ck_assert(!x.v.visible);
	/* One that ends before it begins never holds. */
	x.grant.from_s = NOW;
	x.grant.until_s = NOW;
	x.q.now_s = NOW;
	gives_nothing(&x, POLICY_READ);
	end(&x);
}
END_TEST

START_TEST(verdict_ends_at_the_nearest_of_grant_and_entry)
{
	struct question x;

	begin(&x, "allow user:nan:r-x until 2026-06-01T00:10Z\n", "nan");
	ck_assert_int_eq(ask(&x, POLICY_DRAFT)->until_s, NOW + 600);
	x.grant.until_s = NOW + 5;
	ck_assert_int_eq(ask(&x, POLICY_DRAFT)->until_s, NOW + 5);
	/* A clock that was set back: a grant without a beginning has no edge there. */
	x.grant.from_s = INT64_MIN;
	ck_assert_int_eq(ask(&x, POLICY_DRAFT)->answer, POLICY_ALLOW);
	ck_assert_int_eq(x.v.until_s, NOW + 5);
	end(&x);
}
END_TEST

START_TEST(grant_takes_nothing_away_from_what_entries_give)
{
	static const char *const journals[] = {"allow user:max:rwx\n", "allow user:max:r-x\n",
					       "allow user:max:-wx\n", "allow role:all:--x\n",
					       "unit south\n"};
	struct question x;
	uint32_t without;

	for (unsigned i = 0; i < COUNT(journals); i++) {
		begin(&x, journals[i], "max");
		x.q.grant = NULL;
		without = ask(&x, 0)->rights;
		x.q.grant = &x.grant;
		ck_assert_uint_eq(ask(&x, 0)->rights,
				  without | POLICY_LIST | POLICY_READ | POLICY_DRAFT);
		end(&x);
	}
	/* What an entry gives is on that entry's ground. */
	begin(&x, "allow user:nan:rwx\n", "nan");
	ck_assert_int_eq(ask(&x, POLICY_READ | POLICY_WRITE)->answer, POLICY_ALLOW);
	ck_assert_int_eq(x.v.ground, POLICY_GROUND_ENTRY);
	ck_assert_str_eq(x.text, "allow user:nan:rwx (line 1)");
	ck_assert_int_eq(ask(&x, 0)->ground, POLICY_GROUND_ENTRY);
	end(&x);
	/* One that lacks something: the grant is the ground of what it adds. */
	begin(&x, "unit north\n", "rea");
	ck_assert_int_eq(ask(&x, POLICY_LIST)->ground, POLICY_GROUND_ENTRY);
	ck_assert_uint_ne(x.v.unit_default, 0);
	ck_assert_int_eq(ask(&x, POLICY_LIST | POLICY_READ)->ground, POLICY_GROUND_GRANT);
	ck_assert_uint_eq(x.v.unit_default, 0);
	end(&x);
}
END_TEST

START_TEST(refusal_under_a_grant_says_what_it_is_that_refuses)
{
	struct question x;

	begin(&x, "unit north\n", "nan");
	ck_assert_int_eq(ask(&x, POLICY_WRITE)->ground, POLICY_GROUND_GRANT);
	ck_assert_str_eq(x.text, "emergency access, grant 7, does not give write");
	/* The role's lack comes first: no grant and no entry could give it. */
	ck_assert_int_eq(ask(&x, POLICY_READ | POLICY_FINALIZE)->ground, POLICY_GROUND_ROLE);
	ck_assert_str_eq(x.text, "role nurse may not finalize (practice line 2)");
	end(&x);
	begin(&x, "unit north\n", "bea");
	ck_assert_int_eq(ask(&x, POLICY_READ | POLICY_EXPORT)->answer, POLICY_DENY);
	ck_assert_str_eq(x.text, "role bare may not export (practice line 4)");
	end(&x);
	begin(&x, "allow user:nan:r-x\n", "nan");
	ck_assert_int_eq(ask(&x, POLICY_WRITE)->ground, POLICY_GROUND_NONE);
	ck_assert_str_eq(x.text, "allow user:nan:r-x (line 1) does not give write");
	end(&x);
}
END_TEST

START_TEST(unknown_rights_are_never_allowed_under_a_grant)
{
	struct question x;

	begin(&x, "allow user:max:rwx\n", "max");
	for (unsigned bit = 13; bit < 32; bit++) {
		ck_assert_int_eq(ask(&x, 1u << bit | POLICY_READ)->answer, POLICY_DENY);
		ck_assert_uint_eq(x.v.rights >> 13, 0);
	}
	end(&x);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_decide_grant");
	TCase *t = tcase_create("grant");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, grant_shows_the_journal_and_gives_list_read_and_draft);
	tcase_add_test(t, grant_gives_no_draft_to_a_role_without_write);
	tcase_add_test(t, grant_gives_read_to_a_role_that_has_break_glass_alone);
	tcase_add_test(t, grant_never_gives_write_finalize_export_or_history);
	tcase_add_test(t, grant_and_an_entry_do_not_add_up_to_export_or_history);
	tcase_add_test(t, grant_gives_none_of_the_rights_in_the_vault);
	tcase_add_test(t, grant_is_nothing_to_who_may_not_break_the_glass);
	tcase_add_test(t, grant_of_who_is_valid_later_begins_with_the_validity);
	tcase_add_test(t, grant_passes_a_block_only_when_it_was_to);
	tcase_add_test(t, grant_that_passed_no_block_does_not_pass_a_later_one);
	tcase_add_test(t, block_that_is_shown_stays_closed_without_the_step);
	tcase_add_test(t, block_is_known_where_the_role_is_the_ground);
	tcase_add_test(t, grant_holds_from_its_first_second_to_its_last);
	tcase_add_test(t, verdict_ends_at_the_nearest_of_grant_and_entry);
	tcase_add_test(t, grant_takes_nothing_away_from_what_entries_give);
	tcase_add_test(t, refusal_under_a_grant_says_what_it_is_that_refuses);
	tcase_add_test(t, unknown_rights_are_never_allowed_under_a_grant);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
