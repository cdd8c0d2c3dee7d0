/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_source_impl.h - the inside of an auditor's source, shared by audit_source*.c only.
 */
#ifndef TOOLS_AUDIT_SOURCE_IMPL_H
#define TOOLS_AUDIT_SOURCE_IMPL_H

#include <pthread.h>
#include "../fs/audit_filter.h"
#include "../keys/audit_key.h"
#include "audit_source.h"
#include "client.h"

#define AUDIT_SOURCE_BAD_SAID 20 /* damaged records that are named one by one */

struct audit_source {
	bool live;
	bool has_vault, has_root;
	uint8_t vault[KEYS_VAULT_ID_LEN], root_pk[KEYS_LEN];
	uint64_t unread, least;

	/* The segments, once somebody asked for them. */
	bool has_segments;
	struct fs_log_source segments;

	/* A copied log. */
	const char *dir, *key_path;
	bool has_key;
	struct keys_audit_key key;
	struct policy_past *past; /* NULL: nobody asked yet */

	/* A daemon. */
	struct conf conf;
	struct client cl;
	pthread_mutex_t lock; /* one request at a time, where segments are loaded side by side */
};

/* ---- audit_source_log.c: a directory of segments, and a key file ---- */
int tools_audit_log_open(struct audit_source *s, const struct tool_options *o);
void tools_audit_log_close(struct audit_source *s);
int tools_audit_log_read(struct audit_source *s, const struct audit_filter *f,
			 int (*fn)(void *ctx, const struct policy_record *r), void *ctx);
struct policy_past *tools_audit_log_past(struct audit_source *s);
/* The same, kept until close: for names and the practice. */
struct policy_past *tools_audit_log_past_kept(struct audit_source *s);
int tools_audit_log_segments(struct audit_source *s);

/* ---- audit_source_daemon.c: the session's daemon ---- */
int tools_audit_daemon_open(struct audit_source *s, const struct tool_options *o);
void tools_audit_daemon_close(struct audit_source *s);
int tools_audit_daemon_read(struct audit_source *s, const struct audit_filter *f,
			    int (*fn)(void *ctx, const struct policy_record *r), void *ctx);
struct policy_past *tools_audit_daemon_past(struct audit_source *s);
/* The practice's policy in force alone. */
struct policy_past *tools_audit_daemon_practice(struct audit_source *s);
int tools_audit_daemon_segments(struct audit_source *s);
int tools_audit_daemon_sign_off(struct audit_source *s, const char *what, const char *findings);

#endif
