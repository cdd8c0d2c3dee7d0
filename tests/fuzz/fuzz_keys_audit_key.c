/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_audit_key.c - key files: what is no key file is told so, costs stay in
 * bounds, and what was sealed by us opens and seals again, whatever its plain part says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/audit_key.h"
#include "keys/seal.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

/* The plain part as the holder of the passphrase could have made it. */
static void open_forged(const uint8_t *data, size_t size)
{
	static const struct keys_stretch_cost cost = {1, 8192};
	static const uint8_t stretched[KEYS_LEN], salt[KEYS_SALT_LEN];
	struct keys_audit_key empty = {.made_s = 1}, got;
	uint8_t key[KEYS_LEN], *file = NULL, *p;
	size_t len, sealed = size + KEYS_SEAL_OVERHEAD, total = 64 + sealed + KEYS_LEN;
	struct keys_span head, all;

	if (keys_audit_key_seal(&empty, stretched, salt, &cost, &file, &len))
		return;
	p = calloc(1, total);
	if (!p)
		abort();
	memcpy(p, file, 56);
	for (unsigned i = 0; i < 8; i++)
		p[56 + i] = (uint8_t)((uint64_t)sealed >> (8 * i));
	head = (struct keys_span){p, 64};
	all = (struct keys_span){p, total - KEYS_LEN};
	keys_label_derive(KEYS_LABEL_AUDIT_KEY, stretched, &head, 1, key, KEYS_LEN);
	keys_seal(key, head, (struct keys_span){data, size}, p + 64);
	keys_sha256(&all, 1, p + total - KEYS_LEN);
	if (!keys_audit_key_open(p, total, stretched, &got)) {
		uint8_t *again = NULL;

		if (keys_audit_key_seal(&got, stretched, salt, &cost, &again, &len) || len != total)
			abort();
		free(again);
		keys_audit_key_clear(&got);
	}
	free(p);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct keys_audit_head h;

	if (!keys_audit_key_look(data, size, &h) && keys_stretch_check(&h.cost))
		abort();
	open_forged(data, size);
	return 0;
}
