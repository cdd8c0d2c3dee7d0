/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_sign.c - a final note is signed later: by its author, or by a second practitioner.
 *
 * The author signs a note that was locked without him. Anybody else countersigns: with the right to
 * finalize, in a clinical role, and not one whose own notes want a countersignature. Nobody is the
 * second one to himself.
 *
 * Invariants: fs/notes_statement.c. What is signed is hashed again, which a final note allows to be done
 * before others are kept waiting.
 *
 * Locks: `finals`.
 */
#include "notes_impl.h"

static int may_author(const struct fs_noting *a, const struct fs_final_state *state,
		      const struct keys_note *n)
{
	if (state->signed_by)
		return fs_noting_no(a, -EEXIST, "%s is signed already, by %s", a->path,
				    n->kind == KEYS_NOTE_FINAL ? n->who : "you");
	if (fs_noting_as_author(a))
		return 0;
	return fs_noting_refuse(
		a, -EACCES,
		"you may not write in this journal any more, so you may not sign in "
		"it; ask a steward");
}

static int may_second(const struct fs_noting *a, const struct fs_final_state *state,
		      const struct keys_note *n)
{
	if (!fs_noting_finalizes(a))
		return fs_noting_refuse(
			a, -EACCES,
			"%s wrote this note: to countersign it takes a role with the "
			"rights `write` and `finalize` here",
			n->author_name);
	if (!fs_noting_second(a))
		return fs_noting_refuse(
			a, -EACCES,
			"a countersignature is for clinicians whose own notes do not want "
			"one; your role is %s",
			a->me->role->name);
	if (n->kind == KEYS_NOTE_FINAL && n->pid == a->s->pid)
		return fs_noting_no(a, -EEXIST, "you have signed %s already", a->path);
	if (state->countersigned)
		return fs_noting_no(a, -EEXIST, "%s is countersigned already", a->path);
	return 0;
}

static int sign_locked(struct fs_noting *a, const struct fs_noting_hash *hash,
		       struct fs_final_statement *st, struct fs_final_statement *final,
		       struct fs_note_result *out)
{
	struct fs_noting_add add = {.s = st, .blake2b = hash->blake2b};
	struct fs_final_state state;
	bool mine = fs_noting_mine(a);
	int rc = fs_noting_final_of(a, &state, final);

	if (!rc)
		rc = mine ? may_author(a, &state, &final->note)
			  : may_second(a, &state, &final->note);
	if (!rc)
		rc = fs_noting_same(a, &final->note, hash);
	if (!rc)
		rc = fs_noting_statement(a, mine ? KEYS_NOTE_SIGNED : KEYS_NOTE_COUNTERSIGNED,
					 &st->note);
	if (rc)
		return rc;
	st->note.of = state.final;
	st->note.size = final->note.size;
	memcpy(st->note.sha256, final->note.sha256, KEYS_LEN);
	rc = fs_noting_add(a, &add);
	if (rc)
		return rc;
	*out = (struct fs_note_result){.number = st->note.number,
				       .kind = st->note.kind,
				       .time_s = st->note.time_s,
				       .wants = mine && a->attr.flags & FS_INODE_WANTS};
	memcpy(out->sha256, st->note.sha256, KEYS_LEN);
	return 0;
}

int fs_vault_note_sign(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
		       struct fs_note_result *out, struct fs_say *say)
{
	struct fs_final_statement *st = calloc(2, sizeof(*st));
	struct fs_noting_hash hash;
	struct fs_noting a;
	int rc = fs_noting_begin(&a, v, s, at, "signing", say);

	if (!rc && !st)
		rc = -ENOMEM;
	if (!rc)
		rc = fs_noting_find(&a);
	/* A final note stays as it is: it is hashed before others are kept waiting. */
	if (!rc)
		rc = fs_noting_hash(&a, &hash);
	if (rc == -EINVAL && a.i && !(a.attr.flags & FS_INODE_FINAL))
		rc = fs_noting_no(&a, -EPERM, "%s is a draft: finalize it first", a.path);
	if (!rc) {
		pthread_mutex_lock(&v->finals);
		rc = fs_noting_again(&a);
		if (!rc)
			rc = sign_locked(&a, &hash, &st[0], &st[1], out);
		pthread_mutex_unlock(&v->finals);
	}
	fs_noting_end(&a);
	free(st);
	return rc;
}
