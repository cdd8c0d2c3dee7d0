/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes.h - what practitioners do with notes besides editing: finalize, sign, countersign, mark as
 * entered in error, amend, move to another journal, verify.
 *
 * Every act: who may (policy, now), the record durable in the access log, then the
 * statement. Paths are within the journal, without a leading slash. All calls wait for log and commit: hold
 * nothing. -ENOKEY locked or ended; -EACCES policy says no (told, logged); -ENOENT no such journal or note, or not to
 * be seen; -EPERM it is final already (or what is asked needs it to be a draft); -EBUSY somebody else
 * is at it; -EIO, -ENOSPC.
 *
 * Locks: the vault's `finals` mutex (after edit, before everything of journals), held across the
 * log's wait: statements of a vault are made one after another.
 */
#ifndef FS_NOTES_H
#define FS_NOTES_H

#include "final.h"
#include "vault.h"

struct fs_note_settle;
struct fs_note_place {
	const char *journal; /* its name; NULL: index counts */
	uint32_t index;
	const char *path;
	uint64_t ino; /* not 0: what the path must lead to, else -ENOENT */
	/* Amending: called at the end with the nodeid of the folder that got a name; NULL: no mounts. */
	const struct fs_note_settle *folder;
	/* as fs_vault_note_look told: contents changed since, even while this is under way, are not finalized (-ESTALE) */
	bool as_shown;
	uint64_t change;
};

enum fs_note_how {
	FS_NOTE_SIGN,	   /* journalfs finalize: lock and sign */
	FS_NOTE_ATTRIBUTE, /* setfattr user.journalfs.state final: lock */
	FS_NOTE_READ_ONLY, /* chmod a-w where policy says so: lock */
	FS_NOTE_AGE,	   /* `finalize after`: lock, by the vault */
};

struct fs_note_result {
	uint32_t number; /* of the statement */
	uint8_t kind;	 /* enum keys_note_kind */
	uint64_t time_s;
	uint8_t sha256[KEYS_LEN];
	bool wants; /* a second practitioner is to countersign */
};

/*
 * settle: called before the note is closed, with its nodeid: makes every mount hand over dirty pages (the mount
 * layer's fs_serve_settle); NULL where there are no mounts. Also with the folder that a copy or an amendment was put
 * in, at the end: kernels keep listings.
 */
struct fs_note_settle {
	void (*fn)(void *ctx, uint64_t nodeid);
	void *ctx;
};

int fs_vault_note_finalize(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			   enum fs_note_how how, const struct fs_note_settle *settle,
			   struct fs_note_result *out, struct fs_say *say);
/* The same, only asked: 0, or the refusal and why; nothing is logged but a refusal. */
struct fs_note_look {
	char author[KEYS_NAME_MAX + 1];
	uint64_t size, ino, change; /* change: how often its contents have changed */
	struct timespec mtime;
	bool mine, final, signed_, wants;
};
int fs_vault_note_look(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
		       struct fs_note_look *out, struct fs_say *say);

/* SIGNED by its author (of a LOCKED note), else COUNTERSIGNED by who may. -EEXIST: done already. */
int fs_vault_note_sign(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
		       struct fs_note_result *out, struct fs_say *say);
/* A final note (a draft is finalized first) is marked; reason at least 3 characters. -EEXIST: it is. */
int fs_vault_note_error(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			const char *reason, const struct fs_note_settle *settle,
			struct fs_note_result *out, struct fs_say *say);
/*
 * A draft beside a final note that amends it. name: "" takes the policy's pattern; it must not exist (-EEXIST).
 * path receives where it is.
 */
int fs_vault_note_amend(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			const char *name, char path[static KEYS_NOTE_PATH_MAX + 1],
			struct fs_say *say);
/*
 * Copies a note into another journal (its root), with where it comes from, then marks the origin as entered in error
 * (wrong patient). reason as above. path: where the copy is.
 */
int fs_vault_note_move(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
		       const char *to, const char *reason, const struct fs_note_settle *settle,
		       char path[static KEYS_NOTE_PATH_MAX + 1], struct fs_say *say);

/* ---- what is known of a note ---- */
struct fs_note_status {
	uint64_t ino;
	struct fs_final_state state;
	uint16_t flags; /* enum fs_inode_flag */
	char author[KEYS_NAME_MAX + 1];
	struct fs_final_statement final; /* zeros for a draft */
	char amends[KEYS_NOTE_PATH_MAX + 1], amended_by[KEYS_NOTE_PATH_MAX + 1]; /* "" none */
};
/* "draft", "final", "amended", "entered-in-error" */
const char *fs_note_state_text(uint16_t flags);
int fs_vault_note_status(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			 struct fs_note_status *out, struct fs_say *say);
/* For attributes shown on a mount: of an inode that the gate has let this session see. */
int fs_vault_note_of(struct fs_vault *v, struct fs_inode *i, struct fs_note_status *out);
/* Name of a practitioner number, "" unknown. */
void fs_vault_note_name(struct fs_vault *v, uint32_t pid, char out[static KEYS_NAME_MAX + 1]);

/* ---- verification ---- */
enum fs_note_finding {
	FS_NOTE_OK,
	FS_NOTE_UNSIGNED,   /* locked, contents as stated, nobody signed yet */
	FS_NOTE_CHANGED,    /* contents, size or place are not what was stated */
	FS_NOTE_FORGED,	    /* a signature does not verify, or its signer might not sign */
	FS_NOTE_REVOKED,    /* signed after the signer's key had been revoked */
	FS_NOTE_MISSING,    /* the chain names a note that is not there, or has a gap, or ends early */
	FS_NOTE_DAMAGED,    /* can't be read */
};
struct fs_note_check {
	uint32_t number; /* statement, 0: of the chain as a whole */
	const struct keys_note *note; /* may be NULL */
	enum fs_note_finding finding;
	char why[256]; /* plain words */
};
/* One note; or with path NULL or "" all of the journal, chain included. fn is called for each; progress too. */
struct fs_note_verify {
	int (*fn)(void *ctx, const struct fs_note_check *c);
	void (*progress)(void *ctx, uint32_t done, uint32_t of); /* may be NULL */
	void *ctx;
};
int fs_vault_note_verify(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			 const struct fs_note_verify *how, struct fs_say *say);

/* ---- export of a signature ---- */
struct fs_note_export {
	char minisig[8192]; /* text of FILE.minisig */
	char pub[512];	    /* text of the public key's file */
	char who[KEYS_NAME_MAX + 1]; /* whose signature it is */
	char cert[16384];   /* text: who the key belongs to, and the chain from the steward's root to it */
};
/* Needs the export right; logged as an export. -ENODATA: nobody signed it. */
int fs_vault_note_export(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			 struct fs_note_export *out, struct fs_say *say);

/*
 * `finalize after`: locks what is due in journals that live sessions may write in; a bounded amount each
 * call, from the clock thread, edit not held. settle as above.
 * Where the wall clock was set by more than an hour since the call before, it locks nothing for a day (alarm).
 */
void fs_vault_note_tick(struct fs_vault *v, const struct fs_note_settle *settle);
/* Second up to which a last change makes notes due, 0: never (policy). */
int64_t fs_vault_note_due_s(struct fs_vault *v);

#endif
