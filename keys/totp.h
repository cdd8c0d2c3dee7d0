/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/totp.h - one-time codes of an authenticator app (RFC 6238).
 *
 * SHA-1, 6 digits, steps of 30 seconds, a secret of 20 bytes: what every app can.
 * Time is an argument; which step was used last is the caller's to keep.
 */
#ifndef KEYS_TOTP_H
#define KEYS_TOTP_H

#include "label.h"

#define KEYS_TOTP_SECRET_LEN 20
#define KEYS_TOTP_DIGITS 6
#define KEYS_TOTP_STEP_S 30
#define KEYS_TOTP_TEXT_LEN 33 /* the secret in base32 (RFC 4648) with NUL */

/* keys_init calls it; -EIO. */
int keys_totp_init(void);

/* The code of a step (seconds since 1970 / 30). -EIO: the library failed. */
int keys_totp_code(const uint8_t secret[static KEYS_TOTP_SECRET_LEN], uint64_t step,
		   char code[static KEYS_TOTP_DIGITS + 1]);

/*
 * Is code that of now's step, the one before or the one after, and its step later than `last` (0:
 * none was used)? 0 and its step; -EKEYREJECTED no code of these; -EALREADY one, but not later;
 * -EIO. All three are computed and compared in constant time whatever is given.
 */
int keys_totp_check(const uint8_t secret[static KEYS_TOTP_SECRET_LEN], uint64_t now_s,
		    uint64_t last, const char *code, uint64_t *step);

/* The secret as apps take it when it is typed. */
void keys_totp_print(const uint8_t secret[static KEYS_TOTP_SECRET_LEN],
		     char text[static KEYS_TOTP_TEXT_LEN]);

#endif
