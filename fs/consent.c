/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/consent.c - what one steward alone may not do: proposals, and the second who agrees.
 *
 * New powers (a clinical role, a reader, a steward, an auditor; a new identity in place of one that is
 * enrolled) need two stewards where the practice has two. The first one's change is kept as a proposal,
 * signed, and is not in force; another one approves or rejects it. A practice has two when, at any time in
 * the last 72 hours, somebody else who is enrolled had the policy right: who takes that right from a
 * colleague has to wait, and the colleague and the auditor see it meanwhile. With one steward it is alarmed
 * and logged. Implements fs/FORMAT.md, "Proposals".
 *
 * Invariants: (1) whoever approves is not who proposed, has the policy right now, and approves the text
 * that was proposed, on the version that it was written for; (2) a proposal is told durably before it is
 * kept, its approval and rejection before they have their effect.
 *
 * Locks: edit held by the caller where nothing else is said.
 */
#include "../policy/diff.h"
#include "../policy/span.h"
#include "vault_impl.h"

#define FORMAT 1
#define BODY_HEAD 6
#define NUMBER_BASE 0x80000000u /* behind all versions, in the same table */
#define PROPOSALS_MAX 16
#define WINDOW_S (72 * 3600)
#define VERSIONS_MAX 256 /* looked back; whoever makes more of them in the time needs a second */

#define POWERS                                                                                     \
	(POLICY_READ | POLICY_WRITE | POLICY_POLICY | POLICY_AUDIT | POLICY_REVIEW |               \
	 POLICY_BREAK_GLASS | POLICY_ATTEND)

/* ---- does it take two? ---- */

uint32_t fs_consent_gained(const struct policy_practice *now, const struct policy_practitioner *p,
			   bool *clinical)
{
	const struct policy_practitioner *was = policy_practice_find(now, p->name);
	uint32_t gained;

	/* Who had left had none, and whoever gets an identity's account may become it. */
	if (was && (was->state == POLICY_LEFT || strcmp(was->account, p->account)))
		was = NULL;
	gained = p->role->rights & ~(was ? was->role->rights : 0) & POWERS;
	*clinical = p->role->clinical && !(was && was->role->clinical);
	if (p->state != POLICY_LEFT)
		return gained;
	*clinical = false;
	return 0;
}

/* Somebody else, enrolled and active, has the policy right under this practice policy. */
static bool has_second(struct fs_vault *v, const struct policy_practice *practice, const char *who)
{
	for (size_t i = 0; i < policy_practice_count(practice); i++) {
		const struct policy_practitioner *p = policy_practice_at(practice, i);
		const struct fs_person *person = fs_people_find(v, p->name);

		if (p->state == POLICY_ACTIVE && p->role->rights & POLICY_POLICY && person &&
		    person->enrolment && strcmp(p->name, who))
			return true;
	}
	return false;
}

int fs_consent_two(struct fs_vault *v, const struct fs_session *by)
{
	uint32_t version = v->counters.practice;
	int64_t since_s = fs_vault_wall_s() - WINDOW_S;

	for (unsigned n = 0; version; n++) {
		struct policy_practice *practice = NULL;
		struct fs_version ver;
		bool second;
		int rc;

		if (n == VERSIONS_MAX)
			return 1;
		rc = fs_policies_at(v, version, &practice);
		if (rc)
			return rc;
		second = has_second(v, practice, by->who);
		policy_practice_put(practice);
		if (second)
			return 1;
		rc = fs_policies_read(v, version, &ver);
		if (rc)
			return rc;
		version = (int64_t)ver.time_s > since_s ? ver.before : 0;
		fs_policies_clear(&ver);
	}
	return 0;
}

int fs_consent_needed(struct fs_vault *v, const struct fs_session *by,
		      const struct policy_practice *next, char *whom, size_t cap)
{
	size_t at = 0, n = 0;

	whom[0] = '\0';
	for (size_t i = 0; i < policy_practice_count(next); i++) {
		const struct policy_practitioner *p = policy_practice_at(next, i);
		bool clinical;

		if (!fs_consent_gained(v->practice, p, &clinical) && !clinical)
			continue;
		n++;
		if (at + strlen(p->name) + strlen(p->role->name) + 8 < cap)
			at += (size_t)snprintf(whom + at, cap - at, "%s%s (%s)", at ? ", " : "",
					       p->name, p->role->name);
	}
	return n ? fs_consent_two(v, by) : 0;
}

/* ---- keeping ---- */

static struct fs_key key_of(uint32_t number)
{
	return fs_key_n(0, 0, FS_T_POLICY, NUMBER_BASE | number, 4);
}

void fs_consent_clear(struct fs_proposal *p)
{
	if (p->bytes)
		keys_wipe(p->bytes, p->st.body.len);
	free(p->bytes);
	memset(p, 0, sizeof(*p));
}

static int decode(struct fs_vault *v, const uint8_t *bytes, size_t len, uint32_t number,
		  struct fs_proposal *out)
{
	struct bytes_in in;
	uint8_t format;

	if (keys_statement_decode(bytes, len, &out->st))
		return -EBADMSG;
	in = bytes_in(out->st.body.p, out->st.body.len);
	format = bytes_get_u8(&in);
	out->what = bytes_get_u8(&in);
	out->base = bytes_get_u32(&in);
	out->number = number;
	out->pid = out->st.signer;
	out->enrolment = out->st.enrolment;
	out->time_s = (int64_t)out->st.time_s;
	if (in.bad || format != FORMAT || out->what < FS_PROPOSAL_POLICY ||
	    out->what > FS_PROPOSAL_ARCHIVE || out->st.kind != KEYS_STATEMENT_PROPOSAL ||
	    out->st.number != number || !out->pid ||
	    memcmp(out->st.vault, v->header.vault, KEYS_VAULT_ID_LEN))
		return -EBADMSG;
	out->text = (const char *)in.p + in.off;
	out->len = in.len - in.off;
	return out->what == FS_PROPOSAL_INVITE &&
			       (!out->len || out->len > KEYS_NAME_MAX || memchr(out->text, 0, out->len))
		       ? -EBADMSG
		       : 0;
}

int fs_consent_read(struct fs_vault *v, uint32_t number, struct fs_proposal *out)
{
	const struct keys_identity *id = NULL;
	struct fs_key prefix = key_of(number);
	uint8_t pk[KEYS_LEN];
	size_t len;
	int rc;

	memset(out, 0, sizeof(*out));
	if (!number || number >= NUMBER_BASE)
		return -ENOENT;
	rc = fs_vault_parts_get(v, &prefix, &out->bytes, &len);
	if (!rc)
		rc = decode(v, out->bytes, len, number, out);
	if (!rc)
		rc = fs_people_signer_pk(v, out->pid, out->enrolment, true, pk);
	if (!rc)
		rc = keys_statement_verify(&out->st, pk);
	if (!rc)
		rc = fs_people_identity(v, out->pid, out->enrolment, true, &id);
	if (!rc)
		snprintf(out->who, sizeof(out->who), "%s", id->name);
	if (rc)
		fs_consent_clear(out);
	return rc;
}

struct numbers {
	uint32_t number[PROPOSALS_MAX];
	size_t n;
};

static int add_number(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct numbers *to = ctx;
	uint32_t number = (uint32_t)fs_key_sub(key, 4) & ~NUMBER_BASE;

	(void)buf;
	if (to->n && to->number[to->n - 1] == number)
		return 0; /* another part of it */
	if (to->n == PROPOSALS_MAX)
		return -EBADMSG;
	to->number[to->n++] = number;
	return 0;
}

static int numbers_of(struct fs_vault *v, struct numbers *out)
{
	struct fs_key from = key_of(0), to = fs_key(0, 0, FS_T_POLICY + 1);

	out->n = 0;
	return fs_record_scan(fs_records_vault(v->records), &from, &to, add_number, out);
}

/* The statement in the edit. */
static int put(struct fs_edit *e, const struct fs_hand *by, const struct fs_proposal *p)
{
	size_t cap = BODY_HEAD + p->len, room = cap + KEYS_STATEMENT_OVERHEAD, made = 0;
	uint8_t *body = malloc(cap), *bytes = malloc(room);
	struct keys_statement st = {
		.kind = KEYS_STATEMENT_PROPOSAL,
		.number = p->number,
		.signer = by->pid,
		.enrolment = by->enrolment,
		.time_s = (uint64_t)fs_vault_wall_s(),
	};
	struct fs_key prefix = key_of(p->number);
	struct bytes_out out;
	int rc = -ENOMEM;

	if (!body || !bytes)
		goto out;
	out = bytes_out(body, cap);
	bytes_put_u8(&out, FORMAT);
	bytes_put_u8(&out, (uint8_t)p->what);
	bytes_put_u32(&out, p->base);
	bytes_put(&out, p->text, p->len);
	st.body = (struct keys_span){body, out.len};
	memcpy(st.vault, e->v->header.vault, sizeof(st.vault));
	keys_statement_sign(&st, by->sk);
	rc = keys_statement_encode(&st, bytes, room, &made);
	if (!rc)
		fs_vault_parts_put(e->v, &e->b, &prefix, bytes, made);
out:
	if (bytes)
		keys_wipe(bytes, room);
	free(bytes);
	free(body);
	return rc;
}

int fs_consent_keep(struct fs_vault *v, struct fs_session *by, struct fs_proposal *p,
		    const char *detail, struct fs_say *say)
{
	struct fs_hand hand = {.pid = by->pid, .enrolment = by->enrolment};
	struct numbers have;
	struct fs_edit e;
	int rc = numbers_of(v, &have);

	if (rc)
		return rc;
	if (have.n == PROPOSALS_MAX) {
		fs_say(say,
		       "%d proposals wait for a second steward; one of them has to be approved or "
		       "rejected first: journalfs approve",
		       PROPOSALS_MAX);
		return -ENOSPC;
	}
	/* Numbers go up, also when earlier ones are gone. */
	p->number = v->counters.policy + 1;
	if (have.n && have.number[have.n - 1] >= p->number)
		p->number = have.number[have.n - 1] + 1;
	rc = fs_vault_tell(v, by, POLICY_RECORD_PROPOSAL, 0, NULL, "proposal %u: %s", p->number,
			   detail);
	if (rc)
		return rc;
	fs_vault_edit_begin(v, &e, NULL);
	pthread_rwlock_rdlock(&by->lock);
	rc = by->secret ? 0 : -ENOKEY;
	if (!rc) {
		hand.sk = by->secret->statement_sk;
		rc = put(&e, &hand, p);
	}
	pthread_rwlock_unlock(&by->lock);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	fs_vault_edit_clear(&e);
	return rc;
}

void fs_consent_drop(struct fs_edit *e, uint32_t number)
{
	struct fs_key prefix = key_of(number);

	fs_vault_parts_del(e->v, &e->b, &prefix);
}

/* ---- listing, rejecting ---- */

static int may(struct fs_vault *v, struct fs_session *by, const char *what, struct fs_say *say)
{
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (fs_sessions_has(v, by, POLICY_POLICY))
		return 0;
	fs_say(say, "%s needs the policy right, which %s does not have", what, by->who);
	rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL, "%s", what);
	return rc ? rc : -EACCES;
}

static void write_archive(const struct fs_proposal *p, FILE *out)
{
	enum fs_log_archive_what what;
	char sum[2 * KEYS_LEN + 1];
	uint64_t last;

	if (fs_archive_proposal(p, &what, &last, sum))
		fprintf(out, "damaged: only to be rejected\n");
	else
		fprintf(out, "the access log's segments to %llu are to be %s\n",
			(unsigned long long)last,
			what == FS_LOG_ARCHIVE_KEPT ? "archived" : "removed");
}

static void list_one(struct fs_vault *v, const struct fs_proposal *p, FILE *out)
{
	char when[48];
	bool stale = p->what == FS_PROPOSAL_POLICY && p->base != v->counters.practice;

	policy_span_text(p->time_s * 1000000000, ' ', 0, when);
	fprintf(out, "%u  %s  by %s: ", p->number, when, p->who);
	if (p->what == FS_PROPOSAL_INVITE)
		fprintf(out, "a new identity for %.*s\n", (int)p->len, p->text);
	else if (p->what == FS_PROPOSAL_ARCHIVE)
		write_archive(p, out);
	else
		fprintf(out, "a practice policy instead of version %u%s\n", p->base,
			stale ? ", which is no longer in force: only to be rejected" : "");
}

int fs_vault_proposals(struct fs_vault *v, struct fs_session *by, char **text, struct fs_say *say)
{
	struct numbers have = {.n = 0};
	size_t len;
	FILE *out;
	int rc;

	rc = may(v, by, "listing proposals", say);
	if (rc)
		return rc;
	out = open_memstream(text, &len);
	if (!out)
		return -ENOMEM;
	pthread_mutex_lock(&v->edit);
	rc = numbers_of(v, &have);
	for (size_t i = 0; i < have.n && !rc; i++) {
		struct fs_proposal p;

		rc = fs_consent_read(v, have.number[i], &p);
		if (rc == -EBADMSG) {
			fprintf(out, "%u  damaged or forged: only to be rejected\n",
				have.number[i]);
			rc = 0;
			continue;
		}
		if (!rc)
			list_one(v, &p, out);
		fs_consent_clear(&p);
	}
	pthread_mutex_unlock(&v->edit);
	if (fclose(out) && !rc)
		rc = -ENOMEM;
	if (rc) {
		free(*text);
		*text = NULL;
	}
	return rc;
}

/* Who gains first: a long text could hide the line that says so. */
static int write_change(struct fs_vault *v, const struct fs_session *by,
			const struct fs_proposal *p, const char *now, size_t len, char **text)
{
	struct policy_practice *next = NULL;
	char whom[512] = "", *diff;
	int rc = fs_policies_parse_practice(p->text, p->len, &next);

	if (!rc) {
		pthread_mutex_lock(&v->edit);
		rc = fs_consent_needed(v, by, next, whom, sizeof(whom));
		pthread_mutex_unlock(&v->edit);
		policy_practice_put(next);
	}
	/* A text that is no policy any more is refused when somebody agrees. */
	if (rc < 0 && rc != -EBADMSG)
		return rc;
	diff = policy_diff(now, len, p->text, p->len, "practice.policy", 64u << 10);
	rc = diff && asprintf(text, "new powers: %s\n%s", whom[0] ? whom : "none", diff) >= 0
		     ? 0
		     : -ENOMEM;
	free(diff);
	return rc;
}

static int archive_text(const struct fs_proposal *p, char **text)
{
	enum fs_log_archive_what what;
	char sum[2 * KEYS_LEN + 1];
	uint64_t last;
	int rc = fs_archive_proposal(p, &what, &last, sum);

	if (rc)
		return rc;
	return asprintf(text,
			"%s wants the access log's segments to %llu %s\nSHA-256 of the list of their "
			"SHA-256: %s\n",
			p->who, (unsigned long long)last,
			what == FS_LOG_ARCHIVE_KEPT ? "archived: the copies were compared"
						    : "removed: there are no copies",
			sum) < 0
		       ? -ENOMEM
		       : 0;
}

int fs_vault_proposal_diff(struct fs_vault *v, struct fs_session *by, uint32_t number, char **text,
			   struct fs_say *say)
{
	struct fs_proposal p = {0};
	char *now = NULL;
	uint32_t version;
	size_t len = 0;
	int rc = may(v, by, "looking at a proposal", say);

	if (rc)
		return rc;
	pthread_mutex_lock(&v->edit);
	rc = fs_consent_read(v, number, &p);
	if (!rc && p.what == FS_PROPOSAL_POLICY)
		rc = fs_policies_text(v, 0, &now, &len, &version);
	pthread_mutex_unlock(&v->edit);
	if (rc == -ENOENT)
		fs_say(say, "there is no proposal %u; `journalfs approve` lists them", number);
	if (rc)
		goto out;
	if (p.what == FS_PROPOSAL_POLICY)
		rc = write_change(v, by, &p, now, len, text);
	else if (p.what == FS_PROPOSAL_ARCHIVE)
		rc = archive_text(&p, text);
	else if (asprintf(text, "%s wants a new identity for %.*s, in place of the one that is "
				"enrolled\n",
			  p.who, (int)p.len, p.text) < 0)
		rc = -ENOMEM;
out:
	free(now);
	fs_consent_clear(&p);
	return rc;
}

static int tell_rejected(struct fs_vault *v, struct fs_session *by, uint32_t number)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_PROPOSAL);
	fs_vault_record(v, by, 0, &r);
	r.action = 'D';
	snprintf(r.detail, sizeof(r.detail), "proposal %u", number);
	return fs_log_write(v->log, &r);
}

int fs_vault_proposal_reject(struct fs_vault *v, struct fs_session *by, uint32_t number,
			     struct fs_say *say)
{
	struct numbers have;
	struct fs_edit e;
	bool there = false;
	int rc = may(v, by, "rejecting a proposal", say);

	if (rc)
		return rc;
	pthread_mutex_lock(&v->edit);
	rc = numbers_of(v, &have);
	for (size_t i = 0; !rc && i < have.n; i++)
		there = there || have.number[i] == number;
	if (!rc && !there) {
		fs_say(say, "there is no proposal %u; `journalfs approve` lists them", number);
		rc = -ENOENT;
	}
	if (!rc)
		rc = tell_rejected(v, by, number);
	if (!rc) {
		fs_vault_edit_begin(v, &e, NULL);
		fs_consent_drop(&e, number);
		rc = fs_vault_edit_commit(&e);
		fs_vault_edit_clear(&e);
	}
	pthread_mutex_unlock(&v->edit);
	return rc ? rc : fs_group_sync(fs_records_group(v->records), 0);
}
