/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/unusual_impl.h - what the parts of policy/unusual share. Only for them.
 *
 * unusual.c takes records apart; unusual_table.c finds people, journals and pairs again;
 * unusual_care.c asks what explains a reading, unusual_suspect.c which of the rest is worth a
 * question, unusual_habit.c what somebody does else (hours, journals in an hour, refusals),
 * unusual_place.c where from and how evenly, unusual_glass.c looks at emergency accesses;
 * unusual_rank.c makes findings of it. Who is meant by a number: an index into `person`, `journal`,
 * `pair`. Times inside are UTC, days and hours local.
 */
#ifndef POLICY_UNUSUAL_IMPL_H
#define POLICY_UNUSUAL_IMPL_H

#include "basis.h"
#include "map.h"
#include "practice.h"
#include "unusual.h"

#define UNUSUAL_NS INT64_C(1000000000)
#define UNUSUAL_MINUTE_NS (60 * UNUSUAL_NS)
#define UNUSUAL_HOUR_NS (3600 * UNUSUAL_NS)
#define UNUSUAL_DAY_NS (86400 * UNUSUAL_NS)

#define UNUSUAL_LIST 256 /* distinct journals that a window or a run counts; more count as that */
#define UNUSUAL_TOP 3	 /* windows of a person that are kept for findings */

/* When, which records, how many: what a finding says of them. */
struct unusual_tally {
	uint64_t first_seq, last_seq, count;
	int64_t first_ns, last_ns;
};

struct unusual_set { /* of journals */
	uint32_t n;
	uint32_t journal[UNUSUAL_LIST];
};

struct unusual_window { /* an hour of reading, or a day of refusals, that stood out */
	struct unusual_tally t;
	uint32_t n; /* journals */
};

/* How often a window had n journals; the last counts all above. */
struct unusual_habit {
	uint32_t windows;
	uint32_t by_n[64];
	struct unusual_window top[UNUSUAL_TOP]; /* most journals first */
};

struct unusual_run { /* accesses of one program without a pause */
	struct unusual_tally t;
	double gap_s, gap2_s; /* sum of pauses and of their squares */
	bool crawl;
	char program[32];
	struct unusual_set journals;
};

struct unusual_person {
	char who[POLICY_RECORD_TEXT];
	uint32_t number, role, unit; /* role, unit: index into names, 0 none */
	uint64_t reads;		     /* journals opened, each day anew */
	uint64_t cross;		     /* those of them that only another unit works in */
	uint64_t grants, judged;
	struct unusual_tally glass;
	uint32_t journals,
		unexplained; /* pairs with a reading; those of them without explanation */
	uint64_t works;	     /* records of own work */
	uint32_t pool;	     /* share of unexplained ones with others, of 100,000 */
	/* hours */
	uint32_t active_days;
	int32_t last_day;
	uint16_t hour_days[2][24]; /* days on which he was active then; [1]: weekends */
	int32_t hour_last[2][24];
	struct unusual_tally odd; /* an episode of odd hours, count 0: none */
	bool odd_work;
	struct unusual_set odd_journals;
	/* journals in an hour */
	struct unusual_tally hour;
	struct unusual_set hour_read, hour_wrote;
	bool hour_crawl;
	struct unusual_habit many;
	/* refusals of a day */
	struct unusual_tally refused;
	struct unusual_set refused_journals;
	struct unusual_habit doors;
	struct unusual_tally logins, worst_logins; /* refused log-ins of a day */
	/* places */
	uint32_t place;
	uint8_t session[16];
	int64_t place_ns;
	int32_t switch_day;
	uint32_t tight_today;  /* changes of place that nobody could walk */
	int64_t changes_ns[8]; /* the last changes of place, a ring */
	uint32_t changes;
	bool shared_today;
	uint32_t shared_days, shared_switches;
	struct unusual_tally shared, shared_now;
	char place_name[64], place_a[64], place_b[64]; /* now; of the last change that counted */
	struct unusual_run run[2];		       /* quick, slow and even */
};

struct unusual_care {
	uint32_t unit;
	uint32_t minute; /* of its last work in the journal */
};

struct unusual_journal {
	uint32_t number;
	uint32_t made_minute; /* 0: not in this log */
	char *name;
	uint32_t pending; /* id of the newest reading of it that waits, 0 none */
	struct unusual_care care[4];
};

#define UNUSUAL_NO_KIN UINT32_MAX

struct unusual_pair {
	uint32_t person, journal;
	uint32_t wrote_minute, attend_minute; /* last work in it; end of the stated relationship */
	uint32_t pending;		      /* id, 0 none */
	uint32_t suspect, kin; /* index + 1; kin 0: not asked under the journal's name of now */
	uint32_t read_day;		      /* last day of a reading, from 1970, + 1 */
};

/* A reading that nothing explains yet: for some days something still may. */
struct unusual_pending {
	struct unusual_tally t;
	uint32_t pair;
	uint32_t next; /* id of an older one of the journal; valid while it is not below `first` */
	bool explained, off_hours, cross;
};

struct unusual_suspect {
	uint32_t pair;
	struct unusual_tally t, across; /* nobody worked in it; another unit did */
	uint32_t episodes, off_hours, cross;
	bool foreign, dormant, recent;
	unsigned weight;
};

struct unusual_kin {
	uint32_t pair;
	enum policy_kin kin;
	struct unusual_tally t;
	uint64_t wrote;
};

struct unusual_reason { /* of emergency accesses */
	uint32_t person;
	struct unusual_tally t;
	struct unusual_set journals;
	char text[200];
};

struct unusual_findings {
	struct policy_finding *at;
	size_t n, cap;
};

struct policy_unusual {
	struct policy_unusual_settings set;
	int64_t now_ns;
	struct policy_map persons, journals, pairs, reasons;
	struct unusual_person **person; /* each its own allocation: they are large */
	uint32_t person_count;
	struct unusual_journal *journal;
	uint32_t journal_count;
	struct unusual_pair *pair;
	uint32_t pair_count;
	char **name; /* of roles and units, from 1 */
	uint32_t name_count;
	struct unusual_pending *pending; /* ids first .. first + count - 1, a ring of `cap` */
	uint32_t pending_cap, pending_first, pending_count;
	struct unusual_suspect *suspect;
	uint32_t suspect_count;
	struct unusual_kin *kin;
	uint32_t kin_count;
	struct unusual_reason **reason;
	uint32_t reason_count;
	struct unusual_findings found;
};

/* unusual_table.c: -ENOMEM or 0; what they found stays until something is added. */
int policy_unusual_person(struct policy_unusual *u, const struct policy_record *r, uint32_t *out);
int policy_unusual_journal(struct policy_unusual *u, const struct policy_record *r, uint32_t *out);
int policy_unusual_pair(struct policy_unusual *u, uint32_t person, uint32_t journal, uint32_t *out);
void policy_unusual_tally_add(struct unusual_tally *t, const struct policy_record *r);
void policy_unusual_tally_join(struct unusual_tally *t, const struct unusual_tally *more);
/* True: it was not there. */
bool policy_unusual_set_add(struct unusual_set *s, uint32_t journal);
void policy_unusual_set_remove(struct unusual_set *s, uint32_t journal);
bool policy_unusual_set_has(const struct unusual_set *s, uint32_t journal);
void policy_unusual_tables_free(struct policy_unusual *u);

struct unusual_local {			/* local time */
	int32_t day;			/* since 1970 */
	unsigned weekday, hour, minute; /* Monday 0; minute of the day */
};
struct unusual_local policy_unusual_local(const struct policy_unusual *u, int64_t time_ns);
/* Outside of the practice's hours; without such lines, of what he is used to. */
bool policy_unusual_off_hours(const struct policy_unusual *u, const struct unusual_person *p,
			      int64_t time_ns);

/* unusual_care.c */
int policy_unusual_read(struct policy_unusual *u, uint32_t person, uint32_t journal,
			const struct policy_record *r);
int policy_unusual_work(struct policy_unusual *u, uint32_t person, uint32_t journal,
			const struct policy_record *r);
int policy_unusual_attend(struct policy_unusual *u, uint32_t person, uint32_t journal,
			  const struct policy_record *r);
int policy_unusual_kin_act(struct policy_unusual *u, uint32_t person, uint32_t journal, bool wrote,
			   const struct policy_record *r);
/* Readings that waited long enough become suspect; all: whatever waits. */
int policy_unusual_settle(struct policy_unusual *u, bool all);
/* What he read since then was a program's walk: explained by that finding. */
void policy_unusual_forget(struct policy_unusual *u, uint32_t person, int64_t since_ns);

/* unusual_habit.c */
int policy_unusual_habit_act(struct policy_unusual *u, uint32_t person, uint32_t journal,
			     enum policy_act act, const struct policy_record *r);
void policy_unusual_habit_login_refused(struct policy_unusual *u, uint32_t person,
					const struct policy_record *r);
int policy_unusual_habit_end(struct policy_unusual *u, uint32_t person);
/* The number of journals that so many per mille of the windows stay below. */
uint32_t policy_unusual_habit_usual(const struct unusual_habit *h, unsigned per_mille,
				    unsigned without);

/* unusual_place.c; crawl: the act is part of a program's walk. */
int policy_unusual_place_act(struct policy_unusual *u, uint32_t person, uint32_t journal,
			     enum policy_act act, const struct policy_record *r, bool *crawl);
int policy_unusual_place_end(struct policy_unusual *u, uint32_t person);

/* unusual_glass.c */
int policy_unusual_glass(struct policy_unusual *u, uint32_t person, uint32_t journal,
			 const struct policy_record *r);
int policy_unusual_glass_end(struct policy_unusual *u);

/* unusual_suspect.c */
int policy_unusual_care_end(struct policy_unusual *u);

/* unusual_rank.c */
/* A finding about a person (and journal index, or -1); the text follows. */
int policy_unusual_found(struct policy_unusual *u, enum policy_unusual_reason reason,
			 unsigned score, uint32_t person, int64_t journal,
			 const struct unusual_tally *t, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));
const char *policy_unusual_name(const struct policy_unusual *u, uint32_t name);
/* "1 journal", "3 journals" */
const char *policy_unusual_journals(uint32_t n, char out[static 32]);

#endif
