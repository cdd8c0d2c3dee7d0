/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/new_file.h - a file that appears whole or not at all, for nobody else to read (0600).
 *
 * It is written beside the place it goes to and takes that name at the end. What stood there
 * before stays until then, and stays for good when the command fails.
 */
#ifndef TOOLS_NEW_FILE_H
#define TOOLS_NEW_FILE_H

#include <stdio.h>

struct tools_new_file {
	FILE *to;
	char *path, *temporary;
};

/* path stays the caller's. Only a regular file is replaced. TOOL_OK, or TOOL_FAILED after a message
 * that names the file. */
int tools_new_file_open(struct tools_new_file *f, const char *path);
/* Durable under its name. TOOL_OK, or TOOL_FAILED after a message; f is cleared either way. */
int tools_new_file_commit(struct tools_new_file *f);
/* Takes the unfinished one away. Legal at any time, also on a zeroed struct. */
void tools_new_file_abort(struct tools_new_file *f);

#endif
