/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_verify.c - a journal's statements about its final notes, one after the other, and the
 * notes.
 *
 * The chain is always walked whole, also for one note: that its statement stands in it is what
 * keeps it from being left out. Where it ends is known to the vault's tree, whose root is
 * authenticated under the host secret: so whoever may write in the journal, and in the vault's
 * files, can't shorten it.
 *
 * Invariant: that somebody verifies is durable in the log before the first finding; what is found
 * wrong is an alarm.
 *
 * Locks: none while reading; statements that come meanwhile are not looked at.
 */
#include "notes_impl.h"

#define GONE_MOST 1000u /* statements in a row that are not there: nobody reads of more */

struct verifying {
	struct fs_noting *a;
	const struct fs_note_verify *how;
	const char *path; /* of the one note; NULL: all */
	uint64_t ino;	  /* of the one note, 0: it is not there, or all */
	uint32_t count;
	uint8_t end[KEYS_LEN], hash[KEYS_LEN]; /* as it should be; of the statement before */
	bool known;			       /* hash is */
	uint32_t policy_version;	       /* of the statement before */
	unsigned bad, found, gone; /* gone: in a row, up to here */
	struct fs_final_statement s, of;
};

static int report(struct verifying *w, struct fs_note_check *c)
{
	int rc;

	if (c->finding != FS_NOTE_OK && c->finding != FS_NOTE_UNSIGNED)
		w->bad++;
	rc = w->how->fn(w->how->ctx, c);
	return rc > 0 ? -ECANCELED : rc;
}

static int found(struct verifying *w, uint32_t number, enum fs_note_finding finding,
		 const char *why)
{
	struct fs_note_check c = {.number = number};

	fs_noting_found(&c, finding, "%s", why);
	return report(w, &c);
}

static bool wanted(const struct verifying *w)
{
	return !w->path || w->s.note.ino == w->ino || !strcmp(w->s.note.path, w->path);
}

/* Does it follow the one before? */
static bool follows(const struct verifying *w)
{
	return !w->known || (keys_equal(w->s.note.before, w->hash, KEYS_LEN) &&
			     w->s.note.policy_version >= w->policy_version);
}

static int check_one(struct verifying *w, bool in_order)
{
	struct fs_note_check c = {.number = w->s.note.number, .note = &w->s.note};
	struct fs_noting_seen seen;
	bool has_of = w->s.note.of && !fs_final_get(w->a->j, w->s.note.of, &w->of);
	int rc;

	w->found++;
	if (!in_order) {
		fs_noting_found(
			&c, FS_NOTE_FORGED,
			"it does not follow the statement before it: one was replaced; restore "
			"the journal from a backup");
		return report(w, &c);
	}
	fs_noting_look_at(w->a->j, &w->s.note, &seen);
	/* The session may have been locked meanwhile: that is no finding. */
	rc = seen.rc == -ENOKEY || seen.rc == -ENOMEM ? seen.rc : 0;
	if (!rc)
		fs_noting_check(w->a->v, &w->s, has_of ? &w->of : NULL, &seen, &c);
	fs_noting_seen_clear(&seen);
	return rc ? rc : report(w, &c);
}

static int one(struct verifying *w, uint32_t number)
{
	int rc = fs_final_get(w->a->j, number, &w->s);
	bool in_order;

	w->gone = rc == -ENOENT ? w->gone + 1 : 0;
	if (w->gone > GONE_MOST)
		return found(w, number, FS_NOTE_MISSING,
			     "more than a thousand statements before it are gone, and what follows is not "
			     "looked at: restore the vault from a backup");
	if (rc == -ENOENT || rc == -EBADMSG) {
		w->known = false;
		return found(
			w, number, rc == -ENOENT ? FS_NOTE_MISSING : FS_NOTE_DAMAGED,
			rc == -ENOENT
				? "the statement with this number is gone: restore the journal "
				  "from "
				  "a backup"
				: "the statement with this number is damaged: restore the journal "
				  "from a backup");
	}
	if (rc)
		return rc;
	in_order = follows(w);
	keys_note_hash(&w->s.note, w->hash);
	w->policy_version = w->s.note.policy_version;
	w->known = true;
	if (!in_order || wanted(w))
		rc = check_one(w, in_order);
	return rc;
}

/* Behind the last statement that the vault knows there is none. */
static int check_end(struct verifying *w)
{
	uint8_t hash[KEYS_LEN];
	uint32_t now = 0;
	int rc;

	if (w->count && w->known && !keys_equal(w->hash, w->end, KEYS_LEN))
		return found(w, 0, FS_NOTE_FORGED,
			     "the last statement is not the one that the vault knows: restore the "
			     "journal "
			     "from a backup");
	if (w->count == UINT32_MAX)
		return 0;
	rc = fs_final_get(w->a->j, w->count + 1, &w->s);
	/* The session may have been locked just now: that is no finding. */
	if (rc && rc != -EBADMSG)
		return rc == -ENOENT ? 0 : rc;
	/* Or one has just been made. */
	if (!fs_final_last(w->a->j, &now, hash) && now > w->count)
		return 0;
	return found(w, w->count + 1, FS_NOTE_FORGED,
		     "there is a statement behind the last one that the vault knows: restore the "
		     "journal from a backup");
}

static int dressed(void *ctx, const char *path, bool elsewhere)
{
	struct verifying *w = ctx;
	struct fs_note_check c = {.note = &w->s.note};

	w->found++;
	w->s.note = (struct keys_note){.kind = 0};
	snprintf(w->s.note.path, sizeof(w->s.note.path), "%s", path);
	if (elsewhere)
		fs_noting_found(&c, FS_NOTE_CHANGED,
				"a final note has a name here that was never stated: remove it, restore "
				"the journal from a backup");
	else
		fs_noting_found(&c, FS_NOTE_FORGED,
				"it is marked as final, but no statement is about it: it is nobody's "
				"final note");
	return report(w, &c);
}

/* What is marked as final and not stated, in the journal or at the one path. */
static int check_dressed(struct verifying *w)
{
	enum fs_noting_dress dress = FS_NOTING_STATED;
	int rc;

	if (!w->path)
		return fs_noting_all_dressed(w->a->j, dressed, w);
	if (!w->a->i)
		return 0;
	rc = fs_noting_dressed(w->a->i, w->path, &w->s, &dress);
	/* A statement about it has been found wanting already. */
	if (rc || dress == FS_NOTING_STATED || (dress == FS_NOTING_ELSEWHERE && w->bad))
		return rc;
	return dressed(w, w->path, dress == FS_NOTING_ELSEWHERE);
}

static int walk(struct verifying *w)
{
	int rc = fs_final_last(w->a->j, &w->count, w->end);

	if (rc == -EBADMSG)
		return found(w, 0, FS_NOTE_DAMAGED,
			     "what the vault knows of this journal's final notes is damaged: "
			     "restore the "
			     "vault from a backup");
	w->known = true;
	for (uint32_t n = 1; !rc && n <= w->count && n && w->gone <= GONE_MOST; n++) {
		rc = fs_session_state(w->a->s) == FS_SESSION_ACTIVE ? one(w, n) : -ENOKEY;
		if (!rc && w->how->progress)
			w->how->progress(w->how->ctx, n, w->count);
	}
	if (!rc)
		rc = check_end(w);
	return rc ? rc : check_dressed(w);
}

static int tell(struct fs_noting *a)
{
	struct policy_record r;

	fs_noting_record(a, POLICY_RECORD_VERIFY, &r);
	return fs_log_write(a->v->log, &r) ? -EIO : 0;
}

static int verify(struct fs_noting *a, const struct fs_note_verify *how)
{
	struct verifying *w = calloc(1, sizeof(*w));
	int rc = w ? tell(a) : -ENOMEM;

	if (rc) {
		free(w);
		return rc;
	}
	w->a = a;
	w->how = how;
	w->path = a->path[0] ? a->path : NULL;
	w->ino = a->i ? a->i->ino : 0;
	rc = walk(w);
	if (w->bad)
		fs_vault_alarm(a->v, a->index, "verification of final notes: %u %s not in order",
			       w->bad, w->bad == 1 ? "is" : "are");
	if (!rc && w->path && !w->found)
		rc = w->ino ? fs_noting_no(a, -EPERM, "%s is a draft: nothing is stated about it",
					   a->path)
			    : fs_noting_no(a, -ENOENT, "there is no %s in %s", a->path, a->journal);
	free(w);
	return rc == -ECANCELED ? 0 : rc;
}

int fs_vault_note_verify(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			 const struct fs_note_verify *how, struct fs_say *say)
{
	struct fs_noting a;
	int rc = fs_noting_begin(&a, v, s, at, "verifying", say);

	/* A note that is not there any more may be stated all the same. */
	if (!rc && a.path[0])
		rc = fs_final_lookup(a.j, a.path, &a.i);
	if (rc == -ENOENT && a.j)
		rc = 0;
	if (rc == -EINVAL || rc == -ENOTDIR)
		rc = fs_noting_no(&a, rc, "\"%s\" is no path to a note within %s", a.path,
				  a.journal);
	if (!rc)
		rc = verify(&a, how);
	fs_noting_end(&a);
	return rc;
}
