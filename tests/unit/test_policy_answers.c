/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_answers.c - a patient's statement, a practitioner's use, samples, and the
 * basis of an access.
 */
#include <stdlib.h>

#include "policy/patient.h"
#include "policy/practitioner_use.h"
#include "policy/sample.h"
#include "test_policy_log.h"

/* ---- basis ---- */

START_TEST(basis_is_what_the_rule_says)
{
	static const struct {
		const char *rule;
		enum policy_basis basis;
	} rules[] = {
		{"allow user:anna:rwx (line 3)", POLICY_BASIS_OWN},
		{"attend user:anna (line 4)", POLICY_BASIS_ATTEND},
		{"allow unit:north:r-x (line 5)", POLICY_BASIS_UNIT},
		{"allow group:north:r-x (line 5)", POLICY_BASIS_UNIT},
		{"allow role:nurse:r-x (line 5)", POLICY_BASIS_ROLE},
		{"default unit south allow role:nurse:r-x (practice line 20)",
		 POLICY_BASIS_DEFAULT},
		{"emergency access, grant 7", POLICY_BASIS_GRANT},
		{"no entry admits anna", POLICY_BASIS_UNKNOWN},
		{"", POLICY_BASIS_UNKNOWN},
	};
	struct policy_record r = t_record(POLICY_RECORD_OPEN, 1, 2, t_at(0, 9, 0));

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		strcpy(r.rule, rules[i].rule);
		ck_assert_int_eq(policy_basis_of(&r), rules[i].basis);
	}
	r.grant = 3;
	ck_assert_int_eq(policy_basis_of(&r), POLICY_BASIS_GRANT);
}
END_TEST

START_TEST(basis_act_of_each_kind)
{
	struct policy_record r;

	r = t_record(POLICY_RECORD_OPEN, 1, 2, 0);
	ck_assert_int_eq(policy_basis_act(&r), POLICY_ACT_READ);
	r.type = 110113; /* a steward reads a policy */
	ck_assert_int_eq(policy_basis_act(&r), POLICY_ACT_NONE);
	r = t_record(POLICY_RECORD_CLOSE, 1, 2, 0);
	ck_assert_int_eq(policy_basis_act(&r), POLICY_ACT_NONE);
	r.bytes_written = 1;
	ck_assert_int_eq(policy_basis_act(&r), POLICY_ACT_WRITE);
	r = t_record(POLICY_RECORD_LIST, 1, 0, 0);
	ck_assert_int_eq(policy_basis_act(&r), POLICY_ACT_NONE);
	r = t_record(POLICY_RECORD_LIST, 1, 2, 0);
	ck_assert_int_eq(policy_basis_act(&r), POLICY_ACT_LOOK);
	strcpy(r.detail, "asked what emergency access to it would give");
	ck_assert_int_eq(policy_basis_act(&r), POLICY_ACT_NONE);
	r = t_record(POLICY_RECORD_EXPORT, 1, 2, 0);
	ck_assert_int_eq(policy_basis_act(&r), POLICY_ACT_READ);
	r = t_record(POLICY_RECORD_REFUSED, 1, 2, 0);
	ck_assert_int_eq(policy_basis_act(&r), POLICY_ACT_REFUSED);
}
END_TEST

/* ---- patient ---- */

static struct policy_patient *patient(bool names, bool refused, bool notes)
{
	const struct policy_patient_view view = {
		.names = names, .refused = refused, .notes = notes};
	struct policy_patient *p = NULL;

	ck_assert_int_eq(policy_patient_new(&view, &p), 0);
	return p;
}

static void put(struct policy_patient *p, enum policy_record_kind kind, unsigned who, int64_t at,
		uint64_t note, const char *name)
{
	struct policy_record r = t_record(kind, who, 5, at);

	r.note = note;
	strcpy(r.name, name);
	ck_assert_int_eq(policy_patient_add(p, &r), 0);
}

/* Two people at the same time, one of them again in the evening. */
static void day(struct policy_patient *p)
{
	put(p, POLICY_RECORD_LIST, 1, t_at(0, 9, 0), 1, "J");
	put(p, POLICY_RECORD_INTENT, 1, t_at(0, 9, 1), 1, "");
	put(p, POLICY_RECORD_OPEN, 1, t_at(0, 9, 2), 11, "a.txt");
	put(p, POLICY_RECORD_OPEN, 2, t_at(0, 9, 3), 12, "b.txt");
	put(p, POLICY_RECORD_OPEN, 1, t_at(0, 9, 40), 11, "a.txt");
	put(p, POLICY_RECORD_WRITE, 1, t_at(0, 10, 10), 13, "c.txt");
	put(p, POLICY_RECORD_REFUSED, 3, t_at(0, 11, 0), 0, "");
	put(p, POLICY_RECORD_LIST, 2, t_at(0, 19, 0), 1, "J");
	put(p, POLICY_RECORD_VERIFY, 0, t_at(0, 20, 0), 0, "");
}

START_TEST(patient_merges_what_belongs_together)
{
	struct policy_patient *p = patient(true, false, true);
	const struct policy_visit *v;
	char did[128];
	size_t n;

	day(p);
	policy_patient_finish(p, &v, &n);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(v[0].by, "p1");
	ck_assert_int_eq(v[0].first_ns, t_at(0, 9, 0));
	ck_assert_int_eq(v[0].last_ns, t_at(0, 10, 10));
	ck_assert_uint_eq(v[0].read, 2);
	ck_assert_str_eq(v[0].note_list, "a.txt, c.txt");
	policy_patient_did(&v[0], did, sizeof(did));
	ck_assert_str_eq(did, "read, wrote");
	ck_assert_str_eq(v[1].by, "p2");
	policy_patient_did(&v[1], did, sizeof(did));
	ck_assert_str_eq(did, "read");
	policy_patient_did(&v[2], did, sizeof(did));
	ck_assert_str_eq(did, "looked; no opening is recorded");
	policy_patient_free(p);
}
END_TEST

/* Nothing of a name is in what a statement by units has, nor notes or refusals. */
START_TEST(patient_by_units_names_nobody)
{
	struct policy_patient *p = patient(false, false, false);
	const struct policy_visit *v;
	size_t n;

	day(p);
	policy_patient_finish(p, &v, &n);
	ck_assert_uint_eq(n, 3);
	for (size_t i = 0; i < n; i++) {
		ck_assert_str_eq(v[i].by, "north");
		ck_assert_uint_eq(v[i].practitioner, 0);
		ck_assert_ptr_null(v[i].note_list);
		ck_assert_uint_eq(v[i].refused, 0);
	}
	policy_patient_free(p);
}
END_TEST

START_TEST(patient_refused_where_policy_says)
{
	struct policy_patient *p = patient(true, true, false);
	const struct policy_visit *v;
	char did[128];
	size_t n;

	day(p);
	policy_patient_finish(p, &v, &n);
	ck_assert_uint_eq(n, 4);
	ck_assert_str_eq(v[2].by, "p3");
	policy_patient_did(&v[2], did, sizeof(did));
	ck_assert_str_eq(did, "was refused");
	policy_patient_free(p);
}
END_TEST

static void put_reason(struct policy_patient *p, enum policy_record_kind kind, int64_t at,
		       uint64_t grant, const char *reason)
{
	struct policy_record r = t_record(kind, 1, 5, at);

	r.grant = grant;
	r.until_ns = at + 3600 * T_NS;
	strcpy(r.reason, reason);
	if (grant)
		strcpy(r.purpose, "BTG");
	ck_assert_int_eq(policy_patient_add(p, &r), 0);
}

/* An emergency is a line of its own, with its reason; a stated relationship may name colleagues. */
START_TEST(patient_emergency_is_marked_with_its_reason)
{
	for (int names = 0; names < 2; names++) {
		struct policy_patient *p = patient(names, false, false);
		const struct policy_visit *v;
		size_t n;

		put(p, POLICY_RECORD_LIST, 1, t_at(0, 8, 50), 1, "J");
		put_reason(p, POLICY_RECORD_BREAK_GLASS, t_at(0, 9, 0), 7, "unconscious");
		put_reason(p, POLICY_RECORD_OPEN, t_at(0, 9, 1), 7, "");
		put_reason(p, POLICY_RECORD_ATTEND, t_at(0, 13, 0), 0, "covers for Eva");
		put_reason(p, POLICY_RECORD_OPEN, t_at(0, 13, 1), 0, "");
		put_reason(p, POLICY_RECORD_OPEN, t_at(0, 15, 1), 0, "");
		policy_patient_finish(p, &v, &n);
		ck_assert_uint_eq(n, 4);
		ck_assert_uint_eq(v[0].grant, 0);
		ck_assert_ptr_null(v[0].reason);
		ck_assert_uint_eq(v[1].grant, 7);
		ck_assert_str_eq(v[1].reason, "unconscious");
		ck_assert_str_eq(v[1].purpose, "BTG");
		if (names)
			ck_assert_str_eq(v[2].reason, "covers for Eva");
		else
			ck_assert_ptr_null(v[2].reason);
		ck_assert_ptr_null(v[3].reason); /* it was over */
		policy_patient_free(p);
	}
}
END_TEST

START_TEST(patient_record_leaves_machines_and_names_out)
{
	const struct policy_patient_view units = {.names = false}, all = {true, true, true};
	struct policy_record r = t_record(POLICY_RECORD_OPEN, 1, 5, t_at(0, 9, 0)), out;

	r.uid = 1000;
	r.pid = 7;
	strcpy(r.name2, "new.txt");
	strcpy(r.detail, "of p1");
	ck_assert(policy_patient_record(&units, &r, &out));
	ck_assert_str_eq(out.who, "north");
	ck_assert(!out.practitioner && !out.uid && !out.pid && !out.session[0] && !out.note);
	ck_assert(!out.name[0] && !out.name2[0] && !out.origin[0] && !out.program[0] &&
		  !out.rule[0] && !out.detail[0]);
	ck_assert(policy_patient_record(&all, &r, &out));
	ck_assert_str_eq(out.who, "p1");
	ck_assert_str_eq(out.name, "note.txt");
	/* Of where a note was moved, and why, another patient is named. */
	r = t_record(POLICY_RECORD_MOVE, 1, 5, t_at(0, 9, 0));
	strcpy(r.name2, "010101-0101 Olsen, Ida");
	strcpy(r.reason, "it is Ida Olsen's");
	ck_assert(policy_patient_record(&all, &r, &out));
	ck_assert(!out.name2[0] && !out.reason[0]);
	r = t_record(POLICY_RECORD_REFUSED, 1, 5, t_at(0, 9, 0));
	ck_assert(!policy_patient_record(&units, &r, &out) &&
		  policy_patient_record(&all, &r, &out));
	r = t_record(POLICY_RECORD_LOGIN, 1, 0, t_at(0, 9, 0));
	ck_assert(!policy_patient_record(&all, &r, &out));
}
END_TEST

/* ---- practitioner ---- */

static const char practice_text[] =
	"role nurse clinical may list read write policy audit\n"
	"practitioner p1 user p1 role nurse\nhours mon-fri 08:00-12:00\n"
	"relative p1 \"journal 12\"\n";

static void use(struct policy_use *u, enum policy_record_kind kind, unsigned journal, int64_t at,
		const char *rule)
{
	struct policy_record r = t_record(kind, 1, journal, at);

	strcpy(r.rule, rule);
	r.grant = kind == POLICY_RECORD_BREAK_GLASS;
	ck_assert_int_eq(policy_use_add(u, &r), 0);
}

START_TEST(use_adds_up_hours_bases_journals_and_sessions)
{
	struct policy_use_settings set = {.offset_s = NULL};
	struct policy_practice *practice = NULL;
	const struct policy_use_session *s;
	const struct policy_use_journal *j;
	const struct policy_use_total *t;
	struct policy_use *u = NULL;
	size_t n;

	ck_assert_int_eq(
		policy_practice_parse(practice_text, strlen(practice_text), "p", NULL, &practice),
		0);
	set.practice = practice;
	ck_assert_int_eq(policy_use_new(&set, &u), 0);
	use(u, POLICY_RECORD_LOGIN, 0, t_at(0, 8, 0), "");
	use(u, POLICY_RECORD_OPEN, 10, t_at(0, 8, 1), "allow user:p1:rwx (line 1)");
	use(u, POLICY_RECORD_OPEN, 11, t_at(0, 12, 0), "default unit north allow role:nurse:r-x");
	use(u, POLICY_RECORD_OPEN, 11, t_at(5, 9, 0), "default unit north allow role:nurse:r-x");
	use(u, POLICY_RECORD_OPEN, 12, t_at(1, 9, 0), "allow role:nurse:r-x (line 2)");
	use(u, POLICY_RECORD_WRITE, 13, t_at(1, 9, 1), "allow role:nurse:r-x (line 2)");
	use(u, POLICY_RECORD_BREAK_GLASS, 14, t_at(1, 9, 2), "");
	use(u, POLICY_RECORD_EXPORT, 10, t_at(1, 9, 3), "allow user:p1:rwx (line 1)");
	use(u, POLICY_RECORD_REFUSED, 15, t_at(1, 9, 4), "no entry admits p1");
	use(u, POLICY_RECORD_LOGOUT, 0, t_at(1, 9, 5), "");
	t = policy_use_total(u);
	ck_assert_uint_eq(t->n.read, 5);
	ck_assert_uint_eq(t->n.off_hours, 2);
	ck_assert_uint_eq(t->n.written, 1);
	ck_assert_uint_eq(t->n.exported, 1);
	ck_assert_uint_eq(t->n.refused, 1);
	ck_assert_uint_eq(t->grants, 1);
	ck_assert_uint_eq(t->n.basis[POLICY_BASIS_OWN], 2);
	ck_assert_uint_eq(t->n.basis[POLICY_BASIS_DEFAULT], 2);
	ck_assert_str_eq(t->role, "nurse");
	j = policy_use_journals(u, &n);
	ck_assert_uint_eq(n, 6);
	ck_assert(j[0].number == 12 && j[0].kin == POLICY_KIN_RELATIVE);
	ck_assert(j[1].number == 11 && !j[1].related && j[1].n.off_hours == 2);
	ck_assert(j[2].number == 10 && j[2].related && j[2].n.exported == 1);
	ck_assert_str_eq(j[2].name, "journal 10");
	s = policy_use_sessions(u, &n);
	ck_assert_uint_eq(n, 1);
	ck_assert(s[0].acts == 10 && s[0].ended);
	ck_assert_str_eq(s[0].origin, "ssh 10.0.0.1");
	policy_use_free(u);
	policy_practice_put(practice);
}
END_TEST

static int32_t hour_east(void *ctx, int64_t time_s)
{
	(void)ctx;
	(void)time_s;
	return 3600;
}

/* Without hours in the policy: Monday to Friday, 07:00 to 18:00, local time. */
START_TEST(use_hours_are_local)
{
	const struct policy_use_settings set = {.offset_s = hour_east};
	struct policy_use *u = NULL;

	ck_assert_int_eq(policy_use_new(&set, &u), 0);
	use(u, POLICY_RECORD_OPEN, 10, t_at(0, 6, 0), "");
	ck_assert_uint_eq(policy_use_total(u)->n.off_hours, 0);
	use(u, POLICY_RECORD_OPEN, 10, t_at(0, 5, 59), "");
	use(u, POLICY_RECORD_OPEN, 10, t_at(0, 17, 0), "");
	use(u, POLICY_RECORD_OPEN, 10, t_at(4, 23, 30), "");
	ck_assert_uint_eq(policy_use_total(u)->n.off_hours, 3);
	policy_use_free(u);
}
END_TEST

START_TEST(use_of_many_journals_finds_each_again)
{
	struct policy_use *u = NULL;
	const struct policy_use_journal *j;
	size_t n;

	ck_assert_int_eq(policy_use_new(NULL, &u), 0);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 1; i <= 5000; i++)
			use(u, POLICY_RECORD_OPEN, i, t_at((int)round, 9, 0), "");
	j = policy_use_journals(u, &n);
	ck_assert_uint_eq(n, 5000);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(j[i].n.read, 3);
	policy_use_free(u);
}
END_TEST

/* ---- sample ---- */

/* The vectors of the authors of SipHash: key 00 01 .. 0f, messages 00 01 .. of each length. */
START_TEST(sample_hash_is_siphash)
{
	static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t in[15];

	for (uint8_t i = 0; i < sizeof(in); i++)
		in[i] = i;
	ck_assert_uint_eq(policy_sample_hash(key, in, 0), UINT64_C(0x726fdb47dd0e0e31));
	ck_assert_uint_eq(policy_sample_hash(key, in, 1), UINT64_C(0x74f839c593dc67fd));
	ck_assert_uint_eq(policy_sample_hash(key, in, 8), UINT64_C(0x93f5f5799a932462));
	ck_assert_uint_eq(policy_sample_hash(key, in, 15), UINT64_C(0xa129ca6149be45e5));
}
END_TEST

static unsigned taken(const char *seed, uint32_t per_thousand, uint64_t from, uint64_t until)
{
	struct policy_sample s;
	unsigned n = 0;

	policy_sample_init(&s, seed, per_thousand);
	for (uint64_t seq = from; seq < until; seq++)
		n += policy_sample_takes(&s, seq);
	return n;
}

/* Frozen: a sample that was signed off can be drawn again by any later version. */
START_TEST(sample_is_the_same_for_ever)
{
	static const uint64_t expected[] = {120, 179, 241, 263, 302,  344,  398, 439,
					    440, 585, 686, 780, 1261, 1485, 1723};
	struct policy_sample s;
	size_t n = 0;

	policy_sample_init(&s, "2026-Q2", 5);
	for (uint64_t seq = 1; seq <= 2000; seq++) {
		if (!policy_sample_takes(&s, seq))
			continue;
		ck_assert_uint_lt(n, sizeof(expected) / sizeof(expected[0]));
		ck_assert_uint_eq(expected[n], seq);
		n++;
	}
	ck_assert_uint_eq(n, sizeof(expected) / sizeof(expected[0]));
}
END_TEST

START_TEST(sample_share_is_as_asked)
{
	ck_assert_uint_eq(taken("a", 1000, 1, 5000), 4999);
	ck_assert_uint_eq(taken("a", 0, 1, 5000), 0);
	/* 100,000 records: five standard deviations. */
	ck_assert_uint_ge(taken("a", 10, 1, 100001), 840);
	ck_assert_uint_le(taken("a", 10, 1, 100001), 1160);
	ck_assert_uint_ge(taken("b", 500, 1, 100001), 49200);
	ck_assert_uint_le(taken("b", 500, 1, 100001), 50800);
}
END_TEST

/* A larger share holds all of a smaller one; another seed is another sample. */
START_TEST(sample_grows_with_its_share)
{
	struct policy_sample small, large, other;
	unsigned both = 0;

	policy_sample_init(&small, "s", 20);
	policy_sample_init(&large, "s", 200);
	policy_sample_init(&other, "t", 20);
	for (uint64_t seq = 1; seq < 20000; seq++) {
		bool in = policy_sample_takes(&small, seq);

		ck_assert(!in || policy_sample_takes(&large, seq));
		both += in && policy_sample_takes(&other, seq);
	}
	ck_assert_uint_lt(both, 40);
}
END_TEST

START_TEST(sample_is_of_accesses)
{
	struct policy_record r = t_record(POLICY_RECORD_OPEN, 1, 2, 0);

	ck_assert(policy_sample_is_access(&r));
	r = t_record(POLICY_RECORD_BREAK_GLASS, 1, 2, 0);
	ck_assert(policy_sample_is_access(&r));
	r = t_record(POLICY_RECORD_REFUSED, 1, 2, 0);
	ck_assert(policy_sample_is_access(&r));
	r = t_record(POLICY_RECORD_LIST, 1, 2, 0);
	ck_assert(!policy_sample_is_access(&r));
	r = t_record(POLICY_RECORD_LOGIN, 1, 0, 0);
	ck_assert(!policy_sample_is_access(&r));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_answers");
	TCase *c = tcase_create("answers");
	SRunner *sr;
	int failed;

	tcase_add_test(c, basis_is_what_the_rule_says);
	tcase_add_test(c, basis_act_of_each_kind);
	tcase_add_test(c, patient_merges_what_belongs_together);
	tcase_add_test(c, patient_by_units_names_nobody);
	tcase_add_test(c, patient_refused_where_policy_says);
	tcase_add_test(c, patient_emergency_is_marked_with_its_reason);
	tcase_add_test(c, patient_record_leaves_machines_and_names_out);
	tcase_add_test(c, use_adds_up_hours_bases_journals_and_sessions);
	tcase_add_test(c, use_hours_are_local);
	tcase_add_test(c, use_of_many_journals_finds_each_again);
	tcase_add_test(c, sample_hash_is_siphash);
	tcase_add_test(c, sample_is_the_same_for_ever);
	tcase_add_test(c, sample_share_is_as_asked);
	tcase_add_test(c, sample_grows_with_its_share);
	tcase_add_test(c, sample_is_of_accesses);
	suite_add_tcase(s, c);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
