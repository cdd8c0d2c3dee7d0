/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/bytes.h - the one bounded reader and writer of encoded bytes.
 *
 * Everything stored or received is decoded through struct bytes_in and encoded
 * through struct bytes_out; no struct is ever laid over bytes. Both carry a
 * sticky `bad` flag: after the first overrun every further call is harmless and
 * yields zeros, so a decoder checks once, at its end (bytes_in_done).
 *
 * Integers are little-endian in values and big-endian (the _be calls) in keys
 * that must sort. This header holds no keys and no I/O; it is the only header
 * that policy/ shares with keys/.
 */
#ifndef KEYS_BYTES_H
#define KEYS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes_in {
	const uint8_t *p;
	size_t len;
	size_t off;
	bool bad;
};

struct bytes_out {
	uint8_t *p;
	size_t cap;
	size_t len;
	bool bad;
};

static inline struct bytes_in bytes_in(const void *p, size_t len)
{
	return (struct bytes_in){ .p = p, .len = len };
}

static inline struct bytes_out bytes_out(void *p, size_t cap)
{
	return (struct bytes_out){ .p = p, .cap = cap };
}

/* The next n bytes in place, or NULL (and bad) when fewer are left. */
static inline const uint8_t *bytes_take(struct bytes_in *in, size_t n)
{
	const uint8_t *at;

	if (in->bad || n > in->len - in->off) {
		in->bad = true;
		return NULL;
	}
	at = in->p + in->off;
	in->off += n;
	return at;
}

static inline void bytes_get(struct bytes_in *in, void *out, size_t n)
{
	const uint8_t *at = bytes_take(in, n);

	if (at && n)
		memcpy(out, at, n);
	else if (n)
		memset(out, 0, n);
}

static inline uint64_t bytes_get_le(struct bytes_in *in, unsigned n)
{
	const uint8_t *at = bytes_take(in, n);
	uint64_t v = 0;

	for (unsigned i = 0; at && i < n; i++)
		v |= (uint64_t)at[i] << (8 * i);
	return v;
}

static inline uint64_t bytes_get_be(struct bytes_in *in, unsigned n)
{
	const uint8_t *at = bytes_take(in, n);
	uint64_t v = 0;

	for (unsigned i = 0; at && i < n; i++)
		v = v << 8 | at[i];
	return v;
}

static inline uint8_t bytes_get_u8(struct bytes_in *in)
{
	return (uint8_t)bytes_get_le(in, 1);
}
static inline uint16_t bytes_get_u16(struct bytes_in *in)
{
	return (uint16_t)bytes_get_le(in, 2);
}
static inline uint32_t bytes_get_u32(struct bytes_in *in)
{
	return (uint32_t)bytes_get_le(in, 4);
}
static inline uint64_t bytes_get_u64(struct bytes_in *in)
{
	return bytes_get_le(in, 8);
}

/*
 * A text of at most cap-1 bytes, stored as u16 length and bytes, copied with a
 * terminating NUL. An embedded NUL or a longer text is bad.
 */
static inline void bytes_get_text(struct bytes_in *in, char *out, size_t cap)
{
	size_t n = bytes_get_u16(in);
	const uint8_t *at = bytes_take(in, n);

	out[0] = '\0';
	if (!at)
		return;
	if (n >= cap || memchr(at, 0, n)) {
		in->bad = true;
		return;
	}
	memcpy(out, at, n);
	out[n] = '\0';
}

/* The next n bytes must be zero (reserved room); anything else is bad. */
static inline void bytes_get_zero(struct bytes_in *in, size_t n)
{
	const uint8_t *at = bytes_take(in, n);

	for (size_t i = 0; at && i < n; i++) {
		if (at[i])
			in->bad = true;
	}
}

/* True when nothing went wrong and nothing is left over. */
static inline bool bytes_in_done(const struct bytes_in *in)
{
	return !in->bad && in->off == in->len;
}

/* Room for n bytes, or NULL (and bad) when the buffer is full. */
static inline uint8_t *bytes_room(struct bytes_out *out, size_t n)
{
	uint8_t *at;

	if (out->bad || n > out->cap - out->len) {
		out->bad = true;
		return NULL;
	}
	at = out->p + out->len;
	out->len += n;
	return at;
}

static inline void bytes_put(struct bytes_out *out, const void *p, size_t n)
{
	uint8_t *at = bytes_room(out, n);

	if (at && n)
		memcpy(at, p, n);
}

static inline void bytes_put_zero(struct bytes_out *out, size_t n)
{
	uint8_t *at = bytes_room(out, n);

	if (at && n)
		memset(at, 0, n);
}

static inline void bytes_put_le(struct bytes_out *out, uint64_t v, unsigned n)
{
	uint8_t *at = bytes_room(out, n);

	for (unsigned i = 0; at && i < n; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static inline void bytes_put_be(struct bytes_out *out, uint64_t v, unsigned n)
{
	uint8_t *at = bytes_room(out, n);

	for (unsigned i = 0; at && i < n; i++)
		at[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static inline void bytes_put_u8(struct bytes_out *out, uint8_t v)
{
	bytes_put_le(out, v, 1);
}
static inline void bytes_put_u16(struct bytes_out *out, uint16_t v)
{
	bytes_put_le(out, v, 2);
}
static inline void bytes_put_u32(struct bytes_out *out, uint32_t v)
{
	bytes_put_le(out, v, 4);
}
static inline void bytes_put_u64(struct bytes_out *out, uint64_t v)
{
	bytes_put_le(out, v, 8);
}

/* The counterpart of bytes_get_text; a text over 65,535 bytes is bad. */
static inline void bytes_put_text(struct bytes_out *out, const char *text)
{
	size_t n = strlen(text);

	if (n > UINT16_MAX) {
		out->bad = true;
		return;
	}
	bytes_put_u16(out, (uint16_t)n);
	bytes_put(out, text, n);
}

#endif
