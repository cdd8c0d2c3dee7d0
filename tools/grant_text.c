/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/grant_text.c - emergency accesses as people read them.
 *
 * What was done is gathered by act and note, with first and last time: a reviewer asks
 * what was opened, not in which order the programs did it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../fs/break_glass.h"
#include "../policy/span.h"
#include "grant_text.h"
#include "plain.h"
#include "policy_text.h"
#include "when.h"

#define PROPOSED_DAYS 90

#define TEXT tools_policy_text_of
#define NUMBER tools_policy_number_of

static void put_quoted(FILE *to, const char *text)
{
	fputc('"', to);
	tools_plain_put(to, text, 0);
	fputc('"', to);
}

/* The journal's name; of one that was removed, or whose name is not shown, its number. */
static void put_journal(FILE *to, const json_t *of)
{
	if (*TEXT(of, "journal"))
		put_quoted(to, TEXT(of, "journal"));
	else
		fprintf(to, "number %lld (removed, or not shown to you)",
			(long long)NUMBER(of, "index"));
}

static bool is(const json_t *of, const char *key, const char *text)
{
	return !strcmp(TEXT(of, key), text);
}

/* ---- the table ---- */

enum rank { OVERDUE, PENDING, DEVIATION, OPEN, DONE };

static enum rank rank_of(const json_t *g)
{
	if (json_is_true(json_object_get(g, "overdue")))
		return OVERDUE;
	return is(g, "state", "pending-review") ? PENDING
	       : is(g, "state", "deviation")	? DEVIATION
	       : is(g, "state", "open")		? OPEN
						: DONE;
}

static const char *flag_text(const char *word)
{
	const char *text, *one;

	for (unsigned n = 0; (one = fs_glass_flag_word(UINT8_MAX, n, &text)); n++)
		if (!strcmp(one, word))
			return text;
	return word;
}

static void put_row(const json_t *g, FILE *to)
{
	const json_t *flags = json_object_get(g, "flags"), *flag;
	enum rank rank = rank_of(g);
	char when[32];
	size_t i;

	fprintf(to, "%6lld  %-14s  %s  ", (long long)NUMBER(g, "number"),
		rank == OVERDUE ? "OVERDUE" : TEXT(g, "state"),
		tools_when_text(NUMBER(g, "from_s"), when));
	tools_plain_pad(to, TEXT(g, "who"), 12);
	fputs("  ", to);
	put_journal(to, g);
	if (rank == OVERDUE || rank == PENDING)
		fprintf(to, "  due %s", tools_when_text(NUMBER(g, "due_s"), when));
	else if (rank == OPEN)
		fprintf(to, "  until %s", tools_when_text(NUMBER(g, "until_s"), when));
	else if (NUMBER(g, "deviation"))
		fprintf(to, "  deviation %lld", (long long)NUMBER(g, "deviation"));
	json_array_foreach((json_t *)flags, i, flag)
		fprintf(to, "%s%s", i ? ", " : "  ", json_string_value(flag));
	fputc('\n', to);
}

void tools_grant_table(const json_t *list, int all, FILE *to)
{
	size_t shown = 0, i;
	const json_t *g;

	for (int rank = OVERDUE; rank <= (all ? DONE : OPEN); rank++) {
		json_array_foreach((json_t *)list, i, g)
		{
			if ((int)rank_of(g) != rank)
				continue;
			if (!shown++)
				fprintf(to, "%6s  %-14s  %-16s  %-12s  %s\n", "number", "state",
					"opened", "by", "journal");
			put_row(g, to);
		}
	}
	if (!shown && json_array_size(list))
		fprintf(to, "Nothing is open or waits to be judged (--all shows all %zu).\n",
			json_array_size(list));
	else if (!shown)
		fprintf(to, "No emergency access is to be shown.\n");
}

/* ---- one in full ---- */

static void put_label(FILE *to, const char *label)
{
	fprintf(to, "%-11s ", label);
}

static void put_person(const json_t *g, FILE *to)
{
	put_label(to, "who");
	tools_plain_put(to, TEXT(g, "who"), 0);
	if (*TEXT(g, "role")) {
		fprintf(to, " (%s", TEXT(g, "role"));
		if (*TEXT(g, "unit"))
			fprintf(to, ", %s", TEXT(g, "unit"));
		fputs(" then)", to);
	}
	fputc('\n', to);
	put_label(to, "journal");
	put_journal(to, g);
	fputc('\n', to);
}

static void put_why(const json_t *g, FILE *to)
{
	const json_t *flag;
	size_t i;

	put_label(to, "ground");
	fprintf(to, "%s\n", TEXT(g, "ground_text"));
	put_label(to, "reason");
	put_quoted(to, TEXT(g, "reason"));
	fputc('\n', to);
	json_array_foreach(json_object_get(g, "flags"), i, flag)
	{
		put_label(to, i ? "" : "notable");
		fprintf(to, "%s\n", flag_text(json_string_value(flag)));
	}
}

static void put_times(const json_t *g, FILE *to)
{
	static const struct {
		const char *word, *text;
	} ends[] = {
		{"expired", "when its time was over"},
		{"closed", "by who opened it"},
		{"withdrawn", "withdrawn: role, leave, identity or journal had changed"},
	};
	char from[32], until[32];

	put_label(to, "opened");
	fprintf(to, "%s, until %s at most\n", tools_when_text(NUMBER(g, "from_s"), from),
		tools_when_text(NUMBER(g, "until_s"), until));
	put_label(to, "ended");
	if (is(g, "end", "open"))
		fputs("not yet\n", to);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (is(g, "end", ends[i].word))
			fprintf(to, "%s, %s\n", tools_when_text(NUMBER(g, "ended_s"), until),
				ends[i].text);
}

static void put_verdict(const json_t *g, FILE *to)
{
	char when[32];

	put_label(to, "review");
	if (!*TEXT(g, "verdict")) {
		fprintf(to, "%s %s\n",
			json_is_true(json_object_get(g, "overdue")) ? "OVERDUE: was due" : "due",
			tools_when_text(NUMBER(g, "due_s"), when));
		return;
	}
	fprintf(to, "%s, ", TEXT(g, "verdict"));
	tools_plain_put(to, TEXT(g, "reviewer"), 0);
	fprintf(to, " %s: ", tools_when_text(NUMBER(g, "reviewed_s"), when));
	put_quoted(to, TEXT(g, "note"));
	fputc('\n', to);
	if (!NUMBER(g, "deviation"))
		return;
	put_label(to, "deviation");
	fprintf(to, "%lld, ", (long long)NUMBER(g, "deviation"));
	if (is(g, "state", "closed")) {
		fputs("closed: ", to);
		put_quoted(to, TEXT(g, "settled"));
		fputc('\n', to);
	} else {
		fputs("open\n", to);
	}
}

void tools_grant_print(const json_t *g, FILE *to)
{
	fprintf(to, "EMERGENCY ACCESS %lld  %s\n\n", (long long)NUMBER(g, "number"),
		TEXT(g, "state"));
	put_person(g, to);
	put_why(g, to);
	put_times(g, to);
	put_verdict(g, to);
}

/* ---- what was done ---- */

static const struct {
	const char *kind, *text;
} kinds[] = {
	{"open", "opened"},
	{"list", "listed"},
	{"create", "made"},
	{"write", "wrote"},
	{"delete", "removed"},
	{"rename", "renamed"},
	{"attribute", "changed what is noted of"},
	{"refused", "REFUSED"},
};

static void add_number(json_t *to, const char *key, json_int_t n)
{
	json_object_set_new(to, key, json_integer(NUMBER(to, key) + n));
}

/* What the note of an act is called: records of refusals know its number alone. */
static const char *name_of(const json_t *names, const json_t *act)
{
	const char *name = json_string_value(json_object_get(names, TEXT(act, "note")));

	return !*TEXT(act, "name") && name ? name : TEXT(act, "name");
}

static json_t *group_of(json_t *groups, const char *kind, const char *name, const char *name2,
			const char *detail, bool make)
{
	size_t len = strlen(kind) + strlen(name) + strlen(name2) + strlen(detail) + 8;
	char *key = malloc(len);
	json_t *group = NULL;

	if (!key)
		return NULL;
	snprintf(key, len, "%s %s/%s/%s", kind, name, name2, detail);
	group = json_object_get(groups, key);
	if (!group && make) {
		group = json_pack("{s:s, s:s, s:s, s:s}", "kind", kind, "name", name, "name2",
				  name2, "detail", detail);
		if (json_object_set_new(groups, key, group))
			group = NULL;
	}
	free(key);
	return group;
}

/* What was read and written is told when a note is closed; whoever makes a note has it open too. */
static void gather_close(json_t *groups, const char *name, const json_t *act)
{
	json_t *group = group_of(groups, "open", name, "", "", false);

	if (!group)
		group = group_of(groups, "create", name, "", "", false);
	if (!group)
		return;
	add_number(group, "bytes_read", NUMBER(act, "bytes_read"));
	add_number(group, "bytes_written", NUMBER(act, "bytes_written"));
}

static int gather_one(json_t *groups, const json_t *names, const json_t *act)
{
	const char *name = name_of(names, act);
	json_t *group;

	if (is(act, "kind", "close")) {
		gather_close(groups, name, act);
		return 0;
	}
	group = group_of(groups, TEXT(act, "kind"), name, TEXT(act, "name2"),
			 is(act, "kind", "refused") ? TEXT(act, "detail") : "", true);
	if (!group)
		return -ENOMEM;
	if (!NUMBER(group, "count"))
		json_object_set(group, "first", json_object_get(act, "time_s"));
	add_number(group, "count", NUMBER(act, "count"));
	json_object_set(group, "last", json_object_get(act, "time_s"));
	return 0;
}

/* Names by the notes' numbers. */
static json_t *names_of(const json_t *acts)
{
	json_t *names = json_object();
	const json_t *act;
	size_t i;

	json_array_foreach((json_t *)acts, i, act)
	{
		if (*TEXT(act, "name") && !is(act, "note", "0"))
			json_object_set(names, TEXT(act, "note"), json_object_get(act, "name"));
	}
	return names;
}

static void put_group(const char *text, const json_t *group, FILE *to)
{
	char first[32], last[32];

	fprintf(to, "  %-9s ", text);
	if (*TEXT(group, "name"))
		put_quoted(to, TEXT(group, "name"));
	else
		fputs("the journal itself", to);
	if (*TEXT(group, "name2")) {
		fputs(" -> ", to);
		put_quoted(to, TEXT(group, "name2"));
	}
	if (*TEXT(group, "detail")) {
		fputs("  ", to);
		tools_plain_put(to, TEXT(group, "detail"), 0);
	}
	fprintf(to, "  %lld %s, %s", (long long)NUMBER(group, "count"),
		NUMBER(group, "count") == 1 ? "time" : "times",
		tools_when_text(NUMBER(group, "first"), first));
	if (strcmp(first, tools_when_text(NUMBER(group, "last"), last)) && NUMBER(group, "last"))
		fprintf(to, " to %s", last);
	if (NUMBER(group, "bytes_read"))
		fprintf(to, ", %lld bytes read", (long long)NUMBER(group, "bytes_read"));
	if (NUMBER(group, "bytes_written"))
		fprintf(to, ", %lld bytes written", (long long)NUMBER(group, "bytes_written"));
	fputc('\n', to);
}

static void put_before(const json_t *acts, FILE *to)
{
	const json_t *act;
	bool any = false;
	char when[32];
	size_t i;

	json_array_foreach((json_t *)acts, i, act)
	{
		if (!json_is_true(json_object_get(act, "before")))
			continue;
		if (!any)
			fputs("\nOn the way to it, in the hour before\n", to);
		any = true;
		fprintf(to, "  %s  %s", tools_when_text(NUMBER(act, "time_s"), when),
			is(act, "kind", "refused") ? "REFUSED " : "");
		tools_plain_put(to, TEXT(act, "detail"), 0);
		fputc('\n', to);
	}
}

int tools_grant_acts(const json_t *acts, FILE *to)
{
	json_t *groups = json_object(), *names = names_of(acts), *group;
	json_int_t reach = 0;
	const json_t *act;
	const char *key;
	bool any = false;
	size_t i;
	int rc = groups && names ? 0 : -ENOMEM;

	json_array_foreach((json_t *)acts, i, act)
	{
		if (is(act, "kind", "intent"))
			reach += NUMBER(act, "notes");
		else if (!rc && !json_is_true(json_object_get(act, "before")))
			rc = gather_one(groups, names, act);
	}
	fputs("\nWhat was done under it\n", to);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]) && !rc; k++) {
		json_object_foreach(groups, key, group)
		{
			if (!is(group, "kind", kinds[k].kind))
				continue;
			put_group(kinds[k].text, group, to);
			any = true;
		}
	}
	if (!any)
		fputs("  nothing\n", to);
	if (reach)
		fprintf(to,
			"  %lld note%s within reach: programs could have read those of the "
			"folders looked into\n",
			(long long)reach, reach == 1 ? " was" : "s were");
	put_before(acts, to);
	json_decref(groups);
	json_decref(names);
	return rc;
}

/* ---- what is proposed ---- */

void tools_grant_proposal(const json_t *p, int64_t now_s, FILE *to)
{
	int32_t today = (int32_t)(now_s / POLICY_DAY_S);
	char first[32], last[32], from[24], until[24];

	fputs("# ", to);
	tools_plain_put(to, TEXT(p, "who"), 0);
	fputs(" and ", to);
	put_quoted(to, TEXT(p, "journal"));
	fprintf(to, ": %lld emergency accesses from %s to %s", (long long)NUMBER(p, "count"),
		tools_when_day(NUMBER(p, "first_s"), first),
		tools_when_day(NUMBER(p, "last_s"), last));
	if (NUMBER(p, "unjustified"))
		fprintf(to, ", %lld of them judged unjustified",
			(long long)NUMBER(p, "unjustified"));
	fputs(".\n", to);
	if (json_is_true(json_object_get(p, "admitted"))) {
		fputs("# The policy admits this practitioner by now.\n", to);
		return;
	}
	if (json_is_true(json_object_get(p, "blocked"))) {
		fputs("# The patient's block stands in the way: no entry passes it. Speak with the "
		      "patient.\n",
		      to);
		return;
	}
	fputs("# Is this ordinary care? Then, in the journal's own file (journalfs policy edit ",
	      to);
	put_quoted(to, TEXT(p, "journal"));
	fputs("):\n", to);
	policy_span_date_text(today, from);
	policy_span_date_text(today + PROPOSED_DAYS, until);
	fprintf(to,
		"allow user:%s:r-x from %s until %s reason \"%lld emergency accesses in %d "
		"days\"\n",
		TEXT(p, "who"), from, until, (long long)NUMBER(p, "count"),
		FS_GLASS_PAIR_S / POLICY_DAY_S);
}
