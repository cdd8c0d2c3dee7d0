/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_delta.c - what differs between two versions of a small note. Implements fs/FORMAT.md,
 * "VERSION".
 *
 * What both begin and end with is left out; a middle that is longer is compressed
 * by zstd with the next version's bytes as the text before it, so that what moved within
 * a note costs little too. Decompression is bounded: the length is known before.
 * zstd's memory holds notes: it comes from here and is wiped. No state, no locks.
 */
#define ZSTD_STATIC_LINKING_ONLY /* allocation by functions of ours */
#include <zstd.h>

#include "history_impl.h"

#include <errno.h>
#include <stdlib.h>
#include "../keys/bytes.h"

#define HEAD 9
#define RAW_MOST 256 /* longer middles are worth compressing */
#define LEVEL 3
#define WINDOW_LOG 15 /* both versions: twice FS_INLINE_MAX */

enum { RAW = 0, ZSTD = 1 };

/* ---- zstd's memory ---- */

static void *get_memory(void *opaque, size_t size)
{
	size_t *p = malloc(size + 16);

	(void)opaque;
	if (!p)
		return NULL;
	*p = size;
	return (uint8_t *)p + 16;
}

static void free_memory(void *opaque, void *at)
{
	size_t *p;

	(void)opaque;
	if (!at)
		return;
	p = (size_t *)(void *)((uint8_t *)at - 16);
	keys_wipe(at, *p);
	free(p);
}

static const ZSTD_customMem wiping = {get_memory, free_memory, NULL};

/* 0: not below cap. */
static size_t compress(const uint8_t *p, size_t len, const uint8_t *base, size_t base_len,
		       uint8_t *out, size_t cap)
{
	ZSTD_CCtx *c = ZSTD_createCCtx_advanced(wiping);
	size_t n = 0;

	if (!c)
		return 0;
	if (!ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, WINDOW_LOG)) &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0)) &&
	    !ZSTD_isError(ZSTD_CCtx_refPrefix(c, base_len ? base : NULL, base_len))) {
		n = ZSTD_compress2(c, out, cap, p, len);
		if (ZSTD_isError(n))
			n = 0;
	}
	ZSTD_freeCCtx(c);
	return n;
}

static int decompress(const uint8_t *p, size_t len, const uint8_t *base, size_t base_len,
		      uint8_t *out, size_t size)
{
	ZSTD_DCtx *d = ZSTD_createDCtx_advanced(wiping);
	size_t n = 0;
	int rc = -EBADMSG;

	if (!d)
		return -ENOMEM;
	if (!ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, WINDOW_LOG)) &&
	    !ZSTD_isError(ZSTD_DCtx_refPrefix(d, base_len ? base : NULL, base_len))) {
		n = ZSTD_decompressDCtx(d, out, size, p, len);
		rc = ZSTD_isError(n) || n != size ? -EBADMSG : 0;
	}
	ZSTD_freeDCtx(d);
	return rc;
}

/* ---- deltas ---- */

#define STRIDE 64 /* bytes compared at a time */

/* How many bytes both begin with. */
static size_t same_before(const uint8_t *a, const uint8_t *b, size_t most)
{
	size_t n = 0;

	while (n + STRIDE <= most && !memcmp(a + n, b + n, STRIDE))
		n += STRIDE;
	while (n < most && a[n] == b[n])
		n++;
	return n;
}

/* How many bytes both, which end here, end with. */
static size_t same_behind(const uint8_t *a, const uint8_t *b, size_t most)
{
	size_t n = 0;

	while (n + STRIDE <= most && !memcmp(a - n - STRIDE, b - n - STRIDE, STRIDE))
		n += STRIDE;
	while (n < most && a[-1 - (ptrdiff_t)n] == b[-1 - (ptrdiff_t)n])
		n++;
	return n;
}

size_t fs_history_delta_make(const uint8_t *old, size_t len, const uint8_t *base, size_t base_len,
			     uint8_t *out, size_t cap)
{
	size_t least = len < base_len ? len : base_len, prefix = 0, suffix = 0, middle, n = 0;
	struct bytes_out head = bytes_out(out, cap);
	uint8_t how = RAW;

	if (cap < HEAD)
		return 0;
	if (least) {
		prefix = same_before(old, base, least);
		suffix = same_behind(old + len, base + base_len, least - prefix);
	}
	middle = len - prefix - suffix;
	if (middle > RAW_MOST) {
		size_t room = cap - HEAD < middle ? cap - HEAD : middle;

		n = compress(old + prefix, middle, base, base_len, out + HEAD, room);
		how = n ? ZSTD : RAW;
	}
	if (how == RAW) {
		if (middle > cap - HEAD)
			return 0;
		if (middle)
			memcpy(out + HEAD, old + prefix, middle);
		n = middle;
	}
	bytes_put_u16(&head, (uint16_t)base_len);
	bytes_put_u16(&head, (uint16_t)prefix);
	bytes_put_u16(&head, (uint16_t)suffix);
	bytes_put_u16(&head, (uint16_t)middle);
	bytes_put_u8(&head, how);
	return HEAD + n;
}

int fs_history_delta_base(const uint8_t *delta, size_t len, size_t *base_len)
{
	struct bytes_in in = bytes_in(delta, len);

	*base_len = bytes_get_u16(&in);
	return in.bad || *base_len > FS_INLINE_MAX ? -EBADMSG : 0;
}

int fs_history_delta_apply(const uint8_t *delta, size_t len, const uint8_t *base, size_t base_len,
			   uint8_t *out, size_t size)
{
	struct bytes_in in = bytes_in(delta, len);
	size_t want = bytes_get_u16(&in), prefix = bytes_get_u16(&in), suffix = bytes_get_u16(&in);
	size_t middle = bytes_get_u16(&in), left;
	uint8_t how = bytes_get_u8(&in);

	if (in.bad || (want && want != base_len) || prefix + suffix > want ||
	    prefix + middle + suffix != size || how > ZSTD)
		return -EBADMSG;
	left = in.len - in.off;
	if (prefix)
		memcpy(out, base, prefix);
	if (suffix)
		memcpy(out + prefix + middle, base + base_len - suffix, suffix);
	if (how == ZSTD)
		return decompress(in.p + in.off, left, base, want, out + prefix, middle);
	if (left != middle)
		return -EBADMSG;
	if (middle)
		memcpy(out + prefix, in.p + in.off, middle);
	return 0;
}
