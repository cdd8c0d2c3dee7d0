/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode.h - inodes of a journal in memory, shared by all mounts.
 *
 * One struct fs_inode per (journal, inode number) while anybody refers to it;
 * while it lives its fields are authoritative and every change is put into a
 * batch with fs_inode_store before the lock is dropped. Record format:
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

struct fs_inode {
	atomic_uint refs;
	struct fs_journal *journal; /* one reference */
	uint64_t ino;
	pthread_rwlock_t lock;
	/* stored */
	uint32_t mode; /* type and permission bits as programs set them */
	uint32_t nlink;
	uint64_t size;
	uint64_t parent; /* directories only: for ".." and loop checks */
	struct timespec atime, mtime, ctime, btime;
	uint32_t author; /* pid of the practitioner who made it */
	uint32_t writer; /* pid of the last who changed contents */
	uint8_t form;
	uint64_t change; /* +1 at every change of contents */
	uint64_t blocks; /* 512-byte blocks that the contents occupy, for st_blocks */
	uint16_t xattrs; /* count, 0 answers getxattr without a lookup */
	uint16_t flags;	 /* FS_INODE_* */
	/* memory only */
	bool gone; /* unlinked; the record waits for the last reference (orphan) */
	atomic_uint opens; /* handles of all mounts */
};

/* 0 and a reference; -ENOENT, -EBADMSG, -ENOKEY, -EIO, -ENOMEM. */
int fs_inode_get(struct fs_journal *j, uint64_t ino, struct fs_inode **out);
/* Only when in memory already; NULL otherwise. */
struct fs_inode *fs_inode_find(struct fs_journal *j, uint64_t ino);
struct fs_inode *fs_inode_ref(struct fs_inode *i);
/* The last reference to a `gone` inode deletes its records (an own batch, signer as at unlink). */
void fs_inode_put(struct fs_inode *i);

/* A new inode in memory, number from the journal's HEAD counter; not stored until fs_inode_store. */
int fs_inode_new(struct fs_journal *j, uint32_t mode, uint32_t author, struct fs_inode **out);
void fs_inode_store(struct fs_batch *b, struct fs_inode *i);
uint64_t fs_inode_nodeid(const struct fs_inode *i);

/* Locks 1..4 inodes (NULLs and repeats are skipped) exclusively in ascending order. */
void fs_inode_lock_many(struct fs_inode *const *i, size_t n);
void fs_inode_unlock_many(struct fs_inode *const *i, size_t n);

/* Orphans left by a crash: deletes them. Called with a writer's signer when a journal opens. */
int fs_inode_reap(struct fs_journal *j, struct fs_signer *signer);

#endif
