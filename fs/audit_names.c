/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/audit_names.c - which journals bear a name, or bore it once.
 *
 * What is in force stands in the catalog; what was, in the versions of policies, which stay when a
 * journal is renamed or removed. Nothing is verified: it says where to look in the log, not what is
 * true.
 *
 * Locks: `lock` for a look at the catalog; none while versions are read.
 */
#include "../policy/which.h"
#include "vault_impl.h"

static uint32_t now_called(struct fs_vault *v, const char *name, uint32_t *newest)
{
	const struct fs_entry *e;
	uint32_t number;

	pthread_rwlock_rdlock(&v->lock);
	e = fs_catalog_by_name(v, name);
	number = e ? e->index : 0;
	*newest = v->counters.policy;
	pthread_rwlock_unlock(&v->lock);
	return number;
}

int fs_audit_names_find(struct fs_vault *v, const char *name, struct fs_audit_names *names)
{
	uint8_t *seen = calloc(FS_JOURNAL_MAX / 8 + 1, 1);
	uint32_t newest = 0, now = seen ? now_called(v, name, &newest) : 0;
	int rc = seen ? 0 : -ENOMEM;

	if (now)
		rc = fs_audit_names_add(names, now, true);
	/* Newest first: a file's first version that is met is its last one. */
	for (uint32_t n = newest; n && !rc; n--) {
		struct fs_version ver;
		char called[POLICY_JOURNAL_NAME_MAX + 1];
		uint8_t *byte, bit;

		if (fs_policies_peek(v, n, &ver))
			continue; /* damage is told where versions are read */
		byte = &seen[(ver.file & FS_JOURNAL_MAX) / 8];
		bit = (uint8_t)(1u << ver.file % 8);
		if (ver.file && policy_which_journal(ver.text, ver.len, called) &&
		    !strcmp(called, name))
			rc = fs_audit_names_add(names, ver.file, !(*byte & bit));
		*byte |= bit;
		fs_policies_clear(&ver);
	}
	free(seen);
	return rc;
}
