/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_verify.c - audit verify: is the access log whole?
 *
 * Needs no key and no session: an operator runs it on VAULT/log. Exit status 0 whole, 1 not whole
 * or not verified. Says what was verified, what was found, oldest record first, and what nobody can
 * know from this log alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../policy/span.h"
#include "audit_out.h"
#include "audit_whole.h"
#include "cmd_audit.h"
#include "kept.h"

static const struct audit_column finding_columns[] = {
	{"what", "what", AUDIT_TEXT},		{"alarm", "alarm", AUDIT_TEXT},
	{"first", "first", AUDIT_NUMBER},	{"last", "last", AUDIT_NUMBER},
	{"segment", "segment", AUDIT_NUMBER},	{"after", "after", AUDIT_TIME},
	{"what was found", "text", AUDIT_TEXT},
};

static const struct audit_column verified_columns[] = {
	{"whole", "whole", AUDIT_TEXT},	      {"vault", "vault", AUDIT_TEXT},
	{"records", "records", AUDIT_NUMBER}, {"sealed", "sealed", AUDIT_NUMBER},
	{"bytes", "bytes", AUDIT_NUMBER},     {"segments", "segments", AUDIT_NUMBER},
	{"streams", "streams", AUDIT_NUMBER}, {"checkpoints", "checkpoints", AUDIT_NUMBER},
	{"keys", "keys", AUDIT_NUMBER},	      {"alarms", "alarms", AUDIT_NUMBER},
	{"notes", "notes", AUDIT_NUMBER},     {"kept", "kept", AUDIT_NUMBER},
	{"root", "root", AUDIT_TEXT},	      {"root key", "root_key", AUDIT_TEXT},
};
#define COLUMNS(c) (sizeof(c) / sizeof((c)[0]))

static void put_row(struct audit_out *out, const struct audit_whole *w)
{
	const struct fs_log_verified *v = &w->v;
	char vault[2 * KEYS_VAULT_ID_LEN + 1], root[2 * KEYS_LEN + 1], key[2 * KEYS_LEN + 1];
	const struct audit_cell cells[] = {
		{.text = v->alarms ? "no" : "yes"},
		{.text = vault},
		{.number = (int64_t)v->records},
		{.number = (int64_t)v->sealed},
		{.number = (int64_t)v->bytes},
		{.number = (int64_t)v->segments},
		{.number = (int64_t)v->streams},
		{.number = (int64_t)v->checkpoints},
		{.number = (int64_t)v->keys},
		{.number = v->alarms},
		{.number = v->notes},
		{.number = w->kept},
		{.text = root},
		{.text = key},
	};

	_Static_assert(sizeof(cells) / sizeof(cells[0]) == COLUMNS(verified_columns),
		       "a cell each");
	tools_conf_hex(v->vault, sizeof(v->vault), vault);
	tools_conf_hex(v->root, sizeof(v->root), root);
	tools_conf_hex(v->root_pk, sizeof(v->root_pk), key);
	tools_audit_out_table(out, "verified", verified_columns, COLUMNS(verified_columns));
	tools_audit_out_row(out, cells);
}

static void put_findings(struct audit_out *out, const struct audit_whole *w)
{
	if (!w->findings)
		return;
	tools_audit_out_table(out, "finding", finding_columns, COLUMNS(finding_columns));
	for (size_t i = 0; i < w->findings; i++) {
		const struct fs_log_finding *f = &w->finding[i].f;
		const struct audit_cell cells[] = {
			{.text = fs_log_finding_text(f->kind)},
			{.text = f->kind < FS_LOG_NOTES ? "alarm" : ""},
			{.number = (int64_t)f->seq},
			{.number = (int64_t)f->last},
			{.number = (int64_t)f->segment},
			{.number = f->time_s * 1000000000},
			{.text = f->text},
		};

		tools_audit_out_row(out, cells);
	}
}

static void put_done(struct audit_out *out, const struct audit_whole *w)
{
	const struct fs_log_verified *v = &w->v;

	if (v->alarms)
		tools_audit_out_heading(out, "The access log is NOT whole");
	else
		tools_audit_out_heading(out, "The access log is whole");
	tools_audit_out_say(out,
			    "Records: %" PRIu64 ", in segments: %" PRIu64
			    " (%.1f MB), streams: %" PRIu64 ", checkpoints that hold: %" PRIu64
			    ", their keys: %" PRIu64 ". The newest covers %" PRIu64 " records.",
			    v->records, v->segments, (double)v->bytes / 1e6, v->streams,
			    v->checkpoints, v->keys, v->sealed);
	if (!v->alarms)
		tools_audit_out_say(
			out,
			"All that is under it is as it was sealed, in number and order; each key "
			"is certified by the one before it. What records say was not read.");
}

static void put_kept(struct audit_out *out, const struct audit_whole *w)
{
	char path[PATH_MAX];

	if (!w->kept) {
		tools_audit_out_say(
			out, "No checkpoint was kept to compare with: a log that was cut off at "
			     "its end, or written anew by who holds the daemon's keys, would look "
			     "the same. `journalfs audit anchor --to FILE` gives one to keep "
			     "elsewhere, for `audit verify --from FILE`.");
		return;
	}
	if (tools_kept_path(w->v.vault, path, sizeof(path)))
		path[0] = '\0';
	tools_audit_out_say(out, "Compared with %u kept checkpoint%s%s%s%s.", w->kept,
			    w->kept == 1 ? "" : "s",
			    w->remembered ? ", of which this account kept " : "",
			    w->remembered == 1	? "one: "
			    : w->remembered > 1 ? "two: "
						: "",
			    w->remembered ? path : "");
}

/* What this log alone can't tell. */
static void put_limits(struct audit_out *out, const struct audit_whole *w)
{
	char key[2 * KEYS_LEN + 1];

	put_kept(out, w);
	if (!w->root_known) {
		tools_conf_hex(w->v.root_pk, sizeof(w->v.root_pk), key);
		tools_audit_out_say(
			out,
			"Whose log it is, is what it says itself: root key %s. --root HASH "
			"compares.",
			key);
	}
	tools_audit_out_say(out,
			    "Records behind the newest checkpoint can still be forged by who holds "
			    "the daemon's keys; whether what was logged is true, no log can say.");
}

static int answer(const struct tool_options *o, const struct audit_whole *w)
{
	struct audit_out *out = tools_audit_out_open(o, "Is the access log whole?");
	bool table = o->json || o->csv;
	int rc;

	if (!out)
		return TOOL_FAILED;
	if (table)
		put_row(out, w);
	else
		put_done(out, w);
	put_findings(out, w);
	if (!table)
		put_limits(out, w);
	rc = tools_audit_out_close(out);
	return rc ? rc : w->v.alarms ? TOOL_FAILED : TOOL_OK;
}

static int skip(void *ctx, const struct policy_record *r)
{
	(void)ctx;
	(void)r;
	return 0;
}

/*
 * An auditor's key opens each record alone: reading all of them names the very ones that were
 * changed, where checkpoints only place them between two. Said on standard error as they are met.
 */
static void name_records(struct audit_source *s)
{
	const struct audit_filter all = {.purpose = "audit verify"};

	fputs("journalfs: records that the key does not open as they are:\n", stderr);
	if (!tools_audit_read(s, &all, skip, NULL) && !tools_audit_unread(s))
		fputs("journalfs: none; what was changed is not under this key\n", stderr);
}

int tools_cmd_audit_verify(struct tool_options *o, int argc, char **argv)
{
	struct audit_source *s = tools_audit_open(o);
	struct audit_whole w = {0};
	int rc;

	(void)argc;
	(void)argv;
	if (!s)
		return TOOL_FAILED;
	rc = tools_audit_whole(s, o, &w);
	if (!rc && w.v.alarms && o->key)
		name_records(s);
	if (!rc)
		rc = answer(o, &w);
	if (!rc)
		tools_audit_whole_remember(&w);
	tools_audit_whole_clear(&w);
	tools_audit_close(s);
	return rc;
}
