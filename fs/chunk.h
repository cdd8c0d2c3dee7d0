/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/chunk.h - contents of larger files: chunks in the journal's container.
 *
 * A chunk is FS_CHUNK bytes of a file, one unit of the container (the file's last
 * may be shorter in memory). Dirty chunks are group entries (FS_T_CHUNK); at commit
 * each is sealed once, written to a free unit, and its place, nonce and digest put
 * into the chunk map (FS_T_MAP, FS_MAP_ENTRIES a record). Small chunks make small
 * changes cheap; what makes large ones cheap is that everything works on runs: one
 * reservation, one look at the groups, one pread, one pwrite for many.
 * FS_T_CUT drops all chunks from a number on in the committed map; chunks written
 * after it in the same group stay. A hole is the absence of an entry, which the tag
 * tree authenticates.
 * Callers hold the inode's lock (shared to read, exclusive to write). When fs_group_apply answers
 * -EAGAIN the batch is cleared and built again (a commit came between; see fs_batch_patch).
 */
#ifndef FS_CHUNK_H
#define FS_CHUNK_H

#include "record.h"

#define FS_CHUNK 4096u

/* 0 and a reference (len <= FS_CHUNK; bytes beyond len read as zero); -ENODATA: a hole. */
int fs_chunk_get(struct fs_journal *j, uint64_t ino, uint32_t n, struct fs_buf **out);
/*
 * `count` chunks from n on, count * FS_CHUNK bytes with zeros where there is nothing; -ENODATA: holes
 * only. -EBADMSG: one of them is damaged.
 */
int fs_chunk_read(struct fs_journal *j, uint64_t ino, uint32_t n, uint32_t count,
		  struct fs_buf **out);

/*
 * Adds to the batch: len bytes become p, from off (< FS_CHUNK) of chunk n on, over as many chunks as
 * that takes. p stays valid until apply. Reads what is left of a chunk at either end when it must.
 * Reserves container space: -ENOSPC.
 */
int fs_chunk_write(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t n, uint32_t off,
		   const uint8_t *p, size_t len);
/*
 * Adds to the batch: chunks lo..hi-1 become holes, no more than `most` of those that exist. *next
 * receives where it stopped (hi: done), *gone how many there were.
 */
int fs_chunk_punch(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint64_t lo, uint64_t hi,
		   unsigned most, uint64_t *next, uint64_t *gone);
/* Adds to the batch: the file ends at size; the chunk that holds the edge is zeroed beyond it. */
int fs_chunk_truncate(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint64_t size);
/* The first chunk >= n that holds data (data true) or is a hole; -ENXIO: none below `end`. */
int fs_chunk_seek(struct fs_journal *j, uint64_t ino, uint32_t n, uint32_t end, bool data,
		  uint32_t *found);
/* How many of chunks lo..hi-1 exist. */
int fs_chunk_count(struct fs_journal *j, uint64_t ino, uint64_t lo, uint64_t hi, uint64_t *n);

/* ---- earlier versions (fs/history.h) ---- */

/*
 * Adds to the batch: what its group replaces or drops of chunks below `chunks` is version's from now on, unless that
 * has its own already. With every change of contents since the version was the newest. used: how many chunks the inode
 * has now.
 */
void fs_chunk_keep(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t version,
		   uint64_t chunks, uint64_t used);
/* Adds to the batch: what this version alone has is freed. */
void fs_chunk_drop(struct fs_journal *j, struct fs_batch *b, uint64_t ino, uint32_t version);
/* From the newest earlier version to the one that is read. */
struct fs_chunk_step {
	uint32_t version;
	bool chunks;   /* it was chunks: it may have some of its own */
	uint64_t next; /* how many chunks the next version had; UINT64_MAX: it is what there is now */
};
/* As fs_chunk_read of what steps[n - 1] says, but no -ENODATA: holes are zeros. */
int fs_chunk_read_old(struct fs_journal *j, uint64_t ino, const struct fs_chunk_step *steps, size_t n,
		      uint32_t lo, uint32_t count, struct fs_buf **out);

/* The committer's part, called by record.c's encode hook. */
struct fs_chunk_commit;
int fs_chunk_encode(struct fs_journal *j, const struct fs_closing *closing, size_t first, size_t n,
		    int (*put)(void *ctx, const struct fs_key *key, const void *p, size_t len),
		    int (*del)(void *ctx, const struct fs_key *key), void *ctx);

#endif
