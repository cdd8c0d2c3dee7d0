/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/gate_impl.h - inside the gate: only for gate*.c.
 *
 * Lock: fs_gate.lock, a leaf, protects journals, repeats, programs and the quota. Never held
 * across vault, log or tree calls.
 */
#ifndef FS_GATE_IMPL_H
#define FS_GATE_IMPL_H

#include "cover.h"
#include "gate.h"
#include "program.h"

#define FS_GATE_BUCKETS 64u
#define FS_GATE_REPEATS 16u
#define FS_GATE_PROGRAMS 16u
/* So many at a time, so many a second from then on; what comes faster is slowed. */
#define FS_GATE_REFUSALS 400u
#define FS_GATE_REFUSALS_RATE 100u
#define FS_GATE_ACTS 400000u /* some 200 MB of log; programs that copy a practice stay below */
#define FS_GATE_ACTS_RATE 200u
#define FS_GATE_INTENT_NS (3600 * INT64_C(1000000000))
#define FS_GATE_DRAIN_NS INT64_C(1000000000) /* for what mappings hold when a right to write goes */

struct fs_gate_journal {
	struct fs_gate_journal *next;
	uint32_t index;
	uint32_t rights; /* when first seen or last rechecked: what the kernel was shown */
	bool seen, visible;
	/*
	 * Boot time until which pages that were dirtied while writing was allowed are still taken;
	 * begun by the first that is refused or by the recheck, over when all were pushed out.
	 */
	int64_t drain_until_ns;
	struct fs_cover cover;
};

/* An act that may repeat: its record is kept from the first repeat on. */
struct fs_gate_repeat {
	const char *op; /* NULL: free */
	enum policy_record_kind kind;
	uint64_t nodeid, name_hash;
	int rc;
	int64_t first_ns; /* boot time */
	uint64_t count;	  /* repeats not yet written */
	struct policy_record *record;
};

/* A program that policy keeps out: its record is written again with the number of refusals. */
struct fs_gate_program {
	char name[FS_PROGRAM_NAME]; /* "": free */
	int64_t since_ns;	    /* boot time of its last record */
	uint64_t count;		    /* refusals since then */
	struct policy_record *record; /* NULL: the first one is being written */
};

struct fs_gate_quota {
	double left;
	int64_t filled_ns; /* boot time */
};

struct fs_gate {
	struct fs_vault *vault;
	struct fs_session *session; /* reference */
	pthread_mutex_t lock;
	struct fs_gate_journal *bucket[FS_GATE_BUCKETS];
	struct fs_gate_repeat repeat[FS_GATE_REPEATS];
	struct fs_gate_program program[FS_GATE_PROGRAMS];
	struct fs_gate_quota refusals, acts;
	bool policy; /* something under .policy was let pass: the session had the right */
	/* The directory whose subdirectories are walked, and how many are covered ahead. */
	struct {
		uint32_t index;
		uint64_t parent;
		size_t n;
	} ahead;
};

/* gate.c */
int64_t fs_gate_clock_ns(clockid_t id);
/*
 * The set of what is covered in this journal, emptied when its intents have expired. With the
 * lock; NULL when memory is short.
 */
struct fs_cover *fs_gate_cover_of(struct fs_gate *g, uint32_t index);

/* gate_log.c */
/* Until record seq is durable: 0, -EIO. */
int fs_gate_wait(struct fs_gate *g, uint64_t seq);
/* The inode number that a record names: of what is virtual, that of the note behind it; 0 when that is gone. */
uint64_t fs_gate_note(struct fs_gate *g, uint64_t nodeid);
/* Who, where and what of a record; rq may be NULL. */
void fs_gate_fill(struct fs_gate *g, enum policy_record_kind kind, const struct fs_gate_request *rq,
		  uint32_t journal, struct policy_record *r);
/* What decided, in words: only for records, since it takes longer than deciding. */
void fs_gate_rule(struct fs_gate *g, const struct fs_gate_request *rq, uint32_t journal,
		  char rule[static POLICY_RECORD_TEXT]);
/* Writes the counted repeats that are older than this. */
void fs_gate_flush(struct fs_gate *g, int64_t older_ns);

/* gate_program.c */
/* 0, or -EACCES: a program that the practice keeps out asks for something of a journal; -EIO as fs_gate_refuse. */
int fs_gate_program(struct fs_gate *g, const struct fs_gate_request *rq);
/* Writes what was counted for an hour; end: all of it, and the table is empty then. */
void fs_gate_programs_flush(struct fs_gate *g, bool end);

/* gate_cover.c */
/* Whether dir (or, without one, note) is covered now; *until_ns for a record that is to cover it.
 */
int fs_gate_covered(struct fs_gate *g, uint32_t index, uint64_t dir, uint64_t note, bool *has,
		    int64_t *until_ns);
/* Names every note of rq->dir in durable INTENT records. */
int fs_gate_cover_dir(struct fs_gate *g, const struct fs_gate_pass *pass,
		      const struct fs_gate_request *rq, int64_t until_ns);

#endif
