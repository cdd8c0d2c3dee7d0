/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/session_end.c - ending somebody else's session: who may, and what the log says.
 *
 * Owns two records: the order of a steward, a LOGOUT with action D that names whose
 * session ends, from where it was begun, who wants it, from where, and why; and the
 * refusal of anybody else. The LOGOUT of the ended session itself is sessions.c's.
 *
 * Invariants: (1) the order is durable before anything is done to the session; (2)
 * who has not the policy right learns nothing from the refusal: it is the same
 * for an id that nobody has.
 */
#include "vault_impl.h"

static void copy(char *out, size_t cap, const char *text)
{
	policy_record_copy(out, cap, text ? text : "");
}

int fs_vault_end_order(struct fs_vault *v, struct fs_session *steward, const struct fs_asker *by,
		       const struct fs_session *s, const char *reason, struct fs_say *say)
{
	struct policy_record r;

	if (!fs_sessions_has(v, steward, POLICY_POLICY)) {
		fs_say(say, "only a steward may end the sessions of others");
		return -EACCES;
	}
	if (!reason[0] || strspn(reason, " \t\n") == strlen(reason)) {
		fs_say(say, "say why with --reason TEXT: %s is told, and it stands in the log",
		       s->who);
		return -EINVAL;
	}
	policy_record_init(&r, POLICY_RECORD_LOGOUT);
	r.action = 'D';
	fs_vault_record(v, steward, by->pid, &r);
	copy(r.origin, sizeof(r.origin), by->origin);
	copy(r.reason, sizeof(r.reason), reason);
	snprintf(r.detail, sizeof(r.detail), "session %02x%02x%02x%02x of %s, logged in from %s",
		 s->id[0], s->id[1], s->id[2], s->id[3], s->who,
		 s->origin[0] ? s->origin : "an unknown place");
	return fs_log_write(v->log, &r);
}

int fs_vault_end_refused(struct fs_vault *v, const struct fs_session *asking,
			 const struct fs_asker *by, const char *id, struct fs_say *say)
{
	int rc = fs_vault_tell_refused(v, by->uid, by->pid, asking ? asking->who : "", by->origin,
				       "ending session %s, which is not of this account", id);

	fs_say(say,
	       "you have no session %s; those of others only a steward may end, in an unlocked "
	       "session",
	       id);
	return rc ? -EIO : -EACCES;
}
