/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_policy_edit.c - policy edit, as visudo does it.
 *
 * The text under edit lies in memory only: a private directory in
 * $XDG_RUNTIME_DIR or /dev/shm (tmpfs), removed afterwards. A text that was
 * refused can be edited again, discarded, or kept there and named, so that no work
 * is lost; where somebody else was quicker, what he changed is shown and the next
 * try begins from his version, with one's own text kept beside it.
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

#include "../policy/diff.h"
#include "cmd_policy.h"
#include "plain.h"
#include "policy_text.h"
#include "prompt.h"

#define MINE_MAX 20 /* texts kept beside: so often somebody else was quicker */

struct editing {
	struct client *cl;
	const char *file, *reason;
	char dir[256], path[300];
	char *base; /* the text that is being edited */
	json_int_t version;
	int mine; /* own texts kept beside */
};

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t len = strlen(text), at = 0;
	ssize_t n = 0;

	while (fd >= 0 && at < len && (n = write(fd, text + at, len - at)) > 0)
		at += (size_t)n;
	if (fd >= 0)
		close(fd);
	return fd >= 0 && at == len ? TOOL_OK : tools_fail("%s: %s", path, strerror(errno));
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
	if ((size_t)snprintf(command, sizeof(command), "%s %s", editor, path) >= sizeof(command))
		return tools_fail("the editor's command is too long: set EDITOR");
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

static void mine_path(const struct editing *e, int n, char out[static 320])
{
	snprintf(out, 320, "%s/mine-%d.policy", e->dir, n);
}

/* Which of the own texts outlive the command. */
enum keep { KEEP_NONE, KEEP_BESIDE, KEEP_ALL };

/* Removes what lies there, or names it. */
static void leave(struct editing *e, enum keep keep)
{
	char mine[320];

	if (keep == KEEP_ALL)
		fprintf(stderr, "Your text is kept in memory, until the computer restarts: %s\n",
			e->path);
	else
		unlink(e->path);
	for (int n = 1; n <= e->mine; n++) {
		mine_path(e, n, mine);
		if (keep == KEEP_NONE)
			unlink(mine);
		else
			fprintf(stderr, "An earlier text of yours is kept there too: %s\n", mine);
	}
	if (keep == KEEP_NONE || (keep == KEEP_BESIDE && !e->mine))
		rmdir(e->dir);
}

/* The text in force becomes the one to edit. */
static int begin(struct editing *e)
{
	char *text = tools_policy_text_begin(e->cl, e->file, &e->version);

	if (!text)
		return TOOL_FAILED;
	free(e->base);
	e->base = text;
	return TOOL_OK;
}

/* Somebody was quicker: shows what he changed, puts the own text aside and takes his version. */
static int take_newer(struct editing *e)
{
	char *old = e->base, *diff = NULL, mine[320];
	int rc;

	e->base = NULL;
	rc = begin(e);
	if (rc == TOOL_OK)
		diff = policy_diff(old, strlen(old), e->base, strlen(e->base), e->file, 0);
	if (diff) {
		fputs("What changed since:\n", stderr);
		tools_plain_put(stderr, diff, 1);
	}
	free(diff);
	if (rc != TOOL_OK) {
		e->base = old;
		return rc;
	}
	free(old);
	if (e->mine == MINE_MAX)
		return tools_fail("too often somebody else was quicker; try again later");
	mine_path(e, e->mine + 1, mine);
	if (rename(e->path, mine))
		return tools_fail("%s: %s", mine, strerror(errno));
	e->mine++;
	fprintf(stderr, "Your text lies beside, to copy from: %s\n", mine);
	return write_text(e->path, e->base);
}

/* TOOL_OK: accepted; else *refused is the negative errno of the refusal. */
static int offer(struct editing *e, const char *text, int *refused)
{
	struct fs_wire_message m;

	fs_wire_message_init(&m);
	*refused = tools_policy_text_offer(
		e->cl,
		json_pack("{s:s, s:s, s:s, s:I, s:s}", "verb", "policy-put", "file", e->file, "text",
			  text, "base", e->version, "reason", e->reason),
		e->file, e->file, &m);
	fs_wire_message_clear(&m);
	if (*refused)
		return TOOL_FAILED;
	printf("%s: accepted and in force\n", e->file);
	return TOOL_OK;
}

/* One round: edit, offer. True: there is another. */
static bool round_of(struct editing *e, int *rc, enum keep *keep)
{
	char *text = run_editor(e->path) ? NULL : tools_policy_text_read(e->path);
	int refused = 0;
	char choice;

	*rc = TOOL_FAILED;
	*keep = KEEP_ALL;
	if (!text)
		return false;
	if (!strcmp(text, e->base)) {
		puts("nothing was changed");
		/* What was put aside for a newer version has found no place in it. */
		*keep = KEEP_BESIDE;
		*rc = TOOL_OK;
	} else if (offer(e, text, &refused) == TOOL_OK) {
		*keep = KEEP_NONE;
		*rc = TOOL_OK;
	}
	free(text);
	if (*rc == TOOL_OK)
		return false;
	/* Not in force, but kept: a second steward has to agree. */
	if (refused == -EINPROGRESS) {
		*keep = KEEP_NONE;
		return false;
	}
	fputs("What was in force stays in force.\n", stderr);
	choice = tools_prompt_choice(refused == -ESTALE
					     ? "(e)dit again on the newer version, (d)iscard your text, or "
					       "(k)eep it and stop?"
					     : "(e)dit again, (d)iscard your text, or (k)eep it and stop?",
				     "edk");
	*keep = choice == 'd' ? KEEP_NONE : KEEP_ALL;
	if (choice != 'e')
		return false;
	return refused != -ESTALE || take_newer(e) == TOOL_OK;
}

int tools_policy_edit(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	struct editing e = {
		.cl = cl,
		.file = argc ? argv[0] : "practice",
		.reason = o->reason ? o->reason : "",
	};
	enum keep keep = KEEP_NONE;
	int rc = TOOL_FAILED;

	if (begin(&e) || temp_dir(e.dir, sizeof(e.dir)))
		goto out;
	snprintf(e.path, sizeof(e.path), "%s/text.policy", e.dir);
	if (!write_text(e.path, e.base)) {
		while (round_of(&e, &rc, &keep))
			;
	}
	leave(&e, keep);
out:
	free(e.base);
	return rc;
}
