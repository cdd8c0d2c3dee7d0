/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/final_add.c - one statement about a note, stored: all of it or nothing.
 *
 * Under the journal's rename mutex no directory changes its place. The statement's path is looked
 * up, then all that it leads through, the note and the note that it amends are locked in ascending
 * order, and the path is looked at again: from there on it is true. One batch holds the statement,
 * the end of the chain, STATE and inode of the note, of the amended one, and every directory that
 * did not hold a final note before. Invariants: (1) memory changes only when the batch was applied;
 * (2) statement n follows n-1, whose hash the vault's tree has; (3) a final note's directories hold
 * their places before it is final, which one batch gives. Locks: rename mutex, then inodes by
 * ascending number.
 */
#include "final_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LOCKS_MAX (FS_FINAL_DEPTH + 2)

struct adding {
	const struct fs_final_add *add;
	const struct keys_note *n;
	struct fs_inode *i, *amended; /* amended: one reference, may be NULL */
	bool becomes_final;
	struct fs_final_path path;
	struct fs_inode *lock[LOCKS_MAX];
	size_t locks;
	/* the state after */
	struct fs_inode_attr dir[FS_FINAL_DEPTH], a, amended_a;
	struct fs_final_state state, amended_state;
	struct fs_batch b;
};

static int check_call(struct adding *d)
{
	const struct keys_note *n = d->n;
	struct fs_journal *j = d->i->journal;

	if (n->kind < KEYS_NOTE_LOCKED || n->kind > KEYS_NOTE_ERROR ||
	    n->journal != fs_journal_index(j) || n->ino != d->i->ino ||
	    memcmp(n->vault, fs_records_vault_id(fs_journal_records(j)), KEYS_VAULT_ID_LEN))
		return -EINVAL;
	if ((d->add->moved_to && n->kind != KEYS_NOTE_ERROR) ||
	    !d->add->moved_to != !d->add->moved_to_ino)
		return -EINVAL;
	d->becomes_final = n->kind == KEYS_NOTE_LOCKED || n->kind == KEYS_NOTE_FINAL;
	return 0;
}

/* Under the `finals` mutex nobody else adds to the chain. */
static int check_chain(const struct adding *d)
{
	uint8_t hash[KEYS_LEN];
	uint32_t last = 0;
	int rc = fs_final_last(d->i->journal, &last, hash);

	if (!rc && (last == UINT32_MAX || d->n->number != last + 1 ||
		    memcmp(hash, d->n->before, KEYS_LEN)))
		rc = -ESTALE;
	return rc;
}

/* The path's inodes and the note that this one amends, each with a reference. */
static int find(struct adding *d)
{
	struct fs_final_state state = {.final = 0};
	int rc = fs_final_path_find(d->i->journal, d->n->path, &d->path);

	if (!rc && d->path.i[d->path.n - 1] != d->i)
		rc = -ENOENT;
	if (!rc)
		rc = fs_final_state(d->i, &state);
	if (!rc && d->becomes_final && state.amends) {
		rc = fs_inode_get(d->i->journal, state.amends, &d->amended);
		rc = rc == -ENOENT ? -EBADMSG : rc;
	}
	return rc;
}

static void lock_one(struct adding *d, struct fs_inode *i)
{
	size_t at = d->locks;

	for (size_t n = 0; n < d->locks; n++) {
		if (d->lock[n] == i)
			return;
	}
	while (at && d->lock[at - 1]->ino > i->ino) {
		d->lock[at] = d->lock[at - 1];
		at--;
	}
	d->lock[at] = i;
	d->locks++;
}

static void lock_all(struct adding *d)
{
	for (size_t n = 0; n < d->path.n; n++)
		lock_one(d, d->path.i[n]);
	if (d->amended)
		lock_one(d, d->amended);
	for (size_t n = 0; n < d->locks; n++)
		pthread_rwlock_wrlock(&d->lock[n]->lock);
}

static void unlock_all(struct adding *d)
{
	while (d->locks)
		pthread_rwlock_unlock(&d->lock[--d->locks]->lock);
}

/* All is locked. May i become final, and is the statement about what is there? */
static int check_draft(struct adding *d)
{
	struct fs_inode *i = d->i;

	if (i->flags & FS_INODE_FINAL)
		return -EPERM;
	if (!i->closing || !S_ISREG(i->mode) || i->nlink != 1 || d->n->of)
		return -EINVAL;
	if (d->n->size != i->size)
		return -ESTALE;
	if (!d->state.amends != !d->amended || (d->amended && d->amended->ino != d->state.amends))
		return -EINVAL;
	if (!d->amended)
		return d->n->amends ? -EINVAL : 0;
	if (!(d->amended->flags & FS_INODE_FINAL) || d->n->amends != d->amended_state.final)
		return -EINVAL;
	return 0;
}

static int check_more(const struct adding *d)
{
	const struct fs_final_state *s = &d->state;

	if (!(d->i->flags & FS_INODE_FINAL))
		return -EPERM;
	if (d->n->of != s->final || d->n->amends)
		return -EINVAL;
	if ((d->n->kind == KEYS_NOTE_SIGNED && s->signed_by) ||
	    (d->n->kind == KEYS_NOTE_COUNTERSIGNED && s->countersigned) ||
	    (d->n->kind == KEYS_NOTE_ERROR && s->error))
		return -EEXIST;
	return 0;
}

static int check_locked(struct adding *d)
{
	int rc = d->i->deleted || d->i->gone ? -ENOENT : fs_final_path_confirm(&d->path);

	if (!rc)
		rc = fs_final_state_locked(d->i, &d->state);
	if (!rc && d->amended)
		rc = fs_final_state_locked(d->amended, &d->amended_state);
	if (!rc)
		rc = d->becomes_final ? check_draft(d) : check_more(d);
	return rc;
}

static void state_after(struct adding *d)
{
	struct fs_final_state *s = &d->state;
	uint32_t number = d->n->number;

	switch (d->n->kind) {
	case KEYS_NOTE_FINAL:
		s->signed_by = number;
		s->final = number;
		break;
	case KEYS_NOTE_LOCKED:
		s->final = number;
		break;
	case KEYS_NOTE_SIGNED:
		s->signed_by = number;
		break;
	case KEYS_NOTE_COUNTERSIGNED:
		s->countersigned = number;
		break;
	default:
		s->error = number;
		s->moved_to = d->add->moved_to;
		s->moved_to_ino = d->add->moved_to_ino;
		break;
	}
}

/* A record that would not be read again must not be stored: this one can't be put right later. */
static int readable(const struct fs_inode_attr *a)
{
	uint8_t rec[FS_INODE_LEN];
	struct fs_inode_attr back;

	fs_inode_encode(a, rec);
	return fs_inode_decode(rec, sizeof(rec), &back);
}

/* The note itself; WANTS is the one flag that does not follow from STATE. */
static int build_note(struct adding *d)
{
	d->a = d->i->attr;
	state_after(d);
	fs_final_state_put(&d->b, d->i, &d->a, &d->state);
	if (d->state.countersigned)
		d->a.flags &= (uint16_t)~FS_INODE_WANTS;
	else if (d->add->wants)
		d->a.flags |= FS_INODE_WANTS;
	fs_inode_store_attr(&d->b, d->i, &d->a);
	return readable(&d->a);
}

static int build(struct adding *d)
{
	uint8_t hash[KEYS_LEN];
	int rc = build_note(d);

	if (rc)
		return rc;
	if (d->amended) {
		d->amended_a = d->amended->attr;
		d->amended_state.amended_by = d->i->ino;
		fs_final_state_put(&d->b, d->amended, &d->amended_a, &d->amended_state);
		fs_inode_store_attr(&d->b, d->amended, &d->amended_a);
	}
	for (size_t n = 0; n + 1 < d->path.n; n++) {
		struct fs_inode *dir = d->path.i[n];

		d->dir[n] = dir->attr;
		d->dir[n].flags |= FS_INODE_HOLDS;
		if (!(dir->flags & FS_INODE_HOLDS))
			fs_inode_store_attr(&d->b, dir, &d->dir[n]);
	}
	keys_note_hash(d->n, hash);
	fs_final_end_put(&d->b, d->i->journal, d->n->number, hash);
	return fs_final_statement_put(&d->b, d->i->journal, d->add->s);
}

static void publish(struct adding *d)
{
	for (size_t n = 0; n + 1 < d->path.n; n++)
		d->path.i[n]->attr = d->dir[n];
	if (d->amended)
		d->amended->attr = d->amended_a;
	d->i->attr = d->a;
	if (d->becomes_final)
		d->i->closing = false;
}

/* All is locked. */
static int add_locked(struct adding *d, struct fs_actor *who)
{
	uint64_t group = 0;
	int rc = check_locked(d);

	if (rc)
		return rc;
	fs_batch_init(&d->b, who->signer);
	rc = build(d);
	if (rc) {
		fs_batch_clear(&d->b);
		return rc;
	}
	rc = fs_inode_apply(d->i->journal, &d->b, &group);
	if (!rc) {
		publish(d);
		who->group = group;
	}
	return rc;
}

static int add_under_mutex(struct adding *d, struct fs_actor *who)
{
	int rc = find(d);

	if (!rc)
		rc = check_chain(d);
	if (rc)
		return rc;
	lock_all(d);
	rc = add_locked(d, who);
	unlock_all(d);
	return rc;
}

int fs_final_add(const struct fs_final_add *add, struct fs_actor *who)
{
	struct adding *d = calloc(1, sizeof(*d));
	int rc;

	who->group = 0;
	if (!d)
		return -ENOMEM;
	d->add = add;
	d->n = &add->s->note;
	d->i = add->i;
	rc = check_call(d);
	if (!rc) {
		fs_inode_throttle(d->i->journal);
		rc = fs_inode_rename_lock(d->i->journal);
	}
	if (!rc) {
		rc = add_under_mutex(d, who);
		fs_inode_rename_unlock(d->i->journal);
	}
	fs_final_path_clear(&d->path);
	fs_inode_put(d->amended);
	keys_wipe(d, sizeof(*d));
	free(d);
	return rc;
}
