/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_index_read.c - reads the index of a segment.
 *
 * Implements fs/FORMAT.md, "Log", "Index files". Owns nothing that lives longer than a call.
 *
 * Invariants: (1) nothing of a part is believed before its signature was checked; (2) a part counts
 * for streams whose keys a reader has, one by one.
 *
 * Locks: none.
 */
#include "log_index_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "../keys/bytes.h"
#include "log_segment.h"

#define NS INT64_C(1000000000)

struct part {
	uint32_t n;
	const uint8_t *pk, *streams, *sealed;
	size_t sealed_len, len;
};

static struct fs_log_index_stream_of stream_at(const struct part *part, uint32_t i)
{
	struct bytes_in in =
		bytes_in(part->streams + (size_t)i * FS_LOG_INDEX_STREAM, FS_LOG_INDEX_STREAM);
	struct fs_log_index_stream_of s = {0};

	bytes_get(&in, s.stream, sizeof(s.stream));
	s.first_seq = bytes_get_u64(&in);
	s.count = bytes_get_u64(&in);
	s.head_off = bytes_get_u64(&in);
	return s;
}

/* Streams follow each other and fill the sealed bytes. */
static bool streams_sound(const struct part *part)
{
	uint64_t left = part->sealed_len, next = 0;

	for (uint32_t i = 0; i < part->n; i++) {
		struct fs_log_index_stream_of s = stream_at(part, i);

		if (!s.first_seq || s.first_seq > FS_LOG_SEQ_MAX || s.first_seq < next ||
		    s.count > left || fs_log_index_sealed_len(s.count) > left)
			return false;
		left -= fs_log_index_sealed_len(s.count);
		next = s.first_seq + s.count;
	}
	return !left;
}

/* Syntax and signature of the part at p. */
static int part_decode(const struct fs_log_index_query *q, const uint8_t *p, size_t len,
		       struct part *out)
{
	struct bytes_in in = bytes_in(p, len);
	struct part part = {0};
	const uint8_t *m = bytes_take(&in, sizeof(fs_log_index_magic)), *vault, *sig;
	uint16_t version = bytes_get_u16(&in);
	uint8_t digest[KEYS_LEN];
	struct keys_span parts[2];
	uint64_t segment, size;

	bytes_get_zero(&in, 2);
	part.n = bytes_get_u32(&in);
	vault = bytes_take(&in, KEYS_VAULT_ID_LEN);
	segment = bytes_get_u64(&in);
	part.pk = bytes_take(&in, KEYS_LEN);
	size = bytes_get_u64(&in);
	part.streams = bytes_take(&in, part.n * (size_t)FS_LOG_INDEX_STREAM);
	if (in.bad || memcmp(m, fs_log_index_magic, sizeof(fs_log_index_magic)) != 0 ||
	    version != FS_LOG_INDEX_VERSION || !part.n ||
	    memcmp(vault, q->vault, KEYS_VAULT_ID_LEN) != 0 || segment != q->segment ||
	    size > len || size < in.off + KEYS_SIG_LEN || !keys_equal(part.pk, q->pk, KEYS_LEN))
		return -EBADMSG;
	part.len = (size_t)size;
	part.sealed_len = part.len - in.off - KEYS_SIG_LEN;
	part.sealed = bytes_take(&in, part.sealed_len);
	sig = bytes_take(&in, KEYS_SIG_LEN);
	fs_log_index_parts(p, (size_t)(part.sealed - p), part.sealed, part.sealed_len, digest,
			   parts);
	if (keys_label_verify(KEYS_LABEL_LOG_INDEX, part.pk, parts, 2, sig) ||
	    !streams_sound(&part))
		return -EBADMSG;
	*out = part;
	return 0;
}

/* *off: of the frame before, on the way to that of the last; 0: not known from here on. */
static bool give_entries(const struct fs_log_index_query *q, uint64_t seq, const uint8_t *p,
			 size_t n, uint64_t *off)
{
	struct bytes_in in = bytes_in(p, FS_LOG_INDEX_BLOCK_LEN(n));
	int64_t base = (int64_t)bytes_get_u64(&in);

	/* Whoever turns an entry's time into nanoseconds need not look. */
	if (base > INT64_MAX / NS - 1 - INT32_MAX || base < INT64_MIN / NS - INT32_MIN)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct fs_log_index_entry e = {.seq = seq + i};
		uint16_t distance;

		e.journal = bytes_get_u32(&in);
		e.practitioner = bytes_get_u32(&in);
		e.kind = bytes_get_u8(&in);
		e.outcome = bytes_get_u8(&in);
		distance = bytes_get_u16(&in);
		*off = *off && distance ? *off + 8 * (uint64_t)distance : 0;
		e.off = *off;
		e.time_s = base + (int32_t)bytes_get_u32(&in);
		if (in.bad)
			return false;
		q->fn(q->ctx, &e);
	}
	return true;
}

/* The blocks of one stream, from p on. */
static int read_stream(const struct fs_log_index_query *q, const struct fs_log_index_stream_of *s,
		       uint8_t *key, const uint8_t *p, uint8_t *plain)
{
	uint8_t ad[FS_LOG_INDEX_AD], k0[KEYS_LEN];
	uint64_t off = s->head_off;
	int rc = 0;

	memcpy(k0, key, sizeof(k0));
	fs_log_index_first_key(FS_LOG_INDEX_BLOCKS, q->vault, s->stream, q->segment, k0, key);
	keys_wipe(k0, sizeof(k0));
	for (uint64_t done = 0; !rc && done < s->count; done += FS_LOG_INDEX_BLOCK) {
		size_t n = s->count - done < FS_LOG_INDEX_BLOCK ? (size_t)(s->count - done)
								: FS_LOG_INDEX_BLOCK;
		size_t len = FS_LOG_INDEX_BLOCK_LEN(n) + KEYS_SEAL_OVERHEAD;

		fs_log_index_ad(q->vault, q->segment, s->stream, s->first_seq + done, ad);
		rc = keys_unseal(key, (struct keys_span){ad, sizeof(ad)},
				 (struct keys_span){p, len}, plain);
		if (!rc && !give_entries(q, s->first_seq + done, plain, n, &off))
			rc = -EBADMSG;
		fs_log_index_next_key(key);
		p += len;
	}
	return rc;
}

static int read_part(const struct fs_log_index_query *q, const struct part *part, uint8_t *plain,
		     bool *partial)
{
	const uint8_t *p = part->sealed;
	uint8_t key[KEYS_LEN];
	int rc = 0;

	for (uint32_t i = 0; !rc && i < part->n; i++) {
		struct fs_log_index_stream_of s = stream_at(part, i);

		s.keys = p + fs_log_index_blocks_len(s.count);
		if (q->key(q->ctx, &s, key))
			*partial = true;
		else
			rc = read_stream(q, &s, key, p, plain);
		p += fs_log_index_sealed_len(s.count);
	}
	keys_wipe(key, sizeof(key));
	return rc;
}

int fs_log_index_read(const struct fs_log_index_query *q, const uint8_t *p, size_t len,
		      bool *partial)
{
	uint8_t *plain = malloc(FS_LOG_INDEX_BLOCK_LEN(FS_LOG_INDEX_BLOCK));
	struct part part;
	size_t done = 0;
	int rc = plain ? 0 : -ENOMEM;

	*partial = false;
	while (!rc && done < len) {
		rc = part_decode(q, p + done, len - done, &part);
		if (rc && done) { /* appending was cut short: what is before counts */
			*partial = true;
			rc = 0;
			break;
		}
		if (!rc) {
			rc = read_part(q, &part, plain, partial);
			done += part.len;
		}
	}
	if (!rc && !len)
		rc = -EBADMSG;
	if (plain)
		keys_wipe(plain, FS_LOG_INDEX_BLOCK_LEN(FS_LOG_INDEX_BLOCK));
	free(plain);
	return rc;
}

void fs_log_index_steps_init(struct fs_log_index_steps *x, const struct fs_log_index_query *q,
			     const struct fs_log_index_stream_of *s,
			     const uint8_t k0[static KEYS_LEN])
{
	*x = (struct fs_log_index_steps){.vault = q->vault, .segment = q->segment, .stream = *s};
	fs_log_index_first_key(FS_LOG_INDEX_KEYS, x->vault, s->stream, x->segment, k0, x->key);
}

int fs_log_index_step(struct fs_log_index_steps *x, struct keys_ratchet *r, uint64_t index)
{
	/* Key n - 1 is that of record n * FS_LOG_INDEX_STRIDE. */
	uint64_t n = index / FS_LOG_INDEX_STRIDE, at = n * FS_LOG_INDEX_STRIDE;
	uint8_t ad[FS_LOG_INDEX_AD];
	int rc;

	if (index < r->next || index >= x->stream.count)
		return -EINVAL;
	if (at <= r->next)
		return 0;
	if (x->next > n - 1)
		return -EINVAL;
	for (; x->next < n - 1; x->next++)
		fs_log_index_next_key(x->key);
	fs_log_index_ad(x->vault, x->segment, x->stream.stream, x->stream.first_seq + at, ad);
	rc = keys_unseal(
		x->key, (struct keys_span){ad, sizeof(ad)},
		(struct keys_span){x->stream.keys + (n - 1) * FS_LOG_INDEX_KEY, FS_LOG_INDEX_KEY},
		r->key);
	r->next = at;
	return rc;
}
