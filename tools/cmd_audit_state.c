/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_state.c - audit state --at TIME: who could see what then, who was logged in,
 * which emergency accesses were open, and which policy was in force.
 *
 * The log is walked up to that moment (policy/replay.h); what people could see follows from the
 * policy alone (audit_reach.c). Clocks: the log's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../policy/replay.h"
#include "audit_reach.h"
#include "cmd_audit.h"
#include "when.h"

struct stating {
	struct policy_replay *replay;
	struct audit_removed removed; /* journals */
	struct audit_out *out;
	int64_t at_ns;
	int rc;
};

static int walk(void *ctx, const struct policy_record *r)
{
	struct stating *st = ctx;
	enum policy_replay_turn turn;

	if (policy_replay_removes(r))
		st->rc = tools_audit_removed_add(&st->removed, r->journal);
	if (!st->rc)
		st->rc = policy_replay_step(st->replay, r, &turn);
	return st->rc != 0;
}

/* ---- the daemon and the policy ---- */

static void say_daemon(const struct stating *st)
{
	int64_t last_ns = policy_replay_last(st->replay);
	char when[32];

	if (!last_ns)
		tools_audit_out_say(st->out, "The log has no record from before that time.");
	else if (policy_replay_up(st->replay))
		tools_audit_out_say(st->out,
				    "The daemon ran, as far as the log says; the last record "
				    "before is of %s.",
				    tools_when_text(last_ns / 1000000000, when));
	else
		tools_audit_out_say(st->out, "The daemon did not run: it was stopped at %s.",
				    tools_when_text(last_ns / 1000000000, when));
}

static const struct policy_past_change *change_of(const struct policy_past *past, uint32_t version)
{
	for (size_t i = policy_past_count(past); i-- > 0;) {
		const struct policy_past_change *c = policy_past_at(past, i);

		if (c->version == version)
			return c;
	}
	return NULL;
}

/* The newest change of the practice that was in force. */
static const struct policy_past_change *practice_of(const struct policy_past *past,
						    uint32_t version)
{
	for (size_t i = policy_past_count(past); i-- > 0;) {
		const struct policy_past_change *c = policy_past_at(past, i);

		if (!c->journal && c->version <= version)
			return c;
	}
	return NULL;
}

static const struct audit_column policy_columns[] = {
	{"Policy", "policy", AUDIT_TEXT},	 {"Version", "version", AUDIT_NUMBER},
	{"In force since", "since", AUDIT_TIME}, {"Signed by", "who", AUDIT_TEXT},
	{"Why", "reason", AUDIT_TEXT},
};

static void put_policy(const struct stating *st, const struct policy_past_change *c)
{
	const struct audit_cell cells[] = {
		{.text = c->journal ? c->name : "practice"},
		{.number = c->version},
		{.number = c->time_s * 1000000000},
		{.text = c->who[0] ? c->who : "the vault's root"},
		{.text = c->reason},
	};

	tools_audit_out_row(st->out, cells);
}

static void put_policies(const struct stating *st, const struct policy_past *past, uint32_t version)
{
	const struct policy_past_change *practice = practice_of(past, version);
	const struct policy_past_change *last = change_of(past, version);

	tools_audit_out_heading(st->out, "Policy");
	tools_audit_out_table(st->out, "policy", policy_columns,
			      sizeof(policy_columns) / sizeof(policy_columns[0]));
	if (practice)
		put_policy(st, practice);
	if (last && last->journal)
		put_policy(st, last);
}

/* ---- sessions ---- */

static const struct audit_column session_columns[] = {
	{"Who", "who", AUDIT_TEXT},	      {"Role", "role", AUDIT_TEXT},
	{"Unit", "unit", AUDIT_TEXT},	      {"State", "state", AUDIT_TEXT},
	{"Since", "state_since", AUDIT_TIME}, {"Logged in", "since", AUDIT_TIME},
	{"From", "origin", AUDIT_TEXT},	      {"Session", "session", AUDIT_TEXT},
};

static int count_session(void *ctx, struct policy_replay_session *s)
{
	*(size_t *)ctx += !s->ended;
	return 0;
}

static int put_session(void *ctx, struct policy_replay_session *s)
{
	const struct stating *st = ctx;
	char id[2 * sizeof(s->id) + 1];
	const struct audit_cell cells[] = {
		{.text = s->who},	   {.text = s->role},
		{.text = s->unit},	   {.text = s->locked ? "locked" : "active"},
		{.number = s->changed_ns}, {.number = s->assumed ? 0 : s->since_ns},
		{.text = s->origin},	   {.text = id},
	};

	for (size_t i = 0; i < sizeof(s->id); i++)
		snprintf(id + 2 * i, 3, "%02x", s->id[i]);
	if (!s->ended)
		tools_audit_out_row(st->out, cells);
	return 0;
}

static void put_sessions(struct stating *st)
{
	size_t n = 0;

	(void)policy_replay_each(st->replay, count_session, &n);
	tools_audit_out_heading(st->out, "Logged in");
	if (!n) {
		tools_audit_out_say(st->out, "Nobody.");
		return;
	}
	tools_audit_out_table(st->out, "session", session_columns,
			      sizeof(session_columns) / sizeof(session_columns[0]));
	(void)policy_replay_each(st->replay, put_session, st);
}

/* ---- emergency accesses ---- */

static const struct audit_column grant_columns[] = {
	{"Grant", "grant", AUDIT_NUMBER},    {"State", "state", AUDIT_TEXT},
	{"Who", "who", AUDIT_TEXT},	     {"Journal", "journal", AUDIT_TEXT},
	{"From", "from", AUDIT_TIME},	     {"Until", "until", AUDIT_TIME},
	{"Block", "past_block", AUDIT_TEXT}, {"Reason", "reason", AUDIT_TEXT},
};

/* "": it was over and judged by then. */
static const char *grant_state(const struct policy_replay_grant *g, int64_t at_ns)
{
	if (policy_replay_grant_open(g, at_ns))
		return "open";
	if (g->review == POLICY_REPLAY_PENDING)
		return "pending review";
	return g->review == POLICY_REPLAY_UNJUSTIFIED ? "deviation open" : "";
}

static void put_grant(const struct stating *st, const struct policy_replay_grant *g,
		      const char *state)
{
	const struct audit_cell cells[] = {
		{.number = (int64_t)g->number},
		{.text = state},
		{.text = g->who},
		{.text = g->journal_name},
		{.number = g->from_ns},
		{.number = g->ended_ns && g->ended_ns < g->until_ns ? g->ended_ns : g->until_ns},
		{.text = g->past_block ? "passed" : ""},
		{.text = g->reason},
	};

	tools_audit_out_row(st->out, cells);
}

static void put_grants(const struct stating *st)
{
	bool some = false;

	tools_audit_out_heading(st->out, "Emergency accesses, open or not judged yet");
	for (size_t i = 0; i < policy_replay_grants(st->replay); i++) {
		const struct policy_replay_grant *g = policy_replay_grant_at(st->replay, i);
		const char *state = grant_state(g, st->at_ns);

		if (!state[0])
			continue;
		if (!some)
			tools_audit_out_table(st->out, "emergency-access", grant_columns,
					      sizeof(grant_columns) / sizeof(grant_columns[0]));
		some = true;
		put_grant(st, g, state);
	}
	if (!some)
		tools_audit_out_say(st->out, "None.");
}

/* ---- the command ---- */

static int moment(const struct tool_options *o, int64_t *at_s)
{
	*at_s = (int64_t)time(NULL);
	if (o->at && tools_when_parse(o->at, at_s))
		return tools_usage("--at takes " TOOLS_WHEN_FORMS);
	if (*at_s <= 0 || *at_s >= INT64_MAX / 1000000000)
		return tools_usage("--at %s: times of the log are from 1970 to 2262", o->at);
	if (o->who && o->who[0] && o->journal && o->journal[0])
		return tools_usage("--who lists the journals of one practitioner, --journal the "
				   "practitioners of one journal: one of them");
	return TOOL_OK;
}

static int put_all(const struct tool_options *o, struct audit_source *s, struct stating *st,
		   struct policy_past *past)
{
	int64_t at_s = st->at_ns / 1000000000;
	struct audit_reach reach = {.past = past,
				    .replay = st->replay,
				    .removed = &st->removed,
				    .out = st->out,
				    .version = policy_past_version(past, at_s),
				    .at_s = at_s};

	say_daemon(st);
	put_policies(st, past, reach.version);
	put_sessions(st);
	put_grants(st);
	tools_audit_say_unread(s, st->out);
	return tools_audit_reach(&reach, o->who, o->journal);
}

static int state(const struct tool_options *o, struct audit_source *s, struct stating *st)
{
	/* Whoever has an emergency access not judged yet may have had it long ago. */
	const struct audit_filter f = {.until_ns = st->at_ns + 1, .purpose = "state"};
	struct policy_past *past = tools_audit_past(s);
	int rc = past ? TOOL_OK : TOOL_FAILED;

	if (rc == TOOL_OK)
		rc = tools_audit_read(s, &f, walk, st);
	if (st->rc)
		rc = tools_fail("out of memory");
	if (rc == TOOL_OK)
		rc = put_all(o, s, st, past);
	policy_past_free(past);
	return rc;
}

static int run(const struct tool_options *o, struct audit_source *s, int64_t at_s)
{
	struct stating st = {.at_ns = at_s * 1000000000};
	char title[64], when[32];
	int rc;

	if (policy_replay_new(&st.replay))
		return tools_fail("out of memory");
	snprintf(title, sizeof(title), "State at %s", tools_when_text(at_s, when));
	st.out = tools_audit_out_open(o, title);
	rc = st.out ? state(o, s, &st) : TOOL_FAILED;
	if (rc != TOOL_OK)
		tools_audit_out_abort(st.out);
	else
		rc = tools_audit_out_close(st.out);
	policy_replay_free(st.replay);
	free(st.removed.journal);
	return rc;
}

int tools_cmd_audit_state(struct tool_options *o, int argc, char **argv)
{
	struct audit_source *s;
	int64_t at_s;
	int rc = moment(o, &at_s);

	(void)argc;
	(void)argv;
	if (rc != TOOL_OK)
		return rc;
	s = tools_audit_open(o);
	if (!s)
		return TOOL_FAILED;
	rc = run(o, s, at_s);
	tools_audit_close(s);
	return rc;
}
