/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/notify_conf.c - the notify service's configuration, and whether it can be trusted.
 *
 * Invariant: a path is trusted only when every step to it is: each directory, each
 * link and what the link leads to, one step after the other as the kernel goes.
 */
#include "notify_conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MOST 16
#define TIMEOUT_S 30

/* One step of a path: 0, or why it is not trusted. */
static int check_step(const char *step, uid_t also, struct stat *st)
{
	if (lstat(step, st))
		return -errno;
	if (st->st_uid != 0 && st->st_uid != also)
		return -EPERM;
	/* A link's own mode says nothing. */
	return !S_ISLNK(st->st_mode) && (st->st_mode & 022) ? -EPERM : 0;
}

/* path with its first `len` bytes, which are a link, replaced by where the link leads. */
static int follow(char *path, size_t len)
{
	char target[PATH_MAX], link[PATH_MAX], joined[2 * PATH_MAX];
	const char *slash;
	ssize_t n;

	memcpy(link, path, len);
	link[len] = '\0';
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	slash = strrchr(link, '/');
	if (snprintf(joined, sizeof(joined), "%.*s%s%s",
		     target[0] == '/' ? 0 : (int)(slash - link) + 1, link, target,
		     path + len) >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, joined, strlen(joined) + 1);
	return 0;
}

/* From the root down to the first link: 0 all is well; 1 a link, followed in path. */
static int walk(char *path, uid_t also, char *bad)
{
	struct stat st;
	size_t len = strlen(path);

	for (size_t i = 1; i <= len; i++) {
		char step[PATH_MAX];
		int rc;

		if (i < len && path[i] != '/')
			continue;
		memcpy(step, path, i);
		step[i] = '\0';
		snprintf(bad, PATH_MAX, "%s", step);
		rc = check_step(step, also, &st);
		if (!rc && S_ISLNK(st.st_mode))
			rc = follow(path, i) ? -ELOOP : 1;
		if (rc)
			return rc;
	}
	return 0;
}

int tools_notify_trusted(const char *path, uid_t also, char *bad)
{
	char at[PATH_MAX];
	struct stat st;
	int rc = 1;

	snprintf(bad, PATH_MAX, "%.*s", PATH_MAX - 1, path);
	if (path[0] != '/' || strlen(path) >= sizeof(at))
		return -EINVAL;
	memcpy(at, path, strlen(path) + 1);
	if (check_step("/", also, &st)) {
		snprintf(bad, PATH_MAX, "/");
		return -EPERM;
	}
	for (int i = 0; i < LINKS_MOST && rc == 1; i++)
		rc = walk(at, also, bad);
	return rc == 1 ? -ELOOP : rc;
}

/* ---- the file ---- */

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}

static int add_argument(struct notify_conf *n, const char *value)
{
	size_t i = 1;

	while (n->argv[i])
		i++;
	if (i > NOTIFY_ARGS)
		return tools_fail("%s: more than %d arguments", n->file, NOTIFY_ARGS);
	n->argv[i] = strdup(value);
	return n->argv[i] ? TOOL_OK : tools_fail("out of memory");
}

static int set_program(struct notify_conf *n, unsigned line, const char *value)
{
	if (n->argv[0])
		return tools_fail("%s:%u: `program` stands here twice", n->file, line);
	if (value[0] != '/' || strlen(value) >= sizeof(n->program))
		return tools_fail("%s:%u: `program` is an absolute path", n->file, line);
	memcpy(n->program, value, strlen(value) + 1);
	n->argv[0] = strdup(value);
	return n->argv[0] ? TOOL_OK : tools_fail("out of memory");
}

static int set_timeout(struct notify_conf *n, unsigned line, const char *value)
{
	char *end;
	long s = strtol(value, &end, 10);

	if (*end == 's')
		end++;
	if (end == value || *end || s < 1 || s > 100)
		return tools_fail("%s:%u: `timeout` is a number of seconds from 1 to 100", n->file,
				  line);
	n->timeout_s = (unsigned)s;
	return TOOL_OK;
}

static int read_line(struct notify_conf *n, unsigned line, char *text)
{
	char *key = trim(text), *eq = strchr(key, '='), *value;

	if (!*key || *key == '#')
		return TOOL_OK;
	if (!eq)
		return tools_fail("%s:%u: expected `key = value`", n->file, line);
	*eq = '\0';
	value = trim(eq + 1);
	key = trim(key);
	if (!strcmp(key, "program"))
		return set_program(n, line, value);
	if (!strcmp(key, "argument"))
		return add_argument(n, value);
	if (!strcmp(key, "timeout"))
		return set_timeout(n, line, value);
	return tools_fail("%s:%u: unknown key `%s`; known are program, argument, timeout", n->file,
			  line, key);
}

static int read_file(struct notify_conf *n)
{
	char text[PATH_MAX + 64];
	unsigned line = 0;
	FILE *f = fopen(n->file, "re");
	int rc = TOOL_OK;

	if (!f)
		return tools_fail("%s can't be read: %s", n->file, strerror(errno));
	while (rc == TOOL_OK && fgets(text, sizeof(text), f)) {
		line++;
		if (!strchr(text, '\n') && !feof(f))
			rc = tools_fail("%s:%u: the line is too long", n->file, line);
		else
			rc = read_line(n, line, text);
	}
	fclose(f);
	if (rc == TOOL_OK && !n->argv[0])
		rc = tools_fail("%s lacks `program`, the absolute path of what tells people",
				n->file);
	return rc;
}

static int check(const char *path, bool alone)
{
	char bad[PATH_MAX];
	int rc = tools_notify_trusted(path, alone ? geteuid() : 0, bad);

	if (rc == -EPERM)
		return tools_fail(
			"%s is not trusted: %s is not root's%s, or group or others may write "
			"there, and who can change it would read every notice; chown root and "
			"chmod go-w",
			path, bad, alone ? " or yours" : "");
	if (rc)
		return tools_fail("%s: %s: %s", path, bad, strerror(-rc));
	return TOOL_OK;
}

/* Where the file stands: beside the clinic's NAME.conf, or among the person's own. */
static int place(const struct conf *c, char out[static PATH_MAX])
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	struct passwd *pw;
	int n;

	if (!c->alone) {
		n = snprintf(out, PATH_MAX, "%.*snotify", (int)strlen(c->file) - 4, c->file);
	} else if (config && config[0] == '/') {
		n = snprintf(out, PATH_MAX, "%s/journalfs/%s.notify", config, c->name);
	} else {
		pw = home && home[0] == '/' ? NULL : getpwuid(geteuid());
		home = pw ? pw->pw_dir : home;
		if (!home || home[0] != '/')
			return tools_fail("there is no home directory; set XDG_CONFIG_HOME");
		n = snprintf(out, PATH_MAX, "%s/.config/journalfs/%s.notify", home, c->name);
	}
	return n > 0 && n < PATH_MAX ? TOOL_OK : tools_fail("%s: too long a path", out);
}

int tools_notify_conf_read(const struct conf *c, struct notify_conf *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	out->timeout_s = TIMEOUT_S;
	if (place(c, out->file))
		return TOOL_FAILED;
	if (lstat(out->file, &st) && errno == ENOENT)
		return tools_fail("there is no %s: it names the program that tells people of an "
				  "emergency access (journalfs(1), NOTICES)",
				  out->file);
	if (check(out->file, c->alone) || read_file(out) || check(out->program, c->alone)) {
		tools_notify_conf_clear(out);
		return TOOL_FAILED;
	}
	if (stat(out->program, &st) || !S_ISREG(st.st_mode) || access(out->program, X_OK)) {
		tools_fail("%s: %s is no program that this account may run", out->file,
			   out->program);
		tools_notify_conf_clear(out);
		return TOOL_FAILED;
	}
	return TOOL_OK;
}

void tools_notify_conf_clear(struct notify_conf *n)
{
	for (size_t i = 0; i < sizeof(n->argv) / sizeof(n->argv[0]); i++) {
		free(n->argv[i]);
		n->argv[i] = NULL;
	}
}
