/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled decision against a slow, obvious one, on random policies and questions: two million
 * cases, POLICY_CASES for another number, POLICY_SEED for another seed (a failure names its own).
 *
 * The slow evaluator knows nothing of the parser or its model. A plain picture of a practice and a
 * journal is thrown first; the texts are written from it, as people might (dates or times, parts in
 * files of their own, any order); and questions are answered from the picture, by the sentences of
 * LANGUAGE.md, one right at a time.
 */
#include <check.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/decide.h"
#include "policy/explain.h"

#define MINUTE INT64_C(60)
#define DAY INT64_C(86400)
#define FIRST_DAY 20600 /* 2026-05-27 */
#define DAYS 8
#define ROLES 5
#define UNITS 3
#define PEOPLE 9
#define ENTRIES 12
#define DEFAULTS 6
#define RIGHTS 12 /* that a role may be given; one more can be asked for: DRAFT */
#define ASKED (RIGHTS + 1)
#define JOURNALS 50  /* of a practice */
#define QUESTIONS 20 /* about a journal */

enum kind { ALLOW, BLOCK, ATTEND };
enum subject { USER, UNIT, ROLE };

struct span {
	int64_t from_s, until_s; /* from <= t < until */
};

struct role {
	uint32_t rights;
	bool clinical;
};

struct person {
	unsigned role, unit; /* unit UNITS: none */
	bool leave, left;
	struct span valid;
};

struct entry {
	enum kind kind;
	enum subject subject;
	unsigned number;
	bool r, w, x;
	struct span span;
};

struct practice {
	struct role role[ROLES];
	struct person person[PEOPLE];
	struct entry deflt[DEFAULTS];
	unsigned default_unit[DEFAULTS], defaults;
	bool shown;
};

struct journal {
	struct entry entry[ENTRIES];
	unsigned entries, unit;
};

/* ---- chance */

static uint64_t seed, state;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

static bool one_in(unsigned n)
{
	return !below(n);
}

/* ---- texts */

struct text {
	char p[16384];
	size_t len;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	t->len += (size_t)vsnprintf(t->p + t->len, sizeof(t->p) - t->len, fmt, ap);
	va_end(ap);
	ck_assert_uint_lt(t->len, sizeof(t->p));
}

/* The end of a day may be written as its date, its beginning too; all else is a time. */
static void put_when(struct text *t, const char *word, int64_t at_s, int64_t date_s)
{
	char when[32];
	bool date = at_s % DAY == 0 && !one_in(3);
	time_t s = (time_t)(date ? date_s : at_s);
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(when, sizeof(when), date ? "%Y-%m-%d" : "%Y-%m-%dT%H:%MZ", &tm);
	put(t, " %s %s", word, when);
}

static void put_span(struct text *t, const struct span *s)
{
	bool first = one_in(2);

	for (int i = 0; i < 2; i++) {
		if ((i == 0) == first && s->from_s != INT64_MIN)
			put_when(t, "from", s->from_s, s->from_s);
		if ((i == 0) != first && s->until_s != INT64_MAX)
			put_when(t, "until", s->until_s, s->until_s - DAY);
	}
}

static void put_entry(struct text *t, const struct entry *e)
{
	static const char *const subjects[] = {"user:p", "unit:u", "role:r"};
	static const char *const words[] = {"allow", "block", "attend"};
	const char *subject = e->subject == UNIT && one_in(3) ? "group:u" : subjects[e->subject];

	put(t, "%s %s%u", words[e->kind], subject, e->number);
	if (e->kind == ALLOW)
		put(t, ":%s%s%s", e->r ? "r" : "-", e->w ? "w" : "-", e->x ? "x" : "-");
	if (e->kind == ATTEND)
		put(t, " reason \"because\"");
	put_span(t, &e->span);
	put(t, "\n");
}

/* ---- throwing a picture */

static int64_t some_time(void)
{
	int64_t s = (FIRST_DAY + (int64_t)below(DAYS)) * DAY;

	return one_in(2) ? s : s + below(1440) * MINUTE;
}

static struct span some_span(bool always)
{
	struct span s = {INT64_MIN, INT64_MAX};

	if (always || one_in(2))
		s.from_s = some_time();
	if (always || one_in(2))
		s.until_s =
			s.from_s == INT64_MIN
				? some_time()
				: s.from_s + (one_in(2) ? 1 + (int64_t)below(3000) : 1) * MINUTE;
	return s;
}

static struct entry some_entry(enum kind kind)
{
	static const unsigned counts[] = {PEOPLE, UNITS, ROLES};
	struct entry e = {.kind = kind, .span = {INT64_MIN, INT64_MAX}};

	e.subject = kind == ATTEND ? USER : below(3);
	e.number = below(counts[e.subject]);
	e.r = e.w = e.x = kind == ATTEND;
	while (kind == ALLOW && !e.r && !e.w && !e.x) {
		e.r = !one_in(3);
		e.w = one_in(2);
		e.x = !one_in(4);
	}
	if (kind == ATTEND || (kind == ALLOW && one_in(2)))
		e.span = some_span(kind == ATTEND);
	return e;
}

/* The language refuses to hear the same twice. */
static bool same(const struct entry *a, const struct entry *b)
{
	return a->kind == b->kind && a->subject == b->subject && a->number == b->number &&
	       a->span.from_s == b->span.from_s && a->span.until_s == b->span.until_s;
}

static void some_practice(struct practice *m)
{
	memset(m, 0, sizeof(*m));
	m->shown = one_in(2);
	for (unsigned i = 0; i < ROLES; i++) {
		struct role *r = &m->role[i];

		r->clinical = !one_in(3);
		r->rights = below(1u << RIGHTS);
		if (!one_in(3))
			r->rights |= POLICY_LIST | POLICY_READ;
		if (one_in(2))
			r->rights &= ~(uint32_t)POLICY_POLICY;
		if (one_in(2))
			r->rights |= POLICY_BREAK_GLASS;
		if (!r->clinical)
			r->rights &= ~(uint32_t)(POLICY_BREAK_GLASS | POLICY_ATTEND);
		if (!r->rights)
			r->rights = POLICY_LIST;
	}
	for (unsigned i = 0; i < PEOPLE; i++) {
		struct person *p = &m->person[i];

		*p = (struct person){.role = below(ROLES),
				     .unit = below(UNITS + 1),
				     .leave = one_in(12),
				     .valid = {INT64_MIN, INT64_MAX}};
		p->left = !p->leave && one_in(12);
		if (one_in(4))
			p->valid = some_span(false);
	}
	for (unsigned n = one_in(3) ? 0 : below(DEFAULTS + 1); n; n--) {
		struct entry e = some_entry(ALLOW);
		unsigned unit = below(UNITS), i = 0;

		while (i < m->defaults && (m->default_unit[i] != unit || !same(&m->deflt[i], &e)))
			i++;
		if (i < m->defaults)
			continue;
		m->default_unit[m->defaults] = unit;
		m->deflt[m->defaults++] = e;
	}
}

static void some_journal(struct journal *j)
{
	memset(j, 0, sizeof(*j));
	j->unit = below(UNITS + 1);
	for (unsigned n = below(ENTRIES + 1); n; n--) {
		struct entry e = some_entry(one_in(8) ? BLOCK : one_in(4) ? ATTEND : ALLOW);
		unsigned i = 0;

		while (i < j->entries && !same(&j->entry[i], &e))
			i++;
		if (i == j->entries)
			j->entry[j->entries++] = e;
	}
}

/* ---- writing it down */

static void put_role(struct text *t, const struct practice *m, unsigned n)
{
	char rights[128];

	put(t, "role r%u%s may %s\n", n, m->role[n].clinical ? " clinical" : "",
	    policy_right_text(m->role[n].rights, rights));
}

static void put_person(struct text *t, const struct practice *m, unsigned n)
{
	const struct person *p = &m->person[n];

	put(t, "practitioner p%u user p%u role r%u", n, n, p->role);
	if (p->unit < UNITS)
		put(t, " unit u%u", p->unit);
	put_span(t, &p->valid);
	put(t, "%s\n", p->leave ? " on leave" : p->left ? " left" : "");
}

/* Every declaration goes into the practice itself or one of two parts. */
static void practice_write(const struct practice *m, struct text *t)
{
	unsigned parts = one_in(2) ? 1 : 3, place[ROLES + UNITS + PEOPLE + DEFAULTS];

	for (unsigned i = 0; i < sizeof(place) / sizeof(place[0]); i++)
		place[i] = below(parts);
	t->len = 0;
	if (parts > 1)
		put(t, "include practice.d\n");
	if (m->shown || one_in(2))
		put(t, "blocks %s\n", m->shown ? "shown" : "hidden");
	put(t, "role keeper may policy audit\npractitioner keeper user keeper role keeper\n");
	for (unsigned part = 0; part < parts; part++) {
		unsigned at = 0;

		if (part)
			put(t, "%%part n%u\n", part);
		for (unsigned i = 0; i < PEOPLE; i++)
			if (place[at++] == part)
				put_person(t, m, i);
		for (unsigned i = 0; i < ROLES; i++)
			if (place[at++] == part)
				put_role(t, m, i);
		for (unsigned i = 0; i < m->defaults; i++) {
			if (place[at++] != part)
				continue;
			put(t, "default unit u%u ", m->default_unit[i]);
			put_entry(t, &m->deflt[i]);
		}
		for (unsigned i = 0; i < UNITS; i++)
			if (place[at++] == part)
				put(t, "unit u%u \"U\"\n", i);
	}
}

static void journal_write(const struct journal *j, struct text *t)
{
	bool late = one_in(2);

	t->len = 0;
	t->p[0] = '\0';
	if (j->unit < UNITS && !late)
		put(t, "unit u%u\n", j->unit);
	for (unsigned i = 0; i < j->entries; i++)
		put_entry(t, &j->entry[i]);
	if (j->unit < UNITS && late)
		put(t, "unit u%u\n", j->unit);
}

/* ---- the slow evaluator */

static bool within(const struct span *s, int64_t now_s)
{
	return s->from_s <= now_s && now_s < s->until_s;
}

static bool speaks_of(const struct entry *e, const struct practice *m, unsigned who)
{
	switch (e->subject) {
	case USER:
		return e->number == who;
	case UNIT:
		return e->number == m->person[who].unit;
	case ROLE:
		return e->number == m->person[who].role;
	}
	return false;
}

static bool may_attend(const struct practice *m, unsigned who)
{
	const struct role *r = &m->role[m->person[who].role];

	return r->clinical && r->rights & POLICY_ATTEND;
}

/* The i-th entry that holds for the journal: its own, then its unit's defaults. NULL: no more. */
static const struct entry *holds_for(const struct practice *m, const struct journal *j, unsigned i)
{
	if (i < j->entries)
		return &j->entry[i];
	i -= j->entries;
	for (unsigned k = 0; k < m->defaults; k++)
		if (m->default_unit[k] == j->unit && !i--)
			return &m->deflt[k];
	return NULL;
}

static bool blocked(const struct practice *m, const struct journal *j, unsigned who)
{
	for (unsigned i = 0; i < j->entries; i++)
		if (j->entry[i].kind == BLOCK && speaks_of(&j->entry[i], m, who))
			return true;
	return false;
}

/* Some entry in force admits; letter 0 asks for no permission of it. */
static bool given(const struct practice *m, const struct journal *j, unsigned who, int64_t now_s,
		  bool ever, char letter)
{
	const struct entry *e;

	for (unsigned i = 0; (e = holds_for(m, j, i)); i++) {
		if (e->kind == BLOCK || !speaks_of(e, m, who))
			continue;
		if (e->kind == ATTEND && !may_attend(m, who))
			continue;
		if (!ever && !within(&e->span, now_s))
			continue;
		if (!letter || (letter == 'r' && e->r) || (letter == 'w' && e->w) ||
		    (letter == 'x' && e->x))
			return true;
	}
	return false;
}

static bool active(const struct practice *m, unsigned who, int64_t now_s)
{
	const struct person *p = &m->person[who];

	return !p->leave && !p->left && within(&p->valid, now_s);
}

/* Without a grant. */
static bool sees(const struct practice *m, const struct journal *j, unsigned who, int64_t now_s)
{
	uint32_t rights = m->role[m->person[who].role].rights;

	if (!active(m, who, now_s))
		return false;
	if (blocked(m, j, who) && !m->shown)
		return false;
	if (rights & POLICY_POLICY)
		return true;
	if (!(rights & POLICY_LIST))
		return false;
	return (j->unit < UNITS && j->unit == m->person[who].unit) ||
	       given(m, j, who, now_s, false, 0);
}

static bool has(const struct practice *m, const struct journal *j, unsigned who, int64_t now_s,
		uint32_t right)
{
	uint32_t rights = m->role[m->person[who].role].rights;
	bool enters;

	if (!active(m, who, now_s) || !(rights & right))
		return false;
	if (!j)
		return right == POLICY_LIST || right == POLICY_CREATE ||
		       right == POLICY_BREAK_GLASS || right == POLICY_POLICY ||
		       right == POLICY_AUDIT || right == POLICY_REVIEW || right == POLICY_ATTEND;
	if (blocked(m, j, who) || !sees(m, j, who, now_s))
		return false;
	enters = given(m, j, who, now_s, false, 'x');
	switch (right) {
	case POLICY_LIST:
		return enters;
	case POLICY_READ:
		return enters && given(m, j, who, now_s, false, 'r');
	case POLICY_EXPORT:
	case POLICY_HISTORY:
		return has(m, j, who, now_s, POLICY_READ);
	case POLICY_WRITE:
	case POLICY_FINALIZE:
		return enters && given(m, j, who, now_s, false, 'w');
	default:
		return true;
	}
}

/* Has somebody who broke the glass anything of it? */
static bool emergency(const struct practice *m, const struct journal *j, unsigned who,
		      int64_t now_s, const struct policy_grant *g)
{
	const struct role *r = &m->role[m->person[who].role];

	if (!g || !j || !active(m, who, now_s))
		return false;
	if (!r->clinical || !(r->rights & POLICY_BREAK_GLASS))
		return false;
	if (now_s < g->from_s || now_s >= g->until_s)
		return false;
	return !blocked(m, j, who) || g->past_block;
}

/* What a grant alone gives. */
static bool lent(const struct practice *m, unsigned who, uint32_t right)
{
	return right == POLICY_LIST || right == POLICY_READ ||
	       (right == POLICY_DRAFT && m->role[m->person[who].role].rights & POLICY_WRITE);
}

/* Could anybody who is active open it, at some time? */
static bool opens_for_somebody(const struct practice *m, const struct journal *j)
{
	for (unsigned who = 0; who < PEOPLE; who++) {
		uint32_t rights = m->role[m->person[who].role].rights;
		bool r, w;

		if (m->person[who].leave || m->person[who].left || blocked(m, j, who) ||
		    !(rights & (POLICY_LIST | POLICY_POLICY)) || !given(m, j, who, 0, true, 'x'))
			continue;
		r = rights & POLICY_READ && given(m, j, who, 0, true, 'r');
		w = rights & POLICY_WRITE && given(m, j, who, 0, true, 'w');
		if (r || w || rights & POLICY_LIST)
			return true;
	}
	return false;
}

struct answer {
	bool allow, visible, blocked;
	uint32_t rights;
};

static struct answer slow(const struct practice *m, const struct journal *j, unsigned who,
			  uint32_t asked, int64_t now_s, const struct policy_grant *grant)
{
	bool glass = emergency(m, j, who, now_s, grant);
	struct answer a = {.visible = j && (sees(m, j, who, now_s) || glass),
			   .blocked = j && active(m, who, now_s) && blocked(m, j, who)};

	for (unsigned bit = 0; bit < ASKED; bit++)
		if (has(m, j, who, now_s, 1u << bit) || (glass && lent(m, who, 1u << bit)))
			a.rights |= 1u << bit;
	a.allow = asked && (a.rights & asked) == asked;
	return a;
}

/* ---- comparing */

struct pair {
	struct practice m;
	struct journal j;
	struct policy_practice *practice;
	struct policy_journal *journal;
	struct text practice_text, journal_text;
};

static void differ(const struct pair *pair, const struct policy_question *q, const char *what)
{
	char grant[96] = "";

	if (q->grant)
		snprintf(grant, sizeof(grant), " with a grant from %" PRId64 " until %" PRId64 "%s",
			 q->grant->from_s, q->grant->until_s,
			 q->grant->past_block ? " past blocks" : "");
	ck_abort_msg("seed %#" PRIx64 ": %s asks %#x at %" PRId64 "%s%s: %s\n%s---\n%s", seed,
		     q->who, q->rights, q->now_s, q->journal ? "" : " of the vault", grant, what,
		     pair->practice_text.p, pair->journal_text.p);
}

static bool agrees(const struct policy_verdict *v, const struct answer *a)
{
	return (v->answer == POLICY_ALLOW) == a->allow && v->visible == a->visible &&
	       v->blocked == a->blocked && v->rights == a->rights;
}

/* An explanation ends in the same verdict, and a refusal names something that is missing. */
static void explained(const struct pair *pair, const struct policy_question *q,
		      const struct policy_verdict *v)
{
	bool allowed, missing, ok;
	char *text = NULL;

	ck_assert_int_eq(policy_explain(q, &text), 0);
	allowed = strstr(text, q->rights ? "\nAllowed: " : "\nSeen: ") != NULL;
	missing = strstr(text, "\nWhat is missing:\n- ") != NULL;
	if (q->rights)
		ok = allowed == (v->answer == POLICY_ALLOW) && missing == !allowed;
	else if (q->journal && v->visible)
		ok = missing == (strstr(text, "\nSeen, but closed: ") != NULL);
	else if (q->journal)
		ok = missing && strstr(text, "\nHidden: ");
	else
		ok = missing == (v->ground == POLICY_GROUND_STATUS);
	if (!ok)
		differ(pair, q, text);
	free(text);
}

static int64_t some_moment(const struct pair *pair)
{
	const struct entry *e;

	/* Often right at an edge, where mistakes live. */
	if (pair->j.entries && one_in(3)) {
		e = &pair->j.entry[below(pair->j.entries)];
		if (e->span.from_s != INT64_MIN && one_in(2))
			return e->span.from_s - one_in(2);
		if (e->span.until_s != INT64_MAX)
			return e->span.until_s - one_in(2);
	}
	return (FIRST_DAY - 1) * DAY + (int64_t)below((unsigned)((DAYS + 4) * DAY));
}

/* Around now: it holds, is over, has not begun, or begins or ends this very second. */
static struct policy_grant some_grant(int64_t now_s)
{
	struct policy_grant g = {.number = 1 + below(1000), .past_block = one_in(2)};

	g.from_s = one_in(4) ? INT64_MIN : now_s + (int64_t)below(4000) - 3000;
	g.until_s = now_s + (int64_t)below(4000) - 1000;
	if (one_in(6))
		g.from_s = now_s + one_in(2);
	if (one_in(6))
		g.until_s = now_s + one_in(2);
	return g;
}

static void ask(const struct pair *pair)
{
	char name[12];
	unsigned who = below(PEOPLE);
	bool vault = one_in(12);
	struct policy_question q = {.practice = pair->practice,
				    .journal = vault ? NULL : pair->journal,
				    .who = name,
				    .rights = one_in(4)	  ? 0
					      : one_in(4) ? below(1u << ASKED)
							  : 1u << below(ASKED),
				    .now_s = some_moment(pair)};
	const struct journal *j = vault ? NULL : &pair->j;
	struct policy_grant grant = some_grant(q.now_s);
	struct policy_verdict v, then;
	struct answer a;
	uint64_t ahead;

	sprintf(name, "p%u", who);
	/* With half of the questions; a vault's is none of its business. */
	if (one_in(2))
		q.grant = &grant;
	policy_decide(&q, &v);
	a = slow(&pair->m, j, who, q.rights, q.now_s, q.grant);
	if (!agrees(&v, &a))
		differ(pair, &q, "the answers differ");
	if ((v.ground == POLICY_GROUND_GRANT) &&
	    !(q.grant && emergency(&pair->m, j, who, q.now_s, &grant)))
		differ(pair, &q, "the ground is a grant that gives nothing");
	if (v.until_s <= q.now_s)
		differ(pair, &q, "the verdict has ended already");
	if (one_in(32))
		explained(pair, &q, &v);
	/* Until then nothing changes: at its last second, and at any other. */
	ahead = v.until_s == INT64_MAX ? (uint64_t)(40 * DAY) : (uint64_t)(v.until_s - q.now_s);
	q.now_s += (int64_t)(one_in(2) ? ahead - 1 : below((unsigned)ahead));
	policy_decide(&q, &then);
	a = slow(&pair->m, j, who, q.rights, q.now_s, q.grant);
	if (!agrees(&then, &a) || !agrees(&v, &a) || then.ground != v.ground ||
	    then.line != v.line || then.until_s != v.until_s)
		differ(pair, &q, "the verdict changed before its time");
}

static struct policy_practice *practice_read(struct pair *pair)
{
	struct policy_report *report = NULL;
	struct policy_practice *p = NULL;
	int rc;

	practice_write(&pair->m, &pair->practice_text);
	ck_assert_int_eq(policy_report_new(&report), 0);
	rc = policy_practice_parse(pair->practice_text.p, pair->practice_text.len, "p", report, &p);
	if (rc)
		ck_abort_msg("seed %#" PRIx64 ": %s\n%s", seed, policy_report_line(report, 0),
			     pair->practice_text.p);
	policy_report_free(report);
	return p;
}

static void journal_questions(struct pair *pair)
{
	struct policy_journal *checked = NULL;
	struct text *t = &pair->journal_text;
	int rc;

	some_journal(&pair->j);
	journal_write(&pair->j, t);
	rc = policy_journal_parse(t->p, t->len, "j", NULL, NULL, &pair->journal);
	if (rc)
		ck_abort_msg("seed %#" PRIx64 ": a journal is refused\n%s", seed, t->p);
	/* A journal that nobody could open is refused, and no other. */
	rc = policy_journal_parse(t->p, t->len, "j", pair->practice, NULL, &checked);
	if ((rc == 0) != opens_for_somebody(&pair->m, &pair->j))
		ck_abort_msg("seed %#" PRIx64 ": who can open this? rc %d\n%s---\n%s", seed, rc,
			     pair->practice_text.p, t->p);
	policy_journal_put(checked);
	for (unsigned n = 0; n < QUESTIONS; n++)
		ask(pair);
	policy_journal_put(pair->journal);
	pair->journal = NULL;
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

START_TEST(decision_agrees_with_the_slow_one)
{
	uint64_t cases = environment("POLICY_CASES", 2000000), done = 0;
	struct pair *pair = calloc(1, sizeof(*pair));

	ck_assert_ptr_nonnull(pair);
	seed = environment("POLICY_SEED", UINT64_C(0x6a6f75726e616c33));
	state = seed ? seed : 1;
	while (done < cases) {
		some_practice(&pair->m);
		pair->practice = practice_read(pair);
		for (unsigned n = 0; n < JOURNALS; n++)
			journal_questions(pair);
		policy_practice_put(pair->practice);
		done += JOURNALS * QUESTIONS;
	}
	printf("%" PRIu64 " cases, seed %#" PRIx64 "\n", done, seed);
	free(pair);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_reference");
	TCase *t = tcase_create("reference");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 600);
	tcase_add_test(t, decision_agrees_with_the_slow_one);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
