/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/final_state.c - the STATE record: which statements a note has, and where it comes from.
 *
 * One length for every note. Flags in the inode repeat what is asked often; they follow from the
 * record, and a pair that does not fit is damage: so a flag that somebody stripped is noticed by
 * whoever looks at the record (which is looked for whatever the flags say). Implements
 * fs/FORMAT.md, "STATE". Locks: the inode's.
 */
#include "final_impl.h"

#include <errno.h>
#include <sys/stat.h>
#include "../keys/bytes.h"
#include "content_change.h"
#include "history_tree.h"

#define STATE_VERSION 1
#define FOLLOWS                                                                                    \
	(FS_INODE_FINAL | FS_INODE_SIGNED | FS_INODE_ERROR | FS_INODE_AMENDED | FS_INODE_AMENDS |  \
	 FS_INODE_STATE)

static struct fs_key state_key(const struct fs_inode *i)
{
	return fs_key(fs_journal_index(i->journal), i->ino, FS_T_STATE);
}

void fs_final_state_encode(const struct fs_final_state *s, uint8_t out[static FS_FINAL_STATE_LEN])
{
	struct bytes_out o = bytes_out(out, FS_FINAL_STATE_LEN);

	bytes_put_u8(&o, STATE_VERSION);
	bytes_put_zero(&o, 3);
	bytes_put_u32(&o, s->final);
	bytes_put_u32(&o, s->signed_by);
	bytes_put_u32(&o, s->countersigned);
	bytes_put_u32(&o, s->error);
	bytes_put_u64(&o, s->amends);
	bytes_put_u64(&o, s->amended_by);
	bytes_put_u32(&o, s->moved_to);
	bytes_put_u64(&o, s->moved_to_ino);
	bytes_put_u32(&o, s->moved_from);
	bytes_put_u64(&o, s->moved_from_ino);
	bytes_put(&o, s->moved_from_sha256, KEYS_LEN);
	bytes_put_zero(&o, FS_FINAL_STATE_LEN - o.len);
}

static bool place_sane(uint32_t journal, uint64_t ino)
{
	return journal ? journal <= FS_JOURNAL_MAX && ino > FS_ROOT_INO && ino < FS_INO_HISTORY
		       : !ino;
}

static bool ino_sane(uint64_t ino)
{
	return !ino || (ino > FS_ROOT_INO && ino < FS_INO_HISTORY);
}

static bool sane(const struct fs_final_state *s)
{
	static const uint8_t zeros[KEYS_LEN];

	if (!s->final && (s->signed_by || s->countersigned || s->error || s->amended_by))
		return false;
	if ((s->signed_by && s->signed_by < s->final) ||
	    (s->countersigned && s->countersigned <= s->final) ||
	    (s->error && s->error <= s->final))
		return false;
	if (!ino_sane(s->amends) || !ino_sane(s->amended_by) ||
	    !place_sane(s->moved_to, s->moved_to_ino) ||
	    !place_sane(s->moved_from, s->moved_from_ino))
		return false;
	if ((s->moved_to && !s->error) ||
	    (!s->moved_from && memcmp(s->moved_from_sha256, zeros, KEYS_LEN)))
		return false;
	return s->final || s->amends || s->moved_from; /* one that says nothing is not stored */
}

int fs_final_state_decode(const uint8_t *p, size_t len, struct fs_final_state *out)
{
	struct bytes_in in = bytes_in(p, len);
	struct fs_final_state s = {0};

	if (bytes_get_u8(&in) != STATE_VERSION)
		in.bad = true;
	bytes_get_zero(&in, 3);
	s.final = bytes_get_u32(&in);
	s.signed_by = bytes_get_u32(&in);
	s.countersigned = bytes_get_u32(&in);
	s.error = bytes_get_u32(&in);
	s.amends = bytes_get_u64(&in);
	s.amended_by = bytes_get_u64(&in);
	s.moved_to = bytes_get_u32(&in);
	s.moved_to_ino = bytes_get_u64(&in);
	s.moved_from = bytes_get_u32(&in);
	s.moved_from_ino = bytes_get_u64(&in);
	bytes_get(&in, s.moved_from_sha256, KEYS_LEN);
	bytes_get_zero(&in, in.len - in.off);
	if (!bytes_in_done(&in) || len != FS_FINAL_STATE_LEN || !sane(&s))
		return -EBADMSG;
	*out = s;
	return 0;
}

static uint16_t flags_of(const struct fs_final_state *s)
{
	unsigned f = FS_INODE_STATE;

	f |= s->final ? FS_INODE_FINAL : 0u;
	f |= s->signed_by ? FS_INODE_SIGNED : 0u;
	f |= s->error ? FS_INODE_ERROR : 0u;
	f |= s->amended_by ? FS_INODE_AMENDED : 0u;
	f |= s->amends ? FS_INODE_AMENDS : 0u;
	return (uint16_t)f;
}

static bool fits(const struct fs_inode *i, const struct fs_final_state *s)
{
	if ((i->flags & FOLLOWS) != flags_of(s) || s->amends == i->ino || s->amended_by == i->ino)
		return false;
	return !(i->flags & FS_INODE_WANTS) || (s->final && !s->countersigned);
}

int fs_final_state_locked(const struct fs_inode *i, struct fs_final_state *out)
{
	struct fs_key key = state_key(i);
	struct fs_final_state s = {0};
	struct fs_buf *buf = NULL;
	int rc = fs_history_tree_is(i->ino) ? 0 : fs_record_get(i->journal, &key, &buf);

	if (rc == -ENOENT) {
		rc = i->flags & (FOLLOWS | FS_INODE_WANTS) ? -EBADMSG : 0;
	} else if (buf) {
		rc = fs_final_state_decode(buf->data, buf->len, &s);
		if (!rc && !fits(i, &s))
			rc = -EBADMSG;
	}
	fs_buf_put(buf);
	if (!rc)
		*out = s;
	return rc;
}

int fs_final_state(struct fs_inode *i, struct fs_final_state *out)
{
	int rc;

	pthread_rwlock_rdlock(&i->lock);
	rc = i->deleted ? -ESTALE : fs_final_state_locked(i, out);
	pthread_rwlock_unlock(&i->lock);
	return rc;
}

void fs_final_state_put(struct fs_batch *b, const struct fs_inode *i, struct fs_inode_attr *a,
			const struct fs_final_state *state)
{
	struct fs_key key = state_key(i);
	uint8_t rec[FS_FINAL_STATE_LEN];

	a->flags &= (uint16_t)~FOLLOWS;
	if (!sane(state)) {
		if (i->flags & FS_INODE_STATE)
			fs_batch_del(b, i->journal, &key);
		return;
	}
	a->flags |= flags_of(state);
	fs_final_state_encode(state, rec);
	fs_batch_put(b, i->journal, &key, rec, sizeof(rec));
	keys_wipe(rec, sizeof(rec));
}

/* A draft has nothing but links. */
static bool is_draft(const struct fs_final_state *s)
{
	struct fs_final_state links = {.amends = s->amends,
				       .moved_from = s->moved_from,
				       .moved_from_ino = s->moved_from_ino};

	memcpy(links.moved_from_sha256, s->moved_from_sha256, KEYS_LEN);
	return s->final == 0 && s->signed_by == 0 && s->countersigned == 0 && s->error == 0 &&
	       s->amended_by == 0 && s->moved_to == 0 && s->moved_to_ino == 0 &&
	       ((!s->amends && !s->moved_from) || sane(&links));
}

int fs_final_link(struct fs_inode *i, const struct fs_final_state *state, struct fs_actor *who)
{
	struct fs_content_change c;
	struct fs_final_state was;
	int rc;

	if (!is_draft(state) || state->amends == i->ino)
		return -EINVAL;
	rc = fs_content_begin(&c, i, who);
	if (!rc && !S_ISREG(i->mode))
		rc = -EINVAL;
	if (!rc)
		rc = fs_final_state_locked(i, &was);
	if (!rc)
		fs_final_state_put(&c.b, i, &c.a, state);
	return fs_content_end(&c, rc);
}

int fs_final_inherit(struct fs_batch *b, const struct fs_inode *from, const struct fs_inode *to,
		     struct fs_inode_attr *a)
{
	struct fs_final_state s;
	int rc;

	if (!(from->flags & FS_INODE_STATE) || to->flags & FS_INODE_STATE)
		return 0;
	rc = fs_final_state_locked(from, &s);
	if (!rc && (!is_draft(&s) || s.amends == to->ino))
		rc = -EPERM;
	if (!rc)
		fs_final_state_put(b, to, a, &s);
	return rc;
}
