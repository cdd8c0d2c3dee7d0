/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/features.h - which statements of the language have their effect in this version.
 *
 * The parser knows the whole language. A statement whose effect is not built is
 * parsed to its end and then refused by name: a rule that somebody wrote down and
 * that nobody keeps would be worse than an error.
 */
#ifndef POLICY_FEATURES_H
#define POLICY_FEATURES_H

#include <stdbool.h>

enum policy_feature {
	POLICY_FEATURE_SESSION_IDLE,
	POLICY_FEATURE_SESSION_CEILING,
	POLICY_FEATURE_SECOND_FACTOR,
	POLICY_FEATURE_PASSPHRASE_AGE,
	POLICY_FEATURE_BREAK_GLASS,
	POLICY_FEATURE_FINALIZE_AFTER,
	POLICY_FEATURE_FINALIZE_READ_ONLY,
	POLICY_FEATURE_RETENTION,
	POLICY_FEATURE_LOG_STRICT,
	POLICY_FEATURE_DURABILITY_CLOSE,
	POLICY_FEATURE_PROGRAM_DENY,
	POLICY_FEATURE_HOLD,
	POLICY_FEATURE_COUNT,
	POLICY_FEATURE_ALWAYS = POLICY_FEATURE_COUNT, /* part of every version */
};

bool policy_feature_built(enum policy_feature feature);
/* As in the text: "session idle". */
const char *policy_feature_name(enum policy_feature feature);
/* What to take out of the text: "`idle` and its value", "the line". */
const char *policy_feature_remedy(enum policy_feature feature);
/*
 * For tests of the parser: pretends that a feature (by name) is built or is not. False when there
 * is none of that name. Not for use while another thread parses.
 */
bool policy_feature_set(const char *name, bool built);

#endif
