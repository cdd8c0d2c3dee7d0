/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_impl.h - what chunk.c, chunk_commit.c and chunk_cache.c share.
 *
 * Cuts are group entries keyed by the first chunk that goes, so that several
 * truncations of one group stand beside each other: the smallest applies to the
 * committed map. A chunk that a cut drops from a group itself is put there as a
 * tombstone, so that an entry in a group always wins over a cut.
 */
#ifndef FS_CHUNK_IMPL_H
#define FS_CHUNK_IMPL_H

#include "chunk.h"
#include "record_impl.h"

#define FS_MAP_ENTRY_LEN 64u
#define FS_CHUNK_UNITS (FS_CHUNK / FS_UNIT)
#define FS_CHUNK_AD_LEN 36u

/* Where a chunk lies; units 0: a hole. */
struct fs_map_entry {
	uint64_t pos;
	uint8_t units;
	struct keys_chunk_seal seal;
};

struct fs_map_page {
	struct fs_map_entry e[FS_MAP_ENTRIES];
};

/* ---- chunk_map.c ---- */
int fs_chunk_map_decode(const uint8_t *p, size_t len, struct fs_map_page *page);
/* p has room for FS_VALUE_MAX; 0 bytes when the page holds nothing. */
size_t fs_chunk_map_encode(const struct fs_map_page *page, uint8_t *p);
/* The committed page; all holes where there is none. */
int fs_chunk_map_get(struct fs_journal *j, uint64_t ino, uint32_t page_no,
		     struct fs_map_page *page);
void fs_chunk_ad(struct fs_journal *j, uint64_t ino, uint32_t n,
		 uint8_t ad[static FS_CHUNK_AD_LEN]);

static inline unsigned fs_chunk_units(size_t len)
{
	return (unsigned)((len + FS_UNIT - 1) / FS_UNIT);
}
static inline struct fs_key fs_chunk_key(const struct fs_journal *j, uint64_t ino, uint32_t n)
{
	return fs_key_n(j->index, ino, FS_T_CHUNK, n, 4);
}
static inline struct fs_key fs_chunk_cut_key(const struct fs_journal *j, uint64_t ino, uint32_t n)
{
	return fs_key_n(j->index, ino, FS_T_CUT, n, 4);
}

/* ---- chunk_space.c: units reserved for dirty chunks ---- */
int fs_chunk_space_new(struct fs_chunk_space **out);
/* Gives everything that is still reserved back to c. NULL is legal. */
void fs_chunk_space_free(struct fs_chunk_space *s, struct fs_container *c);
/* Makes sure that `units` are reserved for this chunk. -ENOSPC, -ENOMEM. */
int fs_chunk_space_need(struct fs_chunk_space *s, struct fs_container *c, uint64_t ino, uint32_t n,
			unsigned units);
/* Committer: what is reserved for this chunk now belongs to the closing group. */
void fs_chunk_space_take(struct fs_chunk_space *s, uint64_t ino, uint32_t n);
/* Committer: the closing group needs exactly `units`: reserves the rest, gives back the surplus,
 * also of chunks that never reached a group. -ENOSPC. */
int fs_chunk_space_settle(struct fs_chunk_space *s, struct fs_container *c, uint64_t units);
/* Committer: the closing group is durable, its reservation used up. */
void fs_chunk_space_settled(struct fs_chunk_space *s);

/* ---- chunk_cache.c: plaintext of chunks read lately ---- */
int fs_chunk_cache_new(size_t max_bytes, struct fs_chunk_cache **out);
void fs_chunk_cache_free(struct fs_chunk_cache *c);
struct fs_buf *fs_chunk_cache_get(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino,
				  uint32_t n);
void fs_chunk_cache_add(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t n,
			struct fs_buf *buf);
/* Forgets chunks first..last of the inode; ino 0: everything of the journal. */
void fs_chunk_cache_drop(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t first,
			 uint32_t last);

/* ---- chunk_commit.c ---- */
/* After a durable commit: forgets cached chunks that the group's entry changed. */
void fs_chunk_committed(struct fs_records *r, const struct fs_key *key);

#endif
