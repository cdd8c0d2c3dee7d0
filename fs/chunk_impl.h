/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk_impl.h - what chunk*.c share.
 *
 * Cuts are group entries keyed by the first chunk that goes, so that several
 * truncations of one group stand beside each other: the smallest applies to the
 * committed map. A chunk that a cut drops from a group itself is put there as a
 * tombstone, so that an entry in a group always wins over a cut.
 */
#ifndef FS_CHUNK_IMPL_H
#define FS_CHUNK_IMPL_H

#include "chunk.h"
#include "chunk_help.h"
#include "record_impl.h"

#define FS_MAP_ENTRY_LEN 64u
#define FS_MAP_USED_AT 5u /* of an entry's bytes: 1 a chunk, 0 a hole; OLD_MAP: 2 a hole, 0 nothing */
#define FS_MAP_GENERATION_AT 6u /* u16: generation of the key, less 1 */
#define FS_CHUNK_AD_LEN 36u

_Static_assert(FS_CHUNK == FS_UNIT, "a chunk is a unit");

/* Where a chunk lies; not used: a hole. */
struct fs_map_entry {
	uint64_t pos;
	uint32_t generation; /* of the key */
	bool used;
	bool hole; /* OLD_MAP only: the version has a hole here, whatever later ones have */
	struct keys_chunk_seal seal;
};

struct fs_map_page {
	struct fs_map_entry e[FS_MAP_ENTRIES];
};

/* ---- chunk_map.c ---- */
int fs_chunk_map_decode(const uint8_t *p, size_t len, struct fs_map_page *page);
/* The same of OLD_MAP, which may have marks of holes. */
int fs_chunk_old_decode(const uint8_t *p, size_t len, struct fs_map_page *page);
/* p has room for FS_VALUE_MAX; 0 bytes when the page holds nothing. */
size_t fs_chunk_map_encode(const struct fs_map_page *page, uint8_t *p);
/* The committed page as its checked bytes, none where there is no page; a reference. */
int fs_chunk_map_find(struct fs_journal *j, uint64_t ino, uint32_t page_no, struct fs_buf **out);
/* Entry i of such a page; false: a hole. */
bool fs_chunk_map_entry(const struct fs_buf *page, unsigned i, struct fs_map_entry *e);
/* Bit i: entry i holds a chunk. */
uint64_t fs_chunk_map_mask(const struct fs_buf *page);
/* The committed page decoded; all holes where there is none. */
int fs_chunk_map_get(struct fs_journal *j, uint64_t ino, uint32_t page_no,
		     struct fs_map_page *page);
void fs_chunk_ad(struct fs_journal *j, uint64_t ino, uint32_t n, uint32_t generation,
		 uint8_t ad[static FS_CHUNK_AD_LEN]);
/* Bit i: entry i holds a chunk under an older key than this generation. */
uint64_t fs_chunk_map_older(const struct fs_buf *page, uint32_t generation);

static inline struct fs_key fs_chunk_key(const struct fs_journal *j, uint64_t ino, uint32_t n)
{
	return fs_key_n(j->index, ino, FS_T_CHUNK, n, 4);
}
static inline struct fs_key fs_chunk_cut_key(const struct fs_journal *j, uint64_t ino, uint32_t n)
{
	return fs_key_n(j->index, ino, FS_T_CUT, n, 4);
}
/* The first key behind chunk (or cut) n of the inode. */
static inline struct fs_key fs_chunk_key_end(const struct fs_journal *j, uint64_t ino,
					     enum fs_table table, uint64_t n)
{
	return n > UINT32_MAX ? fs_key(j->index, ino, table + 1)
			      : fs_key_n(j->index, ino, table, n, 4);
}

/* ---- chunk_pending.c: what the groups say of a range of chunks, asked before the map ---- */
struct fs_chunk_pending {
	struct fs_group_entry *e;
	size_t n;
	uint64_t cut; /* committed chunks from here on are gone; UINT64_MAX: none */
};

enum fs_chunk_state { FS_CHUNK_COMMITTED, FS_CHUNK_DATA, FS_CHUNK_HOLE };

/* Chunks lo..hi-1. Cleared with fs_chunk_pending_clear. */
int fs_chunk_pending_get(struct fs_journal *j, uint64_t ino, uint64_t lo, uint64_t hi,
			 struct fs_chunk_pending *p);
void fs_chunk_pending_clear(struct fs_chunk_pending *p);
/* COMMITTED: the map decides. DATA: *buf (may be NULL) receives it, no reference. */
enum fs_chunk_state fs_chunk_pending_state(const struct fs_chunk_pending *p, uint64_t n,
					   struct fs_buf **buf);
/*
 * Bit i of *mask: chunk lo + i exists. lo..hi-1 lie in one map page. Groups first, then the map.
 */
int fs_chunk_mask(struct fs_journal *j, uint64_t ino, uint64_t lo, uint64_t hi, uint64_t *mask);

/* ---- chunk_space.c: units reserved for dirty chunks ---- */
int fs_chunk_space_new(struct fs_chunk_space **out);
/* Gives everything that is still reserved back to c. NULL is legal. */
void fs_chunk_space_free(struct fs_chunk_space *s, struct fs_container *c);
/* Makes sure that a unit is reserved for each of chunks n..n+count-1. -ENOSPC, -ENOMEM. */
int fs_chunk_space_need(struct fs_chunk_space *s, struct fs_container *c, uint64_t ino, uint32_t n,
			uint32_t count);
/* Committer: what is reserved for these chunks now belongs to the closing group. */
void fs_chunk_space_take(struct fs_chunk_space *s, uint64_t ino, uint32_t n, uint32_t count);
/* Committer: the closing group needs exactly `units`: reserves the rest, gives back the surplus,
 * also of chunks that never reached a group. -ENOSPC. */
int fs_chunk_space_settle(struct fs_chunk_space *s, struct fs_container *c, uint64_t units);
/* Committer: so many more than were settled. -ENOSPC. And so many less. */
int fs_chunk_space_more(struct fs_chunk_space *s, struct fs_container *c, uint64_t units);
void fs_chunk_space_surplus(struct fs_chunk_space *s, struct fs_container *c, uint64_t units);
/* Committer: the closing group is durable, its reservation used up. */
void fs_chunk_space_settled(struct fs_chunk_space *s);

/* ---- chunk_cache.c: chunks and map pages used lately, at most FS_UNIT bytes each ---- */
int fs_chunk_cache_new(size_t max_bytes, struct fs_chunk_cache **out);
void fs_chunk_cache_free(struct fs_chunk_cache *c);
/* A reference, or NULL; *age for an add. */
struct fs_buf *fs_chunk_cache_get(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino,
				  uint32_t n, uint64_t *age);
/* Takes a reference of its own, unless anything was dropped since `age`. */
void fs_chunk_cache_add(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t n,
			struct fs_buf *buf, uint64_t age);
/* Forgets first..last of the inode; ino 0: everything of the journal. */
void fs_chunk_cache_drop(struct fs_chunk_cache *c, uint32_t journal, uint64_t ino, uint32_t first,
			 uint32_t last);

/* ---- chunk_again.c: chunks that are to be sealed again; committer only ---- */
struct fs_chunk_again {
	struct fs_journal *j;
	struct fs_container *c;
	const struct fs_closing *closing;
	size_t first, end;   /* its entries of this journal */
	uint32_t generation; /* what the group is sealed under */
	uint8_t *plain;	     /* FS_MAP_ENTRIES chunks; NULL: nothing is sealed again */
};
/* The key of a mark that asks for a record's sealing. */
struct fs_key fs_chunk_again_key(const struct fs_key *record);
/* The record that a mark names. */
struct fs_key fs_chunk_again_record(const struct fs_key *mark);
/* Is there such a mark for this page of a chunk map? */
bool fs_chunk_again_asked(const struct fs_chunk_again *a, uint64_t ino, uint32_t page_no);
/* How many units the marks of all pages need at most. */
uint64_t fs_chunk_again_units(const struct fs_chunk_again *a);
/*
 * Of the page's chunks in mask: those that can be opened come to plain, each at its place, and stand
 * in the answer. Damage stays where it is, and is told.
 */
uint64_t fs_chunk_again_open(struct fs_chunk_again *a, uint64_t ino, uint32_t page_no,
			     const struct fs_map_page *page, uint64_t mask);
void fs_chunk_again_clear(struct fs_chunk_again *a);

/* ---- chunk_keep.c: what a group's KEEPs say; pages of OLD_MAP ---- */
struct fs_chunk_keep {
	uint32_t version;
	uint64_t chunks; /* KEEP: how many it reaches over */
	uint64_t used;	 /* KEEP: how many chunks the inode has */
	bool drop;
};
/* False: no such entry any more. */
bool fs_chunk_keep_entry(const struct fs_group_entry *e, struct fs_chunk_keep *k);
struct fs_key fs_chunk_old_key(const struct fs_journal *j, uint64_t ino, uint32_t version,
			       uint32_t page_no);
/* The committed page; nothing in it where there is none. */
int fs_chunk_old_get(struct fs_journal *j, uint64_t ino, uint32_t version, uint32_t page_no,
		     struct fs_map_page *page);
/* A page while the map's is changed. Committer. */
struct fs_chunk_old {
	struct fs_map_page page;
	struct fs_key key;
	uint64_t most; /* entries from here on lie beyond the version; 0: nothing is kept */
	bool changed;
};
int fs_chunk_old_load(struct fs_journal *j, uint64_t ino, const struct fs_chunk_keep *keep,
		      uint32_t page_no, struct fs_chunk_old *old);
/* Entry e of the map, at place i of its page, is the version's now and is cleared; false: it is not. */
bool fs_chunk_old_take(struct fs_chunk_old *old, unsigned i, struct fs_map_entry *e);
/* The map has a hole at place i, which is about to be filled. */
void fs_chunk_old_hole(struct fs_chunk_old *old, unsigned i);
int fs_chunk_old_put(const struct fs_chunk_old *old,
		     int (*put)(void *ctx, const struct fs_key *key, const void *p, size_t len),
		     void *ctx);

/* ---- chunk_commit.c ---- */
/* Where the chunk entries from i on, whose numbers follow each other and which are one inode's, end. */
size_t fs_chunk_neighbors(const struct fs_closing *closing, size_t i, size_t end);

/* ---- chunk_cache.c ---- */
/* After a durable commit: forgets what is cached of what the group changed. */
void fs_chunk_committed(struct fs_records *r, const struct fs_closing *closing);
/* Forgets all that is cached of a journal. */
void fs_chunk_forget(struct fs_records *r, uint32_t journal);

#endif
