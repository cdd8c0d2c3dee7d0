/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notes_move.c - a note that was written in the wrong journal is copied into the right one.
 *
 * Nothing leaves the wrong journal: the origin is locked (so that it is what was copied), the copy
 * is a draft of who moved it, with where it comes from and the SHA-256 of what that was, and then
 * the origin is marked as entered in error, with where it belongs. Both journals have a record of
 * it in the access log before anything is made.
 *
 * Invariant: the origin is not marked before the copy is durable and compared with the origin's
 * statement.
 *
 * Locks: none of its own.
 */
#include "../keys/digest.h"
#include "content.h"
#include "notes_impl.h"

#define PIECE (256u << 10)

struct copying {
	struct fs_inode *to;
	struct fs_actor who;
	struct keys_digest *digest;
	uint8_t *buf;
	size_t got;
};

static int take(void *ctx, const struct iovec *iov, int n, size_t len)
{
	struct copying *c = ctx;

	(void)len;
	c->got = 0;
	for (int k = 0; k < n; k++) {
		memcpy(c->buf + c->got, iov[k].iov_base, iov[k].iov_len);
		c->got += iov[k].iov_len;
	}
	return 0;
}

static int copy_pieces(struct copying *c, struct fs_inode *from, uint64_t size)
{
	int rc = 0;

	for (uint64_t off = 0; !rc && off < size; off += c->got) {
		rc = fs_content_read(from, off, PIECE, take, c);
		if (!rc && !c->got)
			return -EIO;
		if (!rc)
			rc = fs_content_write(c->to, off, false, c->buf, c->got, &c->who, NULL);
		if (!rc)
			keys_digest_add(c->digest, c->buf, c->got);
	}
	return rc;
}

/* to becomes what n says of a's note, with its time of change. */
static int copy(const struct fs_noting *a, const struct fs_noting *b, const struct keys_note *n)
{
	struct fs_content_attr set = {.mtime = &a->attr.mtime};
	struct copying c = {.to = b->i, .digest = keys_digest_new(), .buf = malloc(PIECE)};
	uint8_t sha256[KEYS_LEN], blake2b[KEYS_DIGEST_BLAKE2B_LEN];
	int rc = c.digest && c.buf ? 0 : -ENOMEM;

	fs_noting_actor(b, &c.who);
	if (!rc && !c.who.signer)
		rc = -ENOKEY;
	if (!rc)
		rc = copy_pieces(&c, a->i, n->size);
	if (!rc) {
		keys_digest_end(c.digest, sha256, blake2b);
		rc = keys_equal(sha256, n->sha256, KEYS_LEN) ? 0 : -EBADMSG;
	}
	if (!rc)
		rc = fs_content_setattr(b->i, &set, &c.who);
	if (c.who.signer)
		fs_signer_put(c.who.signer);
	if (c.buf)
		keys_wipe(c.buf, PIECE);
	free(c.buf);
	keys_digest_free(c.digest);
	return rc;
}

/* In both journals, before anything is made. */
static int tell(const struct fs_noting *a, const struct fs_noting *b, const char *name,
		const char *reason, int failed)
{
	const struct fs_noting *of[] = {a, b};
	struct policy_record r;
	int rc = 0;

	for (int k = 0; k < 2 && !rc; k++) {
		fs_noting_record(of[k], POLICY_RECORD_MOVE, &r);
		policy_record_copy(r.name, sizeof(r.name), k ? name : a->path);
		policy_record_copy(r.name2, sizeof(r.name2), k ? a->path : name);
		policy_record_copy(r.reason, sizeof(r.reason), reason);
		r.outcome = failed ? 8 : 0;
		snprintf(r.detail, sizeof(r.detail), "%s %s%s%s", k ? "copied from" : "copied into",
			 of[!k]->journal, failed ? "; it failed: " : "",
			 failed ? strerror(-failed) : "");
		rc = fs_log_write(a->v->log, &r);
	}
	return rc ? -EIO : 0;
}

static void drop(const struct fs_noting *b, struct fs_inode *dir, const char *name)
{
	struct fs_actor who;

	fs_noting_actor(b, &who);
	if (who.signer) {
		(void)fs_tree_unlink(dir, name, &who, NULL);
		fs_signer_put(who.signer);
	}
}

/* The copy, whole and durable. */
static int make(struct fs_noting *a, struct fs_noting *b, struct fs_inode *dir, const char *name)
{
	struct fs_final_statement *final = calloc(1, sizeof(*final));
	struct fs_final_state state, links = {.moved_from = a->index, .moved_from_ino = a->i->ino};
	int rc = final ? fs_noting_final_of(a, &state, final) : -ENOMEM;

	if (!rc) {
		memcpy(links.moved_from_sha256, final->note.sha256, KEYS_LEN);
		rc = fs_noting_make(b, dir, name, &links, &b->i);
	}
	if (!rc) {
		rc = copy(a, b, &final->note);
		if (!rc)
			rc = fs_noting_durable(b->j, 0);
		if (rc)
			drop(b, dir, name);
	}
	free(final);
	return rc;
}

static int choose(struct fs_noting *a, struct fs_inode *dir, char name[static FS_NOTING_NAME])
{
	const char *slash = strrchr(a->path, '/'), *base = slash ? slash + 1 : a->path;
	int rc = fs_noting_free_name(dir, "%n%e", base, name);

	if (rc == -EEXIST)
		rc = fs_noting_free_name(dir, "%n (%i)%e", base, name);
	return rc;
}

static int move(struct fs_noting *a, struct fs_noting *b, const char *reason,
		char path[static KEYS_NOTE_PATH_MAX + 1])
{
	struct fs_note_result marked;
	struct fs_inode *dir = NULL;
	char name[FS_NOTING_NAME];
	bool kept = false;
	int rc = fs_inode_get(b->j, FS_ROOT_INO, &dir);

	if (!rc)
		rc = choose(a, dir, name);
	if (!rc)
		rc = tell(a, b, name, reason, 0);
	if (!rc) {
		rc = make(a, b, dir, name);
		if (!rc) {
			rc = fs_noting_mark_error(a, reason, b, &marked);
			/* The origin may say already where it went: then the copy stays. */
			kept = rc && fs_noting_flags(a) & FS_INODE_ERROR;
			if (rc && !kept)
				drop(b, dir, name);
		}
		if (rc && !kept)
			(void)tell(a, b, name, reason, rc);
	}
	if (!rc)
		snprintf(path, KEYS_NOTE_PATH_MAX + 1, "%s", name);
	fs_inode_put(dir);
	return rc;
}

/* The target, which he may write in. */
static int target(struct fs_noting *b, struct fs_noting *a, const char *to)
{
	const struct fs_note_place at = {.journal = to, .path = ""};
	int rc = fs_noting_begin(b, a->v, a->s, &at, "moving a note into it", a->say);

	if (!rc && b->index == a->index)
		rc = fs_noting_no(a, -EINVAL, "%s lies in %s already", a->path, to);
	if (!rc && !(b->rights & POLICY_WRITE) && !b->drafts_s)
		rc = fs_noting_refuse(b, -EACCES, "you may not write in %s", to);
	return rc;
}

int fs_vault_note_move(struct fs_vault *v, struct fs_session *s, const struct fs_note_place *at,
		       const char *to, const char *reason, const struct fs_note_settle *settle,
		       char path[static KEYS_NOTE_PATH_MAX + 1], struct fs_say *say)
{
	const struct fs_noting_final lock = {.reason = "moved into another journal",
					     .settle = settle};
	struct fs_note_result locked;
	struct fs_noting a, b = {.v = NULL};
	int rc = fs_noting_begin(&a, v, s, at, "moving into another journal", say);

	if (!rc)
		rc = fs_noting_reason(&a, reason);
	if (!rc)
		rc = fs_noting_find(&a);
	if (!rc)
		rc = fs_noting_may_mark(&a);
	if (!rc)
		rc = target(&b, &a, to);
	if (!rc && !(a.attr.flags & FS_INODE_FINAL))
		rc = fs_noting_finalize(&a, &lock, &locked);
	if (!rc)
		rc = move(&a, &b, reason, path);
	if (!rc && settle && settle->fn)
		settle->fn(settle->ctx, fs_nodeid(b.index, FS_ROOT_INO));
	fs_noting_end(&b);
	fs_noting_end(&a);
	return rc;
}
