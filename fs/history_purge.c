/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_purge.c - earlier versions go: with their inode, or one by one.
 *
 * What of a version lies in chunks is freed by the committer, told by a DROP in the batch
 * (fs_chunk_drop): pages of OLD_MAP may still be on their way there. No state, no locks.
 */
#include "history_impl.h"

#include <errno.h>
#include "chunk.h"

void fs_history_drop(struct fs_batch *b, struct fs_journal *j, uint64_t ino,
		     const struct fs_history_entry *e)
{
	for (unsigned n = 0; n < FS_HISTORY_PIECES; n++) {
		struct fs_key key = fs_history_piece_key(j, ino, e->version, n);

		if (e->pieces >> n & 1)
			fs_batch_del(b, j, &key);
	}
	if (e->kind == FS_HISTORY_CHUNKS)
		fs_chunk_drop(j, b, ino, e->version);
}

int fs_history_purge(struct fs_batch *b, struct fs_journal *j, uint64_t ino)
{
	struct fs_history_all all;
	int rc = fs_history_all_get(j, ino, &all);

	if (rc)
		return rc;
	for (size_t n = 0; n < all.n; n++)
		fs_history_drop(b, j, ino, &all.e[n]);
	for (size_t n = 0; n < all.pages; n++) {
		struct fs_key key =
			fs_key_n(fs_journal_index(j), ino, FS_T_VERSION, all.page[n]->first, 4);

		fs_batch_del(b, j, &key);
	}
	fs_history_all_clear(&all);
	return b->rc;
}
