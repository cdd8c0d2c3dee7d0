/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/html_style.h - how pages look: the one style sheet. Only for html.c.
 *
 * Colours are named once for light and once for dark; paper has its own. Text has a contrast of at
 * least 4.5 to its ground in each. Nothing is told by colour alone.
 */
#ifndef TOOLS_HTML_STYLE_H
#define TOOLS_HTML_STYLE_H

#define TOOLS_HTML_LIGHT                                                                           \
	"--page:#f6f7f9;--card:#fff;--ink:#1a2530;--soft:#55626f;--line:#dde3e9;--stripe:#f5f8fa;" \
	"--main:#1f6f8b;--tint:#e3f0f4;--bad:#a3262a;--badtint:#fbe9e9;--warn:#8a5a00;"            \
	"--warntint:#fdf2dc;--good:#22693f;--goodtint:#e4f3e9;"
#define TOOLS_HTML_DARK                                                                            \
	"--page:#10161c;--card:#182028;--ink:#e4eaf0;--soft:#9fadba;--line:#2c3843;"               \
	"--stripe:#1c252e;--main:#62b4cf;--tint:#1d3640;--bad:#f28b8b;--badtint:#3c2023;"          \
	"--warn:#e5b45a;--warntint:#382c16;--good:#7cc798;--goodtint:#1b3325;"

#define TOOLS_HTML_STYLE                                                                           \
	":root{color-scheme:light dark;" TOOLS_HTML_LIGHT "}\n"                                    \
	"@media (prefers-color-scheme:dark){:root{" TOOLS_HTML_DARK "}}\n"                         \
	"*{box-sizing:border-box}\n"                                                               \
	"body{margin:0;background:var(--page);color:var(--ink);"                                   \
	"font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',"       \
	"sans-serif}\n"                                                                            \
	"main{max-width:1120px;margin:0 auto;padding:32px 24px 64px}\n"                            \
	"h1{font-size:26px;line-height:1.25;margin:0 0 4px;font-weight:650;letter-spacing:-.01em}" \
	"\n"                                                                                       \
	"h2{font-size:18px;line-height:1.3;margin:36px 0 10px;font-weight:650}\n"                  \
	"p{margin:8px 0;max-width:75ch;overflow-wrap:anywhere;white-space:pre-line}\n"             \
	".soft{color:var(--soft)}\n"                                                               \
	".scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);"             \
	"border-radius:8px;margin:10px 0}\n"                                                       \
	".scroll:focus-visible{outline:2px solid var(--main);outline-offset:2px}\n"                \
	"table{border-collapse:collapse;width:100%;font-size:14px}\n"                              \
	"caption{text-align:left;padding:10px 12px 4px;color:var(--soft);font-size:13px}\n"        \
	"th,td{text-align:left;vertical-align:top;padding:7px 12px;"                               \
	"border-bottom:1px solid var(--line);overflow-wrap:anywhere;min-width:5.5em}\n"            \
	"thead th{font-weight:600;color:var(--soft);font-size:13px;white-space:nowrap}\n"          \
	"tbody th{font-weight:600}\n"                                                              \
	"tbody tr:last-child>*{border-bottom:0}\n"                                                 \
	"tbody tr:nth-child(even){background:var(--stripe)}\n"                                     \
	".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"              \
	"time{font-variant-numeric:tabular-nums;white-space:nowrap}\n"

#endif
