/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/commit_items.c - what a commit gathers: store items, tree changes, and their memory.
 *
 * Values are copied into an arena that lives as long as the commit, so that a retry
 * applies the same bytes. A record put is one item for the store and one change of
 * its tree, made together; neither exists without the other.
 *
 * Committer only; no locks.
 */
#include <errno.h>
#include <stdlib.h>

#include "commit_impl.h"

#define ARENA_LEN (64u << 10)

/* ---- memory ---- */

uint8_t *fs_commit_room(struct fs_commit *c, size_t n)
{
	struct fs_commit_arena *a = c->arena;
	uint8_t *at;

	if (!a || a->cap - a->used < n) {
		a = malloc(sizeof(*a) + ARENA_LEN);
		if (!a)
			return NULL;
		a->before = c->arena;
		a->used = 0;
		a->cap = ARENA_LEN;
		c->arena = a;
	}
	at = a->data + a->used;
	a->used += n;
	return at;
}

static int grow(void **p, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? 2 * *cap : 64;
	void *q;

	if (n < *cap)
		return 0;
	q = reallocarray(*p, more, size);
	if (!q)
		return -ENOMEM;
	*p = q;
	*cap = more;
	return 0;
}

int fs_commit_add_item(struct fs_commit *c, const struct fs_store_item *item)
{
	void *p = c->items;
	int rc = grow(&p, c->n, &c->cap, sizeof(*item));

	c->items = p;
	if (!rc)
		c->items[c->n++] = *item;
	return rc;
}

static int add_change(struct fs_commit_changes *ch, const struct fs_tagtree_change *change)
{
	void *p = ch->c;
	int rc = grow(&p, ch->n, &ch->cap, sizeof(*change));

	ch->c = p;
	if (!rc)
		ch->c[ch->n++] = *change;
	return rc;
}

struct fs_commit_touched *fs_commit_touch(struct fs_commit *c, struct fs_journal *j)
{
	void *p = c->touched;
	int rc = grow(&p, c->n_touched, &c->cap_touched, sizeof(*c->touched));

	c->touched = p;
	if (rc)
		return NULL;
	c->touched[c->n_touched] = (struct fs_commit_touched){.j = j};
	return &c->touched[c->n_touched++];
}

void fs_commit_free(struct fs_commit *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_touched; i++) {
		if (c->touched[i].held)
			fs_journal_put(c->touched[i].j);
	}
	while (c->arena) {
		struct fs_commit_arena *before = c->arena->before;

		free(c->arena);
		c->arena = before;
	}
	fs_tagtree_out_clear(&c->nodes);
	free(c->items);
	free(c->writes);
	free(c->touched);
	free(c->vault.c);
	free(c);
}

/* ---- records ---- */

int fs_commit_put_stored(struct fs_commit_work *w, const struct fs_key *key, const uint8_t *stored,
			 size_t len)
{
	struct fs_store_item item = {.key = *key, .val = stored, .len = len};
	struct fs_tagtree_change change = {.key = *key};
	int rc = fs_commit_add_item(w->c, &item);

	fs_tagtree_tag(key, stored, len, change.tag);
	return rc ? rc : add_change(w->changes, &change);
}

int fs_commit_put(void *ctx, const struct fs_key *key, const void *p, size_t len)
{
	struct fs_commit_work *w = ctx;
	uint8_t *stored;
	size_t stored_len;
	int rc;

	if (len > FS_PLAIN_MAX)
		return -EMSGSIZE;
	stored = fs_commit_room(w->c, len + FS_RECORD_OVERHEAD);
	if (!stored)
		return -ENOMEM;
	rc = fs_value_seal(w->j, key, p, len, stored, &stored_len);
	return rc ? rc : fs_commit_put_stored(w, key, stored, stored_len);
}

int fs_commit_del(void *ctx, const struct fs_key *key)
{
	struct fs_commit_work *w = ctx;
	struct fs_store_item item = {.key = *key};
	struct fs_tagtree_change change = {.key = *key, .del = true};
	int rc = fs_commit_add_item(w->c, &item);

	return rc ? rc : add_change(w->changes, &change);
}

static int cmp_item(const void *a, const void *b)
{
	const struct fs_store_item *x = a, *y = b;

	return fs_key_cmp(&x->key, &y->key);
}

int fs_commit_sort(struct fs_commit *c)
{
	if (c->n)
		qsort(c->items, c->n, sizeof(*c->items), cmp_item);
	for (size_t i = 1; i < c->n; i++) {
		if (!fs_key_cmp(&c->items[i - 1].key, &c->items[i].key))
			return -EINVAL;
	}
	return 0;
}
