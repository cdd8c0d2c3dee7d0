/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control.h - the control socket: log-in, mounting, status, policy, audit.
 *
 * One thread, non-blocking, bounded: a hostile peer can neither stall nor crash
 * the daemon. Slow verbs (log-in, commit, audit) run in a small pool so that the
 * loop never waits. The connection that logged in is the session's agent: when
 * it goes, the session ends. Each verb is an entry in a table: name, who may,
 * function. Protocol: fs/FORMAT.md, "Control socket".
 */
#ifndef FS_CONTROL_H
#define FS_CONTROL_H

#include "serve.h"

struct fs_control;
struct fs_forward;

struct fs_control_config {
	const char *socket; /* path; its directory must belong to us or root and be writable by no one else */
	struct fs_vault *vault;
	struct fs_serve *serve;
	bool alone; /* only our own uid may connect */
	bool exit_when_idle; /* alone: end after the last session ended */
	/* The notify service's account, as the vault was told: for `status`, and connections of its own. */
	bool notifies;
	uid_t notify_uid;
	struct fs_forward *forward; /* for `status`; NULL: none */
};
int fs_control_new(const struct fs_control_config *cfg, struct fs_control **out, struct fs_say *say);
/* Serves until fs_control_stop (async-signal-safe) or, alone, idleness. Ends all sessions. */
int fs_control_run(struct fs_control *c);
void fs_control_stop(struct fs_control *c);
/* After fs_serve_free: until then workers may report mounts that are gone. */
void fs_control_free(struct fs_control *c);
/* For fs_vault_config.policy_changed: safe from any thread. */
void fs_control_policy_changed(struct fs_control *c);

/* For fs_vault_config.session_over. */
void fs_control_session_over(struct fs_control *c, struct fs_session *s, const char *why);
/* For `status`: what the daemon took away from itself. Before fs_control_run. */
struct fs_harden_report;
void fs_control_hardened(struct fs_control *c, const struct fs_harden_report *report);

/* The whole daemon: open vault, harden, listen, serve. Returns the process's exit status. */
struct fs_daemon_config {
	const char *vault;
	struct fs_state_paths state;
	const char *socket;
	bool alone, foreground, exit_when_idle;
	/* Who gets notices of emergency access, unless alone (then we ourselves do). */
	bool notifies;
	uid_t notify_uid;
	const char *syslog; /* where records are forwarded to (fs/forward.h); NULL: nowhere */
	uint32_t syslog_enterprise; /* 0: that of documentation */
	int ready_fd; /* a byte is written when ready ("R") or an error text otherwise; -1 none */
};
int fs_daemon_run(const struct fs_daemon_config *cfg);

#endif
