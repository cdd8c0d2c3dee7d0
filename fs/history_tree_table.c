/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_tree_table.c - the numbers of virtual inodes of a journal.
 *
 * Owns the table that is attached to the open journal and goes with it. Invariants: (1) a number
 * stands for the same thing as long as its table lives; (2) tables of one daemon give out different
 * numbers: each has a stretch of its own, so that a kernel which remembers a number from before a
 * lock gets -ESTALE and never something else; (3) numbers lie in FS_INO_HISTORY..FS_INO_MAX; (4) a
 * table holds no references.
 *
 * Locks: the table's mutex, a leaf.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../keys/label.h"
#include "history_tree_impl.h"

#define PLACE_BITS 21u
#define PLACES (1u << PLACE_BITS) /* 64 MiB at most, of a journal with two million versions */
#define STRETCHES (FS_INO_HISTORY >> PLACE_BITS)
#define LEAST 64u

struct fs_history_table {
	pthread_mutex_t lock;
	uint64_t first; /* number of place 0, which is never used */
	struct fs_history_node *node;
	uint32_t *bucket; /* cap of them: places, 0 ends */
	uint32_t n, cap;  /* cap is a power of two */
};

/* How many tables there have been. */
static atomic_uint_fast64_t tables;

static void table_free(struct fs_history_table *t)
{
	if (t->node)
		keys_wipe(t->node, t->cap * sizeof(*t->node));
	free(t->node);
	free(t->bucket);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct fs_history_table *table_new(void)
{
	struct fs_history_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	pthread_mutex_init(&t->lock, NULL);
	t->first =
		FS_INO_HISTORY + (uint64_t)(atomic_fetch_add(&tables, 1) % STRETCHES << PLACE_BITS);
	t->n = 1;
	t->cap = LEAST;
	t->node = calloc(t->cap, sizeof(*t->node));
	t->bucket = calloc(t->cap, sizeof(*t->bucket));
	if (t->node && t->bucket)
		return t;
	table_free(t);
	return NULL;
}

static struct fs_history_table *table_of(struct fs_journal *j)
{
	struct fs_history_table *t = fs_journal_history(j), *mine;

	if (t)
		return t;
	mine = table_new();
	if (!mine)
		return NULL;
	t = fs_journal_attach_history(j, mine, table_free);
	if (t != mine)
		table_free(mine);
	return t;
}

static uint32_t *bucket_of(const struct fs_history_table *t, const struct fs_history_node *x)
{
	uint64_t h = (x->ino ^ (uint64_t)x->version << 41 ^ (uint64_t)x->kind << 60) *
		     UINT64_C(0x9e3779b97f4a7c15);

	return &t->bucket[(uint32_t)(h >> 32) & (t->cap - 1)];
}

static uint32_t find(const struct fs_history_table *t, const struct fs_history_node *x)
{
	uint32_t at = *bucket_of(t, x);

	while (at && (t->node[at].ino != x->ino || t->node[at].version != x->version ||
		      t->node[at].kind != x->kind))
		at = t->node[at].next;
	return at;
}

static void hash_in(struct fs_history_table *t, uint32_t at)
{
	uint32_t *b = bucket_of(t, &t->node[at]);

	t->node[at].next = *b;
	*b = at;
}

static int grow(struct fs_history_table *t)
{
	uint32_t cap = t->cap * 2;
	struct fs_history_node *node = NULL;
	uint32_t *bucket = NULL;

	if (t->cap >= PLACES)
		return -ENFILE;
	node = calloc(cap, sizeof(*node));
	bucket = calloc(cap, sizeof(*bucket));
	if (!node || !bucket) {
		free(node);
		free(bucket);
		return -ENOMEM;
	}
	memcpy(node, t->node, t->n * sizeof(*node));
	keys_wipe(t->node, t->cap * sizeof(*t->node));
	free(t->node);
	free(t->bucket);
	t->node = node;
	t->bucket = bucket;
	t->cap = cap;
	for (uint32_t at = 1; at < t->n; at++)
		hash_in(t, at);
	return 0;
}

int fs_history_number(struct fs_journal *j, const struct fs_history_node *node, uint64_t *number)
{
	struct fs_history_table *t = table_of(j);
	uint32_t at;
	int rc = 0;

	if (!t)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	at = find(t, node);
	if (!at && t->n == t->cap)
		rc = grow(t);
	if (!at && !rc) {
		at = t->n++;
		t->node[at] = *node;
		hash_in(t, at);
	}
	if (!rc) {
		t->node[at].up = node->up;
		memcpy(t->node[at].ext, node->ext, sizeof(node->ext));
		*number = t->first + at;
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}

int fs_history_node(struct fs_journal *j, uint64_t number, struct fs_history_node *out,
		    uint64_t *parent)
{
	struct fs_history_table *t = table_of(j);
	int rc = -ESTALE;

	if (!t)
		return -ENOMEM;
	pthread_mutex_lock(&t->lock);
	if (number > t->first && number - t->first < t->n) {
		*out = t->node[number - t->first];
		if (parent)
			*parent = out->up ? t->first + out->up : FS_ROOT_INO;
		rc = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}

uint32_t fs_history_place(uint64_t number)
{
	return (uint32_t)(number & (PLACES - 1));
}
