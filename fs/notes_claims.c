/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_claims.c - what a final note says of itself, against what is stated.
 *
 * STATE and flags lie in the journal: whoever may write there, and has the vault's files, can write them
 * so that they fit each other. What they claim - signed, countersigned, in error, amended, an author - therefore counts
 * as far as the chain bears it out, and files that are marked as final without a statement are looked for.
 *
 * Invariant: what could not be looked up is never borne out. Locks: none of its own.
 */
#include <sys/stat.h>

#include "notes_impl.h"

/* ---- statements that STATE names ---- */

static bool passes(int rc)
{
	return rc == -ENOKEY || rc == -ENOMEM;
}

/* The statement is in the chain, of this kind, and about the one that made n's note final. */
static int is_about(struct fs_journal *j, uint32_t number, uint8_t kind, const struct keys_note *n,
		    bool *is)
{
	struct fs_final_statement *st = calloc(1, sizeof(*st));
	uint8_t hash[KEYS_LEN];
	uint32_t last = 0;
	int rc = st ? fs_final_get(j, number, st) : -ENOMEM;

	if (!rc)
		rc = fs_final_last(j, &last, hash);
	*is = !rc && number <= last && st->note.kind == kind && st->note.of == n->number &&
	      st->note.ino == n->ino;
	free(st);
	return passes(rc) ? rc : 0;
}

static int more_borne_out(struct fs_journal *j, const struct keys_note *n,
			  struct fs_noting_seen *seen)
{
	const struct {
		uint32_t number;
		uint8_t kind;
		const char *claim;
	} more[] = {
		{seen->state.signed_by, KEYS_NOTE_SIGNED,
		 "it says that its author signed it, which no statement bears out"},
		{seen->state.countersigned, KEYS_NOTE_COUNTERSIGNED,
		 "it says that it is countersigned, which no statement bears out"},
		{seen->state.error, KEYS_NOTE_ERROR,
		 "it says that it was entered in error, which no statement bears out"},
	};
	bool final = n->kind == KEYS_NOTE_FINAL, is = true;
	int rc = 0;

	if (final && seen->state.signed_by != n->number)
		seen->claim = "it does not say any more that it is signed";
	for (size_t k = final ? 1 : 0; k < 3 && !rc && !seen->claim; k++) {
		if (more[k].number)
			rc = is_about(j, more[k].number, more[k].kind, n, &is);
		if (!rc && !is)
			seen->claim = more[k].claim;
	}
	return rc;
}

/* ---- amendments ---- */

/* State and statement of the final note with this inode; zeros when there is none. */
static int final_at(struct fs_journal *j, uint64_t ino, struct fs_final_state *state,
		    struct fs_final_statement *st)
{
	struct fs_inode *i = NULL;
	uint8_t hash[KEYS_LEN];
	uint32_t last = 0;
	int rc = fs_inode_get(j, ino, &i);

	memset(st, 0, sizeof(*st));
	*state = (struct fs_final_state){.final = 0};
	if (!rc)
		rc = fs_final_state(i, state);
	fs_inode_put(i);
	if (!rc && state->final)
		rc = fs_final_get(j, state->final, st);
	if (!rc)
		rc = fs_final_last(j, &last, hash);
	if (rc || st->note.ino != ino || st->note.of || st->note.number > last)
		memset(st, 0, sizeof(*st));
	return passes(rc) ? rc : 0;
}

static int amendments_borne_out(struct fs_journal *j, const struct keys_note *n,
				struct fs_noting_seen *seen)
{
	struct fs_final_statement *st = calloc(1, sizeof(*st));
	struct fs_final_state state;
	int rc = st ? 0 : -ENOMEM;

	if (!rc && seen->state.amended_by) {
		rc = final_at(j, seen->state.amended_by, &state, st);
		if (!rc && (st->note.amends != n->number || state.amends != n->ino))
			seen->claim = "it says that a note amends it which does not";
	}
	if (!rc && !seen->claim && (n->amends || seen->state.amends)) {
		rc = final_at(j, seen->state.amends, &state, st);
		if (!rc && (!n->amends || st->note.number != n->amends))
			seen->claim = "it says that it amends another note than was stated";
		if (!rc && !seen->claim)
			rc = final_at(j, state.amended_by, &state, st);
		/* The newest one is named: this, or one after it. */
		if (!rc && !seen->claim &&
		    (st->note.amends != n->amends || st->note.number < n->number))
			seen->claim = "the note that it amends does not say so any more";
	}
	free(st);
	return rc;
}

int fs_noting_claims(struct fs_journal *j, const struct keys_note *n, struct fs_noting_seen *seen)
{
	int rc;

	if (n->kind != KEYS_NOTE_LOCKED && n->kind != KEYS_NOTE_FINAL)
		return 0;
	if (seen->author != n->author)
		seen->claim = "it names another author than was stated";
	rc = seen->claim ? 0 : more_borne_out(j, n, seen);
	return rc || seen->claim ? rc : amendments_borne_out(j, n, seen);
}

/* ---- the second practitioner ---- */

bool fs_noting_wish_bad(struct fs_vault *v, const struct keys_note *n,
			const struct fs_noting_seen *seen, struct fs_note_check *c)
{
	const struct policy_practitioner *author;
	struct policy_practice *practice = NULL;
	bool wanted;
	int rc;

	/* Who finalizes another's note may be the second one himself. */
	if (n->of || (n->kind == KEYS_NOTE_FINAL && n->pid != n->author) ||
	    seen->flags & FS_INODE_WANTS || seen->state.countersigned)
		return false;
	rc = fs_policies_at(v, n->policy_version, &practice);
	author = rc ? NULL : policy_practice_find(practice, n->author_name);
	wanted = author && policy_practice_countersigns(practice, author->role->name);
	policy_practice_put(practice);
	if (rc)
		fs_noting_found(c, FS_NOTE_DAMAGED,
				"the policy of that time can't be read (%s), so it is not known whether "
				"it wants a countersignature", strerror(-rc));
	else if (wanted)
		fs_noting_found(c, FS_NOTE_CHANGED,
				"it does not say any more that it wants a countersignature: restore it "
				"from a backup");
	return rc || wanted;
}

/* ---- marked as final, and nothing stated ---- */

struct folder {
	struct folder *next;
	struct fs_inode *dir;
	char path[]; /* "" or with a slash at its end */
};

struct dressed {
	struct fs_journal *j;
	struct fs_final_statement *st;
	struct folder *first, *now;
	int (*fn)(void *ctx, const char *path, bool elsewhere);
	void *ctx;
	int rc;
};

/* Is there a statement that made this inode final? For notes whose STATE can't say which. */
static int any_about(struct dressed *d, uint64_t ino, bool *is)
{
	uint8_t hash[KEYS_LEN];
	uint32_t last = 0;
	int rc = fs_final_last(d->j, &last, hash);

	*is = rc == -EBADMSG;
	for (uint32_t k = 1; !rc && !*is && k && k <= last; k++) {
		rc = fs_final_get(d->j, k, d->st);
		*is = !rc && d->st->note.ino == ino;
		rc = passes(rc) ? rc : 0;
	}
	return passes(rc) ? rc : 0;
}

int fs_noting_dressed(struct fs_inode *i, const char *path, struct fs_final_statement *st,
		      enum fs_noting_dress *out)
{
	struct dressed d = {.j = i->journal, .st = st};
	struct fs_final_state state = {.final = 0};
	bool final, is = true;
	int rc;

	*out = FS_NOTING_STATED;
	pthread_rwlock_rdlock(&i->lock);
	final = i->flags & FS_INODE_FINAL;
	pthread_rwlock_unlock(&i->lock);
	if (!final)
		return 0;
	rc = fs_final_state(i, &state);
	if (rc == -EBADMSG) {
		rc = any_about(&d, i->ino, &is);
	} else if (!rc) {
		rc = final_at(d.j, i->ino, &state, st);
		is = st->note.number;
	}
	if (rc)
		return passes(rc) ? rc : 0;
	if (!is)
		*out = FS_NOTING_UNSTATED;
	else if (path && st->note.ino == i->ino && strcmp(st->note.path, path) != 0)
		*out = FS_NOTING_ELSEWHERE;
	return 0;
}

static int keep_folder(struct dressed *d, struct fs_inode *dir, const char *path)
{
	struct folder *f = malloc(sizeof(*f) + strlen(path) + 2);

	if (!f)
		return -ENOMEM;
	f->dir = fs_inode_ref(dir);
	snprintf(f->path, strlen(path) + 2, "%s%s", path, *path ? "/" : "");
	f->next = d->first;
	d->first = f;
	return 0;
}

static int look(struct dressed *d, const struct fs_tree_entry *e)
{
	enum fs_noting_dress dress = FS_NOTING_STATED;
	size_t room = strlen(d->now->path) + strlen(e->name) + 1;
	struct fs_inode *i = NULL;
	char *path;
	int rc = 0;

	if (!S_ISDIR(e->mode) && !S_ISREG(e->mode))
		return 0;
	path = malloc(room);
	if (!path)
		return -ENOMEM;
	snprintf(path, room, "%s%s", d->now->path, e->name);
	rc = fs_inode_get(d->j, e->ino, &i);
	if (!rc && S_ISDIR(e->mode))
		rc = keep_folder(d, i, path);
	else if (!rc)
		rc = fs_noting_dressed(i, path, d->st, &dress);
	if (!rc && dress != FS_NOTING_STATED)
		rc = d->fn(d->ctx, path, dress == FS_NOTING_ELSEWHERE);
	fs_inode_put(i);
	keys_wipe(path, room);
	free(path);
	/* What can't be read is no note that looks final. */
	return rc == -ENOENT || rc == -EBADMSG || rc == -ESTALE ? 0 : rc;
}

static int entry(void *ctx, const struct fs_tree_entry *e)
{
	struct dressed *d = ctx;

	d->rc = look(d, e);
	return d->rc != 0;
}

int fs_noting_all_dressed(struct fs_journal *j, int (*fn)(void *ctx, const char *path, bool elsewhere),
			  void *ctx)
{
	struct dressed d = {.j = j, .fn = fn, .ctx = ctx, .st = calloc(1, sizeof(*d.st))};
	struct fs_inode *root = NULL;
	int rc = d.st ? fs_inode_get(j, FS_ROOT_INO, &root) : -ENOMEM;

	if (!rc)
		rc = keep_folder(&d, root, "");
	fs_inode_put(root);
	while ((d.now = d.first)) {
		d.first = d.now->next;
		if (!rc) {
			int listed = fs_tree_list(d.now->dir, 0, entry, &d);

			rc = d.rc ? d.rc : passes(listed) ? listed : 0;
		}
		fs_inode_put(d.now->dir);
		free(d.now);
	}
	free(d.st);
	return rc;
}
