/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/factor.c - see factor.h.
 */
#include <errno.h>
#include <string.h>
#include "factor.h"

int tools_factor_ask(const struct tool_options *o, const char *question, struct prompt_secret **out)
{
	int rc = tools_prompt_secret_read(o->code_fd, question, out);

	if (!rc && (*out)->len >= sizeof(((struct client_credentials *)0)->code)) {
		tools_prompt_secret_free(*out);
		*out = NULL;
		rc = -E2BIG;
	}
	if (rc)
		tools_fail(rc == -ENOTTY  ? "there is no terminal to ask at; use --code-fd"
			   : rc == -E2BIG ? "that is no code: it has six digits, a recovery code four "
					    "groups of four characters"
					  : "no code was given");
	return rc;
}

int tools_factor_credentials(const struct tool_options *o, struct client_credentials *cr)
{
	struct prompt_secret *code = NULL;
	int rc;

	if (strcmp(cr->factor, "totp"))
		return 0;
	rc = tools_factor_ask(o, "Code of your authenticator app, or a recovery code", &code);
	if (!rc)
		memcpy(cr->code, code->text, code->len + 1);
	tools_prompt_secret_free(code);
	return rc;
}
