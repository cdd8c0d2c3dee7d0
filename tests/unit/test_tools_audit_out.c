/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms of an auditor's answer: that columns align, that names cannot act on a terminal, in a
 * spreadsheet or in a page, and that each form is what its specification says.
 */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/record_csv.h"
#include "tools/audit_out_impl.h"
#include "tools/pager.h"
#include "tools/plain.h"
#include "tools/tool.h"

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

#define HOSTILE "\033[2J<b>\"x\"&'\xe2\x80\xae\xff"

static char *text;
static size_t text_len;
static FILE *to;

static struct audit_out *begin(const struct audit_form *form, bool color)
{
	free(text);
	text = NULL;
	to = open_memstream(&text, &text_len);
	ck_assert_ptr_nonnull(to);
	return tools_audit_out_to(to, form, "Title", color);
}

static void end(struct audit_out *out)
{
	ck_assert_int_eq(tools_audit_out_end(out), 0);
	fclose(to);
}

static int times(const char *what)
{
	int n = 0;

	for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static void ck_has(const char *what)
{
	ck_assert_msg(strstr(text, what) != NULL, "no \"%s\" in:\n%s", what, text);
}

static const struct audit_column columns[] = {
	{"Who", "who", AUDIT_TEXT},
	{"Opened", "opened", AUDIT_NUMBER},
	{"Share", "share", AUDIT_SHARE},
	{"Last", "last", AUDIT_TIME},
};

static void put_row(struct audit_out *out, const char *who, int64_t n)
{
	const struct audit_cell cells[] = {
		{.text = who}, {.number = n}, {.number = 125}, {.number = 1700000000123456789}};

	tools_audit_out_row(out, cells);
}

static struct policy_record record(void)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_OPEN);
	r.seq = 7;
	r.time_ns = 1700000000123456789;
	strcpy(r.who, "anna");
	strcpy(r.journal_name, "Hansen, Anna");
	strcpy(r.name, HOSTILE);
	strcpy(r.reason, "=1+1");
	return r;
}

/* ---- for people */

START_TEST(text_table_aligns_in_display_width)
{
	struct audit_out *out = begin(&tools_audit_form_text, false);
	char *line[4], *save = NULL;

	setenv("TZ", "UTC", 1);
	tools_audit_out_table(out, "t", columns, 4);
	put_row(out, "S\xc3\xb8ren", 5);
	put_row(out, "e\xcc\x81va", 12345);
	put_row(out, "\xe5\xb1\xb1\xe7\x94\xb0", 1);
	end(out);
	for (int i = 0; i < 4; i++)
		line[i] = strtok_r(i ? NULL : text, "\n", &save);
	ck_assert_str_eq(line[0], "Who    Opened   Share  Last");
	ck_assert_str_eq(line[1], "S\xc3\xb8ren       5  12.5 %  2023-11-14 22:13:20");
	ck_assert_str_eq(line[2], "e\xcc\x81va     12345  12.5 %  2023-11-14 22:13:20");
	ck_assert_str_eq(line[3], "\xe5\xb1\xb1\xe7\x94\xb0        1  12.5 %  2023-11-14 22:13:20");
}
END_TEST

START_TEST(text_escapes_what_a_terminal_would_obey_in_every_part)
{
	struct audit_out *out = begin(&tools_audit_form_text, false);
	struct policy_record r = record();

	tools_audit_out_heading(out, "of %s", HOSTILE);
	tools_audit_out_say(out, "said %s", HOSTILE);
	tools_audit_out_table(out, "t", columns, 4);
	put_row(out, HOSTILE, 1);
	tools_audit_out_record(out, &r);
	end(out);
	ck_assert_int_eq(times("\033"), 0);
	ck_assert_int_eq(times("\xe2\x80\xae"), 0);
	ck_assert_int_eq(times("\xff"), 0);
	ck_assert_int_eq(times("\\x1b[2J"), 4);
}
END_TEST

START_TEST(text_colors_what_was_refused_only_where_colors_are_shown)
{
	struct policy_record r = record();

	r.kind = POLICY_RECORD_REFUSED;
	r.outcome = 4;
	for (int color = 0; color < 2; color++) {
		struct audit_out *out = begin(&tools_audit_form_text, color);

		tools_audit_out_record(out, &r);
		end(out);
		ck_assert_int_eq(times("\033[31m"), color);
		ck_assert_int_eq(times("\033[0m"), color);
	}
}
END_TEST

START_TEST(text_table_longer_than_what_is_kept_loses_no_row)
{
	struct audit_out *out = begin(&tools_audit_form_text, false);

	tools_audit_out_table(out, "t", columns, 4);
	for (int i = 0; i < 2500; i++)
		put_row(out, "row", i);
	end(out);
	ck_assert_int_eq(times("row "), 2500);
	ck_has("\nrow    2499 ");
}
END_TEST

START_TEST(text_table_without_rows_says_so)
{
	struct audit_out *out = begin(&tools_audit_form_text, false);

	tools_audit_out_heading(out, "Nothing");
	tools_audit_out_table(out, "t", columns, 4);
	end(out);
	ck_assert_str_eq(text, "Nothing\n(none)\n");
}
END_TEST

/* ---- JSON lines */

START_TEST(json_lines_are_objects_with_a_kind)
{
	struct audit_out *out = begin(&tools_audit_form_json, false);
	struct policy_record r = record();
	int lines = 0;
	char *save = NULL;

	tools_audit_out_heading(out, "H %s", HOSTILE);
	tools_audit_out_say(out, "S %s", HOSTILE);
	tools_audit_out_table(out, "usage", columns, 4);
	put_row(out, HOSTILE, 12345);
	put_row(out, NULL, 0);
	tools_audit_out_record(out, &r);
	end(out);
	ck_has("{\"kind\":\"usage\",\"opened\":0,\"share\":0.125,"
	       "\"last\":\"2023-11-14T22:13:20.123456789Z\"}\n");
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save), lines++) {
		json_t *j = json_loads(l, JSON_REJECT_DUPLICATES, NULL);

		ck_assert_msg(j != NULL, "no JSON: %s", l);
		ck_assert(json_is_string(json_object_get(j, "kind")));
		json_decref(j);
	}
	ck_assert_int_eq(lines, 5);
}
END_TEST

/* ---- CSV */

/* Reads one line of RFC 4180 strictly; returns its cells, or -1. */
static int csv_line(const char **at, char cells[64][600])
{
	const char *p = *at;
	int n = 0;

	for (;;) {
		size_t k = 0;
		bool quoted = *p == '"';

		p += quoted;
		while (quoted ? *p && (*p != '"' || p[1] == '"') : !strchr(",\r\n\"", *p)) {
			if (quoted && *p == '"')
				p++;
			if ((unsigned char)*p < 0x20)
				return -1;
			cells[n][k++] = *p++;
		}
		cells[n++][k] = '\0';
		if (quoted && *p++ != '"')
			return -1;
		if (*p == ',') {
			p++;
			continue;
		}
		if (p[0] != '\r' || p[1] != '\n')
			return -1;
		*at = p + 2;
		return n;
	}
}

START_TEST(csv_is_rfc4180_with_one_width_for_each_table)
{
	static char cells[64][600];
	struct audit_out *out = begin(&tools_audit_form_csv, false);
	struct policy_record r = record();
	const char *p;
	int head;

	tools_audit_out_table(out, "t", columns, 4);
	put_row(out, "a \"b\", c", -5);
	put_row(out, HOSTILE, 0);
	tools_audit_out_record(out, &r);
	tools_audit_out_record(out, &r);
	end(out);
	p = text;
	ck_assert_int_eq(csv_line(&p, cells), 4);
	ck_assert_str_eq(cells[3], "last");
	ck_assert_int_eq(csv_line(&p, cells), 4);
	ck_assert_str_eq(cells[0], "a \"b\", c");
	ck_assert_str_eq(cells[1], "-5");
	ck_assert_str_eq(cells[2], "0.125");
	ck_assert_str_eq(cells[3], "2023-11-14T22:13:20.123456789Z");
	ck_assert_int_eq(csv_line(&p, cells), 4);
	ck_assert_int_eq(strncmp(p, "\r\n", 2), 0);
	p += 2;
	head = csv_line(&p, cells);
	ck_assert_str_eq(cells[0], "kind");
	ck_assert_str_eq(cells[head - 1], "notes");
	ck_assert_int_eq(csv_line(&p, cells), head);
	ck_assert_str_eq(cells[0], "open");
	ck_assert_int_eq(csv_line(&p, cells), head);
	ck_assert_str_eq(p, "");
}
END_TEST

static const struct {
	const char *in, *out;
} cells_of[] = {
	{"", ""},
	{"plain", "\"plain\""},
	{"=1+1", "\"'=1+1\""},
	{"+45 1", "\"'+45 1\""},
	{"-x", "\"'-x\""},
	{"@SUM(A1)", "\"'@SUM(A1)\""},
	{"\t=1", "\"\\x09'=1\""},
	{"\r=1", "\"\\x0d'=1\""},
	{"  =1", "\"  '=1\""},
	{"a=1", "\"a=1\""},
	{"a, b-c", "\"a, b-c\""},
	{"a;=1", "\"a;'=1\""},
	{"a, =1", "\"a, '=1\""},
	{"a\"=1", "\"a\"\"'=1\""},
	{"a|=1", "\"a|'=1\""},
	{"\xef\xbc\x9d"
	 "1",
	 "\"'\xef\xbc\x9d"
	 "1\""},
	{"'=1", "\"'''=1\""},
	{"it's", "\"it's\""},
	{"a\\b", "\"a\\\\b\""},
	{"\x1b[2J", "\"\\x1b[2J\""},
};

START_TEST(csv_cell_never_begins_a_formula)
{
	char out[64];

	ck_assert_uint_eq(policy_csv_cell(cells_of[_i].in, out, sizeof(out)),
			  strlen(cells_of[_i].out));
	ck_assert_str_eq(out, cells_of[_i].out);
}
END_TEST

/* ---- a page */

START_TEST(html_escapes_names_and_loads_nothing)
{
	struct audit_out *out = begin(&tools_audit_form_html, false);
	struct policy_record r = record();

	tools_audit_out_heading(out, "H %s", HOSTILE);
	tools_audit_out_say(out, "S %s", HOSTILE);
	tools_audit_out_table(out, HOSTILE, columns, 4);
	put_row(out, HOSTILE, 1);
	tools_audit_out_record(out, &r);
	tools_audit_out_say(out, "behind");
	end(out);
	ck_assert_int_eq(times("<b>"), 0);
	ck_assert_int_eq(times("\033"), 0);
	ck_assert_int_eq(times("\xe2\x80\xae"), 0);
	ck_assert_int_eq(times("\\x1b[2J&lt;b&gt;&quot;x&quot;&amp;&#39;\\xe2\\x80\\xae\\xff"), 5);
	ck_assert_int_eq(times("://"), 0);
	ck_assert_int_eq(times("<script"), 0);
	ck_assert_int_eq(times("<table>"), 2);
	ck_assert_int_eq(times("</table>"), 2);
	ck_has("Content-Security-Policy\" content=\"default-src 'none'");
}
END_TEST

/* ---- which form, and readers that go away */

START_TEST(two_forms_at_once_are_wrong_usage)
{
	struct tool_options o = {.json = true};

	ck_assert_int_eq(tools_audit_out_check(&o), TOOL_OK);
	o.csv = true;
	ck_assert_int_eq(tools_audit_out_check(&o), TOOL_USAGE);
	ck_assert_ptr_null(tools_audit_out_open(&o, ""));
	o.csv = false;
	o.html = "x.html";
	ck_assert_int_eq(tools_audit_out_check(&o), TOOL_USAGE);
	o.json = false;
	o.fhir = true;
	ck_assert_int_eq(tools_audit_out_check(&o), TOOL_USAGE);
}
END_TEST

START_TEST(full_disk_is_a_failure_but_a_closed_pipe_is_quiet)
{
	struct policy_record r = record();
	struct audit_out *out;
	int pair[2];
	FILE *f = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(f);
	out = tools_audit_out_to(f, &tools_audit_form_text, "", false);
	for (int i = 0; i < 1000; i++)
		tools_audit_out_record(out, &r);
	ck_assert(tools_audit_out_gone(out));
	ck_assert_int_eq(tools_audit_out_end(out), -1);
	fclose(f);

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(pair), 0);
	close(pair[0]);
	f = fdopen(pair[1], "w");
	out = tools_audit_out_to(f, &tools_audit_form_text, "", false);
	ck_assert(!tools_audit_out_gone(out));
	for (int i = 0; i < 1000; i++)
		tools_audit_out_record(out, &r);
	ck_assert(tools_audit_out_gone(out));
	ck_assert_int_eq(tools_audit_out_end(out), 0);
	fclose(f);
}
END_TEST

START_TEST(pager_gets_all_is_waited_for_and_may_leave)
{
	char file[] = "/tmp/journalfs-pager-XXXXXX", line[128], read[64] = "";
	bool color = true;
	int fd = mkstemp(file);
	FILE *f;

	ck_assert_int_ge(fd, 0);
	snprintf(line, sizeof(line), "sleep 0.1; cat >%s", file);
	setenv("PAGER", line, 1);
	f = tools_pager_open(&color);
	ck_assert_ptr_nonnull(f);
	ck_assert(!color); /* nobody knows what that one shows */
	fputs("all of it", f);
	ck_assert_int_eq(tools_pager_close(f), 0);
	ck_assert_int_gt(pread(fd, read, sizeof(read) - 1, 0), 0);
	ck_assert_str_eq(read, "all of it");
	close(fd);
	unlink(file);
	/* One that leaves at once: an error of the stream, no signal. */
	setenv("PAGER", "exit 0", 1);
	f = tools_pager_open(&color);
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 100000; i++)
		fputs("more than a pipe holds", f);
	ck_assert(ferror(f));
	ck_assert_int_eq(tools_pager_close(f), 0);
	setenv("PAGER", "/no/such/program", 1);
	f = tools_pager_open(&color);
	ck_assert_int_eq(tools_pager_close(f), -1);
	setenv("PAGER", "less -S", 1);
	f = tools_pager_open(&color);
	ck_assert(color);
	tools_pager_close(f);
	setenv("PAGER", "", 1);
	ck_assert_ptr_null(tools_pager_open(&color));
	setenv("PAGER", "cat", 1);
	ck_assert_ptr_null(tools_pager_open(&color));
}
END_TEST

START_TEST(html_file_takes_its_place_at_close_alone)
{
	char path[] = "/tmp/journalfs-out-XXXXXX", file[64], read[8192] = "";
	struct tool_options o = {.html = file};
	struct audit_out *out;
	struct stat st;
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(path));
	snprintf(file, sizeof(file), "%s/page.html", path);
	f = fopen(file, "w");
	fputs("before", f);
	fclose(f);
	out = tools_audit_out_open(&o, "One");
	ck_assert_ptr_nonnull(out);
	tools_audit_out_abort(out);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_size, 6);
	out = tools_audit_out_open(&o, "Two");
	tools_audit_out_say(out, "whole");
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_size, 6);
	ck_assert_int_eq(tools_audit_out_close(out), TOOL_OK);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	f = fopen(file, "r");
	ck_assert_uint_gt(fread(read, 1, sizeof(read) - 1, f), 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(read, "<p>whole</p>"));
	ck_assert_int_eq(unlink(file), 0);
	/* Nothing was left beside it. */
	ck_assert_int_eq(rmdir(path), 0);
	o.html = "/dev/null";
	ck_assert_ptr_null(tools_audit_out_open(&o, "no regular file"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tools/audit_out");
	TCase *t = tcase_create("forms");
	SRunner *sr;
	int failed;

	tcase_add_test(t, text_table_aligns_in_display_width);
	tcase_add_test(t, text_escapes_what_a_terminal_would_obey_in_every_part);
	tcase_add_test(t, text_colors_what_was_refused_only_where_colors_are_shown);
	tcase_add_test(t, text_table_longer_than_what_is_kept_loses_no_row);
	tcase_add_test(t, text_table_without_rows_says_so);
	tcase_add_test(t, json_lines_are_objects_with_a_kind);
	tcase_add_test(t, csv_is_rfc4180_with_one_width_for_each_table);
	tcase_add_loop_test(t, csv_cell_never_begins_a_formula, 0,
			    sizeof(cells_of) / sizeof(cells_of[0]));
	tcase_add_test(t, html_escapes_names_and_loads_nothing);
	tcase_add_test(t, two_forms_at_once_are_wrong_usage);
	tcase_add_test(t, full_disk_is_a_failure_but_a_closed_pipe_is_quiet);
	tcase_add_test(t, pager_gets_all_is_waited_for_and_may_leave);
	tcase_add_test(t, html_file_takes_its_place_at_close_alone);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
