/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/audit.c - the vault's own log records, and status.
 *
 * Owns how a record is filled from a session and a process, the alarm, and what
 * `status` and `waiting` tell. Knows no record format (policy/record.h) and no
 * segment (fs/log.h). Reading the log: audit_read.c.
 */
#include <stdarg.h>

#include "program.h"
#include "vault_impl.h"

static void copy_text(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

void fs_vault_record(struct fs_vault *v, struct fs_session *s, pid_t pid, struct policy_record *r)
{
	const struct policy_practitioner *p;

	r->pid = (uint32_t)(pid > 0 ? pid : 0);
	fs_program_name(pid, r->program, sizeof(r->program));
	pthread_rwlock_rdlock(&v->lock);
	r->policy_version = v->counters.policy;
	p = s && v->practice ? policy_practice_find(v->practice, s->who) : NULL;
	if (p) {
		copy_text(r->role, sizeof(r->role), p->role ? p->role->name : "");
		copy_text(r->unit, sizeof(r->unit), p->unit ? p->unit->name : "");
	}
	pthread_rwlock_unlock(&v->lock);
	if (!s)
		return;
	memcpy(r->session, s->id, sizeof(r->session));
	r->practitioner = s->pid;
	r->uid = s->uid;
	copy_text(r->who, sizeof(r->who), s->who);
	copy_text(r->origin, sizeof(r->origin), s->origin);
}

static void fill(struct fs_vault *v, struct fs_session *s, enum policy_record_kind kind,
		 uint32_t journal, const char *name, struct policy_record *r)
{
	policy_record_init(r, kind);
	fs_vault_record(v, s, 0, r);
	r->journal = journal;
	copy_text(r->journal_name, sizeof(r->journal_name), name);
}

int fs_vault_tell(struct fs_vault *v, struct fs_session *s, enum policy_record_kind kind,
		  uint32_t journal, const char *name, const char *fmt, ...)
{
	struct policy_record r;
	va_list ap;

	fill(v, s, kind, journal, name, &r);
	va_start(ap, fmt);
	vsnprintf(r.detail, sizeof(r.detail), fmt, ap);
	va_end(ap);
	return fs_log_write(v->log, &r);
}

int fs_vault_tell_because(struct fs_vault *v, struct fs_session *s, enum policy_record_kind kind,
			  uint32_t journal, const char *name, const char *reason, const char *fmt,
			  ...)
{
	struct policy_record r;
	va_list ap;

	fill(v, s, kind, journal, name, &r);
	policy_record_copy(r.reason, sizeof(r.reason), reason);
	va_start(ap, fmt);
	vsnprintf(r.detail, sizeof(r.detail), fmt, ap);
	va_end(ap);
	return fs_log_write(v->log, &r);
}

int fs_vault_tell_by(struct fs_vault *v, struct fs_session *s, enum policy_record_kind kind,
		     const struct fs_asker *by, const char *fmt, ...)
{
	struct policy_record r;
	va_list ap;

	policy_record_init(&r, kind);
	fs_vault_record(v, s, by ? by->pid : 0, &r);
	if (by)
		copy_text(r.origin, sizeof(r.origin), by->origin);
	va_start(ap, fmt);
	vsnprintf(r.detail, sizeof(r.detail), fmt, ap);
	va_end(ap);
	return fs_log_write(v->log, &r);
}

int fs_vault_mention(struct fs_vault *v, struct fs_session *s, enum policy_record_kind kind,
		     uint32_t journal, const char *name, const char *fmt, ...)
{
	struct policy_record r;
	va_list ap;

	fill(v, s, kind, journal, name, &r);
	va_start(ap, fmt);
	vsnprintf(r.detail, sizeof(r.detail), fmt, ap);
	va_end(ap);
	return fs_log_append(v->log, &r, NULL);
}

int fs_vault_tell_refused(struct fs_vault *v, uid_t uid, pid_t pid, const char *who,
			  const char *origin, const char *fmt, ...)
{
	struct policy_record r;
	va_list ap;

	fill(v, NULL, POLICY_RECORD_REFUSED, 0, NULL, &r);
	r.type = 110114;
	r.uid = uid;
	r.pid = (uint32_t)(pid > 0 ? pid : 0);
	fs_program_name(pid, r.program, sizeof(r.program));
	copy_text(r.who, sizeof(r.who), who);
	copy_text(r.origin, sizeof(r.origin), origin);
	va_start(ap, fmt);
	vsnprintf(r.detail, sizeof(r.detail), fmt, ap);
	va_end(ap);
	return fs_log_write(v->log, &r);
}

/* Damage may be found by any thread under any of our locks: only the log is called. */
void fs_vault_alarm(struct fs_vault *v, uint32_t journal, const char *fmt, ...)
{
	struct policy_record r;
	va_list ap;

	policy_record_init(&r, POLICY_RECORD_ALARM);
	r.journal = journal;
	va_start(ap, fmt);
	vsnprintf(r.detail, sizeof(r.detail), fmt, ap);
	va_end(ap);
	if (v->log)
		(void)fs_log_append(v->log, &r, NULL);
	if (v->cfg.alarm)
		v->cfg.alarm(v->cfg.ctx, r.detail);
}

/* ---- status ---- */

/* Practitioners of the policy who have no identity and may still get one. */
static uint32_t enrolments_waiting(struct fs_vault *v)
{
	uint32_t n = 0;

	for (size_t i = 0; v->practice && i < policy_practice_count(v->practice); i++) {
		const struct policy_practitioner *p = policy_practice_at(v->practice, i);
		const struct fs_person *person = fs_people_find(v, p->name);

		if (p->state != POLICY_LEFT && !(person && person->enrolment))
			n++;
	}
	return n;
}

static uint32_t grants_waiting(struct fs_vault *v)
{
	uint32_t n = v->lists_waiting + v->log_waiting + v->index_waiting;

	for (uint32_t i = 0; i < v->journals.cap; i++) {
		if (v->journals.by_index[i])
			n += v->journals.by_index[i]->waiting;
	}
	return n;
}

void fs_vault_status(struct fs_vault *v, struct fs_vault_status *out)
{
	struct fs_store_stat store = {0};
	struct fs_group_stat group;
	uint8_t root[KEYS_LEN];

	memset(out, 0, sizeof(*out));
	pthread_rwlock_rdlock(&v->lock);
	if (v->practice)
		copy_text(out->title, sizeof(out->title),
			  policy_practice_settings(v->practice)->title);
	out->journals = v->journals.count;
	out->practitioners = v->practice ? (uint32_t)policy_practice_count(v->practice) : 0;
	out->sessions = (uint32_t)v->session_count;
	out->grants_waiting = grants_waiting(v);
	out->enrolments_waiting = enrolments_waiting(v);
	out->policy_version = v->counters.policy;
	pthread_rwlock_unlock(&v->lock);
	(void)fs_store_stat(fs_records_store(v->records), &store);
	out->used_bytes = store.bytes_used;
	(void)fs_store_space(fs_records_store(v->records), &out->free_bytes);
	fs_records_head(v->records, &out->commit, root);
	fs_group_stat(fs_records_group(v->records), &group);
	out->waiting_for_space = group.waiting_for_space;
	out->failed = fs_group_failed(fs_records_group(v->records));
	out->keys_locked = keys_slab_locked(v->slab);
	fs_log_stat(v->log, &out->log);
}

static void waiting_people(struct fs_vault *v, FILE *out)
{
	int64_t now = fs_vault_wall_s();

	for (size_t i = 0; i < policy_practice_count(v->practice); i++) {
		const struct policy_practitioner *p = policy_practice_at(v->practice, i);
		const struct fs_person *person = fs_people_find(v, p->name);
		const struct fs_known_invite *k =
			person ? fs_people_invite(v, person->invite) : NULL;

		if (p->state == POLICY_LEFT || (person && person->enrolment))
			continue;
		if (!k)
			fprintf(out, "%s has not been invited: journalfs invite %s\n", p->name,
				p->name);
		else if ((int64_t)k->inv.expires_s <= now)
			fprintf(out, "%s: the invitation has expired: journalfs invite %s\n",
				p->name, p->name);
		else
			fprintf(out, "%s is invited and has not enrolled\n", p->name);
	}
}

#define WAITING_LINES 200

static void waiting_journals(struct fs_vault *v, FILE *out)
{
	unsigned lines = 0;

	for (uint32_t i = 0; i < v->journals.cap; i++) {
		const struct fs_entry *e = v->journals.by_index[i];

		if (!e || !e->waiting)
			continue;
		if (++lines > WAITING_LINES) {
			fprintf(out, "and more journals\n");
			return;
		}
		fprintf(out,
			"journal \"%s\": its key waits for %u to be admitted by somebody who holds "
			"it\n",
			e->name, e->waiting);
	}
}

char *fs_vault_waiting(struct fs_vault *v, struct fs_session *by)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (!fs_sessions_has(v, by, POLICY_POLICY))
		return strdup("");
	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	pthread_mutex_lock(&v->edit);
	if (v->renew_dirty)
		(void)fs_renew_load(v);
	pthread_mutex_unlock(&v->edit);
	pthread_rwlock_rdlock(&v->lock);
	if (v->practice) {
		waiting_people(v, out);
		fs_lists_waiting(v, out);
		fs_index_waiting(v, out);
		fs_log_grants_waiting(v, out);
		fs_renew_waiting(v, out);
		waiting_journals(v, out);
	}
	pthread_rwlock_unlock(&v->lock);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}
