/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/final_impl.h - what the files of final share: records and paths.
 */
#ifndef FS_FINAL_IMPL_H
#define FS_FINAL_IMPL_H

#include "final.h"

/* ---- records (fs/FORMAT.md, "FINAL", "STATE", "FINALS") ---- */
#define FS_FINAL_STATE_LEN 96
#define FS_FINAL_END_LEN 40

/* The codecs. decode: -EBADMSG, out untouched. encode of a statement: -EINVAL, -ENOSPC of
 * keys_note_encode, -ENOMEM. */
int fs_final_statement_encode(const struct fs_final_statement *s, struct fs_buf **out);
int fs_final_statement_decode(const uint8_t *p, size_t len, struct fs_final_statement *out);
void fs_final_state_encode(const struct fs_final_state *s, uint8_t out[static FS_FINAL_STATE_LEN]);
int fs_final_state_decode(const uint8_t *p, size_t len, struct fs_final_state *out);
int fs_final_end_decode(const uint8_t *p, size_t len, uint32_t *number,
			uint8_t hash[static KEYS_LEN]);

/* Add to b. */
int fs_final_statement_put(struct fs_batch *b, struct fs_journal *j,
			   const struct fs_final_statement *s);
void fs_final_end_put(struct fs_batch *b, struct fs_journal *j, uint32_t number,
		      const uint8_t hash[static KEYS_LEN]);
/* And sets a's flags (enum fs_inode_flag) that follow from the record; none is kept for a state of
 * zeros. */
void fs_final_state_put(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
			const struct fs_final_state *state);
/* As fs_final_state; i is locked. */
int fs_final_state_locked(const struct fs_inode *i, struct fs_final_state *out);

/* ---- paths ---- */
struct fs_final_path {
	struct fs_inode
		*i[FS_FINAL_DEPTH + 1]; /* the journal's root first, the note last; references */
	const char *name[FS_FINAL_DEPTH + 1]; /* of i[n], in text; [0] "" */
	size_t n;
	char text[KEYS_NOTE_PATH_MAX + 1];
};
/* What a path leads to now. -ENOENT, -ENOTDIR, -EINVAL, -ENAMETOOLONG. clear always; it may follow
 * a failure. */
int fs_final_path_find(struct fs_journal *j, const char *path, struct fs_final_path *out);
void fs_final_path_clear(struct fs_final_path *p);
/* Does it lead there still? All of it is locked. -ENOENT: no. */
int fs_final_path_confirm(const struct fs_final_path *p);

#endif
