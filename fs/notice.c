/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notice.c - the queue of notices: put, kept, tried again, given up.
 *
 * Owns the notices that wait. Each is kept in memory as it is stored, sealed; what it
 * says is in clear only while it is handed out. A try that failed is made again after
 * a growing time, for about a week; then it is given up with an alarm.
 *
 * Invariants: (1) a notice leaves the queue only delivered or given up, and both are
 * in the log; (2) no access waits for a notice: what can't be stored waits in memory;
 * (3) nothing of a notice goes to any account but the notify service's.
 *
 * Locks: edit for what is in the queue and what is stored; notices.lock (a leaf) for
 * that and for what is handed out. Holding edit, the queue may be walked without it.
 */
#include <stdarg.h>
#include <time.h>

#include "vault_impl.h"

#define SECOND_NS UINT64_C(1000000000)
#define STORE_NS (60 * SECOND_NS) /* between two attempts at what could not be stored */
#define SLOWEST_S 900u
#define WEEK_S (7u * 86400)

static const uint32_t delays_s[] = {5, 15, 60, 300};
#define QUICK (sizeof(delays_s) / sizeof(delays_s[0]))
/* Counted, not timed: a clock that is set, or a host that was off, gives nothing up. */
#define TRIES_MOST (QUICK + WEEK_S / SLOWEST_S)

/* ---- telling ---- */

void fs_notice_alarm(struct fs_vault *v, uint32_t journal, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (v->cfg.alert)
		v->cfg.alert(v->cfg.ctx, text);
	fs_vault_alarm(v, journal, "%s", text);
}

static void say_time(int64_t s, char out[static 32])
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(out, 32, "?");
}

/* To the system's log: who and when, no patient's name and no reason. */
static void alert(struct fs_vault *v, const struct fs_notice *n)
{
	char text[1024], until[32];

	if (!v->cfg.alert)
		return;
	say_time(n->until_s, until);
	snprintf(text, sizeof(text),
		 "emergency access %s: grant %u of %s (role %s, unit %s, uid %u), journal number "
		 "%u, "
		 "ground %s, until %s%s%s",
		 n->event, n->grant, n->who, n->role, n->unit, n->uid, n->journal,
		 fs_glass_ground_word(n->ground), until,
		 n->flags & FS_GLASS_PAST_BLOCK ? ", PAST THE PATIENT'S BLOCK" : "",
		 n->flags & FS_GLASS_SERIAL ? ", one of many within 24 hours" : "");
	v->cfg.alert(v->cfg.ctx, text);
}

void fs_notice_record(const struct fs_notice *n, const char *detail, uint8_t outcome,
		      struct policy_record *r)
{
	policy_record_init(r, POLICY_RECORD_NOTICE);
	r->outcome = outcome;
	r->grant = n->grant;
	r->journal = n->journal;
	policy_record_copy(r->detail, sizeof(r->detail), detail);
}

/* ---- memory; notices.lock held ---- */

struct fs_waiting_notice *fs_notice_find(struct fs_notices *q, uint32_t number)
{
	for (size_t i = 0; i < q->count; i++) {
		if (q->n[i].number == number)
			return &q->n[i];
	}
	return NULL;
}

int fs_notice_append(struct fs_notices *q, const struct fs_waiting_notice *w)
{
	if (q->count == q->cap) {
		size_t cap = q->cap ? 2 * q->cap : 16;
		struct fs_waiting_notice *more = reallocarray(q->n, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		q->n = more;
		q->cap = cap;
	}
	q->n[q->count++] = *w;
	pthread_cond_broadcast(&q->more);
	return 0;
}

static void take_out(struct fs_notices *q, struct fs_waiting_notice *w)
{
	size_t at = (size_t)(w - q->n);

	free(w->sealed);
	memmove(w, w + 1, (q->count - at - 1) * sizeof(*w));
	q->count--;
	if (!q->count)
		q->error[0] = '\0';
}

/* ---- records; edit held ---- */

static int store(struct fs_vault *v, struct fs_waiting_notice *w)
{
	struct fs_journal *j = fs_records_vault(v->records);
	struct fs_key key = fs_notice_key(w->number), last = fs_notice_key(0);
	uint8_t bytes[4];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));
	struct fs_batch b;
	int rc;

	bytes_put_u32(&out, v->notices.last);
	fs_batch_init(&b, NULL);
	b.urgent = true; /* an emergency on a full disk */
	fs_batch_put(&b, j, &key, w->sealed, w->len);
	fs_batch_put(&b, j, &last, bytes, out.len);
	rc = fs_group_apply(fs_records_group(v->records), &b, NULL);
	fs_batch_clear(&b);
	w->kept = !rc;
	return rc;
}

void fs_notice_erase(struct fs_vault *v, uint32_t number)
{
	struct fs_key key = fs_notice_key(number);
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	b.urgent = true;
	fs_batch_del(&b, fs_records_vault(v->records), &key);
	/* What stays for want of a disk is delivered once more after the next start. */
	(void)fs_group_apply(fs_records_group(v->records), &b, NULL);
	fs_batch_clear(&b);
}

void fs_notice_drop(struct fs_vault *v, uint32_t number)
{
	struct fs_notices *q = &v->notices;
	struct fs_waiting_notice *w;
	bool kept;

	pthread_mutex_lock(&q->lock);
	w = fs_notice_find(q, number);
	kept = w && w->kept;
	if (w)
		take_out(q, w);
	pthread_mutex_unlock(&q->lock);
	if (kept)
		fs_notice_erase(v, number);
}

/* Sealed as it is now; the bytes are the caller's. */
static int seal(const struct fs_vault *v, const struct fs_notice *n, uint8_t **out, uint32_t *len)
{
	uint8_t bytes[FS_NOTICE_BYTES], *copy = NULL;
	size_t got = 0;
	int rc = fs_notice_seal(v, n, bytes, &got);

	if (!rc)
		copy = malloc(got);
	if (!rc && !copy)
		rc = -ENOMEM;
	if (rc)
		return rc;
	memcpy(copy, bytes, got);
	*out = copy;
	*len = (uint32_t)got;
	return 0;
}

/* ---- putting; edit held ---- */

/* The only session of this practitioner tells where he sits; with several it is not known. */
static void origin_of(const struct fs_vault *v, uint32_t pid, struct fs_notice *n)
{
	unsigned found = 0;

	for (size_t i = 0; i < v->session_count; i++) {
		if (v->sessions[i]->pid != pid)
			continue;
		policy_record_copy(n->origin, sizeof(n->origin), v->sessions[i]->origin);
		found++;
	}
	if (found != 1)
		n->origin[0] = '\0';
}

static void describe(struct fs_vault *v, const struct fs_grant *g, struct fs_notice *n)
{
	const struct fs_person *p = fs_people_by_pid(v, g->pid);
	const struct policy_practitioner *line =
		p && v->practice ? policy_practice_find(v->practice, p->name) : NULL;

	n->grant = g->number;
	n->journal = g->journal;
	n->ground = g->ground;
	n->flags = g->flags;
	n->from_s = g->from_s;
	n->until_s = g->until_s;
	n->ended_s = g->end == FS_GLASS_OPEN ? 0 : g->ended_s;
	n->review_s = g->due_s;
	n->queued_s = fs_vault_wall_s();
	if (p)
		snprintf(n->who, sizeof(n->who), "%s", p->name);
	if (p && g->enrolment && g->enrolment <= p->id_count)
		n->uid = p->ids[g->enrolment - 1]->id.uid;
	if (line && line->role)
		policy_record_copy(n->role, sizeof(n->role), line->role->name);
	if (line && line->unit)
		policy_record_copy(n->unit, sizeof(n->unit), line->unit->name);
	origin_of(v, g->pid, n);
}

/* The oldest that is not of a beginning, else the oldest. */
static const struct fs_waiting_notice *least_wanted(const struct fs_notices *q)
{
	for (size_t i = 0; i < q->count; i++) {
		if (!q->n[i].opened)
			return &q->n[i];
	}
	return q->n;
}

static void make_room(struct fs_vault *v)
{
	struct fs_notices *q = &v->notices;

	while (q->count && q->count >= q->most) {
		const struct fs_waiting_notice *w = least_wanted(q);

		fs_notice_alarm(
			v, w->journal,
			"notice %u of the %s of emergency grant %u was given up undelivered: %zu "
			"wait already; does the notify service run?",
			w->number, w->opened ? "opening" : "later course", w->grant, q->count);
		fs_notice_drop(v, w->number);
	}
}

static int queue(struct fs_vault *v, struct fs_notice *n)
{
	struct fs_notices *q = &v->notices;
	struct fs_waiting_notice w = {
		.grant = n->grant, .journal = n->journal, .opened = !strcmp(n->event, "opened")};
	int rc, kept;

	n->number = w.number = q->last + 1;
	rc = seal(v, n, &w.sealed, &w.len);
	if (rc)
		return rc;
	q->last = w.number;
	kept = store(v, &w);
	if (kept)
		fs_vault_alarm(
			v, n->journal,
			"notice %u of emergency grant %u could not be stored (%s): until it can, "
			"it waits in memory",
			w.number, n->grant, strerror(-kept));
	pthread_mutex_lock(&q->lock);
	rc = fs_notice_append(q, &w);
	pthread_mutex_unlock(&q->lock);
	if (rc)
		free(w.sealed);
	return rc;
}

void fs_notice_put(struct fs_vault *v, const struct fs_grant *g, const char *event,
		   const char *reason, const char *journal_name)
{
	const struct policy_settings *set =
		v->practice ? policy_practice_settings(v->practice) : NULL;
	struct fs_notice n = {0};
	int rc;

	describe(v, g, &n);
	policy_record_copy(n.event, sizeof(n.event), event);
	/* The system's log in any case; who was told of the beginning is told of the end. */
	alert(v, &n);
	if (!(set && set->break_glass_notify) && !(g->flags & FS_GLASS_TOLD)) {
		keys_wipe(&n, sizeof(n));
		return;
	}
	policy_record_copy(n.reason, sizeof(n.reason), reason ? reason : "");
	if (set && set->break_glass_names && journal_name)
		policy_record_copy(n.journal_name, sizeof(n.journal_name), journal_name);
	make_room(v);
	rc = queue(v, &n);
	if (rc)
		fs_notice_alarm(v, g->journal, "nobody is told that emergency grant %u was %s: %s",
				g->number, event, strerror(-rc));
	keys_wipe(&n, sizeof(n));
}

/* ---- trying again ---- */

static uint32_t delay_s(uint32_t tries)
{
	return tries && tries <= QUICK ? delays_s[tries - 1] : SLOWEST_S;
}

/* The count and the error, in memory and on disk. edit held. */
static void note_failure(struct fs_vault *v, const struct fs_notice *n)
{
	struct fs_notices *q = &v->notices;
	struct fs_waiting_notice *w;
	uint8_t *sealed = NULL;
	uint32_t len = 0;
	int rc = seal(v, n, &sealed, &len);

	pthread_mutex_lock(&q->lock);
	w = fs_notice_find(q, n->number);
	if (w) {
		w->handed = false;
		w->tries = n->tries;
		w->due_ns = fs_vault_boot_ns() + delay_s(n->tries) * SECOND_NS;
		policy_record_copy(q->error, sizeof(q->error), n->error);
		if (!rc) {
			free(w->sealed);
			w->sealed = sealed;
			w->len = len;
			sealed = NULL;
		}
	}
	pthread_mutex_unlock(&q->lock);
	free(sealed);
	if (w && !rc)
		(void)store(v, w);
}

static void copy_error(struct fs_notice *n, const char *error)
{
	policy_record_copy(n->error, sizeof(n->error), *error ? error : "no reason was given");
	for (char *p = n->error; *p; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	}
}

void fs_notice_failure(struct fs_notice *n, const char *error, struct policy_record *r)
{
	char detail[512];

	n->tries++;
	copy_error(n, error);
	snprintf(detail, sizeof(detail), "%s: notice %u was not delivered, try %u: %s", n->event,
		 n->number, n->tries, n->error);
	fs_notice_record(n, detail, 8, r);
}

/* After the record of it. edit held. */
void fs_notice_failed(struct fs_vault *v, const struct fs_notice *n)
{
	if (n->tries < TRIES_MOST) {
		note_failure(v, n);
		return;
	}
	fs_notice_alarm(
		v, n->journal,
		"notice %u (%s) of emergency grant %u was given up undelivered after %u tries: %s",
		n->number, n->event, n->grant, n->tries, n->error);
	fs_notice_drop(v, n->number);
}

/* Takes one back whose answer did not come in time. */
static bool overdue(struct fs_vault *v, uint64_t now, struct fs_notice *n)
{
	struct fs_notices *q = &v->notices;
	bool found = false;

	pthread_mutex_lock(&q->lock);
	for (size_t i = 0; i < q->count && !found; i++) {
		struct fs_waiting_notice *w = &q->n[i];

		if (!w->handed || w->due_ns > now)
			continue;
		w->handed = false;
		n->number = w->number;
		found = !fs_notice_unseal(v, (struct keys_span){w->sealed, w->len}, n);
	}
	pthread_mutex_unlock(&q->lock);
	return found;
}

void fs_notice_delivered(const struct fs_notice *n, struct policy_record *r)
{
	char detail[128];

	snprintf(detail, sizeof(detail), "%s: notice %u was delivered, try %u", n->event, n->number,
		 n->tries + 1);
	fs_notice_record(n, detail, 0, r);
}

/* Those that were delivered while the log could not be written. */
static void log_again(struct fs_vault *v)
{
	struct fs_notices *q = &v->notices;

	for (size_t i = q->count; i-- > 0;) {
		const struct fs_waiting_notice *w = &q->n[i];
		struct fs_notice n = {.number = w->number};
		struct policy_record r;

		if (!w->told || fs_notice_unseal(v, (struct keys_span){w->sealed, w->len}, &n))
			continue;
		fs_notice_delivered(&n, &r);
		keys_wipe(&n, sizeof(n));
		if (fs_log_append(v->log, &r, NULL))
			return;
		fs_notice_drop(v, w->number);
	}
}

static void store_again(struct fs_vault *v)
{
	struct fs_notices *q = &v->notices;

	for (size_t i = 0; i < q->count; i++) {
		if (!q->n[i].kept && store(v, &q->n[i]))
			return;
	}
}

void fs_notice_tick(struct fs_vault *v)
{
	uint64_t now = fs_vault_boot_ns();
	struct policy_record r;
	struct fs_notice n = {0};

	while (overdue(v, now, &n)) {
		fs_notice_failure(&n, "the notify service did not answer within two minutes", &r);
		(void)fs_log_append(v->log, &r, NULL);
		fs_notice_failed(v, &n);
	}
	if (now - v->notices.stored_ns >= STORE_NS) {
		v->notices.stored_ns = now;
		store_again(v);
		log_again(v);
	}
	keys_wipe(&n, sizeof(n));
}

/* ---- open and close ---- */

void fs_notice_init(struct fs_vault *v)
{
	struct fs_notices *q = &v->notices;
	pthread_condattr_t attr;

	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->more, &attr);
	pthread_condattr_destroy(&attr);
	q->most = FS_NOTICES_MOST;
}

void fs_notice_clear(struct fs_vault *v)
{
	struct fs_notices *q = &v->notices;

	while (q->count)
		take_out(q, &q->n[q->count - 1]);
	free(q->n);
	q->n = NULL;
	pthread_cond_destroy(&q->more);
	pthread_mutex_destroy(&q->lock);
}
