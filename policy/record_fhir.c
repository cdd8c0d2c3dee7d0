/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record_fhir.c - a record as a FHIR R4 AuditEvent (FORMAT.md, FHIR).
 *
 * Invariants: codes come from the tables below alone, which are those of the value sets that R4
 * binds; no string, array or object is empty; an entity has a name or a query, never both (sev-1);
 * numbers of the vault stand as identifiers, not as references to resources that nobody serves.
 */
#include "record_fhir.h"

#include <stdlib.h>
#include <string.h>

#include "basis.h"
#include "span.h"
#include "utf8.h"
#include "writer.h"

#define DCM "http://dicom.nema.org/resources/ontology/DCM"
#define HL7 "http://terminology.hl7.org/CodeSystem/"
/* A UUID as an object identifier (ITU-T X.667): the vault's numbers and its kinds of records. */
#define OURS "urn:oid:2.25.122452513822859853518106683403666615910"
#define OURS_PRACTITIONER OURS ".1"
#define OURS_JOURNAL OURS ".2"
#define OURS_NOTE OURS ".3"
#define OURS_GRANT OURS ".4"
#define OURS_RECORD OURS ".5"
#define OURS_VAULT OURS ".6"
#define OURS_KIND OURS ".7"

struct code {
	uint32_t number;
	const char *display;
};

/* audit-event-type and audit-event-sub-type, as the log uses them */
static const struct code dicom[] = {
	{110100, "Application Activity"},
	{110101, "Audit Log Used"},
	{110106, "Export"},
	{110107, "Import"},
	{110110, "Patient Record"},
	{110112, "Query"},
	{110113, "Security Alert"},
	{110114, "User Authentication"},
	{110122, "Login"},
	{110123, "Logout"},
	{110127, "Emergency Override Started"},
	{110133, "Audit Recording Stopped"},
	{110134, "Audit Recording Started"},
	{110136, "Security Roles Changed"},
	{110137, "User security Attributes Changed"},
	{110138, "Emergency Override Stopped"},
};

/* v3-PurposeOfUse, as domain.md */
static const struct {
	const char *code, *display;
} purposes[] = {
	{"TREAT", "treatment"},
	{"COC", "coordination of care"},
	{"BTG", "break the glass"},
	{"ETREAT", "Emergency Treatment"},
	{"PATRQT", "patient requested"},
	{"PATADMIN", "patient administration"},
	{"HPAYMT", "healthcare payment"},
	{"HQUALIMP", "health quality improvement"},
	{"PATSFTY", "patient safety"},
	{"HLEGAL", "legal"},
	{"HCOMPL", "health compliance"},
	{"RECORDMGT", "records management"},
	{"HSYSADMIN", "health system administration"},
	{"TRAIN", "training"},
	{"HTEST", "test health data"},
};

/* ---- pieces */

static void put(struct policy_writer *w, const char *text)
{
	policy_writer_text(w, text);
}

static void put_number(struct policy_writer *w, uint64_t v)
{
	policy_writer_format(w, "%llu", (unsigned long long)v);
}

/* A string of FHIR: no controls at all; what would be one is made visible, as for people. */
static void put_string(struct policy_writer *w, const char *text)
{
	size_t len = strlen(text);

	put(w, "\"");
	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		unsigned n = policy_utf8_get(text + i, len - i, &point);

		if (n && !policy_utf8_control(point)) {
			if (point == '"' || point == '\\')
				put(w, "\\");
			policy_writer_put(w, text + i, n);
		} else {
			n = n ? n : 1;
			for (unsigned k = 0; k < n; k++)
				policy_writer_format(w, "\\\\x%02x", (unsigned char)text[i + k]);
		}
		i += n;
	}
	put(w, "\"");
}

static void put_coding(struct policy_writer *w, const char *system, const char *code,
		       const char *display)
{
	policy_writer_format(w, "{\"system\":\"%s\",\"code\":\"%s\"", system, code);
	if (display)
		policy_writer_format(w, ",\"display\":\"%s\"", display);
	put(w, "}");
}

static const char *dicom_display(uint32_t number)
{
	for (size_t i = 0; i < sizeof(dicom) / sizeof(dicom[0]); i++)
		if (dicom[i].number == number)
			return dicom[i].display;
	return NULL;
}

static void put_dicom(struct policy_writer *w, uint32_t number)
{
	policy_writer_format(w, "{\"system\":\"" DCM "\",\"code\":\"%u\"", (unsigned)number);
	if (dicom_display(number))
		policy_writer_format(w, ",\"display\":\"%s\"", dicom_display(number));
	put(w, "}");
}

static void put_time(struct policy_writer *w, const char *key, int64_t time_ns)
{
	char text[48];

	policy_span_text(time_ns, 'T', 9, text);
	policy_writer_format(w, "\"%s\":\"%s\"", key, text);
}

/* {"identifier":{"system":...,"value":"9"},"display":"..."} */
static void put_reference(struct policy_writer *w, const char *system, uint64_t number,
			  const char *display)
{
	put(w, "{");
	if (number) {
		policy_writer_format(w, "\"identifier\":{\"system\":\"%s\",\"value\":\"", system);
		put_number(w, number);
		put(w, "\"}");
	}
	if (display && *display) {
		put(w, number ? ",\"display\":" : "\"display\":");
		put_string(w, display);
	}
	put(w, "}");
}

/* ---- what happened */

static void put_subtype(struct policy_writer *w, const struct policy_record *r)
{
	const char *life = policy_record_lifecycle(r);
	const char *kind = policy_record_kind_text(r->kind);

	put(w, ",\"subtype\":[");
	if (dicom_display(r->subtype)) {
		put_dicom(w, r->subtype);
		put(w, ",");
	}
	if (*life) {
		put_coding(w, HL7 "iso-21089-lifecycle", life, NULL);
		put(w, ",");
	}
	if (strcmp(kind, "unknown"))
		put_coding(w, OURS_KIND, kind, NULL);
	else
		policy_writer_format(w, "{\"system\":\"" OURS_KIND "\",\"code\":\"kind-%u\"}",
				     r->kind);
	put(w, "]");
}

static void put_outcome(struct policy_writer *w, const struct policy_record *r)
{
	unsigned outcome = r->outcome;

	/* R4 has these four: whatever else a record says is rounded up. */
	outcome = !outcome ? 0 : outcome <= 4 ? 4 : outcome <= 8 ? 8 : 12;
	policy_writer_format(w, ",\"outcome\":\"%u\"", outcome);
	if (!r->detail[0] && !(outcome && r->rule[0]))
		return;
	put(w, ",\"outcomeDesc\":");
	put_string(w, r->detail[0] ? r->detail : r->rule);
}

static void put_purpose(struct policy_writer *w, const struct policy_record *r)
{
	size_t i = 0, n = sizeof(purposes) / sizeof(purposes[0]);

	while (i < n && strcmp(purposes[i].code, r->purpose))
		i++;
	if (i == n && !r->purpose[0] && !r->reason[0])
		return;
	put(w, ",\"purposeOfEvent\":[{");
	if (i < n) {
		put(w, "\"coding\":[");
		put_coding(w, HL7 "v3-ActReason", purposes[i].code, purposes[i].display);
		put(w, "]");
	}
	if (r->reason[0] || i == n) {
		put(w, i < n ? ",\"text\":" : "\"text\":");
		put_string(w, r->reason[0] ? r->reason : r->purpose);
	}
	put(w, "}]");
}

/* ---- who */

static bool is_address(const char *origin)
{
	size_t n = strlen(origin);
	bool digits = strspn(origin, "0123456789.") == n && strchr(origin, '.');
	bool six = strspn(origin, "0123456789abcdefABCDEF:.") == n && strchr(origin, ':');

	return n && (digits || six);
}

/* A terminal of the vault's own machine has no network. */
static void put_network(struct policy_writer *w, const struct policy_record *r)
{
	char place[POLICY_RECORD_TEXT];
	const char *host = place;

	policy_basis_place(r, place, sizeof(place));
	if (!strncmp(place, "ssh ", 4))
		host += 4;
	if (!r->origin[0])
		return;
	put(w, ",\"network\":{\"address\":");
	put_string(w, *host ? host : r->origin);
	if (*host)
		put(w, is_address(host) ? ",\"type\":\"2\"" : ",\"type\":\"1\"");
	put(w, "}");
}

static void put_person(struct policy_writer *w, const struct policy_record *r)
{
	put(w, "{\"type\":{\"coding\":[");
	put_coding(w, HL7 "extra-security-role-type", "humanuser", "human user");
	put(w, "]}");
	if (r->role[0]) {
		put(w, ",\"role\":[{\"text\":");
		put_string(w, r->role);
		put(w, "}]");
	}
	put(w, ",\"who\":");
	put_reference(w, OURS_PRACTITIONER, r->practitioner,
		      r->who[0]		? r->who
		      : r->practitioner ? NULL
					: "account");
	policy_writer_format(w, ",\"altId\":\"%u\"", (unsigned)r->uid);
	if (r->who[0]) {
		put(w, ",\"name\":");
		put_string(w, r->who);
	}
	put(w, ",\"requestor\":true");
	if (r->unit[0]) {
		put(w, ",\"location\":");
		put_reference(w, "", 0, r->unit);
	}
	put_network(w, r);
	put(w, "}");
}

static void put_program(struct policy_writer *w, const char *name, uint32_t pid)
{
	put(w, "{\"type\":{\"coding\":[");
	put_coding(w, DCM, "110150", "Application");
	put(w, "]}");
	if (pid)
		policy_writer_format(w, ",\"altId\":\"%u\"", (unsigned)pid);
	put(w, ",\"name\":");
	put_string(w, name);
	put(w, ",\"requestor\":false}");
}

static void put_agents(struct policy_writer *w, const struct policy_record *r)
{
	bool person = r->who[0] || r->practitioner || r->uid || r->origin[0];

	put(w, ",\"agent\":[");
	if (person)
		put_person(w, r);
	if (person && r->program[0])
		put(w, ",");
	if (r->program[0])
		put_program(w, r->program, r->pid);
	else if (!person)
		put_program(w, "journalfs", 0);
	put(w, "]");
}

static void put_source(struct policy_writer *w, const uint8_t *vault)
{
	static const uint8_t none[16];

	put(w, ",\"source\":{\"observer\":{");
	if (vault && memcmp(vault, none, sizeof(none))) {
		put(w, "\"identifier\":{\"system\":\"" OURS_VAULT "\",\"value\":\"");
		for (size_t i = 0; i < sizeof(none); i++)
			policy_writer_format(w, "%02x", vault[i]);
		put(w, "\"},");
	}
	put(w, "\"display\":\"journalfs access log\"},\"type\":[");
	put_coding(w, HL7 "security-source-type", "4", "Application Server");
	put(w, "]}");
}

/* ---- what it was done to */

static void put_entity_codes(struct policy_writer *w, const char *type, const char *type_display,
			     const char *role, const char *role_display)
{
	put(w, ",\"type\":");
	put_coding(w, HL7 "audit-entity-type", type, type_display);
	if (!role)
		return;
	put(w, ",\"role\":");
	put_coding(w, HL7 "object-role", role, role_display);
}

static void put_name(struct policy_writer *w, const char *name)
{
	if (!*name)
		return;
	put(w, ",\"name\":");
	put_string(w, name);
}

static void put_journal(struct policy_writer *w, const struct policy_record *r)
{
	put(w, "{\"what\":");
	put_reference(w, OURS_JOURNAL, r->journal, r->journal_name);
	put_entity_codes(w, "1", "Person", "1", "Patient");
	put_name(w, r->journal_name);
	put(w, "},");
}

static void put_note(struct policy_writer *w, const struct policy_record *r, uint64_t note,
		     const char *name)
{
	const char *life = policy_record_lifecycle(r);

	if (!note && !*name)
		return;
	put(w, "{\"what\":");
	put_reference(w, OURS_NOTE, note, name);
	put_entity_codes(w, "2", "System Object", "3", "Report");
	if (*life) {
		put(w, ",\"lifecycle\":");
		put_coding(w, HL7 "iso-21089-lifecycle", life, NULL);
	}
	put_name(w, name);
	if (r->name2[0]) {
		put(w, ",\"description\":");
		put_string(w, r->name2);
	}
	put(w, "},");
}

static void put_base64(struct policy_writer *w, const char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = 0;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (k < n ? (unsigned char)text[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			policy_writer_format(w, "%c",
					     k <= n ? digits[v >> (18 - 6 * k) & 63] : '=');
	}
}

/* A listing asks for a directory: its name is the query, and no name (sev-1). */
static void put_query(struct policy_writer *w, const struct policy_record *r)
{
	put(w, "{\"what\":");
	put_reference(w, OURS_NOTE, r->note, r->name[0] ? r->name : "directory");
	put_entity_codes(w, "2", "System Object", "24", "Query");
	put(w, ",\"query\":\"");
	put_base64(w, r->name[0] ? r->name : "/");
	put(w, "\"},");
}

static void put_detail(struct policy_writer *w, bool *some, const char *type, const char *text)
{
	if (!*text)
		return;
	policy_writer_format(w, "%s{\"type\":\"%s\",\"valueString\":", *some ? "," : "", type);
	put_string(w, text);
	put(w, "}");
	*some = true;
}

static void put_detail_number(struct policy_writer *w, bool *some, const char *type, uint64_t v)
{
	char text[24] = "";
	struct policy_writer t = {.out = text, .cap = sizeof(text)};

	if (!v)
		return;
	put_number(&t, v);
	policy_writer_end(&t);
	put_detail(w, some, type, text);
}

static void put_session(struct policy_writer *w, bool *some, const uint8_t *session)
{
	static const uint8_t none[16];
	char hex[33] = "";
	struct policy_writer t = {.out = hex, .cap = sizeof(hex)};

	if (!memcmp(session, none, sizeof(none)))
		return;
	for (size_t i = 0; i < sizeof(none); i++)
		policy_writer_format(&t, "%02x", session[i]);
	policy_writer_end(&t);
	put_detail(w, some, "session", hex);
}

/* The record itself: what AuditEvent has no field for. Always there, and the last. */
static void put_record(struct policy_writer *w, const struct policy_record *r)
{
	bool log = r->type == 110101, some = false;

	put(w, "{\"what\":");
	put_reference(w, OURS_RECORD, r->seq, "record of the access log");
	put_entity_codes(w, log ? "2" : "4", log ? "System Object" : "Other", log ? "13" : NULL,
			 "Security Resource");
	put_name(w, log ? "Security Audit Log" : "record");
	put(w, ",\"detail\":[");
	put_detail(w, &some, "kind", policy_record_kind_text(r->kind));
	put_detail_number(w, &some, "sequence", r->seq);
	put_detail_number(w, &some, "boot-clock-ns", r->boot_ns);
	put_session(w, &some, r->session);
	put_detail_number(w, &some, "bytes-read", r->bytes_read);
	put_detail_number(w, &some, "bytes-written", r->bytes_written);
	put_detail_number(w, &some, "count", r->count);
	put_detail(w, &some, "rule", r->rule);
	put_detail_number(w, &some, "policy-version", r->policy_version);
	put(w, "]}");
}

static void put_entities(struct policy_writer *w, const struct policy_record *r)
{
	put(w, ",\"entity\":[");
	if (r->journal || r->journal_name[0])
		put_journal(w, r);
	if (r->kind == POLICY_RECORD_LIST)
		put_query(w, r);
	else
		put_note(w, r, r->note, r->name);
	for (size_t i = 0; i < r->note_count; i++)
		put_note(w, r, r->notes[i].note, r->notes[i].name ? r->notes[i].name : "");
	if (r->grant) {
		put(w, "{\"what\":");
		put_reference(w, OURS_GRANT, r->grant, "emergency access");
		put_entity_codes(w, "2", "System Object", "13", "Security Resource");
		put(w, ",\"name\":\"emergency access\"},");
	}
	put_record(w, r);
	put(w, "]");
}

size_t policy_record_fhir(const struct policy_record *r, const uint8_t *vault, char *out,
			  size_t cap)
{
	struct policy_writer w = {.out = out, .cap = cap};
	uint32_t type = dicom_display(r->type) ? r->type : 110100;

	put(&w, "{\"resourceType\":\"AuditEvent\",\"id\":\"record-");
	put_number(&w, r->seq);
	put(&w, "\",\"type\":");
	put_dicom(&w, type);
	put_subtype(&w, r);
	if (r->action)
		policy_writer_format(&w, ",\"action\":\"%c\"", r->action);
	if (r->until_ns > r->time_ns) {
		put(&w, ",\"period\":{");
		put_time(&w, "start", r->time_ns);
		put(&w, ",");
		put_time(&w, "end", r->until_ns);
		put(&w, "}");
	}
	put(&w, ",");
	put_time(&w, "recorded", r->time_ns);
	put_outcome(&w, r);
	put_purpose(&w, r);
	put_agents(&w, r);
	put_source(&w, vault);
	put_entities(&w, r);
	put(&w, "}");
	return policy_writer_end(&w);
}

/* RFC 9562, version 8: 48 bits of the number, 8 of the kind, 62 of the time. */
void policy_record_fhir_url(const struct policy_record *r, char out[static 48])
{
	struct policy_writer w = {.out = out, .cap = 48};
	uint64_t seq = r->seq & 0xffffffffffff, time = (uint64_t)r->time_ns;

	policy_writer_format(&w, "urn:uuid:%08llx-%04llx-8%03x-%04llx-%012llx",
			     (unsigned long long)(seq >> 16), (unsigned long long)(seq & 0xffff),
			     (unsigned)r->kind,
			     (unsigned long long)(0x8000 | (time >> 48 & 0x3fff)),
			     (unsigned long long)(time & 0xffffffffffff));
	policy_writer_end(&w);
}
