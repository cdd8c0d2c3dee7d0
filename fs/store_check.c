/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_check.c - is the database sound enough to be opened?
 *
 * LMDB trusts its pages: a damaged or forged page number or offset makes it read or
 * write anywhere. So data.mdb is first walked here, with every number checked, by a
 * child process that has mapped the file and its own notes, holds no key, and then
 * enters seccomp's strict mode: it can do nothing but read, write to descriptors
 * (it closed all) and exit. A crash of the child is a verdict too.
 *
 * The layout is that of LMDB 0.9 on this machine (data.mdb is in the host's own
 * byte order and word size). Checked: both roots, every page reached once, its type
 * and bounds, order of keys, sizes of values, totals, and that no page is both free
 * and in use. What the pages mean is not looked at: that is the tag tree's part.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_HEAD 16
#define NODE_HEAD 8
#define P_BRANCH 0x01
#define P_LEAF 0x02
#define P_OVERFLOW 0x04
#define P_META 0x08
#define F_BIGDATA 0x01
#define DB_KIND 0x7f /* the flags that say how keys compare, and what a page holds */
#define DB_INTEGER_KEY 0x08
#define NO_PAGE UINT64_MAX
#define MAGIC 0xBEEFC0DEu
#define DEPTH_MAX 32
#define PAGE_MAX 65536

#define VERDICT_SOUND 0
#define VERDICT_DAMAGED 1

struct db { /* one of the two trees, as a meta page describes it */
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct meta {
	uint32_t magic, version;
	uint64_t address, mapsize;
	struct db dbs[2]; /* free pages; records */
	uint64_t last_page, txn;
};

struct walk {
	const uint8_t *map;
	uint64_t bytes;
	uint8_t *seen; /* a bit per page */
	uint32_t page;
	uint64_t last_page;
	bool free_db;
	struct db count;
	uint16_t depth;		 /* levels of the tree; every leaf lies on the last */
	uint8_t key[FS_KEY_MAX]; /* the last one met, in order */
	unsigned key_len;
	bool key_of_branch; /* it stands in a branch: the next leaf's first key may equal it */
};

struct node {
	uint64_t child;	   /* branch */
	uint32_t data_len; /* leaf */
	uint16_t flags, key_len;
	const uint8_t *key, *data;
	uint32_t room; /* bytes from data to the end of the page */
};

static uint16_t u16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t u64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Takes `n` pages from `first` on as used for one thing only. */
static bool claim(struct walk *w, uint64_t first, uint64_t n, bool must_exist)
{
	if (first < 2 || first > w->last_page || n == 0 || n > w->last_page - first + 1)
		return false;
	if (must_exist && (first + n) > w->bytes / w->page)
		return false;
	for (uint64_t i = first; i < first + n; i++) {
		if (w->seen[i / 8] & 1u << i % 8)
			return false;
		w->seen[i / 8] |= (uint8_t)(1u << i % 8);
	}
	return true;
}

static bool read_node(const struct walk *w, const uint8_t *page, unsigned i, bool leaf,
		      struct node *n)
{
	uint32_t at = u16(page + PAGE_HEAD + 2 * i);
	uint16_t lo, hi;
	const uint8_t *p;

	if (at < u16(page + 12) || at + NODE_HEAD > w->page)
		return false;
	p = page + at;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	lo = u16(p);
	hi = u16(p + 2);
#else
	hi = u16(p);
	lo = u16(p + 2);
#endif
	n->flags = u16(p + 4);
	n->key_len = u16(p + 6);
	n->key = p + NODE_HEAD;
	if (at + NODE_HEAD + n->key_len > w->page)
		return false;
	n->data = n->key + n->key_len;
	n->room = w->page - at - NODE_HEAD - n->key_len;
	n->child = lo | (uint64_t)hi << 16 | (uint64_t)n->flags << 32;
	n->data_len = lo | (uint32_t)hi << 16;
	return leaf || n->child <= w->last_page;
}

/*
 * Keys ascend over the whole tree. A branch's key for a child, but for the first one, which LMDB
 * never looks at, lies above all before it and is the child's first key or a lower one.
 */
static bool key_ascends(struct walk *w, const struct node *n, bool leaf)
{
	unsigned least = n->key_len < w->key_len ? n->key_len : w->key_len;
	bool may_equal = leaf && w->key_of_branch;
	int c;

	if (!n->key_len || n->key_len > FS_KEY_MAX)
		return false;
	if (w->free_db) {
		uint64_t before = w->key_len ? u64(w->key) : 0;

		if (n->key_len != 8 || u64(n->key) + may_equal <= before)
			return false;
	} else if (w->key_len) {
		c = memcmp(w->key, n->key, least);
		if (!c)
			c = (int)w->key_len - (int)n->key_len;
		if (c >= may_equal)
			return false;
	}
	w->key_of_branch = !leaf;
	memcpy(w->key, n->key, n->key_len);
	w->key_len = n->key_len;
	return true;
}

/* A record of the free tree: how many pages, and which, descending. */
static bool claim_free(struct walk *w, const uint8_t *p, uint32_t len)
{
	uint64_t n, before = NO_PAGE;

	if (len < 8)
		return false;
	n = u64(p);
	if (n > (len - 8) / 8)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t page = u64(p + 8 + 8 * i);

		if (page >= before || !claim(w, page, 1, false))
			return false;
		before = page;
	}
	return true;
}

static bool check_leaf_node(struct walk *w, const struct node *n)
{
	const uint8_t *data = n->data;

	if (n->flags & ~F_BIGDATA || !key_ascends(w, n, true))
		return false;
	if (!w->free_db && n->data_len > FS_VALUE_MAX)
		return false;
	if (n->flags & F_BIGDATA) {
		uint64_t first, pages,
			least = ((uint64_t)PAGE_HEAD - 1 + n->data_len) / w->page + 1;
		const uint8_t *head;

		if (n->room < 8)
			return false;
		first = u64(n->data);
		if (!claim(w, first, 1, true))
			return false;
		head = w->map + first * w->page;
		/* LMDB frees as many as stand here; a shorter value may have kept more than it
		 * needs. */
		pages = u32(head + 12);
		if (u64(head) != first || u16(head + 10) != P_OVERFLOW || pages < least ||
		    (pages > 1 && !claim(w, first + 1, pages - 1, true)))
			return false;
		data = head + PAGE_HEAD;
		w->count.overflows += pages;
	} else if (n->data_len > n->room) {
		return false;
	}
	w->count.entries++;
	return !w->free_db || claim_free(w, data, n->data_len);
}

/*
 * The nodes lie side by side from the end of the free room to the end of the page: LMDB moves all
 * that lies below a node when it deletes one. Not inlined: its table is not for every level.
 */
static __attribute__((noinline)) bool check_tiles(const struct walk *w, const uint8_t *page,
						  unsigned keys, bool leaf)
{
	uint16_t size[PAGE_MAX /
		      2]; /* of the node that begins at this pair of bytes; 0: none does */
	uint32_t at = u16(page + 14);

	memset(size, 0, w->page);
	for (unsigned i = 0; i < keys; i++) {
		uint32_t from = u16(page + PAGE_HEAD + 2 * i), len;
		struct node n;

		if (from % 2 || !read_node(w, page, i, leaf, &n))
			return false;
		len = n.flags & F_BIGDATA ? 8 : n.data_len;
		if (leaf && len > n.room)
			return false;
		len = NODE_HEAD + n.key_len + (leaf ? len : 0);
		size[from / 2] = (uint16_t)(len + len % 2);
	}
	for (; keys && at < w->page && size[at / 2]; keys--)
		at += size[at / 2];
	return !keys && at == w->page;
}

static bool check_page(struct walk *w, uint64_t number, unsigned level)
{
	const uint8_t *page;
	unsigned flags, lower, upper, keys;
	bool leaf;

	if (level > w->depth || !claim(w, number, 1, true))
		return false;
	page = w->map + number * w->page;
	flags = u16(page + 10);
	lower = u16(page + 12);
	upper = u16(page + 14);
	leaf = flags == P_LEAF;
	if (u64(page) != number || (!leaf && flags != P_BRANCH) || (leaf != (level == w->depth)))
		return false;
	if (lower < PAGE_HEAD || lower % 2 || lower > upper || upper > w->page)
		return false;
	keys = (lower - PAGE_HEAD) / 2;
	/* LMDB asserts that a branch of the records has two children. */
	if (!keys || (!leaf && !w->free_db && keys < 2) || !check_tiles(w, page, keys, leaf))
		return false;
	if (leaf)
		w->count.leaves++;
	else
		w->count.branches++;
	for (unsigned i = 0; i < keys; i++) {
		struct node n;

		if (!read_node(w, page, i, leaf, &n))
			return false;
		if (!leaf && (i ? !key_ascends(w, &n, false) : n.key_len > FS_KEY_MAX))
			return false;
		if (leaf ? !check_leaf_node(w, &n) : !check_page(w, n.child, level + 1))
			return false;
	}
	return true;
}

static bool check_tree(struct walk *w, const struct db *db, bool free_db)
{
	memset(&w->count, 0, sizeof(w->count));
	w->free_db = free_db;
	w->depth = db->depth;
	w->key_len = 0;
	w->key_of_branch = false;
	/* Another kind of tree would have LMDB read the same pages in other ways. */
	if ((db->flags & DB_KIND) != (free_db ? DB_INTEGER_KEY : 0))
		return false;
	if (db->depth > DEPTH_MAX || (db->root == NO_PAGE) != (db->depth == 0))
		return false;
	if (db->root != NO_PAGE && !check_page(w, db->root, 1))
		return false;
	return w->count.branches == db->branches && w->count.leaves == db->leaves &&
	       w->count.overflows == db->overflows && w->count.entries == db->entries;
}

static bool read_meta(const uint8_t *page, struct meta *m)
{
	memcpy(m, page + PAGE_HEAD, sizeof(*m));
	return u16(page + 10) == P_META && m->magic == MAGIC && m->version == 1;
}

/* The newer of the two meta pages, which LMDB will use. */
static bool find_meta(const uint8_t *map, uint64_t bytes, struct meta *out)
{
	struct meta a, b;
	uint32_t page;

	if (bytes < PAGE_HEAD + sizeof(a) || !read_meta(map, &a))
		return false;
	page = a.dbs[0].pad; /* where LMDB keeps the page size */
	if (page < 512 || page > PAGE_MAX || page & (page - 1) || bytes < 2 * (uint64_t)page)
		return false;
	if (!read_meta(map + page, &b) || b.dbs[0].pad != page)
		return false;
	*out = b.txn > a.txn ? b : a;
	return true;
}

/* In the child, alone with the mapping. */
static int verdict(struct walk *w, const struct meta *m)
{
	w->page = m->dbs[0].pad;
	w->last_page = m->last_page;
	return check_tree(w, &m->dbs[0], true) && check_tree(w, &m->dbs[1], false)
		       ? VERDICT_SOUND
		       : VERDICT_DAMAGED;
}

static void limit(int what, rlim_t most)
{
	struct rlimit r = {most, most};

	setrlimit(what, &r);
}

static _Noreturn void child(struct walk *w, const struct meta *m)
{
	/* Ten seconds and one more for every 20 MB: a walk takes a small part of that. */
	limit(RLIMIT_CPU, 10 + w->bytes / 20000000);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	limit(RLIMIT_NPROC, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_close_range, 0, ~0u, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	/* exit(2) of this one thread: strict mode knows no exit_group. */
	syscall(SYS_exit, verdict(w, m));
	__builtin_unreachable();
}

static int run(struct walk *w, const struct meta *m)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		child(w, m);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == VERDICT_SOUND ? 0 : -EUCLEAN;
}

/* Finds the meta page; false: none, or a claim to more pages than the file can speak of. */
static bool find_end(struct walk *w, struct meta *m)
{
	/* A page above the end of the file can be free; none can lie far above it. */
	return find_meta(w->map, w->bytes, m) &&
	       m->last_page / 2 <= w->bytes / m->dbs[0].pad + (UINT64_C(1) << 17);
}

int fs_store_check_image(const uint8_t *p, size_t len)
{
	struct walk w = {.map = p, .bytes = len};
	struct meta m;
	int rc;

	if (!find_end(&w, &m))
		return -EUCLEAN;
	w.seen = calloc(1, m.last_page / 8 + 1);
	if (!w.seen)
		return -ENOMEM;
	rc = verdict(&w, &m) == VERDICT_SOUND ? 0 : -EUCLEAN;
	free(w.seen);
	return rc;
}

static int check_file(int fd)
{
	struct walk w = {0};
	struct stat st;
	struct meta m;
	void *map, *seen;
	size_t seen_bytes;
	int rc;

	if (fstat(fd, &st))
		return -errno;
	if (!st.st_size)
		return 0; /* created, and the machine stopped: LMDB starts it anew */
	w.bytes = (uint64_t)st.st_size;
	map = mmap(NULL, w.bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	w.map = map;
	rc = -EUCLEAN;
	if (!find_end(&w, &m))
		goto out;
	seen_bytes = m.last_page / 8 + 1;
	seen = mmap(NULL, seen_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED) {
		rc = -errno;
		goto out;
	}
	w.seen = seen;
	rc = run(&w, &m);
	munmap(seen, seen_bytes);
out:
	munmap(map, w.bytes);
	return rc;
}

int fs_store_check(const char *dir)
{
	char *path;
	int fd, rc;

	if (asprintf(&path, "%s/data.mdb", dir) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	free(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = check_file(fd);
	close(fd);
	return rc;
}
