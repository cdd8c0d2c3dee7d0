/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_policy_ask.c - policy explain and policy test: why is it so, and would a draft do what it
 * should.
 *
 * test judges by the daemon, drafts laid over what is in force; or, with --from,
 * by a directory of texts alone and without any vault (policy_dir.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd_policy.h"
#include "plain.h"
#include "policy_dir.h"
#include "policy_text.h"

int tools_policy_explain(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	struct fs_wire_message m;
	json_int_t at_s;
	int rc;

	(void)argc;
	(void)argv;
	if (tools_policy_moment(o, &at_s))
		return TOOL_USAGE;
	if (!o->journal && !o->action)
		return tools_usage("explain what? --journal NAME says in which journal (and --action what "
				   "to do there: read, where nothing else is said); --action alone asks for "
				   "a right of the whole vault, such as policy");
	if (o->note && !o->journal)
		return tools_usage("--note needs --journal: which journal is it in?");
	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			       json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "verb", "policy-explain",
					 "who", o->who ? o->who : "", "journal",
					 o->journal ? o->journal : "", "note", o->note ? o->note : "",
					 "action", o->action ? o->action : "", "at_s", at_s),
			       NULL, 0, -1, &m);
	if (!rc && tools_plain_put(stdout, tools_policy_text_of(m.json, "text"), 1))
		rc = tools_fail("the output could not be written");
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

/* ---- test ---- */

static int sum_up(unsigned total, unsigned failed)
{
	printf("%u expectation%s, %u failed\n", total, total == 1 ? "" : "s", failed);
	return failed ? TOOL_FAILED : TOOL_OK;
}

/* "NAME=FILE" onto the list. */
static int add_draft(json_t *list, const char *draft)
{
	const char *path = strchr(draft, '=');
	char *text, *name;
	json_t *one;

	if (!path || path == draft || !path[1])
		return tools_usage("--draft is NAME=FILE: which policy, and the text that would take its "
				   "place");
	text = tools_policy_text_read(path + 1);
	if (!text)
		return TOOL_FAILED;
	name = strndup(draft, (size_t)(path - draft));
	one = name ? json_pack("{s:s, s:s}", "file", name, "text", text) : NULL;
	free(name);
	free(text);
	if (!one)
		return tools_fail("%s is not valid UTF-8", path + 1);
	return json_array_append_new(list, one) ? TOOL_FAILED : TOOL_OK;
}

static int print_failures(struct client *cl, struct fs_wire_message *m)
{
	for (;;) {
		json_t *line;
		size_t i;

		json_array_foreach(json_object_get(m->json, "failures"), i, line) {
			tools_plain_put(stdout, json_string_value(line), 0);
			putchar('\n');
		}
		if (!json_is_true(json_object_get(m->json, "more")))
			break;
		if (tools_client_next(cl, m))
			return TOOL_FAILED;
	}
	return sum_up((unsigned)tools_policy_number_of(m->json, "total"),
		      (unsigned)tools_policy_number_of(m->json, "failed"));
}

/* json is taken over; NULL: it held what is not UTF-8. */
static int judge(struct client *cl, json_t *json, const char *path, struct fs_wire_message *m)
{
	if (json && json_dumpb(json, NULL, 0, JSON_COMPACT) > FS_WIRE_JSON_MAX) {
		json_decref(json);
		return tools_fail("the drafts are together too large for the daemon (1 MiB): put them into a "
				  "directory and use --from");
	}
	return tools_policy_text_offer(cl, json, path, path, m) ? TOOL_FAILED : print_failures(cl, m);
}

static int by_daemon(struct tool_options *o, struct client *cl, const char *path, json_int_t at_s)
{
	char *text = tools_policy_text_read(path);
	json_t *drafts = json_array(), *json = NULL;
	struct fs_wire_message m;
	int rc = text && drafts ? TOOL_OK : TOOL_FAILED;

	fs_wire_message_init(&m);
	for (int i = 0; i < o->drafts && rc == TOOL_OK; i++)
		rc = add_draft(drafts, o->draft[i]);
	if (rc == TOOL_OK) {
		json = json_pack("{s:s, s:s, s:s, s:I, s:O}", "verb", "policy-test", "name", path,
				 "text", text, "at_s", at_s, "drafts", drafts);
		rc = judge(cl, json, path, &m);
	}
	json_decref(drafts);
	fs_wire_message_clear(&m);
	free(text);
	return rc;
}

static int by_directory(struct tool_options *o, const char *path, json_int_t at_s)
{
	struct policy_dir *dir = NULL;
	struct policy_dir_tested tested = { 0 };
	int rc = TOOL_FAILED;

	if (o->drafts)
		return tools_usage("--from judges by a directory alone: put the drafts in there");
	if (!tools_policy_dir_read(o->from, &dir) &&
	    !tools_policy_dir_test(dir, path, at_s ? at_s : (int64_t)time(NULL), &tested))
		rc = sum_up(tested.total, tested.failed);
	tools_policy_dir_free(dir);
	return rc;
}

int tools_policy_test(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	json_int_t at_s;

	(void)argc;
	if (tools_policy_moment(o, &at_s))
		return TOOL_USAGE;
	return o->from ? by_directory(o, argv[0], at_s) : by_daemon(o, cl, argv[0], at_s);
}
