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
/* Instead of the n-th call from now on the process kills itself. */
void inject_die(unsigned nth);
/* The next `times` writes to a file whose name ends so fail with err; nothing else does. */
void inject_fail_file(const char *suffix, unsigned times, int err);
/* Back to normal. True when something did fail. */
bool inject_stop(void);

/*
 * From now on what is written to (at most three) files whose names end so is recorded, and what they
 * then keep when the power goes can be played. NULL: no such file; all NULL end the recording.
 */
void inject_record(const char *first, const char *second, const char *third);
/* Marks this moment: what was acknowledged. */
void inject_note(uint32_t note);
/* Events so far; the first one that is a note. */
size_t inject_events(void);
size_t inject_first_note(void);
/*
 * Writes to path what the file (0: first, 1: second, 2: third) may hold when the power goes before event
 * `cut`: all that was synced, and of what came later any part, in any order. The last note before
 * it.
 */
uint32_t inject_image(size_t cut, unsigned file, const char *path);

#endif
