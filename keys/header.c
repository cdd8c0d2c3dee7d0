/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/header.c - encodes, signs and checks VAULT/header.
 *
 * Implements keys/FORMAT.md, "Header". The first 192 bytes, reserved zeros
 * included, are signed; magic, version and suite stay at their offsets in every
 * later version, so that an old program can say what it met.
 */
#include "header.h"

#include <errno.h>

#include "bytes.h"

#define SIGNED_LEN (KEYS_HEADER_LEN - KEYS_SIG_LEN)
#define PREFIX_LEN 11 /* magic, version, suite */
#define RESERVED_LEN 120

static const uint8_t magic[8] = {'j', 'r', 'n', 'l', 'f', 's', '\r', '\n'};

void keys_header_encode(const struct keys_header *h, const uint8_t root_sk[static KEYS_SIGN_SK_LEN],
			uint8_t out[static KEYS_HEADER_LEN])
{
	const struct keys_span body = {out, SIGNED_LEN};
	struct bytes_out b = bytes_out(out, SIGNED_LEN);

	bytes_put(&b, magic, sizeof(magic));
	bytes_put_u16(&b, h->version);
	bytes_put_u8(&b, h->suite);
	bytes_put_zero(&b, 5);
	bytes_put(&b, h->vault, sizeof(h->vault));
	bytes_put_u64(&b, h->made_s);
	bytes_put(&b, h->root_pk, sizeof(h->root_pk));
	bytes_put_zero(&b, RESERVED_LEN);
	keys_label_sign(KEYS_LABEL_HEADER, root_sk, &body, 1, out + SIGNED_LEN);
}

int keys_header_decode(const uint8_t *p, size_t len, struct keys_header *h)
{
	struct bytes_in in = bytes_in(p, len);
	const struct keys_span body = {p, SIGNED_LEN};
	struct keys_header got;
	const uint8_t *sig;

	if (len < PREFIX_LEN || memcmp(bytes_take(&in, sizeof(magic)), magic, sizeof(magic)) != 0)
		return -EMEDIUMTYPE;
	got.version = bytes_get_u16(&in);
	got.suite = bytes_get_u8(&in);
	if (got.version && (got.version != KEYS_HEADER_VERSION || got.suite != KEYS_SUITE_XCHACHA)) {
		h->version = got.version;
		h->suite = got.suite;
		return -EPROTONOSUPPORT;
	}
	bytes_get_zero(&in, 5);
	bytes_get(&in, got.vault, sizeof(got.vault));
	got.made_s = bytes_get_u64(&in);
	bytes_get(&in, got.root_pk, sizeof(got.root_pk));
	bytes_get_zero(&in, RESERVED_LEN);
	sig = bytes_take(&in, KEYS_SIG_LEN);
	if (got.version == 0 || !bytes_in_done(&in))
		return -EBADMSG;
	if (keys_label_verify(KEYS_LABEL_HEADER, got.root_pk, &body, 1, sig))
		return -EBADMSG;
	*h = got;
	return 0;
}

void keys_header_root_hash(const uint8_t p[static KEYS_HEADER_LEN], uint8_t out[static KEYS_LEN])
{
	const struct keys_span part = {p, KEYS_HEADER_LEN};

	keys_label_hash(KEYS_LABEL_ROOT_HASH, &part, 1, out, KEYS_LEN);
}
