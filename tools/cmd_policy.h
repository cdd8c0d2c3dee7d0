/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_policy.h - the sub-commands of `policy`: each in the table of cmd_policy.c.
 *
 * Called with what follows the sub-command, and the right number of it, connected
 * (but for test, which may do without a daemon). They return exit statuses.
 */
#ifndef TOOLS_CMD_POLICY_H
#define TOOLS_CMD_POLICY_H

#include "client.h"
#include "tool.h"

typedef int (*tool_policy_fn)(struct tool_options *o, struct client *cl, int argc, char **argv);

int tools_policy_edit(struct tool_options *o, struct client *cl, int argc, char **argv);
int tools_policy_diff(struct tool_options *o, struct client *cl, int argc, char **argv);
int tools_policy_log(struct tool_options *o, struct client *cl, int argc, char **argv);
int tools_policy_explain(struct tool_options *o, struct client *cl, int argc, char **argv);
int tools_policy_test(struct tool_options *o, struct client *cl, int argc, char **argv);
int tools_policy_status(struct tool_options *o, struct client *cl, int argc, char **argv);
int tools_policy_review(struct tool_options *o, struct client *cl, int argc, char **argv);

/* The moment of --at, 0 without; -EINVAL after saying what a time is. */
int tools_policy_moment(const struct tool_options *o, json_int_t *at_s);
/* A version's number; -EINVAL after saying so. NULL is 0. */
int tools_policy_version(const char *text, json_int_t *out);

#endif
