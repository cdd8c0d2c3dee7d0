/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_statement.c - decoding is exact and the body lies within the input.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/statement.h"

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
	struct keys_statement got;
	uint8_t *again, hash[KEYS_LEN];
	const uint8_t *body;
	size_t len;

	if (keys_statement_decode(data, size, &got))
		return 0;
	body = got.body.p;
	if (body < data || got.body.len > size - (size_t)(body - data))
		abort();
	again = malloc(size);
	if (!again)
		return 0;
	if (keys_statement_encode(&got, again, size, &len) || len != size)
		abort();
	if (memcmp(again, data, size) || size > got.body.len + KEYS_STATEMENT_OVERHEAD)
		abort();
	keys_statement_hash(&got, hash);
	free(again);
	return 0;
}
