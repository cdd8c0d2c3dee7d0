/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_ask.c - questions about decisions: why is it so, and would a draft do what it should.
 *
 * Stewards and auditors ask about anybody. Others ask about themselves and about
 * journals that they see: one that is hidden from them, now or at the time they ask
 * about, is answered exactly as one that does not exist, and by the same steps, so
 * that neither the words nor the time taken tell of a block or a name.
 *
 * Invariants: (1) the record of a question is durable before its answer; (2) what
 * is explained is what policy_decide says of the policies that were in force then;
 * (3) drafts are judged beside what is in force and change nothing.
 *
 * Locks: `lock` for single look-ups; none while records are read or texts parsed.
 */
#include "../policy/bundle.h"
#include "../policy/expect.h"
#include "../policy/explain.h"
#include "../policy/span.h"
#include "policy_keys.h"
#include "policy_log.h"

#define PART_PREFIX "practice.d/"
#define RIGHT_BITS 16

/* ---- explain ---- */

struct asking {
	struct fs_vault *v;
	struct fs_session *by;
	const struct fs_explain *in;
	bool whole; /* may ask about anybody */
	const char *who;
	uint32_t rights, version, number, index;
	int64_t when_s;
	struct policy_practice *practice;
	struct policy_journal *journal;
	bool gone; /* the journal is not there any more */
	struct policy_grant grant;
	bool granted; /* the asker's own emergency access, in a question about himself and now */
};

/* "read", "read,write": the language's words for rights. */
static int rights_parse(const char *text, uint32_t *out, struct fs_say *say)
{
	char word[64], name[128];

	*out = 0;
	while (*text) {
		size_t n = strcspn(text, ",");
		uint32_t bit = 0;

		snprintf(word, sizeof(word), "%.*s", (int)n, text);
		for (unsigned i = 0; i < RIGHT_BITS && !bit; i++) {
			policy_right_text(1u << i, name);
			if (name[0] && !strcmp(name, word))
				bit = 1u << i;
		}
		if (!bit) {
			fs_say(say, "`%s` is no action; there are: %s", word,
			       policy_right_text((1u << RIGHT_BITS) - 1, name));
			return -EINVAL;
		}
		*out |= bit;
		text += n + (text[n] == ',');
	}
	return 0;
}

/* The asker's open grant for this journal: only he reads of it here, others where grants are reviewed. */
static void find_grant(struct asking *a)
{
	if (a->in->at_s || strcmp(a->who, a->by->who))
		return;
	pthread_rwlock_rdlock(&a->v->lock);
	a->granted = fs_glass_find(a->v, a->by->pid, a->by->enrolment, a->index, &a->grant);
	pthread_rwlock_unlock(&a->v->lock);
}

static struct policy_question question(const struct asking *a, uint32_t rights)
{
	return (struct policy_question){a->practice, a->journal, a->who,
					rights,	     a->when_s,	 a->granted ? &a->grant : NULL};
}

/* Do they see it now, whatever the version asked about? Number and index of what they see. */
static int find_own(struct asking *a)
{
	struct fs_vault *v = a->v;
	const struct fs_entry *e;
	struct policy_verdict verdict;

	pthread_rwlock_rdlock(&v->lock);
	e = fs_catalog_by_name(v, a->in->journal);
	fs_catalog_verdict(v, e, a->by->who, 0, fs_vault_wall_s(), &verdict);
	if (e) {
		a->index = e->index;
		a->number = e->version;
	}
	pthread_rwlock_unlock(&v->lock);
	find_grant(a);
	return a->index && (verdict.visible || a->granted) ? 0 : -ENOENT;
}

static int load_journal(struct asking *a)
{
	struct fs_version ver;
	int rc = 0;

	if (!a->whole)
		rc = find_own(a);
	while (!rc && !a->whole && a->number > a->version) {
		rc = fs_policies_peek(a->v, a->number, &ver);
		if (rc)
			return rc;
		a->number = ver.before;
		fs_policies_clear(&ver);
		if (!a->number)
			return -ENOENT;
	}
	if (a->whole)
		rc = fs_policy_log_find(a->v, a->in->journal, a->version, &a->number);
	if (!rc)
		rc = fs_policies_read(a->v, a->number, &ver);
	if (rc)
		return rc;
	a->index = ver.file;
	rc = ver.file ? fs_policies_parse_journal(ver.text, ver.len, a->in->journal, &a->journal)
		      : -ENOENT;
	fs_policies_clear(&ver);
	pthread_rwlock_rdlock(&a->v->lock);
	a->gone = !fs_catalog_by_index(a->v, a->index);
	pthread_rwlock_unlock(&a->v->lock);
	find_grant(a);
	return rc;
}

static int load(struct asking *a)
{
	const struct fs_policy_when when = {.at_s = a->in->at_s};
	struct policy_question q;
	struct policy_verdict verdict;
	int rc = fs_policy_log_version(a->v, &when, &a->version);

	if (!rc)
		rc = fs_policies_at(a->v, a->version, &a->practice);
	if (!rc && a->in->journal[0])
		rc = load_journal(a);
	if (rc || a->whole || !a->journal)
		return rc;
	/* Hidden then is hidden now: what was blocked is not told afterwards either. */
	q = question(a, 0);
	policy_decide(&q, &verdict);
	return verdict.visible ? 0 : -ENOENT;
}

/* What the decision does not know: whether there is an identity, and whether it holds the key. */
static void key_words(struct asking *a, const struct policy_verdict *verdict, FILE *out)
{
	bool enrolled = false, holds = false;

	/* A grant needs no key of his: the break-glass key opens the journal. */
	if (a->in->at_s || a->gone || verdict->answer != POLICY_ALLOW ||
	    verdict->ground == POLICY_GROUND_GRANT ||
	    fs_policy_key_held(a->v, a->index, a->who, &enrolled, &holds))
		return;
	if (!enrolled)
		fprintf(out, "But %s has no identity in this vault yet: journalfs invite %s\n", a->who,
			a->who);
	else if (!holds)
		fprintf(out,
			"But the journal's key has not been given to %s yet: that happens when somebody who "
			"holds it is logged in (journalfs policy status)\n",
			a->who);
}

static int write_answer(struct asking *a, char **text)
{
	const struct policy_question q = question(a, a->rights);
	struct policy_verdict verdict;
	char when[48], *plain = NULL;
	size_t len = 0;
	FILE *out;
	int rc = policy_explain(&q, &plain);

	if (rc)
		return rc;
	out = open_memstream(text, &len);
	if (!out) {
		free(plain);
		return -ENOMEM;
	}
	policy_decide(&q, &verdict);
	policy_span_text(a->when_s * 1000000000, ' ', 0, when);
	fprintf(out, "At %s, by policy version %u", when, a->version);
	if (a->journal)
		fprintf(out, " (of the journal \"%s\": version %u)", policy_journal_name(a->journal),
			a->number);
	fputs(":\n", out);
	if (a->in->note[0])
		fprintf(out, "note \"%s\": what holds for its journal holds for it\n", a->in->note);
	fputs(plain, out);
	if (a->journal)
		key_words(a, &verdict, out);
	if (a->gone && a->journal)
		fputs("The journal is not there any more (the access log says since when): these are the "
		      "rules that it had.\n", out);
	free(plain);
	if (fclose(out)) {
		free(*text);
		*text = NULL;
		return -ENOMEM;
	}
	return 0;
}

static void say_none(struct asking *a, struct fs_say *say)
{
	bool glass = !a->whole && !a->in->at_s && fs_sessions_has(a->v, a->by, POLICY_BREAK_GLASS);

	if (a->in->journal[0])
		fs_say(say, "there is no journal \"%s\", then or for you%s", a->in->journal,
		       glass ? "; your role may break the glass: in an emergency `journalfs break-glass` "
			       "opens what is hidden from you"
			     : "");
	else
		fs_say(say, "there was no policy then");
}

static int ask(struct asking *a, char **text, struct fs_say *say)
{
	char rights[128];
	int rc = load(a);

	policy_right_text(a->rights, rights);
	if (rc == -ENOENT) {
		/* The same record and the same words, whether it is hidden or not there. */
		rc = fs_vault_tell(a->v, a->by, POLICY_RECORD_REFUSED, 0, a->in->journal,
				   "explaining the access of %s", a->who);
		say_none(a, say);
		return rc ? rc : -ENOENT;
	}
	if (!rc)
		rc = fs_vault_tell(a->v, a->by, POLICY_RECORD_REVIEW, a->index,
				   a->in->journal[0] ? a->in->journal : NULL,
				   "the access of %s was explained: %s, by policy version %u", a->who,
				   rights, a->version);
	return rc ? rc : write_answer(a, text);
}

static bool about_anybody(struct fs_vault *v, struct fs_session *by)
{
	return fs_sessions_has(v, by, POLICY_POLICY) || fs_sessions_has(v, by, POLICY_AUDIT);
}

int fs_vault_explain(struct fs_vault *v, struct fs_session *by, const struct fs_explain *in,
		     char **text, struct fs_say *say)
{
	struct asking a = {.v = v, .by = by, .in = in, .who = in->who[0] ? in->who : by->who};
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	a.whole = about_anybody(v, by);
	if (!a.whole && strcmp(a.who, by->who)) {
		fs_say(say, "what others may do is explained to whom the practice policy gives the "
			    "policy or the audit right, which %s does not have", by->who);
		rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL,
				   "explaining the access of %.64s", a.who);
		return rc ? rc : -EACCES;
	}
	a.when_s = in->at_s ? in->at_s : fs_vault_wall_s();
	rc = rights_parse(in->action[0] ? in->action : "read", &a.rights, say);
	if (!rc)
		rc = ask(&a, text, say);
	if (a.journal)
		policy_journal_put(a.journal);
	if (a.practice)
		policy_practice_put(a.practice);
	return rc;
}

/* ---- test ---- */

struct testing {
	struct fs_vault *v;
	const struct fs_policy_test *in;
	struct policy_practice *practice;
	struct policy_journal **journal; /* of the drafts, by their places; NULL where it is none */
	struct policy_expect *expect;
	struct policy_report *report;
};

static bool of_practice(const char *file)
{
	return !strcmp(file, "practice") || !strncmp(file, PART_PREFIX, strlen(PART_PREFIX));
}

/* The practice in force with the drafts laid over it. */
static int lay_practice(struct testing *t)
{
	uint32_t version;
	char *text = NULL;
	size_t len = 0;
	int rc = fs_policies_text(t->v, 0, &text, &len, &version);

	for (size_t i = 0; i < t->in->drafts && !rc; i++) {
		const struct fs_policy_draft *d = &t->in->draft[i];
		const char *name = strcmp(d->file, "practice") ? d->file + strlen(PART_PREFIX) : "";
		char *next;

		if (!of_practice(d->file))
			continue;
		errno = 0;
		next = policy_bundle_put(text, len, name, d->text, d->len, &len);
		if (!next) {
			rc = errno == ENOMEM ? -ENOMEM : -EINVAL;
			policy_report_add(t->report, d->file, 1, 1, "this can't be a part of the practice "
								   "policy");
			break;
		}
		free(text);
		text = next;
	}
	if (!rc)
		rc = policy_practice_parse(text, len, "practice.policy", t->report, &t->practice);
	free(text);
	return rc;
}

static int lay_journals(struct testing *t)
{
	int rc = 0;

	for (size_t i = 0; i < t->in->drafts && (!rc || rc == -EINVAL); i++) {
		const struct fs_policy_draft *d = &t->in->draft[i];
		int one;

		if (of_practice(d->file))
			continue;
		one = policy_journal_parse(d->text, d->len, d->file, t->practice, t->report,
					   &t->journal[i]);
		if (!one && strcmp(policy_journal_name(t->journal[i]), d->file)) {
			policy_report_add(t->report, d->file, 1, 1,
					  "the text is that of journal \"%s\"",
					  policy_journal_name(t->journal[i]));
			one = -EINVAL;
		}
		rc = one ? one : rc;
	}
	return rc;
}

/* A reference, or NULL. */
static struct policy_journal *journal_of(const struct testing *t, const char *name)
{
	struct policy_journal *j = NULL;
	const struct fs_entry *e;

	if (!name)
		return NULL;
	for (size_t i = 0; i < t->in->drafts; i++) {
		if (t->journal[i] && !strcmp(t->in->draft[i].file, name))
			return policy_journal_get(t->journal[i]);
	}
	pthread_rwlock_rdlock(&t->v->lock);
	e = fs_catalog_by_name(t->v, name);
	if (e && e->policy)
		j = policy_journal_get(e->policy);
	pthread_rwlock_unlock(&t->v->lock);
	return j;
}

static int judge(struct testing *t, int (*fn)(void *ctx, const char *line), void *ctx,
		 struct fs_policy_tested *out)
{
	int64_t now_s = t->in->at_s ? t->in->at_s : fs_vault_wall_s();
	int rc = 0;

	out->total = (unsigned)policy_expect_count(t->expect);
	for (size_t n = 0; n < out->total && !rc; n++) {
		const struct policy_expectation *one = policy_expect_at(t->expect, n);
		struct policy_journal *j = journal_of(t, one->journal);
		char *line = NULL;

		rc = policy_expect_judge(t->expect, n, t->practice, j, now_s, &line);
		if (!rc && line) {
			out->failed++;
			rc = fn(ctx, line);
		}
		free(line);
		if (j)
			policy_journal_put(j);
	}
	return rc < 0 ? rc : 0;
}

static int test(struct testing *t, int (*fn)(void *ctx, const char *line), void *ctx,
		struct fs_policy_tested *out, char **report)
{
	int rc = policy_report_new(&t->report);

	t->journal = calloc(t->in->drafts ? t->in->drafts : 1, sizeof(struct policy_journal *));
	if (!rc && !t->journal)
		rc = -ENOMEM;
	if (!rc)
		rc = lay_practice(t);
	if (!rc)
		rc = lay_journals(t);
	if (!rc)
		rc = policy_expect_parse(t->in->text, t->in->len, t->in->name, t->report,
					 &t->expect);
	if (rc == -EINVAL)
		*report = policy_report_text(t->report);
	return rc ? rc : judge(t, fn, ctx, out);
}

int fs_vault_policy_test(struct fs_vault *v, struct fs_session *by, const struct fs_policy_test *in,
			 int (*fn)(void *ctx, const char *line), void *ctx,
			 struct fs_policy_tested *out, char **report, struct fs_say *say)
{
	struct testing t = {.v = v, .in = in};
	int rc;

	memset(out, 0, sizeof(*out));
	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	/* First of all: whether a name is known is told by every answer. */
	if (!fs_sessions_has(v, by, POLICY_POLICY)) {
		fs_say(say, "trying policies needs the policy right, which %s does not have",
		       by->who);
		rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL, "trying a policy");
		return rc ? rc : -EACCES;
	}
	rc = test(&t, fn, ctx, out, report);
	for (size_t i = 0; t.journal && i < in->drafts; i++) {
		if (t.journal[i])
			policy_journal_put(t.journal[i]);
	}
	free(t.journal);
	policy_expect_free(t.expect);
	policy_report_free(t.report);
	if (t.practice)
		policy_practice_put(t.practice);
	return rc;
}
