/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log.h - the access log: sealed, padded records in append-only segments.
 *
 * One writer thread. A record is appended (given a number, sealed under the
 * stream's ratchet, queued) and becomes durable with the next batch: pwritev2
 * RWF_DSYNC into pre-zeroed space. Log before light: callers that must not go on
 * before their record is durable wait for its number. What nobody waits for is
 * durable within 100 ms. When the log can't be written every append and wait
 * fails (fail closed) and `failed` says so; nothing is read then.
 *
 * Stored ciphertexts are the leaves of a Merkle tree: a stored record never changes.
 * Checkpoints over it are signed by a key that the host keeps and that changes with
 * each segment (log_seal.c). Format: fs/FORMAT.md, "Log". Space: VAULT/reserve covers it.
 */
#ifndef FS_LOG_H
#define FS_LOG_H

#include "../keys/checkpoint.h"
#include "../keys/ratchet.h"
#include "../keys/statement.h"
#include "../policy/record.h"

struct fs_log;

struct fs_log_config {
	const char *dir; /* VAULT/log */
	uint8_t vault[KEYS_VAULT_ID_LEN];
	const struct keys_list_entry *readers; /* auditors and the recovery key */
	size_t reader_count;
	const uint8_t *sign_sk; /* stream heads are signed with the daemon's key, KEYS_SIGN_SK_LEN */
	uint64_t segment_bytes; /* 0 = 8 MiB */
	uint64_t least_seq; /* a record known from outside the log to be durable; 0: none */
	/* What the tree frame says of the vault, and where checkpoint keys are kept. */
	/* KEYS_LEN and KEYS_SIG_LEN; NULL (tests): the daemon's key is its own root. */
	const uint8_t *root_pk, *daemon_cert;
	/* Host state: `log.key`, `log.last`. NULL (tests): in memory only, so that every open is one after a loss. */
	const int *statefd;
	/*
	 * Called with each record once it is queued, by who appended it and without the log's lock: those of two
	 * threads may come in either order. Must not wait. NULL: nobody asks.
	 */
	void (*told)(void *ctx, const struct policy_record *r);
	void *told_ctx;
};

/*
 * Opens for appending: finds the end (an unfinished batch after a crash is cut off at the last whole
 * record, by writing a new stream behind it), starts a new stream and writes its START record.
 * -EBADMSG: the segments are not a log. -ESTALE: it ends before least_seq or what `log.last` says: records were cut off.
 * Records that `log.last` knows otherwise: an ALARM, and stat.changed.
 */
int fs_log_open(const struct fs_log_config *cfg, struct fs_log **out);
/* Writes STOP and a last checkpoint over the vault as told last, makes all durable. */
int fs_log_close(struct fs_log *l);
/* A new stream, sealed to these readers from now on (an auditor came or went), behind a checkpoint. */
int fs_log_readers(struct fs_log *l, const struct keys_list_entry *readers, size_t n);

/*
 * Fills seq, time_ns and boot_ns, seals and queues. *seq (may be NULL) to wait for. Any thread.
 * -EIO, -ENOSPC: the log can't be written: refuse what the record was for.
 */
int fs_log_append(struct fs_log *l, struct policy_record *r, uint64_t *seq);
/* Until record seq (0: all so far) is durable. 0, -EIO. Hold no lock. */
int fs_log_wait(struct fs_log *l, uint64_t seq);
/* Asks for all so far to be made durable, without waiting: the number to wait for, 0 when nothing is
 * pending. */
uint64_t fs_log_ask(struct fs_log *l);
/*
 * Signs a checkpoint over all records so far, queued behind them in a write of its own: where it is on
 * disk, they are. commit and root are the vault's. Not when nothing came since the last one and mark is RUNNING.
 * Without waiting; -EIO, -ENOSPC as append.
 */
int fs_log_checkpoint(struct fs_log *l, uint64_t commit, const uint8_t root[static KEYS_LEN],
		      enum keys_checkpoint_mark mark);
/* What the next checkpoints say of the vault, those that the log writes by itself. */
void fs_log_vault_root(struct fs_log *l, uint64_t commit, const uint8_t root[static KEYS_LEN]);
/* The same for who asks for one: it is on disk when this returns, unless there was no room for it. Hold no lock. */
int fs_log_checkpoint_now(struct fs_log *l, uint64_t commit, const uint8_t root[static KEYS_LEN]);
/* The newest checkpoint on disk as text, NUL-terminated; 0: there is none yet. */
size_t fs_log_newest(struct fs_log *l, char out[static KEYS_CHECKPOINT_MAX]);
/* append and wait. */
int fs_log_write(struct fs_log *l, struct policy_record *r);

struct fs_log_stat {
	uint64_t records, bytes, syncs;
	uint64_t durable; /* number of the last record on disk; to be kept outside the vault */
	uint64_t free_bytes; /* pre-zeroed and unused */
	uint64_t changed; /* at open, the records up to here were not what the host had seen; 0: they were */
	int failed; /* 0 or the sticky error */
};
void fs_log_stat(struct fs_log *l, struct fs_log_stat *out);
/*
 * The host's state is made anew and the log accepted as it is: what it saw last is forgotten, and (keys) whose
 * key seals it. No log is open.
 */
void fs_log_forget(int statefd, bool keys);

/* ---- reading ---- */
/*
 * Calls fn for every record that box_sk can open, oldest first, from record number `from` on. A
 * record that can't be decoded is reported through bad (may be NULL) and passed over, and so are
 * records that are gone: in between, before the first that is left, and after the last up to
 * `least` (fs_log_reading; without it a log cut off at its end looks whole). fn returns 0 to go on,
 * 1 to stop. Reads only what was durable when the call began; safe beside a live writer.
 */
int fs_log_read(const char *dir, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		const uint8_t box_pk[static KEYS_LEN], const uint8_t box_sk[static KEYS_LEN],
		uint64_t from, int (*fn)(void *ctx, const struct policy_record *r),
		void (*bad)(void *ctx, uint64_t seq, const char *why), void *ctx);

/* The same with a say in whose streams are believed. All pointers are the caller's. */
struct fs_log_reading {
	const char *dir;
	const uint8_t *vault;	       /* KEYS_VAULT_ID_LEN */
	const uint8_t *box_pk, *box_sk; /* KEYS_LEN each */
	uint64_t from;
	int (*fn)(void *ctx, const struct policy_record *r);
	void (*bad)(void *ctx, uint64_t seq, const char *why); /* NULL: nobody asks */
	/* A record known to be durable: what is missing up to it is reported. 0: none is known. */
	uint64_t least;
	/* Is this the public key of a daemon of this vault, now or then? NULL: every key is. */
	bool (*signer_ok)(void *ctx, const uint8_t pk[static KEYS_LEN]);
	/* Asked for a stream that its head does not seal to this reader: a wrap that was made for him
	 * later, or not 0. NULL: there are none. */
	int (*later)(void *ctx, const uint8_t stream[static KEYS_STREAM_ID_LEN],
		     uint8_t wrap[static KEYS_STREAM_WRAP_LEN]);
	/* k(0) of a stream as it stands in a key file, asked before wraps: 0, or not 0: none. box_pk and
	 * box_sk may be NULL then. */
	int (*key0)(void *ctx, const uint8_t stream[static KEYS_STREAM_ID_LEN],
		    uint8_t k0[static KEYS_LEN]);
	/*
	 * Only records of one of these journals, of this practitioner (numbers; none, 0: any), from
	 * since_ns on and before until_ns (0: any). Where a segment has a good index it is read no further
	 * than they need; what is left out is not looked at for damage. Journal 0: records of
	 * none, but for those of starts, stops and sessions, which name none either.
	 */
	const uint32_t *journals;
	size_t journal_count;
	uint32_t practitioner;
	int64_t since_ns, until_ns;
	/* Threads that decrypt. 0, 1: the caller's own. fn, bad and shut are called by the caller's
	 * thread, in order; key0, later and signer_ok by any of them, one at a time. Each has a segment
	 * in memory, and one more waits. */
	unsigned threads;
	/* Once for each stream that holds records from `from` on and is not sealed to this reader, with
	 * the first such record's number. NULL: passed over in silence. */
	void (*shut)(void *ctx, uint64_t seq);
	void *ctx;
};
int fs_log_read_as(const struct fs_log_reading *q);

struct fs_log_head;
/*
 * The genuine stream heads of the first segment that is numbered *segment or higher; *segment moves
 * behind it, also when that segment cannot be read (-EBADMSG, -EIO). -ENOENT: there is none. fn
 * returns 0 to go on, else fs_log_streams ends with that and leaves *segment where it was.
 */
int fs_log_streams(const char *dir, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		   uint64_t *segment, int (*fn)(void *ctx, const struct fs_log_head *h), void *ctx);

#endif
