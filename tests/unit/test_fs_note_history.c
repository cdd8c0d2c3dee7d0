/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/test_fs_note_history.c - what became of a note: who is told, what, and that the log knows first. */
#include "test_fs_notes.h"

#include "fs/history.h"
#include "fs/note_history.h"

/* eva reads, but has not the right `history`; max is of another unit. */
#define PRACTICE                                                                                   \
	"practice \"Klinik Nord\"\n"                                                               \
	"session ceiling 12h\n"                                                                    \
	"role physician clinical may list read write create finalize export history break-glass\n" \
	"role nurse clinical may list read write history\n"                                        \
	"role student clinical may list read write finalize history\n"                             \
	"role reader clinical may list read\n"                                                     \
	"role steward may policy\n"                                                                \
	"role auditor may audit review\n"                                                          \
	"unit north \"Nord\"\n"                                                                    \
	"unit south \"Syd\"\n"                                                                     \
	"practitioner dan user dan role steward\n"                                                 \
	"practitioner anna user anna role physician unit north\n"                                  \
	"practitioner bo user bo role nurse unit north\n"                                          \
	"practitioner tim user tim role student unit north\n"                                      \
	"practitioner eva user eva role reader unit north\n"                                       \
	"practitioner max user max role physician unit south\n"                                    \
	"practitioner lis user lis role auditor\n"

struct told {
	char text[4096];
	const char *state;
	char author[256];
	unsigned n, stop_at;
};

static int take(void *ctx, const struct fs_note_event *e)
{
	struct told *k = ctx;
	size_t len = strlen(k->text);

	snprintf(k->text + len, sizeof(k->text) - len, "%s %u #%u %s %u [%s] %s%s\n", e->kind,
		 e->version, e->number, *e->who ? e->who : "-", (unsigned)e->size, e->path, e->reason,
		 e->now ? " now" : "");
	k->n++;
	return k->stop_at && k->n == k->stop_at ? -ECANCELED : 0;
}

static int look(struct fs_session *s, const char *journal, const char *path, struct told *k)
{
	const struct fs_note_history how = {.journal = journal, .path = path, .fn = take, .ctx = k};

	memset(k, 0, sizeof(*k));
	k->state = "";
	t.say.text[0] = '\0';
	return fs_vault_note_history(t.v, s, &how, &k->state, k->author, &t.say);
}

/* Makes or saves a note at the top of journal p, or removes it (text NULL). */
static void edit(struct fs_session *s, const char *name, const char *text)
{
	struct fs_actor who = {
		.pid = s->pid, .now = {.tv_sec = fs_vault_wall_s()}, .keeps = true};
	struct fs_journal *j = NULL;
	struct fs_inode *root = NULL, *i = NULL;
	int rc;

	ck_assert_int_eq(fs_vault_journal(t.v, s, p, &j), 0);
	who.signer = fs_session_signer(s);
	ck_assert_int_eq(fs_inode_get(j, FS_ROOT_INO, &root), 0);
	if (text) {
		rc = fs_tree_lookup(root, name, &i);
		if (rc)
			rc = fs_tree_create(root, name, S_IFREG | 0600, &who, &i);
		ck_assert_int_eq(rc, 0);
		ck_assert_int_eq(fs_content_truncate(i, 0, &who), 0);
		ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)text, strlen(text),
						  &who, NULL),
				 0);
		ck_assert_int_eq(fs_history_saved(i, &who), 0);
	} else {
		ck_assert_int_eq(fs_tree_unlink(root, name, &who, NULL), 0);
	}
	fs_inode_put(i);
	fs_inode_put(root);
	fs_signer_put(who.signer);
	fs_journal_put(j);
}

static void start(void)
{
	t_setup();
	n_clinic(PRACTICE);
}

static void stop(void)
{
	n_out();
	t_teardown();
}

START_TEST(versions_come_newest_first)
{
	struct told k;

	edit(anna, "plan.txt", "one");
	edit(bo, "plan.txt", "two two");
	ck_assert_int_eq(look(anna, "p", "plan.txt", &k), 0);
	ck_assert_str_eq(k.text, "version 2 #0 bo 7 [plan.txt]  now\nversion 1 #0 anna 3 [plan.txt] \n");
	ck_assert_str_eq(k.state, "draft");
	ck_assert_str_eq(k.author, "anna");
}
END_TEST

START_TEST(removed_notes_are_told_with_what_they_held)
{
	struct told k;

	edit(anna, "plan.txt", "one");
	edit(anna, "plan.txt", "two");
	edit(bo, "plan.txt", NULL);
	ck_assert_int_eq(look(anna, "p", "plan.txt", &k), 0);
	ck_assert_str_eq(k.state, "removed");
	ck_assert_uint_eq(k.n, 3);
	ck_assert_ptr_eq(strstr(k.text, "removed 2 #0 bo 3 [plan.txt (removed "), k.text);
	ck_assert_ptr_nonnull(strstr(k.text, "version 1 #0 anna 3 [plan.txt (removed "));
	/* Of the journal, the removal alone. */
	ck_assert_int_eq(look(anna, "p", "", &k), 0);
	ck_assert_uint_eq(k.n, 1);
	ck_assert_str_eq(k.state, "");
	ck_assert_int_eq(look(anna, "p", "none.txt", &k), -ENOENT);
	ck_assert_ptr_nonnull(strstr(t.say.text, "no such note"));
}
END_TEST

START_TEST(statements_follow_the_versions)
{
	struct fs_note_place at = n_at("plan.txt");
	char draft[KEYS_NOTE_PATH_MAX + 1];
	struct told k;

	edit(anna, "plan.txt", "one");
	ck_assert_int_eq(n_finalize(anna, "plan.txt"), 0);
	ck_assert_int_eq(fs_vault_note_amend(t.v, anna, &at, "", draft, &t.say), 0);
	ck_assert_int_eq(look(anna, "p", draft, &k), 0);
	ck_assert_ptr_nonnull(strstr(k.text, "amends 0 #1 anna 0 [plan.txt]"));
	ck_assert_str_eq(k.state, "draft");
	ck_assert_int_eq(n_error(anna, "plan.txt"), 0);
	ck_assert_int_eq(look(anna, "p", "plan.txt", &k), 0);
	ck_assert_str_eq(k.state, "entered-in-error");
	ck_assert_ptr_nonnull(strstr(k.text, "\nfinal 0 #1 anna 3 [] \n"));
	ck_assert_ptr_nonnull(strstr(k.text, "\nerror 0 #2 anna 3 [] wrong side\n"));
}
END_TEST

START_TEST(who_may_not_is_told_nothing_and_logged)
{
	struct told k;

	edit(anna, "plan.txt", "one");
	/* Reads the note, but has not the right. */
	ck_assert_int_eq(look(eva, "p", "plan.txt", &k), -EACCES);
	ck_assert_uint_eq(k.n, 0);
	ck_assert_ptr_nonnull(strstr(t.say.text, "may not read earlier versions"));
	ck_assert(t_logged(POLICY_RECORD_REFUSED, "history: you may not read earlier versions"));
	/* Is not shown the journal: as one that is not there, in the same words. */
	ck_assert_int_eq(look(max, "p", "plan.txt", &k), -ENOENT);
	ck_assert_str_eq(t.say.text, "there is no such journal, or it is not shown to you");
	ck_assert_int_eq(look(max, "nothing", "plan.txt", &k), -ENOENT);
	ck_assert_str_eq(t.say.text, "there is no such journal, or it is not shown to you");
	ck_assert_uint_eq(k.n, 0);
	/* The right in the journal is policy's, now. */
	t_put(dan, "p", "journal \"p\"\nunit north\nallow user:bo:rwx\n");
	ck_assert_int_lt(look(anna, "p", "plan.txt", &k), 0);
	ck_assert_uint_eq(k.n, 0);
}
END_TEST

START_TEST(paths_lead_to_nothing_else)
{
	static const char *const paths[] = {".history", ".history/plan.txt", ".history/plan.txt/1", "../q/x",
					    "/plan.txt", "plan.txt/", "plan.txt/1", "..", "a//b"};
	struct told k;

	edit(anna, "plan.txt", "one");
	for (size_t n = 0; n < sizeof(paths) / sizeof(paths[0]); n++) {
		int rc = look(anna, "p", paths[n], &k);

		ck_assert_msg(rc < 0 && !k.n, "%s: %d, %u events", paths[n], rc, k.n);
	}
}
END_TEST

START_TEST(look_is_logged_and_may_be_stopped)
{
	struct told k;

	edit(anna, "plan.txt", "one");
	edit(anna, "plan.txt", "two");
	ck_assert_int_eq(look(anna, "p", "plan.txt", &k), 0);
	ck_assert(t_logged(POLICY_RECORD_LIST, "its history"));
	memset(&k, 0, sizeof(k));
	k.stop_at = 1;
	{
		const struct fs_note_history how = {
			.journal = "p", .path = "plan.txt", .fn = take, .ctx = &k};

		ck_assert_int_eq(fs_vault_note_history(t.v, anna, &how, &k.state, k.author, &t.say),
				 -ECANCELED);
	}
	ck_assert_uint_eq(k.n, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/note_history");
	TCase *tc = tcase_create("history");

	tcase_add_checked_fixture(tc, start, stop);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, versions_come_newest_first);
	tcase_add_test(tc, removed_notes_are_told_with_what_they_held);
	tcase_add_test(tc, statements_follow_the_versions);
	tcase_add_test(tc, who_may_not_is_told_nothing_and_logged);
	tcase_add_test(tc, paths_lead_to_nothing_else);
	tcase_add_test(tc, look_is_logged_and_may_be_stopped);
	suite_add_tcase(s, tc);
	return t_run(s);
}
