/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_envelope.c - decoding is exact, costs stay in bounds, and nothing opens
 * unsealed.
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
	static const struct keys_identity id = {.pid = 1};
	static const uint8_t key[KEYS_LEN] = {1};
	struct keys_identity_secret secret;
	struct keys_envelope got;
	uint8_t again[KEYS_ENVELOPE_LEN];

	if (keys_envelope_decode(data, size, &got))
		return 0;
	keys_envelope_encode(&got, again);
	if (size != sizeof(again) || memcmp(again, data, size))
		abort();
	if (keys_stretch_check(&got.cost))
		abort();
	if (keys_envelope_unseal(&got, &id, key, &secret) == 0)
		abort();
	return 0;
}
