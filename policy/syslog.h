/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/syslog.h - a record as one message of the syslog protocol (RFC 5424), for a practice's
 * own monitoring.
 *
 * Facility authpriv; severity by outcome. Structured data holds the record's codes and numbers, so
 * that nothing has to be read out of the text. Without `names` neither a patient's nor a note's
 * name is in it, nor any text that somebody typed (reason, detail) or that may quote a name (rule):
 * journals and notes are numbers, and the sequence number finds the whole record in the log.
 * Format: FORMAT.md, "Syslog". Pure; nothing is allocated.
 */
#ifndef POLICY_SYSLOG_H
#define POLICY_SYSLOG_H

#include "record.h"

#define POLICY_SYSLOG_MAX 2048u /* bytes; RFC 5424 asks receivers to take that much */

enum policy_forward { POLICY_FORWARD_OFF, POLICY_FORWARD_ON, POLICY_FORWARD_NAMES };

struct policy_syslog {
	const char *host; /* "" or NULL: not known */
	uint32_t pid;
	uint32_t enterprise; /* private enterprise number of the structured data's name */
	bool names;
};

/*
 * One message without a newline, NUL-terminated; its length. What is too long is cut at the edge of
 * a character, with "..."; a parameter that finds no room is left out and cut="1" says so.
 */
size_t policy_syslog_format(const struct policy_record *r, const struct policy_syslog *as,
			    char out[static POLICY_SYSLOG_MAX + 1]);

#endif
