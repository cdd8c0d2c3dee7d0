/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/memory.h - makes the n-th allocation of this process fail.
 *
 * malloc, calloc and realloc as this program's own code calls them; what libraries allocate inside
 * is not counted. Threads share the counter.
 */
#ifndef TESTS_FAULT_MEMORY_H
#define TESTS_FAULT_MEMORY_H

#include <stdbool.h>

/* The n-th allocation from now on (1: the next) fails, once. */
void memory_fail(unsigned nth);
/* Back to normal. True when one did fail. */
bool memory_stop(void);

#endif
