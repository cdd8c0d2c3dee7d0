/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_archive.c - the verb by which a steward lets old segments leave the access log.
 *
 * Copies are the asking program's business: the daemon writes nowhere but into its vault and state.
 */
#include <errno.h>
#include <string.h>

#include "archive.h"
#include "control_impl.h"

static int answer_plan(struct fs_control_request *rq, const struct fs_archive_plan *p)
{
	json_t *plan = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "first",
				 (json_int_t)p->first_segment, "last", (json_int_t)p->last_segment,
				 "first_record", (json_int_t)p->first_seq, "last_record",
				 (json_int_t)p->last_seq, "bytes", (json_int_t)p->bytes, "newest_s",
				 (json_int_t)p->newest_s, "years", (json_int_t)p->keep_years, "left",
				 (json_int_t)p->left);

	return plan && !json_object_set_new(rq->answer, "plan", plan) ? 0 : -ENOMEM;
}

int fs_control_verb_log_archive(struct fs_control_request *rq)
{
	const char *what = fs_control_text(rq, "what");
	struct fs_archive in = {
		.what = FS_LOG_ARCHIVE_REMOVED,
		.last_segment = (uint64_t)fs_control_int(rq, "last"),
	};
	struct fs_archive_plan plan;
	uint64_t number = 0;
	int rc;

	if (!strcmp(what, "plan")) {
		rc = fs_vault_archive_plan(rq->c->vault, rq->session, fs_control_int(rq, "before_s"),
					   &plan, &rq->say);
		return rc ? rc : answer_plan(rq, &plan);
	}
	if (!strcmp(what, "archived")) {
		in.what = FS_LOG_ARCHIVE_KEPT;
		in.digest = rq->m.blob_len == KEYS_LEN ? rq->m.blob : NULL;
	} else if (strcmp(what, "removed")) {
		fs_say(&rq->say, "`what` is plan, archived or removed, not `%s`", what);
		return -EINVAL;
	}
	rc = fs_vault_archive(rq->c->vault, rq->session, &in, &number, &rq->say);
	if (!rc && json_object_set_new(rq->answer, "number", json_integer((json_int_t)number)))
		rc = -ENOMEM;
	return rc;
}
