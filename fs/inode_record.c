/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/inode_record.c - the INODE record: encode, decode, store.
 *
 * One length for every inode, so that the stored size says nothing of the file.
 * Decoding refuses what no operation of ours could have written; what it lets
 * through later code need not doubt. Implements fs/FORMAT.md, "INODE". No locks.
 */
#include "inode.h"

#include <errno.h>
#include <sys/stat.h>
#include "../keys/bytes.h"

#define INODE_VERSION 1
#define INODE_PIECES 0x0f
#define INODE_SIZE_MAX ((UINT64_C(1) << 44) - 4096)

static void put_time(struct bytes_out *out, const struct timespec *t)
{
	bytes_put_u64(out, (uint64_t)t->tv_sec);
	bytes_put_u32(out, (uint32_t)t->tv_nsec);
}

static void get_time(struct bytes_in *in, struct timespec *t)
{
	t->tv_sec = (time_t)bytes_get_u64(in);
	t->tv_nsec = (long)bytes_get_u32(in);
	if (t->tv_nsec >= 1000000000L)
		in->bad = true;
}

void fs_inode_encode(const struct fs_inode_attr *a, uint8_t out[static FS_INODE_LEN])
{
	struct bytes_out o = bytes_out(out, FS_INODE_LEN);

	bytes_put_u8(&o, INODE_VERSION);
	bytes_put_u8(&o, a->form);
	bytes_put_u8(&o, a->pieces);
	bytes_put_u8(&o, 0);
	bytes_put_u16(&o, a->flags);
	bytes_put_u16(&o, a->xattrs);
	bytes_put_u32(&o, a->mode);
	bytes_put_u32(&o, a->nlink);
	bytes_put_u64(&o, a->size);
	bytes_put_u64(&o, a->parent);
	put_time(&o, &a->atime);
	put_time(&o, &a->mtime);
	put_time(&o, &a->ctime);
	put_time(&o, &a->btime);
	bytes_put_u32(&o, a->author);
	bytes_put_u32(&o, a->writer);
	bytes_put_u64(&o, a->change);
	bytes_put_u64(&o, a->blocks);
	bytes_put_u64(&o, a->before);
	bytes_put_u32(&o, a->before_version);
	bytes_put_u32(&o, a->version);
	bytes_put_zero(&o, FS_INODE_LEN - o.len);
}

static bool sane_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
		return (mode & ~(uint32_t)(S_IFMT | 07777)) == 0;
	default:
		return false;
	}
}

/* What only a final note, or only a directory, has. */
static bool sane_flags(const struct fs_inode_attr *a)
{
	const unsigned said = FS_INODE_SIGNED | FS_INODE_ERROR | FS_INODE_AMENDED | FS_INODE_WANTS;

	if (a->flags & FS_INODE_FINAL)
		return (a->mode & S_IFMT) == S_IFREG && a->nlink == 1 &&
		       a->flags & FS_INODE_STATE &&
		       !(a->flags & (FS_INODE_HOLDS | FS_INODE_REMOVED));
	if (a->flags & said || (a->flags & FS_INODE_AMENDS && !(a->flags & FS_INODE_STATE)))
		return false;
	return !(a->flags & FS_INODE_HOLDS) || (a->mode & S_IFMT) == S_IFDIR;
}

static bool sane(const struct fs_inode_attr *a)
{
	bool dir = (a->mode & S_IFMT) == S_IFDIR;

	if (!sane_flags(a))
		return false;
	if (!sane_type(a->mode) || a->form > FS_FORM_CHUNKS || a->size > INODE_SIZE_MAX)
		return false;
	if (a->flags & ~FS_INODE_FLAGS || a->before >= FS_INO_HISTORY ||
	    (!a->before && a->before_version))
		return false;
	if (a->pieces & ~INODE_PIECES || (a->pieces && a->form != FS_FORM_INLINE))
		return false;
	if (dir && a->form != FS_FORM_NONE)
		return false;
	if (!dir && a->size && a->form == FS_FORM_NONE)
		return false;
	return dir ? a->parent >= FS_ROOT_INO && a->parent < FS_INO_HISTORY : a->parent == 0;
}

int fs_inode_decode(const uint8_t *p, size_t len, struct fs_inode_attr *a)
{
	struct bytes_in in = bytes_in(p, len);
	struct fs_inode_attr v = {0};

	if (bytes_get_u8(&in) != INODE_VERSION)
		in.bad = true;
	v.form = bytes_get_u8(&in);
	v.pieces = bytes_get_u8(&in);
	bytes_get_zero(&in, 1);
	v.flags = bytes_get_u16(&in);
	v.xattrs = bytes_get_u16(&in);
	v.mode = bytes_get_u32(&in);
	v.nlink = bytes_get_u32(&in);
	v.size = bytes_get_u64(&in);
	v.parent = bytes_get_u64(&in);
	get_time(&in, &v.atime);
	get_time(&in, &v.mtime);
	get_time(&in, &v.ctime);
	get_time(&in, &v.btime);
	v.author = bytes_get_u32(&in);
	v.writer = bytes_get_u32(&in);
	v.change = bytes_get_u64(&in);
	v.blocks = bytes_get_u64(&in);
	v.before = bytes_get_u64(&in);
	v.before_version = bytes_get_u32(&in);
	v.version = bytes_get_u32(&in);
	bytes_get_zero(&in, in.len - in.off);
	if (!bytes_in_done(&in) || len != FS_INODE_LEN || !sane(&v))
		return -EBADMSG;
	*a = v;
	return 0;
}

#define DERIVED                                                                                    \
	(FS_INODE_SIGNED | FS_INODE_ERROR | FS_INODE_AMENDED | FS_INODE_WANTS | FS_INODE_STATE)

/*
 * The last line behind fs_final_check: whatever way a change took, a final note keeps all of its record but the
 * flags that say what is stated about it, and a directory that holds one its place. -EPERM.
 */
static int keeps_final(const struct fs_inode_attr *was, const struct fs_inode_attr *a)
{
	uint8_t before[FS_INODE_LEN], after[FS_INODE_LEN];
	struct fs_inode_attr x = *was, y = *a;

	if (was->flags & FS_INODE_HOLDS)
		return a->flags & FS_INODE_HOLDS && a->parent == was->parent && a->nlink ? 0
										       : -EPERM;
	x.flags &= (uint16_t)~DERIVED;
	y.flags &= (uint16_t)~DERIVED;
	fs_inode_encode(&x, before);
	fs_inode_encode(&y, after);
	return memcmp(before, after, FS_INODE_LEN) ? -EPERM : 0;
}

void fs_inode_store_attr(struct fs_batch *b, const struct fs_inode *i,
			 const struct fs_inode_attr *a)
{
	struct fs_key key = fs_key(fs_journal_index(i->journal), i->ino, FS_T_INODE);
	uint8_t rec[FS_INODE_LEN];

	/* Nothing virtual is ever stored: whatever led here does not happen. */
	if (i->ino >= FS_INO_HISTORY) {
		b->rc = b->rc ? b->rc : -EROFS;
		return;
	}
	if (i->flags & (FS_INODE_FINAL | FS_INODE_HOLDS) && keeps_final(&i->attr, a)) {
		b->rc = b->rc ? b->rc : -EPERM;
		return;
	}
	fs_inode_encode(a, rec);
	fs_batch_put(b, i->journal, &key, rec, sizeof(rec));
	keys_wipe(rec, sizeof(rec));
}

void fs_inode_store(struct fs_batch *b, struct fs_inode *i)
{
	fs_inode_store_attr(b, i, &i->attr);
}
