/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the log where the power goes in the middle of a write: whichever sectors of it reached
 * the disk, the next start goes on, and verification finds nothing that was not a crash.
 *
 * pwritev2 is defined here, before the C library's, so that a write can end so.
 */
#include "test_fs_log_found.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "../../fs/log.h"
#include "../../keys/recovery.h"
#include "../../keys/wrap.h"

#define SECTOR 512u

/* ---- writes that power cuts short ---- */

enum cut {
	CUT_ALL,	/* nothing of the write is there */
	CUT_FIRST_KEPT, /* its first sector alone */
	CUT_FIRST_GONE, /* all but its first sector */
	CUT_LAST_KEPT,
	CUT_LAST_GONE,
	CUT_ODD_GONE,
	CUT_EVEN_GONE,
	CUTS,
};

static unsigned writes, dies_at; /* 0: it does not */
static enum cut cut;

static bool is_kept(size_t i, size_t n)
{
	switch (cut) {
	case CUT_FIRST_KEPT:
		return i == 0;
	case CUT_FIRST_GONE:
		return i != 0;
	case CUT_LAST_KEPT:
		return i == n - 1;
	case CUT_LAST_GONE:
		return i != n - 1;
	case CUT_ODD_GONE:
		return i % 2 == 0;
	case CUT_EVEN_GONE:
		return i % 2 != 0;
	default:
		return false;
	}
}

static void write_cut(int fd, const uint8_t *p, size_t len, off_t off)
{
	size_t first = (size_t)off / SECTOR, n = ((size_t)off + len + SECTOR - 1) / SECTOR - first;

	for (size_t i = 0; i < n; i++) {
		size_t from = (first + i) * SECTOR, to = from + SECTOR;

		from = from < (size_t)off ? (size_t)off : from;
		to = to > (size_t)off + len ? (size_t)off + len : to;
		if (is_kept(i, n))
			(void)!pwrite(fd, p + (from - (size_t)off), to - from, (off_t)from);
	}
	raise(SIGKILL);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
	if (dies_at && ++writes == dies_at)
		write_cut(fd, iov[0].iov_base, iov[0].iov_len, off);
	return syscall(SYS_pwritev2, fd, iov, (long)count, (long)off, 0L, (long)flags);
}

/* ---- fixture ---- */
static char dir[64], state[64];
static int statefd;
static uint8_t vault[KEYS_VAULT_ID_LEN] = "a powerless one";
static uint8_t root_pk[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN], sign_pk[KEYS_LEN],
	sign_sk[KEYS_SIGN_SK_LEN], cert[KEYS_SIG_LEN], reader_sk[KEYS_LEN];
static struct keys_list_entry reader[2];
static const uint8_t vault_root[KEYS_LEN] = "as it was";
static struct t_found found;

static void setup(void)
{
	strcpy(dir, "/tmp/journalfs-power-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	strcpy(state, "/tmp/journalfs-power-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(state));
	ck_assert_int_eq(keys_init(), 0);
	statefd = open(state, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(statefd, 0);
	keys_sign_new(root_pk, root_sk);
	keys_sign_new(sign_pk, sign_sk);
	keys_daemon_certify(vault, sign_pk, root_sk, cert);
	keys_box_new(reader[0].box_pk, reader_sk);
	keys_box_new(reader[1].box_pk, reader_sk);
	writes = dies_at = 0;
}

static void teardown(void)
{
	close(statefd);
	t_remove_all(dir);
	t_remove_all(state);
}

static struct fs_log *open_log(void)
{
	struct fs_log_config c = {
		.dir = dir,
		.readers = reader,
		.reader_count = 1,
		.sign_sk = sign_sk,
		.segment_bytes = FS_LOG_SEGMENT_MIN,
		.root_pk = root_pk,
		.daemon_cert = cert,
		.statefd = &statefd,
	};
	struct fs_log *l = NULL;

	memcpy(c.vault, vault, sizeof(vault));
	ck_assert_int_eq(fs_log_open(&c, &l), 0);
	fs_log_vault_root(l, 1, vault_root);
	return l;
}

/* Of a length that differs, so that frames begin anywhere in a sector. */
static void write_many(struct fs_log *l, unsigned n, unsigned length)
{
	for (unsigned i = 0; i < n; i++) {
		struct policy_record r;

		policy_record_init(&r, POLICY_RECORD_OPEN);
		r.note = i;
		memset(r.detail, 'x', (i * 37 + length * 53) % (sizeof(r.detail) - 1));
		ck_assert_int_eq(fs_log_append(l, &r, NULL), 0);
	}
	ck_assert_int_eq(fs_log_wait(l, 0), 0);
}

static void seal(struct fs_log *l)
{
	ck_assert_int_eq(fs_log_checkpoint_now(l, 1, vault_root), 0);
}

static void session(unsigned length)
{
	struct fs_log *l = open_log();

	seal(l);
	write_many(l, 5, length);
	seal(l);
	write_many(l, 3, length);
	ck_assert_int_eq(fs_log_readers(l, reader, 2), 0);
	for (unsigned i = 0; i < 12; i++)
		write_many(l, 40, length + i);
	seal(l);
	ck_assert_int_eq(fs_log_close(l), 0);
}

/* Whether the power went before it was done. */
static bool session_cut(unsigned nth, enum cut how, unsigned length)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		dies_at = nth;
		cut = how;
		session(length);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) || !WEXITSTATUS(status));
	return WIFSIGNALED(status);
}

/* The next daemon starts, is killed at once or stops; all that was found was a crash. */
static void check_left(unsigned nth, bool stop)
{
	struct fs_log *l;
	int rc;

	if (stop) {
		l = open_log();
		write_many(l, 2, nth);
		ck_assert_int_eq(fs_log_close(l), 0);
	}
	rc = t_verify_rc(dir, NULL, &found);
	if (rc == -ENODATA && !stop)
		return; /* not even the first stream's head */
	ck_assert_int_eq(rc, 0);
	for (size_t i = 0; i < found.n; i++)
		ck_assert_msg(found.f[i].kind >= FS_LOG_NOTES || found.f[i].kind == FS_LOG_UNPROVEN,
			      "write %u, cut %d: alarm: %s, record %" PRIu64 " (%s)", nth, (int)cut,
			      fs_log_finding_text(found.f[i].kind), found.f[i].seq, found.text[i]);
}

START_TEST(power_that_goes_in_any_write_is_no_alarm)
{
	unsigned deaths = 0;
	bool cut_off = true;

	ck_assert_int_eq(fs_log_close(open_log()), 0);
	cut = (enum cut)_i;
	for (unsigned n = 1; cut_off; n++) {
		cut_off = session_cut(n, (enum cut)_i, n);
		deaths += cut_off;
		check_left(n, false);
		check_left(n, true);
	}
	ck_assert_uint_gt(deaths, 15);
}
END_TEST

/* The same in the first start of all, and in a start behind a stop, at each place in a sector. */
START_TEST(power_that_goes_in_a_start_is_no_alarm)
{
	cut = (enum cut)_i;
	for (unsigned length = 0; length < 16; length++) {
		(void)session_cut(1 + length % 4, (enum cut)_i, length);
		check_left(length, false);
		check_left(length, true);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fs/log, power cuts");
	TCase *t = tcase_create("power");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, power_that_goes_in_any_write_is_no_alarm, 0, CUTS);
	tcase_add_loop_test(t, power_that_goes_in_a_start_is_no_alarm, 0, CUTS);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *r = srunner_create(suite());
	int failed;

	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
