/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/mount_nodes.c - a mount's table of what its kernel knows: numbers, counts, handles.
 *
 * Invariants: (1) a node exists while the kernel may name it (nlookup), a handle
 * is open on it, or somebody holds the pointer (pins, queued); (2) a node with an
 * open handle keeps its inode, so that an unlinked file lives; others keep it
 * while they are among the last FS_NAMES_CACHED used; (3) after a lock no node has
 * an inode or a name, and unlinked files with handles were parked: their records
 * stay; (4) the inode's `opens` counts the handles of the nodes that hold it.
 *
 * Locks: fs_mount.lock. Inodes are got and put without it.
 */
#include "mount_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../keys/label.h"

#define BUCKETS_LEAST 256u
#define HANDLES_MAX 16384u /* of a session: each keeps its inode in memory */

int fs_nodes_init(struct fs_mount *m)
{
	m->size = BUCKETS_LEAST;
	m->bucket = calloc(m->size, sizeof(struct fs_node *));
	return m->bucket ? 0 : -ENOMEM;
}

static struct fs_node **bucket_of(struct fs_node **bucket, size_t size, uint64_t nodeid)
{
	return &bucket[(size_t)(nodeid * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (size - 1)];
}

struct fs_node *fs_node_find_locked(const struct fs_mount *m, uint64_t nodeid)
{
	struct fs_node *n = *bucket_of(m->bucket, m->size, nodeid);

	while (n && n->nodeid != nodeid)
		n = n->next;
	return n;
}

/* No memory only makes the chains longer. */
static void grow(struct fs_mount *m)
{
	size_t size = m->size * 2;
	struct fs_node **bucket = calloc(size, sizeof(struct fs_node *));

	if (!bucket)
		return;
	for (size_t k = 0; k < m->size; k++) {
		while (m->bucket[k]) {
			struct fs_node *n = m->bucket[k];
			struct fs_node **at = bucket_of(bucket, size, n->nodeid);

			m->bucket[k] = n->next;
			n->next = *at;
			*at = n;
		}
	}
	free(m->bucket);
	m->bucket = bucket;
	m->size = size;
}

static struct fs_node *node_make(struct fs_mount *m, uint64_t nodeid)
{
	struct fs_node *n = fs_node_find_locked(m, nodeid);
	struct fs_node **at;
	uint32_t bit = fs_nodeid_journal(nodeid) % 1024;

	if (n)
		return n;
	if (m->count >= m->size * 2)
		grow(m);
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->nodeid = nodeid;
	at = bucket_of(m->bucket, m->size, nodeid);
	n->next = *at;
	*at = n;
	m->count++;
	atomic_fetch_or(&m->journals[bit / 64], UINT64_C(1) << (bit % 64));
	return n;
}

static void name_free(struct fs_node *n)
{
	n->saves = 0;
	if (n->name) {
		keys_wipe(n->name, strlen(n->name));
		free(n->name);
	}
	n->name = NULL;
}

/* The inode leaves the node; the caller puts it when the lock is gone. */
static struct fs_inode *inode_take(struct fs_node *n)
{
	struct fs_inode *i = n->inode;

	if (i && n->handles)
		atomic_fetch_sub(&i->opens, n->handles);
	n->inode = NULL;
	return i;
}

/* Frees the node when nothing needs it; the inode to put, or NULL. */
static struct fs_inode *node_reap(struct fs_mount *m, struct fs_node *n)
{
	struct fs_node **at;
	struct fs_inode *i;

	if (n->nlookup || n->handles || n->pins || n->queued || n->sending)
		return NULL;
	at = bucket_of(m->bucket, m->size, n->nodeid);
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	m->count--;
	i = inode_take(n);
	name_free(n);
	free(n);
	return i;
}

void fs_node_unpin(struct fs_mount *m, struct fs_node *n)
{
	struct fs_inode *i;

	pthread_mutex_lock(&m->lock);
	n->pins--;
	i = node_reap(m, n);
	pthread_mutex_unlock(&m->lock);
	fs_inode_put(i);
}

/*
 * The node keeps a new reference to inode; the one that falls out of the ring of kept ones is
 * returned for the caller to put.
 */
static struct fs_inode *node_keep(struct fs_mount *m, struct fs_node *n, struct fs_inode *inode)
{
	struct fs_node *oldest;

	if (n->inode || m->phase != FS_MOUNT_LIVE)
		return NULL;
	n->inode = fs_inode_ref(inode);
	if (n->handles)
		atomic_fetch_add(&inode->opens, n->handles);
	oldest = m->ring[m->ring_at] ? fs_node_find_locked(m, m->ring[m->ring_at]) : NULL;
	m->ring[m->ring_at] = n->nodeid;
	m->ring_at = (m->ring_at + 1) % FS_NAMES_CACHED;
	return oldest && oldest != n && !oldest->handles ? inode_take(oldest) : NULL;
}

int fs_node_looked_up(struct fs_mount *m, uint64_t nodeid, struct fs_inode *inode, const char *name)
{
	struct fs_inode *out = NULL;
	struct fs_node *n;

	pthread_mutex_lock(&m->lock);
	n = node_make(m, nodeid);
	if (n) {
		n->nlookup++;
		n->stale = false;
		if (inode)
			out = node_keep(m, n, inode);
		if (name && (!n->name || strcmp(n->name, name) != 0)) {
			name_free(n);
			n->name = strdup(name);
		}
	}
	pthread_mutex_unlock(&m->lock);
	fs_inode_put(out);
	return n ? 0 : -ENOMEM;
}

void fs_node_forget(struct fs_mount *m, uint64_t nodeid, uint64_t nlookup)
{
	struct fs_inode *out = NULL;
	struct fs_node *n;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	if (n) {
		n->nlookup -= nlookup < n->nlookup ? nlookup : n->nlookup;
		out = node_reap(m, n);
	}
	pthread_mutex_unlock(&m->lock);
	fs_inode_put(out);
}

/* An unlinked file with a handle, again after a lock. */
static int unpark(struct fs_mount *m, struct fs_journal *j, uint64_t nodeid, struct fs_inode **out)
{
	struct fs_signer *signer = fs_session_signer(m->session);
	int rc = fs_inode_unpark(j, fs_nodeid_ino(nodeid), signer, out);

	if (signer)
		fs_signer_put(signer);
	return rc;
}

int fs_node_inode(struct fs_mount *m, struct fs_journal *j, uint64_t nodeid, struct fs_inode **out)
{
	struct fs_inode *inode = NULL, *fallen = NULL;
	struct fs_node *n;
	bool open = false;
	int rc = 0;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	if (n && !n->nlookup && !n->handles)
		n = NULL;
	if (n && n->inode)
		inode = fs_inode_ref(n->inode);
	else if (n)
		n->pins++;
	if (n)
		open = n->handles > 0;
	pthread_mutex_unlock(&m->lock);
	if (!n)
		return -ENOENT;
	if (!inode) {
		rc = fs_inode_get(j, fs_nodeid_ino(nodeid), &inode);
		if (rc == -ENOENT && open)
			rc = unpark(m, j, nodeid, &inode);
		if (!rc) {
			pthread_mutex_lock(&m->lock);
			fallen = node_keep(m, n, inode);
			pthread_mutex_unlock(&m->lock);
		}
		fs_node_unpin(m, n);
		fs_inode_put(fallen);
	}
	if (!rc)
		*out = inode;
	return rc;
}

void fs_node_name(struct fs_mount *m, uint64_t nodeid, char out[static 256])
{
	struct fs_node *n;

	out[0] = '\0';
	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	if (n && n->name && strlen(n->name) < 256)
		strcpy(out, n->name);
	pthread_mutex_unlock(&m->lock);
}

void fs_node_rename(struct fs_mount *m, uint64_t nodeid, const char *name)
{
	struct fs_node *n;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	if (n) {
		name_free(n);
		n->name = strdup(name);
	}
	pthread_mutex_unlock(&m->lock);
}

struct fs_inode *fs_node_kept(struct fs_mount *m, uint64_t nodeid)
{
	struct fs_inode *i = NULL;
	struct fs_node *n;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	if (n && n->inode)
		i = fs_inode_ref(n->inode);
	pthread_mutex_unlock(&m->lock);
	return i;
}

bool fs_node_stale(struct fs_mount *m, uint64_t nodeid, bool open)
{
	struct fs_node *n;
	bool stale = false;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	if (n && n->stale && (open || !n->handles)) {
		stale = true;
		n->stale = false;
	}
	pthread_mutex_unlock(&m->lock);
	return stale;
}

bool fs_node_repeat(struct fs_mount *m, pid_t tid)
{
	bool may = true;

	pthread_mutex_lock(&m->lock);
	for (unsigned k = 0; may && k < FS_REPEATS; k++)
		may = m->repeat[k] != tid;
	if (may) {
		m->repeat[m->repeat_at] = tid;
		m->repeat_at = (m->repeat_at + 1) % FS_REPEATS;
		atomic_store(&m->repeats, true);
	}
	pthread_mutex_unlock(&m->lock);
	return may;
}

void fs_node_settled(struct fs_mount *m, pid_t tid)
{
	bool any = false;

	if (!atomic_load(&m->repeats))
		return;
	pthread_mutex_lock(&m->lock);
	for (unsigned k = 0; k < FS_REPEATS; k++) {
		if (m->repeat[k] == tid)
			m->repeat[k] = 0;
		any |= m->repeat[k] != 0;
	}
	atomic_store(&m->repeats, any);
	pthread_mutex_unlock(&m->lock);
}

/* One inode to let go of, after bucket *at. */
static struct fs_inode *let_go_next(struct fs_mount *m, size_t *at)
{
	struct fs_inode *i = NULL;

	pthread_mutex_lock(&m->lock);
	for (; *at < m->size && !i; *at += !i) {
		for (struct fs_node *n = m->bucket[*at]; n && !i; n = n->next) {
			if (!n->let_go)
				continue;
			n->let_go = false;
			if (!n->handles)
				i = inode_take(n);
		}
	}
	pthread_mutex_unlock(&m->lock);
	return i;
}

void fs_nodes_let_go(struct fs_mount *m)
{
	struct fs_inode *i;
	size_t at = 0;

	while ((i = let_go_next(m, &at)) != NULL)
		fs_inode_put(i);
}

/* The next inode of this journal to let go of, after bucket *at; *parked when its records must
 * stay. */
static struct fs_inode *drop_next(struct fs_mount *m, uint32_t journal, size_t *at, bool *parked)
{
	struct fs_inode *i = NULL;

	pthread_mutex_lock(&m->lock);
	for (; *at < m->size && !i; *at += !i) {
		for (struct fs_node *n = m->bucket[*at]; n && !i; n = n->next) {
			if (journal && fs_nodeid_journal(n->nodeid) != journal)
				continue;
			name_free(n);
			*parked = n->handles > 0 && m->phase != FS_MOUNT_DEAD;
			i = inode_take(n);
		}
	}
	pthread_mutex_unlock(&m->lock);
	return i;
}

void fs_nodes_drop(struct fs_mount *m, uint32_t journal)
{
	struct fs_inode *i;
	bool parked = false;
	size_t at = 0;

	while ((i = drop_next(m, journal, &at, &parked)) != NULL) {
		if (parked)
			fs_inode_park(i);
		else
			fs_inode_put(i);
	}
}

void fs_nodes_clear(struct fs_mount *m)
{
	for (uint32_t k = 0; k < m->slots; k++) {
		if (m->slot[k].handle)
			fs_handle_put(m->slot[k].handle);
	}
	free(m->slot);
	m->slot = NULL;
	m->slots = 0;
	for (size_t k = 0; k < m->size; k++) {
		while (m->bucket[k]) {
			struct fs_node *n = m->bucket[k];

			m->bucket[k] = n->next;
			fs_inode_put(inode_take(n));
			name_free(n);
			free(n);
		}
	}
	free(m->bucket);
	m->bucket = NULL;
	m->size = 0;
}

/* ---- handles ---- */

static int slot_free(struct fs_mount *m, uint32_t *out)
{
	uint32_t slots;
	struct fs_handle_slot *wider;

	for (uint32_t k = 0; k < m->slots; k++) {
		uint32_t at = (m->free_hint + k) % m->slots;

		if (!m->slot[at].handle) {
			*out = at;
			m->free_hint = at + 1;
			return 0;
		}
	}
	if (m->slots >= HANDLES_MAX)
		return -EMFILE;
	slots = m->slots ? m->slots * 2 : 64;
	wider = realloc(m->slot, slots * sizeof(*wider));
	if (!wider)
		return -ENOMEM;
	memset(wider + m->slots, 0, (slots - m->slots) * sizeof(*wider));
	m->slot = wider;
	*out = m->slots;
	m->free_hint = m->slots + 1;
	m->slots = slots;
	return 0;
}

static struct fs_handle *handle_new(const struct fs_handle_request *rq)
{
	struct fs_handle *h = calloc(1, sizeof(*h));
	int mode = rq->flags & O_ACCMODE;

	if (!h)
		return NULL;
	atomic_init(&h->refs, 1);
	h->flags = rq->flags;
	h->dir = rq->dir;
	h->opener = rq->pid;
	h->readable = mode != O_WRONLY;
	h->writable = !rq->dir && mode != O_RDONLY;
	return h;
}

int fs_handle_open(struct fs_mount *m, const struct fs_handle_request *rq, uint64_t *fh)
{
	struct fs_handle *h = handle_new(rq);
	uint32_t at = 0;
	int rc;

	if (!h)
		return -ENOMEM;
	pthread_mutex_lock(&m->lock);
	h->node = fs_node_find_locked(m, rq->nodeid);
	if (!h->node)
		h->node = node_make(m, rq->nodeid);
	rc = h->node ? slot_free(m, &at) : -ENOMEM;
	if (!rc) {
		h->fh = (uint64_t)++m->slot[at].generation << 32 | at;
		m->slot[at].handle = h;
		m->handles++;
		h->node->handles++;
		h->node->writers += h->writable;
		if (h->node->inode)
			atomic_fetch_add(&h->node->inode->opens, 1);
		*fh = h->fh;
	}
	pthread_mutex_unlock(&m->lock);
	if (rc)
		free(h);
	return rc;
}

static struct fs_handle *handle_find(struct fs_mount *m, uint64_t fh, uint64_t nodeid, bool dir)
{
	uint32_t at = (uint32_t)fh;
	struct fs_handle *h = at < m->slots ? m->slot[at].handle : NULL;

	return h && h->fh == fh && h->node->nodeid == nodeid && h->dir == dir ? h : NULL;
}

struct fs_handle *fs_handle_get(struct fs_mount *m, uint64_t fh, uint64_t nodeid, bool dir)
{
	struct fs_handle *h;

	pthread_mutex_lock(&m->lock);
	h = handle_find(m, fh, nodeid, dir);
	if (h)
		atomic_fetch_add(&h->refs, 1);
	pthread_mutex_unlock(&m->lock);
	return h;
}

void fs_handle_put(struct fs_handle *h)
{
	if (h && atomic_fetch_sub(&h->refs, 1) == 1)
		free(h);
}

void fs_node_lose_locked(struct fs_mount *m, uint64_t nodeid)
{
	for (uint32_t k = 0; k < m->slots; k++) {
		struct fs_handle *h = m->slot[k].handle;

		if (h && h->node->nodeid == nodeid && !atomic_exchange(&h->lost, true))
			h->node->lost++;
	}
}

bool fs_node_lost(struct fs_mount *m, uint64_t nodeid)
{
	struct fs_node *n;
	bool lost;

	pthread_mutex_lock(&m->lock);
	n = fs_node_find_locked(m, nodeid);
	lost = n && n->lost;
	pthread_mutex_unlock(&m->lock);
	return lost;
}

struct fs_handle *fs_handle_close(struct fs_mount *m, uint64_t fh, uint64_t nodeid, bool dir)
{
	struct fs_handle *h;

	pthread_mutex_lock(&m->lock);
	h = handle_find(m, fh, nodeid, dir);
	if (h) {
		m->slot[(uint32_t)fh].handle = NULL;
		m->handles--;
	}
	pthread_mutex_unlock(&m->lock);
	return h;
}

void fs_handle_free(struct fs_mount *m, struct fs_handle *h)
{
	struct fs_inode *out;
	struct fs_node *n = h->node;

	pthread_mutex_lock(&m->lock);
	n->handles--;
	n->writers -= h->writable;
	n->lost -= atomic_load(&h->lost);
	if (n->inode)
		atomic_fetch_sub(&n->inode->opens, 1);
	out = node_reap(m, n);
	pthread_mutex_unlock(&m->lock);
	fs_inode_put(out);
	fs_handle_put(h);
}
