/* SPDX-License-Identifier: Apache-2.0 */
/* A directory in memory for fuzzers whose decoders stand behind a store; removed at exit. */
#ifndef FUZZ_DIR_H
#define FUZZ_DIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char fuzz_dir[64];

static int fuzz_dir_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void fuzz_dir_remove(void)
{
	nftw(fuzz_dir, fuzz_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void fuzz_dir_make(void)
{
	strcpy(fuzz_dir,
	       access("/dev/shm", W_OK) ? "/tmp/jf-fuzz-XXXXXX" : "/dev/shm/jf-fuzz-XXXXXX");
	if (!mkdtemp(fuzz_dir))
		abort();
	atexit(fuzz_dir_remove);
}

#endif
