/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_streams.c - the stream heads of the log, one segment at a time, without its records.
 *
 * Owns nothing; takes no lock. Format: fs/FORMAT.md, "Log", "Stream heads".
 */
#include "log.h"
#include "log_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int give_heads(uint64_t number, const uint8_t *vault, const uint8_t *p, size_t len,
		      int (*fn)(void *ctx, const struct fs_log_head *h), void *ctx)
{
	struct fs_log_header header;
	struct fs_log_frame f;
	struct fs_log_head h;
	struct fs_log_walk w;
	int rc = fs_log_header_decode(p, &header);

	if (rc == -ENODATA)
		return 0; /* a spare */
	fs_log_walk_init(&w, rc ? NULL : &header, p, len);
	rc = 0;
	while (!rc && fs_log_walk_next(&w, &f)) {
		if (f.kind == FS_LOG_STREAM && !fs_log_head_decode(f.body, f.len, number, &h) &&
		    !memcmp(h.vault, vault, sizeof(h.vault)))
			rc = fn(ctx, &h);
	}
	return rc;
}

/* The least number of a segment that is not below `from`; 0: there is none. */
static int next_segment(int dirfd, uint64_t from, uint64_t *number)
{
	uint64_t *list = NULL;
	size_t n = 0;
	int rc = fs_log_segment_list(dirfd, &list, &n);

	*number = 0;
	for (size_t i = 0; !rc && i < n && !*number; i++) {
		if (list[i] >= from)
			*number = list[i];
	}
	free(list);
	return rc;
}

/* One segment whole; -errno. */
static int load(int dirfd, uint64_t number, uint8_t **p, size_t *len)
{
	char name[FS_LOG_NAME];
	int fd, rc;

	fs_log_segment_name(number, name);
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	rc = fs_log_segment_load(fd, p, len);
	close(fd);
	return rc;
}

int fs_log_streams(const char *dir, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		   uint64_t *segment, int (*fn)(void *ctx, const struct fs_log_head *h), void *ctx)
{
	uint64_t number = 0;
	uint8_t *p = NULL;
	size_t len = 0;
	int rc, dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return -errno;
	rc = next_segment(dirfd, *segment, &number);
	if (!rc && !number)
		rc = -ENOENT;
	if (rc) {
		close(dirfd);
		return rc;
	}
	rc = load(dirfd, number, &p, &len);
	if (rc) {
		*segment = number + 1;
		rc = rc == -EBADMSG ? rc : -EIO;
	} else {
		rc = give_heads(number, vault, p, len, fn, ctx);
		if (!rc)
			*segment = number + 1;
	}
	free(p);
	close(dirfd);
	return rc;
}
