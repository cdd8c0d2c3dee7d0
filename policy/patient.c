/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/patient.c - merges a journal's records into visits.
 *
 * A visit is what one practitioner does under one grant (or none) without a pause of an hour.
 * Owns: the visits, their texts. Invariants: what the view hides is never stored in a visit; a
 * visit that is over is never opened again. Locks: none.
 */
#include "patient.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basis.h"
#include "map.h"

#define PAUSE_NS (INT64_C(3600) * 1000000000)
#define LIST_MAX 600 /* bytes of names of notes */

struct patient_open { /* a visit that may go on */
	uint32_t practitioner;
	char who[POLICY_RECORD_TEXT];
	uint64_t grant;
	uint32_t visit; /* index */
};

struct patient_reason { /* of a grant; or of a statement (grant 0) of a practitioner */
	uint64_t grant;
	uint32_t practitioner;
	int64_t until_ns;
	char *text;
};

struct policy_patient {
	struct policy_patient_view view;
	struct policy_visit *visit;
	uint32_t visits;
	struct patient_open *open; /* one a practitioner and grant; overwritten when it is over */
	uint32_t opens;
	struct patient_reason *reason;
	uint32_t reasons;
};

int policy_patient_new(const struct policy_patient_view *view, struct policy_patient **out)
{
	struct policy_patient *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->view = *view;
	*out = p;
	return 0;
}

void policy_patient_free(struct policy_patient *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->visits; i++) {
		free(p->visit[i].reason);
		free(p->visit[i].note_list);
	}
	for (uint32_t i = 0; i < p->reasons; i++)
		free(p->reason[i].text);
	free(p->visit);
	free(p->open);
	free(p->reason);
	free(p);
}

/* ---- reasons ---- */

static int reason_put(struct policy_patient *p, const struct policy_record *r)
{
	struct patient_reason *array =
		policy_map_grow(p->reason, p->reasons, sizeof(struct patient_reason));
	char *text = strdup(r->reason);

	if (array)
		p->reason = array;
	if (!array || !text) {
		free(text);
		return -ENOMEM;
	}
	array[p->reasons++] = (struct patient_reason){
		.grant = r->kind == POLICY_RECORD_BREAK_GLASS ? r->grant : 0,
		.practitioner = r->practitioner,
		.until_ns = r->until_ns,
		.text = text,
	};
	return 0;
}

/* The newest that holds for this record. */
static const char *reason_of(const struct policy_patient *p, const struct policy_record *r)
{
	for (uint32_t i = p->reasons; i > 0; i--) {
		const struct patient_reason *x = &p->reason[i - 1];

		if (r->grant ? x->grant == r->grant
			     : !x->grant && x->practitioner == r->practitioner &&
				       x->until_ns > r->time_ns)
			return x->text;
	}
	return NULL;
}

/* ---- visits ---- */

static struct patient_open *open_of(const struct policy_patient *p, const struct policy_record *r)
{
	for (uint32_t i = 0; i < p->opens; i++) {
		struct patient_open *o = &p->open[i];

		if (o->practitioner == r->practitioner && o->grant == r->grant &&
		    (r->practitioner || !strcmp(o->who, r->who)))
			return o;
	}
	return NULL;
}

static int visit_new(struct policy_patient *p, struct patient_open *o,
		     const struct policy_record *r, struct policy_visit **out)
{
	struct policy_visit *v = policy_map_grow(p->visit, p->visits, sizeof(*v));
	struct patient_open *opens;

	if (!v)
		return -ENOMEM;
	p->visit = v;
	if (!o) {
		opens = policy_map_grow(p->open, p->opens, sizeof(*opens));
		if (!opens)
			return -ENOMEM;
		p->open = opens;
		o = &opens[p->opens++];
		*o = (struct patient_open){.practitioner = r->practitioner, .grant = r->grant};
		policy_record_copy(o->who, sizeof(o->who), r->who);
	}
	o->visit = p->visits;
	v += p->visits++;
	memset(v, 0, sizeof(*v));
	v->first_ns = v->last_ns = r->time_ns;
	v->first_seq = r->seq;
	v->grant = r->grant;
	policy_record_copy(v->by, sizeof(v->by), p->view.names ? r->who : r->unit);
	policy_record_copy(v->role, sizeof(v->role), r->role);
	policy_record_copy(v->unit, sizeof(v->unit), r->unit);
	v->practitioner = p->view.names ? r->practitioner : 0;
	*out = v;
	return 0;
}

static int note_add(struct policy_visit *v, const struct policy_record *r)
{
	size_t len, more = strlen(r->name);
	char *list;

	if (!r->note || !more)
		return 0;
	for (uint32_t i = 0; i < v->notes && i < sizeof(v->note) / sizeof(v->note[0]); i++)
		if (v->note[i] == r->note)
			return 0;
	len = v->note_list ? strlen(v->note_list) : 0;
	if (v->notes >= sizeof(v->note) / sizeof(v->note[0]) || len + more + 2 > LIST_MAX)
		return 0;
	list = realloc(v->note_list, len + more + 3);
	if (!list)
		return -ENOMEM;
	snprintf(list + len, more + 3, "%s%s", len ? ", " : "", r->name);
	v->note_list = list;
	v->note[v->notes++] = r->note;
	return 0;
}

static void count(struct policy_visit *v, enum policy_act act, const struct policy_record *r)
{
	v->looked += act == POLICY_ACT_LOOK;
	v->read += act == POLICY_ACT_READ && r->kind != POLICY_RECORD_EXPORT;
	v->exported += r->kind == POLICY_RECORD_EXPORT;
	v->written += act == POLICY_ACT_WRITE;
	v->refused += act == POLICY_ACT_REFUSED ? 1 + r->count : 0;
}

static int visit_add(struct policy_patient *p, enum policy_act act, const struct policy_record *r)
{
	struct patient_open *o = open_of(p, r);
	struct policy_visit *v = o ? &p->visit[o->visit] : NULL;
	const char *reason = reason_of(p, r);
	int rc = 0;

	if (!v || r->time_ns - v->last_ns > PAUSE_NS)
		rc = visit_new(p, o, r, &v);
	if (rc)
		return rc;
	if (r->time_ns > v->last_ns)
		v->last_ns = r->time_ns;
	v->last_seq = r->seq;
	if (!v->purpose[0] || (act != POLICY_ACT_LOOK && act != POLICY_ACT_REFUSED))
		policy_record_copy(v->purpose, sizeof(v->purpose), r->purpose);
	count(v, act, r);
	if (reason && !v->reason) {
		v->reason = strdup(reason);
		if (!v->reason)
			return -ENOMEM;
	}
	return p->view.notes && act != POLICY_ACT_LOOK ? note_add(v, r) : 0;
}

static bool wanted(const struct policy_patient_view *view, const struct policy_record *r)
{
	enum policy_act act = policy_basis_act(r);

	if (act == POLICY_ACT_REFUSED)
		return view->refused;
	/* Without a practitioner it is the daemon itself: an old draft is locked. */
	return act != POLICY_ACT_NONE && r->who[0];
}

int policy_patient_add(struct policy_patient *p, const struct policy_record *r)
{
	/* What is stated of a relationship tends to name colleagues. */
	if (r->journal && r->reason[0] &&
	    (r->kind == POLICY_RECORD_BREAK_GLASS ||
	     (r->kind == POLICY_RECORD_ATTEND && p->view.names))) {
		int rc = reason_put(p, r);

		if (rc)
			return rc;
	}
	return wanted(&p->view, r) ? visit_add(p, policy_basis_act(r), r) : 0;
}

static int by_time(const void *a, const void *b)
{
	const struct policy_visit *x = a, *y = b;

	if (x->first_ns != y->first_ns)
		return x->first_ns < y->first_ns ? -1 : 1;
	return x->first_seq < y->first_seq ? -1 : x->first_seq > y->first_seq;
}

void policy_patient_finish(struct policy_patient *p, const struct policy_visit **out, size_t *n)
{
	if (p->visits)
		qsort(p->visit, p->visits, sizeof(*p->visit), by_time);
	p->opens = 0;
	*out = p->visit;
	*n = p->visits;
}

/* ---- words ---- */

void policy_patient_did(const struct policy_visit *v, char *out, size_t cap)
{
	size_t n = 0;
	const struct {
		bool is;
		const char *text;
	} parts[] = {
		{v->read, "read"},
		{v->written, "wrote"},
		{v->exported, "took out of the vault"},
		{v->looked && !v->read && !v->written && !v->exported,
		 "looked; no opening is recorded"},
		{v->refused, "was refused"},
	};

	if (cap)
		out[0] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].is && n < cap)
			n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? ", " : "",
					      parts[i].text);
}

bool policy_patient_record(const struct policy_patient_view *view, const struct policy_record *r,
			   struct policy_record *out)
{
	if (!wanted(view, r))
		return false;
	*out = *r;
	memset(out->session, 0, sizeof(out->session));
	out->uid = out->pid = 0;
	out->boot_ns = 0;
	out->program[0] = out->origin[0] = out->rule[0] = out->detail[0] = '\0';
	/* Why a note was moved or was in error may name other patients, and where it went is one.
	 */
	out->reason[0] = '\0';
	if (r->kind != POLICY_RECORD_RENAME)
		out->name2[0] = '\0';
	if (!view->names) {
		out->practitioner = 0;
		policy_record_copy(out->who, sizeof(out->who), r->unit);
	}
	if (!view->notes) {
		out->note = 0;
		out->name[0] = out->name2[0] = '\0';
		out->notes = NULL;
		out->note_count = out->note_total = 0;
	}
	return true;
}
