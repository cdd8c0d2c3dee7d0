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

/* ---- the doors ---- */

static void finish(struct fs_locks *t)
{
	fs_lock_settle(t);
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
		fs_lock_complete(t, FS_LOCK_OF(struct fs_lock_wait, of_share, s->waits.next), rc);
}

void fs_locks_leave(struct fs_locks *t, struct fs_lock_share *s)
{
	pthread_mutex_lock(&t->mutex);
	s->closed = true;
	fail_waits(t, s, -ENODEV);
	while (!fs_lock_link_empty(&s->locks))
		fs_lock_del(t, FS_LOCK_OF(struct fs_lock, of_share, s->locks.next));
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

/* flock lets go of what it converts, so that two who convert can't wait for each other. True: it
 * has it already. */
static bool flock_has(struct fs_locks *t, struct fs_lock_file *f, struct fs_lock_owner *o,
		      const struct fs_lock_request *rq)
{
	const struct fs_lock_query q = {.start = 0, .end = FS_LOCKS_END, .owner = o};
	struct fs_lock *l = fs_lock_tree_own(f->tree[rq->space], &q, NULL);

	if (!l || (l->exclusive == rq->exclusive && l->handle == rq->handle))
		return l != NULL;
	fs_lock_del(t, l);
	fs_lock_settle(t);
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
		fs_lock_file_idle(t, f);
	if (o)
		fs_lock_owner_idle(t, o);
	if (!f || !o)
		return -ENOLCK;
	if (rq->space == FS_LOCK_WHOLE && flock_has(t, f, o, rq))
		return 0;
	l = fs_lock_obstacle(t, f, o, rq);
	if (!l && !(wait && fs_lock_stands_behind(f, o, rq, &f->waits)))
		return fs_lock_apply(t, f, o, rq, false);
	if (!wait)
		return -EAGAIN;
	if (l && fs_lock_closes_circle(t, o, l->owner))
		return -EDEADLK;
	if (atomic_load(&rq->share->waiting) >= FS_LOCKS_WAITING)
		return -ENOLCK;
	w->blocker = l ? l->owner : NULL;
	w->behind = !l;
	fs_lock_park(f, o, w);
	return 1;
}

int fs_locks_set(struct fs_locks *t, struct fs_lock_wait *w, bool wait)
{
	int rc;

	pthread_mutex_lock(&t->mutex);
	rc = set(t, w, wait);
	if (rc != 1)
		fs_lock_ticket_del(t, w);
	finish(t);
	return rc;
}

void fs_locks_defer(struct fs_locks *t, struct fs_lock_wait *w)
{
	pthread_mutex_lock(&t->mutex);
	fs_lock_done(w, 0);
	pthread_mutex_unlock(&t->mutex);
}

void fs_locks_cancel(struct fs_locks *t, uint64_t ticket, int rc)
{
	struct fs_lock_wait *w;

	pthread_mutex_lock(&t->mutex);
	w = *fs_lock_ticket_at(t, ticket);
	if (w && w->file)
		fs_lock_complete(t, w, rc);
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

	return f && o ? fs_lock_apply(t, f, o, rq, true) : 0;
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
			fs_lock_del(t, l);
	}
	finish(t);
}

/* ---- taking away ---- */

void fs_locks_offer(struct fs_locks *t, struct fs_lock_share *s, int rc)
{
	pthread_mutex_lock(&t->mutex);
	fail_waits(t, s, rc);
	for (struct fs_lock_link *at = s->locks.next; at != &s->locks; at = at->next)
		fs_lock_touch(t, FS_LOCK_OF(struct fs_lock, of_share, at)->file);
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

	fs_lock_del(t, l);
	if (f->mark != t->marks)
		s->calls->lost(s, f->nodeid);
	f->mark = t->marks;
}

void fs_locks_revoke(struct fs_locks *t, struct fs_lock_share *s, uint32_t journal, uint32_t rights,
		     int rc)
{
	struct fs_lock_link *next;

	pthread_mutex_lock(&t->mutex);
	t->marks++;
	for (struct fs_lock_link *at = s->waits.next; at != &s->waits; at = next) {
		struct fs_lock_wait *w = FS_LOCK_OF(struct fs_lock_wait, of_share, at);

		next = at->next;
		if (journal_of(w->rq.nodeid) == journal && w->rq.needs & ~rights)
			fs_lock_complete(t, w, rc);
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
		fs_lock_touch(t, w->file);
	}
	finish(t);
}
