/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/inject.h - makes the n-th write or sync of this process fail, or records them.
 *
 * The program is linked with -Wl,--wrap for each function and a static LMDB, so that the
 * database's own calls are counted too. One injector per process; threads share its counter.
 */
#ifndef TESTS_FAULT_INJECT_H
#define TESTS_FAULT_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The n-th call from now on (1: the next) fails with err; and all after it when `on` is set. */
void inject_fail(unsigned nth, int err, bool on);
/* The n-th write from now on moves only half of its bytes; later ones, and allocations, ENOSPC. */
void inject_short(unsigned nth);
/* Back to normal. True when something did fail. */
bool inject_stop(void);

enum inject_kind { INJECT_WRITE, INJECT_WRITE_THROUGH, INJECT_SYNC, INJECT_NOTE };

struct inject_event {
	enum inject_kind kind;
	off_t at;
	size_t len;
	uint8_t *data;
	uint32_t note;
};

/* From now on what is done to files whose name ends so is recorded. "" ends the recording. */
void inject_record(const char *suffix);
void inject_note(uint32_t note);
size_t inject_events(const struct inject_event **out);

#endif
