/* SPDX-License-Identifier: Apache-2.0 */
/* fs/acl: lists as the kernel passes them, and bytes that are none. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/acl.h"

#define NONE 0xff, 0xff, 0xff, 0xff
#define USER_OBJ(perms) 0x01, 0, perms, 0, NONE
#define USER(perms, id) 0x02, 0, perms, 0, id, 0, 0, 0
#define GROUP_OBJ(perms) 0x04, 0, perms, 0, NONE
#define GROUP(perms, id) 0x08, 0, perms, 0, id, 0, 0, 0
#define MASK(perms) 0x10, 0, perms, 0, NONE
#define OTHER(perms) 0x20, 0, perms, 0, NONE

static struct fs_acl acl;

START_TEST(list_is_written_as_the_kernel_reads_it)
{
	static const uint8_t want[] = {2,	    0,		0,	    0,
				       USER_OBJ(7), USER(7, 5), USER(1, 9), GROUP_OBJ(0),
				       GROUP(5, 3), MASK(7),	OTHER(0)};
	uint8_t out[FS_ACL_BYTES_MAX];
	size_t len = 0;

	acl = (struct fs_acl){
		.owner = 7, .count = 3, .entry = {{true, 3, 5}, {false, 9, 1}, {false, 5, 7}}};
	ck_assert_int_eq(fs_acl_encode(&acl, out, &len), 0);
	ck_assert_uint_eq(len, sizeof(want));
	ck_assert(!memcmp(out, want, len));
}
END_TEST

START_TEST(list_without_names_has_no_mask)
{
	static const uint8_t want[] = {2, 0, 0, 0, USER_OBJ(0), GROUP_OBJ(5), OTHER(1)};
	uint8_t out[FS_ACL_BYTES_MAX];
	size_t len = 0;

	acl = (struct fs_acl){.group = 5, .other = 1};
	ck_assert_int_eq(fs_acl_encode(&acl, out, &len), 0);
	ck_assert_uint_eq(len, sizeof(want));
	ck_assert(!memcmp(out, want, len));
}
END_TEST

START_TEST(largest_list_comes_back_and_a_larger_one_is_refused)
{
	static struct fs_acl back;
	uint8_t out[FS_ACL_BYTES_MAX];
	size_t len = 0;

	acl = (struct fs_acl){.owner = 7, .group = 5, .other = 5, .count = FS_ACL_ENTRIES};
	for (uint32_t i = 0; i < FS_ACL_ENTRIES; i++)
		acl.entry[i] = (struct fs_acl_entry){i % 2, i, i % 8};
	ck_assert_int_eq(fs_acl_encode(&acl, out, &len), 0);
	ck_assert_uint_le(len, FS_ACL_BYTES_MAX);
	ck_assert_int_eq(fs_acl_decode(out, len, &back), 0);
	ck_assert_uint_eq(back.owner, 7);
	ck_assert_uint_eq(back.group, 5);
	ck_assert_uint_eq(back.other, 5);
	ck_assert_uint_eq(back.count, FS_ACL_ENTRIES);
	for (uint32_t i = 0; i < FS_ACL_ENTRIES; i++) {
		const struct fs_acl_entry *e = &back.entry[i];

		ck_assert_uint_eq(e->perms, e->id % 8);
		ck_assert_int_eq(e->group, e->id % 2);
		ck_assert_int_eq(e->group, i >= (FS_ACL_ENTRIES + 1) / 2);
	}
	acl.count++;
	ck_assert_int_eq(fs_acl_encode(&acl, out, &len), -E2BIG);
}
END_TEST

START_TEST(name_twice_or_permissions_unknown_are_not_written)
{
	uint8_t out[FS_ACL_BYTES_MAX];
	size_t len = 77;

	acl = (struct fs_acl){.count = 2, .entry = {{false, 5, 7}, {false, 5, 1}}};
	ck_assert_int_eq(fs_acl_encode(&acl, out, &len), -EINVAL);
	acl = (struct fs_acl){.count = 2, .entry = {{false, 5, 7}, {true, 5, 1}}};
	ck_assert_int_eq(fs_acl_encode(&acl, out, &len), 0);
	len = 77;
	acl = (struct fs_acl){.count = 1, .entry = {{false, 5, 8}}};
	ck_assert_int_eq(fs_acl_encode(&acl, out, &len), -EINVAL);
	acl = (struct fs_acl){.owner = 8};
	ck_assert_int_eq(fs_acl_encode(&acl, out, &len), -EINVAL);
	acl = (struct fs_acl){.count = 1, .entry = {{true, UINT32_MAX, 7}}};
	ck_assert_int_eq(fs_acl_encode(&acl, out, &len), -EINVAL);
	ck_assert_uint_eq(len, 77);
}
END_TEST

START_TEST(list_of_the_kernel_is_read)
{
	static const uint8_t in[] = {
		2, 0, 0, 0, USER_OBJ(6), USER(4, 5), GROUP_OBJ(7), GROUP(5, 3), MASK(5), OTHER(2)};

	ck_assert_int_eq(fs_acl_decode(in, sizeof(in), &acl), 0);
	ck_assert_uint_eq(acl.owner, 6);
	ck_assert_uint_eq(acl.group, 7); /* the group of the file may be masked, names may not */
	ck_assert_uint_eq(acl.other, 2);
	ck_assert_uint_eq(acl.count, 2);
	ck_assert(!acl.entry[0].group && acl.entry[0].id == 5 && acl.entry[0].perms == 4);
	ck_assert(acl.entry[1].group && acl.entry[1].id == 3 && acl.entry[1].perms == 5);
}
END_TEST

START_TEST(bytes_that_are_no_list_are_refused)
{
#define LIST(...)                                                                                  \
	{                                                                                          \
		(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})             \
	}
	const struct {
		const uint8_t *p;
		size_t len;
	} bad[] = {
		LIST(2, 0, 0),
		LIST(2, 0, 0, 0),
		LIST(1, 0, 0, 0, USER_OBJ(7), GROUP_OBJ(0), OTHER(0)),
		LIST(2, 0, 0, 1, USER_OBJ(7), GROUP_OBJ(0), OTHER(0)),
		LIST(2, 0, 0, 0, USER_OBJ(7), GROUP_OBJ(0)),
		LIST(2, 0, 0, 0, USER_OBJ(7), GROUP_OBJ(0), OTHER(0), 0),
		LIST(2, 0, 0, 0, USER_OBJ(7), GROUP_OBJ(0), OTHER(0), 0x20, 0, 0, 0),
		LIST(2, 0, 0, 0, USER_OBJ(7), GROUP_OBJ(0), OTHER(0), OTHER(0)),
		LIST(2, 0, 0, 0, USER_OBJ(8), GROUP_OBJ(0), OTHER(0)),
		LIST(2, 0, 0, 0, USER_OBJ(7), GROUP_OBJ(0), OTHER(0), 0x40, 0, 0, 0, NONE),
		LIST(2, 0, 0, 0, USER_OBJ(7), GROUP_OBJ(0), OTHER(0), 0, 0, 0, 0, NONE),
		/* named entries without a mask, twice, without a name, behind a narrower mask */
		LIST(2, 0, 0, 0, USER_OBJ(7), USER(7, 5), GROUP_OBJ(0), OTHER(0)),
		LIST(2, 0, 0, 0, USER_OBJ(7), USER(7, 5), USER(7, 5), GROUP_OBJ(0), MASK(7),
		     OTHER(0)),
		LIST(2, 0, 0, 0, USER_OBJ(7), 2, 0, 7, 0, NONE, GROUP_OBJ(0), MASK(7), OTHER(0)),
		LIST(2, 0, 0, 0, USER_OBJ(7), USER(7, 5), GROUP_OBJ(0), MASK(5), OTHER(0)),
	};
	static const uint8_t large[FS_ACL_BYTES_MAX + 8] = {2};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(fs_acl_decode(bad[i].p, bad[i].len, &acl) == -EINVAL, "%zu", i);
	ck_assert_int_eq(fs_acl_decode(NULL, 0, &acl), -EINVAL);
	ck_assert_int_eq(fs_acl_decode(large, sizeof(large), &acl), -E2BIG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_acl");
	TCase *t = tcase_create("acl");
	SRunner *r;
	int failed;

	tcase_add_test(t, list_is_written_as_the_kernel_reads_it);
	tcase_add_test(t, list_without_names_has_no_mask);
	tcase_add_test(t, largest_list_comes_back_and_a_larger_one_is_refused);
	tcase_add_test(t, name_twice_or_permissions_unknown_are_not_written);
	tcase_add_test(t, list_of_the_kernel_is_read);
	tcase_add_test(t, bytes_that_are_no_list_are_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
