/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notice_record.c - the stored form of a notice: fs/FORMAT.md, "Notices".
 *
 * Owns encoding and seal. Invariants: (1) a notice opens only in the vault, under the
 * host secret and at the number that it was sealed for; (2) what was added to the
 * end by nobody who knows the key is refused: a notice decodes whole or not at all.
 * Locks: none; the host secret never changes while the vault is open.
 */
#include "../keys/seal.h"
#include "vault_impl.h"

#define VERSION 1

struct fs_key fs_notice_key(uint32_t number)
{
	return fs_key_n(0, 0, FS_T_NOTICE, number, 4);
}

static void encode(const struct fs_notice *n, struct bytes_out *out)
{
	bytes_put_u8(out, VERSION);
	bytes_put_u32(out, n->grant);
	bytes_put_u32(out, n->uid);
	bytes_put_u32(out, n->journal);
	bytes_put_u8(out, n->ground);
	bytes_put_u8(out, n->flags);
	bytes_put_u64(out, (uint64_t)n->from_s);
	bytes_put_u64(out, (uint64_t)n->until_s);
	bytes_put_u64(out, (uint64_t)n->ended_s);
	bytes_put_u64(out, (uint64_t)n->review_s);
	bytes_put_u64(out, (uint64_t)n->queued_s);
	bytes_put_u32(out, n->tries);
	bytes_put_text(out, n->event);
	bytes_put_text(out, n->who);
	bytes_put_text(out, n->role);
	bytes_put_text(out, n->unit);
	bytes_put_text(out, n->origin);
	bytes_put_text(out, n->journal_name);
	bytes_put_text(out, n->reason);
	bytes_put_text(out, n->error);
}

int fs_notice_decode(const uint8_t *p, size_t len, struct fs_notice *n)
{
	struct bytes_in in = bytes_in(p, len);

	if (bytes_get_u8(&in) != VERSION)
		in.bad = true;
	n->grant = bytes_get_u32(&in);
	n->uid = bytes_get_u32(&in);
	n->journal = bytes_get_u32(&in);
	n->ground = bytes_get_u8(&in);
	n->flags = bytes_get_u8(&in);
	n->from_s = (int64_t)bytes_get_u64(&in);
	n->until_s = (int64_t)bytes_get_u64(&in);
	n->ended_s = (int64_t)bytes_get_u64(&in);
	n->review_s = (int64_t)bytes_get_u64(&in);
	n->queued_s = (int64_t)bytes_get_u64(&in);
	n->tries = bytes_get_u32(&in);
	bytes_get_text(&in, n->event, sizeof(n->event));
	bytes_get_text(&in, n->who, sizeof(n->who));
	bytes_get_text(&in, n->role, sizeof(n->role));
	bytes_get_text(&in, n->unit, sizeof(n->unit));
	bytes_get_text(&in, n->origin, sizeof(n->origin));
	bytes_get_text(&in, n->journal_name, sizeof(n->journal_name));
	bytes_get_text(&in, n->reason, sizeof(n->reason));
	bytes_get_text(&in, n->error, sizeof(n->error));
	if (!n->grant || !n->event[0] || !n->ground || n->ground >= FS_GLASS_GROUNDS)
		in.bad = true;
	return bytes_in_done(&in) ? 0 : -EBADMSG;
}

/* What binds it to its place. */
static size_t place(const struct fs_vault *v, uint32_t number, uint8_t ad[static 64])
{
	struct bytes_out out = bytes_out(ad, 64);

	bytes_put(&out, v->header.vault, sizeof(v->header.vault));
	bytes_put_u32(&out, number);
	return out.len;
}

int fs_notice_seal(const struct fs_vault *v, const struct fs_notice *n,
		   uint8_t out[static FS_NOTICE_BYTES], size_t *len)
{
	uint8_t key[KEYS_LEN], ad[64], plain[FS_NOTICE_BYTES - KEYS_SEAL_OVERHEAD];
	struct bytes_out p = bytes_out(plain, sizeof(plain));
	size_t ad_len = place(v, n->number, ad);

	encode(n, &p);
	if (!p.bad) {
		keys_label_derive(KEYS_LABEL_NOTICE, v->host_secret, NULL, 0, key, sizeof(key));
		keys_seal(key, (struct keys_span){ad, ad_len}, (struct keys_span){plain, p.len},
			  out);
		*len = p.len + KEYS_SEAL_OVERHEAD;
		keys_wipe(key, sizeof(key));
	}
	keys_wipe(plain, sizeof(plain));
	return p.bad ? -EMSGSIZE : 0;
}

int fs_notice_unseal(const struct fs_vault *v, struct keys_span sealed, struct fs_notice *n)
{
	uint8_t key[KEYS_LEN], ad[64], plain[FS_NOTICE_BYTES - KEYS_SEAL_OVERHEAD];
	size_t ad_len = place(v, n->number, ad);
	int rc = -EBADMSG;

	keys_label_derive(KEYS_LABEL_NOTICE, v->host_secret, NULL, 0, key, sizeof(key));
	if (sealed.len >= KEYS_SEAL_OVERHEAD && sealed.len <= FS_NOTICE_BYTES)
		rc = keys_unseal(key, (struct keys_span){ad, ad_len}, sealed, plain);
	if (!rc)
		rc = fs_notice_decode(plain, sealed.len - KEYS_SEAL_OVERHEAD, n);
	keys_wipe(key, sizeof(key));
	keys_wipe(plain, sizeof(plain));
	return rc;
}
