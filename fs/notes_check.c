/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_check.c - is one statement about a note true, and whose word is it?
 *
 * In this order: the note is there, final, and its contents are those that were stated; its
 * signature is by an identity that leads to the root; its signer might sign, as policy stood then;
 * his key was not replaced, and his account not over, before. The first that fails is the finding,
 * in words for whoever has to act on it.
 *
 * Invariant: what could not be judged is never found in order. Locks: none of its own.
 */
#include <stdarg.h>

#include "notes_impl.h"

void fs_noting_found(struct fs_note_check *c, enum fs_note_finding finding, const char *fmt, ...)
{
	va_list ap;

	c->finding = finding;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
}

/* ---- the note ---- */

void fs_noting_look_at(struct fs_journal *j, const struct keys_note *n, struct fs_noting_seen *seen)
{
	struct fs_inode *other = NULL;
	bool final;

	*seen = (struct fs_noting_seen){.i = NULL};
	seen->rc = fs_final_lookup(j, n->path, &seen->i);
	if (seen->rc == -ENOTDIR)
		seen->rc = -ENOENT;
	if (!seen->rc && seen->i->ino != n->ino)
		seen->rc = -EXDEV;
	if (seen->rc == -ENOENT && !fs_inode_get(j, n->ino, &other)) {
		fs_inode_put(other);
		seen->rc = -EXDEV;
	}
	if (seen->rc)
		return;
	pthread_rwlock_rdlock(&seen->i->lock);
	seen->flags = seen->i->flags;
	seen->author = seen->i->author;
	pthread_rwlock_unlock(&seen->i->lock);
	final = seen->flags & FS_INODE_FINAL;
	seen->rc = final ? fs_final_state(seen->i, &seen->state) : -EPERM;
	if (!seen->rc)
		seen->rc = fs_final_hash(seen->i, seen->sha256, seen->blake2b, &seen->size);
	if (!seen->rc)
		seen->rc = fs_noting_claims(j, n, seen);
}

void fs_noting_seen_clear(struct fs_noting_seen *seen)
{
	fs_inode_put(seen->i);
	seen->i = NULL;
}

static uint32_t kept_number(const struct fs_final_state *s, uint8_t kind)
{
	switch (kind) {
	case KEYS_NOTE_SIGNED:
		return s->signed_by;
	case KEYS_NOTE_COUNTERSIGNED:
		return s->countersigned;
	case KEYS_NOTE_ERROR:
		return s->error;
	default:
		return s->final;
	}
}

static bool note_bad(const struct keys_note *n, const struct fs_noting_seen *seen,
		     struct fs_note_check *c)
{
	if (seen->rc == -ENOENT)
		fs_noting_found(c, FS_NOTE_MISSING,
				"the note is not there: restore it from a backup");
	else if (seen->rc == -EXDEV)
		fs_noting_found(
			c, FS_NOTE_CHANGED,
			"at this place lies something else, or the note lies elsewhere: restore "
			"it from a backup");
	else if (seen->rc == -EPERM)
		fs_noting_found(c, FS_NOTE_CHANGED,
				"it is not marked as final any more: restore it from a backup");
	else if (seen->rc)
		fs_noting_found(c, FS_NOTE_DAMAGED,
				"it can't be read (%s): restore it from a backup",
				strerror(-seen->rc));
	else if (seen->size != n->size || !keys_equal(seen->sha256, n->sha256, KEYS_LEN))
		fs_noting_found(
			c, FS_NOTE_CHANGED,
			"its contents are not those that were stated: restore it from a backup");
	else if (kept_number(&seen->state, n->kind) != n->number)
		fs_noting_found(c, FS_NOTE_CHANGED,
				"the note names another statement than this one: restore it from a "
				"backup");
	else if (seen->claim)
		fs_noting_found(c, FS_NOTE_CHANGED, "%s: restore it from a backup", seen->claim);
	else
		return false;
	return true;
}

/* A later statement speaks of the one that made the note final. */
static bool of_bad(const struct keys_note *n, const struct fs_final_statement *of,
		   struct fs_note_check *c)
{
	if (!n->of)
		return false;
	if (of && of->note.number == n->of && of->note.ino == n->ino &&
	    of->note.author == n->author && !strcmp(of->note.path, n->path))
		return false;
	fs_noting_found(c, FS_NOTE_FORGED,
			"statement %u, of which it speaks, is not about this note",
			(unsigned)n->of);
	return true;
}

/* ---- the signature ---- */

static bool sign_bad(struct fs_vault *v, const struct fs_final_statement *s,
		     const struct keys_identity *id, const struct fs_noting_seen *seen,
		     struct fs_note_check *c)
{
	char comment[KEYS_MINISIGN_COMMENT + 1];
	const struct keys_note *n = &s->note;
	int rc = keys_note_verify(n, id->note_pk);

	if (!rc && strcmp(id->name, n->who) != 0)
		rc = -EBADMSG;
	if (!rc && s->has_minisign) {
		fs_noting_comment(n, comment);
		rc = keys_minisign_verify(&s->minisign, v->header.vault, n->pid, n->enrolment,
					  id->note_pk, seen->blake2b, comment);
	}
	if (rc)
		fs_noting_found(c, FS_NOTE_FORGED, "the signature is not by %s", n->who);
	else if (!s->has_minisign && n->kind != KEYS_NOTE_ERROR)
		fs_noting_found(
			c, FS_NOTE_DAMAGED,
			"the signature is sound, but the one for minisign is gone: restore the "
			"journal from a backup");
	else
		return false;
	return true;
}

/* ---- might he ---- */

struct rights {
	struct policy_practice *practice;
	struct policy_journal *journal;
	const struct keys_note *n;
	uint32_t held;
	bool active;
};

static void rights_at(struct rights *r, int64_t when)
{
	const struct policy_question q = {r->practice, r->journal, r->n->who,
					  POLICY_READ, when,	   NULL};
	struct policy_verdict verdict;

	policy_decide(&q, &verdict);
	r->held |= verdict.rights;
	r->active = r->active || verdict.ground != POLICY_GROUND_STATUS;
}

static bool role_is(const struct rights *r)
{
	const struct policy_practitioner *p = policy_practice_find(r->practice, r->n->who);

	return p && !strcmp(p->role->name, r->n->role);
}

/* And the role that the statement tells is the one that he had. */
static bool role_may(const struct rights *r)
{
	const struct policy_practitioner *p = policy_practice_find(r->practice, r->n->who);
	const uint32_t both = POLICY_FINALIZE | POLICY_WRITE;
	bool author = r->n->author == r->n->pid;

	if (!role_is(r))
		return false;
	switch (r->n->kind) {
	case KEYS_NOTE_COUNTERSIGNED:
		return !author && (r->held & both) == both && p && p->role->clinical &&
		       !policy_practice_countersigns(r->practice, p->role->name);
	case KEYS_NOTE_SIGNED:
		return author && r->held & POLICY_WRITE;
	case KEYS_NOTE_ERROR:
		return (author && r->held & POLICY_WRITE) || (r->held & both) == both;
	default:
		if (author)
			return r->held & POLICY_WRITE;
		return (r->held & both) == both &&
		       policy_practice_settings(r->practice)->finalize_others;
	}
}

/* The decision and the statement's time may lie on two sides of a second. */
static bool right_bad(struct fs_vault *v, const struct keys_note *n, struct fs_note_check *c)
{
	struct rights r = {.n = n};
	int64_t when = (int64_t)n->time_s;
	bool own = n->author == n->pid && n->kind != KEYS_NOTE_COUNTERSIGNED;
	bool bad = true;
	int rc = fs_policies_at(v, n->policy_version, &r.practice);

	if (!rc)
		rc = fs_policies_journal_at(v, n->journal, n->policy_version, &r.journal);
	if (!rc) {
		rights_at(&r, when);
		rights_at(&r, when + 1);
		rights_at(&r, when - 1);
		bad = !role_may(&r) &&
		      !(own && r.active && role_is(&r) &&
			fs_glass_wrote(v, n->pid, n->enrolment, n->journal, when, when));
	}
	if (rc)
		fs_noting_found(
			c, FS_NOTE_DAMAGED,
			"the policy of that time can't be read (%s), so it is not known whether "
			"%s might sign",
			strerror(-rc), n->who);
	else if (bad && !r.active)
		fs_noting_found(
			c, FS_NOTE_REVOKED,
			"%s had left, or was not active, when it was signed: ask who did it",
			n->who);
	else if (bad)
		fs_noting_found(c, FS_NOTE_FORGED,
				"%s might not sign it under the policy of that time", n->who);
	if (r.journal)
		policy_journal_put(r.journal);
	policy_practice_put(r.practice);
	return bad;
}

/* A newer identity of the same person was made before. */
static bool revoked(struct fs_vault *v, const struct keys_note *n, struct fs_note_check *c)
{
	const struct fs_person *p;
	bool is = false;

	pthread_rwlock_rdlock(&v->lock);
	p = fs_people_by_pid(v, n->pid);
	for (uint32_t k = n->enrolment; p && k < p->id_count && !is; k++)
		is = p->ids[k] && p->ids[k]->id.made_s <= n->time_s;
	pthread_rwlock_unlock(&v->lock);
	if (is)
		fs_noting_found(
			c, FS_NOTE_REVOKED,
			"it was signed with a key of %s that had been replaced: ask %s whether it "
			"is theirs",
			n->who, n->who);
	return is;
}

static bool logged_bad(struct fs_vault *v, const struct fs_final_statement *s,
		       struct fs_note_check *c)
{
	struct fs_log_stat log;

	fs_log_stat(v->log, &log);
	if (s->logged && s->logged <= log.durable)
		return false;
	fs_noting_found(c, FS_NOTE_FORGED, "it names no record of the access log");
	return true;
}

/* Names are the vault's, not the statement's. */
static bool author_bad(struct fs_vault *v, const struct keys_note *n, struct fs_note_check *c)
{
	char name[KEYS_NAME_MAX + 1];

	fs_vault_note_name(v, n->author, name);
	if (!strcmp(n->author_name, name[0] ? name : "?"))
		return false;
	fs_noting_found(c, FS_NOTE_FORGED, "the author that it names is not practitioner %u",
			(unsigned)n->author);
	return true;
}

static bool signer_bad(struct fs_vault *v, const struct fs_final_statement *s,
		       const struct fs_noting_seen *seen, struct fs_note_check *c)
{
	const struct keys_note *n = &s->note;
	const struct keys_identity *id = NULL;
	int rc = fs_people_identity(v, n->pid, n->enrolment, true, &id);

	if (rc == -ENOENT || rc == -EBADMSG) {
		fs_noting_found(c, FS_NOTE_FORGED,
				"it is signed with a key that nobody of this practice vouches for");
		return true;
	}
	if (rc) {
		fs_noting_found(c, FS_NOTE_DAMAGED, "the signer's identity can't be judged: %s",
				strerror(-rc));
		return true;
	}
	return sign_bad(v, s, id, seen, c) || revoked(v, n, c) || right_bad(v, n, c);
}

void fs_noting_check(struct fs_vault *v, const struct fs_final_statement *s,
		     const struct fs_final_statement *of, const struct fs_noting_seen *seen,
		     struct fs_note_check *c)
{
	const struct keys_note *n = &s->note;

	if (note_bad(n, seen, c) || of_bad(n, of, c) || logged_bad(v, s, c) || author_bad(v, n, c))
		return;
	if (n->kind != KEYS_NOTE_LOCKED && signer_bad(v, s, seen, c))
		return;
	if (fs_noting_wish_bad(v, n, seen, c))
		return;
	if (n->kind == KEYS_NOTE_LOCKED && !seen->state.signed_by)
		fs_noting_found(
			c, FS_NOTE_UNSIGNED,
			"locked and unchanged; its author has not signed it: `journalfs sign`");
	else
		fs_noting_found(c, FS_NOTE_OK, "%s", "");
}
