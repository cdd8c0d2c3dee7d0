/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_login.c - login, logout, lock, unlock.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include "agent.h"
#include "mountpoint.h"

int tools_cmd_login(struct tool_options *o, int argc, char **argv)
{
	struct client cl = { .sock = -1 };
	struct conf c;
	int rc;

	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	rc = tools_agent_login(&cl, &c, o, argc ? argv[0] : NULL);
	tools_client_close(&cl);
	return rc;
}

static int simple(struct tool_options *o, const char *verb, struct conf *c)
{
	struct client cl = { .sock = -1 };
	char origin[256];
	int rc;

	if (tools_client_find(o, c, &cl))
		return TOOL_FAILED;
	rc = tools_client_do(&cl,
			     json_pack("{s:s, s:s}", "verb", verb, "origin",
				       tools_client_origin(origin)),
			     NULL, 0);
	tools_client_close(&cl);
	return rc;
}

int tools_cmd_logout(struct tool_options *o, int argc, char **argv)
{
	struct timespec step = { .tv_nsec = 20000000 };
	struct conf c;

	(void)argc;
	(void)argv;
	if (simple(o, "logout", &c))
		return TOOL_FAILED;
	/* The agent unmounts; come back when it has, so that the next command finds the directory. */
	for (int i = 0; i < 500 && tools_mountpoint_present(c.name); i++)
		nanosleep(&step, NULL);
	if (tools_mountpoint_present(c.name))
		return tools_fail("the session has ended but the directory is still mounted: "
				 "`fusermount3 -u -z DIR` frees it");
	return TOOL_OK;
}

int tools_cmd_lock(struct tool_options *o, int argc, char **argv)
{
	struct conf c;

	(void)argc;
	(void)argv;
	return simple(o, "lock", &c);
}

int tools_cmd_unlock(struct tool_options *o, int argc, char **argv)
{
	struct client_credentials *cr = NULL;
	struct client cl = { .sock = -1 };
	char origin[256];
	struct conf c;
	int rc = TOOL_FAILED;

	(void)argc;
	(void)argv;
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	if (!tools_client_credentials_new(&cl, o, &cr))
		rc = tools_client_do(&cl,
			       json_pack("{s:s, s:s, s:s}", "verb", "unlock", "who",
					 o->as ? o->as : "", "origin", tools_client_origin(origin)),
			       cr->bytes, cr->len);
	tools_client_credentials_free(cr);
	tools_client_close(&cl);
	return rc;
}
