/* SPDX-License-Identifier: Apache-2.0 */
/* tools/prompt.c - see prompt.h. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include "../keys/slab.h"
#include "prompt.h"
#include "strength.h"
#include "tool.h"

/* Reads up to a newline or the end, byte by byte: nothing behind the line is swallowed. */
static int read_line(int fd, struct prompt_secret *s)
{
	s->len = 0;
	for (;;) {
		char c;
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 || c == '\n')
			break;
		if (s->len == PROMPT_MAX - 1)
			return -E2BIG;
		s->text[s->len++] = c;
	}
	if (s->len && s->text[s->len - 1] == '\r')
		s->len--;
	s->text[s->len] = '\0';
	return s->len ? 0 : -EINVAL;
}

static int read_terminal(const char *question, struct prompt_secret *s)
{
	struct termios old, quiet;
	int tty, rc;

	tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (tty < 0)
		return -ENOTTY;
	if (tcgetattr(tty, &old)) {
		close(tty);
		return -ENOTTY;
	}
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	tcsetattr(tty, TCSAFLUSH, &quiet);
	dprintf(tty, "%s: ", question);
	rc = read_line(tty, s);
	tcsetattr(tty, TCSAFLUSH, &old);
	dprintf(tty, "\n");
	close(tty);
	return rc;
}

int tools_prompt_secret_read(int fd, const char *question, struct prompt_secret **out)
{
	struct prompt_secret *s = keys_guard_new(sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	rc = fd >= 0 ? read_line(fd, s) : read_terminal(question, s);
	if (rc) {
		tools_prompt_secret_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

static bool is_weak(const struct prompt_secret *s, const char *who)
{
	const struct passwd *pw = getpwuid(geteuid());
	const char *const names[] = { who, pw ? pw->pw_name : NULL };
	const char *wrong = tools_strength_wrong(s->text, s->len, names, 2);

	if (wrong)
		tools_fail("%s", wrong);
	return wrong != NULL;
}

int tools_prompt_secret_new(int fd, const char *question, const char *who,
			    struct prompt_secret **out)
{
	struct prompt_secret *first = NULL, *second = NULL;
	int rc = tools_prompt_secret_read(fd, question, &first);

	if (rc == -ENOTTY)
		tools_fail("there is no terminal to ask at; use --passphrase-fd");
	else if (rc)
		tools_fail("no passphrase was given");
	if (rc)
		return rc;
	if (is_weak(first, who)) {
		rc = -EINVAL;
		goto out;
	}
	if (fd < 0) {
		rc = tools_prompt_secret_read(fd, "the same once more", &second);
		if (rc || second->len != first->len ||
		    !keys_equal(first->text, second->text, first->len)) {
			tools_fail("the two did not match; nothing was changed");
			rc = -EINVAL;
			goto out;
		}
	}
	*out = first;
	first = NULL;
	rc = 0;
out:
	tools_prompt_secret_free(first);
	tools_prompt_secret_free(second);
	return rc;
}

void tools_prompt_secret_free(struct prompt_secret *s)
{
	keys_guard_free(s);
}

int tools_prompt_stretch(const struct prompt_secret *s, const uint8_t salt[static KEYS_SALT_LEN],
		   const struct keys_stretch_cost *cost, uint8_t out[static KEYS_LEN])
{
	int rc = keys_stretch(s->text, s->len, salt, cost, out);

	if (rc == -ENOMEM)
		tools_fail("stretching the passphrase needs %u MiB of memory that are not there",
			  cost->memory_kib / 1024);
	else if (rc)
		tools_fail("the vault asks for a key derivation outside the safe bounds: refused");
	return rc;
}

bool tools_prompt_yes(const char *question)
{
	char line[16] = "";
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (tty < 0)
		return false;
	dprintf(tty, "%s [y/N] ", question);
	n = read(tty, line, sizeof(line) - 1);
	close(tty);
	return n > 0 && (!strcmp(line, "y\n") || !strcmp(line, "yes\n"));
}

char tools_prompt_choice(const char *question, const char *letters)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	char line[64], got = 0;
	ssize_t n = 1;

	if (tty < 0)
		return 0;
	while (!got && n > 0) {
		dprintf(tty, "%s ", question);
		n = read(tty, line, sizeof(line));
		if (n == 2 && line[1] == '\n' && strchr(letters, line[0]))
			got = line[0];
	}
	close(tty);
	return got;
}

int tools_prompt_key_file(const char *path, uint8_t out[static KEYS_LEN])
{
	static const size_t max = 1 << 20;
	uint8_t *content = NULL;
	struct stat st;
	size_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = -EINVAL;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < 1 || (size_t)st.st_size > max)
		goto out;
	content = keys_guard_new((size_t)st.st_size);
	if (!content) {
		rc = -ENOMEM;
		goto out;
	}
	while (got < (size_t)st.st_size) {
		ssize_t n = read(fd, content + got, (size_t)st.st_size - got);

		if (n <= 0) {
			rc = -EIO;
			goto out;
		}
		got += (size_t)n;
	}
	keys_label_hash(KEYS_LABEL_ENVELOPE, &(struct keys_span){ content, got }, 1, out, KEYS_LEN);
	rc = 0;
out:
	keys_guard_free(content);
	close(fd);
	return rc;
}
