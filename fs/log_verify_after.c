/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify_after.c - verification that goes on from a checkpoint up to which the log was
 * verified before.
 *
 * Segments in front of the one that holds the checkpoint's last record are not read; that none is
 * gone is looked at. What follows is believed only if it goes on from the checkpoint: the tree of
 * the first segment that is read must give the checkpoint's root at its size, and the key of that
 * segment must be the one that signed it. Where anything is odd all is read.
 *
 * Locks: none.
 */
#include "log_verify_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* 0: the segment's header, of this vault and number. -EBADMSG: it has none that can be believed. */
static int header_of(const struct fs_log_judge *j, uint64_t number, struct fs_log_header *h)
{
	const struct fs_log_source *source = j->q->source;
	uint8_t *bytes = NULL;
	size_t len = 0;
	int rc = source->load(source->ctx, number, &bytes, &len);

	if (!rc && (len < FS_LOG_HEADER || fs_log_header_decode(bytes, h) || h->number != number ||
		    memcmp(h->vault, j->out->vault, KEYS_VAULT_ID_LEN)))
		rc = -EBADMSG;
	free(bytes);
	return rc;
}

/* The place of the segment that holds record `seq`, by headers; n: not to be told. */
static size_t holds(const struct fs_log_judge *j, const uint64_t *numbers, size_t n, uint64_t seq,
		    struct fs_log_header *out)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct fs_log_header h;
		int rc = header_of(j, numbers[middle], &h);

		/* The newest may be prepared and not used. */
		if (rc && middle + 2 < n)
			return n;
		if (!rc && h.first_seq <= seq) {
			low = middle + 1;
			*out = h;
		} else {
			high = middle;
		}
	}
	return low && out->number == numbers[low - 1] ? low - 1 : n;
}

static bool gapless(const struct fs_log_judge *j, const uint64_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (numbers[i] != j->last_number + 1 + i)
			return false;
	}
	return true;
}

static struct fs_log_kept *kept_after(struct fs_log_judge *j)
{
	for (size_t i = 0; i < j->kept_count && j->q->after; i++) {
		if (j->kept[i].text == j->q->after && !j->kept[i].rc && j->kept[i].c.size)
			return &j->kept[i];
	}
	return NULL;
}

void fs_log_judge_after(struct fs_log_judge *j, uint64_t *numbers, size_t *n)
{
	const struct fs_log_kept *k = kept_after(j);
	struct fs_log_header h = {.number = 0};
	size_t at = k && !j->found.alarms ? holds(j, numbers, *n, k->c.size, &h) : *n;

	if (at == *n || !at || h.version < 2 || h.first_seq <= j->expect ||
	    !gapless(j, numbers, at + 1))
		return;
	j->after = true;
	j->last_number = numbers[at] - 1;
	j->last_full = true;
	j->expect = h.first_seq;
	j->sealed = h.first_seq - 1;
	j->lost = j->blind = j->key_open = true;
	j->have_prev = j->have_key = false;
	memmove(numbers, numbers + at, (*n - at) * sizeof(*numbers));
	*n -= at;
	/* Of what is not read nothing can be compared. */
	for (size_t i = 0; i < j->kept_count; i++) {
		if (j->kept[i].c.size < h.first_seq)
			j->kept[i].rc = -EALREADY;
	}
}

/*
 * The key of the first segment signed it; or that of the second, where that begins right behind.
 */
static bool signed_by_place(const struct fs_log_judge *j, const struct fs_log_kept *k)
{
	struct keys_signed_note note;

	if (keys_signed_note_parse(k->text, strlen(k->text), &note))
		return false;
	for (size_t i = 0; i < j->key_count; i++) {
		if ((!i || j->keys[i].from == k->c.size) &&
		    !keys_checkpoint_verify(&note, j->out->vault, j->keys[i].pk, false))
			return true;
	}
	return false;
}

void fs_log_after_end(struct fs_log_judge *j)
{
	const struct fs_log_kept *k = kept_after(j);
	struct fs_log_finding f;

	/* A checkpoint that was found to contradict the log has been told of. */
	if (!j->after || !k || k->c.size >= j->expect)
		return;
	f = fs_log_judge_at(j, FS_LOG_FORKED, k->c.size, 0, j->last_number);
	if (!k->rooted) {
		fs_log_found_add(&j->found, &f,
				 "the log was verified up to record %" PRIu64
				 ", and does not go on from there",
				 k->c.size);
	} else if (!signed_by_place(j, k)) {
		f.kind = FS_LOG_RESEALED;
		fs_log_found_add(&j->found, &f,
				 "the checkpoint up to which the log was verified, over %" PRIu64
				 " records, was not signed with the key of its segment",
				 k->c.size);
	}
}
