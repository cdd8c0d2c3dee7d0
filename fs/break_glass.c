/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/break_glass.c - emergency access: ask, search, open, close.
 *
 * Who may, and how often, what has to be said, and the order of things: the record
 * with ground and reason is durable in the access log, then the grant is kept and a
 * notice waits for whoever is to be told, then the journal appears. What can't be
 * logged does not happen.
 *
 * Invariants: (1) every refusal, every search and every grant is durable in the log
 * before it is answered; (2) only an active clinical practitioner with the break-glass right
 * and a session that is not locked gets a grant, and only for one journal; (3) a
 * block is passed only when that was asked for by itself.
 *
 * Locks: edit from the look to the grant; callbacks after it.
 */
#include "../policy/utf8.h"
#include "vault_impl.h"

#define DAY_S 86400
#define SERIAL 3 /* the third in a day is escalated */

static const struct {
	const char *word, *text;
} grounds[FS_GLASS_GROUNDS] = {
	[FS_GLASS_DANGER] = {"danger", "danger to life or health"},
	[FS_GLASS_ACUTE] = {"acute", "acute treatment, nobody who treats the patient can be reached"},
	[FS_GLASS_DUTY] = {"duty", "on call"},
	[FS_GLASS_OTHER] = {"other", "another ground, as the reason says"},
};

const char *fs_glass_ground_word(enum fs_glass_ground ground)
{
	return (unsigned)ground < FS_GLASS_GROUNDS ? grounds[ground].word : NULL;
}

const char *fs_glass_ground_text(enum fs_glass_ground ground)
{
	return (unsigned)ground < FS_GLASS_GROUNDS ? grounds[ground].text : NULL;
}

enum fs_glass_ground fs_glass_ground_of(const char *word)
{
	for (unsigned i = 1; i < FS_GLASS_GROUNDS; i++) {
		if (!strcmp(grounds[i].word, word))
			return (enum fs_glass_ground)i;
	}
	return 0;
}

/* One request under way. */
struct emergency {
	struct fs_vault *v;
	struct fs_session *s;
	const char *journal; /* as it was asked for */
	const struct policy_settings *settings;
	struct fs_entry *entry;
	struct fs_glass_preview seen;
	unsigned pair; /* earlier grants of this pair in 90 days */
	bool repeated;
	struct fs_say *say;
};

/* Durable, then what the person is told and the program gets. */
static int refuse(const struct emergency *e, int rc, const char *why)
{
	int rc2 = fs_vault_tell(e->v, e->s, POLICY_RECORD_REFUSED, e->entry ? e->entry->index : 0,
				e->journal, "break-glass: %s", why);

	return rc2 ? rc2 : (fs_say(e->say, "%s", why), rc);
}

static int check_person(const struct emergency *e)
{
	const struct policy_practitioner *p = policy_practice_find(e->v->practice, e->s->who);
	char why[256];

	if (p && p->role->clinical && fs_sessions_has(e->v, e->s, POLICY_BREAK_GLASS))
		return 0;
	snprintf(why, sizeof(why),
		 "emergency access is for clinicians whose role may break the glass; %s is %s",
		 e->s->who, p ? p->role->name : "not known");
	return refuse(e, -EACCES, why);
}

/* How often he did, and whether this journal is open already. */
static void count(struct emergency *e)
{
	int64_t now = fs_vault_wall_s();

	for (uint32_t i = 0; i < e->v->grant_count; i++) {
		const struct fs_grant *g = &e->v->grants[i];
		bool same = e->entry && g->journal == e->entry->index;

		if (g->pid != e->s->pid)
			continue;
		e->seen.open += !fs_glass_over(e->v, g);
		/* One from the future: the clock was set back. It counts. */
		e->seen.today += g->from_s > now - DAY_S;
		e->seen.again = e->seen.again || (same && g->from_s > now - DAY_S);
		e->pair += same && g->from_s > now - FS_GLASS_PAIR_S;
	}
	e->seen.serial = e->seen.today + 1 >= SERIAL;
}

static int check_often(const struct emergency *e)
{
	char why[256];

	if (e->seen.open >= e->seen.at_once) {
		snprintf(why, sizeof(why),
			 "you have %u emergency accesses open, as many as the practice allows "
			 "together: end one with `journalfs break-glass --close`",
			 e->seen.open);
		return refuse(e, -EBUSY, why);
	}
	if (e->seen.today >= e->seen.daily) {
		/* This is no emergency any more, and somebody should know at once. */
		fs_notice_alarm(e->v, e->entry->index,
			       "%s was refused: %u emergency accesses within 24 hours", e->s->who,
			       e->seen.today);
		snprintf(why, sizeof(why),
			 "you have opened %u journals by emergency within 24 hours, as many as the "
			 "practice allows: ask a steward to admit you",
			 e->seen.today);
		return refuse(e, -EBUSY, why);
	}
	return 0;
}

/* Is there anything that a grant would give, and does a block stand in the way? */
static int check_journal(struct emergency *e)
{
	struct policy_question q = {.practice = e->v->practice,
				    .who = e->s->who,
				    .rights = POLICY_READ,
				    .now_s = fs_vault_wall_s()};
	struct policy_grant grant;
	struct policy_verdict verdict;

	e->entry = fs_catalog_by_name(e->v, e->journal);
	if (!e->entry)
		return refuse(e, -ENOENT,
			      "there is no journal of that name: it has to be written exactly as it "
			      "is called; `journalfs break-glass --search PART` finds it");
	/* What can't be read may hold a block. */
	if (!e->entry->policy)
		return refuse(e, -EIO, "the journal's policy is damaged: restore it from a backup");
	q.journal = e->entry->policy;
	policy_decide(&q, &verdict);
	e->seen.blocked = verdict.blocked;
	if (verdict.answer == POLICY_ALLOW)
		return refuse(e, -EEXIST, "this journal is open to you already, by policy");
	/* One that a later block has closed is no access: the block may be passed by another one. */
	if (fs_glass_find(e->v, e->s->pid, e->s->enrolment, e->entry->index, &grant) &&
	    (grant.past_block || !e->seen.blocked))
		return refuse(e, -EEXIST,
			      "this journal is open to you already by emergency access; it is not "
			      "made longer: when it has ended, it can be asked for again");
	snprintf(e->seen.journal, sizeof(e->seen.journal), "%s", e->entry->name);
	return 0;
}

/* The journal's own key, given to him before; then the break-glass key is not needed. */
static bool holds_key(const struct emergency *e)
{
	struct fs_journals_present p;
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	struct fs_key key;
	bool his;

	if (fs_journals_present(e->v, e->entry->index, &p))
		return false;
	key = fs_journals_wrap_key(e->entry->index, p.generation[p.n - 1], FS_WRAP_PRACTITIONER,
				   e->s->pid);
	if (fs_record_get(fs_records_vault(e->v->records), &key, &buf))
		return false;
	in = bytes_in(buf->data, buf->len);
	his = bytes_get_u32(&in) == e->s->enrolment;
	fs_buf_put(buf);
	return his;
}

/* A grant that could open nothing would only look like help. */
static int check_key(const struct emergency *e)
{
	if (holds_key(e) || fs_bg_holds(e->v, e->s->pid, e->s->enrolment))
		return 0;
	/* He may have logged in this very second. */
	if (!e->v->cfg.read_only) {
		e->v->lists_dirty = true;
		fs_lists_tick(e->v);
	}
	if (fs_bg_holds(e->v, e->s->pid, e->s->enrolment))
		return 0;
	return refuse(e, -EACCES,
		      "the key for emergencies has not reached you yet: it does as soon as a colleague "
		      "who may break the glass is logged in, and then for good; ask one to log in");
}

/* Everything that can be told before a word of the person's is needed. edit held. */
static int look(struct emergency *e)
{
	int rc;

	/* It may have been locked while edit was waited for. */
	if (!e->v->practice || fs_session_state(e->s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	e->settings = policy_practice_settings(e->v->practice);
	rc = check_person(e);
	if (!rc)
		rc = check_journal(e);
	if (rc)
		return rc;
	e->seen.limit_s = e->settings->break_glass_limit_s;
	e->seen.reason = e->settings->break_glass_reason;
	e->seen.review_s = e->settings->break_glass_review_s;
	e->seen.at_once = e->settings->break_glass_at_once;
	e->seen.daily = e->settings->break_glass_daily;
	count(e);
	rc = check_often(e);
	return rc ? rc : check_key(e);
}

static int begin(struct emergency *e, struct fs_vault *v, struct fs_session *s, const char *journal,
		 struct fs_say *say)
{
	*e = (struct emergency){.v = v, .s = s, .journal = journal, .say = say};
	return fs_session_state(s) == FS_SESSION_ACTIVE ? 0 : -ENOKEY;
}

int fs_vault_glass_ask(struct fs_vault *v, struct fs_session *s, const char *journal,
		       struct fs_glass_preview *out, struct fs_say *say)
{
	struct emergency e;
	int rc = begin(&e, v, s, journal, say);

	if (rc)
		return rc;
	pthread_mutex_lock(&v->edit);
	rc = look(&e);
	if (!rc)
		fs_factor_wanted(v, s, e.settings->break_glass_fresh_s, &e.seen.needs_code,
				 &e.seen.key_file);
	/* Whoever asks learns that there is such a journal, and whether a block is in it. */
	if (!rc)
		rc = fs_vault_tell(v, s, POLICY_RECORD_LIST, e.entry->index, e.entry->name,
				   "asked what emergency access would give");
	pthread_mutex_unlock(&v->edit);
	*out = e.seen;
	return rc;
}

/* ---- searching ---- */

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool contains(const char *name, const char *part)
{
	for (; *name; name++) {
		size_t i = 0;

		while (part[i] && fold(name[i]) == fold(part[i]))
			i++;
		if (!part[i])
			return true;
	}
	return false;
}

struct hits {
	char name[FS_GLASS_SEARCH_MOST][256];
	size_t n;
	bool more;
};

static void look_for(const struct fs_vault *v, const char *part, struct hits *h)
{
	for (uint32_t i = 0; i < v->journals.cap && !h->more; i++) {
		const struct fs_entry *e = v->journals.by_index[i];

		if (!e || !contains(e->name, part))
			continue;
		if (h->n == FS_GLASS_SEARCH_MOST)
			h->more = true;
		else
			snprintf(h->name[h->n++], sizeof(h->name[0]), "%s", e->name);
	}
}

int fs_vault_glass_search(struct fs_vault *v, struct fs_session *s, const char *part,
			  int (*fn)(void *ctx, const char *name), void *ctx, bool *more,
			  struct fs_say *say)
{
	struct hits *h = calloc(1, sizeof(*h));
	struct emergency e;
	int rc = h ? begin(&e, v, s, "", say) : -ENOMEM;

	if (!rc) {
		pthread_mutex_lock(&v->edit);
		rc = v->practice ? check_person(&e) : -ENOKEY;
		if (!rc && policy_utf8_characters(part) < FS_GLASS_SEARCH_MIN)
			rc = refuse(&e, -EINVAL,
				    "at least 3 characters of the name are wanted, plain text");
		if (!rc)
			look_for(v, part, h);
		if (!rc)
			rc = fs_vault_tell(v, s, POLICY_RECORD_LIST, 0, NULL,
					   "emergency search for \"%s\": %zu found%s", part, h->n,
					   h->more ? ", and more" : "");
		pthread_mutex_unlock(&v->edit);
	}
	for (size_t i = 0; !rc && i < h->n; i++) {
		rc = fn(ctx, h->name[i]);
		if (rc > 0) {
			rc = 0;
			break;
		}
	}
	if (!rc)
		*more = h->more;
	if (h)
		keys_wipe(h, sizeof(*h));
	free(h);
	return rc;
}

/* ---- opening ---- */

static int check_words(struct emergency *e, const struct fs_glass_open *in)
{
	char why[256];

	if (!in->ground || in->ground >= FS_GLASS_GROUNDS)
		return refuse(e, -EINVAL, "the ground is one of: danger, acute, duty, other");
	if (strlen(in->reason) > FS_GLASS_TEXT_MAX)
		return refuse(e, -EINVAL, "the reason is longer than 1000 bytes");
	if (policy_utf8_characters(in->reason) < e->seen.reason || policy_utf8_said(in->reason) < e->seen.reason / 2) {
		snprintf(why, sizeof(why),
			 "a reason in own words of at least %u characters is wanted, one line of "
			 "plain text",
			 e->seen.reason);
		return refuse(e, -EINVAL, why);
	}
	if (e->seen.blocked && !in->pass_block)
		return refuse(e, -EDOTDOT,
			      "the patient has blocked you or your unit: passing the block is a step "
			      "of its own");
	return 0;
}

static void reason_hash(const struct fs_vault *v, const char *reason, uint8_t out[static KEYS_LEN])
{
	const struct keys_span parts[] = {{"reason", 6}, {reason, strlen(reason)}};

	keys_label_derive(KEYS_LABEL_GRANT, v->host_secret, parts, 2, out, KEYS_LEN);
}

static void fill(const struct emergency *e, const struct fs_glass_open *in, struct fs_grant *g)
{
	*g = (struct fs_grant){
		.number = e->v->grant_count + 1,
		.pid = e->s->pid,
		.enrolment = e->s->enrolment,
		.journal = e->entry->index,
		.from_s = fs_vault_wall_s(),
		.limit_s = e->seen.limit_s,
		.from_boot_ns = fs_vault_boot_ns(),
		.ground = (uint8_t)in->ground,
		.policy = e->v->counters.policy,
	};
	g->until_s = g->from_s + g->limit_s;
	g->until_boot_ns = g->from_boot_ns + (uint64_t)g->limit_s * 1000000000u;
	g->due_s = g->from_s + e->seen.review_s;
	memcpy(g->boot, e->v->boot, sizeof(g->boot));
	reason_hash(e->v, in->reason, g->reason_hash);
	for (uint32_t i = 0; i < e->v->grant_count; i++) {
		if (e->v->grants[i].pid == g->pid &&
		    keys_equal(e->v->grants[i].reason_hash, g->reason_hash, KEYS_LEN))
			g->flags |= FS_GLASS_REPEATED;
	}
	g->flags |= e->seen.blocked ? FS_GLASS_PAST_BLOCK : 0;
	g->flags |= e->seen.again ? FS_GLASS_AGAIN : 0;
	g->flags |= e->seen.serial ? FS_GLASS_SERIAL : 0;
	g->flags |= e->pair + 1 >= FS_GLASS_PAIR_LEAST ? FS_GLASS_RECURRING : 0;
	g->flags |= e->settings->break_glass_notify ? FS_GLASS_TOLD : 0;
}

static int tell(const struct emergency *e, const struct fs_glass_open *in, const struct fs_grant *g)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_BREAK_GLASS);
	fs_vault_record(e->v, e->s, 0, &r);
	r.journal = g->journal;
	policy_record_copy(r.journal_name, sizeof(r.journal_name), e->entry->name);
	policy_record_copy(r.reason, sizeof(r.reason), in->reason);
	r.grant = g->number;
	r.until_ns = g->until_s * 1000000000;
	snprintf(r.detail, sizeof(r.detail), "%s%s%s%s%s", fs_glass_ground_text(in->ground),
		 g->flags & FS_GLASS_PAST_BLOCK ? "; PAST THE PATIENT'S BLOCK" : "",
		 g->flags & FS_GLASS_REPEATED ? "; the reason is word for word an earlier one" : "",
		 g->flags & FS_GLASS_AGAIN ? "; again within 24 hours" : "",
		 g->flags & FS_GLASS_SERIAL ? "; one of many within 24 hours" : "");
	return fs_log_write(e->v->log, &r);
}

static void escalate(const struct emergency *e, const struct fs_grant *g)
{
	if (g->flags & FS_GLASS_SERIAL)
		fs_notice_alarm(e->v, g->journal, "%s opens journal after journal by emergency: %u within "
			       "24 hours", e->s->who, e->seen.today + 1);
	if (g->flags & FS_GLASS_PAST_BLOCK)
		fs_notice_alarm(e->v, g->journal, "%s passed a patient's block by emergency, grant %u",
			       e->s->who, (unsigned)g->number);
}

static int open_locked(struct emergency *e, const struct fs_glass_open *in, struct fs_grant *g)
{
	const struct fs_proof proof = {in->code, in->stretched, in->keyfile};
	struct fs_grant_text text;
	int rc = look(e);

	if (!rc)
		rc = check_words(e, in);
	if (!rc)
		rc = fs_factor_prove(e->v, e->s, &proof, e->settings->break_glass_fresh_s, e->say);
	/* The code was waited for. */
	if (!rc && fs_session_state(e->s) != FS_SESSION_ACTIVE)
		rc = -ENOKEY;
	if (rc)
		return rc;
	fill(e, in, g);
	rc = tell(e, in, g);
	if (rc)
		return rc == -ENOSPC ? rc : -EIO;
	memset(&text, 0, sizeof(text));
	snprintf(text.reason, sizeof(text.reason), "%s", in->reason);
	rc = fs_glass_put(e->v, g, &text);
	keys_wipe(&text, sizeof(text));
	if (rc)
		return rc;
	fs_notice_put(e->v, g, "opened", in->reason, e->entry->name);
	escalate(e, g);
	return 0;
}

int fs_vault_glass_open(struct fs_vault *v, struct fs_session *s, const struct fs_glass_open *in,
			struct fs_grant *out, struct fs_say *say)
{
	struct emergency e;
	int rc = begin(&e, v, s, in->journal, say);

	if (rc)
		return rc;
	pthread_mutex_lock(&v->edit);
	rc = open_locked(&e, in, out);
	pthread_mutex_unlock(&v->edit);
	/* The journal appears, and attributes follow. */
	if (!rc)
		(void)fs_policies_in_force(v);
	return rc;
}

/* ---- closing ---- */

int fs_vault_glass_close(struct fs_vault *v, struct fs_session *s, const char *journal,
			 struct fs_say *say)
{
	struct policy_grant grant;
	struct fs_entry *e;
	int rc = -ENOENT;

	pthread_mutex_lock(&v->edit);
	e = v->practice ? fs_catalog_by_name(v, journal) : NULL;
	if (e && fs_glass_find(v, s->pid, s->enrolment, e->index, &grant))
		rc = fs_glass_end(v, s, (uint32_t)grant.number, FS_GLASS_CLOSED,
				  "ended by who opened it");
	pthread_mutex_unlock(&v->edit);
	if (rc == -ENOENT)
		fs_say(say, "you have no emergency access to a journal of that name");
	else
		(void)fs_policies_in_force(v);
	return rc;
}
