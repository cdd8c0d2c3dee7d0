/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify.h - is the access log whole? Without reading what it says.
 *
 * Hashes all stored records, follows the chains of stream heads and of checkpoint keys, and
 * compares with every checkpoint in the log and with those that somebody kept. Needs no secret and
 * no daemon. What it can't know is said in fs/README.md: the newest records behind the last
 * checkpoint can be forged by who holds the daemon's key, and a log that forked before anybody kept
 * a checkpoint is whole.
 */
#ifndef FS_LOG_VERIFY_H
#define FS_LOG_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../keys/checkpoint.h"
#include "../keys/merkle.h"

/* Where segments come from: a directory, or a daemon that hands them out. Called from several
 * threads at once. */
struct fs_log_source {
	/* Numbers, ascending; the caller frees. */
	int (*list)(void *ctx, uint64_t **numbers, size_t *n);
	/* The whole file; the caller gives it back with free(). -ENOENT, -EIO ... */
	int (*load)(void *ctx, uint64_t number, uint8_t **bytes, size_t *len);
	/* A small file beside them ("archive"), NUL-terminated. -ENOENT: there is none. May be
	 * NULL. */
	int (*extra)(void *ctx, const char *name, uint8_t **bytes, size_t *len);
	void *ctx;
	/* Nobody writes to it: what looks half written is not read again. */
	bool still;
};
/* A directory of segments. *source lives until close. -errno. */
int fs_log_source_dir(const char *dir, struct fs_log_source *source);
void fs_log_source_close(struct fs_log_source *source);

enum fs_log_finding_kind {
	/* Alarms: verification fails. */
	FS_LOG_MISSING = 1, /* records or segments are gone */
	FS_LOG_CHANGED,	    /* stored bytes are not what a checkpoint sealed */
	FS_LOG_REORDERED,   /* a number comes out of order or twice */
	FS_LOG_INSERTED,    /* bytes or a stream that no chain knows */
	FS_LOG_TRUNCATED,   /* the end that a checkpoint or the caller knows of is not there */
	FS_LOG_RESEALED,    /* by a checkpoint key that is not the certified one of its place */
	FS_LOG_ROLLED_BACK, /* the kept checkpoint, or the vault's root in it, is ahead of this log
			     */
	FS_LOG_FORKED,	    /* the kept checkpoint is of another history */
	FS_LOG_UNREADABLE,  /* a segment can't be read */
	FS_LOG_FOREIGN,	    /* of another vault, or another root than expected */
	FS_LOG_UNPROVEN,    /* no seal anywhere: older than seals, or all were taken out */
	/* No alarms, but told. */
	FS_LOG_NOTES = 32,
	FS_LOG_UNCLEAN = FS_LOG_NOTES, /* a daemon ended without stopping: an unfinished batch, or
					  no last checkpoint */
	FS_LOG_UNSEALED,	       /* the newest records that no checkpoint covers yet */
	FS_LOG_KEY_LOST, /* a checkpoint key that its predecessor did not certify: host state was
			    made anew */
	FS_LOG_OLD,	 /* segments from before there were checkpoints */
	FS_LOG_ARCHIVED, /* segments that a signed statement took out */
};
const char *fs_log_finding_text(enum fs_log_finding_kind kind); /* "missing", "changed" ... */

struct fs_log_finding {
	enum fs_log_finding_kind kind;
	uint64_t seq;	  /* first record that it speaks of */
	uint64_t last;	  /* and the last; may be equal */
	uint64_t segment; /* 0: none */
	int64_t time_s;	  /* of the last checkpoint before it, 0: none: "between this and that" */
	const char *text; /* for people; lives during the call */
};

struct fs_log_verifying {
	const struct fs_log_source *source;
	const uint8_t *vault; /* expected vault id, or NULL: what the log says */
	const uint8_t
		*root_pk; /* expected root key, or NULL: what the log says (said in the result) */
	const char *const *kept; /* texts of kept checkpoints */
	size_t kept_count;
	/*
	 * One of kept, up to which the log was verified before, or NULL. Segments in front of the
	 * one with its last record are not read then, if that can be done soundly: what is read
	 * must go on from it. out->first says from where on records were read.
	 */
	const char *after;
	uint64_t least;	  /* records known to exist, 0: none */
	unsigned threads; /* 0: as many as processors, at most 8 */
	void (*finding)(void *ctx, const struct fs_log_finding *f);
	/* Now and then, from one thread: bytes done of total. NULL: nobody looks. Not 0: stop,
	 * -ECANCELED. */
	int (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};
struct fs_log_verified {
	/* Of what was read. */
	uint64_t records, bytes, segments, checkpoints, keys, streams;
	/* Numbers of the first record that was read (1, behind what was archived, or by `after`)
	 * and of the last. */
	uint64_t first, last;
	bool resumed;		/* by `after`: not all was read */
	uint64_t sealed;	/* records that the last good checkpoint covers */
	unsigned alarms, notes; /* findings of the two sorts */
	uint8_t vault[KEYS_VAULT_ID_LEN], root_pk[KEYS_LEN], root[KEYS_LEN], witness_pk[KEYS_LEN];
	char checkpoint[KEYS_CHECKPOINT_MAX]; /* the last good one; "" none */
};
/* 0 when it ran to its end, whatever it found; the answer is out->alarms. -errno: it could not. */
int fs_log_verify(const struct fs_log_verifying *q, struct fs_log_verified *out);

/*
 * Proofs against the last good checkpoint (out->checkpoint of a verification, or one of the
 * caller's): one pass over the log for all numbers. fn gets for each, ascending, its leaf's hash
 * and proof. -ENOENT: a number is not covered, or segments are gone. -EBADMSG: the log is not the
 * checkpoint's. Numbers from 1; the tree's index is one less.
 */
int fs_log_prove(const struct fs_log_source *source, const struct keys_checkpoint *c,
		 const uint64_t *seqs, size_t n,
		 int (*fn)(void *ctx, uint64_t seq, const uint8_t leaf[static KEYS_LEN],
			   const uint8_t *proof, size_t count),
		 void *ctx);
int fs_log_prove_consistency(const struct fs_log_source *source, uint64_t old_size,
			     const struct keys_checkpoint *c, uint8_t *proof, size_t *count);
/* A record's stored bytes, sealed as they are: what its leaf is the hash of. The caller frees.
 * -ENOENT. */
int fs_log_record_bytes(const struct fs_log_source *source, uint64_t seq, uint8_t **out,
			size_t *len);
/*
 * Leaf hashes in order, for tiles; all of them, or (before not NULL) those behind what a signed
 * statement took out, whose tree is then *before from the first call on; else it is empty. fn not
 * 0: stop.
 */
int fs_log_leaves(const struct fs_log_source *source, uint64_t size, struct keys_tree *before,
		  int (*fn)(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN]),
		  void *ctx);

#endif
