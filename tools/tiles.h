/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/tiles.h - a directory in the layout of C2SP tlog-tiles, as a web server gives it out.
 *
 *	checkpoint            the signed note, replaced last
 *	tile/L/N              256 hashes of level L; N as x001/x234/067
 *	tile/L/N.p/W          the last tile of a level, W hashes
 *
 * Level 0 holds the leaves' hashes, each hash of a level above is the root of a full tile below.
 * Full tiles never change. Entry bundles (tile/entries) are not published: see cmd_audit_publish.c.
 */
#ifndef TOOLS_TILES_H
#define TOOLS_TILES_H

#include <stdint.h>
#include "../keys/merkle.h"

#define TILES_WIDTH 256
#define TILES_LEVELS 8
#define TILES_PATH 128

struct tiles {
	const char *dir;
	struct tiles_level {
		uint64_t number; /* of the tile at hand */
		unsigned width;
		uint8_t hash[TILES_WIDTH][KEYS_LEN];
	} level[TILES_LEVELS];
	uint64_t written, there;
};

/* "tile/0/x001/234", width 0 or 256: full; else with ".p/W". */
void tools_tiles_path(unsigned level, uint64_t number, unsigned width, char out[static TILES_PATH]);
/*
 * Goes on behind leaves that are gone, from the tiles that the directory has of them: they must
 * give this tree. Before the first leaf. -ENOENT: a tile is not there; -EUCLEAN: they give another.
 */
int tools_tiles_resume(struct tiles *t, const struct keys_tree *before,
		       char bad[static TILES_PATH]);
/* The next leaf. 0; -EUCLEAN: a full tile is there and says otherwise (*bad names it); -errno. */
int tools_tiles_add(struct tiles *t, const uint8_t leaf[static KEYS_LEN],
		    char bad[static TILES_PATH]);
/* The partial tiles behind the last leaf. The same errors. */
int tools_tiles_end(struct tiles *t, char bad[static TILES_PATH]);

#endif
