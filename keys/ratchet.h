/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/ratchet.h - the log's forward-secure sealing.
 *
 * A stream starts with a random k(0), sealed to every auditor and the recovery
 * key; record i is sealed under k(i), then k(i+1) = BLAKE2b(k(i), "next") and
 * k(i) is wiped: the daemon cannot read back what it wrote, and one damaged
 * record does not lose the rest. Format: keys/FORMAT.md, "Log sealing".
 */
#ifndef KEYS_RATCHET_H
#define KEYS_RATCHET_H

#include "seal.h"

#define KEYS_STREAM_ID_LEN 16

struct keys_ratchet { /* lives in guarded memory */
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t stream[KEYS_STREAM_ID_LEN];
	uint64_t next; /* index of the next record */
	uint8_t key[KEYS_LEN];
	uint8_t nonce_key[KEYS_LEN]; /* the writer's */
};

void keys_ratchet_new(struct keys_ratchet *r, const uint8_t vault[static KEYS_VAULT_ID_LEN]);

#define KEYS_STREAM_WRAP_LEN 136 /* sealed box around label, vault, stream, k(0) */
/*
 * k(0) to one reader; only valid before the first record is sealed (asserted: r->next == 0).
 * -EINVAL, out zeroed: box_pk is no usable public key (a point of small order).
 */
int keys_ratchet_wrap(const struct keys_ratchet *r, const uint8_t box_pk[static KEYS_LEN],
		      uint8_t out[static KEYS_STREAM_WRAP_LEN]);
/* A reader's ratchet at record 0. -EBADMSG: not for this key pair or stream. */
int keys_ratchet_open(struct keys_ratchet *r, const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t stream[static KEYS_STREAM_ID_LEN], const uint8_t *p, size_t len,
		      const uint8_t box_sk[static KEYS_LEN]);

/*
 * Pads (u32 length, bytes, zeros to keys_pad_len) and seals the next record, then steps. out has
 * room for keys_ratchet_sealed_len(plain.len). time_ns goes into the nonce, and nobody can tell it
 * from there: a machine that is taken back to an earlier moment, memory and all, has the same key
 * once more, and hardly the same time to the nanosecond.
 */
size_t keys_ratchet_sealed_len(size_t plain_len);
void keys_ratchet_seal(struct keys_ratchet *r, struct keys_span plain, uint64_t time_ns,
		       uint8_t *out);

/* A damaged stream is not stepped over for ever: index - r->next may be at most this. */
#define KEYS_RATCHET_SKIP_MAX (1u << 26)
/*
 * Opens the sealed record with index `index` >= r->next, stepping over the ones between. *len
 * receives the plain length; out has room for sealed.len. -EBADMSG leaves r stepped past index;
 * -EINVAL (index behind r->next, or too far ahead) leaves r as it was.
 */
int keys_ratchet_unseal(struct keys_ratchet *r, uint64_t index, struct keys_span sealed,
			uint8_t *out, size_t *len);

#endif
