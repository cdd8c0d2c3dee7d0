/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of policy/syslog: what a monitor can parse, what a name can't break, and that no patient's
 * name leaves without the word for it.
 */
#include "../../policy/syslog.h"
#include "../../policy/practice.h"
#include "../../policy/report.h"
#include "../../policy/utf8.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char out[POLICY_SYSLOG_MAX + 1];

static const struct policy_syslog plain = {.host = "north", .pid = 4711, .enterprise = 32473};
static const struct policy_syslog names = {
	.host = "north", .pid = 4711, .enterprise = 32473, .names = true};

static struct policy_record opened(void)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_OPEN);
	r.seq = 12;
	r.time_ns = INT64_C(1782201600123456789);
	r.practitioner = 3;
	strcpy(r.who, "anna");
	strcpy(r.role, "physician");
	strcpy(r.unit, "doctors");
	strcpy(r.origin, "ssh 10.0.1.12");
	strcpy(r.program, "xed");
	r.journal = 17;
	strcpy(r.journal_name, "010190-1234 Hansen, Anna");
	r.note = 5;
	strcpy(r.name, "2026-06-23 hiv test.md");
	strcpy(r.rule, "allow user:anna:rwx (line 3)");
	r.policy_version = 4;
	return r;
}

static const char *format(const struct policy_record *r, const struct policy_syslog *as)
{
	size_t len = policy_syslog_format(r, as, out);

	ck_assert_uint_eq(len, strlen(out));
	ck_assert_uint_le(len, POLICY_SYSLOG_MAX);
	return out;
}

/*
 * Reads a message as RFC 5424 says (section 6): the values of all parameters, one a line, without
 * the escapes; *text is the message. False: it is not one.
 */
static bool parse(const char *p, char *values, const char **text)
{
	/* PRI and version, then five fields of printable characters. */
	if (*p++ != '<')
		return false;
	while (*p >= '0' && *p <= '9')
		p++;
	if (strncmp(p, ">1 ", 3))
		return false;
	p += 3;
	for (unsigned field = 0; field < 5; field++) {
		if (*p <= 0x20 || *p > 0x7e)
			return false;
		while (*p > 0x20 && *p < 0x7f)
			p++;
		if (*p++ != ' ')
			return false;
	}
	if (*p++ != '[')
		return false;
	while (*p != ' ' && *p != ']')
		p++;
	while (*p == ' ') {
		p = strchr(p, '=');
		if (!p || p[1] != '"')
			return false;
		for (p += 2; *p != '"'; *values++ = *p++) {
			if (*p == ']' || !*p)
				return false;
			if (*p == '\\' && *++p != '"' && *p != '\\' && *p != ']')
				return false;
		}
		*values++ = '\n';
		p++;
	}
	*values = '\0';
	if (strncmp(p, "] \xef\xbb\xbf", 5))
		return false;
	*text = p + 5;
	return true;
}

static void check_whole(void)
{
	char values[POLICY_SYSLOG_MAX + 1];
	const char *text;

	ck_assert_msg(parse(out, values, &text), "%s", out);
	for (const char *p = out; *p;) {
		uint32_t point = 0;
		size_t n = policy_utf8_get(p, strlen(p), &point);

		ck_assert_msg(n > 0, "no UTF-8: %s", p);
		ck_assert_uint_ge(point, 0x20);
		ck_assert_uint_ne(point, 0x7f);
		p += n;
	}
}

START_TEST(message_has_the_form_of_the_standard)
{
	struct policy_record r = opened();

	ck_assert_str_eq(format(&r, &plain),
			 "<86>1 2026-06-23T08:00:00.123456Z north journalfs 4711 open "
			 "[journalfs@32473 seq=\"12\" "
			 "action=\"R\" outcome=\"0\" type=\"110110\" who=\"anna\" "
			 "practitioner=\"3\" role=\"physician\" "
			 "unit=\"doctors\" origin=\"ssh 10.0.1.12\" journal=\"17\" "
			 "note=\"5\" "
			 "purpose=\"TREAT\" basis=\"own entry\" policyVersion=\"4\"] \xef\xbb\xbf"
			 "anna (physician, doctors)  opened  journal 17 / note 5  TREAT  policy "
			 "version 4  from \"ssh "
			 "10.0.1.12\"");
	check_whole();
}
END_TEST

START_TEST(severity_follows_the_outcome)
{
	static const struct {
		uint8_t kind, outcome;
		const char *starts;
	} cases[] = {{POLICY_RECORD_OPEN, 0, "<86>"},
		     {POLICY_RECORD_REFUSED, 4, "<84>"},
		     {POLICY_RECORD_ALARM, 8, "<83>"},
		     {POLICY_RECORD_ALARM, 12, "<82>"},
		     {POLICY_RECORD_BREAK_GLASS, 0, "<85>"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy_record r;

		policy_record_init(&r, (enum policy_record_kind)cases[i].kind);
		r.outcome = cases[i].outcome;
		ck_assert(!strncmp(format(&r, &plain), cases[i].starts, 4));
	}
}
END_TEST

/* Every text of a record that may name a patient, in every kind of record. */
START_TEST(without_names_no_name_and_nothing_typed_is_in_it)
{
	for (unsigned kind = 1; kind < POLICY_RECORD_KIND_COUNT; kind++) {
		const struct policy_record_note note = {.note = 9, .name = "Hansen note"};
		struct policy_record r = opened();

		r.kind = (uint8_t)kind;
		strcpy(r.name, "Hansen 1");
		strcpy(r.name2, "Hansen 2");
		strcpy(r.reason, "Hansen is my neighbour");
		strcpy(r.detail, "emergency search for \"Hansen\"");
		strcpy(r.rule, "the policy of Hansen does not parse");
		strcpy(r.program, "Hansen.sh");
		r.notes = &note;
		r.note_count = r.note_total = 1;
		ck_assert_msg(!strstr(format(&r, &plain), "Hansen"), "%s", out);
		ck_assert_ptr_null(strstr(out, "010190"));
		ck_assert_ptr_nonnull(strstr(out, "seq=\"12\""));
		check_whole();
		ck_assert_ptr_nonnull(
			strstr(format(&r, &names), "journalName=\"010190-1234 Hansen, Anna\""));
		check_whole();
	}
}
END_TEST

START_TEST(hostile_name_ends_nothing)
{
	static const char *const hostile[] = {
		"\"] [evil@1 seq=\"1\"] \xef\xbb\xbf",
		"a\\",
		"]",
		"\\\"]\\",
		"two\nlines\r\n<80>1 - - - - - - forged",
		"\x1b[2J\x7f",
		"\xff\xfe no utf-8 \xc3",
		"\xe2\x80\xaeturned",
		"\xef\xbb\xbf",
	};

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct policy_record r = opened();
		struct policy_syslog as = names;

		strcpy(r.who, hostile[i]);
		strcpy(r.role, hostile[i]);
		strcpy(r.origin, hostile[i]);
		strcpy(r.journal_name, hostile[i]);
		strcpy(r.name, hostile[i]);
		strcpy(r.reason, hostile[i]);
		strcpy(r.detail, hostile[i]);
		snprintf(r.program, sizeof(r.program), "%.15s", hostile[i]);
		as.host = hostile[i];
		format(&r, &as);
		check_whole();
		ck_assert_ptr_null(strchr(out, '\n'));
	}
}
END_TEST

START_TEST(name_reads_back_as_it_was)
{
	struct policy_record r = opened();
	char values[POLICY_SYSLOG_MAX + 1];
	const char *text;

	strcpy(r.journal_name, "a \"b\" ]c] S\xc3\xb8ren");
	format(&r, &names);
	ck_assert(parse(out, values, &text));
	ck_assert_ptr_nonnull(strstr(values, "\na \"b\" ]c] S\xc3\xb8ren\n"));
}
END_TEST

START_TEST(long_texts_are_cut_at_a_character_and_say_so)
{
	struct policy_record r = opened();

	for (size_t i = 0; i + 2 < sizeof(r.reason); i += 2)
		memcpy(r.reason + i, "\xc3\xb8", 3);
	memcpy(r.detail, r.reason, sizeof(r.detail));
	format(&r, &names);
	check_whole();
	ck_assert_str_eq(out + strlen(out) - 3, "...");
	ck_assert_ptr_nonnull(strstr(out, "\xc3\xb8...\""));
	/* Everything at its longest and worst to escape: what finds no room is left out, and told.
	 */
	memset(r.who, '"', sizeof(r.who) - 1);
	memset(r.role, '\\', sizeof(r.role) - 1);
	memset(r.unit, ']', sizeof(r.unit) - 1);
	memset(r.origin, '\1', sizeof(r.origin) - 1);
	memset(r.name, '\2', sizeof(r.name) - 1);
	memset(r.journal_name, '\3', sizeof(r.journal_name) - 1);
	format(&r, &names);
	check_whole();
	ck_assert_ptr_nonnull(strstr(out, " cut=\"1\"]"));
}
END_TEST

/* ---- the policy's word ---- */

static struct policy_practice *practice(const char *line, char *error, size_t cap)
{
	static const char rest[] = "role a may policy audit\npractitioner me user me role a\n";
	struct policy_practice *p = NULL;
	struct policy_report *report = NULL;
	char text[512];

	snprintf(text, sizeof(text), "practice \"P\"\n%s\n%s", line, rest);
	ck_assert_int_eq(policy_report_new(&report), 0);
	*error = '\0';
	if (policy_practice_parse(text, strlen(text), "practice.policy", report, &p))
		snprintf(error, cap, "%s", policy_report_line(report, 0));
	policy_report_free(report);
	return p;
}

START_TEST(policy_says_whether_and_with_names)
{
	static const struct {
		const char *line;
		bool forward, names, strict;
	} good[] = {{"", false, false, false},
		    {"log strict", false, false, true},
		    {"log forward", true, false, false},
		    {"log forward names", true, true, false},
		    {"log strict\nlog forward names", true, true, true},
		    {"log keep 5y forward strict", true, false, true}};
	static const char *const bad[] = {"log forward name", "log forward names names",
					  "log forward\nlog forward", "log"};
	char error[256];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct policy_practice *p = practice(good[i].line, error, sizeof(error));

		ck_assert_msg(p != NULL, "%s: %s", good[i].line, error);
		ck_assert_int_eq(policy_practice_settings(p)->log_forward, good[i].forward);
		ck_assert_int_eq(policy_practice_settings(p)->log_forward_names, good[i].names);
		ck_assert_int_eq(policy_practice_settings(p)->log_strict, good[i].strict);
		policy_practice_put(p);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!practice(bad[i], error, sizeof(error)), "%s", bad[i]);
		ck_assert_msg(!strncmp(error, "practice.policy:", 16), "%s", error);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_syslog");
	TCase *t = tcase_create("syslog");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, message_has_the_form_of_the_standard);
	tcase_add_test(t, severity_follows_the_outcome);
	tcase_add_test(t, without_names_no_name_and_nothing_typed_is_in_it);
	tcase_add_test(t, hostile_name_ends_nothing);
	tcase_add_test(t, name_reads_back_as_it_was);
	tcase_add_test(t, long_texts_are_cut_at_a_character_and_say_so);
	tcase_add_test(t, policy_says_whether_and_with_names);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
