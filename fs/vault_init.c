/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/vault_init.c - making a new vault.
 *
 * Root key, recovery key, host secret and index key are made here; the root
 * secret is sealed to the recovery key and wiped: nothing in vault or host opens
 * it again. The header is written last, so that an interrupted init leaves no
 * vault. Implements fs/FORMAT.md, "Vault directory", and "ESCROW".
 *
 * Invariants: (1) the recovery key and the root secret are never stored; (2) a
 * steward's invitation carries the index key and no journal's; (3) on failure
 * everything that was made is removed again, and nothing else.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault_impl.h"

#define STEWARD_DAYS 30

struct init {
	const struct fs_vault_init *in;
	struct fs_vault_made *out;
	struct fs_vault *v;
	bool made_dir, made_inside, made_state;
	struct secrets {
		uint8_t root_sk[KEYS_SIGN_SK_LEN];
		uint8_t recovery[KEYS_RECOVERY_LEN];
		uint8_t recovery_sk[KEYS_LEN];
		uint8_t index_key[KEYS_LEN];
	} * secret; /* guarded */
	uint8_t recovery_pk[KEYS_LEN];
	const struct policy_practitioner *first;
};

/* ---- directories ---- */

static int check_empty(const char *path, struct fs_say *say)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int rc = d ? 0 : -errno;

	while (!rc && (e = readdir(d))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			rc = -ENOTEMPTY;
	}
	if (d)
		closedir(d);
	if (rc == -ENOTEMPTY)
		fs_say(say, "%s is not empty; a vault is made in a new or empty directory", path);
	else if (rc)
		fs_say(say, "cannot read %s: %s", path, strerror(-rc));
	return rc;
}

static int make_dir(struct init *i, struct fs_say *say)
{
	const char *path = i->in->path;
	struct stat st;
	int rc;

	if (!mkdir(path, 0700)) {
		i->made_dir = true;
	} else if (errno != EEXIST) {
		rc = -errno;
		fs_say(say, "cannot make %s: %s", path, strerror(-rc));
		return rc;
	} else {
		rc = check_empty(path, say);
		if (rc)
			return rc;
	}
	i->v->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (i->v->dirfd < 0 || fstat(i->v->dirfd, &st)) {
		rc = -errno;
		fs_say(say, "cannot open %s: %s", path, strerror(-rc));
		return rc;
	}
	if (st.st_uid != geteuid()) {
		fs_say(say, "%s belongs to another account", path);
		return -EPERM;
	}
	i->made_inside = true;
	if (fchmod(i->v->dirfd, 0700) || mkdirat(i->v->dirfd, "db", 0700) ||
	    mkdirat(i->v->dirfd, "log", 0700) || mkdirat(i->v->dirfd, "containers", 0700))
		return -errno;
	i->v->shredfd = openat(i->v->dirfd, "shred", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return i->v->shredfd < 0 ? -errno : 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	if (ftw->level)
		(void)remove(path);
	return 0;
}

static void undo(struct init *i)
{
	if (i->made_state)
		fs_state_remove(i->v);
	if (i->made_inside)
		(void)nftw(i->in->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (i->made_dir)
		(void)rmdir(i->in->path);
}

/* ---- secrets ---- */

static int state_is_free(struct fs_vault *v, struct fs_say *say)
{
	static const char *const names[] = {"host-secret", "daemon.key", "daemon.cert", "last"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (faccessat(v->statefd, names[i], F_OK, 0))
			continue;
		fs_say(say,
		       "%s holds the state of another vault (%s); give this one its own directory",
		       v->cfg.state.dir, names[i]);
		return -EEXIST;
	}
	return 0;
}

static int make_secrets(struct init *i, struct fs_say *say)
{
	struct fs_vault *v = i->v;
	const char *given = v->cfg.state.host_secret;
	int rc;

	v->header.version = KEYS_HEADER_VERSION;
	v->header.suite = KEYS_SUITE_XCHACHA;
	v->header.made_s = (uint64_t)fs_vault_wall_s();
	keys_random(v->header.vault, sizeof(v->header.vault));
	keys_sign_new(v->header.root_pk, i->secret->root_sk);
	keys_header_encode(&v->header, i->secret->root_sk, v->header_bytes);
	keys_header_root_hash(v->header_bytes, v->root_hash);
	keys_recovery_new(i->secret->recovery);
	keys_recovery_box(v->header.vault, i->secret->recovery, i->recovery_pk,
			  i->secret->recovery_sk);
	keys_random(i->secret->index_key, KEYS_LEN);
	keys_random(v->host_secret, KEYS_LEN);
	rc = given ? fs_state_get_file(AT_FDCWD, given, v->host_secret, KEYS_LEN) : 0;
	if (rc) {
		fs_say(say, "%s must hold %d random bytes, the host secret: %s", given, KEYS_LEN,
		       rc == -EBADMSG ? "it has another length" : strerror(-rc));
		return rc;
	}
	rc = fs_state_open(v, true, say);
	if (!rc)
		rc = state_is_free(v, say);
	if (rc)
		return rc;
	i->made_state = true;
	rc = fs_state_make(v, i->secret->root_sk, false, say);
	memcpy(v->daemons[0], v->daemon_pk, KEYS_LEN);
	v->daemon_count = 1;
	return rc;
}

static int open_records(struct init *i)
{
	struct fs_vault *v = i->v;
	struct fs_records_config cfg = {.path = v->path, .create = true};
	int rc;

	memcpy(cfg.vault, v->header.vault, sizeof(cfg.vault));
	fs_vault_mac_key(v, cfg.mac_key);
	rc = fs_records_open(&cfg, &v->records);
	keys_wipe(cfg.mac_key, sizeof(cfg.mac_key));
	if (rc)
		return rc;
	v->counters.index_generation = 1;
	fs_records_index_key(v->records, 1, i->secret->index_key);
	return fs_vault_open_reserve(v);
}

/* ---- first records ---- */

static int put_index_key(struct init *i, struct fs_edit *e)
{
	struct fs_vault *v = i->v;
	struct fs_key at = fs_key_n(0, 0, FS_T_MANIFEST, 1, 4);
	struct keys_manifest m = {
		.place = {.journal = 0, .generation = 1},
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	uint8_t bytes[KEYS_MANIFEST_LEN];

	memcpy(m.place.vault, v->header.vault, sizeof(m.place.vault));
	keys_manifest_sign(&m, i->secret->index_key, NULL, i->secret->root_sk);
	keys_manifest_encode(&m, bytes);
	fs_batch_put(&e->b, fs_records_vault(v->records), &at, bytes, sizeof(bytes));
	return fs_journals_put_wrap(v, &e->b, &m.place, FS_WRAP_RECOVERY, 0, 0,
				    i->secret->index_key, i->recovery_pk);
}

static void put_escrow(struct init *i, struct fs_edit *e)
{
	struct fs_key at = fs_key(0, 0, FS_T_ESCROW);
	uint8_t bytes[KEYS_ESCROW_LEN];

	keys_escrow_seal(i->v->header.vault, i->secret->recovery, i->secret->root_sk,
			 i->v->host_secret, bytes);
	fs_batch_put(&e->b, fs_records_vault(i->v->records), &at, bytes, sizeof(bytes));
}

static int put_policy(struct init *i, struct fs_edit *e, struct fs_say *say)
{
	const struct fs_hand root = {.sk = i->secret->root_sk};
	char *text = policy_practice_initial(i->in->title, i->in->who, i->in->account,
					     i->in->stretched != NULL);
	struct policy_report *report = NULL;
	struct policy_practice *practice = NULL;
	int rc = text ? policy_report_new(&report) : -EINVAL;

	if (!rc)
		rc = policy_practice_parse(text, strlen(text), "practice", report, &practice);
	if (rc == -EINVAL)
		fs_say(say,
		       "no policy can be made for practice \"%s\", practitioner %s, account %s: %s",
		       i->in->title, i->in->who, i->in->account,
		       report ? policy_report_line(report, 0) : "these names are not allowed");
	if (!rc)
		rc = fs_policies_add(e, &root, 0, 0, text, strlen(text));
	if (practice)
		policy_practice_put(practice);
	policy_report_free(report);
	free(text);
	return rc;
}

static int put_first(struct init *i, struct fs_say *say)
{
	const struct fs_hand root = {.sk = i->secret->root_sk};
	struct keys_list_entry recovery = {.kind = KEYS_LIST_RECOVERY};
	struct fs_index_keys keys = {.n = 1};
	struct fs_edit e;
	int rc;

	memcpy(recovery.box_pk, i->recovery_pk, KEYS_LEN);
	fs_vault_edit_begin(i->v, &e, NULL);
	rc = put_policy(i, &e, say);
	if (!rc)
		rc = put_index_key(i, &e);
	if (!rc)
		rc = fs_lists_add(&e, &root, &recovery, 1);
	put_escrow(i, &e);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	fs_vault_edit_clear(&e);
	if (rc)
		return rc;
	i->v->list[0] = recovery;
	i->v->list_count = 1;
	keys.k[0].generation = 1;
	memcpy(keys.k[0].key, i->secret->index_key, KEYS_LEN);
	rc = fs_policies_open_index(i->v, &keys);
	keys_wipe(&keys, sizeof(keys));
	return rc;
}

/* ---- the first person ---- */

static int make_person(struct init *i, struct fs_invite_request *rq)
{
	const struct fs_newcomer who = {
		.uid = i->in->uid,
		.salt = i->in->salt,
		.stretched = i->in->stretched,
		.cost = i->in->cost,
	};
	struct keys_list_entry *list = calloc(KEYS_LIST_MAX + 1, sizeof(*list));
	uint8_t *bg = keys_guard_new(KEYS_LEN);
	struct keys_identity id;
	struct fs_edit e;
	size_t n = 0;
	int rc = list && bg ? 0 : -ENOMEM;

	if (!rc)
		rc = fs_enroll_by_root(i->v, rq, &who, i->secret->index_key, &id);
	if (!rc)
		rc = fs_lists_wanted(i->v, list, &n);
	fs_vault_edit_begin(i->v, &e, NULL);
	if (!rc && (i->first->role->rights & POLICY_BREAK_GLASS)) {
		list[n].kind = KEYS_LIST_BREAK_GLASS;
		keys_box_new(list[n++].box_pk, bg);
		rc = fs_bg_put(&e, id.pid, id.enrolment, 0, bg, id.box_pk);
		if (!rc)
			rc = fs_bg_put(&e, 0, 0, 0, bg, i->recovery_pk);
		if (!rc)
			rc = fs_vault_edit_commit(&e);
	}
	fs_vault_edit_clear(&e);
	if (!rc)
		rc = fs_lists_by_root(i->v, i->secret->root_sk, list, n);
	keys_guard_free(bg);
	free(list);
	return rc;
}

static int invite_steward(struct init *i, const struct fs_invite_request *rq)
{
	uint8_t code[KEYS_CODE_LEN], bytes[FS_INVITE_BYTES];
	struct fs_edit e;
	uint32_t number;
	size_t len;
	int rc;

	keys_code_new(code);
	fs_vault_edit_begin(i->v, &e, NULL);
	rc = fs_enroll_invite(&e, rq, i->secret->index_key, code, bytes, &len, &number);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	if (!rc)
		rc = fs_people_add_invite(i->v, number, bytes, len);
	fs_vault_edit_clear(&e);
	if (!rc)
		keys_code_print(code, i->out->code);
	keys_wipe(code, sizeof(code));
	return rc;
}

static int put_people(struct init *i)
{
	struct fs_invite_request rq = {
		.name = i->in->who,
		.account = i->in->account,
		.days = STEWARD_DAYS,
		.by = {.sk = i->secret->root_sk},
	};

	i->first = policy_practice_find(i->v->practice, i->in->who);
	if (!i->first)
		return -EINVAL;
	rq.role = i->first->role->name;
	return i->in->stretched ? make_person(i, &rq) : invite_steward(i, &rq);
}

/* ---- the end ---- */

static int put_log(struct init *i)
{
	struct fs_vault *v = i->v;
	int rc = fs_vault_open_log(v), rc2;

	if (rc)
		return rc;
	rc = fs_vault_tell(v, NULL, POLICY_RECORD_POLICY, 0, NULL,
			   "the vault \"%s\" is made, policy version 1, signed by its root",
			   i->in->title);
	if (!rc)
		rc = fs_vault_tell(
			v, NULL, i->in->stretched ? POLICY_RECORD_ENROLL : POLICY_RECORD_INVITE, 0,
			NULL, "%s (account %s), by the vault's root", i->in->who, i->in->account);
	rc2 = fs_log_close(v->log);
	v->log = NULL;
	return rc ? rc : rc2;
}

/* The last step before the header: what this host remembers of the new vault. */
static int settle(struct init *i)
{
	struct fs_vault *v = i->v;
	struct fs_last last = {.closed = true};
	int rc = fs_group_sync(fs_records_group(v->records), 0);

	if (!rc)
		rc = put_log(i);
	if (rc)
		return rc;
	fs_policies_forget(v);
	fs_records_head(v->records, &last.commit, last.root);
	rc = fs_records_close(v->records);
	v->records = NULL;
	if (!rc && (fsync(v->shredfd) || fsync(v->dirfd)))
		rc = -errno;
	fs_state_db(v, &last.db_size, &last.db_ctime_ns);
	if (!rc)
		rc = fs_state_last_write(v, &last);
	if (!rc)
		rc = fs_state_put_file(v->dirfd, "header", v->header_bytes, KEYS_HEADER_LEN, 0600);
	return rc;
}

static int run(struct init *i, struct fs_say *say)
{
	int rc = make_dir(i, say);

	if (!rc)
		rc = make_secrets(i, say);
	if (!rc)
		rc = open_records(i);
	if (!rc)
		rc = put_first(i, say);
	if (!rc)
		rc = put_people(i);
	if (!rc)
		rc = settle(i);
	if (rc)
		return rc;
	keys_recovery_print(i->secret->recovery, i->out->recovery);
	memcpy(i->out->root_hash, i->v->root_hash, KEYS_LEN);
	memcpy(i->out->vault, i->v->header.vault, KEYS_VAULT_ID_LEN);
	return 0;
}

int fs_vault_init(const struct fs_vault_init *in, struct fs_vault_made *out, struct fs_say *say)
{
	const struct fs_vault_config cfg = {.path = in->path, .state = in->state};
	struct init i = {.in = in, .out = out};
	int rc = keys_init();

	if (rc)
		return rc;
	if (in->stretched && keys_stretch_check(in->cost)) {
		fs_say(say, "the passphrase was stretched with a cost that is not accepted");
		return -EINVAL;
	}
	memset(out, 0, sizeof(*out));
	i.secret = keys_guard_new(sizeof(*i.secret));
	rc = i.secret ? fs_vault_alloc(&cfg, &i.v) : -ENOMEM;
	if (!rc)
		rc = run(&i, say);
	if (rc && say && !say->text[0])
		fs_say(say, "cannot make the vault %s: %s", in->path, strerror(-rc));
	if (rc) {
		keys_wipe(out, sizeof(*out));
		if (i.v && i.v->records) {
			fs_policies_forget(i.v);
			(void)fs_records_close(i.v->records);
			i.v->records = NULL;
		}
		if (i.v)
			undo(&i);
	}
	(void)fs_vault_free(i.v);
	keys_guard_free(i.secret);
	return rc;
}
