/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_history.c - what policy said when something was signed.
 *
 * Owns a small cache of practice policies that are no longer in force. Finding
 * one takes two reads at most: a version names the practice version that was in
 * force beside it, a file's versions form a chain of their own.
 *
 * Locks: `side` for the cache, `lock` for what is in force; neither is held while
 * records are read.
 */
#include "vault_impl.h"

int fs_policies_parse_practice(const char *text, size_t len, struct policy_practice **out)
{
	struct policy_report *report = NULL;
	int rc = policy_report_new(&report);

	if (!rc)
		rc = policy_practice_parse(text, len, "practice", report, out);
	policy_report_free(report);
	return rc == -EINVAL ? -EBADMSG : rc;
}

int fs_policies_parse_journal(const char *text, size_t len, const char *name,
			      struct policy_journal **out)
{
	struct policy_report *report = NULL;
	int rc = policy_report_new(&report);

	if (!rc)
		rc = policy_journal_parse(text, len, name, NULL, report, out);
	policy_report_free(report);
	return rc == -EINVAL ? -EBADMSG : rc;
}

static struct policy_practice *history_find(struct fs_vault *v, uint32_t version)
{
	struct policy_practice *p = NULL;

	pthread_rwlock_rdlock(&v->lock);
	if (v->practice && version == v->counters.practice)
		p = policy_practice_get(v->practice);
	pthread_rwlock_unlock(&v->lock);
	pthread_mutex_lock(&v->side);
	for (unsigned i = 0; i < FS_HISTORY && !p; i++) {
		if (v->history[i].practice && v->history[i].version == version)
			p = policy_practice_get(v->history[i].practice);
	}
	pthread_mutex_unlock(&v->side);
	return p;
}

static void history_keep(struct fs_vault *v, uint32_t version, struct policy_practice *p)
{
	struct fs_history *h;
	struct policy_practice *old;

	pthread_mutex_lock(&v->side);
	h = &v->history[v->history_next++ % FS_HISTORY];
	old = h->practice;
	h->version = version;
	h->practice = policy_practice_get(p);
	pthread_mutex_unlock(&v->side);
	if (old)
		policy_practice_put(old);
}

void fs_policies_history_clear(struct fs_vault *v)
{
	pthread_mutex_lock(&v->side);
	for (unsigned i = 0; i < FS_HISTORY; i++) {
		if (v->history[i].practice)
			policy_practice_put(v->history[i].practice);
		v->history[i].practice = NULL;
	}
	pthread_mutex_unlock(&v->side);
}

/* The number of the practice version that was in force at version. */
static int practice_number(struct fs_vault *v, uint32_t version, uint32_t *out)
{
	struct fs_version ver;
	int rc = 0;

	pthread_rwlock_rdlock(&v->lock);
	*out = version >= v->counters.practice ? v->counters.practice : 0;
	pthread_rwlock_unlock(&v->lock);
	if (*out)
		return 0;
	rc = fs_policies_read(v, version, &ver);
	if (rc)
		return rc;
	*out = ver.file ? ver.practice : ver.number;
	fs_policies_clear(&ver);
	return *out ? 0 : -EBADMSG;
}

int fs_policies_at(struct fs_vault *v, uint32_t version, struct policy_practice **out)
{
	struct fs_version ver;
	uint32_t number;
	int rc;

	if (!v->index_key)
		return -ENOKEY;
	rc = version ? practice_number(v, version, &number) : -EBADMSG;
	if (rc)
		return rc;
	*out = history_find(v, number);
	if (*out)
		return 0;
	rc = fs_policies_read(v, number, &ver);
	if (rc)
		return rc;
	rc = ver.file ? -EBADMSG : fs_policies_parse_practice(ver.text, ver.len, out);
	fs_policies_clear(&ver);
	if (!rc)
		history_keep(v, number, *out);
	return rc;
}

int fs_policies_journal_at(struct fs_vault *v, uint32_t index, uint32_t version,
			   struct policy_journal **out)
{
	const struct fs_entry *e;
	struct fs_version ver;
	uint32_t number = 0;
	int rc = 0;

	pthread_rwlock_rdlock(&v->lock);
	e = fs_catalog_by_index(v, index);
	if (e) {
		number = e->version;
		if (number <= version && e->policy)
			*out = policy_journal_get(e->policy);
	}
	pthread_rwlock_unlock(&v->lock);
	if (!number)
		return -ENOENT;
	if (number <= version)
		return *out ? 0 : -EBADMSG;
	for (;;) {
		rc = fs_policies_read(v, number, &ver);
		if (rc)
			return rc;
		if (ver.file != index) {
			rc = -EBADMSG;
			break;
		}
		if (number <= version || !ver.before) {
			rc = fs_policies_parse_journal(ver.text, ver.len, "journal", out);
			break;
		}
		number = ver.before;
		fs_policies_clear(&ver);
	}
	fs_policies_clear(&ver);
	return rc;
}

int fs_policies_had(struct fs_vault *v, uint32_t version, const char *who, uint32_t rights,
		    int64_t when_s)
{
	struct policy_practice *practice = NULL;
	struct policy_question q = {.who = who, .rights = rights, .now_s = when_s};
	struct policy_verdict verdict;
	int rc = fs_policies_at(v, version, &practice);

	if (rc)
		return rc;
	q.practice = practice;
	policy_decide(&q, &verdict);
	policy_practice_put(practice);
	return verdict.answer == POLICY_ALLOW ? 0 : -EBADMSG;
}
