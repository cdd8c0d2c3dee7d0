/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/dirent_hash.c - the keyed hash of a directory entry's name.
 *
 * Keyed, so that the database shows no names and nobody can choose names that
 * collide; over the directory too, so that equal names in two directories cannot
 * be seen to be equal.
 */
#include "dirent.h"

#include "../keys/bytes.h"

uint64_t fs_dirent_hash(struct fs_journal *j, uint64_t dir, const char *name)
{
	uint8_t place[8], hash[16];
	struct bytes_out out = bytes_out(place, sizeof(place));
	struct bytes_in in = bytes_in(hash, sizeof(hash));
	struct keys_span parts[2] = {{place, sizeof(place)}, {name, strlen(name)}};
	uint64_t v;

	bytes_put_u64(&out, dir);
	keys_label_derive(KEYS_LABEL_NAME_HASH, fs_journal_name_key(j), parts, 2, hash,
			  sizeof(hash));
	v = bytes_get_u64(&in) >> 5;
	/* Cookies 0..7 stay free for ".", ".." and the start. */
	return v ? v : 1;
}
