/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/locks_tree.c - the locks of one file and space, ordered by where they begin.
 *
 * A treap whose subtrees know their greatest end and whose locks they hold, of all
 * locks and of the exclusive ones alone. So a search for somebody else's lock passes
 * by thousands of the asker's own in one step, and a search for the asker's own passes
 * by thousands of others'.
 */
#include "locks_impl.h"

/* Stands for "several owners" in fs_lock.who. */
static struct fs_lock_owner several;

static struct fs_lock_owner *both(struct fs_lock_owner *a, struct fs_lock_owner *b)
{
	if (!a || a == b)
		return b;
	return b ? &several : a;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void refresh(struct fs_lock *n)
{
	const struct fs_lock *child[] = {n->left, n->right};

	n->max_end = n->end;
	n->max_end_excl = n->exclusive ? n->end : 0;
	n->who = n->owner;
	n->who_excl = n->exclusive ? n->owner : NULL;
	for (int k = 0; k < 2; k++) {
		if (!child[k])
			continue;
		n->max_end = greater(n->max_end, child[k]->max_end);
		n->max_end_excl = greater(n->max_end_excl, child[k]->max_end_excl);
		n->who = both(n->who, child[k]->who);
		n->who_excl = both(n->who_excl, child[k]->who_excl);
	}
}

static bool before(const struct fs_lock *a, const struct fs_lock *b)
{
	return a->start != b->start ? a->start < b->start : a->seq < b->seq;
}

/* All of n that stand before `at` into *l, the others into *r. */
static void split(struct fs_lock *n, const struct fs_lock *at, struct fs_lock **l,
		  struct fs_lock **r)
{
	if (!n) {
		*l = *r = NULL;
	} else if (before(n, at)) {
		split(n->right, at, &n->right, r);
		refresh(n);
		*l = n;
	} else {
		split(n->left, at, l, &n->left);
		refresh(n);
		*r = n;
	}
}

static struct fs_lock *join(struct fs_lock *l, struct fs_lock *r)
{
	if (!l || !r)
		return l ? l : r;
	if (l->prio > r->prio) {
		l->right = join(l->right, r);
		refresh(l);
		return l;
	}
	r->left = join(l, r->left);
	refresh(r);
	return r;
}

void fs_lock_tree_add(struct fs_lock **root, struct fs_lock *l)
{
	struct fs_lock *n = *root;

	if (n && n->prio >= l->prio) {
		fs_lock_tree_add(before(l, n) ? &n->left : &n->right, l);
		refresh(n);
		return;
	}
	split(n, l, &l->left, &l->right);
	refresh(l);
	*root = l;
}

void fs_lock_tree_del(struct fs_lock **root, struct fs_lock *l)
{
	struct fs_lock *n = *root;

	if (n == l) {
		*root = join(n->left, n->right);
		l->left = l->right = NULL;
		return;
	}
	fs_lock_tree_del(before(l, n) ? &n->left : &n->right, l);
	refresh(n);
}

static bool in_the_way(const struct fs_lock *n, const struct fs_lock_query *q)
{
	struct fs_lock_share *s;

	if (n->end < q->start || n->owner == q->owner || !(q->exclusive || n->exclusive))
		return false;
	s = n->owner->share;
	return !q->pass_yielding || !s->calls->yields(s, q->nodeid, false);
}

struct fs_lock *fs_lock_tree_conflict(struct fs_lock *n, const struct fs_lock_query *q)
{
	const struct fs_lock_owner *who;
	struct fs_lock *found;

	if (!n)
		return NULL;
	who = q->exclusive ? n->who : n->who_excl;
	if (!who || who == q->owner || (q->exclusive ? n->max_end : n->max_end_excl) < q->start)
		return NULL;
	found = fs_lock_tree_conflict(n->left, q);
	if (found || n->start > q->end)
		return found;
	return in_the_way(n, q) ? n : fs_lock_tree_conflict(n->right, q);
}

struct fs_lock *fs_lock_tree_own(struct fs_lock *n, const struct fs_lock_query *q,
				 const struct fs_lock *after)
{
	struct fs_lock *found = NULL;

	if (!n || n->max_end < q->start || (n->who != q->owner && n->who != &several))
		return NULL;
	if (!after || before(after, n))
		found = fs_lock_tree_own(n->left, q, after);
	if (found || n->start > q->end)
		return found;
	if (n->owner == q->owner && n->end >= q->start && (!after || before(after, n)))
		return n;
	return fs_lock_tree_own(n->right, q, after);
}
