/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_files.c - the files under `.policy`: nodes, and the memory they take.
 *
 * A node is a policy file or a scratch file. Policy files are what the vault says
 * there is; their nodes hold only what this mount knows of them. Scratch files are
 * all here, in memory that is counted and wiped.
 *
 * Invariants: (1) numbers are never used twice, by any mount: locks go by them; (2)
 * a node lives while it has a name or a pin; those of journals are let go of when
 * nobody needs them; (3) pf->bytes is what scratch files and handles hold, reports
 * apart, and never above FS_PF_BYTES.
 *
 * Lock: pf->lock, for everything; held across reads of the vault.
 */
#include "policy_files_impl.h"

#include <stdatomic.h>

static _Atomic uint64_t numbers = FS_POLICY_OTHERS;

uint64_t fs_pf_number(void)
{
	return atomic_fetch_add(&numbers, 1);
}

int fs_policy_files_new(struct fs_vault *v, struct fs_session *s, struct fs_policy_files **out)
{
	struct fs_policy_files *pf = calloc(1, sizeof(*pf));

	if (!pf)
		return -ENOMEM;
	pf->vault = v;
	pf->session = fs_session_get(s);
	pthread_mutex_init(&pf->lock, NULL);
	*out = pf;
	return 0;
}

/* ---- bytes ---- */

int fs_pf_grow(struct fs_policy_files *pf, struct fs_pf_bytes *b, size_t size, bool limit)
{
	size_t cap = b->cap ? b->cap : 1024;
	char *p;

	if (size <= b->cap)
		return 0;
	if (size > FS_PF_LARGEST)
		return -EFBIG;
	while (cap < size)
		cap *= 2;
	if (limit && pf->bytes + (cap - b->cap) > FS_PF_BYTES)
		cap = size;
	if (limit && pf->bytes + (cap - b->cap) > FS_PF_BYTES)
		return -ENOSPC;
	p = malloc(cap);
	if (!p)
		return -ENOMEM;
	if (b->p) {
		memcpy(p, b->p, b->len);
		keys_wipe(b->p, b->cap);
		free(b->p);
	}
	if (limit)
		pf->bytes += cap - b->cap;
	b->p = p;
	b->cap = cap;
	return 0;
}

void fs_pf_bytes_clear(struct fs_policy_files *pf, struct fs_pf_bytes *b, bool limit)
{
	if (b->p)
		keys_wipe(b->p, b->cap);
	free(b->p);
	if (limit)
		pf->bytes -= b->cap;
	memset(b, 0, sizeof(*b));
}

int fs_pf_bytes_set(struct fs_policy_files *pf, struct fs_pf_bytes *b, const char *p, size_t len,
		    bool limit)
{
	int rc = fs_pf_grow(pf, b, len, limit);

	if (rc)
		return rc;
	if (len)
		memcpy(b->p, p, len);
	b->len = len;
	return 0;
}

int fs_pf_bytes_resize(struct fs_policy_files *pf, struct fs_pf_bytes *b, uint64_t size, bool limit)
{
	int rc = size > FS_PF_LARGEST ? -EFBIG : fs_pf_grow(pf, b, (size_t)size, limit);

	if (rc)
		return rc;
	if (size > b->len)
		memset(b->p + b->len, 0, (size_t)size - b->len);
	b->len = (size_t)size;
	return 0;
}

/* ---- nodes ---- */

static struct fs_pf_node **bucket_of(struct fs_policy_files *pf, uint64_t ino)
{
	return &pf->bucket[ino % FS_PF_BUCKETS];
}

struct fs_pf_node *fs_pf_find(struct fs_policy_files *pf, uint64_t ino)
{
	struct fs_pf_node *n = *bucket_of(pf, ino);

	while (n && n->ino != ino)
		n = n->next;
	return n;
}

static void name_set(struct fs_pf_node *n, char *name)
{
	if (n->name)
		keys_wipe(n->name, strlen(n->name));
	free(n->name);
	n->name = name;
}

static void node_free(struct fs_policy_files *pf, struct fs_pf_node *n)
{
	struct fs_pf_node **at = bucket_of(pf, n->ino);

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	if (n->report)
		pf->report_bytes -= n->bytes.len;
	fs_pf_bytes_clear(pf, &n->bytes, !n->report);
	fs_pf_text_put(n->text);
	name_set(n, NULL);
	free(n->seen);
	if (!n->policy)
		pf->files--;
	pf->reports -= n->report;
	pf->journals -= n->dir == FS_POLICY_JOURNALS && n->policy;
	free(n);
}

/* Every node that fn wants to go. */
static void sweep(struct fs_policy_files *pf, bool (*fn)(const struct fs_pf_node *n))
{
	for (unsigned b = 0; b < FS_PF_BUCKETS; b++) {
		struct fs_pf_node *n = pf->bucket[b], *next;

		for (; n; n = next) {
			next = n->next;
			if (fn(n))
				node_free(pf, n);
		}
	}
}

static bool idle_journal(const struct fs_pf_node *n)
{
	return n->policy && n->dir == FS_POLICY_JOURNALS && !n->pins && !n->seen &&
	       !n->hidden_until_ns;
}

static bool unpinned_journal(const struct fs_pf_node *n)
{
	return n->policy && n->dir == FS_POLICY_JOURNALS && !n->pins;
}

/* Who searches all policies for a word has read all: from some number on that is forgotten. */
static void make_room(struct fs_policy_files *pf)
{
	sweep(pf, idle_journal);
	if (pf->journals < FS_PF_KNOWN)
		return;
	pf->forgot = fs_vault_policy_version(pf->vault);
	sweep(pf, unpinned_journal);
}

struct fs_pf_node *fs_pf_make(struct fs_policy_files *pf, uint64_t ino, uint64_t dir,
			      const char *name, bool policy)
{
	struct fs_pf_node *n = calloc(1, sizeof(*n)), **at = bucket_of(pf, ino);

	if (n && name) {
		n->name = strdup(name);
		if (!n->name) {
			free(n);
			n = NULL;
		}
	}
	if (!n)
		return NULL;
	n->ino = ino;
	n->dir = dir;
	n->policy = policy;
	n->mode = 0600;
	clock_gettime(CLOCK_REALTIME, &n->mtime);
	n->next = *at;
	*at = n;
	if (!policy)
		pf->files++;
	pf->journals += policy && dir == FS_POLICY_JOURNALS;
	return n;
}

int fs_pf_node(struct fs_policy_files *pf, uint64_t ino, struct fs_pf_node **out)
{
	struct fs_pf_node *n = fs_pf_find(pf, ino);
	char name[256];

	if (!n && ino == FS_POLICY_PRACTICE) {
		n = fs_pf_make(pf, ino, FS_POLICY_TOP, "practice.policy", true);
	} else if (!n && ino > FS_POLICY_JOURNAL && ino <= FS_POLICY_JOURNAL + FS_JOURNAL_MAX) {
		if (fs_vault_journal_name(pf->vault, (uint32_t)ino, name))
			return -ENOENT;
		if (pf->journals >= FS_PF_IDLE)
			make_room(pf);
		n = fs_pf_make(pf, ino, FS_POLICY_JOURNALS, NULL, true);
	} else if (!n) {
		return -ENOENT;
	}
	*out = n;
	return n ? 0 : -ENOMEM;
}

static struct fs_pf_node *named(struct fs_policy_files *pf, uint64_t dir, const char *name,
				bool policy)
{
	for (unsigned b = 0; b < FS_PF_BUCKETS; b++) {
		for (struct fs_pf_node *n = pf->bucket[b]; n; n = n->next) {
			if (n->dir == dir && n->policy == policy && n->name &&
			    !strcmp(n->name, name))
				return n;
		}
	}
	return NULL;
}

struct fs_pf_node *fs_pf_scratch(struct fs_policy_files *pf, uint64_t dir, const char *name)
{
	return pf->files ? named(pf, dir, name, false) : NULL;
}

/* A part that is none: its name was only tried, or it was taken out. */
static bool tried_part(const struct fs_pf_node *n)
{
	return n->policy && n->dir == FS_POLICY_PARTS && !n->exists && !n->text &&
	       !n->seen && !n->pins;
}

struct fs_pf_node *fs_pf_part(struct fs_policy_files *pf, const char *name, bool make)
{
	char file[FS_PF_NAME + 1];
	struct fs_pf_node *n;

	snprintf(file, sizeof(file), "%.*s.policy", FS_PF_NAME - 7, name);
	n = named(pf, FS_POLICY_PARTS, file, true);
	if (n || !make)
		return n;
	if (++pf->parts % FS_PF_FILES == 0)
		sweep(pf, tried_part);
	return fs_pf_make(pf, fs_pf_number(), FS_POLICY_PARTS, file, true);
}

void fs_pf_unname(struct fs_policy_files *pf, struct fs_pf_node *n)
{
	name_set(n, NULL);
	if (!n->pins)
		node_free(pf, n);
}

void fs_pf_unpin(struct fs_policy_files *pf, struct fs_pf_node *n)
{
	n->pins--;
	if (!n->pins && !n->policy && !n->name)
		node_free(pf, n);
}

/* ---- clearing ---- */

struct fs_pf_handle *fs_pf_handle(struct fs_policy_files *pf, uint64_t fh)
{
	struct fs_pf_handle *h = pf->handle;

	while (h && h->fh != fh)
		h = h->next;
	return h;
}

void fs_pf_handle_drop(struct fs_policy_files *pf, struct fs_pf_handle *h)
{
	struct fs_pf_handle **at = &pf->handle;

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	pf->handles--;
	h->node->writers -= h->writable;
	fs_pf_unpin(pf, h->node);
	fs_pf_text_put(h->text);
	fs_pf_bytes_clear(pf, &h->bytes, true);
	free(h);
}

static bool scratch_free(const struct fs_pf_node *n)
{
	return !n->policy && !n->pins;
}

static void clear(struct fs_policy_files *pf)
{
	while (pf->handle)
		fs_pf_handle_drop(pf, pf->handle);
	/* A save that is under way has its own copy, and lets go of its node at its end. */
	for (unsigned b = 0; b < FS_PF_BUCKETS; b++) {
		for (struct fs_pf_node *n = pf->bucket[b]; n; n = n->next) {
			fs_pf_text_put(n->text);
			n->text = NULL;
			if (!n->policy)
				name_set(n, NULL);
		}
	}
	sweep(pf, scratch_free);
	pf->practice = 0;
}

void fs_policy_files_clear(struct fs_policy_files *pf)
{
	pthread_mutex_lock(&pf->lock);
	clear(pf);
	pthread_mutex_unlock(&pf->lock);
}

static bool every(const struct fs_pf_node *n)
{
	(void)n;
	return true;
}

void fs_policy_files_free(struct fs_policy_files *pf)
{
	if (!pf)
		return;
	clear(pf);
	sweep(pf, every);
	pthread_mutex_destroy(&pf->lock);
	fs_session_put(pf->session);
	free(pf);
}
