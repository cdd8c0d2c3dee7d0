/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/groupmap.c - a group's contents; see groupmap.h.
 *
 * A buffer is changed in place only when the open group's reference is the only one
 * (but for what the batch itself saw): references are taken under the group's mutex,
 * so nobody can come to read it meanwhile, and a buffer that a reader or an older
 * group holds is copied first.
 */
#include "../keys/bytes.h"
#include "groupmap.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE 4096
#define OWN_PAGE 1900	 /* larger values get a database page of their own */
#define VALUE_STEP 4096u /* capacity doubles up to this when a value grows */

static int compare_nodes(const struct fs_groupmap_node *a, const struct fs_groupmap_node *b)
{
	return fs_key_cmp(&a->entry.key, &b->entry.key);
}

static int compare_journals(const struct fs_groupmap_journal *a,
			    const struct fs_groupmap_journal *b)
{
	uintptr_t x = (uintptr_t)a->journal, y = (uintptr_t)b->journal;

	return (x > y) - (x < y);
}

/* RB_GENERATE_STATIC of libbsd needs its overlay of sys/cdefs.h for one attribute. */
#define LOCAL __attribute__((unused)) static
RB_GENERATE_INTERNAL(fs_groupmap_nodes, fs_groupmap_node, link, compare_nodes, LOCAL)
RB_GENERATE_INTERNAL(fs_groupmap_journals, fs_groupmap_journal, link, compare_journals, LOCAL)

void fs_groupmap_init(struct fs_groupmap *m)
{
	memset(m, 0, sizeof(*m));
	RB_INIT(&m->nodes);
	RB_INIT(&m->journals);
}

/* ---- accounts ---- */

static size_t bytes_of(const struct fs_group_entry *e)
{
	return sizeof(struct fs_groupmap_node) + (e->buf ? sizeof(*e->buf) + e->buf->cap : 0);
}

static bool shares_page(const struct fs_groupmap_node *n, const struct fs_groupmap_node *other)
{
	return other && other->entry.key.len == n->entry.key.len &&
	       !memcmp(other->entry.key.b, n->entry.key.b, FS_KEY_PLACE) &&
	       fs_key_sub(&other->entry.key, 4) / FS_MAP_ENTRIES ==
		       fs_key_sub(&n->entry.key, 4) / FS_MAP_ENTRIES;
}

/*
 * How many records n makes, being in a map. Contents go to the container; of the database they cost
 * their map page, once for all chunks of it that are neighbors here.
 */
static size_t records_of(struct fs_groupmap_node *n)
{
	if (fs_key_table(&n->entry.key) != FS_T_CHUNK)
		return 1;
	return !shares_page(n, fs_groupmap_nodes_RB_PREV(n)) &&
	       !shares_page(n, fs_groupmap_nodes_RB_NEXT(n));
}

/* Pages of an earlier version that a cut makes the committer write, of which the cut itself knows
 * (fs/chunk.c). */
static size_t kept_pages(const struct fs_key *key, const struct fs_buf *buf)
{
	struct bytes_in in;

	if (fs_key_table(key) != FS_T_CUT || !buf || buf->len < 4)
		return 0;
	in = bytes_in(buf->data, buf->len);
	return bytes_get_u32(&in);
}

static size_t pages_of(const struct fs_group_entry *e)
{
	if (fs_key_table(&e->key) == FS_T_CUT)
		return 1 + 2 * kept_pages(&e->key, e->buf);
	if (fs_key_table(&e->key) == FS_T_CHUNK || fs_key_table(&e->key) == FS_T_AGAIN)
		return 2;
	return e->buf && e->buf->len > OWN_PAGE ? 2 : 1;
}

/* n is in the map. */
static void count_in(struct fs_groupmap *m, struct fs_groupmap_node *n)
{
	size_t records = records_of(n);

	m->bytes += bytes_of(&n->entry);
	m->records += records;
	m->pages += records * pages_of(&n->entry);
}

/* n is still in the map. */
static void count_out(struct fs_groupmap *m, struct fs_groupmap_node *n)
{
	size_t records = records_of(n);

	m->bytes -= bytes_of(&n->entry);
	m->records -= records;
	m->pages -= records * pages_of(&n->entry);
}

/* ---- freeing ---- */

static void free_list(struct fs_groupmap_node *list, struct fs_buf_gone *gone)
{
	while (list) {
		struct fs_groupmap_node *next = list->more;

		fs_buf_put_later(list->entry.buf, gone);
		free(list);
		list = next;
	}
}

void fs_groupmap_free_list(struct fs_groupmap_node *list)
{
	struct fs_buf_gone gone = {.n = 0};

	free_list(list, &gone);
	fs_buf_flush(&gone);
}

static void free_journal(struct fs_groupmap_journal *j, const struct fs_group_hooks *hooks)
{
	if (j->signer)
		hooks->signer_put(hooks->ctx, j->signer);
	hooks->release(hooks->ctx, j->journal);
	free(j);
}

void fs_groupmap_clear(struct fs_groupmap *m, const struct fs_group_hooks *hooks)
{
	struct fs_groupmap_node *n, *next_node;
	struct fs_groupmap_journal *j, *next_journal;
	struct fs_buf_gone gone = {.n = 0};

	RB_FOREACH_SAFE(n, fs_groupmap_nodes, &m->nodes, next_node)
	{
		RB_REMOVE(fs_groupmap_nodes, &m->nodes, n);
		free_list(n, &gone);
	}
	fs_buf_flush(&gone);
	RB_FOREACH_SAFE(j, fs_groupmap_journals, &m->journals, next_journal)
	{
		RB_REMOVE(fs_groupmap_journals, &m->journals, j);
		free_journal(j, hooks);
	}
	fs_groupmap_init(m);
}

/* ---- patches ---- */

static uint32_t patch_end(const struct fs_groupmap_node *n)
{
	uint32_t end = 0;

	for (; n; n = n->more) {
		if (n->patch->patch_off + n->patch->patch_len > end)
			end = n->patch->patch_off + n->patch->patch_len;
	}
	return end;
}

/* The buffer has the capacity. Bytes between the old end and the patch become zero. */
static void patch_buf(struct fs_buf *buf, const struct fs_batch_entry *e)
{
	uint32_t end = e->patch_off + e->patch_len;

	if (e->patch_off > buf->len)
		memset(buf->data + buf->len, 0, e->patch_off - buf->len);
	if (e->patch_len)
		memcpy(buf->data + e->patch_off, e->patch, e->patch_len);
	if (end > buf->len)
		buf->len = end;
}

static void patch_all(struct fs_buf *buf, const struct fs_groupmap_node *n)
{
	for (; n; n = n->more)
		patch_buf(buf, n->patch);
}

/* A private copy with room up to end. from NULL: empty. */
static struct fs_buf *copy_for(const struct fs_buf *from, uint32_t end)
{
	uint32_t len = from ? from->len : 0, cap = len;
	struct fs_buf *b;

	if (end > cap) {
		/* A file that is appended to grows its last piece often: leave room. */
		cap = cap ? cap : 64;
		while (cap < end && cap < VALUE_STEP)
			cap *= 2;
		cap = cap > VALUE_STEP && end <= VALUE_STEP ? VALUE_STEP : cap;
		cap = cap < end ? end : cap;
	}
	b = fs_buf_new(cap);
	if (!b)
		return NULL;
	if (len)
		memcpy(b->data, from->data, len);
	b->len = len;
	return b;
}

/* ---- stage ---- */

static int stage_journal(struct fs_groupmap *staged, struct fs_journal *journal,
			 struct fs_signer *signer, const struct fs_group_hooks *hooks)
{
	struct fs_groupmap_journal *j, probe = {.journal = journal};

	if (RB_FIND(fs_groupmap_journals, &staged->journals, &probe))
		return 0;
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	hooks->hold(hooks->ctx, journal);
	j->journal = journal;
	if (signer) {
		hooks->signer_get(hooks->ctx, signer);
		j->signer = signer;
	}
	RB_INSERT(fs_groupmap_journals, &staged->journals, j);
	return 0;
}

/* The value that was staged takes another patch of the same batch. */
static int patch_staged(struct fs_groupmap_node *old, const struct fs_batch_entry *e)
{
	struct fs_buf *b;

	if (!old->entry.buf && e->buf) {
		old->entry.buf = fs_buf_get(e->buf);
		return 0;
	}
	b = copy_for(old->entry.buf, e->patch_off + e->patch_len);
	if (!b)
		return -ENOMEM;
	patch_buf(b, e);
	fs_buf_put(old->entry.buf);
	old->entry.buf = b;
	return 0;
}

static int stage_entry(struct fs_groupmap *staged, const struct fs_batch_entry *e)
{
	struct fs_groupmap_node *old, *n;

	old = fs_groupmap_find(staged, &e->key);
	if (old && e->change == FS_PATCH && !old->patch)
		return patch_staged(old, e);
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->entry.journal = e->journal;
	n->entry.key = e->key;
	n->entry.buf = e->change != FS_DEL && e->buf ? fs_buf_get(e->buf) : NULL;
	n->patch = e->change == FS_PATCH ? e : NULL;
	n->fresh = e->fresh && !old;
	if (old && n->patch) {
		while (old->more)
			old = old->more;
		old->more = n;
		return 0;
	}
	if (old) {
		staged->records -= records_of(old);
		staged->pages -= 2 * kept_pages(&old->entry.key, old->entry.buf);
		RB_REMOVE(fs_groupmap_nodes, &staged->nodes, old);
		fs_groupmap_free_list(old);
		staged->count--;
	}
	RB_INSERT(fs_groupmap_nodes, &staged->nodes, n);
	staged->records += records_of(n);
	staged->pages += 2 * kept_pages(&n->entry.key, n->entry.buf);
	staged->count++;
	return 0;
}

int fs_groupmap_stage(struct fs_groupmap *staged, const struct fs_batch *b,
		      const struct fs_group_hooks *hooks)
{
	int rc = 0;

	for (size_t i = 0; i < b->n && !rc; i++) {
		rc = stage_journal(staged, b->e[i].journal, b->signer, hooks);
		if (!rc)
			rc = stage_entry(staged, &b->e[i]);
	}
	return rc;
}

/* ---- plan ---- */

/* What the patches of n change: a private buffer in *out that has all of them. */
static int build_value(const struct fs_groupmap_node *n, const struct fs_groupmap_node *current,
		       const struct fs_groupmap *older, struct fs_buf **out)
{
	const struct fs_groupmap_node *before;
	struct fs_buf *b;

	if (current && current->entry.buf) {
		b = copy_for(current->entry.buf, patch_end(n));
	} else if (n->entry.buf) {
		b = fs_buf_get(n->entry.buf); /* has the first patch; the batch's own */
		if (n->more) {
			fs_buf_put(b);
			b = copy_for(n->entry.buf, patch_end(n));
		}
	} else if (current) {
		b = copy_for(NULL, patch_end(n)); /* deleted before: nothing but the patch */
	} else {
		before = older ? fs_groupmap_find(older, &n->entry.key) : NULL;
		if (before && before->entry.buf)
			b = copy_for(before->entry.buf, patch_end(n));
		else if (n->patch->seen) /* unchanged since: the caller has the inode's lock */
			b = copy_for(n->patch->seen, patch_end(n));
		else
			return -EAGAIN;
	}
	if (!b)
		return -ENOMEM;
	if (n->entry.buf != b)
		patch_all(b, n);
	*out = b;
	return 0;
}

/* Does nobody hold the open group's value but the group and these patches? */
static bool is_ours(const struct fs_groupmap_node *n, const struct fs_buf *buf)
{
	unsigned ours = 1;

	for (; n; n = n->more)
		ours += n->patch->seen == buf;
	return atomic_load(&buf->refs) == ours;
}

int fs_groupmap_plan(struct fs_groupmap *staged, const struct fs_groupmap *open,
		     const struct fs_groupmap *older)
{
	struct fs_groupmap_node *n, *current;

	RB_FOREACH(n, fs_groupmap_nodes, &staged->nodes)
	{
		struct fs_buf *b;
		int rc;

		if (!n->patch)
			continue;
		current = fs_groupmap_find(open, &n->entry.key);
		if (current && current->entry.buf && current->entry.buf->cap >= patch_end(n) &&
		    is_ours(n, current->entry.buf)) {
			n->in_place = true;
			continue;
		}
		rc = build_value(n, current, older, &b);
		if (rc)
			return rc;
		fs_buf_put(n->entry.buf); /* the batch still has it: nothing is wiped here */
		n->entry.buf = b;
		n->patch = NULL;
	}
	return 0;
}

/* ---- merge ---- */

static void merge_journals(struct fs_groupmap *staged, struct fs_groupmap *open)
{
	struct fs_groupmap_journal *j, *next, *have;

	RB_FOREACH_SAFE(j, fs_groupmap_journals, &staged->journals, next)
	{
		have = RB_FIND(fs_groupmap_journals, &open->journals, j);
		if (!have) {
			RB_REMOVE(fs_groupmap_journals, &staged->journals, j);
			RB_INSERT(fs_groupmap_journals, &open->journals, j);
		} else if (j->signer) {
			struct fs_signer *last = have->signer;

			have->signer = j->signer;
			j->signer = last;
		}
	}
}

void fs_groupmap_merge(struct fs_groupmap *staged, struct fs_groupmap *open,
		       struct fs_groupmap_node **replaced)
{
	struct fs_groupmap_node *n, *next, *have, *last;

	RB_FOREACH_SAFE(n, fs_groupmap_nodes, &staged->nodes, next)
	{
		RB_REMOVE(fs_groupmap_nodes, &staged->nodes, n);
		have = RB_INSERT(fs_groupmap_nodes, &open->nodes, n);
		if (!have) {
			/* Patches behind a value are in it by now; only their nodes are left. */
			last = n->more;
			n->more = NULL;
			count_in(open, n);
			open->count++;
			n = last;
		} else if (have->fresh && !n->entry.buf && !n->in_place) {
			count_out(open, have);
			RB_REMOVE(fs_groupmap_nodes, &open->nodes, have);
			open->count--;
			have->more = *replaced;
			*replaced = have;
		} else {
			count_out(open, have);
			if (n->in_place) {
				patch_all(have->entry.buf, n);
			} else {
				struct fs_buf *old = have->entry.buf;

				have->entry.buf = n->entry.buf;
				n->entry.buf = old;
			}
			count_in(open, have);
		}
		if (!n)
			continue;
		for (last = n; last->more; last = last->more)
			;
		last->more = *replaced;
		*replaced = n;
	}
	merge_journals(staged, open);
}

void fs_groupmap_drop(struct fs_groupmap *m, const struct fs_journal *j,
		      struct fs_groupmap_node **dropped)
{
	struct fs_groupmap_node *n, *next;

	RB_FOREACH_SAFE(n, fs_groupmap_nodes, &m->nodes, next)
	{
		if (n->entry.journal != j)
			continue;
		count_out(m, n);
		RB_REMOVE(fs_groupmap_nodes, &m->nodes, n);
		m->count--;
		n->more = *dropped;
		*dropped = n;
	}
}

/* ---- looking ---- */

struct fs_groupmap_journal *fs_groupmap_journals(struct fs_groupmap *m,
						 struct fs_groupmap_journal *after)
{
	return after ? RB_NEXT(fs_groupmap_journals, &m->journals, after)
		     : RB_MIN(fs_groupmap_journals, &m->journals);
}

struct fs_groupmap_node *fs_groupmap_find(const struct fs_groupmap *m, const struct fs_key *key)
{
	struct fs_groupmap_node probe = {.entry.key = *key};

	return RB_FIND(fs_groupmap_nodes, (struct fs_groupmap_nodes *)(uintptr_t)&m->nodes, &probe);
}

struct fs_groupmap_node *fs_groupmap_from(const struct fs_groupmap *m, const struct fs_key *from)
{
	struct fs_groupmap_node probe = {.entry.key = *from};

	return RB_NFIND(fs_groupmap_nodes, (struct fs_groupmap_nodes *)(uintptr_t)&m->nodes,
			&probe);
}

struct fs_groupmap_node *fs_groupmap_after(struct fs_groupmap_node *n)
{
	return RB_NEXT(fs_groupmap_nodes, NULL, n);
}

const struct fs_groupmap_journal *fs_groupmap_journal(const struct fs_groupmap *m,
						      const struct fs_journal *j)
{
	struct fs_groupmap_journal probe = {.journal = (struct fs_journal *)(uintptr_t)j};

	return RB_FIND(fs_groupmap_journals, (struct fs_groupmap_journals *)(uintptr_t)&m->journals,
		       &probe);
}
