/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_files.h - a vault with one journal for the tests of inodes, tree, contents
 * and attributes. Opened inside each test (LMDB must not cross the fork).
 */
#ifndef TEST_FS_FILES_H
#define TEST_FS_FILES_H

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/content.h"
#include "fs/dirent.h"
#include "fs/tree.h"
#include "fs/xattr.h"
#include "keys/slab.h"

#define NOW(s) ((struct timespec){.tv_sec = (s), .tv_nsec = 7})

struct files {
	char dir[64];
	struct fs_records_config cfg;
	struct keys_journal keys;
	struct keys_session_cert cert;
	struct fs_signer *signer;
	struct fs_records *r;
	struct fs_journal *j;
	struct fs_inode *root;
	struct fs_actor who;
};

static int files_signer_pk(void *ctx, uint32_t index, const struct fs_root_info *info,
			   uint8_t pk_out[static KEYS_LEN])
{
	const struct files *f = ctx;

	(void)index;
	if (info->pid != f->cert.pid)
		return -EBADMSG;
	memcpy(pk_out, f->cert.pk, KEYS_LEN);
	return 0;
}

static void files_open(struct files *f, const char *dir, bool create, bool read_only)
{
	struct fs_journal_open o = {.index = 5,
				    .generation = 1,
				    .keys = &f->keys,
				    .create = create,
				    .signer_pk = files_signer_pk,
				    .ctx = f};
	struct fs_batch b;
	uint64_t number;

	f->cfg.path = dir;
	f->cfg.create = create;
	f->cfg.read_only = read_only;
	ck_assert_int_eq(fs_records_open(&f->cfg, &f->r), 0);
	ck_assert_int_eq(fs_journal_open(f->r, &o, &f->j), 0);
	if (create) {
		fs_batch_init(&b, f->signer);
		ck_assert_int_eq(fs_tree_make_root(f->j, &b, "010190-1234 Hansen, Anna", &f->who),
				 0);
		ck_assert_int_eq(fs_group_apply(fs_records_group(f->r), &b, &number), 0);
		fs_batch_clear(&b);
		ck_assert_int_eq(fs_group_sync(fs_records_group(f->r), number), 0);
	}
	ck_assert_int_eq(fs_inode_get(f->j, FS_ROOT_INO, &f->root), 0);
}

static void files_close(struct files *f)
{
	fs_inode_put(f->root);
	fs_journal_put(f->j);
	ck_assert_int_eq(fs_records_close(f->r), 0);
}

static inline void files_reopen(struct files *f, bool read_only)
{
	files_close(f);
	files_open(f, f->dir, false, read_only);
}

static inline void files_sync(struct files *f)
{
	ck_assert_int_eq(fs_group_sync(fs_records_group(f->r), 0), 0);
}

static void files_start(struct files *f)
{
	struct keys_identity_secret *secret;
	struct keys_identity id = {.pid = 3};
	uint8_t sk[KEYS_SIGN_SK_LEN];

	memset(f, 0, sizeof(*f));
	ck_assert_int_eq(keys_init(), 0);
	secret = keys_guard_new(sizeof(*secret));
	ck_assert_ptr_nonnull(secret);
	keys_identity_new(&id, secret);
	f->cert.pid = 3;
	f->cert.enrolment = 1;
	keys_random(f->cert.session, sizeof(f->cert.session));
	keys_session_cert_new(&f->cert, secret, sk);
	keys_guard_free(secret);
	ck_assert_int_eq(fs_signer_new(&f->cert, sk, &f->signer), 0);
	keys_random(&f->keys, sizeof(f->keys));
	keys_random(f->cfg.vault, sizeof(f->cfg.vault));
	keys_random(f->cfg.mac_key, sizeof(f->cfg.mac_key));
	f->who = (struct fs_actor){.signer = f->signer, .pid = 3, .now = NOW(1000)};
	strcpy(f->dir, "/tmp/journalfs-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	files_open(f, f->dir, true, false);
}

static int files_rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void files_rm(const char *dir)
{
	nftw(dir, files_rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void files_stop(struct files *f)
{
	files_close(f);
	fs_signer_put(f->signer);
	files_rm(f->dir);
}

/* The vault as a crash would leave it now: what is committed, in another directory. */
static inline void files_crash(struct files *f, char copy[static 64])
{
	char cmd[256];

	strcpy(copy, "/tmp/journalfs-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(copy));
	snprintf(cmd, sizeof(cmd), "cp -a --sparse=always %s/. %s", f->dir, copy);
	ck_assert_int_eq(system(cmd), 0);
}

static inline struct fs_inode *files_make(struct files *f, struct fs_inode *dir, const char *name,
					  uint32_t mode)
{
	struct fs_inode *i = NULL;

	ck_assert_int_eq(fs_tree_create(dir, name, mode, &f->who, &i), 0);
	ck_assert_ptr_nonnull(i);
	return i;
}

static inline void files_write(struct files *f, struct fs_inode *i, uint64_t off, const void *p,
			       size_t len)
{
	ck_assert_int_eq(fs_content_write(i, off, false, p, len, &f->who, NULL), 0);
}

struct files_read {
	uint8_t *out;
	size_t len;
	int parts;
};

static inline int files_read_fn(void *ctx, const struct iovec *iov, int n, size_t len)
{
	struct files_read *r = ctx;
	size_t sum = 0;

	for (int k = 0; k < n; k++) {
		memcpy(r->out + sum, iov[k].iov_base, iov[k].iov_len);
		sum += iov[k].iov_len;
	}
	ck_assert_uint_eq(sum, len);
	r->len = len;
	r->parts = n;
	return 0;
}

static inline int files_read(struct fs_inode *i, uint64_t off, void *out, size_t len, size_t *got)
{
	struct files_read r = {.out = out};
	int rc = fs_content_read(i, off, len, files_read_fn, &r);

	*got = r.len;
	return rc;
}

/* Does a record of this table exist for the inode? */
static inline bool files_has(struct files *f, uint64_t ino, uint8_t table)
{
	struct fs_key from = fs_key(5, ino, table), to = fs_key(5, ino, table);
	struct fs_key found;
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;
	int rc;

	files_sync(f);
	to.b[to.len - 1]++;
	ck_assert_int_eq(fs_store_snap_begin(fs_records_store(f->r), &snap), 0);
	rc = fs_store_next(snap, &from, &found, &val, &len);
	fs_store_snap_end(snap);
	return rc == 0 && fs_key_cmp(&found, &to) < 0;
}

#endif
