/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_final.c - final notes as programs meet them: refusals, and how a program makes a note
 * final.
 *
 * Rank 2 refuses every change of a final note under the inode's lock (fs/final.h); what is here
 * makes the answer early and the refusal known: the first of its kind within a minute is durable in
 * the log before the answer, repeats are counted. `access` only asks, and is not logged.
 *
 * chmod a-w locks where policy says `finalize on read-only`: at once when this mount has nobody
 * writing in the note, else when the last of those closes. Programs that copy modes (cp -p, tar,
 * file managers) make read-only copies, and those are locked like others: under that policy
 * read-only means final.
 *
 * Pages that a mapping made dirty after the note had become final are refused when they arrive;
 * msync and close tell, and the kernel drops them, so that nobody in that mount reads what is not
 * in the note.
 *
 * Locks: none while waiting. Finalizing waits for all mounts, this one among them: fs_serve_settle.
 */
#include "op_final.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "final.h"
#include "history_tree.h"
#include "notes.h"
#include "op_note.h"
#include "op_saves.h"

#define RULE "a final note does not change"
#define RULE_NAME "a final note, and what holds one, keeps its name and place"

/* i's own -EPERM, as rank 2 will see it. */
static int check(const struct fs_op *op, struct fs_inode *i)
{
	struct fs_actor who = fs_op_actor(op);
	int rc = 0;

	/* Earlier versions are read-only anyhow. */
	if (fs_history_tree_is(i->ino))
		return 0;
	fs_op_saves_node(op->m, fs_inode_nodeid(i), &who);
	pthread_rwlock_rdlock(&i->lock);
	if (S_ISREG(i->mode))
		rc = fs_final_check(i, &who);
	pthread_rwlock_unlock(&i->lock);
	return rc;
}

bool fs_op_final_is(const struct fs_op *op, struct fs_inode *i)
{
	return check(op, i) != 0;
}

static int refuse(struct fs_op *op, const char *rule)
{
	return fs_gate_refuse(op->m->gate, &op->rq, fs_nodeid_journal(op->rq.nodeid), -EPERM, rule);
}

/* Of a node; requests on one carry no name. */
static int refuse_node(struct fs_op *op, uint64_t nodeid)
{
	struct fs_gate_request rq = op->rq;
	char name[256];

	if (!rq.name) {
		fs_node_name(op->m, nodeid, name);
		rq.name = name;
		rq.nodeid = nodeid;
	}
	return fs_gate_refuse(op->m->gate, &rq, fs_nodeid_journal(nodeid), -EPERM, RULE);
}

int fs_op_final_check(struct fs_op *op, struct fs_inode *i)
{
	return check(op, i) ? refuse_node(op, fs_inode_nodeid(i)) : 0;
}

int fs_op_final_refused(struct fs_op *op, uint64_t nodeid, int rc)
{
	return rc == -EPERM ? refuse_node(op, nodeid) : rc;
}

int fs_op_final_kept(struct fs_op *op, int rc)
{
	return rc == -EPERM ? refuse(op, RULE_NAME) : rc;
}

void fs_op_final_dropped(struct fs_op *op, uint64_t nodeid, bool mapped, int rc)
{
	if (rc == -EPERM && mapped)
		fs_notify_inode(op->m, nodeid, true, 0);
}

/* ---- read-only ---- */

static bool on_read_only(struct fs_vault *v)
{
	struct policy_practice *p = fs_vault_practice(v);
	bool on = p && policy_practice_settings(p)->finalize_on_read_only;

	policy_practice_put(p);
	return on;
}

/* Its writers of this mount beside `but`; none: forgets that it waits for them. */
static bool writers(struct fs_mount *m, uint64_t nodeid, bool but, bool *waits)
{
	struct fs_node *n;
	bool is = false;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	*waits = n && n->read_only;
	is = n && n->writers > (but ? 1u : 0u);
	if (n && !is)
		n->read_only = false;
	pthread_mutex_unlock(&m->lock);
	return is;
}

static bool has_no_w(struct fs_inode *i)
{
	bool none;

	pthread_rwlock_rdlock(&i->lock);
	none = S_ISREG(i->mode) && !(i->mode & 0222);
	pthread_rwlock_unlock(&i->lock);
	return none;
}

int fs_op_final_read_only(struct fs_op *op, struct fs_inode *i)
{
	uint64_t nodeid = fs_inode_nodeid(i);
	struct fs_node *n;
	bool waits;
	int rc;

	if (!on_read_only(op->m->serve->vault))
		return 0;
	pthread_mutex_lock(&op->m->lock);
	n = fs_node_find_locked(op->m, nodeid);
	if (n)
		n->read_only = true;
	pthread_mutex_unlock(&op->m->lock);
	if (writers(op->m, nodeid, false, &waits))
		return 0;
	rc = fs_op_note_finalize(op->m, i, FS_NOTE_READ_ONLY);
	/* Who may set the mode but not finalize has set the mode: his being refused the rest is
	 * logged. */
	return rc == -EIO || rc == -ENOSPC || rc == -EAGAIN ? rc : 0;
}

void fs_op_final_release(struct fs_mount *m, const struct fs_handle *h, uint64_t nodeid)
{
	struct fs_inode *i;
	bool waits = false;

	if (!h->writable || writers(m, nodeid, true, &waits) || !waits)
		return;
	i = fs_node_kept(m, nodeid);
	if (i && has_no_w(i) && on_read_only(m->serve->vault))
		(void)fs_op_note_finalize(m, i, FS_NOTE_READ_ONLY);
	fs_inode_put(i);
}
