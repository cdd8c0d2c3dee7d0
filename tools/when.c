/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/when.c - moments as people write them and read them: local time, but where UTC is said.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "when.h"

static int from_now(const char *text, int64_t *out_s)
{
	unsigned n;
	char unit, rest;
	int64_t step;

	if (sscanf(text, "-%u%c%c", &n, &unit, &rest) != 2 || !strchr("mhd", unit))
		return -EINVAL;
	step = unit == 'm' ? 60 : unit == 'h' ? 3600 : 86400;
	*out_s = (int64_t)time(NULL) - (int64_t)n * step;
	return 0;
}

int tools_when_parse(const char *text, int64_t *out_s)
{
	static const struct {
		const char *form;
		int utc;
	} forms[] = {
		{ "%Y-%m-%dT%H:%M:%S", 0 }, { "%Y-%m-%d %H:%M:%S", 0 }, { "%Y-%m-%d %H:%M", 0 },
		{ "%Y-%m-%dT%H:%M", 0 },    { "%Y-%m-%d", 0 },		 { "%Y-%m-%dT%H:%MZ", 1 },
		{ "%Y-%m-%dT%H:%M:%SZ", 1 },
	};

	if (!from_now(text, out_s))
		return 0;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, forms[i].form, &tm);

		if (end && !*end) {
			*out_s = (int64_t)(forms[i].utc ? timegm(&tm) : mktime(&tm));
			return 0;
		}
	}
	return -EINVAL;
}

const char *tools_when_text(int64_t s, char out[static 32])
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M", &tm))
		strcpy(out, "?");
	return out;
}

const char *tools_when_day(int64_t s, char out[static 32])
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!localtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d", &tm))
		strcpy(out, "?");
	return out;
}

const char *tools_when_end(int64_t s, char out[static 32])
{
	time_t t = (time_t)s - 1;
	struct tm tm;

	if (s % 86400)
		return tools_when_text(s, out);
	if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d", &tm))
		strcpy(out, "?");
	return out;
}
