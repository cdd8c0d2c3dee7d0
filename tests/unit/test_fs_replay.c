/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_replay.c - a clinic's day through the real gate, and its log decided again:
 * what the daemon decided is what policy says, and what was not is found.
 */
#include "fs/final.h"
#include "fs/gate.h"
#include "fs/note_history.h"
#include "fs/notes.h"
#include "policy/replay_decide.h"
#include "policy/replay_story.h"
#include "policy/which.h"
#include "test_fs_vault.h"

#define ROLES_FROM "role physician clinical may list read write create"
#define ROLES_TO                                                                                   \
	"role physician clinical may list read write create finalize export break-glass attend "   \
	"history"
#define REASON "unconscious, brought in by ambulance"

static struct fs_session *dan, *anna, *max, *bo, *lis;
static struct fs_gate *of_anna, *of_max, *of_bo;
static uint32_t p, q;

/* ---- the clinic ---- */

static void clinic(void)
{
	char text[T_POLICY_MAX];

	dan = t_clinic();
	t_edit(text, ROLES_FROM, ROLES_TO);
	t_put(dan, "practice", text);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	t_enroll(dan, "max", MAX);
	t_enroll(dan, "lis", LIS);
	anna = t_login("anna", ANNA);
	p = t_make(anna, "010190-1234 Hansen, Anna");
	q = t_make(anna, "Olsen");
	ck_assert_int_eq(t_write(anna, p, "note", "what anna wrote"), 0);
	max = t_login("max", MAX);
	bo = t_login("bo", BO);
	lis = t_login("lis", LIS);
	t_ticks();
	ck_assert_int_eq(fs_group_sync(fs_records_group(t.v->records), 0), 0);
	ck_assert_int_eq(fs_gate_new(t.v, anna, &of_anna), 0);
	ck_assert_int_eq(fs_gate_new(t.v, max, &of_max), 0);
	ck_assert_int_eq(fs_gate_new(t.v, bo, &of_bo), 0);
}

static void gates_down(void)
{
	fs_gate_free(of_anna);
	fs_gate_free(of_max);
	fs_gate_free(of_bo);
	of_anna = of_max = of_bo = NULL;
}

static void everybody_out(void)
{
	gates_down();
	if (lis)
		t_logout(lis);
	if (bo)
		t_logout(bo);
	if (max)
		t_logout(max);
	if (anna)
		t_logout(anna);
	if (dan)
		t_logout(dan);
	dan = anna = max = bo = lis = NULL;
}

/* As the kernel would ask, and as the operations record it. */
static int act(struct fs_gate *g, uid_t uid, const char *op, uint32_t index, uint32_t rights,
	       enum policy_record_kind kind, char action)
{
	struct fs_gate_request rq = {.op = op,
				     .nodeid = fs_nodeid(index, FS_ROOT_INO),
				     .name = "note",
				     .rights = rights,
				     .entries = kind == POLICY_RECORD_CREATE,
				     .uid = uid,
				     .pid = 1};
	struct fs_gate_act done = {
		.kind = kind, .nodeid = fs_nodeid(index, 2), .name = "note", .action = action};
	struct fs_gate_pass pass;
	int rc = fs_gate_begin(g, &rq, &pass);

	if (rc)
		return rc;
	if (kind == POLICY_RECORD_OPEN)
		rc = fs_gate_cover(g, &rq, 2, "note");
	if (!rc)
		rc = fs_gate_record(g, &pass, &rq, &done);
	fs_gate_end(&pass);
	return rc;
}

static int opens(struct fs_gate *g, uid_t uid, uint32_t index)
{
	return act(g, uid, "open", index, POLICY_READ, POLICY_RECORD_OPEN, 'R');
}

static int writes(struct fs_gate *g, uid_t uid, uint32_t index)
{
	return act(g, uid, "open", index, POLICY_READ | POLICY_WRITE, POLICY_RECORD_OPEN, 'U');
}

static int makes(struct fs_gate *g, uid_t uid, uint32_t index)
{
	return act(g, uid, "create", index, POLICY_LIST | POLICY_WRITE, POLICY_RECORD_CREATE, 0);
}

static int lists(struct fs_gate *g, uid_t uid, uint32_t index)
{
	struct fs_gate_request rq = {.op = "opendir",
				     .nodeid = fs_nodeid(index, FS_ROOT_INO),
				     .rights = POLICY_LIST,
				     .uid = uid,
				     .reveals = true,
				     .dir = FS_ROOT_INO,
				     .pid = 1};
	struct fs_gate_act done = {.kind = POLICY_RECORD_LIST, .nodeid = rq.nodeid};
	struct fs_gate_pass pass;
	int rc = fs_gate_begin(g, &rq, &pass);

	if (!rc)
		rc = fs_gate_record(g, &pass, &rq, &done);
	fs_gate_end(&pass);
	return rc;
}

static void admit(uint32_t index, const char *name, const char *lines)
{
	char text[512];

	(void)index;
	snprintf(text, sizeof(text), "journal \"%s\"\nunit north\nallow user:anna:rwx\n%s", name,
		 lines);
	t_put(dan, name, text);
	t_ticks();
}

static int hit(void *ctx, const char *name)
{
	(void)ctx;
	ck_assert_str_eq(name, "010190-1234 Hansen, Anna");
	return 0;
}

static void emergency(void)
{
	const struct fs_glass_open in = {.journal = "010190-1234 Hansen, Anna",
					 .ground = FS_GLASS_DANGER,
					 .reason = REASON,
					 .code = ""};
	struct fs_grant g;
	bool more;

	ck_assert_int_eq(fs_vault_glass_search(t.v, max, "hans", hit, NULL, &more, &t.say), 0);
	ck_assert_msg(fs_vault_glass_open(t.v, max, &in, &g, &t.say) == 0, "%s", t.say.text);
	ck_assert_int_eq(opens(of_max, MAX, p), 0);
	ck_assert_int_eq(lists(of_max, MAX, p), 0);
	ck_assert_int_eq(makes(of_max, MAX, p), 0);
	ck_assert_int_eq(fs_vault_glass_close(t.v, max, in.journal, &t.say), 0);
	ck_assert_int_eq(opens(of_max, MAX, p), -EACCES);
}

static void attend(void)
{
	const struct fs_attend in = {"Olsen", "covering for anna who is ill", 3600};
	int64_t until_s;

	ck_assert_int_eq(opens(of_max, MAX, q), -EACCES);
	ck_assert_msg(fs_vault_attend(t.v, max, &in, &until_s, &t.say) == 0, "%s", t.say.text);
	ck_assert_int_eq(writes(of_max, MAX, q), 0);
	ck_assert_int_ne(fs_vault_attend(t.v, max, &in, &until_s, &t.say), 0);
}

static void on_leave(void)
{
	char text[T_POLICY_MAX], away[T_POLICY_MAX];
	const char *line = "practitioner bo user bo role nurse unit north", *at;

	t_edit(text, ROLES_FROM, ROLES_TO);
	at = strstr(text, line);
	ck_assert_ptr_nonnull(at);
	snprintf(away, sizeof(away), "%.*s%s on leave%s", (int)(at - text), text, line,
		 at + strlen(line));
	t_put(dan, "practice", away);
	ck_assert_int_eq(opens(of_bo, BO, p), -EACCES);
	t_put(dan, "practice", text);
	ck_assert_int_eq(opens(of_bo, BO, p), 0);
}

/* What becomes of notes, by commands. */
static void notes(void)
{
	const struct fs_note_place at = {.journal = "010190-1234 Hansen, Anna", .path = "note"};
	char path[KEYS_NOTE_PATH_MAX + 1];
	struct fs_note_result result;
	struct fs_note_export out;

	/* A draft is amended by nobody; max may not even read. */
	ck_assert_int_eq(fs_vault_note_amend(t.v, anna, &at, NULL, path, &t.say), -EPERM);
	ck_assert_int_eq(fs_vault_note_amend(t.v, max, &at, NULL, path, &t.say), -ENOENT);
	ck_assert_msg(fs_vault_note_finalize(t.v, anna, &at, FS_NOTE_SIGN, NULL, &result, &t.say) ==
			      0,
		      "%s", t.say.text);
	ck_assert_msg(fs_vault_note_amend(t.v, anna, &at, "", path, &t.say) == 0, "%s", t.say.text);
	ck_assert_int_eq(fs_vault_note_export(t.v, bo, &at, &out, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_note_export(t.v, anna, &at, &out, &t.say), 0);
	ck_assert_int_eq(fs_vault_note_error(t.v, anna, &at, "written in the wrong journal", NULL,
					     &result, &t.say),
			 0);
}

/* Journals come, change their name and go. */
static void journals(void)
{
	uint32_t index;

	t_make(anna, "Short-lived");
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "Olsen", "Olsen, Ole"), 0);
	ck_assert_int_eq(fs_vault_journal_rename(t.v, bo, "Olsen, Ole", "Bo's"), -EACCES);
	ck_assert_int_eq(fs_vault_journal_remove(t.v, bo, "Short-lived"), -EACCES);
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "Short-lived"), 0);
	ck_assert_int_eq(fs_vault_journal_by_name(t.v, "Short-lived", &index), -ENOENT);
}

static int seen(void *ctx, const struct fs_glass_item *item)
{
	(void)ctx;
	(void)item;
	return 0;
}

/* What auditors, reviewers and stewards do, and who else tries. */
static void looks(void)
{
	const struct fs_explain hidden = {"", "010190-1234 Hansen, Anna", "", "read", 0};
	const struct fs_explain own = {"", "", "", "list", 0};
	const struct fs_explain other = {"anna", "", "", "policy", 0};
	char code[KEYS_CODE_TEXT_MAX], *text = NULL;
	struct fs_audit_query all = {0};
	uint32_t deviation;

	ck_assert_int_eq(fs_vault_glass_list(t.v, max, 0, seen, NULL, &t.say), 0);
	ck_assert_int_eq(fs_vault_glass_list(t.v, lis, 1, seen, NULL, &t.say), 0);
	ck_assert_int_eq(fs_vault_glass_review(t.v, bo, 1, FS_GLASS_JUSTIFIED, "it was all right",
					       &deviation, &t.say),
			 -EACCES);
	ck_assert_int_eq(fs_vault_glass_review(t.v, lis, 1, FS_GLASS_JUSTIFIED, "it was all right",
					       &deviation, &t.say),
			 0);
	ck_assert_int_eq(fs_vault_explain(t.v, bo, &hidden, &text, &t.say), -ENOENT);
	ck_assert_int_eq(fs_vault_explain(t.v, bo, &own, &text, &t.say), 0);
	free(text);
	ck_assert_int_eq(fs_vault_explain(t.v, bo, &other, &text, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_invite(t.v, bo, "eva", false, 0, code, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_invite(t.v, dan, "eva", false, 0, code, &t.say), 0);
	ck_assert_int_eq(fs_vault_journal_make(t.v, bo, "Not bo's", &(uint32_t){0}), -EACCES);
	ck_assert_int_eq(t_try_put(bo, "practice", CLINIC_POLICY, &(char *){NULL}), -EACCES);
	ck_assert_int_ne(
		fs_vault_audit(t.v, bo, &all, t_count_one, &(struct t_counting){0}, &t.say), 0);
	ck_assert_int_eq(
		fs_vault_audit(t.v, lis, &all, t_count_one, &(struct t_counting){0}, &t.say), 0);
}

/* A day with everything that changes what people may do. */
static void day(void)
{
	clinic();
	ck_assert_int_eq(lists(of_anna, ANNA, p), 0);
	ck_assert_int_eq(opens(of_anna, ANNA, p), 0);
	ck_assert_int_eq(writes(of_anna, ANNA, p), 0);
	ck_assert_int_eq(opens(of_bo, BO, p), -EACCES);
	ck_assert_int_eq(opens(of_bo, MAX, p), -EACCES); /* another account */
	admit(p, "010190-1234 Hansen, Anna", "allow user:bo:r-x\nallow role:reader:r-x\n");
	ck_assert_int_eq(opens(of_bo, BO, p), 0);
	ck_assert_int_eq(writes(of_bo, BO, p), -EACCES);
	ck_assert_int_eq(opens(of_max, MAX, p), -EACCES);
	emergency();
	attend();
	on_leave();
	notes();
	admit(p, "010190-1234 Hansen, Anna", "allow user:bo:r-x\nblock user:bo\n");
	ck_assert_int_eq(lists(of_bo, BO, p), -EACCES);
	journals();
	looks();
	/* What was only counted is written. */
	fs_gate_reset(of_anna);
	fs_gate_reset(of_bo);
	fs_gate_reset(of_max);
}

/* ---- its log and its policies ---- */

static struct policy_record *log_record;
static size_t log_n;
static struct policy_past *past;

static int take(void *ctx, const struct policy_record *r)
{
	(void)ctx;
	log_record = reallocarray(log_record, log_n + 1, sizeof(*log_record));
	ck_assert_ptr_nonnull(log_record);
	log_record[log_n] = *r;
	log_record[log_n].notes = NULL;
	log_record[log_n++].note_count = 0;
	return 0;
}

static void collect_log(void)
{
	uint8_t key[KEYS_RECOVERY_LEN], pk[KEYS_LEN], sk[KEYS_LEN];
	char dir[100];

	snprintf(dir, sizeof(dir), "%s/log", t.vault);
	ck_assert_int_eq(fs_log_wait(t.v->log, 0), 0);
	ck_assert_int_eq(keys_recovery_parse(t.made.recovery, key), 0);
	keys_recovery_box(t.made.vault, key, pk, sk);
	ck_assert_int_eq(fs_log_read(dir, t.made.vault, pk, sk, 0, take, NULL, NULL), 0);
}

static void collect_past(void)
{
	ck_assert_int_eq(policy_past_new(&past), 0);
	for (uint32_t n = 1; n <= t.v->counters.policy; n++) {
		char name[POLICY_JOURNAL_NAME_MAX + 1] = "";
		struct fs_version ver;
		struct policy_past_change c = {.version = n};

		ck_assert_int_eq(fs_policies_peek(t.v, n, &ver), 0);
		c.time_s = (int64_t)ver.time_s;
		c.journal = ver.file;
		c.text = ver.text;
		c.len = ver.len;
		if (ver.file && policy_which_journal(ver.text, ver.len, name))
			c.name = name;
		ck_assert_int_eq(policy_past_add(past, &c), 0);
		fs_policies_clear(&ver);
	}
}

static void set_up(void)
{
	t_setup();
	day();
	collect_past();
	collect_log();
}

static void tear_down(void)
{
	everybody_out();
	t_teardown();
	policy_past_free(past);
	free(log_record);
	log_record = NULL;
	log_n = 0;
	past = NULL;
}

static unsigned found[POLICY_REDO_FINDINGS];
static char first[600];

static void decide_all(void)
{
	struct policy_redoing *d = NULL;
	struct policy_redo redo;
	char line[4096];

	memset(found, 0, sizeof(found));
	first[0] = '\0';
	ck_assert_int_eq(policy_redoing_new(past, &d), 0);
	for (size_t i = 0; i < log_n; i++) {
		ck_assert_int_eq(policy_redoing_judge(d, &log_record[i], &redo), 0);
		/* A counted repeat may be older than its record. */
		if (redo.finding == POLICY_REDO_EDGE && log_record[i].count)
			continue;
		found[redo.finding]++;
		if (redo.finding < POLICY_REDO_EDGE || redo.finding == POLICY_REDO_OTHER ||
		    first[0])
			continue;
		policy_record_text(&log_record[i], line, sizeof(line));
		snprintf(first, sizeof(first), "%s: now %.200s; record %.350s",
			 policy_redo_word(redo.finding), redo.rule, line);
	}
	policy_redoing_free(d);
}

static unsigned differences(void)
{
	unsigned n = 0;

	for (unsigned f = POLICY_REDO_EDGE; f < POLICY_REDO_FINDINGS; f++)
		n += f == POLICY_REDO_OTHER ? 0 : found[f];
	return n;
}

START_TEST(what_the_daemon_decided_on_a_day_is_what_policy_says)
{
	decide_all();
	ck_assert_msg(differences() == 0, "%u differences, the first: %s", differences(), first);
	/* It was not an empty day. */
	ck_assert_uint_ge(found[POLICY_REDO_SAME], 55);
	ck_assert_uint_ge(found[POLICY_REDO_OTHER], 2);
}
END_TEST

/* The n-th record of this kind and person, from 0. */
static struct policy_record *nth(enum policy_record_kind kind, const char *who, unsigned n)
{
	for (size_t i = 0; i < log_n; i++) {
		if (log_record[i].kind == kind && !strcmp(log_record[i].who, who) && !n--)
			return &log_record[i];
	}
	ck_abort_msg("no such record");
	return NULL;
}

START_TEST(an_opening_that_policy_refuses_is_found)
{
	/* Max's refused opening, as a daemon would write it that let him in. */
	struct policy_record *r = nth(POLICY_RECORD_REFUSED, "max", 0);

	r->kind = POLICY_RECORD_OPEN;
	r->outcome = 0;
	r->action = 'R';
	decide_all();
	ck_assert_uint_eq(found[POLICY_REDO_ALLOWED], 1);
	ck_assert_uint_eq(differences(), 1);
}
END_TEST

START_TEST(a_refusal_that_policy_would_not_give_is_found)
{
	struct policy_record *r = nth(POLICY_RECORD_OPEN, "anna", 0);

	r->kind = POLICY_RECORD_REFUSED;
	r->outcome = 4;
	snprintf(r->detail, sizeof(r->detail), "open: EACCES");
	decide_all();
	ck_assert_uint_eq(found[POLICY_REDO_REFUSED], 1);
	/* What it says decided is the same words all the same. */
	ck_assert_uint_eq(differences(), 1);
}
END_TEST

START_TEST(another_ground_than_the_policys_is_found)
{
	struct policy_record *r = nth(POLICY_RECORD_OPEN, "anna", 0);

	snprintf(r->rule, sizeof(r->rule), "allow unit:north:rwx (line 9)");
	decide_all();
	ck_assert_uint_eq(found[POLICY_REDO_GROUND], 1);
	ck_assert_uint_eq(differences(), 1);
}
END_TEST

START_TEST(an_act_under_a_grant_that_is_not_open_is_found)
{
	struct policy_record *r = nth(POLICY_RECORD_OPEN, "max", 0);

	ck_assert_uint_eq(r->grant, 1);
	r->grant = 7;
	decide_all();
	ck_assert_uint_eq(found[POLICY_REDO_GRANT], 1);
	/* An hour after it was closed. */
	r->grant = 1;
	for (size_t i = (size_t)(r - log_record); i < log_n; i++)
		log_record[i].time_ns += 0;
	r->time_ns += INT64_C(1800) * 1000000000;
	for (size_t i = 0; i < log_n; i++) {
		if (log_record[i].kind == POLICY_RECORD_BREAK_GLASS_END) {
			/* The end comes first in the log. */
			struct policy_record end = log_record[i];

			memmove(r + 1, r, (size_t)(&log_record[i] - r) * sizeof(*r));
			*r = end;
			break;
		}
	}
	decide_all();
	ck_assert_uint_eq(found[POLICY_REDO_GRANT], 1);
}
END_TEST

START_TEST(an_act_of_a_session_that_never_logged_in_is_found)
{
	struct policy_record *r = nth(POLICY_RECORD_OPEN, "anna", 0);

	memset(r->session, 0x5a, sizeof(r->session));
	decide_all();
	ck_assert_uint_eq(found[POLICY_REDO_SESSION], 1);
	ck_assert_uint_eq(differences(), 1);
}
END_TEST

START_TEST(a_version_that_is_not_known_is_said_so)
{
	struct policy_record *r = nth(POLICY_RECORD_OPEN, "anna", 0);

	r->policy_version = 4000;
	decide_all();
	ck_assert_uint_ge(found[POLICY_REDO_UNKNOWN], 1);
	ck_assert_uint_eq(found[POLICY_REDO_ALLOWED], 0);
}
END_TEST

/* Bo is let in by the version before the block, ten minutes after it. */
START_TEST(an_act_by_a_version_that_was_replaced_is_found)
{
	struct policy_record *r = nth(POLICY_RECORD_OPEN, "bo", 1), late = *r;

	late.time_ns = log_record[log_n - 1].time_ns + INT64_C(600) * 1000000000;
	ck_assert_int_eq(take(NULL, &late), 0);
	decide_all();
	ck_assert_uint_eq(found[POLICY_REDO_STALE], 1);
	ck_assert_uint_eq(differences(), 1);
}
END_TEST

/* The same, within a second of the change: that is how a decision under way looks. */
START_TEST(an_act_on_its_way_when_the_policy_changed_is_no_difference)
{
	struct policy_record *r = nth(POLICY_RECORD_OPEN, "bo", 1), late = *r;

	late.policy_version = t.v->counters.policy;
	late.time_ns = log_record[log_n - 1].time_ns;
	ck_assert_int_eq(take(NULL, &late), 0);
	decide_all();
	ck_assert_uint_eq(found[POLICY_REDO_ALLOWED], 0);
	ck_assert_uint_eq(found[POLICY_REDO_EDGE], 1);
}
END_TEST

/* ---- drafts ---- */

static const struct policy_journal *no_draft(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return NULL;
}

START_TEST(a_draft_says_what_it_would_have_refused_and_allowed)
{
	struct policy_redo_draft draft = {.journal = no_draft};
	struct policy_practice *practice = NULL;
	struct policy_report *why = NULL;
	struct policy_redoing *d = NULL;
	char text[T_POLICY_MAX], rule[POLICY_RECORD_TEXT];
	unsigned n[3] = {0}, of_bo_allowed = 0, anna_refused = 0;

	/* Physicians only read, and nurses make journals. */
	t_edit(text, ROLES_FROM, "role physician clinical may list read create");
	strcpy(strstr(text, "role nurse clinical may list read write\n"),
	       strstr(CLINIC_POLICY, "role reader"));
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s",
		 "role nurse clinical may list read write create\n");
	ck_assert_int_eq(policy_report_new(&why), 0);
	ck_assert_msg(policy_practice_parse(text, strlen(text), "practice", why, &practice) == 0,
		      "%s", policy_report_line(why, 0));
	draft.practice = practice;
	ck_assert_int_eq(policy_redoing_new(past, &d), 0);
	for (size_t i = 0; i < log_n; i++) {
		const struct policy_record *r = &log_record[i];
		enum policy_redo_change change;

		ck_assert_int_eq(policy_redoing_skip(d, r), 0);
		ck_assert_int_eq(policy_redoing_draft(d, r, &draft, &change, rule), 0);
		n[change]++;
		if (change == POLICY_DRAFT_ALLOWS && !strcmp(r->who, "bo") &&
		    strstr(r->detail, "making a journal"))
			of_bo_allowed++;
		if (change == POLICY_DRAFT_REFUSES && !strcmp(r->who, "anna") &&
		    r->kind == POLICY_RECORD_OPEN) {
			ck_assert_int_eq(r->action, 'U');
			ck_assert_ptr_nonnull(strstr(rule, "may not write"));
			anna_refused++;
		}
	}
	ck_assert_uint_eq(of_bo_allowed, 1);
	ck_assert_uint_eq(anna_refused, 1);
	ck_assert_uint_gt(n[POLICY_DRAFT_SAME], 20);
	policy_redoing_free(d);
	policy_practice_put(practice);
	policy_report_free(why);
}
END_TEST

/* ---- the story ---- */

static char story[65536];

static int say(void *ctx, enum policy_story_kind kind, int64_t time_ns, const char *text)
{
	size_t n = strlen(story);

	(void)ctx;
	(void)time_ns;
	snprintf(story + n, sizeof(story) - n, "%d %s\n", (int)kind, text);
	return 0;
}

static void no_clock(int64_t time_ns, char out[static 16])
{
	(void)time_ns;
	strcpy(out, "00:00");
}

static void one_day(int64_t time_ns, char out[static 64])
{
	(void)time_ns;
	strcpy(out, "a day");
}

START_TEST(the_day_is_told_as_a_story)
{
	const struct policy_story_out out = {.line = say, .clock = no_clock, .day = one_day};
	struct policy_story *s = NULL;

	story[0] = '\0';
	ck_assert_int_eq(policy_story_new(&out, &s), 0);
	for (size_t i = 0; i < log_n; i++)
		ck_assert_int_eq(policy_story_step(s, &log_record[i]), 0);
	ck_assert_int_eq(policy_story_end(s), 0);
	policy_story_free(s);
	if (getenv("SHOW"))
		fputs(story, stderr);
	ck_assert_ptr_nonnull(strstr(story, "anna (physician, north) at tty1, session "));
	ck_assert_ptr_nonnull(strstr(story, "logs in"));
	ck_assert_ptr_nonnull(
		strstr(story, "in \"010190-1234 Hansen, Anna\": allow user:anna:rwx (line "));
	ck_assert_ptr_nonnull(strstr(story, "opens note"));
	ck_assert_ptr_nonnull(strstr(story, "BREAKS THE GLASS: danger to life or health, until "
					    "00:00; reason \"" REASON "\""));
	ck_assert_ptr_nonnull(strstr(story, "BY EMERGENCY ACCESS, grant 1: emergency access"));
	ck_assert_ptr_nonnull(strstr(story, "is REFUSED: open: EACCES note"));
	ck_assert_ptr_null(strchr(story, '\x1b'));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("fs_replay");
	TCase *c = tcase_create("day");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, what_the_daemon_decided_on_a_day_is_what_policy_says);
	tcase_add_test(c, an_opening_that_policy_refuses_is_found);
	tcase_add_test(c, a_refusal_that_policy_would_not_give_is_found);
	tcase_add_test(c, another_ground_than_the_policys_is_found);
	tcase_add_test(c, an_act_under_a_grant_that_is_not_open_is_found);
	tcase_add_test(c, an_act_of_a_session_that_never_logged_in_is_found);
	tcase_add_test(c, a_version_that_is_not_known_is_said_so);
	tcase_add_test(c, an_act_by_a_version_that_was_replaced_is_found);
	tcase_add_test(c, an_act_on_its_way_when_the_policy_changed_is_no_difference);
	tcase_add_test(c, a_draft_says_what_it_would_have_refused_and_allowed);
	tcase_add_test(c, the_day_is_told_as_a_story);
	suite_add_tcase(s, c);
	return s;
}

int main(void)
{
	return t_run(suite());
}
