/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/bundle.c - several policy files as one text.
 *
 * Invariant: what policy_bundle_put returns is read back by policy_bundle_next as
 * the same parts in the order of their names.
 */
#include "bundle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARK "%part "
#define MARK_LEN (sizeof(MARK) - 1)

/* Where the next line that begins with the mark starts, from `at` (a line's start); len: nowhere. */
static size_t mark_find(const char *p, size_t len, size_t at)
{
	while (at < len) {
		const char *end;

		if (len - at >= MARK_LEN - 1 && !memcmp(p + at, MARK, MARK_LEN - 1))
			return at;
		end = memchr(p + at, '\n', len - at);
		at = end ? (size_t)(end - p) + 1 : len;
	}
	return len;
}

bool policy_bundle_check(const char *text, size_t len)
{
	return mark_find(text, len, 0) == len;
}

/* Takes the line of the mark; *at moves to the text behind it. */
static bool head_take(const char *p, size_t len, size_t *at, char name[static POLICY_NAME_MAX + 1])
{
	size_t from = *at + MARK_LEN;
	const char *end;

	if (len - *at < MARK_LEN || memcmp(p + *at, MARK, MARK_LEN))
		return false;
	end = memchr(p + from, '\n', len - from);
	if (!end || (size_t)(end - p) - from > POLICY_NAME_MAX)
		return false;
	memcpy(name, p + from, (size_t)(end - p) - from);
	name[(size_t)(end - p) - from] = '\0';
	*at = (size_t)(end - p) + 1;
	return policy_name_check(name);
}

bool policy_bundle_next(const char *bundle, size_t len, size_t *at, struct policy_bundle_part *out)
{
	size_t from = *at, end;

	/* SIZE_MAX: the end was reached; 0 is the beginning, also of an empty text. */
	if (from == (size_t)-1)
		return false;
	out->name[0] = '\0';
	if (from && !head_take(bundle, len, &from, out->name))
		return false;
	end = mark_find(bundle, len, from);
	/* A bundle that begins with a mark has an empty first text. */
	out->text = bundle + from;
	out->len = end - from;
	if (end == len)
		*at = (size_t)-1;
	else
		*at = end ? end : (size_t)-1;
	return true;
}

bool policy_bundle_find(const char *bundle, size_t len, const char *name,
			struct policy_bundle_part *out)
{
	size_t at = 0;

	while (policy_bundle_next(bundle, len, &at, out))
		if (!strcmp(out->name, name))
			return true;
	return false;
}

bool policy_bundle_whole(const char *bundle, size_t len)
{
	char last[POLICY_NAME_MAX + 1] = "";
	struct policy_bundle_part part;
	size_t at = 0, n = 0;

	for (; policy_bundle_next(bundle, len, &at, &part); n++) {
		if (n && strcmp(last, part.name) >= 0)
			return false;
		memcpy(last, part.name, sizeof(last));
	}
	return at == (size_t)-1 && n <= POLICY_BUNDLE_PARTS + 1;
}

struct writer {
	char *p;
	size_t len;
};

static void put_part(struct writer *w, const char *name, const char *text, size_t len)
{
	if (*name) {
		/* The first text is never without a line: its end is where the first mark is. */
		if (!w->len || w->p[w->len - 1] != '\n')
			w->p[w->len++] = '\n';
		memcpy(w->p + w->len, MARK, MARK_LEN);
		w->len += MARK_LEN;
		memcpy(w->p + w->len, name, strlen(name));
		w->len += strlen(name);
		w->p[w->len++] = '\n';
	}
	if (len)
		memcpy(w->p + w->len, text, len);
	w->len += len;
}

char *policy_bundle_put(const char *bundle, size_t len, const char *name, const char *text,
			size_t text_len, size_t *out_len)
{
	struct policy_bundle_part part;
	size_t at = 0, parts = 0;
	struct writer w = {NULL, 0};
	bool done = false, found = false;

	if ((*name && !policy_name_check(name)) || (!*name && !text) ||
	    (text && !policy_bundle_check(text, text_len))) {
		errno = EINVAL;
		return NULL;
	}
	while (policy_bundle_next(bundle, len, &at, &part))
		parts++;
	w.p = malloc(len + text_len + MARK_LEN + POLICY_NAME_MAX + parts + 8);
	if (!w.p)
		return NULL;
	for (at = 0; policy_bundle_next(bundle, len, &at, &part);) {
		int cmp = strcmp(part.name, name);

		if (!done && cmp > 0) {
			if (text)
				put_part(&w, name, text, text_len);
			done = true;
		}
		if (cmp) {
			put_part(&w, part.name, part.text, part.len);
			continue;
		}
		/* Once only, also where a damaged bundle has the part twice or out of order. */
		if (text && !done)
			put_part(&w, name, text, text_len);
		found = done = true;
	}
	if (!done && text)
		put_part(&w, name, text, text_len);
	if ((!text && !found) || (text && !found && parts > POLICY_BUNDLE_PARTS)) {
		free(w.p);
		errno = text ? ENOSPC : ENOENT;
		return NULL;
	}
	w.p[w.len] = '\0';
	*out_len = w.len;
	return w.p;
}
