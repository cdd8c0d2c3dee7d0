/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_index.h - what a segment is about, for readers who look for one journal or one person.
 *
 * Beside a segment, NNNNNNNN.idx: for every record its journal, practitioner, kind and outcome,
 * FS_LOG_INDEX_ENTRY bytes each whatever they are, sealed for the readers of the streams it came
 * from under keys that only they and the running daemon can derive from k(0) (label LOG_INDEX), and
 * signed with the segment's checkpoint key (log_tree.h), which is forgotten with the segment: an
 * auditor, or who gets at the daemon's keys later, could else lead other auditors astray. An
 * operator learns from it the number of records, which the segment shows anyway. It also says where
 * each record's frame stands, and has some keys of the stream, so that a reader goes straight to a
 * record (log_read_places.c). It is a help and
 * no more: one that is missing, damaged or not believed costs time, for the segment is read
 * instead. Format: fs/FORMAT.md, "Log", "Index files".
 *
 * The file consists of parts, one for each run of a daemon that wrote into the segment: a part is
 * appended when the segment is full and when the log is closed. What a killed daemon wrote is in
 * none.
 */
#ifndef FS_LOG_INDEX_H
#define FS_LOG_INDEX_H

#include <stdbool.h>
#include "../keys/ratchet.h"
#include "../policy/record.h"

/*
 * journal u32, practitioner u32, kind u8, outcome u8, u16: how far its frame stands behind that of
 * the record before it or, for a stream's first, of its head, in units of 8 bytes (0: further),
 * seconds since the block's first i32
 */
#define FS_LOG_INDEX_ENTRY 16
#define FS_LOG_INDEX_BLOCK 4096 /* records that are sealed under one key */
#define FS_LOG_INDEX_STRIDE 64	/* of a stream's keys, so many apart are sealed in its index */
#define FS_LOG_INDEX_MAX (UINT64_C(1) << 30)

/* ---- writing: of the segment that is being written; the log's lock guards it ---- */
struct fs_log_index;
int fs_log_index_new(const uint8_t vault[static KEYS_VAULT_ID_LEN], struct fs_log_index **out);
void fs_log_index_free(struct fs_log_index *x); /* wipes; NULL is legal */
/*
 * A stream begins, with the ratchet that has sealed nothing yet; the index key is derived from it.
 * head_off: where its head's frame stands in the segment. -ENOMEM: no index, as below.
 */
int fs_log_index_stream(struct fs_log_index *x, const struct keys_ratchet *ratchet,
			uint64_t segment, uint64_t first_seq, uint64_t head_off);
/*
 * A record whose frame stands at off, after the ratchet sealed it. -ENOMEM: the segment goes
 * without an index; never a reason to refuse a record.
 */
int fs_log_index_add(struct fs_log_index *x, const struct policy_record *r, uint64_t off,
		     const struct keys_ratchet *ratchet);
/* The segment's checkpoint key, which will sign the part; wiped by sealing. */
void fs_log_index_key(struct fs_log_index *x, const uint8_t sign_sk[static KEYS_SIGN_SK_LEN]);
/*
 * The part's bytes (caller frees), signed; x is empty afterwards, for the next segment. Without the
 * log's lock: the caller has put another one in its place. -ENODATA: there is nothing to seal, or
 * it did not go well.
 */
int fs_log_index_seal(struct fs_log_index *x, uint8_t **out, size_t *len);
/* Appends a part to the segment's index file, not synced. -errno: nobody has to know. */
int fs_log_index_store(int dirfd, uint64_t segment, const uint8_t *p, size_t len);

/* ---- reading ---- */
/* What an index covers: records first_seq to first_seq + count - 1, all of this stream. */
struct fs_log_index_stream_of {
	uint8_t stream[KEYS_STREAM_ID_LEN];
	uint64_t first_seq, count;
	uint64_t head_off;
	const uint8_t *keys; /* in the index: for fs_log_index_step */
};
struct fs_log_index_entry {
	uint64_t seq;
	uint32_t journal, practitioner;
	uint8_t kind, outcome;
	int64_t time_s;
	uint64_t off; /* of its frame in the segment; 0: not known */
};
struct fs_log_index_query {
	const uint8_t *vault;
	uint64_t segment;
	const uint8_t *pk; /* the segment's checkpoint key */
	/* k(0) of a stream: 0, or not 0: this reader has not got it, or does not believe it. */
	int (*key)(void *ctx, const struct fs_log_index_stream_of *s, uint8_t k0[static KEYS_LEN]);
	void (*fn)(void *ctx, const struct fs_log_index_entry *e);
	void *ctx;
};
/* The segment's index file (caller frees). -ENOENT, -errno, -EBADMSG: its size is absurd. */
int fs_log_index_load(int dirfd, uint64_t segment, uint8_t **out, size_t *len);
/*
 * Goes through all parts. *partial: something of it was passed over: a stream without a key, bytes
 * behind the last sound part. -EBADMSG: not this segment's index, or not with this key, or not
 * sealed as its signer says: forget what fn was told and read the segment.
 */
int fs_log_index_read(const struct fs_log_index_query *q, const uint8_t *p, size_t len,
		      bool *partial);

/* ---- the way to a record without a step for each before it ---- */
/* Lives in guarded memory and is wiped by its owner; the index's bytes and vault outlive it. */
struct fs_log_index_steps {
	const uint8_t *vault;
	uint64_t segment;
	struct fs_log_index_stream_of stream;
	uint64_t next; /* which of the stream's sealed keys `key` opens, from 0 */
	uint8_t key[KEYS_LEN];
};
void fs_log_index_steps_init(struct fs_log_index_steps *x, const struct fs_log_index_query *q,
			     const struct fs_log_index_stream_of *s,
			     const uint8_t k0[static KEYS_LEN]);
/*
 * Brings the stream's ratchet as near to its record `index` as the index has a key, or leaves it
 * where it is nearer. Records are asked for in their order. -EBADMSG: the key there is none of this
 * stream, and the ratchet is lost; -EINVAL: behind what was asked before, or not in the index.
 */
int fs_log_index_step(struct fs_log_index_steps *x, struct keys_ratchet *r, uint64_t index);

#endif
