/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_archive.h - signed statements about segments that are no longer in the log.
 *
 * VAULT/log/archive: one statement behind the other, each about a stretch of whole segments that
 * follows the stretch before it, from segment 1 on, and each with the hash of the statement before.
 * With it the rest of the log is verified as before: it carries the tree over all that was taken,
 * the signature of the last stream head in it and the checkpoint key at its end. Signed by who took
 * them and by the daemon, whose certificate leads to the vault's root: anybody can check it. What a
 * statement covers may still lie there (a run that was interrupted); it need not. Format:
 * fs/FORMAT.md, "Log", "Archived segments".
 */
#ifndef FS_LOG_ARCHIVE_H
#define FS_LOG_ARCHIVE_H

#include <stdbool.h>
#include "../keys/identity.h"
#include "../keys/merkle.h"

#define FS_LOG_ARCHIVE "archive"	 /* the file's name in VAULT/log */
#define FS_LOG_ARCHIVE_BYTES (16u << 20) /* of the file, at most */
#define FS_LOG_ARCHIVE_SEGMENTS 4096	 /* in one statement */

enum fs_log_archive_what {
	FS_LOG_ARCHIVE_KEPT = 1, /* copies were made and compared before they were taken */
	FS_LOG_ARCHIVE_REMOVED,
};
/* Somebody of the practice. */
struct fs_log_archive_person {
	uint32_t pid, enrolment; /* 0: nobody */
	char who[KEYS_NAME_MAX + 1];
};

struct fs_log_archived {
	enum fs_log_archive_what what;
	uint64_t number;	/* from 1 */
	uint8_t prev[KEYS_LEN]; /* hash of the one before; zero in the first */
	uint64_t first_segment, last_segment;
	uint64_t first_seq, last_seq;	/* records; first_seq = last_seq + 1: none in them */
	struct keys_tree tree;		/* over records 1 to last_seq */
	uint8_t head_sig[KEYS_SIG_LEN]; /* of the last stream head in them */
	uint64_t key_number; /* the checkpoint key at their end; 0: from before there were any */
	uint8_t key_pk[KEYS_LEN];
	uint64_t time_s;			 /* of the statement */
	uint64_t newest_s;			 /* no record taken is newer */
	uint32_t keep_years;			 /* what the policy said */
	struct fs_log_archive_person by, agreed; /* agreed: the steward who proposed it */
	uint8_t by_pk[KEYS_LEN]; /* statement key of `by`; the daemon vouches for it */
	uint8_t daemon_pk[KEYS_LEN], root_pk[KEYS_LEN], cert[KEYS_SIG_LEN];
	const uint8_t
		*sha256; /* KEYS_LEN for each segment; points into the bytes, or the caller's */
	uint8_t hash[KEYS_LEN]; /* decoded: of this statement */
};
static inline size_t fs_log_archived_segments(const struct fs_log_archived *a)
{
	return (size_t)(a->last_segment - a->first_segment + 1);
}

struct fs_log_archive {
	struct fs_log_archived *statement; /* ascending */
	size_t n;
	uint8_t *bytes; /* owned */
	size_t len;
};

/*
 * Parses the file and checks all of it: signatures, certificate, chain, that no stretch is missing
 * between statements, one root key. Whether that is the expected root is the caller's to say
 * (statement[0].root_pk). Takes a copy of p. vault NULL: any. -EBADMSG, -ENOMEM.
 */
int fs_log_archive_read(const uint8_t *p, size_t len, const uint8_t *vault,
			struct fs_log_archive *out);
/* The same from VAULT/log; no file: n = 0. */
int fs_log_archive_load(int dirfd, const uint8_t *vault, struct fs_log_archive *out);
void fs_log_archive_clear(struct fs_log_archive *a); /* zeroed or filled */
/* The statement that speaks of this segment, of this record; NULL: none. */
const struct fs_log_archived *fs_log_archive_segment(const struct fs_log_archive *a,
						     uint64_t number);
const struct fs_log_archived *fs_log_archive_record(const struct fs_log_archive *a, uint64_t seq);
/* The newest: all up to its last_segment, last_seq was taken. NULL: nothing was. */
const struct fs_log_archived *fs_log_archive_end(const struct fs_log_archive *a);

/*
 * The statement's bytes, signed by by_sk (statement key of a->by) and the daemon; the caller frees.
 * -EINVAL: its fields can't be said. -ENOMEM.
 */
int fs_log_archive_make(const struct fs_log_archived *a,
			const uint8_t vault[static KEYS_VAULT_ID_LEN],
			const uint8_t by_sk[static KEYS_SIGN_SK_LEN],
			const uint8_t daemon_sk[static KEYS_SIGN_SK_LEN], uint8_t **out,
			size_t *len);
/* The file with this statement behind those that a holds; durable on return. -errno. */
int fs_log_archive_append(int dirfd, const struct fs_log_archive *a, const uint8_t *p, size_t len);

#endif
