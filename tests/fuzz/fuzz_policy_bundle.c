/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes bundles (libFuzzer): parts lie in the text, in any damaged bundle too; what is put in is
 * found again and leaves the others alone; what is taken out is gone; the practice parser takes
 * every bundle, and a bundle that it accepts holds each part once, in order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/bundle.h"
#include "policy/practice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* How many parts there are; each lies within the text, behind the one before it. */
static size_t parts(const char *text, size_t len, int ordered)
{
	struct policy_bundle_part part, before = {.text = NULL};
	size_t at = 0, n = 0;

	while (policy_bundle_next(text, len, &at, &part)) {
		require(part.text >= text && part.len <= (size_t)(text + len - part.text));
		require(!n || part.text > before.text + before.len);
		require((part.name[0] == '\0') == (n == 0));
		require(!n || policy_name_check(part.name));
		require(policy_bundle_check(part.text, part.len));
		if (ordered && n > 1)
			require(strcmp(before.name, part.name) < 0);
		before = part;
		n++;
	}
	return n;
}

/* Puts the text in under that name, finds it, takes it out again. */
static void put_and_take(const char *text, size_t len, const char *name, const char *mine,
			 size_t mine_len)
{
	struct policy_bundle_part part;
	size_t n = parts(text, len, 0), all = 0, left = 0;
	int had = policy_bundle_find(text, len, name, &part);
	char *with = policy_bundle_put(text, len, name, mine, mine_len, &all), *without;

	if (!with) {
		require(errno == EINVAL || errno == ENOSPC);
		require(errno != EINVAL || !policy_bundle_check(mine, mine_len) ||
			(*name && !policy_name_check(name)));
		return;
	}
	require(parts(with, all, 0) == n + !had || had);
	require(policy_bundle_find(with, all, name, &part));
	/* Where another part follows, the text got an end of line. */
	require(part.len >= mine_len && part.len <= mine_len + 1);
	require(!mine_len || !memcmp(part.text, mine, mine_len));
	without = *name ? policy_bundle_put(with, all, name, NULL, 0, &left) : NULL;
	if (without)
		require(!policy_bundle_find(without, left, name, &part));
	else
		require(!*name);
	free(without);
	free(with);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"", "a", "north", "zz", "No"};
	struct policy_practice *p = NULL;
	struct policy_report *report = NULL;
	const char *text, *end;
	size_t len, rest;
	int rc;

	if (!size || policy_report_new(&report))
		return 0;
	text = (const char *)data + 1;
	end = memchr(text, 0xff, size - 1);
	len = end ? (size_t)(end - text) : size - 1;
	rest = end ? size - 2 - len : 0;
	parts(text, len, 0);
	put_and_take(text, len, names[data[0] % 5], end ? end + 1 : "", rest);
	rc = policy_practice_parse(text, len, "p", report, &p);
	require(rc == 0 || rc == -EINVAL);
	require((rc == 0) == (policy_report_count(report) == 0));
	if (!rc)
		parts(text, len, 1);
	policy_practice_put(p);
	policy_report_free(report);
	return 0;
}
