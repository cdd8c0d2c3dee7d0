/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/kept.c - the newest checkpoint of a vault's access log that this account has seen.
 *
 * Owns the files under STATE/journalfs/checkpoints. Whoever replaced a vault and its host's state
 * by older ones can't know what its users keep.
 *
 * Invariant: what is kept never goes back, and one that contradicts it never replaces it unless
 * its owner says so.
 * Locks: flock on the directory, across comparing and replacing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "kept.h"
#include "when.h"

static int kept_dir(char *out, size_t cap)
{
	int rc = tools_conf_state_base(out, cap);
	size_t len;

	if (rc)
		return rc;
	len = strlen(out);
	if ((size_t)snprintf(out + len, cap - len, "/checkpoints") >= cap - len)
		return -ENAMETOOLONG;
	return tools_conf_make_dirs(out);
}

int tools_kept_path(const uint8_t vault[static KEYS_VAULT_ID_LEN], char *out, size_t cap)
{
	char id[2 * KEYS_VAULT_ID_LEN + 1];
	int rc = kept_dir(out, cap);
	size_t len;

	if (rc)
		return rc;
	tools_conf_hex(vault, KEYS_VAULT_ID_LEN, id);
	len = strlen(out);
	return (size_t)snprintf(out + len, cap - len, "/%s", id) >= cap - len ? -ENAMETOOLONG : 0;
}

static int parse(const uint8_t *vault, const char *text, struct keys_checkpoint *out)
{
	struct keys_signed_note note;

	if (keys_signed_note_parse(text, strlen(text), &note) || keys_checkpoint_read(&note, out) ||
	    memcmp(out->vault, vault, KEYS_VAULT_ID_LEN))
		return -EBADMSG;
	return 0;
}

static int read_file(const char *path, char out[static KEYS_CHECKPOINT_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, out, KEYS_CHECKPOINT_MAX);
	close(fd);
	if (n < 0)
		return -EIO;
	if (n == KEYS_CHECKPOINT_MAX || memchr(out, 0, (size_t)n))
		return -EBADMSG;
	out[n] = '\0';
	return 0;
}

int tools_kept_read(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		    char out[static KEYS_CHECKPOINT_MAX])
{
	char path[PATH_MAX], text[KEYS_CHECKPOINT_MAX];
	struct keys_checkpoint c;
	int rc = tools_kept_path(vault, path, sizeof(path));

	if (!rc)
		rc = read_file(path, text);
	if (!rc)
		rc = parse(vault, text, &c);
	if (!rc)
		memcpy(out, text, sizeof(text));
	return rc;
}

enum tools_kept tools_kept_compare(const uint8_t vault[static KEYS_VAULT_ID_LEN], const char *kept,
				   const char *now)
{
	struct keys_checkpoint a, b;

	if (parse(vault, kept, &a) || parse(vault, now, &b))
		return TOOLS_KEPT_BAD;
	if (b.size < a.size)
		return TOOLS_KEPT_SMALLER;
	if (b.size == a.size && memcmp(a.root, b.root, KEYS_LEN) != 0)
		return TOOLS_KEPT_FORKED;
	if (b.commit < a.commit)
		return TOOLS_KEPT_BEHIND;
	return b.size == a.size ? TOOLS_KEPT_SAME : TOOLS_KEPT_GROWN;
}

static int put_file(int dirfd, const char *path, const char *text)
{
	char temp[PATH_MAX + 8];
	size_t len = strlen(text);
	int fd, rc = 0;

	snprintf(temp, sizeof(temp), "%s.new", path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len || fsync(fd))
		rc = errno ? -errno : -EIO;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && (rename(temp, path) || fsync(dirfd)))
		rc = -errno;
	if (rc)
		unlink(temp);
	return rc;
}

int tools_kept_write(const uint8_t vault[static KEYS_VAULT_ID_LEN], const char *text, bool force)
{
	char dir[PATH_MAX], path[PATH_MAX], kept[KEYS_CHECKPOINT_MAX];
	struct keys_checkpoint c;
	int dirfd, rc = parse(vault, text, &c);

	if (!rc)
		rc = kept_dir(dir, sizeof(dir));
	if (!rc)
		rc = tools_kept_path(vault, path, sizeof(path));
	if (rc)
		return rc;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -errno;
	if (flock(dirfd, LOCK_EX))
		rc = -errno;
	else if (force || tools_kept_read(vault, kept) ||
		 tools_kept_compare(vault, kept, text) == TOOLS_KEPT_GROWN)
		rc = put_file(dirfd, path, text);
	close(dirfd);
	return rc;
}

/* ---- after a log-in ---- */

static void warn(const uint8_t *vault, const char *kept, const char *now, enum tools_kept how)
{
	struct keys_checkpoint a, b;
	char path[PATH_MAX] = "", when[32], what[160] = "";

	if (parse(vault, kept, &a) || parse(vault, now, &b))
		return;
	(void)tools_kept_path(vault, path, sizeof(path));
	if (how == TOOLS_KEPT_SMALLER)
		snprintf(what, sizeof(what), "has only %llu records; %llu records are known",
			 (unsigned long long)b.size, (unsigned long long)a.size);
	else if (how == TOOLS_KEPT_FORKED)
		snprintf(what, sizeof(what), "holds %llu records that are not the ones known",
			 (unsigned long long)b.size);
	else
		snprintf(what, sizeof(what),
			 "tells of an older state of the vault (commit %llu; %llu is known)",
			 (unsigned long long)b.commit, (unsigned long long)a.commit);
	fprintf(stderr,
		"\n"
		"journalfs: WARNING: the access log of this vault was rolled back or rewritten.\n"
		"  Its newest checkpoint %s\n"
		"  from %s (kept in %s).\n"
		"  Tell an auditor: `journalfs audit verify` says more. After a true restore from "
		"a\n"
		"  backup, remove that file.\n\n",
		what, tools_when_text((int64_t)a.time_s, when), path);
}

static void compare_and_keep(const uint8_t *vault, const char *now)
{
	char kept[KEYS_CHECKPOINT_MAX], path[PATH_MAX];
	enum tools_kept how = TOOLS_KEPT_GROWN;
	int rc = tools_kept_read(vault, kept);

	if (!rc)
		how = tools_kept_compare(vault, kept, now);
	if (rc == -EBADMSG && !tools_kept_path(vault, path, sizeof(path)))
		tools_fail(
			"%s is damaged and was replaced: whether the access log was rolled back is "
			"not known this time",
			path);
	if (how == TOOLS_KEPT_SMALLER || how == TOOLS_KEPT_FORKED || how == TOOLS_KEPT_BEHIND)
		warn(vault, kept, now, how);
	else if (how == TOOLS_KEPT_BAD)
		tools_fail("WARNING: the daemon's checkpoint of the access log is not one of this "
			   "vault");
	else if (rc == 0 || rc == -ENOENT || rc == -EBADMSG)
		(void)tools_kept_write(vault, now, false);
}

void tools_kept_check(struct client *cl)
{
	struct fs_wire_message m;
	const char *text;

	fs_wire_message_init(&m);
	if (!tools_client_ask(cl, json_pack("{s:s}", "verb", "log-checkpoint"), &m)) {
		text = json_string_value(json_object_get(m.json, "checkpoint"));
		if (text && *text && strlen(text) < KEYS_CHECKPOINT_MAX)
			compare_and_keep(cl->vault, text);
	}
	fs_wire_message_clear(&m);
}
