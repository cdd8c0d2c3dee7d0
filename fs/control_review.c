/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_review.c - verbs by which emergency accesses are looked at and judged: grants,
 * grant-show, grant-judge, grant-pairs; and what `status` says of them.
 *
 * Answers that grow are arrays of objects, sent in pieces. Rights are the vault's to
 * judge.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "break_glass.h"
#include "control_impl.h"

/* The grants that are on their way, and which of them are wanted. */
struct objects {
	struct fs_control_objects to;
	const char *state; /* "" all */
};

struct text {
	const char *name, *text;
};

/* Texts that may be anything into an object, which is let go of when memory is short. */
static json_t *with_texts(json_t *one, const struct text *texts, size_t n)
{
	for (size_t i = 0; one && i < n; i++) {
		if (!json_object_set_new(
			    one, texts[i].name,
			    fs_control_json_text(texts[i].text, strlen(texts[i].text))))
			continue;
		json_decref(one);
		one = NULL;
	}
	return one;
}
#define WITH_TEXTS(one, ...)                                                                       \
	with_texts(one, (const struct text[]){__VA_ARGS__},                                        \
		   sizeof((const struct text[]){__VA_ARGS__}) / sizeof(struct text))

/* ---- grants ---- */

static json_t *flags_list(uint8_t flags)
{
	json_t *list = json_array();
	const char *word, *text;

	for (unsigned n = 0; list && (word = fs_glass_flag_word(flags, n, &text)); n++)
		json_array_append_new(list, json_string(word));
	return list;
}

static json_t *grant_object(const struct fs_glass_item *i)
{
	static const char *const verdicts[] = {"", "justified", "unjustified", "unjustified"};
	const struct fs_grant *g = &i->g;
	json_t *one = json_pack(
		"{s:I, s:I, s:s, s:s, s:o, s:I, s:I, s:I, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:b, "
		"s:b}",
		"number", (json_int_t)g->number, "index", (json_int_t)g->journal, "ground",
		fs_glass_ground_word(g->ground), "ground_text", fs_glass_ground_text(g->ground),
		"flags", flags_list(g->flags), "from_s", (json_int_t)g->from_s, "until_s",
		(json_int_t)g->until_s, "ended_s", (json_int_t)g->ended_s, "end",
		fs_glass_end_word(g), "state", fs_glass_state_word(g), "due_s",
		(json_int_t)g->due_s, "verdict", verdicts[g->review], "reviewed_s",
		(json_int_t)g->reviewed_s, "deviation", (json_int_t)g->deviation, "policy",
		(json_int_t)g->policy, "overdue", i->overdue, "mine", i->mine);

	return WITH_TEXTS(one, {"who", i->who}, {"role", i->role}, {"unit", i->unit},
			  {"journal", i->journal}, {"reason", i->text.reason},
			  {"reviewer", i->reviewer}, {"note", i->text.note},
			  {"settled", i->text.settled});
}

static const char *const states[] = {"open",	  "pending-review", "overdue",
				     "justified", "deviation",	    "closed"};

static int add_grant(void *ctx, const struct fs_glass_item *item)
{
	struct objects *to = ctx;

	if (to->state[0] && strcmp(to->state, fs_glass_state_word(&item->g)) &&
	    !(item->overdue && !strcmp(to->state, "overdue")))
		return 0;
	return fs_control_objects_put(&to->to, grant_object(item));
}

/* What the vault had to say besides. */
static int put_notice(struct fs_control_request *rq)
{
	return rq->say.text[0] && json_object_set_new(
					  rq->answer, "notice",
					  fs_control_json_text(rq->say.text, strlen(rq->say.text)))
		       ? -ENOMEM
		       : 0;
}

int fs_control_verb_grants(struct fs_control_request *rq)
{
	struct objects to = {.to = {.rq = rq, .name = "grants"},
			     .state = fs_control_text(rq, "state")};
	bool known = !to.state[0];
	int rc;

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		known = known || !strcmp(to.state, states[i]);
	if (!known) {
		fs_say(&rq->say, "a state is one of: open, pending-review, overdue, justified, "
				 "deviation, closed");
		return -EINVAL;
	}
	rc = fs_control_objects_begin(&to.to);
	if (!rc)
		rc = fs_vault_glass_list(rq->c->vault, rq->session,
					 (uint32_t)fs_control_int(rq, "number"), add_grant, &to,
					 &rq->say);
	return rc ? rc : put_notice(rq);
}

/* ---- one of them ---- */

static int keep_grant(void *ctx, const struct fs_glass_item *item)
{
	json_t *one = grant_object(item);

	return one && !json_object_set_new(ctx, "grant", one) ? 0 : -ENOMEM;
}

static int add_act(void *ctx, const struct policy_record *r, bool before)
{
	char note[24];
	json_t *one = json_pack(
		"{s:s, s:I, s:i, s:I, s:I, s:I, s:I, s:b}", "kind",
		policy_record_kind_text(r->kind), "time_s", (json_int_t)(r->time_ns / 1000000000),
		"outcome", r->outcome, "count", (json_int_t)(r->count ? r->count : 1), "bytes_read",
		(json_int_t)r->bytes_read, "bytes_written", (json_int_t)r->bytes_written, "notes",
		(json_int_t)r->note_total, "before", before);

	snprintf(note, sizeof(note), "%llu", (unsigned long long)r->note);
	return fs_control_objects_put(ctx, WITH_TEXTS(one, {"who", r->who}, {"name", r->name},
					   {"name2", r->name2}, {"note", note},
					   {"reason", r->reason}, {"detail", r->detail}));
}

int fs_control_verb_grant_show(struct fs_control_request *rq)
{
	uint32_t number = (uint32_t)fs_control_int(rq, "number");
	struct fs_control_objects to = {.rq = rq, .name = "acts"};
	int rc = fs_vault_glass_list(rq->c->vault, rq->session, number, keep_grant, rq->answer,
				     &rq->say);

	if (!rc)
		rc = put_notice(rq);
	/* Of its own frame: what follows may begin another. */
	if (!rc)
		rc = fs_control_more(rq);
	if (!rc) {
		rq->say.text[0] = '\0';
		rc = fs_control_objects_begin(&to);
	}
	if (!rc)
		rc = fs_vault_glass_acts(rq->c->vault, rq->session, number, add_act, &to, &rq->say);
	if (rc == 1)
		rc = json_object_set_new(rq->answer, "withheld", json_true()) ? -ENOMEM : 0;
	return rc ? rc : put_notice(rq);
}

int fs_control_verb_grant_judge(struct fs_control_request *rq)
{
	static const struct {
		const char *word;
		enum fs_glass_review verdict;
	} verdicts[] = {
		{"justified", FS_GLASS_JUSTIFIED},
		{"unjustified", FS_GLASS_UNJUSTIFIED},
		{"settled", FS_GLASS_SETTLED},
	};
	const char *word = fs_control_text(rq, "verdict");
	enum fs_glass_review verdict = FS_GLASS_PENDING;
	uint32_t deviation = 0;
	int rc;

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		if (!strcmp(word, verdicts[i].word))
			verdict = verdicts[i].verdict;
	}
	rc = fs_vault_glass_review(rq->c->vault, rq->session,
				   (uint32_t)fs_control_int(rq, "number"), verdict,
				   fs_control_text(rq, "note"), &deviation, &rq->say);
	if (!rc && json_object_set_new(rq->answer, "deviation", json_integer(deviation)))
		rc = -ENOMEM;
	return rc;
}

/* ---- pairs ---- */

static int add_pair(void *ctx, const struct fs_glass_pair *p)
{
	json_t *one = json_pack("{s:I, s:I, s:I, s:I, s:b, s:b}", "count", (json_int_t)p->count,
				"unjustified", (json_int_t)p->unjustified, "first_s",
				(json_int_t)p->first_s, "last_s", (json_int_t)p->last_s, "admitted",
				p->admitted, "blocked", p->blocked);

	return fs_control_objects_put(ctx, WITH_TEXTS(one, {"who", p->who}, {"journal", p->journal}));
}

int fs_control_verb_grant_pairs(struct fs_control_request *rq)
{
	struct fs_control_objects to = {.rq = rq, .name = "pairs"};
	int rc = fs_control_objects_begin(&to);

	return rc ? rc : fs_vault_glass_pairs(rq->c->vault, rq->session, add_pair, &to, &rq->say);
}

/* ---- status ---- */

static int add_mine(void *ctx, const struct fs_glass_mine *m)
{
	json_t *one = json_pack("{s:I, s:I, s:I}", "number", (json_int_t)m->number, "until_s",
				(json_int_t)m->until_s, "left_s", (json_int_t)m->left_s);

	one = WITH_TEXTS(one, {"journal", m->journal});
	return one && !json_array_append_new(ctx, one) ? 0 : -ENOMEM;
}

json_t *fs_control_emergencies(struct fs_control_request *rq, bool all)
{
	json_t *out = json_object(), *mine = json_array();
	struct fs_glass_counts n;
	int rc = out && mine ? 0 : -ENOMEM;

	if (!rc && rq->session && fs_session_state(rq->session) == FS_SESSION_ACTIVE)
		rc = fs_vault_glass_mine(rq->c->vault, rq->session, add_mine, mine);
	/* Locked meanwhile: then none are shown. */
	if (rc == -ENOKEY)
		rc = 0;
	if (!rc)
		rc = json_object_set(out, "mine", mine) ? -ENOMEM : 0;
	if (!rc && all) {
		fs_vault_glass_counts(rq->c->vault, rq->session, &n);
		rc |= json_object_set_new(out, "open", json_integer(n.open));
		rc |= json_object_set_new(out, "pending", json_integer(n.pending));
		rc |= json_object_set_new(out, "overdue", json_integer(n.overdue));
		rc |= json_object_set_new(out, "overdue_s", json_integer(n.overdue_s));
		rc |= json_object_set_new(out, "deviations", json_integer(n.deviations));
	}
	json_decref(mine);
	if (!rc)
		return out;
	json_decref(out);
	return NULL;
}
