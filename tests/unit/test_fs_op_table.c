/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every entry of the FUSE operation table passes the gate.
 *
 * The test plays the kernel over a socket pair: it sends each operation as raw
 * bytes to a mount whose session is locked or whose mount has ended, and every one
 * must be refused by the gate, none reach its body. The table is counted against
 * the list that it is made from.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../fs/op_table.h"

#define UID 1000
#define NODE UINT64_C(0x10000000005) /* journal 1, inode 5 */

struct in_header {
	uint32_t len, opcode;
	uint64_t unique, nodeid;
	uint32_t uid, gid, pid, padding;
};

struct out_header {
	uint32_t len;
	int32_t error;
	uint64_t unique;
};

/* Operations by name: opcode, length of the fixed part, names behind it. */
static const struct raw {
	const char *name;
	uint32_t opcode;
	size_t fixed;
	unsigned names;
} raws[] = {
	{"lookup", 1, 0, 1},
	{"getattr", 3, 16, 0},
	{"setattr", 4, 88, 0},
	{"readlink", 5, 0, 0},
	{"symlink", 6, 0, 2},
	{"mknod", 8, 16, 1},
	{"mkdir", 9, 8, 1},
	{"unlink", 10, 0, 1},
	{"rmdir", 11, 0, 1},
	{"rename", 45, 16, 2},
	{"link", 13, 8, 1},
	{"open", 14, 8, 0},
	{"read", 15, 40, 0},
	{"write", 16, 40, 0},
	{"statfs", 17, 0, 0},
	{"fsync", 20, 16, 0},
	{"setxattr", 21, 8, 1},
	{"getxattr", 22, 8, 1},
	{"listxattr", 23, 8, 0},
	{"removexattr", 24, 0, 1},
	{"flush", 25, 24, 0},
	{"opendir", 27, 8, 0},
	{"readdir", 28, 40, 0},
	{"fsyncdir", 30, 16, 0},
	{"access", 34, 8, 0},
	{"create", 35, 16, 1},
	{"ioctl", 39, 32, 0},
	{"fallocate", 43, 32, 0},
	{"readdirplus", 44, 40, 0},
	{"lseek", 46, 24, 0},
	{"getlk", 31, 48, 0},
	{"setlk", 33, 48, 0},
	{"flock", 32, 48, 0},
	{"copy_file_range", 47, 56, 0},
};
#define RAWS (sizeof(raws) / sizeof(raws[0]))

#define NAME(name_, params, args, request) #name_,
static const char *const listed[] = {FS_OPS(NAME)};

static int sock[2];
static struct fs_session session;
static struct fs_serve serve;
static struct fs_mount mount;

static void send_raw(uint32_t opcode, uint64_t nodeid, const void *body, size_t len)
{
	char msg[512];
	struct in_header h = {.len = (uint32_t)(sizeof(h) + len),
			      .opcode = opcode,
			      .unique = opcode * 2,
			      .nodeid = nodeid,
			      .uid = UID,
			      .gid = UID,
			      .pid = 1};
	struct fuse_buf buf = {.mem = msg, .size = h.len};

	ck_assert_uint_le(h.len, sizeof(msg));
	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), body, len);
	fuse_session_process_buf(mount.fuse, &buf);
}

static int reply(uint32_t opcode)
{
	char msg[4096];
	struct out_header h;
	ssize_t got = recv(sock[1], msg, sizeof(msg), MSG_DONTWAIT);

	ck_assert_msg(got >= (ssize_t)sizeof(h), "operation %u was not answered", opcode);
	memcpy(&h, msg, sizeof(h));
	ck_assert_uint_eq(h.unique, opcode * 2);
	ck_assert_int_eq(recv(sock[1], msg, sizeof(msg), MSG_DONTWAIT), -1);
	return h.error;
}

static int ask_at(const struct raw *raw, uint64_t nodeid)
{
	uint8_t body[256] = {0};
	size_t len = raw->fixed;

	for (unsigned n = 0; n < raw->names; n++) {
		memcpy(body + len, "user.name", 10);
		len += 10;
	}
	/* SETLK with FUSE_LK_FLOCK among its flags. */
	if (!strcmp(raw->name, "flock"))
		body[40] = 1;
	send_raw(raw->opcode, nodeid, body, len);
	return reply(raw->opcode);
}

static int ask(const struct raw *raw)
{
	return ask_at(raw, NODE);
}

static void set_up(void)
{
	const uint32_t init[16] = {7, 38, 0, UINT32_MAX & ~(UINT32_C(1) << 30)};
	char name[] = "test", path[32];
	char *argv[] = {name, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	char drop[4096];

	memset(&session, 0, sizeof(session));
	memset(&mount, 0, sizeof(mount));
	session.uid = UID;
	atomic_init(&session.refs, 10);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	mount.session = &session;
	mount.serve = &serve;
	mount.fd = sock[0];
	pthread_mutex_init(&mount.lock, NULL);
	pthread_cond_init(&mount.idle, NULL);
	pthread_cond_init(&mount.work, NULL);
	ck_assert_int_eq(fs_nodes_init(&mount), 0);
	ck_assert_int_eq(fs_gate_new(NULL, &session, &mount.gate), 0);
	mount.fuse = fuse_session_new(&args, &fs_op_table, sizeof(fs_op_table), &mount);
	fuse_opt_free_args(&args);
	ck_assert_ptr_nonnull(mount.fuse);
	snprintf(path, sizeof(path), "/dev/fd/%d", sock[0]);
	ck_assert_int_eq(fuse_session_mount(mount.fuse, path), 0);
	send_raw(26, 0, init, sizeof(init));
	ck_assert_int_gt(recv(sock[1], drop, sizeof(drop), MSG_DONTWAIT), 0);
}

static void tear_down(void)
{
	fuse_session_destroy(mount.fuse);
	fs_gate_free(mount.gate);
	fs_nodes_clear(&mount);
	close(sock[1]);
}

START_TEST(table_has_exactly_the_listed_entries)
{
	void (*entry[sizeof(fs_op_table) / sizeof(void (*)(void))])(void);
	size_t used = 0;

	memcpy(entry, &fs_op_table, sizeof(entry));
	for (size_t n = 0; n < sizeof(entry) / sizeof(entry[0]); n++)
		used += entry[n] != NULL;
	ck_assert_uint_eq(used, FS_OP_COUNT + FS_OP_EXEMPT_COUNT);
}
END_TEST

START_TEST(test_asks_for_every_listed_operation)
{
	ck_assert_uint_eq(RAWS, FS_OP_COUNT);
	for (size_t n = 0; n < FS_OP_COUNT; n++) {
		size_t k = 0;

		while (k < RAWS && strcmp(raws[k].name, listed[n]) != 0)
			k++;
		ck_assert_msg(k < RAWS, "%s is not tested", listed[n]);
	}
}
END_TEST

/* Without a vault any body would crash: an answer at all means that it was not reached. */
START_TEST(locked_session_refuses_every_operation_at_the_gate)
{
	atomic_store(&session.state, FS_SESSION_LOCKED);
	for (size_t n = 0; n < RAWS; n++) {
		ck_assert_msg(ask(&raws[n]) == -ENOKEY, "%s", raws[n].name);
		ck_assert_uint_eq(atomic_load(&mount.refused), n + 1);
	}
	ck_assert_uint_eq(mount.inflight, 0);
}
END_TEST

/* The same for the bodies that answer under .policy: there is no model behind them here. */
START_TEST(locked_session_refuses_every_operation_under_policy_at_the_gate)
{
	atomic_store(&session.state, FS_SESSION_LOCKED);
	for (uint64_t ino = 2; ino < 20; ino++) {
		for (size_t n = 0; n < RAWS; n++)
			ck_assert_msg(ask_at(&raws[n], ino) == -ENOKEY, "%s", raws[n].name);
	}
	ck_assert_uint_eq(atomic_load(&mount.refused), 18 * RAWS);
	ck_assert_uint_eq(mount.inflight, 0);
}
END_TEST

START_TEST(ended_session_refuses_every_operation_at_the_gate)
{
	atomic_store(&session.state, FS_SESSION_ENDED);
	for (size_t n = 0; n < RAWS; n++)
		ck_assert_msg(ask(&raws[n]) == -ENOKEY, "%s", raws[n].name);
	ck_assert_uint_eq(atomic_load(&mount.refused), RAWS);
}
END_TEST

START_TEST(cut_mount_admits_no_operation_until_the_session_is_active)
{
	int rc = 0;

	mount.phase = FS_MOUNT_CUT;
	atomic_store(&session.state, FS_SESSION_DRAINING);
	for (size_t n = 0; n < RAWS; n++)
		ck_assert_msg(ask(&raws[n]) == -ENOKEY, "%s", raws[n].name);
	ck_assert_uint_eq(atomic_load(&mount.refused), 0);
	atomic_store(&session.state, FS_SESSION_ACTIVE);
	ck_assert(fs_mount_enter(&mount, &rc));
	ck_assert_int_eq(mount.phase, FS_MOUNT_LIVE);
	fs_mount_leave(&mount);
}
END_TEST

START_TEST(access_list_of_a_journal_passes_the_gate_and_asks_no_right)
{
	static const struct {
		uint32_t opcode;
		size_t fixed;
	} ops[] = {{21, 8}, {22, 8}, {24, 0}};
	const uint64_t journal = fs_nodeid(1, FS_ROOT_INO);
	const char *name = "system.posix_acl_access";
	char body[64] = {0};

	atomic_store(&session.state, FS_SESSION_LOCKED);
	for (size_t n = 0; n < 3; n++) {
		strcpy(body + ops[n].fixed, name);
		send_raw(ops[n].opcode, journal, body, ops[n].fixed + strlen(name) + 1);
		ck_assert_int_eq(reply(ops[n].opcode), -ENOKEY);
	}
	/* Whether policy may be changed is asked of the vault; all else still needs w. */
	ck_assert_uint_eq(fs_op_xattr_change_rights(journal, name), 0);
	ck_assert_uint_eq(fs_op_xattr_change_rights(journal, "user.name"), POLICY_WRITE);
	ck_assert_uint_eq(fs_op_xattr_change_rights(journal, "system.posix_acl_default"),
			  POLICY_WRITE);
	ck_assert_uint_eq(fs_op_xattr_change_rights(NODE, name), POLICY_WRITE);
	ck_assert_uint_eq(fs_op_xattr_change_rights(FS_NODE_ROOT, name), POLICY_WRITE);
}
END_TEST

START_TEST(dead_mount_admits_no_operation)
{
	mount.phase = FS_MOUNT_DEAD;
	for (size_t n = 0; n < RAWS; n++)
		ck_assert_msg(ask(&raws[n]) == -ENODEV, "%s", raws[n].name);
	ck_assert_uint_eq(mount.inflight, 0);
}
END_TEST

START_TEST(forget_is_admitted_when_locked)
{
	const uint64_t nlookup = 1;

	atomic_store(&session.state, FS_SESSION_LOCKED);
	ck_assert_int_eq(fs_node_looked_up(&mount, NODE, NULL, "a"), 0);
	ck_assert_uint_eq(mount.count, 1);
	send_raw(2, NODE, &nlookup, sizeof(nlookup));
	ck_assert_uint_eq(mount.count, 0);
}
END_TEST

START_TEST(change_while_the_session_is_locked_is_told_to_the_kernel)
{
	ck_assert_int_eq(fs_node_looked_up(&mount, NODE, NULL, "a"), 0);
	mount.phase = FS_MOUNT_CUT;
	fs_notify_inode(&mount, NODE, true, 0);
	ck_assert_ptr_nonnull(mount.qhead);
	ck_assert_uint_eq(mount.qhead->nodeid, NODE);
	ck_assert(fs_notify_pending(&mount, NODE));
	/* Nobody asks for it any more, and nobody can be told. */
	mount.phase = FS_MOUNT_DEAD;
	ck_assert_int_eq(fs_node_looked_up(&mount, NODE + 1, NULL, "b"), 0);
	fs_notify_inode(&mount, NODE + 1, true, 0);
	ck_assert(!fs_notify_pending(&mount, NODE + 1));
}
END_TEST

START_TEST(refused_flush_still_ends_the_locks_of_its_owner)
{
	const struct fs_lock_request rq = {.share = &mount.locks,
					   .nodeid = NODE,
					   .owner = 77,
					   .end = FS_LOCKS_END,
					   .exclusive = true};
	struct fs_lock_wait w = {.rq = rq}, other = {.rq = rq};
	const uint64_t body[3] = {0, 0, 77};

	other.rq.owner = 78;
	other.rq.space = FS_LOCK_WHOLE;
	ck_assert_int_eq(fs_locks_new(&serve.locks), 0);
	fs_lock_join(&mount);
	fs_locks_prepare(serve.locks, &w);
	fs_locks_prepare(serve.locks, &other);
	ck_assert_int_eq(fs_locks_set(serve.locks, &w, false), 0);
	ck_assert_int_eq(fs_locks_set(serve.locks, &other, false), 0);
	atomic_store(&session.state, FS_SESSION_LOCKED);
	send_raw(25, NODE, body, sizeof(body));
	ck_assert_int_eq(reply(25), -ENOKEY);
	ck_assert_uint_eq(atomic_load(&mount.locks.held), 1);
	fs_lock_leave(&mount);
	ck_assert_uint_eq(atomic_load(&mount.locks.held), 0);
	fs_locks_free(serve.locks);
	serve.locks = NULL;
}
END_TEST

/* ---- handles ---- */

static int open_handle(uint64_t nodeid, int flags, uint64_t *fh)
{
	const struct fs_handle_request rq = {nodeid, flags, false, getpid()};

	return fs_handle_open(&mount, &rq, fh);
}

START_TEST(lost_locks_mark_the_handles_that_are_open_then)
{
	uint64_t fh = 0, other = 0, later = 0;

	ck_assert_int_eq(open_handle(NODE, O_RDWR, &fh), 0);
	ck_assert_int_eq(open_handle(NODE + 1, O_RDWR, &other), 0);
	pthread_mutex_lock(&mount.lock);
	fs_node_lose_locked(&mount, NODE);
	fs_node_lose_locked(&mount, NODE);
	pthread_mutex_unlock(&mount.lock);
	ck_assert_int_eq(open_handle(NODE, O_RDWR, &later), 0);
	ck_assert_int_eq(fs_lock_check(&mount, fh, NODE), -EIO);
	ck_assert_int_eq(fs_lock_check(&mount, other, NODE + 1), 0);
	ck_assert_int_eq(fs_lock_check(&mount, later, NODE), 0);
	ck_assert(fs_node_lost(&mount, NODE));
	fs_handle_free(&mount, fs_handle_close(&mount, fh, NODE, false));
	ck_assert(!fs_node_lost(&mount, NODE));
	fs_handle_free(&mount, fs_handle_close(&mount, later, NODE, false));
	fs_handle_free(&mount, fs_handle_close(&mount, other, NODE + 1, false));
	ck_assert_uint_eq(mount.count, 0);
}
END_TEST

START_TEST(handle_of_another_node_or_kind_is_not_found)
{
	struct fs_handle *h;
	uint64_t fh = 0, again = 0;

	ck_assert_int_eq(open_handle(NODE, 0, &fh), 0);
	ck_assert_ptr_null(fs_handle_get(&mount, fh, NODE + 1, false));
	ck_assert_ptr_null(fs_handle_get(&mount, fh, NODE, true));
	ck_assert_ptr_null(fs_handle_get(&mount, fh + 1, NODE, false));
	ck_assert_ptr_null(fs_handle_get(&mount, UINT64_MAX, NODE, false));
	h = fs_handle_close(&mount, fh, NODE, false);
	ck_assert_ptr_nonnull(h);
	fs_handle_free(&mount, h);
	ck_assert_uint_eq(mount.count, 0);
	mount.free_hint = 0;
	ck_assert_int_eq(open_handle(NODE, 0, &again), 0);
	ck_assert_uint_eq((uint32_t)again, (uint32_t)fh);
	ck_assert_ptr_null(fs_handle_get(&mount, fh, NODE, false));
	h = fs_handle_close(&mount, again, NODE, false);
	fs_handle_free(&mount, h);
}
END_TEST

START_TEST(node_lives_as_long_as_a_handle)
{
	struct fs_handle *h;
	uint64_t fh = 0;

	ck_assert_int_eq(fs_node_looked_up(&mount, NODE, NULL, "a"), 0);
	ck_assert_int_eq(open_handle(NODE, 0, &fh), 0);
	fs_node_forget(&mount, NODE, 99);
	ck_assert_uint_eq(mount.count, 1);
	h = fs_handle_close(&mount, fh, NODE, false);
	fs_handle_free(&mount, h);
	ck_assert_uint_eq(mount.count, 0);
}
END_TEST

START_TEST(openers_are_counted_by_thread_within_their_bound)
{
	struct fs_opener out[FS_OPENERS];
	uint32_t files = 7;
	uint64_t fh[300];
	size_t n;

	pthread_rwlock_init(&session.lock, NULL);
	ck_assert_uint_eq(fs_session_openers(&session, out, &files), 0);
	ck_assert_uint_eq(files, 0);
	session.mount = &mount;
	atomic_init(&mount.refs, 1);
	ck_assert_uint_eq(fs_session_openers(&session, out, &files), 0);
	for (int i = 0; i < 300; i++) {
		const struct fs_handle_request rq = {NODE, O_RDONLY, false, 1000 + i / 3};

		ck_assert_int_eq(fs_handle_open(&mount, &rq, &fh[i]), 0);
	}
	n = fs_session_openers(&session, out, &files);
	ck_assert_uint_eq(n, FS_OPENERS);
	ck_assert_uint_eq(files, 300);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(out[i].tid, 1000 + (pid_t)i);
		ck_assert_uint_eq(out[i].files, 3);
	}
	for (int i = 0; i < 300; i++)
		fs_handle_free(&mount, fs_handle_close(&mount, fh[i], NODE, false));
	ck_assert_uint_eq(fs_session_openers(&session, out, &files), 0);
	ck_assert_uint_eq(files, 0);
	ck_assert_uint_eq(atomic_load(&mount.refs), 1);
	session.mount = NULL;
	pthread_rwlock_destroy(&session.lock);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/op_table");
	TCase *t = tcase_create("table");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, table_has_exactly_the_listed_entries);
	tcase_add_test(t, test_asks_for_every_listed_operation);
	tcase_add_test(t, locked_session_refuses_every_operation_at_the_gate);
	tcase_add_test(t, locked_session_refuses_every_operation_under_policy_at_the_gate);
	tcase_add_test(t, ended_session_refuses_every_operation_at_the_gate);
	tcase_add_test(t, cut_mount_admits_no_operation_until_the_session_is_active);
	tcase_add_test(t, access_list_of_a_journal_passes_the_gate_and_asks_no_right);
	tcase_add_test(t, dead_mount_admits_no_operation);
	tcase_add_test(t, forget_is_admitted_when_locked);
	tcase_add_test(t, change_while_the_session_is_locked_is_told_to_the_kernel);
	tcase_add_test(t, refused_flush_still_ends_the_locks_of_its_owner);
	tcase_add_test(t, lost_locks_mark_the_handles_that_are_open_then);
	tcase_add_test(t, handle_of_another_node_or_kind_is_not_found);
	tcase_add_test(t, node_lives_as_long_as_a_handle);
	tcase_add_test(t, openers_are_counted_by_thread_within_their_bound);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
