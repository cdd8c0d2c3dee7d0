/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_impl.h - what the files behind fs/notes.h share. Nobody else includes it.
 *
 * notes.c            one act: who asks, which note, may he; finalizing
 * notes_statement.c  a statement made, signed, logged, stored
 * notes_sign.c       signed and countersigned later
 * notes_error.c      marked as entered in error
 * notes_amend.c      a draft that amends a final note
 * notes_move.c       copied into the journal that it belongs in
 * notes_status.c     what is known of a note
 * notes_verify.c     a journal's chain, and its notes
 * notes_check.c      one statement: contents, signature, right, revocation
 * notes_claims.c     what a note says of itself without a statement
 * notes_export.c     a signature and its certificate as text
 * notes_tick.c       `finalize after`
 */
#ifndef FS_NOTES_IMPL_H
#define FS_NOTES_IMPL_H

#include "notes.h"
#include "vault_impl.h"

/* One act under way. */
struct fs_noting {
	struct fs_vault *v;
	struct fs_session *s; /* who acts; NULL: the vault itself */
	struct fs_session *
		hand; /* whose session key signs the journal's root: s, or somebody who may write */
	struct fs_say *say;
	const char *what; /* "finalizing", for records of refusals */
	uint32_t index;
	char journal[256]; /* its name */
	const char *path;
	uint64_t ino;	      /* not 0: of the note that is meant */
	bool as_shown;	      /* and its contents must have changed this often */
	uint64_t change;
	struct fs_journal *j; /* one reference */
	struct fs_inode *i;   /* one reference */
	/* as of the last look */
	struct fs_inode_attr attr;
	char author[KEYS_NAME_MAX + 1];
	uint32_t rights;
	int64_t drafts_s; /* emergency access: what he made since then is his; 0: none */
	uint64_t grant;	  /* its number */
	struct policy_practice *practice; /* one reference */
	uint32_t policy_version;
	const struct policy_practitioner *me; /* in practice; NULL: the vault itself */
};

/* ---- notes.c ---- */
/* The journal, visible to s, to be read by him, opened. Refusals are durable. end always. */
int fs_noting_begin(struct fs_noting *a, struct fs_vault *v, struct fs_session *s,
		    const struct fs_note_place *at, const char *what, struct fs_say *say);
/* And the note: a regular file at the path. */
int fs_noting_find(struct fs_noting *a);
/* What may have changed while something was waited for: state, rights, the note's attributes. */
int fs_noting_again(struct fs_noting *a);
void fs_noting_end(struct fs_noting *a);
/* Durable, then what the person is told. rc, or -EIO. */
int fs_noting_refuse(const struct fs_noting *a, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* What is no refusal: told, not logged. */
int fs_noting_no(const struct fs_noting *a, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool fs_noting_mine(const struct fs_noting *a);
/* May he change this note's state as its author: writes here, or made it under his emergency
 * access. */
bool fs_noting_as_author(const struct fs_noting *a);
/* The right to finalize, and to write what it leads to. */
bool fs_noting_finalizes(const struct fs_noting *a);
/* Of a role whose notes want a second practitioner. */
bool fs_noting_countersigned(const struct fs_noting *a, const char *who);
/* A role that may be the second. */
bool fs_noting_second(const struct fs_noting *a);
/* The draft of a becomes final: signed, or locked for this reason. The caller waits for no lock. */
struct fs_noting_final {
	bool sign;
	int64_t due_s; /* not 0: only when its last change is not younger */
	const char *reason;
	const struct fs_note_settle *settle;
};
int fs_noting_finalize(struct fs_noting *a, const struct fs_noting_final *how,
		       struct fs_note_result *out);
int fs_noting_may_finalize(const struct fs_noting *a);
/* A reason in own words: at least 3 characters, one line, at most KEYS_NOTE_REASON_MAX bytes. */
int fs_noting_reason(const struct fs_noting *a, const char *reason);
void fs_noting_actor(const struct fs_noting *a, struct fs_actor *who); /* put its signer */
uint16_t fs_noting_flags(const struct fs_noting *a); /* of its note, now */
/* The group (0: all that was applied) is durable, and the journal takes changes still. */
int fs_noting_durable(struct fs_journal *j, uint64_t group);

/* ---- notes_statement.c: the `finals` mutex is held ---- */
/* Everything but `of`, contents and reason, for the next number of the chain. */
int fs_noting_statement(const struct fs_noting *a, enum keys_note_kind kind, struct keys_note *n);
struct fs_noting_add {
	struct fs_final_statement *s;
	const uint8_t *blake2b; /* of the contents; NULL: no minisign signature */
	bool wants;
	struct fs_noting *moved; /* ERROR: the copy; NULL none */
};
/* Signs, writes the record, stores it, makes it durable. -ENOSPC and the like: told; the note says whether it is stated. */
int fs_noting_add(struct fs_noting *a, const struct fs_noting_add *add);
/* A record about a's note. */
void fs_noting_record(const struct fs_noting *a, enum policy_record_kind kind,
		      struct policy_record *r);
/* One line about the statement, and what minisign's trusted comment says. */
void fs_noting_comment(const struct keys_note *n, char out[static KEYS_MINISIGN_COMMENT + 1]);
void fs_noting_hex(const uint8_t *p, size_t len, char *out); /* 2 * len + 1 */
/* Of a closed or final note's contents, which takes long for large ones: not under `finals`. */
struct fs_noting_hash {
	uint8_t sha256[KEYS_LEN], blake2b[64];
	uint64_t size;
};
int fs_noting_hash(const struct fs_noting *a, struct fs_noting_hash *out);
/* The contents are those of this statement: -EBADMSG with an alarm if not. */
int fs_noting_same(const struct fs_noting *a, const struct keys_note *n,
		   const struct fs_noting_hash *hash);
/* The statement that made a's note final, and its state. -EPERM: a draft. */
int fs_noting_final_of(const struct fs_noting *a, struct fs_final_state *state,
		       struct fs_final_statement *out);

/* ---- notes_amend.c ---- */
#define FS_NOTING_NAME 300 /* room for a name that may turn out too long */
/* The pattern with a number for which no such name is in dir. -EEXIST, -ENAMETOOLONG. */
int fs_noting_free_name(struct fs_inode *dir, const char *pattern, const char *name,
			char out[static FS_NOTING_NAME]);
/* A new draft by a->s in dir; links may be NULL. Not durable. */
int fs_noting_make(const struct fs_noting *a, struct fs_inode *dir, const char *name,
		   const struct fs_final_state *links, struct fs_inode **out);

/* ---- notes_error.c ---- */
/* Marks a's final note; finals is not held. */
int fs_noting_mark_error(struct fs_noting *a, const char *reason, struct fs_noting *moved,
			 struct fs_note_result *out);
/* May he mark it? */
int fs_noting_may_mark(const struct fs_noting *a);

/* ---- notes_check.c ---- */
/* Fills finding and why of c for this statement; state is its note's, i may be NULL (not there). */
struct fs_noting_seen {
	struct fs_inode *i;
	struct fs_final_state state;
	uint8_t sha256[KEYS_LEN], blake2b[64];
	uint64_t size;
	uint16_t flags;	   /* read before state */
	uint32_t author;
	const char *claim; /* what it says and no statement bears out; NULL */
	int rc;		   /* of reading it: 0, or why not */
};
void fs_noting_look_at(struct fs_journal *j, const struct keys_note *n,
		       struct fs_noting_seen *seen);
void fs_noting_seen_clear(struct fs_noting_seen *seen);
void fs_noting_check(struct fs_vault *v, const struct fs_final_statement *s,
		     const struct fs_final_statement *of, const struct fs_noting_seen *seen,
		     struct fs_note_check *c);
/* ---- notes_claims.c ---- */
/* Sets seen->claim. -ENOKEY, -ENOMEM. */
int fs_noting_claims(struct fs_journal *j, const struct keys_note *n, struct fs_noting_seen *seen);
/* The note's wish for a second practitioner was struck. */
bool fs_noting_wish_bad(struct fs_vault *v, const struct keys_note *n,
			const struct fs_noting_seen *seen, struct fs_note_check *c);
/* Marked as final without a statement, or under another name than the stated one (path NULL: any will do). */
enum fs_noting_dress { FS_NOTING_STATED, FS_NOTING_UNSTATED, FS_NOTING_ELSEWHERE };
int fs_noting_dressed(struct fs_inode *i, const char *path, struct fs_final_statement *st,
		      enum fs_noting_dress *out);
/* All such of a journal. */
int fs_noting_all_dressed(struct fs_journal *j,
			  int (*fn)(void *ctx, const char *path, bool elsewhere), void *ctx);

void fs_noting_found(struct fs_note_check *c, enum fs_note_finding finding, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
