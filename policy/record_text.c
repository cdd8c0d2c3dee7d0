/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record_text.c - a record as one line for people (FORMAT.md, The line for people).
 *
 * Invariant: nothing that came from a file name, a program or a person reaches the
 * terminal unescaped: controls, marks that turn text around and bytes that are no
 * UTF-8 are written as \xNN, a backslash as \\. A name that holds blanks or quotes
 * stands in quotes, so that it cannot pass for another part of the line.
 */
#include "record.h"

#include <string.h>

#include "span.h"
#include "writer.h"

#define NOTES_SHOWN 5

static void put(struct policy_writer *w, const char *text)
{
	policy_writer_text(w, text);
}

static const char *verb(const struct policy_record *r)
{
	static const char *const verbs[POLICY_RECORD_KIND_COUNT] = {
		[POLICY_RECORD_START] = "log started",
		[POLICY_RECORD_STOP] = "log stopped",
		[POLICY_RECORD_LOGIN] = "logged in",
		[POLICY_RECORD_LOGOUT] = "logged out",
		[POLICY_RECORD_LOCK] = "locked",
		[POLICY_RECORD_UNLOCK] = "unlocked",
		[POLICY_RECORD_INTENT] = "may read",
		[POLICY_RECORD_OPEN] = "opened",
		[POLICY_RECORD_LIST] = "listed",
		[POLICY_RECORD_CREATE] = "created",
		[POLICY_RECORD_WRITE] = "wrote",
		[POLICY_RECORD_DELETE] = "deleted",
		[POLICY_RECORD_RENAME] = "renamed",
		[POLICY_RECORD_ATTRIBUTE] = "changed attributes of",
		[POLICY_RECORD_REFUSED] = "REFUSED",
		[POLICY_RECORD_ALARM] = "ALARM",
		[POLICY_RECORD_POLICY] = "policy accepted",
		[POLICY_RECORD_INVITE] = "invited",
		[POLICY_RECORD_ENROLL] = "enrolled",
		[POLICY_RECORD_KEYS] = "keys changed",
		[POLICY_RECORD_RECOVER] = "recovery key used",
		[POLICY_RECORD_AUDIT] = "read the log",
		[POLICY_RECORD_CLOSE] = "closed",
		[POLICY_RECORD_JOURNAL] = "changed journal",
		[POLICY_RECORD_ATTEND] = "takes part in the care",
		[POLICY_RECORD_REVIEW] = "reviewed access",
		[POLICY_RECORD_PROPOSAL] = "proposed",
		[POLICY_RECORD_BREAK_GLASS] = "BROKE THE GLASS",
		[POLICY_RECORD_BREAK_GLASS_END] = "emergency access ended",
		[POLICY_RECORD_GRANT_REVIEW] = "judged an emergency access",
		[POLICY_RECORD_NOTICE] = "notice of an emergency access",
		[POLICY_RECORD_FINAL] = "finalized",
		[POLICY_RECORD_SIGN] = "signed",
		[POLICY_RECORD_ERROR] = "marked as entered in error",
		[POLICY_RECORD_AMEND] = "began an amendment of",
		[POLICY_RECORD_MOVE] = "copied into its right journal",
		[POLICY_RECORD_EXPORT] = "exported",
		[POLICY_RECORD_VERIFY] = "verified final notes",
		[POLICY_RECORD_LOG_REVIEW] = "signed off a review of the log",
		[POLICY_RECORD_ARCHIVE] = "took old segments out of the log",
	};

	if (r->kind >= POLICY_RECORD_KIND_COUNT || !verbs[r->kind])
		return NULL;
	if (r->kind == POLICY_RECORD_OPEN && r->action == 'U')
		return "opened to write";
	if (r->kind == POLICY_RECORD_JOURNAL && r->action == 'C')
		return "made journal";
	if (r->kind == POLICY_RECORD_LOGOUT && r->action == 'D')
		return "ended a session";
	if (r->kind == POLICY_RECORD_PROPOSAL && r->action == 'D')
		return "rejected";
	if (r->kind == POLICY_RECORD_JOURNAL && r->action == 'D')
		return "removed journal";
	if (r->kind == POLICY_RECORD_JOURNAL && r->action == 'U')
		return "renamed journal";
	if (r->kind == POLICY_RECORD_FINAL && r->action == 'E')
		return "locked without signature";
	if (r->kind == POLICY_RECORD_SIGN && r->action == 'E')
		return "countersigned";
	return verbs[r->kind];
}

static void put_who(struct policy_writer *w, const struct policy_record *r)
{
	if (!r->who[0])
		return;
	put(w, "  ");
	policy_writer_name(w, r->who);
	if (!r->role[0] && !r->unit[0])
		return;
	put(w, " (");
	policy_writer_name(w, r->role[0] ? r->role : "?");
	if (r->unit[0]) {
		put(w, ", ");
		policy_writer_name(w, r->unit);
	}
	put(w, ")");
}

/* "JOURNAL" / name -> name2 */
static void put_object(struct policy_writer *w, const struct policy_record *r)
{
	bool some = false;

	if (r->journal_name[0]) {
		put(w, "  ");
		policy_writer_quoted(w, r->journal_name);
		some = true;
	} else if (r->journal) {
		policy_writer_format(w, "  journal %u", (unsigned)r->journal);
		some = true;
	}
	if (r->name[0]) {
		put(w, some ? " / " : "  ");
		policy_writer_name(w, r->name);
		some = true;
	} else if (r->note) {
		policy_writer_format(w, "%snote %llu", some ? " / " : "  ",
				     (unsigned long long)r->note);
		some = true;
	}
	if (r->name2[0]) {
		put(w, some ? " -> " : "  -> ");
		policy_writer_name(w, r->name2);
	}
}

static void put_notes(struct policy_writer *w, const struct policy_record *r)
{
	size_t total = r->note_total > r->note_count ? r->note_total : r->note_count;

	for (size_t i = 0; i < r->note_count && i < NOTES_SHOWN; i++) {
		put(w, i ? ", " : r->journal_name[0] || r->journal ? " / " : "  ");
		policy_writer_name(w, r->notes[i].name ? r->notes[i].name : "");
	}
	if (total > NOTES_SHOWN || total > r->note_count)
		policy_writer_format(w, " (%zu notes)", total);
}

/* What `count` counts depends on the kind: statements of a journal have numbers. */
static void put_count(struct policy_writer *w, const struct policy_record *r)
{
	unsigned long long count = r->count;

	if (r->kind >= POLICY_RECORD_FINAL && r->kind <= POLICY_RECORD_EXPORT)
		policy_writer_format(w, "  statement %llu", count);
	else
		policy_writer_format(w, "  %llu times", count);
}

static void put_counts(struct policy_writer *w, const struct policy_record *r)
{
	if (r->bytes_read)
		policy_writer_format(w, "  read %llu bytes", (unsigned long long)r->bytes_read);
	if (r->bytes_written)
		policy_writer_format(w, "  wrote %llu bytes", (unsigned long long)r->bytes_written);
	if (r->count)
		put_count(w, r);
	if (r->until_ns) {
		char until[48];

		policy_span_text(r->until_ns, ' ', 0, until);
		policy_writer_format(w, "  until %s", until);
	}
}

static void put_why(struct policy_writer *w, const struct policy_record *r)
{
	if (r->purpose[0]) {
		put(w, "  ");
		policy_writer_name(w, r->purpose);
	}
	if (r->rule[0]) {
		put(w, "  ");
		policy_writer_escaped(w, r->rule, '\0');
	}
	if (r->grant)
		policy_writer_format(w, "  grant %llu", (unsigned long long)r->grant);
	if (r->policy_version)
		policy_writer_format(w, "  policy version %u", (unsigned)r->policy_version);
	if (r->detail[0]) {
		put(w, "  ");
		policy_writer_escaped(w, r->detail, '\0');
	}
	if (r->reason[0]) {
		put(w, "  reason ");
		policy_writer_quoted(w, r->reason);
	}
	if (r->origin[0]) {
		put(w, "  from ");
		policy_writer_name(w, r->origin);
	}
	if (r->program[0]) {
		put(w, "  by ");
		policy_writer_name(w, r->program);
	}
}

size_t policy_record_text(const struct policy_record *r, char *out, size_t cap)
{
	struct policy_writer w = {.out = out, .cap = cap};
	const char *what = verb(r);
	char when[48];

	policy_span_text(r->time_ns, ' ', 3, when);
	put(&w, when);
	put_who(&w, r);
	put(&w, "  ");
	if (what)
		put(&w, what);
	else
		policy_writer_format(&w, "record of kind %u", r->kind);
	if (r->outcome >= 8 && r->kind != POLICY_RECORD_ALARM)
		put(&w, " FAILED");
	put_object(&w, r);
	put_notes(&w, r);
	put_counts(&w, r);
	put_why(&w, r);
	return policy_writer_end(&w);
}
