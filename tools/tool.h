/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/tool.h - what every verb of the journalfs command shares: its options and its exits.
 *
 * A verb is one file cmd_<verb>.c with one function in the table of main.c. It
 * returns an exit status: 0 done, 1 refused or failed (a message on standard
 * error has named the thing and the remedy), 2 wrong usage.
 */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#define TOOL_VERSION "0.1.0"
#define TOOL_OK 0
#define TOOL_FAILED 1
#define TOOL_USAGE 2
#define TOOL_DRAFTS 64
#define TOOL_FROMS 32

/* Options that verbs share; each verb says which it takes. Strings are argv's. */
struct tool_options {
	const char *vault;	 /* --vault NAME|PATH: which vault, where there are several */
	const char *socket;	 /* --socket PATH */
	const char *state;	 /* --state DIR */
	const char *host_secret; /* --host-secret FILE */
	const char *key_file;	 /* --key-file FILE */
	const char *as;		 /* --as NAME: practitioner, where an account has several */
	const char *name;	 /* --name NAME (init: the practitioner; else verb's own) */
	const char *steward;	 /* init --steward NAME */
	const char *account;	 /* init --account ACCOUNT */
	const char *notify_account; /* serve --notify-account ACCOUNT */
	const char *syslog;	    /* serve --syslog TARGET */
	int syslog_enterprise;	    /* serve --syslog-enterprise N, 0 none */
	const char *title;	 /* init --title TEXT */
	const char *who, *journal, *since, *until; /* audit */
	const char *log, *key;		 /* audit --log DIR --key FILE: a copied log */
	const char *html, *before;	 /* audit report --html FILE, archive --before TIME */
	const char *session, *practitioner; /* audit incident */
	const char *policy;		 /* audit replay --policy DIR|FILE */
	const char *speed;		 /* audit replay --speed N */
	const char *root;		 /* audit verify --root HASH */
	int per_thousand;		 /* audit sample, 0 none */
	const char *seed;		 /* audit sample --seed S */
	bool csv, fhir, decisions, remove, no_pager; /* audit */
	const char *all_of;	 /* keys renew --all-of NAME */
	int passphrase_fd;     /* --passphrase-fd N, -1 none */
	int new_passphrase_fd; /* --new-passphrase-fd N (passwd, login), -1 none */
	int code_fd;	       /* --code-fd N: a code of the second factor, -1 none */
	int new_code_fd;       /* --new-code-fd N (factor enroll), -1 none */
	int days;	       /* --days N (invite, policy status), 0 none */
	const char *from, *to, *version, *at;	       /* policy: which version */
	const char *note, *action;		       /* policy explain */
	const char *unit, *usage, *sign_off;	       /* policy review */
	const char *froms[TOOL_FROMS]; /* audit verify --from FILE, each; from is the last */
	int from_count;
	const char *draft[TOOL_DRAFTS]; /* policy test --draft NAME=FILE, each */
	int drafts;
	int ready_fd;
	const char *reason;    /* --reason TEXT */
	const char *span;      /* --for DURATION */
	const char *ground, *search; /* break-glass --ground WORD, --search PART */
	bool justified, unjustified, settled, all, propose; /* review */
	int grant;		     /* audit show --grant N, 0 none */
	bool past_block, close, ask; /* break-glass --past-block, --close, --ask */
	bool from_stdin;	     /* break-glass, finalize, amend: --stdin */
	bool signature, force;	     /* export */
	const char *confirm;	     /* finalize --confirm PROGRAM */
	bool edit;		     /* amend */
	bool diff;		     /* show --diff */
	bool no_wait;		 /* keys renew --no-wait */
	bool all_others;	 /* sessions end --all-others */
	bool foreground, daemon, again, json, alone, exit_when_idle, reject, yes;
};

/* A line "journalfs: ..." on standard error. Always returns TOOL_FAILED. */
int tools_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same about how the command was called. Always returns TOOL_USAGE. */
int tools_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

typedef int (*tool_verb_fn)(struct tool_options *o, int argc, char **argv);

int tools_cmd_init(struct tool_options *o, int argc, char **argv);
int tools_cmd_open(struct tool_options *o, int argc, char **argv);
int tools_cmd_serve(struct tool_options *o, int argc, char **argv);
int tools_cmd_login(struct tool_options *o, int argc, char **argv);
int tools_cmd_logout(struct tool_options *o, int argc, char **argv);
int tools_cmd_lock(struct tool_options *o, int argc, char **argv);
int tools_cmd_unlock(struct tool_options *o, int argc, char **argv);
int tools_cmd_sessions(struct tool_options *o, int argc, char **argv);
int tools_cmd_invite(struct tool_options *o, int argc, char **argv);
int tools_cmd_enroll(struct tool_options *o, int argc, char **argv);
int tools_cmd_passwd(struct tool_options *o, int argc, char **argv);
int tools_cmd_recover(struct tool_options *o, int argc, char **argv);
int tools_cmd_policy(struct tool_options *o, int argc, char **argv);
int tools_cmd_history(struct tool_options *o, int argc, char **argv);
int tools_cmd_show(struct tool_options *o, int argc, char **argv);
int tools_cmd_audit(struct tool_options *o, int argc, char **argv);
int tools_cmd_status(struct tool_options *o, int argc, char **argv);
int tools_cmd_doctor(struct tool_options *o, int argc, char **argv);
int tools_cmd_attend(struct tool_options *o, int argc, char **argv);
int tools_cmd_break_glass(struct tool_options *o, int argc, char **argv);
int tools_cmd_review(struct tool_options *o, int argc, char **argv);
int tools_cmd_approve(struct tool_options *o, int argc, char **argv);
int tools_cmd_keys(struct tool_options *o, int argc, char **argv);
int tools_cmd_factor(struct tool_options *o, int argc, char **argv);
int tools_cmd_notify(struct tool_options *o, int argc, char **argv);
int tools_cmd_finalize(struct tool_options *o, int argc, char **argv);
int tools_cmd_sign(struct tool_options *o, int argc, char **argv);
int tools_cmd_verify(struct tool_options *o, int argc, char **argv);
int tools_cmd_export(struct tool_options *o, int argc, char **argv);
int tools_cmd_amend(struct tool_options *o, int argc, char **argv);
int tools_cmd_move_note(struct tool_options *o, int argc, char **argv);
int tools_cmd_entered_in_error(struct tool_options *o, int argc, char **argv);
int tools_cmd_list(struct tool_options *o, int argc, char **argv);

#endif
