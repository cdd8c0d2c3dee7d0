/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_report.c - what a steward should look at now: who and what waits, what ends soon.
 *
 * Each item says what is so and what to do next. The catalog is walked in pages:
 * what concerns a journal is noted under the lock, with a reference to its policy,
 * and told without it, so that a slow reader and 100,000 journals delay nobody.
 *
 * Locks: `lock` for a page or a single look-up; none while records are read or
 * items are told.
 */
#include <stdarg.h>

#include "../policy/grounds.h"
#include "../policy/span.h"
#include "policy_keys.h"

#define PAGE 128
#define DAY_S 86400

struct status {
	struct fs_vault *v;
	struct policy_practice *practice;
	int64_t now_s, until_s; /* what ends between them is told */
	int (*fn)(void *ctx, const struct fs_policy_item *item);
	void *ctx;
	int rc;
	struct fs_policy_wraps wraps;
};

/* Whether to go on. text is formatted into the item. */
static bool tell(struct status *s, struct fs_policy_item *item, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool tell(struct status *s, struct fs_policy_item *item, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(item->text, sizeof(item->text), fmt, ap);
	va_end(ap);
	if (!s->rc)
		s->rc = s->fn(s->ctx, item);
	return !s->rc;
}

static const char *day_text(int64_t s, char out[static 24])
{
	policy_span_date_text((int32_t)(s / DAY_S), out);
	return out;
}

/* When something ends: to the end of a day, as people say it, or to the minute. */
static const char *end_text(int64_t until_s, char out[static 24])
{
	if (until_s % DAY_S)
		policy_span_minute_text(policy_span_minute(until_s), out);
	else
		policy_span_date_text((int32_t)(until_s / DAY_S) - 1, out);
	return out;
}

/* ---- people ---- */

struct known {
	bool invited, enrolled;
	int64_t expires_s; /* of the invitation */
};

static struct known look_up(struct fs_vault *v, const char *name)
{
	const struct fs_person *person;
	const struct fs_known_invite *k;
	struct known out = {0};

	pthread_rwlock_rdlock(&v->lock);
	person = fs_people_find(v, name);
	k = person ? fs_people_invite(v, person->invite) : NULL;
	out.enrolled = person && person->enrolment;
	out.invited = k != NULL;
	out.expires_s = k ? (int64_t)k->inv.expires_s : 0;
	pthread_rwlock_unlock(&v->lock);
	return out;
}

static void person_enrolment(struct status *s, const struct policy_practitioner *p)
{
	struct known known = look_up(s->v, p->name);
	struct fs_policy_item item = {.kind = "enrolment", .who = p->name};
	char day[24];

	if (known.enrolled)
		return;
	item.until_s = known.expires_s;
	if (known.invited && known.expires_s > s->now_s) {
		snprintf(item.next, sizeof(item.next), "%s: journalfs enroll, under the account %s",
			 p->name, p->account);
		tell(s, &item, "%s is invited and has not enrolled; the code is good until %s",
		     p->name, day_text(known.expires_s, day));
		return;
	}
	snprintf(item.next, sizeof(item.next), "journalfs invite %s", p->name);
	tell(s, &item, known.invited ? "%s was invited, and the invitation has expired"
				     : "%s has not been invited", p->name);
}

static void person_state(struct status *s, const struct policy_practitioner *p)
{
	struct fs_policy_item item = {.who = p->name};
	char day[24];

	if (p->state == POLICY_ON_LEAVE) {
		item.kind = "leave";
		snprintf(item.next, sizeof(item.next),
			 "when %s is back: take `on leave` out of the line; who does not come back: "
			 "write `left`", p->name);
		tell(s, &item, "%s is on leave and has no access", p->name);
	} else if (p->until_s != INT64_MAX && p->until_s <= s->now_s) {
		item.kind = "validity";
		item.until_s = p->until_s;
		snprintf(item.next, sizeof(item.next),
			 "write `left` at the end of the line, or another `until`");
		tell(s, &item, "%s's time has ended", p->name);
	} else if (p->until_s != INT64_MAX && p->until_s < s->until_s) {
		item.kind = "validity";
		item.until_s = p->until_s;
		snprintf(item.next, sizeof(item.next),
			 "write another `until` into the line, or let it end");
		tell(s, &item, "%s's time ends with %s", p->name, end_text(p->until_s, day));
	}
}

static void people(struct status *s)
{
	for (size_t i = 0; i < policy_practice_count(s->practice) && !s->rc; i++) {
		const struct policy_practitioner *p = policy_practice_at(s->practice, i);

		if (p->state == POLICY_LEFT)
			continue;
		person_enrolment(s, p);
		person_state(s, p);
	}
}

/* ---- what a second steward has to agree to, and keys that are nobody's journal ---- */

/* One item for each line of the text, which is freed. */
static void tell_lines(struct status *s, const char *kind, const char *next, char *text)
{
	char *line, *rest = NULL;

	for (line = strtok_r(text, "\n", &rest); line && !s->rc; line = strtok_r(NULL, "\n", &rest)) {
		struct fs_policy_item item = {.kind = kind};

		snprintf(item.next, sizeof(item.next), "%s", next);
		tell(s, &item, "%s", line);
	}
	free(text);
}

static void proposals(struct status *s, struct fs_session *by)
{
	struct fs_say say = {0};
	char *text = NULL;

	s->rc = fs_vault_proposals(s->v, by, &text, &say);
	if (!s->rc)
		tell_lines(s, "proposal", "another steward: journalfs approve NUMBER", text);
}

static void vault_keys(struct status *s)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		s->rc = -ENOMEM;
		return;
	}
	pthread_rwlock_rdlock(&s->v->lock);
	fs_lists_waiting(s->v, out);
	fs_index_waiting(s->v, out);
	fs_log_grants_waiting(s->v, out);
	pthread_rwlock_unlock(&s->v->lock);
	if (fclose(out)) {
		free(text);
		s->rc = -ENOMEM;
		return;
	}
	tell_lines(s, "keys", "", text);
}

/* ---- emergency accesses that nobody has judged ---- */

static void overdue(struct status *s)
{
	struct fs_glass_item g;

	for (uint32_t n = 1; !s->rc && fs_glass_item(s->v, n, &g); n++) {
		struct fs_policy_item item = {
			.kind = "review", .who = g.who, .journal = g.journal, .until_s = g.g.due_s};
		char when[24];
		bool can;

		if (!g.overdue)
			continue;
		pthread_rwlock_rdlock(&s->v->lock);
		can = fs_glass_judge(s->v, &g.g);
		pthread_rwlock_unlock(&s->v->lock);
		if (can)
			snprintf(item.next, sizeof(item.next),
				 "somebody else with the review right: journalfs review %u", n);
		else
			snprintf(item.next, sizeof(item.next), "%s", FS_GLASS_NOBODY);
		policy_span_minute_text(policy_span_minute(g.g.due_s), when);
		tell(s, &item, "emergency access %u of %s is not judged: that was due %s", n, g.who,
		     when);
	}
}

/* ---- journals ---- */

struct noted {
	uint32_t index, waiting;
	struct policy_journal *policy; /* a reference; NULL: damaged */
	char name[256];
};

static bool concerns(const struct status *s, const struct fs_entry *e)
{
	return e->waiting || !e->policy || policy_grounds_ends(e->policy, s->now_s, s->until_s) ||
	       policy_grounds_attended(e->policy, s->now_s);
}

/* What is to be told among the next journals; *index moves behind them. */
static size_t note_page(const struct status *s, uint32_t *index, struct noted *page, bool *end)
{
	struct fs_vault *v = s->v;
	uint32_t stop = *index + PAGE * 8;
	size_t n = 0;

	pthread_rwlock_rdlock(&v->lock);
	for (; n < PAGE && *index < v->journals.cap && *index < stop; (*index)++) {
		const struct fs_entry *e = v->journals.by_index[*index];

		if (!e || !concerns(s, e))
			continue;
		page[n].index = e->index;
		page[n].waiting = e->waiting;
		page[n].policy = e->policy ? policy_journal_get(e->policy) : NULL;
		snprintf(page[n].name, sizeof(page[n].name), "%s", e->name);
		n++;
	}
	*end = *index >= v->journals.cap;
	pthread_rwlock_unlock(&v->lock);
	return n;
}

static void add_name(char *list, size_t cap, const char *name)
{
	size_t at = strlen(list);

	if (at + strlen(name) + 8 < cap)
		snprintf(list + at, cap - at, "%s%s", at ? ", " : "", name);
	else if (at + 6 < cap && (at < 3 || strcmp(list + at - 3, "...")))
		snprintf(list + at, cap - at, ", ...");
}

static bool reads(const struct status *s, const struct noted *j, const char *who)
{
	const struct policy_question q = {
		.practice = s->practice,
		.journal = j->policy,
		.who = who,
		.rights = POLICY_READ,
		.now_s = s->now_s,
	};
	struct policy_verdict verdict;

	policy_decide(&q, &verdict);
	return verdict.answer == POLICY_ALLOW;
}

static void journal_grants(struct status *s, const struct noted *j)
{
	char lack[400] = "", hold[400] = "";
	struct fs_policy_item item = {.kind = "grant", .who = lack, .journal = j->name};

	s->rc = fs_policy_wraps_read(s->v, j->index, &s->wraps);
	for (size_t i = 0; i < policy_practice_count(s->practice) && !s->rc; i++) {
		const char *name = policy_practice_at(s->practice, i)->name;
		struct fs_policy_holder who;

		if (!reads(s, j, name))
			continue;
		who = fs_policy_holder(s->v, name);
		if (who.enrolment)
			add_name(fs_policy_wraps_hold(&s->wraps, who) ? hold : lack,
				 sizeof(lack), name);
	}
	if (s->rc || (!lack[0] && s->wraps.break_glass && s->wraps.recovery))
		return; /* made meanwhile */
	if (hold[0])
		snprintf(item.next, sizeof(item.next), "one of them logs in: %.400s", hold);
	else
		snprintf(item.next, sizeof(item.next),
			 "nobody whom the policy lets in holds the key: a clinician with break-glass, or the "
			 "recovery key");
	if (lack[0])
		tell(s, &item, "its key waits for %s: nobody who holds it is logged in", lack);
	else
		tell(s, &item, "its key waits to be wrapped for break-glass or recovery");
}

/* The line of a text, as written, without blanks around it. */
static void copy_line(const char *text, unsigned line, char *out, size_t cap)
{
	size_t n;

	while (--line && (text = strchr(text, '\n')))
		text++;
	out[0] = '\0';
	if (!text)
		return;
	text += strspn(text, " \t");
	n = strcspn(text, "\n");
	snprintf(out, cap, "%.*s", (int)n, text);
}

static void journal_relation(struct status *s, const struct noted *j, const struct policy_relation *r)
{
	struct fs_policy_item item = {.journal = j->name, .who = r->who, .until_s = r->until_s};
	bool now = r->from_s <= s->now_s && s->now_s < r->until_s;
	char *text = NULL, line[400], when[24];
	uint32_t version;
	size_t len;

	if (r->attend && now) {
		item.kind = "attend";
		if (fs_policies_text(s->v, j->index, &text, &len, &version))
			snprintf(line, sizeof(line), "%s", r->text);
		else
			copy_line(text, r->line, line, sizeof(line));
		free(text);
		snprintf(item.next, sizeof(item.next),
			 "let it end, or write an `allow` line when the care goes on");
		tell(s, &item, "%s", line);
		return;
	}
	if (r->until_s == INT64_MAX || r->until_s < s->now_s || r->until_s >= s->until_s)
		return;
	item.kind = "ends";
	snprintf(item.next, sizeof(item.next), "another `until` in line %u, or let it end", r->line);
	tell(s, &item, "%s ends with %s", r->text, end_text(r->until_s, when));
}

static void journal(struct status *s, const struct noted *j)
{
	struct fs_policy_item item = {.kind = "damaged", .journal = j->name};
	struct policy_relation r;

	if (!j->policy) {
		snprintf(item.next, sizeof(item.next),
			 "put its text again: journalfs policy log shows the earlier versions");
		tell(s, &item, "its policy does not verify and admits nobody");
		return;
	}
	if (j->waiting)
		journal_grants(s, j);
	for (size_t n = 0; !s->rc && policy_grounds_entry(j->policy, n, &r); n++)
		journal_relation(s, j, &r);
}

static void journals(struct status *s)
{
	struct noted *page = calloc(PAGE, sizeof(*page));
	uint32_t index = 1;
	bool end = !page;

	if (!page)
		s->rc = -ENOMEM;
	while (!end && !s->rc) {
		size_t n = note_page(s, &index, page, &end);

		for (size_t i = 0; i < n; i++) {
			if (!s->rc)
				journal(s, &page[i]);
			if (page[i].policy)
				policy_journal_put(page[i].policy);
		}
	}
	free(page);
}

static void defaults(struct status *s)
{
	struct policy_relation r;
	const char *unit;
	char when[24];

	for (size_t n = 0; !s->rc && policy_grounds_default(s->practice, n, &r, &unit); n++) {
		struct fs_policy_item item = {.kind = "ends", .who = r.who, .until_s = r.until_s};

		if (r.until_s == INT64_MAX || r.until_s < s->now_s || r.until_s >= s->until_s)
			continue;
		snprintf(item.next, sizeof(item.next),
			 "another `until` in the practice policy, or let it end");
		tell(s, &item, "default unit %s %s ends with %s", unit, r.text,
		     end_text(r.until_s, when));
	}
}

int fs_vault_policy_status(struct fs_vault *v, struct fs_session *by, uint32_t days,
			   int (*fn)(void *ctx, const struct fs_policy_item *item), void *ctx,
			   struct fs_say *say)
{
	struct status s = {.v = v, .fn = fn, .ctx = ctx, .now_s = fs_vault_wall_s()};
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (!fs_sessions_has(v, by, POLICY_POLICY)) {
		fs_say(say, "what waits for a steward is shown to whom the practice policy gives the "
			    "policy right, which %s does not have", by->who);
		rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL,
				   "reading what waits for a steward");
		return rc ? rc : -EACCES;
	}
	s.until_s = s.now_s + (int64_t)days * DAY_S;
	s.practice = fs_vault_practice(v);
	if (!s.practice)
		return -ENOKEY;
	proposals(&s, by);
	if (!s.rc)
		overdue(&s);
	if (!s.rc)
		people(&s);
	if (!s.rc)
		vault_keys(&s);
	if (!s.rc)
		defaults(&s);
	if (!s.rc)
		journals(&s);
	policy_practice_put(s.practice);
	fs_policy_wraps_clear(&s.wraps);
	return s.rc < 0 ? s.rc : 0;
}
