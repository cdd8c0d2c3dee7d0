/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_parts.c - policy files by name: the practice's parts, and what one file was.
 *
 * The practice policy and its parts (`include practice.d`) are stored as one text
 * (policy/bundle.h) with one version number. Here one file of it is taken out or put
 * in; whether the whole is a policy, policy_put.c asks. FORMAT.md, "PRACTICE".
 *
 * Locks: `lock` for the numbers in memory; none while records are read.
 */
#include "../policy/bundle.h"
#include "vault_impl.h"

#define DIR "practice.d/"
#define WHOLE "*" /* in the place of a part's name: the practice with all its parts, as it is stored */

const char *fs_policies_part(const char *file)
{
	if (!strcmp(file, "practice"))
		return "";
	if (!strncmp(file, DIR, strlen(DIR)) &&
	    (policy_name_check(file + strlen(DIR)) || !strcmp(file + strlen(DIR), WHOLE)))
		return file + strlen(DIR);
	return NULL;
}

int fs_policies_part_take(const char *file, char *text, size_t *len)
{
	const char *name = fs_policies_part(file);
	struct policy_bundle_part part;

	if (!name || !strcmp(name, WHOLE))
		return 0;
	if (!policy_bundle_find(text, *len, name, &part))
		return -ENOENT;
	memmove(text, part.text, part.len);
	keys_wipe(text + part.len, *len - part.len);
	text[part.len] = '\0';
	*len = part.len;
	return 0;
}

/* Somebody moved lines between the files: only all of them at once are a policy before and after. */
static int whole_put(const char *text, size_t len, char **out, size_t *out_len, char **report)
{
	struct policy_report *lines = NULL;

	if (text && policy_bundle_whole(text, len)) {
		*out = malloc(len + 1);
		if (!*out)
			return -ENOMEM;
		memcpy(*out, text, len);
		(*out)[len] = '\0';
		*out_len = len;
		return 0;
	}
	if (report && !policy_report_new(&lines)) {
		policy_report_add(lines, "practice.policy", 1, 1,
				  "a part begins with a line `%%part NAME`, each name once and in "
				  "the order of the names");
		*report = policy_report_text(lines);
		policy_report_free(lines);
	}
	return -EINVAL;
}

static void refused(const char *file, const char *name, int error, char **report)
{
	struct policy_report *lines = NULL;
	char at[POLICY_NAME_MAX + 32];

	if (!report || policy_report_new(&lines))
		return;
	snprintf(at, sizeof(at), "%s.policy", file);
	if (error == ENOSPC)
		policy_report_add(lines, at, 1, 1, "a practice has at most %d parts: join some",
				  POLICY_BUNDLE_PARTS);
	else if (error == ENOENT)
		policy_report_add(lines, at, 1, 1, "the practice has no part `%s`", name);
	else
		policy_report_add(lines, at, 1, 1,
				  "no line of a policy begins with `%%part`: take it out");
	*report = policy_report_text(lines);
	policy_report_free(lines);
}

int fs_policies_part_put(struct fs_vault *v, const char *file, const char *text, size_t len,
			 char **out, size_t *out_len, char **report)
{
	const char *name = fs_policies_part(file);
	uint32_t version;
	char *old = NULL;
	size_t old_len = 0;
	int rc;

	if (!strcmp(name, WHOLE))
		return whole_put(text, len, out, out_len, report);
	rc = fs_policies_text(v, 0, &old, &old_len, &version);
	/* A damaged text must not keep a steward from putting a good one in its place. */
	if (rc && rc != -EBADMSG && rc != -ENOENT)
		return rc;
	*out = policy_bundle_put(old ? old : "", old_len, name, text, len, out_len);
	rc = *out ? 0 : -errno;
	if (old)
		keys_wipe(old, old_len);
	free(old);
	if (!rc || rc == -ENOMEM)
		return rc;
	refused(file, name, -rc, report);
	return -EINVAL;
}

int fs_policies_part_move(struct fs_vault *v, const char *file, const char *newfile, char **out,
			  size_t *out_len)
{
	const char *name = fs_policies_part(file), *newname = fs_policies_part(newfile);
	char *old = NULL, *both = NULL;
	struct policy_bundle_part part;
	size_t len = 0, both_len = 0;
	uint32_t version;
	int rc = fs_policies_text(v, 0, &old, &len, &version);

	if (!rc && policy_bundle_find(old, len, newname, &part))
		rc = -EEXIST;
	if (!rc && !policy_bundle_find(old, len, name, &part))
		rc = -ENOENT;
	if (!rc) {
		both = policy_bundle_put(old, len, newname, part.text, part.len, &both_len);
		rc = both ? 0 : -errno;
	}
	if (!rc) {
		*out = policy_bundle_put(both, both_len, name, NULL, 0, out_len);
		rc = *out ? 0 : -errno;
	}
	free(both);
	free(old);
	return rc;
}

int fs_policies_text_at(struct fs_vault *v, const char *file, uint32_t which, uint32_t number,
			char **text, size_t *len)
{
	struct fs_version ver;
	uint32_t newest;
	char *copy;
	int rc;

	pthread_rwlock_rdlock(&v->lock);
	newest = v->counters.policy;
	pthread_rwlock_unlock(&v->lock);
	if (!number || number > newest)
		return -ENOENT;
	rc = fs_policies_read(v, number, &ver);
	if (rc)
		return rc;
	copy = ver.file == which ? malloc(ver.len + 1) : NULL;
	rc = ver.file != which ? -ENOENT : copy ? 0 : -ENOMEM;
	if (!rc) {
		memcpy(copy, ver.text, ver.len);
		copy[ver.len] = '\0';
		*len = ver.len;
		rc = fs_policies_part_take(file, copy, len);
	}
	fs_policies_clear(&ver);
	if (rc)
		free(copy);
	else
		*text = copy;
	return rc;
}

bool fs_policies_part_same(struct fs_vault *v, const char *file, uint32_t base)
{
	char *was = NULL, *now = NULL;
	size_t was_len = 0, now_len = 0;
	uint32_t version;
	int then_rc = base ? fs_policies_text_at(v, file, 0, base, &was, &was_len) : -ENOENT;
	int now_rc = fs_policies_text(v, 0, &now, &now_len, &version);
	bool same;

	/* The number must be one of the practice's, whatever it said. */
	if (base && then_rc == -ENOENT) {
		char *whole = NULL;
		size_t len = 0;

		then_rc = fs_policies_text_at(v, "practice", 0, base, &whole, &len) ? -EINVAL
										    : -ENOENT;
		free(whole);
	}
	if (!now_rc)
		now_rc = fs_policies_part_take(file, now, &now_len);
	same = (!then_rc && !now_rc && was_len == now_len && !memcmp(was, now, now_len)) ||
	       (then_rc == -ENOENT && now_rc == -ENOENT);
	free(was);
	free(now);
	return same;
}

/* ---- what the files under .policy ask ---- */

int fs_vault_policy_number(struct fs_vault *v, const char *file, uint32_t *version)
{
	const struct fs_entry *e = NULL;
	bool practice = fs_policies_part(file) != NULL;
	int rc = 0;

	pthread_rwlock_rdlock(&v->lock);
	if (!v->practice)
		rc = -ENOKEY;
	else if (!practice)
		e = fs_catalog_by_name(v, file);
	if (!rc && !practice && !e)
		rc = -ENOENT;
	if (!rc)
		*version = e ? e->version : v->counters.practice;
	pthread_rwlock_unlock(&v->lock);
	return rc;
}

static int may(struct fs_vault *v, struct fs_session *by)
{
	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	return fs_sessions_has(v, by, POLICY_POLICY) ? 0 : -EACCES;
}

int fs_vault_policy_read(struct fs_vault *v, struct fs_session *by, const char *file, char **text,
			 size_t *len, uint32_t *version)
{
	uint32_t which;
	int rc = may(v, by);

	if (!rc)
		rc = fs_policies_file(v, file, &which);
	if (!rc)
		rc = fs_policies_text(v, which, text, len, version);
	if (!rc)
		rc = fs_policies_part_take(file, *text, len);
	if (rc) {
		free(*text);
		*text = NULL;
	}
	return rc;
}

int fs_vault_policy_parts(struct fs_vault *v, struct fs_session *by, uint32_t *version,
			  int (*fn)(void *ctx, const char *name, const char *text, size_t len),
			  void *ctx)
{
	struct policy_bundle_part part;
	char *text = NULL;
	size_t len = 0, at = 0;
	int rc = may(v, by);

	if (!rc)
		rc = fs_policies_text(v, 0, &text, &len, version);
	while (!rc && policy_bundle_next(text, len, &at, &part))
		rc = fn(ctx, part.name, part.text, part.len);
	if (text)
		keys_wipe(text, len);
	free(text);
	return rc;
}

int fs_vault_policy_stamp(struct fs_vault *v, struct fs_session *by, uint32_t number,
			  struct fs_policy_stamp *out)
{
	const struct keys_identity *id = NULL;
	struct fs_version ver;
	int rc = may(v, by);

	if (!rc)
		rc = fs_policies_read(v, number, &ver);
	if (rc)
		return rc;
	if (ver.signer)
		(void)fs_people_identity(v, ver.signer, ver.enrolment, false, &id);
	out->time_s = ver.time_s;
	out->before = ver.before;
	snprintf(out->who, sizeof(out->who), "%s", id ? id->name : "the vault's root");
	fs_policies_clear(&ver);
	return 0;
}

int fs_vault_policy_text_at(struct fs_vault *v, struct fs_session *by, const char *file,
			    uint32_t number, char **text, size_t *len)
{
	uint32_t which;
	int rc = may(v, by);

	if (!rc)
		rc = fs_policies_file(v, file, &which);
	return rc ? rc : fs_policies_text_at(v, file, which, number, text, len);
}
