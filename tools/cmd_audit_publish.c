/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_publish.c - audit publish: the log's tree in the layout of C2SP tlog-tiles, for
 * witnesses and monitors (tiles.h).
 *
 * Only hashes. Entry bundles are left out: sealed records are for auditors, not for everybody to
 * keep until a key leaks; and a bundle's entry is at most 65,535 bytes, a sealed record up to
 * 67,624.
 *
 * The directory's own checkpoint is a kept one: the log is verified against it first, and a log
 * that does not continue what was published is not published. Nothing is published of a log that is
 * not whole. The new checkpoint appears when all of its tiles are on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_whole.h"
#include "cmd_audit.h"
#include "tiles.h"

struct publishing {
	struct tiles tiles;
	struct keys_tree before; /* of what was archived and has no leaves here */
	bool begun;
	char bad[TILES_PATH];
};

static int begin(struct publishing *p)
{
	if (p->begun || !p->before.size)
		return 0;
	p->begun = true;
	return tools_tiles_resume(&p->tiles, &p->before, p->bad);
}

static int add_leaf(void *ctx, uint64_t index, const uint8_t leaf[static KEYS_LEN])
{
	struct publishing *p = ctx;
	int rc = begin(p);

	(void)index;
	return rc ? rc : tools_tiles_add(&p->tiles, leaf, p->bad);
}

/* All tiles, and the names that lead to them. */
static int make_durable(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || syncfs(fd) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

static int put_checkpoint(const char *dir, const char *text)
{
	char path[PATH_MAX], temporary[PATH_MAX + 8];
	size_t len = strlen(text);
	int fd, rc = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/checkpoint", dir) >= sizeof(path))
		return -ENAMETOOLONG;
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd))
		rc = errno ? -errno : -EIO;
	close(fd);
	if (!rc && rename(temporary, path))
		rc = -errno;
	return rc ? rc : make_durable(dir);
}

static int say_rc(const struct publishing *p, int rc)
{
	if (rc == -EUCLEAN)
		return tools_fail(
			"%s/%s is there and says otherwise than the log: the directory holds "
			"another history, or was changed; nothing more was published",
			p->tiles.dir, p->bad);
	if (rc == -ENOENT && p->bad[0])
		return tools_fail(
			"%s/%s is not there: records of it were archived, and the log's tree "
			"can be published only where its tiles already are",
			p->tiles.dir, p->bad);
	if (rc == -ENOENT)
		return tools_fail("segments of the log are gone: its tree can't be published");
	return tools_fail("%s could not be written: %s", p->tiles.dir, strerror(-rc));
}

static int publish(const struct audit_whole *w, struct audit_source *s, const char *dir)
{
	struct publishing *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return tools_fail("out of memory");
	p->tiles.dir = dir;
	rc = fs_log_leaves(tools_audit_segments(s), w->v.sealed, &p->before, add_leaf, p);
	if (!rc)
		rc = begin(p);
	if (!rc)
		rc = tools_tiles_end(&p->tiles, p->bad);
	if (!rc)
		rc = make_durable(dir);
	if (!rc)
		rc = put_checkpoint(dir, w->v.checkpoint);
	if (rc)
		rc = say_rc(p, rc);
	else
		printf("%s: checkpoint over %" PRIu64 " records, %" PRIu64
		       " tiles written, %" PRIu64 " there already\n",
		       dir, w->v.sealed, p->tiles.written, p->tiles.there);
	free(p);
	return rc;
}

/* The directory, and its checkpoint among the kept ones. */
static int look_at_dir(struct tool_options *o, const char *dir, char *path, size_t cap)
{
	if (mkdir(dir, 0755) && errno != EEXIST)
		return tools_fail("%s could not be made: %s", dir, strerror(errno));
	if ((size_t)snprintf(path, cap, "%s/checkpoint", dir) >= cap)
		return tools_fail("%s is too long a name", dir);
	if (access(path, F_OK))
		return TOOL_OK;
	if (o->from_count == TOOL_FROMS)
		return tools_usage("at most %d times --from here", TOOL_FROMS - 1);
	o->froms[o->from_count++] = path;
	return TOOL_OK;
}

static int refuse(const struct audit_whole *w, const char *dir)
{
	for (size_t i = 0; i < w->findings; i++) {
		const struct fs_log_finding *f = &w->finding[i].f;

		if (f->kind < FS_LOG_NOTES)
			return tools_fail(
				"nothing was published in %s, for the access log is not whole: "
				"%s (`journalfs audit verify`)",
				dir, f->text);
	}
	return tools_fail("nothing was published in %s: there is no checkpoint yet", dir);
}

int tools_cmd_audit_publish(struct tool_options *o, int argc, char **argv)
{
	const char *dir = argv[1];
	char path[PATH_MAX];
	struct audit_source *s;
	struct audit_whole w = {0};
	int rc = look_at_dir(o, dir, path, sizeof(path));

	(void)argc;
	if (rc)
		return rc;
	s = tools_audit_open(o);
	if (!s)
		return TOOL_FAILED;
	rc = tools_audit_whole(s, o, &w);
	if (!rc)
		rc = w.v.alarms || !w.v.checkpoint[0] ? refuse(&w, dir) : publish(&w, s, dir);
	if (!rc)
		tools_audit_whole_remember(&w);
	tools_audit_whole_clear(&w);
	tools_audit_close(s);
	return rc;
}
