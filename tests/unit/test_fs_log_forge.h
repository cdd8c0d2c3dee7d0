/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_log_forge.h - logs made byte by byte, with every key at hand: what a daemon
 * writes, and what somebody who holds its keys can.
 */
#ifndef TEST_FS_LOG_FORGE_H
#define TEST_FS_LOG_FORGE_H

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../fs/log_segment.h"
#include "../../fs/log_tree.h"
#include "../../keys/checkpoint.h"
#include "../../keys/recovery.h"
#include "../../keys/statement.h"
#include "../../keys/wrap.h"

#define FORGE_KEYS 12
#define FORGE_SEGMENT (128u << 10)

struct forge {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t root_pk[KEYS_LEN], root_sk[KEYS_SIGN_SK_LEN];
	uint8_t daemon_pk[KEYS_LEN], daemon_sk[KEYS_SIGN_SK_LEN];
	uint8_t cert[KEYS_SIG_LEN];
	uint8_t witness_pk[KEYS_LEN], witness_sk[KEYS_SIGN_SK_LEN];
	struct keys_list_entry reader;
	uint8_t reader_sk[KEYS_LEN];
	uint8_t key_pk[FORGE_KEYS][KEYS_LEN], key_sk[FORGE_KEYS][KEYS_SIGN_SK_LEN]; /* by number */
	uint64_t key;	   /* in force; 0: none yet */
	uint64_t next_key; /* number of the next */
	unsigned flags;	   /* of the next tree frame */
	struct keys_tree tree;
	struct keys_ratchet ratchet;
	uint8_t prev[KEYS_SIG_LEN];
	uint64_t seq; /* of the next record */
	uint64_t number, commit, time_s;
	size_t segment_bytes;
	uint8_t *p; /* the segment at hand */
	size_t end;
	char dir[200];
	uint64_t text; /* contents of records */
};

static inline void forge_init(struct forge *f, const char *dir, size_t segment_bytes)
{
	memset(f, 0, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "%s", dir);
	keys_random(f->vault, sizeof(f->vault));
	keys_sign_new(f->root_pk, f->root_sk);
	keys_sign_new(f->daemon_pk, f->daemon_sk);
	keys_daemon_certify(f->vault, f->daemon_pk, f->root_sk, f->cert);
	keys_checkpoint_witness(f->daemon_sk, f->witness_pk, f->witness_sk);
	keys_box_new(f->reader.box_pk, f->reader_sk);
	for (int i = 0; i < FORGE_KEYS; i++)
		keys_sign_new(f->key_pk[i], f->key_sk[i]);
	keys_tree_init(&f->tree);
	f->seq = f->next_key = 1;
	f->time_s = 1700000000;
	f->segment_bytes = segment_bytes;
	f->p = calloc(1, segment_bytes);
	assert(f->p);
}

static inline void forge_frame(struct forge *f, enum fs_log_frame_kind kind, uint64_t seq,
			       const void *body, size_t len)
{
	assert(f->end + fs_log_frame_size(len) <= f->segment_bytes);
	fs_log_frame_encode(kind, seq, len, f->p + f->end);
	memcpy(f->p + f->end + FS_LOG_FRAME, body, len);
	f->end += fs_log_frame_size(len);
}

static inline void forge_stream(struct forge *f)
{
	static uint8_t body[FS_LOG_HEAD_MAX];
	struct fs_log_head h = {.first_seq = f->seq, .time_s = f->time_s};
	size_t len = 0;

	keys_ratchet_new(&f->ratchet, f->vault);
	memcpy(h.prev, f->prev, sizeof(h.prev));
	assert(!fs_log_head_make(&h, &f->ratchet, &f->reader, 1, f->number, f->daemon_sk, body,
				 &len));
	forge_frame(f, FS_LOG_STREAM, f->seq, body, len);
	memcpy(f->prev, h.sig, sizeof(f->prev));
}

static inline void forge_tree(struct forge *f)
{
	static const uint8_t none[KEYS_LEN];
	uint8_t body[FS_LOG_TREE_MAX];
	struct fs_log_tree t = {.flags = f->flags, .key_number = f->next_key, .tree = f->tree};
	bool certified = f->key && !(f->flags & FS_LOG_TREE_LOST);
	size_t len;

	memcpy(t.pk, f->key_pk[f->next_key], KEYS_LEN);
	memcpy(t.before, certified ? f->key_pk[f->key] : none, KEYS_LEN);
	memcpy(t.daemon_pk, f->daemon_pk, KEYS_LEN);
	memcpy(t.witness_pk, f->witness_pk, KEYS_LEN);
	memcpy(t.root_pk, f->root_pk, KEYS_LEN);
	memcpy(t.cert, f->cert, KEYS_SIG_LEN);
	len = fs_log_tree_make(&t, f->number, certified ? f->key_sk[f->key] : NULL, f->daemon_sk,
			       body);
	forge_frame(f, FS_LOG_TREE, f->seq, body, len);
	f->key = f->next_key++;
	f->flags = 0;
}

/* Writes the segment at hand as it is. */
static inline void forge_write(const struct forge *f)
{
	char path[300], name[FS_LOG_NAME];
	ssize_t got;
	int fd;

	fs_log_segment_name(f->number, name);
	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	got = pwrite(fd, f->p, f->segment_bytes, 0);
	assert(fd >= 0 && got == (ssize_t)f->segment_bytes);
	close(fd);
}

/* Writes the segment at hand, if any, and begins the next. */
static inline void forge_segment(struct forge *f)
{
	struct fs_log_header h = {
		.number = f->number + 1, .first_seq = f->seq, .bytes = f->segment_bytes};

	if (f->number)
		forge_write(f);
	f->number++;
	memcpy(h.vault, f->vault, sizeof(h.vault));
	memset(f->p, 0, f->segment_bytes);
	fs_log_header_encode(&h, f->p);
	f->end = FS_LOG_HEADER;
	forge_stream(f);
	forge_tree(f);
}

/* One record of len plain bytes; its number. */
static inline uint64_t forge_record(struct forge *f, size_t len)
{
	uint8_t plain[4096], sealed[8192], leaf[KEYS_LEN];
	size_t n = keys_ratchet_sealed_len(len);

	assert(len <= sizeof(plain));
	memset(plain, (int)(f->text++ & 0xff), len);
	keys_ratchet_seal(&f->ratchet, (struct keys_span){plain, len}, 0, sealed);
	forge_frame(f, FS_LOG_RECORD, f->seq, sealed, n);
	keys_tree_leaf(sealed, n, leaf);
	keys_tree_add(&f->tree, leaf);
	return f->seq++;
}

/* The checkpoint of what there is, signed with this key; the text's length. */
static inline size_t forge_note(const struct forge *f, enum keys_checkpoint_mark mark, uint64_t key,
				char text[static KEYS_CHECKPOINT_MAX])
{
	struct keys_checkpoint c = {
		.size = f->tree.size, .commit = f->commit, .time_s = f->time_s, .mark = mark};

	memcpy(c.vault, f->vault, sizeof(c.vault));
	memset(c.vault_root, (int)(f->commit & 0xff), sizeof(c.vault_root));
	keys_tree_root(&f->tree, c.root);
	return keys_checkpoint_make(&c, f->key_sk[key], f->witness_sk, text);
}

static inline void forge_checkpoint(struct forge *f, enum keys_checkpoint_mark mark)
{
	char text[KEYS_CHECKPOINT_MAX];
	size_t len;

	f->time_s += 60;
	f->commit++;
	len = forge_note(f, mark, f->key, text);
	forge_frame(f, FS_LOG_CHECKPOINT, f->seq, text, len);
}

/*
 * Segment 1: records 1 to 20, checkpoints behind 10 and 20. Segment 2: 21 to 40; behind 30 the
 * daemon stopped and began again. Segment 3: 41 to 55, stopped. Segment 4: 56 to 60, and no
 * checkpoint yet.
 */
static inline void forge_log(struct forge *f, const char *where)
{
	forge_init(f, where, FORGE_SEGMENT);
	forge_segment(f);
	for (int i = 1; i <= 20; i++) {
		forge_record(f, i == 5 ? 13 : (size_t)(100 + i)); /* one that is filled up */
		if (i % 10 == 0)
			forge_checkpoint(f, KEYS_CHECKPOINT_RUNNING);
	}
	forge_segment(f);
	for (int i = 21; i <= 40; i++) {
		forge_record(f, (size_t)(100 + i));
		if (i != 30)
			continue;
		forge_checkpoint(f, KEYS_CHECKPOINT_STOP);
		forge_stream(f);
	}
	forge_segment(f);
	for (int i = 41; i <= 55; i++)
		forge_record(f, (size_t)(100 + i));
	forge_checkpoint(f, KEYS_CHECKPOINT_STOP);
	forge_stream(f);
	forge_segment(f);
	for (int i = 56; i <= 60; i++)
		forge_record(f, 100);
	forge_write(f);
}

static inline void forge_clear(struct forge *f)
{
	free(f->p);
	f->p = NULL;
}

#endif
