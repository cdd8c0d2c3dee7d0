/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_key_list.c - decoding is exact and never writes past the room given.
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
	static uint8_t again[KEYS_LIST_MAX * 37 + 3];
	struct keys_list_entry *e;
	size_t cap = size ? data[size - 1] * 2u : 0, n, len;

	if (cap > KEYS_LIST_MAX)
		cap = KEYS_LIST_MAX;
	e = malloc(cap ? cap * sizeof(*e) : 1);
	if (!e)
		return 0;
	if (keys_list_decode(data, size, e, cap, &n) == 0) {
		if (n > cap || keys_list_encode(e, n, again, sizeof(again), &len))
			abort();
		if (len != size || memcmp(again, data, size))
			abort();
	}
	free(e);
	return 0;
}
