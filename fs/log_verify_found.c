/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify_found.c - what verification found, kept until all is known and told in the order of
 * the records.
 *
 * Some is known late (whose key a checkpoint was sealed with, whether a kept checkpoint agrees) and
 * speaks of early records: whoever asks for the first one wants the first. Bounded: a log of
 * garbage has a finding a frame.
 */
#include "log_verify_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FOUND_MAX 10000

const char *fs_log_finding_text(enum fs_log_finding_kind kind)
{
	static const char *const alarm[] = {
		[FS_LOG_MISSING] = "missing",	      [FS_LOG_CHANGED] = "changed",
		[FS_LOG_REORDERED] = "reordered",     [FS_LOG_INSERTED] = "inserted",
		[FS_LOG_TRUNCATED] = "truncated",     [FS_LOG_RESEALED] = "re-sealed",
		[FS_LOG_ROLLED_BACK] = "rolled back", [FS_LOG_FORKED] = "forked",
		[FS_LOG_UNREADABLE] = "unreadable",   [FS_LOG_FOREIGN] = "foreign",
		[FS_LOG_UNPROVEN] = "unproven",
	};
	static const char *const note[] = {
		[FS_LOG_UNCLEAN - FS_LOG_NOTES] = "unclean end",
		[FS_LOG_UNSEALED - FS_LOG_NOTES] = "unsealed",
		[FS_LOG_KEY_LOST - FS_LOG_NOTES] = "key lost",
		[FS_LOG_OLD - FS_LOG_NOTES] = "older format",
		[FS_LOG_ARCHIVED - FS_LOG_NOTES] = "archived",
		[FS_LOG_RESTORED - FS_LOG_NOTES] = "restored",
	};

	if (kind >= FS_LOG_NOTES)
		return kind - FS_LOG_NOTES < sizeof(note) / sizeof(note[0])
			       ? note[kind - FS_LOG_NOTES]
			       : "?";
	return kind && kind < sizeof(alarm) / sizeof(alarm[0]) ? alarm[kind] : "?";
}

void fs_log_found_add(struct fs_log_founds *l, const struct fs_log_finding *f, const char *fmt, ...)
{
	struct fs_log_found *more;
	char *text = NULL;
	va_list ap;
	int n;

	if (f->kind < FS_LOG_NOTES)
		l->alarms++;
	else
		l->notes++;
	if (l->n == FOUND_MAX)
		return;
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		more = reallocarray(l->list, l->cap, sizeof(*more));
		if (!more) {
			l->rc = -ENOMEM;
			l->cap = l->n;
			return;
		}
		l->list = more;
	}
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		l->rc = -ENOMEM;
		return;
	}
	l->list[l->n] = (struct fs_log_found){.f = *f, .order = l->order++};
	l->list[l->n].f.text = text;
	if (l->list[l->n].f.last < f->seq)
		l->list[l->n].f.last = f->seq;
	l->n++;
}

static int by_record(const void *a, const void *b)
{
	const struct fs_log_found *x = a, *y = b;
	bool xn = x->f.kind >= FS_LOG_NOTES, yn = y->f.kind >= FS_LOG_NOTES;

	if (x->f.seq != y->f.seq)
		return x->f.seq < y->f.seq ? -1 : 1;
	if (xn != yn)
		return xn ? 1 : -1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void fs_log_found_give(struct fs_log_founds *l,
		       void (*fn)(void *ctx, const struct fs_log_finding *f), void *ctx)
{
	if (l->n)
		qsort(l->list, l->n, sizeof(*l->list), by_record);
	for (size_t i = 0; i < l->n && fn; i++)
		fn(ctx, &l->list[i].f);
}

void fs_log_found_clear(struct fs_log_founds *l)
{
	for (size_t i = 0; i < l->n; i++)
		free((char *)l->list[i].f.text);
	free(l->list);
	*l = (struct fs_log_founds){0};
}
