/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/differential/main.c - does a journal answer as a local file system does?
 *
 *   differential [-s SEED] [-n SEQUENCES] [-c OPERATIONS] [-t SECONDS] LOCAL JOURNAL
 *   differential -k ... LOCAL JOURNAL                the last sequence's files stay, and
 *   differential -C LOCAL JOURNAL                    compares them again, whatever happened since
 *   differential -d                                  the intended differences
 *
 * Runs the same random operations in a directory of a local file system and in one of a journal, compares
 * every answer and, in between, everything that can be seen of the two. On a difference it says the
 * sequence's seed and the fewest operations that still show it, and fails.
 */
#include "differential.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define SHRINK_RUNS 400

struct abilities able = {.xattr_max = 200};

static const struct {
	const char *what, *why;
} differences[] = {
#define DIFFERENCE(what, why) {what, why},
#include "differences.h"
#undef DIFFERENCE
};

static int base[2];
static bool keep; /* what a sequence made stays, until the next one begins */
static const char *top_name = "sequence";

static void sides_open(struct side s[2])
{
	for (int n = 0; n < 2; n++) {
		tree_remove(base[n], top_name);
		if (mkdirat(base[n], top_name, 0755))
			err(2, "mkdir");
		s[n].top = openat(base[n], top_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s[n].top < 0 || mkdirat(s[n].top, "p", 0755) || mkdirat(s[n].top, "p/q", 0755) ||
		    mkdirat(s[n].top, "p/q/r", 0755))
			err(2, "mkdir");
		s[n].root = openat(s[n].top, "p/q/r", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s[n].root < 0)
			err(2, "open");
		for (int k = 0; k < SLOTS; k++)
			s[n].fd[k] = -1;
	}
}

static void sides_close(struct side s[2])
{
	if (chdir("/"))
		err(2, "/");
	for (int n = 0; n < 2; n++) {
		for (int k = 0; k < SLOTS; k++)
			if (s[n].fd[k] >= 0)
				close(s[n].fd[k]);
		close(s[n].root);
		close(s[n].top);
		if (!keep)
			tree_remove(base[n], top_name);
	}
}

/* Where times go by the kernel's tick, the next operation waits for the next one. */
static void next_tick(void)
{
	struct timespec a, b;

	if (able.fine_times)
		return;
	clock_gettime(CLOCK_REALTIME_COARSE, &a);
	do {
		nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
		clock_gettime(CLOCK_REALTIME_COARSE, &b);
	} while (a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec);
}

struct failure {
	size_t at;
	char why[512];
};

static bool agree(const struct answer a[2], struct failure *f)
{
	if (a[0].note[0] || a[1].note[0])
		snprintf(f->why, sizeof(f->why), "%s: %s", a[0].note[0] ? "local" : "journal",
			 a[0].note[0] ? a[0].note : a[1].note);
	else if (a[0].err == EACCES && a[1].err)
		return true; /* the kernel asks a journal for modes last: another error was met first */
	else if (a[0].ret != a[1].ret || a[0].err != a[1].err)
		snprintf(f->why, sizeof(f->why), "local %ld (%s), journal %ld (%s)", a[0].ret,
			 a[0].err ? strerrorname_np(a[0].err) : "ok", a[1].ret,
			 a[1].err ? strerrorname_np(a[1].err) : "ok");
	else if (a[0].hash != a[1].hash)
		snprintf(f->why, sizeof(f->why), "other bytes were read");
	else
		return true;
	return false;
}

/* True when both sides agree from the first to the last. skip[k]: operation k is left out. */
static bool run(const struct op *op, const bool *skip, size_t n, unsigned every, bool trace, struct failure *f)
{
	struct known *known = known_new();
	struct side s[2];
	struct answer a[2];
	bool same = true;
	unsigned since = 0;

	sides_open(s);
	for (size_t k = 0; same && k < n; k++) {
		if (skip[k])
			continue;
		next_tick();
		f->at = k;
		for (int x = 0; x < 2; x++)
			op_run(&op[k], &s[x], &a[x]);
		same = agree(a, f);
		if (trace) {
			printf("  %3zu ", k);
			op_print(stdout, &op[k]);
			printf(" -> %ld%s%s\n", a[0].ret, a[0].err ? " " : "", a[0].err ? strerrorname_np(a[0].err) : "");
		}
		if (same && (++since >= every || k + 1 == n)) {
			same = tree_compare(s, known, every > 1 || op[k].seed % 8 == 0 || k + 1 == n, f->why, sizeof(f->why)) == 0;
			since = 0;
		}
	}
	sides_close(s);
	known_free(known);
	return same;
}

/* The shortest list whose last operation still fails: larger pieces first, then single operations. */
static void shrink(const struct op *op, bool *skip, size_t n, unsigned every)
{
	struct failure f = {0};
	unsigned runs = 0;

	if (!run(op, skip, n, 1, false, &f)) {
		every = 1;
		n = f.at + 1;
	}
	for (size_t step = n / 2; step && runs < SHRINK_RUNS; step = step == 1 ? 0 : step / 2) {
		for (size_t at = n - 1; at > 0 && runs < SHRINK_RUNS;) {
			size_t from = at > step ? at - step : 0;
			bool *was = malloc(n * sizeof(*was)), any = false;

			memcpy(was, skip, n * sizeof(*skip));
			for (size_t k = from; k < at; k++) {
				any |= !skip[k];
				skip[k] = true;
			}
			at = from;
			if (any && ++runs && (run(op, skip, n, every, false, &f) || f.at != n - 1))
				memcpy(skip, was, n * sizeof(*skip));
			free(was);
		}
	}
	printf("  fewest operations (%u tries):\n", runs);
	if (run(op, skip, n, every, true, &f))
		printf("  now they agree: what differs depends on time\n");
	else
		printf("  DIFFERENCE: %s\n", f.why);
}

static bool sequence(uint64_t seed, size_t n)
{
	uint64_t state = seed;
	/* Looking is done by requests too: after each operation, or seldom, as caches would have it. */
	unsigned every = mix(&state) % 3 == 0 ? 17 : mix(&state) % 2 ? 1 : 4;
	struct op *op = calloc(n, sizeof(*op));
	bool *skip = calloc(n, sizeof(*skip));
	struct failure f = {0};
	bool same;

	for (size_t k = 0; k < n; k++)
		op_make(&op[k], &state);
	same = run(op, skip, n, every, false, &f);
	if (!same) {
		printf("seed %#llx, %zu operations: difference at operation %zu (%s): %s\n", (unsigned long long)seed, n, f.at,
		       op_name(op[f.at].kind), f.why);
		fflush(stdout);
		for (size_t k = f.at + 1; k < n; k++)
			skip[k] = true;
		shrink(op, skip, f.at + 1, every);
	}
	for (size_t k = 0; k < n; k++)
		op_free(&op[k]);
	free(op);
	free(skip);
	return same;
}

/* ---- what the two can do ---- */

static bool fine_times(int dir)
{
	struct stat a, b;
	unsigned same = 0;
	int fd = openat(dir, "clock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	for (int n = 0; n < 30; n++) {
		if (fchmod(fd, 0600) || fstat(fd, &a) || fchmod(fd, 0644) || fstat(fd, &b))
			err(2, "clock");
		same += a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
	}
	close(fd);
	unlinkat(dir, "clock", 0);
	return same == 0;
}

static void look_at(const char *path)
{
	static char value[60000];
	struct statvfs v;
	int fd = openat(base[0], "able", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	able.noatime = !statvfs(path, &v) && v.f_flag & ST_NOATIME;
	able.fine_times = fine_times(base[0]) && fine_times(base[1]);
	if (fd >= 0 && !fsetxattr(fd, "user.x", value, sizeof(value), 0))
		able.xattr_max = sizeof(value);
	close(fd);
	unlinkat(base[0], "able", 0);
	fd = openat(base[1], ".", O_TMPFILE | O_RDWR, 0600);
	able.tmpfile = fd >= 0;
	if (fd >= 0)
		close(fd);
	printf("times %s, atime %s, attributes to %zu bytes, O_TMPFILE %s\n", able.fine_times ? "fine" : "by the tick",
	       able.noatime ? "compared" : "not compared", able.xattr_max,
	       able.tmpfile ? "compared" : "not there: not compared");
}

/* What an earlier run with -k left: after a restart, say. */
static int compare_kept(void)
{
	struct known *known = known_new();
	char why[512] = "";
	struct side s[2];
	int rc;

	for (int n = 0; n < 2; n++) {
		s[n].top = openat(base[n], top_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (s[n].top < 0)
			err(2, "%s", top_name);
		for (int k = 0; k < SLOTS; k++)
			s[n].fd[k] = -1;
	}
	rc = tree_compare(s, known, true, why, sizeof(why));
	printf("%s\n", rc ? why : "no difference");
	known_free(known);
	return rc;
}

static void print_differences(void)
{
	for (size_t n = 0; n < sizeof(differences) / sizeof(differences[0]); n++)
		printf("- %s: %s.\n", differences[n].what, differences[n].why);
}

int main(int argc, char **argv)
{
	unsigned long long seed = (unsigned long long)time(NULL) * 1000003 + (unsigned long long)getpid();
	unsigned long count = 1, ops = 300, seconds = 0, n = 0;
	time_t start = time(NULL);
	bool compare = false;
	int c;

	while ((c = getopt(argc, argv, "s:n:c:t:dkC")) != -1) {
		switch (c) {
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'n': count = strtoul(optarg, NULL, 0); break;
		case 'c': ops = strtoul(optarg, NULL, 0); break;
		case 't': seconds = strtoul(optarg, NULL, 0); break;
		case 'k': keep = true; break;
		case 'C': compare = true; break;
		case 'd': print_differences(); return 0;
		default: return 2;
		}
	}
	if (argc - optind != 2 || !ops)
		errx(2, "usage: differential [-kC] [-s SEED] [-n SEQUENCES] [-c OPERATIONS] [-t SECONDS] LOCAL JOURNAL");
	umask(022);
	for (int k = 0; k < 2; k++) {
		base[k] = open(argv[optind + k], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (base[k] < 0)
			err(2, "%s", argv[optind + k]);
	}
	if (compare)
		return compare_kept();
	look_at(argv[optind]);
	printf("seed %#llx\n", seed);
	fflush(stdout);
	for (; n < count && (!seconds || time(NULL) - start < (time_t)seconds); n++) {
		if (!sequence(seed + n, ops))
			return 1;
	}
	printf("%lu sequences of %lu operations: no difference\n", n, ops);
	return 0;
}
