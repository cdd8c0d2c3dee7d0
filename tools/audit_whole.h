/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_whole.h - verifies the access log behind an auditor's source, against all that this
 * account and the caller keep of it.
 */
#ifndef TOOLS_AUDIT_WHOLE_H
#define TOOLS_AUDIT_WHOLE_H

#include "../fs/log_verify.h"
#include "audit_source.h"
#include "conf.h"

struct audit_whole {
	struct fs_log_verified v;
	struct audit_whole_finding {
		struct fs_log_finding f; /* text is owned */
	} * finding;
	size_t findings;
	unsigned kept;	     /* checkpoints that it was compared with */
	unsigned remembered; /* of these, by this account itself */
	bool root_known;     /* whose log it is was known from elsewhere */
	/* While it runs. */
	bool terminal;
	int shown; /* per cent */
};

/*
 * Kept checkpoints: those of --from, what a log-in saw last (kept.h) and what was verified last.
 * --root, or what is pinned, says whose log it is. Progress on standard error where that is a
 * terminal. TOOL_OK when it ran to its end (w->v.alarms is the answer), TOOL_FAILED after a
 * message. Clear it either way.
 */
int tools_audit_whole(struct audit_source *s, const struct tool_options *o, struct audit_whole *w);
void tools_audit_whole_clear(struct audit_whole *w);
/* Remembers the last good checkpoint of a log that is whole, for the next time. */
void tools_audit_whole_remember(const struct audit_whole *w);

/*
 * The checkpoint that was remembered last, and when; the caller frees. NULL: none, or this account
 * keeps nothing.
 */
char *tools_audit_whole_verified(const uint8_t vault[static KEYS_VAULT_ID_LEN], int64_t *when_s);

/* A file of at most max bytes, NUL-terminated; the caller frees. NULL after a message. */
char *tools_audit_text_file(const char *path, size_t max, size_t *len);
/* A checkpoint's text as ours; TOOL_FAILED after a message that names `path`. */
int tools_audit_checkpoint(const char *path, const char *text, size_t len,
			   struct keys_checkpoint *out);
/* "NAME+ID+KEY" of the stable key that signs this vault's checkpoints. */
#define AUDIT_VKEY 160
void tools_audit_vkey(const uint8_t *vault, const uint8_t *witness_pk, char out[static AUDIT_VKEY]);

#endif
