/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_index.h - what a segment is about, for readers who look for one journal or one person.
 *
 * Beside a full segment, NNNNNNNN.idx: for every record its journal, practitioner, kind and
 * outcome, FS_LOG_INDEX_ENTRY bytes each whatever they are, sealed for the readers of the streams
 * it came from under a key that only they and the running daemon can derive from k(0) (label
 * LOG_INDEX), and signed with the daemon's key: an auditor could else leave things out of another
 * one's index. An operator learns from it the number of records, which the segment shows anyway. It
 * is a help and no more: one that is missing, damaged or not believed costs time, for the segment
 * is read instead. Format: fs/FORMAT.md, "Log", "Index files".
 */
#ifndef FS_LOG_INDEX_H
#define FS_LOG_INDEX_H

#include <stdbool.h>
#include "../keys/ratchet.h"
#include "../policy/record.h"

#define FS_LOG_INDEX_ENTRY                                                                         \
	16 /* journal u32, practitioner u32, kind u8, outcome u8, u16 0, time s since the block's  \
	      first u32 */

/* ---- writing: of the segment that is being written; the log's lock guards it ---- */
struct fs_log_index;
int fs_log_index_new(const uint8_t vault[static KEYS_VAULT_ID_LEN], struct fs_log_index **out);
void fs_log_index_free(struct fs_log_index *x); /* wipes; NULL is legal */
/* A stream begins, with the ratchet that has sealed nothing yet; the index key is derived from it.
 * -ENOMEM. */
int fs_log_index_stream(struct fs_log_index *x, const struct keys_ratchet *ratchet,
			uint64_t first_seq);
/* -ENOMEM: the segment goes without an index; never a reason to refuse a record. */
int fs_log_index_add(struct fs_log_index *x, const struct policy_record *r);
/* The file's bytes (caller frees) for this segment, signed; x is empty afterwards. Without the
 * log's lock. */
int fs_log_index_seal(struct fs_log_index *x, uint64_t segment,
		      const uint8_t sign_sk[static KEYS_SIGN_SK_LEN], uint8_t **out, size_t *len);

/* ---- reading ---- */
struct fs_log_index_entry {
	uint64_t seq;
	uint32_t journal, practitioner;
	uint8_t kind, outcome;
	int64_t time_s;
};
struct fs_log_index_query {
	const uint8_t *vault;
	uint64_t segment;
	const uint8_t *daemon_pk; /* the signer that the segment's stream heads name */
	/* k(0) of a stream: 0, or not 0: this reader has not got it, and *partial is set. */
	int (*key)(void *ctx, const uint8_t stream[static KEYS_STREAM_ID_LEN],
		   uint8_t k0[static KEYS_LEN]);
	void (*fn)(void *ctx, const struct fs_log_index_entry *e);
	void *ctx;
};
/* -EBADMSG: not this segment's index, or not by this daemon: read the segment. */
int fs_log_index_read(const struct fs_log_index_query *q, const uint8_t *p, size_t len,
		      bool *partial);

#endif
