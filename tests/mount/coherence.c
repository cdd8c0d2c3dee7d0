/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/mount/coherence.c - several practitioners in two journals, against a model in memory.
 *
 * A property test. The driver (root, outside the mounts) draws a step for one of the users, says
 * what it must answer by the model, and lets that user's program do it in the user's own mount; the
 * programs are processes under the users' accounts, each behind a socket. Steps go one after another,
 * so every answer must show all that any user did before:
 *
 *   at once: names, and whatever is seen through a file or directory opened afresh (contents, size, links);
 *   after a moment: attributes by path, and contents through a descriptor opened before: asked again
 *   until they are as they should be, for SETTLE_S at most.
 *
 * Now and then a session is locked, unlocked, logged out, logged in, or the steward changes what a user
 * may do: the driver asks for it on standard output ("lock bo") and reads "ok" on standard input.
 * The script beside it (85_coherence.sh) does that.
 *
 * coherence SEED STEPS SECONDS JOURNAL0 JOURNAL1 NAME:UID:GID:MOUNT...
 *
 * The first user keeps access to both journals and is never logged out. The same seed draws the same
 * steps. Exits 0, or 1 with the seed and the last steps on standard error.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define USERS 4
#define JOURNALS 2
#define NAMES 6
#define NODES 512
#define SLOTS 5
#define FILE_MAX 45000
#define DEPTH 3
#define PATH_LEN 600
#define SETTLE_S 10
#define TRACE 60

enum verb {
	V_OPEN, V_CLOSE, V_PWRITE, V_APPEND, V_FTRUNCATE, V_PREAD, V_FSTAT, /* by descriptor */
	V_CAT, V_MMAP, V_STAT, V_LIST, V_RENAME, V_UNLINK, V_LINK, V_MKDIR, V_RMDIR, V_SYMLINK, V_READLINK,
	V_CHMOD, V_TRUNCATE, V_SETXATTR, V_GETXATTR, V_REMOVEXATTR, V_EXIT,
};
static const char *const verb_name[] = {
	"open", "close", "pwrite", "append", "ftruncate", "pread", "fstat", "cat", "mmap", "stat", "list",
	"rename", "unlink", "link", "mkdir", "rmdir", "symlink", "readlink", "chmod", "truncate", "setxattr",
	"getxattr", "removexattr", "exit",
};

struct order {
	enum verb verb;
	int slot, flags;
	unsigned mode, len;
	long off;
	uint64_t fill; /* seed of the bytes written */
	char path[PATH_LEN], path2[PATH_LEN];
};

struct answer {
	int rc; /* 0 or errno */
	struct stat st;
	unsigned len; /* bytes in data */
	char data[FILE_MAX + 100];
};

/* ---- random numbers: the same everywhere ---- */

static uint64_t state;
static uint64_t draw64(uint64_t *s)
{
	uint64_t z = (*s += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}
static unsigned draw(unsigned n) { return (unsigned)(draw64(&state) % n); }
static void fill_bytes(char *to, unsigned len, uint64_t seed)
{
	for (unsigned k = 0; k < len; k++)
		to[k] = (char)('!' + draw64(&seed) % 90);
}

/* ---- a user's program ---- */

static int by_path(const struct order *o, struct answer *a)
{
	switch (o->verb) {
	case V_STAT: return lstat(o->path, &a->st);
	case V_RENAME: return renameat2(AT_FDCWD, o->path, AT_FDCWD, o->path2, (unsigned)o->flags);
	case V_UNLINK: return unlink(o->path);
	case V_LINK: return link(o->path, o->path2);
	case V_MKDIR: return mkdir(o->path, 0755);
	case V_RMDIR: return rmdir(o->path);
	case V_SYMLINK: return symlink(o->path2, o->path);
	case V_CHMOD: return chmod(o->path, o->mode);
	case V_TRUNCATE: return truncate(o->path, o->off);
	case V_SETXATTR: return lsetxattr(o->path, "user.test", o->path2, strlen(o->path2), 0);
	case V_REMOVEXATTR: return lremovexattr(o->path, "user.test");
	default: errno = ENOSYS; return -1;
	}
}

static int take(ssize_t n, struct answer *a)
{
	a->len = n < 0 ? 0 : (unsigned)n;
	return n < 0 ? -1 : 0;
}

static int read_all(int fd, struct answer *a)
{
	ssize_t n = 1;

	while (n > 0 && a->len < sizeof(a->data)) {
		n = read(fd, a->data + a->len, sizeof(a->data) - a->len);
		a->len += n > 0 ? (unsigned)n : 0;
	}
	return n < 0 ? -1 : 0;
}

static int map_all(int fd, struct answer *a)
{
	char *p;

	if (!a->st.st_size)
		return 0;
	p = mmap(NULL, (size_t)a->st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return -1;
	a->len = (unsigned)a->st.st_size;
	memcpy(a->data, p, a->len < sizeof(a->data) ? a->len : sizeof(a->data));
	return munmap(p, (size_t)a->st.st_size);
}

/* Contents and attributes through a descriptor opened for it. */
static int whole(const struct order *o, struct answer *a)
{
	int fd = open(o->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC), rc, e;

	if (fd < 0)
		return -1;
	rc = fstat(fd, &a->st);
	if (!rc)
		rc = o->verb == V_MMAP ? map_all(fd, a) : read_all(fd, a);
	e = errno;
	close(fd);
	errno = e;
	return rc;
}

/* Names, one a line, and the directory's attributes. */
static int names_of(const struct order *o, struct answer *a)
{
	DIR *d = opendir(o->path);
	struct dirent *e;
	int rc;

	if (!d)
		return -1;
	rc = fstat(dirfd(d), &a->st);
	errno = 0;
	while (!rc && (e = readdir(d))) {
		if (e->d_name[0] != '.')
			a->len += (unsigned)snprintf(a->data + a->len, 300, "%s\n", e->d_name);
	}
	rc = rc || errno ? -1 : 0;
	closedir(d);
	return rc;
}

static int by_descriptor(const struct order *o, struct answer *a, int *fd)
{
	static char bytes[FILE_MAX];
	ssize_t n;

	switch (o->verb) {
	case V_OPEN:
		*fd = open(o->path, o->flags | O_NOFOLLOW | O_CLOEXEC, o->mode);
		return *fd < 0 ? -1 : 0;
	case V_CLOSE:
		n = close(*fd);
		*fd = -1;
		return (int)n;
	case V_PWRITE:
	case V_APPEND:
		fill_bytes(bytes, o->len, o->fill);
		n = o->verb == V_APPEND ? write(*fd, bytes, o->len) : pwrite(*fd, bytes, o->len, o->off);
		if (n >= 0 && n != (ssize_t)o->len)
			errno = EAGAIN; /* a short write: never expected */
		return n == (ssize_t)o->len ? 0 : -1;
	case V_FTRUNCATE: return ftruncate(*fd, o->off);
	case V_FSTAT: return fstat(*fd, &a->st);
	default: return take(pread(*fd, a->data, o->len, o->off), a);
	}
}

static void user_program(int sock)
{
	static struct order o;
	static struct answer a;
	int fd[SLOTS], rc;

	for (int k = 0; k < SLOTS; k++)
		fd[k] = -1;
	while (recv(sock, &o, sizeof(o), 0) == sizeof(o) && o.verb != V_EXIT) {
		a.len = 0;
		memset(&a.st, 0, sizeof(a.st));
		errno = 0;
		if (o.verb <= V_FSTAT)
			rc = by_descriptor(&o, &a, &fd[o.slot]);
		else if (o.verb == V_CAT || o.verb == V_MMAP)
			rc = whole(&o, &a);
		else if (o.verb == V_LIST)
			rc = names_of(&o, &a);
		else if (o.verb == V_READLINK)
			rc = take(readlink(o.path, a.data, sizeof(a.data)), &a);
		else if (o.verb == V_GETXATTR)
			rc = take(lgetxattr(o.path, "user.test", a.data, sizeof(a.data)), &a);
		else
			rc = by_path(&o, &a);
		a.rc = rc ? errno : 0;
		if (send(sock, &a, offsetof(struct answer, data) + a.len, 0) < 0)
			break;
	}
	_exit(0);
}

/* ---- the model ---- */

enum kind { FREE, FILE_, DIR_, LINK_ };
struct node {
	enum kind kind;
	unsigned nlink, mode, size, opens;
	uint64_t ino; /* as the first who looked saw it */
	int entry[NAMES], parent;
	char xattr[32], target[32];
	char *data;
};
enum right { NOTHING, READ_ONLY, ALL };
struct user {
	const char *name, *mount;
	pid_t pid;
	int sock;
	enum { ACTIVE, LOCKED, OUT } state;
	enum right may[JOURNALS];
	bool lists[JOURNALS]; /* sees the name of a journal that it may not enter */
	struct { int node, journal, flags; bool used; } fd[SLOTS];
};

static struct node nodes[NODES];
static struct user users[USERS];
static int user_count;
static const char *journal_name[JOURNALS];
static int root[JOURNALS];
static uint64_t seed;
static unsigned long step, traced;
static char trace[TRACE][2 * PATH_LEN + 200];
static unsigned long again; /* answers that came right only when asked again */
static unsigned long moved; /* renames that wanted their directories looked at first */

static void note(const char *format, ...)
{
	va_list ap;
	char *at = trace[traced++ % TRACE];
	int n = sprintf(at, "%lu: ", step);

	va_start(ap, format);
	vsnprintf(at + n, sizeof(trace[0]) - (size_t)n, format, ap);
	va_end(ap);
	if (getenv("VERBOSE"))
		fprintf(stderr, "%s\n", at);
}

static void end_users(void)
{
	for (int k = 0; k < user_count; k++)
		kill(users[k].pid, SIGKILL);
}

static void bad(const char *format, ...)
{
	va_list ap;

	for (unsigned long k = traced < TRACE ? 0 : traced - TRACE; k < traced; k++)
		fprintf(stderr, "%s\n", trace[k % TRACE]);
	fprintf(stderr, "seed %llu step %lu: ", (unsigned long long)seed, step);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	end_users();
	exit(1);
}

static int node_new(enum kind kind, unsigned mode)
{
	for (int n = 0; n < NODES; n++) {
		if (nodes[n].kind != FREE)
			continue;
		free(nodes[n].data);
		nodes[n] = (struct node){.kind = kind, .mode = mode, .nlink = kind == DIR_ ? 2 : 1};
		nodes[n].data = kind == FILE_ ? calloc(1, FILE_MAX) : NULL;
		memset(nodes[n].entry, -1, sizeof(nodes[n].entry));
		return n;
	}
	bad("the model is full");
	return -1;
}

static void node_drop(int n)
{
	if (n >= 0 && !nodes[n].nlink && !nodes[n].opens)
		nodes[n].kind = FREE;
}

static bool empty(int dir)
{
	for (int k = 0; k < NAMES; k++) {
		if (nodes[dir].entry[k] >= 0)
			return false;
	}
	return true;
}

static bool within(int dir, int above)
{
	while (dir != above && dir != nodes[dir].parent)
		dir = nodes[dir].parent;
	return dir == above;
}

/* A path of names below a journal, and what the model finds there for a user. */
struct place {
	int journal, depth, name[DEPTH];
	int walk; /* errno of the way to the parent */
	int dir;  /* the parent */
	int look; /* errno of looking at the last name, other than that it is not there */
	int node; /* or -1 */
};

static struct place draw_place(void)
{
	struct place p = {.journal = draw(5) == 0, .depth = 1 + (int)draw(DEPTH)};

	for (int k = 0; k < p.depth; k++)
		p.name[k] = (int)draw(NAMES);
	return p;
}

static void path_of(const struct user *u, const struct place *p, char *out)
{
	int n = snprintf(out, PATH_LEN, "%s/%s", u->mount, journal_name[p->journal]);

	for (int k = 0; k < p->depth; k++)
		n += snprintf(out + n, PATH_LEN - (size_t)n, "/%c", 'a' + p->name[k]);
}

static void find(const struct user *u, struct place *p)
{
	int at = root[p->journal];

	p->walk = p->look = 0;
	p->node = p->dir = -1;
	if (u->state == LOCKED)
		p->walk = ENOKEY;
	else if (u->state == OUT)
		p->walk = ENOENT;
	else if (u->may[p->journal] == NOTHING && !u->lists[p->journal])
		p->walk = ENOENT;
	else if (u->may[p->journal] == NOTHING && p->depth > 1)
		p->walk = EACCES;
	else if (u->may[p->journal] == NOTHING)
		p->look = EACCES;
	if (p->walk || p->look)
		return;
	for (int k = 0; k < p->depth - 1; k++) {
		at = nodes[at].entry[p->name[k]];
		if (at < 0 || nodes[at].kind == LINK_)
			p->walk = ENOENT;
		else if (nodes[at].kind != DIR_)
			p->walk = ENOTDIR;
		if (p->walk)
			return;
	}
	p->dir = at;
	p->node = nodes[at].entry[p->name[p->depth - 1]];
}

static int found(const struct place *p) /* of an existing object by path */
{
	return p->walk ? p->walk : p->look ? p->look : p->node < 0 ? ENOENT : 0;
}

static int vacant(const struct place *p) /* of making a new name */
{
	return p->walk ? p->walk : p->look ? p->look : p->node >= 0 ? EEXIST : 0;
}

static int *entry_of(const struct place *p) { return &nodes[p->dir].entry[p->name[p->depth - 1]]; }
static bool writes(const struct user *u, const struct place *p) { return u->may[p->journal] == ALL; }

/* ---- asking ---- */

static void ask(struct user *u, struct order *o, struct answer *a)
{
	if (send(u->sock, o, sizeof(*o), 0) != sizeof(*o))
		bad("%s's program does not listen", u->name);
	if (recv(u->sock, a, sizeof(*a), 0) < (ssize_t)offsetof(struct answer, data))
		bad("%s's program does not answer", u->name);
}

static const char *said(int e) { return e ? strerrorname_np(e) : "ok"; }

static void note_order(const struct user *u, const struct order *o, int want)
{
	note("%s %s %s %s slot %d flags %#x off %ld len %u -> %s", u->name, verb_name[o->verb],
	     o->path[0] ? o->path + strlen(u->mount) : "", o->path2, o->slot, (unsigned)o->flags, o->off, o->len,
	     said(want));
}

static void expect(struct user *u, struct order *o, struct answer *a, int want)
{
	note_order(u, o, want);
	ask(u, o, a);
	if (a->rc != want)
		bad("%s got %s, the model says %s", verb_name[o->verb], said(a->rc), said(want));
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void check_ino(int n, const struct stat *st)
{
	if (!nodes[n].ino)
		nodes[n].ino = st->st_ino;
	else if (nodes[n].ino != st->st_ino)
		bad("another inode: %llu, it was %llu", (unsigned long long)st->st_ino,
		    (unsigned long long)nodes[n].ino);
}

/* What is wrong with these attributes; NULL: nothing. */
static const char *wrong_attributes(const struct user *u, int journal, int n, const struct stat *st)
{
	static char why[200];
	const struct node *x = &nodes[n];
	mode_t type = x->kind == FILE_ ? S_IFREG : x->kind == DIR_ ? S_IFDIR : S_IFLNK;
	unsigned mode = x->mode & ~(u->may[journal] == ALL ? 0u : 0200u);

	if (st->st_ino != x->ino && x->ino)
		snprintf(why, sizeof(why), "inode %llu, not %llu", (unsigned long long)st->st_ino,
			 (unsigned long long)x->ino);
	else if ((st->st_mode & S_IFMT) != type)
		snprintf(why, sizeof(why), "another type: %o", st->st_mode);
	else if (x->kind != DIR_ && st->st_size != x->size)
		snprintf(why, sizeof(why), "size %lld, not %u", (long long)st->st_size, x->size);
	else if (st->st_nlink != x->nlink)
		snprintf(why, sizeof(why), "%lu links, not %u", (unsigned long)st->st_nlink, x->nlink);
	else if (x->kind != LINK_ && (st->st_mode & 07777) != mode)
		snprintf(why, sizeof(why), "mode %o, not %o", st->st_mode & 07777, mode);
	else
		return NULL;
	return why;
}

static const char *wrong_bytes(int n, long off, unsigned len, const struct answer *a)
{
	static char why[200];
	const struct node *x = &nodes[n];
	unsigned want = off >= x->size ? 0 : x->size - (unsigned)off < len ? x->size - (unsigned)off : len;

	if (a->len != want) {
		snprintf(why, sizeof(why), "%u bytes, not %u", a->len, want);
		return why;
	}
	for (unsigned k = 0; k < want; k++) {
		if (a->data[k] == x->data[off + k])
			continue;
		snprintf(why, sizeof(why), "byte %ld is %02x, not %02x", off + k, (uint8_t)a->data[k],
			 (uint8_t)x->data[off + k]);
		return why;
	}
	return NULL;
}

/* Asked until it is right: what the kernel may show from its memory for a moment. */
static void settles(struct user *u, struct order *o, int journal, int n)
{
	static struct answer a;
	int64_t until = now_ms() + SETTLE_S * 1000;
	const char *wrong;

	expect(u, o, &a, 0);
	for (unsigned long tries = 0;; tries++) {
		wrong = o->verb == V_PREAD ? wrong_bytes(n, o->off, o->len, &a)
					   : wrong_attributes(u, journal, n, &a.st);
		again += wrong && !tries;
		if (!wrong)
			break;
		if (now_ms() > until)
			bad("%s", wrong);
		ask(u, o, &a);
		if (a.rc)
			bad("%s, asked again: %s", verb_name[o->verb], said(a.rc));
	}
	if (o->verb != V_PREAD)
		check_ino(n, &a.st);
}

/* ---- steps by path ---- */

static struct answer got;

static void step_whole(struct user *u, struct order *o)
{
	struct place p = draw_place();
	const char *wrong;
	int want;

	path_of(u, &p, o->path);
	find(u, &p);
	want = found(&p);
	if (!want && nodes[p.node].kind == LINK_)
		want = ELOOP;
	if (!want && nodes[p.node].kind == DIR_) {
		o->verb = V_STAT;
		settles(u, o, p.journal, p.node);
		return;
	}
	expect(u, o, &got, want);
	if (want)
		return;
	wrong = wrong_attributes(u, p.journal, p.node, &got.st);
	if (!wrong)
		wrong = wrong_bytes(p.node, 0, FILE_MAX, &got);
	if (wrong)
		bad("opened afresh: %s", wrong);
	check_ino(p.node, &got.st);
}

static void step_stat(struct user *u, struct order *o)
{
	struct place p = draw_place();

	path_of(u, &p, o->path);
	find(u, &p);
	if (found(&p))
		expect(u, o, &got, found(&p));
	else
		settles(u, o, p.journal, p.node);
}

static void step_list(struct user *u, struct order *o)
{
	struct place p = draw_place();
	unsigned seen = 0, want_names = 0;
	const char *wrong;
	int want;

	path_of(u, &p, o->path);
	find(u, &p);
	want = found(&p);
	if (!want && nodes[p.node].kind != DIR_)
		want = nodes[p.node].kind == LINK_ ? ENOENT : ENOTDIR;
	expect(u, o, &got, want);
	if (want)
		return;
	wrong = wrong_attributes(u, p.journal, p.node, &got.st);
	if (wrong)
		bad("opened afresh: %s", wrong);
	for (unsigned k = 0; k + 1 < got.len; k += 2) {
		if (got.data[k + 1] != '\n' || got.data[k] < 'a' || got.data[k] >= 'a' + NAMES ||
		    seen >> (got.data[k] - 'a') & 1)
			bad("a strange listing: %.*s", (int)got.len, got.data);
		seen |= 1u << (got.data[k] - 'a');
	}
	for (int k = 0; k < NAMES; k++)
		want_names |= nodes[p.node].entry[k] >= 0 ? 1u << k : 0;
	if (seen != want_names)
		bad("names %#x listed, not %#x", seen, want_names);
}

static void step_remove(struct user *u, struct order *o)
{
	struct place p = draw_place();
	bool dir = o->verb == V_RMDIR;
	int want;

	path_of(u, &p, o->path);
	find(u, &p);
	want = found(&p);
	if (!want && dir != (nodes[p.node].kind == DIR_))
		want = dir ? ENOTDIR : EISDIR;
	if (!want && !writes(u, &p))
		want = EACCES;
	if (!want && dir && !empty(p.node))
		want = ENOTEMPTY;
	expect(u, o, &got, want);
	if (want)
		return;
	*entry_of(&p) = -1;
	nodes[p.node].nlink = dir ? 0 : nodes[p.node].nlink - 1;
	nodes[p.dir].nlink -= dir;
	node_drop(p.node);
}

static void step_make(struct user *u, struct order *o)
{
	struct place p = draw_place();
	int want, n;

	path_of(u, &p, o->path);
	find(u, &p);
	want = vacant(&p);
	if (!want && !writes(u, &p))
		want = EACCES;
	if (o->verb == V_SYMLINK)
		snprintf(o->path2, sizeof(o->path2), "nowhere-%u", draw(1000));
	expect(u, o, &got, want);
	if (want)
		return;
	n = node_new(o->verb == V_MKDIR ? DIR_ : LINK_, 0755);
	if (o->verb == V_SYMLINK) {
		snprintf(nodes[n].target, sizeof(nodes[n].target), "%.30s", o->path2);
		nodes[n].size = (unsigned)strlen(nodes[n].target);
	}
	nodes[n].parent = p.dir;
	nodes[p.dir].nlink += o->verb == V_MKDIR;
	*entry_of(&p) = n;
}

static void step_link(struct user *u, struct order *o)
{
	struct place p = draw_place(), q = draw_place();
	int want;

	path_of(u, &p, o->path);
	path_of(u, &q, o->path2);
	find(u, &p);
	find(u, &q);
	want = found(&p);
	if (!want)
		want = vacant(&q);
	if (!want && nodes[p.node].kind == DIR_)
		want = EPERM;
	if (!want && p.journal != q.journal)
		want = EXDEV;
	if (!want && !writes(u, &q))
		want = EACCES;
	expect(u, o, &got, want);
	if (want)
		return;
	nodes[p.node].nlink++;
	*entry_of(&q) = p.node;
}

/* The kernel's checks in their order, then the daemon's. */
static int rename_answer(const struct user *u, const struct place *p, const struct place *q, int flags)
{
	bool cross, exchange = flags & RENAME_EXCHANGE, from_dir;

	if (p->walk || q->walk)
		return p->walk ? p->walk : q->walk;
	if (found(p))
		return found(p);
	if (q->look)
		return q->look;
	if (flags & RENAME_NOREPLACE && q->node >= 0)
		return EEXIST;
	if (exchange && q->node < 0)
		return ENOENT;
	cross = p->dir != q->dir;
	from_dir = nodes[p->node].kind == DIR_;
	if (cross && from_dir && within(q->dir, p->node))
		return EINVAL;
	if (cross && q->node >= 0 && nodes[q->node].kind == DIR_ && within(p->dir, q->node))
		return exchange ? EINVAL : ENOTEMPTY;
	if (p->node == q->node)
		return 0;
	if (q->node >= 0 && !exchange && from_dir != (nodes[q->node].kind == DIR_))
		return from_dir ? ENOTDIR : EISDIR;
	if (p->journal != q->journal)
		return EXDEV;
	if (!writes(u, p))
		return EACCES;
	if (q->node >= 0 && !exchange && from_dir && !empty(q->node))
		return ENOTEMPTY;
	return 0;
}

/*
 * The one exception that fs/README.md names: a directory that another mount moved, renamed between
 * directories before anybody here looked at it. Looking helps.
 */
static void expect_rename(struct user *u, struct order *o, const struct place *p, const struct place *q,
			  int want)
{
	bool dirs = (p->node >= 0 && nodes[p->node].kind == DIR_) || (q->node >= 0 && nodes[q->node].kind == DIR_);
	struct order look = {.verb = V_STAT};

	note_order(u, o, want);
	ask(u, o, &got);
	if (got.rc == ESTALE && dirs && p->dir != q->dir) {
		moved++;
		memcpy(look.path, o->path, PATH_LEN);
		ask(u, &look, &got);
		memcpy(look.path, o->path2, PATH_LEN);
		ask(u, &look, &got);
		ask(u, o, &got);
	}
	if (got.rc != want)
		bad("rename got %s, the model says %s", said(got.rc), said(want));
}

static void step_rename(struct user *u, struct order *o)
{
	struct place p = draw_place(), q = draw_place();
	int want, replaced;

	path_of(u, &p, o->path);
	path_of(u, &q, o->path2);
	find(u, &p);
	find(u, &q);
	o->flags = draw(4) ? 0 : draw(2) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
	want = rename_answer(u, &p, &q, o->flags);
	expect_rename(u, o, &p, &q, want);
	replaced = want ? -1 : q.node;
	if (want || replaced == p.node)
		return;
	*entry_of(&q) = p.node;
	*entry_of(&p) = o->flags & RENAME_EXCHANGE ? replaced : -1;
	if (nodes[p.node].kind == DIR_) {
		nodes[p.dir].nlink--;
		nodes[q.dir].nlink++;
		nodes[p.node].parent = q.dir;
	}
	if (replaced < 0)
		return;
	if (nodes[replaced].kind == DIR_)
		nodes[q.dir].nlink--;
	if (o->flags & RENAME_EXCHANGE) {
		nodes[p.dir].nlink += nodes[replaced].kind == DIR_;
		nodes[replaced].parent = p.dir;
		return;
	}
	nodes[replaced].nlink = nodes[replaced].kind == DIR_ ? 0 : nodes[replaced].nlink - 1;
	node_drop(replaced);
}

static void step_readlink(struct user *u, struct order *o)
{
	struct place p = draw_place();
	int want;

	path_of(u, &p, o->path);
	find(u, &p);
	want = found(&p);
	if (!want && nodes[p.node].kind != LINK_)
		want = EINVAL;
	expect(u, o, &got, want);
	if (!want && (got.len != nodes[p.node].size || memcmp(got.data, nodes[p.node].target, got.len)))
		bad("another target: %.*s", (int)got.len, got.data);
}

static void step_chmod(struct user *u, struct order *o)
{
	struct place p = draw_place();
	int want;

	path_of(u, &p, o->path);
	find(u, &p);
	o->mode = 0600 | (draw(2) ? 0100 : 0) | draw(0100);
	if (p.node >= 0 && nodes[p.node].kind == DIR_)
		o->mode |= 0100; /* or nobody could enter it */
	want = found(&p);
	if (!want && nodes[p.node].kind == LINK_)
		want = ENOENT; /* it is followed, to nowhere */
	if (!want && !writes(u, &p))
		want = EACCES;
	expect(u, o, &got, want);
	if (!want)
		nodes[p.node].mode = o->mode;
}

static void resize(int n, unsigned size)
{
	if (size < nodes[n].size)
		memset(nodes[n].data + size, 0, nodes[n].size - size);
	nodes[n].size = size;
}

static void step_truncate(struct user *u, struct order *o)
{
	struct place p = draw_place();
	int want;

	path_of(u, &p, o->path);
	find(u, &p);
	o->off = draw(3) ? draw(6000) : draw(FILE_MAX);
	want = found(&p);
	if (!want && nodes[p.node].kind != FILE_)
		want = nodes[p.node].kind == DIR_ ? EISDIR : ENOENT;
	if (!want && !writes(u, &p))
		want = EACCES;
	expect(u, o, &got, want);
	if (!want)
		resize(p.node, (unsigned)o->off);
}

static void step_xattr(struct user *u, struct order *o)
{
	struct place p = draw_place();
	bool get = o->verb == V_GETXATTR;
	int want;

	path_of(u, &p, o->path);
	find(u, &p);
	if (o->verb == V_SETXATTR)
		snprintf(o->path2, sizeof(o->path2), "value-%u", draw(100000));
	want = found(&p);
	if (!want && nodes[p.node].kind == LINK_)
		want = get ? ENODATA : EPERM;
	if (!want && !get && !writes(u, &p))
		want = EACCES;
	if (!want && o->verb != V_SETXATTR && !nodes[p.node].xattr[0])
		want = ENODATA;
	expect(u, o, &got, want);
	if (want)
		return;
	if (get && (got.len != strlen(nodes[p.node].xattr) || memcmp(got.data, nodes[p.node].xattr, got.len)))
		bad("another value: %.*s, not %s", (int)got.len, got.data, nodes[p.node].xattr);
	if (!get)
		snprintf(nodes[p.node].xattr, sizeof(nodes[p.node].xattr), "%.30s",
			 o->verb == V_SETXATTR ? o->path2 : "");
}

/* ---- steps by descriptor ---- */

static int open_answer(const struct user *u, const struct place *p, int flags)
{
	bool write = (flags & O_ACCMODE) != O_RDONLY;

	if (p->walk || p->look)
		return p->walk ? p->walk : p->look;
	if (p->node < 0)
		return !(flags & O_CREAT) ? ENOENT : writes(u, p) ? 0 : EACCES;
	if (flags & O_CREAT && flags & O_EXCL)
		return EEXIST;
	if (nodes[p->node].kind == LINK_)
		return ELOOP;
	if (nodes[p->node].kind == DIR_)
		return EISDIR;
	return write && !writes(u, p) ? EACCES : 0;
}

static void step_open(struct user *u, struct order *o)
{
	static const int how[] = {O_RDONLY, O_RDWR, O_RDWR, O_WRONLY};
	struct place p = draw_place();
	int slot = (int)draw(SLOTS), want;

	if (u->fd[slot].used)
		return;
	path_of(u, &p, o->path);
	find(u, &p);
	o->slot = slot;
	o->mode = 0644;
	o->flags = how[draw(4)] | (draw(2) ? O_CREAT : 0);
	o->flags |= o->flags & O_CREAT && !draw(4) ? O_EXCL : 0;
	if ((o->flags & O_ACCMODE) != O_RDONLY)
		o->flags |= (draw(4) ? 0 : O_TRUNC) | (draw(4) ? 0 : O_APPEND);
	want = open_answer(u, &p, o->flags);
	if (want == EISDIR && !(o->flags & O_CREAT) && (o->flags & O_ACCMODE) == O_RDONLY)
		return;
	expect(u, o, &got, want);
	if (want)
		return;
	if (p.node < 0) {
		p.node = node_new(FILE_, 0644);
		*entry_of(&p) = p.node;
	} else if (o->flags & O_TRUNC) {
		resize(p.node, 0);
	}
	nodes[p.node].opens++;
	u->fd[slot].used = true;
	u->fd[slot].node = p.node;
	u->fd[slot].journal = p.journal;
	u->fd[slot].flags = o->flags;
}

static void close_slot(struct user *u, int slot, bool any)
{
	struct order o = {.verb = V_CLOSE, .slot = slot};
	int n = u->fd[slot].node;

	note("%s close slot %d", u->name, slot);
	ask(u, &o, &got);
	if (got.rc && !any)
		bad("close got %s", said(got.rc));
	u->fd[slot].used = false;
	nodes[n].opens--;
	node_drop(n);
}

static void write_model(int n, const struct order *o)
{
	unsigned at = (unsigned)o->off;

	fill_bytes(nodes[n].data + at, o->len, o->fill);
	if (at + o->len > nodes[n].size)
		nodes[n].size = at + o->len;
}

static void step_write(struct user *u, struct order *o, int n, int refused, bool append)
{
	o->len = 1 + (draw(3) ? draw(500) : draw(9000));
	o->off = append ? nodes[n].size : draw(3) ? draw(nodes[n].size + 1) : draw(FILE_MAX - 9001);
	o->fill = draw64(&state);
	if (o->off + o->len > FILE_MAX)
		return;
	o->verb = append ? V_APPEND : V_PWRITE;
	expect(u, o, &got, refused);
	if (!refused)
		write_model(n, o);
}

static void step_descriptor(struct user *u, struct order *o)
{
	int slot = (int)draw(SLOTS), n = u->fd[slot].node, flags = u->fd[slot].flags;
	int journal = u->fd[slot].journal, reading = 0, writing = 0;
	unsigned what = draw(8);

	if (!u->fd[slot].used || u->state == OUT)
		return;
	o->slot = slot;
	if (u->state == LOCKED)
		reading = writing = ENOKEY;
	if (!reading && u->may[journal] == NOTHING)
		reading = writing = EACCES;
	if (!writing && u->may[journal] != ALL)
		writing = EACCES;
	if (what == 0 || what == 1) {
		/* A locked session's FLUSH is refused: close says so, and closes. */
		close_slot(u, slot, reading != 0);
	} else if (what <= 3 && (flags & O_ACCMODE) != O_RDONLY) {
		step_write(u, o, n, writing, flags & O_APPEND);
	} else if (what == 4 && (flags & O_ACCMODE) != O_RDONLY) {
		o->verb = V_FTRUNCATE;
		o->off = draw(nodes[n].size + 2000);
		if (o->off > FILE_MAX)
			return;
		expect(u, o, &got, writing);
		if (!writing)
			resize(n, (unsigned)o->off);
	} else if (what <= 6 && (flags & O_ACCMODE) != O_WRONLY) {
		o->verb = V_PREAD;
		o->off = draw(nodes[n].size + 1);
		o->len = 1 + draw(9000);
		if (reading && o->off >= nodes[n].size)
			return; /* the kernel knows that nothing is there */
		if (reading)
			expect(u, o, &got, reading);
		else
			settles(u, o, journal, n);
	} else if (!reading) {
		o->verb = V_FSTAT;
		settles(u, o, journal, n);
	}
}

/* ---- steps of the steward and of sessions ---- */

static void control(const char *format, ...)
{
	char line[200];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	note("%s", line);
	printf("%s\n", line);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin) || strncmp(line, "ok", 2))
		bad("that could not be done");
}

/* Names that the kernel had cached may be walked until they are cut: none of those in a closed journal may. */
static void await_closed(struct user *u, int dir, const char *path)
{
	int64_t until = now_ms() + SETTLE_S * 1000;
	struct order o = {.verb = V_STAT};

	for (int k = 0; k < NAMES; k++) {
		if (nodes[dir].entry[k] < 0)
			continue;
		snprintf(o.path, sizeof(o.path), "%.*s/%c", PATH_LEN - 3, path, 'a' + k);
		for (ask(u, &o, &got); got.rc != EACCES; ask(u, &o, &got)) {
			if (now_ms() > until)
				bad("%s still sees %s: %s", u->name, o.path, said(got.rc));
			usleep(2000);
		}
		if (nodes[nodes[dir].entry[k]].kind == DIR_)
			await_closed(u, nodes[dir].entry[k], strdupa(o.path));
	}
}

/* Until the kernel shows what policy says now: by a name that is never there. */
static void await(struct user *u, int journal)
{
	struct order o = {.verb = V_STAT};
	int64_t until = now_ms() + SETTLE_S * 1000;
	struct order top = o;
	int want = u->state == LOCKED ? ENOKEY : ENOENT;
	bool right;

	if (u->state == ACTIVE && u->may[journal] == NOTHING && u->lists[journal])
		want = EACCES;
	snprintf(o.path, sizeof(o.path), "%s/%s/never", u->mount, journal_name[journal]);
	snprintf(top.path, sizeof(top.path), "%s/%s", u->mount, journal_name[journal]);
	for (;;) {
		ask(u, &o, &got);
		right = got.rc == want;
		if (right && u->state == ACTIVE && u->may[journal] != NOTHING) {
			ask(u, &top, &got);
			right = !got.rc && !(got.st.st_mode & 0200) == (u->may[journal] != ALL);
		} else if (right && u->state == ACTIVE && !u->lists[journal]) {
			ask(u, &top, &got);
			right = got.rc == ENOENT;
		}
		if (right)
			break;
		if (now_ms() > until)
			bad("%s does not come to see journal %d as policy says (%s, mode %o)", u->name, journal,
			    said(got.rc), got.st.st_mode);
		usleep(2000);
	}
	if (want == EACCES)
		await_closed(u, root[journal], top.path);
}

static void await_all(struct user *u)
{
	for (int j = 0; j < JOURNALS; j++)
		await(u, j);
}

static void step_rights(void)
{
	static const char *const word[] = {"none", "r-x", "rwx"};
	struct user *u = &users[draw((unsigned)user_count)];
	int j = (int)draw(JOURNALS);
	enum right may = draw(3);

	/* The first keeps what lets the others in: the journal's key. */
	if (u == users && may == NOTHING)
		may = ALL;
	if (may == u->may[j] || users[0].state != ACTIVE)
		return;
	control("rights %s %d %s", u->name, j, word[may]);
	u->may[j] = may;
	await_all(u);
}

static void step_session(void)
{
	struct user *u = &users[draw((unsigned)user_count)];

	if (u->state == OUT) {
		control("login %s", u->name);
		u->state = ACTIVE;
	} else if (u->state == LOCKED) {
		control("unlock %s", u->name);
		u->state = ACTIVE;
	} else if (u == users || draw(2)) {
		control("lock %s", u->name);
		u->state = LOCKED;
	} else {
		control("logout %s", u->name);
		u->state = OUT;
		for (int slot = 0; slot < SLOTS; slot++) {
			if (u->fd[slot].used)
				close_slot(u, slot, true);
		}
	}
	await_all(u);
}

static void one_step(void)
{
	static const enum verb plain[] = {V_CAT, V_CAT, V_CAT, V_MMAP, V_STAT, V_STAT, V_LIST, V_RENAME, V_RENAME,
					  V_UNLINK, V_LINK, V_MKDIR, V_MKDIR, V_RMDIR, V_SYMLINK, V_READLINK, V_CHMOD,
					  V_TRUNCATE, V_SETXATTR, V_GETXATTR, V_REMOVEXATTR};
	struct user *u = &users[draw((unsigned)user_count)];
	struct order o = {.slot = 0};
	unsigned what = draw(1000);

	if (what == 0) {
		step_rights();
	} else if (what == 1 || (what < 60 && u->state != ACTIVE)) {
		step_session();
	} else if (what < 250) {
		o.verb = V_OPEN;
		step_open(u, &o);
	} else if (what < 550) {
		step_descriptor(u, &o);
	} else {
		o.verb = plain[draw(sizeof(plain) / sizeof(plain[0]))];
		switch (o.verb) {
		case V_CAT: case V_MMAP: step_whole(u, &o); break;
		case V_STAT: step_stat(u, &o); break;
		case V_LIST: step_list(u, &o); break;
		case V_RENAME: step_rename(u, &o); break;
		case V_UNLINK: case V_RMDIR: step_remove(u, &o); break;
		case V_LINK: step_link(u, &o); break;
		case V_MKDIR: case V_SYMLINK: step_make(u, &o); break;
		case V_READLINK: step_readlink(u, &o); break;
		case V_CHMOD: step_chmod(u, &o); break;
		case V_TRUNCATE: step_truncate(u, &o); break;
		default: step_xattr(u, &o);
		}
	}
}

static void user_start(struct user *u, char *spec)
{
	char *part[4];
	int pair[2], k;

	for (k = 0; k < 4; k++)
		part[k] = strsep(&spec, ":");
	if (!part[3] || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		errx(2, "NAME:UID:GID:MOUNT");
	u->name = part[0];
	u->mount = part[3];
	for (int j = 0; j < JOURNALS; j++)
		u->may[j] = ALL;
	u->sock = pair[0];
	k = 1 << 20;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &k, sizeof(k));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &k, sizeof(k));
	u->pid = fork();
	if (u->pid < 0)
		err(2, "fork");
	if (u->pid)
		return;
	close(0);
	close(1);
	umask(0);
	if (chdir("/") || setgroups(0, NULL) ||
	    setresgid((gid_t)atoi(part[2]), (gid_t)atoi(part[2]), (gid_t)atoi(part[2])) ||
	    setresuid((uid_t)atoi(part[1]), (uid_t)atoi(part[1]), (uid_t)atoi(part[1])))
		err(2, "%s", u->name);
	user_program(pair[1]);
}

int main(int argc, char **argv)
{
	unsigned long steps;
	int64_t until;

	if (argc < 7 || argc - 6 > USERS)
		errx(2, "coherence SEED STEPS SECONDS JOURNAL0 JOURNAL1 NAME:UID:GID:MOUNT...");
	seed = state = strtoull(argv[1], NULL, 10);
	steps = strtoul(argv[2], NULL, 10);
	until = now_ms() + atoi(argv[3]) * 1000;
	signal(SIGPIPE, SIG_IGN);
	for (int k = 6; k < argc; k++)
		user_start(&users[user_count++], argv[k]);
	for (int j = 0; j < JOURNALS; j++) {
		journal_name[j] = argv[4 + j];
		root[j] = node_new(DIR_, 0700);
		nodes[root[j]].parent = root[j];
	}
	/* The script begins with everybody admitted to the first journal, and the first user to both. */
	for (int k = 1; k < user_count; k++)
		users[k].may[1] = NOTHING;
	for (int k = 0; k < user_count; k++) {
		for (int j = 0; j < JOURNALS; j++)
			users[k].lists[j] = users[k].name[0] != 'e'; /* eva is of another unit */
		await_all(&users[k]);
	}
	for (step = 1; step <= steps && now_ms() < until; step++)
		one_step();
	fprintf(stderr, "seed %llu: %lu steps; asked again: %lu; moved directories looked at: %lu\n",
		(unsigned long long)seed, step - 1, again, moved);
	end_users();
	return 0;
}
