/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/audit_key.c - an auditor's key file as bytes, and the wraps of a copied log's policies.
 *
 * Implements keys/FORMAT.md, "Audit key files" and "Copied policies".
 *
 * Invariants: 1. damage by accident is told without the passphrase, by a checksum that proves
 * nothing; 2. nothing of the sealed part is looked at before it authenticates together with the
 * clear head; 3. k(0)s lie in guarded memory only.
 */
#include "audit_key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "slab.h"

#define MAGIC "JFSAUDIT"
#define MAGIC_LEN 8
#define VERSION 1
#define HEAD_LEN 64
#define STREAM_LEN (KEYS_STREAM_ID_LEN + 8 + 8 + KEYS_LEN)
#define FIXED_MAX (KEYS_LEN + 3 * 8 + 2 * (2 + KEYS_AUDIT_NAME) + 8)

_Static_assert(HEAD_LEN == MAGIC_LEN + 2 + 2 + 4 + 4 + 4 + KEYS_SALT_LEN + KEYS_VAULT_ID_LEN + 8,
	       "head length");

static void head_put(struct bytes_out *b, const struct keys_audit_head *h, size_t sealed)
{
	bytes_put(b, MAGIC, MAGIC_LEN);
	bytes_put_u16(b, VERSION);
	bytes_put_zero(b, 2);
	bytes_put_u32(b, h->cost.passes);
	bytes_put_u32(b, h->cost.memory_kib);
	bytes_put_zero(b, 4);
	bytes_put(b, h->salt, sizeof(h->salt));
	bytes_put(b, h->vault, sizeof(h->vault));
	bytes_put_u64(b, sealed);
}

static void sealing_key(const uint8_t *stretched, const uint8_t *head, uint8_t out[static KEYS_LEN])
{
	const struct keys_span part = {head, HEAD_LEN};

	keys_label_derive(KEYS_LABEL_AUDIT_KEY, stretched, &part, 1, out, KEYS_LEN);
}

static void body_put(struct bytes_out *b, const struct keys_audit_key *k)
{
	bytes_put(b, k->root_pk, sizeof(k->root_pk));
	bytes_put_u64(b, k->made_s);
	bytes_put_u64(b, (uint64_t)k->since_s);
	bytes_put_u64(b, (uint64_t)k->until_s);
	bytes_put_text(b, k->who);
	bytes_put_text(b, k->practice);
	bytes_put_u32(b, k->daemons);
	for (uint32_t i = 0; i < k->daemons; i++)
		bytes_put(b, k->daemon[i], KEYS_LEN);
	bytes_put_u32(b, k->streams);
	for (uint32_t i = 0; i < k->streams; i++) {
		const struct keys_audit_stream *s = &k->stream[i];

		bytes_put(b, s->stream, sizeof(s->stream));
		bytes_put_u64(b, s->first_seq);
		bytes_put_u64(b, s->time_s);
		bytes_put(b, s->k0, sizeof(s->k0));
	}
}

static void checksum(const uint8_t *p, size_t len, uint8_t out[static KEYS_LEN])
{
	const struct keys_span part = {p, len};

	keys_sha256(&part, 1, out);
}

int keys_audit_key_seal(const struct keys_audit_key *k, const uint8_t stretched[static KEYS_LEN],
			const uint8_t salt[static KEYS_SALT_LEN],
			const struct keys_stretch_cost *cost, uint8_t **out, size_t *len)
{
	size_t cap = FIXED_MAX + (size_t)k->daemons * KEYS_LEN + (size_t)k->streams * STREAM_LEN;
	struct keys_audit_head h = {.cost = *cost};
	uint8_t key[KEYS_LEN], *plain, *file;
	struct bytes_out body, b;
	size_t sealed;

	if (k->daemons > KEYS_AUDIT_DAEMONS_MAX || k->streams > KEYS_AUDIT_STREAMS_MAX)
		return -EINVAL;
	memcpy(h.vault, k->vault, sizeof(h.vault));
	memcpy(h.salt, salt, sizeof(h.salt));
	plain = keys_guard_new(cap);
	file = malloc(HEAD_LEN + cap + KEYS_SEAL_OVERHEAD + KEYS_LEN);
	if (!plain || !file) {
		keys_guard_free(plain);
		free(file);
		return -ENOMEM;
	}
	body = bytes_out(plain, cap);
	body_put(&body, k);
	sealed = body.len + KEYS_SEAL_OVERHEAD;
	b = bytes_out(file, HEAD_LEN);
	head_put(&b, &h, sealed);
	sealing_key(stretched, file, key);
	keys_seal(key, (struct keys_span){file, HEAD_LEN}, (struct keys_span){plain, body.len},
		  file + HEAD_LEN);
	checksum(file, HEAD_LEN + sealed, file + HEAD_LEN + sealed);
	keys_wipe(key, sizeof(key));
	keys_guard_free(plain);
	*out = file;
	*len = HEAD_LEN + sealed + KEYS_LEN;
	return 0;
}

int keys_audit_key_look(const uint8_t *p, size_t len, struct keys_audit_head *out)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_audit_head h;
	uint8_t sum[KEYS_LEN];
	const uint8_t *magic = bytes_take(&in, MAGIC_LEN);
	uint16_t version = bytes_get_u16(&in);
	uint64_t sealed;

	if (!magic || memcmp(magic, MAGIC, MAGIC_LEN))
		return -EMEDIUMTYPE;
	if (in.bad)
		return -EBADMSG;
	if (version > VERSION)
		return -EPROTONOSUPPORT;
	bytes_get_zero(&in, 2);
	h.cost.passes = bytes_get_u32(&in);
	h.cost.memory_kib = bytes_get_u32(&in);
	bytes_get_zero(&in, 4);
	bytes_get(&in, h.salt, sizeof(h.salt));
	bytes_get(&in, h.vault, sizeof(h.vault));
	sealed = bytes_get_u64(&in);
	if (in.bad || version != VERSION || len > KEYS_AUDIT_KEY_MAX ||
	    sealed < KEYS_SEAL_OVERHEAD || len < HEAD_LEN + KEYS_LEN ||
	    sealed != len - HEAD_LEN - KEYS_LEN || keys_stretch_check(&h.cost))
		return -EBADMSG;
	checksum(p, len - KEYS_LEN, sum);
	if (memcmp(sum, p + len - KEYS_LEN, KEYS_LEN))
		return -EBADMSG;
	*out = h;
	return 0;
}

static int body_streams(struct bytes_in *in, struct keys_audit_key *k)
{
	uint32_t n = bytes_get_u32(in);

	if (in->bad || n > KEYS_AUDIT_STREAMS_MAX || (size_t)n * STREAM_LEN != in->len - in->off)
		return -EBADMSG;
	k->stream = n ? keys_guard_new(n * sizeof(*k->stream)) : NULL;
	if (n && !k->stream)
		return -ENOMEM;
	k->streams = n;
	for (uint32_t i = 0; i < n; i++) {
		struct keys_audit_stream *s = &k->stream[i];

		bytes_get(in, s->stream, sizeof(s->stream));
		s->first_seq = bytes_get_u64(in);
		s->time_s = bytes_get_u64(in);
		bytes_get(in, s->k0, sizeof(s->k0));
	}
	return bytes_in_done(in) ? 0 : -EBADMSG;
}

static int body_get(struct bytes_in *in, struct keys_audit_key *k)
{
	uint32_t n;

	bytes_get(in, k->root_pk, sizeof(k->root_pk));
	k->made_s = bytes_get_u64(in);
	k->since_s = (int64_t)bytes_get_u64(in);
	k->until_s = (int64_t)bytes_get_u64(in);
	bytes_get_text(in, k->who, sizeof(k->who));
	bytes_get_text(in, k->practice, sizeof(k->practice));
	n = bytes_get_u32(in);
	if (in->bad || n > KEYS_AUDIT_DAEMONS_MAX || (size_t)n * KEYS_LEN > in->len - in->off)
		return -EBADMSG;
	k->daemon = n ? calloc(n, KEYS_LEN) : NULL;
	if (n && !k->daemon)
		return -ENOMEM;
	k->daemons = n;
	for (uint32_t i = 0; i < n; i++)
		bytes_get(in, k->daemon[i], KEYS_LEN);
	return body_streams(in, k);
}

int keys_audit_key_open(const uint8_t *p, size_t len, const uint8_t stretched[static KEYS_LEN],
			struct keys_audit_key *out)
{
	struct keys_audit_key k = {.made_s = 0};
	struct keys_audit_head h;
	uint8_t key[KEYS_LEN], *plain;
	struct bytes_in in;
	size_t sealed;
	int rc = keys_audit_key_look(p, len, &h);

	if (rc)
		return rc;
	sealed = len - HEAD_LEN - KEYS_LEN;
	plain = keys_guard_new(sealed - KEYS_SEAL_OVERHEAD + 1);
	if (!plain)
		return -ENOMEM;
	sealing_key(stretched, p, key);
	rc = keys_unseal(key, (struct keys_span){p, HEAD_LEN},
			 (struct keys_span){p + HEAD_LEN, sealed}, plain);
	keys_wipe(key, sizeof(key));
	if (rc) {
		rc = -EKEYREJECTED;
	} else {
		memcpy(k.vault, h.vault, sizeof(k.vault));
		in = bytes_in(plain, sealed - KEYS_SEAL_OVERHEAD);
		rc = body_get(&in, &k);
	}
	keys_guard_free(plain);
	if (rc)
		keys_audit_key_clear(&k);
	else
		*out = k;
	return rc;
}

void keys_audit_key_clear(struct keys_audit_key *k)
{
	keys_guard_free(k->stream);
	free(k->daemon);
	keys_wipe(k, sizeof(*k));
}

int keys_audit_key_find(const struct keys_audit_key *k,
			const uint8_t stream[static KEYS_STREAM_ID_LEN],
			uint8_t k0[static KEYS_LEN])
{
	for (uint32_t i = 0; i < k->streams; i++) {
		if (memcmp(k->stream[i].stream, stream, KEYS_STREAM_ID_LEN))
			continue;
		memcpy(k0, k->stream[i].k0, KEYS_LEN);
		return 0;
	}
	return -ENOENT;
}

/* ---- a copied log's policies ---- */

#define PLACE_LEN (KEYS_VAULT_ID_LEN + KEYS_STREAM_ID_LEN)

static void wrap_key(const uint8_t *k0, const uint8_t *vault, const uint8_t *stream,
		     uint8_t place[static PLACE_LEN], uint8_t out[static KEYS_LEN])
{
	const struct keys_span part = {place, PLACE_LEN};

	memcpy(place, vault, KEYS_VAULT_ID_LEN);
	memcpy(place + KEYS_VAULT_ID_LEN, stream, KEYS_STREAM_ID_LEN);
	keys_label_derive(KEYS_LABEL_LOG_COPY, k0, &part, 1, out, KEYS_LEN);
}

void keys_audit_wrap(const uint8_t k0[static KEYS_LEN],
		     const uint8_t vault[static KEYS_VAULT_ID_LEN],
		     const uint8_t stream[static KEYS_STREAM_ID_LEN],
		     const uint8_t key[static KEYS_LEN], uint8_t out[static KEYS_AUDIT_WRAP_LEN])
{
	uint8_t place[PLACE_LEN], under[KEYS_LEN];

	wrap_key(k0, vault, stream, place, under);
	keys_seal(under, (struct keys_span){place, sizeof(place)},
		  (struct keys_span){key, KEYS_LEN}, out);
	keys_wipe(under, sizeof(under));
}

int keys_audit_unwrap(const uint8_t k0[static KEYS_LEN],
		      const uint8_t vault[static KEYS_VAULT_ID_LEN],
		      const uint8_t stream[static KEYS_STREAM_ID_LEN],
		      const uint8_t wrap[static KEYS_AUDIT_WRAP_LEN], uint8_t key[static KEYS_LEN])
{
	uint8_t place[PLACE_LEN], under[KEYS_LEN];
	int rc;

	wrap_key(k0, vault, stream, place, under);
	rc = keys_unseal(under, (struct keys_span){place, sizeof(place)},
			 (struct keys_span){wrap, KEYS_AUDIT_WRAP_LEN}, key);
	keys_wipe(under, sizeof(under));
	return rc;
}
