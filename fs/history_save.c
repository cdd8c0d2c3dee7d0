/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/history_save.c - saves over a note in place: what was there becomes an earlier version.
 *
 * A save begins with the first change after the last one was complete. Its first
 * batch also holds the VERSION entry of what was there, and, for a small note, its
 * pieces as OLD_PIECE records: the very buffers that the current ones have, nothing is
 * copied. When the save is complete they give way to what differs from the new
 * contents. Chunks stay where they are: KEEP asks the committer to put what it would
 * free into OLD_MAP (chunk_keep.c).
 *
 * Invariants: (1) a version that leans on what the note holds now is followed by another version
 * before that changes, whoever changes it: an inode with versions keeps always; (2) pending
 * chunks are always those of the newest contents: a save begins only when none are; (3) nothing
 * in memory changes before the batch was applied, but what only makes the next change begin a save.
 *
 * Locks: the caller's exclusive one of the inode.
 */
#include "history_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "chunk.h"
#include "inline.h"

#define LONE_EVERY 32 /* versions that lean on no other: the way back to one is bounded */

/* ---- what is known ---- */

struct last_page {
	uint32_t first;
	struct fs_buf *buf;
};

static int keep_last(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct last_page *l = ctx;

	fs_buf_put(l->buf);
	l->buf = fs_buf_get(buf);
	l->first = (uint32_t)fs_key_sub(key, 4);
	return 0;
}

/* The newest entry, of page p. */
static void note_last(struct fs_inode_history *h, const struct fs_history_page *p)
{
	struct fs_history_entry e;

	if (!fs_history_page_last(p, &e))
		return;
	h->page = p->first;
	h->last = e.version;
	h->kind = e.kind;
	h->packed = e.kind != FS_HISTORY_WHOLE;
	h->chunks = e.kind == FS_HISTORY_CHUNKS ? (e.size + FS_CHUNK - 1) / FS_CHUNK : 0;
}

int fs_history_know(struct fs_inode *i, struct fs_inode_history *h)
{
	uint32_t index = fs_journal_index(i->journal);
	struct fs_key from = fs_key(index, i->ino, FS_T_VERSION);
	struct fs_key to = fs_key(index, i->ino, FS_T_VERSION + 1);
	struct last_page l = {.buf = NULL};
	struct fs_history_page p;
	int rc = 0;

	if (h->known)
		return 0;
	h->last = h->page = 0;
	if (i->version > 1)
		rc = fs_record_scan(i->journal, &from, &to, keep_last, &l);
	if (!rc && l.buf) {
		fs_history_page_new(&p, l.first);
		rc = fs_history_page_decode(l.buf->data, l.buf->len, &p);
		if (!rc)
			note_last(h, &p);
		keys_wipe(&p, sizeof(p));
	}
	fs_buf_put(l.buf);
	h->known = !rc;
	return rc;
}

/* ---- packing ---- */

struct pack {
	struct fs_content_change *c;
	struct fs_history_page *page; /* the last one */
	struct fs_history_entry e;    /* its last entry */
	struct fs_buf *old, *now;     /* contents of e, and what came after it (NULL: chunks) */
};

static int load_both(struct pack *k)
{
	struct fs_history_all all = {.e = &k->e, .n = 1};
	struct fs_inode *i = k->c->i;
	int rc;

	k->old = fs_buf_raw((size_t)k->e.size);
	if (!k->old)
		return -ENOMEM;
	rc = fs_history_bytes(i, &all, 0, k->old->data);
	if (rc || i->form == FS_FORM_CHUNKS)
		return rc;
	k->now = fs_buf_raw((size_t)i->size);
	if (!k->now)
		return -ENOMEM;
	return i->size ? fs_inline_copy(i, k->now->data, (size_t)i->size) : 0;
}

static bool same(const struct pack *k)
{
	return k->now && k->now->len == k->old->len &&
	       !memcmp(k->now->data, k->old->data, k->now->len);
}

/* The entry becomes what differs, when that is smaller. */
static int replace(struct pack *k)
{
	struct fs_content_change *c = k->c;
	struct fs_history_entry e = k->e;
	uint8_t delta[FS_PLAIN_MAX];
	size_t base = k->now && e.version % LONE_EVERY ? k->now->len : 0;
	size_t cap = sizeof(delta) - FS_HISTORY_ENTRY_LEN - 16;
	int rc = 0;

	if (cap > e.size)
		cap = (size_t)e.size;
	e.len = (uint16_t)fs_history_delta_make(k->old->data, k->old->len,
						base ? k->now->data : NULL, base, delta, cap);
	if (e.len) {
		fs_history_drop(&c->b, c->i->journal, c->i->ino, &e);
		e.kind = FS_HISTORY_DELTA;
		e.pieces = 0;
		e.data = delta;
		fs_history_page_cut(k->page);
		if (fs_history_page_add(k->page, &e)) {
			rc = fs_history_page_store(&c->b, c->i->journal, c->i->ino, k->page);
			fs_history_page_new(k->page, e.version);
			if (!rc)
				rc = fs_history_page_add(k->page, &e);
		}
		note_last(&c->history, k->page);
	}
	c->history.packed = true;
	keys_wipe(delta, sizeof(delta));
	return rc;
}

/* Nothing has changed: there is no such version. */
static void forget(struct pack *k)
{
	struct fs_content_change *c = k->c;

	fs_history_drop(&c->b, c->i->journal, c->i->ino, &k->e);
	fs_history_page_cut(k->page);
	c->a.version = k->e.version;
	c->history.known = false;
}

/* Packs the last entry of the page, or (may_forget) takes it away. */
static int pack(struct fs_content_change *c, struct fs_history_page *page, bool may_forget)
{
	struct pack k = {.c = c, .page = page};
	int rc = 0;

	if (!fs_history_page_last(page, &k.e) || k.e.version != c->history.last)
		return -EBADMSG;
	rc = load_both(&k);
	if (!rc && may_forget && same(&k))
		forget(&k);
	else if (!rc)
		rc = replace(&k);
	fs_buf_put(k.old);
	fs_buf_put(k.now);
	return rc;
}

static bool unpacked(const struct fs_content_change *c)
{
	const struct fs_inode_history *h = &c->history;

	return h->last && !h->packed && h->kind == FS_HISTORY_WHOLE &&
	       fs_history_version_of(&c->a) == h->last + 1;
}

/* ---- a save begins ---- */

/* The current pieces, as those of version v. */
static int keep_pieces(struct fs_content_change *c, uint32_t v)
{
	struct fs_inode *i = c->i;
	int rc = 0;

	for (unsigned n = 0; !rc && n < FS_HISTORY_PIECES; n++) {
		struct fs_key key =
			fs_key_n(fs_journal_index(i->journal), i->ino, FS_T_PIECE, n, 2);
		struct fs_key old = fs_history_piece_key(i->journal, i->ino, v, n);
		struct fs_buf *buf;

		if (!(i->pieces >> n & 1))
			continue;
		rc = fs_record_get(i->journal, &key, &buf);
		if (!rc)
			fs_batch_put_fresh(&c->b, i->journal, &old, buf);
	}
	return rc == -ENOENT ? -EBADMSG : rc ? rc : c->b.rc;
}

static struct fs_history_entry entry_now(const struct fs_inode *i)
{
	bool chunks = i->form == FS_FORM_CHUNKS;

	return (struct fs_history_entry){
		.version = fs_history_version_of(&i->attr),
		.kind = chunks ? FS_HISTORY_CHUNKS : FS_HISTORY_WHOLE,
		.pieces = i->pieces,
		.mode = i->mode & 07777,
		.size = i->size,
		.blocks = i->blocks,
		.mtime = i->mtime,
		.ctime = i->ctime,
		.writer = i->writer,
	};
}

/* Appends e to the last page, or to a new one. */
static int add_entry(struct fs_content_change *c, const struct fs_history_entry *e)
{
	struct fs_inode *i = c->i;
	struct fs_history_page page;
	int rc = 0;

	fs_history_page_new(&page, e->version);
	if (c->history.page)
		rc = fs_history_page_get(i->journal, i->ino, c->history.page, &page);
	if (!rc && unpacked(c))
		rc = pack(c, &page, false);
	if (!rc && fs_history_page_add(&page, e)) {
		rc = fs_history_page_store(&c->b, i->journal, i->ino, &page);
		fs_history_page_new(&page, e->version);
		if (!rc)
			rc = fs_history_page_add(&page, e);
	}
	if (!rc)
		rc = fs_history_page_store(&c->b, i->journal, i->ino, &page);
	note_last(&c->history, &page);
	keys_wipe(&page, sizeof(page));
	return rc;
}

/* Are chunks of the inode on their way to the container? */
static bool pending(const struct fs_inode *i)
{
	struct fs_group *g = fs_records_group(fs_journal_records(i->journal));
	uint32_t index = fs_journal_index(i->journal);
	struct fs_key from = fs_key(index, i->ino, FS_T_CHUNK);
	struct fs_key to = fs_key(index, i->ino, FS_T_CUT + 1), found;
	struct fs_key keep = fs_key(index, i->ino, FS_T_KEEP);
	struct fs_key keep_end = fs_key(index, i->ino, FS_T_KEEP + 1);

	/* A KEEP would take the place of a DROP of the same number, which the past of an heir may
	 * have had. */
	return fs_group_first(g, &from, &to, &found) || fs_group_first(g, &keep, &keep_end, &found);
}

static int keep_now(struct fs_content_change *c)
{
	struct fs_history_entry e = entry_now(c->i);
	int rc;

	if (e.version == UINT32_MAX)
		return -EFBIG;
	if (pending(c->i))
		return -EBUSY;
	rc = add_entry(c, &e);
	if (!rc && e.kind == FS_HISTORY_WHOLE)
		rc = keep_pieces(c, e.version);
	c->a.version = e.version + 1;
	return rc;
}

int fs_history_begin(struct fs_content_change *c)
{
	struct fs_inode_history *h = &c->history;
	struct fs_inode *i = c->i;
	bool keeps;
	int rc;

	if (!S_ISREG(i->mode) || i->gone)
		return 0;
	rc = fs_history_know(i, h);
	if (rc)
		return rc;
	keeps = c->who->keeps || h->last || i->version || i->flags & FS_INODE_BEFORE;
	if (i->flags & FS_INODE_BEFORE && i->nlink)
		c->a.flags |= FS_INODE_APART;
	if (!h->saving && keeps && i->size)
		rc = keep_now(c);
	h->saving |= keeps;
	if (!rc && h->last && h->kind == FS_HISTORY_CHUNKS &&
	    fs_history_version_of(&c->a) == h->last + 1)
		fs_chunk_keep(i->journal, &c->b, i->ino, h->last, h->chunks,
			      i->form == FS_FORM_CHUNKS ? i->blocks / (FS_CHUNK / 512) : 0);
	return rc ? rc : c->b.rc;
}

static void (*block_begin)(void);
static void (*block_end)(void);

void fs_history_blocking(void (*begin)(void), void (*end)(void))
{
	block_begin = begin;
	block_end = end;
}

bool fs_history_again(struct fs_inode *i, int *rc)
{
	if (*rc == -EBUSY) {
		/* Not in this thread: it may be one that the hooks of a commit wait for. */
		if (block_begin)
			block_begin();
		*rc = fs_group_sync(fs_records_group(fs_journal_records(i->journal)), 0);
		if (block_end)
			block_end();
		return !*rc;
	}
	return *rc == -EAGAIN;
}

/* ---- and is complete ---- */

/* True when the batch has anything to apply. */
static bool complete(struct fs_content_change *c, int *rc)
{
	struct fs_inode *i = c->i;
	struct fs_history_page page;

	if (!unpacked(c))
		return false;
	*rc = fs_history_page_get(i->journal, i->ino, c->history.page, &page);
	if (!*rc)
		*rc = pack(c, &page, true);
	if (!*rc && c->b.n)
		*rc = fs_history_page_store(&c->b, i->journal, i->ino, &page);
	keys_wipe(&page, sizeof(page));
	return !*rc && c->b.n;
}

/* Not packed and nobody saves: or (all) whoever saves. Under no lock. */
static bool wants(struct fs_inode *i, bool all)
{
	const struct fs_inode_history *h = &i->history;
	bool is;

	pthread_rwlock_rdlock(&i->lock);
	is = h->saving ? all : h->known && h->last && !h->packed && h->kind == FS_HISTORY_WHOLE;
	pthread_rwlock_unlock(&i->lock);
	return is;
}

/* all: a save that is under way is complete with this. */
static int settle(struct fs_inode *i, struct fs_actor *who, bool all)
{
	struct fs_content_change c;
	bool changed = false;
	int rc;

	who->group = 0;
	if (!wants(i, all))
		return 0;
	rc = fs_content_begin(&c, i, who);
	if (!rc && (all || !c.history.saving) && who->signer)
		changed = complete(&c, &rc);
	if (all) {
		c.history.saving = false;
		i->history.saving = false;
	}
	if (!changed)
		i->history.packed = c.history.packed;
	if (!changed) {
		fs_content_end(&c, -ECANCELED);
		/* Final meanwhile, or deleted: the version stays whole. */
		return rc == -ESTALE || rc == -EPERM ? 0 : rc;
	}
	rc = fs_content_end(&c, 0);
	/* Whole versions are as good: the next save packs them. */
	return rc == -ENOSPC ? 0 : rc;
}

int fs_history_saved(struct fs_inode *i, struct fs_actor *who)
{
	return settle(i, who, true);
}

void fs_history_closed(struct fs_inode *i)
{
	pthread_rwlock_wrlock(&i->lock);
	i->history.saving = false;
	pthread_rwlock_unlock(&i->lock);
}

int fs_history_pack(struct fs_inode *i, struct fs_actor *who)
{
	return settle(i, who, false);
}
