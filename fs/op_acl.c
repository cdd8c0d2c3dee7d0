/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_acl.c - getfacl and setfacl on a journal's own directory.
 *
 * What getfacl shows is the journal's policy (vault_acl.h); what setfacl changes is an
 * edit of it, for whom has the policy right. All other programs are answered as by a
 * file system without lists, both ways: cp -a, rsync -A and tar carry lists along
 * without anybody's having asked for a change of policy, and would take a journal's
 * to where it lets people into a copy. A program chooses its name, so this is about
 * what is meant, not about who may: that is decided on the session's rights alone.
 *
 * The owner, group and other entries are the directory's mode, and can't be changed
 * here; nor is there a default list.
 */
#include "op_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "vault_acl.h"

#define ACCESS "system.posix_acl_access"

bool fs_op_acl_name(uint64_t nodeid, const char *name)
{
	return fs_nodeid_journal(nodeid) && fs_nodeid_ino(nodeid) == FS_ROOT_INO &&
	       strcmp(name, ACCESS) == 0;
}

bool fs_op_program_is(const struct fs_op *op, const char *name)
{
	char comm[32];

	fs_program_name(op->rq.pid, comm, sizeof(comm));
	return strcmp(comm, name) == 0;
}

/* The mode's part of the list, as stat shows it. */
static int mode_of(struct fs_op *op, uint64_t nodeid, struct fs_acl *acl)
{
	struct fs_inode *i = NULL;
	struct stat st;
	int rc;

	fs_root_closed_stat(op, nodeid, &st);
	if (op->pass.journal) {
		rc = fs_op_inode(op, nodeid, &i);
		if (rc)
			return rc;
		fs_op_stat(op, i, &st);
		fs_inode_put(i);
	}
	acl->owner = st.st_mode >> 6 & 7;
	acl->group = st.st_mode >> 3 & 7;
	acl->other = st.st_mode & 7;
	return 0;
}

static int show(struct fs_op *op, uint64_t nodeid, uint8_t out[static FS_ACL_BYTES_MAX],
		size_t *len)
{
	struct fs_acl *acl = calloc(1, sizeof(*acl));
	int rc = acl ? mode_of(op, nodeid, acl) : -ENOMEM;

	if (!rc) {
		fs_serve_block_begin();
		rc = fs_vault_acl(op->m->serve->vault, fs_nodeid_journal(nodeid), acl);
		fs_serve_block_end();
	}
	/* A list without names is the mode. */
	if (!rc && !acl->count)
		rc = -ENODATA;
	if (!rc)
		rc = fs_acl_encode(acl, out, len);
	free(acl);
	return rc;
}

void fs_op_acl_get(struct fs_op *op, uint64_t nodeid, size_t size)
{
	uint8_t value[FS_ACL_BYTES_MAX];
	size_t len = 0;
	int rc = fs_op_program_is(op, "getfacl") || fs_op_program_is(op, "setfacl")
			 ? show(op, nodeid, value, &len)
			 : -EOPNOTSUPP;

	if (!rc && size && len > size)
		rc = -ERANGE;
	if (rc)
		fs_op_err(op, rc);
	else if (!size)
		fuse_reply_xattr(op->req, len);
	else
		fuse_reply_buf(op->req, (const char *)value, len);
}

/* May this session edit policy? -EPERM when not, durable in the log. */
static int check_right(struct fs_op *op, uint32_t index)
{
	struct policy_verdict v = {.answer = POLICY_DENY};
	char rule[POLICY_RECORD_TEXT] = "";
	int rc = fs_vault_decide_vault(op->m->serve->vault, op->m->session, POLICY_POLICY, &v, rule,
				       sizeof(rule));

	if (!rc && v.answer != POLICY_ALLOW)
		rc = fs_gate_refuse(op->m->gate, &op->rq, index, -EPERM, rule);
	return rc;
}

/* p NULL: the list without names. */
static int change(struct fs_op *op, uint64_t nodeid, const void *p, size_t len)
{
	uint32_t index = fs_nodeid_journal(nodeid);
	struct fs_acl *next = calloc(1, sizeof(*next)), mode = {.count = 0};
	int rc = next ? check_right(op, index) : -ENOMEM;

	if (!rc)
		rc = mode_of(op, nodeid, &mode);
	if (!rc && p && fs_acl_decode(p, len, next))
		rc = fs_gate_refuse(op->m->gate, &op->rq, index, -EINVAL,
				    "no valid list, or its mask takes from an entry");
	if (!rc && p &&
	    (next->owner != mode.owner || next->group != mode.group || next->other != mode.other))
		rc = fs_gate_refuse(op->m->gate, &op->rq, index, -EINVAL,
				    "the owner, group and other entries are not policy");
	if (!rc) {
		fs_serve_block_begin();
		rc = fs_vault_acl_put(op->m->serve->vault, op->m->session, index, next);
		fs_serve_block_end();
	}
	free(next);
	/* Between the check and the change the right may have gone: vault_acl_put told the log. */
	return rc == -EACCES ? -EPERM : rc;
}

void fs_op_acl_set(struct fs_op *op, uint64_t nodeid, const char *value, size_t size)
{
	fs_op_err(op, fs_op_program_is(op, "setfacl") ? change(op, nodeid, value, size) : -EOPNOTSUPP);
}

void fs_op_acl_remove(struct fs_op *op, uint64_t nodeid)
{
	fs_op_err(op, fs_op_program_is(op, "setfacl") ? change(op, nodeid, NULL, 0) : -EOPNOTSUPP);
}
