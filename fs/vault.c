/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/vault.c - opening and closing a vault.
 *
 * Owns struct fs_vault: the exclusive lock on the directory, the header, the
 * records layer, the log and the tables of the other files. Implements
 * fs/FORMAT.md, "Vault directory".
 *
 * Invariants: (1) one process has a vault open, and says so in VAULT/lock; (2) a
 * vault that is older than what this host saw last is refused; (3) a database
 * that changed since our last clean close is walked before it is used.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "vault_impl.h"

#define TRIM_NS UINT64_C(60000000000)
#define SECRETS 16 /* slots: host secret, daemon key, index keys of FS_INDEX_KEYS generations */

void fs_say(struct fs_say *say, const char *fmt, ...)
{
	va_list ap;

	if (!say)
		return;
	va_start(ap, fmt);
	vsnprintf(say->text, sizeof(say->text), fmt, ap);
	va_end(ap);
}

int64_t fs_vault_wall_s(void)
{
	return fs_clock_wall_ns() / 1000000000;
}

uint64_t fs_vault_boot_ns(void)
{
	return (uint64_t)fs_clock_boot_ns();
}

static char *copy_or_null(const char *s, bool *bad)
{
	char *copy = s ? strdup(s) : NULL;

	if (s && !copy)
		*bad = true;
	return copy;
}

int fs_vault_alloc(const struct fs_vault_config *cfg, struct fs_vault **out)
{
	struct fs_vault *v = calloc(1, sizeof(*v));
	bool bad = false;

	if (!v)
		return -ENOMEM;
	pthread_mutex_init(&v->edit, NULL);
	pthread_mutex_init(&v->finals, NULL);
	pthread_mutex_init(&v->side, NULL);
	pthread_rwlock_init(&v->lock, NULL);
	v->dirfd = v->lockfd = v->shredfd = v->containers = v->statefd = -1;
	v->cfg = *cfg;
	v->path = copy_or_null(cfg->path, &bad);
	v->cfg.path = v->path;
	v->cfg.state.dir = copy_or_null(cfg->state.dir, &bad);
	v->cfg.state.host_secret = copy_or_null(cfg->state.host_secret, &bad);
	if (!keys_slab_new(KEYS_SIGN_SK_LEN, SECRETS, &v->slab)) {
		v->host_secret = keys_slab_get(v->slab);
		v->daemon_sk = keys_slab_get(v->slab);
	}
	v->journals.bucket = calloc(FS_NAME_BUCKETS, sizeof(*v->journals.bucket));
	fs_notice_init(v);
	v->epoch = 1;
	v->lists_dirty = true;
	v->renew_dirty = true;
	if (bad || !v->host_secret || !v->daemon_sk || !v->journals.bucket) {
		(void)fs_vault_free(v);
		return -ENOMEM;
	}
	*out = v;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

int fs_vault_free(struct fs_vault *v)
{
	int rc = 0;

	if (!v)
		return 0;
	/* The last commit may still seal policy: the index key goes after it. */
	if (v->records)
		rc = fs_records_close(v->records);
	v->records = NULL;
	fs_policies_forget(v);
	fs_reserve_close(v->reserve);
	fs_notice_clear(v);
	fs_glass_clear(v);
	fs_people_clear(v);
	fs_renew_stop(v);
	free(v->renewals);
	free(v->journals.by_index);
	free(v->journals.bucket);
	free(v->sessions);
	keys_slab_free(v->slab);
	close_fd(v->shredfd);
	close_fd(v->containers);
	close_fd(v->statefd);
	close_fd(v->lockfd);
	close_fd(v->dirfd);
	pthread_rwlock_destroy(&v->lock);
	pthread_mutex_destroy(&v->side);
	pthread_mutex_destroy(&v->finals);
	pthread_mutex_destroy(&v->edit);
	free((char *)v->cfg.state.dir);
	free((char *)v->cfg.state.host_secret);
	free(v->path);
	free(v);
	return rc;
}

void fs_vault_mac_key(const struct fs_vault *v, uint8_t out[static KEYS_LEN])
{
	const struct keys_span part = {v->header.vault, KEYS_VAULT_ID_LEN};

	keys_label_derive(KEYS_LABEL_VAULT_MAC_KEY, v->host_secret, &part, 1, out, KEYS_LEN);
}

/* ---- opening ---- */

static int check_dir(struct fs_vault *v, struct fs_say *say)
{
	struct stat st;

	v->dirfd = open(v->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->dirfd < 0) {
		int rc = -errno;

		fs_say(say, "cannot open the vault %s: %s", v->path, strerror(-rc));
		return rc;
	}
	if (fstat(v->dirfd, &st))
		return -errno;
	if (faccessat(v->dirfd, "header", F_OK, 0)) {
		fs_say(say, "%s is not a vault: it has no header", v->path);
		return -EMEDIUMTYPE;
	}
	if (st.st_uid != geteuid()) {
		fs_say(say, "the vault %s belongs to uid %u; journalfs must run as that account",
		       v->path, (unsigned)st.st_uid);
		return -EPERM;
	}
	if (st.st_mode & 077) {
		fs_say(say, "the vault %s is open to other accounts: chmod 0700 %s", v->path,
		       v->path);
		return -EPERM;
	}
	return 0;
}

/* Who holds the lock has written his process number into the file. */
static int take_lock(struct fs_vault *v, struct fs_say *say)
{
	char text[32] = "";
	ssize_t n;
	int len;

	v->lockfd = v->cfg.read_only ? openat(v->dirfd, "header", O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
				     : openat(v->dirfd, "lock",
					      O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (v->lockfd < 0) {
		int rc = -errno;

		fs_say(say, "cannot lock the vault %s: %s", v->path,
		       rc == -EROFS ? "the disk is read-only" : strerror(-rc));
		return rc;
	}
	if (flock(v->lockfd, LOCK_EX | LOCK_NB)) {
		n = pread(v->lockfd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		fs_say(say, "the vault %s is in use by process %ld", v->path,
		       strtol(text, NULL, 10));
		return -EBUSY;
	}
	if (v->cfg.read_only)
		return 0;
	/*
	 * For messages only. Always the same length, over the same block: a full disk must not keep a
	 * vault from being opened and read.
	 */
	len = snprintf(text, sizeof(text), "%-15ld\n", (long)getpid());
	if (pwrite(v->lockfd, text, (size_t)len, 0) != len && errno != ENOSPC) {
		fs_say(say, "cannot write to the vault %s: %s", v->path, strerror(errno));
		return -errno;
	}
	return 0;
}

static int read_header(struct fs_vault *v, struct fs_say *say)
{
	int rc = fs_state_get_file(v->dirfd, "header", v->header_bytes, KEYS_HEADER_LEN);

	if (!rc)
		rc = keys_header_decode(v->header_bytes, KEYS_HEADER_LEN, &v->header);
	if (rc == -EMEDIUMTYPE)
		fs_say(say, "%s/header is not that of a vault", v->path);
	else if (rc == -EPROTONOSUPPORT && v->header.version < KEYS_HEADER_VERSION)
		fs_say(say,
		       "the vault %s has format %u, which this journalfs (format %u) no longer reads; "
		       "copy its files out with the journalfs that made it, into a vault made by this "
		       "one (journalfs init)",
		       v->path, v->header.version, KEYS_HEADER_VERSION);
	else if (rc == -EPROTONOSUPPORT)
		fs_say(say,
		       "the vault %s has format %u suite %u, newer than this journalfs (format "
		       "%u); "
		       "update journalfs",
		       v->path, v->header.version, v->header.suite, KEYS_HEADER_VERSION);
	else if (rc)
		fs_say(say, "%s/header is damaged; restore it from a backup (it never changes)",
		       v->path);
	if (!rc)
		keys_header_root_hash(v->header_bytes, v->root_hash);
	return rc;
}

int fs_vault_begin(const struct fs_vault_config *cfg, struct fs_vault **out, struct fs_say *say)
{
	struct fs_vault *v = NULL;
	int rc = keys_init();

	if (!rc)
		rc = fs_vault_alloc(cfg, &v);
	if (rc) {
		fs_say(say, "cannot start: %s", strerror(-rc));
		return rc;
	}
	rc = check_dir(v, say);
	if (!rc)
		rc = take_lock(v, say);
	if (!rc)
		rc = read_header(v, say);
	if (rc)
		(void)fs_vault_free(v);
	else
		*out = v;
	return rc;
}

static void damaged(void *ctx, uint32_t journal, uint64_t ino, uint8_t table)
{
	fs_vault_alarm(ctx, journal, "a stored record does not verify: inode %llu, table 0x%02x",
		       (unsigned long long)ino, table);
}

static void failed(void *ctx, uint32_t journal)
{
	struct fs_vault *v = ctx;

	if (journal)
		fs_vault_alarm(v, journal,
			       "this journal is damaged: changes of the last moments are lost, and it "
			       "takes no more; restore it from a backup");
	else
		fs_vault_alarm(v, 0,
			       "the vault's disk failed: changes of the last moments are lost, and "
			       "nothing is written any more; what was durable before can be read");
	if (v->cfg.failed)
		v->cfg.failed(v->cfg.ctx, journal);
}

static int open_records(struct fs_vault *v, const uint64_t *least, struct fs_say *say)
{
	struct fs_records_config rc_cfg = {
		.path = v->path,
		.read_only = v->cfg.read_only,
		.least_commit = least ? *least : 0,
		.damaged = damaged,
		.failed = failed,
		.ctx = v,
	};
	int rc;

	memcpy(rc_cfg.vault, v->header.vault, sizeof(rc_cfg.vault));
	fs_vault_mac_key(v, rc_cfg.mac_key);
	rc = fs_records_open(&rc_cfg, &v->records);
	keys_wipe(rc_cfg.mac_key, sizeof(rc_cfg.mac_key));
	if (rc == -ESTALE)
		fs_say(say,
		       "the vault %s was rolled back: this host has seen a newer state (commit "
		       "%llu); if "
		       "you restored a backup on purpose, `journalfs recover` accepts it",
		       v->path, (unsigned long long)(least ? *least : 0));
	else if (rc == -EBADMSG)
		fs_say(say,
		       "the vault %s does not authenticate: the host secret is another vault's, or "
		       "somebody changed the vault's files",
		       v->path);
	else if (rc == -EUCLEAN)
		fs_say(say, "the database in %s/db is damaged; restore the vault from a backup",
		       v->path);
	else if (rc)
		fs_say(say, "cannot open the vault %s: %s", v->path,
		       rc == -ENOSPC ? "the disk is full" : strerror(-rc));
	return rc;
}

int fs_vault_open_reserve(struct fs_vault *v)
{
	int rc = fs_reserve_open(v->dirfd, true, &v->reserve);

	if (!rc)
		fs_group_use_reserve(fs_records_group(v->records), v->reserve);
	return rc;
}

/* What the log's checkpoints say of the vault; and its own alarm of the start is shown too. */
static void announce_log(struct fs_vault *v)
{
	struct fs_log_stat st;
	uint8_t root[KEYS_LEN];
	uint64_t commit;

	fs_records_head(v->records, &commit, root);
	fs_log_vault_root(v->log, commit, root);
	fs_log_stat(v->log, &st);
	if (st.changed && v->cfg.alarm)
		v->cfg.alarm(v->cfg.ctx, "the access log was changed");
}

enum policy_forward fs_vault_forwards(const struct fs_vault *v)
{
	return (enum policy_forward)atomic_load(&v->forward);
}

static void told(void *ctx, const struct policy_record *r)
{
	struct fs_vault *v = ctx;
	int how = atomic_load(&v->forward);

	if (how != POLICY_FORWARD_OFF)
		v->cfg.forward(v->cfg.ctx, r, (enum policy_forward)how);
}

int fs_vault_open_log(struct fs_vault *v)
{
	struct keys_list_entry readers[KEYS_LIST_MAX];
	char dir[4096];
	struct fs_log_config cfg = {
		.dir = dir,
		.readers = readers,
		.reader_count = fs_lists_readers(v->list, v->list_count, readers),
		.sign_sk = v->daemon_sk,
		.least_seq = v->least_log,
		.root_pk = v->header.root_pk,
		.daemon_cert = v->daemon_cert,
		.statefd = &v->statefd,
		.told = v->cfg.forward ? told : NULL,
		.told_ctx = v,
	};
	int rc;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/log", v->path) >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(cfg.vault, v->header.vault, sizeof(cfg.vault));
	if (cfg.told)
		atomic_store(&v->forward, fs_state_forward_read(v) ? POLICY_FORWARD_ON : POLICY_FORWARD_OFF);
	rc = fs_log_open(&cfg, &v->log);
	if (!rc)
		announce_log(v);
	return rc;
}

int fs_vault_run(struct fs_vault *v, const uint64_t *least_commit, struct fs_say *say)
{
	int rc = open_records(v, least_commit, say);

	if (rc)
		return rc;
	v->shredfd = openat(v->dirfd, "shred",
			    (v->cfg.read_only ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_CLOEXEC);
	v->containers = openat(v->dirfd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->shredfd < 0 || v->containers < 0) {
		rc = -errno;
		fs_say(say, "%s/%s is missing; restore it from a backup", v->path,
		       v->shredfd < 0 ? "shred" : "containers");
		return rc;
	}
	rc = v->cfg.read_only ? 0 : fs_vault_open_reserve(v);
	if (!rc)
		rc = fs_vault_edit_load(v);
	if (!rc)
		rc = fs_people_load(v);
	if (!rc)
		rc = fs_lists_load(v);
	if (!rc)
		rc = fs_glass_load(v);
	if (rc) {
		fs_say(say, "the vault %s holds identities or keys that do not verify: %s", v->path,
		       strerror(-rc));
		return rc;
	}
	rc = fs_vault_open_log(v);
	if (rc == -ESTALE)
		fs_say(say,
		       "the access log of %s ends before record %llu, which this host has seen on "
		       "disk: "
		       "records were cut off; if you restored a backup on purpose, `journalfs "
		       "recover` "
		       "accepts it",
		       v->path, (unsigned long long)v->least_log);
	else if (rc)
		fs_say(say,
		       "the access log of %s cannot be written (%s): without it nothing is opened",
		       v->path, rc == -ENOSPC ? "the disk is full" : strerror(-rc));
	if (!rc)
		rc = fs_notice_load(v);
	fs_records_policy_version(v->records, v->counters.policy);
	v->signed_version = v->counters.policy;
	return rc;
}

/* A database that is not as we left it may break the reader of its pages: walk it first. */
static int check_db(struct fs_vault *v, const struct fs_last *last, struct fs_say *say)
{
	uint64_t size, ctime_ns;
	char dir[4096];
	int rc;

	fs_state_db(v, &size, &ctime_ns);
	if (last->closed && size == last->db_size && ctime_ns == last->db_ctime_ns)
		return 0;
	if ((size_t)snprintf(dir, sizeof(dir), "%s/db", v->path) >= sizeof(dir))
		return -ENAMETOOLONG;
	rc = fs_store_check(dir);
	if (rc)
		fs_say(say, "the database in %s %s; restore the vault from a backup", dir,
		       rc == -EUCLEAN ? "is damaged" : strerror(-rc));
	return rc;
}

/* The same commit number must have the same root, or the vault went another way meanwhile. */
static int check_fork(struct fs_vault *v, const struct fs_last *last, struct fs_say *say)
{
	uint8_t root[KEYS_LEN];
	uint64_t commit;

	fs_records_head(v->records, &commit, root);
	if (commit != last->commit || keys_equal(root, last->root, sizeof(root)))
		return 0;
	fs_vault_alarm(v, 0, "the vault's state %llu is not the one that this host saw",
		       (unsigned long long)commit);
	fs_say(say,
	       "the vault %s was replaced: its state %llu is not the one that this host saw; if "
	       "you "
	       "restored a backup on purpose, `journalfs recover` accepts it",
	       v->path, (unsigned long long)commit);
	return -ESTALE;
}

int fs_vault_open(const struct fs_vault_config *cfg, struct fs_vault **out, struct fs_say *say)
{
	struct fs_vault *v = NULL;
	struct fs_last last = {0};
	int rc = fs_vault_begin(cfg, &v, say);

	if (rc)
		return rc;
	rc = fs_state_open(v, false, say);
	if (!rc)
		rc = fs_state_last_read(v, &last, say);
	/* Before there is any secret in memory: the child that walks the database is to hold none.
	 */
	if (!rc)
		rc = check_db(v, &last, say);
	if (!rc)
		rc = fs_state_load(v, say);
	if (!rc) {
		v->least_log = last.log;
		rc = fs_vault_run(v, &last.commit, say);
	}
	if (!rc)
		rc = check_fork(v, &last, say);
	if (!rc)
		rc = fs_vault_remember(v);
	if (rc) {
		if (v->log)
			(void)fs_log_close(v->log);
		v->log = NULL;
		(void)fs_vault_free(v);
		return rc;
	}
	*out = v;
	return 0;
}

/* ---- closing ---- */

static int remember(struct fs_vault *v, bool closed, struct fs_last *last)
{
	uint64_t commit = last->commit;
	struct fs_log_stat st;

	if (v->records)
		fs_records_head(v->records, &commit, last->root);
	if (v->log) {
		(void)fs_log_checkpoint(v->log, commit, last->root, KEYS_CHECKPOINT_RUNNING);
		fs_log_stat(v->log, &st);
		last->log = st.durable;
	}
	last->commit = commit;
	last->closed = closed;
	if (closed)
		fs_state_db(v, &last->db_size, &last->db_ctime_ns);
	return v->cfg.read_only ? 0 : fs_state_last_write(v, last);
}

int fs_vault_remember(struct fs_vault *v)
{
	struct fs_last last = {0};

	return remember(v, false, &last);
}

int fs_vault_close(struct fs_vault *v)
{
	struct fs_session **all;
	struct fs_last last = {0};
	struct fs_log_stat st;
	size_t n;
	int rc, rc2;

	if (!v)
		return 0;
	pthread_mutex_lock(&v->edit);
	fs_renew_stop(v);
	pthread_mutex_unlock(&v->edit);
	n = fs_sessions_all(v, &all);
	for (size_t i = 0; i < n; i++) {
		fs_vault_end_begin(v, all[i]);
		(void)fs_vault_end_finish(v, all[i], "the daemon stops");
	}
	fs_sessions_put_all(all, n);
	/* On a full disk this fails and closing tries once more, for which the index key stays. */
	(void)fs_group_sync(fs_records_group(v->records), 0);
	(void)fs_vault_remember(v);
	fs_records_head(v->records, &last.commit, last.root);
	rc = fs_records_close(v->records);
	v->records = NULL;
	fs_policies_forget(v);
	fs_log_stat(v->log, &st);
	last.log = st.durable;
	rc2 = fs_log_close(v->log);
	v->log = NULL;
	if (!rc)
		rc = rc2;
	if (!rc)
		rc = remember(v, true, &last);
	(void)fs_vault_free(v);
	return rc;
}

/* ---- what the outside asks for ---- */

const uint8_t *fs_vault_id(const struct fs_vault *v)
{
	return v->header.vault;
}

const uint8_t *fs_vault_root_hash(const struct fs_vault *v)
{
	return v->root_hash;
}

struct fs_records *fs_vault_records(struct fs_vault *v)
{
	return v->records;
}

struct fs_log *fs_vault_log(struct fs_vault *v)
{
	return v->log;
}

void fs_vault_prove(struct fs_vault *v, const uint8_t nonce[static KEYS_NONCE_LEN],
		    struct fs_vault_proof *out)
{
	memcpy(out->header, v->header_bytes, sizeof(out->header));
	memcpy(out->daemon_pk, v->daemon_pk, sizeof(out->daemon_pk));
	memcpy(out->cert, v->daemon_cert, sizeof(out->cert));
	keys_daemon_answer(v->header.vault, v->daemon_sk, nonce, out->answer);
}

void fs_vault_tick(struct fs_vault *v)
{
	uint64_t now = fs_vault_boot_ns();

	fs_sessions_tick(v);
	if (fs_glass_tick(v))
		(void)fs_policies_in_force(v);
	fs_glass_remind(v);
	/* Entries run out by time too; then a journal's key goes with the last who might use it. */
	if (now - v->trimmed_ns >= TRIM_NS) {
		v->trimmed_ns = now;
		fs_sessions_trim(v);
	}
	pthread_mutex_lock(&v->edit);
	if (!v->cfg.read_only)
		fs_notice_tick(v);
	if (v->index_key && !v->cfg.read_only) {
		fs_lists_tick(v);
		fs_index_tick(v);
		fs_grants_tick(v);
		fs_log_grants_tick(v);
	}
	pthread_mutex_unlock(&v->edit);
}

unsigned fs_vault_renew_more(struct fs_vault *v)
{
	unsigned ms = 0;

	pthread_mutex_lock(&v->edit);
	if (v->index_key && !v->cfg.read_only)
		ms = fs_renew_tick(v);
	pthread_mutex_unlock(&v->edit);
	return ms;
}
