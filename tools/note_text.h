/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/note_text.h - notes and findings about them, for people.
 */
#ifndef TOOLS_NOTE_TEXT_H
#define TOOLS_NOTE_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* "812 bytes", "9.8 kB", "1.2 MB". */
const char *tools_note_size(json_int_t bytes, char out[static 32]);

/* Of a list that `note-look` gave: how many have this `may`. */
size_t tools_note_count(const json_t *notes, const char *may);
/* What will be locked and signed: a line each, of those that may be. `journal` stands before each
 * path. */
void tools_note_print_list(FILE *to, const char *journal, const json_t *notes);
/* Those that may not be, and those that are left out, with why. */
void tools_note_print_others(FILE *to, const char *journal, const json_t *notes);

/* A finding of `note-verify` in a word for people: "changed", "signed by a revoked key" ... */
const char *tools_note_finding_text(const char *finding);
/* True for what leaves nothing to do: ok, unsigned. */
bool tools_note_fine(const char *finding);
void tools_note_print_check(FILE *to, const json_t *check);
/*
 * Does it bear on the notes whose paths begin with `below`? A chain that is broken does, whichever statement shows it: what
 * is missing there may have been about any of them.
 */
bool tools_note_about(const json_t *check, const char *below);
/* "Verified 3 statements: 2 ok, 1 changed." */
void tools_note_print_sum(FILE *to, const json_t *checks);

/* A file's name as a word that a shell takes as it is: a command that is shown does nothing else when it is copied. */
void tools_note_word(const char *name, char *out, size_t cap);
/* The name of a file made of a practitioner's name: nothing that leads elsewhere or hides. */
void tools_note_file_name(const char *who, const char *suffix, char out[static 256]);

#endif
