/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/program.h - the name of a program, for records of what it did.
 */
#ifndef FS_PROGRAM_H
#define FS_PROGRAM_H

#include <stddef.h>
#include <sys/types.h>

/*
 * The name that the kernel gives the thread now (comm); claimed by it, so only a hint. out is empty
 * when there is no such thread, or pid <= 0. cap is at least 1. Any thread may call.
 */
void fs_program_name(pid_t pid, char *out, size_t cap);

#endif
