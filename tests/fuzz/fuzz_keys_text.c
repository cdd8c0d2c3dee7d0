/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_text.c - codes and recovery keys as text: what parses prints to text that
 * parses alike.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/invite.h"
#include "keys/recovery.h"

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
	uint8_t code[KEYS_CODE_LEN], code2[KEYS_CODE_LEN];
	uint8_t key[KEYS_RECOVERY_LEN], key2[KEYS_RECOVERY_LEN];
	char out[KEYS_RECOVERY_TEXT_MAX], *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (keys_code_parse(text, code) == 0) {
		keys_code_print(code, out);
		if (keys_code_parse(out, code2) || memcmp(code, code2, sizeof(code)))
			abort();
	}
	if (keys_recovery_parse(text, key) == 0) {
		keys_recovery_print(key, out);
		if (keys_recovery_parse(out, key2) || memcmp(key, key2, sizeof(key)))
			abort();
	}
	free(text);
	/* The same bytes as a secret to print: always comes back. */
	if (size >= sizeof(key)) {
		keys_recovery_print(data, out);
		if (keys_recovery_parse(out, key) || memcmp(key, data, sizeof(key)))
			abort();
	}
	return 0;
}
