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
	const char *usage, *purpose;
};

/* In the order in which an auditor meets them. */
#define PERIOD "[--since TIME] [--until TIME]"
#define OF "[--who NAME] [--journal NAME]"
static const struct audit_command commands[] = {
	{ "show", tools_cmd_audit_show, 0, 0,
	  "show " OF " [--grant NUMBER] " PERIOD " [--json | --csv | --fhir]", "the records, a line each" },
	{ "usage", tools_cmd_audit_usage, 0, 0, "usage " OF " " PERIOD, "who used which journal last" },
	{ "patient", tools_cmd_audit_patient, 1, 1,
	  "patient JOURNAL " PERIOD " [--all] [--json | --csv | --fhir | --html FILE]",
	  "the statement that a patient may get" },
	{ "practitioner", tools_cmd_audit_practitioner, 1, 1,
	  "practitioner NAME " PERIOD " [--json | --csv | --html FILE]",
	  "what somebody opened, with and without a care relationship" },
	{ "unusual", tools_cmd_audit_unusual, 0, 0,
	  "unusual " OF " " PERIOD " [--json | --csv | --html FILE]",
	  "what is worth asking about, with reasons" },
	{ "report", tools_cmd_audit_report, 0, 0, "report --html FILE " PERIOD,
	  "one page for a manager, with charts" },
	{ "sample", tools_cmd_audit_sample, 0, 0,
	  "sample --per-thousand N [--seed TEXT] " PERIOD " [--sign-off FINDINGS]",
	  "a random sample for the systematic review" },
	{ "incident", tools_cmd_audit_incident, 0, 0,
	  "incident [--practitioner NAME] [--session ID] [--journal NAME] --since TIME [--until TIME] [--from FILE] --to DIR",
	  "the pack for the report of a breach, with proofs" },
	{ "replay", tools_cmd_audit_replay, 0, 0,
	  "replay " OF " [--grant NUMBER] " PERIOD " [--speed N] [--decisions | --policy FILE]",
	  "what happened as a story; decisions judged again" },
	{ "state", tools_cmd_audit_state, 0, 0, "state [--at TIME] [--who NAME | --journal NAME]",
	  "who could see what, who was logged in" },
	{ "verify", tools_cmd_audit_verify, 0, 0, "verify [--log DIR] [--from FILE]... [--root HASH] [--json]",
	  "is the log whole?" },
	{ "anchor", tools_cmd_audit_anchor, 0, 0, "anchor [--to FILE] [--json]",
	  "a checkpoint for paper, mail or a witness" },
	{ "prove", tools_cmd_audit_prove, 0, 1000, "prove NUMBER... [--to FILE|DIR] | prove --from FILE [--to FILE]",
	  "that a record is in the log, or that the log only grew" },
	{ "check-proof", tools_cmd_audit_check_proof, 1, 2,
	  "check-proof FILE [--key VKEY] [--from FILE] [RECORD-FILE]", "is a proof good?" },
	{ "publish", tools_cmd_audit_publish, 1, 1, "publish DIR", "the log's hashes for anybody to monitor" },
	{ "key", tools_cmd_audit_key, 2, 2, "key export FILE " PERIOD " | key show FILE [--json]",
	  "what opens a copied log on another machine" },
	{ "copy", tools_cmd_audit_copy, 1, 1, "copy DIR [--since TIME]",
	  "the log as files, for --log DIR [--key FILE]" },
	{ "archive", tools_cmd_audit_archive, 0, 0, "archive [--before TIME] [--to DIR | --remove]",
	  "what is older than policy keeps" },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void list(FILE *to)
{
	fputs("journalfs audit COMMAND [OPTION...] [ARGUMENT...]\n\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-12s %s\n               %s\n", commands[i].name, commands[i].purpose,
			commands[i].usage);
	fputs("\nOn a copied log: --log DIR --key FILE with each. All of it: man journalfs\n", to);
}

static int run(const struct audit_command *c, struct tool_options *o, int argc, char **argv)
{
	int rc;

	if (argc - 1 < c->min_args || argc - 1 > c->max_args)
		return tools_usage("usage: journalfs audit %s", c->usage);
	if (tools_audit_out_check(o))
		return TOOL_USAGE;
	rc = c->run(o, argc, argv);
	return rc < 0 ? TOOL_FAILED : rc; /* an errno is no exit status */
}

int tools_cmd_audit(struct tool_options *o, int argc, char **argv)
{
	if (!argc) {
		list(stderr);
		return TOOL_USAGE;
	}
	if (!strcmp(argv[0], "help")) {
		list(stdout);
		return TOOL_OK;
	}
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!strcmp(commands[i].name, argv[0]))
			return run(&commands[i], o, argc, argv);
	}
	return tools_usage("`audit %s` is not known; `journalfs audit help` lists the commands", argv[0]);
}
