/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/when.h - moments as people write them and read them.
 */
#ifndef TOOLS_WHEN_H
#define TOOLS_WHEN_H

#include <stdint.h>

/* For messages: what tools_when_parse takes. */
#define TOOLS_WHEN_FORMS "2026-11-21, \"2026-11-21 14:30\" or -2h, -30m, -7d from now"

/*
 * "2026-11-21", "2026-11-21 14:30", "2026-11-21T14:30:00" (local time), "2026-11-21T14:30Z" (UTC),
 * "-2h", "-3d" (from now): seconds since 1970. -EINVAL.
 */
int tools_when_parse(const char *text, int64_t *out_s);

/* "2026-11-21 14:30", local time. */
const char *tools_when_text(int64_t s, char out[static 32]);
/* "2026-11-21", local time. */
const char *tools_when_day(int64_t s, char out[static 32]);
/* When something ends: "2026-11-21" with the end of that day (UTC, as policies count), else to the
 * minute. */
const char *tools_when_end(int64_t s, char out[static 32]);

#endif
