/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/audit_read.c - reading the log for an auditor.
 *
 * Owns whose streams are believed, which keys open them, what is logged before and what is let
 * through. Knows no segment (fs/log.h).
 *
 * Invariants: (1) reading the log is itself durable in the log before the first record is shown;
 * (2) a session that was locked or ended meanwhile is shown nothing more.
 */
#include <unistd.h>

#include "vault_impl.h"

#define THREADS 2

struct reading {
	struct fs_vault *v;
	struct fs_session *by;
	struct fs_log_some *q;
};

static int read_one(void *ctx, const struct policy_record *r)
{
	struct reading *a = ctx;

	return a->q->fn(a->q->ctx, r);
}

static void read_bad(void *ctx, uint64_t seq, const char *why)
{
	struct reading *a = ctx;

	fs_vault_alarm(a->v, 0, "log record %llu cannot be read: %s", (unsigned long long)seq, why);
	if (a->q->bad)
		a->q->bad(a->q->ctx, seq, why);
}

/* Only streams of this vault's daemons, now or before, are believed. */
static bool read_signer(void *ctx, const uint8_t pk[static KEYS_LEN])
{
	struct reading *a = ctx;
	bool ok = false;

	pthread_rwlock_rdlock(&a->v->lock);
	for (size_t i = 0; i < a->v->daemon_count && !ok; i++)
		ok = !memcmp(a->v->daemons[i], pk, KEYS_LEN);
	pthread_rwlock_unlock(&a->v->lock);
	return ok;
}

static int read_later(void *ctx, const uint8_t stream[static KEYS_STREAM_ID_LEN],
		      uint8_t wrap[static KEYS_STREAM_WRAP_LEN])
{
	struct reading *a = ctx;

	return fs_log_grants_get(a->v, a->by->pid, a->by->enrolment, stream, wrap);
}

static void read_shut(void *ctx, uint64_t seq)
{
	struct reading *a = ctx;

	(void)seq;
	(*a->q->shut)++;
}

int fs_vault_log_read_some(struct fs_vault *v, struct fs_session *by, struct fs_log_some *q)
{
	struct reading a = {.v = v, .by = by, .q = q};
	uint8_t *box_sk = keys_guard_new(KEYS_LEN);
	struct fs_log_stat st;
	char dir[4096];
	int rc = box_sk ? 0 : -ENOMEM;

	*q->shut = 0;
	if (!rc) {
		pthread_rwlock_rdlock(&by->lock);
		rc = by->secret ? 0 : -ENOKEY;
		if (!rc)
			memcpy(box_sk, by->secret->box_sk, KEYS_LEN);
		pthread_rwlock_unlock(&by->lock);
	}
	if (!rc && (size_t)snprintf(dir, sizeof(dir), "%s/log", v->path) >= sizeof(dir))
		rc = -ENAMETOOLONG;
	fs_log_stat(v->log, &st);
	q->durable = st.durable;
	if (!rc)
		rc = fs_log_read_as(&(struct fs_log_reading){
			.dir = dir,
			.vault = v->header.vault,
			.box_pk = by->identity.box_pk,
			.box_sk = box_sk,
			.fn = read_one,
			.bad = read_bad,
			.least = st.durable,
			.signer_ok = read_signer,
			.later = read_later,
			.shut = read_shut,
			.journals = q->journals,
			.journal_count = q->journal_count,
			.since_ns = q->since_ns,
			.until_ns = q->until_ns,
			.threads = q->threads,
			.ctx = &a,
		});
	keys_guard_free(box_sk);
	return rc;
}

int fs_vault_log_read(struct fs_vault *v, struct fs_session *by,
		      int (*fn)(void *ctx, const struct policy_record *r), void *ctx,
		      unsigned *shut)
{
	struct fs_log_some q = {.fn = fn, .ctx = ctx, .shut = shut};

	return fs_vault_log_read_some(v, by, &q);
}

/* ---- who may ---- */

int fs_audit_may(struct fs_vault *v, struct fs_session *by, uint32_t rights, const char *what,
		 struct fs_say *say)
{
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	for (uint32_t right = 1; right && right <= rights; right <<= 1) {
		if ((rights & right) && fs_sessions_has(v, by, right))
			return 0;
	}
	fs_say(say, "%s needs the %s right, which %s does not have", what,
	       rights == POLICY_AUDIT	? "audit"
	       : rights & POLICY_POLICY ? "audit, the review or the policy"
					: "audit or the review",
	       by->who);
	rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL, "%s", what);
	return rc ? rc : -EACCES;
}

/* ---- records ---- */

struct auditing {
	struct fs_vault *v;
	struct fs_session *by;
	struct fs_audit_filter filter;
	struct fs_audit_result *result; /* may be NULL */
	int (*fn)(void *ctx, const struct policy_record *r);
	void *ctx;
	bool over;
};

static int audit_one(void *ctx, const struct policy_record *r)
{
	struct auditing *a = ctx;

	if (fs_session_state(a->by) != FS_SESSION_ACTIVE) {
		a->over = true;
		return 1;
	}
	return fs_audit_lets(&a->filter, r) ? a->fn(a->ctx, r) : 0;
}

static void audit_bad(void *ctx, uint64_t seq, const char *why)
{
	struct auditing *a = ctx;
	struct fs_audit_result *res = a->result;

	if (!res)
		return;
	res->unread++;
	if (res->bad < FS_AUDIT_BAD)
		snprintf(res->text[res->bad++], sizeof(res->text[0]),
			 "log record %llu cannot be read: %s", (unsigned long long)seq, why);
}

static int tell_audit(struct fs_vault *v, struct fs_session *by, const struct fs_audit_query *q,
		      const struct fs_audit_names *names)
{
	uint32_t number = names->n == 1 ? names->at[0].number : 0;
	const char *purpose = q->purpose ? q->purpose : "";
	char grant[64] = "";

	if (q->grant)
		snprintf(grant, sizeof(grant), ", emergency access %llu",
			 (unsigned long long)q->grant);
	return fs_vault_tell(v, by, POLICY_RECORD_AUDIT, number, q->journal,
			     "the log was read%s%s%s%s%s%s%s", q->who && q->who[0] ? ", who " : "",
			     q->who ? q->who : "", q->journal && q->journal[0] ? ", journal " : "",
			     q->journal ? q->journal : "", grant, purpose[0] ? ", for " : "",
			     purpose);
}

static void say_shut(unsigned shut, struct fs_say *say)
{
	fs_say(say,
	       "%u earlier %s of the log %s for another auditor, or the recovery key: what "
	       "%s is not shown",
	       shut, shut == 1 ? "stretch" : "stretches", shut == 1 ? "waits" : "wait",
	       shut == 1 ? "it holds" : "they hold");
}

static int read_filtered(struct auditing *a, struct fs_say *say)
{
	unsigned shut = 0;
	struct fs_log_some some = {
		.threads = THREADS, .fn = audit_one, .bad = audit_bad, .ctx = a, .shut = &shut};
	uint32_t *numbers = NULL;
	int rc = fs_audit_numbers(&a->filter, &numbers, &some.journal_count);

	some.journals = numbers;
	some.since_ns = a->filter.since_ns;
	some.until_ns = a->filter.until_ns;
	if (!rc)
		rc = fs_vault_log_read_some(a->v, a->by, &some);
	free(numbers);
	if (!rc && a->over)
		rc = -ENOKEY;
	if (a->result) {
		a->result->durable = some.durable;
		a->result->unread += shut;
	}
	if (!rc && shut)
		say_shut(shut, say);
	return rc;
}

int fs_vault_audit(struct fs_vault *v, struct fs_session *by, const struct fs_audit_query *q,
		   int (*fn)(void *ctx, const struct policy_record *r), void *ctx,
		   struct fs_say *say)
{
	struct fs_audit_names names = {0};
	struct auditing a = {
		.v = v,
		.by = by,
		.filter = {.who = q->who,
			   .journal = q->journal,
			   .since_ns = q->since_ns,
			   .until_ns = q->until_ns,
			   .grant = q->grant,
			   .own = q->own,
			   .names = &names},
		.result = q->result,
		.fn = fn,
		.ctx = ctx,
	};
	int rc = fs_audit_may(v, by, POLICY_AUDIT, "reading the log", say);

	if (rc)
		return rc;
	if (q->journal && q->journal[0])
		rc = fs_audit_names_find(v, q->journal, &names);
	if (!rc)
		rc = tell_audit(v, by, q, &names);
	if (!rc)
		rc = read_filtered(&a, say);
	fs_audit_names_clear(&names);
	if (rc && rc != -ENOKEY && say && !say->text[0])
		fs_say(say, "the log cannot be read: %s", strerror(-rc));
	return rc;
}
