/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/review.h - the access review as it comes from the daemon, and its two forms.
 */
#ifndef TOOLS_REVIEW_H
#define TOOLS_REVIEW_H

#include <jansson.h>
#include <stdio.h>

#include "usage.h"

/*
 * What was received. Only what is one a practitioner stays in memory as objects; the journals, of
 * which there may be very many, are written at once.
 */
struct review {
	json_t *head;	 /* NULL until it came */
	json_t *people;	 /* array of "person", each with its "total" and "alone" */
	json_t *changes; /* since the last sign-off: {"practice": [versions], "versions": of journals} */
	const char *unit;
	const struct usage *usage; /* NULL: nobody contributed any */

	FILE *access;	    /* the section on journals, in text; opened by the caller */
	json_int_t used_own; /* of the person under way: journals of his own that he used */
};

/* One item of the stream. 0 or -1 when memory is short or the daemon talks nonsense. */
int tools_review_take(struct review *r, const json_t *item);
/* An item with what the usage knows of it. A new reference; NULL when memory is short. */
json_t *tools_review_with_usage(const struct review *r, const json_t *item);

/* The report for people, access_text in its place. 0 or -1. */
int tools_review_print(const struct review *r, const char *access_text, FILE *to);
/* What follows from all of it, as JSON lines: duties held by one person, rights of one person alone. */
int tools_review_print_json_end(const struct review *r, FILE *to);

#endif
