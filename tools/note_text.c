/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/note_text.c - notes and findings about them, for people. See note_text.h.
 *
 * Names come from others: all is written by tools_notes_print, which takes what a terminal might
 * obey out.
 */
#include <ctype.h>
#include <string.h>

#include "note_text.h"
#include "notes.h"
#include "when.h"

static const char *text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static json_int_t number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

const char *tools_note_size(json_int_t bytes, char out[static 32])
{
	if (bytes < 1000)
		snprintf(out, 32, "%lld byte%s", (long long)bytes, bytes == 1 ? "" : "s");
	else if (bytes < 1000000)
		snprintf(out, 32, "%.1f kB", (double)bytes / 1e3);
	else
		snprintf(out, 32, "%.1f MB", (double)bytes / 1e6);
	return out;
}

size_t tools_note_count(const json_t *notes, const char *may)
{
	size_t i, n = 0;
	json_t *one;

	json_array_foreach(notes, i, one) n += !strcmp(text(one, "may"), may);
	return n;
}

void tools_note_print_list(FILE *to, const char *journal, const json_t *notes)
{
	char size[32], when[32];
	json_t *one;
	size_t i;

	json_array_foreach(notes, i, one)
	{
		if (strcmp(text(one, "may"), "yes"))
			continue;
		tools_notes_print(
			to, "  %s/%s\n      by %s (%s), %s, last changed %s%s\n", journal,
			text(one, "path"), *text(one, "author") ? text(one, "author") : "?",
			json_is_true(json_object_get(one, "mine")) ? "yours" : "not yours",
			tools_note_size(number(one, "size"), size),
			tools_when_text(number(one, "mtime_s"), when),
			json_is_true(json_object_get(one, "wants"))
				? "; a second practitioner is to countersign"
				: "");
	}
}

void tools_note_print_others(FILE *to, const char *journal, const json_t *notes)
{
	json_t *one;
	size_t i;

	json_array_foreach(notes, i, one)
	{
		if (!strcmp(text(one, "may"), "no"))
			tools_notes_print(to, "journalfs: %s/%s can't be locked: %s\n", journal,
					  text(one, "path"), text(one, "why"));
		else if (!strcmp(text(one, "may"), "left-out"))
			tools_notes_print(to, "left out: %s/%s: %s\n", journal, text(one, "path"),
					  text(one, "why"));
	}
}

/* ---- findings ---- */

static const struct {
	const char *word, *text;
	bool fine;
} findings[] = {
	{"ok", "ok", true},
	{"unsigned", "locked, not signed", true},
	{"changed", "CHANGED", false},
	{"forged", "FORGED", false},
	{"revoked", "SIGNED BY A REVOKED KEY", false},
	{"missing", "MISSING", false},
	{"damaged", "DAMAGED", false},
	{"unread", "NOT READ", false},
};
#define FINDINGS (sizeof(findings) / sizeof(findings[0]))

const char *tools_note_finding_text(const char *finding)
{
	for (size_t i = 0; i < FINDINGS; i++) {
		if (!strcmp(findings[i].word, finding))
			return findings[i].text;
	}
	return "UNKNOWN";
}

bool tools_note_fine(const char *finding)
{
	for (size_t i = 0; i < FINDINGS; i++) {
		if (!strcmp(findings[i].word, finding))
			return findings[i].fine;
	}
	return false;
}

void tools_note_print_check(FILE *to, const json_t *check)
{
	char when[32];

	tools_notes_print(to, "%s: %s", tools_note_finding_text(text(check, "finding")),
			  text(check, "journal"));
	if (*text(check, "path"))
		tools_notes_print(to, "/%s", text(check, "path"));
	if (*text(check, "kind"))
		tools_notes_print(to, ", %s", text(check, "kind"));
	if (*text(check, "who"))
		tools_notes_print(to, " by %s", text(check, "who"));
	if (number(check, "time_s"))
		tools_notes_print(to, " on %s", tools_when_text(number(check, "time_s"), when));
	if (*text(check, "why"))
		tools_notes_print(to, ": %s", text(check, "why"));
	fputc('\n', to);
}

bool tools_note_about(const json_t *check, const char *below)
{
	const char *path = text(check, "path"), *finding = text(check, "finding");

	return !*path || !strncmp(path, below, strlen(below)) || !strcmp(finding, "forged") ||
	       !strcmp(finding, "missing");
}

void tools_note_print_sum(FILE *to, const json_t *checks)
{
	size_t i, other = json_array_size(checks), n;
	const char *comma = ": ";
	json_t *one;

	if (!json_array_size(checks)) {
		fputs("There is no final note here.\n", to);
		return;
	}
	fprintf(to, "Verified %zu statement%s", json_array_size(checks),
		json_array_size(checks) == 1 ? "" : "s");
	for (size_t f = 0; f < FINDINGS; f++) {
		n = 0;
		json_array_foreach(checks, i, one) n +=
			!strcmp(text(one, "finding"), findings[f].word);
		if (n)
			fprintf(to, "%s%zu %s", comma, n, findings[f].text);
		if (n)
			comma = ", ";
		other -= n;
	}
	if (other)
		fprintf(to, "%s%zu of a kind that this program does not know", comma, other);
	fputs(".\n", to);
}

void tools_note_word(const char *name, char *out, size_t cap)
{
	size_t n = 0;

	if (*name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"0123456789._-")]) {
		snprintf(out, cap, "%s", name);
		return;
	}
	out[n++] = '\'';
	for (; *name && n + 6 < cap; name++) {
		if (*name == '\'')
			n += (size_t)snprintf(out + n, cap - n, "'\\''");
		else
			out[n++] = *name;
	}
	out[n++] = '\'';
	out[n] = '\0';
}

void tools_note_file_name(const char *who, const char *suffix, char out[static 256])
{
	size_t n = 0;

	for (; *who && n < 200; who++) {
		unsigned char c = (unsigned char)*who;
		bool plain = isalnum(c) || c >= 0x80 || (n && strchr("._-", c));

		out[n++] = plain ? (char)c : '_';
	}
	if (!n)
		out[n++] = '_';
	snprintf(out + n, 256 - n, "%s", suffix);
}
