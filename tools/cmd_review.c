/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_review.c - review: emergency accesses, what was done under each, and the verdict.
 *
 * (`policy review`, the yearly access review, is another command.) Who sees which, and who
 * judges, is the daemon's to say; here a verdict is asked for at a terminal when no option
 * gives it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../fs/break_glass.h"
#include "client.h"
#include "grant_text.h"
#include "policy_text.h"
#include "prompt.h"

#define NUMBER_MAX UINT32_MAX

/* All members of the array `key`, over all messages; *first (may be NULL) gets the object of that
 * name. */
static int receive(struct client *cl, json_t *rq, const char *key, json_t *all, const char *name,
		   json_t **first)
{
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl, rq, NULL, 0, -1, &m);
	while (!rc) {
		const char *notice = json_string_value(json_object_get(m.json, "notice"));

		if (first && !*first && json_object_get(m.json, name))
			*first = json_incref(json_object_get(m.json, name));
		json_array_extend(all, json_object_get(m.json, key));
		if (first && *first && json_is_true(json_object_get(m.json, "withheld")))
			json_object_set_new(*first, "withheld", json_true());
		/* Not among what programs may read. */
		if (notice)
			tools_fail("%s", notice);
		if (!json_is_true(json_object_get(m.json, "more")))
			break;
		rc = tools_client_next(cl, &m);
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int flushed(void)
{
	return fflush(stdout) ? tools_fail("the output could not be written") : TOOL_OK;
}

static void print_lines(const json_t *all)
{
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)all, i, one)
	{
		json_dumpf(one, stdout, JSON_COMPACT);
		putchar('\n');
	}
}

/* ---- all of them ---- */

static int list(struct tool_options *o, struct client *cl)
{
	json_t *all = json_array();
	int rc = receive(cl, json_pack("{s:s}", "verb", "grants"), "grants", all, NULL, NULL);

	if (!rc && o->json)
		print_lines(all);
	else if (!rc)
		tools_grant_table(all, o->all, stdout);
	json_decref(all);
	return rc ? rc : flushed();
}

static int propose(struct tool_options *o, struct client *cl)
{
	json_t *all = json_array();
	const json_t *one;
	size_t i;
	int rc = receive(cl, json_pack("{s:s}", "verb", "grant-pairs"), "pairs", all, NULL, NULL);

	if (!rc && o->json)
		print_lines(all);
	else if (!rc)
		json_array_foreach(all, i, one)
			tools_grant_proposal(one, (int64_t)time(NULL), stdout);
	if (!rc && !o->json && !json_array_size(all))
		printf("# Nobody opened the same journal by emergency %u times or more in %d "
		       "days.\n",
		       FS_GLASS_PAIR_LEAST, FS_GLASS_PAIR_S / 86400);
	json_decref(all);
	return rc ? rc : flushed();
}

/* ---- a verdict ---- */

static int judge(struct client *cl, json_int_t number, const char *verdict, const char *note)
{
	struct fs_wire_message m;
	json_int_t deviation;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			       json_pack("{s:s, s:I, s:s, s:s}", "verb", "grant-judge", "number",
					 number, "verdict", verdict, "note", note),
			       NULL, 0, -1, &m);
	deviation = json_integer_value(json_object_get(m.json, "deviation"));
	if (!rc && !strcmp(verdict, "settled"))
		printf("Deviation %lld is closed.\n", (long long)deviation);
	else if (!rc && deviation)
		printf("Emergency access %lld is judged unjustified: deviation %lld is open. Close "
		       "it "
		       "with --settled when it has been dealt with.\n",
		       (long long)number, (long long)deviation);
	else if (!rc)
		printf("Emergency access %lld is judged %s.\n", (long long)number, verdict);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : flushed();
}

static int ask_note(char out[static FS_GLASS_TEXT_MAX + 2])
{
	if (!isatty(STDIN_FILENO))
		return tools_fail("say what was found with --note \"...\": it stands in the log");
	fputs("What was found, in one line?\n> ", stderr);
	if (!fgets(out, FS_GLASS_TEXT_MAX + 2, stdin))
		return tools_fail("no note was given; nothing was judged");
	out[strcspn(out, "\n")] = '\0';
	return TOOL_OK;
}

static int judge_noted(struct tool_options *o, struct client *cl, json_int_t number,
		       const char *verdict)
{
	char typed[FS_GLASS_TEXT_MAX + 2];

	if (!o->note && ask_note(typed))
		return TOOL_FAILED;
	return judge(cl, number, verdict, o->note ? o->note : typed);
}

/* At a terminal: what was shown is judged at once, by whoever may. */
static int ask_verdict(struct tool_options *o, struct client *cl, const json_t *grant)
{
	const char *state = tools_policy_text_of(grant, "state");
	json_int_t number = tools_policy_number_of(grant, "number");
	char choice;

	if (json_is_true(json_object_get(grant, "mine")) || !isatty(STDIN_FILENO) ||
	    !isatty(STDOUT_FILENO))
		return TOOL_OK;
	if (!strcmp(state, "pending-review")) {
		choice = tools_prompt_choice(
			"\nJustified, unjustified, or leave it as it is (j/u/l)? ", "jul");
		if (choice == 'j' || choice == 'u')
			return judge_noted(o, cl, number,
					   choice == 'j' ? "justified" : "unjustified");
	} else if (!strcmp(state, "deviation")) {
		choice = tools_prompt_choice("\nClose its deviation, or leave it open (c/l)? ",
					     "cl");
		if (choice == 'c')
			return judge_noted(o, cl, number, "settled");
	}
	return TOOL_OK;
}

/* ---- one of them ---- */

static int show(struct tool_options *o, struct client *cl, json_int_t number)
{
	json_t *acts = json_array(), *grant = NULL;
	int rc = receive(cl, json_pack("{s:s, s:I}", "verb", "grant-show", "number", number),
			 "acts", acts, "grant", &grant);

	if (!rc && !grant)
		rc = tools_fail("the daemon's answer has no emergency access in it");
	if (!rc && o->json) {
		json_object_set(grant, "acts", acts);
		json_dumpf(grant, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!rc) {
		tools_grant_print(grant, stdout);
		if (!json_object_get(grant, "withheld") && tools_grant_acts(acts, stdout))
			rc = tools_fail("out of memory");
	}
	if (!rc)
		rc = flushed();
	if (!rc && !o->json)
		rc = ask_verdict(o, cl, grant);
	json_decref(acts);
	json_decref(grant);
	return rc;
}

static bool number_of(const char *text, json_int_t *out)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	*out = (json_int_t)n;
	return *text >= '1' && *text <= '9' && !*end && n <= NUMBER_MAX;
}

/* What is wrong with how it was called; NULL: nothing. */
static const char *misuse(const struct tool_options *o, int argc, char **argv, json_int_t *number)
{
	int verdicts = o->justified + o->unjustified + o->settled;

	if (argc && !number_of(argv[0], number))
		return "review takes the number of an emergency access (`journalfs review` lists "
		       "them)";
	if (verdicts > 1)
		return "a verdict is one of --justified, --unjustified, --settled";
	if (verdicts && !argc)
		return "a verdict needs the number of the emergency access";
	if (o->note && !verdicts)
		return "--note goes with --justified, --unjustified or --settled";
	if (argc && (o->all || o->propose))
		return "--all and --propose are about all emergency accesses: give no number";
	if (verdicts && o->json)
		return "--json is for what is shown, not for a verdict";
	return NULL;
}

int tools_cmd_review(struct tool_options *o, int argc, char **argv)
{
	struct client cl = {.sock = -1};
	json_int_t number = 0;
	const char *wrong = misuse(o, argc, argv, &number);
	struct conf c;
	int rc;

	if (wrong)
		return tools_usage("%s", wrong);
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	if (o->justified || o->unjustified || o->settled)
		rc = judge_noted(o, &cl, number,
				 o->justified	  ? "justified"
				 : o->unjustified ? "unjustified"
						  : "settled");
	else if (argc)
		rc = show(o, &cl, number);
	else
		rc = o->propose ? propose(o, &cl) : list(o, &cl);
	tools_client_close(&cl);
	return rc;
}
