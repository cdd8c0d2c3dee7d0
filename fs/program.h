/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/program.h - the name of a program, for records of what it did.
 */
#ifndef FS_PROGRAM_H
#define FS_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

#define FS_PROGRAM_NAME 16 /* as the kernel keeps it, with its NUL */

/*
 * The name that the kernel gives the thread now (comm); claimed by it, so only a hint. out is empty
 * when there is no such thread, or pid <= 0. cap is at least 1. Any thread may call.
 */
void fs_program_name(pid_t pid, char *out, size_t cap);

/*
 * The same of a process that runs under this account now; empty otherwise: the number may have gone to
 * somebody else's since. Opens its files anew, keeps nothing open.
 */
void fs_program_name_of(pid_t pid, uid_t uid, char *out, size_t cap);

/*
 * The name of the thread, and that of the first thread of its process, which is the name that ps shows: programs
 * name the threads of their pools. process is empty when they are one, or there is no such thread.
 */
void fs_program_names(pid_t tid, char thread[static FS_PROGRAM_NAME], char process[static FS_PROGRAM_NAME]);

/* The process that a thread belongs to; tid itself when that can't be told. */
pid_t fs_program_process(pid_t tid);

#endif
