/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/log_tree.c - tree frames: bytes, signatures, certificate.
 *
 * Owns the bytes of fs/FORMAT.md, "Log", "Tree frames". Invariants: (1) what is decoded was signed
 * by a daemon that the named root certified, for this segment; (2) a key that names one before it
 * was signed by that one. Waits for nothing, locks nothing.
 */
#include "log_tree.h"

#include <assert.h>
#include <errno.h>

#include "../keys/bytes.h"

#define VERSION 1
#define FLAGS FS_LOG_TREE_LOST

/* What a signature here covers: the number of the segment and all bytes before it. */
struct signed_parts {
	uint8_t place[8];
	struct keys_span span[2];
};

static void signed_parts(struct signed_parts *s, uint64_t segment, const uint8_t *p, size_t len)
{
	struct bytes_out b = bytes_out(s->place, sizeof(s->place));

	bytes_put_u64(&b, segment);
	s->span[0] = (struct keys_span){s->place, sizeof(s->place)};
	s->span[1] = (struct keys_span){p, len};
}

static void sign(struct bytes_out *b, uint64_t segment, const uint8_t *sk)
{
	struct signed_parts parts;
	uint8_t sig[KEYS_SIG_LEN];

	signed_parts(&parts, segment, b->p, b->len);
	keys_label_sign(KEYS_LABEL_LOG_KEY, sk, parts.span, 2, sig);
	bytes_put(b, sig, sizeof(sig));
}

static bool nothing(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return !any;
}

size_t fs_log_tree_make(const struct fs_log_tree *t, uint64_t segment, const uint8_t *sk_before,
			const uint8_t daemon_sk[static KEYS_SIGN_SK_LEN],
			uint8_t out[static FS_LOG_TREE_MAX])
{
	struct bytes_out b = bytes_out(out, FS_LOG_TREE_MAX);

	assert(!sk_before == nothing(t->before, sizeof(t->before)));
	bytes_put_u16(&b, VERSION);
	bytes_put_u16(&b, (uint16_t)t->flags);
	bytes_put_zero(&b, 4);
	bytes_put_u64(&b, t->tree.size);
	bytes_put_u64(&b, t->key_number);
	bytes_put(&b, t->pk, sizeof(t->pk));
	bytes_put(&b, t->before, sizeof(t->before));
	bytes_put(&b, t->daemon_pk, sizeof(t->daemon_pk));
	bytes_put(&b, t->witness_pk, sizeof(t->witness_pk));
	bytes_put(&b, t->root_pk, sizeof(t->root_pk));
	bytes_put(&b, t->cert, sizeof(t->cert));
	bytes_put_u64(&b, t->tree.count);
	assert(b.len <= FS_LOG_TREE_FIXED);
	bytes_put_zero(&b, FS_LOG_TREE_FIXED - b.len);
	bytes_put(&b, t->tree.hash, t->tree.count * sizeof(t->tree.hash[0]));
	if (sk_before)
		sign(&b, segment, sk_before);
	else
		bytes_put_zero(&b, KEYS_SIG_LEN);
	sign(&b, segment, daemon_sk);
	assert(!b.bad);
	return b.len;
}

static int check_sig(const uint8_t *p, size_t len, uint64_t segment, const uint8_t *pk)
{
	struct signed_parts parts;

	signed_parts(&parts, segment, p, len);
	return keys_label_verify(KEYS_LABEL_LOG_KEY, pk, parts.span, 2, p + len);
}

/* The daemon's certificate, as keys_daemon_certify makes it. */
static int check_cert(const struct fs_log_tree *t, const uint8_t *vault)
{
	const struct keys_span parts[] = {
		{vault, KEYS_VAULT_ID_LEN},
		{t->daemon_pk, sizeof(t->daemon_pk)},
	};

	return keys_label_verify(KEYS_LABEL_DAEMON_CERT, t->root_pk, parts, 2, t->cert);
}

static int check_sigs(const struct fs_log_tree *t, const uint8_t *p, size_t len, uint64_t segment,
		      const uint8_t *vault)
{
	size_t body = len - 2 * KEYS_SIG_LEN;
	int rc = check_cert(t, vault);

	if (!rc)
		rc = check_sig(p, len - KEYS_SIG_LEN, segment, t->daemon_pk);
	if (!rc && nothing(t->before, sizeof(t->before)))
		rc = nothing(p + body, KEYS_SIG_LEN) ? 0 : -EBADMSG;
	else if (!rc)
		rc = check_sig(p, body, segment, t->before);
	return rc ? -EBADMSG : 0;
}

int fs_log_tree_decode(const uint8_t *p, size_t len, uint64_t segment, const uint8_t *vault,
		       struct fs_log_tree *out)
{
	struct bytes_in in = bytes_in(p, len);
	uint16_t version = bytes_get_u16(&in);
	struct fs_log_tree t = {.flags = bytes_get_u16(&in)};
	uint64_t size, count;
	const uint8_t *hashes;

	bytes_get_zero(&in, 4);
	size = bytes_get_u64(&in);
	t.key_number = bytes_get_u64(&in);
	bytes_get(&in, t.pk, sizeof(t.pk));
	bytes_get(&in, t.before, sizeof(t.before));
	bytes_get(&in, t.daemon_pk, sizeof(t.daemon_pk));
	bytes_get(&in, t.witness_pk, sizeof(t.witness_pk));
	bytes_get(&in, t.root_pk, sizeof(t.root_pk));
	bytes_get(&in, t.cert, sizeof(t.cert));
	count = bytes_get_u64(&in);
	bytes_get_zero(&in, FS_LOG_TREE_FIXED - (in.off < FS_LOG_TREE_FIXED ? in.off : 0));
	if (in.bad || count > KEYS_TREE_LEVELS)
		return -EBADMSG;
	hashes = bytes_take(&in, count * KEYS_LEN);
	(void)bytes_take(&in, 2 * (size_t)KEYS_SIG_LEN);
	if (!bytes_in_done(&in) || version != VERSION || (t.flags & ~FLAGS) || !t.key_number ||
	    keys_tree_load(&t.tree, size, hashes, (unsigned)count))
		return -EBADMSG;
	/* A lost key has nobody before it; nobody before it without a loss: the first. */
	if ((t.flags & FS_LOG_TREE_LOST) && !nothing(t.before, sizeof(t.before)))
		return -EBADMSG;
	if (check_sigs(&t, p, len, segment, vault))
		return -EBADMSG;
	*out = t;
	return 0;
}
