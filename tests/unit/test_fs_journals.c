/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Journals: making, renaming, removing, keys given and taken, and what somebody
 * who can write to the vault's database tries with keys and signatures.
 */
#include "fs/final.h"
#include "test_fs_vault.h"

static struct fs_session *dan, *anna, *bo, *eva;

static void clinic(void)
{
	t_setup();
	dan = t_clinic();
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	t_enroll(dan, "eva", EVA);
	anna = t_login("anna", ANNA);
	bo = t_login("bo", BO);
	eva = t_login("eva", EVA);
	t.alarms = 0; /* the clinic's first policy told of new powers */
}

static void home(void)
{
	fs_session_put(eva);
	fs_session_put(bo);
	fs_session_put(anna);
	fs_session_put(dan);
	t_teardown();
}

#define TEAM                                                                                       \
	"journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\nallow user:eva:r-x\n"

struct names {
	unsigned n;
	char all[1000];
	uint64_t last;
	unsigned stop;
};

static int take_name(void *ctx, uint32_t index, const char *name, uint64_t cookie)
{
	struct names *l = ctx;

	(void)index;
	ck_assert_uint_gt(cookie, l->last);
	l->last = cookie;
	strcat(l->all, name);
	strcat(l->all, ";");
	return ++l->n == l->stop;
}

START_TEST(journal_made_is_listed_to_whom_it_is_visible)
{
	struct names l = {.n = 0};
	uint32_t index;

	index = t_make(anna, "p");
	ck_assert_int_eq(fs_vault_list(t.v, anna, take_name, 0, &l), 0);
	ck_assert_str_eq(l.all, "p;");
	memset(&l, 0, sizeof(l));
	ck_assert_int_eq(fs_vault_list(t.v, dan, take_name, 0, &l),
			 0); /* policy implies all names */
	ck_assert_str_eq(l.all, "p;");
	memset(&l, 0, sizeof(l));
	ck_assert_int_eq(fs_vault_list(t.v, bo, take_name, 0, &l), 0); /* the same unit */
	ck_assert_str_eq(l.all, "p;");
	ck_assert(t_may(anna, index, POLICY_WRITE));
	ck_assert(!t_may(bo, index, POLICY_READ));
	ck_assert(!t_may(dan, index, POLICY_READ));
}
END_TEST

START_TEST(list_goes_on_after_a_cookie)
{
	struct names l = {.stop = 2};

	t_make(anna, "c");
	t_make(anna, "b");
	t_make(anna, "a");
	ck_assert_int_eq(fs_vault_list(t.v, anna, take_name, 0, &l), 0);
	ck_assert_str_eq(l.all, "c;b;");
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "b"), 0);
	l.stop = 0;
	ck_assert_int_eq(fs_vault_list(t.v, anna, take_name, l.last, &l), 0);
	ck_assert_str_eq(l.all, "c;b;a;");
}
END_TEST

START_TEST(make_refuses_bad_names_and_missing_rights)
{
	char name[300];
	uint32_t index = 7;

	memset(name, 'x', sizeof(name));
	name[POLICY_JOURNAL_NAME_MAX + 1] = '\0';
	ck_assert_int_eq(fs_vault_journal_make(t.v, anna, name, &index), -ENAMETOOLONG);
	ck_assert_int_eq(fs_vault_journal_make(t.v, anna, "", &index), -EINVAL);
	ck_assert_int_eq(fs_vault_journal_make(t.v, anna, ".Trash-1000", &index), -EINVAL);
	ck_assert_int_eq(fs_vault_journal_make(t.v, anna, "a/b", &index), -EINVAL);
	ck_assert_int_eq(fs_vault_journal_make(t.v, anna, "practice", &index), -EINVAL);
	ck_assert_int_eq(fs_vault_journal_make(t.v, anna, "new\nline", &index), -EINVAL);
	ck_assert_int_eq(fs_vault_journal_make(t.v, bo, "q", &index), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "making a journal"), 1);
	t_make(anna, "p");
	ck_assert_int_eq(fs_vault_journal_make(t.v, anna, "p", &index), -EEXIST);
	ck_assert_uint_eq(index, 7);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "that exists"), 1);
}
END_TEST

START_TEST(wrap_waits_and_is_served_by_a_live_session)
{
	struct fs_vault_status status;
	struct fs_journal *j = NULL;
	char text[256], *waiting;
	uint32_t index = t_make(anna, "p");

	ck_assert_int_eq(t_write(anna, index, "a", "for bo"), 0);
	t_logout(anna);
	t_put(dan, "p", TEAM);
	t_ticks();
	ck_assert(t_may(bo, index, POLICY_READ));
	ck_assert_int_eq(fs_vault_journal(t.v, bo, index, &j), -EACCES);
	fs_vault_status(t.v, &status);
	ck_assert_uint_eq(status.grants_waiting, 2);
	waiting = fs_vault_waiting(t.v, dan);
	ck_assert_ptr_nonnull(strstr(waiting, "\"p\": its key waits for 2"));
	free(waiting);
	anna = t_login("anna", ANNA);
	t_ticks();
	fs_vault_status(t.v, &status);
	ck_assert_uint_eq(status.grants_waiting, 0);
	ck_assert_int_eq(t_read(bo, index, "a", text), 0);
	ck_assert_str_eq(text, "for bo");
	ck_assert_int_eq(t_read(eva, index, "a", text), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "key given to bo, eva"), 1);
}
END_TEST

START_TEST(wrap_goes_when_its_owner_leaves)
{
	uint32_t index = t_make(anna, "p");
	char policy[T_POLICY_MAX], text[256];
	struct fs_key key = fs_journals_wrap_key(index, 1, FS_WRAP_PRACTITIONER, bo->pid);
	struct fs_session *s = NULL;
	struct fs_buf *buf;

	t_put(dan, "p", TEAM);
	t_ticks();
	ck_assert_int_eq(t_write(bo, index, "a", "x"), 0);
	buf = t_peek(&key);
	fs_buf_put(buf);
	t_edit(policy, "role nurse unit north", "role nurse unit north left");
	t_put(dan, "practice", policy);
	ck_assert(!t_may(bo, index, POLICY_READ));
	t_ticks();
	ck_assert_int_eq(fs_session_state(bo), FS_SESSION_ENDED);
	ck_assert_int_eq(fs_record_get(fs_records_vault(t.v->records), &key, &buf), -ENOENT);
	ck_assert_int_eq(t_try_login("bo", BO, "bo", &s), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_KEYS, "key taken from bo"),
			  2); /* journal, index */
	/* What bo wrote while he might stays readable, also after a fresh open. */
	t_drop(anna);
	t_drop(eva);
	ck_assert_int_eq(t_read(anna, index, "a", text), 0);
}
END_TEST

START_TEST(secretary_makes_a_journal_that_physicians_then_read)
{
	struct fs_session *sue;
	struct fs_journal *j = NULL;
	uint32_t index;

	t_enroll(dan, "sue", SUE);
	sue = t_login("sue", SUE);
	index = t_make(sue, "p");
	ck_assert(!t_may(sue, index, POLICY_READ));
	t_put(dan, "p", TEAM);
	t_ticks();
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), 0);
	fs_journal_put(j);
	t_logout(sue);
	t_drop(anna);
	ck_assert_int_eq(t_write(anna, index, "a", "x"), 0);
}
END_TEST

START_TEST(rename_moves_name_and_policy)
{
	uint32_t index = t_make(anna, "p"), found;
	char name[256], *text = NULL, note[256];
	size_t len;
	uint32_t version;
	struct fs_journal *j = NULL;

	ck_assert_int_eq(t_write(anna, index, "a", "x"), 0);
	ck_assert_int_eq(fs_vault_journal_rename(t.v, bo, "p", "q"), -EACCES);
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "none", "q"), -ENOENT);
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "p", "q"), 0);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "p", &found), -ENOENT);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "q", &found), 0);
	ck_assert_uint_eq(found, index);
	ck_assert_int_eq(fs_vault_policy_show(t.v, anna, "q", &text, &len, &version, &t.say), 0);
	ck_assert_ptr_nonnull(strstr(text, "journal \"q\""));
	free(text);
	t_logout(anna);
	t_logout(bo);
	t_logout(eva);
	t_logout(dan);
	t_close();
	t_open();
	anna = t_login("anna", ANNA);
	ck_assert_int_eq(fs_vault_journal_name(t.v, index, name), 0);
	ck_assert_str_eq(name, "q");
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), 0);
	ck_assert_int_eq(fs_tree_journal_name(j, name), 0);
	ck_assert_str_eq(name, "q");
	fs_journal_put(j);
	ck_assert_int_eq(t_read(anna, index, "a", note), 0);
	ck_assert_uint_eq(t.alarms, 0);
	bo = t_login("bo", BO);
	eva = t_login("eva", EVA);
	dan = t_login("dan", DAN);
}
END_TEST

START_TEST(remove_only_when_empty_and_never_reuses_the_number)
{
	uint32_t index = t_make(anna, "p"), next;
	struct fs_key key = fs_journals_wrap_key(index + 1, 1, FS_WRAP_RECOVERY, 0);
	struct fs_journal *j = NULL;
	uint8_t before[KEYS_SHRED_LEN], after[KEYS_SHRED_LEN];

	ck_assert_int_eq(fs_journals_shred_read(t.v, index, before), 0);
	ck_assert_int_eq(t_write(anna, index, "a", "x"), 0);
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "p"), -ENOTEMPTY);
	ck_assert_int_eq(fs_vault_journal_remove(t.v, bo, "p"), -EACCES);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), 0);
	fs_journal_put(j);
	t_make(anna, "r");
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "r"), 0);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "r", &next), -ENOENT);
	next = t_make(anna, "r");
	ck_assert_uint_eq(next, index + 2);
	ck_assert_int_eq(fs_journals_shred_read(t.v, index, after), 0);
	ck_assert_mem_eq(before, after, sizeof(before));
	ck_assert_int_eq(
		fs_record_get(fs_records_vault(t.v->records), &key, &(struct fs_buf *){NULL}),
		-ENOENT);
}
END_TEST

/* A note in a directory of the journal becomes final, as by the vault itself. */
static void make_final(struct fs_session *s, uint32_t index)
{
	struct fs_actor who = {.pid = s->pid, .now = {.tv_sec = 1}};
	struct fs_final_statement st = {.note = {.kind = KEYS_NOTE_LOCKED,
						 .journal = index,
						 .number = 1,
						 .author = s->pid,
						 .path = "dir/note",
						 .author_name = "anna"}};
	struct fs_final_add add = {.s = &st};
	struct fs_inode *root = NULL, *dir = NULL, *note = NULL;
	struct fs_journal *j = NULL;
	uint8_t blake2b[64];

	ck_assert_int_eq(fs_vault_journal(t.v, s, index, &j), 0);
	who.signer = fs_session_signer(s);
	ck_assert_int_eq(fs_inode_get(j, FS_ROOT_INO, &root), 0);
	ck_assert_int_eq(fs_tree_create(root, "dir", S_IFDIR | 0700, &who, &dir), 0);
	ck_assert_int_eq(fs_tree_create(dir, "note", S_IFREG | 0600, &who, &note), 0);
	ck_assert_int_eq(fs_final_close(note), 0);
	memcpy(st.note.vault, fs_vault_id(t.v), KEYS_VAULT_ID_LEN);
	st.note.ino = note->ino;
	ck_assert_int_eq(fs_final_hash(note, st.note.sha256, blake2b, &st.note.size), 0);
	add.i = note;
	ck_assert_int_eq(fs_final_add(&add, &who), 0);
	fs_inode_put(note);
	fs_inode_put(dir);
	fs_inode_put(root);
	fs_signer_put(who.signer);
	fs_journal_put(j);
}

/* Who may write in the journal has made its root look as if nothing had ever been in there. */
static void strip_root(struct fs_session *s, uint32_t index)
{
	struct fs_key key = fs_key(index, FS_ROOT_INO, FS_T_INODE);
	struct fs_key entries = fs_key_n(index, FS_ROOT_INO, FS_T_DIRENT, 0, 8);
	struct fs_signer *signer = fs_session_signer(s);
	struct fs_inode *root = NULL;
	struct fs_journal *j = NULL;
	uint8_t rec[FS_INODE_LEN];
	struct fs_batch b;

	ck_assert_int_eq(fs_vault_journal(t.v, s, index, &j), 0);
	ck_assert_int_eq(fs_inode_get(j, FS_ROOT_INO, &root), 0);
	ck_assert_uint_eq(root->flags, FS_INODE_HOLDS);
	root->flags = 0;
	root->nlink = 2;
	root->size = 0;
	fs_inode_encode(&root->attr, rec);
	fs_batch_init(&b, signer);
	fs_batch_put(&b, j, &key, rec, sizeof(rec));
	fs_batch_del(&b, j, &entries);
	ck_assert_int_eq(fs_inode_apply(j, &b, NULL), 0);
	ck_assert_int_eq(fs_tree_empty(j), 0);
	fs_inode_put(root);
	fs_signer_put(signer);
	fs_journal_put(j);
}

START_TEST(journal_that_holds_final_notes_keeps_its_name_and_stays)
{
	uint32_t index = t_make(anna, "p"), found = 0;

	make_final(anna, index);
	for (unsigned n = 1; n <= 2; n++) {
		ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "p", "q"), -EPERM);
		ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "p"), -EPERM);
		ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED,
					   "renaming a journal that holds final notes"),
				  n);
		ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED,
					   "removing a journal that holds final notes"),
				  n);
		ck_assert_int_eq(fs_vault_journal_by_name(t.v, "p", &found), 0);
		ck_assert_uint_eq(found, index);
		if (n == 1)
			strip_root(anna, index);
	}
	/* Who may not remove it learns nothing of its notes. */
	ck_assert_int_eq(fs_vault_journal_remove(t.v, eva, "p"), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "that holds final notes"), 4);
}
END_TEST

START_TEST(journal_under_a_hold_is_not_removed)
{
	uint32_t index = t_make(anna, "p"), found = 0;

	t_put(dan, "p", "journal \"p\"\nallow user:anna:rwx\nhold \"case 7\"\n");
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "p"), -EPERM);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "under a hold"), 1);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "p", &found), 0);
	ck_assert_uint_eq(found, index);
	/* Who may not remove it learns nothing of the hold. */
	ck_assert_int_eq(fs_vault_journal_remove(t.v, eva, "p"), -ENOENT);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "under a hold"), 1);
	/* Another name is none the less under the hold. */
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "p", "q"), 0);
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "q"), -EPERM);
	t_put(dan, "q", "journal \"q\"\nallow user:anna:rwx\n");
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "q"), 0);
}
END_TEST

START_TEST(wraps_of_two_journals_swapped_are_refused)
{
	uint32_t a = t_make(anna, "a"), b = t_make(anna, "b");
	struct fs_key ka = fs_journals_wrap_key(a, 1, FS_WRAP_PRACTITIONER, anna->pid);
	struct fs_key kb = fs_journals_wrap_key(b, 1, FS_WRAP_PRACTITIONER, anna->pid);
	struct fs_buf *wa, *wb;
	struct fs_journal *j = NULL;

	t_drop(anna);
	wa = t_peek(&ka);
	wb = t_peek(&kb);
	t_poke(&ka, wb->data, wb->len);
	t_poke(&kb, wa->data, wa->len);
	fs_buf_put(wa);
	fs_buf_put(wb);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, a, &j), -EBADMSG);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, b, &j), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 2);
}
END_TEST

START_TEST(key_planted_by_somebody_else_is_refused)
{
	uint32_t index = t_make(anna, "p");
	struct keys_wrap_place place = {.journal = index, .generation = 1};
	uint8_t key[KEYS_LEN];
	struct fs_journal *j = NULL;
	struct fs_batch batch;

	t_drop(anna);
	memcpy(place.vault, t.v->header.vault, sizeof(place.vault));
	keys_random(key, sizeof(key));
	fs_batch_init(&batch, NULL);
	ck_assert_int_eq(fs_journals_put_wrap(t.v, &batch, &place, FS_WRAP_PRACTITIONER, anna->pid,
					      anna->enrolment, key, anna->identity.box_pk),
			 0);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.v->records), &batch, NULL), 0);
	fs_batch_clear(&batch);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 1);
}
END_TEST

/* A manifest for a key of his own, in anna's name but not by her hand, or by bo, who may not
 * create. */
static void plant_manifest(uint32_t index, uint32_t pid, uint32_t enrolment, const uint8_t *sk)
{
	struct keys_manifest m = {
		.place = {.journal = index, .generation = 1},
		.signer = pid,
		.enrolment = enrolment,
		.policy_version = t.v->counters.policy,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	struct fs_key at = fs_key_n(index, 0, FS_T_MANIFEST, 1, 4);
	uint8_t key[KEYS_LEN], bytes[KEYS_MANIFEST_LEN];
	struct fs_batch batch;

	memcpy(m.place.vault, t.v->header.vault, sizeof(m.place.vault));
	keys_random(key, sizeof(key));
	keys_manifest_sign(&m, key, NULL, sk);
	keys_manifest_encode(&m, bytes);
	t_poke(&at, bytes, sizeof(bytes));
	fs_batch_init(&batch, NULL);
	ck_assert_int_eq(fs_journals_put_wrap(t.v, &batch, &m.place, FS_WRAP_PRACTITIONER,
					      anna->pid, anna->enrolment, key,
					      anna->identity.box_pk),
			 0);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.v->records), &batch, NULL), 0);
	fs_batch_clear(&batch);
}

START_TEST(forged_manifest_is_refused)
{
	uint32_t index = t_make(anna, "p");
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
	struct fs_journal *j = NULL;

	t_drop(anna);
	keys_sign_new(pk, sk);
	plant_manifest(index, anna->pid, anna->enrolment, sk);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), -EBADMSG);
	plant_manifest(index, 0, 0, sk);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), -EBADMSG);
	plant_manifest(index, 99, 1, sk);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), -EBADMSG);
}
END_TEST

START_TEST(manifest_by_somebody_who_may_not_create_is_refused)
{
	uint32_t index = t_make(anna, "p");
	struct fs_journal *j = NULL;

	t_drop(anna);
	plant_manifest(index, bo->pid, bo->enrolment, bo->secret->statement_sk);
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), -EBADMSG);
}
END_TEST

START_TEST(root_signed_by_a_reader_is_refused)
{
	uint32_t index = t_make(anna, "p");
	char text[256];

	t_put(dan, "p", TEAM);
	t_ticks();
	ck_assert_int_eq(t_write(anna, index, "a", "true"), 0);
	ck_assert_int_eq(t_read(eva, index, "a", text), 0);
	/* eva may read, has the key and a session; below the gate nobody asks for the right to
	 * write. */
	ck_assert_int_eq(t_write(eva, index, "b", "false"), 0);
	t_drop(anna);
	t_drop(bo);
	t_drop(eva);
	ck_assert_int_eq(t_read(anna, index, "a", text), -EBADMSG);
	ck_assert_uint_ge(t.alarms, 1);
	ck_assert_ptr_nonnull(strstr(t.alarm, "does not verify"));
}
END_TEST

START_TEST(root_signed_while_it_was_allowed_stays_good)
{
	uint32_t index = t_make(anna, "p");
	char text[256];

	t_put(dan, "p", TEAM);
	t_ticks();
	ck_assert_int_eq(t_write(bo, index, "a", "by bo"), 0);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\n");
	ck_assert(!t_may(bo, index, POLICY_READ));
	t_drop(anna);
	t_drop(bo);
	t_drop(eva);
	ck_assert_ptr_null(fs_journal_find(t.v->records, index));
	ck_assert_int_eq(t_read(anna, index, "a", text), 0);
	ck_assert_uint_eq(t.alarms, 0);
}
END_TEST

START_TEST(session_certificate_of_somebody_else_is_refused)
{
	uint32_t index = t_make(anna, "p");
	struct fs_key key = fs_key(0, 0, FS_T_SESSION_CERT);
	struct keys_session_cert cert = {.pid = anna->pid, .enrolment = anna->enrolment};
	uint8_t bytes[KEYS_SESSION_CERT_LEN], *sk = keys_guard_new(KEYS_SIGN_SK_LEN);
	struct fs_journal *j = NULL;

	t_drop(anna);
	/* The certificate of anna's session, made anew with bo's certifying key. */
	memcpy(cert.vault, t.v->header.vault, sizeof(cert.vault));
	memcpy(cert.session, anna->id, sizeof(cert.session));
	cert.until_s = UINT64_MAX;
	keys_session_cert_new(&cert, bo->secret, sk);
	keys_session_cert_encode(&cert, bytes);
	fs_key_add_bytes(&key, anna->id, KEYS_SESSION_ID_LEN);
	t_poke(&key, bytes, sizeof(bytes));
	ck_assert_int_eq(fs_vault_journal(t.v, anna, index, &j), -EBADMSG);
	keys_guard_free(sk);
}
END_TEST

START_TEST(shred_slot_overwritten_destroys_the_journal)
{
	uint32_t index = t_make(anna, "p");
	uint8_t slot[KEYS_SHRED_LEN];
	char text[256];

	ck_assert_int_eq(t_write(anna, index, "a", "x"), 0);
	t_drop(anna);
	keys_random(slot, sizeof(slot));
	ck_assert_int_eq(fs_journals_shred_write(t.v, index, slot), 0);
	ck_assert_int_eq(t_read(anna, index, "a", text), -EBADMSG);
}
END_TEST

START_TEST(keys_go_with_the_last_session_that_may_read)
{
	uint32_t index = t_make(anna, "p");
	char text[256];

	t_put(dan, "p", TEAM);
	t_ticks();
	ck_assert_int_eq(t_write(anna, index, "a", "x"), 0);
	ck_assert_int_eq(t_read(bo, index, "a", text), 0);
	fs_vault_lock_begin(t.v, anna);
	ck_assert_int_eq(fs_vault_lock_finish(t.v, anna, "test"), 0);
	{
		struct fs_journal *j = fs_journal_find(t.v->records, index);

		ck_assert_ptr_nonnull(j);
		fs_journal_put(j);
	}
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\n");
	ck_assert_ptr_null(fs_journal_find(t.v->records, index));
}
END_TEST

START_TEST(many_journals_are_found_again)
{
	char name[64];
	struct names l = {.stop = 0};
	uint32_t index;

	for (unsigned i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "%03u", i);
		t_make(anna, name);
	}
	ck_assert_int_eq(fs_vault_list(t.v, anna, take_name, 0, &l), 0);
	ck_assert_uint_eq(l.n, 150);
	t_logout(anna);
	t_logout(bo);
	t_logout(eva);
	t_logout(dan);
	ck_assert_uint_eq(t.v->journals.count, 0);
	anna = t_login("anna", ANNA);
	bo = t_login("bo", BO);
	eva = t_login("eva", EVA);
	dan = t_login("dan", DAN);
	for (unsigned i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "%03u", i);
		ck_assert_int_eq(fs_vault_journal_by_name(t.v, name, &index), 0);
		ck_assert_int_eq(t_write(anna, index, "n", name), 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/journals");
	TCase *c = tcase_create("journals");

	tcase_add_checked_fixture(c, clinic, home);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, journal_made_is_listed_to_whom_it_is_visible);
	tcase_add_test(c, list_goes_on_after_a_cookie);
	tcase_add_test(c, make_refuses_bad_names_and_missing_rights);
	tcase_add_test(c, wrap_waits_and_is_served_by_a_live_session);
	tcase_add_test(c, wrap_goes_when_its_owner_leaves);
	tcase_add_test(c, secretary_makes_a_journal_that_physicians_then_read);
	tcase_add_test(c, rename_moves_name_and_policy);
	tcase_add_test(c, remove_only_when_empty_and_never_reuses_the_number);
	tcase_add_test(c, journal_that_holds_final_notes_keeps_its_name_and_stays);
	tcase_add_test(c, journal_under_a_hold_is_not_removed);
	tcase_add_test(c, wraps_of_two_journals_swapped_are_refused);
	tcase_add_test(c, key_planted_by_somebody_else_is_refused);
	tcase_add_test(c, forged_manifest_is_refused);
	tcase_add_test(c, manifest_by_somebody_who_may_not_create_is_refused);
	tcase_add_test(c, root_signed_by_a_reader_is_refused);
	tcase_add_test(c, root_signed_while_it_was_allowed_stays_good);
	tcase_add_test(c, session_certificate_of_somebody_else_is_refused);
	tcase_add_test(c, shred_slot_overwritten_destroys_the_journal);
	tcase_add_test(c, keys_go_with_the_last_session_that_may_read);
	tcase_add_test(c, many_journals_are_found_again);
	suite_add_tcase(s, c);
	return t_run(s);
}
