/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/commit.c - a closing group turned into what the store applies.
 *
 * Journal by journal: contents go to the container (sealed, written) and
 * become chunk map records; all values are sealed; the journal's tree takes the
 * changes; its root is signed by the group's last writer. Then the vault's tree
 * takes the vault's records and the new roots, and its root is MACed.
 *
 * 1. Nothing durable refers to container units that are not: their bytes are in the same redo
 *    record, or they were synced (commit_carry.c).
 * 2. The next roots are known to readers before the store can show them.
 * 3. The encoded items are kept until the group is done: a retry after a full disk
 *    applies the same bytes. An encoding that fails gives all units back.
 * 4. Deleting FS_T_ROOT through the vault removes the whole journal: every record
 *    in its range, from the store and from the vault's tree. Whoever still has it
 *    open changes nothing any more.
 * 5. Damage in one journal's own records costs that journal its changes, and no
 *    other: the commit goes back to where it was before, and goes on (commit_lost.c).
 *
 * Locks: committer thread only; the journals' locks to publish roots.
 */
#include <errno.h>
#include <stdlib.h>

#include "commit_impl.h"

/* ---- trees ---- */

static int put_entry(struct fs_commit_work *w, const struct fs_group_entry *e)
{
	return e->buf ? fs_commit_put(w, &e->key, e->buf->data, e->buf->len)
		      : fs_commit_del(w, &e->key);
}

static int cmp_change(const void *a, const void *b)
{
	const struct fs_tagtree_change *x = a, *y = b;

	return fs_key_cmp(&x->key, &y->key);
}

/* The tree of j with the changes, into *tree. True in *changed when anything is different. */
static int update_tree(struct fs_commit *c, struct fs_journal *j, struct fs_commit_changes *ch,
		       struct fs_tagtree_root *tree, bool *changed)
{
	struct fs_snap *snap;
	int rc;

	*tree = j->cur.tree; /* only this thread ever changes it */
	*changed = false;
	if (!ch->n)
		return 0;
	qsort(ch->c, ch->n, sizeof(*ch->c), cmp_change);
	rc = fs_store_snap_begin(c->r->store, &snap);
	if (rc)
		return rc;
	rc = fs_tagtree_update(c->r->nodes, snap, tree, ch->c, ch->n, &c->nodes);
	fs_store_snap_end(snap);
	*changed = tree->node != j->cur.tree.node ||
		   memcmp(tree->hash, j->cur.tree.hash, KEYS_LEN) != 0;
	return rc;
}

/* ---- one journal ---- */

static bool is_content(const struct fs_key *key)
{
	return fs_key_table(key) == FS_T_CHUNK || fs_key_table(key) == FS_T_CUT ||
	       fs_key_table(key) == FS_T_KEEP;
}

/*
 * A record that is to be sealed again under the group's key, unless the group has another word on
 * it. Only the committer changes what is committed, so this is what is in force until then. A
 * mark is a wish: what can't be read stays as it is.
 */
static int seal_again(struct fs_commit_work *w, const struct fs_closing *closing, size_t before,
		      const struct fs_key *mark)
{
	struct fs_key key = fs_chunk_again_record(mark);
	struct fs_buf *buf = NULL;
	size_t lo = 0, hi = before; /* marks come behind all records of their inode */
	int rc;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = fs_key_cmp(&fs_closing_at(closing, mid)->key, &key);

		if (!cmp)
			return 0;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (fs_record_cover(w->j, &key) != w->j || fs_record_committed(w->j, &key, &buf))
		return 0;
	rc = fs_commit_put(w, &key, buf->data, buf->len);
	fs_buf_put(buf);
	return rc;
}

/* Chunk maps and bitmaps are written with the contents. */
static bool with_contents(const struct fs_key *mark)
{
	struct fs_key key = fs_chunk_again_record(mark);

	return fs_key_table(&key) == FS_T_MAP || fs_key_table(&key) == FS_T_OLD_MAP ||
	       fs_key_table(&key) == FS_T_FREE;
}

/* The root of a changed journal, signed, as a record of the vault. */
static int put_root(struct fs_commit *c, struct fs_commit_touched *t,
		    const struct fs_tagtree_root *tree, const struct fs_signer *signer)
{
	struct fs_commit_work vault = {c, &c->r->vault, &c->vault};
	struct fs_key key = fs_root_key(t->j->index);
	uint8_t *raw;

	if (!signer)
		return -EINVAL; /* a change that nobody answers for is a bug above */
	t->next.tree = *tree;
	t->next.info.commit = c->r->vault.cur.info.commit + 1;
	t->next.info.generation = fs_journal_key_sealing(t->j)->generation;
	t->next.info.policy_version = atomic_load(&c->r->policy_version);
	memcpy(t->next.info.session, signer->session, KEYS_SESSION_ID_LEN);
	t->next.info.pid = signer->pid;
	t->next.info.enrolment = signer->enrolment;
	fs_root_sign(c->r->vault_id, &t->next, signer->sk);
	raw = fs_commit_room(c, t->next.len);
	if (!raw)
		return -ENOMEM;
	memcpy(raw, t->next.raw, t->next.len);
	return fs_commit_put_stored(&vault, &key, raw, t->next.len);
}

/* The entries first..first+n of the group that belong to journal j's own tree. */
static int encode_own(struct fs_commit *c, const struct fs_closing *closing, size_t first, size_t n,
		      struct fs_journal *j)
{
	struct fs_commit_changes ch = {.n = 0};
	struct fs_commit_work w = {c, j, &ch};
	struct fs_commit_touched *t = fs_commit_touch(c, j);
	struct fs_tagtree_root tree;
	bool changed = false;
	int rc = t ? 0 : -ENOMEM;

	for (size_t i = first; !rc && i < first + n; i++) {
		const struct fs_group_entry *e = fs_closing_at(closing, i);

		if (is_content(&e->key))
			t->units = true;
		else if (fs_key_table(&e->key) != FS_T_AGAIN)
			rc = put_entry(&w, e);
		else if (with_contents(&e->key))
			t->units = true;
		else
			rc = seal_again(&w, closing, i, &e->key);
	}
	if (!rc && t->units)
		rc = fs_chunk_encode(j, closing, first, n, fs_commit_put, fs_commit_del, &w);
	if (!rc)
		rc = update_tree(c, j, &ch, &tree, &changed);
	if (!rc && changed)
		rc = put_root(c, t, &tree, fs_closing_signer(closing, j));
	else if (!rc)
		t->next = j->cur;
	free(ch.c);
	return rc;
}

/* Where a commit stands before a journal. */
struct mark {
	size_t items, nodes, touched, vault;
};

/* As if it had not been met. What was sealed stays in the arena, referred to by nothing. */
static void roll_back(struct fs_commit *c, const struct mark *m)
{
	for (size_t i = m->touched; i < c->n_touched; i++) {
		struct fs_journal *j = c->touched[i].j;

		if (!c->touched[i].units || !j->container)
			continue;
		fs_container_aborted(j->container);
		(void)fs_chunk_space_settle(j->space, j->container, 0);
	}
	c->n = m->items;
	fs_tagtree_out_trim(&c->nodes, m->nodes);
	c->n_touched = m->touched;
	c->vault.n = m->vault;
}

static int encode_journal(struct fs_commit *c, const struct fs_closing *closing, size_t first,
			  size_t n, struct fs_journal *j)
{
	struct mark m = {c->n, c->nodes.n, c->n_touched, c->vault.n};
	struct fs_key key = fs_key(j->index, 0, FS_T_NODE);
	int rc;

	if (fs_journal_check(j))
		return 0;
	rc = encode_own(c, closing, first, n, j);
	if (rc != -EBADMSG)
		return rc;
	roll_back(c, &m);
	fs_record_report_first(c->r, &key);
	return fs_commit_lose(j, -EIO);
}

/* Every record of the journal goes, from store and vault tree. */
static int remove_journal(struct fs_commit *c, uint32_t index)
{
	struct fs_commit_work vault = {c, &c->r->vault, &c->vault};
	struct fs_key key = fs_key(index, 0, 0);
	struct fs_journal *j = fs_journal_find(c->r, index);
	struct fs_commit_touched *t = fs_commit_touch(c, j);
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;
	int rc = t ? 0 : -ENOMEM;

	if (t) {
		t->removed = true;
		t->held = j != NULL;
		t->next.tree.journal = index;
		t->next.tree.next = 1;
		if (j)
			rc = fs_commit_lose(j, -ESTALE);
	} else {
		fs_journal_put(j);
	}
	while (!rc) {
		/* A fresh snapshot each: what it copies out is freed with it. */
		rc = fs_store_snap_begin(c->r->store, &snap);
		if (rc)
			break;
		rc = fs_store_next(snap, &key, &key, &val, &len);
		fs_store_snap_end(snap);
		if (rc || fs_key_journal(&key) != index)
			break;
		if (fs_value_of_vault(&key)) {
			rc = fs_commit_del(&vault, &key);
		} else {
			struct fs_store_item item = {.key = key};

			rc = fs_commit_add_item(c, &item);
		}
		if (key.len < FS_KEY_MAX)
			key.b[key.len++] = 0;
		else
			rc = -EBADMSG; /* no table has keys that long */
	}
	return rc == -ENOENT ? 0 : rc;
}

/* ---- the group ---- */

/* True when the run of entries of one journal deletes its root. */
static bool removes(const struct fs_closing *closing, size_t first, size_t n)
{
	for (size_t i = first; i < first + n; i++) {
		const struct fs_group_entry *e = fs_closing_at(closing, i);

		if (fs_key_table(&e->key) == FS_T_ROOT && fs_key_journal(&e->key))
			return !e->buf;
	}
	return false;
}

/* All entries whose keys name one journal: the vault's come first, they have the lowest tables. */
static int encode_run(struct fs_commit *c, const struct fs_closing *closing, size_t first, size_t n)
{
	struct fs_commit_work vault = {c, &c->r->vault, &c->vault};
	const struct fs_group_entry *e = fs_closing_at(closing, first);
	size_t i = first;
	int rc = 0;

	if (removes(closing, first, n))
		return remove_journal(c, fs_key_journal(&e->key));
	for (; !rc && i < first + n; i++) {
		e = fs_closing_at(closing, i);
		if (!fs_value_of_vault(&e->key))
			break;
		rc = put_entry(&vault, e);
	}
	if (rc || i == first + n)
		return rc;
	if (e->journal->index != fs_key_journal(&e->key))
		return -EINVAL;
	return encode_journal(c, closing, i, first + n - i, e->journal);
}

static int encode_vault(struct fs_commit *c)
{
	struct fs_records *r = c->r;
	struct fs_commit_touched *t = fs_commit_touch(c, &r->vault);
	struct fs_store_item item = {.key = fs_root_key(0)};
	struct fs_tagtree_root tree;
	bool changed;
	int rc;

	if (!t)
		return -ENOMEM;
	rc = update_tree(c, &r->vault, &c->vault, &tree, &changed);
	if (rc)
		return rc;
	t->next.tree = tree;
	t->next.info.commit = r->vault.cur.info.commit + 1;
	fs_root_mac(r->vault_id, &t->next, r->mac_key);
	item.len = t->next.len;
	item.val = fs_commit_room(c, item.len);
	if (!item.val)
		return -ENOMEM;
	memcpy((uint8_t *)(uintptr_t)item.val, t->next.raw, item.len);
	fs_root_mark(&t->next, &c->after);
	return fs_commit_add_item(c, &item);
}

static int build(struct fs_commit *c, const struct fs_closing *closing)
{
	size_t count = fs_closing_count(closing), first = 0, end;
	int rc = 0;

	for (; !rc && first < count; first = end) {
		uint32_t journal = fs_key_journal(&fs_closing_at(closing, first)->key);

		for (end = first + 1; end < count; end++) {
			if (fs_key_journal(&fs_closing_at(closing, end)->key) != journal)
				break;
		}
		rc = encode_run(c, closing, first, end - first);
	}
	if (!rc)
		rc = encode_vault(c);
	for (size_t i = 0; !rc && i < c->nodes.n; i++)
		rc = fs_commit_add_item(c, &c->nodes.items[i]);
	if (!rc)
		rc = fs_commit_sort(c);
	return rc ? rc : fs_commit_carry(c);
}

static void publish_next(struct fs_commit *c)
{
	for (size_t i = 0; i < c->n_touched; i++) {
		struct fs_journal *j = c->touched[i].j;

		if (!j)
			continue;
		pthread_mutex_lock(&j->lock);
		j->next = c->touched[i].next;
		j->has_next = true;
		pthread_mutex_unlock(&j->lock);
	}
	atomic_fetch_add(&c->r->seq, 1);
}

static void publish_current(struct fs_commit *c)
{
	/*
	 * First: a reader whose snapshot is from before the commit must notice that a root changed, also
	 * when it looks between two journals. Who sees the new number begins a snapshot after the apply.
	 */
	atomic_fetch_add(&c->r->seq, 1);
	for (size_t i = 0; i < c->n_touched; i++) {
		struct fs_journal *j = c->touched[i].j;

		if (!j)
			continue;
		pthread_mutex_lock(&j->lock);
		j->cur = j->next;
		j->has_next = false;
		pthread_mutex_unlock(&j->lock);
	}
}

/* Containers after the commit: what was allocated stays, or is free again. */
static void settle_units(struct fs_commit *c, bool durable)
{
	for (size_t i = 0; i < c->n_touched; i++) {
		struct fs_commit_touched *t = &c->touched[i];

		if (!t->units || !t->j->container)
			continue;
		if (durable) {
			fs_container_committed(t->j->container);
			fs_chunk_space_settled(t->j->space);
		} else {
			fs_container_aborted(t->j->container);
		}
	}
}

static int hook_encode(void *ctx, struct fs_closing *closing, struct fs_store_commit *out)
{
	struct fs_records *r = ctx;
	struct fs_commit *c = r->commit;
	int rc;

	if (r->read_only)
		return -EROFS;
	if (!c || c->group != fs_closing_number(closing)) {
		fs_commit_free(c);
		r->commit = NULL;
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->r = r;
		c->group = fs_closing_number(closing);
		r->encoding = c->group;
		rc = build(c, closing);
		if (rc) {
			settle_units(c, false);
			fs_commit_free(c);
			return rc;
		}
		r->commit = c;
		publish_next(c);
	}
	*out = (struct fs_store_commit){
		.items = c->items,
		.n = c->n,
		.after = c->after,
		.writes = c->writes,
		.n_writes = c->n_writes,
		.direct = c->direct,
	};
	return 0;
}

static void hook_done(void *ctx, struct fs_closing *closing, int rc)
{
	struct fs_records *r = ctx;
	struct fs_commit *c = r->commit;

	if (rc == -ENOSPC || !c)
		return;
	if (!rc) {
		publish_current(c);
		fs_chunk_committed(r, closing);
		for (size_t i = 0; i < c->n_touched; i++) {
			if (c->touched[i].removed)
				fs_tagtree_cache_drop(r->nodes, c->touched[i].next.tree.journal);
		}
	}
	/* After a failed sync the disk may hold either state: both roots stay known. */
	settle_units(c, !rc);
	r->commit = NULL;
	fs_commit_free(c);
}

static void hook_hold(void *ctx, struct fs_journal *j)
{
	(void)ctx;
	fs_journal_get(j);
}

static void hook_release(void *ctx, struct fs_journal *j)
{
	(void)ctx;
	fs_journal_put(j);
}

static void hook_signer_get(void *ctx, struct fs_signer *s)
{
	(void)ctx;
	fs_signer_get(s);
}

static void hook_signer_put(void *ctx, struct fs_signer *s)
{
	(void)ctx;
	fs_signer_put(s);
}

const struct fs_group_hooks fs_commit_hooks = {
	.encode = hook_encode,
	.done = hook_done,
	.hold = hook_hold,
	.release = hook_release,
	.signer_get = hook_signer_get,
	.signer_put = hook_signer_put,
	.check = fs_commit_check,
	.settled = fs_commit_settled,
};
