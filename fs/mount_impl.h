/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mount_impl.h - inside the FUSE layer: a mount's nodes and handles, its
 * notifier, the worker pool's share of it. Only for mount*.c, serve.c and op_*.c.
 *
 * Locks, in order: fs_serve.lock (rw: table of mounts) -> fs_mount.lock (nodes,
 * handles, queue, states). fs_mount.lock is a leaf towards everything below: no
 * inode, vault or log call is made with it held. The kernel is never notified by
 * a thread that serves requests.
 */
#ifndef FS_MOUNT_IMPL_H
#define FS_MOUNT_IMPL_H

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include "content.h"
#include "gate.h"
#include "policy_files.h"
#include "locks.h"
#include "serve.h"

#define FS_TIMEOUT_LONG 3600.0 /* s: what only explicit invalidation changes */
#define FS_TIMEOUT_SHORT 1.0   /* s: the root's names; names where the kernel has no epochs */
#define FS_NAMES_CACHED 4096   /* inodes without handle that a mount keeps in memory */
#define FS_STALL_NS INT64_C(1000000000)
#define FS_SETTLE_NS INT64_C(1000000000) /* what a kernel was answered before that, it has digested */
#define FS_REPEATS 16			 /* threads whose last answer was ESTALE, per mount */
#define FS_SWEEP_NS (3 * FS_STALL_NS) /* for all calls of a sweep, however fast each is */
#define FS_CALLS 64u

/* ---- nodes: what the kernel knows by number ---- */
struct fs_node {
	struct fs_node *next; /* of the bucket */
	uint64_t nodeid;
	uint64_t nlookup;
	struct fs_inode *inode; /* reference, or NULL: got again when needed */
	char *name;		/* as last looked up, for the log; NULL after a lock */
	uint64_t saves;		/* what policy says of saves under that name; 0: to be asked (op_saves.c) */
	bool read_only;		/* its last writer's close locks it (op_final.c) */
	uint32_t handles, writers;
	uint32_t lost; /* handles under which a lock was taken away */
	uint32_t pins; /* requests and the notifier that hold the pointer */
	/* the invalidation queue: */
	struct fs_node *qnext;
	bool queued, sending;
	bool inval_data;
	uint64_t inval_off;
	uint64_t asked, sent; /* invalidations: how many were asked for, up to which they are sent */
	int64_t asked_ns;     /* boot time of the latest */
	/* Another mount took its name away, and this kernel can't be told: OPEN and GETATTR answer
	 * ESTALE once. */
	bool stale;
	bool let_go; /* lost a name through another mount: its inode is not kept for long */
};

/* ---- handles ---- */
struct fs_handle {
	atomic_uint refs;
	uint64_t fh; /* generation << 32 | slot */
	struct fs_node *node;
	int flags;
	bool dir, readable, writable;
	bool direct;
	pid_t opener; /* the thread that opened it, when it did */
	atomic_bool logged; /* its OPEN record is appended: READ and WRITE are covered */
	atomic_bool wrote;
	atomic_bool unsaved; /* changed something since the last completed save (op_saves.c) */
	atomic_bool unpacked; /* a save is complete, what it kept is packed at the last close */
	atomic_bool locked; /* a lock was asked for through it: RELEASE gives back */
	atomic_bool lost;   /* its mount lost locks on this file: -EIO until closed */
	atomic_ullong bytes_read, bytes_written;
};

struct fs_handle_slot {
	struct fs_handle *handle;
	uint32_t generation;
};

/* An invalidation: contents (data) from off on, or only attributes. */
struct fs_call {
	uint64_t nodeid, off;
	bool data;
	bool unknown; /* set by the sender: the kernel has no such inode */
};

enum fs_mount_phase {
	FS_MOUNT_LIVE,
	FS_MOUNT_CUT,  /* locked: nothing is admitted until the session is active again */
	FS_MOUNT_DEAD, /* ended, aborted or given up */
};

struct fs_mount {
	atomic_uint refs;
	struct fs_serve *serve;
	struct fs_session *session; /* reference */
	struct fs_gate *gate;
	struct fs_policy_files *policy; /* what lies under .policy */
	struct fuse_session *fuse;
	int fd;
	uint64_t init_unique; /* the first request, while its answer is to be amended; else 0 */
	uint64_t id; /* generation << 32 | slot in the table of mounts */
	gid_t gid;   /* the practitioner's, learned from the first request */
	atomic_bool gid_known;
	atomic_bool epochs; /* the kernel takes INC_EPOCH */

	pthread_mutex_t lock;
	pthread_cond_t idle;	/* inflight fell to 0 */
	pthread_cond_t work;	/* for the notifier */
	pthread_cond_t drained; /* the notifier has had something sent */
	enum fs_mount_phase phase;
	unsigned inflight; /* admitted requests */
	struct fs_node **bucket;
	size_t size, count;
	struct fs_handle_slot *slot;
	uint32_t slots, handles;
	uint32_t free_hint;
	uint64_t ring[FS_NAMES_CACHED]; /* nodeids that keep an inode, oldest first */
	unsigned ring_at;
	/* notifier */
	pthread_t notifier;
	bool notifier_runs, stop;
	struct fs_node *qhead, *qtail;
	struct fs_node *rhead; /* queued again: the kernel did not know them yet */
	int64_t retry_ns;      /* boot time when these are due */
	/* Names changed while a listing with attributes was under way: one more epoch, later. */
	bool epoch_again;
	unsigned listing;  /* such listings under way */
	int64_t listed_ns; /* boot time when the last one was answered */
	int64_t let_go_ns; /* boot time when the first node was marked so; 0: none is */
	pid_t repeat[FS_REPEATS];
	unsigned repeat_at;
	atomic_bool repeats; /* somebody is in repeat */
	bool sweep, sweep_done; /* invalidate everything: asked, done */
	bool recheck, rechecking;
	bool answer; /* requests for locks are done */
	bool forget; /* groups were dropped: all that this mount knows may be theirs */
	int64_t recheck_ns; /* boot time since when a recheck is awaited */
	struct fs_sender *sender; /* reference, from before the notifier starts */
	/* worker pool, under lock */
	unsigned busy, blocked;
	unsigned finalizing; /* of them, those that wait until this mount itself has handed over pages */
	bool armed;	/* the descriptor is in epoll, and nobody reads it */
	bool reader;	/* a worker reads it */
	unsigned spin_skip, spin_vain; /* the reader's: waits left out, to leave out */
	bool gone_told;
	/* One bit per journal number modulo its size, set while nodes of it may exist: who to tell.
	 */
	_Atomic uint64_t journals[16];

	struct fs_lock_share locks; /* its part of fs_serve.locks */

	atomic_ullong requests, refused;
};

/* mount.c */
struct fs_mount *fs_mount_ref(struct fs_mount *m);
void fs_mount_put(struct fs_mount *m);
/* False: answer -ENOKEY (locked) or -ENODEV (dead), in *rc. */
bool fs_mount_enter(struct fs_mount *m, int *rc);
void fs_mount_leave(struct fs_mount *m);

/* mount_device.c */
/*
 * The mount's requests on an open file of our own, whose flags the practitioner cannot change.
 * Takes over fd; where we may not open the device, fd itself serves. Negative errno on failure.
 */
int fs_device_own(int fd);
/* Makes m->fuse over m->fd, which it owns from then on. -ENOMEM, -EINVAL. */
int fs_device_open(struct fs_mount *m);

/* mount_nodes.c: all take m->lock themselves. */
int fs_nodes_init(struct fs_mount *m);
void fs_nodes_clear(struct fs_mount *m);
/* Counts one lookup (before the reply) and remembers inode (may be NULL) and name. 0, -ENOMEM. */
int fs_node_looked_up(struct fs_mount *m, uint64_t nodeid, struct fs_inode *inode,
		      const char *name);
void fs_node_forget(struct fs_mount *m, uint64_t nodeid, uint64_t nlookup);
/* A reference to the inode behind a nodeid the kernel knows; -ENOENT, or fs_inode_get's errors. */
int fs_node_inode(struct fs_mount *m, struct fs_journal *j, uint64_t nodeid, struct fs_inode **out);
/* The name it was last looked up by; "" when unknown. */
void fs_node_name(struct fs_mount *m, uint64_t nodeid, char out[static 256]);
void fs_node_rename(struct fs_mount *m, uint64_t nodeid, const char *name);
/* The inode behind a node, when the mount keeps it in memory: a reference, or NULL. */
struct fs_inode *fs_node_kept(struct fs_mount *m, uint64_t nodeid);
/* True once after another mount took the name away; but for an open, not while we have a handle on it.
 */
bool fs_node_stale(struct fs_mount *m, uint64_t nodeid, bool open);
/*
 * May this thread be answered ESTALE? The kernel then repeats the call once, so not twice in a row:
 * a program is never told. True remembers the thread until its call got another answer (settled).
 */
bool fs_node_repeat(struct fs_mount *m, pid_t tid);
void fs_node_settled(struct fs_mount *m, pid_t tid);
/* Inodes that lost a name through another mount, and that no handle here needs, are put. */
void fs_nodes_let_go(struct fs_mount *m);
/* Lets go of the inodes of one journal (0: of all); numbers, counts and handles stay. */
void fs_nodes_drop(struct fs_mount *m, uint32_t journal);
void fs_node_unpin(struct fs_mount *m, struct fs_node *n);
struct fs_node *fs_node_find_locked(const struct fs_mount *m, uint64_t nodeid);

struct fs_handle_request {
	uint64_t nodeid;
	int flags;
	bool dir;
	pid_t pid; /* of the thread that opens */
};
/* -ENOMEM, -EMFILE. The handle counts on its node until fs_handle_close. */
int fs_handle_open(struct fs_mount *m, const struct fs_handle_request *rq, uint64_t *fh);
/* A reference, checked against the node and kind that the request names; NULL: EBADF. */
struct fs_handle *fs_handle_get(struct fs_mount *m, uint64_t fh, uint64_t nodeid, bool dir);
void fs_handle_put(struct fs_handle *h);
/*
 * The locks of this mount on nodeid were taken away: handles that are open on it now answer -EIO
 * until they are closed. With m->lock.
 */
void fs_node_lose_locked(struct fs_mount *m, uint64_t nodeid);
/* True while such a handle is open: mapped pages may have been written under it. */
bool fs_node_lost(struct fs_mount *m, uint64_t nodeid);
/* Takes the handle out of the table; the caller gets its reference. */
struct fs_handle *fs_handle_close(struct fs_mount *m, uint64_t fh, uint64_t nodeid, bool dir);
/* After the last fs_handle_close reference is done with: unties it from its node. */
void fs_handle_free(struct fs_mount *m, struct fs_handle *h);

/* mount_send.c */
int fs_sender_new(int fd, uid_t uid, struct fs_sender **out);
/* One caller at a time, without locks. Returns when all are sent, or at the stop. At most FS_CALLS. */
void fs_sender_send(struct fs_sender *s, struct fs_call *calls, unsigned n);
/* Boot time since when it has been in one call; 0: it is in none. */
int64_t fs_sender_since_ns(struct fs_sender *s);
/* Sending returns at once from now on; waits a second at most, then leaves the thread behind. */
void fs_sender_stop(struct fs_sender *s);
void fs_sender_put(struct fs_sender *s);
/* This account keeps so many of those that were left behind that it gets no other. */
bool fs_sender_too_many(uid_t uid);

/* mount_notify.c */
int fs_notify_start(struct fs_mount *m);
void fs_notify_stop(struct fs_mount *m);
/* Queued; returns at once. data: contents from `off` on changed, else only attributes. */
void fs_notify_inode(struct fs_mount *m, uint64_t nodeid, bool data, uint64_t off);
/* Every inode the kernel knows: 0 when sent, -ETIMEDOUT after a second without progress. */
int fs_notify_all(struct fs_mount *m);
void fs_notify_recheck(struct fs_mount *m);
/* A recheck is due or under way and the notifier has been in one call for longer than it may. */
bool fs_notify_stalled(struct fs_mount *m);
/*
 * Names changed elsewhere: this kernel looks all of them up again, from now on. Takes no lock in the
 * kernel and waits for nobody, unlike all other notifications, so any thread may send it.
 */
void fs_notify_names(struct fs_mount *m, uint64_t gone);
/* Around a READDIRPLUS: the kernel dates the names in it by when it takes them, not by when it asked. */
void fs_notify_listing(struct fs_mount *m, bool begin);
/* Everything the kernel and this mount remember is forgotten, soon. */
void fs_notify_forget(struct fs_mount *m);
/* Waits, at most a second, until what was queued for this inode is sent. */
void fs_notify_drain(struct fs_mount *m, uint64_t nodeid);
/* The same until then at most (CLOCK_MONOTONIC), by a caller who has told the pool that he waits, or is no worker. */
void fs_notify_drain_until(struct fs_mount *m, uint64_t nodeid, const struct timespec *until);

/* Whether something is queued for this inode: the notifier will tell. */
bool fs_notify_pending(struct fs_mount *m, uint64_t nodeid);
/* Tells now what is queued for this inode. Only by the notifier. */
void fs_notify_now(struct fs_mount *m, uint64_t nodeid);

/* ---- what one mount tells the others (mount_share.c) ---- */
/* Contents (data, from off) or only attributes of nodeid changed through `from`. */
void fs_share_changed(struct fs_mount *from, uint64_t nodeid, bool data, uint64_t off);
/* Entries or attributes of a directory changed through `from`. */
void fs_share_dir(struct fs_mount *from, uint64_t nodeid);
/*
 * The inode `gone` lost or changed a name: on return no other mount's kernel goes by names it had cached.
 * New names need no telling: kernels keep no memory of names that do not exist.
 */
void fs_share_names(struct fs_mount *from, uint64_t gone);
/* True when another mount has nodeid open for writing. */
bool fs_share_written(struct fs_mount *from, uint64_t nodeid);

/* ---- the pool (serve.c) ---- */
struct fs_mount_slot {
	struct fs_mount *mount; /* one reference */
	uint32_t generation;
};

struct fs_serve {
	struct fs_vault *vault;
	int epoll, wake;
	pthread_rwlock_t lock; /* mounts */
	struct fs_mount_slot *slot;
	uint32_t slots;
	pthread_mutex_t pool_lock; /* threads, and on_gone */
	pthread_cond_t pool_done;
	unsigned threads, base, idle;
	atomic_uint blocked; /* workers that wait, of all mounts */
	atomic_uint finalizing;
	bool stop;
	void (*gone)(void *ctx, struct fs_session *s);
	void *gone_ctx;
	struct fs_locks *locks; /* of all mounts */
	_Atomic uint64_t *reaped; /* a bit per journal: orphans of the time before us are deleted */
};

int fs_serve_add(struct fs_serve *sv, struct fs_mount *m);
void fs_serve_del(struct fs_serve *sv, struct fs_mount *m);
/* Every mount but `but`, with a reference each; the caller puts and frees. */
size_t fs_serve_others(struct fs_serve *sv, struct fs_mount *but, uint32_t journal,
		       struct fs_mount ***out);
/* True for the first who asks in this journal since the daemon started. */
bool fs_serve_reap_first(struct fs_serve *sv, uint32_t journal);
/* Around anything that may wait: lets a spare worker run. Nests not. */
void fs_serve_block_begin(void);
void fs_serve_block_end(void);
/*
 * The same around making a note final, which waits for what this very mount hands over: such workers are none of its
 * share, so that somebody is there to take it. False: so many are at it that it is not to be begun.
 */
bool fs_serve_finalize_begin(void);
void fs_serve_finalize_end(void);

/* ---- one request (op_table.c) ---- */
struct fs_op {
	fuse_req_t req;
	struct fs_mount *m;
	struct fs_gate_request rq;
	struct fs_gate_pass pass;
};

/* op_table.c: the only struct fuse_lowlevel_ops. */
extern const struct fuse_lowlevel_ops fs_op_table;

/* Replies; each request is answered exactly once. rc is 0 or negative. */
void fs_op_err(struct fs_op *op, int rc);
/* errno that programs get for what happened inside. */
int fs_op_errno(int rc);
/* The actor for changes: signer of the pass, practitioner, now. */
struct fs_actor fs_op_actor(const struct fs_op *op);
/* Attributes as this viewer sees them. */
void fs_op_stat(const struct fs_op *op, struct fs_inode *i, struct stat *st);
/*
 * May the viewer do this (R_OK, W_OK, X_OK) by the mode bits that programs set, as the owner that he is
 * shown as? -EACCES. What policy allows has been decided before; no refusal of policy's is found here.
 */
int fs_op_permit(const struct fs_op *op, struct fs_inode *i, int may);
/* Type bits of the mode. */
mode_t fs_op_type(struct fs_inode *i);
/* The inode of a node or an errno. */
int fs_op_inode(struct fs_op *op, uint64_t nodeid, struct fs_inode **out);
/*
 * For OPEN and GETATTR, which the kernel repeats with a fresh lookup of the name on -ESTALE: what the
 * kernel holds may have lost its name to a rename or unlink a moment ago, here or in another mount.
 */
int fs_op_inode_fresh(struct fs_op *op, uint64_t nodeid, bool open, struct fs_inode **out);
/* Before a node's attributes, target or contents: a durable record covers it. */
int fs_op_cover(struct fs_op *op, uint64_t nodeid);
/* Counts the lookup, fills e and replies with it; `i` stays the caller's. */
void fs_op_reply_entry(struct fs_op *op, struct fs_inode *i, const char *name);
/* For how long a kernel may go by attributes: what is virtual changes without anybody telling it. */
double fs_op_timeout(uint64_t ino);
int fs_op_entry(struct fs_op *op, struct fs_inode *i, const char *name, struct fuse_entry_param *e);
/* Waits for room in the open group, with no lock held. */
void fs_op_throttle(struct fs_op *op);
int fs_op_act(struct fs_op *op, enum policy_record_kind kind, uint64_t nodeid, const char *name,
	      const char *name2, const char *detail);
/* Makes the whole vault durable: the log first. */
int fs_op_sync(struct fs_op *op, uint64_t group);

/* ---- locks (op_lock.c) ---- */
void fs_lock_join(struct fs_mount *m);
/* The mount has ended: its locks are gone, whoever waits is answered. */
void fs_lock_leave(struct fs_mount *m);
/* It was cut: whoever waits is answered -ENOKEY, its locks yield to who wants them. */
void fs_lock_offer(struct fs_mount *m);
/* By the notifier, when policy has changed: locks that need rights which this mount has not any more are taken away. */
void fs_lock_recheck(struct fs_mount *m);
/* Replies to requests that are done waiting; grants are given by the notifier only. */
void fs_lock_answer(struct fs_mount *m, bool notifier);
void fs_lock_tick(struct fs_mount *m, int64_t now_ns);
/* A descriptor of this owner was closed (FLUSH): its fcntl locks on the file end, always. */
void fs_lock_flushed(struct fs_mount *m, uint64_t nodeid, uint64_t owner);
/* The last one of the handle was (RELEASE). */
void fs_lock_released(struct fs_mount *m, const struct fs_handle *h);
/* -EIO when locks were lost under this handle, else 0. */
int fs_lock_check(struct fs_mount *m, uint64_t fh, uint64_t nodeid);

/* op_root.c: the mount's own directory, which lists journals. */
#define FS_NODE_ROOT UINT64_C(1)
void fs_root_stat(const struct fs_op *op, struct stat *st);
void fs_root_lookup(struct fs_op *op, const char *name);
/* A journal's directory as this session may see it; *i NULL when it may not enter. */
int fs_root_entry(struct fs_op *op, uint32_t index, struct fuse_entry_param *e);
void fs_root_mkdir(struct fs_op *op, const char *name);
void fs_root_rmdir(struct fs_op *op, const char *name);
void fs_root_rename(struct fs_op *op, const char *name, const char *newname, unsigned flags);
void fs_root_readdir(struct fs_op *op, size_t size, uint64_t off, bool plus);
/* Attributes of a journal's directory that may be listed but not entered: d---------. */
void fs_root_closed_stat(const struct fs_op *op, uint64_t nodeid, struct stat *st);

/* Does the caller call itself so? Of what is meant only, not of who may (op_acl.c). */
bool fs_op_program_is(const struct fs_op *op, const char *name);

/* ---- op_acl.c: the access list of a journal's own directory ---- */
/* Is it asked about? Then the next three answer. */
bool fs_op_acl_name(uint64_t nodeid, const char *name);
void fs_op_acl_get(struct fs_op *op, uint64_t nodeid, size_t size);
void fs_op_acl_set(struct fs_op *op, uint64_t nodeid, const char *value, size_t size);
void fs_op_acl_remove(struct fs_op *op, uint64_t nodeid);

#endif
