/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/report_chart.c - the charts of a report: inline SVG, with the same numbers as a table.
 *
 * Invariants: a chart says in words what it shows (<title>, <desc>), and its numbers stand in a
 * table that opens below; nothing is told by colour alone.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "html.h"
#include "report_html.h"

#define DAY_S 86400

/* ---- the timeline */

#define WIDE 1040
#define LEFT 86
#define TOP 14
#define HIGH 150 /* of the accesses */
#define LANE 34	 /* of refusals */
#define DATES 34 /* between them: the dates */
#define GAP 26

enum step { BY_DAY, BY_WEEK, BY_MONTH };
static const char *const step_name[] = {"day", "week", "month"};

struct bar {
	int64_t first; /* day */
	uint64_t accesses, refused, grants;
};
struct bars {
	enum step step;
	struct bar *bar;
	size_t n;
	uint64_t most, most_refused;
	size_t peak;
};

static struct tm date_of(int64_t day)
{
	time_t t = (time_t)(day * DAY_S);
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	gmtime_r(&t, &tm);
	return tm;
}

/* The first day of the step that the day is in. */
static int64_t step_of(enum step step, int64_t day)
{
	if (step == BY_WEEK)
		return day - ((day + 3) % 7 + 7) % 7;
	return step == BY_MONTH ? day - (date_of(day).tm_mday - 1) : day;
}

static int64_t step_next(enum step step, int64_t first)
{
	return step == BY_DAY	 ? first + 1
	       : step == BY_WEEK ? first + 7
				 : step_of(BY_MONTH, first + 31);
}

/* Every step from the first to the last, also those in which nothing was. False without memory. */
static bool bars_make(const struct policy_tally_view *v, struct bars *b)
{
	int64_t first = v->days[0].day, last = v->days[v->day_count - 1].day, at;
	size_t d = 0, cap;

	b->step = last - first < 93 ? BY_DAY : last - first < 800 ? BY_WEEK : BY_MONTH;
	cap = (size_t)((last - first) / (b->step == BY_DAY ? 1 : b->step == BY_WEEK ? 7 : 28)) + 3;
	if (cap > 4000) /* a clock that was centuries off */
		return false;
	b->bar = calloc(cap, sizeof(*b->bar));
	if (!b->bar)
		return false;
	for (at = step_of(b->step, first); at <= last; at = step_next(b->step, at)) {
		struct bar *bar = &b->bar[b->n];

		bar->first = at;
		for (; d < v->day_count && v->days[d].day < step_next(b->step, at); d++) {
			bar->accesses += v->days[d].accesses;
			bar->refused += v->days[d].refused;
			bar->grants += v->days[d].grants;
		}
		if (bar->accesses > b->most) {
			b->most = bar->accesses;
			b->peak = b->n;
		}
		if (bar->refused > b->most_refused)
			b->most_refused = bar->refused;
		b->n++;
	}
	return true;
}

static const char *step_text(const struct bars *b, size_t i, char out[static 40])
{
	struct tm tm = date_of(b->bar[i].first);

	strftime(out, 40, b->step == BY_MONTH ? "%B %Y" : "%Y-%m-%d", &tm);
	return out;
}

/* The next of 1, 2, 5, 10, 20 ... at or above n. */
static uint64_t round_up(uint64_t n)
{
	static const uint64_t steps[] = {1, 2, 5};
	uint64_t ten = 1;

	for (;; ten *= 10)
		for (size_t i = 0; i < 3; i++)
			if (ten * steps[i] >= n)
				return ten * steps[i];
}

static double x_of(const struct bars *b, double i)
{
	return LEFT + (WIDE - LEFT - 8) * i / (double)b->n;
}

static void put_grid(FILE *to, uint64_t top)
{
	unsigned parts = top % 4 == 0 ? 4 : top % 5 == 0 ? 5 : top < 4 ? (unsigned)top : 2;

	for (unsigned i = 0; i <= parts; i++) {
		double y = TOP + HIGH - (double)HIGH * i / parts;

		fprintf(to, "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
			i ? "grid" : "axis", LEFT, WIDE - 8, y, y);
		fprintf(to,
			"<text class=\"mark\" x=\"%d\" y=\"%.1f\" "
			"text-anchor=\"end\">%llu</text>\n",
			LEFT - 8, y + 4, (unsigned long long)(top * i / parts));
	}
}

/* Month names (days, weeks) or years (months) below the axis. */
static void put_dates(FILE *to, const struct bars *b)
{
	double free_from = 0;
	int last = -1;

	for (size_t i = 0; i < b->n; i++) {
		/* A week is of the month that its Thursday is in. */
		struct tm tm = date_of(b->bar[i].first + (b->step == BY_WEEK ? 3 : 0));
		int part = b->step == BY_MONTH ? tm.tm_year : tm.tm_mon;
		char text[40];
		double x = x_of(b, (double)i);

		if (part == last || x < free_from || x > WIDE - 70) {
			last = x < free_from ? last : part;
			continue;
		}
		last = part;
		strftime(text, sizeof(text),
			 b->step == BY_MONTH		    ? "%Y"
			 : tm.tm_mon == 0 || free_from == 0 ? "%b %Y"
							    : "%b",
			 &tm);
		free_from = x + 8 * (double)strlen(text) + 14;
		fprintf(to, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", x,
			x, TOP + HIGH, TOP + HIGH + 5);
		fprintf(to, "<text class=\"mark\" x=\"%.1f\" y=\"%d\">%s</text>\n", x + 1,
			TOP + HIGH + 19, text);
	}
}

static void put_bar(FILE *to, const struct bars *b, size_t i, uint64_t top)
{
	const struct bar *bar = &b->bar[i];
	double x = x_of(b, (double)i), w = x_of(b, (double)i + 1) - x;
	double high = (double)HIGH * (double)bar->accesses / (double)top;
	int lane = TOP + HIGH + DATES + LANE;
	char when[40];

	w = w > 4 ? w - 2 : w * 0.8;
	w = w > 46 ? 46 : w;
	fprintf(to, "<g><title>%s%s: %llu accesses, %llu refusals, %llu emergency accesses</title>",
		b->step == BY_WEEK ? "week from " : "", step_text(b, i, when),
		(unsigned long long)bar->accesses, (unsigned long long)bar->refused,
		(unsigned long long)bar->grants);
	if (bar->accesses)
		fprintf(to,
			"<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			"height=\"%.1f\"/>",
			x, TOP + HIGH - high, w, high);
	if (bar->refused) {
		high = (double)LANE * (double)bar->refused / (double)b->most_refused;
		high = high < 2 ? 2 : high;
		fprintf(to,
			"<rect class=\"refused\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			"height=\"%.1f\"/>",
			x, lane - high, w, high);
	}
	if (bar->grants) {
		double y = lane + GAP, mid = x + w / 2, r = bar->grants > 2 ? 6 : 4.5;

		fprintf(to,
			"<path class=\"grant\" d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"/>",
			mid, y - r, r, r, -r, r, -r, -r);
	}
	fputs("</g>\n", to);
}

static void put_lane(FILE *to, int y, const char *text)
{
	fprintf(to, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", LEFT,
		WIDE - 8, y, y);
	fprintf(to, "<text class=\"mark\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n",
		LEFT - 8, y, text);
}

static void put_timeline_svg(FILE *to, const struct bars *b, const struct policy_tally_view *v)
{
	uint64_t top = round_up(b->most ? b->most : 1);
	int lane = TOP + HIGH + DATES + LANE;
	char when[40];

	fprintf(to,
		"<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"tl-t tl-d\">\n"
		"<title id=\"tl-t\">Accesses by %s</title>\n<desc id=\"tl-d\">",
		WIDE, lane + GAP + 16, step_name[b->step]);
	fprintf(to, "%llu accesses; the most, %llu, %s %s. ",
		(unsigned long long)(v->reads + v->writes), (unsigned long long)b->most,
		b->step == BY_WEEK  ? "in the week from"
		: b->step == BY_DAY ? "on"
				    : "in",
		step_text(b, b->peak, when));
	fprintf(to, "%llu refusals and %zu emergency accesses in two lanes below.</desc>\n",
		(unsigned long long)v->refused, v->grant_count);
	put_grid(to, top);
	put_dates(to, b);
	put_lane(to, lane, "refused");
	put_lane(to, lane + GAP, "emergency");
	for (size_t i = 0; i < b->n; i++)
		put_bar(to, b, i, top);
	fputs("</svg>\n", to);
}

static void put_timeline_table(FILE *to, const struct bars *b)
{
	char when[40];

	fputs("<details><summary>These numbers as a table</summary>\n<div class=\"scroll\" "
	      "tabindex=\"0\" role=\"region\" aria-label=\"accesses over "
	      "time\"><table>\n<thead><tr>",
	      to);
	fprintf(to,
		"<th scope=\"col\">%s</th><th scope=\"col\" class=\"n\">Accesses</th>"
		"<th scope=\"col\" class=\"n\">Refusals</th>"
		"<th scope=\"col\" class=\"n\">Emergency accesses</th></tr></thead>\n<tbody>\n",
		b->step == BY_WEEK  ? "Week from"
		: b->step == BY_DAY ? "Day"
				    : "Month");
	for (size_t i = 0; i < b->n; i++) {
		const uint64_t cells[] = {b->bar[i].accesses, b->bar[i].refused, b->bar[i].grants};

		fprintf(to, "<tr><th scope=\"row\">%s</th>", step_text(b, i, when));
		for (size_t k = 0; k < 3; k++) {
			fputs("<td class=\"n\">", to);
			tools_report_number(to, cells[k]);
			fputs("</td>", to);
		}
		fputs("</tr>\n", to);
	}
	fputs("</tbody></table></div></details>\n", to);
}

void tools_report_timeline(FILE *to, const struct policy_tally_view *v)
{
	struct bars b = {0};

	if (!v->day_count || !bars_make(v, &b)) {
		fputs("<p class=\"soft\">Nothing that can be drawn over time.</p>\n", to);
		return;
	}
	fputs("<figure><div class=\"draw\" tabindex=\"0\" role=\"region\" "
	      "aria-label=\"Accesses over time\">\n",
	      to);
	put_timeline_svg(to, &b, v);
	fprintf(to,
		"</div><figcaption>Notes opened, changed or exported, by %s (local time). Below: "
		"refusals (at most %llu), and <span class=\"key grant\">\xe2\x97\x86</span> "
		"emergency accesses.</figcaption></figure>\n",
		step_name[b.step], (unsigned long long)b.most_refused);
	put_timeline_table(to, &b);
	free(b.bar);
}

/* ---- hours and weekdays */

static const char *const weekday[7] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
				       "Friday", "Saturday", "Sunday"};

#define CELL_W 40
#define CELL_H 26
#define HEAT_LEFT 52

/* 0 for none, then 1 to 6 by the share of the most; a few stay visible. */
static unsigned shade(uint64_t n, uint64_t most)
{
	return !n ? 0 : (unsigned)(1 + n * 5 / most);
}

static void put_heat_svg(FILE *to, const struct policy_tally_view *v, uint64_t most, int day,
			 int hour)
{
	fprintf(to,
		"<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"hm-t hm-d\">\n"
		"<title id=\"hm-t\">Accesses by weekday and hour</title>\n"
		"<desc id=\"hm-d\">The most, %llu, on %ss from %02d to %02d.</desc>\n",
		HEAT_LEFT + 24 * CELL_W, 22 + 7 * CELL_H + 2, (unsigned long long)most,
		weekday[day], hour, hour + 1);
	for (int h = 0; h < 24; h += 2)
		fprintf(to, "<text class=\"mark\" x=\"%d\" y=\"13\">%02d</text>",
			HEAT_LEFT + h * CELL_W + 1, h);
	for (int d = 0; d < 7; d++) {
		fprintf(to,
			"\n<text class=\"mark\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%.3s</text>",
			HEAT_LEFT - 10, 22 + d * CELL_H + 17, weekday[d]);
		for (int h = 0; h < 24; h++)
			fprintf(to,
				"<rect class=\"h%u\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
				"rx=\"3\"><title>%s %02d to %02d: %llu</title></rect>",
				shade(v->hours[d][h], most), HEAT_LEFT + h * CELL_W,
				22 + d * CELL_H, CELL_W - 3, CELL_H - 3, weekday[d], h, h + 1,
				(unsigned long long)v->hours[d][h]);
	}
	fputs("\n</svg>\n", to);
}

static void put_heat_table(FILE *to, const struct policy_tally_view *v)
{
	fputs("<details><summary>These numbers as a table</summary>\n<div class=\"scroll\" "
	      "tabindex=\"0\" role=\"region\" aria-label=\"accesses by weekday and "
	      "hour\"><table>\n<thead><tr><th scope=\"col\">Hour</th>",
	      to);
	for (int d = 0; d < 7; d++)
		fprintf(to, "<th scope=\"col\" class=\"n\">%s</th>", weekday[d]);
	fputs("</tr></thead>\n<tbody>\n", to);
	for (int h = 0; h < 24; h++) {
		fprintf(to, "<tr><th scope=\"row\">%02d to %02d</th>", h, h + 1);
		for (int d = 0; d < 7; d++) {
			fputs("<td class=\"n\">", to);
			tools_report_number(to, v->hours[d][h]);
			fputs("</td>", to);
		}
		fputs("</tr>\n", to);
	}
	fputs("</tbody></table></div></details>\n", to);
}

void tools_report_heat(FILE *to, const struct policy_tally_view *v)
{
	uint64_t most = 0;
	int day = 0, hour = 0;

	for (int d = 0; d < 7; d++) {
		for (int h = 0; h < 24; h++) {
			if (v->hours[d][h] <= most)
				continue;
			most = v->hours[d][h];
			day = d;
			hour = h;
		}
	}
	if (!most) {
		fputs("<p class=\"soft\">No accesses.</p>\n", to);
		return;
	}
	fputs("<figure><div class=\"draw\" tabindex=\"0\" role=\"region\" "
	      "aria-label=\"Accesses by weekday and hour\">\n",
	      to);
	put_heat_svg(to, v, most, day, hour);
	fputs("</div><figcaption>When notes are opened, changed or exported (local time): ", to);
	fputs("<span class=\"scale\" aria-hidden=\"true\">none <svg viewBox=\"0 0 112 12\" "
	      "width=\"112\" height=\"12\">",
	      to);
	for (int i = 0; i < 7; i++)
		fprintf(to,
			"<rect class=\"h%d\" x=\"%d\" y=\"0\" width=\"14\" height=\"12\" "
			"rx=\"2\"/>",
			i, i * 16);
	fprintf(to, "</svg> %llu</span></figcaption></figure>\n", (unsigned long long)most);
	put_heat_table(to, v);
}
