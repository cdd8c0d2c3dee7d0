/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/sample.h - a random sample of the log's records that anybody can draw again.
 *
 * Whether a record is in it depends on its number, the seed and the share, on nothing else: the
 * same seed over a longer log gives the same records and some more. FORMAT.md says how.
 */
#ifndef POLICY_SAMPLE_H
#define POLICY_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "record.h"

struct policy_sample {
	uint64_t key[2];
	uint32_t per_thousand;
};
/* per_thousand: 1 to 1000. */
void policy_sample_init(struct policy_sample *s, const char *seed, uint32_t per_thousand);
bool policy_sample_takes(const struct policy_sample *s, uint64_t seq);
/* What a review looks at: notes opened, exported, refused, and emergency accesses. */
bool policy_sample_is_access(const struct policy_record *r);

/* SipHash-2-4 of len bytes. */
uint64_t policy_sample_hash(const uint64_t key[static 2], const uint8_t *p, size_t len);

#endif
