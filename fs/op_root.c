/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_root.c - the mount's own directory, which lists the journals policy shows.
 *
 * Only journals live here: making a directory makes a journal, and nothing else
 * can be made. A hidden journal does not exist (ENOENT, logged); one that may be
 * listed but not entered shows as d--------- and answers EACCES below. Names that
 * do not exist are not logged: desktops probe for many. Everything here is cached
 * for a second at most, since policy changes it at any time.
 */
#include "op_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../keys/label.h"

#define DOTS 2 /* offsets 1 and 2 are "." and "..": a journal's is its cookie and DOTS more */
#define POLICY_OFF (DOTS + 1) /* journals' cookies leave room for it */

/* Whom the files under .policy are shown to. */
static bool is_steward(const struct fs_op *op)
{
	struct policy_verdict v = {.answer = POLICY_DENY};

	return !fs_vault_decide_vault(op->m->serve->vault, op->m->session, POLICY_POLICY, &v, NULL,
				      0) &&
	       v.answer == POLICY_ALLOW;
}

void fs_root_stat(const struct fs_op *op, struct stat *st)
{
	*st = (struct stat){
		.st_ino = FS_NODE_ROOT,
		.st_mode = S_IFDIR | 0700,
		.st_nlink = 2,
		.st_uid = op->m->session->uid,
		.st_gid = op->m->gid,
		.st_blksize = 4096,
	};
	st->st_mtim.tv_sec = (time_t)op->m->session->since_s;
	st->st_ctim = st->st_mtim;
	st->st_atim = st->st_mtim;
}

void fs_root_closed_stat(const struct fs_op *op, uint64_t nodeid, struct stat *st)
{
	fs_root_stat(op, st);
	st->st_ino = nodeid;
	st->st_mode = S_IFDIR;
}

/* The attributes of a journal's own directory, when the session may enter it. */
static int entered_stat(struct fs_op *op, uint32_t index, uint32_t rights, struct stat *st)
{
	struct fs_inode *i = NULL;
	struct fs_op inside = *op;
	struct fs_journal *j = NULL;
	int rc = fs_vault_journal(op->m->serve->vault, op->m->session, index, &j);

	if (rc)
		return rc;
	inside.pass.rights = rights;
	rc = fs_inode_get(j, FS_ROOT_INO, &i);
	if (!rc)
		fs_op_stat(&inside, i, st);
	fs_inode_put(i);
	fs_journal_put(j);
	return rc;
}

int fs_root_entry(struct fs_op *op, uint32_t index, struct fuse_entry_param *e)
{
	uint64_t nodeid = fs_nodeid(index, FS_ROOT_INO);
	struct policy_verdict v = {.answer = POLICY_DENY};
	char rule[POLICY_RECORD_TEXT] = "";
	char name[256];
	int rc = fs_vault_decide(op->m->serve->vault, op->m->session, index, 0, &v, rule,
				 sizeof(rule));

	if (rc)
		return rc;
	if (!v.visible)
		return fs_gate_refuse(op->m->gate, &op->rq, index, -ENOENT, rule);
	rc = fs_vault_journal_name(op->m->serve->vault, index, name);
	if (rc)
		return rc;
	*e = (struct fuse_entry_param){.ino = nodeid, .generation = 1};
	e->attr_timeout = FS_TIMEOUT_SHORT;
	e->entry_timeout = FS_TIMEOUT_SHORT;
	rc = v.rights & POLICY_LIST ? entered_stat(op, index, v.rights, &e->attr) : -EACCES;
	if (rc == -EACCES) {
		fs_root_closed_stat(op, nodeid, &e->attr);
		rc = 0;
	}
	return rc ? rc : fs_node_looked_up(op->m, nodeid, NULL, name);
}

static void reply_entry(struct fs_op *op, uint32_t index)
{
	struct fuse_entry_param e;
	int rc = fs_root_entry(op, index, &e);

	if (rc)
		fs_op_err(op, rc);
	else if (fuse_reply_entry(op->req, &e) != 0)
		fs_node_forget(op->m, e.ino, 1);
}

void fs_root_lookup(struct fs_op *op, const char *name)
{
	uint32_t index = 0;
	int rc;

	if (!strcmp(name, FS_GATE_POLICY_DIR)) {
		fs_op_policy_root(op);
		return;
	}
	rc = fs_vault_journal_by_name(op->m->serve->vault, name, &index);
	if (rc)
		fs_op_err(op, rc);
	else
		reply_entry(op, index);
}

/* Every other mount may show one journal more or less. */
static void journals_changed(struct fs_op *op)
{
	fs_serve_recheck(op->m->serve);
}

void fs_root_mkdir(struct fs_op *op, const char *name)
{
	uint32_t index = 0;
	int rc;

	/* .Trash-1000, .directory and the like are no patients. */
	if (name[0] == '.') {
		fs_op_err(op, -EPERM);
		return;
	}
	fs_serve_block_begin();
	rc = fs_vault_journal_make(op->m->serve->vault, op->m->session, name, &index);
	fs_serve_block_end();
	if (rc) {
		fs_op_err(op, rc);
		return;
	}
	journals_changed(op);
	reply_entry(op, index);
}

/* 0 when the session sees the journal `name`; -ENOENT, logged, when it is hidden from it. */
static int check_visible(struct fs_op *op, const char *name)
{
	struct policy_verdict v = {.answer = POLICY_DENY};
	char rule[POLICY_RECORD_TEXT] = "";
	uint32_t index = 0;
	int rc = fs_vault_journal_by_name(op->m->serve->vault, name, &index);

	if (!rc)
		rc = fs_vault_decide(op->m->serve->vault, op->m->session, index, 0, &v, rule,
				     sizeof(rule));
	if (!rc && !v.visible)
		rc = fs_gate_refuse(op->m->gate, &op->rq, index, -ENOENT, rule);
	return rc;
}

void fs_root_rmdir(struct fs_op *op, const char *name)
{
	int rc = strcmp(name, FS_GATE_POLICY_DIR) ? check_visible(op, name) : -EPERM;

	if (!rc) {
		fs_serve_block_begin();
		rc = fs_vault_journal_remove(op->m->serve->vault, op->m->session, name);
		fs_serve_block_end();
	}
	if (!rc)
		journals_changed(op);
	fs_op_err(op, rc);
}

void fs_root_rename(struct fs_op *op, const char *name, const char *newname, unsigned flags)
{
	int rc = flags & ~(unsigned)RENAME_NOREPLACE ? -EINVAL : 0;

	if (!rc)
		rc = strcmp(name, FS_GATE_POLICY_DIR) ? check_visible(op, name) : -EPERM;
	if (!rc && newname[0] == '.')
		rc = -EPERM;
	if (!rc) {
		fs_serve_block_begin();
		rc = fs_vault_journal_rename(op->m->serve->vault, op->m->session, name, newname);
		fs_serve_block_end();
	}
	if (!rc)
		journals_changed(op);
	fs_op_err(op, rc);
}

/* ---- listing ---- */

struct answer {
	struct fs_op *op;
	char *buf;
	size_t len, size;
	bool plus;
};

static int add(struct answer *a, const char *name, uint64_t nodeid, uint64_t off)
{
	struct fuse_entry_param e = {.ino = 0};
	size_t left = a->size - a->len, need;

	/* Without a nodeid the kernel takes the name alone and looks the journal up when asked. */
	e.attr.st_ino = nodeid;
	e.attr.st_mode = S_IFDIR;
	need = a->plus ? fuse_add_direntry_plus(a->op->req, a->buf + a->len, left, name, &e,
						(off_t)off)
		       : fuse_add_direntry(a->op->req, a->buf + a->len, left, name, &e.attr,
					   (off_t)off);
	if (need > left)
		return 1;
	a->len += need;
	return 0;
}

static int add_journal(void *ctx, uint32_t index, const char *name, uint64_t cookie)
{
	return add(ctx, name, fs_nodeid(index, FS_ROOT_INO), cookie + DOTS);
}

void fs_root_readdir(struct fs_op *op, size_t size, uint64_t off, bool plus)
{
	struct answer a = {.op = op, .buf = malloc(size), .size = size, .plus = plus};
	int rc = a.buf ? 0 : -ENOMEM;
	int full = 0;

	if (!rc && off < 1)
		full = add(&a, ".", FS_NODE_ROOT, 1);
	if (!rc && !full && off < 2)
		full = add(&a, "..", FS_NODE_ROOT, 2);
	if (!rc && !full && off < POLICY_OFF && is_steward(op))
		full = add(&a, FS_GATE_POLICY_DIR, FS_POLICY_TOP, POLICY_OFF);
	if (!rc && !full)
		rc = fs_vault_list(op->m->serve->vault, op->m->session, add_journal,
				   off <= POLICY_OFF ? 0 : off - DOTS, &a);
	if (rc < 0)
		fs_op_err(op, rc);
	else
		fuse_reply_buf(op->req, a.buf, a.len);
	if (a.buf)
		keys_wipe(a.buf, size);
	free(a.buf);
}
