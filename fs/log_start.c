/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_start.c - the tree over the log as it is found at open, and whose key goes on sealing it.
 *
 * The newest tree frame that covers no more than what the host saw sealed last is the base; all
 * stored records behind it are hashed. A log of before there were tree frames is hashed from its
 * beginning, once. Where the tree has the size that the host saw and another root, somebody changed
 * stored records: the tree goes on from what the host saw, never from the changed bytes, and a new
 * segment begins with it. Implements fs/FORMAT.md, "Log", "At open".
 *
 * Runs before the log has threads: no locks.
 */
#include "log_impl.h"

#include <errno.h>
#include <stdlib.h>

/* Numbers that no frame carries, all together: a log in which more are missing is none. */
#define GAP_MAX (UINT64_C(1) << 26)

struct start {
	struct fs_log *l;
	uint64_t missing; /* numbers that no frame carries, so far */
	uint64_t *list;
	size_t n;
	bool have_last;
	struct fs_log_last last;
	bool have_newest; /* a tree frame was found: the newest */
	struct fs_log_tree newest;
	uint64_t newest_at; /* in this segment */
	size_t base;	    /* index in list of the segment that hashing begins with */
	struct fs_log_tree base_frame;
};

static bool ours(const struct fs_log *l, uint64_t segment, const struct fs_log_frame *f,
		 struct fs_log_tree *out)
{
	return !fs_log_tree_decode(f->body, f->len, segment, l->vault, out) &&
	       keys_equal(out->root_pk, l->root_pk, sizeof(out->root_pk));
}

/* The tree frame of a segment, before its first record. -ENOENT: none that we believe. */
static int find_tree(struct fs_log *l, uint64_t number, struct fs_log_tree *out)
{
	struct fs_log_header header;
	struct fs_log_frame f;
	struct fs_log_walk w;
	uint8_t *p = NULL;
	size_t len = 0;
	int rc = fs_log_load(l, number, &p, &len);

	if (rc == -EBADMSG)
		return -ENOENT;
	if (rc)
		return rc;
	rc = -ENOENT;
	if (!fs_log_header_decode(p, &header) && header.number == number) {
		fs_log_walk_init(&w, &header, p, len);
		while (rc && fs_log_walk_next(&w, &f) && f.kind != FS_LOG_RECORD) {
			if (f.kind == FS_LOG_TREE && ours(l, number, &f, out))
				rc = 0;
		}
	}
	free(p);
	return rc;
}

/* The newest tree frame, and the newest that covers no more than the host saw. */
static int find_base(struct start *s)
{
	struct fs_log_tree t;

	for (size_t i = s->n; i > 0; i--) {
		int rc = find_tree(s->l, s->list[i - 1], &t);

		if (rc == -ENOENT)
			continue;
		if (rc)
			return rc;
		if (!s->have_newest) {
			s->newest = t;
			s->newest_at = s->list[i - 1];
		}
		s->have_newest = true;
		s->base_frame = t;
		s->base = i - 1;
		if (!s->have_last || t.tree.size <= s->last.tree.size)
			return 0;
	}
	return 0; /* what the host saw is older than every tree frame: nothing to compare with */
}

/* The tree as found against what was sealed at the same size; that one counts. */
static void compare(struct fs_log *l, const struct keys_tree *sealed)
{
	uint8_t found[KEYS_LEN], seen[KEYS_LEN];

	if (l->tree.size != sealed->size)
		return;
	keys_tree_root(&l->tree, found);
	keys_tree_root(sealed, seen);
	if (keys_equal(found, seen, sizeof(found)))
		return;
	l->changed = sealed->size;
	l->tree = *sealed;
}

static void add(struct start *s, const uint8_t *leaf)
{
	keys_tree_add(&s->l->tree, leaf);
	if (s->have_last)
		compare(s->l, &s->last.tree);
}

/* Leaves of no bytes for numbers that no frame carries, up to before seq. */
static int add_missing(struct start *s, uint64_t seq)
{
	uint8_t none[KEYS_LEN];

	if (seq - 1 > s->l->tree.size) {
		if (seq - 1 - s->l->tree.size > GAP_MAX - s->missing)
			return -EBADMSG;
		s->missing += seq - 1 - s->l->tree.size;
	}
	keys_tree_no_leaf(none);
	while (s->l->tree.size < seq - 1)
		add(s, none);
	return 0;
}

static int add_frame(struct start *s, uint64_t segment, const struct fs_log_frame *f)
{
	struct fs_log_tree t;
	uint8_t leaf[KEYS_LEN];
	int rc;

	if (f->kind == FS_LOG_TREE && ours(s->l, segment, f, &t)) {
		rc = add_missing(s, t.tree.size + 1);
		compare(s->l, &t.tree);
		return rc;
	}
	/* A number that comes again was given before: the first counts. */
	if (f->kind != FS_LOG_RECORD || f->seq <= s->l->tree.size)
		return 0;
	rc = add_missing(s, f->seq);
	if (rc)
		return rc;
	keys_tree_leaf(f->body, f->len, leaf);
	add(s, leaf);
	return 0;
}

static int add_segment(struct start *s, uint64_t number)
{
	struct fs_log_header header;
	struct fs_log_frame f;
	struct fs_log_walk w;
	uint8_t *p = NULL;
	size_t len = 0;
	int rc = fs_log_load(s->l, number, &p, &len), header_rc;

	if (rc)
		return rc == -EBADMSG ? 0 : rc; /* too short to be one: its numbers are missing */
	header_rc = fs_log_header_decode(p, &header);
	if (!header_rc && header.number != number)
		header_rc = -EBADMSG;
	fs_log_walk_init(&w, header_rc ? NULL : &header, p, len);
	while (!rc && fs_log_walk_next(&w, &f))
		rc = add_frame(s, number, &f);
	free(p);
	return rc;
}

static int grow(struct start *s)
{
	struct fs_log *l = s->l;
	int rc = 0;

	if (s->have_newest)
		l->tree = s->base_frame.tree;
	else
		keys_tree_init(&l->tree);
	if (s->have_last && s->have_newest)
		compare(l, &s->last.tree);
	for (size_t i = s->base; i < s->n && !rc; i++)
		rc = add_segment(s, s->list[i]);
	return rc ? rc : add_missing(s, l->next_seq);
}

/* ---- keys ---- */

static bool is_key(const struct fs_log_key *k, const uint8_t *pk)
{
	return k->number && keys_equal(fs_log_pk(k->sk), pk, KEYS_LEN);
}

/* Which of the host's keys the newest tree frame introduced; none: it is lost. */
static void settle_keys(struct start *s)
{
	struct fs_log *l = s->l;
	struct fs_log_keys *k = l->keys;

	l->key_number = s->have_newest ? s->newest.key_number : 0;
	if (s->have_newest && is_key(&k->next, s->newest.pk)) {
		k->now = k->next;
		keys_wipe(&k->next, sizeof(k->next));
	} else if (!s->have_newest || !is_key(&k->now, s->newest.pk)) {
		keys_wipe(k, sizeof(*k));
		l->lost = s->have_newest;
	}
	k->now.number = k->now.number ? l->key_number : 0;
	if (k->next.number != l->key_number + 1)
		keys_wipe(&k->next, sizeof(k->next));
}

/* Does the newest segment's tree frame speak of this daemon, with a key that we have? */
static bool frame_holds(const struct start *s)
{
	const struct fs_log *l = s->l;
	const struct fs_log_tree *t = &s->newest;
	const uint8_t *daemon_pk = fs_log_pk(l->sign_sk);

	return s->have_newest && s->newest_at == l->number && !l->lost && !l->changed &&
	       keys_equal(t->daemon_pk, daemon_pk, KEYS_LEN) &&
	       keys_equal(t->witness_pk, l->witness_pk, KEYS_LEN) &&
	       keys_equal(t->cert, l->daemon_cert, KEYS_SIG_LEN);
}

/* A tree frame comes next, for which its key must be in the host's state. */
static int next_key(struct fs_log *l)
{
	if (l->keys->next.number)
		return 0;
	fs_log_key_new(&l->keys->next, l->key_number + 1);
	return fs_log_keys_put(l, l->keys);
}

static int start(struct start *s)
{
	struct fs_log *l = s->l;
	int rc = fs_log_last_load(l, &s->last);

	if (rc && rc != -ENOENT)
		return rc;
	s->have_last = !rc;
	if (s->have_last && s->last.tree.size > l->next_seq - 1)
		return -ESTALE;
	rc = find_base(s);
	if (!rc)
		rc = grow(s);
	if (!rc)
		rc = fs_log_keys_load(l, l->keys);
	if (rc)
		return rc;
	settle_keys(s);
	if (!l->tree_due && !frame_holds(s))
		l->fresh = true;
	return l->fresh || l->tree_due ? next_key(l) : 0;
}

int fs_log_start(struct fs_log *l)
{
	struct start s = {.l = l};
	int rc = fs_log_segment_list(l->dirfd, &s.list, &s.n);

	if (!rc)
		rc = start(&s);
	free(s.list);
	return rc;
}
