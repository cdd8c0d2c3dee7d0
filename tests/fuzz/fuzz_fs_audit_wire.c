/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_audit_wire.c - frames of an auditor's stream: what decodes encodes to the
 * same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/audit_wire.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

static void try_change(const uint8_t *data, size_t size)
{
	struct policy_past_change c;
	uint8_t *again = NULL;
	char *store = NULL;
	size_t len = 0;

	if (fs_audit_change_decode(data, size, &c, &store))
		return;
	/* A text with a NUL in it ends there; nothing is read behind it. */
	if ((c.name && strlen(c.name) > size) || strlen(c.who) > size || strlen(c.reason) > size)
		abort();
	if (fs_audit_change_encode(&c, &again, &len) || len - 4 > size)
		abort();
	free(again);
	free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[FS_AUDIT_KEY_MAX];
	struct fs_audit_key k;
	size_t len;

	if (!fs_audit_key_decode(data, size, &k)) {
		len = fs_audit_key_encode(&k, again);
		if (len - 4 != size || memcmp(again + 4, data, size))
			abort();
	}
	if (size < FS_AUDIT_FRAME_MAX - 4)
		try_change(data, size);
	return 0;
}
