/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/kept.h - the newest checkpoint of a vault's access log that this account has seen.
 *
 * One file for each vault under STATE/journalfs/checkpoints, named by the vault's id, which holds
 * the checkpoint's text. A log that is later smaller, or of the same size with another root, was
 * rolled back or rewritten.
 */
#ifndef TOOLS_KEPT_H
#define TOOLS_KEPT_H

#include "../keys/checkpoint.h"
#include "client.h"

enum tools_kept {
	TOOLS_KEPT_SAME = 0, /* nothing new */
	TOOLS_KEPT_GROWN,    /* the log went on; whether from there only a consistency proof says */
	TOOLS_KEPT_SMALLER,  /* records that were there are gone */
	TOOLS_KEPT_FORKED,   /* as many records, other ones */
	TOOLS_KEPT_BEHIND,   /* the vault's own commit number went back */
	TOOLS_KEPT_BAD,	     /* one of the two is no checkpoint of that vault */
};

/* Where it lies, for messages. -ENOENT: there is no home. */
int tools_kept_path(const uint8_t vault[static KEYS_VAULT_ID_LEN], char *out, size_t cap);
/* NUL-terminated. -ENOENT: none is kept yet. -EBADMSG: it is damaged. -errno. */
int tools_kept_read(const uint8_t vault[static KEYS_VAULT_ID_LEN],
		    char out[static KEYS_CHECKPOINT_MAX]);
/*
 * Keeps it, durable, unless what is kept is further on; force: in any case. -EBADMSG: it is no
 * checkpoint of that vault. -errno.
 */
int tools_kept_write(const uint8_t vault[static KEYS_VAULT_ID_LEN], const char *text, bool force);
/* What the newer text is to the older. Signatures are not looked at. */
enum tools_kept tools_kept_compare(const uint8_t vault[static KEYS_VAULT_ID_LEN], const char *kept,
				   const char *now);
/*
 * Asks the daemon for its newest checkpoint, warns on standard error when it contradicts the kept
 * one, and keeps it else. Never fails anything.
 */
void tools_kept_check(struct client *cl);

#endif
