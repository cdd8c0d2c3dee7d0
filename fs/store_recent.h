/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_recent.h - what was applied lately and is not in the database yet; fs/store*.c only.
 *
 * A map from keys to versions, each with the number of the apply that made it. A reader with a view
 * sees, of every key, the newest version in (base, number]: what the database has (base) is older,
 * what came later does not exist for it. A version lives as long as somebody may need it.
 *
 * No lock of its own: the store's `lock` is held in every call, but for the lists of
 * fs_recent_collect, which stay valid while the view lives.
 */
#ifndef FS_STORE_RECENT_H
#define FS_STORE_RECENT_H

#include <bsd/sys/tree.h>
#include <stdatomic.h>

#include "store.h"

struct fs_recent_version {
	struct fs_recent_version *older;
	uint64_t number;
	size_t len;
	bool deleted;
	uint8_t data[];
};

struct fs_recent_node {
	RB_ENTRY(fs_recent_node) link;
	struct fs_key key;
	struct fs_recent_version *newest; /* never NULL */
};

RB_HEAD(fs_recent_nodes, fs_recent_node);

/* What a reader may see; in a list while it lives. */
struct fs_recent_view {
	struct fs_recent_view *next, **at;
	uint64_t base, number;
};

/* For the pages that the database will need. */
struct fs_recent_tally {
	size_t items, large;
	uint64_t bytes;
};

struct fs_recent {
	struct fs_recent_nodes nodes;
	struct fs_recent_view *views;
	uint64_t number; /* of the newest apply */
	uint64_t merged; /* the database has all up to here */
	uint64_t counted_from; /* tally: of versions after this one */
	struct fs_recent_tally tally;
	_Atomic size_t bytes; /* memory; 0: there is nothing here */
};

void fs_recent_init(struct fs_recent *m);
void fs_recent_clear(struct fs_recent *m);

/* The items as nodes of apply number `number`, in no map yet; needs no lock. -ENOMEM. */
int fs_recent_stage(const struct fs_store_item *items, size_t n, uint64_t number,
		    struct fs_recent_node ***staged);
/* Frees what was staged and will not be added. */
void fs_recent_unstage(struct fs_recent_node **staged, size_t n);
/* Takes what was staged as number m->number + 1. Can't fail. */
void fs_recent_add(struct fs_recent *m, struct fs_recent_node **staged, size_t n);
/* Adds the items to a tally. */
void fs_recent_tally_add(struct fs_recent_tally *t, const struct fs_store_item *items, size_t n);

void fs_recent_view_begin(struct fs_recent *m, struct fs_recent_view *v, uint64_t base);
void fs_recent_view_end(struct fs_recent_view *v);

/* The version that the view has of key; NULL: none, ask the database. */
const struct fs_recent_version *fs_recent_get(struct fs_recent *m, const struct fs_recent_view *v,
					      const struct fs_key *key);
/* The first node with a key >= from (> from: after) of which the view has a version. NULL: none. */
struct fs_recent_node *fs_recent_next(struct fs_recent *m, const struct fs_recent_view *v,
				      const struct fs_key *from, bool after,
				      const struct fs_recent_version **found);
/* All that the view has, in order: *n items in an array that the caller frees. -ENOMEM. */
int fs_recent_collect(struct fs_recent *m, const struct fs_recent_view *v,
		      struct fs_store_item **items, size_t *n);
/* Forgets what the database has (up to `merged`) and no view needs. */
void fs_recent_purge(struct fs_recent *m);

#endif
