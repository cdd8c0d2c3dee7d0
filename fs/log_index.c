/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_index.c - makes the index of a segment.
 *
 * Implements fs/FORMAT.md, "Log", "Index files". Owns, while a segment is written: the entries of
 * the block that is being filled and the key that will seal it, both in guarded memory; what is
 * sealed is plain memory. The key of a block is derived from the one before and takes its place, so
 * that what the daemon can still tell of its own log are the last FS_LOG_INDEX_BLOCK records. A key
 * of the stream is sealed when its turn has come, under one of a chain of their own that is
 * overwritten at once: nothing here opens a record that was sealed before.
 *
 * Invariant: entry i of a stream speaks of record first_seq + i, without a gap; an index that could
 * not hold to that is broken and never sealed.
 *
 * Locks: none of its own; its caller's.
 */
#include "log_index_impl.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../keys/bytes.h"
#include "../keys/slab.h"
#include "log_segment.h"

#define STREAMS_MAX (1u << 20)
#define NS INT64_C(1000000000)

const uint8_t fs_log_index_magic[8] = {'J', 'F', 'S', 'I', 'D', 'X', '\r', '\n'};
static const struct keys_span next_part = {"next", 4}, keys_part = {"keys", 4};

/* ---- what both sides do ---- */

void fs_log_index_first_key(enum fs_log_index_chain chain, const uint8_t *vault,
			    const uint8_t *stream, uint64_t segment, const uint8_t *k0,
			    uint8_t *out)
{
	uint8_t number[8];
	struct bytes_out b = bytes_out(number, sizeof(number));
	const struct keys_span parts[] = {
		{vault, KEYS_VAULT_ID_LEN},
		{stream, KEYS_STREAM_ID_LEN},
		{number, sizeof(number)},
		keys_part,
	};

	bytes_put_u64(&b, segment);
	keys_label_derive(KEYS_LABEL_LOG_INDEX, k0, parts, chain == FS_LOG_INDEX_KEYS ? 4 : 3, out,
			  KEYS_LEN);
}

void fs_log_index_next_key(uint8_t *key)
{
	uint8_t next[KEYS_LEN];

	keys_label_derive(KEYS_LABEL_LOG_INDEX, key, &next_part, 1, next, sizeof(next));
	memcpy(key, next, sizeof(next));
	keys_wipe(next, sizeof(next));
}

void fs_log_index_ad(const uint8_t *vault, uint64_t segment, const uint8_t *stream, uint64_t first,
		     uint8_t ad[static FS_LOG_INDEX_AD])
{
	struct bytes_out b = bytes_out(ad, FS_LOG_INDEX_AD);

	bytes_put(&b, vault, KEYS_VAULT_ID_LEN);
	bytes_put_u64(&b, segment);
	bytes_put(&b, stream, KEYS_STREAM_ID_LEN);
	bytes_put_u64(&b, first);
}

uint64_t fs_log_index_blocks_len(uint64_t count)
{
	uint64_t blocks = count / FS_LOG_INDEX_BLOCK + (count % FS_LOG_INDEX_BLOCK != 0);

	return count * FS_LOG_INDEX_ENTRY + blocks * (FS_LOG_INDEX_BASE + KEYS_SEAL_OVERHEAD);
}

uint64_t fs_log_index_sealed_len(uint64_t count)
{
	return fs_log_index_blocks_len(count) + count / FS_LOG_INDEX_STRIDE * FS_LOG_INDEX_KEY;
}

void fs_log_index_parts(const uint8_t *head, size_t head_len, const uint8_t *sealed, size_t len,
			uint8_t digest[static KEYS_LEN], struct keys_span parts[static 2])
{
	const struct keys_span all = {sealed, len};

	keys_sha256(&all, 1, digest);
	parts[0] = (struct keys_span){head, head_len};
	parts[1] = (struct keys_span){digest, KEYS_LEN};
}

/* ---- writing ---- */

struct written {
	uint8_t stream[KEYS_STREAM_ID_LEN];
	uint64_t first_seq, count, head_off;
};

struct open_block { /* guarded */
	uint8_t key[KEYS_LEN];
	uint8_t keys_key[KEYS_LEN]; /* seals the stream's next key */
	uint8_t sign_sk[KEYS_SIGN_SK_LEN];
	uint8_t plain[FS_LOG_INDEX_BLOCK_LEN(FS_LOG_INDEX_BLOCK)];
};

struct grown {
	uint8_t *p;
	size_t len, cap;
};

struct fs_log_index {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint64_t segment;
	bool broken;
	bool keyed; /* the block holds the key that signs */
	struct written *streams;
	size_t n, streams_cap;
	struct grown sealed; /* blocks, and behind those of a stream its keys */
	struct grown keys;   /* of the stream at hand */
	struct open_block *block;
	uint64_t last_off; /* of the last frame that was told */
	size_t in_block;   /* entries */
	int64_t base_s;
};

int fs_log_index_new(const uint8_t vault[static KEYS_VAULT_ID_LEN], struct fs_log_index **out)
{
	struct fs_log_index *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->block = keys_guard_new(sizeof(*x->block));
	if (!x->block) {
		free(x);
		return -ENOMEM;
	}
	memcpy(x->vault, vault, sizeof(x->vault));
	*out = x;
	return 0;
}

void fs_log_index_free(struct fs_log_index *x)
{
	if (!x)
		return;
	keys_guard_free(x->block);
	free(x->streams);
	free(x->sealed.p);
	free(x->keys.p);
	free(x);
}

static int break_index(struct fs_log_index *x, int rc)
{
	x->broken = true;
	keys_wipe(x->block, sizeof(*x->block));
	x->in_block = 0;
	return rc;
}

/* Room for len bytes more at the end; NULL: memory is short. */
static uint8_t *more_room(struct grown *g, size_t len)
{
	size_t cap = g->cap ? g->cap : 65536;
	uint8_t *p;

	while (cap - g->len < len)
		cap *= 2;
	if (cap != g->cap) {
		p = realloc(g->p, cap);
		if (!p)
			return NULL;
		g->p = p;
		g->cap = cap;
	}
	p = g->p + g->len;
	g->len += len;
	return p;
}

/* Seals what the block holds and forgets it. */
static int end_block(struct fs_log_index *x)
{
	const struct written *s = x->n ? &x->streams[x->n - 1] : NULL;
	size_t plain = FS_LOG_INDEX_BLOCK_LEN(x->in_block);
	uint8_t ad[FS_LOG_INDEX_AD], *out;

	if (!x->in_block)
		return 0;
	out = more_room(&x->sealed, plain + KEYS_SEAL_OVERHEAD);
	if (!out)
		return break_index(x, -ENOMEM);
	fs_log_index_ad(x->vault, x->segment, s->stream, s->first_seq + s->count - x->in_block, ad);
	keys_seal(x->block->key, (struct keys_span){ad, sizeof(ad)},
		  (struct keys_span){x->block->plain, plain}, out);
	fs_log_index_next_key(x->block->key);
	keys_wipe(x->block->plain, plain);
	x->in_block = 0;
	return 0;
}

/* The key of the record that comes next, which nothing was sealed with yet. */
static int add_key(struct fs_log_index *x, const struct written *s,
		   const struct keys_ratchet *ratchet)
{
	uint8_t ad[FS_LOG_INDEX_AD], *out;

	if (ratchet->next != s->count)
		return break_index(x, -EINVAL);
	out = more_room(&x->keys, FS_LOG_INDEX_KEY);
	if (!out)
		return break_index(x, -ENOMEM);
	fs_log_index_ad(x->vault, x->segment, s->stream, s->first_seq + s->count, ad);
	keys_seal(x->block->keys_key, (struct keys_span){ad, sizeof(ad)},
		  (struct keys_span){ratchet->key, KEYS_LEN}, out);
	fs_log_index_next_key(x->block->keys_key);
	return 0;
}

/* Nothing more comes of the stream at hand. */
static int end_stream(struct fs_log_index *x)
{
	int rc = end_block(x);
	uint8_t *out;

	if (rc || !x->keys.len)
		return rc;
	out = more_room(&x->sealed, x->keys.len);
	if (!out)
		return break_index(x, -ENOMEM);
	memcpy(out, x->keys.p, x->keys.len);
	x->keys.len = 0;
	return 0;
}

static struct written *more_streams(struct fs_log_index *x)
{
	if (x->n == x->streams_cap) {
		size_t cap = x->streams_cap ? 2 * x->streams_cap : 4;
		struct written *p =
			cap <= STREAMS_MAX ? realloc(x->streams, cap * sizeof(*p)) : NULL;

		if (!p)
			return NULL;
		x->streams = p;
		x->streams_cap = cap;
	}
	return &x->streams[x->n++];
}

int fs_log_index_stream(struct fs_log_index *x, const struct keys_ratchet *ratchet,
			uint64_t segment, uint64_t first_seq, uint64_t head_off)
{
	struct written *s;

	assert(ratchet->next == 0);
	if (x->broken)
		return -ENODATA;
	if (end_stream(x))
		return -ENOMEM;
	s = more_streams(x);
	if (!s)
		return break_index(x, -ENOMEM);
	if (x->n > 1 && x->segment != segment)
		return break_index(x, -EINVAL);
	x->segment = segment;
	*s = (struct written){.first_seq = first_seq, .head_off = head_off};
	memcpy(s->stream, ratchet->stream, sizeof(s->stream));
	x->last_off = head_off;
	fs_log_index_first_key(FS_LOG_INDEX_BLOCKS, x->vault, s->stream, segment, ratchet->key,
			       x->block->key);
	fs_log_index_first_key(FS_LOG_INDEX_KEYS, x->vault, s->stream, segment, ratchet->key,
			       x->block->keys_key);
	return 0;
}

static int64_t seconds(int64_t ns)
{
	return ns / NS - (ns % NS < 0);
}

/* 0: it can't be said. */
static uint16_t distance(uint64_t from, uint64_t to)
{
	uint64_t d = (to - from) / 8;

	return to > from && to % 8 == 0 && from % 8 == 0 && d <= UINT16_MAX ? (uint16_t)d : 0;
}

int fs_log_index_add(struct fs_log_index *x, const struct policy_record *r, uint64_t off,
		     const struct keys_ratchet *ratchet)
{
	struct written *s = x->n ? &x->streams[x->n - 1] : NULL;
	int64_t at = seconds(r->time_ns);
	struct bytes_out b;
	int rc;

	if (x->broken)
		return -ENODATA;
	if (!s || r->seq != s->first_seq + s->count)
		return break_index(x, -EINVAL);
	if (!x->in_block) {
		x->base_s = at;
		b = bytes_out(x->block->plain, FS_LOG_INDEX_BASE);
		bytes_put_u64(&b, (uint64_t)at);
	}
	if (at - x->base_s > INT32_MAX || at - x->base_s < INT32_MIN)
		return break_index(x, -ERANGE);
	b = bytes_out(x->block->plain + FS_LOG_INDEX_BLOCK_LEN(x->in_block), FS_LOG_INDEX_ENTRY);
	bytes_put_u32(&b, r->journal);
	bytes_put_u32(&b, r->practitioner);
	bytes_put_u8(&b, r->kind);
	bytes_put_u8(&b, r->outcome);
	bytes_put_u16(&b, distance(x->last_off, off));
	bytes_put_u32(&b, (uint32_t)(int32_t)(at - x->base_s));
	x->last_off = off;
	x->in_block++;
	s->count++;
	rc = s->count % FS_LOG_INDEX_STRIDE == 0 ? add_key(x, s, ratchet) : 0;
	return rc || x->in_block < FS_LOG_INDEX_BLOCK ? rc : end_block(x);
}

static void part_encode(const struct fs_log_index *x, const uint8_t *sk, struct bytes_out *b)
{
	uint8_t digest[KEYS_LEN], sig[KEYS_SIG_LEN];
	struct keys_span parts[2];
	size_t head;

	bytes_put(b, fs_log_index_magic, sizeof(fs_log_index_magic));
	bytes_put_u16(b, FS_LOG_INDEX_VERSION);
	bytes_put_zero(b, 2);
	bytes_put_u32(b, (uint32_t)x->n);
	bytes_put(b, x->vault, sizeof(x->vault));
	bytes_put_u64(b, x->segment);
	/* An Ed25519 secret key is its seed and the public key. */
	bytes_put(b, sk + (KEYS_SIGN_SK_LEN - KEYS_LEN), KEYS_LEN);
	bytes_put_u64(b, b->cap);
	for (size_t i = 0; i < x->n; i++) {
		bytes_put(b, x->streams[i].stream, KEYS_STREAM_ID_LEN);
		bytes_put_u64(b, x->streams[i].first_seq);
		bytes_put_u64(b, x->streams[i].count);
		bytes_put_u64(b, x->streams[i].head_off);
	}
	head = b->len;
	bytes_put(b, x->sealed.p, x->sealed.len);
	fs_log_index_parts(b->p, head, x->sealed.p, x->sealed.len, digest, parts);
	keys_label_sign(KEYS_LABEL_LOG_INDEX, sk, parts, 2, sig);
	bytes_put(b, sig, sizeof(sig));
	assert(!b->bad && b->len == b->cap);
}

void fs_log_index_key(struct fs_log_index *x, const uint8_t sign_sk[static KEYS_SIGN_SK_LEN])
{
	memcpy(x->block->sign_sk, sign_sk, sizeof(x->block->sign_sk));
	x->keyed = true;
}

int fs_log_index_seal(struct fs_log_index *x, uint8_t **out, size_t *len)
{
	int rc = x->broken || !x->n || !x->keyed ? -ENODATA : end_stream(x);
	size_t size = FS_LOG_INDEX_HEAD + x->n * FS_LOG_INDEX_STREAM + x->sealed.len + KEYS_SIG_LEN;
	uint8_t *p = rc ? NULL : malloc(size);
	struct bytes_out b = bytes_out(p, size);

	if (!rc && !p)
		rc = -ENOMEM;
	if (!rc) {
		part_encode(x, x->block->sign_sk, &b);
		*out = p;
		*len = size;
	}
	keys_wipe(x->block, sizeof(*x->block));
	x->n = x->sealed.len = x->keys.len = x->in_block = 0;
	x->broken = x->keyed = false;
	return rc;
}

/* ---- files ---- */

static void index_name(uint64_t segment, char out[static FS_LOG_NAME])
{
	snprintf(out, FS_LOG_NAME, "%08" PRIu64 ".idx", segment % 100000000);
}

int fs_log_index_store(int dirfd, uint64_t segment, const uint8_t *p, size_t len)
{
	char name[FS_LOG_NAME];
	struct stat st;
	size_t done = 0;
	int fd, rc = 0;

	index_name(segment, name);
	/* Whatever somebody put there: the log's preparer does not wait for it. */
	fd = openat(dirfd, name,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		rc = -EBADMSG;
	while (!rc && done < len) {
		ssize_t got = write(fd, p + done, len - done);

		if (got > 0)
			done += (size_t)got;
		else if (got == 0 || errno != EINTR)
			rc = got ? -errno : -EIO;
	}
	close(fd);
	return rc;
}

int fs_log_index_load(int dirfd, uint64_t segment, uint8_t **out, size_t *len)
{
	char name[FS_LOG_NAME];
	struct stat st;
	uint8_t *p = NULL;
	size_t done = 0;
	int fd, rc = -EBADMSG;

	index_name(segment, name);
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    (uint64_t)st.st_size > FS_LOG_INDEX_MAX)
		goto out;
	rc = -ENOMEM;
	p = malloc((size_t)st.st_size);
	if (!p)
		goto out;
	rc = 0;
	while (!rc && done < (size_t)st.st_size) {
		ssize_t got = pread(fd, p + done, (size_t)st.st_size - done, (off_t)done);

		if (got > 0)
			done += (size_t)got;
		else if (got == 0 || errno != EINTR)
			rc = -EIO;
	}
	if (!rc) {
		*out = p;
		*len = done;
		p = NULL;
	}
out:
	free(p);
	close(fd);
	return rc;
}
