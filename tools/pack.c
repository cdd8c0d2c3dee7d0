/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/pack.c - writes such a directory.
 *
 * Owns: the unfinished directory until commit or abort. Invariants: every file in it stands in
 * SHA256SUMS, but that one; nothing that exists is ever replaced.
 */
#include "pack.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../keys/digest.h"
#include "tool.h"

#define SUMS "SHA256SUMS"

static int failed(const struct tools_pack *p, const char *name)
{
	return tools_fail("%s/%s: %s", p->to, name, strerror(errno));
}

int tools_pack_begin(struct tools_pack *p, const char *to)
{
	size_t len = strlen(to);
	struct stat st;

	*p = (struct tools_pack){.dir = -1};
	while (len > 1 && to[len - 1] == '/')
		len--;
	p->to = strndup(to, len);
	if (!p->to || asprintf(&p->temporary, "%s.unfinished-XXXXXX", p->to) < 0) {
		p->temporary = NULL;
		return tools_fail("memory is short");
	}
	if (!lstat(p->to, &st))
		return tools_fail(
			"%s is there already: name a directory that is not, so that nothing "
			"is overwritten",
			p->to);
	if (!mkdtemp(p->temporary)) {
		int rc = tools_fail("%s cannot be made: %s", p->to, strerror(errno));

		free(p->temporary);
		p->temporary = NULL;
		return rc;
	}
	p->dir = open(p->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p->dir < 0)
		return failed(p, "");
	p->sums = tools_pack_file(p, SUMS);
	return p->sums ? TOOL_OK : TOOL_FAILED;
}

int tools_pack_folder(struct tools_pack *p, const char *name)
{
	return mkdirat(p->dir, name, 0700) ? failed(p, name) : TOOL_OK;
}

FILE *tools_pack_file(struct tools_pack *p, const char *name)
{
	int fd = openat(p->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");

	if (!file) {
		failed(p, name);
		if (fd >= 0)
			close(fd);
	}
	return file;
}

/* The checksum of what was written, read back. */
static int sum(FILE *file, uint8_t sha256[static KEYS_LEN])
{
	uint8_t bytes[16384], other[KEYS_DIGEST_BLAKE2B_LEN];
	struct keys_digest *d = keys_digest_new();
	size_t n;

	if (!d)
		return -1;
	rewind(file);
	while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
		keys_digest_add(d, bytes, n);
	keys_digest_end(d, sha256, other);
	keys_digest_free(d);
	return ferror(file) ? -1 : 0;
}

int tools_pack_done(struct tools_pack *p, const char *name, FILE *file)
{
	uint8_t sha256[KEYS_LEN];
	int bad = ferror(file) || fflush(file) || fsync(fileno(file));

	bad = bad || sum(file, sha256);
	if (fclose(file) || bad)
		return failed(p, name);
	for (size_t i = 0; i < sizeof(sha256); i++)
		fprintf(p->sums, "%02x", sha256[i]);
	fprintf(p->sums, "  %s\n", name);
	return TOOL_OK;
}

int tools_pack_commit(struct tools_pack *p)
{
	FILE *sums = p->sums;
	int bad = ferror(sums) || fflush(sums) || fsync(fileno(sums));

	p->sums = NULL;
	if (fclose(sums) || bad || fsync(p->dir))
		return failed(p, SUMS);
	if (renameat2(AT_FDCWD, p->temporary, AT_FDCWD, p->to, RENAME_NOREPLACE))
		return tools_fail("%s cannot get its name: %s", p->to, strerror(errno));
	free(p->temporary);
	p->temporary = NULL;
	tools_pack_abort(p);
	return TOOL_OK;
}

static int take_away(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st;
	(void)flag;
	(void)at;
	return remove(path);
}

void tools_pack_abort(struct tools_pack *p)
{
	if (p->sums)
		fclose(p->sums);
	if (p->dir >= 0)
		close(p->dir);
	if (p->temporary)
		nftw(p->temporary, take_away, 8, FTW_DEPTH | FTW_PHYS);
	free(p->temporary);
	free(p->to);
	*p = (struct tools_pack){.dir = -1};
}
