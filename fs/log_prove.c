/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_prove.c - proofs that a record is in the log, or that one checkpoint continues another; and
 * all leaves in order, for tiles.
 *
 * One pass over the log for any number of proofs. What is given out was checked against the
 * checkpoint's root first: a log that is not the checkpoint's proves nothing (-EBADMSG). Segments
 * that are gone can't be proved over (-ENOENT). Locks: none; see log_verify_scan.c.
 */
#include "log_verify_impl.h"

#include <errno.h>
#include <stdlib.h>

/* ---- leaves ---- */

struct leaves {
	uint64_t size, next; /* index */
	int (*fn)(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN]);
	void *ctx;
	bool enough;
};

static int give_part(void *ctx, struct fs_log_part *p)
{
	struct leaves *l = ctx;
	int rc = 0;

	if (p->state == FS_LOG_PART_UNUSED)
		return 0;
	if (p->state != FS_LOG_PART_USED || !p->from || p->from - 1 > l->next)
		return -ENOENT;
	for (size_t i = 0; i < p->leaves && !rc && l->next < l->size; i++) {
		if (p->from - 1 + i != l->next)
			continue;
		rc = l->fn(l->ctx, l->next, p->leaf[i]);
		l->next++;
	}
	l->enough = l->next == l->size;
	return rc ? rc : l->enough;
}

int fs_log_leaves(const struct fs_log_source *source, uint64_t size,
		  int (*fn)(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN]),
		  void *ctx)
{
	struct leaves l = {.size = size, .fn = fn, .ctx = ctx};
	struct fs_log_scan s = {.part = {.source = source, .leaves = true},
				.fn = give_part, .ctx = &l};
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint64_t *numbers = NULL;
	int rc;

	if (!size)
		return 0;
	rc = source->list(source->ctx, &numbers, &s.n);
	if (!rc)
		rc = fs_log_scan_vault(source, numbers, s.n, vault);
	s.numbers = numbers;
	s.part.vault = vault;
	if (!rc)
		rc = fs_log_scan_run(&s);
	free(numbers);
	if (l.enough)
		return rc == 1 ? 0 : rc;
	return rc ? rc : -ENOENT;
}

/* ---- proofs ---- */

struct proving {
	struct keys_tree_ranges *ranges;
	const uint64_t *seqs;
	size_t n;
	uint8_t (*leaf)[KEYS_LEN]; /* of seqs */
};

static int prove_leaf(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN])
{
	struct proving *p = ctx;

	keys_tree_ranges_add(p->ranges, leaf);
	for (size_t i = 0; i < p->n; i++) {
		if (p->seqs[i] == index + 1)
			memcpy(p->leaf[i], leaf, KEYS_LEN);
	}
	return 0;
}

static int collect(const struct keys_tree_ranges *ranges, size_t first, size_t count, uint8_t *proof)
{
	for (size_t i = 0; i < count; i++) {
		if (!keys_tree_ranges_root(ranges, first + i, proof + i * KEYS_LEN))
			return -ENOENT;
	}
	return 0;
}

static int give_proofs(const struct proving *p, const size_t *count, const struct keys_checkpoint *c,
		       int (*fn)(void *ctx, uint64_t seq, const uint8_t leaf[static KEYS_LEN],
				 const uint8_t *proof, size_t count),
		       void *ctx)
{
	uint8_t proof[2 * KEYS_TREE_LEVELS * KEYS_LEN];
	size_t first = 0;
	int rc = 0;

	for (size_t i = 0; i < p->n && !rc; first += count[i++]) {
		rc = collect(p->ranges, first, count[i], proof);
		if (!rc)
			rc = keys_tree_check_inclusion(p->leaf[i], p->seqs[i] - 1, c->size, proof,
						       count[i], c->root);
		if (!rc)
			rc = fn(ctx, p->seqs[i], p->leaf[i], proof, count[i]);
	}
	return rc;
}

int fs_log_prove(const struct fs_log_source *source, const struct keys_checkpoint *c,
		 const uint64_t *seqs, size_t n,
		 int (*fn)(void *ctx, uint64_t seq, const uint8_t leaf[static KEYS_LEN],
			   const uint8_t *proof, size_t count),
		 void *ctx)
{
	struct keys_tree_range *plan = calloc(n + 1, 2 * KEYS_TREE_LEVELS * sizeof(*plan));
	size_t *count = calloc(n + 1, sizeof(*count)), used = 0;
	struct proving p = {.seqs = seqs, .n = n, .leaf = calloc(n + 1, KEYS_LEN)};
	int rc = plan && count && p.leaf ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !rc; i++) {
		if (!seqs[i] || seqs[i] > c->size)
			rc = -ENOENT;
		else
			count[i] = keys_tree_inclusion_plan(seqs[i] - 1, c->size, plan + used);
		used += count[i];
	}
	if (!rc) {
		p.ranges = keys_tree_ranges_new(plan, used);
		rc = p.ranges ? fs_log_leaves(source, c->size, prove_leaf, &p) : -ENOMEM;
	}
	if (!rc)
		rc = give_proofs(&p, count, c, fn, ctx);
	keys_tree_ranges_free(p.ranges);
	free(p.leaf);
	free(count);
	free(plan);
	return rc;
}

/* ---- consistency ---- */

struct continuing {
	struct keys_tree_ranges *ranges;
	struct keys_tree tree;
	uint64_t old_size;
	uint8_t old_root[KEYS_LEN];
};

static int continue_leaf(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN])
{
	struct continuing *c = ctx;

	keys_tree_ranges_add(c->ranges, leaf);
	if (index >= c->old_size)
		return 0;
	keys_tree_add(&c->tree, leaf);
	if (c->tree.size == c->old_size)
		keys_tree_root(&c->tree, c->old_root);
	return 0;
}

int fs_log_prove_consistency(const struct fs_log_source *source, uint64_t old_size,
			     const struct keys_checkpoint *c, uint8_t *proof, size_t *count)
{
	struct keys_tree_range plan[2 * KEYS_TREE_LEVELS];
	size_t n = keys_tree_consistency_plan(old_size, c->size, plan);
	struct continuing k = {.old_size = old_size};
	int rc;

	if (old_size > c->size)
		return -ENOENT;
	keys_tree_init(&k.tree);
	keys_tree_root(&k.tree, k.old_root);
	k.ranges = keys_tree_ranges_new(plan, n);
	if (!k.ranges)
		return -ENOMEM;
	rc = fs_log_leaves(source, c->size, continue_leaf, &k);
	if (!rc)
		rc = collect(k.ranges, 0, n, proof);
	if (!rc)
		rc = keys_tree_check_consistency(old_size, k.old_root, c->size, c->root, proof, n);
	if (!rc)
		*count = n;
	keys_tree_ranges_free(k.ranges);
	return rc;
}

/* ---- the record itself ---- */

static int copy_record(const uint8_t *p, size_t len, uint64_t seq, uint8_t **out, size_t *out_len)
{
	struct fs_log_header header;
	struct fs_log_frame f;
	struct fs_log_walk w;
	int rc = len < FS_LOG_HEADER ? -EBADMSG : fs_log_header_decode(p, &header);

	if (rc == -ENODATA || len < FS_LOG_HEADER)
		return -ENOENT;
	fs_log_walk_init(&w, rc ? NULL : &header, p, len);
	while (fs_log_walk_next(&w, &f)) {
		if (f.kind != FS_LOG_RECORD || f.seq != seq)
			continue;
		*out = malloc(f.len);
		if (!*out)
			return -ENOMEM;
		memcpy(*out, f.body, f.len);
		*out_len = f.len;
		return 0;
	}
	return -ENOENT;
}

/* Whether this segment begins at or before the record; what can't be told is looked at. */
static bool may_hold(const uint8_t *p, size_t len, uint64_t seq)
{
	struct fs_log_header header;
	int rc = len < FS_LOG_HEADER ? -ENODATA : fs_log_header_decode(p, &header);

	return rc == -EBADMSG || (!rc && header.first_seq <= seq);
}

int fs_log_record_bytes(const struct fs_log_source *source, uint64_t seq, uint8_t **out, size_t *len)
{
	uint64_t *numbers = NULL;
	size_t n = 0, low = 0;
	int rc = source->list(source->ctx, &numbers, &n);

	if (rc)
		return rc;
	rc = -ENOENT;
	/* The last segment that begins at or before it; from there backward while it is not found. */
	for (size_t high = n; low < high;) {
		size_t middle = low + (high - low) / 2, size = 0;
		uint8_t *bytes = NULL;
		bool may = !source->load(source->ctx, numbers[middle], &bytes, &size) &&
			   may_hold(bytes, size, seq);

		free(bytes);
		if (may)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i > 0 && i + 2 > low && rc == -ENOENT; i--) {
		uint8_t *bytes = NULL;
		size_t size = 0;

		rc = source->load(source->ctx, numbers[i - 1], &bytes, &size);
		if (!rc)
			rc = copy_record(bytes, size, seq, out, len);
		free(bytes);
	}
	free(numbers);
	return rc;
}
