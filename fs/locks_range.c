/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/locks_range.c - one owner's locks on a file: how they split, merge and go.
 *
 * Invariant: the locks of one owner on one file never overlap, and those that touch differ
 * in kind or in the handle that they came through. A change is made whole or, for want
 * of memory or beyond the share's limit, not at all.
 */
#include "locks_impl.h"

#include <errno.h>
#include <stdlib.h>

void fs_lock_file_idle(struct fs_locks *t, struct fs_lock_file *f)
{
	if (f->idle)
		return;
	f->idle = true;
	f->idle_next = t->idle_files;
	t->idle_files = f;
}

void fs_lock_owner_idle(struct fs_locks *t, struct fs_lock_owner *o)
{
	if (o->idle)
		return;
	o->idle = true;
	o->idle_next = t->idle_owners;
	t->idle_owners = o;
}

void fs_lock_touch(struct fs_locks *t, struct fs_lock_file *f)
{
	f->rescan = true;
	fs_lock_file_idle(t, f);
	if (f->dirty)
		return;
	f->dirty = true;
	f->dirty_next = t->dirty;
	t->dirty = f;
}

static struct fs_lock *lock_add(struct fs_locks *t, struct fs_lock_file *f, struct fs_lock_owner *o,
				struct fs_lock *l)
{
	/* xorshift: the shape of the tree is nothing that others can choose. */
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	l->prio = t->random;
	l->seq = ++t->seqs;
	l->owner = o;
	l->file = f;
	fs_lock_link_add(&o->share->locks, &l->of_share);
	o->held++;
	atomic_fetch_add(&o->share->held, 1);
	fs_lock_tree_add(&f->tree[o->space], l);
	return l;
}

void fs_lock_del(struct fs_locks *t, struct fs_lock *l)
{
	fs_lock_tree_del(&l->file->tree[l->owner->space], l);
	fs_lock_link_del(&l->of_share);
	l->owner->held--;
	atomic_fetch_sub(&l->owner->share->held, 1);
	fs_lock_owner_idle(t, l->owner);
	fs_lock_touch(t, l->file);
	free(l);
}

static void lock_move(struct fs_lock *l, uint64_t start, uint64_t end)
{
	struct fs_lock **root = &l->file->tree[l->owner->space];

	fs_lock_tree_del(root, l);
	l->start = start;
	l->end = end;
	fs_lock_tree_add(root, l);
}

/* How an owner's own locks change when it locks, or (unlock) lets go of, rq's range. */
struct change {
	const struct fs_lock_request *rq;
	bool unlock;
	struct fs_lock_query own; /* the range and what is next to it */
	uint64_t start, end;	  /* of the lock that results */
	int gone, split;
	struct fs_lock *spare[2];
};

static bool overlaps(const struct fs_lock *l, const struct fs_lock_request *rq)
{
	return l->start <= rq->end && rq->start <= l->end;
}

/* Becomes one with the new lock. */
static bool merges(const struct fs_lock *l, const struct change *c)
{
	return !c->unlock && l->exclusive == c->rq->exclusive && l->handle == c->rq->handle;
}

static void change_plan(struct fs_lock *root, struct change *c)
{
	const struct fs_lock_request *rq = c->rq;

	c->start = rq->start;
	c->end = rq->end;
	for (struct fs_lock *l = fs_lock_tree_own(root, &c->own, NULL); l;
	     l = fs_lock_tree_own(root, &c->own, l)) {
		if (merges(l, c)) {
			c->start = l->start < c->start ? l->start : c->start;
			c->end = l->end > c->end ? l->end : c->end;
			c->gone++;
		} else if (overlaps(l, rq)) {
			c->gone += l->start >= rq->start && l->end <= rq->end;
			c->split += l->start < rq->start && l->end > rq->end;
		}
	}
}

static int change_spares(struct change *c, const struct fs_lock_share *s)
{
	int adds = !c->unlock + c->split;

	if (adds > c->gone && atomic_load(&s->held) + (unsigned)(adds - c->gone) > FS_LOCKS_HELD)
		return -ENOLCK;
	for (int k = 0; k < adds; k++) {
		c->spare[k] = calloc(1, sizeof(struct fs_lock));
		if (!c->spare[k]) {
			free(c->spare[0]);
			return -ENOLCK;
		}
	}
	return 0;
}

/* Cuts rq's range out of l. */
static void lock_cut(struct fs_locks *t, struct fs_lock *l, struct change *c)
{
	const struct fs_lock_request *rq = c->rq;
	bool left = l->start<rq->start, right = l->end> rq->end;

	/* What only became exclusive gave nothing away. */
	if (c->unlock || l->exclusive)
		fs_lock_touch(t, l->file);
	if (left && right) {
		struct fs_lock *r = c->spare[--c->split];

		c->spare[c->split] = NULL;
		r->start = rq->end + 1;
		r->end = l->end;
		r->handle = l->handle;
		r->needs = l->needs;
		r->pid = l->pid;
		r->exclusive = l->exclusive;
		lock_move(l, l->start, rq->start - 1);
		lock_add(t, l->file, l->owner, r);
	} else if (left) {
		lock_move(l, l->start, rq->start - 1);
	} else if (right) {
		lock_move(l, rq->end + 1, l->end);
	} else {
		fs_lock_del(t, l);
	}
}

int fs_lock_apply(struct fs_locks *t, struct fs_lock_file *f, struct fs_lock_owner *o,
		  const struct fs_lock_request *rq, bool unlock)
{
	struct fs_lock **root = &f->tree[rq->space];
	struct change c = {.rq = rq, .unlock = unlock};
	struct fs_lock *next, *n;
	int rc;

	c.own.start = rq->start ? rq->start - 1 : 0;
	c.own.end = rq->end < FS_LOCKS_END ? rq->end + 1 : FS_LOCKS_END;
	c.own.owner = o;
	change_plan(*root, &c);
	rc = change_spares(&c, o->share);
	if (rc)
		return rc;
	for (struct fs_lock *l = fs_lock_tree_own(*root, &c.own, NULL); l; l = next) {
		next = fs_lock_tree_own(*root, &c.own, l);
		if (merges(l, &c))
			fs_lock_del(t, l);
		else if (overlaps(l, rq))
			lock_cut(t, l, &c);
	}
	if (unlock)
		return 0;
	n = c.spare[c.spare[0] ? 0 : 1];
	n->start = c.start;
	n->end = c.end;
	n->handle = rq->handle;
	n->needs = rq->needs;
	n->pid = rq->pid;
	n->exclusive = rq->exclusive;
	lock_add(t, f, o, n);
	return 0;
}
