/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_store_check.c - the structural check of data.mdb against LMDB itself.
 *
 * The input is a list of changes to a small real database. What the check lets pass
 * LMDB then opens, reads, changes and closes: it must neither crash nor abort.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fs/store.h"
#include "fuzz_dir.h"
#include "keys/bytes.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *sound, *image;
static size_t sound_len;
static char db[80], path[96];

static struct fs_key key_of(unsigned n)
{
	return fs_key_n(n % 5, n / 5, FS_T_DIRENT, n * 2654435761u, 8);
}

/* Enough for two levels of records, an overflow page and a list of free pages. */
static void fill(struct fs_store *s)
{
	static uint8_t value[FS_VALUE_MAX];

	for (unsigned n = 0; n < 60; n++) {
		struct fs_store_item item = {.key = key_of(n), .val = value, .len = n * 67 % 2000};

		if (n % 20 == 7)
			item.len = FS_VALUE_MAX;
		memset(value, (int)n, sizeof(value));
		if (fs_store_apply(s, &item, 1))
			abort();
		if (n % 7 == 6) {
			item = (struct fs_store_item){.key = key_of(n - 3)};
			if (fs_store_apply(s, &item, 1))
				abort();
		}
	}
}

static void load(void)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		abort();
	sound_len = (size_t)st.st_size;
	sound = malloc(sound_len);
	image = malloc(sound_len);
	if (!sound || !image || read(fd, sound, sound_len) != (ssize_t)sound_len)
		abort();
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct fs_store *s;

	(void)argc;
	(void)argv;
	fuzz_dir_make();
	snprintf(db, sizeof(db), "%s/db", fuzz_dir);
	snprintf(path, sizeof(path), "%s/data.mdb", db);
	if (fs_store_open(db, FS_STORE_CREATE, &s))
		abort();
	fill(s);
	fs_store_close(s);
	load();
	if (fs_store_check_image(sound, sound_len))
		abort();
	return 0;
}

static void save(size_t len)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, image, len) != (ssize_t)len)
		abort();
	close(fd);
}

static void read_all(struct fs_store *s)
{
	struct fs_key key = {.len = 0};
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;

	if (fs_store_snap_begin(s, &snap))
		return;
	while (!fs_store_next(snap, &key, &key, &val, &len)) {
		if (len > FS_VALUE_MAX || fs_store_get(snap, &key, &val, &len))
			abort();
		if (key.len == FS_KEY_MAX)
			break;
		key.b[key.len++] = 0;
	}
	fs_store_snap_end(snap);
}

/* LMDB's turn: what the check let pass does no harm. */
static void use(size_t len)
{
	static const uint8_t value[3000] = {1};
	struct fs_store *s;

	save(len);
	if (fs_store_open(db, 0, &s))
		return;
	read_all(s);
	for (unsigned n = 0; n < 60; n++) {
		struct fs_store_item item = {.key = key_of(n),
					     .val = n % 4 ? value : NULL,
					     .len = n % 4 ? sizeof(value) : 0};

		if (n % 11 == 0 && fs_store_apply(s, &item, 1))
			break;
	}
	fs_store_close(s);
}

/* A change: page u8 (mod), offset in it u16 (mod), length u8 (mod 16), bytes. First: a cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes_in in = bytes_in(data, size);
	size_t pages = sound_len / 4096, len = sound_len, n;
	uint8_t cut = bytes_get_u8(&in);

	memcpy(image, sound, sound_len);
	if (cut < 32)
		len = sound_len - (size_t)cut * 1024 % sound_len;
	while (!in.bad && in.off < in.len) {
		size_t at = bytes_get_u8(&in) % pages * 4096;

		at += bytes_get_u16(&in) % 4096;
		n = bytes_get_u8(&in) % 16 + 1;
		if (at + n <= sound_len)
			bytes_get(&in, image + at, n);
	}
	if (!fs_store_check_image(image, len))
		use(len);
	return 0;
}
