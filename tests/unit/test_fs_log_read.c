/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of fs/log_read*.c: a reading that asks for some records gets exactly those, with an index,
 * without one and with one that lies, alone and with threads; and says of damage what it must.
 */
#include "../../fs/log.h"
#include "../../fs/log_index.h"
#include "../../fs/log_segment.h"
#include "../../keys/recovery.h"
#include "../../keys/wrap.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS_MAX 20000
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char dir[64], state[64];
static int statefd = -1;
static uint8_t vault[KEYS_VAULT_ID_LEN] = "a test vault id";
static uint8_t sign_pk[KEYS_LEN], sign_sk[KEYS_SIGN_SK_LEN];
static uint8_t root_pk[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN], cert[KEYS_SIG_LEN];
static struct keys_list_entry reader[2];
static uint8_t reader_sk[2][KEYS_LEN];

/* What was written, by number. */
static struct {
	uint32_t journal, practitioner;
	int64_t time_ns;
	unsigned mark; /* of the run that wrote it */
} written[RECORDS_MAX];
static uint64_t last_written;

static void setup(void)
{
	ck_assert_int_eq(keys_init(), 0);
	strcpy(dir, "/tmp/journalfs-read-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	strcpy(state, "/tmp/journalfs-read-state-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(state));
	statefd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(statefd, 0);
	keys_sign_new(root_pk, root_sk);
	keys_sign_new(sign_pk, sign_sk);
	keys_daemon_certify(vault, sign_pk, root_sk, cert);
	for (int i = 0; i < 2; i++)
		keys_box_new(reader[i].box_pk, reader_sk[i]);
	memset(written, 0, sizeof(written));
	last_written = 0;
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

static struct fs_log *open_log(unsigned readers)
{
	struct fs_log_config c = {
		.dir = dir,
		.readers = reader,
		.reader_count = readers,
		.sign_sk = sign_sk,
		.segment_bytes = FS_LOG_SEGMENT_MIN,
		.root_pk = root_pk,
		.daemon_cert = cert,
		.statefd = &statefd,
	};
	struct fs_log *l = NULL;

	memcpy(c.vault, vault, sizeof(vault));
	ck_assert_int_eq(fs_log_open(&c, &l), 0);
	return l;
}

/* Journals come in stretches, so that some segments hold nothing of one; journal 1 is everywhere.
 */
static void write_some(struct fs_log *l, unsigned n, unsigned mark)
{
	for (unsigned i = 0; i < n; i++) {
		struct policy_record r;
		uint64_t seq = 0;

		policy_record_init(&r, POLICY_RECORD_OPEN);
		r.journal = i % 97 == 5 ? 1 : 2 + i / 400;
		r.practitioner = 1 + i % 7;
		r.count = mark;
		snprintf(r.name, sizeof(r.name), "note %u", i);
		ck_assert_int_eq(fs_log_append(l, &r, &seq), 0);
		ck_assert_uint_lt(seq, RECORDS_MAX);
		written[seq].journal = r.journal;
		written[seq].practitioner = r.practitioner;
		written[seq].time_ns = r.time_ns;
		written[seq].mark = mark;
		last_written = seq;
	}
}

/* Three runs, the second with two streams for others. */
static void make_log(void)
{
	struct fs_log *l = open_log(1);

	write_some(l, 3000, 1);
	ck_assert_int_eq(fs_log_close(l), 0);
	l = open_log(1);
	write_some(l, 100, 2);
	ck_assert_int_eq(fs_log_readers(l, reader, 2), 0);
	write_some(l, 2500, 3);
	ck_assert_int_eq(fs_log_close(l), 0);
	l = open_log(1);
	write_some(l, 1500, 4);
	ck_assert_int_eq(fs_log_close(l), 0);
}

/* ---- readings ---- */

struct seen {
	uint64_t last, count, records[RECORDS_MAX];
	uint64_t stop_after;
	unsigned bad, shut;
	uint64_t shut_seq;
	char why[256];
	pthread_t thread;
	/* What stream keys there are: from heads, by key0. */
	size_t streams;
	uint8_t stream[64][KEYS_STREAM_ID_LEN], k0[64][KEYS_LEN];
	bool wrong_k0;
};
static struct seen seen, whole;

static int see(void *ctx, const struct policy_record *r)
{
	struct seen *s = ctx;

	ck_assert(pthread_equal(s->thread, pthread_self()));
	ck_assert_uint_gt(r->seq, s->last);
	s->last = r->seq;
	s->records[s->count++] = r->seq;
	ck_assert_uint_lt(r->seq, RECORDS_MAX);
	if (written[r->seq].mark) {
		ck_assert_uint_eq(r->journal, written[r->seq].journal);
		ck_assert_uint_eq(r->practitioner, written[r->seq].practitioner);
		ck_assert_uint_eq(r->count, written[r->seq].mark);
	}
	return s->stop_after && s->count == s->stop_after;
}

static void see_bad(void *ctx, uint64_t seq, const char *why)
{
	struct seen *s = ctx;

	(void)seq;
	ck_assert(pthread_equal(s->thread, pthread_self()));
	s->bad++;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static void see_shut(void *ctx, uint64_t seq)
{
	struct seen *s = ctx;

	ck_assert(pthread_equal(s->thread, pthread_self()));
	s->shut++;
	s->shut_seq = seq;
}

static struct fs_log_reading reading(unsigned who)
{
	memset(&seen, 0, sizeof(seen));
	seen.thread = pthread_self();
	return (struct fs_log_reading){
		.dir = dir,
		.vault = vault,
		.box_pk = reader[who].box_pk,
		.box_sk = reader_sk[who],
		.fn = see,
		.bad = see_bad,
		.shut = see_shut,
		.ctx = &seen,
	};
}

static int read_as(const struct fs_log_reading *q)
{
	return fs_log_read_as(q);
}

static bool asked(const struct fs_log_reading *q, uint64_t seq)
{
	bool in = !q->journal_count;

	for (size_t i = 0; i < q->journal_count; i++)
		in |= q->journals[i] == written[seq].journal;
	return in && seq >= q->from &&
	       (!q->practitioner || q->practitioner == written[seq].practitioner) &&
	       (!q->since_ns || written[seq].time_ns >= q->since_ns) &&
	       (!q->until_ns || written[seq].time_ns < q->until_ns);
}

/* The reading's records are exactly those written ones that it asks for. */
static void check_exact(const struct fs_log_reading *q, unsigned threads)
{
	struct fs_log_reading now = *q;
	uint64_t want = 0, got = 0;

	now.threads = threads;
	memset(&seen, 0, sizeof(seen));
	seen.thread = pthread_self();
	ck_assert_int_eq(read_as(&now), 0);
	ck_assert_msg(seen.bad == 0, "%s", seen.why);
	for (uint64_t seq = 1; seq <= last_written; seq++)
		want += written[seq].mark && asked(q, seq);
	for (uint64_t i = 0; i < seen.count; i++) {
		bool ours = written[seen.records[i]].mark;

		got += ours;
		ck_assert(!ours || asked(q, seen.records[i]));
	}
	ck_assert_uint_eq(got, want);
}

static void check_filters(void)
{
	static const uint32_t one[] = {1}, few[] = {3, 7, 99}, none[] = {12345};
	static const uint32_t *const journals[] = {NULL, one, few, none};
	static const size_t counts[] = {0, COUNT(one), COUNT(few), COUNT(none)};
	static const unsigned threads[] = {0, 3};
	int64_t middle = written[2000].time_ns, later = written[5000].time_ns;

	for (size_t j = 0; j < COUNT(journals); j++) {
		for (unsigned k = 0; k < 8; k++) {
			struct fs_log_reading q = reading(0);

			q.journals = journals[j];
			q.journal_count = counts[j];
			q.practitioner = k & 1 ? 3 : 0;
			q.since_ns = k & 2 ? middle : 0;
			q.until_ns = k & 2 ? later : 0;
			q.from = k & 4 ? 3500 : 0;
			for (size_t t = 0; t < COUNT(threads); t++)
				check_exact(&q, threads[t]);
		}
	}
}

static void path_of(uint64_t number, const char *end, char out[static 128])
{
	snprintf(out, 128, "%s/%08u.%s", dir, (unsigned)number, end);
}

static unsigned segments(void)
{
	char path[128];
	unsigned n = 0;

	do {
		path_of(++n, "seg", path);
	} while (access(path, F_OK) == 0);
	return n - 1;
}

static void flip(uint64_t number, const char *end, off_t off)
{
	char path[128];
	uint8_t b = 0;
	int fd;

	path_of(number, end, path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &b, 1, off), 1);
	b ^= 1;
	ck_assert_int_eq(pwrite(fd, &b, 1, off), 1);
	close(fd);
}

/* The frame of a record. */
static struct fs_log_frame frame_of(uint64_t seq, uint64_t *segment)
{
	struct fs_log_header h;
	struct fs_log_frame f;
	struct fs_log_walk w;
	char path[128];

	for (*segment = 1;; ++*segment) {
		uint8_t *p = NULL;
		size_t len = 0;
		bool found = false;
		int fd;

		path_of(*segment, "seg", path);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(fs_log_segment_load(fd, &p, &len), 0);
		ck_assert_int_eq(fs_log_header_decode(p, &h), 0);
		fs_log_walk_init(&w, &h, p, len);
		while (!found && fs_log_walk_next(&w, &f))
			found = f.kind == FS_LOG_RECORD && f.seq == seq;
		free(p);
		close(fd);
		f.body = NULL;
		if (found)
			return f;
	}
}

START_TEST(reading_gets_what_it_asks_for_with_indexes)
{
	char path[128];

	make_log();
	path_of(1, "idx", path);
	ck_assert_int_eq(access(path, R_OK), 0);
	check_filters();
}
END_TEST

START_TEST(reading_gets_what_it_asks_for_without_indexes)
{
	char path[128];

	make_log();
	for (unsigned i = 1; i <= segments(); i++) {
		path_of(i, "idx", path);
		unlink(path);
	}
	check_filters();
}
END_TEST

/* Damaged in its head, its entries, cut short, of another segment, empty: it is read without. */
START_TEST(reading_gets_what_it_asks_for_with_damaged_indexes)
{
	static const uint32_t few[] = {1, 4};
	struct fs_log_reading q = reading(0);
	char path[128], other[128];

	make_log();
	flip(1, "idx", 20);
	flip(2, "idx", 5000);
	path_of(3, "idx", path);
	ck_assert_int_eq(truncate(path, 777), 0);
	path_of(4, "idx", path);
	path_of(5, "idx", other);
	ck_assert_int_eq(rename(other, path), 0);
	check_filters();
	path_of(1, "idx", path);
	ck_assert_int_eq(truncate(path, 0), 0);
	path_of(2, "idx", path);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	q.journals = few;
	q.journal_count = COUNT(few);
	check_exact(&q, 0);
	check_exact(&q, 2);
}
END_TEST

/* What is left out is not looked at; what is asked for is, and so is all without an index. */
START_TEST(reading_by_index_opens_only_what_it_asks_for)
{
	static const uint32_t three[] = {3};
	struct fs_log_reading q;
	struct fs_log_frame f;
	char path[128];
	uint64_t segment = 0;

	make_log();
	ck_assert_uint_ne(written[10].journal, 3);
	f = frame_of(10, &segment);
	ck_assert_uint_eq(segment, 1);
	flip(segment, "seg", (off_t)f.off + FS_LOG_FRAME + 30);
	q = reading(0);
	ck_assert_int_eq(read_as(&q), 0);
	ck_assert_uint_eq(seen.bad, 1);
	q = reading(0);
	q.journals = three;
	q.journal_count = 1;
	check_exact(&q, 0);
	path_of(1, "idx", path);
	ck_assert_int_eq(unlink(path), 0);
	q = reading(0);
	q.journals = three;
	q.journal_count = 1;
	ck_assert_int_eq(read_as(&q), 0);
	ck_assert_uint_eq(seen.bad, 1);
}
END_TEST

/* Of a segment that its index tells whole, not even the frames in between. */
START_TEST(reading_by_index_goes_straight_to_its_records)
{
	static const uint32_t one[] = {1};
	struct fs_log_reading q;
	struct fs_log_frame f;
	char path[128];
	uint64_t segment = 0, wanted = 1;

	make_log();
	while (written[wanted].journal != 1)
		wanted++;
	f = frame_of(wanted, &segment);
	ck_assert_uint_eq(segment, 1); /* some of it is asked for */
	f = frame_of(10, &segment);
	flip(segment, "seg", (off_t)f.off);
	for (unsigned threads = 0; threads < 3; threads++) {
		q = reading(0);
		q.journals = one;
		q.journal_count = 1;
		check_exact(&q, threads);
	}
	path_of(1, "idx", path);
	ck_assert_int_eq(unlink(path), 0);
	q = reading(0);
	q.journals = one;
	q.journal_count = 1;
	ck_assert_int_eq(read_as(&q), 0);
	ck_assert_uint_gt(seen.bad, 0);
}
END_TEST

/*
 * An auditor with the daemon's keys, which he got later, makes another index for a segment: sealed
 * well, each record said to be of another journal. The key that could have signed it is gone.
 */
START_TEST(reading_believes_no_index_that_was_made_later)
{
	static const uint32_t one[] = {1};
	struct fs_log_reading q = reading(0);
	struct keys_ratchet k;
	struct fs_log_index *x = NULL;
	struct fs_log_header h;
	struct fs_log_frame f;
	struct fs_log_walk w;
	char path[128];
	uint8_t *p = NULL, *part = NULL, out[POLICY_RECORD_MAX];
	size_t len = 0, part_len = 0;
	int fd, dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	make_log();
	path_of(2, "seg", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fs_log_segment_load(fd, &p, &len), 0);
	close(fd);
	ck_assert_int_eq(fs_log_header_decode(p, &h), 0);
	ck_assert_int_eq(fs_log_index_new(vault, &x), 0);
	fs_log_walk_init(&w, &h, p, len);
	while (fs_log_walk_next(&w, &f)) {
		struct policy_record r;
		struct fs_log_head head;

		if (f.kind == FS_LOG_STREAM) {
			ck_assert_int_eq(fs_log_head_decode(f.body, f.len, 2, &head), 0);
			ck_assert_int_eq(
				keys_ratchet_open(&k, vault, head.stream,
						  fs_log_head_wrap(&head, reader[0].box_pk),
						  KEYS_STREAM_WRAP_LEN, reader_sk[0]),
				0);
			ck_assert_int_eq(fs_log_index_stream(x, &k, 2, f.seq, f.off), 0);
		} else if (f.kind == FS_LOG_RECORD) {
			policy_record_init(&r, POLICY_RECORD_OPEN);
			r.seq = f.seq;
			r.journal = 12345;
			r.time_ns = written[f.seq].time_ns;
			keys_ratchet_seal(&k, (struct keys_span){"x", 1}, 0, out);
			ck_assert_int_eq(fs_log_index_add(x, &r, f.off, &k), 0);
		}
	}
	fs_log_index_key(x, sign_sk);
	ck_assert_int_eq(fs_log_index_seal(x, &part, &part_len), 0);
	path_of(2, "idx", path);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(fs_log_index_store(dirfd, 2, part, part_len), 0);
	q.journals = one;
	q.journal_count = 1;
	check_exact(&q, 0);
	check_exact(&q, 2);
	fs_log_index_free(x);
	close(dirfd);
	free(part);
	free(p);
}
END_TEST

START_TEST(reading_says_damage_of_what_it_asks_for)
{
	static const uint32_t three[] = {3};
	struct fs_log_reading q;
	struct fs_log_frame f;
	uint64_t segment = 0;

	make_log();
	ck_assert_uint_eq(written[600].journal, 3);
	f = frame_of(600, &segment);
	flip(segment, "seg", (off_t)f.off + FS_LOG_FRAME + 30);
	for (unsigned threads = 0; threads < 4; threads++) {
		q = reading(0);
		q.journals = three;
		q.journal_count = 1;
		q.threads = threads;
		ck_assert_int_eq(read_as(&q), 0);
		ck_assert_uint_eq(seen.bad, 1);
		for (uint64_t i = 0; i < seen.count; i++)
			ck_assert_uint_ne(seen.records[i], 600);
		ck_assert_uint_gt(seen.count, 300);
	}
}
END_TEST

/* A segment that is gone is missed although nothing in it is asked for. */
START_TEST(reading_by_index_misses_a_segment)
{
	static const uint32_t none[] = {12345};
	struct fs_log_reading q;
	char path[128];

	make_log();
	path_of(3, "seg", path);
	ck_assert_int_eq(unlink(path), 0);
	for (unsigned threads = 0; threads < 3; threads++) {
		q = reading(0);
		q.journals = none;
		q.journal_count = 1;
		q.threads = threads;
		ck_assert_int_eq(read_as(&q), 0);
		ck_assert_uint_eq(seen.count, 0);
		/* Segments, records, and the stream that its end named. */
		ck_assert_uint_eq(seen.bad, 3);
	}
}
END_TEST

static void copy_file(const char *from, const char *to)
{
	char command[300];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	ck_assert_int_eq(system(command), 0); // NOLINT(cert-env33-c)
}

/*
 * A crash, or a backup, takes records of which an index already tells; the next run gives their
 * numbers to others. Whoever looks for those must find them.
 */
START_TEST(index_older_than_the_records_hides_nothing)
{
	static const uint32_t one[] = {1}, five[] = {5};
	char path[128], kept[128];
	struct fs_log *l = open_log(1);

	path_of(1, "seg", path);
	snprintf(kept, sizeof(kept), "%s/kept", dir);
	write_some(l, 10, 1);
	ck_assert_int_eq(fs_log_wait(l, 0), 0);
	copy_file(path, kept);
	write_some(l, 380, 1); /* journal 2 and a little of 1 */
	ck_assert_int_eq(fs_log_close(l), 0);
	copy_file(kept, path);
	ck_assert_int_eq(unlink(kept), 0);
	memset(written + 12, 0, sizeof(written) - sizeof(written[0]) * 12);
	fs_log_forget(statefd, false); /* the host went back with it */
	l = open_log(1);
	write_some(l, 5000, 2);
	ck_assert_int_eq(fs_log_close(l), 0);
	for (unsigned threads = 0; threads < 3; threads += 2) {
		struct fs_log_reading q = reading(0);

		q.journal_count = 1;
		q.journals = one;
		check_exact(&q, threads);
		q.journals = five;
		check_exact(&q, threads);
	}
}
END_TEST

/* An auditor who came later: streams before are shut to him, by index as without. */
START_TEST(streams_shut_are_told_once_each)
{
	static const uint32_t one[] = {1};
	struct fs_log_reading q;
	unsigned shut = 0;

	make_log();
	for (unsigned filtered = 0; filtered < 2; filtered++) {
		for (unsigned threads = 0; threads < 3; threads += 2) {
			q = reading(1);
			q.threads = threads;
			q.journals = one;
			q.journal_count = filtered;
			ck_assert_int_eq(read_as(&q), 0);
			ck_assert_uint_eq(seen.bad, 0);
			ck_assert_uint_gt(seen.count, 20);
			for (uint64_t i = 0; i < seen.count; i++) {
				unsigned mark = written[seen.records[i]].mark;

				ck_assert(mark == 3 || (!mark && !filtered));
			}
			ck_assert_uint_gt(seen.shut, 3);
			ck_assert(!shut || shut == seen.shut);
			shut = seen.shut;
		}
	}
	q = reading(1);
	q.from = last_written;
	ck_assert_int_eq(read_as(&q), 0);
	ck_assert_uint_eq(seen.shut, 1);
	ck_assert_uint_eq(seen.shut_seq, last_written);
}
END_TEST

/* ---- keys from a file ---- */

static int open_head(void *ctx, const struct fs_log_head *h)
{
	const uint8_t *wrap = fs_log_head_wrap(h, reader[0].box_pk);
	struct keys_ratchet r;
	struct seen *s = ctx;

	ck_assert_ptr_nonnull(wrap);
	ck_assert_uint_lt(s->streams, COUNT(s->stream));
	ck_assert_int_eq(
		keys_ratchet_open(&r, vault, h->stream, wrap, KEYS_STREAM_WRAP_LEN, reader_sk[0]),
		0);
	memcpy(s->stream[s->streams], h->stream, KEYS_STREAM_ID_LEN);
	memcpy(s->k0[s->streams++], r.key, KEYS_LEN);
	return 0;
}

static void collect_keys(struct seen *s)
{
	uint64_t segment = 1;

	while (fs_log_streams(dir, vault, &segment, open_head, s) == 0)
		;
}

static int give_k0(void *ctx, const uint8_t stream[static KEYS_STREAM_ID_LEN],
		   uint8_t k0[static KEYS_LEN])
{
	struct seen *s = ctx;

	for (size_t i = 0; i < s->streams; i++) {
		if (memcmp(s->stream[i], stream, KEYS_STREAM_ID_LEN) == 0) {
			memcpy(k0, s->k0[i], KEYS_LEN);
			k0[0] ^= s->wrong_k0;
			return 0;
		}
	}
	return -ENOENT;
}

static struct fs_log_reading reading_by_file(void)
{
	struct fs_log_reading q = reading(0);

	q.box_pk = q.box_sk = NULL;
	q.key0 = give_k0;
	return q;
}

START_TEST(keys_of_a_file_read_as_the_reader_would)
{
	static const uint32_t one[] = {1};
	struct fs_log_reading q;
	size_t all;

	make_log();
	q = reading(0);
	ck_assert_int_eq(read_as(&q), 0);
	whole = seen;
	for (unsigned filtered = 0; filtered < 2; filtered++) {
		for (unsigned threads = 0; threads < 4; threads++) {
			q = reading_by_file();
			collect_keys(&seen);
			q.threads = threads;
			q.journals = one;
			q.journal_count = filtered;
			ck_assert_int_eq(read_as(&q), 0);
			ck_assert_uint_eq(seen.bad + seen.shut, 0);
			if (!filtered)
				ck_assert_uint_eq(seen.count, whole.count);
			else
				ck_assert_uint_gt(seen.count, 30);
		}
	}
	/* A file with some keys, and one with wrong ones. */
	q = reading_by_file();
	collect_keys(&seen);
	all = seen.streams;
	seen.streams = 1;
	ck_assert_int_eq(read_as(&q), 0);
	ck_assert_uint_eq(seen.bad, 0);
	ck_assert_uint_eq(seen.shut, all - 1);
	ck_assert(seen.count > 100 && seen.count < 2500);
	q = reading_by_file();
	collect_keys(&seen);
	seen.wrong_k0 = true;
	q.journals = one;
	q.journal_count = 1;
	ck_assert_int_eq(read_as(&q), 0);
	ck_assert_uint_eq(seen.count, 0);
	ck_assert_uint_gt(seen.bad, 1000);
}
END_TEST

/* ---- threads ---- */

START_TEST(threads_give_what_one_gives_and_stop_on_request)
{
	struct fs_log_reading q;

	make_log();
	q = reading(0);
	ck_assert_int_eq(read_as(&q), 0);
	whole = seen;
	ck_assert_uint_ge(whole.count, last_written);
	for (unsigned threads = 1; threads < 20; threads = threads * 2 + 1) {
		q = reading(0);
		q.threads = threads;
		ck_assert_int_eq(read_as(&q), 0);
		ck_assert_uint_eq(seen.bad, 0);
		ck_assert_uint_eq(seen.count, whole.count);
		ck_assert_mem_eq(seen.records, whole.records, sizeof(whole.records));
		for (unsigned stop = 1; stop < 6000; stop = stop * 7 + 1) {
			q = reading(0);
			q.threads = threads;
			seen.stop_after = stop;
			ck_assert_int_eq(read_as(&q), 0);
			ck_assert_uint_eq(seen.count, stop);
		}
	}
}
END_TEST

static bool no_signer(void *ctx, const uint8_t pk[static KEYS_LEN])
{
	(void)ctx;
	(void)pk;
	return false;
}

/* An index is no way around the question whose streams are believed. */
START_TEST(strangers_streams_are_said_with_and_without_index)
{
	static const uint32_t one[] = {1};
	struct fs_log_reading q;
	unsigned bad = 0;

	make_log();
	for (unsigned filtered = 0; filtered < 2; filtered++) {
		q = reading(0);
		q.signer_ok = no_signer;
		q.journals = one;
		q.journal_count = filtered;
		q.threads = filtered * 2;
		ck_assert_int_eq(read_as(&q), 0);
		ck_assert_uint_eq(seen.count, 0);
		ck_assert_uint_gt(seen.bad, 3);
		ck_assert(!filtered || bad == seen.bad);
		bad = seen.bad;
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		reading_gets_what_it_asks_for_with_indexes,
		reading_gets_what_it_asks_for_without_indexes,
		reading_gets_what_it_asks_for_with_damaged_indexes,
		reading_by_index_opens_only_what_it_asks_for,
		reading_by_index_goes_straight_to_its_records,
		reading_believes_no_index_that_was_made_later,
		reading_says_damage_of_what_it_asks_for,
		reading_by_index_misses_a_segment,
		index_older_than_the_records_hides_nothing,
		streams_shut_are_told_once_each,
		keys_of_a_file_read_as_the_reader_would,
		threads_give_what_one_gives_and_stop_on_request,
		strangers_streams_are_said_with_and_without_index,
	};
	Suite *suite = suite_create("fs/log_read");
	TCase *tc = tcase_create("fs/log_read");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < COUNT(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
