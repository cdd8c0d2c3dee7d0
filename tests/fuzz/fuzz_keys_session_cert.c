/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_keys_session_cert.c - decoding is exact: what is accepted encodes to the same
 * bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "keys/identity.h"

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
	struct keys_session_cert got;
	uint8_t again[KEYS_SESSION_CERT_LEN];

	if (keys_session_cert_decode(data, size, &got))
		return 0;
	keys_session_cert_encode(&got, again);
	if (size != sizeof(again) || memcmp(again, data, size))
		abort();
	if (got.pid == 0 || got.enrolment == 0)
		abort();
	return 0;
}
