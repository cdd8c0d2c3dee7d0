/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record.c - kinds of access log records and their bytes (FORMAT.md, Records).
 *
 * Invariants: what encodes decodes to the same fields; a record cut short anywhere,
 * or with anything after its end, does not decode (the end field is the last); a
 * field occurs once, except notes; unknown tags are skipped.
 */
#include "record.h"

#include <errno.h>
#include <string.h>

#include "keys/bytes.h"
#include "record_fields.h"
#include "utf8.h"

#define RECORD_VERSION 1

#define FIELD(tag_, type_, member, json_)                                                          \
	{                                                                                          \
		.tag = tag_, .type = POLICY_FIELD_##type_, .json = json_,                          \
		.offset = offsetof(struct policy_record, member),                                  \
		.size = sizeof(((struct policy_record *)0)->member)                                \
	}

const struct policy_field policy_record_fields[] = {
	FIELD(1, U64, seq, "seq"),
	FIELD(2, TIME, time_ns, "time"),
	FIELD(3, U64, boot_ns, "boot_ns"),
	FIELD(4, SESSION, session, "session"),
	FIELD(5, U32, practitioner, "practitioner"),
	FIELD(6, TEXT, who, "who"),
	FIELD(7, U32, uid, "uid"),
	FIELD(8, U32, pid, "pid"),
	FIELD(9, TEXT, program, "program"),
	FIELD(10, TEXT, role, "role"),
	FIELD(11, TEXT, unit, "unit"),
	FIELD(12, TEXT, origin, "origin"),
	FIELD(13, LETTER, action, "action"),
	FIELD(14, U32, type, "type"),
	FIELD(15, U32, subtype, "subtype"),
	FIELD(16, U8, outcome, "outcome"),
	FIELD(17, U32, journal, "journal"),
	FIELD(18, TEXT, journal_name, "journal_name"),
	FIELD(19, ID, note, "note"),
	FIELD(20, TEXT, name, "name"),
	FIELD(21, TEXT, name2, "name2"),
	FIELD(22, U64, bytes_read, "bytes_read"),
	FIELD(23, U64, bytes_written, "bytes_written"),
	FIELD(24, U64, count, "count"),
	FIELD(25, TEXT, rule, "rule"),
	FIELD(26, U32, policy_version, "policy_version"),
	FIELD(27, ID, grant, "grant"),
	FIELD(28, TEXT, purpose, "purpose"),
	FIELD(29, TEXT, reason, "reason"),
	FIELD(30, TEXT, detail, "detail"),
	FIELD(31, TIME, until_ns, "until"),
};
const size_t policy_record_field_count =
	sizeof(policy_record_fields) / sizeof(policy_record_fields[0]);

static const struct {
	const char *text;
	char action;
	uint8_t outcome;
	uint32_t type, subtype;
	const char *purpose;
} kinds[POLICY_RECORD_KIND_COUNT] = {
	[POLICY_RECORD_START] = {"start", 'E', 0, 110113, 110134, "HSYSADMIN"},
	[POLICY_RECORD_STOP] = {"stop", 'E', 0, 110113, 110133, "HSYSADMIN"},
	[POLICY_RECORD_LOGIN] = {"login", 'E', 0, 110114, 110122, ""},
	[POLICY_RECORD_LOGOUT] = {"logout", 'E', 0, 110114, 110123, ""},
	[POLICY_RECORD_LOCK] = {"lock", 'E', 0, 110114, 0, ""},
	[POLICY_RECORD_UNLOCK] = {"unlock", 'E', 0, 110114, 0, ""},
	[POLICY_RECORD_INTENT] = {"intent", 'R', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_OPEN] = {"open", 'R', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_LIST] = {"list", 'E', 0, 110112, 0, "TREAT"},
	[POLICY_RECORD_CREATE] = {"create", 'C', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_WRITE] = {"write", 'U', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_DELETE] = {"delete", 'D', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_RENAME] = {"rename", 'U', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_ATTRIBUTE] = {"attribute", 'U', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_REFUSED] = {"refused", 'E', 4, 110110, 0, ""},
	[POLICY_RECORD_ALARM] = {"alarm", 'E', 8, 110113, 0, ""},
	[POLICY_RECORD_POLICY] = {"policy", 'U', 0, 110113, 110137, "HSYSADMIN"},
	[POLICY_RECORD_INVITE] = {"invite", 'C', 0, 110113, 110137, "HSYSADMIN"},
	[POLICY_RECORD_ENROLL] = {"enroll", 'U', 0, 110113, 110137, "HSYSADMIN"},
	[POLICY_RECORD_KEYS] = {"keys", 'U', 0, 110113, 110137, "HSYSADMIN"},
	[POLICY_RECORD_RECOVER] = {"recover", 'U', 0, 110113, 110137, "HSYSADMIN"},
	[POLICY_RECORD_AUDIT] = {"audit", 'R', 0, 110101, 0, "HCOMPL"},
	[POLICY_RECORD_CLOSE] = {"close", 'E', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_JOURNAL] = {"journal", 'C', 0, 110110, 0, "PATADMIN"},
	[POLICY_RECORD_ATTEND] = {"attend", 'U', 0, 110113, 110136, "TREAT"},
	[POLICY_RECORD_REVIEW] = {"review", 'E', 0, 110113, 0, "HCOMPL"},
	[POLICY_RECORD_PROPOSAL] = {"proposal", 'C', 0, 110113, 110137, "HSYSADMIN"},
	[POLICY_RECORD_BREAK_GLASS] = {"break-glass", 'E', 0, 110113, 110127, "BTG"},
	[POLICY_RECORD_BREAK_GLASS_END] = {"break-glass-end", 'E', 0, 110113, 110138, "BTG"},
	[POLICY_RECORD_GRANT_REVIEW] = {"grant-review", 'U', 0, 110113, 0, "HCOMPL"},
	[POLICY_RECORD_NOTICE] = {"notice", 'E', 0, 110113, 0, "HCOMPL"},
	[POLICY_RECORD_FINAL] = {"finalize", 'U', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_SIGN] = {"sign", 'U', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_ERROR] = {"entered-in-error", 'U', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_AMEND] = {"amend", 'C', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_MOVE] = {"move-note", 'C', 0, 110110, 0, "TREAT"},
	[POLICY_RECORD_EXPORT] = {"export", 'R', 0, 110106, 0, "TREAT"},
	[POLICY_RECORD_VERIFY] = {"verify", 'R', 0, 110110, 0, "HQUALIMP"},
	[POLICY_RECORD_LOG_REVIEW] = {"log-review", 'E', 0, 110101, 0, "HCOMPL"},
	[POLICY_RECORD_ARCHIVE] = {"archive", 'D', 0, 110113, 0, "RECORDMGT"},
};

void policy_record_copy(char *field, size_t cap, const char *text)
{
	size_t len = strlen(text), n;

	if (!cap)
		return;
	if (len < cap) {
		memcpy(field, text, len + 1);
		return;
	}
	n = policy_utf8_cut(text, len, cap > 4 ? cap - 4 : 0);
	memcpy(field, text, n);
	memset(field + n, 0, cap - n);
	for (size_t i = 0; i < 3 && n + i + 1 < cap; i++)
		field[n + i] = '.';
}

void policy_record_init(struct policy_record *r, enum policy_record_kind kind)
{
	memset(r, 0, sizeof(*r));
	r->kind = (uint8_t)kind;
	if ((unsigned)kind >= POLICY_RECORD_KIND_COUNT || !kinds[kind].text)
		return;
	r->action = kinds[kind].action;
	r->outcome = kinds[kind].outcome;
	r->type = kinds[kind].type;
	r->subtype = kinds[kind].subtype;
	policy_record_copy(r->purpose, sizeof(r->purpose), kinds[kind].purpose);
}

const char *policy_record_kind_text(uint8_t kind)
{
	if (kind >= POLICY_RECORD_KIND_COUNT || !kinds[kind].text)
		return "unknown";
	return kinds[kind].text;
}

const char *policy_record_lifecycle(const struct policy_record *r)
{
	switch (r->kind) {
	case POLICY_RECORD_CREATE:
	case POLICY_RECORD_MOVE:
		return "originate";
	case POLICY_RECORD_OPEN:
	case POLICY_RECORD_VERIFY:
		return "access";
	case POLICY_RECORD_WRITE:
	case POLICY_RECORD_RENAME:
	case POLICY_RECORD_ATTRIBUTE:
	case POLICY_RECORD_AMEND:
		return "amend";
	case POLICY_RECORD_FINAL: /* without signature nobody attests */
		return r->action == 'E' ? "" : "attest";
	case POLICY_RECORD_SIGN:
		return "attest";
	case POLICY_RECORD_DELETE:
	case POLICY_RECORD_ERROR:
		return "deprecate";
	case POLICY_RECORD_EXPORT:
		return "disclose";
	default:
		return "";
	}
}

static unsigned width(const struct policy_field *f)
{
	switch (f->type) {
	case POLICY_FIELD_U8:
	case POLICY_FIELD_LETTER:
		return 1;
	case POLICY_FIELD_U32:
		return 4;
	case POLICY_FIELD_SESSION:
		return 16;
	case POLICY_FIELD_TEXT:
		return 0;
	default:
		return 8;
	}
}

uint64_t policy_record_integer(const struct policy_record *r, const struct policy_field *f)
{
	const char *at = (const char *)r + f->offset;
	uint64_t v64;
	uint32_t v32;

	switch (width(f)) {
	case 1:
		return (unsigned char)*at;
	case 4:
		memcpy(&v32, at, sizeof(v32));
		return v32;
	case 8:
		memcpy(&v64, at, sizeof(v64));
		return v64;
	default:
		return 0;
	}
}

static void integer_set(struct policy_record *r, const struct policy_field *f, uint64_t v)
{
	char *at = (char *)r + f->offset;
	uint32_t v32 = (uint32_t)v;

	switch (width(f)) {
	case 1:
		*at = (char)v;
		break;
	case 4:
		memcpy(at, &v32, sizeof(v32));
		break;
	default:
		memcpy(at, &v, sizeof(v));
	}
}

static void field_encode(struct bytes_out *out, const struct policy_record *r,
			 const struct policy_field *f)
{
	static const uint8_t none[16];
	const char *at = (const char *)r + f->offset;
	uint64_t v = policy_record_integer(r, f);
	size_t n = width(f);

	if (f->type == POLICY_FIELD_TEXT)
		n = strnlen(at, f->size - 1u);
	else if (f->type == POLICY_FIELD_SESSION)
		n = memcmp(at, none, n) ? n : 0;
	else
		n = v ? n : 0;
	if (!n)
		return;
	bytes_put_u8(out, f->tag);
	bytes_put_u16(out, (uint16_t)n);
	if (f->type == POLICY_FIELD_TEXT || f->type == POLICY_FIELD_SESSION)
		bytes_put(out, at, n);
	else
		bytes_put_le(out, v, (unsigned)n);
}

static void note_encode(struct bytes_out *out, const struct policy_record_note *note)
{
	char name[POLICY_RECORD_TEXT];
	size_t n;

	policy_record_copy(name, sizeof(name), note->name ? note->name : "");
	n = strlen(name) + 1;
	bytes_put_u8(out, POLICY_TAG_NOTE);
	bytes_put_u16(out, (uint16_t)(8 + n));
	bytes_put_u64(out, note->note);
	bytes_put(out, name, n);
}

int policy_record_encode(const struct policy_record *r, uint8_t *out, size_t cap, size_t *len)
{
	struct bytes_out to = bytes_out(out, cap < POLICY_RECORD_MAX ? cap : POLICY_RECORD_MAX);

	if (!r->kind)
		return -EINVAL;
	bytes_put_u8(&to, RECORD_VERSION);
	bytes_put_u8(&to, r->kind);
	for (size_t i = 0; i < policy_record_field_count; i++)
		field_encode(&to, r, &policy_record_fields[i]);
	for (size_t i = 0; i < r->note_count && !to.bad; i++)
		note_encode(&to, &r->notes[i]);
	bytes_put_u8(&to, POLICY_TAG_END);
	bytes_put_u16(&to, 0);
	if (to.bad)
		return -ENOSPC;
	*len = to.len;
	return 0;
}

static const struct policy_field *field_find(uint8_t tag)
{
	for (size_t i = 0; i < policy_record_field_count; i++)
		if (policy_record_fields[i].tag == tag)
			return &policy_record_fields[i];
	return NULL;
}

static bool field_decode(struct bytes_in *in, struct policy_record *r, const struct policy_field *f)
{
	char *at = (char *)r + f->offset;
	uint64_t v;

	if (f->type == POLICY_FIELD_TEXT) {
		if (!in->len || in->len >= f->size || memchr(in->p, 0, in->len))
			return false;
		bytes_get(in, at, in->len);
		return true;
	}
	if (in->len != width(f))
		return false;
	if (f->type == POLICY_FIELD_SESSION) {
		bytes_get(in, at, in->len);
		return true;
	}
	v = bytes_get_le(in, (unsigned)in->len);
	if (f->type == POLICY_FIELD_LETTER && !strchr("CRUDE", (int)v))
		return false;
	integer_set(r, f, v);
	return v != 0;
}

static bool note_decode(struct bytes_in *in, struct policy_record *r,
			struct policy_record_note *notes, size_t cap)
{
	uint64_t note = bytes_get_u64(in);
	size_t n = in->len - in->off;
	const char *name = (const char *)bytes_take(in, n);

	if (in->bad || !n || n > POLICY_RECORD_TEXT || memchr(name, 0, n) != name + n - 1)
		return false;
	r->note_total++;
	if (r->note_count < cap)
		notes[r->note_count++] = (struct policy_record_note){.note = note, .name = name};
	return true;
}

static bool fields_decode(struct bytes_in *in, struct policy_record *r,
			  struct policy_record_note *notes, size_t cap)
{
	bool seen[UINT8_MAX + 1] = {false};

	while (!in->bad) {
		uint8_t tag = bytes_get_u8(in);
		uint16_t len = bytes_get_u16(in);
		const uint8_t *value = bytes_take(in, len);
		const struct policy_field *f = field_find(tag);
		struct bytes_in field;

		if (in->bad)
			return false;
		if (tag == POLICY_TAG_END)
			return !len && bytes_in_done(in);
		field = bytes_in(value, len);
		if (tag == POLICY_TAG_NOTE && !note_decode(&field, r, notes, cap))
			return false;
		if (!f)
			continue;
		if (seen[tag] || !field_decode(&field, r, f))
			return false;
		seen[tag] = true;
	}
	return false;
}

int policy_record_decode(const uint8_t *p, size_t len, struct policy_record *r,
			 struct policy_record_note *notes, size_t cap)
{
	struct bytes_in in = bytes_in(p, len);
	struct policy_record got;

	if (len > POLICY_RECORD_MAX || bytes_get_u8(&in) != RECORD_VERSION)
		return -EBADMSG;
	memset(&got, 0, sizeof(got));
	got.kind = bytes_get_u8(&in);
	if (!got.kind || !fields_decode(&in, &got, notes, cap))
		return -EBADMSG;
	got.notes = got.note_count ? notes : NULL;
	*r = got;
	return 0;
}
