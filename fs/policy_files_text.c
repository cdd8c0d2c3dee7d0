/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_files_text.c - the files under `.policy`: texts in force.
 *
 * The practice and its parts have one version number together, so a file's time is
 * that of the version which gave it the text it has: an editor must not hear that
 * its file changed because another part did. Their texts are kept to see that;
 * those of journals are read when somebody opens them.
 *
 * Lock: pf->lock, held across reads of the vault.
 */
#include "policy_files_impl.h"

struct fs_pf_text *fs_pf_text_get(struct fs_pf_text *t)
{
	if (t)
		t->refs++;
	return t;
}

void fs_pf_text_put(struct fs_pf_text *t)
{
	if (!t || --t->refs)
		return;
	keys_wipe(t->p, t->len);
	free(t);
}

static struct fs_pf_text *text_new(const char *p, size_t len, uint32_t version)
{
	struct fs_pf_text *t = malloc(sizeof(*t) + len);

	if (!t)
		return NULL;
	t->refs = 1;
	t->version = version;
	t->len = len;
	if (len)
		memcpy(t->p, p, len);
	return t;
}

struct reading {
	struct fs_policy_files *pf;
	uint32_t version;
	time_t time_s;
};

static int add_part(void *ctx, const char *name, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct fs_pf_node *n = NULL;
	struct fs_pf_text *t;

	if (*name)
		n = fs_pf_part(r->pf, name, true);
	else
		(void)fs_pf_node(r->pf, FS_POLICY_PRACTICE, &n);
	if (!n)
		return -ENOMEM;
	n->exists = true;
	n->size = len;
	if (n->text && n->text->len == len && !memcmp(n->text->p, text, len)) {
		/* Who has it open reads the same; the number is what a save is compared with. */
		n->text->version = r->version;
		return 0;
	}
	t = text_new(text, len, r->version);
	if (!t)
		return -ENOMEM;
	fs_pf_text_put(n->text);
	n->text = t;
	n->mtime = (struct timespec){.tv_sec = r->time_s};
	return 0;
}

int fs_pf_practice(struct fs_policy_files *pf)
{
	struct reading r = {.pf = pf};
	struct fs_policy_stamp stamp;
	uint32_t version = 0;
	int rc = fs_vault_policy_number(pf->vault, "practice", &version);

	if (rc || version == pf->practice)
		return rc;
	rc = fs_vault_policy_stamp(pf->vault, pf->session, version, &stamp);
	if (rc)
		return rc;
	r.version = version;
	r.time_s = (time_t)stamp.time_s;
	for (unsigned b = 0; b < FS_PF_BUCKETS; b++) {
		for (struct fs_pf_node *n = pf->bucket[b]; n; n = n->next)
			n->exists = false;
	}
	pf->practice = 0;
	rc = fs_vault_policy_parts(pf->vault, pf->session, &version, add_part, &r);
	/* A version may have come between the two reads: then the next look reads again. */
	if (!rc && version == r.version)
		pf->practice = version;
	for (unsigned b = 0; b < FS_PF_BUCKETS && !rc; b++) {
		for (struct fs_pf_node *n = pf->bucket[b]; n; n = n->next) {
			if (n->policy && n->dir == FS_POLICY_PARTS && !n->exists) {
				fs_pf_text_put(n->text);
				n->text = NULL;
				n->size = 0;
			}
		}
	}
	return rc;
}

/* The text of this version when somebody has it open. */
static struct fs_pf_text *shared(const struct fs_policy_files *pf, const struct fs_pf_node *n,
				 uint32_t version)
{
	for (const struct fs_pf_handle *h = pf->handle; h; h = h->next) {
		if (h->node == n && h->text && h->text->version == version)
			return h->text;
	}
	return NULL;
}

static int journal_text(struct fs_policy_files *pf, struct fs_pf_node *n, struct fs_pf_text **out)
{
	char file[300], *text = NULL;
	uint32_t version = 0;
	size_t len = 0;
	int rc = fs_pf_file(pf, n, file);

	if (!rc)
		rc = fs_vault_policy_number(pf->vault, file, &version);
	if (rc)
		return rc;
	*out = fs_pf_text_get(shared(pf, n, version));
	if (*out)
		return 0;
	rc = fs_vault_policy_read(pf->vault, pf->session, file, &text, &len, &version);
	if (!rc) {
		*out = text_new(text, len, version);
		rc = *out ? 0 : -ENOMEM;
		keys_wipe(text, len);
	}
	free(text);
	return rc;
}

int fs_pf_text(struct fs_policy_files *pf, struct fs_pf_node *n, struct fs_pf_text **out)
{
	int rc;

	*out = NULL;
	if (n->dir == FS_POLICY_JOURNALS)
		return journal_text(pf, n, out);
	rc = fs_pf_practice(pf);
	if (!rc)
		*out = fs_pf_text_get(n->text);
	return rc;
}

int fs_pf_measure(struct fs_policy_files *pf, struct fs_pf_node *n)
{
	struct fs_policy_stamp stamp;
	struct fs_pf_text *t = NULL;
	uint32_t version = 0;
	char file[300];
	int rc;

	if (n->dir != FS_POLICY_JOURNALS)
		return fs_pf_practice(pf);
	rc = fs_pf_file(pf, n, file);
	if (!rc)
		rc = fs_vault_policy_number(pf->vault, file, &version);
	if (rc || version == n->version)
		return rc;
	rc = journal_text(pf, n, &t);
	if (!rc)
		rc = fs_vault_policy_stamp(pf->vault, pf->session, t->version, &stamp);
	if (!rc) {
		n->version = t->version;
		n->size = t->len;
		n->mtime = (struct timespec){.tv_sec = (time_t)stamp.time_s};
	}
	fs_pf_text_put(t);
	return rc;
}
