/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/usage.h - who used which journal last and how often: written by an auditor, read by the
 * access review.
 *
 * A steward who reviews access may not read the access log. What an auditor takes
 * out of it for the review is one JSON object: {"journalfs_usage": 1, "since_s",
 * "made_s", "uses": [{"who", "index", "journal", "last_s", "count"}]}, no notes and
 * nothing of what was done.
 */
#ifndef TOOLS_USAGE_H
#define TOOLS_USAGE_H

#include "../policy/record.h"
#include "client.h"

struct usage;
/* Gathering: since_s is when the records begin, 0 with the log. NULL: memory is short. */
struct usage *tools_usage_new(int64_t since_s);
/* Counts a record that is a use of a journal. 0; memory that is short is told by print. */
int tools_usage_add(struct usage *u, const struct policy_record *r);
/* The object on standard output. TOOL_OK, TOOL_FAILED after a message. */
int tools_usage_print(struct usage *u);
/* -EINVAL or another errno after saying what is wrong with the file. */
int tools_usage_read(const char *path, struct usage **out);
void tools_usage_free(struct usage *u);
int64_t tools_usage_since(const struct usage *u); /* 0: since the log began */
int64_t tools_usage_made(const struct usage *u);
/* False: not once. */
bool tools_usage_find(const struct usage *u, const char *who, int64_t index, int64_t *last_s,
		      int64_t *count);
/* How many journals that practitioner used. */
size_t tools_usage_journals(const struct usage *u, const char *who);

#endif
