/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/json_schema.h - as much of JSON Schema (draft 07) as the schemas of these tests use.
 *
 * Invariant: a keyword that is not checked here makes the schema itself fail: nothing in a schema
 * is there for show. Patterns are POSIX extended expressions, which ECMA's read the same way in
 * what is used.
 */
#ifndef TESTS_UNIT_JSON_SCHEMA_H
#define TESTS_UNIT_JSON_SCHEMA_H

#include <jansson.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct schema_check {
	json_t *root;
	char why[400];
};

static bool schema_valid(struct schema_check *c, json_t *schema, json_t *v, const char *at);

static bool schema_says(struct schema_check *c, const char *at, const char *what)
{
	snprintf(c->why, sizeof(c->why), "%s: %s", at, what);
	return false;
}

static bool schema_type(json_t *v, const char *type)
{
	return (!strcmp(type, "object") && json_is_object(v)) ||
	       (!strcmp(type, "array") && json_is_array(v)) ||
	       (!strcmp(type, "string") && json_is_string(v)) ||
	       (!strcmp(type, "boolean") && json_is_boolean(v)) ||
	       (!strcmp(type, "integer") && json_is_integer(v));
}

static bool schema_pattern(json_t *v, const char *pattern)
{
	regex_t re;
	bool found;

	if (!json_is_string(v) || regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	found = !regexec(&re, json_string_value(v), 0, NULL, 0);
	regfree(&re);
	return found;
}

static bool schema_has(json_t *list, json_t *v)
{
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) if (json_equal(one, v)) return true;
	return false;
}

static bool schema_object(struct schema_check *c, json_t *schema, json_t *v, const char *at)
{
	json_t *known = json_object_get(schema, "properties"), *one, *name;
	json_t *required = json_object_get(schema, "required");
	char path[300];
	const char *key;
	size_t i;

	json_array_foreach(
		required, i,
		name) if (!json_object_get(v,
					   json_string_value(
						   name))) return schema_says(c, at,
									      json_string_value(
										      name));
	json_object_foreach(v, key, one)
	{
		json_t *of = json_object_get(known, key);

		snprintf(path, sizeof(path), "%s.%s", at, key);
		if (!of && json_is_false(json_object_get(schema, "additionalProperties")))
			return schema_says(c, path, "may not stand here");
		if (of && !schema_valid(c, of, one, path))
			return false;
	}
	return true;
}

static bool schema_array(struct schema_check *c, json_t *schema, json_t *v, const char *at)
{
	json_t *items = json_object_get(schema, "items"), *one;
	json_int_t least = json_integer_value(json_object_get(schema, "minItems"));
	char path[300];
	size_t i;

	if ((json_int_t)json_array_size(v) < least)
		return schema_says(c, at, "too few");
	json_array_foreach(v, i, one)
	{
		snprintf(path, sizeof(path), "%s[%zu]", at, i);
		if (items && !schema_valid(c, items, one, path))
			return false;
	}
	return true;
}

static bool schema_known(const char *key)
{
	static const char *const keys[] = {
		"$schema",    "title",	 "$comment", "definitions",
		"$ref",	      "type",	 "required", "additionalProperties",
		"properties", "items",	 "minItems", "enum",
		"const",      "pattern", "anyOf"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i], key))
			return true;
	return false;
}

static bool schema_any(struct schema_check *c, json_t *any, json_t *v, const char *at)
{
	json_t *one;
	size_t i;

	json_array_foreach(any, i, one) if (schema_valid(c, one, v, at)) return true;
	return !any;
}

static bool schema_valid(struct schema_check *c, json_t *schema, json_t *v, const char *at)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref"));
	const char *type, *pattern, *key;
	json_t *part, *same, *list;

	if (ref) {
		if (strncmp(ref, "#/definitions/", 14))
			return schema_says(c, at, "a reference that leads nowhere");
		schema = json_object_get(json_object_get(c->root, "definitions"), ref + 14);
	}
	if (!json_is_object(schema))
		return schema_says(c, at, "no schema");
	json_object_foreach(schema, key, part) if (!schema_known(key)) return schema_says(
		c, at, "the schema has a keyword that nobody checks");
	type = json_string_value(json_object_get(schema, "type"));
	pattern = json_string_value(json_object_get(schema, "pattern"));
	same = json_object_get(schema, "const");
	list = json_object_get(schema, "enum");
	if (type && !schema_type(v, type))
		return schema_says(c, at, type);
	if (pattern && !schema_pattern(v, pattern))
		return schema_says(c, at, pattern);
	if ((same && !json_equal(same, v)) || (list && !schema_has(list, v)))
		return schema_says(c, at, "is none of the values");
	if (json_is_object(v) && !schema_object(c, schema, v, at))
		return false;
	if (json_is_array(v) && !schema_array(c, schema, v, at))
		return false;
	return schema_any(c, json_object_get(schema, "anyOf"), v, at);
}

#endif
