/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/attend.c - a clinician states a care relationship of their own.
 *
 * Ordinary access to treat, for a limited time, with a reason in own words: an `attend` line of theirs in
 * the journal's policy, in a version that they sign themselves. Nothing else of the text can change that
 * way. It passes no block. The steward sees the line where he sees everything else.
 *
 * Somebody who may attend may need the journal when nobody who holds its key is logged in. If a role may
 * break the glass as well, the break-glass key gives the key then; that is told before it is used.
 *
 * Invariants: (1) the record with the reason is durable before anything changes, a refusal's before it is
 * answered; (2) the text that is stored differs from the one before in attend lines of this person alone.
 *
 * Locks: edit from the look to the publication; callbacks after it.
 */
#include "../policy/edit.h"
#include "../policy/span.h"
#include "../policy/utf8.h"
#include "vault_impl.h"

struct attending {
	struct fs_session *s;
	const struct fs_attend *in;
	struct fs_entry *entry;
	const struct policy_settings *settings;
	int64_t from_s, until_s;
	bool served; /* policy admits already: only the key was missing */
	char *old, *text;
	struct policy_journal *policy;
};

/* Durable, then what the person is told and the program gets. */
static int refuse(struct fs_vault *v, const struct attending *a, int rc, const char *why,
		  struct fs_say *say)
{
	int rc2 = fs_vault_tell(v, a->s, POLICY_RECORD_REFUSED, a->entry ? a->entry->index : 0,
				a->in->journal, "attending: %s", why);

	return rc2 ? rc2 : (fs_say(say, "%s", why), rc);
}

/* What the person may not tell apart: a name that no journal has, and a journal that a block hides. */
static int no_journal(struct fs_vault *v, const struct attending *a, const char *why,
		      struct fs_say *say)
{
	int rc = refuse(v, a, -ENOENT, why, say);

	if (rc == -ENOENT)
		fs_say(say, "there is no journal of that name that you could attend; it has to be "
			    "written exactly as it is called");
	return rc;
}

static int check_words(struct fs_vault *v, struct attending *a, struct fs_say *say)
{
	uint32_t least = a->settings->attend_reason, most = a->settings->attend_limit_s;
	size_t n = policy_utf8_characters(a->in->reason);
	char why[256];

	if (strlen(a->in->reason) > 255)
		return refuse(v, a, -EINVAL, "the reason is longer than 255 bytes", say);
	if (n < least || policy_utf8_said(a->in->reason) < least / 2) {
		snprintf(why, sizeof(why),
			 "a reason in own words of at least %u characters is wanted, one line of "
			 "plain text",
			 (unsigned)least);
		return refuse(v, a, -EINVAL, why, say);
	}
	if (a->in->seconds > most) {
		snprintf(why, sizeof(why),
			 "the practice lets a stated care relationship last %u minutes at most",
			 (unsigned)(most / 60));
		return refuse(v, a, -EINVAL, why, say);
	}
	return 0;
}

static int check_role(struct fs_vault *v, struct attending *a, struct fs_say *say)
{
	const struct policy_practitioner *p = policy_practice_find(v->practice, a->s->who);
	char why[256];

	if (!p)
		return -EACCES;
	if (fs_sessions_has(v, a->s, POLICY_ATTEND) && p->role->clinical)
		return 0;
	snprintf(why, sizeof(why), "the role %s may not state a care relationship of its own: ask a "
				   "steward", p->role->name);
	return refuse(v, a, -EACCES, why, say);
}

/* Blocked, or what this would give is there already. */
static int check_journal(struct fs_vault *v, struct attending *a, struct fs_say *say)
{
	const struct policy_practitioner *p = policy_practice_find(v->practice, a->s->who);
	uint32_t most = p->role->rights & (POLICY_READ | POLICY_WRITE);
	struct policy_question q = {v->practice, NULL, a->s->who, most, a->from_s, NULL};
	struct policy_verdict verdict;
	char rule[POLICY_RECORD_TEXT], why[POLICY_RECORD_TEXT + 64];

	a->entry = fs_catalog_by_name(v, a->in->journal);
	if (!a->entry)
		return no_journal(v, a, "there is no journal of that name", say);
	if (!a->entry->policy)
		return refuse(v, a, -EIO, "the journal's policy is damaged", say);
	q.journal = a->entry->policy;
	policy_decide(&q, &verdict);
	policy_verdict_text(&q, &verdict, rule, sizeof(rule));
	if (verdict.blocked) {
		if (!verdict.visible)
			return no_journal(v, a, "a block stands in the way", say);
		return refuse(v, a, -EACCES,
			      p->role->rights & POLICY_BREAK_GLASS
				      ? "the patient has blocked you or your unit; only emergency "
					"access passes a block: journalfs break-glass"
				      : "the patient has blocked you or your unit",
			      say);
	}
	if (verdict.answer == POLICY_ALLOW && verdict.until_s >= a->until_s) {
		/* Admitted, but the key waits: asking for it is an act like stating it. */
		if (fs_grants_serve(v, a->entry, a->s) > 0) {
			a->until_s = verdict.until_s;
			a->served = true;
			return 0;
		}
		snprintf(why, sizeof(why), "you take part in this patient's care already: %s", rule);
		return refuse(v, a, -EEXIST, why, say);
	}
	return 0;
}

static int next_text(struct fs_vault *v, struct attending *a)
{
	char from[24], until[24];
	struct policy_edit edit = {
		.subject = POLICY_EDIT_USER,
		.name = a->s->who,
		.from = from,
		.until = until,
		.reason = a->in->reason,
	};
	uint32_t version;
	size_t len = 0;
	int rc = fs_policies_text(v, a->entry->index, &a->old, &len, &version);

	if (rc)
		return rc;
	policy_span_minute_text(policy_span_minute(a->from_s), from);
	policy_span_minute_text(policy_span_minute(a->until_s), until);
	rc = policy_edit_attend(a->old, len, &edit, &a->text);
	/* Or no steward could change the text any more. */
	if (!rc && strlen(a->text) > FS_JOURNAL_TEXT_MAX)
		rc = -EFBIG;
	/* The journal may name people whom the practice has renamed since: what is there stays. */
	if (!rc)
		rc = fs_policies_parse_journal(a->text, strlen(a->text), a->entry->name, &a->policy);
	if (!rc && strcmp(policy_journal_name(a->policy), a->entry->name))
		rc = -EBADMSG;
	return rc;
}

static int tell(struct fs_vault *v, const struct attending *a)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_ATTEND);
	fs_vault_record(v, a->s, 0, &r);
	r.journal = a->entry->index;
	policy_record_copy(r.journal_name, sizeof(r.journal_name), a->entry->name);
	policy_record_copy(r.reason, sizeof(r.reason), a->in->reason);
	snprintf(r.detail, sizeof(r.detail), "version %u", v->counters.policy + 1);
	r.until_ns = a->until_s * 1000000000;
	return fs_log_write(v->log, &r);
}

static int store(struct fs_vault *v, struct attending *a)
{
	struct fs_hand hand = {.pid = a->s->pid, .enrolment = a->s->enrolment};
	struct fs_edit e;
	int rc;

	fs_vault_edit_begin(v, &e, NULL);
	pthread_rwlock_rdlock(&a->s->lock);
	rc = a->s->secret ? 0 : -ENOKEY;
	if (!rc) {
		hand.sk = a->s->secret->statement_sk;
		rc = fs_policies_add(&e, &hand, a->entry->index, a->entry->version, a->text,
				     strlen(a->text));
	}
	pthread_rwlock_unlock(&a->s->lock);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	if (!rc)
		fs_policies_publish_journal(v, a->entry, &a->policy, e.c.policy);
	fs_vault_edit_clear(&e);
	return rc;
}

static int attend_locked(struct fs_vault *v, struct attending *a, struct fs_say *say)
{
	int rc = -ENOKEY;

	if (!v->practice)
		return rc;
	a->settings = policy_practice_settings(v->practice);
	a->from_s = fs_vault_wall_s() / 60 * 60;
	a->until_s = a->from_s +
		     (a->in->seconds ? a->in->seconds : a->settings->attend_limit_s) / 60 * 60;
	rc = check_role(v, a, say);
	if (!rc)
		rc = check_words(v, a, say);
	if (!rc)
		rc = check_journal(v, a, say);
	if (!rc && a->served)
		return 0;
	if (!rc)
		rc = next_text(v, a);
	if (rc == -EFBIG)
		return refuse(v, a, rc, "the journal's policy is full: a steward can take lines out "
					"that are over", say);
	if (!rc)
		rc = tell(v, a);
	return rc ? rc : store(v, a);
}

int fs_vault_attend(struct fs_vault *v, struct fs_session *s, const struct fs_attend *in,
		    int64_t *until_s, struct fs_say *say)
{
	struct attending a = {.s = s, .in = in};
	bool waits = false;
	int rc;

	if (fs_session_state(s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	pthread_mutex_lock(&v->edit);
	rc = attend_locked(v, &a, say);
	/* The line holds whatever becomes of the key: it is tried again with every log-in. */
	if (!rc && !a.served)
		waits = fs_grants_serve(v, a.entry, s) < 0;
	pthread_mutex_unlock(&v->edit);
	policy_journal_put(a.policy);
	free(a.text);
	free(a.old);
	if (rc)
		return rc;
	*until_s = a.until_s;
	if (a.served) {
		fs_say(say, "You were admitted already; the journal's key was given to you now.");
		return fs_group_sync(fs_records_group(v->records), 0);
	}
	if (waits)
		fs_say(say, "Nobody who holds the journal's key is logged in: it opens as soon as "
			    "one of them is.");
	return fs_policies_in_force(v);
}
