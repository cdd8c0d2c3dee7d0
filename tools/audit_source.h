/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_source.h - where an auditor's records come from: the daemon, or a copied log and a
 * key file.
 *
 * With --log DIR (and --key FILE for what is sealed) no daemon is asked and nothing is
 * logged; else the session's daemon streams what the filter lets through, and logs that first.
 * One door for every `audit` command: none of them knows which it is.
 */
#ifndef TOOLS_AUDIT_SOURCE_H
#define TOOLS_AUDIT_SOURCE_H

#include "../fs/log_verify.h"
#include "../policy/past.h"
#include "../policy/record.h"
#include "tool.h"

struct audit_source;

struct audit_filter {		    /* zero: all */
	const char *who, *journal;  /* names as records say them; NULL or "": any */
	int64_t since_ns, until_ns; /* since <= time < until; 0: open */
	uint64_t grant;
	bool own; /* of the journal: nothing that only speaks of it without its number; quicker */
	const char *purpose; /* for the daemon's own record: which command reads; "" */
};

/* Opens what the options say (--log, --key, --passphrase-fd; --vault ...). NULL after a message. */
struct audit_source *tools_audit_open(const struct tool_options *o);
void tools_audit_close(struct audit_source *s); /* NULL is legal; wipes keys */
/*
 * Every record that the filter lets through, oldest first; fn not 0 stops. May be called again.
 * What could not be read (damaged, not for this reader) is said on standard error and counted.
 * TOOL_OK, TOOL_FAILED after a message.
 */
int tools_audit_read(struct audit_source *s, const struct audit_filter *f,
		     int (*fn)(void *ctx, const struct policy_record *r), void *ctx);
/* Records or stretches that the last read had to leave out; a report says so. */
uint64_t tools_audit_unread(const struct audit_source *s);
/* The policy's versions until now (all texts); the caller frees with policy_past_free. NULL after a
 * message. */
struct policy_past *tools_audit_past(struct audit_source *s);
/* The practice's policy in force, a reference: without its earlier versions and the journals'. NULL
 * after a message. */
struct policy_practice *tools_audit_practice(struct audit_source *s);
/* The raw segments, for verification and proofs; lives as long as s. NULL after a message. */
const struct fs_log_source *tools_audit_segments(struct audit_source *s);
/* What is known of the vault: its id, and its root key where a configuration pins it (else NULL).
 */
const uint8_t *tools_audit_vault(const struct audit_source *s);
const uint8_t *tools_audit_root(const struct audit_source *s);
/* The newest record known to be durable (the daemon says; 0 for a copy). */
uint64_t tools_audit_least(const struct audit_source *s);
/* Whether a daemon is behind it (a sign-off can be recorded, reading is logged). */
bool tools_audit_live(const struct audit_source *s);
/* Records a sign-off of a systematic review in the log, durable. Refused for a copy. TOOL_OK or
 * TOOL_FAILED. */
int tools_audit_sign_off(struct audit_source *s, const char *what, const char *findings);

/* --since, --until, --who, --journal, --grant of the options. TOOL_OK, TOOL_USAGE after a message.
 */
int tools_audit_filter(const struct tool_options *o, struct audit_filter *out);

#endif
