/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Final notes and saves as programs meet them: the test plays the kernel over a socket pair, to a
 * mount of anna's session in a vault of its own.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/socket.h>

#include "test_fs_vault.h"

#include "../../fs/final.h"
#include "../../fs/history.h"
#include "../../fs/op_final.h"
#include "../../fs/op_note.h"
#include "../../fs/op_saves.h"
#include "../../fs/op_table.h"
#include "../../fs/xattr.h"
#include "../../policy/record.h"

static int sock[2];
static struct fs_serve serve;
static struct fs_mount_slot slots[1];
static struct fs_mount mount;
static struct fs_session *dan, *anna;
static uint32_t journal;
static uint64_t root; /* nodeid of the journal's directory */

/* ---- the kernel ---- */

static struct {
	uint64_t unique;
	uint8_t out[8192]; /* of the last answer */
	size_t len;
} kernel;

struct part {
	const void *p;
	size_t len;
};
#define PART(x) ((struct part){&(x), sizeof(x)})
#define TEXT(x) ((struct part){(x), strlen(x) + 1})
#define NONE ((struct part){NULL, 0})

/* 0 or the negative errno of the answer. */
static int ask(uint32_t opcode, uint64_t nodeid, struct part a, struct part b, struct part c)
{
	uint8_t msg[8192];
	struct fuse_in_header h = {.opcode = opcode,
				   .unique = ++kernel.unique * 2,
				   .nodeid = nodeid,
				   .uid = ANNA,
				   .gid = ANNA,
				   .pid = (uint32_t)getpid()};
	struct part parts[] = {a, b, c};
	struct fuse_buf buf = {.mem = msg};
	struct fuse_out_header out;
	ssize_t got;

	buf.size = sizeof(h);
	for (size_t n = 0; n < 3; n++) {
		if (parts[n].len)
			memcpy(msg + buf.size, parts[n].p, parts[n].len);
		buf.size += parts[n].len;
	}
	h.len = (uint32_t)buf.size;
	memcpy(msg, &h, sizeof(h));
	fuse_session_process_buf(mount.fuse, &buf);
	got = recv(sock[1], kernel.out, sizeof(kernel.out), MSG_DONTWAIT);
	ck_assert_msg(got >= (ssize_t)sizeof(out), "operation %u was not answered", opcode);
	memcpy(&out, kernel.out, sizeof(out));
	ck_assert_uint_eq(out.unique, kernel.unique * 2);
	kernel.len = (size_t)got - sizeof(out);
	memmove(kernel.out, kernel.out + sizeof(out), kernel.len);
	return out.error;
}

static uint64_t look_up(const char *name)
{
	struct fuse_entry_out e;

	ck_assert_int_eq(ask(FUSE_LOOKUP, root, TEXT(name), NONE, NONE), 0);
	memcpy(&e, kernel.out, sizeof(e));
	return e.nodeid;
}

static int open_as(uint64_t nodeid, uint32_t flags, uint64_t *fh)
{
	struct fuse_open_in in = {.flags = flags};
	struct fuse_open_out out;
	int rc = ask(FUSE_OPEN, nodeid, PART(in), NONE, NONE);

	if (!rc) {
		memcpy(&out, kernel.out, sizeof(out));
		*fh = out.fh;
	}
	return rc;
}

static int write_as(uint64_t nodeid, uint64_t fh, const char *text, uint32_t flags)
{
	struct fuse_write_in in = {.fh = fh, .size = (uint32_t)strlen(text), .write_flags = flags};

	return ask(FUSE_WRITE, nodeid, PART(in), ((struct part){text, strlen(text)}), NONE);
}

static int flush_as(uint64_t nodeid, uint64_t fh)
{
	struct fuse_flush_in in = {.fh = fh};

	return ask(FUSE_FLUSH, nodeid, PART(in), NONE, NONE);
}

static void release(uint64_t nodeid, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};

	ck_assert_int_eq(ask(FUSE_RELEASE, nodeid, PART(in), NONE, NONE), 0);
}

static uint32_t mode_of(uint64_t nodeid)
{
	struct fuse_getattr_in in = {0};
	struct fuse_attr_out out;

	ck_assert_int_eq(ask(FUSE_GETATTR, nodeid, PART(in), NONE, NONE), 0);
	memcpy(&out, kernel.out, sizeof(out));
	return out.attr.mode & 07777;
}

static int set(uint64_t nodeid, struct fuse_setattr_in in)
{
	return ask(FUSE_SETATTR, nodeid, PART(in), NONE, NONE);
}

static int set_mode(uint64_t nodeid, uint32_t mode)
{
	return set(nodeid, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = mode});
}

static int access_as(uint64_t nodeid, uint32_t mask)
{
	struct fuse_access_in in = {.mask = mask};

	return ask(FUSE_ACCESS, nodeid, PART(in), NONE, NONE);
}

static int set_xattr(uint64_t nodeid, const char *name, const char *value, size_t len)
{
	/* Of the protocol's older form. */
	struct {
		uint32_t size, flags;
	} in = {(uint32_t)len, 0};

	return ask(FUSE_SETXATTR, nodeid, PART(in), TEXT(name), ((struct part){value, len}));
}

static const char *get_xattr(uint64_t nodeid, const char *name)
{
	static char value[4096];
	struct fuse_getxattr_in in = {.size = sizeof(value) - 1};
	int rc = ask(FUSE_GETXATTR, nodeid, PART(in), TEXT(name), NONE);

	if (rc)
		return rc == -ENODATA ? NULL : "(an error)";
	memcpy(value, kernel.out, kernel.len);
	value[kernel.len] = '\0';
	return value;
}

static int send_ioctl(uint64_t nodeid, uint64_t fh, unsigned long cmd, void *out, uint32_t out_len)
{
	struct fuse_ioctl_in in = {
		.fh = fh, .cmd = (uint32_t)cmd, .in_size = 0, .out_size = out_len};
	int rc = ask(FUSE_IOCTL, nodeid, PART(in), NONE, NONE);

	if (!rc && out)
		memcpy(out, kernel.out + sizeof(struct fuse_ioctl_out), out_len);
	return rc;
}

/* ---- the vault ---- */

static void mount_up(void)
{
	const uint32_t init[16] = {7, 31, 0, UINT32_MAX & ~(UINT32_C(1) << 30)};
	char name[] = "test", path[32], drop[4096];
	char *argv[] = {name, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_in_header h = {
		.len = sizeof(h) + sizeof(init), .opcode = FUSE_INIT, .unique = 2};
	struct fuse_buf buf = {.mem = drop, .size = h.len};

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	memset(&mount, 0, sizeof(mount));
	atomic_init(&mount.refs, 10);
	mount.session = anna;
	mount.serve = &serve;
	mount.fd = sock[0];
	pthread_mutex_init(&mount.lock, NULL);
	pthread_cond_init(&mount.idle, NULL);
	pthread_cond_init(&mount.work, NULL);
	pthread_cond_init(&mount.drained, NULL);
	ck_assert_int_eq(fs_nodes_init(&mount), 0);
	ck_assert_int_eq(fs_gate_new(t.v, anna, &mount.gate), 0);
	mount.fuse = fuse_session_new(&args, &fs_op_table, sizeof(fs_op_table), &mount);
	fuse_opt_free_args(&args);
	ck_assert_ptr_nonnull(mount.fuse);
	snprintf(path, sizeof(path), "/dev/fd/%d", sock[0]);
	ck_assert_int_eq(fuse_session_mount(mount.fuse, path), 0);
	memcpy(drop, &h, sizeof(h));
	memcpy(drop + sizeof(h), init, sizeof(init));
	fuse_session_process_buf(mount.fuse, &buf);
	ck_assert_int_gt(recv(sock[1], drop, sizeof(drop), MSG_DONTWAIT), 0);
	kernel.unique = 1;
}

static void set_up(void)
{
	struct fuse_entry_out e;

	t_setup();
	dan = t_clinic();
	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	journal = t_make(anna, "010190-1234 Hansen");
	memset(&serve, 0, sizeof(serve));
	serve.vault = t.v;
	pthread_rwlock_init(&serve.lock, NULL);
	serve.reaped = calloc(((size_t)FS_JOURNAL_MAX + 1) / 64, sizeof(*serve.reaped));
	ck_assert_int_eq(fs_locks_new(&serve.locks), 0);
	mount_up();
	ck_assert_int_eq(ask(FUSE_LOOKUP, FS_NODE_ROOT, TEXT("010190-1234 Hansen"), NONE, NONE), 0);
	memcpy(&e, kernel.out, sizeof(e));
	root = e.nodeid;
}

static void tear_down(void)
{
	serve.slots = 0;
	fuse_session_destroy(mount.fuse);
	fs_gate_free(mount.gate);
	fs_nodes_clear(&mount);
	close(sock[1]);
	fs_locks_free(serve.locks);
	free((void *)serve.reaped);
	t_logout(anna);
	t_logout(dan);
	t_close();
	t_teardown();
}

static uint64_t make(const char *name, const char *text)
{
	struct fuse_create_in in = {.flags = O_WRONLY | O_CREAT, .mode = S_IFREG | 0644};
	struct fuse_entry_out e;
	struct fuse_open_out o;

	ck_assert_int_eq(ask(FUSE_CREATE, root, PART(in), TEXT(name), NONE), 0);
	memcpy(&e, kernel.out, sizeof(e));
	memcpy(&o, kernel.out + sizeof(e), sizeof(o));
	ck_assert_int_eq(write_as(e.nodeid, o.fh, text, 0), 0);
	ck_assert_int_eq(flush_as(e.nodeid, o.fh), 0);
	release(e.nodeid, o.fh);
	return e.nodeid;
}

static uint64_t make_final(const char *name)
{
	uint64_t nodeid = make(name, "what was found");

	ck_assert_int_eq(set_xattr(nodeid, "user.journalfs.state", "final", 5), 0);
	return nodeid;
}

static unsigned refused(const char *detail)
{
	return t_logged(POLICY_RECORD_REFUSED, detail);
}

/* ---- final notes ---- */

START_TEST(final_note_answers_every_change_with_eperm)
{
	uint64_t note = make("note", "what was found"), fh = 0, old = 0;
	struct fuse_rename2_in rename = {.newdir = root};
	struct fuse_link_in link = {.oldnodeid = note};
	struct fuse_create_in create = {.flags = O_WRONLY | O_CREAT, .mode = S_IFREG | 0644};
	struct fuse_fallocate_in fallocate = {.length = 100};

	make("other", "another");
	ck_assert_int_eq(open_as(note, O_RDWR, &old), 0);
	ck_assert_int_eq(set_xattr(note, "user.kept", "x", 1), 0);
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "final", 5), 0);
	ck_assert_int_eq(open_as(note, O_WRONLY, &fh), -EPERM);
	ck_assert_int_eq(open_as(note, O_RDWR, &fh), -EPERM);
	ck_assert_int_eq(open_as(note, O_RDONLY | O_TRUNC, &fh), -EPERM);
	ck_assert_int_eq(ask(FUSE_CREATE, root, PART(create), TEXT("note"), NONE), -EPERM);
	ck_assert_int_eq(write_as(note, old, "x", 0), -EPERM);
	ck_assert_int_eq(write_as(note, old, "x", FUSE_WRITE_CACHE), -EPERM);
	fallocate.fh = old;
	ck_assert_int_eq(ask(FUSE_FALLOCATE, note, PART(fallocate), NONE, NONE), -EPERM);
	ck_assert_int_eq(set_mode(note, 0600), -EPERM);
	ck_assert_int_eq(set(note, (struct fuse_setattr_in){.valid = FATTR_SIZE}), -EPERM);
	ck_assert_int_eq(
		set(note, (struct fuse_setattr_in){.valid = FATTR_SIZE | FATTR_FH, .fh = old}),
		-EPERM);
	ck_assert_int_eq(set(note, (struct fuse_setattr_in){.valid = FATTR_ATIME, .atime = 1}),
			 -EPERM);
	ck_assert_int_eq(set(note, (struct fuse_setattr_in){.valid = FATTR_UID, .uid = ANNA}),
			 -EPERM);
	ck_assert_int_eq(set_xattr(note, "user.new", "x", 1), -EPERM);
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "draft", 5), -EPERM);
	ck_assert_int_eq(ask(FUSE_REMOVEXATTR, note, TEXT("user.kept"), NONE, NONE), -EPERM);
	ck_assert_int_eq(ask(FUSE_UNLINK, root, TEXT("note"), NONE, NONE), -EPERM);
	ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("note"), TEXT("moved")),
			 -EPERM);
	ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("other"), TEXT("note")),
			 -EPERM);
	rename.flags = RENAME_EXCHANGE;
	ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("other"), TEXT("note")),
			 -EPERM);
	ck_assert_int_eq(ask(FUSE_LINK, root, PART(link), TEXT("again"), NONE), -EPERM);
	ck_assert_int_eq(send_ioctl(note, old, FS_IOC_SETFLAGS, NULL, 0), -EPERM);
	ck_assert_int_eq(send_ioctl(note, old, FS_IOC_FSSETXATTR, NULL, 0), -EPERM);
	ck_assert_int_eq(access_as(note, W_OK), -EPERM);
	ck_assert_int_eq(access_as(note, R_OK), 0);
	ck_assert_int_eq(open_as(note, O_RDONLY, &fh), 0);
	release(note, fh);
	release(note, old);
}
END_TEST

START_TEST(final_note_shows_no_w_and_the_immutable_flag)
{
	uint64_t note = make("note", "text"), fh = 0;
	struct fsxattr x = {0};
	uint32_t flags = 0;

	ck_assert_uint_eq(mode_of(note), 0644);
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "final\n", 6), 0);
	ck_assert_uint_eq(mode_of(note), 0444);
	ck_assert_int_eq(open_as(note, 0, &fh), 0);
	ck_assert_int_eq(send_ioctl(note, fh, FS_IOC_GETFLAGS, &flags, sizeof(flags)), 0);
	ck_assert_uint_eq(flags, FS_IMMUTABLE_FL);
	ck_assert_int_eq(send_ioctl(note, fh, FS_IOC_FSGETXATTR, &x, sizeof(x)), 0);
	ck_assert_uint_eq(x.fsx_xflags, FS_XFLAG_IMMUTABLE);
	release(note, fh);
	/* Its directory takes new entries, and is shown as it was. */
	ck_assert_uint_eq(mode_of(root) & 0200, 0200);
}
END_TEST

START_TEST(refusals_are_recorded_once_and_say_which_rule)
{
	uint64_t note = make_final("note"), fh = 0;
	unsigned before = refused(NULL);

	for (int n = 0; n < 5; n++)
		ck_assert_int_eq(open_as(note, O_RDWR, &fh), -EPERM);
	ck_assert_uint_eq(refused("open: EPERM"), 1);
	for (int n = 0; n < 5; n++)
		ck_assert_int_eq(ask(FUSE_UNLINK, root, TEXT("note"), NONE, NONE), -EPERM);
	ck_assert_uint_eq(refused("unlink: EPERM"), 1);
	/* Who only asks is refused nothing. */
	ck_assert_int_eq(access_as(note, W_OK), -EPERM);
	ck_assert_uint_eq(refused(NULL), before + 2);
}
END_TEST

START_TEST(refused_page_of_a_mapping_is_dropped)
{
	uint64_t note = make("note", "text"), old = 0;

	ck_assert_int_eq(open_as(note, O_RDWR, &old), 0);
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "final", 5), 0);
	ck_assert(!fs_notify_pending(&mount, note));
	ck_assert_int_eq(write_as(note, old, "late", 0), -EPERM);
	ck_assert(!fs_notify_pending(&mount, note));
	ck_assert_int_eq(write_as(note, old, "late", FUSE_WRITE_CACHE), -EPERM);
	ck_assert(fs_notify_pending(&mount, note));
	release(note, old);
}
END_TEST

START_TEST(note_that_is_due_is_refused_like_a_final_one_but_not_by_temporary_names)
{
	char text[T_POLICY_MAX];
	struct fuse_setattr_in old = {
		.valid = FATTR_CTIME | FATTR_MTIME, .mtime = 1000, .ctime = 1000};
	uint64_t note = make("note.txt", "text"), swap = make(".note.txt.swp", "text"), fh = 0;

	ck_assert_int_eq(set(note, old), 0);
	ck_assert_int_eq(set(swap, old), 0);
	ck_assert_uint_eq(mode_of(note), 0644);
	t_edit(text, "session ceiling 12h\n", "session ceiling 12h\nfinalize after 14d\n");
	t_put(dan, "practice", text);
	ck_assert_uint_eq(mode_of(note), 0444);
	ck_assert_int_eq(open_as(note, O_RDWR, &fh), -EPERM);
	ck_assert_int_eq(set_mode(note, 0600), -EPERM);
	ck_assert_int_eq(ask(FUSE_UNLINK, root, TEXT("note.txt"), NONE, NONE), -EPERM);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "draft");
	ck_assert_uint_eq(mode_of(swap), 0644);
	ck_assert_int_eq(open_as(swap, O_RDWR, &fh), 0);
	release(swap, fh);
	/* Without the line nothing is due any more. */
	t_put(dan, "practice", CLINIC_POLICY);
	ck_assert_uint_eq(mode_of(note), 0644);
}
END_TEST

/* ---- attributes ---- */

START_TEST(attributes_of_drafts_and_final_notes)
{
	uint64_t note = make("note", "text");
	const char *value;

	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "draft");
	ck_assert_str_eq(get_xattr(note, "user.journalfs.author"), "anna");
	ck_assert_str_eq(get_xattr(note, "user.journalfs.version"), "1");
	ck_assert_ptr_null(get_xattr(note, "user.journalfs.sha256"));
	ck_assert_ptr_null(get_xattr(note, "user.journalfs.finalized-at"));
	ck_assert_ptr_null(get_xattr(note, "user.journalfs.other"));
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "final", 5), 0);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "final");
	value = get_xattr(note, "user.journalfs.sha256");
	ck_assert_ptr_nonnull(value);
	ck_assert_str_eq(value, "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1");
	value = get_xattr(note, "user.journalfs.finalized-at");
	ck_assert_ptr_nonnull(value);
	ck_assert_uint_eq(strlen(value), strlen("2026-01-01T00:00:00Z"));
	ck_assert_ptr_null(get_xattr(note, "user.journalfs.signed-by"));
	ck_assert_ptr_null(get_xattr(note, "user.journalfs.amends"));
	/* Directories have none. */
	ck_assert_ptr_null(get_xattr(root, "user.journalfs.state"));
}
END_TEST

START_TEST(attributes_below_the_prefix_are_not_set_but_state)
{
	static const char *const names[] = {"user.journalfs.author", "user.journalfs.",
					    "user.journalfs.state2", "user.journalfs.sha256"};
	uint64_t note = make("note", "text");

	for (size_t n = 0; n < 4; n++)
		ck_assert_int_eq(set_xattr(note, names[n], "x", 1), -EPERM);
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "", 0), -EPERM);
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "fina", 4), -EPERM);
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "final\n\n", 7), -EPERM);
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "finally", 7), -EPERM);
	ck_assert_int_eq(set_xattr(root, "user.journalfs.state", "final", 5), -EPERM);
	ck_assert_int_eq(ask(FUSE_REMOVEXATTR, note, TEXT("user.journalfs.state"), NONE, NONE),
			 -EPERM);
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "draft", 5), 0);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "draft");
	ck_assert_int_eq(set_xattr(note, "user.journalfs.state", "final", 6), 0);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "final");
}
END_TEST

START_TEST(attributes_are_listed_for_getfattr_alone)
{
	struct fuse_getxattr_in in = {.size = 4096};
	uint64_t note = make("note", "text");
	const char *at;

	ck_assert_int_eq(set_xattr(note, "user.own", "x", 1), 0);
	ck_assert_int_eq(ask(FUSE_LISTXATTR, note, PART(in), NONE, NONE), 0);
	ck_assert_uint_eq(kernel.len, sizeof("user.own"));
	ck_assert_int_eq(pthread_setname_np(pthread_self(), "getfattr"), 0);
	ck_assert_int_eq(ask(FUSE_LISTXATTR, note, PART(in), NONE, NONE), 0);
	at = (const char *)kernel.out;
	ck_assert_str_eq(at, "user.own");
	at += strlen(at) + 1;
	ck_assert_str_eq(at, "user.journalfs.state");
	in.size = (uint32_t)kernel.len - 1;
	ck_assert_int_eq(ask(FUSE_LISTXATTR, note, PART(in), NONE, NONE), -ERANGE);
}
END_TEST

START_TEST(attribute_stored_under_the_prefix_by_an_earlier_daemon_is_not_shown)
{
	struct fuse_getxattr_in in = {.size = 4096};
	uint64_t note = make("note", "text");
	struct fs_inode *i = fs_node_kept(&mount, note);
	struct fs_actor who = {.pid = anna->pid, .now = {.tv_sec = 1}};

	who.signer = fs_session_signer(anna);
	ck_assert_int_eq(fs_xattr_set(i, "user.a", "x", 1, 0, &who), 0);
	ck_assert_int_eq(fs_xattr_set(i, "user.journalfs.state", "final", 5, 0, &who), 0);
	ck_assert_int_eq(fs_xattr_set(i, "user.z", "x", 1, 0, &who), 0);
	fs_signer_put(who.signer);
	fs_inode_put(i);
	ck_assert_int_eq(ask(FUSE_LISTXATTR, note, PART(in), NONE, NONE), 0);
	ck_assert_uint_eq(kernel.len, sizeof("user.a") + sizeof("user.z"));
	ck_assert_ptr_null(memmem(kernel.out, kernel.len, "journalfs", 9));
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "draft");
}
END_TEST

START_TEST(final_note_in_a_directory_is_found_by_its_inode)
{
	struct fuse_mkdir_in mkdir = {.mode = 0755};
	struct fuse_entry_out e;
	uint64_t journals_own = root, dir, note;

	make("beside", "text");
	ck_assert_int_eq(ask(FUSE_MKDIR, root, PART(mkdir), TEXT("a"), NONE), 0);
	memcpy(&e, kernel.out, sizeof(e));
	dir = e.nodeid;
	ck_assert_int_eq(ask(FUSE_MKDIR, dir, PART(mkdir), TEXT("b"), NONE), 0);
	memcpy(&e, kernel.out, sizeof(e));
	root = e.nodeid;
	note = make_final("note");
	root = journals_own;
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "final");
	ck_assert_str_eq(get_xattr(look_up("beside"), "user.journalfs.state"), "draft");
	ck_assert_int_eq(ask(FUSE_RMDIR, dir, TEXT("b"), NONE, NONE), -EPERM);
	{
		struct fuse_rename2_in rename = {.newdir = root};

		ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("a"), TEXT("c")),
				 -EPERM);
	}
}
END_TEST

/* ---- chmod ---- */

static void read_only_locks(void)
{
	char text[T_POLICY_MAX];

	t_edit(text, "session ceiling 12h\n", "session ceiling 12h\nfinalize on read-only\n");
	t_put(dan, "practice", text);
}

START_TEST(chmod_locks_only_where_policy_says_so)
{
	uint64_t note = make("note", "text");

	ck_assert_int_eq(set_mode(note, 0444), 0);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "draft");
	ck_assert_int_eq(set_mode(note, 0644), 0);
	read_only_locks();
	ck_assert_int_eq(set_mode(note, 0604), 0);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "draft");
	ck_assert_int_eq(set_mode(note, 0444), 0);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "final");
}
END_TEST

START_TEST(chmod_while_somebody_writes_locks_at_the_last_close)
{
	uint64_t note = make("note", "text"), one = 0, two = 0;

	read_only_locks();
	ck_assert_int_eq(open_as(note, O_RDWR, &one), 0);
	ck_assert_int_eq(open_as(note, O_RDWR, &two), 0);
	ck_assert_int_eq(set_mode(note, 0444), 0);
	ck_assert_int_eq(write_as(note, one, "more", 0), 0);
	release(note, one);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "draft");
	release(note, two);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "final");
}
END_TEST

START_TEST(chmod_taken_back_before_the_last_close_locks_nothing)
{
	uint64_t note = make("note", "text"), fh = 0;

	read_only_locks();
	ck_assert_int_eq(open_as(note, O_RDWR, &fh), 0);
	ck_assert_int_eq(set_mode(note, 0444), 0);
	ck_assert_int_eq(set_mode(note, 0644), 0);
	release(note, fh);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "draft");
	/* And nothing of it is left for a later close. */
	ck_assert_int_eq(open_as(note, O_RDWR, &fh), 0);
	release(note, fh);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.state"), "draft");
}
END_TEST

/* ---- saves ---- */

START_TEST(saves_go_by_the_name_and_by_the_policy_in_force)
{
	struct fs_actor who = {0};
	char text[T_POLICY_MAX];
	uint64_t note = make("note.txt", "text");
	struct fuse_rename2_in rename = {.newdir = root};

	fs_op_saves_node(&mount, note, &who);
	ck_assert(who.keeps);
	ck_assert_int_eq(who.due_s, 0);
	t_edit(text, "session ceiling 12h\n",
	       "session ceiling 12h\nfinalize after 14d\nhistory for \"*.log\" keep none\n");
	t_put(dan, "practice", text);
	fs_op_saves_node(&mount, note, &who);
	ck_assert(who.keeps);
	ck_assert_int_gt(who.due_s, 0);
	ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("note.txt"), TEXT("note.log")),
			 0);
	fs_op_saves_node(&mount, note, &who);
	ck_assert(!who.keeps);
	ck_assert_int_eq(who.due_s, 0);
	fs_op_saves_name(&mount, ".~lock.note.odt#", &who);
	ck_assert(!who.keeps);
	fs_op_saves_name(&mount, "note.odt", &who);
	ck_assert(who.keeps);
	/* What is replaced decides what is kept; what is due may not leave its name. */
	fs_op_saves_rename(&mount, "a.log", "note.odt", &who);
	ck_assert(who.keeps);
	fs_op_saves_rename(&mount, "note.odt", "a.log", &who);
	ck_assert(!who.keeps);
	ck_assert_int_gt(who.due_s, 0);
	t_edit(text, "session ceiling 12h\n", "session ceiling 12h\nhistory off\n");
	t_put(dan, "practice", text);
	fs_op_saves_name(&mount, "note.odt", &who);
	ck_assert(!who.keeps);
}
END_TEST

static bool unsaved(uint64_t nodeid, uint64_t fh)
{
	struct fs_handle *h = fs_handle_get(&mount, fh, nodeid, false);
	bool is = atomic_load(&h->unsaved);

	fs_handle_put(h);
	return is;
}

START_TEST(save_is_complete_when_the_opener_closes)
{
	uint64_t note = make("note", "text"), fh = 0;
	struct fs_handle *h;

	ck_assert_int_eq(open_as(note, O_RDWR, &fh), 0);
	ck_assert(!unsaved(note, fh));
	ck_assert_int_eq(write_as(note, fh, "more", 0), 0);
	ck_assert(unsaved(note, fh));
	/* Somebody who inherited the descriptor closes his. */
	h = fs_handle_get(&mount, fh, note, false);
	h->opener = 1;
	ck_assert_int_eq(flush_as(note, fh), 0);
	ck_assert(unsaved(note, fh));
	h->opener = getpid();
	fs_handle_put(h);
	ck_assert_int_eq(flush_as(note, fh), 0);
	ck_assert(!unsaved(note, fh));
	release(note, fh);
}
END_TEST

static void save(uint64_t nodeid, const char *text)
{
	uint64_t fh = 0;

	ck_assert_int_eq(open_as(nodeid, O_WRONLY | O_TRUNC, &fh), 0);
	ck_assert_int_eq(write_as(nodeid, fh, text, 0), 0);
	ck_assert_int_eq(flush_as(nodeid, fh), 0);
	/* Another close of the same is no other save. */
	ck_assert_int_eq(flush_as(nodeid, fh), 0);
	release(nodeid, fh);
}

static int count(void *ctx, const struct fs_history_version *v)
{
	unsigned *n = ctx;

	(void)v;
	(*n)++;
	return 0;
}

static unsigned versions(uint64_t nodeid)
{
	struct fs_inode *i = fs_node_kept(&mount, nodeid);
	unsigned n = 0;

	ck_assert_ptr_nonnull(i);
	ck_assert_int_eq(fs_history_list(i, count, &n), 0);
	fs_inode_put(i);
	return n;
}

START_TEST(each_save_becomes_a_version_where_policy_keeps_them)
{
	char text[T_POLICY_MAX];
	uint64_t note, few, none, swap;

	t_edit(text, "session ceiling 12h\n",
	       "session ceiling 12h\nhistory for \"*.few\" keep 2\nhistory for \"*.log\" keep "
	       "none\n");
	t_put(dan, "practice", text);
	note = make("note.txt", "one");
	few = make("note.few", "one");
	none = make("note.log", "one");
	swap = make(".note.txt.swp", "one");
	for (unsigned n = 0; n < 5; n++) {
		const char *const texts[] = {"two", "three", "four", "five", "six"};

		save(note, texts[n]);
		save(few, texts[n]);
		save(none, texts[n]);
		save(swap, texts[n]);
	}
	ck_assert_uint_eq(versions(note), 6);
	ck_assert_str_eq(get_xattr(note, "user.journalfs.version"), "6");
	ck_assert_uint_le(versions(few), 3);
	ck_assert_uint_ge(versions(few), 2);
	ck_assert_uint_eq(versions(none), 1);
	ck_assert_uint_eq(versions(swap), 1);
}
END_TEST

START_TEST(cut_by_path_is_a_save_of_its_own)
{
	uint64_t note = make("note.txt", "one");

	ck_assert_int_eq(set(note, (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 2}), 0);
	save(note, "two");
	ck_assert_uint_eq(versions(note), 3);
}
END_TEST

START_TEST(name_that_is_replaced_or_removed_keeps_its_versions)
{
	struct fuse_rename2_in rename = {.newdir = root};
	uint64_t note = make("note.txt", "one"), next;

	make("note.txt.new", "two");
	ck_assert_int_eq(
		ask(FUSE_RENAME2, root, PART(rename), TEXT("note.txt.new"), TEXT("note.txt")), 0);
	next = look_up("note.txt");
	ck_assert_uint_ne(next, note);
	ck_assert_uint_eq(versions(next), 2);
	ck_assert_str_eq(get_xattr(next, "user.journalfs.version"), "2");
	ck_assert_str_eq(get_xattr(next, "user.journalfs.author"), "anna");
}
END_TEST

static int count_removed(void *ctx, const struct fs_history_removed *r)
{
	unsigned *n = ctx;

	(void)r;
	(*n)++;
	return 0;
}

static unsigned removed(uint64_t nodeid)
{
	struct fs_inode *i = fs_node_kept(&mount, nodeid);
	unsigned n = 0;

	ck_assert_ptr_nonnull(i);
	ck_assert_int_eq(fs_history_removed(i->journal, 0, count_removed, &n), 0);
	fs_inode_put(i);
	return n;
}

/* A name under which nothing is kept decides nothing about a file that was a note. */
START_TEST(note_that_is_renamed_to_a_backups_name_stays_kept)
{
	struct fuse_rename2_in rename = {.newdir = root};
	uint64_t other = make("other", "x"), next;

	make("hidden", "one");
	ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("hidden"), TEXT("hidden~")), 0);
	ck_assert_int_eq(ask(FUSE_UNLINK, root, TEXT("hidden~"), NONE, NONE), 0);
	ck_assert_uint_eq(removed(other), 1);

	/* As vim saves. */
	make("note", "one");
	ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("note"), TEXT("note~")), 0);
	next = make("note", "two");
	ck_assert_int_eq(ask(FUSE_UNLINK, root, TEXT("note~"), NONE, NONE), 0);
	ck_assert_uint_eq(versions(next), 2);
	ck_assert_uint_eq(removed(other), 1);

	/* What it held stays under the other name too, and goes back with it. */
	make("moved", "one");
	ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("moved"), TEXT("moved~")), 0);
	save(look_up("moved~"), "two");
	ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("moved~"), TEXT("moved")), 0);
	ck_assert_uint_eq(versions(look_up("moved")), 2);

	/* A new file that is renamed over such a name was made for it: nothing is kept. */
	for (int n = 0; n < 3; n++) {
		next = make("new", "text");
		ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT("new"), TEXT(".z.swp")),
				 0);
	}
	ck_assert_uint_eq(versions(next), 1);

	/* What never was one goes, under its second name too. */
	make(".a.swp", "swap");
	ck_assert_int_eq(ask(FUSE_RENAME2, root, PART(rename), TEXT(".a.swp"), TEXT(".b.swp")), 0);
	ck_assert_int_eq(ask(FUSE_UNLINK, root, TEXT(".b.swp"), NONE, NONE), 0);
	ck_assert_uint_eq(removed(other), 1);
}
END_TEST

/* ---- handing over ---- */

START_TEST(settle_goes_on_without_a_mount_that_hands_over_nothing)
{
	uint64_t note = make("note", "text");

	slots[0].mount = &mount;
	serve.slot = slots;
	serve.slots = 1;
	/* It has no notifier that would do it. */
	fs_serve_settle(&serve, note);
	ck_assert(fs_notify_pending(&mount, note));
	ck_assert_ptr_nonnull(mount.qhead);
	ck_assert_uint_eq(mount.qhead->nodeid, note);
	ck_assert(mount.qhead->inval_data);
	ck_assert_uint_eq(mount.qhead->inval_off, 0);
	ck_assert_uint_eq(atomic_load(&mount.refs), 10);
	/* A node that nobody knows waits for nothing. */
	fs_serve_settle(&serve, note + 1000);
	ck_assert(!fs_notify_pending(&mount, note + 1000));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/op_final");
	TCase *c = tcase_create("final");

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, final_note_answers_every_change_with_eperm);
	tcase_add_test(c, final_note_shows_no_w_and_the_immutable_flag);
	tcase_add_test(c, refusals_are_recorded_once_and_say_which_rule);
	tcase_add_test(c, refused_page_of_a_mapping_is_dropped);
	tcase_add_test(c, note_that_is_due_is_refused_like_a_final_one_but_not_by_temporary_names);
	tcase_add_test(c, attributes_of_drafts_and_final_notes);
	tcase_add_test(c, attributes_below_the_prefix_are_not_set_but_state);
	tcase_add_test(c, attributes_are_listed_for_getfattr_alone);
	tcase_add_test(c, attribute_stored_under_the_prefix_by_an_earlier_daemon_is_not_shown);
	tcase_add_test(c, final_note_in_a_directory_is_found_by_its_inode);
	tcase_add_test(c, chmod_locks_only_where_policy_says_so);
	tcase_add_test(c, chmod_while_somebody_writes_locks_at_the_last_close);
	tcase_add_test(c, chmod_taken_back_before_the_last_close_locks_nothing);
	tcase_add_test(c, saves_go_by_the_name_and_by_the_policy_in_force);
	tcase_add_test(c, save_is_complete_when_the_opener_closes);
	tcase_add_test(c, each_save_becomes_a_version_where_policy_keeps_them);
	tcase_add_test(c, cut_by_path_is_a_save_of_its_own);
	tcase_add_test(c, name_that_is_replaced_or_removed_keeps_its_versions);
	tcase_add_test(c, note_that_is_renamed_to_a_backups_name_stays_kept);
	tcase_add_test(c, settle_goes_on_without_a_mount_that_hands_over_nothing);
	suite_add_tcase(s, c);
	return t_run(s);
}
