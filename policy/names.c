/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/names.c - the form of names, an open-addressed index, and edit distance.
 *
 * Invariants of the index: size is a power of two and at least twice used, so a
 * probe always ends at a free slot; equality is decided by the name, never by the
 * hash alone.
 */
#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool policy_name_check(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > POLICY_NAME_MAX || !alphanumeric(name[0]))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!alphanumeric(name[i]) && !strchr("._-", name[i]))
			return false;
	return true;
}

/* FNV-1a, then mixed so that the low bits depend on all of it. */
uint32_t policy_name_hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	h ^= h >> 16;
	h *= 0x7feb352du;
	return h ^ h >> 15;
}

/* The slot of the name, or the free one where it belongs. size is not 0. */
static struct policy_index_slot *probe(const struct policy_index *ix, const char *name,
				       uint32_t hash)
{
	for (uint32_t i = hash;; i++) {
		struct policy_index_slot *s = &ix->slot[i & (ix->size - 1)];

		if (!s->name || (s->hash == hash && !strcmp(s->name, name)))
			return s;
	}
}

static int grow(struct policy_index *ix)
{
	struct policy_index bigger = {.size = ix->size ? ix->size * 2 : 16, .used = ix->used};

	bigger.slot = calloc(bigger.size, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (uint32_t i = 0; i < ix->size; i++)
		if (ix->slot[i].name)
			*probe(&bigger, ix->slot[i].name, ix->slot[i].hash) = ix->slot[i];
	free(ix->slot);
	*ix = bigger;
	return 0;
}

int policy_index_put(struct policy_index *ix, const char *name, uint32_t number)
{
	uint32_t hash = policy_name_hash(name);
	struct policy_index_slot *s;

	if (ix->used * 2 >= ix->size) {
		int rc = grow(ix);

		if (rc)
			return rc;
	}
	s = probe(ix, name, hash);
	if (s->name)
		return -EEXIST;
	*s = (struct policy_index_slot){.name = name, .hash = hash, .number = number};
	ix->used++;
	return 0;
}

int64_t policy_index_find(const struct policy_index *ix, const char *name)
{
	const struct policy_index_slot *s;

	if (!ix->size)
		return -1;
	s = probe(ix, name, policy_name_hash(name));
	return s->name ? (int64_t)s->number : -1;
}

void policy_index_clear(struct policy_index *ix)
{
	free(ix->slot);
	*ix = (struct policy_index){0};
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbors) from a to b; limit + 1 when more. */
static unsigned edits(const char *a, const char *b, unsigned limit)
{
	unsigned row[3][POLICY_NAME_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > POLICY_NAME_MAX || lb > POLICY_NAME_MAX || la > lb + limit || lb > la + limit)
		return limit + 1;
	for (size_t j = 0; j <= lb; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *upper = row[(i + 1) % 3];
		unsigned lowest;

		lowest = now[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			now[j] = least(least(up[j], now[j - 1]) + 1,
				       up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], upper[j - 2] + 1);
			lowest = least(lowest, now[j]);
		}
		if (lowest > limit)
			return limit + 1;
	}
	return row[la % 3][lb];
}

void policy_suggest_init(struct policy_suggest *s, const char *word)
{
	/* Two edits make any two words of three letters alike. */
	*s = (struct policy_suggest){.word = word, .distance = strlen(word) < 4 ? 2 : 3};
}

void policy_suggest_try(struct policy_suggest *s, const char *candidate)
{
	unsigned d;

	if (!s->distance)
		return;
	d = edits(s->word, candidate, s->distance - 1);
	if (d < s->distance) {
		s->distance = d;
		s->best = candidate;
	}
}

const char *policy_suggest_text(const struct policy_suggest *s, char out[static 128])
{
	out[0] = '\0';
	if (s->best)
		snprintf(out, 128, ": did you mean `%s`?", s->best);
	return out;
}
