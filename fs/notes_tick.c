/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_tick.c - `finalize after`: notes that nobody has changed for so long become final.
 *
 * That they don't change any more is exact, since every change asks (fs_actor.due_s). That they are
 * locked, with a statement, follows: the clock thread walks the journals that sessions have open
 * and may write in, one a call, each once a minute. The vault itself makes the statement; a
 * session's key signs the journal's root. A wall clock that was set by more than an hour locks nothing
 * for a day: a note that is locked stays so, a clock can be put right.
 *
 * Locks: none but those of fs/notes.c.
 */
#include <sys/stat.h>

#include "notes_impl.h"
#include "save_names.h"

#define ROUND_NS (60 * UINT64_C(1000000000))
#define SET_S 3600 /* as far as a clock may go wrong or be corrected without our minding */
#define HOLD_NS (24 * 60 * ROUND_NS)
#define LOCKS_MOST 4 /* notes made final in one call */
#define ENTRIES_MOST                                                                               \
	100000 /* looked at in one call; what lies behind them waits for a change of something     \
		  before */

int64_t fs_vault_note_due_s(struct fs_vault *v)
{
	struct policy_practice *p = fs_vault_practice(v);
	uint32_t after = p ? policy_practice_settings(p)->finalize_after_s : 0;

	policy_practice_put(p);
	return after ? fs_vault_wall_s() - after : 0;
}

struct folder {
	struct folder *next;
	struct fs_inode *dir;
	char path[]; /* "" or with a slash at its end */
};

struct walk {
	struct fs_noting a; /* of the journal */
	struct fs_noting_final how;
	struct folder *first, *now;
	unsigned entries, tried, locked;
	bool more; /* not everything was looked at */
};

static bool due(const struct walk *w, const struct fs_inode *i, const char *name)
{
	struct policy_keep keep;

	policy_practice_keep(w->a.practice, name, &keep);
	/* Nor what an editor has left there: nobody could remove it any more. */
	return keep.record && !fs_save_names_temporary(name) && S_ISREG(i->mode) && i->nlink == 1 && !(i->flags & FS_INODE_FINAL) &&
	       !i->closing && i->ctime.tv_sec <= w->how.due_s;
}

static void keep_folder(struct walk *w, struct fs_inode *dir, const char *path)
{
	struct folder *f = malloc(sizeof(*f) + strlen(path) + 2);

	if (!f)
		return;
	f->dir = fs_inode_ref(dir);
	snprintf(f->path, strlen(path) + 2, "%s/", path);
	f->next = w->first;
	w->first = f;
}

static void lock(struct walk *w, struct fs_inode *i, const char *path)
{
	struct fs_note_result out;

	w->tried++;
	w->a.i = i;
	w->a.path = path;
	if (!fs_noting_again(&w->a) && !(w->a.attr.flags & FS_INODE_FINAL) &&
	    !fs_noting_finalize(&w->a, &w->how, &out))
		w->locked++;
	w->a.i = NULL;
}

static int entry(void *ctx, const struct fs_tree_entry *e)
{
	char path[KEYS_NOTE_PATH_MAX + 1];
	struct walk *w = ctx;
	struct fs_inode *i = NULL;
	bool is_due;

	w->more = w->tried >= LOCKS_MOST || ++w->entries > ENTRIES_MOST;
	if (w->more)
		return 1;
	if ((size_t)snprintf(path, sizeof(path), "%s%s", w->now->path, e->name) >= sizeof(path) ||
	    fs_inode_get(w->a.j, e->ino, &i))
		return 0;
	pthread_rwlock_rdlock(&i->lock);
	is_due = due(w, i, e->name);
	pthread_rwlock_unlock(&i->lock);
	if (S_ISDIR(e->mode))
		keep_folder(w, i, path);
	else if (is_due)
		lock(w, i, path);
	fs_inode_put(i);
	return 0;
}

static void walk(struct walk *w)
{
	struct folder *root = calloc(1, sizeof(*root) + 1);

	if (!root || fs_inode_get(w->a.j, FS_ROOT_INO, &root->dir)) {
		free(root);
		return;
	}
	w->first = root;
	while ((w->now = w->first)) {
		w->first = w->now->next;
		if (!w->more)
			(void)fs_tree_list(w->now->dir, 0, entry, w);
		fs_inode_put(w->now->dir);
		free(w->now);
	}
}

/* A journal that this session has open, may write in, and that comes after `after`. */
struct next {
	struct fs_vault *v;
	struct fs_session *s;
	uint32_t after, index;
};

static bool consider(void *ctx, uint32_t index)
{
	struct next *n = ctx;
	struct policy_verdict verdict;

	if (index > n->after && (!n->index || index < n->index) &&
	    !fs_vault_decide(n->v, n->s, index, POLICY_WRITE, &verdict, NULL, 0) &&
	    verdict.answer == POLICY_ALLOW)
		n->index = index;
	return true;
}

/* The next journal of the round and a session for it; false: the round is over. */
static bool next(struct fs_vault *v, uint32_t *index, struct fs_session **out)
{
	struct fs_session **all = NULL;
	size_t n = fs_sessions_all(v, &all);
	struct next best = {.v = v, .after = v->note_cursor};

	*out = NULL;
	for (size_t k = 0; k < n; k++) {
		struct next one = {.v = v, .s = all[k], .after = v->note_cursor};

		if (fs_session_state(all[k]) == FS_SESSION_ACTIVE)
			fs_session_journals_each(all[k], consider, &one);
		if (one.index && (!best.index || one.index < best.index))
			best = one;
	}
	if (best.index) {
		*index = best.index;
		*out = fs_session_get(best.s);
	}
	fs_sessions_put_all(all, n);
	return best.index != 0;
}

static void one_journal(struct fs_vault *v, struct fs_session *s, uint32_t index, int64_t due_s,
			const struct fs_note_settle *settle)
{
	struct walk w = {.a = {.v = v, .hand = s, .index = index, .what = "finalizing", .path = ""},
			 .how = {.due_s = due_s, .reason = "by its age", .settle = settle}};

	w.a.practice = fs_vault_practice(v);
	w.a.j = fs_session_journal_find(s, index);
	if (w.a.practice && w.a.j && !fs_vault_journal_name(v, index, w.a.journal))
		walk(&w);
	/* What is left of it is the next call's; what can't be locked keeps no other journal
	 * waiting. */
	if (!w.more || !w.locked)
		v->note_cursor = index;
	fs_noting_end(&w.a);
}

/* Looks at the clocks; true: notes may be locked by what the wall clock says. */
static bool trusted(struct fs_vault *v, uint64_t now)
{
	int64_t skew_s = fs_vault_wall_s() - (int64_t)(now / 1000000000);
	int64_t by_s = skew_s - v->note_skew_s;

	if (v->note_skew_s && (by_s > SET_S || by_s < -SET_S)) {
		v->note_hold_ns = now + HOLD_NS;
		(void)fs_vault_tell(v, NULL, POLICY_RECORD_ALARM, 0, NULL,
				    "the host's clock was set by %lld hours: no note becomes final by "
				    "its age for a day",
				    (long long)(by_s / SET_S));
	}
	v->note_skew_s = skew_s;
	return now >= v->note_hold_ns;
}

void fs_vault_note_tick(struct fs_vault *v, const struct fs_note_settle *settle)
{
	int64_t due_s = fs_vault_note_due_s(v);
	uint64_t now = fs_vault_boot_ns();
	struct fs_session *s;
	uint32_t index;

	if (!due_s || v->cfg.read_only || !trusted(v, now) || now < v->note_round_ns)
		return;
	if (!next(v, &index, &s)) {
		v->note_cursor = 0;
		v->note_round_ns = now + ROUND_NS;
		return;
	}
	one_journal(v, s, index, due_s, settle);
	fs_session_put(s);
}
