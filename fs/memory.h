/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/memory.h - what the allocator keeps of what the daemon has freed.
 *
 * Left to itself it keeps a heap a thread, and in each what the busiest moment
 * needed: several times what is in use, and the daemon runs for months.
 */
#ifndef FS_MEMORY_H
#define FS_MEMORY_H

/* Once, before there are threads. */
void fs_memory_init(void);
/* Now and then: what is free goes back to the system when it is worth a walk over it. */
void fs_memory_trim(void);

#endif
