/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/audit_wire.c - what an auditor takes from the daemon, as frames.
 *
 * Implements fs/FORMAT.md, "Auditors' streams". Pure.
 */
#include "audit_wire.h"

#include <errno.h>
#include <stdlib.h>

#include "../keys/bytes.h"

#define HAS_NAME 1u
#define HAS_TEXT 2u
#define CHANGE_FIXED (4 + 4 + 8 + 4 + 1 + 3 * 2 + 4)

static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

int fs_audit_change_encode(const struct policy_past_change *c, uint8_t **out, size_t *len)
{
	size_t cap = CHANGE_FIXED + length(c->name) + length(c->who) + length(c->reason) + c->len;
	struct bytes_out b;
	uint8_t *p;

	if (cap > FS_AUDIT_FRAME_MAX)
		return -EMSGSIZE;
	p = malloc(cap);
	if (!p)
		return -ENOMEM;
	b = bytes_out(p, cap);
	bytes_put_zero(&b, 4);
	bytes_put_u32(&b, c->version);
	bytes_put_u64(&b, (uint64_t)c->time_s);
	bytes_put_u32(&b, c->journal);
	bytes_put_u8(&b, (c->name ? HAS_NAME : 0) | (c->text ? HAS_TEXT : 0));
	bytes_put_text(&b, c->name ? c->name : "");
	bytes_put_text(&b, c->who ? c->who : "");
	bytes_put_text(&b, c->reason ? c->reason : "");
	bytes_put_u32(&b, (uint32_t)c->len);
	bytes_put(&b, c->text, c->text ? c->len : 0);
	if (b.bad) {
		free(p);
		return -EMSGSIZE;
	}
	*len = b.len;
	b = bytes_out(p, 4);
	bytes_put_u32(&b, (uint32_t)(*len - 4));
	*out = p;
	return 0;
}

/* Copies the next text to *at and moves that behind it; NUL-terminated. */
static const char *keep_text(struct bytes_in *in, size_t n, char **at)
{
	const uint8_t *from = bytes_take(in, n);
	char *text = *at;

	if (!from)
		return "";
	memcpy(text, from, n);
	text[n] = '\0';
	*at += n + 1;
	return text;
}

int fs_audit_change_decode(const uint8_t *p, size_t len, struct policy_past_change *out,
			   char **store)
{
	struct bytes_in in = bytes_in(p, len);
	struct policy_past_change c = {0};
	char *texts = malloc(len + 4), *at = texts;
	unsigned has;

	if (!texts)
		return -ENOMEM;
	c.version = bytes_get_u32(&in);
	c.time_s = (int64_t)bytes_get_u64(&in);
	c.journal = bytes_get_u32(&in);
	has = bytes_get_u8(&in);
	c.name = keep_text(&in, bytes_get_u16(&in), &at);
	c.who = keep_text(&in, bytes_get_u16(&in), &at);
	c.reason = keep_text(&in, bytes_get_u16(&in), &at);
	c.len = bytes_get_u32(&in);
	c.text = keep_text(&in, c.len, &at);
	if (!bytes_in_done(&in) || (has & ~(HAS_NAME | HAS_TEXT)) ||
	    (!(has & HAS_NAME) && c.name[0]) || (!(has & HAS_TEXT) && c.len)) {
		keys_wipe(texts, len + 4);
		free(texts);
		return -EBADMSG;
	}
	if (!(has & HAS_NAME))
		c.name = NULL;
	if (!(has & HAS_TEXT))
		c.text = NULL;
	*out = c;
	*store = texts;
	return 0;
}

size_t fs_audit_key_encode(const struct fs_audit_key *k, uint8_t out[static FS_AUDIT_KEY_MAX])
{
	struct bytes_out b = bytes_out(out, FS_AUDIT_KEY_MAX);

	bytes_put_u32(&b, (uint32_t)(KEYS_STREAM_ID_LEN + 16 + k->key_len));
	bytes_put(&b, k->stream, sizeof(k->stream));
	bytes_put_u64(&b, k->first_seq);
	bytes_put_u64(&b, k->time_s);
	bytes_put(&b, k->key, k->key_len);
	return b.bad ? 0 : b.len;
}

int fs_audit_key_decode(const uint8_t *p, size_t len, struct fs_audit_key *out)
{
	struct bytes_in in = bytes_in(p, len);
	struct fs_audit_key k;

	memset(&k, 0, sizeof(k));
	bytes_get(&in, k.stream, sizeof(k.stream));
	k.first_seq = bytes_get_u64(&in);
	k.time_s = bytes_get_u64(&in);
	k.key_len = in.bad ? 0 : in.len - in.off;
	if (k.key_len != KEYS_LEN && k.key_len != KEYS_AUDIT_WRAP_LEN)
		return -EBADMSG;
	bytes_get(&in, k.key, k.key_len);
	*out = k;
	keys_wipe(&k, sizeof(k));
	return in.bad ? -EBADMSG : 0;
}
