/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/fill.c - a large practice's policy put into a vault, over the control socket.
 *
 *   fill VAULT practice PRACTITIONERS        the practice's policy: so many people in ten units
 *   fill VAULT journals FIRST N LINES PEOPLE WHO
 *                                           policies of "journal %06d": LINES allow lines each, one in
 *                                           a thousand for WHO
 *
 * Prints microseconds per accepted policy. The caller is logged in and has the policy right.
 */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/client.h"

/* tools/main.c has it, together with main. */
int tools_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vwarnx(fmt, ap);
	va_end(ap);
	return TOOL_FAILED;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static json_int_t version_of(struct client *cl, const char *file, char **text)
{
	struct fs_wire_message m;
	json_int_t version;

	fs_wire_message_init(&m);
	if (tools_client_call(cl,
			      json_pack("{s:s, s:s}", "verb", "policy-show", "file", file), NULL, 0,
			      -1, &m))
		errx(1, "no policy %s", file);
	version = json_integer_value(json_object_get(m.json, "version"));
	if (text)
		*text = strdup(json_string_value(json_object_get(m.json, "text")));
	fs_wire_message_clear(&m);
	return version;
}

static void put(struct client *cl, const char *file, const char *text, json_int_t base)
{
	if (tools_client_do(cl,
			    json_pack("{s:s, s:s, s:s, s:I}", "verb", "policy-put", "file", file,
				      "text", text, "base", base),
			    NULL, 0) != TOOL_OK)
		errx(1, "refused: %s", file);
}

/* What is there stays; people are added. */
static void practice(struct client *cl, unsigned people)
{
	char *text = NULL, *before = NULL;
	json_int_t base = version_of(cl, "practice", &before);
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fputs(before, f);
	fputs("role bench-physician clinical may list read write create\n"
	      "role bench-nurse clinical may list read write\n",
	      f);
	for (unsigned u = 0; u < 10; u++)
		fprintf(f, "unit u%u \"Unit %u\"\n", u, u);
	for (unsigned p = 0; p < people; p++)
		fprintf(f, "practitioner p%u user bench-p%u role %s unit u%u\n", p, p,
			p % 2 ? "bench-nurse" : "bench-physician", p % 10);
	fclose(f);
	put(cl, "practice", text, base);
	free(text);
	free(before);
}

static char *journal_text(const char *name, unsigned j, unsigned lines, unsigned people,
			  const char *who)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fprintf(f, "journal \"%s\"\nunit u%u\n", name, j % 10);
	for (unsigned l = 0; l < lines; l++) {
		unsigned p = (j * 7919u + l * (people / lines)) % people;

		if (l == 0 && j % 1000 == 7)
			fprintf(f, "allow user:%s:rwx\n", who);
		else if (l % 5 == 4)
			fprintf(f, "allow unit:u%u:r-x from 2020-0%u-01\n", p % 10, 1 + l % 9);
		else
			fprintf(f, "allow user:p%u:rwx%s reason \"takes part, line %u\"\n", p,
				l % 3 == 2 ? " from 2026-01-01 until 2027-12-31" : "", l);
	}
	fclose(f);
	return text;
}

int main(int argc, char **argv)
{
	struct client cl = {.sock = -1};
	struct tool_options o = {.vault = argc > 2 ? argv[1] : NULL};
	struct conf c;
	double t;

	if (argc < 4)
		errx(2, "usage: fill VAULT practice N | fill VAULT journals FIRST N LINES PEOPLE WHO");
	if (keys_init() || tools_client_find(&o, &c, &cl))
		return 1;
	t = now();
	if (!strcmp(argv[2], "practice")) {
		practice(&cl, (unsigned)atoi(argv[3]));
		printf("%.0f\n", (now() - t) * 1e6);
	} else if (argc == 8) {
		unsigned first = (unsigned)atoi(argv[3]), n = (unsigned)atoi(argv[4]);

		for (unsigned j = first; j < first + n; j++) {
			char name[64], *text;

			snprintf(name, sizeof(name), "journal %06u", j);
			text = journal_text(name, j, (unsigned)atoi(argv[5]),
					    (unsigned)atoi(argv[6]), argv[7]);
			put(&cl, name, text, version_of(&cl, name, NULL));
			free(text);
		}
		printf("%.0f\n", (now() - t) * 1e6 / (n ? n : 1));
	}
	tools_client_close(&cl);
	return 0;
}
