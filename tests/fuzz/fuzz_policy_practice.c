/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes the practice policy's parser (libFuzzer). What parses must answer lookups; what does not
 * must say why. The first byte chooses which statements count as built.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/features.h"
#include "policy/practice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* What the text says of notes: one way to keep versions at most, a pattern with the name. */
static void settings(const struct policy_practice *p)
{
	static const char *const names[] = {"", "note.odt", "aaaaaaaaaaaaaaaaaaaaaaaab", "\xff~"};
	const struct policy_settings *s = policy_practice_settings(p);
	struct policy_keep keep;

	require(s->ceiling_s <= 24 * 3600);
	require(strstr(s->amendment, "%n") && !strchr(s->amendment, '/'));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		policy_practice_keep(p, names[i], &keep);
		require(keep.none + (keep.count > 0) + (keep.span_s > 0) <= 1);
		require(!s->history_off || keep.none);
		require(s->history_off || !keep.record || !keep.none);
	}
	for (size_t i = 0; i < policy_practice_count(p); i++)
		(void)policy_practice_countersigns(p, policy_practice_at(p, i)->role->name);
	for (size_t i = 0; i < policy_practice_count(p); i++)
		(void)policy_practice_kin(p, policy_practice_at(p, i)->name, names[i % 4]);
	for (unsigned day = 0; !policy_practice_has_hours(p) && day < 7; day++)
		require(!policy_practice_works(p, day, day * 200));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy_practice *p = NULL;
	struct policy_report *report = NULL;
	int rc;

	if (!size || policy_report_new(&report))
		return 0;
	for (unsigned i = 0; i < POLICY_FEATURE_COUNT; i++)
		policy_feature_set(policy_feature_name(i),
				   data[0] & 1 || !(data[0] >> (i % 8) & 1));
	rc = policy_practice_parse((const char *)data + 1, size - 1, "p", report, &p);
	require(rc == 0 || rc == -EINVAL);
	require((rc == 0) == (policy_report_count(report) == 0));
	require((rc == 0) == (p != NULL));
	for (size_t i = 0; p && i < policy_practice_count(p); i++) {
		const struct policy_practitioner *who = policy_practice_at(p, i);

		require(policy_practice_find(p, who->name) == who);
		require(policy_practice_role(p, who->role->name) == who->role);
		require(!who->unit || policy_practice_unit(p, who->unit->name) == who->unit);
		require(who->from_s < who->until_s);
	}
	if (p)
		settings(p);
	policy_practice_put(p);
	policy_report_free(report);
	return 0;
}
