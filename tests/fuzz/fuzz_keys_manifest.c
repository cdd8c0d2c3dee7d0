/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_manifest.c - decoding is exact: what is accepted encodes to the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/wrap.h"

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
	struct keys_manifest got;
	uint8_t again[KEYS_MANIFEST_LEN];

	if (keys_manifest_decode(data, size, &got))
		return 0;
	keys_manifest_encode(&got, again);
	if (size != sizeof(again) || memcmp(again, data, size))
		abort();
	if (got.place.generation == 0 || keys_manifest_verify(&got, got.commitment) == 0)
		abort();
	return 0;
}
