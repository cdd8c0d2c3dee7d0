/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/factor.h - asking for the code of a second factor.
 */
#ifndef TOOLS_FACTOR_H
#define TOOLS_FACTOR_H

#include "client.h"
#include "prompt.h"

/*
 * Asks for a code, or a recovery code, at o->code_fd or the terminal; says itself what is wrong. The
 * caller frees. What a verb sends as its field `code`.
 */
int tools_factor_ask(const struct tool_options *o, const char *question, struct prompt_secret **out);

/* The same into cr->code, if the vault told that this account has an authenticator app enrolled. */
int tools_factor_credentials(const struct tool_options *o, struct client_credentials *cr);

#endif
