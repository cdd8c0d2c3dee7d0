/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/harden.h - what the daemon takes away from itself before it serves.
 */
#ifndef FS_HARDEN_H
#define FS_HARDEN_H

#include <stdbool.h>
#include <stddef.h>

/* First thing in every journalfs process that touches secrets: no core, not dumpable, umask 077. */
int fs_harden_early(void);

struct fs_harden_report {
	bool landlock; /* false: this kernel lacks it */
	bool seccomp;
	int landlock_abi;
};
/*
 * After files, socket and /dev/fuse are open: Landlock to these directories (read-write) and files
 * (read-only), seccomp to what serving needs (no exec, no new network families, no ptrace, no mount).
 * Preloads libgcc_s first (pthread_cancel loads it later). Applies to all threads: call before any
 * is started. 0 also when the kernel lacks a mechanism (report says so); negative errno on failure.
 */
int fs_harden_serve(const char *const *rw_dirs, size_t dirs, const char *const *ro_files,
		    size_t files, struct fs_harden_report *report);

/*
 * The same in two steps, for a daemon that opens its vault in between (why: harden.c). Files: before
 * any thread is started. Calls: at any time, for all threads. Each fills its part of the report.
 */
int fs_harden_files(const char *const *rw_dirs, size_t dirs, const char *const *ro_files,
		    size_t files, struct fs_harden_report *report);
int fs_harden_calls(struct fs_harden_report *report);

#endif
