/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_source_log.c - an auditor's source without a daemon: segments in a directory, and a
 * key file.
 *
 * Nothing is asked of anybody and nothing is logged. Without a key file only the raw segments can
 * be had, which is all that verification needs. Only streams of daemons that the key file names are
 * believed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fs/log.h"
#include "../fs/log_segment.h"
#include "audit_key_file.h"
#include "audit_policies.h"
#include "audit_source_impl.h"

/* The id that the first whole segment names. */
static void vault_of_segments(struct audit_source *s)
{
	int dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t *list = NULL;
	size_t n = 0;

	if (dirfd >= 0 && !fs_log_segment_list(dirfd, &list, &n)) {
		for (size_t i = 0; i < n && !s->has_vault; i++) {
			uint8_t p[FS_LOG_HEADER];
			struct fs_log_header h;
			char name[FS_LOG_NAME];
			int fd;

			fs_log_segment_name(list[i], name);
			fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
			if (fd < 0)
				continue;
			if (read(fd, p, sizeof(p)) == (ssize_t)sizeof(p) &&
			    !fs_log_header_decode(p, &h)) {
				memcpy(s->vault, h.vault, sizeof(s->vault));
				s->has_vault = true;
			}
			close(fd);
		}
	}
	free(list);
	if (dirfd >= 0)
		close(dirfd);
}

static int check_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t *list = NULL;
	size_t n = 0;
	int rc;

	if (fd < 0)
		return tools_fail(
			"%s can't be read: %s; --log takes the directory of a copied access "
			"log (`journalfs audit copy`)",
			dir, strerror(errno));
	rc = fs_log_segment_list(fd, &list, &n);
	free(list);
	close(fd);
	if (rc)
		return tools_fail("%s can't be read: %s", dir, strerror(-rc));
	if (!n)
		return tools_fail("%s holds no segments (NNNNNNNN.seg) of an access log", dir);
	return TOOL_OK;
}

int tools_audit_log_open(struct audit_source *s, const struct tool_options *o)
{
	s->dir = o->log;
	s->key_path = o->key;
	if (check_dir(s->dir))
		return TOOL_FAILED;
	vault_of_segments(s);
	if (!o->key)
		return TOOL_OK;
	if (tools_audit_key_read(o->key, o->passphrase_fd, &s->key))
		return TOOL_FAILED;
	s->has_key = true;
	if (s->has_vault && memcmp(s->vault, s->key.vault, sizeof(s->vault)))
		return tools_fail("%s is the key of another vault than the one whose log is in %s",
				  s->key_path, s->dir);
	memcpy(s->vault, s->key.vault, sizeof(s->vault));
	memcpy(s->root_pk, s->key.root_pk, sizeof(s->root_pk));
	s->has_vault = s->has_root = true;
	return TOOL_OK;
}

void tools_audit_log_close(struct audit_source *s)
{
	if (s->has_segments)
		fs_log_source_close(&s->segments);
	keys_audit_key_clear(&s->key);
	policy_past_free(s->past);
	s->past = NULL;
}

int tools_audit_log_segments(struct audit_source *s)
{
	int rc = fs_log_source_dir(s->dir, &s->segments);

	return rc ? tools_fail("%s can't be read: %s", s->dir, strerror(-rc)) : TOOL_OK;
}

/* ---- policies ---- */

static int add_change(void *ctx, const struct policy_past_change *c)
{
	return policy_past_add(ctx, c);
}

static int load_past(struct audit_source *s, struct policy_past *past)
{
	char path[PATH_MAX];
	uint8_t *p = NULL;
	size_t len = 0;
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/policies", s->dir) >= sizeof(path))
		return -ENAMETOOLONG;
	rc = tools_audit_file_read(path, AUDIT_POLICIES_MAX, &p, &len);
	if (!rc)
		rc = tools_audit_policies_open(p, len, &s->key, add_change, past);
	free(p);
	return rc;
}

static int say_past(const struct audit_source *s, int rc)
{
	if (rc == -ENOENT)
		return tools_fail(
			"%s holds no policies beside the log: `journalfs audit copy` brings "
			"them",
			s->dir);
	if (rc == -EXDEV)
		return tools_fail("%s/policies is of another vault than %s", s->dir, s->key_path);
	if (rc == -EACCES)
		return tools_fail(
			"%s/policies is sealed for streams of the log that %s does not hold: "
			"export the key anew, or copy the log again",
			s->dir, s->key_path);
	if (rc == -EPROTONOSUPPORT)
		return tools_fail("%s/policies was made by a newer journalfs; install that version",
				  s->dir);
	if (rc == -EBADMSG || rc == -EMEDIUMTYPE || rc == -EINVAL)
		return tools_fail("%s/policies is damaged: copy the log again", s->dir);
	return tools_fail("%s/policies can't be read: %s", s->dir, strerror(-rc));
}

static int need_key(const struct audit_source *s)
{
	return s->has_key
		       ? TOOL_OK
		       : tools_fail(
				 "the records in %s are sealed: --key FILE names an auditor's key "
				 "file (`journalfs audit key export FILE` makes one)",
				 s->dir);
}

struct policy_past *tools_audit_log_past(struct audit_source *s)
{
	struct policy_past *past = NULL;
	int rc;

	if (need_key(s))
		return NULL;
	rc = policy_past_new(&past);
	if (!rc)
		rc = load_past(s, past);
	if (!rc)
		return past;
	policy_past_free(past);
	say_past(s, rc);
	return NULL;
}

struct policy_past *tools_audit_log_past_kept(struct audit_source *s)
{
	if (!s->past)
		s->past = tools_audit_log_past(s);
	return s->past;
}

/* Which journals bore the name, as far as the policies beside the log tell. */
static int names_of(struct audit_source *s, const char *journal, struct fs_audit_names *names)
{
	struct policy_past *own = NULL, *past = s->past;
	int rc = past ? 0 : policy_past_new(&own);

	/* Without them all is read: nothing is said of it here. */
	if (!rc && own) {
		rc = load_past(s, own);
		past = own;
	}
	for (size_t i = 0; !rc && i < policy_past_count(past); i++) {
		const struct policy_past_change *c = policy_past_at(past, i);

		if (c->journal && c->name && !strcmp(c->name, journal))
			rc = fs_audit_names_add(names, c->journal, false);
	}
	for (size_t i = 0; !rc && i < policy_past_count(past); i++) {
		const struct policy_past_change *c = policy_past_at(past, i);

		for (size_t k = 0; c->name && k < names->n; k++) {
			if (names->at[k].number == c->journal)
				names->at[k].last = !strcmp(c->name, journal);
		}
	}
	policy_past_free(own);
	return rc;
}

/* Then records under a name that the journal once had are not found: nobody may take that for all.
 */
static void say_no_names(struct audit_source *s, const char *journal, int rc)
{
	(void)say_past(s, rc);
	(void)tools_fail("what was recorded when \"%s\" had another name is left out", journal);
	s->unread++;
}

/* ---- records ---- */

struct log_reading {
	struct audit_source *s;
	struct fs_audit_filter filter;
	int (*fn)(void *ctx, const struct policy_record *r);
	void *ctx;
	uint64_t bad, shut;
};

static int read_one(void *ctx, const struct policy_record *r)
{
	struct log_reading *a = ctx;

	return fs_audit_lets(&a->filter, r) ? a->fn(a->ctx, r) : 0;
}

static void read_bad(void *ctx, uint64_t seq, const char *why)
{
	struct log_reading *a = ctx;

	a->s->unread++;
	if (a->bad++ < AUDIT_SOURCE_BAD_SAID)
		tools_fail("log record %llu cannot be read: %s", (unsigned long long)seq, why);
}

static void read_shut(void *ctx, uint64_t seq)
{
	struct log_reading *a = ctx;

	(void)seq;
	a->s->unread++;
	a->shut++;
}

static bool read_signer(void *ctx, const uint8_t pk[static KEYS_LEN])
{
	const struct log_reading *a = ctx;

	for (uint32_t i = 0; i < a->s->key.daemons; i++) {
		if (!memcmp(a->s->key.daemon[i], pk, KEYS_LEN))
			return true;
	}
	return false;
}

static int read_key0(void *ctx, const uint8_t stream[static KEYS_STREAM_ID_LEN],
		     uint8_t k0[static KEYS_LEN])
{
	const struct log_reading *a = ctx;

	return keys_audit_key_find(&a->s->key, stream, k0);
}

static void say_left_out(const struct log_reading *a)
{
	if (a->bad > AUDIT_SOURCE_BAD_SAID)
		tools_fail("%llu more records cannot be read",
			   (unsigned long long)(a->bad - AUDIT_SOURCE_BAD_SAID));
	if (a->shut)
		tools_fail("%s opens not all of the log: %llu %s left out", a->s->key_path,
			   (unsigned long long)a->shut,
			   a->shut == 1 ? "stretch is" : "stretches are");
}

static unsigned processors(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 8 ? 8 : (unsigned)n;
}

int tools_audit_log_read(struct audit_source *s, const struct audit_filter *f,
			 int (*fn)(void *ctx, const struct policy_record *r), void *ctx)
{
	static const uint8_t nobody[KEYS_LEN];
	struct fs_audit_names names = {0};
	struct log_reading a = {
		.s = s,
		.filter = {.who = f->who,
			   .journal = f->journal,
			   .since_ns = f->since_ns,
			   .until_ns = f->until_ns,
			   .grant = f->grant,
			   .own = f->own},
		.fn = fn,
		.ctx = ctx,
	};
	uint32_t *numbers = NULL;
	size_t n = 0;
	int rc;

	if (need_key(s))
		return TOOL_FAILED;
	if (f->journal && f->journal[0]) {
		rc = names_of(s, f->journal, &names);
		if (rc)
			say_no_names(s, f->journal, rc);
		else
			a.filter.names = &names;
	}
	rc = fs_audit_numbers(&a.filter, &numbers, &n);
	if (!rc)
		rc = fs_log_read_as(&(struct fs_log_reading){
			.dir = s->dir,
			.vault = s->vault,
			.box_pk = nobody,
			.fn = read_one,
			.bad = read_bad,
			.signer_ok = read_signer,
			.key0 = read_key0,
			.shut = read_shut,
			.journals = numbers,
			.journal_count = n,
			.since_ns = f->since_ns,
			.until_ns = f->until_ns,
			.threads = processors(),
			.ctx = &a,
		});
	free(numbers);
	fs_audit_names_clear(&names);
	say_left_out(&a);
	return rc ? tools_fail("the log in %s can't be read: %s", s->dir, strerror(-rc)) : TOOL_OK;
}
