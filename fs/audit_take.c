/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/audit_take.c - what an auditor takes besides records: sealed segments, keys of streams,
 * policies, checkpoints; and the sign-off of a review.
 *
 * Owns what is logged of it. Sealed segments show an operator nothing that the vault's directory
 * does not; a key opens a stretch of the log for ever, so it is logged as an export.
 *
 * Invariants: (1) what is taken is durable in the log before the first byte is given; (2) a key is
 * given only to the auditor's own live session, of a stream that his own key opens and that a
 * daemon of this vault signed.
 *
 * Locks: `lock` and the session's lock for single looks; none while segments are read or fn runs.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../policy/which.h"
#include "clock.h"
#include "log_segment.h"
#include "vault_impl.h"

#define TAKING_NS (UINT64_C(600) * 1000000000)
#define ANY_RIGHT (POLICY_AUDIT | POLICY_REVIEW | POLICY_POLICY)

static int log_dirfd(struct fs_vault *v)
{
	int fd = openat(v->dirfd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* ---- segments ---- */

static void part_name(uint64_t number, enum fs_audit_part part, char out[static FS_LOG_NAME])
{
	if (part == FS_AUDIT_ARCHIVE) {
		snprintf(out, FS_LOG_NAME, "archive");
		return;
	}
	fs_log_segment_name(number, out);
	if (part == FS_AUDIT_INDEX)
		memcpy(strrchr(out, '.'), ".idx", 5);
}

static int look_at_segment(int dirfd, uint64_t number, struct fs_audit_segment *out)
{
	char name[FS_LOG_NAME];
	struct stat st;

	part_name(number, FS_AUDIT_INDEX, name);
	*out = (struct fs_audit_segment){.number = number,
					 .index = !fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW)};
	part_name(number, FS_AUDIT_SEGMENT, name);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	out->bytes = (uint64_t)st.st_size;
	return 0;
}

/* So that what is taken is sealed to its end; a full disk leaves it as it was. */
static int seal_newest(struct fs_vault *v)
{
	uint8_t root[KEYS_LEN];
	uint64_t commit = 0;

	fs_records_head(v->records, &commit, root);
	return fs_log_checkpoint_now(v->log, commit, root);
}

/* One record for what a session takes within a while, before its first byte. */
static int tell_taking(struct fs_vault *v, struct fs_session *by, const char *purpose)
{
	int rc = fs_vault_tell(v, by, POLICY_RECORD_AUDIT, 0, NULL,
			       "the log's segments were taken, sealed%s%s",
			       purpose && purpose[0] ? ", for " : "", purpose ? purpose : "");

	if (!rc)
		atomic_store(&by->taking_ns, (unsigned long long)fs_clock_boot_ns());
	return rc;
}

/* So is a segment that is asked for without the list, or long after it. */
static int check_told(struct fs_vault *v, struct fs_session *by)
{
	unsigned long long told = atomic_load(&by->taking_ns);

	if (told && (unsigned long long)fs_clock_boot_ns() - told < TAKING_NS)
		return 0;
	return tell_taking(v, by, NULL);
}

int fs_vault_audit_segments(struct fs_vault *v, struct fs_session *by, const char *purpose,
			    int (*fn)(void *ctx, const struct fs_audit_segment *s), void *ctx,
			    uint64_t *durable, struct fs_say *say)
{
	uint64_t *list = NULL;
	struct fs_log_stat st;
	size_t n = 0;
	int fd, rc = fs_audit_may(v, by, ANY_RIGHT, "taking the log's segments", say);

	if (rc)
		return rc;
	rc = tell_taking(v, by, purpose);
	if (rc)
		return rc;
	(void)seal_newest(v);
	fd = log_dirfd(v);
	if (fd < 0)
		return fd;
	fs_log_stat(v->log, &st);
	*durable = st.durable;
	rc = fs_log_segment_list(fd, &list, &n);
	for (size_t i = 0; i < n && !rc; i++) {
		struct fs_audit_segment s;

		rc = look_at_segment(fd, list[i], &s);
		if (rc == -ENOENT)
			rc = 0; /* archived meanwhile */
		else if (!rc)
			rc = fn(ctx, &s);
	}
	free(list);
	close(fd);
	return rc < 0 ? rc : 0;
}

int fs_vault_audit_segment(struct fs_vault *v, struct fs_session *by, uint64_t number,
			   enum fs_audit_part part, int *fd, struct fs_say *say)
{
	char name[FS_LOG_NAME];
	struct stat st;
	int dirfd, rc = fs_audit_may(v, by, ANY_RIGHT, "taking the log's segments", say);

	if (rc)
		return rc;
	if (part != FS_AUDIT_ARCHIVE && (!number || number > FS_LOG_NUMBER_MAX))
		return -ENOENT;
	rc = check_told(v, by);
	if (rc)
		return rc;
	dirfd = log_dirfd(v);
	if (dirfd < 0)
		return dirfd;
	part_name(number, part, name);
	*fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	rc = *fd < 0 ? -errno : 0;
	if (!rc && (fstat(*fd, &st) || !S_ISREG(st.st_mode))) {
		close(*fd);
		rc = -EBADMSG;
	}
	close(dirfd);
	return rc;
}

/* ---- keys of streams ---- */

struct streams {
	struct fs_vault *v;
	struct fs_session *by;
	struct fs_audit_streams *q;
	int (*fn)(void *ctx, const struct fs_audit_key *k);
	void *ctx;
	struct fs_log_head last;      /* without its wraps: what waits for its end to be known */
	struct fs_audit_key *key;     /* guarded; of last */
	struct keys_ratchet *ratchet; /* guarded */
	bool waits;		      /* last and key are set */
};

static bool believed(const struct fs_audit_streams *q, const uint8_t pk[static KEYS_LEN])
{
	for (size_t i = 0; i < q->daemons; i++) {
		if (!memcmp(q->daemon[i], pk, KEYS_LEN))
			return true;
	}
	return false;
}

/* The one that waits lasted until then; 0: it still goes on. */
static int give_last(struct streams *w, uint64_t end_s)
{
	const struct fs_audit_streams *q = w->q;
	bool wanted = w->waits && (!q->since_s || !end_s || (int64_t)end_s >= q->since_s) &&
		      (!q->until_s || (int64_t)w->last.time_s < q->until_s);
	int rc = wanted ? w->fn(w->ctx, w->key) : 0;

	w->waits = false;
	keys_wipe(w->key, sizeof(*w->key));
	return rc;
}

static int open_head(struct streams *w, const struct fs_log_head *h)
{
	const uint8_t *wrap = fs_log_head_wrap(h, w->by->identity.box_pk);
	uint8_t later[KEYS_STREAM_WRAP_LEN];
	int rc = -EACCES;

	if (!wrap && !fs_log_grants_get(w->v, w->by->pid, w->by->enrolment, h->stream, later))
		wrap = later;
	if (!wrap)
		return -EACCES;
	pthread_rwlock_rdlock(&w->by->lock);
	if (w->by->secret)
		rc = keys_ratchet_open(w->ratchet, w->v->header.vault, h->stream, wrap,
				       KEYS_STREAM_WRAP_LEN, w->by->secret->box_sk);
	pthread_rwlock_unlock(&w->by->lock);
	return rc;
}

static int one_stream(void *ctx, const struct fs_log_head *h)
{
	struct streams *w = ctx;
	struct fs_audit_key *k = w->key;
	int rc;

	if (fs_session_state(w->by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (!believed(w->q, h->pk))
		return 0;
	rc = give_last(w, h->time_s);
	if (rc)
		return rc;
	if (open_head(w, h)) {
		w->q->shut++;
		return 0;
	}
	memcpy(k->stream, h->stream, sizeof(k->stream));
	k->first_seq = h->first_seq;
	k->time_s = h->time_s;
	k->key_len = w->q->seal ? KEYS_AUDIT_WRAP_LEN : KEYS_LEN;
	if (w->q->seal)
		keys_audit_wrap(w->ratchet->key, w->v->header.vault, h->stream, w->q->seal, k->key);
	else
		memcpy(k->key, w->ratchet->key, KEYS_LEN);
	keys_wipe(w->ratchet, sizeof(*w->ratchet));
	w->last = *h;
	w->last.wraps = NULL;
	w->waits = true;
	return 0;
}

static int walk(struct streams *w)
{
	uint64_t segment = 0;
	char dir[4096];
	int rc = 0;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/log", w->v->path) >= sizeof(dir))
		return -ENAMETOOLONG;
	while (!rc) {
		uint64_t before = segment;

		rc = fs_log_streams(dir, w->v->header.vault, &segment, one_stream, w);
		/* A segment that can't be read holds no stream that could be opened; reading tells of it. */
		if ((rc == -EBADMSG || rc == -EIO) && segment != before)
			rc = 0;
	}
	return rc == -ENOENT ? give_last(w, 0) : rc;
}

/* What goes into a key file besides keys. */
static int fill_known(struct fs_vault *v, struct fs_audit_streams *q)
{
	const char *title;

	memcpy(q->root_pk, v->header.root_pk, sizeof(q->root_pk));
	pthread_rwlock_rdlock(&v->lock);
	title = v->practice ? policy_practice_settings(v->practice)->title : NULL;
	policy_record_copy(q->practice, sizeof(q->practice), title ? title : "");
	q->daemon = calloc(v->daemon_count + 1, KEYS_LEN);
	if (q->daemon) {
		memcpy(q->daemon, v->daemons, v->daemon_count * KEYS_LEN);
		q->daemons = v->daemon_count;
	}
	pthread_rwlock_unlock(&v->lock);
	return q->daemon ? 0 : -ENOMEM;
}

static const char *moment(int64_t s, char out[static 32])
{
	struct tm tm;
	time_t t = (time_t)s;

	if (!gmtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%dT%H:%MZ", &tm))
		out[0] = '\0';
	return out;
}

static int tell_streams(struct fs_vault *v, struct fs_session *by, const struct fs_audit_streams *q)
{
	char since[32] = "", until[32] = "";

	if (q->seal)
		return fs_vault_tell(v, by, POLICY_RECORD_AUDIT, 0, NULL,
				     "policies were sealed beside a copy of the log");
	return fs_vault_tell(
		v, by, POLICY_RECORD_EXPORT, 0, NULL,
		"keys of the access log were exported to a key file%s%s%s%s",
		q->since_s ? ", since " : "", q->since_s ? moment(q->since_s, since) : "",
		q->until_s ? ", until " : "", q->until_s ? moment(q->until_s, until) : "");
}

int fs_vault_audit_streams(struct fs_vault *v, struct fs_session *by, struct fs_audit_streams *q,
			   int (*fn)(void *ctx, const struct fs_audit_key *k), void *ctx,
			   struct fs_say *say)
{
	struct streams w = {.v = v, .by = by, .q = q, .fn = fn, .ctx = ctx};
	int rc = fs_audit_may(v, by, POLICY_AUDIT,
			      q->seal ? "sealing policies beside a copy of the log"
				      : "exporting keys of the log",
			      say);

	q->shut = 0;
	if (rc)
		return rc;
	w.key = keys_guard_new(sizeof(*w.key));
	w.ratchet = keys_guard_new(sizeof(*w.ratchet));
	rc = w.key && w.ratchet ? fill_known(v, q) : -ENOMEM;
	if (!rc)
		rc = tell_streams(v, by, q);
	if (!rc)
		rc = walk(&w);
	keys_guard_free(w.key);
	keys_guard_free(w.ratchet);
	return rc < 0 ? rc : 0;
}

/* ---- policies ---- */

static int give_version(struct fs_vault *v, const struct fs_version *ver,
			int (*fn)(void *ctx, const struct policy_past_change *c), void *ctx)
{
	char name[POLICY_JOURNAL_NAME_MAX + 1] = "", who[KEYS_NAME_MAX + 1] = "";
	const struct keys_identity *id = NULL;

	if (ver->file && !policy_which_journal(ver->text, ver->len, name))
		name[0] = '\0';
	/* Identities are never deleted: also of somebody who left long ago. */
	if (ver->signer && !fs_people_identity(v, ver->signer, ver->enrolment, false, &id))
		snprintf(who, sizeof(who), "%s", id->name);
	return fn(ctx, &(struct policy_past_change){
			       .version = ver->number,
			       .time_s = (int64_t)ver->time_s,
			       .journal = ver->file,
			       .name = ver->file ? name : NULL,
			       .who = who,
			       .reason = ver->reason,
			       .text = ver->text,
			       .len = ver->len,
		       });
}

static void note_damaged(struct fs_vault *v, uint32_t number, struct fs_audit_result *res)
{
	fs_vault_alarm(v, 0, "policy version %u does not verify", number);
	res->unread++;
	if (res->bad < FS_AUDIT_BAD)
		snprintf(res->text[res->bad++], sizeof(res->text[0]),
			 "policy version %u does not verify and is left out", number);
}

int fs_vault_audit_policies(struct fs_vault *v, struct fs_session *by,
			    int (*fn)(void *ctx, const struct policy_past_change *c), void *ctx,
			    struct fs_audit_result *result, struct fs_say *say)
{
	uint32_t newest = fs_vault_policy_version(v);
	int rc = fs_audit_may(v, by, ANY_RIGHT, "reading all versions of the policies", say);

	if (!rc)
		rc = fs_vault_tell(v, by, POLICY_RECORD_AUDIT, 0, NULL,
				   "all versions of the policies were read, %u", newest);
	for (uint32_t n = 1; n <= newest && !rc; n++) {
		struct fs_version ver;

		if (fs_session_state(by) != FS_SESSION_ACTIVE) {
			rc = -ENOKEY;
			break;
		}
		rc = fs_policies_read(v, n, &ver);
		if (rc == -EBADMSG) {
			note_damaged(v, n, result);
			rc = 0;
			continue;
		}
		if (!rc) {
			rc = give_version(v, &ver, fn, ctx);
			fs_policies_clear(&ver);
		}
	}
	return rc < 0 ? rc : 0;
}

int fs_vault_audit_practice(struct fs_vault *v, struct fs_session *by,
			    int (*fn)(void *ctx, const struct policy_past_change *c), void *ctx,
			    struct fs_audit_result *result, struct fs_say *say)
{
	struct fs_version ver;
	uint32_t n;
	int rc = fs_audit_may(v, by, ANY_RIGHT, "reading the practice policy", say);

	if (rc)
		return rc;
	pthread_rwlock_rdlock(&v->lock);
	n = v->counters.practice;
	pthread_rwlock_unlock(&v->lock);
	if (!n)
		return -ENOENT;
	rc = fs_vault_tell(v, by, POLICY_RECORD_AUDIT, 0, NULL,
			   "the practice policy was read, version %u", n);
	if (!rc)
		rc = fs_policies_read(v, n, &ver);
	if (rc == -EBADMSG) {
		note_damaged(v, n, result);
		return 0;
	}
	if (!rc) {
		rc = give_version(v, &ver, fn, ctx);
		fs_policies_clear(&ver);
	}
	return rc < 0 ? rc : 0;
}

/* ---- reviews and checkpoints ---- */

int fs_vault_audit_sign_off(struct fs_vault *v, struct fs_session *by, const char *what,
			    const char *findings, struct fs_say *say)
{
	int rc = fs_audit_may(v, by, POLICY_AUDIT | POLICY_REVIEW,
			      "signing off a review of the log", say);

	if (rc)
		return rc;
	if (!what[strspn(what, " \t\n")] || !findings[strspn(findings, " \t\n")]) {
		fs_say(say, "a sign-off says what was reviewed and what came of it");
		return -EINVAL;
	}
	return fs_vault_tell_because(v, by, POLICY_RECORD_LOG_REVIEW, 0, NULL, findings, "%s",
				     what);
}

int fs_vault_log_checkpoint(struct fs_vault *v, char text[static KEYS_CHECKPOINT_MAX],
			    char vkey[static FS_VKEY_MAX])
{
	uint8_t pk[KEYS_LEN], sk[KEYS_SIGN_SK_LEN];
	char origin[KEYS_CHECKPOINT_ORIGIN], name[KEYS_CHECKPOINT_NAME];
	/* Who asks wants all that is there until now under it. */
	int rc = seal_newest(v);

	if (rc)
		return rc;
	if (!fs_log_newest(v->log, text))
		return -ENOENT;
	keys_checkpoint_witness(v->daemon_sk, pk, sk);
	keys_wipe(sk, sizeof(sk));
	keys_checkpoint_origin(v->header.vault, origin);
	snprintf(name, sizeof(name), "%s/witness", origin);
	return keys_note_vkey(name, pk, vkey, FS_VKEY_MAX) ? 0 : -EIO;
}
