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
 * Locks: none needed from the caller; the session's lock while its secret is used.
 */
#include "vault_impl.h"

#define BG_TURNS 16 /* more are never in use at a time but in a vault that nobody has used meanwhile */

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

int fs_glass_keys(struct fs_vault *v, struct fs_session *s, uint32_t index,
		  struct fs_journal_chain *out)
{
	uint32_t turn = atomic_load(&v->bg_turn), tries = 0;
	uint8_t *sk = keys_guard_new(KEYS_LEN);
	int rc = sk ? -EACCES : -ENOMEM;

	/* Just after a renewal the journal's wraps may be of the turn before, or of an older one. */
	for (; rc == -EACCES && tries <= BG_TURNS; tries++, turn--) {
		rc = fs_bg_of_session(v, s, turn, sk);
		if (!rc)
			rc = fs_journals_unwrap(v, index, FS_WRAP_BREAK_GLASS, 0, turn, sk, out);
		if (!turn)
			break;
	}
	keys_guard_free(sk);
	return rc;
}

int fs_glass_unwrap(struct fs_vault *v, struct fs_session *s, uint32_t index,
		    struct fs_journal_chain *out)
{
	struct policy_grant grant;
	bool open;
	int rc;

	pthread_rwlock_rdlock(&v->lock);
	open = fs_glass_find(v, s->pid, s->enrolment, index, &grant);
	pthread_rwlock_unlock(&v->lock);
	if (!open)
		return -EACCES;
	rc = tell_use(v, s, index, grant.number);
	/* A log that can't be written: access stops. */
	return rc ? -EIO : fs_glass_keys(v, s, index, out);
}
