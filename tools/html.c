/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/html.c - see html.h.
 *
 * Invariant: no text of anybody's stands in the page but through tools_html_text.
 */
#include "html.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../policy/span.h"
#include "html_style.h"
#include "plain.h"
#include "tool.h"

void tools_html_text(FILE *to, const char *text)
{
	char *plain = tools_plain(text, 1);

	for (const char *p = plain; p && *p; p++) {
		switch (*p) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		case '\'':
			fputs("&#39;", to);
			break;
		default:
			fputc(*p, to);
		}
	}
	free(plain);
}

void tools_html_time(FILE *to, int64_t time_ns, int exact)
{
	time_t t = (time_t)(time_ns / 1000000000);
	char utc[48], local[64];
	struct tm tm;

	if (!time_ns || !localtime_r(&t, &tm))
		return;
	policy_span_text(time_ns, 'T', 0, utc);
	if (strftime(local, sizeof(local), exact ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &tm))
		fprintf(to, "<time datetime=\"%s\">%s</time>", utc, local);
}

void tools_html_begin(FILE *to, const char *title)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"referrer\" content=\"no-referrer\">\n"
	      "<meta name=\"robots\" content=\"noindex\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n"
	      "<meta name=\"generator\" content=\"journalfs " TOOL_VERSION "\">\n<title>",
	      to);
	tools_html_text(to, title);
	fputs("</title>\n<style>\n", to);
	for (size_t i = 0; i < sizeof(tools_html_style) / sizeof(tools_html_style[0]); i++)
		fputs(tools_html_style[i], to);
	fputs("</style>\n</head>\n<body>\n<main>\n<h1>", to);
	tools_html_text(to, title);
	fputs("</h1>\n", to);
}

void tools_html_end(FILE *to)
{
	fputs("</main>\n</body>\n</html>\n", to);
}
