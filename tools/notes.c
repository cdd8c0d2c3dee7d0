/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/notes.c - what the verbs about final notes share. See notes.h.
 *
 * Owns one connection at a time: FILEs of one vault after another use the same one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "notes.h"
#include "plain.h"
#include "prompt.h"

/* ---- texts ---- */

#define MARK_LEN 32

/* A line's end that no name can contain: nobody can guess it. */
static const char *line_end(void)
{
	static char mark[MARK_LEN + 1];
	unsigned char random[MARK_LEN / 2];

	if (!mark[0]) {
		if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
			abort();
		for (size_t k = 0; k < sizeof(random); k++)
			snprintf(mark + 2 * k, 3, "%02x", random[k]);
	}
	return mark;
}

/* fmt with that mark for its line ends. */
static char *marked(const char *fmt)
{
	const char *mark = line_end();
	size_t lines = 0, len = strlen(fmt);
	char *out, *at;

	for (const char *p = fmt; *p; p++)
		lines += *p == '\n';
	out = malloc(len + lines * MARK_LEN + 1);
	at = out;
	for (; out && *fmt; fmt++) {
		if (*fmt == '\n')
			at = stpcpy(at, mark);
		else
			*at++ = *fmt;
	}
	if (out)
		*at = '\0';
	return out;
}

/* Each line made fit for a terminal, with ends where the format had them. */
static char *lines_of(char *text)
{
	const char *mark = line_end();
	char *out = malloc(4 * strlen(text) + 1), *to = out;

	while (out) {
		char *end = strstr(text, mark), *plain;

		if (end)
			*end = '\0';
		plain = tools_plain(text, 0);
		if (!plain) {
			free(out);
			return NULL;
		}
		to = stpcpy(to, plain);
		free(plain);
		if (!end)
			break;
		*to++ = '\n';
		text = end + MARK_LEN;
	}
	if (out)
		*to = '\0';
	return out;
}

/* What is formatted into it may hold anything, and makes no line of its own. NULL: no memory. */
static char *__attribute__((format(printf, 1, 0))) text_of(const char *fmt, va_list ap)
{
	char *text = NULL, *with_marks = marked(fmt), *plain = NULL;

	/* The marks are hexadecimal digits. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (with_marks && vasprintf(&text, with_marks, ap) >= 0)
		plain = lines_of(text);
	else
		text = NULL;
#pragma GCC diagnostic pop
	free(text);
	free(with_marks);
	return plain;
}

char *tools_notes_text(const char *fmt, ...)
{
	va_list ap;
	char *plain;

	va_start(ap, fmt);
	plain = text_of(fmt, ap);
	va_end(ap);
	return plain;
}

static void __attribute__((format(printf, 2, 0))) print(FILE *to, const char *fmt, va_list ap)
{
	char *plain = text_of(fmt, ap);

	fputs(plain ? plain : "out of memory", to);
	free(plain);
}

void tools_notes_print(FILE *to, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(to, fmt, ap);
	va_end(ap);
}

int tools_notes_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("journalfs: ", stderr);
	va_start(ap, fmt);
	print(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return TOOL_FAILED;
}

/* ---- connections ---- */

void tools_notes_close(struct notes *n)
{
	if (n->cl.sock >= 0)
		tools_client_close(&n->cl);
	n->cl.sock = -1;
}

int tools_notes_connect(struct notes *n, const char *vault)
{
	struct tool_options o = *n->o;
	struct conf c;

	if (!o.vault && *vault)
		o.vault = vault;
	if (n->cl.sock >= 0 && !strcmp(n->vault, o.vault ? o.vault : ""))
		return TOOL_OK;
	tools_notes_close(n);
	snprintf(n->vault, sizeof(n->vault), "%s", o.vault ? o.vault : "");
	return tools_client_find(&o, &c, &n->cl) ? TOOL_FAILED : TOOL_OK;
}

int tools_notes_find(struct notes *n, const char *file, bool want_note, struct note_path *at)
{
	int rc = tools_note_path(file, want_note, at);

	return rc ? rc : tools_notes_connect(n, at->vault);
}

/* What the daemon said, after the name of what was asked about. */
static int refused(const char *file, const struct fs_wire_message *m, int rc)
{
	const char *say = json_string_value(json_object_get(m->json, "say"));

	if (m->json)
		(void)tools_notes_fail("%s: %s", file, say && *say ? say : strerror(-rc));
	return rc;
}

int tools_notes_ask(struct notes *n, const char *verb, const struct note_path *at, const char *file,
		    json_t *more, struct fs_wire_message *answer)
{
	json_t *json = json_pack("{s:s, s:s, s:s}", "verb", verb, "journal", at->journal, "path",
				 at->path);
	int rc;

	fs_wire_message_init(answer);
	if (json && more && json_object_update_missing(json, more)) {
		json_decref(json);
		json = NULL;
	}
	json_decref(more);
	if (!json) {
		(void)tools_notes_fail("%s: its name is not UTF-8; rename it first", file);
		return -EILSEQ;
	}
	rc = tools_client_ask(&n->cl, json, answer);
	return rc ? refused(file, answer, rc) : 0;
}

json_t *tools_notes_gather(struct notes *n, struct fs_wire_message *m, const char *name)
{
	json_t *all = json_array();
	int rc = all ? json_array_extend(all, json_object_get(m->json, name)) : -1;

	while (!rc && json_is_true(json_object_get(m->json, "more"))) {
		fs_wire_message_clear(m);
		rc = tools_client_next(&n->cl, m);
		if (!rc && json_object_get(m->json, name))
			rc = json_array_extend(all, json_object_get(m->json, name));
	}
	if (!rc)
		return all;
	json_decref(all);
	return NULL;
}

/* ---- standard input ---- */

static char *read_all(int fd, size_t *len)
{
	char *text = malloc(TOOLS_NOTES_STDIN + 1);
	ssize_t n = 1;

	*len = 0;
	while (text && n > 0 && *len <= TOOLS_NOTES_STDIN) {
		n = read(fd, text + *len, TOOLS_NOTES_STDIN + 1 - *len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			*len += (size_t)n;
	}
	if (text && n >= 0 && *len <= TOOLS_NOTES_STDIN)
		return text;
	if (text && n >= 0)
		(void)tools_fail(
			"the files named on standard input take more than %u bytes: name fewer "
			"at once",
			TOOLS_NOTES_STDIN);
	else
		(void)tools_fail("standard input can't be read: %s",
				 strerror(text ? errno : ENOMEM));
	free(text);
	return NULL;
}

int tools_notes_stdin(int fd, char ***list, int *n)
{
	size_t len, count = 0;
	char *text = read_all(fd, &len), **names;
	char end = text && memchr(text, '\0', len) ? '\0' : '\n';

	if (!text)
		return TOOL_FAILED;
	text[len] = '\0';
	names = calloc(len + 2, sizeof(*names));
	if (!names) {
		free(text);
		return tools_fail("out of memory");
	}
	names[0] = text; /* so that it can be let go of, whatever it holds */
	for (size_t i = 0; i < len;) {
		char *stop = memchr(text + i, end, len - i);
		size_t next = stop ? (size_t)(stop - text) : len;

		text[next] = '\0';
		if (next > i)
			names[count++] = text + i;
		i = next + 1;
	}
	/* An empty line at the beginning must not move what is let go of. */
	if (count && names[0] != text) {
		memmove(text, names[0], strlen(names[0]) + 1);
		names[0] = text;
	}
	*list = names;
	*n = (int)count;
	if (count)
		return TOOL_OK;
	free(names);
	free(text);
	return tools_fail("no file was named on standard input");
}

/* ---- asking ---- */

const char *tools_notes_reason(const struct tool_options *o, const char *question,
			       char typed[static TOOLS_NOTES_REASON + 2])
{
	if (o->reason && strlen(o->reason) <= TOOLS_NOTES_REASON)
		return o->reason;
	if (o->reason) {
		(void)tools_fail("the reason is longer than %d bytes", TOOLS_NOTES_REASON);
		return NULL;
	}
	if (!isatty(STDIN_FILENO)) {
		(void)tools_fail("say why with --reason \"...\": it stands with the note for ever");
		return NULL;
	}
	tools_notes_print(stderr, "%s\n> ", question);
	if (!fgets(typed, TOOLS_NOTES_REASON + 2, stdin)) {
		(void)tools_fail("no reason was given; nothing was changed");
		return NULL;
	}
	typed[strcspn(typed, "\n")] = '\0';
	return typed;
}

int tools_notes_consent(const struct tool_options *o, const char *question, const char *nothing)
{
	char *plain;
	bool yes;
	int tty;

	if (o->yes)
		return TOOL_OK;
	tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0)
		return tools_fail(
			"there is no terminal to ask at; %s. --yes does it without asking",
			nothing);
	close(tty);
	plain = tools_plain(question, 1);
	yes = plain && tools_prompt_yes(plain);
	free(plain);
	return yes ? TOOL_OK : tools_fail("%s", nothing);
}

static void give_text(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return; /* it decides without reading to the end */
		if (n > 0)
			text += n, len -= (size_t)n;
	}
}

static pid_t start(const char *program, int in, int other)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	close(other);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	execlp(program, program, (char *)NULL);
	_exit(127);
}

int tools_notes_consent_by(const char *program, const char *text, size_t len, const char *nothing)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	int ends[2], status = -1;
	pid_t pid = -1;

	if (!pipe2(ends, O_CLOEXEC)) {
		pid = start(program, ends[0], ends[1]);
		close(ends[0]);
		if (pid > 0)
			give_text(ends[1], text, len);
		close(ends[1]);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	signal(SIGPIPE, before);
	if (pid > 0 && WIFEXITED(status) && !WEXITSTATUS(status))
		return TOOL_OK;
	if (pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
		tools_notes_fail("%s can't be started to ask", program);
	return tools_fail("%s", nothing);
}
