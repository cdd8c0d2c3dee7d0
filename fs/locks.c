/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/locks.c - the table of file locks: granting, waiting, circles, letting go.
 *
 * Invariants: (1) the locks of one owner on one file never overlap, and those of two
 * only when both are shared; (2) a waiter stands in the queue of its file and either
 * conflicts with a lock of its `blocker`, or is `behind` an earlier waiter; (3) whenever
 * a lock shrinks or a waiter goes, its file is looked at again (`dirty`) before the
 * operation ends, so nobody waits for what nobody holds; (4) files and owners that may
 * have become empty are freed only at an operation's end (`idle`).
 *
 * Locks: fs_locks.mutex over everything; the shares' calls are made under it.
 */
#include "locks_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CIRCLE_DEPTH 64 /* longer ones are not looked for */

/* ---- files and owners ---- */

static size_t hash(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ b * UINT64_C(0xff51afd7ed558ccd)) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(h >> 40) % FS_LOCKS_BUCKETS;
}

static struct fs_lock_file *file_of(struct fs_locks *t, uint64_t nodeid, bool make)
{
	struct fs_lock_file **at = &t->file[hash(nodeid, 0)], *f;

	for (f = *at; f; f = f->next) {
		if (f->nodeid == nodeid)
			return f;
	}
	f = make ? calloc(1, sizeof(*f)) : NULL;
	if (!f)
		return NULL;
	f->nodeid = nodeid;
	fs_lock_link_init(&f->waits);
	f->next = *at;
	*at = f;
	return f;
}

static struct fs_lock_owner *owner_of(struct fs_locks *t, const struct fs_lock_request *rq,
				      bool make)
{
	struct fs_lock_owner **at = &t->owner[hash(rq->owner, (uintptr_t)rq->share)], *o;

	for (o = *at; o; o = o->next) {
		if (o->number == rq->owner && o->share == rq->share && o->space == rq->space)
			return o;
	}
	o = make ? calloc(1, sizeof(*o)) : NULL;
	if (!o)
		return NULL;
	o->number = rq->owner;
	o->share = rq->share;
	o->space = rq->space;
	fs_lock_link_init(&o->waits);
	o->next = *at;
	*at = o;
	return o;
}

static void file_idle(struct fs_locks *t, struct fs_lock_file *f)
{
	if (f->idle)
		return;
	f->idle = true;
	f->idle_next = t->idle_files;
	t->idle_files = f;
}

static void owner_idle(struct fs_locks *t, struct fs_lock_owner *o)
{
	if (o->idle)
		return;
	o->idle = true;
	o->idle_next = t->idle_owners;
	t->idle_owners = o;
}

static void file_reap(struct fs_locks *t, struct fs_lock_file *f)
{
	struct fs_lock_file **at = &t->file[hash(f->nodeid, 0)];

	f->idle = false;
	if (f->tree[0] || f->tree[1] || !fs_lock_link_empty(&f->waits))
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	free(f);
}

static void owner_reap(struct fs_locks *t, struct fs_lock_owner *o)
{
	struct fs_lock_owner **at = &t->owner[hash(o->number, (uintptr_t)o->share)];

	o->idle = false;
	if (o->held || !fs_lock_link_empty(&o->waits))
		return;
	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	free(o);
}

static void touch(struct fs_locks *t, struct fs_lock_file *f)
{
	f->rescan = true;
	file_idle(t, f);
	if (f->dirty)
		return;
	f->dirty = true;
	f->dirty_next = t->dirty;
	t->dirty = f;
}

/* ---- locks ---- */

static struct fs_lock *lock_add(struct fs_locks *t, struct fs_lock_file *f,
				struct fs_lock_owner *o, struct fs_lock *l)
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

static void lock_del(struct fs_locks *t, struct fs_lock *l)
{
	fs_lock_tree_del(&l->file->tree[l->owner->space], l);
	fs_lock_link_del(&l->of_share);
	l->owner->held--;
	atomic_fetch_sub(&l->owner->share->held, 1);
	owner_idle(t, l->owner);
	touch(t, l->file);
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
	bool left = l->start < rq->start, right = l->end > rq->end;

	/* What only became exclusive gave nothing away. */
	if (c->unlock || l->exclusive)
		touch(t, l->file);
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
		lock_del(t, l);
	}
}

/* Locks or lets go: all of it or, with -ENOLCK, nothing. Nobody else conflicts. */
static int apply(struct fs_locks *t, struct fs_lock_file *f, struct fs_lock_owner *o,
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
			lock_del(t, l);
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

/* ---- who is in the way ---- */

static void take_from(struct fs_locks *t, struct fs_lock_share *s, const struct fs_lock_file *f)
{
	struct fs_lock_link *next;

	for (struct fs_lock_link *at = s->locks.next; at != &s->locks; at = next) {
		struct fs_lock *l = FS_LOCK_OF(struct fs_lock, of_share, at);

		next = at->next;
		if (l->file == f)
			lock_del(t, l);
	}
}

/* The lock that keeps rq out; those that yield are taken away. */
static struct fs_lock *obstacle(struct fs_locks *t, struct fs_lock_file *f,
				const struct fs_lock_owner *o, const struct fs_lock_request *rq)
{
	const struct fs_lock_query q = {
		.start = rq->start, .end = rq->end, .owner = o, .exclusive = rq->exclusive};

	for (;;) {
		struct fs_lock *l = fs_lock_tree_conflict(f->tree[rq->space], &q);
		struct fs_lock_share *s = l ? l->owner->share : NULL;

		if (!l || s == rq->share || !s->calls->yields(s, f->nodeid, true))
			return l;
		take_from(t, s, f);
	}
}

static bool conflict(const struct fs_lock_request *a, const struct fs_lock_request *b)
{
	return a->space == b->space && (a->exclusive || b->exclusive) && a->start <= b->end &&
	       b->start <= a->end && (a->owner != b->owner || a->share != b->share);
}

/* Whether rq, which nobody's lock keeps out, has to wait for requests before `until`. */
static bool stands_behind(const struct fs_lock_file *f, const struct fs_lock_owner *o,
			  const struct fs_lock_request *rq, const struct fs_lock_link *until)
{
	if (o->held)
		return false;
	for (const struct fs_lock_link *at = f->waits.next; at != until; at = at->next) {
		if (conflict(&FS_LOCK_OF(struct fs_lock_wait, of_file, at)->rq, rq))
			return true;
	}
	return false;
}

/* Whether `from` waits, over whatever many others, for `to`. */
static bool reaches(struct fs_locks *t, struct fs_lock_owner *from, const struct fs_lock_owner *to,
		    int depth)
{
	if (from == to)
		return true;
	if (!depth || from->mark == t->marks)
		return false;
	from->mark = t->marks;
	for (struct fs_lock_link *at = from->waits.next; at != &from->waits; at = at->next) {
		const struct fs_lock_wait *w = FS_LOCK_OF(struct fs_lock_wait, of_owner, at);

		if (w->blocker && reaches(t, w->blocker, to, depth - 1))
			return true;
	}
	return false;
}

static bool closes_circle(struct fs_locks *t, const struct fs_lock_owner *o,
			  struct fs_lock_owner *blocker)
{
	t->marks++;
	return o->space == FS_LOCK_RANGE && reaches(t, blocker, o, CIRCLE_DEPTH);
}

/* ---- waiting ---- */

static struct fs_lock_wait **ticket_at(struct fs_locks *t, uint64_t ticket)
{
	struct fs_lock_wait **at = &t->ticket[ticket % FS_LOCKS_BUCKETS];

	while (*at && (*at)->ticket != ticket)
		at = &(*at)->bucket;
	return at;
}

static void ticket_del(struct fs_locks *t, struct fs_lock_wait *w)
{
	struct fs_lock_wait **at = ticket_at(t, w->ticket);

	if (*at == w)
		*at = w->bucket;
	w->bucket = NULL;
}

static void done_add(struct fs_lock_wait *w, int rc)
{
	struct fs_lock_share *s = w->rq.share;

	w->rc = rc;
	fs_lock_link_add(&s->done, &w->of_share);
	s->calls->wake(s);
}

static void complete(struct fs_locks *t, struct fs_lock_wait *w, int rc)
{
	fs_lock_link_del(&w->of_share);
	fs_lock_link_del(&w->of_file);
	fs_lock_link_del(&w->of_owner);
	atomic_fetch_sub(&w->rq.share->waiting, 1);
	owner_idle(t, w->owner);
	touch(t, w->file);
	w->file = NULL;
	ticket_del(t, w);
	done_add(w, rc);
}

static void park(struct fs_lock_file *f, struct fs_lock_owner *o, struct fs_lock_wait *w)
{
	w->file = f;
	w->owner = o;
	fs_lock_link_add(&w->rq.share->waits, &w->of_share);
	fs_lock_link_add(&f->waits, &w->of_file);
	fs_lock_link_add(&o->waits, &w->of_owner);
	atomic_fetch_add(&w->rq.share->waiting, 1);
}

static void retry(struct fs_locks *t, struct fs_lock_file *f, struct fs_lock_wait *w)
{
	struct fs_lock *l = obstacle(t, f, w->owner, &w->rq);

	if (l) {
		bool other = l->owner != w->blocker;

		w->blocker = l->owner;
		w->behind = false;
		w->behind_ns = 0;
		if (other && closes_circle(t, w->owner, w->blocker))
			complete(t, w, -EDEADLK);
		return;
	}
	w->blocker = NULL;
	w->behind = !w->impatient && stands_behind(f, w->owner, &w->rq, &w->of_file);
	if (!w->behind)
		complete(t, w, apply(t, f, w->owner, &w->rq, false));
}

/* Everybody who waits for a file of which something was let go, in order of arrival. */
static void settle(struct fs_locks *t)
{
	while (t->dirty) {
		struct fs_lock_file *f = t->dirty;
		struct fs_lock_link *next;

		t->dirty = f->dirty_next;
		f->dirty = false;
		while (f->rescan) {
			f->rescan = false;
			for (struct fs_lock_link *at = f->waits.next; at != &f->waits; at = next) {
				next = at->next;
				retry(t, f, FS_LOCK_OF(struct fs_lock_wait, of_file, at));
			}
		}
	}
}

static void finish(struct fs_locks *t)
{
	settle(t);
	while (t->idle_owners) {
		struct fs_lock_owner *o = t->idle_owners;

		t->idle_owners = o->idle_next;
		owner_reap(t, o);
	}
	while (t->idle_files) {
		struct fs_lock_file *f = t->idle_files;

		t->idle_files = f->idle_next;
		file_reap(t, f);
	}
	pthread_mutex_unlock(&t->mutex);
}

/* ---- the doors ---- */

int fs_locks_new(struct fs_locks **out)
{
	struct fs_locks *t = calloc(1, sizeof(*t));
	struct timespec now;

	if (!t)
		return -ENOMEM;
	clock_gettime(CLOCK_MONOTONIC, &now);
	t->random = ((uint64_t)now.tv_nsec << 32 ^ (uintptr_t)t) | 1;
	pthread_mutex_init(&t->mutex, NULL);
	*out = t;
	return 0;
}

void fs_locks_free(struct fs_locks *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->mutex);
	free(t);
}

void fs_locks_join(struct fs_locks *t, struct fs_lock_share *s, const struct fs_lock_calls *calls)
{
	(void)t;
	s->calls = calls;
	fs_lock_link_init(&s->locks);
	fs_lock_link_init(&s->waits);
	fs_lock_link_init(&s->done);
}

static void fail_waits(struct fs_locks *t, struct fs_lock_share *s, int rc)
{
	while (!fs_lock_link_empty(&s->waits))
		complete(t, FS_LOCK_OF(struct fs_lock_wait, of_share, s->waits.next), rc);
}

void fs_locks_leave(struct fs_locks *t, struct fs_lock_share *s)
{
	pthread_mutex_lock(&t->mutex);
	s->closed = true;
	fail_waits(t, s, -ENODEV);
	while (!fs_lock_link_empty(&s->locks))
		lock_del(t, FS_LOCK_OF(struct fs_lock, of_share, s->locks.next));
	finish(t);
}

void fs_locks_prepare(struct fs_locks *t, struct fs_lock_wait *w)
{
	pthread_mutex_lock(&t->mutex);
	fs_lock_link_init(&w->of_share);
	fs_lock_link_init(&w->of_file);
	fs_lock_link_init(&w->of_owner);
	w->ticket = ++t->tickets;
	w->bucket = t->ticket[w->ticket % FS_LOCKS_BUCKETS];
	t->ticket[w->ticket % FS_LOCKS_BUCKETS] = w;
	pthread_mutex_unlock(&t->mutex);
}

/* flock lets go of what it converts, so that two who convert can't wait for each other. True: it has it already. */
static bool flock_has(struct fs_locks *t, struct fs_lock_file *f, struct fs_lock_owner *o,
		      const struct fs_lock_request *rq)
{
	const struct fs_lock_query q = {.start = 0, .end = FS_LOCKS_END, .owner = o};
	struct fs_lock *l = fs_lock_tree_own(f->tree[rq->space], &q, NULL);

	if (!l || (l->exclusive == rq->exclusive && l->handle == rq->handle))
		return l != NULL;
	lock_del(t, l);
	settle(t);
	return false;
}

static int set(struct fs_locks *t, struct fs_lock_wait *w, bool wait)
{
	const struct fs_lock_request *rq = &w->rq;
	struct fs_lock_file *f;
	struct fs_lock_owner *o;
	struct fs_lock *l;

	if (w->cancelled || rq->share->closed)
		return w->cancelled ? -EINTR : -ENODEV;
	f = file_of(t, rq->nodeid, true);
	o = owner_of(t, rq, true);
	if (f)
		file_idle(t, f);
	if (o)
		owner_idle(t, o);
	if (!f || !o)
		return -ENOLCK;
	if (rq->space == FS_LOCK_WHOLE && flock_has(t, f, o, rq))
		return 0;
	l = obstacle(t, f, o, rq);
	if (!l && !(wait && stands_behind(f, o, rq, &f->waits)))
		return apply(t, f, o, rq, false);
	if (!wait)
		return -EAGAIN;
	if (l && closes_circle(t, o, l->owner))
		return -EDEADLK;
	if (atomic_load(&rq->share->waiting) >= FS_LOCKS_WAITING)
		return -ENOLCK;
	w->blocker = l ? l->owner : NULL;
	w->behind = !l;
	park(f, o, w);
	return 1;
}

int fs_locks_set(struct fs_locks *t, struct fs_lock_wait *w, bool wait)
{
	int rc;

	pthread_mutex_lock(&t->mutex);
	rc = set(t, w, wait);
	if (rc != 1)
		ticket_del(t, w);
	finish(t);
	return rc;
}

void fs_locks_defer(struct fs_locks *t, struct fs_lock_wait *w)
{
	pthread_mutex_lock(&t->mutex);
	done_add(w, 0);
	pthread_mutex_unlock(&t->mutex);
}

void fs_locks_cancel(struct fs_locks *t, uint64_t ticket, int rc)
{
	struct fs_lock_wait *w;

	pthread_mutex_lock(&t->mutex);
	w = *ticket_at(t, ticket);
	if (w && w->file)
		complete(t, w, rc);
	else if (w)
		w->cancelled = true;
	finish(t);
}

struct fs_lock_wait *fs_locks_take(struct fs_locks *t, struct fs_lock_share *s)
{
	struct fs_lock_wait *w = NULL;

	pthread_mutex_lock(&t->mutex);
	if (!fs_lock_link_empty(&s->done)) {
		w = FS_LOCK_OF(struct fs_lock_wait, of_share, s->done.next);
		fs_lock_link_del(&w->of_share);
	}
	pthread_mutex_unlock(&t->mutex);
	return w;
}

static int unlock(struct fs_locks *t, const struct fs_lock_request *rq)
{
	struct fs_lock_file *f = file_of(t, rq->nodeid, false);
	struct fs_lock_owner *o = owner_of(t, rq, false);

	return f && o ? apply(t, f, o, rq, true) : 0;
}

int fs_locks_unlock(struct fs_locks *t, const struct fs_lock_request *rq)
{
	int rc;

	pthread_mutex_lock(&t->mutex);
	rc = unlock(t, rq);
	finish(t);
	return rc;
}

void fs_locks_undo(struct fs_locks *t, const struct fs_lock_wait *w)
{
	struct fs_lock_request rq = w->rq;

	pthread_mutex_lock(&t->mutex);
	if (unlock(t, &rq)) {
		/* All of them need no memory. */
		rq.start = 0;
		rq.end = FS_LOCKS_END;
		(void)unlock(t, &rq);
	}
	rq.share->calls->lost(rq.share, rq.nodeid);
	finish(t);
}

bool fs_locks_test(struct fs_locks *t, const struct fs_lock_request *rq, struct fs_lock_found *out)
{
	struct fs_lock_query q = {.start = rq->start,
				  .end = rq->end,
				  .exclusive = rq->exclusive,
				  .nodeid = rq->nodeid,
				  .pass_yielding = true};
	const struct fs_lock_file *f;
	const struct fs_lock *l;

	pthread_mutex_lock(&t->mutex);
	q.owner = owner_of(t, rq, false);
	f = file_of(t, rq->nodeid, false);
	l = f ? fs_lock_tree_conflict(f->tree[rq->space], &q) : NULL;
	if (l)
		*out = (struct fs_lock_found){l->start, l->end, l->exclusive, l->pid};
	pthread_mutex_unlock(&t->mutex);
	return l != NULL;
}

void fs_locks_close_handle(struct fs_locks *t, struct fs_lock_share *s, uint64_t nodeid,
			   uint64_t handle)
{
	struct fs_lock_link *next;

	pthread_mutex_lock(&t->mutex);
	for (struct fs_lock_link *at = s->locks.next; at != &s->locks; at = next) {
		struct fs_lock *l = FS_LOCK_OF(struct fs_lock, of_share, at);

		next = at->next;
		if (l->handle == handle && l->file->nodeid == nodeid)
			lock_del(t, l);
	}
	finish(t);
}

/* ---- taking away ---- */

void fs_locks_offer(struct fs_locks *t, struct fs_lock_share *s, int rc)
{
	pthread_mutex_lock(&t->mutex);
	fail_waits(t, s, rc);
	for (struct fs_lock_link *at = s->locks.next; at != &s->locks; at = at->next)
		touch(t, FS_LOCK_OF(struct fs_lock, of_share, at)->file);
	finish(t);
}

static uint32_t journal_of(uint64_t nodeid)
{
	return (uint32_t)(nodeid >> 40);
}

static unsigned journal_add(uint32_t journal, uint32_t *out, unsigned n, unsigned cap)
{
	for (unsigned k = 0; k < n; k++) {
		if (out[k] == journal)
			return n;
	}
	if (n < cap)
		out[n++] = journal;
	return n;
}

unsigned fs_locks_journals(struct fs_locks *t, struct fs_lock_share *s, uint32_t *out, unsigned cap)
{
	unsigned n = 0;

	pthread_mutex_lock(&t->mutex);
	for (struct fs_lock_link *at = s->locks.next; at != &s->locks; at = at->next) {
		const struct fs_lock *l = FS_LOCK_OF(struct fs_lock, of_share, at);

		n = journal_add(journal_of(l->file->nodeid), out, n, cap);
	}
	for (struct fs_lock_link *at = s->waits.next; at != &s->waits; at = at->next) {
		const struct fs_lock_wait *w = FS_LOCK_OF(struct fs_lock_wait, of_share, at);

		n = journal_add(journal_of(w->rq.nodeid), out, n, cap);
	}
	pthread_mutex_unlock(&t->mutex);
	return n;
}

static void revoke_lock(struct fs_locks *t, struct fs_lock *l)
{
	struct fs_lock_share *s = l->owner->share;
	struct fs_lock_file *f = l->file;

	lock_del(t, l);
	if (f->mark != t->marks)
		s->calls->lost(s, f->nodeid);
	f->mark = t->marks;
}

void fs_locks_revoke(struct fs_locks *t, struct fs_lock_share *s, uint32_t journal,
		     uint32_t rights, int rc)
{
	struct fs_lock_link *next;

	pthread_mutex_lock(&t->mutex);
	t->marks++;
	for (struct fs_lock_link *at = s->waits.next; at != &s->waits; at = next) {
		struct fs_lock_wait *w = FS_LOCK_OF(struct fs_lock_wait, of_share, at);

		next = at->next;
		if (journal_of(w->rq.nodeid) == journal && w->rq.needs & ~rights)
			complete(t, w, rc);
	}
	for (struct fs_lock_link *at = s->locks.next; at != &s->locks; at = next) {
		struct fs_lock *l = FS_LOCK_OF(struct fs_lock, of_share, at);

		next = at->next;
		if (journal_of(l->file->nodeid) == journal && l->needs & ~rights)
			revoke_lock(t, l);
	}
	finish(t);
}

void fs_locks_tick(struct fs_locks *t, struct fs_lock_share *s, int64_t now_ns)
{
	pthread_mutex_lock(&t->mutex);
	for (struct fs_lock_link *at = s->waits.next; at != &s->waits; at = at->next) {
		struct fs_lock_wait *w = FS_LOCK_OF(struct fs_lock_wait, of_share, at);

		if (!w->behind)
			continue;
		if (!w->behind_ns)
			w->behind_ns = now_ns;
		if (now_ns - w->behind_ns < FS_LOCKS_PATIENCE_NS)
			continue;
		w->impatient = true;
		touch(t, w->file);
	}
	finish(t);
}
