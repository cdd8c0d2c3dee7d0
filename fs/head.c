/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/head.c - the HEAD records of a journal.
 *
 * The name's record has one length for every name, so that stored sizes say
 * nothing of patients. Implements fs/FORMAT.md, "HEAD". No locks.
 */
#include "head.h"

#include <errno.h>
#include "../keys/bytes.h"

#define HEAD_VERSION 1
#define HEAD_NAME 0
#define HEAD_NEXT 1
#define HEAD_NAME_LEN 264
#define HEAD_NEXT_LEN 16

static struct fs_key head_key(const struct fs_journal *j, unsigned part)
{
	return fs_key_n(fs_journal_index(j), 0, FS_T_HEAD, part, 1);
}

int fs_head_put_name(struct fs_batch *b, struct fs_journal *j, const char *name)
{
	struct fs_key key = head_key(j, HEAD_NAME);
	uint8_t rec[HEAD_NAME_LEN] = {0};
	struct bytes_out out = bytes_out(rec, sizeof(rec));
	size_t len = strlen(name);

	if (!len || len > FS_HEAD_NAME_MAX)
		return -EINVAL;
	bytes_put_u8(&out, HEAD_VERSION);
	bytes_put_text(&out, name);
	fs_batch_put(b, j, &key, rec, sizeof(rec));
	keys_wipe(rec, sizeof(rec));
	return 0;
}

int fs_head_get_name(struct fs_journal *j, char *out)
{
	struct fs_key key = head_key(j, HEAD_NAME);
	char name[FS_HEAD_NAME_MAX + 1];
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	int rc = fs_record_get(j, &key, &buf);

	if (rc)
		return rc;
	in = bytes_in(buf->data, buf->len);
	if (bytes_get_u8(&in) != HEAD_VERSION)
		in.bad = true;
	bytes_get_text(&in, name, sizeof(name));
	bytes_get_zero(&in, in.len - in.off);
	if (!bytes_in_done(&in) || !name[0] || buf->len != HEAD_NAME_LEN)
		rc = -EBADMSG;
	else
		memcpy(out, name, strlen(name) + 1);
	keys_wipe(name, sizeof(name));
	fs_buf_put(buf);
	return rc;
}

void fs_head_put_next(struct fs_batch *b, struct fs_journal *j, uint64_t next)
{
	struct fs_key key = head_key(j, HEAD_NEXT);
	uint8_t rec[HEAD_NEXT_LEN] = {0};
	struct bytes_out out = bytes_out(rec, sizeof(rec));

	bytes_put_u8(&out, HEAD_VERSION);
	bytes_put_u64(&out, next);
	fs_batch_put(b, j, &key, rec, sizeof(rec));
}

int fs_head_get_next(struct fs_journal *j, uint64_t *next)
{
	struct fs_key key = head_key(j, HEAD_NEXT);
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	uint64_t v;
	int rc = fs_record_get(j, &key, &buf);

	if (rc)
		return rc;
	in = bytes_in(buf->data, buf->len);
	if (bytes_get_u8(&in) != HEAD_VERSION)
		in.bad = true;
	v = bytes_get_u64(&in);
	bytes_get_zero(&in, in.len - in.off);
	if (!bytes_in_done(&in) || buf->len != HEAD_NEXT_LEN || v <= FS_ROOT_INO)
		rc = -EBADMSG;
	else
		*next = v;
	fs_buf_put(buf);
	return rc;
}
