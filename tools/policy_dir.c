/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/policy_dir.c - a directory of policy texts, and expected decisions judged by it.
 *
 * For whoever keeps the practice's policy in a directory (and perhaps under
 * version control) and tries it there before it goes into a vault. Everything that
 * is wrong in any of the files is reported under that file's own path.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../policy/bundle.h"
#include "../policy/expect.h"
#include "plain.h"
#include "policy_dir.h"
#include "policy_text.h"

#define SUFFIX ".policy"
#define PATH_LIMIT 3500 /* of the directory's; so that all below it fits in PATH_ROOM */
#define PATH_ROOM 4096

struct policy_dir {
	struct policy_practice *practice;
	struct policy_journal **journal; /* sorted by name */
	size_t journals, cap;
};

void tools_policy_dir_free(struct policy_dir *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->journals; i++)
		policy_journal_put(d->journal[i]);
	free(d->journal);
	if (d->practice)
		policy_practice_put(d->practice);
	free(d);
}

/* Prints a report and forgets it; -1 when there was anything in it, or rc is an error. */
static int told(struct policy_report *report, int rc)
{
	char *text = rc ? policy_report_text(report) : NULL;

	if (text)
		tools_plain_put(stderr, text, 1);
	free(text);
	policy_report_free(report);
	return rc ? -1 : 0;
}

static int is_policy(const struct dirent *e)
{
	size_t n = strlen(e->d_name), s = strlen(SUFFIX);

	return n > s && e->d_name[0] != '.' && !strcmp(e->d_name + n - s, SUFFIX);
}

/* The policy files of a directory, sorted; 0 of them when there is no such directory. */
static int list_dir(const char *path, struct dirent ***out)
{
	int n = scandir(path, out, is_policy, alphasort);

	if (n >= 0)
		return n;
	*out = NULL;
	if (errno == ENOENT)
		return 0;
	tools_fail("%s: %s", path, strerror(errno));
	return -1;
}

static void free_list(struct dirent **list, int n)
{
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

/* One part onto the bundle. */
static int add_part(const char *path, const char *file, char **text, size_t *len)
{
	char name[256], part_path[PATH_ROOM], *part, *next = NULL;

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(SUFFIX)), file);
	snprintf(part_path, sizeof(part_path), "%.3600s/%.255s", path, file);
	part = tools_policy_text_read(part_path);
	if (!part)
		return -1;
	next = policy_bundle_put(*text, *len, name, part, strlen(part), len);
	if (!next)
		tools_fail("%s can't be a part of the practice policy: %s", part_path,
			   errno == EINVAL ? "its name is none, or a line begins with %part"
					   : strerror(errno));
	free(part);
	if (!next)
		return -1;
	free(*text);
	*text = next;
	return 0;
}

char *tools_policy_dir_practice(const char *dir)
{
	char path[PATH_ROOM], parts[PATH_ROOM], *text;
	struct dirent **list = NULL;
	size_t len;
	int n, rc = 0;

	snprintf(path, sizeof(path), "%.3500s/practice.policy", dir);
	snprintf(parts, sizeof(parts), "%.3500s/practice.d", dir);
	text = tools_policy_text_read(path);
	n = text ? list_dir(parts, &list) : -1;
	len = text ? strlen(text) : 0;
	for (int i = 0; i < n && !rc; i++)
		rc = add_part(parts, list[i]->d_name, &text, &len);
	if (n >= 0)
		free_list(list, n);
	if (n >= 0 && !rc)
		return text;
	free(text);
	return NULL;
}

static int read_practice(struct policy_dir *d, const char *dir)
{
	char path[PATH_ROOM], *text = tools_policy_dir_practice(dir);
	struct policy_report *report = NULL;
	int rc;

	snprintf(path, sizeof(path), "%.3500s/practice.policy", dir);
	rc = text ? policy_report_new(&report) : -1;
	if (!rc)
		rc = told(report,
			  policy_practice_parse(text, strlen(text), path, report, &d->practice));
	free(text);
	return rc;
}

static int add_journal(struct policy_dir *d, struct policy_journal *j)
{
	if (d->journals == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 64;
		struct policy_journal **more = reallocarray(d->journal, cap, sizeof(*more));

		if (!more)
			return -1;
		d->journal = more;
		d->cap = cap;
	}
	d->journal[d->journals++] = j;
	return 0;
}

static int read_journal(struct policy_dir *d, const char *dir, const char *file)
{
	struct policy_report *report = NULL;
	struct policy_journal *j = NULL;
	char path[PATH_ROOM], *text;
	int rc;

	snprintf(path, sizeof(path), "%.3600s/%.255s", dir, file);
	text = tools_policy_text_read(path);
	if (!text || policy_report_new(&report)) {
		free(text);
		return -1;
	}
	rc = policy_journal_parse(text, strlen(text), path, d->practice, report, &j);
	if (!rc && !policy_journal_name(j)[0]) {
		policy_report_add(report, path, 1, 1,
				  "which journal is this? Write `journal \"NAME\"`");
		rc = -EINVAL;
	}
	rc = told(report, rc);
	free(text);
	if (!rc && !add_journal(d, j))
		return 0;
	if (j)
		policy_journal_put(j);
	return -1;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(policy_journal_name(*(struct policy_journal *const *)a),
		      policy_journal_name(*(struct policy_journal *const *)b));
}

static int check_twice(const struct policy_dir *d)
{
	int rc = 0;

	for (size_t i = 1; i < d->journals; i++) {
		if (!by_name(&d->journal[i - 1], &d->journal[i])) {
			tools_fail("two files are the policy of journal \"%s\"",
				   policy_journal_name(d->journal[i]));
			rc = -1;
		}
	}
	return rc;
}

int tools_policy_dir_read(const char *path, struct policy_dir **out)
{
	struct policy_dir *d = calloc(1, sizeof(*d));
	struct dirent **list = NULL;
	char journals[PATH_ROOM];
	int n, rc;

	if (!d || strlen(path) > PATH_LIMIT) {
		tools_fail("%s can't be read: %s", path,
			   d ? "its path is too long" : "out of memory");
		free(d);
		return -1;
	}
	rc = read_practice(d, path);
	snprintf(journals, sizeof(journals), "%s/journals", path);
	n = rc ? 0 : list_dir(journals, &list);
	if (n < 0)
		rc = -1;
	for (int i = 0; i < n; i++) {
		if (read_journal(d, journals, list[i]->d_name))
			rc = -1;
	}
	free_list(list, n);
	if (!rc && d->journals)
		qsort(d->journal, d->journals, sizeof(struct policy_journal *), by_name);
	if (!rc)
		rc = check_twice(d);
	if (rc)
		tools_policy_dir_free(d);
	else
		*out = d;
	return rc;
}

const struct policy_practice *tools_policy_dir_parsed(const struct policy_dir *d)
{
	return d->practice;
}

const struct policy_journal *tools_policy_dir_journal(const struct policy_dir *d, const char *name)
{
	size_t low = 0, high = d->journals;

	while (name && low < high) {
		size_t middle = low + (high - low) / 2;
		int cmp = strcmp(policy_journal_name(d->journal[middle]), name);

		if (!cmp)
			return d->journal[middle];
		if (cmp < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int judge(const struct policy_dir *d, const struct policy_expect *e, int64_t now_s,
		 struct policy_dir_tested *out)
{
	out->total = (unsigned)policy_expect_count(e);
	for (size_t n = 0; n < out->total; n++) {
		char *line = NULL;

		if (policy_expect_judge(
			    e, n, d->practice,
			    tools_policy_dir_journal(d, policy_expect_at(e, n)->journal), now_s,
			    &line)) {
			tools_fail("out of memory");
			return -1;
		}
		if (!line)
			continue;
		out->failed++;
		tools_plain_put(stdout, line, 0);
		putchar('\n');
		free(line);
	}
	return 0;
}

int tools_policy_dir_test(const struct policy_dir *d, const char *file, int64_t now_s,
			  struct policy_dir_tested *out)
{
	char *text = tools_policy_text_read(file);
	struct policy_report *report = NULL;
	struct policy_expect *e = NULL;
	int rc = text ? policy_report_new(&report) : -1;

	if (!rc)
		rc = told(report, policy_expect_parse(text, strlen(text), file, report, &e));
	if (!rc)
		rc = judge(d, e, now_s, out);
	policy_expect_free(e);
	free(text);
	return rc;
}
