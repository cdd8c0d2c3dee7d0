/* SPDX-License-Identifier: Apache-2.0 */
/* tools/conf.c - see conf.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "conf.h"

#define SYSTEM_CONF_DIR "/etc/journalfs"

void tools_conf_hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", p[i]);
}

int tools_conf_unhex(const char *text, uint8_t *out, size_t n)
{
	if (strlen(text) != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < 2 * n; i++)
		if (!isxdigit((unsigned char)text[i]))
			return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1], 0 };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return 0;
}

int tools_conf_make_dirs(const char *path)
{
	char copy[PATH_MAX];

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(copy, 0700) && errno != EEXIST ? -errno : 0;
}

int tools_conf_state_base(char *out, size_t cap)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	struct passwd *pw;
	int n;

	if (state && state[0] == '/') {
		n = snprintf(out, cap, "%s/journalfs", state);
	} else {
		if (!home || home[0] != '/') {
			pw = getpwuid(geteuid());
			home = pw ? pw->pw_dir : NULL;
		}
		if (!home || home[0] != '/')
			return -ENOENT;
		n = snprintf(out, cap, "%s/.local/state/journalfs", home);
	}
	if (n < 0 || (size_t)n >= cap)
		return -ENAMETOOLONG;
	return tools_conf_make_dirs(out);
}

int tools_conf_read_header(const char *vault, struct keys_header *h, uint8_t raw[static KEYS_HEADER_LEN])
{
	uint8_t buf[KEYS_HEADER_LEN + 1];
	char path[PATH_MAX];
	ssize_t n;
	int fd, rc;

	snprintf(path, sizeof(path), "%s/header", vault);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES)
		return tools_fail("%s belongs to another account; a clinic's vault is reached with "
				 "`journalfs login`", vault);
	if (fd < 0)
		return tools_fail("%s is not a vault (no header in it); `journalfs init %s` makes one",
				 vault, vault);
	n = read(fd, buf, sizeof(buf));
	close(fd);
	rc = n < 0 ? -errno : keys_header_decode(buf, (size_t)n, h);
	if (rc == -EPROTONOSUPPORT && h->version < KEYS_HEADER_VERSION)
		return tools_fail("%s has format %u, which this journalfs (format %u) no longer reads; "
				 "copy its files out with the journalfs that made it, into a vault made "
				 "by this one (journalfs init)", vault, h->version, KEYS_HEADER_VERSION);
	if (rc == -EPROTONOSUPPORT)
		return tools_fail("%s was made by a newer journalfs (format %u, suite %u); install "
				 "that version", vault, h->version, h->suite);
	if (rc == -EMEDIUMTYPE)
		return tools_fail("%s is not a vault: its header is of something else", vault);
	if (rc)
		return tools_fail("the header of %s is damaged; restore %s from a backup", vault, path);
	memcpy(raw, buf, KEYS_HEADER_LEN);
	return TOOL_OK;
}

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

static int set_account(struct conf *c, const char *file, const char *value)
{
	struct passwd *pw = getpwnam(value);

	if (!pw)
		return tools_fail("%s: there is no account `%s` on this computer", file, value);
	c->daemon_uid = pw->pw_uid;
	return TOOL_OK;
}

/* One "key = value" line. */
static int read_line(struct conf *c, const char *file, unsigned line, char *text)
{
	char *eq, *key, *value;

	text[strcspn(text, "#\n")] = '\0';
	key = trim(text);
	if (!*key)
		return TOOL_OK;
	eq = strchr(key, '=');
	if (!eq)
		return tools_fail("%s:%u: expected `key = value`", file, line);
	*eq = '\0';
	key = trim(key);
	value = trim(eq + 1);
	if (!strcmp(key, "socket"))
		snprintf(c->socket, sizeof(c->socket), "%s", value);
	else if (!strcmp(key, "vault"))
		snprintf(c->vault, sizeof(c->vault), "%s", value);
	else if (!strcmp(key, "account"))
		return set_account(c, file, value);
	else if (!strcmp(key, "root") && tools_conf_unhex(value, c->root_hash, KEYS_LEN))
		return tools_fail("%s:%u: root is 64 hex digits, as `journalfs init` printed them",
				 file, line);
	else if (strcmp(key, "root"))
		return tools_fail("%s:%u: unknown key `%s`; known are socket, account, root", file,
				 line, key);
	return TOOL_OK;
}

static int read_conf(const char *file, struct conf *c)
{
	static const uint8_t zero[KEYS_LEN];
	char text[PATH_MAX + 64];
	unsigned line = 0;
	struct stat st;
	FILE *f = fopen(file, "re");
	int rc = TOOL_OK;

	if (!f)
		return tools_fail("%s can't be read: %s", file, strerror(errno));
	/* Who can write this file can name another vault as the true one. */
	if (fstat(fileno(f), &st) || (st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & 022)) {
		fclose(f);
		return tools_fail("%s may be written by others and is not trusted; make it root's, "
				 "mode 0644", file);
	}
	while (rc == TOOL_OK && fgets(text, sizeof(text), f))
		rc = read_line(c, file, ++line, text);
	fclose(f);
	if (rc == TOOL_OK && (!c->socket[0] || !memcmp(c->root_hash, zero, KEYS_LEN)))
		rc = tools_fail("%s lacks `socket` or `root`", file);
	return rc;
}

/* The only *.conf of a directory; -ENOENT none, -EEXIST several. */
static int only_conf(const char *dir, char *name, size_t cap)
{
	struct dirent *e;
	DIR *d = opendir(dir);
	int found = 0;

	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);

		if (n < 6 || strcmp(e->d_name + n - 5, ".conf"))
			continue;
		if (!found++)
			snprintf(name, cap, "%.*s", (int)(n - 5), e->d_name);
	}
	if (d)
		closedir(d);
	return found == 1 ? 0 : found ? -EEXIST : -ENOENT;
}

static int load_alone(struct conf *c);

/* A vault that was removed or moved does not count. */
static bool alone_exists(const char *state)
{
	struct conf c = { .name = "" };

	return snprintf(c.state, sizeof(c.state), "%s", state) < (int)sizeof(c.state) &&
	       !load_alone(&c) && !access(c.vault, F_OK);
}

/* The only vault that this person uses alone; fills out. */
static int only_alone(struct conf *out)
{
	char base[PATH_MAX], state[PATH_MAX], file[PATH_MAX + 32];
	struct dirent *e;
	DIR *d;
	int found = 0;

	if (tools_conf_state_base(base, sizeof(base)))
		return -ENOENT;
	d = opendir(base);
	while (d && (e = readdir(d)) && found < 2) {
		if (e->d_name[0] == '.' ||
		    snprintf(state, sizeof(state), "%s/%s", base, e->d_name) >= (int)sizeof(state))
			continue;
		snprintf(file, sizeof(file), "%s/client.conf", state);
		if (access(file, R_OK) || !alone_exists(state))
			continue;
		memcpy(out->state, state, sizeof(out->state));
		found++;
	}
	if (d)
		closedir(d);
	return found == 1 ? 0 : found ? -EEXIST : -ENOENT;
}

static int load_alone(struct conf *c)
{
	char file[PATH_MAX + 32];

	snprintf(file, sizeof(file), "%s/client.conf", c->state);
	c->alone = true;
	c->daemon_uid = geteuid();
	snprintf(c->name, sizeof(c->name), "%.32s", strrchr(c->state, '/') + 1);
	return read_conf(file, c);
}

static void alone_socket(struct conf *c)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char dir[PATH_MAX];

	if (run && run[0] == '/' && strlen(run) < 60) {
		snprintf(dir, sizeof(dir), "%s/journalfs", run);
		if (!tools_conf_make_dirs(dir)) {
			snprintf(c->socket, sizeof(c->socket), "%.60s/journalfs/%.16s", run, c->name);
			return;
		}
	}
	/* The state directory is ours and 0700, which is all that a socket's directory needs. */
	snprintf(c->socket, sizeof(c->socket), "%.*s/socket", (int)sizeof(c->socket) - 8, c->state);
}

int tools_conf_find_alone(const char *vault, struct conf *out)
{
	uint8_t raw[KEYS_HEADER_LEN];
	char base[PATH_MAX], id[2 * KEYS_VAULT_ID_LEN + 1];
	struct keys_header h;
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (tools_conf_read_header(vault, &h, raw))
		return TOOL_FAILED;
	tools_conf_hex(h.vault, sizeof(h.vault), id);
	if (tools_conf_state_base(base, sizeof(base)))
		return tools_fail("there is no home directory to keep the vault's local state in; "
				 "set XDG_STATE_HOME");
	if (snprintf(out->state, sizeof(out->state), "%s/%s", base, id) >= (int)sizeof(out->state))
		return tools_fail("%s is too long a path", base);
	if (stat(out->state, &st))
		return tools_fail("this computer holds no local state of %s (host secret, pin); "
				 "`journalfs recover %s` makes it anew from the printed recovery key",
				 vault, vault);
	if (load_alone(out))
		return TOOL_FAILED;
	if (!realpath(vault, out->vault))
		return tools_fail("%s: %s", vault, strerror(errno));
	alone_socket(out);
	return TOOL_OK;
}

int tools_conf_save_alone(struct conf *c)
{
	char file[PATH_MAX + 32], temp[PATH_MAX + 40], hex[2 * KEYS_LEN + 1];
	FILE *f;

	alone_socket(c);
	tools_conf_hex(c->root_hash, KEYS_LEN, hex);
	snprintf(file, sizeof(file), "%s/client.conf", c->state);
	snprintf(temp, sizeof(temp), "%s/client.conf.new", c->state);
	f = fopen(temp, "we");
	if (!f)
		return tools_fail("%s can't be written: %s", temp, strerror(errno));
	fprintf(f, "# Where this vault is and what its header's hash must be.\n"
		   "vault = %s\nsocket = %s\nroot = %s\n", c->vault, c->socket, hex);
	if (fflush(f) || fsync(fileno(f)) || fclose(f) || rename(temp, file))
		return tools_fail("%s can't be written: %s", file, strerror(errno));
	return TOOL_OK;
}

/* file: the whole path of a NAME.conf */
static int load_file(const char *file, struct conf *out)
{
	const char *base = strrchr(file, '/') + 1;

	snprintf(out->name, sizeof(out->name), "%.*s", (int)strlen(base) - 5, base);
	if (snprintf(out->file, sizeof(out->file), "%s", file) >= (int)sizeof(out->file))
		return tools_fail("%s: too long a path", file);
	out->daemon_uid = (uid_t)-1;
	if (read_conf(file, out))
		return TOOL_FAILED;
	if (out->daemon_uid == (uid_t)-1)
		return tools_fail("%s lacks `account`, the daemon's account", file);
	return TOOL_OK;
}

static int load_system(const char *name, struct conf *out)
{
	char file[PATH_MAX];

	snprintf(file, sizeof(file), SYSTEM_CONF_DIR "/%.60s.conf", name);
	return load_file(file, out);
}

static bool is_conf_path(const char *path)
{
	size_t n = strlen(path);

	return strchr(path, '/') && n > 5 && !strcmp(path + n - 5, ".conf");
}

/* A vault of one's own by its id, as its mount is called. */
static bool find_id(const char *id, struct conf *out)
{
	char base[PATH_MAX];

	if (strlen(id) != 2 * KEYS_VAULT_ID_LEN || strspn(id, "0123456789abcdef") != strlen(id) ||
	    tools_conf_state_base(base, sizeof(base)) ||
	    snprintf(out->state, sizeof(out->state), "%s/%s", base, id) >= (int)sizeof(out->state) ||
	    !alone_exists(out->state) || load_alone(out))
		return false;
	alone_socket(out);
	return true;
}

static int find(const struct tool_options *o, struct conf *out)
{
	char file[PATH_MAX];
	int system, alone;

	if (o->vault && is_conf_path(o->vault))
		return load_file(o->vault, out);
	if (o->vault && strchr(o->vault, '/'))
		return tools_conf_find_alone(o->vault, out);
	if (o->vault) {
		if (snprintf(file, sizeof(file), SYSTEM_CONF_DIR "/%s.conf", o->vault) <
			    (int)sizeof(file) && !access(file, F_OK))
			return load_system(o->vault, out);
		if (find_id(o->vault, out))
			return TOOL_OK;
		return tools_fail("there is no %s; `--vault` takes a name from " SYSTEM_CONF_DIR
				 ", the path of such a file, or a vault's path", file);
	}
	system = only_conf(SYSTEM_CONF_DIR, file, sizeof(file));
	alone = only_alone(out);
	if (!system && alone == -ENOENT)
		return load_system(file, out);
	if (!alone && system == -ENOENT) {
		if (load_alone(out))
			return TOOL_FAILED;
		alone_socket(out);
		return TOOL_OK;
	}
	if (system == -ENOENT && alone == -ENOENT)
		return tools_fail("no vault is known here: `journalfs init` makes one; in a clinic "
				 SYSTEM_CONF_DIR "/NAME.conf names it");
	return tools_fail("several vaults are known here: say which with --vault NAME or --vault PATH");
}

int tools_conf_find(const struct tool_options *o, struct conf *out)
{
	memset(out, 0, sizeof(*out));
	if (find(o, out))
		return TOOL_FAILED;
	if (o->socket)
		snprintf(out->socket, sizeof(out->socket), "%s", o->socket);
	return TOOL_OK;
}
