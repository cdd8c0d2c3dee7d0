/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify_seal.c - seals (checkpoints, and the tree frame with which a segment begins) and
 * what is damaged between them.
 *
 * A seal that agrees vouches for every record before it. Damage is held until the next seal: where
 * a daemon began anew behind it, where no checkpoint says that everything was there, and where the
 * next seal agrees with what is left, it is what a killed daemon leaves behind: a note. Everywhere
 * else it is an alarm. A seal that disagrees without any damage in sight: a record in the stretch
 * since the seal before was changed; after that nothing can be placed until the next segment, whose
 * tree frame begins afresh ("blind").
 *
 * Format: fs/FORMAT.md, "Log". Locks: none.
 */
#include "log_verify_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t no_key[KEYS_LEN];

struct fs_log_finding fs_log_judge_at(const struct fs_log_judge *j, enum fs_log_finding_kind kind,
				      uint64_t seq, uint64_t last, uint64_t segment)
{
	return (struct fs_log_finding){
		.kind = kind,
		.seq = seq,
		.last = last < seq ? seq : last,
		.segment = segment,
		.time_s = j->have_checkpoint ? (int64_t)j->checkpoint.time_s : 0,
	};
}

/* ---- damage ---- */

static void damage_tell(struct fs_log_judge *j, struct fs_log_damage *d, bool crash)
{
	if (crash) {
		d->f.kind = FS_LOG_UNCLEAN;
		fs_log_found_add(&j->found, &d->f,
				 "segment %" PRIu64 ": an unfinished write at record %" PRIu64
				 ", where a daemon ended without stopping",
				 d->f.segment, d->f.seq);
		return;
	}
	fs_log_found_add(&j->found, &d->f, "%s", d->text);
}

static struct fs_log_damage *damage_add(struct fs_log_judge *j, enum fs_log_finding_kind kind,
					const struct fs_log_mark *m, uint64_t segment)
{
	struct fs_log_damage *d;

	if (j->damages == FS_LOG_DAMAGES_MAX) {
		damage_tell(j, &j->damage[0], false);
		memmove(j->damage, j->damage + 1, sizeof(*d) * --j->damages);
	}
	d = &j->damage[j->damages++];
	*d = (struct fs_log_damage){.f = fs_log_judge_at(j, kind, m->seq, m->seq, segment)};
	return d;
}

/* Bytes that are no frame, and now the numbers that are missing there: one and the same damage. */
static bool joins_garbage(struct fs_log_judge *j, const struct fs_log_mark *m, uint64_t segment)
{
	struct fs_log_damage *d = j->damages ? &j->damage[j->damages - 1] : NULL;

	if (!m->torn || !d || d->f.seq != m->seq || d->f.segment != segment || d->restart)
		return false;
	d->f.last = m->last;
	if (d->f.kind == FS_LOG_MISSING)
		snprintf(d->text, sizeof(d->text),
			 "segment %" PRIu64 ": records %" PRIu64 " to %" PRIu64
			 " are gone: zeros stand in their place",
			 segment, m->seq, m->last);
	else
		snprintf(d->text, sizeof(d->text),
			 "segment %" PRIu64 ": the frames of records %" PRIu64 " to %" PRIu64
			 " were damaged",
			 segment, m->seq, m->last);
	return true;
}

static void gap(struct fs_log_judge *j, const struct fs_log_mark *m, uint64_t segment)
{
	struct fs_log_damage *d;

	if (joins_garbage(j, m, segment))
		return;
	d = damage_add(j, FS_LOG_MISSING, m, segment);
	d->f.last = m->last;
	d->crash = m->torn;
	snprintf(d->text, sizeof(d->text),
		 "segment %" PRIu64 ": records %" PRIu64 " to %" PRIu64 " are missing", segment,
		 m->seq, m->last);
}

/* A frame out of order: what was taken for missing, or a number that came before. */
static void stray(struct fs_log_judge *j, const struct fs_log_mark *m, uint64_t segment)
{
	struct fs_log_damage *d = NULL;

	for (size_t i = j->damages; i > 0 && !d; i--) {
		d = &j->damage[i - 1];
		if (d->f.seq > m->last || d->f.last < m->last || d->f.segment != segment)
			d = NULL;
	}
	if (!d) {
		d = damage_add(j, m->last > m->seq ? FS_LOG_CHANGED : FS_LOG_REORDERED, m, segment);
		if (m->last <= m->seq)
			d->f.seq = d->f.last = m->last;
	} else if (m->last <= m->seq) {
		d->f.kind = FS_LOG_REORDERED;
	}
	d->crash = false;
	snprintf(d->text, sizeof(d->text),
		 "segment %" PRIu64 ", byte %zu: record %" PRIu64 " stands where record %" PRIu64
		 " is expected",
		 segment, m->off, m->last, m->seq);
}

static void bytes_damaged(struct fs_log_judge *j, const struct fs_log_mark *m, uint64_t segment)
{
	bool zero = m->kind == FS_LOG_MARK_ERASED;
	struct fs_log_damage *d = damage_add(j, zero ? FS_LOG_MISSING : FS_LOG_CHANGED, m, segment);

	d->crash = m->torn;
	snprintf(d->text, sizeof(d->text),
		 "segment %" PRIu64 ", byte %zu, before record %" PRIu64 ": %" PRIu64
		 " bytes %s: a stream head, checkpoint or record was %s",
		 segment, m->off, m->seq, m->last, zero ? "were made zero" : "are no frame",
		 zero ? "erased" : "damaged, or bytes were put in");
}

void fs_log_judge_damage(struct fs_log_judge *j, const struct fs_log_mark *m, uint64_t segment)
{
	static const char *const what[] = {
		[FS_LOG_MARK_HEAD] = "the stream head",
		[FS_LOG_MARK_TREE] = "the tree frame",
		[FS_LOG_MARK_CHECKPOINT] = "the checkpoint",
	};
	struct fs_log_finding f;
	struct fs_log_damage *d;

	switch (m->kind) {
	case FS_LOG_MARK_GAP:
		gap(j, m, segment);
		break;
	case FS_LOG_MARK_STRAY:
		stray(j, m, segment);
		break;
	case FS_LOG_MARK_GARBAGE:
	case FS_LOG_MARK_ERASED:
		bytes_damaged(j, m, segment);
		break;
	case FS_LOG_MARK_PADDING:
		f = fs_log_judge_at(j, FS_LOG_CHANGED, m->last, m->last, segment);
		fs_log_found_add(&j->found, &f,
				 "segment %" PRIu64 ": the bytes that fill up record %" PRIu64
				 " were changed",
				 segment, m->last);
		break;
	default:
		d = damage_add(j, FS_LOG_CHANGED, m, segment);
		d->frame = m->kind == FS_LOG_MARK_TREE;
		d->crash = m->torn;
		snprintf(d->text, sizeof(d->text),
			 "segment %" PRIu64 ", byte %zu: %s before record %" PRIu64 " was changed",
			 segment, m->off, what[m->kind], m->seq);
	}
}

void fs_log_judge_restart(struct fs_log_judge *j, uint64_t segment, bool first, bool fresh)
{
	bool covered = j->have_checkpoint && j->checkpoint.size == j->expect - 1;
	bool stopped = covered && j->checkpoint.mark == KEYS_CHECKPOINT_STOP;
	bool readers = covered && j->checkpoint.mark == KEYS_CHECKPOINT_READERS;
	struct fs_log_finding f;

	for (size_t i = 0; i < j->damages; i++) {
		struct fs_log_damage *d = &j->damage[i];

		/* A start goes on in the same segment while there is room. Behind the last
		 * checkpoint of a daemon that stopped it can be a start that was cut short. */
		if ((first && !fresh && !j->last_full) || (d->frame && d->f.seq != j->expect))
			d->crash = false;
		d->restart = true;
	}
	if (first || !j->began || stopped || readers || j->damages || j->blind || j->lost)
		return;
	f = fs_log_judge_at(j, FS_LOG_UNCLEAN, j->expect - 1, 0, segment);
	fs_log_found_add(&j->found, &f,
			 "a daemon ended without stopping after record %" PRIu64
			 " (killed, or the power failed)",
			 j->expect - 1);
}

/* ---- seals ---- */

/*
 * Damage before this seal is judged. What a daemon can have left of its stream's head, in the same
 * write as the tree frame behind it, waits for the next head (left).
 */
static void damages_tell(struct fs_log_judge *j, bool agrees, uint64_t left)
{
	size_t n = 0;

	for (size_t i = 0; i < j->damages; i++) {
		struct fs_log_damage *d = &j->damage[i];

		if (left && agrees && d->crash && !d->restart && d->f.segment == left &&
		    d->f.seq == j->expect)
			j->damage[n++] = *d;
		else
			damage_tell(j, d, agrees && d->crash && d->restart);
	}
	j->damages = n;
}

static void judge_sealed(struct fs_log_judge *j, uint64_t size, bool agrees, uint64_t segment,
			 uint64_t left, const char *seal)
{
	bool told = j->damages || j->blind || j->lost;
	struct fs_log_finding f;

	damages_tell(j, agrees, left);
	if (!agrees && !told) {
		f = fs_log_judge_at(j, FS_LOG_CHANGED, j->sealed < size ? j->sealed + 1 : size,
				    size, segment);
		fs_log_found_add(&j->found, &f,
				 "%s over %" PRIu64
				 " records does not agree: one of records %" PRIu64 " to %" PRIu64
				 " was changed",
				 seal, size, f.seq, size);
	}
	j->sealed = size;
	if (!agrees)
		j->blind = true;
}

static void key_add(struct fs_log_judge *j, const struct fs_log_tree *t)
{
	struct fs_log_key *more = reallocarray(j->keys, j->key_count + 1, sizeof(*more));

	if (!more) {
		j->found.rc = -ENOMEM;
		return;
	}
	j->keys = more;
	j->key = (struct fs_log_key){.number = t->key_number, .from = t->tree.size};
	memcpy(j->key.pk, t->pk, KEYS_LEN);
	j->keys[j->key_count++] = j->key;
	j->have_key = true;
	j->key_open = false;
	memcpy(j->witness_pk, t->witness_pk, KEYS_LEN);
}

/* Each checkpoint key is certified by the one before it. */
static void check_key(struct fs_log_judge *j, const struct fs_log_tree *t, uint64_t segment,
		      uint64_t seq)
{
	bool none = !memcmp(t->before, no_key, KEYS_LEN), follows;
	struct fs_log_finding f;

	if (j->key_open)
		follows = true;
	else if (!j->have_key)
		follows = (t->key_number == 1 && none) || (t->flags & FS_LOG_TREE_LOST);
	else
		follows = t->key_number == j->key.number + 1 &&
			  (t->flags & FS_LOG_TREE_LOST ? none
						       : !memcmp(t->before, j->key.pk, KEYS_LEN));
	if (!follows) {
		f = fs_log_judge_at(j, FS_LOG_RESEALED, seq, seq, segment);
		fs_log_found_add(&j->found, &f,
				 "segment %" PRIu64 ": its checkpoint key %" PRIu64
				 " is not certified by the one before",
				 segment, t->key_number);
	} else if (t->flags & FS_LOG_TREE_LOST) {
		f = fs_log_judge_at(j, FS_LOG_KEY_LOST, seq, seq, segment);
		fs_log_found_add(
			&j->found, &f,
			"segment %" PRIu64 ": the daemon vouched for checkpoint key %" PRIu64
			" alone: the one before was lost with the host's state, or left out",
			segment, t->key_number);
	}
	key_add(j, t);
}

static bool same_root(const struct fs_log_judge *j, const struct fs_log_tree *t,
		      const uint8_t *root)
{
	uint8_t claimed[KEYS_LEN];

	keys_tree_root(&t->tree, claimed);
	return !j->blind && t->tree.size == j->expect - 1 && !memcmp(claimed, root, KEYS_LEN);
}

void fs_log_judge_tree(struct fs_log_judge *j, const struct fs_log_part *p,
		       const struct fs_log_mark *m, const uint8_t root[static KEYS_LEN])
{
	const struct fs_log_tree *t = m->tree;
	struct fs_log_finding f;

	if (memcmp(t->root_pk, j->root_pk, KEYS_LEN)) {
		f = fs_log_judge_at(j, FS_LOG_FOREIGN, m->seq, m->seq, p->number);
		fs_log_found_add(&j->found, &f,
				 "segment %" PRIu64
				 ": its daemon was certified by another root key",
				 p->number);
		j->blind = j->key_open = true;
		j->have_key = false;
		return;
	}
	check_key(j, t, p->number, m->seq);
	memcpy(j->last_daemon, t->daemon_pk, KEYS_LEN);
	judge_sealed(j, t->tree.size, j->lost || same_root(j, t, root), p->number, p->number,
		     "the tree of the next segment");
	j->tree = t->tree;
	j->blind = j->lost = false;
	j->began = true;
}

/* 0, or whatever it is by keys_checkpoint_verify with the key of its place. */
static int signed_here(const struct fs_log_judge *j, const struct fs_log_mark *m)
{
	struct keys_signed_note note;

	if (m->signature != 1)
		return m->signature;
	if (keys_signed_note_parse(m->text, m->text_len, &note))
		return -EBADMSG;
	return keys_checkpoint_verify(&note, j->out->vault, j->key.pk, false);
}

static void set_aside(struct fs_log_judge *j, const struct fs_log_part *p, struct fs_log_mark *m)
{
	struct fs_log_unsigned *more = reallocarray(j->bad, j->bads + 1, sizeof(*more));

	if (!more) {
		j->found.rc = -ENOMEM;
		return;
	}
	j->bad = more;
	j->bad[j->bads++] = (struct fs_log_unsigned){
		.f = fs_log_judge_at(j, FS_LOG_CHANGED, m->seq - 1, 0, p->number),
		.text = m->text,
		.len = m->text_len,
	};
	m->text = NULL;
}

static void check_commit(struct fs_log_judge *j, const struct keys_checkpoint *c, uint64_t segment)
{
	const struct keys_checkpoint *b = &j->checkpoint;
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_ROLLED_BACK, c->size, 0, segment);

	if (!j->have_checkpoint)
		return;
	if (c->commit < b->commit)
		fs_log_found_add(&j->found, &f,
				 "the vault went back from commit %" PRIu64 " to %" PRIu64
				 " between records %" PRIu64 " and %" PRIu64
				 ": an older copy of it was put in place",
				 b->commit, c->commit, b->size, c->size);
	else if (c->commit == b->commit && memcmp(c->vault_root, b->vault_root, KEYS_LEN))
		fs_log_found_add(&j->found, &f,
				 "at commit %" PRIu64
				 " the vault had two states, at records %" PRIu64 " and %" PRIu64,
				 c->commit, b->size, c->size);
}

static void checkpoint_agrees(struct fs_log_judge *j, const struct fs_log_part *p,
			      const struct fs_log_mark *m)
{
	check_commit(j, &m->checkpoint, p->number);
	fs_log_kept_beside(j, &m->checkpoint, p->number);
	j->checkpoint = m->checkpoint;
	j->have_checkpoint = true;
	j->out->checkpoints++;
	j->out->sealed = m->checkpoint.size;
	memcpy(j->out->root, m->checkpoint.root, KEYS_LEN);
	memcpy(j->out->checkpoint, m->text, m->text_len + 1);
}

void fs_log_judge_checkpoint(struct fs_log_judge *j, const struct fs_log_part *p,
			     struct fs_log_mark *m, const uint8_t root[static KEYS_LEN])
{
	const struct keys_checkpoint *c = &m->checkpoint;
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_REORDERED, m->seq - 1, 0, p->number);
	bool agrees;

	if (!j->have_key || j->lost)
		return; /* its segment's tree frame is damaged, and that was said */
	if (signed_here(j, m)) {
		set_aside(j, p, m);
		return;
	}
	if (c->size != m->seq - 1) {
		if (c->size >= m->seq) {
			f.kind = FS_LOG_MISSING;
			f.seq = m->seq;
			f.last = c->size;
		}
		fs_log_found_add(&j->found, &f,
				 "segment %" PRIu64 ": a checkpoint over %" PRIu64
				 " records stands behind record %" PRIu64,
				 p->number, c->size, m->seq - 1);
		return;
	}
	if (j->blind)
		return;
	agrees = !memcmp(root, c->root, KEYS_LEN);
	judge_sealed(j, c->size, agrees, p->number, 0, "the checkpoint");
	if (agrees)
		checkpoint_agrees(j, p, m);
}

/* ---- the end ---- */

static void tell_unsigned(struct fs_log_judge *j, struct fs_log_unsigned *b)
{
	struct keys_signed_note note;
	const struct fs_log_key *by = NULL;

	if (!keys_signed_note_parse(b->text, b->len, &note)) {
		for (size_t i = 0; i < j->key_count && !by; i++) {
			if (!keys_checkpoint_verify(&note, j->out->vault, j->keys[i].pk, false))
				by = &j->keys[i];
		}
	}
	if (by) {
		b->f.kind = FS_LOG_RESEALED;
		fs_log_found_add(&j->found, &b->f,
				 "segment %" PRIu64 ": the checkpoint behind record %" PRIu64
				 " was sealed with checkpoint key %" PRIu64
				 ", which is not the one of this place",
				 b->f.segment, b->f.seq, by->number);
	} else {
		fs_log_found_add(&j->found, &b->f,
				 "segment %" PRIu64 ": the checkpoint behind record %" PRIu64
				 " was changed: its signature does not hold",
				 b->f.segment, b->f.seq);
	}
}

/* The stable key's line is for others; nothing here rests on it, and the newest stands for all. */
static void check_witness(struct fs_log_judge *j)
{
	struct keys_signed_note note;
	struct fs_log_finding f;

	if (!j->have_checkpoint)
		return;
	if (!keys_signed_note_parse(j->out->checkpoint, strlen(j->out->checkpoint), &note) &&
	    !keys_checkpoint_verify(&note, j->out->vault, j->witness_pk, true))
		return;
	f = fs_log_judge_at(j, FS_LOG_CHANGED, j->checkpoint.size, 0, 0);
	fs_log_found_add(&j->found, &f,
			 "the newest checkpoint, behind record %" PRIu64
			 ", lacks the signature for witnesses or it was changed",
			 j->checkpoint.size);
}

void fs_log_judge_rest(struct fs_log_judge *j)
{
	uint64_t last = j->expect - 1, sealed = j->have_checkpoint ? j->checkpoint.size : 0;
	struct fs_log_finding f;

	for (size_t i = 0; i < j->damages; i++)
		damage_tell(j, &j->damage[i], j->damage[i].crash);
	j->damages = 0;
	for (size_t i = 0; i < j->bads; i++)
		tell_unsigned(j, &j->bad[i]);
	check_witness(j);
	if (j->old_last) {
		f = fs_log_judge_at(j, FS_LOG_OLD, j->old_first, j->old_last, 0);
		f.time_s = 0;
		fs_log_found_add(
			&j->found, &f,
			"records %" PRIu64 " to %" PRIu64
			" are from before there were checkpoints: they are sealed as they were "
			"when the first one was made",
			j->old_first, j->old_last);
	}
	if (!j->began && last && !j->found.alarms) {
		f = fs_log_judge_at(j, FS_LOG_UNPROVEN, 1, last, 0);
		fs_log_found_add(
			&j->found, &f,
			"nothing seals these records: they are from before there were "
			"checkpoints (a start of the daemon seals them), or all seals were taken "
			"out");
	}
	if (!j->blind && j->began && last > sealed) {
		f = fs_log_judge_at(j, FS_LOG_UNSEALED, sealed + 1, last, 0);
		fs_log_found_add(&j->found, &f,
				 "records %" PRIu64 " to %" PRIu64
				 " are under no checkpoint yet: they could still be changed unseen",
				 sealed + 1, last);
	}
	if (j->q->least > last) {
		f = fs_log_judge_at(j, FS_LOG_TRUNCATED, j->expect, j->q->least, 0);
		fs_log_found_add(&j->found, &f,
				 "records %" PRIu64 " to %" PRIu64
				 " are known to have been written, and the log ends before them",
				 j->expect, j->q->least);
	}
}
