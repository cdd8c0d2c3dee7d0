/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_archive.c - audit archive: what is older than the policy's term leaves the log.
 *
 * Alone it says what may go. With --to DIR every segment is written there, synced, read back, and
 * what was read is compared by the daemon with its own files before it states that they are
 * archived and removes them; a run that was interrupted is gone on with by the next. --remove keeps
 * no copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fs/log_segment.h"
#include "../keys/seal.h"
#include "../policy/span.h"
#include "audit_key_file.h"
#include "audit_source_impl.h"
#include "cmd_audit.h"
#include "prompt.h"
#include "when.h"

struct archiving {
	struct audit_source *s;
	const char *dir; /* NULL: removed */
	uint64_t first, last, first_record, last_record, bytes, left;
	int64_t newest_s;
	unsigned years;
};

static int get_plan(struct archiving *a, int64_t before_s)
{
	struct fs_wire_message m;
	json_t *p;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(&a->s->cl,
			       json_pack("{s:s, s:s, s:I}", "verb", "log-archive", "what", "plan",
					 "before_s", (json_int_t)before_s),
			       NULL, 0, -1, &m);
	if (!rc) {
		p = json_object_get(m.json, "plan");
		a->first = (uint64_t)json_integer_value(json_object_get(p, "first"));
		a->last = (uint64_t)json_integer_value(json_object_get(p, "last"));
		a->first_record = (uint64_t)json_integer_value(json_object_get(p, "first_record"));
		a->last_record = (uint64_t)json_integer_value(json_object_get(p, "last_record"));
		a->bytes = (uint64_t)json_integer_value(json_object_get(p, "bytes"));
		a->newest_s = json_integer_value(json_object_get(p, "newest_s"));
		a->years = (unsigned)json_integer_value(json_object_get(p, "years"));
		a->left = (uint64_t)json_integer_value(json_object_get(p, "left"));
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static void print_plan(const struct archiving *a)
{
	char newest[48];

	if (a->left)
		printf("%llu segments that were stated to be gone are still there: a run was "
		       "interrupted; --to or --remove finishes it.\n",
		       (unsigned long long)a->left);
	if (!a->last) {
		printf("Nothing may go: the policy keeps the log %u years (`log keep`).\n",
		       a->years);
		return;
	}
	policy_span_text(a->newest_s * 1000000000, ' ', 0, newest);
	printf("Segments %llu to %llu may go: records %llu to %llu, none newer than %s, %.1f MB.\n",
	       (unsigned long long)a->first, (unsigned long long)a->last,
	       (unsigned long long)a->first_record, (unsigned long long)a->last_record, newest,
	       (double)a->bytes / 1e6);
}

/* ---- copies ---- */

/* The file as it is on the disk, not as it may still be in memory. */
static int read_back(const char *path, uint8_t **p, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc;

	if (fd < 0)
		return -errno;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	rc = fs_log_segment_load(fd, p, len);
	close(fd);
	return rc;
}

/* One segment in the directory; what was there already must be the same. */
static int copy_one(struct archiving *a, uint64_t number, uint8_t sum[static KEYS_LEN])
{
	const struct fs_log_source *src = tools_audit_segments(a->s);
	char name[FS_LOG_NAME], path[PATH_MAX];
	struct keys_span back = {NULL, 0};
	uint8_t *p = NULL, *q = NULL;
	size_t len = 0;
	int rc;

	fs_log_segment_name(number, name);
	if (snprintf(path, sizeof(path), "%s/%s", a->dir, name) >= (int)sizeof(path))
		return tools_fail("%s is too long a path", a->dir);
	if (!src)
		return TOOL_FAILED;
	rc = src->load(src->ctx, number, &p, &len);
	if (rc)
		return tools_fail("segment %llu can't be fetched: %s", (unsigned long long)number,
				  strerror(-rc));
	if (access(path, F_OK))
		rc = tools_audit_file_write(path, p, len);
	if (!rc)
		rc = read_back(path, &q, &back.len);
	if (rc) {
		rc = tools_fail("%s can't be written or read back: %s", path, strerror(-rc));
	} else if (back.len != len || memcmp(p, q, len)) {
		rc = tools_fail(
			"%s is there already and is not this log's segment: nothing is taken",
			path);
	} else {
		back.p = q;
		keys_sha256(&back, 1, sum);
	}
	free(p);
	free(q);
	return rc;
}

static int copy_all(struct archiving *a, uint8_t digest[static KEYS_LEN])
{
	size_t n = (size_t)(a->last - a->first + 1);
	uint8_t *sums = calloc(n, KEYS_LEN);
	struct keys_span all = {sums, n * KEYS_LEN};
	int rc = sums ? TOOL_OK : tools_fail("out of memory");

	if (!rc && mkdir(a->dir, 0700) && errno != EEXIST)
		rc = tools_fail("%s can't be made: %s", a->dir, strerror(errno));
	for (size_t i = 0; i < n && !rc; i++)
		rc = copy_one(a, a->first + i, sums + i * KEYS_LEN);
	if (!rc)
		keys_sha256(&all, 1, digest);
	free(sums);
	return rc;
}

/* The statements beside the copies: whoever has them sees who took them, and when. */
static int copy_statements(struct archiving *a)
{
	const struct fs_log_source *src = tools_audit_segments(a->s);
	char path[PATH_MAX];
	uint8_t *p = NULL;
	size_t len = 0;
	int rc;

	if (!src || snprintf(path, sizeof(path), "%s/archive", a->dir) >= (int)sizeof(path))
		return TOOL_FAILED;
	rc = src->extra(src->ctx, "archive", &p, &len);
	if (!rc)
		rc = tools_audit_file_write(path, p, len);
	free(p);
	return rc ? tools_fail("the statements can't be copied to %s: %s", path, strerror(-rc))
		  : TOOL_OK;
}

/* ---- the command ---- */

static int take(struct archiving *a, const uint8_t *digest)
{
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(&a->s->cl,
			       json_pack("{s:s, s:s, s:I}", "verb", "log-archive", "what",
					 a->dir ? "archived" : "removed", "last",
					 (json_int_t)a->last),
			       digest, digest ? KEYS_LEN : 0, -1, &m);
	if (!rc && a->last)
		printf("Segments %llu to %llu are %s: statement %lld.\n",
		       (unsigned long long)a->first, (unsigned long long)a->last,
		       a->dir ? "archived" : "removed",
		       (long long)json_integer_value(json_object_get(m.json, "number")));
	else if (!rc)
		puts("What an earlier run had begun is finished.");
	fs_wire_message_clear(&m);
	if (rc == -EINPROGRESS) /* said; the copies are there, the second steward agrees */
		return TOOL_OK;
	return rc ? TOOL_FAILED : a->dir && a->last ? copy_statements(a) : TOOL_OK;
}

static int may_remove(const struct tool_options *o)
{
	if (o->yes)
		return TOOL_OK;
	if (!isatty(STDIN_FILENO))
		return tools_usage(
			"--remove keeps no copy: say --yes besides, or archive with --to DIR");
	return tools_prompt_choice("Remove them without a copy? (y)es or (n)o?", "yn") == 'y'
		       ? TOOL_OK
		       : TOOL_FAILED;
}

static int archive(struct archiving *a, const struct tool_options *o, int64_t before_s)
{
	uint8_t digest[KEYS_LEN];
	int rc = get_plan(a, before_s);

	if (rc)
		return rc;
	print_plan(a);
	if ((!o->to && !o->remove) || (!a->last && !a->left))
		return TOOL_OK;
	fflush(stdout);
	if (!a->last)
		return take(a, NULL);
	rc = a->dir ? copy_all(a, digest) : may_remove(o);
	return rc ? rc : take(a, a->dir ? digest : NULL);
}

int tools_cmd_audit_archive(struct tool_options *o, int argc, char **argv)
{
	struct archiving a = {.dir = o->to};
	int64_t before_s = 0;
	int rc;

	(void)argc;
	(void)argv;
	if (o->log)
		return tools_usage("a copied log is not archived: log in, and leave out --log");
	if (o->to && o->remove)
		return tools_usage("--to keeps copies and --remove does not: say one of them");
	if (o->before && tools_when_parse(o->before, &before_s))
		return tools_usage("--before takes " TOOLS_WHEN_FORMS);
	a.s = tools_audit_open(o);
	if (!a.s)
		return TOOL_FAILED;
	rc = archive(&a, o, before_s);
	tools_audit_close(a.s);
	return rc;
}
