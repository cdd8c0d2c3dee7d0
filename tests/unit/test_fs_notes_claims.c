/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a note claims about itself - STATE, flags, author, role - and no statement bears out: written by somebody with
 * the journal's key and his own session key. Verification finds it, and attributes do not show it.
 */
#include "test_fs_notes.h"

#include "fs/final_impl.h"
#include "keys/digest.h"

static struct fs_journal *jp;

static void clinic(void)
{
	n_clinic(NOTES_POLICY("finalize others\n" COUNTERSIGN));
	for (int k = 1; k <= 3; k++) {
		char name[16];

		snprintf(name, sizeof(name), "%d.md", k);
		ck_assert_int_eq(t_write(anna, p, name, name), 0);
		ck_assert_int_eq(n_finalize_as(anna, name, k == 2 ? FS_NOTE_ATTRIBUTE : FS_NOTE_SIGN), 0);
	}
	n_all_well(eva, 2, 1);
	ck_assert_int_eq(fs_vault_journal(t.v, bo, p, &jp), 0);
}

static void out(void)
{
	fs_journal_put(jp);
	n_out();
}

static struct fs_inode *note(const char *path)
{
	struct fs_inode *i = NULL;

	ck_assert_int_eq(fs_final_lookup(jp, path, &i), 0);
	return i;
}

/* Both as bo's client would write them: record and flags that fit each other, and flags beside those. */
static void claim_on(struct fs_inode *i, const struct fs_final_state *state, uint16_t add,
		     uint16_t take)
{
	struct fs_signer *signer = fs_session_signer(bo);
	struct fs_inode_attr a = i->attr;
	struct fs_batch b;

	fs_batch_init(&b, signer);
	fs_final_state_put(&b, i, &a, state);
	a.flags = (uint16_t)((a.flags | add) & ~take);
	i->flags = 0;
	fs_inode_store_attr(&b, i, &a);
	ck_assert_int_eq(b.rc, 0);
	ck_assert_int_eq(fs_inode_apply(jp, &b, NULL), 0);
	i->attr = a;
	fs_signer_put(signer);
}

static struct fs_final_state state_of(struct fs_inode *i)
{
	struct fs_final_state s;

	ck_assert_int_eq(fs_final_state(i, &s), 0);
	return s;
}

/* Exactly this is found, whether all is verified or this note alone. */
static void finds(const char *path, uint32_t number, enum fs_note_finding finding)
{
	const char *const which[] = {NULL, path};
	struct n_found f;

	for (int k = 0; k < 2; k++) {
		unsigned n = 0;

		ck_assert_int_eq(n_verify(eva, which[k], &f), 0);
		for (unsigned m = 0; m < f.n; m++)
			n += f.one[m].number == number && f.one[m].finding == finding &&
			     !strcmp(f.one[m].path, path) && strlen(f.one[m].why) > 10;
		if (n != 1)
			for (unsigned m = 0; m < f.n; m++)
				fprintf(stderr, "found: %u %d %s: %s\n", f.one[m].number,
					f.one[m].finding, f.one[m].path, f.one[m].why);
		ck_assert_uint_eq(n, 1);
	}
}

/* 2.md is locked, not signed: number 2. */
static void claims(void (*change)(struct fs_final_state *s))
{
	struct fs_inode *i = note("2.md");
	struct fs_final_state was = state_of(i), s = was;

	change(&s);
	claim_on(i, &s, 0, 0);
	finds("2.md", 2, FS_NOTE_CHANGED);
	claim_on(i, &was, 0, 0);
	fs_inode_put(i);
	n_all_well(eva, 2, 1);
}

static void signed_by_one_of_another_note(struct fs_final_state *s)
{
	s->signed_by = 3;
}

static void signed_by_none_that_there_is(struct fs_final_state *s)
{
	s->signed_by = 77;
}

static void signed_by_the_lock(struct fs_final_state *s)
{
	s->signed_by = 2;
}

static void countersigned(struct fs_final_state *s)
{
	s->countersigned = 3;
}

static void in_error(struct fs_final_state *s)
{
	s->error = 3;
}

static void amended_by_no_amendment(struct fs_final_state *s)
{
	struct fs_inode *i = note("3.md");

	s->amended_by = i->ino;
	fs_inode_put(i);
}

static void amended_by_none_that_there_is(struct fs_final_state *s)
{
	s->amended_by = 4711;
}

START_TEST(claims_that_no_statement_bears_out_are_found)
{
	clinic();
	claims(signed_by_one_of_another_note);
	claims(signed_by_none_that_there_is);
	claims(signed_by_the_lock);
	claims(countersigned);
	claims(in_error);
	claims(amended_by_no_amendment);
	claims(amended_by_none_that_there_is);
	out();
}
END_TEST

START_TEST(signature_that_the_note_does_not_own_up_to_is_found)
{
	struct fs_inode *i;
	struct fs_final_state s;

	clinic();
	i = note("1.md");
	s = state_of(i);
	s.signed_by = 0;
	claim_on(i, &s, 0, 0);
	finds("1.md", 1, FS_NOTE_CHANGED);
	fs_inode_put(i);
	out();
}
END_TEST

START_TEST(amendment_that_was_struck_from_the_original_is_found)
{
	struct fs_note_place at = n_at("1.md");
	char path[KEYS_NOTE_PATH_MAX + 1];
	struct fs_final_state s;
	struct fs_inode *i;

	clinic();
	ck_assert_int_eq(fs_vault_note_amend(t.v, anna, &at, "", path, &t.say), 0);
	ck_assert_int_eq(n_finalize(anna, path), 0);
	n_all_well(eva, 3, 1);
	i = note("1.md");
	s = state_of(i);
	ck_assert_uint_ne(s.amended_by, 0);
	s.amended_by = 0;
	claim_on(i, &s, 0, 0);
	finds(path, 4, FS_NOTE_CHANGED);
	fs_inode_put(i);
	out();
}
END_TEST

START_TEST(draft_dressed_as_somebodys_final_note_is_found_and_not_shown_as_one)
{
	struct fs_final_state s = {.final = 3, .signed_by = 3};
	struct fs_note_place at = n_at("forged.md");
	struct fs_note_status st;
	struct fs_inode *i;

	clinic();
	ck_assert_int_eq(t_write(bo, p, "forged.md", "anna says so"), 0);
	i = note("forged.md");
	claim_on(i, &s, 0, 0);
	ck_assert_int_eq(fs_vault_note_status(t.v, eva, &at, &st, &t.say), -EBADMSG);
	finds("forged.md", 0, FS_NOTE_FORGED);
	fs_inode_put(i);
	out();
}
END_TEST

START_TEST(another_author_than_stated_is_found)
{
	struct fs_final_state s;
	struct fs_inode *i;

	clinic();
	i = note("3.md");
	s = state_of(i);
	i->author = bo->pid;
	claim_on(i, &s, 0, 0);
	finds("3.md", 3, FS_NOTE_CHANGED);
	fs_inode_put(i);
	out();
}
END_TEST

START_TEST(wish_for_a_second_practitioner_that_was_struck_is_found)
{
	struct fs_final_state s;
	struct fs_inode *i;

	clinic();
	ck_assert_int_eq(t_write(tim, p, "tim.md", "first week"), 0);
	ck_assert_int_eq(n_finalize(tim, "tim.md"), 0);
	n_all_well(eva, 3, 1);
	i = note("tim.md");
	ck_assert(i->flags & FS_INODE_WANTS);
	s = state_of(i);
	claim_on(i, &s, 0, FS_INODE_WANTS);
	finds("tim.md", 4, FS_NOTE_CHANGED);
	claim_on(i, &s, FS_INODE_WANTS, 0);
	ck_assert_int_eq(n_sign(anna, "tim.md"), 0);
	n_all_well(eva, 4, 1);
	fs_inode_put(i);
	out();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/notes_claims");
	TCase *tc = tcase_create("notes_claims");

	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, claims_that_no_statement_bears_out_are_found);
	tcase_add_test(tc, signature_that_the_note_does_not_own_up_to_is_found);
	tcase_add_test(tc, amendment_that_was_struck_from_the_original_is_found);
	tcase_add_test(tc, draft_dressed_as_somebodys_final_note_is_found_and_not_shown_as_one);
	tcase_add_test(tc, another_author_than_stated_is_found);
	tcase_add_test(tc, wish_for_a_second_practitioner_that_was_struck_is_found);
	suite_add_tcase(s, tc);
	return t_run(s);
}
