/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_saves.c - what a save keeps, and when it is complete.
 *
 * Policy says by name what is kept of earlier versions and what becomes final by age; the answer is
 * remembered in the node, with the policy's version, until either changes. A save is complete when
 * the process that opened the note closes it after writing (programs that were handed the
 * descriptor close theirs without saving), at the latest with the last close. Owns nothing. Locks:
 * fs_mount.lock, briefly; none while versions are kept.
 */
#include "op_saves.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "history.h"
#include "notes.h"
#include "program.h"
#include "save_names.h"

/* Bits of fs_node.saves; the policy's version stands above. */
enum { KNOWN = 1, KEEPS = 2, DUE = 4, WHOLE = 8 };
#define VERSION_SHIFT 32

static uint64_t ask(struct fs_vault *v, const char *name)
{
	uint64_t saves = KNOWN | (uint64_t)fs_vault_policy_version(v) << VERSION_SHIFT;
	struct policy_practice *p = fs_vault_practice(v);
	struct policy_keep keep = {.record = true};

	if (p)
		policy_practice_keep(p, name, &keep);
	if (!keep.none && !fs_save_names_temporary(name))
		saves |= KEEPS;
	if (keep.record && saves & KEEPS)
		saves |= WHOLE;
	if (keep.record && p && policy_practice_settings(p)->finalize_after_s &&
	    !fs_save_names_temporary(name))
		saves |= DUE;
	policy_practice_put(p);
	return saves;
}

static void fill(struct fs_vault *v, uint64_t saves, struct fs_actor *who)
{
	who->keeps = (saves & KEEPS) != 0;
	who->whole_due_s = fs_vault_note_due_s(v);
	who->due_s = saves & DUE ? who->whole_due_s : 0;
}

void fs_op_saves_name(const struct fs_mount *m, const char *name, struct fs_actor *who)
{
	struct fs_vault *v = m->serve->vault;

	fill(v, ask(v, name), who);
	/* A backup may be removed at any age: what it held is kept. */
	if (fs_save_names_temporary(name))
		who->whole_due_s = 0;
}

/*
 * What is replaced decides what is kept. What is due may neither be moved nor replaced: where only
 * one of the names is record content, the other file is held to it too.
 */
void fs_op_saves_rename(const struct fs_mount *m, const char *name, const char *newname,
			struct fs_actor *who)
{
	struct fs_vault *v = m->serve->vault;
	uint64_t from = ask(v, name), to = ask(v, newname);

	fill(v, to | (from & DUE), who);
	who->gives = (from & KEEPS) != 0;
	if (fs_save_names_temporary(name) || fs_save_names_temporary(newname))
		who->whole_due_s = 0;
	who->whole_from = (from & WHOLE) != 0;
	who->whole_to = (to & WHOLE) != 0;
}

void fs_op_saves_node(struct fs_mount *m, uint64_t nodeid, struct fs_actor *who)
{
	struct fs_vault *v = m->serve->vault;
	uint32_t version = fs_vault_policy_version(v);
	const struct fs_node *known;
	struct fs_node *n;
	uint64_t saves;
	char name[256];

	pthread_mutex_lock(&m->lock);
	known = fs_node_find_locked(m, nodeid);
	saves = known ? known->saves : 0;
	pthread_mutex_unlock(&m->lock);
	if (!saves || saves >> VERSION_SHIFT != version) {
		fs_node_name(m, nodeid, name);
		saves = ask(v, name);
		pthread_mutex_lock(&m->lock);
		n = fs_node_find_locked(m, nodeid);
		/* Not when it got another name meanwhile. */
		if (n && n->name && !strcmp(n->name, name))
			n->saves = saves;
		pthread_mutex_unlock(&m->lock);
	}
	fill(v, saves, who);
}

struct fs_actor fs_op_actor_of(struct fs_op *op, uint64_t nodeid)
{
	struct fs_actor who = fs_op_actor(op);

	fs_op_saves_node(op->m, nodeid, &who);
	return who;
}

/* Of files that are no record content policy may keep a few versions only. */
static void prune(struct fs_mount *m, struct fs_inode *i, struct fs_actor *who)
{
	struct policy_practice *p = fs_vault_practice(m->serve->vault);
	struct policy_keep keep = {.record = true};
	char name[256];

	fs_node_name(m, fs_inode_nodeid(i), name);
	if (p && name[0])
		policy_practice_keep(p, name, &keep);
	policy_practice_put(p);
	if (keep.record || keep.none || (!keep.count && !keep.span_s))
		return;
	/* What could not be dropped now is dropped after the next save. */
	(void)fs_history_prune(i, keep.count, keep.span_s ? who->now.tv_sec - keep.span_s : 0, who);
}

/* pack: the save is known to be complete, what it kept is to be packed. */
static int complete(struct fs_mount *m, struct fs_inode *i, bool pack)
{
	struct fs_actor who = {.pid = m->session->pid};
	int rc;

	who.signer = fs_session_signer(m->session);
	if (!who.signer)
		return -ENOKEY;
	clock_gettime(CLOCK_REALTIME, &who.now);
	fs_op_saves_node(m, fs_inode_nodeid(i), &who);
	rc = pack ? fs_history_pack(i, &who) : fs_history_saved(i, &who);
	if (!rc && who.keeps)
		prune(m, i, &who);
	fs_signer_put(who.signer);
	return rc;
}

void fs_op_saves_done(struct fs_mount *m, struct fs_inode *i)
{
	(void)complete(m, i, false);
}

/* close(2) waits for this: packing is left to the last close, for which nobody waits. */
void fs_op_saves_flush(struct fs_op *op, struct fs_handle *h, uint64_t nodeid)
{
	struct fs_inode *i;

	if (!atomic_load(&h->unsaved))
		return;
	if (op->rq.pid != h->opener &&
	    fs_program_process(op->rq.pid) != fs_program_process(h->opener))
		return;
	i = fs_node_kept(op->m, nodeid);
	if (!i)
		return;
	atomic_store(&h->unsaved, false);
	atomic_store(&h->unpacked, true);
	fs_history_closed(i);
	fs_inode_put(i);
}

void fs_op_saves_release(struct fs_mount *m, struct fs_handle *h, uint64_t nodeid)
{
	bool unsaved = atomic_exchange(&h->unsaved, false);
	struct fs_inode *i;

	if (!atomic_exchange(&h->unpacked, false) && !unsaved)
		return;
	i = fs_node_kept(m, nodeid);
	if (i)
		(void)complete(m, i, !unsaved);
	fs_inode_put(i);
}
