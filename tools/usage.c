/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/usage.c - who used which journal last and how often.
 *
 * In memory: an object by practitioner of objects by the journal's number, which
 * stays when the journal is renamed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plain.h"
#include "policy_text.h"
#include "usage.h"

struct usage {
	json_t *by_who;
	int64_t since_s, made_s;
	int rc; /* of adding, sticky */
};

/* What counts as using a journal: what was done in it, not what was refused or only allowed. */
static bool counts(const struct policy_record *r)
{
	switch (r->kind) {
	case POLICY_RECORD_OPEN:
	case POLICY_RECORD_LIST:
	case POLICY_RECORD_CREATE:
	case POLICY_RECORD_WRITE:
	case POLICY_RECORD_DELETE:
	case POLICY_RECORD_RENAME:
	case POLICY_RECORD_ATTRIBUTE:
		return !r->outcome && r->journal;
	default:
		return false;
	}
}

/* The member, made when it is missing; borrowed. */
static json_t *member(json_t *of, const char *key)
{
	json_t *one = json_object_get(of, key);

	if (!one) {
		one = json_object();
		if (json_object_set_new(of, key, one))
			return NULL;
	}
	return one;
}

static int keep(json_t *by_who, const char *who, json_int_t index, const char *journal,
		json_int_t last_s, json_int_t count)
{
	char key[24];
	json_t *one;

	snprintf(key, sizeof(key), "%lld", (long long)index);
	one = member(by_who, who);
	one = one ? member(one, key) : NULL;
	if (!one)
		return -ENOMEM;
	count += tools_policy_number_of(one, "count");
	if (last_s < tools_policy_number_of(one, "last_s"))
		last_s = tools_policy_number_of(one, "last_s");
	return json_object_set_new(one, "count", json_integer(count)) ||
			       json_object_set_new(one, "last_s", json_integer(last_s)) ||
			       json_object_set_new(one, "journal", json_string(journal))
		       ? -ENOMEM
		       : 0;
}

/* A name as JSON; what is no UTF-8 in it is escaped. */
static json_t *name_json(const char *name)
{
	json_t *json = json_string(name);
	char *escaped = json ? NULL : tools_plain(name, 0);

	if (escaped)
		json = json_string(escaped);
	free(escaped);
	return json;
}

struct usage *tools_usage_new(int64_t since_s)
{
	struct usage *u = calloc(1, sizeof(*u));

	if (u)
		u->by_who = json_object();
	if (!u || !u->by_who) {
		free(u);
		return NULL;
	}
	u->since_s = since_s;
	u->made_s = time(NULL);
	return u;
}

int tools_usage_add(struct usage *u, const struct policy_record *r)
{
	json_t *name;

	if (!counts(r) || u->rc)
		return u->rc ? 1 : 0;
	name = name_json(r->journal_name);
	u->rc = name ? keep(u->by_who, r->who, r->journal, json_string_value(name),
			    r->time_ns / 1000000000, r->count ? (json_int_t)r->count : 1)
		     : -ENOMEM;
	json_decref(name);
	return u->rc ? 1 : 0;
}

static json_t *list_of(const json_t *by_who)
{
	json_t *list = json_array(), *journals, *one;
	const char *who, *index;

	json_object_foreach((json_t *)by_who, who, journals) {
		json_object_foreach(journals, index, one) {
			json_t *use = json_deep_copy(one);

			if (!use || json_object_set_new(use, "who", json_string(who)) ||
			    json_object_set_new(use, "index", json_integer(atoll(index))) ||
			    json_array_append_new(list, use)) {
				json_decref(list);
				return NULL;
			}
		}
	}
	return list;
}

int tools_usage_print(struct usage *u)
{
	json_t *list = u->rc ? NULL : list_of(u->by_who), *all = NULL;
	int rc = TOOL_OK;

	if (list)
		all = json_pack("{s:i, s:I, s:I, s:o}", "journalfs_usage", 1, "since_s",
				(json_int_t)u->since_s, "made_s", (json_int_t)u->made_s, "uses", list);
	if (!all || json_dumpf(all, stdout, JSON_INDENT(1) | JSON_SORT_KEYS) ||
	    putchar('\n') == EOF || fflush(stdout))
		rc = tools_fail("the usage could not be gathered or written");
	json_decref(all);
	return rc;
}

/* ---- reading ---- */

void tools_usage_free(struct usage *u)
{
	if (u)
		json_decref(u->by_who);
	free(u);
}

int tools_usage_read(const char *path, struct usage **out)
{
	json_error_t error;
	json_t *all = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *use;
	struct usage *u = calloc(1, sizeof(*u));
	size_t i;
	int rc = u ? 0 : -ENOMEM;

	if (u)
		u->by_who = json_object();
	if (!all || tools_policy_number_of(all, "journalfs_usage") != 1) {
		tools_fail("%s is not what `journalfs audit usage` prints%s%s", path,
			   all ? "" : ": ", all ? "" : error.text);
		rc = -EINVAL;
	}
	if (!rc) {
		u->since_s = tools_policy_number_of(all, "since_s");
		u->made_s = tools_policy_number_of(all, "made_s");
		json_array_foreach(json_object_get(all, "uses"), i, use) {
			rc = keep(u->by_who, tools_policy_text_of(use, "who"),
				  tools_policy_number_of(use, "index"), "",
				  tools_policy_number_of(use, "last_s"),
				  tools_policy_number_of(use, "count"));
			if (rc)
				break;
		}
	}
	json_decref(all);
	if (rc)
		tools_usage_free(u);
	else
		*out = u;
	return rc;
}

int64_t tools_usage_since(const struct usage *u)
{
	return u->since_s;
}

int64_t tools_usage_made(const struct usage *u)
{
	return u->made_s;
}

bool tools_usage_find(const struct usage *u, const char *who, int64_t index, int64_t *last_s,
		      int64_t *count)
{
	const json_t *one;
	char key[24];

	snprintf(key, sizeof(key), "%lld", (long long)index);
	one = json_object_get(json_object_get(u->by_who, who), key);
	if (!one)
		return false;
	*last_s = tools_policy_number_of(one, "last_s");
	*count = tools_policy_number_of(one, "count");
	return true;
}

size_t tools_usage_journals(const struct usage *u, const char *who)
{
	return json_object_size(json_object_get(u->by_who, who));
}
