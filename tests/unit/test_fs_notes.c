/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Final notes: who may finalize, sign, countersign, mark and amend what, what is logged and told,
 * links of amendments and moved notes, age, locked sessions. What attackers try:
 * test_fs_notes_verify.c.
 */
#include "../../fs/clock.h"
#include "test_fs_notes.h"

static void clinic(void)
{
	n_clinic(NOTES_POLICY(COUNTERSIGN));
}

START_TEST(author_finalizes_and_nothing_changes_it_any_more)
{
	struct fs_note_status st;
	struct fs_journal *j;
	struct fs_inode *i;
	struct fs_actor who = {.pid = 2, .now = {.tv_sec = 5}};

	clinic();
	ck_assert_int_eq(t_write(anna, p, "visit.md", "cough, better"), 0);
	ck_assert_int_eq(n_finalize(anna, "visit.md"), 0);
	ck_assert_uint_eq(result.number, 1);
	ck_assert_uint_eq(result.kind, KEYS_NOTE_FINAL);
	ck_assert(!result.wants);
	i = n_inode(anna, p, "visit.md", &j);
	who.signer = fs_session_signer(anna);
	ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)"x", 1, &who, NULL),
			 -EPERM);
	ck_assert_int_eq(fs_content_truncate(i, 0, &who), -EPERM);
	fs_signer_put(who.signer);
	fs_inode_put(i);
	fs_journal_put(j);
	st = n_status(anna, p, "visit.md");
	ck_assert_str_eq(fs_note_state_text(st.flags), "final");
	ck_assert_str_eq(st.author, "anna");
	ck_assert_str_eq(st.final.note.who, "anna");
	ck_assert_str_eq(st.final.note.role, "physician");
	ck_assert_uint_eq(st.final.note.size, strlen("cough, better"));
	ck_assert_uint_eq(st.state.signed_by, 1);
	ck_assert_uint_gt(st.final.logged, st.final.note.log_seq);
	ck_assert_int_eq(n_finalize(anna, "visit.md"), -EPERM);
	ck_assert_ptr_nonnull(strstr(t.say.text, "visit.md is final already"));
	n_all_well(anna, 1, 0);
	n_out();
}
END_TEST

/* Who finalizes whose draft, with and without `finalize others`. */
static const struct {
	const char *who, *author;
	int alone, others;
} table[] = {
	{"anna", "anna", 0, 0},
	{"bo", "bo", 0, 0},
	{"tim", "tim", 0, 0},
	{"anna", "bo", -EACCES, 0},
	{"tim", "bo", -EACCES, 0},
	{"bo", "anna", -EACCES, -EACCES},
	{"eva", "anna", -EACCES, -EACCES},
	{"max", "anna", -ENOENT, -ENOENT},
	{"dan", "anna", -EACCES, -EACCES},
};

static struct fs_session *by_name(const char *name)
{
	struct fs_session *all[] = {dan, anna, bo, tim, eva, max};

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
		if (!strcmp(all[k]->who, name))
			return all[k];
	}
	ck_abort();
	return NULL;
}

static void who_may(bool others)
{
	for (size_t k = 0; k < sizeof(table) / sizeof(table[0]); k++) {
		struct fs_session *s = by_name(table[k].who);
		int want = others ? table[k].others : table[k].alone, rc;
		unsigned refused = t_logged(POLICY_RECORD_REFUSED, "finalizing");
		struct fs_note_look look;
		struct fs_note_place at;
		char name[32];

		snprintf(name, sizeof(name), "%d-%zu", others, k);
		at = n_at(name);
		ck_assert_int_eq(t_write(by_name(table[k].author), p, name, "text"), 0);
		rc = fs_vault_note_look(t.v, s, &at, &look, &t.say);
		ck_assert_msg(rc == want, "%s looks at %s's: %d", table[k].who, table[k].author,
			      rc);
		rc = n_finalize(s, name);
		ck_assert_msg(rc == want, "%s finalizes %s's: %d %s", table[k].who, table[k].author,
			      rc, t.say.text);
		if (want) {
			ck_assert_uint_gt(strlen(t.say.text), 10);
			ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "finalizing"),
					  refused + 2);
		}
	}
}

START_TEST(who_may_finalize_is_author_or_policy)
{
	clinic();
	who_may(false);
	t_put(dan, "practice", NOTES_POLICY(COUNTERSIGN "finalize others\n"));
	who_may(true);
	n_out();
}
END_TEST

START_TEST(look_tells_what_would_be_locked)
{
	struct fs_note_place at = n_at("visit.md");
	struct fs_note_look look;

	clinic();
	ck_assert_int_eq(t_write(tim, p, "visit.md", "12345"), 0);
	ck_assert_int_eq(fs_vault_note_look(t.v, tim, &at, &look, &t.say), 0);
	ck_assert_str_eq(look.author, "tim");
	ck_assert_uint_eq(look.size, 5);
	ck_assert(look.mine && !look.final && look.wants);
	ck_assert_int_eq(n_finalize(tim, "visit.md"), 0);
	ck_assert_int_eq(fs_vault_note_look(t.v, tim, &at, &look, &t.say), -EPERM);
	ck_assert(look.final && look.signed_ && look.wants);
	ck_assert_int_eq(fs_vault_note_look(
				 t.v, tim, &(struct fs_note_place){.journal = "p", .path = "no.md"},
				 &look, &t.say),
			 -ENOENT);
	n_out();
}
END_TEST

START_TEST(students_note_wants_a_second_practitioner_and_gets_one)
{
	clinic();
	ck_assert_int_eq(t_write(tim, p, "s.md", "student's"), 0);
	ck_assert_int_eq(n_finalize(tim, "s.md"), 0);
	ck_assert(result.wants);
	ck_assert(n_status(tim, p, "s.md").flags & FS_INODE_WANTS);
	/* Not himself, not who has no right, not who may not write, not from another unit. */
	ck_assert_int_eq(n_sign(tim, "s.md"), -EEXIST);
	ck_assert_int_eq(n_sign(bo, "s.md"), -EACCES);
	ck_assert_int_eq(n_sign(eva, "s.md"), -EACCES);
	ck_assert_int_eq(n_sign(max, "s.md"), -ENOENT);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "signing"), 3);
	ck_assert_int_eq(n_sign(anna, "s.md"), 0);
	ck_assert_uint_eq(result.kind, KEYS_NOTE_COUNTERSIGNED);
	ck_assert(!result.wants);
	ck_assert(!(n_status(tim, p, "s.md").flags & FS_INODE_WANTS));
	ck_assert_int_eq(n_sign(anna, "s.md"), -EEXIST);
	/* A student is nobody's second. */
	ck_assert_int_eq(t_write(anna, p, "a.md", "physician's"), 0);
	ck_assert_int_eq(n_finalize(anna, "a.md"), 0);
	ck_assert_int_eq(n_sign(tim, "a.md"), -EACCES);
	ck_assert_ptr_nonnull(strstr(t.say.text, "student"));
	n_all_well(anna, 3, 0);
	n_out();
}
END_TEST

START_TEST(locked_note_is_signed_by_its_author_later)
{
	struct n_found f;

	clinic();
	ck_assert_int_eq(t_write(bo, p, "l.md", "locked"), 0);
	ck_assert_int_eq(n_sign(bo, "l.md"), -EPERM);
	ck_assert_int_eq(n_finalize_as(bo, "l.md", FS_NOTE_ATTRIBUTE), 0);
	ck_assert_uint_eq(result.kind, KEYS_NOTE_LOCKED);
	ck_assert(!(n_status(bo, p, "l.md").flags & FS_INODE_SIGNED));
	ck_assert_int_eq(n_verify(bo, "l.md", &f), 0);
	ck_assert_uint_eq(f.by[FS_NOTE_UNSIGNED], 1);
	ck_assert_ptr_nonnull(strstr(f.one[0].why, "journalfs sign"));
	ck_assert_int_eq(n_sign(bo, "l.md"), 0);
	ck_assert_uint_eq(result.kind, KEYS_NOTE_SIGNED);
	ck_assert_int_eq(n_sign(bo, "l.md"), -EEXIST);
	ck_assert(n_status(bo, p, "l.md").flags & FS_INODE_SIGNED);
	n_all_well(bo, 2, 0);
	n_out();
}
END_TEST

START_TEST(who_finalizes_a_students_note_is_its_second_practitioner)
{
	n_clinic(NOTES_POLICY(COUNTERSIGN "finalize others\n"));
	ck_assert_int_eq(t_write(tim, p, "s.md", "student's"), 0);
	ck_assert_int_eq(n_finalize(anna, "s.md"), 0);
	ck_assert(!result.wants);
	ck_assert_int_eq(n_sign(anna, "s.md"), -EEXIST);
	n_all_well(tim, 1, 0);
	n_out();
}
END_TEST

START_TEST(emergency_access_finalizes_own_new_notes_alone)
{
	const struct fs_glass_open in = {.journal = "p",
					 .ground = FS_GLASS_DANGER,
					 .reason = "unconscious, brought in by ambulance",
					 .code = ""};
	struct fs_note_place at = n_at("a.md");
	struct fs_grant g;
	char path[KEYS_NOTE_PATH_MAX + 1];
	static struct fs_note_export ex;

	n_clinic(NOTES_POLICY("finalize others\n"));
	ck_assert_int_eq(t_write(anna, p, "a.md", "anna's"), 0);
	ck_assert_int_eq(n_finalize(max, "a.md"), -ENOENT);
	ck_assert_int_eq(fs_vault_glass_open(t.v, max, &in, &g, &t.say), 0);
	ck_assert_int_eq(n_write_now(max, p, "m.md", "max's"), 0);
	ck_assert_int_eq(n_finalize(max, "a.md"), -EACCES);
	ck_assert_int_eq(n_error(max, "a.md"), -EACCES);
	ck_assert_int_eq(n_finalize(anna, "a.md"), 0);
	ck_assert_int_eq(n_sign(max, "a.md"), -EACCES);
	ck_assert_int_eq(n_error(max, "a.md"), -EACCES);
	ck_assert_int_eq(fs_vault_note_export(t.v, max, &at, &ex, &t.say), -EACCES);
	/* His own, and a new one that amends. */
	ck_assert_int_eq(fs_vault_note_amend(t.v, max, &at, "", path, &t.say), 0);
	ck_assert_int_eq(n_finalize(max, "m.md"), 0);
	ck_assert_int_eq(n_finalize(max, path), 0);
	n_all_well(anna, 3, 0);
	/* One that somebody else has written in is his no more. */
	ck_assert_int_eq(n_write_now(max, p, "n.md", "max's"), 0);
	{
		struct fs_journal *j;
		struct fs_inode *i = n_inode(anna, p, "n.md", &j);
		struct fs_actor who = {.pid = anna->pid, .now = {.tv_sec = fs_vault_wall_s()}};

		who.signer = fs_session_signer(anna);
		ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)"A", 1, &who, NULL),
				 0);
		fs_signer_put(who.signer);
		fs_inode_put(i);
		fs_journal_put(j);
	}
	ck_assert_int_eq(n_finalize(max, "n.md"), -EACCES);
	ck_assert_ptr_nonnull(strstr(t.say.text, "emergency"));
	n_out();
}
END_TEST

START_TEST(each_act_has_its_record_with_number_and_hash)
{
	uint8_t hash[KEYS_LEN];
	char hex[2 * KEYS_LEN + 1];
	struct fs_note_status st;

	clinic();
	ck_assert_int_eq(t_write(anna, p, "visit.md", "text"), 0);
	ck_assert_int_eq(n_finalize(anna, "visit.md"), 0);
	st = n_status(anna, p, "visit.md");
	keys_note_hash(&st.final.note, hash);
	fs_noting_hex(hash, sizeof(hash), hex);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, hex), 1);
	ck_assert_int_eq(n_error(anna, "visit.md"), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ERROR, NULL), 1);
	n_out();
}
END_TEST

START_TEST(error_marks_a_final_note_and_locks_a_draft_first)
{
	struct fs_note_place at = n_at("d.md");

	clinic();
	ck_assert_int_eq(t_write(bo, p, "d.md", "draft"), 0);
	ck_assert_int_eq(fs_vault_note_error(t.v, bo, &at, "no", NULL, &result, &t.say), -EINVAL);
	ck_assert_int_eq(n_error(tim, "d.md"), -EACCES);
	ck_assert_int_eq(n_error(bo, "d.md"), 0);
	ck_assert_uint_eq(result.number, 2);
	ck_assert_str_eq(fs_note_state_text(n_status(bo, p, "d.md").flags), "entered-in-error");
	ck_assert_int_eq(n_error(bo, "d.md"), -EEXIST);
	/* Who has the right marks another's. */
	ck_assert_int_eq(t_write(bo, p, "e.md", "bo's"), 0);
	ck_assert_int_eq(n_finalize(bo, "e.md"), 0);
	ck_assert_int_eq(n_error(anna, "e.md"), 0);
	n_all_well(bo, 3, 1);
	n_out();
}
END_TEST

START_TEST(amendment_links_both_notes_once_it_is_final)
{
	struct fs_note_place at = n_at("visit.md");
	char path[KEYS_NOTE_PATH_MAX + 1];
	struct fs_note_status st;

	clinic();
	ck_assert_int_eq(t_write(anna, p, "visit.md", "text"), 0);
	ck_assert_int_eq(fs_vault_note_amend(t.v, anna, &at, "", path, &t.say), -EPERM);
	ck_assert_int_eq(n_finalize(anna, "visit.md"), 0);
	ck_assert_int_eq(fs_vault_note_amend(t.v, eva, &at, "", path, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_note_amend(t.v, bo, &at, "a/b", path, &t.say), -EINVAL);
	ck_assert_int_eq(fs_vault_note_amend(t.v, bo, &at, "visit.md", path, &t.say), -EEXIST);
	ck_assert_int_eq(fs_vault_note_amend(t.v, bo, &at, "", path, &t.say), 0);
	ck_assert_str_eq(path, "visit amendment 1.md");
	ck_assert_int_eq(fs_vault_note_amend(t.v, bo, &at, NULL, path, &t.say), 0);
	ck_assert_str_eq(path, "visit amendment 2.md");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_AMEND, NULL), 2);
	st = n_status(bo, p, "visit amendment 1.md");
	ck_assert_str_eq(st.author, "bo");
	ck_assert_str_eq(st.amends, "visit.md");
	ck_assert_str_eq(fs_note_state_text(st.flags), "draft");
	ck_assert_str_eq(fs_note_state_text(n_status(bo, p, "visit.md").flags), "final");
	ck_assert_int_eq(n_finalize(bo, "visit amendment 1.md"), 0);
	st = n_status(bo, p, "visit.md");
	ck_assert_str_eq(fs_note_state_text(st.flags), "amended");
	ck_assert_str_eq(st.amended_by, "visit amendment 1.md");
	ck_assert_uint_eq(n_status(bo, p, "visit amendment 1.md").final.note.amends, 1);
	n_all_well(eva, 2, 0);
	n_out();
}
END_TEST

START_TEST(amendment_takes_the_practices_pattern_and_lies_beside_its_note)
{
	struct fs_actor who = {.pid = 2, .now = {.tv_sec = 1}};
	struct fs_note_place at = n_at("y/.plan");
	char path[KEYS_NOTE_PATH_MAX + 1];
	struct fs_journal *j;
	struct fs_inode *root, *dir, *note;

	n_clinic(NOTES_POLICY("finalize amendment \"%n, tillegg%e\"\n"));
	ck_assert_int_eq(fs_vault_journal(t.v, anna, p, &j), 0);
	who.pid = anna->pid;
	who.signer = fs_session_signer(anna);
	ck_assert_int_eq(fs_inode_get(j, FS_ROOT_INO, &root), 0);
	ck_assert_int_eq(fs_tree_create(root, "y", S_IFDIR | 0700, &who, &dir), 0);
	ck_assert_int_eq(fs_tree_create(dir, ".plan", S_IFREG | 0600, &who, &note), 0);
	fs_signer_put(who.signer);
	fs_inode_put(note);
	fs_inode_put(dir);
	fs_inode_put(root);
	fs_journal_put(j);
	ck_assert_int_eq(n_finalize(anna, "y/.plan"), 0);
	ck_assert_int_eq(fs_vault_note_amend(t.v, anna, &at, "", path, &t.say), 0);
	ck_assert_str_eq(path, "y/.plan, tillegg");
	ck_assert_int_eq(fs_vault_note_amend(t.v, anna, &at, "", path, &t.say), -EEXIST);
	n_out();
}
END_TEST

START_TEST(moved_note_is_copied_with_its_provenance_and_marked_at_its_origin)
{
	struct fs_note_place at = n_at("wrong.md");
	char path[KEYS_NOTE_PATH_MAX + 1], got[256];
	struct fs_note_status st, copy;

	clinic();
	ck_assert_int_eq(t_write(anna, p, "wrong.md", "belongs elsewhere"), 0);
	ck_assert_int_eq(t_write(anna, q, "wrong.md", "another"), 0);
	/* eva may not write; tim may not see the other journal. */
	ck_assert_int_eq(
		fs_vault_note_move(t.v, eva, &at, "q", "wrong patient", NULL, path, &t.say),
		-EACCES);
	ck_assert_int_eq(
		fs_vault_note_move(t.v, anna, &at, "p", "wrong patient", NULL, path, &t.say),
		-EINVAL);
	ck_assert_int_eq(
		fs_vault_note_move(t.v, anna, &at, "none", "wrong patient", NULL, path, &t.say),
		-ENOENT);
	ck_assert_int_eq(fs_vault_note_move(t.v, anna, &at, "q", "x", NULL, path, &t.say), -EINVAL);
	ck_assert(!(n_status(anna, p, "wrong.md").flags & FS_INODE_FINAL));
	ck_assert_int_eq(
		fs_vault_note_move(t.v, anna, &at, "q", "wrong patient", NULL, path, &t.say), 0);
	ck_assert_str_eq(path, "wrong (1).md");
	ck_assert_int_eq(t_read(anna, q, path, got), 0);
	ck_assert_str_eq(got, "belongs elsewhere");
	st = n_status(anna, p, "wrong.md");
	copy = n_status(anna, q, path);
	ck_assert_str_eq(fs_note_state_text(st.flags), "entered-in-error");
	ck_assert_str_eq(fs_note_state_text(copy.flags), "draft");
	ck_assert_uint_eq(st.state.moved_to, q);
	ck_assert_uint_eq(st.state.moved_to_ino, copy.ino);
	ck_assert_uint_eq(copy.state.moved_from, p);
	ck_assert_uint_eq(copy.state.moved_from_ino, st.ino);
	ck_assert_mem_eq(copy.state.moved_from_sha256, st.final.note.sha256, KEYS_LEN);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_MOVE, "copied into q"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_MOVE, "copied from p"), 1);
	ck_assert_int_eq(t_read(anna, p, "wrong.md", got), 0);
	ck_assert_str_eq(got, "belongs elsewhere");
	ck_assert_int_eq(
		fs_vault_note_move(t.v, anna, &at, "q", "wrong patient", NULL, path, &t.say),
		-EEXIST);
	n_all_well(anna, 1, 1);
	n_out();
}
END_TEST

START_TEST(large_note_is_moved_whole)
{
	struct fs_note_place at = n_at("scan");
	char path[KEYS_NOTE_PATH_MAX + 1];
	static uint8_t big[900000];
	struct fs_actor who;
	struct fs_journal *j;
	struct fs_inode *i;

	clinic();
	for (size_t k = 0; k < sizeof(big); k++)
		big[k] = (uint8_t)(k * 7 + (k >> 9));
	ck_assert_int_eq(t_write(anna, p, "scan", ""), 0);
	i = n_inode(anna, p, "scan", &j);
	who = (struct fs_actor){
		.signer = fs_session_signer(anna), .pid = anna->pid, .now = {.tv_sec = 9}};
	ck_assert_int_eq(fs_content_write(i, 0, false, big, sizeof(big), &who, NULL), 0);
	fs_signer_put(who.signer);
	fs_inode_put(i);
	fs_journal_put(j);
	ck_assert_int_eq(
		fs_vault_note_move(t.v, anna, &at, "q", "wrong patient", NULL, path, &t.say), 0);
	i = n_inode(anna, q, path, &j);
	ck_assert_uint_eq(i->size, sizeof(big));
	ck_assert_int_eq(i->mtime.tv_sec, 9);
	fs_inode_put(i);
	fs_journal_put(j);
	n_out();
}
END_TEST

START_TEST(locked_session_does_nothing)
{
	struct fs_note_place at = n_at("visit.md");
	char path[KEYS_NOTE_PATH_MAX + 1];
	struct n_found f;

	clinic();
	ck_assert_int_eq(t_write(anna, p, "visit.md", "text"), 0);
	ck_assert_int_eq(t_write(anna, p, "other.md", "text"), 0);
	ck_assert_int_eq(n_finalize_as(anna, "visit.md", FS_NOTE_ATTRIBUTE), 0);
	fs_vault_lock_begin(t.v, anna);
	ck_assert_int_eq(n_finalize(anna, "other.md"), -ENOKEY);
	ck_assert_int_eq(fs_vault_lock_finish(t.v, anna, "test"), 0);
	ck_assert_int_eq(n_finalize(anna, "other.md"), -ENOKEY);
	ck_assert_int_eq(n_sign(anna, "visit.md"), -ENOKEY);
	ck_assert_int_eq(n_error(anna, "visit.md"), -ENOKEY);
	ck_assert_int_eq(n_verify(anna, NULL, &f), -ENOKEY);
	ck_assert_int_eq(fs_vault_note_amend(t.v, anna, &at, "", path, &t.say), -ENOKEY);
	ck_assert_int_eq(
		fs_vault_note_move(t.v, anna, &at, "q", "wrong patient", NULL, path, &t.say),
		-ENOKEY);
	n_out();
}
END_TEST

static void lock_session(void *ctx, uint64_t nodeid)
{
	ck_assert_uint_eq(nodeid >> 40, p);
	fs_vault_lock_begin(t.v, ctx);
}

static void take_right(void *ctx, uint64_t nodeid)
{
	(void)ctx;
	(void)nodeid;
	t_put(dan, "p",
	      "journal \"p\"\nunit north\nallow unit:north:rwx\nallow user:bo:r-x\nblock "
	      "user:bo\n");
}

START_TEST(what_happens_while_mounts_settle_counts)
{
	struct fs_note_settle settle = {.fn = lock_session};
	struct fs_note_place at = n_at("visit.md");

	clinic();
	settle.ctx = tim;
	ck_assert_int_eq(t_write(tim, p, "visit.md", "text"), 0);
	ck_assert_int_eq(
		fs_vault_note_finalize(t.v, tim, &at, FS_NOTE_SIGN, &settle, &result, &t.say),
		-ENOKEY);
	at = n_at("bo.md");
	settle = (struct fs_note_settle){.fn = take_right};
	ck_assert_int_eq(t_write(bo, p, "bo.md", "text"), 0);
	ck_assert_int_eq(
		fs_vault_note_finalize(t.v, bo, &at, FS_NOTE_SIGN, &settle, &result, &t.say),
		-ENOENT);
	ck_assert_uint_eq(n_status(anna, p, "visit.md").flags & FS_INODE_FINAL, 0);
	ck_assert_uint_eq(n_status(anna, p, "bo.md").flags & FS_INODE_FINAL, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, NULL), 0);
	/* Nobody is left in the way. */
	ck_assert_int_eq(t_write(anna, p, "a.md", "text"), 0);
	ck_assert_int_eq(n_finalize(anna, "a.md"), 0);
	n_out();
}
END_TEST

START_TEST(hard_links_and_folders_are_not_finalized)
{
	struct fs_actor who;
	struct fs_journal *j;
	struct fs_inode *i, *root;

	clinic();
	ck_assert_int_eq(t_write(anna, p, "a.md", "text"), 0);
	i = n_inode(anna, p, "a.md", &j);
	who = (struct fs_actor){
		.signer = fs_session_signer(anna), .pid = anna->pid, .now = {.tv_sec = 9}};
	ck_assert_int_eq(fs_inode_get(j, FS_ROOT_INO, &root), 0);
	ck_assert_int_eq(fs_tree_link(i, root, "b.md", &who), 0);
	ck_assert_int_eq(n_finalize(anna, "a.md"), -EMLINK);
	ck_assert_ptr_nonnull(strstr(t.say.text, "hard links"));
	ck_assert_int_eq(fs_tree_unlink(root, "b.md", &who, NULL), 0);
	fs_signer_put(who.signer);
	fs_inode_put(i);
	fs_inode_put(root);
	fs_journal_put(j);
	ck_assert_int_eq(n_finalize(anna, "../a.md"), -EINVAL);
	ck_assert_int_eq(n_finalize(anna, ""), -EINVAL);
	ck_assert_int_eq(n_finalize(anna, "a.md/b"), -ENOENT);
	ck_assert_int_eq(n_finalize(anna, "a.md"), 0);
	n_out();
}
END_TEST

/* chmod and setfattr know an inode; the path that leads to it is looked for before. */
START_TEST(place_that_leads_to_another_note_meanwhile_is_not_finalized)
{
	struct fs_note_place at = n_at("a.md");

	clinic();
	ck_assert_int_eq(t_write(anna, p, "a.md", "text"), 0);
	ck_assert_int_eq(t_write(anna, p, "b.md", "text"), 0);
	at.ino = n_status(anna, p, "b.md").ino;
	ck_assert_int_eq(
		fs_vault_note_finalize(t.v, anna, &at, FS_NOTE_READ_ONLY, NULL, &result, &t.say),
		-ENOENT);
	at.path = "b.md";
	ck_assert_int_eq(
		fs_vault_note_finalize(t.v, anna, &at, FS_NOTE_READ_ONLY, NULL, &result, &t.say),
		0);
	ck_assert(!(n_status(anna, p, "a.md").flags & FS_INODE_FINAL));
	ck_assert_str_eq(n_status(anna, p, "b.md").final.note.reason, "made read-only");
	n_out();
}
END_TEST

/* Two at once: statements get numbers one after another, and all of them hold. */
struct finalizer {
	struct fs_session *s;
	const char *prefix;
};

static void *finalize_many(void *ctx)
{
	const struct finalizer *f = ctx;
	struct fs_note_result mine;
	struct fs_say say;
	char name[16];

	for (int k = 0; k < 8; k++) {
		struct fs_note_place at = {.journal = "p", .path = name};

		snprintf(name, sizeof(name), "%s%d.md", f->prefix, k);
		if (fs_vault_note_finalize(t.v, f->s, &at, FS_NOTE_SIGN, NULL, &mine, &say))
			return ctx;
	}
	return NULL;
}

START_TEST(statements_made_side_by_side_form_one_chain)
{
	struct finalizer one, two;
	pthread_t a, b;
	void *failed_a, *failed_b;
	char name[16];

	clinic();
	one = (struct finalizer){anna, "a"};
	two = (struct finalizer){bo, "b"};
	for (int k = 0; k < 8; k++) {
		snprintf(name, sizeof(name), "a%d.md", k);
		ck_assert_int_eq(t_write(anna, p, name, name), 0);
		snprintf(name, sizeof(name), "b%d.md", k);
		ck_assert_int_eq(t_write(bo, p, name, name), 0);
	}
	ck_assert_int_eq(pthread_create(&a, NULL, finalize_many, &one), 0);
	ck_assert_int_eq(pthread_create(&b, NULL, finalize_many, &two), 0);
	ck_assert_int_eq(pthread_join(a, &failed_a), 0);
	ck_assert_int_eq(pthread_join(b, &failed_b), 0);
	ck_assert_ptr_null(failed_a);
	ck_assert_ptr_null(failed_b);
	n_all_well(eva, 16, 0);
	n_out();
}
END_TEST

/* ---- what is large, and what changes ---- */

static void *finalize_one(void *ctx)
{
	static struct fs_note_result mine;
	static struct fs_say say;
	struct fs_note_place at = n_at("a.md");
	int *rc = ctx;

	*rc = fs_vault_note_finalize(t.v, anna, &at, FS_NOTE_SIGN, NULL, &mine, &say);
	return NULL;
}

static bool closing(struct fs_inode *i)
{
	bool is;

	pthread_rwlock_rdlock(&i->lock);
	is = i->closing;
	pthread_rwlock_unlock(&i->lock);
	return is;
}

/* A note is closed and hashed while other statements are made; rights are looked at again when its turn comes. */
START_TEST(hashing_keeps_no_other_statement_waiting)
{
	struct fs_actor who = {.pid = 3, .now = {.tv_sec = 5}};
	struct fs_journal *j;
	struct fs_inode *i;
	pthread_t thread;
	int rc = 1;

	clinic();
	ck_assert_int_eq(t_write(anna, p, "a.md", "text"), 0);
	i = n_inode(anna, p, "a.md", &j);
	pthread_mutex_lock(&t.v->finals);
	ck_assert_int_eq(pthread_create(&thread, NULL, finalize_one, &rc), 0);
	while (!closing(i))
		sched_yield();
	who.signer = fs_session_signer(bo);
	ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)"x", 1, &who, NULL), -EPERM);
	fs_signer_put(who.signer);
	/* Somebody else who is at the same note is told so. */
	t.say.text[0] = '\0';
	ck_assert_int_eq(n_finalize(anna, "a.md"), -EBUSY);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:r-x\nallow user:bo:rwx\n");
	pthread_mutex_unlock(&t.v->finals);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(rc, -EACCES);
	ck_assert(!closing(i));
	ck_assert_uint_eq(i->flags & FS_INODE_FINAL, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, NULL), 0);
	fs_inode_put(i);
	fs_journal_put(j);
	n_out();
}
END_TEST

/* bo changes the note at the last moment, to the same length and with the old time put back. */
static void slip_in(void *ctx, uint64_t nodeid)
{
	struct fs_actor who = {.pid = bo->pid, .now = {.tv_sec = 5}};
	struct fs_content_attr set = {.mtime = ctx};
	struct fs_journal *j;
	struct fs_inode *i = n_inode(bo, p, "a.md", &j);

	(void)nodeid;
	who.signer = fs_session_signer(bo);
	ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)"none", 4, &who, NULL), 0);
	ck_assert_int_eq(fs_content_setattr(i, &set, &who), 0);
	fs_signer_put(who.signer);
	fs_inode_put(i);
	fs_journal_put(j);
}

START_TEST(what_was_not_shown_is_not_signed)
{
	struct fs_note_place at = n_at("a.md");
	struct fs_note_look l;
	struct fs_note_settle settle = {.fn = slip_in, .ctx = &l.mtime};

	clinic();
	ck_assert_int_eq(t_write(anna, p, "a.md", "text"), 0);
	ck_assert_int_eq(fs_vault_note_look(t.v, anna, &at, &l, &t.say), 0);
	at.as_shown = true;
	at.change = l.change;
	ck_assert_int_eq(fs_vault_note_finalize(t.v, anna, &at, FS_NOTE_SIGN, &settle, &result, &t.say),
			 -ESTALE);
	ck_assert_ptr_nonnull(strstr(t.say.text, "changed after it was shown"));
	ck_assert_uint_eq(n_status(anna, p, "a.md").flags & FS_INODE_FINAL, 0);
	ck_assert_int_eq(fs_vault_note_look(t.v, anna, &at, &l, &t.say), 0);
	at.change = l.change;
	ck_assert_int_eq(fs_vault_note_finalize(t.v, anna, &at, FS_NOTE_SIGN, NULL, &result, &t.say), 0);
	n_out();
}
END_TEST

static unsigned settled;

static void count_settle(void *ctx, uint64_t nodeid)
{
	(void)ctx;
	(void)nodeid;
	settled++;
}

START_TEST(age_locks_what_nobody_changed_for_so_long)
{
	struct fs_note_settle settle = {.fn = count_settle};
	struct n_found f;

	n_clinic(NOTES_POLICY(COUNTERSIGN "finalize after 14d\nhistory for \"*.tmp\" keep none\n"));
	ck_assert_int_eq(fs_vault_note_due_s(t.v) - (fs_vault_wall_s() - 14 * 86400), 0);
	ck_assert_int_eq(t_write(tim, p, "old.md", "1970"), 0);
	ck_assert_int_eq(t_write(tim, p, "old.tmp", "1970"), 0);
	ck_assert_int_eq(t_write(tim, p, ".~lock.brev.odt#", "1970"), 0);
	ck_assert_int_eq(n_write_now(tim, p, "new.md", "now"), 0);
	for (int k = 0; k < 8; k++)
		fs_vault_note_tick(t.v, &settle);
	ck_assert(n_status(tim, p, "old.md").flags & FS_INODE_FINAL);
	ck_assert(n_status(tim, p, "old.md").flags & FS_INODE_WANTS);
	ck_assert(!(n_status(tim, p, "old.tmp").flags & FS_INODE_FINAL));
	ck_assert(!(n_status(tim, p, ".~lock.brev.odt#").flags & FS_INODE_FINAL));
	ck_assert(!(n_status(tim, p, "new.md").flags & FS_INODE_FINAL));
	ck_assert_uint_eq(settled, 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, "locked, not signed"), 1);
	ck_assert_int_eq(n_verify(tim, "old.md", &f), 0);
	ck_assert_uint_eq(f.by[FS_NOTE_UNSIGNED], 1);
	ck_assert_int_eq(n_sign(tim, "old.md"), 0);
	ck_assert(result.wants);
	ck_assert_int_eq(n_sign(anna, "old.md"), 0);
	n_all_well(anna, 3, 0);
	n_out();
}
END_TEST

static int64_t ahead_s;

static int64_t wall_ahead(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec + ahead_s) * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t boot_ahead_s;

static int64_t boot_ahead(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (now.tv_sec + boot_ahead_s) * INT64_C(1000000000) + now.tv_nsec;
}

static void tick_for(int64_t wall_s, int64_t boot_s)
{
	ahead_s += wall_s;
	boot_ahead_s += boot_s;
	for (int k = 0; k < 8; k++)
		fs_vault_note_tick(t.v, NULL);
}

START_TEST(clock_that_was_set_forward_locks_nothing_for_a_day)
{
	static const struct fs_clock_source source = {.wall_ns = wall_ahead, .boot_ns = boot_ahead};

	ahead_s = boot_ahead_s = 0;
	fs_clock_pretend(&source);
	n_clinic(NOTES_POLICY("finalize after 14d\n"));
	ck_assert_int_eq(n_write_now(tim, p, "new.md", "now"), 0);
	tick_for(0, 0);
	tick_for(400 * 86400, 120);
	ck_assert(!(n_status(tim, p, "new.md").flags & FS_INODE_FINAL));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ALARM, "clock was set by 9599 hours"), 1);
	tick_for(3600, 3600);
	ck_assert(!(n_status(tim, p, "new.md").flags & FS_INODE_FINAL));
	/* Nobody put it right. */
	tick_for(86400, 86400);
	ck_assert(n_status(tim, p, "new.md").flags & FS_INODE_FINAL);
	n_out();
	fs_clock_pretend(NULL);
}
END_TEST

START_TEST(age_locks_nothing_where_nobody_who_may_write_is_there_or_policy_is_silent)
{
	clinic();
	ck_assert_int_eq(fs_vault_note_due_s(t.v), 0);
	ck_assert_int_eq(t_write(tim, p, "old.md", "1970"), 0);
	for (int k = 0; k < 4; k++)
		fs_vault_note_tick(t.v, NULL);
	ck_assert(!(n_status(tim, p, "old.md").flags & FS_INODE_FINAL));
	t_put(dan, "practice", NOTES_POLICY("finalize after 14d\n"));
	t_logout(tim);
	t_logout(bo);
	t_logout(anna);
	tim = bo = anna = NULL;
	ck_assert_uint_eq(n_status(eva, p, "old.md").flags & FS_INODE_FINAL, 0);
	for (int k = 0; k < 4; k++)
		fs_vault_note_tick(t.v, NULL);
	ck_assert(!(n_status(eva, p, "old.md").flags & FS_INODE_FINAL));
	n_out();
}
END_TEST

START_TEST(final_notes_are_final_after_the_vault_was_closed)
{
	clinic();
	ck_assert_int_eq(t_write(anna, p, "visit.md", "text"), 0);
	ck_assert_int_eq(n_finalize(anna, "visit.md"), 0);
	ck_assert_int_eq(n_error(anna, "visit.md"), 0);
	n_out();
	t_close();
	t_open();
	anna = t_login("anna", ANNA);
	ck_assert_str_eq(fs_note_state_text(n_status(anna, p, "visit.md").flags),
			 "entered-in-error");
	n_all_well(anna, 2, 0);
	ck_assert_int_eq(t_write(anna, p, "next.md", "text"), 0);
	ck_assert_int_eq(n_finalize(anna, "next.md"), 0);
	ck_assert_uint_eq(result.number, 3);
	n_out();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/notes");
	TCase *tc = tcase_create("notes");

	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, author_finalizes_and_nothing_changes_it_any_more);
	tcase_add_test(tc, who_may_finalize_is_author_or_policy);
	tcase_add_test(tc, look_tells_what_would_be_locked);
	tcase_add_test(tc, students_note_wants_a_second_practitioner_and_gets_one);
	tcase_add_test(tc, locked_note_is_signed_by_its_author_later);
	tcase_add_test(tc, who_finalizes_a_students_note_is_its_second_practitioner);
	tcase_add_test(tc, emergency_access_finalizes_own_new_notes_alone);
	tcase_add_test(tc, each_act_has_its_record_with_number_and_hash);
	tcase_add_test(tc, error_marks_a_final_note_and_locks_a_draft_first);
	tcase_add_test(tc, amendment_links_both_notes_once_it_is_final);
	tcase_add_test(tc, amendment_takes_the_practices_pattern_and_lies_beside_its_note);
	tcase_add_test(tc, moved_note_is_copied_with_its_provenance_and_marked_at_its_origin);
	tcase_add_test(tc, large_note_is_moved_whole);
	tcase_add_test(tc, locked_session_does_nothing);
	tcase_add_test(tc, what_happens_while_mounts_settle_counts);
	tcase_add_test(tc, hard_links_and_folders_are_not_finalized);
	tcase_add_test(tc, place_that_leads_to_another_note_meanwhile_is_not_finalized);
	tcase_add_test(tc, statements_made_side_by_side_form_one_chain);
	tcase_add_test(tc, hashing_keeps_no_other_statement_waiting);
	tcase_add_test(tc, what_was_not_shown_is_not_signed);
	tcase_add_test(tc, age_locks_what_nobody_changed_for_so_long);
	tcase_add_test(tc,
		       age_locks_nothing_where_nobody_who_may_write_is_there_or_policy_is_silent);
	tcase_add_test(tc, clock_that_was_set_forward_locks_nothing_for_a_day);
	tcase_add_test(tc, final_notes_are_final_after_the_vault_was_closed);
	suite_add_tcase(s, tc);
	return t_run(s);
}
