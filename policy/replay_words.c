/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_words.c - one record of the log in the words of the story.
 *
 * Acts on notes are a verb and a name, so that many become one list; everything else is a sentence
 * of its own. Invariant: nothing that came from a file name, a program or a person is written
 * unescaped (record_text.c has the rules).
 */
#include "replay_story_impl.h"

#include <string.h>

void policy_story_bytes(struct policy_writer *w, uint64_t bytes)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB"};
	double v = (double)bytes;
	unsigned u = 0;

	if (bytes < 1000) {
		policy_writer_format(w, "%llu byte%s", (unsigned long long)bytes,
				     bytes == 1 ? "" : "s");
		return;
	}
	for (v /= 1000; v >= 999.95 && u < 3; u++)
		v /= 1000;
	policy_writer_format(w, "%.1f %s", v, units[u]);
}

void policy_story_span(struct policy_writer *w, int64_t ns)
{
	long long s = ns > 0 ? ns / 1000000000 : 0;

	if (s < 120)
		policy_writer_format(w, "%lld s", s);
	else if (s < 7200)
		policy_writer_format(w, "%lld min", s / 60);
	else if (s < 172800)
		policy_writer_format(w, "%lld h %lld min", s / 3600, s % 3600 / 60);
	else
		policy_writer_format(w, "%lld days", s / 86400);
}

void policy_story_who(struct policy_writer *w, const char *who, const char *role, const char *unit)
{
	policy_writer_name(w, who[0] ? who : "nobody known");
	if (!role[0] && !unit[0])
		return;
	policy_writer_text(w, " (");
	policy_writer_name(w, role[0] ? role : "?");
	if (unit[0]) {
		policy_writer_text(w, ", ");
		policy_writer_name(w, unit);
	}
	policy_writer_text(w, ")");
}

static void put_journal(struct policy_writer *w, const struct policy_record *r)
{
	if (r->journal_name[0])
		policy_writer_quoted(w, r->journal_name);
	else
		policy_writer_format(w, "journal %u", (unsigned)r->journal);
}

void policy_story_where(struct policy_writer *w, const struct policy_record *r)
{
	policy_writer_text(w, "in ");
	put_journal(w, r);
	if (r->grant)
		policy_writer_format(w, " BY EMERGENCY ACCESS, grant %llu",
				     (unsigned long long)r->grant);
	if (r->rule[0] && r->kind != POLICY_RECORD_REFUSED) {
		policy_writer_text(w, ": ");
		policy_writer_escaped(w, r->rule, '\0');
	}
}

/* ---- names ---- */

static const char *verb_of(const struct policy_record *r)
{
	switch (r->kind) {
	case POLICY_RECORD_OPEN:
		return r->action == 'U' ? "opens to write" : "opens";
	case POLICY_RECORD_LIST:
		return r->detail[0] ? NULL : "lists";
	case POLICY_RECORD_CREATE:
		return "makes";
	case POLICY_RECORD_WRITE:
		return "writes";
	case POLICY_RECORD_DELETE:
		return "deletes";
	case POLICY_RECORD_RENAME:
		return "renames";
	case POLICY_RECORD_ATTRIBUTE:
		return "changes attributes of";
	case POLICY_RECORD_CLOSE:
		return "has used";
	default:
		return NULL;
	}
}

static void put_object(struct policy_writer *w, const struct policy_record *r)
{
	if (r->name[0])
		policy_writer_name(w, r->name);
	else if (r->kind == POLICY_RECORD_LIST)
		policy_writer_text(w, r->journal ? "the journal" : "the journals");
	else if (r->note)
		policy_writer_format(w, "note %llu", (unsigned long long)r->note);
	else
		policy_writer_text(w, "the policy");
	if (r->name2[0]) {
		policy_writer_text(w, " to ");
		policy_writer_name(w, r->name2);
	}
}

/* ---- sentences ---- */

static const char *const sentences[POLICY_RECORD_KIND_COUNT] = {
	[POLICY_RECORD_START] = "the daemon starts",
	[POLICY_RECORD_STOP] = "the daemon stops",
	[POLICY_RECORD_LOGIN] = "logs in",
	[POLICY_RECORD_LOGOUT] = "logs out",
	[POLICY_RECORD_LOCK] = "the session is locked",
	[POLICY_RECORD_UNLOCK] = "unlocks the session",
	[POLICY_RECORD_LIST] = "looks",
	[POLICY_RECORD_REFUSED] = "is REFUSED",
	[POLICY_RECORD_ALARM] = "ALARM",
	[POLICY_RECORD_POLICY] = "puts a policy in force",
	[POLICY_RECORD_INVITE] = "invites",
	[POLICY_RECORD_ENROLL] = "enrollment",
	[POLICY_RECORD_KEYS] = "keys change",
	[POLICY_RECORD_RECOVER] = "the recovery key is used",
	[POLICY_RECORD_AUDIT] = "reads the log",
	[POLICY_RECORD_JOURNAL] = "", /* the detail says it all */
	[POLICY_RECORD_ATTEND] = "states that they take part in the care",
	[POLICY_RECORD_REVIEW] = "reviews access",
	[POLICY_RECORD_PROPOSAL] = "proposes",
	[POLICY_RECORD_BREAK_GLASS] = "BREAKS THE GLASS",
	[POLICY_RECORD_BREAK_GLASS_END] = "the emergency access ends",
	[POLICY_RECORD_GRANT_REVIEW] = "judges an emergency access",
	[POLICY_RECORD_NOTICE] = "notice of an emergency access",
	[POLICY_RECORD_FINAL] = "finalizes",
	[POLICY_RECORD_SIGN] = "signs",
	[POLICY_RECORD_ERROR] = "marks as entered in error",
	[POLICY_RECORD_AMEND] = "begins an amendment of",
	[POLICY_RECORD_MOVE] = "copies into the right journal",
	[POLICY_RECORD_EXPORT] = "exports",
	[POLICY_RECORD_VERIFY] = "verifies final notes",
	[POLICY_RECORD_LOG_REVIEW] = "signs off a review of the log",
	[POLICY_RECORD_ARCHIVE] = "takes old segments out of the log",
};

static const char *sentence_of(const struct policy_record *r)
{
	if (r->kind == POLICY_RECORD_FINAL && r->action == 'E')
		return "locked for its age, without signature:";
	if (r->kind == POLICY_RECORD_SIGN && r->action == 'E')
		return "countersigns";
	if (r->kind == POLICY_RECORD_LOGOUT && r->action == 'D')
		return "orders the end of another session";
	if (r->kind == POLICY_RECORD_PROPOSAL && r->action == 'D')
		return "rejects";
	return r->kind < POLICY_RECORD_KIND_COUNT ? sentences[r->kind] : NULL;
}

/* What changed stands below its version in many lines: the first says which. */
static void put_detail(struct policy_writer *w, const char *detail)
{
	char first[sizeof(((struct policy_record *)0)->detail)];
	size_t n = strcspn(detail, "\n");

	while (n && detail[n - 1] == ':')
		n--;
	memcpy(first, detail, n);
	first[n] = '\0';
	policy_writer_escaped(w, first, '\0');
}

/* What the log says of itself with the same words as the sentence. */
static const char *detail_of(const struct policy_record *r)
{
	if (r->kind == POLICY_RECORD_LOGIN && !strncmp(r->detail, "log-in", 6))
		return r->detail[6] == ',' ? r->detail + 8 : "";
	return r->kind == POLICY_RECORD_UNLOCK ? "" : r->detail;
}

static void put_named(struct policy_writer *w, const struct policy_record *r)
{
	bool numbered = r->kind == POLICY_RECORD_REFUSED && r->journal && r->note > 1;

	if (!r->name[0] && !r->name2[0] && !numbered)
		return;
	policy_writer_text(w, " ");
	put_object(w, r);
}

static void put_refused(struct policy_writer *w, const struct policy_record *r)
{
	policy_writer_text(w, ": ");
	put_detail(w, r->detail);
	put_named(w, r);
	if (r->rule[0]) {
		policy_writer_text(w, ": ");
		policy_writer_escaped(w, r->rule, '\0');
	}
}

static void put_sentence(struct policy_writer *w, const struct policy_record *r,
			 void (*clock)(int64_t time_ns, char out[static 16]))
{
	const char *what = sentence_of(r);
	char until[16];

	if (what)
		policy_writer_text(w, what);
	else
		policy_writer_format(w, "record of kind %u", r->kind);
	if (r->kind == POLICY_RECORD_REFUSED) {
		put_refused(w, r);
	} else {
		put_named(w, r);
		if (detail_of(r)[0]) {
			policy_writer_text(w, what && what[0] ? ": " : "");
			put_detail(w, detail_of(r));
		}
	}
	if (r->until_ns) {
		clock(r->until_ns, until);
		policy_writer_text(w, ", until ");
		policy_writer_text(w, until);
	}
	if (r->reason[0]) {
		policy_writer_text(w, "; reason ");
		policy_writer_quoted(w, r->reason);
	}
	if (r->outcome >= 8 && r->kind != POLICY_RECORD_ALARM)
		policy_writer_text(w, " (FAILED)");
}

void policy_story_words(const struct policy_record *r,
			void (*clock)(int64_t time_ns, char out[static 16]),
			struct policy_story_words *out)
{
	struct policy_writer w = {.out = out->room, .cap = sizeof(out->room)};

	out->verb = verb_of(r);
	out->where = r->journal != 0 || r->journal_name[0];
	if (out->verb)
		put_object(&w, r);
	else
		put_sentence(&w, r, clock);
	(void)policy_writer_end(&w);
	out->text = out->room;
}
