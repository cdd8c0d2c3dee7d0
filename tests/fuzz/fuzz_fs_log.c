/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the log's decoders: a segment of any bytes is walked, its heads and trees decoded, its end found. */
#include "../../fs/log_segment.h"
#include "../../fs/log_tree.h"

#include <assert.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t nobody[KEYS_LEN];
	struct fs_log_header header;
	struct fs_log_frame f;
	struct fs_log_head head;
	struct fs_log_tree tree;
	struct fs_log_walk w;
	size_t end = FS_LOG_HEADER, tail;
	bool torn;
	int rc;

	if (size < FS_LOG_HEADER)
		return 0;
	rc = fs_log_header_decode(data, &header);
	fs_log_walk_init(&w, rc ? NULL : &header, data, size);
	while (fs_log_walk_next(&w, &f)) {
		assert(f.off >= end && f.off % 8 == 0);
		assert(f.torn == (f.off != end));
		end = f.off + fs_log_frame_size(f.len);
		assert(end <= size && f.body >= data && f.body + f.len <= data + size);
		assert(f.kind <= FS_LOG_RECORD || rc || header.version == 2);
		(void)fs_log_tree_decode(f.body, f.len, 1, nobody, &tree);
		if (!fs_log_head_decode(f.body, f.len, 1, &head))
			fs_log_head_wrap(&head, nobody);
	}
	tail = fs_log_walk_tail(&w, &torn);
	assert(tail >= end && tail < size + 8);
	assert(torn == (tail > end));
	return 0;
}
