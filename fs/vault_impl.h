/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/vault_impl.h - what the files behind fs/vault.h share. Nobody else includes it.
 *
 * vault.c       open, close, messages
 * vault_edit.c  changes of the vault's own records, values in parts
 * state.c       secrets and memory of the host, outside the vault
 * vault_init.c  a new vault
 * people.c      identities, invitations and their chains up to the root
 * enroll.c      invite, enroll, change a passphrase
 * policies.c    policy versions and the index that is open while somebody is logged in
 * policy_history.c  what was in force at a version
 * policy_put.c  show, check, accept a new version
 * policy_keep.c  whom a new practice policy may not lose
 * consent.c     what takes two stewards: proposals
 * attend.c      a care relationship of one's own
 * break_glass.c  emergency access: ask, open, close (fs/break_glass.h)
 * break_glass_grants.c  the grants: records, clocks, expiry, what a decision needs
 * break_glass_look.c  grants listed and counted
 * break_glass_review.c  and judged
 * break_glass_acts.c  what was done under one, pairs that recur
 * break_glass_key.c  a journal opened with the break-glass key
 * notice.c      notices that wait for the notify service (fs/notice.h)
 * notice_serve.c  handed out and answered
 * notice_load.c  what waited when the vault was closed
 * notice_record.c  their stored form
 * policy_log.c  versions by number, time and file
 * policy_ask.c  explain a decision, try expected decisions against drafts
 * policy_report.c  what a steward should look at now
 * policy_review.c  the yearly access review
 * policy_keys.c  who holds a journal's key, for those answers
 * policy_parts.c  the files that the practice policy is made of; one file's past
 * catalog.c     the journals there are, decisions, listings
 * journals.c    their keys: wraps, manifests, who may have signed
 * journal_make.c  make, rename, remove
 * login.c, factor.c, factor_change.c, passphrase.c  the proof for log-in and unlock (login.h)
 * sessions.c    log-in, unlock, lock, end
 * grants.c      wraps that wait
 * lists.c       the key list: auditors, break-glass
 * lists_bg.c    the break-glass key: who holds it, its renewal
 * index_key.c   generations of the index key, renewal when somebody leaves
 * renew.c       journals' keys: the next generation, sealing again in the background
 * renew_order.c what is to be renewed, by whose word; what one who left knew
 * log_grants.c  the log's earlier streams for auditors who came later
 * recover.c     the recovery key
 * vault_acl.c   a journal's policy as an access control list (fs/vault_acl.h)
 * notes*.c      final notes (fs/notes.h, fs/notes_impl.h)
 * audit.c       log records, reading the log, status, what waits
 *
 * Locks, outer first: `edit` (one change of the vault's own records at a time;
 * held across log waits, and across commits only by factor.c and when the index is
 * let go of; never across callbacks) -> `finals` (one statement about a note at a time;
 * held across log waits and commits, never across callbacks) -> session lock ->
 * `lock` (the tables in memory; a leaf: nothing else is taken or called under it).
 * A field marked (t) is written holding both edit and lock, so that either one
 * suffices to read it.
 */
#ifndef FS_VAULT_IMPL_H
#define FS_VAULT_IMPL_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../keys/bytes.h"
#include "../keys/factor.h"
#include "../keys/slab.h"
#include "../keys/statement.h"
#include "tree.h"
#include "break_glass.h"
#include "log_archive.h"
#include "notice_impl.h"
#include "audit.h"
#include "state_file.h"
#include "vault.h"

#define FS_POLICY_TEXT_MAX (256u * 1024)
#define FS_JOURNAL_TEXT_MAX (64u * 1024)
#define FS_PART 3900u /* bytes of a value that spans several records, in each of them */

/* Who signs a statement: pid and enrolment, 0 and 0 for the root. */
struct fs_hand {
	uint32_t pid, enrolment;
	const uint8_t *sk;
};

/* FS_T_COUNTERS: the last number given out of each kind; 0 none. */
struct fs_counters {
	uint32_t journal, pid, invite, policy, list, index_generation, practice;
};

struct fs_known_invite {
	uint32_t number;
	uint32_t policy; /* version in force when it was signed */
	struct keys_statement st;
	struct keys_invite inv;
	uint8_t *bytes; /* st.body points here */
};

struct fs_known_identity {
	struct keys_identity id;
	atomic_int chain;  /* 0 unknown, 1 verified up to the root, -1 not */
	atomic_int rights; /* the same: every issuer had the right to issue */
};

/* Which codes of a second factor were used: FS_T_FACTOR_USED. */
struct fs_factor_state {
	uint8_t id[KEYS_FACTOR_ID_LEN]; /* of that factor */
	uint64_t step;			/* the latest; 0 none */
	uint16_t codes;			/* bits of recovery codes */
};

struct fs_person {
	uint32_t pid;
	uint32_t enrolment; /* of the newest identity; 0: none yet */
	uint32_t invite;    /* newest invitation; 0: none */
	char name[KEYS_NAME_MAX + 1];
	struct fs_known_identity **ids; /* by enrolment - 1; never freed while the vault is open */
	uint32_t id_count;
	atomic_uint known; /* journals whose keys he knew when he left, and that still have them */
	struct fs_factor_state factor; /* edit: codes used since the vault was opened */
};

/* A journal's key is to be renewed: FS_T_RENEWAL. */
enum fs_renewal_state {
	FS_RENEWAL_QUEUED,
	FS_RENEWAL_WAITING, /* for a session that may write there */
	FS_RENEWAL_RUNNING,
	FS_RENEWAL_SPACE,   /* the disk is nearly full */
	FS_RENEWAL_DAMAGED, /* something of it can't be read */
};
struct fs_renewal {
	uint32_t journal;
	uint32_t from;	  /* the newest generation when it was asked for: a later one satisfies it */
	uint32_t by;	  /* practitioner who asked */
	uint32_t because; /* practitioner on whose account; 0 none */
	uint64_t time_s;
	uint8_t state;	  /* enum fs_renewal_state; not stored */
	uint64_t again_ns; /* not taken up before, boot-time clock; not stored */
};

/* A journal as the index shows it. */
struct fs_entry {
	uint32_t index;
	uint32_t version; /* of its policy in force */
	uint64_t hash;	  /* where its NAME record lies */
	uint8_t slot;
	struct policy_journal *policy; /* NULL: damaged, admits nobody */
	uint32_t checked;	       /* grants: epoch of the last complete look */
	uint32_t waiting;	       /* wraps that nobody could make then */
	int64_t due_s;		       /* edit: when a date of its policy lets somebody in; 0 never */
	struct fs_entry *next;	       /* same bucket */
	char name[];
};

#define FS_NAME_BUCKETS 65536u
struct fs_catalog {
	struct fs_entry **by_index;
	uint32_t cap, count;
	struct fs_entry **bucket; /* FS_NAME_BUCKETS */
};

/* A policy statement, decoded. */
struct fs_version {
	uint32_t number, file, practice, before;
	uint32_t signer, enrolment;
	uint64_t time_s;
	uint8_t hash[KEYS_LEN];
	char reason[FS_REASON_MAX + 1]; /* why, in the words of who signed; "" none was given */
	const char *text;
	size_t len;
	struct keys_statement st;
	uint8_t *bytes;
};

#define FS_HISTORY 8
struct fs_history {
	uint32_t version;
	struct policy_practice *practice;
};

#define FS_BACKOFF 256
struct fs_backoff {
	uid_t uid;
	uint32_t pid;
	uint32_t failures;
	uint64_t until_ns; /* boot clock */
	uint64_t used_ns;
};

/* Generations of the index key, ascending; the last is in force. Wiped by whoever filled it. */
#define FS_INDEX_KEYS 8
struct fs_index_keys {
	size_t n;
	struct fs_index_key {
		uint32_t generation;
		uint8_t key[KEYS_LEN];
	} k[FS_INDEX_KEYS];
};

struct fs_index_old {
	uint32_t generation;
	uint8_t *key; /* slot of the slab */
};

#define FS_DAEMONS_MAX 32 /* the oldest is forgotten: its log streams are no longer believed */

#define FS_GRANTS_CHANGED 64

struct fs_vault {
	char *path;
	int dirfd, lockfd, shredfd, containers;
	struct fs_vault_config cfg; /* paths are owned copies */
	int statefd;
	struct keys_header header;
	uint8_t header_bytes[KEYS_HEADER_LEN];
	uint8_t root_hash[KEYS_LEN];
	struct keys_slab *slab; /* for the next two and the index key */
	uint8_t *host_secret;
	uint8_t *daemon_sk;
	uint8_t daemon_pk[KEYS_LEN];
	uint8_t daemon_cert[KEYS_SIG_LEN];
	struct fs_records *records;
	struct fs_log *log;
	uint64_t least_log; /* the log ends no earlier, as this host knows; 0 when it does not */

	pthread_mutex_t edit;
	pthread_mutex_t finals; /* statements about final notes, one after another (fs/notes.h) */
	pthread_rwlock_t lock;
	struct fs_counters counters;		    /* (t) */
	struct fs_person **people;		    /* (t) */
	size_t people_count;			    /* (t) */
	struct fs_known_invite **invites;	    /* (t) by number - 1 */
	uint32_t invite_count;			    /* (t) */
	uint8_t invite_head[KEYS_LEN];		    /* edit */
	struct keys_list_entry list[KEYS_LIST_MAX]; /* (t) the key list in force */
	size_t list_count;			    /* (t) */
	uint8_t list_head[KEYS_LEN];		    /* edit */
	uint8_t daemons[FS_DAEMONS_MAX]
		       [KEYS_LEN]; /* (t) keys of this vault's daemons, oldest first */
	size_t daemon_count;
	struct fs_reserve *reserve; /* NULL: read-only */
	/* the index: only while somebody is logged in */
	uint8_t *index_key;		  /* (t) slot of slab; NULL: not known */
	struct fs_index_old index_old[FS_INDEX_KEYS]; /* (t) generations before it, while needed */
	size_t index_old_count;			      /* (t) */
	struct policy_practice *practice; /* (t) */
	struct fs_catalog journals;	  /* (t) */
	uint8_t policy_head[KEYS_LEN];	  /* edit */
	uint32_t signed_version;	  /* lock: what fs_records_policy_version was told */
	struct fs_session **sessions;	  /* (t) each with a reference */
	size_t session_count;		  /* (t) */
	uint64_t trimmed_ns;		  /* only fs_vault_tick */
	/* grants: edit */
	uint32_t epoch;	   /* of the facts that wraps follow from; +1 when they change */
	uint32_t cursor;   /* journal index where the next tick goes on */
	bool grants_idle;  /* a whole round found nothing left to look at */
	bool grants_again; /* something failed in this round */
	uint32_t grants_changed[FS_GRANTS_CHANGED]; /* journals to look at before the round */
	unsigned grants_changed_count;
	int64_t grants_due_s; /* the earliest due_s of the journals; 0 never */
	bool lists_dirty;
	atomic_uint bg_turn; /* of the break-glass pair in use */
	uint32_t bg_oldest;  /* edit: the oldest turn that journals may still be wrapped for */
	bool bg_renew;	     /* edit: it is to be made anew */
	/* renewal of the index key: edit */
	bool index_dirty;
	atomic_uint index_waiting;
	struct {
		uint32_t journal;    /* where the round goes on */
		struct fs_key from;  /* then here; len 0: at the beginning */
		bool unclean, stuck; /* something older was met; something was damaged */
	} reseal;
	/* renewal of journals' keys */
	struct fs_renewal *renewals;  /* (t) orders, by journal */
	size_t renewal_count;	      /* (t) */
	size_t renew_cursor;	      /* edit: the order where the next tick goes on */
	bool renew_dirty;	      /* edit: what is in memory is to be read again */
	struct fs_renewing *renewing; /* edit: the one under way; NULL: none */
	/* emergency access: grants ever given, by number - 1 */
	struct fs_grant *grants;  /* (t) */
	uint32_t grant_count;	  /* (t) */
	atomic_uint grants_unkept; /* ends that could not be stored yet */
	atomic_uint grants_open;  /* so that decisions need not look when there is none */
	uint64_t grants_noted_ns; /* only fs_vault_tick: when used_s was stored last */
	uint64_t grants_reminded_ns; /* only fs_vault_tick: when overdue reviews were looked for */
	uint8_t boot[16];	  /* of this boot of the host; set at open */
	uint32_t note_cursor;	  /* only fs_vault_note_tick: the journal that it looked at last */
	uint64_t note_round_ns;	  /* only fs_vault_note_tick: when the next round begins */
	int64_t note_skew_s;	  /* only fs_vault_note_tick: wall clock less boot time when it last looked; 0: never */
	uint64_t note_hold_ns;	  /* only fs_vault_note_tick: nothing is locked before, the clock was set */
	struct fs_notices notices;
	/* the log's earlier streams: edit */
	struct fs_log_grants *log_walk; /* under way; NULL: none */
	uint64_t log_walked;	      /* with these helpers the log was walked to its end */
	bool log_dirty;
	atomic_uint log_waiting;   /* auditors who lack streams that another one can open */
	atomic_int forward;	   /* enum policy_forward: what the practice policy says, or said when it was last known */
	atomic_bool denies;	   /* the practice policy has a `program deny` line; set when v->practice is */
	atomic_uint lists_waiting; /* changes of the key list and break-glass wraps that wait */
	pthread_mutex_t side;	   /* leaf: backoff, history */
	struct fs_backoff backoff[FS_BACKOFF];
	struct fs_history history[FS_HISTORY];
	unsigned history_next;
};

/* ---- clocks ---- */
int64_t fs_vault_wall_s(void);
uint64_t fs_vault_boot_ns(void);

/* ---- vault.c ---- */
/* Vault object with directory, lock and header checked, but no secrets and no records yet. */
int fs_vault_begin(const struct fs_vault_config *cfg, struct fs_vault **out, struct fs_say *say);
/* Records, tables, log; secrets of the host are in place. */
int fs_vault_run(struct fs_vault *v, const uint64_t *least_commit, struct fs_say *say);
/* Frees whatever is there; the result of the last commit. */
int fs_vault_free(struct fs_vault *v);
/* An empty object around these paths (init). */
int fs_vault_alloc(const struct fs_vault_config *cfg, struct fs_vault **out);
void fs_vault_mac_key(const struct fs_vault *v, uint8_t out[static KEYS_LEN]);
int fs_vault_open_log(struct fs_vault *v);
int fs_vault_open_reserve(struct fs_vault *v);

/* Values over several records: prefix | part u16, the first part begins with the length. */
int fs_vault_parts_get(struct fs_vault *v, const struct fs_key *prefix, uint8_t **out, size_t *len);
void fs_vault_parts_put(struct fs_vault *v, struct fs_batch *b, const struct fs_key *prefix,
			const void *p, size_t len);
void fs_vault_parts_del(struct fs_vault *v, struct fs_batch *b, const struct fs_key *prefix);

/*
 * One change of the vault's records under `edit`: a batch and the counters and chain heads as they
 * will be. commit applies it and publishes counters and heads; the batch is empty afterwards.
 */
struct fs_edit {
	struct fs_vault *v;
	struct fs_batch b;
	struct fs_counters c;
	uint8_t policy_head[KEYS_LEN], invite_head[KEYS_LEN], list_head[KEYS_LEN];
	uint64_t group;
};
int fs_vault_edit_load(struct fs_vault *v); /* the counters, at open */
void fs_vault_edit_begin(struct fs_vault *v, struct fs_edit *e, struct fs_signer *signer);
int fs_vault_edit_commit(struct fs_edit *e);
void fs_vault_edit_clear(struct fs_edit *e);

/* Durable record of kind; s, name and journal may be empty. 0 or the log's error. */
int fs_vault_tell(struct fs_vault *v, struct fs_session *s, enum policy_record_kind kind,
		  uint32_t journal, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* The same with the reason that the person gave, "" for none. */
int fs_vault_tell_because(struct fs_vault *v, struct fs_session *s, enum policy_record_kind kind,
			  uint32_t journal, const char *name, const char *reason, const char *fmt,
			  ...) __attribute__((format(printf, 7, 8)));
/* The same, at the word of by (NULL: of nobody), whose program and origin it then has. */
int fs_vault_tell_by(struct fs_vault *v, struct fs_session *s, enum policy_record_kind kind,
		     const struct fs_asker *by, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Queued, not waited for. */
int fs_vault_mention(struct fs_vault *v, struct fs_session *s, enum policy_record_kind kind,
		     uint32_t journal, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* A refusal by a person who is not logged in. Durable. */
int fs_vault_tell_refused(struct fs_vault *v, uid_t uid, pid_t pid, const char *who,
			  const char *origin, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/*
 * Reads the log with by's own key (audit_read.c): who may, and that it is logged, is the caller's.
 * *shut counts the streams that by cannot open, as they are come by.
 */
int fs_vault_log_read(struct fs_vault *v, struct fs_session *by,
		      int (*fn)(void *ctx, const struct policy_record *r), void *ctx,
		      unsigned *shut);
/* The same of some journals only (numbers; none: all), with what is damaged told besides. */
struct fs_log_some {
	const uint32_t *journals;
	size_t journal_count;
	int64_t since_ns, until_ns; /* 0: open */
	unsigned threads;
	int (*fn)(void *ctx, const struct policy_record *r);
	void (*bad)(void *ctx, uint64_t seq, const char *why); /* NULL: alarms alone */
	void *ctx;
	unsigned *shut;	  /* as above */
	uint64_t durable; /* the newest record on disk when it began */
};
int fs_vault_log_read_some(struct fs_vault *v, struct fs_session *by, struct fs_log_some *q);
/* Refuses who has none of these rights, durable: -EACCES; say names them in words. */
int fs_audit_may(struct fs_vault *v, struct fs_session *by, uint32_t rights, const char *what,
		 struct fs_say *say);
/* ---- audit_names.c ---- */
/* The journals that bear or bore the name, also removed ones. No lock held. */
int fs_audit_names_find(struct fs_vault *v, const char *name, struct fs_audit_names *names);
/* Queued, and told to cfg.alarm. Any thread; takes no lock but the log's. */
void fs_vault_alarm(struct fs_vault *v, uint32_t journal, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- state.c ---- */
struct fs_last {
	uint64_t commit;
	uint8_t root[KEYS_LEN];
	bool closed; /* a clean close: the two below are what the database looked like */
	uint64_t db_size, db_ctime_ns;
	uint64_t log; /* the last record of the access log that was on disk */
};
/* The state directory, made when missing and make is set. */
int fs_state_open(struct fs_vault *v, bool make, struct fs_say *say);
int fs_state_load(struct fs_vault *v, struct fs_say *say); /* host secret, daemon key */
/* Host secret (from v), a fresh daemon key certified by root_sk. replace: existing files too. */
int fs_state_make(struct fs_vault *v, const uint8_t root_sk[static KEYS_SIGN_SK_LEN], bool replace,
		  struct fs_say *say);
int fs_state_last_read(struct fs_vault *v, struct fs_last *out, struct fs_say *say);
int fs_state_last_write(struct fs_vault *v, const struct fs_last *last);
/* Whether records were forwarded when the policy was last known; writing may fail, which only an earlier answer follows. */
bool fs_state_forward_read(struct fs_vault *v);
void fs_state_forward_write(struct fs_vault *v, bool on);
void fs_state_db(struct fs_vault *v, uint64_t *size, uint64_t *ctime_ns);
void fs_state_remove(struct fs_vault *v); /* init failed: takes back what make wrote */

/* ---- people.c ---- */
int fs_people_load(struct fs_vault *v);
void fs_people_clear(struct fs_vault *v);
struct fs_person *fs_people_find(struct fs_vault *v, const char *name); /* edit or lock held */
struct fs_person *fs_people_by_pid(struct fs_vault *v, uint32_t pid);	/* edit or lock held */
struct fs_person *fs_people_by_uid(struct fs_vault *v, uid_t uid);	/* edit or lock held */
struct fs_known_invite *fs_people_invite(struct fs_vault *v, uint32_t number);
/*
 * The identity, verified up to the root; rights: also that every issuer had the policy right when
 * he issued (needs the index). -ENOENT, -EBADMSG, -ENOKEY. Takes lock for reading.
 */
int fs_people_identity(struct fs_vault *v, uint32_t pid, uint32_t enrolment, bool rights,
		       const struct keys_identity **out);
/* The key that verifies statements of this signer; 0, 0 is the root. */
int fs_people_signer_pk(struct fs_vault *v, uint32_t pid, uint32_t enrolment, bool rights,
			uint8_t pk[static KEYS_LEN]);
/* Puts into memory what a commit has stored; edit held, takes lock. */
int fs_people_add_identity(struct fs_vault *v, const struct keys_identity *id);
int fs_people_add_invite(struct fs_vault *v, uint32_t number, const uint8_t *p, size_t len);

/* ---- enroll.c: building blocks, edit held ---- */
struct fs_invite_request {
	const char *name, *account, *role;
	uint32_t days;
	struct fs_hand by;
};
/* Adds an invitation to the edit. bytes (KEYS_INVITE_MAX + KEYS_STATEMENT_OVERHEAD + 4) and *len
 * receive the statement for fs_people_add_invite. */
#define FS_INVITE_BYTES (KEYS_INVITE_MAX + KEYS_STATEMENT_OVERHEAD + 4)
int fs_enroll_invite(struct fs_edit *e, const struct fs_invite_request *rq,
		     const uint8_t index_key[static KEYS_LEN],
		     const uint8_t code[static KEYS_CODE_LEN],
		     uint8_t bytes[static FS_INVITE_BYTES], size_t *len, uint32_t *number);
struct fs_newcomer {
	uid_t uid;
	const uint8_t *salt, *stretched;
	const struct keys_stretch_cost *cost;
	struct keys_span keyfile;
};
/* Adds identity, envelope and index wraps (the index is open); secret (guarded) receives the secret half. */
int fs_enroll_person(struct fs_edit *e, const struct keys_invite *inv, uint32_t number,
		     const uint8_t enrol_sk[static KEYS_SIGN_SK_LEN], const struct fs_newcomer *who,
		     struct keys_identity *id, struct keys_identity_secret *secret);
/* Invitation and identity in one, by the root (init alone, recovery). */
int fs_enroll_by_root(struct fs_vault *v, struct fs_invite_request *rq,
		      const struct fs_newcomer *who, const uint8_t index_key[static KEYS_LEN],
		      struct keys_identity *id);
void fs_enroll_seal(struct fs_vault *v, const struct keys_identity *id,
		    const struct keys_identity_secret *secret, const struct fs_newcomer *who,
		    struct keys_envelope *env);
void fs_enroll_put_envelope(struct fs_vault *v, struct fs_batch *b, uint32_t pid,
			    const struct keys_envelope *env);

/* ---- policies.c ---- */
/* The index keys become known: policy, names and journals' policies into memory. edit held. */
int fs_policies_open_index(struct fs_vault *v, const struct fs_index_keys *keys);
/* Forgets it when no session is active or draining. edit held. */
void fs_policies_release(struct fs_vault *v);
void fs_policies_forget(struct fs_vault *v);
int fs_policies_read(struct fs_vault *v, uint32_t number, struct fs_version *out);
/* The same without verifying the signature, for searches: what is found is then read. */
int fs_policies_peek(struct fs_vault *v, uint32_t number, struct fs_version *out);
void fs_policies_clear(struct fs_version *ver);
/* Adds the next version of file (0 practice, else journal) to the edit: history and in force. */
int fs_policies_add(struct fs_edit *e, const struct fs_hand *by, uint32_t file, uint32_t before,
		    const char *text, size_t len);
/* reason: at most FS_REASON_MAX bytes, "" for none. */
int fs_policies_add_because(struct fs_edit *e, const struct fs_hand *by, uint32_t file,
			    uint32_t before, const char *text, size_t len, const char *reason);
/* A reference to the practice policy that was in force at version (<= the newest). */
int fs_policies_at(struct fs_vault *v, uint32_t version, struct policy_practice **out);
/* The same for a journal; its first version when it is younger. */
int fs_policies_journal_at(struct fs_vault *v, uint32_t index, uint32_t version,
			   struct policy_journal **out);
/* Text in force with its version; caller frees. */
int fs_policies_text(struct fs_vault *v, uint32_t file, char **text, size_t *len,
		     uint32_t *version);
void fs_policies_history_clear(struct fs_vault *v);
/* A stored text, accepted once; -EBADMSG when it no longer parses. */
int fs_policies_parse_practice(const char *text, size_t len, struct policy_practice **out);
int fs_policies_parse_journal(const char *text, size_t len, const char *name,
			      struct policy_journal **out);
/* Do these rights of the vault hold for who at that version and time? */
int fs_policies_had(struct fs_vault *v, uint32_t version, const char *who, uint32_t rights,
		    int64_t when_s);
/* Makes all durable, then tells the records layer the newest version. No lock held. */
int fs_policies_announce(struct fs_vault *v);
struct fs_key fs_policies_key(uint32_t file); /* prefix of the text in force */
/* "practice" and "practice.d/NAME" -> 0, a journal's name -> its index; -ENOENT. */
int fs_policies_file(struct fs_vault *v, const char *file, uint32_t *out);
/* Parses; *report (may be NULL) receives the lines of errors. One of the two results is set. */
int fs_policies_parse(struct fs_vault *v, uint32_t file, const char *name, const char *text,
		      size_t len, char **report, struct policy_practice **practice,
		      struct policy_journal **journal);

/* policy_keep.c: -EINVAL with the report's lines when it loses who is enrolled or locks a journal; edit held. */
int fs_policies_keep(struct fs_vault *v, const struct policy_practice *next, char **report);
/* policy_put.c: this version of a journal's policy holds from now on; edit held. *journal is taken. */
/* What this practice says of forwarding is in force from now on; holds no lock, may write to the host's state. */
void fs_policies_forward(struct fs_vault *v, const struct policy_practice *practice);
void fs_policies_publish_journal(struct fs_vault *v, struct fs_entry *e,
				 struct policy_journal **journal, uint32_t version);
/*
 * After any of them, no lock held: who had access and has not any more is cut, and roots may be signed
 * under the new version.
 */
int fs_policies_in_force(struct fs_vault *v);

/* ---- consent.c: edit held ---- */
enum fs_proposal_what { FS_PROPOSAL_POLICY = 1, FS_PROPOSAL_INVITE = 2, FS_PROPOSAL_ARCHIVE = 3 };
struct fs_proposal {
	uint32_t number;
	uint8_t what;
	uint32_t base; /* practice version that the text was written for; 0 for an invitation */
	uint32_t pid, enrolment;
	char who[KEYS_NAME_MAX + 1];
	int64_t time_s;
	/* The practice's text, or the practitioner's name, or what fs_archive_proposal reads; not terminated. */
	const char *text;
	size_t len;
	struct keys_statement st;
	uint8_t *bytes; /* text points here when it was read */
};
/* Powers that this line gives and the practice in force does not; *clinical: the role becomes clinical. */
uint32_t fs_consent_gained(const struct policy_practice *now, const struct policy_practitioner *p,
			   bool *clinical);
/* 1: somebody other than `by` could have been asked in the last 72 hours; 0; or negative. */
int fs_consent_two(struct fs_vault *v, const struct fs_session *by);
/* 1: next gives new powers, to `whom`, and the practice has two stewards. */
int fs_consent_needed(struct fs_vault *v, const struct fs_session *by,
		      const struct policy_practice *next, char *whom, size_t cap);
/* Stores what, base, text as a proposal of by's and gives it a number; told first. */
int fs_consent_keep(struct fs_vault *v, struct fs_session *by, struct fs_proposal *p,
		    const char *detail, struct fs_say *say);
/* Verified. -ENOENT, -EBADMSG. */
int fs_consent_read(struct fs_vault *v, uint32_t number, struct fs_proposal *out);
void fs_consent_clear(struct fs_proposal *p);
void fs_consent_drop(struct fs_edit *e, uint32_t number);
/* The invitation that the proposal asked for, by the second steward (enroll.c). */
int fs_enroll_invite_agreed(struct fs_vault *v, struct fs_session *by, const char *name,
			    const struct fs_proposal *p, char code[static KEYS_CODE_TEXT_MAX],
			    struct fs_say *say);
/* ---- archive.c: edit held ---- */
/* What a proposal to archive says; sum: of the files, hexadecimal. -EBADMSG. */
int fs_archive_proposal(const struct fs_proposal *p, enum fs_log_archive_what *what, uint64_t *last,
			char sum[static 2 * KEYS_LEN + 1]);
/* Takes them, by the second steward; the proposal is dropped. */
int fs_archive_agreed(struct fs_vault *v, struct fs_session *by, const struct fs_proposal *p,
		      struct fs_say *say);
/* ---- policy_parts.c ---- */
/* Which part of the practice policy this file is, "" the practice itself; NULL: a journal's. */
const char *fs_policies_part(const char *file);
/* In place: of the practice's text only this file's. -ENOENT: no such part. */
int fs_policies_part_take(const char *file, char *text, size_t *len);
/*
 * The practice's text in force with this file's put in or (text NULL) taken out; the caller frees.
 * -EINVAL with *report (which may be NULL).
 */
int fs_policies_part_put(struct fs_vault *v, const char *file, const char *text, size_t len,
			 char **out, size_t *out_len, char **report);
/* The same with the part under another name. -EEXIST, -ENOENT. */
int fs_policies_part_move(struct fs_vault *v, const char *file, const char *newfile, char **out,
			  size_t *out_len);
/* Does this file of the practice say what it said at version base (0: was there none)? */
bool fs_policies_part_same(struct fs_vault *v, const char *file, uint32_t base);
/* This file's text at one of its versions; -ENOENT: the number is another file's. Caller frees. */
int fs_policies_text_at(struct fs_vault *v, const char *file, uint32_t which, uint32_t number,
			char **text, size_t *len);

/* ---- catalog.c ---- */
struct fs_entry *fs_catalog_by_index(struct fs_vault *v, uint32_t index);  /* edit or lock held */
struct fs_entry *fs_catalog_by_name(struct fs_vault *v, const char *name); /* edit or lock held */
int fs_catalog_insert(struct fs_catalog *t, struct fs_entry *e);
void fs_catalog_remove(struct fs_catalog *t, struct fs_entry *e);
void fs_catalog_clear(struct fs_catalog *t);
struct fs_entry *fs_catalog_new_entry(uint32_t index, const char *name);
uint64_t fs_catalog_hash(const uint8_t index_key[static KEYS_LEN], const char *name);
struct fs_key fs_catalog_name_key(uint64_t hash, uint8_t slot);
void fs_catalog_put_name(struct fs_vault *v, struct fs_batch *b, const struct fs_entry *e);
/* A free slot for this hash; edit held. */
int fs_catalog_slot(struct fs_vault *v, uint64_t hash, uint8_t *slot);
/* Verdict for a name with the tables held (edit or lock). */
void fs_catalog_verdict(struct fs_vault *v, const struct fs_entry *e, const char *who,
			uint32_t rights, int64_t now_s, struct policy_verdict *out);

/* ---- journals.c ---- */
struct fs_key fs_journals_wrap_key(uint32_t index, uint32_t generation, enum fs_wrap_kind kind,
				   uint32_t pid);
/* A WRAP record: enrolment u32 | keys_wrap. */
int fs_journals_put_wrap(struct fs_vault *v, struct fs_batch *b,
			 const struct keys_wrap_place *place, enum fs_wrap_kind kind, uint32_t pid,
			 uint32_t enrolment, const uint8_t key[static KEYS_LEN],
			 const uint8_t box_pk[static KEYS_LEN]);
/* Keys of all generations of a journal, ascending. Wiped by whoever has it filled. */
struct fs_journal_chain {
	size_t n;
	uint32_t generation[FS_JOURNAL_KEYS];
	uint8_t key[FS_JOURNAL_KEYS][KEYS_LEN];
};
/* The generations that have a manifest, ascending, without a gap. -EBADMSG: none, or not so. */
struct fs_journals_present {
	uint32_t generation[FS_JOURNAL_KEYS];
	size_t n;
};
int fs_journals_present(struct fs_vault *v, uint32_t index, struct fs_journals_present *out);
void fs_journals_place(const struct fs_vault *v, uint32_t index, uint32_t generation,
		       struct keys_wrap_place *out);
/* Manifest of a generation, its signer verified (chain, and for journals the right to create, or
 * from generation 2 on to write there). */
int fs_journals_manifest(struct fs_vault *v, uint32_t index, uint32_t generation,
			 struct keys_manifest *out);
/* Is this generation's manifest the successor of the one whose key this is? 0 or -EBADMSG. */
int fs_journals_follows(struct fs_vault *v, uint32_t index, uint32_t generation,
			const uint8_t before[static KEYS_LEN]);
/* The key of one generation out of its wrap, checked against its manifest. -EACCES: no wrap. */
int fs_journals_unwrap_one(struct fs_vault *v, uint32_t index, uint32_t generation,
			   enum fs_wrap_kind kind, uint32_t pid, uint32_t enrolment,
			   const uint8_t box_sk[static KEYS_LEN], struct keys_manifest *m,
			   uint8_t key[static KEYS_LEN]);
/* All keys of a journal; every generation follows the one before. -EACCES: no wrap. */
int fs_journals_unwrap(struct fs_vault *v, uint32_t index, enum fs_wrap_kind kind, uint32_t pid,
		       uint32_t enrolment, const uint8_t box_sk[static KEYS_LEN],
		       struct fs_journal_chain *out);
/* What records and chunks are sealed with, out of one generation's key and the shred slot. out is
 * guarded memory. */
int fs_journals_derive(struct fs_vault *v, uint32_t index, uint32_t generation,
		       const uint8_t key[static KEYS_LEN], struct keys_journal *out);
int fs_journals_shred_read(struct fs_vault *v, uint32_t index, uint8_t out[static KEYS_SHRED_LEN]);
int fs_journals_shred_write(struct fs_vault *v, uint32_t index,
			    const uint8_t slot[static KEYS_SHRED_LEN]);
int fs_journals_open(struct fs_vault *v, uint32_t index, const struct fs_journal_chain *chain,
		     bool create, struct fs_journal **out);

/* ---- session.c ---- */
struct fs_session *fs_session_new(void);
/* The journals that a session has open; each holds a reference. */
struct fs_journal *fs_session_journal_find(struct fs_session *s, uint32_t index);
void fs_session_journal_add(struct fs_session *s, struct fs_journal *j); /* takes a reference */
/* Lets go of those that fn refuses (fn NULL: of all). */
void fs_session_journals_drop(struct fs_session *s, bool (*keep)(void *ctx, uint32_t index),
			      void *ctx);
/* fn for each that it has open, under its lock, while fn returns true. */
void fs_session_journals_each(struct fs_session *s, bool (*fn)(void *ctx, uint32_t index),
			      void *ctx);
/* Takes the keys out of the session and wipes them. */
void fs_session_wipe(struct fs_session *s);

/* ---- sessions.c ---- */
/* References to all sessions in *out (caller puts each and frees). */
size_t fs_sessions_all(struct fs_vault *v, struct fs_session ***out);
void fs_sessions_put_all(struct fs_session **s, size_t n);
/* An active session of somebody who has these rights of the vault now; reference or NULL. edit
 * held. */
struct fs_session *fs_sessions_with(struct fs_vault *v, uint32_t rights);
bool fs_sessions_has(struct fs_vault *v, struct fs_session *s, uint32_t rights);
void fs_sessions_tick(struct fs_vault *v);
/* After a change of policy: sessions let go of journals that they may no longer read. */
void fs_sessions_trim(struct fs_vault *v);
#include "break_glass_impl.h"
#include "login.h"
#include "vault_keys.h"

#endif
