/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/journal.c - open journals: one struct per journal, shared by all sessions.
 *
 * Opening proves the root: its record must stand in the vault's tree as it is
 * stored, and its signature must be that of a signer whom the vault's callback
 * accepts. From then on the root is trusted from memory. The last put wipes keys
 * and cached plaintext; groups hold references, so that a journal outlives its
 * last change's commit.
 *
 * Locks: the records' lock for table, counts and the list of openings; a journal's
 * own for the loading of its container. None is held while records are read or a
 * callback runs: who comes second waits on the condition.
 */
#include <errno.h>
#include <stdlib.h>

#include "chunk_impl.h"

void fs_journal_init(struct fs_journal *j, struct fs_records *r, uint32_t index)
{
	j->records = r;
	j->index = index;
	j->cur.tree.journal = index;
	j->cur.tree.next = 1;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->loaded, NULL);
}

void fs_journal_clear(struct fs_journal *j)
{
	if (j->inodes && j->inodes_free)
		j->inodes_free(j->inodes);
	if (j->history)
		j->history_free(j->history);
	fs_chunk_space_free(j->space, j->container);
	fs_container_close(j->container);
	fs_journal_keys_clear(j);
	for (size_t n = 0; n < FS_RECORD_RECENT; n++)
		fs_buf_put(j->recent[n].buf);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->loaded);
}

/* Under the records' lock. */
static struct fs_journal **slot_of(struct fs_records *r, uint32_t index)
{
	struct fs_journal **at = &r->bucket[index % FS_RECORD_BUCKETS];

	while (*at && (*at)->index != index)
		at = &(*at)->chain;
	return at;
}

struct fs_journal *fs_journal_find(struct fs_records *r, uint32_t index)
{
	struct fs_journal *j;

	pthread_mutex_lock(&r->lock);
	j = *slot_of(r, index);
	if (j)
		j->refs++;
	pthread_mutex_unlock(&r->lock);
	return j;
}

struct fs_journal *fs_journal_get(struct fs_journal *j)
{
	if (j->index) {
		pthread_mutex_lock(&j->records->lock);
		j->refs++;
		pthread_mutex_unlock(&j->records->lock);
	}
	return j;
}

void fs_journal_put(struct fs_journal *j)
{
	struct fs_records *r;
	bool last;

	if (!j || !j->index)
		return;
	r = j->records;
	pthread_mutex_lock(&r->lock);
	last = --j->refs == 0;
	if (last)
		*slot_of(r, j->index) = j->chain;
	pthread_mutex_unlock(&r->lock);
	if (!last)
		return;
	fs_tagtree_cache_drop(r->nodes, j->index);
	fs_chunk_forget(r, j->index);
	fs_journal_clear(j);
	free(j);
}

/* The root record, proved by the vault's tree, with an accepted signature. */
static int load_root(struct fs_journal *j, const struct fs_journal_open *o)
{
	struct fs_records *r = j->records;
	struct fs_key key = fs_root_key(j->index);
	uint8_t raw[FS_ROOT_RAW_MAX], pk[KEYS_LEN];
	struct fs_buf *buf;
	struct fs_root root;
	int rc = fs_record_get(&r->vault, &key, &buf);

	if (o->create)
		rc = rc == -ENOENT ? 0 : rc ? rc : (fs_buf_put(buf), -EEXIST);
	if (rc || o->create)
		return rc;
	rc = -EBADMSG;
	if (buf->len < sizeof(raw)) {
		raw[0] = 0; /* form: clear */
		memcpy(raw + 1, buf->data, buf->len);
		rc = fs_root_decode(j->index, raw, buf->len + 1u, &root);
	}
	fs_buf_put(buf);
	if (!rc)
		rc = o->signer_pk(o->ctx, j->index, &root.info, pk);
	if (!rc)
		rc = fs_root_verify(r->vault_id, &root, pk);
	/* Signed under a key that no manifest speaks of: manifests were taken away. */
	if (!rc && !fs_journal_key(j, root.info.generation))
		rc = -EBADMSG;
	if (!rc)
		j->cur = root;
	else if (rc == -EBADMSG)
		fs_record_report(r, &key);
	return rc;
}

/* Damage that a commit met does not go away with whoever had the journal open. */
static int known_broken(struct fs_records *r, uint32_t index)
{
	bool broken = false;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_broken && !broken; i++)
		broken = r->broken[i] == index;
	pthread_mutex_unlock(&r->lock);
	return broken ? -EIO : 0;
}

static int build(struct fs_records *r, const struct fs_journal_open *o, struct fs_journal **out)
{
	struct fs_journal *j = calloc(1, sizeof(*j));
	int rc;

	if (!j)
		return -ENOMEM;
	fs_journal_init(j, r, o->index);
	j->refs = 1;
	atomic_init(&j->dead, known_broken(r, o->index));
	rc = fs_journal_keys_take(j, o);
	if (!rc)
		rc = load_root(j, o);
	if (!rc)
		rc = fs_journal_keys_names(j);
	if (rc) {
		fs_journal_clear(j);
		free(j);
		return rc;
	}
	*out = j;
	return 0;
}

/* Under the records' lock. */
static bool being_opened(const struct fs_records *r, uint32_t index)
{
	const struct fs_record_opening *o = r->opening;

	while (o && o->index != index)
		o = o->next;
	return o;
}

/* The open journal with a reference; NULL: it is ours to open, *mine stands in the list. */
static struct fs_journal *begin_open(struct fs_records *r, struct fs_record_opening *mine)
{
	struct fs_journal *j;

	pthread_mutex_lock(&r->lock);
	while (being_opened(r, mine->index))
		pthread_cond_wait(&r->opened, &r->lock);
	j = *slot_of(r, mine->index);
	if (j) {
		j->refs++;
	} else {
		mine->next = r->opening;
		r->opening = mine;
	}
	pthread_mutex_unlock(&r->lock);
	return j;
}

/* j: what was opened; NULL: it failed. */
static void end_open(struct fs_records *r, struct fs_record_opening *mine, struct fs_journal *j)
{
	struct fs_record_opening **at = &r->opening;

	pthread_mutex_lock(&r->lock);
	while (*at != mine)
		at = &(*at)->next;
	*at = mine->next;
	if (j)
		*slot_of(r, mine->index) = j;
	pthread_cond_broadcast(&r->opened);
	pthread_mutex_unlock(&r->lock);
}

int fs_journal_open(struct fs_records *r, const struct fs_journal_open *o, struct fs_journal **out)
{
	struct fs_record_opening mine = {.index = o->index};
	struct fs_journal *j;
	int rc;

	if (!o->index || o->index > FS_JOURNAL_MAX || !o->generation ||
	    o->n_older >= FS_JOURNAL_KEYS || (!o->create && !o->signer_pk))
		return -EINVAL;
	j = begin_open(r, &mine);
	if (j) {
		rc = fs_journal_keys_same(j, o);
		if (rc)
			fs_journal_put(j);
	} else {
		rc = build(r, o, &j);
		end_open(r, &mine, rc ? NULL : j);
	}
	if (!rc)
		*out = j;
	return rc;
}

uint32_t fs_journal_index(const struct fs_journal *j)
{
	return j->index;
}

struct fs_records *fs_journal_records(const struct fs_journal *j)
{
	return j->records;
}

struct fs_inodes *fs_journal_inodes(struct fs_journal *j)
{
	return j->inodes;
}

void fs_journal_attach(struct fs_journal *j, struct fs_inodes *inodes,
		       void (*free_fn)(struct fs_inodes *), int (*revert)(struct fs_journal *))
{
	/* The committer may look at any time. */
	pthread_mutex_lock(&j->lock);
	j->inodes = inodes;
	j->inodes_free = free_fn;
	j->inodes_revert = revert;
	pthread_mutex_unlock(&j->lock);
}

struct fs_history_table *fs_journal_history(struct fs_journal *j)
{
	struct fs_history_table *t;

	pthread_mutex_lock(&j->lock);
	t = j->history;
	pthread_mutex_unlock(&j->lock);
	return t;
}

struct fs_history_table *fs_journal_attach_history(struct fs_journal *j,
						   struct fs_history_table *table,
						   void (*free_fn)(struct fs_history_table *))
{
	pthread_mutex_lock(&j->lock);
	if (!j->history) {
		j->history = table;
		j->history_free = free_fn;
	}
	table = j->history;
	pthread_mutex_unlock(&j->lock);
	return table;
}

int fs_journal_check(const struct fs_journal *j)
{
	return atomic_load(&j->dead);
}

struct fs_journal **fs_journal_all(struct fs_records *r, size_t *n)
{
	struct fs_journal **all;
	size_t count = 0;

	pthread_mutex_lock(&r->lock);
	for (size_t b = 0; b < FS_RECORD_BUCKETS; b++)
		for (struct fs_journal *j = r->bucket[b]; j; j = j->chain)
			count++;
	all = calloc(count + 1, sizeof(struct fs_journal *));
	*n = 0;
	for (size_t b = 0; all && b < FS_RECORD_BUCKETS; b++) {
		for (struct fs_journal *j = r->bucket[b]; j; j = j->chain) {
			j->refs++;
			all[(*n)++] = j;
		}
	}
	pthread_mutex_unlock(&r->lock);
	return all;
}

/* ---- the container ---- */

static int load_free_page(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	int rc = fs_container_load(ctx, (uint32_t)fs_key_sub(key, 4), buf->data, buf->len);

	return rc == -EINVAL ? -EBADMSG : rc;
}

static int load_container(struct fs_journal *j, struct fs_container **out,
			  struct fs_chunk_space **space)
{
	struct fs_key from = fs_key(j->index, 0, FS_T_FREE);
	struct fs_key to = fs_key(j->index, 0, FS_T_FREE + 1);
	struct fs_container *c;
	int rc = fs_container_open(j->records->containers, j->index, &c);

	if (rc) /* something else lies in its place: damage of this journal alone */
		return rc == -EUCLEAN ? -EBADMSG : rc;
	rc = fs_record_scan(j, &from, &to, load_free_page, c);
	if (!rc)
		rc = fs_chunk_space_new(space);
	if (rc)
		fs_container_close(c);
	else
		*out = c;
	return rc;
}

/* Bitmap pages change only while chunks are written, for which the container is loaded first. */
int fs_journal_units(struct fs_journal *j, struct fs_container **out)
{
	struct fs_chunk_space *space = NULL;
	struct fs_container *c = NULL;
	int rc = 0;

	if (!j->index)
		return -EINVAL;
	pthread_mutex_lock(&j->lock);
	while (j->loading)
		pthread_cond_wait(&j->loaded, &j->lock);
	if (!j->container) {
		j->loading = true;
		pthread_mutex_unlock(&j->lock);
		rc = load_container(j, &c, &space);
		pthread_mutex_lock(&j->lock);
		j->container = c;
		j->space = space;
		j->loading = false;
		pthread_cond_broadcast(&j->loaded);
	}
	if (!rc)
		*out = j->container;
	pthread_mutex_unlock(&j->lock);
	return rc;
}

struct fs_container *fs_journal_container(struct fs_journal *j)
{
	struct fs_container *c = NULL;

	return fs_journal_units(j, &c) ? NULL : c;
}
