/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_log.h - policy versions by number, time and file, for the files behind fs/vault.h.
 */
#ifndef FS_POLICY_LOG_H
#define FS_POLICY_LOG_H

#include "vault_impl.h"

/* The newest version that counts at `when`. -ENOENT: none was made by then. No lock held. */
int fs_policy_log_version(struct fs_vault *v, const struct fs_policy_when *when, uint32_t *out);

/*
 * The version of this file that was in force at `version`: "practice" and its parts, or a journal by
 * the name that it bore then; a journal that has the name now and had another one is found too. Not
 * verified. -ENOENT. No lock held.
 */
int fs_policy_log_find(struct fs_vault *v, const char *file, uint32_t version, uint32_t *found);

#endif
