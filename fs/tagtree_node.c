/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tagtree_node.c - nodes of the tag tree: their bytes, their hash, their cache.
 *
 * A node met in the database is hostile until its hash equals the one that its
 * parent (or the signed root) holds; even then order, uniqueness and key range
 * are checked, because a writer of the journal could have signed nonsense.
 * The cache is keyed by (journal, node, hash), so that an entry can never be
 * stale; the oldest unused go first. Of a node it keeps two versions at most, the
 * current one and the one that the next commit brings. Format: fs/FORMAT.md, "Tag tree".
 *
 * Locks: the cache's mutex covers its table, its list and all reference counts.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "../keys/bytes.h"
#include "tagtree_impl.h"

#define BUCKET_BITS 12
#define BUCKETS (1u << BUCKET_BITS)
#define KEY_MIN 10 /* journal, inode, table */

struct fs_tagtree_cache {
	pthread_mutex_t lock;
	size_t max_bytes, bytes;
	struct fs_tagtree_node *newest, *oldest;
	struct fs_tagtree_node *bucket[BUCKETS];
};

int fs_tagtree_cache_new(size_t max_bytes, struct fs_tagtree_cache **out)
{
	struct fs_tagtree_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	c->max_bytes = max_bytes;
	*out = c;
	return 0;
}

static unsigned bucket_of(uint32_t journal, uint32_t num)
{
	return ((journal * 2654435761u ^ num) * 2246822519u) >> (32 - BUCKET_BITS);
}

static void unlink_lru(struct fs_tagtree_cache *c, struct fs_tagtree_node *node)
{
	if (node->newer)
		node->newer->older = node->older;
	else
		c->newest = node->older;
	if (node->older)
		node->older->newer = node->newer;
	else
		c->oldest = node->newer;
	node->newer = node->older = NULL;
}

static void link_newest(struct fs_tagtree_cache *c, struct fs_tagtree_node *node)
{
	node->older = c->newest;
	node->newer = NULL;
	if (c->newest)
		c->newest->newer = node;
	else
		c->oldest = node;
	c->newest = node;
}

static void unref(struct fs_tagtree_node *node)
{
	if (--node->refs == 0)
		free(node);
}

static void evict(struct fs_tagtree_cache *c, struct fs_tagtree_node *node)
{
	struct fs_tagtree_node **at = &c->bucket[bucket_of(node->journal, node->num)];

	while (*at != node)
		at = &(*at)->chain;
	*at = node->chain;
	unlink_lru(c, node);
	c->bytes -= node->bytes;
	unref(node);
}

void fs_tagtree_cache_drop(struct fs_tagtree_cache *c, uint32_t journal)
{
	struct fs_tagtree_node *node, *older;

	pthread_mutex_lock(&c->lock);
	for (node = c->oldest; node; node = older) {
		older = node->newer;
		if (node->journal == journal)
			evict(c, node);
	}
	pthread_mutex_unlock(&c->lock);
}

void fs_tagtree_cache_free(struct fs_tagtree_cache *c)
{
	if (!c)
		return;
	while (c->oldest)
		evict(c, c->oldest);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* Under the mutex. A reference for the caller, or NULL. */
static struct fs_tagtree_node *find(struct fs_tagtree_cache *c, uint32_t journal, uint32_t num,
				    const uint8_t hash[static KEYS_LEN])
{
	struct fs_tagtree_node *node = c->bucket[bucket_of(journal, num)];

	while (node &&
	       (node->journal != journal || node->num != num || memcmp(node->hash, hash, KEYS_LEN)))
		node = node->chain;
	if (!node)
		return NULL;
	node->refs++;
	if (c->newest != node) {
		unlink_lru(c, node);
		link_newest(c, node);
	}
	return node;
}

/* Under the mutex. Of the versions of a node, the one that came last stays. */
static void drop_older(struct fs_tagtree_cache *c, uint32_t journal, uint32_t num)
{
	struct fs_tagtree_node *node = c->bucket[bucket_of(journal, num)], *next;
	bool last = true;

	for (; node; node = next) {
		next = node->chain;
		if (node->journal != journal || node->num != num)
			continue;
		if (!last)
			evict(c, node);
		last = false;
	}
}

/* Under the mutex. The cache takes a reference of its own. */
static void insert(struct fs_tagtree_cache *c, struct fs_tagtree_node *node)
{
	unsigned b = bucket_of(node->journal, node->num);
	struct fs_tagtree_node *there = find(c, node->journal, node->num, node->hash);

	if (there) {
		unref(there);
		return;
	}
	drop_older(c, node->journal, node->num);
	node->refs++;
	node->chain = c->bucket[b];
	c->bucket[b] = node;
	link_newest(c, node);
	c->bytes += node->bytes;
	while (c->bytes > c->max_bytes && c->oldest && c->oldest != node)
		evict(c, c->oldest);
}

void fs_tagtree_node_put(struct fs_tagtree_cache *c, struct fs_tagtree_node *node)
{
	if (!node)
		return;
	pthread_mutex_lock(&c->lock);
	unref(node);
	pthread_mutex_unlock(&c->lock);
}

void fs_tagtree_node_hash(uint32_t journal, uint32_t num, const uint8_t *p, size_t len,
			  uint8_t hash[static KEYS_LEN])
{
	uint8_t place[8];
	struct bytes_out out = bytes_out(place, sizeof(place));
	struct keys_span parts[] = {{place, sizeof(place)}, {p, len}};

	bytes_put_u32(&out, journal);
	bytes_put_u32(&out, num);
	keys_label_digest(KEYS_LABEL_NODE, parts, 2, hash, KEYS_LEN);
}

static size_t shared_len(const struct fs_key *prev, const struct fs_key *key)
{
	size_t n = 0;

	while (prev && n < prev->len && n < key->len && prev->b[n] == key->b[n])
		n++;
	return n;
}

size_t fs_tagtree_entry_size(const struct fs_key *prev, const struct fs_key *key, unsigned height)
{
	return 2 + key->len - shared_len(prev, key) + fs_tagtree_pay_len(height);
}

size_t fs_tagtree_node_encode(const struct fs_tagtree_entry *e, size_t n, unsigned height,
			      uint8_t p[static FS_TAGTREE_NODE_MAX])
{
	struct bytes_out out = bytes_out(p, FS_TAGTREE_NODE_MAX);
	const struct fs_key *prev = NULL;

	bytes_put_u8(&out, (uint8_t)height);
	bytes_put_u16(&out, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		size_t shared = shared_len(prev, &e[i].key);

		bytes_put_u8(&out, (uint8_t)shared);
		bytes_put_u8(&out, (uint8_t)(e[i].key.len - shared));
		bytes_put(&out, e[i].key.b + shared, e[i].key.len - shared);
		bytes_put(&out, e[i].pay, fs_tagtree_pay_len(height));
		prev = &e[i].key;
	}
	assert(!out.bad);
	return out.len;
}

/* One entry after prev; false when it is malformed, out of order or of another journal. */
static bool decode_entry(struct bytes_in *in, uint32_t journal, const struct fs_key *prev,
			 struct fs_key *key, uint8_t *pay, size_t stride)
{
	size_t shared = bytes_get_u8(in);
	size_t rest = bytes_get_u8(in);

	if (in->bad || shared > (prev ? prev->len : 0u) || shared + rest > FS_KEY_MAX ||
	    shared + rest < KEY_MIN)
		return false;
	memset(key, 0, sizeof(*key));
	if (shared)
		memcpy(key->b, prev->b, shared);
	bytes_get(in, key->b + shared, rest);
	key->len = (uint8_t)(shared + rest);
	bytes_get(in, pay, stride);
	if (in->bad || (prev && fs_key_cmp(prev, key) >= 0))
		return false;
	return !journal || fs_key_journal(key) == journal;
}

int fs_tagtree_node_decode(uint32_t journal, const uint8_t *p, size_t len,
			   struct fs_tagtree_node **out)
{
	struct bytes_in in = bytes_in(p, len);
	uint8_t height = bytes_get_u8(&in);
	size_t n = bytes_get_u16(&in), stride = fs_tagtree_pay_len(height), bytes;
	struct fs_tagtree_node *node;

	if (in.bad || !height || height > FS_TAGTREE_HEIGHT_MAX || !n || n > len / (2 + stride))
		return -EBADMSG;
	bytes = sizeof(*node) + n * (sizeof(struct fs_key) + stride);
	node = calloc(1, bytes);
	if (!node)
		return -ENOMEM;
	node->refs = 1;
	node->journal = journal;
	node->height = height;
	node->n = n;
	node->stride = stride;
	node->bytes = bytes;
	node->keys = (struct fs_key *)(node + 1);
	node->pay = (uint8_t *)(node->keys + n);
	for (size_t i = 0; i < n; i++) {
		if (decode_entry(&in, journal, i ? &node->keys[i - 1] : NULL, &node->keys[i],
				 node->pay + i * stride, stride))
			continue;
		free(node);
		return -EBADMSG;
	}
	if (!bytes_in_done(&in)) {
		free(node);
		return -EBADMSG;
	}
	*out = node;
	return 0;
}

static int load(struct fs_snap *snap, uint32_t journal, const struct fs_tagtree_step *at,
		struct fs_tagtree_node **out)
{
	struct fs_key key = fs_key_n(journal, 0, FS_T_NODE, at->num, 4);
	uint8_t hash[KEYS_LEN];
	const uint8_t *val;
	size_t len;
	int rc = fs_store_get(snap, &key, &val, &len);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	if (len > FS_TAGTREE_NODE_MAX)
		return -EBADMSG;
	fs_tagtree_node_hash(journal, at->num, val, len, hash);
	if (memcmp(hash, at->hash, KEYS_LEN))
		return -EBADMSG;
	rc = fs_tagtree_node_decode(journal, val, len, out);
	if (rc)
		return rc;
	(*out)->num = at->num;
	memcpy((*out)->hash, hash, KEYS_LEN);
	return 0;
}

static bool fits(const struct fs_tagtree_node *node, const struct fs_tagtree_step *at)
{
	if (node->height != at->height)
		return false;
	if (at->has_first && fs_key_cmp(&node->keys[0], &at->first))
		return false;
	return !at->has_upper || fs_key_cmp(&node->keys[node->n - 1], &at->upper) < 0;
}

int fs_tagtree_node_get(struct fs_tagtree_cache *c, struct fs_snap *snap, uint32_t journal,
			const struct fs_tagtree_step *at, struct fs_tagtree_node **out)
{
	struct fs_tagtree_node *node;
	int rc;

	pthread_mutex_lock(&c->lock);
	node = find(c, journal, at->num, at->hash);
	pthread_mutex_unlock(&c->lock);
	if (!node) {
		rc = load(snap, journal, at, &node);
		if (rc)
			return rc;
		pthread_mutex_lock(&c->lock);
		insert(c, node);
		pthread_mutex_unlock(&c->lock);
	}
	if (!fits(node, at)) {
		fs_tagtree_node_put(c, node);
		return -EBADMSG;
	}
	*out = node;
	return 0;
}

void fs_tagtree_node_add(struct fs_tagtree_cache *c, uint32_t journal, uint32_t num,
			 const uint8_t hash[static KEYS_LEN], const uint8_t *p, size_t len)
{
	struct fs_tagtree_node *node;

	if (fs_tagtree_node_decode(journal, p, len, &node))
		return;
	node->num = num;
	memcpy(node->hash, hash, KEYS_LEN);
	pthread_mutex_lock(&c->lock);
	insert(c, node);
	unref(node);
	pthread_mutex_unlock(&c->lock);
}

void fs_tagtree_step_root(const struct fs_tagtree_root *root, struct fs_tagtree_step *at)
{
	memset(at, 0, sizeof(*at));
	at->num = root->node;
	at->height = root->height;
	memcpy(at->hash, root->hash, KEYS_LEN);
}

void fs_tagtree_step_down(struct fs_tagtree_step *at, const struct fs_tagtree_node *node, size_t i)
{
	struct bytes_in in = bytes_in(node->pay + i * node->stride, node->stride);

	at->num = bytes_get_u32(&in);
	bytes_get(&in, at->hash, KEYS_LEN);
	at->height = (uint8_t)(node->height - 1);
	at->has_first = true;
	at->first = node->keys[i];
	if (i + 1 < node->n) {
		at->has_upper = true;
		at->upper = node->keys[i + 1];
	}
}

size_t fs_tagtree_node_rank(const struct fs_tagtree_node *node, const struct fs_key *key)
{
	size_t lo = 0, hi = node->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (fs_key_cmp(&node->keys[mid], key) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
