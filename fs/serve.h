/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/serve.h - serving mounts: the worker pool over all mounts, and what the
 * control side may do with a mount.
 *
 * One worker pool (epoll over all mounts' FUSE descriptors, about one thread per
 * core, spares while one blocks, a bound per mount so that no practitioner can
 * take all workers), one notifier thread per mount with a watchdog. Only this
 * layer and op_*.c know FUSE.
 */
#ifndef FS_SERVE_H
#define FS_SERVE_H

#include "vault.h"

struct fs_serve;
struct fs_mount;

int fs_serve_new(struct fs_vault *v, struct fs_serve **out);
/* All mounts must have ended. Stops the workers. */
void fs_serve_free(struct fs_serve *sv);

/* 0 when fd is a FUSE device; -EINVAL. Never waits, whatever file a client handed over. */
int fs_device_check(int fd);
/*
 * Takes over fd: a FUSE device (character 10:229, else -EINVAL) that the practitioner's fusermount3
 * mounted. It is cloned onto the daemon's own open of /dev/fuse where that is possible and the
 * original closed. One mount a session (-EBUSY); -EAGAIN while the account stalls others that ended.
 * On success requests are served and s->mount set.
 */
int fs_mount_attach(struct fs_serve *sv, struct fs_session *s, int fd, struct fs_mount **out);
/*
 * Between fs_vault_lock_begin and _finish: pushes dirty pages out, invalidates every inode of this
 * mount, waits for requests in flight (at most 1 s each, then gives up and aborts the mount: -ETIMEDOUT),
 * lets go of all inodes and journals. Node numbers, lookup counts and handles stay.
 */
int fs_mount_lock(struct fs_mount *m);
/* The same at the session's end, then detaches: every later request fails, the kernel gets ENODEV. */
void fs_mount_end(struct fs_mount *m);
/*
 * After a policy change or expiry: in every mount, journals whose rights shrank are cut within a
 * second: denied first, then invalidated by the notifiers. Returns at once.
 */
void fs_serve_recheck(struct fs_serve *sv);
/*
 * Tells of every live session whose mount has kept its notifier for a second while a recheck waits:
 * who stalls the own mount must not keep what policy took away. Called now and then.
 */
void fs_serve_watch(struct fs_serve *sv, void (*fn)(void *ctx, struct fs_session *s), void *ctx);
/*
 * Changes that were applied are lost (fs_vault_config.failed): every mount's kernel forgets names,
 * attributes and contents, and inodes are got anew. By the notifiers; returns at once.
 */
void fs_serve_forget(struct fs_serve *sv);
/*
 * Every mount that knows this node hands over what was written through mappings and drops its pages and attributes
 * of it: before a note becomes final, and after. Waits a second at most, for all together; a mount that its owner
 * stalls does not hold up others, and loses what it had not handed over. Hold no lock. Not by a worker, unless between
 * fs_serve_block_begin and _end. (mount_settle.c)
 */
void fs_serve_settle(struct fs_serve *sv, uint64_t nodeid);
/* The kernel ended the mount (unmounted or aborted): called once, from a worker, without locks. */
void fs_serve_on_gone(struct fs_serve *sv, void (*fn)(void *ctx, struct fs_session *s), void *ctx);

struct fs_mount_stat {
	uint64_t requests, refused;
	uint32_t nodes, handles;
};
void fs_mount_stat(struct fs_mount *m, struct fs_mount_stat *out);

/* A thread that opened files or directories which are still open; it may have ended since. */
struct fs_opener {
	pid_t tid;
	uint32_t files;
};
#define FS_OPENERS 64
/*
 * Who has what open in this session's mount: at most FS_OPENERS of them, the first met. Returns how
 * many; *files is all that is open, whoever opened it. Waits for nobody; 0 without a mount.
 */
size_t fs_session_openers(struct fs_session *s, struct fs_opener out[static FS_OPENERS],
			  uint32_t *files);

#endif
