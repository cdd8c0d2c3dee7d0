/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_notes.c - verbs of final notes: look, finalize, sign, mark as entered in error, amend,
 * move.
 *
 * Rights, order and records are the vault's (fs/notes.h); verifying and export:
 * control_notes_verify.c. A note is named by its journal and its path within it, as bytes that are
 * UTF-8 (JSON takes no others).
 */
#include <errno.h>
#include <string.h>

#include "../policy/utf8.h"
#include "control_impl.h"
#include "notes_below.h"
#include "serve.h"

/* The note or directory that a request names. */
static int place(struct fs_control_request *rq, struct fs_note_place *at)
{
	*at = (struct fs_note_place){.journal = fs_control_text(rq, "journal"),
				     .path = fs_control_text(rq, "path")};
	if (*at->path != '/')
		return 0;
	fs_say(&rq->say, "the path %s begins with a slash: it is meant within the journal",
	       at->path);
	return -EINVAL;
}

static void settle_mounts(void *ctx, uint64_t nodeid)
{
	fs_serve_settle(ctx, nodeid);
}

static struct fs_note_settle settle(struct fs_control_request *rq)
{
	return (struct fs_note_settle){.fn = settle_mounts, .ctx = rq->c->serve};
}

static int put_text(json_t *to, const char *name, const char *text)
{
	return json_object_set_new(to, name, fs_control_json_text(text, strlen(text))) ? -ENOMEM
										       : 0;
}

static int put_result(struct fs_control_request *rq, const char *path,
		      const struct fs_note_result *r)
{
	char hex[2 * KEYS_LEN + 1];
	json_t *more;
	int rc = -ENOMEM;

	for (size_t i = 0; i < KEYS_LEN; i++)
		snprintf(hex + 2 * i, 3, "%02x", r->sha256[i]);
	more = json_pack("{s:I, s:s, s:I, s:s, s:b}", "number", (json_int_t)r->number, "kind",
			 fs_control_note_kind(r->kind), "time_s", (json_int_t)r->time_s, "sha256",
			 hex, "wants", r->wants);
	if (more && !json_object_update(rq->answer, more))
		rc = put_text(rq->answer, "path", path);
	json_decref(more);
	return rc;
}

const char *fs_control_note_kind(uint8_t kind)
{
	static const char *const words[] = {"",	      "locked",	       "final",
					    "signed", "countersigned", "error"};

	return kind < sizeof(words) / sizeof(words[0]) ? words[kind] : "";
}

/* ---- look ---- */

#define STAMP_MAX 63
#define REFUSALS_MAX 200 /* each is durable in the log */

struct look {
	struct fs_control_objects to;
	const char *journal;
	unsigned refused;
};

/* By which `note-finalize` knows that a note is still what was shown. */
static void stamp_of(const struct fs_note_look *l, char out[static STAMP_MAX + 1])
{
	snprintf(out, STAMP_MAX + 1, "%llx.%llx.%llx.%lx", (unsigned long long)l->ino,
		 (unsigned long long)l->change, (unsigned long long)l->mtime.tv_sec,
		 (unsigned long)l->mtime.tv_nsec);
}

static json_t *note_object(const char *path, const struct fs_note_look *l, const char *may,
			   const char *why)
{
	char stamp[STAMP_MAX + 1];
	json_t *one;

	stamp_of(l, stamp);
	one = json_pack("{s:I, s:I, s:b, s:s, s:b, s:s, s:s}", "size", (json_int_t)l->size,
			"mtime_s", (json_int_t)l->mtime.tv_sec, "mine", l->mine, "state",
			l->final ? "final" : "draft", "wants", l->wants, "may", may, "stamp",
			stamp);

	if (one && !put_text(one, "path", path) && !put_text(one, "author", l->author) &&
	    !put_text(one, "why", why))
		return one;
	json_decref(one);
	return NULL;
}

/* What is about one note, not about the session, the vault or the connection. */
static bool of_note(int rc)
{
	return rc == -EACCES || rc == -EPERM || rc == -EBUSY || rc == -EMLINK || rc == -EINVAL ||
	       rc == -ENOENT || rc == -ENAMETOOLONG;
}

static int look_at(struct look *k, const char *path)
{
	struct fs_control_request *rq = k->to.rq;
	struct fs_note_place at = {.journal = k->journal, .path = path};
	struct fs_note_look l = {.author = ""};
	struct fs_say say = {.text = ""};
	int rc = fs_vault_note_look(rq->c->vault, rq->session, &at, &l, &say);

	if (rc && !of_note(rc)) {
		rq->say = say;
		return rc;
	}
	if (rc == -EACCES && ++k->refused > REFUSALS_MAX) {
		fs_say(&rq->say,
		       "more than %d notes below it are not yours to finalize: name the "
		       "notes, or a smaller directory",
		       REFUSALS_MAX);
		return -E2BIG;
	}
	if (rc && !say.text[0])
		fs_say(&say, "%s", fs_control_plain_words(rc));
	return fs_control_objects_put(&k->to, note_object(path, &l, rc ? "no" : "yes", say.text));
}

/* Requests name notes in JSON, which has no other bytes. */
static bool sayable(const char *path)
{
	size_t len = strlen(path), n = 1;
	uint32_t point;

	for (; len && n; path += n, len -= n)
		n = policy_utf8_get(path, len, &point);
	return n;
}

static int look_below(void *ctx, const struct fs_note_below *note)
{
	static const struct fs_note_look nothing;
	struct look *k = ctx;
	const char *may = note->without ? "left-out" : "no";
	const char *why = note->without ? note->without : note->cannot;

	if (!why && sayable(note->path))
		return look_at(k, note->path);
	return fs_control_objects_put(
		&k->to, note_object(note->path, &nothing, may,
				    why ? why : "its name is not UTF-8: rename it first"));
}

int fs_control_verb_note_look(struct fs_control_request *rq)
{
	struct look k = {.to = {.rq = rq, .name = "notes"}};
	struct fs_note_place at;
	int rc = place(rq, &at);

	k.journal = at.journal;
	if (!rc)
		rc = fs_control_objects_begin(&k.to);
	if (!rc)
		rc = fs_vault_notes_below(rq->c->vault, rq->session, &at, look_below, &k, &rq->say);
	return rc == -ENOTDIR ? look_at(&k, at.path) : rc;
}

/* ---- acts ---- */

/* What a person agreed to lock is what he was shown; at names it from here on. */
static int check_stamp(struct fs_control_request *rq, struct fs_note_place *at)
{
	const char *shown = fs_control_text(rq, "stamp");
	struct fs_note_look l = {.author = ""};
	char stamp[STAMP_MAX + 1];
	int rc;

	if (!*shown)
		return 0;
	rc = fs_vault_note_look(rq->c->vault, rq->session, at, &l, &rq->say);
	if (rc)
		return rc;
	stamp_of(&l, stamp);
	at->ino = l.ino;
	at->change = l.change;
	at->as_shown = true;
	if (!strcmp(stamp, shown))
		return 0;
	fs_say(&rq->say,
	       "it was changed after it was shown; look at it again, and finalize it then");
	return -ESTALE;
}

int fs_control_verb_note_finalize(struct fs_control_request *rq)
{
	struct fs_note_settle how = settle(rq);
	struct fs_note_result result = {0};
	struct fs_note_place at;
	int rc = place(rq, &at);

	if (!rc)
		rc = check_stamp(rq, &at);
	if (!rc)
		rc = fs_vault_note_finalize(rq->c->vault, rq->session, &at, FS_NOTE_SIGN, &how,
					    &result, &rq->say);
	return rc ? rc : put_result(rq, at.path, &result);
}

int fs_control_verb_note_sign(struct fs_control_request *rq)
{
	struct fs_note_result result = {0};
	struct fs_note_place at;
	int rc = place(rq, &at);

	if (!rc)
		rc = fs_vault_note_sign(rq->c->vault, rq->session, &at, &result, &rq->say);
	return rc ? rc : put_result(rq, at.path, &result);
}

int fs_control_verb_note_error(struct fs_control_request *rq)
{
	struct fs_note_settle how = settle(rq);
	struct fs_note_result result = {0};
	struct fs_note_place at;
	int rc = place(rq, &at);

	if (!rc)
		rc = fs_vault_note_error(rq->c->vault, rq->session, &at,
					 fs_control_text(rq, "reason"), &how, &result, &rq->say);
	return rc ? rc : put_result(rq, at.path, &result);
}

int fs_control_verb_note_amend(struct fs_control_request *rq)
{
	char path[KEYS_NOTE_PATH_MAX + 1] = "";
	struct fs_note_settle told = settle(rq);
	struct fs_note_place at;
	int rc = place(rq, &at);

	at.folder = &told;
	if (!rc)
		rc = fs_vault_note_amend(rq->c->vault, rq->session, &at,
					 fs_control_text(rq, "name"), path, &rq->say);
	return rc ? rc : put_text(rq->answer, "path", path);
}

int fs_control_verb_note_move(struct fs_control_request *rq)
{
	char path[KEYS_NOTE_PATH_MAX + 1] = "";
	struct fs_note_settle how = settle(rq);
	struct fs_note_place at;
	int rc = place(rq, &at);

	if (!rc)
		rc = fs_vault_note_move(rq->c->vault, rq->session, &at, fs_control_text(rq, "to"),
					fs_control_text(rq, "reason"), &how, path, &rq->say);
	return rc ? rc : put_text(rq->answer, "path", path);
}
