/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_files_open.c - the files under `.policy`: handles.
 *
 * A handle on a policy file reads the text that was in force when it was opened, to
 * its end, whatever comes meanwhile. What it writes goes to a copy of its own, which
 * nobody else sees until it is saved. Handles on scratch files share the file.
 *
 * Lock: pf->lock; given up around saves.
 */
#include "policy_files_impl.h"

/* Who writes a report has made it a file of his own: it counts, and no good save takes it. */
static int adopt(struct fs_policy_files *pf, struct fs_pf_node *n)
{
	if (!n->report)
		return 0;
	if (pf->bytes + n->bytes.cap > FS_PF_BYTES || pf->files - pf->reports >= FS_PF_FILES)
		return -ENOSPC;
	n->report = false;
	pf->reports--;
	pf->report_bytes -= n->bytes.len;
	pf->bytes += n->bytes.cap;
	return 0;
}

static int open_policy(struct fs_policy_files *pf, const struct fs_policy_caller *by,
		       struct fs_pf_handle *h, int flags, bool made)
{
	struct fs_pf_node *n = h->node;
	int rc = fs_pf_text(pf, n, &h->text);
	uint32_t now = h->text ? h->text->version : 0;

	if (rc)
		return rc;
	if (!h->text && !made)
		return -ENOENT;
	if (!h->writable)
		return 0;
	n->hidden_until_ns = 0;
	h->base = h->append && !made ? now : fs_pf_base(pf, n, by, h->text);
	if (made || flags & O_TRUNC) {
		h->own = true;
		h->dirty = true;
	}
	return 0;
}

static int open_scratch(struct fs_policy_files *pf, struct fs_pf_handle *h, int flags)
{
	int rc = h->writable ? adopt(pf, h->node) : 0;

	if (!rc && h->writable && flags & O_TRUNC) {
		h->node->bytes.len = 0;
		clock_gettime(CLOCK_REALTIME, &h->node->mtime);
	}
	return rc;
}

int fs_policy_files_open(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			 uint64_t ino, int flags, bool made, uint64_t fh)
{
	struct fs_pf_handle *h = calloc(1, sizeof(*h));
	int mode = flags & O_ACCMODE, rc = h ? 0 : -ENOMEM;

	pthread_mutex_lock(&pf->lock);
	if (!rc && pf->handles >= FS_PF_HANDLES)
		rc = -ENFILE;
	if (!rc)
		rc = fs_pf_node(pf, ino, &h->node);
	if (rc) {
		pthread_mutex_unlock(&pf->lock);
		free(h);
		return rc;
	}
	h->fh = fh;
	h->readable = mode != O_WRONLY;
	h->writable = mode != O_RDONLY || flags & O_TRUNC;
	h->append = (flags & O_APPEND) != 0;
	h->owner = by->pid;
	h->node->pins++;
	h->node->writers += h->writable;
	h->next = pf->handle;
	pf->handle = h;
	pf->handles++;
	rc = h->node->policy ? open_policy(pf, by, h, flags, made) : open_scratch(pf, h, flags);
	if (rc)
		fs_pf_handle_drop(pf, h);
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

int fs_policy_files_read(struct fs_policy_files *pf, const struct fs_policy_caller *by, uint64_t fh,
			 uint64_t off, size_t size, char *buf, size_t *got)
{
	const struct fs_pf_handle *h;
	const char *p = NULL;
	size_t len = 0;
	int rc = 0;

	pthread_mutex_lock(&pf->lock);
	h = fs_pf_handle(pf, fh);
	if (!h) {
		rc = -EIO;
	} else if (!h->readable) {
		rc = -EBADF;
	} else if (!h->node->policy) {
		p = h->node->bytes.p;
		len = h->node->bytes.len;
	} else if (h->own) {
		p = h->bytes.p;
		len = h->bytes.len;
	} else if (h->text) {
		p = h->text->p;
		len = h->text->len;
		fs_pf_saw(h->node, by, h->text->version);
	}
	if (!rc) {
		*got = off >= len ? 0 : len - (size_t)off < size ? len - (size_t)off : size;
		if (*got)
			memcpy(buf, p + off, *got);
	}
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

/* What the handle writes to: of a policy file its own copy. */
static int bytes_of(struct fs_policy_files *pf, struct fs_pf_handle *h, struct fs_pf_bytes **out)
{
	int rc = 0;

	if (!h->node->policy) {
		*out = &h->node->bytes;
		clock_gettime(CLOCK_REALTIME, &h->node->mtime);
		return 0;
	}
	if (!h->own && h->text)
		rc = fs_pf_bytes_set(pf, &h->bytes, h->text->p, h->text->len, true);
	if (rc)
		return rc;
	h->own = true;
	*out = &h->bytes;
	return 0;
}

static void changed(struct fs_pf_handle *h)
{
	if (!h->node->policy)
		return;
	h->dirty = true;
	h->changes++;
}

int fs_policy_files_write(struct fs_policy_files *pf, uint64_t fh, uint64_t off, bool append,
			  const char *buf, size_t len)
{
	struct fs_pf_bytes *b = NULL;
	struct fs_pf_handle *h;
	int rc;

	pthread_mutex_lock(&pf->lock);
	h = fs_pf_handle(pf, fh);
	rc = !h ? -EIO : !h->writable ? -EBADF : bytes_of(pf, h, &b);
	if (!rc && append)
		off = b->len;
	if (!rc && (off > FS_PF_LARGEST || len > FS_PF_LARGEST - off))
		rc = -EFBIG;
	if (!rc && off + len > b->len)
		rc = fs_pf_bytes_resize(pf, b, off + len, true);
	if (!rc && len) {
		memcpy(b->p + off, buf, len);
		h->wrote = true;
		changed(h);
	}
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

/* truncate(2) by path: the text as it is in force, cut. A save of its own. */
static int resize_policy(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			 struct fs_pf_node *n, uint64_t size, struct fs_policy_outcome *out)
{
	struct fs_pf_text *t = NULL;
	char *copy = NULL;
	uint32_t base = 0;
	int rc;

	n->pins++;
	rc = size > FS_PF_LARGEST ? -EFBIG : fs_pf_text(pf, n, &t);
	if (!rc && t && t->len != size) {
		base = t->version;
		copy = calloc(1, (size_t)size + 1);
		rc = copy ? 0 : -ENOMEM;
		if (!rc)
			memcpy(copy, t->p, t->len < size ? t->len : (size_t)size);
	}
	fs_pf_text_put(t);
	if (!rc && copy) {
		pthread_mutex_unlock(&pf->lock);
		rc = fs_pf_save_text(pf, by, n, copy, (size_t)size, base, out);
		keys_wipe(copy, (size_t)size);
		pthread_mutex_lock(&pf->lock);
	}
	free(copy);
	fs_pf_unpin(pf, n);
	return rc;
}

int fs_policy_files_resize(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t ino, uint64_t fh, uint64_t size, struct fs_policy_outcome *out)
{
	struct fs_pf_handle *h = NULL;
	struct fs_pf_bytes *b = NULL;
	struct fs_pf_node *n = NULL;
	int rc;

	pthread_mutex_lock(&pf->lock);
	h = fh ? fs_pf_handle(pf, fh) : NULL;
	rc = fh && !h ? -EIO : h && !h->writable ? -EBADF : fs_pf_node(pf, ino, &n);
	if (!rc && h) {
		rc = bytes_of(pf, h, &b);
		if (!rc)
			rc = fs_pf_bytes_resize(pf, b, size, true);
		if (!rc)
			changed(h);
	} else if (!rc && n->policy) {
		rc = resize_policy(pf, by, n, size, out);
	} else if (!rc) {
		rc = adopt(pf, n);
		if (!rc)
			rc = fs_pf_bytes_resize(pf, &n->bytes, size, true);
		clock_gettime(CLOCK_REALTIME, &n->mtime);
	}
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

int fs_policy_files_length(struct fs_policy_files *pf, uint64_t fh, uint64_t *len)
{
	const struct fs_pf_handle *h;
	int rc = 0;

	pthread_mutex_lock(&pf->lock);
	h = fs_pf_handle(pf, fh);
	if (!h)
		rc = -EIO;
	else if (!h->node->policy)
		*len = h->node->bytes.len;
	else
		*len = h->own ? h->bytes.len : h->text ? h->text->len : 0;
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

/* ---- saving ---- */

/* The text that is saved, as it is now, with its node pinned. With the lock. */
static int take(struct fs_pf_handle *h, char **text, size_t *len)
{
	*len = h->bytes.len;
	*text = malloc(*len + 1);
	if (!*text)
		return -ENOMEM;
	if (*len)
		memcpy(*text, h->bytes.p, *len);
	(*text)[*len] = '\0';
	h->node->pins++;
	return 0;
}

/* After a save of what the handle held at `changes`. With the lock. */
static void saved(struct fs_policy_files *pf, uint64_t fh, uint64_t changes, int rc)
{
	struct fs_pf_handle *h = fs_pf_handle(pf, fh);

	if (!h)
		return;
	if (!rc && h->node->shown)
		h->base = h->node->shown;
	if (h->changes == changes) {
		h->dirty = false;
		h->saved_rc = rc;
	}
}

/*
 * A descriptor that another process has closed is not the end of writing: the shell's commands
 * each close what they inherited. The one who opened the file does so too, sooner or later.
 */
static bool not_the_end(const struct fs_pf_handle *h, const struct fs_policy_caller *by)
{
	return h->owner && by->pid && h->owner != by->pid;
}

int fs_policy_files_save(struct fs_policy_files *pf, const struct fs_policy_caller *by, uint64_t fh,
			 enum fs_policy_save how, struct fs_policy_outcome *out)
{
	struct fs_pf_node *n = NULL;
	struct fs_pf_handle *h;
	uint64_t changes = 0;
	uint32_t base = 0;
	char *text = NULL;
	size_t len = 0;
	int rc = 0;

	pthread_mutex_lock(&pf->lock);
	h = fs_pf_handle(pf, fh);
	if (!h || !h->node->policy || !h->writable)
		rc = h ? 0 : -EIO;
	else if (!h->dirty)
		rc = h->saved_rc;
	else if (how == FS_POLICY_FLUSH && not_the_end(h, by))
		rc = 0;
	else if (!h->bytes.len && !h->wrote)
		/* The shell has not begun yet. Told in earnest when nothing more comes. */
		rc = -EINVAL;
	else
		rc = take(h, &text, &len);
	if (text) {
		n = h->node;
		base = h->base;
		changes = h->changes;
	}
	pthread_mutex_unlock(&pf->lock);
	if (!text)
		return rc;
	rc = fs_pf_save_text(pf, by, n, text, len, base, out);
	keys_wipe(text, len);
	free(text);
	pthread_mutex_lock(&pf->lock);
	saved(pf, fh, changes, rc);
	fs_pf_unpin(pf, n);
	pthread_mutex_unlock(&pf->lock);
	return rc;
}

void fs_policy_files_close(struct fs_policy_files *pf, const struct fs_policy_caller *by,
			   uint64_t fh, struct fs_policy_outcome *out)
{
	struct fs_pf_node *n = NULL;
	struct fs_pf_handle *h;
	uint32_t base = 0;
	char *text = NULL;
	size_t len = 0;

	pthread_mutex_lock(&pf->lock);
	h = fs_pf_handle(pf, fh);
	if (h && h->node->policy && h->writable && h->dirty && !take(h, &text, &len)) {
		n = h->node;
		base = h->base;
	}
	if (h)
		fs_pf_handle_drop(pf, h);
	pthread_mutex_unlock(&pf->lock);
	if (!text)
		return;
	(void)fs_pf_save_text(pf, by, n, text, len, base, out);
	keys_wipe(text, len);
	free(text);
	pthread_mutex_lock(&pf->lock);
	fs_pf_unpin(pf, n);
	pthread_mutex_unlock(&pf->lock);
}
