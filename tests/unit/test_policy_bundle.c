/* SPDX-License-Identifier: Apache-2.0 */
/* policy/bundle: several files as one text, and back. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/bundle.h"

static char *put(char *bundle, const char *name, const char *text)
{
	size_t len = 0;
	char *out = policy_bundle_put(bundle, strlen(bundle), name, text, text ? strlen(text) : 0,
				      &len);

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(len, strlen(out));
	free(bundle);
	return out;
}

static void expect(const char *bundle, const char *name, const char *text)
{
	struct policy_bundle_part part;

	if (!text) {
		ck_assert(!policy_bundle_find(bundle, strlen(bundle), name, &part));
		return;
	}
	ck_assert(policy_bundle_find(bundle, strlen(bundle), name, &part));
	ck_assert_uint_eq(part.len, strlen(text));
	ck_assert(!memcmp(part.text, text, part.len));
}

START_TEST(text_without_parts_is_itself)
{
	expect("", "", "");
	expect("practice \"x\"\n", "", "practice \"x\"\n");
	expect("practice \"x\"\n", "north", NULL);
}
END_TEST

START_TEST(parts_are_kept_in_the_order_of_their_names)
{
	char *b = strdup("practice \"x\"");
	struct policy_bundle_part part;
	size_t at = 0;

	b = put(b, "south", "unit south\n");
	b = put(b, "north", "unit north");
	b = put(b, "east", "");
	ck_assert_str_eq(b, "practice \"x\"\n%part east\n%part north\nunit north\n%part south\n"
			    "unit south\n");
	ck_assert(policy_bundle_next(b, strlen(b), &at, &part) && !*part.name);
	ck_assert(policy_bundle_next(b, strlen(b), &at, &part));
	ck_assert_str_eq(part.name, "east");
	ck_assert(policy_bundle_next(b, strlen(b), &at, &part));
	ck_assert_str_eq(part.name, "north");
	ck_assert(policy_bundle_next(b, strlen(b), &at, &part));
	ck_assert_str_eq(part.name, "south");
	ck_assert(!policy_bundle_next(b, strlen(b), &at, &part));
	b = put(b, "north", "unit other\n");
	expect(b, "north", "unit other\n");
	b = put(b, "", "practice \"y\"\n");
	expect(b, "", "practice \"y\"\n");
	expect(b, "south", "unit south\n");
	b = put(b, "north", NULL);
	expect(b, "north", NULL);
	expect(b, "south", "unit south\n");
	free(b);
}
END_TEST

START_TEST(empty_practice_keeps_its_parts)
{
	char *b = strdup("");

	b = put(b, "north", "unit north\n");
	expect(b, "", "\n");
	expect(b, "north", "unit north\n");
	free(b);
}
END_TEST

START_TEST(text_that_would_make_a_part_is_refused)
{
	size_t len;

	ck_assert(!policy_bundle_check("a\n%part b\n", 10));
	ck_assert(!policy_bundle_check("%part", 5));
	ck_assert(policy_bundle_check("# %part b\n", 10));
	errno = 0;
	ck_assert_ptr_null(policy_bundle_put("", 0, "", "x\n%part y\n", 10, &len));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(policy_bundle_put("", 0, "no/name", "x", 1, &len));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(policy_bundle_put("x", 1, "north", NULL, 0, &len));
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(damaged_head_ends_the_bundle)
{
	const char *bad[] = {"a\n%part", "a\n%part \nx", "a\n%part a/b\nx", "a\n%partx\ny"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct policy_bundle_part part;
		size_t at = 0;

		ck_assert(policy_bundle_next(bad[i], strlen(bad[i]), &at, &part));
		ck_assert_uint_eq(part.len, 2);
		ck_assert(!policy_bundle_next(bad[i], strlen(bad[i]), &at, &part));
	}
}
END_TEST

START_TEST(part_that_stands_twice_is_replaced_once)
{
	static const char *const damaged[] = {"a\n%part x\n1\n%part x\n2\n%part x\n3\n",
					      "a\n%part y\n1\n%part x\n2\n%part y\n3\n"};
	char big[2000];
	size_t len = 0;

	memset(big, '#', sizeof(big));
	for (size_t i = 0; i < 2; i++) {
		const char *name = i ? "y" : "x";
		char *b = policy_bundle_put(damaged[i], strlen(damaged[i]), name, big, sizeof(big),
					    &len);
		struct policy_bundle_part part;
		size_t at = 0, found = 0;

		ck_assert_ptr_nonnull(b);
		while (policy_bundle_next(b, len, &at, &part))
			found += !strcmp(part.name, name);
		ck_assert_uint_eq(found, 1);
		ck_assert(policy_bundle_find(b, len, name, &part));
		ck_assert(part.len >= sizeof(big) && !memcmp(part.text, big, sizeof(big)));
		free(b);
	}
}
END_TEST

START_TEST(whole_is_what_reads_to_its_end_in_order)
{
	static const char *const good[] = {"", "a\n", "a\n%part b\nc\n", "%part b\n", "a\n%part b\n%part c\n"};
	static const char *const bad[] = {"a\n%part\n", "a\n%part b/c\n", "a\n%part b\n%part b\n",
					  "a\n%part c\n%part b\n", "a\n%part b"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(policy_bundle_whole(good[i], strlen(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!policy_bundle_whole(bad[i], strlen(bad[i])), "%s", bad[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_bundle");
	TCase *t = tcase_create("bundle");
	SRunner *r;
	int failed;

	tcase_add_test(t, text_without_parts_is_itself);
	tcase_add_test(t, parts_are_kept_in_the_order_of_their_names);
	tcase_add_test(t, empty_practice_keeps_its_parts);
	tcase_add_test(t, text_that_would_make_a_part_is_refused);
	tcase_add_test(t, part_that_stands_twice_is_replaced_once);
	tcase_add_test(t, damaged_head_ends_the_bundle);
	tcase_add_test(t, whole_is_what_reads_to_its_end_in_order);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
