/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_export.c - a note's signature for whoever has no vault: minisign's files, and who the
 * key belongs to.
 *
 * The signature was made when the note was signed. What is exported is verified first, and logged
 * as an export before it is handed out. The certificate is text for people and for a program that
 * follows keys/FORMAT.md: the identity, and each invitation up to the key of the vault's root.
 *
 * Locks: none of its own.
 */
#include <stdarg.h>
#include <time.h>

#include "../keys/base64.h"
#include "notes_impl.h"

#define CHAIN_MOST 64

/* The certificate under way; bad: no room. */
struct text {
	char *at;
	size_t cap, len;
	bool bad;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->cap - t->len)
		t->bad = true;
	else
		t->len += (size_t)n;
}

static void put_bytes(struct text *t, const char *name, const void *p, size_t len)
{
	char line[KEYS_BASE64_ROOM(KEYS_NOTE_MAX)];

	if (keys_base64(p, len, line, sizeof(line)))
		t->bad = true;
	else
		put(t, "%s: %s\n", name, line);
}

static void put_identity(struct text *t, const struct keys_identity *id)
{
	uint8_t b[KEYS_IDENTITY_MAX];
	size_t len = 0;

	if (keys_identity_encode(id, b, sizeof(b), &len))
		t->bad = true;
	else
		put_bytes(t, "identity", b, len);
}

static void put_invite(struct text *t, const struct fs_known_invite *k)
{
	uint8_t b[FS_INVITE_BYTES];
	size_t len = 0;

	if (keys_statement_encode(&k->st, b, sizeof(b), &len))
		t->bad = true;
	else
		put_bytes(t, "invitation", b, len);
}

/* From the signer's identity up to the root: each identity, the invitation that it answers, who
 * issued that. */
static int put_chain(struct fs_vault *v, struct text *t, uint32_t pid, uint32_t enrolment)
{
	for (unsigned depth = 0; pid && depth < CHAIN_MOST; depth++) {
		const struct keys_identity *id = NULL;
		const struct fs_known_invite *k;
		int rc = fs_people_identity(v, pid, enrolment, true, &id);

		if (rc)
			return rc;
		pthread_rwlock_rdlock(&v->lock);
		k = fs_people_invite(v, id->invite);
		pthread_rwlock_unlock(&v->lock);
		if (!k)
			return -EBADMSG;
		put(t, "\n# %s, practitioner %u, enrolment %u, invited by %s\n", id->name,
		    (unsigned)pid, (unsigned)enrolment, k->st.signer ? "the next one" : "the root");
		put_identity(t, id);
		put_invite(t, k);
		pid = k->st.signer;
		enrolment = k->st.enrolment;
	}
	return pid ? -ELOOP : 0;
}

static void put_head(const struct fs_noting *a, const struct fs_final_statement *st, struct text *t)
{
	const struct keys_note *n = &st->note;
	uint8_t b[KEYS_NOTE_MAX];
	char hex[2 * KEYS_LEN + 1], when[32] = "";
	time_t at = (time_t)n->time_s;
	struct tm tm;
	size_t len = 0;

	if (gmtime_r(&at, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	put(t, "journalfs certificate of a minisign key, version 1\n");
	put(t, "practice: %s\n", policy_practice_settings(a->practice)->title);
	put(t, "signed by: %s, %s (practitioner %u, enrolment %u)\n", n->who, n->role,
	    (unsigned)n->pid, (unsigned)n->enrolment);
	put(t, "signed at: %s, as statement %u of its journal\n", when, (unsigned)n->number);
	fs_noting_hex(n->sha256, KEYS_LEN, hex);
	put(t, "sha256 of the note: %s\n", hex);
	put(t, "\n# How each line below is checked: keys/FORMAT.md of journalfs, \"minisign\", "
	       "\"Identity\", \"Invitation\".\n");
	put_bytes(t, "minisign key", st->minisign.pk, KEYS_LEN);
	put_bytes(t, "key certificate", st->minisign.cert, KEYS_SIG_LEN);
	if (keys_note_encode(n, b, sizeof(b), &len))
		t->bad = true;
	else
		put_bytes(t, "note statement", b, len);
}

static int certificate(const struct fs_noting *a, const struct fs_final_statement *st, char *out,
		       size_t cap)
{
	struct text t = {.at = out, .cap = cap};
	int rc;

	put_head(a, st, &t);
	rc = put_chain(a->v, &t, st->note.pid, st->note.enrolment);
	put(&t, "\n# the root\n");
	put_bytes(&t, "header", a->v->header_bytes, sizeof(a->v->header_bytes));
	put_bytes(&t, "root hash", a->v->root_hash, sizeof(a->v->root_hash));
	return rc ? rc : t.bad ? -ENOSPC : 0;
}

/* Its author's signature, else that of the second one. */
static int signature(const struct fs_noting *a, struct fs_final_state *state,
		     struct fs_final_statement *final, struct fs_final_statement *out)
{
	uint32_t number;
	int rc = fs_noting_final_of(a, state, final);

	if (rc)
		return rc;
	number = state->signed_by ? state->signed_by : state->countersigned;
	if (!number)
		return fs_noting_no(a, -ENODATA,
				    "nobody has signed %s: its author can, with `journalfs sign`",
				    a->path);
	rc = fs_final_get(a->j, number, out);
	return rc == -ENOENT || (!rc && !out->has_minisign) ? -EBADMSG : rc;
}

/* Nothing leaves that this vault itself does not believe. */
static int believe(const struct fs_noting *a, const struct fs_final_statement *final,
		   const struct fs_final_statement *st)
{
	struct fs_note_check c = {.number = st->note.number};
	struct fs_noting_seen seen;

	fs_noting_look_at(a->j, &st->note, &seen);
	fs_noting_check(a->v, st, final, &seen, &c);
	fs_noting_seen_clear(&seen);
	if (c.finding == FS_NOTE_OK)
		return 0;
	fs_vault_alarm(a->v, a->index, "a signature that was to be exported is not in order: %s",
		       c.why);
	return fs_noting_no(a, -EBADMSG, "the signature of %s is not in order: %s", a->path, c.why);
}

static int tell(const struct fs_noting *a, const struct keys_note *n)
{
	struct policy_record r;

	fs_noting_record(a, POLICY_RECORD_EXPORT, &r);
	r.count = n->number;
	snprintf(r.detail, sizeof(r.detail), "signature of %s, for minisign", n->who);
	return fs_log_write(a->v->log, &r) ? -EIO : 0;
}

static int texts(const struct fs_noting *a, const struct fs_final_statement *st,
		 struct fs_note_export *out)
{
	char comment[KEYS_MINISIGN_COMMENT + 1], untrusted[256];
	int rc;

	memcpy(out->who, st->note.who, sizeof(out->who));
	fs_noting_comment(&st->note, comment);
	rc = keys_minisign_text(&st->minisign, "signature from a journalfs note", comment,
				out->minisig, sizeof(out->minisig));
	snprintf(untrusted, sizeof(untrusted),
		 "minisign public key of a journalfs practitioner, number %u",
		 (unsigned)st->note.pid);
	if (!rc)
		rc = keys_minisign_pub_text(&st->minisign, untrusted, out->pub, sizeof(out->pub));
	if (!rc)
		rc = certificate(a, st, out->cert, sizeof(out->cert));
	return rc;
}

static int export(struct fs_noting *a, struct fs_note_export *out)
{
	struct fs_final_statement *st = calloc(2, sizeof(*st));
	struct fs_final_state state;
	int rc = st ? signature(a, &state, &st[0], &st[1]) : -ENOMEM;

	if (!rc)
		rc = believe(a, &st[0], &st[1]);
	if (!rc)
		rc = texts(a, &st[1], out);
	if (!rc)
		rc = tell(a, &st[1].note);
	if (rc)
		memset(out, 0, sizeof(*out));
	free(st);
	return rc;
}

int fs_vault_note_export(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
			 struct fs_note_export *out, struct fs_say *say)
{
	struct fs_noting a;
	int rc = fs_noting_begin(&a, v, s, at, "exporting a signature", say);

	if (!rc)
		rc = fs_noting_find(&a);
	if (!rc && !(a.rights & POLICY_EXPORT))
		rc = fs_noting_refuse(&a, -EACCES,
				      "taking a signature out of the vault needs a role with "
				      "the right `export`");
	if (!rc)
		rc = export(&a, out);
	fs_noting_end(&a);
	return rc;
}
