/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit.c - the table of `journalfs audit` commands.
 */
#include <stdio.h>
#include <string.h>
#include "audit_out.h"
#include "cmd_audit.h"

struct audit_command {
	const char *name;
	tool_verb_fn run;
	int min_args, max_args; /* behind the command's name */
};

static const struct audit_command commands[] = {
	{ "anchor", tools_cmd_audit_anchor, 0, 0 },
	{ "archive", tools_cmd_audit_archive, 0, 0 },
	{ "check-proof", tools_cmd_audit_check_proof, 1, 2 },
	{ "copy", tools_cmd_audit_copy, 1, 1 },
	{ "incident", tools_cmd_audit_incident, 0, 0 },
	{ "key", tools_cmd_audit_key, 2, 2 },
	{ "patient", tools_cmd_audit_patient, 1, 1 },
	{ "practitioner", tools_cmd_audit_practitioner, 1, 1 },
	{ "prove", tools_cmd_audit_prove, 0, 1000 },
	{ "publish", tools_cmd_audit_publish, 1, 1 },
	{ "replay", tools_cmd_audit_replay, 0, 0 },
	{ "report", tools_cmd_audit_report, 0, 0 },
	{ "sample", tools_cmd_audit_sample, 0, 0 },
	{ "show", tools_cmd_audit_show, 0, 0 },
	{ "state", tools_cmd_audit_state, 0, 0 },
	{ "unusual", tools_cmd_audit_unusual, 0, 0 },
	{ "usage", tools_cmd_audit_usage, 0, 0 },
	{ "verify", tools_cmd_audit_verify, 0, 0 },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int unknown(const char *name)
{
	char list[512] = "";
	size_t n = 0;

	for (size_t i = 0; i < COMMANDS && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "",
				      commands[i].name);
	return tools_usage("`audit %s` is not known; there are: %s", name, list);
}

int tools_cmd_audit(struct tool_options *o, int argc, char **argv)
{
	int rc;

	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, argv[0]))
			continue;
		if (argc - 1 < commands[i].min_args || argc - 1 > commands[i].max_args)
			return tools_usage("`audit %s` takes %s", argv[0],
					   !commands[i].max_args	? "no argument"
					   : commands[i].max_args == 1 ? "an argument"
								       : "other arguments");
		if (tools_audit_out_check(o))
			return TOOL_USAGE;
		rc = commands[i].run(o, argc, argv);
		return rc < 0 ? TOOL_FAILED : rc; /* an errno is no exit status */
	}
	return unknown(argv[0]);
}
