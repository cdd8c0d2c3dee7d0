/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_age.c - how old segments are, what a statement about them says, and their removal.
 *
 * Invariants: (1) what is planned ends where a tree frame by this vault's root begins; (2) only
 * segments that a statement in the file speaks of are removed. Locks nothing; safe beside a writer,
 * who never touches full segments.
 */
#include "log_age.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../keys/checkpoint.h"
#include "../keys/seal.h"
#include "log_segment.h"
#include "log_tree.h"

/* What a segment says in clear. */
struct looked {
	bool used;	   /* it is there and no spare */
	uint64_t newest_s; /* of its heads and checkpoints */
	size_t bytes;
	bool begins; /* a good head and a good tree frame stand at its beginning: */
	uint8_t before[KEYS_SIG_LEN]; /* signature of the head before its first */
	uint64_t first_s;	      /* time of its first head */
	struct fs_log_tree tree;
};

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void see_head(const struct fs_log_aging *q, uint64_t number, const struct fs_log_frame *f,
		     struct looked *k, bool *any_head)
{
	struct fs_log_head h;

	if (fs_log_head_decode(f->body, f->len, number, &h) ||
	    memcmp(h.vault, q->vault, sizeof(h.vault)))
		return;
	k->newest_s = later(k->newest_s, h.time_s);
	if (*any_head)
		return;
	*any_head = true;
	k->first_s = h.time_s;
	memcpy(k->before, h.prev, sizeof(k->before));
}

static void see_checkpoint(const struct fs_log_frame *f, struct looked *k)
{
	struct keys_signed_note n;
	struct keys_checkpoint c;

	/* Whoever signed it: a time that is a lie can only keep the segment here. */
	if (!keys_signed_note_parse((const char *)f->body, f->len, &n) &&
	    !keys_checkpoint_read(&n, &c))
		k->newest_s = later(k->newest_s, c.time_s);
}

static void see_frames(const struct fs_log_aging *q, uint64_t number, const uint8_t *p, size_t len,
		       const struct fs_log_header *header, struct looked *k)
{
	bool any_head = false, any_record = false;
	struct fs_log_frame f;
	struct fs_log_walk w;

	fs_log_walk_init(&w, header, p, len);
	while (fs_log_walk_next(&w, &f)) {
		any_record |= f.kind == FS_LOG_RECORD;
		if (f.kind == FS_LOG_STREAM)
			see_head(q, number, &f, k, &any_head);
		else if (f.kind == FS_LOG_CHECKPOINT)
			see_checkpoint(&f, k);
		else if (f.kind == FS_LOG_TREE && any_head && !any_record && !k->begins)
			k->begins =
				!fs_log_tree_decode(f.body, f.len, number, q->vault, &k->tree) &&
				keys_equal(k->tree.root_pk, q->root_pk, KEYS_LEN);
	}
}

/* -ENOENT: there is no such file. */
static int load(int dirfd, uint64_t number, uint8_t **p, size_t *len)
{
	char name[FS_LOG_NAME];
	int fd, rc;

	fs_log_segment_name(number, name);
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	rc = fs_log_segment_load(fd, p, len);
	close(fd);
	return rc;
}

static int look(const struct fs_log_aging *q, uint64_t number, struct looked *k)
{
	struct fs_log_header header;
	uint8_t *p = NULL;
	size_t len = 0;
	int rc = load(q->dirfd, number, &p, &len), header_rc;

	memset(k, 0, sizeof(*k));
	if (rc)
		return rc;
	header_rc = fs_log_header_decode(p, &header);
	if (!header_rc && header.number != number)
		header_rc = -EBADMSG;
	k->used = header_rc != -ENODATA;
	k->bytes = len;
	if (k->used)
		see_frames(q, number, p, len, header_rc ? NULL : &header, k);
	free(p);
	return 0;
}

static uint64_t first_left(const struct fs_log_archive *have)
{
	const struct fs_log_archived *end = fs_log_archive_end(have);

	return end ? end->last_segment + 1 : 1;
}

/* What is said of the segments up to `number`, by the one behind it. */
static void take(const struct fs_log_aging *q, uint64_t number, uint64_t newest_s,
		 const struct looked *behind, struct fs_log_archived *out)
{
	const struct fs_log_archived *end = fs_log_archive_end(q->have);

	memset(out, 0, sizeof(*out));
	out->number = end ? end->number + 1 : 1;
	if (end)
		memcpy(out->prev, end->hash, sizeof(out->prev));
	out->first_segment = first_left(q->have);
	out->last_segment = number;
	out->first_seq = end ? end->last_seq + 1 : 1;
	out->tree = behind->tree.tree;
	out->last_seq = out->tree.size;
	out->newest_s = newest_s;
	out->key_number = behind->tree.key_number - 1;
	memcpy(out->key_pk, behind->tree.before, sizeof(out->key_pk));
	memcpy(out->head_sig, behind->before, sizeof(out->head_sig));
}

int fs_log_age(const struct fs_log_aging *q, struct fs_log_archived *out, uint64_t *bytes,
	       uint64_t *seg)
{
	uint64_t number = first_left(q->have), newest_s = 0, sum = 0;
	struct looked k, behind;
	int rc = look(q, number, &k);
	bool any = false;

	if (rc && rc != -ENOENT && rc != -EBADMSG)
		return rc;
	for (size_t n = 0; !rc && k.used && n < FS_LOG_ARCHIVE_SEGMENTS; n++) {
		rc = look(q, number + 1, &behind);
		if (rc || !behind.used)
			break;
		newest_s = later(newest_s, later(k.newest_s, behind.first_s));
		if (newest_s >= q->before_s || (q->last && number > q->last))
			break;
		sum += k.bytes;
		if (behind.begins) {
			take(q, number, newest_s, &behind, out);
			if (bytes)
				*bytes = sum;
			any = true;
		}
		k = behind;
		number++;
	}
	*seg = number + (rc ? 1 : 0);
	if (any)
		return 0;
	return rc == -EBADMSG || rc == -ENOENT ? -ESTALE : rc ? rc : -ENOENT;
}

int fs_log_age_sums(int dirfd, const struct fs_log_archived *a, uint8_t **sums,
		    uint8_t digest[static KEYS_LEN])
{
	size_t n = fs_log_archived_segments(a);
	uint8_t *list = malloc(n * KEYS_LEN);
	struct keys_span all = {list, n * KEYS_LEN};
	int rc = list ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < n; i++) {
		struct keys_span file = {NULL, 0};
		uint8_t *p = NULL;

		rc = load(dirfd, a->first_segment + i, &p, &file.len);
		file.p = p;
		if (!rc)
			keys_sha256(&file, 1, list + i * KEYS_LEN);
		free(p);
	}
	if (rc) {
		free(list);
		return rc;
	}
	keys_sha256(&all, 1, digest);
	*sums = list;
	return 0;
}

static int sweep_one(int dirfd, uint64_t number, bool *removed)
{
	char name[FS_LOG_NAME];

	fs_log_segment_name(number, name);
	if (unlinkat(dirfd, name, 0)) {
		if (errno != ENOENT)
			return -errno;
	} else {
		*removed = true;
	}
	memcpy(name + 8, ".idx", 5);
	return unlinkat(dirfd, name, 0) && errno != ENOENT ? -errno : 0;
}

int fs_log_age_sweep(int dirfd, const struct fs_log_archive *have, size_t *removed)
{
	const struct fs_log_archived *end = fs_log_archive_end(have);
	uint64_t *list = NULL;
	size_t n = 0;
	int rc = fs_log_segment_list(dirfd, &list, &n);

	*removed = 0;
	for (size_t i = 0; !rc && i < n && end && list[i] <= end->last_segment; i++) {
		bool gone = false;

		rc = sweep_one(dirfd, list[i], &gone);
		*removed += gone;
	}
	if (!rc && *removed && fsync(dirfd))
		rc = -errno;
	free(list);
	return rc;
}
