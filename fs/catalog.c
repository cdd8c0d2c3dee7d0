/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/catalog.c - the journals that there are, and decisions about them.
 *
 * Owns the catalog in memory while the index is open: by number (an array; that is
 * also the order of listings) and by name (a hash table). Implements fs/FORMAT.md,
 * "NAME".
 *
 * Locks: `lock` shared for a decision, which allocates nothing; what is given to
 * callbacks is copied out first.
 */
#include "vault_impl.h"

#include "program.h"

struct fs_entry *fs_catalog_new_entry(uint32_t index, const char *name)
{
	size_t n = strlen(name) + 1;
	struct fs_entry *e = calloc(1, sizeof(*e) + n);

	if (!e)
		return NULL;
	e->index = index;
	memcpy(e->name, name, n);
	return e;
}

static struct fs_entry **bucket_of(const struct fs_catalog *t, const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return &t->bucket[h % FS_NAME_BUCKETS];
}

int fs_catalog_insert(struct fs_catalog *t, struct fs_entry *e)
{
	struct fs_entry **at = bucket_of(t, e->name);

	for (const struct fs_entry *other = *at; other; other = other->next) {
		if (!strcmp(other->name, e->name))
			return -EBADMSG;
	}
	if (e->index >= t->cap) {
		uint32_t cap = e->index + e->index / 2 + 64;
		struct fs_entry **by = realloc(t->by_index, cap * sizeof(*by));

		if (!by)
			return -ENOMEM;
		memset(by + t->cap, 0, (cap - t->cap) * sizeof(*by));
		t->by_index = by;
		t->cap = cap;
	}
	if (t->by_index[e->index])
		return -EBADMSG;
	t->by_index[e->index] = e;
	e->next = *at;
	*at = e;
	t->count++;
	return 0;
}

void fs_catalog_remove(struct fs_catalog *t, struct fs_entry *e)
{
	struct fs_entry **at = bucket_of(t, e->name);

	while (*at && *at != e)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = e->next;
	t->by_index[e->index] = NULL;
	t->count--;
}

static void entry_free(struct fs_entry *e)
{
	if (e->policy)
		policy_journal_put(e->policy);
	keys_wipe(e->name, strlen(e->name));
	free(e);
}

void fs_catalog_clear(struct fs_catalog *t)
{
	for (uint32_t i = 0; i < t->cap; i++) {
		if (t->by_index[i])
			entry_free(t->by_index[i]);
		t->by_index[i] = NULL;
	}
	memset(t->bucket, 0, FS_NAME_BUCKETS * sizeof(*t->bucket));
	t->count = 0;
}

struct fs_entry *fs_catalog_by_index(struct fs_vault *v, uint32_t index)
{
	return index < v->journals.cap ? v->journals.by_index[index] : NULL;
}

struct fs_entry *fs_catalog_by_name(struct fs_vault *v, const char *name)
{
	struct fs_entry *e = *bucket_of(&v->journals, name);

	while (e && strcmp(e->name, name))
		e = e->next;
	return e;
}

/* ---- NAME records ---- */

uint64_t fs_catalog_hash(const uint8_t index_key[static KEYS_LEN], const char *name)
{
	const struct keys_span part = {name, strlen(name)};
	uint8_t h[16];
	struct bytes_in in = bytes_in(h, sizeof(h));

	keys_label_derive(KEYS_LABEL_NAME_HASH, index_key, &part, 1, h, sizeof(h));
	return bytes_get_u64(&in);
}

struct fs_key fs_catalog_name_key(uint64_t hash, uint8_t slot)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_NAME, hash, 8);

	fs_key_add(&key, slot, 1);
	return key;
}

void fs_catalog_put_name(struct fs_vault *v, struct fs_batch *b, const struct fs_entry *e)
{
	struct fs_key key = fs_catalog_name_key(e->hash, e->slot);
	uint8_t bytes[4 + 2 + 256];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));

	bytes_put_u32(&out, e->index);
	bytes_put_text(&out, e->name);
	fs_batch_put(b, fs_records_vault(v->records), &key, bytes, out.len);
	keys_wipe(bytes, sizeof(bytes));
}

int fs_catalog_slot(struct fs_vault *v, uint64_t hash, uint8_t *slot)
{
	for (unsigned s = 0; s < 256; s++) {
		struct fs_key key = fs_catalog_name_key(hash, (uint8_t)s);
		struct fs_buf *buf = NULL;
		int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

		if (!rc)
			fs_buf_put(buf);
		if (rc == -ENOENT) {
			*slot = (uint8_t)s;
			return 0;
		}
		if (rc)
			return rc;
	}
	return -ENOSPC;
}

/* ---- decisions ---- */

void fs_catalog_verdict(struct fs_vault *v, const struct fs_entry *e, const char *who,
			uint32_t rights, int64_t now_s, struct policy_verdict *out)
{
	const struct policy_question q = {
		.practice = v->practice,
		.journal = e ? e->policy : NULL,
		.who = who,
		.rights = rights,
		.now_s = now_s,
	};

	memset(out, 0, sizeof(*out));
	/* Without its policy a journal is not a question about the vault: it admits nobody. */
	if (v->practice && (!e || e->policy))
		policy_decide(&q, out);
}

/* The question of a session: with the emergency grant that it may have there. Tables held. */
static bool ask(const struct fs_vault *v, const struct fs_entry *e, const struct fs_session *s,
		uint32_t rights, int64_t now_s, struct policy_grant *grant,
		struct policy_question *out)
{
	*out = (struct policy_question){
		.practice = v->practice,
		.journal = e ? e->policy : NULL,
		.who = s->who,
		.rights = rights,
		.now_s = now_s,
	};
	if (e && atomic_load(&v->grants_open) &&
	    fs_glass_find(v, s->pid, s->enrolment, e->index, grant))
		out->grant = grant;
	return v->practice && (!e || e->policy);
}

static int decide(struct fs_vault *v, struct fs_session *s, const uint32_t *index, uint32_t rights,
		  struct policy_verdict *out, char *rule, size_t rule_cap)
{
	enum fs_session_state state = fs_session_state(s);
	const struct fs_entry *e = NULL;
	struct policy_question q;
	struct policy_grant grant;
	int rc = 0;

	if (state != FS_SESSION_ACTIVE && state != FS_SESSION_DRAINING)
		return -ENOKEY;
	pthread_rwlock_rdlock(&v->lock);
	if (!v->practice)
		rc = -ENOKEY;
	else if (index) {
		e = fs_catalog_by_index(v, *index);
		rc = e ? 0 : -ENOENT;
	}
	if (!rc) {
		memset(out, 0, sizeof(*out));
		if (ask(v, e, s, rights, fs_vault_wall_s(), &grant, &q))
			policy_decide(&q, out);
		if (rule_cap)
			policy_verdict_text(&q, out, rule, rule_cap);
	}
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

int fs_vault_decide(struct fs_vault *v, struct fs_session *s, uint32_t index, uint32_t rights,
		    struct policy_verdict *out, char *rule, size_t rule_cap)
{
	return decide(v, s, &index, rights, out, rule, rule_cap);
}

int fs_vault_decide_vault(struct fs_vault *v, struct fs_session *s, uint32_t rights,
			  struct policy_verdict *out, char *rule, size_t rule_cap)
{
	return decide(v, s, NULL, rights, out, rule, rule_cap);
}

bool fs_vault_denies_program(struct fs_vault *v, pid_t tid, char name[static 16])
{
	char process[FS_PROGRAM_NAME];
	bool denied;

	if (!atomic_load(&v->denies))
		return false;
	fs_program_names(tid, name, process);
	pthread_rwlock_rdlock(&v->lock);
	denied = v->practice && policy_practice_denies_program(v->practice, name);
	if (!denied && v->practice && process[0] && policy_practice_denies_program(v->practice, process)) {
		denied = true;
		memcpy(name, process, sizeof(process));
	}
	pthread_rwlock_unlock(&v->lock);
	return denied;
}

int fs_vault_journal_by_name(struct fs_vault *v, const char *name, uint32_t *index)
{
	const struct fs_entry *e;
	int rc = -ENOENT;

	pthread_rwlock_rdlock(&v->lock);
	e = fs_catalog_by_name(v, name);
	if (e) {
		*index = e->index;
		rc = 0;
	}
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

int fs_vault_journal_name(struct fs_vault *v, uint32_t index, char name[static 256])
{
	const struct fs_entry *e;

	pthread_rwlock_rdlock(&v->lock);
	e = fs_catalog_by_index(v, index);
	if (e)
		snprintf(name, 256, "%s", e->name);
	pthread_rwlock_unlock(&v->lock);
	return e ? 0 : -ENOENT;
}

/* Few: a READDIR that is full throws the rest of its page away, and who sees few pays for it with a long search. */
#define LIST_PAGE 8
#define COOKIE_BASE 16u /* cookies below are the caller's: ".", "..", ".policy" */

struct listed {
	uint32_t index;
	char name[256];
};

/* The next visible journals from *index on; *index moves behind what was looked at. */
static size_t list_page(struct fs_vault *v, const struct fs_session *by, uint32_t *index,
			struct listed *page)
{
	int64_t now = fs_vault_wall_s();
	size_t n = 0;

	pthread_rwlock_rdlock(&v->lock);
	for (; n < LIST_PAGE && *index < v->journals.cap; (*index)++) {
		const struct fs_entry *e = v->journals.by_index[*index];
		struct policy_verdict verdict;
		struct policy_question q;
		struct policy_grant grant;

		if (!e || !ask(v, e, by, 0, now, &grant, &q))
			continue;
		policy_decide(&q, &verdict);
		if (!verdict.visible)
			continue;
		page[n].index = e->index;
		snprintf(page[n].name, sizeof(page[n].name), "%s", e->name);
		n++;
	}
	pthread_rwlock_unlock(&v->lock);
	return n;
}

int fs_vault_list(struct fs_vault *v, struct fs_session *by,
		  int (*fn)(void *ctx, uint32_t index, const char *name, uint64_t cookie),
		  uint64_t after, void *ctx)
{
	uint32_t index = after < COOKIE_BASE ? 1 : (uint32_t)(after - COOKIE_BASE) + 1;
	struct listed *page;
	size_t n;
	int rc = 0;

	if (fs_session_state(by) != FS_SESSION_ACTIVE &&
	    fs_session_state(by) != FS_SESSION_DRAINING)
		return -ENOKEY;
	if (after > (uint64_t)FS_JOURNAL_MAX + COOKIE_BASE)
		return 0;
	page = calloc(LIST_PAGE, sizeof(*page));
	if (!page)
		return -ENOMEM;
	do {
		n = list_page(v, by, &index, page);
		for (size_t i = 0; i < n && !rc; i++)
			rc = fn(ctx, page[i].index, page[i].name, page[i].index + COOKIE_BASE);
	} while (n == LIST_PAGE && !rc);
	free(page);
	return rc < 0 ? rc : 0;
}
