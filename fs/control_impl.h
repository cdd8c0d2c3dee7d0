/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_impl.h - the inside of the control side, shared by control*.c only.
 *
 * Threads: the loop (sockets only: accepts, reads and sends frames, never waits
 * for anything else), the clock (once a second: sleep, vault, idleness, policy changes)
 * and one short-lived job for each request and each session that ends. A
 * connection has at most one request under way, so jobs are bounded by
 * connections. Whatever may wait for the disk, a mount or a peer is a job.
 *
 * Locks: agent->lock -> (vault, mount layer) ; c->lock and conn->lock are leaves,
 * c->lock before conn->lock. Nothing of the vault or the mount layer is called
 * under the two.
 */
#ifndef FS_CONTROL_IMPL_H
#define FS_CONTROL_IMPL_H

#include <stdatomic.h>
#include "control.h"
#include "factor.h"
#include "harden.h"
#include "wire.h"

#define FS_CONTROL_PROTOCOL 1
#define FS_CONTROL_VERSION "0.1.0"
#define FS_CONTROL_STRANGERS 64 /* connections that are no session's agent */
#define FS_CONTROL_PER_UID 16
#define FS_CONTROL_NOTIFY 4 /* of the notify account, kept for it beside the strangers */
#define FS_CONTROL_PATIENCE_S 10 /* for the first hello, the rest of a frame, a full queue to move */
#define FS_CONTROL_QUIET_S 60	 /* a stranger who asks nothing; FS_CONTROL_GUEST_S with a session */
#define FS_CONTROL_GUEST_S 3600
#define FS_CONTROL_LISTEN_S 30 /* the longest wait for a notice */

/* ---- connections (control_conn.c) ---- */
struct fs_control_conn {
	atomic_uint refs;
	uint64_t id; /* epoll data; never reused */
	int fd;	     /* touched by the loop only */
	uid_t uid;
	pid_t pid;

	/* The loop's own. */
	struct fs_wire_in *in;
	uint32_t events; /* asked of epoll */
	uint32_t ready;	 /* what it told last */
	int64_t quiet_ns; /* since when nothing is under way */
	int64_t frame_ns; /* since when a frame is unfinished; 0: none is */
	int64_t stuck_ns; /* since when the peer takes nothing; 0: it does */

	atomic_bool busy;    /* a request is under way: nothing more is read */
	atomic_bool greeted; /* hello was answered */
	atomic_bool finish;  /* close when all is sent */

	pthread_mutex_t lock; /* below */
	pthread_cond_t moved; /* the queue got shorter, or gone */
	struct fs_wire_out *out;
	bool gone;    /* the peer is lost: jobs stop */
	bool too_slow; /* the queue overflowed */

	struct fs_control_agent *agent; /* under c->lock; a reference */
};

/* ---- sessions and their agents (control_agent.c) ---- */
#define FS_CONTROL_MINE 8 /* sessions of one account */
#define FS_CONTROL_ORIGIN 256
struct fs_control_agent {
	atomic_uint refs;
	struct fs_session *session; /* a reference */
	pthread_mutex_t lock;	    /* one of mount, lock, unlock, end at a time */
	bool ended;		    /* under lock */
	atomic_bool locking;	    /* the clock's lock is on its way and has not begun */
	const char *locking_why;    /* of it; written by who set locking */
	struct fs_control_conn *conn; /* under c->lock; a reference, NULL when lost */
};

#define FS_CONTROL_TRIES 256 /* accounts that are remembered */
struct fs_control_tries {
	uid_t uid;
	int left;
	int64_t used_ns; /* 0: free */
};

/* Long answers that are under way: each holds segments of the log in memory for as long as its reader likes. */
#define FS_CONTROL_STREAMING 64 /* accounts that have any */
#define FS_CONTROL_STREAMS 4	/* of one account */
struct fs_control_streams {
	uid_t uid;
	unsigned n; /* 0: free */
};

/* A practitioner's last log-in. */
struct fs_control_last {
	uint32_t pid; /* practitioner number */
	uint64_t time_s;
	char origin[FS_CONTROL_ORIGIN];
};

struct fs_control {
	struct fs_vault *vault;
	struct fs_serve *serve;
	bool alone, exit_when_idle;
	bool notifies; /* there is an account for the notify service: */
	uid_t notify_uid;
	struct fs_forward *forward; /* the daemon's; NULL: none */
	struct fs_harden_report harden;
	char *path; /* of the socket; NULL once removed */
	int listener, epoll, wake;
	atomic_bool stop;
	int64_t started_ns;

	/* The loop's own. */
	struct fs_control_conn **conn;
	size_t conns, conn_cap;
	uint64_t next_id;
	int64_t accept_again_ns; /* out of descriptors: no accept before */

	pthread_mutex_t lock; /* below */
	pthread_cond_t tick;  /* to the clock */
	bool recheck;	      /* policy changed */
	bool clock_stop;
	int64_t slept_ns; /* the clock's own: how long the computer had slept when it last looked */
	struct fs_control_last *last; /* who logged in when, since the daemon started */
	size_t lasts;
	unsigned jobs;
	bool aging; /* one of them: notes that are due become final */
	unsigned listening; /* of them: the notify service's, waiting for a notice */
	bool had_session;
	struct fs_control_agent **agent;
	size_t agents, agent_cap;
	struct fs_control_tries tries[FS_CONTROL_TRIES];
	struct fs_control_streams streams[FS_CONTROL_STREAMING];
};

/* ---- requests (control_verbs.c and those with the verbs) ---- */
struct fs_control_request {
	struct fs_control *c;
	struct fs_control_conn *conn; /* a reference */
	struct fs_wire_message m;
	struct fs_session *session; /* a reference, for verbs that need one */

	/* What the verb leaves: */
	json_t *answer; /* an object, begun empty */
	uint8_t *blob;	/* guarded, FS_WIRE_BLOB_MAX; NULL until fs_control_blob */
	size_t blob_len;
	struct fs_say say;
	char *report; /* malloc'ed lines, or NULL */
};

typedef int (*fs_control_verb_fn)(struct fs_control_request *rq);

/* Fields were checked against the verb's table: absent texts are "", numbers 0, truths false. */
const char *fs_control_text(const struct fs_control_request *rq, const char *name);
int64_t fs_control_int(const struct fs_control_request *rq, const char *name);
bool fs_control_true(const struct fs_control_request *rq, const char *name);
/* Room for len bytes behind what the answer's blob has, or NULL. */
uint8_t *fs_control_blob(struct fs_control_request *rq, size_t len);
/* A JSON text of bytes that may not be UTF-8: what is not is written as \xNN. */
json_t *fs_control_json_text(const char *text, size_t len);
/*
 * Sends the answer so far with "more" and begins a new one; waits while the peer is behind. -EPIPE:
 * the peer is gone or takes nothing.
 */
int fs_control_more(struct fs_control_request *rq);
/*
 * An array of objects that may grow long, sent in pieces of FS_CONTROL_OBJECTS, or fewer where names are long: a frame
 * has its bound, and one control character in a name takes six bytes of JSON.
 */
#define FS_CONTROL_OBJECTS 100
#define FS_CONTROL_OBJECTS_LEN (FS_WIRE_JSON_MAX / 4)
struct fs_control_objects {
	struct fs_control_request *rq;
	const char *name; /* of the array */
	json_t *list;	  /* borrowed from the answer */
	size_t bytes;	  /* of what is in it, as JSON */
};
int fs_control_objects_begin(struct fs_control_objects *to);
/* Takes the object over; NULL: memory was short. -ENOMEM, -EPIPE. */
int fs_control_objects_put(struct fs_control_objects *to, json_t *one);
/* Texts on their way into an array of the answer, sent whenever there are enough. */
#define FS_CONTROL_TEXTS_LEN (128u << 10)
struct fs_control_texts {
	struct fs_control_request *rq;
	const char *name; /* of the array */
	json_t *list;	  /* borrowed from the answer */
	size_t bytes;
	int rc; /* sticky */
};
int fs_control_texts_begin(struct fs_control_texts *to);
int fs_control_texts_put(struct fs_control_texts *to, const char *text, size_t len);
/* What a negative errno means to a person, when nobody further down had better words. */
const char *fs_control_plain_words(int rc);
/* Serves one request to its end: fills in the answer and queues it. */
void fs_control_serve(struct fs_control_request *rq);

int fs_control_verb_hello(struct fs_control_request *rq);
int fs_control_verb_salt(struct fs_control_request *rq);
int fs_control_verb_enroll(struct fs_control_request *rq);
int fs_control_verb_invite(struct fs_control_request *rq);
int fs_control_verb_login(struct fs_control_request *rq);
int fs_control_verb_mount(struct fs_control_request *rq);
int fs_control_verb_unlock(struct fs_control_request *rq);
int fs_control_verb_lock(struct fs_control_request *rq);
int fs_control_verb_logout(struct fs_control_request *rq);
int fs_control_verb_sessions(struct fs_control_request *rq);
int fs_control_verb_session_end(struct fs_control_request *rq);
int fs_control_verb_status(struct fs_control_request *rq);
int fs_control_verb_policy_show(struct fs_control_request *rq);
int fs_control_verb_policy_check(struct fs_control_request *rq);
int fs_control_verb_policy_put(struct fs_control_request *rq);
int fs_control_verb_attend(struct fs_control_request *rq);
int fs_control_verb_glass_ask(struct fs_control_request *rq);
int fs_control_verb_glass_search(struct fs_control_request *rq);
int fs_control_verb_glass(struct fs_control_request *rq);
int fs_control_verb_glass_close(struct fs_control_request *rq);
int fs_control_verb_notice_next(struct fs_control_request *rq);
int fs_control_verb_notice_done(struct fs_control_request *rq);
int fs_control_verb_proposals(struct fs_control_request *rq);
int fs_control_verb_approve(struct fs_control_request *rq);
int fs_control_verb_reject(struct fs_control_request *rq);
int fs_control_verb_policy_at(struct fs_control_request *rq);
int fs_control_verb_policy_log(struct fs_control_request *rq);
int fs_control_verb_policy_status(struct fs_control_request *rq);
int fs_control_verb_policy_review(struct fs_control_request *rq);
int fs_control_verb_policy_sign_off(struct fs_control_request *rq);
int fs_control_verb_policy_explain(struct fs_control_request *rq);
int fs_control_verb_policy_test(struct fs_control_request *rq);
int fs_control_verb_list(struct fs_control_request *rq);
int fs_control_verb_audit(struct fs_control_request *rq); /* control_audit.c */
int fs_control_verb_log_archive(struct fs_control_request *rq); /* control_archive.c */
int fs_control_verb_audit_records(struct fs_control_request *rq);
int fs_control_verb_audit_segments(struct fs_control_request *rq);
int fs_control_verb_audit_segment(struct fs_control_request *rq);
int fs_control_verb_audit_streams(struct fs_control_request *rq);
int fs_control_verb_audit_policies(struct fs_control_request *rq);
int fs_control_verb_audit_sign_off(struct fs_control_request *rq);
int fs_control_verb_log_checkpoint(struct fs_control_request *rq);
int fs_control_verb_keys_renew(struct fs_control_request *rq);
int fs_control_verb_keys_status(struct fs_control_request *rq);
int fs_control_verb_passwd(struct fs_control_request *rq);
int fs_control_verb_passphrases(struct fs_control_request *rq);
int fs_control_verb_factor_status(struct fs_control_request *rq);
int fs_control_verb_factor_enroll(struct fs_control_request *rq);
int fs_control_verb_factor_codes(struct fs_control_request *rq);
int fs_control_verb_factor_remove(struct fs_control_request *rq);

/* ---- control_factor.c ---- */
struct keys_stretch_cost fs_control_cost(const struct fs_control_request *rq);
const char *fs_control_factor_text(enum fs_factor_kind kind); /* "totp", "key-file", "none" */
/*
 * What a request proves itself with: the stretched passphrase at the blob's beginning, the key file's hash
 * of `keyfile` bytes at `at`, its fields who, origin and code.
 */
struct fs_login fs_control_credentials(struct fs_control_request *rq, size_t at, size_t keyfile);
/*
 * The blob of a log-in: as it always was, or (field renew) with a new passphrase, which next then
 * is. -EINVAL: its length fits neither.
 */
int fs_control_credentials_renew(struct fs_control_request *rq, struct fs_login *in,
				 struct fs_passphrase *next, struct keys_stretch_cost *cost);

int fs_control_verb_note_look(struct fs_control_request *rq);
int fs_control_verb_note_finalize(struct fs_control_request *rq);
int fs_control_verb_note_sign(struct fs_control_request *rq);
int fs_control_verb_note_error(struct fs_control_request *rq);
int fs_control_verb_note_amend(struct fs_control_request *rq);
int fs_control_verb_note_move(struct fs_control_request *rq);
int fs_control_verb_note_verify(struct fs_control_request *rq);
int fs_control_verb_note_export(struct fs_control_request *rq);
/* ---- control_notes.c ---- */
/* "locked", "final", "signed", "countersigned", "error"; "" else. */
const char *fs_control_note_kind(uint8_t kind);

int fs_control_verb_note_history(struct fs_control_request *rq); /* control_history.c */
int fs_control_verb_grants(struct fs_control_request *rq);
int fs_control_verb_grant_show(struct fs_control_request *rq);
int fs_control_verb_grant_judge(struct fs_control_request *rq);
int fs_control_verb_grant_pairs(struct fs_control_request *rq);
/* For `status`: one's own open emergency accesses and (all) how many there are; NULL: no memory. */
json_t *fs_control_emergencies(struct fs_control_request *rq, bool all);
/* ---- control_policy.c ---- */
/* Whether the request's session is unlocked and has these rights over the whole vault, now. */
bool fs_control_may(struct fs_control_request *rq, uint32_t rights);

/* ---- control_notice.c ---- */
/* For `status`: what waits to be told, for who may know. */
int fs_control_notice_status(struct fs_control_request *rq);

/* ---- control.c ---- */
int64_t fs_control_now_ns(void); /* boot-time clock */
void fs_control_wake(struct fs_control *c);
/* Runs fn(c, arg) in a thread of its own. -EAGAIN: no thread could be had. */
int fs_control_job(struct fs_control *c, void (*fn)(struct fs_control *c, void *arg), void *arg);

/* ---- control_conn.c ---- */
struct fs_control_conn *fs_control_conn_get(struct fs_control_conn *conn);
void fs_control_conn_put(struct fs_control_conn *conn);
void fs_control_conn_accept(struct fs_control *c);
/* What epoll told of connection id. */
void fs_control_conn_ready(struct fs_control *c, uint64_t id, uint32_t events);
/* Reads what is there, sends what waits, closes what is over; all connections. */
void fs_control_conn_serve_all(struct fs_control *c);
void fs_control_conn_close_all(struct fs_control *c);
/* Queues a frame; any thread. -EPIPE. */
int fs_control_conn_send(struct fs_control *c, struct fs_control_conn *conn, json_t *json,
			 const void *blob, size_t len);
/* Waits until the peer has taken most of what is queued. -EPIPE: it does not, or is gone. */
int fs_control_conn_drain(struct fs_control *c, struct fs_control_conn *conn);

/* ---- control_tries.c ---- */
/* -EAGAIN: this account was refused too often just now. */
int fs_control_tries_check(struct fs_control *c, uid_t uid, struct fs_say *say);
void fs_control_tries_refused(struct fs_control *c, uid_t uid);

/* ---- control_socket.c ---- */
/* Makes the listening socket; say names what is wrong with its place and the remedy. */
int fs_control_socket_open(const char *path, bool alone, int *fd, struct fs_say *say);

/* ---- control_agent.c ---- */
struct fs_control_agent *fs_control_agent_get(struct fs_control_agent *a);
void fs_control_agent_put(struct fs_control_agent *a);
/* The agent of this session with a reference, or NULL. */
struct fs_control_agent *fs_control_agent_of(struct fs_control *c, const struct fs_session *s);
/* The agent that this connection is, with a reference, or NULL. */
struct fs_control_agent *fs_control_agent_of_conn(struct fs_control *c,
						  struct fs_control_conn *conn);
/* All agents, or those of one account, with references; at most cap. */
size_t fs_control_agents_of(struct fs_control *c, const uid_t *uid, struct fs_control_agent **out,
			    size_t cap);
/* An event to the agent, if there is one yet. */
void fs_control_agent_tell(struct fs_control *c, struct fs_control_agent *a, const char *event,
			   const char *why);
/* Borrowed: with agent->lock it stays. */
struct fs_mount *fs_control_mount_of(struct fs_session *s);
/* Ends it and returns when that is done; by may be NULL. */
void fs_control_agent_end_now(struct fs_control *c, struct fs_control_agent *a,
			      const struct fs_asker *by, const char *why);
/* Begins to end the session (refused from now on) and does the rest in a job. Takes no reference. */
void fs_control_agent_end(struct fs_control *c, struct fs_control_agent *a, const char *why);
/* Ends all sessions and waits until it is done. */
void fs_control_agent_end_all(struct fs_control *c);
/* For fs_serve_on_gone and fs_vault_config.session_over. */
void fs_control_agent_gone(void *control, struct fs_session *s);

/* ---- control_lock.c ---- */
/* From the clock: locks sessions that have been idle for as long as policy allows. */
void fs_control_lock_idle(struct fs_control *c);
/* From the clock: locks all sessions when the computer has slept since it was last asked. */
void fs_control_lock_slept(struct fs_control *c);

/* ---- control_sessions.c ---- */
/* Who asks, by the connection and the request; where it names no origin, the session's of its agent. */
struct fs_asker fs_control_asker(struct fs_control_request *rq,
				 char origin[static FS_CONTROL_ORIGIN]);
/* "active", "locking", "locked" or "ended". */
const char *fs_control_state_text(const struct fs_session *s);
/* The log-in before this one, in the answer as `last`, if it is known; this one is kept for the next. */
int fs_control_last_login(struct fs_control_request *rq, const struct fs_session *s);

#endif
