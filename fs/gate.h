/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/gate.h - the one door: who asks, may they, is it logged.
 *
 * Every FUSE operation passes fs_gate_begin before it touches an inode and
 * fs_gate_end after its reply. The gate checks, in this order: session state;
 * that the caller's fsuid is the session's (path operations and OPEN; operations
 * on a handle go by the handle); that the practice does not keep the program out
 * (`program deny`; not of what is open or under .policy); the journal's policy, now; that the journal is
 * open with this session's key; and log before light: refusals are durable
 * before the reply, the first plaintext of a (session, journal) directory waits
 * for a durable intent record that names its notes, an OPEN or READ of a note
 * that no intent covers waits for its own record. All failures refuse.
 *
 * A request that needs no rights (rights 0) passes when the journal is visible;
 * its pass has no journal then unless the session may enter it.
 */
#ifndef FS_GATE_H
#define FS_GATE_H

#include "inode.h"
#include "vault.h"

/*
 * The directory where stewards find policies as files. It and all below it (nodes of journal 0 but
 * the root) want the policy right, whatever else is asked.
 */
#define FS_GATE_POLICY_DIR ".policy"

/*
 * Nodes of a journal with numbers from FS_INO_HISTORY on, what lies under its `.history`, want POLICY_HISTORY
 * besides what is asked anyway; an emergency grant does not give it. Without it they are not there (-ENOENT; -EACCES
 * for a handle that was opened with it), which is logged. Nobody may change them (-EROFS).
 */
struct fs_gate_request {
	const char *op;	  /* for the log: "open", "lookup", ... */
	uint64_t nodeid;  /* the object or parent directory; FUSE root = 1 */
	uint64_t nodeid2; /* second directory (rename, link) or 0 */
	const char *name; /* entry names, for the record of a refusal; may be NULL */
	const char *name2;
	uint32_t rights; /* enum policy_right needed in the journal */
	uid_t uid;	 /* fsuid; ignored when by_handle */
	pid_t pid;	 /* thread id of the caller */
	bool by_handle;	 /* READ, WRITE, FLUSH, RELEASE, FSYNC, READDIR on an open handle */
	bool drain;	 /* admitted while draining: WRITE, FLUSH, RELEASE, FSYNC */
	bool mapped;	 /* a dirty page of a mapping: what was typed before a right went */
	bool reveals;	 /* gives plaintext of names or contents: needs a covering record */
	bool activity;	 /* OPEN, READ and WRITE keep the session from being idle */
	bool closes;	 /* FLUSH: lock_owner's locks on nodeid end, whatever the answer */
	uint64_t lock_owner;
	uint64_t dir;	 /* inode of the directory looked up or listed (for the intent), 0 none */
	/*
	 * Changes entries of a directory: an emergency grant lets make new ones, and what may happen to others
	 * is decided where they are found (pass.drafts). Else it asks whether the inode itself is such a note.
	 */
	bool entries;
};

struct fs_gate_pass {
	struct fs_session *session;
	struct fs_journal *journal; /* reference; NULL for the root of the mount */
	struct fs_signer *signer;   /* reference; NULL when nothing may be written */
	uint32_t rights;	    /* effective in the journal; under .policy POLICY_POLICY */
	/*
	 * Not 0: writing is allowed by an emergency grant alone, to what this practitioner has made since then
	 * (seconds since 1970) and to nothing else.
	 */
	int64_t drafts_s;
};
/* Has the practitioner of this pass made this inode under the grant? True when writing is not limited so. */
bool fs_gate_draft(const struct fs_gate_pass *pass, struct fs_inode *i);

struct fs_gate; /* per session: rights seen, notes covered by intents, repeat counters, quota */
int fs_gate_new(struct fs_vault *v, struct fs_session *s, struct fs_gate **out);
void fs_gate_free(struct fs_gate *g);

/* 0, or the errno that the program gets (man journalfs, ERRORS), negated: ENOKEY, EACCES, EXDEV, EIO ... */
int fs_gate_begin(struct fs_gate *g, const struct fs_gate_request *rq, struct fs_gate_pass *pass);
void fs_gate_end(struct fs_gate_pass *pass);
/*
 * May the session of this pass look up `.history` in the journal that the request is about? 0, or -ENOENT, which is
 * durable in the log: only the body knows that no entry of the journal has that name.
 */
int fs_gate_history(struct fs_gate *g, const struct fs_gate_request *rq,
		    const struct fs_gate_pass *pass);
/* The session and the policy once more, after a wait. Refusals as in fs_gate_begin. */
int fs_gate_again(struct fs_gate *g, const struct fs_gate_request *rq, struct fs_gate_pass *pass);

/*
 * A refusal that the gate could not see itself (a hidden journal's name at the root of the mount):
 * durable before it returns rc, or -EIO. Repeats within a minute are counted. journal 0: none.
 */
int fs_gate_refuse(struct fs_gate *g, const struct fs_gate_request *rq, uint32_t journal, int rc,
		   const char *rule);

/*
 * Exact records of what happened; durable within 100 ms; repeats of LIST and ATTRIBUTE are counted.
 * 0, or -EIO: the log can't be written, so the caller must not answer with success.
 */
struct fs_gate_act {
	enum policy_record_kind kind;
	uint64_t nodeid; /* the note; 0: none */
	const char *name, *name2;
	const char *detail;
	uint64_t bytes_read, bytes_written;
	char action; /* 0: the kind's own */
};
int fs_gate_record(struct fs_gate *g, const struct fs_gate_pass *pass,
		   const struct fs_gate_request *rq, const struct fs_gate_act *act);
/* The same, durable on return where policy says `log strict`. */
int fs_gate_record_open(struct fs_gate *g, const struct fs_gate_pass *pass,
			const struct fs_gate_request *rq, const struct fs_gate_act *act);
/*
 * Before a note's plaintext (name, attributes, contents): returns 0 when a durable record covers
 * note `ino` for this session; writes one when none does. Fails closed.
 */
int fs_gate_cover(struct fs_gate *g, const struct fs_gate_request *rq, uint64_t ino,
		  const char *name);
/* A note that this session has just made and whose CREATE record is appended. */
void fs_gate_created(struct fs_gate *g, const struct fs_gate_pass *pass, uint64_t ino, bool dir);
/* After lock: nothing is covered any more; counters are flushed to the log. */
void fs_gate_reset(struct fs_gate *g);
/* Now and then: writes counted repeats that are older than a minute, and of programs kept out than an hour. */
void fs_gate_tick(struct fs_gate *g);
/* Journals (at most cap) in which this session may do more or less than it could; each told once.
 */
size_t fs_gate_changed(struct fs_gate *g, uint32_t *journals, size_t cap);
/* Once after the session has lost the policy right: what it was shown under .policy is to go. */
bool fs_gate_policy_lost(struct fs_gate *g);
/*
 * Mapped pages of this journal, told by fs_gate_changed, have all been pushed out: what was admitted
 * because the session might write until then (for a second at most) is refused from now on.
 */
void fs_gate_drained(struct fs_gate *g, uint32_t journal);
/* Called around waits for the log, so that the worker pool lets a spare run. Set once at start. */
void fs_gate_blocking(void (*begin)(void), void (*end)(void));

#endif
