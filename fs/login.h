/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/login.h - what login.c, factor.c and passphrase.c share; a part of vault_impl.h.
 */
#ifndef FS_LOGIN_H
#define FS_LOGIN_H

#include "factor.h"
#include "vault_impl.h"

/* ---- login.c: edit held ---- */
struct fs_factor_use; /* below */
/* What a log-in or unlock has shown. */
struct fs_login_proof {
	const struct keys_identity *id;
	struct keys_identity_secret *secret; /* guarded memory, the caller's */
	enum fs_factor_kind factor;	     /* enrolled, and (but for totp at an unlock) shown */
	char how[64];			     /* for the record: which factor; "" none */
};
/*
 * Everything that a log-in has to show (s: an unlock of that session): opens the index, uses up a
 * code, replaces an old passphrase. On failure told and logged, and the index released.
 */
int fs_login_prove(struct fs_vault *v, const struct fs_login *in, const struct fs_session *s,
		   struct fs_login_proof *out, struct fs_say *say);
/* What opens when passphrase and, if use is not NULL, code are right. */
struct fs_login_opened {
	struct fs_person *p;
	struct keys_envelope env;
	struct fs_factor_use *use; /* NULL: no code is asked for */
	const char *doing;	   /* for the log: what was tried, "" a log-in */
};
/* The first half of it: whose identity, back-off, passphrase, code; secret is guarded memory. */
int fs_login_open(struct fs_vault *v, const struct fs_login *in, const struct fs_session *s,
		  struct fs_login_opened *o, struct keys_identity_secret *secret,
		  struct fs_say *say);
/* The second: the chain of the identity, the index, and that policy admits him. */
int fs_login_admit(struct fs_vault *v, const struct fs_login *in, const struct fs_person *p,
		   const struct keys_identity_secret *secret, const struct keys_identity **id,
		   struct fs_say *say);
/* A refusal to somebody without a session: logged as why, said as say_as. rc, or the log's error.
 */
int fs_login_refused(struct fs_vault *v, const struct fs_login *in, const char *who, int rc,
		     const char *why, const char *say_as, struct fs_say *say);
/* The person with this identity if it is the account's own, else NULL; edit or lock held. */
struct fs_person *fs_login_own(struct fs_vault *v, uid_t uid, const char *who);
/* NULL, or why this practitioner may have no session now. */
const char *fs_login_status(const struct policy_practitioner *p, const struct keys_identity *id,
			    int64_t now_s);
/* 0 or -EAGAIN with a message; and its counterparts. */
int fs_login_backoff_check(struct fs_vault *v, uid_t uid, uint32_t pid, struct fs_say *say);
void fs_login_backoff_failed(struct fs_vault *v, uid_t uid, uint32_t pid);
void fs_login_backoff_clear(struct fs_vault *v, uid_t uid, uint32_t pid);
int fs_login_envelope(struct fs_vault *v, uint32_t pid, struct keys_envelope *env); /* no lock */
/* Opens the envelope of a person; -EKEYREJECTED. */
int fs_login_unseal(struct fs_vault *v, const struct fs_person *p, const uint8_t *stretched,
		    struct keys_span keyfile, struct keys_identity_secret *secret,
		    struct keys_envelope *env);

/* ---- factor.c: edit held ---- */
struct fs_factor_use {
	enum fs_factor_kind kind;
	bool right;		      /* a code was, and is to be used up */
	struct fs_factor_state after; /* then: what is used once this is */
	bool recovery;		      /* it was a recovery code */
	const char *why;	      /* -EKEYREJECTED: for the log */
};
/* The head (and, out not NULL, the record) of this identity's factor. -ENOENT: none, or an earlier
 * identity's. */
int fs_factor_read(struct fs_vault *v, uint32_t pid, uint32_t enrolment, struct keys_factor *f,
		   struct fs_buf **out);
/* Unsealed with what a log-in has opened; fs is guarded memory. */
int fs_factor_open(struct fs_vault *v, const struct fs_person *p,
		   const struct keys_identity_secret *secret, struct keys_factor *f,
		   struct keys_factor_secret *fs);
void fs_factor_put(struct fs_vault *v, struct fs_batch *b, uint32_t pid,
		   const struct keys_factor *f, const struct keys_factor_secret *fs,
		   const struct keys_identity_secret *secret);
/* What was used of it, by record and memory. */
int fs_factor_read_used(struct fs_vault *v, const struct fs_person *p, const struct keys_factor *f,
			struct fs_factor_state *st);
void fs_factor_put_used(struct fs_vault *v, struct fs_batch *b, uint32_t pid,
			const struct fs_factor_state *st);
void fs_factor_delete(struct fs_vault *v, struct fs_batch *b, uint32_t pid); /* both records */
unsigned fs_factor_left(const struct fs_factor_state *st);		     /* recovery codes */
/* What this identity has, by the records alone; no lock needed. */
int fs_factor_kind_of(struct fs_vault *v, uint32_t pid, uint32_t enrolment,
		      enum fs_factor_kind *out);
/*
 * Is the code right for this person's factor? *use says what is enrolled and what to use up. 0 also
 * when none is enrolled (the code is ignored) or a key file is (env was opened with it);
 * -EKEYREJECTED; -EBADMSG.
 */
int fs_factor_check(struct fs_vault *v, struct fs_person *p, const struct keys_envelope *env,
		    const struct keys_identity_secret *secret, const char *code,
		    struct fs_factor_use *use);
/* Adds what is used to a batch and to memory, where it holds from now on. */
void fs_factor_put_use(struct fs_vault *v, struct fs_batch *b, struct fs_person *p,
		       const struct fs_factor_use *use);
/*
 * The batch applied and durable. 0 without it when nothing can be written any more, or the disk is
 * full: then memory alone remembers which codes were used.
 */
int fs_factor_durable(struct fs_vault *v, struct fs_batch *b);
/* Both in one. */
int fs_factor_use_up(struct fs_vault *v, struct fs_person *p, const struct fs_factor_use *use);
/* "totp", "recovery code, 9 left", "key file", "". */
void fs_factor_how(const struct fs_factor_use *use, char out[static 64]);

struct fs_proof { /* what was given with a request; "" or NULL: nothing */
	const char *code;
	const uint8_t *stretched;
	struct keys_span keyfile;
};
/*
 * A second factor proved within the last fresh_s seconds, or now with `p` (its use durable first).
 * 0 also when none is enrolled and policy wants none. -EKEYREJECTED wrong (counts for the back-off,
 * logged), -ENODATA: a code (or, kind key file: passphrase and key file) has to be given, -EAGAIN
 * too many wrong tries, -EACCES policy wants one and none is enrolled, -ENOKEY the session is
 * locked.
 */
int fs_factor_prove(struct fs_vault *v, struct fs_session *s, const struct fs_proof *p,
		    uint32_t fresh_s, struct fs_say *say);

/*
 * Will fs_factor_prove with the same fresh_s ask for something, and is that passphrase and key
 * file? What can't be known (a damaged record) is wanted: fs_factor_prove says more.
 */
void fs_factor_wanted(struct fs_vault *v, struct fs_session *s, uint32_t fresh_s, bool *wanted,
		      bool *key_file);

/* ---- passphrase.c: edit held ---- */
/* May this passphrase no longer be used to log in? The index is open. */
bool fs_passphrase_old(struct fs_vault *v, const struct keys_envelope *env);
/* 0, or -EINVAL: next is the one in force (env, opened by `now`) or one of the last; say. */
int fs_passphrase_check(struct fs_vault *v, const struct fs_person *p,
			const struct keys_envelope *env, const uint8_t *now,
			const struct fs_passphrase *next, struct fs_say *say);
/* Adds to a batch: next takes the place of env, opened by `now`, which joins the earlier ones. */
int fs_passphrase_put(struct fs_vault *v, struct fs_batch *b, const struct fs_person *p,
		      const struct keys_envelope *env, const uint8_t *now,
		      const struct fs_passphrase *next, const struct keys_identity_secret *secret);

#endif
