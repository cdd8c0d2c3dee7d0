/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Bundle of AuditEvents: every kind of record against a schema with the codes of the value
 * sets that FHIR R4 binds, and what each field says.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_schema.h"
#include "policy/record_fhir.h"
#include "tools/audit_out_impl.h"
#include "tools/tool.h"

#define SCHEMA "tests/unit/golden/fhir/auditevents.schema.json"
#define HOSTILE "\033[2J<b>\"x\"\\\n\xe2\x80\xae\xff"

/* main.c's, which tests do not link. */
int tools_fail(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_FAILED;
}
int tools_usage(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_USAGE;
}

static char *text;
static size_t text_len;
static FILE *to;

static struct audit_out *begin(void)
{
	free(text);
	text = NULL;
	to = open_memstream(&text, &text_len);
	return tools_audit_out_to(to, &tools_audit_form_fhir, "", false);
}

/* The bundle, which the schema has let through. */
static json_t *end(struct audit_out *out)
{
	struct schema_check c = {.root = json_load_file(SCHEMA, JSON_REJECT_DUPLICATES, NULL)};
	json_t *bundle;
	bool valid;

	ck_assert_msg(c.root != NULL, "%s is read from the project's folder", SCHEMA);
	ck_assert_int_eq(tools_audit_out_end(out), 0);
	fclose(to);
	bundle = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(bundle != NULL, "no JSON: %s", text);
	valid = schema_valid(&c, c.root, bundle, "");
	ck_assert_msg(valid, "%s\n%s", c.why, text);
	json_decref(c.root);
	return bundle;
}

static json_t *event_at(json_t *bundle, size_t i)
{
	return json_object_get(json_array_get(json_object_get(bundle, "entry"), i), "resource");
}

/* The one event of a record. */
static json_t *event_of(const struct policy_record *r, json_t **bundle)
{
	struct audit_out *out = begin();

	tools_audit_out_record(out, r);
	*bundle = end(out);
	return event_at(*bundle, 0);
}

/* "a.0.b" below v, or "" */
static const char *at(json_t *v, const char *path)
{
	char copy[200], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = strtok_r(copy, ".", &save); p; p = strtok_r(NULL, ".", &save))
		v = json_is_array(v) ? json_array_get(v, (size_t)atoi(p)) : json_object_get(v, p);
	return json_is_string(v) ? json_string_value(v) : "";
}

static void fill(struct policy_record *r, int kind, const char *name)
{
	policy_record_init(r, (enum policy_record_kind)kind);
	r->seq = (uint64_t)kind;
	r->time_ns = INT64_C(1795269787123456789);
	memset(r->session, 0xab, sizeof(r->session));
	r->practitioner = 7;
	policy_record_copy(r->who, sizeof(r->who), name);
	r->uid = 1000;
	r->pid = 4242;
	policy_record_copy(r->program, sizeof(r->program), name);
	policy_record_copy(r->role, sizeof(r->role), name);
	policy_record_copy(r->unit, sizeof(r->unit), name);
	policy_record_copy(r->origin, sizeof(r->origin), name);
	r->journal = 3;
	policy_record_copy(r->journal_name, sizeof(r->journal_name), name);
	r->note = 9;
	policy_record_copy(r->name, sizeof(r->name), name);
	policy_record_copy(r->name2, sizeof(r->name2), name);
	policy_record_copy(r->rule, sizeof(r->rule), name);
	policy_record_copy(r->reason, sizeof(r->reason), name);
	policy_record_copy(r->detail, sizeof(r->detail), name);
	r->bytes_read = r->bytes_written = r->count = r->grant = 12;
	r->policy_version = 5;
	r->until_ns = r->time_ns + 1;
}

/* What domain.md and policy/FORMAT.md say of each kind. */
static const struct {
	int kind;
	const char *type, *subtype, *action, *outcome, *purpose, *lifecycle;
} kinds[] = {
	{POLICY_RECORD_START, "110113", "110134", "E", "0", "HSYSADMIN", ""},
	{POLICY_RECORD_STOP, "110113", "110133", "E", "0", "HSYSADMIN", ""},
	{POLICY_RECORD_LOGIN, "110114", "110122", "E", "0", "", ""},
	{POLICY_RECORD_LOGOUT, "110114", "110123", "E", "0", "", ""},
	{POLICY_RECORD_LOCK, "110114", "", "E", "0", "", ""},
	{POLICY_RECORD_UNLOCK, "110114", "", "E", "0", "", ""},
	{POLICY_RECORD_INTENT, "110110", "", "R", "0", "TREAT", ""},
	{POLICY_RECORD_OPEN, "110110", "", "R", "0", "TREAT", "access"},
	{POLICY_RECORD_LIST, "110112", "", "E", "0", "TREAT", ""},
	{POLICY_RECORD_CREATE, "110110", "", "C", "0", "TREAT", "originate"},
	{POLICY_RECORD_WRITE, "110110", "", "U", "0", "TREAT", "amend"},
	{POLICY_RECORD_DELETE, "110110", "", "D", "0", "TREAT", "deprecate"},
	{POLICY_RECORD_RENAME, "110110", "", "U", "0", "TREAT", "amend"},
	{POLICY_RECORD_ATTRIBUTE, "110110", "", "U", "0", "TREAT", "amend"},
	{POLICY_RECORD_REFUSED, "110110", "", "E", "4", "", ""},
	{POLICY_RECORD_ALARM, "110113", "", "E", "8", "", ""},
	{POLICY_RECORD_POLICY, "110113", "110137", "U", "0", "HSYSADMIN", ""},
	{POLICY_RECORD_INVITE, "110113", "110137", "C", "0", "HSYSADMIN", ""},
	{POLICY_RECORD_ENROLL, "110113", "110137", "U", "0", "HSYSADMIN", ""},
	{POLICY_RECORD_KEYS, "110113", "110137", "U", "0", "HSYSADMIN", ""},
	{POLICY_RECORD_RECOVER, "110113", "110137", "U", "0", "HSYSADMIN", ""},
	{POLICY_RECORD_AUDIT, "110101", "", "R", "0", "HCOMPL", ""},
	{POLICY_RECORD_CLOSE, "110110", "", "E", "0", "TREAT", ""},
	{POLICY_RECORD_JOURNAL, "110110", "", "C", "0", "PATADMIN", ""},
	{POLICY_RECORD_ATTEND, "110113", "110136", "U", "0", "TREAT", ""},
	{POLICY_RECORD_REVIEW, "110113", "", "E", "0", "HCOMPL", ""},
	{POLICY_RECORD_PROPOSAL, "110113", "110137", "C", "0", "HSYSADMIN", ""},
	{POLICY_RECORD_BREAK_GLASS, "110113", "110127", "E", "0", "BTG", ""},
	{POLICY_RECORD_BREAK_GLASS_END, "110113", "110138", "E", "0", "BTG", ""},
	{POLICY_RECORD_GRANT_REVIEW, "110113", "", "U", "0", "HCOMPL", ""},
	{POLICY_RECORD_NOTICE, "110113", "", "E", "0", "HCOMPL", ""},
	{POLICY_RECORD_FINAL, "110110", "", "U", "0", "TREAT", "attest"},
	{POLICY_RECORD_SIGN, "110110", "", "U", "0", "TREAT", "attest"},
	{POLICY_RECORD_ERROR, "110110", "", "U", "0", "TREAT", "deprecate"},
	{POLICY_RECORD_AMEND, "110110", "", "C", "0", "TREAT", "amend"},
	{POLICY_RECORD_MOVE, "110110", "", "C", "0", "TREAT", "originate"},
	{POLICY_RECORD_EXPORT, "110106", "", "R", "0", "TREAT", "disclose"},
	{POLICY_RECORD_VERIFY, "110110", "", "R", "0", "HQUALIMP", "access"},
	{POLICY_RECORD_LOG_REVIEW, "110101", "", "E", "0", "HCOMPL", ""},
	{POLICY_RECORD_ARCHIVE, "110113", "", "D", "0", "RECORDMGT", ""},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The code of a system among the codings of an array, or "". */
static const char *code_in(json_t *codings, const char *system)
{
	json_t *one;
	size_t i;

	json_array_foreach(codings, i,
			   one) if (!strcmp(at(one, "system"), system)) return at(one, "code");
	return "";
}

START_TEST(every_kind_has_its_codes)
{
	struct policy_record r;
	json_t *bundle, *e, *subtypes;

	fill(&r, kinds[_i].kind, "name");
	e = event_of(&r, &bundle);
	subtypes = json_object_get(e, "subtype");
	ck_assert_str_eq(at(e, "type.code"), kinds[_i].type);
	ck_assert_str_eq(code_in(subtypes, "http://dicom.nema.org/resources/ontology/DCM"),
			 kinds[_i].subtype);
	ck_assert_str_eq(
		code_in(subtypes, "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"),
		kinds[_i].lifecycle);
	ck_assert_str_eq(at(e, "subtype.0.code"), *kinds[_i].subtype ? kinds[_i].subtype
						  : *kinds[_i].lifecycle
							  ? kinds[_i].lifecycle
							  : policy_record_kind_text(r.kind));
	ck_assert_str_eq(at(e, "action"), kinds[_i].action);
	ck_assert_str_eq(at(e, "outcome"), kinds[_i].outcome);
	ck_assert_str_eq(at(e, "purposeOfEvent.0.coding.0.code"), kinds[_i].purpose);
	ck_assert_str_eq(at(e, "purposeOfEvent.0.text"), "name");
	json_decref(bundle);
}
END_TEST

START_TEST(no_kind_is_left_out)
{
	for (int k = 1; k < POLICY_RECORD_KIND_COUNT; k++) {
		bool found = false;

		for (size_t i = 0; i < KINDS; i++)
			found = found || kinds[i].kind == k;
		ck_assert_msg(found, "kind %d (%s)", k, policy_record_kind_text((uint8_t)k));
	}
}
END_TEST

START_TEST(hostile_and_empty_and_unknown_records_stay_valid)
{
	struct audit_out *out = begin();
	struct policy_record_note notes[2] = {{4, HOSTILE}, {0, ""}};
	struct policy_record r;
	json_t *bundle;

	for (int k = 1; k < POLICY_RECORD_KIND_COUNT; k++) {
		fill(&r, k, HOSTILE);
		r.notes = notes;
		r.note_count = 2;
		tools_audit_out_record(out, &r);
		policy_record_init(&r, (enum policy_record_kind)k);
		tools_audit_out_record(out, &r);
	}
	fill(&r, 200, "x");
	r.outcome = 5;
	strcpy(r.purpose, "\"odd\"");
	r.reason[0] = '\0';
	tools_audit_out_record(out, &r);
	bundle = end(out);
	ck_assert_ptr_null(strchr(text, '\033'));
	r = (struct policy_record){.kind = 0};
	ck_assert_str_eq(at(event_at(bundle, 2 * (POLICY_RECORD_KIND_COUNT - 1)), "type.code"),
			 "110100");
	ck_assert_str_eq(at(event_at(bundle, 2 * (POLICY_RECORD_KIND_COUNT - 1)), "outcome"), "8");
	json_decref(bundle);
}
END_TEST

START_TEST(open_says_who_what_and_from_where)
{
	static const uint8_t vault[16] = {1, 2, 3};
	struct audit_out *out = begin();
	struct policy_record r;
	json_t *bundle, *e;

	fill(&r, POLICY_RECORD_OPEN, "x");
	r.seq = 42;
	strcpy(r.who, "anna");
	strcpy(r.role, "physician");
	strcpy(r.unit, "north");
	strcpy(r.origin, "ssh 192.0.2.7");
	strcpy(r.journal_name, "Hansen");
	strcpy(r.name, "note.txt");
	r.grant = 6;
	tools_audit_out_vault(out, vault);
	tools_audit_out_record(out, &r);
	bundle = end(out);
	e = event_at(bundle, 0);
	ck_assert_str_eq(at(e, "recorded"), "2026-11-21T14:03:07.123456789Z");
	ck_assert_str_eq(at(e, "period.end"), "2026-11-21T14:03:07.123456790Z");
	ck_assert_str_eq(at(e, "agent.0.who.identifier.value"), "7");
	ck_assert_str_eq(at(e, "agent.0.name"), "anna");
	ck_assert_str_eq(at(e, "agent.0.role.0.text"), "physician");
	ck_assert_str_eq(at(e, "agent.0.location.display"), "north");
	ck_assert_str_eq(at(e, "agent.0.network.type"), "2");
	ck_assert_str_eq(at(e, "agent.0.network.address"), "192.0.2.7");
	ck_assert_str_eq(at(e, "agent.1.type.coding.0.code"), "110150");
	ck_assert_str_eq(at(e, "source.observer.identifier.value"),
			 "01020300000000000000000000000000");
	ck_assert_str_eq(at(e, "entity.0.role.code"), "1");
	ck_assert_str_eq(at(e, "entity.0.name"), "Hansen");
	ck_assert_str_eq(at(e, "entity.1.role.code"), "3");
	ck_assert_str_eq(at(e, "entity.1.lifecycle.code"), "access");
	ck_assert_str_eq(at(e, "entity.1.what.identifier.value"), "9");
	ck_assert_str_eq(at(e, "entity.2.what.identifier.value"), "6");
	ck_assert_str_eq(at(e, "entity.3.what.identifier.value"), "42");
	json_decref(bundle);
}
END_TEST

START_TEST(network_type_is_said_only_where_it_is_known)
{
	static const struct {
		const char *origin, *type;
	} origins[] = {{"tty1", ""},	   {"pts/0", ""},	 {":0", ""},
		       {"192.0.2.7", "2"}, {"2001:db8::1", "2"}, {"ward.example", "1"}};

	for (size_t i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
		struct policy_record r;
		json_t *bundle, *e;

		fill(&r, POLICY_RECORD_LOGIN, "x");
		strcpy(r.origin, origins[i].origin);
		e = event_of(&r, &bundle);
		ck_assert_str_eq(at(e, "agent.0.network.address"), origins[i].origin);
		ck_assert_str_eq(at(e, "agent.0.network.type"), origins[i].type);
		json_decref(bundle);
	}
}
END_TEST

START_TEST(listing_is_a_query_and_has_no_name)
{
	struct policy_record r;
	json_t *bundle, *e;

	fill(&r, POLICY_RECORD_LIST, "x");
	strcpy(r.name, "ab/cd");
	e = event_of(&r, &bundle);
	ck_assert_str_eq(at(e, "entity.1.role.code"), "24");
	ck_assert_str_eq(at(e, "entity.1.query"), "YWIvY2Q=");
	ck_assert_str_eq(at(e, "entity.1.name"), "");
	json_decref(bundle);
}
END_TEST

START_TEST(bundle_without_records_has_no_entry)
{
	json_t *bundle = end(begin());

	ck_assert_ptr_null(json_object_get(bundle, "entry"));
	json_decref(bundle);
}
END_TEST

START_TEST(urls_differ_and_are_the_same_again)
{
	char one[48], two[48];
	struct policy_record r;

	fill(&r, POLICY_RECORD_OPEN, "x");
	policy_record_fhir_url(&r, one);
	policy_record_fhir_url(&r, two);
	ck_assert_str_eq(one, two);
	r.seq++;
	policy_record_fhir_url(&r, two);
	ck_assert_str_ne(one, two);
}
END_TEST

START_TEST(schema_refuses_what_is_not_r4)
{
	static const char *const bad[] = {
		"{\"resourceType\":\"Bundle\",\"type\":\"searchset\"}",
		"{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"entry\":[]}",
		"{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"link\":[]}",
		"{\"resourceType\":\"Bundle\",\"type\":\"collection\",\"timestamp\":\"today\"}"};
	struct schema_check c = {.root = json_load_file(SCHEMA, 0, NULL)};
	json_t *bundle, *e;
	struct policy_record r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *v = json_loads(bad[i], 0, NULL);

		ck_assert(!schema_valid(&c, c.root, v, ""));
		json_decref(v);
	}
	fill(&r, POLICY_RECORD_OPEN, "x");
	e = event_of(&r, &bundle);
	ck_assert(schema_valid(&c, c.root, bundle, ""));
	json_object_set_new(json_object_get(e, "type"), "code", json_string("110122"));
	ck_assert(!schema_valid(&c, c.root, bundle, ""));
	json_decref(bundle);
	e = event_of(&r, &bundle);
	json_object_set_new(json_array_get(json_object_get(e, "entity"), 0), "query",
			    json_string("YQ=="));
	ck_assert(!schema_valid(&c, c.root, bundle, ""));
	json_decref(bundle);
	e = event_of(&r, &bundle);
	json_object_del(e, "source");
	ck_assert(!schema_valid(&c, c.root, bundle, ""));
	json_decref(bundle);
	json_decref(c.root);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/audit_fhir");
	TCase *t = tcase_create("bundle");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(t, every_kind_has_its_codes, 0, (int)KINDS);
	tcase_add_test(t, no_kind_is_left_out);
	tcase_add_test(t, hostile_and_empty_and_unknown_records_stay_valid);
	tcase_add_test(t, open_says_who_what_and_from_where);
	tcase_add_test(t, network_type_is_said_only_where_it_is_known);
	tcase_add_test(t, listing_is_a_query_and_has_no_name);
	tcase_add_test(t, bundle_without_records_has_no_entry);
	tcase_add_test(t, urls_differ_and_are_the_same_again);
	tcase_add_test(t, schema_refuses_what_is_not_r4);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
