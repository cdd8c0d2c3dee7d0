/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_notice.c - a notice decodes whole, its texts end, and what decoded seals and
 * opens to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/vault_impl.h"
#include "keys/seal.h"

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
	static uint8_t host[KEYS_SIGN_SK_LEN];
	static struct fs_vault v = {.host_secret = host};
	struct fs_notice n = {.number = 1}, got = {.number = 1};
	uint8_t sealed[FS_NOTICE_BYTES];
	size_t len = 0;

	if (!fs_notice_unseal(&v, (struct keys_span){data, size}, &got))
		abort();
	if (fs_notice_decode(data, size, &n))
		return 0;
	if (!fs_glass_ground_word(n.ground) || strlen(n.reason) > FS_GLASS_TEXT_MAX)
		abort();
	if (fs_notice_seal(&v, &n, sealed, &len) || len != size + KEYS_SEAL_OVERHEAD)
		abort();
	if (fs_notice_unseal(&v, (struct keys_span){sealed, len}, &got) ||
	    strcmp(got.reason, n.reason) || got.until_s != n.until_s)
		abort();
	return 0;
}
