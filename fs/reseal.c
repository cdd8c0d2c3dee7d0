/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/reseal.c - which of a journal's records older keys seal; see reseal.h.
 *
 * Only what is committed is looked at, a page of records out of a snapshot of its
 * own at a time, each proved by the tag tree: the generation that a stored record
 * names counts only when it is the record that the tree has. Pages of chunk maps
 * are opened, since their chunks have generations of their own.
 */
#include <errno.h>
#include <time.h>

#include "chunk_impl.h"
#include "reseal.h"

#define PAGE 64 /* records out of one snapshot */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A page of a chunk map, whose own seal is as good as it may be: the bytes of older chunks. */
static int look_map(struct fs_journal *j, const struct fs_key *key, const uint8_t *val, size_t len,
		    uint32_t newest, uint64_t *bytes)
{
	struct fs_map_page page;
	struct fs_buf *buf;
	int rc = fs_value_unseal(j, key, val, len, &buf);

	if (rc)
		return rc;
	rc = fs_key_table(key) == FS_T_OLD_MAP ? fs_chunk_old_decode(buf->data, buf->len, &page)
					       : fs_chunk_map_decode(buf->data, buf->len, &page);
	if (!rc)
		*bytes += (uint64_t)__builtin_popcountll(fs_chunk_map_older(buf, newest)) * FS_CHUNK;
	fs_buf_put(buf);
	return rc;
}

/* *bytes: how many an older key seals of this record, 0 none. -EBADMSG: it is damaged. */
static int look(struct fs_journal *j, struct fs_snap *snap, const struct fs_key *key,
		const uint8_t tag[static FS_TAG_LEN], uint64_t *bytes)
{
	uint32_t newest = fs_journal_generation(j), generation;
	uint8_t have[FS_TAG_LEN];
	const uint8_t *val;
	size_t len;
	int rc = fs_store_get(snap, key, &val, &len);

	*bytes = 0;
	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	fs_tagtree_tag(key, val, len, have);
	rc = memcmp(have, tag, FS_TAG_LEN) ? -EBADMSG : fs_value_generation(val, len, &generation);
	if (rc)
		return rc;
	if (generation < newest)
		*bytes = len;
	if (fs_key_table(key) != FS_T_MAP && fs_key_table(key) != FS_T_OLD_MAP)
		return 0;
	return look_map(j, key, val, len, newest, bytes);
}

/* Walks on from walk->from; *met and *gathered grow. Damage is counted and passed over. */
static int walk_page(struct fs_journal *j, struct fs_reseal *w, const struct fs_reseal_step *step,
		     unsigned *met, uint64_t *gathered, struct fs_key *bad)
{
	struct fs_tagtree_root root;
	struct fs_snap *snap;
	int rc = fs_record_snap(j, &snap, &root);

	bad->len = 0;
	if (rc)
		return rc;
	for (unsigned i = 0; !rc && i < PAGE; i++) {
		uint8_t tag[FS_TAG_LEN];
		struct fs_key key, mark;
		uint64_t bytes;

		if (*met >= step->records || *gathered >= step->bytes)
			break;
		rc = fs_tagtree_next(j->records->nodes, snap, &root, &w->from, &key, tag);
		if (rc == -ENOENT) {
			w->done = true;
			rc = 0;
			break;
		}
		if (rc)
			break;
		w->from = key;
		fs_key_add(&w->from, 0, 1);
		rc = look(j, snap, &key, tag, &bytes);
		if (rc == -EBADMSG) {
			w->damaged++;
			*bad = key;
			rc = 0;
			continue;
		}
		if (rc || !bytes)
			continue;
		w->records++;
		w->bytes += bytes;
		*gathered += bytes;
		++*met;
		mark = fs_chunk_again_key(&key);
		if (step->marks)
			fs_batch_put(step->marks, j, &mark, "", 1);
	}
	fs_store_snap_end(snap);
	return rc;
}

int fs_reseal_walk(struct fs_journal *j, struct fs_reseal *w, const struct fs_reseal_step *step)
{
	uint64_t gathered = 0;
	unsigned met = 0;
	struct fs_key bad;
	int rc = 0;

	if (!w->from.len)
		w->from = fs_key(j->index, 0, FS_T_HEAD);
	while (!rc && !w->done && met < step->records && gathered < step->bytes &&
	       now_ns() < step->until_ns) {
		rc = walk_page(j, w, step, &met, &gathered, &bad);
		if (bad.len)
			fs_record_report(j->records, &bad);
	}
	if (!rc && step->marks)
		rc = step->marks->rc;
	return rc;
}
