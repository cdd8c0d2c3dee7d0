/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_amend.c - amend: a draft beside a final note, which says that it amends it.
 *
 * The draft's path is printed, for scripts alone on standard output. --edit opens it: the editor is
 * started in the note's directory, so that the patient's name is not among its arguments, which
 * everybody on the host can read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "notes.h"

static const char *editor(void)
{
	const char *e = getenv("VISUAL");

	if (!e || !*e)
		e = getenv("EDITOR");
	return e && *e ? e : "sensible-editor";
}

/* The editor may be a command with arguments, as everywhere; the name goes as one word of its own.
 */
static void run_editor(const char *dir, const char *name)
{
	char command[4096], file[PATH_MAX];

	if ((size_t)snprintf(command, sizeof(command), "%s \"$1\"", editor()) >= sizeof(command) ||
	    (size_t)snprintf(file, sizeof(file), "./%s", name) >= sizeof(file) || chdir(dir))
		_exit(127);
	execl("/bin/sh", "sh", "-c", command, "journalfs-amend", file, (char *)NULL);
	_exit(127);
}

static int edit(const char *path)
{
	char dir[4 * PATH_MAX];
	char *slash;
	int status;
	pid_t pid;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		return tools_fail("the draft has no directory");
	*slash = '\0';
	pid = fork();
	if (!pid)
		run_editor(dir, slash + 1);
	if (pid < 0)
		return tools_fail("the editor can't be started: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return tools_fail("the editor: %s", strerror(errno));
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return TOOL_OK;
	return tools_fail("the editor `%s` did not end well; the draft is there. Set EDITOR",
			  editor());
}

static int amend(struct notes *n, const char *file)
{
	struct fs_wire_message m;
	struct note_path at;
	char path[4 * PATH_MAX];
	const char *found;
	int rc;

	if (tools_notes_find(n, file, true, &at))
		return TOOL_FAILED;
	rc = tools_notes_ask(n, "note-amend", &at, file,
			     json_pack("{s:s}", "name", n->o->name ? n->o->name : ""), &m);
	found = rc ? NULL : json_string_value(json_object_get(m.json, "path"));
	if (found) {
		snprintf(path, sizeof(path), "%s/%s/%s", at.mount, at.journal, found);
		if (isatty(STDOUT_FILENO))
			tools_notes_print(stdout, "%s\n", path);
		else
			puts(path);
		fflush(stdout);
	}
	rc = !found ? TOOL_FAILED : n->o->edit ? edit(path) : TOOL_OK;
	fs_wire_message_clear(&m);
	return rc;
}

/* The file that the first name on standard input is, for file managers. */
static int amend_stdin(struct notes *n)
{
	char **names;
	int count, rc;

	if (tools_notes_stdin(0, &names, &count))
		return TOOL_FAILED;
	rc = count == 1 ? amend(n, names[0])
			: tools_fail("one note is amended at a time, not %d", count);
	free(names[0]);
	free(names);
	return rc;
}

int tools_cmd_amend(struct tool_options *o, int argc, char **argv)
{
	struct notes n = {.o = o, .cl = {.sock = -1}};
	int rc;

	if (o->from_stdin == (argc > 0))
		return tools_usage(
			"name one final note, or give it on standard input with --stdin: "
			"journalfs amend FILE");
	rc = o->from_stdin ? amend_stdin(&n) : amend(&n, argv[0]);
	tools_notes_close(&n);
	return rc;
}
