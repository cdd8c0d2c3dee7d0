/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access log records: their bytes, their line for people, their JSON.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/record.h"

#define NOTES 8

static void full(struct policy_record *r)
{
	policy_record_init(r, POLICY_RECORD_OPEN);
	r->seq = 42;
	r->time_ns = INT64_C(1795269787123456789);
	r->boot_ns = 77;
	memset(r->session, 0xab, sizeof(r->session));
	r->practitioner = 7;
	strcpy(r->who, "anna");
	r->uid = 1000;
	r->pid = 4242;
	strcpy(r->program, "less");
	strcpy(r->role, "physician");
	strcpy(r->unit, "north");
	strcpy(r->origin, "tty1");
	r->journal = 3;
	strcpy(r->journal_name, "010190-1234 Hansen, Anna");
	r->note = UINT64_C(0x7fffff0000000001);
	strcpy(r->name, "note.txt");
	strcpy(r->name2, "note2.txt");
	r->bytes_read = 10;
	r->bytes_written = 11;
	r->count = 12;
	strcpy(r->rule, "allow user:anna:rwx (line 3)");
	r->policy_version = 5;
	r->grant = 6;
	strcpy(r->reason, "covering");
	strcpy(r->detail, "detail");
	r->outcome = 12;
	r->subtype = 110122;
	r->until_ns = r->time_ns + 1;
}

static void same(const struct policy_record *a, const struct policy_record *b)
{
	ck_assert_uint_eq(a->kind, b->kind);
	ck_assert_uint_eq(a->seq, b->seq);
	ck_assert_int_eq(a->time_ns, b->time_ns);
	ck_assert_uint_eq(a->boot_ns, b->boot_ns);
	ck_assert_mem_eq(a->session, b->session, sizeof(a->session));
	ck_assert_uint_eq(a->practitioner, b->practitioner);
	ck_assert_str_eq(a->who, b->who);
	ck_assert_uint_eq(a->uid, b->uid);
	ck_assert_uint_eq(a->pid, b->pid);
	ck_assert_str_eq(a->program, b->program);
	ck_assert_str_eq(a->role, b->role);
	ck_assert_str_eq(a->unit, b->unit);
	ck_assert_str_eq(a->origin, b->origin);
	ck_assert_int_eq(a->action, b->action);
	ck_assert_uint_eq(a->type, b->type);
	ck_assert_uint_eq(a->subtype, b->subtype);
	ck_assert_uint_eq(a->outcome, b->outcome);
	ck_assert_uint_eq(a->journal, b->journal);
	ck_assert_str_eq(a->journal_name, b->journal_name);
	ck_assert_uint_eq(a->note, b->note);
	ck_assert_str_eq(a->name, b->name);
	ck_assert_str_eq(a->name2, b->name2);
	ck_assert_uint_eq(a->bytes_read, b->bytes_read);
	ck_assert_uint_eq(a->bytes_written, b->bytes_written);
	ck_assert_uint_eq(a->count, b->count);
	ck_assert_str_eq(a->rule, b->rule);
	ck_assert_uint_eq(a->policy_version, b->policy_version);
	ck_assert_uint_eq(a->grant, b->grant);
	ck_assert_str_eq(a->purpose, b->purpose);
	ck_assert_str_eq(a->reason, b->reason);
	ck_assert_str_eq(a->detail, b->detail);
	ck_assert_int_eq(a->until_ns, b->until_ns);
	ck_assert_uint_eq(a->note_count, b->note_count);
	for (size_t i = 0; i < a->note_count; i++) {
		ck_assert_uint_eq(a->notes[i].note, b->notes[i].note);
		ck_assert_str_eq(a->notes[i].name, b->notes[i].name);
	}
}

static size_t encoded(const struct policy_record *r, uint8_t *out, size_t cap)
{
	size_t len = 0;

	ck_assert_int_eq(policy_record_encode(r, out, cap, &len), 0);
	return len;
}

START_TEST(record_of_every_field_comes_back)
{
	static const struct policy_record_note notes[] = {{1, "a.txt"}, {2, ""}};
	struct policy_record_note got_notes[NOTES];
	struct policy_record r, got;
	uint8_t bytes[4096];

	full(&r);
	r.notes = notes;
	r.note_count = 2;
	ck_assert_int_eq(policy_record_decode(bytes, encoded(&r, bytes, sizeof(bytes)), &got,
					      got_notes, NOTES),
			 0);
	same(&r, &got);
	ck_assert_uint_eq(got.note_total, 2);
}
END_TEST

START_TEST(record_of_every_kind_comes_back)
{
	struct policy_record r, got;
	uint8_t bytes[256];

	for (uint8_t kind = 1; kind < POLICY_RECORD_KIND_COUNT; kind++) {
		policy_record_init(&r, kind);
		r.time_ns = -1;
		ck_assert_str_ne(policy_record_kind_text(kind), "unknown");
		ck_assert(r.type >= 110101 && r.type <= 110138);
		ck_assert_int_eq(policy_record_decode(bytes, encoded(&r, bytes, sizeof(bytes)),
						      &got, NULL, 0),
				 0);
		same(&r, &got);
	}
	ck_assert_str_eq(policy_record_kind_text(0), "unknown");
	ck_assert_str_eq(policy_record_kind_text(POLICY_RECORD_KIND_COUNT), "unknown");
}
END_TEST

START_TEST(record_defaults_are_the_standard_codes)
{
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_LOGIN);
	ck_assert_uint_eq(r.type, 110114);
	ck_assert_uint_eq(r.subtype, 110122);
	policy_record_init(&r, POLICY_RECORD_REFUSED);
	ck_assert_uint_eq(r.outcome, 4);
	policy_record_init(&r, POLICY_RECORD_LIST);
	ck_assert_uint_eq(r.type, 110112);
	ck_assert_int_eq(r.action, 'E');
	policy_record_init(&r, POLICY_RECORD_ALARM);
	ck_assert_uint_eq(r.type, 110113);
	policy_record_init(&r, POLICY_RECORD_INTENT);
	ck_assert_str_eq(r.purpose, "TREAT");
	policy_record_init(&r, POLICY_RECORD_AUDIT);
	ck_assert_uint_eq(r.type, 110101);
}
END_TEST

START_TEST(record_that_is_empty_stores_only_its_frame)
{
	static const uint8_t want[] = {1, POLICY_RECORD_STOP, 0, 0, 0};
	struct policy_record r = {.kind = POLICY_RECORD_STOP};
	uint8_t bytes[16];

	ck_assert_uint_eq(encoded(&r, bytes, sizeof(bytes)), sizeof(want));
	ck_assert_mem_eq(bytes, want, sizeof(want));
	r.kind = 0;
	ck_assert_int_eq(policy_record_encode(&r, bytes, sizeof(bytes), &(size_t){0}), -EINVAL);
}
END_TEST

START_TEST(record_bytes_are_those_of_the_format)
{
	/* The worked example of FORMAT.md. */
	static const uint8_t want[] = {1, 8,   1,   8,	 0,   42,  0,	0,   0,	  0,  0,
				       0, 0,   6,   4,	 0,   'a', 'n', 'n', 'a', 13, 1,
				       0, 'R', 64,  14,	 0,   9,   0,	0,   0,	  0,  0,
				       0, 0,   'a', '.', 't', 'x', 't', 0,   0,	  0,  0};
	static const struct policy_record_note note = {9, "a.txt"};
	struct policy_record r = {.kind = POLICY_RECORD_OPEN, .seq = 42, .action = 'R'};
	uint8_t bytes[64];

	strcpy(r.who, "anna");
	r.notes = &note;
	r.note_count = 1;
	ck_assert_uint_eq(encoded(&r, bytes, sizeof(bytes)), sizeof(want));
	ck_assert_mem_eq(bytes, want, sizeof(want));
}
END_TEST

START_TEST(record_cut_at_any_length_is_refused)
{
	static const struct policy_record_note notes[] = {{1, "a.txt"}};
	struct policy_record_note got_notes[NOTES];
	struct policy_record r, got, before;
	uint8_t bytes[4096];
	size_t len;

	full(&r);
	r.notes = notes;
	r.note_count = 1;
	len = encoded(&r, bytes, sizeof(bytes));
	memset(&got, 0x5a, sizeof(got));
	before = got;
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n ? n : 1);

		ck_assert_ptr_nonnull(cut);
		memcpy(cut, bytes, n);
		ck_assert_int_eq(policy_record_decode(cut, n, &got, got_notes, NOTES), -EBADMSG);
		free(cut);
	}
	ck_assert_mem_eq(&got, &before, sizeof(got));
	bytes[len] = 0;
	ck_assert_int_eq(policy_record_decode(bytes, len + 1, &got, got_notes, NOTES), -EBADMSG);
}
END_TEST

START_TEST(record_without_room_is_not_encoded)
{
	struct policy_record r;
	uint8_t bytes[4096];
	size_t len, got = 999;

	full(&r);
	len = encoded(&r, bytes, sizeof(bytes));
	for (size_t cap = 0; cap < len; cap++)
		ck_assert_int_eq(policy_record_encode(&r, bytes, cap, &got), -ENOSPC);
	ck_assert_uint_eq(got, 999);
	ck_assert_int_eq(policy_record_encode(&r, bytes, len, &got), 0);
}
END_TEST

START_TEST(record_with_an_unknown_field_is_read_without_it)
{
	static const uint8_t bytes[] = {
		1, POLICY_RECORD_OPEN, 200, 3, 0, 9, 9, 9, 13, 1, 0, 'U', 40, 0, 0, 0, 0, 0};
	struct policy_record got;

	ck_assert_int_eq(policy_record_decode(bytes, sizeof(bytes), &got, NULL, 0), 0);
	ck_assert_int_eq(got.action, 'U');
}
END_TEST

static const struct {
	uint8_t bytes[24];
	size_t len;
} broken[] = {
	{{2, 8, 0, 0, 0}, 5},				 /* version */
	{{1, 0, 0, 0, 0}, 5},				 /* no kind */
	{{1, 8, 0, 1, 0, 0}, 6},			 /* end with a value */
	{{1, 8, 13, 1, 0, 'X', 0, 0, 0}, 9},		 /* no such action */
	{{1, 8, 13, 1, 0, 0, 0, 0, 0}, 9},		 /* action 0 is not stored */
	{{1, 8, 16, 2, 0, 4, 0, 0, 0, 0}, 10},		 /* wrong width */
	{{1, 8, 16, 1, 0, 0, 0, 0, 0}, 9},		 /* zero is not stored */
	{{1, 8, 16, 1, 0, 4, 16, 1, 0, 4, 0, 0, 0}, 13}, /* twice */
	{{1, 8, 6, 0, 0, 0, 0, 0}, 8},			 /* empty text */
	{{1, 8, 6, 2, 0, 'a', 0, 0, 0, 0}, 10},		 /* NUL in text */
	{{1,   8,   28,	 16,  0,   'a', 'a', 'a', 'a', 'a', 'a', 'a',
	  'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 0,   0,	 0},
	 24},								/* too long for its field */
	{{1, 8, 64, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 16},	/* note without name */
	{{1, 8, 64, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 0, 0}, 17},	/* not terminated */
	{{1, 8, 64, 10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 18}, /* NUL inside */
	{{1, 8, 64, 4, 0, 1, 0, 0, 0, 0, 0, 0}, 12},			/* short number */
};

START_TEST(record_with_broken_bytes_is_refused)
{
	struct policy_record_note notes[NOTES];
	struct policy_record got;

	ck_assert_int_eq(policy_record_decode(broken[_i].bytes, broken[_i].len, &got, notes, NOTES),
			 -EBADMSG);
}
END_TEST

START_TEST(intent_of_more_notes_than_room_says_how_many)
{
	static const struct policy_record_note notes[] = {{1, "a"}, {2, "b"}, {3, "c"}, {4, "d"}};
	struct policy_record_note got_notes[2];
	struct policy_record r, got;
	uint8_t bytes[512];
	size_t len;
	char text[512];

	policy_record_init(&r, POLICY_RECORD_INTENT);
	strcpy(r.journal_name, "J");
	r.notes = notes;
	r.note_count = 4;
	len = encoded(&r, bytes, sizeof(bytes));
	ck_assert_int_eq(policy_record_decode(bytes, len, &got, got_notes, 2), 0);
	ck_assert_uint_eq(got.note_count, 2);
	ck_assert_uint_eq(got.note_total, 4);
	ck_assert_str_eq(got.notes[1].name, "b");
	policy_record_text(&got, text, sizeof(text));
	ck_assert_str_eq(text, "1970-01-01 00:00:00.000Z  may read  \"J\" / a, b (4 notes)  TREAT");
	ck_assert_int_eq(policy_record_decode(bytes, len, &got, NULL, 0), 0);
	ck_assert_uint_eq(got.note_total, 4);
	ck_assert_ptr_null(got.notes);
}
END_TEST

START_TEST(intent_of_many_long_names_fits_or_is_refused)
{
	enum { MANY = 300 };
	static struct policy_record_note notes[MANY], got_notes[MANY];
	static uint8_t bytes[POLICY_RECORD_MAX];
	struct policy_record r, got;
	char name[400];
	size_t len = 0;

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (unsigned i = 0; i < MANY; i++)
		notes[i] = (struct policy_record_note){.note = i, .name = name};
	policy_record_init(&r, POLICY_RECORD_INTENT);
	r.notes = notes;
	r.note_count = MANY;
	ck_assert_int_eq(policy_record_encode(&r, bytes, sizeof(bytes), &len), -ENOSPC);
	r.note_count = 240;
	ck_assert_int_eq(policy_record_encode(&r, bytes, sizeof(bytes), &len), 0);
	ck_assert_int_eq(policy_record_decode(bytes, len, &got, got_notes, MANY), 0);
	ck_assert_uint_eq(got.note_count, 240);
	ck_assert_uint_eq(strlen(got.notes[239].name), 255);
	ck_assert_str_eq(got.notes[239].name + 252, "...");
}
END_TEST

START_TEST(record_text_is_cut_between_characters)
{
	char field[16];

	policy_record_copy(field, sizeof(field), "fifteen bytes.!");
	ck_assert_str_eq(field, "fifteen bytes.!");
	policy_record_copy(field, sizeof(field), "sixteen bytes..!");
	ck_assert_str_eq(field, "sixteen byte...");
	/* The eleventh character, two bytes, would end behind the room. */
	policy_record_copy(field, sizeof(field), "12345678901\xc3\xb8z45");
	ck_assert_str_eq(field, "12345678901...");
	policy_record_copy(field, sizeof(field), "1234567890\xf0\x9f\x98\x80z45");
	ck_assert_str_eq(field, "1234567890...");
	policy_record_copy(field, sizeof(field), "1234567890\xc3\xb8z4567");
	ck_assert_str_eq(field, "1234567890\xc3\xb8...");
	policy_record_copy(field, 1, "a");
	ck_assert_str_eq(field, "");
	policy_record_copy(field, 3, "abc");
	ck_assert_str_eq(field, "..");
}
END_TEST

START_TEST(line_reads_as_documented)
{
	struct policy_record r;
	char text[1024];

	policy_record_init(&r, POLICY_RECORD_OPEN);
	r.time_ns = INT64_C(1795269787123456789);
	strcpy(r.who, "anna");
	strcpy(r.role, "physician");
	strcpy(r.unit, "north");
	strcpy(r.journal_name, "010190-1234 Hansen, Anna");
	strcpy(r.name, "note.txt");
	strcpy(r.rule, "allow user:anna:rwx (line 3)");
	policy_record_text(&r, text, sizeof(text));
	ck_assert_str_eq(text, "2026-11-21 14:03:07.123Z  anna (physician, north)  opened  "
			       "\"010190-1234 Hansen, Anna\" / note.txt  TREAT  "
			       "allow user:anna:rwx (line 3)");
	r.kind = POLICY_RECORD_REFUSED;
	r.outcome = 4;
	r.purpose[0] = '\0';
	strcpy(r.rule, "block unit:south (line 5)");
	strcpy(r.detail, "open for writing");
	policy_record_text(&r, text, sizeof(text));
	ck_assert_str_eq(text,
			 "2026-11-21 14:03:07.123Z  anna (physician, north)  REFUSED  "
			 "\"010190-1234 Hansen, Anna\" / note.txt  block unit:south (line 5)  "
			 "open for writing");
}
END_TEST

static const struct {
	uint8_t kind;
	char action;
	const char *line, *lifecycle;
} final[] = {
	{POLICY_RECORD_FINAL, 'U', "finalized", "attest"},
	{POLICY_RECORD_FINAL, 'E', "locked without signature", ""},
	{POLICY_RECORD_SIGN, 'U', "signed", "attest"},
	{POLICY_RECORD_SIGN, 'E', "countersigned", "attest"},
	{POLICY_RECORD_ERROR, 'U', "marked as entered in error", "deprecate"},
	{POLICY_RECORD_AMEND, 'C', "began an amendment of", "amend"},
	{POLICY_RECORD_MOVE, 'C', "copied into its right journal", "originate"},
	{POLICY_RECORD_EXPORT, 'R', "exported", "disclose"},
};

START_TEST(line_of_a_final_note_names_the_statement)
{
	char text[1024], want[1024], json[1024];
	struct policy_record r;

	policy_record_init(&r, final[_i].kind);
	/* The usual action is the first of a kind. */
	if (!_i || final[_i - 1].kind != final[_i].kind)
		ck_assert_int_eq(r.action, final[_i].action);
	r.action = final[_i].action;
	strcpy(r.who, "anna");
	strcpy(r.journal_name, "Hansen");
	strcpy(r.name, "visit.odt");
	r.count = 7;
	policy_record_text(&r, text, sizeof(text));
	snprintf(want, sizeof(want),
		 "1970-01-01 00:00:00.000Z  anna  %s  \"Hansen\" / visit.odt  statement 7  TREAT",
		 final[_i].line);
	ck_assert_str_eq(text, want);
	ck_assert_str_eq(policy_record_lifecycle(&r), final[_i].lifecycle);
	policy_record_json(&r, json, sizeof(json));
	snprintf(want, sizeof(want), "\"lifecycle\":\"%s\"", final[_i].lifecycle);
	ck_assert_int_eq(strstr(json, want) != NULL, *final[_i].lifecycle != '\0');
}
END_TEST

START_TEST(line_of_a_verification_is_one_of_quality)
{
	struct policy_record r;
	char text[256];

	policy_record_init(&r, POLICY_RECORD_VERIFY);
	strcpy(r.journal_name, "Hansen");
	policy_record_text(&r, text, sizeof(text));
	ck_assert_str_eq(text,
			 "1970-01-01 00:00:00.000Z  verified final notes  \"Hansen\"  HQUALIMP");
	ck_assert_str_eq(policy_record_lifecycle(&r), "access");
	policy_record_init(&r, POLICY_RECORD_LOGIN);
	ck_assert_str_eq(policy_record_lifecycle(&r), "");
}
END_TEST

START_TEST(line_of_every_field_holds_them_all)
{
	struct policy_record r;
	char text[1024];

	full(&r);
	policy_record_text(&r, text, sizeof(text));
	ck_assert_str_eq(text,
			 "2026-11-21 14:03:07.123Z  anna (physician, north)  opened FAILED  "
			 "\"010190-1234 Hansen, Anna\" / note.txt -> note2.txt  read 10 bytes  "
			 "wrote 11 bytes  12 times  until 2026-11-21 14:03:07Z  TREAT  "
			 "allow user:anna:rwx (line 3)  grant 6  policy version 5  detail  "
			 "reason \"covering\"  from tty1  by less");
}
END_TEST

START_TEST(line_never_holds_what_a_terminal_acts_on)
{
	struct policy_record r;
	char text[2048];

	policy_record_init(&r, POLICY_RECORD_OPEN);
	strcpy(r.who, "an\x1b[31mna");
	strcpy(r.journal_name, "a\"b\\c\r\n\x7f\xc2\x9b\xe2\x80\xae");
	strcpy(r.name, "x\xff\xfe y  TREAT");
	strcpy(r.rule, "\tr\\");
	strcpy(r.program, "\x07");
	policy_record_text(&r, text, sizeof(text));
	ck_assert_str_eq(text, "1970-01-01 00:00:00.000Z  an\\x1b[31mna  opened  "
			       "\"a\\\"b\\\\c\\x0d\\x0a\\x7f\\xc2\\x9b\\xe2\\x80\\xae\" / "
			       "\"x\\xff\\xfe y  TREAT\"  TREAT  \\x09r\\\\  by \\x07");
	for (const char *p = text; *p; p++)
		ck_assert(*p >= ' ' && *p < 0x7f);
}
END_TEST

START_TEST(line_without_room_is_cut_and_says_its_length)
{
	struct policy_record r;
	char text[1024], part[1024];
	size_t len;

	full(&r);
	len = policy_record_text(&r, text, sizeof(text));
	ck_assert_uint_eq(len, strlen(text));
	ck_assert_uint_eq(policy_record_text(&r, NULL, 0), len);
	for (size_t cap = 1; cap <= len + 1; cap++) {
		memset(part, 'x', sizeof(part));
		ck_assert_uint_eq(policy_record_text(&r, part, cap), len);
		ck_assert_uint_eq(strlen(part), cap - 1);
		ck_assert_int_eq(strncmp(part, text, cap - 1), 0);
	}
}
END_TEST

START_TEST(json_of_every_field_holds_them_all)
{
	static const struct policy_record_note notes[] = {{1, "a.txt"}, {2, "b"}};
	struct policy_record r;
	char text[2048];

	full(&r);
	r.notes = notes;
	r.note_count = 2;
	ck_assert_uint_eq(policy_record_json(&r, text, sizeof(text)), strlen(text));
	ck_assert_str_eq(
		text, "{\"kind\":\"open\",\"lifecycle\":\"access\",\"seq\":42,\"time\":\"2026-11-"
		      "21T14:03:07.123456789Z\","
		      "\"boot_ns\":77,\"session\":\"abababababababababababababababab\","
		      "\"practitioner\":7,\"who\":\"anna\",\"uid\":1000,\"pid\":4242,"
		      "\"program\":\"less\",\"role\":\"physician\",\"unit\":\"north\","
		      "\"origin\":\"tty1\",\"action\":\"R\",\"type\":110110,\"subtype\":110122,"
		      "\"outcome\":12,\"journal\":3,\"journal_name\":\"010190-1234 Hansen, Anna\","
		      "\"note\":\"9223370937343148033\",\"name\":\"note.txt\","
		      "\"name2\":\"note2.txt\",\"bytes_read\":10,\"bytes_written\":11,\"count\":12,"
		      "\"rule\":\"allow user:anna:rwx (line 3)\",\"policy_version\":5,"
		      "\"grant\":\"6\",\"purpose\":\"TREAT\",\"reason\":\"covering\","
		      "\"detail\":\"detail\",\"until\":\"2026-11-21T14:03:07.123456790Z\","
		      "\"notes\":[{\"note\":\"1\",\"name\":\"a.txt\"},"
		      "{\"note\":\"2\",\"name\":\"b\"}]}");
}
END_TEST

START_TEST(json_escapes_everything_that_needs_it)
{
	struct policy_record r = {.kind = 200};
	char text[512];

	strcpy(r.name, "a\"b\\c\x01\n\x7f\xc2\x85\xe2\x80\xae\xff\xc3\xc3\xb8\xed\xa0\x80");
	policy_record_json(&r, text, sizeof(text));
	ck_assert_str_eq(text,
			 "{\"kind\":\"unknown\",\"kind_code\":200,"
			 "\"time\":\"1970-01-01T00:00:00.000000000Z\",\"outcome\":0,"
			 "\"name\":\"a\\\"b\\\\c\\u0001\\u000a\\u007f\\u0085\\u202e\\ufffd\\ufffd"
			 "\xc3\xb8\\ufffd\\ufffd\\ufffd\"}");
}
END_TEST

START_TEST(time_at_the_ends_of_its_range_is_written)
{
	struct policy_record r = {.kind = POLICY_RECORD_STOP, .time_ns = INT64_MIN};
	char text[128];

	policy_record_text(&r, text, sizeof(text));
	ck_assert_str_eq(text, "1677-09-21 00:12:43.145Z  log stopped");
	r.time_ns = INT64_MAX;
	policy_record_text(&r, text, sizeof(text));
	ck_assert_str_eq(text, "2262-04-11 23:47:16.854Z  log stopped");
	r.time_ns = -1;
	policy_record_text(&r, text, sizeof(text));
	ck_assert_str_eq(text, "1969-12-31 23:59:59.999Z  log stopped");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_record");
	TCase *t = tcase_create("record");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, record_of_every_field_comes_back);
	tcase_add_test(t, record_of_every_kind_comes_back);
	tcase_add_test(t, record_defaults_are_the_standard_codes);
	tcase_add_test(t, record_that_is_empty_stores_only_its_frame);
	tcase_add_test(t, record_bytes_are_those_of_the_format);
	tcase_add_test(t, record_cut_at_any_length_is_refused);
	tcase_add_test(t, record_without_room_is_not_encoded);
	tcase_add_test(t, record_with_an_unknown_field_is_read_without_it);
	tcase_add_loop_test(t, record_with_broken_bytes_is_refused, 0,
			    (int)(sizeof(broken) / sizeof(broken[0])));
	tcase_add_test(t, intent_of_more_notes_than_room_says_how_many);
	tcase_add_test(t, intent_of_many_long_names_fits_or_is_refused);
	tcase_add_test(t, record_text_is_cut_between_characters);
	tcase_add_test(t, line_reads_as_documented);
	tcase_add_loop_test(t, line_of_a_final_note_names_the_statement, 0,
			    (int)(sizeof(final) / sizeof(final[0])));
	tcase_add_test(t, line_of_a_verification_is_one_of_quality);
	tcase_add_test(t, line_of_every_field_holds_them_all);
	tcase_add_test(t, line_never_holds_what_a_terminal_acts_on);
	tcase_add_test(t, line_without_room_is_cut_and_says_its_length);
	tcase_add_test(t, json_of_every_field_holds_them_all);
	tcase_add_test(t, json_escapes_everything_that_needs_it);
	tcase_add_test(t, time_at_the_ends_of_its_range_is_written);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
