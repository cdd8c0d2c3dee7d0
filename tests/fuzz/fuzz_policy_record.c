/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes decoding of access log records, and the line and JSON of what decoded (libFuzzer). What
 * decodes encodes to something that decodes to the same encoding; no output holds a control.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/record.h"
#include "policy/utf8.h"

#define NOTES 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void printable(const char *text, size_t len)
{
	require(strlen(text) == len);
	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		unsigned n = policy_utf8_get(text + i, len - i, &point);

		require(n && !policy_utf8_control(point));
		i += n;
	}
}

static void lines(const struct policy_record *r)
{
	size_t len = policy_record_text(r, NULL, 0), json = policy_record_json(r, NULL, 0);
	char *out = malloc((len > json ? len : json) + 1);

	if (!out)
		return;
	require(policy_record_text(r, out, len + 1) == len);
	printable(out, len);
	require(policy_record_json(r, out, json + 1) == json);
	printable(out, json);
	if (len > 2)
		require(policy_record_text(r, out, len / 2) == len);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_record_note notes[NOTES], again_notes[NOTES];
	static uint8_t first[POLICY_RECORD_MAX], second[POLICY_RECORD_MAX];
	struct policy_record r, again;
	size_t len = 0, len2 = 0;

	if (policy_record_decode(data, size, &r, notes, NOTES))
		return 0;
	require(r.note_count <= NOTES && r.note_total >= r.note_count);
	lines(&r);
	require(!policy_record_encode(&r, first, sizeof(first), &len));
	require(!policy_record_decode(first, len, &again, again_notes, NOTES));
	require(!policy_record_encode(&again, second, sizeof(second), &len2));
	require(len == len2 && !memcmp(first, second, len));
	return 0;
}
