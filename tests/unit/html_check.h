/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/html_check.h - is a page well formed and closed to the outside?
 *
 * Tags balance, attributes stand in double quotes, ids are single, links lead to ids of the page,
 * and nothing loads, runs or leads away.
 */
#ifndef TESTS_UNIT_HTML_CHECK_H
#define TESTS_UNIT_HTML_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct html_check {
	char open[64][32];
	int depth;
	char ids[400][40];
	int id_count;
	char links[400][40];
	int link_count;
	char why[300];
};

static bool html_bad(struct html_check *c, const char *what, const char *at)
{
	snprintf(c->why, sizeof(c->why), "%s: %.120s", what, at);
	return false;
}

static bool html_void(const char *name)
{
	return !strcmp(name, "meta") || !strcmp(name, "br") || !strcmp(name, "!DOCTYPE");
}

/* One attribute; its name and value are known to end. */
static bool html_attribute(struct html_check *c, const char *name, size_t n, const char *value,
			   size_t len, const char *at)
{
	static const char *const loading[] = {"src", "srcset", "style", "action", "data", "poster"};

	if (n > 1 && name[0] == 'o' && name[1] == 'n')
		return html_bad(c, "a handler", at);
	for (size_t i = 0; i < sizeof(loading) / sizeof(loading[0]); i++)
		if (strlen(loading[i]) == n && !strncmp(loading[i], name, n))
			return html_bad(c, "an attribute that loads or hides", at);
	if (memchr(value, '<', len) || memchr(value, '>', len))
		return html_bad(c, "a tag inside an attribute", at);
	if (n == 2 && !strncmp(name, "id", 2)) {
		snprintf(c->ids[c->id_count], 40, "%.*s", (int)len, value);
		for (int i = 0; i < c->id_count; i++)
			if (!strcmp(c->ids[i], c->ids[c->id_count]))
				return html_bad(c, "an id twice", at);
		c->id_count++;
	}
	if (n == 4 && !strncmp(name, "href", 4)) {
		if (!len || value[0] != '#')
			return html_bad(c, "a link that leads away", at);
		snprintf(c->links[c->link_count++], 40, "%.*s", (int)len - 1, value + 1);
	}
	return true;
}

/* Behind the name of a tag, to its ">". NULL: not well formed. */
static const char *html_attributes(struct html_check *c, const char *p, bool *closed)
{
	while (*p && *p != '>') {
		const char *name = p, *value;
		size_t n;

		if (*p == ' ' || *p == '\n' || *p == '/') {
			*closed = *p == '/';
			p++;
			continue;
		}
		n = strcspn(p, "=> /\n");
		p += n;
		if (*p != '=')
			continue; /* without value, as in <!DOCTYPE html> */
		if (p[1] != '"')
			return html_bad(c, "a value without quotes", name), NULL;
		value = p + 2;
		p = strchr(value, '"');
		if (!p || !html_attribute(c, name, n, value, (size_t)(p - value), name))
			return NULL;
		p++;
	}
	return *p ? p + 1 : NULL;
}

static bool html_close(struct html_check *c, const char *name, const char *at)
{
	if (!c->depth || strcmp(c->open[c->depth - 1], name))
		return html_bad(c, "closes what is not open", at);
	c->depth--;
	return true;
}

static const char *html_tag(struct html_check *c, const char *p)
{
	bool end = p[1] == '/', closed = false;
	const char *at = p;
	char name[32];

	p += 1 + end;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(p, " />\n"), p);
	if (!name[0] || !strcmp(name, "script") || !strcmp(name, "link") || !strcmp(name, "img") ||
	    !strcmp(name, "iframe") || !strcmp(name, "object") || !strcmp(name, "base"))
		return html_bad(c, "an element that has no place", at), NULL;
	p = html_attributes(c, p + strlen(name), &closed);
	if (!p)
		return c->why[0] ? NULL : (html_bad(c, "a tag without end", at), NULL);
	if (end)
		return html_close(c, name, at) ? p : NULL;
	if (closed || html_void(name))
		return p;
	if (c->depth == 64)
		return html_bad(c, "too deep", at), NULL;
	strcpy(c->open[c->depth++], name);
	return p;
}

static bool html_check(struct html_check *c, const char *page)
{
	static const char *const never[] = {"://", "url(", "@import", "javascript:"};

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (strstr(page, never[i]))
			return html_bad(c, never[i], strstr(page, never[i]));
	for (const char *p = page; *p;) {
		unsigned char u = (unsigned char)*p;

		if (u < 0x20 && u != '\n')
			return html_bad(c, "a control", p);
		if (*p != '<') {
			p++;
			continue;
		}
		p = html_tag(c, p);
		if (!p)
			return false;
		if (c->depth && !strcmp(c->open[c->depth - 1], "style")) {
			p = strstr(p, "</style>");
			if (!p)
				return html_bad(c, "a style without end", page);
		}
	}
	if (c->depth)
		return html_bad(c, "left open", c->open[c->depth - 1]);
	for (int i = 0; i < c->link_count; i++) {
		bool found = false;

		for (int k = 0; k < c->id_count; k++)
			found = found || !strcmp(c->links[i], c->ids[k]);
		if (!found)
			return html_bad(c, "a link to nowhere", c->links[i]);
	}
	return true;
}

#endif
