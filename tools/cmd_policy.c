/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_policy.c - policy: the table of its sub-commands, and those that only show and put.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_policy.h"
#include "policy_dir.h"
#include "policy_text.h"
#include "when.h"

int tools_policy_moment(const struct tool_options *o, json_int_t *at_s)
{
	int64_t s = 0;

	if (o->at && tools_when_parse(o->at, &s)) {
		tools_usage("a time is " TOOLS_WHEN_FORMS);
		return -EINVAL;
	}
	*at_s = s;
	return 0;
}

int tools_policy_version(const char *text, json_int_t *out)
{
	char *end;
	long n;

	*out = 0;
	if (!text)
		return 0;
	n = strtol(text, &end, 10);
	if (!*text || *end || n < 1 || n > UINT32_MAX) {
		tools_usage("a version is a number; `journalfs policy log` lists them");
		return -EINVAL;
	}
	*out = n;
	return 0;
}

static int show(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	const char *file = argc ? argv[0] : "practice";
	json_int_t at_s, version;
	struct fs_wire_message m;
	int rc;

	if (tools_policy_moment(o, &at_s) || tools_policy_version(o->version, &version))
		return TOOL_USAGE;
	if (at_s && version)
		return tools_usage("--at and --version are two ways to say when: give one");
	fs_wire_message_init(&m);
	rc = at_s || version ? tools_policy_text_at(cl, file, version, at_s, &m)
			     : tools_policy_text_fetch(cl, file, &m);
	if (!rc)
		fputs(tools_policy_text_of(m.json, "text"), stdout);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int check(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	const char *path = argv[argc - 1];
	char *text = tools_policy_text_read(path), *name = NULL;
	struct fs_wire_message m;
	int rc = TOOL_FAILED;

	(void)o;
	fs_wire_message_init(&m);
	if (text)
		name = argc == 2 ? strdup(argv[0]) : tools_policy_text_name(text);
	if (text && name) {
		rc = tools_policy_text_offer(cl,
					     json_pack("{s:s, s:s, s:s}", "verb", "policy-check",
						       "file", name, "text", text),
					     name, path, &m)
			     ? TOOL_FAILED
			     : TOOL_OK;
		if (rc == TOOL_OK)
			printf("%s: would be accepted as %s\n", path, name);
		else if (argc == 1 && !strcmp(name, "practice"))
			fputs("It was judged as the practice policy, since it has no `journal` line; for "
			      "another: journalfs policy check practice.d/NAME|JOURNAL FILE\n",
			      stderr);
	}
	fs_wire_message_clear(&m);
	free(name);
	free(text);
	return rc;
}

/* Without --version the text replaces whatever is in force at this moment. */
static int offer(struct tool_options *o, struct client *cl, const char *file, const char *text,
		 const char *path)
{
	struct fs_wire_message m;
	json_int_t base;
	char *now;
	int rc = TOOL_FAILED;

	if (tools_policy_version(o->version, &base))
		return TOOL_USAGE;
	if (!base) {
		now = tools_policy_text_begin(cl, file, &base);
		free(now);
		if (!now)
			return TOOL_FAILED;
	}
	fs_wire_message_init(&m);
	if (!tools_policy_text_offer(cl,
				     json_pack("{s:s, s:s, s:s, s:I, s:s}", "verb", "policy-put",
					       "file", file, "text", text, "base", base,
					       "reason", o->reason ? o->reason : ""),
				     file, path, &m)) {
		printf("%s: version %lld, in force\n", file,
		       (long long)tools_policy_number_of(m.json, "version"));
		rc = TOOL_OK;
	}
	fs_wire_message_clear(&m);
	return rc;
}

/* For scripts. */
static int put(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	char *text = tools_policy_text_read(argv[1]);
	int rc = text ? offer(o, cl, argv[0], text, argv[1]) : TOOL_FAILED;

	(void)argc;
	free(text);
	return rc;
}

/* The practice and all its parts in one version: how lines move from one file to another. */
static int load(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	char *text = tools_policy_dir_practice(argv[0]);
	int rc = text ? offer(o, cl, "practice.d/*", text, argv[0]) : TOOL_FAILED;

	(void)argc;
	free(text);
	return rc;
}

static const struct sub {
	const char *name;
	tool_policy_fn fn;
	int min_args, max_args;
	const char *usage;
} subs[] = {
	{ "show", show, 0, 1, "[practice|practice.d/NAME|JOURNAL] [--at TIME | --version N]" },
	{ "edit", tools_policy_edit, 0, 1, "[practice|practice.d/NAME|JOURNAL] [--reason TEXT]" },
	{ "check", check, 1, 2, "[practice|practice.d/NAME|JOURNAL] FILE" },
	{ "put", put, 2, 2, "practice|practice.d/NAME|JOURNAL FILE [--reason TEXT] [--version N]" },
	{ "load", load, 1, 1, "DIR [--reason TEXT] [--version N]" },
	{ "diff", tools_policy_diff, 1, 2,
	  "practice|practice.d/NAME|JOURNAL [FILE | --from VERSION [--to VERSION]]" },
	{ "log", tools_policy_log, 0, 1, "[practice|practice.d/NAME|JOURNAL] [--json]" },
	{ "explain", tools_policy_explain, 0, 0,
	  "[--who NAME] [--journal NAME] [--note NAME] [--action ACTION] [--at TIME]" },
	{ "test", tools_policy_test, 1, 1,
	  "FILE [--draft NAME=FILE]... [--at TIME] | policy test FILE --from DIR [--at TIME]" },
	{ "status", tools_policy_status, 0, 0, "[--days N] [--json]" },
	{ "review", tools_policy_review, 0, 0,
	  "[--unit UNIT] [--usage FILE] [--json] [--sign-off TEXT]" },
};

static const struct sub *find(const char *name)
{
	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++)
		if (!strcmp(subs[i].name, name))
			return &subs[i];
	return NULL;
}

int tools_cmd_policy(struct tool_options *o, int argc, char **argv)
{
	const struct sub *sub = find(argv[0]);
	struct client cl = { .sock = -1 };
	struct conf c;
	int rc;

	if (!sub)
		return tools_usage("`policy %s` is not known; there are show, edit, check, put, load, "
				   "diff, log, explain, test, status and review", argv[0]);
	argc--;
	argv++;
	if (argc < sub->min_args || argc > sub->max_args) {
		fprintf(stderr, "usage: journalfs policy %s %s\n", sub->name, sub->usage);
		return TOOL_USAGE;
	}
	/* A draft in files is tried without any vault. */
	if (!(sub->fn == tools_policy_test && o->from) && tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	rc = sub->fn(o, &cl, argc, argv);
	tools_client_close(&cl);
	return rc;
}
