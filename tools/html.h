/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/html.h - self-contained pages: one file, no network, nothing that runs.
 *
 * Every page forbids by its own policy (Content-Security-Policy) to load or run anything, follows
 * the reader's light or dark, and prints without dark ink. Texts are hostile: they go through
 * tools_html_text.
 */
#ifndef TOOLS_HTML_H
#define TOOLS_HTML_H

#include <stdint.h>
#include <stdio.h>

/* Begins the page: head, style, <body><main>, the title as its <h1>. */
void tools_html_begin(FILE *to, const char *title);
/* </main></body></html> */
void tools_html_end(FILE *to);
/* A text, for an element or an attribute in double quotes: escaped, controls and what is no UTF-8
 * made visible as \xNN. */
void tools_html_text(FILE *to, const char *text);
/* <time>, shown in local time to the minute (seconds where `exact`); nothing for 0. */
void tools_html_time(FILE *to, int64_t time_ns, int exact);

#endif
