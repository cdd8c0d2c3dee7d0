/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the statements about archived segments: any bytes are refused, or make sense. */
#include "../../fs/log_archive.h"

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
	struct fs_log_archive a = {0};

	if (!fs_log_archive_read(data, size, NULL, &a)) {
		assert(a.n && fs_log_archive_end(&a) == &a.statement[a.n - 1]);
		assert(fs_log_archive_segment(&a, 1) == a.statement);
	}
	fs_log_archive_clear(&a);
	return 0;
}
