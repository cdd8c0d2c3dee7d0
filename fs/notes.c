/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes.c - one act with a note: who asks, which note, may he; and finalizing.
 *
 * Invariants: (1) a refusal is durable in the log before it is answered; (2) what is waited for
 * (mounts, the `finals` mutex) is waited for before the last look at rights, session and note; (3)
 * a note that could not be made final is a draft again; (4) the policy version in a statement is
 * one under which the decision was taken, so that whoever verifies comes to the same answer.
 *
 * Locks: none while mounts settle and the closed note is hashed; then `finals` until the statement is durable.
 */
#include <stdarg.h>
#include <sys/stat.h>

#include "../policy/utf8.h"
#include "clock.h"
#include "notes_impl.h"

#define VERSION_TRIES 8 /* policy that changes under each look */

/* ---- answers ---- */

int fs_noting_refuse(const struct fs_noting *a, int rc, const char *fmt, ...)
{
	struct policy_record r;
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	fs_noting_record(a, POLICY_RECORD_REFUSED, &r);
	snprintf(r.detail, sizeof(r.detail), "%s: %s", a->what, why);
	if (fs_log_write(a->v->log, &r))
		return -EIO;
	fs_say(a->say, "%s", why);
	return rc;
}

int fs_noting_no(const struct fs_noting *a, int rc, const char *fmt, ...)
{
	char why[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	fs_say(a->say, "%s", why);
	return rc;
}

/* ---- who and where ---- */

/* Rights, and the policy version under which they hold. */
static int rights_now(struct fs_noting *a, struct policy_verdict *verdict, char *rule, size_t cap)
{
	uint32_t before = 0, after = 0;
	int rc = 0;

	for (unsigned n = 0; n < VERSION_TRIES && !rc; n++) {
		before = fs_vault_policy_version(a->v);
		policy_practice_put(a->practice);
		a->practice = fs_vault_practice(a->v);
		if (!a->practice)
			return -ENOKEY;
		rc = fs_vault_decide(a->v, a->s, a->index, POLICY_READ, verdict, rule, cap);
		after = fs_vault_policy_version(a->v);
		if (before == after)
			break;
	}
	if (rc)
		return rc;
	if (before != after)
		return -EAGAIN;
	a->policy_version = after;
	a->rights = verdict->rights;
	a->me = policy_practice_find(a->practice, a->s->who);
	a->drafts_s = 0;
	a->grant = 0;
	if (verdict->rights & POLICY_DRAFT)
		(void)fs_vault_drafts(a->v, a->s, a->index, &a->drafts_s);
	if (verdict->ground == POLICY_GROUND_GRANT) {
		int64_t since_s;

		(void)fs_vault_grant(a->v, a->s, a->index, &a->grant, &since_s);
	}
	return 0;
}

static int check_rights(struct fs_noting *a)
{
	char rule[POLICY_RECORD_TEXT] = "";
	struct policy_verdict verdict;
	int rc;

	if (fs_session_state(a->s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	rc = rights_now(a, &verdict, rule, sizeof(rule));
	if (rc)
		return rc;
	if (verdict.answer == POLICY_ALLOW && a->me)
		return 0;
	if (verdict.visible)
		return fs_noting_refuse(a, -EACCES, "you may not read this journal: %s", rule);
	rc = fs_noting_refuse(a, -ENOENT, "not shown: %s", rule);
	fs_say(a->say, "there is no such journal, or it is not shown to you");
	return rc;
}

int fs_noting_begin(struct fs_noting *a, struct fs_vault *v, struct fs_session *s,
		    const struct fs_note_place *at, const char *what, struct fs_say *say)
{
	int rc = 0;

	*a = (struct fs_noting){.v = v,
				.s = s,
				.hand = s,
				.ino = at->ino,
				.as_shown = at->as_shown,
				.change = at->change,
				.say = say,
				.what = what,
				.index = at->index,
				.path = at->path ? at->path : ""};
	if (fs_session_state(s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (at->journal)
		rc = fs_vault_journal_by_name(v, at->journal, &a->index);
	if (!rc)
		rc = fs_vault_journal_name(v, a->index, a->journal);
	if (rc == -ENOENT) {
		a->index = 0;
		rc = fs_noting_refuse(a, -ENOENT, "there is no such journal");
		fs_say(say, "there is no such journal, or it is not shown to you");
	}
	if (!rc)
		rc = check_rights(a);
	if (rc)
		return rc;
	rc = fs_vault_journal(v, s, a->index, &a->j);
	if (rc == -EACCES)
		rc = fs_noting_refuse(a, rc, "the key of %s still waits for somebody who holds it",
				      a->journal);
	return rc;
}

static int look_at_note(struct fs_noting *a)
{
	bool gone;

	pthread_rwlock_rdlock(&a->i->lock);
	a->attr = a->i->attr;
	gone = a->i->gone || a->i->deleted;
	pthread_rwlock_unlock(&a->i->lock);
	if (gone)
		return fs_noting_no(a, -ENOENT, "%s was removed meanwhile", a->path);
	if (!S_ISREG(a->attr.mode))
		return fs_noting_no(a, -EINVAL, "%s is no note: only files can be", a->path);
	fs_vault_note_name(a->v, a->attr.author, a->author);
	return 0;
}

int fs_noting_find(struct fs_noting *a)
{
	int rc = fs_final_lookup(a->j, a->path, &a->i);

	if (rc == -ENOENT || rc == -ENOTDIR)
		return fs_noting_no(a, -ENOENT, "there is no %s in %s", a->path, a->journal);
	if (rc == -EINVAL)
		return fs_noting_no(a, rc, "\"%s\" is no path to a note within %s", a->path,
				    a->journal);
	if (!rc && a->ino && a->i->ino != a->ino)
		return fs_noting_no(a, -ENOENT, "%s was moved or renamed meanwhile: try again",
				    a->path);
	return rc ? rc : look_at_note(a);
}

/* The vault's own act: nobody's rights. */
static int practice_now(struct fs_noting *a)
{
	uint32_t before = 0, after = 0;

	for (unsigned n = 0; n < VERSION_TRIES; n++) {
		before = fs_vault_policy_version(a->v);
		policy_practice_put(a->practice);
		a->practice = fs_vault_practice(a->v);
		after = fs_vault_policy_version(a->v);
		if (!a->practice || before == after)
			break;
	}
	a->policy_version = after;
	return !a->practice ? -ENOKEY : before != after ? -EAGAIN : 0;
}

int fs_noting_again(struct fs_noting *a)
{
	int rc = a->s ? check_rights(a) : practice_now(a);

	return rc ? rc : look_at_note(a);
}

void fs_noting_end(struct fs_noting *a)
{
	fs_inode_put(a->i);
	if (a->j)
		fs_journal_put(a->j);
	policy_practice_put(a->practice);
	a->i = NULL;
	a->j = NULL;
	a->practice = NULL;
}

void fs_noting_actor(const struct fs_noting *a, struct fs_actor *who)
{
	int64_t now = fs_clock_wall_ns();

	*who = (struct fs_actor){
		.signer = fs_session_signer(a->hand),
		.pid = a->hand->pid,
		.now = {.tv_sec = now / 1000000000, .tv_nsec = now % 1000000000},
	};
}

uint16_t fs_noting_flags(const struct fs_noting *a)
{
	uint16_t flags;

	pthread_rwlock_rdlock(&a->i->lock);
	flags = a->i->flags;
	pthread_rwlock_unlock(&a->i->lock);
	return flags;
}

int fs_noting_durable(struct fs_journal *j, uint64_t group)
{
	int rc = fs_group_commit(fs_records_group(fs_journal_records(j)), group);

	return rc ? rc : fs_journal_check(j);
}

/* ---- may he ---- */

bool fs_noting_mine(const struct fs_noting *a)
{
	return a->s && a->attr.author == a->s->pid;
}

bool fs_noting_as_author(const struct fs_noting *a)
{
	if (!fs_noting_mine(a))
		return false;
	if (a->rights & POLICY_WRITE)
		return true;
	return a->drafts_s && a->attr.writer == a->s->pid && a->attr.btime.tv_sec >= a->drafts_s;
}

bool fs_noting_finalizes(const struct fs_noting *a)
{
	const uint32_t both = POLICY_FINALIZE | POLICY_WRITE;

	return (a->rights & both) == both;
}

bool fs_noting_countersigned(const struct fs_noting *a, const char *who)
{
	const struct policy_practitioner *p = policy_practice_find(a->practice, who);

	return p && policy_practice_countersigns(a->practice, p->role->name);
}

bool fs_noting_second(const struct fs_noting *a)
{
	return a->me && a->me->role->clinical &&
	       !policy_practice_countersigns(a->practice, a->me->role->name);
}

int fs_noting_may_finalize(const struct fs_noting *a)
{
	if (!a->s || fs_noting_as_author(a))
		return 0;
	if (fs_noting_mine(a))
		return fs_noting_refuse(
			a, -EACCES,
			a->rights & POLICY_DRAFT
				? "by emergency access you may finalize only what you alone have "
				  "written under it"
				: "you may not write in this journal any more, so you may not "
				  "finalize in it; ask a steward");
	if (!(a->rights & POLICY_WRITE))
		return fs_noting_refuse(a, -EACCES,
					"%s wrote this note, and you may not write in this journal",
					a->author);
	if (!policy_practice_settings(a->practice)->finalize_others)
		return fs_noting_refuse(
			a, -EACCES,
			"%s wrote this note and has to finalize it: the practice's policy "
			"does not say `finalize others`",
			a->author);
	if (!fs_noting_finalizes(a))
		return fs_noting_refuse(
			a, -EACCES,
			"%s wrote this note: to finalize it takes a role with the right "
			"`finalize`",
			a->author);
	return 0;
}

int fs_noting_reason(const struct fs_noting *a, const char *reason)
{
	if (!reason || policy_utf8_characters(reason) < 3 || !policy_utf8_said(reason))
		return fs_noting_no(
			a, -EINVAL,
			"a reason in own words is wanted, one line of at least 3 characters");
	if (strlen(reason) > KEYS_NOTE_REASON_MAX)
		return fs_noting_no(a, -EINVAL, "the reason is longer than %d bytes",
				    KEYS_NOTE_REASON_MAX);
	return 0;
}

/* ---- finalizing ---- */

static int no_close(const struct fs_noting *a, int rc)
{
	switch (rc) {
	case -EPERM:
		return fs_noting_no(a, rc, "%s is final already", a->path);
	case -EBUSY:
		return fs_noting_no(a, rc, "somebody else is finalizing %s just now", a->path);
	case -EMLINK:
		return fs_noting_no(a, rc,
				    "%s has several names (hard links): remove all but one first",
				    a->path);
	case -ENOENT:
		return fs_noting_no(a, rc, "%s was removed meanwhile", a->path);
	default:
		return rc;
	}
}

static int no_add(const struct fs_noting *a, int rc)
{
	switch (rc) {
	case -ENOENT:
		return fs_noting_no(a, rc, "%s was moved or renamed meanwhile: try again", a->path);
	case -EXDEV:
	case -ENAMETOOLONG:
		return fs_noting_no(a, rc,
				    "%s lies too deep: at most %d folders above a final note",
				    a->path, FS_FINAL_DEPTH);
	case -EBADMSG:
		fs_vault_alarm(a->v, a->index, "what %s says of its final notes is damaged",
			       a->journal);
		return fs_noting_no(
			a, rc,
			"what %s says of its final notes is damaged: `journalfs verify`, "
			"restore it from a backup",
			a->journal);
	default:
		return rc;
	}
}

/* The statement of the note that this draft amends; 0 none. */
static int amended(const struct fs_noting *a, uint32_t *number)
{
	struct fs_final_state state = {0}, origin = {0};
	struct fs_inode *i = NULL;
	int rc = fs_final_state(a->i, &state);

	*number = 0;
	if (rc || !state.amends)
		return rc;
	rc = fs_inode_get(a->j, state.amends, &i);
	if (!rc)
		rc = fs_final_state(i, &origin);
	fs_inode_put(i);
	if (!rc)
		*number = origin.final;
	return rc == -ENOENT ? -EBADMSG : rc;
}

/* Does the note want a second practitioner's signature, beside what this act gives it? */
static bool wants(const struct fs_noting *a, bool sign)
{
	if (!fs_noting_countersigned(a, a->author))
		return false;
	return fs_noting_mine(a) || !sign || !fs_noting_second(a) || !fs_noting_finalizes(a);
}

/* Closed and hashed: nothing of the note changes any more. `finals` is held. */
static int finalize_closed(struct fs_noting *a, const struct fs_noting_final *how,
			   const struct fs_noting_hash *hash, struct fs_note_result *out)
{
	struct fs_final_statement *st = calloc(1, sizeof(*st));
	struct fs_noting_add add = {.s = st, .blake2b = how->sign ? hash->blake2b : NULL};
	struct keys_note *n;
	int rc = st ? fs_noting_again(a) : -ENOMEM;

	if (!rc)
		rc = fs_noting_may_finalize(a);
	if (!rc && how->due_s && a->attr.ctime.tv_sec > how->due_s)
		rc = -EAGAIN;
	if (!rc && a->as_shown && a->attr.change != a->change)
		rc = fs_noting_no(a, -ESTALE,
				  "%s was changed after it was shown; look at it again, and finalize it "
				  "then", a->path);
	n = st ? &st->note : NULL;
	if (!rc)
		rc = fs_noting_statement(a, how->sign ? KEYS_NOTE_FINAL : KEYS_NOTE_LOCKED, n);
	if (!rc) {
		memcpy(n->sha256, hash->sha256, KEYS_LEN);
		n->size = hash->size;
		rc = amended(a, &n->amends);
	}
	if (!rc) {
		snprintf(n->reason, sizeof(n->reason), "%s", how->reason);
		add.wants = wants(a, how->sign);
		rc = no_add(a, fs_noting_add(a, &add));
	}
	if (!rc) {
		*out = (struct fs_note_result){.number = n->number,
					       .kind = n->kind,
					       .time_s = n->time_s,
					       .wants = add.wants};
		memcpy(out->sha256, n->sha256, KEYS_LEN);
	}
	free(st);
	return rc;
}

static void settle(const struct fs_noting *a, const struct fs_note_settle *settle)
{
	if (settle && settle->fn)
		settle->fn(settle->ctx, fs_inode_nodeid(a->i));
}

int fs_noting_finalize(struct fs_noting *a, const struct fs_noting_final *how,
		       struct fs_note_result *out)
{
	struct fs_noting_hash hash;
	int rc = a->attr.flags & FS_INODE_FINAL ? no_close(a, -EPERM) : fs_noting_may_finalize(a);

	if (rc)
		return rc;
	/* What programs have written, but the kernel still holds, belongs to the note. */
	settle(a, how->settle);
	rc = fs_noting_again(a);
	if (!rc)
		rc = fs_noting_may_finalize(a);
	if (!rc)
		rc = no_close(a, fs_final_close(a->i));
	if (rc)
		return rc;
	/* However large it is, nobody else's statement waits for it. */
	rc = fs_noting_hash(a, &hash);
	if (!rc) {
		pthread_mutex_lock(&a->v->finals);
		rc = finalize_closed(a, how, &hash, out);
		pthread_mutex_unlock(&a->v->finals);
	}
	if (rc)
		fs_final_open(a->i);
	/* And its attributes are others now, also where the disk has no room for it yet. */
	if (!rc || fs_noting_flags(a) & FS_INODE_FINAL)
		settle(a, how->settle);
	return rc;
}

int fs_vault_note_finalize(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			   enum fs_note_how how, const struct fs_note_settle *settle_with,
			   struct fs_note_result *out, struct fs_say *say)
{
	static const char *const reasons[] = {
		[FS_NOTE_SIGN] = "",
		[FS_NOTE_ATTRIBUTE] = "by the attribute user.journalfs.state",
		[FS_NOTE_READ_ONLY] = "made read-only",
		[FS_NOTE_AGE] = "by its age",
	};
	const struct fs_noting_final final = {
		.sign = how == FS_NOTE_SIGN, .reason = reasons[how], .settle = settle_with};
	struct fs_noting a;
	int rc = fs_noting_begin(&a, v, s, at, "finalizing", say);

	if (!rc)
		rc = fs_noting_find(&a);
	if (!rc)
		rc = fs_noting_finalize(&a, &final, out);
	fs_noting_end(&a);
	return rc;
}

int fs_vault_note_look(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
		       struct fs_note_look *out, struct fs_say *say)
{
	struct fs_noting a;
	int rc = fs_noting_begin(&a, v, s, at, "finalizing", say);

	*out = (struct fs_note_look){.author = ""};
	if (!rc)
		rc = fs_noting_find(&a);
	if (!rc) {
		memcpy(out->author, a.author, sizeof(out->author));
		out->size = a.attr.size;
		out->ino = a.i->ino;
		out->change = a.attr.change;
		out->mtime = a.attr.mtime;
		out->mine = fs_noting_mine(&a);
		out->final = a.attr.flags & FS_INODE_FINAL;
		out->signed_ = a.attr.flags & FS_INODE_SIGNED;
		out->wants = out->final ? (a.attr.flags & FS_INODE_WANTS) != 0 : wants(&a, true);
		if (out->final)
			rc = no_close(&a, -EPERM);
		else if (a.attr.nlink > 1)
			rc = no_close(&a, -EMLINK);
		else
			rc = fs_noting_may_finalize(&a);
	}
	fs_noting_end(&a);
	return rc;
}
