/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/journal.c - the parsed policy of one journal: its life, its words, and the texts that
 * mkdir and rename write.
 */
#include "journal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "lexer.h"
#include "model.h"
#include "utf8.h"

struct policy_journal *policy_journal_get(struct policy_journal *j)
{
	if (j)
		atomic_fetch_add_explicit(&j->refs, 1, memory_order_relaxed);
	return j;
}

void policy_journal_put(struct policy_journal *j)
{
	if (j && atomic_fetch_sub_explicit(&j->refs, 1, memory_order_acq_rel) == 1)
		free(j);
}

const char *policy_journal_name(const struct policy_journal *j)
{
	return policy_journal_string(j, j->name);
}

const char *policy_journal_unit(const struct policy_journal *j)
{
	return policy_journal_string(j, j->unit);
}

bool policy_journal_held(const struct policy_journal *j)
{
	return j->held;
}

bool policy_journal_name_check(const char *name)
{
	return policy_journal_name_form(name) && strcmp(name, "practice") != 0;
}

bool policy_journal_name_form(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > POLICY_JOURNAL_NAME_MAX || strchr(name, '/') || !strcmp(name, ".") ||
	    !strcmp(name, "..") || !strcmp(name, ".policy"))
		return false;
	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		unsigned n = policy_utf8_get(name + i, len - i, &point);

		if (!n || policy_utf8_control(point))
			return false;
		i += n;
	}
	return true;
}

bool policy_entry_names(const struct policy_journal *j, const struct policy_entry *e,
			const struct policy_person *person)
{
	return policy_entry_speaks(e, policy_journal_string(j, e->name), person);
}

void policy_entry_text(const struct policy_journal *j, const struct policy_entry *e, char *out,
		       size_t cap)
{
	policy_entry_write(e, policy_journal_string(j, e->name), out, cap);
}

/* The name as a string of the language, or NULL with errno. */
static char *name_quote(const char *name)
{
	if (!policy_journal_name_check(name)) {
		errno = EINVAL;
		return NULL;
	}
	return policy_lexer_quote(name);
}

char *policy_journal_initial(const char *name, const struct policy_practitioner *creator)
{
	char *quoted = name_quote(name), *out = NULL;
	char unit[POLICY_NAME_MAX + 16] = "";

	if (!quoted)
		return NULL;
	if (creator->unit)
		snprintf(unit, sizeof(unit), "unit    %s\n", creator->unit->name);
	if (asprintf(&out, "journal %s\n%sallow   user:%s:rwx\n", quoted, unit, creator->name) < 0)
		out = NULL;
	free(quoted);
	return out;
}

/* Where the string of the first `journal` statement stands in the text; false when nowhere. */
static bool name_find(struct policy_lexer *lx, size_t *start, size_t *end)
{
	while (policy_lexer_line(lx)) {
		if (!policy_lexer_at(lx, "journal"))
			continue;
		policy_lexer_next(lx);
		if (lx->token.kind != POLICY_TOKEN_STRING)
			continue;
		*start = lx->token.start;
		*end = lx->token.end;
		return true;
	}
	return false;
}

char *policy_journal_renamed(const char *text, size_t len, const char *name)
{
	char *quoted = name_quote(name), *out = NULL;
	struct policy_lexer lx = {0};
	size_t start = 0, end = 0, n;

	if (!quoted)
		return NULL;
	if (policy_lexer_init(&lx, text, len, "", NULL)) {
		errno = ENOMEM;
		goto out;
	}
	n = strlen(quoted);
	out = malloc(len + n + sizeof("journal \n"));
	if (!out)
		goto out;
	if (name_find(&lx, &start, &end)) {
		memcpy(out, text, start);
		memcpy(out + start, quoted, n);
		memcpy(out + start + n, text + end, len - end);
		out[len - (end - start) + n] = '\0';
	} else {
		n = (size_t)sprintf(out, "journal %s\n", quoted);
		if (len)
			memcpy(out + n, text, len);
		out[n + len] = '\0';
	}
out:
	policy_lexer_clear(&lx);
	free(quoted);
	return out;
}
