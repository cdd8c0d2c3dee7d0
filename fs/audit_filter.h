/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/audit_filter.h - which records of the log an auditor asks for.
 *
 * One meaning for the daemon and for a copied log. A journal is asked for by name. The numbers of
 * journals that bear that name, or once did, say where to look; all records of the one whose last
 * name it is are let through, also from when it was called differently; of the others, and of what
 * was asked of a name that no journal had, those that carry it. Where no numbers are known the name
 * alone decides.
 */
#ifndef FS_AUDIT_FILTER_H
#define FS_AUDIT_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include "../policy/record.h"

struct fs_audit_name {
	uint32_t number; /* of the journal */
	bool last;	 /* the name is the last one that it had, or has */
};
struct fs_audit_names {
	struct fs_audit_name *at; /* each number once */
	size_t n, cap;
};
/* A number that bears or bore the name; a second time: last if either was. -ENOMEM. */
int fs_audit_names_add(struct fs_audit_names *names, uint32_t number, bool last);
void fs_audit_names_clear(struct fs_audit_names *names);

struct fs_audit_filter {
	const char *who, *journal;	    /* NULL or "": any */
	int64_t since_ns, until_ns;	    /* since <= time < until; 0: open */
	uint64_t grant;			    /* an emergency access, 0: all */
	bool own; /* only what was done in the journal, nothing that speaks of it without its number */
	const struct fs_audit_names *names; /* of journal; NULL: not known */
};
/*
 * The numbers to look for, 0 among them unless `own` (records that name a journal without a number); the
 * caller frees. *n 0 and NULL: all have to be looked at. -ENOMEM.
 */
int fs_audit_numbers(const struct fs_audit_filter *f, uint32_t **out, size_t *n);
bool fs_audit_lets(const struct fs_audit_filter *f, const struct policy_record *r);

#endif
