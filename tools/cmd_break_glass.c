/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_break_glass.c - break-glass: emergency access past the policy.
 *
 * Asks for the ground and a reason in own words, says what will happen and asks once
 * more; a patient's block is a step of its own. With --ground, --reason and --yes
 * nothing is asked (for scripts); --past-block then takes the second step. With --stdin
 * all words come from standard input (glass_words.h), as dialogs give them: arguments
 * can be read by everybody on the host. Without a name, at a terminal, asks for a part of it.
 * Who may, and how often, is the practice policy's, judged by the daemon.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fs/break_glass.h"
#include "../keys/slab.h"
#include "client.h"
#include "factor.h"
#include "glass_words.h"
#include "prompt.h"
#include "when.h"

struct emergency {
	struct tool_options *o;
	struct client cl;
	const char *journal, *search; /* exact name or a part; NULL: not given */
	const char *ground, *reason;
	bool past_block;
	struct tools_glass_words *words; /* --stdin */
	char typed_journal[256 + 2];
	char typed_ground[16], typed_reason[FS_GLASS_TEXT_MAX + 2];
	struct prompt_secret *code;
	struct client_credentials *cr; /* passphrase and key file */
	struct fs_wire_message seen;   /* what `glass-ask` answered */
};

static bool is(const struct emergency *e, const char *name)
{
	return json_is_true(json_object_get(e->seen.json, name));
}

static long long number(const struct emergency *e, const char *name)
{
	return json_integer_value(json_object_get(e->seen.json, name));
}

/* ---- the other uses ---- */

static int find(struct client *cl, const char *part, struct fs_wire_message *m)
{
	return tools_client_call(cl, json_pack("{s:s, s:s}", "verb", "glass-search", "part", part), NULL,
				 0, -1, m)
		       ? TOOL_FAILED
		       : TOOL_OK;
}

static void say_found(const struct fs_wire_message *m)
{
	if (!json_array_size(json_object_get(m->json, "journals")))
		fprintf(stderr, "no journal's name has that part\n");
	if (json_is_true(json_object_get(m->json, "others")))
		fprintf(stderr, "there are more: give more of the name\n");
}

static int search(struct client *cl, const char *part)
{
	struct fs_wire_message m;
	const json_t *name;
	size_t i;
	int rc;

	fs_wire_message_init(&m);
	rc = find(cl, part, &m);
	if (!rc) {
		json_array_foreach(json_object_get(m.json, "journals"), i, name)
			puts(json_string_value(name));
		say_found(&m);
	}
	fs_wire_message_clear(&m);
	return rc;
}

static int close_one(struct client *cl, const char *journal)
{
	if (tools_client_do(cl, json_pack("{s:s, s:s}", "verb", "glass-close", "journal", journal),
			    NULL, 0))
		return TOOL_FAILED;
	printf("The emergency access to \"%s\" has ended.\n", journal);
	return TOOL_OK;
}

/* ---- asking the person ---- */

static int ask_line(const char *question, char *out, size_t cap)
{
	fputs(question, stderr);
	if (!fgets(out, (int)cap, stdin))
		return tools_fail("nothing was given; nothing was opened");
	out[strcspn(out, "\n")] = '\0';
	return TOOL_OK;
}

/* One of those that were found. */
static int choose(struct emergency *e, const json_t *names)
{
	const char *name;
	char answer[16];
	int n = 1;

	for (size_t i = 0; i < json_array_size(names); i++)
		fprintf(stderr, "  %zu  %s\n", i + 1, json_string_value(json_array_get(names, i)));
	if (ask_line("Which one? ", answer, sizeof(answer)))
		return TOOL_FAILED;
	n = atoi(answer);
	name = n > 0 ? json_string_value(json_array_get(names, (size_t)n - 1)) : NULL;
	if (!name)
		return tools_fail("%s is none of them; nothing was opened", answer);
	snprintf(e->typed_journal, sizeof(e->typed_journal), "%s", name);
	e->journal = e->typed_journal;
	return TOOL_OK;
}

/* Nobody knows a journal's exact name by heart. */
static int ask_journal(struct emergency *e)
{
	char part[256 + 2];
	struct fs_wire_message m;
	int rc;

	if (e->journal)
		return TOOL_OK;
	fs_wire_message_init(&m);
	rc = ask_line("Part of the patient's name or number: ", part, sizeof(part));
	if (!rc)
		rc = find(&e->cl, part, &m);
	if (!rc) {
		say_found(&m);
		rc = json_array_size(json_object_get(m.json, "journals"))
			     ? choose(e, json_object_get(m.json, "journals"))
			     : TOOL_FAILED;
	}
	keys_wipe(part, sizeof(part));
	fs_wire_message_clear(&m);
	return rc;
}

static int ask_ground(struct emergency *e)
{
	char answer[16];
	int n;

	fprintf(stderr, "On what ground?\n");
	for (int g = 1; g < FS_GLASS_GROUNDS; g++)
		fprintf(stderr, "  %d  %s\n", g, fs_glass_ground_text((enum fs_glass_ground)g));
	if (ask_line("> ", answer, sizeof(answer)))
		return TOOL_FAILED;
	n = atoi(answer);
	if (fs_glass_ground_of(answer))
		snprintf(e->typed_ground, sizeof(e->typed_ground), "%s", answer);
	else if (n > 0 && n < FS_GLASS_GROUNDS)
		snprintf(e->typed_ground, sizeof(e->typed_ground), "%s",
			 fs_glass_ground_word((enum fs_glass_ground)n));
	else
		return tools_fail("%s is none of the grounds; nothing was opened", answer);
	e->ground = e->typed_ground;
	return TOOL_OK;
}

static int ask_words(struct emergency *e)
{
	char question[160];

	if ((!e->ground || !e->reason) && !isatty(STDIN_FILENO))
		return tools_fail("say why with --ground and --reason \"...\": both stand in the log");
	if (!e->ground && ask_ground(e))
		return TOOL_FAILED;
	if (e->reason)
		return TOOL_OK;
	snprintf(question, sizeof(question),
		 "Why, in your own words (at least %lld characters)?\n> ", number(e, "reason"));
	if (ask_line(question, e->typed_reason, sizeof(e->typed_reason)))
		return TOOL_FAILED;
	e->reason = e->typed_reason;
	return TOOL_OK;
}

static void say_what(const struct emergency *e)
{
	fprintf(stderr,
		"\nEmergency access to \"%s\"\n"
		"  for %lld minute%s: read everything in it, write new notes; nothing else\n"
		"  it ends by itself, open files are closed, and it is not made longer\n"
		"  whoever reviews sees it from now on; you will be asked about it within %lld hours\n",
		e->journal, number(e, "limit_s") / 60, number(e, "limit_s") < 120 ? "" : "s", number(e, "review_s") / 3600);
	if (is(e, "again"))
		fprintf(stderr, "  you had this journal open by emergency within 24 hours: that is told\n");
	if (is(e, "serial"))
		fprintf(stderr, "  it is your %lldth within 24 hours: that is told, with an alarm\n",
			number(e, "today") + 1);
}

/* The patient's own restriction: passing it is a step of its own. */
static bool pass_block(const struct emergency *e)
{
	if (!is(e, "blocked"))
		return true;
	fprintf(stderr, "\nTHE PATIENT HAS BLOCKED YOU, YOUR UNIT OR YOUR ROLE FROM THIS JOURNAL.\n"
			"Passing the block is recorded by itself and raises an alarm.\n");
	if (e->past_block)
		return true;
	return !e->o->yes && tools_prompt_yes("Pass the patient's block?");
}

static int prove(struct emergency *e)
{
	if (!is(e, "needs_code"))
		return TOOL_OK;
	if (is(e, "key_file"))
		return tools_client_credentials_new(&e->cl, e->o, &e->cr) ? TOOL_FAILED : TOOL_OK;
	return tools_factor_ask(e->o, "Code of your authenticator app, or a recovery code", &e->code)
		       ? TOOL_FAILED
		       : TOOL_OK;
}

static int open_it(struct emergency *e)
{
	struct fs_wire_message m;
	char until[32];
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(
		&e->cl,
		json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "verb", "glass", "journal", e->journal,
			  "ground", e->ground, "reason", e->reason, "pass_block", is(e, "blocked"),
			  "code", e->code ? e->code->text : ""),
		e->cr ? e->cr->bytes : NULL, e->cr ? e->cr->len : 0, -1, &m);
	if (!rc) {
		tools_when_text(json_integer_value(json_object_get(m.json, "until_s")), until);
		printf("\"%s\" is open to you until %s (emergency access %lld).\n"
		       "`journalfs break-glass --close` ends it earlier.\n",
		       e->journal, until,
		       (long long)json_integer_value(json_object_get(m.json, "number")));
		if (json_integer_value(json_object_get(m.json, "flags")) & FS_GLASS_REPEATED)
			printf("The reason is word for word one that you gave before; that is told to who "
			       "reviews.\n");
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

/* --ask: for people's eyes and for dialogs, a line each; --json for programs. */
static int print_ask(const struct emergency *e)
{
	static const char *const words[] = {"blocked", "needs_code", "key_file", "again", "serial"};

	if (e->o->json) {
		json_dumpf(e->seen.json, stdout, JSON_COMPACT);
		putchar('\n');
		return TOOL_OK;
	}
	printf("journal=%s\nminutes=%lld\nreason=%lld\nreview-hours=%lld\ntoday=%lld\n", e->journal,
	       number(e, "limit_s") / 60, number(e, "reason"), number(e, "review_s") / 3600,
	       number(e, "today"));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		printf("%s=%s\n", words[i], is(e, words[i]) ? "yes" : "no");
	for (int g = 1; g < FS_GLASS_GROUNDS; g++)
		printf("ground=%s %s\n", fs_glass_ground_word((enum fs_glass_ground)g),
		       fs_glass_ground_text((enum fs_glass_ground)g));
	return TOOL_OK;
}

static int emergency(struct emergency *e)
{
	int rc = ask_journal(e);

	if (!rc)
		rc = tools_client_call(&e->cl,
				       json_pack("{s:s, s:s}", "verb", "glass-ask", "journal", e->journal),
				       NULL, 0, -1, &e->seen);
	if (rc)
		return TOOL_FAILED;
	if (e->o->ask)
		return print_ask(e);
	if (ask_words(e))
		return TOOL_FAILED;
	say_what(e);
	if (!pass_block(e))
		return tools_fail("the patient's block was not passed (--past-block); nothing was opened");
	if (!e->o->yes && !tools_prompt_yes("Open it?"))
		return tools_fail("nothing was opened");
	return prove(e) ? TOOL_FAILED : open_it(e);
}

/* The words from standard input; what is missing is asked at the terminal, without --yes. */
static int take_words(struct emergency *e)
{
	const struct tool_options *o = e->o;

	if (e->journal || e->search || e->ground || e->reason || e->past_block)
		return tools_usage("with --stdin all words come from standard input, none from arguments");
	if (tools_glass_words_read(STDIN_FILENO, &e->words))
		return TOOL_FAILED;
	e->journal = e->words->journal;
	e->search = e->words->search;
	e->ground = e->words->ground;
	e->reason = e->words->reason;
	e->past_block = e->words->past_block;
	/* At its end anyway: without a terminal nothing more comes from it. */
	if (!o->yes && !o->ask && !o->close && !e->search && !freopen("/dev/tty", "re", stdin))
		return tools_fail("--stdin takes --yes where there is no terminal to ask at");
	return TOOL_OK;
}

static int check_use(const struct emergency *e)
{
	const struct tool_options *o = e->o;
	unsigned uses = (e->search != NULL) + o->close + (o->ask || e->ground || e->reason);
	bool can_ask = !o->close && !o->ask && !o->yes && isatty(STDIN_FILENO);

	if (uses > 1 || (e->search ? e->journal != NULL : !e->journal && !can_ask))
		return tools_usage("break-glass takes a journal's exact name, or --search and a part of it; "
				   "at a terminal neither");
	return TOOL_OK;
}

static int run(struct emergency *e)
{
	struct conf c;

	if (tools_client_find(e->o, &c, &e->cl))
		return TOOL_FAILED;
	if (e->search)
		return search(&e->cl, e->search);
	if (e->o->close)
		return close_one(&e->cl, e->journal);
	return emergency(e);
}

int tools_cmd_break_glass(struct tool_options *o, int argc, char **argv)
{
	struct emergency e = {.o = o,
			      .cl = {.sock = -1},
			      .journal = argc ? argv[0] : NULL,
			      .search = o->search,
			      .ground = o->ground,
			      .reason = o->reason,
			      .past_block = o->past_block};
	int rc = o->from_stdin ? take_words(&e) : TOOL_OK;

	fs_wire_message_init(&e.seen);
	if (!rc)
		rc = check_use(&e);
	if (!rc)
		rc = run(&e);
	fs_wire_message_clear(&e.seen);
	tools_prompt_secret_free(e.code);
	tools_client_credentials_free(e.cr);
	tools_client_close(&e.cl);
	tools_glass_words_free(e.words);
	keys_wipe(e.typed_reason, sizeof(e.typed_reason));
	keys_wipe(e.typed_journal, sizeof(e.typed_journal));
	return rc;
}
