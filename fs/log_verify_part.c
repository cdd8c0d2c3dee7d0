/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify_part.c - what one segment shows: its leaves hashed, and a mark for everything that
 * is no record in order.
 *
 * Judges nothing. The tree counts from the segment's own tree frame, so that segments are hashed
 * side by side; without one (version 1, or it is damaged) the leaves are kept for whoever knows
 * what came before. Bytes are hostile: marks of damage are bounded, the rest counted.
 *
 * Locks: none; called from several threads at once.
 */
#include "log_verify_impl.h"

#include <errno.h>
#include <stdlib.h>

#define DAMAGES_MAX 100
#define SECTOR 512u
#define SECTOR_PART 16u /* within a frame: fewer zeros may be anything */

struct reading {
	const struct fs_log_part_query *q;
	struct fs_log_part *part;
	const uint8_t *p;
	size_t len;
	uint64_t expect; /* 0: the first frame says */
	size_t next_size;
	uint8_t pk[KEYS_LEN]; /* checkpoint key of the tree frame */
	bool have_pk;
	int rc;
};

/* ---- marks and leaves ---- */

static struct fs_log_mark *mark_add(struct reading *r, enum fs_log_mark_kind kind, size_t off)
{
	struct fs_log_part *part = r->part;

	if (part->marks == part->cap) {
		size_t cap = part->cap ? 2 * part->cap : 16;
		struct fs_log_mark *more = reallocarray(part->mark, cap, sizeof(*more));

		if (!more) {
			r->rc = -ENOMEM;
			return NULL;
		}
		part->mark = more;
		part->cap = cap;
	}
	part->mark[part->marks] = (struct fs_log_mark){.kind = kind, .off = off, .seq = r->expect};
	return &part->mark[part->marks++];
}

static struct fs_log_mark *damage_add(struct reading *r, enum fs_log_mark_kind kind, size_t off,
				      uint64_t last)
{
	struct fs_log_mark *m = NULL;

	if (r->part->damages++ < DAMAGES_MAX)
		m = mark_add(r, kind, off);
	if (m)
		m->last = last;
	return m;
}

/* A mark where the tree reaches a size that was asked for. */
static void mark_size(struct reading *r)
{
	const struct fs_log_part_query *q = r->q;
	struct fs_log_mark *m;

	while (r->next_size < q->size_count && q->sizes[r->next_size] < r->expect - 1)
		r->next_size++;
	if (r->next_size == q->size_count || q->sizes[r->next_size] != r->expect - 1)
		return;
	r->next_size++;
	m = mark_add(r, FS_LOG_MARK_SIZE, 0);
	if (m && r->part->rooted)
		keys_tree_root(&r->part->tree, m->root);
}

static void leaf_add(struct reading *r, const uint8_t leaf[static KEYS_LEN])
{
	struct fs_log_part *part = r->part;

	if (!part->rooted || r->q->leaves) {
		if (part->leaves == part->leaf_cap) {
			size_t cap = part->leaf_cap ? 2 * part->leaf_cap : 1024;
			void *more = reallocarray(part->leaf, cap, sizeof(*part->leaf));

			if (!more) {
				r->rc = -ENOMEM;
				return;
			}
			part->leaf = more;
			part->leaf_cap = cap;
		}
		memcpy(part->leaf[part->leaves++], leaf, KEYS_LEN);
	}
	if (part->rooted)
		keys_tree_add(&part->tree, leaf);
	r->expect++;
	mark_size(r);
}

/* ---- what is no frame, or out of order ---- */

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i])
			return false;
	}
	return true;
}

/*
 * Of a write that power cut short, whole sectors are missing: zeros, to or from a sector's edge.
 * Begins: what lies before `from` was written before, and no frame begins with zeros.
 */
static bool half_written(const struct reading *r, size_t from, size_t to, bool begins)
{
	for (size_t at = from / SECTOR * SECTOR; at < to; at += SECTOR) {
		size_t a = at < from ? from : at, b = at + SECTOR < to ? at + SECTOR : to;

		if ((b - a >= SECTOR_PART || a == at || (begins && b == at + SECTOR)) &&
		    all_zero(r->p + a, b - a))
			return true;
	}
	return false;
}

/* Whole frames whose numbers are out of order, and what remains. */
static void look_at_torn(struct reading *r, size_t from, size_t to)
{
	struct fs_log_walk w;
	struct fs_log_frame f;
	struct fs_log_mark *m;
	size_t at = from, rest = 0;

	if (all_zero(r->p + from, to - from)) {
		m = damage_add(r, FS_LOG_MARK_ERASED, from, to - from);
		if (m)
			m->torn = to % SECTOR == 0;
		return;
	}
	fs_log_walk_init(&w, NULL, r->p, to);
	w.off = from;
	while (r->part->damages <= DAMAGES_MAX && fs_log_walk_next(&w, &f)) {
		if (!all_zero(r->p + at, f.off - at))
			rest += f.off - at;
		at = w.off;
		w.any_seq = true; /* again: any number will do */
		damage_add(r, FS_LOG_MARK_STRAY, f.off, f.seq);
	}
	if (at < to && !all_zero(r->p + at, to - at))
		rest += to - at;
	m = rest ? damage_add(r, FS_LOG_MARK_GARBAGE, from, rest) : NULL;
	/* A write that ends at a sector's edge lacks what came behind: the next start goes on
	 * there. */
	if (m)
		m->torn = to % SECTOR == 0 || half_written(r, from, to, true);
}

static void gap(struct reading *r, const struct fs_log_frame *f)
{
	struct fs_log_mark *m = damage_add(r, FS_LOG_MARK_GAP, f->off, f->seq - 1);
	uint8_t leaf[KEYS_LEN];

	if (m)
		m->torn = f->torn;
	keys_tree_no_leaf(leaf);
	while (r->expect < f->seq && !r->rc)
		leaf_add(r, leaf);
}

/* ---- frames ---- */

static void head_frame(struct reading *r, const struct fs_log_frame *f)
{
	struct fs_log_mark *m = mark_add(r, FS_LOG_MARK_HEAD, f->off);

	if (!m)
		return;
	m->rc = fs_log_head_decode(f->body, f->len, r->part->number, &m->head);
	if (!m->rc &&
	    (memcmp(m->head.vault, r->q->vault, KEYS_VAULT_ID_LEN) || m->head.first_seq != f->seq))
		m->rc = -EBADMSG;
	m->head.wraps = NULL;
}

static void tree_frame(struct reading *r, const struct fs_log_frame *f)
{
	struct fs_log_part *part = r->part;
	struct fs_log_mark *m = mark_add(r, FS_LOG_MARK_TREE, f->off);

	if (!m)
		return;
	m->tree = malloc(sizeof(*m->tree));
	if (!m->tree) {
		r->rc = -ENOMEM;
		return;
	}
	m->rc = fs_log_tree_decode(f->body, f->len, part->number, r->q->vault, m->tree);
	if (!m->rc && m->tree->tree.size != f->seq - 1)
		m->rc = -EBADMSG;
	if (part->rooted)
		keys_tree_root(&part->tree, m->root);
	if (m->rc)
		return;
	memcpy(r->pk, m->tree->pk, KEYS_LEN);
	r->have_pk = true;
	/* Only one in front of all records is what the segment counts from. */
	if (!part->rooted && part->next == part->from && !part->leaves) {
		part->rooted = true;
		part->tree = m->tree->tree;
	}
}

static void checkpoint_frame(struct reading *r, const struct fs_log_frame *f)
{
	struct fs_log_mark *m = mark_add(r, FS_LOG_MARK_CHECKPOINT, f->off);
	struct keys_signed_note note;

	if (!m)
		return;
	m->rc = -EBADMSG;
	if (f->len >= KEYS_CHECKPOINT_MAX)
		return;
	m->text = malloc(f->len + 1);
	if (!m->text) {
		r->rc = -ENOMEM;
		return;
	}
	memcpy(m->text, f->body, f->len);
	m->text[f->len] = '\0';
	m->text_len = f->len;
	if (r->part->rooted)
		keys_tree_root(&r->part->tree, m->root);
	if (keys_signed_note_parse(m->text, f->len, &note) ||
	    keys_checkpoint_read(&note, &m->checkpoint))
		return;
	m->rc = 0;
	m->signature = r->have_pk ? keys_checkpoint_verify(&note, r->q->vault, r->pk, false) : 1;
}

static void record_frame(struct reading *r, const struct fs_log_frame *f)
{
	size_t fill = fs_log_frame_size(f->len) - FS_LOG_FRAME - f->len;
	uint8_t leaf[KEYS_LEN];

	if (!all_zero(f->body + f->len, fill))
		damage_add(r, FS_LOG_MARK_PADDING, f->off, f->seq);
	keys_tree_leaf(f->body, f->len, leaf);
	r->part->records++;
	leaf_add(r, leaf);
	r->part->next = r->expect;
}

/* The frame's mark is dropped where it is one too many of those that are not what they should be.
 */
static void bound_damage(struct reading *r)
{
	struct fs_log_part *part = r->part;
	struct fs_log_mark *m = &part->mark[part->marks - 1];

	if (!m->rc && m->signature >= 0)
		return;
	if (part->damages++ < DAMAGES_MAX)
		return;
	free(m->tree);
	free(m->text);
	part->marks--;
}

static void one_frame(struct reading *r, const struct fs_log_frame *f, size_t before)
{
	static void (*const by_kind[])(struct reading *, const struct fs_log_frame *) = {
		[FS_LOG_STREAM] = head_frame,
		[FS_LOG_RECORD] = record_frame,
		[FS_LOG_TREE] = tree_frame,
		[FS_LOG_CHECKPOINT] = checkpoint_frame,
	};

	size_t marks;

	if (!r->expect) {
		r->expect = f->seq;
		r->part->from = r->part->next = f->seq;
	}
	if (f->torn)
		look_at_torn(r, before, f->off);
	if (f->seq > r->expect)
		gap(r, f);
	r->part->next = r->expect;
	marks = r->part->marks;
	by_kind[f->kind](r, f);
	if (f->kind == FS_LOG_RECORD || r->rc || marks == r->part->marks)
		return;
	r->part->mark[marks].torn =
		half_written(r, f->off + FS_LOG_FRAME, f->off + FS_LOG_FRAME + f->len, false);
	bound_damage(r);
}

static int read_frames(struct reading *r, const struct fs_log_header *header)
{
	struct fs_log_walk w;
	struct fs_log_frame f;
	size_t before = FS_LOG_HEADER, end;
	bool torn;

	if (header)
		r->expect = r->part->from = r->part->next = header->first_seq;
	fs_log_walk_init(&w, header, r->p, r->len);
	while (!r->rc && fs_log_walk_next(&w, &f)) {
		one_frame(r, &f, before);
		before = w.off;
	}
	end = fs_log_walk_tail(&w, &torn);
	r->part->end = end;
	if (torn && !r->rc)
		look_at_torn(r, before, end < r->len ? end : r->len);
	return r->rc;
}

/* ---- the header ---- */

/* The stream head with which a segment begins, if it is genuine for this number. */
static bool first_head(const uint8_t *p, size_t len, uint64_t number, struct fs_log_head *h)
{
	struct fs_log_walk w;
	struct fs_log_frame f;

	fs_log_walk_init(&w, NULL, p, len < FS_LOG_SEGMENT_MIN ? len : FS_LOG_SEGMENT_MIN);
	return fs_log_walk_next(&w, &f) && f.kind == FS_LOG_STREAM &&
	       !fs_log_head_decode(f.body, f.len, number, h);
}

/*
 * Whether the header can be believed. Where it contradicts the signed head behind it, the head is
 * right; where there is no such head the header is.
 */
static bool look_at_header(struct reading *r, struct fs_log_header *h)
{
	struct fs_log_part *part = r->part;
	struct fs_log_head head;
	int rc = fs_log_header_decode(r->p, h);
	bool genuine = first_head(r->p, r->len, part->number, &head);

	if (genuine && memcmp(head.vault, r->q->vault, KEYS_VAULT_ID_LEN))
		part->state = FS_LOG_PART_FOREIGN;
	if (genuine)
		part->header_bad = rc || h->number != part->number ||
				   h->first_seq != head.first_seq ||
				   memcmp(h->vault, head.vault, KEYS_VAULT_ID_LEN) != 0;
	else if (rc)
		part->header_bad = true;
	else if (memcmp(h->vault, r->q->vault, KEYS_VAULT_ID_LEN))
		part->state = FS_LOG_PART_FOREIGN;
	else if (h->number != part->number) {
		part->state = FS_LOG_PART_MOVED;
		part->moved = h->number;
	}
	part->version = rc ? 2 : h->version;
	part->cut = !part->header_bad && h->bytes != r->len;
	return !part->header_bad;
}

static int read_part(struct reading *r)
{
	struct fs_log_header header;
	bool believed;

	if (all_zero(r->p, r->len)) {
		r->part->state = FS_LOG_PART_UNUSED;
		return 0;
	}
	believed = look_at_header(r, &header);
	if (r->part->state != FS_LOG_PART_USED)
		return 0;
	return read_frames(r, believed ? &header : NULL);
}

/* ---- public ---- */

int fs_log_part_read(const struct fs_log_part_query *q, uint64_t number, struct fs_log_part **out)
{
	struct fs_log_part *part = calloc(1, sizeof(*part));
	struct reading r = {.q = q, .part = part};
	uint8_t *bytes = NULL;
	int rc;

	if (!part)
		return -ENOMEM;
	part->number = number;
	part->load_rc = q->source->load(q->source->ctx, number, &bytes, &r.len);
	if (part->load_rc == -ENOENT || (!part->load_rc && !r.len)) {
		free(bytes);
		part->state = FS_LOG_PART_UNUSED; /* gone again; just being made */
		*out = part;
		return 0;
	}
	if (part->load_rc || r.len < FS_LOG_HEADER) {
		free(bytes);
		part->state = FS_LOG_PART_UNREADABLE;
		*out = part;
		return part->load_rc == -ENOMEM ? -ENOMEM : 0;
	}
	r.p = bytes;
	part->bytes = r.len;
	rc = read_part(&r);
	free(bytes);
	if (rc) {
		fs_log_part_free(part);
		return rc;
	}
	*out = part;
	return 0;
}

void fs_log_part_free(struct fs_log_part *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->marks; i++) {
		free(p->mark[i].tree);
		free(p->mark[i].text);
	}
	free(p->mark);
	free(p->leaf);
	free(p);
}

bool fs_log_part_odd(const struct fs_log_part *p)
{
	if (p->state != FS_LOG_PART_USED)
		return p->state != FS_LOG_PART_UNUSED;
	if (p->damages || p->header_bad || p->cut || (p->version > 1 && !p->rooted))
		return true;
	for (size_t i = 0; i < p->marks; i++) {
		if (p->mark[i].rc || p->mark[i].signature)
			return true;
	}
	return false;
}
