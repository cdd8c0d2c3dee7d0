/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/report_html.c - the report as a page: what matters first, then the charts, then the tables,
 * then how far it can be trusted.
 *
 * Invariants: the page says of what period and of which records it is, by whom and when it was
 * made, whether the log is whole, and what could not be read; every number is one of the tally's.
 */
#include "report_html.h"

#include <string.h>

#include "html.h"

#define NOTES_SHOWN 6

static void put_text(FILE *to, const char *before, const char *text, const char *after)
{
	fputs(before, to);
	tools_html_text(to, text);
	fputs(after, to);
}

static uint64_t accesses(const struct policy_tally_view *v)
{
	return v->reads + v->writes;
}

/* ---- the head */

/* "2026-01-01 00:00 to 2026-12-31 23:59", or what there is. */
static void put_period(FILE *to, const struct report_html *r)
{
	int64_t first = r->since_ns ? r->since_ns : r->tally->first_ns;
	int64_t last = r->until_ns ? r->until_ns : r->tally->last_ns;

	if (!first && !last) {
		fputs("no records", to);
		return;
	}
	tools_html_time(to, first, 0);
	fputs(" to ", to);
	tools_html_time(to, last, 0);
}

static void put_facts(FILE *to, const struct report_html *r)
{
	fputs("<p class=\"facts\">", to);
	if (r->practice[0])
		put_text(to, "", r->practice, " \xc2\xb7 ");
	put_period(to, r);
	fputs(" \xc2\xb7 made ", to);
	tools_html_time(to, r->made_ns, 0);
	put_text(to, " by ", r->by, " on ");
	put_text(to, "", r->host, "</p>\n");
}

enum verdict { WHOLE, DAMAGED, NOT_CHECKED };

static enum verdict verdict(const struct report_html *r)
{
	if (!r->integrity || r->integrity->rc)
		return NOT_CHECKED;
	return r->integrity->verified.alarms ? DAMAGED : WHOLE;
}

/* A tick, a cross, a question mark. */
static void put_sign(FILE *to, enum verdict v)
{
	static const char *const path[] = {
		[WHOLE] = "M6.5 11.5l3 3 6-7",
		[DAMAGED] = "M7.5 7.5l7 7m0-7l-7 7",
		[NOT_CHECKED] = "M8.2 8.4a2.8 2.8 0 1 1 4 2.6c-.8.4-1.2.9-1.2 1.8v.3m0 2.6v.2",
	};

	fprintf(to,
		"<svg viewBox=\"0 0 22 22\" aria-hidden=\"true\" fill=\"none\" "
		"stroke=\"currentColor\" stroke-width=\"1.8\" stroke-linecap=\"round\" "
		"stroke-linejoin=\"round\"><circle cx=\"11\" cy=\"11\" r=\"9.5\"/>"
		"<path d=\"%s\"/></svg>",
		path[v]);
}

static void put_state(FILE *to, const struct report_html *r)
{
	static const char *const classes[] = {
		[WHOLE] = "good", [DAMAGED] = "bad", [NOT_CHECKED] = "warn"};
	enum verdict v = verdict(r);

	fprintf(to, "<div class=\"state %s\">", classes[v]);
	put_sign(to, v);
	if (v == WHOLE) {
		fputs("<p><strong>The log is whole.</strong> <span class=\"why\">", to);
		tools_report_number(to, r->integrity->verified.records);
		fputs(" records were checked against the signed checkpoints; nothing is missing, "
		      "changed or added.</span></p>",
		      to);
	} else if (v == DAMAGED) {
		fprintf(to,
			"<p><strong>The log is not whole: %u alarm%s.</strong> <span "
			"class=\"why\">The numbers below may lack records. See <a "
			"href=\"#integrity\">Integrity</a>.</span></p>",
			r->integrity->verified.alarms,
			r->integrity->verified.alarms == 1 ? "" : "s");
	} else {
		fputs("<p><strong>Whether the log is whole could not be checked.</strong> <span "
		      "class=\"why\">See <a href=\"#integrity\">Integrity</a>.</span></p>",
		      to);
	}
	fputs("</div>\n", to);
}

/* ---- headline numbers */

static void put_tile(FILE *to, uint64_t n, const char *what, const char *more)
{
	fputs("<li><b>", to);
	tools_report_number(to, n);
	fprintf(to, "</b> <span>%s</span> <span class=\"soft\">%s</span></li>\n", what, more);
}

static uint64_t people_active(const struct policy_tally_view *v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->people_count; i++)
		n += v->people[i].reads || v->people[i].writes;
	return n;
}

static uint64_t journals_used(const struct policy_tally_view *v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->journal_count; i++)
		n += v->journals[i].reads || v->journals[i].writes;
	return n;
}

static void put_tiles(FILE *to, const struct report_html *r)
{
	const struct policy_tally_view *v = r->tally;
	char more[120];

	fputs("<ul class=\"tiles\">\n<li><b>", to);
	tools_report_number(to, accesses(v));
	fputs("</b> <span>accesses</span> <span class=\"soft\">", to);
	tools_report_number(to, v->reads);
	fputs(" opened, ", to);
	tools_report_number(to, v->writes);
	fputs(" changed</span></li>\n", to);
	put_tile(to, people_active(v), "people", "who opened or changed notes");
	put_tile(to, journals_used(v), "journals", "with at least one access");
	put_tile(to, v->refused, v->refused == 1 ? "refusal" : "refusals", "somebody was kept out");
	snprintf(more, sizeof(more), "%llu still to be judged",
		 (unsigned long long)(v->grants_at[POLICY_TALLY_PENDING] +
				      v->grants_at[POLICY_TALLY_OVERDUE]));
	put_tile(to, v->grant_count,
		 v->grant_count == 1 ? "emergency access" : "emergency accesses", more);
	put_tile(to, r->finding_count, "to ask about", "found unusual");
	put_tile(to, v->exports, v->exports == 1 ? "export" : "exports", "left the vault");
	put_tile(to, v->alarms, v->alarms == 1 ? "alarm" : "alarms", "damage, forgery, rollback");
	fputs("</ul>\n", to);
}

/* ---- what somebody has to do */

static void put_todo(FILE *to, bool *some, uint64_t n, const char *one, const char *many,
		     const char *where)
{
	if (!n)
		return;
	if (!*some)
		fputs("<div class=\"todo\"><ul>\n", to);
	*some = true;
	fputs("<li>", to);
	tools_report_number(to, n);
	fprintf(to, " <a href=\"#%s\">%s</a></li>\n", where, n == 1 ? one : many);
}

static uint64_t weighty(const struct report_html *r)
{
	uint64_t n = 0;

	for (size_t i = 0; i < r->finding_count; i++)
		n += r->findings[i].score >= 700;
	return n;
}

static uint64_t untold(const struct policy_tally_view *v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->grant_count; i++)
		n += v->grants[i].told_failed;
	return n;
}

static void put_todos(FILE *to, const struct report_html *r)
{
	const struct policy_tally_view *v = r->tally;
	bool some = false;

	fputs("<section><h2>What needs somebody</h2>\n", to);
	put_todo(to, &some, verdict(r) == DAMAGED ? r->integrity->verified.alarms : 0,
		 "place where the log is not whole", "places where the log is not whole",
		 "integrity");
	put_todo(to, &some, v->grants_at[POLICY_TALLY_OVERDUE],
		 "emergency access whose review is overdue",
		 "emergency accesses whose review is overdue", "emergency");
	put_todo(to, &some, v->grants_at[POLICY_TALLY_UNJUSTIFIED],
		 "emergency access that was judged unjustified and is not closed",
		 "emergency accesses that were judged unjustified and are not closed", "emergency");
	put_todo(to, &some, untold(v), "emergency access of which nobody could be told",
		 "emergency accesses of which nobody could be told", "emergency");
	put_todo(to, &some, weighty(r), "weighty finding to ask about",
		 "weighty findings to ask about", "unusual");
	put_todo(to, &some, v->alarms, "alarm", "alarms", "alarms");
	put_todo(to, &some, r->unread, "record or stretch that could not be read",
		 "records or stretches that could not be read", "about");
	fputs(some ? "</ul></div>\n" : "<p class=\"soft\">Nothing waits.</p>\n", to);
	fputs("</section>\n", to);
}

/* ---- integrity */

static void put_hex(FILE *to, const char *what, const uint8_t *bytes, size_t n)
{
	fprintf(to, "<dt>%s</dt><dd><code>", what);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "%02x", bytes[i]);
	fputs("</code></dd>\n", to);
}

static void put_count(FILE *to, const char *what, uint64_t n)
{
	fprintf(to, "<dt>%s</dt><dd>", what);
	tools_report_number(to, n);
	fputs("</dd>\n", to);
}

/* Alarms, and some of the notes: those of one sort may be many. */
static void put_found(FILE *to, const struct report_integrity *i)
{
	uint64_t all = (uint64_t)i->verified.alarms + i->verified.notes;
	size_t notes = 0, shown = 0;

	if (!i->finding_count)
		return;
	fputs("<ul>\n", to);
	for (size_t k = 0; k < i->finding_count; k++) {
		if (!i->findings[k].alarm && ++notes > NOTES_SHOWN)
			continue;
		fprintf(to, "<li><span class=\"tag %s\">%s</span> ",
			i->findings[k].alarm ? "bad" : "info",
			i->findings[k].alarm ? "alarm" : "note");
		put_text(to, "", i->findings[k].text, "</li>\n");
		shown++;
	}
	fputs("</ul>\n", to);
	if (shown < all)
		fprintf(to,
			"<p class=\"soft\">%llu more are told by <code>journalfs audit "
			"verify</code>.</p>\n",
			(unsigned long long)(all - shown));
}

static void put_verified(FILE *to, const struct report_integrity *i)
{
	const struct fs_log_verified *v = &i->verified;

	fputs("<div class=\"box\"><dl>\n", to);
	put_count(to, "Records", v->records);
	put_count(to, "Sealed by checkpoints", v->sealed);
	put_count(to, "Checkpoints", v->checkpoints);
	put_count(to, "Segments", v->segments);
	put_count(to, "Alarms", v->alarms);
	put_count(to, "Notes", v->notes);
	put_hex(to, "Vault", v->vault, sizeof(v->vault));
	put_hex(to, "Tree's root", v->root, sizeof(v->root));
	fputs("</dl></div>\n", to);
	put_found(to, i);
	if (!v->checkpoint[0])
		return;
	fputs("<p>The newest checkpoint. Whoever keeps it, on paper or elsewhere, can prove later "
	      "that this log was not rewritten:</p>\n",
	      to);
	put_text(to, "<div class=\"box\"><pre>", v->checkpoint, "</pre></div>\n");
}

static void put_integrity(FILE *to, const struct report_html *r)
{
	fputs("<section><h2 id=\"integrity\">Integrity</h2>\n", to);
	if (verdict(r) == NOT_CHECKED)
		fputs("<p>The log's segments could not be checked when this report was made. "
		      "<code>journalfs audit verify</code> says why.</p>\n",
		      to);
	else
		fputs("<p>When this report was made, all stored records were hashed and compared "
		      "with every signed checkpoint in the log. What this proves, and what not, is "
		      "said by <code>journalfs audit verify</code>: the newest records behind the "
		      "last checkpoint are not sealed yet.</p>\n",
		      to);
	if (verdict(r) != NOT_CHECKED)
		put_verified(to, r->integrity);
	fputs("</section>\n", to);
}

/* ---- about */

static void put_about(FILE *to, const struct report_html *r)
{
	const struct policy_tally_view *v = r->tally;

	fputs("<section><h2 id=\"about\">About this report</h2>\n<div class=\"box\"><dl>\n"
	      "<dt>Period</dt><dd>",
	      to);
	put_period(to, r);
	fputs("</dd>\n<dt>Made</dt><dd>", to);
	tools_html_time(to, r->made_ns, 1);
	put_text(to, " by ", r->by, "");
	put_text(to, " on ", r->host, "</dd>\n");
	put_text(to, "<dt>Read from</dt><dd>", r->source, "</dd>\n");
	fputs("<dt>Records</dt><dd>", to);
	tools_report_number(to, v->records);
	if (v->records)
		fprintf(to, " in the period, numbers %llu to %llu",
			(unsigned long long)v->first_seq, (unsigned long long)v->last_seq);
	fputs("</dd>\n", to);
	put_count(to, "Not readable", r->unread);
	put_count(to, "Logins", v->logins);
	put_count(to, "Listings and looks into a folder", v->looks);
	put_count(to, "Times the log was read", v->log_reads);
	fputs("</dl></div>\n"
	      "<p>An access is a note that was opened, changed or exported; listings and refusals "
	      "are counted apart. Times are local. An own relationship is an entry of the person's "
	      "own in the journal's policy, or a relationship that the person stated; unit or role "
	      "is an entry or default that covers more people. The log holds no content of "
	      "notes.</p>\n"
	      "<p class=\"soft\">This page names patients and staff: keep it as you keep the "
	      "journals.</p>\n</section>\n",
	      to);
}

void tools_report_html(FILE *to, const struct report_html *r)
{
	tools_html_begin(to, "Access log report");
	put_facts(to, r);
	put_state(to, r);
	put_tiles(to, r);
	put_todos(to, r);
	fputs("<section><h2 id=\"unusual\">Worth asking about</h2>\n", to);
	tools_report_findings(to, r);
	fputs("</section>\n<section><h2>Accesses over time</h2>\n", to);
	tools_report_timeline(to, r->tally);
	fputs("</section>\n<section><h2>By weekday and hour</h2>\n", to);
	tools_report_heat(to, r->tally);
	fputs("</section>\n<section><h2 id=\"emergency\">Emergency accesses</h2>\n", to);
	tools_report_grants(to, r);
	fputs("</section>\n<section><h2>Refusals</h2>\n", to);
	tools_report_refusals(to, r->tally);
	fputs("</section>\n<section><h2>People</h2>\n", to);
	tools_report_people(to, r->tally);
	fputs("</section>\n<section><h2>Journals</h2>\n", to);
	tools_report_journals(to, r->tally);
	fputs("</section>\n", to);
	tools_report_events(to, r->tally);
	put_integrity(to, r);
	put_about(to, r);
	tools_html_end(to);
}
