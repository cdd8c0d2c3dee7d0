/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_seal.c - the Merkle tree over the log, and the checkpoints that are signed over it.
 *
 * Every record's stored bytes are a leaf, added as the record is queued. A checkpoint is queued as
 * the first thing of a write of its own, behind all records that it covers; so is the tree frame of
 * a segment. The log's files change hands with the key: the tree frame introduces the next key,
 * signed by the one before, which is forgotten here at once, when it has signed the segment's index
 * too (log_index.h), and in the host's state once the frame is on disk (log_space.c). Implements
 * fs/FORMAT.md, "Log", "Tree frames" and "Checkpoints".
 *
 * Invariants: (1) tree.size = next_seq - 1 whenever the lock is let go; (2) what a queued
 * checkpoint or tree frame covers is queued before it, and written before it; (3) a key signs
 * nothing but that index after the frame that introduces the next.
 *
 * Locks: fs_log.lock, held by the caller but in the calls of log.h.
 */
#include "log_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"

void fs_log_seal_add(struct fs_log *l, const uint8_t *p, size_t len)
{
	uint8_t leaf[KEYS_LEN];

	keys_tree_leaf(p, len, leaf);
	keys_tree_add(&l->tree, leaf);
}

/* ---- tree frames ---- */

static void fill_frame(const struct fs_log *l, struct fs_log_tree *t)
{
	*t = (struct fs_log_tree){
		.flags = l->lost ? FS_LOG_TREE_LOST : 0,
		.key_number = l->keys->next.number,
		.tree = l->tree,
	};
	memcpy(t->pk, fs_log_pk(l->keys->next.sk), sizeof(t->pk));
	if (l->keys->now.number)
		memcpy(t->before, fs_log_pk(l->keys->now.sk), sizeof(t->before));
	memcpy(t->daemon_pk, fs_log_pk(l->sign_sk), sizeof(t->daemon_pk));
	memcpy(t->witness_pk, l->witness_pk, sizeof(t->witness_pk));
	memcpy(t->root_pk, l->root_pk, sizeof(t->root_pk));
	memcpy(t->cert, l->daemon_cert, sizeof(t->cert));
}

int fs_log_seal_segment(struct fs_log *l)
{
	struct fs_log_key *now = &l->keys->now, *next = &l->keys->next;
	uint8_t body[FS_LOG_TREE_MAX], *at;
	struct fs_log_tree t;
	size_t len;

	if (!next->number)
		return -ENOKEY;
	fill_frame(l, &t);
	len = fs_log_tree_make(&t, l->number, now->number ? now->sk : NULL, l->sign_sk, body);
	at = fs_log_queue(l, fs_log_frame_size(len));
	if (!at)
		return -ENOMEM;
	fs_log_frame_encode(FS_LOG_TREE, l->next_seq, len, at);
	memcpy(at + FS_LOG_FRAME, body, len);
	/* On disk before any record that follows: a segment with records has its tree frame. */
	l->tail->closed = true;
	l->tail->introduces = true;
	*now = *next;
	keys_wipe(next, sizeof(*next));
	l->introducing = true;
	l->tree_due = false;
	l->lost = false;
	l->key_number = now->number;
	return 0;
}

/* ---- checkpoints ---- */

static struct fs_log_sealed *make(const struct fs_log *l, enum keys_checkpoint_mark mark)
{
	struct fs_log_sealed *s = calloc(1, sizeof(*s));
	struct keys_checkpoint c = {
		.size = l->tree.size,
		.commit = l->commit,
		.time_s = (uint64_t)(fs_clock_wall_ns() / 1000000000),
		.mark = mark,
	};

	if (!s)
		return NULL;
	memcpy(c.vault, l->vault, sizeof(c.vault));
	memcpy(c.vault_root, l->root, sizeof(c.vault_root));
	keys_tree_root(&l->tree, c.root);
	s->key_number = l->keys->now.number;
	s->tree = l->tree;
	s->len = keys_checkpoint_make(&c, l->keys->now.sk, l->witness_sk, s->text);
	return s;
}

/* 0; 1: there is no room, and none can be had without waiting. */
static int room(struct fs_log *l, size_t need, enum keys_checkpoint_mark mark)
{
	/* In the last segment, what is kept for emergencies is not for minutes' sake. */
	uint64_t kept = mark == KEYS_CHECKPOINT_RUNNING ? fs_log_kept(l) / 2 : 0;

	if (fs_log_ready(l))
		return l->end + need <= l->size ? 0 : fs_log_switch(l);
	return l->end + need + kept <= l->size ? 0 : 1;
}

int fs_log_seal_put(struct fs_log *l, enum keys_checkpoint_mark mark)
{
	struct fs_log_sealed *s;
	struct fs_log_run *run = NULL;
	size_t size;
	int rc;

	if (l->failed)
		return l->failed;
	if (!l->keys->now.number || (mark == KEYS_CHECKPOINT_RUNNING && l->tree.size == l->sealed))
		return 0;
	rc = room(l, fs_log_frame_size(KEYS_CHECKPOINT_MAX), mark);
	if (rc)
		return rc < 0 ? rc : 0;
	s = make(l, mark);
	size = s ? fs_log_frame_size(s->len) : 0;
	if (s)
		run = fs_log_run_add(l, l->fd, l->end);
	if (!run || !fs_log_run_reserve(run, size)) {
		free(s);
		return -ENOMEM;
	}
	run->sealed = s;
	memset(run->p, 0, size);
	fs_log_frame_encode(FS_LOG_CHECKPOINT, l->next_seq, s->len, run->p);
	memcpy(run->p + FS_LOG_FRAME, s->text, s->len);
	run->len = size;
	l->queued += size;
	l->end += size;
	l->sealed = s->tree.size;
	return 0;
}

/*
 * Who asked for the vault's head may come after one who asked later: what a checkpoint says of it
 * never goes back. With the lock.
 */
static void vault_root(struct fs_log *l, uint64_t commit, const uint8_t root[static KEYS_LEN])
{
	if (commit < l->commit)
		return;
	l->commit = commit;
	memcpy(l->root, root, sizeof(l->root));
}

int fs_log_checkpoint(struct fs_log *l, uint64_t commit, const uint8_t root[static KEYS_LEN],
		      enum keys_checkpoint_mark mark)
{
	int rc;

	pthread_mutex_lock(&l->lock);
	vault_root(l, commit, root);
	rc = fs_log_seal_put(l, mark);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

int fs_log_checkpoint_now(struct fs_log *l, uint64_t commit, const uint8_t root[static KEYS_LEN])
{
	int rc;

	pthread_mutex_lock(&l->lock);
	vault_root(l, commit, root);
	rc = fs_log_seal_put(l, KEYS_CHECKPOINT_RUNNING);
	while (!rc && (l->first || l->writing) &&
	       l->sealed > (l->newest ? l->newest->tree.size : 0)) {
		rc = l->failed;
		if (!rc && l->first && !l->writing)
			fs_log_write_batch(l);
		else if (!rc)
			pthread_cond_wait(&l->done, &l->lock);
	}
	if (!rc)
		rc = l->failed;
	pthread_mutex_unlock(&l->lock);
	return rc;
}

void fs_log_vault_root(struct fs_log *l, uint64_t commit, const uint8_t root[static KEYS_LEN])
{
	pthread_mutex_lock(&l->lock);
	vault_root(l, commit, root);
	pthread_mutex_unlock(&l->lock);
}

size_t fs_log_newest(struct fs_log *l, char out[static KEYS_CHECKPOINT_MAX])
{
	size_t len;

	pthread_mutex_lock(&l->lock);
	len = l->newest ? l->newest->len : 0;
	if (len)
		memcpy(out, l->newest->text, len + 1);
	else
		out[0] = '\0';
	pthread_mutex_unlock(&l->lock);
	return len;
}

void fs_log_seal_written(struct fs_log *l, bool introduces, struct fs_log_sealed *sealed)
{
	if (introduces)
		l->introducing = false;
	if (sealed) {
		free(l->newest);
		l->newest = sealed;
		l->last_wanted = true;
	}
	if (introduces || sealed)
		pthread_cond_signal(&l->want);
}
