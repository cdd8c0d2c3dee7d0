/* SPDX-License-Identifier: Apache-2.0 */
/* What decodes as a list encodes, and comes back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fs_acl acl, back;
	uint8_t out[FS_ACL_BYTES_MAX];
	size_t len = 0;

	if (fs_acl_decode(data, size, &acl))
		return 0;
	if (fs_acl_encode(&acl, out, &len) || fs_acl_decode(out, len, &back))
		abort();
	if (acl.count != back.count || acl.owner != back.owner || acl.group != back.group ||
	    acl.other != back.other)
		abort();
	for (size_t i = 0; i < acl.count; i++) {
		if (acl.entry[i].id != back.entry[i].id ||
		    acl.entry[i].group != back.entry[i].group ||
		    acl.entry[i].perms != back.entry[i].perms)
			abort();
	}
	return 0;
}
