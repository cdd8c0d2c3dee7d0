/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/journal_keys.c - the generations of an open journal's key.
 *
 * A list, newest first. Reading takes the generation that a record or chunk names;
 * sealing takes the newest whose wraps are in the group that is being sealed or in
 * an earlier one, so that a crash between two commits never leaves records behind
 * whose key nobody has. The key under which names are hashed is that of generation 1
 * for ever: cookies and places of attributes are made of it. Once generation 1 is to
 * go, HEAD keeps it, sealed like every record. Implements fs/FORMAT.md, "HEAD" part 2
 * and "Generations of a journal's key".
 *
 * Locks: the journal's, to put into the list; nobody else takes any.
 */
#include <errno.h>
#include <stdlib.h>

#include "../keys/bytes.h"
#include "record_impl.h"

#define HEAD_NAMES 2 /* part 0 and 1: head.c */
#define HEAD_VERSION 1
#define HEAD_NAMES_LEN 48

const struct fs_journal_key *fs_journal_key(struct fs_journal *j, uint32_t generation)
{
	const struct fs_journal_key *k = atomic_load(&j->newest);

	while (k && k->generation != generation)
		k = k->older;
	return k;
}

const struct fs_journal_key *fs_journal_key_sealing(struct fs_journal *j)
{
	const struct fs_journal_key *k = atomic_load(&j->newest);

	while (k && k->since > j->records->encoding)
		k = k->older;
	return k;
}

uint32_t fs_journal_generation(struct fs_journal *j)
{
	const struct fs_journal_key *k = atomic_load(&j->newest);

	return k ? k->generation : 0;
}

int fs_journal_key_new(struct fs_journal *j, uint32_t generation, const struct keys_journal *keys,
		       struct fs_journal_key **out)
{
	struct fs_journal_key *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->keys = keys_slab_get(j->records->slab);
	if (!k->keys) {
		free(k);
		return -ENOMEM;
	}
	k->generation = generation;
	*k->keys = *keys;
	*out = k;
	return 0;
}

void fs_journal_key_free(struct fs_journal *j, struct fs_journal_key *k)
{
	if (!k)
		return;
	keys_slab_put(j->records->slab, k->keys);
	free(k);
}

void fs_journal_key_link(struct fs_journal *j, struct fs_journal_key *k, uint64_t since)
{
	k->since = since;
	pthread_mutex_lock(&j->lock);
	k->older = atomic_load(&j->newest);
	atomic_store(&j->newest, k);
	pthread_mutex_unlock(&j->lock);
}

/* ---- opening and closing ---- */

static int take(struct fs_journal *j, uint32_t generation, const struct keys_journal *keys)
{
	struct fs_journal_key *k;
	int rc = fs_journal_key_new(j, generation, keys, &k);

	if (!rc)
		fs_journal_key_link(j, k, 0);
	return rc;
}

int fs_journal_keys_take(struct fs_journal *j, const struct fs_journal_open *o)
{
	int rc = 0;

	for (size_t i = 0; i < o->n_older && !rc; i++)
		rc = take(j, o->older[i].generation, o->older[i].keys);
	return rc ? rc : take(j, o->generation, o->keys);
}

void fs_journal_keys_clear(struct fs_journal *j)
{
	struct fs_journal_key *k = atomic_load(&j->newest);

	while (k) {
		struct fs_journal_key *older = k->older;

		fs_journal_key_free(j, k);
		k = older;
	}
	keys_slab_put(j->records->slab, j->names);
}

/* Is this one known with other bytes? Counts those that are known. */
static bool differs(struct fs_journal *j, uint32_t generation, const struct keys_journal *keys,
		    unsigned *known)
{
	const struct fs_journal_key *k = fs_journal_key(j, generation);

	*known += k != NULL;
	return k && !keys_equal(k->keys, keys, sizeof(*keys));
}

int fs_journal_keys_same(struct fs_journal *j, const struct fs_journal_open *o)
{
	unsigned known = 0;
	bool bad = differs(j, o->generation, o->keys, &known);

	for (size_t i = 0; i < o->n_older && !bad; i++)
		bad = differs(j, o->older[i].generation, o->older[i].keys, &known);
	return bad || !known ? -EBADMSG : 0;
}

/* ---- the key of names ---- */

static struct fs_key names_at(const struct fs_journal *j)
{
	return fs_key_n(j->index, 0, FS_T_HEAD, HEAD_NAMES, 1);
}

void fs_journal_keep_names(struct fs_journal *j, struct fs_batch *b)
{
	struct fs_key at = names_at(j);
	uint8_t rec[HEAD_NAMES_LEN] = {0};
	struct bytes_out out = bytes_out(rec, sizeof(rec));

	bytes_put_u8(&out, HEAD_VERSION);
	bytes_put(&out, j->name_key, KEYS_LEN);
	fs_batch_put(b, j, &at, rec, sizeof(rec));
	keys_wipe(rec, sizeof(rec));
}

static int decode_names(const struct fs_buf *buf, uint8_t key[static KEYS_LEN])
{
	struct bytes_in in = bytes_in(buf->data, buf->len);
	bool right = bytes_get_u8(&in) == HEAD_VERSION;

	bytes_get(&in, key, KEYS_LEN);
	bytes_get_zero(&in, HEAD_NAMES_LEN - 1 - KEYS_LEN);
	return right && bytes_in_done(&in) ? 0 : -EBADMSG;
}

int fs_journal_names_kept(struct fs_journal *j)
{
	uint8_t *kept = keys_guard_new(KEYS_LEN);
	struct fs_key at = names_at(j);
	struct fs_buf *buf = NULL;
	int rc = kept ? fs_record_get(j, &at, &buf) : -ENOMEM;

	if (!rc)
		rc = decode_names(buf, kept);
	if (!rc && !keys_equal(kept, j->name_key, KEYS_LEN))
		rc = -EBADMSG;
	fs_buf_put(buf);
	keys_guard_free(kept);
	return rc;
}

int fs_journal_keys_names(struct fs_journal *j)
{
	const struct fs_journal_key *first = fs_journal_key(j, 1);
	struct fs_key at = names_at(j);
	struct fs_buf *buf = NULL;
	int rc;

	if (first) {
		j->name_key = first->keys->name;
		return 0;
	}
	j->names = keys_slab_get(j->records->slab);
	if (!j->names)
		return -ENOMEM;
	rc = fs_record_get(j, &at, &buf);
	if (rc == -ENOENT)
		rc = -EBADMSG;
	if (!rc)
		rc = decode_names(buf, j->names->name);
	j->name_key = j->names->name;
	fs_buf_put(buf);
	return rc;
}

const uint8_t *fs_journal_name_key(const struct fs_journal *j)
{
	return j->name_key;
}
