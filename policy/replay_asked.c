/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/replay_asked.c - which decision a record carries.
 *
 * Invariants:
 *  1. What is not recognized as another reason is judged by policy: a refusal with new words shows
 *     as a difference, it does not vanish.
 *  2. Of an allowed act the alternatives are the least that its kind can have asked for.
 */
#include "replay_asked.h"

#include <string.h>

#define ENTRIES (POLICY_LIST | POLICY_WRITE)
#define RW (POLICY_READ | POLICY_WRITE)

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static void add(struct policy_asked *a, uint32_t rights)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->rights[i] == rights)
			return;
	}
	if (a->n < POLICY_ASKED_MOST)
		a->rights[a->n++] = rights;
}

/* Below `.history` the same asks for HISTORY besides, and what would change it only for that. */
static void add_histories(struct policy_asked *a)
{
	const uint32_t change = POLICY_WRITE | POLICY_CREATE | POLICY_FINALIZE;
	size_t n = a->n;

	for (size_t i = 0; i < n; i++) {
		add(a, a->rights[i] | POLICY_HISTORY);
		if (a->rights[i] & change)
			add(a, (a->rights[i] & ~change) | POLICY_HISTORY);
	}
}

/* ---- what the gate was asked ---- */

/* A list that ends with END. */
#define END UINT32_MAX
#define GATE_MOST 6

struct gate_op {
	const char *op;
	uint32_t rights[GATE_MOST];
};

/* As fs/op_table.h has them; 0: that the journal is shown. */
static const struct gate_op gate_ops[] = {
	{"access", {0, END}},
	{"copy_file_range", {RW, END}},
	{"create", {ENTRIES, ENTRIES | POLICY_READ, END}},
	{"fallocate", {POLICY_WRITE, END}},
	{"flock", {POLICY_LIST, 0, END}},
	{"flush", {0, END}},
	{"fsync", {0, END}},
	{"fsyncdir", {0, END}},
	{"getattr", {POLICY_LIST, 0, END}},
	{"getlk", {POLICY_LIST, 0, END}},
	{"getxattr", {POLICY_READ, 0, END}},
	{"ioctl", {POLICY_LIST, 0, END}},
	{"link", {ENTRIES, END}},
	{"listxattr", {POLICY_LIST, 0, END}},
	{"lookup", {POLICY_LIST, 0, END}},
	{"lseek", {POLICY_READ, END}},
	{"mkdir", {ENTRIES, END}},
	{"mknod", {ENTRIES, END}},
	{"open", {POLICY_READ, POLICY_WRITE, RW, END}},
	{"opendir", {POLICY_LIST, END}},
	{"read", {POLICY_READ, END}},
	{"readdir", {POLICY_LIST, END}},
	{"readdirplus", {POLICY_LIST, END}},
	{"readlink", {POLICY_READ, END}},
	{"removexattr", {POLICY_WRITE, 0, END}},
	{"rename", {ENTRIES, 0, END}},
	{"rmdir", {ENTRIES, 0, END}},
	{"setattr", {POLICY_WRITE, END}},
	{"setlk", {POLICY_READ, POLICY_WRITE, RW, 0, END}},
	{"setxattr", {POLICY_WRITE, 0, END}},
	{"symlink", {ENTRIES, END}},
	{"unlink", {ENTRIES, END}},
	{"write", {POLICY_WRITE, END}},
};

/* What the gate says besides policy, in `rule`. */
static const struct {
	const char *rule, *why;
} gate_others[] = {
	{"another account than the session's", "another account than the session's asked"},
	{"its key still waits", "the journal's key still waited for somebody who holds it"},
	{"emergency access: read, and new notes of one's own",
	 "by emergency access only new notes of one's own may be changed"},
	{"a final note does not change", "a final note does not change"},
	{"a final note, and what holds one, keeps its name and place",
	 "a final note does not change"},
};

static void add_list(struct policy_asked *a, const uint32_t *list)
{
	for (size_t i = 0; i < GATE_MOST && list[i] != END; i++)
		add(a, list[i]);
}

static const char *gate_other(const struct policy_record *r)
{
	if (begins(r->rule, "program deny "))
		return "the practice keeps this program out";
	for (size_t i = 0; i < sizeof(gate_others) / sizeof(gate_others[0]); i++) {
		if (!strcmp(r->rule, gate_others[i].rule))
			return gate_others[i].why;
	}
	return NULL;
}

/* "open: EACCES": the operation's name is as long as *len; NULL: these are not the gate's words. */
static const char *gate_errno(const char *detail, size_t *len)
{
	const char *colon = strstr(detail, ": E");

	if (!colon || colon == detail)
		return NULL;
	*len = (size_t)(colon - detail);
	if (strspn(detail, "abcdefghijklmnopqrstuvwxyz_") != *len)
		return NULL;
	colon += 2;
	return strspn(colon, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(colon) ? colon
										      : NULL;
}

static void gate_refused(const struct policy_record *r, const char *code, size_t len,
			 struct policy_asked *a)
{
	a->other = gate_other(r);
	if (!a->other && !strcmp(code, "EPERM") && begins(r->detail, "setxattr")) {
		a->what = POLICY_ASKED_VAULT; /* the access list */
		add(a, POLICY_POLICY);
	} else if (!a->other && strcmp(code, "EACCES") && strcmp(code, "ENOENT")) {
		a->other = "what was asked for was not in order";
	} else if (!a->other && !r->journal) {
		a->what = POLICY_ASKED_VAULT; /* below .policy */
		add(a, POLICY_POLICY);
	} else if (!a->other && !r->note) {
		a->other = "a policy that was saved as a file was refused";
	}
	if (a->other || a->what == POLICY_ASKED_VAULT)
		return;
	a->what = POLICY_ASKED_JOURNAL;
	for (size_t i = 0; i < sizeof(gate_ops) / sizeof(gate_ops[0]); i++) {
		if (strlen(gate_ops[i].op) == len && !strncmp(r->detail, gate_ops[i].op, len))
			add_list(a, gate_ops[i].rights);
	}
	/* An operation that came later: any of what there is. */
	if (!a->n)
		add_list(a, (const uint32_t[GATE_MOST]){POLICY_READ, POLICY_WRITE, RW, ENTRIES,
							POLICY_LIST, 0});
	add_histories(a);
}

/* ---- refusals of everything else ---- */

struct words {
	const char *text;  /* what `detail` begins with */
	const char *other; /* not NULL: not policy's */
	enum policy_asked_what what;
	uint32_t rights[4]; /* one of them is enough; ends with 0 */
};

/* The first that fits counts. */
static const struct words refusals[] = {
	{"break-glass: emergency access is for clinicians",
	 NULL,
	 POLICY_ASKED_VAULT,
	 {POLICY_BREAK_GLASS}},
	{"break-glass: ", "the conditions of emergency access were not met", 0, {0}},
	{"attending: the role ", NULL, POLICY_ASKED_VAULT, {POLICY_ATTEND}},
	{"attending: ", "the conditions of a stated care relationship were not met", 0, {0}},
	{"second factor: ", "the second factor was wrong or missing", 0, {0}},
	{"changing the passphrase", "the passphrase was wrong", 0, {0}},
	{"changing the policy", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY}},
	{"checking a policy", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY}},
	{"trying a policy", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY}},
	{"reading what waits for a steward", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY}},
	{"inviting ", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY}},
	{"approving the own proposal", "a second steward has to agree", 0, {0}},
	{"approving ", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY}},
	{"rejecting a proposal", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY}},
	{"listing proposals", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY}},
	{"reading the log", NULL, POLICY_ASKED_VAULT, {POLICY_AUDIT}},
	{"archiving the log", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY}},
	{"exporting keys of the log", NULL, POLICY_ASKED_VAULT, {POLICY_AUDIT}},
	{"sealing policies beside a copy", NULL, POLICY_ASKED_VAULT, {POLICY_AUDIT}},
	{"signing off a review of the log",
	 NULL,
	 POLICY_ASKED_VAULT,
	 {POLICY_AUDIT, POLICY_REVIEW}},
	{"taking the log's segments",
	 NULL,
	 POLICY_ASKED_VAULT,
	 {POLICY_AUDIT, POLICY_REVIEW, POLICY_POLICY}},
	{"reading all versions of the policies",
	 NULL,
	 POLICY_ASKED_VAULT,
	 {POLICY_AUDIT, POLICY_REVIEW, POLICY_POLICY}},
	{"making an access review", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY, POLICY_REVIEW}},
	{"signing off an access review", NULL, POLICY_ASKED_VAULT, {POLICY_POLICY, POLICY_REVIEW}},
	{"reading earlier versions of a policy",
	 NULL,
	 POLICY_ASKED_VAULT,
	 {POLICY_POLICY, POLICY_AUDIT, POLICY_REVIEW}},
	{"looking at emergency accesses that recur",
	 NULL,
	 POLICY_ASKED_VAULT,
	 {POLICY_POLICY, POLICY_AUDIT, POLICY_REVIEW}},
	{"making a journal that exists", "there is a journal of that name", 0, {0}},
	{"making a journal", NULL, POLICY_ASKED_VAULT, {POLICY_CREATE}},
	{"renaming a journal to a name", "there is a journal of that name", 0, {0}},
	{"renaming a journal that holds", "a final note does not change", 0, {0}},
	{"renaming a journal", NULL, POLICY_ASKED_JOURNAL, {POLICY_CREATE | POLICY_WRITE}},
	{"removing a journal that", "the journal has to stay", 0, {0}},
	{"removing a journal", NULL, POLICY_ASKED_JOURNAL, {POLICY_CREATE | POLICY_WRITE}},
};

/* "WHAT: you may not read this journal: RULE": the rule; NULL: it says nothing of the kind. */
static const char *note_rule(const char *detail)
{
	static const char *const says[] = {": you may not read this journal: ", ": not shown: "};

	for (size_t i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
		const char *at = strstr(detail, says[i]);

		if (at)
			return at + strlen(says[i]);
	}
	return NULL;
}

static void journal_right(struct policy_asked *a, uint32_t rights)
{
	a->what = POLICY_ASKED_JOURNAL;
	add(a, rights);
}

static void words_refused(const struct policy_record *r, struct policy_asked *a)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct words *w = &refusals[i];

		if (!begins(r->detail, w->text))
			continue;
		a->other = w->other;
		a->what = w->what;
		a->either = true;
		for (size_t k = 0; k < 4 && w->rights[k]; k++)
			add(a, w->rights[k]);
		return;
	}
	a->other = "a condition that is not policy's was not met";
}

static void refused(const struct policy_record *r, struct policy_asked *a)
{
	const char *code, *rule;
	size_t len = 0;

	a->allowed = false;
	code = gate_errno(r->detail, &len);
	rule = note_rule(r->detail);
	if (code) {
		a->rule = r->rule;
		gate_refused(r, code, len, a);
	} else if (r->journal && rule) {
		a->rule = rule;
		journal_right(a, POLICY_READ);
	} else if (r->journal && begins(r->detail, "looking for notes to finalize below ")) {
		journal_right(a, POLICY_LIST | POLICY_READ);
	} else if (!r->practitioner) {
		a->other = "nobody had logged in";
	} else {
		words_refused(r, a);
	}
	if (a->other)
		a->what = POLICY_ASKED_NOTHING;
}

/* ---- what was done ---- */

static void vault_right(struct policy_asked *a, uint32_t rights)
{
	a->what = POLICY_ASKED_VAULT;
	a->either = true;
	add(a, rights);
}

/* Through the mount: the gate has said which rule let it through. */
static void gate_allowed(const struct policy_record *r, struct policy_asked *a)
{
	a->what = POLICY_ASKED_JOURNAL;
	a->rule = r->rule;
	switch (r->kind) {
	case POLICY_RECORD_OPEN:
		if (r->action != 'U')
			add(a, POLICY_READ);
		add(a, POLICY_WRITE);
		add(a, RW);
		add(a, ENTRIES | POLICY_READ);
		add(a, ENTRIES);
		break;
	case POLICY_RECORD_INTENT:
		add(a, POLICY_LIST);
		add(a, POLICY_READ);
		add(a, POLICY_WRITE);
		add(a, RW);
		add(a, ENTRIES);
		add(a, ENTRIES | POLICY_READ);
		add(a, 0);
		break;
	case POLICY_RECORD_LIST:
		add(a, POLICY_LIST);
		break;
	case POLICY_RECORD_CREATE:
	case POLICY_RECORD_DELETE:
	case POLICY_RECORD_RENAME:
		add(a, ENTRIES);
		add(a, ENTRIES | POLICY_READ);
		break;
	default: /* WRITE, ATTRIBUTE */
		add(a, POLICY_WRITE);
		add(a, RW);
		add(a, ENTRIES);
	}
	add_histories(a);
}

/* A directory, through the mount or by a command. */
static void listed(const struct policy_record *r, struct policy_asked *a)
{
	if (begins(r->detail, "asked what emergency access") ||
	    begins(r->detail, "emergency search "))
		vault_right(a, POLICY_BREAK_GLASS);
	else if (r->journal && begins(r->detail, "which notes below "))
		journal_right(a, POLICY_LIST | POLICY_READ);
	else if (r->journal &&
		 (!strcmp(r->detail, "its history") || !strcmp(r->detail, "removed notes")))
		journal_right(a, POLICY_LIST | POLICY_READ | POLICY_HISTORY);
	else if (r->journal)
		gate_allowed(r, a);
	else if (!strcmp(r->purpose, "HSYSADMIN"))
		vault_right(a, POLICY_POLICY);
	else
		a->what = POLICY_ASKED_STATUS;
}

/* Of reading the log, or a part that may be one's own. */
static void audited(const struct policy_record *r, struct policy_asked *a)
{
	/* First, for the rest of its words are whoever's who read. */
	if (begins(r->detail, "the log was read") ||
	    begins(r->detail, "policies were sealed beside")) {
		vault_right(a, POLICY_AUDIT);
	} else if (begins(r->detail, "own ") || strstr(r->detail, " was shown")) {
		a->what = POLICY_ASKED_STATUS;
	} else {
		vault_right(a, POLICY_AUDIT);
		add(a, POLICY_REVIEW);
		add(a, POLICY_POLICY);
	}
}

static void reviewed(const struct policy_record *r, struct policy_asked *a)
{
	if (begins(r->detail, "the access of ")) { /* one's own is explained to anybody */
		a->what = POLICY_ASKED_STATUS;
		return;
	}
	vault_right(a, POLICY_POLICY);
	add(a, POLICY_REVIEW);
}

static void made_journal(const struct policy_record *r, struct policy_asked *a)
{
	if (begins(r->detail, "the journal is made"))
		vault_right(a, POLICY_CREATE);
	else
		journal_right(a, POLICY_CREATE | POLICY_WRITE);
}

static void signs(const struct policy_record *r, struct policy_asked *a)
{
	a->what = POLICY_ASKED_JOURNAL;
	if (r->kind == POLICY_RECORD_SIGN && r->action == 'E') {
		add(a, RW | POLICY_FINALIZE);
		return;
	}
	if (r->kind == POLICY_RECORD_MOVE && begins(r->detail, "copied into"))
		add(a, POLICY_READ);
	else if (r->kind == POLICY_RECORD_VERIFY)
		add(a, POLICY_READ);
	else if (r->kind == POLICY_RECORD_EXPORT)
		add(a, POLICY_READ | POLICY_EXPORT);
	else
		add(a, RW);
}

static void by_kind(const struct policy_record *r, struct policy_asked *a)
{
	switch (r->kind) {
	case POLICY_RECORD_LOGIN:
	case POLICY_RECORD_UNLOCK:
		a->what = POLICY_ASKED_STATUS;
		break;
	case POLICY_RECORD_LOGOUT:
		if (r->action == 'D')
			vault_right(a, POLICY_POLICY);
		break;
	case POLICY_RECORD_LIST:
		listed(r, a);
		break;
	case POLICY_RECORD_INTENT:
	case POLICY_RECORD_OPEN:
	case POLICY_RECORD_CREATE:
	case POLICY_RECORD_WRITE:
	case POLICY_RECORD_DELETE:
	case POLICY_RECORD_RENAME:
	case POLICY_RECORD_ATTRIBUTE:
		if (r->journal)
			gate_allowed(r, a);
		else
			vault_right(a, POLICY_POLICY);
		break;
	case POLICY_RECORD_POLICY:
	case POLICY_RECORD_INVITE:
	case POLICY_RECORD_PROPOSAL:
		vault_right(a, POLICY_POLICY);
		break;
	case POLICY_RECORD_AUDIT:
		audited(r, a);
		break;
	case POLICY_RECORD_JOURNAL:
		made_journal(r, a);
		break;
	case POLICY_RECORD_ATTEND:
		vault_right(a, POLICY_ATTEND);
		break;
	case POLICY_RECORD_REVIEW:
		reviewed(r, a);
		break;
	case POLICY_RECORD_BREAK_GLASS:
		vault_right(a, POLICY_BREAK_GLASS);
		a->past_block = strstr(r->detail, "PAST THE PATIENT'S BLOCK") != NULL;
		break;
	case POLICY_RECORD_GRANT_REVIEW:
		vault_right(a, POLICY_REVIEW);
		break;
	case POLICY_RECORD_LOG_REVIEW:
		vault_right(a, POLICY_AUDIT);
		add(a, POLICY_REVIEW);
		break;
	case POLICY_RECORD_ARCHIVE:
		vault_right(a, POLICY_POLICY);
		break;
	case POLICY_RECORD_FINAL:
	case POLICY_RECORD_SIGN:
	case POLICY_RECORD_ERROR:
	case POLICY_RECORD_AMEND:
	case POLICY_RECORD_MOVE:
	case POLICY_RECORD_VERIFY:
		signs(r, a);
		break;
	case POLICY_RECORD_EXPORT:
		if (r->journal)
			signs(r, a);
		else
			vault_right(a, POLICY_AUDIT);
		break;
	default: /* starts, ends, keys, notices: nothing was asked of policy */
		break;
	}
}

/* What the vault never does by itself: a record of it that names nobody hides somebody. */
static bool is_somebodys(uint8_t kind)
{
	switch (kind) {
	case POLICY_RECORD_INTENT:
	case POLICY_RECORD_OPEN:
	case POLICY_RECORD_LIST:
	case POLICY_RECORD_CREATE:
	case POLICY_RECORD_WRITE:
	case POLICY_RECORD_DELETE:
	case POLICY_RECORD_RENAME:
	case POLICY_RECORD_ATTRIBUTE:
	case POLICY_RECORD_ATTEND:
	case POLICY_RECORD_BREAK_GLASS:
	case POLICY_RECORD_SIGN:
	case POLICY_RECORD_AMEND:
	case POLICY_RECORD_MOVE:
		return true;
	default:
		return false;
	}
}

void policy_asked_of(const struct policy_record *r, struct policy_asked *out)
{
	*out = (struct policy_asked){.what = POLICY_ASKED_NOTHING, .allowed = true};
	/* The vault's own acts are nobody's: keys given, a draft that was locked for its age. */
	if (r->kind == POLICY_RECORD_REFUSED)
		refused(r, out);
	else if ((r->practitioner || is_somebodys(r->kind)) && r->outcome != 4)
		by_kind(r, out);
	if (out->rule && !out->rule[0])
		out->rule = NULL;
}
