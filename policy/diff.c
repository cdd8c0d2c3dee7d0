/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/diff.c - a unified diff of two texts.
 *
 * Lines that are equal get equal numbers (by sorting: nobody can choose lines that
 * collide). Between the lines that both texts begin and end with, Myers' greedy
 * algorithm (An O(ND) Difference Algorithm, 1986) finds the shortest change, as long
 * as that is at most CHANGES_MAX lines and STEPS_MAX comparisons away; beyond that
 * all of the old lines there go and all of the new ones come.
 *
 * Invariant: whatever is marked, the unmarked lines of both sides are equal in pairs,
 * in order: so the diff is right also where it is not the shortest.
 */
#include "diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 3
#define CHANGES_MAX 1000    /* half of its square in int32_t is kept: 2 MB */
#define STEPS_MAX 20000000u /* a tenth of a second or less */
#define MORE_MAX 40	    /* "(and N more lines)" with a newline */

struct side {
	const char *text;
	size_t count;
	size_t *start;	  /* count + 1: the last is the end */
	uint32_t *number; /* equal lines have equal ones */
	bool *changed;	  /* removed, or added */
};

static int side_init(struct side *s, const char *text, size_t len)
{
	size_t at = 0, n = 0;

	*s = (struct side){.text = text ? text : ""};
	for (size_t i = 0; i < len; i++)
		s->count += s->text[i] == '\n' || i + 1 == len;
	s->start = calloc(s->count + 1, sizeof(*s->start));
	s->number = calloc(s->count + 1, sizeof(*s->number));
	s->changed = calloc(s->count + 1, sizeof(*s->changed));
	if (!s->start || !s->number || !s->changed)
		return -1;
	while (at < len) {
		const char *end = memchr(s->text + at, '\n', len - at);

		s->start[n++] = at;
		at = end ? (size_t)(end - s->text) + 1 : len;
	}
	s->start[n] = len;
	return 0;
}

static void side_clear(struct side *s)
{
	free(s->start);
	free(s->number);
	free(s->changed);
}

static size_t line_len(const struct side *s, size_t n)
{
	return s->start[n + 1] - s->start[n];
}

static int line_compare(const struct side *a, size_t i, const struct side *b, size_t k)
{
	size_t x = line_len(a, i), y = line_len(b, k);
	int c = memcmp(a->text + a->start[i], b->text + b->start[k], x < y ? x : y);

	return c ? c : (x > y) - (x < y);
}

/* Where the two texts differ: old lines [a, a + n), next lines [b, b + m), a == b. */
struct middle {
	struct side *old, *next;
	size_t from, n, m;
};

static void middle_find(struct middle *d)
{
	size_t n = d->old->count, m = d->next->count;

	d->from = 0;
	while (d->from < n && d->from < m && !line_compare(d->old, d->from, d->next, d->from))
		d->from++;
	while (n > d->from && m > d->from && !line_compare(d->old, n - 1, d->next, m - 1)) {
		n--;
		m--;
	}
	d->n = n - d->from;
	d->m = m - d->from;
}

static int sorted_compare(const struct middle *d, size_t x, size_t y)
{
	const struct side *a = x < d->n ? d->old : d->next, *b = y < d->n ? d->old : d->next;

	return line_compare(a, d->from + (x < d->n ? x : x - d->n), b,
			    d->from + (y < d->n ? y : y - d->n));
}

static int by_line(const void *x, const void *y, void *ctx)
{
	return sorted_compare(ctx, *(const uint32_t *)x, *(const uint32_t *)y);
}

static int number_lines(struct middle *d)
{
	size_t total = d->n + d->m;
	uint32_t *order = malloc((total + 1) * sizeof(*order));
	uint32_t number = 0;

	if (!order)
		return -1;
	for (size_t i = 0; i < total; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, total, sizeof(*order), by_line, d);
	for (size_t i = 0; i < total; i++) {
		size_t x = order[i];

		number += i && sorted_compare(d, order[i - 1], x);
		if (x < d->n)
			d->old->number[d->from + x] = number;
		else
			d->next->number[d->from + x - d->n] = number;
	}
	free(order);
	return 0;
}

/*
 * Row d holds, for each diagonal k = x - y in -d, -d + 2 .. d, the furthest x that d changes reach.
 */
static int32_t *row(int32_t *rows, int32_t d)
{
	return rows + (size_t)d * ((size_t)d + 1) / 2;
}

/* Row d comes to diagonal k by an added line (down from k + 1), or else by a removed one. */
static bool comes_down(const int32_t *before, int32_t d, int32_t k)
{
	return k == -d || (k != d && before[(k + d) / 2 - 1] < before[(k + d) / 2]);
}

/* Marks the changes of a path that ends in the lower right corner after d of them. */
static void mark(struct middle *md, int32_t *rows, int32_t d)
{
	int32_t k = (int32_t)md->n - (int32_t)md->m;

	for (; d > 0; d--) {
		const int32_t *before = row(rows, d - 1);

		if (comes_down(before, d, k)) {
			md->next->changed[md->from + (size_t)(before[(k + d) / 2] - (k + 1))] =
				true;
			k++;
		} else {
			md->old->changed[md->from + (size_t)before[(k + d) / 2 - 1]] = true;
			k--;
		}
	}
}

/* Fills row d; true when the corner was reached. *steps grows by what it cost. */
static bool reach(const struct middle *md, int32_t *rows, int32_t d, size_t *steps)
{
	const uint32_t *a = md->old->number + md->from, *b = md->next->number + md->from;
	const int32_t n = (int32_t)md->n, m = (int32_t)md->m;
	const int32_t *before = d ? row(rows, d - 1) : NULL;
	int32_t *now = row(rows, d);

	for (int32_t k = -d; k <= d; k += 2) {
		int32_t x = 0, from;

		if (d)
			x = comes_down(before, d, k) ? before[(k + d) / 2]
						     : before[(k + d) / 2 - 1] + 1;
		from = x;
		while (x < n && x - k < m && a[x] == b[x - k])
			x++;
		*steps += (size_t)(x - from) + 1;
		now[(k + d) / 2] = x;
		if (x >= n && x - k >= m)
			return true;
	}
	return false;
}

/* Marks what changed. -1: no memory. */
static int compare(struct middle *md)
{
	size_t most = md->n + md->m < CHANGES_MAX ? md->n + md->m : CHANGES_MAX, steps = 0;
	int32_t *rows = NULL;
	int32_t d = 0;
	bool found = false;

	if (md->n && md->m) {
		if (number_lines(md))
			return -1;
		rows = malloc((most + 1) * (most + 2) / 2 * sizeof(*rows));
		if (!rows)
			return -1;
		for (; d <= (int32_t)most && steps < STEPS_MAX; d++) {
			found = reach(md, rows, d, &steps);
			if (found)
				break;
		}
	}
	if (found) {
		mark(md, rows, d);
	} else {
		memset(md->old->changed + md->from, true, md->n);
		memset(md->next->changed + md->from, true, md->m);
	}
	free(rows);
	return 0;
}

struct out {
	char *p;
	size_t len, size;
	bool failed;
};

static void put(struct out *o, const char *p, size_t len)
{
	if (!o->failed && o->size - o->len <= len) {
		size_t size = (o->size + len) * 2 + 256;
		char *more = realloc(o->p, size);

		o->failed = !more;
		if (more) {
			o->p = more;
			o->size = size;
		}
	}
	if (o->failed)
		return;
	memcpy(o->p + o->len, p, len);
	o->len += len;
	o->p[o->len] = '\0';
}

static void put_text(struct out *o, const char *text)
{
	put(o, text, strlen(text));
}

static void put_line(struct out *o, char sign, const struct side *s, size_t n)
{
	size_t len = line_len(s, n);

	put(o, &sign, 1);
	put(o, s->text + s->start[n], len);
	if (s->text[s->start[n] + len - 1] != '\n')
		put_text(o, "\n\\ No newline at end of file\n");
}

/* "12", "12,3"; an empty range names the line before it. */
static void put_range(struct out *o, char sign, size_t from, size_t count)
{
	char text[64];

	if (count == 1)
		snprintf(text, sizeof(text), " %c%zu", sign, from + 1);
	else
		snprintf(text, sizeof(text), " %c%zu,%zu", sign, count ? from + 1 : from, count);
	put_text(o, text);
}

/*
 * The end of the hunk whose first change is at old line *i and next line *k: behind its last
 * change. Changes with at most two contexts between them share a hunk.
 */
static void hunk_end(const struct side *old, const struct side *next, size_t *i, size_t *k)
{
	size_t x = *i, y = *k, same = 0;

	while (same <= 2 * CONTEXT) {
		while (x < old->count && old->changed[x])
			x++;
		while (y < next->count && next->changed[y])
			y++;
		*i = x;
		*k = y;
		for (same = 0; x < old->count && !old->changed[x] && !next->changed[y]; same++) {
			x++;
			y++;
		}
		if (x >= old->count && (y >= next->count || !next->changed[y]))
			return;
	}
}

/* Lines old [i, i_end) and next [k, ..) with their signs. */
static void put_lines(struct out *o, const struct side *old, size_t i, size_t i_end,
		      const struct side *next, size_t k, size_t k_end)
{
	while (i < i_end || k < k_end) {
		if (i < i_end && old->changed[i])
			put_line(o, '-', old, i++);
		else if (k < k_end && next->changed[k])
			put_line(o, '+', next, k++);
		else {
			put_line(o, ' ', old, i++);
			k++;
		}
	}
}

static void put_hunks(struct out *o, const struct side *old, const struct side *next)
{
	size_t i = 0, k = 0;

	while (i < old->count || k < next->count) {
		size_t i_from, k_from, before, after;

		if (!old->changed[i] && !next->changed[k]) {
			i++;
			k++;
			continue;
		}
		before = i < CONTEXT ? i : CONTEXT;
		i_from = i - before;
		k_from = k - before;
		hunk_end(old, next, &i, &k);
		after = old->count - i < CONTEXT ? old->count - i : CONTEXT;
		put_text(o, "@@");
		put_range(o, '-', i_from, i + after - i_from);
		put_range(o, '+', k_from, k + after - k_from);
		put_text(o, " @@\n");
		put_lines(o, old, i_from, i + after, next, k_from, k + after);
		i += after;
		k += after;
	}
}

static void cut(struct out *o, size_t cap)
{
	size_t at = cap > MORE_MAX ? cap - MORE_MAX : 0, more = 0;
	char text[MORE_MAX];

	while (at && o->p[at - 1] != '\n')
		at--;
	for (size_t i = at; i < o->len; i++)
		more += o->p[i] == '\n';
	o->len = at;
	snprintf(text, sizeof(text), "(and %zu more lines)\n", more);
	put_text(o, text);
}

char *policy_diff(const char *old, size_t old_len, const char *next, size_t next_len,
		  const char *name, size_t cap)
{
	struct side a = {.text = NULL}, b = {.text = NULL};
	struct out o = {.failed = false};
	struct middle md = {.old = &a, .next = &b};

	if (side_init(&a, old, old_len) || side_init(&b, next, next_len)) {
		o.failed = true;
		goto out;
	}
	middle_find(&md);
	put_text(&o, "");
	if (!md.n && !md.m)
		goto out;
	if (compare(&md)) {
		o.failed = true;
		goto out;
	}
	put_text(&o, "--- ");
	put_text(&o, name);
	put_text(&o, "\n+++ ");
	put_text(&o, name);
	put_text(&o, "\n");
	put_hunks(&o, &a, &b);
	if (!o.failed && cap && o.len > cap)
		cut(&o, cap);
out:
	side_clear(&a);
	side_clear(&b);
	if (o.failed) {
		free(o.p);
		return NULL;
	}
	return o.p;
}
