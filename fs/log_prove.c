/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_prove.c - proofs that a record is in the log, or that one checkpoint continues another;
 * and all leaves in order, for tiles.
 *
 * One pass over the log for any number of proofs. What is given out was checked against the
 * checkpoint's root first: a log that is not the checkpoint's proves nothing (-EBADMSG). What a
 * signed statement took out is bridged with the tree in the statement; other gaps are not
 * (-ENOENT). Locks: none; see log_verify_scan.c.
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

/* Leaves of archived segments are gone: what is given begins behind them. */
static int begin_behind(struct leaves *l, const struct fs_log_archived *end,
			struct keys_tree *before)
{
	if (!before || end->last_seq > l->size)
		return -ENOENT;
	*before = end->tree;
	l->next = end->last_seq;
	l->enough = l->next == l->size;
	return l->enough ? 1 : 0;
}

/* *before is the tree of what is not there; NULL: it must all be there. */
static int leaves(const struct fs_log_source *source, uint64_t size, struct keys_tree *before,
		  int (*fn)(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN]),
		  void *ctx)
{
	struct leaves l = {.size = size, .fn = fn, .ctx = ctx};
	struct fs_log_scan s = {
		.part = {.source = source, .leaves = true}, .fn = give_part, .ctx = &l};
	uint8_t vault[KEYS_VAULT_ID_LEN];
	struct fs_log_archived end;
	uint64_t *numbers = NULL;
	int rc;

	if (!size)
		return 0;
	rc = source->list(source->ctx, &numbers, &s.n);
	if (!rc)
		rc = fs_log_scan_vault(source, numbers, s.n, vault);
	if (!rc)
		rc = fs_log_archive_beginning(source, vault, numbers, &s.n, &end);
	s.numbers = numbers;
	s.part.vault = vault;
	if (!rc && end.last_segment)
		rc = begin_behind(&l, &end, before);
	if (!rc)
		rc = fs_log_scan_run(&s);
	free(numbers);
	if (l.enough)
		return rc == 1 ? 0 : rc;
	return rc ? rc : -ENOENT;
}

int fs_log_leaves(const struct fs_log_source *source, uint64_t size, struct keys_tree *before,
		  int (*fn)(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN]),
		  void *ctx)
{
	if (before)
		keys_tree_init(before);
	return leaves(source, size, before, fn, ctx);
}

/* ---- stretches of leaves, some of which are gone ---- */

struct stretches {
	const struct keys_tree_range *plan;
	size_t n;
	struct keys_tree before; /* of the leaves that are gone */
	bool begun;
	struct keys_tree_ranges *ranges; /* what begins behind them */
	struct keys_tree **across; /* of plan i, what begins among them and ends behind; NULL */
};

static int stretches_init(struct stretches *s, const struct keys_tree_range *plan, size_t n)
{
	*s = (struct stretches){.plan = plan, .n = n};
	s->ranges = keys_tree_ranges_new(plan, n);
	s->across = calloc(n + 1, sizeof(struct keys_tree *));
	return s->ranges && s->across ? 0 : -ENOMEM;
}

static void stretches_clear(struct stretches *s)
{
	for (size_t i = 0; s->across && i < s->n; i++)
		free(s->across[i]);
	free(s->across);
	keys_tree_ranges_free(s->ranges);
}

/*
 * A stretch of a proof begins at a multiple of a power of two that is not below its length. So the
 * subtrees of the gone leaves that lie in it are the last ones of their compact range.
 */
static int begin_across(struct stretches *s, size_t i)
{
	uint64_t gone = s->before.size - s->plan[i].from;
	unsigned count = (unsigned)__builtin_popcountll(gone);

	s->across[i] = malloc(sizeof(struct keys_tree));
	if (!s->across[i])
		return -ENOMEM;
	if (count > s->before.count)
		return -EBADMSG;
	return keys_tree_load(s->across[i], gone, s->before.hash[s->before.count - count], count);
}

static int stretches_begin(struct stretches *s)
{
	int rc = 0;

	s->begun = true;
	if (!s->before.size)
		return 0;
	keys_tree_ranges_skip(s->ranges, s->before.size);
	for (size_t i = 0; i < s->n && !rc; i++) {
		if (s->plan[i].from < s->before.size && s->plan[i].to > s->before.size)
			rc = begin_across(s, i);
	}
	return rc;
}

static int stretches_add(struct stretches *s, uint64_t index, const uint8_t *leaf)
{
	int rc = s->begun ? 0 : stretches_begin(s);

	if (rc)
		return rc;
	keys_tree_ranges_add(s->ranges, leaf);
	for (size_t i = 0; s->before.size && i < s->n; i++) {
		if (s->across[i] && index < s->plan[i].to)
			keys_tree_add(s->across[i], leaf);
	}
	return 0;
}

/* A whole subtree of the leaves that are gone, as their compact range has it. */
static bool root_before(const struct stretches *s, size_t i, uint8_t *out)
{
	uint64_t at = 0, bit = UINT64_C(1) << 62;
	unsigned k = 0;

	for (; bit; bit >>= 1) {
		if (!(s->before.size & bit))
			continue;
		if (at == s->plan[i].from && at + bit == s->plan[i].to) {
			memcpy(out, s->before.hash[k], KEYS_LEN);
			return true;
		}
		at += bit;
		k++;
	}
	return false;
}

static bool stretch_root(const struct stretches *s, size_t i, uint8_t *out)
{
	if (s->plan[i].from >= s->before.size)
		return keys_tree_ranges_root(s->ranges, i, out);
	if (s->plan[i].to <= s->before.size)
		return root_before(s, i, out);
	if (!s->across[i] || s->across[i]->size != s->plan[i].to - s->plan[i].from)
		return false;
	keys_tree_root(s->across[i], out);
	return true;
}

static int collect(const struct stretches *s, size_t first, size_t count, uint8_t *proof)
{
	for (size_t i = 0; i < count; i++) {
		if (!stretch_root(s, first + i, proof + i * KEYS_LEN))
			return -ENOENT;
	}
	return 0;
}

/* ---- proofs ---- */

struct wanted {
	uint64_t seq;
	size_t first, count; /* in the plan */
	uint8_t leaf[KEYS_LEN];
	bool have;
};

struct proving {
	struct stretches s;
	struct wanted *w; /* ascending */
	size_t n, next;
};

static int by_seq(const void *a, const void *b)
{
	uint64_t x = ((const struct wanted *)a)->seq, y = ((const struct wanted *)b)->seq;

	return x < y ? -1 : x > y;
}

static int prove_leaf(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN])
{
	struct proving *p = ctx;

	while (p->next < p->n && p->w[p->next].seq <= index + 1) {
		struct wanted *w = &p->w[p->next++];

		w->have = w->seq == index + 1;
		memcpy(w->leaf, leaf, KEYS_LEN);
	}
	return stretches_add(&p->s, index, leaf);
}

static int give_proofs(const struct proving *p, const struct keys_checkpoint *c,
		       int (*fn)(void *ctx, uint64_t seq, const uint8_t leaf[static KEYS_LEN],
				 const uint8_t *proof, size_t count),
		       void *ctx)
{
	uint8_t proof[2 * KEYS_TREE_LEVELS * KEYS_LEN];
	int rc = 0;

	for (size_t i = 0; i < p->n && !rc; i++) {
		const struct wanted *w = &p->w[i];

		rc = w->have ? collect(&p->s, w->first, w->count, proof) : -ENOENT;
		if (!rc)
			rc = keys_tree_check_inclusion(w->leaf, w->seq - 1, c->size, proof,
						       w->count, c->root);
		if (!rc)
			rc = fn(ctx, w->seq, w->leaf, proof, w->count);
	}
	return rc;
}

/* What each number needs; plan has room. */
static int make_plan(struct proving *p, const uint64_t *seqs, uint64_t size,
		     struct keys_tree_range *plan, size_t *used)
{
	for (size_t i = 0; i < p->n; i++) {
		struct wanted *w = &p->w[i];

		if (!seqs[i] || seqs[i] > size)
			return -ENOENT;
		w->seq = seqs[i];
		w->first = *used;
		w->count = keys_tree_inclusion_plan(seqs[i] - 1, size, plan + *used);
		*used += w->count;
	}
	if (p->n)
		qsort(p->w, p->n, sizeof(*p->w), by_seq);
	return 0;
}

int fs_log_prove(const struct fs_log_source *source, const struct keys_checkpoint *c,
		 const uint64_t *seqs, size_t n,
		 int (*fn)(void *ctx, uint64_t seq, const uint8_t leaf[static KEYS_LEN],
			   const uint8_t *proof, size_t count),
		 void *ctx)
{
	struct keys_tree_range *plan = calloc(n + 1, 2 * KEYS_TREE_LEVELS * sizeof(*plan));
	struct proving p = {.n = n, .w = calloc(n + 1, sizeof(*p.w))};
	size_t used = 0;
	int rc = plan && p.w ? make_plan(&p, seqs, c->size, plan, &used) : -ENOMEM;

	if (!rc)
		rc = stretches_init(&p.s, plan, used);
	if (!rc)
		rc = fs_log_leaves(source, c->size, &p.s.before, prove_leaf, &p);
	if (!rc)
		rc = give_proofs(&p, c, fn, ctx);
	stretches_clear(&p.s);
	free(p.w);
	free(plan);
	return rc;
}

/* ---- consistency ---- */

struct continuing {
	struct stretches s;
	struct keys_tree tree;
	bool begun, have_root;
	uint64_t old_size;
	uint8_t old_root[KEYS_LEN];
};

static void look_at_size(struct continuing *c)
{
	if (c->tree.size != c->old_size)
		return;
	keys_tree_root(&c->tree, c->old_root);
	c->have_root = true;
}

static int continue_leaf(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN])
{
	struct continuing *c = ctx;

	if (!c->begun)
		c->tree = c->s.before;
	c->begun = true;
	if (index <= c->old_size)
		look_at_size(c);
	if (index < c->old_size)
		keys_tree_add(&c->tree, leaf);
	return stretches_add(&c->s, index, leaf);
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
	rc = stretches_init(&k.s, plan, n);
	if (!rc)
		rc = fs_log_leaves(source, c->size, &k.s.before, continue_leaf, &k);
	if (!k.begun)
		k.tree = k.s.before; /* nothing came: there is nothing, or nothing behind what is
					gone */
	look_at_size(&k);
	if (!rc && !k.have_root)
		rc = -ENOENT; /* it ends among what is gone */
	if (!rc)
		rc = collect(&k.s, 0, n, proof);
	if (!rc)
		rc = keys_tree_check_consistency(old_size, k.old_root, c->size, c->root, proof, n);
	if (!rc)
		*count = n;
	stretches_clear(&k.s);
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

int fs_log_record_bytes(const struct fs_log_source *source, uint64_t seq, uint8_t **out,
			size_t *len)
{
	uint64_t *numbers = NULL;
	size_t n = 0, low = 0;
	int rc = source->list(source->ctx, &numbers, &n);

	if (rc)
		return rc;
	rc = -ENOENT;
	/* The last segment that begins at or before it; from there backward while it is not found.
	 */
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
