/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Emergency accesses for people: the order of the table, what is gathered of the acts, and that
 * what is proposed is policy and nothing but what was meant.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "policy/decide.h"
#include "policy/practice.h"
#include "tools/grant_text.h"
#include "tools/tool.h"

/* main.c's, which tests do not link. */
int tools_fail(const char *fmt, ...)
{
	(void)fmt;
	return TOOL_FAILED;
}

static char *text;
static size_t text_len;

static FILE *begin(void)
{
	free(text);
	text = NULL;
	return open_memstream(&text, &text_len);
}

static json_t *grant(int number, const char *state, int overdue)
{
	return json_pack("{s:i, s:s, s:b, s:s, s:s, s:i, s:i, s:i, s:[s]}", "number", number,
			 "state", state, "overdue", overdue, "who", "eva", "journal", "p", "from_s",
			 1700000000, "until_s", 1700003600, "due_s", 1700007200, "flags",
			 "past-block");
}

static int at(const char *what)
{
	const char *found = strstr(text, what);

	ck_assert_msg(found != NULL, "no \"%s\" in:\n%s", what, text);
	return (int)(found - text);
}

START_TEST(table_has_overdue_ones_first_and_judged_ones_on_demand)
{
	json_t *list = json_pack("[o, o, o, o, o]", grant(1, "justified", 0), grant(2, "open", 0),
				 grant(3, "pending-review", 0), grant(4, "deviation", 0),
				 grant(5, "pending-review", 1));
	FILE *to = begin();

	tools_grant_table(list, 0, to);
	fclose(to);
	ck_assert_int_lt(at("     5  OVERDUE"), at("     3  pending-review"));
	ck_assert_int_lt(at("     3  pending-review"), at("     4  deviation"));
	ck_assert_int_lt(at("     4  deviation"), at("     2  open"));
	ck_assert_ptr_null(strstr(text, "justified"));
	to = begin();
	tools_grant_table(list, 1, to);
	fclose(to);
	ck_assert_int_lt(at("     2  open"), at("     1  justified"));
	json_decref(list);
}
END_TEST

START_TEST(table_says_when_there_is_nothing)
{
	json_t *list = json_pack("[o]", grant(1, "closed", 0)), *none = json_array();
	FILE *to = begin();

	tools_grant_table(list, 0, to);
	tools_grant_table(none, 0, to);
	fclose(to);
	at("Nothing is open or waits to be judged (--all shows all 1)");
	at("No emergency access is to be shown");
	json_decref(list);
	json_decref(none);
}
END_TEST

START_TEST(one_in_full_shows_flags_in_words_and_no_control_character)
{
	json_t *g = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[s, s], s:s, s:i, s:i, s:i, "
		"s:i, s:s, s:s, s:s, s:i, s:s, s:i}",
		"number", 7, "state", "deviation", "who", "eva", "role", "nurse", "unit", "south",
		"journal", "evil\n\033[31m", "ground_text", "danger to life or health", "reason",
		"brought in", "end", "closed", "flags", "past-block", "repeated", "verdict",
		"unjustified", "from_s", 1700000000, "until_s", 1700003600, "ended_s", 1700000600,
		"due_s", 1700259200, "reviewer", "pia", "note", "not\non duty", "settled", "",
		"reviewed_s", 1700010000, "ground", "danger", "deviation", 3);
	FILE *to = begin();

	ck_assert_ptr_nonnull(g);
	tools_grant_print(g, to);
	fclose(to);
	at("EMERGENCY ACCESS 7  deviation");
	at("eva (nurse, south then)");
	at("past the patient's block");
	at("word for word an earlier one");
	at("by who opened it");
	at("unjustified, pia");
	at("3, open");
	at("evil\\x0a\\x1b[31m");
	at("not\\x0aon duty");
	ck_assert_ptr_null(strchr(text, '\033'));
	json_decref(g);
}
END_TEST

static json_t *act(const char *kind, const char *name, int time_s, int read, int before)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:b}", "note",
			 *name ? "9" : "0", "kind", kind, "name", name, "name2", "", "time_s",
			 time_s, "count", 1, "bytes_read", read, "notes",
			 strcmp(kind, "intent") ? 0 : 12, "detail", before ? "searched \033" : "",
			 "before", before);
}

START_TEST(acts_are_gathered_by_note_with_what_was_read)
{
	json_t *refused = act("refused", "", 1700000700, 0, 0);
	json_t *acts;
	FILE *to;

	json_object_set_new(refused, "note", json_string("9"));
	json_object_set_new(refused, "detail", json_string("open: EACCES"));
	acts = json_pack(
		"[o, o, o, o, o, o, o, o]", act("list", "", 1700000000, 0, 1),
		act("break-glass", "", 1700000001, 0, 0), act("intent", "", 1700000002, 0, 0),
		act("open", "a.txt", 1700000010, 0, 0), act("close", "a.txt", 1700000020, 100, 0),
		act("open", "a.txt", 1700000600, 0, 0), act("close", "a.txt", 1700000620, 23, 0),
		refused);
	to = begin();

	ck_assert_int_eq(tools_grant_acts(acts, to), 0);
	fclose(to);
	at("opened    \"a.txt\"  2 times");
	at("123 bytes read");
	at("REFUSED   \"a.txt\"  open: EACCES  1 time");
	at("12 notes were within reach");
	ck_assert_int_lt(at("What was done under it"), at("On the way to it"));
	at("searched \\x1b");
	ck_assert_ptr_null(strstr(text, "nothing"));
	json_decref(acts);
	acts = json_array();
	to = begin();
	ck_assert_int_eq(tools_grant_acts(acts, to), 0);
	fclose(to);
	at("nothing");
	json_decref(acts);
}
END_TEST

/* ---- proposals ---- */

#define NOW 1790000000

static json_t *pair(const char *journal, int admitted, int blocked)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:b, s:b}", "who", "eva", "journal",
			 journal, "count", 4, "unjustified", 1, "first_s", NOW - 86400 * 30,
			 "last_s", NOW, "admitted", admitted, "blocked", blocked);
}

/* What is proposed, put into the policy of a journal: what eva may then. */
static uint32_t rights_with(const char *lines, int64_t now_s)
{
	static const char practice[] = "practice \"K\"\nrole steward may policy audit\n"
				       "role nurse clinical may list read write\nunit s \"S\"\n"
				       "practitioner dan user dan role steward\n"
				       "practitioner kim user kim role nurse unit s\n"
				       "practitioner eva user eva role nurse unit s\n";
	struct policy_question q = {.who = "eva", .rights = POLICY_READ, .now_s = now_s};
	struct policy_report *report = NULL;
	struct policy_practice *p = NULL;
	struct policy_journal *j = NULL;
	struct policy_verdict v;
	char file[4096];

	snprintf(file, sizeof(file),
		 "journal \"p\"\nunit s\nallow user:dan:r-x\nallow user:kim:rwx\n%s", lines);
	ck_assert_int_eq(policy_report_new(&report), 0);
	ck_assert_int_eq(policy_practice_parse(practice, strlen(practice), "k", report, &p), 0);
	ck_assert_msg(policy_journal_parse(file, strlen(file), "p", p, report, &j) == 0, "%s",
		      file);
	q.practice = p;
	q.journal = j;
	policy_decide(&q, &v);
	policy_journal_put(j);
	policy_practice_put(p);
	policy_report_free(report);
	return v.rights;
}

START_TEST(proposal_parses_and_gives_what_it_says)
{
	json_t *p = pair("p", 0, 0);
	FILE *to = begin();

	tools_grant_proposal(p, NOW, to);
	fclose(to);
	json_decref(p);
	at("4 emergency accesses");
	at("1 of them judged unjustified");
	at("allow user:eva:r-x from 2026-09-21 until 2026-12-20 reason \"4 emergency");
	ck_assert_uint_eq(rights_with(text, NOW) & POLICY_READ, POLICY_READ);
	ck_assert_uint_eq(rights_with(text, NOW) & POLICY_WRITE, 0);
	ck_assert_uint_eq(rights_with(text, NOW + 92 * 86400) & POLICY_READ, 0);
	ck_assert_uint_eq(rights_with("", NOW) & POLICY_READ, 0);
}
END_TEST

/* A journal's name can be anything: it must not become a line of policy. */
START_TEST(name_of_a_journal_smuggles_no_line_into_a_proposal)
{
	json_t *p = pair("p\"\nallow user:dan:rwx reason \"x", 0, 0);
	FILE *to = begin();
	unsigned lines = 0;

	tools_grant_proposal(p, NOW, to);
	fclose(to);
	json_decref(p);
	ck_assert_ptr_null(strstr(text, "\nallow user:dan"));
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		lines += *line != '#';
	ck_assert_uint_eq(lines, 1);
}
END_TEST

START_TEST(nothing_is_proposed_past_a_block_or_twice)
{
	json_t *admitted = pair("p", 1, 0), *blocked = pair("p", 0, 1);
	FILE *to = begin();

	tools_grant_proposal(admitted, NOW, to);
	tools_grant_proposal(blocked, NOW, to);
	fclose(to);
	json_decref(admitted);
	json_decref(blocked);
	at("admits this practitioner by now");
	at("Speak with the patient");
	ck_assert_ptr_null(strstr(text, "\nallow"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("grant_text");
	TCase *c = tcase_create("text");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, table_has_overdue_ones_first_and_judged_ones_on_demand);
	tcase_add_test(c, table_says_when_there_is_nothing);
	tcase_add_test(c, one_in_full_shows_flags_in_words_and_no_control_character);
	tcase_add_test(c, acts_are_gathered_by_note_with_what_was_read);
	tcase_add_test(c, proposal_parses_and_gives_what_it_says);
	tcase_add_test(c, name_of_a_journal_smuggles_no_line_into_a_proposal);
	tcase_add_test(c, nothing_is_proposed_past_a_block_or_twice);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
