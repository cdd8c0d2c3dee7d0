/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/session.c - one log-in: references, keys, and the journals that it keeps open.
 *
 * Owns struct fs_session's memory and the small cache of open journals: a journal
 * stays open (its key in the slab) as long as some session's cache or some inode
 * refers to it. The cache is set-associative, so that a hit costs a few compares
 * under the shared lock and a miss throws out one older journal.
 *
 * Invariants: (1) secret, signer and cached journals are gone before the memory
 * is; (2) whoever takes them out does so under the exclusive lock and drops them
 * after it, because letting go of a journal runs other modules' hooks.
 */
#include "vault_impl.h"

#define SETS 64u
#define WAYS 4u

struct fs_session_journals {
	struct fs_journal *slot[SETS][WAYS];
	uint8_t next[SETS]; /* the way that the next newcomer of this set takes */
};

struct fs_session *fs_session_new(void)
{
	struct fs_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->journals = calloc(1, sizeof(*s->journals));
	if (!s->journals || pthread_rwlock_init(&s->lock, NULL)) {
		free(s->journals);
		free(s);
		return NULL;
	}
	atomic_store(&s->refs, 1);
	atomic_store(&s->state, FS_SESSION_LOCKED);
	return s;
}

struct fs_session *fs_session_get(struct fs_session *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void fs_session_put(struct fs_session *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	fs_session_wipe(s);
	pthread_rwlock_destroy(&s->lock);
	free(s->journals);
	free(s);
}

struct fs_signer *fs_session_signer(struct fs_session *s)
{
	struct fs_signer *signer = NULL;

	pthread_rwlock_rdlock(&s->lock);
	if (s->signer)
		signer = fs_signer_get(s->signer);
	pthread_rwlock_unlock(&s->lock);
	return signer;
}

struct fs_journal *fs_session_journal_find(struct fs_session *s, uint32_t index)
{
	struct fs_journal *found = NULL;

	pthread_rwlock_rdlock(&s->lock);
	for (unsigned w = 0; w < WAYS && !found; w++) {
		struct fs_journal *j = s->journals->slot[index % SETS][w];

		if (j && fs_journal_index(j) == index)
			found = fs_journal_get(j);
	}
	pthread_rwlock_unlock(&s->lock);
	return found;
}

void fs_session_journal_add(struct fs_session *s, struct fs_journal *j)
{
	uint32_t index = fs_journal_index(j);
	struct fs_journal *out = NULL;
	bool there = false;

	pthread_rwlock_wrlock(&s->lock);
	for (unsigned w = 0; w < WAYS; w++)
		there = there || s->journals->slot[index % SETS][w] == j;
	/* A session that was locked meanwhile must not be given a journal again. */
	if (!there && s->secret) {
		uint8_t *next = &s->journals->next[index % SETS];

		out = s->journals->slot[index % SETS][*next];
		s->journals->slot[index % SETS][*next] = fs_journal_get(j);
		*next = (uint8_t)((*next + 1) % WAYS);
	}
	pthread_rwlock_unlock(&s->lock);
	if (out)
		fs_journal_put(out);
}

void fs_session_journals_drop(struct fs_session *s, bool (*keep)(void *ctx, uint32_t index),
			      void *ctx)
{
	struct fs_journal *gone[SETS * WAYS];
	size_t n = 0;

	pthread_rwlock_wrlock(&s->lock);
	for (unsigned i = 0; i < SETS * WAYS; i++) {
		struct fs_journal **slot = &s->journals->slot[i / WAYS][i % WAYS];

		if (*slot && !(keep && keep(ctx, fs_journal_index(*slot)))) {
			gone[n++] = *slot;
			*slot = NULL;
		}
	}
	pthread_rwlock_unlock(&s->lock);
	while (n)
		fs_journal_put(gone[--n]);
}

void fs_session_journals_each(struct fs_session *s, bool (*fn)(void *ctx, uint32_t index),
			      void *ctx)
{
	bool more = true;

	pthread_rwlock_rdlock(&s->lock);
	for (unsigned i = 0; i < SETS * WAYS && more; i++) {
		const struct fs_journal *j = s->journals->slot[i / WAYS][i % WAYS];

		more = !j || fn(ctx, fs_journal_index(j));
	}
	pthread_rwlock_unlock(&s->lock);
}

void fs_session_wipe(struct fs_session *s)
{
	struct keys_identity_secret *secret;
	struct fs_signer *signer;

	pthread_rwlock_wrlock(&s->lock);
	secret = s->secret;
	signer = s->signer;
	s->secret = NULL;
	s->signer = NULL;
	atomic_store(&s->factor_ns, 0);
	pthread_rwlock_unlock(&s->lock);
	fs_session_journals_drop(s, NULL, NULL);
	keys_guard_free(secret);
	if (signer)
		fs_signer_put(signer);
}
