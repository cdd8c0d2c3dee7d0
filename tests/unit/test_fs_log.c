/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/log*.c: what was waited for is there after any crash, what can't be written is refused,
 * what was damaged is named and the rest still read.
 *
 * pwritev2, pwritev, fdatasync and posix_fallocate are defined here, before the C library's, so that
 * each can be made to fail; otherwise they pass on to the kernel.
 */
#include "../../fs/log.h"
#include "../../fs/log_segment.h"
#include "../../keys/wrap.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- faults ---- */
static atomic_int dsync_errno, fallocate_errno, fdatasync_errno;
static atomic_int short_writes; /* each write moves at most so many bytes; 0: all */
static atomic_uint writes;

static ssize_t cut_write(int fd, const struct iovec *iov, off_t off, int flags)
{
	struct iovec one = *iov;

	if (short_writes && one.iov_len > (size_t)short_writes)
		one.iov_len = (size_t)short_writes;
	return syscall(SYS_pwritev2, fd, &one, 1, off, 0, flags);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t off, int flags)
{
	ck_assert_int_eq(n, 1);
	writes++;
	if (dsync_errno) {
		errno = dsync_errno;
		return -1;
	}
	return cut_write(fd, iov, off, flags);
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	ck_assert_int_eq(n, 1);
	return cut_write(fd, iov, off, 0);
}

int fdatasync(int fd)
{
	if (fdatasync_errno) {
		errno = fdatasync_errno;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int posix_fallocate(int fd, off_t off, off_t len)
{
	if (fallocate_errno)
		return fallocate_errno;
	return syscall(SYS_fallocate, fd, 0, off, len) ? errno : 0;
}

/* ---- fixture ---- */
static char dir[64], state[64];
static int statefd;
static uint8_t vault[KEYS_VAULT_ID_LEN] = "a test vault id";
static uint8_t sign_pk[KEYS_LEN], sign_sk[KEYS_SIGN_SK_LEN];
static struct keys_list_entry reader[2];
static uint8_t reader_sk[2][KEYS_LEN];

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	strcpy(state, "/tmp/journalfs-log-state-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(state));
	statefd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(statefd, 0);
	keys_sign_new(sign_pk, sign_sk);
	for (int i = 0; i < 2; i++)
		keys_box_new(reader[i].box_pk, reader_sk[i]);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static void teardown(void)
{
	close(statefd);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	nftw(state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct fs_log_config config(void)
{
	struct fs_log_config c = {
		.dir = dir,
		.readers = reader,
		.reader_count = 1,
		.sign_sk = sign_sk,
		.segment_bytes = FS_LOG_SEGMENT_MIN,
		.statefd = &statefd,
	};

	memcpy(c.vault, vault, sizeof(vault));
	return c;
}

static struct fs_log *open_log(void)
{
	struct fs_log_config c = config();
	struct fs_log *l = NULL;

	ck_assert_int_eq(fs_log_open(&c, &l), 0);
	return l;
}

static void fill(struct policy_record *r, unsigned n)
{
	policy_record_init(r, POLICY_RECORD_OPEN);
	r->note = n;
	snprintf(r->name, sizeof(r->name), "note %u", n);
}

static int write_note(struct fs_log *l, unsigned n)
{
	struct policy_record r;

	fill(&r, n);
	return fs_log_write(l, &r);
}

/* What a reading saw. */
struct seen {
	uint64_t first, last, count, notes, stop_after;
	uint64_t note[20000]; /* times that each note was seen */
	unsigned bad;
	uint64_t bad_seq;
	char why[256];
};
static struct seen seen;

static int see(void *ctx, const struct policy_record *r)
{
	struct seen *s = ctx;

	if (!s->count++)
		s->first = r->seq;
	ck_assert_uint_gt(r->seq, s->last);
	ck_assert_int_gt(r->time_ns, 0);
	ck_assert_uint_gt(r->boot_ns, 0);
	s->last = r->seq;
	if (r->kind == POLICY_RECORD_OPEN) {
		s->notes++;
		s->note[r->note]++;
	}
	return s->stop_after && s->count == s->stop_after;
}

static void see_bad(void *ctx, uint64_t seq, const char *why)
{
	struct seen *s = ctx;

	s->bad++;
	s->bad_seq = seq;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static void read_as(int who, uint64_t from)
{
	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(fs_log_read(dir, vault, reader[who].box_pk, reader_sk[who], from, see,
				     see_bad, &seen), 0);
}

static int segment_fd(uint64_t number)
{
	char path[128], name[FS_LOG_NAME];
	int fd;

	fs_log_segment_name(number, name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void poke(uint64_t number, size_t off, const void *p, size_t len)
{
	int fd = segment_fd(number);

	ck_assert_int_eq(pwrite(fd, p, len, (off_t)off), (int)len);
	close(fd);
}

/* The n-th frame (from 0) of a segment. */
static struct fs_log_frame frame_of(uint64_t number, unsigned n)
{
	int fd = segment_fd(number);
	struct fs_log_header h;
	struct fs_log_frame f;
	struct fs_log_walk w;
	uint8_t *p = NULL;
	size_t len = 0;

	ck_assert_int_eq(fs_log_segment_load(fd, &p, &len), 0);
	ck_assert_int_eq(fs_log_header_decode(p, &h), 0);
	fs_log_walk_init(&w, &h, p, len);
	for (unsigned i = 0; i <= n; i++)
		ck_assert(fs_log_walk_next(&w, &f));
	free(p);
	close(fd);
	f.body = NULL;
	return f;
}

/* ---- reading what was written ---- */

START_TEST(records_written_are_read_in_order)
{
	struct fs_log *l = open_log();
	struct fs_log_stat st;

	for (unsigned i = 0; i < 50; i++)
		ck_assert_int_eq(write_note(l, i), 0);
	fs_log_stat(l, &st);
	ck_assert_uint_eq(st.records, 51);
	ck_assert_uint_ge(st.syncs, 51);
	ck_assert_int_eq(st.failed, 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.count, 52); /* with START and STOP */
	ck_assert_uint_eq(seen.first, 1);
	ck_assert_uint_eq(seen.last, 52);
	for (unsigned i = 0; i < 50; i++)
		ck_assert_uint_eq(seen.note[i], 1);
}
END_TEST

START_TEST(read_from_number_begins_there_and_stops_on_request)
{
	struct fs_log *l = open_log();

	for (unsigned i = 0; i < 3000; i++) {
		struct policy_record r;

		fill(&r, i);
		ck_assert_int_eq(fs_log_append(l, &r, NULL), 0);
	}
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 2500);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.first, 2500);
	ck_assert_uint_eq(seen.last, 3002);
	memset(&seen, 0, sizeof(seen));
	seen.stop_after = 7;
	ck_assert_int_eq(fs_log_read(dir, vault, reader[0].box_pk, reader_sk[0], 10, see, see_bad,
				     &seen), 0);
	ck_assert_uint_eq(seen.count, 7);
	ck_assert_uint_eq(seen.last, 16);
}
END_TEST

START_TEST(read_without_a_readers_key_yields_nothing)
{
	struct fs_log *l = open_log();

	ck_assert_int_eq(write_note(l, 1), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(1, 0);
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_uint_eq(seen.bad, 0);
}
END_TEST

START_TEST(readers_added_read_from_then_on)
{
	struct fs_log *l = open_log();

	ck_assert_int_eq(write_note(l, 1), 0);
	ck_assert_int_eq(fs_log_readers(l, reader, 2), 0);
	ck_assert_int_eq(write_note(l, 2), 0);
	ck_assert_int_eq(fs_log_readers(l, reader + 1, 1), 0);
	ck_assert_int_eq(write_note(l, 3), 0);
	ck_assert_int_eq(fs_log_readers(l, reader, 0), -EINVAL);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.note[1] + seen.note[2], 2);
	ck_assert_uint_eq(seen.note[3], 0);
	read_as(1, 0);
	ck_assert_uint_eq(seen.note[1], 0);
	ck_assert_uint_eq(seen.note[2] + seen.note[3], 2);
	ck_assert_uint_eq(seen.bad, 0);
}
END_TEST

START_TEST(readers_with_unusable_key_are_refused_and_the_old_stay)
{
	struct fs_log *l = open_log();
	struct keys_list_entry none = {0};

	ck_assert_int_eq(fs_log_readers(l, &none, 1), -EINVAL);
	ck_assert_int_eq(write_note(l, 5), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.note[5], 1);
	ck_assert_uint_eq(seen.bad, 0);
}
END_TEST

START_TEST(segments_follow_each_other_and_all_is_read)
{
	struct fs_log *l = open_log();
	uint64_t *list = NULL;
	size_t n = 0;
	int fd;

	for (unsigned i = 0; i < 6000; i++) {
		struct policy_record r;

		fill(&r, i);
		ck_assert_int_eq(fs_log_append(l, &r, NULL), 0);
	}
	ck_assert_int_eq(fs_log_close(l), 0);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(fs_log_segment_list(fd, &list, &n), 0);
	ck_assert_uint_ge(n, 4);
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(list[i], i + 1);
	free(list);
	close(fd);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.notes, 6000);
	ck_assert_uint_eq(seen.last, 6002);
}
END_TEST

START_TEST(log_reopened_goes_on_with_the_next_number)
{
	for (unsigned i = 0; i < 5; i++) {
		struct fs_log *l = open_log();

		ck_assert_int_eq(write_note(l, i), 0);
		ck_assert_int_eq(fs_log_close(l), 0);
	}
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.count, 15);
	ck_assert_uint_eq(seen.last, 15);
}
END_TEST

START_TEST(records_nobody_waits_for_become_durable)
{
	struct fs_log *l = open_log();
	struct policy_record r;

	fill(&r, 9);
	ck_assert_int_eq(fs_log_append(l, &r, NULL), 0);
	do {
		usleep(1000);
		read_as(0, 0);
	} while (!seen.note[9]);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_int_eq(fs_log_close(l), 0);
}
END_TEST

static void *many(void *arg)
{
	struct fs_log *l = arg;

	for (unsigned i = 0; i < 300; i++)
		ck_assert_int_eq(write_note(l, i), 0);
	return NULL;
}

START_TEST(threads_that_write_at_once_share_writes)
{
	struct fs_log *l = open_log();
	pthread_t t[8];

	writes = 0;
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, many, l), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_lt(writes, 8 * 300);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 0);
	for (unsigned i = 0; i < 300; i++)
		ck_assert_uint_eq(seen.note[i], 8);
}
END_TEST

START_TEST(records_of_all_sizes_fit)
{
	static struct policy_record_note notes[2000];
	struct fs_log *l = open_log();
	struct policy_record r;

	for (size_t i = 0; i < 2000; i++)
		notes[i] = (struct policy_record_note){.note = i, .name = "a note of some name"};
	for (size_t n = 0; n <= 2000; n += 250) {
		policy_record_init(&r, POLICY_RECORD_INTENT);
		r.notes = notes;
		r.note_count = n;
		ck_assert_int_eq(fs_log_write(l, &r), 0);
	}
	for (size_t i = 0; i < 2000; i++)
		notes[i].name = "a name so long that two thousand of them are more than a record holds";
	ck_assert_int_eq(fs_log_write(l, &r), -EMSGSIZE);
	ck_assert_int_eq(write_note(l, 1), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.count, 9 + 3);
}
END_TEST

/* ---- damage ---- */

START_TEST(record_damaged_is_named_and_the_rest_read)
{
	struct fs_log *l = open_log();
	struct fs_log_frame f;

	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(write_note(l, i), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	f = frame_of(1, 6); /* head, tree, START, notes 0 to 3: record 5 is note 3 */
	poke(1, f.off + FS_LOG_FRAME + 30, "damage", 6);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 1);
	ck_assert_uint_eq(seen.bad_seq, 5);
	ck_assert_uint_eq(seen.notes, 9);
	ck_assert_uint_eq(seen.note[3], 0);
}
END_TEST

START_TEST(frame_header_wiped_loses_one_record_and_is_said)
{
	static const uint8_t zeros[FS_LOG_FRAME];
	struct fs_log *l = open_log();
	struct fs_log_frame f;

	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(write_note(l, i), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	f = frame_of(1, 6);
	poke(1, f.off, zeros, sizeof(zeros));
	read_as(0, 0);
	ck_assert_uint_ge(seen.bad, 1);
	ck_assert_uint_eq(seen.bad_seq, 5);
	ck_assert_uint_eq(seen.notes, 9);
	/* The writer goes on behind what is left, and no number is given twice. */
	l = open_log();
	ck_assert_int_eq(write_note(l, 77), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad_seq, 5);
	ck_assert_uint_eq(seen.note[77], 1);
	ck_assert_uint_eq(seen.notes, 10);
}
END_TEST

START_TEST(lie_about_a_number_does_not_hide_what_follows)
{
	struct fs_log *l = open_log();
	struct fs_log_frame f;
	uint8_t far[8] = {200, 1};

	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(write_note(l, i), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	f = frame_of(1, 6);
	poke(1, f.off + 16, far, sizeof(far));
	read_as(0, 0);
	ck_assert_uint_ge(seen.bad, 1);
	/* Smaller numbers behind the lie are no frames; the liar's own record is lost too. */
	ck_assert_uint_ge(seen.notes, 3);
	ck_assert_uint_eq(seen.note[0] + seen.note[1] + seen.note[2], 3);
}
END_TEST

START_TEST(torn_tail_is_left_alone_and_passed_over)
{
	struct fs_log *l = open_log();
	struct fs_log_frame f;
	uint8_t before[64], after[64], zeros[8192] = {0};
	int fd;

	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(write_note(l, i), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	f = frame_of(1, 12); /* the last: STOP comes next, cut off in its frame header */
	fd = segment_fd(1);
	f.off += fs_log_frame_size(f.len);
	poke(1, f.off + 11, zeros, sizeof(zeros));
	fs_log_forget(statefd, false); /* the power went before STOP was on disk */
	ck_assert_int_eq(pread(fd, before, sizeof(before), (off_t)f.off), sizeof(before));
	l = open_log();
	ck_assert_int_eq(write_note(l, 11), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	ck_assert_int_eq(pread(fd, after, 11, (off_t)f.off), 11);
	ck_assert_mem_eq(before, after, 11);
	close(fd);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 1);
	ck_assert_uint_eq(seen.bad_seq, 12);
	ck_assert_uint_eq(seen.notes, 11);
	ck_assert_uint_eq(seen.last, 14); /* START again, note 11, STOP */
}
END_TEST

START_TEST(record_torn_in_its_body_is_reported)
{
	struct fs_log *l = open_log();
	struct fs_log_frame f;
	uint8_t zeros[4096] = {0};

	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(write_note(l, i), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	f = frame_of(1, 6);
	poke(1, f.off + FS_LOG_FRAME + 20, zeros, sizeof(zeros));
	fs_log_forget(statefd, false);
	l = open_log();
	ck_assert_int_eq(write_note(l, 3), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 1);
	ck_assert_uint_eq(seen.bad_seq, 5);
	ck_assert_uint_eq(seen.notes, 4);
}
END_TEST

START_TEST(segment_removed_is_noticed)
{
	struct fs_log *l = open_log();
	char path[128];

	for (unsigned i = 0; i < 6000; i++) {
		struct policy_record r;

		fill(&r, i);
		ck_assert_int_eq(fs_log_append(l, &r, NULL), 0);
	}
	ck_assert_int_eq(fs_log_close(l), 0);
	snprintf(path, sizeof(path), "%s/00000002.seg", dir);
	ck_assert_int_eq(unlink(path), 0);
	read_as(0, 0);
	ck_assert_uint_ge(seen.bad, 3); /* the segment, the numbers, the stream */
	ck_assert_uint_lt(seen.notes, 6000);
	ck_assert_uint_eq(seen.last, 6002);
}
END_TEST

/* Appends n records and closes: several segments. */
static void write_many(unsigned n)
{
	struct fs_log *l = open_log();

	for (unsigned i = 0; i < n; i++) {
		struct policy_record r;

		fill(&r, i);
		ck_assert_int_eq(fs_log_append(l, &r, NULL), 0);
	}
	ck_assert_int_eq(fs_log_close(l), 0);
}

static void remove_segment(uint64_t number)
{
	char path[128], name[FS_LOG_NAME];

	fs_log_segment_name(number, name);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(first_segments_removed_are_noticed)
{
	write_many(6000);
	remove_segment(1);
	read_as(0, 0);
	ck_assert_uint_ge(seen.bad, 3); /* the segment, the numbers, the stream */
	ck_assert_uint_lt(seen.notes, 6000);
	ck_assert_uint_eq(seen.last, 6002);
}
END_TEST

START_TEST(header_that_lies_about_its_first_number_hides_nothing)
{
	uint8_t one[8] = {1};

	write_many(6000);
	poke(3, 40, one, sizeof(one)); /* first_seq */
	read_as(0, 100);
	ck_assert_uint_gt(seen.first, 100);
	ck_assert_uint_ge(seen.bad, 1);
	ck_assert_uint_eq(seen.bad_seq, 100);
}
END_TEST

START_TEST(end_cut_off_is_refused_and_reported)
{
	static const uint8_t zeros[FS_LOG_SEGMENT_MIN];
	struct fs_log_reading q = {
		.dir = dir,
		.vault = vault,
		.box_pk = reader[0].box_pk,
		.box_sk = reader_sk[0],
		.fn = see,
		.bad = see_bad,
		.ctx = &seen,
	};
	struct fs_log_config c = config();
	struct fs_log *l = open_log();
	struct fs_log_stat st;
	struct fs_log_frame f;

	for (unsigned i = 0; i < 9; i++)
		ck_assert_int_eq(write_note(l, i), 0);
	fs_log_stat(l, &st);
	ck_assert_uint_eq(st.durable, 10); /* START and nine */
	ck_assert_int_eq(fs_log_close(l), 0);
	memset(&seen, 0, sizeof(seen));
	q.least = c.least_seq = st.durable;
	ck_assert_int_eq(fs_log_read_as(&q), 0);
	ck_assert_uint_eq(seen.bad, 0);

	f = frame_of(1, 8); /* record 7 */
	ck_assert_uint_eq(f.seq, 7);
	poke(1, f.off, zeros, sizeof(zeros) - f.off);
	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(fs_log_read_as(&q), 0);
	ck_assert_uint_eq(seen.last, 6);
	ck_assert_uint_eq(seen.bad, 1);
	ck_assert_uint_eq(seen.bad_seq, 7);
	l = NULL;
	ck_assert_int_eq(fs_log_open(&c, &l), -ESTALE);
	ck_assert_ptr_null(l);

	remove_segment(1);
	remove_segment(2); /* the spare */
	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(fs_log_read_as(&q), 0);
	ck_assert_uint_eq(seen.bad_seq, 1);
	ck_assert_int_eq(fs_log_open(&c, &l), -ESTALE);
}
END_TEST

/* A number that wraps would make waiting for a record succeed before it is written. */
START_TEST(planted_segment_cannot_wrap_the_numbers)
{
	struct fs_log_header h = {.number = 2, .first_seq = UINT64_MAX, .bytes = FS_LOG_SEGMENT_MIN};
	uint8_t p[FS_LOG_HEADER];
	struct fs_log *l;

	write_many(3);
	memcpy(h.vault, vault, sizeof(vault));
	fs_log_header_encode(&h, p);
	poke(2, 0, p, sizeof(p));
	l = open_log();
	ck_assert_int_eq(write_note(l, 4), 0);
	dsync_errno = EIO;
	ck_assert_int_eq(write_note(l, 5), -EIO);
	dsync_errno = 0;
	ck_assert_int_lt(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.note[4], 1);
	ck_assert_uint_eq(seen.last, 7); /* START, 3, STOP, START, 1 */
}
END_TEST

START_TEST(segment_in_use_is_never_made_anew)
{
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY), fd = -1;

	write_many(3);
	ck_assert_int_eq(fs_log_segment_make(dirfd, 1, FS_LOG_SEGMENT_MIN, &fd), -EEXIST);
	ck_assert_int_eq(fs_log_segment_make(dirfd, UINT64_C(100000001), FS_LOG_SEGMENT_MIN, &fd),
			 -EFBIG); /* its name would be that of segment 1 */
	read_as(0, 0);
	ck_assert_uint_eq(seen.notes, 3);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_int_eq(fs_log_segment_make(dirfd, 2, FS_LOG_SEGMENT_MIN, &fd), 0);
	close(fd);
	close(dirfd);
}
END_TEST

START_TEST(segment_cut_to_a_stub_is_not_written_over)
{
	struct fs_log_config c = config();
	struct fs_log *l = NULL;
	int fd;

	write_many(3);
	fd = segment_fd(1);
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	close(fd);
	remove_segment(2);
	/* All that there is is damaged: refused rather than begun anew. */
	ck_assert_int_eq(fs_log_open(&c, &l), -EBADMSG);
	fd = segment_fd(1);
	ck_assert_int_eq(fs_log_segment_unused(fd), -EEXIST);
	close(fd);
}
END_TEST

START_TEST(header_damaged_is_said_and_never_appended_to)
{
	struct fs_log *l = open_log();
	uint64_t *list = NULL;
	size_t n = 0;
	int fd;

	ck_assert_int_eq(write_note(l, 1), 0);
	for (unsigned i = 0; i < 3000; i++) {
		struct policy_record r;

		fill(&r, 2);
		ck_assert_int_eq(fs_log_append(l, &r, NULL), 0);
	}
	ck_assert_int_eq(fs_log_close(l), 0);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(fs_log_segment_list(fd, &list, &n), 0);
	close(fd);
	for (uint64_t s = n; s > 1; s--) {
		struct fs_log_header h;
		uint8_t p[FS_LOG_HEADER];

		fd = segment_fd(s);
		ck_assert_int_eq(pread(fd, p, sizeof(p), 0), sizeof(p));
		close(fd);
		if (fs_log_header_decode(p, &h))
			continue;
		poke(s, 3, "xx", 2);
		break;
	}
	free(list);
	l = open_log();
	ck_assert_int_eq(write_note(l, 3), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_ge(seen.bad, 1);
	ck_assert_uint_eq(seen.note[1], 1);
	ck_assert_uint_eq(seen.note[2], 3000);
	ck_assert_uint_eq(seen.note[3], 1);
}
END_TEST

START_TEST(open_refuses_another_vaults_log_and_junk)
{
	struct fs_log *l = open_log();
	struct fs_log_config c = config();
	struct fs_log *out = NULL;

	ck_assert_int_eq(fs_log_close(l), 0);
	c.vault[0] ^= 1;
	ck_assert_int_eq(fs_log_open(&c, &out), -EBADMSG);
	ck_assert_ptr_null(out);
	poke(1, 0, "this is no log at all", 21);
	c = config();
	ck_assert_int_eq(fs_log_open(&c, &out), -EBADMSG);
	c.dir = "/nonexistent/log";
	ck_assert_int_eq(fs_log_open(&c, &out), -ENOENT);
	c.reader_count = 0;
	ck_assert_int_eq(fs_log_open(&c, &out), -EINVAL);
}
END_TEST

static bool only_ours(void *ctx, const uint8_t pk[static KEYS_LEN])
{
	(void)ctx;
	return keys_equal(pk, sign_pk, KEYS_LEN);
}

START_TEST(stream_signed_by_a_stranger_is_not_believed)
{
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
	struct fs_log *l = open_log();
	struct fs_log_config c = config();
	struct fs_log_reading q = {
		.dir = dir,
		.vault = vault,
		.box_pk = reader[0].box_pk,
		.box_sk = reader_sk[0],
		.fn = see,
		.bad = see_bad,
		.signer_ok = only_ours,
		.ctx = &seen,
	};

	ck_assert_int_eq(write_note(l, 1), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	keys_sign_new(pk, sk);
	c.sign_sk = sk;
	ck_assert_int_eq(fs_log_open(&c, &l), 0);
	ck_assert_int_eq(write_note(l, 2), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	memset(&seen, 0, sizeof(seen));
	ck_assert_int_eq(fs_log_read_as(&q), 0);
	ck_assert_uint_eq(seen.note[1], 1);
	ck_assert_uint_eq(seen.note[2], 0);
	ck_assert_uint_eq(seen.bad, 1);
}
END_TEST

START_TEST(stream_head_changed_is_not_believed)
{
	struct fs_log *l = open_log();

	ck_assert_int_eq(write_note(l, 1), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	poke(1, FS_LOG_HEADER + FS_LOG_FRAME + 48, "x", 1); /* its time */
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 1);
	ck_assert_uint_eq(seen.count, 0);
}
END_TEST

/* ---- faults ---- */

START_TEST(write_error_refuses_everything_from_then_on)
{
	struct fs_log *l = open_log();
	struct fs_log_stat st;
	struct policy_record r;

	ck_assert_int_eq(write_note(l, 1), 0);
	dsync_errno = EIO;
	ck_assert_int_eq(write_note(l, 2), -EIO);
	dsync_errno = 0;
	ck_assert_int_eq(write_note(l, 3), -EIO);
	fill(&r, 4);
	ck_assert_int_eq(fs_log_append(l, &r, NULL), -EIO);
	ck_assert_int_eq(fs_log_readers(l, reader, 2), -EIO);
	fs_log_stat(l, &st);
	ck_assert_int_eq(st.failed, -EIO);
	ck_assert_int_eq(fs_log_wait(l, 0), -EIO);
	ck_assert_int_eq(fs_log_wait(l, 2), 0); /* note 1 was durable before */
	ck_assert_int_eq(fs_log_close(l), -EIO);
	l = open_log();
	ck_assert_int_eq(write_note(l, 5), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.note[1] + seen.note[5], 2);
	ck_assert_uint_eq(seen.note[2] + seen.note[3] + seen.note[4], 0);
}
END_TEST

START_TEST(open_fails_when_start_cannot_be_written)
{
	struct fs_log_config c = config();
	struct fs_log *l = NULL;

	dsync_errno = EIO;
	ck_assert_int_eq(fs_log_open(&c, &l), -EIO);
	ck_assert_ptr_null(l);
	dsync_errno = 0;
	l = open_log();
	ck_assert_int_eq(fs_log_close(l), 0);
}
END_TEST

START_TEST(write_falls_back_where_the_flag_is_unknown)
{
	struct fs_log *l;

	dsync_errno = EOPNOTSUPP;
	l = open_log();
	ck_assert_int_eq(write_note(l, 1), 0);
	fdatasync_errno = EIO;
	ck_assert_int_eq(write_note(l, 2), -EIO);
	fdatasync_errno = 0;
	ck_assert_int_eq(fs_log_close(l), -EIO);
	dsync_errno = 0;
	read_as(0, 0);
	ck_assert_uint_eq(seen.note[1], 1);
}
END_TEST

START_TEST(short_writes_are_finished)
{
	struct fs_log *l;

	short_writes = 100;
	l = open_log();
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(write_note(l, i), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	short_writes = 0;
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.notes, 20);
}
END_TEST

START_TEST(full_disk_refuses_when_the_segment_is_full_and_recovers)
{
	struct fs_log *l = open_log();
	struct fs_log_stat st;
	unsigned n = 0;
	int rc;

	do { /* the first spare is made in the background */
		usleep(1000);
		fs_log_stat(l, &st);
	} while (st.free_bytes < FS_LOG_SEGMENT_MIN);
	fallocate_errno = ENOSPC;
	while (!(rc = write_note(l, n)))
		n++;
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_gt(n, 1500); /* current segment and spare were used up */
	ck_assert_int_eq(write_note(l, 0), -ENOSPC);
	fs_log_stat(l, &st);
	ck_assert_int_eq(st.failed, -ENOSPC);
	fallocate_errno = 0;
	ck_assert_int_eq(write_note(l, n), 0);
	fs_log_stat(l, &st);
	ck_assert_int_eq(st.failed, 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.notes, n + 1);
}
END_TEST

/* What an ordinary record leaves: first people still get in and out, at last emergencies alone are logged. */
START_TEST(full_log_keeps_room_for_emergencies)
{
	struct fs_log *l = open_log();
	unsigned notes = 0, logins = 0, emergencies = 0;
	struct policy_record r;
	struct fs_log_stat st;
	int rc;

	do {
		usleep(1000);
		fs_log_stat(l, &st);
	} while (st.free_bytes < FS_LOG_SEGMENT_MIN);
	fallocate_errno = ENOSPC;
	while (!(rc = write_note(l, notes)))
		notes++;
	ck_assert_int_eq(rc, -ENOSPC);
	do {
		policy_record_init(&r, POLICY_RECORD_LOGIN);
		rc = fs_log_write(l, &r);
		logins += !rc;
	} while (!rc);
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_gt(logins, 100);
	ck_assert_int_eq(write_note(l, notes), -ENOSPC);
	policy_record_init(&r, POLICY_RECORD_NOTICE); /* a notify service that fails again and again */
	r.grant = 7;
	ck_assert_int_eq(fs_log_write(l, &r), -ENOSPC);
	policy_record_init(&r, POLICY_RECORD_BREAK_GLASS);
	ck_assert_int_eq(fs_log_write(l, &r), 0);
	do { /* what is read under a grant */
		policy_record_init(&r, POLICY_RECORD_LIST);
		r.grant = 7;
		rc = fs_log_write(l, &r);
		emergencies += !rc;
	} while (!rc);
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_gt(emergencies, 30);
	/* However much is done under one emergency, the next can still begin. */
	policy_record_init(&r, POLICY_RECORD_BREAK_GLASS);
	r.grant = 8;
	ck_assert_int_eq(fs_log_write(l, &r), 0);
	policy_record_init(&r, POLICY_RECORD_KEYS);
	r.grant = 8;
	ck_assert_int_eq(fs_log_write(l, &r), 0);
	fallocate_errno = 0;
	ck_assert_int_eq(write_note(l, notes), 0);
	ck_assert_int_eq(fs_log_close(l), 0);
	read_as(0, 0);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.notes, notes + 1);
}
END_TEST

START_TEST(spare_left_by_an_earlier_run_serves_on_a_full_disk)
{
	struct fs_log *l = open_log();
	struct fs_log_stat st;

	do {
		usleep(1000);
		fs_log_stat(l, &st);
	} while (st.free_bytes < FS_LOG_SEGMENT_MIN);
	ck_assert_int_eq(fs_log_close(l), 0);
	fallocate_errno = ENOSPC;
	l = open_log();
	fs_log_stat(l, &st);
	ck_assert_uint_ge(st.free_bytes, FS_LOG_SEGMENT_MIN);
	ck_assert_int_eq(fs_log_close(l), 0);
	fallocate_errno = 0;
}
END_TEST

START_TEST(killed_writer_loses_nothing_that_was_waited_for)
{
	for (int round = 0; round < 12; round++) {
		uint64_t acked = 0, got;
		int pipes[2], status;
		pid_t pid;

		ck_assert_int_eq(pipe(pipes), 0);
		pid = fork();
		if (!pid) {
			struct fs_log *l = open_log();
			struct policy_record r;
			uint64_t seq = 0;

			for (unsigned i = 0;; i++) {
				fill(&r, i % 1000);
				if (fs_log_append(l, &r, NULL) || write_note(l, i % 1000))
					_exit(1);
				seq = r.seq + 1;
				if (write(pipes[1], &seq, sizeof(seq)) != sizeof(seq))
					_exit(1);
			}
		}
		close(pipes[1]);
		for (int n = 0; n < 20 + round * 60; n++)
			if (read(pipes[0], &got, sizeof(got)) == sizeof(got))
				acked = got;
		kill(pid, SIGKILL);
		while (read(pipes[0], &got, sizeof(got)) == sizeof(got))
			acked = got;
		close(pipes[0]);
		waitpid(pid, &status, 0);
		ck_assert(WIFSIGNALED(status));
		ck_assert_uint_gt(acked, 0);
		read_as(0, 0);
		ck_assert_uint_ge(seen.last, acked);
		ck_assert_uint_eq(seen.count, seen.last); /* every number, from 1 */
	}
}
END_TEST

/* ---- format ---- */

START_TEST(format_has_the_documented_offsets)
{
	struct fs_log_header h = {.number = 2, .first_seq = 300, .bytes = 8 << 20}, back;
	uint8_t p[FS_LOG_HEADER], f[FS_LOG_FRAME];
	char name[FS_LOG_NAME];

	memcpy(h.vault, vault, sizeof(vault));
	fs_log_header_encode(&h, p);
	ck_assert_mem_eq(p, "JFSLOG\r\n\x02\x00\x80\x00\x00\x00\x00\x00", 16);
	ck_assert_mem_eq(p + 16, vault, 16);
	ck_assert_mem_eq(p + 32, "\x02\0\0\0\0\0\0\0\x2c\x01\0\0\0\0\0\0\0\0\x80\0\0\0\0\0", 24);
	ck_assert_int_eq(fs_log_header_decode(p, &back), 0);
	ck_assert_uint_eq(back.first_seq, 300);
	p[127] = 1;
	ck_assert_int_eq(fs_log_header_decode(p, &back), -EBADMSG);
	memset(p, 0, sizeof(p));
	ck_assert_int_eq(fs_log_header_decode(p, &back), -ENODATA);
	fs_log_frame_encode(FS_LOG_RECORD, 5, 0x1234, f);
	ck_assert_mem_eq(f, "JFRC\x34\x12\0\0\xcb\xed\xff\xff\0\0\0\0\x05\0\0\0\0\0\0\0", 24);
	fs_log_segment_name(42, name);
	ck_assert_str_eq(name, "00000042.seg");
	ck_assert_uint_eq(fs_log_frame_size(1), 32);
	ck_assert_uint_eq(fs_log_frame_size(16), 40);
	ck_assert_uint_eq(FS_LOG_HEAD_FIXED + FS_LOG_HEAD_WRAP, 384);
	ck_assert_uint_eq(fs_log_frame_size(FS_LOG_HEAD_FIXED + FS_LOG_HEAD_WRAP), 408);
	ck_assert_uint_gt(FS_LOG_SEGMENT_MIN, FS_LOG_HEADER + fs_log_frame_size(FS_LOG_HEAD_MAX) +
			  fs_log_frame_size(keys_ratchet_sealed_len(POLICY_RECORD_MAX)));
}
END_TEST

START_TEST(numbers_of_a_segment_never_run_further_than_its_frames)
{
	const size_t len = FS_LOG_SEGMENT_MIN;
	const uint64_t most = len / FS_LOG_FRAME;
	struct fs_log_header h = {.number = 1, .first_seq = 1, .bytes = len};
	uint8_t *p = calloc(1, len);
	struct fs_log_frame f;
	struct fs_log_walk w;

	ck_assert_ptr_nonnull(p);
	fs_log_header_encode(&h, p);
	/* Each jumps as far as a whole segment of frames could. */
	for (size_t n = 0; n < 3; n++)
		fs_log_frame_encode(FS_LOG_RECORD, 1 + (n + 1) * most, 8,
				    p + FS_LOG_HEADER + n * fs_log_frame_size(8));
	fs_log_walk_init(&w, &h, p, len);
	ck_assert(fs_log_walk_next(&w, &f));
	ck_assert_uint_eq(f.seq, 1 + most);
	ck_assert(!fs_log_walk_next(&w, &f));
	/* A damaged header: the first frame says where it begins. */
	fs_log_walk_init(&w, NULL, p, len);
	ck_assert(fs_log_walk_next(&w, &f));
	ck_assert(fs_log_walk_next(&w, &f));
	ck_assert_uint_eq(f.seq, 1 + 2 * most);
	ck_assert(!fs_log_walk_next(&w, &f));
	free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_log");
	TCase *t = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, numbers_of_a_segment_never_run_further_than_its_frames);
	tcase_add_test(t, records_written_are_read_in_order);
	tcase_add_test(t, read_from_number_begins_there_and_stops_on_request);
	tcase_add_test(t, read_without_a_readers_key_yields_nothing);
	tcase_add_test(t, readers_added_read_from_then_on);
	tcase_add_test(t, readers_with_unusable_key_are_refused_and_the_old_stay);
	tcase_add_test(t, segments_follow_each_other_and_all_is_read);
	tcase_add_test(t, log_reopened_goes_on_with_the_next_number);
	tcase_add_test(t, records_nobody_waits_for_become_durable);
	tcase_add_test(t, threads_that_write_at_once_share_writes);
	tcase_add_test(t, records_of_all_sizes_fit);
	tcase_add_test(t, record_damaged_is_named_and_the_rest_read);
	tcase_add_test(t, frame_header_wiped_loses_one_record_and_is_said);
	tcase_add_test(t, lie_about_a_number_does_not_hide_what_follows);
	tcase_add_test(t, torn_tail_is_left_alone_and_passed_over);
	tcase_add_test(t, record_torn_in_its_body_is_reported);
	tcase_add_test(t, segment_removed_is_noticed);
	tcase_add_test(t, first_segments_removed_are_noticed);
	tcase_add_test(t, header_that_lies_about_its_first_number_hides_nothing);
	tcase_add_test(t, end_cut_off_is_refused_and_reported);
	tcase_add_test(t, planted_segment_cannot_wrap_the_numbers);
	tcase_add_test(t, segment_in_use_is_never_made_anew);
	tcase_add_test(t, segment_cut_to_a_stub_is_not_written_over);
	tcase_add_test(t, header_damaged_is_said_and_never_appended_to);
	tcase_add_test(t, open_refuses_another_vaults_log_and_junk);
	tcase_add_test(t, stream_signed_by_a_stranger_is_not_believed);
	tcase_add_test(t, stream_head_changed_is_not_believed);
	tcase_add_test(t, write_error_refuses_everything_from_then_on);
	tcase_add_test(t, open_fails_when_start_cannot_be_written);
	tcase_add_test(t, write_falls_back_where_the_flag_is_unknown);
	tcase_add_test(t, short_writes_are_finished);
	tcase_add_test(t, full_disk_refuses_when_the_segment_is_full_and_recovers);
	tcase_add_test(t, full_log_keeps_room_for_emergencies);
	tcase_add_test(t, spare_left_by_an_earlier_run_serves_on_a_full_disk);
	tcase_add_test(t, killed_writer_loses_nothing_that_was_waited_for);
	tcase_add_test(t, format_has_the_documented_offsets);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
