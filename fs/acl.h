/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/acl.h - POSIX access control lists, built and checked by libacl, as the kernel passes them.
 *
 * The only door to libacl. Pure: system.posix_acl_access (version 2: a u32, then
 * 8 bytes an entry, little-endian) on one side, a plain list on the other. The mask
 * is libacl's to compute; a list whose mask takes something away from an entry is
 * refused, so that an entry says what it gives.
 */
#ifndef FS_ACL_H
#define FS_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FS_ACL_BYTES_MAX 4096 /* what the kernel takes from and gives to a FUSE file system */
#define FS_ACL_ENTRIES 507    /* named ones: four more have their place without a name */

struct fs_acl_entry {
	bool group;
	uint32_t id;
	unsigned perms; /* r 4, w 2, x 1 */
};

struct fs_acl {
	unsigned owner, group, other;
	size_t count;
	struct fs_acl_entry entry[FS_ACL_ENTRIES];
};

/*
 * 0 and *len bytes in out (room for FS_ACL_BYTES_MAX). -EINVAL: no list that is valid (a user or a
 * group twice, permissions beyond rwx), -E2BIG: count, -ENOMEM.
 */
int fs_acl_encode(const struct fs_acl *acl, uint8_t out[static FS_ACL_BYTES_MAX], size_t *len);

/*
 * Bytes from anywhere: 0 and *acl (named users before named groups, ascending), -EINVAL for
 * whatever is no valid list, or one whose mask is narrower than its named entries; -E2BIG, -ENOMEM.
 * On failure *acl is undefined.
 */
int fs_acl_decode(const void *p, size_t len, struct fs_acl *acl);

#endif
