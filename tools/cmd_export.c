/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_export.c - export --signature: a note's signature as files that minisign checks.
 *
 * FILE.minisig, NAME.pub and NAME.cert are written to a directory outside the vault. Nothing that
 * is there is replaced without --force, and then by a new file, so that no link is followed. The
 * daemon decides who may, and logs it as an export.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "note_text.h"
#include "notes.h"

struct output {
	const char *dir;
	int fd; /* of the directory */
	bool force;
	char minisig[256 + 16], pub[256], cert[256]; /* names */
};

/* New contents under a name of its own first, so that --force never leaves half a file. */
static int write_new(const struct output *out, const char *name, const char *text)
{
	int fd = openat(out->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t len = strlen(text), done = 0;
	int rc = 0;

	if (fd < 0)
		return -errno;
	while (!rc && done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR)
			rc = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (rc)
		unlinkat(out->fd, name, 0);
	return rc;
}

static int put(const struct output *out, const char *name, const char *text)
{
	char fresh[300];
	int rc;

	if (!out->force) {
		rc = write_new(out, name, text);
	} else {
		snprintf(fresh, sizeof(fresh), ".journalfs-export.%ld", (long)getpid());
		rc = write_new(out, fresh, text);
		if (!rc && renameat(out->fd, fresh, out->fd, name)) {
			rc = -errno;
			unlinkat(out->fd, fresh, 0);
		}
	}
	if (!rc)
		return TOOL_OK;
	if (rc == -EEXIST)
		return tools_notes_fail(
			"%s/%s is there already; --force replaces it, --to DIR writes "
			"elsewhere",
			out->dir, name);
	return tools_notes_fail("%s/%s can't be written: %s", out->dir, name, strerror(-rc));
}

static int open_dir(struct output *out)
{
	out->fd = open(out->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return out->fd < 0 ? tools_notes_fail("%s: %s; --to names a directory that is there",
					      out->dir, strerror(errno))
			   : TOOL_OK;
}

/* Before anything is asked for or written. */
static int check_free(const struct output *out, const char *name)
{
	struct stat st;

	if (out->force || fstatat(out->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return TOOL_OK;
	return tools_notes_fail(
		"%s/%s is there already; --force replaces it, --to DIR writes elsewhere", out->dir,
		name);
}

static int write_all(struct output *out, const json_t *answer)
{
	const char *minisig = json_string_value(json_object_get(answer, "minisig"));
	const char *pub = json_string_value(json_object_get(answer, "pub"));
	const char *cert = json_string_value(json_object_get(answer, "cert"));
	const char *who = json_string_value(json_object_get(answer, "name"));

	if (!minisig || !pub || !cert || !who)
		return tools_fail(
			"the daemon's answer lacks a part of the signature; is it older than "
			"this command?");
	tools_note_file_name(who, ".pub", out->pub);
	tools_note_file_name(who, ".cert", out->cert);
	if (check_free(out, out->pub) || check_free(out, out->cert))
		return TOOL_FAILED;
	if (put(out, out->minisig, minisig) || put(out, out->pub, pub) || put(out, out->cert, cert))
		return TOOL_FAILED;
	return TOOL_OK;
}

static void tell(const struct output *out, const char *name)
{
	char note[4 * 256 + 8], pub[4 * 256 + 8];

	tools_note_word(name, note, sizeof(note));
	tools_note_word(out->pub, pub, sizeof(pub));
	tools_notes_print(stdout, "Written to %s: %s, %s, %s\n", out->dir, out->minisig, out->pub,
			  out->cert);
	tools_notes_print(stdout,
			  "With a copy of the note beside them, anybody can check it:\n"
			  "  minisign -Vm %s -p %s\n"
			  "%s says whose key that is.\n",
			  note, pub, out->cert);
}

static int export_one(struct notes *n, struct output *out, const char *file)
{
	struct fs_wire_message m;
	struct note_path at;
	const char *name;
	int rc;

	if (tools_notes_find(n, file, true, &at))
		return TOOL_FAILED;
	name = strrchr(at.path, '/') ? strrchr(at.path, '/') + 1 : at.path;
	if (strlen(name) > 255 - strlen(".minisig"))
		return tools_notes_fail("%s: the name is too long for FILE.minisig", file);
	snprintf(out->minisig, sizeof(out->minisig), "%s.minisig", name);
	if (check_free(out, out->minisig))
		return TOOL_FAILED;
	rc = tools_notes_ask(n, "note-export", &at, file, NULL, &m);
	if (!rc)
		rc = write_all(out, m.json);
	if (!rc)
		tell(out, name);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

int tools_cmd_export(struct tool_options *o, int argc, char **argv)
{
	struct notes n = {.o = o, .cl = {.sock = -1}};
	struct output out = {.dir = o->to ? o->to : ".", .fd = -1, .force = o->force};
	int rc;

	(void)argc;
	if (!o->signature)
		return tools_usage("say what to export: journalfs export --signature FILE");
	rc = open_dir(&out);
	if (!rc)
		rc = export_one(&n, &out, argv[0]);
	if (out.fd >= 0)
		close(out.fd);
	tools_notes_close(&n);
	return rc;
}
