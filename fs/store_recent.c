/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_recent.c - versions of records on their way to the database; see store_recent.h.
 *
 * Invariant: a version that some view has is not freed before that view ends; a node is
 * freed only with its last version, by fs_recent_purge.
 */
#include "store_recent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LARGE 1900 /* see LEAF_MAX in store_space.c */

static int compare(const struct fs_recent_node *a, const struct fs_recent_node *b)
{
	return fs_key_cmp(&a->key, &b->key);
}

/* RB_GENERATE_STATIC of libbsd needs its overlay of sys/cdefs.h for one attribute. */
#define LOCAL __attribute__((unused)) static
RB_GENERATE_INTERNAL(fs_recent_nodes, fs_recent_node, link, compare, LOCAL)

static size_t version_bytes(const struct fs_recent_version *v)
{
	return sizeof(*v) + v->len;
}

static void version_free(struct fs_recent *m, struct fs_recent_version *v)
{
	atomic_fetch_sub(&m->bytes, version_bytes(v));
	free(v);
}

void fs_recent_init(struct fs_recent *m)
{
	memset(m, 0, sizeof(*m));
	RB_INIT(&m->nodes);
}

void fs_recent_clear(struct fs_recent *m)
{
	struct fs_recent_node *n;

	while ((n = RB_MIN(fs_recent_nodes, &m->nodes))) {
		while (n->newest) {
			struct fs_recent_version *older = n->newest->older;

			version_free(m, n->newest);
			n->newest = older;
		}
		RB_REMOVE(fs_recent_nodes, &m->nodes, n);
		free(n);
	}
}

/* ---- views ---- */

void fs_recent_view_begin(struct fs_recent *m, struct fs_recent_view *v, uint64_t base)
{
	v->base = base;
	v->number = m->number;
	v->next = m->views;
	v->at = &m->views;
	if (v->next)
		v->next->at = &v->next;
	m->views = v;
}

void fs_recent_view_end(struct fs_recent_view *v)
{
	*v->at = v->next;
	if (v->next)
		v->next->at = v->at;
}

static bool sees(const struct fs_recent_view *v, const struct fs_recent_version *ver)
{
	return ver->number > v->base && ver->number <= v->number;
}

/* True when somebody may ask for ver, which `newer` (0: nothing) came after. */
static bool needed(const struct fs_recent *m, const struct fs_recent_version *ver, uint64_t newer)
{
	for (const struct fs_recent_view *v = m->views; v; v = v->next) {
		if (sees(v, ver) && (!newer || newer > v->number))
			return true;
	}
	return false;
}

static const struct fs_recent_version *visible(const struct fs_recent_view *v,
					       const struct fs_recent_node *n)
{
	const struct fs_recent_version *ver = n->newest;

	while (ver && ver->number > v->number)
		ver = ver->older;
	return ver && ver->number > v->base ? ver : NULL;
}

/* ---- adding ---- */

void fs_recent_tally_add(struct fs_recent_tally *t, const struct fs_store_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		t->items++;
		if (!items[i].val)
			continue;
		t->large += items[i].len > LARGE;
		t->bytes += FS_KEY_MAX + 16 + (items[i].len > LARGE ? 8 : items[i].len);
	}
}

static struct fs_recent_version *version_new(const struct fs_store_item *item, uint64_t number)
{
	struct fs_recent_version *v = malloc(sizeof(*v) + (item->val ? item->len : 0));

	if (!v)
		return NULL;
	v->older = NULL;
	v->number = number;
	v->deleted = !item->val;
	v->len = item->val ? item->len : 0;
	if (v->len)
		memcpy(v->data, item->val, v->len);
	return v;
}

static struct fs_recent_node *node_new(const struct fs_store_item *item, uint64_t number)
{
	struct fs_recent_node *n = malloc(sizeof(*n));

	if (!n)
		return NULL;
	n->key = item->key;
	n->newest = version_new(item, number);
	if (!n->newest) {
		free(n);
		return NULL;
	}
	return n;
}

/* Versions below the newest that nobody sees any more, and that no checkpoint is to bring over. */
static void drop_superseded(struct fs_recent *m, struct fs_recent_node *n)
{
	struct fs_recent_version **at = &n->newest->older;
	uint64_t newer = n->newest->number;

	while (*at) {
		struct fs_recent_version *v = *at;

		if (needed(m, v, newer)) {
			newer = v->number;
			at = &v->older;
			continue;
		}
		*at = v->older;
		version_free(m, v);
	}
}

static void add_one(struct fs_recent *m, struct fs_recent_node *fresh)
{
	struct fs_recent_version *v = fresh->newest;
	struct fs_store_item item = {.val = v->deleted ? NULL : v->data, .len = v->len};
	struct fs_recent_node *n = RB_INSERT(fs_recent_nodes, &m->nodes, fresh);

	atomic_fetch_add(&m->bytes, version_bytes(v));
	/* A key that is counted already counts again only when it grew. */
	if (!n || n->newest->number <= m->counted_from || n->newest->len < v->len)
		fs_recent_tally_add(&m->tally, &item, 1);
	if (!n)
		return;
	v->older = n->newest;
	n->newest = v;
	free(fresh);
	drop_superseded(m, n);
}

int fs_recent_stage(const struct fs_store_item *items, size_t n, uint64_t number,
		    struct fs_recent_node ***staged)
{
	struct fs_recent_node **fresh = calloc(n ? n : 1, sizeof(struct fs_recent_node *));

	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		fresh[i] = node_new(&items[i], number);
		if (!fresh[i]) {
			fs_recent_unstage(fresh, i);
			return -ENOMEM;
		}
	}
	*staged = fresh;
	return 0;
}

void fs_recent_unstage(struct fs_recent_node **staged, size_t n)
{
	for (size_t i = 0; staged && i < n; i++) {
		free(staged[i]->newest);
		free(staged[i]);
	}
	free(staged);
}

void fs_recent_add(struct fs_recent *m, struct fs_recent_node **staged, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_one(m, staged[i]);
	free(staged);
	m->number++;
}

/* ---- looking ---- */

const struct fs_recent_version *fs_recent_get(struct fs_recent *m, const struct fs_recent_view *v,
					      const struct fs_key *key)
{
	struct fs_recent_node wanted = {.key = *key}, *n;

	n = RB_FIND(fs_recent_nodes, &m->nodes, &wanted);
	return n ? visible(v, n) : NULL;
}

struct fs_recent_node *fs_recent_next(struct fs_recent *m, const struct fs_recent_view *v,
				      const struct fs_key *from, bool after,
				      const struct fs_recent_version **found)
{
	struct fs_recent_node wanted = {.key = *from}, *n;

	n = RB_NFIND(fs_recent_nodes, &m->nodes, &wanted);
	if (n && after && !fs_key_cmp(&n->key, from))
		n = RB_NEXT(fs_recent_nodes, &m->nodes, n);
	for (; n; n = RB_NEXT(fs_recent_nodes, &m->nodes, n)) {
		*found = visible(v, n);
		if (*found)
			return n;
	}
	return NULL;
}

int fs_recent_collect(struct fs_recent *m, const struct fs_recent_view *v,
		      struct fs_store_item **items, size_t *n)
{
	const struct fs_recent_version *ver;
	struct fs_recent_node *node;
	struct fs_store_item *all;
	size_t count = 0, i = 0;

	RB_FOREACH(node, fs_recent_nodes, &m->nodes)
		count += visible(v, node) != NULL;
	all = calloc(count ? count : 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	RB_FOREACH(node, fs_recent_nodes, &m->nodes) {
		ver = visible(v, node);
		if (ver)
			all[i++] = (struct fs_store_item){.key = node->key,
							  .val = ver->deleted ? NULL : ver->data,
							  .len = ver->len};
	}
	*items = all;
	*n = count;
	return 0;
}

void fs_recent_purge(struct fs_recent *m)
{
	struct fs_recent_node *n, *next;

	for (n = RB_MIN(fs_recent_nodes, &m->nodes); n; n = next) {
		next = RB_NEXT(fs_recent_nodes, &m->nodes, n);
		drop_superseded(m, n);
		if (n->newest->number > m->merged || n->newest->older ||
		    needed(m, n->newest, 0))
			continue;
		version_free(m, n->newest);
		RB_REMOVE(fs_recent_nodes, &m->nodes, n);
		free(n);
	}
}
