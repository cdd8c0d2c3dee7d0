/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/state.c - what a vault keeps on its host, outside the vault.
 *
 * Owns the state directory: the host secret (without which a copy of the vault is
 * useless even with a passphrase), the daemon's key and its certificate, and
 * `last`, the state of the vault that this host saw last (against rollback).
 * Implements fs/FORMAT.md, "Host state".
 *
 * Invariants: (1) files change only by temporary file, fsync and rename (state_file.c); (2) none
 * of them is ever readable by others, and one that is, is refused.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vault_impl.h"

#define SECRET "host-secret"
#define DAEMON_KEY "daemon.key"
#define DAEMON_CERT "daemon.cert"
#define LAST "last"
#define FORWARD "forward"
#define DAEMON_KEY_LEN (KEYS_SIGN_SK_LEN + KEYS_LEN)
#define LAST_LEN 128
#define LAST_MAGIC "journalfs last 1"

/* Every missing directory of the path, 0700. */
static int make_path(const char *path)
{
	char part[PATH_MAX];

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; path[i - 1]; i++) {
		if (path[i] != '/' && path[i])
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0700) && errno != EEXIST && errno != EISDIR)
			return -errno;
		if (!path[i])
			break;
	}
	return 0;
}

int fs_state_open(struct fs_vault *v, bool make, struct fs_say *say)
{
	const char *dir = v->cfg.state.dir;
	struct stat st;
	int rc = make ? make_path(dir) : 0;

	if (rc) {
		fs_say(say, "cannot make the state directory %s: %s", dir, strerror(-rc));
		return rc;
	}
	v->statefd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (v->statefd < 0) {
		rc = -errno;
		fs_say(say,
		       "this host's state of the vault is missing (%s: %s); give it with --state, "
		       "or "
		       "make it anew from the printed recovery key with `journalfs recover`",
		       dir, strerror(-rc));
		return rc;
	}
	if (fstat(v->statefd, &st))
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077)) {
		fs_say(say,
		       "the state directory %s must belong to this account and be open to nobody "
		       "else: chmod 0700 it",
		       dir);
		return -EPERM;
	}
	return 0;
}

static int secret_missing(struct fs_vault *v, int rc, struct fs_say *say)
{
	const char *given = v->cfg.state.host_secret;

	fs_say(say,
	       "the host secret cannot be read (%s%s%s: %s); without it no passphrase opens this "
	       "vault; the printed recovery key makes it anew: `journalfs recover`",
	       given ? "" : v->cfg.state.dir, given ? "" : "/", given ? given : SECRET,
	       rc == -EBADMSG ? "damaged" : strerror(-rc));
	return rc;
}

static int load_secret(struct fs_vault *v, struct fs_say *say)
{
	const char *given = v->cfg.state.host_secret;
	int fd = given ? open(given, O_RDONLY | O_CLOEXEC)
		       : openat(v->statefd, SECRET, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0)
		return secret_missing(v, -errno, say);
	if (fstat(fd, &st)) {
		rc = -errno;
	} else if (st.st_mode & 0037) {
		fs_say(say,
		       "the host secret is open to other accounts: chmod 0600 (or 0440) it, and "
		       "think of it as known to them");
		rc = -EPERM;
	} else {
		rc = fs_state_read_fd(fd, v->host_secret, KEYS_LEN);
		if (rc)
			secret_missing(v, rc, say);
	}
	close(fd);
	return rc;
}

int fs_state_load(struct fs_vault *v, struct fs_say *say)
{
	uint8_t pair[DAEMON_KEY_LEN];
	struct bytes_in in = bytes_in(pair, sizeof(pair));
	int rc = load_secret(v, say);

	if (rc)
		return rc;
	rc = fs_state_get_file(v->statefd, DAEMON_KEY, pair, sizeof(pair));
	if (!rc)
		rc = fs_state_get_file(v->statefd, DAEMON_CERT, v->daemon_cert,
				       sizeof(v->daemon_cert));
	bytes_get(&in, v->daemon_sk, KEYS_SIGN_SK_LEN);
	bytes_get(&in, v->daemon_pk, KEYS_LEN);
	keys_wipe(pair, sizeof(pair));
	if (rc)
		fs_say(say,
		       "the daemon's key in %s is missing or damaged (%s); `journalfs recover` "
		       "makes "
		       "it anew",
		       v->cfg.state.dir, rc == -EBADMSG ? "damaged" : strerror(-rc));
	return rc;
}

static int put_secret(struct fs_vault *v, bool replace, struct fs_say *say)
{
	const char *given = v->cfg.state.host_secret;
	uint8_t there[KEYS_LEN];
	int rc;

	if (!given) {
		if (!replace && !faccessat(v->statefd, SECRET, F_OK, 0)) {
			fs_say(say,
			       "%s holds the host secret of another vault already; give this one "
			       "a state directory of its own",
			       v->cfg.state.dir);
			return -EEXIST;
		}
		return fs_state_put_file(v->statefd, SECRET, v->host_secret, KEYS_LEN, 0600);
	}
	/* A credential that somebody else provides is only compared; it is not ours to write. */
	rc = fs_state_get_file(AT_FDCWD, given, there, sizeof(there));
	if (!rc && !keys_equal(there, v->host_secret, KEYS_LEN))
		rc = -EKEYREJECTED;
	keys_wipe(there, sizeof(there));
	if (rc)
		fs_say(say, "%s does not hold this vault's host secret (%s)", given,
		       rc == -EKEYREJECTED ? "another one" : strerror(-rc));
	return rc;
}

int fs_state_make(struct fs_vault *v, const uint8_t root_sk[static KEYS_SIGN_SK_LEN], bool replace,
		  struct fs_say *say)
{
	uint8_t pair[DAEMON_KEY_LEN];
	struct bytes_out out = bytes_out(pair, sizeof(pair));
	int rc = put_secret(v, replace, say);

	if (rc)
		return rc;
	keys_sign_new(v->daemon_pk, v->daemon_sk);
	keys_daemon_certify(v->header.vault, v->daemon_pk, root_sk, v->daemon_cert);
	bytes_put(&out, v->daemon_sk, KEYS_SIGN_SK_LEN);
	bytes_put(&out, v->daemon_pk, KEYS_LEN);
	rc = fs_state_put_file(v->statefd, DAEMON_KEY, pair, sizeof(pair), 0600);
	keys_wipe(pair, sizeof(pair));
	if (!rc)
		rc = fs_state_put_file(v->statefd, DAEMON_CERT, v->daemon_cert,
				       sizeof(v->daemon_cert), 0600);
	/* What this host saw of the log is no longer asked for: the vault is accepted as it is. */
	if (!rc && replace)
		fs_log_forget(v->statefd, false);
	if (rc)
		fs_say(say, "cannot write to the state directory %s: %s", v->cfg.state.dir,
		       strerror(-rc));
	return rc;
}

int fs_state_last_read(struct fs_vault *v, struct fs_last *out, struct fs_say *say)
{
	uint8_t bytes[LAST_LEN], vault[KEYS_VAULT_ID_LEN];
	struct bytes_in in = bytes_in(bytes, sizeof(bytes));
	struct fs_last got = {0};
	const uint8_t *magic;
	int rc = fs_state_get_file(v->statefd, LAST, bytes, sizeof(bytes));

	if (!rc) {
		magic = bytes_take(&in, 16);
		bytes_get(&in, vault, sizeof(vault));
		got.commit = bytes_get_u64(&in);
		bytes_get(&in, got.root, sizeof(got.root));
		got.closed = bytes_get_u8(&in) == 1;
		got.db_size = bytes_get_u64(&in);
		got.db_ctime_ns = bytes_get_u64(&in);
		got.log = bytes_get_u64(&in);
		if (!magic || memcmp(magic, LAST_MAGIC, 16) ||
		    memcmp(vault, v->header.vault, sizeof(vault)))
			rc = -EBADMSG;
	}
	if (rc) {
		fs_say(say,
		       "%s/%s, which tells what this host saw of the vault last, is missing or of "
		       "another vault; `journalfs recover` accepts the vault as it is",
		       v->cfg.state.dir, LAST);
		return rc;
	}
	*out = got;
	return 0;
}

int fs_state_last_write(struct fs_vault *v, const struct fs_last *last)
{
	uint8_t bytes[LAST_LEN];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));
	int rc;

	bytes_put(&out, LAST_MAGIC, 16);
	bytes_put(&out, v->header.vault, KEYS_VAULT_ID_LEN);
	bytes_put_u64(&out, last->commit);
	bytes_put(&out, last->root, sizeof(last->root));
	bytes_put_u8(&out, last->closed);
	bytes_put_u64(&out, last->db_size);
	bytes_put_u64(&out, last->db_ctime_ns);
	bytes_put_u64(&out, last->log);
	bytes_put_zero(&out, sizeof(bytes) - out.len);
	rc = fs_state_put_file(v->statefd, LAST, bytes, sizeof(bytes), 0600);
	/*
	 * A full disk must not keep a vault from being read. 128 bytes within one sector are written
	 * whole or not at all.
	 */
	return rc == -ENOSPC ? fs_state_overwrite_file(v->statefd, LAST, bytes, sizeof(bytes)) : rc;
}

bool fs_state_forward_read(struct fs_vault *v)
{
	return !faccessat(v->statefd, FORWARD, F_OK, AT_SYMLINK_NOFOLLOW);
}

void fs_state_forward_write(struct fs_vault *v, bool on)
{
	if (on == fs_state_forward_read(v))
		return;
	if (on)
		(void)fs_state_put_file(v->statefd, FORWARD, "on\n", 3, 0600);
	else
		(void)unlinkat(v->statefd, FORWARD, 0);
}

void fs_state_db(struct fs_vault *v, uint64_t *size, uint64_t *ctime_ns)
{
	struct stat st;

	*size = 0;
	*ctime_ns = 0;
	if (fstatat(v->dirfd, "db/data.mdb", &st, AT_SYMLINK_NOFOLLOW))
		return;
	*size = (uint64_t)st.st_size;
	*ctime_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec;
}

void fs_state_remove(struct fs_vault *v)
{
	if (v->statefd < 0)
		return;
	if (!v->cfg.state.host_secret)
		(void)unlinkat(v->statefd, SECRET, 0);
	(void)unlinkat(v->statefd, DAEMON_KEY, 0);
	(void)unlinkat(v->statefd, DAEMON_CERT, 0);
	(void)unlinkat(v->statefd, FORWARD, 0);
	(void)unlinkat(v->statefd, LAST, 0);
	fs_log_forget(v->statefd, true);
}
