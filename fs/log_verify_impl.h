/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify_impl.h - inside of verification: what one segment shows (log_verify_part.c), all
 * segments in order while several are read at once (log_verify_scan.c), and what that says of the
 * log (log_verify.c, log_verify_seal.c, log_verify_kept.c, log_verify_archive.c,
 * log_verify_after.c, log_verify_found.c). log_prove.c reads leaves the same way. Nobody else includes it.
 */
#ifndef FS_LOG_VERIFY_IMPL_H
#define FS_LOG_VERIFY_IMPL_H

#include "log_archive.h"
#include "log_segment.h"
#include "log_tree.h"
#include "log_verify.h"

/* ---- one segment ---- */

enum fs_log_mark_kind {
	FS_LOG_MARK_HEAD,
	FS_LOG_MARK_TREE,
	FS_LOG_MARK_CHECKPOINT,
	FS_LOG_MARK_SIZE,    /* the tree has a size here that was asked for */
	FS_LOG_MARK_GAP,     /* numbers seq to last come in no frame */
	FS_LOG_MARK_GARBAGE, /* bytes that are no frame; last is their count */
	FS_LOG_MARK_ERASED,  /* the same, all zero */
	FS_LOG_MARK_STRAY,   /* a whole frame whose number (last) is out of order */
	FS_LOG_MARK_PADDING, /* the bytes that fill record last's frame up are not zero */
};

/* What stands between records, in the order of the bytes. */
struct fs_log_mark {
	enum fs_log_mark_kind kind;
	size_t off;
	uint64_t seq; /* number of the next record: the tree has seq - 1 leaves here */
	uint64_t last;
	int rc; /* head, tree: of decoding. Checkpoint: -EBADMSG no checkpoint */
	/* A gap: other bytes stand where its records could. Else: the bytes are as power that fails
	 * in a write leaves them. */
	bool torn;
	uint8_t root[KEYS_LEN];	  /* tree, checkpoint, size: of the leaves before; part->rooted */
	struct fs_log_head head;  /* its wraps are gone */
	struct fs_log_tree *tree; /* owned */
	struct keys_checkpoint checkpoint;
	char *text; /* of a checkpoint, owned, NUL-terminated */
	size_t text_len;
	int signature; /* of a checkpoint by the segment's own key: 0, -ENOKEY, -EBADMSG; 1: there
			  is no such key */
};

enum fs_log_part_state {
	FS_LOG_PART_USED,
	FS_LOG_PART_UNUSED, /* nothing but zeros: prepared */
	FS_LOG_PART_UNREADABLE,
	FS_LOG_PART_FOREIGN, /* of another vault */
	FS_LOG_PART_MOVED,   /* header and signature are of another number */
};

struct fs_log_part {
	uint64_t number;
	enum fs_log_part_state state;
	int load_rc;
	bool header_bad; /* damaged, but what follows is this segment's */
	bool cut;	 /* the file is not as long as its header says */
	unsigned version;
	uint64_t moved;	     /* number that it bears */
	uint64_t bytes, end; /* of the file; behind all that is not zero */
	uint64_t from, next; /* of its records; equal: none. from 0: it holds no frame */
	uint64_t records;    /* frames found */
	struct fs_log_mark *mark;
	size_t marks, cap;
	size_t damages;	       /* marks of damage; more than a bound are left out */
	bool rooted;	       /* the tree counts from this segment's own tree frame */
	struct keys_tree tree; /* rooted: behind the last record */
	/* Not rooted, or asked for: leaf of record from + i. */
	uint8_t (*leaf)[KEYS_LEN];
	size_t leaves, leaf_cap;
};

struct fs_log_part_query {
	const struct fs_log_source *source;
	const uint8_t *vault;
	const uint64_t *sizes; /* ascending: trees whose roots are wanted */
	size_t size_count;
	bool leaves; /* all leaves, though the segment has a tree frame */
};
/* -ENOMEM; else *out says what was found. */
int fs_log_part_read(const struct fs_log_part_query *q, uint64_t number, struct fs_log_part **out);
void fs_log_part_free(struct fs_log_part *p); /* NULL is legal */
/* Whether something in it looks wrong: may be half written at this moment. */
bool fs_log_part_odd(const struct fs_log_part *p);

/* ---- all segments ---- */

struct fs_log_scan {
	struct fs_log_part_query part;
	const uint64_t *numbers; /* ascending */
	size_t n;
	unsigned threads; /* 0: as many as processors, at most 8 */
	/* In order; not 0 stops and is returned. Frees nothing. */
	int (*fn)(void *ctx, struct fs_log_part *p);
	int (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx, *progress_ctx;
};
int fs_log_scan_run(const struct fs_log_scan *s);
/* The vault id that the first genuine stream head says. -ENODATA: there is none. */
int fs_log_scan_vault(const struct fs_log_source *source, const uint64_t *numbers, size_t n,
		      uint8_t vault[static KEYS_VAULT_ID_LEN]);

/* ---- findings ---- */

struct fs_log_found {
	struct fs_log_finding f; /* text is owned */
	uint64_t order;		 /* as found */
};
struct fs_log_founds {
	struct fs_log_found *list;
	size_t n, cap;
	uint64_t order;
	unsigned alarms, notes;
	int rc; /* sticky -ENOMEM */
};
void fs_log_found_add(struct fs_log_founds *l, const struct fs_log_finding *f, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Oldest record first. */
void fs_log_found_give(struct fs_log_founds *l,
		       void (*fn)(void *ctx, const struct fs_log_finding *f), void *ctx);
void fs_log_found_clear(struct fs_log_founds *l);

/* ---- judging ---- */

/* A kept checkpoint, by size. */
struct fs_log_kept {
	size_t index; /* as given */
	int rc;	      /* -EBADMSG: it is no checkpoint */
	struct keys_checkpoint c;
	const char *text;
	bool rooted; /* root is that of the log at its size */
	uint8_t root[KEYS_LEN];
	bool signer_known; /* by a key of its place or the stable one */
};

/* Damage whose meaning the next seal tells. */
struct fs_log_damage {
	struct fs_log_finding f;
	char text[200];
	bool frame;   /* a tree's: it is durable before what follows */
	bool crash;   /* a daemon that was killed can have left it */
	bool restart; /* a stream began behind it */
};
#define FS_LOG_DAMAGES_MAX 256

struct fs_log_key {
	uint64_t number;
	uint64_t from; /* records before its segment */
	uint8_t pk[KEYS_LEN];
};

/* A checkpoint that its place's key did not sign: whose it is, is known at the end. */
struct fs_log_unsigned {
	struct fs_log_finding f;
	char *text;
	size_t len;
};

struct fs_log_judge {
	const struct fs_log_verifying *q;
	struct fs_log_verified *out;
	struct fs_log_founds found;
	struct fs_log_kept *kept;
	size_t kept_count;

	bool after;	      /* segments are passed over that were verified before */
	uint64_t archived;    /* so many first records are gone, by signed statements */
	uint64_t archived_s;  /* time of the newest of them */
	uint64_t expect;      /* number of the next record */
	uint64_t last_number; /* of the segment before */
	bool last_full;	      /* a start begins another: no room for a stream, no tree frame */
	uint8_t last_daemon[KEYS_LEN];
	bool lost; /* what precedes is not all there, and that was said: believe what follows */
	struct keys_tree tree;	      /* of all leaves so far; not while blind */
	bool blind;		      /* it differs from a seal, and that was said */
	bool began;		      /* a segment of version 2 was met */
	uint64_t old_first, old_last; /* records in segments of version 1 */
	bool have_root;
	uint8_t root_pk[KEYS_LEN];

	bool have_prev; /* stream heads */
	uint8_t prev[KEYS_SIG_LEN];
	uint8_t (*daemon)[KEYS_LEN];
	size_t daemons;

	bool have_key;
	bool key_open;	       /* which one comes next can't be checked, and why was said */
	struct fs_log_key key; /* in force */
	struct fs_log_key *keys;
	size_t key_count;
	uint8_t witness_pk[KEYS_LEN];

	uint64_t sealed;      /* records that the last seal, good or not, covers */
	bool have_checkpoint; /* a good one */
	struct keys_checkpoint checkpoint;
	struct fs_log_damage damage[FS_LOG_DAMAGES_MAX];
	size_t damages;
	struct fs_log_unsigned *bad;
	size_t bads;
};

/* A finding about this segment, at the time of the last good checkpoint. */
struct fs_log_finding fs_log_judge_at(const struct fs_log_judge *j, enum fs_log_finding_kind kind,
				      uint64_t seq, uint64_t last, uint64_t segment);
void fs_log_judge_damage(struct fs_log_judge *j, const struct fs_log_mark *m, uint64_t segment);
void fs_log_judge_tree(struct fs_log_judge *j, const struct fs_log_part *p,
		       const struct fs_log_mark *m, const uint8_t root[static KEYS_LEN]);
void fs_log_judge_checkpoint(struct fs_log_judge *j, const struct fs_log_part *p,
			     struct fs_log_mark *m, const uint8_t root[static KEYS_LEN]);
/* A stream begins: what is pending may be a killed daemon's. first: in its segment; fresh: and a
 * start does not go on in the one before. */
void fs_log_judge_restart(struct fs_log_judge *j, uint64_t segment, bool first, bool fresh);
/* At the end: what no seal covers, checkpoints by other keys. */
void fs_log_judge_rest(struct fs_log_judge *j);

/*
 * Archived segments (log_verify_archive.c): takes the statements' word for what is not there, tells
 * of it, and leaves out of the list what remains of it. -ENOMEM.
 */
int fs_log_judge_archive(struct fs_log_judge *j, uint64_t *numbers, size_t *n);
/* At the end: no statement is later than the log that goes on behind it. */
void fs_log_judge_archive_clock(struct fs_log_judge *j);
/* The newest statement's end where segments that it covers are gone; end->last_segment 0: none are.
 */
int fs_log_archive_beginning(const struct fs_log_source *source, const uint8_t *vault,
			     uint64_t *numbers, size_t *n, struct fs_log_archived *end);

/* Kept checkpoints (log_verify_kept.c). */
int fs_log_kept_read(struct fs_log_judge *j);
int fs_log_kept_sizes(const struct fs_log_judge *j, uint64_t **sizes, size_t *n);
void fs_log_kept_root(struct fs_log_judge *j, uint64_t size, const uint8_t root[static KEYS_LEN]);
/* Beside every good checkpoint of the log, and at the end. */
void fs_log_kept_beside(struct fs_log_judge *j, const struct keys_checkpoint *c, uint64_t segment);
void fs_log_kept_end(struct fs_log_judge *j);

/* Going on from an earlier verification (log_verify_after.c): what need not be read leaves the
 * list; and whether the rest goes on from there, told before fs_log_kept_end. */
void fs_log_judge_after(struct fs_log_judge *j, uint64_t *numbers, size_t *n);
void fs_log_after_end(struct fs_log_judge *j);

#endif
