/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/archive.h - old segments leave the access log: archived elsewhere, or removed.
 */
#ifndef FS_ARCHIVE_H
#define FS_ARCHIVE_H

#include "log_archive.h"
#include "vault.h"

/* What may go now; last_segment 0: nothing. */
struct fs_archive_plan {
	uint64_t first_segment, last_segment, first_seq, last_seq, bytes;
	int64_t newest_s; /* nothing in it is newer */
	uint32_t keep_years;
	size_t left; /* segments of earlier statements that are still there, for a run was
			interrupted */
};
/*
 * The policy right. before_s: of what is old enough, only what is older than that too; 0: all. No
 * lock held. -ESTALE: a segment is missing or can't be read.
 */
int fs_vault_archive_plan(struct fs_vault *v, struct fs_session *by, int64_t before_s,
			  struct fs_archive_plan *out, struct fs_say *say);

struct fs_archive {
	enum fs_log_archive_what what;
	uint64_t last_segment; /* as planned */
	/* KEYS_LEN, for FS_LOG_ARCHIVE_KEPT: SHA-256 over the SHA-256 of each copy, in order. */
	const uint8_t *digest;
};
/*
 * Tells it in the log, then states it, then removes the files; also those that an interrupted run
 * left. *number: of the statement, 0: nothing was stated (last_segment 0: only finish).
 * -EINPROGRESS: kept as a proposal for a second steward. -EBADMSG: the copies are not what is here.
 * No lock held.
 */
int fs_vault_archive(struct fs_vault *v, struct fs_session *by, const struct fs_archive *in,
		     uint64_t *number, struct fs_say *say);

#endif
