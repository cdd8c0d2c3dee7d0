/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/practice.c - the parsed practice policy: lookups, its life, and the first one.
 *
 * Invariant: an object never changes after its parse. The last put frees it; a
 * practitioner, role or unit borrowed from it lives as long as the reference.
 */
#include "practice.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lexer.h"
#include "model.h"

const char *const policy_right_names[] = {"list",   "read",	   "write",  "create", "finalize",
					  "export", "break-glass", "policy", "audit",  "review",
					  "attend", "history",	   NULL};

const char *policy_right_text(uint32_t rights, char out[static 128])
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < POLICY_RIGHT_COUNT; i++)
		if (rights & 1u << i)
			n += (size_t)snprintf(out + n, 128 - n, "%s%s", n ? " " : "",
					      policy_right_names[i]);
	return out;
}

struct policy_practice *policy_practice_get(struct policy_practice *p)
{
	if (p)
		atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void policy_practice_put(struct policy_practice *p)
{
	if (p && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
		policy_practice_free(p);
}

void policy_practice_free(struct policy_practice *p)
{
	if (!p)
		return;
	policy_index_clear(&p->roles);
	policy_index_clear(&p->units);
	policy_index_clear(&p->persons);
	free(p->role);
	free(p->unit);
	free(p->person);
	free(p->denied);
	free(p->deflt);
	free(p->kin);
	free(p->default_first);
	free(p->file);
	free(p->pool);
	free(p);
}

const struct policy_settings *policy_practice_settings(const struct policy_practice *p)
{
	return &p->settings;
}

size_t policy_practice_count(const struct policy_practice *p)
{
	return p->person_count;
}

const struct policy_practitioner *policy_practice_at(const struct policy_practice *p, size_t n)
{
	return n < p->person_count ? &p->person[n].pub : NULL;
}

const struct policy_person *policy_practice_person(const struct policy_practice *p,
						   const char *name)
{
	int64_t n = policy_index_find(&p->persons, name);

	return n < 0 ? NULL : &p->person[n];
}

const struct policy_practitioner *policy_practice_find(const struct policy_practice *p,
						       const char *name)
{
	const struct policy_person *person = policy_practice_person(p, name);

	return person ? &person->pub : NULL;
}

const struct policy_unit *policy_practice_unit(const struct policy_practice *p, const char *name)
{
	int64_t n = policy_index_find(&p->units, name);

	return n < 0 ? NULL : &p->unit[n];
}

size_t policy_practice_unit_count(const struct policy_practice *p)
{
	return p->unit_count;
}

const struct policy_unit *policy_practice_unit_at(const struct policy_practice *p, size_t n)
{
	return n < p->unit_count ? &p->unit[n] : NULL;
}

const struct policy_role *policy_practice_role(const struct policy_practice *p, const char *name)
{
	int64_t n = policy_index_find(&p->roles, name);

	return n < 0 ? NULL : &p->role[n];
}

const struct policy_default *policy_practice_defaults(const struct policy_practice *p,
						      const char *unit, size_t *count)
{
	int64_t n = p->default_first ? policy_index_find(&p->units, unit) : -1;

	*count = 0;
	if (n < 0)
		return NULL;
	*count = p->default_first[n + 1] - p->default_first[n];
	return p->deflt + p->default_first[n];
}

bool policy_practice_denies_programs(const struct policy_practice *p)
{
	return p->denied_count != 0;
}

bool policy_practice_denies_program(const struct policy_practice *p, const char *comm)
{
	for (size_t i = 0; i < p->denied_count; i++)
		if (!strncmp(p->denied[i], comm, sizeof(p->denied[i]) - 1))
			return true;
	return false;
}

static const char alone_text[] =
	"# Practice policy. One statement a line; # begins a comment.\n"
	"# One person holds all rights here: who works alone is practitioner, steward and auditor\n"
	"# in one. With a second person, give them roles of their own.\n"
	"practice     %s\n"
	"session      ceiling 12h\n"
	"\n"
	"role  practitioner  clinical  may list read write create finalize export history policy "
	"audit\n"
	"\n"
	"unit  practice  %s\n"
	"\n"
	"practitioner %s  user %s  role practitioner  unit practice\n";

static const char clinic_text[] =
	"# Practice policy. One statement a line; # begins a comment.\n"
	"practice     %s\n"
	"session      ceiling 12h  passphrase-age 90d\n"
	"# A note that nobody has changed for so long is locked, unsigned; its author may sign "
	"it.\n"
	"finalize     after 14d\n"
	"\n"
	"role  physician         clinical  may list read write create finalize export history "
	"attend\n"
	"role  nurse             clinical  may list read write finalize history attend\n"
	"role  secretary                   may list create\n"
	"role  steward                     may policy\n"
	"role  auditor                     may audit review\n"
	"\n"
	"# Separation of duties asks for somebody else to read the log: name an auditor soon, "
	"then\n"
	"# take `audit` and `review` away from this role.\n"
	"role  practice-manager            may policy audit review\n"
	"\n"
	"unit  practice  %s\n"
	"\n"
	"practitioner %s  user %s  role practice-manager\n"
	"\n"
	"# practitioner anna  user anna  role physician  unit practice\n"
	"# practitioner eva   user eva   role auditor\n";

char *policy_practice_initial(const char *title, const char *who, const char *account, bool alone)
{
	char *quoted = NULL, *out = NULL;
	size_t cap, len = strlen(title);

	if (!len || len > POLICY_STRING_MAX || !policy_name_check(who) ||
	    !policy_name_check(account)) {
		errno = EINVAL;
		return NULL;
	}
	quoted = policy_lexer_quote(title);
	if (!quoted)
		return NULL;
	cap = sizeof(alone_text) + sizeof(clinic_text) + 2 * strlen(quoted) + 2 * POLICY_NAME_MAX;
	out = malloc(cap);
	if (out && alone)
		snprintf(out, cap, alone_text, quoted, quoted, who, account);
	else if (out)
		snprintf(out, cap, clinic_text, quoted, quoted, who, account);
	free(quoted);
	return out;
}
