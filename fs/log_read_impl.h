/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_read_impl.h - reading the log: what the parts of a reading pass to each other.
 *
 * A segment becomes a job: whoever does it turns the segment into events (log_read_segment.c), with
 * the help of its index where not all is asked for (log_read_index.c), straight from record to
 * record where that tells all (log_read_places.c), perhaps several side by side
 * (log_read_threads.c). One thread takes the events in their order, checks how they follow each
 * other and tells them (log_read.c). Nobody else includes it.
 */
#ifndef FS_LOG_READ_IMPL_H
#define FS_LOG_READ_IMPL_H

#include <pthread.h>
#include "log.h"
#include "log_index.h"
#include "log_segment.h"

/* What all jobs of a reading have in common. Never changed while they run, but for the lock. */
struct fs_log_shared {
	const struct fs_log_reading *q;
	int dirfd;
	bool filtered;	     /* not all records are asked for */
	pthread_mutex_t ask; /* around the reading's key0, later and signer_ok */
};

enum fs_log_event_kind {
	FS_LOG_EVENT_HEAD = 1,
	FS_LOG_EVENT_RECORD,
	FS_LOG_EVENT_OTHER,   /* a frame that is no business of a reader */
	FS_LOG_EVENT_COVERED, /* records seq up to end, of which the index says that none is wanted
			       */
	FS_LOG_EVENT_TAIL,    /* bytes that are no frame, behind the last */
};

enum fs_log_head_state {
	FS_LOG_HEAD_DAMAGED = 1,
	FS_LOG_HEAD_STRANGER, /* signed with a key that is not believed */
	FS_LOG_HEAD_UNSEALED, /* its wrap for this reader is not what it says */
	FS_LOG_HEAD_SHUT,     /* not for this reader */
	FS_LOG_HEAD_OPEN,
};

enum fs_log_record_state {
	FS_LOG_RECORD_PASSED = 1, /* not asked for, or not for this reader */
	FS_LOG_RECORD_ORPHAN,	  /* no stream head stands before it in its segment */
	FS_LOG_RECORD_BAD,
	FS_LOG_RECORD_PLAIN, /* its text stands in the job's bytes */
};

struct fs_log_event {
	uint64_t seq;
	uint64_t end; /* COVERED */
	uint32_t off; /* of the frame; RECORD: of the text */
	uint32_t len; /* RECORD: of the text; HEAD: which of the job's heads */
	uint8_t kind, state;
	bool torn; /* bytes that are no frame lie before it */
};

struct fs_log_event_head {
	uint8_t prev[KEYS_SIG_LEN], sig[KEYS_SIG_LEN];
};

struct fs_log_way { /* guarded: to records of a stream */
	struct keys_ratchet ratchet;
	struct fs_log_index_steps steps;
};

/* What an index covers: records first to end - 1, if they are of this stream. */
struct fs_log_covered {
	uint8_t stream[KEYS_STREAM_ID_LEN];
	uint64_t first, end;
	struct fs_log_way *way; /* NULL: the stream is not open */
};

struct fs_log_place {
	uint64_t seq;
	uint32_t off;	  /* of its frame in the segment; later in the job's bytes */
	uint32_t covered; /* which of the plan's */
};

/* What of a segment is asked for, by its index: a bit for each number from `first` on. */
struct fs_log_plan {
	uint64_t first, count;
	uint8_t *wanted; /* NULL: there is no plan */
	uint64_t wanted_count;
	struct fs_log_covered *covered;
	size_t covered_count, covered_cap;
	uint8_t *index; /* its bytes */
	struct fs_log_place *place;
	size_t places, places_cap; /* fewer than wanted: not all are known */
};

struct fs_log_job {
	struct fs_log_shared *shared;
	uint64_t number;
	bool newest;	 /* or the one before: may be written while it is read */
	unsigned pauses; /* made so far, for records that looked half written */

	int rc;	       /* -ENOENT, -EBADMSG, -EIO: could not be read */
	int header_rc; /* -ENODATA: a spare; -EBADMSG: damaged */
	bool done;     /* all its events are there */
	struct fs_log_event *events;
	size_t event_count, event_cap;
	struct fs_log_event_head *heads;
	size_t head_count, head_cap;
	/* Of the segment, or only the frames that are wanted; texts of records in it are wiped. */
	uint8_t *bytes;
	size_t len;

	/* Inside log_read_segment.c, _index.c and _places.c. */
	bool begun;
	int fd;
	struct fs_log_walk walk;
	bool any_head;
	struct keys_ratchet *ratchet; /* guarded; NULL: the stream is not open */
	uint64_t first_seq;	      /* of the stream */
	uint8_t *plain;
	struct fs_log_plan plan;
	const struct fs_log_covered *covered; /* the stream at hand; NULL: by no index */
};

/* ---- log_read_segment.c ---- */
void fs_log_job_init(struct fs_log_job *j, struct fs_log_shared *shared, uint64_t number,
		     bool newest);
/*
 * Makes the next events, until `most` records were opened or all is done; the events of the call
 * before are forgotten. -ENOMEM.
 */
int fs_log_job_run(struct fs_log_job *j, size_t most);
void fs_log_job_clear(struct fs_log_job *j); /* wipes */
/* The segment's file for reading; -errno. */
int fs_log_job_open(const struct fs_log_shared *s, uint64_t number);
/* The header of the segment as it is in the file; -EBADMSG, also when it is another's. */
int fs_log_job_header(const struct fs_log_shared *s, int fd, uint64_t number,
		      struct fs_log_header *out);
/* A new event at the end; NULL: memory is short. */
struct fs_log_event *fs_log_job_event(struct fs_log_job *j, enum fs_log_event_kind kind,
				      uint64_t seq);
/* Notes a head in an event for it. -ENOMEM. */
int fs_log_job_head(struct fs_log_job *j, struct fs_log_event *e, enum fs_log_head_state state,
		    const struct fs_log_head *h);
/* Whether the reading believes what is signed with a daemon's key. */
bool fs_log_job_signer_ok(const struct fs_log_shared *s, const uint8_t pk[static KEYS_LEN]);
/* The reader's ratchet at record 0 of a stream whose head is genuine. */
enum fs_log_head_state fs_log_job_ratchet(const struct fs_log_shared *s,
					  const struct fs_log_head *h, struct keys_ratchet *out);

/* ---- log_read_index.c ---- */
void fs_log_plan_clear(struct fs_log_plan *p);
/*
 * Fills the job's plan by the segment's index. 1: nothing in it is wanted, or what is was read:
 * events say so and the segment need not be read. 0: it must be; without a plan if the index is not
 * good. -ENOMEM.
 */
int fs_log_job_plan(struct fs_log_job *j, int fd);
/* Whether a record is one that is asked for. */
bool fs_log_wanted(const struct fs_log_reading *q, uint8_t kind, uint32_t journal,
		   uint32_t practitioner, int64_t from_ns, int64_t to_ns);

/* ---- log_read_places.c ---- */
/*
 * Reads the records of a plan that tells all of its segment, without the rest. The job's events are
 * heads and covered stretches; records come in between. 1: done. 0: they are so many that it does
 * not pay. -EBADMSG: the index does not say the truth. In both nothing of it is left but the plan,
 * and the segment must be read. -ENOMEM.
 */
int fs_log_job_places(struct fs_log_job *j, uint64_t size);

/* ---- log_read_threads.c ---- */
struct fs_log_pool;
/* NULL: do it alone. list and shared outlive it. The last two segments are the newest. */
struct fs_log_pool *fs_log_pool_new(struct fs_log_shared *shared, const uint64_t *list, size_t n,
				    unsigned threads);
/* The job of the i-th segment, done; i from 0 without a gap. The job before is cleared. */
struct fs_log_job *fs_log_pool_next(struct fs_log_pool *p);
void fs_log_pool_free(struct fs_log_pool *p); /* stops them; NULL is legal */

#endif
