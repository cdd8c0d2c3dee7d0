/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_memory.h - stands in for malloc, so that a test can let its nth allocation
 * fail and count what was not given back. A sanitizer has its own malloc: there nothing fails.
 */
#ifndef TEST_POLICY_MEMORY_H
#define TEST_POLICY_MEMORY_H

#include <stdbool.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define OWN_MALLOC 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define OWN_MALLOC 0
#endif
#ifndef OWN_MALLOC
#define OWN_MALLOC 1
#endif

static unsigned fail_at; /* 0: never */
static unsigned asked;
static long held; /* blocks taken and not given back while counting */
static bool counting;

#if OWN_MALLOC
static bool refuse(void)
{
	return counting && fail_at && ++asked == fail_at;
}

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void __libc_free(void *p);

void *malloc(size_t n)
{
	if (refuse())
		return NULL;
	held += counting;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	if (refuse())
		return NULL;
	held += counting;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	if (refuse())
		return NULL;
	held += counting && !p;
	return __libc_realloc(p, n);
}

void free(void *p)
{
	held -= counting && p;
	__libc_free(p);
}
#endif

/* The nth allocation from now on fails; 0: none. */
static void memory_begin(unsigned n)
{
	fail_at = n;
	asked = 0;
	held = 0;
	counting = true;
}

/* Blocks that were taken since and not given back. */
static long memory_end(void)
{
	counting = false;
	return held;
}

#endif
