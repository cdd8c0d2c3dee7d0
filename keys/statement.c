/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/statement.c - signed, chained statements and the key list as bytes.
 *
 * Implements keys/FORMAT.md, "Statement" and "Key list". The signature covers
 * preamble and body; the chain hash covers the signature too, so that a chain
 * names exactly the statements that were stored. Decoding checks syntax only:
 * number and prev against the chain are the caller's to judge.
 */
#include "statement.h"

#include <errno.h>
#include <stdbool.h>
#include <sodium.h>

#include "bytes.h"

#define FORMAT 1
#define PREAMBLE_LEN 72
#define ENTRY_LEN 37

_Static_assert(PREAMBLE_LEN + 4 + KEYS_SIG_LEN <= KEYS_STATEMENT_OVERHEAD, "statement overhead");

static void preamble_put(struct bytes_out *b, const struct keys_statement *st)
{
	bytes_put_u8(b, FORMAT);
	bytes_put_u8(b, st->kind);
	bytes_put_zero(b, 2);
	bytes_put_u32(b, st->number);
	bytes_put_u32(b, st->signer);
	bytes_put_u32(b, st->enrolment);
	bytes_put_u64(b, st->time_s);
	bytes_put(b, st->vault, sizeof(st->vault));
	bytes_put(b, st->prev, sizeof(st->prev));
}

void keys_statement_sign(struct keys_statement *st, const uint8_t sk[static KEYS_SIGN_SK_LEN])
{
	uint8_t preamble[PREAMBLE_LEN];
	const struct keys_span parts[] = {{preamble, sizeof(preamble)}, st->body};
	struct bytes_out b = bytes_out(preamble, sizeof(preamble));

	preamble_put(&b, st);
	keys_label_sign(KEYS_LABEL_STATEMENT, sk, parts, 2, st->sig);
}

int keys_statement_verify(const struct keys_statement *st, const uint8_t pk[static KEYS_LEN])
{
	uint8_t preamble[PREAMBLE_LEN];
	const struct keys_span parts[] = {{preamble, sizeof(preamble)}, st->body};
	struct bytes_out b = bytes_out(preamble, sizeof(preamble));

	preamble_put(&b, st);
	return keys_label_verify(KEYS_LABEL_STATEMENT, pk, parts, 2, st->sig);
}

void keys_statement_hash(const struct keys_statement *st, uint8_t out[static KEYS_LEN])
{
	uint8_t preamble[PREAMBLE_LEN];
	const struct keys_span parts[] = {
		{preamble, sizeof(preamble)},
		st->body,
		{st->sig, sizeof(st->sig)},
	};
	struct bytes_out b = bytes_out(preamble, sizeof(preamble));

	preamble_put(&b, st);
	keys_label_hash(KEYS_LABEL_STATEMENT_HASH, parts, 3, out, KEYS_LEN);
}

int keys_statement_encode(const struct keys_statement *st, uint8_t *out, size_t cap, size_t *len)
{
	struct bytes_out b = bytes_out(out, cap);

	if (st->body.len > UINT32_MAX)
		return -ENOSPC;
	preamble_put(&b, st);
	bytes_put_u32(&b, (uint32_t)st->body.len);
	bytes_put(&b, st->body.p, st->body.len);
	bytes_put(&b, st->sig, sizeof(st->sig));
	if (b.bad)
		return -ENOSPC;
	*len = b.len;
	return 0;
}

static bool statement_sane(const struct keys_statement *st)
{
	if (st->kind < KEYS_STATEMENT_POLICY || st->kind > KEYS_STATEMENT_PROPOSAL)
		return false;
	if (st->number == 0 || (st->signer == 0 && st->enrolment != 0))
		return false;
	return st->number > 1 || sodium_is_zero(st->prev, sizeof(st->prev));
}

int keys_statement_decode(const uint8_t *p, size_t len, struct keys_statement *st)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_statement got;
	uint8_t format;

	format = bytes_get_u8(&in);
	got.kind = bytes_get_u8(&in);
	bytes_get_zero(&in, 2);
	got.number = bytes_get_u32(&in);
	got.signer = bytes_get_u32(&in);
	got.enrolment = bytes_get_u32(&in);
	got.time_s = bytes_get_u64(&in);
	bytes_get(&in, got.vault, sizeof(got.vault));
	bytes_get(&in, got.prev, sizeof(got.prev));
	got.body.len = bytes_get_u32(&in);
	got.body.p = bytes_take(&in, got.body.len);
	bytes_get(&in, got.sig, sizeof(got.sig));
	if (!bytes_in_done(&in) || format != FORMAT || !statement_sane(&got))
		return -EBADMSG;
	*st = got;
	return 0;
}

/* Recovery and break-glass keys are the vault's own; the others are a practitioner's. */
static bool entry_sane(const struct keys_list_entry *e)
{
	switch (e->kind) {
	case KEYS_LIST_RECOVERY:
	case KEYS_LIST_BREAK_GLASS:
		return e->pid == 0;
	case KEYS_LIST_AUDITOR:
	case KEYS_LIST_REVIEWER:
		return e->pid != 0;
	}
	return false;
}

int keys_list_encode(const struct keys_list_entry *e, size_t n, uint8_t *out, size_t cap,
		     size_t *len)
{
	struct bytes_out b = bytes_out(out, cap);

	if (n > KEYS_LIST_MAX)
		return -EINVAL;
	bytes_put_u8(&b, FORMAT);
	bytes_put_u16(&b, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		if (!entry_sane(&e[i]))
			return -EINVAL;
		bytes_put_u8(&b, e[i].kind);
		bytes_put_u32(&b, e[i].pid);
		bytes_put(&b, e[i].box_pk, sizeof(e[i].box_pk));
	}
	if (b.bad)
		return -ENOSPC;
	*len = b.len;
	return 0;
}

int keys_list_decode(const uint8_t *p, size_t len, struct keys_list_entry *e, size_t cap, size_t *n)
{
	struct bytes_in in = bytes_in(p, len);
	uint8_t format = bytes_get_u8(&in);
	size_t count = bytes_get_u16(&in);

	if (in.bad || format != FORMAT || count > KEYS_LIST_MAX ||
	    len - in.off != count * ENTRY_LEN)
		return -EBADMSG;
	if (count > cap)
		return -ENOSPC;
	for (size_t i = 0; i < count; i++) {
		struct keys_list_entry got;

		got.kind = bytes_get_u8(&in);
		got.pid = bytes_get_u32(&in);
		bytes_get(&in, got.box_pk, sizeof(got.box_pk));
		if (!entry_sane(&got))
			return -EBADMSG;
		e[i] = got;
	}
	*n = count;
	return 0;
}
