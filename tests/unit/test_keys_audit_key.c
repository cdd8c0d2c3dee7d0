/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_audit_key.c - an auditor's key file: round trip, damage, wrong keys; wraps.
 */
#include "test_keys_common.h"

#include "keys/audit_key.h"
#include "keys/bytes.h"
#include "keys/seal.h"
#include "keys/slab.h"

static const struct keys_stretch_cost cost = {1, 8192};
static uint8_t stretched[KEYS_LEN], salt[KEYS_SALT_LEN];

static void make_key(struct keys_audit_key *k, unsigned streams, unsigned daemons)
{
	memset(k, 0, sizeof(*k));
	fill(stretched, sizeof(stretched), 1);
	fill(salt, sizeof(salt), 2);
	fill(k->vault, sizeof(k->vault), 3);
	fill(k->root_pk, sizeof(k->root_pk), 4);
	k->made_s = 1700000000;
	k->since_s = 1600000000;
	k->until_s = 1650000000;
	strcpy(k->who, "lis");
	strcpy(k->practice, "Klinik \xc3\x98st");
	k->daemon = calloc(daemons + 1, KEYS_LEN);
	k->daemons = daemons;
	for (unsigned i = 0; i < daemons; i++)
		fill(k->daemon[i], KEYS_LEN, 10 + i);
	k->stream = keys_guard_new((streams + 1) * sizeof(*k->stream));
	k->streams = streams;
	for (unsigned i = 0; i < streams; i++) {
		fill(k->stream[i].stream, KEYS_STREAM_ID_LEN, 50 + i);
		fill(k->stream[i].k0, KEYS_LEN, 90 + i);
		k->stream[i].first_seq = 1 + 100 * i;
		k->stream[i].time_s = 1600000000 + 1000 * i;
	}
}

static uint8_t *sealed(const struct keys_audit_key *k, size_t *len)
{
	uint8_t *p = NULL;

	ck_assert_int_eq(keys_audit_key_seal(k, stretched, salt, &cost, &p, len), 0);
	return p;
}

static void assert_same(const struct keys_audit_key *a, const struct keys_audit_key *b)
{
	ck_assert_mem_eq(a->vault, b->vault, sizeof(a->vault));
	ck_assert_mem_eq(a->root_pk, b->root_pk, sizeof(a->root_pk));
	ck_assert_uint_eq(a->made_s, b->made_s);
	ck_assert_int_eq(a->since_s, b->since_s);
	ck_assert_int_eq(a->until_s, b->until_s);
	ck_assert_str_eq(a->who, b->who);
	ck_assert_str_eq(a->practice, b->practice);
	ck_assert_uint_eq(a->daemons, b->daemons);
	ck_assert_uint_eq(a->streams, b->streams);
	for (unsigned i = 0; i < a->daemons; i++)
		ck_assert_mem_eq(a->daemon[i], b->daemon[i], KEYS_LEN);
	for (unsigned i = 0; i < a->streams; i++) {
		ck_assert_mem_eq(a->stream[i].stream, b->stream[i].stream, KEYS_STREAM_ID_LEN);
		ck_assert_mem_eq(a->stream[i].k0, b->stream[i].k0, KEYS_LEN);
		ck_assert_uint_eq(a->stream[i].first_seq, b->stream[i].first_seq);
		ck_assert_uint_eq(a->stream[i].time_s, b->stream[i].time_s);
	}
}

START_TEST(key_file_comes_back_as_it_was)
{
	static const unsigned sizes[][2] = {{0, 0}, {1, 1}, {3, 2}, {200, 40}};

	for (unsigned i = 0; i < COUNT(sizes); i++) {
		struct keys_audit_key k, got;
		struct keys_audit_head h;
		size_t len;
		uint8_t *p, k0[KEYS_LEN];

		make_key(&k, sizes[i][0], sizes[i][1]);
		p = sealed(&k, &len);
		ck_assert_int_eq(keys_audit_key_look(p, len, &h), 0);
		ck_assert_mem_eq(h.vault, k.vault, sizeof(h.vault));
		ck_assert_mem_eq(h.salt, salt, sizeof(h.salt));
		ck_assert_uint_eq(h.cost.memory_kib, cost.memory_kib);
		ck_assert_int_eq(keys_audit_key_open(p, len, stretched, &got), 0);
		assert_same(&k, &got);
		for (unsigned s = 0; s < k.streams; s++) {
			ck_assert_int_eq(keys_audit_key_find(&got, k.stream[s].stream, k0), 0);
			ck_assert_mem_eq(k0, k.stream[s].k0, KEYS_LEN);
		}
		ck_assert_int_eq(keys_audit_key_find(&got, k.vault, k0), -ENOENT);
		keys_audit_key_clear(&k);
		keys_audit_key_clear(&got);
		free(p);
	}
}
END_TEST

/* The worked example of keys/FORMAT.md. */
START_TEST(key_file_has_the_size_that_the_format_states)
{
	struct keys_audit_key k;
	size_t len;

	make_key(&k, 2, 1);
	strcpy(k.practice, "Klinik Nord");
	free(sealed(&k, &len));
	ck_assert_uint_eq(len, 378);
	keys_audit_key_clear(&k);
}
END_TEST

START_TEST(key_file_hides_keys_and_names)
{
	struct keys_audit_key k;
	size_t len;
	uint8_t *p;

	make_key(&k, 3, 2);
	p = sealed(&k, &len);
	ck_assert_ptr_null(memmem(p, len, k.stream[0].k0, KEYS_LEN));
	ck_assert_ptr_null(memmem(p, len, k.practice, strlen(k.practice)));
	ck_assert_ptr_null(memmem(p, len, k.root_pk, KEYS_LEN));
	free(p);
	keys_audit_key_clear(&k);
}
END_TEST

START_TEST(damage_at_each_byte_is_told_without_the_passphrase)
{
	struct keys_audit_key k, got;
	struct keys_audit_head h;
	size_t len;
	uint8_t *p;

	make_key(&k, 2, 1);
	p = sealed(&k, &len);
	for (size_t i = 0; i < len; i++) {
		int rc;

		p[i] ^= 1;
		rc = keys_audit_key_look(p, len, &h);
		/* The magic and the version say first what it is. */
		if (i < 8)
			ck_assert_int_eq(rc, -EMEDIUMTYPE);
		else if (i < 10)
			ck_assert(rc == -EPROTONOSUPPORT || rc == -EBADMSG);
		else
			ck_assert_int_eq(rc, -EBADMSG);
		ck_assert_int_eq(keys_audit_key_open(p, len, stretched, &got), rc);
		p[i] ^= 1;
	}
	for (size_t n = 0; n < len; n++)
		ck_assert_int_lt(keys_audit_key_look(p, n, &h), 0);
	ck_assert_int_eq(keys_audit_key_open(p, len, stretched, &got), 0);
	keys_audit_key_clear(&got);
	keys_audit_key_clear(&k);
	free(p);
}
END_TEST

/* Who changes the file can make the checksum fit; the seal still holds every byte. */
START_TEST(forged_file_does_not_open)
{
	struct keys_audit_key k, got;
	size_t len;
	uint8_t *p;

	make_key(&k, 2, 1);
	p = sealed(&k, &len);
	for (size_t i = 10; i < len - KEYS_LEN; i++) {
		struct keys_span body = {p, len - KEYS_LEN};
		int rc;

		p[i] ^= 1;
		keys_sha256(&body, 1, p + len - KEYS_LEN);
		rc = keys_audit_key_open(p, len, stretched, &got);
		ck_assert(rc == -EKEYREJECTED || rc == -EBADMSG);
		p[i] ^= 1;
	}
	keys_audit_key_clear(&k);
	free(p);
}
END_TEST

START_TEST(another_passphrase_is_told_from_damage)
{
	struct keys_audit_key k, got;
	uint8_t other[KEYS_LEN];
	size_t len;
	uint8_t *p;

	make_key(&k, 1, 1);
	p = sealed(&k, &len);
	fill(other, sizeof(other), 77);
	ck_assert_int_eq(keys_audit_key_open(p, len, other, &got), -EKEYREJECTED);
	keys_audit_key_clear(&k);
	free(p);
}
END_TEST

START_TEST(later_version_and_other_files_are_named)
{
	struct keys_audit_key k;
	struct keys_audit_head h;
	size_t len;
	uint8_t *p;

	make_key(&k, 1, 1);
	p = sealed(&k, &len);
	p[8] = 2;
	ck_assert_int_eq(keys_audit_key_look(p, len, &h), -EPROTONOSUPPORT);
	ck_assert_int_eq(keys_audit_key_look((const uint8_t *)"JFSG and so on, a segment", 25, &h),
			 -EMEDIUMTYPE);
	ck_assert_int_eq(keys_audit_key_look((const uint8_t *)"", 0, &h), -EMEDIUMTYPE);
	keys_audit_key_clear(&k);
	free(p);
}
END_TEST

/* A file that would have the reader stretch for hours or take all memory. */
START_TEST(cost_out_of_bounds_is_refused)
{
	struct keys_audit_key k;
	struct keys_audit_head h;
	size_t len;
	uint8_t *p;

	make_key(&k, 1, 1);
	p = sealed(&k, &len);
	for (int i = 0; i < 2; i++) {
		struct keys_span body = {p, len - KEYS_LEN};
		struct bytes_out b = bytes_out(p + 12 + 4 * i, 4);

		bytes_put_u32(&b, UINT32_MAX);
		keys_sha256(&body, 1, p + len - KEYS_LEN);
		ck_assert_int_eq(keys_audit_key_look(p, len, &h), -EBADMSG);
	}
	keys_audit_key_clear(&k);
	free(p);
}
END_TEST

START_TEST(wrap_opens_with_its_stream_key_alone)
{
	uint8_t k0[KEYS_LEN], vault[KEYS_VAULT_ID_LEN], stream[KEYS_STREAM_ID_LEN], key[KEYS_LEN];
	uint8_t wrap[KEYS_AUDIT_WRAP_LEN], got[KEYS_LEN];

	fill(k0, sizeof(k0), 1);
	fill(vault, sizeof(vault), 2);
	fill(stream, sizeof(stream), 3);
	fill(key, sizeof(key), 4);
	keys_audit_wrap(k0, vault, stream, key, wrap);
	ck_assert_int_eq(keys_audit_unwrap(k0, vault, stream, wrap, got), 0);
	ck_assert_mem_eq(got, key, KEYS_LEN);
	for (size_t i = 0; i < sizeof(wrap); i++) {
		wrap[i] ^= 0x80;
		ck_assert_int_eq(keys_audit_unwrap(k0, vault, stream, wrap, got), -EBADMSG);
		wrap[i] ^= 0x80;
	}
	vault[0] ^= 1;
	ck_assert_int_eq(keys_audit_unwrap(k0, vault, stream, wrap, got), -EBADMSG);
	vault[0] ^= 1;
	stream[0] ^= 1;
	ck_assert_int_eq(keys_audit_unwrap(k0, vault, stream, wrap, got), -EBADMSG);
	stream[0] ^= 1;
	k0[0] ^= 1;
	ck_assert_int_eq(keys_audit_unwrap(k0, vault, stream, wrap, got), -EBADMSG);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		key_file_comes_back_as_it_was,
		key_file_has_the_size_that_the_format_states,
		key_file_hides_keys_and_names,
		damage_at_each_byte_is_told_without_the_passphrase,
		forged_file_does_not_open,
		another_passphrase_is_told_from_damage,
		later_version_and_other_files_are_named,
		cost_out_of_bounds_is_refused,
		wrap_opens_with_its_stream_key_alone,
	};

	return run_tests("keys/audit_key", tests, COUNT(tests));
}
