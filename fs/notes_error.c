/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_error.c - a note is marked as entered in error.
 *
 * The note stays, readable and verifiable; a statement, signed by who marks it, says that it is
 * wrong and why. A draft is locked first, so that what was wrong is kept as it was. Its author may,
 * and who has the right to finalize.
 *
 * Locks: `finals`, twice for a draft.
 */
#include "notes_impl.h"

int fs_noting_may_mark(const struct fs_noting *a)
{
	if (a->attr.flags & FS_INODE_ERROR)
		return fs_noting_no(a, -EEXIST, "%s is marked as entered in error already",
				    a->path);
	if (fs_noting_as_author(a) || fs_noting_finalizes(a))
		return 0;
	return fs_noting_refuse(
		a, -EACCES,
		fs_noting_mine(a)
			? "you may not write in this journal any more, so you may not mark "
			  "its notes; ask a steward"
			: "a note is marked as entered in error by its author, or by who has "
			  "the rights `write` and `finalize` here");
}

static int mark_locked(struct fs_noting *a, struct fs_final_statement *st,
		       struct fs_final_statement *final, const char *reason,
		       struct fs_noting *moved)
{
	struct fs_noting_add add = {.s = st, .moved = moved};
	struct fs_final_state state;
	int rc = fs_noting_again(a);

	if (!rc)
		rc = fs_noting_may_mark(a);
	if (!rc)
		rc = fs_noting_final_of(a, &state, final);
	if (!rc)
		rc = fs_noting_statement(a, KEYS_NOTE_ERROR, &st->note);
	if (rc)
		return rc;
	st->note.of = state.final;
	st->note.size = final->note.size;
	memcpy(st->note.sha256, final->note.sha256, KEYS_LEN);
	snprintf(st->note.reason, sizeof(st->note.reason), "%s", reason);
	add.wants = a->attr.flags & FS_INODE_WANTS;
	return fs_noting_add(a, &add);
}

int fs_noting_mark_error(struct fs_noting *a, const char *reason, struct fs_noting *moved,
			 struct fs_note_result *out)
{
	struct fs_final_statement *st = calloc(2, sizeof(*st));
	int rc = -ENOMEM;

	if (st) {
		pthread_mutex_lock(&a->v->finals);
		rc = mark_locked(a, &st[0], &st[1], reason, moved);
		pthread_mutex_unlock(&a->v->finals);
	}
	if (!rc) {
		*out = (struct fs_note_result){.number = st->note.number,
					       .kind = st->note.kind,
					       .time_s = st->note.time_s};
		memcpy(out->sha256, st->note.sha256, KEYS_LEN);
	}
	free(st);
	return rc;
}

int fs_vault_note_error(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			const char *reason, const struct fs_note_settle *settle,
			struct fs_note_result *out, struct fs_say *say)
{
	const struct fs_noting_final lock = {.reason = "to be marked as entered in error",
					     .settle = settle};
	struct fs_noting a;
	int rc = fs_noting_begin(&a, v, s, at, "marking as entered in error", say);

	if (!rc)
		rc = fs_noting_reason(&a, reason);
	if (!rc)
		rc = fs_noting_find(&a);
	if (!rc)
		rc = fs_noting_may_mark(&a);
	if (!rc && !(a.attr.flags & FS_INODE_FINAL))
		rc = fs_noting_finalize(&a, &lock, out);
	if (!rc)
		rc = fs_noting_mark_error(&a, reason, NULL, out);
	fs_noting_end(&a);
	return rc;
}
