/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/record.h - verified, sealed records: what everything above sees of the store.
 *
 * Joins group, store, tag tree and keys. A record is read from the open group, the
 * closing group, or a snapshot; from the snapshot its tag is checked against the
 * tag tree whose root this process knows, then it is unsealed under the journal's
 * key with its place as associated data. It is written through batches and sealed
 * at commit. Journal 0 is the vault: its tree's root is MACed under the host
 * secret and covers the root record of every journal.
 *
 * A journal's root record is signed by the session key of the last writer in the
 * group; when a journal is opened a callback (from the vault) checks that signer.
 *
 * Which key a record is sealed with follows from its table (fs/key.h).
 * Locks: internal, leaf. Never call with a snapshot open.
 */
#ifndef FS_RECORD_H
#define FS_RECORD_H

#include "../keys/identity.h"
#include "../keys/wrap.h"
#include "container.h"
#include "group.h"
#include "tagtree.h"

struct fs_records;
struct fs_inodes;

#define FS_PLAIN_MAX 4019 /* plaintext of a record: FS_VALUE_MAX less form, generation, nonce, tag */

/* A session's signing key, shared by sessions, batches and groups; the key lives in guarded memory. */
struct fs_signer {
	atomic_uint refs;
	uint8_t session[KEYS_SESSION_ID_LEN];
	uint32_t pid;
	uint32_t enrolment;
	uint8_t *sk; /* keys_guard memory, KEYS_SIGN_SK_LEN, wiped with the last reference */
};
int fs_signer_new(const struct keys_session_cert *cert, const uint8_t sk[static KEYS_SIGN_SK_LEN],
		  struct fs_signer **out);
struct fs_signer *fs_signer_get(struct fs_signer *s);
void fs_signer_put(struct fs_signer *s);

/* What a journal's root record says besides the tree. */
struct fs_root_info {
	uint64_t commit; /* number of the vault commit that wrote it */
	uint32_t generation;
	uint32_t policy_version; /* in force when it was signed */
	uint8_t session[KEYS_SESSION_ID_LEN];
	uint32_t pid;
	uint32_t enrolment;
};

struct fs_records_config {
	const char *path; /* VAULT */
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t mac_key[KEYS_LEN]; /* keys_label_derive(VAULT_MAC_KEY, host secret) */
	bool create; /* a new, empty vault */
	bool read_only;
	size_t cache_bytes; /* decoded tree nodes; 0 = 16 MiB */
	uint64_t least_commit; /* last commit known from outside the vault; older = -ESTALE */
	/* Adopt a vault root whose MAC is another host's (recovery): the tree is still verified. */
	bool adopt;
	/* Damage was found in this record; called once per record, any thread (the committer's too, so
	 * wait for no commit), none of our locks held. */
	void (*damaged)(void *ctx, uint32_t journal, uint64_t ino, uint8_t table);
	/*
	 * Changes that were applied are lost: of this journal, whose damage a commit met, or (0) of
	 * all, since a commit failed for good. Nothing more is taken, memory has gone back to what is
	 * committed; what was given out before (cached by a kernel, say) must be forgotten. At most
	 * once each. From the committer: wait for no commit. None of our locks held. May be NULL.
	 */
	void (*failed)(void *ctx, uint32_t journal);
	void *ctx;
};

/* -EBADMSG: the vault's root does not authenticate (host secret? tampering?); -ESTALE: rolled back. */
int fs_records_open(const struct fs_records_config *cfg, struct fs_records **out);
/* Commits; the result of that. All journals must have been put. */
int fs_records_close(struct fs_records *r);

struct fs_group *fs_records_group(struct fs_records *r);
struct fs_store *fs_records_store(struct fs_records *r);
const uint8_t *fs_records_vault_id(const struct fs_records *r); /* KEYS_VAULT_ID_LEN bytes */
/* Last durable commit and the hash of the vault's root, for checkpoints and local state. */
void fs_records_head(struct fs_records *r, uint64_t *commit, uint8_t root[static KEYS_LEN]);
/* The policy version that root records signed from now on carry. */
void fs_records_policy_version(struct fs_records *r, uint32_t version);
uint32_t fs_records_policy_now(const struct fs_records *r);

/*
 * An index key (generation > 0) while somebody is logged in; earlier generations stay known, the
 * newest seals. key NULL forgets all: sync the group first, its policy records still need one.
 */
void fs_records_index_key(struct fs_records *r, uint32_t generation, const uint8_t *key);
/* The same for a new generation: only groups from number `since` on, which carries its wraps, are
 * sealed under it. */
void fs_records_index_key_since(struct fs_records *r, uint32_t generation, const uint8_t *key,
				uint64_t since);

/* ---- journals ---- */
/* Journal 0; always there; no reference needed. */
struct fs_journal *fs_records_vault(struct fs_records *r);

/* Generations of a journal's key that there may be at a time, and their highest number. */
#define FS_JOURNAL_KEYS 8
#define FS_GENERATION_MAX 65536u

struct fs_journal_open {
	uint32_t index; /* 1..FS_JOURNAL_MAX */
	uint32_t generation; /* the newest */
	const struct keys_journal *keys; /* copied into the slab */
	struct fs_journal_older { /* those before it that are still needed */
		uint32_t generation;
		const struct keys_journal *keys;
	} older[FS_JOURNAL_KEYS - 1];
	size_t n_older;
	bool create; /* no root record exists or may exist */
	/* Is this signer acceptable for this journal? 0 or -EBADMSG. Not called with create. sig covers
	 * the root; pk must be verified by the callback from the session certificate. It may read
	 * records of the vault but not open this journal. */
	int (*signer_pk)(void *ctx, uint32_t index, const struct fs_root_info *info,
			 uint8_t pk_out[static KEYS_LEN]);
	void *ctx;
};
/*
 * One reference, shared with others that have it open. 0; -ENOENT no such journal; -EBADMSG its
 * root does not verify; -ENOMEM (slab full).
 */
int fs_journal_open(struct fs_records *r, const struct fs_journal_open *o, struct fs_journal **out);
/* The open one with a new reference, or NULL. */
struct fs_journal *fs_journal_find(struct fs_records *r, uint32_t index);
struct fs_journal *fs_journal_get(struct fs_journal *j);
void fs_journal_put(struct fs_journal *j); /* the last reference wipes keys and cached plaintext */
uint32_t fs_journal_index(const struct fs_journal *j);
struct fs_records *fs_journal_records(const struct fs_journal *j);
const uint8_t *fs_journal_name_key(const struct fs_journal *j); /* KEYS_LEN bytes */
uint32_t fs_journal_generation(struct fs_journal *j);		/* the newest that is known */
struct fs_container *fs_journal_container(struct fs_journal *j); /* free map loaded */
/*
 * 0 while changes are taken. -EIO: a commit met damage in its records; since then, and until the
 * vault is opened anew, changes and syncs fail (the last changes are lost), the rest can be read.
 * -ESTALE: it has been removed. Whoever acknowledges a sync asks this after fs_group_sync.
 */
int fs_journal_check(const struct fs_journal *j);
/*
 * The next generation of an open journal's key. Made ahead of the batch that carries its wraps,
 * so that nothing can fail afterwards; linked with the number of the group that took the batch: that
 * group and later ones are sealed under it, no earlier one. The batch also keeps the key of names.
 */
struct fs_journal_key;
int fs_journal_key_new(struct fs_journal *j, uint32_t generation, const struct keys_journal *keys,
		       struct fs_journal_key **out);
void fs_journal_key_free(struct fs_journal *j, struct fs_journal_key *k); /* one not linked; or NULL */
void fs_journal_key_link(struct fs_journal *j, struct fs_journal_key *k, uint64_t since);
void fs_journal_keep_names(struct fs_journal *j, struct fs_batch *b);
/* Does HEAD have the key of names, so that generation 1 may go? 0, -ENOENT, -EBADMSG: another one. */
int fs_journal_names_kept(struct fs_journal *j);
/*
 * Attached by the inode layer (its table of inodes of this journal), freed by the hook at last put.
 * revert: groups were dropped, memory is to follow what is committed; from the committer.
 */
struct fs_inodes *fs_journal_inodes(struct fs_journal *j);
void fs_journal_attach(struct fs_journal *j, struct fs_inodes *inodes,
		       void (*free_fn)(struct fs_inodes *), int (*revert)(struct fs_journal *));
/*
 * The same for the numbers of virtual inodes (fs/history_tree.h); of two who attach at once the first wins, whose
 * table is returned.
 */
struct fs_history_table *fs_journal_history(struct fs_journal *j);
struct fs_history_table *fs_journal_attach_history(struct fs_journal *j,
						   struct fs_history_table *table,
						   void (*free_fn)(struct fs_history_table *));

/*
 * ---- records ----
 * A batch entry for a record of the vault's tree (journal 0, and tables FS_T_ROOT to FS_T_JPOLICY of
 * any journal) names fs_records_vault as its journal; any other names the journal of its key. The
 * first needs no signer. Deleting FS_T_ROOT of a journal so removes every record of that journal.
 */
/* 0 and a reference; -ENOENT (proved); -EBADMSG (swapped, rolled back, damaged); -ENOKEY; -EIO. */
int fs_record_get(struct fs_journal *j, const struct fs_key *key, struct fs_buf **out);
/*
 * The generation of the key that seals a stored record; 0 while it is on its way there, in a group.
 * -ENOENT, -EBADMSG (as above, or a record in clear).
 */
int fs_record_generation(struct fs_journal *j, const struct fs_key *key, uint32_t *generation);
/*
 * Every record with from <= key < to in key order, complete as proved by the tree, newest state:
 * records of the tree that covers `from` (a journal's inode 0 has tables of both trees). -EBADMSG
 * comes after the records before the damaged one were given.
 * fn returns 0 to go on, 1 to stop (scan returns 0), negative to fail with that.
 */
int fs_record_scan(struct fs_journal *j, const struct fs_key *from, const struct fs_key *to,
		   int (*fn)(void *ctx, const struct fs_key *key, struct fs_buf *buf), void *ctx);

#endif
