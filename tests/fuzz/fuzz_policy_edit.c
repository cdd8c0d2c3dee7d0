/* SPDX-License-Identifier: Apache-2.0 */
/* Edits of any text: one that parsed still does, and says of the name what was asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/shown.h"

static struct policy_journal *parse(const char *text, size_t len)
{
	struct policy_journal *j = NULL;

	return policy_journal_parse(text, len, "x", NULL, NULL, &j) ? NULL : j;
}

/* The edited text, when there is one, has at most one line more and the same lines otherwise. */
static void check(const char *text, size_t len, char *out)
{
	struct policy_journal *before = parse(text, len), *after = parse(out, strlen(out));

	if (before && !after)
		abort();
	policy_journal_put(before);
	policy_journal_put(after);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"a", "bo"};
	const char *text = (const char *)data + 1;
	struct policy_edit edit;
	char *out = NULL;

	if (!size)
		return 0;
	edit = (struct policy_edit){.subject = data[0] & 1 ? POLICY_EDIT_UNIT : POLICY_EDIT_USER,
				    .name = names[data[0] >> 1 & 1],
				    .perms = "r-x",
				    .reason = data[0] & 4 ? "why # \"" : NULL};
	if (!policy_edit_set(text, size - 1, &edit, &out))
		check(text, size - 1, out);
	if (!policy_edit_remove(text, size - 1, &edit, &out))
		check(text, size - 1, out);
	edit.from = edit.until = "2026-11-28";
	edit.reason = "on duty";
	/* The statement itself is another matter: the text is only written. */
	if (!policy_edit_attend(text, size - 1, &edit, &out))
		free(out);
	return 0;
}
