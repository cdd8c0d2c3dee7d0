/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_wrap.c - wraps, break-glass wraps and escrow: nothing but what was sealed
 * opens.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/recovery.h"
#include "keys/wrap.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

static const uint8_t vault[KEYS_VAULT_ID_LEN] = {1};
static const uint8_t host[KEYS_LEN] = {2};

/* Bytes of the attacker's own must not open. */
static void raw(const uint8_t *data, size_t size)
{
	const struct keys_wrap_place place = {.journal = 3, .generation = 1};
	uint8_t sk[KEYS_LEN] = {4}, key[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN];

	if (keys_wrap_open(&place, data, size, sk, key) == 0)
		abort();
	if (keys_bg_wrap_open(vault, 5, data, size, sk, host, key) == 0)
		abort();
	if (keys_escrow_open(vault, host, data, size, root_sk, key) == 0)
		abort();
}

/* A sound wrap with the input laid over it opens only when that changed nothing. */
static void changed(const uint8_t *data, size_t size)
{
	const struct keys_wrap_place place = {.journal = 3, .generation = 1};
	uint8_t pk[KEYS_LEN], sk[KEYS_LEN], key[KEYS_LEN] = {6}, got[KEYS_LEN];
	uint8_t wrap[KEYS_BG_WRAP_LEN], sound[KEYS_BG_WRAP_LEN];
	size_t at = data[0], i;

	keys_box_new(pk, sk);
	if (keys_bg_wrap_seal(vault, 5, key, pk, host, sound))
		abort();
	memcpy(wrap, sound, sizeof(wrap));
	for (i = 1; i < size && at + i <= sizeof(wrap); i++)
		wrap[at + i - 1] ^= data[i];
	if ((keys_bg_wrap_open(vault, 5, wrap, sizeof(wrap), sk, host, got) == 0) !=
	    (memcmp(wrap, sound, sizeof(wrap)) == 0))
		abort();
	if (keys_wrap_seal(&place, key, pk, sound))
		abort();
	memcpy(wrap, sound, KEYS_WRAP_LEN);
	for (i = 1; i < size && at + i <= KEYS_WRAP_LEN; i++)
		wrap[at + i - 1] ^= data[i];
	if ((keys_wrap_open(&place, wrap, KEYS_WRAP_LEN, sk, got) == 0) !=
	    (memcmp(wrap, sound, KEYS_WRAP_LEN) == 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	raw(data, size);
	if (size)
		changed(data, size);
	return 0;
}
