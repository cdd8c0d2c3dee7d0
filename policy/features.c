/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/features.c - the table of what is built. Turn a line to true in the change that
 * brings its effect, and say so in LANGUAGE.md.
 */
#include "features.h"

#include <string.h>

static struct {
	const char *name;
	const char *remedy;
	bool built;
} table[POLICY_FEATURE_COUNT] = {
	[POLICY_FEATURE_SESSION_IDLE] = {"session idle", "`idle` and its value", true},
	[POLICY_FEATURE_SESSION_CEILING] = {"session ceiling", "`ceiling` and its value", true},
	[POLICY_FEATURE_SECOND_FACTOR] = {"session second-factor", "`second-factor required`",
					  true},
	[POLICY_FEATURE_PASSPHRASE_AGE] = {"session passphrase-age",
					   "`passphrase-age` and its value", true},
	[POLICY_FEATURE_BREAK_GLASS] = {"break-glass", "the line", true},
	[POLICY_FEATURE_FINALIZE_AFTER] = {"finalize after", "the line", true},
	[POLICY_FEATURE_FINALIZE_READ_ONLY] = {"finalize on read-only", "the line", true},
	[POLICY_FEATURE_RETENTION] = {"retention", "the line", false},
	[POLICY_FEATURE_LOG_STRICT] = {"log strict", "the line", true},
	[POLICY_FEATURE_DURABILITY_CLOSE] = {"durability close", "the line", true},
	[POLICY_FEATURE_PROGRAM_DENY] = {"program deny", "the line", true},
	[POLICY_FEATURE_HOLD] = {"hold", "the line", true},
};

bool policy_feature_built(enum policy_feature feature)
{
	return feature >= POLICY_FEATURE_COUNT || table[feature].built;
}

const char *policy_feature_name(enum policy_feature feature)
{
	return feature < POLICY_FEATURE_COUNT ? table[feature].name : "";
}

const char *policy_feature_remedy(enum policy_feature feature)
{
	return feature < POLICY_FEATURE_COUNT ? table[feature].remedy : "";
}

bool policy_feature_set(const char *name, bool built)
{
	for (unsigned i = 0; i < POLICY_FEATURE_COUNT; i++) {
		if (strcmp(table[i].name, name))
			continue;
		table[i].built = built;
		return true;
	}
	return false;
}
