/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision: by hand for each rule, and by comparison with a slow evaluator that follows
 * LANGUAGE.md literally, on random policies and questions.
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/decide.h"

#define DAY INT64_C(86400)
#define BASE_DAY 20600 /* 2026-05-27 */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct policy_practice *practice_of(const char *text)
{
	struct policy_practice *p = NULL;
	struct policy_report *report = NULL;
	int rc;

	ck_assert_int_eq(policy_report_new(&report), 0);
	rc = policy_practice_parse(text, strlen(text), "p", report, &p);
	ck_assert_msg(!rc, "%s\n%s", rc ? policy_report_line(report, 0) : "", text);
	policy_report_free(report);
	return p;
}

static struct policy_journal *journal_of(const char *text)
{
	struct policy_journal *j = NULL;
	struct policy_report *report = NULL;
	int rc;

	ck_assert_int_eq(policy_report_new(&report), 0);
	rc = policy_journal_parse(text, strlen(text), "j", NULL, report, &j);
	ck_assert_msg(!rc, "%s\n%s", rc ? policy_report_line(report, 0) : "", text);
	policy_report_free(report);
	return j;
}

static const char practice_text[] =
	"role physician clinical may list read write create finalize export history\n"
	"role blind clinical may read write\n"
	"role steward may policy audit\n"
	"role exporter may list export history\n"
	"unit north \"N\"\nunit south \"S\"\n"
	"practitioner anna user anna role physician unit north\n"
	"practitioner eva user eva role blind unit north\n"
	"practitioner dan user dan role steward unit north\n"
	"practitioner tim user tim role physician from 2026-06-01 until 2026-06-30\n"
	"practitioner pia user pia role exporter unit south\n"
	"role locum clinical may list read attend\n"
	"practitioner kai user kai role locum unit south\n"
	"unit ward \"W\"\ndefault unit ward allow user:kai:r-x\n"
	"default unit ward allow role:physician:--x\n"
	"default unit east allow user:kai:r-x until 2026-01-01\n"
	"unit east \"E\"\n";

/* What an entry with rwx gives anna. */
#define PHYSICIAN                                                                                  \
	(POLICY_LIST | POLICY_READ | POLICY_WRITE | POLICY_CREATE | POLICY_FINALIZE |              \
	 POLICY_EXPORT | POLICY_HISTORY)

#define ATTEND(who)                                                                                \
	"attend user:" who " from 2026-05-26T10:00Z until 2026-05-29T10:00Z reason \"locum\"\n"

struct fixture {
	struct policy_practice *p;
	struct policy_journal *j;
};

static struct policy_verdict ask(struct fixture *f, const char *journal, const char *who,
				 uint32_t rights, int64_t now_s, char text[static 256])
{
	struct policy_question q = {.who = who, .rights = rights, .now_s = now_s};
	struct policy_verdict v;

	f->p = practice_of(practice_text);
	f->j = journal ? journal_of(journal) : NULL;
	q.practice = f->p;
	q.journal = f->j;
	memset(&v, 0xa5, sizeof(v));
	policy_decide(&q, &v);
	policy_verdict_text(&q, &v, text, 256);
	policy_journal_put(f->j);
	policy_practice_put(f->p);
	return v;
}

static const struct {
	const char *journal, *who;
	uint32_t rights;
	int answer, visible;
	uint32_t holds;
	enum policy_ground ground;
	unsigned line;
	const char *text;
} cases[] = {
	/* Vault rights. */
	{NULL, "anna", POLICY_CREATE, 1, 0, POLICY_LIST | POLICY_CREATE, POLICY_GROUND_RIGHT, 1,
	 "role physician may create (practice line 1)"},
	{NULL, "anna", POLICY_POLICY, 0, 0, POLICY_LIST | POLICY_CREATE, POLICY_GROUND_ROLE, 1,
	 "role physician may not policy (practice line 1)"},
	{NULL, "anna", POLICY_READ, 0, 0, POLICY_LIST | POLICY_CREATE, POLICY_GROUND_ROLE, 1,
	 "role physician may not read (practice line 1)"},
	{NULL, "dan", POLICY_POLICY | POLICY_AUDIT, 1, 0, POLICY_POLICY | POLICY_AUDIT,
	 POLICY_GROUND_RIGHT, 3, "role steward may policy audit (practice line 3)"},
	{NULL, "zed", POLICY_POLICY, 0, 0, 0, POLICY_GROUND_UNKNOWN, 0, "no practitioner zed"},
	{NULL, NULL, POLICY_POLICY, 0, 0, 0, POLICY_GROUND_UNKNOWN, 0, "no practitioner "},
	/* Nothing asked is never allowed, rights are filled in. */
	{"allow user:anna:rwx\n", "anna", 0, 0, 1, PHYSICIAN, POLICY_GROUND_ENTRY, 1,
	 "allow user:anna:rwx (line 1)"},
	/* Unknown bits are never allowed. */
	{"allow user:anna:rwx\n", "anna", 1u << 20 | POLICY_READ, 0, 1, PHYSICIAN,
	 POLICY_GROUND_ROLE, 1, "role physician may not do that (practice line 1)"},
	/* Without x nothing is reached; with two entries together it is. */
	{"allow user:anna:rw-\n", "anna", POLICY_READ, 0, 1, POLICY_CREATE, POLICY_GROUND_NONE, 1,
	 "allow user:anna:rw- (line 1) does not give read"},
	{"allow unit:north:--x\nallow user:anna:r--\n", "anna", POLICY_READ, 1, 1,
	 POLICY_LIST | POLICY_READ | POLICY_CREATE | POLICY_EXPORT | POLICY_HISTORY,
	 POLICY_GROUND_ENTRY, 1, "allow unit:north:--x (line 1)"},
	/* The line is that of the entry that gives most. */
	{"allow unit:north:r-x\nallow role:physician:rwx\n", "anna", POLICY_READ | POLICY_WRITE, 1,
	 1, PHYSICIAN, POLICY_GROUND_ENTRY, 2, "allow role:physician:rwx (line 2)"},
	/* group and unit are the same. */
	{"allow group:north:r-x\n", "anna", POLICY_READ, 1, 1,
	 POLICY_LIST | POLICY_READ | POLICY_CREATE | POLICY_EXPORT | POLICY_HISTORY,
	 POLICY_GROUND_ENTRY, 1, "allow group:north:r-x (line 1)"},
	/* A role without list sees nothing. */
	{"unit north\nallow user:eva:rwx\n", "eva", POLICY_READ, 0, 0, 0, POLICY_GROUND_ROLE, 2,
	 "role blind may not list (practice line 2)"},
	/* policy sees the name, and no more. */
	{"allow user:anna:rwx\n", "dan", 0, 0, 1, POLICY_POLICY | POLICY_AUDIT, POLICY_GROUND_RIGHT,
	 3, "role steward may policy (practice line 3)"},
	{"allow user:dan:rwx\n", "dan", POLICY_LIST, 0, 1, POLICY_POLICY | POLICY_AUDIT,
	 POLICY_GROUND_ROLE, 3, "role steward may not list (practice line 3)"},
	{"allow user:dan:rwx\n", "dan", POLICY_POLICY, 1, 1, POLICY_POLICY | POLICY_AUDIT,
	 POLICY_GROUND_RIGHT, 3, "role steward may policy (practice line 3)"},
	/* Export needs read. */
	{"allow user:pia:rwx\n", "pia", POLICY_EXPORT, 0, 1, POLICY_LIST, POLICY_GROUND_ROLE, 4,
	 "role exporter may not read (practice line 4)"},
	/* So do earlier versions; w alone shows none. */
	{"allow user:pia:rwx\n", "pia", POLICY_HISTORY, 0, 1, POLICY_LIST, POLICY_GROUND_ROLE, 4,
	 "role exporter may not read (practice line 4)"},
	{"allow user:anna:-wx\n", "anna", POLICY_HISTORY, 0, 1,
	 POLICY_LIST | POLICY_WRITE | POLICY_CREATE | POLICY_FINALIZE, POLICY_GROUND_NONE, 1,
	 "allow user:anna:-wx (line 1) does not give history"},
	{"allow user:kai:rwx\n", "kai", POLICY_READ | POLICY_HISTORY, 0, 1,
	 POLICY_LIST | POLICY_READ | POLICY_ATTEND, POLICY_GROUND_ROLE, 12,
	 "role locum may not history (practice line 12)"},
	/* Same unit shows the name only. */
	{"unit north\nallow user:dan:rwx\n", "anna", 0, 0, 1, POLICY_CREATE, POLICY_GROUND_UNIT, 1,
	 "unit north (line 1)"},
	{"unit north\nallow user:dan:rwx\n", "anna", POLICY_LIST, 0, 1, POLICY_CREATE,
	 POLICY_GROUND_NONE, 0, "no entry admits anna"},
	{"unit south\nallow user:dan:rwx\n", "anna", POLICY_CREATE, 0, 0, 0, POLICY_GROUND_NONE, 0,
	 "no entry admits anna"},
	/* A block overrides, whichever way it speaks, and hides, also from policy. */
	{"unit north\nallow user:anna:rwx\nblock user:anna\n", "anna", POLICY_READ, 0, 0, 0,
	 POLICY_GROUND_BLOCK, 3, "block user:anna (line 3)"},
	{"block role:physician\nallow user:anna:rwx\n", "anna", 0, 0, 0, 0, POLICY_GROUND_BLOCK, 1,
	 "block role:physician (line 1)"},
	{"block group:north\nallow user:anna:rwx\n", "dan", POLICY_POLICY, 0, 0, 0,
	 POLICY_GROUND_BLOCK, 1, "block group:north (line 1)"},
	{"block unit:south\nallow user:anna:rwx\n", "anna", POLICY_CREATE | POLICY_WRITE, 1, 1,
	 PHYSICIAN, POLICY_GROUND_ENTRY, 2, "allow user:anna:rwx (line 2)"},
	/* A name of one kind does not speak of another. */
	{"allow role:anna:rwx\nallow unit:anna:rwx\nallow user:north:rwx\n", "anna", POLICY_READ, 0,
	 0, 0, POLICY_GROUND_NONE, 0, "no entry admits anna"},
	/* A care relationship of one's own gives what the role may. */
	{ATTEND("kai"), "kai", POLICY_READ | POLICY_WRITE, 0, 1,
	 POLICY_LIST | POLICY_READ | POLICY_ATTEND, POLICY_GROUND_ROLE, 12,
	 "role locum may not write (practice line 12)"},
	{ATTEND("kai"), "kai", POLICY_READ, 1, 1, POLICY_LIST | POLICY_READ | POLICY_ATTEND,
	 POLICY_GROUND_ENTRY, 1, "attend user:kai (line 1)"},
	{ATTEND("anna"), "anna", POLICY_READ, 0, 0, 0, POLICY_GROUND_NONE, 1,
	 "attend user:anna (line 1) gives nothing: role physician may not attend (practice line "
	 "1)"},
	{ATTEND("kai") "block unit:south\n", "kai", POLICY_READ, 0, 0, 0, POLICY_GROUND_BLOCK, 2,
	 "block unit:south (line 2)"},
	{NULL, "kai", POLICY_ATTEND, 1, 0, POLICY_LIST | POLICY_ATTEND, POLICY_GROUND_RIGHT, 12,
	 "role locum may attend (practice line 12)"},
	{NULL, "anna", POLICY_ATTEND, 0, 0, POLICY_LIST | POLICY_CREATE, POLICY_GROUND_ROLE, 1,
	 "role physician may not attend (practice line 1)"},
	/* Defaults of the journal's unit come after its own entries. */
	{"unit ward\n", "kai", POLICY_READ, 1, 1, POLICY_LIST | POLICY_READ | POLICY_ATTEND,
	 POLICY_GROUND_ENTRY, 15, "default unit ward allow user:kai:r-x (practice line 15)"},
	{"unit ward\n", "anna", POLICY_READ, 0, 1, POLICY_LIST | POLICY_CREATE, POLICY_GROUND_NONE,
	 16, "default unit ward allow role:physician:--x (practice line 16) does not give read"},
	{"unit ward\nallow user:kai:--x\n", "kai", POLICY_READ, 1, 1,
	 POLICY_LIST | POLICY_READ | POLICY_ATTEND, POLICY_GROUND_ENTRY, 15,
	 "default unit ward allow user:kai:r-x (practice line 15)"},
	{"unit ward\nallow user:kai:r-x\n", "kai", POLICY_READ, 1, 1,
	 POLICY_LIST | POLICY_READ | POLICY_ATTEND, POLICY_GROUND_ENTRY, 2,
	 "allow user:kai:r-x (line 2)"},
	{"unit ward\nblock user:kai\n", "kai", POLICY_READ, 0, 0, 0, POLICY_GROUND_BLOCK, 2,
	 "block user:kai (line 2)"},
	{"unit east\n", "kai", POLICY_READ, 0, 0, 0, POLICY_GROUND_NONE, 17,
	 "default unit east allow user:kai:r-x (practice line 17) is not in force any more"},
	{"unit north\n", "kai", POLICY_READ, 0, 0, 0, POLICY_GROUND_NONE, 0, "no entry admits kai"},
	{"allow user:dan:rwx\n", "kai", POLICY_READ, 0, 0, 0, POLICY_GROUND_NONE, 0,
	 "no entry admits kai"},
};

START_TEST(decide_case_comes_out)
{
	struct fixture f;
	char text[256];
	struct policy_verdict v =
		ask(&f, cases[_i].journal, cases[_i].who, cases[_i].rights, BASE_DAY * DAY, text);

	ck_assert_str_eq(text, cases[_i].text);
	ck_assert_int_eq(v.answer, cases[_i].answer);
	ck_assert_int_eq(v.visible, cases[_i].visible);
	ck_assert_uint_eq(v.rights, cases[_i].holds);
	ck_assert_int_eq(v.ground, cases[_i].ground);
	ck_assert_uint_eq(v.line, cases[_i].line);
	ck_assert_int_eq(v.until_s, cases[_i].journal && strstr(cases[_i].journal, "attend")
					    ? 1780048800
					    : INT64_MAX);
}
END_TEST

START_TEST(decide_holds_to_the_minute)
{
	static const int64_t ten = 1779876000; /* 2026-05-27T10:00Z */
	static const char *const texts[] = {
		"attend user:kai from 2026-05-27T10:00Z until 2026-05-27T10:01Z reason \"r\"\n",
		"allow user:kai:r-x from 2026-05-27T10:00Z until 2026-05-27T10:01Z\n"};
	struct fixture f;
	char text[256];

	for (unsigned i = 0; i < COUNT(texts); i++) {
		struct policy_verdict v = ask(&f, texts[i], "kai", POLICY_READ, ten - 1, text);

		ck_assert_int_eq(v.answer, POLICY_DENY);
		ck_assert_int_eq(v.until_s, ten);
		ck_assert_ptr_nonnull(strstr(text, "(line 1) is not in force yet"));
		v = ask(&f, texts[i], "kai", POLICY_READ, ten, text);
		ck_assert_int_eq(v.answer, POLICY_ALLOW);
		ck_assert_int_eq(v.until_s, ten + 60);
		v = ask(&f, texts[i], "kai", POLICY_READ, ten + 59, text);
		ck_assert_int_eq(v.answer, POLICY_ALLOW);
		v = ask(&f, texts[i], "kai", POLICY_READ, ten + 60, text);
		ck_assert_int_eq(v.answer, POLICY_DENY);
		ck_assert_int_eq(v.until_s, INT64_MAX);
		ck_assert_ptr_nonnull(strstr(text, "(line 1) is not in force any more"));
	}
}
END_TEST

START_TEST(decide_block_is_shown_where_the_practice_says_so)
{
	static const struct {
		const char *journal, *who;
		bool seen;
	} shown[] = {
		{"unit south\nallow user:anna:rwx\nblock user:pia\n", "pia", true},
		{"unit north\nallow user:pia:rwx\nblock user:pia\n", "pia", true},
		{"unit north\nblock user:pia\n", "pia", false},
		{"unit north\nblock user:dan\n", "dan", true},
		{"unit north\nblock user:eva\n", "eva", false},
	};

	for (unsigned i = 0; i < 2 * COUNT(shown); i++) {
		char *text = NULL;
		struct policy_question q = {.who = shown[i / 2].who, .now_s = BASE_DAY * DAY};
		struct policy_practice *p;
		struct policy_journal *j = journal_of(shown[i / 2].journal);
		struct policy_verdict v;

		ck_assert_int_gt(
			asprintf(&text, "%sblocks %s\n", practice_text, i % 2 ? "shown" : "hidden"),
			0);
		p = practice_of(text);
		q.practice = p;
		q.journal = j;
		policy_decide(&q, &v);
		ck_assert_msg(v.visible == (i % 2 && shown[i / 2].seen), "case %u", i / 2);
		ck_assert_uint_eq(v.rights, 0);
		q.rights = POLICY_LIST;
		policy_decide(&q, &v);
		ck_assert_int_eq(v.answer, POLICY_DENY);
		if (strcmp(q.who, "dan") && strcmp(q.who, "eva"))
			ck_assert_int_eq(v.ground, POLICY_GROUND_BLOCK);
		policy_journal_put(j);
		policy_practice_put(p);
		free(text);
	}
}
END_TEST

START_TEST(decide_practitioner_is_valid_to_the_last_second)
{
	static const int64_t from_s = 1780272000, until_s = 1782864000; /* June 2026 */
	struct fixture f;
	char text[256];
	struct policy_verdict v;

	v = ask(&f, "allow user:tim:rwx\n", "tim", POLICY_READ, from_s - 1, text);
	ck_assert_int_eq(v.answer, POLICY_DENY);
	ck_assert_int_eq(v.ground, POLICY_GROUND_STATUS);
	ck_assert_str_eq(text, "tim is not valid yet (practice line 10)");
	ck_assert_int_eq(v.until_s, from_s);
	v = ask(&f, "allow user:tim:rwx\n", "tim", POLICY_READ, from_s, text);
	ck_assert_int_eq(v.answer, POLICY_ALLOW);
	ck_assert_int_eq(v.until_s, until_s);
	v = ask(&f, "allow user:tim:rwx\n", "tim", POLICY_READ, until_s - 1, text);
	ck_assert_int_eq(v.answer, POLICY_ALLOW);
	v = ask(&f, "allow user:tim:rwx\n", "tim", POLICY_READ, until_s, text);
	ck_assert_int_eq(v.answer, POLICY_DENY);
	ck_assert_int_eq(v.until_s, INT64_MAX);
	v = ask(&f, NULL, "tim", POLICY_CREATE, from_s, text);
	ck_assert_int_eq(v.answer, POLICY_ALLOW);
	ck_assert_int_eq(v.until_s, until_s);
}
END_TEST

START_TEST(decide_until_is_the_nearest_edge_ahead)
{
	static const char text[] = "allow user:anna:r-x from 2026-06-01 until 2026-06-02\n"
				   "allow role:physician:rwx from 2026-06-02 until 2026-07-01\n"
				   "allow user:dan:rwx from 2026-05-28\n";
	static const int64_t june = 1780272000;
	struct fixture f;
	char why[256];

	ck_assert_int_eq(ask(&f, text, "anna", 0, june - 5 * DAY, why).until_s, june);
	ck_assert_int_eq(ask(&f, text, "anna", 0, june, why).until_s, june + DAY);
	ck_assert_int_eq(ask(&f, text, "anna", 0, june + DAY, why).until_s, june + 2 * DAY);
	ck_assert_int_eq(ask(&f, text, "anna", 0, june + 2 * DAY, why).until_s, june + 31 * DAY);
	ck_assert_int_eq(ask(&f, text, "anna", 0, june + 31 * DAY, why).until_s, INT64_MAX);
	ck_assert_int_eq(ask(&f, text, "anna", 0, INT64_MAX, why).until_s, INT64_MAX);
	ck_assert_int_eq(ask(&f, text, "anna", 0, INT64_MIN, why).until_s, june);
}
END_TEST

START_TEST(verdict_text_is_cut_at_its_room)
{
	struct fixture f = {.p = practice_of(practice_text),
			    .j = journal_of("allow user:anna:rwx\n")};
	struct policy_question q = {
		.practice = f.p, .journal = f.j, .who = "anna", .rights = POLICY_READ};
	struct policy_verdict v;
	char text[8] = "xxxxxxx";

	policy_decide(&q, &v);
	policy_verdict_text(&q, &v, text, 6);
	ck_assert_str_eq(text, "allow");
	ck_assert_int_eq(text[6], 'x');
	policy_verdict_text(&q, &v, text, 0);
	ck_assert_str_eq(text, "allow");
	policy_journal_put(f.j);
	policy_practice_put(f.p);
}
END_TEST

/*
 * The slow evaluator. It keeps its own picture of the policies, made together with their texts,
 * and works through it by names and days.
 */

#define ROLES 5
#define UNITS 3
#define PEOPLE 8
#define ENTRIES 10

struct model_person {
	unsigned role, unit; /* unit UNITS: none */
	unsigned state;	     /* 0 active, 1 on leave, 2 left */
	int from, until;     /* days, until included; 0: open */
};

struct model_entry {
	bool block;
	unsigned kind, number, perms;
	int from, until;
};

struct model {
	uint32_t role[ROLES];
	struct model_person person[PEOPLE];
	struct model_entry entry[ENTRIES];
	unsigned entries, unit;
};

static uint64_t state;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % n;
}

static void put_date(char *text, const char *word, int day)
{
	char date[32];
	time_t t = (time_t)day * DAY;
	struct tm tm;

	if (!day)
		return;
	gmtime_r(&t, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	sprintf(text + strlen(text), " %s %s", word, date);
}

static void random_dates(int *from, int *until)
{
	*from = below(3) ? 0 : BASE_DAY + (int)below(8);
	*until = below(3) ? 0 : (*from ? *from : BASE_DAY) + (int)below(5);
}

static void practice_make(struct model *m, char *text)
{
	char rights[128];

	text[0] = '\0';
	for (unsigned i = 0; i < ROLES; i++) {
		m->role[i] = (below(1024) | (below(3) ? POLICY_LIST | POLICY_READ : 0)) & 0x3ff;
		if (!m->role[i])
			m->role[i] = POLICY_LIST;
		sprintf(text + strlen(text), "role r%u clinical may %s\n", i,
			policy_right_text(m->role[i], rights));
	}
	for (unsigned i = 0; i < UNITS; i++)
		sprintf(text + strlen(text), "unit u%u \"U\"\n", i);
	for (unsigned i = 0; i < PEOPLE; i++) {
		struct model_person *p = &m->person[i];

		*p = (struct model_person){.role = below(ROLES), .unit = below(UNITS + 1)};
		p->state = below(8) ? 0 : 1 + below(2);
		if (!below(4))
			random_dates(&p->from, &p->until);
		sprintf(text + strlen(text), "practitioner p%u user p%u role r%u", i, i, p->role);
		if (p->unit < UNITS)
			sprintf(text + strlen(text), " unit u%u", p->unit);
		put_date(text, "from", p->from);
		put_date(text, "until", p->until);
		strcat(text, p->state == 0 ? "" : p->state == 1 ? " on leave" : " left");
		strcat(text, "\n");
	}
	strcat(text, "role keeper may policy audit\npractitioner keeper user keeper role keeper\n");
}

/* The same entry twice for the same days is refused by the parser. */
static bool repeats(const struct model *m, const struct model_entry *e)
{
	for (unsigned i = 0; i < m->entries; i++) {
		const struct model_entry *o = &m->entry[i];

		if (o->block == e->block && o->kind == e->kind && o->number == e->number &&
		    o->from == e->from && o->until == e->until)
			return true;
	}
	return false;
}

static void journal_make(struct model *m, char *text)
{
	static const char *const kinds[] = {"user:p", "unit:u", "role:r"};
	static const unsigned counts[] = {PEOPLE, UNITS, ROLES};
	unsigned want = below(ENTRIES + 1);

	text[0] = '\0';
	m->entries = 0;
	m->unit = below(UNITS + 1);
	/* Always one line, so that the n-th entry stands on line n + 2. */
	if (m->unit < UNITS)
		sprintf(text, "unit u%u\n", m->unit);
	else
		strcpy(text, "\n");
	for (unsigned i = 0; i < want; i++) {
		struct model_entry e = {.block = !below(8), .kind = below(3)};

		e.number = below(counts[e.kind]);
		e.perms = e.block ? 0 : 1 + below(7);
		if (!e.block)
			random_dates(&e.from, &e.until);
		if (repeats(m, &e))
			continue;
		m->entry[m->entries++] = e;
		sprintf(text + strlen(text), "%s %s%u", e.block ? "block" : "allow", kinds[e.kind],
			e.number);
		if (!e.block)
			sprintf(text + strlen(text), ":%s%s%s", e.perms & 4 ? "r" : "-",
				e.perms & 2 ? "w" : "-", e.perms & 1 ? "x" : "-");
		put_date(text, "from", e.from);
		put_date(text, "until", e.until);
		strcat(text, "\n");
	}
}

static bool holds_on(int from, int until, int day)
{
	return (!from || day >= from) && (!until || day <= until);
}

static bool speaks_of(const struct model *m, const struct model_entry *e, unsigned who)
{
	const struct model_person *p = &m->person[who];

	return e->kind == 0   ? e->number == who
	       : e->kind == 1 ? e->number == p->unit
			      : e->number == p->role;
}

struct answer {
	bool allow, visible;
	uint32_t rights;
};

/* One right at a time, each by its own sentence of LANGUAGE.md. */
static bool right_holds(const struct model *m, unsigned who, uint32_t right, int day, bool blocked,
			bool visible)
{
	uint32_t role = m->role[m->person[who].role];
	bool r = false, w = false, x = false;

	if (!(role & right) || blocked || !visible)
		return false;
	for (unsigned i = 0; i < m->entries; i++) {
		const struct model_entry *e = &m->entry[i];

		if (e->block || !speaks_of(m, e, who) || !holds_on(e->from, e->until, day))
			continue;
		r = r || e->perms & 4;
		w = w || e->perms & 2;
		x = x || e->perms & 1;
	}
	switch (right) {
	case POLICY_LIST:
		return x;
	case POLICY_READ:
		return r && x;
	case POLICY_EXPORT:
	case POLICY_HISTORY:
		return r && x && role & POLICY_READ;
	case POLICY_WRITE:
	case POLICY_FINALIZE:
		return w && x;
	default:
		return true;
	}
}

static struct answer slow(const struct model *m, unsigned who, uint32_t asked, int day)
{
	const struct model_person *p = &m->person[who];
	uint32_t role = m->role[p->role];
	bool blocked = false, entered = false;
	struct answer a = {.allow = false};

	if (p->state || !holds_on(p->from, p->until, day))
		return a;
	for (unsigned i = 0; i < m->entries; i++) {
		if (!speaks_of(m, &m->entry[i], who))
			continue;
		if (m->entry[i].block)
			blocked = true;
		else if (holds_on(m->entry[i].from, m->entry[i].until, day))
			entered = true;
	}
	a.visible = !blocked &&
		    (role & POLICY_POLICY ||
		     (role & POLICY_LIST && (entered || (p->unit < UNITS && p->unit == m->unit))));
	for (unsigned bit = 0; bit < 10; bit++)
		if (right_holds(m, who, 1u << bit, day, blocked, a.visible))
			a.rights |= 1u << bit;
	a.allow = asked && (a.rights & asked) == asked;
	return a;
}

static void compare(const struct model *m, const struct policy_practice *p,
		    const struct policy_journal *j, const char *texts)
{
	char who[8];
	unsigned number = below(PEOPLE);
	int day = BASE_DAY - 1 + (int)below(15), later;
	struct policy_question q = {.practice = p,
				    .journal = j,
				    .who = who,
				    .rights = below(4) ? 1u << below(10) : below(1024),
				    .now_s = day * DAY + below(86400)};
	struct answer want = slow(m, number, q.rights, day);
	struct policy_verdict v, then;

	sprintf(who, "p%u", number);
	policy_decide(&q, &v);
	ck_assert_msg((v.answer == POLICY_ALLOW) == want.allow && v.visible == want.visible &&
			      v.rights == want.rights,
		      "%s asks %x on day %d: got %d %d %x, want %d %d %x\n%s", who, q.rights, day,
		      v.answer, v.visible, v.rights, want.allow, want.visible, want.rights, texts);
	ck_assert(v.until_s > q.now_s);
	/* Until then nothing changes, by either evaluator. */
	for (later = day; later < BASE_DAY + 20 && (later + 1) * DAY < v.until_s; later++)
		;
	q.now_s = v.until_s == INT64_MAX ? (BASE_DAY + 40) * DAY : v.until_s - 1;
	policy_decide(&q, &then);
	ck_assert_msg(then.answer == v.answer && then.rights == v.rights &&
			      then.visible == v.visible && then.until_s == v.until_s,
		      "%s asks %x on day %d: not constant until %" PRId64 "\n%s", who, q.rights,
		      day, v.until_s, texts);
	want = slow(m, number, q.rights, later);
	ck_assert_msg((v.answer == POLICY_ALLOW) == want.allow && v.rights == want.rights &&
			      v.visible == want.visible,
		      "%s asks %x on day %d, until %" PRId64 "\n%s", who, q.rights, day, v.until_s,
		      texts);
}

START_TEST(decide_agrees_with_the_slow_evaluator)
{
	static const uint64_t seed = UINT64_C(0x6a6f75726e616c31);
	static char practice_buf[8192], journal_buf[8192], texts[20000];
	unsigned questions = 0;

	printf("seed %#" PRIx64 "\n", seed);
	state = seed;
	for (unsigned i = 0; i < 500; i++) {
		struct policy_practice *p;
		struct model m;

		practice_make(&m, practice_buf);
		p = practice_of(practice_buf);
		for (unsigned k = 0; k < 50; k++) {
			struct policy_journal *j;

			journal_make(&m, journal_buf);
			j = journal_of(journal_buf);
			snprintf(texts, sizeof(texts), "%s---\n%s", practice_buf, journal_buf);
			for (unsigned n = 0; n < 10; n++, questions++)
				compare(&m, p, j, texts);
			policy_journal_put(j);
		}
		policy_practice_put(p);
	}
	ck_assert_uint_ge(questions, 250000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_decide");
	TCase *t = tcase_create("decide");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, decide_case_comes_out, 0, (int)COUNT(cases));
	tcase_add_test(t, decide_holds_to_the_minute);
	tcase_add_test(t, decide_block_is_shown_where_the_practice_says_so);
	tcase_add_test(t, decide_practitioner_is_valid_to_the_last_second);
	tcase_add_test(t, decide_until_is_the_nearest_edge_ahead);
	tcase_add_test(t, verdict_text_is_cut_at_its_room);
	tcase_add_test(t, decide_agrees_with_the_slow_evaluator);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
