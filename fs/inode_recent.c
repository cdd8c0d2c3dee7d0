/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode_recent.c - names that were given up a moment ago, and which inode had them.
 *
 * Programs save by moving the old file away, or removing it, and making a new one
 * under its name: for a minute that one is taken for the same note (fs/history_link.c), when the
 * same practitioner makes it: nobody's new note becomes what another has just taken away. A
 * ring of a fixed size per journal, in memory only; names as the keyed hashes that
 * directories use. Lock: a mutex (leaf).
 */
#include "inode_recent.h"

#include <stdlib.h>
#include "dirent.h"

#define PLACES 256
#define SECONDS 60

struct place {
	uint64_t dir, hash, ino; /* ino 0: free */
	uint32_t pid;		 /* who gave it up */
	int64_t at_s;
};

struct fs_inode_recent {
	pthread_mutex_t lock;
	struct place place[PLACES];
	unsigned next;
};

struct fs_inode_recent *fs_inode_recent_new(void)
{
	struct fs_inode_recent *r = calloc(1, sizeof(*r));

	if (r)
		pthread_mutex_init(&r->lock, NULL);
	return r;
}

void fs_inode_recent_free(struct fs_inode_recent *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Lock held. */
static struct place *find(struct fs_inode_recent *r, uint64_t dir, uint64_t hash)
{
	for (unsigned n = 0; n < PLACES; n++) {
		struct place *p = &r->place[n];

		if (p->ino && p->dir == dir && p->hash == hash)
			return p;
	}
	return NULL;
}

void fs_inode_recent_add(const struct fs_inode *dir, const char *name, uint64_t ino, uint32_t pid,
			 int64_t now_s)
{
	struct fs_inode_recent *r = fs_inode_recent_of(dir->journal);
	uint64_t hash = fs_dirent_hash(dir->journal, dir->ino, name);
	struct place *p;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	p = find(r, dir->ino, hash);
	if (!p)
		p = &r->place[r->next++ % PLACES];
	*p = (struct place){dir->ino, hash, ino, pid, now_s};
	pthread_mutex_unlock(&r->lock);
}

uint64_t fs_inode_recent_find(const struct fs_inode *dir, const char *name, uint32_t pid,
			      int64_t now_s)
{
	struct fs_inode_recent *r = fs_inode_recent_of(dir->journal);
	uint64_t hash, ino = 0;
	struct place *p;

	if (!r)
		return 0;
	hash = fs_dirent_hash(dir->journal, dir->ino, name);
	pthread_mutex_lock(&r->lock);
	p = find(r, dir->ino, hash);
	if (p && p->pid == pid && now_s - p->at_s < SECONDS && p->at_s - now_s < SECONDS)
		ino = p->ino;
	pthread_mutex_unlock(&r->lock);
	return ino;
}

void fs_inode_recent_forget(const struct fs_inode *dir, const char *name)
{
	struct fs_inode_recent *r = fs_inode_recent_of(dir->journal);
	uint64_t hash = fs_dirent_hash(dir->journal, dir->ino, name);
	struct place *p;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	p = find(r, dir->ino, hash);
	if (p)
		p->ino = 0;
	pthread_mutex_unlock(&r->lock);
}
