/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/span.h - durations, dates and points in time as people write them, all in UTC.
 */
#ifndef POLICY_SPAN_H
#define POLICY_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_DAY_S 86400
/* Points in time are minutes since 1970, wide while they are read and compared. */
#define POLICY_TIME_MIN INT64_MIN /* open at that end */
#define POLICY_TIME_MAX INT64_MAX
/* Narrow where many are kept. They reach to the year 6053: what lies behind it is open. */
#define POLICY_MINUTE_MIN INT32_MIN
#define POLICY_MINUTE_MAX INT32_MAX

/* "15m", "12h", "90d", "10y": a number from 1 and a unit (a year is 365 days), below 2^32 s. */
bool policy_span_duration(const char *text, uint32_t *out_s);
/* "10y" only: full years, 1 to 1000. */
bool policy_span_years(const char *text, uint32_t *years);
/* "2026-11-01", a day that exists from 1900 to 9998, as days since 1970-01-01. */
bool policy_span_date(const char *text, int32_t *day);

/*
 * A date as above or a time to the minute, "2026-11-01T14:03Z" (UTC, always with Z), as minutes
 * since 1970. A date is the first minute of its day; *day says that it was one.
 */
bool policy_span_time(const char *text, int64_t *minute, bool *day);

/* The first second of a minute as policy_span_time gives it; open ends stay open. */
int64_t policy_span_time_seconds(int64_t minute);

/* The minute to keep for it: later ones than fit become POLICY_MINUTE_MAX. */
int32_t policy_span_minute_of(int64_t minute);
/* The minute of a wall-clock second, rounded down (also before 1970), never an open end. */
int32_t policy_span_minute(int64_t now_s);
/* The first second of a minute; INT64_MIN and INT64_MAX for the open ends. */
int64_t policy_span_minute_seconds(int32_t minute);

/* "2026-11-21T14:03:07.123456789Z" with `digits` (0 to 9) of fraction and sep between the two. */
void policy_span_text(int64_t time_ns, char sep, unsigned digits, char out[static 48]);
/* "2026-11-21T14:03Z", which policy_span_time reads; for minutes of days that int32_t holds. */
void policy_span_minute_text(int64_t minute, char out[static 24]);
/* "2026-11-21" */
void policy_span_date_text(int32_t day, char out[static 24]);

#endif
