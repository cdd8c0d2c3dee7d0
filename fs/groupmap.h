/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/groupmap.h - what a group holds: entries by key, journals with their signers.
 *
 * Internal to fs/group.c, whose mutex guards every map that others can see. A batch
 * is merged in three steps, so that it is all or nothing: stage (no lock: all nodes
 * are allocated), plan (lock: patches find what they change; the last step that can
 * fail), merge (lock: cannot fail). What a merge replaced is left in a list, to be
 * wiped without the lock.
 */
#ifndef FS_GROUPMAP_H
#define FS_GROUPMAP_H

#include "group.h"

#include <bsd/sys/tree.h>

struct fs_groupmap_node {
	RB_ENTRY(fs_groupmap_node) link;
	struct fs_group_entry entry;
	/* While staged: */
	const struct fs_batch_entry *patch; /* NULL: entry.buf is the new value */
	struct fs_groupmap_node *more;	    /* later patches of the same key; or: next in a list */
	bool in_place;			    /* the map's own buffer takes the patches */
	/* No other group has the key, and no record does: deleted, it is as if it had never been. */
	bool fresh;
};

struct fs_groupmap_journal {
	RB_ENTRY(fs_groupmap_journal) link;
	struct fs_journal *journal; /* held */
	struct fs_signer *signer;   /* referenced; may be NULL */
};

RB_HEAD(fs_groupmap_nodes, fs_groupmap_node);
RB_HEAD(fs_groupmap_journals, fs_groupmap_journal);

struct fs_groupmap {
	struct fs_groupmap_nodes nodes;
	struct fs_groupmap_journals journals;
	size_t count;
	size_t bytes;	/* memory */
	size_t records; /* that a commit writes: the chunks of one map page are one */
	size_t pages; /* of the database, roughly, that a commit writes */
};

void fs_groupmap_init(struct fs_groupmap *m);
/* Wipes and frees all. hooks: of whoever holds the journals. */
void fs_groupmap_clear(struct fs_groupmap *m, const struct fs_group_hooks *hooks);

/* A map of its own from a batch: nodes, and each journal held, with the batch's signer. -ENOMEM. */
int fs_groupmap_stage(struct fs_groupmap *staged, const struct fs_batch *b,
		      const struct fs_group_hooks *hooks);
/* older may be NULL. -ENOMEM, -EAGAIN (see fs_group_apply): nothing changed. */
int fs_groupmap_plan(struct fs_groupmap *staged, const struct fs_groupmap *open,
		     const struct fs_groupmap *older);
/* Moves all into `open`. What it replaced is put in front of *replaced; staged keeps nothing but
 * journals that open had already: free both without the lock. */
void fs_groupmap_merge(struct fs_groupmap *staged, struct fs_groupmap *open,
		       struct fs_groupmap_node **replaced);
/* Takes out all entries of j, to be freed like what a merge replaced. */
void fs_groupmap_drop(struct fs_groupmap *m, const struct fs_journal *j,
		      struct fs_groupmap_node **dropped);
void fs_groupmap_free_list(struct fs_groupmap_node *list);

struct fs_groupmap_node *fs_groupmap_find(const struct fs_groupmap *m, const struct fs_key *key);
/* The first with a key >= from; and the one after. NULL: none. */
struct fs_groupmap_node *fs_groupmap_from(const struct fs_groupmap *m, const struct fs_key *from);
struct fs_groupmap_node *fs_groupmap_after(struct fs_groupmap_node *n);
/* One after the other; after NULL the first. NULL: no more. */
struct fs_groupmap_journal *fs_groupmap_journals(struct fs_groupmap *m,
						 struct fs_groupmap_journal *after);
const struct fs_groupmap_journal *fs_groupmap_journal(const struct fs_groupmap *m,
						      const struct fs_journal *j);

#endif
