/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_segment.h - the bytes of the access log: segments, frames, stream heads.
 *
 * A segment is a file of fixed size, written full of zeros before it is used. It
 * begins with a header, then frames follow. A frame is a stream head (clear,
 * signed), a record (sealed), a tree frame (log_tree.h) or a checkpoint. Behind
 * the last frame all is zero. Every segment begins with a stream head, so each can
 * be read without the others.
 * Nothing here waits or locks. Format: fs/FORMAT.md, "Log".
 */
#ifndef FS_LOG_SEGMENT_H
#define FS_LOG_SEGMENT_H

#include <stdbool.h>
#include "../keys/bytes.h"
#include "../keys/ratchet.h"
#include "../keys/statement.h"

#define FS_LOG_VERSION 2  /* of the segments that are written; 1 is read */
#define FS_LOG_HEADER 128 /* bytes of a segment's header */
#define FS_LOG_FRAME 24	  /* bytes of a frame's header */
#define FS_LOG_SEGMENT_BYTES (UINT64_C(8) << 20)
#define FS_LOG_SEGMENT_MIN (UINT64_C(256) << 10) /* the largest head and record fit */
#define FS_LOG_SEGMENT_MAX (UINT64_C(1) << 30)
#define FS_LOG_NAME 16 /* "00000001.seg" and NUL */
#define FS_LOG_NUMBER_MAX 99999999u   /* what a name can say */
#define FS_LOG_SEQ_MAX (UINT64_MAX / 2) /* a header that says more lies: numbers never wrap */

/* ---- segments ---- */
struct fs_log_header {
	unsigned version; /* 1 or 2; encoding 0 means the one that is written */
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint64_t number;    /* from 1; also the file's name */
	uint64_t first_seq; /* number of the first record */
	uint64_t bytes;	    /* size of the file */
};
void fs_log_header_encode(const struct fs_log_header *h, uint8_t out[static FS_LOG_HEADER]);
/* -ENODATA: all zero, prepared and not used yet. -EBADMSG: damaged, or not a segment. */
int fs_log_header_decode(const uint8_t p[static FS_LOG_HEADER], struct fs_log_header *h);

void fs_log_segment_name(uint64_t number, char out[static FS_LOG_NAME]);
/* Numbers of the segment files in the directory, ascending. The caller frees *out. */
int fs_log_segment_list(int dirfd, uint64_t **out, size_t *n);
/* 0: nothing was ever written to this file but zeros. -EEXIST: it holds something. -errno. */
int fs_log_segment_unused(int fd);
/*
 * A segment full of written zeros, durable with its name. A file of that name that holds only zeros
 * is replaced; one that holds anything else is left alone: -EEXIST. -EFBIG: no name is left. Fails
 * early with -ENOSPC and then leaves nothing behind.
 */
int fs_log_segment_make(int dirfd, uint64_t number, uint64_t bytes, int *fd);
/* The whole file in memory (caller frees). -EBADMSG: its size is out of bounds. */
int fs_log_segment_load(int fd, uint8_t **out, size_t *len);

/* ---- frames ---- */
/* The last two stand in segments of version 2 only. A checkpoint's body is its signed note's text. */
enum fs_log_frame_kind {
	FS_LOG_STREAM = 1,
	FS_LOG_RECORD = 2,
	FS_LOG_TREE = 3,
	FS_LOG_CHECKPOINT = 4,
};

struct fs_log_frame {
	enum fs_log_frame_kind kind;
	uint64_t seq; /* of the record; in all else, of the next record */
	size_t off;   /* of the frame in the segment */
	const uint8_t *body; /* in the segment's bytes */
	size_t len;
	bool torn; /* bytes that are no frame lie before this one */
};
/* What a frame with len bytes of body takes, filled up with zeros to a multiple of 8. */
size_t fs_log_frame_size(size_t len);
void fs_log_frame_encode(enum fs_log_frame_kind kind, uint64_t seq, size_t len,
			 uint8_t out[static FS_LOG_FRAME]);

struct fs_log_walk {
	const uint8_t *p;
	size_t len;
	size_t off;   /* behind the last frame found */
	uint64_t seq; /* the least record number that may come next */
	uint64_t first; /* of the segment: no number lies further from it than frames fit */
	bool any_seq; /* the header is damaged: believe the first frame's number */
	unsigned version;
};
/* header may be NULL when it is damaged. */
void fs_log_walk_init(struct fs_log_walk *w, const struct fs_log_header *header, const uint8_t *p,
		      size_t len);
/* The next frame; bytes that are no frame are stepped over. False at the end. */
bool fs_log_walk_next(struct fs_log_walk *w, struct fs_log_frame *out);
/*
 * After the last frame: where appending may go on, behind everything that is not zero. *torn tells
 * whether bytes that are no frame lie between.
 */
size_t fs_log_walk_tail(const struct fs_log_walk *w, bool *torn);

/* ---- stream heads ---- */
#define FS_LOG_HEAD_FIXED 216 /* encoded without wraps */
#define FS_LOG_HEAD_WRAP (KEYS_LEN + KEYS_STREAM_WRAP_LEN)
#define FS_LOG_READERS_MAX (KEYS_LIST_MAX + 1)
#define FS_LOG_HEAD_MAX (FS_LOG_HEAD_FIXED + FS_LOG_READERS_MAX * FS_LOG_HEAD_WRAP)

struct fs_log_head {
	uint64_t first_seq;
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t stream[KEYS_STREAM_ID_LEN];
	uint64_t time_s;
	uint8_t pk[KEYS_LEN];	     /* the daemon's, which signed it */
	uint8_t prev[KEYS_SIG_LEN]; /* signature of the stream head before it; zero for the first */
	const uint8_t *wraps;	     /* decoded: count times (box_pk, wrap) */
	size_t count;
	uint8_t sig[KEYS_SIG_LEN];
};
/*
 * A head for a ratchet that has sealed nothing yet, wrapped for the readers and signed with sk for
 * this segment. out has room for FS_LOG_HEAD_MAX. Fills h->stream, pk and sig. -EINVAL: a reader's
 * key is not usable.
 */
int fs_log_head_make(struct fs_log_head *h, const struct keys_ratchet *ratchet,
		     const struct keys_list_entry *readers, size_t n, uint64_t segment,
		     const uint8_t sk[static KEYS_SIGN_SK_LEN], uint8_t *out, size_t *len);
/* Syntax and signature (by the key that it names). -EBADMSG. wraps points into p. */
int fs_log_head_decode(const uint8_t *p, size_t len, uint64_t segment, struct fs_log_head *h);
/* The wrap for this reader, or NULL. */
const uint8_t *fs_log_head_wrap(const struct fs_log_head *h, const uint8_t box_pk[static KEYS_LEN]);

#endif
