/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_store_redo.c - the store with its redo file: commits, snapshots and checkpoints
 * against a model, and what is found after the process was killed.
 */
#include "fs/container.h"
#include "fs/store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYS 48u
#define REDO_BYTES (256u << 10)
#define UNIT 4096u

static const uint8_t mac_key[KEYS_LEN] = "a vault's";
static char base[64], dir[80];
static int containers;
static struct fs_store *store;

/* Every key's value is `len` bytes of one character; len 0: absent. */
struct model {
	uint64_t number;
	size_t len[KEYS];
	uint8_t c[KEYS];
};

static struct model model;

static void set_up(void)
{
	char path[96];

	ck_assert_int_eq(keys_init(), 0);
	strcpy(base, "/tmp/journalfs-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/db", base);
	snprintf(path, sizeof(path), "%s/containers", base);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	containers = open(path, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(containers, 0);
	memset(&model, 0, sizeof(model));
}

static void tear_down(void)
{
	char cmd[96];

	fs_store_close(store);
	store = NULL;
	close(containers);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", base);
	ck_assert_int_eq(system(cmd), 0);
}

static struct fs_key numbered(uint32_t n)
{
	return fs_key_n(1, 7, FS_T_PIECE, n, 4);
}

static struct fs_redo_mark mark(uint64_t number)
{
	struct fs_redo_mark m = {.number = number};

	memset(m.id, (int)number * 7 + 1, sizeof(m.id));
	return m;
}

/* The state is a record like any other: the number that the database, or all of it, is in. */
static uint64_t read_number(void)
{
	struct fs_key key = fs_key(0, 0, FS_T_VAULT_ROOT);
	struct fs_snap *snap;
	const uint8_t *val;
	uint64_t number = 0;
	size_t len;
	int rc;

	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	rc = fs_store_get(snap, &key, &val, &len);
	if (!rc)
		memcpy(&number, val, sizeof(number));
	ck_assert(rc == 0 || rc == -ENOENT);
	fs_store_snap_end(snap);
	return number;
}

static int replay(unsigned flags, bool lenient)
{
	struct fs_store_replay how = {
		.containers = containers, .bytes = REDO_BYTES, .key = mac_key, .lenient = lenient};

	ck_assert_int_eq(fs_store_open(dir, flags, &store), 0);
	how.state = mark(read_number());
	return fs_store_replay(store, &how);
}

static void open_store(void)
{
	ck_assert_int_eq(replay(FS_STORE_CREATE, false), 0);
}

static void reopen(void)
{
	fs_store_close(store);
	store = NULL;
	open_store();
}

/* ---- commits ---- */

struct change {
	struct fs_store_item items[KEYS + 1];
	uint8_t values[KEYS][FS_VALUE_MAX];
	size_t n;
	uint64_t number;
};

static void change_begin(struct change *c)
{
	c->n = 0;
	c->number = model.number + 1;
	c->items[c->n++] = (struct fs_store_item){.key = fs_key(0, 0, FS_T_VAULT_ROOT),
						  .val = (const uint8_t *)&c->number,
						  .len = sizeof(c->number)};
}

/* In ascending order of n. */
static void change_put(struct change *c, uint32_t n, size_t len, uint8_t value)
{
	memset(c->values[n], value, len);
	c->items[c->n++] = (struct fs_store_item){
		.key = numbered(n), .val = len ? c->values[n] : NULL, .len = len};
	model.len[n] = len;
	model.c[n] = value;
}

static int change_commit(struct change *c, bool direct)
{
	struct fs_store_commit commit = {
		.items = c->items, .n = c->n, .after = mark(c->number), .direct = direct};

	model.number = c->number;
	return fs_store_commit(store, &commit);
}

/* The same random step for whoever begins with the same seed; without a store only the model. */
static void random_step(unsigned *seed, bool real)
{
	static struct change c;
	bool direct = rand_r(seed) % 16 == 0;
	bool merge = rand_r(seed) % 24 == 0;

	change_begin(&c);
	for (uint32_t n = 0; n < KEYS; n++) {
		if (rand_r(seed) % 8)
			continue;
		change_put(&c, n, rand_r(seed) % 3 ? (size_t)rand_r(seed) % FS_VALUE_MAX : 0,
			   (uint8_t)rand_r(seed));
	}
	if (!real) {
		model.number = c.number;
		return;
	}
	ck_assert_int_eq(change_commit(&c, direct), 0);
	if (merge)
		ck_assert_int_eq(fs_store_checkpoint(store), 0);
}

static void put_one(uint32_t n, size_t len, uint8_t value)
{
	static struct change c;

	change_begin(&c);
	change_put(&c, n, len, value);
	ck_assert_int_eq(change_commit(&c, false), 0);
}

/* ---- looking ---- */

static void expect_value(const struct model *m, uint32_t n, const uint8_t *val, size_t len)
{
	ck_assert_uint_eq(len, m->len[n]);
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(val[i], m->c[n]);
}

/* By key and by scan, the snapshot is the model. */
static void expect_snap(struct fs_snap *snap, const struct model *m)
{
	struct fs_key from = numbered(0), found;
	const uint8_t *val;
	uint32_t n = 0;
	size_t len;

	for (uint32_t i = 0; i < KEYS; i++) {
		struct fs_key key = numbered(i);
		int rc = fs_store_get(snap, &key, &val, &len);

		ck_assert_int_eq(rc, m->len[i] ? 0 : -ENOENT);
		if (!rc)
			expect_value(m, i, val, len);
	}
	while (!fs_store_next(snap, &from, &found, &val, &len)) {
		while (n < KEYS && !m->len[n])
			n++;
		ck_assert_uint_lt(n, KEYS);
		ck_assert_uint_eq(fs_key_sub(&found, 4), n);
		expect_value(m, n++, val, len);
		from = found;
		from.b[from.len++] = 0;
	}
	while (n < KEYS)
		ck_assert_uint_eq(m->len[n++], 0);
}

static void expect_now(void)
{
	struct fs_snap *snap;

	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	expect_snap(snap, &model);
	fs_store_snap_end(snap);
	ck_assert_uint_eq(read_number(), model.number);
}

START_TEST(random_commits_and_checkpoints_match_a_model)
{
	static struct model then[4];
	struct fs_snap *snap[4] = {NULL};
	unsigned seed = 5;

	open_store();
	for (int step = 0; step < 1500; step++) {
		unsigned s = (unsigned)rand_r(&seed) % 4;

		random_step(&seed, true);
		if (step % 3)
			continue;
		if (snap[s]) {
			expect_snap(snap[s], &then[s]);
			fs_store_snap_end(snap[s]);
			snap[s] = NULL;
		} else {
			ck_assert_int_eq(fs_store_snap_begin(store, &snap[s]), 0);
			then[s] = model;
		}
		if (step % 30 == 0)
			expect_now();
	}
	for (int i = 0; i < 4; i++) {
		if (!snap[i])
			continue;
		expect_snap(snap[i], &then[i]);
		fs_store_snap_end(snap[i]);
	}
	expect_now();
	reopen();
	expect_now();
}
END_TEST

START_TEST(snapshot_stays_through_commits_and_a_checkpoint)
{
	struct fs_snap *snap;
	struct model before;

	open_store();
	put_one(1, 10, 'a');
	put_one(2, 10, 'b');
	ck_assert_int_eq(fs_store_checkpoint(store), 0);
	put_one(3, 10, 'c');
	before = model;
	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	put_one(1, 4000, 'd');
	put_one(3, 0, 0);
	expect_snap(snap, &before);
	ck_assert_int_eq(fs_store_checkpoint(store), 0);
	put_one(2, 0, 0);
	ck_assert_int_eq(fs_store_checkpoint(store), 0);
	expect_snap(snap, &before);
	fs_store_snap_end(snap);
	expect_now();
}
END_TEST

START_TEST(deleted_records_hide_those_of_the_database_in_a_scan)
{
	open_store();
	for (uint32_t n = 0; n < KEYS; n++)
		put_one(n, 20, 'x');
	ck_assert_int_eq(fs_store_checkpoint(store), 0);
	for (uint32_t n = 5; n < 40; n++)
		put_one(n, 0, 0);
	expect_now();
	put_one(20, 7, 'y');
	expect_now();
	ck_assert_int_eq(fs_store_checkpoint(store), 0);
	expect_now();
}
END_TEST

static atomic_bool stop;

/* Two records that always change together are always seen together. */
static void *watch(void *arg)
{
	struct fs_key a = numbered(1), b = numbered(40);
	unsigned long *looks = arg;

	while (!atomic_load(&stop)) {
		const uint8_t *x, *y;
		struct fs_snap *snap;
		size_t n, m;

		if (fs_store_snap_begin(store, &snap))
			return (void *)"begin";
		if (fs_store_get(snap, &a, &x, &n) || fs_store_get(snap, &b, &y, &m))
			return (void *)"get";
		if (n != m || memcmp(x, y, n))
			return (void *)"torn";
		fs_store_snap_end(snap);
		++*looks;
	}
	return NULL;
}

START_TEST(readers_see_whole_commits_while_checkpoints_run)
{
	static struct change c;
	unsigned long looks[2] = {0};
	pthread_t t[2];
	void *bad;

	open_store();
	change_begin(&c);
	change_put(&c, 1, 100, 0);
	change_put(&c, 40, 100, 0);
	ck_assert_int_eq(change_commit(&c, false), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, watch, &looks[i]), 0);
	for (unsigned i = 1; i < 1500; i++) {
		change_begin(&c);
		change_put(&c, 1, 100 + i % 3000, (uint8_t)i);
		change_put(&c, 40, 100 + i % 3000, (uint8_t)i);
		ck_assert_int_eq(change_commit(&c, i % 40 == 0), 0);
		if (i % 16 == 0)
			ck_assert_int_eq(fs_store_checkpoint(store), 0);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++) {
		pthread_join(t[i], &bad);
		ck_assert_msg(!bad, "%s", (const char *)bad);
		ck_assert_uint_gt(looks[i], 0);
	}
}
END_TEST

/* ---- killed ---- */

/* Steps from `seed` on, said one by one; then SIGKILL. */
static _Noreturn void work_and_die(unsigned seed, unsigned steps)
{
	open_store();
	while (steps--)
		random_step(&seed, true);
	kill(getpid(), SIGKILL);
	_exit(1);
}

START_TEST(killed_process_leaves_every_commit_that_returned)
{
	for (unsigned round = 0; round < 25; round++) {
		unsigned seed = round + 1, steps = (round * 7) % 60 + 1;
		int status;
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (!pid)
			work_and_die(seed, steps);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		while (steps--)
			random_step(&seed, false);
		open_store();
		expect_now();
		fs_store_close(store);
		store = NULL;
	}
}
END_TEST

/* A child that commits three and dies: one in the database, two in the redo file. */
static void leave_two_waiting(void)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		open_store();
		put_one(1, 10, 'a');
		if (fs_store_checkpoint(store))
			_exit(1);
		put_one(2, 10, 'b');
		put_one(3, 10, 'c');
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	model.len[1] = model.len[2] = model.len[3] = 10;
	model.c[1] = 'a';
	model.c[2] = 'b';
	model.c[3] = 'c';
	model.number = 3;
}

static off_t file_size(const char *name)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

static void flip(off_t at)
{
	char path[96];
	uint8_t c;
	int fd;

	snprintf(path, sizeof(path), "%s/redo", dir);
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &c, 1, at), 1);
	c ^= 1;
	ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

START_TEST(read_only_open_sees_all_and_changes_nothing)
{
	struct stat before, after;
	char path[96];

	leave_two_waiting();
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(replay(FS_STORE_READ_ONLY, false), 0);
	expect_now();
	fs_store_close(store);
	store = NULL;
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_int_eq(before.st_size, after.st_size);
	ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	open_store();
	expect_now();
}
END_TEST

START_TEST(damaged_last_records_show_the_state_before)
{
	leave_two_waiting();
	/* The checkpoint freed the area: commits 2 and 3 stand at its beginning. */
	flip(4096 + 150);
	flip(150);
	ck_assert_int_eq(replay(0, false), 0); /* both torn: nothing genuine is left */
	model.len[2] = model.len[3] = 0;
	model.number = 1;
	expect_now();
}
END_TEST

START_TEST(hole_among_the_records_is_refused_until_somebody_accepts_it)
{
	leave_two_waiting();
	flip(150);
	ck_assert_int_eq(replay(0, false), -ESTALE);
	fs_store_close(store);
	store = NULL;
	ck_assert_int_eq(replay(0, true), 0);
	model.len[2] = model.len[3] = 0;
	model.number = 1;
	expect_now();
	put_one(5, 9, 'e');
	reopen(); /* what was thrown away is not met again */
	expect_now();
}
END_TEST

START_TEST(lost_redo_file_shows_the_databases_state)
{
	char path[96];

	leave_two_waiting();
	snprintf(path, sizeof(path), "%s/redo", dir);
	ck_assert_int_eq(unlink(path), 0);
	open_store();
	ck_assert_uint_eq(read_number(), 1); /* which the host's state knows to be old */
	ck_assert_int_eq(file_size("redo"), REDO_BYTES);
}
END_TEST

/* ---- contents ---- */

static int make_container(uint32_t journal)
{
	char name[FS_CONTAINER_NAME], sub[3];
	int fd;

	fs_container_name(journal, name);
	memcpy(sub, name, 2);
	sub[2] = '\0';
	(void)mkdirat(containers, sub, 0700);
	fd = openat(containers, name, O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void carry(uint32_t journal, int fd, uint64_t unit, uint8_t value)
{
	static uint8_t bytes[UNIT];
	static struct change c;
	struct fs_store_write w = {journal, fd, unit * UNIT, bytes, UNIT};
	struct fs_store_commit commit = {.items = c.items, .writes = &w, .n_writes = 1};

	memset(bytes, value, sizeof(bytes));
	change_begin(&c);
	change_put(&c, (uint32_t)unit, 8, value);
	commit.n = c.n;
	commit.after = mark(c.number);
	model.number = c.number;
	ck_assert_int_eq(fs_store_commit(store, &commit), 0);
}

START_TEST(carried_contents_are_written_again_in_order)
{
	uint8_t got[4 * UNIT];
	int status, fd = make_container(0x21);
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		open_store();
		carry(0x21, fd, 0, 'a');
		carry(0x22, fd, 1, 'n'); /* its container is gone by then */
		carry(0x21, fd, 2, 'b');
		carry(0x21, fd, 0, 'c');
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	open_store();
	ck_assert_uint_eq(read_number(), 4);
	ck_assert_int_eq(pread(fd, got, sizeof(got), 0), 3 * UNIT);
	ck_assert_uint_eq(got[0], 'c');
	ck_assert_uint_eq(got[UNIT - 1], 'c');
	ck_assert_uint_eq(got[UNIT], 0);
	ck_assert_uint_eq(got[2 * UNIT], 'b');
	close(fd);
}
END_TEST

/* How many of our descriptors are this container's. */
static unsigned descriptors_of(uint32_t journal)
{
	char name[FS_CONTAINER_NAME], link[64], path[256];
	unsigned found = 0;

	fs_container_name(journal, name);
	for (int fd = 0; fd < 1024; fd++) {
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path) - 1);
		if (n < (ssize_t)strlen(name))
			continue;
		path[n] = '\0';
		found += !strcmp(path + n - strlen(name), name);
	}
	return found;
}

/* One shared with the container would miss an error that a sync of the container's own was told. */
START_TEST(carried_contents_are_synced_through_a_file_of_the_stores_own)
{
	int fd = make_container(0x31), other = open("/dev/null", O_RDWR);

	open_store();
	close(fd);
	ck_assert_uint_eq(descriptors_of(0x31), 0);
	carry(0x31, other, 0, 'a');
	ck_assert_uint_eq(descriptors_of(0x31), 1);
	close(other);
}
END_TEST

START_TEST(contents_of_many_containers_find_their_way)
{
	open_store();
	for (uint32_t journal = 1; journal <= 200; journal++) {
		int fd = make_container(journal);

		carry(journal, fd, journal % 40, (uint8_t)journal);
		close(fd);
	}
	expect_now();
	reopen();
	expect_now();
}
END_TEST

START_TEST(commit_that_is_too_large_goes_into_the_database)
{
	static uint8_t value[FS_VALUE_MAX];
	static struct fs_store_item items[301];
	struct fs_store_commit c = {.items = items, .n = 301, .after = mark(3)};
	struct fs_store_stat before, after;
	uint64_t number = 3;

	open_store();
	put_one(1, 10, 'a');
	put_one(2, 10, 'b');
	ck_assert_int_eq(fs_store_stat(store, &before), 0);
	items[0] = (struct fs_store_item){fs_key(0, 0, FS_T_VAULT_ROOT), (const uint8_t *)&number, 8};
	for (uint32_t i = 1; i < 301; i++)
		items[i] = (struct fs_store_item){numbered(100 + i), value, sizeof(value)};
	ck_assert_int_eq(fs_store_commit(store, &c), 0);
	ck_assert_int_eq(fs_store_stat(store, &after), 0);
	ck_assert_uint_eq(after.commits, before.commits + 1);
	ck_assert_uint_ge(after.entries, 303);
	ck_assert_uint_eq(read_number(), 3);
	ck_assert(!fs_store_carries(store, 1u << 20));
	ck_assert(fs_store_carries(store, 64u << 10));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/store redo");
	TCase *tc = tcase_create("redo");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, random_commits_and_checkpoints_match_a_model);
	tcase_add_test(tc, snapshot_stays_through_commits_and_a_checkpoint);
	tcase_add_test(tc, deleted_records_hide_those_of_the_database_in_a_scan);
	tcase_add_test(tc, readers_see_whole_commits_while_checkpoints_run);
	tcase_add_test(tc, killed_process_leaves_every_commit_that_returned);
	tcase_add_test(tc, read_only_open_sees_all_and_changes_nothing);
	tcase_add_test(tc, damaged_last_records_show_the_state_before);
	tcase_add_test(tc, hole_among_the_records_is_refused_until_somebody_accepts_it);
	tcase_add_test(tc, lost_redo_file_shows_the_databases_state);
	tcase_add_test(tc, carried_contents_are_written_again_in_order);
	tcase_add_test(tc, carried_contents_are_synced_through_a_file_of_the_stores_own);
	tcase_add_test(tc, contents_of_many_containers_find_their_way);
	tcase_add_test(tc, commit_that_is_too_large_goes_into_the_database);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
