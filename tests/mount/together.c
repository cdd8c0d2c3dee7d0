/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/together.c - several practitioners in one journal at the same time, without order.
 *
 * together stress SECONDS JOURNAL NAME:UID:GID:MOUNT...   the same names, files and listings
 * together tree SECONDS JOURNAL NAME:UID:GID:MOUNT...     directories renamed against each other
 * together dump 0 JOURNAL NAME:UID:GID:MOUNT...           all users see the same: prints what
 *
 * Each user runs several processes in the own mount. What they may be answered is listed (ALLOWED);
 * ESTALE is never among it. What must hold meanwhile is checked by the processes themselves: saves
 * by rename are seen whole and never an older one after a newer; lines appended are whole; names that
 * stay are listed once. Afterwards the parts that have one right result are checked (regions, lines, the
 * tree of directories), and that all mounts show the same. Exits 0, or 1 and says why.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USERS 4
#define NAMES 12
#define STAY 40
#define REGION 700
#define REGIONS 60
#define DIRS 9
#define HANG_S 60
#define SAVED 20000

struct user {
	const char *name, *mount;
	uid_t uid;
	gid_t gid;
};
static struct user users[USERS];
static int user_count;
static const char *journal;

/* Shared by all processes. */
static struct shared {
	unsigned long answers[200];
	unsigned long strange[200];
	/* See fs/README.md: directories that another mount moved; renaming them, looking at them. */
	unsigned long stale_moved, stale_looked;
	volatile bool stop;
	unsigned version[USERS][REGIONS]; /* last written to each region */
	unsigned lines[USERS];
	char why[300]; /* the first thing that was wrong */
} *all;

static uint64_t state;
static unsigned draw(unsigned n)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ (z >> 31)) % n);
}

static void wrong(const char *what, const char *name)
{
	if (!all->why[0])
		snprintf(all->why, sizeof(all->why), "%.200s: %.60s (%s)", what, name, strerror(errno));
	all->stop = true;
}

/* Counts what an operation answered; anything not allowed is reported. */
static int may(int rc, const int *allowed, const char *what)
{
	int e = rc < 0 ? errno : 0;

	if (!e)
		return rc;
	__atomic_fetch_add(&all->answers[e < 200 ? e : 0], 1, __ATOMIC_RELAXED);
	for (; *allowed; allowed++) {
		if (*allowed == e)
			return rc;
	}
	__atomic_fetch_add(&all->strange[e < 200 ? e : 0], 1, __ATOMIC_RELAXED);
	wrong("an answer that must not be", what);
	return rc;
}
#define ALLOWED(...) ((const int[]){__VA_ARGS__, 0})

/* ---- names ---- */

static void draw_name(char out[32]) { snprintf(out, 32, "n%u/name%u", draw(2), draw(NAMES)); }

static void names_step(int me)
{
	char a[32], b[32];
	int fd;

	(void)me;
	draw_name(a);
	draw_name(b);
	switch (draw(9)) {
	case 0:
	case 1:
		fd = may(open(a, O_WRONLY | O_CREAT | (draw(2) ? O_EXCL : 0) | O_NOFOLLOW, 0644),
			 ALLOWED(EEXIST, EISDIR, ELOOP), "create");
		if (fd >= 0) {
			may((int)write(fd, a, strlen(a)), ALLOWED(0), "write");
			close(fd);
		}
		break;
	case 2:
		may(rename(a, b), ALLOWED(ENOENT, EISDIR, ENOTDIR, ENOTEMPTY), "rename");
		break;
	case 3:
		may(unlink(a), ALLOWED(ENOENT, EISDIR), "unlink");
		break;
	case 4:
		may(link(a, b), ALLOWED(ENOENT, EEXIST, EPERM), "link");
		break;
	case 5:
		may(symlink("nowhere", a), ALLOWED(EEXIST), "symlink");
		break;
	case 6:
		/* Directories stay where they were made: n2 is theirs. */
		a[1] = '2';
		may(draw(2) ? mkdir(a, 0755) : rmdir(a), ALLOWED(EEXIST, ENOENT), "mkdir or rmdir");
		break;
	case 7:
		may(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE), ALLOWED(ENOENT), "exchange");
		break;
	default:
		a[1] = b[1] = '2';
		may(rename(a, b), ALLOWED(ENOENT, ENOTEMPTY), "rename of a directory");
	}
}

static void look_step(int me)
{
	struct stat st;
	char a[32], buf[64];
	int fd;

	(void)me;
	draw_name(a);
	if (draw(2)) {
		may(lstat(a, &st), ALLOWED(ENOENT), "stat");
		return;
	}
	fd = may(open(a, O_RDONLY | O_NOFOLLOW), ALLOWED(ENOENT, ELOOP), "open");
	if (fd < 0)
		return;
	may(fstat(fd, &st), ALLOWED(0), "fstat");
	if (may((int)read(fd, buf, sizeof(buf)), ALLOWED(0), "read") > 0 && strncmp(buf, "n", 1) != 0)
		wrong("strange contents", a);
	close(fd);
}

/* Every name that stays is listed once, whatever comes and goes beside it. */
static void list_step(int me)
{
	unsigned seen[STAY] = {0}, n;
	struct dirent *e;
	DIR *d = opendir(draw(2) ? "n0" : "n1");

	(void)me;
	if (!d) {
		may(-1, ALLOWED(0), "opendir");
		return;
	}
	errno = 0;
	while ((e = readdir(d))) {
		if (sscanf(e->d_name, "stay%u", &n) == 1 && n < STAY)
			seen[n]++;
	}
	may(errno ? -1 : 0, ALLOWED(0), "readdir");
	closedir(d);
	for (n = 0; n < STAY; n++) {
		if (seen[n] != 1)
			wrong(seen[n] ? "listed twice" : "not listed", "a name that stays");
	}
}

/* ---- one file ---- */

static void region_text(char out[REGION], int me, unsigned region, unsigned version)
{
	snprintf(out, REGION, "user %d region %u version %u ", me, region, version);
	memset(out + strlen(out), 'a' + (int)(version % 26), REGION - strlen(out));
}

static void regions_step(int me)
{
	static int fd = -1;
	unsigned r = draw(REGIONS), version = all->version[me][r] + 1;
	char text[REGION];

	if (fd >= 0 && draw(20) == 0) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		fd = may(open("regions", draw(2) ? O_RDWR : O_WRONLY), ALLOWED(0), "open regions");
	region_text(text, me, r, version);
	if (may((int)pwrite(fd, text, REGION, (off_t)(r * USERS + (unsigned)me) * REGION), ALLOWED(0), "pwrite") ==
	    REGION)
		all->version[me][r] = version;
}

static void lines_step(int me)
{
	static int fd = -1;
	char line[64];
	int n;

	if (all->lines[me] == 999999) /* six digits */
		return;
	if (fd < 0)
		fd = may(open("lines", O_WRONLY | O_APPEND), ALLOWED(0), "open lines");
	n = snprintf(line, sizeof(line), "user %d line %06u\n", me, all->lines[me]);
	if (may((int)write(fd, line, (size_t)n), ALLOWED(0), "append") == n)
		all->lines[me]++;
}

static void cut_step(int me)
{
	char text[3000];
	int fd = may(open("cut", O_RDWR), ALLOWED(0), "open cut");
	struct stat st;

	memset(text, 'A' + me, sizeof(text));
	if (draw(3) == 0)
		may(ftruncate(fd, (off_t)draw(40000)), ALLOWED(0), "ftruncate");
	else
		may((int)pwrite(fd, text, 1 + draw(sizeof(text)), (off_t)draw(40000)), ALLOWED(0), "pwrite");
	may((int)pread(fd, text, sizeof(text), (off_t)draw(40000)), ALLOWED(0), "pread");
	may(fstat(fd, &st), ALLOWED(0), "fstat");
	close(fd);
}

/* Saved as editors do: whole, under another name, renamed over. Only by the first user. */
static void save_step(int me)
{
	static unsigned version;
	char text[SAVED];
	int fd = may(open("saved.new", O_WRONLY | O_CREAT | O_TRUNC, 0644), ALLOWED(0), "create saved.new");
	size_t len = sizeof(text) / 2 + draw(sizeof(text) / 2);

	(void)me;
	memset(text, 'a' + (int)(++version % 26), len);
	snprintf(text, 12, "%010u", version);
	text[10] = '\n';
	may((int)write(fd, text, len), ALLOWED(0), "write saved.new");
	close(fd);
	may(rename("saved.new", "saved"), ALLOWED(0), "rename over saved");
}

static void saved_step(int me)
{
	static unsigned last;
	char text[SAVED];
	int fd = may(open("saved", O_RDONLY), ALLOWED(0), "open saved");
	struct stat st;
	ssize_t n;
	unsigned version;

	(void)me;
	if (draw(2))
		may(stat("saved", &st), ALLOWED(0), "stat saved");
	if (fd < 0)
		return;
	n = may((int)read(fd, text, sizeof(text)), ALLOWED(0), "read saved");
	version = n > 11 ? (unsigned)strtoul(text, NULL, 10) : 0;
	if (n < SAVED / 2 || version < last)
		wrong(n < SAVED / 2 ? "a part of a save" : "an older save after a newer", "saved");
	for (ssize_t k = 11; k < n; k++) {
		if (text[k] != 'a' + (int)(version % 26)) {
			wrong("a mixture of two saves", "saved");
			break;
		}
	}
	last = version;
	close(fd);
}

/* ---- directories against each other ---- */

static void draw_dir(char out[64])
{
	int n = sprintf(out, "d%u", draw(3));

	for (unsigned depth = draw(3); depth; depth--)
		n += sprintf(out + n, "/d%u", draw(DIRS));
}

/* Names are never lost nor made: only exchanged or taken where none is. */
static void tree_step(int me)
{
	unsigned flags = draw(2) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
	char a[64], b[64];
	struct stat st;

	(void)me;
	draw_dir(a);
	draw_dir(b);
	if (draw(6) == 0)
		snprintf(b, sizeof(b), "%.50s/d%u", a, draw(DIRS)); /* into its own child */
	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, flags) == 0)
		return;
	/* The kernel could not move its memory of the directory; see fs/README.md. */
	if (errno == ESTALE || errno == ELOOP)
		__atomic_fetch_add(&all->stale_moved, 1, __ATOMIC_RELAXED);
	else
		may(-1, ALLOWED(ENOENT, EEXIST, EINVAL, ENOTDIR), "rename in the tree");
	if (draw(4) == 0 && lstat(a, &st) && (errno == ESTALE || errno == ELOOP))
		__atomic_fetch_add(&all->stale_looked, 1, __ATOMIC_RELAXED);
}

/* ---- what all see ---- */

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void dump(FILE *out, int at, const char *name, const char *path)
{
	int fd = openat(at, name, O_RDONLY | O_NOFOLLOW), n = 0;
	char *names[2000], buf[65536], below[4096];
	struct dirent *e;
	struct stat st;
	ssize_t got;
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	DIR *d;

	if ((fd < 0 && errno != ELOOP) || (fd < 0 ? fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) : fstat(fd, &st)))
		err(1, "%s", path);
	if (S_ISREG(st.st_mode)) {
		while ((got = read(fd, buf, sizeof(buf))) > 0) {
			for (ssize_t k = 0; k < got; k++)
				h = (h ^ (uint8_t)buf[k]) * UINT64_C(0x100000001b3);
		}
		if (got < 0)
			err(1, "%s", path);
	}
	fprintf(out, "%s ino %llu mode %o links %lu size %lld mtime %lld.%09ld ctime %lld.%09ld bytes %016llx\n", path,
		(unsigned long long)st.st_ino, st.st_mode, (unsigned long)st.st_nlink, (long long)st.st_size,
		(long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
		(unsigned long long)h);
	if (!S_ISDIR(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	d = fdopendir(fd);
	while (d && (e = readdir(d)) && n < 2000) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			names[n++] = strdup(e->d_name);
	}
	qsort(names, (size_t)n, sizeof(names[0]), by_name);
	for (int k = 0; k < n; k++) {
		snprintf(below, sizeof(below), "%s/%s", path, names[k]);
		dump(out, fd, names[k], below);
		free(names[k]);
	}
	closedir(d);
}

/* ---- processes ---- */

static void become(const struct user *u)
{
	if (setgroups(0, NULL) || setresgid(u->gid, u->gid, u->gid) || setresuid(u->uid, u->uid, u->uid))
		err(2, "%s", u->name);
	if (chdir(u->mount) || chdir(journal))
		err(1, "%s: %s", u->name, journal);
}

static pid_t start(int me, void (*step)(int), unsigned seed)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	become(&users[me]);
	state = seed;
	while (!all->stop)
		step(me);
	_exit(0);
}

static void make(const char *name, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		err(1, "%s", name);
	close(fd);
}

/* As the first user, before the others come. */
static void prepare(bool tree)
{
	pid_t pid = fork();
	char name[64];
	int status;

	if (!pid) {
		become(&users[0]);
		for (int k = 0; tree && k < DIRS; k++) {
			sprintf(name, k < 3 ? "d%d" : "d%d/d%d", k < 3 ? k : k % 3, k);
			if (mkdir(name, 0755))
				err(1, "%s", name);
		}
		for (int k = 0; !tree && k < 3; k++) {
			sprintf(name, "n%d", k);
			if (mkdir(name, 0755))
				err(1, "%s", name);
			for (int n = 0; n < STAY; n++) {
				sprintf(name, "n%d/stay%d", k, n);
				make(name, 0);
			}
		}
		if (!tree) {
			make("regions", (size_t)USERS * REGIONS * REGION);
			make("lines", 0);
			make("cut", 1000);
			save_step(0);
		}
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "could not prepare");
}

/* The parts of a stress that have one right result; as a user. */
static void check_results(void)
{
	char text[REGION], want[REGION], line[64];
	unsigned next[USERS] = {0}, n;
	int fd = open("regions", O_RDONLY), u;
	FILE *f = fopen("lines", "r");

	for (u = 0; u < user_count; u++) {
		for (unsigned r = 0; r < REGIONS; r++) {
			if (!all->version[u][r])
				continue;
			region_text(want, u, r, all->version[u][r]);
			if (pread(fd, text, REGION, (off_t)(r * USERS + (unsigned)u) * REGION) != REGION ||
			    memcmp(text, want, REGION) != 0)
				errx(1, "region %u of %s is not what was written last: %.60s", r, users[u].name, text);
		}
	}
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "user %d line %6u\n", &u, &n) != 2 || strlen(line) != 19 || u < 0 || u >= USERS ||
		    n != next[u]++)
			errx(1, "a line is broken, lost or out of order: %s", line);
	}
	for (u = 0; u < user_count; u++) {
		if (next[u] != all->lines[u])
			errx(1, "%u lines of %s, not %u", next[u], users[u].name, all->lines[u]);
	}
}

/* Every directory is still there, once. */
static void check_tree(const char *text)
{
	int dirs = 0;

	for (const char *at = text; (at = strstr(at, " mode 40")) != NULL; at++)
		dirs++;
	if (dirs != DIRS + 1)
		errx(1, "%d directories, not %d:\n%s", dirs, DIRS + 1, text);
}

static char *seen_by(int me, void (*check)(void))
{
	char *text = NULL;
	size_t len = 0, cap = 1 << 20;
	int pipes[2], status;
	pid_t pid;
	ssize_t n;

	if (pipe(pipes))
		err(2, "pipe");
	pid = fork();
	if (!pid) {
		FILE *out = fdopen(pipes[1], "w");

		close(pipes[0]);
		become(&users[me]);
		if (check)
			check();
		dump(out, AT_FDCWD, ".", ".");
		fclose(out);
		_exit(0);
	}
	close(pipes[1]);
	text = calloc(1, cap);
	while (text && (n = read(pipes[0], text + len, cap - len - 1)) > 0)
		len += (size_t)n;
	close(pipes[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "%s could not look", users[me].name);
	return text;
}

static int compare(bool tree, void (*check)(void))
{
	char *first = seen_by(0, check);

	if (tree)
		check_tree(first);
	for (int u = 1; u < user_count; u++) {
		char *other = seen_by(u, check);

		if (strcmp(first, other) != 0) {
			fprintf(stderr, "%s sees:\n%s\n%s sees:\n%s\n", users[0].name, first, users[u].name, other);
			errx(1, "%s and %s see different things", users[0].name, users[u].name);
		}
		free(other);
	}
	fputs(first, stdout);
	free(first);
	return 0;
}

static void hurry(int sig)
{
	(void)sig;
}

/* All processes end by themselves, or something hangs. */
static void gather(pid_t *pid, int count, unsigned seconds)
{
	struct sigaction act = {.sa_handler = hurry};
	int status, left = count, broken = 0;
	time_t end = time(NULL) + seconds, hang = end + HANG_S;

	sigaction(SIGALRM, &act, NULL);
	while (left) {
		pid_t p;

		alarm(1);
		p = wait(&status);
		if (p > 0) {
			left--;
			broken |= status;
		}
		if (time(NULL) >= end)
			all->stop = true;
		if (time(NULL) < hang)
			continue;
		for (int k = 0; k < count; k++) {
			char path[64], where[100] = "";
			FILE *f;

			snprintf(path, sizeof(path), "/proc/%d/wchan", pid[k]);
			f = fopen(path, "r");
			if (f && fgets(where, sizeof(where), f))
				fprintf(stderr, "process %d hangs in %s\n", pid[k], where);
			if (f)
				fclose(f);
			kill(pid[k], SIGKILL);
		}
		errx(1, "%d processes hang", left);
	}
	alarm(0);
	if (broken && !all->why[0])
		errx(1, "a process ended with %#x", (unsigned)broken);
}

int main(int argc, char **argv)
{
	static void (*const stress[])(int) = {names_step, names_step, look_step, list_step, regions_step, lines_step,
					      cut_step, saved_step};
	pid_t pid[USERS * 8];
	int count = 0;
	bool tree;

	if (argc < 5 || argc - 4 > USERS)
		errx(2, "together stress|tree|dump SECONDS JOURNAL NAME:UID:GID:MOUNT...");
	journal = argv[3];
	for (int k = 4; k < argc; k++) {
		struct user *u = &users[user_count++];
		char *spec = argv[k];

		u->name = strsep(&spec, ":");
		u->uid = (uid_t)atoi(strsep(&spec, ":"));
		u->gid = (gid_t)atoi(strsep(&spec, ":"));
		u->mount = spec;
	}
	if (!strcmp(argv[1], "dump"))
		return compare(false, NULL);
	tree = !strcmp(argv[1], "tree");
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		err(2, "mmap");
	prepare(tree);
	for (int u = 0; u < user_count; u++) {
		for (int k = 0; k < (tree ? 2 : 7); k++)
			pid[count++] = start(u, tree ? tree_step : stress[k], (unsigned)(u * 100 + k + (int)time(NULL)));
		if (!tree)
			pid[count++] = start(u, u ? saved_step : save_step, (unsigned)u);
	}
	gather(pid, count, (unsigned)atoi(argv[2]));
	for (int e = 0; e < 200; e++) {
		if (all->answers[e])
			fprintf(stderr, "%s %lu%s\n", strerrorname_np(e), all->answers[e],
				all->strange[e] ? ", which must not be" : "");
	}
	fprintf(stderr, "refused for directories that were moved meanwhile: %lu renames, %lu looks\n",
		all->stale_moved, all->stale_looked);
	if (all->why[0])
		errx(1, "%s", all->why);
	return compare(tree, tree ? NULL : check_results);
}
