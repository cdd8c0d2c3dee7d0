/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_log_index.c - reading a segment of any bytes with an index of any bytes, and
 * an index of any contents that its daemon signed. The first byte says which, the two behind it
 * where the index ends. Nothing is written but files in a directory of its own.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../fs/log.h"
#include "../../fs/log_index.h"
#include "../../fs/log_segment.h"
#include "../../keys/wrap.h"

#define PART_HEAD 80

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/journalfs-fuzz-index-XXXXXX";
static int dirfd_ = -1;
static const uint8_t vault[KEYS_VAULT_ID_LEN] = "a fuzzed vault.";
static uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];

static void leave(void)
{
	unlinkat(dirfd_, "00000001.seg", 0);
	unlinkat(dirfd_, "00000001.idx", 0);
	unlinkat(dirfd_, "00000002.seg", 0);
	unlinkat(dirfd_, "00000003.seg", 0);
	rmdir(dir);
}

static void put(const char *name, const uint8_t *p, size_t len)
{
	int fd = openat(dirfd_, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, p, len) != (ssize_t)len)
		abort();
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (keys_init() || !mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	keys_sign_new(pk, sk);
	if (dirfd_ < 0)
		return -1;
	atexit(leave);
	/* Stubs, so that the one at hand is not the newest, which would be read again and again. */
	put("00000002.seg", vault, 1);
	put("00000003.seg", vault, 1);
	return 0;
}

static int any_key(void *ctx, const uint8_t stream[static KEYS_STREAM_ID_LEN],
		   uint8_t k0[static KEYS_LEN])
{
	(void)ctx;
	memset(k0, 7, KEYS_LEN);
	return stream[0] & 1;
}

static int record(void *ctx, const struct policy_record *r)
{
	(void)ctx;
	assert(r->seq);
	return 0;
}

static void bad(void *ctx, uint64_t seq, const char *why)
{
	(void)ctx;
	(void)seq;
	assert(why[0]);
}

static void whole(const uint8_t *index, size_t index_len, const uint8_t *segment, size_t len)
{
	static const uint32_t journal = 3;
	struct fs_log_reading q = {
		.dir = dir,
		.vault = vault,
		.key0 = any_key,
		.fn = record,
		.bad = bad,
		.journals = &journal,
		.journal_count = 1,
	};

	put("00000001.idx", index, index_len);
	put("00000001.seg", segment, len);
	if (fs_log_read_as(&q))
		abort();
}

static int index_key(void *ctx, const struct fs_log_index_stream_of *s, uint8_t k0[static KEYS_LEN])
{
	(void)ctx;
	assert(s->keys);
	memset(k0, 7, KEYS_LEN);
	return s->stream[0] & 1;
}

static void entry(void *ctx, const struct fs_log_index_entry *e)
{
	(void)ctx;
	assert(e->seq && e->seq < UINT64_MAX / 2 + FS_LOG_INDEX_MAX);
}

/* streams and blocks as they come, in a part that is sound and signed. */
static void is_signed(const uint8_t *p, size_t len, uint32_t streams)
{
	const struct fs_log_index_query q = {
		.vault = vault, .segment = 1, .pk = pk, .key = index_key, .fn = entry};
	size_t size = PART_HEAD + len + KEYS_SIG_LEN, head = PART_HEAD + streams * (size_t)40;
	uint8_t *part = malloc(size), digest[KEYS_LEN];
	struct bytes_out b = bytes_out(part, size);
	struct keys_span parts[2] = {{part, head}, {digest, sizeof(digest)}}, all;
	bool partial;

	if (!part || head > PART_HEAD + len) {
		free(part);
		return;
	}
	bytes_put(&b, "JFSIDX\r\n\1\0\0\0", 12);
	bytes_put_u32(&b, streams);
	bytes_put(&b, vault, sizeof(vault));
	bytes_put_u64(&b, 1);
	bytes_put(&b, pk, sizeof(pk));
	bytes_put_u64(&b, size);
	bytes_put(&b, p, len);
	all = (struct keys_span){part + head, PART_HEAD + len - head};
	keys_sha256(&all, 1, digest);
	keys_label_sign(KEYS_LABEL_LOG_INDEX, sk, parts, 2, part + PART_HEAD + len);
	fs_log_index_read(&q, part, size, &partial);
	free(part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t cut;

	if (size < 3)
		return 0;
	cut = data[1] | (size_t)data[2] << 8;
	if (data[0] & 1)
		is_signed(data + 3, size - 3, (uint32_t)cut);
	else if (cut <= size - 3)
		whole(data + 3, cut, data + 3 + cut, size - 3 - cut);
	return 0;
}
