/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_final.h - statements about notes for the tests of final notes: made up but
 * sound; what signatures are worth is keys/'s and rank 3's.
 */
#ifndef TEST_FS_FINAL_H
#define TEST_FS_FINAL_H

#include "fs/final.h"
#include "fs/final_impl.h"
#include "test_fs_files.h"

/* The next statement about i at path, as the chain and the note are now. */
static inline void final_statement(struct files *f, struct fs_inode *i, const char *path,
				   uint8_t kind, struct fs_final_statement *s)
{
	struct keys_note *n = &s->note;
	uint8_t blake2b[64];
	uint32_t last;

	memset(s, 0, sizeof(*s));
	n->kind = kind;
	memcpy(n->vault, f->cfg.vault, sizeof(n->vault));
	n->journal = 5;
	n->ino = i->ino;
	ck_assert_int_eq(fs_final_last(f->j, &last, n->before), 0);
	n->number = last + 1;
	ck_assert_int_eq(fs_final_hash(i, n->sha256, blake2b, &n->size), 0);
	n->time_s = 1800000000;
	n->author = i->author;
	n->pid = 3;
	n->enrolment = 1;
	n->policy_version = 1;
	snprintf(n->path, sizeof(n->path), "%s", path);
	strcpy(n->author_name, "anna");
	strcpy(n->who, "anna");
	strcpy(n->role, "physician");
	if (kind != KEYS_NOTE_LOCKED)
		memset(n->sig, 7, sizeof(n->sig));
	if (kind == KEYS_NOTE_FINAL) {
		s->has_minisign = true;
		memset(&s->minisign, 9, sizeof(s->minisign));
	}
	s->logged = 42;
}

/* A statement about a final note. */
static inline int final_more(struct files *f, struct fs_inode *i, const char *path, uint8_t kind)
{
	struct fs_final_statement s;
	struct fs_final_state state;
	struct fs_final_add add = {.i = i, .s = &s};

	ck_assert_int_eq(fs_final_state(i, &state), 0);
	final_statement(f, i, path, kind, &s);
	s.note.of = state.final;
	return fs_final_add(&add, &f->who);
}

/* Closes, hashes, adds; open again when that fails. */
static inline int final_make(struct files *f, struct fs_inode *i, const char *path, uint8_t kind)
{
	struct fs_final_statement s;
	struct fs_final_add add = {.i = i, .s = &s};
	struct fs_final_state state, amended;
	struct fs_inode *other = NULL;
	int rc = fs_final_close(i);

	if (rc)
		return rc;
	ck_assert_int_eq(fs_final_state(i, &state), 0);
	final_statement(f, i, path, kind, &s);
	if (state.amends) {
		ck_assert_int_eq(fs_inode_get(f->j, state.amends, &other), 0);
		ck_assert_int_eq(fs_final_state(other, &amended), 0);
		s.note.amends = amended.final;
		fs_inode_put(other);
	}
	rc = fs_final_add(&add, &f->who);
	if (rc)
		fs_final_open(i);
	return rc;
}

#endif
