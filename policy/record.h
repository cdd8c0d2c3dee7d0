/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record.h - what one access log record says, and its bytes.
 *
 * Fields and codes as domain.md (FHIR R4 AuditEvent terms, DICOM types). The
 * encoding is a version byte, a kind and tagged fields (u8 tag, u16 length), so
 * that later versions add fields and older readers skip them. Format:
 * policy/FORMAT.md.
 */
#ifndef POLICY_RECORD_H
#define POLICY_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum policy_record_kind {
	POLICY_RECORD_START = 1, /* log stream starts (subtype 110134) */
	POLICY_RECORD_STOP, /* clean stop (110133) */
	POLICY_RECORD_LOGIN, /* 110122 */
	POLICY_RECORD_LOGOUT, /* 110123 */
	POLICY_RECORD_LOCK,
	POLICY_RECORD_UNLOCK,
	POLICY_RECORD_INTENT, /* these notes may now be read, until `until_ns` */
	POLICY_RECORD_OPEN, /* a note was opened: action R or U */
	POLICY_RECORD_LIST, /* a directory was listed: action E, type 110112 */
	POLICY_RECORD_CREATE, /* file, folder, link: action C */
	POLICY_RECORD_WRITE, /* a note was changed: action U */
	POLICY_RECORD_DELETE, /* action D */
	POLICY_RECORD_RENAME, /* action U; `name2` is the new name */
	POLICY_RECORD_ATTRIBUTE, /* mode, times, xattrs: action U */
	POLICY_RECORD_REFUSED, /* any denied act: outcome 4 */
	POLICY_RECORD_ALARM, /* damage, forgery, rollback, code used twice: type 110113 */
	POLICY_RECORD_POLICY, /* a policy version was accepted (110137) */
	POLICY_RECORD_INVITE, /* (110137) */
	POLICY_RECORD_ENROLL, /* (110137) */
	POLICY_RECORD_KEYS, /* wraps made, keys renewed, key list changed */
	POLICY_RECORD_RECOVER, /* recovery key used */
	POLICY_RECORD_AUDIT, /* the log was read (110101) */
	POLICY_RECORD_CLOSE, /* an opened note was closed: bytes read and written, repeats counted */
	POLICY_RECORD_JOURNAL, /* a journal was made, renamed, removed */
	POLICY_RECORD_ATTEND, /* a clinician stated a care relationship of their own, until `until_ns` (110136) */
	POLICY_RECORD_REVIEW, /* an access review was made or signed off */
	POLICY_RECORD_PROPOSAL, /* a steward proposed what needs a second one; or it was rejected (D) */
	POLICY_RECORD_BREAK_GLASS, /* emergency access begins, until `until_ns` (110127) */
	POLICY_RECORD_BREAK_GLASS_END, /* it is over (110138) */
	POLICY_RECORD_GRANT_REVIEW, /* an emergency access was judged, or its deviation closed */
	POLICY_RECORD_NOTICE, /* of an emergency access: delivered, or not (outcome 8) */
	/* A note became final: action U signed, E locked without signature; `count` is the statement's number. */
	POLICY_RECORD_FINAL,
	POLICY_RECORD_SIGN, /* a final note was signed (U) or countersigned (E) later; `count` as above */
	POLICY_RECORD_ERROR, /* a final note was marked as entered in error */
	POLICY_RECORD_AMEND, /* a draft that amends a final note was made; `name2` is its name */
	POLICY_RECORD_MOVE, /* a note was copied into the journal that it belongs in */
	POLICY_RECORD_EXPORT, /* something left the vault for somebody else (110106) */
	POLICY_RECORD_VERIFY, /* final notes were verified */
	POLICY_RECORD_LOG_REVIEW, /* a systematic or random review of the log was signed off */
	POLICY_RECORD_ARCHIVE, /* old segments of the log were archived or removed, by a signed statement */
	POLICY_RECORD_KIND_COUNT
};

#define POLICY_RECORD_TEXT 256 /* texts longer than 255 bytes are cut at a UTF-8 edge, with "..." */
#define POLICY_RECORD_MAX 65536 /* encoded */

/* A note covered by an intent. */
struct policy_record_note {
	uint64_t note;
	const char *name;
};

struct policy_record {
	uint8_t kind;
	uint64_t seq;
	int64_t time_ns; /* UTC since 1970 */
	uint64_t boot_ns; /* boot-time clock */
	uint8_t session[16]; /* zero: none */
	uint32_t practitioner; /* number, 0 none */
	char who[POLICY_RECORD_TEXT]; /* practitioner name */
	uint32_t uid, pid;
	char program[32]; /* comm, as claimed */
	char role[POLICY_RECORD_TEXT], unit[POLICY_RECORD_TEXT];
	char origin[POLICY_RECORD_TEXT]; /* tty or remote host */
	char action; /* C R U D E, 0 none */
	uint32_t type, subtype; /* DICOM codes, 0 none */
	uint8_t outcome; /* 0 4 8 12 */
	uint32_t journal; /* index, 0 none */
	char journal_name[POLICY_RECORD_TEXT];
	uint64_t note; /* inode number, 0 none */
	char name[POLICY_RECORD_TEXT], name2[POLICY_RECORD_TEXT];
	uint64_t bytes_read, bytes_written, count;
	char rule[POLICY_RECORD_TEXT]; /* what decided */
	uint32_t policy_version;
	uint64_t grant;
	char purpose[16]; /* TREAT, BTG, ... */
	char reason[1024];
	char detail[1024]; /* for people: what the alarm, refusal or change was */
	int64_t until_ns;
	const struct policy_record_note *notes; /* INTENT; owned by the caller */
	size_t note_count;
	size_t note_total; /* decoded: all that the record names; more than note_count if cap was small */
};

/* Copies text into a field of the record (cap is its size), cut at a UTF-8 edge with "...". */
void policy_record_copy(char *field, size_t cap, const char *text);

/* Fills action, type, subtype, outcome and purpose with the kind's defaults; zeroes the rest. */
void policy_record_init(struct policy_record *r, enum policy_record_kind kind);
const char *policy_record_kind_text(uint8_t kind); /* "open", "refused", ...; "unknown" */
/* The ISO 21089 word for what it did to a note in its life: "originate", "attest", ...; "" for none. */
const char *policy_record_lifecycle(const struct policy_record *r);

/* Only fields that are set are stored. -ENOSPC when cap is too small, -EINVAL for kind 0. */
int policy_record_encode(const struct policy_record *r, uint8_t *out, size_t cap, size_t *len);
/*
 * -EBADMSG. Unknown fields are skipped. Decoded notes are written to notes (at most cap, their
 * names point into p and are NUL-terminated there); r->notes points to them.
 */
int policy_record_decode(const uint8_t *p, size_t len, struct policy_record *r,
			 struct policy_record_note *notes, size_t cap);

/*
 * One line for people, as `audit show` prints it (time in UTC ISO 8601 with ms): control
 * characters and non-UTF-8 bytes of names are escaped. Returns the length that was needed.
 */
size_t policy_record_text(const struct policy_record *r, char *out, size_t cap);
/* One JSON object without newline, RFC 8259, same escaping rules; fields as in FORMAT.md. */
size_t policy_record_json(const struct policy_record *r, char *out, size_t cap);

#endif
