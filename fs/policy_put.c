/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_put.c - showing, checking and accepting policy texts.
 *
 * A new version is accepted when it parses, was edited from the version in force,
 * keeps everybody who is enrolled (as `left` if need be), and comes from somebody
 * with the policy right under the version before it. Then: log with a diff,
 * durable; signed statement and text in one batch; in force in memory; mounts cut
 * what is no longer allowed; only then may roots be signed under the new number.
 *
 * Locks: edit from the check to the publication; callbacks after it.
 */
#include "vault_impl.h"

int fs_policies_file(struct fs_vault *v, const char *file, uint32_t *out)
{
	const struct fs_entry *e;
	int rc = -ENOENT;

	if (fs_policies_part(file)) {
		*out = 0;
		return 0;
	}
	pthread_rwlock_rdlock(&v->lock);
	e = fs_catalog_by_name(v, file);
	if (e) {
		*out = e->index;
		rc = 0;
	}
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

int fs_policies_parse(struct fs_vault *v, uint32_t file, const char *name, const char *text,
		      size_t len, char **report, struct policy_practice **practice,
		      struct policy_journal **journal)
{
	struct policy_practice *now = fs_vault_practice(v);
	struct policy_report *lines = NULL;
	int rc = now ? policy_report_new(&lines) : -ENOKEY;

	if (!rc && len > (file ? FS_JOURNAL_TEXT_MAX : FS_POLICY_TEXT_MAX)) {
		policy_report_add(lines, name, 1, 1, "the text is longer than %u KiB",
				  (file ? FS_JOURNAL_TEXT_MAX : FS_POLICY_TEXT_MAX) / 1024);
		rc = -EINVAL;
	}
	if (!rc && !file)
		rc = policy_practice_parse(text, len, name, lines, practice);
	else if (!rc)
		rc = policy_journal_parse(text, len, name, now, lines, journal);
	if (!rc && file && strcmp(policy_journal_name(*journal), name)) {
		policy_report_add(
			lines, name, 1, 1,
			"the text is that of journal \"%s\"; a journal gets another name by "
			"renaming its directory",
			policy_journal_name(*journal));
		policy_journal_put(*journal);
		*journal = NULL;
		rc = -EINVAL;
	}
	if (rc == -EINVAL && report)
		*report = policy_report_text(lines);
	policy_report_free(lines);
	if (now)
		policy_practice_put(now);
	return rc;
}

/* The journal's policy may be seen by whom the journal is visible to, the rest by stewards and
 * auditors. */
static bool may_show(struct fs_vault *v, struct fs_session *by, uint32_t file)
{
	struct policy_verdict verdict;

	if (fs_sessions_has(v, by, POLICY_POLICY) || fs_sessions_has(v, by, POLICY_AUDIT))
		return true;
	return file && !fs_vault_decide(v, by, file, 0, &verdict, NULL, 0) && verdict.visible;
}

int fs_vault_policy_show(struct fs_vault *v, struct fs_session *by, const char *file, char **text,
			 size_t *len, uint32_t *version, struct fs_say *say)
{
	uint32_t which;
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	rc = fs_policies_file(v, file, &which);
	if (!rc && !may_show(v, by, which)) {
		rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, which, which ? file : NULL,
				   "reading the policy %s",
				   which ? "of a journal" : "of the practice");
		if (!rc)
			rc = which ? -ENOENT : -EACCES;
	}
	if (!rc)
		rc = fs_policies_text(v, which, text, len, version);
	if (!rc && !which) {
		rc = fs_policies_part_take(file, *text, len);
		if (rc) {
			free(*text);
			*text = NULL;
		}
	}
	if (rc == -ENOENT)
		fs_say(say,
		       "there is no policy \"%s\"; it is \"practice\" or the name of a journal",
		       file);
	else if (rc == -EACCES)
		fs_say(say, "the practice policy is shown to whom it gives the policy or the audit "
			    "right");
	return rc;
}

int fs_vault_policy_check(struct fs_vault *v, struct fs_session *by, const char *file,
			  const char *text, size_t len, char **report, struct fs_say *say)
{
	struct policy_practice *practice = NULL;
	struct policy_journal *journal = NULL;
	char *whole = NULL;
	uint32_t which;
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	/* First of all: what a report suggests, and whether there is such a file, tells of names. */
	if (!fs_sessions_has(v, by, POLICY_POLICY)) {
		fs_say(say, "checking a policy needs the policy right, which %s does not have",
		       by->who);
		rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL, "checking a policy");
		return rc ? rc : -EACCES;
	}
	rc = fs_policies_file(v, file, &which);
	if (!rc && !which)
		rc = fs_policies_part_put(v, file, text, len, &whole, &len, report);
	if (!rc)
		rc = fs_policies_parse(v, which, which ? file : "practice.policy", whole ? whole : text,
				       len, report, &practice, &journal);
	if (!rc && practice) {
		pthread_mutex_lock(&v->edit);
		rc = fs_policies_keep(v, practice, report);
		pthread_mutex_unlock(&v->edit);
	}
	free(whole);
	if (practice)
		policy_practice_put(practice);
	if (journal)
		policy_journal_put(journal);
	if (rc == -ENOENT)
		fs_say(say,
		       "there is no policy \"%s\"; it is \"practice\" or the name of a journal",
		       file);
	return rc;
}

/* ---- what changed, for people ---- */

struct line {
	const char *p;
	size_t len;
};

static struct line *split_lines(const char *text, size_t len, size_t *n)
{
	struct line *lines;
	size_t count = 1;

	for (size_t i = 0; i < len; i++)
		count += text[i] == '\n';
	lines = calloc(count, sizeof(*lines));
	*n = 0;
	for (size_t at = 0; lines && at < len;) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t k = end ? (size_t)(end - (text + at)) : len - at;

		if (k)
			lines[(*n)++] = (struct line){text + at, k};
		at += k + 1;
	}
	return lines;
}

static int cmp_line(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int cmp = memcmp(x->p, y->p, n);

	return cmp ? cmp : (x->len > y->len) - (x->len < y->len);
}

#define DIFF_MORE 32 /* room for how many lines had none */

/* Comments decide nothing: they must not push out of the record what does. */
static bool is_comment(const struct line *l)
{
	size_t at = 0;

	while (at < l->len && (l->p[at] == ' ' || l->p[at] == '\t'))
		at++;
	return at == l->len || l->p[at] == '#';
}

static void add_line(char *out, size_t cap, char sign, const struct line *l, unsigned *more)
{
	size_t at = strlen(out), len = l->len > 200 ? 200 : l->len;

	if (is_comment(l))
		return;
	if (*more || at + len + 4 + DIFF_MORE > cap)
		++*more;
	else
		snprintf(out + at, cap - at, "%s%c %.*s", at ? "\n" : "", sign, (int)len, l->p);
}

/* Lines that only one of the texts has, sorted: enough to see who was given what. */
static void diff_text(const char *old, size_t old_len, const char *next, size_t next_len, char *out,
		      size_t cap)
{
	size_t n = 0, m = 0, i = 0, k = 0;
	unsigned more = 0;
	struct line *a = split_lines(old, old_len, &n), *b = split_lines(next, next_len, &m);

	out[0] = '\0';
	if (a && b) {
		qsort(a, n, sizeof(*a), cmp_line);
		qsort(b, m, sizeof(*b), cmp_line);
	} else {
		n = m = 0;
	}
	while (i < n || k < m) {
		int cmp = i == n ? 1 : k == m ? -1 : cmp_line(&a[i], &b[k]);

		if (cmp < 0)
			add_line(out, cap, '-', &a[i++], &more);
		else if (cmp > 0)
			add_line(out, cap, '+', &b[k++], &more);
		else
			i++, k++;
	}
	if (more)
		snprintf(out + strlen(out), cap - strlen(out), "\n(and %u more lines)", more);
	free(a);
	free(b);
}

/*
 * New powers: a steward who makes himself a reader must not do so quietly.
 */
static int alarm_powers(struct fs_vault *v, struct fs_session *by,
			const struct policy_practice *next)
{
	for (size_t i = 0; i < policy_practice_count(next); i++) {
		const struct policy_practitioner *p = policy_practice_at(next, i);
		bool clinical;
		char rights[128];
		int rc;

		if (!fs_consent_gained(v->practice, p, &clinical) && !clinical)
			continue;
		rc = fs_vault_tell(v, by, POLICY_RECORD_ALARM, 0, NULL,
				   "%s gets the role %s%s: %s (account %s)", p->name,
				   p->role->name, clinical ? ", which is clinical" : "",
				   policy_right_text(p->role->rights, rights), p->account);
		if (rc)
			return rc;
		if (v->cfg.alarm)
			v->cfg.alarm(v->cfg.ctx, "a practitioner gets a role with new powers");
	}
	return 0;
}

/* ---- accepting ---- */

struct accept {
	struct fs_session *by;
	const char *file;
	const char *newfile; /* the part gets this name; NULL: it keeps its own */
	uint32_t which, before;
	const char *text; /* NULL: the part of the practice goes */
	size_t len;
	const char *reason;
	char *whole; /* the practice with all its parts: text is this, then */
	struct policy_practice *practice;
	struct policy_journal *journal;
	const struct fs_proposal *agreed; /* NULL: nobody has proposed it */
};

static int check_base(struct fs_vault *v, const struct accept *a, uint32_t base, struct fs_say *say)
{
	const struct keys_identity *id = NULL;
	struct fs_version ver;
	int rc;

	if (base == a->before)
		return 0;
	/* Another part may have changed since: they stand together, and are checked together. */
	if (!a->which && !a->agreed && fs_policies_part_same(v, a->file, base))
		return 0;
	rc = fs_policies_read(v, a->before, &ver);
	if (rc)
		return rc;
	if (ver.signer)
		(void)fs_people_identity(v, ver.signer, ver.enrolment, false, &id);
	fs_say(say,
	       "version %u of \"%s\", which was edited, is no longer in force: %s replaced it with "
	       "version %u; edit that one",
	       base, a->file, id ? id->name : "the vault's root", a->before);
	fs_policies_clear(&ver);
	return -ESTALE;
}

void fs_policies_publish_journal(struct fs_vault *v, struct fs_entry *e,
				 struct policy_journal **journal, uint32_t version)
{
	struct policy_journal *old;

	pthread_rwlock_wrlock(&v->lock);
	old = e->policy;
	e->policy = *journal;
	e->version = version;
	pthread_rwlock_unlock(&v->lock);
	*journal = NULL;
	fs_grants_journal_changed(v, e);
	policy_journal_put(old);
}

static void publish_practice(struct fs_vault *v, struct policy_practice **practice)
{
	struct policy_practice *old;

	fs_policies_forward(v, *practice);
	pthread_rwlock_wrlock(&v->lock);
	old = v->practice;
	v->practice = *practice;
	atomic_store(&v->denies, policy_practice_denies_programs(v->practice));
	pthread_rwlock_unlock(&v->lock);
	*practice = NULL;
	fs_grants_changed(v);
	policy_practice_put(old);
}

static void publish(struct fs_vault *v, struct accept *a, uint32_t version)
{
	if (a->which)
		fs_policies_publish_journal(v, fs_catalog_by_index(v, a->which), &a->journal,
					    version);
	else
		publish_practice(v, &a->practice);
}

static int tell_change(struct fs_vault *v, const struct accept *a)
{
	char diff[900], *old = NULL;
	uint32_t version;
	size_t len = 0;
	int rc = fs_policies_text(v, a->which, &old, &len, &version);

	/* A damaged text must not keep a steward from putting a good one in its place. */
	if (rc && rc != -EBADMSG && rc != -ENOENT)
		return rc;
	diff_text(old ? old : "", len, a->text, a->len, diff, sizeof(diff));
	free(old);
	rc = fs_vault_tell_because(v, a->by, POLICY_RECORD_POLICY, a->which,
				   a->which ? a->file : NULL, a->reason,
				   "version %u%s%s:\n%s", v->counters.policy + 1,
				   a->agreed ? ", as proposed by " : "",
				   a->agreed ? a->agreed->who : "", diff);
	if (!rc && a->practice)
		rc = alarm_powers(v, a->by, a->practice);
	return rc;
}

static int accept_version(struct fs_vault *v, struct accept *a)
{
	struct fs_hand hand = {.pid = a->by->pid, .enrolment = a->by->enrolment};
	struct fs_edit e;
	int rc = tell_change(v, a);

	if (rc)
		return rc;
	fs_vault_edit_begin(v, &e, NULL);
	pthread_rwlock_rdlock(&a->by->lock);
	rc = a->by->secret ? 0 : -ENOKEY;
	if (!rc) {
		hand.sk = a->by->secret->statement_sk;
		rc = fs_policies_add_because(&e, &hand, a->which, a->before, a->text, a->len,
					     a->reason);
	}
	pthread_rwlock_unlock(&a->by->lock);
	if (a->agreed)
		fs_consent_drop(&e, a->agreed->number);
	if (!rc)
		rc = fs_vault_edit_commit(&e);
	if (!rc)
		publish(v, a, e.c.policy);
	fs_vault_edit_clear(&e);
	return rc;
}

static int refuse(struct fs_vault *v, const struct accept *a, struct fs_say *say)
{
	int rc =
		fs_vault_tell(v, a->by, POLICY_RECORD_REFUSED, a->which, a->which ? a->file : NULL,
			      "changing the policy of %s", a->which ? "a journal" : "the practice");

	fs_say(say, "changing policy needs the policy right, which %s does not have", a->by->who);
	return rc ? rc : -EACCES;
}

/* 0: one steward may do this. -EINPROGRESS: it is kept for a second one. */
static int check_consent(struct fs_vault *v, const struct accept *a, struct fs_say *say)
{
	struct fs_proposal p = {.what = FS_PROPOSAL_POLICY, .base = a->before};
	char whom[256], *old = NULL, diff[900];
	uint32_t version;
	size_t len = 0;
	int rc;

	if (a->agreed || !a->practice)
		return 0;
	rc = fs_consent_needed(v, a->by, a->practice, whom, sizeof(whom));
	if (rc <= 0)
		return rc;
	rc = fs_policies_text(v, 0, &old, &len, &version);
	if (rc)
		return rc;
	diff_text(old, len, a->text, a->len, diff, sizeof(diff));
	free(old);
	p.text = a->text;
	p.len = a->len;
	rc = fs_consent_keep(v, a->by, &p, diff, say);
	if (rc)
		return rc;
	fs_say(say,
	       "this gives new powers to %s, which takes two stewards: it is kept as proposal %u and "
	       "is not in force; another steward looks at it and agrees with `journalfs approve %u`",
	       whom, p.number, p.number);
	return -EINPROGRESS;
}

/* Under edit. */
static int put_locked(struct fs_vault *v, struct accept *a, uint32_t base, char **report,
		      struct fs_say *say)
{
	const struct fs_entry *e;
	int rc;

	if (!fs_sessions_has(v, a->by, POLICY_POLICY))
		return refuse(v, a, say);
	e = a->which ? fs_catalog_by_index(v, a->which) : NULL;
	/* Renamed since the name was looked up: the text would be that of another name. */
	if (a->which && (!e || strcmp(e->name, a->file)))
		return -ENOENT;
	a->before = e ? e->version : v->counters.practice;
	rc = check_base(v, a, base, say);
	/* What was proposed is the whole already. */
	if (!rc && !a->which && !a->agreed) {
		rc = a->newfile ? fs_policies_part_move(v, a->file, a->newfile, &a->whole, &a->len)
				: fs_policies_part_put(v, a->file, a->text, a->len, &a->whole,
						       &a->len, report);
		a->text = a->whole;
	}
	if (!rc)
		rc = fs_policies_parse(v, a->which, a->which ? a->file : "practice.policy", a->text,
				       a->len, report, &a->practice, &a->journal);
	if (!rc && a->practice)
		rc = fs_policies_keep(v, a->practice, report);
	if (!rc)
		rc = check_consent(v, a, say);
	return rc ? rc : accept_version(v, a);
}

int fs_policies_in_force(struct fs_vault *v)
{
	fs_sessions_trim(v);
	if (v->cfg.policy_changed)
		v->cfg.policy_changed(v->cfg.ctx);
	return fs_policies_announce(v);
}

static int put(struct fs_vault *v, struct accept *in, uint32_t base, char **report,
	       struct fs_say *say)
{
	struct accept a = *in;
	int rc;

	if (fs_session_state(a.by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (strlen(a.reason) > FS_REASON_MAX) {
		fs_say(say, "a reason has at most %u bytes", FS_REASON_MAX);
		return -EINVAL;
	}
	rc = fs_policies_file(v, a.file, &a.which);
	if (!rc) {
		pthread_mutex_lock(&v->edit);
		rc = put_locked(v, &a, base, report, say);
		pthread_mutex_unlock(&v->edit);
	} else {
		fs_say(say,
		       "there is no policy \"%s\"; it is \"practice\" or the name of a journal",
		       a.file);
	}
	free(a.whole);
	if (a.practice)
		policy_practice_put(a.practice);
	if (a.journal)
		policy_journal_put(a.journal);
	if (rc == -EINPROGRESS && fs_group_sync(fs_records_group(v->records), 0))
		return -EIO;
	return rc ? rc : fs_policies_in_force(v);
}

/* ---- the second steward ---- */

static int approve_policy(struct fs_vault *v, struct fs_session *by, const struct fs_proposal *p,
			  char **report, struct fs_say *say)
{
	char reason[sizeof(p->who) + 32];
	struct accept a = {.by = by,
			   .file = "practice",
			   .text = p->text,
			   .len = p->len,
			   .reason = reason,
			   .agreed = p};
	int rc;

	snprintf(reason, sizeof(reason), "as proposed by %s", p->who);
	rc = put_locked(v, &a, p->base, report, say);
	if (a.practice)
		policy_practice_put(a.practice);
	return rc;
}

/* Under edit. */
static int approve_locked(struct fs_vault *v, struct fs_session *by, const struct fs_proposal *p,
			  char code[static KEYS_CODE_TEXT_MAX], char **report, struct fs_say *say)
{
	char name[KEYS_NAME_MAX + 1];
	int rc;

	if (!fs_sessions_has(v, by, POLICY_POLICY)) {
		fs_say(say, "approving a proposal needs the policy right, which %s does not have",
		       by->who);
		rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL, "approving proposal %u",
				   p->number);
		return rc ? rc : -EACCES;
	}
	if (p->pid == by->pid) {
		fs_say(say, "proposal %u is your own: another steward has to agree", p->number);
		rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL,
				   "approving the own proposal %u", p->number);
		return rc ? rc : -EPERM;
	}
	if (p->what == FS_PROPOSAL_POLICY)
		return approve_policy(v, by, p, report, say);
	if (p->what == FS_PROPOSAL_ARCHIVE)
		return fs_archive_agreed(v, by, p, say);
	snprintf(name, sizeof(name), "%.*s", (int)p->len, p->text);
	return fs_enroll_invite_agreed(v, by, name, p, code, say);
}

int fs_vault_proposal_approve(struct fs_vault *v, struct fs_session *by, uint32_t number,
			      char code[static KEYS_CODE_TEXT_MAX], char **report,
			      struct fs_say *say)
{
	struct fs_proposal p = {0};
	int rc;

	code[0] = '\0';
	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	pthread_mutex_lock(&v->edit);
	rc = fs_consent_read(v, number, &p);
	if (!rc)
		rc = approve_locked(v, by, &p, code, report, say);
	else if (rc == -ENOENT)
		fs_say(say, "there is no proposal %u; `journalfs approve` lists them", number);
	pthread_mutex_unlock(&v->edit);
	if (!rc)
		rc = p.what == FS_PROPOSAL_POLICY
			     ? fs_policies_in_force(v)
			     : fs_group_sync(fs_records_group(v->records), 0);
	fs_consent_clear(&p);
	return rc;
}

int fs_vault_policy_put(struct fs_vault *v, struct fs_session *by, const char *file,
			const char *text, size_t len, uint32_t base, char **report,
			struct fs_say *say)
{
	return fs_vault_policy_put_because(v, by, file, text, len, base, "", report, say);
}

int fs_vault_policy_put_because(struct fs_vault *v, struct fs_session *by, const char *file,
				const char *text, size_t len, uint32_t base, const char *reason,
				char **report, struct fs_say *say)
{
	struct accept a = {.by = by, .file = file, .text = text, .len = len, .reason = reason};

	return put(v, &a, base, report, say);
}

int fs_vault_policy_remove(struct fs_vault *v, struct fs_session *by, const char *file,
			   uint32_t base, char **report, struct fs_say *say)
{
	struct accept a = {.by = by, .file = file, .reason = ""};
	const char *part = fs_policies_part(file);

	if (!part || !*part)
		return -EPERM;
	return put(v, &a, base, report, say);
}

int fs_vault_policy_rename(struct fs_vault *v, struct fs_session *by, const char *file,
			   const char *newfile, uint32_t base, char **report, struct fs_say *say)
{
	struct accept a = {.by = by, .file = file, .newfile = newfile, .reason = ""};
	const char *part = fs_policies_part(file), *newpart = fs_policies_part(newfile);

	if (!part || !*part || !newpart || !*newpart)
		return -EPERM;
	return put(v, &a, base, report, say);
}
