/* SPDX-License-Identifier: Apache-2.0 */
/* policy/diff: unified diffs, and that a patcher makes the new text of the old one with them. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diff.h"

static void expect(const char *old, const char *next, const char *want)
{
	char *diff = policy_diff(old, strlen(old), next, strlen(next), "x", 0);

	ck_assert_ptr_nonnull(diff);
	ck_assert_str_eq(diff, want);
	free(diff);
}

START_TEST(equal_texts_have_no_diff)
{
	char *diff = policy_diff(NULL, 0, NULL, 0, "x", 0);

	ck_assert_str_eq(diff, "");
	free(diff);
	expect("", "", "");
	expect("a\nb\n", "a\nb\n", "");
	expect("a\nb", "a\nb", "");
}
END_TEST

START_TEST(changes_are_written_as_diff_writes_them)
{
	expect("", "a\n", "--- x\n+++ x\n@@ -0,0 +1 @@\n+a\n");
	expect("a\n", "", "--- x\n+++ x\n@@ -1 +0,0 @@\n-a\n");
	expect("a\nb\nc\n", "a\nB\nc\n", "--- x\n+++ x\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
	expect("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n",
	       "--- x\n+++ x\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
	expect("a\nb\nc\n", "a\nc\n", "--- x\n+++ x\n@@ -1,3 +1,2 @@\n a\n-b\n c\n");
	expect("a\nb\n", "new\na\nb\n", "--- x\n+++ x\n@@ -1,2 +1,3 @@\n+new\n a\n b\n");
}
END_TEST

START_TEST(missing_final_newline_is_said)
{
	expect("a\n", "a", "--- x\n+++ x\n@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n");
	expect("a", "a\n", "--- x\n+++ x\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
	expect("x\na", "y\na",
	       "--- x\n+++ x\n@@ -1,2 +1,2 @@\n-x\n+y\n a\n\\ No newline at end of file\n");
}
END_TEST

START_TEST(near_changes_share_a_hunk_and_far_ones_do_not)
{
	/* six lines between: one hunk; seven: two */
	expect("a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
	       "--- x\n+++ x\n@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n");
	expect("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
	       "--- x\n+++ x\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n"
	       "-b\n+B\n");
}
END_TEST

START_TEST(only_the_line_that_changed_is_shown_as_changed)
{
	expect("journal \"x\"\nunit    north\nallow   user:anna:rwx\nblock   unit:south\n",
	       "journal \"x\"\nunit    north\nallow   user:anna:rwx\nallow   user:bo:r-x\n"
	       "block   unit:south\n",
	       "--- x\n+++ x\n@@ -1,4 +1,5 @@\n journal \"x\"\n unit    north\n"
	       " allow   user:anna:rwx\n+allow   user:bo:r-x\n block   unit:south\n");
}
END_TEST

START_TEST(long_diff_is_cut_at_a_line_and_says_how_much_is_left)
{
	const char *old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n", *next = "A\nB\nC\nD\nE\nF\nG\nH\nI\n";
	char *all = policy_diff(old, strlen(old), next, strlen(next), "x", 0);

	ck_assert_uint_eq(strlen(all), 6 + 6 + 16 + 18 * 3);
	for (size_t cap = 1; cap < 120; cap++) {
		char *diff = policy_diff(old, strlen(old), next, strlen(next), "x", cap);
		char *more = strstr(diff, "(and ");
		size_t shown = 0, rest = 0;

		if (cap >= strlen(all)) {
			ck_assert_str_eq(diff, all);
			free(diff);
			continue;
		}
		ck_assert(strlen(diff) <= (cap < 40 ? 40 : cap));
		ck_assert_ptr_nonnull(more);
		ck_assert(!strncmp(diff, all, (size_t)(more - diff)));
		for (const char *p = diff; p < more; p++)
			shown += *p == '\n';
		ck_assert_int_eq(sscanf(more, "(and %zu more lines)", &rest), 1);
		ck_assert_uint_eq(shown + rest, 3 + 18);
		free(diff);
	}
	free(all);
}
END_TEST

/* ---- a small patcher, which trusts nothing ---- */

static const char *after_line(const char *p)
{
	const char *end = strchr(p, '\n');

	if (!end)
		ck_abort_msg("a line of the diff has no end");
	return end + 1;
}

static void take_range(const char **p, char sign, size_t *from, size_t *count)
{
	char *end;

	ck_assert_int_eq((*p)[0], ' ');
	ck_assert_int_eq((*p)[1], sign);
	*from = strtoul(*p + 2, &end, 10);
	*count = 1;
	if (*end == ',')
		*count = strtoul(end + 1, &end, 10);
	if (*count)
		--*from;
	*p = end;
}

/* Applies diff to old, checks every context and removed line, ranges included. */
static char *patch(const char *old, const char *diff, size_t *changes)
{
	char *out = calloc(1, strlen(old) + strlen(diff) + 2), *w = out;
	size_t line = 0, line_out = 0;

	*changes = 0;
	if (*diff)
		diff = after_line(after_line(diff));
	while (*diff) {
		size_t from, count, from_out, count_out;

		ck_assert(!strncmp(diff, "@@", 2));
		diff += 2;
		take_range(&diff, '-', &from, &count);
		take_range(&diff, '+', &from_out, &count_out);
		diff = after_line(diff);
		for (; line < from; line++, line_out++) {
			const char *end = after_line(old);

			memcpy(w, old, (size_t)(end - old));
			w += end - old;
			old = end;
		}
		ck_assert_uint_eq(line_out, from_out);
		while (*diff == ' ' || *diff == '-' || *diff == '+') {
			const char *text = diff + 1, *end = after_line(diff);
			size_t len = (size_t)(end - text);
			char sign = *diff;

			if (*end == '\\') {
				len--;
				end = after_line(end);
			}
			if (sign != '+') {
				if (strncmp(old, text, len))
					ck_abort_msg("line %zu is not what the diff says", line);
				old += len;
				line++;
				count--;
			}
			if (sign != '-') {
				memcpy(w, text, len);
				w += len;
				line_out++;
				count_out--;
			}
			*changes += sign != ' ';
			diff = end;
		}
		ck_assert_uint_eq(count, 0);
		ck_assert_uint_eq(count_out, 0);
	}
	strcpy(w, old);
	return out;
}

static size_t check_patch(const char *old, const char *next)
{
	char *diff = policy_diff(old, strlen(old), next, strlen(next), "x", 0), *made;
	size_t changes;

	ck_assert_ptr_nonnull(diff);
	made = patch(old, diff, &changes);
	ck_assert_str_eq(made, next);
	free(made);
	free(diff);
	return changes;
}

static unsigned long seed;

static unsigned below(unsigned n)
{
	seed = seed * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(seed >> 33) % n;
}

static void random_text(char *out, unsigned lines, unsigned words)
{
	*out = '\0';
	for (unsigned i = 0; i < lines; i++)
		out += sprintf(out, "%c%s", 'a' + (int)below(words), below(12) ? "\n" : "!\n");
	if (lines && !below(3))
		out[-1] = '\0';
}

/* The length of the shortest change, by the plain table. */
static size_t shortest(const char *a, const char *b)
{
	static unsigned t[64][64];
	const char *al[64], *bl[64];
	size_t n = 0, m = 0;

	for (const char *p = a; *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : p + strlen(p))
		al[n++] = p;
	for (const char *p = b; *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : p + strlen(p))
		bl[m++] = p;
	for (size_t i = n + 1; i-- > 0;)
		for (size_t k = m + 1; k-- > 0;) {
			size_t x = i < n ? strcspn(al[i], "\n") : 0;

			if (i == n || k == m)
				t[i][k] = (unsigned)(n - i + m - k);
			else if (!strncmp(al[i], bl[k], x + 1))
				t[i][k] = t[i + 1][k + 1];
			else
				t[i][k] =
					1 + (t[i + 1][k] < t[i][k + 1] ? t[i + 1][k] : t[i][k + 1]);
		}
	return t[0][0];
}

START_TEST(patched_old_text_is_the_new_one_with_the_fewest_changes)
{
	for (unsigned round = 0; round < 5000; round++) {
		char a[256], b[256];

		seed = round;
		random_text(a, below(40), 1 + below(6));
		random_text(b, below(40), 1 + below(6));
		ck_assert_uint_eq(check_patch(a, b), shortest(a, b));
	}
}
END_TEST

START_TEST(texts_without_anything_in_common_are_replaced_in_time)
{
	const size_t size = 1u << 20;
	char *a = malloc(size + 64), *b = malloc(size + 64), *p = a, *q = b;

	/* Nothing alike; then short lines that are all alike but ever more of them. */
	for (unsigned i = 0; p < a + size; i++) {
		p += sprintf(p, "old line %u\n", i);
		q += sprintf(q, "new line %u\n", i);
	}
	check_patch(a, b);
	strcpy(a + (p - a) - 5, "\nend");
	check_patch(a, b);
	for (size_t i = 0; i < size / 2; i++) {
		memcpy(a + 2 * i, i % 3 ? "a\n" : "b\n", 2);
		memcpy(b + 2 * i, i % 5 ? "b\n" : "a\n", 2);
	}
	a[size] = b[size] = '\0';
	check_patch(a, b);
	check_patch(a, "");
	check_patch("", b);
	memset(a, '\n', size);
	memset(b, '\n', size - 700);
	b[size - 700] = '\0';
	ck_assert_uint_eq(check_patch(a, b), 700);
	b[0] = 'x';
	ck_assert_uint_eq(check_patch(a, b), 703);
	free(a);
	free(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_diff");
	TCase *t = tcase_create("diff");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, equal_texts_have_no_diff);
	tcase_add_test(t, changes_are_written_as_diff_writes_them);
	tcase_add_test(t, missing_final_newline_is_said);
	tcase_add_test(t, near_changes_share_a_hunk_and_far_ones_do_not);
	tcase_add_test(t, only_the_line_that_changed_is_shown_as_changed);
	tcase_add_test(t, long_diff_is_cut_at_a_line_and_says_how_much_is_left);
	tcase_add_test(t, patched_old_text_is_the_new_one_with_the_fewest_changes);
	tcase_add_test(t, texts_without_anything_in_common_are_replaced_in_time);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
