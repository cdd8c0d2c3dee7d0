/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/break_glass_review.c - emergency grants judged, and told of when that is overdue.
 *
 * Every grant is judged by somebody else than who used it: justified, or unjustified,
 * which opens a deviation with a number of its own that is closed in a second
 * verdict. Until that has happened it is shown wherever somebody looks.
 *
 * Invariants: (1) a verdict is durable in the log before it is kept, a refusal before
 * it is answered; (2) nobody judges what was
 * used by him, under whatever identity, or from his account; (3) a verdict is never
 * replaced; (4) deviations are numbered from 1 without a gap: the last number is the
 * highest that any grant has, and grants are never removed; (5) that a review is
 * overdue is told once: the grant itself remembers.
 *
 * Locks: edit for a verdict and for reminders.
 */
#include "../policy/span.h"
#include "../policy/utf8.h"
#include "vault_impl.h"

#define REMIND_NS (UINT64_C(60) * 1000000000)

/* ---- who may judge ---- */

/* The same person, or whoever uses the same account, under whatever identity. edit held. */
static bool used_by(struct fs_vault *v, const struct fs_grant *g, const struct fs_session *by)
{
	const struct fs_person *p = fs_people_by_pid(v, g->pid);
	const struct policy_practitioner *user =
		p ? policy_practice_find(v->practice, p->name) : NULL;
	const struct policy_practitioner *line = policy_practice_find(v->practice, by->who);

	if (by->pid == g->pid || (user && line && !strcmp(user->account, line->account)))
		return true;
	for (uint32_t i = 0; p && i < p->id_count; i++) {
		if (p->ids[i] && p->ids[i]->id.uid == by->uid)
			return true;
	}
	return false;
}

/* ---- judging ---- */

struct judging {
	struct fs_vault *v;
	struct fs_session *by;
	enum fs_glass_review verdict;
	const char *note;
	struct fs_glass_item item; /* with its texts */
	struct fs_say *say;
};

/* Durable, then what the person is told. */
static int refuse(struct judging *j, int rc, const char *why)
{
	int rc2 = fs_vault_tell(j->v, j->by, POLICY_RECORD_REFUSED, j->item.g.journal,
				j->item.journal, "judging emergency access %u: %s",
				j->item.g.number, why);

	return rc2 ? rc2 : (fs_say(j->say, "%s", why), rc);
}

/* One line of plain text with something in it. */
static bool plain(const char *text)
{
	size_t len = strlen(text);
	bool some = false;

	for (size_t i = 0; i < len;) {
		uint32_t point = 0;
		unsigned k = policy_utf8_get(text + i, len - i, &point);

		if (!k || policy_utf8_control(point))
			return false;
		some = some || point != ' ';
		i += k;
	}
	return some && len <= FS_GLASS_TEXT_MAX;
}

static int check_own(struct judging *j)
{
	if (!used_by(j->v, &j->item.g, j->by))
		return 0;
	return refuse(
		j, -EPERM,
		fs_glass_judge(j->v, &j->item.g)
			? "who used an emergency access never judges it, nor does anybody with "
			  "the same account: another person with the review right has to"
			: "who used an emergency access never judges it, and " FS_GLASS_NOBODY
			  "; until then it stays open to be judged");
}

static int check_state(struct judging *j)
{
	enum fs_glass_review now = j->item.g.review;

	if (j->verdict == FS_GLASS_SETTLED && now == FS_GLASS_PENDING)
		return refuse(j, -EINVAL, "it has not been judged: there is no deviation to close");
	if (j->verdict == FS_GLASS_SETTLED && now != FS_GLASS_UNJUSTIFIED)
		return refuse(j, -EALREADY,
			      now == FS_GLASS_SETTLED
				      ? "its deviation has been closed already"
				      : "it was judged justified: there is no deviation");
	if (j->verdict != FS_GLASS_SETTLED && now != FS_GLASS_PENDING)
		return refuse(j, -EALREADY, "it has been judged already, and a verdict stays");
	if (j->item.g.end == FS_GLASS_OPEN)
		return refuse(j, -EBUSY, "it is not over yet: it is judged when it has ended");
	return 0;
}

static int check(struct judging *j, uint32_t number)
{
	if (!fs_sessions_has(j->v, j->by, POLICY_REVIEW)) {
		j->item.g.number = number;
		return refuse(j, -EACCES,
			      "judging an emergency access needs the review right, which your role "
			      "does not have");
	}
	if (!fs_glass_item_locked(j->v, number, &j->item)) {
		j->item.g.number = number;
		return refuse(j, -ENOENT, "there is no emergency access of that number");
	}
	if (check_own(j))
		return -EPERM;
	if (j->verdict < FS_GLASS_JUSTIFIED || j->verdict > FS_GLASS_SETTLED)
		return refuse(j, -EINVAL, "a verdict is one of: justified, unjustified, settled");
	if (!plain(j->note))
		return refuse(
			j, -EINVAL,
			"a verdict comes with a note: one line of plain text, at most 1000 bytes");
	return check_state(j);
}

static uint32_t next_deviation(const struct fs_vault *v)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < v->grant_count; i++) {
		if (v->grants[i].deviation > last)
			last = v->grants[i].deviation;
	}
	return last + 1;
}

static int tell_verdict(struct judging *j)
{
	const struct fs_grant *g = &j->item.g;
	struct policy_record r;

	policy_record_init(&r, POLICY_RECORD_GRANT_REVIEW);
	fs_vault_record(j->v, j->by, 0, &r);
	r.journal = g->journal;
	r.grant = g->number;
	policy_record_copy(r.journal_name, sizeof(r.journal_name), j->item.journal);
	policy_record_copy(r.reason, sizeof(r.reason), j->note);
	if (j->verdict == FS_GLASS_JUSTIFIED)
		snprintf(r.detail, sizeof(r.detail), "emergency access of %s: justified",
			 j->item.who);
	else
		snprintf(r.detail, sizeof(r.detail), "emergency access of %s: %s deviation %u%s",
			 j->item.who, j->verdict == FS_GLASS_SETTLED ? "" : "UNJUSTIFIED,",
			 g->deviation, j->verdict == FS_GLASS_SETTLED ? " is closed" : "");
	return fs_log_write(j->v->log, &r);
}

static void apply(struct judging *j)
{
	struct fs_grant *g = &j->item.g;

	g->review = (uint8_t)j->verdict;
	if (j->verdict == FS_GLASS_SETTLED) {
		snprintf(j->item.text.settled, sizeof(j->item.text.settled), "%s", j->note);
		return;
	}
	snprintf(j->item.text.note, sizeof(j->item.text.note), "%s", j->note);
	g->reviewer = j->by->pid;
	g->reviewed_s = fs_vault_wall_s();
	if (j->verdict == FS_GLASS_UNJUSTIFIED)
		g->deviation = next_deviation(j->v);
}

/* edit held. */
static int judge(struct judging *j, uint32_t number)
{
	int rc = j->v->practice ? check(j, number) : -ENOKEY;

	if (!rc)
		rc = fs_glass_text(j->v, number, &j->item.text);
	if (rc)
		return rc;
	apply(j);
	rc = tell_verdict(j);
	if (rc)
		return rc == -ENOSPC ? rc : -EIO;
	rc = fs_glass_put(j->v, &j->item.g, &j->item.text);
	if (rc) {
		fs_say(j->say,
		       "the verdict stands in the log but could not be kept: %s; judge it again",
		       strerror(-rc));
		return rc;
	}
	if (j->verdict != FS_GLASS_UNJUSTIFIED)
		return 0;
	fs_vault_alarm(j->v, j->item.g.journal,
		       "emergency access %u of %s was judged unjustified: deviation %u",
		       (unsigned)number, j->item.who, j->item.g.deviation);
	fs_notice_put(j->v, &j->item.g, "unjustified", j->note, j->item.journal);
	return 0;
}

int fs_vault_glass_review(struct fs_vault *v, struct fs_session *by, uint32_t number,
			  enum fs_glass_review verdict, const char *note, uint32_t *deviation,
			  struct fs_say *say)
{
	struct judging *j;
	int rc;

	if (fs_session_state(by) != FS_SESSION_ACTIVE)
		return -ENOKEY;
	j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	*j = (struct judging){.v = v, .by = by, .verdict = verdict, .note = note, .say = say};
	pthread_mutex_lock(&v->edit);
	rc = judge(j, number);
	pthread_mutex_unlock(&v->edit);
	if (!rc)
		rc = fs_group_sync(fs_records_group(v->records), 0);
	if (!rc)
		*deviation = j->item.g.deviation;
	keys_wipe(j, sizeof(*j));
	free(j);
	return rc;
}

/* ---- overdue ---- */

/* Remembered first: a crash in between may swallow one notice, none comes every minute. edit held.
 */
static void remind_one(struct fs_vault *v, uint32_t number)
{
	struct fs_glass_item *item = calloc(1, sizeof(*item));
	char due[48];

	if (item && fs_glass_item_locked(v, number, item) &&
	    !fs_glass_text(v, number, &item->text)) {
		item->g.flags |= FS_GLASS_REMINDED;
		if (!fs_glass_put(v, &item->g, &item->text)) {
			policy_span_text(item->g.due_s * 1000000000, ' ', 0, due);
			fs_vault_alarm(v, item->g.journal,
				       "emergency access %u has not been judged: that was due %s",
				       (unsigned)number, due);
			fs_notice_put(v, &item->g, "overdue", item->text.reason, item->journal);
		}
	}
	if (item)
		keys_wipe(item, sizeof(*item));
	free(item);
}

void fs_glass_remind(struct fs_vault *v)
{
	uint64_t now = fs_vault_boot_ns();

	if (v->cfg.read_only || (v->grants_reminded_ns && now - v->grants_reminded_ns < REMIND_NS))
		return;
	v->grants_reminded_ns = now;
	pthread_mutex_lock(&v->edit);
	for (uint32_t i = 0; i < v->grant_count; i++) {
		const struct fs_grant *g = &v->grants[i];

		if (!(g->flags & FS_GLASS_REMINDED) && g->end != FS_GLASS_OPEN &&
		    fs_glass_overdue(v, g))
			remind_one(v, g->number);
	}
	pthread_mutex_unlock(&v->edit);
}
