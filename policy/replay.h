/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay.h - the log walked in order: who is logged in, which emergency grants are open,
 * which version of the policy the records name, and whether the daemon is up.
 *
 * Pure: records come in, oldest first. What is kept is bounded by the sessions that are logged in
 * and by the grants, never by the records. One thread.
 */
#ifndef POLICY_REPLAY_H
#define POLICY_REPLAY_H

#include "record.h"

struct policy_replay_session {
	uint8_t id[16];
	uint32_t practitioner;
	uint32_t uid;
	char who[POLICY_RECORD_TEXT], role[POLICY_RECORD_TEXT], unit[POLICY_RECORD_TEXT];
	char origin[POLICY_RECORD_TEXT];
	int64_t since_ns;   /* logged in; of one that is assumed: first seen */
	int64_t changed_ns; /* locked or unlocked last */
	int64_t last_ns;    /* last record */
	bool locked, ended;
	bool assumed; /* its log-in lies before what was read */
	bool told;    /* that it acts without one was reported */
	void *own;    /* the caller's; see policy_replay_each */
};

enum policy_replay_review {
	POLICY_REPLAY_PENDING,
	POLICY_REPLAY_JUSTIFIED,
	POLICY_REPLAY_UNJUSTIFIED, /* its deviation is open */
	POLICY_REPLAY_SETTLED
};

struct policy_replay_grant {
	uint64_t number;
	uint32_t practitioner, journal;
	char who[POLICY_RECORD_TEXT], journal_name[POLICY_RECORD_TEXT];
	char reason[POLICY_RECORD_TEXT], end[POLICY_RECORD_TEXT];
	int64_t from_ns, until_ns;
	int64_t ended_ns; /* 0: no record of its end */
	bool past_block;
	enum policy_replay_review review;
};

/* What a record said of the daemon. */
enum policy_replay_turn {
	POLICY_REPLAY_ON,      /* nothing new */
	POLICY_REPLAY_START,   /* it starts, after a clean stop or for the first time */
	POLICY_REPLAY_UNCLEAN, /* it starts, and no stop was recorded: it was killed, or power
				  failed */
	POLICY_REPLAY_STOP,
};

struct policy_replay;

int policy_replay_new(struct policy_replay **out); /* -ENOMEM */
void policy_replay_free(struct policy_replay *r);  /* NULL is legal */
/*
 * The next record. A session that it ends is there with `ended` for some seconds of the log's time;
 * a start and a stop end all. -ENOMEM.
 */
int policy_replay_step(struct policy_replay *r, const struct policy_record *rec,
		       enum policy_replay_turn *turn);

/* The session of this record; NULL: the record has none. Valid until the next step. */
struct policy_replay_session *policy_replay_session(struct policy_replay *r,
						    const struct policy_record *rec);
/* All sessions, also those that are just over (`ended`). fn not 0 stops and is returned. */
int policy_replay_each(struct policy_replay *r,
		       int (*fn)(void *ctx, struct policy_replay_session *s), void *ctx);
size_t policy_replay_sessions(const struct policy_replay *r);

/* By number; NULL: no record of its beginning was read. */
const struct policy_replay_grant *policy_replay_grant(const struct policy_replay *r,
						      uint64_t number);
size_t policy_replay_grants(const struct policy_replay *r);
const struct policy_replay_grant *policy_replay_grant_at(const struct policy_replay *r, size_t i);
/* Open at that time: begun, not over by its time, no end recorded by then. */
bool policy_replay_grant_open(const struct policy_replay_grant *g, int64_t time_ns);

/* Whether the record tells that its journal was removed: by the vault's own words alone, for a name
 * that somebody gave a journal may say the same. */
bool policy_replay_removes(const struct policy_record *rec);

bool policy_replay_up(const struct policy_replay *r); /* the daemon runs, as far as is known */
/*
 * All is known of the sessions that there are: a start was among the records, and none after it is
 * missing.
 */
bool policy_replay_begun(const struct policy_replay *r);
/* So many records are missing right before the last one, by their numbers: not for this reader, or
 * gone. */
uint64_t policy_replay_missing(const struct policy_replay *r);
/* The highest version that a record has named, and when the first record named it; 0: none. */
uint32_t policy_replay_version(const struct policy_replay *r, int64_t *since_ns);
int64_t policy_replay_last(const struct policy_replay *r); /* time of the last record, 0: none */

#endif
