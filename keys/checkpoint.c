/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/checkpoint.c - makes, reads and checks checkpoints of the access log.
 *
 * Owns nothing that lives longer than a call. Implements keys/FORMAT.md, "Checkpoints".
 *
 * Invariant: a text is one of ours if writing what was read gives the same bytes again.
 */
#include "checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sodium.h>

#include "base64.h"

#define HASH_TEXT KEYS_BASE64_ROOM(KEYS_LEN)
#define BODY_MAX 512

static const char origin_start[] = "journalfs/";
static const char witness_end[] = "/witness";
static const char *const marks[] = {
	[KEYS_CHECKPOINT_RUNNING] = "running",
	[KEYS_CHECKPOINT_READERS] = "readers",
	[KEYS_CHECKPOINT_STOP] = "stop",
};

#define MARKS (sizeof(marks) / sizeof(marks[0]))

_Static_assert(KEYS_CHECKPOINT_ORIGIN + sizeof(witness_end) <= KEYS_CHECKPOINT_NAME, "name");
_Static_assert(crypto_sign_SEEDBYTES == KEYS_LEN, "Ed25519 seed");

void keys_checkpoint_origin(const uint8_t vault[static KEYS_VAULT_ID_LEN],
			    char out[static KEYS_CHECKPOINT_ORIGIN])
{
	memcpy(out, origin_start, sizeof(origin_start));
	sodium_bin2hex(out + sizeof(origin_start) - 1,
		       KEYS_CHECKPOINT_ORIGIN - sizeof(origin_start) + 1, vault, KEYS_VAULT_ID_LEN);
}

static void signer_name(const uint8_t *vault, bool witness, char out[static KEYS_CHECKPOINT_NAME])
{
	keys_checkpoint_origin(vault, out);
	if (witness)
		memcpy(out + KEYS_CHECKPOINT_ORIGIN - 1, witness_end, sizeof(witness_end));
}

/* The body; its length, or 0: not a checkpoint. */
static size_t body_print(const struct keys_checkpoint *c, char *out, size_t cap)
{
	char origin[KEYS_CHECKPOINT_ORIGIN], root[HASH_TEXT], vault_root[HASH_TEXT];
	int n;

	if (c->mark < KEYS_CHECKPOINT_RUNNING || c->mark >= MARKS || c->size > INT64_MAX ||
	    keys_base64(c->root, KEYS_LEN, root, sizeof(root)) ||
	    keys_base64(c->vault_root, KEYS_LEN, vault_root, sizeof(vault_root)))
		return 0;
	keys_checkpoint_origin(c->vault, origin);
	n = snprintf(out, cap, "%s\n%" PRIu64 "\n%s\nvault %" PRIu64 " %s\ntime %" PRIu64 "\n%s\n",
		     origin, c->size, root, c->commit, vault_root, c->time_s, marks[c->mark]);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

size_t keys_checkpoint_make(const struct keys_checkpoint *c,
			    const uint8_t sk[static KEYS_SIGN_SK_LEN], const uint8_t *witness_sk,
			    char *out)
{
	char name[KEYS_CHECKPOINT_NAME];
	size_t body = body_print(c, out, BODY_MAX), len = body, n;

	out[body] = '\0';
	if (!body)
		return 0;
	out[len++] = '\n';
	for (unsigned witness = 0; witness < (witness_sk ? 2 : 1); witness++) {
		signer_name(c->vault, witness, name);
		n = keys_signed_note_sign(out, body, name, witness ? witness_sk : sk, out + len,
					  KEYS_CHECKPOINT_MAX - len);
		if (!n)
			return 0;
		len += n;
	}
	return len;
}

/* ---- reading ---- */

struct reader {
	const char *p;
	size_t len;
	bool bad;
};

static void take(struct reader *r, const char *text)
{
	size_t n = strlen(text);

	if (r->bad || n > r->len || memcmp(r->p, text, n) != 0) {
		r->bad = true;
		return;
	}
	r->p += n;
	r->len -= n;
}

/* What is not canonical shows when it is written again; an overflow too. */
static uint64_t take_number(struct reader *r)
{
	uint64_t v = 0;
	size_t n = 0;

	while (!r->bad && n < r->len && n < 20 && r->p[n] >= '0' && r->p[n] <= '9')
		v = v * 10 + (uint64_t)(r->p[n++] - '0');
	r->bad |= !n;
	r->p += n;
	r->len -= n;
	return v;
}

static void take_hash(struct reader *r, uint8_t out[static KEYS_LEN])
{
	size_t n = 0;

	if (r->bad || r->len < HASH_TEXT - 1 ||
	    keys_base64_parse(r->p, HASH_TEXT - 1, out, KEYS_LEN, &n) || n != KEYS_LEN) {
		r->bad = true;
		return;
	}
	r->p += HASH_TEXT - 1;
	r->len -= HASH_TEXT - 1;
}

static void take_vault(struct reader *r, uint8_t out[static KEYS_VAULT_ID_LEN])
{
	size_t n = 0, text = (size_t)2 * KEYS_VAULT_ID_LEN;

	if (r->bad || r->len < text ||
	    sodium_hex2bin(out, KEYS_VAULT_ID_LEN, r->p, text, NULL, &n, NULL) ||
	    n != KEYS_VAULT_ID_LEN) {
		r->bad = true;
		return;
	}
	r->p += text;
	r->len -= text;
}

static enum keys_checkpoint_mark take_mark(struct reader *r)
{
	for (unsigned i = KEYS_CHECKPOINT_RUNNING; i < MARKS; i++) {
		size_t n = strlen(marks[i]);

		if (!r->bad && r->len == n + 1 && memcmp(r->p, marks[i], n) == 0)
			return (enum keys_checkpoint_mark)i;
	}
	r->bad = true;
	return KEYS_CHECKPOINT_RUNNING;
}

int keys_checkpoint_read(const struct keys_signed_note *n, struct keys_checkpoint *out)
{
	struct reader r = {.p = n->text, .len = n->text_len};
	struct keys_checkpoint c = {.size = 0};
	char again[BODY_MAX];

	take(&r, origin_start);
	take_vault(&r, c.vault);
	take(&r, "\n");
	c.size = take_number(&r);
	take(&r, "\n");
	take_hash(&r, c.root);
	take(&r, "\nvault ");
	c.commit = take_number(&r);
	take(&r, " ");
	take_hash(&r, c.vault_root);
	take(&r, "\ntime ");
	c.time_s = take_number(&r);
	take(&r, "\n");
	c.mark = take_mark(&r);
	if (r.bad || body_print(&c, again, sizeof(again)) != n->text_len ||
	    memcmp(again, n->text, n->text_len) != 0)
		return -EBADMSG;
	*out = c;
	return 0;
}

int keys_checkpoint_verify(const struct keys_signed_note *n,
			   const uint8_t vault[static KEYS_VAULT_ID_LEN],
			   const uint8_t pk[static KEYS_LEN], bool witness)
{
	char name[KEYS_CHECKPOINT_NAME];

	signer_name(vault, witness, name);
	return keys_signed_note_verify(n, name, pk);
}

void keys_checkpoint_witness(const uint8_t daemon_sk[static KEYS_SIGN_SK_LEN],
			     uint8_t pk[static KEYS_LEN], uint8_t sk[static KEYS_SIGN_SK_LEN])
{
	uint8_t seed[KEYS_LEN];

	keys_label_derive(KEYS_LABEL_CHECKPOINT_KEY, daemon_sk, NULL, 0, seed, sizeof(seed));
	crypto_sign_seed_keypair(pk, sk, seed);
	keys_wipe(seed, sizeof(seed));
}
