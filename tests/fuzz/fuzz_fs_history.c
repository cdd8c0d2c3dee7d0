/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_history.c - pages of earlier versions, what differs between two, maps of
 * replaced chunks, records of removed notes: nothing is read or written beyond its end, and what
 * decoded encodes to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/chunk_impl.h"
#include "fs/history_impl.h"
#include "fs/history_link.h"
#include "keys/identity.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

/* The rest of the input as a delta, over a base of the length that it names. */
static void try_delta(const uint8_t *data, size_t size, size_t want)
{
	uint8_t *base, *out = malloc(want ? want : 1);
	size_t base_len;

	if (!out)
		abort();
	if (!fs_history_delta_base(data, size, &base_len)) {
		base = calloc(1, base_len ? base_len : 1);
		if (!base)
			abort();
		(void)fs_history_delta_apply(data, size, base, base_len, out, want);
		free(base);
	}
	free(out);
}

static void try_page(const uint8_t *data, size_t size)
{
	static struct fs_history_page p, again;
	struct fs_history_entry e;
	size_t at = 0;

	p.first = 0;
	if (fs_history_page_decode(data, size, &p))
		return;
	fs_history_page_new(&again, 0);
	while (fs_history_page_next(&p, &at, &e)) {
		if (e.size > FS_SIZE_MAX || fs_history_page_add(&again, &e))
			abort();
		if (e.kind == FS_HISTORY_DELTA)
			try_delta(e.data, e.len, (size_t)e.size);
	}
	if (again.len != p.len || memcmp(again.data, p.data, p.len))
		abort();
	while (fs_history_page_last(&again, &e))
		fs_history_page_cut(&again);
}

/* What is made of two halves of the input leads from one to the other. */
static void try_making(const uint8_t *data, size_t size)
{
	size_t len = size / 2, n;
	uint8_t delta[FS_PLAIN_MAX], out[FS_INLINE_MAX];

	if (size > FS_INLINE_MAX)
		return;
	n = fs_history_delta_make(data, len, data + len, size - len, delta, sizeof(delta));
	if (n && (fs_history_delta_apply(delta, n, data + len, size - len, out, len) ||
		  memcmp(out, data, len)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[FS_HISTORY_PATH_MAX];
	struct fs_history_removed r;
	struct fs_map_page page;
	uint8_t bytes[FS_VALUE_MAX];

	if (size < 2)
		return 0;
	try_page(data, size);
	try_delta(data + 2, size - 2, (size_t)data[0] << 6 | data[1]);
	try_making(data, size);
	if (!fs_history_removed_decode(data, size, &r, path) && !r.path[0])
		abort();
	if (!fs_chunk_old_decode(data, size, &page)) {
		size_t len = fs_chunk_map_encode(&page, bytes);

		if (len > size || memcmp(bytes, data, len))
			abort();
	}
	return 0;
}
