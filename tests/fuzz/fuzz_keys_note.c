/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_note.c - decoding a note statement or a stored minisign signature is exact;
 * what decodes has a hash, and texts of sound comments fit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/minisign.h"
#include "keys/note.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

static void note(const uint8_t *data, size_t size)
{
	static const uint8_t pk[KEYS_LEN] = {9};
	uint8_t again[KEYS_NOTE_MAX], hash[KEYS_LEN];
	struct keys_note n;
	size_t len;

	if (keys_note_decode(data, size, &n))
		return;
	if (keys_note_encode(&n, again, sizeof(again), &len) || len != size ||
	    memcmp(again, data, size))
		abort();
	if (strlen(n.path) > KEYS_NOTE_PATH_MAX || strlen(n.reason) > KEYS_NOTE_REASON_MAX)
		abort();
	keys_note_hash(&n, hash);
	if (keys_note_verify(&n, pk) == 0)
		abort();
}

static void minisign(const uint8_t *data, size_t size)
{
	uint8_t again[KEYS_MINISIGN_LEN], hash[64] = {0};
	struct keys_minisign m;
	char text[8192];

	if (keys_minisign_decode(data, size, &m))
		return;
	keys_minisign_encode(&m, again);
	if (size != sizeof(again) || memcmp(again, data, size))
		abort();
	if (keys_minisign_text(&m, "u", "t", text, sizeof(text)) ||
	    keys_minisign_pub_text(&m, "u", text, sizeof(text)))
		abort();
	if (keys_minisign_verify(&m, hash, 1, 1, hash, hash, "t") == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	note(data, size);
	minisign(data, size);
	return 0;
}
