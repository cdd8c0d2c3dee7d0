/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/memory.c - see memory.h.
 *
 * Few heaps, shared by all threads; the largest buffers are mapped by themselves
 * and go back when freed; the rest goes back in pages, by the clock. The bounds
 * are those at which no benchmark grew slower.
 */
#include "memory.h"

#include <malloc.h>

#define HEAPS 4
#define MAPPED_BYTES (4 << 20) /* from here on a buffer is a mapping of its own */
#define TOP_BYTES (2 << 20)    /* free at the end of a heap */
#define WORTH_BYTES (4u << 20) /* free within the heaps */

void fs_memory_init(void)
{
	mallopt(M_ARENA_MAX, HEAPS);
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
	mallopt(M_TRIM_THRESHOLD, TOP_BYTES);
}

void fs_memory_trim(void)
{
	if (mallinfo2().fordblks >= WORTH_BYTES)
		malloc_trim(0);
}
