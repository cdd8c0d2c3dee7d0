/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/gate_cover.c - log before light: intent records, and which notes they cover.
 *
 * Invariant: a note is marked covered only after the record that names it is
 * durable, and for no longer than that record says. Locks: fs_gate.lock for the sets.
 */
#include "gate_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "../keys/label.h"

#define AHEAD_MOST 32u
#define AHEAD_NOTES 1024u /* named in one wait, about */

/* The same notes as the log is to know them: by stored numbers. NULL: they are that already, or *rc. */
static struct policy_record_note *stored_notes(struct fs_gate *g, uint32_t index,
					       const struct policy_record_note *note, size_t n,
					       int *rc)
{
	struct policy_record_note *copy;

	/* Those of one directory are all of a kind. */
	if (!n || note[0].note < FS_INO_HISTORY)
		return NULL;
	copy = calloc(n, sizeof(*copy));
	if (!copy) {
		*rc = -ENOMEM;
		return NULL;
	}
	for (size_t k = 0; k < n; k++) {
		copy[k] = note[k];
		copy[k].note = fs_gate_note(g, fs_nodeid(index, note[k].note));
	}
	return copy;
}

/* One INTENT record for these notes, queued; *seq to wait for. */
static int intent_append(struct fs_gate *g, const struct fs_gate_request *rq, uint64_t dir,
			 const struct policy_record_note *note, size_t n, int64_t until_ns,
			 uint64_t *seq)
{
	uint32_t index = fs_nodeid_journal(rq->nodeid);
	struct policy_record_note *copy;
	struct policy_record r;
	int rc = 0;

	copy = stored_notes(g, index, note, n, &rc);
	if (rc)
		return rc;
	note = copy ? copy : note;
	fs_gate_fill(g, POLICY_RECORD_INTENT, rq, index, &r);
	r.note = fs_gate_note(g, fs_nodeid(index, dir));
	r.until_ns = until_ns;
	r.notes = note;
	r.note_count = n;
	fs_gate_rule(g, rq, r.journal, r.rule);
	rc = fs_log_append(fs_vault_log(g->vault), &r, seq);
	keys_wipe(&r, sizeof(r));
	free(copy);
	return rc ? -EIO : 0;
}

/*
 * until_ns: what the records say. While they were awaited the set may have been emptied, and begun
 * again for longer: it then ends with them.
 */
static int covered_add(struct fs_gate *g, uint32_t index, uint64_t dir,
		       const struct policy_record_note *note, size_t n, int64_t until_ns)
{
	struct fs_cover *c;
	int rc;

	pthread_mutex_lock(&g->lock);
	c = fs_gate_cover_of(g, index);
	rc = c ? 0 : -ENOMEM;
	if (c && until_ns < c->until_ns)
		c->until_ns = until_ns;
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

/* The notes of one directory, named by records that are queued but not yet durable. */
struct intent {
	uint64_t dir;
	struct fs_cover_notes notes;
};

static int dir_append(struct fs_gate *g, struct fs_journal *j, const struct fs_gate_request *rq,
		      int64_t until_ns, struct intent *out, uint64_t *seq)
{
	const struct fs_cover_notes *notes = &out->notes;
	size_t part;
	int rc = fs_cover_list(j, out->dir, &out->notes);

	if (!rc && !notes->n)
		rc = intent_append(g, rq, out->dir, NULL, 0, until_ns, seq);
	for (size_t at = 0; !rc && at < notes->n; at += part) {
		part = fs_cover_part(notes, at);
		rc = intent_append(g, rq, out->dir, notes->note + at, part, until_ns, seq);
	}
	return rc;
}

/* ---- ahead: directories beside one another are covered by one wait ---- */

struct siblings {
	struct fs_gate *g;
	uint32_t index;
	uint64_t dir; /* they come after this one */
	bool after;
	uint64_t found[AHEAD_MOST];
	size_t n, cap;
};

static int sibling(void *ctx, const struct fs_tree_entry *e)
{
	struct siblings *s = ctx;
	int64_t until_ns;
	bool has = true;

	if (!S_ISDIR(e->mode))
		return 0;
	if (e->ino == s->dir)
		s->after = true;
	else if (s->after && !fs_gate_covered(s->g, s->index, e->ino, 0, &has, &until_ns) && !has)
		s->found[s->n++] = e->ino;
	return s->n == s->cap;
}

static uint64_t parent_of(struct fs_journal *j, uint64_t dir)
{
	struct fs_inode *i = NULL;
	uint64_t parent = 0;

	if (dir == FS_ROOT_INO || fs_inode_get(j, dir, &i) != 0)
		return 0;
	pthread_rwlock_rdlock(&i->lock);
	parent = i->parent;
	pthread_rwlock_unlock(&i->lock);
	fs_inode_put(i);
	return parent;
}

/* How many directories beside one of this parent are worth covering with it: each time that one
 * more of them is asked for, twice as many. */
static size_t window(struct fs_gate *g, uint32_t index, uint64_t parent)
{
	size_t n;

	pthread_mutex_lock(&g->lock);
	if (!parent || g->ahead.index != index || g->ahead.parent != parent)
		g->ahead.n = 0;
	else
		g->ahead.n = g->ahead.n ? g->ahead.n * 2 : 1;
	if (g->ahead.n > AHEAD_MOST)
		g->ahead.n = AHEAD_MOST;
	g->ahead.index = index;
	g->ahead.parent = parent;
	n = g->ahead.n;
	pthread_mutex_unlock(&g->lock);
	return n;
}

static void find_siblings(struct fs_journal *j, struct siblings *s)
{
	uint64_t parent = parent_of(j, s->dir);
	struct fs_inode *i = NULL;

	s->cap = window(s->g, s->index, parent);
	if (!s->cap || fs_inode_get(j, parent, &i) != 0)
		return;
	(void)fs_tree_list(i, 0, sibling, s);
	fs_inode_put(i);
}

/*
 * Names every note of the directory in durable INTENT records. A program that walks a tree asks
 * for one directory after the other, and each wait for the disk takes longer than listing several:
 * so those that come next are named in the same wait. Naming too much is harmless: an intent says
 * what may be read, and only a crash makes an auditor look at it.
 */
int fs_gate_cover_dir(struct fs_gate *g, const struct fs_gate_pass *pass,
		      const struct fs_gate_request *rq, int64_t until_ns)
{
	struct siblings next = {.g = g, .index = fs_nodeid_journal(rq->nodeid), .dir = rq->dir};
	struct intent list[AHEAD_MOST + 1] = {{.dir = rq->dir}};
	uint64_t seq = 0;
	size_t n = 1, notes;
	int rc = dir_append(g, pass->journal, rq, until_ns, &list[0], &seq);

	if (!rc)
		find_siblings(pass->journal, &next);
	notes = list[0].notes.n;
	while (!rc && n <= next.n && notes < AHEAD_NOTES) {
		list[n].dir = next.found[n - 1];
		/* One that can't be listed now is covered, or refused, when it is asked for. */
		if (dir_append(g, pass->journal, rq, until_ns, &list[n], &seq) != 0) {
			fs_cover_notes_free(&list[n].notes);
			break;
		}
		notes += list[n++].notes.n;
	}
	if (!rc)
		rc = fs_gate_wait(g, seq);
	for (size_t k = 0; k < n; k++) {
		if (!rc)
			rc = covered_add(g, next.index, list[k].dir, list[k].notes.note,
					 list[k].notes.n, until_ns);
		fs_cover_notes_free(&list[k].notes);
	}
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
		rc = covered_add(g, index, 0, &note, 1, until_ns);
	return rc;
}

void fs_gate_created(struct fs_gate *g, const struct fs_gate_pass *pass, uint64_t ino, bool dir)
{
	struct policy_record_note note = {.note = ino};

	/* Short of memory it stays uncovered: the next look writes one more record. */
	(void)covered_add(g, fs_journal_index(pass->journal), dir ? ino : 0, &note, 1,
			  INT64_MAX);
}
