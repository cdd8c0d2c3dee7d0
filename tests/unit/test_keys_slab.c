/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_keys_slab.c - guarded slots: zeroed, wiped, bounded, locked or honest. */
#include "test_keys_common.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "keys/slab.h"

#define SLOTS 200

START_TEST(slab_get_yields_distinct_zeroed_slots_until_full)
{
	struct keys_slab *slab = NULL;
	uint8_t *slot[SLOTS];

	ck_assert_int_eq(keys_slab_new(33, SLOTS, &slab), 0);
	for (size_t i = 0; i < SLOTS; i++) {
		slot[i] = keys_slab_get(slab);
		ck_assert_ptr_nonnull(slot[i]);
		ck_assert_uint_eq((uintptr_t)slot[i] % 16, 0);
		ck_assert(all_zero(slot[i], 48));
		memset(slot[i], (int)(i + 1), 48);
		ck_assert_uint_eq(keys_slab_used(slab), i + 1);
	}
	ck_assert_ptr_null(keys_slab_get(slab));
	for (size_t i = 0; i < SLOTS; i++) {
		for (size_t b = 0; b < 48; b++)
			ck_assert_uint_eq(slot[i][b], (uint8_t)(i + 1));
	}
	keys_slab_free(slab);
}
END_TEST

START_TEST(slab_put_wipes_and_makes_room)
{
	struct keys_slab *slab = NULL;
	uint8_t *slot[SLOTS];

	ck_assert_int_eq(keys_slab_new(32, SLOTS, &slab), 0);
	for (size_t i = 0; i < SLOTS; i++) {
		slot[i] = keys_slab_get(slab);
		memset(slot[i], 0x5a, 32);
	}
	keys_slab_put(slab, NULL);
	for (size_t i = 0; i < SLOTS; i += 3) {
		keys_slab_put(slab, slot[i]);
		ck_assert(all_zero(slot[i], 32));
	}
	ck_assert_uint_eq(keys_slab_used(slab), SLOTS - (SLOTS + 2) / 3);
	for (size_t i = 0; i < SLOTS; i += 3)
		ck_assert_ptr_eq(keys_slab_get(slab), slot[i]);
	ck_assert_ptr_null(keys_slab_get(slab));
	ck_assert_uint_eq(slot[1][0], 0x5a);
	keys_slab_free(slab);
}
END_TEST

START_TEST(slab_new_rejects_absurd_sizes)
{
	struct keys_slab *slab = NULL;

	ck_assert_int_eq(keys_slab_new(SIZE_MAX - 3, 1, &slab), -ENOMEM);
	ck_assert_int_eq(keys_slab_new(SIZE_MAX / 4, 16, &slab), -ENOMEM);
	ck_assert_int_eq(keys_slab_new(0, 16, &slab), -ENOMEM);
	ck_assert_int_eq(keys_slab_new(16, 0, &slab), -ENOMEM);
	ck_assert_ptr_null(slab);
	keys_slab_free(NULL);
}
END_TEST

START_TEST(slab_put_twice_aborts)
{
	struct keys_slab *slab = NULL;
	void *slot;

	ck_assert_int_eq(keys_slab_new(32, 4, &slab), 0);
	slot = keys_slab_get(slab);
	ck_assert_ptr_nonnull(slot);
	keys_slab_put(slab, slot);
	keys_slab_put(slab, slot);
}
END_TEST

START_TEST(slab_overrun_faults)
{
	struct keys_slab *slab = NULL;
	volatile uint8_t *slot;

	ck_assert_int_eq(keys_slab_new(32, 1, &slab), 0);
	slot = keys_slab_get(slab);
	ck_assert_ptr_nonnull((const void *)slot);
	slot[32] = 1;
}
END_TEST

START_TEST(slab_without_mlock_works_and_says_so)
{
	const struct rlimit none = {0, 0};
	struct keys_slab *slab = NULL;
	uint8_t *slot;

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	if (geteuid() == 0) /* root may lock without limit */
		ck_assert_int_eq(setuid(65534), 0);
	ck_assert_int_eq(keys_slab_new(32, 64, &slab), 0);
	ck_assert(!keys_slab_locked(slab));
	slot = keys_slab_get(slab);
	ck_assert_ptr_nonnull(slot);
	ck_assert(all_zero(slot, 32));
	keys_slab_put(slab, slot);
	keys_slab_free(slab);
}
END_TEST

START_TEST(slab_with_mlock_says_locked)
{
	struct keys_slab *slab = NULL;
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	ck_assert_int_eq(keys_slab_new(32, 64, &slab), 0);
	if (geteuid() == 0 || limit.rlim_cur >= 1u << 20)
		ck_assert(keys_slab_locked(slab));
	ck_assert_uint_eq(keys_slab_used(slab), 0);
	keys_slab_free(slab);
}
END_TEST

static void *churn(void *arg)
{
	struct keys_slab *slab = arg;

	for (unsigned i = 0; i < 5000; i++) {
		uint8_t *slot = keys_slab_get(slab);

		if (!slot)
			continue;
		if (!all_zero(slot, 64))
			return slot;
		memset(slot, (int)(i | 1), 64);
		for (unsigned b = 0; b < 64; b++) {
			if (slot[b] != (uint8_t)(i | 1))
				return slot;
		}
		keys_slab_put(slab, slot);
	}
	return NULL;
}

START_TEST(slab_in_many_threads_never_shares_a_slot)
{
	struct keys_slab *slab = NULL;
	pthread_t threads[8];

	ck_assert_int_eq(keys_slab_new(64, 5, &slab), 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, slab), 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		void *failed;

		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	ck_assert_uint_eq(keys_slab_used(slab), 0);
	keys_slab_free(slab);
}
END_TEST

START_TEST(guard_is_zeroed_aligned_and_free_takes_null)
{
	uint8_t *p = keys_guard_new(225);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq((uintptr_t)p % 16, 0);
	ck_assert(all_zero(p, 225));
	memset(p, 1, 225);
	keys_guard_free(p);
	keys_guard_free(NULL);
	ck_assert_ptr_null(keys_guard_new(SIZE_MAX));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("keys/slab");
	TCase *tc = tcase_create("keys/slab");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start_keys, NULL);
	tcase_add_test(tc, slab_get_yields_distinct_zeroed_slots_until_full);
	tcase_add_test(tc, slab_put_wipes_and_makes_room);
	tcase_add_test(tc, slab_new_rejects_absurd_sizes);
	tcase_add_test_raise_signal(tc, slab_put_twice_aborts, SIGABRT);
	if (!UNDER_SANITIZER) { /* which reports faults in its own way and makes mlock do nothing */
		tcase_add_test_raise_signal(tc, slab_overrun_faults, SIGSEGV);
		tcase_add_test(tc, slab_without_mlock_works_and_says_so);
	}
	tcase_add_test(tc, slab_with_mlock_says_locked);
	tcase_add_test(tc, slab_in_many_threads_never_shares_a_slot);
	tcase_add_test(tc, guard_is_zeroed_aligned_and_free_takes_null);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
