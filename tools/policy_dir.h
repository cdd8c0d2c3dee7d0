/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/policy_dir.h - a directory of policy texts: DIR/practice.policy, DIR/practice.d/NAME.policy,
 * DIR/journals/NAME.policy; and expected decisions judged by it, without any vault.
 */
#ifndef TOOLS_POLICY_DIR_H
#define TOOLS_POLICY_DIR_H

#include <stdint.h>

struct policy_dir;
struct policy_practice;
struct policy_journal;

/* Reads and parses all of it; prints every error. 0, or -1 after saying why. */
int tools_policy_dir_read(const char *path, struct policy_dir **out);
void tools_policy_dir_free(struct policy_dir *d);
/* What was read, as long as d lives; the journal by its name, NULL: the directory has none. */
const struct policy_practice *tools_policy_dir_parsed(const struct policy_dir *d);
const struct policy_journal *tools_policy_dir_journal(const struct policy_dir *d, const char *name);
/* The practice's policy with all its parts as one text, which the caller frees; NULL after saying why. */
char *tools_policy_dir_practice(const char *path);

struct policy_dir_tested {
	unsigned total, failed;
};
/* Judges the expectations in the file, at now_s where they name no time; prints those that fail. */
int tools_policy_dir_test(const struct policy_dir *d, const char *file, int64_t now_s,
			  struct policy_dir_tested *out);

#endif
