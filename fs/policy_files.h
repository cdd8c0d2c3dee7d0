/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_files.h - what lies under `.policy` in a steward's mount, as files.
 *
 *   .policy/practice.policy
 *   .policy/practice.d/NAME.policy       the practice's parts
 *   .policy/journals/JOURNAL.policy      one for every journal there is
 *
 * and whatever else editors put there: scratch files, in memory only, gone with the
 * session. Policy files are the versions in force: what reads them sees one whole
 * text; what saves them, in place or by renaming, puts a new version through
 * fs_vault_policy_put or is refused. FILE.error tells why, FILE.rejected keeps the
 * text; both are scratch files.
 *
 * One struct a mount. Knows nothing of FUSE and asks nobody whether the caller may:
 * the gate has (fs/gate.c). Handles are the caller's numbers.
 *
 * Lock: `lock` inside, held across reads of the vault, never across fs_vault_policy_put
 * and _remove, which wait for the log. Callers hold none.
 */
#ifndef FS_POLICY_FILES_H
#define FS_POLICY_FILES_H

#include <sys/stat.h>
#include <time.h>

#include "vault.h"

/* Inode numbers, of journal 0, whose inode 1 is the mount's own directory. */
#define FS_POLICY_TOP 2u
#define FS_POLICY_PARTS 3u
#define FS_POLICY_JOURNALS 4u
#define FS_POLICY_PRACTICE 5u
#define FS_POLICY_OTHERS 16u /* from here on: parts and scratch files, unique over all mounts */
#define FS_POLICY_JOURNAL (UINT64_C(1) << 32) /* and a journal's number */

#define FS_POLICY_PATH 600 /* bytes of ".policy/journals/NAME.policy" and its zero */

struct fs_policy_files;

/* Who calls: the process (0: not known), and the boot-time clock now. */
struct fs_policy_caller {
	pid_t pid;
	int64_t now_ns;
};

/* What a call saved or refused, for the log; zero: neither. */
struct fs_policy_outcome {
	bool refused;
	uint32_t journal; /* 0: the practice's */
	char path[FS_POLICY_PATH];
	char reason[512]; /* first line of what stands in the .error file */
};

int fs_policy_files_new(struct fs_vault *v, struct fs_session *s, struct fs_policy_files **out);
void fs_policy_files_free(struct fs_policy_files *pf);
/*
 * The session is locked, or lost the right: contents go, handles with them. Numbers of policy files
 * stay, and so does what was shown to whom: an editor that lived on must not overwrite unseen.
 */
void fs_policy_files_clear(struct fs_policy_files *pf);

/* Type, mode, size, times and number of a file; owner and group are the caller's to fill. */
int fs_policy_files_lookup(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t dir, const char *name, struct stat *st);
/* fh 0: by number alone. Through a handle: what that handle would read. -ENOENT, -EIO (wiped). */
int fs_policy_files_stat(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			 uint64_t ino, uint64_t fh, struct stat *st);
/* ".policy/practice.policy" and the like; "" when unknown. */
void fs_policy_files_path(struct fs_policy_files *pf, uint64_t ino, char out[static FS_POLICY_PATH]);
/* Is this a policy file, and not scratch? */
bool fs_policy_files_is_policy(uint64_t ino, struct fs_policy_files *pf);
/*
 * Entries of a directory with cookie > after (0: all) in that order, without "." and "..". fn
 * returns 1 to stop; called with the lock held: it must not call back. Cookies are above 2.
 */
typedef int fs_policy_files_entry(void *ctx, const char *name, uint64_t ino, mode_t type,
				  uint64_t cookie);
int fs_policy_files_list(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			 uint64_t dir, uint64_t after, fs_policy_files_entry *fn, void *ctx);

/*
 * Finds (1) or makes (0) the file that open(2) with O_CREAT names: its number. Of a policy file only
 * the name is made; a text comes by writing. -EEXIST (O_EXCL), -EISDIR, -ENOSPC, -EINVAL (no policy can
 * have this name: out tells).
 */
int fs_policy_files_create(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t dir, const char *name, int flags, mode_t mode, uint64_t *ino,
			   struct fs_policy_outcome *out);
/* fh: not in use. made: as fs_policy_files_create has just made it. -ENFILE, -ENOENT. */
int fs_policy_files_open(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			 uint64_t ino, int flags, bool made, uint64_t fh);
/* Copies at most size bytes to buf; *got is how many. -EBADF, -EIO: wiped. */
int fs_policy_files_read(struct fs_policy_files *pf, const struct fs_policy_caller *by, uint64_t fh,
			 uint64_t off, size_t size, char *buf, size_t *got);
/* append: at the end, wherever that is. -EFBIG, -ENOSPC. */
int fs_policy_files_write(struct fs_policy_files *pf, uint64_t fh, uint64_t off, bool append,
			  const char *buf, size_t len);
/* Of a policy file without handle it saves at once. */
int fs_policy_files_resize(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t ino, uint64_t fh, uint64_t size, struct fs_policy_outcome *out);
/* Mode and time of a scratch file (NULL: as they are); a policy file takes both and keeps neither. */
int fs_policy_files_set(struct fs_policy_files *pf, uint64_t ino, const mode_t *mode,
			const struct timespec *mtime);
enum fs_policy_save {
	FS_POLICY_FLUSH, /* a descriptor was closed; another process's close is not the end */
	FS_POLICY_SYNC,
};
/*
 * Saves what was written through the handle, if anything was since the last time: 0, -EINVAL
 * (refused: out tells), or what fs_vault_policy_put answers.
 */
int fs_policy_files_save(struct fs_policy_files *pf, const struct fs_policy_caller *by, uint64_t fh,
			 enum fs_policy_save how, struct fs_policy_outcome *out);
/* The last close. What nobody has tried to save is tried now; the errno reaches nobody. */
void fs_policy_files_close(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t fh, struct fs_policy_outcome *out);
/* Bytes that can be read through the handle, for SEEK_DATA. */
int fs_policy_files_length(struct fs_policy_files *pf, uint64_t fh, uint64_t *len);

/*
 * Over a policy file: a save. Away from one: what is in force stays in force; the name is missing
 * here until it is written, or for some seconds. -EPERM, -EEXIST, -ENOENT, -EINVAL.
 */
int fs_policy_files_rename(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t dir, const char *name, uint64_t newdir, const char *newname,
			   unsigned flags, struct fs_policy_outcome *out);
/* A part is taken out of the practice; another policy file only loses its name for a while. */
int fs_policy_files_unlink(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t dir, const char *name, struct fs_policy_outcome *out);

#endif
