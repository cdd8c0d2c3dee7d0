/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_notes_verify.c - verbs that show whether final notes are what was signed: verify,
 * export.
 *
 * Findings are streamed; `done` and `of` in each piece count the notes of the journal under way.
 * What cannot be opened yet is a finding too: somebody who asks whether all is well is not told so
 * of what nobody has looked at.
 */
#include <errno.h>
#include <string.h>

#include "control_impl.h"
#include "notes.h"

#define PROGRESS 16u /* notes between two pieces */

struct verify {
	struct fs_control_objects to;
	const char *journal, *path;
	int rc; /* the peer is gone */
};

static int put_text(json_t *to, const char *name, const char *text)
{
	return json_object_set_new(to, name, fs_control_json_text(text, strlen(text))) ? -ENOMEM
										       : 0;
}

static const char *finding_word(enum fs_note_finding finding)
{
	static const char *const words[] = {
		[FS_NOTE_OK] = "ok",	       [FS_NOTE_UNSIGNED] = "unsigned",
		[FS_NOTE_CHANGED] = "changed", [FS_NOTE_FORGED] = "forged",
		[FS_NOTE_REVOKED] = "revoked", [FS_NOTE_MISSING] = "missing",
		[FS_NOTE_DAMAGED] = "damaged",
	};

	return (size_t)finding < sizeof(words) / sizeof(words[0]) ? words[finding] : "damaged";
}

static json_t *check_object(const struct verify *y, const struct fs_note_check *c,
			    const char *finding)
{
	json_t *one = json_pack("{s:I, s:s, s:s, s:I}", "number", (json_int_t)c->number, "finding",
				finding, "kind", c->note ? fs_control_note_kind(c->note->kind) : "",
				"time_s", (json_int_t)(c->note ? c->note->time_s : 0));

	if (one && !put_text(one, "journal", y->journal) &&
	    !put_text(one, "path", c->note ? c->note->path : y->path) &&
	    !put_text(one, "who", c->note ? c->note->who : "") && !put_text(one, "why", c->why))
		return one;
	json_decref(one);
	return NULL;
}

static int add_check(void *ctx, const struct fs_note_check *c)
{
	struct verify *y = ctx;

	if (!y->rc)
		y->rc = fs_control_objects_put(&y->to,
					       check_object(y, c, finding_word(c->finding)));
	return y->rc;
}

static void progress(void *ctx, uint32_t done, uint32_t of)
{
	struct verify *y = ctx;
	json_t *answer = y->to.rq->answer;

	if (y->rc)
		return;
	if (json_object_set_new(answer, "done", json_integer(done)) ||
	    json_object_set_new(answer, "of", json_integer(of)))
		y->rc = -ENOMEM;
	if (!y->rc && done % PROGRESS == 0)
		y->rc = fs_control_more(y->to.rq);
	if (!y->rc && done % PROGRESS == 0)
		y->rc = fs_control_objects_begin(&y->to);
}

static int verify_one(struct verify *y)
{
	struct fs_control_request *rq = y->to.rq;
	const struct fs_note_place at = {.journal = y->journal, .path = y->path};
	const struct fs_note_verify how = {.fn = add_check, .progress = progress, .ctx = y};
	int rc = fs_vault_note_verify(rq->c->vault, rq->session, &at, &how, &rq->say);

	return y->rc ? y->rc : rc;
}

/* One of all: what is not his to read is passed over, what cannot be opened is said. */
static int verify_next(void *ctx, uint32_t index, const char *name, uint64_t cookie)
{
	struct verify *y = ctx;
	struct fs_control_request *rq = y->to.rq;
	struct policy_verdict verdict;
	struct fs_note_check c = {.finding = FS_NOTE_DAMAGED};
	int rc;

	(void)cookie;
	rc = fs_vault_decide(rq->c->vault, rq->session, index, POLICY_READ, &verdict, NULL, 0);
	if (rc == -ENOENT || (!rc && verdict.answer != POLICY_ALLOW))
		return 0;
	y->journal = name;
	if (!rc)
		rc = verify_one(y);
	if (rc != -EACCES && rc != -EBADMSG && rc != -ENOENT)
		return rc;
	snprintf(c.why, sizeof(c.why), "%.255s",
		 rq->say.text[0] ? rq->say.text : fs_control_plain_words(rc));
	rq->say.text[0] = '\0';
	/* It went, or was taken from him, meanwhile. */
	if (rc == -ENOENT)
		return 0;
	return fs_control_objects_put(&y->to,
				      check_object(y, &c, rc == -EACCES ? "unread" : "damaged"));
}

int fs_control_verb_note_verify(struct fs_control_request *rq)
{
	struct verify y = {.to = {.rq = rq, .name = "checks"},
			   .journal = fs_control_text(rq, "journal"),
			   .path = fs_control_text(rq, "path")};
	int rc;

	if (!*y.journal && *y.path) {
		fs_say(&rq->say,
		       "a note is named by its journal and its path: the journal is missing");
		return -EINVAL;
	}
	rc = fs_control_objects_begin(&y.to);
	if (rc)
		return rc;
	if (*y.journal)
		return verify_one(&y);
	return fs_vault_list(rq->c->vault, rq->session, verify_next, 0, &y);
}

int fs_control_verb_note_export(struct fs_control_request *rq)
{
	const struct fs_note_place at = {.journal = fs_control_text(rq, "journal"),
					 .path = fs_control_text(rq, "path")};
	struct fs_note_export *e = calloc(1, sizeof(*e));
	int rc = e ? 0 : -ENOMEM;

	if (!rc)
		rc = fs_vault_note_export(rq->c->vault, rq->session, &at, e, &rq->say);
	if (rc == -ENODATA && !rq->say.text[0])
		fs_say(&rq->say,
		       "nobody has signed this note yet: `journalfs finalize`, or `journalfs "
		       "sign` where it is locked already");
	if (!rc &&
	    (put_text(rq->answer, "minisig", e->minisig) || put_text(rq->answer, "pub", e->pub) ||
	     put_text(rq->answer, "cert", e->cert) || put_text(rq->answer, "name", e->who)))
		rc = -ENOMEM;
	free(e);
	return rc;
}
