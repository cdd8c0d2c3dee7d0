/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/locks_wait.c - who is in the way, who waits for whom, and whose turn it is.
 *
 * Invariant: a waiter stands in the queue of its file and either conflicts with a lock of its
 * `blocker`, or is `behind` an earlier waiter. Circles are looked for along the blockers,
 * when one is set.
 */
#include "locks_impl.h"

#include <errno.h>

#define CIRCLE_DEPTH 64 /* longer ones are not looked for */

/* ---- who is in the way ---- */

static void take_from(struct fs_locks *t, struct fs_lock_share *s, const struct fs_lock_file *f)
{
	struct fs_lock_link *next;

	for (struct fs_lock_link *at = s->locks.next; at != &s->locks; at = next) {
		struct fs_lock *l = FS_LOCK_OF(struct fs_lock, of_share, at);

		next = at->next;
		if (l->file == f)
			fs_lock_del(t, l);
	}
}

struct fs_lock *fs_lock_obstacle(struct fs_locks *t, struct fs_lock_file *f,
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

bool fs_lock_stands_behind(const struct fs_lock_file *f, const struct fs_lock_owner *o,
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

bool fs_lock_closes_circle(struct fs_locks *t, const struct fs_lock_owner *o,
			   struct fs_lock_owner *blocker)
{
	t->marks++;
	return o->space == FS_LOCK_RANGE && reaches(t, blocker, o, CIRCLE_DEPTH);
}

/* ---- waiting ---- */

struct fs_lock_wait **fs_lock_ticket_at(struct fs_locks *t, uint64_t ticket)
{
	struct fs_lock_wait **at = &t->ticket[ticket % FS_LOCKS_BUCKETS];

	while (*at && (*at)->ticket != ticket)
		at = &(*at)->bucket;
	return at;
}

void fs_lock_ticket_del(struct fs_locks *t, struct fs_lock_wait *w)
{
	struct fs_lock_wait **at = fs_lock_ticket_at(t, w->ticket);

	if (*at == w)
		*at = w->bucket;
	w->bucket = NULL;
}

void fs_lock_done(struct fs_lock_wait *w, int rc)
{
	struct fs_lock_share *s = w->rq.share;

	w->rc = rc;
	fs_lock_link_add(&s->done, &w->of_share);
	s->calls->wake(s);
}

void fs_lock_complete(struct fs_locks *t, struct fs_lock_wait *w, int rc)
{
	fs_lock_link_del(&w->of_share);
	fs_lock_link_del(&w->of_file);
	fs_lock_link_del(&w->of_owner);
	atomic_fetch_sub(&w->rq.share->waiting, 1);
	fs_lock_owner_idle(t, w->owner);
	fs_lock_touch(t, w->file);
	w->file = NULL;
	fs_lock_ticket_del(t, w);
	fs_lock_done(w, rc);
}

void fs_lock_park(struct fs_lock_file *f, struct fs_lock_owner *o, struct fs_lock_wait *w)
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
	struct fs_lock *l = fs_lock_obstacle(t, f, w->owner, &w->rq);

	if (l) {
		bool other = l->owner != w->blocker;

		w->blocker = l->owner;
		w->behind = false;
		w->behind_ns = 0;
		if (other && fs_lock_closes_circle(t, w->owner, w->blocker))
			fs_lock_complete(t, w, -EDEADLK);
		return;
	}
	w->blocker = NULL;
	w->behind = !w->impatient && fs_lock_stands_behind(f, w->owner, &w->rq, &w->of_file);
	if (!w->behind)
		fs_lock_complete(t, w, fs_lock_apply(t, f, w->owner, &w->rq, false));
}

void fs_lock_settle(struct fs_locks *t)
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
