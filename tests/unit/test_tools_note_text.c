/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes and findings for people: what is shown before it is locked, what a finding is called, names
 * of files.
 */
#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/note_text.h"
#include "tools/notes.h"
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

static bool has(const char *what)
{
	return strstr(text, what) != NULL;
}

static json_t *note(const char *path, const char *may, bool mine, bool wants, const char *why)
{
	return json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:i, s:i}", "path", path, "may", may,
			 "mine", mine, "wants", wants, "why", why, "author", "anna", "size", 812,
			 "mtime_s", 1700000000);
}

START_TEST(list_says_whose_notes_are_locked_and_what_they_want)
{
	json_t *notes = json_pack("[o, o, o, o]", note("a.txt", "yes", true, false, ""),
				  note("sub/b.txt", "yes", false, true, ""),
				  note("c.txt", "no", false, false, "it is bo's"),
				  note("d.swp", "left-out", false, false, "a temporary file"));
	FILE *to = begin();

	tools_note_print_list(to, "Hansen, Anna", notes);
	fclose(to);
	ck_assert_msg(
		has("Hansen, Anna/a.txt\n      by anna (yours), 812 bytes, last changed 2023-11-1"),
		"%s", text);
	ck_assert(has("Hansen, Anna/sub/b.txt\n      by anna (not yours)"));
	ck_assert(has("; a second practitioner is to countersign\n"));
	ck_assert(!has("c.txt") && !has("d.swp"));
	to = begin();
	tools_note_print_others(to, "Hansen, Anna", notes);
	fclose(to);
	ck_assert(has("Hansen, Anna/c.txt can't be locked: it is bo's\n"));
	ck_assert(has("left out: Hansen, Anna/d.swp: a temporary file\n"));
	ck_assert(!has("a.txt") && !has("b.txt"));
	ck_assert_uint_eq(tools_note_count(notes, "yes"), 2);
	ck_assert_uint_eq(tools_note_count(notes, "no"), 1);
	ck_assert_uint_eq(tools_note_count(notes, "perhaps"), 0);
	json_decref(notes);
}
END_TEST

START_TEST(names_do_nothing_to_the_terminal)
{
	json_t *notes = json_pack("[o, o]", note("\x1b[2Jx", "yes", true, false, ""),
				  note("y\x1b]0;t\a", "no", true, false, "\x1b[1mwhy"));
	json_t *check = json_pack("{s:s, s:s, s:s, s:s}", "journal", "\x1b[31mj", "path", "p",
				  "finding", "changed", "why",
				  "\xc2\x9b"
				  "31m");
	FILE *to = begin();

	tools_note_print_list(to, "j\x1b[0m", notes);
	tools_note_print_others(to, "j\x1b[0m", notes);
	tools_note_print_check(to, check);
	fclose(to);
	ck_assert_msg(!strchr(text, '\x1b') && !strchr(text, '\a'), "%s", text);
	ck_assert(has("\\x1b[2Jx"));
	json_decref(notes);
	json_decref(check);
}
END_TEST

/* A name that goes on as a line of ours would tell of a note that is not there. */
START_TEST(names_make_no_line_of_their_own)
{
	json_t *notes = json_pack("[o, o]", note("a.md\n  j/all-is-well.md", "yes", true, false, ""),
				  note("b.md\r\nok: j/b.md", "no", true, false, "why\nnot"));
	json_t *check = json_pack("{s:s, s:s, s:s, s:s}", "journal", "j", "path",
				  "c.md\nVerified 3 statements: 3 ok.", "finding", "changed", "why", "w");
	FILE *to = begin();
	char *question;

	tools_note_print_list(to, "j", notes);
	tools_note_print_others(to, "j", notes);
	tools_note_print_check(to, check);
	fclose(to);
	ck_assert_msg(!has("\n  j/all") && !has("\nok:") && !has("\nVerified") && !has("\nnot"), "%s", text);
	ck_assert(has("a.md\\x0a  j/all-is-well.md\n"));
	question = tools_notes_text("%s\nis moved. %d%%?\n", "x\ny", 5);
	ck_assert_str_eq(question, "x\\x0ay\nis moved. 5%?\n");
	free(question);
	json_decref(notes);
	json_decref(check);
}
END_TEST

START_TEST(sizes_are_in_plain_units)
{
	char out[32];

	ck_assert_str_eq(tools_note_size(0, out), "0 bytes");
	ck_assert_str_eq(tools_note_size(1, out), "1 byte");
	ck_assert_str_eq(tools_note_size(999, out), "999 bytes");
	ck_assert_str_eq(tools_note_size(9800, out), "9.8 kB");
	ck_assert_str_eq(tools_note_size(1200000, out), "1.2 MB");
}
END_TEST

START_TEST(only_ok_and_unsigned_are_fine)
{
	static const char *const bad[] = {"changed", "forged",	"revoked",
					  "missing", "damaged", "unread",
					  "",	     "OK",	"something of a later version"};

	ck_assert(tools_note_fine("ok") && tools_note_fine("unsigned"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!tools_note_fine(bad[i]), "%s", bad[i]);
	ck_assert_str_eq(tools_note_finding_text("unsigned"), "locked, not signed");
	ck_assert_str_eq(tools_note_finding_text("whatever"), "UNKNOWN");
}
END_TEST

static json_t *check_of(const char *path, const char *finding, const char *why)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i}", "journal", "p", "path", path,
			 "finding", finding, "why", why, "who", "anna", "kind", "final", "time_s",
			 1700000000);
}

START_TEST(finding_names_note_signer_and_what_is_wrong)
{
	json_t *one = check_of("plan.txt", "changed", "its SHA-256 is another");
	FILE *to = begin();

	tools_note_print_check(to, one);
	fclose(to);
	ck_assert_msg(has("CHANGED: p/plan.txt, final by anna on 2023-11-1"), "%s", text);
	ck_assert(has(": its SHA-256 is another\n"));
	json_decref(one);
	one = json_pack("{s:s, s:s, s:s}", "journal", "p", "finding", "missing", "why",
			"it ends early");
	to = begin();
	tools_note_print_check(to, one);
	fclose(to);
	ck_assert_str_eq(text, "MISSING: p: it ends early\n");
	json_decref(one);
}
END_TEST

START_TEST(sum_counts_every_finding)
{
	json_t *checks = json_pack("[o, o, o, o]", check_of("a", "ok", ""), check_of("b", "ok", ""),
				   check_of("c", "forged", ""), check_of("d", "of tomorrow", ""));
	FILE *to = begin();

	tools_note_print_sum(to, checks);
	fclose(to);
	ck_assert_str_eq(
		text, "Verified 4 statements: 2 ok, 1 FORGED, 1 of a kind that this program does "
		      "not know.\n");
	json_array_clear(checks);
	to = begin();
	tools_note_print_sum(to, checks);
	fclose(to);
	ck_assert_str_eq(text, "There is no final note here.\n");
	json_decref(checks);
}
END_TEST

START_TEST(file_names_lead_nowhere)
{
	char out[256], many[400];

	tools_note_file_name("anna", ".pub", out);
	ck_assert_str_eq(out, "anna.pub");
	tools_note_file_name("../../etc/passwd", ".pub", out);
	ck_assert_str_eq(out, "_._.._etc_passwd.pub");
	tools_note_file_name("-rf", ".cert", out);
	ck_assert_str_eq(out, "_rf.cert");
	tools_note_file_name(".hidden name\n", ".pub", out);
	ck_assert_str_eq(out, "_hidden_name_.pub");
	tools_note_file_name("", ".pub", out);
	ck_assert_str_eq(out, "_.pub");
	memset(many, 'x', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	tools_note_file_name(many, ".pub", out);
	ck_assert_uint_eq(strlen(out), 204);
	ck_assert_str_eq(out + 200, ".pub");
}
END_TEST

START_TEST(command_that_is_shown_does_nothing_else)
{
	char out[64], small[16];

	tools_note_word("visit-1_a.md", out, sizeof(out));
	ck_assert_str_eq(out, "visit-1_a.md");
	tools_note_word("a; rm -rf $HOME", out, sizeof(out));
	ck_assert_str_eq(out, "'a; rm -rf $HOME'");
	tools_note_word("it's `id`", out, sizeof(out));
	ck_assert_str_eq(out, "'it'\\''s `id`'");
	tools_note_word("", out, sizeof(out));
	ck_assert_str_eq(out, "''");
	tools_note_word("''''''''''", small, sizeof(small));
	ck_assert_uint_lt(strlen(small), sizeof(small));
	ck_assert_int_eq(small[strlen(small) - 1], '\'');
}
END_TEST

/* Of a directory: its own notes, and whatever says that the chain is broken. */
START_TEST(broken_chain_is_told_with_every_directory)
{
	static const struct {
		const char *path, *finding;
		bool about;
	} rows[] = {
		{"a/1.md", "ok", true},	      {"b/1.md", "ok", false},	  {"b/1.md", "changed", false},
		{"b/1.md", "forged", true},   {"", "missing", true},	  {"b/1.md", "missing", true},
		{"a", "ok", false},
	};

	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		json_t *one =
			json_pack("{s:s, s:s}", "path", rows[k].path, "finding", rows[k].finding);

		ck_assert_int_eq(tools_note_about(one, "a/"), rows[k].about);
		ck_assert(tools_note_about(one, ""));
		json_decref(one);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/note_text");
	TCase *tc = tcase_create("text");
	SRunner *r;
	int failed;

	tcase_add_test(tc, list_says_whose_notes_are_locked_and_what_they_want);
	tcase_add_test(tc, names_do_nothing_to_the_terminal);
	tcase_add_test(tc, names_make_no_line_of_their_own);
	tcase_add_test(tc, sizes_are_in_plain_units);
	tcase_add_test(tc, only_ok_and_unsigned_are_fine);
	tcase_add_test(tc, finding_names_note_signer_and_what_is_wrong);
	tcase_add_test(tc, sum_counts_every_finding);
	tcase_add_test(tc, file_names_lead_nowhere);
	tcase_add_test(tc, command_that_is_shown_does_nothing_else);
	tcase_add_test(tc, broken_chain_is_told_with_every_directory);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	free(text);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
