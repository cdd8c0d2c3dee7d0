/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_keys.c - who holds the key of a journal, for answers to stewards.
 *
 * Locks: `lock` to find a practitioner; none while wraps are read, so that what is
 * told may be a moment old: it decides nothing.
 */
#include "policy_keys.h"

static int wrap_one(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	struct fs_policy_wraps *w = ctx;
	struct bytes_in in = bytes_in(buf->data, buf->len);
	uint32_t generation = (uint32_t)fs_key_sub(key, 4);
	uint64_t kind = fs_key_be(key, 14, 1);

	if (generation != w->generation) {
		w->generation = generation;
		w->break_glass = w->recovery = false;
		w->n = 0;
	}
	w->break_glass = w->break_glass || kind == FS_WRAP_BREAK_GLASS;
	w->recovery = w->recovery || kind == FS_WRAP_RECOVERY;
	if (kind != FS_WRAP_PRACTITIONER)
		return 0;
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 64;
		struct fs_policy_holder *of = reallocarray(w->of, cap, sizeof(*of));

		if (!of)
			return -ENOMEM;
		w->of = of;
		w->cap = cap;
	}
	w->of[w->n++] = (struct fs_policy_holder){(uint32_t)fs_key_be(key, 15, 4), bytes_get_u32(&in)};
	return 0;
}

int fs_policy_wraps_read(struct fs_vault *v, uint32_t index, struct fs_policy_wraps *w)
{
	struct fs_key from = fs_key(index, 0, FS_T_WRAP), to = fs_key(index, 0, FS_T_WRAP + 1);

	w->n = 0;
	w->generation = 0;
	w->break_glass = w->recovery = false;
	return fs_record_scan(fs_records_vault(v->records), &from, &to, wrap_one, w);
}

bool fs_policy_wraps_hold(const struct fs_policy_wraps *w, struct fs_policy_holder who)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->of[i].pid == who.pid && w->of[i].enrolment == who.enrolment)
			return true;
	}
	return false;
}

void fs_policy_wraps_clear(struct fs_policy_wraps *w)
{
	free(w->of);
	memset(w, 0, sizeof(*w));
}

struct fs_policy_holder fs_policy_holder(struct fs_vault *v, const char *name)
{
	const struct fs_person *p;
	struct fs_policy_holder who = {0};

	pthread_rwlock_rdlock(&v->lock);
	p = fs_people_find(v, name);
	if (p)
		who = (struct fs_policy_holder){p->pid, p->enrolment};
	pthread_rwlock_unlock(&v->lock);
	return who;
}

int fs_policy_key_held(struct fs_vault *v, uint32_t index, const char *name, bool *enrolled,
		       bool *held)
{
	struct fs_policy_holder who = fs_policy_holder(v, name);
	struct fs_policy_wraps w = {0};
	int rc = fs_policy_wraps_read(v, index, &w);

	*enrolled = who.enrolment != 0;
	*held = fs_policy_wraps_hold(&w, who);
	fs_policy_wraps_clear(&w);
	return rc;
}
