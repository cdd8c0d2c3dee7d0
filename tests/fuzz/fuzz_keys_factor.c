/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/fuzz_keys_factor.c - a second factor's head is decoded exactly, and nothing opens unsealed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/factor.h"

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
	static const struct keys_factor_place place = {.pid = 1};
	static const uint8_t key[KEYS_LEN] = {1};
	struct keys_factor_secret secret = {{0}};
	uint8_t again[KEYS_FACTOR_LEN];
	struct keys_factor got;
	char code[64];
	uint64_t step;

	if (size < sizeof(code)) { /* as a code that somebody typed */
		memcpy(code, data, size);
		code[size] = '\0';
		(void)keys_totp_check(secret.totp, 59, 0, code, &step);
	}
	if (keys_factor_decode(data, size, &got))
		return 0;
	keys_factor_seal(&got, &place, &secret, key, again);
	if (size != sizeof(again) || memcmp(again, data, 32))
		abort();
	if (keys_factor_unseal(data, size, &place, key, &secret) == 0)
		abort();
	return 0;
}
