/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify_archive.c - segments that are gone because a signed statement took them out.
 *
 * Where the log does not begin with segment 1, the newest statement stands for its beginning: the
 * tree over all that was taken, the last stream head's signature, the checkpoint key at their end.
 * What is left goes on from there as if it had been verified. Segments that a statement covers and
 * that still lie there beside gone ones are leftovers of a removal that was interrupted: they are
 * passed over. While all of them are there nothing is taken on a statement's word.
 *
 * Format: fs/FORMAT.md, "Log", "Archived segments". Locks: none.
 */
#include "log_verify_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define CLOCK_SLACK_S UINT64_C(86400)

/* 0, -ENOENT: there is no such file, -EBADMSG, -ENOMEM. */
static int load(const struct fs_log_source *source, const uint8_t *vault, struct fs_log_archive *a)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	int rc;

	if (!source->extra)
		return -ENOENT;
	rc = source->extra(source->ctx, FS_LOG_ARCHIVE, &bytes, &len);
	if (!rc)
		rc = fs_log_archive_read(bytes, len, vault, a);
	free(bytes);
	return rc && rc != -ENOENT && rc != -ENOMEM ? -EBADMSG : rc;
}

/* Of the ascending numbers, those behind `last` alone; false: all up to there are present. */
static bool leave_out(uint64_t *numbers, size_t *n, uint64_t last)
{
	size_t covered = 0;

	while (covered < *n && numbers[covered] <= last)
		covered++;
	if (covered == last)
		return false;
	memmove(numbers, numbers + covered, (*n - covered) * sizeof(*numbers));
	*n -= covered;
	return true;
}

int fs_log_archive_beginning(const struct fs_log_source *source, const uint8_t *vault,
			     uint64_t *numbers, size_t *n, struct fs_log_archived *end)
{
	struct fs_log_archive a = {.n = 0};
	const struct fs_log_archived *last;
	int rc = load(source, vault, &a);

	end->last_segment = 0;
	if (rc == -ENOENT || rc == -EBADMSG)
		return 0; /* what is missing is missing */
	if (rc)
		return rc;
	last = fs_log_archive_end(&a);
	if (last && leave_out(numbers, n, last->last_segment)) {
		*end = *last;
		end->sha256 = NULL;
	}
	fs_log_archive_clear(&a);
	return 0;
}

static void tell(struct fs_log_judge *j, const struct fs_log_archived *a)
{
	struct fs_log_finding f =
		fs_log_judge_at(j, FS_LOG_ARCHIVED, a->first_seq, a->last_seq, a->first_segment);
	bool two = a->agreed.pid != 0;

	f.time_s = (int64_t)a->time_s;
	fs_log_found_add(&j->found, &f,
			 "segments %" PRIu64 " to %" PRIu64 ", with records %" PRIu64 " to %" PRIu64
			 ", were %s, as statement %" PRIu64 " by %s%s%s says",
			 a->first_segment, a->last_segment, a->first_seq, a->last_seq,
			 a->what == FS_LOG_ARCHIVE_KEPT ? "archived elsewhere" : "removed",
			 a->number, a->by.who, two ? ", agreed with " : "",
			 two ? a->agreed.who : "");
}

/* What is left goes on from here. */
static void go_on(struct fs_log_judge *j, const struct fs_log_archived *end)
{
	j->archived = end->last_seq;
	j->archived_s = end->time_s;
	j->expect = end->last_seq + 1;
	j->sealed = end->last_seq;
	j->last_number = end->last_segment;
	j->last_full = true;
	j->tree = end->tree;
	memcpy(j->prev, end->head_sig, sizeof(j->prev));
	j->have_prev = true;
	j->key.number = end->key_number;
	memcpy(j->key.pk, end->key_pk, KEYS_LEN);
	j->have_key = j->began = end->key_number != 0;
	memcpy(j->last_daemon, end->daemon_pk, KEYS_LEN);
}

/* What may go is told by the daemon's clock: one that was set forward for it goes back some time.
 */
void fs_log_judge_archive_clock(struct fs_log_judge *j)
{
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_MISSING, 1, j->archived, 0);

	if (!j->archived || !j->have_checkpoint ||
	    j->archived_s <= j->checkpoint.time_s + CLOCK_SLACK_S)
		return;
	fs_log_found_add(&j->found, &f,
			 "records 1 to %" PRIu64
			 " were taken out on the word of a clock that was ahead: the newest "
			 "checkpoint is %" PRIu64 " days older than the statement about them",
			 j->archived, (j->archived_s - j->checkpoint.time_s) / CLOCK_SLACK_S);
}

static bool of_this_root(struct fs_log_judge *j, const struct fs_log_archived *first)
{
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_FOREIGN, first->first_seq, 0, 0);

	if (!j->have_root) {
		memcpy(j->root_pk, first->root_pk, KEYS_LEN);
		j->have_root = true;
	}
	if (!memcmp(j->root_pk, first->root_pk, KEYS_LEN))
		return true;
	fs_log_found_add(&j->found, &f,
			 "the statements about archived segments are under another root key");
	return false;
}

int fs_log_judge_archive(struct fs_log_judge *j, uint64_t *numbers, size_t *n)
{
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_CHANGED, 1, 0, 0);
	struct fs_log_archive a = {.n = 0};
	const struct fs_log_archived *end;
	int rc = load(j->q->source, j->out->vault, &a);

	if (rc == -ENOENT)
		return 0;
	if (rc == -EBADMSG) {
		fs_log_found_add(&j->found, &f,
				 "the file of statements about archived segments was changed");
		return 0;
	}
	if (rc)
		return rc;
	end = fs_log_archive_end(&a);
	if (end && of_this_root(j, &a.statement[0]) && leave_out(numbers, n, end->last_segment)) {
		for (size_t i = 0; i < a.n; i++)
			tell(j, &a.statement[i]);
		go_on(j, end);
	}
	fs_log_archive_clear(&a);
	return 0;
}
