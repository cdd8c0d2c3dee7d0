/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/span.c - calendar arithmetic without a clock or a time zone.
 *
 * Days are counted from 1970-01-01 in the Gregorian calendar (also before its
 * introduction). The two conversions work on years that begin in March, so that
 * the leap day is the last of its year.
 */
#include "span.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool number(const char **text, uint32_t *out)
{
	const char *p = *text;
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > UINT32_MAX)
			return false;
	}
	*text = p;
	*out = (uint32_t)v;
	return true;
}

bool policy_span_duration(const char *text, uint32_t *out_s)
{
	uint64_t unit_s, total;
	uint32_t n;

	if (!number(&text, &n) || !n || !text[0] || text[1])
		return false;
	switch (text[0]) {
	case 'm':
		unit_s = 60;
		break;
	case 'h':
		unit_s = 3600;
		break;
	case 'd':
		unit_s = POLICY_DAY_S;
		break;
	case 'y':
		unit_s = 365 * (uint64_t)POLICY_DAY_S;
		break;
	default:
		return false;
	}
	total = n * unit_s;
	if (total > UINT32_MAX)
		return false;
	*out_s = (uint32_t)total;
	return true;
}

bool policy_span_years(const char *text, uint32_t *years)
{
	uint32_t n;

	if (!number(&text, &n) || n < 1 || n > 1000 || text[0] != 'y' || text[1])
		return false;
	*years = n;
	return true;
}

static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t era, y = month <= 2 ? year - 1 : year;
	unsigned in_era, in_year;

	era = (y >= 0 ? y : y - 399) / 400;
	in_era = (unsigned)(y - era * 400);
	in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + (int64_t)(in_era * 365 + in_era / 4 - in_era / 100 + in_year) -
	       719468;
}

static void civil_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t era, z = days + 719468;
	unsigned in_era, y, in_year, m;

	era = (z >= 0 ? z : z - 146096) / 146097;
	in_era = (unsigned)(z - era * 146097);
	y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	in_year = in_era - (365 * y + y / 4 - y / 100);
	m = (5 * in_year + 2) / 153;
	*day = in_year - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = (int64_t)y + era * 400 + (*month <= 2);
}

static bool digits(const char *p, unsigned n, unsigned *out)
{
	unsigned v = 0;

	for (unsigned i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(p[i] - '0');
	}
	*out = v;
	return true;
}

bool policy_span_date(const char *text, int32_t *day)
{
	static const uint8_t month[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned y, m, d;
	bool leap;

	if (!digits(text, 4, &y) || text[4] != '-' || !digits(text + 5, 2, &m) || text[7] != '-' ||
	    !digits(text + 8, 2, &d) || text[10])
		return false;
	if (y < 1900 || y > 9998 || m < 1 || m > 12)
		return false;
	leap = m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
	if (d < 1 || d > month[m - 1] + (unsigned)leap)
		return false;
	*day = (int32_t)days_of(y, m, d);
	return true;
}

/* "T14:03Z" as minutes of the day. */
static bool clock_of(const char *p, unsigned *minutes)
{
	unsigned h, m;

	if (p[0] != 'T' || !digits(p + 1, 2, &h) || p[3] != ':' || !digits(p + 4, 2, &m) ||
	    p[6] != 'Z' || p[7])
		return false;
	*minutes = h * 60 + m;
	return h < 24 && m < 60;
}

bool policy_span_time(const char *text, int64_t *minute, bool *day)
{
	char date[11] = "";
	unsigned of_day = 0;
	int32_t days;
	size_t n = 0;

	while (n < 10 && text[n]) {
		date[n] = text[n];
		n++;
	}
	if (!policy_span_date(date, &days) || (text[10] && !clock_of(text + 10, &of_day)))
		return false;
	*minute = (int64_t)days * 1440 + of_day;
	*day = !text[10];
	return true;
}

int64_t policy_span_time_seconds(int64_t minute)
{
	if (minute == POLICY_TIME_MIN || minute == POLICY_TIME_MAX)
		return minute;
	return minute * 60;
}

int32_t policy_span_minute_of(int64_t minute)
{
	if (minute <= POLICY_MINUTE_MIN)
		return POLICY_MINUTE_MIN;
	return minute >= POLICY_MINUTE_MAX ? POLICY_MINUTE_MAX : (int32_t)minute;
}

int32_t policy_span_minute(int64_t now_s)
{
	int64_t minute = now_s / 60 - (now_s % 60 < 0);

	if (minute <= POLICY_MINUTE_MIN)
		return POLICY_MINUTE_MIN + 1;
	if (minute >= POLICY_MINUTE_MAX)
		return POLICY_MINUTE_MAX - 1;
	return (int32_t)minute;
}

int64_t policy_span_minute_seconds(int32_t minute)
{
	if (minute == POLICY_MINUTE_MIN)
		return INT64_MIN;
	if (minute == POLICY_MINUTE_MAX)
		return INT64_MAX;
	return (int64_t)minute * 60;
}

void policy_span_text(int64_t time_ns, char sep, unsigned fraction, char out[static 48])
{
	int64_t s = time_ns / 1000000000 - (time_ns % 1000000000 < 0);
	int64_t rest = time_ns % 1000000000, ns = rest < 0 ? rest + 1000000000 : rest;
	int64_t days = s / POLICY_DAY_S - (s % POLICY_DAY_S < 0);
	unsigned of_day = (unsigned)(s - days * POLICY_DAY_S);
	unsigned month, day;
	int64_t year;
	int n;

	civil_of(days, &year, &month, &day);
	n = snprintf(out, 48, "%04lld-%02u-%02u%c%02u:%02u:%02u", (long long)year, month, day, sep,
		     of_day / 3600, of_day / 60 % 60, of_day % 60);
	if (fraction > 9)
		fraction = 9;
	if (fraction) {
		char all[32];

		snprintf(all, sizeof(all), "%09lld", (long long)ns);
		n += snprintf(out + n, 48 - (size_t)n, ".%.*s", (int)fraction, all);
	}
	snprintf(out + n, 48 - (size_t)n, "Z");
}

void policy_span_date_text(int32_t days, char out[static 24])
{
	unsigned month, day;
	int64_t year;

	civil_of(days, &year, &month, &day);
	snprintf(out, 24, "%04lld-%02u-%02u", (long long)year, month, day);
}

void policy_span_minute_text(int64_t minute, char out[static 24])
{
	int64_t days = minute / 1440 - (minute % 1440 < 0);
	unsigned of_day = (unsigned)(minute - days * 1440);

	policy_span_date_text((int32_t)days, out);
	snprintf(out + strlen(out), 24 - strlen(out), "T%02u:%02uZ", of_day / 60, of_day % 60);
}
