/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode.h - inodes of a journal in memory, shared by all mounts.
 *
 * One struct fs_inode per (journal, inode number) while anybody refers to it;
 * while it lives its fields are authoritative and every change is put into a
 * batch with fs_inode_store before the lock is dropped. The table of a journal's
 * inodes is attached to the journal; inodes hold a reference to the journal, the
 * table holds none to either, so both go when the last user goes. Record format:
 * fs/FORMAT.md, "INODE". Knows nothing of FUSE or policy.
 *
 * Locks: `lock` protects every field but the counters; held shared to read
 * contents and attributes, exclusive to change; several are taken by ascending
 * number (fs_inode_lock_many). The table's mutex is a leaf.
 */
#ifndef FS_INODE_H
#define FS_INODE_H

#include <pthread.h>
#include <sys/types.h>
#include <time.h>
#include "record.h"

enum fs_inode_form { FS_FORM_NONE = 0, FS_FORM_INLINE = 1, FS_FORM_CHUNKS = 2 };

#define FS_INODE_LEN 128   /* an INODE record, fixed */
#define FS_LINK_MAX 65000u /* names of one file; more is -EMLINK */
#define FS_INO_MAX ((UINT64_C(1) << 40) - 1)
/* Numbers from here on are never stored: what lies below a journal's `.history` (fs/history_tree.h). */
#define FS_INO_HISTORY (UINT64_C(1) << 39)

/* What an inode is, besides its mode (fs/final.h, fs/history.h). */
enum fs_inode_flag {
	FS_INODE_FINAL = 1,    /* a final note: nothing of it may change */
	FS_INODE_SIGNED = 2,   /* and its author has signed it */
	FS_INODE_HOLDS = 4,    /* a directory that holds a final note, here or below: keeps its place */
	FS_INODE_ERROR = 8,    /* a final note that was marked as entered in error */
	FS_INODE_AMENDED = 16, /* a final note that a final one amends */
	FS_INODE_AMENDS = 32,  /* amends a final note, says its STATE record */
	FS_INODE_WANTS = 64,   /* final, and a second practitioner is to sign too */
	FS_INODE_REMOVED = 128, /* a note that lost its last name; its versions are kept */
	FS_INODE_BEFORE = 256, /* what another note was before: its contents are kept */
	FS_INODE_STATE = 512,  /* it has a STATE record */
	FS_INODE_APART = 1024, /* with BEFORE: changed under a name of its own since; no heir has that */
	FS_INODE_SHARED = 2048, /* with BEFORE: of more than one note */
	FS_INODE_WHOLE = 4096, /* it was record content under another name: no version is pruned */
};
#define FS_INODE_FLAGS 8191u

/*
 * What an INODE record holds. The same fields stand in struct fs_inode (i->size) and, as a whole,
 * in its member `attr`: an operation changes a copy, stores the copy in its batch, and assigns it
 * back only when the batch has been applied, so that a failed operation leaves memory as it was.
 */
#define FS_INODE_STORED                                                                            \
	uint32_t mode; /* type and permission bits as programs set them */                         \
	uint32_t nlink;                                                                            \
	uint64_t size;	 /* directories: number of entries */                                      \
	uint64_t parent; /* directories only: for ".." and loop checks */                          \
	struct timespec atime, mtime, ctime, btime;                                                \
	uint32_t author; /* pid of the practitioner who made it */                                 \
	uint32_t writer; /* pid of the last who changed contents */                                \
	uint8_t form;                                                                              \
	uint8_t pieces;	 /* FS_FORM_INLINE: bit n set = piece n exists, else a hole */             \
	uint64_t change; /* +1 at every change of contents or entries */                           \
	uint64_t blocks; /* 512-byte blocks that the contents occupy, for st_blocks */             \
	uint16_t xattrs; /* count, 0 answers getxattr without a lookup */                          \
	uint16_t flags;	 /* enum fs_inode_flag */                                                  \
	uint64_t before; /* what this note was before a save by rename: inode, 0 none */           \
	uint32_t before_version; /* and the version of that inode that was the last */             \
	uint32_t version /* number of the contents there are now, counted over all of it; 0 is 1 */

struct fs_inode_attr {
	FS_INODE_STORED;
};

/* What is known of an inode's own earlier versions (fs/history_save.c). */
struct fs_inode_history {
	bool known;	 /* the rest is: last, page and kind were looked up */
	bool saving;	 /* a save has begun: what was there before it is kept already */
	bool packed;	 /* the newest needs no packing any more */
	uint8_t kind;	 /* of the newest (fs/history_impl.h) */
	uint32_t last;	 /* number of the newest, 0 none */
	uint32_t page;	 /* key of the last VERSION page, 0 none */
	uint64_t chunks; /* the newest is chunks: how many it reaches over */
};

struct fs_inode {
	atomic_uint refs;
	struct fs_journal *journal; /* one reference */
	uint64_t ino;
	pthread_rwlock_t lock; /* prefers writers: never take it twice in one thread */
	union {
		struct {
			FS_INODE_STORED;
		};
		struct fs_inode_attr attr;
	};
	/* memory only */
	bool gone;    /* no name is left; the records wait for the last reference (orphan) */
	bool nameless; /* gone, but never named (O_TMPFILE): it may still get a name */
	bool deleted; /* gone, and the records are deleted already: nothing may be stored */
	struct fs_inode_history history;
	bool closing; /* about to become final (fs_final_close): refused as if it were */
	struct fs_signer *signer; /* while an orphan: who removed it; one reference */
	uint32_t removed_under;	  /* while an orphan: the policy version at that time */
	atomic_uint opens;	  /* handles of all mounts */
	/* the table's, under its mutex */
	struct fs_inode *next;
	bool loading, hashed;
	int load_rc;
};

/*
 * 0 and a reference; -ENOENT (no such inode, or its last name is gone, nobody has it and it is not kept);
 * -EBADMSG, -ENOKEY, -EIO, -ENOMEM. An unreferenced inode is forgotten at once.
 */
int fs_inode_get(struct fs_journal *j, uint64_t ino, struct fs_inode **out);
/* Only when in memory already; NULL otherwise. */
struct fs_inode *fs_inode_find(struct fs_journal *j, uint64_t ino);
struct fs_inode *fs_inode_ref(struct fs_inode *i);
/* All that are in memory, a reference to each, in an array that the caller frees. -ENOMEM. */
int fs_inode_all(struct fs_journal *j, struct fs_inode ***out, size_t *n);
/* The same for fs_inode_revert: those that are being loaded are loaded again. */
int fs_inode_all_reverting(struct fs_journal *j, struct fs_inode ***out, size_t *n);
/*
 * The last reference to a `gone` inode deletes its records (an own batch, signer as at unlink).
 * When that fails, or policy changed since, the orphan record stays and fs_inode_reap does it later.
 * NULL is legal. Not with i's lock.
 */
void fs_inode_put(struct fs_inode *i);
/*
 * Gives a reference back like put, but leaves the records of a `gone` inode: its keys are about to
 * go while handles stay open (a locked session). unpark gets such an inode again: as get, also
 * without a name. Its deletion is left to fs_inode_reap: whoever holds the handle now may be
 * somebody who may only read, and nothing may be signed in his name (signer is not used).
 */
void fs_inode_park(struct fs_inode *i);
/*
 * Set once at start, NULL at the end: does somebody have handles on this node without a reference to its
 * inode, because it was parked? Then losing its last name makes it an orphan, and a last put leaves
 * its records. Called with inode locks held: takes no lock above them.
 */
void fs_inode_on_parked(bool (*parked)(void *ctx, uint64_t nodeid), void *ctx);
bool fs_inode_parked(const struct fs_inode *i);
int fs_inode_unpark(struct fs_journal *j, uint64_t ino, struct fs_signer *signer,
		    struct fs_inode **out);

/*
 * A new inode in memory, its number from the journal's HEAD counter (numbers are reserved by the
 * thousand, in an own batch with this signer; never given twice, a crash wastes some); not stored
 * until fs_inode_store. -ENOSPC when all 2^39 are used.
 */
int fs_inode_new(struct fs_journal *j, struct fs_signer *signer, uint32_t mode, uint32_t author,
		 struct fs_inode **out);
/* The record as the fields are now; or as in a, which the caller assigns after apply. */
void fs_inode_store(struct fs_batch *b, struct fs_inode *i);
void fs_inode_store_attr(struct fs_batch *b, const struct fs_inode *i,
			 const struct fs_inode_attr *a);
uint64_t fs_inode_nodeid(const struct fs_inode *i);

/* The record's codec. decode: -EBADMSG. */
void fs_inode_encode(const struct fs_inode_attr *a, uint8_t out[static FS_INODE_LEN]);
int fs_inode_decode(const uint8_t *p, size_t len, struct fs_inode_attr *a);

/* Locks 1..5 inodes (NULLs and repeats are skipped) exclusively in ascending order. */
void fs_inode_lock_many(struct fs_inode *const *i, size_t n);
void fs_inode_unlock_many(struct fs_inode *const *i, size_t n);
/* The journal's rename mutex: before any inode lock, by a rename between directories. -ENOMEM. */
int fs_inode_rename_lock(struct fs_journal *j);
void fs_inode_rename_unlock(struct fs_journal *j);

/* Is a note without a name kept, as what another was before or as removed (fs/history.h)? */
static inline bool fs_inode_kept(const struct fs_inode_attr *a)
{
	return a->flags & (FS_INODE_BEFORE | FS_INODE_REMOVED);
}

/* Waits for room in the open group; before locks. */
void fs_inode_throttle(const struct fs_journal *j);
/*
 * Applies and clears b; its sticky error or fs_group_apply's; -EACCES when nobody signs for it.
 * *number may be NULL.
 */
int fs_inode_apply(struct fs_journal *j, struct fs_batch *b, uint64_t *number);

/* Adds to b the deletion of all records of inode ino, whose attributes are a. */
int fs_inode_purge(struct fs_batch *b, struct fs_journal *j, uint64_t ino,
		   const struct fs_inode_attr *a);
/* Adds to b the note that ino has no name but is still in use; that it has one again. */
void fs_inode_orphan(struct fs_batch *b, struct fs_journal *j, uint64_t ino);
void fs_inode_adopt(struct fs_batch *b, struct fs_journal *j, uint64_t ino);

/*
 * After a failed commit has dropped groups: every inode in memory gets its last committed state;
 * one that was never committed is deleted, a removed one lives again. Then the vault is read-only.
 * Hold no inode lock. The first error met, having gone on; inodes that could not be read are
 * deleted.
 */
int fs_inode_revert(struct fs_journal *j);

/* Orphans left by a crash: deletes them. Called with a writer's signer when a journal opens. */
int fs_inode_reap(struct fs_journal *j, struct fs_signer *signer);

#endif
