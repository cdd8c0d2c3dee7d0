/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year.c - the year, day by day: made, sorted, written out.
 *
 * Owns all memory. Invariants: (1) records come in the order of their times; (2) an item's texts
 * live until it is written out: what reaches beyond midnight waits for the next day, with the texts
 * of its own.
 */
#include "year_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_DAY 20454 /* 2026-01-01 */

static void chunks_free(struct year_chunk *k)
{
	while (k) {
		struct year_chunk *next = k->next;

		free(k);
		k = next;
	}
}

void year_free(struct year *y)
{
	if (!y)
		return;
	for (unsigned i = 0; y->clinic && i < y->cfg.clinics; i++)
		year_people_clear(&y->clinic[i]);
	chunks_free(y->texts[0]);
	chunks_free(y->texts[1]);
	free(y->clinic);
	free(y->item);
	free(y);
}

/* What was booked before the year began. */
static void booked(struct year_clinic *c)
{
	for (unsigned i = 0; i < c->patients / 2; i++) {
		uint32_t patient = year_weighed(c);

		year_book(c, (int)year_below(&c->random, 28),
			  (struct year_visit){.patient = patient,
					      .place = c->patient[patient].owner});
	}
}

static int fill(struct year *y)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < y->cfg.clinics; i++) {
		struct year_clinic *c = &y->clinic[i];

		c->y = y;
		c->number = i;
		c->patients = y->cfg.patients;
		c->random = y->cfg.seed * 1000003 + i;
		for (unsigned m = 0; m < YEAR_MISUSES; m++)
			c->plant_random[m] = y->cfg.seed * 7919 + 31 * m + 17;
		rc = year_people_fill(y, c);
		if (!rc)
			booked(c);
	}
	return rc ? rc : y->failed ? -ENOMEM : 0;
}

int year_new(const struct year_config *cfg, struct year **out)
{
	struct year *y = calloc(1, sizeof(*y));
	int rc;

	if (!y)
		return -ENOMEM;
	y->cfg = *cfg;
	y->cfg.clinics = cfg->clinics ? cfg->clinics : 1;
	y->cfg.patients = cfg->patients ? cfg->patients : 3000;
	y->cfg.days = cfg->days ? cfg->days : 365;
	y->first_day = FIRST_DAY;
	y->boot_ns = (y->first_day - 9) * YEAR_DAY_S * YEAR_NS;
	y->policy_version = 4000;
	rc = y->cfg.patients < 200 || y->cfg.patients > 9999 || y->cfg.clinics > 100 ||
			     y->cfg.days > 3650
		     ? -EINVAL
		     : 0;
	if (!rc) {
		y->clinic = calloc(y->cfg.clinics, sizeof(*y->clinic));
		rc = y->clinic ? fill(y) : -ENOMEM;
	}
	if (rc) {
		year_free(y);
		return rc;
	}
	*out = y;
	return 0;
}

static int by_time(const void *x, const void *z)
{
	const struct year_item *a = x, *b = z;

	if (a->ns != b->ns)
		return a->ns < b->ns ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Items before until_ns, in order; the others are kept. */
static int write_out(struct year *y, int64_t until_ns,
		     int (*fn)(void *ctx, const struct policy_record *r), void *ctx)
{
	struct policy_record_note notes[8];
	char names[8][64];
	struct policy_record r;
	size_t n = 0;
	int rc = 0;

	if (!y->items)
		return 0;
	qsort(y->item, y->items, sizeof(*y->item), by_time);
	for (; !rc && n < y->items && y->item[n].ns < until_ns; n++) {
		year_record(y, &y->item[n], &r, notes, names);
		rc = fn(ctx, &r);
	}
	y->items -= n;
	memmove(y->item, y->item + n, y->items * sizeof(*y->item));
	return rc;
}

int year_run(struct year *y, int (*fn)(void *ctx, const struct policy_record *r), void *ctx)
{
	int rc = 0;

	for (int day = 0; !rc && day < (int)y->cfg.days; day++) {
		chunks_free(y->texts[1]);
		y->texts[1] = y->texts[0];
		y->texts[0] = NULL;
		for (unsigned i = 0; i < y->cfg.clinics; i++)
			year_day(&y->clinic[i], day);
		rc = y->failed ? -ENOMEM
			       : write_out(y, year_local_ns(y->first_day + day + 1, 0), fn, ctx);
	}
	return rc ? rc : write_out(y, INT64_MAX, fn, ctx);
}

int year_journals(const struct year *y, int (*fn)(void *ctx, uint32_t number, const char *name),
		  void *ctx)
{
	int rc = 0;

	for (unsigned i = 0; i < y->cfg.clinics; i++) {
		const struct year_clinic *c = &y->clinic[i];

		for (unsigned k = 0; k < c->patients && !rc; k++)
			rc = fn(ctx, c->patient[k].number, c->patient[k].name);
	}
	return rc;
}

const struct year_plant *year_plant(const struct year *y, enum year_misuse misuse)
{
	return &y->plant[misuse];
}

struct year_alike_person year_alike(const struct year *y, enum year_alike alike)
{
	static const struct {
		uint32_t place;
		const char *why;
	} all[YEAR_ALIKES] = {
		{YEAR_FRIDA, "a nurse who stands in in all units"},
		{YEAR_HENRIK, "a physician on call, at night and on weekends"},
		{YEAR_GRETA, "a secretary who writes the bills"},
		{YEAR_SOLVEIG, "a physician with two rooms"},
	};
	const struct year_person *p = &y->clinic[0].person[all[alike].place];

	return (struct year_alike_person){p->number, p->name, all[alike].why};
}
