/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/gate_cover.c - log before light: intent records, and which notes they cover.
 *
 * Invariant: a note is marked covered only after the record that names it is
 * durable. Locks: fs_gate.lock for the sets.
 */
#include "gate_impl.h"

#include <errno.h>
#include "../keys/label.h"

/* One INTENT record for these notes, queued; *seq to wait for. */
static int intent_append(struct fs_gate *g, const struct fs_gate_request *rq, uint64_t dir,
			 const struct policy_record_note *note, size_t n, int64_t until_ns,
			 uint64_t *seq)
{
	struct policy_record r;
	int rc;

	fs_gate_fill(g, POLICY_RECORD_INTENT, rq, fs_nodeid_journal(rq->nodeid), &r);
	r.note = dir;
	r.until_ns = until_ns;
	r.notes = note;
	r.note_count = n;
	fs_gate_rule(g, rq, r.journal, r.rule);
	rc = fs_log_append(fs_vault_log(g->vault), &r, seq);
	keys_wipe(&r, sizeof(r));
	return rc ? -EIO : 0;
}

static int covered_add(struct fs_gate *g, uint32_t index, uint64_t dir,
		       const struct policy_record_note *note, size_t n)
{
	struct fs_cover *c;
	int rc;

	pthread_mutex_lock(&g->lock);
	c = fs_gate_cover_of(g, index);
	rc = c ? 0 : -ENOMEM;
	for (size_t k = 0; !rc && k < n; k++)
		rc = fs_cover_add(c, note[k].note);
	if (!rc && dir)
		rc = fs_cover_add_dir(c, dir);
	pthread_mutex_unlock(&g->lock);
	return rc;
}

/* Whether dir (or, without one, note) is covered now; *until_ns for a record that is to cover it.
 */
int fs_gate_covered(struct fs_gate *g, uint32_t index, uint64_t dir, uint64_t note, bool *has,
		    int64_t *until_ns)
{
	struct fs_cover *c;

	pthread_mutex_lock(&g->lock);
	c = fs_gate_cover_of(g, index);
	if (c) {
		*has = dir ? fs_cover_has_dir(c, dir) : fs_cover_has(c, note);
		*until_ns = c->until_ns;
	}
	pthread_mutex_unlock(&g->lock);
	return c ? 0 : -ENOMEM;
}

/* Names every note of the directory in durable INTENT records. */
int fs_gate_cover_dir(struct fs_gate *g, const struct fs_gate_pass *pass,
		      const struct fs_gate_request *rq, int64_t until_ns)
{
	struct fs_cover_notes notes = {.note = NULL};
	uint64_t seq = 0;
	size_t part;
	int rc = fs_cover_list(pass->journal, rq->dir, &notes);

	if (rc)
		return rc;
	if (!notes.n)
		rc = intent_append(g, rq, rq->dir, NULL, 0, until_ns, &seq);
	for (size_t at = 0; !rc && at < notes.n; at += part) {
		part = fs_cover_part(&notes, at);
		rc = intent_append(g, rq, rq->dir, notes.note + at, part, until_ns, &seq);
	}
	if (!rc)
		rc = fs_gate_wait(g, seq);
	if (!rc)
		rc = covered_add(g, fs_nodeid_journal(rq->nodeid), rq->dir, notes.note, notes.n);
	fs_cover_notes_free(&notes);
	return rc;
}

int fs_gate_cover(struct fs_gate *g, const struct fs_gate_request *rq, uint64_t ino,
		  const char *name)
{
	struct policy_record_note note = {.note = ino, .name = name ? name : ""};
	struct fs_gate_pass now = {.session = g->session};
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	int64_t until_ns = 0;
	uint64_t seq = 0;
	bool has = false;
	int rc = fs_gate_covered(g, index, 0, ino, &has, &until_ns);

	if (rc || has)
		return rc;
	rc = intent_append(g, rq, 0, &note, 1, until_ns, &seq);
	if (!rc)
		rc = fs_gate_wait(g, seq);
	/* The wait may have been long: what was allowed before it may not be any more. */
	if (!rc)
		rc = fs_gate_again(g, rq, &now);
	if (!rc)
		rc = covered_add(g, index, 0, &note, 1);
	return rc;
}

void fs_gate_created(struct fs_gate *g, const struct fs_gate_pass *pass, uint64_t ino, bool dir)
{
	struct policy_record_note note = {.note = ino};

	/* Short of memory it stays uncovered: the next look writes one more record. */
	(void)covered_add(g, fs_journal_index(pass->journal), dir ? ino : 0, &note, 1);
}
