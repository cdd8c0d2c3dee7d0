/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/policy_text.c - what the sub-commands of `policy` share.
 *
 * Whatever else a text is, only the daemon judges it, with the names that it
 * knows; here is only found out which policy somebody's file is meant to be.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../policy/which.h"
#include "plain.h"
#include "policy_text.h"

#define PART_PREFIX "practice.d/"

char *tools_policy_text_read(const char *path)
{
	char *text = malloc(POLICY_TEXT_LIMIT + 2);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t got = 0;
	ssize_t n = 0;

	while (text && fd >= 0 && got <= POLICY_TEXT_LIMIT &&
	       (n = read(fd, text + got, POLICY_TEXT_LIMIT + 1 - got)) > 0)
		got += (size_t)n;
	if (!text || fd < 0 || n < 0 || got > POLICY_TEXT_LIMIT || memchr(text, 0, got)) {
		tools_fail("%s can't be read as a policy text: %s", path,
			   fd < 0 || n < 0 ? strerror(errno)
					   : "it is over 256 KiB or holds NUL bytes");
		if (fd >= 0)
			close(fd);
		free(text);
		return NULL;
	}
	close(fd);
	text[got] = '\0';
	return text;
}

char *tools_policy_text_name(const char *text)
{
	char name[POLICY_JOURNAL_NAME_MAX + 1];

	return strdup(policy_which_journal(text, strlen(text), name) ? name : "practice");
}

int tools_policy_text_fetch(struct client *cl, const char *file, struct fs_wire_message *m)
{
	return tools_client_call(cl, json_pack("{s:s, s:s}", "verb", "policy-show", "file", file),
				 NULL, 0, -1, m);
}

char *tools_policy_text_begin(struct client *cl, const char *file, json_int_t *version)
{
	struct fs_wire_message m;
	char *text = NULL;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_ask(cl, json_pack("{s:s, s:s}", "verb", "policy-show", "file", file), &m);
	if (!rc || (rc == -ENOENT && !strncmp(file, PART_PREFIX, strlen(PART_PREFIX)))) {
		text = strdup(rc ? "" : tools_policy_text_of(m.json, "text"));
		*version = rc ? 0 : tools_policy_number_of(m.json, "version");
	} else {
		tools_client_refused(&m);
	}
	fs_wire_message_clear(&m);
	return text;
}

int tools_policy_text_at(struct client *cl, const char *file, json_int_t version, json_int_t at_s,
			 struct fs_wire_message *m)
{
	return tools_client_call(cl,
				 json_pack("{s:s, s:s, s:I, s:I}", "verb", "policy-at", "file", file,
					   "version", version, "at_s", at_s),
				 NULL, 0, -1, m);
}

const char *tools_policy_text_of(const json_t *j, const char *key)
{
	const char *text = json_string_value(json_object_get(j, key));

	return text ? text : "";
}

json_int_t tools_policy_number_of(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

/* Length of the file's name at the start of a line "NAME:12:3: message", as the daemon writes it. */
static size_t named(const char *line, const char *file)
{
	size_t n = strlen(file);

	if (strncmp(line, file, n))
		return 0;
	if (!strncmp(line + n, ".policy:", 8))
		n += 7;
	return line[n] == ':' && strspn(line + n + 1, "0123456789") ? n : 0;
}

static void print_report(const char *report, const char *file, const char *path)
{
	while (*report) {
		size_t len = strcspn(report, "\n"), skip = named(report, file);
		char *line = strndup(report + skip, len - skip);

		if (skip)
			tools_plain_put(stderr, path, 0);
		if (line)
			tools_plain_put(stderr, line, 0);
		fputc('\n', stderr);
		free(line);
		report += len + (report[len] == '\n');
	}
}

int tools_policy_text_offer(struct client *cl, json_t *json, const char *file, const char *path,
			    struct fs_wire_message *m)
{
	const char *report;
	int rc;

	if (!json) {
		tools_fail("%s is not valid UTF-8", path);
		return -EILSEQ;
	}
	rc = tools_client_ask(cl, json, m);
	if (!rc)
		return 0;
	report = json_string_value(json_object_get(m->json, "report"));
	if (report)
		print_report(report, file, path);
	if (!report)
		tools_client_refused(m);
	else if (*tools_policy_text_of(m->json, "say"))
		tools_fail("%s", tools_policy_text_of(m->json, "say"));
	return rc;
}
