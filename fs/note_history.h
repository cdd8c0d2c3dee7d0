/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/note_history.h - what became of a note, told to who may know: versions, removals, statements.
 *
 * Wants LIST, READ and POLICY_HISTORY in the journal, now; an emergency grant gives the last to
 * nobody. The look is a durable record in the access log before the first event is given. Waits for
 * the log: hold nothing.
 */
#ifndef FS_NOTE_HISTORY_H
#define FS_NOTE_HISTORY_H

#include "vault.h"

struct fs_note_event {
	/*
	 * "version", "removed", "final", "locked", "signed", "countersigned", "error", "amends",
	 * "amended-by", "moved-to", "moved-from"
	 */
	const char *kind;
	uint32_t version; /* version; removed: of what it held last */
	uint32_t number;  /* of the statement, 0 none */
	int64_t time_s;	  /* 0 unknown */
	const char *who;  /* "" unknown, or the vault itself */
	uint64_t size;
	/* version, removed: where `show` and `.history` find it; else the other note; moved: the
	 * other journal */
	const char *path;
	const char *reason; /* error: why; locked: by what */
	bool now;	    /* version: what the note holds now */
};

struct fs_note_history {
	const char *journal;
	const char *path; /* a note; a directory, or "" the journal: the removed notes below it */
	int (*fn)(void *ctx,
		  const struct fs_note_event *e); /* 0 to go on, negative fails with that */
	void *ctx;
};

/*
 * state receives "draft", "final", "amended", "entered-in-error", "removed", or "" of a directory;
 * author who made the note, or "". Versions come newest first, then removals, then statements.
 * -ENOENT: no such journal or note, or not to be seen; -EACCES: policy says no (told, logged);
 * -ENOKEY; -EIO; -EBADMSG after what could be read.
 */
int fs_vault_note_history(struct fs_vault *v, struct fs_session *s,
			  const struct fs_note_history *look, const char **state,
			  char author[static 256], struct fs_say *say);

#endif
