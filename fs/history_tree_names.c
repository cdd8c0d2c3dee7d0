/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_tree_names.c - what versions and removed notes are called in `.history`.
 *
 * Names are made anew at each look and have at most 255 bytes; nothing in them is a '/' or a
 * control character but what a note's own name has. Locks: none is held by callers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../keys/label.h"
#include "dirent.h"
#include "history_tree_impl.h"

#define WHO_BYTES 128
#define TIME_BYTES 17 /* 2026-11-29T05.01 and the end */

/* Of the layer above; changed only while nobody else runs. */
static int (*name_fn)(void *ctx, uint32_t pid, char *out, size_t cap);
static void *name_ctx;

void fs_history_tree_on_name(int (*name)(void *ctx, uint32_t pid, char *out, size_t cap), void *ctx)
{
	name_fn = name;
	name_ctx = ctx;
}

static void who_text(uint32_t pid, char out[static WHO_BYTES])
{
	if (!name_fn || name_fn(name_ctx, pid, out, WHO_BYTES) || !out[0])
		snprintf(out, WHO_BYTES, "p%u", pid);
	for (char *c = out; *c; c++) {
		if (*c == '/' || (unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '_';
	}
}

static void time_text(int64_t s, char out[static TIME_BYTES])
{
	struct tm tm;
	time_t at = (time_t)s;

	/* Programs set times as they like: what is no year of four digits is none. */
	if (!gmtime_r(&at, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099 ||
	    !strftime(out, TIME_BYTES, "%Y-%m-%dT%H.%M", &tm))
		strcpy(out, "0000-00-00T00.00");
}

void fs_history_ext(const char *name, char out[static FS_HISTORY_EXT])
{
	const char *dot = strrchr(name, '.');

	memset(out, 0, FS_HISTORY_EXT);
	if (dot && dot != name && dot[1] && strlen(dot) < FS_HISTORY_EXT && !strchr(dot, '/'))
		strcpy(out, dot);
}

void fs_history_name(const struct fs_history_version *v, const char *ext, char out[static 256])
{
	char who[WHO_BYTES], when[TIME_BYTES];

	who_text(v->writer, who);
	time_text(v->mtime.tv_sec, when);
	snprintf(out, 256, "%u %s %s%s", v->version, when, who, ext);
}

bool fs_history_name_version(const char *name, uint32_t *version, bool *plain)
{
	const char *digits = name + (name[0] == '@');
	size_t n = strspn(digits, "0123456789");
	unsigned long v;

	if (!n || n > 10 || digits[0] == '0')
		return false;
	v = strtoul(digits, NULL, 10);
	*plain = !digits[n];
	if (v > UINT32_MAX || (!*plain && (digits[n] != ' ' || digits != name)))
		return false;
	*version = (uint32_t)v;
	return true;
}

/* ---- removed notes ---- */

static int follow(struct fs_journal *j, uint64_t *dir, const char *name)
{
	struct fs_inode *up = NULL, *i = NULL;
	int rc = fs_inode_get(j, *dir, &up);

	if (!rc)
		rc = fs_tree_lookup(up, name, &i);
	if (!rc) {
		pthread_rwlock_rdlock(&i->lock);
		rc = S_ISDIR(i->mode) && !i->gone ? 0 : -ENOENT;
		pthread_rwlock_unlock(&i->lock);
		*dir = rc ? *dir : i->ino;
	}
	fs_inode_put(i);
	fs_inode_put(up);
	return rc;
}

/* Finds the deepest directory of its path that still is, and makes the rest of the path one name.
 */
static int place(struct fs_journal *j, struct fs_history_gone *g)
{
	const char *path = g->path, *slash;
	char name[FS_NAME_MAX + 1] = "";

	g->dir = FS_ROOT_INO;
	while ((slash = strchr(path, '/')) != NULL) {
		size_t len = (size_t)(slash - path);

		if (len > FS_NAME_MAX)
			break;
		memcpy(name, path, len);
		name[len] = '\0';
		if (follow(j, &g->dir, name))
			break;
		path = slash + 1;
	}
	keys_wipe(name, sizeof(name));
	g->rest = (size_t)(path - g->path);
	g->name = strdup(path);
	if (!g->name)
		return -ENOMEM;
	for (char *c = strchr(g->name, '/'); c; c = strchr(c, '/'))
		*c = '_';
	return 0;
}

struct gathering {
	struct fs_history_gones *to;
	int rc;
};

/* Only kept here: the records are being read, and looking names up reads others. */
static int gather(void *ctx, const struct fs_history_removed *r)
{
	struct gathering *a = ctx;
	struct fs_history_gones *to = a->to;

	if (to->n == to->cap) {
		size_t cap = to->cap ? to->cap * 2 : 32;
		struct fs_history_gone *wider = realloc(to->gone, cap * sizeof(*wider));

		if (!wider) {
			a->rc = -ENOMEM;
			return 1;
		}
		to->gone = wider;
		to->cap = cap;
	}
	to->gone[to->n] = (struct fs_history_gone){
		.ino = r->ino, .when_s = r->when.tv_sec, .pid = r->pid, .path = strdup(r->path)};
	if (!to->gone[to->n].path) {
		a->rc = -ENOMEM;
		return 1;
	}
	to->n++;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct fs_history_gone *x = *(struct fs_history_gone *const *)a;
	const struct fs_history_gone *y = *(struct fs_history_gone *const *)b;
	int64_t mx = x->when_s / 60, my = y->when_s / 60;
	int named = strcmp(x->name, y->name);

	if (x->dir != y->dir)
		return x->dir < y->dir ? -1 : 1;
	if (mx != my)
		return mx < my ? -1 : 1;
	return named ? named : x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* Those that would bear the same name get numbers, in the order of their inodes. */
static int count_alike(struct fs_history_gones *g)
{
	struct fs_history_gone **sorted = calloc(g->n + 1, sizeof(struct fs_history_gone *));

	if (!sorted)
		return -ENOMEM;
	for (size_t k = 0; k < g->n; k++)
		sorted[k] = &g->gone[k];
	qsort(sorted, g->n, sizeof(struct fs_history_gone *), by_place);
	for (size_t k = 0; k < g->n; k++) {
		const struct fs_history_gone *last = k ? sorted[k - 1] : NULL;
		bool same = last && last->dir == sorted[k]->dir &&
			    last->when_s / 60 == sorted[k]->when_s / 60 &&
			    !strcmp(last->name, sorted[k]->name);

		sorted[k]->nth = same ? last->nth + 1 : 1;
	}
	free(sorted);
	return 0;
}

static void name_free(char *name)
{
	if (name)
		keys_wipe(name, strlen(name));
	free(name);
}

int fs_history_gones_get(struct fs_journal *j, struct fs_history_gones *out)
{
	struct gathering a = {.to = out};
	int rc;

	*out = (struct fs_history_gones){.gone = NULL};
	rc = fs_history_removed(j, 0, gather, &a);
	if (!rc)
		rc = a.rc;
	for (size_t k = 0; !rc && k < out->n; k++)
		rc = place(j, &out->gone[k]);
	if (!rc)
		rc = count_alike(out);
	if (rc)
		fs_history_gones_clear(out);
	return rc;
}

void fs_history_gones_clear(struct fs_history_gones *g)
{
	for (size_t k = 0; k < g->n; k++) {
		name_free(g->gone[k].path);
		name_free(g->gone[k].name);
	}
	free(g->gone);
	*g = (struct fs_history_gones){.gone = NULL};
}

void fs_history_gone_name(const struct fs_history_gone *g, char out[static 256])
{
	char when[TIME_BYTES], nth[16] = "", end[64];
	int len;

	time_text(g->when_s, when);
	if (g->nth > 1)
		snprintf(nth, sizeof(nth), ", %u", g->nth);
	len = snprintf(end, sizeof(end), " (removed %s%s)", when, nth);
	snprintf(out, 256, "%.*s%s", 255 - len, g->name, end);
}

int fs_history_tree_removed(struct fs_journal *j,
			    int (*fn)(void *ctx, const struct fs_history_tree_gone *g), void *ctx)
{
	struct fs_history_gones gones;
	char name[256], *shown;
	int rc = fs_history_gones_get(j, &gones);

	for (size_t k = 0; !rc && k < gones.n; k++) {
		const struct fs_history_gone *g = &gones.gone[k];
		struct fs_history_tree_gone out = {
			.ino = g->ino, .when_s = g->when_s, .pid = g->pid, .path = g->path};

		fs_history_gone_name(g, name);
		if (asprintf(&shown, "%.*s%s", (int)g->rest, g->path, name) < 0)
			rc = -ENOMEM;
		if (rc)
			break;
		out.shown = shown;
		rc = fn(ctx, &out);
		name_free(shown);
	}
	keys_wipe(name, sizeof(name));
	fs_history_gones_clear(&gones);
	return rc < 0 ? rc : 0;
}
