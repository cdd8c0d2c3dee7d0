/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/acl.c - access control lists between libacl, the kernel's bytes and a plain list.
 *
 * Both ways go through an acl_t that acl_valid has found good; nothing is taken from
 * bytes that was not checked there or here.
 */
#include "acl.h"

#include <acl/libacl.h>
#include <errno.h>
#include <sys/acl.h>

#include "../keys/bytes.h"

#define VERSION 2u
#define PERMS 7u
#define NOBODY UINT32_MAX /* the id of an entry without a name; no account has it */

/* Adds an entry; id counts for named ones only. 0, or -ENOMEM, -EINVAL. */
static int add(acl_t *acl, acl_tag_t tag, uint32_t id, unsigned perms)
{
	static const struct {
		unsigned bit;
		acl_perm_t perm;
	} bits[] = {{4, ACL_READ}, {2, ACL_WRITE}, {1, ACL_EXECUTE}};
	acl_entry_t entry;
	acl_permset_t set;

	if (perms & ~PERMS || ((tag == ACL_USER || tag == ACL_GROUP) && id == NOBODY))
		return -EINVAL;
	if (acl_create_entry(acl, &entry) || acl_set_tag_type(entry, tag) ||
	    acl_get_permset(entry, &set) || acl_clear_perms(set))
		return -errno;
	for (unsigned i = 0; i < 3; i++) {
		if (perms & bits[i].bit && acl_add_perm(set, bits[i].perm))
			return -errno;
	}
	if ((tag == ACL_USER || tag == ACL_GROUP) && acl_set_qualifier(entry, &id))
		return -errno;
	return 0;
}

/* What stands in an entry that add made. */
static int look(acl_entry_t entry, acl_tag_t *tag, uint32_t *id, unsigned *perms)
{
	acl_permset_t set;

	*id = NOBODY;
	if (acl_get_tag_type(entry, tag) || acl_get_permset(entry, &set))
		return -errno;
	if (*tag == ACL_USER || *tag == ACL_GROUP) {
		uint32_t *named = acl_get_qualifier(entry);

		if (!named)
			return -errno;
		*id = *named;
		acl_free(named);
	}
	*perms = (acl_get_perm(set, ACL_READ) == 1 ? 4u : 0) |
		 (acl_get_perm(set, ACL_WRITE) == 1 ? 2u : 0) |
		 (acl_get_perm(set, ACL_EXECUTE) == 1 ? 1u : 0);
	return 0;
}

/* Each entry in libacl's order; fn's failure ends it. */
static int each(acl_t acl, int (*fn)(void *ctx, acl_tag_t tag, uint32_t id, unsigned perms),
		void *ctx)
{
	acl_entry_t entry;
	int which = ACL_FIRST_ENTRY, got, rc = 0;

	while (!rc && (got = acl_get_entry(acl, which, &entry)) == 1) {
		unsigned perms = 0;
		acl_tag_t tag = 0;
		uint32_t id = 0;

		rc = look(entry, &tag, &id, &perms);
		if (!rc)
			rc = fn(ctx, tag, id, perms);
		which = ACL_NEXT_ENTRY;
	}
	return rc ? rc : got < 0 ? -errno : 0;
}

static int put(void *ctx, acl_tag_t tag, uint32_t id, unsigned perms)
{
	struct bytes_out *out = ctx;

	bytes_put_u16(out, (uint16_t)tag);
	bytes_put_u16(out, (uint16_t)perms);
	bytes_put_u32(out, id);
	return 0;
}

int fs_acl_encode(const struct fs_acl *in, uint8_t out[static FS_ACL_BYTES_MAX], size_t *len)
{
	struct bytes_out w = bytes_out(out, FS_ACL_BYTES_MAX);
	acl_t acl = NULL;
	int rc;

	if (in->count > FS_ACL_ENTRIES)
		return -E2BIG;
	acl = acl_init((int)in->count + 4);
	if (!acl)
		return -errno;
	rc = add(&acl, ACL_USER_OBJ, 0, in->owner);
	if (!rc)
		rc = add(&acl, ACL_GROUP_OBJ, 0, in->group);
	if (!rc)
		rc = add(&acl, ACL_OTHER, 0, in->other);
	for (size_t i = 0; i < in->count && !rc; i++)
		rc = add(&acl, in->entry[i].group ? ACL_GROUP : ACL_USER, in->entry[i].id,
			 in->entry[i].perms);
	if (!rc && in->count && acl_calc_mask(&acl))
		rc = -errno;
	if (!rc && acl_valid(acl))
		rc = -EINVAL;
	bytes_put_u32(&w, VERSION);
	if (!rc)
		rc = each(acl, put, &w);
	if (!rc && w.bad)
		rc = -E2BIG;
	if (!rc)
		*len = w.len;
	acl_free(acl);
	return rc;
}

struct taken {
	struct fs_acl *acl;
	unsigned mask;
};

static int take(void *ctx, acl_tag_t tag, uint32_t id, unsigned perms)
{
	struct taken *t = ctx;
	struct fs_acl *acl = t->acl;

	switch (tag) {
	case ACL_USER_OBJ:
		acl->owner = perms;
		return 0;
	case ACL_GROUP_OBJ:
		acl->group = perms;
		return 0;
	case ACL_OTHER:
		acl->other = perms;
		return 0;
	case ACL_MASK:
		t->mask = perms;
		return 0;
	default:
		if (acl->count == FS_ACL_ENTRIES)
			return -E2BIG;
		acl->entry[acl->count++] = (struct fs_acl_entry){tag == ACL_GROUP, id, perms};
		return 0;
	}
}

/* The bytes as an acl_t, which the caller frees whatever comes out. */
static int parse(const void *p, size_t len, acl_t *acl)
{
	struct bytes_in in = bytes_in(p, len);
	int rc = 0;

	if (len > FS_ACL_BYTES_MAX)
		return -E2BIG;
	if (bytes_get_u32(&in) != VERSION || in.bad)
		return -EINVAL;
	*acl = acl_init((int)(len / 8));
	if (!*acl)
		return -errno;
	while (!rc && in.off < in.len) {
		acl_tag_t tag = bytes_get_u16(&in);
		unsigned perms = bytes_get_u16(&in);
		uint32_t id = bytes_get_u32(&in);

		rc = in.bad ? -EINVAL : add(acl, tag, id, perms);
	}
	return rc ? rc : acl_valid(*acl) ? -EINVAL : 0;
}

int fs_acl_decode(const void *p, size_t len, struct fs_acl *out)
{
	struct taken t = {.acl = out, .mask = PERMS};
	acl_t acl = NULL;
	int rc = parse(p, len, &acl);

	out->count = 0;
	if (!rc)
		rc = each(acl, take, &t);
	for (size_t i = 0; i < out->count && !rc; i++)
		rc = out->entry[i].perms & ~t.mask ? -EINVAL : 0;
	if (acl)
		acl_free(acl);
	return rc;
}
