/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_final.c - a statement's record, a STATE record and the end of a chain decode
 * whole, and what decoded is encoded to the same bytes. The first byte chooses; the fourth choice
 * changes bytes of a genuine statement.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/final_impl.h"
#include "keys/seal.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

static void statement(const uint8_t *data, size_t size)
{
	struct fs_final_statement s;
	struct fs_buf *buf = NULL;

	if (fs_final_statement_decode(data, size, &s))
		return;
	if (fs_final_statement_encode(&s, &buf) || buf->len != size ||
	    memcmp(buf->data, data, size))
		abort();
	fs_buf_put(buf);
}

static void state(const uint8_t *data, size_t size)
{
	struct fs_final_state s;
	uint8_t again[FS_FINAL_STATE_LEN];

	if (fs_final_state_decode(data, size, &s))
		return;
	fs_final_state_encode(&s, again);
	if (size != sizeof(again) || memcmp(again, data, size))
		abort();
}

static void end(const uint8_t *data, size_t size)
{
	uint8_t hash[KEYS_LEN];
	uint32_t n = 0;

	if (!fs_final_end_decode(data, size, &n, hash) && (!n || size != FS_FINAL_END_LEN))
		abort();
}

/* Triples of place (two bytes) and what is added there. */
static void changed(const uint8_t *data, size_t size)
{
	static const struct fs_final_statement genuine = {.note = {.kind = KEYS_NOTE_ERROR,
								   .journal = 5,
								   .ino = 7,
								   .number = 3,
								   .of = 1,
								   .author = 1,
								   .pid = 2,
								   .enrolment = 1,
								   .path = "2026/note.txt",
								   .author_name = "anna",
								   .who = "bo",
								   .role = "nurse",
								   .reason = "wrong patient"},
							  .has_minisign = true};
	struct fs_buf *buf = NULL;

	if (fs_final_statement_encode(&genuine, &buf))
		abort();
	for (size_t n = 0; n + 3 <= size; n += 3)
		buf->data[(data[n] << 8 | data[n + 1]) % buf->len] += data[n + 2];
	statement(buf->data, buf->len);
	fs_buf_put(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] % 4 == 0)
		statement(data + 1, size - 1);
	else if (data[0] % 4 == 1)
		state(data + 1, size - 1);
	else if (data[0] % 4 == 2)
		end(data + 1, size - 1);
	else
		changed(data + 1, size - 1);
	return 0;
}
