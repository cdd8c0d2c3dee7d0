/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/base64.c - public bytes as base64 text, by libsodium.
 */
#include "base64.h"

#include <errno.h>
#include <stdint.h>
#include <sodium.h>

int keys_base64(const void *p, size_t len, char *out, size_t cap)
{
	if (cap < sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL))
		return -ENOSPC;
	sodium_bin2base64(out, cap, p, len, sodium_base64_VARIANT_ORIGINAL);
	return 0;
}

int keys_base64_parse(const char *text, size_t len, void *out, size_t cap, size_t *out_len)
{
	/* libsodium takes some bytes above ASCII for digits. */
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)text[i] > 0x7f)
			return -EBADMSG;
	}
	if (sodium_base642bin(out, cap, text, len, NULL, out_len, NULL,
			      sodium_base64_VARIANT_ORIGINAL))
		return -EBADMSG;
	return 0;
}
