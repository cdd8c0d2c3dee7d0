/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/policy_log.c - policy versions by number, time and file: who changed what, when and why.
 *
 * A name is looked for as it was then: a journal that was renamed or removed since
 * is found by the name that it bore. Names are unique at any moment, so the newest
 * version that gives a file this name, and that no newer one of the same file had
 * replaced by then, is the one that was in force. For journals whose name is still
 * theirs it is found along their chain; for others all versions before are looked
 * through, once.
 *
 * Invariants: (1) whoever asks has the policy, the audit or the review right, judged
 * before anything is looked up, so that refusals tell nothing; (2) what is shown was
 * verified to the root; searches look without verifying.
 *
 * Locks: `lock` for single look-ups in memory; none while records are read, so that
 * a long log delays nobody.
 */
#include "../policy/bundle.h"
#include "../policy/diff.h"
#include "../policy/which.h"
#include "policy_log.h"

#define PART_PREFIX "practice.d/"

/* ---- by time ---- */

static uint32_t newest(struct fs_vault *v)
{
	uint32_t number;

	pthread_rwlock_rdlock(&v->lock);
	number = v->counters.policy;
	pthread_rwlock_unlock(&v->lock);
	return number;
}

/* Versions are in the order of their times, unless somebody set the clock back. */
int fs_policy_log_version(struct fs_vault *v, const struct fs_policy_when *when, uint32_t *out)
{
	uint32_t low = 0, high = newest(v);

	if (when->version) {
		if (when->version > high)
			return -ENOENT;
		*out = when->version;
		return 0;
	}
	if (!when->at_s) {
		*out = high;
		return 0;
	}
	/* low is in force by then (0: nothing was), what follows high is not. */
	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;
		struct fs_version ver;
		int rc = fs_policies_peek(v, middle, &ver);

		if (rc)
			return rc;
		if ((int64_t)ver.time_s <= when->at_s)
			low = middle;
		else
			high = middle - 1;
		fs_policies_clear(&ver);
	}
	*out = low;
	return low ? 0 : -ENOENT;
}

/* ---- by name ---- */

/* The journal's name in this version; "" when the text is damaged. */
static void name_in(const struct fs_version *ver, char name[static 256])
{
	if (!policy_which_journal(ver->text, ver->len, name))
		name[0] = '\0';
}

static bool bears(const struct fs_version *ver, const char *name)
{
	char got[256];

	name_in(ver, got);
	return !strcmp(got, name);
}

/* From a version of a file back to its newest one that is not after `version`. -ENOENT: younger. */
static int back_to(struct fs_vault *v, uint32_t number, uint32_t version, struct fs_version *out)
{
	for (;;) {
		uint32_t before;
		int rc;

		if (!number)
			return -ENOENT;
		rc = fs_policies_peek(v, number, out);
		if (rc || number <= version)
			return rc;
		before = out->before;
		fs_policies_clear(out);
		number = before;
	}
}

static uint32_t in_force_of(struct fs_vault *v, const char *name)
{
	const struct fs_entry *e;
	uint32_t number = 0;

	pthread_rwlock_rdlock(&v->lock);
	e = fs_catalog_by_name(v, name);
	if (e)
		number = e->version;
	pthread_rwlock_unlock(&v->lock);
	return number;
}

/*
 * All versions back from `version`. Only the newest of each file says how it was called then; ever:
 * whatever file ever bore the name, and the version in which it did last.
 */
static int search(struct fs_vault *v, const char *name, uint32_t version, bool ever,
		  uint32_t *found)
{
	uint8_t *seen = calloc(FS_JOURNAL_MAX / 8 + 1, 1);
	int rc = seen ? -ENOENT : -ENOMEM;

	for (uint32_t n = version; n && rc == -ENOENT; n--) {
		struct fs_version ver;
		uint8_t *byte, bit;

		rc = fs_policies_peek(v, n, &ver);
		if (rc)
			break;
		rc = -ENOENT;
		byte = &seen[(ver.file & FS_JOURNAL_MAX) / 8];
		bit = (uint8_t)(1u << ver.file % 8);
		if (ver.file && (ever || !(*byte & bit)) && bears(&ver, name)) {
			*found = n;
			rc = 0;
		}
		*byte |= bit;
		fs_policies_clear(&ver);
	}
	free(seen);
	return rc;
}

static int find_journal(struct fs_vault *v, const char *name, uint32_t version, uint32_t *found)
{
	uint32_t current = in_force_of(v, name), by_chain = 0;
	struct fs_version ver;
	int rc = -ENOENT;

	if (current) {
		rc = back_to(v, current, version, &ver);
		if (!rc) {
			by_chain = ver.number;
			rc = bears(&ver, name) ? 0 : -ENOENT;
			*found = ver.number;
			fs_policies_clear(&ver);
		}
	}
	if (rc == -ENOENT)
		rc = search(v, name, version, false, found);
	/* Nothing had this name then; the journal that has it now had another one. */
	if (rc == -ENOENT && by_chain) {
		*found = by_chain;
		rc = 0;
	}
	return rc;
}

static int find_practice(struct fs_vault *v, uint32_t version, uint32_t *found)
{
	struct fs_version ver;
	int rc;

	pthread_rwlock_rdlock(&v->lock);
	*found = version >= v->counters.practice ? v->counters.practice : 0;
	pthread_rwlock_unlock(&v->lock);
	if (*found)
		return 0;
	rc = fs_policies_peek(v, version, &ver);
	if (rc)
		return rc;
	*found = ver.file ? ver.practice : ver.number;
	fs_policies_clear(&ver);
	return *found ? 0 : -ENOENT;
}

int fs_policy_log_find(struct fs_vault *v, const char *file, uint32_t version, uint32_t *found)
{
	if (!strcmp(file, "practice") || !strncmp(file, PART_PREFIX, strlen(PART_PREFIX)))
		return find_practice(v, version, found);
	return find_journal(v, file, version, found);
}

/* ---- what a version says of itself ---- */

static void who_in(struct fs_vault *v, const struct fs_version *ver,
		   char who[static KEYS_NAME_MAX + 1])
{
	const struct keys_identity *id = NULL;

	who[0] = '\0';
	/* Identities are never deleted: also of somebody who left long ago. */
	if (ver->signer && !fs_people_identity(v, ver->signer, ver->enrolment, false, &id))
		snprintf(who, KEYS_NAME_MAX + 1, "%s", id->name);
}

/* The part of the practice's text that a file's name means; all of a journal's. */
static bool part_of(const struct fs_version *ver, const char *file, const char **text, size_t *len)
{
	struct policy_bundle_part part;

	*text = ver->file ? ver->text : "";
	*len = ver->file ? ver->len : 0;
	if (ver->file)
		return true;
	if (!policy_bundle_find(ver->text, ver->len,
				strcmp(file, "practice") ? file + strlen(PART_PREFIX) : "", &part))
		return false;
	*text = part.text;
	*len = part.len;
	return true;
}

static int may_look_back(struct fs_vault *v, struct fs_session *by, struct fs_say *say)
{
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (fs_sessions_has(v, by, POLICY_POLICY) || fs_sessions_has(v, by, POLICY_AUDIT) ||
	    fs_sessions_has(v, by, POLICY_REVIEW))
		return 0;
	fs_say(say,
	       "earlier versions of policies are shown to whom the practice policy gives the policy, "
	       "the audit or the review right, which %s does not have",
	       by->who);
	rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL,
			   "reading earlier versions of a policy");
	return rc ? rc : -EACCES;
}

static int copy_version(struct fs_vault *v, const char *file, const struct fs_version *ver,
			struct fs_policy_text *out)
{
	const char *text;
	size_t len;

	if (!part_of(ver, file, &text, &len))
		return -ENOENT;
	out->text = malloc(len + 1);
	if (!out->text)
		return -ENOMEM;
	memcpy(out->text, text, len);
	out->text[len] = '\0';
	out->len = len;
	out->version = ver->number;
	out->time_s = (int64_t)ver->time_s;
	who_in(v, ver, out->who);
	memcpy(out->reason, ver->reason, sizeof(out->reason));
	snprintf(out->file, sizeof(out->file), "%s", file);
	if (ver->file)
		name_in(ver, out->file);
	return 0;
}

static void say_none(const char *file, const struct fs_policy_when *when, struct fs_say *say)
{
	if (when->version || when->at_s)
		fs_say(say, "there was no policy \"%s\" then", file);
	else
		fs_say(say,
		       "there is no policy \"%s\"; it is \"practice\", \"practice.d/NAME\" or the name of a "
		       "journal, also one that it had before",
		       file);
}

int fs_vault_policy_at(struct fs_vault *v, struct fs_session *by, const char *file,
		       const struct fs_policy_when *when, struct fs_policy_text *out,
		       struct fs_say *say)
{
	uint32_t version = 0, number = 0;
	struct fs_version ver;
	int rc = may_look_back(v, by, say);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	rc = fs_policy_log_version(v, when, &version);
	if (!rc)
		rc = fs_policy_log_find(v, file, version, &number);
	if (!rc)
		rc = fs_policies_read(v, number, &ver);
	if (!rc) {
		rc = copy_version(v, file, &ver, out);
		fs_policies_clear(&ver);
	}
	if (rc == -ENOENT)
		say_none(file, when, say);
	return rc;
}

/* ---- the list of versions ---- */

#define SUMMARY_LINES 3

/* Counts what a unified diff adds and takes, and keeps its first lines. */
static void sum_up(const char *diff, struct fs_policy_change *out)
{
	unsigned kept = 0;
	size_t at = 0;

	while (*diff) {
		size_t len = strcspn(diff, "\n"), lead = len ? 1 + strspn(diff + 1, " \t") : 0;

		if (len && (*diff == '+' || *diff == '-')) {
			*(*diff == '+' ? &out->added : &out->removed) += 1;
			/* Comments and blank lines decide nothing. */
			if (kept < SUMMARY_LINES && lead < len && diff[lead] != '#' &&
			    at + 8 < sizeof(out->summary)) {
				int n = snprintf(out->summary + at, sizeof(out->summary) - at,
						 "%s%c %.*s", kept ? "; " : "", *diff,
						 (int)(len - lead), diff + lead);

				at = n > 0 ? at + (size_t)n : at;
				at = at < sizeof(out->summary) ? at : sizeof(out->summary) - 1;
				kept++;
			}
		}
		diff += len + (diff[len] == '\n');
	}
}

/* The heads of a diff are its first two lines; a changed line may begin like one. */
static const char *behind_heads(const char *diff)
{
	for (int i = 0; i < 2; i++) {
		const char *end = strchr(diff, '\n');

		if (strncmp(diff, "--- ", 4) && strncmp(diff, "+++ ", 4))
			break;
		diff = end ? end + 1 : diff + strlen(diff);
	}
	return diff;
}

static int compare(const struct fs_version *old, const struct fs_version *next, const char *file,
		   struct fs_policy_change *out)
{
	const char *a = "", *b = "";
	size_t a_len = 0, b_len = 0;
	char *diff;

	if (file && old->bytes)
		(void)part_of(old, file, &a, &a_len);
	else if (old->bytes)
		a = old->text, a_len = old->len;
	if (file)
		(void)part_of(next, file, &b, &b_len);
	else
		b = next->text, b_len = next->len;
	out->changed = a_len != b_len || memcmp(a, b, a_len);
	diff = policy_diff(a, a_len, b, b_len, "", 1u << 20);
	if (!diff)
		return -ENOMEM;
	sum_up(behind_heads(diff), out);
	free(diff);
	return 0;
}

static uint32_t version_in_force(struct fs_vault *v, uint32_t file)
{
	const struct fs_entry *e;
	uint32_t number;

	pthread_rwlock_rdlock(&v->lock);
	e = file ? fs_catalog_by_index(v, file) : NULL;
	number = !file ? v->counters.practice : e ? e->version : 0;
	pthread_rwlock_unlock(&v->lock);
	return number;
}

/* One line of the list. file NULL: of all files, and of all parts of the practice. *before receives the version that it replaced. */
static int describe(struct fs_vault *v, uint32_t number, const char *file,
		    struct fs_policy_change *out, uint32_t *before)
{
	struct fs_version ver, old = {0};
	uint32_t current;
	int rc = fs_policies_read(v, number, &ver);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	*before = ver.before;
	out->number = number;
	out->before = ver.before;
	out->time_s = (int64_t)ver.time_s;
	memcpy(out->reason, ver.reason, sizeof(out->reason));
	who_in(v, &ver, out->who);
	strcpy(out->file, "practice");
	if (ver.file)
		name_in(&ver, out->file);
	else if (file)
		snprintf(out->file, sizeof(out->file), "%s", file);
	current = version_in_force(v, ver.file);
	out->state = current == number ? FS_POLICY_IN_FORCE
				       : current ? FS_POLICY_REPLACED : FS_POLICY_GONE;
	if (ver.before)
		rc = fs_policies_peek(v, ver.before, &old);
	if (!rc)
		rc = compare(&old, &ver, file && !strncmp(file, PART_PREFIX, strlen(PART_PREFIX)) ? file
											  : NULL,
			     out);
	fs_policies_clear(&old);
	fs_policies_clear(&ver);
	return rc;
}

/* Where the list of a file begins: its newest version, also of one that had this name once. */
static int newest_of(struct fs_vault *v, const char *file, uint32_t *out)
{
	struct fs_version ver;
	uint32_t current;
	int rc = fs_policy_log_find(v, file, newest(v), out);

	if (rc != -ENOENT)
		return rc;
	rc = search(v, file, newest(v), true, out);
	if (!rc)
		rc = fs_policies_peek(v, *out, &ver);
	if (rc)
		return rc;
	current = version_in_force(v, ver.file);
	if (current)
		*out = current;
	fs_policies_clear(&ver);
	return 0;
}

/* A damaged version is told of and passed over where that can be done: the others are good. */
static int show_all(struct fs_vault *v, uint32_t after,
		    int (*fn)(void *ctx, const struct fs_policy_change *c), void *ctx)
{
	struct fs_policy_change *c = malloc(sizeof(*c));
	int rc = c ? 0 : -ENOMEM;

	for (uint32_t n = c ? newest(v) : 0; n > after && !rc; n--) {
		uint32_t before;

		rc = describe(v, n, NULL, c, &before);
		if (rc == -EBADMSG) {
			fs_vault_alarm(v, 0, "policy version %u does not verify", n);
			rc = 0;
			continue;
		}
		if (!rc)
			rc = fn(ctx, c);
	}
	free(c);
	return rc < 0 ? rc : 0;
}

static int show_file(struct fs_vault *v, const char *file, uint32_t after,
		     int (*fn)(void *ctx, const struct fs_policy_change *c), void *ctx)
{
	struct fs_policy_change *c = malloc(sizeof(*c));
	uint32_t number = 0, before = 0;
	bool any = false;
	int rc = c ? newest_of(v, file, &number) : -ENOMEM;

	for (; !rc && number > after; number = before) {
		rc = describe(v, number, file, c, &before);
		if (!rc && c->changed) {
			any = true;
			rc = fn(ctx, c);
		}
	}
	free(c);
	if (!rc && !any && !after)
		rc = -ENOENT;
	return rc < 0 ? rc : 0;
}

int fs_vault_policy_log(struct fs_vault *v, struct fs_session *by, const char *file, uint32_t after,
			int (*fn)(void *ctx, const struct fs_policy_change *c), void *ctx,
			struct fs_say *say)
{
	const struct fs_policy_when now = {0};
	int rc = may_look_back(v, by, say);

	if (!rc)
		rc = file[0] ? show_file(v, file, after, fn, ctx) : show_all(v, after, fn, ctx);
	if (rc == -ENOENT)
		say_none(file, &now, say);
	return rc;
}
