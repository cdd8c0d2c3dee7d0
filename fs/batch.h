/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/batch.h - one operation's changes, built by one thread, applied by fs/group.
 */
#ifndef FS_BATCH_H
#define FS_BATCH_H

#include "buf.h"
#include "key.h"

struct fs_journal; /* opaque here; see record.h */
struct fs_signer;  /* opaque here; see record.h */

enum fs_change { FS_PUT, FS_DEL, FS_PATCH };

struct fs_batch_entry {
	enum fs_change change;
	struct fs_journal *journal;
	struct fs_key key;
	struct fs_buf *buf; /* PUT: the value; PATCH: base with the patch applied, or NULL */
	const uint8_t *patch; /* PATCH: caller's bytes, valid until apply returns */
	bool fresh; /* PUT: no record of this key was ever stored, or is about to be */
	uint32_t patch_off, patch_len;
	struct fs_buf *seen; /* PATCH: the value as fs_group_get gave it, or NULL */
};

struct fs_batch {
	struct fs_batch_entry *e;
	size_t n, cap;
	struct fs_signer *signer; /* who writes; one reference; NULL for the vault's own records */
	bool urgent; /* may draw on the reserve, as deletions may: a log-in on a full disk */
	int rc; /* sticky -ENOMEM; apply returns it */
};

void fs_batch_init(struct fs_batch *b, struct fs_signer *signer); /* takes its own reference */
void fs_batch_clear(struct fs_batch *b); /* wipes and frees; after apply too */
void fs_batch_put(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key, const void *p,
		  size_t len);
void fs_batch_put_buf(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key,
		      struct fs_buf *buf); /* takes over the reference */
/*
 * The same for a key that is in no group and not stored: when it is deleted before its group closes, nothing of
 * it is left to commit.
 */
void fs_batch_put_fresh(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key,
			struct fs_buf *buf);
void fs_batch_del(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key);
/*
 * Changes len bytes at off of the value at key. base (reference taken over, may be NULL) is a
 * private copy of the whole value with the change already in it; it is used when the open group
 * has no entry for key. NULL is allowed only when fs_group_has said that the open group has it:
 * if the group closed in between, apply copies from the closing group, or says -EAGAIN when that
 * too is gone.
 * The caller holds the inode's lock exclusively. A value may grow: base->len / off+len.
 */
void fs_batch_patch(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key,
		    uint32_t off, const uint8_t *p, uint32_t len, struct fs_buf *base);
/*
 * The same with the value that fs_group_get gave (reference taken over) instead of a copy: it is
 * changed in place while the open group has it and nobody else holds it, else copied by apply, also
 * when it has been committed meanwhile. Never -EAGAIN.
 */
void fs_batch_patch_seen(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key,
			 uint32_t off, const uint8_t *p, uint32_t len, struct fs_buf *seen);

#endif
