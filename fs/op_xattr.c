/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_xattr.c - extended attributes: user.* is stored, everything else is refused.
 *
 * getxattr is never ENOSYS, or the kernel would stop asking. POSIX ACLs are
 * answered as by a file system without them: who may do what is policy's, which
 * shows as one on a journal's own directory (op_acl.c). Those below user.journalfs. are computed
 * (op_note.c), and none is stored under such a name.
 */
#include "op_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../keys/label.h"
#include "op_final.h"
#include "op_note.h"
#include "op_saves.h"
#include "xattr.h"

#define VALUE_MAX 65536u

static bool is_user(const char *name)
{
	return strncmp(name, "user.", 5) == 0 && name[5];
}

uint32_t fs_op_xattr_rights(const char *name)
{
	return is_user(name) ? POLICY_READ : 0;
}

uint32_t fs_op_xattr_change_rights(uint64_t nodeid, const char *name)
{
	return fs_op_acl_name(nodeid, name) ? 0 : POLICY_WRITE;
}

/* Values and their names are contents: those of a journal's own directory too want a record. */
static int cover(struct fs_op *op, uint64_t nodeid)
{
	char name[256];

	fs_node_name(op->m, nodeid, name);
	return fs_gate_cover(op->m->gate, &op->rq, fs_nodeid_ino(nodeid), name);
}

/* An answer of at most `size` bytes, or the length alone when size is 0. */
static void reply_value(struct fs_op *op, const void *value, size_t len, size_t size)
{
	if (!size)
		fuse_reply_xattr(op->req, len);
	else if (len > size)
		fs_op_err(op, -ERANGE);
	else
		fuse_reply_buf(op->req, value, len);
}

/* The stored value, or ours. */
static int value_get(struct fs_op *op, struct fs_inode *i, const char *name, char *value,
		     size_t cap, size_t *len)
{
	char ours[FS_OP_NOTE_VALUE + 1];
	int rc;

	if (!fs_op_note_name(name))
		return fs_xattr_get(i, name, value, cap, len);
	rc = fs_op_note_get(op, i, name, ours, len);
	if (!rc && cap && *len > cap)
		rc = -ERANGE;
	else if (!rc && cap)
		memcpy(value, ours, *len);
	keys_wipe(ours, sizeof(ours));
	return rc;
}

void fs_op_getxattr(struct fs_op *op, fuse_ino_t ino, const char *name, size_t size)
{
	size_t cap = size > VALUE_MAX ? VALUE_MAX : size, len = 0;
	struct fs_inode *i = NULL;
	char *value = NULL;
	int rc = 0;

	if (fs_op_acl_name(ino, name)) {
		fs_op_acl_get(op, ino, size);
		return;
	}
	if (!is_user(name))
		rc = strncmp(name, "security.", 9) == 0 ? -ENODATA : -EOPNOTSUPP;
	else if (ino == FS_NODE_ROOT)
		rc = -ENODATA;
	if (!rc)
		rc = fs_op_inode(op, ino, &i);
	if (!rc)
		rc = fs_op_permit(op, i, R_OK);
	if (!rc)
		rc = fs_op_cover(op, ino);
	if (!rc && cap) {
		value = malloc(cap);
		rc = value ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = value_get(op, i, name, value, cap, &len);
	if (!rc)
		rc = cover(op, ino);
	if (rc)
		fs_op_err(op, rc);
	else
		reply_value(op, value, len, size);
	if (value)
		keys_wipe(value, cap);
	free(value);
	fs_inode_put(i);
}

/* Stored under one of our names before they were ours: not shown, or copies would carry it along. */
static size_t without_ours(char *names, size_t len)
{
	size_t to = 0;

	for (size_t at = 0; at < len;) {
		size_t n = strnlen(names + at, len - at) + 1;

		if (n > len - at)
			break;
		if (!fs_op_note_name(names + at)) {
			memmove(names + to, names + at, n);
			to += n;
		}
		at += n;
	}
	return to;
}

void fs_op_listxattr(struct fs_op *op, fuse_ino_t ino, size_t size)
{
	size_t cap = size > VALUE_MAX ? VALUE_MAX : size, len = 0;
	struct fs_inode *i = NULL;
	char *names = NULL;
	int rc;

	if (ino == FS_NODE_ROOT || !op->pass.journal) {
		reply_value(op, "", 0, size);
		return;
	}
	rc = fs_op_inode(op, ino, &i);
	if (!rc)
		rc = fs_op_cover(op, ino);
	if (!rc && cap) {
		names = malloc(cap);
		rc = names ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = fs_xattr_list(i, names, cap, &len);
	/* Who asks for the length alone may be told more than there is. */
	if (!rc && names)
		len = without_ours(names, len);
	if (!rc)
		rc = fs_op_note_list(op, i, names, cap, &len);
	/* Desktops and ls ask of every journal: where there is nothing, nothing is told. */
	if (!rc && len)
		rc = cover(op, ino);
	if (rc)
		fs_op_err(op, rc);
	else
		reply_value(op, names, len, size);
	if (names)
		keys_wipe(names, cap);
	free(names);
	fs_inode_put(i);
}

/* What setting and removing share: the inode to change, the record of it. */
static int change_begin(struct fs_op *op, uint64_t nodeid, const char *name, struct fs_inode **i)
{
	char note[256];
	int rc;

	if (nodeid == FS_NODE_ROOT)
		return -EPERM;
	if (!is_user(name))
		return -EOPNOTSUPP;
	fs_op_throttle(op);
	rc = fs_op_inode(op, nodeid, i);
	/* A note that its own mode makes read-only can still be locked. */
	if (!rc && !fs_op_note_name(name))
		rc = fs_op_permit(op, *i, W_OK);
	if (!rc)
		rc = fs_op_cover(op, nodeid);
	if (!rc)
		rc = fs_op_final_check(op, *i);
	if (rc)
		return rc;
	fs_node_name(op->m, nodeid, note);
	return fs_op_act(op, POLICY_RECORD_ATTRIBUTE, nodeid, note, NULL, name);
}

void fs_op_setxattr(struct fs_op *op, fuse_ino_t ino, const char *name, const char *value,
		    size_t size, int flags)
{
	struct fs_actor who = fs_op_actor_of(op, ino);
	struct fs_inode *i = NULL;
	int rc;

	if (fs_op_acl_name(ino, name)) {
		fs_op_acl_set(op, ino, value, size);
		return;
	}
	rc = change_begin(op, ino, name, &i);
	if (!rc && fs_op_note_name(name)) {
		fs_op_err(op, fs_op_note_set(op, i, name, value, size));
		fs_inode_put(i);
		return;
	}
	if (!rc)
		rc = fs_op_final_refused(op, ino,
					 fs_xattr_set(i, name, value, size, flags, &who));
	if (!rc)
		fs_share_changed(op->m, ino, false, 0);
	fs_op_err(op, rc);
	fs_inode_put(i);
}

void fs_op_removexattr(struct fs_op *op, fuse_ino_t ino, const char *name)
{
	struct fs_actor who = fs_op_actor_of(op, ino);
	struct fs_inode *i = NULL;
	int rc;

	if (fs_op_acl_name(ino, name)) {
		fs_op_acl_remove(op, ino);
		return;
	}
	rc = change_begin(op, ino, name, &i);
	if (!rc)
		rc = fs_op_note_name(name)
			     ? -EPERM
			     : fs_op_final_refused(op, ino, fs_xattr_remove(i, name, &who));
	if (!rc)
		fs_share_changed(op->m, ino, false, 0);
	fs_op_err(op, rc);
	fs_inode_put(i);
}
