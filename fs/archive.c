/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/archive.c - old segments leave the access log: who may, what is stated, in which order.
 *
 * A steward takes whole segments of which nothing is younger than the policy's term; where the
 * practice has two stewards, the second agrees (consent.c). Archiving: whoever asks has copied them
 * first, and says what the copies hash to; the daemon compares that with its own files, for it can
 * write nowhere else.
 *
 * Invariants: (1) a durable record in the log, then a durable statement (log_archive.h), then the
 * files go: killed between, nothing is lost and the next run goes on; (2) nothing is taken that is
 * younger than the term, nor the newest segment, nor anything whose bytes changed since it was
 * proposed or copied.
 *
 * Locks: edit around record and statement, and around all when a second steward agrees; never
 * around reading the files when there is one steward.
 */
#include "archive.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "../policy/span.h"
#include "log_age.h"
#include "log_segment.h"
#include "vault_impl.h"

#define YEAR_S (INT64_C(31556952)) /* 365.2425 days */

static const char *const word[] = {
	[FS_LOG_ARCHIVE_KEPT] = "archived",
	[FS_LOG_ARCHIVE_REMOVED] = "removed",
};

/* One act on the log's directory. */
struct act {
	struct fs_vault *v;
	struct fs_session *by;
	const struct fs_proposal *agreed; /* NULL: none was needed */
	int dirfd;
	struct fs_log_archive have;
	struct fs_log_archived next; /* planned */
	uint64_t bytes;
	uint8_t *sums;
	struct fs_say *say;
};

static void act_clear(struct act *a)
{
	fs_log_archive_clear(&a->have);
	free(a->sums);
	if (a->dirfd >= 0)
		close(a->dirfd);
}

static int act_open(struct act *a, struct fs_vault *v, struct fs_session *by, struct fs_say *say)
{
	char dir[4096];
	int rc;

	*a = (struct act){.v = v, .by = by, .dirfd = -1, .say = say};
	if ((size_t)snprintf(dir, sizeof(dir), "%s/log", v->path) >= sizeof(dir))
		return -ENAMETOOLONG;
	a->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->dirfd < 0)
		return -errno;
	rc = fs_log_archive_load(a->dirfd, v->header.vault, &a->have);
	if (!rc && a->have.n &&
	    !keys_equal(a->have.statement[0].root_pk, v->header.root_pk, KEYS_LEN))
		rc = -EBADMSG;
	if (rc == -EBADMSG) {
		fs_vault_alarm(v, 0,
			       "the statements about archived segments of the log were changed");
		fs_say(say, "the statements in log/archive were changed: restore that file from a "
			    "copy of the log");
	}
	return rc;
}

static uint32_t keep_years(struct fs_vault *v)
{
	uint32_t years;

	pthread_rwlock_rdlock(&v->lock);
	years = policy_practice_settings(v->practice)->log_keep_years;
	pthread_rwlock_unlock(&v->lock);
	return years;
}

/* last 0: as many as may go. */
static int plan(struct act *a, int64_t before_s, uint64_t last)
{
	uint32_t years = keep_years(a->v);
	int64_t term_s = fs_vault_wall_s() - years * YEAR_S;
	struct fs_log_aging q = {
		.dirfd = a->dirfd,
		.vault = a->v->header.vault,
		.root_pk = a->v->header.root_pk,
		.have = &a->have,
		.last = last,
	};
	uint64_t segment = 0;
	int rc;

	if (before_s && before_s < term_s)
		term_s = before_s;
	q.before_s = term_s > 0 ? (uint64_t)term_s : 0;
	rc = fs_log_age(&q, &a->next, &a->bytes, &segment);
	a->next.keep_years = years;
	if (rc == -ESTALE)
		fs_say(a->say,
		       "segment %" PRIu64
		       " of the log is missing or can't be read, so none from there on is taken: "
		       "`journalfs audit verify` says more",
		       segment);
	return rc;
}

static int may(struct fs_vault *v, struct fs_session *by, struct fs_say *say)
{
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	if (fs_sessions_has(v, by, POLICY_POLICY))
		return 0;
	fs_say(say, "archiving the log needs the policy right, which %s does not have", by->who);
	rc = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, 0, NULL, "archiving the log");
	return rc ? rc : -EACCES;
}

static size_t left_over(struct act *a)
{
	const struct fs_log_archived *end = fs_log_archive_end(&a->have);
	uint64_t *list = NULL;
	size_t n = 0, left = 0;

	if (!end || fs_log_segment_list(a->dirfd, &list, &n))
		return 0;
	for (size_t i = 0; i < n; i++)
		left += list[i] <= end->last_segment;
	free(list);
	return left;
}

int fs_vault_archive_plan(struct fs_vault *v, struct fs_session *by, int64_t before_s,
			  struct fs_archive_plan *out, struct fs_say *say)
{
	struct act a;
	int rc = may(v, by, say);

	if (rc)
		return rc;
	rc = act_open(&a, v, by, say);
	if (!rc)
		rc = plan(&a, before_s, 0);
	if (!rc || rc == -ENOENT) {
		*out = (struct fs_archive_plan){.keep_years = a.next.keep_years,
						.left = left_over(&a)};
		if (!rc) {
			out->first_segment = a.next.first_segment;
			out->last_segment = a.next.last_segment;
			out->first_seq = a.next.first_seq;
			out->last_seq = a.next.last_seq;
			out->newest_s = (int64_t)a.next.newest_s;
			out->bytes = a.bytes;
		}
		rc = 0;
	}
	act_clear(&a);
	return rc;
}

/* ---- record, statement, files ---- */

static int tell(struct act *a)
{
	char newest[48], agreed[KEYS_NAME_MAX + 32] = "";

	policy_span_text((int64_t)a->next.newest_s * 1000000000, ' ', 0, newest);
	if (a->agreed)
		snprintf(agreed, sizeof(agreed), ", as proposed by %s", a->agreed->who);
	return fs_vault_tell(a->v, a->by, POLICY_RECORD_ARCHIVE, 0, NULL,
			     "segments %" PRIu64 " to %" PRIu64 " of the log, records %" PRIu64
			     " to %" PRIu64 ", none newer than %s, are %s: statement %" PRIu64 "%s",
			     a->next.first_segment, a->next.last_segment, a->next.first_seq,
			     a->next.last_seq, newest, word[a->next.what], a->next.number, agreed);
}

static int fill(struct act *a)
{
	struct fs_log_archived *s = &a->next;
	const struct fs_vault *v = a->v;

	s->time_s = (uint64_t)fs_vault_wall_s();
	s->by.pid = a->by->pid;
	s->by.enrolment = a->by->enrolment;
	snprintf(s->by.who, sizeof(s->by.who), "%s", a->by->who);
	if (a->agreed) {
		s->agreed.pid = a->agreed->pid;
		s->agreed.enrolment = a->agreed->enrolment;
		snprintf(s->agreed.who, sizeof(s->agreed.who), "%s", a->agreed->who);
	}
	s->sha256 = a->sums;
	memcpy(s->daemon_pk, v->daemon_pk, sizeof(s->daemon_pk));
	memcpy(s->root_pk, v->header.root_pk, sizeof(s->root_pk));
	memcpy(s->cert, v->daemon_cert, sizeof(s->cert));
	return fs_people_signer_pk(a->v, s->by.pid, s->by.enrolment, true, s->by_pk);
}

static int state(struct act *a)
{
	uint8_t *p = NULL;
	size_t len = 0;
	int rc = fill(a);

	if (rc)
		return rc;
	pthread_rwlock_rdlock(&a->by->lock);
	rc = a->by->secret
		     ? fs_log_archive_make(&a->next, a->v->header.vault,
					   a->by->secret->statement_sk, a->v->daemon_sk, &p, &len)
		     : -ENOKEY;
	pthread_rwlock_unlock(&a->by->lock);
	if (!rc)
		rc = fs_log_archive_append(a->dirfd, &a->have, p, len);
	free(p);
	if (rc)
		return rc;
	fs_log_archive_clear(&a->have);
	return fs_log_archive_load(a->dirfd, a->v->header.vault, &a->have);
}

/* Under edit: nobody else stated anything since we looked. */
static int unchanged(struct act *a)
{
	struct fs_log_archive now;
	int rc = fs_log_archive_load(a->dirfd, a->v->header.vault, &now);

	if (rc)
		return rc;
	if (now.len != a->have.len)
		rc = -ESTALE;
	fs_log_archive_clear(&now);
	return rc;
}

static int finish(struct act *a)
{
	size_t removed = 0;

	return fs_log_age_sweep(a->dirfd, &a->have, &removed);
}

/* ---- two stewards ---- */

static void hex(const uint8_t *p, char out[static 2 * KEYS_LEN + 1])
{
	for (size_t i = 0; i < KEYS_LEN; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static int propose(struct act *a, const uint8_t *digest)
{
	struct fs_proposal p = {.what = FS_PROPOSAL_ARCHIVE, .base = a->v->counters.practice};
	char text[128], sum[2 * KEYS_LEN + 1], detail[160];
	int rc;

	hex(digest, sum);
	snprintf(text, sizeof(text), "%s %" PRIu64 " %s", word[a->next.what], a->next.last_segment,
		 sum);
	snprintf(detail, sizeof(detail),
		 "segments %" PRIu64 " to %" PRIu64 " of the log are to be %s",
		 a->next.first_segment, a->next.last_segment, word[a->next.what]);
	p.text = text;
	p.len = strlen(text);
	rc = fs_consent_keep(a->v, a->by, &p, detail, a->say);
	if (rc)
		return rc;
	fs_say(a->say,
	       "this takes two stewards: it is kept as proposal %u and nothing is taken yet; "
	       "another "
	       "steward agrees with `journalfs approve %u`",
	       p.number, p.number);
	return -EINPROGRESS;
}

int fs_archive_proposal(const struct fs_proposal *p, enum fs_log_archive_what *what, uint64_t *last,
			char sum[static 2 * KEYS_LEN + 1])
{
	char text[128], name[16];

	if (p->len >= sizeof(text) || memchr(p->text, 0, p->len))
		return -EBADMSG;
	memcpy(text, p->text, p->len);
	text[p->len] = '\0';
	if (sscanf(text, "%15s %" SCNu64 " %64[0-9a-f]", name, last, sum) != 3 ||
	    strlen(sum) != 2 * (size_t)KEYS_LEN || !*last)
		return -EBADMSG;
	*what = strcmp(name, word[FS_LOG_ARCHIVE_KEPT]) ? FS_LOG_ARCHIVE_REMOVED
							: FS_LOG_ARCHIVE_KEPT;
	return strcmp(name, word[*what]) ? -EBADMSG : 0;
}

int fs_archive_agreed(struct fs_vault *v, struct fs_session *by, const struct fs_proposal *p,
		      struct fs_say *say)
{
	char want[2 * KEYS_LEN + 1], got[2 * KEYS_LEN + 1];
	enum fs_log_archive_what what;
	uint8_t digest[KEYS_LEN];
	uint64_t last = 0;
	struct fs_edit e;
	struct act a;
	int rc = fs_archive_proposal(p, &what, &last, want);

	if (rc)
		return rc;
	rc = act_open(&a, v, by, say);
	a.agreed = p;
	if (!rc)
		rc = plan(&a, 0, last);
	a.next.what = what;
	if (!rc)
		rc = fs_log_age_sums(a.dirfd, &a.next, &a.sums, digest);
	if (!rc)
		hex(digest, got);
	if (rc == -ENOENT || (!rc && (a.next.last_segment != last || strcmp(want, got)))) {
		fs_say(say,
		       "the segments are not those that were proposed to be %s: reject it and "
		       "begin anew",
		       word[what]);
		rc = -ESTALE;
	}
	if (!rc)
		rc = tell(&a);
	if (!rc)
		rc = state(&a);
	if (!rc) {
		fs_vault_edit_begin(v, &e, NULL);
		fs_consent_drop(&e, p->number);
		rc = fs_vault_edit_commit(&e);
		fs_vault_edit_clear(&e);
	}
	if (!rc)
		rc = finish(&a);
	act_clear(&a);
	return rc;
}

/* ---- one steward asks ---- */

/* The files' hashes, and that the copies have the same. */
static int compare(struct act *a, const struct fs_archive *in, uint8_t digest[static KEYS_LEN])
{
	int rc = fs_log_age_sums(a->dirfd, &a->next, &a->sums, digest);

	if (!rc && in->what == FS_LOG_ARCHIVE_KEPT &&
	    (!in->digest || !keys_equal(in->digest, digest, KEYS_LEN))) {
		fs_say(a->say,
		       "the copies of segments %" PRIu64 " to %" PRIu64
		       " are not what the log holds: nothing is taken",
		       a->next.first_segment, a->next.last_segment);
		rc = -EBADMSG;
	}
	return rc;
}

static int take(struct act *a, const struct fs_archive *in)
{
	uint8_t digest[KEYS_LEN];
	int rc = plan(a, 0, in->last_segment);

	a->next.what = in->what;
	if (rc == -ENOENT || (!rc && a->next.last_segment != in->last_segment)) {
		fs_say(a->say, "segment %" PRIu64 " of the log may not go yet: it is kept %u years",
		       in->last_segment, (unsigned)a->next.keep_years);
		rc = fs_vault_tell(a->v, a->by, POLICY_RECORD_REFUSED, 0, NULL,
				   "archiving the log to segment %" PRIu64, in->last_segment);
		return rc ? rc : -EPERM;
	}
	if (!rc)
		rc = compare(a, in, digest);
	if (rc)
		return rc;
	pthread_mutex_lock(&a->v->edit);
	rc = unchanged(a);
	if (!rc)
		rc = fs_consent_two(a->v, a->by);
	if (rc > 0)
		rc = propose(a, digest);
	else if (!rc)
		rc = tell(a);
	if (!rc)
		rc = state(a);
	pthread_mutex_unlock(&a->v->edit);
	return rc;
}

int fs_vault_archive(struct fs_vault *v, struct fs_session *by, const struct fs_archive *in,
		     uint64_t *number, struct fs_say *say)
{
	struct act a;
	int rc = may(v, by, say);

	*number = 0;
	if (rc)
		return rc;
	rc = act_open(&a, v, by, say);
	/* First what an interrupted run left. */
	if (!rc)
		rc = finish(&a);
	if (!rc && in->last_segment)
		rc = take(&a, in);
	if (!rc && in->last_segment) {
		*number = a.next.number;
		rc = finish(&a);
	}
	if (rc == -EINPROGRESS && fs_group_sync(fs_records_group(v->records), 0))
		rc = -EIO;
	act_clear(&a);
	return rc;
}
