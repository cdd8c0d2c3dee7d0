/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/break_glass_key.c - a journal's keys out of its break-glass wraps, inside a grant.
 *
 * The one place besides pending grants (grants.c) where the break-glass key is used.
 *
 * Invariants: (1) without an open grant of this practitioner for this journal nothing
 * is unwrapped; (2) the record of the use is durable before the key is touched: no
 * record, no key; (3) the break-glass secret lives in guarded memory for the length
 * of one call.
 *
 * Locks: none held by the caller; the session's lock while its secret is used.
 */
#include "vault_impl.h"

static int tell_use(struct fs_vault *v, struct fs_session *s, uint32_t index, uint64_t grant)
{
	struct policy_record r;
	const struct fs_entry *e;

	policy_record_init(&r, POLICY_RECORD_KEYS);
	fs_vault_record(v, s, 0, &r);
	r.journal = index;
	r.grant = grant;
	policy_record_copy(r.purpose, sizeof(r.purpose), "BTG");
	policy_record_copy(r.detail, sizeof(r.detail), "the break-glass key opens the journal");
	pthread_rwlock_rdlock(&v->lock);
	e = fs_catalog_by_index(v, index);
	if (e)
		policy_record_copy(r.journal_name, sizeof(r.journal_name), e->name);
	pthread_rwlock_unlock(&v->lock);
	return fs_log_write(v->log, &r);
}

int fs_glass_unwrap(struct fs_vault *v, struct fs_session *s, uint32_t index,
		    struct fs_journal_chain *out)
{
	struct policy_grant grant;
	uint8_t *sk;
	bool open;
	int rc;

	pthread_rwlock_rdlock(&v->lock);
	open = fs_glass_find(v, s->pid, s->enrolment, index, &grant);
	pthread_rwlock_unlock(&v->lock);
	if (!open)
		return -EACCES;
	sk = keys_guard_new(KEYS_LEN);
	rc = sk ? tell_use(v, s, index, grant.number) : -ENOMEM;
	/* A log that can't be written: access stops. */
	if (rc && rc != -ENOMEM)
		rc = -EIO;
	if (!rc) {
		pthread_rwlock_rdlock(&s->lock);
		rc = s->secret ? fs_lists_get_bg(v, s->pid, s->enrolment, s->secret->box_sk, sk)
			       : -ENOKEY;
		pthread_rwlock_unlock(&s->lock);
	}
	if (!rc)
		rc = fs_journals_unwrap(v, index, FS_WRAP_BREAK_GLASS, 0, 0, sk, out);
	keys_guard_free(sk);
	return rc;
}
