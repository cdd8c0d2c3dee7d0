/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_tries.c - how often an account may be refused.
 *
 * Every refusal is written to the access log, durably. Without a bound, any
 * account of the host could fill the log and keep the disk busy with refusals of
 * names that do not even exist. So each account has TRIES that come back one a
 * second; who has used them up is told to wait, without a record. The vault's own
 * back-off after wrong passphrases is another matter and comes on top.
 *
 * Locks: c->lock.
 */
#include <errno.h>

#include "control_impl.h"

#define TRIES 20
#define SECOND_NS INT64_C(1000000000)

/* The account's entry; a new one takes the place of the one that was used longest ago. */
static struct fs_control_tries *entry_of(struct fs_control *c, uid_t uid, int64_t now)
{
	struct fs_control_tries *oldest = &c->tries[0];

	for (unsigned i = 0; i < FS_CONTROL_TRIES; i++) {
		struct fs_control_tries *t = &c->tries[i];

		if (t->used_ns && t->uid == uid)
			return t;
		if (t->used_ns < oldest->used_ns)
			oldest = t;
	}
	*oldest = (struct fs_control_tries){.uid = uid, .left = TRIES, .used_ns = now};
	return oldest;
}

static void refill(struct fs_control_tries *t, int64_t now)
{
	int64_t more = (now - t->used_ns) / SECOND_NS;

	if (more <= 0)
		return;
	t->left = more > TRIES - t->left ? TRIES : t->left + (int)more;
	t->used_ns = now;
}

int fs_control_tries_check(struct fs_control *c, uid_t uid, struct fs_say *say)
{
	int64_t now = fs_control_now_ns();
	struct fs_control_tries *t;
	int left;

	pthread_mutex_lock(&c->lock);
	t = entry_of(c, uid, now);
	refill(t, now);
	left = t->left;
	pthread_mutex_unlock(&c->lock);
	if (left > 0)
		return 0;
	fs_say(say, "your account was refused too often; try again in a few seconds");
	return -EAGAIN;
}

void fs_control_tries_refused(struct fs_control *c, uid_t uid)
{
	struct fs_control_tries *t;

	pthread_mutex_lock(&c->lock);
	t = entry_of(c, uid, fs_control_now_ns());
	if (t->left > 0)
		t->left--;
	pthread_mutex_unlock(&c->lock);
}
