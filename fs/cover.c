/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/cover.c - sets of covered notes and the lists that intent records carry.
 *
 * Invariant: a number is added only after the record that names it is durable
 * (the gate's business). Directories share the set, told apart by the top bit:
 * inode numbers have 40 bits. No locks: the gate's mutex serializes the sets.
 */
#include "cover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../keys/label.h"

#define DIR_BIT (UINT64_C(1) << 63)
#define SET_LEAST 64
#define NOTE_BYTES 12 /* of a note in a record besides its name */

void fs_cover_clear(struct fs_cover *c)
{
	free(c->slot);
	*c = (struct fs_cover){.slot = NULL};
}

static size_t slot_of(const uint64_t *slot, size_t size, uint64_t v)
{
	size_t at = (size_t)(v * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (size - 1);

	while (slot[at] && slot[at] != v)
		at = (at + 1) & (size - 1);
	return at;
}

static bool set_has(const struct fs_cover *c, uint64_t v)
{
	return c->size && c->slot[slot_of(c->slot, c->size, v)] == v;
}

static int set_grow(struct fs_cover *c)
{
	size_t size = c->size ? c->size * 2 : SET_LEAST;
	uint64_t *slot = calloc(size, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	for (size_t n = 0; n < c->size; n++) {
		if (c->slot[n])
			slot[slot_of(slot, size, c->slot[n])] = c->slot[n];
	}
	free(c->slot);
	c->slot = slot;
	c->size = size;
	return 0;
}

static int set_add(struct fs_cover *c, uint64_t v)
{
	size_t at;

	if (set_has(c, v))
		return 0;
	if ((c->used + 1) * 4 > c->size * 3 && set_grow(c) != 0)
		return -ENOMEM;
	at = slot_of(c->slot, c->size, v);
	c->slot[at] = v;
	c->used++;
	return 0;
}

bool fs_cover_has(const struct fs_cover *c, uint64_t ino)
{
	return set_has(c, ino);
}

bool fs_cover_has_dir(const struct fs_cover *c, uint64_t ino)
{
	return set_has(c, ino | DIR_BIT);
}

int fs_cover_add(struct fs_cover *c, uint64_t ino)
{
	return set_add(c, ino);
}

int fs_cover_add_dir(struct fs_cover *c, uint64_t ino)
{
	return set_add(c, ino | DIR_BIT);
}

/* A larger copy of p with `used` bytes in it; the old one is wiped. */
static void *grown(void *p, size_t used, size_t bytes)
{
	void *wider = malloc(bytes);

	if (wider && used)
		memcpy(wider, p, used);
	if (wider && p) {
		keys_wipe(p, used);
		free(p);
	}
	return wider;
}

static int notes_room(struct fs_cover_notes *l, size_t name_bytes)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		void *note = grown(l->note, l->n * sizeof(*l->note), cap * sizeof(*l->note));

		if (!note)
			return -ENOMEM;
		l->note = note;
		l->cap = cap;
	}
	if (l->names_cap - l->names_len < name_bytes) {
		size_t cap = l->names_cap ? l->names_cap * 2 : 4096;
		char *names = grown(l->names, l->names_len, cap);

		if (!names)
			return -ENOMEM;
		l->names = names;
		l->names_cap = cap;
	}
	return 0;
}

struct listing {
	struct fs_cover_notes *notes;
	int rc;
};

static int listed(void *ctx, const struct fs_tree_entry *e)
{
	struct listing *l = ctx;
	size_t bytes = strlen(e->name) + 1;

	l->rc = notes_room(l->notes, bytes);
	if (l->rc)
		return 1;
	memcpy(l->notes->names + l->notes->names_len, e->name, bytes);
	l->notes->names_len += bytes;
	l->notes->note[l->notes->n++] = (struct policy_record_note){.note = e->ino};
	return 0;
}

int fs_cover_list(struct fs_journal *j, uint64_t dir, struct fs_cover_notes *out)
{
	struct fs_cover_notes notes = {.note = NULL};
	struct listing l = {.notes = &notes};
	struct fs_inode *i = NULL;
	const char *name;
	int rc = fs_inode_get(j, dir, &i);

	if (rc)
		return rc;
	rc = fs_tree_list(i, 0, listed, &l);
	fs_inode_put(i);
	if (!rc)
		rc = l.rc;
	if (rc) {
		fs_cover_notes_free(&notes);
		return rc;
	}
	name = notes.names;
	for (size_t n = 0; n < notes.n; n++) {
		notes.note[n].name = name;
		name += strlen(name) + 1;
	}
	*out = notes;
	return 0;
}

size_t fs_cover_part(const struct fs_cover_notes *notes, size_t at)
{
	size_t bytes = 0, n = 0;

	while (at + n < notes->n) {
		bytes += strlen(notes->note[at + n].name) + NOTE_BYTES;
		if (n && bytes > FS_COVER_RECORD_BYTES)
			break;
		n++;
	}
	return n;
}

void fs_cover_notes_free(struct fs_cover_notes *notes)
{
	if (notes->names)
		keys_wipe(notes->names, notes->names_len);
	free(notes->names);
	free(notes->note);
	*notes = (struct fs_cover_notes){.note = NULL};
}
