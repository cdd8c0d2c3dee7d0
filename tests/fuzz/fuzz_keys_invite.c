/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_invite.c - decoding is exact, fits its maximum, and no other code opens it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/invite.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keys_invite got;
	uint8_t again[KEYS_INVITE_MAX];
	uint8_t sk[KEYS_SIGN_SK_LEN], index[KEYS_LEN];
	size_t len;

	if (keys_invite_decode(data, size, &got))
		return 0;
	if (keys_invite_encode(&got, again, sizeof(again), &len))
		abort();
	if (len != size || memcmp(again, data, size))
		abort();
	if (keys_invite_open(&got, (const uint8_t[KEYS_VAULT_ID_LEN]){1},
			     (const uint8_t[KEYS_CODE_LEN]){2}, sk, index) == 0)
		abort();
	return 0;
}
