/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What verification finds when somebody with the vault's files, the journal's key and his own
 * session key (but not the host secret) drops, swaps, replaces or adds statements, or changes,
 * moves or removes final notes; statements by who might not sign, had left, or whose key had been
 * replaced; and what is exported.
 */
#include "test_fs_notes.h"

#include <sodium.h>
#include <sys/wait.h>

#include "fs/final_impl.h"
#include "keys/digest.h"

/* Three notes of anna's, final; the attacker is bo, who may write there. */
static void clinic(void)
{
	n_clinic(NOTES_POLICY("finalize others\n"));
	for (int k = 1; k <= 3; k++) {
		char name[16];

		snprintf(name, sizeof(name), "%d.md", k);
		ck_assert_int_eq(t_write(anna, p, name, name), 0);
		ck_assert_int_eq(n_finalize(anna, name), 0);
	}
	n_all_well(eva, 3, 0);
}

static struct fs_journal *journal_p(void)
{
	struct fs_journal *j = NULL;

	ck_assert_int_eq(fs_vault_journal(t.v, bo, p, &j), 0);
	return j;
}

/* A record of the journal as bo's client would write it. buf NULL: gone. */
static void poke(const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_signer *signer = fs_session_signer(bo);
	struct fs_journal *j = journal_p();
	struct fs_batch b;

	fs_batch_init(&b, signer);
	if (buf)
		fs_batch_put(&b, j, key, buf->data, buf->len);
	else
		fs_batch_del(&b, j, key);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.v->records), &b, NULL), 0);
	fs_batch_clear(&b);
	if (buf)
		fs_buf_put(buf);
	fs_signer_put(signer);
	fs_journal_put(j);
}

static struct fs_key key_of(uint32_t number)
{
	return fs_key_n(p, 0, FS_T_FINAL, number, 4);
}

static void put_statement(uint32_t number, const struct fs_final_statement *st)
{
	struct fs_key key = key_of(number);

	struct fs_buf *buf = NULL;

	if (st)
		ck_assert_int_eq(fs_final_statement_encode(st, &buf), 0);
	poke(&key, buf);
}

static struct fs_final_statement statement(uint32_t number)
{
	struct fs_journal *j = journal_p();
	struct fs_final_statement st;

	ck_assert_int_eq(fs_final_get(j, number, &st), 0);
	fs_journal_put(j);
	return st;
}

/* Exactly this finding about this statement is there; the note (or "") that it names. */
static void expect(const struct n_found *f, uint32_t number, enum fs_note_finding finding,
		   const char *path)
{
	for (unsigned k = 0; k < f->n; k++) {
		if (f->one[k].number == number && f->one[k].finding == finding) {
			ck_assert_str_eq(f->one[k].path, path);
			ck_assert(finding == FS_NOTE_OK || strlen(f->one[k].why) > 10);
			return;
		}
	}
	for (unsigned k = 0; k < f->n; k++)
		fprintf(stderr, "found: %u %d %s: %s\n", f->one[k].number, f->one[k].finding,
			f->one[k].path, f->one[k].why);
	ck_abort_msg("no finding %d about statement %u", finding, number);
}

static void verify_finds(uint32_t number, enum fs_note_finding finding, const char *path)
{
	unsigned alarms = t.alarms;
	struct n_found f;

	ck_assert_int_eq(n_verify(eva, NULL, &f), 0);
	expect(&f, number, finding, path);
	ck_assert_uint_gt(t.alarms, alarms);
}

/* ---- the chain ---- */

START_TEST(dropped_statement_is_noticed)
{
	struct n_found f;

	clinic();
	put_statement(2, NULL);
	verify_finds(2, FS_NOTE_MISSING, "");
	/* Also by who verifies only another note. */
	ck_assert_int_eq(n_verify(eva, "1.md", &f), 0);
	expect(&f, 2, FS_NOTE_MISSING, "");
	expect(&f, 1, FS_NOTE_OK, "1.md");
	n_out();
}
END_TEST

START_TEST(chain_that_ends_early_is_noticed)
{
	clinic();
	put_statement(3, NULL);
	verify_finds(3, FS_NOTE_MISSING, "");
	/* And nothing is added behind the gap. */
	n_out();
}
END_TEST

START_TEST(swapped_statements_are_noticed)
{
	struct fs_final_statement one, two;

	clinic();
	one = statement(1);
	two = statement(2);
	put_statement(1, &two);
	put_statement(2, &one);
	verify_finds(1, FS_NOTE_DAMAGED, "");
	verify_finds(2, FS_NOTE_DAMAGED, "");
	n_out();
}
END_TEST

/* bo signs another statement in the place of anna's, with his own key. */
static void replace_by_bo(uint32_t number)
{
	struct fs_final_statement st = statement(number);

	st.note.time_s++;
	st.note.pid = bo->pid;
	st.note.enrolment = bo->enrolment;
	strcpy(st.note.who, "bo");
	strcpy(st.note.role, "nurse");
	keys_note_sign(&st.note, bo->secret->note_sk);
	put_statement(number, &st);
}

START_TEST(replaced_statement_is_noticed_at_the_next_one)
{
	clinic();
	replace_by_bo(1);
	verify_finds(2, FS_NOTE_FORGED, "2.md");
	verify_finds(1, FS_NOTE_FORGED, "1.md");
	n_out();
}
END_TEST

START_TEST(replaced_last_statement_is_not_the_end_that_the_vault_knows)
{
	clinic();
	replace_by_bo(3);
	verify_finds(0, FS_NOTE_FORGED, "");
	/* Nor can anybody add to it. */
	ck_assert_int_eq(t_write(anna, p, "4.md", "x"), 0);
	ck_assert_int_eq(n_finalize(anna, "4.md"), 0);
	verify_finds(4, FS_NOTE_FORGED, "4.md");
	n_out();
}
END_TEST

START_TEST(statement_behind_the_end_is_noticed)
{
	struct fs_final_statement st;

	clinic();
	st = statement(3);
	keys_note_hash(&st.note, st.note.before);
	st.note.number = 4;
	keys_note_sign(&st.note, bo->secret->note_sk);
	put_statement(4, &st);
	verify_finds(4, FS_NOTE_FORGED, "");
	n_out();
}
END_TEST

static int count_found(void *ctx, const struct fs_note_check *c)
{
	(void)c;
	++*(unsigned *)ctx;
	return 0;
}

/* With the host secret he can say that there were four billion: nobody waits for that, and ours are still looked at. */
START_TEST(chain_of_any_length_is_told_in_bounds)
{
	struct fs_signer *signer;
	uint8_t hash[KEYS_LEN] = {1};
	struct fs_note_place at = n_at("");
	unsigned n = 0;
	const struct fs_note_verify how = {.fn = count_found, .ctx = &n};
	struct fs_journal *j;
	struct fs_batch b;

	clinic();
	signer = fs_session_signer(bo);
	j = journal_p();
	fs_batch_init(&b, signer);
	fs_final_end_put(&b, j, UINT32_MAX, hash);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.v->records), &b, NULL), 0);
	fs_batch_clear(&b);
	fs_journal_put(j);
	fs_signer_put(signer);
	ck_assert_int_eq(fs_vault_note_verify(t.v, eva, &at, &how, &t.say), 0);
	ck_assert_uint_gt(n, 3);
	ck_assert_uint_lt(n, 1100);
	ck_assert_int_eq(n_finalize(anna, "1.md"), -EPERM);
	ck_assert_int_eq(t_write(anna, p, "4.md", "x"), 0);
	ck_assert_int_eq(n_finalize(anna, "4.md"), -ENOSPC);
	n_out();
}
END_TEST

START_TEST(flipped_bits_of_a_statement_are_noticed)
{
	struct fs_key key;

	clinic();
	key = key_of(2);
	for (size_t byte = 0; byte < 300; byte += 13) {
		struct fs_final_statement good = statement(2);
		struct fs_buf *buf = NULL;
		struct n_found f;

		ck_assert_int_eq(fs_final_statement_encode(&good, &buf), 0);
		buf->data[byte] ^= 0x10;
		poke(&key, buf);
		ck_assert_int_eq(n_verify(eva, NULL, &f), 0);
		ck_assert_msg(f.by[FS_NOTE_OK] < 3, "byte %zu", byte);
		put_statement(2, &good);
	}
	n_all_well(eva, 3, 0);
	n_out();
}
END_TEST

/* ---- the notes ---- */

static void put_flags(struct fs_inode *i, uint16_t flags, struct fs_actor *who)
{
	struct fs_batch b;

	i->flags |= flags;
	fs_batch_init(&b, who->signer);
	fs_inode_store(&b, i);
	ck_assert_int_eq(fs_inode_apply(i->journal, &b, NULL), 0);
}

/* bo's client knows nothing of FINAL: it changes the note and puts the flags back. */
static void tamper(void (*change)(struct fs_inode *i, struct fs_inode *root, struct fs_actor *who))
{
	struct fs_journal *j;
	struct fs_inode *i = n_inode(bo, p, "2.md", &j), *root = NULL;
	struct fs_actor who = {
		.signer = fs_session_signer(bo), .pid = bo->pid, .now = {.tv_sec = 7}};
	uint16_t flags = i->flags, root_flags;

	ck_assert_int_eq(fs_inode_get(j, FS_ROOT_INO, &root), 0);
	root_flags = root->flags;
	i->flags = 0;
	root->flags = 0;
	change(i, root, &who);
	if (!i->gone)
		put_flags(i, flags, &who);
	put_flags(root, root_flags, &who);
	fs_signer_put(who.signer);
	fs_inode_put(root);
	fs_inode_put(i);
	fs_journal_put(j);
}

static void same_length(struct fs_inode *i, struct fs_inode *root, struct fs_actor *who)
{
	(void)root;
	ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)"X", 1, who, NULL), 0);
}

static void longer(struct fs_inode *i, struct fs_inode *root, struct fs_actor *who)
{
	(void)root;
	ck_assert_int_eq(fs_content_write(i, 0, true, (const uint8_t *)"X", 1, who, NULL), 0);
}

static void renamed(struct fs_inode *i, struct fs_inode *root, struct fs_actor *who)
{
	(void)i;
	ck_assert_int_eq(fs_tree_rename(root, "2.md", root, "elsewhere.md", 0, who, NULL, NULL), 0);
}

static void removed(struct fs_inode *i, struct fs_inode *root, struct fs_actor *who)
{
	(void)i;
	ck_assert_int_eq(fs_tree_unlink(root, "2.md", who, NULL), 0);
}

START_TEST(changed_contents_are_found_with_the_notes_name)
{
	struct n_found f;

	clinic();
	tamper(same_length);
	verify_finds(2, FS_NOTE_CHANGED, "2.md");
	ck_assert_int_eq(n_verify(eva, "2.md", &f), 0);
	ck_assert_uint_eq(f.n, 1);
	expect(&f, 2, FS_NOTE_CHANGED, "2.md");
	ck_assert_int_eq(n_verify(eva, "1.md", &f), 0);
	ck_assert_uint_eq(f.n, 1);
	expect(&f, 1, FS_NOTE_OK, "1.md");
	n_out();
}
END_TEST

START_TEST(changed_length_is_found)
{
	clinic();
	tamper(longer);
	verify_finds(2, FS_NOTE_CHANGED, "2.md");
	n_out();
}
END_TEST

START_TEST(moved_and_removed_notes_are_found)
{
	struct n_found f;

	clinic();
	tamper(renamed);
	verify_finds(2, FS_NOTE_CHANGED, "2.md");
	ck_assert_int_eq(n_verify(eva, "2.md", &f), 0);
	expect(&f, 2, FS_NOTE_CHANGED, "2.md");
	ck_assert_int_eq(n_verify(eva, "elsewhere.md", &f), 0);
	expect(&f, 2, FS_NOTE_CHANGED, "2.md");
	n_out();
}
END_TEST

START_TEST(removed_note_is_found)
{
	struct n_found f;

	clinic();
	tamper(removed);
	verify_finds(2, FS_NOTE_MISSING, "2.md");
	ck_assert_int_eq(n_verify(eva, "2.md", &f), 0);
	expect(&f, 2, FS_NOTE_MISSING, "2.md");
	n_out();
}
END_TEST

START_TEST(stripped_flag_is_found)
{
	struct fs_journal *j;
	struct fs_inode *i;
	struct n_found f;

	clinic();
	i = n_inode(bo, p, "2.md", &j);
	i->flags = 0;
	ck_assert_int_eq(n_verify(eva, "2.md", &f), 0);
	expect(&f, 2, FS_NOTE_CHANGED, "2.md");
	fs_inode_put(i);
	fs_journal_put(j);
	n_out();
}
END_TEST

START_TEST(what_was_changed_is_not_signed)
{
	unsigned alarms;

	clinic();
	ck_assert_int_eq(t_write(anna, p, "4.md", "x"), 0);
	ck_assert_int_eq(n_finalize_as(anna, "4.md", FS_NOTE_ATTRIBUTE), 0);
	{
		struct fs_journal *j;
		struct fs_inode *i = n_inode(bo, p, "4.md", &j);
		struct fs_actor who = {
			.signer = fs_session_signer(bo), .pid = bo->pid, .now = {.tv_sec = 7}};
		uint16_t flags = i->flags;

		i->flags = 0;
		same_length(i, NULL, &who);
		put_flags(i, flags, &who);
		fs_signer_put(who.signer);
		fs_inode_put(i);
		fs_journal_put(j);
	}
	alarms = t.alarms;
	ck_assert_int_eq(n_sign(anna, "4.md"), -EBADMSG);
	ck_assert_uint_gt(t.alarms, alarms);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_SIGN, NULL), 0);
	n_out();
}
END_TEST

/* ---- who signs ---- */

/* A final note by anna's hand in the chain, with a statement that `change` has bent, signed with
 * this key. */
struct bent {
	void (*change)(struct keys_note *n);
	const uint8_t *sk;
};

static void state_bent(const char *name, const struct bent *how)
{
	struct fs_note_place at = n_at(name);
	char comment[KEYS_MINISIGN_COMMENT + 1];
	struct fs_final_statement st = {.logged = 1};
	struct fs_final_add add = {.s = &st};
	struct keys_minisign_signer by = {.note_sk = how->sk};
	uint8_t blake2b[64];
	struct fs_noting a;
	struct fs_actor who;

	ck_assert_int_eq(t_write(anna, p, name, name), 0);
	ck_assert_int_eq(fs_noting_begin(&a, t.v, anna, &at, "test", &t.say), 0);
	ck_assert_int_eq(fs_noting_find(&a), 0);
	ck_assert_int_eq(fs_final_close(a.i), 0);
	ck_assert_int_eq(fs_noting_statement(&a, KEYS_NOTE_FINAL, &st.note), 0);
	ck_assert_int_eq(fs_final_hash(a.i, st.note.sha256, blake2b, &st.note.size), 0);
	if (how->change)
		how->change(&st.note);
	by.pid = st.note.pid;
	by.enrolment = st.note.enrolment;
	memcpy(by.vault, st.note.vault, sizeof(by.vault));
	keys_note_sign(&st.note, how->sk);
	fs_noting_comment(&st.note, comment);
	ck_assert_int_eq(keys_minisign_sign(&by, blake2b, comment, &st.minisign), 0);
	st.has_minisign = true;
	add.i = a.i;
	fs_noting_actor(&a, &who);
	ck_assert_int_eq(fs_final_add(&add, &who), 0);
	fs_signer_put(who.signer);
	fs_noting_end(&a);
}

static void by_eva(struct keys_note *n)
{
	n->pid = eva->pid;
	n->enrolment = eva->enrolment;
	strcpy(n->who, "eva");
	strcpy(n->role, "reader");
}

static void by_bo(struct keys_note *n)
{
	n->pid = bo->pid;
	n->enrolment = 1;
	strcpy(n->who, "bo");
	strcpy(n->role, "nurse");
}

static void by_nobody(struct keys_note *n)
{
	n->pid = 99;
	strcpy(n->who, "ghost");
}

static void in_annas_name(struct keys_note *n)
{
	(void)n;
}

static void ten_seconds_later(struct keys_note *n)
{
	n->time_s += 10;
}

static void under_an_earlier_policy(struct keys_note *n)
{
	n->policy_version = 1;
}

START_TEST(forged_signers_are_found)
{
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];

	clinic();
	state_bent("4.md", &(struct bent){by_eva, eva->secret->note_sk});
	verify_finds(4, FS_NOTE_FORGED, "4.md");
	/* A nurse has no right to finalize a physician's. */
	state_bent("5.md", &(struct bent){by_bo, bo->secret->note_sk});
	verify_finds(5, FS_NOTE_FORGED, "5.md");
	crypto_sign_keypair(pk, sk);
	state_bent("6.md", &(struct bent){in_annas_name, sk});
	verify_finds(6, FS_NOTE_FORGED, "6.md");
	state_bent("7.md", &(struct bent){by_nobody, sk});
	verify_finds(7, FS_NOTE_FORGED, "7.md");
	state_bent("8.md", &(struct bent){in_annas_name, bo->secret->note_sk});
	verify_finds(8, FS_NOTE_FORGED, "8.md");
	state_bent("9.md", &(struct bent){under_an_earlier_policy, anna->secret->note_sk});
	verify_finds(9, FS_NOTE_FORGED, "9.md");
	/* The sound way to do the same is sound. */
	state_bent("10.md", &(struct bent){in_annas_name, anna->secret->note_sk});
	{
		struct n_found f;

		ck_assert_int_eq(n_verify(eva, "10.md", &f), 0);
		expect(&f, 10, FS_NOTE_OK, "10.md");
	}
	n_out();
}
END_TEST

START_TEST(statement_without_a_record_in_the_log_is_not_believed)
{
	struct fs_final_statement st;

	clinic();
	st = statement(2);
	st.logged = 0;
	put_statement(2, &st);
	verify_finds(2, FS_NOTE_FORGED, "2.md");
	st.logged = UINT64_C(1) << 40;
	put_statement(2, &st);
	verify_finds(2, FS_NOTE_FORGED, "2.md");
	n_out();
}
END_TEST

START_TEST(signature_with_a_replaced_key_is_revoked_and_an_earlier_one_is_not)
{
	uint8_t sk[KEYS_SIGN_SK_LEN];
	char code[KEYS_CODE_TEXT_MAX];
	struct fs_person *person;
	struct n_found f;

	clinic();
	memcpy(sk, anna->secret->note_sk, sizeof(sk));
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "anna", true, 0, code, &t.say), 0);
	ck_assert_int_eq(t_try_enroll(code, "anna", ANNA, "anna"), 0);
	/* As if it had been made some seconds after the notes. */
	person = fs_people_find(t.v, "anna");
	ck_assert_uint_eq(person->id_count, 2);
	person->ids[1]->id.made_s += 5;
	ck_assert_int_eq(n_verify(eva, NULL, &f), 0);
	ck_assert_uint_eq(f.by[FS_NOTE_OK], 3);
	state_bent("4.md", &(struct bent){ten_seconds_later, sk});
	verify_finds(4, FS_NOTE_REVOKED, "4.md");
	n_out();
}
END_TEST

START_TEST(signature_of_one_who_had_left_is_revoked)
{
	uint8_t sk[KEYS_SIGN_SK_LEN];
	char text[T_POLICY_MAX];
	const char *at, *all = NOTES_POLICY("finalize others\n");

	clinic();
	memcpy(sk, bo->secret->note_sk, sizeof(sk));
	at = strstr(all, "practitioner bo user bo role nurse unit north\n");
	snprintf(text, sizeof(text), "%.*spractitioner bo user bo role nurse unit north left\n%s",
		 (int)(at - all), all,
		 at + strlen("practitioner bo user bo role nurse unit north\n"));
	t_put(dan, "practice", text);
	state_bent("4.md", &(struct bent){by_bo, sk});
	verify_finds(4, FS_NOTE_REVOKED, "4.md");
	n_out();
}
END_TEST

START_TEST(later_changes_of_policy_take_nothing_back)
{
	clinic();
	ck_assert_int_eq(t_write(bo, p, "b.md", "x"), 0);
	ck_assert_int_eq(n_finalize(bo, "b.md"), 0);
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:eva:r-x\n");
	n_all_well(eva, 4, 0);
	n_out();
	t_close();
	t_open();
	eva = t_login("eva", EVA);
	n_all_well(eva, 4, 0);
	n_out();
}
END_TEST

START_TEST(verification_is_logged_and_for_who_may_read)
{
	struct n_found f;

	clinic();
	ck_assert_uint_eq(t_logged(POLICY_RECORD_VERIFY, NULL), 1);
	ck_assert_int_eq(n_verify(max, NULL, &f), -ENOENT);
	ck_assert_int_eq(n_verify(dan, NULL, &f), -EACCES);
	ck_assert_uint_eq(f.n, 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "verifying"), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_VERIFY, NULL), 1);
	ck_assert_int_eq(n_verify(eva, "none.md", &f), -ENOENT);
	ck_assert_int_eq(t_write(anna, p, "draft.md", "x"), 0);
	ck_assert_int_eq(n_verify(eva, "draft.md", &f), -EPERM);
	ck_assert_uint_eq(f.n, 0);
	n_out();
}
END_TEST

/* ---- export ---- */

static int export_as(struct fs_session *s, const char *path, struct fs_note_export *ex)
{
	struct fs_note_place at = n_at(path);

	t.say.text[0] = '\0';
	return fs_vault_note_export(t.v, s, &at, ex, &t.say);
}

static void write_file(const char *name, const void *text, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", t.base, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static int run_minisign(void)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (chdir(t.base) || !freopen("out", "w", stdout) || !freopen("err", "w", stderr))
			_exit(126);
		execlp("minisign", "minisign", "-V", "-m", "note", "-p", "key.pub", "-x",
		       "note.minisig", (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* The n-th line "name: base64" of the certificate, as bytes. */
static size_t bytes_of(const char *cert, const char *name, unsigned n, uint8_t *out, size_t cap)
{
	char want[64];
	size_t len = 0;

	snprintf(want, sizeof(want), "\n%s: ", name);
	for (unsigned k = 0; k <= n; k++) {
		cert = strstr(cert, want);
		ck_assert_msg(cert != NULL, "no %s number %u", name, n);
		cert += strlen(want);
	}
	ck_assert_int_eq(sodium_base642bin(out, cap, cert, strcspn(cert, "\n"), NULL, &len, NULL,
					   sodium_base64_VARIANT_ORIGINAL),
			 0);
	return len;
}

/* As keys/FORMAT.md says, with nothing but the certificate: from the minisign key up to the root.
 */
static void check_certificate(const char *cert)
{
	uint8_t b[4096], mk[64], sig[64], header[KEYS_HEADER_LEN], owner[24];
	struct bytes_out o = bytes_out(owner, sizeof(owner));
	struct keys_identity id, issuer;
	struct keys_statement st;
	struct keys_header h;
	struct keys_invite inv;
	struct bytes_in in;
	struct keys_note n;
	size_t len;

	len = bytes_of(cert, "note statement", 0, b, sizeof(b));
	ck_assert_int_eq(keys_note_decode(b, len, &n), 0);
	len = bytes_of(cert, "identity", 0, b, sizeof(b));
	ck_assert_int_eq(keys_identity_decode(b, len, &id), 0);
	ck_assert_int_eq(keys_note_verify(&n, id.note_pk), 0);
	ck_assert_uint_eq(bytes_of(cert, "minisign key", 0, mk, sizeof(mk)), KEYS_LEN);
	ck_assert_uint_eq(bytes_of(cert, "key certificate", 0, sig, sizeof(sig)), KEYS_SIG_LEN);
	bytes_put(&o, n.vault, sizeof(n.vault));
	bytes_put_u32(&o, n.pid);
	bytes_put_u32(&o, n.enrolment);
	ck_assert_int_eq(keys_label_verify(KEYS_LABEL_MINISIGN_CERT, id.note_pk,
					   (struct keys_span[]){{owner, 24}, {mk, KEYS_LEN}}, 2,
					   sig),
			 0);
	/* anna was invited by dan, who was invited by the root. */
	len = bytes_of(cert, "identity", 1, b, sizeof(b));
	ck_assert_int_eq(keys_identity_decode(b, len, &issuer), 0);
	len = bytes_of(cert, "invitation", 0, b, sizeof(b));
	ck_assert_int_eq(keys_statement_decode(b, len, &st), 0);
	ck_assert_int_eq(keys_statement_verify(&st, issuer.statement_pk), 0);
	in = bytes_in(st.body.p, st.body.len);
	(void)bytes_get_u32(&in);
	ck_assert_int_eq(keys_invite_decode(in.p + in.off, in.len - in.off, &inv), 0);
	ck_assert_int_eq(keys_identity_verify(&id, inv.enrol_pk), 0);
	len = bytes_of(cert, "invitation", 1, b, sizeof(b));
	ck_assert_int_eq(keys_statement_decode(b, len, &st), 0);
	ck_assert_uint_eq(bytes_of(cert, "header", 0, header, sizeof(header)), KEYS_HEADER_LEN);
	ck_assert_int_eq(keys_header_decode(header, KEYS_HEADER_LEN, &h), 0);
	ck_assert_int_eq(keys_statement_verify(&st, h.root_pk), 0);
}

START_TEST(exported_signature_is_checked_by_minisign_and_its_certificate_by_hand)
{
	static struct fs_note_export ex;
	int rc;

	clinic();
	ck_assert_int_eq(export_as(eva, "2.md", &ex), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "exporting"), 1);
	ck_assert_int_eq(export_as(anna, "2.md", &ex), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_EXPORT, "signature of anna"), 1);
	ck_assert_ptr_nonnull(strstr(ex.minisig, "signature of \"2.md\" by anna, physician"));
	ck_assert_ptr_nonnull(strstr(ex.cert, "practice: Klinik Nord\n"));
	check_certificate(ex.cert);
	write_file("note", "2.md", 4);
	write_file("note.minisig", ex.minisig, strlen(ex.minisig));
	write_file("key.pub", ex.pub, strlen(ex.pub));
	rc = run_minisign();
	if (rc != 127) {
		ck_assert_int_eq(rc, 0);
		write_file("note", "2.mD", 4);
		ck_assert_int_ne(run_minisign(), 0);
	} else {
		fprintf(stderr, "minisign is not installed: not compared with the program\n");
	}
	n_out();
}
END_TEST

START_TEST(only_sound_signatures_are_exported)
{
	static struct fs_note_export ex;

	clinic();
	ck_assert_int_eq(t_write(anna, p, "draft.md", "x"), 0);
	ck_assert_int_eq(export_as(anna, "draft.md", &ex), -EPERM);
	ck_assert_int_eq(n_finalize_as(anna, "draft.md", FS_NOTE_ATTRIBUTE), 0);
	ck_assert_int_eq(export_as(anna, "draft.md", &ex), -ENODATA);
	ck_assert_int_eq(n_sign(anna, "draft.md"), 0);
	ck_assert_int_eq(export_as(anna, "draft.md", &ex), 0);
	tamper(same_length);
	ck_assert_int_eq(export_as(anna, "2.md", &ex), -EBADMSG);
	ck_assert_str_eq(ex.minisig, "");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_EXPORT, NULL), 1);
	n_out();
}
END_TEST

START_TEST(comment_is_one_plain_line_whatever_the_name)
{
	char comment[KEYS_MINISIGN_COMMENT + 1];
	struct keys_note n = {.kind = KEYS_NOTE_FINAL, .who = "a\nb", .role = "r"};

	memset(n.path, '\n', KEYS_NOTE_PATH_MAX);
	n.path[5] = '\xff';
	fs_noting_comment(&n, comment);
	ck_assert_ptr_null(strpbrk(comment, "\n\r\xff"));
	ck_assert_ptr_nonnull(strstr(comment, "by a?b, r, 1970-01-01T00:00:00Z"));
	/* Nor does the name end before it ends. */
	strcpy(n.path, "a.md\" by anna, physician");
	fs_noting_comment(&n, comment);
	ck_assert_ptr_nonnull(strstr(comment, "\"a.md' by anna, physician\" by a?b, r, 1970"));
	strcpy(n.path, "a/Visitt \xc3\xb8.md");
	fs_noting_comment(&n, comment);
	ck_assert_ptr_nonnull(strstr(comment, "\"Visitt \xc3\xb8.md\""));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/notes_verify");
	TCase *tc = tcase_create("notes_verify");

	tcase_add_checked_fixture(tc, t_setup, t_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, dropped_statement_is_noticed);
	tcase_add_test(tc, chain_that_ends_early_is_noticed);
	tcase_add_test(tc, swapped_statements_are_noticed);
	tcase_add_test(tc, replaced_statement_is_noticed_at_the_next_one);
	tcase_add_test(tc, replaced_last_statement_is_not_the_end_that_the_vault_knows);
	tcase_add_test(tc, statement_behind_the_end_is_noticed);
	tcase_add_test(tc, chain_of_any_length_is_told_in_bounds);
	tcase_add_test(tc, flipped_bits_of_a_statement_are_noticed);
	tcase_add_test(tc, changed_contents_are_found_with_the_notes_name);
	tcase_add_test(tc, changed_length_is_found);
	tcase_add_test(tc, moved_and_removed_notes_are_found);
	tcase_add_test(tc, removed_note_is_found);
	tcase_add_test(tc, stripped_flag_is_found);
	tcase_add_test(tc, what_was_changed_is_not_signed);
	tcase_add_test(tc, forged_signers_are_found);
	tcase_add_test(tc, statement_without_a_record_in_the_log_is_not_believed);
	tcase_add_test(tc, signature_with_a_replaced_key_is_revoked_and_an_earlier_one_is_not);
	tcase_add_test(tc, signature_of_one_who_had_left_is_revoked);
	tcase_add_test(tc, later_changes_of_policy_take_nothing_back);
	tcase_add_test(tc, verification_is_logged_and_for_who_may_read);
	tcase_add_test(tc, exported_signature_is_checked_by_minisign_and_its_certificate_by_hand);
	tcase_add_test(tc, only_sound_signatures_are_exported);
	tcase_add_test(tc, comment_is_one_plain_line_whatever_the_name);
	suite_add_tcase(s, tc);
	return t_run(s);
}
