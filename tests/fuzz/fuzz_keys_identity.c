/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_identity.c - decoding is exact and names end within their arrays.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/identity.h"

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
	struct keys_identity got;
	uint8_t again[KEYS_IDENTITY_MAX];
	size_t len;

	if (keys_identity_decode(data, size, &got))
		return 0;
	if (strlen(got.name) > KEYS_NAME_MAX || strlen(got.account) > KEYS_NAME_MAX ||
	    keys_identity_encode(&got, again, sizeof(again), &len))
		abort();
	if (len != size || memcmp(again, data, size))
		abort();
	return 0;
}
