/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_final_forged.c - damaged and forged records of final notes are told from
 * genuine ones, and never taken for a draft's. The forger here may write in the journal and knows
 * its key, so that he makes any record of its tree; what he can't is change the vault's tree past
 * its MAC.
 */
#include "test_fs_final.h"

static struct files f;
static struct fs_inode *dir, *note;
static uint64_t ino;

static void start(void)
{
	files_start(&f);
	dir = files_make(&f, f.root, "dir", S_IFDIR | 0700);
	note = files_make(&f, dir, "note", S_IFREG | 0600);
	files_write(&f, note, 0, "seen", 4);
	ino = note->ino;
	ck_assert_int_eq(final_make(&f, note, "dir/note", KEYS_NOTE_FINAL), 0);
}

static void stop(void)
{
	fs_inode_put(note);
	fs_inode_put(dir);
	files_stop(&f);
}

static void put(struct fs_journal *j, const struct fs_key *key, const void *p, size_t len)
{
	struct fs_batch b;

	fs_batch_init(&b, f.signer);
	if (p)
		fs_batch_put(&b, j, key, p, len);
	else
		fs_batch_del(&b, j, key);
	ck_assert_int_eq(fs_inode_apply(f.j, &b, NULL), 0);
}

static struct fs_buf *get(struct fs_journal *j, const struct fs_key *key)
{
	struct fs_buf *buf = NULL;

	ck_assert_int_eq(fs_record_get(j, key, &buf), 0);
	return buf;
}

static struct fs_key state_key(void)
{
	return fs_key(5, ino, FS_T_STATE);
}

static struct fs_key final_key(uint32_t n)
{
	return fs_key_n(5, 0, FS_T_FINAL, n, 4);
}

static struct fs_key end_key(void)
{
	return fs_key_n(0, 0, FS_T_FINALS, 5, 4);
}

/* The inode's record with these attributes, seen by whoever loads it next: the result of that. */
static int reload(const struct fs_inode_attr *a)
{
	struct fs_key key = fs_key(5, ino, FS_T_INODE);
	uint8_t rec[FS_INODE_LEN];
	int rc;

	fs_inode_encode(a, rec);
	put(f.j, &key, rec, sizeof(rec));
	fs_inode_put(note);
	note = NULL;
	rc = fs_inode_get(f.j, ino, &note);
	return rc;
}

/* ---- stripped and added flags ---- */

START_TEST(stripped_flags_are_noticed)
{
	static const uint16_t strip[] = {FS_INODE_FINAL | FS_INODE_SIGNED,
					 FS_INODE_FINAL | FS_INODE_SIGNED | FS_INODE_STATE};
	struct fs_inode_attr genuine = note->attr, a;
	struct fs_final_state s;
	struct fs_final_add add = {.i = NULL};
	struct fs_final_statement st;

	for (size_t n = 0; n < 2; n++) {
		a = genuine;
		a.flags &= (uint16_t)~strip[n];
		ck_assert_int_eq(reload(&a), 0);
		memset(&s, 1, sizeof(s));
		ck_assert_int_eq(fs_final_state(note, &s), -EBADMSG);
		/* What is said of it is not said anew, as if it were a draft. */
		ck_assert_int_eq(
			fs_final_link(note, &(struct fs_final_state){.amends = 99}, &f.who),
			-EBADMSG);
		ck_assert_int_eq(fs_final_close(note), 0);
		final_statement(&f, note, "dir/note", KEYS_NOTE_LOCKED, &st);
		add = (struct fs_final_add){.i = note, .s = &st};
		ck_assert_int_eq(fs_final_add(&add, &f.who), -EBADMSG);
		fs_final_open(note);
		ck_assert_int_eq(reload(&genuine), 0);
		ck_assert_int_eq(fs_final_state(note, &s), 0);
	}
	a = genuine, a.flags &= (uint16_t)~FS_INODE_SIGNED;
	ck_assert_int_eq(reload(&a), 0);
	ck_assert_int_eq(fs_final_state(note, &s), -EBADMSG);
}
END_TEST

START_TEST(flags_that_no_record_bears_out_are_damage)
{
	static const uint16_t more[] = {FS_INODE_ERROR, FS_INODE_AMENDED, FS_INODE_AMENDS};
	struct fs_inode_attr genuine = note->attr, a;
	struct fs_final_state s;

	for (size_t n = 0; n < sizeof(more) / sizeof(more[0]); n++) {
		a = genuine, a.flags |= more[n];
		ck_assert_int_eq(reload(&a), 0);
		ck_assert_int_eq(fs_final_state(note, &s), -EBADMSG);
	}
	a = genuine, a.flags &= (uint16_t)~FS_INODE_STATE;
	ck_assert_int_eq(reload(&a), -EBADMSG);
	ck_assert_ptr_null(note);
}
END_TEST

START_TEST(draft_dressed_as_final_is_damage)
{
	struct fs_inode *draft = files_make(&f, dir, "draft", S_IFREG | 0600);
	struct fs_inode_attr a = draft->attr;
	struct fs_final_state s;

	fs_inode_put(note);
	note = draft;
	ino = draft->ino;
	a.flags = FS_INODE_FINAL | FS_INODE_STATE;
	ck_assert_int_eq(reload(&a), 0);
	ck_assert_int_eq(fs_final_state(note, &s), -EBADMSG);
}
END_TEST

/* ---- STATE ---- */

START_TEST(state_gone_or_cut_is_damage)
{
	struct fs_key key = state_key();
	struct fs_buf *genuine = get(f.j, &key);
	uint8_t longer[FS_FINAL_STATE_LEN + 1] = {0};
	struct fs_final_state s;

	put(f.j, &key, NULL, 0);
	ck_assert_int_eq(fs_final_state(note, &s), -EBADMSG);
	for (size_t len = 0; len < genuine->len; len++) {
		put(f.j, &key, genuine->data, len);
		ck_assert_int_eq(fs_final_state(note, &s), -EBADMSG);
	}
	memcpy(longer, genuine->data, genuine->len);
	put(f.j, &key, longer, sizeof(longer));
	ck_assert_int_eq(fs_final_state(note, &s), -EBADMSG);
	put(f.j, &key, genuine->data, genuine->len);
	ck_assert_int_eq(fs_final_state(note, &s), 0);
	fs_buf_put(genuine);
}
END_TEST

/* Each bit: damage, or another state that says no less than before. Never one that is not final. */
START_TEST(no_bit_of_state_makes_a_draft)
{
	struct fs_key key = state_key();
	struct fs_buf *genuine = get(f.j, &key);
	uint8_t rec[FS_FINAL_STATE_LEN];
	struct fs_final_state s;
	unsigned refused = 0;

	ck_assert_uint_eq(genuine->len, sizeof(rec));
	for (size_t bit = 0; bit < sizeof(rec) * 8; bit++) {
		memcpy(rec, genuine->data, sizeof(rec));
		rec[bit / 8] ^= (uint8_t)(1u << bit % 8);
		put(f.j, &key, rec, sizeof(rec));
		if (fs_final_state(note, &s) == 0)
			ck_assert(s.final && s.signed_by);
		else
			refused++;
	}
	ck_assert_uint_ge(refused, 600);
	fs_buf_put(genuine);
}
END_TEST

START_TEST(states_that_make_no_sense_do_not_decode)
{
	const struct fs_final_state good = {.final = 4,
					    .signed_by = 5,
					    .countersigned = 6,
					    .error = 7,
					    .amends = 8,
					    .amended_by = 9,
					    .moved_to = 2,
					    .moved_to_ino = 10,
					    .moved_from = 3,
					    .moved_from_ino = 11,
					    .moved_from_sha256 = {1}};
	struct fs_final_state bad[] = {good, good, good, good, good, good,
				       good, good, good, good, {0}};
	uint8_t rec[FS_FINAL_STATE_LEN];
	struct fs_final_state out;

	fs_final_state_encode(&good, rec);
	ck_assert_int_eq(fs_final_state_decode(rec, sizeof(rec), &out), 0);
	ck_assert_mem_eq(&out, &good, sizeof(out));
	bad[0].final = 0;
	bad[1].signed_by = 3;
	bad[2].countersigned = 4;
	bad[3].error = 4;
	bad[4].amends = 1;
	bad[5].amended_by = FS_INO_HISTORY;
	bad[6].moved_to_ino = 0;
	bad[7].moved_to = FS_JOURNAL_MAX + 1;
	bad[8].moved_from = 0;
	bad[9].error = 0;
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
		fs_final_state_encode(&bad[n], rec);
		ck_assert_int_eq(fs_final_state_decode(rec, sizeof(rec), &out), -EBADMSG);
	}
}
END_TEST

/* ---- FINAL ---- */

START_TEST(statement_cut_anywhere_does_not_decode)
{
	struct fs_key key = final_key(1);
	struct fs_buf *genuine = get(f.j, &key);
	struct fs_final_statement s;
	uint8_t *copy;

	for (size_t len = 0; len < genuine->len; len++) {
		/* Of its own length, so that a reader past the end is caught. */
		copy = malloc(len ? len : 1);
		ck_assert_ptr_nonnull(copy);
		memcpy(copy, genuine->data, len);
		ck_assert_int_eq(fs_final_statement_decode(copy, len, &s), -EBADMSG);
		free(copy);
	}
	ck_assert_int_eq(fs_final_statement_decode(genuine->data, genuine->len, &s), 0);
	fs_buf_put(genuine);
}
END_TEST

/* What a changed bit leaves is another statement, which its signature and the chain's hash tell; or
 * nothing. */
START_TEST(no_bit_of_a_statement_goes_unseen)
{
	struct fs_key key = final_key(1);
	struct fs_buf *genuine = get(f.j, &key);
	struct fs_final_statement was, s;
	uint8_t hash[KEYS_LEN], other[KEYS_LEN];

	ck_assert_int_eq(fs_final_get(f.j, 1, &was), 0);
	keys_note_hash(&was.note, hash);
	for (size_t bit = 0; bit < (size_t)genuine->len * 8; bit++) {
		struct fs_buf *buf = fs_buf_copy(genuine->data, genuine->len);

		buf->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (fs_final_statement_decode(buf->data, buf->len, &s) == 0) {
			keys_note_hash(&s.note, other);
			ck_assert(memcmp(hash, other, KEYS_LEN) || s.logged != was.logged ||
				  s.has_minisign != was.has_minisign ||
				  memcmp(&s.minisign, &was.minisign, sizeof(s.minisign)));
		}
		fs_buf_put(buf);
	}
	fs_buf_put(genuine);
}
END_TEST

START_TEST(statement_of_another_place_is_damage)
{
	struct fs_key first = final_key(1), second = final_key(2);
	struct fs_final_statement s, forged;
	struct fs_buf *buf = get(f.j, &first), *other = NULL;

	put(f.j, &second, buf->data, buf->len);
	ck_assert_int_eq(fs_final_get(f.j, 2, &s), -EBADMSG);
	ck_assert_int_eq(fs_final_get(f.j, 1, &forged), 0);
	s = forged, s.note.journal = 6;
	ck_assert_int_eq(fs_final_statement_encode(&s, &other), 0);
	put(f.j, &first, other->data, other->len);
	fs_buf_put(other);
	ck_assert_int_eq(fs_final_get(f.j, 1, &s), -EBADMSG);
	s = forged, s.note.vault[0] ^= 1;
	ck_assert_int_eq(fs_final_statement_encode(&s, &other), 0);
	put(f.j, &first, other->data, other->len);
	fs_buf_put(other);
	ck_assert_int_eq(fs_final_get(f.j, 1, &s), -EBADMSG);
	put(f.j, &first, NULL, 0);
	ck_assert_int_eq(fs_final_get(f.j, 1, &s), -ENOENT);
	fs_buf_put(buf);
}
END_TEST

/* Who drops the last statement from the journal has not dropped it from the vault's tree. */
START_TEST(chain_does_not_grow_past_a_gap)
{
	struct fs_inode *i = files_make(&f, dir, "second", S_IFREG | 0600);
	struct fs_key first = final_key(1), end = end_key();
	struct fs_final_statement s;
	struct fs_final_add add = {.i = i, .s = &s};
	uint8_t hash[KEYS_LEN];
	uint32_t last;

	put(f.j, &first, NULL, 0);
	ck_assert_int_eq(fs_final_last(f.j, &last, hash), 0);
	ck_assert_uint_eq(last, 1);
	ck_assert_int_eq(fs_final_close(i), 0);
	final_statement(&f, i, "dir/second", KEYS_NOTE_LOCKED, &s);
	s.note.number = 1;
	memset(s.note.before, 0, KEYS_LEN);
	ck_assert_int_eq(fs_final_add(&add, &f.who), -ESTALE);
	/* A damaged end stops everything: nothing is said twice. */
	put(fs_records_vault(f.r), &end, "\1", 1);
	ck_assert_int_eq(fs_final_last(f.j, &last, hash), -EBADMSG);
	ck_assert_int_eq(fs_final_add(&add, &f.who), -EBADMSG);
	ck_assert_uint_eq(i->flags, 0);
	fs_inode_put(i);
}
END_TEST

START_TEST(end_of_the_chain_decodes_whole_or_not_at_all)
{
	struct fs_key end = end_key();
	struct fs_buf *genuine = get(fs_records_vault(f.r), &end);
	uint8_t hash[KEYS_LEN], longer[FS_FINAL_END_LEN + 1] = {0};
	uint32_t n;

	ck_assert_uint_eq(genuine->len, FS_FINAL_END_LEN);
	ck_assert_int_eq(fs_final_end_decode(genuine->data, genuine->len, &n, hash), 0);
	ck_assert_uint_eq(n, 1);
	for (size_t len = 0; len < genuine->len; len++)
		ck_assert_int_eq(fs_final_end_decode(genuine->data, len, &n, hash), -EBADMSG);
	memcpy(longer, genuine->data, genuine->len);
	ck_assert_int_eq(fs_final_end_decode(longer, sizeof(longer), &n, hash), -EBADMSG);
	longer[0] = 2;
	ck_assert_int_eq(fs_final_end_decode(longer, FS_FINAL_END_LEN, &n, hash), -EBADMSG);
	longer[0] = 1, longer[4] = 0;
	ck_assert_int_eq(fs_final_end_decode(longer, FS_FINAL_END_LEN, &n, hash), -EBADMSG);
	fs_buf_put(genuine);
}
END_TEST

/* ---- what is on the disk ---- */

/* Nothing of a statement or a state stands there in clear. */
START_TEST(statements_and_states_are_sealed)
{
	struct fs_key key = final_key(1);
	const uint8_t *val;
	struct fs_snap *snap;
	size_t len;

	files_sync(&f);
	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(f.r), &snap), 0);
	ck_assert_int_eq(fs_store_get(snap, &key, &val, &len), 0);
	ck_assert_uint_eq(val[0], 1);
	ck_assert_ptr_null(memmem(val, len, "anna", 4));
	ck_assert_ptr_null(memmem(val, len, "dir/note", 8));
	key = state_key();
	ck_assert_int_eq(fs_store_get(snap, &key, &val, &len), 0);
	ck_assert_uint_eq(val[0], 1);
	ck_assert_uint_eq(len, FS_FINAL_STATE_LEN + 45);
	key = end_key();
	ck_assert_int_eq(fs_store_get(snap, &key, &val, &len), 0);
	ck_assert_uint_eq(val[0], 0);
	ck_assert_uint_eq(len, FS_FINAL_END_LEN + 1);
	fs_store_snap_end(snap);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_final_forged");
	TCase *tc = tcase_create("forged");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, start, stop);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, stripped_flags_are_noticed);
	tcase_add_test(tc, flags_that_no_record_bears_out_are_damage);
	tcase_add_test(tc, draft_dressed_as_final_is_damage);
	tcase_add_test(tc, state_gone_or_cut_is_damage);
	tcase_add_test(tc, no_bit_of_state_makes_a_draft);
	tcase_add_test(tc, states_that_make_no_sense_do_not_decode);
	tcase_add_test(tc, statement_cut_anywhere_does_not_decode);
	tcase_add_test(tc, no_bit_of_a_statement_goes_unseen);
	tcase_add_test(tc, statement_of_another_place_is_damage);
	tcase_add_test(tc, chain_does_not_grow_past_a_gap);
	tcase_add_test(tc, end_of_the_chain_decodes_whole_or_not_at_all);
	tcase_add_test(tc, statements_and_states_are_sealed);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
