/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of file locks: every way two ranges of one owner can meet, waiting and its order,
 * circles, shares that yield, leave or lose rights, limits; and random use beside a model that
 * keeps a byte for every byte.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../fs/locks.h"

#define NODE UINT64_C(0x10000000005) /* journal 1, inode 5 */
#define SHARES 3
#define END FS_LOCKS_END

static struct fs_locks *t;
static struct share {
	struct fs_lock_share s; /* first */
	bool yields;
	unsigned woken, lost;
} share[SHARES];

/* Whose requests were done, in that order. */
static int order[1024];
static unsigned order_len;

static void wake(struct fs_lock_share *s)
{
	struct share *sh = (struct share *)(void *)s;

	sh->woken++;
	order[order_len++ % 1024] = (int)(sh - share);
}

static bool yields(struct fs_lock_share *s, uint64_t nodeid, bool take)
{
	struct share *sh = (struct share *)(void *)s;

	(void)nodeid;
	sh->lost += sh->yields && take;
	return sh->yields;
}

static void lost(struct fs_lock_share *s, uint64_t nodeid)
{
	(void)nodeid;
	((struct share *)(void *)s)->lost++;
}

static const struct fs_lock_calls calls = {wake, yields, lost};

static void set_up(void)
{
	memset(share, 0, sizeof(share));
	ck_assert_int_eq(fs_locks_new(&t), 0);
	for (int k = 0; k < SHARES; k++)
		fs_locks_join(t, &share[k].s, &calls);
}

static struct fs_lock_wait *done(int sh)
{
	return fs_locks_take(t, &share[sh].s);
}

static void tear_down(void)
{
	for (int k = 0; k < SHARES; k++) {
		struct fs_lock_wait *w;

		fs_locks_leave(t, &share[k].s);
		while ((w = done(k)) != NULL)
			free(w);
		ck_assert_uint_eq(atomic_load(&share[k].s.held), 0);
		ck_assert_uint_eq(atomic_load(&share[k].s.waiting), 0);
	}
	fs_locks_free(t);
}

static struct fs_lock_request rq(int sh, uint64_t owner, uint64_t start, uint64_t end, char type)
{
	return (struct fs_lock_request){.share = &share[sh].s,
					.nodeid = NODE,
					.owner = owner,
					.handle = owner,
					.start = start,
					.end = end,
					.exclusive = type == 'W',
					.needs = type == 'W' ? 2 : 1,
					.pid = (int32_t)owner};
}

/* The request waits in *w when it returns 1. */
static int ask(struct fs_lock_request r, bool wait, struct fs_lock_wait **out)
{
	struct fs_lock_wait *w = calloc(1, sizeof(*w));
	int rc;

	ck_assert_ptr_nonnull(w);
	w->rq = r;
	fs_locks_prepare(t, w);
	rc = fs_locks_set(t, w, wait);
	if (rc != 1)
		free(w);
	else if (out)
		*out = w;
	return rc;
}

static int try(int sh, uint64_t owner, uint64_t start, uint64_t end, char type)
{
	struct fs_lock_request r = rq(sh, owner, start, end, type);

	return type == 'U' ? fs_locks_unlock(t, &r) : ask(r, false, NULL);
}

static int wait_for(int sh, uint64_t owner, uint64_t start, uint64_t end, char type)
{
	return ask(rq(sh, owner, start, end, type), true, NULL);
}

/* The one request of this share that is done, by its owner; 0: none. *rc as given. */
static uint64_t next_done(int sh, int *rc)
{
	struct fs_lock_wait *w = done(sh);
	uint64_t owner = w ? w->rq.owner : 0;

	if (w && rc)
		*rc = w->rc;
	free(w);
	return owner;
}

static int flock_of(int sh, uint64_t owner, char type, bool wait)
{
	struct fs_lock_request r = rq(sh, owner, 0, END, type);

	r.space = FS_LOCK_WHOLE;
	return type == 'U' ? fs_locks_unlock(t, &r) : ask(r, wait, NULL);
}

/* All locks that a stranger's exclusive lock would meet, as text: "0-4R 5-9W". */
static const char *map(void)
{
	static char text[512];
	struct fs_lock_request r = rq(2, 999, 0, END, 'W');
	struct fs_lock_found f;

	text[0] = '\0';
	while (fs_locks_test(t, &r, &f)) {
		char one[64];

		snprintf(one, sizeof(one), f.end == END ? "%s%d-%c" : "%s%d-%d%c",
			 text[0] ? " " : "", (int)f.start,
			 f.end == END ? (f.exclusive ? 'W' : 'R') : (int)f.end,
			 f.exclusive ? 'W' : 'R');
		strcat(text, one);
		if (f.end == END)
			break;
		r.start = f.end + 1;
	}
	return text;
}

/* ---- one owner's ranges ---- */

/* First 10 to 19, then the second; what stands then. */
static const struct meeting {
	char first, second;
	unsigned start, end;
	const char *then;
} meetings[] = {
	{'R', 'R', 0, 4, "0-4R 10-19R"},     {'R', 'R', 0, 9, "0-19R"},
	{'R', 'R', 0, 14, "0-19R"},	     {'R', 'R', 0, 19, "0-19R"},
	{'R', 'R', 0, 29, "0-29R"},	     {'R', 'R', 10, 14, "10-19R"},
	{'R', 'R', 12, 14, "10-19R"},	     {'R', 'R', 10, 19, "10-19R"},
	{'R', 'R', 15, 19, "10-19R"},	     {'R', 'R', 15, 29, "10-29R"},
	{'R', 'R', 20, 29, "10-29R"},	     {'R', 'R', 21, 29, "10-19R 21-29R"},
	{'R', 'W', 0, 9, "0-9W 10-19R"},     {'R', 'W', 0, 14, "0-14W 15-19R"},
	{'R', 'W', 0, 29, "0-29W"},	     {'R', 'W', 10, 19, "10-19W"},
	{'R', 'W', 12, 14, "10-11R 12-14W 15-19R"}, {'R', 'W', 15, 29, "10-14R 15-29W"},
	{'W', 'R', 0, 14, "0-14R 15-19W"},   {'W', 'R', 12, 14, "10-11W 12-14R 15-19W"},
	{'W', 'R', 15, 29, "10-14W 15-29R"}, {'W', 'R', 20, 29, "10-19W 20-29R"},
	{'W', 'W', 0, 9, "0-19W"},	     {'W', 'W', 12, 14, "10-19W"},
	{'R', 'U', 0, 9, "10-19R"},	     {'R', 'U', 0, 10, "11-19R"},
	{'R', 'U', 10, 19, ""},		     {'R', 'U', 0, 29, ""},
	{'R', 'U', 12, 14, "10-11R 15-19R"}, {'R', 'U', 19, 29, "10-18R"},
	{'W', 'U', 20, 29, "10-19W"},	     {'W', 'U', 10, 10, "11-19W"},
};

START_TEST(ranges_of_one_owner_meet_as_in_linux)
{
	for (size_t k = 0; k < sizeof(meetings) / sizeof(meetings[0]); k++) {
		const struct meeting *m = &meetings[k];

		ck_assert_int_eq(try(0, 1, 10, 19, m->first), 0);
		ck_assert_int_eq(try(0, 1, m->start, m->end, m->second), 0);
		ck_assert_msg(!strcmp(map(), m->then), "%c 10-19, %c %u-%u: %s", m->first,
			      m->second, m->start, m->end, map());
		ck_assert_int_eq(try(0, 1, 0, END, 'U'), 0);
		ck_assert_str_eq(map(), "");
	}
}
END_TEST

START_TEST(range_reaches_to_the_last_byte)
{
	ck_assert_int_eq(try(0, 1, 100, END, 'W'), 0);
	ck_assert_int_eq(try(1, 2, END, END, 'R'), -EAGAIN);
	ck_assert_int_eq(try(1, 2, 0, 99, 'W'), 0);
	ck_assert_int_eq(try(0, 1, END, END, 'U'), 0);
	ck_assert_int_eq(try(1, 2, END, END, 'W'), 0);
	ck_assert_int_eq(try(1, 2, END - 1, END - 1, 'R'), -EAGAIN);
}
END_TEST

/* ---- owners ---- */

START_TEST(others_conflict_unless_both_share)
{
	ck_assert_int_eq(try(0, 1, 0, 9, 'R'), 0);
	ck_assert_int_eq(try(0, 2, 5, 14, 'R'), 0);
	ck_assert_int_eq(try(1, 1, 0, 14, 'R'), 0);
	ck_assert_int_eq(try(1, 3, 14, 20, 'W'), -EAGAIN);
	ck_assert_int_eq(try(1, 3, 15, 20, 'W'), 0);
	ck_assert_int_eq(try(0, 1, 20, 20, 'R'), -EAGAIN);
	/* An upgrade fails while another shares, and keeps what it had. */
	ck_assert_int_eq(try(0, 1, 0, 9, 'W'), -EAGAIN);
	ck_assert_int_eq(try(1, 1, 0, 14, 'U'), 0);
	ck_assert_int_eq(try(0, 1, 0, 4, 'W'), 0);
	ck_assert_int_eq(try(0, 1, 0, 9, 'W'), -EAGAIN);
}
END_TEST

START_TEST(same_owner_number_in_another_mount_is_another_owner)
{
	ck_assert_int_eq(try(0, 7, 0, 9, 'W'), 0);
	ck_assert_int_eq(try(1, 7, 0, 9, 'R'), -EAGAIN);
	ck_assert_int_eq(try(0, 7, 0, 9, 'R'), 0);
	ck_assert_int_eq(try(1, 7, 0, 9, 'R'), 0);
}
END_TEST

START_TEST(flock_and_fcntl_never_meet)
{
	ck_assert_int_eq(try(0, 1, 0, END, 'W'), 0);
	ck_assert_int_eq(flock_of(1, 2, 'W', false), 0);
	ck_assert_int_eq(flock_of(0, 1, 'R', false), -EAGAIN);
	ck_assert_int_eq(try(1, 2, 0, 0, 'R'), -EAGAIN);
	ck_assert_int_eq(flock_of(1, 2, 'U', false), 0);
	ck_assert_int_eq(try(1, 2, 0, 0, 'R'), -EAGAIN);
	ck_assert_int_eq(flock_of(0, 1, 'R', false), 0);
}
END_TEST

START_TEST(flock_converts_by_letting_go_first)
{
	ck_assert_int_eq(flock_of(0, 1, 'R', false), 0);
	ck_assert_int_eq(flock_of(0, 1, 'R', false), 0);
	ck_assert_int_eq(flock_of(1, 2, 'R', false), 0);
	/* Fails, and what it had is gone, as in Linux. */
	ck_assert_int_eq(flock_of(0, 1, 'W', false), -EAGAIN);
	ck_assert_uint_eq(atomic_load(&share[0].s.held), 0);
	ck_assert_int_eq(flock_of(1, 2, 'W', false), 0);
	/* Two who convert don't wait for each other. */
	ck_assert_int_eq(flock_of(1, 2, 'R', false), 0);
	ck_assert_int_eq(flock_of(0, 1, 'R', false), 0);
	ck_assert_int_eq(flock_of(0, 1, 'W', true), 1);
	ck_assert_int_eq(flock_of(1, 2, 'W', true), 1);
	ck_assert_uint_eq(next_done(0, NULL), 1);
	ck_assert_uint_eq(next_done(1, NULL), 0);
	ck_assert_int_eq(flock_of(0, 1, 'U', false), 0);
	ck_assert_uint_eq(next_done(1, NULL), 2);
}
END_TEST

START_TEST(test_names_what_is_in_the_way)
{
	struct fs_lock_request r = rq(1, 2, 0, END, 'R');
	struct fs_lock_found f = {0};

	ck_assert_int_eq(try(0, 11, 0, 3, 'R'), 0);
	ck_assert_int_eq(try(0, 12, 5, 9, 'W'), 0);
	ck_assert(fs_locks_test(t, &r, &f));
	ck_assert_uint_eq(f.start, 5);
	ck_assert_uint_eq(f.end, 9);
	ck_assert_int_eq(f.pid, 12);
	ck_assert(f.exclusive);
	r.exclusive = true;
	ck_assert(fs_locks_test(t, &r, &f));
	ck_assert_int_eq(f.pid, 11);
	r.start = 10;
	ck_assert(!fs_locks_test(t, &r, &f));
	r = rq(0, 12, 5, 9, 'W');
	ck_assert(!fs_locks_test(t, &r, &f));
}
END_TEST

START_TEST(close_of_a_handle_drops_what_came_through_it)
{
	struct fs_lock_request r = rq(0, 1, 0, 9, 'W');

	ck_assert_int_eq(try(0, 1, 10, 19, 'W'), 0);
	r.handle = 50;
	ck_assert_int_eq(ask(r, false, NULL), 0);
	fs_locks_close_handle(t, &share[0].s, NODE + 1, 50);
	fs_locks_close_handle(t, &share[1].s, NODE, 50);
	ck_assert_str_eq(map(), "0-9W 10-19W");
	fs_locks_close_handle(t, &share[0].s, NODE, 50);
	ck_assert_str_eq(map(), "10-19W");
}
END_TEST

/* ---- waiting ---- */

START_TEST(waiters_are_granted_in_order_of_arrival)
{
	ck_assert_int_eq(try(0, 1, 0, 9, 'W'), 0);
	ck_assert_int_eq(wait_for(1, 2, 0, 9, 'W'), 1);
	ck_assert_int_eq(wait_for(1, 3, 0, 9, 'R'), 1);
	ck_assert_int_eq(wait_for(0, 4, 0, 9, 'R'), 1);
	ck_assert_int_eq(wait_for(1, 5, 20, 29, 'W'), 0);
	ck_assert_uint_eq(next_done(1, NULL), 0);
	ck_assert_int_eq(try(0, 1, 0, 9, 'U'), 0);
	ck_assert_uint_eq(next_done(1, NULL), 2);
	ck_assert_uint_eq(next_done(1, NULL), 0);
	ck_assert_uint_eq(next_done(0, NULL), 0);
	/* A downgrade lets the readers in, both. */
	ck_assert_int_eq(try(1, 2, 0, 9, 'R'), 0);
	ck_assert_uint_eq(next_done(1, NULL), 3);
	ck_assert_uint_eq(next_done(0, NULL), 4);
	ck_assert_uint_gt(share[1].woken, 0);
}
END_TEST

START_TEST(part_that_is_let_go_wakes_who_wants_only_that)
{
	ck_assert_int_eq(try(0, 1, 0, 99, 'W'), 0);
	ck_assert_int_eq(wait_for(1, 2, 50, 99, 'W'), 1);
	ck_assert_int_eq(wait_for(1, 3, 10, 19, 'R'), 1);
	ck_assert_int_eq(try(0, 1, 0, 29, 'U'), 0);
	ck_assert_uint_eq(next_done(1, NULL), 3);
	ck_assert_uint_eq(next_done(1, NULL), 0);
	ck_assert_int_eq(try(0, 1, 40, END, 'U'), 0);
	ck_assert_uint_eq(next_done(1, NULL), 2);
}
END_TEST

START_TEST(writer_is_not_starved_by_readers)
{
	ck_assert_int_eq(try(0, 1, 0, 9, 'R'), 0);
	ck_assert_int_eq(wait_for(1, 2, 0, 9, 'W'), 1);
	/* Who asks without waiting is told the truth; who can wait stands behind. */
	ck_assert_int_eq(try(0, 3, 0, 9, 'R'), 0);
	ck_assert_int_eq(wait_for(0, 4, 0, 9, 'R'), 1);
	ck_assert_int_eq(try(0, 3, 0, 9, 'U'), 0);
	ck_assert_int_eq(try(0, 1, 0, 9, 'U'), 0);
	ck_assert_uint_eq(next_done(1, NULL), 2);
	ck_assert_uint_eq(next_done(0, NULL), 0);
	ck_assert_int_eq(try(1, 2, 0, 9, 'U'), 0);
	ck_assert_uint_eq(next_done(0, NULL), 4);
}
END_TEST

START_TEST(nobody_stands_behind_a_waiter_for_long)
{
	ck_assert_int_eq(try(0, 1, 0, 9, 'R'), 0);
	ck_assert_int_eq(wait_for(1, 2, 0, 9, 'W'), 1);
	ck_assert_int_eq(wait_for(0, 4, 0, 9, 'R'), 1);
	fs_locks_tick(t, &share[0].s, 1000);
	fs_locks_tick(t, &share[0].s, 1000 + FS_LOCKS_PATIENCE_NS - 1);
	ck_assert_uint_eq(next_done(0, NULL), 0);
	fs_locks_tick(t, &share[0].s, 1000 + FS_LOCKS_PATIENCE_NS);
	ck_assert_uint_eq(next_done(0, NULL), 4);
	fs_locks_tick(t, &share[1].s, 1000 + 9 * FS_LOCKS_PATIENCE_NS);
	ck_assert_uint_eq(next_done(1, NULL), 0);
}
END_TEST

START_TEST(who_holds_locks_stands_behind_nobody)
{
	ck_assert_int_eq(try(0, 1, 0, 9, 'R'), 0);
	ck_assert_int_eq(try(0, 4, 50, 59, 'R'), 0);
	ck_assert_int_eq(wait_for(1, 2, 0, 9, 'W'), 1);
	ck_assert_int_eq(wait_for(0, 4, 0, 9, 'R'), 0);
}
END_TEST

START_TEST(wait_that_is_interrupted_ends_and_lets_others_on)
{
	struct fs_lock_wait *w = NULL, *again;
	int rc = 0;

	ck_assert_int_eq(try(0, 1, 0, 9, 'R'), 0);
	ck_assert_int_eq(ask(rq(1, 2, 0, 9, 'W'), true, &w), 1);
	ck_assert_int_eq(wait_for(0, 3, 0, 9, 'R'), 1);
	fs_locks_cancel(t, w->ticket, -EINTR);
	ck_assert_uint_eq(next_done(1, &rc), 2);
	ck_assert_int_eq(rc, -EINTR);
	ck_assert_uint_eq(next_done(0, &rc), 3);
	ck_assert_int_eq(rc, 0);
	/* Long gone, and never there. */
	fs_locks_cancel(t, 1, -EINTR);
	fs_locks_cancel(t, 12345, -EINTR);
	/* Before it could wait. */
	again = calloc(1, sizeof(*again));
	again->rq = rq(1, 2, 0, 9, 'W');
	fs_locks_prepare(t, again);
	fs_locks_cancel(t, again->ticket, -EINTR);
	ck_assert_int_eq(fs_locks_set(t, again, true), -EINTR);
	free(again);
	ck_assert_uint_eq(next_done(1, NULL), 0);
}
END_TEST

START_TEST(grant_that_is_deferred_or_undone)
{
	struct fs_lock_wait *w = calloc(1, sizeof(*w)), *back;

	w->rq = rq(0, 1, 0, 9, 'W');
	fs_locks_prepare(t, w);
	ck_assert_int_eq(fs_locks_set(t, w, true), 0);
	fs_locks_defer(t, w);
	ck_assert_int_eq(wait_for(1, 2, 0, 9, 'R'), 1);
	back = done(0);
	ck_assert_ptr_eq(back, w);
	ck_assert_int_eq(back->rc, 0);
	fs_locks_undo(t, back);
	free(back);
	ck_assert_uint_eq(share[0].lost, 1);
	ck_assert_uint_eq(next_done(1, NULL), 2);
}
END_TEST

/* ---- circles ---- */

START_TEST(circle_of_two_is_refused)
{
	ck_assert_int_eq(try(0, 1, 0, 0, 'W'), 0);
	ck_assert_int_eq(try(1, 2, 1, 1, 'W'), 0);
	ck_assert_int_eq(wait_for(0, 1, 1, 1, 'R'), 1);
	ck_assert_int_eq(try(1, 2, 0, 0, 'R'), -EAGAIN);
	ck_assert_int_eq(wait_for(1, 2, 0, 0, 'R'), -EDEADLK);
	ck_assert_int_eq(try(1, 2, 1, 1, 'U'), 0);
	ck_assert_uint_eq(next_done(0, NULL), 1);
}
END_TEST

START_TEST(circle_of_three_over_files_is_refused)
{
	struct fs_lock_request other = rq(2, 3, 0, 0, 'W');

	other.nodeid = NODE + 9;
	ck_assert_int_eq(try(0, 1, 0, 0, 'W'), 0);
	ck_assert_int_eq(try(1, 2, 1, 1, 'W'), 0);
	ck_assert_int_eq(ask(other, false, NULL), 0);
	ck_assert_int_eq(wait_for(0, 1, 1, 1, 'W'), 1);
	other = rq(1, 2, 0, 0, 'W');
	other.nodeid = NODE + 9;
	ck_assert_int_eq(ask(other, true, NULL), 1);
	ck_assert_int_eq(wait_for(2, 3, 5, 5, 'W'), 0);
	ck_assert_int_eq(wait_for(2, 3, 0, 0, 'W'), -EDEADLK);
}
END_TEST

START_TEST(upgrades_that_wait_for_each_other_are_refused)
{
	ck_assert_int_eq(try(0, 1, 0, 9, 'R'), 0);
	ck_assert_int_eq(try(1, 2, 0, 9, 'R'), 0);
	ck_assert_int_eq(wait_for(0, 1, 0, 9, 'W'), 1);
	ck_assert_int_eq(wait_for(1, 2, 0, 9, 'W'), -EDEADLK);
	ck_assert_int_eq(try(1, 2, 0, 9, 'U'), 0);
	ck_assert_uint_eq(next_done(0, NULL), 1);
	ck_assert_str_eq(map(), "0-9W");
}
END_TEST

START_TEST(circle_that_closes_when_another_lets_go_is_refused)
{
	int rc = 0;

	/* 1 waits for two; the second of them waits for 1. */
	ck_assert_int_eq(try(0, 1, 50, 50, 'W'), 0);
	ck_assert_int_eq(try(1, 2, 0, 4, 'R'), 0);
	ck_assert_int_eq(try(1, 3, 5, 9, 'R'), 0);
	ck_assert_int_eq(wait_for(0, 1, 0, 9, 'W'), 1);
	ck_assert_int_eq(wait_for(1, 3, 50, 50, 'W'), 1);
	ck_assert_int_eq(try(1, 2, 0, 4, 'U'), 0);
	ck_assert_uint_eq(next_done(0, &rc), 1);
	ck_assert_int_eq(rc, -EDEADLK);
}
END_TEST

START_TEST(flock_never_looks_for_circles)
{
	struct fs_lock_request b = rq(1, 2, 0, END, 'W'), a = rq(0, 1, 0, END, 'W');

	a.space = b.space = FS_LOCK_WHOLE;
	b.nodeid = NODE + 1;
	ck_assert_int_eq(ask(a, false, NULL), 0);
	ck_assert_int_eq(ask(b, false, NULL), 0);
	a.nodeid = NODE + 1;
	b.nodeid = NODE;
	ck_assert_int_eq(ask(a, true, NULL), 1);
	ck_assert_int_eq(ask(b, true, NULL), 1);
}
END_TEST

/* ---- shares ---- */

START_TEST(share_that_leaves_wakes_others_and_takes_no_more)
{
	int rc = 0;

	ck_assert_int_eq(try(0, 1, 0, 9, 'W'), 0);
	ck_assert_int_eq(flock_of(0, 1, 'W', false), 0);
	ck_assert_int_eq(try(1, 2, 20, 29, 'W'), 0);
	ck_assert_int_eq(wait_for(0, 1, 20, 29, 'W'), 1);
	ck_assert_int_eq(wait_for(1, 3, 0, 9, 'W'), 1);
	ck_assert_int_eq(flock_of(1, 3, 'W', true), 1);
	fs_locks_leave(t, &share[0].s);
	ck_assert_uint_eq(next_done(0, &rc), 1);
	ck_assert_int_eq(rc, -ENODEV);
	ck_assert_uint_eq(next_done(1, NULL), 3);
	ck_assert_uint_eq(next_done(1, NULL), 3);
	ck_assert_int_eq(try(0, 1, 100, 100, 'R'), -ENODEV);
}
END_TEST

START_TEST(share_that_yields_keeps_what_nobody_wants)
{
	struct fs_lock_request r = rq(1, 2, 0, 9, 'W');
	struct fs_lock_found f;
	int rc = 0;

	ck_assert_int_eq(try(0, 1, 0, 9, 'W'), 0);
	ck_assert_int_eq(try(1, 2, 50, 50, 'W'), 0);
	ck_assert_int_eq(wait_for(0, 1, 50, 50, 'W'), 1);
	share[0].yields = true;
	fs_locks_offer(t, &share[0].s, -ENOKEY);
	ck_assert_uint_eq(next_done(0, &rc), 1);
	ck_assert_int_eq(rc, -ENOKEY);
	/* It is not in the way, but looking takes nothing from it. */
	ck_assert(!fs_locks_test(t, &r, &f));
	ck_assert_uint_eq(share[0].lost, 0);
	share[0].yields = false;
	ck_assert_int_eq(try(1, 2, 0, 0, 'R'), -EAGAIN);
	ck_assert_uint_eq(atomic_load(&share[0].s.held), 1);
}
END_TEST

START_TEST(share_that_yields_loses_all_of_a_file_to_who_wants_some)
{
	ck_assert_int_eq(try(0, 1, 0, 9, 'W'), 0);
	ck_assert_int_eq(try(0, 1, 20, 29, 'R'), 0);
	ck_assert_int_eq(flock_of(0, 5, 'W', false), 0);
	share[0].yields = true;
	ck_assert_int_eq(try(1, 2, 25, 25, 'R'), 0);
	ck_assert_uint_eq(share[0].lost, 0);
	ck_assert_int_eq(try(1, 2, 5, 5, 'R'), 0);
	ck_assert_uint_eq(share[0].lost, 1);
	ck_assert_uint_eq(atomic_load(&share[0].s.held), 0);
	share[0].yields = false;
	ck_assert_int_eq(try(1, 2, 0, 99, 'W'), 0);
}
END_TEST

START_TEST(share_that_begins_to_yield_lets_waiters_in)
{
	ck_assert_int_eq(try(0, 1, 0, 9, 'W'), 0);
	ck_assert_int_eq(wait_for(1, 2, 0, 9, 'W'), 1);
	share[0].yields = true;
	fs_locks_offer(t, &share[0].s, -ENOKEY);
	ck_assert_uint_eq(next_done(1, NULL), 2);
	ck_assert_uint_eq(share[0].lost, 1);
}
END_TEST

START_TEST(rights_that_go_take_the_locks_that_need_them)
{
	struct fs_lock_request elsewhere = rq(0, 1, 0, 9, 'W');
	uint32_t journals[8];
	int rc = 0;

	elsewhere.nodeid = NODE + (UINT64_C(7) << 40);
	ck_assert_int_eq(ask(elsewhere, false, NULL), 0);
	ck_assert_int_eq(try(0, 1, 0, 9, 'W'), 0);
	ck_assert_int_eq(try(0, 1, 20, 29, 'R'), 0);
	ck_assert_int_eq(try(1, 2, 40, 40, 'W'), 0);
	ck_assert_int_eq(wait_for(0, 1, 40, 40, 'W'), 1);
	ck_assert_int_eq(wait_for(1, 3, 0, 0, 'W'), 1);
	ck_assert_uint_eq(fs_locks_journals(t, &share[0].s, journals, 8), 2);
	ck_assert_uint_eq(journals[0], 8);
	ck_assert_uint_eq(journals[1], 1);
	fs_locks_revoke(t, &share[0].s, 1, 3, -EACCES);
	ck_assert_uint_eq(share[0].lost, 0);
	fs_locks_revoke(t, &share[0].s, 1, 1, -EACCES);
	ck_assert_uint_eq(next_done(0, &rc), 1);
	ck_assert_int_eq(rc, -EACCES);
	ck_assert_uint_eq(next_done(1, NULL), 3);
	ck_assert_uint_eq(share[0].lost, 1);
	ck_assert_str_eq(map(), "0-0W 20-29R 40-40W");
	fs_locks_revoke(t, &share[0].s, 1, 0, -EACCES);
	ck_assert_str_eq(map(), "0-0W 40-40W");
	ck_assert_uint_eq(atomic_load(&share[0].s.held), 1);
}
END_TEST

START_TEST(share_has_only_so_many_locks_and_waiters)
{
	uint64_t n;

	for (n = 0; n < FS_LOCKS_HELD; n++)
		ck_assert_int_eq(try(0, 1, 2 * n, 2 * n, 'W'), 0);
	ck_assert_int_eq(try(0, 1, 2 * n, 2 * n, 'W'), -ENOLCK);
	ck_assert_int_eq(try(0, 2, 2 * n, 2 * n, 'R'), -ENOLCK);
	/* What needs no more is still possible; so is everything for others. */
	ck_assert_int_eq(try(0, 1, 1, 1, 'W'), 0);
	ck_assert_int_eq(try(0, 1, 100000, 100000, 'W'), 0);
	ck_assert_int_eq(try(1, 9, 200000, 200000, 'W'), 0);
	ck_assert_int_eq(try(0, 1, 1, 1, 'U'), -ENOLCK);
	ck_assert_int_eq(try(0, 1, 0, 2, 'U'), 0);
	ck_assert_int_eq(try(0, 1, 0, END, 'U'), 0);
	for (n = 0; n < FS_LOCKS_WAITING; n++)
		ck_assert_int_eq(wait_for(0, 10 + n, 200000, 200000, 'W'), 1);
	ck_assert_int_eq(wait_for(0, 5, 200000, 200000, 'W'), -ENOLCK);
	ck_assert_int_eq(wait_for(2, 5, 200000, 200000, 'W'), 1);
	ck_assert_int_eq(try(1, 9, 200000, 200000, 'U'), 0);
	ck_assert_uint_eq(next_done(0, NULL), 10);
	ck_assert_uint_eq(next_done(0, NULL), 0);
}
END_TEST

/* ---- beside a model ---- */

#define OWNERS 6
#define BYTES 24
#define ROUNDS 40000

static char held[OWNERS][BYTES]; /* 0, 'R', 'W' */
static struct fs_lock_wait *waits[OWNERS * 4];
static uint64_t arrived[OWNERS * 4];
static unsigned seed = 1;

static unsigned roll(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16 & 0x7fff) % n;
}

static bool model_free(unsigned o, uint64_t from, uint64_t to, char type)
{
	for (unsigned k = 0; k < OWNERS; k++)
		for (uint64_t b = from; b <= to && k != o; b++)
			if (held[k][b] && (type == 'W' || held[k][b] == 'W'))
				return false;
	return true;
}

static void model_set(unsigned o, uint64_t from, uint64_t to, char type)
{
	memset(&held[o][from], type == 'U' ? 0 : type, to - from + 1);
}

static char type_of(const struct fs_lock_request *r)
{
	return r->exclusive ? 'W' : 'R';
}

/* Whether an earlier waiter wants what r wants. */
static bool model_behind(const struct fs_lock_request *r, uint64_t when)
{
	for (unsigned k = 0; k < OWNERS * 4; k++) {
		const struct fs_lock_request *e = waits[k] ? &waits[k]->rq : NULL;

		if (e && arrived[k] < when && e->owner != r->owner && e->start <= r->end &&
		    r->start <= e->end && (e->exclusive || r->exclusive))
			return true;
	}
	return false;
}

/* Takes what is done, in that order, checking each grant against the model. */
static void model_collect(void)
{
	struct fs_lock_wait *w;

	for (unsigned n = 0; n < order_len; n++) {
		unsigned o;

		w = done(order[n]);
		ck_assert_ptr_nonnull(w);
		for (unsigned m = 0; m < OWNERS * 4; m++)
			waits[m] = waits[m] == w ? NULL : waits[m];
		o = (unsigned)w->rq.owner - 1;
		if (!w->rc) {
			ck_assert(model_free(o, w->rq.start, w->rq.end, type_of(&w->rq)));
			model_set(o, w->rq.start, w->rq.end, type_of(&w->rq));
		} else {
			ck_assert_int_eq(w->rc, -EDEADLK);
		}
		free(w);
	}
	order_len = 0;
}

static void model_compare(void)
{
	for (unsigned k = 0; k < OWNERS * 4; k++) {
		const struct fs_lock_request *r = waits[k] ? &waits[k]->rq : NULL;

		if (r && model_free((unsigned)r->owner - 1, r->start, r->end, type_of(r)))
			ck_assert_msg(model_behind(r, arrived[k]),
				      "nobody keeps a request that waits");
	}
	for (unsigned o = 0; o < OWNERS; o++) {
		for (unsigned b = 0; b < BYTES; b++) {
			struct fs_lock_request r = rq((int)(o % SHARES), o + 1, b, b, 'R');
			struct fs_lock_found f;

			ck_assert_int_eq(!fs_locks_test(t, &r, &f), model_free(o, b, b, 'R'));
			r.exclusive = true;
			ck_assert_int_eq(!fs_locks_test(t, &r, &f), model_free(o, b, b, 'W'));
		}
	}
}

static void model_step(uint64_t now)
{
	unsigned o = roll(OWNERS), from = roll(BYTES), to = from + roll(BYTES - from), slot;
	char type = "RWU"[roll(3)];
	struct fs_lock_request r = rq((int)(o % SHARES), o + 1, from, to, type);
	struct fs_lock_wait *w = NULL;
	bool wait = roll(2);
	int rc;

	for (slot = 0; slot < OWNERS * 4 && waits[slot]; slot++)
		;
	if (slot == OWNERS * 4 || !roll(20)) {
		slot = roll(OWNERS * 4);
		if (waits[slot])
			fs_locks_cancel(t, waits[slot]->ticket, -EDEADLK);
	} else if (type == 'U') {
		ck_assert_int_eq(fs_locks_unlock(t, &r), 0);
		model_set(o, from, to, type);
	} else {
		bool is_free = model_free(o, from, to, type);

		rc = ask(r, wait, &w);
		if (rc == 0)
			ck_assert(is_free);
		else if (rc == -EAGAIN || rc == -EDEADLK)
			ck_assert(!is_free && wait == (rc == -EDEADLK));
		else
			ck_assert_int_eq(rc, 1);
		if (rc == 0)
			model_set(o, from, to, type);
		if (rc == 1) {
			waits[slot] = w;
			arrived[slot] = now;
		}
	}
	model_collect();
}

START_TEST(random_use_agrees_with_a_model_of_bytes)
{
	unsigned left = 0;

	memset(held, 0, sizeof(held));
	memset(waits, 0, sizeof(waits));
	order_len = 0;
	for (uint64_t n = 1; n <= ROUNDS; n++) {
		model_step(n);
		if (n % 16 == 0)
			model_compare();
	}
	/* When all let go, all who wait come in. */
	for (unsigned n = 0; n < OWNERS * 8; n++) {
		for (unsigned o = 0; o < OWNERS; o++) {
			struct fs_lock_request r = rq((int)(o % SHARES), o + 1, 0, BYTES - 1, 'U');

			ck_assert_int_eq(fs_locks_unlock(t, &r), 0);
			model_set(o, 0, BYTES - 1, 'U');
			model_collect();
		}
	}
	for (unsigned k = 0; k < OWNERS * 4; k++)
		left += waits[k] != NULL;
	ck_assert_uint_eq(left, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		ranges_of_one_owner_meet_as_in_linux,
		range_reaches_to_the_last_byte,
		others_conflict_unless_both_share,
		same_owner_number_in_another_mount_is_another_owner,
		flock_and_fcntl_never_meet,
		flock_converts_by_letting_go_first,
		test_names_what_is_in_the_way,
		close_of_a_handle_drops_what_came_through_it,
		waiters_are_granted_in_order_of_arrival,
		part_that_is_let_go_wakes_who_wants_only_that,
		writer_is_not_starved_by_readers,
		nobody_stands_behind_a_waiter_for_long,
		who_holds_locks_stands_behind_nobody,
		wait_that_is_interrupted_ends_and_lets_others_on,
		grant_that_is_deferred_or_undone,
		circle_of_two_is_refused,
		circle_of_three_over_files_is_refused,
		upgrades_that_wait_for_each_other_are_refused,
		circle_that_closes_when_another_lets_go_is_refused,
		flock_never_looks_for_circles,
		share_that_leaves_wakes_others_and_takes_no_more,
		share_that_yields_keeps_what_nobody_wants,
		share_that_yields_loses_all_of_a_file_to_who_wants_some,
		share_that_begins_to_yield_lets_waiters_in,
		rights_that_go_take_the_locks_that_need_them,
		share_has_only_so_many_locks_and_waiters,
		random_use_agrees_with_a_model_of_bytes,
	};
	Suite *s = suite_create("fs/locks");
	TCase *c = tcase_create("table");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, set_up, tear_down);
	for (size_t k = 0; k < sizeof(tests) / sizeof(tests[0]); k++)
		tcase_add_test(c, tests[k]);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
