/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_link.c - notes that lose their name: kept as what another was before, or as removed.
 *
 * Programs save by renaming a new file over the note, or by giving its name to a
 * new file a moment after it was moved away or removed. The new inode is the
 * heir: it gets `before`, the next version number, the author and the link to what it amends; the
 * old one stays, without a name if that was its last. All in the batch of the change of names.
 *
 * Invariants: (1) an inode that is another's past (FS_INODE_BEFORE), or has a past of its own,
 * becomes nobody's heir: chains have no loops and no forks downwards; a past that an heir made
 * itself a moment ago (a program that saved its new file twice) is dropped; (2) what has earlier
 * versions is never deleted by a change of names.
 *
 * Locks: all inodes concerned exclusively, by the caller.
 */
#include "history_link.h"

#include <errno.h>
#include <sys/stat.h>
#include "final.h"
#include "history_impl.h"
#include "inode_recent.h"

#define YOUNG_S 60 /* a file of at most this age was made to be saved */

static bool young(const struct fs_inode_attr *a, const struct fs_actor *who)
{
	int64_t age = who->now.tv_sec - a->btime.tv_sec;

	return age >= -YOUNG_S && age <= YOUNG_S;
}

/* 1: may take over a name's past; 0: no; or an error. */
static int may_inherit(struct fs_inode *heir, const struct fs_actor *who)
{
	int rc;

	if (!S_ISREG(heir->mode) || heir->before ||
	    heir->flags & (FS_INODE_FINAL | FS_INODE_SIGNED) || fs_inode_kept(&heir->attr))
		return 0;
	rc = fs_history_know(heir, &heir->history);
	if (rc)
		return rc;
	return !heir->history.last || young(&heir->attr, who);
}

/* The heir goes on where i stops. keep: i stays as what it was before. */
static int inherit(struct fs_batch *b, struct fs_inode *heir, struct fs_inode_attr *ha,
		   struct fs_inode *i, bool keep, const struct fs_actor *who)
{
	uint32_t last = fs_history_version_of(&i->attr);
	int rc = 0;

	if (heir->history.last)
		rc = fs_history_purge(b, heir->journal, heir->ino);
	/* Looked up again by whoever changes it next: the batch may fail yet. */
	heir->history = (struct fs_inode_history){.saving = false};
	if (rc)
		return rc;
	/* One that holds nothing is no version. */
	last -= i->size ? 0 : 1;
	ha->before = keep ? i->ino : 0;
	ha->before_version = keep ? last : 0;
	/* A file that was never kept, under a name that keeps nothing, goes on without numbers. */
	ha->version = keep || who->keeps || i->version ? last + 1 : 0;
	/* A save of one's own file; another's note stays his, whatever it is moved over. */
	if (heir->author == who->pid)
		ha->author = i->author;
	rc = fs_final_inherit(b, i, heir, ha);
	return rc == -EPERM ? 0 : rc;
}

/* i, whose state after is a, is a past now: all that it holds is an heir's. */
static void becomes_past(const struct fs_inode *i, struct fs_inode_attr *a)
{
	a->flags &= (uint16_t) ~(FS_INODE_REMOVED | FS_INODE_APART);
	a->flags |=
		i->flags & FS_INODE_BEFORE ? FS_INODE_BEFORE | FS_INODE_SHARED : FS_INODE_BEFORE;
}

/* Are there bytes, or versions, of i that are to stay? */
static bool keeps(const struct fs_inode *i, const struct fs_actor *who)
{
	return i->flags & FS_INODE_BEFORE || fs_history_any(i) ||
	       ((who->keeps || i->version) && i->size);
}

int fs_history_lose(struct fs_batch *b, struct fs_inode *i, struct fs_inode_attr *a,
		    const struct fs_actor *who, const struct fs_history_loss *loss, bool *kept)
{
	bool keep, apart = i->flags & FS_INODE_APART;
	bool linked = loss->heir && loss->heir->before == i->ino && !apart;
	int rc;

	*kept = false;
	if (!S_ISREG(i->mode) || i->gone)
		return 0;
	rc = fs_history_know(i, &i->history);
	if (rc)
		return rc;
	keep = keeps(i, who);
	i->history.saving = false;
	if (loss->heir && i->before == loss->heir->ino && !i->size && !i->history.last) {
		/* The save came to nothing, and the note gets its name again. */
		if (!(loss->heir->flags & FS_INODE_SHARED))
			loss->heir_a->flags &= (uint16_t) ~(FS_INODE_BEFORE | FS_INODE_APART);
		return 0;
	}
	if (loss->heir && !linked) {
		rc = may_inherit(loss->heir, who);
		if (rc < 0)
			return rc;
	}
	if (rc) {
		rc = inherit(b, loss->heir, loss->heir_a, i, keep, who);
		if (keep)
			becomes_past(i, a);
	} else if (keep && !a->nlink && !linked && (apart || !(i->flags & FS_INODE_BEFORE))) {
		if (!loss->path)
			return -EXFULL;
		a->flags |= FS_INODE_REMOVED;
		rc = fs_history_put_removed(b, i->journal, i->ino, loss->path, who);
	}
	*kept = keep && !a->nlink;
	return rc;
}

bool fs_history_aside(const char *name, const char *newname)
{
	return !strncmp(name, newname, strlen(name));
}

void fs_history_named(struct fs_inode_attr *a, const struct fs_actor *who, bool back, bool aside)
{
	bool from = back ? who->keeps : who->gives, to = back ? who->gives : who->keeps;
	bool whole = back ? who->whole_to : who->whole_from;
	bool whole_to = back ? who->whole_from : who->whole_to;
	/* A file that he who renames it has just made was made for the new name. */
	bool fresh = young(a, who) && a->author == who->pid && a->writer == who->pid;

	if (!S_ISREG(a->mode))
		return;
	/* A number says that it was a note. */
	if (from && !to && !a->version && (aside || !fresh))
		a->version = 1;
	if (whole && !whole_to && !fresh)
		a->flags |= FS_INODE_WHOLE;
}

void fs_history_moved(const struct fs_inode *dir, const char *name, const char *newname,
		      const struct fs_inode *i, const struct fs_inode_attr *was,
		      const struct fs_actor *who)
{
	bool backup = fs_history_aside(name, newname);
	bool inherited = i->before != was->before || i->version != was->version;

	if (backup || (!inherited && (was->before || !young(was, who))))
		fs_history_gave_up(dir, name, i, who);
}

void fs_history_gave_up(const struct fs_inode *dir, const char *name, const struct fs_inode *i,
			const struct fs_actor *who)
{
	if ((who->keeps || who->gives) && S_ISREG(i->mode) && !i->gone &&
	    (i->size || fs_history_any(i)))
		fs_inode_recent_add(dir, name, i->ino, who->pid, who->now.tv_sec);
}

struct fs_inode *fs_history_past(const struct fs_inode *dir, const char *name,
				 const struct fs_actor *who)
{
	struct fs_inode *i = NULL;
	uint64_t ino = 0;

	/* In an emergency nothing changes but what he makes: not what the name stood for either. */
	if (who->keeps && !who->own_s)
		ino = fs_inode_recent_find(dir, name, who->pid, who->now.tv_sec);
	if (!ino || fs_inode_get(dir->journal, ino, &i))
		return NULL;
	return i;
}

int fs_history_take(struct fs_batch *b, struct fs_inode *heir, struct fs_inode_attr *ha,
		    struct fs_inode *past, struct fs_inode_attr *pa, const struct fs_actor *who,
		    bool *took)
{
	int rc;

	*took = false;
	if (heir == past || past->gone || past->deleted || past->flags & FS_INODE_FINAL)
		return 0;
	rc = may_inherit(heir, who);
	if (rc <= 0)
		return rc;
	rc = fs_history_know(past, &past->history);
	if (!rc)
		rc = inherit(b, heir, ha, past, true, who);
	if (rc)
		return rc;
	*pa = past->attr;
	if (past->flags & FS_INODE_REMOVED)
		fs_history_del_removed(b, past->journal, past->ino);
	becomes_past(past, pa);
	past->history.saving = false;
	fs_inode_store_attr(b, past, pa);
	*took = true;
	return 0;
}
