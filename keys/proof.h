/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/proof.h - proofs from the tree of the log as text, to be checked elsewhere.
 *
 * Inclusion: C2SP tlog-proof, "c2sp.org/tlog-proof@v1\nindex N\n", a line of base64 for each hash,
 * an empty line, the checkpoint. Consistency: laid out as C2SP tlog-witness's add-checkpoint
 * request, "old N\n", hashes, an empty line, the checkpoint. The checks are in keys/merkle.h.
 */
#ifndef KEYS_PROOF_H
#define KEYS_PROOF_H

#include <stdbool.h>
#include "label.h"

#define KEYS_PROOF_HASHES ((size_t)2 * 63)

/* NUL-terminated malloc'ed text; NULL: memory is short, or there are too many hashes. */
char *keys_proof_inclusion_text(uint64_t index, const uint8_t *proof, size_t n,
				const char *checkpoint);
char *keys_proof_consistency_text(uint64_t old_size, const uint8_t *proof, size_t n,
				  const char *checkpoint);

struct keys_proof {
	bool consistency;
	uint64_t number; /* index, or old size */
	uint8_t hash[KEYS_PROOF_HASHES][KEYS_LEN];
	size_t count;
	const char *checkpoint; /* in the text */
	size_t checkpoint_len;
};
int keys_proof_parse(const char *p, size_t len, struct keys_proof *out); /* -EBADMSG */

#endif
