/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/tagtree_update.c - a commit's sorted changes applied to the tag tree.
 *
 * One recursion from the root (its depth is the height, at most 16): a node
 * hands each child the changes of its range and takes back the child's new
 * entries; small neighbours are joined, then everything that changed is cut into
 * nodes, encoded and hashed, from the leaves up. Nothing is changed in place.
 *
 * 1. A node's first piece keeps its number; further pieces take unused numbers
 *    (root.next), which never return, so that an old node cannot stand for a new.
 * 2. A parent's key for a child is exactly the child's first key.
 * 3. Appended keys leave full nodes behind; inserted ones split evenly.
 * 4. A node that shrank below a quarter is joined with a neighbour; an empty one goes.
 */
#include <errno.h>
#include <stdlib.h>

#include "../keys/bytes.h"
#include "tagtree_impl.h"

#define NODE_MIN (FS_TAGTREE_NODE_MAX / 4)

struct list {
	struct fs_tagtree_entry *e;
	size_t n, cap;
};

struct update {
	struct fs_tagtree_cache *c;
	struct fs_snap *snap;
	uint32_t journal, next;
	struct fs_tagtree_out *out;
};

/* A node on its way: untouched (only at), or with its new entries. */
struct slot {
	struct fs_tagtree_step at;
	bool changed; /* list is the node's content from now on */
	bool append;  /* what was added came after all that was there */
	bool shrunk;  /* something was taken away */
	struct list list;
};

static int list_add(struct list *l, const struct fs_key *key, const uint8_t *pay, size_t len)
{
	struct fs_tagtree_entry *e;

	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;

		e = reallocarray(l->e, cap, sizeof(*e));
		if (!e)
			return -ENOMEM;
		l->e = e;
		l->cap = cap;
	}
	e = &l->e[l->n++];
	memset(e, 0, sizeof(*e));
	e->key = *key;
	memcpy(e->pay, pay, len);
	return 0;
}

static void list_clear(struct list *l)
{
	free(l->e);
	*l = (struct list){.n = 0};
}

static int list_add_child(struct list *l, const struct fs_key *key, uint32_t num,
			  const uint8_t hash[static KEYS_LEN])
{
	uint8_t pay[FS_TAGTREE_INNER_PAY];
	struct bytes_out out = bytes_out(pay, sizeof(pay));

	bytes_put_u32(&out, num);
	bytes_put(&out, hash, KEYS_LEN);
	return list_add(l, key, pay, sizeof(pay));
}

static size_t list_size(const struct list *l, unsigned height)
{
	size_t size = FS_TAGTREE_NODE_HEAD;

	for (size_t i = 0; i < l->n; i++)
		size += fs_tagtree_entry_size(i ? &l->e[i - 1].key : NULL, &l->e[i].key, height);
	return size;
}

void fs_tagtree_out_trim(struct fs_tagtree_out *out, size_t n)
{
	while (out->n > n)
		free((uint8_t *)(uintptr_t)out->items[--out->n].val);
}

void fs_tagtree_out_clear(struct fs_tagtree_out *out)
{
	fs_tagtree_out_trim(out, 0);
	free(out->items);
	*out = (struct fs_tagtree_out){.n = 0};
}

/* Takes over val (NULL: a deletion), also on failure. */
static int out_add(struct update *u, uint32_t num, uint8_t *val, size_t len)
{
	struct fs_tagtree_out *out = u->out;

	if (out->n == out->cap) {
		size_t cap = out->cap ? 2 * out->cap : 32;
		struct fs_store_item *items = reallocarray(out->items, cap, sizeof(*items));

		if (!items) {
			free(val);
			return -ENOMEM;
		}
		out->items = items;
		out->cap = cap;
	}
	out->items[out->n++] = (struct fs_store_item){
		.key = fs_key_n(u->journal, 0, FS_T_NODE, num, 4), .val = val, .len = len};
	return 0;
}

/* Writes n entries as node num and adds it to refs. */
static int emit_piece(struct update *u, const struct fs_tagtree_entry *e, size_t n, unsigned height,
		      uint32_t num, struct list *refs)
{
	uint8_t bytes[FS_TAGTREE_NODE_MAX], hash[KEYS_LEN];
	size_t len = fs_tagtree_node_encode(e, n, height, bytes);
	uint8_t *val = malloc(len);
	int rc;

	if (!val)
		return -ENOMEM;
	memcpy(val, bytes, len);
	rc = out_add(u, num, val, len);
	if (rc)
		return rc;
	fs_tagtree_node_hash(u->journal, num, bytes, len, hash);
	fs_tagtree_node_add(u->c, u->journal, num, hash, bytes, len);
	return list_add_child(refs, &e[0].key, num, hash);
}

/* Cuts a changed slot into nodes of the given height; refs receives them. Empty: the node goes. */
static int emit(struct update *u, const struct slot *s, unsigned height, struct list *refs)
{
	const struct list *l = &s->list;
	size_t total = list_size(l, height), target = FS_TAGTREE_NODE_MAX, from = 0;
	uint32_t num = s->at.num;
	int rc;

	if (!l->n)
		return num ? out_add(u, num, NULL, 0) : 0;
	if (total > FS_TAGTREE_NODE_MAX && !s->append)
		target = total / (total / FS_TAGTREE_NODE_MAX + 1);
	while (from < l->n) {
		size_t size = FS_TAGTREE_NODE_HEAD, to = from;

		while (to < l->n && (to == from || size < target)) {
			size_t add = fs_tagtree_entry_size(to > from ? &l->e[to - 1].key : NULL,
							   &l->e[to].key, height);

			if (size + add > FS_TAGTREE_NODE_MAX)
				break;
			size += add;
			to++;
		}
		if (!num && u->next == UINT32_MAX)
			return -EOVERFLOW;
		rc = emit_piece(u, l->e + from, to - from, height, num ? num : u->next++, refs);
		if (rc)
			return rc;
		num = 0;
		from = to;
	}
	return 0;
}

/* Old entries and changes merged into s->list. */
static int update_leaf(const struct fs_tagtree_node *node, const struct fs_tagtree_change *chg,
		       size_t n, struct slot *s)
{
	size_t at = 0, old = node ? node->n : 0, inside = 0, added = 0;
	int rc = 0;

	for (size_t i = 0; !rc && (i < n || at < old);) {
		int cmp = i == n ? -1 : at == old ? 1 : fs_key_cmp(&node->keys[at], &chg[i].key);

		if (cmp < 0) {
			rc = list_add(&s->list, &node->keys[at], node->pay + at * node->stride,
				      FS_TAG_LEN);
			at++;
			continue;
		}
		if (!chg[i].del)
			rc = list_add(&s->list, &chg[i].key, chg[i].tag, FS_TAG_LEN);
		if (!chg[i].del || !cmp)
			s->changed = true;
		if (chg[i].del && !cmp)
			s->shrunk = true;
		if (!chg[i].del && cmp)
			added++;
		if (!chg[i].del && cmp && at < old)
			inside++;
		if (!cmp)
			at++;
		i++;
	}
	s->append = added && !inside;
	return rc;
}

/* Makes an untouched slot's content editable. */
static int slot_load(struct update *u, struct slot *s)
{
	struct fs_tagtree_node *node;
	int rc;

	if (s->changed)
		return 0;
	rc = fs_tagtree_node_get(u->c, u->snap, u->journal, &s->at, &node);
	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < node->n; i++)
		rc = list_add(&s->list, &node->keys[i], node->pay + i * node->stride, node->stride);
	s->changed = true;
	fs_tagtree_node_put(u->c, node);
	return rc;
}

/* Appends b's entries to a; b becomes empty and is deleted when emitted. */
static int slot_join(struct update *u, struct slot *a, struct slot *b)
{
	int rc = slot_load(u, a);

	if (!rc)
		rc = slot_load(u, b);
	for (size_t i = 0; !rc && i < b->list.n; i++)
		rc = list_add(&a->list, &b->list.e[i].key, b->list.e[i].pay,
			      sizeof(b->list.e[i].pay));
	b->list.n = 0;
	a->append = false;
	return rc;
}

static bool slot_gone(const struct slot *s)
{
	return s->changed && !s->list.n;
}

/* A node that only grew is left alone: appending would else split full nodes again. */
static bool slot_small(const struct slot *s, unsigned height)
{
	return s->changed && s->shrunk && s->list.n && list_size(&s->list, height) < NODE_MIN;
}

/* Joins what became small with a neighbour, the next one or (at the end) the one before. */
static int join_small(struct update *u, struct slot *s, size_t n, unsigned height)
{
	size_t prev = n; /* the last slot before i that is not gone; n: none */
	int rc;

	for (size_t i = 0; i < n; i++) {
		size_t j = i + 1;

		while (slot_small(&s[i], height)) {
			while (j < n && slot_gone(&s[j]))
				j++;
			if (j == n)
				break;
			rc = slot_join(u, &s[i], &s[j]);
			if (rc)
				return rc;
		}
		if (prev < n && slot_small(&s[i], height)) {
			rc = slot_join(u, &s[prev], &s[i]);
			if (rc)
				return rc;
		}
		if (!slot_gone(&s[i]))
			prev = i;
	}
	return 0;
}

static int update_node(struct update *u, struct slot *s, const struct fs_tagtree_change *chg,
		       size_t n);

/* Emits the children's new nodes and collects the entries of their parent s. */
static int collect(struct update *u, struct slot *kids, size_t n, struct slot *s)
{
	unsigned height = s->at.height - 1u;
	size_t inside = 0;
	int rc = 0;

	for (size_t i = 0; !rc && i < n; i++) {
		size_t before = s->list.n;

		if (kids[i].changed)
			rc = emit(u, &kids[i], height, &s->list);
		else
			rc = list_add_child(&s->list, &kids[i].at.first, kids[i].at.num,
					    kids[i].at.hash);
		if (i + 1 < n && s->list.n > before + 1)
			inside++;
	}
	s->changed = true;
	s->append = !inside;
	s->shrunk = s->list.n < n;
	return rc;
}

static int update_inner(struct update *u, struct slot *s, const struct fs_tagtree_node *node,
			const struct fs_tagtree_change *chg, size_t n)
{
	struct slot *kids = calloc(node->n, sizeof(*kids));
	bool changed = false;
	size_t at = 0;
	int rc = 0;

	if (!kids)
		return -ENOMEM;
	for (size_t i = 0; !rc && i < node->n; i++) {
		size_t to = at;

		kids[i].at = s->at;
		fs_tagtree_step_down(&kids[i].at, node, i);
		while (to < n &&
		       (i + 1 == node->n || fs_key_cmp(&chg[to].key, &node->keys[i + 1]) < 0))
			to++;
		if (to > at)
			rc = update_node(u, &kids[i], chg + at, to - at);
		changed |= kids[i].changed;
		at = to;
	}
	if (!rc && changed)
		rc = join_small(u, kids, node->n, s->at.height - 1u);
	if (!rc && changed)
		rc = collect(u, kids, node->n, s);
	for (size_t i = 0; i < node->n; i++)
		list_clear(&kids[i].list);
	free(kids);
	return rc;
}

static int update_node(struct update *u, struct slot *s, const struct fs_tagtree_change *chg,
		       size_t n)
{
	struct fs_tagtree_node *node;
	int rc = fs_tagtree_node_get(u->c, u->snap, u->journal, &s->at, &node);

	if (rc)
		return rc;
	if (s->at.height == 1)
		rc = update_leaf(node, chg, n, s);
	else
		rc = update_inner(u, s, node, chg, n);
	fs_tagtree_node_put(u->c, node);
	return rc;
}

/* Emits the top slot and puts levels over it until one node is left. */
static int raise(struct update *u, struct slot *top, struct fs_tagtree_root *root)
{
	unsigned height = top->at.height;
	struct slot level = {.append = top->append};
	struct bytes_in in;
	int rc;

	if (height > 1 && top->list.n == 1) {
		/* A root with one child is that child. */
		level.list = top->list;
		top->list = (struct list){.n = 0};
		height--;
	}
	rc = emit(u, top, height, &level.list);
	while (!rc && level.list.n > 1) {
		struct slot above = {.append = level.append};

		rc = ++height > FS_TAGTREE_HEIGHT_MAX ? -EOVERFLOW
						      : emit(u, &level, height, &above.list);
		list_clear(&level.list);
		level = above;
	}
	if (!rc && !level.list.n) {
		root->node = 0;
		root->height = 0;
		memset(root->hash, 0, KEYS_LEN);
	} else if (!rc) {
		in = bytes_in(level.list.e[0].pay, FS_TAGTREE_INNER_PAY);
		root->node = bytes_get_u32(&in);
		bytes_get(&in, root->hash, KEYS_LEN);
		root->height = (uint8_t)height;
	}
	if (!rc)
		root->next = u->next;
	list_clear(&level.list);
	return rc;
}

int fs_tagtree_update(struct fs_tagtree_cache *c, struct fs_snap *snap,
		      struct fs_tagtree_root *root, const struct fs_tagtree_change *changes,
		      size_t n, struct fs_tagtree_out *out)
{
	struct update u = {.c = c, .snap = snap, .journal = root->journal, .out = out};
	struct slot top = {.append = true};
	int rc;

	if (root->height > FS_TAGTREE_HEIGHT_MAX || !root->node != !root->height)
		return -EBADMSG;
	u.next = root->next ? root->next : 1;
	fs_tagtree_step_root(root, &top.at);
	if (root->node) {
		rc = update_node(&u, &top, changes, n);
	} else {
		top.at.height = 1;
		rc = update_leaf(NULL, changes, n, &top);
	}
	if (!rc && top.changed)
		rc = raise(&u, &top, root);
	list_clear(&top.list);
	return rc;
}
