/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/break_glass_grants.c - emergency grants: their records, their clocks, their end.
 *
 * Owns the table of all grants that were ever given and their stored form. What a
 * decision needs of one is found here, and so is whether a grant let somebody sign a
 * journal. A grant ends at its time on the wall clock or on the boot-time clock,
 * whichever comes first; after another boot of the host the time that was used
 * (noted each minute) counts, so that setting a clock back gives nothing.
 *
 * Invariants: (1) fs_glass_find gives nothing that is over on either clock, whether
 * the tick has come to it or not; (2) a grant that ended never opens again; (3) ending
 * never waits for the log or the disk: access is refused first.
 *
 * Locks: edit for changes, lock for the table; see vault_impl.h.
 */
#include <fcntl.h>
#include <unistd.h>

#include "../keys/seal.h"
#include "../policy/span.h"
#include "vault_impl.h"

/*
 * The wall clock may be set between a log-in and an emergency: without room for that a step back would make what was
 * signed then a forgery for everybody. The session signed it only while the grant was open, on either clock.
 */
#define CLOCK_STEP_S 86400
#define NOTE_NS (UINT64_C(60) * 1000000000)
#define VERSION 1
#define CLEAR 160 /* bytes of the record before the sealed texts; more than it takes */
#define TEXTS (3 * (2 + FS_GLASS_TEXT_MAX))

/* ---- records ---- */

static struct fs_key grant_key(uint32_t number)
{
	return fs_key_n(0, 0, FS_T_GRANT, number, 4);
}

static void encode(const struct fs_grant *g, struct bytes_out *out)
{
	bytes_put_u8(out, VERSION);
	bytes_put_u32(out, g->pid);
	bytes_put_u32(out, g->enrolment);
	bytes_put_u32(out, g->journal);
	bytes_put_u64(out, (uint64_t)g->from_s);
	bytes_put_u64(out, (uint64_t)g->until_s);
	bytes_put_u32(out, g->limit_s);
	bytes_put_u32(out, g->used_s);
	bytes_put(out, g->boot, sizeof(g->boot));
	bytes_put_u64(out, g->from_boot_ns);
	bytes_put_u8(out, g->ground);
	bytes_put_u8(out, g->flags);
	bytes_put_u8(out, g->end);
	bytes_put_u64(out, (uint64_t)g->ended_s);
	bytes_put_u64(out, (uint64_t)g->due_s);
	bytes_put_u8(out, g->review);
	bytes_put_u32(out, g->reviewer);
	bytes_put_u64(out, (uint64_t)g->reviewed_s);
	bytes_put_u32(out, g->deviation);
	bytes_put_u32(out, g->policy);
	bytes_put(out, g->reason_hash, sizeof(g->reason_hash));
}

static void decode(struct bytes_in *in, struct fs_grant *g)
{
	if (bytes_get_u8(in) != VERSION)
		in->bad = true;
	g->pid = bytes_get_u32(in);
	g->enrolment = bytes_get_u32(in);
	g->journal = bytes_get_u32(in);
	g->from_s = (int64_t)bytes_get_u64(in);
	g->until_s = (int64_t)bytes_get_u64(in);
	g->limit_s = bytes_get_u32(in);
	g->used_s = bytes_get_u32(in);
	bytes_get(in, g->boot, sizeof(g->boot));
	g->from_boot_ns = bytes_get_u64(in);
	g->ground = bytes_get_u8(in);
	g->flags = bytes_get_u8(in);
	g->end = bytes_get_u8(in);
	g->ended_s = (int64_t)bytes_get_u64(in);
	g->due_s = (int64_t)bytes_get_u64(in);
	g->review = bytes_get_u8(in);
	g->reviewer = bytes_get_u32(in);
	g->reviewed_s = (int64_t)bytes_get_u64(in);
	g->deviation = bytes_get_u32(in);
	g->policy = bytes_get_u32(in);
	bytes_get(in, g->reason_hash, sizeof(g->reason_hash));
	/* pid 0: its own record is missing, see fill_gap. */
	if ((!g->pid && g->end == FS_GLASS_OPEN) || g->end > FS_GLASS_WITHDRAWN || g->review > FS_GLASS_SETTLED ||
	    !g->ground || g->ground >= FS_GLASS_GROUNDS || g->limit_s > POLICY_DAY_S)
		in->bad = true;
}

static void text_key(const struct fs_vault *v, uint8_t key[static KEYS_LEN])
{
	keys_label_derive(KEYS_LABEL_GRANT, v->host_secret, NULL, 0, key, KEYS_LEN);
}

/* What binds the sealed texts to their place. */
static size_t text_place(const struct fs_vault *v, uint32_t number, uint8_t ad[static 64])
{
	struct bytes_out out = bytes_out(ad, 64);

	bytes_put(&out, v->header.vault, sizeof(v->header.vault));
	bytes_put_u32(&out, number);
	return out.len;
}

static void seal_text(const struct fs_vault *v, uint32_t number, const struct fs_grant_text *text,
		      struct bytes_out *out)
{
	uint8_t key[KEYS_LEN], ad[64], plain[TEXTS];
	struct bytes_out p = bytes_out(plain, sizeof(plain));
	size_t ad_len = text_place(v, number, ad);
	uint8_t *room;

	bytes_put_text(&p, text->reason);
	bytes_put_text(&p, text->note);
	bytes_put_text(&p, text->settled);
	room = bytes_room(out, p.len + KEYS_SEAL_OVERHEAD);
	if (room) {
		text_key(v, key);
		keys_seal(key, (struct keys_span){ad, ad_len}, (struct keys_span){plain, p.len}, room);
	}
	keys_wipe(key, sizeof(key));
	keys_wipe(plain, sizeof(plain));
}

static int unseal_text(const struct fs_vault *v, uint32_t number, struct keys_span sealed,
		       struct fs_grant_text *out)
{
	uint8_t key[KEYS_LEN], ad[64], plain[TEXTS];
	size_t ad_len = text_place(v, number, ad);
	struct bytes_in in;
	int rc = -EBADMSG;

	text_key(v, key);
	if (sealed.len >= KEYS_SEAL_OVERHEAD && sealed.len - KEYS_SEAL_OVERHEAD <= sizeof(plain))
		rc = keys_unseal(key, (struct keys_span){ad, ad_len}, sealed, plain);
	if (!rc) {
		in = bytes_in(plain, sealed.len - KEYS_SEAL_OVERHEAD);
		bytes_get_text(&in, out->reason, sizeof(out->reason));
		bytes_get_text(&in, out->note, sizeof(out->note));
		bytes_get_text(&in, out->settled, sizeof(out->settled));
		rc = bytes_in_done(&in) ? 0 : -EBADMSG;
	}
	keys_wipe(key, sizeof(key));
	keys_wipe(plain, sizeof(plain));
	return rc;
}

int fs_glass_text(struct fs_vault *v, uint32_t number, struct fs_grant_text *out)
{
	struct fs_key key = grant_key(number);
	struct fs_buf *buf = NULL;
	struct fs_grant g;
	struct bytes_in in;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	memset(out, 0, sizeof(*out));
	/* It could not be stored when it was opened, and may be now. */
	if (rc == -ENOENT) {
		snprintf(out->reason, sizeof(out->reason),
			 "(could not be stored: the access log has it)");
		return 0;
	}
	if (rc)
		return rc;
	in = bytes_in(buf->data, buf->len);
	decode(&in, &g);
	rc = in.bad ? -EBADMSG : 0;
	/* The record stands in the vault's tree: what does not open was sealed by an earlier host. */
	if (!rc && unseal_text(v, number, (struct keys_span){in.p + in.off, in.len - in.off}, out)) {
		memset(out, 0, sizeof(*out));
		snprintf(out->reason, sizeof(out->reason),
			 "(sealed by this vault's earlier host: the access log has it)");
	}
	fs_buf_put(buf);
	return rc;
}

/* ---- the table ---- */

static struct fs_grant *grant_at(const struct fs_vault *v, uint32_t number)
{
	return number && number <= v->grant_count ? &v->grants[number - 1] : NULL;
}

/* (t) by the caller. */
static int table_set(struct fs_vault *v, const struct fs_grant *g)
{
	struct fs_grant *old = grant_at(v, g->number), *more;
	unsigned was = old && old->end == FS_GLASS_OPEN, is = g->end == FS_GLASS_OPEN;

	if (!old) {
		if (g->number != v->grant_count + 1)
			return -EBADMSG;
		more = reallocarray(v->grants, v->grant_count + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		v->grants = more;
		v->grant_count++;
		old = &v->grants[g->number - 1];
	}
	*old = *g;
	if (is && !was)
		atomic_fetch_add(&v->grants_open, 1);
	else if (was && !is)
		atomic_fetch_sub(&v->grants_open, 1);
	return 0;
}

/* On this boot's clock; a grant of an earlier boot has what it had not used by then. */
static void set_boot_end(const struct fs_vault *v, struct fs_grant *g)
{
	static const uint8_t unknown[sizeof(g->boot)];
	uint32_t left = g->used_s < g->limit_s ? g->limit_s - g->used_s : 0;

	if (!memcmp(g->boot, v->boot, sizeof(g->boot)) && memcmp(v->boot, unknown, sizeof(unknown)))
		g->until_boot_ns = g->from_boot_ns + (uint64_t)g->limit_s * 1000000000u;
	else
		g->until_boot_ns = fs_vault_boot_ns() + (uint64_t)left * 1000000000u;
}

/*
 * A grant on a full disk was not stored, and a later one was. It is over; that it was shows here, and it is
 * judged by what the access log has.
 */
static int fill_gap(struct fs_vault *v, uint32_t number)
{
	const struct fs_grant g = {
		.number = number, .ground = FS_GLASS_OTHER, .end = FS_GLASS_WITHDRAWN};

	return table_set(v, &g);
}

static int load_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_vault *v = ctx;
	struct bytes_in in = bytes_in(buf->data, buf->len);
	struct fs_grant g = {.number = (uint32_t)fs_key_sub(key, 4)};

	decode(&in, &g);
	if (in.bad)
		return -EBADMSG;
	for (uint32_t n = v->grant_count + 1; n < g.number; n++) {
		int rc = fill_gap(v, n);

		if (rc)
			return rc;
	}
	set_boot_end(v, &g);
	return table_set(v, &g);
}

static void read_boot(struct fs_vault *v)
{
	char text[40] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	size_t n = 0;

	if (fd < 0)
		return; /* then every start counts as another boot */
	if (read(fd, text, sizeof(text) - 1) < 36)
		text[0] = '\0';
	close(fd);
	for (const char *p = text; *p && n < 2 * sizeof(v->boot); p++) {
		unsigned digit = *p >= '0' && *p <= '9' ? (unsigned)(*p - '0')
				 : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
							  : 16;

		if (digit > 15)
			continue;
		v->boot[n / 2] = (uint8_t)(v->boot[n / 2] << 4 | digit);
		n++;
	}
}

int fs_glass_load(struct fs_vault *v)
{
	struct fs_key from = fs_key(0, 0, FS_T_GRANT), to = fs_key(0, 0, FS_T_GRANT + 1);
	int rc;

	read_boot(v);
	pthread_rwlock_wrlock(&v->lock);
	rc = fs_record_scan(fs_records_vault(v->records), &from, &to, load_one, v);
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

void fs_glass_clear(struct fs_vault *v)
{
	free(v->grants);
	v->grants = NULL;
	v->grant_count = 0;
	atomic_store(&v->grants_open, 0);
}

static int store(struct fs_vault *v, const struct fs_grant *g, const struct fs_grant_text *text)
{
	uint8_t bytes[CLEAR + TEXTS + KEYS_SEAL_OVERHEAD];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));
	struct fs_key key = grant_key(g->number);
	struct fs_batch b;
	int rc;

	encode(g, &out);
	seal_text(v, g->number, text, &out);
	if (out.bad)
		return -EMSGSIZE;
	fs_batch_init(&b, NULL);
	b.urgent = true; /* an emergency on a full disk */
	fs_batch_put(&b, fs_records_vault(v->records), &key, bytes, out.len);
	rc = fs_group_apply(fs_records_group(v->records), &b, NULL);
	fs_batch_clear(&b);
	return rc;
}

int fs_glass_put(struct fs_vault *v, const struct fs_grant *g, const struct fs_grant_text *text)
{
	struct fs_grant now = *g;
	int rc, kept = store(v, g, text);

	/* A verdict can be given again. */
	if (kept && g->end != FS_GLASS_OPEN)
		return kept;
	/*
	 * A disk that takes nothing more does not keep anybody from an emergency: the access log has it. Each
	 * tick tries to store it; until that is done such a grant ends with the daemon at the latest.
	 */
	if (kept && !g->unkept)
		fs_notice_alarm(v, g->journal, "emergency grant %u could not be stored: %s",
			       (unsigned)g->number, strerror(-kept));
	now.unkept = kept != 0;
	pthread_rwlock_wrlock(&v->lock);
	rc = table_set(v, &now);
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

/* ---- what decisions ask ---- */

bool fs_glass_over(const struct fs_vault *v, const struct fs_grant *g)
{
	(void)v;
	return g->end != FS_GLASS_OPEN || fs_vault_wall_s() >= g->until_s ||
	       fs_vault_boot_ns() >= g->until_boot_ns;
}

bool fs_glass_find(const struct fs_vault *v, uint32_t pid, uint32_t enrolment, uint32_t journal,
		   struct policy_grant *out)
{
	unsigned left = atomic_load(&v->grants_open);

	for (uint32_t i = v->grant_count; left && i-- > 0;) {
		const struct fs_grant *g = &v->grants[i];

		if (g->end != FS_GLASS_OPEN)
			continue;
		left--;
		if (g->pid != pid || g->enrolment != enrolment || g->journal != journal ||
		    fs_glass_over(v, g))
			continue;
		*out = (struct policy_grant){
			.number = g->number,
			/* A clock set back meanwhile takes nothing away: the other one judges too. */
			.from_s = INT64_MIN,
			.until_s = g->until_s,
			.past_block = g->flags & FS_GLASS_PAST_BLOCK,
		};
		return true;
	}
	return false;
}

bool fs_vault_grant(struct fs_vault *v, struct fs_session *s, uint32_t index, uint64_t *number,
		    int64_t *since_s)
{
	struct policy_grant grant;
	bool found;

	if (!atomic_load(&v->grants_open))
		return false;
	pthread_rwlock_rdlock(&v->lock);
	found = fs_glass_find(v, s->pid, s->enrolment, index, &grant);
	if (found) {
		*number = grant.number;
		*since_s = v->grants[grant.number - 1].from_s;
	}
	pthread_rwlock_unlock(&v->lock);
	return found;
}

bool fs_vault_drafts(struct fs_vault *v, struct fs_session *s, uint32_t index, int64_t *since_s)
{
	uint64_t grant;
	int64_t since;

	if (!fs_vault_grant(v, s, index, &grant, &since) ||
	    !fs_glass_wrote(v, s->pid, s->enrolment, index, (int64_t)atomic_load(&s->signed_s),
			    (int64_t)s->ceiling_s))
		return false;
	*since_s = since;
	return true;
}

bool fs_glass_wrote(struct fs_vault *v, uint32_t pid, uint32_t enrolment, uint32_t journal,
		    int64_t from_s, int64_t until_s)
{
	bool found = false;

	pthread_rwlock_rdlock(&v->lock);
	for (uint32_t i = 0; i < v->grant_count && !found; i++) {
		const struct fs_grant *g = &v->grants[i];

		found = g->pid == pid && g->enrolment == enrolment && g->journal == journal &&
			g->from_s - CLOCK_STEP_S <= until_s && from_s <= g->until_s + CLOCK_STEP_S;
	}
	pthread_rwlock_unlock(&v->lock);
	return found;
}

/* ---- the end ---- */

static void tell_end(struct fs_vault *v, struct fs_session *by, const struct fs_grant *g,
		     const char *why)
{
	const struct fs_person *p = fs_people_by_pid(v, g->pid);
	const struct fs_entry *e = fs_catalog_by_index(v, g->journal);
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_BREAK_GLASS_END);
	fs_vault_record(v, by, 0, &r);
	if (!by && p) {
		r.practitioner = p->pid;
		policy_record_copy(r.who, sizeof(r.who), p->name);
	}
	r.journal = g->journal;
	if (e)
		policy_record_copy(r.journal_name, sizeof(r.journal_name), e->name);
	r.grant = g->number;
	policy_record_copy(r.detail, sizeof(r.detail), why);
	/* Access has ended whether this can be written or not. */
	(void)fs_log_write(v->log, &r);
}

static void tell_others(struct fs_vault *v, const struct fs_grant *g, const char *reason)
{
	static const char *const events[] = {[FS_GLASS_EXPIRED] = "expired",
					     [FS_GLASS_CLOSED] = "closed",
					     [FS_GLASS_WITHDRAWN] = "withdrawn"};
	const struct fs_entry *e = fs_catalog_by_index(v, g->journal);

	fs_notice_put(v, g, events[g->end], reason, e ? e->name : NULL);
}

int fs_glass_end(struct fs_vault *v, struct fs_session *by, uint32_t number, enum fs_glass_end how,
		 const char *why)
{
	struct fs_grant *at = grant_at(v, number), g;
	struct fs_grant_text text;
	int rc;

	if (!at || at->end != FS_GLASS_OPEN)
		return -ENOENT;
	g = *at;
	g.end = (uint8_t)how;
	g.ended_s = fs_vault_wall_s();
	pthread_rwlock_wrlock(&v->lock);
	(void)table_set(v, &g);
	pthread_rwlock_unlock(&v->lock);
	tell_end(v, by, &g, why);
	rc = fs_glass_text(v, number, &text);
	if (!rc)
		rc = store(v, &g, &text);
	tell_others(v, &g, text.reason);
	keys_wipe(&text, sizeof(text));
	/* Or the next start would find it open. */
	if (rc) {
		g.unkept = true;
		pthread_rwlock_wrlock(&v->lock);
		(void)table_set(v, &g);
		pthread_rwlock_unlock(&v->lock);
		atomic_fetch_add(&v->grants_unkept, 1);
	}
	return rc;
}

/* An end that could not be stored when it came. edit held. */
static void keep_end(struct fs_vault *v, const struct fs_grant *at)
{
	struct fs_grant_text text;
	struct fs_grant g = *at;
	int rc = fs_glass_text(v, g.number, &text);

	g.unkept = false;
	if (rc == -ENOENT)
		rc = 0;
	if (!rc)
		rc = store(v, &g, &text);
	keys_wipe(&text, sizeof(text));
	if (rc)
		return;
	pthread_rwlock_wrlock(&v->lock);
	(void)table_set(v, &g);
	pthread_rwlock_unlock(&v->lock);
	atomic_fetch_sub(&v->grants_unkept, 1);
}

/* Why nobody has this grant any more, or NULL. edit held. */
static const char *withdrawn(struct fs_vault *v, const struct fs_grant *g)
{
	const struct fs_person *p = fs_people_by_pid(v, g->pid);
	const struct policy_practitioner *line;

	if (!p || p->enrolment != g->enrolment)
		return "the practitioner's identity was replaced";
	if (!fs_catalog_by_index(v, g->journal))
		return "the journal was removed";
	line = policy_practice_find(v->practice, p->name);
	if (!line || line->state == POLICY_LEFT)
		return "the practitioner has left";
	if (line->state == POLICY_ON_LEAVE)
		return "the practitioner is on leave";
	if (!line->role->clinical || !(line->role->rights & POLICY_BREAK_GLASS))
		return "the role may not break the glass any more";
	return NULL;
}

/* The time that was used, once a minute, for a start after another boot. edit held. */
static void note_used(struct fs_vault *v, const struct fs_grant *at)
{
	uint64_t now = fs_vault_boot_ns();
	int64_t wall = at->until_s - fs_vault_wall_s();
	int64_t boot = at->until_boot_ns > now ? (int64_t)((at->until_boot_ns - now) / 1000000000u) : 0;
	int64_t left = wall < boot ? wall : boot;
	struct fs_grant g = *at;
	struct fs_grant_text text;

	if (left < 0)
		left = 0;
	if (left <= g.limit_s && g.limit_s - (uint32_t)left > g.used_s)
		g.used_s = g.limit_s - (uint32_t)left;
	else if (!g.unkept)
		return;
	/* What can't be stored now is stored at a later tick. */
	if (!fs_glass_text(v, g.number, &text))
		(void)fs_glass_put(v, &g, &text);
	keys_wipe(&text, sizeof(text));
}

bool fs_glass_tick(struct fs_vault *v)
{
	uint64_t now = fs_vault_boot_ns();
	bool note, lost = false;

	if (!atomic_load(&v->grants_open) && !atomic_load(&v->grants_unkept))
		return false;
	note = now - v->grants_noted_ns >= NOTE_NS;
	if (note)
		v->grants_noted_ns = now;
	pthread_mutex_lock(&v->edit);
	for (uint32_t i = 0; i < v->grant_count; i++) {
		const struct fs_grant *g = &v->grants[i];
		const char *why;

		if (g->end != FS_GLASS_OPEN) {
			if (g->unkept)
				keep_end(v, g);
			continue;
		}
		why = v->practice ? withdrawn(v, g) : NULL;
		if (fs_glass_over(v, g)) {
			(void)fs_glass_end(v, NULL, g->number, FS_GLASS_EXPIRED, "its time is over");
			lost = true;
		} else if (why) {
			(void)fs_glass_end(v, NULL, g->number, FS_GLASS_WITHDRAWN, why);
			lost = true;
		} else if (note || g->unkept) {
			note_used(v, g);
		}
	}
	pthread_mutex_unlock(&v->edit);
	return lost;
}
