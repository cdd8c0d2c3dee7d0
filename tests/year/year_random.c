/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_random.c - numbers drawn from a seed (SplitMix64), and memory that lives until
 * the day after.
 *
 * Owns the chunks of texts. Every clinic, and every misuse in it, draws from a state of its own:
 * what one does moves nothing of the others.
 */
#include "year_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)256 << 10)

uint64_t year_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t year_below(uint64_t *state, uint32_t n)
{
	return n ? (uint32_t)(year_random(state) >> 32) % n : 0;
}

bool year_chance(uint64_t *state, uint32_t per_thousand)
{
	return year_below(state, 1000) < per_thousand;
}

uint32_t year_weighed(struct year_clinic *c)
{
	return c->by_weight[year_below(&c->random, (uint32_t)c->weighed)];
}

void *year_keep(struct year *y, size_t len)
{
	struct year_chunk *k = y->texts[0];
	void *p;

	len = (len + 15) & ~(size_t)15;
	if (!k || k->cap - k->used < len) {
		k = calloc(1, sizeof(*k) + CHUNK + len);
		if (!k) {
			y->failed = true;
			return NULL;
		}
		k->cap = CHUNK + len;
		k->next = y->texts[0];
		y->texts[0] = k;
	}
	p = k->p + k->used;
	k->used += len;
	return p;
}

const char *year_format(struct year *y, const char *fmt, ...)
{
	char text[1024], *kept;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	kept = year_keep(y, strlen(text) + 1);
	if (!kept)
		return "";
	memcpy(kept, text, strlen(text) + 1);
	return kept;
}

void year_list_add(struct year *y, struct year_list *l, struct year_visit v)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 16;
		struct year_visit *more = reallocarray(l->v, cap, sizeof(*more));

		if (!more) {
			y->failed = true;
			return;
		}
		l->v = more;
		l->cap = cap;
	}
	l->v[l->n++] = v;
}
