/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_impl.h - what history*.c share: entries and pages of earlier versions, and what differs.
 *
 * Formats: fs/FORMAT.md, "VERSION", "OLD_PIECE", "OLD_MAP".
 */
#ifndef FS_HISTORY_IMPL_H
#define FS_HISTORY_IMPL_H

#include "content_change.h"
#include "content.h"
#include "history.h"

#define FS_HISTORY_PIECES (FS_INLINE_MAX / FS_PIECE)
#define FS_HISTORY_ENTRY_LEN 56u /* of an entry without data */

/* How the contents of an earlier version are kept. */
enum fs_history_kind {
	FS_HISTORY_WHOLE = 1, /* OLD_PIECE records */
	FS_HISTORY_DELTA = 2, /* in the entry: what differs from the next version */
	FS_HISTORY_CHUNKS = 3 /* OLD_MAP, and what later versions still have */
};

struct fs_history_entry {
	uint32_t version;
	uint8_t kind;
	uint8_t pieces; /* WHOLE: which exist */
	uint32_t mode;	/* permission bits */
	uint64_t size, blocks;
	struct timespec mtime, ctime;
	uint32_t writer;
	uint16_t len; /* of data */
	const uint8_t *data; /* DELTA */
};

/* ---- history_page.c: VERSION pages ---- */

/* One page as its plain bytes. */
struct fs_history_page {
	uint32_t first; /* its key: no entry is lower */
	size_t len;	/* without padding */
	uint8_t data[FS_PLAIN_MAX];
};
void fs_history_page_new(struct fs_history_page *p, uint32_t first);
/* -EBADMSG: not such a page. */
int fs_history_page_decode(const uint8_t *p, size_t len, struct fs_history_page *page);
/* The entry at *at (0: the first), which moves on; false: no more. Of a decoded page only. */
bool fs_history_page_next(const struct fs_history_page *p, size_t *at, struct fs_history_entry *e);
/* The last one; false: none. */
bool fs_history_page_last(const struct fs_history_page *p, struct fs_history_entry *e);
/* Appends; -ENOSPC: it does not fit any more. */
int fs_history_page_add(struct fs_history_page *p, const struct fs_history_entry *e);
/* Takes away the last. */
void fs_history_page_cut(struct fs_history_page *p);
/* Puts it into the batch; deletes the record when no entry is left. */
int fs_history_page_store(struct fs_batch *b, struct fs_journal *j, uint64_t ino,
			  const struct fs_history_page *p);
int fs_history_page_get(struct fs_journal *j, uint64_t ino, uint32_t first,
			struct fs_history_page *p);

/* All entries of an inode, oldest first; data points into the pages. */
struct fs_history_all {
	struct fs_history_page **page;
	struct fs_history_entry *e;
	size_t pages, n;
};
int fs_history_all_get(struct fs_journal *j, uint64_t ino, struct fs_history_all *all);
/* The same, but only those around this version are certain to be there, if it is. */
int fs_history_near_get(struct fs_journal *j, uint64_t ino, uint32_t version,
			struct fs_history_all *all);
void fs_history_all_clear(struct fs_history_all *all);
/* Where this version stands; all->n: nowhere. */
size_t fs_history_all_find(const struct fs_history_all *all, uint32_t version);

static inline struct fs_key fs_history_piece_key(const struct fs_journal *j, uint64_t ino,
						 uint32_t version, unsigned n)
{
	struct fs_key k = fs_key_n(fs_journal_index(j), ino, FS_T_OLD_PIECE, version, 4);

	fs_key_add(&k, n, 2);
	return k;
}
static inline uint32_t fs_history_version_of(const struct fs_inode_attr *a)
{
	return a->version ? a->version : 1;
}

/* ---- history_delta.c ---- */

/*
 * What makes old out of base (base_len 0: out of nothing), into out. Its length; 0: not below cap,
 * or no memory.
 */
size_t fs_history_delta_make(const uint8_t *old, size_t len, const uint8_t *base, size_t base_len,
			     uint8_t *out, size_t cap);
/* How long the base of a delta is, 0 when it needs none. -EBADMSG. */
int fs_history_delta_base(const uint8_t *delta, size_t len, size_t *base_len);
/* The old bytes, exactly size of them. -EBADMSG, -ENOMEM. */
int fs_history_delta_apply(const uint8_t *delta, size_t len, const uint8_t *base, size_t base_len,
			   uint8_t *out, size_t size);

/* ---- history_save.c ---- */

/* Looks up what h lacks; i is locked exclusively. */
int fs_history_know(struct fs_inode *i, struct fs_inode_history *h);
/* Has i earlier versions, of its own or as another inode? i is locked, h known. */
static inline bool fs_history_any(const struct fs_inode *i)
{
	return i->before || i->history.last;
}

/* ---- history.c ---- */

/* Contents of entry at of all, which is no chunks, e.size bytes; i is locked. */
int fs_history_bytes(struct fs_inode *i, const struct fs_history_all *all, size_t at, uint8_t *out);

/* ---- history_purge.c ---- */

/* Adds to b the deletion of one entry's contents (not of the entry). */
void fs_history_drop(struct fs_batch *b, struct fs_journal *j, uint64_t ino,
		     const struct fs_history_entry *e);

#endif
