/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_keys.h - who holds the key of a journal, for the files that answer stewards.
 */
#ifndef FS_POLICY_KEYS_H
#define FS_POLICY_KEYS_H

#include "vault_impl.h"

struct fs_policy_holder {
	uint32_t pid, enrolment; /* enrolment 0: no identity */
};

/* The wraps of a journal's newest generation. Zero-initialized is empty. */
struct fs_policy_wraps {
	uint32_t generation;
	bool break_glass, recovery;
	struct fs_policy_holder *of;
	size_t n, cap;
};

/* This practitioner's newest identity. Takes lock for reading. */
struct fs_policy_holder fs_policy_holder(struct fs_vault *v, const char *name);

/* Reads them anew; no lock held. */
int fs_policy_wraps_read(struct fs_vault *v, uint32_t index, struct fs_policy_wraps *w);
bool fs_policy_wraps_hold(const struct fs_policy_wraps *w, struct fs_policy_holder who);
void fs_policy_wraps_clear(struct fs_policy_wraps *w);

/* Has this practitioner an identity, and does it hold the newest key of the journal? No lock held. */
int fs_policy_key_held(struct fs_vault *v, uint32_t index, const char *name, bool *enrolled,
		       bool *held);

#endif
