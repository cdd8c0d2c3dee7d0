/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/signed_note.c - reads, checks and signs C2SP signed notes.
 *
 * Owns nothing that lives longer than a call. Implements keys/FORMAT.md, "Checkpoints"; the format
 * is C2SP's signed-note, whose first implementation is Go's golang.org/x/mod/sumdb/note.
 *
 * Invariants:
 * 1. A note is split at its last empty line, so that a text with empty lines is covered whole.
 * 2. A signature by a known key that does not verify spoils the note, whatever else it carries.
 */
#include "signed_note.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sodium.h>

#include "base64.h"
#include "seal.h"

#define ALGORITHM 0x01 /* Ed25519 */
#define ID_LEN 4
#define PAYLOAD_LEN (ID_LEN + KEYS_SIG_LEN)
#define VKEY_LEN (1 + KEYS_LEN)
#define LINES_MAX 100 /* as other implementations */

static const char dash[] = "\xe2\x80\x94 ";

#define DASH_LEN (sizeof(dash) - 1)

/* ---- characters ---- */

/* Length of the character at p, its code point in *point; 0: not UTF-8. */
static size_t character(const uint8_t *p, size_t len, uint32_t *point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80	 ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;

	if (!n || n > len)
		return 0;
	*point = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (p[i] & 0x3f);
	}
	if (*point < least[n] || *point > 0x10ffff || (*point >= 0xd800 && *point < 0xe000))
		return 0;
	return n;
}

static bool is_space(uint32_t point)
{
	static const uint32_t other[] = {0x20,	 0x85,	 0xa0,	 0x1680, 0x2028,
					 0x2029, 0x202f, 0x205f, 0x3000};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		if (point == other[i])
			return true;
	}
	return (point >= 0x09 && point <= 0x0d) || (point >= 0x2000 && point <= 0x200a);
}

static bool text_sound(const char *p, size_t len)
{
	uint32_t point = 0;

	for (size_t at = 0, n; at < len; at += n) {
		n = character((const uint8_t *)p + at, len - at, &point);
		if (!n || (point < 0x20 && point != '\n'))
			return false;
	}
	return true;
}

static bool name_sound(const char *p, size_t len)
{
	uint32_t point = 0;

	for (size_t at = 0, n; at < len; at += n) {
		n = character((const uint8_t *)p + at, len - at, &point);
		if (!n || point < 0x20 || point == '+' || is_space(point))
			return false;
	}
	return len > 0;
}

/* ---- reading ---- */

/* The payload of a line: key id and something more. */
static int payload_parse(const char *p, size_t len, struct keys_note_signature *sig)
{
	uint8_t payload[KEYS_SIGNED_NOTE_MAX / 4 * 3];
	size_t n = 0;

	memset(sig, 0, sizeof(*sig));
	if (keys_base64_parse(p, len, payload, sizeof(payload), &n) || n <= ID_LEN)
		return -EBADMSG;
	sig->key_id = (uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 |
		      (uint32_t)payload[2] << 8 | payload[3];
	sig->ed25519 = n == PAYLOAD_LEN;
	if (sig->ed25519)
		memcpy(sig->sig, payload + ID_LEN, KEYS_SIG_LEN);
	return 0;
}

/* A line without its newline. */
static int line_parse(const char *p, size_t len, struct keys_signed_note *out)
{
	struct keys_note_signature sig;
	const char *name = p + DASH_LEN, *space;
	size_t name_len;

	if (len <= DASH_LEN || memcmp(p, dash, DASH_LEN) != 0)
		return -EBADMSG;
	space = memchr(name, ' ', len - DASH_LEN);
	if (!space)
		return -EBADMSG;
	name_len = (size_t)(space - name);
	if (!name_sound(name, name_len) ||
	    payload_parse(space + 1, len - DASH_LEN - name_len - 1, &sig))
		return -EBADMSG;
	if (name_len >= sizeof(sig.name) || out->count == KEYS_CHECKPOINT_SIGNERS)
		return 0;
	memcpy(sig.name, name, name_len);
	out->signature[out->count++] = sig;
	return 0;
}

static int lines_parse(const char *p, size_t len, struct keys_signed_note *out)
{
	for (size_t lines = 0; len; lines++) {
		const char *end = memchr(p, '\n', len);

		if (!end || lines == LINES_MAX || line_parse(p, (size_t)(end - p), out))
			return -EBADMSG;
		len -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	return 0;
}

int keys_signed_note_parse(const char *p, size_t len, struct keys_signed_note *out)
{
	struct keys_signed_note n = {.text = p};
	size_t at = len;

	if (len > KEYS_SIGNED_NOTE_MAX || !text_sound(p, len) || len < 4)
		return -EBADMSG;
	/* The last empty line: what is before it, with one newline, is the text. */
	while (at >= 2 && memcmp(p + at - 2, "\n\n", 2) != 0)
		at--;
	if (at <= 2 || at == len)
		return -EBADMSG;
	n.text_len = at - 1;
	if (lines_parse(p + at, len - at, &n))
		return -EBADMSG;
	*out = n;
	return 0;
}

/* ---- checking and signing ---- */

uint32_t keys_note_key_id(const char *name, const uint8_t pk[static KEYS_LEN])
{
	static const uint8_t between[] = {'\n', ALGORITHM};
	const struct keys_span parts[] = {
		{name, strlen(name)}, {between, sizeof(between)}, {pk, KEYS_LEN}};
	uint8_t hash[KEYS_LEN];

	keys_sha256(parts, 3, hash);
	return (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
}

int keys_signed_note_verify(const struct keys_signed_note *n, const char *name,
			    const uint8_t pk[static KEYS_LEN])
{
	uint32_t id = keys_note_key_id(name, pk);
	int rc = -ENOKEY;

	for (size_t i = 0; i < n->count; i++) {
		const struct keys_note_signature *s = &n->signature[i];

		if (s->key_id != id || strcmp(s->name, name) != 0)
			continue;
		if (!s->ed25519 ||
		    crypto_sign_verify_detached(s->sig, (const uint8_t *)n->text, n->text_len, pk))
			return -EBADMSG;
		rc = 0;
	}
	return rc;
}

static void id_put(uint32_t id, uint8_t out[static ID_LEN])
{
	for (unsigned i = 0; i < ID_LEN; i++)
		out[i] = (uint8_t)(id >> (24 - 8 * i));
}

size_t keys_signed_note_sign(const char *text, size_t len, const char *name,
			     const uint8_t sk[static KEYS_SIGN_SK_LEN], char *out, size_t cap)
{
	char encoded[KEYS_BASE64_ROOM(PAYLOAD_LEN)];
	uint8_t payload[PAYLOAD_LEN];
	int n;

	if (!len || text[len - 1] != '\n' || !text_sound(text, len) ||
	    !name_sound(name, strlen(name)))
		return 0;
	id_put(keys_note_key_id(name, sk + KEYS_SIGN_SK_LEN - KEYS_LEN), payload);
	crypto_sign_detached(payload + ID_LEN, NULL, (const uint8_t *)text, len, sk);
	if (keys_base64(payload, sizeof(payload), encoded, sizeof(encoded)))
		return 0;
	n = snprintf(out, cap, "%s%s %s\n", dash, name, encoded);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

/* ---- verifier keys ---- */

size_t keys_note_vkey(const char *name, const uint8_t pk[static KEYS_LEN], char *out, size_t cap)
{
	char encoded[KEYS_BASE64_ROOM(VKEY_LEN)];
	uint8_t key[VKEY_LEN] = {ALGORITHM};
	int n;

	memcpy(key + 1, pk, KEYS_LEN);
	if (!name_sound(name, strlen(name)) ||
	    keys_base64(key, sizeof(key), encoded, sizeof(encoded)))
		return 0;
	n = snprintf(out, cap, "%s+%08x+%s", name, keys_note_key_id(name, pk), encoded);
	return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

int keys_note_vkey_parse(const char *vkey, char name[static KEYS_CHECKPOINT_NAME],
			 uint8_t pk[static KEYS_LEN])
{
	const char *plus = strchr(vkey, '+');
	char got[KEYS_CHECKPOINT_NAME] = "", again[KEYS_CHECKPOINT_NAME + 64];
	uint8_t key[VKEY_LEN];
	size_t name_len, n = 0;

	if (!plus)
		return -EBADMSG;
	name_len = (size_t)(plus - vkey);
	if (name_len >= sizeof(got) || !name_sound(vkey, name_len) || strnlen(plus, 10) < 10 ||
	    plus[9] != '+')
		return -EBADMSG;
	memcpy(got, vkey, name_len);
	if (keys_base64_parse(plus + 10, strlen(plus + 10), key, sizeof(key), &n) ||
	    n != sizeof(key) || key[0] != ALGORITHM)
		return -EBADMSG;
	/* Its id is checked by writing the whole again. */
	if (!keys_note_vkey(got, key + 1, again, sizeof(again)) || strcmp(again, vkey) != 0)
		return -EBADMSG;
	memcpy(name, got, sizeof(got));
	memcpy(pk, key + 1, KEYS_LEN);
	return 0;
}
