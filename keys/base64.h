/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/base64.h - public bytes as base64 text (RFC 4648, section 4, with padding).
 */
#ifndef KEYS_BASE64_H
#define KEYS_BASE64_H

#include <stddef.h>

/* Room for the text of n bytes in one line, with its NUL. */
#define KEYS_BASE64_ROOM(n) (((n) + 2) / 3 * 4 + 1)

/* One line without a newline. -ENOSPC. Not for secrets: it takes no care of timing. */
int keys_base64(const void *p, size_t len, char *out, size_t cap);
/* len characters, all of them, padding and clear last bits included. -EBADMSG, also when it is more
 * than cap bytes. */
int keys_base64_parse(const char *text, size_t len, void *out, size_t cap, size_t *out_len);

#endif
