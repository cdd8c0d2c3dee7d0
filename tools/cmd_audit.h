/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit.h - the commands behind `journalfs audit`; each returns an exit status.
 *
 * One file cmd_audit_<name>.c each; the table stands in cmd_audit.c. argv[0] is the command's name.
 */
#ifndef TOOLS_CMD_AUDIT_H
#define TOOLS_CMD_AUDIT_H

#include "tool.h"

/* Whole? (cmd_audit_verify.c, cmd_audit_proof.c, cmd_audit_publish.c) */
int tools_cmd_audit_verify(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_anchor(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_prove(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_check_proof(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_publish(struct tool_options *o, int argc, char **argv);
/* Copies, keys, age (cmd_audit_copy.c, cmd_audit_key.c, cmd_audit_archive.c) */
int tools_cmd_audit_copy(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_key(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_archive(struct tool_options *o, int argc, char **argv);
/* What happened (cmd_audit_show.c, cmd_audit_replay.c, cmd_audit_state.c) */
int tools_cmd_audit_show(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_usage(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_replay(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_state(struct tool_options *o, int argc, char **argv);
/* Questions (cmd_audit_patient.c ...) */
int tools_cmd_audit_patient(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_practitioner(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_unusual(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_sample(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_incident(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit_report(struct tool_options *o, int argc, char **argv);

#endif
