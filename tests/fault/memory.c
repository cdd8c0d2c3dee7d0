/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fault/memory.c - the wrapped allocations; see memory.h. */
#include "memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static atomic_uint countdown; /* 0: not armed, or past */
static atomic_bool hit;

void memory_fail(unsigned nth)
{
	atomic_store(&hit, false);
	atomic_store(&countdown, nth);
}

bool memory_stop(void)
{
	atomic_store(&countdown, 0);
	return atomic_load(&hit);
}

static bool fails(void)
{
	unsigned now = atomic_load(&countdown);

	while (now && !atomic_compare_exchange_weak(&countdown, &now, now - 1))
		;
	if (now != 1)
		return false;
	atomic_store(&hit, true);
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}
