/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_removed.c - notes that were removed and are kept. Implements fs/FORMAT.md, "REMOVED".
 *
 * Where a note was is told by names that were looked up before the locks were
 * taken: directories know only the number of the one that they lie in. The path is for people
 * to read, nothing is found by it. No state.
 */
#include "history_link.h"

#include <errno.h>
#include <stdlib.h>
#include "../keys/bytes.h"
#include "../keys/seal.h"
#include "dirent.h"

#define REMOVED_VERSION 1
#define REMOVED_HEAD 19
#define DEPTH_MOST 64
#define AT_ONCE 32

static struct fs_key removed_key(const struct fs_journal *j, uint64_t ino)
{
	return fs_key_n(fs_journal_index(j), 0, FS_T_REMOVED, ino, 5);
}

int fs_history_put_removed(struct fs_batch *b, struct fs_journal *j, uint64_t ino, const char *path,
			   const struct fs_actor *who)
{
	struct fs_key key = removed_key(j, ino);
	uint8_t rec[FS_PLAIN_MAX] = {0};
	struct bytes_out out = bytes_out(rec, sizeof(rec));
	size_t len;

	bytes_put_u8(&out, REMOVED_VERSION);
	bytes_put_u64(&out, (uint64_t)who->now.tv_sec);
	bytes_put_u32(&out, (uint32_t)who->now.tv_nsec);
	bytes_put_u32(&out, who->pid);
	bytes_put_text(&out, path);
	len = keys_pad_len(out.len);
	fs_batch_put(b, j, &key, rec, len > sizeof(rec) ? sizeof(rec) : len);
	keys_wipe(rec, sizeof(rec));
	return b->rc;
}

void fs_history_del_removed(struct fs_batch *b, struct fs_journal *j, uint64_t ino)
{
	struct fs_key key = removed_key(j, ino);

	fs_batch_del(b, j, &key);
}

int fs_history_removed_decode(const uint8_t *p, size_t len, struct fs_history_removed *r,
			      char path[static FS_HISTORY_PATH_MAX])
{
	struct bytes_in in = bytes_in(p, len);

	if (bytes_get_u8(&in) != REMOVED_VERSION)
		in.bad = true;
	r->when.tv_sec = (time_t)bytes_get_u64(&in);
	r->when.tv_nsec = (long)bytes_get_u32(&in);
	r->pid = bytes_get_u32(&in);
	bytes_get_text(&in, path, FS_HISTORY_PATH_MAX);
	bytes_get_zero(&in, in.len - in.off);
	r->path = path;
	return bytes_in_done(&in) && r->when.tv_nsec < 1000000000L && path[0] ? 0 : -EBADMSG;
}

/* ---- listing ---- */

struct found {
	struct fs_buf *buf[AT_ONCE];
	uint64_t ino[AT_ONCE];
	size_t n;
};

static int add_found(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct found *f = ctx;

	f->ino[f->n] = fs_key_sub(key, 5);
	f->buf[f->n++] = fs_buf_get(buf);
	return f->n == AT_ONCE;
}

static int give_found(struct found *f, int (*fn)(void *ctx, const struct fs_history_removed *r),
		      void *ctx)
{
	char path[FS_HISTORY_PATH_MAX];
	int rc = 0;

	for (size_t n = 0; n < f->n; n++) {
		struct fs_history_removed r = {.ino = f->ino[n]};

		if (!rc)
			rc = fs_history_removed_decode(f->buf[n]->data, f->buf[n]->len, &r, path);
		if (!rc)
			rc = fn(ctx, &r);
		fs_buf_put(f->buf[n]);
	}
	keys_wipe(path, sizeof(path));
	return rc;
}

int fs_history_removed(struct fs_journal *j, uint64_t after,
		       int (*fn)(void *ctx, const struct fs_history_removed *r), void *ctx)
{
	struct fs_key to = removed_key(j, FS_INO_MAX);
	struct found f;
	int rc;

	do {
		struct fs_key from = removed_key(j, after + 1);

		f.n = 0;
		rc = after >= FS_INO_MAX ? 0 : fs_record_scan(j, &from, &to, add_found, &f);
		if (f.n)
			after = f.ino[f.n - 1];
		if (rc)
			(void)give_found(&f, fn, ctx);
		else
			rc = give_found(&f, fn, ctx);
	} while (!rc && f.n == AT_ONCE);
	return rc == 1 ? 0 : rc;
}

/* ---- where it was ---- */

struct name_of {
	uint64_t ino;
	char *name;
};

static int is_entry(void *ctx, const struct fs_tree_entry *e)
{
	struct name_of *n = ctx;

	if (e->ino != n->ino)
		return 0;
	memcpy(n->name, e->name, strlen(e->name) + 1);
	return 1;
}

/* Puts name and a slash before what is in path. Without room, or a name, an ellipsis: true then. */
static bool prepend(char *path, const char *name)
{
	size_t len = strlen(path), more = strlen(name);
	bool fits = more && len + more + 1 + sizeof("...") < FS_HISTORY_PATH_MAX;

	if (!fits) {
		name = "...";
		more = 3;
	}
	memmove(path + more + 1, path, len + 1);
	memcpy(path, name, more);
	path[more] = '/';
	return !fits;
}

void fs_history_path(struct fs_inode *dir, const char *name, char path[static FS_HISTORY_PATH_MAX])
{
	struct fs_inode *i = fs_inode_ref(dir);
	char part[FS_NAME_MAX + 1];
	bool done = false;

	memcpy(path, name, strlen(name) + 1);
	for (unsigned depth = 0; !done && depth < DEPTH_MOST && i->ino != FS_ROOT_INO; depth++) {
		struct name_of n = {i->ino, part};
		struct fs_inode *up = NULL;
		uint64_t parent;

		part[0] = '\0';
		pthread_rwlock_rdlock(&i->lock);
		parent = i->parent;
		pthread_rwlock_unlock(&i->lock);
		if (!fs_inode_get(dir->journal, parent, &up))
			(void)fs_tree_list(up, 0, is_entry, &n);
		done = prepend(path, part) || !up;
		if (up) {
			fs_inode_put(i);
			i = up;
		}
	}
	fs_inode_put(i);
	keys_wipe(part, sizeof(part));
}
