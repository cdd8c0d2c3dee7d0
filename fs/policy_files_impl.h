/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_files_impl.h - inside the files under `.policy`: only for policy_files*.c.
 *
 * policy_files.c       nodes, and the memory they take
 * policy_files_names.c names, attributes, listings
 * policy_files_text.c  texts in force, as this mount's files show them
 * policy_files_open.c  handles: reading, writing
 * policy_files_save.c  saves, what they were based on, what is told when they are refused
 * policy_files_move.c  creating, renaming, removing
 *
 * All but fs_pf_save_text and fs_pf_remove_part, which take and give up the lock
 * themselves, are called with it.
 */
#ifndef FS_POLICY_FILES_IMPL_H
#define FS_POLICY_FILES_IMPL_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../keys/label.h"
#include "../policy/names.h"
#include "policy_files.h"

#define FS_PF_NAME 255
#define FS_PF_BYTES (4u << 20)	/* of scratch files and of what is being written, a mount */
#define FS_PF_REPORTS (4u << 20) /* of .error and .rejected files; the oldest go */
#define FS_PF_FILES 256u
#define FS_PF_HANDLES 256u
#define FS_PF_LARGEST (2u << 20) /* one file */
#define FS_PF_BUCKETS 1024u
#define FS_PF_IDLE 4096u /* nodes of journals, before those that nobody needs are let go of */
#define FS_PF_KNOWN 32768u /* of journals that were read, before what was shown is forgotten */
#define FS_PF_HIDDEN_NS (10 * INT64_C(1000000000))
#define FS_PF_SEEN 8u
/* A look so short before a save is the editor's own (its backup), not its user's. */
#define FS_PF_LOOK_NS INT64_C(1000000000)

/* Bytes of ours: counted, wiped. */
struct fs_pf_bytes {
	char *p;
	size_t len, cap;
};

/* A whole text in force, shared by who reads it. */
struct fs_pf_text {
	unsigned refs;
	uint32_t version;
	size_t len;
	char p[];
};

/* Which version a process was shown, and when first. */
struct fs_pf_seen {
	pid_t pid; /* 0: free */
	uint32_t version;
	int64_t at_ns;
};

struct fs_pf_node {
	struct fs_pf_node *next; /* of the bucket */
	uint64_t ino, dir;
	unsigned pins; /* handles, and saves under way */
	unsigned writers;
	bool policy;
	char *name; /* in dir; NULL: a journal's, or scratch without a name any more */
	/* scratch: */
	bool report; /* .error or .rejected */
	mode_t mode;
	struct fs_pf_bytes bytes;
	struct timespec mtime; /* a policy file's: of the version that gave it its text */
	/* policy files: */
	bool exists;		 /* a part: the practice in force has it */
	struct fs_pf_text *text; /* the practice and its parts: as last read; NULL: not read */
	uint32_t version;	 /* a journal's: of size and mtime; 0: not read */
	uint64_t size;
	int64_t hidden_until_ns;
	uint32_t shown;		 /* the version last handed out here; 0: none */
	struct fs_pf_seen *seen; /* FS_PF_SEEN of them, or NULL */
};

struct fs_pf_handle {
	struct fs_pf_handle *next;
	uint64_t fh;
	struct fs_pf_node *node; /* pinned */
	bool readable, writable, append;
	pid_t owner;
	struct fs_pf_text *text; /* policy files: what it reads until it writes */
	/* what it has written: */
	bool own; /* bytes are what it reads */
	struct fs_pf_bytes bytes;
	uint32_t base;
	bool dirty, wrote;
	uint64_t changes; /* counted, to see whether a save is of the latest */
	int saved_rc;	  /* of the last save, while nothing changed since */
};

struct fs_policy_files {
	struct fs_vault *vault;
	struct fs_session *session; /* reference */
	pthread_mutex_t lock;
	struct fs_pf_node *bucket[FS_PF_BUCKETS];
	size_t files, reports, journals; /* nodes: scratch, of those reports; of journals */
	size_t parts; /* nodes of parts that were ever made */
	size_t bytes, report_bytes;
	struct fs_pf_handle *handle;
	unsigned handles;
	uint32_t forgot;   /* newest version when it was forgotten what was shown; 0: never was */
	uint32_t practice; /* version that the texts of practice and parts were read at; 0: none */
};

/* ---- policy_files.c ---- */
struct fs_pf_node *fs_pf_find(struct fs_policy_files *pf, uint64_t ino);
/* Journals' nodes are made when asked for. -ENOENT, -ENOMEM. */
int fs_pf_node(struct fs_policy_files *pf, uint64_t ino, struct fs_pf_node **out);
/* A new one with a copy of name; NULL: no memory. */
struct fs_pf_node *fs_pf_make(struct fs_policy_files *pf, uint64_t ino, uint64_t dir,
			      const char *name, bool policy);
struct fs_pf_node *fs_pf_scratch(struct fs_policy_files *pf, uint64_t dir, const char *name);
struct fs_pf_node *fs_pf_part(struct fs_policy_files *pf, const char *name, bool make);
/* A scratch file loses its name; it is gone when nobody has it open. */
void fs_pf_unname(struct fs_policy_files *pf, struct fs_pf_node *n);
void fs_pf_unpin(struct fs_policy_files *pf, struct fs_pf_node *n);
uint64_t fs_pf_number(void);
/* Room for size bytes. -EFBIG, -ENOSPC, -ENOMEM; limit: whether the mount's bound applies. */
int fs_pf_grow(struct fs_policy_files *pf, struct fs_pf_bytes *b, size_t size, bool limit);
void fs_pf_bytes_clear(struct fs_policy_files *pf, struct fs_pf_bytes *b, bool limit);
int fs_pf_bytes_set(struct fs_policy_files *pf, struct fs_pf_bytes *b, const char *p, size_t len,
		    bool limit);
/* Moves the end; what is new is zero. */
int fs_pf_bytes_resize(struct fs_policy_files *pf, struct fs_pf_bytes *b, uint64_t size,
		       bool limit);
struct fs_pf_handle *fs_pf_handle(struct fs_policy_files *pf, uint64_t fh);
void fs_pf_handle_drop(struct fs_policy_files *pf, struct fs_pf_handle *h);

/* ---- policy_files_names.c ---- */
/* What a name in a directory stands for. */
enum fs_pf_kind {
	FS_PF_SCRATCH,
	FS_PF_DIR,    /* practice.d, journals */
	FS_PF_POLICY, /* *ino: its number; 0: a part that nobody has named yet */
	FS_PF_NONE,   /* a policy's name, and no policy can have it */
};
enum fs_pf_kind fs_pf_kind(struct fs_policy_files *pf, uint64_t dir, const char *name,
			   uint64_t *ino);
/* Its part's name out of NAME.policy. */
bool fs_pf_part_name(const char *name, char out[static FS_PF_NAME + 1]);
bool fs_pf_visible(const struct fs_policy_files *pf, const struct fs_pf_node *n, int64_t now_ns);
/* "practice", "practice.d/NAME" or the journal's name, as the vault knows it. -ENOENT. */
int fs_pf_file(struct fs_policy_files *pf, const struct fs_pf_node *n, char out[static 300]);
/* The file's own name in its directory. */
int fs_pf_name(struct fs_policy_files *pf, const struct fs_pf_node *n,
	       char out[static FS_PF_NAME + 1]);
void fs_pf_path(struct fs_policy_files *pf, const struct fs_pf_node *n,
		char out[static FS_POLICY_PATH]);

/* ---- policy_files_text.c ---- */
struct fs_pf_text *fs_pf_text_get(struct fs_pf_text *t);
void fs_pf_text_put(struct fs_pf_text *t);
/* The practice and its parts, as they are in force now. */
int fs_pf_practice(struct fs_policy_files *pf);
/* The text in force, with a reference; *out NULL: a part that is none. */
int fs_pf_text(struct fs_policy_files *pf, struct fs_pf_node *n, struct fs_pf_text **out);
/* Size and time of a policy file, up to date. */
int fs_pf_measure(struct fs_policy_files *pf, struct fs_pf_node *n);

/* ---- policy_files_save.c ---- */
void fs_pf_saw(struct fs_pf_node *n, const struct fs_policy_caller *by, uint32_t version);
/* The version that a text of this caller's was made from. */
uint32_t fs_pf_base(struct fs_policy_files *pf, const struct fs_pf_node *n,
		    const struct fs_policy_caller *by, const struct fs_pf_text *now);
/*
 * A new text for a policy file, from this version: n is pinned by the caller. Without the lock.
 * text NULL: the part is to go.
 */
int fs_pf_save_text(struct fs_policy_files *pf, const struct fs_policy_caller *by,
		    struct fs_pf_node *n, const char *text, size_t len, uint32_t base,
		    struct fs_policy_outcome *out);
/* The same for a part that gets another name. -EEXIST: there is one. */
int fs_pf_rename_part(struct fs_policy_files *pf, const struct fs_policy_caller *by,
		      struct fs_pf_node *n, const char *newname, uint32_t base,
		      struct fs_policy_outcome *out);
/* What can't be, with one line of an .error file for it. Returns -EINVAL. */
int fs_pf_refuse_name(struct fs_policy_files *pf, uint64_t dir, const char *name,
		      struct fs_policy_outcome *out);

#endif
