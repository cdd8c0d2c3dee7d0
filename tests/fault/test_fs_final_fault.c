/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/test_fs_final_fault.c - a note becomes final over a disk that fails, in a process
 * that dies: it is final with its statement, its directories and the end of the chain, or nothing
 * of that is there.
 */
#include "inject.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include "../unit/test_fs_final.h"

#define PATH "2026/may/new"
#define TEXT "what the amendment says"

/* What there is of it. */
struct seen {
	struct fs_inode *year, *may, *old, *new;
};

static void find(struct files *f, struct seen *s)
{
	ck_assert_int_eq(fs_final_lookup(f->j, "2026", &s->year), 0);
	ck_assert_int_eq(fs_final_lookup(f->j, "2026/may", &s->may), 0);
	ck_assert_int_eq(fs_final_lookup(f->j, "old", &s->old), 0);
	ck_assert_int_eq(fs_final_lookup(f->j, PATH, &s->new), 0);
}

static void let_go(struct seen *s)
{
	fs_inode_put(s->year);
	fs_inode_put(s->may);
	fs_inode_put(s->old);
	fs_inode_put(s->new);
}

/* An old note, final; and a draft in two directories that amends it, all durable. */
static void prepare(struct files *f)
{
	struct fs_inode *year, *may, *old, *new;

	files_start(f);
	old = files_make(f, f->root, "old", S_IFREG | 0600);
	ck_assert_int_eq(final_make(f, old, "old", KEYS_NOTE_FINAL), 0);
	year = files_make(f, f->root, "2026", S_IFDIR | 0700);
	may = files_make(f, year, "may", S_IFDIR | 0700);
	new = files_make(f, may, "new", S_IFREG | 0600);
	files_write(f, new, 0, TEXT, strlen(TEXT));
	ck_assert_int_eq(fs_final_link(new, &(struct fs_final_state){.amends = old->ino}, &f->who),
			 0);
	fs_inode_put(new);
	fs_inode_put(may);
	fs_inode_put(year);
	fs_inode_put(old);
	files_sync(f);
}

/* All of it or nothing; which. */
static bool is_final(struct files *f)
{
	struct fs_final_statement st;
	struct fs_final_state state, amended;
	uint8_t end[KEYS_LEN], hash[KEYS_LEN];
	struct seen s;
	uint32_t last;
	bool yes;

	find(f, &s);
	yes = s.new->flags &FS_INODE_FINAL;
	ck_assert_int_eq(fs_final_state(s.new, &state), 0);
	ck_assert_int_eq(fs_final_state(s.old, &amended), 0);
	ck_assert_int_eq(fs_final_last(f->j, &last, end), 0);
	ck_assert_uint_eq(last, yes ? 2 : 1);
	ck_assert_uint_eq(state.final, yes ? 2 : 0);
	ck_assert_uint_eq(state.amends, s.old->ino);
	ck_assert_uint_eq(amended.amended_by, yes ? s.new->ino : 0);
	ck_assert(!(s.old->flags & FS_INODE_AMENDED) == !yes);
	ck_assert(!(s.may->flags & FS_INODE_HOLDS) == !yes);
	ck_assert(!(s.year->flags & FS_INODE_HOLDS) == !yes);
	ck_assert_int_eq(fs_final_get(f->j, 2, &st), yes ? 0 : -ENOENT);
	ck_assert_int_eq(fs_final_get(f->j, last, &st), 0);
	keys_note_hash(&st.note, hash);
	ck_assert_mem_eq(hash, end, KEYS_LEN);
	let_go(&s);
	return yes;
}

/* The draft can be written in, or the final note can't: by what is_final said. */
static void behaves(struct files *f, bool final)
{
	struct fs_inode *i;
	int want = final ? -EPERM : 0;

	ck_assert_int_eq(fs_final_lookup(f->j, PATH, &i), 0);
	ck_assert_int_eq(fs_content_write(i, 0, false, (const uint8_t *)"w", 1, &f->who, NULL),
			 want);
	ck_assert_int_eq(fs_tree_rename(f->root, "2026", f->root, "2027", 0, &f->who, NULL, NULL),
			 want);
	fs_inode_put(i);
}

/* False: the nth call was never made. */
static bool one_round(unsigned nth, int err, bool on)
{
	struct fs_inode *i;
	struct files f;
	bool hit, final;
	int rc;

	prepare(&f);
	ck_assert_int_eq(fs_final_lookup(f.j, PATH, &i), 0);
	ck_assert_int_eq(final_make(&f, i, PATH, KEYS_NOTE_FINAL), 0);
	inject_fail(nth, err, on);
	rc = fs_group_sync(fs_records_group(f.r), f.who.group);
	hit = inject_stop();
	if (rc == -ENOSPC) /* kept, and tried again */
		rc = fs_group_sync(fs_records_group(f.r), 0);
	final = is_final(&f);
	ck_assert(rc || final);
	ck_assert(!i->closing);
	ck_assert(err != ENOSPC || final);
	if (rc) {
		ck_assert(!final);
		ck_assert_int_eq(final_make(&f, i, PATH, KEYS_NOTE_FINAL), -EROFS);
		ck_assert(!i->closing);
		ck_assert(!is_final(&f));
	}
	fs_inode_put(i);
	fs_inode_put(f.root);
	fs_journal_put(f.j);
	ck_assert_int_eq(fs_records_close(f.r), rc);
	files_open(&f, f.dir, false, false);
	final = is_final(&f);
	ck_assert(rc || final);
	behaves(&f, final);
	files_stop(&f);
	return hit;
}

START_TEST(failed_write_leaves_a_draft_or_a_final_note)
{
	static const struct {
		int err;
		bool on;
	} how[] = {{EIO, false}, {EIO, true}, {ENOSPC, false}};
	unsigned nth = 1;

	while (one_round(nth, how[_i].err, how[_i].on))
		nth++;
	ck_assert_uint_ge(nth, 2);
}
END_TEST

/* In a process of its own. One byte on the pipe: it is acknowledged. */
static int finalize_and_die(struct files *f, unsigned nth, int pipe_to)
{
	struct fs_inode *i;

	files_open(f, f->dir, false, false);
	if (fs_final_lookup(f->j, PATH, &i))
		return 3;
	inject_die(nth);
	if (final_make(f, i, PATH, KEYS_NOTE_FINAL))
		return 4;
	if (fs_group_sync(fs_records_group(f->r), f->who.group) || send(pipe_to, "", 1, 0) != 1)
		return 5;
	fs_inode_put(i);
	files_close(f);
	return 0;
}

static bool die_once(unsigned nth, bool *told)
{
	int ends[2], status = 0;
	struct files f;
	bool final, whole;
	char byte;
	pid_t pid;

	prepare(&f);
	files_close(&f);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(finalize_and_die(&f, nth, ends[1]));
	close(ends[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	*told = recv(ends[0], &byte, 1, 0) == 1;
	close(ends[0]);
	whole = WIFEXITED(status);
	ck_assert_msg(!whole || !WEXITSTATUS(status), "exit %d", WEXITSTATUS(status));
	files_open(&f, f.dir, false, false);
	final = is_final(&f);
	ck_assert(final || !*told);
	behaves(&f, final);
	files_stop(&f);
	return whole;
}

START_TEST(death_at_any_write_leaves_a_draft_or_a_final_note)
{
	unsigned nth = 1, before = 0;
	bool told;

	while (!die_once(nth, &told)) {
		before += !told;
		nth++;
	}
	ck_assert(told);
	ck_assert_uint_ge(before, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/final faults");
	TCase *tc = tcase_create("faults");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 240);
	tcase_add_loop_test(tc, failed_write_leaves_a_draft_or_a_final_note, 0, 3);
	tcase_add_test(tc, death_at_any_write_leaves_a_draft_or_a_final_note);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
