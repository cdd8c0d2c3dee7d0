/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/key.h - keys of stored records. Layout: fs/FORMAT.md, "Keys".
 *
 * journal u32 BE | inode u40 BE | table u8 | what the table needs, big-endian.
 * A journal is one contiguous range; all records of an inode are neighbours, in
 * the database and in the journal's tag tree. Numbers: nodeid = st_ino =
 * journal (23 bits) << 40 | inode (40 bits); journal 0 is the vault itself and
 * its inode 1 the root that lists journals; inode 1 of a journal is its directory.
 */
#ifndef FS_KEY_H
#define FS_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FS_KEY_MAX 30
#define FS_KEY_PLACE 10 /* journal, inode and table */
#define FS_VALUE_MAX 4064 /* stored bytes; above, LMDB uses overflow pages: milliseconds each */
#define FS_ROOT_INO 1
#define FS_MAP_ENTRIES 62u /* chunks that one FS_T_MAP record maps */
#define FS_JOURNAL_MAX ((1u << 23) - 1)

struct fs_key {
	uint8_t len;
	uint8_t b[FS_KEY_MAX];
};

enum fs_table {
	/* of a journal, inode 0, covered by the VAULT's tag tree */
	FS_T_ROOT = 0x01,     /* root of the journal's tag tree, signed; clear */
	FS_T_MANIFEST = 0x02, /* generation u32: keys_manifest; clear */
	FS_T_WRAP = 0x03,     /* generation u32, kind u8 (enum fs_wrap_kind), pid u32: keys_wrap; clear */
	FS_T_JPOLICY = 0x04,  /* policy in force: version u32, text; sealed under the index key */
	/* of a journal, inode 0, covered by the journal's tree, sealed under its key */
	FS_T_HEAD = 0x10, /* name, counters */
	FS_T_FREE = 0x11, /* n u32: container bitmap page */
	FS_T_ORPHAN = 0x12, /* inode u40: unlinked while open */
	FS_T_FINAL = 0x13,  /* number u32: a statement about final notes (fs/final.h) */
	FS_T_REMOVED = 0x14, /* inode u40: a note without a name whose versions are kept (fs/history.h) */
	/* of an inode, covered by the journal's tree, sealed under its key */
	FS_T_INODE = 0x20,
	FS_T_DIRENT = 0x21, /* first cookie u64: bucket of entries */
	FS_T_PIECE = 0x22,  /* n u16: piece of a small note */
	FS_T_MAP = 0x23,    /* n u32: chunk map page */
	FS_T_XATTR = 0x24,  /* name hash u64, piece u16 */
	FS_T_STATE = 0x25,  /* a note's statements and links (fs/final.h) */
	FS_T_VERSION = 0x26, /* first version u32: page of earlier versions (fs/history.h) */
	FS_T_OLD_PIECE = 0x27, /* version u32, n u16: piece of an earlier version */
	FS_T_OLD_MAP = 0x28, /* version u32, page u32: chunks that a later version replaced */
	/* in groups only, never stored: contents on their way to the container */
	FS_T_CHUNK = 0x30, /* n u32 */
	FS_T_CUT = 0x31,   /* first chunk that goes */
	/* the same: the record with this table (u8) and rest of key is to be sealed again */
	FS_T_AGAIN = 0x32,
	/* the same: version u32; committed chunks that this group replaces or drops are that version's (fs/history.h) */
	FS_T_KEEP = 0x33,
	/* of the vault: journal 0, inode 0 */
	FS_T_VAULT_ROOT = 0x3f, /* root of the vault's tag tree; MAC under the host secret */
	FS_T_IDENTITY = 0x40,	/* pid u32, enrolment u32; clear */
	FS_T_ENVELOPE = 0x41,	/* pid u32; clear (itself sealed) */
	FS_T_INVITE = 0x42,	/* number u32: statement; clear */
	FS_T_KEY_LIST = 0x43,	/* number u32: statement; clear */
	FS_T_SESSION_CERT = 0x44, /* session id [16]; clear */
	FS_T_BG_WRAP = 0x45,	/* pid u32; clear (itself sealed) */
	FS_T_ESCROW = 0x46,	/* clear (itself sealed) */
	FS_T_POLICY = 0x47,	/* version u32, part u16: policy statement; index key */
	FS_T_PRACTICE = 0x48,	/* part u16: practice policy in force; index key */
	FS_T_NAME = 0x49,	/* name hash u64, slot u8: journal's name; index key */
	FS_T_COUNTERS = 0x4a,	/* next journal, pid, invite, policy version; clear */
	FS_T_LOG_WRAP = 0x4b,	/* pid u32, stream id [16], or pid u32 alone; clear (sealed itself) */
	FS_T_REVIEW = 0x4c,	/* number u32: an access review that was signed off; clear */
	FS_T_KNOWN = 0x4d,	/* pid u32, journal u32: keys that one who left knew; clear */
	FS_T_RENEWAL = 0x4e,	/* journal u32: its key is to be renewed; clear */
	FS_T_FACTOR = 0x50,	/* pid u32: second factor; clear (itself sealed) */
	FS_T_GRANT = 0x51,	/* number u32: an emergency access; clear, its texts sealed under the host secret */
	FS_T_BG_TURN = 0x53,	/* which break-glass pair is in use, and the oldest that journals still need; clear */
	FS_T_NOTICE = 0x52,	/* number u32: somebody is to be told; sealed under the host secret */
	FS_T_FACTOR_USED = 0x54, /* pid u32: which of its codes were used; clear */
	FS_T_PASSPHRASES = 0x55, /* pid u32: earlier passphrases; clear (keyed hashes) */
	FS_T_FINALS = 0x56, /* journal u32: count and hash of its statements about final notes; clear */
	/* tag tree nodes, of a journal or (journal 0) the vault; clear, covered by their parent */
	FS_T_NODE = 0x7f, /* node u32 */
};

enum fs_wrap_kind { FS_WRAP_PRACTITIONER = 1, FS_WRAP_BREAK_GLASS = 2, FS_WRAP_RECOVERY = 3 };

static inline void fs_key_add(struct fs_key *k, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n && k->len < FS_KEY_MAX; i++)
		k->b[k->len++] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

static inline void fs_key_add_bytes(struct fs_key *k, const void *p, size_t n)
{
	if (n > (size_t)(FS_KEY_MAX - k->len))
		n = (size_t)(FS_KEY_MAX - k->len);
	memcpy(k->b + k->len, p, n);
	k->len = (uint8_t)(k->len + n);
}

static inline struct fs_key fs_key(uint32_t journal, uint64_t ino, enum fs_table table)
{
	struct fs_key k = { .len = 0 };

	fs_key_add(&k, journal, 4);
	fs_key_add(&k, ino, 5);
	fs_key_add(&k, table, 1);
	return k;
}

static inline struct fs_key fs_key_n(uint32_t journal, uint64_t ino, enum fs_table table,
				     uint64_t n, unsigned bytes)
{
	struct fs_key k = fs_key(journal, ino, table);

	fs_key_add(&k, n, bytes);
	return k;
}

static inline uint64_t fs_key_be(const struct fs_key *k, unsigned at, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | (at + i < k->len ? k->b[at + i] : 0);
	return v;
}
static inline uint32_t fs_key_journal(const struct fs_key *k)
{
	return (uint32_t)fs_key_be(k, 0, 4);
}
static inline uint64_t fs_key_ino(const struct fs_key *k)
{
	return fs_key_be(k, 4, 5);
}
static inline uint8_t fs_key_table(const struct fs_key *k)
{
	return (uint8_t)fs_key_be(k, 9, 1);
}
/* What follows the table byte, as one number of n bytes. */
static inline uint64_t fs_key_sub(const struct fs_key *k, unsigned n)
{
	return fs_key_be(k, 10, n);
}

static inline int fs_key_cmp(const struct fs_key *a, const struct fs_key *b)
{
	size_t n = a->len < b->len ? a->len : b->len;
	int c = memcmp(a->b, b->b, n);

	return c ? c : (int)a->len - (int)b->len;
}

static inline uint64_t fs_nodeid(uint32_t journal, uint64_t ino)
{
	return (uint64_t)journal << 40 | ino;
}
static inline uint32_t fs_nodeid_journal(uint64_t nodeid)
{
	return (uint32_t)(nodeid >> 40);
}
static inline uint64_t fs_nodeid_ino(uint64_t nodeid)
{
	return nodeid & ((UINT64_C(1) << 40) - 1);
}

/* Inodes of journal 0 above its root: the files under `.policy` (fs/policy_files.h). */
static inline bool fs_nodeid_policy(uint64_t nodeid)
{
	return !fs_nodeid_journal(nodeid) && nodeid > FS_ROOT_INO;
}

#endif
