/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/journal_make.c - making, renaming and removing journals.
 *
 * A new journal is one batch: its first inode and name under its own key, its
 * manifest, wraps for everybody whom policy admits, for break-glass and for
 * recovery, its policy and its name under the index key. Its slot in VAULT/shred
 * is durable before that batch can be. Removing deletes everything in one batch
 * too, and overwrites the slot afterwards.
 *
 * Invariants: (1) numbers of journals are never used again; (2) the record in the
 * log is durable before anything changes; (3) refusals are logged, a hidden name
 * as much as a missing right.
 */
#include <time.h>

#include "final.h"
#include "vault_impl.h"

static bool may(struct fs_vault *v, struct fs_session *s, const struct fs_entry *e, uint32_t rights)
{
	struct policy_verdict verdict;

	if (fs_session_state(s) != FS_SESSION_ACTIVE)
		return false;
	fs_catalog_verdict(v, e, s->who, rights, fs_vault_wall_s(), &verdict);
	return verdict.answer == POLICY_ALLOW;
}

static int refuse(struct fs_vault *v, struct fs_session *s, uint32_t index, const char *name,
		  int rc, const char *what)
{
	int rc2 = fs_vault_tell(v, s, POLICY_RECORD_REFUSED, index, name, "%s", what);

	return rc2 ? rc2 : rc;
}

static int check_name(const char *name)
{
	if (strlen(name) > POLICY_JOURNAL_NAME_MAX)
		return -ENAMETOOLONG;
	/* Desktop droppings (.Trash-1000) and .policy are no journals. */
	return name[0] != '.' && policy_journal_name_check(name) ? 0 : -EINVAL;
}

static struct fs_actor actor_of(struct fs_session *s, struct fs_signer *signer)
{
	struct fs_actor who = {.signer = signer, .pid = s->pid};

	clock_gettime(CLOCK_REALTIME, &who.now);
	return who;
}

/* ---- making ---- */

struct making {
	struct fs_vault *v;
	struct fs_session *s;
	const char *name;
	struct fs_entry *entry;
	char *text;
	struct keys_wrap_place place;
	struct fs_journal_chain *chain; /* guarded; of one key */
	uint8_t *key;			/* in there */
	struct fs_journal *journal;
	struct fs_edit e;
};

static int wrap_for(void *ctx, const struct keys_identity *id)
{
	struct making *m = ctx;

	return fs_journals_put_wrap(m->v, &m->e.b, &m->place, FS_WRAP_PRACTITIONER, id->pid,
				    id->enrolment, m->key, id->box_pk);
}

static int wrap_for_vault(struct making *m, enum keys_list_kind list, enum fs_wrap_kind kind)
{
	const struct keys_list_entry *k = fs_lists_find(m->v, list, 0);
	uint32_t turn = kind == FS_WRAP_BREAK_GLASS ? atomic_load(&m->v->bg_turn) : 0;

	return k ? fs_journals_put_wrap(m->v, &m->e.b, &m->place, kind, 0, turn, m->key, k->box_pk)
		 : 0;
}

static int put_wraps(struct making *m)
{
	int rc = fs_grants_recipients(m->v, m->v->practice, m->entry->policy, m->s->pid, wrap_for,
				      m);

	if (!rc)
		rc = wrap_for_vault(m, KEYS_LIST_BREAK_GLASS, FS_WRAP_BREAK_GLASS);
	if (!rc)
		rc = wrap_for_vault(m, KEYS_LIST_RECOVERY, FS_WRAP_RECOVERY);
	return rc;
}

/* What the creator signs: the manifest and the first policy version. */
static int put_signed(struct making *m)
{
	struct fs_key at = fs_key_n(m->place.journal, 0, FS_T_MANIFEST, m->place.generation, 4);
	struct keys_manifest manifest = {
		.place = m->place,
		.signer = m->s->pid,
		.enrolment = m->s->enrolment,
		.policy_version = m->v->counters.policy,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	struct fs_hand hand = {.pid = m->s->pid, .enrolment = m->s->enrolment};
	uint8_t bytes[KEYS_MANIFEST_LEN];
	int rc;

	pthread_rwlock_rdlock(&m->s->lock);
	rc = m->s->secret ? 0 : -ENOKEY;
	if (!rc) {
		hand.sk = m->s->secret->statement_sk;
		keys_manifest_sign(&manifest, m->key, NULL, hand.sk);
		rc = fs_policies_add(&m->e, &hand, m->place.journal, 0, m->text, strlen(m->text));
	}
	pthread_rwlock_unlock(&m->s->lock);
	if (rc)
		return rc;
	keys_manifest_encode(&manifest, bytes);
	fs_batch_put(&m->e.b, fs_records_vault(m->v->records), &at, bytes, sizeof(bytes));
	return 0;
}

static int prepare(struct making *m)
{
	const struct policy_practitioner *p = policy_practice_find(m->v->practice, m->s->who);
	uint8_t shred[KEYS_SHRED_LEN];
	int rc;

	if (!p)
		return -EACCES;
	errno = 0;
	m->text = policy_journal_initial(m->name, p);
	m->entry = fs_catalog_new_entry(m->v->counters.journal + 1, m->name);
	m->chain = keys_guard_new(sizeof(*m->chain));
	if (!m->text || !m->entry || !m->chain)
		return !m->text && errno == EINVAL ? -EINVAL : -ENOMEM;
	if (m->entry->index > FS_JOURNAL_MAX)
		return -ENOSPC;
	rc = fs_policies_parse_journal(m->text, strlen(m->text), m->name, &m->entry->policy);
	if (rc)
		return rc == -EBADMSG ? -EINVAL : rc;
	m->entry->hash = fs_catalog_hash(m->v->index_key, m->name);
	rc = fs_catalog_slot(m->v, m->entry->hash, &m->entry->slot);
	if (rc)
		return rc;
	memcpy(m->place.vault, m->v->header.vault, sizeof(m->place.vault));
	m->place.journal = m->entry->index;
	m->place.generation = 1;
	m->chain->n = 1;
	m->chain->generation[0] = 1;
	m->key = m->chain->key[0];
	keys_random(m->key, KEYS_LEN);
	keys_random(shred, sizeof(shred));
	rc = fs_journals_shred_write(m->v, m->entry->index, shred);
	keys_wipe(shred, sizeof(shred));
	return rc;
}

static int store(struct making *m, struct fs_signer *signer)
{
	struct fs_actor who = actor_of(m->s, signer);
	int rc = fs_journals_open(m->v, m->entry->index, m->chain, true, &m->journal);

	fs_vault_edit_begin(m->v, &m->e, signer);
	if (!rc)
		rc = fs_tree_make_root(m->journal, &m->e.b, m->name, &who);
	if (!rc)
		rc = put_signed(m);
	if (!rc)
		rc = put_wraps(m);
	m->e.c.journal = m->entry->index;
	m->entry->version = m->e.c.policy;
	fs_catalog_put_name(m->v, &m->e.b, m->entry);
	return rc ? rc : fs_vault_edit_commit(&m->e);
}

static int make_locked(struct making *m)
{
	struct fs_signer *signer;
	int rc;

	if (!may(m->v, m->s, NULL, POLICY_CREATE))
		return refuse(m->v, m->s, 0, m->name, -EACCES, "making a journal");
	if (fs_catalog_by_name(m->v, m->name))
		return refuse(m->v, m->s, fs_catalog_by_name(m->v, m->name)->index, m->name,
			      -EEXIST, "making a journal that exists");
	signer = fs_session_signer(m->s);
	if (!signer)
		return -ENOKEY;
	rc = prepare(m);
	if (!rc)
		rc = fs_vault_tell(m->v, m->s, POLICY_RECORD_JOURNAL, m->entry->index, m->name,
				   "the journal is made");
	if (!rc)
		rc = store(m, signer);
	fs_signer_put(signer);
	if (rc)
		return rc;
	pthread_rwlock_wrlock(&m->v->lock);
	rc = fs_catalog_insert(&m->v->journals, m->entry);
	pthread_rwlock_unlock(&m->v->lock);
	if (rc)
		return rc;
	fs_grants_journal_changed(m->v, m->entry);
	fs_session_journal_add(m->s, m->journal);
	m->entry = NULL;
	return 0;
}

int fs_vault_journal_make(struct fs_vault *v, struct fs_session *s, const char *name,
			  uint32_t *index)
{
	struct making m = {.v = v, .s = s, .name = name};
	int rc;

	if (fs_session_state(s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	rc = check_name(name);
	if (rc)
		return rc;
	pthread_mutex_lock(&v->edit);
	rc = make_locked(&m);
	pthread_mutex_unlock(&v->edit);
	if (m.entry) {
		if (m.entry->policy)
			policy_journal_put(m.entry->policy);
		free(m.entry);
	}
	fs_vault_edit_clear(&m.e);
	keys_guard_free(m.chain);
	free(m.text);
	if (m.journal)
		fs_journal_put(m.journal);
	if (!rc)
		*index = m.place.journal;
	return rc;
}

/* ---- renaming ---- */

struct renaming {
	struct fs_vault *v;
	struct fs_session *s;
	struct fs_entry *old; /* in the catalog until the commit */
	struct fs_entry *next;
	const char *newname;
	char *text;
	size_t len;
	struct fs_edit e;
};

static int rename_text(struct renaming *r)
{
	char *old = NULL;
	uint32_t version;
	size_t len;
	int rc = fs_policies_text(r->v, r->old->index, &old, &len, &version);

	if (rc)
		return rc;
	errno = 0;
	r->text = policy_journal_renamed(old, len, r->newname);
	free(old);
	if (!r->text)
		return errno == EINVAL ? -EINVAL : -ENOMEM;
	r->len = strlen(r->text);
	r->next = fs_catalog_new_entry(r->old->index, r->newname);
	if (!r->next)
		return -ENOMEM;
	rc = fs_policies_parse_journal(r->text, r->len, r->newname, &r->next->policy);
	if (rc)
		return rc;
	r->next->hash = fs_catalog_hash(r->v->index_key, r->newname);
	return fs_catalog_slot(r->v, r->next->hash, &r->next->slot);
}

static int rename_store(struct renaming *r, struct fs_journal *j)
{
	struct fs_key old_name = fs_catalog_name_key(r->old->hash, r->old->slot);
	struct fs_hand hand = {.pid = r->s->pid, .enrolment = r->s->enrolment};
	int rc = fs_tree_set_journal_name(j, &r->e.b, r->newname);

	pthread_rwlock_rdlock(&r->s->lock);
	if (!rc)
		rc = r->s->secret ? 0 : -ENOKEY;
	if (!rc) {
		hand.sk = r->s->secret->statement_sk;
		rc = fs_policies_add(&r->e, &hand, r->old->index, r->old->version, r->text, r->len);
	}
	pthread_rwlock_unlock(&r->s->lock);
	if (rc)
		return rc;
	r->next->version = r->e.c.policy;
	fs_batch_del(&r->e.b, fs_records_vault(r->v->records), &old_name);
	fs_catalog_put_name(r->v, &r->e.b, r->next);
	return fs_vault_edit_commit(&r->e);
}

/* Rights to rename and remove are the same: create in the vault, write in the journal. */
static int check_change(struct fs_vault *v, struct fs_session *s, const char *name,
			struct fs_entry **out, const char *what)
{
	struct fs_entry *e = fs_catalog_by_name(v, name);
	struct policy_verdict verdict;

	if (!e)
		return -ENOENT;
	fs_catalog_verdict(v, e, s->who, 0, fs_vault_wall_s(), &verdict);
	if (!verdict.visible)
		return refuse(v, s, e->index, name, -ENOENT, what);
	if (!may(v, s, NULL, POLICY_CREATE) || !may(v, s, e, POLICY_WRITE))
		return refuse(v, s, e->index, name, -EACCES, what);
	*out = e;
	return 0;
}

/*
 * Where final notes are, the journal keeps its name and stays: statements name it, and nobody may take
 * away what they speak of. The end of the chain is asked too: it stands under the host secret, where whoever may write
 * in the journal can't change it.
 */
static int check_final(struct fs_vault *v, struct fs_session *s, const struct fs_entry *e,
		       const char *name, struct fs_journal *j, const char *what)
{
	struct fs_inode *root = NULL;
	uint8_t hash[KEYS_LEN];
	uint32_t number = 0;
	bool holds = false;
	int rc = fs_final_last(j, &number, hash);

	if (!rc)
		rc = fs_inode_get(j, FS_ROOT_INO, &root);
	if (rc)
		return rc;
	pthread_rwlock_rdlock(&root->lock);
	holds = number || fs_final_check_dir(root);
	pthread_rwlock_unlock(&root->lock);
	fs_inode_put(root);
	return holds ? refuse(v, s, e->index, name, -EPERM, what) : 0;
}

static int rename_locked(struct renaming *r, const char *name)
{
	struct fs_signer *signer = NULL;
	struct fs_journal *j = NULL;
	int rc = check_change(r->v, r->s, name, &r->old, "renaming a journal");

	if (rc)
		return rc;
	if (fs_catalog_by_name(r->v, r->newname))
		return refuse(r->v, r->s, r->old->index, name, -EEXIST,
			      "renaming a journal to a name that exists");
	rc = rename_text(r);
	if (!rc)
		rc = fs_vault_journal(r->v, r->s, r->old->index, &j);
	if (!rc)
		rc = check_final(r->v, r->s, r->old, name, j,
				 "renaming a journal that holds final notes");
	signer = fs_session_signer(r->s);
	if (!rc && !signer)
		rc = -ENOKEY;
	if (!rc)
		rc = fs_vault_tell(r->v, r->s, POLICY_RECORD_JOURNAL, r->old->index, name,
				   "the journal is renamed to \"%s\"", r->newname);
	fs_vault_edit_begin(r->v, &r->e, signer);
	if (!rc)
		rc = rename_store(r, j);
	if (!rc) {
		struct fs_entry *was = r->old;

		pthread_rwlock_wrlock(&r->v->lock);
		fs_catalog_remove(&r->v->journals, r->old);
		rc = fs_catalog_insert(&r->v->journals, r->next);
		pthread_rwlock_unlock(&r->v->lock);
		if (!rc)
			fs_grants_journal_changed(r->v, r->next);
		r->next = was; /* freed by the caller */
	}
	fs_signer_put(signer);
	if (j)
		fs_journal_put(j);
	return rc;
}

int fs_vault_journal_rename(struct fs_vault *v, struct fs_session *s, const char *name,
			    const char *newname)
{
	struct renaming r = {.v = v, .s = s, .newname = newname};
	int rc;

	if (fs_session_state(s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	rc = check_name(newname);
	if (rc || !strcmp(name, newname))
		return rc;
	pthread_mutex_lock(&v->edit);
	rc = rename_locked(&r, name);
	pthread_mutex_unlock(&v->edit);
	fs_vault_edit_clear(&r.e);
	free(r.text);
	if (r.next && r.next->policy)
		policy_journal_put(r.next->policy);
	free(r.next);
	return rc;
}

/* ---- removing ---- */

static bool keep_other(void *ctx, uint32_t index)
{
	return index != *(uint32_t *)ctx;
}

static void forget_everywhere(struct fs_vault *v, uint32_t index)
{
	for (size_t i = 0; i < v->session_count; i++)
		fs_session_journals_drop(v->sessions[i], keep_other, &index);
}

/* Deleting the root through the vault takes every record of the journal along. */
static int remove_store(struct fs_vault *v, struct fs_entry *e)
{
	struct fs_key root = fs_key(e->index, 0, FS_T_ROOT);
	struct fs_key name = fs_catalog_name_key(e->hash, e->slot);
	struct fs_edit edit;
	int rc;

	fs_vault_edit_begin(v, &edit, NULL);
	fs_batch_del(&edit.b, fs_records_vault(v->records), &root);
	fs_batch_del(&edit.b, fs_records_vault(v->records), &name);
	fs_renew_forget(v, &edit.b, e->index);
	rc = fs_vault_edit_commit(&edit);
	fs_vault_edit_clear(&edit);
	return rc;
}

/*
 * Empty for good: with its directory locked nobody can put anything in between the look and the
 * deletion, and who still holds the directory finds it gone.
 */
static int remove_empty(struct fs_vault *v, struct fs_entry *e, struct fs_inode *root)
{
	int rc;

	pthread_rwlock_wrlock(&root->lock);
	rc = root->gone ? -ENOENT : fs_final_check_dir(root);
	if (!rc)
		rc = fs_tree_empty(root->journal);
	if (!rc)
		rc = remove_store(v, e);
	if (!rc) {
		root->gone = true;
		root->deleted = true;
		root->nlink = 0;
	}
	pthread_rwlock_unlock(&root->lock);
	return rc;
}

static int remove_locked(struct fs_vault *v, struct fs_session *s, const char *name,
			 uint32_t *index)
{
	struct fs_journal *j = NULL;
	struct fs_inode *root = NULL;
	struct fs_entry *e = NULL;
	int rc = check_change(v, s, name, &e, "removing a journal");

	if (!rc && e->policy && policy_journal_held(e->policy))
		rc = refuse(v, s, e->index, name, -EPERM, "removing a journal that is under a hold");
	if (!rc)
		rc = fs_vault_journal(v, s, e->index, &j);
	if (!rc)
		rc = check_final(v, s, e, name, j, "removing a journal that holds final notes");
	if (!rc)
		rc = fs_inode_get(j, FS_ROOT_INO, &root);
	if (!rc)
		rc = fs_tree_empty(j);
	if (!rc)
		rc = fs_vault_tell(v, s, POLICY_RECORD_JOURNAL, e->index, name,
				   "the journal, which is empty, is removed");
	if (!rc)
		rc = remove_empty(v, e, root);
	if (root)
		fs_inode_put(root);
	if (j)
		fs_journal_put(j);
	if (rc)
		return rc;
	*index = e->index;
	pthread_rwlock_wrlock(&v->lock);
	fs_catalog_remove(&v->journals, e);
	pthread_rwlock_unlock(&v->lock);
	forget_everywhere(v, *index);
	if (e->policy)
		policy_journal_put(e->policy);
	free(e);
	return 0;
}

int fs_vault_journal_remove(struct fs_vault *v, struct fs_session *s, const char *name)
{
	uint8_t shred[KEYS_SHRED_LEN];
	uint32_t index = 0;
	int rc;

	if (fs_session_state(s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	pthread_mutex_lock(&v->edit);
	rc = remove_locked(v, s, name, &index);
	pthread_mutex_unlock(&v->edit);
	if (rc)
		return rc;
	rc = fs_group_sync(fs_records_group(v->records), 0);
	if (rc)
		return rc;
	keys_random(shred, sizeof(shred));
	rc = fs_journals_shred_write(v, index, shred);
	(void)fs_container_remove(v->containers, index);
	return rc;
}
