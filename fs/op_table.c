/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_table.c - the way of every request: in flight, gate, body, reply, out.
 *
 * The functions that libfuse calls are made from FS_OPS alone, so none can miss
 * the gate. A body runs only when the gate has let it pass and answers exactly
 * once; a refusal is answered here. What several bodies need of a request (its
 * inode, its actor, the viewer's attributes) is here too.
 */
#include "op_table.h"

#include "op_final.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "history_tree.h"

int fs_op_errno(int rc)
{
	/* Damaged, forged, or not ours to read: the alarm has said which; programs get EIO. */
	if (rc == -EBADMSG)
		return EIO;
	return rc == -EMFILE ? ENFILE : -rc; /* ours are used up, not the program's */
}

void fs_op_err(struct fs_op *op, int rc)
{
	fuse_reply_err(op->req, fs_op_errno(rc));
}

/*
 * Unlinked files that an earlier daemon left behind go before the first change in a journal. Those
 * of this one come later, so none that is parked is ever taken for one.
 */
static void reap(struct fs_op *op)
{
	if (op->pass.signer && op->pass.journal &&
	    fs_serve_reap_first(op->m->serve, fs_journal_index(op->pass.journal)))
		(void)fs_inode_reap(op->pass.journal, op->pass.signer);
}

static bool enter(struct fs_op *op, fuse_req_t req, const struct fs_gate_request *rq)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fs_mount *m = fuse_req_userdata(req);
	int rc = -EIO;

	op->req = req;
	op->m = m;
	op->rq = *rq;
	op->rq.uid = ctx->uid;
	op->rq.pid = ctx->pid;
	if (!atomic_load(&m->gid_known) && ctx->uid == m->session->uid) {
		m->gid = ctx->gid;
		atomic_store(&m->gid_known, true);
	}
	if (rq->closes)
		fs_lock_flushed(m, rq->nodeid, rq->lock_owner);
	if (!fs_mount_enter(m, &rc)) {
		fs_op_err(op, rc);
		return false;
	}
	rc = fs_gate_begin(m->gate, &op->rq, &op->pass);
	if (!rc) {
		reap(op);
		return true;
	}
	atomic_fetch_add(&m->refused, 1);
	fs_op_err(op, rc);
	fs_mount_leave(m);
	return false;
}

/* Under .policy other bodies answer; the gate has asked for the policy right. */
static bool at_policy(const struct fs_gate_request *rq)
{
	return fs_nodeid_policy(rq->nodeid) || (rq->nodeid2 && fs_nodeid_policy(rq->nodeid2));
}

static void leave(struct fs_op *op)
{
	fs_gate_end(&op->pass);
	fs_mount_leave(op->m);
}

#define ENTER(name_, params, args, request)                                                        \
	static void enter_##name_(fuse_req_t req, FS_OP_UNWRAP params)                             \
	{                                                                                          \
		const struct fs_gate_request rq = {.op = #name_, FS_OP_UNWRAP request};            \
		struct fs_op op;                                                                   \
                                                                                                   \
		if (!enter(&op, req, &rq))                                                         \
			return;                                                                    \
		if (at_policy(&op.rq))                                                             \
			fs_op_policy_##name_(&op, FS_OP_UNWRAP args);                              \
		else                                                                               \
			fs_op_##name_(&op, FS_OP_UNWRAP args);                                     \
		leave(&op);                                                                        \
	}
FS_OPS(ENTER)

/* ---- without a gate (FS_OPS_EXEMPT says why) ---- */

static void exempt_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs_mount *m = userdata;

	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
				  FUSE_CAP_SPLICE_READ | FUSE_CAP_WRITEBACK_CACHE |
				  FUSE_CAP_POSIX_ACL | FUSE_CAP_AUTO_INVAL_DATA |
				  FUSE_CAP_NO_OPEN_SUPPORT | FUSE_CAP_NO_OPENDIR_SUPPORT |
				  FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_HANDLE_KILLPRIV);
	conn->want |= conn->capable & (FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
				       FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_IOCTL_DIR |
				       FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS);
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2
	conn->want |= conn->capable & FUSE_CAP_HANDLE_KILLPRIV_V2;
#endif
	conn->max_write = 1u << 20;
	conn->time_gran = 1;
	/* INC_EPOCH came with protocol 7.44 (Linux 6.16). */
	atomic_store(&m->epochs, conn->proto_major == 7 && conn->proto_minor >= 44);
}

static void exempt_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	fs_node_forget(fuse_req_userdata(req), ino, nlookup);
	fuse_reply_none(req);
}

static void exempt_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t n = 0; n < count; n++)
		fs_node_forget(fuse_req_userdata(req), forgets[n].ino, forgets[n].nlookup);
	fuse_reply_none(req);
}

#define exempt_release fs_op_release
#define exempt_releasedir fs_op_releasedir

#define ENTRY(name_, params, args, request) .name_ = enter_##name_,
#define EXEMPT_ENTRY(name_, reason) .name_ = exempt_##name_,
const struct fuse_lowlevel_ops fs_op_table = {FS_OPS(ENTRY) FS_OPS_EXEMPT(EXEMPT_ENTRY)};

/* ---- what bodies share ---- */

struct fs_actor fs_op_actor(const struct fs_op *op)
{
	struct fs_actor a = {.signer = op->pass.signer,
			     .pid = op->m->session->pid,
			     .own_s = op->pass.drafts_s};

	clock_gettime(CLOCK_REALTIME, &a.now);
	return a;
}

/*
 * Owner bits show what this viewer may really do; all others are as programs set them. Bits that somebody
 * took away bind those who could give them back: for who may only read, policy alone decides.
 */
static mode_t mask(mode_t mode, uint32_t rights)
{
	mode_t look = S_ISDIR(mode) ? S_IRUSR | S_IXUSR : S_IRUSR;

	if (!(rights & (S_ISDIR(mode) ? POLICY_LIST : POLICY_READ)))
		mode &= ~(mode_t)(S_IRUSR | S_IXUSR);
	else if (!(rights & POLICY_WRITE))
		mode |= look;
	if (!(rights & POLICY_WRITE))
		mode &= ~(mode_t)S_IWUSR;
	return mode;
}

/* An emergency grant lets write what was made under it, and make more in any directory. i is locked. */
static uint32_t rights_on(const struct fs_op *op, const struct fs_inode *i)
{
	uint32_t rights = op->pass.rights;
	int64_t since_s;

	if (rights & POLICY_WRITE || !(rights & POLICY_DRAFT) ||
	    !fs_vault_drafts(op->m->serve->vault, op->m->session, fs_journal_index(i->journal),
			     &since_s))
		return rights;
	if (S_ISDIR(i->mode) ||
	    (i->author == op->m->session->pid && i->writer == op->m->session->pid &&
	     i->btime.tv_sec >= since_s))
		rights |= POLICY_WRITE;
	return rights;
}

int fs_op_permit(const struct fs_op *op, struct fs_inode *i, int may)
{
	uint32_t rights;
	mode_t mode, needs = ((may & R_OK) ? S_IRUSR : 0) | ((may & W_OK) ? S_IWUSR : 0) |
			     ((may & X_OK) ? S_IXUSR : 0);

	pthread_rwlock_rdlock(&i->lock);
	mode = i->mode;
	rights = rights_on(op, i);
	pthread_rwlock_unlock(&i->lock);
	return (mask(mode, rights) & needs) == needs ? 0 : -EACCES;
}

void fs_op_stat(const struct fs_op *op, struct fs_inode *i, struct stat *st)
{
	uint32_t rights;

	memset(st, 0, sizeof(*st));
	pthread_rwlock_rdlock(&i->lock);
	rights = rights_on(op, i);
	pthread_rwlock_unlock(&i->lock);
	fs_content_stat(i, st);
	st->st_ino = fs_inode_nodeid(i);
	st->st_uid = op->m->session->uid;
	st->st_gid = op->m->gid;
	st->st_mode = mask(st->st_mode, rights);
	if (S_ISREG(st->st_mode) && st->st_mode & 0222 && fs_op_final_is(op, i))
		st->st_mode &= ~(mode_t)0222;
}

mode_t fs_op_type(struct fs_inode *i)
{
	mode_t type;

	pthread_rwlock_rdlock(&i->lock);
	type = i->mode & S_IFMT;
	pthread_rwlock_unlock(&i->lock);
	return type;
}

int fs_op_inode(struct fs_op *op, uint64_t nodeid, struct fs_inode **out)
{
	if (!op->pass.journal)
		return -EACCES;
	return fs_node_inode(op->m, op->pass.journal, nodeid, out);
}

int fs_op_inode_fresh(struct fs_op *op, uint64_t nodeid, bool open, struct fs_inode **out)
{
	bool stale = fs_node_stale(op->m, nodeid, open);
	int rc = stale ? -ESTALE : fs_op_inode(op, nodeid, out);

	if ((stale || rc == -ENOENT) && fs_node_repeat(op->m, op->rq.pid))
		return -ESTALE;
	if (stale)
		rc = fs_op_inode(op, nodeid, out);
	fs_node_settled(op->m, op->rq.pid);
	return rc;
}

int fs_op_cover(struct fs_op *op, uint64_t nodeid)
{
	char name[256];

	if (fs_nodeid_ino(nodeid) == FS_ROOT_INO)
		return 0;
	fs_node_name(op->m, nodeid, name);
	return fs_gate_cover(op->m->gate, &op->rq, fs_nodeid_ino(nodeid), name);
}

double fs_op_timeout(uint64_t ino)
{
	return fs_history_tree_is(ino) ? 0 : FS_TIMEOUT_LONG;
}

int fs_op_entry(struct fs_op *op, struct fs_inode *i, const char *name, struct fuse_entry_param *e)
{
	uint64_t nodeid = fs_inode_nodeid(i);
	int rc;

	*e = (struct fuse_entry_param){.ino = nodeid, .generation = 1};
	e->attr_timeout = fs_op_timeout(i->ino);
	e->entry_timeout = fs_history_tree_is(i->ino) ? 0 : atomic_load(&op->m->epochs) ? FS_TIMEOUT_LONG : FS_TIMEOUT_SHORT;
	/* First: whether it is due goes by the name. */
	rc = fs_node_looked_up(op->m, nodeid, i, name);
	if (!rc)
		fs_op_stat(op, i, &e->attr);
	return rc;
}

void fs_op_reply_entry(struct fs_op *op, struct fs_inode *i, const char *name)
{
	struct fuse_entry_param e;
	int rc = fs_op_entry(op, i, name, &e);

	if (rc)
		fs_op_err(op, rc);
	else if (fuse_reply_entry(op->req, &e) != 0)
		fs_node_forget(op->m, e.ino, 1);
}

void fs_op_throttle(struct fs_op *op)
{
	struct fs_group *g = fs_records_group(fs_vault_records(op->m->serve->vault));

	if (!fs_group_over_writer(g, op->pass.signer))
		return;
	fs_serve_block_begin();
	fs_group_throttle_writer(g, op->pass.signer);
	fs_serve_block_end();
}

int fs_op_act(struct fs_op *op, enum policy_record_kind kind, uint64_t nodeid, const char *name,
	      const char *name2, const char *detail)
{
	const struct fs_gate_act act = {
		.kind = kind, .nodeid = nodeid, .name = name, .name2 = name2, .detail = detail};

	return fs_gate_record(op->m->gate, &op->pass, &op->rq, &act);
}

int fs_op_sync(struct fs_op *op, uint64_t group)
{
	struct fs_vault *v = op->m->serve->vault;
	uint64_t seq;
	int rc;

	fs_serve_block_begin();
	/* Changes and the records of them become durable side by side, both before the answer. */
	seq = fs_log_ask(fs_vault_log(v));
	rc = fs_group_commit(fs_records_group(fs_vault_records(v)), group);
	if (seq && fs_log_wait(fs_vault_log(v), seq) && !rc)
		rc = -EIO;
	if (!rc && op->pass.journal)
		rc = fs_journal_check(op->pass.journal);
	fs_serve_block_end();
	return rc;
}
