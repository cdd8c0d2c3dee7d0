/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_checkpoint.c - signed notes, checkpoints, verifier keys and proofs as text:
 * what parses is within the text, prints alike, and never verifies by a key that signed nothing.
 * The first byte says which; proofs' checks take any bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/checkpoint.h"
#include "keys/merkle.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

static void note(const char *text, size_t len)
{
	static const uint8_t pk[KEYS_LEN] = {9};
	struct keys_checkpoint c;
	struct keys_signed_note n, again;
	char out[KEYS_CHECKPOINT_MAX];
	uint8_t sk[KEYS_SIGN_SK_LEN] = {0};

	if (keys_signed_note_parse(text, len, &n))
		return;
	if (n.text != text || n.text_len >= len || n.count > KEYS_CHECKPOINT_SIGNERS)
		abort();
	for (size_t i = 0; i < n.count; i++) {
		if (keys_signed_note_verify(&n, n.signature[i].name, pk) == 0)
			abort();
	}
	if (keys_checkpoint_read(&n, &c))
		return;
	if (keys_checkpoint_verify(&n, c.vault, pk, true) == 0)
		abort();
	len = keys_checkpoint_make(&c, sk, NULL, out);
	if (!len || keys_signed_note_parse(out, len, &again) || again.text_len != n.text_len ||
	    memcmp(again.text, n.text, n.text_len) != 0)
		abort();
}

static void vkey(const char *text, size_t len)
{
	char name[KEYS_CHECKPOINT_NAME], out[KEYS_CHECKPOINT_NAME + 64], *copy = malloc(len + 1);
	uint8_t pk[KEYS_LEN];

	if (!copy)
		return;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (keys_note_vkey_parse(copy, name, pk) == 0 &&
	    (!keys_note_vkey(name, pk, out, sizeof(out)) || strcmp(out, copy) != 0))
		abort();
	free(copy);
}

static void proof(const char *text, size_t len)
{
	struct keys_proof p;
	char *again;

	if (keys_proof_parse(text, len, &p))
		return;
	if (!p.checkpoint_len || p.checkpoint + p.checkpoint_len != text + len)
		abort();
	again = (p.consistency ? keys_proof_consistency_text
			       : keys_proof_inclusion_text)(p.number, p.hash[0], p.count, "");
	if (!again)
		return;
	if (strlen(again) != len - p.checkpoint_len || memcmp(again, text, strlen(again)) != 0)
		abort();
	free(again);
}

static void checks(const uint8_t *p, size_t len)
{
	uint64_t at, size;

	if (len < 16 + 3 * KEYS_LEN)
		return;
	memcpy(&at, p, 8);
	memcpy(&size, p + 8, 8);
	/* Roots are of the input: only a proof of nothing can hold. */
	if (keys_tree_check_inclusion(p + 16, at, size, p + 80, (len - 80) / KEYS_LEN, p + 48) == 0)
		abort();
	(void)keys_tree_check_consistency(at, p + 16, size, p + 48, p + 80, (len - 80) / KEYS_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text;

	if (!size)
		return 0;
	text = (const char *)data + 1;
	switch (data[0] % 4) {
	case 0:
		note(text, size - 1);
		break;
	case 1:
		vkey(text, size - 1);
		break;
	case 2:
		proof(text, size - 1);
		break;
	default:
		checks(data + 1, size - 1);
	}
	return 0;
}
