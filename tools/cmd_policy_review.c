/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_policy_review.c - policy review: everybody's access on paper, and the sign-off.
 *
 * The report is made whole before a byte of it is printed, since a sign-off names
 * its SHA-256: `sha256sum` of what was printed gives the same.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../keys/seal.h"
#include "cmd_policy.h"
#include "policy_text.h"
#include "review.h"

struct making {
	struct tool_options *o;
	struct client *cl;
	struct review r;
	char *text, *access; /* the report; in text form its section on journals */
	size_t len, access_len;
	FILE *out;
};

static int take_items(struct making *m, const json_t *items)
{
	json_t *item, *with;
	size_t i;

	json_array_foreach((json_t *)items, i, item) {
		if (tools_review_take(&m->r, item))
			return -1;
		if (!m->o->json)
			continue;
		with = tools_review_with_usage(&m->r, item);
		if (!with)
			return -1;
		json_dumpf(with, m->out, JSON_COMPACT);
		fputc('\n', m->out);
		json_decref(with);
	}
	return 0;
}

static int receive(struct making *m)
{
	struct fs_wire_message msg;
	int rc;

	fs_wire_message_init(&msg);
	rc = tools_client_call(m->cl,
			       json_pack("{s:s, s:s}", "verb", "policy-review", "unit",
					 m->o->unit ? m->o->unit : ""),
			       NULL, 0, -1, &msg);
	while (!rc) {
		if (take_items(m, json_object_get(msg.json, "items"))) {
			rc = tools_fail("the review could not be taken in");
			break;
		}
		if (!json_is_true(json_object_get(msg.json, "more")))
			break;
		rc = tools_client_next(m->cl, &msg);
	}
	fs_wire_message_clear(&msg);
	if (!rc && !m->r.head)
		rc = tools_fail("the daemon's review has no beginning");
	return rc;
}

/* The versions of the practice since the last sign-off; of journals only how many. */
static int receive_changes(struct making *m)
{
	const json_t *last = json_object_get(m->r.head, "last");
	json_t *practice = json_array();
	struct fs_wire_message msg;
	json_int_t others;
	int rc;

	fs_wire_message_init(&msg);
	rc = tools_client_call(m->cl,
			       json_pack("{s:s, s:s, s:I}", "verb", "policy-log", "file", "practice",
					 "after", tools_policy_number_of(last, "version")),
			       NULL, 0, -1, &msg);
	while (!rc) {
		rc = json_array_extend(practice, json_object_get(msg.json, "versions"));
		if (rc || !json_is_true(json_object_get(msg.json, "more")))
			break;
		rc = tools_client_next(m->cl, &msg);
	}
	if (!rc) {
		others = tools_policy_number_of(m->r.head, "version") -
			 tools_policy_number_of(last, "version") -
			 (json_int_t)json_array_size(practice);
		m->r.changes = json_pack("{s:O, s:I}", "practice", practice, "versions",
					 others > 0 ? others : 0);
		rc = m->r.changes ? 0 : -ENOMEM;
	}
	json_decref(practice);
	fs_wire_message_clear(&msg);
	return rc;
}

static int make(struct making *m)
{
	int rc;

	m->out = open_memstream(&m->text, &m->len);
	m->r.access = open_memstream(&m->access, &m->access_len);
	m->r.people = json_array();
	if (!m->out || !m->r.access || !m->r.people)
		return tools_fail("out of memory");
	rc = receive(m);
	if (!rc)
		rc = receive_changes(m);
	if (fclose(m->r.access) && !rc)
		rc = tools_fail("out of memory");
	m->r.access = NULL;
	if (!rc)
		rc = m->o->json ? tools_review_print_json_end(&m->r, m->out)
				: tools_review_print(&m->r, m->access, m->out);
	if (fclose(m->out) && !rc)
		rc = tools_fail("out of memory");
	m->out = NULL;
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int sign_off(struct making *m)
{
	const struct keys_span part = { m->text, m->len };
	uint8_t digest[KEYS_LEN];
	char hex[2 * KEYS_LEN + 1];
	struct fs_wire_message msg;
	int rc;

	keys_sha256(&part, 1, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	fs_wire_message_init(&msg);
	rc = tools_client_call(m->cl,
			       json_pack("{s:s, s:I, s:I, s:s, s:s, s:s}", "verb", "policy-sign-off",
					 "practice", tools_policy_number_of(m->r.head, "practice"),
					 "version", tools_policy_number_of(m->r.head, "version"),
					 "text", m->o->sign_off, "digest", hex, "unit",
					 m->o->unit ? m->o->unit : ""),
			       NULL, 0, -1, &msg);
	fs_wire_message_clear(&msg);
	if (rc)
		return TOOL_FAILED;
	fprintf(stderr,
		"Signed off, in the access log: SHA-256 of this report %s\nKeep the report: it is what was "
		"signed.\n",
		hex);
	return TOOL_OK;
}

int tools_policy_review(struct tool_options *o, struct client *cl, int argc, char **argv)
{
	struct making m = { .o = o, .cl = cl, .r.unit = o->unit };
	struct usage *usage = NULL;
	int rc = TOOL_FAILED;

	(void)argc;
	(void)argv;
	if (o->sign_off && (!*o->sign_off || strlen(o->sign_off) > 255))
		return tools_usage("--sign-off takes 1 to 255 bytes: what was reviewed and found");
	if (o->usage && tools_usage_read(o->usage, &usage))
		return TOOL_FAILED;
	m.r.usage = usage;
	if (!make(&m)) {
		rc = fwrite(m.text, 1, m.len, stdout) == m.len && !fflush(stdout)
			     ? TOOL_OK
			     : tools_fail("the report could not be written");
		if (rc == TOOL_OK && o->sign_off)
			rc = sign_off(&m);
	}
	if (m.out)
		fclose(m.out);
	if (m.r.access)
		fclose(m.r.access);
	free(m.text);
	free(m.access);
	json_decref(m.r.head);
	json_decref(m.r.people);
	json_decref(m.r.changes);
	tools_usage_free(usage);
	return rc;
}
