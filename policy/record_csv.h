/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record_csv.h - a record as one line of CSV (RFC 4180; FORMAT.md, CSV), and cells that a
 * spreadsheet does not run.
 */
#ifndef POLICY_RECORD_CSV_H
#define POLICY_RECORD_CSV_H

#include "record.h"

/* Both return the length needed, like snprintf, without the end of the line (CR LF). */
size_t policy_record_csv_head(char *out, size_t cap);
size_t policy_record_csv(const struct policy_record *r, char *out, size_t cap);

/*
 * A text as one cell. Escaped as the line for people is. Where a spreadsheet could begin a formula
 * (= + - @ at the start, or behind a separator of any locale: tab , ; | " or a line's end) an
 * apostrophe stands before it; where the text itself has that apostrophe, it gets a second one: so
 * every text can be had back.
 */
size_t policy_csv_cell(const char *text, char *out, size_t cap);

#endif
