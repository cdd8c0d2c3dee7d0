/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_verify_kept.c - checkpoints that somebody kept elsewhere, against this log.
 *
 * The log is hashed anyway: the root at a kept checkpoint's size needs no proof. Another root at
 * the same size is another history, whoever signed what; a log that does not reach that far was
 * rolled back; and so was the vault, where a later checkpoint of the log speaks of an earlier
 * commit.
 */
#include "log_verify_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
	const struct fs_log_kept *x = a, *y = b;

	return x->c.size < y->c.size ? -1 : x->c.size > y->c.size;
}

static void read_one(struct fs_log_judge *j, struct fs_log_kept *k)
{
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_FOREIGN, 0, 0, 0);
	struct keys_signed_note note;

	k->rc = keys_signed_note_parse(k->text, strlen(k->text), &note);
	if (!k->rc)
		k->rc = keys_checkpoint_read(&note, &k->c);
	if (k->rc)
		fs_log_found_add(&j->found, &f, "kept checkpoint %zu is no checkpoint of journalfs",
				 k->index + 1);
	else if (memcmp(k->c.vault, j->out->vault, KEYS_VAULT_ID_LEN)) {
		k->rc = -EBADMSG;
		fs_log_found_add(&j->found, &f, "kept checkpoint %zu is of another vault",
				 k->index + 1);
	}
	if (k->rc)
		k->c.size = 0;
}

int fs_log_kept_read(struct fs_log_judge *j)
{
	size_t n = j->q->kept_count;

	if (!n)
		return 0;
	j->kept = calloc(n, sizeof(*j->kept));
	if (!j->kept)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		j->kept[i].index = i;
		j->kept[i].text = j->q->kept[i];
		read_one(j, &j->kept[i]);
	}
	j->kept_count = n;
	qsort(j->kept, n, sizeof(*j->kept), by_size);
	return 0;
}

int fs_log_kept_sizes(const struct fs_log_judge *j, uint64_t **sizes, size_t *n)
{
	uint64_t *list = calloc(j->kept_count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	*n = 0;
	for (size_t i = 0; i < j->kept_count; i++) {
		if (j->kept[i].c.size && (!*n || list[*n - 1] != j->kept[i].c.size))
			list[(*n)++] = j->kept[i].c.size;
	}
	*sizes = list;
	return 0;
}

void fs_log_kept_root(struct fs_log_judge *j, uint64_t size, const uint8_t root[static KEYS_LEN])
{
	for (size_t i = 0; i < j->kept_count; i++) {
		if (j->kept[i].c.size != size)
			continue;
		j->kept[i].rooted = true;
		memcpy(j->kept[i].root, root, KEYS_LEN);
	}
}

void fs_log_kept_beside(struct fs_log_judge *j, const struct keys_checkpoint *c, uint64_t segment)
{
	for (size_t i = 0; i < j->kept_count; i++) {
		const struct keys_checkpoint *k = &j->kept[i].c;
		struct fs_log_finding f =
			fs_log_judge_at(j, FS_LOG_ROLLED_BACK, c->size, c->size, segment);

		/* What was replaced knowingly, after it was kept, was said. */
		if (j->kept[i].rc || c->size < k->size || k->size <= j->restored)
			continue;
		if (c->commit < k->commit) {
			fs_log_found_add(&j->found, &f,
					 "the vault was at commit %" PRIu64
					 " when the checkpoint over %" PRIu64
					 " records was kept, and is at %" PRIu64
					 " behind record %" PRIu64
					 ": an older copy of it was put in place",
					 k->commit, k->size, c->commit, c->size);
			j->kept[i].rc = 1; /* said once */
		} else if (c->commit == k->commit &&
			   memcmp(c->vault_root, k->vault_root, KEYS_LEN)) {
			f.kind = FS_LOG_FORKED;
			fs_log_found_add(&j->found, &f,
					 "the vault at commit %" PRIu64
					 " is not the one that the kept checkpoint over %" PRIu64
					 " records speaks of",
					 k->commit, k->size);
			j->kept[i].rc = 1;
		}
	}
}

/* By a key that this log knows, at whatever place. */
static bool known_signer(const struct fs_log_judge *j, const struct fs_log_kept *k)
{
	struct keys_signed_note note;

	if (keys_signed_note_parse(k->text, strlen(k->text), &note))
		return false;
	if (j->key_count && !keys_checkpoint_verify(&note, j->out->vault, j->witness_pk, true))
		return true;
	for (size_t i = 0; i < j->key_count; i++) {
		if (!keys_checkpoint_verify(&note, j->out->vault, j->keys[i].pk, false))
			return true;
	}
	return false;
}

/* Whether something that was found explains that the trees differ at this size. */
static bool explained(const struct fs_log_judge *j, uint64_t size)
{
	for (size_t i = 0; i < j->found.n; i++) {
		const struct fs_log_finding *f = &j->found.list[i].f;

		if (f->kind <= FS_LOG_TRUNCATED && f->seq <= size)
			return true;
	}
	return false;
}

static void end_one(struct fs_log_judge *j, const struct fs_log_kept *k)
{
	struct fs_log_finding f = fs_log_judge_at(j, FS_LOG_FORKED, k->c.size, 0, 0);

	f.time_s = (int64_t)k->c.time_s;
	if (k->c.size >= j->expect) {
		f.kind = FS_LOG_ROLLED_BACK;
		f.seq = j->expect;
		f.last = k->c.size;
		fs_log_found_add(&j->found, &f,
				 "a kept checkpoint covers %" PRIu64
				 " records, and the log ends at %" PRIu64
				 ": it was cut off, or an older copy was put in place",
				 k->c.size, j->expect - 1);
	} else if (k->rooted && memcmp(k->root, k->c.root, KEYS_LEN) && !explained(j, k->c.size)) {
		f.seq = 1;
		f.last = k->c.size;
		fs_log_found_add(&j->found, &f,
				 "the first %" PRIu64
				 " records are not those of the kept checkpoint: another history",
				 k->c.size);
	} else if (k->c.size < j->archived) {
		f.kind = FS_LOG_ARCHIVED;
		fs_log_found_add(&j->found, &f,
				 "a kept checkpoint over %" PRIu64
				 " records can't be compared: what it covers was archived",
				 k->c.size);
	} else if (j->key_count && !known_signer(j, k)) {
		f.kind = FS_LOG_FOREIGN;
		fs_log_found_add(&j->found, &f,
				 "the kept checkpoint over %" PRIu64
				 " records is signed with no key of this log",
				 k->c.size);
	}
}

void fs_log_kept_end(struct fs_log_judge *j)
{
	for (size_t i = 0; i < j->kept_count; i++) {
		if (j->kept[i].rc >= 0)
			end_one(j, &j->kept[i]);
	}
}
