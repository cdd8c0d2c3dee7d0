/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/store_redo.c - commits through the redo file, replaying it, and the checkpointer.
 *
 *	commit --synced write--> redo file and memory --checkpointer--> database
 *
 * Invariants:
 * 1. A commit is seen by snapshots only when it is durable.
 * 2. Space for its pages in the database was secured before that.
 * 3. Contents that it carries are in the redo file until their container was synced and the
 *    database names them (fs_store_merge).
 * 4. What is too large, finds no room or no promise of space goes through fs_store_merge itself.
 *
 * A body: u32 items, u32 writes; items: u8 length of the key, u16 length of the value (0xffff:
 * deleted), key, value; writes: u32 journal, u64 offset, u32 length, bytes. fs/FORMAT.md, "Redo".
 *
 * Locks: store_impl.h. The checkpointer waits on `lock` and works without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "../keys/bytes.h"
#include "container.h"
#include "sigbus.h"
#include "store_impl.h"

#define DELETED 0xffffu
#define ITEM_HEAD 3u
#define WRITE_HEAD 16u
#define BODY_HEAD 8u
#define BODY_MOST (1u << 20)
#define CARRY_MOST (256u << 10)
#define MEMORY_MOST (4u << 20) /* of recent: a checkpoint begins */
#define PAGES_MOST 4096u       /* the same, of the database */
#define AGE_MS 5000
#define RETRY_MS 1000

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- bodies ---- */

static size_t body_len(const struct fs_store_commit *c)
{
	size_t n = BODY_HEAD;

	for (size_t i = 0; i < c->n; i++)
		n += ITEM_HEAD + c->items[i].key.len + (c->items[i].val ? c->items[i].len : 0);
	for (size_t i = 0; i < c->n_writes; i++)
		n += WRITE_HEAD + c->writes[i].len;
	return n;
}

static void body_encode(const struct fs_store_commit *c, uint8_t *p, size_t len)
{
	struct bytes_out out = bytes_out(p, len);

	bytes_put_u32(&out, (uint32_t)c->n);
	bytes_put_u32(&out, (uint32_t)c->n_writes);
	for (size_t i = 0; i < c->n; i++) {
		const struct fs_store_item *item = &c->items[i];

		bytes_put_u8(&out, item->key.len);
		bytes_put_u16(&out, item->val ? (uint16_t)item->len : DELETED);
		bytes_put(&out, item->key.b, item->key.len);
		if (item->val)
			bytes_put(&out, item->val, item->len);
	}
	for (size_t i = 0; i < c->n_writes; i++) {
		bytes_put_u32(&out, c->writes[i].journal);
		bytes_put_u64(&out, c->writes[i].at);
		bytes_put_u32(&out, (uint32_t)c->writes[i].len);
		bytes_put(&out, c->writes[i].p, c->writes[i].len);
	}
}

static int item_decode(struct bytes_in *in, struct fs_store_item *item)
{
	unsigned len;

	item->key.len = bytes_get_u8(in);
	len = bytes_get_u16(in);
	if (in->bad || !item->key.len || item->key.len > FS_KEY_MAX ||
	    (len != DELETED && len > FS_VALUE_MAX))
		return -EBADMSG;
	bytes_get(in, item->key.b, item->key.len);
	item->len = len == DELETED ? 0 : len;
	item->val = len == DELETED ? NULL : bytes_take(in, len);
	return in->bad ? -EBADMSG : 0;
}

/* ---- containers ---- */

/* So many, and a small part of the descriptors that there are: others need them too. */
static size_t dirty_most(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur / 16 >= FS_STORE_DIRTY_MOST)
		return FS_STORE_DIRTY_MOST;
	return r.rlim_cur / 16 ? (size_t)r.rlim_cur / 16 : 1;
}

/*
 * Opened anew, not shared with fd: the kernel tells of bytes that it could not write once an open file.
 * Whoever syncs through fd meanwhile must not hear of it in our stead.
 */
static int open_own(const struct fs_store *s, uint32_t journal, int fd)
{
	char name[FS_CONTAINER_NAME];
	int own;

	fs_container_name(journal, name);
	own = openat(s->containers, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (own < 0 && errno != EMFILE && errno != ENFILE)
		own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return own < 0 ? -errno : own;
}

int fs_store_dirty_add(struct fs_store *s, uint32_t journal, int fd)
{
	int own;

	for (size_t i = 0; i < s->n_dirty; i++) {
		if (s->dirty[i].journal == journal)
			return 0;
	}
	if (s->n_dirty >= dirty_most())
		return -EMFILE;
	own = open_own(s, journal, fd);
	if (own < 0)
		return own;
	s->dirty[s->n_dirty++] = (struct fs_store_dirty){journal, own};
	return 0;
}

int fs_store_dirty_sync(struct fs_store_dirty *d, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		if (!rc && fdatasync(d[i].fd))
			rc = -EIO;
		close(d[i].fd);
	}
	return rc;
}

/* ---- committing ---- */

static int check_items(const struct fs_store_commit *c)
{
	for (size_t i = 0; i < c->n; i++) {
		if (!c->items[i].key.len || (c->items[i].val && c->items[i].len > FS_VALUE_MAX))
			return -EINVAL;
	}
	return 0;
}

/* Room in the database for what is not there yet, and this. -ENOSPC. */
static int secure(struct fs_store *s, const struct fs_store_commit *c, uint64_t *owed)
{
	struct fs_recent_tally waiting, running;
	sigjmp_buf env;
	int rc;

	pthread_mutex_lock(&s->lock);
	waiting = s->recent.tally;
	running = s->running;
	pthread_mutex_unlock(&s->lock);
	fs_recent_tally_add(&waiting, c->items, c->n);
	if (fs_sigbus_enter(env)) {
		fs_sigbus_leave();
		atomic_store(&s->failed, -EIO);
		return -EIO;
	}
	*owed = fs_store_pages(s, &waiting);
	rc = fs_store_secure(s, *owed + fs_store_pages(s, &running));
	fs_sigbus_leave();
	return rc;
}

static int note_writes(struct fs_store *s, const struct fs_store_commit *c)
{
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < c->n_writes && !rc; i++)
		rc = fs_store_dirty_add(s, c->writes[i].journal, c->writes[i].fd);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static void publish(struct fs_store *s, const struct fs_store_commit *c,
		    struct fs_recent_node **staged, uint64_t owed)
{
	pthread_mutex_lock(&s->lock);
	fs_recent_add(&s->recent, staged, c->n);
	s->mark = c->after;
	if (!s->since_ms) {
		s->since_ms = now_ms();
		pthread_cond_signal(&s->work);
	}
	if (!s->hurry && (atomic_load(&s->recent.bytes) > MEMORY_MOST || owed > PAGES_MOST ||
			  fs_redo_behind(s->redo))) {
		s->hurry = true;
		pthread_cond_signal(&s->work);
	}
	pthread_mutex_unlock(&s->lock);
}

/* 0; -ENOBUFS: it has to go through the database. */
static int commit_by_redo(struct fs_store *s, const struct fs_store_commit *c)
{
	struct fs_recent_node **staged = NULL;
	size_t len = body_len(c);
	uint64_t owed = 0;
	uint8_t *body;
	int rc;

	if (len > BODY_MOST)
		return -ENOBUFS;
	rc = secure(s, c, &owed);
	if (!rc)
		rc = note_writes(s, c);
	if (rc == -ENOSPC || rc == -EMFILE)
		return -ENOBUFS;
	if (rc)
		return rc;
	/* Only appliers change the number. */
	rc = fs_recent_stage(c->items, c->n, s->recent.number + 1, &staged);
	if (rc)
		return rc;
	body = fs_redo_room(s->redo, len);
	rc = body ? 0 : -ENOMEM;
	if (!rc) {
		body_encode(c, body, len);
		rc = fs_redo_append(s->redo, &s->mark, &c->after, len);
	}
	if (!rc) {
		publish(s, c, staged, owed);
		return 0;
	}
	fs_recent_unstage(staged, c->n);
	if (rc == -ENOBUFS || rc == -ENOSPC)
		return -ENOBUFS;
	if (rc != -ENOMEM) {
		atomic_store(&s->failed, -EIO);
		rc = -EIO;
	}
	return rc;
}

int fs_store_commit(struct fs_store *s, const struct fs_store_commit *c)
{
	int rc;

	if (s->flags & FS_STORE_READ_ONLY)
		return -EROFS;
	if (atomic_load(&s->failed))
		return atomic_load(&s->failed);
	rc = check_items(c);
	if (rc)
		return rc;
	if (s->redo && c->after.number && !c->direct) {
		rc = commit_by_redo(s, c);
		if (rc != -ENOBUFS)
			return rc;
	}
	return fs_store_merge(s, c);
}

bool fs_store_carries(const struct fs_store *s, size_t bytes)
{
	return s->redo && bytes <= CARRY_MOST;
}

/* ---- the checkpointer ---- */

int fs_store_checkpoint(struct fs_store *s)
{
	bool any;

	if (!s->redo || s->flags & FS_STORE_READ_ONLY)
		return 0;
	pthread_mutex_lock(&s->lock);
	any = s->recent.merged != s->recent.number;
	pthread_mutex_unlock(&s->lock);
	return any ? fs_store_merge(s, NULL) : 0;
}

static void wait_until(struct fs_store *s, int64_t until_ms)
{
	struct timespec t = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

	if (until_ms)
		pthread_cond_timedwait(&s->work, &s->lock, &t);
	else
		pthread_cond_wait(&s->work, &s->lock);
}

static void *checkpointer(void *arg)
{
	struct fs_store *s = arg;
	int64_t again = 0; /* after one that found no room */

	pthread_mutex_lock(&s->lock);
	while (!s->stop) {
		int64_t due = s->since_ms ? s->since_ms + AGE_MS : 0;
		int rc;

		if (due && s->hurry)
			due = 1;
		if (due && due < again)
			due = again;
		if (atomic_load(&s->failed))
			due = 0;
		if (!due || now_ms() < due) {
			wait_until(s, due);
			continue;
		}
		s->hurry = false;
		pthread_mutex_unlock(&s->lock);
		rc = fs_store_merge(s, NULL);
		pthread_mutex_lock(&s->lock);
		again = rc ? now_ms() + RETRY_MS : 0;
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static int start(struct fs_store *s)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&s->checkpointer, NULL, checkpointer, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	s->runs = !rc;
	if (!rc)
		pthread_setname_np(s->checkpointer, "checkpointer");
	return -rc;
}

void fs_store_redo_close(struct fs_store *s)
{
	if (s->runs) {
		pthread_mutex_lock(&s->lock);
		s->stop = true;
		pthread_cond_signal(&s->work);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->checkpointer, NULL);
		/* What stays out is in the redo file. */
		if (!atomic_load(&s->failed))
			(void)fs_store_checkpoint(s);
	}
	for (size_t i = 0; i < s->n_dirty; i++)
		close(s->dirty[i].fd);
	fs_redo_close(s->redo);
}

/* ---- replaying ---- */

/* A container's bytes again. One that is gone was removed by a later commit. */
static int replay_write(struct fs_store *s, struct bytes_in *in)
{
	uint32_t journal = bytes_get_u32(in);
	uint64_t at = bytes_get_u64(in);
	size_t len = bytes_get_u32(in);
	const uint8_t *p = bytes_take(in, len);
	char name[FS_CONTAINER_NAME];
	int fd, rc = 0;

	if (in->bad || at > INT64_MAX - len)
		return -EBADMSG;
	if (s->flags & FS_STORE_READ_ONLY)
		return 0;
	fs_container_name(journal, name);
	fd = openat(s->containers, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	while (len && !rc) {
		ssize_t n = pwrite(fd, p, len, (off_t)at);

		if (n > 0) {
			p += n;
			at += (uint64_t)n;
			len -= (size_t)n;
		} else if (!n || errno != EINTR) {
			rc = !n ? -EIO : errno == EDQUOT ? -ENOSPC : -errno;
		}
	}
	if (!rc && fs_store_dirty_add(s, journal, fd))
		rc = fdatasync(fd) ? -EIO : 0;
	close(fd);
	return rc;
}

static int replay_body(void *ctx, const uint8_t *body, size_t len)
{
	struct fs_store *s = ctx;
	struct bytes_in in = bytes_in(body, len);
	uint32_t n = bytes_get_u32(&in), writes = bytes_get_u32(&in);
	struct fs_recent_node **staged = NULL;
	struct fs_store_item *items;
	int rc = 0;

	if (in.bad || n > len / ITEM_HEAD || writes > len / WRITE_HEAD)
		return -EBADMSG;
	items = calloc(n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !rc; i++)
		rc = item_decode(&in, &items[i]);
	for (uint32_t i = 0; i < writes && !rc; i++)
		rc = replay_write(s, &in);
	if (!rc && !bytes_in_done(&in))
		rc = -EBADMSG;
	if (!rc)
		rc = fs_recent_stage(items, n, s->recent.number + 1, &staged);
	if (!rc)
		fs_recent_add(&s->recent, staged, n);
	free(items);
	return rc;
}

/* Of a small disk a small part. */
static uint64_t file_bytes(struct fs_store *s)
{
	uint64_t spare, bytes = FS_REDO_BYTES;

	if (fs_store_disk_free(s, &spare))
		return FS_REDO_BYTES_LEAST;
	while (bytes > FS_REDO_BYTES_LEAST && bytes > spare / 16)
		bytes /= 2;
	return bytes;
}

static int open_redo(struct fs_store *s, const struct fs_store_replay *cfg)
{
	int dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (dirfd < 0)
		return -errno;
	rc = fs_redo_open(dirfd, s->flags & FS_STORE_READ_ONLY,
			  cfg->bytes ? cfg->bytes : file_bytes(s), cfg->key, &s->redo);
	close(dirfd);
	return rc;
}

/* Into the database with what was found. A full disk lets it wait. */
static int settle(struct fs_store *s, bool wipe)
{
	int rc = fs_store_checkpoint(s);

	if (!rc && wipe)
		rc = fs_redo_wipe(s->redo);
	if (rc == -ENOSPC && !wipe) {
		s->since_ms = now_ms();
		rc = 0;
	}
	return rc;
}

int fs_store_replay(struct fs_store *s, const struct fs_store_replay *cfg)
{
	struct fs_redo_mark at = cfg->state;
	bool wipe, ro = s->flags & FS_STORE_READ_ONLY;
	int rc = open_redo(s, cfg);

	s->mark = cfg->state;
	if (rc)
		return rc == -ENOSPC || (rc == -ENOENT && ro) ? 0 : rc;
	s->containers = cfg->containers;
	rc = fs_redo_scan(s->redo, &at, replay_body, s);
	s->mark = at;
	wipe = rc == -ESTALE && cfg->lenient;
	if (wipe)
		rc = 0;
	if (!rc && !ro)
		rc = settle(s, wipe);
	return rc || ro ? rc : start(s);
}
