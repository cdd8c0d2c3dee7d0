/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/root.c - root records: what a tag tree hangs from.
 *
 * A journal's root is signed by the session of its last writer, so that somebody
 * who may only read cannot forge; the vault's is MACed under the host secret.
 * Both are stored in clear, form byte first. Format: fs/FORMAT.md, "Root records".
 */
#include <assert.h>
#include <errno.h>

#include "../keys/bytes.h"
#include "record_impl.h"

#define FORMAT 2
#define TREE_LEN 42 /* format, height, node, next, hash */
#define JOURNAL_BODY (TREE_LEN + 40)
#define JOURNAL_RAW (1 + JOURNAL_BODY + KEYS_SIG_LEN)
#define VAULT_BODY (TREE_LEN + 8)
#define VAULT_RAW (1 + VAULT_BODY + KEYS_LEN)

struct fs_key fs_root_key(uint32_t journal)
{
	return fs_key(journal, 0, journal ? FS_T_ROOT : FS_T_VAULT_ROOT);
}

static void put_tree(struct bytes_out *out, const struct fs_tagtree_root *tree)
{
	bytes_put_u8(out, 0); /* form: clear */
	bytes_put_u8(out, FORMAT);
	bytes_put_u8(out, tree->height);
	bytes_put_u32(out, tree->node);
	bytes_put_u32(out, tree->next);
	bytes_put(out, tree->hash, KEYS_LEN);
}

/* False: not a tree of this format. */
static bool get_tree(struct bytes_in *in, uint32_t journal, struct fs_tagtree_root *tree)
{
	uint8_t form = bytes_get_u8(in), format = bytes_get_u8(in);

	tree->journal = journal;
	tree->height = bytes_get_u8(in);
	tree->node = bytes_get_u32(in);
	tree->next = bytes_get_u32(in);
	bytes_get(in, tree->hash, KEYS_LEN);
	return !in->bad && form == 0 && format == FORMAT && !tree->node == !tree->height;
}

int fs_root_decode(uint32_t journal, const uint8_t *raw, size_t len, struct fs_root *out)
{
	struct bytes_in in = bytes_in(raw, len);
	struct fs_root root = {.len = len};

	if (len != JOURNAL_RAW || !get_tree(&in, journal, &root.tree))
		return -EBADMSG;
	root.info.commit = bytes_get_u64(&in);
	root.info.generation = bytes_get_u32(&in);
	root.info.policy_version = bytes_get_u32(&in);
	bytes_get(&in, root.info.session, KEYS_SESSION_ID_LEN);
	root.info.pid = bytes_get_u32(&in);
	root.info.enrolment = bytes_get_u32(&in);
	bytes_take(&in, KEYS_SIG_LEN);
	if (!bytes_in_done(&in))
		return -EBADMSG;
	memcpy(root.raw, raw, len);
	*out = root;
	return 0;
}

/* What is signed: vault, journal, everything before the signature. */
struct signed_parts {
	uint8_t journal[4];
	struct keys_span parts[3];
};

static void journal_parts(const uint8_t vault[static KEYS_VAULT_ID_LEN], const struct fs_root *root,
			  struct signed_parts *p)
{
	struct bytes_out out = bytes_out(p->journal, sizeof(p->journal));

	bytes_put_u32(&out, root->tree.journal);
	p->parts[0] = (struct keys_span){vault, KEYS_VAULT_ID_LEN};
	p->parts[1] = (struct keys_span){p->journal, sizeof(p->journal)};
	p->parts[2] = (struct keys_span){root->raw + 1, JOURNAL_BODY};
}

int fs_root_verify(const uint8_t vault[static KEYS_VAULT_ID_LEN], const struct fs_root *root,
		   const uint8_t pk[static KEYS_LEN])
{
	struct signed_parts p;

	journal_parts(vault, root, &p);
	return keys_label_verify(KEYS_LABEL_JOURNAL_ROOT, pk, p.parts, 3,
				 root->raw + 1 + JOURNAL_BODY);
}

void fs_root_sign(const uint8_t vault[static KEYS_VAULT_ID_LEN], struct fs_root *root,
		  const uint8_t sk[static KEYS_SIGN_SK_LEN])
{
	struct bytes_out out = bytes_out(root->raw, sizeof(root->raw));
	struct signed_parts p;
	uint8_t *sig;

	put_tree(&out, &root->tree);
	bytes_put_u64(&out, root->info.commit);
	bytes_put_u32(&out, root->info.generation);
	bytes_put_u32(&out, root->info.policy_version);
	bytes_put(&out, root->info.session, KEYS_SESSION_ID_LEN);
	bytes_put_u32(&out, root->info.pid);
	bytes_put_u32(&out, root->info.enrolment);
	sig = bytes_room(&out, KEYS_SIG_LEN);
	assert(sig && out.len == JOURNAL_RAW);
	root->len = out.len;
	journal_parts(vault, root, &p);
	keys_label_sign(KEYS_LABEL_JOURNAL_ROOT, sk, p.parts, 3, sig);
}

int fs_root_decode_vault(const uint8_t *raw, size_t len, struct fs_root *out)
{
	struct bytes_in in = bytes_in(raw, len);
	struct fs_root root = {.len = len};

	if (len != VAULT_RAW || !get_tree(&in, 0, &root.tree))
		return -EBADMSG;
	root.info.commit = bytes_get_u64(&in);
	bytes_take(&in, KEYS_LEN);
	if (!bytes_in_done(&in))
		return -EBADMSG;
	memcpy(root.raw, raw, len);
	*out = root;
	return 0;
}

static void vault_mac(const uint8_t vault[static KEYS_VAULT_ID_LEN], const struct fs_root *root,
		      const uint8_t mac_key[static KEYS_LEN], uint8_t mac[static KEYS_LEN])
{
	struct keys_span parts[] = {{vault, KEYS_VAULT_ID_LEN}, {root->raw + 1, VAULT_BODY}};

	keys_label_derive(KEYS_LABEL_VAULT_ROOT, mac_key, parts, 2, mac, KEYS_LEN);
}

int fs_root_check_mac(const uint8_t vault[static KEYS_VAULT_ID_LEN], const struct fs_root *root,
		      const uint8_t mac_key[static KEYS_LEN])
{
	uint8_t mac[KEYS_LEN];

	vault_mac(vault, root, mac_key, mac);
	return keys_equal(mac, root->raw + 1 + VAULT_BODY, KEYS_LEN) ? 0 : -EBADMSG;
}

void fs_root_mac(const uint8_t vault[static KEYS_VAULT_ID_LEN], struct fs_root *root,
		 const uint8_t mac_key[static KEYS_LEN])
{
	struct bytes_out out = bytes_out(root->raw, sizeof(root->raw));
	uint8_t *mac;

	put_tree(&out, &root->tree);
	bytes_put_u64(&out, root->info.commit);
	mac = bytes_room(&out, KEYS_LEN);
	assert(mac && out.len == VAULT_RAW);
	root->len = out.len;
	vault_mac(vault, root, mac_key, mac);
}

/* The MAC tells a state from every other of the same number. */
void fs_root_mark(const struct fs_root *root, struct fs_redo_mark *mark)
{
	_Static_assert(FS_REDO_ID == KEYS_LEN, "a mark holds a MAC");
	mark->number = root->info.commit;
	memcpy(mark->id, root->raw + 1 + VAULT_BODY, FS_REDO_ID);
}
