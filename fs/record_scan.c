/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/record_scan.c - verified records of a key range, in order.
 *
 * The groups' entries of the range are taken once, before any snapshot; then the
 * tag tree is walked in pages of SCAN_PAGE records, each copied out of a snapshot
 * of its own and handed out, merged with the groups', when that has ended: the
 * callback may take its time and may read records.
 *
 * What a scan yields: every record that is there throughout, exactly once; one that
 * comes or goes meanwhile, perhaps. Callers who need more hold the inode's lock.
 */
#include <errno.h>
#include <stdlib.h>

#include "record_impl.h"

#define SCAN_PAGE 64

struct scan {
	struct fs_journal *j, *tree;
	const struct fs_key *to;
	struct fs_group_entry *changed; /* of the groups, taken before any snapshot */
	size_t n_changed, at_changed;
	struct fs_key next; /* where the tree goes on */
	bool done;	    /* the tree has no more */
	struct fs_key key[SCAN_PAGE];
	struct fs_buf *buf[SCAN_PAGE];
	size_t n;
};

static bool changed_in_group(const struct scan *s, const struct fs_key *key)
{
	size_t lo = s->at_changed, hi = s->n_changed;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = fs_key_cmp(&s->changed[mid].key, key);

		if (!cmp)
			return true;
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* The least key above key. */
static struct fs_key after(const struct fs_key *key)
{
	struct fs_key k = *key;

	if (k.len < FS_KEY_MAX) {
		k.b[k.len++] = 0;
		return k;
	}
	for (unsigned i = k.len; i-- > 0;)
		if (++k.b[i])
			break;
	return k;
}

/* Up to SCAN_PAGE committed records from s->next on. */
static int scan_page(struct scan *s, struct fs_key *bad)
{
	struct fs_tagtree_root root;
	struct fs_snap *snap;
	uint8_t tag[FS_TAG_LEN];
	struct fs_key key;
	int rc = fs_record_snap(s->tree, &snap, &root);

	*bad = fs_root_key(s->tree->index);
	if (rc)
		return rc;
	while (!rc && s->n < SCAN_PAGE) {
		rc = fs_tagtree_next(s->j->records->nodes, snap, &root, &s->next, &key, tag);
		if (rc == -ENOENT || (!rc && fs_key_cmp(&key, s->to) >= 0)) {
			s->done = true;
			rc = 0;
			break;
		}
		*bad = rc ? s->next : key;
		if (rc)
			break;
		s->next = after(&key);
		if (changed_in_group(s, &key))
			continue;
		rc = fs_record_open_stored(s->j, snap, &key, tag, &s->buf[s->n]);
		if (!rc)
			s->key[s->n++] = key;
	}
	fs_store_snap_end(snap);
	return rc;
}

/* Contents on their way to the container, and records of another tree, are no part of a scan. */
static bool scanned(const struct scan *s, const struct fs_key *key)
{
	uint8_t table = fs_key_table(key);

	return table != FS_T_CHUNK && table != FS_T_CUT && table != FS_T_AGAIN &&
	       table != FS_T_KEEP && fs_record_cover(s->j, key) == s->tree;
}

/* Hands out group entries below limit (NULL: all that are left). */
static int give_changed(struct scan *s, const struct fs_key *limit,
			int (*fn)(void *, const struct fs_key *, struct fs_buf *), void *ctx)
{
	int rc = 0;

	while (!rc && s->at_changed < s->n_changed) {
		struct fs_group_entry *e = &s->changed[s->at_changed];

		if (limit && fs_key_cmp(&e->key, limit) >= 0)
			break;
		if (e->buf && scanned(s, &e->key))
			rc = fn(ctx, &e->key, e->buf);
		s->at_changed++;
	}
	return rc;
}

static int give_page(struct scan *s, int (*fn)(void *, const struct fs_key *, struct fs_buf *),
		     void *ctx)
{
	int rc = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (!rc)
			rc = give_changed(s, &s->key[i], fn, ctx);
		if (!rc)
			rc = fn(ctx, &s->key[i], s->buf[i]);
		fs_buf_put(s->buf[i]);
	}
	s->n = 0;
	return rc;
}

int fs_record_scan(struct fs_journal *j, const struct fs_key *from, const struct fs_key *to,
		   int (*fn)(void *ctx, const struct fs_key *key, struct fs_buf *buf), void *ctx)
{
	struct scan *s;
	struct fs_key bad;
	int rc, given;

	if (!fs_record_cover(j, from))
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->j = j;
	s->tree = fs_record_cover(j, from);
	s->to = to;
	s->next = *from;
	rc = fs_group_range(j->records->group, from, to, &s->changed, &s->n_changed);
	while (!rc && !s->done) {
		rc = scan_page(s, &bad);
		if (rc == -EBADMSG)
			fs_record_report(j->records, &bad);
		/* What came before the damage is still given. */
		given = give_page(s, fn, ctx);
		rc = given ? given : rc;
	}
	if (!rc)
		rc = give_changed(s, NULL, fn, ctx);
	fs_group_range_free(s->changed, s->n_changed);
	free(s);
	return rc == 1 ? 0 : rc;
}
