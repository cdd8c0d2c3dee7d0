/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/main.c - the journalfs command: a table of verbs and the options that they share.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../fs/harden.h"
#include "../keys/label.h"
#include "tool.h"

struct verb {
	const char *name;
	tool_verb_fn run;
	int min_args, max_args;
	const char *usage;
	const char *purpose;
};

static const struct verb verbs[] = {
	{ "init", tools_cmd_init, 1, 1,
	  "init [--name NAME] [--title TEXT] VAULT | init --steward NAME --account ACCOUNT VAULT",
	  "make a vault, alone or for a clinic" },
	{ "open", tools_cmd_open, 1, 2, "open VAULT [DIR]",
	  "alone: start the daemon when there is none, log in, mount" },
	{ "serve", tools_cmd_serve, 1, 1, "serve [--daemon] [--socket PATH] [--state DIR] [--notify-account ACCOUNT] [--syslog TARGET [--syslog-enterprise N]] VAULT",
	  "the daemon of a clinic's vault" },
	{ "notify", tools_cmd_notify, 0, 0, "notify [--vault NAME]",
	  "the service that tells somebody of an emergency access at once" },
	{ "login", tools_cmd_login, 0, 1, "login [--vault NAME] [DIR]",
	  "log in and mount (default ~/Journals)" },
	{ "logout", tools_cmd_logout, 0, 0, "logout [--vault NAME]", "end the session, unmount" },
	{ "lock", tools_cmd_lock, 0, 0, "lock [--vault NAME]",
	  "forget the keys, keep the mount; unlock brings open files back" },
	{ "unlock", tools_cmd_unlock, 0, 0, "unlock [--vault NAME]", "unlock a locked session" },
	{ "sessions", tools_cmd_sessions, 0, 64,
	  "sessions [--json] | sessions end ID... [--reason TEXT] | sessions end --all-others",
	  "your sessions on all terminals and hosts, or, for a steward, everybody's" },
	{ "enroll", tools_cmd_enroll, 0, 1, "enroll [--vault NAME] [CODE-FILE]",
	  "answer an invitation: make your identity" },
	{ "invite", tools_cmd_invite, 1, 1, "invite [--again] [--days N] NAME",
	  "steward: one-time code for a practitioner named in the policy" },
	{ "passwd", tools_cmd_passwd, 0, 0, "passwd", "change your passphrase" },
	{ "factor", tools_cmd_factor, 1, 1, "factor enroll|status|remove|recovery-codes",
	  "your second factor: codes of an authenticator app" },
	{ "recover", tools_cmd_recover, 1, 1, "recover [--name NAME] VAULT",
	  "the printed recovery key: forgotten passphrase, dead host, lost local state" },
	{ "list", tools_cmd_list, 0, 0, "list", "the journals that you may list" },
	{ "policy", tools_cmd_policy, 1, 3,
	  "policy show|edit|check|put|diff|log|explain|test|status|review [OPTION...] [ARGUMENT...]",
	  "steward: show, edit, check, explain and review the policy" },
	{ "attend", tools_cmd_attend, 1, 1, "attend JOURNAL [--reason TEXT] [--for DURATION]",
	  "clinician: take part in a patient's care for a while, saying why" },
	{ "break-glass", tools_cmd_break_glass, 0, 1,
	  "break-glass [JOURNAL] [--ground WORD] [--reason TEXT] | --search PART | --close JOURNAL | --stdin",
	  "clinician: emergency access to one journal, for a time, reviewed afterwards" },
	{ "review", tools_cmd_review, 0, 1,
	  "review [--all | --propose] [--json] | "
	  "review NUMBER [--justified | --unjustified | --settled [--note TEXT]]",
	  "emergency accesses: your own, or all of them to be judged" },
	{ "approve", tools_cmd_approve, 0, 1, "approve [NUMBER [--yes | --reject]]",
	  "steward: what another steward proposed and what takes two" },
	{ "finalize", tools_cmd_finalize, 0, 4096,
	  "finalize FILE|DIR... [--yes | --ask] | finalize --stdin [--yes | --ask | --confirm PROGRAM]",
	  "lock notes for ever and sign them" },
	{ "sign", tools_cmd_sign, 1, 4096, "sign FILE...",
	  "sign a locked note of yours, or countersign another practitioner's" },
	{ "verify", tools_cmd_verify, 0, 4096, "verify FILE|JOURNAL... [--json] | verify --all [--json]",
	  "are final notes what was signed?" },
	{ "amend", tools_cmd_amend, 0, 1, "amend FILE [--name NAME] [--edit]",
	  "begin a note that amends a final one" },
	{ "entered-in-error", tools_cmd_entered_in_error, 1, 1, "entered-in-error FILE [--reason TEXT]",
	  "mark a final note as one that should not be there" },
	{ "move-note", tools_cmd_move_note, 2, 2, "move-note FILE JOURNAL [--reason TEXT] [--yes]",
	  "wrong patient: copy a note where it belongs, mark it where it was" },
	{ "export", tools_cmd_export, 1, 1, "export --signature FILE [--to DIR] [--force]",
	  "a note's signature as files that minisign checks" },
	{ "keys", tools_cmd_keys, 1, 2,
	  "keys renew JOURNAL | keys renew --all-of NAME | keys status [--json]",
	  "new keys for journals, as when somebody has left" },
	{ "history", tools_cmd_history, 1, 1, "history [--json] FILE|JOURNAL",
	  "a note's versions, signatures, amendments; what was removed from a journal" },
	{ "show", tools_cmd_show, 1, 1, "show [--diff] FILE@N",
	  "version N of a note, or how it differs from what the note holds now" },
	{ "audit", tools_cmd_audit, 0, 1001, "audit COMMAND ... | audit help",
	  "auditor: who did what, when, on which ground; is the log whole; `audit help` has the commands" },
	{ "status", tools_cmd_status, 0, 0, "status [--json]",
	  "what is served, who is logged in, space, log, what waits" },
	{ "doctor", tools_cmd_doctor, 0, 1, "doctor [VAULT]",
	  "what on this machine stops journalfs or makes it unsafe" },
};

int tools_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("journalfs: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return TOOL_FAILED;
}

int tools_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("journalfs: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return TOOL_USAGE;
}

enum option_id {
	OPT_VAULT = 256,
	OPT_SOCKET,
	OPT_STATE,
	OPT_HOST_SECRET,
	OPT_KEY_FILE,
	OPT_AS,
	OPT_NAME,
	OPT_STEWARD,
	OPT_ACCOUNT,
	OPT_NOTIFY_ACCOUNT,
	OPT_SYSLOG,
	OPT_SYSLOG_ENTERPRISE,
	OPT_TITLE,
	OPT_WHO,
	OPT_JOURNAL,
	OPT_SINCE,
	OPT_UNTIL,
	OPT_PASSPHRASE_FD,
	OPT_NEW_PASSPHRASE_FD,
	OPT_CODE_FD,
	OPT_NEW_CODE_FD,
	OPT_DAYS,
	OPT_READY_FD,
	OPT_FOREGROUND,
	OPT_DAEMON,
	OPT_AGAIN,
	OPT_JSON,
	OPT_ALONE,
	OPT_ALL_OF,
	OPT_NO_WAIT,
	OPT_EXIT_WHEN_IDLE,
	OPT_REASON,
	OPT_FOR,
	OPT_REJECT,
	OPT_YES,
	OPT_VERSION,
	OPT_FROM,
	OPT_TO,
	OPT_AT,
	OPT_NOTE,
	OPT_ACTION,
	OPT_UNIT,
	OPT_USAGE,
	OPT_SIGN_OFF,
	OPT_DRAFT,
	OPT_ALL_OTHERS,
	OPT_GROUND,
	OPT_PAST_BLOCK,
	OPT_SEARCH,
	OPT_CLOSE,
	OPT_ASK,
	OPT_JUSTIFIED,
	OPT_UNJUSTIFIED,
	OPT_SETTLED,
	OPT_ALL,
	OPT_PROPOSE,
	OPT_GRANT,
	OPT_STDIN,
	OPT_SIGNATURE,
	OPT_FORCE,
	OPT_EDIT,
	OPT_CONFIRM,
	OPT_DIFF,
	OPT_LOG,
	OPT_KEY,
	OPT_HTML,
	OPT_BEFORE,
	OPT_SESSION,
	OPT_PRACTITIONER,
	OPT_POLICY,
	OPT_SPEED,
	OPT_ROOT,
	OPT_PER_THOUSAND,
	OPT_SEED,
	OPT_CSV,
	OPT_FHIR,
	OPT_DECISIONS,
	OPT_REMOVE,
	OPT_NO_PAGER,
};

static const struct option long_options[] = {
	{ "vault", required_argument, NULL, OPT_VAULT },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "host-secret", required_argument, NULL, OPT_HOST_SECRET },
	{ "key-file", required_argument, NULL, OPT_KEY_FILE },
	{ "as", required_argument, NULL, OPT_AS },
	{ "name", required_argument, NULL, OPT_NAME },
	{ "steward", required_argument, NULL, OPT_STEWARD },
	{ "account", required_argument, NULL, OPT_ACCOUNT },
	{ "notify-account", required_argument, NULL, OPT_NOTIFY_ACCOUNT },
	{ "syslog", required_argument, NULL, OPT_SYSLOG },
	{ "syslog-enterprise", required_argument, NULL, OPT_SYSLOG_ENTERPRISE },
	{ "title", required_argument, NULL, OPT_TITLE },
	{ "who", required_argument, NULL, OPT_WHO },
	{ "journal", required_argument, NULL, OPT_JOURNAL },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ "passphrase-fd", required_argument, NULL, OPT_PASSPHRASE_FD },
	{ "new-passphrase-fd", required_argument, NULL, OPT_NEW_PASSPHRASE_FD },
	{ "code-fd", required_argument, NULL, OPT_CODE_FD },
	{ "new-code-fd", required_argument, NULL, OPT_NEW_CODE_FD },
	{ "days", required_argument, NULL, OPT_DAYS },
	{ "ready-fd", required_argument, NULL, OPT_READY_FD },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "daemon", no_argument, NULL, OPT_DAEMON },
	{ "again", no_argument, NULL, OPT_AGAIN },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "all-of", required_argument, NULL, OPT_ALL_OF },
	{ "no-wait", no_argument, NULL, OPT_NO_WAIT },
	{ "alone", no_argument, NULL, OPT_ALONE },
	{ "exit-when-idle", no_argument, NULL, OPT_EXIT_WHEN_IDLE },
	{ "reason", required_argument, NULL, OPT_REASON },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "reject", no_argument, NULL, OPT_REJECT },
	{ "yes", no_argument, NULL, OPT_YES },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "at", required_argument, NULL, OPT_AT },
	{ "note", required_argument, NULL, OPT_NOTE },
	{ "action", required_argument, NULL, OPT_ACTION },
	{ "unit", required_argument, NULL, OPT_UNIT },
	{ "usage", required_argument, NULL, OPT_USAGE },
	{ "sign-off", required_argument, NULL, OPT_SIGN_OFF },
	{ "draft", required_argument, NULL, OPT_DRAFT },
	{ "all-others", no_argument, NULL, OPT_ALL_OTHERS },
	{ "ground", required_argument, NULL, OPT_GROUND },
	{ "past-block", no_argument, NULL, OPT_PAST_BLOCK },
	{ "search", required_argument, NULL, OPT_SEARCH },
	{ "close", no_argument, NULL, OPT_CLOSE },
	{ "ask", no_argument, NULL, OPT_ASK },
	{ "justified", no_argument, NULL, OPT_JUSTIFIED },
	{ "unjustified", no_argument, NULL, OPT_UNJUSTIFIED },
	{ "settled", no_argument, NULL, OPT_SETTLED },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "propose", no_argument, NULL, OPT_PROPOSE },
	{ "grant", required_argument, NULL, OPT_GRANT },
	{ "stdin", no_argument, NULL, OPT_STDIN },
	{ "signature", no_argument, NULL, OPT_SIGNATURE },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "edit", no_argument, NULL, OPT_EDIT },
	{ "confirm", required_argument, NULL, OPT_CONFIRM },
	{ "diff", no_argument, NULL, OPT_DIFF },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "html", required_argument, NULL, OPT_HTML },
	{ "before", required_argument, NULL, OPT_BEFORE },
	{ "session", required_argument, NULL, OPT_SESSION },
	{ "practitioner", required_argument, NULL, OPT_PRACTITIONER },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "speed", required_argument, NULL, OPT_SPEED },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "per-thousand", required_argument, NULL, OPT_PER_THOUSAND },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "csv", no_argument, NULL, OPT_CSV },
	{ "fhir", no_argument, NULL, OPT_FHIR },
	{ "decisions", no_argument, NULL, OPT_DECISIONS },
	{ "remove", no_argument, NULL, OPT_REMOVE },
	{ "no-pager", no_argument, NULL, OPT_NO_PAGER },
	{ NULL, 0, NULL, 0 },
};

static void print_help(FILE *to)
{
	fputs("usage: journalfs VERB [OPTION...] [ARGUMENT...]\n\n", to);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(to, "  %-9s %s\n            journalfs %s\n", verbs[i].name,
			verbs[i].purpose, verbs[i].usage);
	fputs("\nAll verbs and options: man journalfs\n", to);
}

static int number_option(const char *text, int min, int max, int *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (!*text || *end || v < min || v > max)
		return -1;
	*out = (int)v;
	return 0;
}

/* Stores one option; 0, or -1 for a number out of range. */
static int store_option(struct tool_options *o, int id, const char *arg)
{
	switch (id) {
	case OPT_VAULT: o->vault = arg; break;
	case OPT_SOCKET: o->socket = arg; break;
	case OPT_STATE: o->state = arg; break;
	case OPT_HOST_SECRET: o->host_secret = arg; break;
	case OPT_KEY_FILE: o->key_file = arg; break;
	case OPT_AS: o->as = arg; break;
	case OPT_NAME: o->name = arg; break;
	case OPT_STEWARD: o->steward = arg; break;
	case OPT_ACCOUNT: o->account = arg; break;
	case OPT_NOTIFY_ACCOUNT: o->notify_account = arg; break;
	case OPT_SYSLOG: o->syslog = arg; break;
	case OPT_SYSLOG_ENTERPRISE: return number_option(arg, 1, INT32_MAX, &o->syslog_enterprise);
	case OPT_TITLE: o->title = arg; break;
	case OPT_WHO: o->who = arg; break;
	case OPT_JOURNAL: o->journal = arg; break;
	case OPT_SINCE: o->since = arg; break;
	case OPT_UNTIL: o->until = arg; break;
	case OPT_PASSPHRASE_FD: return number_option(arg, 0, 1 << 20, &o->passphrase_fd);
	case OPT_NEW_PASSPHRASE_FD: return number_option(arg, 0, 1 << 20, &o->new_passphrase_fd);
	case OPT_CODE_FD: return number_option(arg, 0, 1 << 20, &o->code_fd);
	case OPT_NEW_CODE_FD: return number_option(arg, 0, 1 << 20, &o->new_code_fd);
	case OPT_DAYS: return number_option(arg, 1, 3650, &o->days);
	case OPT_REASON: o->reason = arg; break;
	case OPT_FROM:
		if (o->from_count == TOOL_FROMS)
			return -1;
		o->from = o->froms[o->from_count++] = arg;
		break;
	case OPT_TO: o->to = arg; break;
	case OPT_AT: o->at = arg; break;
	case OPT_NOTE: o->note = arg; break;
	case OPT_ACTION: o->action = arg; break;
	case OPT_UNIT: o->unit = arg; break;
	case OPT_USAGE: o->usage = arg; break;
	case OPT_SIGN_OFF: o->sign_off = arg; break;
	case OPT_DRAFT:
		if (o->drafts == TOOL_DRAFTS)
			return -1;
		o->draft[o->drafts++] = arg;
		break;
	case OPT_READY_FD: return number_option(arg, 3, 1 << 20, &o->ready_fd);
	case OPT_FOREGROUND: o->foreground = true; break;
	case OPT_DAEMON: o->daemon = true; break;
	case OPT_AGAIN: o->again = true; break;
	case OPT_JSON: o->json = true; break;
	case OPT_ALONE: o->alone = true; break;
	case OPT_ALL_OF: o->all_of = arg; break;
	case OPT_NO_WAIT: o->no_wait = true; break;
	case OPT_EXIT_WHEN_IDLE: o->exit_when_idle = true; break;
	case OPT_FOR: o->span = arg; break;
	case OPT_GROUND: o->ground = arg; break;
	case OPT_PAST_BLOCK: o->past_block = true; break;
	case OPT_SEARCH: o->search = arg; break;
	case OPT_CLOSE: o->close = true; break;
	case OPT_ASK: o->ask = true; break;
	case OPT_JUSTIFIED: o->justified = true; break;
	case OPT_UNJUSTIFIED: o->unjustified = true; break;
	case OPT_SETTLED: o->settled = true; break;
	case OPT_ALL: o->all = true; break;
	case OPT_PROPOSE: o->propose = true; break;
	case OPT_GRANT: return number_option(arg, 1, INT32_MAX, &o->grant);
	case OPT_STDIN: o->from_stdin = true; break;
	case OPT_SIGNATURE: o->signature = true; break;
	case OPT_FORCE: o->force = true; break;
	case OPT_EDIT: o->edit = true; break;
	case OPT_CONFIRM: o->confirm = arg; break;
	case OPT_DIFF: o->diff = true; break;
	case OPT_LOG: o->log = arg; break;
	case OPT_KEY: o->key = arg; break;
	case OPT_HTML: o->html = arg; break;
	case OPT_BEFORE: o->before = arg; break;
	case OPT_SESSION: o->session = arg; break;
	case OPT_PRACTITIONER: o->practitioner = arg; break;
	case OPT_POLICY: o->policy = arg; break;
	case OPT_SPEED: o->speed = arg; break;
	case OPT_ROOT: o->root = arg; break;
	case OPT_PER_THOUSAND: return number_option(arg, 1, 1000, &o->per_thousand);
	case OPT_SEED: o->seed = arg; break;
	case OPT_CSV: o->csv = true; break;
	case OPT_FHIR: o->fhir = true; break;
	case OPT_DECISIONS: o->decisions = true; break;
	case OPT_REMOVE: o->remove = true; break;
	case OPT_NO_PAGER: o->no_pager = true; break;
	case OPT_REJECT: o->reject = true; break;
	case OPT_YES: o->yes = true; break;
	case OPT_ALL_OTHERS: o->all_others = true; break;
	default: return -1;
	}
	return 0;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* --version N is a version of a policy; --version alone asks for that of the program. */
static bool is_number(const char *text)
{
	return text && *text && strspn(text, "0123456789") == strlen(text);
}

/* A store or a socket must never get the number that messages are written to. */
static bool hold_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	while (fd >= 0 && fd < 3);
	if (fd > 2)
		close(fd);
	return fd > 2;
}

int main(int argc, char **argv)
{
	struct tool_options o = {
		.passphrase_fd = -1, .new_passphrase_fd = -1, .code_fd = -1, .new_code_fd = -1,
		.ready_fd = -1
	};
	const struct verb *verb;
	int id;

	if (!hold_standard())
		return TOOL_FAILED;
	if (fs_harden_early() || keys_init())
		return tools_fail("the process could not be hardened; is libsodium intact?");
	while ((id = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (id == 'h') {
			print_help(stdout);
			return TOOL_OK;
		}
		if (id == OPT_VERSION && is_number(argv[optind])) {
			o.version = argv[optind++];
			continue;
		}
		if (id == OPT_VERSION) {
			puts("journalfs " TOOL_VERSION);
			return TOOL_OK;
		}
		if (id == '?')
			return TOOL_USAGE;
		if (store_option(&o, id, optarg)) {
			tools_fail("%s is out of range for this option", optarg);
			return TOOL_USAGE;
		}
	}
	if (optind >= argc) {
		print_help(stderr);
		return TOOL_USAGE;
	}
	verb = find_verb(argv[optind]);
	if (!verb) {
		tools_fail("there is no verb `%s`; `journalfs --help` lists them", argv[optind]);
		return TOOL_USAGE;
	}
	argc -= optind + 1;
	argv += optind + 1;
	if (argc < verb->min_args || argc > verb->max_args) {
		fprintf(stderr, "usage: journalfs %s\n", verb->usage);
		return TOOL_USAGE;
	}
	return verb->run(&o, argc, argv);
}
