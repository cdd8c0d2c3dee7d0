/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_records.c - what a journal's records hold, as one of its writers could sign
 * it.
 *
 * The first byte chooses a decoder; what decodes must encode to the same bytes. The last choice
 * puts hostile records into the open group of a journal and walks the layers above over them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "fs/chunk_impl.h"
#include "fs/content.h"
#include "fs/dirent.h"
#include "fs/head.h"
#include "fs/inline.h"
#include "fs/record_impl.h"
#include "fs/xattr.h"
#include "fuzz_dir.h"
#include "keys/bytes.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOTE 20
#define DIR 21
#define OTHER 22

static const uint8_t vault_id[KEYS_VAULT_ID_LEN] = {1};
static struct keys_session_cert cert = {.pid = 7, .enrolment = 1};
static struct fs_records *records;
static struct fs_signer *signer;
static struct fs_journal *journal;
static int containers;

static void damaged(void *ctx, uint32_t j, uint64_t ino, uint8_t table)
{
	(void)ctx;
	(void)j;
	(void)ino;
	(void)table;
}

static int signer_pk(void *ctx, uint32_t index, const struct fs_root_info *info,
		     uint8_t pk[static KEYS_LEN])
{
	(void)ctx;
	(void)index;
	(void)info;
	memcpy(pk, cert.pk, KEYS_LEN);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct fs_records_config cfg = {.create = true, .damaged = damaged};
	struct keys_identity id = {.pid = 7, .enrolment = 1};
	struct keys_journal keys;
	struct fs_journal_open o = {
		.index = 3, .generation = 1, .keys = &keys, .create = true, .signer_pk = signer_pk};
	struct keys_identity_secret *secret;
	uint8_t sk[KEYS_SIGN_SK_LEN];

	(void)argc;
	(void)argv;
	if (keys_init())
		abort();
	fuzz_dir_make();
	cfg.path = fuzz_dir;
	memcpy(cfg.vault, vault_id, sizeof(cfg.vault));
	keys_random(cfg.mac_key, sizeof(cfg.mac_key));
	memset(&keys, 5, sizeof(keys));
	secret = keys_guard_new(sizeof(*secret));
	keys_identity_new(&id, secret);
	keys_session_cert_new(&cert, secret, sk);
	keys_guard_free(secret);
	if (fs_signer_new(&cert, sk, &signer) || fs_records_open(&cfg, &records) ||
	    fs_journal_open(records, &o, &journal))
		abort();
	containers = open(fuzz_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static void inode(const uint8_t *p, size_t len)
{
	uint8_t again[FS_INODE_LEN];
	struct fs_inode_attr a;

	if (fs_inode_decode(p, len, &a))
		return;
	fs_inode_encode(&a, again);
	if (len != sizeof(again) || memcmp(again, p, len))
		abort();
}

static void dirent(const uint8_t *p, size_t len)
{
	struct fs_buf *buf = fs_buf_copy(p, len);
	struct fs_dirent_bucket k;
	struct fs_dirent e;
	uint64_t last = 0;
	unsigned n = 0;
	size_t at = 0;
	int rc;

	if (!buf || fs_dirent_bucket_open(buf, 0, &k)) {
		fs_buf_put(buf);
		return;
	}
	while ((rc = fs_dirent_bucket_next(&k, &at, &e)) == 1) {
		if (e.cookie <= last || e.cookie >= fs_dirent_bucket_end(&k) || ++n > k.count ||
		    fs_dirent_check(e.name))
			abort();
		last = e.cookie;
	}
	if (!rc && n != k.count)
		abort();
	fs_dirent_bucket_put(&k);
}

static void piece(const uint8_t *p, size_t len)
{
	const uint8_t *at = NULL;
	struct fs_buf *buf;
	size_t n = 0;

	if (fs_inline_decode(p, len, &at, &n))
		return;
	if (at < p || n > FS_PIECE || at + n > p + len)
		abort();
	buf = fs_inline_encode(at, n);
	if (!buf || memcmp(buf->data, p, buf->len < len ? buf->len : len))
		abort();
	fs_buf_put(buf);
}

static void xattr(const uint8_t *p, size_t len)
{
	char name[FS_XATTR_NAME_MAX + 1];
	uint8_t again[8 + FS_XATTR_NAME_MAX];
	struct bytes_out out = bytes_out(again, sizeof(again));
	struct fs_buf *buf = fs_buf_copy(p, len);
	const uint8_t *data = NULL;
	uint32_t n = 0;

	if (!buf)
		abort();
	if (!fs_xattr_decode(buf, name, &n, &data)) {
		bytes_put_u8(&out, 1);
		bytes_put_u32(&out, n);
		bytes_put_text(&out, name);
		if (out.bad || out.len > len || memcmp(again, p, out.len) ||
		    data != buf->data + out.len)
			abort();
	}
	fs_buf_put(buf);
}

/* Signed or MACed anew the fields give the same bytes, and only what we signed verifies. */
static void root_journal(const uint8_t *p, size_t len)
{
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
	struct fs_root root, again;

	if (fs_root_decode(3, p, len, &root))
		return;
	keys_sign_new(pk, sk);
	if (fs_root_verify(vault_id, &root, pk) == 0)
		abort();
	again = root;
	fs_root_sign(vault_id, &again, sk);
	if (again.len != len || memcmp(again.raw, p, len - KEYS_SIG_LEN) ||
	    fs_root_verify(vault_id, &again, pk))
		abort();
}

static void root_vault(const uint8_t *p, size_t len)
{
	uint8_t key[KEYS_LEN] = {9};
	struct fs_root root, again;

	if (fs_root_decode_vault(p, len, &root))
		return;
	if (fs_root_check_mac(vault_id, &root, key) == 0)
		abort();
	again = root;
	fs_root_mac(vault_id, &again, key);
	if (again.len != len || memcmp(again.raw, p, len - KEYS_LEN) ||
	    fs_root_check_mac(vault_id, &again, key))
		abort();
}

/* What readers take out of a checked page one by one is what the committer decodes. */
static void map_entries(const uint8_t *p, size_t len, const struct fs_map_page *page)
{
	struct fs_buf *buf = fs_buf_copy(p, len);
	struct fs_map_entry e;

	if (!buf)
		return;
	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++) {
		bool used = fs_chunk_map_entry(buf, i, &e);

		if (used != page->e[i].used || used != (fs_chunk_map_mask(buf) >> i & 1))
			abort();
		if (used && (e.pos != page->e[i].pos || e.generation != page->e[i].generation ||
			     memcmp(&e.seal, &page->e[i].seal, sizeof(e.seal))))
			abort();
	}
	fs_buf_put(buf);
}

/* Which chunks an older key seals, told by the bytes, is what the entries say. */
static void map_older(const uint8_t *p, size_t len, const struct fs_map_page *page)
{
	struct fs_buf *buf = fs_buf_copy(p, len);
	uint32_t newest = 1u + p[6] % 7u;
	uint64_t mask = fs_chunk_map_older(buf, newest);

	for (unsigned i = 0; i < FS_MAP_ENTRIES; i++) {
		bool older = page->e[i].used && page->e[i].generation < newest;

		if (older != (mask >> i & 1))
			abort();
	}
	fs_buf_put(buf);
}

static void map_page(const uint8_t *p, size_t len)
{
	uint8_t again[FS_VALUE_MAX];
	struct fs_map_page page;
	size_t n;

	if (fs_chunk_map_decode(p, len, &page))
		return;
	if (len)
		map_older(p, len, &page);
	map_entries(p, len, &page);
	n = fs_chunk_map_encode(&page, again);
	if (n > len || memcmp(again, p, n))
		abort();
	for (; n < len; n++) { /* holes at the end are left out */
		if (p[n])
			abort();
	}
}

struct pages {
	const uint8_t *p;
	size_t len;
};

static int same_page(void *ctx, uint32_t page, const uint8_t *bits, size_t len)
{
	const struct pages *want = ctx;

	(void)page;
	(void)bits;
	if (!len || !want)
		abort();
	return 0;
}

/* A page number u8, the file's units u16, then the page. */
static void free_map(const uint8_t *p, size_t len)
{
	struct bytes_in in = bytes_in(p, len);
	uint32_t page = bytes_get_u8(&in) % 70;
	off_t units = bytes_get_u16(&in);
	struct fs_container *c;
	struct pages want;
	uint64_t used = 0, pos;
	char path[96];
	int fd;

	if (in.bad)
		return;
	snprintf(path, sizeof(path), "%s/09", fuzz_dir);
	(void)mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/09/00000009", fuzz_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, units * FS_UNIT))
		abort();
	close(fd);
	if (fs_container_open(containers, 9, &c))
		abort();
	want = (struct pages){p + in.off, len - in.off};
	if (!fs_container_load(c, page, want.p, want.len)) {
		for (size_t i = 0; i < want.len; i++)
			used += (unsigned)__builtin_popcount(want.p[i]);
		if (fs_container_units_used(c) != used)
			abort();
		if (!fs_container_reserve(c, 3) && !fs_container_alloc(c, 3, &pos)) {
			uint64_t first = (uint64_t)page * FS_CONTAINER_PAGE_UNITS;

			for (uint64_t i = 0; i < 3; i++) { /* never over what is in use */
				uint64_t bit = pos + i - first;

				if (pos + i >= first && bit / 8 < want.len &&
				    want.p[bit / 8] >> bit % 8 & 1)
					abort();
			}
			if (fs_container_dirty_pages(c, same_page, &want))
				abort();
			fs_container_free(c, pos, 3);
			fs_container_aborted(c);
		}
		if (fs_container_units_used(c) != used)
			abort();
	}
	fs_container_close(c);
	unlink(path);
}

/* Nobody's bytes unseal; a sealed value with the input laid over it only when that changed nothing.
 */
static void value(const uint8_t *p, size_t len)
{
	struct fs_key key = fs_key(3, NOTE, FS_T_INODE), clear = fs_key(3, 0, FS_T_NODE);
	uint8_t stored[64 + FS_RECORD_OVERHEAD], sound[sizeof(stored)];
	struct fs_buf *buf = NULL;
	size_t n = 0;
	int rc;

	if (!fs_value_unseal(journal, &key, p, len, &buf))
		abort();
	if (!fs_value_unseal(journal, &clear, p, len, &buf)) {
		if (buf->len + 1u != len || memcmp(buf->data, p + 1, buf->len))
			abort();
		fs_buf_put(buf);
	}
	if (!len || fs_value_seal(journal, &key, fuzz_dir, 64, sound, &n))
		return;
	memcpy(stored, sound, n);
	for (size_t i = 1; i < len && p[0] + i <= n; i++)
		stored[p[0] + i - 1] ^= p[i];
	buf = NULL;
	rc = fs_value_unseal(journal, &key, stored, n, &buf);
	if ((rc == 0) != (memcmp(stored, sound, n) == 0))
		abort();
	fs_buf_put(buf);
}

/* ---- records in a journal ---- */

static int take(void *ctx, const struct iovec *iov, int n, size_t len)
{
	size_t *sum = ctx;

	for (int i = 0; i < n && len; i++) {
		size_t k = iov[i].iov_len < len ? iov[i].iov_len : len;

		for (size_t b = 0; b < k; b++)
			*sum += ((const uint8_t *)iov[i].iov_base)[b];
		len -= k;
	}
	return 0;
}

static int see(void *ctx, const struct fs_tree_entry *e)
{
	size_t *sum = ctx;

	*sum += strlen(e->name);
	return 0;
}

static void walk_inode(uint64_t ino)
{
	static char space[70000];
	struct fs_inode *i = NULL, *child = NULL;
	size_t sum = 0, len = 0;
	struct stat st;
	uint64_t at;

	if (fs_inode_get(journal, ino, &i))
		return;
	fs_content_stat(i, &st);
	if (S_ISREG(i->mode)) {
		(void)fs_content_read(i, 0, 70000, take, &sum);
		(void)fs_content_read(i, i->size / 2, 5000, take, &sum);
		(void)fs_content_seek(i, 0, true, &at);
		(void)fs_content_seek(i, 0, false, &at);
	}
	if (S_ISLNK(i->mode) && !fs_tree_readlink(i, space, sizeof(space)))
		sum += strlen(space);
	if (S_ISDIR(i->mode)) {
		(void)fs_tree_list(i, 0, see, &sum);
		if (!fs_tree_lookup(i, "note", &child))
			fs_inode_put(child);
	}
	if (!fs_xattr_list(i, space, sizeof(space), &len) && len > sizeof(space))
		abort();
	if (!fs_xattr_get(i, "user.a", space, sizeof(space), &len) && len > sizeof(space))
		abort();
	fs_inode_put(i);
}

/* Where a writer would put it, so that look-ups by name come across it. */
static struct fs_key place(uint8_t kind, uint64_t ino, uint64_t sub)
{
	struct fs_key key;

	switch (kind % 6) {
	case 0:
		return fs_key(3, ino, FS_T_INODE);
	case 1:
		/* The only bucket, the two of depth 1, one deeper down on the way. */
		sub = sub % 3 ? FS_DIRENT_COOKIE_MAX >> (sub % 3) : 0;
		return fs_key_n(3, ino, FS_T_DIRENT, sub, 8);
	case 2:
		return fs_key_n(3, ino, FS_T_PIECE, sub % 5, 2);
	case 3:
		key = fs_key_n(3, ino, FS_T_XATTR, sub / 32 * 8, 8);
		fs_key_add(&key, sub % 32, 2);
		return key;
	case 4:
		return fs_key_n(3, 0, FS_T_HEAD, sub % 2, 1);
	default:
		return fs_key_n(3, 0, FS_T_ORPHAN, ino, 5);
	}
}

static void apply(struct fs_batch *b)
{
	if (fs_group_apply(fs_records_group(records), b, NULL))
		abort();
	fs_batch_clear(b);
}

/* kind u8, inode u8, sub u8, length u16, bytes; and so on. */
static void in_place(const uint8_t *p, size_t len)
{
	struct bytes_in in = bytes_in(p, len);
	struct fs_key keys[16];
	struct fs_batch b;
	char name[FS_HEAD_NAME_MAX + 1];
	uint64_t next;
	size_t n = 0;

	fs_batch_init(&b, signer);
	for (; n < 16 && in.off < in.len; n++) {
		uint8_t kind = bytes_get_u8(&in), ino = NOTE + bytes_get_u8(&in) % 3;
		uint8_t sub = bytes_get_u8(&in);
		size_t take_len = bytes_get_u16(&in) % (FS_PLAIN_MAX + 1);

		if (take_len > in.len - in.off)
			take_len = in.len - in.off;
		keys[n] = place(kind, ino, sub);
		fs_batch_put(&b, journal, &keys[n], in.p + in.off, take_len);
		in.off += take_len;
	}
	apply(&b);
	if (!fs_head_get_name(journal, name) && !name[0])
		abort();
	(void)fs_head_get_next(journal, &next);
	walk_inode(NOTE);
	walk_inode(DIR);
	walk_inode(OTHER);
	fs_batch_init(&b, signer);
	for (size_t i = 0; i < n; i++)
		fs_batch_del(&b, journal, &keys[i]);
	apply(&b);
}

static void (*const target[])(const uint8_t *p, size_t len) = {
	inode, dirent, piece, xattr, root_journal, root_vault, map_page, free_map, value, in_place,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		target[data[0] % (sizeof(target) / sizeof(target[0]))](data + 1, size - 1);
	return 0;
}
