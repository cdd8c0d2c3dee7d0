/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_files_names.c - the files under `.policy`: names, attributes, listings.
 *
 * Which names there are is asked of the vault each time, so that a journal or a part
 * made elsewhere is seen at the next look. A policy file that was renamed away or
 * unlinked here is not shown for FS_PF_HIDDEN_NS.
 *
 * Lock: pf->lock, held across reads of the vault.
 */
#include "policy_files_impl.h"

/* ---- names ---- */

static bool ends_policy(const char *name)
{
	size_t len = strlen(name);

	return len > 7 && !strcmp(name + len - 7, ".policy");
}

bool fs_pf_part_name(const char *name, char out[static FS_PF_NAME + 1])
{
	snprintf(out, FS_PF_NAME + 1, "%s", name);
	if (!ends_policy(out))
		return false;
	out[strlen(out) - 7] = '\0';
	return policy_name_check(out);
}

enum fs_pf_kind fs_pf_kind(struct fs_policy_files *pf, uint64_t dir, const char *name,
			   uint64_t *ino)
{
	char stem[FS_PF_NAME + 1];
	struct fs_pf_node *n;
	uint32_t index = 0;

	*ino = 0;
	if (dir == FS_POLICY_TOP) {
		*ino = !strcmp(name, "practice.policy") ? FS_POLICY_PRACTICE
		       : !strcmp(name, "practice.d")	? FS_POLICY_PARTS
		       : !strcmp(name, "journals")	? FS_POLICY_JOURNALS
							: 0;
		if (*ino)
			return *ino == FS_POLICY_PRACTICE ? FS_PF_POLICY : FS_PF_DIR;
		return FS_PF_SCRATCH;
	}
	if (!ends_policy(name))
		return FS_PF_SCRATCH;
	if (dir == FS_POLICY_PARTS && fs_pf_part_name(name, stem)) {
		n = fs_pf_part(pf, stem, false);
		*ino = n ? n->ino : 0;
		return FS_PF_POLICY;
	}
	if (dir == FS_POLICY_JOURNALS) {
		snprintf(stem, sizeof(stem), "%.*s", (int)strlen(name) - 7, name);
		if (!fs_vault_journal_by_name(pf->vault, stem, &index)) {
			*ino = FS_POLICY_JOURNAL + index;
			return FS_PF_POLICY;
		}
	}
	/* Editors' own files begin so. */
	return name[0] == '.' || name[0] == '#' ? FS_PF_SCRATCH : FS_PF_NONE;
}

int fs_pf_name(struct fs_policy_files *pf, const struct fs_pf_node *n,
	       char out[static FS_PF_NAME + 1])
{
	char name[256];

	if (n->name) {
		snprintf(out, FS_PF_NAME + 1, "%s", n->name);
		return 0;
	}
	if (!n->policy || fs_vault_journal_name(pf->vault, (uint32_t)n->ino, name))
		return -ENOENT;
	snprintf(out, FS_PF_NAME + 1, "%.*s.policy", FS_PF_NAME - 7, name);
	return 0;
}

int fs_pf_file(struct fs_policy_files *pf, const struct fs_pf_node *n, char out[static 300])
{
	char part[FS_PF_NAME + 1], name[256];

	if (n->ino == FS_POLICY_PRACTICE) {
		strcpy(out, "practice");
	} else if (n->dir == FS_POLICY_PARTS && n->name && fs_pf_part_name(n->name, part)) {
		snprintf(out, 300, "practice.d/%s", part);
	} else {
		if (fs_vault_journal_name(pf->vault, (uint32_t)n->ino, name))
			return -ENOENT;
		snprintf(out, 300, "%s", name);
	}
	return 0;
}

static const char *dir_path(uint64_t dir)
{
	return dir == FS_POLICY_PARTS	   ? ".policy/practice.d"
	       : dir == FS_POLICY_JOURNALS ? ".policy/journals"
					   : ".policy";
}

void fs_pf_path(struct fs_policy_files *pf, const struct fs_pf_node *n,
		char out[static FS_POLICY_PATH])
{
	char name[FS_PF_NAME + 1];

	out[0] = '\0';
	if (!fs_pf_name(pf, n, name))
		snprintf(out, FS_POLICY_PATH, "%s/%s", dir_path(n->dir), name);
}

void fs_policy_files_path(struct fs_policy_files *pf, uint64_t ino, char out[static FS_POLICY_PATH])
{
	struct fs_pf_node *n = NULL;

	out[0] = '\0';
	if (ino <= FS_POLICY_JOURNALS) {
		strcpy(out, dir_path(ino));
		return;
	}
	pthread_mutex_lock(&pf->lock);
	if (!fs_pf_node(pf, ino, &n))
		fs_pf_path(pf, n, out);
	pthread_mutex_unlock(&pf->lock);
}

bool fs_policy_files_is_policy(uint64_t ino, struct fs_policy_files *pf)
{
	const struct fs_pf_node *n;
	bool is;

	if (ino == FS_POLICY_PRACTICE || ino > FS_POLICY_JOURNAL)
		return true;
	pthread_mutex_lock(&pf->lock);
	n = fs_pf_find(pf, ino);
	is = n && n->policy;
	pthread_mutex_unlock(&pf->lock);
	return is;
}

bool fs_pf_visible(const struct fs_policy_files *pf, const struct fs_pf_node *n, int64_t now_ns)
{
	(void)pf;
	if (n->hidden_until_ns && now_ns < n->hidden_until_ns)
		return false;
	/* A part that is being written for the first time is there for who writes it. */
	return n->dir != FS_POLICY_PARTS || n->exists || n->writers;
}

/* ---- attributes ---- */

static void stat_dir(const struct fs_policy_files *pf, uint64_t ino, struct stat *st)
{
	*st = (struct stat){.st_ino = ino, .st_mode = S_IFDIR | 0700, .st_nlink = 2};
	st->st_mtim.tv_sec = (time_t)pf->session->since_s;
}

static void stat_node(const struct fs_pf_node *n, const struct fs_pf_handle *h, struct stat *st)
{
	uint64_t size = n->policy ? n->size : n->bytes.len;

	if (h && n->policy)
		size = h->own ? h->bytes.len : h->text ? h->text->len : 0;
	*st = (struct stat){
		.st_ino = n->ino,
		.st_mode = S_IFREG | (n->policy ? 0600 : n->mode),
		.st_nlink = n->policy || n->name ? 1 : 0,
		.st_size = (off_t)size,
		.st_blocks = (blkcnt_t)((size + 511) / 512),
	};
	st->st_mtim = n->mtime;
	if (h && h->wrote && n->policy)
		clock_gettime(CLOCK_REALTIME, &st->st_mtim);
}

static void stat_times(struct stat *st)
{
	st->st_atim = st->st_mtim;
	st->st_ctim = st->st_mtim;
	st->st_blksize = 4096;
}

static int lookup(struct fs_policy_files *pf, const struct fs_policy_caller *by, uint64_t dir,
		  const char *name, struct stat *st)
{
	struct fs_pf_node *n = NULL;
	enum fs_pf_kind kind;
	uint64_t ino;
	int rc = dir == FS_POLICY_PARTS ? fs_pf_practice(pf) : 0;

	if (rc)
		return rc;
	kind = fs_pf_kind(pf, dir, name, &ino);
	if (kind == FS_PF_DIR) {
		stat_dir(pf, ino, st);
		return 0;
	}
	if (kind != FS_PF_POLICY) {
		n = fs_pf_scratch(pf, dir, name);
		if (!n)
			return -ENOENT;
		stat_node(n, NULL, st);
		return 0;
	}
	rc = ino ? fs_pf_node(pf, ino, &n) : -ENOENT;
	if (!rc && !fs_pf_visible(pf, n, by->now_ns))
		rc = -ENOENT;
	if (!rc)
		rc = fs_pf_measure(pf, n);
	if (!rc)
		stat_node(n, NULL, st);
	return rc;
}

int fs_policy_files_lookup(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t dir, const char *name, struct stat *st)
{
	int rc;

	if (dir < FS_POLICY_TOP || dir > FS_POLICY_JOURNALS)
		return -ENOTDIR;
	if (strlen(name) > FS_PF_NAME)
		return -ENAMETOOLONG;
	pthread_mutex_lock(&pf->lock);
	rc = lookup(pf, by, dir, name, st);
	pthread_mutex_unlock(&pf->lock);
	if (!rc)
		stat_times(st);
	return rc;
}

int fs_policy_files_stat(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			 uint64_t ino, uint64_t fh, struct stat *st)
{
	struct fs_pf_node *n = NULL;
	const struct fs_pf_handle *h = NULL;
	int rc = 0;

	(void)by;
	pthread_mutex_lock(&pf->lock);
	if (ino >= FS_POLICY_TOP && ino <= FS_POLICY_JOURNALS) {
		stat_dir(pf, ino, st);
	} else {
		h = fh ? fs_pf_handle(pf, fh) : NULL;
		rc = fh && !h ? -EIO : fs_pf_node(pf, ino, &n);
		/* Parts that are new since may take the place of one that is none any more. */
		if (!rc)
			n->pins++;
		if (!rc && n->policy && !h)
			rc = fs_pf_measure(pf, n);
		if (!rc && n->policy && !h && n->dir == FS_POLICY_PARTS && !n->exists &&
		    !n->writers)
			rc = -ENOENT;
		if (!rc)
			stat_node(n, h, st);
		if (n)
			fs_pf_unpin(pf, n);
	}
	pthread_mutex_unlock(&pf->lock);
	if (!rc)
		stat_times(st);
	return rc;
}

int fs_policy_files_set(struct fs_policy_files *pf, uint64_t ino, const mode_t *mode,
			const struct timespec *mtime)
{
	struct fs_pf_node *n = NULL;
	int rc;

	if (ino <= FS_POLICY_JOURNALS)
		return 0;
	pthread_mutex_lock(&pf->lock);
	rc = fs_pf_node(pf, ino, &n);
	if (!rc && !n->policy) {
		if (mode)
			n->mode = *mode & 07777;
		if (mtime)
			n->mtime = *mtime;
	}
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

/* ---- listings ---- */

struct listing {
	struct fs_policy_files *pf;
	fs_policy_files_entry *fn;
	void *ctx;
	int64_t now_ns;
};

static int by_ino(const void *a, const void *b)
{
	const struct fs_pf_node *const *x = a, *const *y = b;

	return ((*x)->ino > (*y)->ino) - ((*x)->ino < (*y)->ino);
}

/* What has a node with a name of its own: scratch files, the practice's parts. */
static int list_nodes(const struct listing *l, uint64_t dir, uint64_t after)
{
	struct fs_policy_files *pf = l->pf;
	struct fs_pf_node **list = NULL;
	size_t n = 0, cap = 0;
	int rc = 0;

	for (unsigned b = 0; b < FS_PF_BUCKETS && !rc; b++) {
		for (struct fs_pf_node *at = pf->bucket[b]; at && !rc; at = at->next) {
			if (at->dir != dir || !at->name || at->ino + 2 <= after ||
			    at->ino < FS_POLICY_OTHERS ||
			    (at->policy && !fs_pf_visible(pf, at, l->now_ns)))
				continue;
			if (n == cap) {
				struct fs_pf_node **more =
					reallocarray(list, cap ? 2 * cap : 64, sizeof(*list));

				cap = cap ? 2 * cap : 64;
				rc = more ? 0 : -ENOMEM;
				list = more ? more : list;
			}
			if (!rc)
				list[n++] = at;
		}
	}
	if (n)
		qsort(list, n, sizeof(*list), by_ino);
	for (size_t k = 0; k < n && !rc; k++)
		rc = l->fn(l->ctx, list[k]->name, list[k]->ino, S_IFREG, list[k]->ino + 2);
	free(list);
	return rc;
}

static int list_top(const struct listing *l, uint64_t after)
{
	static const struct {
		uint64_t ino;
		mode_t type;
		const char *name;
	} fixed[] = {
		{FS_POLICY_PARTS, S_IFDIR, "practice.d"},
		{FS_POLICY_JOURNALS, S_IFDIR, "journals"},
		{FS_POLICY_PRACTICE, S_IFREG, "practice.policy"},
	};
	int rc = 0;

	for (size_t k = 0; k < sizeof(fixed) / sizeof(fixed[0]) && !rc; k++) {
		const struct fs_pf_node *n = fs_pf_find(l->pf, fixed[k].ino);

		if (fixed[k].ino + 2 > after && (!n || fs_pf_visible(l->pf, n, l->now_ns)))
			rc = l->fn(l->ctx, fixed[k].name, fixed[k].ino, fixed[k].type,
				   fixed[k].ino + 2);
	}
	return rc;
}

static int list_journal(void *ctx, uint32_t index, const char *name, uint64_t cookie)
{
	const struct listing *l = ctx;
	const struct fs_pf_node *n = fs_pf_find(l->pf, FS_POLICY_JOURNAL + index);
	char file[FS_PF_NAME + 1];

	if (n && !fs_pf_visible(l->pf, n, l->now_ns))
		return 0;
	snprintf(file, sizeof(file), "%.*s.policy", FS_PF_NAME - 7, name);
	return l->fn(l->ctx, file, FS_POLICY_JOURNAL + index, S_IFREG, FS_POLICY_JOURNAL + cookie);
}

int fs_policy_files_list(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			 uint64_t dir, uint64_t after, fs_policy_files_entry *fn, void *ctx)
{
	struct listing l = {.pf = pf, .fn = fn, .ctx = ctx, .now_ns = by->now_ns};
	int rc;

	if (dir < FS_POLICY_TOP || dir > FS_POLICY_JOURNALS)
		return -ENOTDIR;
	pthread_mutex_lock(&pf->lock);
	rc = dir == FS_POLICY_PARTS ? fs_pf_practice(pf) : 0;
	if (!rc && dir == FS_POLICY_TOP)
		rc = list_top(&l, after);
	if (!rc && after < FS_POLICY_JOURNAL)
		rc = list_nodes(&l, dir, after);
	if (!rc && dir == FS_POLICY_JOURNALS)
		rc = fs_vault_list(pf->vault, pf->session, list_journal,
				   after > FS_POLICY_JOURNAL ? after - FS_POLICY_JOURNAL : 0, &l);
	pthread_mutex_unlock(&pf->lock);
	return rc < 0 ? rc : 0;
}
