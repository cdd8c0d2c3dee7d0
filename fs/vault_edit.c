/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/vault_edit.c - one change of the vault's own records, and values in parts.
 *
 * An edit is a batch together with the counters and the heads of the statement
 * chains as they will be when it is applied: numbers are given out and statements
 * chained inside it, and published only when the group has taken the batch.
 * Implements fs/FORMAT.md, "COUNTERS" and "Values in parts".
 *
 * Locks: edit held by the caller; `lock` to publish the counters.
 */
#include "vault_impl.h"

#define COUNTERS_LEN 32

int fs_vault_edit_load(struct fs_vault *v)
{
	struct fs_key key = fs_key(0, 0, FS_T_COUNTERS);
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	int rc = fs_record_get(fs_records_vault(v->records), &key, &buf);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	in = bytes_in(buf->data, buf->len);
	bytes_get_zero(&in, 4);
	v->counters.journal = bytes_get_u32(&in);
	v->counters.pid = bytes_get_u32(&in);
	v->counters.invite = bytes_get_u32(&in);
	v->counters.policy = bytes_get_u32(&in);
	v->counters.list = bytes_get_u32(&in);
	v->counters.index_generation = bytes_get_u32(&in);
	v->counters.practice = bytes_get_u32(&in);
	rc = bytes_in_done(&in) ? 0 : -EBADMSG;
	fs_buf_put(buf);
	return rc;
}

void fs_vault_edit_begin(struct fs_vault *v, struct fs_edit *e, struct fs_signer *signer)
{
	memset(e, 0, sizeof(*e));
	e->v = v;
	e->c = v->counters;
	memcpy(e->policy_head, v->policy_head, KEYS_LEN);
	memcpy(e->invite_head, v->invite_head, KEYS_LEN);
	memcpy(e->list_head, v->list_head, KEYS_LEN);
	fs_batch_init(&e->b, signer);
}

int fs_vault_edit_commit(struct fs_edit *e)
{
	struct fs_vault *v = e->v;
	struct fs_key key = fs_key(0, 0, FS_T_COUNTERS);
	uint8_t bytes[COUNTERS_LEN];
	struct bytes_out out = bytes_out(bytes, sizeof(bytes));
	int rc;

	bytes_put_zero(&out, 4);
	bytes_put_u32(&out, e->c.journal);
	bytes_put_u32(&out, e->c.pid);
	bytes_put_u32(&out, e->c.invite);
	bytes_put_u32(&out, e->c.policy);
	bytes_put_u32(&out, e->c.list);
	bytes_put_u32(&out, e->c.index_generation);
	bytes_put_u32(&out, e->c.practice);
	fs_batch_put(&e->b, fs_records_vault(v->records), &key, bytes, sizeof(bytes));
	rc = fs_group_apply(fs_records_group(v->records), &e->b, &e->group);
	if (rc)
		return rc;
	pthread_rwlock_wrlock(&v->lock);
	v->counters = e->c;
	pthread_rwlock_unlock(&v->lock);
	memcpy(v->policy_head, e->policy_head, KEYS_LEN);
	memcpy(v->invite_head, e->invite_head, KEYS_LEN);
	memcpy(v->list_head, e->list_head, KEYS_LEN);
	return 0;
}

void fs_vault_edit_clear(struct fs_edit *e)
{
	fs_batch_clear(&e->b);
}

/* ---- values in parts ---- */

static struct fs_key part_key(const struct fs_key *prefix, unsigned part)
{
	struct fs_key key = *prefix;

	fs_key_add(&key, part, 2);
	return key;
}

struct gather {
	uint8_t *p;
	size_t len, got;
	unsigned next;
	uint8_t prefix_len;
};

static int gather_part(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct gather *g = ctx;
	struct bytes_in in = bytes_in(buf->data, buf->len);
	size_t n;

	if (key->len != g->prefix_len + 2 || fs_key_be(key, g->prefix_len, 2) != g->next)
		return -EBADMSG;
	if (!g->next) {
		g->len = bytes_get_u32(&in);
		if (in.bad || g->len > (1u << 24))
			return -EBADMSG;
		g->p = malloc(g->len + 1);
		if (!g->p)
			return -ENOMEM;
	}
	n = g->len - g->got;
	if (n > FS_PART - in.off)
		n = FS_PART - in.off;
	/* Cut as we cut: who changes the value finds its parts by their number alone. */
	if (in.len - in.off != n || (g->next && !n))
		return -EBADMSG;
	bytes_get(&in, g->p + g->got, n);
	g->got += n;
	g->next++;
	return 0;
}

int fs_vault_parts_get(struct fs_vault *v, const struct fs_key *prefix, uint8_t **out, size_t *len)
{
	struct fs_key from = part_key(prefix, 0), to = part_key(prefix, 0xffff);
	struct gather g = {.prefix_len = prefix->len};
	int rc = fs_record_scan(fs_records_vault(v->records), &from, &to, gather_part, &g);

	if (!rc && !g.next)
		rc = -ENOENT;
	if (!rc && g.got != g.len)
		rc = -EBADMSG;
	if (rc) {
		if (g.p)
			keys_wipe(g.p, g.got);
		free(g.p);
		return rc;
	}
	g.p[g.len] = '\0';
	*out = g.p;
	*len = g.len;
	return 0;
}

static unsigned parts_of(size_t len)
{
	return (unsigned)((len + 4 + FS_PART - 1) / FS_PART);
}

/* How many parts are stored now; errors count as none, the new value covers what it needs. */
static unsigned parts_stored(struct fs_vault *v, const struct fs_key *prefix)
{
	struct fs_key key = part_key(prefix, 0);
	struct fs_buf *buf = NULL;
	struct bytes_in in;
	unsigned n = 0;

	if (fs_record_get(fs_records_vault(v->records), &key, &buf))
		return 0;
	in = bytes_in(buf->data, buf->len);
	n = parts_of(bytes_get_u32(&in));
	fs_buf_put(buf);
	return in.bad ? 0 : n;
}

static void parts_trim(struct fs_vault *v, struct fs_batch *b, const struct fs_key *prefix,
		       unsigned keep)
{
	unsigned stored = parts_stored(v, prefix);

	for (unsigned i = keep; i < stored && i < 0xffff; i++) {
		struct fs_key key = part_key(prefix, i);

		fs_batch_del(b, fs_records_vault(v->records), &key);
	}
}

void fs_vault_parts_put(struct fs_vault *v, struct fs_batch *b, const struct fs_key *prefix,
			const void *p, size_t len)
{
	unsigned n = parts_of(len);
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		struct fs_key key = part_key(prefix, i);
		uint8_t bytes[FS_PART];
		struct bytes_out out = bytes_out(bytes, sizeof(bytes));
		size_t room;

		if (!i)
			bytes_put_u32(&out, (uint32_t)len);
		room = sizeof(bytes) - out.len;
		if (room > len - at)
			room = len - at;
		bytes_put(&out, (const uint8_t *)p + at, room);
		at += room;
		fs_batch_put(b, fs_records_vault(v->records), &key, bytes, out.len);
		keys_wipe(bytes, sizeof(bytes));
	}
	parts_trim(v, b, prefix, n);
}

void fs_vault_parts_del(struct fs_vault *v, struct fs_batch *b, const struct fs_key *prefix)
{
	parts_trim(v, b, prefix, 0);
}
