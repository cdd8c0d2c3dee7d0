/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_files_move.c - the files under `.policy`: creating, renaming, removing.
 *
 * Editors save by renaming: a new file over the old name, or the old one away and a
 * new one in its place. No name that they take away takes anything out of force, but
 * that of a part which is unlinked: there is no other way to take a part out.
 *
 * Lock: pf->lock; given up around saves.
 */
#include "policy_files_impl.h"

static bool is_dir(uint64_t ino)
{
	return ino >= FS_POLICY_TOP && ino <= FS_POLICY_JOURNALS;
}

/* A name that is looked at: what it stands for, and its node when it is there. */
struct place {
	uint64_t dir;
	const char *name;
	enum fs_pf_kind kind;
	struct fs_pf_node *node; /* pinned; NULL: none */
	bool there;		 /* shown in a listing now */
};

static int place_find(struct fs_policy_files *pf, const struct fs_policy_caller *by, uint64_t dir,
		      const char *name, struct place *p)
{
	uint64_t ino;
	int rc;

	memset(p, 0, sizeof(*p));
	p->dir = dir;
	p->name = name;
	if (!is_dir(dir))
		return -ENOTDIR;
	if (strlen(name) > FS_PF_NAME)
		return -ENAMETOOLONG;
	rc = dir == FS_POLICY_PARTS ? fs_pf_practice(pf) : 0;
	if (rc)
		return rc;
	p->kind = fs_pf_kind(pf, dir, name, &ino);
	if (p->kind == FS_PF_POLICY && ino)
		rc = fs_pf_node(pf, ino, &p->node);
	else if (p->kind == FS_PF_SCRATCH || p->kind == FS_PF_NONE)
		p->node = fs_pf_scratch(pf, dir, name);
	if (rc)
		return rc;
	if (p->node)
		p->node->pins++;
	p->there = p->kind == FS_PF_DIR ||
		   (p->node && (!p->node->policy || fs_pf_visible(pf, p->node, by->now_ns)));
	return 0;
}

/* The node that a policy's name stands for, made when it is a part that nobody has named yet. */
static int place_policy(struct fs_policy_files *pf, struct place *p)
{
	char part[FS_PF_NAME + 1];

	if (p->node)
		return 0;
	if (!fs_pf_part_name(p->name, part))
		return -ENOENT;
	p->node = fs_pf_part(pf, part, true);
	if (!p->node)
		return -ENOMEM;
	p->node->pins++;
	return 0;
}

static void place_put(struct fs_policy_files *pf, struct place *p)
{
	if (p->node)
		fs_pf_unpin(pf, p->node);
	p->node = NULL;
}

static int scratch_make(struct fs_policy_files *pf, struct place *p, mode_t mode)
{
	if (pf->files - pf->reports >= FS_PF_FILES)
		return -ENOSPC;
	p->node = fs_pf_make(pf, fs_pf_number(), p->dir, p->name, false);
	if (!p->node)
		return -ENOMEM;
	p->node->mode = mode & 07777;
	p->node->pins++;
	return 0;
}

int fs_policy_files_create(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t dir, const char *name, int flags, mode_t mode, uint64_t *ino,
			   struct fs_policy_outcome *out)
{
	struct place p;
	int rc;

	pthread_mutex_lock(&pf->lock);
	rc = place_find(pf, by, dir, name, &p);
	if (!rc && p.kind == FS_PF_DIR)
		rc = -EISDIR;
	else if (!rc && p.there && flags & O_EXCL)
		rc = -EEXIST;
	else if (!rc && p.kind == FS_PF_NONE)
		rc = fs_pf_refuse_name(pf, dir, name, out);
	else if (!rc && p.kind == FS_PF_POLICY)
		rc = place_policy(pf, &p);
	else if (!rc && !p.node)
		rc = scratch_make(pf, &p, mode);
	if (!rc)
		*ino = p.node->ino;
	/* A policy file that was there is opened, not made. */
	if (!rc && p.there)
		rc = 1;
	place_put(pf, &p);
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

/* ---- renaming ---- */

/* A scratch file over a policy's name: its text is saved. */
static int move_to_policy(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			  struct place *from, struct place *to, struct fs_policy_outcome *out)
{
	const struct fs_pf_bytes *b = &from->node->bytes;
	struct fs_pf_text *now = NULL;
	char *text = malloc(b->len + 1);
	size_t len = b->len;
	uint32_t base;
	int rc = text ? place_policy(pf, to) : -ENOMEM;

	if (!rc)
		rc = fs_pf_text(pf, to->node, &now);
	if (rc)
		goto out;
	base = fs_pf_base(pf, to->node, by, now);
	fs_pf_text_put(now);
	if (len)
		memcpy(text, b->p, len);
	pthread_mutex_unlock(&pf->lock);
	rc = fs_pf_save_text(pf, by, to->node, text, len, base, out);
	pthread_mutex_lock(&pf->lock);
	/* It may have been renamed meanwhile. */
	if (!rc && from->node->name && !strcmp(from->node->name, from->name))
		fs_pf_unname(pf, from->node);
out:
	if (text)
		keys_wipe(text, len);
	free(text);
	return rc;
}

/* A policy file to a scratch name: a copy stands there, the name is missing for a while. */
static int move_from_policy(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			    struct place *from, struct place *to)
{
	struct fs_pf_text *now = NULL;
	int rc = fs_pf_text(pf, from->node, &now);

	if (!rc && !now)
		rc = -ENOENT;
	if (!rc && to->node) {
		fs_pf_unname(pf, to->node);
		place_put(pf, to);
	}
	if (!rc)
		rc = scratch_make(pf, to, 0600);
	if (!rc)
		rc = fs_pf_bytes_set(pf, &to->node->bytes, now->p, now->len, true);
	if (rc && to->node && to->node->name)
		fs_pf_unname(pf, to->node);
	if (!rc) {
		to->node->mtime = from->node->mtime;
		from->node->hidden_until_ns = by->now_ns + FS_PF_HIDDEN_NS;
	}
	fs_pf_text_put(now);
	return rc;
}

static int move_scratch(struct fs_policy_files *pf, struct place *from, struct place *to)
{
	char *name = strdup(to->name);

	if (!name)
		return -ENOMEM;
	if (to->node == from->node) {
		free(name);
		return 0;
	}
	if (to->node)
		fs_pf_unname(pf, to->node);
	keys_wipe(from->node->name, strlen(from->node->name));
	free(from->node->name);
	from->node->name = name;
	from->node->dir = to->dir;
	return 0;
}

/* A part under another name: one version, so that what needs it never misses it. */
static int move_part(struct fs_policy_files *pf, const struct fs_policy_caller *by,
		     struct place *from, struct place *to, struct fs_policy_outcome *out)
{
	struct fs_pf_text *now = NULL;
	int rc = fs_pf_text(pf, from->node, &now);
	uint32_t base = fs_pf_base(pf, from->node, by, now);

	fs_pf_text_put(now);
	if (rc)
		return rc;
	pthread_mutex_unlock(&pf->lock);
	rc = fs_pf_rename_part(pf, by, from->node, to->name, base, out);
	pthread_mutex_lock(&pf->lock);
	return rc;
}

static int move(struct fs_policy_files *pf, const struct fs_policy_caller *by, struct place *from,
		struct place *to, struct fs_policy_outcome *out)
{
	if (from->kind == FS_PF_DIR || to->kind == FS_PF_DIR)
		return -EPERM;
	if (!from->there)
		return -ENOENT;
	if (to->kind == FS_PF_NONE)
		return fs_pf_refuse_name(pf, to->dir, to->name, out);
	if (!from->node->policy)
		return to->kind == FS_PF_POLICY ? move_to_policy(pf, by, from, to, out)
						: move_scratch(pf, from, to);
	if (to->kind != FS_PF_POLICY)
		return move_from_policy(pf, by, from, to);
	if (from->node == to->node)
		return 0;
	/* The practice's own text is no part, one journal's policy is never another's. */
	return from->dir == FS_POLICY_PARTS && to->dir == FS_POLICY_PARTS
		       ? move_part(pf, by, from, to, out)
		       : -EPERM;
}

int fs_policy_files_rename(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t dir, const char *name, uint64_t newdir, const char *newname,
			   unsigned flags, struct fs_policy_outcome *out)
{
	struct place from = {.node = NULL}, to = {.node = NULL};
	int rc;

	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	pthread_mutex_lock(&pf->lock);
	rc = place_find(pf, by, dir, name, &from);
	if (!rc)
		rc = place_find(pf, by, newdir, newname, &to);
	if (!rc && flags & RENAME_NOREPLACE && to.there)
		rc = -EEXIST;
	if (!rc)
		rc = move(pf, by, &from, &to, out);
	place_put(pf, &from);
	place_put(pf, &to);
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

/* ---- removing ---- */

int fs_policy_files_unlink(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t dir, const char *name, struct fs_policy_outcome *out)
{
	struct fs_pf_text *now = NULL;
	struct place p;
	uint32_t base = 0;
	int rc;

	pthread_mutex_lock(&pf->lock);
	rc = place_find(pf, by, dir, name, &p);
	if (!rc && p.kind == FS_PF_DIR)
		rc = -EISDIR;
	else if (!rc && !p.there)
		rc = -ENOENT;
	else if (!rc && !p.node->policy)
		fs_pf_unname(pf, p.node);
	else if (!rc && (p.dir != FS_POLICY_PARTS || !p.node->exists))
		p.node->hidden_until_ns = by->now_ns + FS_PF_HIDDEN_NS;
	else if (!rc) {
		rc = fs_pf_text(pf, p.node, &now);
		base = fs_pf_base(pf, p.node, by, now);
		fs_pf_text_put(now);
		pthread_mutex_unlock(&pf->lock);
		if (!rc)
			rc = fs_pf_save_text(pf, by, p.node, NULL, 0, base, out);
		pthread_mutex_lock(&pf->lock);
	}
	place_put(pf, &p);
	pthread_mutex_unlock(&pf->lock);
	return rc;
}
