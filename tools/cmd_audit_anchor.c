/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_anchor.c - audit anchor: the newest checkpoint, to be kept where nobody who could
 * change the log reaches: on paper, by mail, with a witness.
 *
 * The log is verified first: a checkpoint of a damaged log vouches for nothing. The text is the
 * signed note alone, so that it can be given to a witness as it is; the stable key's line ("vkey")
 * is what a witness or `audit check-proof --key` is configured with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "audit_whole.h"
#include "cmd_audit.h"
#include "new_file.h"
#include "qr.h"

static int write_text(const char *path, const char *text)
{
	struct tools_new_file f = {0};

	if (tools_new_file_open(&f, path))
		return TOOL_FAILED;
	fputs(text, f.to);
	return tools_new_file_commit(&f);
}

static int print_json(const struct fs_log_verified *v, const char *vkey)
{
	char id[2 * KEYS_VAULT_ID_LEN + 1];
	json_t *j;

	tools_conf_hex(v->vault, sizeof(v->vault), id);
	j = json_pack("{s:s, s:s, s:I, s:s, s:s}", "kind", "anchor", "vault", id, "records",
		      (json_int_t)v->sealed, "checkpoint", v->checkpoint, "vkey", vkey);
	if (!j || json_dumpf(j, stdout, JSON_COMPACT) || puts("") < 0) {
		json_decref(j);
		return tools_fail("the output could not be written");
	}
	json_decref(j);
	return TOOL_OK;
}

static int print(const struct tool_options *o, const struct fs_log_verified *v, const char *vkey)
{
	if (o->json)
		return print_json(v, vkey);
	if (!o->to)
		fputs(v->checkpoint, stdout);
	/* A pipe gets the checkpoint and nothing else. */
	if (isatty(STDOUT_FILENO) && tools_qr_print(stdout, v->checkpoint))
		fputs("(too long for a QR code)\n", stdout);
	if (o->to)
		printf("The checkpoint over %llu records is in %s. Keep it where nobody who could "
		       "change "
		       "the log reaches.\n",
		       (unsigned long long)v->sealed, o->to);
	if (o->to || isatty(STDOUT_FILENO))
		printf("For a witness: %s\n", vkey);
	return fflush(stdout) ? tools_fail("the output could not be written") : TOOL_OK;
}

static int anchor(const struct tool_options *o, const struct audit_whole *w)
{
	const struct fs_log_verified *v = &w->v;
	char vkey[AUDIT_VKEY];

	if (v->alarms)
		return tools_fail(
			"the access log is not whole, and its checkpoint would vouch for it: "
			"see `journalfs audit verify`");
	if (!v->checkpoint[0])
		return tools_fail(
			"there is no checkpoint yet: the daemon makes one within a minute of "
			"work, and when it stops");
	tools_audit_vkey(v->vault, v->witness_pk, vkey);
	if (o->to && write_text(o->to, v->checkpoint))
		return TOOL_FAILED;
	return print(o, v, vkey);
}

int tools_cmd_audit_anchor(struct tool_options *o, int argc, char **argv)
{
	struct audit_source *s;
	struct audit_whole w = {0};
	int rc;

	(void)argc;
	(void)argv;
	if (o->csv || o->fhir || o->html)
		return tools_usage("a checkpoint is text; --json is the only other form");
	s = tools_audit_open(o);
	if (!s)
		return TOOL_FAILED;
	rc = tools_audit_whole(s, o, &w);
	if (!rc)
		rc = anchor(o, &w);
	if (!rc)
		tools_audit_whole_remember(&w);
	tools_audit_whole_clear(&w);
	tools_audit_close(s);
	return rc;
}
