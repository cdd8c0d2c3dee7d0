/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/sink.h - a made-up year written as a real log: segments, seals, checkpoints, at the
 * records' own times.
 */
#ifndef TESTS_YEAR_SINK_H
#define TESTS_YEAR_SINK_H

#include "keys/wrap.h"
#include "fs/log.h"
#include "year.h"

/* Keys of the vault that such a log is of; from a seed, so that a test can read what another run
 * wrote. */
struct year_keys {
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t daemon_pk[KEYS_LEN], daemon_sk[KEYS_SIGN_SK_LEN];
	uint8_t box_pk[KEYS_LEN], box_sk[KEYS_LEN]; /* the auditor's */
};
void year_keys(uint64_t seed, struct year_keys *out);

struct year_sink;
/*
 * Pretends the clocks from here to close, for the whole process. segment_bytes as in fs_log_config.
 * 0 or negative errno.
 */
int year_sink_open(const char *dir, const struct year_keys *keys, uint64_t segment_bytes,
		   struct year_sink **out);
/*
 * For year_run; ctx is the sink. Starts and stops of the year end the log and open it again, and
 * are written by it. Every minute of the year with activity there is a checkpoint, as the daemon
 * makes them.
 */
int year_sink_record(void *sink, const struct policy_record *r);
/* The number of the last record; 0: none. */
uint64_t year_sink_count(const struct year_sink *s);
/* A clean end. 0 or negative errno. */
int year_sink_close(struct year_sink *s);

/*
 * The auditor's key file for `--log DIR --key FILE`, under this passphrase at the least cost that
 * there is.
 */
int year_sink_key(const char *dir, const struct year_keys *keys, const char *passphrase,
		  const char *file);

#endif
