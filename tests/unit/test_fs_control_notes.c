/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Final notes over the control socket: looked at, locked, signed, verified, exported, amended,
 * moved; what is forged, or comes from who has no session, locks nothing.
 */
#include "test_fs_control.h"

#include "fs/notes.h"

#define PIECE 100 /* objects */

static uint32_t journal;

/* Anna, a physician, is this process's account; bo, a nurse, has written a note in her journal p
 * too. */
static void start_anna(void)
{
	struct fs_session *dan, *anna, *bo;
	char policy[T_POLICY_MAX];

	dan = t_clinic();
	t_edit(policy,
	       "role physician clinical may list read write create\n"
	       "role nurse clinical may list read write\n",
	       "role physician clinical may list read write create finalize export\n"
	       "role nurse clinical may list read write finalize\n"
	       "role student clinical may list read write create\n"
	       "finalize countersign student\n"
	       "history for \"*.tmp\" keep none\n");
	t_put(dan, "practice", policy);
	t_enroll(dan, "anna", getuid());
	t_enroll(dan, "bo", BO);
	t_enroll(dan, "max", MAX);
	anna = t_login("anna", getuid());
	journal = t_make(anna, "p");
	t_make(anna, "q");
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\n");
	bo = t_login("bo", BO);
	t_ticks();
	ck_assert_int_eq(t_write(anna, journal, "plan.txt", "rest, and walk again in May"), 0);
	ck_assert_int_eq(t_write(bo, journal, "bo.txt", "pulse 72"), 0);
	ck_assert_int_eq(t_write(anna, journal, "scan.tmp", "half"), 0);
	ck_assert_int_eq(t_write(anna, journal, ".plan.txt.swp", "b0VIM"), 0);
	t_logout(bo);
	t_logout(anna);
	t_logout(dan);
	start(false, false);
}

static const json_t *one_of(const char *list, const char *path)
{
	const json_t *all = json_object_get(answer.json, list);
	json_t *one;
	size_t i;

	json_array_foreach(all, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "path"));

		if (name && !strcmp(name, path))
			return one;
	}
	return NULL;
}

static const char *of(const json_t *one, const char *name)
{
	const char *text = json_string_value(json_object_get(one, name));

	return text ? text : "";
}

#define AT(path) "\"journal\":\"p\",\"path\":\"" path "\""
#define REASON ",\"reason\":\"another patient\""

START_TEST(directory_shows_what_may_be_locked_and_what_is_left_out)
{
	int s;

	start_anna();
	s = agent("anna");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-look\"," AT("") "}"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "notes")), 4);
	ck_assert_str_eq(of(one_of("notes", "plan.txt"), "may"), "yes");
	ck_assert_str_eq(of(one_of("notes", "plan.txt"), "author"), "anna");
	ck_assert_str_eq(of(one_of("notes", "plan.txt"), "state"), "draft");
	ck_assert(json_is_true(json_object_get(one_of("notes", "plan.txt"), "mine")));
	ck_assert_int_eq(json_integer_value(json_object_get(one_of("notes", "plan.txt"), "size")),
			 27);
	ck_assert_str_eq(of(one_of("notes", "bo.txt"), "may"), "no");
	ck_assert_ptr_nonnull(strstr(of(one_of("notes", "bo.txt"), "why"), "bo"));
	ck_assert_str_eq(of(one_of("notes", "scan.tmp"), "may"), "left-out");
	ck_assert_ptr_nonnull(strstr(of(one_of("notes", "scan.tmp"), "why"), "policy"));
	ck_assert_str_eq(of(one_of("notes", ".plan.txt.swp"), "may"), "left-out");
	ck_assert_ptr_nonnull(strstr(of(one_of("notes", ".plan.txt.swp"), "why"), "temporary"));
	ck_assert_uint_ge(t_logged(POLICY_RECORD_LIST, "not final"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, NULL), 0);
	/* Named itself, it is looked at like any other. */
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-look\"," AT("scan.tmp") "}"), 0);
	ck_assert_str_eq(of(one_of("notes", "scan.tmp"), "may"), "yes");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-look\"," AT("none.txt") "}"), -ENOENT);
	close(s);
}
END_TEST

START_TEST(note_is_locked_signed_verified_and_exported)
{
	int s;

	start_anna();
	s = agent("anna");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-export\"," AT("plan.txt") "}"), -EPERM);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-finalize\"," AT("plan.txt") "}"), 0);
	ck_assert_int_eq(number_of("number"), 1);
	ck_assert_str_eq(text_of("kind"), "final");
	ck_assert_uint_eq(strlen(text_of("sha256")), 64);
	ck_assert_str_eq(text_of("path"), "plan.txt");
	ck_assert(json_is_false(json_object_get(answer.json, "wants")));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, NULL), 1);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-finalize\"," AT("plan.txt") "}"), -EPERM);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-look\"," AT("") "}"), 0);
	ck_assert_ptr_null(one_of("notes", "plan.txt"));
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-verify\",\"journal\":\"p\"}"), 0);
	ck_assert_str_eq(of(one_of("checks", "plan.txt"), "finding"), "ok");
	ck_assert_str_eq(of(one_of("checks", "plan.txt"), "who"), "anna");
	ck_assert_str_eq(of(one_of("checks", "plan.txt"), "kind"), "final");
	ck_assert_str_eq(of(one_of("checks", "plan.txt"), "journal"), "p");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-verify\"}"), 0);
	ck_assert_str_eq(of(one_of("checks", "plan.txt"), "finding"), "ok");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-export\"," AT("plan.txt") "}"), 0);
	ck_assert_ptr_nonnull(strstr(text_of("minisig"), "untrusted comment:"));
	ck_assert_ptr_nonnull(strstr(text_of("pub"), "untrusted comment:"));
	ck_assert_str_ne(text_of("cert"), "");
	ck_assert_str_eq(text_of("name"), "anna");
	ck_assert_uint_eq(t_logged(POLICY_RECORD_EXPORT, NULL), 1);
	close(s);
}
END_TEST

START_TEST(only_what_was_shown_is_locked)
{
	char text[300], stamp[64];
	int s;

	start_anna();
	s = agent("anna");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-look\"," AT("plan.txt") "}"), 0);
	snprintf(stamp, sizeof(stamp), "%s", of(one_of("notes", "plan.txt"), "stamp"));
	ck_assert_str_ne(stamp, "");
	ck_assert_int_eq(
		ask(s, "{\"verb\":\"note-finalize\"," AT("plan.txt") ",\"stamp\":\"27.1.5\"}"),
		-ESTALE);
	ck_assert_ptr_nonnull(strstr(text_of("say"), "changed after it was shown"));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, NULL), 0);
	snprintf(text, sizeof(text),
		 "{\"verb\":\"note-finalize\"," AT("plan.txt") ",\"stamp\":\"%s\"}", stamp);
	ck_assert_int_eq(ask(s, text), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, NULL), 1);
	close(s);
}
END_TEST

START_TEST(final_note_is_amended_and_marked)
{
	int s;

	start_anna();
	s = agent("anna");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-amend\"," AT("plan.txt") "}"), -EPERM);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-finalize\"," AT("plan.txt") "}"), 0);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-amend\"," AT("plan.txt") "}"), 0);
	ck_assert_str_eq(text_of("path"), "plan amendment 1.txt");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-amend\"," AT("plan.txt") ",\"name\":\"bo.txt\"}"),
			 -EEXIST);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-amend\"," AT("plan.txt") ",\"name\":\"a/../b\"}"),
			 -EINVAL);
	ck_assert_int_eq(
		ask(s, "{\"verb\":\"note-amend\"," AT("plan.txt") ",\"name\":\"why.txt\"}"), 0);
	ck_assert_str_eq(text_of("path"), "why.txt");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-error\"," AT("plan.txt") REASON "}"), 0);
	ck_assert_str_eq(text_of("kind"), "error");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-error\"," AT("plan.txt") REASON "}"), -EEXIST);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_AMEND, NULL), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ERROR, NULL), 1);
	close(s);
}
END_TEST

START_TEST(note_moves_to_the_journal_that_it_belongs_in)
{
	int s;

	start_anna();
	s = agent("anna");
	ck_assert_int_eq(
		ask(s, "{\"verb\":\"note-move\"," AT("plan.txt") ",\"to\":\"none\"" REASON "}"),
		-ENOENT);
	ck_assert_int_ne(
		ask(s, "{\"verb\":\"note-move\"," AT("plan.txt") ",\"to\":\"p\"" REASON "}"), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_MOVE, NULL), 0);
	ck_assert_int_eq(
		ask(s, "{\"verb\":\"note-move\"," AT("plan.txt") ",\"to\":\"q\"" REASON "}"), 0);
	ck_assert_str_eq(text_of("path"), "plan.txt");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-look\",\"journal\":\"q\",\"path\":\"plan.txt\"}"),
			 0);
	ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "notes")), 1);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-error\"," AT("plan.txt") REASON "}"), -EEXIST);
	ck_assert_uint_ge(t_logged(POLICY_RECORD_MOVE, NULL), 1);
	close(s);
}
END_TEST

START_TEST(others_draft_is_refused_and_the_refusal_logged)
{
	unsigned before;
	int s;

	start_anna();
	s = agent("anna");
	before = t_logged(POLICY_RECORD_REFUSED, NULL);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-finalize\"," AT("bo.txt") "}"), -EACCES);
	ck_assert_ptr_nonnull(strstr(text_of("say"), "bo"));
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, NULL), before + 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, NULL), 0);
	close(s);
}
END_TEST

START_TEST(forged_messages_lock_nothing)
{
	static const struct {
		const char *text;
		int rc;
	} forged[] = {
		{"{\"verb\":\"note-finalize\",\"journal\":\"p\"}", -EINVAL},
		{"{\"verb\":\"note-finalize\",\"path\":\"plan.txt\"}", -EINVAL},
		{"{\"verb\":\"note-finalize\"," AT("") "}", -EINVAL},
		{"{\"verb\":\"note-finalize\",\"journal\":\"\",\"path\":\"plan.txt\"}", -EINVAL},
		{"{\"verb\":\"note-finalize\",\"journal\":1,\"path\":\"plan.txt\"}", -EINVAL},
		{"{\"verb\":\"note-finalize\",\"journal\":[\"p\"],\"path\":\"plan.txt\"}", -EINVAL},
		{"{\"verb\":\"note-finalize\",\"journal\":\"p\",\"path\":{\"a\":1}}", -EINVAL},
		{"{\"verb\":\"note-finalize\"," AT("/plan.txt") "}", -EINVAL},
		{"{\"verb\":\"note-finalize\"," AT("../p/plan.txt") "}", -EINVAL},
		{"{\"verb\":\"note-finalize\"," AT("./plan.txt") "}", -EINVAL},
		{"{\"verb\":\"note-finalize\"," AT("plan.txt/") "}", -EINVAL},
		{"{\"verb\":\"note-finalize\"," AT("plan.txt/x") "}", -ENOENT},
		{"{\"verb\":\"note-finalize\"," AT("none.txt") "}", -ENOENT},
		{"{\"verb\":\"note-finalize\",\"journal\":\"none\",\"path\":\"plan.txt\"}",
		 -ENOENT},
		{"{\"verb\":\"note-finalize\",\"journal\":\"../p\",\"path\":\"plan.txt\"}",
		 -ENOENT},
		{"{\"verb\":\"note-finalize\",\"journal\":\"practice\",\"path\":\"plan.txt\"}",
		 -ENOENT},
		{"{\"verb\":\"note-finalize\"," AT("plan.txt") ",\"stamp\":27}", -EINVAL},
		{"{\"verb\":\"note-finalize\"," AT("plan.txt") ",\"stamp\":\"27\"}", -ESTALE},
		{"{\"verb\":\"note-sign\"," AT("plan.txt") "}", -EPERM},
		{"{\"verb\":\"note-error\"," AT("plan.txt") "}", -EINVAL},
		{"{\"verb\":\"note-error\"," AT("plan.txt") ",\"reason\":\"\"}", -EINVAL},
		{"{\"verb\":\"note-error\"," AT("plan.txt") ",\"reason\":\"no\"}", -EINVAL},
		{"{\"verb\":\"note-error\"," AT("plan.txt") ",\"reason\":\"two\\nlines\"}",
		 -EINVAL},
		{"{\"verb\":\"note-error\"," AT("plan.txt") ",\"reason\":\"\\u001b[2J escape\"}",
		 -EINVAL},
		{"{\"verb\":\"note-error\"," AT("plan.txt") ",\"reason\":true}", -EINVAL},
		{"{\"verb\":\"note-amend\"," AT("plan.txt") ",\"name\":7}", -EINVAL},
		{"{\"verb\":\"note-move\"," AT("plan.txt") REASON "}", -EINVAL},
		{"{\"verb\":\"note-move\"," AT("plan.txt") ",\"to\":\"\"" REASON "}", -EINVAL},
		{"{\"verb\":\"note-move\"," AT("plan.txt") ",\"to\":\"q\"}", -EINVAL},
		{"{\"verb\":\"note-verify\",\"path\":\"plan.txt\"}", -EINVAL},
		{"{\"verb\":\"note-verify\",\"journal\":\"none\"}", -ENOENT},
		{"{\"verb\":\"note-export\"," AT("none.txt") "}", -ENOENT},
		{"{\"verb\":\"note-look\",\"journal\":\"none\",\"path\":\"\"}", -ENOENT},
		{"{\"verb\":\"note-look\"," AT("/") "}", -EINVAL},
	};
	int s, rc;

	start_anna();
	s = agent("anna");
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		rc = ask(s, forged[i].text);
		/* So many refusals in a row are not answered at once. */
		if (rc == -EAGAIN) {
			skew_s += 60;
			rc = ask(s, forged[i].text);
		}
		ck_assert_msg(rc == forged[i].rc, "%s: %d %s", forged[i].text, rc, text_of("say"));
	}
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, NULL), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_ERROR, NULL), 0);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_MOVE, NULL), 0);
	close(s);
}
END_TEST

START_TEST(fields_that_are_too_long_are_refused)
{
	static const struct {
		const char *before;
		size_t most;
		const char *after;
	} fields[] = {
		{"{\"verb\":\"note-finalize\",\"path\":\"plan.txt\",\"journal\":\"", 255, "\"}"},
		{"{\"verb\":\"note-finalize\",\"journal\":\"p\",\"path\":\"", KEYS_NOTE_PATH_MAX,
		 "\"}"},
		{"{\"verb\":\"note-error\",\"journal\":\"p\",\"path\":\"none.txt\",\"reason\":\"",
		 KEYS_NOTE_REASON_MAX, "\"}"},
		{"{\"verb\":\"note-amend\",\"journal\":\"p\",\"path\":\"none.txt\",\"name\":\"",
		 255, "\"}"},
	};
	char text[6000], many[5001];
	int s;

	start_anna();
	s = agent("anna");
	memset(many, 'x', sizeof(many));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(text, sizeof(text), "%s%.*s%s", fields[i].before, (int)fields[i].most + 1,
			 many, fields[i].after);
		ck_assert_msg(ask(s, text) == -EINVAL, "%s", fields[i].before);
		ck_assert_ptr_nonnull(strstr(text_of("say"), "within its bounds"));
		snprintf(text, sizeof(text), "%s%.*s%s", fields[i].before, (int)fields[i].most,
			 many, fields[i].after);
		ck_assert_int_ne(ask(s, text), 0);
		ck_assert_msg(!strstr(text_of("say"), "within its bounds"), "%s", text_of("say"));
	}
	close(s);
}
END_TEST

static const char *const asked[] = {
	"{\"verb\":\"note-look\"," AT("plan.txt") "}",
	"{\"verb\":\"note-look\"," AT("") "}",
	"{\"verb\":\"note-finalize\"," AT("plan.txt") "}",
	"{\"verb\":\"note-sign\"," AT("plan.txt") "}",
	"{\"verb\":\"note-error\"," AT("plan.txt") REASON "}",
	"{\"verb\":\"note-amend\"," AT("plan.txt") "}",
	"{\"verb\":\"note-move\"," AT("plan.txt") ",\"to\":\"q\"" REASON "}",
	"{\"verb\":\"note-verify\"}",
	"{\"verb\":\"note-verify\",\"journal\":\"p\"}",
	"{\"verb\":\"note-export\"," AT("plan.txt") "}",
};
#define ASKED (sizeof(asked) / sizeof(asked[0]))

START_TEST(without_a_session_or_locked_nothing_is_answered)
{
	int s, a;

	start_anna();
	s = peer();
	for (size_t i = 0; i < ASKED; i++)
		ck_assert_int_eq(ask(s, asked[i]), -ENOKEY);
	a = agent("anna");
	ck_assert_int_eq(ask(a, "{\"verb\":\"lock\"}"), 0);
	for (size_t i = 0; i < ASKED; i++) {
		ck_assert_int_eq(ask(s, asked[i]), -ENOKEY);
		ck_assert_ptr_null(json_object_get(answer.json, "notes"));
	}
	ck_assert_uint_eq(t_logged(POLICY_RECORD_FINAL, NULL), 0);
	close(a);
	close(s);
}
END_TEST

START_TEST(other_accounts_get_nothing)
{
	struct fs_session *max;
	int s, a;

	if (!as_root("other_accounts_get_nothing"))
		return;
	start_anna();
	a = agent("anna");
	ck_assert_int_eq(ask(a, "{\"verb\":\"note-finalize\"," AT("plan.txt") "}"), 0);
	/* No session of his own: anna's does not help him. */
	s = dial_as(MAX);
	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(greet(s), 0);
	for (size_t i = 0; i < ASKED; i++)
		ck_assert_int_eq(ask(s, asked[i]), -ENOKEY);
	/* Of another unit: the journal is not to be seen. */
	max = t_login("max", MAX);
	for (size_t i = 0; i < ASKED; i++) {
		int rc = ask(s, asked[i]);

		if (!strcmp(asked[i], "{\"verb\":\"note-verify\"}"))
			ck_assert_int_eq(rc, 0);
		else
			ck_assert_msg(rc == -ENOENT, "%s: %d", asked[i], rc);
		ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "checks")), 0);
	}
	ck_assert_uint_ge(t_logged(POLICY_RECORD_REFUSED, NULL), ASKED - 1);
	close(s);
	t_logout(max);
	close(a);
}
END_TEST

START_TEST(many_notes_come_in_pieces)
{
	struct fs_session *anna;
	unsigned notes = 0, pieces = 0, yes = 0;
	char name[32];
	json_t *one;
	size_t i;
	int s, rc;

	start_anna();
	s = agent("anna");
	anna = fs_vault_session_of(t.v, getuid());
	ck_assert_ptr_nonnull(anna);
	for (unsigned n = 0; n < 2 * PIECE + 7; n++) {
		snprintf(name, sizeof(name), "note %03u.txt", n);
		ck_assert_int_eq(t_write(anna, journal, name, "x"), 0);
	}
	fs_session_put(anna);
	rc = ask(s, "{\"verb\":\"note-look\"," AT("") "}");
	for (;;) {
		ck_assert_int_eq(rc, 0);
		pieces++;
		json_array_foreach(json_object_get(answer.json, "notes"), i, one)
		{
			notes++;
			yes += !strcmp(of(one, "may"), "yes");
		}
		if (!json_is_true(json_object_get(answer.json, "more")))
			break;
		rc = next(s, false);
	}
	ck_assert_uint_eq(notes, 2 * PIECE + 7 + 4);
	ck_assert_uint_eq(yes, 2 * PIECE + 7 + 1);
	ck_assert_uint_eq(pieces, 3);
	close(s);
}
END_TEST

/* Directories below one another, with this name each, and a note in the last. */
static void make_deep(struct fs_session *by, const char *name, unsigned depth, const char *note)
{
	struct fs_actor who = {.pid = by->pid, .now = {.tv_sec = 1}};
	struct fs_inode *dir = NULL, *next_dir = NULL, *file = NULL;
	struct fs_journal *j = NULL;

	ck_assert_int_eq(fs_vault_journal(t.v, by, journal, &j), 0);
	who.signer = fs_session_signer(by);
	ck_assert_int_eq(fs_inode_get(j, FS_ROOT_INO, &dir), 0);
	for (unsigned n = 0; n < depth; n++) {
		if (fs_tree_lookup(dir, name, &next_dir))
			ck_assert_int_eq(fs_tree_create(dir, name, S_IFDIR | 0700, &who, &next_dir),
					 0);
		fs_inode_put(dir);
		dir = next_dir;
		next_dir = NULL;
	}
	ck_assert_int_eq(fs_tree_create(dir, note, S_IFREG | 0600, &who, &file), 0);
	fs_inode_put(file);
	fs_inode_put(dir);
	fs_signer_put(who.signer);
	fs_journal_put(j);
}

/* All pieces of a stream: how many notes; *may counts those that may be locked. */
static unsigned count_notes(int s, int rc, unsigned *may)
{
	unsigned n = 0;
	json_t *one;
	size_t i;

	*may = 0;
	for (;;) {
		ck_assert_int_eq(rc, 0);
		json_array_foreach(json_object_get(answer.json, "notes"), i, one)
		{
			n++;
			*may += !strcmp(of(one, "may"), "yes");
		}
		if (!json_is_true(json_object_get(answer.json, "more")))
			return n;
		rc = next(s, false);
	}
}

START_TEST(notes_in_directories_below_are_found_and_locked)
{
	struct fs_session *anna;
	unsigned may;
	int s;

	start_anna();
	s = agent("anna");
	anna = fs_vault_session_of(t.v, getuid());
	make_deep(anna, "d", 3, "deep.txt");
	make_deep(anna, "e", 1, "bad \xff name.txt");
	fs_session_put(anna);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-look\"," AT("d") "}"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "notes")), 1);
	ck_assert_str_eq(of(one_of("notes", "d/d/d/deep.txt"), "may"), "yes");
	/* A name that no request can hold is said, not passed over. */
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-look\"," AT("e") "}"), 0);
	ck_assert_str_eq(of(one_of("notes", "e/bad \\xff name.txt"), "may"), "no");
	ck_assert_ptr_nonnull(
		strstr(of(one_of("notes", "e/bad \\xff name.txt"), "why"), "not UTF-8"));
	ck_assert_uint_eq(count_notes(s, ask(s, "{\"verb\":\"note-look\"," AT("") "}"), &may), 6);
	ck_assert_uint_eq(may, 2);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-finalize\"," AT("d/d/d/deep.txt") "}"), 0);
	ck_assert_str_eq(text_of("path"), "d/d/d/deep.txt");
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-finalize\"," AT("d/d") "}"), -EINVAL);
	close(s);
}
END_TEST

START_TEST(names_that_grow_in_json_do_not_break_the_connection)
{
	struct fs_session *anna;
	char name[241], note[16];
	unsigned may;
	int s;

	start_anna();
	s = agent("anna");
	anna = fs_vault_session_of(t.v, getuid());
	memset(name, '\x01', 240);
	name[240] = '\0';
	for (unsigned n = 0; n < 120; n++) {
		snprintf(note, sizeof(note), "n%u", n);
		make_deep(anna, name, 8, note);
	}
	fs_session_put(anna);
	ck_assert_uint_eq(count_notes(s, ask(s, "{\"verb\":\"note-look\"," AT("") "}"), &may), 124);
	ck_assert_uint_eq(may, 121);
	ck_assert_int_eq(ask(s, "{\"verb\":\"list\"}"), 0);
	/* One whose path is too long for a final note, and one that lies too deep, are said. */
	anna = fs_vault_session_of(t.v, getuid());
	make_deep(anna, name, 9, "too long");
	make_deep(anna, "f", FS_FINAL_DEPTH + 2, "too deep");
	fs_session_put(anna);
	ck_assert_uint_eq(count_notes(s, ask(s, "{\"verb\":\"note-look\"," AT("") "}"), &may), 126);
	ck_assert_uint_eq(may, 121);
	ck_assert_int_eq(ask(s, "{\"verb\":\"note-look\"," AT("f") "}"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "notes")), 1);
	ck_assert_ptr_nonnull(strstr(
		of(json_array_get(json_object_get(answer.json, "notes"), 0), "why"), "too deep"));
	close(s);
}
END_TEST

START_TEST(too_many_of_others_notes_end_the_walk)
{
	struct fs_session *bo;
	unsigned notes = 0;
	char name[32];
	int s, rc;

	start_anna();
	s = agent("anna");
	bo = t_login("bo", BO);
	for (unsigned n = 0; n < 250; n++) {
		snprintf(name, sizeof(name), "of bo %03u.txt", n);
		ck_assert_int_eq(t_write(bo, journal, name, "x"), 0);
	}
	t_logout(bo);
	rc = ask(s, "{\"verb\":\"note-look\"," AT("") "}");
	while (!rc && json_is_true(json_object_get(answer.json, "more"))) {
		notes += json_array_size(json_object_get(answer.json, "notes"));
		ck_assert_int_eq(next(s, false), 0);
		rc = result();
	}
	ck_assert_int_eq(rc, -E2BIG);
	ck_assert_ptr_nonnull(strstr(text_of("say"), "more than 200"));
	ck_assert_uint_ge(notes, 200);
	ck_assert_uint_le(t_logged(POLICY_RECORD_REFUSED, NULL), 205);
	close(s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/control: final notes");
	TCase *tc = tcase_create("notes");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, directory_shows_what_may_be_locked_and_what_is_left_out);
	tcase_add_test(tc, note_is_locked_signed_verified_and_exported);
	tcase_add_test(tc, only_what_was_shown_is_locked);
	tcase_add_test(tc, final_note_is_amended_and_marked);
	tcase_add_test(tc, note_moves_to_the_journal_that_it_belongs_in);
	tcase_add_test(tc, others_draft_is_refused_and_the_refusal_logged);
	tcase_add_test(tc, forged_messages_lock_nothing);
	tcase_add_test(tc, fields_that_are_too_long_are_refused);
	tcase_add_test(tc, without_a_session_or_locked_nothing_is_answered);
	tcase_add_test(tc, other_accounts_get_nothing);
	tcase_add_test(tc, many_notes_come_in_pieces);
	tcase_add_test(tc, too_many_of_others_notes_end_the_walk);
	tcase_add_test(tc, notes_in_directories_below_are_found_and_locked);
	tcase_add_test(tc, names_that_grow_in_json_do_not_break_the_connection);
	suite_add_tcase(s, tc);
	return t_run(s);
}
