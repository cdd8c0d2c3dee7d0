/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/syslog.c - a record as a message of RFC 5424 (FORMAT.md, "Syslog").
 *
 * Invariants: (1) no byte of a message is a control character, and a name can end neither a
 * parameter nor the structured data; (2) without names, of all texts of a record only the
 * practitioner's name, role, unit and place are in it: a program bears the name that some file has;
 * (3) a message is never longer than POLICY_SYSLOG_MAX. Locks: none.
 */
#include "syslog.h"

#include <stdio.h>
#include <string.h>

#include "basis.h"
#include "span.h"
#include "utf8.h"
#include "writer.h"

#define AUTHPRIV 10u
#define BOM "\xef\xbb\xbf"
#define VALUE_MOST 96u	/* bytes of a text that a parameter takes, before escaping */
#define DATA_MOST 1300u /* of the structured data; the rest is the text's */

struct message {
	char *out;
	size_t len, most;
	bool cut;
};

/* Outcomes of FHIR: success, minor (refused), serious, major. */
static unsigned severity(const struct policy_record *r)
{
	if (r->outcome >= 12)
		return 2;
	if (r->outcome >= 8)
		return 3;
	if (r->outcome >= 4)
		return 4;
	return r->kind == POLICY_RECORD_BREAK_GLASS || r->kind == POLICY_RECORD_RECOVER ? 5 : 6;
}

static void add(struct message *m, const char *text, size_t len)
{
	if (m->len + len > m->most) {
		m->cut = true;
		return;
	}
	memcpy(m->out + m->len, text, len);
	m->len += len;
}

/* Printable ASCII without blanks, as the head's fields want it; "-" for none. */
static void put_word(struct message *m, const char *text, size_t most)
{
	char word[256];
	size_t n = 0;

	for (const char *p = text ? text : ""; *p && n < most && n < sizeof(word); p++)
		word[n++] = *p > 0x20 && *p < 0x7f ? *p : '_';
	if (!n)
		word[n++] = '-';
	add(m, word, n);
	add(m, " ", 1);
}

/* All or nothing of ` name="value"`. */
static void put_raw(struct message *m, const char *name, const char *value, size_t len)
{
	size_t need = strlen(name) + len + 4;

	if (m->len + need > m->most) {
		m->cut = true;
		return;
	}
	m->len +=
		(size_t)snprintf(m->out + m->len, need + 1, " %s=\"%.*s\"", name, (int)len, value);
}

static void put_number(struct message *m, const char *name, uint64_t n)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)n);

	if (n)
		put_raw(m, name, text, (size_t)len);
}

/* As people see it in the log's own text, then escaped as the protocol wants: " \ ] */
static void put_text(struct message *m, const char *name, const char *text)
{
	char shown[4 * VALUE_MOST + 8] = "", value[2 * sizeof(shown)];
	struct policy_writer w = {.out = shown, .cap = sizeof(shown)};
	size_t len = strlen(text), n = 0;
	char part[VALUE_MOST + 4];

	if (!len)
		return;
	n = policy_utf8_cut(text, len, VALUE_MOST);
	memcpy(part, text, n);
	memcpy(part + n, n < len ? "..." : "", n < len ? 4 : 1);
	policy_writer_escaped(&w, part, '\0');
	(void)policy_writer_end(&w);
	n = 0;
	for (const char *p = shown; *p; p++) {
		if (*p == '"' || *p == '\\' || *p == ']')
			value[n++] = '\\';
		value[n++] = *p;
	}
	put_raw(m, name, value, n);
}

static void put_names(struct message *m, const struct policy_record *r)
{
	put_text(m, "journalName", r->journal_name);
	put_text(m, "name", r->name);
	put_text(m, "name2", r->name2);
	put_text(m, "rule", r->rule);
	put_text(m, "reason", r->reason);
}

static void put_data(struct message *m, const struct policy_record *r,
		     const struct policy_syslog *as)
{
	char id[48], action[2] = {r->action, '\0'}, outcome[8];
	int len = snprintf(id, sizeof(id), "[journalfs@%u", as->enterprise);

	add(m, id, (size_t)len);
	put_number(m, "seq", r->seq);
	put_text(m, "action", action);
	len = snprintf(outcome, sizeof(outcome), "%u", r->outcome);
	put_raw(m, "outcome", outcome, (size_t)len);
	put_number(m, "type", r->type);
	put_number(m, "subtype", r->subtype);
	put_text(m, "who", r->who);
	put_number(m, "practitioner", r->practitioner);
	put_text(m, "role", r->role);
	put_text(m, "unit", r->unit);
	put_text(m, "origin", r->origin);
	if (as->names)
		put_text(m, "program", r->program);
	put_number(m, "journal", r->journal);
	put_number(m, "note", r->note);
	put_number(m, "grant", r->grant);
	put_text(m, "purpose", r->purpose);
	if (policy_basis_of(r) != POLICY_BASIS_UNKNOWN)
		put_text(m, "basis", policy_basis_text(policy_basis_of(r)));
	put_number(m, "policyVersion", r->policy_version);
	put_number(m, "bytesRead", r->bytes_read);
	put_number(m, "bytesWritten", r->bytes_written);
	put_number(m, "count", r->count);
	if (as->names)
		put_names(m, r);
}

/* The log's line for people, without its time: that stands in the head. */
static void put_line(struct message *m, const struct policy_record *r, bool names)
{
	struct policy_record bare = *r;
	char line[4096];
	const char *text;
	size_t len, room;

	if (!names) {
		bare.journal_name[0] = bare.name[0] = bare.name2[0] = '\0';
		bare.rule[0] = bare.reason[0] = bare.detail[0] = bare.program[0] = '\0';
		bare.notes = NULL;
		bare.note_count = bare.note_total = 0;
	}
	(void)policy_record_text(&bare, line, sizeof(line));
	text = strstr(line, "  ");
	text = text ? text + 2 : line;
	len = strlen(text);
	add(m, " " BOM, 1 + strlen(BOM));
	room = m->most - m->len;
	if (len <= room) {
		add(m, text, len);
		return;
	}
	add(m, text, policy_utf8_cut(text, len, room - 3));
	add(m, "...", 3);
}

size_t policy_syslog_format(const struct policy_record *r, const struct policy_syslog *as,
			    char out[static POLICY_SYSLOG_MAX + 1])
{
	struct message m = {.out = out, .most = POLICY_SYSLOG_MAX};
	char head[32], when[48], pid[16];
	int len = snprintf(head, sizeof(head), "<%u>1 ", AUTHPRIV * 8 + severity(r));

	add(&m, head, (size_t)len);
	policy_span_text(r->time_ns, 'T', 6, when);
	put_word(&m, when, sizeof(when));
	put_word(&m, as->host, 255);
	put_word(&m, "journalfs", 48);
	snprintf(pid, sizeof(pid), "%u", as->pid);
	put_word(&m, pid, sizeof(pid));
	put_word(&m, policy_record_kind_text(r->kind), 32);
	m.most = m.len + DATA_MOST;
	put_data(&m, r, as);
	m.most += 16;
	if (m.cut)
		put_raw(&m, "cut", "1", 1);
	add(&m, "]", 1);
	m.most = POLICY_SYSLOG_MAX;
	put_line(&m, r, as->names);
	out[m.len] = '\0';
	return m.len;
}
