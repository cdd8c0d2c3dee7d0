/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/group.h - operations become batches, batches become groups, groups become commits.
 *
 * An operation builds a batch and applies it all-or-nothing to the OPEN group in
 * memory. The committer (one at a time: a thread, or a caller of fs_group_commit) closes the
 * group - on fsync, a tenth of a second after a close, after 1 s, or when large - opens the next at once, has the
 * closing group turned into sealed items (hooks), applies them, then drops it.
 * Readers look in the open group, then the closing group, then a snapshot taken
 * AFTER that look (fs/record does this).
 *
 * Invariants: (1) a batch is in exactly one group; (2) an entry of a closing
 * group never changes; (3) entries are plaintext, owned by the group, wiped when
 * dropped; (4) a failed sync is sticky: groups are dropped, everything after is
 * -EROFS; (5) -ENOSPC keeps the closing group and retries it.
 *
 * Locks: one internal mutex (leaf). Never held while hooks run or while waiting.
 */
#ifndef FS_GROUP_H
#define FS_GROUP_H

#include "batch.h"
#include "buf.h"
#include "reserve.h"
#include "store.h"

struct fs_group; /* the open group, the closing group and the committer */

/* ---- the group ---- */
struct fs_closing; /* a closing group, in the hooks */
struct fs_group_entry {
	struct fs_journal *journal;
	struct fs_key key;
	struct fs_buf *buf; /* NULL: deleted */
};

struct fs_group_hooks {
	/*
	 * Committer. Turns the closing group into sorted items (keys unique), with all that
	 * they refer to in containers written, and synced or among the commit's writes. All that the
	 * commit points to stays valid until `done`. May be called again for the same group after
	 * -ENOSPC.
	 */
	int (*encode)(void *ctx, struct fs_closing *closing, struct fs_store_commit *out);
	/*
	 * Once after every encode, also one that failed: rc 0 = durable; -ENOSPC or -ENOMEM = encode
	 * will be called again; else dropped, together with the open group. The group is still visible
	 * to readers during this call.
	 */
	void (*done)(void *ctx, struct fs_closing *closing, int rc);
	/* A batch's first entry for this journal in this group: keep it alive / let go. */
	void (*hold)(void *ctx, struct fs_journal *j);
	void (*release)(void *ctx, struct fs_journal *j);
	void (*signer_get)(void *ctx, struct fs_signer *s);
	void (*signer_put)(void *ctx, struct fs_signer *s);
	/* 0, or why nothing enters for this journal any more. Under the group's mutex: takes no
	 * lock. May be NULL. */
	int (*check)(void *ctx, const struct fs_journal *j);
	/*
	 * Committer, after a `done` that ended a group: rc 0 = durable, else it and the open
	 * group are dropped. Readers see neither any more; whoever waits for them hears of it when
	 * this returns. Hold no lock across a wait for a group that this call takes. May be NULL.
	 */
	void (*settled)(void *ctx, int rc);
	void *ctx;
};

/* Entries of a closing group in key order. */
size_t fs_closing_count(const struct fs_closing *c);
const struct fs_group_entry *fs_closing_at(const struct fs_closing *c, size_t n);
/* The signer of the last batch that had one and touched this journal; NULL: none. */
struct fs_signer *fs_closing_signer(const struct fs_closing *c, const struct fs_journal *j);
uint64_t fs_closing_number(const struct fs_closing *c);

int fs_group_new(struct fs_store *store, const struct fs_group_hooks *hooks, struct fs_group **out);
/* On -ENOSPC the committer shortens the reserve, and fills it again later. It outlives the group. */
void fs_group_use_reserve(struct fs_group *g, struct fs_reserve *reserve);
/* Commits what is open, stops the committer. The result of that last commit. NULL is legal. */
int fs_group_free(struct fs_group *g);

/*
 * Adds the batch to the open group, all or nothing. *number (may be NULL) receives the group that
 * carries it. -ENOSPC: the disk (less the reserve) could not take it in the worst case; -EROFS
 * after a failed sync or on a read-only store; what `check` says; -ENOMEM; -EAGAIN: a patch came
 * without a base and its value was committed meanwhile (build the batch again, with a base). A
 * batch that deletes something may draw on the reserve, so that a full disk can be emptied.
 */
int fs_group_apply(struct fs_group *g, struct fs_batch *b, uint64_t *number);
/* Waits, with no lock held, while the open group is over its bound. Call before taking locks. */
void fs_group_throttle(struct fs_group *g);

/*
 * The same for one who writes: waits besides while the signer has more than a share of what the
 * groups hold, so that a quarter is always left to others. Over: whether it would wait.
 */
void fs_group_throttle_writer(struct fs_group *g, const struct fs_signer *signer);
bool fs_group_over_writer(struct fs_group *g, const struct fs_signer *signer);

/* 1: *out holds a reference; 0: in neither group; -ENOENT: deleted there. */
int fs_group_get(struct fs_group *g, const struct fs_key *key, struct fs_buf **out);
/* True when the OPEN group has a value for key. */
bool fs_group_has(struct fs_group *g, const struct fs_key *key);
/* True when the OPEN group has an entry with from <= key < to. */
bool fs_group_has_any(struct fs_group *g, const struct fs_key *from, const struct fs_key *to);
/*
 * The entries of both groups (newest wins) with from <= key < to, in order, as an array that the
 * caller frees with fs_group_range_free. buf NULL = deleted.
 */
int fs_group_range(struct fs_group *g, const struct fs_key *from, const struct fs_key *to,
		   struct fs_group_entry **out, size_t *n);
/* The first key in either group with from <= key < to, deleted or not; false: none. */
bool fs_group_first(struct fs_group *g, const struct fs_key *from, const struct fs_key *to,
		    struct fs_key *out);
void fs_group_range_free(struct fs_group_entry *e, size_t n);

/* Waits until group `number` (0: all applied so far) is durable: 0, -EIO (dropped), -ENOSPC (still
 * waiting for space; kept). Hold no lock. */
int fs_group_sync(struct fs_group *g, uint64_t number);
/* The same; this thread commits itself when nobody else is at it, hooks and all: hold nothing, and be
 * nobody whom they wait for. */
int fs_group_commit(struct fs_group *g, uint64_t number);
/* Asks for a commit within a tenth of a second, without waiting (close). */
void fs_group_hurry(struct fs_group *g);
/* Asks for it at once, without waiting. */
void fs_group_push(struct fs_group *g);
/* Is this group durable? Without waiting. */
bool fs_group_durable(struct fs_group *g, uint64_t number);
/* 0, or the sticky error. */
int fs_group_failed(struct fs_group *g);
/* Committer only: what the open group holds for j is dropped, never to be committed. */
void fs_group_drop(struct fs_group *g, const struct fs_journal *j);
/* For status: groups committed, entries and bytes in memory. */
struct fs_group_stat {
	uint64_t commits;
	size_t entries, bytes;
	bool waiting_for_space;
};
void fs_group_stat(struct fs_group *g, struct fs_group_stat *out);

#endif
