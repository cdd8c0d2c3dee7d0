/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_below.c - the notes below a directory that are not final.
 *
 * For who finalizes a directory: what is there, and which files are left out because nobody
 * would call them a note - those that the policy's `history` lines except from record content, and
 * what editors leave while they save. Directories wait in a list, not on the stack; entries are
 * counted, so that a request ends.
 *
 * Invariants: the record of the listing is durable before the first name leaves.
 *
 * Locks: none of its own; fn is called without any.
 */
#include <string.h>
#include <sys/stat.h>

#include "notes_below.h"
#include "save_names.h"
#include "vault_impl.h"

/* A directory that is still to be walked. */
struct waiting {
	struct waiting *next;
	struct fs_inode *dir;
	unsigned depth;
	char path[]; /* "" or with a slash at its end */
};

struct walk {
	struct policy_practice *practice;
	int (*fn)(void *ctx, const struct fs_note_below *note);
	void *ctx;
	struct waiting *first, **last;
	struct waiting *now;
	unsigned seen;
	int rc;
};

static int keep(struct walk *w, struct fs_inode *dir, const char *path, unsigned depth)
{
	size_t len = strlen(path);
	struct waiting *one = calloc(1, sizeof(*one) + len + 2);

	if (!one)
		return -ENOMEM;
	memcpy(one->path, path, len);
	if (len)
		one->path[len] = '/';
	one->dir = fs_inode_ref(dir);
	one->depth = depth;
	*w->last = one;
	w->last = &one->next;
	return 0;
}

static void drop(struct waiting *one)
{
	fs_inode_put(one->dir);
	free(one);
}

/* NULL for a note. */
static const char *left_out(const struct walk *w, const char *name)
{
	struct policy_keep how = {.record = true};

	if (fs_save_names_temporary(name))
		return "an editor's temporary file";
	policy_practice_keep(w->practice, name, &how);
	return how.record ? NULL : "the policy does not count files with this name as notes";
}

static int give(struct walk *w, struct fs_inode *i, const char *name, const char *path)
{
	struct fs_note_below note = {.path = path};
	bool final;

	pthread_rwlock_rdlock(&i->lock);
	final = i->flags & FS_INODE_FINAL;
	pthread_rwlock_unlock(&i->lock);
	if (final)
		return 0;
	note.without = left_out(w, name);
	return w->fn(w->ctx, &note);
}

static int take(struct walk *w, const struct fs_tree_entry *e)
{
	struct fs_note_below far = {.cannot = "it lies too deep, or its path is too long"};
	char path[KEYS_NOTE_PATH_MAX + 1];
	struct fs_inode *i = NULL;
	int len, rc;

	if (++w->seen > FS_NOTES_BELOW_MAX)
		return -E2BIG;
	if (!S_ISREG(e->mode) && !S_ISDIR(e->mode))
		return 0;
	len = snprintf(path, sizeof(path), "%s%s", w->now->path, e->name);
	if (len >= (int)sizeof(path) || (S_ISDIR(e->mode) && w->now->depth >= FS_FINAL_DEPTH)) {
		far.path = path;
		return w->fn(w->ctx, &far);
	}
	rc = fs_inode_get(w->now->dir->journal, e->ino, &i);
	if (rc)
		return rc == -ENOENT ? 0 : rc; /* removed meanwhile */
	if (S_ISREG(e->mode))
		rc = give(w, i, e->name, path);
	else
		rc = keep(w, i, path, w->now->depth + 1);
	fs_inode_put(i);
	return rc;
}

static int take_entry(void *ctx, const struct fs_tree_entry *e)
{
	struct walk *w = ctx;

	w->rc = take(w, e);
	return w->rc ? 1 : 0;
}

static int walk(struct walk *w, struct fs_inode *dir, const char *path)
{
	int rc;

	w->last = &w->first;
	rc = keep(w, dir, path, 0);
	while ((w->now = w->first)) {
		w->first = w->now->next;
		if (!w->first)
			w->last = &w->first;
		if (!rc)
			rc = fs_tree_list(w->now->dir, 0, take_entry, w);
		if (!rc)
			rc = w->rc;
		drop(w->now);
	}
	return rc;
}

/* ---- who may ---- */

static int refuse(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
		  uint32_t index, int rc, const char *rule, struct fs_say *say)
{
	int rc2 = fs_vault_tell(v, s, POLICY_RECORD_REFUSED, index, at->journal,
				"looking for notes to finalize below \"%.255s\": %s", at->path, rule);

	if (rc2)
		return rc2;
	if (rc == -ENOENT)
		fs_say(say, "there is no such journal, or it is not shown to you");
	else
		fs_say(say, "you may not list and read this journal: %s", rule);
	return rc;
}

static int may(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
	       uint32_t *index, struct fs_say *say)
{
	char rule[POLICY_RECORD_TEXT] = "";
	struct policy_verdict verdict;
	int rc = 0;

	*index = at->index;
	if (at->journal)
		rc = fs_vault_journal_by_name(v, at->journal, index);
	if (rc == -ENOENT)
		return refuse(v, s, at, 0, -ENOENT, "there is no journal of that name", say);
	if (!rc)
		rc = fs_vault_decide(v, s, *index, POLICY_LIST | POLICY_READ, &verdict, rule,
				     sizeof(rule));
	if (rc)
		return rc;
	if (verdict.answer == POLICY_ALLOW)
		return 0;
	return refuse(v, s, at, *index, verdict.visible ? -EACCES : -ENOENT, rule, say);
}

static int root_or_below(struct fs_journal *j, const char *path, struct fs_inode **out)
{
	struct fs_inode *i = NULL;
	int rc = *path ? fs_final_lookup(j, path, &i) : fs_inode_get(j, FS_ROOT_INO, &i);
	bool dir;

	if (rc)
		return rc;
	pthread_rwlock_rdlock(&i->lock);
	dir = S_ISDIR(i->mode);
	pthread_rwlock_unlock(&i->lock);
	if (dir)
		*out = i;
	else
		fs_inode_put(i);
	return dir ? 0 : -ENOTDIR;
}

int fs_vault_notes_below(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			 int (*fn)(void *ctx, const struct fs_note_below *note), void *ctx,
			 struct fs_say *say)
{
	struct walk w = {.fn = fn, .ctx = ctx};
	struct fs_journal *j = NULL;
	struct fs_inode *dir = NULL;
	uint32_t index;
	int rc = may(v, s, at, &index, say);

	if (!rc)
		rc = fs_vault_journal(v, s, index, &j);
	if (!rc)
		rc = root_or_below(j, at->path, &dir);
	if (!rc)
		w.practice = fs_vault_practice(v);
	if (!rc && !w.practice)
		rc = -ENOKEY;
	if (!rc)
		rc = fs_vault_tell(v, s, POLICY_RECORD_LIST, index, at->journal,
				   "which notes below \"%.255s\" are not final", at->path);
	if (!rc)
		rc = walk(&w, dir, at->path);
	if (rc == -E2BIG && w.seen > FS_NOTES_BELOW_MAX)
		fs_say(say, "there are more than %u files below it: name a smaller directory",
		       FS_NOTES_BELOW_MAX);
	policy_practice_put(w.practice);
	fs_inode_put(dir);
	fs_journal_put(j);
	return rc;
}
