/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_key.c - what the log keeps on the host, outside the vault: the keys of its checkpoints,
 * and what the last one covered.
 *
 * Owns the files `log.key` and `log.last`. Implements fs/FORMAT.md, "Host state". Invariants: (1) a
 * key is in `log.key` before a tree frame introduces it; (2) the key before it leaves the file once
 * that frame is on disk, its bytes written over as far as the file system lets us. Locks nothing.
 */
#include "log_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../keys/slab.h"
#include "../keys/wrap.h"
#include "state_file.h"

#define KEY "log.key"
#define KEY_UNFINISHED ".log.key.new" /* as fs_state_put_file names it */
#define LAST "log.last"
#define MAGIC_LEN 16
#define KEY_MAGIC "journalfs lkey 1"
#define LAST_MAGIC "journalfs llst 1"
#define KEY_LEN 192
#define LAST_LEN 2112

void fs_log_key_new(struct fs_log_key *k, uint64_t number)
{
	uint8_t pk[KEYS_LEN];

	k->number = number;
	keys_sign_new(pk, k->sk);
}

/* Magic and vault as every file of ours begins. */
static bool begins(struct bytes_in *in, const struct fs_log *l, const char *magic)
{
	const uint8_t *m = bytes_take(in, MAGIC_LEN), *vault = bytes_take(in, KEYS_VAULT_ID_LEN);

	return vault && !memcmp(m, magic, MAGIC_LEN) && !memcmp(vault, l->vault, KEYS_VAULT_ID_LEN);
}

int fs_log_keys_load(struct fs_log *l, struct fs_log_keys *out)
{
	uint8_t *p = keys_guard_new(KEY_LEN);
	struct bytes_in in = bytes_in(p, KEY_LEN);
	int rc;

	memset(out, 0, sizeof(*out));
	if (!p)
		return -ENOMEM;
	rc = l->statefd < 0 ? -ENOENT : fs_state_get_file(l->statefd, KEY, p, KEY_LEN);
	if (!rc && begins(&in, l, KEY_MAGIC)) {
		out->now.number = bytes_get_u64(&in);
		bytes_get(&in, out->now.sk, sizeof(out->now.sk));
		out->next.number = bytes_get_u64(&in);
		bytes_get(&in, out->next.sk, sizeof(out->next.sk));
	}
	keys_guard_free(p);
	return rc == -ENOENT || rc == -EBADMSG ? 0 : rc;
}

/* The file that was replaced is written over: another key may still lie in it. */
static void erase(int fd)
{
	static const uint8_t zeros[KEY_LEN];

	if (fd < 0)
		return;
	if (pwrite(fd, zeros, sizeof(zeros), 0) == (ssize_t)sizeof(zeros))
		(void)fdatasync(fd);
	close(fd);
}

static int put_keys(int statefd, const uint8_t *p)
{
	int old = openat(statefd, KEY, O_WRONLY | O_NOFOLLOW | O_CLOEXEC), rc;

	/* What a daemon left that was killed while it wrote: it holds keys too. */
	erase(openat(statefd, KEY_UNFINISHED, O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
	rc = fs_state_put_file(statefd, KEY, p, KEY_LEN, 0600);

	if (!rc) {
		erase(old);
		return 0;
	}
	if (old >= 0)
		close(old);
	return rc == -ENOSPC ? fs_state_overwrite_file(statefd, KEY, p, KEY_LEN) : rc;
}

int fs_log_keys_put(struct fs_log *l, const struct fs_log_keys *keys)
{
	uint8_t *p = keys_guard_new(KEY_LEN);
	struct bytes_out out = bytes_out(p, KEY_LEN);
	int rc;

	if (!p)
		return -ENOMEM;
	bytes_put(&out, KEY_MAGIC, MAGIC_LEN);
	bytes_put(&out, l->vault, sizeof(l->vault));
	bytes_put_u64(&out, keys->now.number);
	bytes_put(&out, keys->now.sk, sizeof(keys->now.sk));
	bytes_put_u64(&out, keys->next.number);
	bytes_put(&out, keys->next.sk, sizeof(keys->next.sk));
	bytes_put_zero(&out, KEY_LEN - out.len);
	rc = l->statefd < 0 ? 0 : put_keys(l->statefd, p);
	keys_guard_free(p);
	return rc;
}

int fs_log_last_load(struct fs_log *l, struct fs_log_last *out)
{
	uint8_t p[LAST_LEN], root[KEYS_LEN], said[KEYS_LEN];
	struct bytes_in in = bytes_in(p, sizeof(p));
	struct fs_log_last got = {0};
	uint64_t size, count;
	int rc = l->statefd < 0 ? -ENOENT : fs_state_get_file(l->statefd, LAST, p, sizeof(p));

	if (rc)
		return rc == -EBADMSG ? -ENOENT : rc;
	if (!begins(&in, l, LAST_MAGIC))
		return -ENOENT;
	size = bytes_get_u64(&in);
	bytes_get(&in, said, sizeof(said));
	got.key_number = bytes_get_u64(&in);
	count = bytes_get_u64(&in);
	if (in.bad || count > KEYS_TREE_LEVELS ||
	    keys_tree_load(&got.tree, size, p + in.off, (unsigned)count))
		return -ENOENT;
	keys_tree_root(&got.tree, root);
	if (!keys_equal(root, said, sizeof(root)))
		return -ENOENT;
	*out = got;
	return 0;
}

int fs_log_last_put(struct fs_log *l, const struct fs_log_last *last)
{
	uint8_t p[LAST_LEN], root[KEYS_LEN];
	struct bytes_out out = bytes_out(p, sizeof(p));

	if (l->statefd < 0)
		return 0;
	keys_tree_root(&last->tree, root);
	bytes_put(&out, LAST_MAGIC, MAGIC_LEN);
	bytes_put(&out, l->vault, sizeof(l->vault));
	bytes_put_u64(&out, last->tree.size);
	bytes_put(&out, root, sizeof(root));
	bytes_put_u64(&out, last->key_number);
	bytes_put_u64(&out, last->tree.count);
	bytes_put(&out, last->tree.hash, last->tree.count * sizeof(last->tree.hash[0]));
	bytes_put_zero(&out, LAST_LEN - out.len);
	return fs_state_put_file(l->statefd, LAST, p, sizeof(p), 0600);
}

void fs_log_forget(int statefd, bool keys)
{
	(void)unlinkat(statefd, LAST, 0);
	if (keys)
		(void)unlinkat(statefd, KEY, 0);
}
