/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_whole.c - verifies the access log, and remembers what was verified.
 *
 * Beside what a log-in saw last (kept.c), which follows whatever the daemon says, the last
 * checkpoint that a verification found good is kept in STATE/journalfs/checkpoints/<vault
 * id>.verified: it moves only behind a verification that compared with it, so that a log which
 * forked since is found even when somebody logged in meanwhile.
 */
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_whole.h"
#include "kept.h"
#include "new_file.h"

#define KEPT_MAX (TOOL_FROMS + 2)

/* ---- files ---- */

static int read_whole(const char *path, size_t max, char **out, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *p = f ? malloc(max + 1) : NULL;
	size_t n;
	int rc = 0;

	if (!p) {
		rc = f ? -ENOMEM : -errno;
		if (f)
			fclose(f);
		return rc;
	}
	n = fread(p, 1, max + 1, f);
	if (ferror(f))
		rc = -EIO;
	else if (n > max)
		rc = -EFBIG;
	fclose(f);
	if (rc) {
		free(p);
		return rc;
	}
	p[n] = '\0';
	*out = p;
	*len = n;
	return 0;
}

char *tools_audit_text_file(const char *path, size_t max, size_t *len)
{
	char *p = NULL;
	int rc = read_whole(path, max, &p, len);

	if (rc == -EFBIG)
		tools_fail("%s is longer than %zu bytes: not what was asked for", path, max);
	else if (rc)
		tools_fail("%s can't be read: %s", path, strerror(-rc));
	return p;
}

int tools_audit_checkpoint(const char *path, const char *text, size_t len,
			   struct keys_checkpoint *out)
{
	struct keys_signed_note note;

	if (strlen(text) != len || keys_signed_note_parse(text, len, &note) ||
	    keys_checkpoint_read(&note, out))
		return tools_fail(
			"%s is no checkpoint of journalfs (`journalfs audit anchor --to FILE` "
			"writes one)",
			path);
	return TOOL_OK;
}

void tools_audit_vkey(const uint8_t *vault, const uint8_t *witness_pk, char out[static AUDIT_VKEY])
{
	char name[KEYS_CHECKPOINT_NAME + 16];

	keys_checkpoint_origin(vault, name);
	strcat(name, "/witness");
	if (!keys_note_vkey(name, witness_pk, out, AUDIT_VKEY))
		out[0] = '\0';
}

/* ---- what is kept ---- */

struct keeping {
	char *text[KEPT_MAX];
	size_t n;
};

static void keeping_clear(struct keeping *k)
{
	while (k->n > 0)
		free(k->text[--k->n]);
}

static int verified_path(const uint8_t *vault, char *out, size_t cap)
{
	int rc = tools_kept_path(vault, out, cap);
	size_t len = rc ? 0 : strlen(out);

	if (!rc && (size_t)snprintf(out + len, cap - len, ".verified") >= cap - len)
		rc = -ENAMETOOLONG;
	return rc;
}

/* What this account has of the vault; silently nothing where it has nothing. */
static void keep_own(struct keeping *k, const uint8_t *vault)
{
	char path[PATH_MAX], seen[KEYS_CHECKPOINT_MAX];
	size_t len;

	if (!tools_kept_read(vault, seen)) {
		k->text[k->n] = strdup(seen);
		k->n += k->text[k->n] != NULL;
	}
	if (!verified_path(vault, path, sizeof(path)) &&
	    !read_whole(path, KEYS_CHECKPOINT_MAX - 1, &k->text[k->n], &len))
		k->n++;
}

static int keep(struct keeping *k, const struct tool_options *o, const uint8_t *vault,
		struct audit_whole *w)
{
	for (int i = 0; i < o->from_count; i++) {
		struct keys_checkpoint c;
		size_t len = 0;
		char *text = tools_audit_text_file(o->froms[i], KEYS_CHECKPOINT_MAX - 1, &len);

		if (!text)
			return TOOL_FAILED;
		k->text[k->n++] = text;
		if (tools_audit_checkpoint(o->froms[i], text, len, &c))
			return TOOL_FAILED;
	}
	if (vault)
		keep_own(k, vault);
	w->kept = (unsigned)k->n;
	w->remembered = (unsigned)k->n - (unsigned)o->from_count;
	return TOOL_OK;
}

void tools_audit_whole_remember(const struct audit_whole *w)
{
	struct tools_new_file f = {0};
	char path[PATH_MAX];

	if (w->v.alarms || !w->v.checkpoint[0] || verified_path(w->v.vault, path, sizeof(path)) ||
	    tools_new_file_open(&f, path))
		return;
	fputs(w->v.checkpoint, f.to);
	(void)tools_new_file_commit(&f);
}

char *tools_audit_whole_verified(const uint8_t vault[static KEYS_VAULT_ID_LEN], int64_t *when_s)
{
	char path[PATH_MAX], *text = NULL;
	struct stat st;
	size_t len;

	if (verified_path(vault, path, sizeof(path)) || stat(path, &st) ||
	    read_whole(path, KEYS_CHECKPOINT_MAX - 1, &text, &len))
		return NULL;
	*when_s = (int64_t)st.st_mtim.tv_sec;
	return text;
}

/* ---- whose log ---- */

/*
 * --root: the hash of the vault's header, as configurations pin it, where the header lies beside
 * the log (VAULT/header, VAULT/log) or the daemon showed it; else the root key itself.
 */
static int root_of(const struct tool_options *o, const uint8_t *pinned,
		   uint8_t root_pk[static KEYS_LEN], bool *known)
{
	uint8_t raw[KEYS_HEADER_LEN], hash[KEYS_LEN];
	char path[PATH_MAX], *text = NULL;
	struct keys_header h;
	size_t len = 0;

	*known = o->root || pinned;
	if (pinned)
		memcpy(root_pk, pinned, KEYS_LEN);
	if (!o->root)
		return TOOL_OK;
	if (tools_conf_unhex(o->root, root_pk, KEYS_LEN))
		return tools_usage("--root takes 64 hexadecimal digits: `root` of the vault's "
				   "configuration, or the root key that `audit verify` names");
	if (!o->log ||
	    (size_t)snprintf(path, sizeof(path), "%s/../header", o->log) >= sizeof(path) ||
	    read_whole(path, sizeof(raw), &text, &len))
		return TOOL_OK;
	if (len == sizeof(raw) && !keys_header_decode((const uint8_t *)text, len, &h)) {
		memcpy(raw, text, len);
		keys_header_root_hash(raw, hash);
		if (keys_equal(hash, root_pk, KEYS_LEN))
			memcpy(root_pk, h.root_pk, KEYS_LEN);
	}
	free(text);
	return TOOL_OK;
}

/* ---- verifying ---- */

static void take_finding(void *ctx, const struct fs_log_finding *f)
{
	struct audit_whole *w = ctx;
	struct audit_whole_finding *more = reallocarray(w->finding, w->findings + 1, sizeof(*more));

	if (!more)
		return; /* it was counted */
	w->finding = more;
	more[w->findings].f = *f;
	more[w->findings].f.text = strdup(f->text);
	w->findings++;
}

static int show_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct audit_whole *w = ctx;
	int now = total ? (int)(done * 100 / total) : 100;

	if (w->terminal && now != w->shown)
		fprintf(stderr, "\rverifying the access log: %d %% of %" PRIu64 " MB ", now,
			total / 1000000);
	w->shown = now;
	return 0;
}

static int say_failed(const struct tool_options *o, int rc)
{
	const char *where = o->log ? o->log : "the access log";

	if (rc == -ENODATA)
		return tools_fail("%s holds no access log: no segment in it begins as one does",
				  where);
	if (rc == -ENOMEM)
		return tools_fail("out of memory");
	return tools_fail("%s could not be verified: %s", where, strerror(-rc));
}

int tools_audit_whole(struct audit_source *s, const struct tool_options *o, struct audit_whole *w)
{
	const struct fs_log_source *source = tools_audit_segments(s);
	uint8_t root_pk[KEYS_LEN];
	struct keeping k = {.n = 0};
	struct fs_log_verifying q = {
		.source = source,
		.vault = tools_audit_vault(s),
		.least = tools_audit_least(s),
		.finding = take_finding,
		.progress = show_progress,
		.ctx = w,
	};
	int rc;

	*w = (struct audit_whole){.terminal = isatty(STDERR_FILENO), .shown = -1};
	if (!source)
		return TOOL_FAILED;
	rc = root_of(o, tools_audit_root(s), root_pk, &w->root_known);
	if (!rc)
		rc = keep(&k, o, q.vault, w);
	if (rc) {
		keeping_clear(&k);
		return rc;
	}
	q.root_pk = w->root_known ? root_pk : NULL;
	q.kept = (const char *const *)k.text;
	q.kept_count = k.n;
	rc = fs_log_verify(&q, &w->v);
	if (w->terminal)
		fputs("\r\x1b[K", stderr);
	keeping_clear(&k);
	return rc ? say_failed(o, rc) : TOOL_OK;
}

void tools_audit_whole_clear(struct audit_whole *w)
{
	for (size_t i = 0; i < w->findings; i++)
		free((char *)w->finding[i].f.text);
	free(w->finding);
	*w = (struct audit_whole){0};
}
