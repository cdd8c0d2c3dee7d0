/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_verbs.c - the table of verbs: who may ask, with what, and what answers.
 *
 * A request is checked against its verb's row - hello first, session, fields of
 * the right type and size, length of the blob, descriptor - before the verb's
 * function sees it. Adding a verb is adding a row. Implements fs/FORMAT.md,
 * "Control socket".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../keys/note.h"
#include "../keys/slab.h"
#include "control_impl.h"
#include "notes.h"
#include "wire_fd.h"

enum need {
	NEED_HELLO = 1,	  /* the peer has greeted */
	NEED_SESSION = 2, /* the connection's session, or the account's newest; in any state */
	NEED_ACTIVE = 4,  /* and its keys are there */
	NEED_FD = 8,
	NEED_TRIES = 16,  /* refusals are logged: not too many of them */
	NEED_PIECES = 32, /* the blob's length lies between the two; the verb looks closer */
};

enum kind { TEXT, NUMBER, TRUTH, LIST };

struct field {
	const char *name; /* NULL ends the list */
	enum kind kind;
	bool required;
	int64_t min, max; /* of the number, the text's bytes, the list's members */
};

struct verb {
	const char *name;
	unsigned need;
	fs_control_verb_fn fn;
	size_t blob[2];	       /* lengths that are accepted */
	struct field field[8]; /* the last is empty */
};

/* ---- the table ---- */

#define ACTIVE (NEED_HELLO | NEED_ACTIVE)
#define STREAM                                                                                     \
	(ACTIVE | NEED_TRIES | NEED_FD) /* the answer goes into the descriptor: control_sink.c */
#define PURPOSE                                                                                    \
	{                                                                                          \
		"purpose", TEXT, false, 0, 100                                                     \
	}
#define WHO                                                                                        \
	{                                                                                          \
		"who", TEXT, false, 0, KEYS_NAME_MAX                                               \
	}
#define ORIGIN                                                                                     \
	{                                                                                          \
		"origin", TEXT, false, 0, 255                                                      \
	}
#define COST                                                                                       \
	{"passes", NUMBER, true, 1, 16},                                                           \
	{                                                                                          \
		"memory_kib", NUMBER, true, 8192, 1048576                                          \
	}
#define COST_MAYBE                                                                                 \
	{"passes", NUMBER, false, 1, 16},                                                          \
	{                                                                                          \
		"memory_kib", NUMBER, false, 8192, 1048576                                         \
	}
#define CODE                                                                                       \
	{                                                                                          \
		"code", TEXT, false, 0, FS_FACTOR_CODE_MAX                                         \
	}
#define OLDS                                                                                       \
	{                                                                                          \
		"olds", NUMBER, false, 0, FS_PASSPHRASES_MAX                                       \
	}
#define RENEW_LEN                                                                                  \
	(2 * KEYS_LEN + KEYS_SALT_LEN) /* the passphrase, then the next one's salt and itself */
#define CODES_LEN (KEYS_FACTOR_CODES * KEYS_FACTOR_CODE_LEN)
#define FILE_NAME                                                                                  \
	{                                                                                          \
		"file", TEXT, true, 1, 255                                                         \
	}
#define PROPOSAL(required)                                                                         \
	{                                                                                          \
		"number", NUMBER, required, 0, INT32_MAX                                           \
	}
#define MOMENT_MAX INT64_C(9000000000) /* the year 2255: in nanoseconds it still fits */
#define REASON                                                                                     \
	{                                                                                          \
		"reason", TEXT, false, 0, FS_REASON_MAX                                            \
	}
#define UNIT                                                                                       \
	{                                                                                          \
		"unit", TEXT, false, 0, KEYS_NAME_MAX                                              \
	}
#define WHEN                                                                                       \
	{"version", NUMBER, false, 0, UINT32_MAX},                                                 \
	{                                                                                          \
		"at_s", NUMBER, false, 0, MOMENT_MAX                                               \
	}
#define NOTE                                                                                       \
	{"journal", TEXT, true, 1, 255},                                                           \
	{                                                                                          \
		"path", TEXT, true, 1, KEYS_NOTE_PATH_MAX                                          \
	}
#define NOTE_REASON                                                                                \
	{                                                                                          \
		"reason", TEXT, true, 1, KEYS_NOTE_REASON_MAX                                      \
	}
#define POLICY_TEXT                                                                                \
	{                                                                                          \
		"text", TEXT, true, 0, 262144                                                      \
	}

static const struct verb verbs[] = {
	{"hello",
	 0,
	 fs_control_verb_hello,
	 {KEYS_NONCE_LEN, KEYS_NONCE_LEN},
	 {{"protocol", NUMBER, true, 1, INT32_MAX}}},
	{"salt", NEED_HELLO, fs_control_verb_salt, {0, 0}, {WHO}},
	{"login",
	 NEED_HELLO | NEED_TRIES | NEED_PIECES,
	 fs_control_verb_login,
	 {KEYS_LEN, RENEW_LEN + (1 + FS_PASSPHRASES_MAX) * KEYS_LEN},
	 {WHO, ORIGIN, CODE, {"renew", TRUTH, false, 0, 0}, OLDS, COST_MAYBE}},
	{"mount", NEED_HELLO | NEED_FD, fs_control_verb_mount, {0, 0}, {{0}}},
	{"unlock",
	 NEED_HELLO | NEED_TRIES,
	 fs_control_verb_unlock,
	 {KEYS_LEN, 2 * KEYS_LEN},
	 {WHO, ORIGIN}},
	{"lock",
	 NEED_HELLO,
	 fs_control_verb_lock,
	 {0, 0},
	 {ORIGIN,
	  {"own", TRUTH, false, 0, 0},
	  {"because", TEXT, false, 0, 16},
	  {"idle_s", NUMBER, false, 0, INT32_MAX}}},
	{"logout", NEED_HELLO, fs_control_verb_logout, {0, 0}, {ORIGIN}},
	{"sessions", NEED_HELLO, fs_control_verb_sessions, {0, 0}, {{0}}},
	{"session-end",
	 NEED_HELLO | NEED_TRIES,
	 fs_control_verb_session_end,
	 {0, 0},
	 {{"id", TEXT, true, 4, 2 * KEYS_SESSION_ID_LEN}, REASON, ORIGIN}},
	{"enroll",
	 NEED_HELLO | NEED_TRIES,
	 fs_control_verb_enroll,
	 {KEYS_CODE_LEN + KEYS_SALT_LEN + KEYS_LEN, KEYS_CODE_LEN + KEYS_SALT_LEN + 2 * KEYS_LEN},
	 {ORIGIN, COST}},
	{"invite",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_invite,
	 {0, 0},
	 {{"name", TEXT, true, 1, KEYS_NAME_MAX},
	  {"again", TRUTH, false, 0, 0},
	  {"days", NUMBER, false, 1, 90}}},
	{"passwd",
	 ACTIVE | NEED_TRIES | NEED_PIECES,
	 fs_control_verb_passwd,
	 {RENEW_LEN, RENEW_LEN + (1 + FS_PASSPHRASES_MAX) * KEYS_LEN},
	 {OLDS, COST}},
	{"passphrases", NEED_HELLO | NEED_TRIES, fs_control_verb_passphrases, {0, 0}, {WHO}},
	{"factor-status", NEED_HELLO | NEED_TRIES, fs_control_verb_factor_status, {0, 0}, {WHO}},
	{"factor-enroll",
	 NEED_HELLO | NEED_TRIES,
	 fs_control_verb_factor_enroll,
	 {KEYS_LEN + KEYS_TOTP_SECRET_LEN + CODES_LEN,
	  2 * KEYS_LEN + KEYS_TOTP_SECRET_LEN + CODES_LEN},
	 {WHO, ORIGIN, CODE, {"new_code", TEXT, true, 1, FS_FACTOR_CODE_MAX}}},
	{"factor-codes",
	 NEED_HELLO | NEED_TRIES,
	 fs_control_verb_factor_codes,
	 {KEYS_LEN + CODES_LEN, 2 * KEYS_LEN + CODES_LEN},
	 {WHO, ORIGIN, CODE}},
	{"factor-remove",
	 NEED_HELLO | NEED_TRIES,
	 fs_control_verb_factor_remove,
	 {KEYS_LEN, 2 * KEYS_LEN},
	 {WHO, ORIGIN, CODE}},
	{"status", NEED_HELLO, fs_control_verb_status, {0, 0}, {{0}}},
	{"policy-show", ACTIVE | NEED_TRIES, fs_control_verb_policy_show, {0, 0}, {FILE_NAME}},
	{"policy-check",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_policy_check,
	 {0, 0},
	 {FILE_NAME, POLICY_TEXT}},
	{"policy-put",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_policy_put,
	 {0, 0},
	 {FILE_NAME, POLICY_TEXT, {"base", NUMBER, true, 0, UINT32_MAX}, REASON}},
	{"attend",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_attend,
	 {0, 0},
	 {{"journal", TEXT, true, 1, 255},
	  {"reason", TEXT, true, 0, 1024},
	  {"seconds", NUMBER, false, 0, 7 * 86400}}},
	{"glass-ask",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_glass_ask,
	 {0, 0},
	 {{"journal", TEXT, true, 1, 255}}},
	{"glass-search",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_glass_search,
	 {0, 0},
	 {{"part", TEXT, true, 1, 255}}},
	{"glass",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_glass,
	 {0, 2 * KEYS_LEN},
	 {{"journal", TEXT, true, 1, 255},
	  {"ground", TEXT, true, 1, 16},
	  {"reason", TEXT, true, 0, 4096},
	  {"pass_block", TRUTH, false, 0, 0},
	  {"code", TEXT, false, 0, 64}}},
	{"glass-close",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_glass_close,
	 {0, 0},
	 {{"journal", TEXT, true, 1, 255}}},
	{"notice-next",
	 NEED_HELLO | NEED_TRIES,
	 fs_control_verb_notice_next,
	 {0, 0},
	 {{"wait_s", NUMBER, false, 0, FS_CONTROL_LISTEN_S}, {"fresh", TRUTH, false, 0, 0}}},
	{"notice-done",
	 NEED_HELLO | NEED_TRIES,
	 fs_control_verb_notice_done,
	 {0, 0},
	 {{"number", NUMBER, true, 1, UINT32_MAX},
	  {"delivered", TRUTH, true, 0, 0},
	  {"error", TEXT, false, 0, 200}}},
	{"grants",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_grants,
	 {0, 0},
	 {{"number", NUMBER, false, 0, UINT32_MAX}, {"state", TEXT, false, 0, 16}}},
	{"grant-show",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_grant_show,
	 {0, 0},
	 {{"number", NUMBER, true, 1, UINT32_MAX}}},
	{"grant-judge",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_grant_judge,
	 {0, 0},
	 {{"number", NUMBER, true, 1, UINT32_MAX},
	  {"verdict", TEXT, true, 1, 16},
	  {"note", TEXT, true, 0, 4096}}},
	{"grant-pairs", ACTIVE | NEED_TRIES, fs_control_verb_grant_pairs, {0, 0}, {{0}}},
	{"proposals", ACTIVE | NEED_TRIES, fs_control_verb_proposals, {0, 0}, {PROPOSAL(false)}},
	{"approve", ACTIVE | NEED_TRIES, fs_control_verb_approve, {0, 0}, {PROPOSAL(true)}},
	{"reject", ACTIVE | NEED_TRIES, fs_control_verb_reject, {0, 0}, {PROPOSAL(true)}},
	{"policy-at", ACTIVE | NEED_TRIES, fs_control_verb_policy_at, {0, 0}, {FILE_NAME, WHEN}},
	{"policy-log",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_policy_log,
	 {0, 0},
	 {{"file", TEXT, false, 0, 255}, {"after", NUMBER, false, 0, UINT32_MAX}}},
	{"policy-status",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_policy_status,
	 {0, 0},
	 {{"days", NUMBER, false, 1, 3650}}},
	{"policy-review", ACTIVE | NEED_TRIES, fs_control_verb_policy_review, {0, 0}, {UNIT}},
	{"policy-sign-off",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_policy_sign_off,
	 {0, 0},
	 {{"practice", NUMBER, true, 1, UINT32_MAX},
	  {"version", NUMBER, true, 1, UINT32_MAX},
	  {"text", TEXT, true, 1, FS_REASON_MAX},
	  {"digest", TEXT, true, 2 * FS_REVIEW_DIGEST, 2 * FS_REVIEW_DIGEST},
	  UNIT}},
	{"policy-explain",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_policy_explain,
	 {0, 0},
	 {WHO,
	  {"journal", TEXT, false, 0, 255},
	  {"note", TEXT, false, 0, 255},
	  {"action", TEXT, false, 0, 127},
	  {"at_s", NUMBER, false, 0, MOMENT_MAX}}},
	{"policy-test",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_policy_test,
	 {0, 0},
	 {POLICY_TEXT,
	  {"name", TEXT, true, 1, 255},
	  {"at_s", NUMBER, false, 0, MOMENT_MAX},
	  {"drafts", LIST, false, 0, 64}}},
	{"note-look",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_note_look,
	 {0, 0},
	 {{"journal", TEXT, true, 1, 255}, {"path", TEXT, true, 0, KEYS_NOTE_PATH_MAX}}},
	{"note-finalize",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_note_finalize,
	 {0, 0},
	 {NOTE, {"stamp", TEXT, false, 0, 63}}},
	{"note-sign", ACTIVE | NEED_TRIES, fs_control_verb_note_sign, {0, 0}, {NOTE}},
	{"note-error",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_note_error,
	 {0, 0},
	 {NOTE, NOTE_REASON}},
	{"note-amend",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_note_amend,
	 {0, 0},
	 {NOTE, {"name", TEXT, false, 0, 255}}},
	{"note-move",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_note_move,
	 {0, 0},
	 {NOTE, {"to", TEXT, true, 1, 255}, NOTE_REASON}},
	{"note-verify",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_note_verify,
	 {0, 0},
	 {{"journal", TEXT, false, 0, 255}, {"path", TEXT, false, 0, KEYS_NOTE_PATH_MAX}}},
	{"note-export", ACTIVE | NEED_TRIES, fs_control_verb_note_export, {0, 0}, {NOTE}},
	{"note-history",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_note_history,
	 {0, 0},
	 {{"journal", TEXT, true, 1, 255}, {"path", TEXT, true, 0, KEYS_NOTE_PATH_MAX}}},
	{"list", ACTIVE, fs_control_verb_list, {0, 0}, {{0}}},
	{"keys-renew",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_keys_renew,
	 {0, 0},
	 {WHO, {"journal", TEXT, false, 0, 255}}},
	{"keys-status",
	 ACTIVE,
	 fs_control_verb_keys_status,
	 {0, 0},
	 {WHO, {"journal", TEXT, false, 0, 255}}},
	{"audit",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_audit,
	 {0, 0},
	 {WHO,
	  {"journal", TEXT, false, 0, 255},
	  {"since_ns", NUMBER, false, 0, INT64_MAX},
	  {"until_ns", NUMBER, false, 0, INT64_MAX},
	  {"grant", NUMBER, false, 0, UINT32_MAX},
	  {"format", TEXT, false, 0, 8}}},
	{"audit-records",
	 STREAM,
	 fs_control_verb_audit_records,
	 {0, 0},
	 {WHO,
	  {"journal", TEXT, false, 0, 255},
	  {"since_ns", NUMBER, false, 0, INT64_MAX},
	  {"until_ns", NUMBER, false, 0, INT64_MAX},
	  {"grant", NUMBER, false, 0, UINT32_MAX},
	  {"own", TRUTH, false, 0, 0},
	  PURPOSE}},
	{"audit-segments", ACTIVE | NEED_TRIES, fs_control_verb_audit_segments, {0, 0}, {PURPOSE}},
	{"audit-segment",
	 STREAM,
	 fs_control_verb_audit_segment,
	 {0, 0},
	 {{"number", NUMBER, true, 0, UINT32_MAX}, {"part", TEXT, true, 1, 8}}},
	{"audit-streams",
	 STREAM,
	 fs_control_verb_audit_streams,
	 {0, KEYS_LEN},
	 {{"since_s", NUMBER, false, 0, MOMENT_MAX}, {"until_s", NUMBER, false, 0, MOMENT_MAX}}},
	{"audit-policies",
	 STREAM,
	 fs_control_verb_audit_policies,
	 {0, 0},
	 {{"practice", TRUTH, false, 0, 0}}},
	{"audit-sign-off",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_audit_sign_off,
	 {0, 0},
	 {{"what", TEXT, true, 1, 1000}, {"findings", TEXT, true, 1, 1000}}},
	{"log-archive",
	 ACTIVE | NEED_TRIES,
	 fs_control_verb_log_archive,
	 {0, KEYS_LEN},
	 {{"what", TEXT, true, 1, 16},
	  {"before_s", NUMBER, false, 0, MOMENT_MAX},
	  {"last", NUMBER, false, 0, 99999999}}},
	{"log-checkpoint", ACTIVE, fs_control_verb_log_checkpoint, {0, 0}, {{0}}},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

/* ---- checking ---- */

static bool field_fits(const struct field *f, const json_t *value)
{
	int64_t n;

	if (f->kind == TRUTH)
		return json_is_boolean(value);
	if (f->kind == NUMBER) {
		n = json_integer_value(value);
		return json_is_integer(value) && n >= f->min && n <= f->max;
	}
	if (f->kind == LIST) {
		n = (int64_t)json_array_size(value);
		return json_is_array(value) && n >= f->min && n <= f->max;
	}
	n = (int64_t)json_string_length(value);
	return json_is_string(value) && n >= f->min && n <= f->max;
}

static bool blob_fits(const struct verb *verb, size_t len)
{
	if (verb->need & NEED_PIECES)
		return len >= verb->blob[0] && len <= verb->blob[1];
	return len == verb->blob[0] || len == verb->blob[1];
}

static int check_fields(struct fs_control_request *rq, const struct verb *verb)
{
	static const char *const kinds[] = {"a text", "a number", "true or false", "a list"};

	for (const struct field *f = verb->field; f->name; f++) {
		const json_t *value = json_object_get(rq->m.json, f->name);

		if (!value && !f->required)
			continue;
		if (!value) {
			fs_say(&rq->say, "`%s` lacks `%s`", verb->name, f->name);
			return -EINVAL;
		}
		if (!field_fits(f, value)) {
			fs_say(&rq->say, "`%s` of `%s` is not %s within its bounds", f->name,
			       verb->name, kinds[f->kind]);
			return -EINVAL;
		}
	}
	if (!blob_fits(verb, rq->m.blob_len)) {
		fs_say(&rq->say, "`%s` came with %zu bytes of secrets, which is not its length",
		       verb->name, rq->m.blob_len);
		return -EINVAL;
	}
	if ((rq->m.fd >= 0) != ((verb->need & NEED_FD) != 0)) {
		fs_say(&rq->say, "`%s` %s a descriptor", verb->name,
		       rq->m.fd >= 0 ? "takes no" : "lacks");
		return -EINVAL;
	}
	return 0;
}

/* The session that a request speaks for: the connection's own, else the account's newest. */
static struct fs_session *session_of(struct fs_control_request *rq)
{
	struct fs_session *s = NULL;

	pthread_mutex_lock(&rq->c->lock);
	if (rq->conn->agent)
		s = fs_session_get(rq->conn->agent->session);
	pthread_mutex_unlock(&rq->c->lock);
	return s ? s : fs_vault_session_of(rq->c->vault, rq->conn->uid);
}

static int check_session(struct fs_control_request *rq, const struct verb *verb)
{
	enum fs_session_state state;

	rq->session = session_of(rq);
	if (!(verb->need & (NEED_SESSION | NEED_ACTIVE)))
		return 0;
	state = rq->session ? fs_session_state(rq->session) : FS_SESSION_ENDED;
	if (state == FS_SESSION_ENDED) {
		fs_say(&rq->say, "you are not logged in; `journalfs login` begins a session");
		return -ENOKEY;
	}
	if ((verb->need & NEED_ACTIVE) && state != FS_SESSION_ACTIVE) {
		fs_say(&rq->say, "your session is locked; `journalfs unlock` opens it");
		return -ENOKEY;
	}
	return 0;
}

static int run(struct fs_control_request *rq)
{
	const json_t *name = json_object_get(rq->m.json, "verb");
	const struct verb *verb = json_is_string(name) ? find_verb(json_string_value(name)) : NULL;
	int rc;

	if (!atomic_load(&rq->conn->greeted) && (!verb || (verb->need & NEED_HELLO))) {
		fs_say(&rq->say, "the first request must be `hello`");
		return -EPROTO;
	}
	if (!verb) {
		fs_say(&rq->say,
		       "this daemon (version %s) does not know that verb; is it older than "
		       "the command?",
		       FS_CONTROL_VERSION);
		return -EOPNOTSUPP;
	}
	rc = check_fields(rq, verb);
	if (!rc && verb->fn == fs_control_verb_hello &&
	    fs_control_int(rq, "protocol") != FS_CONTROL_PROTOCOL) {
		fs_say(&rq->say, "this daemon speaks protocol %d only: update the older of the two",
		       FS_CONTROL_PROTOCOL);
		rc = -EPROTONOSUPPORT;
	}
	if (!rc)
		rc = check_session(rq, verb);
	if (!rc && (verb->need & NEED_TRIES))
		rc = fs_control_tries_check(rq->c, rq->conn->uid, &rq->say);
	if (rc)
		return rc;
	rc = verb->fn(rq);
	if (rc && (verb->need & NEED_TRIES))
		fs_control_tries_refused(rq->c, rq->conn->uid);
	return rc;
}

/* ---- answering ---- */

const char *fs_control_plain_words(int rc)
{
	static const struct {
		int rc;
		const char *text;
	} words[] = {
		{-ENOKEY, "the session is locked or over; `journalfs unlock` or `journalfs login`"},
		{-EACCES, "the policy does not allow it"},
		{-EPERM, "this is not allowed"},
		{-ENOENT, "there is no such thing, or it is not shown to you"},
		{-ENOSPC, "the disk is full: free some space and try again"},
		{-EROFS, "the vault is read-only since its disk failed: look at the system's log"},
		{-EIO,
		 "the disk or the access log can't be written or read: look at the system's log"},
		{-EBADMSG, "stored data is damaged or forged; an alarm was logged"},
		{-ENOMEM, "the daemon is out of memory"},
		{-EAGAIN, "not now; try again in a moment"},
		{-ESTALE, "it has changed meanwhile; read it again"},
		{-EKEYREJECTED, "wrong passphrase or code"},
		{-EINPROGRESS, "it waits for a second steward"},
		{-EDOTDOT, "the patient's block stands in the way"},
		{-ENODATA, "a second factor has to be given"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].rc == rc)
			return words[i].text;
	}
	return strerror(-rc);
}

static json_t *refusal(struct fs_control_request *rq, int rc)
{
	const char *name = strerrorname_np(-rc);
	const char *say = rq->say.text[0] ? rq->say.text
			  : rq->report	  ? ""
					  : fs_control_plain_words(rc);
	json_t *json =
		json_pack("{s:b, s:i, s:s}", "ok", 0, "errno", -rc, "error", name ? name : "EIO");

	if (json && (json_object_set_new(json, "say", fs_control_json_text(say, strlen(say))) ||
		     (rq->report &&
		      json_object_set_new(json, "report",
					  fs_control_json_text(rq->report, strlen(rq->report)))))) {
		json_decref(json);
		json = NULL;
	}
	return json;
}

int fs_control_more(struct fs_control_request *rq)
{
	int rc = -ENOMEM;

	if (!json_object_set_new(rq->answer, "ok", json_true()) &&
	    !json_object_set_new(rq->answer, "more", json_true()))
		rc = fs_control_conn_send(rq->c, rq->conn, rq->answer, NULL, 0);
	json_object_clear(rq->answer);
	return rc ? rc : fs_control_conn_drain(rq->c, rq->conn);
}

int fs_control_objects_begin(struct fs_control_objects *to)
{
	to->list = json_array();
	to->bytes = 0;
	return to->list && !json_object_set_new(to->rq->answer, to->name, to->list) ? 0 : -ENOMEM;
}

int fs_control_objects_put(struct fs_control_objects *to, json_t *one)
{
	int rc;

	if (!one || json_array_append_new(to->list, one))
		return -ENOMEM;
	to->bytes += json_dumpb(one, NULL, 0, 0);
	if (json_array_size(to->list) < FS_CONTROL_OBJECTS && to->bytes < FS_CONTROL_OBJECTS_LEN)
		return 0;
	rc = fs_control_more(to->rq);
	return rc ? rc : fs_control_objects_begin(to);
}

int fs_control_texts_begin(struct fs_control_texts *to)
{
	to->list = json_array();
	to->bytes = 0;
	if (!to->list || json_object_set_new(to->rq->answer, to->name, to->list))
		to->rc = -ENOMEM;
	return to->rc;
}

int fs_control_texts_put(struct fs_control_texts *to, const char *text, size_t len)
{
	if (to->rc)
		return to->rc;
	if (json_array_append_new(to->list, fs_control_json_text(text, len)))
		return to->rc = -ENOMEM;
	to->bytes += len + 4;
	if (to->bytes < FS_CONTROL_TEXTS_LEN)
		return 0;
	to->rc = fs_control_more(to->rq);
	return to->rc ? to->rc : fs_control_texts_begin(to);
}

void fs_control_serve(struct fs_control_request *rq)
{
	json_t *json = NULL;
	int rc;

	rq->answer = json_object();
	rc = rq->answer ? run(rq) : -ENOMEM;
	if (!rc && json_object_set_new(rq->answer, "ok", json_true()))
		rc = -ENOMEM;
	json = rc ? refusal(rq, rc) : json_incref(rq->answer);
	if (json)
		rc = fs_control_conn_send(rq->c, rq->conn, json, rc ? NULL : rq->blob,
					  rc ? 0 : rq->blob_len);
	/* A peer that can't be told anything is let go: it would wait for ever. */
	if (!json || rc == -EMSGSIZE || rc == -ENOMEM)
		atomic_store(&rq->conn->finish, true);
	json_decref(json);
	json_decref(rq->answer);
	keys_guard_free(rq->blob);
	free(rq->report);
	fs_session_put(rq->session);
	/* A job that waited for a client's file would be waited for when the daemon stops. */
	fs_wire_fd_drop(rq->conn->uid, rq->m.fd);
	rq->m.fd = -1;
	fs_wire_message_clear(&rq->m);
	keys_wipe(&rq->say, sizeof(rq->say));
}
