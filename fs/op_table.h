/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_table.h - every FUSE operation, once: its arguments and what the gate is asked.
 *
 * FS_OPS is the only place where an operation can be added. From it come the
 * functions that libfuse calls (op_table.c: each asks the gate before anything
 * else), the declarations of the bodies (op_*.c), the operation table itself and
 * the test that proves the table complete. FS_OPS_EXEMPT names the operations
 * that pass no gate, with the reason.
 *
 * OP(name, (arguments), (their names), (request to the gate))
 */
#ifndef FS_OP_TABLE_H
#define FS_OP_TABLE_H

#include <fcntl.h>
#include <sys/file.h>
#include "mount_impl.h"

#define FS_OPS(OP)                                                                                 \
	OP(lookup, (fuse_ino_t parent, const char *name), (parent, name),                          \
	   (.nodeid = parent, .name = name, .rights = POLICY_LIST, .reveals = true,                \
	    .dir = fs_nodeid_ino(parent)))                                                         \
	OP(getattr, (fuse_ino_t ino, struct fuse_file_info *fi), (ino, fi),                        \
	   (.nodeid = ino, .rights = fs_op_inside(ino), .by_handle = fi != NULL))                  \
	OP(setattr, (fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi),    \
	   (ino, attr, to_set, fi),                                                                \
	   (.nodeid = ino, .rights = POLICY_WRITE, .by_handle = fi != NULL))       \
	OP(readlink, (fuse_ino_t ino), (ino), (.nodeid = ino, .rights = POLICY_READ))              \
	OP(mknod, (fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev),                  \
	   (parent, name, mode, rdev),                                                             \
	   (.nodeid = parent, .name = name, FS_OP_ENTRIES))                               \
	OP(mkdir, (fuse_ino_t parent, const char *name, mode_t mode), (parent, name, mode),        \
	   (.nodeid = parent, .name = name, FS_OP_ENTRIES))                               \
	OP(unlink, (fuse_ino_t parent, const char *name), (parent, name),                          \
	   (.nodeid = parent, .name = name, FS_OP_ENTRIES))                               \
	OP(rmdir, (fuse_ino_t parent, const char *name), (parent, name),                           \
	   (.nodeid = parent, .name = name, FS_OP_ENTRIES))                               \
	OP(symlink, (const char *target, fuse_ino_t parent, const char *name),                     \
	   (target, parent, name),                                                                 \
	   (.nodeid = parent, .name = name, FS_OP_ENTRIES))                               \
	OP(rename,                                                                                 \
	   (fuse_ino_t parent, const char *name, fuse_ino_t newparent, const char *newname,        \
	    unsigned flags),                                                                       \
	   (parent, name, newparent, newname, flags),                                              \
	   (.nodeid = parent, .nodeid2 = newparent, .name = name, .name2 = newname,                \
	    FS_OP_ENTRIES))                                                               \
	OP(link, (fuse_ino_t ino, fuse_ino_t newparent, const char *newname),                      \
	   (ino, newparent, newname),                                                              \
	   (.nodeid = newparent, .nodeid2 = ino, .name = newname, FS_OP_ENTRIES))         \
	OP(open, (fuse_ino_t ino, struct fuse_file_info *fi), (ino, fi),                           \
	   (.nodeid = ino, .rights = fs_op_open_rights(fi->flags), .activity = true))              \
	OP(read, (fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi),              \
	   (ino, size, off, fi),                                                                   \
	   (.nodeid = ino, .rights = POLICY_READ, .by_handle = true, .activity = true))            \
	OP(write,                                                                                  \
	   (fuse_ino_t ino, const char *buf, size_t size, off_t off, struct fuse_file_info *fi),   \
	   (ino, buf, size, off, fi),                                                              \
	   (.nodeid = ino, .rights = POLICY_WRITE, .by_handle = true, .drain = true,               \
	    .mapped = fi->writepage, .activity = !fi->writepage))                                                           \
	OP(flush, (fuse_ino_t ino, struct fuse_file_info *fi), (ino, fi),                          \
	   (.nodeid = ino, .by_handle = true, .drain = true, .closes = true,                       \
	    .lock_owner = fi->lock_owner))                                                         \
	OP(fsync, (fuse_ino_t ino, int datasync, struct fuse_file_info *fi), (ino, datasync, fi),  \
	   (.nodeid = ino, .by_handle = true, .drain = true))                                      \
	OP(opendir, (fuse_ino_t ino, struct fuse_file_info *fi), (ino, fi),                        \
	   (.nodeid = ino, .rights = POLICY_LIST, .reveals = true, .dir = fs_nodeid_ino(ino),      \
	    .activity = true))                                                                     \
	OP(readdir, (fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi),           \
	   (ino, size, off, fi),                                                                   \
	   (.nodeid = ino, .rights = POLICY_LIST, .by_handle = true, .reveals = true,              \
	    .dir = fs_nodeid_ino(ino)))                                                            \
	OP(readdirplus, (fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi),       \
	   (ino, size, off, fi),                                                                   \
	   (.nodeid = ino, .rights = POLICY_LIST, .by_handle = true, .reveals = true,              \
	    .dir = fs_nodeid_ino(ino)))                                                            \
	OP(fsyncdir, (fuse_ino_t ino, int datasync, struct fuse_file_info *fi),                    \
	   (ino, datasync, fi), (.nodeid = ino, .by_handle = true, .drain = true))                 \
	OP(statfs, (fuse_ino_t ino), (ino), (.nodeid = FS_NODE_ROOT))                              \
	OP(setxattr,                                                                               \
	   (fuse_ino_t ino, const char *name, const char *value, size_t size, int flags),          \
	   (ino, name, value, size, flags),                                                        \
	   (.nodeid = ino, .rights = fs_op_xattr_change_rights(ino, name)))                        \
	OP(getxattr, (fuse_ino_t ino, const char *name, size_t size), (ino, name, size),           \
	   (.nodeid = ino, .rights = fs_op_xattr_rights(name)))                                    \
	OP(listxattr, (fuse_ino_t ino, size_t size), (ino, size),                                  \
	   (.nodeid = ino, .rights = fs_op_inside(ino)))                                           \
	OP(removexattr, (fuse_ino_t ino, const char *name), (ino, name),                           \
	   (.nodeid = ino, .rights = fs_op_xattr_change_rights(ino, name)))                        \
	OP(access, (fuse_ino_t ino, int mask), (ino, mask), (.nodeid = ino))                       \
	OP(create,                                                                                 \
	   (fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi),          \
	   (parent, name, mode, fi),                                                               \
	   (.nodeid = parent, .name = name, FS_OP_ENTRIES, .activity = true))             \
	OP(ioctl,                                                                                  \
	   (fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi, unsigned flags,    \
	    const void *in, size_t in_len, size_t out_cap),                                        \
	   (ino, cmd, arg, fi, flags, in, in_len, out_cap),                                        \
	   (.nodeid = ino, .rights = fs_op_inside(ino), .by_handle = true))                        \
	OP(fallocate,                                                                              \
	   (fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi),            \
	   (ino, mode, off, len, fi),                                                              \
	   (.nodeid = ino, .rights = POLICY_WRITE, .by_handle = true, .activity = true))           \
	OP(copy_file_range,                                                                        \
	   (fuse_ino_t ino, off_t off, struct fuse_file_info *fi, fuse_ino_t ino_out,              \
	    off_t off_out, struct fuse_file_info *fi_out, size_t len, int flags),                  \
	   (ino, off, fi, ino_out, off_out, fi_out, len, flags),                                   \
	   (.nodeid = ino, .nodeid2 = ino_out, .rights = POLICY_READ | POLICY_WRITE,               \
	    .by_handle = true, .activity = true))                                                  \
	OP(lseek, (fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi),              \
	   (ino, off, whence, fi), (.nodeid = ino, .rights = POLICY_READ, .by_handle = true))      \
	OP(getlk, (fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock),                 \
	   (ino, fi, lock), (.nodeid = ino, .rights = fs_op_inside(ino), .by_handle = true))       \
	OP(setlk, (fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep),      \
	   (ino, fi, lock, sleep),                                                                 \
	   (.nodeid = ino, .rights = fs_op_lock_rights(lock->l_type), .by_handle = true,           \
	    .drain = lock->l_type == F_UNLCK))                                                     \
	OP(flock, (fuse_ino_t ino, struct fuse_file_info *fi, int how), (ino, fi, how),            \
	   (.nodeid = ino, .rights = how & LOCK_UN ? 0 : fs_op_inside(ino), .by_handle = true,     \
	    .drain = (how & LOCK_UN) != 0))

/* EXEMPT(name, reason) */
#define FS_OPS_EXEMPT(EXEMPT)                                                                      \
	EXEMPT(init, "negotiates with the kernel; names no file")                                  \
	EXEMPT(forget, "gives back a count, has no reply; must succeed when locked")               \
	EXEMPT(forget_multi, "the same for many")                                                  \
	EXEMPT(release, "the last close; comes without a caller and can't be refused")             \
	EXEMPT(releasedir, "the same for directories")

/* A change of what stands in a directory. */
#define FS_OP_ENTRIES .rights = POLICY_LIST | POLICY_WRITE, .entries = true

#define FS_OP_UNWRAP(...) __VA_ARGS__
#define FS_OP_DECLARE(name_, params, args, request)                                                \
	void fs_op_##name_(struct fs_op *op, FS_OP_UNWRAP params);
FS_OPS(FS_OP_DECLARE)

/* The same for what lies under .policy: op_policy.c and op_policy_file.c. */
#define FS_OP_DECLARE_POLICY(name_, params, args, request)                                         \
	void fs_op_policy_##name_(struct fs_op *op, FS_OP_UNWRAP params);
FS_OPS(FS_OP_DECLARE_POLICY)

/* Of a file under .policy: what was not saved yet is tried to be. */
void fs_op_policy_release(struct fs_mount *m, struct fs_handle *h);
/* `.policy` itself, for a session that the gate let look it up. */
void fs_op_policy_root(struct fs_op *op);

void fs_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#define FS_OP_ONE(...) +1
enum {
	FS_OP_COUNT = 0 FS_OPS(FS_OP_ONE),
	FS_OP_EXEMPT_COUNT = 0 FS_OPS_EXEMPT(FS_OP_ONE),
};

/* A journal's own directory may be looked at by whoever may list it; all below needs LIST. */
static inline uint32_t fs_op_inside(uint64_t nodeid)
{
	return fs_nodeid_ino(nodeid) == FS_ROOT_INO ? 0 : POLICY_LIST;
}
uint32_t fs_op_open_rights(int flags);
uint32_t fs_op_xattr_rights(const char *name);
/* A journal's access list is policy's: asking needs no right in the journal (op_acl.c). */
uint32_t fs_op_xattr_change_rights(uint64_t nodeid, const char *name);
uint32_t fs_op_lock_rights(int type);

#endif
