/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/html_style.h - how pages look: the one style sheet. Only for html.c.
 *
 * Colours are named once for light and once for dark; paper is light on white, whatever the screen
 * has. Text has a contrast of at least 4.5 to its ground in each. Nothing is told by colour alone.
 */
#ifndef TOOLS_HTML_STYLE_H
#define TOOLS_HTML_STYLE_H

#define LIGHT                                                                                      \
	"--page:#f5f7f9;--card:#fff;--ink:#17222c;--soft:#566370;--line:#dde4ea;--stripe:#f7f9fb;" \
	"--main:#1f6f8b;--tint:#e2f0f5;--bad:#a3262a;--badtint:#fbe8e8;--warn:#835600;"            \
	"--warntint:#fcf1d9;--good:#1f663c;--goodtint:#e2f3e8;--none:#e9eef2;--other:#93a4b3;"
#define DARK                                                                                       \
	"--page:#10161c;--card:#172029;--ink:#e4eaf0;--soft:#9fadba;--line:#2b3742;"               \
	"--stripe:#1b252e;--main:#5fb2ce;--tint:#183541;--bad:#f39090;--badtint:#3d2023;"          \
	"--warn:#e6b65e;--warntint:#362b15;--good:#7fca9b;--goodtint:#1a3325;--none:#222d37;"      \
	"--other:#67788a;"

static const char *const tools_html_style[] = {
	/* colours */
	":root{color-scheme:light dark;" LIGHT "}\n"
	"@media (prefers-color-scheme:dark){:root{" DARK "}}\n"
	"@media print{:root{color-scheme:light;" LIGHT "--page:#fff;--stripe:#fff}}\n",

	/* text */
	"*{box-sizing:border-box}\n"
	"html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\n"
	"body{margin:0;background:var(--page);color:var(--ink);font:15px/1.55 system-ui,"
	"-apple-system,'Segoe UI',Roboto,'Noto Sans','Liberation Sans','DejaVu Sans',sans-serif}\n"
	"main{max-width:1120px;margin:0 auto;padding:40px 24px 72px}\n"
	"h1{font-size:28px;line-height:1.25;margin:0 0 6px;font-weight:650;letter-spacing:-.012em;"
	"overflow-wrap:anywhere}\n"
	"h2{font-size:19px;line-height:1.3;margin:44px 0 10px;font-weight:650;"
	"overflow-wrap:anywhere}\n"
	"h3{font-size:15px;margin:22px 0 8px;font-weight:650}\n"
	"p{margin:8px 0;max-width:84ch;overflow-wrap:anywhere;white-space:pre-line}\n"
	"code,pre{font:13px/1.5 ui-monospace,'DejaVu Sans Mono','Liberation Mono',monospace}\n"
	"code{overflow-wrap:anywhere}\n"
	"pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0}\n"
	".soft{color:var(--soft)}\n"
	"time,data{font-variant-numeric:tabular-nums}\n"
	"time,data,.tag{white-space:nowrap}\n",

	/* tables */
	".scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);"
	"border-radius:10px;margin:12px 0}\n"
	".scroll:focus-visible,.draw:focus-visible{outline:2px solid var(--main);"
	"outline-offset:2px}\n"
	"table{border-collapse:collapse;width:100%;font-size:14px;line-height:1.45}\n"
	"th,td{text-align:left;vertical-align:top;padding:8px 14px;"
	"border-bottom:1px solid var(--line);overflow-wrap:break-word}\n"
	"thead th{font-weight:600;color:var(--soft);font-size:13px;white-space:nowrap}\n"
	"tbody th{font-weight:600}\n"
	"tbody tr:last-child>*{border-bottom:0}\n"
	"tbody tr:nth-child(even){background:var(--stripe)}\n"
	"td.wide{min-width:16em}.name{min-width:9.5em}\n"
	".n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\n"
	".tag{display:inline-block;font-size:12.5px;font-weight:600;line-height:1.5;"
	"padding:1px 8px;border-radius:999px;border:1px solid currentColor}\n"
	".good{color:var(--good);background:var(--goodtint)}\n"
	".warn{color:var(--warn);background:var(--warntint)}\n"
	".bad{color:var(--bad);background:var(--badtint)}\n"
	".info{color:var(--main);background:var(--tint)}\n",

	/* the parts of a report */
	".facts{color:var(--soft);margin:0 0 22px;max-width:none}\n"
	".state{display:flex;gap:14px;align-items:flex-start;padding:14px 18px;border-radius:10px;"
	"border:1px solid currentColor;margin:0 0 18px}\n"
	".state p{margin:0;max-width:none}\n.state strong{display:block}\n"
	".state .why{color:var(--ink)}\n"
	".state svg{flex:none;width:22px;height:22px;margin-top:1px}\n"
	".tiles{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:12px;"
	"margin:0 0 12px;padding:0;list-style:none}\n"
	".tiles li{background:var(--card);border:1px solid var(--line);border-radius:10px;"
	"padding:14px 16px}\n"
	".tiles b{display:block;font-size:27px;line-height:1.2;font-weight:650;"
	"letter-spacing:-.01em}\n"
	".tiles span{display:block}\n.tiles .soft{font-size:13px}\n"
	".todo{background:var(--card);border:1px solid var(--line);border-radius:10px;"
	"padding:4px 18px;margin:12px 0}\n"
	".todo ul{margin:10px 0;padding-left:20px}\n.todo li{margin:5px 0}\n"
	".todo a{color:var(--main)}\n"
	".findings{list-style:none;padding:0;margin:12px 0;background:var(--card);"
	"border:1px solid var(--line);border-radius:10px}\n"
	".findings li{padding:12px 16px;border-bottom:1px solid var(--line)}\n"
	".findings li:last-child{border-bottom:0}\n"
	".findings p{margin:4px 0 0}\n.findings .soft{font-size:13px}\n"
	".line{overflow-wrap:anywhere}\n.score{float:right;font-variant-numeric:tabular-nums}\n"
	"dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:6px 20px;"
	"margin:12px 0}\ndt{color:var(--soft)}\ndd{margin:0;overflow-wrap:anywhere}\n"
	".box{background:var(--card);border:1px solid var(--line);border-radius:10px;"
	"padding:6px 18px;margin:12px 0}\n",

	/* charts */
	"figure{margin:12px 0;background:var(--card);border:1px solid var(--line);"
	"border-radius:10px;padding:16px}\n"
	"figcaption{color:var(--soft);font-size:13px;margin-top:8px}\n"
	".draw{overflow-x:auto}\n.draw svg{display:block;width:100%;min-width:640px;height:auto}\n"
	".mark{fill:var(--soft);font-size:13px}\n"
	".grid{stroke:var(--line)}\n.axis{stroke:var(--soft)}\n"
	".bar{fill:var(--main)}\n.refused{fill:var(--bad)}\n"
	"path.grant{fill:var(--warn)}\n.key.grant{color:var(--warn)}\n"
	".scale{white-space:nowrap}\n.scale svg{vertical-align:-1px}\n"
	".h0{fill:var(--none)}\n.h1{fill:var(--main);fill-opacity:.16}\n"
	".h2{fill:var(--main);fill-opacity:.32}\n.h3{fill:var(--main);fill-opacity:.49}\n"
	".h4{fill:var(--main);fill-opacity:.66}\n.h5{fill:var(--main);fill-opacity:.83}\n"
	".h6{fill:var(--main)}\n"
	".s0{fill:var(--main)}\n.s1{fill:var(--main);fill-opacity:.35}\n.s2{fill:var(--warn)}\n"
	".s3{fill:var(--other)}\n"
	".shares{width:120px;height:12px;vertical-align:-1px;border-radius:3px}\n"
	".keys span{white-space:nowrap;margin-right:14px}\n.keys svg{vertical-align:-1px}\n"
	"details{margin:8px 0;font-size:14px}\nsummary{color:var(--main);cursor:pointer}\n",

	/* narrow screens, paper */
	"@media (max-width:720px){.tiles{grid-template-columns:1fr 1fr}}\n"
	"@media (max-width:560px){main{padding:24px 14px 48px}h1{font-size:23px}"
	"figure{padding:12px}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}"
	".tiles b{font-size:23px}.tiles li{padding:11px 13px}}\n"
	"@page{size:A4;margin:16mm 14mm}\n"
	"@media print{body{font-size:10pt;line-height:1.45}main{max-width:none;padding:0}"
	"table{font-size:8.5pt}thead{display:table-header-group}th,td{padding:4px 5px}"
	"time{white-space:normal}.shares{width:72px}td.wide{overflow-wrap:anywhere}"
	"tr,figure,.tiles li,.findings li,.state,.box{break-inside:avoid}"
	"h2{break-after:avoid;margin-top:26px}h1{font-size:19pt}h2{font-size:13pt}"
	".scroll,.draw{overflow:visible}.draw svg{min-width:0}details{display:none}"
	"td.wide,.name{min-width:0}.mark{font-size:17px}thead th{white-space:normal}"
	".tiles{grid-template-columns:repeat(4,1fr)}.tiles b{font-size:17pt}"
	".todo a{color:inherit;text-decoration:none}"
	"rect,path,.tag,.state{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n",
};

#undef LIGHT
#undef DARK

#endif
