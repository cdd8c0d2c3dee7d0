/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_history.c - the verb note-history: what became of a note.
 *
 * Rights and records are the vault's (fs/note_history.h). The events are gathered and sent in
 * pieces; state and author stand in the last. Damage does not keep back what could be read: it is
 * said in `notice`.
 */
#include <errno.h>
#include <string.h>

#include "control_impl.h"
#include "note_history.h"

static int put_text(json_t *to, const char *name, const char *text)
{
	return json_object_set_new(to, name, fs_control_json_text(text, strlen(text))) ? -ENOMEM
										       : 0;
}

static int add_event(void *ctx, const struct fs_note_event *e)
{
	json_t *one = json_pack("{s:s, s:I, s:I, s:I, s:I, s:b}", "kind", e->kind, "version",
				(json_int_t)e->version, "number", (json_int_t)e->number, "time_s",
				(json_int_t)e->time_s, "size", (json_int_t)e->size, "now", e->now);

	if (one && (put_text(one, "who", e->who) || put_text(one, "path", e->path) ||
		    put_text(one, "reason", e->reason))) {
		json_decref(one);
		one = NULL;
	}
	return fs_control_objects_put(ctx, one);
}

int fs_control_verb_note_history(struct fs_control_request *rq)
{
	struct fs_control_objects to = {.rq = rq, .name = "events"};
	const struct fs_note_history look = {.journal = fs_control_text(rq, "journal"),
					     .path = fs_control_text(rq, "path"),
					     .fn = add_event,
					     .ctx = &to};
	const char *state = "";
	char author[256] = "";
	int rc = fs_control_objects_begin(&to);

	if (!rc)
		rc = fs_vault_note_history(rq->c->vault, rq->session, &look, &state, author,
					   &rq->say);
	if (rc == -EBADMSG)
		rc = put_text(rq->answer, "notice",
			      "something of it is damaged and can't be read; the rest is shown");
	if (!rc)
		rc = put_text(rq->answer, "state", state);
	return rc ? rc : put_text(rq->answer, "author", author);
}
