/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_files_save.c - the files under `.policy`: saves and what is told of them.
 *
 * A text is saved from the version that its editor was showing. Which one that was
 * is known by what the same process was handed here: not the look it takes at once
 * before saving (for its backup), but what it showed before; of a process that read
 * nothing, what was shown last in this mount; without that, or when it was this
 * steward who changed the file since, what is in force. So a second steward's save
 * over the first one's is refused, however it is done.
 *
 * A refused text is not lost: it stands in FILE.rejected, and why in FILE.error,
 * until a save of that file is accepted. A save of what is in force anyway is no
 * version, and leaves both: editors put their backup in place after a refusal.
 *
 * Lock: pf->lock, not held while the vault takes the version (it waits for the log).
 */
#include "policy_files_impl.h"

#include "../policy/diff.h"

#define DIFF_MOST (64u << 10)
#define MARK "\xef\xbb\xbf" /* byte order: LibreOffice puts it before UTF-8, where it says nothing */
#define WALK_MOST 1000u /* versions that are looked through for who changed a part */

/* ---- bases ---- */

void fs_pf_saw(struct fs_pf_node *n, const struct fs_policy_caller *by, uint32_t version)
{
	struct fs_pf_seen *use = NULL;

	n->shown = version;
	if (!n->seen)
		n->seen = calloc(FS_PF_SEEN, sizeof(*n->seen));
	for (unsigned k = 0; n->seen && by->pid && k < FS_PF_SEEN; k++) {
		struct fs_pf_seen *s = &n->seen[k];

		if (s->pid == by->pid && s->version == version)
			return;
		if (!use || !s->pid || (use->pid && s->at_ns < use->at_ns))
			use = s;
	}
	if (use)
		*use = (struct fs_pf_seen){by->pid, version, by->now_ns};
}

/* What an editor saved is what it shows; who never read the file shows nothing. */
static void saw_own(struct fs_pf_node *n, const struct fs_policy_caller *by, uint32_t version)
{
	const struct fs_policy_caller before = {by->pid, by->now_ns - FS_PF_LOOK_NS};
	bool read = false;

	for (unsigned k = 0; n->seen && by->pid && k < FS_PF_SEEN; k++) {
		if (n->seen[k].pid != by->pid)
			continue;
		n->seen[k].pid = 0;
		read = true;
	}
	n->shown = version;
	if (read)
		fs_pf_saw(n, &before, version);
}

/* What this process was shown; 0: nothing. */
static uint32_t showing(const struct fs_pf_node *n, const struct fs_policy_caller *by)
{
	uint32_t settled = 0, first = 0;

	for (unsigned k = 0; n->seen && by->pid && k < FS_PF_SEEN; k++) {
		const struct fs_pf_seen *s = &n->seen[k];

		if (s->pid != by->pid)
			continue;
		if (by->now_ns - s->at_ns >= FS_PF_LOOK_NS && s->version > settled)
			settled = s->version;
		if (!first || s->version < first)
			first = s->version;
	}
	return settled ? settled : first;
}

/* The version that gave the file the text it has, after base. */
static uint32_t changed_by(struct fs_policy_files *pf, const char *file, uint32_t base,
			   uint32_t now, const char *text, size_t len, struct fs_policy_stamp *stamp)
{
	uint32_t at = now;

	for (unsigned k = 0; k < WALK_MOST; k++) {
		char *before = NULL;
		size_t n = 0;
		bool same;

		if (fs_vault_policy_stamp(pf->vault, pf->session, at, stamp))
			return 0;
		if (stamp->before <= base)
			return at;
		same = !fs_vault_policy_text_at(pf->vault, pf->session, file, stamp->before,
						&before, &n) &&
		       n == len && !memcmp(before, text, len);
		free(before);
		if (!same)
			return at;
		at = stamp->before;
	}
	return at;
}

uint32_t fs_pf_base(struct fs_policy_files *pf, const struct fs_pf_node *n,
		    const struct fs_policy_caller *by, const struct fs_pf_text *now)
{
	uint32_t base = showing(n, by);
	struct fs_policy_stamp stamp;
	char file[300];

	if (base || !now)
		return base;
	/* Forgotten, and changed since: it may be what an editor shows. */
	if (!n->shown && n->dir == FS_POLICY_JOURNALS && pf->forgot && now->version > pf->forgot)
		return pf->forgot;
	if (!n->shown || n->shown == now->version || fs_pf_file(pf, n, file))
		return now->version;
	/* By a command of his own, say: what he has written, he has seen. */
	if (changed_by(pf, file, n->shown, now->version, now->p, now->len, &stamp) &&
	    !strcmp(stamp.who, pf->session->who))
		return now->version;
	return n->shown;
}

/* ---- FILE.error and FILE.rejected ---- */

/* NAME and its ending; a name too long for that loses its end, at a character. */
static void report_name(const char *name, const char *ending, char out[static FS_PF_NAME + 1])
{
	size_t len = strlen(name), room = FS_PF_NAME - strlen(ending);

	if (len > room)
		for (len = room; len && ((unsigned char)name[len] & 0xc0) == 0x80;)
			len--;
	snprintf(out, FS_PF_NAME + 1, "%.*s%s", (int)len, name, ending);
}

static void report_drop(struct fs_policy_files *pf, uint64_t dir, const char *name,
			const char *ending)
{
	char file[FS_PF_NAME + 1];
	struct fs_pf_node *n;

	report_name(name, ending, file);
	n = fs_pf_scratch(pf, dir, file);
	if (n)
		fs_pf_unname(pf, n);
}

/* The oldest go when there are too many. */
static void report_room(struct fs_policy_files *pf, size_t len)
{
	while (pf->reports && (pf->reports >= FS_PF_FILES || pf->report_bytes + len > FS_PF_REPORTS)) {
		struct fs_pf_node *oldest = NULL;

		for (unsigned b = 0; b < FS_PF_BUCKETS; b++) {
			for (struct fs_pf_node *n = pf->bucket[b]; n; n = n->next)
				if (n->report && n->name && (!oldest || n->ino < oldest->ino))
					oldest = n;
		}
		if (!oldest)
			return;
		fs_pf_unname(pf, oldest);
	}
}

static void report_put(struct fs_policy_files *pf, uint64_t dir, const char *name,
		       const char *ending, const char *text, size_t len)
{
	char file[FS_PF_NAME + 1];
	struct fs_pf_node *n;

	report_drop(pf, dir, name, ending);
	report_room(pf, len);
	report_name(name, ending, file);
	n = fs_pf_make(pf, fs_pf_number(), dir, file, false);
	/* Short of memory the errno alone has to do. */
	if (!n)
		return;
	n->report = true;
	pf->reports++;
	if (!fs_pf_bytes_set(pf, &n->bytes, text, len, false))
		pf->report_bytes += len;
}

static void report_put_both(struct fs_policy_files *pf, const struct fs_pf_node *n,
			    const char *name, const char *error, size_t error_len,
			    const char *text, size_t len)
{
	report_put(pf, n->dir, name, ".error", error ? error : "", error_len);
	if (text)
		report_put(pf, n->dir, name, ".rejected", text, len);
}

static void refused(struct fs_policy_outcome *out, const char *error)
{
	out->refused = true;
	snprintf(out->reason, sizeof(out->reason), "%.*s", (int)strcspn(error, "\n"), error);
}

int fs_pf_refuse_name(struct fs_policy_files *pf, uint64_t dir, const char *name,
		      struct fs_policy_outcome *out)
{
	char error[FS_PF_NAME + 256];

	if (dir == FS_POLICY_JOURNALS)
		snprintf(error, sizeof(error),
			 "%s:1:1: there is no journal of this name: make its directory first, by "
			 "somebody whose role may create journals\n",
			 name);
	else
		snprintf(error, sizeof(error),
			 "%s:1:1: a part of the practice is called NAME.policy, with 1 to %d of "
			 "a-z, 0-9, `.`, `_` and `-`, the first a letter or digit\n",
			 name, POLICY_NAME_MAX);
	report_put(pf, dir, name, ".error", error, strlen(error));
	snprintf(out->path, sizeof(out->path), "%s/%s",
		 dir == FS_POLICY_JOURNALS ? ".policy/journals" : ".policy/practice.d", name);
	refused(out, error);
	return -EINVAL;
}

/* ---- why ---- */

static void tell_changes(FILE *to, const char *name, const char *was, size_t was_len,
			 const char *now, size_t now_len)
{
	char *diff = policy_diff(was, was_len, now, now_len, name, DIFF_MOST);

	if (diff)
		fprintf(to, "\n%s", diff);
	free(diff);
}

/* Who replaced the version that was edited, when, and what that changed. */
static void tell_stale(struct fs_policy_files *pf, FILE *to, const char *file, const char *name,
		       uint32_t base)
{
	struct fs_policy_stamp stamp = {0};
	char *was = NULL, *now = NULL, when[32] = "";
	size_t was_len = 0, now_len = 0;
	uint32_t version = 0;
	struct tm tm;
	time_t t;

	if (fs_vault_policy_read(pf->vault, pf->session, file, &now, &now_len, &version)) {
		fprintf(to, "%s:1:1: the text that was edited is not in force any more: it was "
			    "taken out meanwhile\n",
			name);
		return;
	}
	version = changed_by(pf, file, base, version, now, now_len, &stamp);
	t = (time_t)stamp.time_s;
	if (gmtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%SZ", &tm);
	if (base)
		fprintf(to, "%s:1:1: version %u, which was edited, is out of date: ", name, base);
	else
		fprintf(to, "%s:1:1: out of date, this file is new since: ", name);
	fprintf(to,
		"%s replaced it with version %u at %s; nothing was saved: open the file again and "
		"make the change there\n",
		stamp.who[0] ? stamp.who : "somebody", version, when);
	if (!base || !fs_vault_policy_text_at(pf->vault, pf->session, file, base, &was, &was_len)) {
		fprintf(to, "\nChanged since:\n");
		tell_changes(to, name, was ? was : "", was_len, now, now_len);
	}
	free(was);
	if (now)
		keys_wipe(now, now_len);
	free(now);
}

static const char *plainly(int rc)
{
	switch (rc) {
	case -ENOENT:
		return "there is no such policy any more";
	case -EACCES:
		return "changing policy needs the policy right";
	case -ENOKEY:
		return "the session is locked";
	case -ENOSPC:
		return "the disk is full";
	case -ENOMEM:
		return "memory is short";
	default:
		return "it could not be written";
	}
}

struct saving {
	char file[300];		   /* for the vault */
	char name[FS_PF_NAME + 1]; /* in its directory */
	char shown[320];	   /* in messages, as the parser calls it */
	char *report;
	struct fs_say say;
	int rc;
	bool same; /* as what is in force: no version was made */
};

static char *error_text(struct fs_policy_files *pf, const struct saving *s, uint32_t base,
			size_t *len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, len);

	if (!to)
		return NULL;
	if (s->rc == -EINVAL && s->report)
		fputs(s->report, to);
	else if (s->rc == -ESTALE)
		tell_stale(pf, to, s->file, s->shown, base);
	else
		fprintf(to, "%s:1:1: nothing was saved: %s\n", s->shown,
			s->say.text[0] ? s->say.text : plainly(s->rc));
	return fclose(to) ? NULL : text;
}

/* ---- saving ---- */

static bool in_force(struct fs_policy_files *pf, const char *file, const char *text, size_t len,
		     uint32_t *version)
{
	char *now = NULL;
	size_t n = 0;
	bool same = !fs_vault_policy_read(pf->vault, pf->session, file, &now, &n, version) &&
		    n == len && !memcmp(now, text, len);

	if (now)
		keys_wipe(now, n);
	free(now);
	return same;
}

static void put(struct fs_policy_files *pf, const struct fs_pf_node *n, struct saving *s,
		const char *text, size_t len, uint32_t base)
{
	uint32_t version = 0;

	if (!text) {
		s->rc = fs_vault_policy_remove(pf->vault, pf->session, s->file, base, &s->report,
					       &s->say);
		return;
	}
	if (!len) {
		s->rc = -EINVAL;
		fs_say(&s->say, "the text is empty%s",
		       n->dir == FS_POLICY_PARTS ? "; to take a part out, remove its file" : "");
		return;
	}
	s->same = in_force(pf, s->file, text, len, &version);
	if (s->same) {
		s->rc = 0;
		return;
	}
	s->rc = fs_vault_policy_put(pf->vault, pf->session, s->file, text, len, base, &s->report,
				    &s->say);
	/* Two descriptors may have saved the same text at once. */
	s->same = s->rc == -ESTALE && in_force(pf, s->file, text, len, &version);
	if (s->same)
		s->rc = 0;
}

/* With the lock: what this save leaves behind. */
static void settle(struct fs_policy_files *pf, const struct fs_policy_caller *by,
		   struct fs_pf_node *n, const struct saving *s, const char *text, size_t len)
{
	uint32_t version = 0;

	if (text && in_force(pf, s->file, text, len, &version)) {
		saw_own(n, by, version);
	} else if (!text) {
		n->shown = 0;
		free(n->seen);
		n->seen = NULL;
	}
	if (!s->same) {
		report_drop(pf, n->dir, s->name, ".error");
		report_drop(pf, n->dir, s->name, ".rejected");
	}
}

/* What the file is called, here and in the vault. */
static int saving_begin(struct fs_policy_files *pf, struct fs_pf_node *n, struct saving *s,
			struct fs_policy_outcome *out)
{
	int rc;

	memset(s, 0, sizeof(*s));
	pthread_mutex_lock(&pf->lock);
	n->hidden_until_ns = 0;
	rc = fs_pf_name(pf, n, s->name);
	if (!rc)
		rc = fs_pf_file(pf, n, s->file);
	if (n->dir == FS_POLICY_JOURNALS)
		snprintf(s->shown, sizeof(s->shown), "%s", s->file);
	else
		snprintf(s->shown, sizeof(s->shown), "%s.policy", s->file);
	fs_pf_path(pf, n, out->path);
	out->journal = n->dir == FS_POLICY_JOURNALS ? (uint32_t)n->ino : 0;
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

/* What came of it, for the mount to see; the errno for the program. */
static int saving_end(struct fs_policy_files *pf, const struct fs_policy_caller *by,
		      struct fs_pf_node *n, struct saving *s, const char *text, size_t len,
		      uint32_t base, struct fs_policy_outcome *out)
{
	char *error = NULL;
	size_t error_len = 0;

	if (s->rc)
		error = error_text(pf, s, base, &error_len);
	pthread_mutex_lock(&pf->lock);
	if (!s->rc) {
		settle(pf, by, n, s, text, len);
	} else {
		/* A proposal is kept, and was told of. */
		bool kept = s->rc == -EINPROGRESS;

		/* After a lock nothing may lie here. */
		if (fs_session_state(pf->session) == FS_SESSION_ACTIVE)
			report_put_both(pf, n, s->name, error, error_len, kept ? NULL : text, len);
		if (!kept)
			refused(out, error ? error : "memory is short");
	}
	pthread_mutex_unlock(&pf->lock);
	free(error);
	free(s->report);
	/* The kernel would try a path again on ESTALE. */
	return s->rc == -ESTALE || s->rc == -ENOENT ? -EINVAL : s->rc;
}

int fs_pf_save_text(struct fs_policy_files *pf, const struct fs_policy_caller *by,
		    struct fs_pf_node *n, const char *text, size_t len, uint32_t base,
		    struct fs_policy_outcome *out)
{
	struct saving s;
	int rc = saving_begin(pf, n, &s, out);

	if (rc)
		return rc;
	if (text && len >= strlen(MARK) && !memcmp(text, MARK, strlen(MARK))) {
		text += strlen(MARK);
		len -= strlen(MARK);
	}
	put(pf, n, &s, text, len, base);
	return saving_end(pf, by, n, &s, text, len, base, out);
}

int fs_pf_rename_part(struct fs_policy_files *pf, const struct fs_policy_caller *by,
		      struct fs_pf_node *n, const char *newname, uint32_t base,
		      struct fs_policy_outcome *out)
{
	char part[FS_PF_NAME + 1], newfile[300];
	struct saving s;
	int rc = fs_pf_part_name(newname, part) ? saving_begin(pf, n, &s, out) : -EPERM;

	if (rc)
		return rc;
	snprintf(newfile, sizeof(newfile), "practice.d/%s", part);
	s.rc = fs_vault_policy_rename(pf->vault, pf->session, s.file, newfile, base, &s.report,
				      &s.say);
	if (s.rc == -EEXIST || s.rc == -EPERM)
		return s.rc;
	return saving_end(pf, by, n, &s, NULL, 0, base, out);
}
