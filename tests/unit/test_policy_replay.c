/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_policy_replay.c - the log walked in order: sessions, grants, starts; which
 * decision a record carries; the story; what a draft changes, counted.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/past.h"
#include "policy/replay_asked.h"
#include "policy/replay_decide.h"
#include "policy/replay_groups.h"
#include "policy/replay_story.h"

#define S INT64_C(1000000000)
#define T0 (1795262400 * S) /* 2026-11-21 12:00 UTC */

static struct policy_record r;
static uint64_t seq;

/* A record `s` seconds after noon. */
static struct policy_record *rec(enum policy_record_kind kind, int64_t s, const char *who)
{
	policy_record_init(&r, kind);
	r.time_ns = T0 + s * S;
	r.seq = ++seq;
	snprintf(r.who, sizeof(r.who), "%s", who);
	if (who[0]) {
		r.practitioner = (uint32_t)who[0];
		snprintf(r.role, sizeof(r.role), "physician");
		snprintf(r.unit, sizeof(r.unit), "north");
		memset(r.session, who[0], sizeof(r.session));
	}
	r.policy_version = 1;
	return &r;
}

static struct policy_record *in_journal(enum policy_record_kind kind, int64_t s, const char *who,
					const char *note, const char *rule)
{
	rec(kind, s, who);
	r.journal = 7;
	snprintf(r.journal_name, sizeof(r.journal_name), "Hansen");
	r.note = note[0] ? (uint64_t)note[0] : 0;
	snprintf(r.name, sizeof(r.name), "%s", note);
	snprintf(r.rule, sizeof(r.rule), "%s", rule);
	return &r;
}

/* ---- walking ---- */

static struct policy_replay *replay;
static enum policy_replay_turn turn;

static void walk(const struct policy_record *one)
{
	ck_assert_int_eq(policy_replay_step(replay, one, &turn), 0);
}

static void replay_up(void)
{
	ck_assert_int_eq(policy_replay_new(&replay), 0);
}

static void replay_down(void)
{
	policy_replay_free(replay);
}

START_TEST(a_session_is_there_from_log_in_to_log_out)
{
	const struct policy_replay_session *s;

	walk(rec(POLICY_RECORD_START, 0, ""));
	ck_assert_int_eq(turn, POLICY_REPLAY_START);
	walk(rec(POLICY_RECORD_LOGIN, 10, "anna"));
	s = policy_replay_session(replay, &r);
	ck_assert_str_eq(s->who, "anna");
	ck_assert(!s->assumed && !s->locked);
	walk(rec(POLICY_RECORD_LOCK, 20, "anna"));
	ck_assert(policy_replay_session(replay, &r)->locked);
	ck_assert_int_eq(policy_replay_session(replay, &r)->changed_ns, T0 + 20 * S);
	walk(rec(POLICY_RECORD_UNLOCK, 30, "anna"));
	ck_assert(!policy_replay_session(replay, &r)->locked);
	ck_assert_int_eq(policy_replay_session(replay, &r)->since_ns, T0 + 10 * S);
	walk(rec(POLICY_RECORD_LOGOUT, 40, "anna"));
	ck_assert(policy_replay_session(replay, &r)->ended);
	walk(rec(POLICY_RECORD_ALARM, 60, ""));
	ck_assert_uint_eq(policy_replay_sessions(replay), 0);
}
END_TEST

START_TEST(the_order_of_a_steward_ends_no_session_of_the_stewards)
{
	walk(rec(POLICY_RECORD_LOGIN, 0, "dan"));
	rec(POLICY_RECORD_LOGOUT, 5, "dan")->action = 'D';
	walk(&r);
	ck_assert(!policy_replay_session(replay, &r)->ended);
}
END_TEST

START_TEST(a_start_without_a_stop_is_unclean_and_ends_all_sessions)
{
	walk(rec(POLICY_RECORD_START, 0, ""));
	walk(rec(POLICY_RECORD_LOGIN, 1, "anna"));
	walk(rec(POLICY_RECORD_START, 100, ""));
	ck_assert_int_eq(turn, POLICY_REPLAY_UNCLEAN);
	walk(rec(POLICY_RECORD_STOP, 200, ""));
	ck_assert_int_eq(turn, POLICY_REPLAY_STOP);
	ck_assert(!policy_replay_up(replay));
	ck_assert_uint_eq(policy_replay_sessions(replay), 0);
	walk(rec(POLICY_RECORD_START, 300, ""));
	ck_assert_int_eq(turn, POLICY_REPLAY_START);
	ck_assert(policy_replay_up(replay));
}
END_TEST

static struct policy_record *of_grant(enum policy_record_kind kind, int64_t s, const char *who,
				      uint64_t grant, const char *detail)
{
	in_journal(kind, s, who, "", "");
	r.grant = grant;
	r.until_ns = kind == POLICY_RECORD_BREAK_GLASS ? r.time_ns + 3600 * S : 0;
	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	return &r;
}

START_TEST(a_grant_is_open_from_its_record_to_its_end_or_its_time)
{
	const struct policy_replay_grant *g;

	walk(of_grant(POLICY_RECORD_BREAK_GLASS, 0, "max", 2, "danger; PAST THE PATIENT'S BLOCK"));
	walk(of_grant(POLICY_RECORD_BREAK_GLASS, 10, "max", 3, "danger"));
	walk(of_grant(POLICY_RECORD_BREAK_GLASS_END, 100, "max", 3, "ended by who opened it"));
	g = policy_replay_grant(replay, 2);
	ck_assert(g->past_block);
	ck_assert(!policy_replay_grant_open(g, T0 - 1));
	ck_assert(policy_replay_grant_open(g, T0 + 3599 * S));
	ck_assert(!policy_replay_grant_open(g, T0 + 3600 * S));
	g = policy_replay_grant(replay, 3);
	ck_assert(!g->past_block);
	ck_assert(policy_replay_grant_open(g, T0 + 99 * S));
	ck_assert(!policy_replay_grant_open(g, T0 + 100 * S));
	ck_assert_ptr_null(policy_replay_grant(replay, 1));
	ck_assert_uint_eq(policy_replay_grants(replay), 2);
	ck_assert_int_eq(g->review, POLICY_REPLAY_PENDING);
	walk(of_grant(POLICY_RECORD_GRANT_REVIEW, 200, "lis", 3,
		      "emergency access of max: justified"));
	walk(of_grant(POLICY_RECORD_GRANT_REVIEW, 201, "lis", 2,
		      "emergency access of max: UNJUSTIFIED, deviation 1"));
	ck_assert_int_eq(policy_replay_grant(replay, 3)->review, POLICY_REPLAY_JUSTIFIED);
	ck_assert_int_eq(policy_replay_grant(replay, 2)->review, POLICY_REPLAY_UNJUSTIFIED);
	walk(of_grant(POLICY_RECORD_GRANT_REVIEW, 202, "lis", 2,
		      "emergency access of max:  deviation 1 is closed"));
	ck_assert_int_eq(policy_replay_grant(replay, 2)->review, POLICY_REPLAY_SETTLED);
}
END_TEST

START_TEST(records_that_are_missing_are_counted_and_nothing_is_taken_for_known)
{
	walk(rec(POLICY_RECORD_START, 0, ""));
	ck_assert(policy_replay_begun(replay));
	walk(rec(POLICY_RECORD_LOGIN, 1, "anna"));
	ck_assert_uint_eq(policy_replay_missing(replay), 0);
	seq += 41;
	walk(rec(POLICY_RECORD_LOGIN, 2, "bo"));
	ck_assert_uint_eq(policy_replay_missing(replay), 41);
	ck_assert(!policy_replay_begun(replay));
	walk(rec(POLICY_RECORD_START, 3, ""));
	ck_assert(policy_replay_begun(replay));
}
END_TEST

START_TEST(many_sessions_are_kept_apart_and_let_go)
{
	walk(rec(POLICY_RECORD_START, 0, ""));
	for (unsigned n = 0; n < 3000; n++) {
		rec(POLICY_RECORD_LOGIN, n, "anna");
		memcpy(r.session, &n, sizeof(n));
		walk(&r);
		if (n >= 100) {
			unsigned old = n - 100;

			rec(POLICY_RECORD_LOGOUT, n, "anna");
			memcpy(r.session, &old, sizeof(old));
			walk(&r);
		}
		ck_assert_uint_le(policy_replay_sessions(replay), 108);
	}
}
END_TEST

/* ---- asked ---- */

static struct policy_asked asked(const struct policy_record *one)
{
	struct policy_asked a;

	policy_asked_of(one, &a);
	return a;
}

static bool asks(const struct policy_asked *a, uint32_t rights)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->rights[i] == rights)
			return true;
	}
	return false;
}

START_TEST(each_kind_of_act_asks_for_its_rights)
{
	struct policy_asked a = asked(in_journal(POLICY_RECORD_OPEN, 0, "anna", "n", "x"));

	ck_assert_int_eq(a.what, POLICY_ASKED_JOURNAL);
	ck_assert(a.allowed && asks(&a, POLICY_READ));
	ck_assert(asks(&a, POLICY_READ | POLICY_HISTORY));
	in_journal(POLICY_RECORD_OPEN, 0, "anna", "n", "x")->action = 'U';
	a = asked(&r);
	ck_assert(!asks(&a, POLICY_READ) && asks(&a, POLICY_READ | POLICY_WRITE));
	a = asked(in_journal(POLICY_RECORD_DELETE, 0, "anna", "n", "x"));
	ck_assert(asks(&a, POLICY_LIST | POLICY_WRITE));
	a = asked(in_journal(POLICY_RECORD_EXPORT, 0, "anna", "n", ""));
	ck_assert(asks(&a, POLICY_READ | POLICY_EXPORT));
	ck_assert_ptr_null(a.rule);
	a = asked(rec(POLICY_RECORD_POLICY, 0, "dan"));
	ck_assert(a.what == POLICY_ASKED_VAULT && asks(&a, POLICY_POLICY));
	a = asked(rec(POLICY_RECORD_LOGIN, 0, "anna"));
	ck_assert_int_eq(a.what, POLICY_ASKED_STATUS);
	/* The vault's own acts. */
	a = asked(rec(POLICY_RECORD_KEYS, 0, ""));
	ck_assert_int_eq(a.what, POLICY_ASKED_NOTHING);
	a = asked(rec(POLICY_RECORD_FINAL, 0, ""));
	ck_assert_int_eq(a.what, POLICY_ASKED_NOTHING);
}
END_TEST

static struct policy_asked refused(const char *detail, const char *rule)
{
	in_journal(POLICY_RECORD_REFUSED, 0, "anna", "n", rule);
	snprintf(r.detail, sizeof(r.detail), "%s", detail);
	return asked(&r);
}

START_TEST(refusals_that_policy_does_not_decide_are_told_apart)
{
	struct policy_asked a = refused("open: EACCES", "no entry admits anna");

	ck_assert(!a.allowed && !a.other && a.what == POLICY_ASKED_JOURNAL);
	ck_assert_str_eq(a.rule, "no entry admits anna");
	a = refused("write: EPERM", "a final note does not change");
	ck_assert_str_eq(a.other, "a final note does not change");
	ck_assert_int_eq(a.what, POLICY_ASKED_NOTHING);
	ck_assert_ptr_nonnull(refused("open: EACCES", "its key still waits").other);
	ck_assert_ptr_nonnull(refused("opendir: EACCES", "program deny tracker-miner-f").other);
	ck_assert_ptr_nonnull(refused("open: EACCES", "another account than the session's").other);
	ck_assert_ptr_nonnull(refused("break-glass: you have 3 emergency accesses open", "").other);
	ck_assert_ptr_nonnull(refused("second factor: wrong", "").other);
	a = refused("inviting eva", "");
	ck_assert(!a.other && a.what == POLICY_ASKED_VAULT && asks(&a, POLICY_POLICY));
	/* What an auditor takes is policy's to refuse, and so it is judged. */
	a = refused("taking the log's segments", "");
	ck_assert(!a.other && a.what == POLICY_ASKED_VAULT && asks(&a, POLICY_POLICY) &&
		  asks(&a, POLICY_AUDIT) && asks(&a, POLICY_REVIEW));
	a = refused("archiving the log", "");
	ck_assert(!a.other && asks(&a, POLICY_POLICY) && !asks(&a, POLICY_AUDIT));
	a = refused("exporting keys of the log", "");
	ck_assert(!a.other && a.what == POLICY_ASKED_VAULT && asks(&a, POLICY_AUDIT) &&
		  !asks(&a, POLICY_POLICY));
	a = refused("sealing policies beside a copy of the log", "");
	ck_assert(!a.other && asks(&a, POLICY_AUDIT));
	a = refused("signing off a review of the log", "");
	ck_assert(!a.other && asks(&a, POLICY_REVIEW));
	a = refused("reading all versions of the policies", "");
	ck_assert(!a.other && asks(&a, POLICY_AUDIT));
	a = refused("finalizing: you may not read this journal: block user:anna (line 4)", "");
	ck_assert_str_eq(a.rule, "block user:anna (line 4)");
	ck_assert(asks(&a, POLICY_READ));
	a = refused("setxattr: EPERM", "role physician may not policy (practice line 2)");
	ck_assert(a.what == POLICY_ASKED_VAULT && asks(&a, POLICY_POLICY));
	/* A name of an operation that nobody knows: still policy's to explain. */
	a = refused("frobnicate: EACCES", "no entry admits anna");
	ck_assert(!a.other && asks(&a, POLICY_READ) && asks(&a, POLICY_LIST) && asks(&a, 0));
}
END_TEST

START_TEST(names_that_people_give_change_no_meaning)
{
	struct policy_asked a;

	in_journal(POLICY_RECORD_JOURNAL, 0, "anna", "", "");
	strcpy(r.detail, "the journal, which is empty, is removed");
	ck_assert(policy_replay_removes(&r));
	strcpy(r.detail, "the journal is renamed to \"Hansen, who is removed\"");
	ck_assert(!policy_replay_removes(&r));
	strcpy(r.detail, "the journal is renamed to \"the journal, which is empty, is removed\"");
	ck_assert(!policy_replay_removes(&r));
	in_journal(POLICY_RECORD_AUDIT, 0, "anna", "", "");
	strcpy(r.detail, "the log was read, journal what was shown, for audit patient");
	a = asked(&r);
	ck_assert(a.what == POLICY_ASKED_VAULT && asks(&a, POLICY_AUDIT));
	/* Who may sign off may not archive, and the other way round. */
	in_journal(POLICY_RECORD_LOG_REVIEW, 0, "anna", "", "");
	a = asked(&r);
	ck_assert(asks(&a, POLICY_AUDIT) && asks(&a, POLICY_REVIEW) && !asks(&a, POLICY_POLICY));
	in_journal(POLICY_RECORD_ARCHIVE, 0, "anna", "", "");
	a = asked(&r);
	ck_assert(asks(&a, POLICY_POLICY) && !asks(&a, POLICY_AUDIT) && !asks(&a, POLICY_REVIEW));
}
END_TEST

/* ---- decisions by hand ---- */

static struct policy_past *past;
static struct policy_redoing *redoing;

static void policy(uint32_t version, int64_t s, uint32_t journal, const char *name,
		   const char *text)
{
	const struct policy_past_change c = {.version = version,
					     .time_s = T0 / S + s,
					     .journal = journal,
					     .name = name,
					     .text = text,
					     .len = strlen(text)};

	ck_assert_int_eq(policy_past_add(past, &c), 0);
}

#define PRACTICE                                                                                   \
	"practice \"K\"\n"                                                                         \
	"role physician clinical may list read write create\n"                                     \
	"role steward may policy audit\n"                                                          \
	"unit north \"N\"\n"                                                                       \
	"practitioner anna user anna role physician unit north\n"                                  \
	"practitioner dan user dan role steward\n"
#define GROUND "allow user:anna:rwx (line 2)"

static void decide_up(void)
{
	ck_assert_int_eq(policy_past_new(&past), 0);
	policy(1, -3600, 0, NULL, PRACTICE);
	policy(2, -3600, 7, "Hansen", "journal \"Hansen\"\nallow user:anna:rwx\n");
	policy(3, 1000, 7, "Hansen", "journal \"Hansen\"\nallow user:dan:rwx\n");
	ck_assert_int_eq(policy_redoing_new(past, &redoing), 0);
}

static void decide_down(void)
{
	policy_redoing_free(redoing);
	policy_past_free(past);
}

static enum policy_redo_finding judge(struct policy_record *one, uint32_t version)
{
	struct policy_redo redo;

	one->policy_version = version;
	ck_assert_int_eq(policy_redoing_judge(redoing, one, &redo), 0);
	return redo.finding;
}

static enum policy_redo_finding opens(int64_t s, uint32_t version)
{
	return judge(in_journal(POLICY_RECORD_OPEN, s, "anna", "n", GROUND), version);
}

static void log_in(void)
{
	ck_assert_int_eq(judge(rec(POLICY_RECORD_START, -10, ""), 0), POLICY_REDO_NONE);
	ck_assert_int_eq(judge(rec(POLICY_RECORD_LOGIN, -5, "anna"), 2), POLICY_REDO_SAME);
}

START_TEST(decisions_follow_the_version_of_their_moment)
{
	log_in();
	ck_assert_int_eq(opens(0, 2), POLICY_REDO_SAME);
	/* Within seconds of the change, by either version. */
	ck_assert_int_eq(opens(1001, 3), POLICY_REDO_EDGE);
	ck_assert_int_eq(opens(1002, 2), POLICY_REDO_SAME);
	ck_assert_int_eq(opens(1100, 3), POLICY_REDO_ALLOWED);
	ck_assert_int_eq(opens(1100, 2), POLICY_REDO_STALE);
	ck_assert_int_eq(opens(1100, 9), POLICY_REDO_UNKNOWN);
	in_journal(POLICY_RECORD_OPEN, 10, "anna", "n", GROUND)->journal = 8;
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_UNKNOWN);
}
END_TEST

START_TEST(a_counted_repeat_may_be_older_than_its_record)
{
	log_in();
	in_journal(POLICY_RECORD_LIST, 1100, "anna", "", GROUND)->count = 4;
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_SAME);
	in_journal(POLICY_RECORD_LIST, 1500, "anna", "", GROUND)->count = 4;
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_STALE);
}
END_TEST

START_TEST(a_locked_or_ended_session_does_nothing)
{
	log_in();
	ck_assert_int_eq(judge(rec(POLICY_RECORD_LOCK, 10, "anna"), 2), POLICY_REDO_NONE);
	ck_assert_int_eq(opens(11, 2), POLICY_REDO_SAME); /* on its way */
	ck_assert_int_eq(opens(20, 2), POLICY_REDO_SESSION);
	ck_assert_int_eq(judge(in_journal(POLICY_RECORD_CLOSE, 21, "anna", "n", ""), 2),
			 POLICY_REDO_NONE);
	ck_assert_int_eq(judge(rec(POLICY_RECORD_UNLOCK, 30, "anna"), 2), POLICY_REDO_SAME);
	ck_assert_int_eq(opens(31, 2), POLICY_REDO_SAME);
	ck_assert_int_eq(judge(rec(POLICY_RECORD_LOGOUT, 40, "anna"), 2), POLICY_REDO_NONE);
	ck_assert_int_eq(opens(41, 2), POLICY_REDO_SAME);
	ck_assert_int_eq(opens(60, 2), POLICY_REDO_SESSION);
	ck_assert_int_eq(judge(rec(POLICY_RECORD_LOGIN, 70, "anna"), 2), POLICY_REDO_SAME);
	ck_assert_int_eq(judge(rec(POLICY_RECORD_START, 80, ""), 0), POLICY_REDO_NONE);
	ck_assert_int_eq(opens(81, 2), POLICY_REDO_SESSION);
}
END_TEST

START_TEST(an_act_of_nobody_or_under_anothers_name_is_found)
{
	log_in();
	in_journal(POLICY_RECORD_OPEN, 1, "anna", "n", GROUND)->practitioner = 0;
	r.who[0] = '\0';
	ck_assert(policy_redo_alarms(judge(&r, 2)));
	/* The vault's own: a draft that was locked for its age. */
	in_journal(POLICY_RECORD_FINAL, 2, "", "n", "")->action = 'E';
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_NONE);
	rec(POLICY_RECORD_POLICY, 3, "dan");
	memset(r.session, 'a', sizeof(r.session));
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_SESSION);
	rec(POLICY_RECORD_POLICY, 4, "dan");
	memset(r.session, 0, sizeof(r.session));
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_SESSION);
}
END_TEST

START_TEST(a_log_in_that_may_stand_in_what_is_missing_is_not_held_against_anybody)
{
	log_in();
	seq += 5;
	in_journal(POLICY_RECORD_OPEN, 3, "anna", "n", GROUND);
	memset(r.session, 'x', sizeof(r.session));
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_SAME);
}
END_TEST

START_TEST(a_log_read_from_its_middle_accuses_nobody_of_not_logging_in)
{
	ck_assert_int_eq(opens(0, 2), POLICY_REDO_SAME);
}
END_TEST

START_TEST(only_steward_and_reader_of_the_log_may_what_is_theirs)
{
	log_in();
	ck_assert_int_eq(judge(rec(POLICY_RECORD_LOGIN, 0, "dan"), 2), POLICY_REDO_SAME);
	ck_assert_int_eq(judge(rec(POLICY_RECORD_POLICY, 1, "dan"), 2), POLICY_REDO_SAME);
	ck_assert_int_eq(judge(rec(POLICY_RECORD_POLICY, 1, "anna"), 2), POLICY_REDO_ALLOWED);
	ck_assert_int_eq(judge(rec(POLICY_RECORD_BREAK_GLASS, 1, "anna"), 2), POLICY_REDO_UNKNOWN);
	in_journal(POLICY_RECORD_BREAK_GLASS, 1, "anna", "", "")->grant = 1;
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_ALLOWED);
	snprintf(rec(POLICY_RECORD_AUDIT, 2, "anna")->detail, 64, "the log was read");
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_ALLOWED);
	snprintf(rec(POLICY_RECORD_AUDIT, 2, "anna")->detail, 64,
		 "own emergency accesses were listed");
	ck_assert_int_eq(judge(&r, 2), POLICY_REDO_SAME);
}
END_TEST

/* ---- the story ---- */

static char said[65536];
static struct policy_story *story;
static const char *only;

static int say(void *ctx, enum policy_story_kind kind, int64_t time_ns, const char *text)
{
	size_t n = strlen(said);

	(void)ctx;
	(void)time_ns;
	snprintf(said + n, sizeof(said) - n, "%d|%s\n", (int)kind, text);
	return 0;
}

static bool shown(void *ctx, const struct policy_record *one)
{
	(void)ctx;
	return !only || !strcmp(one->who, only);
}

static void utc_clock(int64_t time_ns, char out[static 16])
{
	int64_t s = time_ns / S % 86400;

	snprintf(out, 16, "%02d:%02d", (int)(s / 3600), (int)(s % 3600 / 60));
}

static void utc_day(int64_t time_ns, char out[static 64])
{
	snprintf(out, 64, "day %d", (int)(time_ns / S / 86400));
}

static void story_up(void)
{
	const struct policy_story_out out = {
		.line = say, .shown = shown, .clock = utc_clock, .day = utc_day};

	said[0] = '\0';
	only = NULL;
	ck_assert_int_eq(policy_story_new(&out, &story), 0);
}

static void story_down(void)
{
	policy_story_free(story);
}

static void tell(const struct policy_record *one)
{
	ck_assert_int_eq(policy_story_step(story, one), 0);
}

START_TEST(what_a_session_does_is_told_together_and_repeats_are_counted)
{
	tell(rec(POLICY_RECORD_START, 0, ""));
	tell(rec(POLICY_RECORD_LOGIN, 60, "anna"));
	tell(rec(POLICY_RECORD_LOGIN, 61, "bo"));
	tell(in_journal(POLICY_RECORD_OPEN, 62, "anna", "a.txt", GROUND));
	tell(in_journal(POLICY_RECORD_OPEN, 63, "bo", "b.txt", "allow user:bo:r-x (line 3)"));
	tell(in_journal(POLICY_RECORD_OPEN, 64, "anna", "a.txt", GROUND));
	in_journal(POLICY_RECORD_CLOSE, 65, "anna", "a.txt", "")->bytes_read = 12345;
	tell(&r);
	tell(in_journal(POLICY_RECORD_OPEN, 66, "anna", "c.txt", GROUND));
	in_journal(POLICY_RECORD_REFUSED, 67, "anna", "c.txt", "a final note does not change");
	snprintf(r.detail, sizeof(r.detail), "write: EPERM");
	r.count = 3;
	tell(&r);
	tell(rec(POLICY_RECORD_LOGOUT, 180, "anna"));
	ck_assert_int_eq(policy_story_end(story), 0);
	ck_assert_str_eq(said, "0|day 20778\n"
			       "4|12:00  the daemon starts\n"
			       "1|12:01-12:03  anna (physician, north), session 61616161\n"
			       "3|12:01    logs in\n"
			       "2|12:01    in \"Hansen\": allow user:anna:rwx (line 2)\n"
			       "3|12:01      opens a.txt (2 times), c.txt; reads 12.3 kB\n"
			       "3|12:01      is REFUSED: write: EPERM c.txt: a final note does not "
			       "change (3 times)\n"
			       "3|12:03    logs out\n"
			       "1|12:01  bo (physician, north), session 62626262\n"
			       "3|12:01    logs in\n"
			       "2|12:01    in \"Hansen\": allow user:bo:r-x (line 3)\n"
			       "3|12:01      opens b.txt\n");
}
END_TEST

static void intent(int64_t s)
{
	static const struct policy_record_note notes[] = {
		{1, "seen.txt"}, {2, "covered.txt"}, {3, "evil\x1b[2J.txt"}};

	in_journal(POLICY_RECORD_INTENT, s, "anna", "", GROUND);
	r.notes = notes;
	r.note_count = r.note_total = 3;
	r.until_ns = r.time_ns + 3600 * S;
	tell(&r);
}

START_TEST(after_a_crash_what_an_intent_covered_is_possibly_read)
{
	tell(rec(POLICY_RECORD_START, 0, ""));
	tell(rec(POLICY_RECORD_LOGIN, 1, "anna"));
	intent(2);
	in_journal(POLICY_RECORD_OPEN, 3, "anna", "seen.txt", GROUND)->note = 1;
	tell(&r);
	tell(rec(POLICY_RECORD_START, 600, ""));
	ck_assert_int_eq(policy_story_end(story), 0);
	ck_assert_ptr_nonnull(
		strstr(said, "3|12:00    is cut off: the daemon ended without a word\n"
			     "3|12:00    POSSIBLY READ, which only the lost records would "
			     "tell: 2 notes of \"Hansen\": covered.txt, evil\\x1b[2J.txt\n"));
	ck_assert_ptr_nonnull(strstr(said,
				     "5|12:10  the daemon starts, after it had ended without a "
				     "word (killed, or power failed); nothing is known of 9 min"));
	ck_assert_ptr_null(strchr(said, '\x1b'));
}
END_TEST

START_TEST(after_a_clean_stop_nothing_was_possibly_read)
{
	tell(rec(POLICY_RECORD_START, 0, ""));
	tell(rec(POLICY_RECORD_LOGIN, 1, "anna"));
	intent(2);
	tell(rec(POLICY_RECORD_LOGOUT, 3, "anna"));
	tell(rec(POLICY_RECORD_STOP, 4, ""));
	tell(rec(POLICY_RECORD_START, 7204, ""));
	ck_assert_int_eq(policy_story_end(story), 0);
	ck_assert_ptr_null(strstr(said, "POSSIBLY"));
	ck_assert_ptr_nonnull(
		strstr(said, "4|14:00  the daemon starts; it was down for 2 h 0 min"));
}
END_TEST

START_TEST(an_intent_that_was_over_covers_nothing)
{
	tell(rec(POLICY_RECORD_START, 0, ""));
	tell(rec(POLICY_RECORD_LOGIN, 1, "anna"));
	intent(2);
	tell(in_journal(POLICY_RECORD_LIST, 2 + 3600, "anna", "", GROUND));
	tell(rec(POLICY_RECORD_START, 7200, ""));
	ck_assert_int_eq(policy_story_end(story), 0);
	ck_assert_ptr_null(strstr(said, "POSSIBLY"));
}
END_TEST

START_TEST(stretches_come_in_the_order_in_which_they_began)
{
	tell(rec(POLICY_RECORD_START, 0, ""));
	tell(rec(POLICY_RECORD_LOGIN, 10, "anna"));
	for (int m = 1; m < 200; m++) {
		tell(in_journal(POLICY_RECORD_OPEN, 60 * m, "anna", "a.txt", GROUND));
		if (m % 7 == 0)
			tell(in_journal(POLICY_RECORD_OPEN, 60 * m + 5, "bo", "b.txt", "x"));
		tell(rec(POLICY_RECORD_ALARM, 60 * m + 30, ""));
	}
	ck_assert_int_eq(policy_story_end(story), 0);
	for (const char *line = said, *last = NULL; *line; line = strchr(line, '\n') + 1) {
		if (*line != '1' && *line != '5')
			continue;
		if (last)
			ck_assert_int_le(strncmp(last + 2, line + 2, 5), 0);
		last = line;
	}
	/* Half an hour at a time. */
	ck_assert_ptr_nonnull(strstr(said, "opens a.txt (31 times)"));
}
END_TEST

START_TEST(of_one_who_is_not_asked_for_nothing_is_told)
{
	only = "anna";
	tell(rec(POLICY_RECORD_START, 0, ""));
	tell(rec(POLICY_RECORD_LOGIN, 1, "bo"));
	tell(in_journal(POLICY_RECORD_OPEN, 3, "bo", "b.txt", "x"));
	tell(rec(POLICY_RECORD_LOGIN, 4, "anna"));
	tell(rec(POLICY_RECORD_START, 600, ""));
	ck_assert_int_eq(policy_story_end(story), 0);
	ck_assert_ptr_null(strstr(said, "bo ("));
	ck_assert_ptr_null(strstr(said, "the daemon starts"));
	ck_assert_ptr_nonnull(strstr(said, "anna ("));
	ck_assert_ptr_nonnull(strstr(said, "is cut off"));
}
END_TEST

START_TEST(hostile_names_and_reasons_do_not_reach_the_terminal)
{
	tell(rec(POLICY_RECORD_START, 0, ""));
	rec(POLICY_RECORD_LOGIN, 1, "anna");
	snprintf(r.origin, sizeof(r.origin), "tty\x1b]0;x\x07");
	tell(&r);
	in_journal(POLICY_RECORD_OPEN, 2, "anna", "a\nb\x1b[1m", "x\x1b[31m");
	snprintf(r.journal_name, sizeof(r.journal_name), "H\" / \x9b");
	tell(&r);
	in_journal(POLICY_RECORD_ATTEND, 3, "anna", "", "");
	snprintf(r.reason, sizeof(r.reason), "because \xe2\x80\xae gnp.exe");
	tell(&r);
	ck_assert_int_eq(policy_story_end(story), 0);
	ck_assert_ptr_null(strchr(said, '\x1b'));
	ck_assert_ptr_null(strchr(said, '\x07'));
	ck_assert_ptr_null(strchr(said, '\x9b'));
	ck_assert_ptr_null(strstr(said, "\xe2\x80\xae"));
	ck_assert_ptr_nonnull(strstr(said, "a\\x0ab\\x1b[1m"));
}
END_TEST

START_TEST(a_refusal_on_an_open_note_tells_its_name)
{
	tell(rec(POLICY_RECORD_LOGIN, 1, "anna"));
	in_journal(POLICY_RECORD_REFUSED, 2, "anna", "", "x")->note = 'a';
	snprintf(r.detail, sizeof(r.detail), "write: EACCES");
	tell(&r);
	tell(in_journal(POLICY_RECORD_OPEN, 3, "anna", "a.txt", GROUND));
	in_journal(POLICY_RECORD_RENAME, 4, "anna", "a.txt", GROUND);
	snprintf(r.name2, sizeof(r.name2), "b.txt");
	tell(&r);
	in_journal(POLICY_RECORD_REFUSED, 5, "anna", "", "x")->note = 'a';
	snprintf(r.detail, sizeof(r.detail), "write: EACCES");
	tell(&r);
	ck_assert_int_eq(policy_story_end(story), 0);
	ck_assert_ptr_nonnull(strstr(said, "is REFUSED: write: EACCES note 97: x"));
	ck_assert_ptr_nonnull(strstr(said, "is REFUSED: write: EACCES b.txt: x"));
}
END_TEST

static int full(void *ctx, enum policy_story_kind kind, int64_t time_ns, const char *text)
{
	(void)ctx;
	(void)kind;
	(void)time_ns;
	(void)text;
	return -EPIPE;
}

START_TEST(a_line_that_fails_stops_the_story)
{
	struct policy_story *s = NULL;
	const struct policy_story_out out = {.line = full, .clock = utc_clock, .day = utc_day};

	ck_assert_int_eq(policy_story_new(&out, &s), 0);
	ck_assert_int_eq(policy_story_step(s, rec(POLICY_RECORD_LOGIN, 1, "anna")), 0);
	ck_assert_int_eq(policy_story_step(s, rec(POLICY_RECORD_LOGOUT, 2, "anna")), -EPIPE);
	/* Freed with what was not told yet. */
	ck_assert_int_eq(policy_story_step(s, rec(POLICY_RECORD_LOGIN, 3, "bo")), 0);
	policy_story_free(s);
}
END_TEST

/* ---- counted ---- */

START_TEST(what_a_draft_changes_is_counted_by_who_where_and_why)
{
	struct policy_groups *g = NULL;
	const struct policy_group *one;

	ck_assert_int_eq(policy_groups_new(&g), 0);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(
			policy_groups_add(g, in_journal(POLICY_RECORD_OPEN, i, "bo", "n", "x"), 1,
					  "no entry admits bo"),
			0);
	ck_assert_int_eq(policy_groups_add(g, in_journal(POLICY_RECORD_OPEN, 9, "anna", "n", "x"),
					   1, "no entry admits anna"),
			 0);
	snprintf(in_journal(POLICY_RECORD_REFUSED, 9, "anna", "n", "x")->detail, 64,
		 "open: EACCES");
	r.count = 4;
	ck_assert_int_eq(policy_groups_add(g, &r, 2, GROUND), 0);
	ck_assert_uint_eq(policy_groups_end(g), 3);
	one = policy_groups_at(g, 0);
	ck_assert_str_eq(one->who, "anna");
	one = policy_groups_at(g, 1);
	ck_assert_str_eq(one->who, "bo");
	ck_assert_uint_eq(one->count, 5);
	ck_assert_int_eq(one->first_ns, T0);
	ck_assert_int_eq(one->last_ns, T0 + 4 * S);
	one = policy_groups_at(g, 2);
	ck_assert_str_eq(one->what, "open");
	ck_assert_uint_eq(one->count, 4);
	ck_assert_ptr_null(policy_groups_at(g, 3));
	policy_groups_free(g);
}
END_TEST

START_TEST(more_groups_than_fit_are_counted_by_practitioner)
{
	struct policy_groups *g = NULL;
	uint64_t sum = 0;
	size_t n;

	ck_assert_int_eq(policy_groups_new(&g), 0);
	for (unsigned i = 0; i < POLICY_GROUPS_MOST + 1000; i++) {
		in_journal(POLICY_RECORD_OPEN, i, i % 2 ? "bo" : "anna", "n", "x");
		snprintf(r.journal_name, sizeof(r.journal_name), "J%u", i);
		ck_assert_int_eq(policy_groups_add(g, &r, 1, "no"), 0);
	}
	n = policy_groups_end(g);
	ck_assert_uint_eq(n, POLICY_GROUPS_MOST + 2);
	for (size_t i = 0; i < n; i++)
		sum += policy_groups_at(g, i)->count;
	ck_assert_uint_eq(sum, POLICY_GROUPS_MOST + 1000);
	policy_groups_free(g);
}
END_TEST

static TCase *walking(void)
{
	TCase *c = tcase_create("walk");

	tcase_add_checked_fixture(c, replay_up, replay_down);
	tcase_add_test(c, a_session_is_there_from_log_in_to_log_out);
	tcase_add_test(c, the_order_of_a_steward_ends_no_session_of_the_stewards);
	tcase_add_test(c, a_start_without_a_stop_is_unclean_and_ends_all_sessions);
	tcase_add_test(c, a_grant_is_open_from_its_record_to_its_end_or_its_time);
	tcase_add_test(c, records_that_are_missing_are_counted_and_nothing_is_taken_for_known);
	tcase_add_test(c, many_sessions_are_kept_apart_and_let_go);
	tcase_add_test(c, each_kind_of_act_asks_for_its_rights);
	tcase_add_test(c, refusals_that_policy_does_not_decide_are_told_apart);
	tcase_add_test(c, names_that_people_give_change_no_meaning);
	tcase_add_test(c, what_a_draft_changes_is_counted_by_who_where_and_why);
	tcase_add_test(c, more_groups_than_fit_are_counted_by_practitioner);
	return c;
}

static TCase *deciding(void)
{
	TCase *c = tcase_create("decide");

	tcase_add_checked_fixture(c, decide_up, decide_down);
	tcase_add_test(c, decisions_follow_the_version_of_their_moment);
	tcase_add_test(c, a_counted_repeat_may_be_older_than_its_record);
	tcase_add_test(c, a_locked_or_ended_session_does_nothing);
	tcase_add_test(c, an_act_of_nobody_or_under_anothers_name_is_found);
	tcase_add_test(c, a_log_in_that_may_stand_in_what_is_missing_is_not_held_against_anybody);
	tcase_add_test(c, a_log_read_from_its_middle_accuses_nobody_of_not_logging_in);
	tcase_add_test(c, only_steward_and_reader_of_the_log_may_what_is_theirs);
	return c;
}

static TCase *telling(void)
{
	TCase *c = tcase_create("story");

	tcase_add_checked_fixture(c, story_up, story_down);
	tcase_add_test(c, what_a_session_does_is_told_together_and_repeats_are_counted);
	tcase_add_test(c, after_a_crash_what_an_intent_covered_is_possibly_read);
	tcase_add_test(c, after_a_clean_stop_nothing_was_possibly_read);
	tcase_add_test(c, an_intent_that_was_over_covers_nothing);
	tcase_add_test(c, stretches_come_in_the_order_in_which_they_began);
	tcase_add_test(c, of_one_who_is_not_asked_for_nothing_is_told);
	tcase_add_test(c, hostile_names_and_reasons_do_not_reach_the_terminal);
	tcase_add_test(c, a_refusal_on_an_open_note_tells_its_name);
	tcase_add_test(c, a_line_that_fails_stops_the_story);
	return c;
}

int main(void)
{
	Suite *s = suite_create("policy_replay");
	SRunner *runner;
	int failed;

	suite_add_tcase(s, walking());
	suite_add_tcase(s, deciding());
	suite_add_tcase(s, telling());
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
