/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_tree.c - `.history` in a journal: what its virtual inodes are, hold and list.
 *
 * Attributes, entries and contents are looked up anew at each call, through fs/history.h and the
 * inodes that virtual ones stand for; what is kept is numbers alone (history_tree_table.c).
 * Invariants: (1) nothing here changes or stores anything; (2) no virtual inode's lock is held
 * while that of a stored one is taken; (3) an inode without a name is reached only when its
 * contents are kept (FS_INODE_REMOVED, FS_INODE_BEFORE), so never an unlinked file that waits for
 * its last close.
 */
#include "history_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../keys/label.h"
#include "content.h"
#include "dirent.h"
#include "history_tree_impl.h"

#define DIR_MODE (S_IFDIR | 0500)
#define FILE_MODE (S_IFREG | 0400)
#define COOKIE_FIRST 3u			 /* a version's cookie is its number and this */
#define COOKIE_GONE FS_DIRENT_COOKIE_MAX /* a removed note's is its inode number and this */
#define REMOVED_MARK " (removed "

bool fs_history_tree_reserved(const struct fs_inode *dir, const char *name)
{
	return dir->ino == FS_ROOT_INO && !strcmp(name, FS_HISTORY_DIR);
}

uint64_t fs_history_tree_real(struct fs_journal *j, uint64_t ino)
{
	struct fs_history_node x;

	if (!fs_history_tree_is(ino))
		return ino;
	return fs_history_node(j, ino, &x, NULL) ? 0 : x.ino;
}

/* ---- what numbers stand for ---- */

static int give(struct fs_journal *j, const struct fs_history_node *x, struct fs_inode **out)
{
	uint64_t number;
	int rc = fs_history_number(j, x, &number);

	return rc ? rc : fs_inode_get(j, number, out);
}

int fs_history_tree_root(struct fs_journal *j, struct fs_inode **out)
{
	const struct fs_history_node root = {.ino = FS_ROOT_INO, .kind = FS_HISTORY_MIRROR};

	return give(j, &root, out);
}

static bool is_kept(struct fs_inode *i)
{
	bool kept;

	pthread_rwlock_rdlock(&i->lock);
	kept = !i->deleted && (i->nlink || i->flags & (FS_INODE_REMOVED | FS_INODE_BEFORE));
	pthread_rwlock_unlock(&i->lock);
	return kept;
}

/* The stored inode behind a node; -ESTALE when it is no more. */
static int stored(struct fs_journal *j, const struct fs_history_node *x, struct fs_inode **out)
{
	struct fs_inode *i = NULL;
	int rc = fs_inode_get(j, x->ino, &i);

	if (!rc && !is_kept(i)) {
		fs_inode_put(i);
		rc = -ENOENT;
	}
	if (!rc)
		*out = i;
	return rc == -ENOENT ? -ESTALE : rc;
}

/* The version that x stands for; the inode that holds it, with a reference, in *holder. */
static int version_of(struct fs_journal *j, const struct fs_history_node *x,
		      struct fs_history_version *v, struct fs_inode **holder)
{
	struct fs_inode *i = NULL;
	int rc = stored(j, x, &i);

	if (!rc)
		rc = fs_history_find(i, x->version, v);
	if (!rc)
		*holder = i;
	else
		fs_inode_put(i);
	return rc == -ENOENT ? -ESTALE : rc;
}

/* ---- attributes ---- */

static void dir_attr(const struct fs_inode_attr *of, uint64_t parent, struct fs_inode_attr *out)
{
	*out = (struct fs_inode_attr){.mode = DIR_MODE,
				      .nlink = 2,
				      .size = of->size,
				      .parent = parent,
				      .atime = of->mtime,
				      .mtime = of->mtime,
				      .ctime = of->ctime,
				      .btime = of->btime,
				      .author = of->author,
				      .writer = of->writer};
}

static void version_attr(const struct fs_history_version *v, const struct fs_inode_attr *of,
			 struct fs_inode_attr *out)
{
	*out = (struct fs_inode_attr){.mode = FILE_MODE,
				      .nlink = 1,
				      .size = of->size,
				      .atime = of->mtime,
				      .mtime = of->mtime,
				      .ctime = of->mtime,
				      .btime = of->btime,
				      .author = v->author,
				      .writer = v->writer,
				      .blocks = of->blocks,
				      .version = v->version};
}

int fs_history_tree_load(const struct fs_inode *i, struct fs_inode_attr *out)
{
	struct fs_history_version v = {.version = 0};
	struct fs_inode *of = NULL;
	struct fs_history_node x;
	struct fs_inode_attr a;
	uint64_t parent = 0;
	int rc = fs_history_node(i->journal, i->ino, &x, &parent);

	if (rc)
		return rc;
	if (x.kind == FS_HISTORY_VERSION) {
		rc = version_of(i->journal, &x, &v, &of);
		if (!rc)
			rc = fs_history_attr(i->journal, &v, &a);
		if (!rc)
			version_attr(&v, &a, out);
	} else {
		rc = stored(i->journal, &x, &of);
		if (!rc) {
			pthread_rwlock_rdlock(&of->lock);
			a = of->attr;
			pthread_rwlock_unlock(&of->lock);
			dir_attr(&a, parent, out);
		}
	}
	fs_inode_put(of);
	return rc == -ENOENT ? -ESTALE : rc;
}

void fs_history_tree_refresh(struct fs_inode *i)
{
	struct fs_inode_attr a;

	if (fs_history_tree_load(i, &a))
		return;
	pthread_rwlock_wrlock(&i->lock);
	i->attr = a;
	pthread_rwlock_unlock(&i->lock);
}

/* ---- names ---- */

static mode_t type_of(struct fs_inode *i)
{
	mode_t type;

	pthread_rwlock_rdlock(&i->lock);
	type = i->mode & S_IFMT;
	pthread_rwlock_unlock(&i->lock);
	return type;
}

/*
 * Each name of a note with several is a directory of its own: kernels take no directory in two
 * places. Which is which a hash tells; two that were the same would only be a nuisance.
 */
static struct fs_history_node note_node(const struct fs_inode *dir, uint64_t ino, const char *name)
{
	struct fs_history_node x = {
		.ino = ino, .up = fs_history_place(dir->ino), .kind = FS_HISTORY_NOTE};
	uint32_t h = (x.up ^ 0x811c9dc5u) * 0x01000193u;

	for (const char *c = name; *c; c++)
		h = (h ^ (uint8_t)*c) * 0x01000193u;
	x.version = h;
	fs_history_ext(name, x.ext);
	return x;
}

static int lookup_removed(struct fs_inode *dir, const struct fs_history_node *of, const char *name,
			  struct fs_inode **out)
{
	struct fs_history_gones gones;
	char called[256];
	int rc = fs_history_gones_get(dir->journal, &gones);

	if (rc)
		return rc;
	rc = -ENOENT;
	for (size_t k = 0; rc == -ENOENT && k < gones.n; k++) {
		const struct fs_history_gone *g = &gones.gone[k];

		if (g->dir != of->ino)
			continue;
		fs_history_gone_name(g, called);
		if (!strcmp(called, name)) {
			struct fs_history_node x = note_node(dir, g->ino, g->name);

			rc = give(dir->journal, &x, out);
		}
	}
	keys_wipe(called, sizeof(called));
	fs_history_gones_clear(&gones);
	return rc;
}

static int lookup_mirrored(struct fs_inode *dir, const struct fs_history_node *of, const char *name,
			   struct fs_inode **out)
{
	struct fs_inode *real = NULL, *i = NULL;
	struct fs_history_node x = {.up = fs_history_place(dir->ino), .kind = FS_HISTORY_MIRROR};
	int rc = -ENOENT;

	/* First, so that nobody hides a removed note behind a new one of such a name. */
	if (strstr(name, REMOVED_MARK))
		rc = lookup_removed(dir, of, name, out);
	if (rc != -ENOENT)
		return rc;
	rc = stored(dir->journal, of, &real);
	if (!rc)
		rc = fs_tree_lookup(real, name, &i);
	if (!rc && type_of(i) == S_IFREG)
		x = note_node(dir, i->ino, name);
	else if (!rc && type_of(i) == S_IFDIR)
		x.ino = i->ino;
	else if (!rc)
		rc = -ENOENT;
	if (!rc)
		rc = give(dir->journal, &x, out);
	fs_inode_put(i);
	fs_inode_put(real);
	return rc;
}

static struct fs_history_node version_node(const struct fs_inode *dir,
					   const struct fs_history_version *v)
{
	return (struct fs_history_node){.ino = v->ino,
					.version = v->version,
					.up = fs_history_place(dir->ino),
					.kind = FS_HISTORY_VERSION};
}

static int lookup_version(struct fs_inode *dir, const struct fs_history_node *of, const char *name,
			  struct fs_inode **out)
{
	struct fs_history_version v;
	struct fs_history_node x;
	struct fs_inode *note = NULL;
	uint32_t version = 0;
	char called[256];
	bool plain = false;
	int rc = fs_history_name_version(name, &version, &plain) ? 0 : -ENOENT;

	if (!rc)
		rc = stored(dir->journal, of, &note);
	if (!rc)
		rc = fs_history_find(note, version, &v);
	fs_inode_put(note);
	if (rc)
		return rc;
	fs_history_name(&v, of->ext, called);
	if (!plain && strcmp(called, name) != 0)
		return -ENOENT;
	x = version_node(dir, &v);
	return give(dir->journal, &x, out);
}

int fs_history_tree_lookup(struct fs_inode *dir, const char *name, struct fs_inode **out)
{
	struct fs_history_node x;
	int rc = fs_history_node(dir->journal, dir->ino, &x, NULL);

	if (rc)
		return rc;
	if (x.kind == FS_HISTORY_VERSION)
		return -ENOTDIR;
	return x.kind == FS_HISTORY_NOTE ? lookup_version(dir, &x, name, out)
					 : lookup_mirrored(dir, &x, name, out);
}

/* ---- listing ---- */

struct mirroring {
	struct fs_inode *dir;
	int (*fn)(void *ctx, const struct fs_tree_entry *e);
	void *ctx;
	bool stopped;
	int rc;
};

/* One entry of a virtual directory; 1: no more are wanted. */
static int put_entry(struct mirroring *m, const struct fs_history_node *x, uint64_t cookie,
		     const char *name)
{
	struct fs_tree_entry e = {.cookie = cookie, .name = name};

	m->rc = fs_history_number(m->dir->journal, x, &e.ino);
	if (m->rc)
		return 1;
	e.mode = x->kind == FS_HISTORY_VERSION ? S_IFREG : S_IFDIR;
	m->stopped = m->fn(m->ctx, &e) != 0;
	return m->stopped;
}

static int mirror_entry(void *ctx, const struct fs_tree_entry *e)
{
	struct mirroring *m = ctx;
	struct fs_history_node x = {
		.ino = e->ino, .up = fs_history_place(m->dir->ino), .kind = FS_HISTORY_MIRROR};

	if (!S_ISREG(e->mode) && !S_ISDIR(e->mode))
		return 0;
	if (S_ISREG(e->mode))
		x = note_node(m->dir, e->ino, e->name);
	return put_entry(m, &x, e->cookie, e->name);
}

static int list_removed(struct mirroring *m, const struct fs_history_node *of, uint64_t after)
{
	struct fs_history_gones gones;
	char called[256];
	int rc = fs_history_gones_get(m->dir->journal, &gones);

	for (size_t k = 0; !rc && !m->stopped && !m->rc && k < gones.n; k++) {
		const struct fs_history_gone *g = &gones.gone[k];
		struct fs_history_node x = note_node(m->dir, g->ino, g->name);

		if (g->dir != of->ino || COOKIE_GONE + g->ino <= after)
			continue;
		fs_history_gone_name(g, called);
		(void)put_entry(m, &x, COOKIE_GONE + g->ino, called);
	}
	keys_wipe(called, sizeof(called));
	fs_history_gones_clear(&gones);
	return rc;
}

static int list_mirrored(struct mirroring *m, const struct fs_history_node *of, uint64_t after)
{
	struct fs_inode *real = NULL;
	int rc = stored(m->dir->journal, of, &real);

	if (!rc && after < COOKIE_GONE)
		rc = fs_tree_list(real, after, mirror_entry, m);
	if (!rc && !m->rc && !m->stopped)
		rc = list_removed(m, of, after);
	fs_inode_put(real);
	return rc;
}

struct versions {
	struct fs_history_version *v;
	size_t n, cap;
	int rc;
};

static int keep_version(void *ctx, const struct fs_history_version *v)
{
	struct versions *all = ctx;

	if (all->n == all->cap) {
		size_t cap = all->cap ? all->cap * 2 : 16;
		struct fs_history_version *wider = realloc(all->v, cap * sizeof(*wider));

		if (!wider) {
			all->rc = -ENOMEM;
			return 1;
		}
		all->v = wider;
		all->cap = cap;
	}
	all->v[all->n++] = *v;
	return 0;
}

static int list_versions(struct mirroring *m, const struct fs_history_node *of, uint64_t after)
{
	struct versions all = {.v = NULL};
	struct fs_inode *note = NULL;
	char called[256];
	int rc = stored(m->dir->journal, of, &note);

	if (!rc)
		rc = fs_history_list(note, keep_version, &all);
	/* Versions beyond a damaged one are missing, and its alarm has said so: the others are
	 * there. */
	if (rc == -EBADMSG && all.n)
		rc = 0;
	if (!rc)
		rc = all.rc;
	for (size_t k = all.n; !rc && k-- > 0;) {
		struct fs_history_node x = version_node(m->dir, &all.v[k]);
		uint64_t cookie = (uint64_t)all.v[k].version + COOKIE_FIRST;

		if (cookie <= after)
			continue;
		fs_history_name(&all.v[k], of->ext, called);
		if (put_entry(m, &x, cookie, called))
			break;
	}
	free(all.v);
	fs_inode_put(note);
	return rc;
}

int fs_history_tree_list(struct fs_inode *dir, uint64_t after,
			 int (*fn)(void *ctx, const struct fs_tree_entry *e), void *ctx)
{
	struct mirroring m = {.dir = dir, .fn = fn, .ctx = ctx};
	struct fs_history_node x;
	int rc = fs_history_node(dir->journal, dir->ino, &x, NULL);

	if (rc)
		return rc;
	if (x.kind == FS_HISTORY_VERSION)
		return -ENOTDIR;
	rc = x.kind == FS_HISTORY_NOTE ? list_versions(&m, &x, after)
				       : list_mirrored(&m, &x, after);
	return rc ? rc : m.rc;
}

/* ---- contents ---- */

static int file_of(struct fs_inode *i, struct fs_history_version *v, struct fs_inode **holder)
{
	struct fs_history_node x;
	int rc = fs_history_node(i->journal, i->ino, &x, NULL);

	if (rc)
		return rc;
	return x.kind == FS_HISTORY_VERSION ? version_of(i->journal, &x, v, holder) : -EISDIR;
}

int fs_history_tree_read(struct fs_inode *i, uint64_t off, size_t len,
			 int (*fn)(void *ctx, const struct iovec *iov, int n, size_t len),
			 void *ctx)
{
	struct fs_history_version v;
	struct fs_inode *holder = NULL;
	struct fs_iov iov = {.n = 0};
	int rc = file_of(i, &v, &holder);

	if (len > FS_CONTENT_READ_MAX)
		len = FS_CONTENT_READ_MAX;
	if (!rc)
		rc = fs_history_read(i->journal, &v, off, len, &iov);
	if (!rc)
		rc = fn(ctx, iov.v, iov.n, iov.len);
	fs_iov_clear(&iov);
	fs_inode_put(holder);
	return rc == -ENOENT ? -ESTALE : rc;
}

/* Holes of earlier versions are not told: everything is data. */
int fs_history_tree_seek(struct fs_inode *i, uint64_t off, bool data, uint64_t *out)
{
	struct fs_history_version v;
	struct fs_inode *holder = NULL;
	int rc = file_of(i, &v, &holder);

	fs_inode_put(holder);
	if (rc)
		return rc;
	if (off >= v.size)
		return -ENXIO;
	*out = data ? off : v.size;
	return 0;
}
