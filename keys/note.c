/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/note.c - statements about final notes as bytes, signed and chained.
 *
 * Implements keys/FORMAT.md, "Note statement".
 *
 * Invariants: 1. the bytes that are signed are the bytes that are stored, all but the
 * signature; 2. encode makes nothing that decode refuses, and the other way round: two
 * different byte strings never are the same statement.
 */
#include "note.h"

#include <errno.h>

#include "bytes.h"

#define FORMAT 1
#define BODY_MAX (KEYS_NOTE_MAX - KEYS_SIG_LEN)

static bool zeros(const uint8_t *p, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= p[i];
	return !any;
}

/* Who says it: the vault itself locks only, everybody else has a number, an enrolment, a name. */
static bool signer_sound(const struct keys_note *n)
{
	if (n->pid == 0)
		return n->enrolment == 0 && n->kind == KEYS_NOTE_LOCKED && !n->who[0] &&
		       !n->role[0];
	return n->enrolment != 0 && n->who[0];
}

static bool about_sound(const struct keys_note *n)
{
	bool first = n->kind == KEYS_NOTE_LOCKED || n->kind == KEYS_NOTE_FINAL;

	if (first ? n->of != 0 : n->of == 0 || n->of >= n->number || n->amends != 0)
		return false;
	return n->amends < n->number;
}

static bool sound(const struct keys_note *n)
{
	return n->kind >= KEYS_NOTE_LOCKED && n->kind <= KEYS_NOTE_ERROR && n->journal && n->ino &&
	       n->number && n->author && n->author_name[0] && n->path[0] && n->path[0] != '/' &&
	       (n->number > 1 || zeros(n->before, sizeof(n->before))) && signer_sound(n) &&
	       about_sound(n) && (n->kind != KEYS_NOTE_LOCKED || zeros(n->sig, sizeof(n->sig)));
}

/* All that is signed. */
static void note_put(struct bytes_out *b, const struct keys_note *n)
{
	bytes_put_u8(b, FORMAT);
	bytes_put_u8(b, n->kind);
	bytes_put_zero(b, 2);
	bytes_put_u32(b, n->journal);
	bytes_put(b, n->vault, sizeof(n->vault));
	bytes_put_u64(b, n->ino);
	bytes_put_u32(b, n->number);
	bytes_put_u32(b, n->of);
	bytes_put(b, n->before, sizeof(n->before));
	bytes_put(b, n->sha256, sizeof(n->sha256));
	bytes_put_u64(b, n->size);
	bytes_put_u64(b, n->time_s);
	bytes_put_u32(b, n->amends);
	bytes_put_u32(b, n->author);
	bytes_put_u32(b, n->pid);
	bytes_put_u32(b, n->enrolment);
	bytes_put_u32(b, n->policy_version);
	bytes_put_zero(b, 4);
	bytes_put_u64(b, n->log_seq);
	bytes_put_u64(b, n->commit);
	bytes_put(b, n->root, sizeof(n->root));
	bytes_put_text(b, n->path);
	bytes_put_text(b, n->author_name);
	bytes_put_text(b, n->who);
	bytes_put_text(b, n->role);
	bytes_put_text(b, n->reason);
}

static struct keys_span body(const struct keys_note *n, uint8_t buf[static BODY_MAX])
{
	struct bytes_out b = bytes_out(buf, BODY_MAX);

	note_put(&b, n);
	return (struct keys_span){buf, b.len};
}

void keys_note_sign(struct keys_note *n, const uint8_t sk[static KEYS_SIGN_SK_LEN])
{
	uint8_t buf[BODY_MAX];
	struct keys_span part = body(n, buf);

	if (n->kind == KEYS_NOTE_LOCKED)
		memset(n->sig, 0, sizeof(n->sig));
	else
		keys_label_sign(KEYS_LABEL_NOTE, sk, &part, 1, n->sig);
}

int keys_note_verify(const struct keys_note *n, const uint8_t pk[static KEYS_LEN])
{
	uint8_t buf[BODY_MAX];
	struct keys_span part = body(n, buf);

	if (n->kind == KEYS_NOTE_LOCKED)
		return -EBADMSG;
	return keys_label_verify(KEYS_LABEL_NOTE, pk, &part, 1, n->sig);
}

void keys_note_hash(const struct keys_note *n, uint8_t out[static KEYS_LEN])
{
	uint8_t buf[BODY_MAX];
	struct keys_span parts[2] = {body(n, buf), {n->sig, sizeof(n->sig)}};

	keys_label_hash(KEYS_LABEL_NOTE_HASH, parts, 2, out, KEYS_LEN);
}

int keys_note_encode(const struct keys_note *n, uint8_t *out, size_t cap, size_t *len)
{
	struct bytes_out b = bytes_out(out, cap);

	if (!sound(n))
		return -EINVAL;
	note_put(&b, n);
	bytes_put(&b, n->sig, sizeof(n->sig));
	if (b.bad)
		return -ENOSPC;
	*len = b.len;
	return 0;
}

static void note_get(struct bytes_in *in, struct keys_note *n)
{
	n->kind = bytes_get_u8(in);
	bytes_get_zero(in, 2);
	n->journal = bytes_get_u32(in);
	bytes_get(in, n->vault, sizeof(n->vault));
	n->ino = bytes_get_u64(in);
	n->number = bytes_get_u32(in);
	n->of = bytes_get_u32(in);
	bytes_get(in, n->before, sizeof(n->before));
	bytes_get(in, n->sha256, sizeof(n->sha256));
	n->size = bytes_get_u64(in);
	n->time_s = bytes_get_u64(in);
	n->amends = bytes_get_u32(in);
	n->author = bytes_get_u32(in);
	n->pid = bytes_get_u32(in);
	n->enrolment = bytes_get_u32(in);
	n->policy_version = bytes_get_u32(in);
	bytes_get_zero(in, 4);
	n->log_seq = bytes_get_u64(in);
	n->commit = bytes_get_u64(in);
	bytes_get(in, n->root, sizeof(n->root));
	bytes_get_text(in, n->path, sizeof(n->path));
	bytes_get_text(in, n->author_name, sizeof(n->author_name));
	bytes_get_text(in, n->who, sizeof(n->who));
	bytes_get_text(in, n->role, sizeof(n->role));
	bytes_get_text(in, n->reason, sizeof(n->reason));
	bytes_get(in, n->sig, sizeof(n->sig));
}

int keys_note_decode(const uint8_t *p, size_t len, struct keys_note *n)
{
	struct bytes_in in = bytes_in(p, len);
	struct keys_note got = {0};
	uint8_t format = bytes_get_u8(&in);

	note_get(&in, &got);
	if (!bytes_in_done(&in) || format != FORMAT || !sound(&got))
		return -EBADMSG;
	*n = got;
	return 0;
}
