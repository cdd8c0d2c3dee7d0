/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_key_file.c - an auditor's key file on disk.
 *
 * Owns how its passphrase is asked for and what is said when it does not open. Format:
 * keys/FORMAT.md, "Audit key files".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../keys/slab.h"
#include "audit_key_file.h"
#include "conf.h"
#include "prompt.h"

static int read_all(int fd, uint8_t *p, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, p + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int tools_audit_file_read(const char *path, size_t max, uint8_t **out, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	uint8_t *p = NULL;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EMEDIUMTYPE;
	else if ((uint64_t)st.st_size > max)
		rc = -EFBIG;
	if (!rc) {
		p = malloc((size_t)st.st_size + 1);
		rc = p ? read_all(fd, p, (size_t)st.st_size) : -ENOMEM;
	}
	close(fd);
	if (rc) {
		free(p);
		return rc;
	}
	p[st.st_size] = '\0';
	*out = p;
	*len = (size_t)st.st_size;
	return 0;
}

/* The directory's entry of this path, durable. */
static int sync_parent(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd, rc = 0;

	if (!slash)
		snprintf(dir, sizeof(dir), ".");
	else
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	return rc;
}

int tools_audit_file_write(const char *path, const uint8_t *p, size_t len)
{
	char temp[PATH_MAX];
	size_t done = 0;
	int fd, rc = 0;

	/* A name that nobody could have made before, with another owner or mode. */
	if ((size_t)snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >= sizeof(temp))
		return -ENAMETOOLONG;
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (done < len && !rc) {
		ssize_t n = write(fd, p + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			rc = -errno;
	}
	if (!rc && fsync(fd))
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(temp, path))
		rc = -errno;
	if (rc)
		unlink(temp);
	return rc ? rc : sync_parent(path);
}

/* ---- key files ---- */

static int say_unusable(const char *path, int rc)
{
	if (rc == -EMEDIUMTYPE)
		return tools_fail("%s is no auditor's key file; `journalfs audit key export FILE` "
				  "makes one",
				  path);
	if (rc == -EPROTONOSUPPORT)
		return tools_fail("%s was made by a newer journalfs; install that version", path);
	if (rc == -EBADMSG)
		return tools_fail("%s is damaged (its checksum does not fit): copy it again, or "
				  "export it anew",
				  path);
	if (rc == -EFBIG)
		return tools_fail("%s is too large to be a key file", path);
	if (rc == -EKEYREJECTED)
		return tools_fail("%s does not open: that is not its passphrase", path);
	return tools_fail("%s can't be read: %s", path, strerror(-rc));
}

static int stretch_for(const char *path, int fd, const struct keys_audit_head *h,
		       uint8_t out[static KEYS_LEN])
{
	struct prompt_secret *pass = NULL;
	char question[PATH_MAX + 32];
	int rc;

	snprintf(question, sizeof(question), "Passphrase of %s", path);
	rc = tools_prompt_secret_read(fd, question, &pass);
	if (rc)
		return tools_fail(rc == -ENOTTY
					  ? "there is no terminal to ask at; use --passphrase-fd"
					  : "no passphrase was given");
	rc = tools_prompt_stretch(pass, h->salt, &h->cost, out);
	tools_prompt_secret_free(pass);
	return rc ? TOOL_FAILED : TOOL_OK;
}

int tools_audit_key_read(const char *path, int passphrase_fd, struct keys_audit_key *out)
{
	uint8_t *p = NULL, *stretched;
	struct keys_audit_head h;
	size_t len = 0;
	int rc = tools_audit_file_read(path, KEYS_AUDIT_KEY_MAX, &p, &len);

	if (!rc)
		rc = keys_audit_key_look(p, len, &h);
	if (rc) {
		free(p);
		return say_unusable(path, rc);
	}
	stretched = keys_guard_new(KEYS_LEN);
	if (!stretched) {
		free(p);
		return tools_fail("out of memory");
	}
	rc = stretch_for(path, passphrase_fd, &h, stretched);
	if (!rc) {
		rc = keys_audit_key_open(p, len, stretched, out);
		if (rc)
			rc = say_unusable(path, rc);
	}
	keys_guard_free(stretched);
	free(p);
	return rc;
}

int tools_audit_key_write(const char *path, int new_passphrase_fd, const char *who,
			  const struct keys_audit_key *k)
{
	uint8_t salt[KEYS_SALT_LEN], *stretched = keys_guard_new(KEYS_LEN), *p = NULL;
	struct prompt_secret *pass = NULL;
	size_t len = 0;
	int rc;

	if (!stretched)
		return tools_fail("out of memory");
	rc = tools_prompt_secret_new(new_passphrase_fd, "Passphrase for the key file", who, &pass);
	if (rc) {
		keys_guard_free(stretched);
		return TOOL_FAILED;
	}
	keys_random(salt, sizeof(salt));
	rc = tools_prompt_stretch(pass, salt, &keys_stretch_default, stretched);
	tools_prompt_secret_free(pass);
	if (!rc) {
		rc = keys_audit_key_seal(k, stretched, salt, &keys_stretch_default, &p, &len);
		if (!rc)
			rc = tools_audit_file_write(path, p, len);
		if (rc)
			tools_fail("%s can't be written: %s", path, strerror(-rc));
	}
	free(p);
	keys_guard_free(stretched);
	return rc ? TOOL_FAILED : TOOL_OK;
}
