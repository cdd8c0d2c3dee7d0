/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/value.c - stored value forms: a record in clear or sealed to its place.
 *
 * Which key seals a record follows from its table: a journal's own records lie
 * under that journal's key, policy and names under the index key, all others in
 * clear (they are public, or sealed inside). Associated data: vault, record key,
 * generation. Format: fs/FORMAT.md, "Stored values".
 *
 * Locks: the records' lock while an index key is used.
 */
#include <errno.h>

#include "../keys/bytes.h"
#include "record_impl.h"

enum { FORM_CLEAR = 0, FORM_SEALED = 1 };
enum seal_by { BY_NONE, BY_JOURNAL, BY_INDEX };

#define HEAD_LEN 5 /* form, generation */
#define AD_MAX (KEYS_VAULT_ID_LEN + FS_KEY_MAX + 4)

bool fs_value_of_vault(const struct fs_key *key)
{
	uint8_t table = fs_key_table(key);

	return !fs_key_journal(key) || (table >= FS_T_ROOT && table <= FS_T_JPOLICY);
}

static enum seal_by seal_by(const struct fs_key *key)
{
	switch (fs_key_table(key)) {
	case FS_T_JPOLICY:
	case FS_T_POLICY:
	case FS_T_PRACTICE:
	case FS_T_NAME:
		return BY_INDEX;
	default:
		break;
	}
	if (fs_key_table(key) < FS_T_HEAD || fs_key_table(key) > FS_T_OLD_MAP)
		return BY_NONE;
	return fs_key_journal(key) ? BY_JOURNAL : BY_INDEX;
}

static struct keys_span make_ad(const struct fs_records *r, const struct fs_key *key,
				uint32_t generation, uint8_t ad[static AD_MAX])
{
	struct bytes_out out = bytes_out(ad, AD_MAX);

	bytes_put(&out, r->vault_id, KEYS_VAULT_ID_LEN);
	bytes_put(&out, key->b, key->len);
	bytes_put_u32(&out, generation);
	return (struct keys_span){ad, out.len};
}

/*
 * The key for a record into key[]; *generation 0 asks for the one to seal with: the newest whose
 * wraps are no later than the group that is being sealed. -ENOKEY: nobody who is logged in
 * brought it.
 */
static int copy_key(struct fs_journal *j, enum seal_by by, uint32_t *generation,
		    uint8_t key[static KEYS_LEN])
{
	struct fs_records *r = j->records;
	const struct fs_record_index_key *best = NULL;
	const struct fs_journal_key *own;

	if (by == BY_JOURNAL) {
		own = *generation ? fs_journal_key(j, *generation) : fs_journal_key_sealing(j);
		if (!own)
			return -ENOKEY;
		memcpy(key, own->keys->record, KEYS_LEN);
		*generation = own->generation;
		return 0;
	}
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < FS_RECORD_INDEX_KEYS; i++) {
		const struct fs_record_index_key *k = &r->index[i];

		if (!k->generation || (*generation && *generation != k->generation))
			continue;
		/* Its wraps come with a later group than the one that is sealed now. */
		if (!*generation && k->since > r->encoding)
			continue;
		if (!best || k->generation > best->generation)
			best = k;
	}
	if (best) {
		memcpy(key, best->keys->record, KEYS_LEN);
		*generation = best->generation;
	}
	pthread_mutex_unlock(&r->lock);
	return best ? 0 : -ENOKEY;
}

int fs_value_seal(struct fs_journal *j, const struct fs_key *key, const void *plain, size_t len,
		  uint8_t *stored, size_t *stored_len)
{
	enum seal_by by = seal_by(key);
	struct bytes_out out = bytes_out(stored, HEAD_LEN);
	uint8_t ad[AD_MAX], secret[KEYS_LEN];
	uint32_t generation = 0;
	int rc;

	if (len > FS_PLAIN_MAX)
		return -EMSGSIZE;
	if (by == BY_NONE) {
		stored[0] = FORM_CLEAR;
		if (len)
			memcpy(stored + 1, plain, len);
		*stored_len = 1 + len;
		return 0;
	}
	rc = copy_key(j, by, &generation, secret);
	if (rc)
		return rc;
	bytes_put_u8(&out, FORM_SEALED);
	bytes_put_u32(&out, generation);
	keys_seal(secret, make_ad(j->records, key, generation, ad), (struct keys_span){plain, len},
		  stored + HEAD_LEN);
	keys_wipe(secret, sizeof(secret));
	*stored_len = HEAD_LEN + len + KEYS_SEAL_OVERHEAD;
	return 0;
}

int fs_value_generation(const uint8_t *stored, size_t len, uint32_t *out)
{
	struct bytes_in in = bytes_in(stored, len);
	uint8_t form = bytes_get_u8(&in);
	uint32_t generation = bytes_get_u32(&in);

	if (in.bad || form != FORM_SEALED || !generation)
		return -EBADMSG;
	*out = generation;
	return 0;
}

static int unseal(struct fs_journal *j, const struct fs_key *key, enum seal_by by,
		  const uint8_t *stored, size_t len, struct fs_buf **out)
{
	struct bytes_in in = bytes_in(stored, len);
	uint8_t ad[AD_MAX], secret[KEYS_LEN];
	uint32_t generation;
	struct fs_buf *buf;
	int rc;

	bytes_get_u8(&in);
	generation = bytes_get_u32(&in);
	if (in.bad || len < HEAD_LEN + KEYS_SEAL_OVERHEAD || !generation)
		return -EBADMSG;
	buf = fs_buf_new(len - HEAD_LEN - KEYS_SEAL_OVERHEAD);
	if (!buf)
		return -ENOMEM;
	rc = copy_key(j, by, &generation, secret);
	if (!rc)
		rc = keys_unseal(secret, make_ad(j->records, key, generation, ad),
				 (struct keys_span){stored + HEAD_LEN, len - HEAD_LEN}, buf->data);
	keys_wipe(secret, sizeof(secret));
	if (rc) {
		fs_buf_put(buf);
		return rc;
	}
	*out = buf;
	return 0;
}

int fs_value_unseal(struct fs_journal *j, const struct fs_key *key, const uint8_t *stored,
		    size_t len, struct fs_buf **out)
{
	enum seal_by by = seal_by(key);

	if (!len || stored[0] != (by == BY_NONE ? FORM_CLEAR : FORM_SEALED))
		return -EBADMSG;
	if (by != BY_NONE)
		return unseal(j, key, by, stored, len, out);
	*out = fs_buf_copy(stored + 1, len - 1);
	return *out ? 0 : -ENOMEM;
}
