/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_status.c - what is known of a note: its state, statements and links, in words.
 *
 * Paths of notes that amend each other are those of their statements: a final note keeps its place.
 * Locks: none.
 */
#include "notes_impl.h"

const char *fs_note_state_text(uint16_t flags)
{
	if (flags & FS_INODE_ERROR)
		return "entered-in-error";
	if (flags & FS_INODE_AMENDED)
		return "amended";
	return flags & FS_INODE_FINAL ? "final" : "draft";
}

void fs_vault_note_name(struct fs_vault *v, uint32_t pid, char out[static KEYS_NAME_MAX + 1])
{
	const struct fs_person *p;

	pthread_rwlock_rdlock(&v->lock);
	p = fs_people_by_pid(v, pid);
	snprintf(out, KEYS_NAME_MAX + 1, "%s", p ? p->name : "");
	pthread_rwlock_unlock(&v->lock);
}

/* Where the final note with this inode lies. */
static int place_of(struct fs_journal *j, uint64_t ino, struct fs_final_statement *st,
		    char out[static KEYS_NOTE_PATH_MAX + 1])
{
	struct fs_final_state state = {0};
	struct fs_inode *i = NULL;
	int rc = fs_inode_get(j, ino, &i);

	if (!rc)
		rc = fs_final_state(i, &state);
	fs_inode_put(i);
	if (!rc && state.final)
		rc = fs_final_get(j, state.final, st);
	if (!rc && state.final && (st->note.ino != ino || st->note.of))
		rc = -EBADMSG;
	if (!rc && state.final)
		memcpy(out, st->note.path, sizeof(st->note.path));
	return rc == -ENOENT ? -EBADMSG : rc;
}

int fs_vault_note_of(struct fs_vault *v, struct fs_inode *i, struct fs_note_status *out)
{
	struct fs_final_statement *st = calloc(1, sizeof(*st));
	uint32_t author;
	int rc = st ? 0 : -ENOMEM;

	memset(out, 0, sizeof(*out));
	out->ino = i->ino;
	pthread_rwlock_rdlock(&i->lock);
	out->flags = i->flags;
	author = i->author;
	pthread_rwlock_unlock(&i->lock);
	fs_vault_note_name(v, author, out->author);
	if (!rc)
		rc = fs_final_state(i, &out->state);
	if (!rc && out->state.final)
		rc = fs_final_get(i->journal, out->state.final, &out->final);
	/* A statement about another note makes nothing final. */
	if (!rc && out->state.final && (out->final.note.ino != i->ino || out->final.note.of))
		rc = -EBADMSG;
	if (!rc && out->state.amends)
		rc = place_of(i->journal, out->state.amends, st, out->amends);
	if (!rc && out->state.amended_by)
		rc = place_of(i->journal, out->state.amended_by, st, out->amended_by);
	free(st);
	return rc == -ENOENT ? -EBADMSG : rc;
}

int fs_vault_note_status(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			 struct fs_note_status *out, struct fs_say *say)
{
	struct fs_noting a;
	int rc = fs_noting_begin(&a, v, s, at, "looking at a note's state", say);

	if (!rc)
		rc = fs_noting_find(&a);
	if (!rc)
		rc = fs_vault_note_of(v, a.i, out);
	fs_noting_end(&a);
	return rc;
}
