/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/agent.h - log in, mount, and the small process that stays.
 *
 * The agent holds the control connection: when the daemon goes, it unmounts;
 * when it goes (killed, end of the desktop session), the daemon ends the
 * session. It holds no key and no FUSE descriptor.
 */
#ifndef TOOLS_AGENT_H
#define TOOLS_AGENT_H

#include "client.h"

/* Logs in on cl, mounts dir (NULL: ~/Journals), leaves the agent behind (or is it: foreground). */
int tools_agent_login(struct client *cl, const struct conf *c, const struct tool_options *o,
		const char *dir);

#endif
