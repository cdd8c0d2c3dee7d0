/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_keys_merkle.c - the log's tree.
 *
 * Roots and proofs of the eight leaves are those that the implementations of certificate
 * transparency test with (certificate-transparency's merkle_tree_test.cc, transparency-dev/merkle).
 * Other sizes are compared with RFC 6962's recursive definitions, written out below.
 */
#include "test_keys_common.h"

#include "keys/merkle.h"

#define LEAVES 8
#define MOST 70 /* leaves in the comparisons with the definitions */

static const char *const leaf_hex[LEAVES] = {
	"",
	"00",
	"10",
	"2021",
	"3031",
	"40414243",
	"5051525354555657",
	"606162636465666768696a6b6c6d6e6f",
};

static const char *const root_hex[LEAVES + 1] = {
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static const struct {
	uint64_t at, size; /* index, or old size */
	const char *hash[4];
} inclusions[] =
	{
		{0,
		 8,
		 {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
		  "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		  "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
		{5,
		 8,
		 {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		  "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
		{2, 3, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
		{1,
		 5,
		 {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		  "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
		  "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
},
  consistencies[] = {
	  {1,
	   8,
	   {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
	    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
	  {6,
	   8,
	   {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
	    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
	    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	  {2,
	   5,
	   {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
	  {3,
	   7,
	   {"0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
	    "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
	    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	    "837dbb152e9b079010717e84e865da4ebc0fa198a806d59d31bf15accef22d0e"}},
	  {4, 8, {"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
};

static uint8_t leaves[MOST][KEYS_LEN];

static void ct_leaves(void)
{
	uint8_t bytes[16];

	for (unsigned i = 0; i < LEAVES; i++)
		keys_tree_leaf(bytes, from_hex(leaf_hex[i], bytes, sizeof(bytes)), leaves[i]);
}

static void many_leaves(void)
{
	for (unsigned i = 0; i < MOST; i++)
		keys_tree_leaf(&i, sizeof(i), leaves[i]);
}

/* ---- RFC 6962, section 2.1, as it stands there ---- */

static uint64_t rfc_k(uint64_t n)
{
	uint64_t k = 1;

	while (k * 2 < n)
		k *= 2;
	return k;
}

static void rfc_mth(uint64_t from, uint64_t to, uint8_t *out)
{
	uint8_t left[KEYS_LEN], right[KEYS_LEN];

	if (to - from == 1) {
		memcpy(out, leaves[from], KEYS_LEN);
		return;
	}
	rfc_mth(from, from + rfc_k(to - from), left);
	rfc_mth(from + rfc_k(to - from), to, right);
	keys_tree_node(left, right, out);
}

static size_t rfc_path(uint64_t m, uint64_t from, uint64_t to, uint8_t (*out)[KEYS_LEN])
{
	uint64_t k;
	size_t n;

	if (to - from == 1)
		return 0;
	k = rfc_k(to - from);
	if (m < k) {
		n = rfc_path(m, from, from + k, out);
		rfc_mth(from + k, to, out[n]);
	} else {
		n = rfc_path(m - k, from + k, to, out);
		rfc_mth(from, from + k, out[n]);
	}
	return n + 1;
}

static size_t rfc_subproof(uint64_t m, uint64_t from, uint64_t to, bool b, uint8_t (*out)[KEYS_LEN])
{
	uint64_t k;
	size_t n;

	if (m == to - from) {
		if (!b)
			rfc_mth(from, to, out[0]);
		return b ? 0 : 1;
	}
	k = rfc_k(to - from);
	if (m <= k) {
		n = rfc_subproof(m, from, from + k, b, out);
		rfc_mth(from + k, to, out[n]);
	} else {
		n = rfc_subproof(m - k, from + k, to, false, out);
		rfc_mth(from, from + k, out[n]);
	}
	return n + 1;
}

/* ---- what the planned stretches come to, through keys_tree_ranges ---- */

static void gather(const struct keys_tree_range *plan, size_t n, uint64_t size,
		   uint8_t (*out)[KEYS_LEN])
{
	struct keys_tree_ranges *r = keys_tree_ranges_new(plan, n);

	ck_assert_ptr_nonnull(r);
	for (uint64_t i = 0; i < size; i++)
		keys_tree_ranges_add(r, leaves[i]);
	for (size_t i = 0; i < n; i++)
		ck_assert(keys_tree_ranges_root(r, i, out[i]));
	keys_tree_ranges_free(r);
}

static size_t inclusion(uint64_t index, uint64_t size, uint8_t (*out)[KEYS_LEN])
{
	struct keys_tree_range plan[2 * KEYS_TREE_LEVELS];
	size_t n = keys_tree_inclusion_plan(index, size, plan);

	gather(plan, n, size, out);
	return n;
}

static size_t consistency(uint64_t old_size, uint64_t size, uint8_t (*out)[KEYS_LEN])
{
	struct keys_tree_range plan[2 * KEYS_TREE_LEVELS];
	size_t n = keys_tree_consistency_plan(old_size, size, plan);

	gather(plan, n, size, out);
	return n;
}

START_TEST(tree_roots_are_those_of_certificate_transparency)
{
	struct keys_tree t;
	uint8_t root[KEYS_LEN], none[KEYS_LEN];

	ct_leaves();
	keys_tree_init(&t);
	for (unsigned n = 0; n <= LEAVES; n++) {
		keys_tree_root(&t, root);
		assert_hex(root, sizeof(root), root_hex[n]);
		ck_assert_uint_eq(t.count, (unsigned)__builtin_popcount(n));
		if (n < LEAVES)
			keys_tree_add(&t, leaves[n]);
	}
	keys_tree_no_leaf(none);
	ck_assert_mem_eq(none, leaves[0], sizeof(none));
}
END_TEST

START_TEST(proofs_are_those_of_certificate_transparency)
{
	uint8_t proof[8][KEYS_LEN], root[KEYS_LEN], old_root[KEYS_LEN];

	ct_leaves();
	for (size_t i = 0; i < COUNT(inclusions); i++) {
		size_t n = inclusion(inclusions[i].at, inclusions[i].size, proof);

		for (size_t k = 0; k < n; k++)
			assert_hex(proof[k], KEYS_LEN, inclusions[i].hash[k]);
		ck_assert(n == 4 || !inclusions[i].hash[n]);
		rfc_mth(0, inclusions[i].size, root);
		ck_assert_int_eq(keys_tree_check_inclusion(leaves[inclusions[i].at],
							   inclusions[i].at, inclusions[i].size,
							   proof[0], n, root),
				 0);
	}
	for (size_t i = 0; i < COUNT(consistencies); i++) {
		size_t n = consistency(consistencies[i].at, consistencies[i].size, proof);

		for (size_t k = 0; k < n; k++)
			assert_hex(proof[k], KEYS_LEN, consistencies[i].hash[k]);
		ck_assert(n == 4 || !consistencies[i].hash[n]);
		from_hex(root_hex[consistencies[i].at], old_root, sizeof(old_root));
		from_hex(root_hex[consistencies[i].size], root, sizeof(root));
		ck_assert_int_eq(keys_tree_check_consistency(consistencies[i].at, old_root,
							     consistencies[i].size, root, proof[0],
							     n),
				 0);
	}
}
END_TEST

START_TEST(tree_of_every_size_is_the_definitions)
{
	uint8_t root[KEYS_LEN], want[KEYS_LEN];
	struct keys_tree t, again;

	many_leaves();
	keys_tree_init(&t);
	for (uint64_t size = 1; size <= MOST; size++) {
		keys_tree_add(&t, leaves[size - 1]);
		keys_tree_root(&t, root);
		rfc_mth(0, size, want);
		ck_assert_mem_eq(root, want, sizeof(root));
		ck_assert_int_eq(keys_tree_load(&again, size, t.hash[0], t.count), 0);
		keys_tree_root(&again, root);
		ck_assert_mem_eq(root, want, sizeof(root));
	}
}
END_TEST

START_TEST(proofs_of_every_size_are_the_definitions)
{
	uint8_t proof[16][KEYS_LEN], want[16][KEYS_LEN], root[KEYS_LEN], old_root[KEYS_LEN];

	many_leaves();
	for (uint64_t size = 1; size <= MOST; size++) {
		rfc_mth(0, size, root);
		for (uint64_t i = 0; i < size; i++) {
			size_t n = inclusion(i, size, proof);

			ck_assert_uint_eq(n, rfc_path(i, 0, size, want));
			ck_assert_mem_eq(proof, want, n * KEYS_LEN);
			ck_assert_int_eq(
				keys_tree_check_inclusion(leaves[i], i, size, proof[0], n, root),
				0);
		}
		for (uint64_t old = 1; old < size; old++) {
			size_t n = consistency(old, size, proof);

			ck_assert_uint_eq(n, rfc_subproof(old, 0, size, true, want));
			ck_assert_mem_eq(proof, want, n * KEYS_LEN);
			rfc_mth(0, old, old_root);
			ck_assert_int_eq(
				keys_tree_check_consistency(old, old_root, size, root, proof[0], n),
				0);
		}
	}
}
END_TEST

/* One bit of proof, leaf or root; another index or size; a hash more or less. */
START_TEST(inclusion_rejects_every_change)
{
	uint8_t all[16][KEYS_LEN] = {{0}};

	many_leaves();
	for (uint64_t size = 1; size <= 13; size++) {
		for (uint64_t i = 0; i < size; i++) {
			size_t n = inclusion(i, size, all + 2);

			memcpy(all[0], leaves[i], KEYS_LEN);
			rfc_mth(0, size, all[1]);
			for (size_t bit = 0; bit < (n + 2) * KEYS_LEN * 8; bit++) {
				all[bit / 8 / KEYS_LEN][bit / 8 % KEYS_LEN] ^=
					(uint8_t)(1u << bit % 8);
				ck_assert_int_eq(keys_tree_check_inclusion(all[0], i, size, all[2],
									   n, all[1]),
						 -EBADMSG);
				all[bit / 8 / KEYS_LEN][bit / 8 % KEYS_LEN] ^=
					(uint8_t)(1u << bit % 8);
			}
			for (uint64_t other = 0; other < MOST; other++) {
				if (other != i)
					ck_assert_int_eq(keys_tree_check_inclusion(all[0], other,
										   size, all[2], n,
										   all[1]),
							 -EBADMSG);
			}
			for (size_t other = 0; other < 12; other++) {
				if (other != n)
					ck_assert_int_eq(keys_tree_check_inclusion(all[0], i, size,
										   all[2], other,
										   all[1]),
							 -EBADMSG);
			}
		}
	}
}
END_TEST

START_TEST(consistency_rejects_every_change)
{
	uint8_t all[16][KEYS_LEN] = {{0}};

	many_leaves();
	for (uint64_t size = 2; size <= 13; size++) {
		for (uint64_t old = 1; old < size; old++) {
			size_t n = consistency(old, size, all + 2);

			rfc_mth(0, old, all[0]);
			rfc_mth(0, size, all[1]);
			for (size_t bit = 0; bit < (n + 2) * KEYS_LEN * 8; bit++) {
				all[bit / 8 / KEYS_LEN][bit / 8 % KEYS_LEN] ^=
					(uint8_t)(1u << bit % 8);
				ck_assert_int_eq(keys_tree_check_consistency(old, all[0], size,
									     all[1], all[2], n),
						 -EBADMSG);
				all[bit / 8 / KEYS_LEN][bit / 8 % KEYS_LEN] ^=
					(uint8_t)(1u << bit % 8);
			}
			for (uint64_t other = 0; other < MOST; other++) {
				if (other != old)
					ck_assert_int_eq(keys_tree_check_consistency(other, all[0],
										     size, all[1],
										     all[2], n),
							 -EBADMSG);
			}
			for (size_t other = 0; other < 12; other++) {
				if (other != n)
					ck_assert_int_eq(keys_tree_check_consistency(old, all[0],
										     size, all[1],
										     all[2], other),
							 -EBADMSG);
			}
		}
	}
}
END_TEST

START_TEST(consistency_with_nothing_and_with_itself_wants_no_proof)
{
	uint8_t empty[KEYS_LEN], root[KEYS_LEN], zeros[KEYS_LEN] = {0};
	struct keys_tree t;

	many_leaves();
	keys_tree_init(&t);
	keys_tree_root(&t, empty);
	rfc_mth(0, 5, root);
	ck_assert_int_eq(keys_tree_check_consistency(0, empty, 5, root, NULL, 0), 0);
	ck_assert_int_eq(keys_tree_check_consistency(0, zeros, 5, root, NULL, 0), -EBADMSG);
	ck_assert_int_eq(keys_tree_check_consistency(0, empty, 0, empty, NULL, 0), 0);
	ck_assert_int_eq(keys_tree_check_consistency(0, empty, 0, root, NULL, 0), -EBADMSG);
	ck_assert_int_eq(keys_tree_check_consistency(0, empty, 5, root, zeros, 1), -EBADMSG);
	ck_assert_int_eq(keys_tree_check_consistency(5, root, 5, root, NULL, 0), 0);
	ck_assert_int_eq(keys_tree_check_consistency(5, empty, 5, root, NULL, 0), -EBADMSG);
	ck_assert_int_eq(keys_tree_check_consistency(5, root, 5, root, zeros, 1), -EBADMSG);
	ck_assert_int_eq(keys_tree_check_consistency(4, root, 5, root, NULL, 0), -EBADMSG);
}
END_TEST

START_TEST(absurd_arguments_are_refused)
{
	static const uint64_t odd[] = {0,
				       1,
				       2,
				       63,
				       64,
				       INT64_MAX - 1,
				       INT64_MAX,
				       (uint64_t)INT64_MAX + 1,
				       UINT64_MAX - 1,
				       UINT64_MAX};
	static const uint8_t zeros[2 * KEYS_TREE_LEVELS + 2][KEYS_LEN];
	struct keys_tree_range plan[2 * KEYS_TREE_LEVELS];

	many_leaves();
	for (size_t a = 0; a < COUNT(odd); a++) {
		for (size_t b = 0; b < COUNT(odd); b++) {
			bool in = odd[a] < odd[b] && odd[b] <= INT64_MAX;
			size_t n = keys_tree_inclusion_plan(odd[a], odd[b], plan);

			ck_assert_uint_le(n, KEYS_TREE_LEVELS);
			ck_assert((in && odd[b] > 1) == (n > 0));
			n = keys_tree_consistency_plan(odd[a], odd[b], plan);
			ck_assert_uint_le(n, KEYS_TREE_LEVELS + 1);
			ck_assert((in && odd[a]) == (n > 0));
			for (n = 0; n <= COUNT(zeros); n++) {
				ck_assert_int_eq(keys_tree_check_inclusion(leaves[0], odd[a],
									   odd[b], zeros[0], n,
									   leaves[1]),
						 -EBADMSG);
				ck_assert_int_eq(keys_tree_check_consistency(odd[a], leaves[0],
									     odd[b], leaves[1],
									     zeros[0], n),
						 -EBADMSG);
			}
		}
	}
}
END_TEST

START_TEST(tree_load_rejects_what_does_not_fit_the_size)
{
	struct keys_tree t = {.size = 77};
	uint8_t hashes[KEYS_TREE_LEVELS][KEYS_LEN] = {{0}};

	ck_assert_int_eq(keys_tree_load(&t, 11, hashes[0], 2), -EINVAL);
	ck_assert_int_eq(keys_tree_load(&t, 11, hashes[0], 4), -EINVAL);
	ck_assert_int_eq(keys_tree_load(&t, 0, hashes[0], 1), -EINVAL);
	ck_assert_int_eq(keys_tree_load(&t, (uint64_t)1 << 63, hashes[0], 1), -EINVAL);
	ck_assert_int_eq(keys_tree_load(&t, UINT64_MAX, hashes[0], 64), -EINVAL);
	ck_assert_uint_eq(t.size, 77);
	ck_assert_int_eq(keys_tree_load(&t, INT64_MAX, hashes[0], 63), 0);
	ck_assert_int_eq(keys_tree_load(&t, 0, NULL, 0), 0);
	ck_assert_uint_eq(t.count, 0);
}
END_TEST

/* Every stretch of a tree at once, in an order that is none, some twice. */
START_TEST(ranges_of_every_stretch_in_one_pass)
{
	enum { N = 24 };
	static struct keys_tree_range want[N * N * 2];
	uint8_t root[KEYS_LEN], direct[KEYS_LEN];
	struct keys_tree_ranges *r;
	struct keys_tree t;
	size_t n = 0;

	many_leaves();
	for (uint64_t to = 0; to <= N; to++) {
		for (uint64_t from = 0; from <= to; from++)
			want[n++] = (struct keys_tree_range){(from * 7) % (to + 1), to};
	}
	r = keys_tree_ranges_new(want, n);
	ck_assert_ptr_nonnull(r);
	for (uint64_t i = 0; i < N; i++)
		keys_tree_ranges_add(r, leaves[i]);
	for (size_t i = 0; i < n; i++) {
		keys_tree_init(&t);
		for (uint64_t k = want[i].from; k < want[i].to; k++)
			keys_tree_add(&t, leaves[k]);
		keys_tree_root(&t, direct);
		ck_assert(keys_tree_ranges_root(r, i, root));
		ck_assert_mem_eq(root, direct, sizeof(root));
	}
	ck_assert(!keys_tree_ranges_root(r, n, root));
	keys_tree_ranges_free(r);
}
END_TEST

START_TEST(ranges_that_are_not_whole_have_no_root)
{
	static const struct keys_tree_range want[] = {{0, 4}, {2, 6}, {6, 8},	       {7, 9},
						      {9, 9}, {5, 3}, {8, UINT64_MAX}, {3, 7}};
	uint8_t root[KEYS_LEN], direct[KEYS_LEN];
	struct keys_tree_ranges *r = keys_tree_ranges_new(want, COUNT(want));

	many_leaves();
	ck_assert_ptr_nonnull(r);
	for (unsigned i = 0; i < 3; i++)
		keys_tree_ranges_add(r, leaves[i]);
	keys_tree_ranges_skip(r, 1); /* backward: nothing */
	keys_tree_ranges_skip(r, 6);
	for (unsigned i = 6; i < 10; i++)
		keys_tree_ranges_add(r, leaves[i]);
	for (size_t i = 0; i < COUNT(want); i++)
		ck_assert_int_eq(keys_tree_ranges_root(r, i, root), i >= 2 && i <= 4);
	ck_assert(keys_tree_ranges_root(r, 3, root));
	rfc_mth(7, 9, direct);
	ck_assert_mem_eq(root, direct, sizeof(root));
	keys_tree_ranges_free(r);
	r = keys_tree_ranges_new(NULL, 0);
	ck_assert_ptr_nonnull(r);
	keys_tree_ranges_add(r, leaves[0]);
	keys_tree_ranges_free(r);
	keys_tree_ranges_free(NULL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		tree_roots_are_those_of_certificate_transparency,
		proofs_are_those_of_certificate_transparency,
		tree_of_every_size_is_the_definitions,
		proofs_of_every_size_are_the_definitions,
		inclusion_rejects_every_change,
		consistency_rejects_every_change,
		consistency_with_nothing_and_with_itself_wants_no_proof,
		absurd_arguments_are_refused,
		tree_load_rejects_what_does_not_fit_the_size,
		ranges_of_every_stretch_in_one_pass,
		ranges_that_are_not_whole_have_no_root,
	};

	return run_tests("keys/merkle", tests, COUNT(tests));
}
