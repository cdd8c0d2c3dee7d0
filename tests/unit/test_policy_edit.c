/* SPDX-License-Identifier: Apache-2.0 */
/* policy/edit and policy/shown: one line changes, everything else stays, and it means what was
 * asked. */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diff.h"
#include "policy/edit.h"
#include "policy/shown.h"

#define NOW 1795780800 /* 2026-11-27 12:00 UTC */

typedef int edit_fn(const char *text, size_t len, const struct policy_edit *edit, char **out);

static const struct policy_edit *user(const char *name, const char *perms)
{
	static struct policy_edit edit;

	edit = (struct policy_edit){.subject = POLICY_EDIT_USER, .name = name, .perms = perms};
	return &edit;
}

static const struct policy_edit *unit(const char *name, const char *perms)
{
	static struct policy_edit edit;

	edit = (struct policy_edit){.subject = POLICY_EDIT_UNIT, .name = name, .perms = perms};
	return &edit;
}

static void expect(edit_fn *fn, const struct policy_edit *edit, const char *old, const char *want)
{
	char *out = NULL;

	ck_assert_int_eq(fn(old, strlen(old), edit, &out), 0);
	ck_assert_str_eq(out, want);
	free(out);
}

static void refused(edit_fn *fn, const struct policy_edit *edit, const char *old, int want)
{
	char *out = NULL;

	ck_assert_int_eq(fn(old, strlen(old), edit, &out), want);
	ck_assert_ptr_null(out);
}

#define HEAD "journal \"x\"   # who\n\n# rules\nunit\tnorth\n"

START_TEST(set_changes_only_the_permissions_of_the_one_line)
{
	expect(policy_edit_set, user("bo", "rwx"),
	       HEAD "allow \t user:bo:rx\tuntil 2027-01-01 reason \"a # \\\" b\" # old\nhold \"c\"",
	       HEAD
	       "allow \t user:bo:rwx\tuntil 2027-01-01 reason \"a # \\\" b\" # old\nhold \"c\"");
	expect(policy_edit_set, user("bo", "r-x"), "allow user:bobo:rwx\nallow user:bo:r#x\n",
	       "allow user:bobo:rwx\nallow user:bo:r-x#x\n");
	expect(policy_edit_set, unit("north", "r--"), "allow group:north:rwx\nallow user:north:rwx",
	       "allow group:north:r--\nallow user:north:rwx");
}
END_TEST

START_TEST(set_puts_a_new_line_behind_the_last_allow_line_and_spaced_like_it)
{
	expect(policy_edit_set, user("bo", "r-x"), HEAD "allow   user:anna:rwx # a\nblock unit:x\n",
	       HEAD "allow   user:anna:rwx # a\nallow   user:bo:r-x\nblock unit:x\n");
	expect(policy_edit_set, user("bo", "r-x"), "allow role:r:rwx\n\tallow\tunit:n:rwx\n",
	       "allow role:r:rwx\n\tallow\tunit:n:rwx\n\tallow\tuser:bo:r-x\n");
	expect(policy_edit_set, unit("bo", "r-x"), HEAD "allow   user:bo:rwx",
	       HEAD "allow   user:bo:rwx\nallow   unit:bo:r-x\n");
	expect(policy_edit_set, user("bo", "r-x"), "journal \"x\"",
	       "journal \"x\"\nallow   user:bo:r-x\n");
	expect(policy_edit_set, user("bo", "r-x"), "# nothing\n",
	       "# nothing\nallow   user:bo:r-x\n");
	expect(policy_edit_set, user("bo", "r-x"), "", "allow   user:bo:r-x\n");
}
END_TEST

START_TEST(new_line_carries_clauses_that_the_language_can_hold)
{
	struct policy_edit edit = *user("bo", "r-x");

	edit.reason = "says \"hi\" # \\";
	edit.until = "2027-01-01";
	expect(policy_edit_set, &edit, "",
	       "allow   user:bo:r-x  until 2027-01-01  reason \"says \\\"hi\\\" # \\\\\"\n");
	edit.from = "2026-01-01";
	edit.reason = NULL;
	expect(policy_edit_set, &edit, "",
	       "allow   user:bo:r-x  from 2026-01-01 until 2027-01-01\n");
	edit.from = "2026-01-01\nallow";
	refused(policy_edit_set, &edit, "", -EINVAL);
	edit.from = "";
	refused(policy_edit_set, &edit, "", -EINVAL);
	edit.from = NULL;
	edit.reason = "two\nlines";
	refused(policy_edit_set, &edit, "", -EINVAL);
	edit.reason = "";
	refused(policy_edit_set, &edit, "", -EINVAL);
}
END_TEST

START_TEST(remove_takes_the_line_with_its_comment)
{
	expect(policy_edit_remove, user("bo", NULL),
	       HEAD "allow user:bo:rwx # his\nallow user:anna:rwx", HEAD "allow user:anna:rwx");
	expect(policy_edit_remove, unit("north", NULL),
	       HEAD "allow user:a:rwx\nallow group:north:r", HEAD "allow user:a:rwx\n");
	refused(policy_edit_remove, user("bo", NULL), HEAD "allow unit:bo:rwx\n", -ENOENT);
	refused(policy_edit_remove, user("bo", NULL), "# allow user:bo:rwx\n", -ENOENT);
	refused(policy_edit_remove, user("bo", NULL), "journal \"allow user:bo:rwx\"\n", -ENOENT);
	refused(policy_edit_remove, user("bo", NULL), "", -ENOENT);
}
END_TEST

START_TEST(what_one_line_cannot_say_is_refused)
{
	static const char *const twice = "allow user:bo:r-x until 2026-12-01\n"
					 "allow user:bo:rwx from 2026-12-02\n",
				 *const blocked = "allow user:bo:rwx\nblock user:bo\n";

	refused(policy_edit_set, user("bo", "rwx"), twice, -EEXIST);
	refused(policy_edit_remove, user("bo", NULL), twice, -EEXIST);
	refused(policy_edit_set, user("bo", "rwx"), blocked, -EEXIST);
	refused(policy_edit_remove, user("bo", NULL), blocked, -EEXIST);
	refused(policy_edit_set, unit("n", "rwx"), "block group:n\n", -EEXIST);
	refused(policy_edit_set, user("bo", "rwx"), "allow unit:n:rwx\r\n", -EINVAL);
	refused(policy_edit_set, user("bo", "rwx"), "allow \"\n", -EINVAL);
	refused(policy_edit_set, user("b o", "rwx"), "", -EINVAL);
	refused(policy_edit_set, user("bo:rwx\nallow user:eva", "rwx"), "", -EINVAL);
	refused(policy_edit_set, user("bo", "rwxrwx"), "", -EINVAL);
	refused(policy_edit_set, user("bo", "xr-"), "", -EINVAL);
	refused(policy_edit_set, user("bo", NULL), "", -EINVAL);
	ck_assert_int_eq(policy_edit_set("a\0b", 3, user("bo", "rwx"), &(char *){NULL}), -EINVAL);
}
END_TEST

static const struct policy_edit *attend(const char *name, const char *reason)
{
	static struct policy_edit edit;

	edit = (struct policy_edit){.name = name,
				    .from = "2026-11-28T10:00Z",
				    .until = "2026-11-29T10:00Z",
				    .reason = reason};
	return &edit;
}

START_TEST(attend_is_added_at_the_end_or_replaces_the_earlier_one)
{
#define BO "attend  user:bo  from 2026-11-28T10:00Z until 2026-11-29T10:00Z  reason \"on duty\"\n"
	expect(policy_edit_attend, attend("bo", "on duty"), HEAD "allow user:a:rwx",
	       HEAD "allow user:a:rwx\n" BO);
	expect(policy_edit_attend, attend("bo", "on duty"), "", BO);
	expect(policy_edit_attend, attend("bo", "on duty"),
	       "attend user:bo from x # old\nallow user:bo:rwx # a\nattend user:bo\t\n"
	       "attend user:bobo\nblock unit:n",
	       "allow user:bo:rwx # a\n" BO "attend user:bobo\nblock unit:n");
	expect(policy_edit_attend, attend("bo", "on duty"), "allow user:a:rwx\nattend user:bo x",
	       "allow user:a:rwx\n" BO);
	refused(policy_edit_attend, attend("bo", "a\nb"), "", -EINVAL);
	refused(policy_edit_attend, attend("bo", NULL), "", -EINVAL);
	refused(policy_edit_attend, attend("b\no", "x"), "", -EINVAL);
	refused(policy_edit_attend, attend("bo", "x"), "hold \"\n", -EINVAL);
	refused(policy_edit_attend, unit("bo", "rwx"), "", -EINVAL);
}
END_TEST

START_TEST(attend_text_is_one_that_the_language_reads)
{
	struct policy_journal *j = NULL;
	char *out = NULL;

	ck_assert_int_eq(
		policy_edit_attend(HEAD, strlen(HEAD), attend("bo", "on \"duty\" # here \\"), &out),
		0);
	ck_assert_int_eq(policy_journal_parse(out, strlen(out), "x", NULL, NULL, &j), 0);
	policy_journal_put(j);
	free(out);
}
END_TEST

/* ---- what is shown ---- */

static struct policy_shown *shown(const char *text, struct policy_journal **j, size_t *n)
{
	struct policy_shown *list = NULL;

	ck_assert_msg(policy_journal_parse(text, strlen(text), "x", NULL, NULL, j) == 0, "%s",
		      text);
	ck_assert_int_eq(policy_shown_list(*j, NOW, &list, n), 0);
	return list;
}

START_TEST(shown_are_the_names_that_entries_in_force_speak_of)
{
	static const char text[] = "allow user:anna:rwx\nallow unit:north:r-x\nallow role:nurse:r\n"
				   "allow user:bo:r-- until 2026-11-26\n"
				   "allow user:bo:-w- from 2026-11-28\n"
				   "allow user:eva:r-- until 2026-11-27\n"
				   "allow user:eva:--x from 2026-11-27\n"
				   "allow group:south:rwx\nblock unit:south\nblock user:ida\n"
				   "allow unit:anna:--x\n"
				   "attend user:max from 2026-11-27T10:00Z until 2026-11-28T10:00Z "
				   "reason \"on duty here\"\n";
	static const struct policy_shown want[] = {
		{POLICY_EDIT_USER, "anna", 7, false}, {POLICY_EDIT_UNIT, "north", 5, false},
		{POLICY_EDIT_USER, "eva", 5, false},  {POLICY_EDIT_UNIT, "south", 0, true},
		{POLICY_EDIT_USER, "ida", 0, true},   {POLICY_EDIT_UNIT, "anna", 1, false},
	};
	struct policy_journal *j = NULL;
	size_t n = 0;
	struct policy_shown *list = shown(text, &j, &n);

	ck_assert_uint_eq(n, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < n; i++) {
		ck_assert_str_eq(list[i].name, want[i].name);
		ck_assert_int_eq(list[i].subject, want[i].subject);
		ck_assert_uint_eq(list[i].perms, want[i].perms);
		ck_assert_int_eq(list[i].blocked, want[i].blocked);
	}
	free(list);
	policy_journal_put(j);
}
END_TEST

/* ---- any text ---- */

static unsigned long seed;

static unsigned below(unsigned n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(seed >> 33) % n;
}

static const char *const names[] = {"anna", "bo", "eva", "b"};
static const char *const perms[] = {"rwx", "r-x", "r--", "--x", "-wx"};

/* A journal that parses: lines with all that may stand around an entry. */
static void random_text(char *out)
{
	static const char *const before[] = {"", " ", "\t", "  \t"};
	static const char *const between[] = {" ", "   ", "\t"};
	static const char *const kinds[] = {"user", "unit", "group"};
	static const char *const after[] = {"", " ", "# c", " # allow user:bo:rwx",
					    " reason \"allow user:anna:rwx # \\\"\" # x"};
	static const char *const other[] = {"", "# allow user:bo:rwx", "\t", "allow role:r:rwx",
					    "block role:b"};
	unsigned used[3] = {0};

	for (unsigned lines = below(10); lines--;) {
		unsigned kind = below(2), name = below(4);

		out += sprintf(out, "%s", before[below(4)]);
		if (below(3) && !(used[kind] & 1u << name)) {
			out += sprintf(out, "allow%s%s:%s:%s%s", between[below(3)],
				       kinds[kind + (kind && below(2))], names[name],
				       perms[below(5)], after[below(5)]);
			used[kind] |= 1u << name;
		} else {
			unsigned which = below(5);

			if (which > 2 && used[2] & 1u << which)
				which = 0;
			used[2] |= 1u << which;
			out += sprintf(out, "%s", other[which]);
		}
		out += sprintf(out, lines || below(3) ? "\n" : "");
	}
	*out = '\0';
}

static unsigned changed(const char *old, const char *next, char sign)
{
	char *diff = policy_diff(old, strlen(old), next, strlen(next), "x", 0);
	unsigned n = 0;

	for (const char *p = diff; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		n += *p == sign;
	free(diff);
	return n ? n - 1 : 0; /* one is the head */
}

/* want 0: the name is gone; all others are as before, in their order. */
static void check_shown(const char *old, const char *next, const struct policy_edit *edit,
			unsigned want)
{
	struct policy_journal *j = NULL, *k = NULL;
	size_t n = 0, m = 0, at = 0;
	struct policy_shown *a = shown(old, &j, &n), *b = shown(next, &k, &m);
	bool found = false;

	for (size_t i = 0; i < m; i++) {
		if (b[i].subject == edit->subject && !strcmp(b[i].name, edit->name)) {
			ck_assert_uint_eq(b[i].perms, want);
			found = true;
			continue;
		}
		while (at < n && a[at].subject == edit->subject && !strcmp(a[at].name, edit->name))
			at++;
		ck_assert(at < n);
		ck_assert_str_eq(a[at].name, b[i].name);
		ck_assert_int_eq(a[at].subject, b[i].subject);
		ck_assert_uint_eq(a[at].perms, b[i].perms);
		at++;
	}
	while (at < n && a[at].subject == edit->subject && !strcmp(a[at].name, edit->name))
		at++;
	ck_assert_uint_eq(at, n);
	ck_assert_int_eq(found, want != 0);
	free(a);
	free(b);
	policy_journal_put(j);
	policy_journal_put(k);
}

START_TEST(edited_text_differs_in_that_entry_and_in_no_other_line)
{
	for (unsigned round = 0; round < 20000; round++) {
		static const unsigned bits[] = {7, 5, 4, 1, 3};
		char old[4096], *next = NULL;
		unsigned which, open;
		struct policy_edit edit;
		int rc;

		seed = round;
		random_text(old);
		open = *old && old[strlen(old) - 1] != '\n';
		which = below(5);
		edit = (struct policy_edit){.subject =
						    below(2) ? POLICY_EDIT_USER : POLICY_EDIT_UNIT,
					    .name = names[below(4)],
					    .perms = perms[which]};
		ck_assert_int_eq(policy_edit_set(old, strlen(old), &edit, &next), 0);
		check_shown(old, next, &edit, bits[which]);
		/* A last line without a newline gets one when another follows. */
		ck_assert_uint_le(changed(old, next, '+'), 1 + open);
		ck_assert_uint_le(changed(old, next, '-'), 1);
		free(next);
		next = NULL;
		rc = policy_edit_remove(old, strlen(old), &edit, &next);
		if (rc) {
			ck_assert_int_eq(rc, -ENOENT);
			continue;
		}
		check_shown(old, next, &edit, 0);
		ck_assert_uint_eq(changed(old, next, '-'), 1);
		ck_assert_uint_eq(changed(old, next, '+'), 0);
		free(next);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_edit");
	TCase *t = tcase_create("edit");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, set_changes_only_the_permissions_of_the_one_line);
	tcase_add_test(t, set_puts_a_new_line_behind_the_last_allow_line_and_spaced_like_it);
	tcase_add_test(t, new_line_carries_clauses_that_the_language_can_hold);
	tcase_add_test(t, remove_takes_the_line_with_its_comment);
	tcase_add_test(t, what_one_line_cannot_say_is_refused);
	tcase_add_test(t, attend_is_added_at_the_end_or_replaces_the_earlier_one);
	tcase_add_test(t, attend_text_is_one_that_the_language_reads);
	tcase_add_test(t, shown_are_the_names_that_entries_in_force_speak_of);
	tcase_add_test(t, edited_text_differs_in_that_entry_and_in_no_other_line);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
