/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fault/inject.c - the wrapped calls; see inject.h. */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned countdown; /* 0: not armed, or past */
static int failing;	   /* every call fails with this */
static int with;
static bool keep_on, short_write, dies, hit;

enum kind { WRITE, WRITE_THROUGH, SYNC, NOTE };

struct event {
	enum kind kind;
	unsigned file;
	off_t at;
	size_t len;
	uint8_t *data;
	uint32_t note;
};

#define FILES 3
static char recorded[FILES][32];
static char failing_file[32];
static unsigned file_failures;
static struct event *events;
static size_t event_count, event_cap;

void inject_fail(unsigned nth, int err, bool on)
{
	pthread_mutex_lock(&lock);
	countdown = nth;
	with = err;
	keep_on = on;
	failing = 0;
	short_write = dies = hit = false;
	pthread_mutex_unlock(&lock);
}

void inject_die(unsigned nth)
{
	inject_fail(nth, EIO, true);
	dies = true;
}

void inject_short(unsigned nth)
{
	inject_fail(nth, ENOSPC, true);
	short_write = true;
}

void inject_fail_file(const char *suffix, unsigned times, int err)
{
	pthread_mutex_lock(&lock);
	snprintf(failing_file, sizeof(failing_file), "%s", suffix);
	file_failures = times;
	with = err;
	hit = false;
	pthread_mutex_unlock(&lock);
}

bool inject_stop(void)
{
	bool was;

	pthread_mutex_lock(&lock);
	countdown = file_failures = 0;
	failing = 0;
	was = hit;
	pthread_mutex_unlock(&lock);
	return was;
}

/* 0: go on; else the error to give; -1: write half. */
static int verdict(bool writes)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = failing;
	if (countdown && (writes || !short_write) && --countdown == 0) {
		hit = true;
		if (dies)
			kill(getpid(), SIGKILL);
		rc = short_write ? -1 : with;
		failing = keep_on ? with : 0;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

/* ---- recording ---- */

static bool named(int fd, const char *suffix)
{
	char link[64], path[4096];
	size_t len = strlen(suffix);
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	return len && n >= (ssize_t)len && !memcmp(path + n - len, suffix, len);
}

static bool is_recorded(int fd, unsigned *file)
{
	if (!recorded[0][0] && !recorded[1][0] && !recorded[2][0])
		return false;
	for (*file = 0; *file < FILES; (*file)++) {
		if (named(fd, recorded[*file]))
			return true;
	}
	return false;
}

static void record(const struct event *e)
{
	pthread_mutex_lock(&lock);
	if (event_count == event_cap) {
		event_cap = event_cap ? 2 * event_cap : 256;
		events = reallocarray(events, event_cap, sizeof(*events));
		if (!events)
			abort();
	}
	events[event_count++] = *e;
	pthread_mutex_unlock(&lock);
}

static void record_vector(int fd, const struct iovec *iov, int n, off_t at, bool through)
{
	struct event e = {.kind = WRITE};

	if (!is_recorded(fd, &e.file))
		return;
	if (through || fcntl(fd, F_GETFL) & O_DSYNC)
		e.kind = WRITE_THROUGH;
	for (int i = 0; i < n; i++) {
		e.at = at;
		e.len = iov[i].iov_len;
		e.data = malloc(e.len);
		if (!e.data)
			abort();
		memcpy(e.data, iov[i].iov_base, e.len);
		record(&e);
		at += (off_t)e.len;
	}
}

void inject_record(const char *first, const char *second, const char *third)
{
	snprintf(recorded[0], sizeof(recorded[0]), "%s", first ? first : "");
	snprintf(recorded[1], sizeof(recorded[1]), "%s", second ? second : "");
	snprintf(recorded[2], sizeof(recorded[2]), "%s", third ? third : "");
}

void inject_note(uint32_t note)
{
	record(&(struct event){.kind = NOTE, .note = note});
}

size_t inject_events(void)
{
	return event_count;
}

size_t inject_first_note(void)
{
	size_t i = 0;

	while (i < event_count && events[i].kind != NOTE)
		i++;
	return i;
}

uint32_t inject_image(size_t cut, unsigned file, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	size_t synced = 0;
	off_t size = 0;
	uint32_t note = 0;

	if (fd < 0)
		abort();
	for (size_t i = 0; i < cut; i++) {
		if (events[i].kind == SYNC && events[i].file == file)
			synced = i;
		if (events[i].kind == NOTE)
			note = events[i].note;
	}
	for (size_t i = 0; i < event_count; i++) {
		const struct event *e = &events[i];

		if (e->file != file || !e->len)
			continue;
		if (size < e->at + (off_t)e->len)
			size = e->at + (off_t)e->len;
		if (i < cut && (i < synced || e->kind == WRITE_THROUGH || rand() % 2) &&
		    pwrite(fd, e->data, e->len, e->at) != (ssize_t)e->len)
			abort();
	}
	/* The space of all but the first was allocated before it was written: its size is there. */
	if (file && ftruncate(fd, size))
		abort();
	close(fd);
	return note;
}

/* ---- the calls ---- */

ssize_t __real_pwritev(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __real_writev(int fd, const struct iovec *iov, int n);
ssize_t __real_pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_fallocate(int fd, int mode, off_t at, off_t len);
int __real_msync(void *p, size_t len, int flags);
int __real_ftruncate(int fd, off_t len);

ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *p, size_t len, off_t at);
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int n);
ssize_t __wrap_write(int fd, const void *p, size_t len);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_fallocate(int fd, int mode, off_t at, off_t len);
int __wrap_msync(void *p, size_t len, int flags);
int __wrap_ftruncate(int fd, off_t len);

static int refuse(int err)
{
	errno = err;
	return -1;
}

/* Half of the first piece: at < 0 is the file's own position. */
static ssize_t half(int fd, const struct iovec *iov, off_t at)
{
	struct iovec part = {iov->iov_base, iov->iov_len / 2};

	return at < 0 ? __real_writev(fd, &part, 1) : __real_pwritev(fd, &part, 1, at);
}

/* As verdict, for one file. */
static int file_verdict(int fd)
{
	int rc = 0;

	pthread_mutex_lock(&lock);
	if (file_failures && named(fd, failing_file)) {
		file_failures--;
		hit = true;
		rc = with;
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	int rc = file_verdict(fd);

	if (!rc)
		rc = verdict(true);

	if (rc)
		return rc < 0 ? half(fd, iov, at) : refuse(rc);
	record_vector(fd, iov, n, at, false);
	return __real_pwritev(fd, iov, n, at);
}

ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	int rc = file_verdict(fd);

	if (!rc)
		rc = verdict(true);
	if (rc)
		return rc < 0 ? half(fd, iov, at) : refuse(rc);
	record_vector(fd, iov, n, at, flags & RWF_DSYNC);
	return __real_pwritev2(fd, iov, n, at, flags);
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t len, off_t at)
{
	struct iovec iov = {(void *)(uintptr_t)p, len};

	return __wrap_pwritev(fd, &iov, 1, at);
}

ssize_t __wrap_writev(int fd, const struct iovec *iov, int n)
{
	int rc = verdict(true);

	if (rc)
		return rc < 0 ? half(fd, iov, -1) : refuse(rc);
	record_vector(fd, iov, n, lseek(fd, 0, SEEK_CUR), false);
	return __real_writev(fd, iov, n);
}

ssize_t __wrap_write(int fd, const void *p, size_t len)
{
	struct iovec iov = {(void *)(uintptr_t)p, len};

	return __wrap_writev(fd, &iov, 1);
}

static void record_sync(int fd)
{
	struct event e = {.kind = SYNC};

	if (is_recorded(fd, &e.file))
		record(&e);
}

int __wrap_fdatasync(int fd)
{
	int rc = verdict(false);

	if (rc)
		return refuse(rc);
	record_sync(fd);
	return __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
	int rc = verdict(false);

	if (rc)
		return refuse(rc);
	record_sync(fd);
	return __real_fsync(fd);
}

int __wrap_fallocate(int fd, int mode, off_t at, off_t len)
{
	int rc = verdict(false);

	return rc ? refuse(rc) : __real_fallocate(fd, mode, at, len);
}

int __wrap_msync(void *p, size_t len, int flags)
{
	int rc = verdict(false);

	return rc ? refuse(rc) : __real_msync(p, len, flags);
}

int __wrap_ftruncate(int fd, off_t len)
{
	int rc = verdict(false);

	return rc ? refuse(rc) : __real_ftruncate(fd, len);
}

/* Objects compiled with _FILE_OFFSET_BITS=64 call these; on a 64-bit machine they are the same. */
#define ALSO(name) __attribute__((alias(#name)))
ssize_t __wrap_pwrite64(int fd, const void *p, size_t len, off_t at) ALSO(__wrap_pwrite);
ssize_t __wrap_pwritev64(int fd, const struct iovec *iov, int n, off_t at) ALSO(__wrap_pwritev);
int __wrap_fallocate64(int fd, int mode, off_t at, off_t len) ALSO(__wrap_fallocate);
int __wrap_ftruncate64(int fd, off_t len) ALSO(__wrap_ftruncate);
