/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/year_calendar.c - dates, holidays and local time of central Europe, for any year.
 *
 * Owns nothing. Days are counted from 1970-01-01; summer time as it is since 1996 (last Sundays of
 * March and October, 01:00 UTC).
 */
#include "year_impl.h"

/* H. Hinnant's algorithm, from days to a date. */
struct year_date year_date(int64_t days)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
	struct year_date d;

	d.day = (int)(of_year - (153 * m + 2) / 5 + 1);
	d.month = (int)(m < 10 ? m + 3 : m - 9);
	d.year = (int)(y + era * 400 + (d.month <= 2));
	d.weekday = (int)(((days + 3) % 7 + 7) % 7);
	return d;
}

static int64_t days_of(int year, int month, int day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* Easter Sunday, by the anonymous Gregorian rule. */
static int64_t easter(int year)
{
	int a = year % 19, b = year / 100, c = year % 100, d = b / 4, e = b % 4, f = (b + 8) / 25;
	int g = (b - f + 1) / 3, h = (19 * a + b - d - g + 15) % 30, i = c / 4, k = c % 4;
	int l = (32 + 2 * e + 2 * i - h - k) % 7, m = (a + 11 * h + 22 * l) / 451;
	int n = h + l - 7 * m + 114;

	return days_of(year, n / 31, n % 31 + 1);
}

bool year_closed(int64_t days)
{
	static const int after_easter[] = {-3, -2, 1, 39, 50};
	struct year_date d = year_date(days);

	if (d.weekday >= 5)
		return true;
	if ((d.month == 1 && d.day == 1) || (d.month == 5 && d.day == 1))
		return true;
	if (d.month == 12 && ((d.day >= 24 && d.day <= 26) || d.day == 31))
		return true;
	for (unsigned i = 0; i < sizeof(after_easter) / sizeof(after_easter[0]); i++) {
		if (days == easter(d.year) + after_easter[i])
			return true;
	}
	return false;
}

static int64_t last_sunday_s(int year, int month)
{
	int64_t last = days_of(year, month, 31);

	return (last - (year_date(last).weekday + 1) % 7) * YEAR_DAY_S + 3600;
}

int32_t year_offset_s(void *ctx, int64_t time_s)
{
	int year = year_date(time_s / YEAR_DAY_S).year;

	(void)ctx;
	return time_s >= last_sunday_s(year, 3) && time_s < last_sunday_s(year, 10) ? 7200 : 3600;
}

int64_t year_local_ns(int64_t days, int64_t second)
{
	int64_t s = days * YEAR_DAY_S + second;

	return (s - year_offset_s(NULL, s - 3600)) * YEAR_NS;
}
