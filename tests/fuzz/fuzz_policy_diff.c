/* SPDX-License-Identifier: Apache-2.0 */
/* Two texts, split at a NUL: whatever they are, the way back is as long. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/diff.h"

/* Lines with that sign. */
static size_t lines(const char *diff, char sign)
{
	size_t n = 0;

	for (const char *p = diff; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		n += *p == sign;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *split = memchr(data, 0, size);
	size_t old_len = split ? (size_t)(split - data) : size;
	size_t next_len = split ? size - old_len - 1 : 0;
	const char *old = (const char *)data, *next = (const char *)data + size - next_len;
	char *diff = policy_diff(old, old_len, next, next_len, "name", 0);
	char *shorter = policy_diff(old, old_len, next, next_len, "name", 100);
	char *back = policy_diff(next, next_len, old, old_len, "name", 0);
	int equal = old_len == next_len && !memcmp(old, next, old_len);

	if (!diff || !shorter || !back)
		abort();
	if (equal != !*diff || equal != !*back || strlen(shorter) > 100)
		abort();
	if (!memchr(next, 0, next_len) && lines(diff, '-') != lines(back, '+'))
		abort();
	free(diff);
	free(shorter);
	free(back);
	return 0;
}
