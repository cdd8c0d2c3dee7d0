/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/review_text.c - the access review as a report for people, and what follows from all of it.
 *
 * Whoever signs it off answers for it: so it says what it can't know (who runs the
 * daemon, how access was used when no auditor contributed that), instead of
 * leaving it out.
 */
#include <string.h>

#include "plain.h"
#include "policy_text.h"
#include "review.h"
#include "when.h"

static const char *const rights[] = { "list",	"read",	       "write",	 "create", "finalize", "export",
				      "break-glass", "policy", "audit", "review", "attend", "history" };
#define RIGHTS (sizeof(rights) / sizeof(rights[0]))

static bool has(const json_t *person, const char *right)
{
	const json_t *list = json_object_get(person, "rights");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)), right))
			return true;
	return false;
}

static bool in_state(const json_t *person, const char *state)
{
	return !strcmp(tools_policy_text_of(person, "state"), state);
}

/* Active, and their time has begun and not ended. */
static bool active(const struct review *r, const json_t *person)
{
	json_int_t now = tools_policy_number_of(r->head, "time_s");
	const json_t *from = json_object_get(person, "from_s");
	const json_t *until = json_object_get(person, "until_s");

	return in_state(person, "active") &&
	       !(json_is_integer(from) && json_integer_value(from) > now) &&
	       !(json_is_integer(until) && json_integer_value(until) <= now);
}

static void heading(FILE *to, const char *text)
{
	fprintf(to, "\n%s\n", text);
	for (size_t i = 0; i < strlen(text); i++)
		fputc('-', to);
	fputc('\n', to);
}

/* ---- head ---- */

/* Emergency accesses: how many there were, and what of them is not done with. */
static void put_emergencies(const struct review *r, FILE *to)
{
	const json_t *n = json_object_get(r->head, "emergency");
	long long overdue = (long long)tools_policy_number_of(n, "overdue");

	fprintf(to, "%-16s %lld %s; of all: %lld to be judged, %lld %s, %lld deviations open%s\n",
		"emergencies", (long long)tools_policy_number_of(n, "since"),
		json_is_object(json_object_get(r->head, "last")) ? "since the last sign-off" : "so far",
		(long long)tools_policy_number_of(n, "pending"), overdue, overdue ? "OVERDUE" : "overdue",
		(long long)tools_policy_number_of(n, "deviations"),
		overdue || tools_policy_number_of(n, "pending") ||
				tools_policy_number_of(n, "deviations")
			? " (journalfs review)"
			: "");
}

static void put_head(const struct review *r, FILE *to)
{
	const json_t *last = json_object_get(r->head, "last");
	char when[32], since[32];

	fputs("ACCESS REVIEW  ", to);
	tools_plain_put(to, tools_policy_text_of(r->head, "title"), 0);
	if (r->unit)
		fprintf(to, ", unit %s", r->unit);
	fprintf(to, "\n\n%-16s %s\n", "made",
		tools_when_text(tools_policy_number_of(r->head, "time_s"), when));
	fprintf(to, "%-16s version %lld of the practice policy, %lld of all policy\n", "policy",
		(long long)tools_policy_number_of(r->head, "practice"),
		(long long)tools_policy_number_of(r->head, "version"));
	fprintf(to, "%-16s %lld\n%-16s %lld\n", "practitioners",
		(long long)tools_policy_number_of(r->head, "practitioners"), "journals",
		(long long)tools_policy_number_of(r->head, "journals"));
	if (json_is_object(last))
		fprintf(to, "%-16s number %lld, %s by %s, SHA-256 %s\n", "last sign-off",
			(long long)tools_policy_number_of(last, "number"),
			tools_when_text(tools_policy_number_of(last, "time_s"), when),
			tools_policy_text_of(last, "who"), tools_policy_text_of(last, "digest"));
	else
		fprintf(to, "%-16s none yet\n", "last sign-off");
	put_emergencies(r, to);
	if (r->usage)
		fprintf(to, "%-16s as an auditor took it from the access log on %s, since %s\n", "usage",
			tools_when_day(tools_usage_made(r->usage), when),
			tools_usage_since(r->usage) ? tools_when_day(tools_usage_since(r->usage), since)
						    : "its beginning");
	else
		fprintf(to, "%-16s unknown: an auditor contributes it (journalfs audit usage)\n",
			"usage");
}

static void put_changes(const struct review *r, FILE *to)
{
	const json_t *list = json_object_get(r->changes, "practice"), *v;
	char when[32];
	size_t i;

	heading(to, json_is_object(json_object_get(r->head, "last"))
			    ? "Changes of policy since the last sign-off"
			    : "Changes of policy so far");
	json_array_foreach((json_t *)list, i, v) {
		fprintf(to, "  version %-6lld %s  ", (long long)tools_policy_number_of(v, "version"),
			tools_when_text(tools_policy_number_of(v, "time_s"), when));
		tools_plain_pad(to, *tools_policy_text_of(v, "who") ? tools_policy_text_of(v, "who")
								    : "(the vault's root)", 12);
		fprintf(to, "  practice  +%lld -%lld",
			(long long)tools_policy_number_of(v, "added"),
			(long long)tools_policy_number_of(v, "removed"));
		if (*tools_policy_text_of(v, "reason")) {
			fputs("  why: ", to);
			tools_plain_put(to, tools_policy_text_of(v, "reason"), 0);
		}
		fputc('\n', to);
	}
	fprintf(to, "  and of journals' policies: versions %lld, journals %lld (journalfs policy log)\n",
		(long long)tools_policy_number_of(r->changes, "versions"),
		(long long)tools_policy_number_of(r->head, "changed"));
}

/* ---- people ---- */

/* "until 2026-12-31", "from ..", or "". */
static const char *validity(const json_t *person, char out[static 80])
{
	const json_t *from = json_object_get(person, "from_s");
	const json_t *until = json_object_get(person, "until_s");
	char day[32];
	int n = 0;

	out[0] = '\0';
	if (json_is_integer(from))
		n = snprintf(out, 80, "from %s", tools_when_day(json_integer_value(from), day));
	if (json_is_integer(until))
		snprintf(out + n, 80 - (size_t)n, "%suntil %s", n ? " " : "",
			 tools_when_end(json_integer_value(until), day));
	return out;
}

static void put_people(const struct review *r, FILE *to)
{
	const json_t *p;
	char valid[80];
	size_t i;

	heading(to, "Practitioners");
	fprintf(to, "  %-16s %-14s %-12s %-9s %-9s %-17s %-32s %s\n", "name", "role", "unit", "state",
		"enrolled", "account", "valid", "rights");
	json_array_foreach((json_t *)r->people, i, p) {
		const json_t *list = json_object_get(p, "rights");

		fprintf(to, "  %-16s %-14s %-12s %-9s %-9s %-17s %-32s", tools_policy_text_of(p, "who"),
			tools_policy_text_of(p, "role"),
			*tools_policy_text_of(p, "unit") ? tools_policy_text_of(p, "unit") : "-",
			tools_policy_text_of(p, "state"),
			json_is_true(json_object_get(p, "enrolled")) ? "yes" : "no",
			tools_policy_text_of(p, "account"),
			*validity(p, valid) ? valid : "-");
		for (size_t k = 0; k < json_array_size(list); k++)
			fprintf(to, " %s", json_string_value(json_array_get(list, k)));
		fputc('\n', to);
	}
}

static void put_names(const struct review *r, const char *state, FILE *to)
{
	const json_t *p;
	bool any = false;
	size_t i;

	fprintf(to, "  %-9s", state);
	json_array_foreach((json_t *)r->people, i, p) {
		if (!in_state(p, state))
			continue;
		fprintf(to, "%s %s", any ? "," : "", tools_policy_text_of(p, "who"));
		any = true;
	}
	fputs(any ? "\n" : " nobody\n", to);
}

/* ---- duties ---- */

/* The duties that ought to be different persons', as one of them holds them: "steward, auditor". */
static unsigned duties(const json_t *person, char out[static 64])
{
	const struct {
		const char *name;
		bool held;
	} of[] = {
		{ "steward", has(person, "policy") },
		{ "auditor", has(person, "audit") || has(person, "review") },
		{ "clinical", json_is_true(json_object_get(person, "clinical")) },
	};
	unsigned n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		if (!of[i].held)
			continue;
		snprintf(out + strlen(out), 64 - strlen(out), "%s%s", n ? ", " : "", of[i].name);
		n++;
	}
	return n;
}

static void put_duties(const struct review *r, FILE *to)
{
	const json_t *p;
	bool any = false;
	char text[64];
	size_t i;

	heading(to, "Separation of duties");
	json_array_foreach((json_t *)r->people, i, p) {
		if (!active(r, p) || duties(p, text) < 2)
			continue;
		fprintf(to, "  %s holds several duties: %s\n", tools_policy_text_of(p, "who"), text);
		any = true;
	}
	if (!any)
		fputs("  nobody is more than one of steward, auditor and clinical practitioner\n", to);
	fputs("  operator: unknown to journalfs; whoever runs the daemon and its backups should be none "
	      "of these\n", to);
}

/* The only active practitioner with this right, or NULL; *n is how many there are. */
static const json_t *only(const struct review *r, const char *right, unsigned *n)
{
	const json_t *p, *found = NULL;
	size_t i;

	*n = 0;
	json_array_foreach((json_t *)r->people, i, p) {
		if (!active(r, p) || !has(p, right))
			continue;
		found = p;
		++*n;
	}
	return *n == 1 ? found : NULL;
}

static void put_only(const struct review *r, FILE *to)
{
	const json_t *p;
	bool any = false;
	unsigned n;
	size_t i;

	heading(to, "What nobody else may");
	for (size_t k = 0; k < RIGHTS; k++) {
		p = only(r, rights[k], &n);
		if (!p)
			continue;
		fprintf(to, "  %s alone has the right %s\n", tools_policy_text_of(p, "who"), rights[k]);
		any = true;
	}
	json_array_foreach((json_t *)r->people, i, p) {
		if (!json_object_get(p, "alone"))
			continue;
		fprintf(to, "  journals that %s alone reads: %lld\n", tools_policy_text_of(p, "who"),
			(long long)tools_policy_number_of(p, "alone"));
		any = true;
	}
	if (!any)
		fputs("  nothing\n", to);
}

int tools_review_print(const struct review *r, const char *access_text, FILE *to)
{
	put_head(r, to);
	if (r->changes)
		put_changes(r, to);
	put_people(r, to);
	heading(to, "On leave and left");
	put_names(r, "on leave", to);
	put_names(r, "left", to);
	put_duties(r, to);
	/* With a part of the people nobody can be said to be alone. */
	if (!r->unit)
		put_only(r, to);
	heading(to, "Access");
	fputs("Each journal counts once, under the strongest ground; own entries, stated care and blocks are "
	      "listed.\n", to);
	fputs(access_text, to);
	return ferror(to) ? -1 : 0;
}

int tools_review_print_json_end(const struct review *r, FILE *to)
{
	const json_t *p;
	char text[64];
	unsigned n;
	size_t i;

	if (r->changes)
		fprintf(to,
			"{\"item\":\"changes\",\"practice_versions\":%zu,"
			"\"journal_versions\":%lld}\n",
			json_array_size(json_object_get(r->changes, "practice")),
			(long long)tools_policy_number_of(r->changes, "versions"));
	json_array_foreach((json_t *)r->people, i, p) {
		if (active(r, p) && duties(p, text) >= 2)
			fprintf(to, "{\"item\":\"duties\",\"who\":\"%s\",\"duties\":\"%s\"}\n",
				tools_policy_text_of(p, "who"), text);
	}
	for (size_t k = 0; k < RIGHTS && !r->unit; k++) {
		p = only(r, rights[k], &n);
		if (p)
			fprintf(to, "{\"item\":\"only\",\"who\":\"%s\",\"right\":\"%s\"}\n",
				tools_policy_text_of(p, "who"), rights[k]);
	}
	return ferror(to) ? -1 : 0;
}
