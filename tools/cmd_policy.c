/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_policy.c - policy show, edit, check.
 *
 * The text under edit lies in memory only: a private directory in
 * $XDG_RUNTIME_DIR or /dev/shm (tmpfs), removed afterwards; a text that was
 * refused is kept there and named, so that no work is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include "client.h"
#include "prompt.h"

#define TEXT_MAX (256u << 10)

static int fetch(struct client *cl, const char *file, struct fs_wire_message *m)
{
	return tools_client_call(cl, json_pack("{s:s, s:s}", "verb", "policy-show", "file", file), NULL, 0,
			   -1, m);
}

static int show(struct client *cl, const char *file)
{
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = fetch(cl, file, &m);
	if (!rc)
		fputs(json_string_value(json_object_get(m.json, "text")), stdout);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

/* The whole file, NUL-terminated; caller frees. NULL after saying why. */
static char *read_text(const char *path)
{
	char *text = malloc(TEXT_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n = 0;

	while (text && fd >= 0 && got < TEXT_MAX && (n = read(fd, text + got, TEXT_MAX - got)) > 0)
		got += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (!text || fd < 0 || n < 0 || got == TEXT_MAX || memchr(text, 0, got)) {
		tools_fail("%s can't be read as a policy text: %s", path,
			  fd < 0 || n < 0 ? strerror(errno) : "it is over 256 KiB or holds NUL bytes");
		free(text);
		return NULL;
	}
	text[got] = '\0';
	return text;
}

static int check(struct client *cl, const char *file, const char *path)
{
	char *text = read_text(path);
	json_t *json;
	int rc = TOOL_FAILED;

	if (!text)
		return TOOL_FAILED;
	json = json_pack("{s:s, s:s, s:s}", "verb", "policy-check", "file", file, "text", text);
	if (!json)
		tools_fail("%s is not valid UTF-8", path);
	else
		rc = tools_client_do(cl, json, NULL, 0);
	if (rc == TOOL_OK)
		printf("%s: would be accepted\n", path);
	free(text);
	return rc;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t len = strlen(text);
	ssize_t n = fd >= 0 ? write(fd, text, len) : -1;

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)len ? TOOL_OK : tools_fail("%s: %s", path, strerror(errno));
}

static int run_editor(const char *path)
{
	const char *editor = getenv("VISUAL");
	char command[PATH_MAX + 256];
	int status;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "sensible-editor";
	/* The editor may be a command with arguments, as everywhere; the path is ours and plain. */
	snprintf(command, sizeof(command), "%s %s", editor, path);
	status = system(command);
	if (status == -1 || !WIFEXITED(status) || WEXITSTATUS(status))
		return tools_fail("the editor `%s` did not end well; nothing was changed. Set EDITOR",
				 editor);
	return TOOL_OK;
}

/* A policy names patients: it is never written to a disk. */
static bool in_memory(const char *dir)
{
	struct statfs sf;

	return dir && dir[0] == '/' && strlen(dir) < 100 && !statfs(dir, &sf) &&
	       sf.f_type == TMPFS_MAGIC;
}

static int temp_dir(char *out, size_t cap)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (!in_memory(run))
		run = "/dev/shm";
	if (!in_memory(run))
		return tools_fail("neither XDG_RUNTIME_DIR nor /dev/shm is a tmpfs: there is no place in "
				  "memory to edit in; mount one");
	snprintf(out, cap, "%s/journalfs-policy-XXXXXX", run);
	if (!mkdtemp(out))
		return tools_fail("no private place in memory to edit in (%s): %s", out,
				 strerror(errno));
	return TOOL_OK;
}

/* Offers the text until it is accepted or the person gives up. */
static int edit_loop(struct client *cl, const char *file, const char *path, const char *before,
		     json_int_t base)
{
	for (;;) {
		char *text;
		json_t *json;
		int rc;

		if (run_editor(path))
			return TOOL_FAILED;
		text = read_text(path);
		if (!text)
			return TOOL_FAILED;
		if (!strcmp(text, before)) {
			free(text);
			puts("nothing was changed");
			return TOOL_OK;
		}
		json = json_pack("{s:s, s:s, s:s, s:I}", "verb", "policy-put", "file", file, "text",
				 text, "base", base);
		free(text);
		rc = json ? tools_client_do(cl, json, NULL, 0) : tools_fail("the text is not valid UTF-8");
		if (rc == TOOL_OK) {
			printf("%s: accepted and in force\n", file);
			return TOOL_OK;
		}
		fputs("What was in force stays in force.\n", stderr);
		if (!tools_prompt_yes("Edit again?"))
			return TOOL_FAILED;
	}
}

static int edit(struct client *cl, const char *file)
{
	char dir[256], path[300];
	struct fs_wire_message m;
	const char *text;
	int rc = TOOL_FAILED;

	fs_wire_message_init(&m);
	if (fetch(cl, file, &m) || temp_dir(dir, sizeof(dir)))
		goto out;
	snprintf(path, sizeof(path), "%s/text.policy", dir);
	text = json_string_value(json_object_get(m.json, "text"));
	if (!text || write_text(path, text))
		goto remove;
	rc = edit_loop(cl, file, path, text, json_integer_value(json_object_get(m.json, "version")));
	if (rc != TOOL_OK) {
		fprintf(stderr, "Your text is kept in memory, until the computer restarts: %s\n", path);
		goto out;
	}
remove:
	unlink(path);
	rmdir(dir);
out:
	fs_wire_message_clear(&m);
	return rc;
}

int tools_cmd_policy(struct tool_options *o, int argc, char **argv)
{
	const char *file = argc > 1 ? argv[1] : "practice";
	struct client cl = { .sock = -1 };
	struct conf c;
	int rc;

	if (strcmp(argv[0], "show") && strcmp(argv[0], "edit") && strcmp(argv[0], "check"))
		return tools_fail("`policy %s` is not known; there are show, edit and check", argv[0]);
	if ((argc == 3) != !strcmp(argv[0], "check"))
		return tools_fail("usage: journalfs policy show|edit [practice|JOURNAL], or policy check "
				 "practice|JOURNAL FILE");
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	if (!strcmp(argv[0], "show"))
		rc = show(&cl, file);
	else if (!strcmp(argv[0], "edit"))
		rc = edit(&cl, file);
	else
		rc = check(&cl, file, argv[2]);
	tools_client_close(&cl);
	return rc;
}
