/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify.c - is the access log whole? Segments in order, one after the other, against what
 * the ones before said.
 *
 * Owns the walk over parts; seals and damage are judged in log_verify_seal.c, kept checkpoints in
 * log_verify_kept.c. Invariants: (1) `expect` is the number of the next record, whatever was found;
 * (2) what follows a stretch that is gone is believed once (`lost`), so that one loss is one
 * finding; (3) nothing is judged by a clock,
 * but whether one was ahead that old segments were taken by.
 *
 * Locks: none; log_verify_scan.c calls from one thread.
 */
#include "log_verify_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* What a stream's beginning needs at most; with less a start begins a segment (fs/log.c). */
#define STREAM_ROOM                                                                                \
	(fs_log_frame_size(KEYS_CHECKPOINT_MAX) + fs_log_frame_size(FS_LOG_HEAD_MAX) +             \
	 fs_log_frame_size(FS_LOG_TREE_MAX))

/* ---- stream heads ---- */

static int daemon_add(struct fs_log_judge *j, const uint8_t *pk)
{
	void *more;

	for (size_t i = 0; i < j->daemons; i++) {
		if (!memcmp(j->daemon[i], pk, KEYS_LEN))
			return 0;
	}
	more = reallocarray(j->daemon, j->daemons + 1, sizeof(*j->daemon));
	if (!more)
		return -ENOMEM;
	j->daemon = more;
	memcpy(j->daemon[j->daemons++], pk, KEYS_LEN);
	return 0;
}

/* A head stands before the tree frame that names its daemon. */
static int learn_daemons(struct fs_log_judge *j, const struct fs_log_part *p)
{
	int rc = 0;

	for (size_t i = 0; i < p->marks && !rc; i++) {
		const struct fs_log_mark *m = &p->mark[i];

		if (m->kind != FS_LOG_MARK_TREE || m->rc)
			continue;
		if (!j->have_root) {
			memcpy(j->root_pk, m->tree->root_pk, KEYS_LEN);
			j->have_root = true;
		}
		if (!memcmp(m->tree->root_pk, j->root_pk, KEYS_LEN))
			rc = daemon_add(j, m->tree->daemon_pk);
	}
	return rc;
}

static bool daemon_known(const struct fs_log_judge *j, const uint8_t *pk)
{
	for (size_t i = 0; i < j->daemons; i++) {
		if (!memcmp(j->daemon[i], pk, KEYS_LEN))
			return true;
	}
	return !j->daemons; /* version 1 alone: nobody says */
}

/*
 * Whether a start can have begun this segment though the one before had room: the daemon's key is
 * another, the checkpoint key was lost, or the one before is of the older format.
 */
static bool begins_fresh(const struct fs_log_judge *j, const struct fs_log_part *p)
{
	if (!j->began)
		return true;
	for (size_t i = 0; i < p->marks; i++) {
		const struct fs_log_mark *m = &p->mark[i];

		if (m->kind == FS_LOG_MARK_TREE && !m->rc)
			return (m->tree->flags & FS_LOG_TREE_LOST) ||
			       memcmp(m->tree->daemon_pk, j->last_daemon, KEYS_LEN) != 0;
	}
	return false;
}

static void judge_head(struct fs_log_judge *j, const struct fs_log_part *p,
		       const struct fs_log_mark *m, bool first)
{
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_INSERTED, m->seq, 0, p->number);

	if (m->rc) {
		fs_log_judge_damage(j, m, p->number);
		j->have_prev = false;
		return;
	}
	if (!daemon_known(j, m->head.pk)) {
		fs_log_found_add(&j->found, &f,
				 "segment %" PRIu64
				 ", byte %zu: a stream by a daemon that this vault's "
				 "root did not certify, before record %" PRIu64,
				 p->number, m->off, m->seq);
		return;
	}
	if (j->have_prev && !j->lost && memcmp(j->prev, m->head.prev, KEYS_SIG_LEN)) {
		f.kind = FS_LOG_MISSING;
		fs_log_found_add(
			&j->found, &f,
			"segment %" PRIu64 ", byte %zu: the stream that begins at record %" PRIu64
			" does not follow the one before it: a stream is gone between them",
			p->number, m->off, m->seq);
	}
	fs_log_judge_restart(j, p->number, first, first && begins_fresh(j, p));
	memcpy(j->prev, m->head.sig, KEYS_SIG_LEN);
	j->have_prev = true;
	j->out->streams++;
}

/* ---- a segment ---- */

static void lose(struct fs_log_judge *j)
{
	j->lost = j->blind = j->key_open = true;
	j->have_prev = j->have_key = false;
}

static void missing_segments(struct fs_log_judge *j, const struct fs_log_part *p)
{
	uint64_t from = j->last_number + 1, last = p->from ? p->from - 1 : j->expect;
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_MISSING, j->expect, last, from);

	if (p->number == from)
		return;
	if (last >= j->expect)
		fs_log_found_add(&j->found, &f,
				 "segments %" PRIu64 " to %" PRIu64
				 " are gone, with records %" PRIu64 " to %" PRIu64,
				 from, p->number - 1, j->expect, last);
	else
		fs_log_found_add(&j->found, &f, "segments %" PRIu64 " to %" PRIu64 " are gone",
				 from, p->number - 1);
	lose(j);
}

static void not_readable(struct fs_log_judge *j, const struct fs_log_part *p)
{
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_UNREADABLE, j->expect, 0, p->number);

	if (p->state == FS_LOG_PART_FOREIGN) {
		f.kind = FS_LOG_FOREIGN;
		fs_log_found_add(&j->found, &f, "segment %" PRIu64 " is of another vault",
				 p->number);
	} else if (p->state == FS_LOG_PART_MOVED) {
		f.kind = FS_LOG_REORDERED;
		fs_log_found_add(&j->found, &f,
				 "segment %" PRIu64 " holds what was segment %" PRIu64, p->number,
				 p->moved);
	} else {
		fs_log_found_add(&j->found, &f, "segment %" PRIu64 " can't be read: %s", p->number,
				 p->load_rc == -EBADMSG ? "it is no file of a segment's size"
							: strerror(-p->load_rc));
	}
	lose(j);
	j->last_number = p->number;
}

static void check_header(struct fs_log_judge *j, const struct fs_log_part *p)
{
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_CHANGED, j->expect, 0, p->number);

	if (p->header_bad)
		fs_log_found_add(&j->found, &f, "segment %" PRIu64 ": its header was changed",
				 p->number);
	if (p->cut) {
		f.kind = FS_LOG_TRUNCATED;
		f.seq = f.last = p->next;
		fs_log_found_add(&j->found, &f,
				 "segment %" PRIu64 ": the file is not as long as it was made",
				 p->number);
	}
	if (p->version > 1)
		return;
	if (j->began) {
		f.kind = FS_LOG_INSERTED;
		fs_log_found_add(&j->found, &f,
				 "segment %" PRIu64 " is of the older format, behind newer ones",
				 p->number);
	}
	if (!j->old_first)
		j->old_first = p->from;
	if (p->next > p->from)
		j->old_last = p->next - 1;
}

/* Its records begin where those of the segment before end. */
static void check_beginning(struct fs_log_judge *j, const struct fs_log_part *p)
{
	struct fs_log_finding f =
		fs_log_judge_at(j, FS_LOG_MISSING, j->expect, p->from - 1, p->number);

	if (!p->from || p->from == j->expect)
		return;
	if (!j->lost && p->from > j->expect) {
		fs_log_found_add(&j->found, &f,
				 "records %" PRIu64 " to %" PRIu64
				 " are gone from the end of segment %" PRIu64,
				 j->expect, p->from - 1, j->last_number);
		j->blind = true;
	} else if (!j->lost) {
		f.kind = FS_LOG_INSERTED;
		f.seq = p->from;
		f.last = j->expect - 1;
		fs_log_found_add(&j->found, &f,
				 "records %" PRIu64 " to %" PRIu64
				 " stand at the end of segment %" PRIu64
				 ", and the next segment does not know them",
				 p->from, j->expect - 1, p->number - 1);
		j->blind = true;
	}
	j->expect = p->from;
}

/* ---- its marks ---- */

struct replay {
	struct fs_log_judge *j;
	struct fs_log_part *p;
	size_t leaf; /* the next to be added to j->tree */
	bool rooted; /* behind the tree frame from which the segment counts */
	bool any_tree;
};

static void leaves_to(struct replay *r, uint64_t seq)
{
	struct fs_log_judge *j = r->j;

	for (; r->leaf < r->p->leaves && r->p->from + r->leaf < seq; r->leaf++) {
		if (!j->blind)
			keys_tree_add(&j->tree, r->p->leaf[r->leaf]);
	}
}

static void root_at(struct replay *r, const struct fs_log_mark *m, uint8_t root[static KEYS_LEN])
{
	if (r->rooted)
		memcpy(root, m->root, KEYS_LEN);
	else
		keys_tree_root(&r->j->tree, root);
}

static void judge_tree_mark(struct replay *r, const struct fs_log_mark *m)
{
	uint8_t root[KEYS_LEN];

	r->any_tree = true;
	if (m->rc) {
		fs_log_judge_damage(r->j, m, r->p->number);
		r->j->have_key = false;
		r->j->key_open = true;
		return;
	}
	root_at(r, m, root);
	fs_log_judge_tree(r->j, r->p, m, root);
	r->rooted = r->p->rooted;
}

static void judge_mark(struct replay *r, struct fs_log_mark *m, bool first)
{
	struct fs_log_judge *j = r->j;
	uint8_t root[KEYS_LEN];

	if (!r->rooted)
		leaves_to(r, m->seq);
	j->expect = m->seq;
	switch (m->kind) {
	case FS_LOG_MARK_HEAD:
		judge_head(j, r->p, m, first);
		break;
	case FS_LOG_MARK_TREE:
		judge_tree_mark(r, m);
		break;
	case FS_LOG_MARK_CHECKPOINT:
		root_at(r, m, root);
		if (m->rc)
			fs_log_judge_damage(j, m, r->p->number);
		else
			fs_log_judge_checkpoint(j, r->p, m, root);
		break;
	case FS_LOG_MARK_SIZE:
		root_at(r, m, root);
		if (!j->blind)
			fs_log_kept_root(j, m->seq - 1, root);
		break;
	default:
		fs_log_judge_damage(j, m, r->p->number);
	}
}

static void no_tree(struct replay *r)
{
	struct fs_log_judge *j = r->j;
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_CHANGED, r->p->from, 0, r->p->number);

	if (r->any_tree || r->p->version < 2 || !r->p->records)
		return;
	fs_log_found_add(&j->found, &f, "segment %" PRIu64 ": its tree frame is gone",
			 r->p->number);
	j->have_key = false;
	j->key_open = true;
}

static void judge_marks(struct fs_log_judge *j, struct fs_log_part *p)
{
	struct replay r = {.j = j, .p = p};
	struct fs_log_finding f;

	for (size_t i = 0; i < p->marks; i++)
		judge_mark(&r, &p->mark[i], i == 0);
	leaves_to(&r, p->next);
	if (r.rooted && !j->blind)
		j->tree = p->tree;
	if (p->from)
		j->expect = p->next;
	no_tree(&r);
	if (p->damages > 100) {
		f = fs_log_judge_at(j, FS_LOG_CHANGED, p->from, p->next, p->number);
		fs_log_found_add(&j->found, &f,
				 "segment %" PRIu64
				 ": %zu places are damaged; the first hundred are named",
				 p->number, p->damages);
	}
}

static int judge_part(void *ctx, struct fs_log_part *p)
{
	struct fs_log_judge *j = ctx;
	int rc;

	j->out->bytes += p->bytes;
	if (p->state == FS_LOG_PART_UNUSED)
		return 0; /* behind the last: a spare; else its number is missed */
	j->out->segments++;
	if (p->state != FS_LOG_PART_USED) {
		not_readable(j, p);
		return j->found.rc;
	}
	rc = learn_daemons(j, p);
	if (rc)
		return rc;
	missing_segments(j, p);
	check_header(j, p);
	check_beginning(j, p);
	judge_marks(j, p);
	j->last_number = p->number;
	j->last_full = !p->rooted || p->end + STREAM_ROOM > p->bytes;
	j->out->records += p->records;
	return j->found.rc;
}

/* ---- public ---- */

static int begin(struct fs_log_judge *j, const uint64_t *numbers, size_t n)
{
	const struct fs_log_verifying *q = j->q;
	int rc;

	j->expect = 1;
	j->have_prev = true;
	if (q->root_pk) {
		memcpy(j->root_pk, q->root_pk, KEYS_LEN);
		j->have_root = true;
	}
	if (q->vault) {
		memcpy(j->out->vault, q->vault, KEYS_VAULT_ID_LEN);
		return 0;
	}
	rc = fs_log_scan_vault(q->source, numbers, n, j->out->vault);
	return rc;
}

static int scan(struct fs_log_judge *j, const uint64_t *numbers, size_t n)
{
	struct fs_log_scan s = {
		.part = {.source = j->q->source, .vault = j->out->vault},
		.numbers = numbers,
		.n = n,
		.threads = j->q->threads,
		.fn = judge_part,
		.ctx = j,
		.progress = j->q->progress,
		.progress_ctx = j->q->ctx,
	};
	uint64_t *sizes = NULL;
	int rc = fs_log_kept_sizes(j, &sizes, &s.part.size_count);

	s.part.sizes = sizes;
	if (!rc)
		rc = fs_log_scan_run(&s);
	free(sizes);
	return rc;
}

static void end(struct fs_log_judge *j)
{
	fs_log_judge_rest(j);
	fs_log_judge_archive_clock(j);
	fs_log_after_end(j);
	fs_log_kept_end(j);
	fs_log_found_give(&j->found, j->q->finding, j->q->ctx);
	j->out->alarms = j->found.alarms;
	j->out->notes = j->found.notes;
	j->out->keys = j->key_count;
	j->out->last = j->expect - 1;
	memcpy(j->out->root_pk, j->root_pk, KEYS_LEN);
	memcpy(j->out->witness_pk, j->witness_pk, KEYS_LEN);
	if (!j->have_checkpoint)
		keys_tree_root(&j->tree, j->out->root);
}

static void judge_free(struct fs_log_judge *j)
{
	for (size_t i = 0; i < j->bads; i++)
		free(j->bad[i].text);
	free(j->bad);
	free(j->keys);
	free(j->daemon);
	free(j->kept);
	fs_log_found_clear(&j->found);
	free(j);
}

int fs_log_verify(const struct fs_log_verifying *q, struct fs_log_verified *out)
{
	struct fs_log_judge *j = calloc(1, sizeof(*j));
	uint64_t *numbers = NULL;
	size_t n = 0;
	int rc;

	if (!j)
		return -ENOMEM;
	memset(out, 0, sizeof(*out));
	j->q = q;
	j->out = out;
	rc = q->source->list(q->source->ctx, &numbers, &n);
	if (!rc)
		rc = begin(j, numbers, n);
	if (!rc)
		rc = fs_log_judge_archive(j, numbers, &n);
	if (!rc)
		rc = fs_log_kept_read(j);
	if (!rc && j->archived) {
		uint8_t root[KEYS_LEN];

		keys_tree_root(&j->tree, root); /* of what was taken: no segment marks it */
		fs_log_kept_root(j, j->archived, root);
	}
	if (!rc) {
		fs_log_judge_after(j, numbers, &n);
		out->first = j->expect;
		out->resumed = j->after;
		rc = scan(j, numbers, n);
	}
	if (!rc)
		end(j);
	if (!rc)
		rc = j->found.rc;
	free(numbers);
	judge_free(j);
	return rc;
}
