/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_header.c - only a header signed by its own root key is accepted, and only as
 * it is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/header.h"
#include "keys/wrap.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

/* Input that starts well is signed by the harness, so that decoding gets past the signature. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t b[KEYS_HEADER_LEN], again[KEYS_HEADER_LEN], sk[KEYS_SIGN_SK_LEN];
	struct keys_header h, got;

	keys_header_decode(data, size, &got);
	if (size < 28)
		return 0;
	memcpy(&h.version, data, 2);
	h.suite = data[2];
	memcpy(&h.made_s, data + 3, 8);
	memcpy(h.vault, data + 11, sizeof(h.vault));
	keys_sign_new(h.root_pk, sk);
	keys_header_encode(&h, sk, b);
	if (keys_header_decode(b, sizeof(b), &got) == 0) {
		keys_header_encode(&got, sk, again);
		if (memcmp(b, again, sizeof(b)))
			abort();
	}
	b[data[27]] ^= 1;
	if (keys_header_decode(b, sizeof(b), &got) == 0)
		abort();
	return 0;
}
