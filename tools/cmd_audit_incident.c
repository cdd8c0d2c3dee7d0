/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_incident.c - audit incident: what a report within 72 hours needs, as a directory
 * that can be handed on and checked elsewhere: who, which journals and notes, when, what left the
 * vault.
 *
 * The log is verified first; each record gets its proof against the last checkpoint that covers it.
 * What could not be had is said in README.txt and does not stop the pack.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../fs/log_segment.h"
#include "audit_ask.h"
#include "audit_out_impl.h"
#include "audit_whole.h"
#include "cmd_audit.h"
#include "incident.h"
#include "pack.h"
#include "when.h"

#define PROOFS_MOST 20000 /* files */

struct asked {
	const char *practitioner, *session, *journal;
};

struct packing {
	struct audit_ask ask;
	struct tools_pack pack;
	struct incident in;
	struct asked of;
	FILE *json_file, *csv_file, *text_file;
	struct audit_out *json, *csv, *text;
	struct fs_log_verified verified;
	char alarm[256]; /* the first */
	bool verify_ran;
	unsigned kept; /* checkpoints that the log was compared with */
	size_t proofs, uncovered;
	char no_proofs[200]; /* why there are none; "" there are */
	int proof_rc;
};

/* ---- records ---- */

/* The session's identifier, or its beginning. */
static bool of_session(const char *asked, const struct policy_record *r)
{
	char id[2 * sizeof(r->session) + 1];

	if (!asked)
		return true;
	for (size_t i = 0; i < sizeof(r->session); i++)
		snprintf(id + 2 * i, 3, "%02x", r->session[i]);
	return !strncasecmp(id, asked, strlen(asked));
}

static int record(void *ctx, const struct policy_record *r)
{
	struct packing *p = ctx;

	if (!of_session(p->of.session, r))
		return 0;
	tools_audit_out_record(p->json, r);
	tools_audit_out_record(p->csv, r);
	tools_audit_out_record(p->text, r);
	return tools_incident_add(&p->in, r);
}

static int form_end(struct packing *p, const char *name, FILE **file, struct audit_out **out)
{
	int rc = *out && tools_audit_out_end(*out) ? tools_fail("%s: %s", name, strerror(errno))
						   : TOOL_OK;

	*out = NULL;
	if (*file && tools_pack_done(&p->pack, name, *file))
		rc = TOOL_FAILED;
	*file = NULL;
	return rc;
}

static int form_begin(struct packing *p, const char *name, const struct audit_form *form,
		      const char *title, FILE **file, struct audit_out **out)
{
	*file = tools_pack_file(&p->pack, name);
	if (!*file)
		return TOOL_FAILED;
	*out = tools_audit_out_to(*file, form, title, false);
	if (!*out)
		return tools_fail("memory is short");
	tools_audit_out_vault(*out, tools_audit_vault(p->ask.s));
	return TOOL_OK;
}

static int records_write(struct packing *p)
{
	int rc =
		form_begin(p, "records.jsonl", &tools_audit_form_json, "", &p->json_file, &p->json);

	if (!rc)
		rc = form_begin(p, "records.csv", &tools_audit_form_csv, "", &p->csv_file, &p->csv);
	if (!rc)
		rc = form_begin(p, "records.txt", &tools_audit_form_text, "", &p->text_file,
				&p->text);
	if (!rc)
		rc = tools_audit_ask_read(&p->ask, &p->ask.f, record, p);
	if (form_end(p, "records.jsonl", &p->json_file, &p->json) && !rc)
		rc = TOOL_FAILED;
	if (form_end(p, "records.csv", &p->csv_file, &p->csv) && !rc)
		rc = TOOL_FAILED;
	if (form_end(p, "records.txt", &p->text_file, &p->text) && !rc)
		rc = TOOL_FAILED;
	if (!rc && !p->in.seqs)
		rc = tools_fail("no record of the log fits: look at the names and the times, as "
				"`journalfs audit show` takes them");
	return rc;
}

/* ---- the log itself, and proofs ---- */

static int proof(void *ctx, uint64_t seq, const uint8_t leaf[static KEYS_LEN],
		 const uint8_t *hashes, size_t count)
{
	struct packing *p = ctx;
	char *text = keys_proof_inclusion_text(seq - 1, hashes, count, p->verified.checkpoint);
	char name[64];
	FILE *file;

	(void)leaf;
	if (!text)
		return -ENOMEM;
	snprintf(name, sizeof(name), "proofs/%" PRIu64 ".tlog-proof", seq);
	file = tools_pack_file(&p->pack, name);
	if (file)
		fputs(text, file);
	free(text);
	if (!file || tools_pack_done(&p->pack, name, file))
		p->proof_rc = TOOL_FAILED;
	p->proofs += !p->proof_rc;
	return p->proof_rc ? -EIO : 0;
}

static int by_seq(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The stored, sealed bytes of those records in one segment, beside their proofs. */
static int bytes_of(struct packing *p, const uint8_t *bytes, size_t len, size_t n)
{
	struct fs_log_header header;
	struct fs_log_frame f;
	struct fs_log_walk w;
	int rc = TOOL_OK;

	if (len < FS_LOG_HEADER || fs_log_header_decode(bytes, &header))
		return TOOL_OK;
	fs_log_walk_init(&w, &header, bytes, len);
	while (!rc && fs_log_walk_next(&w, &f)) {
		char name[80];
		FILE *file;

		if (f.kind != FS_LOG_RECORD ||
		    !bsearch(&f.seq, p->in.seq, n, sizeof(f.seq), by_seq))
			continue;
		snprintf(name, sizeof(name), "proofs/%" PRIu64 ".tlog-proof.record", f.seq);
		file = tools_pack_file(&p->pack, name);
		if (file)
			fwrite(f.body, 1, f.len, file);
		rc = file ? tools_pack_done(&p->pack, name, file) : TOOL_FAILED;
	}
	return rc;
}

/* One pass over the log, which was proved whole up to here. */
static int bytes_write(struct packing *p, const struct fs_log_source *segments, size_t n)
{
	uint64_t *numbers = NULL;
	size_t count = 0;
	int rc = segments->list(segments->ctx, &numbers, &count);

	for (size_t i = 0; !rc && i < count; i++) {
		uint8_t *bytes = NULL;
		size_t len = 0;

		rc = segments->load(segments->ctx, numbers[i], &bytes, &len);
		if (!rc)
			rc = bytes_of(p, bytes, len, n);
		free(bytes);
	}
	free(numbers);
	return rc < 0 ? tools_fail("the log can't be read again: %s", strerror(-rc)) : rc;
}

/* How many of the records the checkpoint covers, and of how many proofs are made. */
static size_t covered(struct packing *p, uint64_t size)
{
	size_t n = 0;

	while (n < p->in.seqs && p->in.seq[n] <= size)
		n++;
	p->uncovered = p->in.seqs - n;
	return n < PROOFS_MOST ? n : PROOFS_MOST;
}

static int checkpoint_write(struct packing *p, struct keys_checkpoint *c)
{
	struct keys_signed_note note;
	FILE *file;

	if (!p->verified.checkpoint[0] ||
	    keys_signed_note_parse(p->verified.checkpoint, strlen(p->verified.checkpoint), &note) ||
	    keys_checkpoint_read(&note, c)) {
		snprintf(p->no_proofs, sizeof(p->no_proofs),
			 "the log has no checkpoint that could be verified");
		return TOOL_OK;
	}
	file = tools_pack_file(&p->pack, "checkpoint.txt");
	if (!file)
		return TOOL_FAILED;
	fputs(p->verified.checkpoint, file);
	return tools_pack_done(&p->pack, "checkpoint.txt", file);
}

/* Against the checkpoints that this account keeps and those of --from, as `audit verify` does it.
 */
static void verify(struct packing *p, const struct tool_options *o)
{
	struct audit_whole w;

	p->verify_ran = !tools_audit_whole(p->ask.s, o, &w);
	p->verified = w.v;
	p->kept = w.kept;
	for (size_t i = 0; i < w.findings && !p->alarm[0]; i++) {
		const struct fs_log_finding *f = &w.finding[i].f;

		if (f->kind < FS_LOG_NOTES)
			snprintf(p->alarm, sizeof(p->alarm), "%s (record %" PRIu64 ")",
				 f->text ? f->text : "memory is short", f->seq);
	}
	if (p->verify_ran)
		tools_audit_whole_remember(&w);
	tools_audit_whole_clear(&w);
}

static int proofs_write(struct packing *p, const struct tool_options *o)
{
	const struct fs_log_source *segments = tools_audit_segments(p->ask.s);
	struct keys_checkpoint c;
	size_t n;
	int rc;

	verify(p, o);
	if (!p->verify_ran) {
		snprintf(p->no_proofs, sizeof(p->no_proofs),
			 "the log could not be verified; `journalfs audit verify` says why");
		return TOOL_OK;
	}
	rc = checkpoint_write(p, &c);
	if (rc || p->no_proofs[0])
		return rc;
	if (tools_pack_folder(&p->pack, "proofs"))
		return TOOL_FAILED;
	n = covered(p, c.size);
	rc = fs_log_prove(segments, &c, p->in.seq, n, proof, p);
	if (!rc)
		return bytes_write(p, segments, n);
	if (!p->proof_rc)
		snprintf(p->no_proofs, sizeof(p->no_proofs), "%s",
			 rc == -ENOENT	  ? "segments of the log are not here"
			 : rc == -EBADMSG ? "the log is not what the checkpoint sealed"
					  : strerror(-rc));
	return p->proof_rc;
}

/* ---- README.txt ---- */

static void asked_tell(const struct packing *p, struct audit_out *out)
{
	char period[128], now[32], first[32], last[32];

	tools_audit_ask_period(&p->ask, period, sizeof(period));
	tools_audit_out_say(out, "Asked: practitioner %s, session %s, journal %s; %s.",
			    p->of.practitioner ? p->of.practitioner : "any",
			    p->of.session ? p->of.session : "any",
			    p->of.journal ? p->of.journal : "any", period);
	tools_audit_out_say(out, "Made %s, from %s.", tools_when_text((int64_t)time(NULL), now),
			    tools_audit_live(p->ask.s) ? "the vault's daemon"
						       : "a copy of the log");
	tools_audit_out_say(out, "Records: %zu, from %s to %s.", p->in.seqs,
			    tools_when_text(p->in.first_ns / 1000000000, first),
			    tools_when_text(p->in.last_ns / 1000000000, last));
	if (tools_audit_unread(p->ask.s))
		tools_audit_out_say(out,
				    "%" PRIu64
				    " records or stretches of the log could not be read: "
				    "what they say is missing here.",
				    tools_audit_unread(p->ask.s));
}

static void lines_tell(struct audit_out *out, const char *heading, char **lines, size_t n,
		       const char *none)
{
	tools_audit_out_heading(out, "%s", heading);
	if (!n)
		tools_audit_out_say(out, "%s", none);
	for (size_t i = 0; i < n; i++)
		tools_audit_out_say(out, "%s", lines[i]);
}

static void people_tell(const struct incident *in, struct audit_out *out)
{
	static const struct audit_column columns[] = {
		{"Who", "who", AUDIT_TEXT},	      {"Number", "practitioner", AUDIT_NUMBER},
		{"Role", "role", AUDIT_TEXT},	      {"Unit", "unit", AUDIT_TEXT},
		{"First", "first", AUDIT_TIME},	      {"Last", "last", AUDIT_TIME},
		{"Records", "records", AUDIT_NUMBER},
	};

	tools_audit_out_heading(out, "Who");
	tools_audit_out_table(out, "person", columns, 7);
	for (size_t i = 0; i < in->persons; i++) {
		const struct incident_person *x = &in->person[i];
		const struct audit_cell cells[7] = {
			{x->who, 0},
			{NULL, x->number},
			{x->role, 0},
			{x->unit, 0},
			{NULL, x->first_ns},
			{NULL, x->last_ns},
			{NULL, (int64_t)x->records},
		};

		tools_audit_out_row(out, cells);
	}
}

static void notes_tell(const struct incident *in, struct audit_out *out)
{
	static const struct audit_column columns[] = {
		{"Journal", "journal", AUDIT_TEXT},
		{"Note", "note", AUDIT_TEXT},
		{"First", "first", AUDIT_TIME},
		{"Last", "last", AUDIT_TIME},
		{"Could read", "could_read", AUDIT_NUMBER},
		{"Opened", "read", AUDIT_NUMBER},
		{"Changed", "written", AUDIT_NUMBER},
		{"Exported", "exported", AUDIT_NUMBER},
		{"Refused", "refused", AUDIT_NUMBER},
	};

	tools_audit_out_table(out, "note", columns, 9);
	for (size_t i = 0; i < in->notes; i++) {
		const struct incident_note *x = &in->note[i];
		const struct audit_cell cells[9] = {
			{x->journal_name, 0},
			{x->note ? x->name : "(the journal's folders)", 0},
			{NULL, x->first_ns},
			{NULL, x->last_ns},
			{NULL, (int64_t)x->could_read},
			{NULL, (int64_t)x->read},
			{NULL, (int64_t)x->written},
			{NULL, (int64_t)x->exported},
			{NULL, (int64_t)x->refused},
		};

		tools_audit_out_row(out, cells);
	}
}

static void log_tell(const struct packing *p, struct audit_out *out)
{
	tools_audit_out_heading(out, "Is the log whole?");
	if (!p->verify_ran)
		tools_audit_out_say(out, "NOT KNOWN: %s.", p->no_proofs);
	else if (p->verified.alarms)
		tools_audit_out_say(out, "NO: %u findings of the verification, first: %s.",
				    p->verified.alarms, p->alarm);
	else
		tools_audit_out_say(
			out,
			"Yes: all %" PRIu64 " records were verified; checkpoints seal "
			"%" PRIu64 " of them. Compared with %u checkpoint%s kept outside "
			"the log.",
			p->verified.records, p->verified.sealed, p->kept, p->kept == 1 ? "" : "s");
	if (p->no_proofs[0])
		tools_audit_out_say(out, "There are no proofs in this pack: %s.", p->no_proofs);
	else
		tools_audit_out_say(
			out,
			"proofs/ holds %zu proofs, each that one record is in the log "
			"that checkpoint.txt seals: `journalfs audit check-proof "
			"proofs/N.tlog-proof --from checkpoint.txt`, or better, from "
			"that checkpoint as somebody else kept it. N.tlog-proof.record holds "
			"the record as it is stored, sealed.",
			p->proofs);
	if (p->uncovered)
		tools_audit_out_say(out,
				    "%zu of the newest records are not sealed yet and have no "
				    "proof: a checkpoint follows within a minute.",
				    p->uncovered);
	if (p->in.seqs - p->uncovered > PROOFS_MOST)
		tools_audit_out_say(out,
				    "Only the first %d records have proofs here: ask for a "
				    "shorter time to have the others.",
				    PROOFS_MOST);
}

static void files_tell(struct audit_out *out)
{
	tools_audit_out_heading(out, "Files");
	tools_audit_out_say(out, "records.txt: the records in plain words");
	tools_audit_out_say(out, "records.jsonl, records.csv: the same for programs");
	tools_audit_out_say(out, "notes.csv: every journal and note, and what was done with it");
	tools_audit_out_say(out, "checkpoint.txt: the signed checkpoint that the proofs are for");
	tools_audit_out_say(out,
			    "SHA256SUMS: `sha256sum -c SHA256SUMS` says whether a file here was "
			    "changed since");
	tools_audit_out_say(out,
			    "All of this names patients. Hand it on encrypted, to whom it is for.");
}

static int readme_write(struct packing *p)
{
	struct audit_out *out = NULL;
	FILE *file = NULL;
	size_t journals;
	int rc;

	if (tools_incident_journals(&p->in, &journals))
		return tools_fail("memory is short");
	rc = form_begin(p, "README.txt", &tools_audit_form_text, "Incident pack", &file, &out);
	if (rc)
		return rc;
	asked_tell(p, out);
	people_tell(&p->in, out);
	tools_audit_out_heading(out, "Which journals and notes");
	tools_audit_out_say(out, "%zu journals, %zu notes and folders: see notes.csv.", journals,
			    p->in.notes);
	lines_tell(out, "What left the vault", p->in.left, p->in.lefts,
		   "Nothing was exported or moved. What programs copied out of opened notes no log "
		   "can say: every opened note may have been copied.");
	lines_tell(out, "Emergency accesses and stated relationships", p->in.grant, p->in.grants,
		   "None.");
	lines_tell(out, "Sessions", p->in.session, p->in.sessions,
		   "No log-in or log-out among these records.");
	log_tell(p, out);
	files_tell(out);
	return form_end(p, "README.txt", &file, &out);
}

static int notes_write(struct packing *p)
{
	struct audit_out *out = NULL;
	FILE *file = NULL;
	int rc = form_begin(p, "notes.csv", &tools_audit_form_csv, "", &file, &out);

	if (!rc)
		notes_tell(&p->in, out);
	if (form_end(p, "notes.csv", &file, &out))
		rc = TOOL_FAILED;
	return rc;
}

/* ---- the command ---- */

static int wanted(struct tool_options *o, struct packing *p)
{
	p->of = (struct asked){
		.practitioner = o->practitioner ? o->practitioner : o->who,
		.session = o->session,
		.journal = o->journal,
	};
	if (!p->of.practitioner && !p->of.session && !p->of.journal)
		return tools_usage("an incident is of somebody or something: --practitioner NAME, "
				   "--session ID or --journal NAME");
	if (p->of.session &&
	    (strlen(p->of.session) < 6 || strlen(p->of.session) > 32 ||
	     strspn(p->of.session, "0123456789abcdefABCDEF") != strlen(p->of.session)))
		return tools_usage(
			"a session is named by 6 to 32 hexadecimal digits, as `journalfs "
			"audit practitioner` shows them");
	if (!o->since)
		return tools_usage("since when? --since TIME, as in --since -3d");
	if (!o->to)
		return tools_usage("where to? --to DIR, a directory that is not there yet");
	if (o->json || o->csv || o->fhir || o->html)
		return tools_usage("a pack holds all forms: leave --json, --csv, --fhir and --html "
				   "out");
	o->who = p->of.practitioner;
	return TOOL_OK;
}

static int pack(struct packing *p, const struct tool_options *o)
{
	int rc = tools_pack_begin(&p->pack, o->to);

	if (!rc)
		rc = records_write(p);
	if (!rc)
		rc = proofs_write(p, o);
	if (!rc)
		rc = notes_write(p);
	if (!rc)
		rc = readme_write(p);
	if (!rc)
		rc = tools_pack_commit(&p->pack);
	if (!rc)
		printf("%s: %zu records, %zu proofs; begin with README.txt.\n", o->to, p->in.seqs,
		       p->proofs);
	if (!rc && p->verified.alarms)
		fprintf(stderr, "journalfs: the log is not whole; README.txt says more\n");
	return rc;
}

int tools_cmd_audit_incident(struct tool_options *o, int argc, char **argv)
{
	struct packing p = {.pack = {.dir = -1}};
	int rc = wanted(o, &p);

	(void)argc;
	(void)argv;
	if (rc)
		return rc;
	rc = tools_audit_ask_open(o, "audit incident", NULL, &p.ask);
	if (!rc)
		rc = pack(&p, o);
	tools_pack_abort(&p.pack);
	tools_incident_clear(&p.in);
	return tools_audit_ask_close(&p.ask, rc);
}
