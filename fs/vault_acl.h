/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/vault_acl.h - a journal's policy as an access control list, and back.
 *
 * What the lines of the policy in force say of practitioners and units by name
 * (policy/shown.h), under the numbers of accounts and groups: a practitioner is the
 * account of his enrolled identity, or as long as he has none the system account of
 * that name; a unit is the system group that the practice policy names for it. Who
 * has no number on this host is not shown, nor is who has left.
 *
 * A changed list is an edit of the policy: each difference changes one line of the
 * text in force (policy/edit.h), all other bytes stay, and the new text is accepted
 * as any other or not at all. What the new text would show must be what was asked
 * for: a list that lines can't be changed to say is refused.
 *
 * Account names are looked up in the system's sources, which may wait: callers hold
 * no locks, and let the worker pool run a spare.
 */
#ifndef FS_VAULT_ACL_H
#define FS_VAULT_ACL_H

#include "acl.h"
#include "vault.h"

/*
 * Fills the named entries of *acl; the others are the caller's. -ENOENT: no such journal, -E2BIG:
 * more than a list holds, -ENOKEY, -EBADMSG (its policy is damaged), -ENOMEM.
 */
int fs_vault_acl(struct fs_vault *v, uint32_t index, struct fs_acl *acl);

/*
 * Makes the named entries of the journal's list those of *next, for a session with the policy
 * right.
 * --- takes an entry away. 0 also when nothing changes. -EINVAL: can't be done; why stands in the
 * access log, durable on return. -EACCES: without the right (logged), -EBUSY: others change this
 * policy all the time; else as fs_vault_policy_put.
 */
int fs_vault_acl_put(struct fs_vault *v, struct fs_session *by, uint32_t index,
		     const struct fs_acl *next);

#endif
