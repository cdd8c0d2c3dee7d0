/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/pack.h - a directory that appears whole or not at all, for nobody else to read (0700, files
 * 0600), with the checksums of all its files.
 *
 * It is written beside the place it goes to; the end gives it its name, and never that of something
 * that is there already.
 */
#ifndef TOOLS_PACK_H
#define TOOLS_PACK_H

#include <stdio.h>

struct tools_pack {
	char *to, *temporary;
	int dir;    /* -1 none */
	FILE *sums; /* SHA256SUMS */
};

/* TOOL_OK, or TOOL_FAILED after a message: `to` is there, or its directory is not. */
int tools_pack_begin(struct tools_pack *p, const char *to);
/* A folder in it, one level. TOOL_OK, TOOL_FAILED after a message. */
int tools_pack_folder(struct tools_pack *p, const char *name);
/* A new file ("name" or "folder/name"), open for writing; NULL after a message. */
FILE *tools_pack_file(struct tools_pack *p, const char *name);
/* Closes it, durable, and notes its checksum. TOOL_OK, TOOL_FAILED after a message. */
int tools_pack_done(struct tools_pack *p, const char *name, FILE *file);
/* Writes the checksums and gives the directory its name. TOOL_OK, TOOL_FAILED after a message. */
int tools_pack_commit(struct tools_pack *p);
/* Takes away what is unfinished; legal at any time, also on a zeroed struct whose dir is -1. */
void tools_pack_abort(struct tools_pack *p);

#endif
