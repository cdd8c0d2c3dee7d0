/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/journals.c - journals' keys: wraps, manifests, and who may have signed.
 *
 * A journal's keys come out of the wraps for one practitioner and are used only
 * after the manifest of each generation was verified (its signer's chain, that he
 * might make journals then, or sign this one's root, and that it follows the
 * generation before) and the key matches the commitment: sealed boxes do not say who
 * sealed them. Together with the journal's slot in
 * VAULT/shred it gives the keys of the records layer, which asks back whether the
 * session that signed the journal's root might write then. Implements
 * fs/FORMAT.md, "MANIFEST", "WRAP" and "Shred".
 *
 * Invariant: nobody's key is taken for a journal's that its manifest does not
 * commit to, whoever can write to the vault.
 */
#include <unistd.h>

#include "vault_impl.h"

#define WRAP_RECORD (4 + KEYS_WRAP_LEN)

/* ---- wraps and manifests ---- */

struct fs_key fs_journals_wrap_key(uint32_t index, uint32_t generation, enum fs_wrap_kind kind,
				   uint32_t pid)
{
	struct fs_key key = fs_key_n(index, 0, FS_T_WRAP, generation, 4);

	fs_key_add(&key, kind, 1);
	fs_key_add(&key, pid, 4);
	return key;
}

int fs_journals_put_wrap(struct fs_vault *v, struct fs_batch *b,
			 const struct keys_wrap_place *place, enum fs_wrap_kind kind, uint32_t pid,
			 uint32_t enrolment, const uint8_t key[static KEYS_LEN],
			 const uint8_t box_pk[static KEYS_LEN])
{
	struct fs_key at = fs_journals_wrap_key(place->journal, place->generation, kind, pid);
	uint8_t bytes[WRAP_RECORD];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));
	uint8_t *wrap;
	int rc;

	bytes_put_u32(&out, enrolment);
	wrap = bytes_room(&out, KEYS_WRAP_LEN);
	rc = keys_wrap_seal(place, key, box_pk, wrap);
	if (!rc)
		fs_batch_put(b, fs_records_vault(v->records), &at, bytes, sizeof(bytes));
	return rc;
}

static int present_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_journals_present *p = ctx;
	uint32_t generation = (uint32_t)fs_key_sub(key, 4);

	(void)buf;
	if (p->n == FS_JOURNAL_KEYS || !generation ||
	    (p->n && generation != p->generation[p->n - 1] + 1))
		return -EBADMSG;
	p->generation[p->n++] = generation;
	return 0;
}

int fs_journals_present(struct fs_vault *v, uint32_t index, struct fs_journals_present *p)
{
	struct fs_key from = fs_key(index, 0, FS_T_MANIFEST),
		      to = fs_key(index, 0, FS_T_MANIFEST + 1);
	int rc;

	p->n = 0;
	rc = fs_record_scan(fs_records_vault(v->records), &from, &to, present_one, p);
	return !rc && !p->n ? -EBADMSG : rc;
}

static int read_manifest(struct fs_vault *v, uint32_t index, uint32_t generation,
			 struct keys_manifest *out)
{
	struct fs_key key = fs_key_n(index, 0, FS_T_MANIFEST, generation, 4);
	struct fs_buf *buf = NULL;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	rc = keys_manifest_decode(buf->data, buf->len, out);
	fs_buf_put(buf);
	if (!rc && (out->place.journal != index || out->place.generation != generation ||
		    memcmp(out->place.vault, v->header.vault, KEYS_VAULT_ID_LEN)))
		rc = -EBADMSG;
	return rc;
}

/* Might who write in this journal at `when`, as policy stood at version? */
static bool might_write(struct fs_vault *v, uint32_t index, uint32_t version, const char *who,
			const int64_t *when, size_t n);

/* Who makes a journal makes its first key; later ones whoever may sign its root. */
static int check_maker(struct fs_vault *v, const struct keys_manifest *m, const char *who)
{
	int64_t when = (int64_t)m->time_s;

	if (m->place.generation == 1)
		return fs_policies_had(v, m->policy_version, who, POLICY_CREATE, when);
	return might_write(v, m->place.journal, m->policy_version, who, &when, 1) ? 0 : -EBADMSG;
}

int fs_journals_manifest(struct fs_vault *v, uint32_t index, uint32_t generation,
			 struct keys_manifest *out)
{
	const struct keys_identity *id = NULL;
	struct keys_manifest m;
	uint8_t pk[KEYS_LEN];
	bool rights = index != 0; /* the index key's is needed before there is a policy to ask */
	int rc = read_manifest(v, index, generation, &m);

	if (!rc)
		rc = fs_people_signer_pk(v, m.signer, m.enrolment, rights, pk);
	if (!rc)
		rc = keys_manifest_verify(&m, pk);
	if (!rc && rights && m.signer) {
		rc = fs_people_identity(v, m.signer, m.enrolment, false, &id);
		if (!rc)
			rc = check_maker(v, &m, id->name);
	}
	if (!rc)
		*out = m;
	return rc;
}

int fs_journals_follows(struct fs_vault *v, uint32_t index, uint32_t generation,
			const uint8_t before[static KEYS_LEN])
{
	struct keys_manifest m;
	int rc = read_manifest(v, index, generation, &m);

	return rc ? rc : keys_manifest_follows(&m, before);
}

int fs_journals_unwrap_one(struct fs_vault *v, uint32_t index, uint32_t generation,
			   enum fs_wrap_kind kind, uint32_t pid, uint32_t enrolment,
			   const uint8_t box_sk[static KEYS_LEN], struct keys_manifest *m,
			   uint8_t key[static KEYS_LEN])
{
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	struct fs_key at;
	uint8_t got[KEYS_LEN];
	uint32_t of;
	int rc = fs_journals_manifest(v, index, generation, m);

	if (rc)
		return rc;
	at = fs_journals_wrap_key(index, m->place.generation, kind, pid);
	rc = fs_record_get(fs_records_vault(v->records), &at, &buf);
	if (rc)
		return rc == -ENOENT ? -EACCES : rc;
	in = bytes_in(buf->data, buf->len);
	of = bytes_get_u32(&in);
	/* A wrap for an identity that was replaced is as good as none. */
	if (!in.bad && of != enrolment)
		rc = -EACCES;
	else
		rc = in.bad ? -EBADMSG
			    : keys_wrap_open(&m->place, in.p + in.off, in.len - in.off, box_sk,
					     got);
	fs_buf_put(buf);
	if (!rc)
		rc = keys_manifest_check(m, got);
	if (!rc)
		memcpy(key, got, KEYS_LEN);
	keys_wipe(got, sizeof(got));
	return rc;
}

/*
 * The newest first, down to the oldest that is left: a key that the one before does not vouch for was
 * slipped in. Without a wrap of each he is simply not admitted: who was let in just before a renewal
 * may have the newest key's before those of older ones, and that is no damage.
 */
int fs_journals_unwrap(struct fs_vault *v, uint32_t index, enum fs_wrap_kind kind, uint32_t pid,
		       uint32_t enrolment, const uint8_t box_sk[static KEYS_LEN],
		       struct fs_journal_chain *out)
{
	struct keys_manifest m;
	struct fs_journals_present p;
	int rc = fs_journals_present(v, index, &p);

	for (size_t i = p.n; !rc && i-- > 0;) {
		out->generation[i] = p.generation[i];
		rc = fs_journals_unwrap_one(v, index, p.generation[i], kind, pid, enrolment, box_sk,
					    &m, out->key[i]);
		if (!rc && i + 1 < p.n)
			rc = fs_journals_follows(v, index, p.generation[i + 1], out->key[i]);
	}
	if (rc) {
		keys_wipe(out, sizeof(*out));
		return rc;
	}
	out->n = p.n;
	return 0;
}

void fs_journals_place(const struct fs_vault *v, uint32_t index, uint32_t generation,
		       struct keys_wrap_place *out)
{
	*out = (struct keys_wrap_place){.journal = index, .generation = generation};
	memcpy(out->vault, v->header.vault, sizeof(out->vault));
}

/* ---- the shred file ---- */

int fs_journals_shred_read(struct fs_vault *v, uint32_t index, uint8_t out[static KEYS_SHRED_LEN])
{
	ssize_t n = pread(v->shredfd, out, KEYS_SHRED_LEN, (off_t)index * KEYS_SHRED_LEN);

	return n == KEYS_SHRED_LEN ? 0 : n < 0 ? -errno : -EBADMSG;
}

int fs_journals_shred_write(struct fs_vault *v, uint32_t index,
			    const uint8_t slot[static KEYS_SHRED_LEN])
{
	ssize_t n = pwrite(v->shredfd, slot, KEYS_SHRED_LEN, (off_t)index * KEYS_SHRED_LEN);

	if (n != KEYS_SHRED_LEN)
		return n < 0 ? -errno : -ENOSPC;
	return fdatasync(v->shredfd) ? -errno : 0;
}

/* ---- opening ---- */

static bool might_write(struct fs_vault *v, uint32_t index, uint32_t version, const char *who,
			const int64_t *when, size_t n)
{
	struct policy_practice *practice = NULL;
	struct policy_journal *journal = NULL;
	bool may = false;

	if (!fs_policies_at(v, version, &practice) &&
	    !fs_policies_journal_at(v, index, version, &journal)) {
		for (size_t i = 0; i < n && !may; i++) {
			struct policy_question q = {practice, journal, who, POLICY_WRITE, when[i], NULL};
			struct policy_verdict verdict;

			policy_decide(&q, &verdict);
			may = verdict.answer == POLICY_ALLOW;
			q.journal = NULL;
			q.rights = POLICY_CREATE;
			policy_decide(&q, &verdict);
			may = may || verdict.answer == POLICY_ALLOW;
		}
	}
	if (journal)
		policy_journal_put(journal);
	if (practice)
		policy_practice_put(practice);
	return may;
}

#define VERSIONS_BACK 64 /* so many changes of policy while one request is under way are enough */

/*
 * The root names the version in force when it was signed; what it covers may have been let in just
 * before that came into force, by somebody whom it takes the right from. Refusing his signature
 * then would lock everybody out of the journal. So each version counts that was in force at some
 * time of his session: it is he who names the version, so this gives him nothing.
 */
static bool might_write_then(struct fs_vault *v, uint32_t index, uint32_t version, const char *who,
			     const int64_t *when, size_t n)
{
	for (unsigned back = 0; version && back < VERSIONS_BACK; back++, version--) {
		struct fs_version ver;
		bool began_later;

		if (might_write(v, index, version, who, when, n))
			return true;
		if (fs_policies_read(v, version, &ver))
			return false;
		began_later = (int64_t)ver.time_s >= when[0];
		fs_policies_clear(&ver);
		if (!began_later)
			return false; /* the one before ended before his session began */
	}
	return false;
}

static int read_cert(struct fs_vault *v, const uint8_t *session, struct keys_session_cert *cert)
{
	struct fs_key key = fs_key(0, 0, FS_T_SESSION_CERT);
	struct fs_buf *buf = NULL;
	int rc;

	fs_key_add_bytes(&key, session, KEYS_SESSION_ID_LEN);
	rc = fs_record_get(fs_records_vault(v->records), &key, &buf);
	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	rc = keys_session_cert_decode(buf->data, buf->len, cert);
	fs_buf_put(buf);
	return rc;
}

/*
 * A session is shorter than a day and policy counts in days, so that a right which held at some
 * moment of the session held at its start or at its end.
 */
static int signer_pk(void *ctx, uint32_t index, const struct fs_root_info *info,
		     uint8_t pk_out[static KEYS_LEN])
{
	struct fs_vault *v = ctx;
	const struct keys_identity *id = NULL;
	struct keys_session_cert cert;
	int64_t when[2];
	int rc = info->pid ? read_cert(v, info->session, &cert) : -EBADMSG;

	if (!rc && (cert.pid != info->pid || cert.enrolment != info->enrolment ||
		    memcmp(cert.session, info->session, KEYS_SESSION_ID_LEN) ||
		    memcmp(cert.vault, v->header.vault, KEYS_VAULT_ID_LEN)))
		rc = -EBADMSG;
	if (!rc)
		rc = fs_people_identity(v, info->pid, info->enrolment, true, &id);
	if (!rc)
		rc = keys_session_cert_verify(&cert, id);
	if (!rc) {
		when[0] = (int64_t)cert.from_s;
		when[1] = (int64_t)cert.until_s;
		if (!might_write_then(v, index, info->policy_version, id->name, when, 2) &&
		    !fs_glass_wrote(v, info->pid, info->enrolment, index, when[0], when[1]))
			rc = -EBADMSG;
	}
	if (rc == -ENOENT)
		rc = -EBADMSG;
	if (rc == -EBADMSG)
		fs_vault_alarm(v, index,
			       "a journal was signed by somebody who may not write there");
	if (!rc)
		memcpy(pk_out, cert.pk, KEYS_LEN);
	return rc;
}

int fs_journals_derive(struct fs_vault *v, uint32_t index, uint32_t generation,
		       const uint8_t key[static KEYS_LEN], struct keys_journal *out)
{
	struct keys_wrap_place place;
	uint8_t shred[KEYS_SHRED_LEN];
	int rc = fs_journals_shred_read(v, index, shred);

	fs_journals_place(v, index, generation, &place);
	if (!rc)
		keys_journal_derive(&place, key, shred, out);
	keys_wipe(shred, sizeof(shred));
	return rc;
}

int fs_journals_open(struct fs_vault *v, uint32_t index, const struct fs_journal_chain *chain,
		     bool create, struct fs_journal **out)
{
	struct keys_journal *keys = keys_guard_new(FS_JOURNAL_KEYS * sizeof(*keys));
	size_t newest = chain->n - 1;
	struct fs_journal_open o = {
		.index = index,
		.generation = chain->generation[newest],
		.keys = keys ? &keys[newest] : NULL,
		.n_older = newest,
		.create = create,
		.signer_pk = signer_pk,
		.ctx = v,
	};
	int rc = keys ? 0 : -ENOMEM;

	for (size_t i = 0; i < chain->n && !rc; i++) {
		rc = fs_journals_derive(v, index, chain->generation[i], chain->key[i], &keys[i]);
		if (i < newest)
			o.older[i] = (struct fs_journal_older){chain->generation[i], &keys[i]};
	}
	if (!rc)
		rc = fs_journal_open(v->records, &o, out);
	keys_guard_free(keys);
	return rc;
}

int fs_vault_journal(struct fs_vault *v, struct fs_session *s, uint32_t index,
		     struct fs_journal **out)
{
	struct fs_journal_chain chain;
	struct fs_journal *j;
	int rc;

	if (fs_session_state(s) != FS_SESSION_ACTIVE && fs_session_state(s) != FS_SESSION_DRAINING)
		return -ENOKEY;
	j = fs_session_journal_find(s, index);
	if (j) {
		*out = j;
		return 0;
	}
	pthread_rwlock_rdlock(&v->lock);
	rc = fs_catalog_by_index(v, index) ? 0 : -ENOENT;
	pthread_rwlock_unlock(&v->lock);
	if (rc)
		return rc;
	pthread_rwlock_rdlock(&s->lock);
	rc = !s->secret ? -ENOKEY
			: fs_journals_unwrap(v, index, FS_WRAP_PRACTITIONER, s->pid, s->enrolment,
					     s->secret->box_sk, &chain);
	pthread_rwlock_unlock(&s->lock);
	if (rc == -EACCES)
		rc = fs_glass_unwrap(v, s, index, &chain);
	if (!rc)
		rc = fs_journals_open(v, index, &chain, false, &j);
	keys_wipe(&chain, sizeof(chain));
	if (rc == -EBADMSG)
		fs_vault_alarm(v, index, "a journal's key or root does not verify");
	if (!rc) {
		fs_session_journal_add(s, j);
		*out = j;
	}
	return rc;
}
