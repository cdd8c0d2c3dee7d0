/* SPDX-License-Identifier: Apache-2.0 */
/* tools/glass_words.c - see glass_words.h. */
#include "glass_words.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../keys/slab.h"
#include "tool.h"

static int set_text(const char **word, const char *key, const char *value)
{
	if (*word)
		return tools_fail("standard input: %s= stands there twice", key), -EINVAL;
	*word = value;
	return 0;
}

static int set(struct tools_glass_words *w, const char *key, const char *value)
{
	if (!strcmp(key, "journal"))
		return set_text(&w->journal, key, value);
	if (!strcmp(key, "search"))
		return set_text(&w->search, key, value);
	if (!strcmp(key, "ground"))
		return set_text(&w->ground, key, value);
	if (!strcmp(key, "reason"))
		return set_text(&w->reason, key, value);
	if (!strcmp(key, "past-block") && (!strcmp(value, "yes") || !strcmp(value, "no"))) {
		w->past_block = value[0] == 'y';
		return 0;
	}
	tools_fail("standard input: expected journal=, search=, ground=, reason=, past-block=yes "
		   "or past-block=no");
	return -EINVAL;
}

int tools_glass_words_parse(struct tools_glass_words *w, size_t len)
{
	char *line = w->text, *end, *eq;

	if (memchr(w->text, '\0', len))
		return tools_fail("standard input: a zero byte is no text"), -EINVAL;
	w->text[len] = '\0';
	for (; *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end)
			*end++ = '\0';
		if (!*line)
			continue;
		eq = strchr(line, '=');
		if (eq)
			*eq = '\0';
		if (set(w, line, eq ? eq + 1 : ""))
			return -EINVAL;
	}
	return 0;
}

static int read_all(int fd, struct tools_glass_words *w, size_t *len)
{
	ssize_t n;

	*len = 0;
	do {
		n = read(fd, w->text + *len, TOOLS_GLASS_WORDS_MAX - *len);
		if (n < 0 && errno != EINTR)
			return tools_fail("standard input can't be read: %s", strerror(errno)),
			       -EIO;
		*len += n > 0 ? (size_t)n : 0;
		if (*len == TOOLS_GLASS_WORDS_MAX)
			return tools_fail("standard input is longer than %d bytes",
					  TOOLS_GLASS_WORDS_MAX - 1),
			       -E2BIG;
	} while (n);
	return 0;
}

int tools_glass_words_read(int fd, struct tools_glass_words **out)
{
	struct tools_glass_words *w = keys_guard_new(sizeof(*w));
	size_t len;
	int rc = -ENOMEM;

	if (!w)
		return tools_fail("no memory for what is read from standard input"), rc;
	memset(w, 0, sizeof(*w));
	rc = read_all(fd, w, &len);
	if (!rc)
		rc = tools_glass_words_parse(w, len);
	if (rc) {
		keys_guard_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

void tools_glass_words_free(struct tools_glass_words *w)
{
	keys_guard_free(w);
}
