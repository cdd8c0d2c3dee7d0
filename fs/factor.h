/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/factor.h - second factors and earlier passphrases, as the control side asks for them.
 *
 * Everything is for the identity's own account alone, and works without a session: the passphrase
 * (and, where one is enrolled, a code) is proof enough. Records: fs/FORMAT.md, "FACTOR",
 * "FACTOR_USED", "PASSPHRASES".
 *
 * Locks: all inside.
 */
#ifndef FS_FACTOR_H
#define FS_FACTOR_H

#include "../keys/factor.h"
#include "vault.h"

#define FS_FACTOR_CODE_MAX 40u /* bytes of a code or recovery code as typed */

/* What this account's identity has; FS_FACTOR_NONE too for whoever is not this account's. */
int fs_vault_factor_of(struct fs_vault *v, uid_t uid, const char *who, enum fs_factor_kind *out);

struct fs_factor_status {
	enum fs_factor_kind kind;
	uint64_t since_s;    /* totp: enrolled; key file: passphrase and key file set */
	unsigned codes_left; /* recovery codes; totp only */
};
/* -EPERM: no identity of this account, whether there is one of that name or not. */
int fs_vault_factor_status(struct fs_vault *v, uid_t uid, const char *who,
			   struct fs_factor_status *out);

struct fs_factor_new {
	const uint8_t *secret; /* KEYS_TOTP_SECRET_LEN */
	const uint8_t *codes;  /* KEYS_FACTOR_CODES of KEYS_FACTOR_CODE_LEN each */
	const char *code;      /* what the app shows now */
};
/*
 * A new secret and recovery codes, once its code is right; in->code proves the one enrolled before,
 * if any. Errors as fs_vault_login; -EINVAL: the new code is not right (nothing was used up).
 */
int fs_vault_factor_enroll(struct fs_vault *v, const struct fs_login *in,
			   const struct fs_factor_new *next, struct fs_say *say);
/* New recovery codes; the earlier ones are void. -ENOENT: none is enrolled. */
int fs_vault_factor_codes(struct fs_vault *v, const struct fs_login *in, const uint8_t *codes,
			  struct fs_say *say);
/* -EACCES: the policy requires one. -ENOENT. */
int fs_vault_factor_remove(struct fs_vault *v, const struct fs_login *in, struct fs_say *say);

#define FS_PASSPHRASES_KEPT 5u
#define FS_PASSPHRASES_MAX (FS_PASSPHRASES_KEPT + 1)
struct fs_passphrase_salt {
	uint8_t salt[KEYS_SALT_LEN];
	struct keys_stretch_cost cost;
};
/* Salts of the passphrase in force and of earlier ones, newest first. -EPERM as above. */
int fs_vault_passphrases(struct fs_vault *v, uid_t uid, const char *who,
			 struct fs_passphrase_salt out[static FS_PASSPHRASES_MAX], size_t *n);
/* Until when the session's passphrase may be used to log in; 0: for ever. -ENOKEY. */
int fs_vault_passphrase_until(struct fs_vault *v, struct fs_session *s, uint64_t *until_s);

#endif
