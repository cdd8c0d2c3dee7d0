/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/batch.c - building batches; see batch.h.
 *
 * Nothing here can fail visibly: the first -ENOMEM sticks in the batch, and
 * fs_group_apply returns it, so that operations need one check, not ten.
 */
#include "batch.h"

#include "record.h"

#include <errno.h>
#include <stdlib.h>

void fs_batch_init(struct fs_batch *b, struct fs_signer *signer)
{
	memset(b, 0, sizeof(*b));
	b->signer = signer ? fs_signer_get(signer) : NULL;
}

void fs_batch_clear(struct fs_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		fs_buf_put(b->e[i].buf);
		fs_buf_put(b->e[i].seen);
	}
	free(b->e);
	if (b->signer)
		fs_signer_put(b->signer);
	memset(b, 0, sizeof(*b));
}

static struct fs_batch_entry *add(struct fs_batch *b, enum fs_change change, struct fs_journal *j,
				  const struct fs_key *key)
{
	struct fs_batch_entry *e;

	if (b->rc)
		return NULL;
	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 8;

		e = reallocarray(b->e, cap, sizeof(*e));
		if (!e) {
			b->rc = -ENOMEM;
			return NULL;
		}
		b->e = e;
		b->cap = cap;
	}
	e = &b->e[b->n++];
	*e = (struct fs_batch_entry){.change = change, .journal = j, .key = *key};
	return e;
}

void fs_batch_put(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key, const void *p,
		  size_t len)
{
	fs_batch_put_buf(b, j, key, b->rc ? NULL : fs_buf_copy(p, len));
}

void fs_batch_put_buf(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key,
		      struct fs_buf *buf)
{
	struct fs_batch_entry *e;

	if (!buf && !b->rc)
		b->rc = -ENOMEM;
	e = add(b, FS_PUT, j, key);
	if (e)
		e->buf = buf;
	else
		fs_buf_put(buf);
}

void fs_batch_put_fresh(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key,
			struct fs_buf *buf)
{
	size_t n = b->n;

	fs_batch_put_buf(b, j, key, buf);
	if (b->n > n)
		b->e[n].fresh = true;
}

void fs_batch_del(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key)
{
	add(b, FS_DEL, j, key);
}

static struct fs_batch_entry *add_patch(struct fs_batch *b, struct fs_journal *j,
					const struct fs_key *key, uint32_t off, const uint8_t *p,
					uint32_t len)
{
	struct fs_batch_entry *e = add(b, FS_PATCH, j, key);

	if (e) {
		e->patch = p;
		e->patch_off = off;
		e->patch_len = len;
	}
	return e;
}

void fs_batch_patch(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key,
		    uint32_t off, const uint8_t *p, uint32_t len, struct fs_buf *base)
{
	struct fs_batch_entry *e = add_patch(b, j, key, off, p, len);

	if (e)
		e->buf = base;
	else
		fs_buf_put(base);
}

void fs_batch_patch_seen(struct fs_batch *b, struct fs_journal *j, const struct fs_key *key,
			 uint32_t off, const uint8_t *p, uint32_t len, struct fs_buf *seen)
{
	struct fs_batch_entry *e = add_patch(b, j, key, off, p, len);

	if (e)
		e->seen = seen;
	else
		fs_buf_put(seen);
}
