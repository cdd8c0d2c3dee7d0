/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_index_impl.h - what making (log_index.c) and reading (log_index_read.c) an index share:
 * lengths, keys, what is sealed and signed. Nobody else includes it.
 */
#ifndef FS_LOG_INDEX_IMPL_H
#define FS_LOG_INDEX_IMPL_H

#include "log_index.h"

#define FS_LOG_INDEX_VERSION 2
#define FS_LOG_INDEX_HEAD 80   /* of a part, before its streams */
#define FS_LOG_INDEX_STREAM 40 /* each of them */
#define FS_LOG_INDEX_BASE 8    /* of a block: time of its first record */
#define FS_LOG_INDEX_BLOCK_LEN(n) (FS_LOG_INDEX_BASE + (n) * (size_t)FS_LOG_INDEX_ENTRY)
#define FS_LOG_INDEX_KEY (KEYS_LEN + KEYS_SEAL_OVERHEAD) /* a sealed key of a stream */
#define FS_LOG_INDEX_AD (KEYS_VAULT_ID_LEN + 8 + KEYS_STREAM_ID_LEN + 8)

extern const uint8_t fs_log_index_magic[8];

enum fs_log_index_chain { FS_LOG_INDEX_BLOCKS, FS_LOG_INDEX_KEYS };
/* The key of a stream's first block, or of its first sealed key; out is KEYS_LEN bytes and not k0.
 */
void fs_log_index_first_key(enum fs_log_index_chain chain, const uint8_t *vault,
			    const uint8_t *stream, uint64_t segment, const uint8_t *k0,
			    uint8_t *out);
/* That of the next, in its place. */
void fs_log_index_next_key(uint8_t *key);
/* Associated data of the block that begins with record `first`, or of that record's key. */
void fs_log_index_ad(const uint8_t *vault, uint64_t segment, const uint8_t *stream, uint64_t first,
		     uint8_t ad[static FS_LOG_INDEX_AD]);
/* What the blocks of a stream take, and its keys too. */
uint64_t fs_log_index_blocks_len(uint64_t count);
uint64_t fs_log_index_sealed_len(uint64_t count);
/* What a part's signature covers. */
void fs_log_index_parts(const uint8_t *head, size_t head_len, const uint8_t *sealed, size_t len,
			uint8_t digest[static KEYS_LEN], struct keys_span parts[static 2]);

#endif
