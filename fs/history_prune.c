/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_prune.c - dropping the oldest versions of notes that policy keeps few of.
 *
 * No version leans on an older one, so the oldest go without touching the rest.
 * Inodes that are nothing but past are cut off from the far end of the chain, each in
 * one batch with its heir's change and an ORPHAN record: after a crash
 * fs_inode_reap deletes what is left. One batch for each inode, one lock (or two, of heir and past)
 * at a time.
 */
#include "history_impl.h"

#include <errno.h>
#include <stdlib.h>
#include "tree_change.h"

struct prune {
	uint32_t keep;
	int64_t before_s;
	/* so far */
	uint32_t n;
	int64_t next_s; /* when the version before this one, in the list, was made */
	uint32_t cut;	/* versions up to here go; 0: none */
};

static int look_at(void *ctx, const struct fs_history_version *v)
{
	struct prune *p = ctx;
	bool many = p->keep && p->n > p->keep, old = p->before_s && p->next_s < p->before_s;

	if (p->n && (many || old)) {
		p->cut = v->version;
		return 1;
	}
	p->n++;
	p->next_s = v->mtime.tv_sec;
	return 0;
}

/* Entries of i up to version cut. */
static int drop_entries(struct fs_inode *i, uint32_t cut, struct fs_batch *b)
{
	struct fs_history_all all;
	int rc = fs_history_all_get(i->journal, i->ino, &all);

	for (size_t n = 0; !rc && n < all.pages; n++) {
		struct fs_history_page page;
		struct fs_history_entry e;
		bool changed = false;
		size_t at = 0;

		fs_history_page_new(&page, all.page[n]->first);
		while (!rc && fs_history_page_next(all.page[n], &at, &e)) {
			changed |= e.version <= cut;
			if (e.version <= cut)
				fs_history_drop(b, i->journal, i->ino, &e);
			else
				rc = fs_history_page_add(&page, &e);
		}
		if (!rc && changed)
			rc = fs_history_page_store(b, i->journal, i->ino, &page);
		keys_wipe(&page, sizeof(page));
	}
	fs_history_all_clear(&all);
	return rc;
}

static int prune_own(struct fs_inode *i, uint32_t cut, struct fs_actor *who)
{
	struct fs_batch b;
	uint64_t group = 0;
	int rc;

	fs_inode_throttle(i->journal);
	pthread_rwlock_wrlock(&i->lock);
	fs_batch_init(&b, who->signer);
	rc = i->deleted || i->flags & (FS_INODE_FINAL | FS_INODE_WHOLE | FS_INODE_SHARED)
		     ? 0
		     : drop_entries(i, cut, &b);
	if (!rc && b.n)
		rc = fs_inode_apply(i->journal, &b, &group);
	else
		fs_batch_clear(&b);
	if (!rc && group) {
		who->group = group;
		i->history.known = false;
	}
	pthread_rwlock_unlock(&i->lock);
	return rc;
}

/* past is no past of heir's any more; without a name its last user deletes it. */
static int cut_off(struct fs_inode *heir, struct fs_inode *past, struct fs_actor *who)
{
	struct fs_inode *both[2] = {heir, past};
	struct fs_inode_attr ha, pa;
	struct fs_batch b;
	bool orphan;
	int rc = 0;

	fs_inode_throttle(heir->journal);
	fs_inode_lock_many(both, 2);
	ha = heir->attr;
	pa = past->attr;
	fs_batch_init(&b, who->signer);
	if (heir->deleted || past->deleted || ha.before != past->ino || pa.before ||
	    (ha.flags | pa.flags) & FS_INODE_FINAL || pa.flags & (FS_INODE_WHOLE | FS_INODE_SHARED))
		rc = -ECANCELED; /* changed meanwhile */
	ha.before = 0;
	ha.before_version = 0;
	pa.flags &= (uint16_t) ~(FS_INODE_BEFORE | FS_INODE_APART);
	orphan = !pa.nlink && !fs_inode_kept(&pa);
	fs_inode_store_attr(&b, heir, &ha);
	fs_inode_store_attr(&b, past, &pa);
	if (orphan)
		fs_inode_orphan(&b, past->journal, past->ino);
	rc = fs_tree_apply(heir, &b, rc, who);
	if (!rc) {
		heir->attr = ha;
		past->attr = pa;
		if (orphan)
			fs_tree_orphaned(past, who);
	}
	fs_inode_unlock_many(both, 2);
	return rc;
}

/* Not what was record content, nor what another note may have as its past. */
static bool prunable(struct fs_inode *i)
{
	bool may;

	pthread_rwlock_rdlock(&i->lock);
	may = !(i->flags & (FS_INODE_WHOLE | FS_INODE_SHARED));
	pthread_rwlock_unlock(&i->lock);
	return may;
}

/* i and its pasts, newest first, as far as they may go, in an array of references. */
static int chain_of(struct fs_inode *i, struct fs_inode ***out, size_t *n)
{
	struct fs_inode **chain = NULL, **more, *at = fs_inode_ref(i);
	uint32_t most = UINT32_MAX;
	int rc = 0;

	*n = 0;
	while (at) {
		struct fs_inode *next = NULL;
		uint64_t before;
		uint32_t version;

		more = reallocarray(chain, *n + 1, sizeof(struct fs_inode *));
		if (!more) {
			fs_inode_put(at);
			rc = -ENOMEM;
			break;
		}
		chain = more;
		chain[(*n)++] = at;
		pthread_rwlock_rdlock(&at->lock);
		before = at->before;
		version = at->before_version;
		pthread_rwlock_unlock(&at->lock);
		/* Numbers fall along the chain, or it is none. */
		if (before && version < most)
			(void)fs_inode_get(i->journal, before, &next);
		most = version;
		if (next && !prunable(next)) {
			fs_inode_put(next);
			next = NULL;
		}
		at = next;
	}
	*out = chain;
	return rc;
}

int fs_history_prune(struct fs_inode *i, uint32_t keep, int64_t before_s, struct fs_actor *who)
{
	struct prune p = {.keep = keep, .before_s = before_s};
	struct fs_inode **chain = NULL;
	size_t n = 0, k;
	int rc = prunable(i) ? fs_history_list(i, look_at, &p) : 0;

	who->group = 0;
	if (rc || !p.cut)
		return rc;
	rc = chain_of(i, &chain, &n);
	for (k = n; !rc && k-- > 1;) {
		uint32_t last;

		pthread_rwlock_rdlock(&chain[k - 1]->lock);
		last = chain[k - 1]->before_version;
		pthread_rwlock_unlock(&chain[k - 1]->lock);
		if (last > p.cut)
			break;
		rc = cut_off(chain[k - 1], chain[k], who);
	}
	/* The one that the cut goes through. */
	if (!rc && n)
		rc = prune_own(chain[k < n ? k : 0], p.cut, who);
	while (n)
		fs_inode_put(chain[--n]);
	free(chain);
	return rc == -ECANCELED ? 0 : rc;
}
