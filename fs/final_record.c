/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/final_record.c - a journal's chain of statements: its records, and its end as the vault knows
 * it.
 *
 * A FINAL record lies in the journal's tree under its key; the end of the chain, number and hash,
 * in the vault's tree, which the host secret authenticates: whoever may write in the journal can
 * neither drop nor reorder statements unnoticed. Both change in one batch (final_add.c). Implements
 * fs/FORMAT.md, "FINAL" and "FINALS". No locks of its own.
 */
#include "final_impl.h"

#include <errno.h>
#include <stdlib.h>
#include "../keys/bytes.h"
#include "../keys/seal.h"

#define STATEMENT_VERSION 1
#define END_VERSION 1
#define STATEMENT_MAX (1 + 2 + KEYS_NOTE_MAX + 1 + KEYS_MINISIGN_LEN + 8)

_Static_assert(STATEMENT_MAX <= FS_PLAIN_MAX, "a statement fits one record");

static struct fs_key statement_key(const struct fs_journal *j, uint32_t number)
{
	return fs_key_n(fs_journal_index(j), 0, FS_T_FINAL, number, 4);
}

static struct fs_key end_key(const struct fs_journal *j)
{
	return fs_key_n(0, 0, FS_T_FINALS, fs_journal_index(j), 4);
}

/* ---- FINAL ---- */

int fs_final_statement_encode(const struct fs_final_statement *s, struct fs_buf **out)
{
	uint8_t rec[STATEMENT_MAX], note[KEYS_NOTE_MAX];
	struct bytes_out o = bytes_out(rec, sizeof(rec));
	struct fs_buf *buf = NULL;
	uint8_t *minisign;
	size_t len = 0, room;
	int rc = keys_note_encode(&s->note, note, sizeof(note), &len);

	if (rc)
		return rc;
	bytes_put_u8(&o, STATEMENT_VERSION);
	bytes_put_u16(&o, (uint16_t)len);
	bytes_put(&o, note, len);
	bytes_put_u8(&o, s->has_minisign);
	minisign = bytes_room(&o, KEYS_MINISIGN_LEN);
	if (minisign && s->has_minisign)
		keys_minisign_encode(&s->minisign, minisign);
	else if (minisign)
		memset(minisign, 0, KEYS_MINISIGN_LEN);
	bytes_put_u64(&o, s->logged);
	room = keys_pad_len(o.len);
	if (!o.bad)
		buf = fs_buf_new(room > FS_PLAIN_MAX ? FS_PLAIN_MAX : room);
	rc = buf ? 0 : -ENOMEM;
	if (buf) {
		memcpy(buf->data, rec, o.len);
		*out = buf;
	}
	keys_wipe(rec, sizeof(rec));
	keys_wipe(note, sizeof(note));
	return rc;
}

static void get_minisign(struct bytes_in *in, struct fs_final_statement *s)
{
	uint8_t has = bytes_get_u8(in);
	const uint8_t *at;

	if (has > 1)
		in->bad = true;
	if (has != 1) {
		bytes_get_zero(in, KEYS_MINISIGN_LEN);
		return;
	}
	at = bytes_take(in, KEYS_MINISIGN_LEN);
	if (at && keys_minisign_decode(at, KEYS_MINISIGN_LEN, &s->minisign))
		in->bad = true;
	s->has_minisign = true;
}

int fs_final_statement_decode(const uint8_t *p, size_t len, struct fs_final_statement *out)
{
	struct bytes_in in = bytes_in(p, len);
	struct fs_final_statement s = {.has_minisign = false};
	const uint8_t *note;
	size_t n, used;
	int rc = -EBADMSG;

	if (bytes_get_u8(&in) != STATEMENT_VERSION)
		in.bad = true;
	n = bytes_get_u16(&in);
	note = bytes_take(&in, n);
	if (!note || keys_note_decode(note, n, &s.note))
		in.bad = true;
	get_minisign(&in, &s);
	s.logged = bytes_get_u64(&in);
	used = in.off;
	bytes_get_zero(&in, in.len - in.off);
	if (bytes_in_done(&in) && len <= FS_PLAIN_MAX &&
	    (len == keys_pad_len(used) || (len == FS_PLAIN_MAX && keys_pad_len(used) > len)))
		rc = 0;
	if (!rc)
		*out = s;
	keys_wipe(&s, sizeof(s));
	return rc;
}

int fs_final_statement_put(struct fs_batch *b, struct fs_journal *j,
			   const struct fs_final_statement *s)
{
	struct fs_key key = statement_key(j, s->note.number);
	struct fs_buf *buf = NULL;
	int rc = fs_final_statement_encode(s, &buf);

	if (!rc)
		fs_batch_put_buf(b, j, &key, buf);
	return rc;
}

static bool belongs(const struct fs_journal *j, uint32_t number, const struct keys_note *n)
{
	return n->number == number && n->journal == fs_journal_index(j) &&
	       !memcmp(n->vault, fs_records_vault_id(fs_journal_records(j)), KEYS_VAULT_ID_LEN);
}

int fs_final_get(struct fs_journal *j, uint32_t number, struct fs_final_statement *out)
{
	struct fs_key key = statement_key(j, number);
	struct fs_final_statement *s;
	struct fs_buf *buf = NULL;
	int rc = fs_record_get(j, &key, &buf);

	if (rc)
		return rc;
	s = calloc(1, sizeof(*s));
	rc = s ? fs_final_statement_decode(buf->data, buf->len, s) : -ENOMEM;
	if (!rc && !belongs(j, number, &s->note))
		rc = -EBADMSG;
	if (!rc)
		*out = *s;
	if (s)
		keys_wipe(s, sizeof(*s));
	free(s);
	fs_buf_put(buf);
	return rc;
}

/* ---- FINALS ---- */

int fs_final_end_decode(const uint8_t *p, size_t len, uint32_t *number,
			uint8_t hash[static KEYS_LEN])
{
	struct bytes_in in = bytes_in(p, len);
	uint8_t got[KEYS_LEN];
	uint32_t n;

	if (bytes_get_u8(&in) != END_VERSION)
		in.bad = true;
	bytes_get_zero(&in, 3);
	n = bytes_get_u32(&in);
	bytes_get(&in, got, KEYS_LEN);
	if (!bytes_in_done(&in) || len != FS_FINAL_END_LEN || !n)
		return -EBADMSG;
	*number = n;
	memcpy(hash, got, KEYS_LEN);
	return 0;
}

void fs_final_end_put(struct fs_batch *b, struct fs_journal *j, uint32_t number,
		      const uint8_t hash[static KEYS_LEN])
{
	struct fs_key key = end_key(j);
	uint8_t rec[FS_FINAL_END_LEN];
	struct bytes_out o = bytes_out(rec, sizeof(rec));

	bytes_put_u8(&o, END_VERSION);
	bytes_put_zero(&o, 3);
	bytes_put_u32(&o, number);
	bytes_put(&o, hash, KEYS_LEN);
	fs_batch_put(b, fs_records_vault(fs_journal_records(j)), &key, rec, sizeof(rec));
}

int fs_final_last(struct fs_journal *j, uint32_t *number, uint8_t hash[static KEYS_LEN])
{
	struct fs_key key = end_key(j);
	struct fs_buf *buf = NULL;
	int rc = fs_record_get(fs_records_vault(fs_journal_records(j)), &key, &buf);

	if (!rc) {
		rc = fs_final_end_decode(buf->data, buf->len, number, hash);
	} else if (rc == -ENOENT) {
		*number = 0;
		memset(hash, 0, KEYS_LEN);
		rc = 0;
	}
	fs_buf_put(buf);
	return rc;
}
