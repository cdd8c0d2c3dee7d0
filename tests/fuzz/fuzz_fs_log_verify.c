/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_log_verify.c - verification over hostile segments.
 *
 * Even first byte: the rest is one segment. Odd: the rest are changes to a log of three segments
 * that is whole (segment, place, byte), and then it must not pass while a record of the first two,
 * which later segments seal, is not what it was. Never crashes, never hangs, always ends.
 */
#include "tests/unit/test_fs_log_forge.h"

#include <errno.h>
#include "fs/log_verify.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT (16u << 10)
#define SEGMENTS 3
#define CHANGES 64

static uint8_t whole[SEGMENTS][SEGMENT], now[SEGMENTS][SEGMENT];
static const uint8_t *one;
static size_t one_len;
static char kept[KEYS_CHECKPOINT_MAX];
static unsigned said;

static void make_whole(void)
{
	struct forge f;

	forge_init(&f, "", SEGMENT);
	for (int n = 0; n < SEGMENTS; n++) {
		struct fs_log_header h = {
			.number = (uint64_t)n + 1, .first_seq = f.seq, .bytes = SEGMENT};

		f.number = (uint64_t)n + 1;
		memcpy(h.vault, f.vault, sizeof(h.vault));
		memset(f.p, 0, SEGMENT);
		fs_log_header_encode(&h, f.p);
		f.end = FS_LOG_HEADER;
		forge_stream(&f);
		forge_tree(&f);
		for (int i = 0; i < 12; i++)
			forge_record(&f, 40 + (size_t)i * 9);
		forge_checkpoint(&f, n ? KEYS_CHECKPOINT_STOP : KEYS_CHECKPOINT_RUNNING);
		if (n)
			forge_stream(&f);
		for (int i = 0; i < 4; i++)
			forge_record(&f, 40 + (size_t)i * 9);
		forge_checkpoint(&f, KEYS_CHECKPOINT_STOP);
		memcpy(whole[n], f.p, SEGMENT);
	}
	forge_note(&f, KEYS_CHECKPOINT_STOP, f.key, kept);
	forge_clear(&f);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (keys_init())
		return -1;
	make_whole();
	return 0;
}

static int list(void *ctx, uint64_t **numbers, size_t *n)
{
	(void)ctx;
	*n = one ? 1 : SEGMENTS;
	*numbers = calloc(*n, sizeof(**numbers));
	for (size_t i = 0; *numbers && i < *n; i++)
		(*numbers)[i] = i + 1;
	return *numbers ? 0 : -ENOMEM;
}

static int load(void *ctx, uint64_t number, uint8_t **bytes, size_t *len)
{
	(void)ctx;
	*len = one ? one_len : SEGMENT;
	*bytes = malloc(*len + 1);
	if (!*bytes)
		return -ENOMEM;
	memcpy(*bytes, one ? one : now[number - 1], *len);
	return 0;
}

static void finding(void *ctx, const struct fs_log_finding *f)
{
	(void)ctx;
	said++;
	assert(f->text && *f->text && f->last >= f->seq);
	assert(*fs_log_finding_text(f->kind) != '?');
}

/* Whether a record that later segments seal is still what it was. */
static int records_same(void)
{
	for (int n = 0; n < SEGMENTS - 1; n++) {
		struct fs_log_header h;
		struct fs_log_frame f;
		struct fs_log_walk w;

		if (fs_log_header_decode(whole[n], &h))
			abort();
		fs_log_walk_init(&w, &h, whole[n], SEGMENT);
		while (fs_log_walk_next(&w, &f)) {
			if (f.kind == FS_LOG_RECORD &&
			    memcmp(whole[n] + f.off, now[n] + f.off, FS_LOG_FRAME + f.len))
				return 0;
		}
	}
	return 1;
}

static void change(const uint8_t *data, size_t size)
{
	memcpy(now, whole, sizeof(now));
	for (unsigned i = 0; i < CHANGES && size >= 4; i++, data += 4, size -= 4)
		now[data[0] % SEGMENTS][(data[1] | (size_t)data[2] << 8) % SEGMENT] = data[3];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *texts[] = {kept};
	struct fs_log_source source = {.list = list, .load = load, .still = true};
	struct fs_log_verifying q = {
		.source = &source, .finding = finding, .kept = texts, .threads = 1};
	struct fs_log_verified v;
	int rc;

	if (!size)
		return 0;
	one = data[0] % 2 ? NULL : data + 1;
	one_len = size - 1;
	if (!one)
		change(data + 1, size - 1);
	q.kept_count = data[0] / 2 % 2;
	said = 0;
	rc = fs_log_verify(&q, &v);
	assert(rc == 0 || rc == -ENODATA);
	if (rc)
		return 0;
	assert(said == v.alarms + v.notes || said == 10000);
	if (!one)
		assert(v.alarms || records_same());
	return 0;
}
