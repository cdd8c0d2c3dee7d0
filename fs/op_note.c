/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/op_note.c - what is known of a note, as extended attributes user.journalfs.*
 *
 * They are computed, not stored: state, author, version; of a final note also finalized-at, sha256
 * and who signed; names of the notes that it amends or that amend it. No program can set them, but
 * for one thing: state=final locks the note, as `setfattr -n user.journalfs.state -v final` does
 * it. Reading and setting them have passed the same gate as other attributes.
 *
 * Locks: none while finalizing (log, commit, and all mounts are waited for).
 */
#include "op_note.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../keys/label.h"
#include "history_tree.h"
#include "op_final.h"

#define PREFIX "user.journalfs."

bool fs_op_note_name(const char *xattr)
{
	return strncmp(xattr, PREFIX, strlen(PREFIX)) == 0;
}

/* ---- values: false, the note has none ---- */

static bool value_state(const struct fs_note_status *st, struct fs_inode *i, char *out, size_t cap)
{
	(void)i;
	snprintf(out, cap, "%s", fs_note_state_text(st->flags));
	return true;
}

static bool value_author(const struct fs_note_status *st, struct fs_inode *i, char *out, size_t cap)
{
	(void)i;
	snprintf(out, cap, "%s", st->author);
	return out[0] != '\0';
}

static bool value_version(const struct fs_note_status *st, struct fs_inode *i, char *out,
			  size_t cap)
{
	uint32_t version;

	(void)st;
	pthread_rwlock_rdlock(&i->lock);
	version = i->version;
	pthread_rwlock_unlock(&i->lock);
	snprintf(out, cap, "%u", version ? version : 1);
	return true;
}

static bool is_final(const struct fs_note_status *st)
{
	return st->flags & FS_INODE_FINAL && st->final.note.number;
}

static bool value_finalized(const struct fs_note_status *st, struct fs_inode *i, char *out,
			    size_t cap)
{
	time_t t = (time_t)st->final.note.time_s;
	struct tm tm;

	(void)i;
	return is_final(st) && gmtime_r(&t, &tm) && strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static bool value_sha256(const struct fs_note_status *st, struct fs_inode *i, char *out, size_t cap)
{
	(void)i;
	if (!is_final(st))
		return false;
	for (size_t n = 0; n < KEYS_LEN; n++)
		snprintf(out + 2 * n, cap - 2 * n, "%02x", st->final.note.sha256[n]);
	return true;
}

/* The author's signature may have come later, as a statement of its own. */
static bool value_signed(const struct fs_note_status *st, struct fs_inode *i, char *out, size_t cap)
{
	struct fs_final_statement *s;

	if (!is_final(st) || !st->state.signed_by)
		return false;
	s = calloc(1, sizeof(*s));
	out[0] = '\0';
	/* Of this note, and a signature: what STATE names alone is no proof. */
	if (s && !fs_final_get(i->journal, st->state.signed_by, s) && s->note.ino == i->ino &&
	    (s->note.kind == KEYS_NOTE_FINAL || s->note.kind == KEYS_NOTE_SIGNED))
		snprintf(out, cap, "%s", s->note.who);
	free(s);
	return out[0] != '\0';
}

static bool value_amends(const struct fs_note_status *st, struct fs_inode *i, char *out, size_t cap)
{
	(void)i;
	snprintf(out, cap, "%s", st->amends);
	return out[0] != '\0';
}

static bool value_amended(const struct fs_note_status *st, struct fs_inode *i, char *out,
			  size_t cap)
{
	(void)i;
	snprintf(out, cap, "%s", st->amended_by);
	return out[0] != '\0';
}

static const struct attribute {
	const char *name;
	bool (*value)(const struct fs_note_status *st, struct fs_inode *i, char *out, size_t cap);
	bool names; /* another note */
} attributes[] = {
	{PREFIX "state", value_state, false},	  {PREFIX "author", value_author, false},
	{PREFIX "version", value_version, false}, {PREFIX "finalized-at", value_finalized, false},
	{PREFIX "sha256", value_sha256, false},	  {PREFIX "signed-by", value_signed, false},
	{PREFIX "amends", value_amends, true},	  {PREFIX "amended-by", value_amended, true},
};
#define ATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static bool is_note(struct fs_inode *i)
{
	return !fs_history_tree_is(i->ino) && fs_op_type(i) == S_IFREG;
}

/* -ENODATA: i is no note, and has none of them. The caller frees. */
static int status_of(struct fs_op *op, struct fs_inode *i, struct fs_note_status **out)
{
	int rc;

	*out = NULL;
	if (!is_note(i))
		return -ENODATA;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	fs_serve_block_begin();
	rc = fs_vault_note_of(op->m->serve->vault, i, *out);
	fs_serve_block_end();
	return rc;
}

static void status_free(struct fs_note_status *st)
{
	if (st)
		keys_wipe(st, sizeof(*st));
	free(st);
}

/* A name of another note is light like any other. */
static int cover(struct fs_op *op, const struct fs_note_status *st, const struct attribute *a,
		 const char *path)
{
	uint64_t ino = a->value == value_amends ? st->state.amends : st->state.amended_by;
	const char *name = strrchr(path, '/');

	if (!a->names || !ino)
		return 0;
	return fs_gate_cover(op->m->gate, &op->rq, ino, name ? name + 1 : path);
}

int fs_op_note_get(struct fs_op *op, struct fs_inode *i, const char *xattr,
		   char out[static FS_OP_NOTE_VALUE + 1], size_t *len)
{
	const struct attribute *a = NULL;
	struct fs_note_status *st = NULL;
	int rc;

	for (size_t n = 0; n < ATTRIBUTES && !a; n++)
		a = strcmp(attributes[n].name, xattr) ? NULL : &attributes[n];
	rc = a ? status_of(op, i, &st) : -ENODATA;
	if (!rc)
		rc = a->value(st, i, out, FS_OP_NOTE_VALUE + 1) ? 0 : -ENODATA;
	if (!rc)
		rc = cover(op, st, a, out);
	if (!rc)
		*len = strlen(out);
	status_free(st);
	return rc;
}

int fs_op_note_list(struct fs_op *op, struct fs_inode *i, char *names, size_t cap, size_t *len)
{
	char value[FS_OP_NOTE_VALUE + 1];
	struct fs_note_status *st = NULL;
	int rc;

	if (!is_note(i) || !fs_op_program_is(op, "getfattr"))
		return 0;
	rc = status_of(op, i, &st);
	for (size_t n = 0; !rc && n < ATTRIBUTES; n++) {
		size_t need = strlen(attributes[n].name) + 1;

		if (!attributes[n].value(st, i, value, sizeof(value)))
			continue;
		if (cap && need > cap - *len)
			rc = -ERANGE;
		else if (cap)
			memcpy(names + *len, attributes[n].name, need);
		*len += need;
	}
	keys_wipe(value, sizeof(value));
	status_free(st);
	return rc;
}

/* ---- making it final ---- */

#define DEPTH FS_FINAL_DEPTH

/* Looks for `ino` below a directory; path is that directory's, and then the note's. */
struct search {
	struct fs_journal *journal;
	uint64_t ino;
	char *path;
	size_t len; /* of the path of the directory that is listed */
	bool found;
	int rc;
};

struct met {
	uint64_t ino;
	char *name;
};

struct below {
	struct search *s;
	struct met *dir; /* directories met: to look into after this one, since it is locked now */
	size_t n, cap;
};

static int below_add(struct below *b, const struct fs_tree_entry *e)
{
	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 16;
		struct met *dir = realloc(b->dir, cap * sizeof(*dir));

		if (!dir)
			return -ENOMEM;
		b->dir = dir;
		b->cap = cap;
	}
	b->dir[b->n] = (struct met){e->ino, strdup(e->name)};
	if (!b->dir[b->n].name)
		return -ENOMEM;
	b->n++;
	return 0;
}

static bool path_add(struct search *s, const char *name)
{
	int n = snprintf(s->path + s->len, KEYS_NOTE_PATH_MAX + 1 - s->len, "%s%s",
			 s->len ? "/" : "", name);

	return n > 0 && (size_t)n <= KEYS_NOTE_PATH_MAX - s->len;
}

static int meet(void *ctx, const struct fs_tree_entry *e)
{
	struct below *b = ctx;
	struct search *s = b->s;

	if (e->ino == s->ino) {
		s->found = path_add(s, e->name);
		s->rc = s->found ? 0 : -ENAMETOOLONG;
		return 1;
	}
	if (S_ISDIR(e->mode))
		s->rc = below_add(b, e);
	return s->rc ? 1 : 0;
}

static void search(struct search *s, uint64_t dir, unsigned depth)
{
	struct below b = {.s = s};
	struct fs_inode *d = NULL;
	size_t len = s->len;

	s->rc = fs_inode_get(s->journal, dir, &d);
	if (!s->rc) {
		int rc = fs_tree_list(d, 0, meet, &b);

		if (rc < 0 && !s->rc)
			s->rc = rc;
	}
	fs_inode_put(d);
	for (size_t n = 0; n < b.n; n++) {
		if (!s->found && !s->rc && depth < DEPTH && path_add(s, b.dir[n].name)) {
			s->len = strlen(s->path);
			search(s, b.dir[n].ino, depth + 1);
			s->len = len;
			/* A directory that went meanwhile holds it no more. */
			if (s->rc == -ENOENT)
				s->rc = 0;
		}
		keys_wipe(b.dir[n].name, strlen(b.dir[n].name));
		free(b.dir[n].name);
	}
	free(b.dir);
}

/* Files know no parent: their path is found by looking for them. */
static int path_of(struct fs_inode *i, char path[static KEYS_NOTE_PATH_MAX + 1])
{
	struct search s = {.journal = i->journal, .ino = i->ino, .path = path};

	path[0] = '\0';
	search(&s, FS_ROOT_INO, 0);
	if (s.rc)
		return s.rc;
	return s.found ? 0 : -ENOENT;
}

static void settle(void *ctx, uint64_t nodeid)
{
	fs_serve_settle(ctx, nodeid);
}

int fs_op_note_finalize(struct fs_mount *m, struct fs_inode *i, enum fs_note_how how)
{
	const struct fs_note_settle all = {settle, m->serve};
	char path[KEYS_NOTE_PATH_MAX + 1];
	struct fs_note_place at = {
		.index = fs_journal_index(i->journal), .path = path, .ino = i->ino};
	struct fs_note_result result;
	struct fs_say say = {""};
	int rc;

	/* Else the pages that it waits for would find nobody to take them. */
	if (!fs_serve_finalize_begin())
		return -EAGAIN;
	rc = path_of(i, path);
	if (!rc)
		rc = fs_vault_note_finalize(m->serve->vault, m->session, &at, how, &all, &result,
					    &say);
	fs_serve_finalize_end();
	keys_wipe(path, sizeof(path));
	return rc;
}

/* The word, alone or as programs write lines and strings. */
static bool is_word(const char *value, size_t len, const char *word)
{
	size_t n = strlen(word);

	return (len == n || (len == n + 1 && (!value[n] || value[n] == '\n'))) &&
	       memcmp(value, word, n) == 0;
}

int fs_op_note_set(struct fs_op *op, struct fs_inode *i, const char *xattr, const char *value,
		   size_t len)
{
	int rc;

	if (strcmp(xattr, PREFIX "state") != 0 || !is_note(i))
		return -EPERM;
	if (is_word(value, len, "draft"))
		return fs_op_final_check(op, i);
	if (!is_word(value, len, "final"))
		return -EPERM;
	rc = fs_op_note_finalize(op->m, i, FS_NOTE_ATTRIBUTE);
	/* The kernel takes EAGAIN of an attribute for one that nobody knows. */
	return rc == -EAGAIN ? -EBUSY : rc;
}
