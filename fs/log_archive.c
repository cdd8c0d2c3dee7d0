/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_archive.c - statements about segments that were taken out of the log: bytes, signatures,
 * chain.
 *
 * Owns the file VAULT/log/archive. Implements fs/FORMAT.md, "Log", "Archived segments". Invariants:
 * (1) what is read out of the file was signed by a daemon that one root certified, and by the key
 * that it names; (2) statements follow one another without a gap in numbers, segments and records;
 * (3) the file changes as a whole or not at all. Locks nothing.
 */
#include "log_archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../keys/bytes.h"
#include "log_segment.h"
#include "state_file.h"

#define VERSION 1
#define FIXED 416 /* before the texts */

/* ---- bytes ---- */

static void put_fixed(struct bytes_out *b, const struct fs_log_archived *a, const uint8_t *vault,
		      size_t len)
{
	bytes_put_u16(b, VERSION);
	bytes_put_u16(b, (uint16_t)a->what);
	bytes_put_u32(b, (uint32_t)len);
	bytes_put(b, vault, KEYS_VAULT_ID_LEN);
	bytes_put_u64(b, a->number);
	bytes_put(b, a->prev, sizeof(a->prev));
	bytes_put_u64(b, a->first_segment);
	bytes_put_u64(b, a->last_segment);
	bytes_put_u64(b, a->first_seq);
	bytes_put_u64(b, a->last_seq);
	bytes_put_u64(b, a->time_s);
	bytes_put_u64(b, a->newest_s);
	bytes_put_u32(b, a->keep_years);
	bytes_put_u32(b, a->by.pid);
	bytes_put_u32(b, a->by.enrolment);
	bytes_put_u32(b, a->agreed.pid);
	bytes_put_u32(b, a->agreed.enrolment);
	bytes_put_u32(b, a->tree.count);
	bytes_put_u64(b, a->key_number);
	bytes_put(b, a->key_pk, sizeof(a->key_pk));
	bytes_put(b, a->head_sig, sizeof(a->head_sig));
	bytes_put(b, a->by_pk, sizeof(a->by_pk));
	bytes_put(b, a->daemon_pk, sizeof(a->daemon_pk));
	bytes_put(b, a->root_pk, sizeof(a->root_pk));
	bytes_put(b, a->cert, sizeof(a->cert));
	bytes_put_zero(b, FIXED - b->len);
}

/* false: no statement of ours. vault is what must be said, NULL: whatever is. */
static bool get_fixed(struct bytes_in *in, const uint8_t *vault, struct fs_log_archived *a,
		      unsigned *count)
{
	uint8_t id[KEYS_VAULT_ID_LEN];
	uint16_t version = bytes_get_u16(in);

	a->what = bytes_get_u16(in);
	(void)bytes_get_u32(in);
	bytes_get(in, id, sizeof(id));
	a->number = bytes_get_u64(in);
	bytes_get(in, a->prev, sizeof(a->prev));
	a->first_segment = bytes_get_u64(in);
	a->last_segment = bytes_get_u64(in);
	a->first_seq = bytes_get_u64(in);
	a->last_seq = bytes_get_u64(in);
	a->time_s = bytes_get_u64(in);
	a->newest_s = bytes_get_u64(in);
	a->keep_years = bytes_get_u32(in);
	a->by.pid = bytes_get_u32(in);
	a->by.enrolment = bytes_get_u32(in);
	a->agreed.pid = bytes_get_u32(in);
	a->agreed.enrolment = bytes_get_u32(in);
	*count = bytes_get_u32(in);
	a->key_number = bytes_get_u64(in);
	bytes_get(in, a->key_pk, sizeof(a->key_pk));
	bytes_get(in, a->head_sig, sizeof(a->head_sig));
	bytes_get(in, a->by_pk, sizeof(a->by_pk));
	bytes_get(in, a->daemon_pk, sizeof(a->daemon_pk));
	bytes_get(in, a->root_pk, sizeof(a->root_pk));
	bytes_get(in, a->cert, sizeof(a->cert));
	bytes_get_zero(in, in->bad ? 0 : FIXED - in->off);
	return !in->bad && version == VERSION &&
	       (a->what == FS_LOG_ARCHIVE_KEPT || a->what == FS_LOG_ARCHIVE_REMOVED) &&
	       (!vault || keys_equal(id, vault, sizeof(id)));
}

/* Numbers that can be true, whatever the bytes say. */
static bool sane(const struct fs_log_archived *a)
{
	return a->number && a->first_segment && a->last_segment >= a->first_segment &&
	       a->last_segment <= FS_LOG_NUMBER_MAX &&
	       a->last_segment - a->first_segment < FS_LOG_ARCHIVE_SEGMENTS && a->first_seq &&
	       a->last_seq <= FS_LOG_SEQ_MAX && a->last_seq >= a->first_seq - 1 && a->by.pid &&
	       a->by.who[0] && !a->agreed.pid == !a->agreed.who[0] && a->tree.size == a->last_seq;
}

/* ---- signatures ---- */

static void sign(struct bytes_out *b, const uint8_t *sk)
{
	const struct keys_span part = {b->p, b->len};
	uint8_t sig[KEYS_SIG_LEN];

	keys_label_sign(KEYS_LABEL_LOG_ARCHIVE, sk, &part, 1, sig);
	bytes_put(b, sig, sizeof(sig));
}

static int check_sig(const uint8_t *p, size_t len, const uint8_t *pk)
{
	const struct keys_span part = {p, len};

	return keys_label_verify(KEYS_LABEL_LOG_ARCHIVE, pk, &part, 1, p + len);
}

static int check_sigs(const struct fs_log_archived *a, const uint8_t *vault, const uint8_t *p,
		      size_t len)
{
	const struct keys_span parts[] = {
		{vault, KEYS_VAULT_ID_LEN},
		{a->daemon_pk, sizeof(a->daemon_pk)},
	};
	int rc = keys_label_verify(KEYS_LABEL_DAEMON_CERT, a->root_pk, parts, 2, a->cert);

	if (!rc)
		rc = check_sig(p, len - KEYS_SIG_LEN, a->daemon_pk);
	if (!rc)
		rc = check_sig(p, len - 2 * KEYS_SIG_LEN, a->by_pk);
	return rc ? -EBADMSG : 0;
}

static void hash_of(const uint8_t *p, size_t len, uint8_t out[static KEYS_LEN])
{
	const struct keys_span part = {p, len};

	keys_label_hash(KEYS_LABEL_LOG_ARCHIVE, &part, 1, out, KEYS_LEN);
}

/* ---- one statement ---- */

int fs_log_archive_make(const struct fs_log_archived *a,
			const uint8_t vault[static KEYS_VAULT_ID_LEN],
			const uint8_t by_sk[static KEYS_SIGN_SK_LEN],
			const uint8_t daemon_sk[static KEYS_SIGN_SK_LEN], uint8_t **out,
			size_t *len)
{
	size_t n, full;
	struct bytes_out b;

	if (!sane(a))
		return -EINVAL;
	n = fs_log_archived_segments(a);
	full = FIXED + 4 + strlen(a->by.who) + strlen(a->agreed.who) +
	       (a->tree.count + n) * KEYS_LEN + 2 * (size_t)KEYS_SIG_LEN;
	*out = malloc(full);
	if (!*out)
		return -ENOMEM;
	b = bytes_out(*out, full);
	put_fixed(&b, a, vault, full);
	bytes_put_text(&b, a->by.who);
	bytes_put_text(&b, a->agreed.who);
	bytes_put(&b, a->tree.hash, a->tree.count * sizeof(a->tree.hash[0]));
	bytes_put(&b, a->sha256, n * KEYS_LEN);
	sign(&b, by_sk);
	sign(&b, daemon_sk);
	if (b.bad || b.len != full) {
		free(*out);
		*out = NULL;
		return -EINVAL;
	}
	*len = full;
	return 0;
}

/* p holds exactly this statement. */
static int decode(const uint8_t *p, size_t len, const uint8_t *vault, struct fs_log_archived *a)
{
	struct bytes_in in = bytes_in(p, len);
	const uint8_t *hashes;
	unsigned count;

	if (!get_fixed(&in, vault, a, &count) || count > KEYS_TREE_LEVELS)
		return -EBADMSG;
	bytes_get_text(&in, a->by.who, sizeof(a->by.who));
	bytes_get_text(&in, a->agreed.who, sizeof(a->agreed.who));
	hashes = bytes_take(&in, count * (size_t)KEYS_LEN);
	if (in.bad || keys_tree_load(&a->tree, a->last_seq, hashes, count) || !sane(a))
		return -EBADMSG;
	a->sha256 = bytes_take(&in, fs_log_archived_segments(a) * KEYS_LEN);
	(void)bytes_take(&in, 2 * (size_t)KEYS_SIG_LEN);
	if (!bytes_in_done(&in))
		return -EBADMSG;
	hash_of(p, len, a->hash);
	return check_sigs(a, p + 8, p, len);
}

/* ---- the file ---- */

static bool follows(const struct fs_log_archived *a, const struct fs_log_archived *before)
{
	static const uint8_t none[KEYS_LEN];

	if (!before)
		return a->number == 1 && a->first_segment == 1 && a->first_seq == 1 &&
		       keys_equal(a->prev, none, sizeof(none));
	return a->number == before->number + 1 && a->first_segment == before->last_segment + 1 &&
	       a->first_seq == before->last_seq + 1 &&
	       keys_equal(a->prev, before->hash, sizeof(a->prev)) &&
	       keys_equal(a->root_pk, before->root_pk, sizeof(a->root_pk));
}

static int add(struct fs_log_archive *out, const uint8_t *p, size_t len, const uint8_t *vault)
{
	struct fs_log_archived *more = reallocarray(out->statement, out->n + 1, sizeof(*more));
	struct fs_log_archived *a;
	int rc;

	if (!more)
		return -ENOMEM;
	out->statement = more;
	a = &more[out->n];
	memset(a, 0, sizeof(*a));
	rc = decode(p, len, vault, a);
	if (!rc && !follows(a, out->n ? a - 1 : NULL))
		rc = -EBADMSG;
	out->n += !rc;
	return rc;
}

int fs_log_archive_read(const uint8_t *p, size_t len, const uint8_t *vault,
			struct fs_log_archive *out)
{
	struct fs_log_archive a = {.len = len};
	size_t off = 0;
	int rc = 0;

	if (!len || len > FS_LOG_ARCHIVE_BYTES)
		return -EBADMSG;
	a.bytes = malloc(len);
	if (!a.bytes)
		return -ENOMEM;
	memcpy(a.bytes, p, len);
	while (!rc && off < len) {
		struct bytes_in in = bytes_in(a.bytes + off, len - off);
		size_t size;

		(void)bytes_get_u32(&in);
		size = bytes_get_u32(&in);
		rc = in.bad || size > len - off || size < FIXED
			     ? -EBADMSG
			     : add(&a, a.bytes + off, size, vault ? vault : a.bytes + 8);
		off += size;
	}
	if (rc)
		fs_log_archive_clear(&a);
	else
		*out = a;
	return rc;
}

int fs_log_archive_load(int dirfd, const uint8_t *vault, struct fs_log_archive *out)
{
	int fd = openat(dirfd, FS_LOG_ARCHIVE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t *p = NULL;
	struct stat st;
	int rc;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	rc = fstat(fd, &st) ? -errno : 0;
	if (!rc && (st.st_size < FIXED || st.st_size > FS_LOG_ARCHIVE_BYTES))
		rc = -EBADMSG;
	if (!rc) {
		p = malloc((size_t)st.st_size);
		rc = p ? fs_state_read_fd(fd, p, (size_t)st.st_size) : -ENOMEM;
	}
	if (!rc)
		rc = fs_log_archive_read(p, (size_t)st.st_size, vault, out);
	free(p);
	close(fd);
	return rc;
}

void fs_log_archive_clear(struct fs_log_archive *a)
{
	free(a->statement);
	free(a->bytes);
	memset(a, 0, sizeof(*a));
}

const struct fs_log_archived *fs_log_archive_segment(const struct fs_log_archive *a,
						     uint64_t number)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct fs_log_archived *s = &a->statement[i];

		if (number >= s->first_segment && number <= s->last_segment)
			return s;
	}
	return NULL;
}

const struct fs_log_archived *fs_log_archive_record(const struct fs_log_archive *a, uint64_t seq)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct fs_log_archived *s = &a->statement[i];

		if (seq >= s->first_seq && seq <= s->last_seq)
			return s;
	}
	return NULL;
}

const struct fs_log_archived *fs_log_archive_end(const struct fs_log_archive *a)
{
	return a->n ? &a->statement[a->n - 1] : NULL;
}

int fs_log_archive_append(int dirfd, const struct fs_log_archive *a, const uint8_t *p, size_t len)
{
	uint8_t *all;
	int rc;

	if (len > FS_LOG_ARCHIVE_BYTES - a->len)
		return -EFBIG;
	all = malloc(a->len + len);
	if (!all)
		return -ENOMEM;
	if (a->len)
		memcpy(all, a->bytes, a->len);
	memcpy(all + a->len, p, len);
	rc = fs_state_put_file(dirfd, FS_LOG_ARCHIVE, all, a->len + len, 0600);
	free(all);
	return rc;
}
