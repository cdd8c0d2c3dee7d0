/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/note_history.c - what became of a note, told to who may know.
 *
 * Order of a look: policy, the journal, the note; a durable record of the look; policy again, since
 * the log was waited for; then the events. Invariant: nothing of the journal leaves before its
 * record is durable. Locks: none of its own, none held across fn.
 */
#include "note_history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "final.h"
#include "history.h"
#include "history_tree.h"
#include "vault_impl.h"

#define NEEDED (POLICY_LIST | POLICY_READ | POLICY_HISTORY)

/* One look under way. */
struct looking {
	struct fs_vault *v;
	struct fs_session *s;
	const struct fs_note_history *look;
	struct fs_say *say;
	uint32_t index;
	struct fs_journal *j;
	struct fs_inode *i; /* what is at the path now, NULL nothing */
	bool is_dir;	    /* or the journal itself */
	bool found;	    /* something was given */
};

static const char *none_such = "there is no such journal, or it is not shown to you";

static int refuse(const struct looking *a, int rc, const char *why, const char *rule)
{
	int told = fs_vault_tell(a->v, a->s, POLICY_RECORD_REFUSED, a->index, a->look->journal,
				 "history: %s%s%s (\"%.255s\")", why, *rule ? ": " : "", rule,
				 a->look->path);

	if (told)
		return told;
	fs_say(a->say, "%s%s%s", why, *rule && rc != -ENOENT ? ": " : "",
	       rc == -ENOENT ? "" : rule);
	return rc;
}

static int may(const struct looking *a)
{
	struct policy_verdict verdict = {.answer = POLICY_DENY};
	char rule[POLICY_RECORD_TEXT] = "";
	int rc;

	if (fs_session_state(a->s) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	rc = fs_vault_decide(a->v, a->s, a->index, NEEDED, &verdict, rule, sizeof(rule));
	if (rc)
		return rc;
	if (!verdict.visible)
		return refuse(a, -ENOENT, none_such, rule);
	if (verdict.answer == POLICY_ALLOW && (verdict.rights & NEEDED) == NEEDED)
		return 0;
	return refuse(a, -EACCES, "you may not read earlier versions in this journal", rule);
}

static int open_journal(struct looking *a)
{
	int rc = fs_vault_journal_by_name(a->v, a->look->journal, &a->index);

	if (rc == -ENOENT)
		return refuse(a, -ENOENT, none_such, "");
	if (!rc)
		rc = may(a);
	if (!rc)
		rc = fs_vault_journal(a->v, a->s, a->index, &a->j);
	if (rc == -EACCES && !a->say->text[0])
		fs_say(a->say, "the key of %s still waits for somebody who holds it",
		       a->look->journal);
	return rc;
}

static int find(struct looking *a)
{
	int rc = *a->look->path ? fs_final_lookup(a->j, a->look->path, &a->i)
				: fs_inode_get(a->j, FS_ROOT_INO, &a->i);

	/* What is gone may have been removed and kept. */
	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	if (!rc) {
		pthread_rwlock_rdlock(&a->i->lock);
		a->is_dir = S_ISDIR(a->i->mode);
		rc = a->is_dir || S_ISREG(a->i->mode) ? 0 : -EINVAL;
		pthread_rwlock_unlock(&a->i->lock);
		if (rc)
			fs_say(a->say, "%s is no note", a->look->path);
	}
	return rc;
}

static int tell(const struct looking *a)
{
	const char *slash = strrchr(a->look->path, '/');
	struct policy_record r;
	int rc;

	policy_record_init(&r, POLICY_RECORD_LIST);
	fs_vault_record(a->v, a->s, 0, &r);
	r.journal = a->index;
	fs_vault_journal_name(a->v, a->index, r.journal_name);
	r.note = a->i ? a->i->ino : 0;
	snprintf(r.name, sizeof(r.name), "%s", slash ? slash + 1 : a->look->path);
	snprintf(r.detail, sizeof(r.detail), "%s", a->is_dir ? "removed notes" : "its history");
	rc = fs_log_write(a->v->log, &r);
	keys_wipe(&r, sizeof(r));
	return rc ? -EIO : 0;
}

/* ---- events ---- */

static void name_of(const struct looking *a, uint32_t pid, char out[static 256])
{
	if (fs_vault_pid_name(a->v, pid, out, 256))
		snprintf(out, 256, "p%u", pid);
}

static int give(struct looking *a, const struct fs_note_event *e)
{
	a->found = true;
	return a->look->fn(a->look->ctx, e);
}

struct versions {
	struct looking *a;
	const char *shown; /* where the note is found below .history */
	int rc;
};

static int give_version(void *ctx, const struct fs_history_version *v)
{
	struct versions *w = ctx;
	char who[256];
	struct fs_note_event e = {.kind = "version",
				  .version = v->version,
				  .time_s = v->mtime.tv_sec,
				  .who = who,
				  .size = v->size,
				  .path = w->shown,
				  .reason = "",
				  .now = v->now};

	name_of(w->a, v->writer, who);
	w->rc = give(w->a, &e);
	return w->rc != 0;
}

static int give_versions(struct looking *a, struct fs_inode *i, const char *shown)
{
	struct versions w = {.a = a, .shown = shown};
	int rc = fs_history_list(i, give_version, &w);

	return w.rc ? w.rc : rc;
}

/* Is path the directory, or below it? */
static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !len || (!strncmp(path, dir, len) && path[len] == '/');
}

static int give_removed(void *ctx, const struct fs_history_tree_gone *g)
{
	struct looking *a = ctx;
	struct fs_inode *i = NULL;
	char who[256];
	struct fs_note_event e = {
		.kind = "removed", .time_s = g->when_s, .who = who, .path = g->shown, .reason = ""};
	int rc;

	if (a->is_dir ? !is_below(g->path, a->look->path) : strcmp(g->path, a->look->path) != 0)
		return 0;
	name_of(a, g->pid, who);
	rc = fs_inode_get(a->j, g->ino, &i);
	/* Kept no more since the list was made. */
	if (rc == -ENOENT)
		return 0;
	if (!rc) {
		pthread_rwlock_rdlock(&i->lock);
		e.version = i->version ? i->version : 1;
		e.size = i->size;
		pthread_rwlock_unlock(&i->lock);
		rc = give(a, &e);
	}
	if (!rc && !a->is_dir)
		rc = give_versions(a, i, g->shown);
	fs_inode_put(i);
	return rc;
}

/* ---- statements ---- */

static const char *kind_text(uint8_t kind)
{
	static const char *const words[] = {"",	      "locked",	       "final",
					    "signed", "countersigned", "error"};

	return kind < sizeof(words) / sizeof(words[0]) ? words[kind] : "";
}

static int give_statement(struct looking *a, uint32_t number)
{
	struct fs_final_statement s;
	struct fs_note_event e = {.number = number, .path = ""};
	int rc = number ? fs_final_get(a->j, number, &s) : 0;

	if (rc || !number)
		return rc == -ENOENT ? -EBADMSG : rc;
	/* One about another note says nothing of this one. */
	if (s.note.ino != a->i->ino)
		return -EBADMSG;
	e.kind = kind_text(s.note.kind);
	e.time_s = (int64_t)s.note.time_s;
	e.who = s.note.who;
	e.size = s.note.size;
	e.reason = s.note.reason;
	return give(a, &e);
}

/* The note that this one amends, or is amended by: its path as its own statement says; a draft has
 * none. */
static int give_other(struct looking *a, const char *kind, uint64_t ino)
{
	struct fs_note_event e = {.kind = kind, .who = "", .path = "", .reason = ""};
	struct fs_final_statement s = {.logged = 0};
	struct fs_final_state state;
	struct fs_inode *i = NULL;
	char who[256] = "";
	int rc = ino ? fs_inode_get(a->j, ino, &i) : 0;

	if (rc || !ino)
		return rc == -ENOENT ? 0 : rc;
	rc = fs_final_state(i, &state);
	if (!rc && state.final)
		rc = fs_final_get(a->j, state.final, &s);
	if (!rc) {
		pthread_rwlock_rdlock(&i->lock);
		name_of(a, i->author, who);
		pthread_rwlock_unlock(&i->lock);
		e.number = state.final;
		e.time_s = (int64_t)s.note.time_s;
		e.who = who;
		e.path = s.note.path;
		rc = give(a, &e);
	}
	fs_inode_put(i);
	return rc;
}

/* The other journal's name is only for who is shown that journal. */
static int give_moved(struct looking *a, const char *kind, uint32_t index)
{
	struct policy_verdict verdict = {.answer = POLICY_DENY};
	char name[256] = "";
	struct fs_note_event e = {.kind = kind, .who = "", .path = name, .reason = ""};

	if (!index)
		return 0;
	if (!fs_vault_decide(a->v, a->s, index, 0, &verdict, NULL, 0) && verdict.visible &&
	    fs_vault_journal_name(a->v, index, name))
		name[0] = '\0';
	return give(a, &e);
}

static int give_statements(struct looking *a)
{
	struct fs_final_state st;
	int rc = fs_final_state(a->i, &st);

	if (!rc)
		rc = give_moved(a, "moved-from", st.moved_from);
	if (!rc)
		rc = give_other(a, "amends", st.amends);
	if (!rc)
		rc = give_statement(a, st.final);
	if (!rc && st.signed_by != st.final)
		rc = give_statement(a, st.signed_by);
	if (!rc)
		rc = give_statement(a, st.countersigned);
	if (!rc)
		rc = give_other(a, "amended-by", st.amended_by);
	if (!rc)
		rc = give_statement(a, st.error);
	return rc ? rc : give_moved(a, "moved-to", st.moved_to);
}

static void head(const struct looking *a, const char **state, char author[static 256])
{
	uint16_t flags;
	uint32_t pid;

	*state = a->is_dir ? "" : "removed";
	author[0] = '\0';
	if (!a->i || a->is_dir)
		return;
	pthread_rwlock_rdlock(&a->i->lock);
	flags = a->i->flags;
	pid = a->i->author;
	pthread_rwlock_unlock(&a->i->lock);
	name_of(a, pid, author);
	*state = flags & FS_INODE_ERROR	    ? "entered-in-error"
		 : flags & FS_INODE_AMENDED ? "amended"
		 : flags & FS_INODE_FINAL   ? "final"
					    : "draft";
}

static int events(struct looking *a)
{
	int rc = 0, damaged = 0;

	if (a->i && !a->is_dir)
		rc = give_versions(a, a->i, a->look->path);
	/* What else is known of the note is told all the same. */
	if (rc == -EBADMSG) {
		damaged = rc;
		rc = 0;
	}
	if (!rc)
		rc = fs_history_tree_removed(a->j, give_removed, a);
	if (!rc && a->i && !a->is_dir)
		rc = give_statements(a);
	if (!rc && !a->i && !a->found) {
		fs_say(a->say,
		       "there is no such note in this journal, and none of that name was kept "
		       "when it was removed");
		rc = -ENOENT;
	}
	return rc ? rc : damaged;
}

int fs_vault_note_history(struct fs_vault *v, struct fs_session *s,
			  const struct fs_note_history *look, const char **state,
			  char author[static 256], struct fs_say *say)
{
	struct looking a = {.v = v, .s = s, .look = look, .say = say};
	int rc = open_journal(&a);

	if (!rc)
		rc = find(&a);
	if (!rc)
		rc = tell(&a);
	if (!rc)
		rc = may(&a);
	if (!rc) {
		head(&a, state, author);
		rc = events(&a);
	}
	fs_inode_put(a.i);
	fs_journal_put(a.j);
	return rc;
}
