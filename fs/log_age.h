/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_age.h - which segments are old enough to be taken out of the log, and taking them.
 *
 * A segment may go when nothing in it can be as new as a given time, by its own stream heads and
 * checkpoints and by the head of the segment behind it (records' own times are sealed), and when
 * the tree frame behind it says what the log was up to there. The newest never goes.
 */
#ifndef FS_LOG_AGE_H
#define FS_LOG_AGE_H

#include "log_archive.h"

struct fs_log_aging {
	int dirfd; /* VAULT/log */
	const uint8_t *vault, *root_pk;
	const struct fs_log_archive *have; /* what is gone already */
	uint64_t before_s;		   /* all that is taken is older */
	uint64_t last; /* take no segment behind this one; 0: as many as there are */
};
/*
 * Fills number, prev, segments, records, tree, head_sig, key and newest_s of the next statement;
 * *bytes (may be NULL): the size of what it takes. -ENOENT: nothing may go. -ESTALE: a segment
 * is missing, or one can't be read, before anything may go: *seg says which. -errno.
 */
int fs_log_age(const struct fs_log_aging *q, struct fs_log_archived *out, uint64_t *bytes,
	       uint64_t *seg);
/* SHA-256 of each of these segments' files; the caller frees. *digest: that of all of them. */
int fs_log_age_sums(int dirfd, const struct fs_log_archived *a, uint8_t **sums,
		    uint8_t digest[static KEYS_LEN]);
/*
 * Removes what statements speak of and is still there, and makes that durable; *removed: segments.
 * May be interrupted and called again.
 */
int fs_log_age_sweep(int dirfd, const struct fs_log_archive *have, size_t *removed);

#endif
