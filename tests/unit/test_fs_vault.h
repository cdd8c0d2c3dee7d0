/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vault in a temporary directory, made and opened inside the (forked) test, with
 * fake uids: the daemon's side never looks at anything but the numbers.
 */
#ifndef TEST_FS_VAULT_H
#define TEST_FS_VAULT_H

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fs/content.h"
#include "fs/vault_impl.h"

#define CLINIC_POLICY                                                                              \
	"practice \"Klinik Nord\"\n"                                                               \
	"session ceiling 12h\n"                                                                    \
	"role physician clinical may list read write create\n"                                     \
	"role nurse clinical may list read write\n"                                                \
	"role reader clinical may list read\n"                                                     \
	"role secretary may list create\n"                                                         \
	"role steward may policy\n"                                                                \
	"role auditor may audit review\n"                                                          \
	"unit north \"Nord\"\n"                                                                    \
	"unit south \"Syd\"\n"                                                                     \
	"practitioner dan user dan role steward\n"                                                 \
	"practitioner anna user anna role physician unit north\n"                                  \
	"practitioner bo user bo role nurse unit north\n"                                          \
	"practitioner eva user eva role reader unit north\n"                                       \
	"practitioner sue user sue role secretary unit north\n"                                    \
	"practitioner max user max role physician unit south\n"                                    \
	"practitioner lis user lis role auditor\n"

#define T_POLICY_MAX 4096
/* The policy above with one piece of text replaced. */
static __attribute__((unused)) void t_edit(char out[static T_POLICY_MAX], const char *from,
					   const char *to)
{
	const char *at = strstr(CLINIC_POLICY, from);

	ck_assert_ptr_nonnull(at);
	snprintf(out, T_POLICY_MAX, "%.*s%s%s", (int)(at - CLINIC_POLICY), CLINIC_POLICY, to,
		 at + strlen(from));
}

enum { DAN = 2001, ANNA, BO, EVA, SUE, MAX, LIS };

static struct {
	char base[64], vault[80], state[80];
	struct fs_vault_config cfg;
	struct fs_vault *v;
	struct fs_vault_made made;
	struct fs_say say;
	unsigned changed, alarms;
	char alarm[1024];
} t;

static const struct keys_stretch_cost t_cost = {1, 8192};
static const uint8_t t_salt[KEYS_SALT_LEN] = "fifteen bytes..";

static void t_on_change(void *ctx)
{
	(void)ctx;
	t.changed++;
}

static void t_on_alarm(void *ctx, const char *text)
{
	(void)ctx;
	t.alarms++;
	snprintf(t.alarm, sizeof(t.alarm), "%s", text);
}

/* What Argon2id would make of it, without the cost. */
static void t_stretch(const char *pass, uint8_t out[static KEYS_LEN])
{
	const struct keys_span part = {pass, strlen(pass)};

	keys_label_hash(KEYS_LABEL_ENVELOPE, &part, 1, out, KEYS_LEN);
}

static int t_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void t_setup(void)
{
	memset(&t, 0, sizeof(t));
	strcpy(t.base, "/tmp/jf-vault-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(t.base));
	snprintf(t.vault, sizeof(t.vault), "%s/vault", t.base);
	snprintf(t.state, sizeof(t.state), "%s/state", t.base);
	t.cfg.path = t.vault;
	t.cfg.state.dir = t.state;
	t.cfg.policy_changed = t_on_change;
	t.cfg.alarm = t_on_alarm;
	ck_assert_int_eq(keys_init(), 0);
}

static void t_teardown(void)
{
	if (t.v)
		ck_assert_int_eq(fs_vault_close(t.v), 0);
	t.v = NULL;
	nftw(t.base, t_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int t_init(const char *who, const char *pass, uid_t uid)
{
	uint8_t stretched[KEYS_LEN];
	struct fs_vault_init in = {
		.path = t.vault,
		.state = t.cfg.state,
		.title = "Klinik Nord",
		.who = who,
		.account = who,
		.uid = uid,
	};

	if (pass) {
		t_stretch(pass, stretched);
		in.stretched = stretched;
		in.salt = t_salt;
		in.cost = &t_cost;
	}
	return fs_vault_init(&in, &t.made, &t.say);
}

static int t_try_open(void)
{
	t.say.text[0] = '\0';
	return fs_vault_open(&t.cfg, &t.v, &t.say);
}

static void t_open(void)
{
	ck_assert_msg(t_try_open() == 0, "%s", t.say.text);
}

static __attribute__((unused)) void t_close(void)
{
	ck_assert_int_eq(fs_vault_close(t.v), 0);
	t.v = NULL;
}

static int t_try_login(const char *who, uid_t uid, const char *pass, struct fs_session **s)
{
	uint8_t stretched[KEYS_LEN];
	struct fs_login in = {.uid = uid, .who = who, .origin = "tty1", .stretched = stretched};

	t.say.text[0] = '\0';
	t_stretch(pass, stretched);
	return fs_vault_login(t.v, &in, s, &t.say);
}

/* The passphrase of everybody is his name. */
static __attribute__((unused)) struct fs_session *t_login(const char *who, uid_t uid)
{
	struct fs_session *s = NULL;
	int rc = t_try_login(who, uid, who, &s);

	ck_assert_msg(rc == 0, "login of %s: %d %s", who, rc, t.say.text);
	return s;
}

static __attribute__((unused)) void t_logout(struct fs_session *s)
{
	fs_vault_end_begin(t.v, s);
	ck_assert_int_eq(fs_vault_end_finish(t.v, s, "test"), 0);
	fs_session_put(s);
}

static __attribute__((unused)) int t_try_enroll(const char *code, const char *account, uid_t uid,
						const char *pass)
{
	uint8_t raw[KEYS_CODE_LEN], stretched[KEYS_LEN];
	char name[KEYS_NAME_MAX + 1];
	struct fs_enroll in = {
		.uid = uid,
		.account = account,
		.origin = "tty1",
		.code = raw,
		.salt = t_salt,
		.cost = &t_cost,
		.stretched = stretched,
	};

	ck_assert_int_eq(keys_code_parse(code, raw), 0);
	t_stretch(pass, stretched);
	t.say.text[0] = '\0';
	return fs_vault_enroll(t.v, &in, name, &t.say);
}

static __attribute__((unused)) void t_enroll(struct fs_session *steward, const char *name,
					     uid_t uid)
{
	char code[KEYS_CODE_TEXT_MAX];
	int rc = fs_vault_invite(t.v, steward, name, false, 0, code, &t.say);

	ck_assert_msg(rc == 0, "invite %s: %d %s", name, rc, t.say.text);
	rc = t_try_enroll(code, name, uid, name);
	ck_assert_msg(rc == 0, "enroll %s: %d %s", name, rc, t.say.text);
}

static __attribute__((unused)) uint32_t t_version(const char *file)
{
	uint32_t which = 0, version = 0;
	char *text = NULL;
	size_t len;

	ck_assert_int_eq(fs_policies_file(t.v, file, &which), 0);
	ck_assert_int_eq(fs_policies_text(t.v, which, &text, &len, &version), 0);
	free(text);
	return version;
}

static __attribute__((unused)) int t_try_put(struct fs_session *by, const char *file,
					     const char *text, char **report)
{
	t.say.text[0] = '\0';
	return fs_vault_policy_put(t.v, by, file, text, strlen(text), t_version(file), report,
				   &t.say);
}

static __attribute__((unused)) void t_put(struct fs_session *by, const char *file, const char *text)
{
	char *report = NULL;
	int rc = t_try_put(by, file, text, &report);

	ck_assert_msg(rc == 0, "put %s: %d %s\n%s", file, rc, t.say.text, report ? report : "");
}

/* A clinic with its steward logged in and the policy above in force. */
static __attribute__((unused)) struct fs_session *t_clinic(void)
{
	struct fs_session *dan;

	ck_assert_msg(t_init("dan", NULL, DAN) == 0, "%s", t.say.text);
	t_open();
	ck_assert_msg(t_try_enroll(t.made.code, "dan", DAN, "dan") == 0, "%s", t.say.text);
	dan = t_login("dan", DAN);
	t_put(dan, "practice", CLINIC_POLICY);
	return dan;
}

static __attribute__((unused)) void t_ticks(void)
{
	/* What is done in turns of some milliseconds takes more of them on a slow machine. */
	for (int i = 0; i < 4 || (t.v->log_walk && i < 10000); i++)
		fs_vault_tick(t.v);
}

static __attribute__((unused)) uint32_t t_make(struct fs_session *s, const char *name)
{
	uint32_t index = 0;
	int rc = fs_vault_journal_make(t.v, s, name, &index);

	ck_assert_msg(rc == 0, "making %s: %d", name, rc);
	return index;
}

/* A note in the journal's directory; 0 or an error. */
static __attribute__((unused)) int t_write(struct fs_session *s, uint32_t index, const char *name,
					   const char *text)
{
	struct fs_actor who = {.pid = s->pid, .now = {.tv_sec = 1}};
	struct fs_journal *j = NULL;
	struct fs_inode *root = NULL, *note = NULL;
	int rc = fs_vault_journal(t.v, s, index, &j);

	if (rc)
		return rc;
	who.signer = fs_session_signer(s);
	rc = fs_inode_get(j, FS_ROOT_INO, &root);
	if (!rc)
		rc = fs_tree_create(root, name, S_IFREG | 0600, &who, &note);
	if (!rc)
		rc = fs_content_write(note, 0, false, (const uint8_t *)text, strlen(text), &who,
				      NULL);
	if (note)
		fs_inode_put(note);
	if (root)
		fs_inode_put(root);
	fs_signer_put(who.signer);
	fs_journal_put(j);
	return rc;
}

static __attribute__((unused)) int t_take(void *ctx, const struct iovec *iov, int n, size_t len)
{
	char *out = ctx;

	for (int i = 0; i < n && len; i++) {
		size_t k = iov[i].iov_len < len ? iov[i].iov_len : len;

		memcpy(out, iov[i].iov_base, k);
		out += k;
		len -= k;
	}
	*out = '\0';
	return 0;
}

static __attribute__((unused)) int t_read(struct fs_session *s, uint32_t index, const char *name,
					  char out[static 256])
{
	struct fs_journal *j = NULL;
	struct fs_inode *root = NULL, *note = NULL;
	int rc = fs_vault_journal(t.v, s, index, &j);

	if (rc)
		return rc;
	rc = fs_inode_get(j, FS_ROOT_INO, &root);
	if (!rc)
		rc = fs_tree_lookup(root, name, &note);
	if (!rc)
		rc = fs_content_read(note, 0, 255, t_take, out);
	if (note)
		fs_inode_put(note);
	if (root)
		fs_inode_put(root);
	fs_journal_put(j);
	return rc;
}

static __attribute__((unused)) bool t_may(struct fs_session *s, uint32_t index, uint32_t rights)
{
	struct policy_verdict verdict;

	return !fs_vault_decide(t.v, s, index, rights, &verdict, NULL, 0) &&
	       verdict.answer == POLICY_ALLOW;
}

/* All sessions let go of their journals, so that the next use proves key and root again. */
static __attribute__((unused)) void t_drop(struct fs_session *s)
{
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	fs_session_journals_drop(s, NULL, NULL);
}

/* ---- Mallory, who can write to the vault's database with the host's own tools ---- */

static __attribute__((unused)) void t_poke(const struct fs_key *key, const void *p, size_t len)
{
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	if (p)
		fs_batch_put(&b, fs_records_vault(t.v->records), key, p, len);
	else
		fs_batch_del(&b, fs_records_vault(t.v->records), key);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.v->records), &b, NULL), 0);
	fs_batch_clear(&b);
}

static __attribute__((unused)) struct fs_buf *t_peek(const struct fs_key *key)
{
	struct fs_buf *buf = NULL;

	ck_assert_int_eq(fs_record_get(fs_records_vault(t.v->records), key, &buf), 0);
	return buf;
}

/* Records of a kind in the log, as the recovery key reads it. */
struct t_counting {
	uint8_t kind;
	const char *detail;
	unsigned n;
};

static __attribute__((unused)) int t_count_one(void *ctx, const struct policy_record *r)
{
	struct t_counting *c = ctx;

	if (r->kind == c->kind && (!c->detail || strstr(r->detail, c->detail)))
		c->n++;
	return 0;
}

static __attribute__((unused)) unsigned t_logged(uint8_t kind, const char *detail)
{
	struct t_counting c = {.kind = kind, .detail = detail};
	uint8_t key[KEYS_RECOVERY_LEN], pk[KEYS_LEN], sk[KEYS_LEN];
	char dir[100];

	snprintf(dir, sizeof(dir), "%s/log", t.vault);
	if (t.v)
		ck_assert_int_eq(fs_log_wait(t.v->log, 0), 0);
	ck_assert_int_eq(keys_recovery_parse(t.made.recovery, key), 0);
	keys_recovery_box(t.made.vault, key, pk, sk);
	ck_assert_int_eq(fs_log_read(dir, t.made.vault, pk, sk, 0, t_count_one, NULL, &c), 0);
	return c.n;
}

static inline int t_run(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
