/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_statement.c - a statement about a note: made, signed, logged, stored.
 *
 * The order is the one of everything here: the record with number and hash of the statement is
 * durable in the access log, then it is stored in one batch with what follows from it, then that is
 * durable, then it is answered. What was logged and could not be stored is said in a second record,
 * since the next statement takes the same number.
 *
 * Invariants: (1) nothing is signed but contents that are what the statement says; (2) the note
 * key is used under the session's lock, in place.
 *
 * Locks: `finals` is held by the caller, from the end of the chain to the commit.
 */
#include <stdarg.h>
#include <time.h>

#include "../policy/utf8.h"
#include "notes_impl.h"

static const enum policy_record_kind records[] = {
	[KEYS_NOTE_LOCKED] = POLICY_RECORD_FINAL, [KEYS_NOTE_FINAL] = POLICY_RECORD_FINAL,
	[KEYS_NOTE_SIGNED] = POLICY_RECORD_SIGN,  [KEYS_NOTE_COUNTERSIGNED] = POLICY_RECORD_SIGN,
	[KEYS_NOTE_ERROR] = POLICY_RECORD_ERROR,
};
static const char *const words[] = {
	[KEYS_NOTE_LOCKED] = "locked, not signed",
	[KEYS_NOTE_FINAL] = "signed",
	[KEYS_NOTE_SIGNED] = "signed by its author",
	[KEYS_NOTE_COUNTERSIGNED] = "countersigned",
	[KEYS_NOTE_ERROR] = "marked as entered in error",
};

void fs_noting_hex(const uint8_t *p, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

void fs_noting_record(const struct fs_noting *a, enum policy_record_kind kind,
		      struct policy_record *r)
{
	policy_record_init(r, kind);
	fs_vault_record(a->v, a->s, 0, r);
	r->journal = a->index;
	policy_record_copy(r->journal_name, sizeof(r->journal_name), a->journal);
	policy_record_copy(r->name, sizeof(r->name), a->path);
	r->note = a->i ? a->i->ino : 0;
	r->grant = a->grant;
	if (a->grant && !strcmp(r->purpose, "TREAT"))
		snprintf(r->purpose, sizeof(r->purpose), "BTG");
}

/*
 * Printable text of a name that may hold anything; bytes that are no text become '?', and quotes, which end the name
 * in the comment, apostrophes: no name goes on as "by somebody else".
 */
static void plain(const char *name, char *out, size_t cap)
{
	size_t n = 0, len = strlen(name);

	while (len && n + 1 < cap) {
		uint32_t point = 0;
		unsigned k = policy_utf8_get(name, len, &point);
		bool text = k && !policy_utf8_control(point);

		k = k ? k : 1;
		if (n + k >= cap)
			break;
		if (text)
			memcpy(out + n, name, k);
		else
			out[n] = '?';
		if (out[n] == '"')
			out[n] = '\'';
		n += text ? k : 1;
		name += k;
		len -= k;
	}
	out[n] = '\0';
}

void fs_noting_comment(const struct keys_note *n, char out[static KEYS_MINISIGN_COMMENT + 1])
{
	const char *slash = strrchr(n->path, '/');
	char vault[2 * KEYS_VAULT_ID_LEN + 1], hash[2 * KEYS_LEN + 1], time[32] = "", name[256];
	char who[KEYS_NAME_MAX + 1], role[KEYS_NAME_MAX + 1];
	uint8_t h[KEYS_LEN];
	time_t t = (time_t)n->time_s;
	struct tm tm;

	keys_note_hash(n, h);
	fs_noting_hex(n->vault, sizeof(n->vault), vault);
	fs_noting_hex(h, sizeof(h), hash);
	plain(slash ? slash + 1 : n->path, name, sizeof(name));
	plain(n->who, who, sizeof(who));
	plain(n->role, role, sizeof(role));
	if (gmtime_r(&t, &tm))
		strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(out, KEYS_MINISIGN_COMMENT + 1,
		 "journalfs %s of \"%s\" by %s, %s, %s, statement %u %s, journal %u of vault %s",
		 n->kind == KEYS_NOTE_COUNTERSIGNED ? "countersignature" : "signature", name, who,
		 role, time, n->number, hash, n->journal, vault);
}

/* ---- making ---- */

static void fill_who(const struct fs_noting *a, struct keys_note *n)
{
	if (!a->s)
		return;
	n->pid = a->s->pid;
	n->enrolment = a->s->enrolment;
	snprintf(n->who, sizeof(n->who), "%s", a->s->who);
	if (a->me)
		snprintf(n->role, sizeof(n->role), "%s", a->me->role->name);
}

int fs_noting_statement(const struct fs_noting *a, enum keys_note_kind kind, struct keys_note *n)
{
	struct fs_log_stat log;
	int rc;

	*n = (struct keys_note){.kind = (uint8_t)kind,
				.journal = a->index,
				.ino = a->i->ino,
				.time_s = (uint64_t)fs_vault_wall_s(),
				.author = a->attr.author,
				.policy_version = a->policy_version};
	memcpy(n->vault, a->v->header.vault, sizeof(n->vault));
	snprintf(n->path, sizeof(n->path), "%s", a->path);
	snprintf(n->author_name, sizeof(n->author_name), "%s", a->author[0] ? a->author : "?");
	fill_who(a, n);
	fs_log_stat(a->v->log, &log);
	n->log_seq = log.durable;
	fs_records_head(a->v->records, &n->commit, n->root);
	rc = fs_final_last(a->j, &n->number, n->before);
	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	if (n->number == UINT32_MAX)
		return -ENOSPC;
	n->number++;
	return 0;
}

/* With the session's own key, which stays where it is. */
static int sign(const struct fs_noting *a, const struct fs_noting_add *add)
{
	char comment[KEYS_MINISIGN_COMMENT + 1];
	struct fs_final_statement *st = add->s;
	struct keys_minisign_signer by = {.pid = a->s->pid, .enrolment = a->s->enrolment};
	int rc;

	memcpy(by.vault, st->note.vault, sizeof(by.vault));
	pthread_rwlock_rdlock(&a->s->lock);
	rc = a->s->secret && fs_session_state(a->s) == FS_SESSION_ACTIVE ? 0 : -ENOKEY;
	if (!rc) {
		by.note_sk = a->s->secret->note_sk;
		keys_note_sign(&st->note, by.note_sk);
		fs_noting_comment(&st->note, comment);
		if (add->blake2b)
			rc = keys_minisign_sign(&by, add->blake2b, comment, &st->minisign);
	}
	pthread_rwlock_unlock(&a->s->lock);
	st->has_minisign = !rc && add->blake2b;
	return rc;
}

/* ---- logged, stored ---- */

static void fill_record(const struct fs_noting *a, const struct keys_note *n,
			struct policy_record *r)
{
	char hex[2 * KEYS_LEN + 1];
	uint8_t hash[KEYS_LEN];

	fs_noting_record(a, records[n->kind], r);
	/* policy/FORMAT.md: what is not the signature of who finalizes, or of the author. */
	if (n->kind == KEYS_NOTE_LOCKED || n->kind == KEYS_NOTE_COUNTERSIGNED)
		r->action = 'E';
	r->count = n->number;
	r->policy_version = n->policy_version;
	policy_record_copy(r->reason, sizeof(r->reason), n->reason);
	keys_note_hash(n, hash);
	fs_noting_hex(hash, sizeof(hash), hex);
	snprintf(r->detail, sizeof(r->detail), "%s %s", hex, words[n->kind]);
}

static int tell(const struct fs_noting *a, struct fs_final_statement *st)
{
	struct policy_record r;
	int rc;

	fill_record(a, &st->note, &r);
	rc = fs_log_append(a->v->log, &r, &st->logged);
	if (!rc)
		rc = fs_log_wait(a->v->log, st->logged);
	return !rc || rc == -ENOSPC ? rc : -EIO;
}

/* The record said what did not come true. */
static void take_back(const struct fs_noting *a, const struct keys_note *n, int rc)
{
	struct policy_record r;

	fill_record(a, n, &r);
	r.outcome = 8;
	snprintf(r.detail + strlen(r.detail), sizeof(r.detail) - strlen(r.detail),
		 "; it could not be stored: %s", strerror(-rc));
	(void)fs_log_write(a->v->log, &r);
}

/* No room for it yet, but the group is kept until there is: what the record said stands. */
static bool waits(const struct fs_noting *a, int rc)
{
	return (rc == -ENOSPC || rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE) &&
	       !fs_group_failed(fs_records_group(fs_journal_records(a->j)));
}

int fs_noting_add(struct fs_noting *a, const struct fs_noting_add *add)
{
	struct fs_final_add final = {.i = a->i, .s = add->s, .wants = add->wants};
	bool stated = false;
	struct fs_actor who;
	int rc = add->s->note.kind == KEYS_NOTE_LOCKED ? 0 : sign(a, add);

	if (!rc)
		rc = tell(a, add->s);
	if (rc)
		return rc;
	if (add->moved) {
		final.moved_to = add->moved->index;
		final.moved_to_ino = add->moved->i->ino;
	}
	fs_noting_actor(a, &who);
	/* It may have been locked while the log was waited for. */
	rc = who.signer ? fs_final_add(&final, &who) : -ENOKEY;
	stated = !rc;
	if (!rc)
		rc = fs_noting_durable(a->j, who.group);
	if (who.signer)
		fs_signer_put(who.signer);
	if (stated && waits(a, rc))
		return fs_noting_no(a, rc,
				    "%s is %s, but the disk has no room for it (%s): it is stored as soon "
				    "as there is; nothing has to be done again", a->path,
				    words[add->s->note.kind], strerror(-rc));
	if (rc)
		take_back(a, &add->s->note, rc);
	return rc;
}

/* ---- looking back ---- */

int fs_noting_hash(const struct fs_noting *a, struct fs_noting_hash *out)
{
	return fs_final_hash(a->i, out->sha256, out->blake2b, &out->size);
}

int fs_noting_same(const struct fs_noting *a, const struct keys_note *n,
		   const struct fs_noting_hash *hash)
{
	if (hash->size == n->size && keys_equal(hash->sha256, n->sha256, KEYS_LEN) &&
	    n->ino == a->i->ino)
		return 0;
	fs_vault_alarm(a->v, a->index, "a final note is not what its statement %u says",
		       (unsigned)n->number);
	return fs_noting_no(a, -EBADMSG,
			    "%s is not what was made final: see `journalfs verify`, and restore it "
			    "from a backup",
			    a->path);
}

int fs_noting_final_of(const struct fs_noting *a, struct fs_final_state *state,
		       struct fs_final_statement *out)
{
	int rc = fs_final_state(a->i, state);

	if (!rc && !state->final)
		return fs_noting_no(a, -EPERM, "%s is a draft: finalize it first", a->path);
	if (!rc)
		rc = fs_final_get(a->j, state->final, out);
	if (!rc && (out->note.ino != a->i->ino || out->note.of))
		rc = -EBADMSG;
	if (rc != -ENOENT && rc != -EBADMSG)
		return rc;
	fs_vault_alarm(a->v, a->index, "what is kept of a final note does not fit together");
	return fs_noting_no(
		a, -EBADMSG,
		"what is kept of %s as a final note is damaged: see `journalfs verify`, and "
		"restore it from a backup",
		a->path);
}
