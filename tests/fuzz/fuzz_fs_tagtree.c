/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_tagtree.c - nodes of the tag tree, and whole hostile trees.
 *
 * Even first byte: one node. Odd: up to NODES nodes, each inner one made to name nodes before it
 * with their true hashes, as a writer of the journal could sign them; the last is the root. The
 * tree is read, changed, and read again; what it proved before, less the change, it must prove
 * after. The store is this file's own.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fs/tagtree_impl.h"
#include "keys/bytes.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES 24
#define STORE_MAX 256
#define RECORDS_MAX 4096
#define JOURNAL 3

struct fs_snap {
	struct {
		uint8_t *p;
		size_t len;
	} node[STORE_MAX];
};

static struct fs_snap store;
static struct fs_tagtree_cache *cache;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return keys_init();
}

int fs_store_get(struct fs_snap *snap, const struct fs_key *key, const uint8_t **val, size_t *len)
{
	uint64_t num = fs_key_sub(key, 4);

	if (num >= STORE_MAX || !snap->node[num].p)
		return -ENOENT;
	*val = snap->node[num].p;
	*len = snap->node[num].len;
	return 0;
}

static void store_put(uint64_t num, const uint8_t *p, size_t len)
{
	if (num >= STORE_MAX)
		abort();
	free(store.node[num].p);
	store.node[num].p = NULL;
	store.node[num].len = len;
	if (!p)
		return;
	store.node[num].p = malloc(len ? len : 1);
	if (!store.node[num].p)
		abort();
	memcpy(store.node[num].p, p, len);
}

static void store_clear(void)
{
	for (size_t i = 0; i < STORE_MAX; i++)
		store_put(i, NULL, 0);
}

/* What decodes encodes to a node that decodes to the same. */
static void node_round_trip(const uint8_t *p, size_t len)
{
	struct fs_tagtree_entry e[FS_TAGTREE_NODE_MAX / 10];
	uint8_t bytes[FS_TAGTREE_NODE_MAX];
	struct fs_tagtree_node *node, *again;
	size_t n;

	if (len > FS_TAGTREE_NODE_MAX || fs_tagtree_node_decode(JOURNAL, p, len, &node))
		return;
	if (node->n > sizeof(e) / sizeof(e[0]))
		abort();
	for (size_t i = 0; i < node->n; i++) {
		e[i].key = node->keys[i];
		memcpy(e[i].pay, node->pay + i * node->stride, node->stride);
		if (i && fs_key_cmp(&e[i - 1].key, &e[i].key) >= 0)
			abort();
	}
	n = fs_tagtree_node_encode(e, node->n, node->height, bytes);
	if (n > len || fs_tagtree_node_decode(JOURNAL, bytes, n, &again))
		abort();
	if (again->n != node->n || again->height != node->height ||
	    memcmp(again->keys, node->keys, node->n * sizeof(*node->keys)) ||
	    memcmp(again->pay, node->pay, node->n * node->stride))
		abort();
	free(node);
	free(again);
}

/* Makes the children of an inner node's bytes true: nodes before it, with their hashes. */
static void adopt(uint8_t *p, size_t len, uint32_t before)
{
	size_t off = FS_TAGTREE_NODE_HEAD;

	if (!len || p[0] < 2 || before < 2)
		return;
	while (off + 2 <= len) {
		size_t pay = off + 2 + p[off + 1];
		uint8_t hash[KEYS_LEN];
		struct bytes_out out;
		uint32_t num;

		if (pay + FS_TAGTREE_INNER_PAY > len)
			return;
		num = 1 + p[pay] % (before - 1);
		fs_tagtree_node_hash(JOURNAL, num, store.node[num].p, store.node[num].len, hash);
		out = bytes_out(p + pay, FS_TAGTREE_INNER_PAY);
		bytes_put_u32(&out, num);
		bytes_put(&out, hash, KEYS_LEN);
		off = pay + FS_TAGTREE_INNER_PAY;
	}
}

static bool tree_build(struct bytes_in *in, struct fs_tagtree_root *root)
{
	uint8_t bytes[FS_TAGTREE_NODE_MAX];
	uint32_t num = 1, nodes = bytes_get_u8(in) % NODES + 1;

	for (; num <= nodes && !in->bad; num++) {
		size_t len = bytes_get_u16(in) % FS_TAGTREE_NODE_MAX + 1;

		if (len > in->len - in->off)
			len = in->len - in->off;
		bytes_get(in, bytes, len);
		adopt(bytes, len, num);
		store_put(num, bytes, len);
	}
	if (num < 2)
		return false;
	*root = (struct fs_tagtree_root){.journal = JOURNAL, .node = num - 1, .next = num};
	root->height = store.node[num - 1].len ? store.node[num - 1].p[0] : 0;
	if (!root->height)
		root->node = 0;
	fs_tagtree_node_hash(JOURNAL, num - 1, store.node[num - 1].p, store.node[num - 1].len,
			     root->hash);
	return true;
}

struct records {
	struct fs_key key[RECORDS_MAX];
	uint8_t tag[RECORDS_MAX][FS_TAG_LEN];
	size_t n;
};

/* All records in order; false when the tree does not prove them all. */
static bool read_all(const struct fs_tagtree_root *root, struct records *r)
{
	struct fs_key from = {.len = 0};
	int rc = 0;

	for (r->n = 0; r->n < RECORDS_MAX; r->n++) {
		uint8_t tag[FS_TAG_LEN];

		rc = fs_tagtree_next(cache, &store, root, &from, &r->key[r->n], r->tag[r->n]);
		if (rc)
			break;
		if (fs_key_cmp(&r->key[r->n], &from) < 0)
			abort();
		if (fs_tagtree_get(cache, &store, root, &r->key[r->n], tag) ||
		    memcmp(tag, r->tag[r->n], FS_TAG_LEN))
			abort();
		from = r->key[r->n];
		if (from.len == FS_KEY_MAX) {
			unsigned i = FS_KEY_MAX;

			while (i && !++from.b[i - 1])
				i--;
			if (!i)
				return false;
		} else {
			from.b[from.len++] = 0;
		}
	}
	return rc == -ENOENT;
}

#define CHANGES 40

static size_t read_changes(struct bytes_in *in, const struct records *r,
			   struct fs_tagtree_change *chg)
{
	struct fs_tagtree_change all[CHANGES] = {{.del = false}};
	size_t n = 0, out = 0;

	for (; n < CHANGES && in->off < in->len; n++) {
		uint8_t how = bytes_get_u8(in);

		all[n].del = how & 1;
		if (r->n && how & 2)
			all[n].key = r->key[bytes_get_u16(in) % r->n];
		else
			all[n].key = fs_key_n(JOURNAL, bytes_get_u16(in), FS_T_DIRENT, how, 8);
		memset(all[n].tag, how, FS_TAG_LEN);
	}
	while (out < n) { /* sorted, no key twice */
		size_t least = n;

		for (size_t i = 0; i < n; i++) {
			if (out && fs_key_cmp(&all[i].key, &chg[out - 1].key) <= 0)
				continue;
			if (least == n || fs_key_cmp(&all[i].key, &all[least].key) < 0)
				least = i;
		}
		if (least == n)
			break;
		chg[out++] = all[least];
	}
	return out;
}

static void merge(const struct records *old, const struct fs_tagtree_change *chg, size_t n,
		  struct records *out)
{
	size_t i = 0, c = 0;

	out->n = 0;
	while (i < old->n || c < n) {
		int cmp = c == n ? -1 : i == old->n ? 1 : fs_key_cmp(&old->key[i], &chg[c].key);

		if (cmp < 0 || !chg[c].del) {
			out->key[out->n] = cmp < 0 ? old->key[i] : chg[c].key;
			memcpy(out->tag[out->n++], cmp < 0 ? old->tag[i] : chg[c].tag, FS_TAG_LEN);
		}
		if (cmp <= 0)
			i++;
		if (cmp >= 0)
			c++;
	}
}

static void tree(struct bytes_in *in)
{
	static struct records before, after, want;
	struct fs_tagtree_change chg[CHANGES];
	struct fs_tagtree_out out = {.n = 0};
	struct fs_tagtree_root root;
	bool whole;
	size_t n;

	if (!tree_build(in, &root))
		return;
	whole = read_all(&root, &before);
	n = read_changes(in, &before, chg);
	if (before.n > RECORDS_MAX - CHANGES)
		return;
	if (!fs_tagtree_update(cache, &store, &root, chg, n, &out)) {
		for (size_t i = 0; i < out.n; i++)
			store_put(fs_key_sub(&out.items[i].key, 4), out.items[i].val,
				  out.items[i].len);
		fs_tagtree_cache_drop(cache, JOURNAL);
		if (whole) {
			merge(&before, chg, n, &want);
			if (!read_all(&root, &after) || after.n != want.n ||
			    memcmp(after.tag, want.tag, want.n * FS_TAG_LEN))
				abort();
			for (size_t i = 0; i < want.n; i++) {
				if (fs_key_cmp(&after.key[i], &want.key[i]))
					abort();
			}
		}
	}
	fs_tagtree_out_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes_in in = bytes_in(data, size);

	if (!size)
		return 0;
	if (!(bytes_get_u8(&in) & 1)) {
		node_round_trip(data + 1, size - 1);
		return 0;
	}
	if (fs_tagtree_cache_new(1u << 20, &cache))
		abort();
	tree(&in);
	fs_tagtree_cache_free(cache);
	store_clear();
	return 0;
}
