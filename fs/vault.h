/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/vault.h - a vault: its people, policy, journals and sessions.
 *
 * Owns the records layer, the access log, identities, envelopes, invitations,
 * key lists, policy versions, names and wraps, and the table of sessions. Knows
 * nothing of FUSE or of the socket: control.c and the FUSE layer call it. Split
 * over vault.c (open, close, init), people.c, policies.c, journals.c,
 * sessions.c, grants.c, recover.c behind this one header.
 *
 * Every call that decides or changes something writes its log record itself,
 * durable before it returns. Texts for people go to the fs_say buffer.
 *
 * Locks: all inside (fs/vault_impl.h); callers hold none. Changes of policy and
 * people go one after the other and wait for the log; nothing that a mount's
 * operations call waits for them. Policy is a reference-counted immutable snapshot.
 */
#ifndef FS_VAULT_H
#define FS_VAULT_H

#include "../policy/grounds.h"
#include "../policy/syslog.h"
#include "log.h"
#include "../keys/header.h"
#include "../keys/invite.h"
#include "../keys/recovery.h"
#include "session.h"

struct fs_vault;

/* A message for the person at the other end: names the thing and the remedy. */
struct fs_say {
	char text[2048];
};
void fs_say(struct fs_say *say, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Where a vault's secrets outside it live. Files are 0600 (host secret: at most 0440). */
struct fs_state_paths {
	const char *dir; /* made if missing, 0700: daemon.key, daemon.cert, last */
	const char
		*host_secret; /* NULL: dir/host-secret; else a file such as a systemd credential */
};

/* ---- making ---- */
struct fs_vault_init {
	const char *path; /* must not exist or be an empty directory of ours */
	struct fs_state_paths state;
	const char *title;   /* of the practice */
	const char *who;     /* first practitioner (alone) or steward */
	const char *account; /* system account of that person */
	uid_t uid;
	/* alone: the stretched passphrase with its salt and cost; clinic: NULL, an invitation is
	 * made */
	const uint8_t *stretched;
	const uint8_t *salt;
	const struct keys_stretch_cost *cost;
};
struct fs_vault_made {
	char recovery[KEYS_RECOVERY_TEXT_MAX]; /* to be printed once and wiped */
	char code[KEYS_CODE_TEXT_MAX];	       /* clinic: the steward's invitation */
	uint8_t root_hash[KEYS_LEN];
	uint8_t vault[KEYS_VAULT_ID_LEN];
};
/* On failure nothing is left behind. */
int fs_vault_init(const struct fs_vault_init *in, struct fs_vault_made *out, struct fs_say *say);

/* ---- opening ---- */
struct fs_vault_config {
	const char *path;
	struct fs_state_paths state;
	bool read_only;
	/* Called when a change may have taken access away (policy, left, expiry): the mount layer
	 * cuts. */
	void (*policy_changed)(void *ctx);
	/* Damage or forgery was found: already logged as an alarm. Any thread; must not call back.
	 */
	void (*alarm)(void *ctx, const char *text);
	/*
	 * Changes that programs saw succeed are lost: in this journal, or (0) in the whole vault,
	 * which is read-only from now on. An alarm was raised. The mount layer makes the kernels
	 * forget what they cached. Any thread; must return at once and not call back.
	 */
	void (*failed)(void *ctx, uint32_t journal);
	/*
	 * This session is over (ceiling, on leave, left, expired); every request but the writing
	 * out of mapped pages is refused already. The mount layer cuts and calls fs_vault_end_finish. NULL: the vault finishes by
	 * itself. From fs_vault_tick; the session is borrowed.
	 */
	void (*session_over)(void *ctx, struct fs_session *s, const char *why);
	/*
	 * Somebody should know at once, whoever reads the log: emergency access. Names practitioners, no patient,
	 * no reason. Must return at once and not call back. NULL: nobody.
	 */
	void (*alert)(void *ctx, const char *text);
	/*
	 * A record was written that the practice policy forwards. From whoever appended it; must return at once and not
	 * call back. NULL: nothing is forwarded.
	 */
	void (*forward)(void *ctx, const struct policy_record *r, enum policy_forward how);
	bool notifies;	  /* notify_uid is set: the account of the notify service (fs/notice.h) */
	uid_t notify_uid;
	void *ctx;
};
/*
 * Takes the exclusive lock on the vault. say names what is wrong: not a vault, damaged header,
 * newer format, in use (by which process), readable by others, host secret missing or not this
 * vault's, rolled back, read-only or full disk.
 */
int fs_vault_open(const struct fs_vault_config *cfg, struct fs_vault **out, struct fs_say *say);
/* Ends all sessions, commits, closes the log. */
int fs_vault_close(struct fs_vault *v);

const uint8_t *fs_vault_id(const struct fs_vault *v);
const uint8_t *fs_vault_root_hash(const struct fs_vault *v);
struct fs_records *fs_vault_records(struct fs_vault *v);
struct fs_log *fs_vault_log(struct fs_vault *v);
/* Whether records are forwarded, and how: as the practice policy says, or said when it was last known. */
enum policy_forward fs_vault_forwards(const struct fs_vault *v);
/* The daemon proves itself: fills header bytes (KEYS_HEADER_LEN), daemon_pk, cert and answer to
 * nonce. */
struct fs_vault_proof {
	uint8_t header[KEYS_HEADER_LEN];
	uint8_t daemon_pk[KEYS_LEN];
	uint8_t cert[KEYS_SIG_LEN];
	uint8_t answer[KEYS_SIG_LEN];
};
void fs_vault_prove(struct fs_vault *v, const uint8_t nonce[static KEYS_NONCE_LEN],
		    struct fs_vault_proof *out);
/* Every minute and at close: commit number and root to state/last. */
int fs_vault_remember(struct fs_vault *v);
/* Periodic work, from the control thread, about once a second, bounded: pending grants, ceilings.
 */
void fs_vault_tick(struct fs_vault *v);
/*
 * Goes on with the renewal of journals' keys, for some milliseconds. The answer: in how many
 * milliseconds there is more to do; 0: not before the next tick.
 */
unsigned fs_vault_renew_more(struct fs_vault *v);

/* Reference to the practice policy in force; NULL while the index key is not known (nobody logged
 * in). */
struct policy_practice *fs_vault_practice(struct fs_vault *v);
uint32_t fs_vault_policy_version(struct fs_vault *v);

/* ---- people ---- */
/* Salt and cost for a client to stretch with; who by name or, empty, by uid. Unknown ones get a
 * fake but stable answer, so that names can't be probed. */
int fs_vault_salt(struct fs_vault *v, uid_t uid, const char *who,
		  uint8_t salt[static KEYS_SALT_LEN], struct keys_stretch_cost *cost,
		  char who_out[static KEYS_NAME_MAX + 1]);

/* A new passphrase, stretched. */
struct fs_passphrase {
	const uint8_t *salt, *stretched;
	const struct keys_stretch_cost *cost;
	struct keys_span keyfile;
	/* The same one stretched with each of fs_vault_passphrases (fs/factor.h), KEYS_LEN each. */
	const uint8_t *olds;
	size_t n_olds;
};
struct fs_login {
	uid_t uid;
	pid_t pid;	 /* peer process */
	const char *who; /* "" = the identity of this uid */
	const char *origin;
	const uint8_t *stretched;
	struct keys_span keyfile;
	const char *code; /* of the second factor, or a recovery code; NULL, "": not given */
	const struct fs_passphrase *renew; /* NULL: the passphrase stays */
};
/*
 * -EKEYREJECTED wrong passphrase or code (back-off by account AND uid: a stranger cannot lock anybody out),
 * -EAGAIN too soon after failures (say tells how long), -ENOENT unknown or not enrolled, -EPERM not
 * this uid's identity, -EACCES on leave / left / expired, or a second factor is required and none is enrolled.
 * -EKEYEXPIRED: all was right but the passphrase is too old; the code was not used up. With `renew`
 * it is replaced; -EINVAL: the new one was used before.
 */
int fs_vault_login(struct fs_vault *v, const struct fs_login *in, struct fs_session **out,
		   struct fs_say *say);
/* Keys back into a locked session. Same errors. No code is asked for, nor an old passphrase refused. */
int fs_vault_unlock(struct fs_vault *v, struct fs_session *s, const struct fs_login *in,
		    struct fs_say *say);
/*
 * Lock and end are done with the mount layer: (1) begin: state draining (or ended), (2) the mount
 * layer invalidates and drops its inodes, (3) finish: commit, wipe keys, drop journals; logged.
 */
void fs_vault_lock_begin(struct fs_vault *v, struct fs_session *s);
int fs_vault_lock_finish(struct fs_vault *v, struct fs_session *s, const char *why);
void fs_vault_end_begin(struct fs_vault *v, struct fs_session *s);
int fs_vault_end_finish(struct fs_vault *v, struct fs_session *s, const char *why);
/* Who asks for something to happen to a session, and from where: not always who it began with. */
struct fs_asker {
	uid_t uid;
	pid_t pid;	    /* of the asking program */
	const char *origin; /* as it claims; "": it does not say */
};
/* The same at somebody's word (NULL: at nobody's), whose program and origin the record has. */
int fs_vault_lock_finish_by(struct fs_vault *v, struct fs_session *s, const struct fs_asker *by,
			    const char *why);
int fs_vault_end_finish_by(struct fs_vault *v, struct fs_session *s, const struct fs_asker *by,
			   const char *why);
#define FS_SESSION_SHORT 8 /* hexadecimal digits that name a session to people */
/*
 * Durable, before the effect: steward (a session with the policy right) ends s, which is somebody
 * else's. -EACCES without the right; -EINVAL without a reason.
 */
int fs_vault_end_order(struct fs_vault *v, struct fs_session *steward, const struct fs_asker *by,
		       const struct fs_session *s, const char *reason, struct fs_say *say);
/* Durable: this account wanted to end a session that is not its own. Returns -EACCES or -EIO. */
int fs_vault_end_refused(struct fs_vault *v, const struct fs_session *asking,
			 const struct fs_asker *by, const char *id, struct fs_say *say);
/* The live sessions; calls fn with a borrowed reference; fn returns 1 to stop. */
void fs_vault_sessions(struct fs_vault *v, int (*fn)(void *ctx, struct fs_session *s), void *ctx);
/* The session of this uid (newest, live or locked) with a reference, or NULL. */
struct fs_session *fs_vault_session_of(struct fs_vault *v, uid_t uid);

/* Steward: practitioner `name` of the policy in force. again: replaces an earlier identity (alarm).
 */
int fs_vault_invite(struct fs_vault *v, struct fs_session *by, const char *name, bool again,
		    uint32_t days, char code[static KEYS_CODE_TEXT_MAX], struct fs_say *say);
struct fs_enroll {
	uid_t uid;
	pid_t pid;
	const char *account; /* of uid, as the daemon's host resolves it */
	const char *origin;
	const uint8_t *code; /* KEYS_CODE_LEN */
	const uint8_t *salt;
	const struct keys_stretch_cost *cost;
	const uint8_t *stretched;
	struct keys_span keyfile;
};
/* -EKEYREJECTED wrong, used or expired code; -EPERM the invitation is for another account. */
int fs_vault_enroll(struct fs_vault *v, const struct fs_enroll *in,
		    char name[static KEYS_NAME_MAX + 1], struct fs_say *say);
/* New passphrase for a live session's practitioner, after proof of the old one. -EINVAL: used before. */
int fs_vault_passwd(struct fs_vault *v, struct fs_session *s, const struct fs_login *old,
		    const struct fs_passphrase *next, struct fs_say *say);
/*
 * With the vault closed (offline, by the daemon's account or the person alone): the printed
 * recovery key opens the escrow, makes the lost host state anew and accepts the vault as it is (a
 * restored backup). With `who`: stretched NULL makes an invitation for that practitioner; else he
 * gets a new identity at once, and every key that policy grants him is wrapped for it (forgotten
 * passphrase). Logged and alarmed.
 */
struct fs_recover {
	const struct fs_vault_config *config;
	const char *recovery; /* as printed */
	const char *who;      /* practitioner, or NULL */
	/* the new passphrase, with the salt and cost that it was stretched with; NULL: invitation
	 */
	const uint8_t *stretched;
	const uint8_t *salt;
	const struct keys_stretch_cost *cost;
	struct keys_span keyfile;
	uid_t uid; /* of the new identity */
};
/* code: the invitation, "" when none was made. -EKEYREJECTED: not this vault's recovery key. */
int fs_vault_recover(const struct fs_recover *in, char code[static KEYS_CODE_TEXT_MAX],
		     struct fs_say *say);

/* ---- policy ---- */
/*
 * file: "practice", "practice.d/NAME" (a part of it) or a journal's name. The text in force; caller
 * frees. version: its number; the practice and its parts have one number together. -ENOENT.
 */
int fs_vault_policy_show(struct fs_vault *v, struct fs_session *by, const char *file, char **text,
			 size_t *len, uint32_t *version, struct fs_say *say);
/* Checks only: 0, or -EINVAL with the report's lines in *report (caller frees). -EACCES without the
 * policy right. */
int fs_vault_policy_check(struct fs_vault *v, struct fs_session *by, const char *file,
			  const char *text, size_t len, char **report, struct fs_say *say);
/* Accepts a new version: signed, chained, logged, in force for the next request. base: the version
 * that was edited, 0 for a new part; -ESTALE when this file's text is no longer that of base (say
 * tells who replaced it). A part is judged together with the practice and its other parts. */
int fs_vault_policy_put(struct fs_vault *v, struct fs_session *by, const char *file,
			const char *text, size_t len, uint32_t base, char **report,
			struct fs_say *say);
/* The same with the reason, which stays with the version: at most FS_REASON_MAX bytes, "" none. */
#define FS_REASON_MAX 255u
int fs_vault_policy_put_because(struct fs_vault *v, struct fs_session *by, const char *file,
				const char *text, size_t len, uint32_t base, const char *reason,
				char **report, struct fs_say *say);

/* ---- policy as it was (policy_log.c) ---- */
/* version (global number), else the moment, else (both 0) now. */
struct fs_policy_when {
	uint32_t version;
	int64_t at_s;
};
struct fs_policy_text {
	char *text; /* the caller frees */
	size_t len;
	uint32_t version; /* the one that made it */
	int64_t time_s;
	char file[256];			/* as it was called in that version */
	char who[KEYS_NAME_MAX + 1];	/* who signed it; "" the vault's root */
	char reason[FS_REASON_MAX + 1]; /* "" none was given */
};
/*
 * The text that was in force then: of the practice, of a part ("practice.d/NAME"), or of a journal
 * by the name that it had then, though it was renamed or removed since. -ENOENT, -EACCES (needs the
 * policy, the audit or the review right).
 */
int fs_vault_policy_at(struct fs_vault *v, struct fs_session *by, const char *file,
		       const struct fs_policy_when *when, struct fs_policy_text *out,
		       struct fs_say *say);
enum fs_policy_state {
	FS_POLICY_IN_FORCE,
	FS_POLICY_REPLACED,
	FS_POLICY_GONE /* of a journal that is not there any more */
};
struct fs_policy_change {
	uint32_t number, before; /* before: which it replaced; 0: the first of its file */
	int64_t time_s;
	enum fs_policy_state state;
	char file[256];
	char who[KEYS_NAME_MAX + 1];
	char reason[FS_REASON_MAX + 1];
	bool changed; /* of a part: other versions of the practice leave it as it was */
	unsigned added, removed; /* lines */
	char summary[400];	 /* the first of them that are no comments */
};
/*
 * The versions after number `after`, newest first, of one file or (file "") of all. fn returns 1 to
 * stop, a negative errno to fail. Same rights.
 */
int fs_vault_policy_log(struct fs_vault *v, struct fs_session *by, const char *file, uint32_t after,
			int (*fn)(void *ctx, const struct fs_policy_change *c), void *ctx,
			struct fs_say *say);

/* ---- what a steward should look at (policy_report.c, policy_review.c) ---- */
struct fs_policy_item {
	const char *kind; /* proposal, review, enrolment, leave, validity, keys, grant, ends, attend, damaged */
	const char *who;  /* practitioners, or the name in an entry; NULL: none */
	const char *journal; /* NULL: none */
	int64_t until_s;     /* 0: no such time */
	char text[600];	     /* what is so */
	char next[600];	     /* what to do about it; "" nothing */
};
/*
 * What waits, and what ends within so many days. For the policy right. fn returns 1 to stop, a
 * negative errno to fail; it is called without locks and may wait.
 */
int fs_vault_policy_status(struct fs_vault *v, struct fs_session *by, uint32_t days,
			   int (*fn)(void *ctx, const struct fs_policy_item *item), void *ctx,
			   struct fs_say *say);

/* ---- questions about decisions (policy_ask.c) ---- */
struct fs_explain {
	const char *who;     /* "": the asker */
	const char *journal; /* "": about rights of the vault */
	const char *note;    /* "" none; only named in the answer */
	const char *action;  /* rights by their words, "read,write"; "": read */
	int64_t at_s;	     /* 0: now */
};
/*
 * Why it is so, in plain words that the caller frees. Of themselves everybody may ask, for journals
 * that they see (-ENOENT else, as if there were none); of others the policy or the audit right may
 * (-EACCES). Logged.
 */
int fs_vault_explain(struct fs_vault *v, struct fs_session *by, const struct fs_explain *in,
		     char **text, struct fs_say *say);

struct fs_policy_draft {
	const char *file, *text; /* "practice", "practice.d/NAME", a journal's name */
	size_t len;
};
struct fs_policy_test {
	const struct fs_policy_draft *draft; /* take the place of what is in force */
	size_t drafts;
	const char *name, *text; /* expectations (policy/expect.h); name is for errors */
	size_t len;
	int64_t at_s; /* of expectations that name no time; 0: now */
};
struct fs_policy_tested {
	unsigned total, failed;
};
/*
 * Calls fn for each expectation that does not hold. -EINVAL with *report when a draft or the
 * expectations don't parse. For the policy right; nothing is changed.
 */
int fs_vault_policy_test(struct fs_vault *v, struct fs_session *by, const struct fs_policy_test *in,
			 int (*fn)(void *ctx, const char *line), void *ctx,
			 struct fs_policy_tested *out, char **report, struct fs_say *say);

/* ---- the access review ---- */
#define FS_REVIEW_DIGEST 32u /* SHA-256 of the report that was signed off */
struct fs_review_sign_off {
	uint32_t number; /* 0: there was none */
	int64_t time_s;
	uint32_t pid, enrolment;
	char who[KEYS_NAME_MAX + 1];
	uint32_t practice, version; /* of the practice policy, of all policy */
	uint32_t practitioners;
	uint8_t digest[FS_REVIEW_DIGEST];
};
struct fs_review_head {
	int64_t time_s;
	const char *title;
	uint32_t practice, version, practitioners, journals;
	uint32_t changed; /* journals whose policy in force is younger than the last sign-off */
	/* Emergency accesses: since the last sign-off; of all: to be judged, overdue, open deviations */
	uint32_t glass, glass_pending, glass_overdue, glass_deviations;
	struct fs_review_sign_off last;
};
/* One journal that a practitioner reaches by an entry of his own, or that a block keeps him from. */
struct fs_review_access {
	const char *who, *journal;
	uint32_t index; /* of the journal, as the access log has it */
	enum policy_access access;
	uint32_t rights;
	int64_t until_s;   /* INT64_MAX: open */
	const char *block; /* NULL: none; else the block's entry, and there are no rights */
};
struct fs_review_total {
	const char *who;
	uint32_t by[POLICY_ACCESS_COUNT + 1]; /* journals, each under its strongest ground */
	uint32_t read, write, blocked;
	uint32_t named; /* journals that name him, whether that gives him anything or not */
};
/* What is found, in this order; each returns 1 to stop, a negative errno to fail, and may wait. */
struct fs_review_to {
	int (*head)(void *ctx, const struct fs_review_head *h);
	int (*person)(void *ctx, const struct policy_practitioner *p, bool enrolled);
	int (*access)(void *ctx, const struct fs_review_access *a); /* of that person */
	int (*total)(void *ctx, const struct fs_review_total *t);   /* of that person */
	int (*alone)(void *ctx, const char *who, uint32_t journals); /* that nobody else reads */
};
/*
 * For the policy or the review right; logged. unit "": everybody, else its practitioners. -ENOENT: no
 * such unit.
 */
int fs_vault_review(struct fs_vault *v, struct fs_session *by, const char *unit,
		    const struct fs_review_to *to, void *ctx, struct fs_say *say);
struct fs_review_request {
	uint32_t practice, version; /* as the review's head said */
	const char *unit, *text;    /* text: what was found, 1 to FS_REASON_MAX bytes */
	uint8_t digest[FS_REVIEW_DIGEST];
};
/* Durable in the log, then kept in the vault. -ESTALE: another practice policy is in force. */
int fs_vault_review_sign_off(struct fs_vault *v, struct fs_session *by,
			     const struct fs_review_request *rq, struct fs_say *say);

/* The same with the part "practice.d/NAME" taken out; -EPERM for any other file. */
int fs_vault_policy_remove(struct fs_vault *v, struct fs_session *by, const char *file,
			   uint32_t base, char **report, struct fs_say *say);
/*
 * The part "practice.d/NAME" gets another name, in one version. -EEXIST when there is one of that
 * name; -EPERM for any other file.
 */
int fs_vault_policy_rename(struct fs_vault *v, struct fs_session *by, const char *file,
			   const char *newfile, uint32_t base, char **report, struct fs_say *say);
/* The number in force of a file; of a part, whether it exists or not, the practice's. -ENOENT. */
int fs_vault_policy_number(struct fs_vault *v, const char *file, uint32_t *version);
/* What fs_vault_policy_show gives, only with the policy right; no call of these four is logged. */
int fs_vault_policy_read(struct fs_vault *v, struct fs_session *by, const char *file, char **text,
			 size_t *len, uint32_t *version);
/*
 * The practice policy in force, file by file: name "" is the practice itself, then the parts in the
 * order of their names. What fn returns, if not 0, ends it. -EACCES
 * without the policy right, like the next two.
 */
int fs_vault_policy_parts(struct fs_vault *v, struct fs_session *by, uint32_t *version,
			  int (*fn)(void *ctx, const char *name, const char *text, size_t len),
			  void *ctx);
struct fs_policy_stamp {
	uint64_t time_s;
	uint32_t before; /* the version of this file that it replaced; 0: none */
	char who[KEYS_NAME_MAX + 1];
};
/* When a version was made, and by whom. */
int fs_vault_policy_stamp(struct fs_vault *v, struct fs_session *by, uint32_t number,
			  struct fs_policy_stamp *out);
/* A file's text at a version of its own. -ENOENT: it is another file's number. Caller frees. */
int fs_vault_policy_text_at(struct fs_vault *v, struct fs_session *by, const char *file,
			    uint32_t number, char **text, size_t *len);
/*
 * What takes two stewards. fs_vault_policy_put answers -EINPROGRESS when it has kept a text that gives new
 * powers as a proposal, and fs_vault_invite so for a new identity, when the practice has two. All of these
 * need the policy right. -ENOENT: no such proposal.
 */
/* A line each: number, when, who, what. Caller frees. */
int fs_vault_proposals(struct fs_vault *v, struct fs_session *by, char **text, struct fs_say *say);
/* What it would change, for people. Caller frees. */
int fs_vault_proposal_diff(struct fs_vault *v, struct fs_session *by, uint32_t number, char **text,
			   struct fs_say *say);
/*
 * By another steward than the one who proposed (-EPERM). A policy is in force on return; of an invitation
 * `code` receives the one-time code, else it is empty. -ESTALE: written for a version that is no longer in
 * force. Errors else as fs_vault_policy_put and fs_vault_invite.
 */
int fs_vault_proposal_approve(struct fs_vault *v, struct fs_session *by, uint32_t number,
			      char code[static KEYS_CODE_TEXT_MAX], char **report,
			      struct fs_say *say);
int fs_vault_proposal_reject(struct fs_vault *v, struct fs_session *by, uint32_t number,
			     struct fs_say *say);
/*
 * Journals that `by` may list with cookie > after, in cookie order (the order in which they were
 * made, so that a listing shows each stable journal exactly once whatever is renamed meanwhile).
 * fn returns 1 to stop.
 */
int fs_vault_list(struct fs_vault *v, struct fs_session *by,
		  int (*fn)(void *ctx, uint32_t index, const char *name, uint64_t cookie),
		  uint64_t after, void *ctx);

struct fs_attend {
	const char *journal; /* exactly as it is called */
	const char *reason;  /* in own words */
	uint32_t seconds;    /* 0: as long as the practice lets it last */
};
/*
 * A clinician states a care relationship of their own; it holds, and what opens with it, until *until_s. say
 * tells when the key still waits, though the result is 0. -EACCES: not this role, or (where the practice
 * shows blocks) a block; -ENOENT: no such journal, or a block hides it; -EINVAL: the reason or the time;
 * -EEXIST: nothing more would be given. Refusals are logged.
 */
int fs_vault_attend(struct fs_vault *v, struct fs_session *s, const struct fs_attend *in,
		    int64_t *until_s, struct fs_say *say);

/* ---- journals ---- */
/* The decision for a journal (rights, ground), now. -ENOKEY, -ENOENT (no such index). */
int fs_vault_decide(struct fs_vault *v, struct fs_session *s, uint32_t index, uint32_t rights,
		    struct policy_verdict *out, char *rule, size_t rule_cap);
/*
 * Of an emergency grant that holds now: since when. What this practitioner has made since then is his to change
 * (POLICY_DRAFT). False: there is none, or the wall clock was set so far since log-in that what this session signs
 * would not be believed afterwards: then it may only read.
 */
bool fs_vault_drafts(struct fs_vault *v, struct fs_session *s, uint32_t index, int64_t *since_s);
/* Its number, and since when. False: there is none. */
bool fs_vault_grant(struct fs_vault *v, struct fs_session *s, uint32_t index, uint64_t *number,
		    int64_t *since_s);
/*
 * Does the practice policy in force keep the program of this thread out (`program deny`)? By the name of the thread or of
 * its process, which goes to name when it does. Without such a line that is one load; else a read of /proc.
 */
bool fs_vault_denies_program(struct fs_vault *v, pid_t tid, char name[static 16]);
/* The same for vault-level rights (create, policy, audit). */
int fs_vault_decide_vault(struct fs_vault *v, struct fs_session *s, uint32_t rights,
			  struct policy_verdict *out, char *rule, size_t rule_cap);
/* -ENOENT: no such name (whoever asks). */
int fs_vault_journal_by_name(struct fs_vault *v, const char *name, uint32_t *index);
/* For fs_history_tree_on_name: what practitioner number pid is called in this vault. -ENOENT; -ERANGE: cap is too small. */
int fs_vault_pid_name(void *vault, uint32_t pid, char *out, size_t cap);
int fs_vault_journal_name(struct fs_vault *v, uint32_t index, char name[static 256]);
/*
 * The journal opened with this session's wrap; one reference. The caller has decided that the
 * session may read. -EACCES: the key still waits for somebody who holds it (status says so),
 * -EBADMSG, -ENOKEY.
 */
int fs_vault_journal(struct fs_vault *v, struct fs_session *s, uint32_t index,
		     struct fs_journal **out);
/* -EEXIST (also when hidden), -EACCES without the create right, -EINVAL/-ENAMETOOLONG for the name.
 */
int fs_vault_journal_make(struct fs_vault *v, struct fs_session *s, const char *name,
			  uint32_t *index);
int fs_vault_journal_rename(struct fs_vault *v, struct fs_session *s, const char *name,
			    const char *newname);
int fs_vault_journal_remove(struct fs_vault *v, struct fs_session *s, const char *name);

/* ---- status ---- */
struct fs_vault_status {
	char title[256];
	uint32_t journals, practitioners, sessions;
	uint32_t grants_waiting, enrolments_waiting;
	uint32_t policy_version;
	uint64_t commit;
	uint64_t free_bytes, used_bytes;
	bool keys_locked; /* mlock worked */
	bool waiting_for_space;
	int failed; /* sticky store error */
	struct fs_log_stat log;
};
void fs_vault_status(struct fs_vault *v, struct fs_vault_status *out);
/* ---- renewal of journals' keys ---- */
/*
 * Asks for new keys, durably: of this journal (by a steward, or by who may read and write it), or
 * (journal "") of all journals whose keys `who` has or had when he left (by a steward). *n: how
 * many. The work is done by fs_vault_tick whenever somebody who may write there is logged in.
 * -EACCES, -ENOENT, logged.
 */
int fs_vault_renew(struct fs_vault *v, struct fs_session *by, const char *journal, const char *who,
		   uint32_t *n, struct fs_say *say);
/* Counted are the journal under way's records (and bytes), of those that older keys sealed. */
struct fs_renew_progress {
	char journal[256]; /* "": none */
	bool counting;	   /* the totals are still growing */
	uint64_t records, records_total, bytes, bytes_total;
};
/* One journal that waits or is under way; what: its state ("queued", "waiting", "running", "space",
 * "damaged") for people. */
struct fs_renew_one {
	const char *journal, *by, *because, *state, *what;
	uint64_t since_s;
};
/*
 * What is asked for and not done: of this journal, on account of this practitioner, or (both "") all
 * that the session may see. *left: how many; *waiting: those of them that wait for somebody to log
 * in; fn is called for each until it returns 1. -ENOENT: no such practitioner.
 */
int fs_vault_renew_status(struct fs_vault *v, struct fs_session *by, const char *journal,
			  const char *who, int (*fn)(void *ctx, const struct fs_renew_one *one),
			  void *ctx, uint32_t *left, uint32_t *waiting,
			  struct fs_renew_progress *now);

/* What waits, one line each, for a session with the policy right. Caller frees. */
char *fs_vault_waiting(struct fs_vault *v, struct fs_session *by);

/* Fills who, role, unit, session, uid, program, origin of a record from a session and process. */
void fs_vault_record(struct fs_vault *v, struct fs_session *s, pid_t pid, struct policy_record *r);
#endif
