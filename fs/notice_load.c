/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/notice_load.c - the notices that still waited when the vault was last closed, or lost its
 * daemon.
 *
 * Invariant: what can't be opened, damaged or another host's, is an alarm and never
 * keeps anybody from the vault. All are due at once.
 * Locks: none, the vault is being opened.
 */
#include "vault_impl.h"

struct loading {
	struct fs_vault *v;
	uint32_t *foreign; /* numbers that do not open */
	size_t count;
};

static int load_foreign(struct loading *l, uint32_t number)
{
	uint32_t *more = reallocarray(l->foreign, l->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	l->foreign = more;
	l->foreign[l->count++] = number;
	return 0;
}

static int load_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct loading *l = ctx;
	struct fs_notices *q = &l->v->notices;
	struct fs_waiting_notice w = {.number = (uint32_t)fs_key_sub(key, 4), .kept = true};
	struct fs_notice n = {.number = w.number};
	struct bytes_in in = bytes_in(buf->data, buf->len);
	int rc;

	if (!w.number) {
		q->last = bytes_get_u32(&in);
		return 0;
	}
	if (fs_notice_unseal(l->v, (struct keys_span){buf->data, buf->len}, &n))
		return load_foreign(l, w.number);
	if (w.number > q->last)
		q->last = w.number;
	w.grant = n.grant;
	w.journal = n.journal;
	w.opened = !strcmp(n.event, "opened");
	w.tries = n.tries;
	if (n.error[0])
		policy_record_copy(q->error, sizeof(q->error), n.error);
	keys_wipe(&n, sizeof(n));
	w.len = (uint32_t)buf->len;
	w.sealed = malloc(buf->len);
	if (!w.sealed)
		return -ENOMEM;
	memcpy(w.sealed, buf->data, buf->len);
	rc = fs_notice_append(q, &w);
	if (rc)
		free(w.sealed);
	return rc;
}

int fs_notice_load(struct fs_vault *v)
{
	struct fs_key from = fs_key(0, 0, FS_T_NOTICE), to = fs_key(0, 0, FS_T_NOTICE + 1);
	struct loading l = {.v = v};
	int rc = fs_record_scan(fs_records_vault(v->records), &from, &to, load_one, &l);

	for (size_t i = 0; i < l.count; i++) {
		fs_notice_alarm(
			v, 0,
			"notice %u of an emergency access was sealed by another host, or is "
			"damaged: it is dropped undelivered; the access log has the access",
			l.foreign[i]);
		if (!v->cfg.read_only)
			fs_notice_erase(v, l.foreign[i]);
	}
	free(l.foreign);
	if (rc == -EBADMSG) {
		fs_notice_alarm(v, 0,
				"notices of emergency access are damaged: some are not delivered");
		rc = 0;
	}
	return rc;
}
