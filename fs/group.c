/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/group.c - applying batches, looking at groups, waiting for commits; see group.h.
 *
 * Groups are numbered from 1; closing is always open's number - 1; durable is the
 * last one committed. What happens to a group once it is closed: group_commit.c.
 * Fields and lock: group_impl.h.
 */
#include "group_impl.h"

#include <errno.h>
#include <stdlib.h>

#define PAGE 4096u
#define PAGES_PER_RECORD 4u /* worst case: its leaf and the tag tree's, both split */
#define PAGES_PER_GROUP 64u
#define SPACE_MARGIN ((uint64_t)64 << 20)
#define SPACE_AGE_MS 100
#define HURRY_MS 100 /* closes of one moment share a commit */

int fs_group_new(struct fs_store *store, const struct fs_group_hooks *hooks, struct fs_group **out)
{
	struct fs_group *g = calloc(1, sizeof(*g));
	pthread_condattr_t attr;
	int rc = -ENOMEM;

	if (!g)
		return -ENOMEM;
	g->store = store;
	g->hooks = *hooks;
	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&g->work, &attr);
	pthread_cond_init(&g->news, &attr);
	pthread_condattr_destroy(&attr);
	g->open = fs_group_closing_new(1);
	if (g->open)
		rc = fs_group_start(g);
	if (rc) {
		fs_group_closing_free(g->open, hooks);
		free(g);
		return rc;
	}
	*out = g;
	return 0;
}

void fs_group_use_reserve(struct fs_group *g, struct fs_reserve *reserve)
{
	pthread_mutex_lock(&g->lock);
	g->reserve = reserve;
	pthread_mutex_unlock(&g->lock);
}

int fs_group_free(struct fs_group *g)
{
	int rc;

	if (!g)
		return 0;
	pthread_mutex_lock(&g->lock);
	g->stop = true;
	pthread_cond_signal(&g->work);
	pthread_mutex_unlock(&g->lock);
	pthread_join(g->committer, NULL);
	rc = g->failed;
	fs_group_closing_free(g->open, &g->hooks);
	pthread_cond_destroy(&g->work);
	pthread_cond_destroy(&g->news);
	pthread_mutex_destroy(&g->lock);
	free(g);
	return rc;
}

/* ---- apply ---- */

static uint64_t worst_case(size_t records, size_t pages)
{
	return ((uint64_t)records * PAGES_PER_RECORD + pages + PAGES_PER_GROUP) * PAGE;
}

/* Lock held. What both groups may still ask of the disk. */
static uint64_t pending(const struct fs_group *g)
{
	uint64_t n = worst_case(g->open->map.records, g->open->map.pages);

	return g->closing ? n + worst_case(g->closing->map.records, g->closing->map.pages) : n;
}

static bool deletes(const struct fs_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->e[i].change == FS_DEL)
			return true;
	}
	return false;
}

/* Lock held. A disk that fills up is noticed here, not when it is too late to say so. */
static int admit(struct fs_group *g, const struct fs_groupmap *staged, bool frees)
{
	uint64_t need = pending(g) + worst_case(staged->records, 2 * staged->records + staged->pages);
	uint64_t space;
	int64_t now = fs_group_now_ms();
	int rc;

	if (!g->space_ms || now - g->space_ms > SPACE_AGE_MS || g->space < need + SPACE_MARGIN) {
		rc = fs_store_space(g->store, &space);
		if (rc)
			return rc;
		g->space = space;
		g->space_ms = now;
	}
	space = g->space;
	if (frees && g->reserve)
		space += fs_reserve_size(g->reserve) / 2;
	else if (g->stalled)
		return -ENOSPC;
	return need > space ? -ENOSPC : 0;
}

/* Lock held. */
static int check_journals(const struct fs_group *g, struct fs_groupmap *staged)
{
	struct fs_groupmap_journal *j;
	int rc = 0;

	if (!g->hooks.check)
		return 0;
	for (j = fs_groupmap_journals(staged, NULL); j && !rc; j = fs_groupmap_journals(staged, j))
		rc = g->hooks.check(g->hooks.ctx, j->journal);
	return rc;
}

/* ---- who has put how much into a group; lock held ---- */

static struct fs_group_writer *writer_of(struct fs_closing *c, const struct fs_signer *signer)
{
	for (unsigned k = 0; c && k < c->writers; k++) {
		if (c->writer[k].signer == signer)
			return &c->writer[k];
	}
	return NULL;
}

static void charge(struct fs_closing *c, const struct fs_signer *signer, size_t bytes, size_t pages)
{
	struct fs_group_writer *w = writer_of(c, signer);

	if (!w && c->writers < FS_GROUP_WRITERS) {
		w = &c->writer[c->writers++];
		*w = (struct fs_group_writer){.signer = signer};
	}
	if (!w)
		return;
	w->bytes += c->map.bytes > bytes ? c->map.bytes - bytes : 0;
	w->pages += c->map.pages > pages ? c->map.pages - pages : 0;
}

/* How many share: at least one, and whoever asks. */
static unsigned writers(const struct fs_group *g, const struct fs_signer *asks)
{
	unsigned n = g->open->writers + !writer_of(g->open, asks);

	for (unsigned k = 0; k < g->closing->writers; k++)
		n += g->closing->writer[k].signer != asks &&
		     !writer_of(g->open, g->closing->writer[k].signer);
	return n;
}

static bool over_share(const struct fs_group *g, const struct fs_signer *signer)
{
	const struct fs_group_writer *open, *closing;
	size_t n;

	if (!signer || g->failed || g->stalled || !g->closing)
		return false;
	open = writer_of(g->open, signer);
	if (!open)
		return false; /* nothing yet in this one */
	closing = writer_of(g->closing, signer);
	n = writers(g, signer);
	return open->bytes + (closing ? closing->bytes : 0) >
		       2 * FS_GROUP_BYTES_MOST / 4 * 3 / n ||
	       open->pages > 2 * FS_GROUP_PAGES_MOST / 4 * 3 / n;
}

/* Lock held. */
static int merge(struct fs_group *g, struct fs_groupmap *staged, const struct fs_batch *b,
		 struct fs_groupmap_node **replaced)
{
	size_t bytes, pages;
	bool first;
	int rc;

	if (g->failed)
		return -EROFS;
	rc = check_journals(g, staged);
	if (!rc)
		rc = admit(g, staged, b->urgent || deletes(b));
	if (rc)
		return rc;
	rc = fs_groupmap_plan(staged, &g->open->map, g->closing ? &g->closing->map : NULL);
	if (rc)
		return rc;
	first = !g->open->map.count;
	if (first)
		g->open->since_ms = fs_group_now_ms();
	bytes = g->open->map.bytes;
	pages = g->open->map.pages;
	fs_groupmap_merge(staged, &g->open->map, replaced);
	if (b->signer)
		charge(g->open, b->signer, bytes, pages);
	/* It looks at the time anyway when it waits for one. */
	if ((first && g->awake_ms < 0) || fs_group_full(g->open))
		pthread_cond_signal(&g->work);
	return 0;
}

int fs_group_apply(struct fs_group *g, struct fs_batch *b, uint64_t *number)
{
	struct fs_groupmap_node *replaced = NULL;
	struct fs_groupmap staged;
	int rc;

	if (b->rc)
		return b->rc;
	if (fs_store_read_only(g->store))
		return -EROFS;
	fs_groupmap_init(&staged);
	rc = fs_groupmap_stage(&staged, b, &g->hooks);
	if (!rc) {
		pthread_mutex_lock(&g->lock);
		rc = merge(g, &staged, b, &replaced);
		if (!rc && number)
			*number = b->n ? g->open->number : g->open->number - 1;
		pthread_mutex_unlock(&g->lock);
	}
	fs_groupmap_free_list(replaced);
	fs_groupmap_clear(&staged, &g->hooks);
	return rc;
}

void fs_group_drop(struct fs_group *g, const struct fs_journal *j)
{
	struct fs_groupmap_node *dropped = NULL;

	pthread_mutex_lock(&g->lock);
	if (g->open)
		fs_groupmap_drop(&g->open->map, j, &dropped);
	pthread_mutex_unlock(&g->lock);
	fs_groupmap_free_list(dropped);
}

/* Lock held. */
static bool over(const struct fs_group *g)
{
	return !g->failed && !g->stalled && g->closing &&
	       (g->open->map.bytes + g->closing->map.bytes > 2 * FS_GROUP_BYTES_MOST ||
		g->open->map.pages > 2 * FS_GROUP_PAGES_MOST);
}

void fs_group_throttle(struct fs_group *g)
{
	pthread_mutex_lock(&g->lock);
	while (over(g))
		fs_group_wait(&g->news, &g->lock, -1);
	pthread_mutex_unlock(&g->lock);
}

bool fs_group_over_writer(struct fs_group *g, const struct fs_signer *signer)
{
	bool is;

	pthread_mutex_lock(&g->lock);
	is = over(g) || over_share(g, signer);
	pthread_mutex_unlock(&g->lock);
	return is;
}

void fs_group_throttle_writer(struct fs_group *g, const struct fs_signer *signer)
{
	pthread_mutex_lock(&g->lock);
	while (over(g) || over_share(g, signer))
		fs_group_wait(&g->news, &g->lock, -1);
	pthread_mutex_unlock(&g->lock);
}

/* ---- looking ---- */

/* Lock held. Open before closing: the newest wins. */
static const struct fs_groupmap_node *find(const struct fs_group *g, const struct fs_key *key)
{
	const struct fs_groupmap_node *n;

	if (!g->open || g->failed)
		return NULL;
	n = fs_groupmap_find(&g->open->map, key);
	return n || !g->closing ? n : fs_groupmap_find(&g->closing->map, key);
}

int fs_group_get(struct fs_group *g, const struct fs_key *key, struct fs_buf **out)
{
	const struct fs_groupmap_node *n;
	int rc = 0;

	pthread_mutex_lock(&g->lock);
	n = find(g, key);
	if (n && n->entry.buf) {
		*out = fs_buf_get(n->entry.buf);
		rc = 1;
	} else if (n) {
		rc = -ENOENT;
	}
	pthread_mutex_unlock(&g->lock);
	return rc;
}

bool fs_group_has(struct fs_group *g, const struct fs_key *key)
{
	const struct fs_groupmap_node *n;
	bool has;

	pthread_mutex_lock(&g->lock);
	n = g->open && !g->failed ? fs_groupmap_find(&g->open->map, key) : NULL;
	has = n && n->entry.buf;
	pthread_mutex_unlock(&g->lock);
	return has;
}

/* The node when it lies before `to`. */
static struct fs_groupmap_node *before(struct fs_groupmap_node *n, const struct fs_key *to)
{
	return n && fs_key_cmp(&n->entry.key, to) < 0 ? n : NULL;
}

bool fs_group_has_any(struct fs_group *g, const struct fs_key *from, const struct fs_key *to)
{
	bool has;

	pthread_mutex_lock(&g->lock);
	has = g->open && !g->failed && before(fs_groupmap_from(&g->open->map, from), to);
	pthread_mutex_unlock(&g->lock);
	return has;
}

/* Lock held. Merges both groups' ranges; with out NULL only counts. */
static size_t collect(const struct fs_group *g, const struct fs_key *from, const struct fs_key *to,
		      struct fs_group_entry *out)
{
	struct fs_groupmap_node *a, *b = NULL;
	size_t n = 0;

	a = before(fs_groupmap_from(&g->open->map, from), to);
	if (g->closing)
		b = before(fs_groupmap_from(&g->closing->map, from), to);
	while (a || b) {
		int c = !b ? -1 : !a ? 1 : fs_key_cmp(&a->entry.key, &b->entry.key);

		if (out) {
			out[n] = c <= 0 ? a->entry : b->entry;
			if (out[n].buf)
				fs_buf_get(out[n].buf);
		}
		n++;
		if (c <= 0)
			a = before(fs_groupmap_after(a), to);
		if (c >= 0)
			b = before(fs_groupmap_after(b), to);
	}
	return n;
}

int fs_group_range(struct fs_group *g, const struct fs_key *from, const struct fs_key *to,
		   struct fs_group_entry **out, size_t *n)
{
	struct fs_group_entry *e = NULL;
	size_t count = 0;
	int rc = 0;

	pthread_mutex_lock(&g->lock);
	if (g->open && !g->failed)
		count = collect(g, from, to, NULL);
	if (count) {
		e = calloc(count, sizeof(*e));
		if (e)
			collect(g, from, to, e);
		else
			rc = -ENOMEM;
	}
	pthread_mutex_unlock(&g->lock);
	if (rc)
		return rc;
	*out = e;
	*n = count;
	return 0;
}

bool fs_group_first(struct fs_group *g, const struct fs_key *from, const struct fs_key *to,
		    struct fs_key *out)
{
	const struct fs_groupmap_node *a = NULL, *b = NULL;

	pthread_mutex_lock(&g->lock);
	if (g->open && !g->failed) {
		a = before(fs_groupmap_from(&g->open->map, from), to);
		if (g->closing)
			b = before(fs_groupmap_from(&g->closing->map, from), to);
	}
	if (!a || (b && fs_key_cmp(&b->entry.key, &a->entry.key) < 0))
		a = b;
	if (a)
		*out = a->entry.key;
	pthread_mutex_unlock(&g->lock);
	return a != NULL;
}

void fs_group_range_free(struct fs_group_entry *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fs_buf_put(e[i].buf);
	free(e);
}

/* ---- waiting ---- */

/* Lock held. The number of the last group that holds anything. */
static uint64_t newest(const struct fs_group *g)
{
	return g->open->map.count ? g->open->number : g->open->number - 1;
}

/* Lock held. -ENOSPC only after a try that began after we came, since space may have come too. */
static int wait_durable(struct fs_group *g, uint64_t number, bool here)
{
	uint64_t came = g->attempts;

	while (g->durable < number) {
		if (g->failed)
			return -EIO;
		if (g->stalled && g->stalled_attempt > came)
			return g->stalled;
		if (g->wanted < number)
			g->wanted = number;
		if (here && fs_group_commit_here(g))
			continue;
		g->retry = true;
		/* Who commits now finds those who wait when he is done. */
		if (!g->busy || g->stalled)
			pthread_cond_signal(&g->work);
		fs_group_wait(&g->news, &g->lock, -1);
	}
	return 0;
}

static int sync_group(struct fs_group *g, uint64_t number, bool here)
{
	int rc;

	pthread_mutex_lock(&g->lock);
	if (number && number <= g->durable) {
		rc = 0;
	} else if (g->failed) {
		rc = -EIO;
	} else {
		if (!number || number > newest(g))
			number = newest(g);
		rc = wait_durable(g, number, here);
	}
	pthread_mutex_unlock(&g->lock);
	return rc;
}

int fs_group_sync(struct fs_group *g, uint64_t number)
{
	return sync_group(g, number, false);
}

int fs_group_commit(struct fs_group *g, uint64_t number)
{
	return sync_group(g, number, true);
}

void fs_group_hurry(struct fs_group *g)
{
	pthread_mutex_lock(&g->lock);
	if (g->open && g->open->map.count && !g->hurry_ms) {
		g->hurry_ms = fs_group_now_ms() + HURRY_MS;
		pthread_cond_signal(&g->work);
	}
	pthread_mutex_unlock(&g->lock);
}

void fs_group_push(struct fs_group *g)
{
	pthread_mutex_lock(&g->lock);
	if (g->open && !g->failed && g->wanted < newest(g)) {
		g->wanted = newest(g);
		pthread_cond_signal(&g->work);
	}
	pthread_mutex_unlock(&g->lock);
}

bool fs_group_durable(struct fs_group *g, uint64_t number)
{
	bool durable;

	pthread_mutex_lock(&g->lock);
	durable = number <= g->durable;
	pthread_mutex_unlock(&g->lock);
	return durable;
}

int fs_group_failed(struct fs_group *g)
{
	int rc;

	pthread_mutex_lock(&g->lock);
	rc = g->failed;
	pthread_mutex_unlock(&g->lock);
	return rc;
}

void fs_group_stat(struct fs_group *g, struct fs_group_stat *out)
{
	pthread_mutex_lock(&g->lock);
	*out = (struct fs_group_stat){.commits = g->commits, .waiting_for_space = g->stalled};
	if (g->open) {
		out->entries = g->open->map.count;
		out->bytes = g->open->map.bytes;
	}
	if (g->closing) {
		out->entries += g->closing->map.count;
		out->bytes += g->closing->map.bytes;
	}
	pthread_mutex_unlock(&g->lock);
}
