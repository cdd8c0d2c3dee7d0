/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_copy.c - audit copy: the sealed log and its policies into a directory.
 *
 * What is whole and there already is not fetched again: full segments never change. The newest ones
 * are fetched each time. Policies are sealed beside them for whoever opens the log (who may not
 * read it copies the segments alone). Every file is written anew, synced, then renamed into its
 * place, so that a copy that was interrupted is a copy of less, never a damaged one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fs/log_segment.h"
#include "audit_key_file.h"
#include "audit_policies.h"
#include "audit_source_impl.h"
#include "audit_stream.h"
#include "cmd_audit.h"

struct segment {
	uint64_t number, bytes;
	bool index;
};

struct copying {
	struct audit_source *s;
	const char *dir;
	struct segment *segment; /* of the daemon, ascending */
	size_t n;
	size_t fetched;
	uint64_t bytes;
};

/* ---- what there is ---- */

static int list(struct copying *c)
{
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(
		&c->s->cl,
		json_pack("{s:s, s:s}", "verb", "audit-segments", "purpose", "audit copy"), NULL, 0,
		-1, &m);
	while (!rc) {
		json_t *segments = json_object_get(m.json, "segments"), *one;
		struct segment *more = reallocarray(
			c->segment, c->n + json_array_size(segments) + 1, sizeof(*more));
		size_t i;

		if (!more) {
			rc = tools_fail("out of memory");
			break;
		}
		c->segment = more;
		json_array_foreach(segments, i, one) c->segment[c->n++] = (struct segment){
			.number = (uint64_t)json_integer_value(json_object_get(one, "number")),
			.bytes = (uint64_t)json_integer_value(json_object_get(one, "bytes")),
			.index = json_is_true(json_object_get(one, "index")),
		};
		if (!json_is_true(json_object_get(m.json, "more")))
			break;
		rc = tools_client_next(&c->s->cl, &m);
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int path_of(const struct copying *c, const char *name, char out[static PATH_MAX])
{
	return snprintf(out, PATH_MAX, "%s/%s", c->dir, name) < PATH_MAX
		       ? TOOL_OK
		       : tools_fail("%s is too long a path", c->dir);
}

static bool is_there(const char *path, uint64_t bytes)
{
	struct stat st;

	return !lstat(path, &st) && S_ISREG(st.st_mode) &&
	       (!bytes || (uint64_t)st.st_size == bytes);
}

/* The first segment that holds something after since_s; 0 and on: by the heads of their streams. */
static int begin_time(const struct fs_log_source *src, uint64_t number, int64_t *time_s)
{
	struct fs_log_header header;
	struct fs_log_frame f;
	struct fs_log_head h;
	struct fs_log_walk w;
	uint8_t *p = NULL;
	size_t len = 0;
	int rc = src->load(src->ctx, number, &p, &len);

	if (!rc && (len < FS_LOG_HEADER || fs_log_header_decode(p, &header)))
		rc = -EBADMSG;
	if (!rc) {
		fs_log_walk_init(&w, &header, p, len);
		if (!fs_log_walk_next(&w, &f) || f.kind != FS_LOG_STREAM ||
		    fs_log_head_decode(f.body, f.len, number, &h))
			rc = -EBADMSG;
		else
			*time_s = (int64_t)h.time_s;
	}
	free(p);
	return rc;
}

/* By halves: the last segment that begins at or before since_s, for what is in it may be after. */
static size_t first_since(const struct copying *c, int64_t since_s)
{
	const struct fs_log_source *src = tools_audit_segments(c->s);
	size_t low = 0, high = c->n;

	while (src && low + 1 < high) {
		size_t middle = low + (high - low) / 2;
		int64_t begins = 0;

		/* What can't be read, or a spare one: look before it. */
		if (!begin_time(src, c->segment[middle].number, &begins) && begins <= since_s)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* ---- fetching ---- */

struct to_file {
	int fd;
	uint64_t bytes;
};

static int take_bytes(void *ctx, const uint8_t *p, size_t len)
{
	struct to_file *to = ctx;

	while (len) {
		ssize_t n = write(to->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
		to->bytes += (uint64_t)n;
	}
	return 0;
}

static int fetch_into(struct copying *c, uint64_t number, const char *part, int fd, bool quiet)
{
	struct to_file to = {.fd = fd};
	struct fs_wire_message m;
	json_t *json = json_pack("{s:s, s:I, s:s}", "verb", "audit-segment", "number",
				 (json_int_t)number, "part", part);
	int rc;

	fs_wire_message_init(&m);
	rc = quiet ? tools_audit_stream_quiet(c->s, json, NULL, 0, take_bytes, &to, &m)
		   : tools_audit_stream(c->s, json, NULL, 0, take_bytes, &to, &m);
	if (!rc && (uint64_t)json_integer_value(json_object_get(m.json, "bytes")) != to.bytes) {
		tools_fail("a part of the log came incomplete");
		rc = -EIO;
	}
	fs_wire_message_clear(&m);
	c->bytes += to.bytes;
	return rc;
}

/* One file, durable in its place. 0; -ENOENT (quiet): the daemon has none. TOOL_FAILED said. */
static int fetch(struct copying *c, uint64_t number, const char *part, const char *name, bool quiet)
{
	char path[PATH_MAX], temp[PATH_MAX + 8];
	int fd, rc;

	if (path_of(c, name, path))
		return TOOL_FAILED;
	snprintf(temp, sizeof(temp), "%s.new", path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return tools_fail("%s can't be written: %s", temp, strerror(errno));
	rc = fetch_into(c, number, part, fd, quiet);
	if (!rc && fsync(fd))
		rc = tools_fail("%s can't be written: %s", temp, strerror(errno));
	close(fd);
	if (!rc && rename(temp, path))
		rc = tools_fail("%s can't be written: %s", path, strerror(errno));
	if (rc)
		unlink(temp);
	else
		c->fetched++;
	return rc;
}

static int fetch_segment(struct copying *c, const struct segment *seg, bool newest)
{
	char name[FS_LOG_NAME], path[PATH_MAX];
	int rc = TOOL_OK;

	fs_log_segment_name(seg->number, name);
	if (path_of(c, name, path))
		return TOOL_FAILED;
	if (newest || !is_there(path, seg->bytes))
		rc = fetch(c, seg->number, "seg", name, false);
	memcpy(strrchr(name, '.'), ".idx", 5);
	if (rc || !seg->index || path_of(c, name, path))
		return rc ? TOOL_FAILED : TOOL_OK;
	/* Parts of it come as long as the segment is written. */
	if ((newest || !is_there(path, 0)) && fetch(c, seg->number, "idx", name, true) == TOOL_FAILED)
		rc = TOOL_FAILED;
	return rc;
}

static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd)
			 ? tools_fail("%s can't be made durable: %s", dir, strerror(errno))
			 : TOOL_OK;

	if (fd >= 0)
		close(fd);
	return rc;
}

/* A spare segment that is prepared ahead lies behind the newest: both change. */
#define CHANGING 2

static int fetch_all(struct copying *c, int64_t since_s)
{
	size_t first = since_s ? first_since(c, since_s) : 0;
	int rc = TOOL_OK;

	for (size_t i = first; i < c->n && !rc; i++)
		rc = fetch_segment(c, &c->segment[i], i + CHANGING >= c->n);
	if (!rc && fetch(c, 0, "archive", "archive", true) == TOOL_FAILED)
		rc = TOOL_FAILED;
	return rc ? rc : sync_dir(c->dir);
}

/* ---- policies ---- */

static int take_wrap(void *ctx, const uint8_t *p, size_t len)
{
	struct fs_audit_key k;
	int rc;

	if (len == KEYS_LEN)
		return 0; /* a daemon's key: the key file has them */
	rc = fs_audit_key_decode(p, len, &k);
	if (!rc && k.key_len != KEYS_AUDIT_WRAP_LEN)
		rc = -EBADMSG;
	return rc ? rc : tools_audit_policies_wrap(ctx, k.stream, k.key);
}

static int take_change(void *ctx, const uint8_t *p, size_t len)
{
	return tools_audit_policies_add(ctx, p, len);
}

static int write_policies(struct copying *c, const struct audit_policies *p)
{
	char path[PATH_MAX];
	uint8_t *bytes = NULL;
	size_t len = 0;
	int rc = path_of(c, "policies", path);

	if (rc)
		return rc;
	rc = tools_audit_policies_seal(p, &bytes, &len);
	if (!rc)
		rc = tools_audit_file_write(path, bytes, len);
	free(bytes);
	return rc ? tools_fail("%s can't be written: %s", path, strerror(-rc)) : TOOL_OK;
}

static int copy_policies(struct copying *c)
{
	struct audit_policies p;
	struct fs_wire_message m;
	int rc;

	tools_audit_policies_init(&p, c->s->vault);
	fs_wire_message_init(&m);
	rc = tools_audit_stream_quiet(c->s, json_pack("{s:s}", "verb", "audit-streams"), p.key,
				      sizeof(p.key), take_wrap, &p, &m);
	if (rc == -EACCES) {
		fs_wire_message_clear(&m);
		fprintf(stderr,
			"journalfs: the policies were left out: they are sealed for who may read "
			"the log, which you may not\n");
		tools_audit_policies_clear(&p);
		return TOOL_OK;
	}
	if (rc)
		tools_client_refused(&m);
	fs_wire_message_clear(&m);
	if (!rc) {
		rc = tools_audit_stream(c->s, json_pack("{s:s}", "verb", "audit-policies"), NULL, 0,
					take_change, &p, &m);
		fs_wire_message_clear(&m);
	}
	if (!rc)
		rc = write_policies(c, &p);
	tools_audit_policies_clear(&p);
	return rc ? TOOL_FAILED : TOOL_OK;
}

/* ---- the command ---- */

/* A directory with another vault's log in it is left alone. */
static int check_vault(const struct copying *c)
{
	struct fs_log_source there;
	struct fs_log_header h;
	uint64_t *numbers = NULL;
	size_t n = 0, len = 0;
	uint8_t *p = NULL;
	bool other = false;
	int rc = fs_log_source_dir(c->dir, &there);

	if (rc)
		return tools_fail("%s can't be read: %s", c->dir, strerror(-rc));
	if (!there.list(there.ctx, &numbers, &n) && n &&
	    !there.load(there.ctx, numbers[0], &p, &len))
		other = len < FS_LOG_HEADER || (!fs_log_header_decode(p, &h) &&
						memcmp(h.vault, c->s->vault, sizeof(h.vault)));
	free(p);
	free(numbers);
	fs_log_source_close(&there);
	return other ? tools_fail("%s holds something else than a copy of this vault's log: name "
				  "another "
				  "directory",
				  c->dir)
		     : TOOL_OK;
}

static int check_target(const struct copying *c)
{
	char path[PATH_MAX];
	struct stat st;

	if (mkdir(c->dir, 0700) && errno != EEXIST)
		return tools_fail("%s can't be made: %s", c->dir, strerror(errno));
	if (stat(c->dir, &st) || !S_ISDIR(st.st_mode))
		return tools_fail("%s is no directory", c->dir);
	if (path_of(c, "header", path) || !access(path, F_OK))
		return tools_fail("%s looks like a vault: copy into a directory of its own",
				  c->dir);
	return check_vault(c);
}

int tools_cmd_audit_copy(struct tool_options *o, int argc, char **argv)
{
	struct copying c = {.dir = argv[1]};
	struct audit_filter f;
	int rc = tools_audit_filter(o, &f);

	(void)argc;
	if (rc)
		return rc;
	if (o->log)
		return tools_usage("`audit copy` copies from the daemon: leave out --log");
	c.s = tools_audit_open(o);
	if (!c.s)
		return TOOL_FAILED;
	rc = list(&c);
	if (!rc)
		rc = check_target(&c);
	if (!rc)
		rc = fetch_all(&c, f.since_ns / 1000000000);
	if (!rc)
		rc = copy_policies(&c);
	if (!rc)
		printf("%s: %zu files fetched, %llu bytes; the log has %zu segments\n", c.dir,
		       c.fetched, (unsigned long long)c.bytes, c.n);
	free(c.segment);
	tools_audit_close(c.s);
	return rc;
}
