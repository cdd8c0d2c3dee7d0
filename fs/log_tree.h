/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_tree.h - the tree frame: where a segment's part of the Merkle tree begins, and whose key
 * seals its checkpoints.
 *
 * The second frame of every segment of version 2, behind the stream head. It carries the tree over
 * all records before the segment, so that segments are hashed side by side and the daemon starts
 * from the newest one alone; and it introduces a new checkpoint key, certified by the one before.
 * Format: fs/FORMAT.md, "Log", "Tree frames".
 */
#ifndef FS_LOG_TREE_H
#define FS_LOG_TREE_H

#include "../keys/merkle.h"

#define FS_LOG_TREE_FIXED 264 /* bytes before the hashes */
#define FS_LOG_TREE_MAX (FS_LOG_TREE_FIXED + KEYS_TREE_LEVELS * KEYS_LEN + 2 * KEYS_SIG_LEN)
/* The key before this one was lost with the host's state: only the daemon's key vouches for this
 * one. */
#define FS_LOG_TREE_LOST 1u

struct fs_log_tree {
	unsigned flags;
	uint64_t key_number;	  /* from 1, one more with each key; after a loss too */
	uint8_t pk[KEYS_LEN];	  /* checkpoint key from here on */
	uint8_t before[KEYS_LEN]; /* the one before; zero: there was none, or it is lost */
	uint8_t daemon_pk[KEYS_LEN];
	uint8_t witness_pk[KEYS_LEN]; /* the stable checkpoint key, derived from the daemon's */
	uint8_t root_pk[KEYS_LEN];    /* the vault's root key, which certified the daemon's */
	uint8_t cert[KEYS_SIG_LEN];   /* that certificate (keys_daemon_certify) */
	struct keys_tree tree;	      /* all records before this segment */
};
/*
 * Bytes: version u16 = 1, flags u16, 4 zero, size u64, key number u64, pk, before, daemon_pk,
 * witness_pk, root_pk, cert, count u64, zero up to FS_LOG_TREE_FIXED, hashes; then the signature by
 * the key before (zero without one) with label LOG_KEY over {segment u64, all bytes so far}, then
 * the daemon's with the same label over {segment u64, all bytes so far, that signature included}.
 * sk_before may be NULL. The length.
 */
size_t fs_log_tree_make(const struct fs_log_tree *t, uint64_t segment, const uint8_t *sk_before,
			const uint8_t daemon_sk[static KEYS_SIGN_SK_LEN],
			uint8_t out[static FS_LOG_TREE_MAX]);
/*
 * Syntax, the daemon's signature, its certificate by root_pk, and the signature by `before` where
 * there is one. Whether root_pk, before and key_number are the expected ones is the caller's to
 * say. -EBADMSG.
 */
int fs_log_tree_decode(const uint8_t *p, size_t len, uint64_t segment, const uint8_t *vault,
		       struct fs_log_tree *out);

#endif
