/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/review.c - the access review: what comes from the daemon, item by item.
 */
#include <string.h>

#include "plain.h"
#include "policy_text.h"
#include "review.h"
#include "when.h"

static bool is(const json_t *item, const char *name)
{
	return !strcmp(tools_policy_text_of(item, "item"), name);
}

json_t *tools_review_with_usage(const struct review *r, const json_t *item)
{
	json_t *one = json_copy((json_t *)item);
	int64_t last_s = 0, count = 0;
	bool used;
	int rc = 0;

	if (!one || !r->usage)
		return one;
	if (is(item, "access")) {
		used = tools_usage_find(r->usage, tools_policy_text_of(item, "who"),
					tools_policy_number_of(item, "index"), &last_s, &count);
		rc = json_object_set_new(one, "used", json_integer(count)) ||
		     json_object_set_new(one, "used_last_s",
					 used ? json_integer(last_s) : json_null());
	} else if (is(item, "total")) {
		rc = json_object_set_new(
			one, "journals_used",
			json_integer((json_int_t)tools_usage_journals(
				r->usage, tools_policy_text_of(item, "who"))));
	}
	if (rc) {
		json_decref(one);
		return NULL;
	}
	return one;
}

static void put_rights(FILE *to, const json_t *item)
{
	const json_t *list = json_object_get(item, "rights");

	for (size_t i = 0; i < json_array_size(list); i++)
		fprintf(to, "%s%s", i ? " " : "", json_string_value(json_array_get(list, i)));
}

/* A journal that somebody reaches by an entry of his own. */
static void put_access(struct review *r, const json_t *item)
{
	const json_t *until = json_object_get(item, "until_s");
	int64_t last_s, count;
	char day[32];

	fprintf(r->access, "    %-10s ", tools_policy_text_of(item, "ground"));
	tools_plain_pad(r->access, tools_policy_text_of(item, "journal"), 32);
	fputs("  ", r->access);
	put_rights(r->access, item);
	if (json_is_integer(until))
		fprintf(r->access, "  until %s", tools_when_end(json_integer_value(until), day));
	if (r->usage && tools_usage_find(r->usage, tools_policy_text_of(item, "who"),
					 tools_policy_number_of(item, "index"), &last_s, &count)) {
		fprintf(r->access, "  uses: %lld, last %s", (long long)count,
			tools_when_day(last_s, day));
		r->used_own++;
	} else if (r->usage) {
		fputs("  NOT USED", r->access);
	}
	fputc('\n', r->access);
}

static void put_block(struct review *r, const json_t *item)
{
	fprintf(r->access, "    %-10s ", "blocked");
	tools_plain_pad(r->access, tools_policy_text_of(item, "journal"), 32);
	fprintf(r->access, "  %s\n", tools_policy_text_of(item, "entry"));
}

static void put_person(struct review *r, const json_t *item)
{
	const char *unit = tools_policy_text_of(item, "unit");

	fprintf(r->access, "\n%s, %s%s%s, %s\n", tools_policy_text_of(item, "who"),
		tools_policy_text_of(item, "role"), *unit ? ", " : "", unit,
		tools_policy_text_of(item, "state"));
	r->used_own = 0;
}

static void put_total(struct review *r, const json_t *item)
{
	static const struct {
		const char *key, *text;
	} grounds[] = {
		{ "own", "by own entry" },   { "attend", "stated himself" },
		{ "unit", "by unit entry" }, { "role", "by role entry" },
		{ "default", "by unit default" },
	};
	json_int_t own = tools_policy_number_of(item, "own") + tools_policy_number_of(item, "attend");

	fprintf(r->access, "  journals: reads %lld, writes %lld",
		(long long)tools_policy_number_of(item, "read"),
		(long long)tools_policy_number_of(item, "write"));
	for (size_t i = 0; i < sizeof(grounds) / sizeof(grounds[0]); i++) {
		if (tools_policy_number_of(item, grounds[i].key))
			fprintf(r->access, "; %s %lld", grounds[i].text,
				(long long)tools_policy_number_of(item, grounds[i].key));
	}
	fprintf(r->access, "; blocked in %lld\n", (long long)tools_policy_number_of(item, "blocked"));
	if (tools_policy_number_of(item, "named") > own)
		fprintf(r->access, "  entries that name %s and give nothing: %lld\n",
			tools_policy_text_of(item, "who"),
			(long long)(tools_policy_number_of(item, "named") - own));
	if (r->usage)
		fprintf(r->access, "  journals used: %zu; by own entry %lld, of them not used %lld\n",
			tools_usage_journals(r->usage, tools_policy_text_of(item, "who")),
			(long long)own, (long long)(own - r->used_own));
}

/* What comes is mostly of the last one. */
static json_t *person_of(const struct review *r, const char *who)
{
	json_t *person = json_array_get(r->people, json_array_size(r->people) - 1);
	size_t i;

	if (person && !strcmp(tools_policy_text_of(person, "who"), who))
		return person;
	json_array_foreach(r->people, i, person) {
		if (!strcmp(tools_policy_text_of(person, "who"), who))
			return person;
	}
	return NULL;
}

int tools_review_take(struct review *r, const json_t *item)
{
	json_t *person;

	if (is(item, "head")) {
		r->head = json_incref((json_t *)item);
		return 0;
	}
	if (is(item, "person")) {
		put_person(r, item);
		return json_array_append(r->people, (json_t *)item);
	}
	person = person_of(r, tools_policy_text_of(item, "who"));
	if (!person)
		return -1;
	if (is(item, "access")) {
		put_access(r, item);
	} else if (is(item, "block")) {
		put_block(r, item);
	} else if (is(item, "total")) {
		put_total(r, item);
		return json_object_set(person, "total", (json_t *)item);
	} else if (is(item, "alone")) {
		return json_object_set(person, "alone", json_object_get(item, "journals"));
	}
	return 0;
}
