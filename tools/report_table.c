/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/report_table.c - the tables of a report.
 *
 * Invariant: a table that shows the first of many says how many there are.
 */
#include <string.h>

#include "html.h"
#include "report_html.h"

#define SHOWN 20
#define PAIRS_SHOWN 10
#define GRANTS_SHOWN 40 /* and all that wait for somebody */
#define FINDINGS_SHOWN 30

/* ---- pieces */

void tools_report_number(FILE *to, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

	fprintf(to, "<data value=\"%s\">", digits);
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			fputs("\xe2\x80\xaf", to); /* a narrow blank that does not break */
		fputc(digits[i], to);
	}
	fputs("</data>", to);
}

static void open_table(FILE *to, const char *label)
{
	fprintf(to,
		"<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"%s\"><table>\n<thead><tr>",
		label);
}

static void put_head(FILE *to, const char *const *titles, size_t n, size_t numbers_from)
{
	for (size_t i = 0; i < n; i++)
		fprintf(to, "<th scope=\"col\"%s>%s</th>", i >= numbers_from ? " class=\"n\"" : "",
			titles[i]);
	fputs("</tr></thead>\n<tbody>\n", to);
}

static void close_table(FILE *to, size_t shown, size_t all, const char *of)
{
	fputs("</tbody></table></div>\n", to);
	if (shown < all)
		fprintf(to, "<p class=\"soft\">The first %zu of %zu %s.</p>\n", shown, all, of);
}

static void put_text(FILE *to, const char *before, const char *text, const char *after)
{
	fputs(before, to);
	tools_html_text(to, text);
	fputs(after, to);
}

static void put_number(FILE *to, uint64_t n)
{
	fputs("<td class=\"n\">", to);
	tools_report_number(to, n);
	fputs("</td>", to);
}

static void put_journal(FILE *to, const char *name, uint32_t number)
{
	if (*name)
		tools_html_text(to, name);
	else if (number)
		fprintf(to, "journal %u", (unsigned)number);
	else
		fputs("<span class=\"soft\">none</span>", to);
}

static void put_who(FILE *to, const char *who, uint32_t practitioner)
{
	if (*who)
		tools_html_text(to, who);
	else if (practitioner)
		fprintf(to, "practitioner %u", (unsigned)practitioner);
	else
		fputs("<span class=\"soft\">nobody logged in</span>", to);
}

/* ---- emergency accesses */

static const char *state_class(enum policy_tally_state s)
{
	static const char *const classes[POLICY_TALLY_STATES] = {
		[POLICY_TALLY_OPEN] = "info",	    [POLICY_TALLY_PENDING] = "warn",
		[POLICY_TALLY_OVERDUE] = "bad",	    [POLICY_TALLY_JUSTIFIED] = "good",
		[POLICY_TALLY_UNJUSTIFIED] = "bad", [POLICY_TALLY_SETTLED] = "info",
	};

	return s < POLICY_TALLY_STATES ? classes[s] : "info";
}

static void put_grant(FILE *to, const struct policy_tally_grant *g)
{
	fprintf(to, "<tr><th scope=\"row\" class=\"n\">%llu</th><td>",
		(unsigned long long)g->number);
	tools_html_time(to, g->from_ns, 0);
	fputs("</td><td>", to);
	put_who(to, g->who, g->practitioner);
	fputs("</td><td class=\"name\">", to);
	put_journal(to, g->journal, 0);
	put_text(to, "</td><td class=\"wide\">", g->reason, "");
	put_text(to, "<br><span class=\"soft\">", g->ground, "</span></td>");
	put_number(to, g->acts);
	put_text(to, "<td>", "", "");
	fprintf(to, "<span class=\"tag %s\">%s</span>", state_class(g->state),
		policy_tally_state_text(g->state));
	if (g->review_ns) {
		put_text(to, "<br><span class=\"soft\">", g->reviewer, ", ");
		tools_html_time(to, g->review_ns, 0);
		fputs("</span>", to);
	}
	if (g->told_failed)
		fputs("<br><span class=\"tag bad\">nobody could be told</span>", to);
	fputs("</td></tr>\n", to);
}

/* What waits for somebody first, then the rest. */
static int grant_turn(const struct policy_tally_grant *g)
{
	return g->state == POLICY_TALLY_OVERDUE || g->state == POLICY_TALLY_UNJUSTIFIED ? 0
	       : g->state == POLICY_TALLY_PENDING || g->state == POLICY_TALLY_OPEN	? 1
											: 2;
}

/* How many stand where. */
static void put_states(FILE *to, const struct policy_tally_view *v)
{
	fputs("<p class=\"states\">", to);
	for (int s = 0; s < POLICY_TALLY_STATES; s++) {
		enum policy_tally_state state = (enum policy_tally_state)s;

		if (!v->grants_at[s])
			continue;
		fprintf(to, "<span class=\"tag %s\">%s ", state_class(state),
			policy_tally_state_text(state));
		tools_report_number(to, v->grants_at[s]);
		fputs("</span> ", to);
	}
	fputs("</p>\n", to);
}

void tools_report_grants(FILE *to, const struct report_html *r)
{
	static const char *const titles[] = {"No.",	     "Began", "Who",   "Journal",
					     "Reason given", "Acts",  "Review"};
	const struct policy_tally_view *v = r->tally;
	size_t shown = 0;

	if (!v->grant_count) {
		fputs("<p class=\"soft\">Nobody used emergency access in this period.</p>\n", to);
		return;
	}
	put_states(to, v);
	fprintf(to,
		"<p>Each is to be judged by somebody else within %llu hours. What still waits for "
		"somebody stands first, then the newest.</p>\n",
		(unsigned long long)r->review_h);
	open_table(to, "emergency accesses");
	for (size_t i = 0; i < 7; i++)
		fprintf(to, "<th scope=\"col\"%s>%s</th>", i == 0 || i == 5 ? " class=\"n\"" : "",
			titles[i]);
	fputs("</tr></thead>\n<tbody>\n", to);
	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = v->grant_count; i--;) {
			if (grant_turn(&v->grants[i]) != turn ||
			    (turn == 2 && shown >= GRANTS_SHOWN))
				continue;
			put_grant(to, &v->grants[i]);
			shown++;
		}
	}
	close_table(to, shown, v->grant_count, "emergency accesses");
}

/* ---- what somebody should ask about */

static void put_finding(FILE *to, const struct policy_finding *f)
{
	fprintf(to,
		"<li><div class=\"line\"><span class=\"score soft\" title=\"weight, of "
		"1000\">%u</span> <span class=\"tag %s\">%s</span> <strong>",
		f->score,
		f->score >= 700	  ? "bad"
		: f->score >= 400 ? "warn"
				  : "info",
		policy_unusual_reason_text(f->reason));
	put_who(to, f->who, f->practitioner);
	fputs("</strong>", to);
	if (f->journal[0] || f->journal_number) {
		fputs(" <span class=\"soft\">in</span> ", to);
		put_journal(to, f->journal, f->journal_number);
	}
	put_text(to, "</div>\n<p>", f->text, "</p><p class=\"soft\">");
	tools_html_time(to, f->first_ns, 0);
	if (f->last_ns != f->first_ns) {
		fputs(" to ", to);
		tools_html_time(to, f->last_ns, 0);
	}
	fprintf(to, ", records %llu", (unsigned long long)f->first_seq);
	if (f->last_seq != f->first_seq)
		fprintf(to, " to %llu", (unsigned long long)f->last_seq);
	fputs("</p></li>\n", to);
}

void tools_report_findings(FILE *to, const struct report_html *r)
{
	size_t shown = r->finding_count < FINDINGS_SHOWN ? r->finding_count : FINDINGS_SHOWN;

	if (!r->finding_count) {
		fputs("<p class=\"soft\">Nothing that the rules of <code>audit unusual</code> "
		      "find.</p>\n",
		      to);
		return;
	}
	fputs("<p>Each of these may have a good reason; somebody should ask. What the log explains "
	      "(a care relationship, an own entry, shared care) is left out.</p>\n"
	      "<ol class=\"findings\">\n",
	      to);
	for (size_t i = 0; i < shown; i++)
		put_finding(to, &r->findings[i]);
	fputs("</ol>\n", to);
	if (shown < r->finding_count)
		fprintf(to,
			"<p class=\"soft\">The first %zu of %zu; <code>journalfs audit "
			"unusual</code> has all.</p>\n",
			shown, r->finding_count);
	if (!r->hours_known)
		fputs("<p class=\"soft\">The practice's policy was not at hand: own and relatives' "
		      "journals and working hours could not be judged.</p>\n",
		      to);
}

/* ---- refusals */

/* Who comes behind the one at *at, who was refused `below` times; NULL: nobody. */
static const struct policy_tally_person *next_refused(const struct policy_tally_view *v,
						      uint64_t below, size_t *at)
{
	const struct policy_tally_person *best = NULL;
	size_t found = 0;

	/* Those of the same number follow in their order. */
	for (size_t i = 0; i < v->people_count; i++) {
		const struct policy_tally_person *p = &v->people[i];
		bool left = p->refused < below || (p->refused == below && i > *at);

		if (!p->refused || !left || (best && p->refused <= best->refused))
			continue;
		best = p;
		found = i;
	}
	*at = found;
	return best;
}

static void put_refused_people(FILE *to, const struct policy_tally_view *v)
{
	static const char *const titles[] = {"Who", "Last said", "Last", "Journals", "Times"};
	uint64_t below = UINT64_MAX, told = 0, all = 0, of_people = 0;
	size_t at = 0;

	for (size_t i = 0; i < v->people_count; i++) {
		all += v->people[i].refused > 0;
		of_people += v->people[i].refused;
	}
	open_table(to, "refusals by person");
	put_head(to, titles, 5, 3);
	for (; told < SHOWN; told++) {
		const struct policy_tally_person *p = next_refused(v, below, &at);

		if (!p)
			break;
		below = p->refused;
		fputs("<tr><th scope=\"row\">", to);
		put_who(to, p->who, p->practitioner);
		put_text(to, "</th><td class=\"wide\">", p->refused_why, "</td><td>");
		tools_html_time(to, p->refused_ns, 0);
		fputs("</td>", to);
		put_number(to, p->refused_at);
		put_number(to, p->refused);
		fputs("</tr>\n", to);
	}
	if (v->refused > of_people) {
		fputs("<tr><th scope=\"row\">", to);
		put_who(to, "", 0);
		fputs("</th><td></td><td></td><td></td>", to);
		put_number(to, v->refused - of_people);
		fputs("</tr>\n", to);
	}
	close_table(to, (size_t)told, (size_t)all, "people");
}

void tools_report_refusals(FILE *to, const struct policy_tally_view *v)
{
	static const char *const titles[] = {"Who", "Journal", "Last said", "Last", "Times"};
	size_t shown = v->refusal_count < PAIRS_SHOWN ? v->refusal_count : PAIRS_SHOWN;

	if (!v->refusal_count) {
		fputs("<p class=\"soft\">Nothing was refused.</p>\n", to);
		return;
	}
	put_refused_people(to, v);
	fputs("<h3>Most often at one journal</h3>\n", to);
	open_table(to, "refusals by person and journal");
	put_head(to, titles, 5, 4);
	for (size_t i = 0; i < shown; i++) {
		const struct policy_tally_refusal *f = &v->refusals[i];

		fputs("<tr><th scope=\"row\">", to);
		put_who(to, f->who, f->practitioner);
		fputs("</th><td class=\"name\">", to);
		put_journal(to, f->name, f->journal);
		put_text(to, "</td><td class=\"wide\">", f->why, "</td><td>");
		tools_html_time(to, f->last_ns, 0);
		fputs("</td>", to);
		put_number(to, f->count);
		fputs("</tr>\n", to);
	}
	close_table(to, shown, v->refusal_count, "pairs of person and journal");
}

/* ---- people and journals */

/* The shares as one bar: four parts, each with its number as text for those who hover or listen. */
static void put_shares(FILE *to, const uint64_t *basis)
{
	static const char *const said[POLICY_TALLY_BASES] = {
		"own relationship", "unit, role or default", "emergency", "not said"};
	uint64_t all = 0;
	double x = 0;

	for (int i = 0; i < POLICY_TALLY_BASES; i++)
		all += basis[i];
	if (!all) {
		fputs("<td></td>", to);
		return;
	}
	fputs("<td><svg class=\"shares\" viewBox=\"0 0 160 12\" role=\"img\"><title>", to);
	for (int i = 0; i < POLICY_TALLY_BASES; i++)
		fprintf(to, "%s%s: %llu", i ? ", " : "", said[i], (unsigned long long)basis[i]);
	fputs("</title>", to);
	for (int i = 0; i < POLICY_TALLY_BASES; i++) {
		double w = 160.0 * (double)basis[i] / (double)all;

		if (basis[i])
			fprintf(to,
				"<rect class=\"s%d\" x=\"%.2f\" y=\"0\" width=\"%.2f\" "
				"height=\"12\"/>",
				i, x, w < 1.5 ? 1.5 : w);
		x += w;
	}
	fputs("</svg></td>", to);
}

static void put_key(FILE *to)
{
	static const char *const said[POLICY_TALLY_BASES] = {"own entry or stated relationship",
							     "entry or default of unit or role",
							     "emergency access", "not said"};

	fputs("<p class=\"soft keys\">On what basis: ", to);
	for (int i = 0; i < POLICY_TALLY_BASES; i++)
		fprintf(to,
			"<span><svg viewBox=\"0 0 12 12\" width=\"12\" height=\"12\" "
			"aria-hidden=\"true\"><rect class=\"s%d\" width=\"12\" height=\"12\" "
			"rx=\"2\"/></svg> %s</span> ",
			i, said[i]);
	fputs("</p>\n", to);
}

void tools_report_people(FILE *to, const struct policy_tally_view *v)
{
	static const char *const titles[] = {"Who",	"Basis",	"Opened",
					     "Changed", "Journals",	"Emergency",
					     "Own",	"Unit or role", "Refused"};
	size_t shown = v->people_count < SHOWN ? v->people_count : SHOWN;

	put_key(to);
	open_table(to, "people with most accesses");
	put_head(to, titles, 9, 2);
	for (size_t i = 0; i < shown; i++) {
		const struct policy_tally_person *p = &v->people[i];

		fputs("<tr><th scope=\"row\">", to);
		put_who(to, p->who, p->practitioner);
		fputs("</th>", to);
		put_shares(to, p->basis);
		put_number(to, p->reads);
		put_number(to, p->writes);
		put_number(to, p->journals);
		put_number(to, p->basis[POLICY_TALLY_EMERGENCY]);
		put_number(to, p->basis[POLICY_TALLY_OWN]);
		put_number(to, p->basis[POLICY_TALLY_SHARED]);
		put_number(to, p->refused);
		fputs("</tr>\n", to);
	}
	close_table(to, shown, v->people_count, "people");
}

void tools_report_journals(FILE *to, const struct policy_tally_view *v)
{
	static const char *const titles[] = {"Journal", "Basis",     "Opened", "Changed",
					     "People",	"Emergency", "Refused"};
	size_t shown = v->journal_count < SHOWN ? v->journal_count : SHOWN;

	open_table(to, "journals with most accesses");
	put_head(to, titles, 7, 2);
	for (size_t i = 0; i < shown; i++) {
		const struct policy_tally_journal *j = &v->journals[i];

		fputs("<tr><th scope=\"row\" class=\"name\">", to);
		put_journal(to, j->name, j->journal);
		fputs("</th>", to);
		put_shares(to, j->basis);
		put_number(to, j->reads);
		put_number(to, j->writes);
		put_number(to, j->people);
		put_number(to, j->basis[POLICY_TALLY_EMERGENCY]);
		put_number(to, j->refused);
		fputs("</tr>\n", to);
	}
	close_table(to, shown, v->journal_count, "journals");
}

/* ---- alarms and sign-offs */

static void put_events(FILE *to, const char *label, const struct policy_tally_event *events,
		       size_t n, uint64_t all)
{
	static const char *const titles[] = {"When", "Who", "What"};

	open_table(to, label);
	put_head(to, titles, 3, 3);
	for (size_t i = 0; i < n; i++) {
		fputs("<tr><td>", to);
		tools_html_time(to, events[i].time_ns, 0);
		put_text(to, "</td><td>", events[i].who, "</td>");
		put_text(to, "<td class=\"wide\">", events[i].text, "</td></tr>\n");
	}
	close_table(to, n, (size_t)all, label);
}

void tools_report_events(FILE *to, const struct policy_tally_view *v)
{
	fputs("<section><h2 id=\"alarms\">Alarms</h2>\n", to);
	if (v->alarm_count)
		put_events(to, "alarms", v->alarm_list, v->alarm_count, v->alarms);
	else
		fputs("<p class=\"soft\">None.</p>\n", to);
	fputs("</section>\n<section><h2>Reviews of the log that were signed off</h2>\n", to);
	if (v->sign_off_count)
		put_events(to, "reviews", v->sign_offs, v->sign_off_count, v->signed_off);
	else
		fputs("<p class=\"soft\">None in this period.</p>\n", to);
	fputs("</section>\n", to);
}
