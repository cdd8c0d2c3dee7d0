/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_policies.c - the policies beside a copied log, sealed for who can open the log.
 *
 * Implements fs/FORMAT.md, "A copied log". Damage is told from a checksum; what is not by whoever
 * held the log's keys does not open. Invariant: the policies' texts are never on disk in the clear.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../keys/bytes.h"
#include "../keys/seal.h"
#include "audit_policies.h"

#define MAGIC "JFSPOLCY"
#define MAGIC_LEN 8
#define VERSION 1
#define HEAD_LEN 48
#define ENTRY_LEN (KEYS_STREAM_ID_LEN + KEYS_AUDIT_WRAP_LEN)

void tools_audit_policies_init(struct audit_policies *p,
			       const uint8_t vault[static KEYS_VAULT_ID_LEN])
{
	memset(p, 0, sizeof(*p));
	memcpy(p->vault, vault, sizeof(p->vault));
	keys_random(p->key, sizeof(p->key));
}

void tools_audit_policies_clear(struct audit_policies *p)
{
	if (p->changes)
		keys_wipe(p->changes, p->changes_len);
	free(p->changes);
	free(p->wraps);
	keys_wipe(p, sizeof(*p));
}

/* Room for n more bytes behind what *at has. */
static uint8_t *grow(uint8_t **at, size_t *len, size_t *cap, size_t n)
{
	uint8_t *p;

	if (n > *cap - *len) {
		size_t more = *cap ? 2 * *cap : 65536;

		while (more - *len < n)
			more *= 2;
		p = malloc(more);
		if (!p)
			return NULL;
		if (*len) {
			memcpy(p, *at, *len);
			keys_wipe(*at, *len);
		}
		free(*at);
		*at = p;
		*cap = more;
	}
	p = *at + *len;
	*len += n;
	return p;
}

int tools_audit_policies_wrap(struct audit_policies *p,
			      const uint8_t stream[static KEYS_STREAM_ID_LEN],
			      const uint8_t wrap[static KEYS_AUDIT_WRAP_LEN])
{
	uint8_t *at = grow(&p->wraps, &p->wraps_len, &p->wraps_cap, ENTRY_LEN);

	if (!at)
		return -ENOMEM;
	memcpy(at, stream, KEYS_STREAM_ID_LEN);
	memcpy(at + KEYS_STREAM_ID_LEN, wrap, KEYS_AUDIT_WRAP_LEN);
	p->wrap_count++;
	return 0;
}

int tools_audit_policies_add(struct audit_policies *p, const uint8_t *frame, size_t len)
{
	uint8_t *at = grow(&p->changes, &p->changes_len, &p->changes_cap, 4 + len);
	struct bytes_in in = bytes_in(frame, len);
	struct bytes_out b;

	if (!at)
		return -ENOMEM;
	b = bytes_out(at, 4 + len);
	bytes_put_u32(&b, (uint32_t)len);
	bytes_put(&b, frame, len);
	p->newest = bytes_get_u32(&in);
	return 0;
}

static void checksum(const uint8_t *p, size_t len, uint8_t out[static KEYS_LEN])
{
	const struct keys_span part = {p, len};

	keys_sha256(&part, 1, out);
}

int tools_audit_policies_seal(const struct audit_policies *p, uint8_t **out, size_t *len)
{
	size_t sealed = p->changes_len + KEYS_SEAL_OVERHEAD;
	size_t total = HEAD_LEN + p->wraps_len + sealed + KEYS_LEN;
	uint8_t *file = malloc(total);
	uint8_t *body, *sum;
	struct bytes_out b;

	if (!file)
		return -ENOMEM;
	b = bytes_out(file, total);
	bytes_put(&b, MAGIC, MAGIC_LEN);
	bytes_put_u16(&b, VERSION);
	bytes_put_zero(&b, 2);
	bytes_put_u32(&b, p->newest);
	bytes_put(&b, p->vault, sizeof(p->vault));
	bytes_put_u32(&b, p->wrap_count);
	bytes_put_zero(&b, 4);
	bytes_put_u64(&b, sealed);
	bytes_put(&b, p->wraps, p->wraps_len);
	body = bytes_room(&b, sealed);
	sum = bytes_room(&b, KEYS_LEN);
	keys_seal(p->key, (struct keys_span){file, HEAD_LEN},
		  (struct keys_span){p->changes, p->changes_len}, body);
	checksum(file, total - KEYS_LEN, sum);
	*out = file;
	*len = total;
	return 0;
}

struct head {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint32_t wraps;
	size_t sealed;
};

static int head_get(const uint8_t *p, size_t len, struct head *h)
{
	struct bytes_in in = bytes_in(p, len);
	const uint8_t *magic = bytes_take(&in, MAGIC_LEN);
	uint16_t version = bytes_get_u16(&in);
	uint8_t sum[KEYS_LEN];
	uint64_t sealed;

	if (!magic || memcmp(magic, MAGIC, MAGIC_LEN))
		return -EMEDIUMTYPE;
	if (!in.bad && version > VERSION)
		return -EPROTONOSUPPORT;
	bytes_get_zero(&in, 2);
	(void)bytes_get_u32(&in);
	bytes_get(&in, h->vault, sizeof(h->vault));
	h->wraps = bytes_get_u32(&in);
	bytes_get_zero(&in, 4);
	sealed = bytes_get_u64(&in);
	if (in.bad || version != VERSION || len < HEAD_LEN + KEYS_LEN + KEYS_SEAL_OVERHEAD ||
	    sealed < KEYS_SEAL_OVERHEAD || sealed > len - HEAD_LEN - KEYS_LEN ||
	    (uint64_t)h->wraps * ENTRY_LEN != len - sealed - HEAD_LEN - KEYS_LEN)
		return -EBADMSG;
	checksum(p, len - KEYS_LEN, sum);
	h->sealed = sealed;
	return memcmp(sum, p + len - KEYS_LEN, KEYS_LEN) ? -EBADMSG : 0;
}

static int find_key(const uint8_t *p, const struct head *h, const struct keys_audit_key *k,
		    uint8_t key[static KEYS_LEN])
{
	uint8_t k0[KEYS_LEN];
	int rc = -EACCES;

	/* The newest first: a key file is mostly of the last streams. */
	for (uint32_t i = h->wraps; i > 0 && rc == -EACCES; i--) {
		const uint8_t *entry = p + HEAD_LEN + (size_t)(i - 1) * ENTRY_LEN;

		if (keys_audit_key_find(k, entry, k0))
			continue;
		rc = keys_audit_unwrap(k0, h->vault, entry, entry + KEYS_STREAM_ID_LEN, key);
	}
	keys_wipe(k0, sizeof(k0));
	return rc;
}

static int give(const uint8_t *p, size_t len,
		int (*fn)(void *ctx, const struct policy_past_change *c), void *ctx)
{
	struct bytes_in in = bytes_in(p, len);
	int rc = 0;

	while (!rc && in.off < in.len) {
		struct policy_past_change c;
		size_t n = bytes_get_u32(&in);
		const uint8_t *frame = bytes_take(&in, n);
		char *store = NULL;

		rc = frame ? fs_audit_change_decode(frame, n, &c, &store) : -EBADMSG;
		if (!rc)
			rc = fn(ctx, &c);
		free(store);
	}
	return rc;
}

int tools_audit_policies_open(const uint8_t *p, size_t len, const struct keys_audit_key *k,
			      int (*fn)(void *ctx, const struct policy_past_change *c), void *ctx)
{
	uint8_t key[KEYS_LEN], *plain;
	struct head h;
	int rc = head_get(p, len, &h);

	if (!rc && memcmp(h.vault, k->vault, sizeof(h.vault)))
		rc = -EXDEV;
	if (!rc)
		rc = find_key(p, &h, k, key);
	if (rc) {
		keys_wipe(key, sizeof(key));
		return rc;
	}
	plain = malloc(h.sealed);
	rc = plain ? keys_unseal(key, (struct keys_span){p, HEAD_LEN},
				 (struct keys_span){p + len - KEYS_LEN - h.sealed, h.sealed}, plain)
		   : -ENOMEM;
	keys_wipe(key, sizeof(key));
	if (!rc)
		rc = give(plain, h.sealed - KEYS_SEAL_OVERHEAD, fn, ctx);
	if (plain)
		keys_wipe(plain, h.sealed);
	free(plain);
	return rc;
}
