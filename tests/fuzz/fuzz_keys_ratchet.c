/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_ratchet.c - records and stream wraps; padding of any shape under the right
 * key.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/ratchet.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

#define MAX 4096

/* Seals the input as it stands, so that its length prefix and padding are what is parsed. */
static void shaped(const struct keys_ratchet *start, const uint8_t *data, size_t size)
{
	static uint8_t sealed[MAX + KEYS_SEAL_OVERHEAD], out[MAX + KEYS_SEAL_OVERHEAD];
	uint8_t ad[KEYS_VAULT_ID_LEN + KEYS_STREAM_ID_LEN + 8] = {0};
	struct keys_ratchet r = *start;
	size_t len = SIZE_MAX;
	int rc;

	memcpy(ad, r.vault, sizeof(r.vault));
	memcpy(ad + sizeof(r.vault), r.stream, sizeof(r.stream));
	keys_seal(r.key, (struct keys_span){ad, sizeof(ad)}, (struct keys_span){data, size},
		  sealed);
	rc = keys_ratchet_unseal(&r, 0, (struct keys_span){sealed, size + KEYS_SEAL_OVERHEAD}, out,
				 &len);
	if (r.next != 1)
		abort();
	if (rc == 0 && (size < 4 || len > size - 4 || memcmp(out, data + 4, len) ||
			keys_ratchet_sealed_len(len) != size + KEYS_SEAL_OVERHEAD))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t vault[KEYS_VAULT_ID_LEN] = {1}, sk[KEYS_LEN] = {2};
	static uint8_t out[MAX + KEYS_SEAL_OVERHEAD];
	struct keys_ratchet start, r;
	size_t len;

	if (size > MAX)
		return 0;
	keys_ratchet_new(&start, vault);
	shaped(&start, data, size);
	r = start;
	if (keys_ratchet_unseal(&r, size ? data[0] : 0, (struct keys_span){data, size}, out,
				&len) == 0)
		abort();
	if (keys_ratchet_open(&r, vault, start.stream, data, size, sk) == 0)
		abort();
	return 0;
}
