/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_acts.c - what people do to a journal: look, write, sign, state a relationship,
 * take emergency access.
 *
 * Owns nothing: acts become items of today. Each act gives the records that the same act gives on a
 * mount, in their order.
 */
#include "year_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct year_item *year_item(const struct year_hand *h, int64_t ns, enum policy_record_kind kind)
{
	struct year *y = h->c->y;
	struct year_item *it;

	if (y->items == y->cap) {
		size_t cap = y->cap ? 2 * y->cap : 4096;
		struct year_item *more = reallocarray(y->item, cap, sizeof(*more));

		if (!more) {
			y->failed = true;
			return NULL;
		}
		y->item = more;
		y->cap = cap;
	}
	it = &y->item[y->items++];
	*it = (struct year_item){.ns = ns,
				 .order = y->order++,
				 .kind = (uint8_t)kind,
				 .c = h->c,
				 .who = h->who,
				 .s = h->s,
				 .p = h->p,
				 .rule = (uint8_t)h->rule,
				 .grant = h->grant,
				 .program = h->program,
				 .purpose = h->purpose};
	return it;
}

static enum year_rule rule_of(const struct year_person *who, const struct year_patient *p, int day)
{
	if (p->owner == who->place)
		return YEAR_RULE_OWN;
	for (unsigned i = 0; i < YEAR_ATTENDS; i++) {
		if (p->attend[i].place == who->place && day < p->attend[i].until)
			return p->attend[i].entry ? YEAR_RULE_OWN : YEAR_RULE_ATTEND;
	}
	if (year_default_line(p->unit, who->role) &&
	    (who->unit == p->unit || who->role == YEAR_RELIEF || who->role == YEAR_BILLER))
		return YEAR_RULE_DEFAULT;
	return YEAR_RULE_NO_ENTRY;
}

struct year_hand year_hand(struct year_clinic *c, const struct year_person *who,
			   const struct year_session *s, uint32_t patient, int day)
{
	struct year_hand h = {
		.c = c, .who = who, .s = s, .p = &c->patient[patient], .program = "thunar"};

	h.rule = rule_of(who, h.p, day);
	if (who->role == YEAR_BILLER)
		h.program = "soffice.bin";
	return h;
}

static int64_t seconds(uint64_t *random, uint32_t least, uint32_t most)
{
	return (int64_t)(least + year_below(random, most - least + 1)) * YEAR_NS +
	       (int64_t)year_below(random, 1000000) * 1000;
}

/* A close has no program, and nothing that decided. */
static void closed(const struct year_hand *h, int64_t ns, uint32_t note, uint64_t read,
		   uint64_t written)
{
	struct year_hand plain = *h;
	struct year_item *it;

	plain.rule = YEAR_RULE_NONE;
	plain.program = NULL;
	it = year_item(&plain, ns, POLICY_RECORD_CLOSE);
	if (!it)
		return;
	it->note = note;
	it->read = read;
	it->written = written;
}

static int64_t open_note(const struct year_hand *h, int64_t ns, uint32_t note, uint64_t *random)
{
	struct year_hand reads = *h;
	struct year_item *it;
	int64_t shut;

	reads.program = h->p->note[note - 2].kind == YEAR_LETTER ? "soffice.bin" : "xed";
	it = year_item(&reads, ns, POLICY_RECORD_OPEN);
	if (it)
		it->note = note;
	shut = ns + seconds(random, 0, 40);
	closed(h, shut, note, 200 + year_below(random, 6000), 0);
	return shut;
}

/* The notes that were there yesterday. */
static uint32_t older(const struct year_patient *p, int day)
{
	uint32_t n = p->notes;

	while (n && p->note[n - 1].day >= day)
		n--;
	return n;
}

static int64_t make_journal(const struct year_hand *h, int64_t ns)
{
	struct year_hand makes = *h;
	struct year_item *it;

	makes.program = NULL;
	makes.rule = YEAR_RULE_NONE;
	it = year_item(&makes, ns, POLICY_RECORD_JOURNAL);
	if (it)
		it->detail = "the journal is made";
	return ns + YEAR_NS / 50;
}

int64_t year_look(const struct year_hand *h, int64_t ns, int day, unsigned most, uint64_t *random)
{
	uint32_t n = older(h->p, day), opens = most ? 1 + year_below(random, most) : 0;
	struct year_item *it;

	if (!h->p->notes && h->rule == YEAR_RULE_OWN)
		ns = make_journal(h, ns);
	it = year_item(h, ns, POLICY_RECORD_LIST);
	if (it) {
		it->note = 1;
		it->name = h->p->name;
	}
	ns += seconds(random, 1, 20);
	if (n && opens) {
		it = year_item(h, ns, POLICY_RECORD_INTENT);
		if (it) {
			it->note = 1;
			it->notes = n;
			it->until_ns = ns + 3600 * YEAR_NS;
		}
		ns += YEAR_NS / 1000;
	}
	for (uint32_t i = 0; i < opens && i < n; i++)
		ns = open_note(h, ns, n - i + 1, random) + seconds(random, 1, 15);
	return ns;
}

static uint32_t add_note(struct year_clinic *c, struct year_patient *p, int day,
			 enum year_kind kind)
{
	if (p->notes == p->cap) {
		uint32_t cap = 2 * p->cap;
		struct year_note *more = reallocarray(p->note, cap, sizeof(*more));

		if (!more) {
			c->y->failed = true;
			return 0;
		}
		p->note = more;
		p->cap = cap;
	}
	p->note[p->notes++] = (struct year_note){.day = (int16_t)day, .kind = (uint8_t)kind};
	return p->notes + 1;
}

/* Saved once more: opened to write, written, closed. */
static int64_t save_again(const struct year_hand *h, int64_t ns, uint32_t note, uint64_t *random)
{
	struct year_item *it = year_item(h, ns, POLICY_RECORD_OPEN);

	if (it) {
		it->note = note;
		it->action = 'U';
	}
	it = year_item(h, ns + YEAR_NS / 500, POLICY_RECORD_WRITE);
	if (it)
		it->note = note;
	ns += seconds(random, 0, 2);
	closed(h, ns, note, 0, 300 + year_below(random, 4000));
	return ns;
}

static int64_t finalize(const struct year_hand *h, int64_t ns, uint32_t note, uint64_t *random)
{
	struct year_hand signs = *h;
	struct year_item *it;

	signs.program = NULL;
	signs.rule = YEAR_RULE_NONE;
	it = year_item(&signs, ns, POLICY_RECORD_FINAL);
	if (!it)
		return ns;
	it->note = note;
	it->count = ++h->c->statements;
	it->detail = year_format(
		h->c->y, "%016llx%016llx%016llx%016llx signed",
		(unsigned long long)year_random(random), (unsigned long long)year_random(random),
		(unsigned long long)year_random(random), (unsigned long long)year_random(random));
	return ns + YEAR_NS;
}

int64_t year_write(const struct year_hand *h, int64_t ns, int day, enum year_kind kind, bool sign,
		   uint64_t *random)
{
	struct year_hand writes = *h;
	uint32_t note = add_note(h->c, h->p, day, kind);
	struct year_item *it;

	if (!note)
		return ns;
	writes.program = kind == YEAR_LETTER ? "soffice.bin"
			 : kind == YEAR_LAB  ? "labimport"
					     : "xed";
	it = year_item(&writes, ns, POLICY_RECORD_CREATE);
	if (it) {
		it->note = note;
		it->detail = "opened to write";
	}
	ns += seconds(random, 1, 3);
	closed(h, ns, note, 0, 300 + year_below(random, 3000));
	if (year_chance(random, 400))
		ns = save_again(&writes, ns + seconds(random, 30, 240), note, random);
	if (sign)
		ns = finalize(h, ns + seconds(random, 5, 60), note, random);
	return ns + seconds(random, 1, 10);
}

static void admit(struct year_patient *p, uint32_t place, int day, int until)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < YEAR_ATTENDS; i++) {
		if (p->attend[i].place == YEAR_NOBODY || p->attend[i].until <= day) {
			oldest = i;
			break;
		}
		if (p->attend[i].until < p->attend[oldest].until)
			oldest = i;
	}
	p->attend[oldest].place = place;
	p->attend[oldest].until = until;
	p->attend[oldest].entry = false;
}

int64_t year_cover(struct year_hand *h, int64_t ns, int day, const char *reason)
{
	struct year_hand plain = *h;
	struct year_item *it;

	if (h->rule != YEAR_RULE_NO_ENTRY)
		return ns;
	if (year_chance(&h->c->random, 300)) {
		it = year_item(h, ns, POLICY_RECORD_REFUSED);
		if (it) {
			it->note = 1;
			it->outcome = 4;
			it->detail = "opendir: EACCES";
		}
		ns += seconds(&h->c->random, 10, 60);
	}
	plain.rule = YEAR_RULE_NONE;
	plain.program = NULL;
	it = year_item(&plain, ns, POLICY_RECORD_ATTEND);
	if (it) {
		it->reason = reason;
		it->until_ns = ns + (int64_t)7 * YEAR_DAY_S * YEAR_NS;
	}
	admit(h->p, h->who->place, day, day + 7);
	h->rule = YEAR_RULE_ATTEND;
	return ns + seconds(&h->c->random, 2, 8);
}

/* ---- emergency access ---- */

static void notice(const struct year_hand *h, int64_t ns, const char *event)
{
	struct year_hand daemon = {.c = h->c, .p = h->p, .grant = h->grant};
	struct year_item *it = year_item(&daemon, ns, POLICY_RECORD_NOTICE);

	if (it)
		it->detail = year_format(h->c->y, "%s: delivered", event);
}

static int64_t begin(struct year_hand *h, int64_t ns, const char *reason, bool copied,
		     uint64_t *random)
{
	struct year_item *it;

	h->rule = YEAR_RULE_NONE;
	h->grant = ++h->c->y->grants;
	h->program = NULL;
	it = year_item(h, ns, POLICY_RECORD_BREAK_GLASS);
	if (it) {
		it->reason = reason;
		it->until_ns = ns + 3600 * YEAR_NS;
		it->detail =
			copied ? "acute treatment, nobody who treats the patient can be reached; "
				 "the reason is word for "
				 "word an earlier one"
			: year_chance(random, 500)
				? "acute treatment, nobody who treats the patient can be reached"
				: "danger to life or health";
	}
	notice(h, ns + 2 * YEAR_NS, "opened");
	h->rule = YEAR_RULE_GRANT;
	h->program = "thunar";
	h->purpose = "BTG";
	return ns + seconds(random, 2, 6);
}

static void end(struct year_hand *h, int64_t begun_ns, int64_t ns, uint64_t *random)
{
	struct year_hand by = *h;
	struct year_item *it;
	bool closes = year_chance(random, 400);

	by.rule = YEAR_RULE_NONE;
	by.program = NULL;
	if (!closes)
		by.s = NULL;
	ns = closes ? ns + seconds(random, 5, 60) : begun_ns + 3600 * YEAR_NS;
	it = year_item(&by, ns, POLICY_RECORD_BREAK_GLASS_END);
	if (it)
		it->detail = closes ? "ended by who opened it" : "its time is over";
	notice(h, ns + 2 * YEAR_NS, closes ? "closed" : "expired");
}

int64_t year_emergency(struct year_hand h, int64_t ns, int day, const char *reason, bool copied,
		       uint64_t *random)
{
	int64_t begun_ns = ns;

	ns = begin(&h, ns, reason, copied, random);
	ns = year_look(&h, ns, day, 3, random);
	if (year_chance(random, 600))
		ns = year_write(&h, ns + seconds(random, 60, 600), day, YEAR_CONSULTATION, false,
				random);
	end(&h, begun_ns, ns, random);
	year_list_add(h.c->y, &h.c->reviews,
		      (struct year_visit){.patient = (uint32_t)(h.p - h.c->patient),
					  .place = h.who->place,
					  .grant = h.grant,
					  .copied = copied,
					  .day = day + 1});
	return ns;
}

/* ---- sessions ---- */

struct year_item *year_say(struct year_clinic *c, const struct year_person *who,
			   const struct year_session *s, int64_t ns, enum policy_record_kind kind,
			   const char *detail)
{
	struct year_hand h = {.c = c, .who = who, .s = s};
	struct year_item *it = year_item(&h, ns, kind);

	if (it)
		it->detail = detail;
	return it;
}

struct year_session *year_login(struct year_clinic *c, const struct year_person *who, int64_t ns,
				const char *origin, uint64_t *random)
{
	struct year_session *s = year_keep(c->y, sizeof(*s));

	if (!s)
		return NULL;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t n = year_random(random);

		memcpy(s->id + 8 * i, &n, 8);
	}
	if (origin)
		snprintf(s->origin, sizeof(s->origin), "%s", origin);
	else
		snprintf(s->origin, sizeof(s->origin), "ssh 10.0.%u.%u", c->number + 1,
			 who->place + 10);
	year_say(c, who, s, ns, POLICY_RECORD_LOGIN, "log-in, second factor: code");
	return s;
}
