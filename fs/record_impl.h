/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/record_impl.h - what record*.c, root.c, value.c, journal.c, commit.c and chunk*.c share.
 *
 * Trust lives in memory: every open journal, and the vault, keeps the root that
 * is current and, while a commit is under way, the one that comes next. A reader
 * begins a snapshot and accepts it only when the root record inside equals one of
 * the two; from there on the tag tree proves every record.
 *
 * Locks, all leaves for the layers above and never nested: the records' lock, each
 * journal's lock, the caches' and the group's mutexes. None is held while records
 * are read, while a callback runs or while the committer writes.
 */
#ifndef FS_RECORD_IMPL_H
#define FS_RECORD_IMPL_H

#include <pthread.h>

#include "../keys/seal.h"
#include "../keys/slab.h"
#include "record.h"

#define FS_ROOT_RAW_MAX 160
#define FS_RECORD_OVERHEAD 45 /* form u8, generation u32, nonce 24, tag 16 */

/*
 * The key of one generation of a journal. Never changed once it is in the list and never freed while
 * the journal is open, so that readers need no lock.
 */
struct fs_journal_key {
	uint32_t generation;
	uint64_t since;		   /* number of the first group that may be sealed under it */
	struct keys_journal *keys; /* slot of the records' slab */
	struct fs_journal_key *older;
};

/* A root record as stored, form byte included, and what it says. */
struct fs_root {
	uint8_t raw[FS_ROOT_RAW_MAX];
	size_t len; /* 0: there is no record, the tree is empty */
	struct fs_tagtree_root tree;
	struct fs_root_info info; /* of the vault's root: only commit */
};

struct fs_chunk_space;
struct fs_chunk_cache;
struct fs_chunk_help;
struct fs_commit;

/*
 * A directory's buckets are looked into once for every name: the last few stay open as long as the
 * journal's key does. What the tag says is the same is the same.
 */
#define FS_RECORD_RECENT 4
struct fs_record_recent {
	struct fs_key key;
	uint8_t tag[FS_TAG_LEN];
	struct fs_buf *buf; /* one reference; NULL: unused */
};

struct fs_journal {
	struct fs_records *records;
	uint32_t index;
	_Atomic(struct fs_journal_key *) newest; /* of all that are known; NULL for the vault */
	/* For names' hashes, for as long as the journal lives: of generation 1, or as HEAD keeps it. */
	struct keys_journal *names; /* slot of the slab when it is no key's of the list */
	const uint8_t *name_key;

	/* records lock */
	unsigned refs;
	struct fs_journal *chain;

	pthread_mutex_t lock; /* down to loading */
	struct fs_root cur;
	struct fs_root next; /* while committing, and for ever after a failed commit */
	bool has_next;
	struct fs_container *container; /* NULL until first needed; then it stays */
	struct fs_chunk_space *space;	/* own mutex; made with the container */
	struct fs_record_recent recent[FS_RECORD_RECENT];
	unsigned recent_at; /* the one that goes next */
	bool loading;
	pthread_cond_t loaded;

	atomic_int dead; /* 0, -EIO broken, -ESTALE removed: see fs_journal_check; set once */

	struct fs_inodes *inodes;
	void (*inodes_free)(struct fs_inodes *);
	int (*inodes_revert)(struct fs_journal *);
	struct fs_history_table *history; /* lock */
	void (*history_free)(struct fs_history_table *);
};

#define FS_RECORD_BUCKETS 4096u
#define FS_RECORD_INDEX_KEYS 16
#define FS_RECORD_DAMAGED_MAX 1024
#define FS_RECORD_BROKEN_MAX 1024

struct fs_record_index_key {
	uint32_t generation;
	uint64_t since; /* number of the first group that may be sealed under it */
	struct keys_journal *keys; /* slab slot; only .record is used */
};

/* A journal on its way into the table; lives on the opener's stack. */
struct fs_record_opening {
	struct fs_record_opening *next;
	uint32_t index;
};

struct fs_records {
	uint8_t vault_id[KEYS_VAULT_ID_LEN];
	uint8_t *mac_key; /* guarded */
	bool read_only;
	int containers; /* directory */
	struct fs_store *store;
	struct fs_group *group;
	struct fs_tagtree_cache *nodes;
	struct fs_chunk_cache *chunks; /* plaintext */
	struct fs_chunk_cache *maps;   /* pages of chunk maps */
	struct fs_chunk_help *help;    /* for long reads */
	struct keys_slab *slab;
	struct fs_journal vault;
	struct fs_commit *commit; /* committer thread only */
	uint64_t encoding;	  /* the same: number of the group that is being sealed */
	struct fs_journal **lost; /* the same: dead by the group that closes; a reference each */
	size_t n_lost;
	atomic_uint policy_version;
	atomic_ulong seq; /* +1 whenever a known root changes */
	void (*damaged)(void *ctx, uint32_t journal, uint64_t ino, uint8_t table);
	void (*failed)(void *ctx, uint32_t journal);
	void *damaged_ctx; /* of both */

	pthread_mutex_t lock; /* everything below, and the references of journals */
	pthread_cond_t opened;
	struct fs_record_opening *opening;
	struct fs_journal *bucket[FS_RECORD_BUCKETS];
	struct fs_record_index_key index[FS_RECORD_INDEX_KEYS]; /* generation 0: unused */
	struct fs_key reported[FS_RECORD_DAMAGED_MAX];
	size_t n_reported;
	uint32_t broken[FS_RECORD_BROKEN_MAX]; /* journals that stay so when opened again */
	size_t n_broken;
};

/* ---- root.c: the bytes of root records ---- */
/* -EBADMSG: not a root record. Nothing is authenticated yet. */
int fs_root_decode(uint32_t journal, const uint8_t *raw, size_t len, struct fs_root *out);
int fs_root_verify(const uint8_t vault[static KEYS_VAULT_ID_LEN], const struct fs_root *root,
		   const uint8_t pk[static KEYS_LEN]);
void fs_root_sign(const uint8_t vault[static KEYS_VAULT_ID_LEN], struct fs_root *root,
		  const uint8_t sk[static KEYS_SIGN_SK_LEN]);
int fs_root_decode_vault(const uint8_t *raw, size_t len, struct fs_root *out);
int fs_root_check_mac(const uint8_t vault[static KEYS_VAULT_ID_LEN], const struct fs_root *root,
		      const uint8_t mac_key[static KEYS_LEN]);
void fs_root_mac(const uint8_t vault[static KEYS_VAULT_ID_LEN], struct fs_root *root,
		 const uint8_t mac_key[static KEYS_LEN]);
struct fs_key fs_root_key(uint32_t journal);
/* Of the vault's root: the state that it stands for. */
void fs_root_mark(const struct fs_root *root, struct fs_redo_mark *mark);

/* ---- value.c: stored value forms ---- */
/* True when the record stands in the vault's tree. */
bool fs_value_of_vault(const struct fs_key *key);
/* stored has room for len + FS_RECORD_OVERHEAD. -ENOKEY, -EMSGSIZE. */
int fs_value_seal(struct fs_journal *j, const struct fs_key *key, const void *plain, size_t len,
		  uint8_t *stored, size_t *stored_len);
/* -EBADMSG, -ENOKEY, -ENOMEM. */
int fs_value_unseal(struct fs_journal *j, const struct fs_key *key, const uint8_t *stored,
		    size_t len, struct fs_buf **out);

/* The generation of the key that seals a stored record. -EBADMSG: it is not sealed. */
int fs_value_generation(const uint8_t *stored, size_t len, uint32_t *out);

/* ---- record.c ---- */
/*
 * A snapshot whose root for the tree of t is known; ended with fs_store_snap_end. -EBADMSG: the
 * root record is neither the current one nor the next.
 */
int fs_record_snap(struct fs_journal *t, struct fs_snap **snap, struct fs_tagtree_root *root);
/* The journal in whose tree key stands; NULL: in none, or j is not the journal that key names. */
struct fs_journal *fs_record_cover(struct fs_journal *j, const struct fs_key *key);
/* The stored bytes of a record that the tree holds with this tag, unsealed. */
int fs_record_open_stored(struct fs_journal *j, struct fs_snap *snap, const struct fs_key *key,
			  const uint8_t tag[static FS_TAG_LEN], struct fs_buf **out);
/* As fs_record_get, without a look at the groups. */
int fs_record_committed(struct fs_journal *j, const struct fs_key *key, struct fs_buf **out);
/* Tells the owner of the vault, once per record. */
void fs_record_report(struct fs_records *r, const struct fs_key *key);
/* The same, unless he knows of damage in this journal. */
void fs_record_report_first(struct fs_records *r, const struct fs_key *key);

/* ---- journal_keys.c ---- */
/* The key of a generation; NULL: not known. No lock. */
const struct fs_journal_key *fs_journal_key(struct fs_journal *j, uint32_t generation);
/* Committer: what the closing group is sealed under. */
const struct fs_journal_key *fs_journal_key_sealing(struct fs_journal *j);
/* A journal that is being opened: its first keys, then, with the root known, the key of names. */
int fs_journal_keys_take(struct fs_journal *j, const struct fs_journal_open *o);
int fs_journal_keys_names(struct fs_journal *j);
/* A second opener's keys are those that are known, as far as both have them: they come from other
 * wraps of the same journal. 0 or -EBADMSG. */
int fs_journal_keys_same(struct fs_journal *j, const struct fs_journal_open *o);
void fs_journal_keys_clear(struct fs_journal *j);

/* ---- journal.c ---- */
/* Fills what all journals, and the vault, have. */
void fs_journal_init(struct fs_journal *j, struct fs_records *r, uint32_t index);
void fs_journal_clear(struct fs_journal *j);
/* The container with its free map, opened at the first call. */
int fs_journal_units(struct fs_journal *j, struct fs_container **out);

/* All open journals, a reference each, in an array that the caller frees; NULL: no memory. */
struct fs_journal **fs_journal_all(struct fs_records *r, size_t *n);

/* ---- commit_lost.c: what a commit leaves behind ---- */
/* Committer. j takes no more; rc as fs_journal_check gives it. -ENOMEM. */
int fs_commit_lose(struct fs_journal *j, int rc);
/* The group's hooks. */
int fs_commit_check(void *ctx, const struct fs_journal *j);
void fs_commit_settled(void *ctx, int rc);

/* ---- commit.c: the group's hooks ---- */
extern const struct fs_group_hooks fs_commit_hooks; /* ctx: struct fs_records */
void fs_commit_free(struct fs_commit *c);

#endif
