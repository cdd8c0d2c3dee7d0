/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files under .policy without FUSE: what a save is based on, what a refused one
 * leaves, names that are taken away, bounds, and what a lock wipes.
 */
#include "fs/policy_files.h"
#include "test_fs_vault.h"

#define SECOND INT64_C(1000000000)
#define TOP FS_POLICY_TOP

static struct fs_policy_files *pf;
static struct fs_session *dan;
static struct fs_policy_outcome out;
static struct fs_policy_caller me = {.pid = 100, .now_ns = 1000 * SECOND};
static uint64_t next_fh = 1;

static void set_up(void)
{
	t_setup();
	dan = t_clinic();
	ck_assert_int_eq(fs_policy_files_new(t.v, dan, &pf), 0);
	memset(&out, 0, sizeof(out));
}

static void tear_down(void)
{
	fs_policy_files_free(pf);
	t_logout(dan);
	t_teardown();
}

static uint64_t ino_of(uint64_t dir, const char *name)
{
	struct stat st;

	return fs_policy_files_lookup(pf, &me, dir, name, &st) ? 0 : st.st_ino;
}

/* The text of a file, as one who opens it reads it. */
static char *text_of(uint64_t dir, const char *name)
{
	static char buf[1 << 19];
	uint64_t fh = next_fh++, ino = ino_of(dir, name);
	size_t got = 0;

	ck_assert_msg(ino, "there is no %s", name);
	ck_assert_int_eq(fs_policy_files_open(pf, &me, ino, O_RDONLY, false, fh), 0);
	ck_assert_int_eq(fs_policy_files_read(pf, &me, fh, 0, sizeof(buf) - 1, buf, &got), 0);
	buf[got] = '\0';
	fs_policy_files_close(pf, &me, fh, &out);
	return buf;
}

static uint64_t open_write(uint64_t dir, const char *name, int flags)
{
	uint64_t fh = next_fh++, ino = 0;
	int rc = fs_policy_files_create(pf, &me, dir, name, flags, 0600, &ino, &out);

	ck_assert_int_ge(rc, 0);
	ck_assert_int_eq(fs_policy_files_open(pf, &me, ino, flags | O_RDWR, !rc, fh), 0);
	return fh;
}

static int save(uint64_t fh)
{
	memset(&out, 0, sizeof(out));
	return fs_policy_files_save(pf, &me, fh, FS_POLICY_FLUSH, &out);
}

static int write_text(uint64_t dir, const char *name, const char *text)
{
	uint64_t fh = open_write(dir, name, O_TRUNC);
	int rc;

	ck_assert_int_eq(fs_policy_files_write(pf, fh, 0, false, text, strlen(text)), 0);
	rc = save(fh);
	fs_policy_files_close(pf, &me, fh, &out);
	return rc;
}

static int move(uint64_t dir, const char *name, const char *to)
{
	memset(&out, 0, sizeof(out));
	return fs_policy_files_rename(pf, &me, dir, name, dir, to, 0, &out);
}

/* Another steward's version, or this one's by a command. */
static void other(const char *from, const char *to)
{
	char policy[T_POLICY_MAX];

	t_edit(policy, from, to);
	t_put(dan, "practice", policy);
}

static const char *edited(const char *from, const char *to)
{
	static char policy[T_POLICY_MAX];

	t_edit(policy, from, to);
	return policy;
}

START_TEST(policy_file_shows_what_is_in_force)
{
	struct stat st;

	ck_assert_str_eq(text_of(TOP, "practice.policy"), CLINIC_POLICY);
	ck_assert_int_eq(fs_policy_files_lookup(pf, &me, TOP, "practice.policy", &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(st.st_size, strlen(CLINIC_POLICY));
	ck_assert_int_eq(st.st_nlink, 1);
	other("Klinik Nord", "Klinik Syd");
	ck_assert_ptr_nonnull(strstr(text_of(TOP, "practice.policy"), "Klinik Syd"));
	ck_assert_uint_eq(ino_of(TOP, "journals"), FS_POLICY_JOURNALS);
	ck_assert_uint_eq(ino_of(TOP, "nothing"), 0);
}
END_TEST

START_TEST(open_handle_reads_one_text_to_its_end)
{
	uint64_t fh = next_fh++;
	char buf[64] = "";
	size_t got;

	ck_assert_int_eq(fs_policy_files_open(pf, &me, FS_POLICY_PRACTICE, O_RDONLY, false, fh), 0);
	other("Klinik Nord", "Klinik Syd");
	ck_assert_int_eq(fs_policy_files_read(pf, &me, fh, 0, 22, buf, &got), 0);
	ck_assert_str_eq(buf, "practice \"Klinik Nord\"");
	fs_policy_files_close(pf, &me, fh, &out);
}
END_TEST

START_TEST(save_in_place_is_one_version_however_often_it_is_flushed)
{
	const char *text = edited("Klinik Nord", "Klinik Ny");
	uint64_t fh = open_write(TOP, "practice.policy", O_TRUNC);
	uint32_t version = fs_vault_policy_version(t.v);

	/* The shell closes its own descriptor before it writes. */
	ck_assert_int_eq(save(fh), -EINVAL);
	ck_assert(!out.refused);
	ck_assert_int_eq(fs_policy_files_write(pf, fh, 0, false, text, strlen(text)), 0);
	ck_assert_int_eq(fs_policy_files_save(pf, &me, fh, FS_POLICY_SYNC, &out), 0);
	ck_assert_int_eq(save(fh), 0);
	fs_policy_files_close(pf, &me, fh, &out);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version + 1);
	ck_assert_str_eq(text_of(TOP, "practice.policy"), text);
	ck_assert_int_eq(write_text(TOP, "practice.policy", text), 0);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version + 1);
}
END_TEST

START_TEST(close_by_another_process_is_not_the_end_of_writing)
{
	const char *text = edited("Klinik Nord", "Klinik Ny");
	const struct fs_policy_caller child = {.pid = 101, .now_ns = me.now_ns};
	uint64_t fh = open_write(TOP, "practice.policy", O_TRUNC);
	uint32_t version = fs_vault_policy_version(t.v);

	ck_assert_int_eq(fs_policy_files_write(pf, fh, 0, false, text, 50), 0);
	ck_assert_int_eq(fs_policy_files_save(pf, &child, fh, FS_POLICY_FLUSH, &out), 0);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version);
	ck_assert_int_eq(fs_policy_files_write(pf, fh, 50, false, text + 50, strlen(text) - 50), 0);
	ck_assert_int_eq(save(fh), 0);
	fs_policy_files_close(pf, &me, fh, &out);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version + 1);
	/* Of who ended without a word the last close saves. */
	fh = open_write(TOP, "practice.policy", O_TRUNC);
	ck_assert_int_eq(
		fs_policy_files_write(pf, fh, 0, false, CLINIC_POLICY, strlen(CLINIC_POLICY)), 0);
	ck_assert_int_eq(fs_policy_files_save(pf, &child, fh, FS_POLICY_FLUSH, &out), 0);
	fs_policy_files_close(pf, &child, fh, &out);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version + 2);
}
END_TEST

START_TEST(refused_save_tells_why_and_keeps_the_text)
{
	char bad[T_POLICY_MAX];
	uint32_t version = fs_vault_policy_version(t.v);

	t_edit(bad, "bo role nurse", "bo role nurze");
	ck_assert_int_eq(write_text(TOP, "practice.policy", bad), -EINVAL);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version);
	ck_assert_str_eq(text_of(TOP, "practice.policy"), CLINIC_POLICY);
	ck_assert_str_eq(text_of(TOP, "practice.policy.rejected"), bad);
	ck_assert_ptr_nonnull(strstr(text_of(TOP, "practice.policy.error"), "did you mean `nurse`"));
	ck_assert_int_eq(strncmp(text_of(TOP, "practice.policy.error"), "practice.policy:", 16), 0);
	/* An editor that puts its backup back has saved nothing, and takes nothing away. */
	ck_assert_int_eq(write_text(TOP, "practice.policy", CLINIC_POLICY), 0);
	ck_assert_uint_ne(ino_of(TOP, "practice.policy.error"), 0);
	ck_assert_int_eq(write_text(TOP, "practice.policy", edited("Klinik Nord", "Klinik Ny")), 0);
	ck_assert_uint_eq(ino_of(TOP, "practice.policy.error"), 0);
	ck_assert_uint_eq(ino_of(TOP, "practice.policy.rejected"), 0);
}
END_TEST

START_TEST(refused_save_says_so_at_each_close_and_is_told_once)
{
	uint64_t fh = open_write(TOP, "practice.policy", O_TRUNC);

	ck_assert_int_eq(fs_policy_files_write(pf, fh, 0, false, "bad\n", 4), 0);
	ck_assert_int_eq(save(fh), -EINVAL);
	ck_assert(out.refused);
	ck_assert_str_eq(out.path, ".policy/practice.policy");
	ck_assert_ptr_nonnull(strstr(out.reason, "practice.policy:1:1:"));
	ck_assert_int_eq(save(fh), -EINVAL);
	ck_assert(!out.refused);
	fs_policy_files_close(pf, &me, fh, &out);
	ck_assert(!out.refused);
}
END_TEST

START_TEST(byte_order_mark_is_no_part_of_a_policy)
{
	char text[T_POLICY_MAX + 8];

	snprintf(text, sizeof(text), "\xef\xbb\xbf%s", edited("Klinik Nord", "Klinik Ny"));
	ck_assert_int_eq(write_text(TOP, "practice.policy", text), 0);
	ck_assert_str_eq(text_of(TOP, "practice.policy"), text + 3);
	ck_assert_int_eq(write_text(TOP, "practice.policy", "\xef\xbb\xbf"), -EINVAL);
}
END_TEST

START_TEST(empty_file_is_refused_at_the_last_close)
{
	uint64_t fh = open_write(TOP, "practice.policy", O_TRUNC);

	memset(&out, 0, sizeof(out));
	fs_policy_files_close(pf, &me, fh, &out);
	ck_assert(out.refused);
	ck_assert_ptr_nonnull(strstr(text_of(TOP, "practice.policy.error"), "empty"));
	ck_assert_int_eq(fs_policy_files_resize(pf, &me, FS_POLICY_PRACTICE, 0, 0, &out), -EINVAL);
	ck_assert_str_eq(text_of(TOP, "practice.policy"), CLINIC_POLICY);
}
END_TEST

START_TEST(rename_over_a_policy_saves_and_takes_the_file)
{
	const char *text = edited("Klinik Nord", "Klinik Ny");

	ck_assert_int_eq(write_text(TOP, "sedABC", text), 0);
	ck_assert_int_eq(move(TOP, "sedABC", "practice.policy"), 0);
	ck_assert_uint_eq(ino_of(TOP, "sedABC"), 0);
	ck_assert_str_eq(text_of(TOP, "practice.policy"), text);
	ck_assert_int_eq(write_text(TOP, "sedABC", "bad\n"), 0);
	ck_assert_int_eq(move(TOP, "sedABC", "practice.policy"), -EINVAL);
	ck_assert_str_eq(text_of(TOP, "sedABC"), "bad\n");
	ck_assert_str_eq(text_of(TOP, "practice.policy"), text);
}
END_TEST

START_TEST(policy_renamed_away_is_missing_until_written_or_for_a_while)
{
	uint32_t version = fs_vault_policy_version(t.v);

	ck_assert_int_eq(move(TOP, "practice.policy", "practice.policy~"), 0);
	ck_assert_uint_eq(ino_of(TOP, "practice.policy"), 0);
	ck_assert_str_eq(text_of(TOP, "practice.policy~"), CLINIC_POLICY);
	me.now_ns += 11 * SECOND;
	ck_assert_str_eq(text_of(TOP, "practice.policy"), CLINIC_POLICY);
	ck_assert_int_eq(move(TOP, "practice.policy", "practice.policy~"), 0);
	ck_assert_int_eq(write_text(TOP, "practice.policy", edited("Klinik Nord", "Ny")), 0);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version + 1);
	memset(&out, 0, sizeof(out));
	ck_assert_int_eq(fs_policy_files_unlink(pf, &me, TOP, "practice.policy", &out), 0);
	ck_assert_uint_eq(ino_of(TOP, "practice.policy"), 0);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version + 1);
	ck_assert_int_eq(move(TOP, "practice.policy~", "practice.policy"), 0);
	ck_assert_str_eq(text_of(TOP, "practice.policy"), CLINIC_POLICY);
}
END_TEST

/* ---- bases: dan's editor and a second steward, whose saves t_put stands for ---- */

/* The second steward is sam: what dan himself saved is not out of date for him. */
static struct fs_session *second_steward(void)
{
	char policy[T_POLICY_MAX];

	t_edit(policy, "practitioner sue user sue role secretary unit north",
	       "practitioner sue user sue role steward");
	t_put(dan, "practice", policy);
	t_enroll(dan, "sue", SUE);
	return t_login("sue", SUE);
}

static void by(struct fs_session *s, const char *from, const char *to)
{
	uint32_t version;
	char *text = NULL, next[T_POLICY_MAX], *at, *report = NULL;
	size_t len;

	ck_assert_int_eq(fs_vault_policy_show(t.v, s, "practice", &text, &len, &version, &t.say), 0);
	at = strstr(text, from);
	ck_assert_ptr_nonnull(at);
	snprintf(next, sizeof(next), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	free(text);
	ck_assert_int_eq(fs_vault_policy_put(t.v, s, "practice", next, strlen(next), version,
					     &report, &t.say),
			 0);
}

static void ck_out_of_date(int rc)
{
	const char *error;

	ck_assert_int_eq(rc, -EINVAL);
	error = text_of(TOP, "practice.policy.error");
	ck_assert_ptr_nonnull(strstr(error, "is out of date: sue replaced it with version"));
	ck_assert_ptr_nonnull(strstr(error, "\n-practice \"Klinik Nord\"\n"));
	ck_assert_ptr_nonnull(strstr(error, "\n+practice \"Klinik Sue\"\n"));
}

START_TEST(text_read_before_another_steward_saved_is_out_of_date)
{
	struct fs_session *sue = second_steward();
	char mine[T_POLICY_MAX];

	snprintf(mine, sizeof(mine), "%s# mine\n", text_of(TOP, "practice.policy"));
	me.now_ns += 2 * SECOND;
	by(sue, "Klinik Nord", "Klinik Sue");
	/* The editor looks once more, for its backup, and writes at once. */
	(void)text_of(TOP, "practice.policy");
	ck_out_of_date(write_text(TOP, "practice.policy", mine));
	ck_assert_int_eq(write_text(TOP, "tmp", mine), 0);
	ck_out_of_date(move(TOP, "tmp", "practice.policy"));
	ck_assert_str_eq(text_of(TOP, "practice.policy.rejected"), mine);
	/* It shows the new one now, for as long as somebody needs to look. */
	snprintf(mine, sizeof(mine), "%s# mine\n", text_of(TOP, "practice.policy"));
	me.now_ns += 2 * SECOND;
	ck_assert_int_eq(write_text(TOP, "practice.policy", mine), 0);
	ck_assert_ptr_nonnull(strstr(text_of(TOP, "practice.policy"), "Klinik Sue"));
	t_logout(sue);
}
END_TEST

START_TEST(process_that_read_nothing_goes_by_what_the_mount_was_shown)
{
	struct fs_session *sue = second_steward();
	char mine[T_POLICY_MAX];

	snprintf(mine, sizeof(mine), "%s# mine\n", text_of(TOP, "practice.policy"));
	by(sue, "Klinik Nord", "Klinik Sue");
	me.pid = 200; /* cp, say */
	ck_out_of_date(write_text(TOP, "practice.policy", mine));
	me.pid = 300;
	(void)text_of(TOP, "practice.policy");
	me.pid = 200;
	ck_assert_int_eq(write_text(TOP, "practice.policy", mine), 0);
	me.pid = 100;
	t_logout(sue);
}
END_TEST

START_TEST(what_the_steward_saved_elsewhere_is_not_out_of_date)
{
	(void)text_of(TOP, "practice.policy");
	other("Klinik Nord", "Klinik Syd");
	me.pid = 200;
	ck_assert_int_eq(write_text(TOP, "practice.policy", edited("Klinik Nord", "Ny")), 0);
	me.pid = 100;
}
END_TEST

START_TEST(appending_is_to_what_is_in_force)
{
	uint64_t fh;

	(void)text_of(TOP, "practice.policy");
	other("Klinik Nord", "Klinik Syd");
	fh = open_write(TOP, "practice.policy", O_APPEND);
	ck_assert_int_eq(fs_policy_files_write(pf, fh, 0, true, "# more\n", 7), 0);
	ck_assert_int_eq(save(fh), 0);
	fs_policy_files_close(pf, &me, fh, &out);
	ck_assert_ptr_nonnull(strstr(text_of(TOP, "practice.policy"), "Klinik Syd"));
	ck_assert_ptr_nonnull(strstr(text_of(TOP, "practice.policy"), "# more\n"));
}
END_TEST

/* ---- parts ---- */

START_TEST(part_is_added_changed_and_removed_as_a_file)
{
	char *report = NULL, main_text[T_POLICY_MAX];
	uint32_t version;

	snprintf(main_text, sizeof(main_text), "%sinclude practice.d\n", CLINIC_POLICY);
	ck_assert_int_eq(write_text(TOP, "practice.policy", main_text), 0);
	ck_assert_int_eq(write_text(FS_POLICY_PARTS, "west.policy", "unit west \"Vest\"\n"), 0);
	ck_assert_str_eq(text_of(FS_POLICY_PARTS, "west.policy"), "unit west \"Vest\"\n");
	ck_assert_str_eq(text_of(TOP, "practice.policy"), main_text);
	/* Another part's version makes this one's text no older. */
	version = t_version("practice");
	ck_assert_int_eq(write_text(FS_POLICY_PARTS, "east.policy", "unit east \"Oest\"\n"), 0);
	ck_assert_int_eq(fs_vault_policy_put(t.v, dan, "practice.d/west", "unit west \"W\"\n", 14,
					     version, &report, &t.say),
			 0);
	ck_assert_int_eq(fs_vault_policy_put(t.v, dan, "practice.d/west", "unit west \"V\"\n", 14,
					     version, &report, &t.say),
			 -ESTALE);
	ck_assert_int_eq(fs_vault_policy_put(t.v, dan, "practice.d/west", "unit west \"V\"\n", 14,
					     0, &report, &t.say),
			 -ESTALE);
	ck_assert_int_eq(fs_vault_policy_put(t.v, dan, "practice.d/new", "unit new \"N\"\n", 13, 0,
					     &report, &t.say),
			 0);
	ck_assert_int_eq(write_text(FS_POLICY_PARTS, "bad.policy", "unit west \"twice\"\n"),
			 -EINVAL);
	ck_assert_uint_eq(ino_of(FS_POLICY_PARTS, "bad.policy"), 0);
	ck_assert_ptr_nonnull(
		strstr(text_of(FS_POLICY_PARTS, "bad.policy.error"), "practice.d/"));
	ck_assert_int_eq(write_text(FS_POLICY_PARTS, "mark.policy", "%part x\n"), -EINVAL);
	/* Names that were only tried leave nothing behind. */
	for (int k = 0; k < 300; k++) {
		char name[32];

		snprintf(name, sizeof(name), "try%d.policy", k);
		ck_assert_int_eq(write_text(FS_POLICY_PARTS, name, "bad\n"), -EINVAL);
		ck_assert_uint_eq(ino_of(FS_POLICY_PARTS, name), 0);
	}
	/* Another name, in one version; never over another part. */
	version = fs_vault_policy_version(t.v);
	ck_assert_int_eq(move(FS_POLICY_PARTS, "new.policy", "east.policy"), -EEXIST);
	ck_assert_int_eq(move(FS_POLICY_PARTS, "new.policy", "newer.policy"), 0);
	ck_assert_uint_eq(fs_vault_policy_version(t.v), version + 1);
	ck_assert_uint_eq(ino_of(FS_POLICY_PARTS, "new.policy"), 0);
	ck_assert_str_eq(text_of(FS_POLICY_PARTS, "newer.policy"), "unit new \"N\"\n");
	/* Nor is a part removed that has changed since it was looked at. */
	ck_assert_int_eq(fs_policy_files_unlink(pf, &me, FS_POLICY_PARTS, "west.policy", &out),
			 -EINVAL);
	(void)text_of(FS_POLICY_PARTS, "west.policy");
	me.now_ns += 2 * SECOND;
	ck_assert_int_eq(fs_policy_files_unlink(pf, &me, FS_POLICY_PARTS, "west.policy", &out), 0);
	ck_assert_uint_eq(ino_of(FS_POLICY_PARTS, "west.policy"), 0);
	ck_assert_uint_ne(ino_of(FS_POLICY_PARTS, "east.policy"), 0);
	ck_assert_int_eq(
		fs_vault_policy_remove(t.v, dan, "practice", t_version("practice"), &report, &t.say),
		-EPERM);
	ck_assert_int_eq(fs_vault_policy_remove(t.v, dan, "practice.d/none", t_version("practice"),
						&report, &t.say),
			 -EINVAL);
	free(report);
}
END_TEST

/*
 * The number of a part that is none any more is asked after, by who held the file open, while a new
 * part makes room among such. With a sanitizer this is a use of freed memory, when it is one.
 */
START_TEST(part_that_is_gone_is_asked_after_while_others_come)
{
	char main_text[T_POLICY_MAX], name[40];
	struct stat st;
	uint64_t gone;

	snprintf(main_text, sizeof(main_text), "%sinclude practice.d\n", CLINIC_POLICY);
	ck_assert_int_eq(write_text(TOP, "practice.policy", main_text), 0);
	for (int k = 0; k < 244; k++) {
		snprintf(name, sizeof(name), "try%d.policy", k);
		ck_assert_int_eq(write_text(FS_POLICY_PARTS, name, "bad\n"), -EINVAL);
	}
	for (int k = 0; k < 20; k++) {
		snprintf(name, sizeof(name), "gone%d.policy", k);
		ck_assert_int_eq(write_text(FS_POLICY_PARTS, name, "unit west \"Vest\"\n"), 0);
		gone = ino_of(FS_POLICY_PARTS, name);
		ck_assert_int_eq(fs_policy_files_unlink(pf, &me, FS_POLICY_PARTS, name, &out), 0);
		ck_assert_uint_eq(ino_of(FS_POLICY_PARTS, name), 0);
		snprintf(name, sizeof(name), "practice.d/new%d", k);
		t_put(dan, name, "# none yet\n");
		ck_assert_int_eq(fs_policy_files_stat(pf, &me, gone, 0, &st), -ENOENT);
	}
}
END_TEST

START_TEST(time_of_a_part_is_not_that_of_another)
{
	char main_text[T_POLICY_MAX];
	struct stat before, after;

	snprintf(main_text, sizeof(main_text), "%sinclude practice.d\n", CLINIC_POLICY);
	ck_assert_int_eq(write_text(TOP, "practice.policy", main_text), 0);
	ck_assert_int_eq(fs_policy_files_lookup(pf, &me, TOP, "practice.policy", &before), 0);
	nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 100000000}, NULL);
	ck_assert_int_eq(write_text(FS_POLICY_PARTS, "west.policy", "unit west \"Vest\"\n"), 0);
	ck_assert_int_eq(fs_policy_files_lookup(pf, &me, TOP, "practice.policy", &after), 0);
	ck_assert_int_eq(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	ck_assert_int_eq(fs_policy_files_lookup(pf, &me, FS_POLICY_PARTS, "west.policy", &after),
			 0);
	ck_assert_int_gt(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
}
END_TEST

/* ---- names ---- */

START_TEST(names_that_no_policy_can_have_are_refused_and_told)
{
	uint64_t ino = 0;

	ck_assert_int_eq(fs_policy_files_create(pf, &me, FS_POLICY_JOURNALS, "nobody.policy", 0,
						0600, &ino, &out),
			 -EINVAL);
	ck_assert(out.refused);
	ck_assert_ptr_nonnull(strstr(text_of(FS_POLICY_JOURNALS, "nobody.policy.error"),
				     "no journal of this name"));
	ck_assert_int_eq(fs_policy_files_create(pf, &me, FS_POLICY_PARTS, "A b.policy", 0, 0600,
						&ino, &out),
			 -EINVAL);
	ck_assert_int_eq(fs_policy_files_create(pf, &me, TOP, "journals", 0, 0600, &ino, &out),
			 -EISDIR);
	ck_assert_int_eq(fs_policy_files_create(pf, &me, TOP, "practice.policy", O_EXCL, 0600, &ino,
						&out),
			 -EEXIST);
	ck_assert_int_eq(move(TOP, "journals", "x"), -EPERM);
	ck_assert_int_eq(move(TOP, "nothing", "x"), -ENOENT);
	/* Editors' own. */
	ck_assert_int_eq(write_text(FS_POLICY_PARTS, ".x.policy", "any\n"), 0);
	ck_assert_int_eq(write_text(FS_POLICY_JOURNALS, ".~lock.p.policy#", "any\n"), 0);
}
END_TEST

struct names {
	char text[400];
	unsigned n, most;
	uint64_t last;
};

static int add_name(void *ctx, const char *name, uint64_t ino, mode_t type, uint64_t cookie)
{
	struct names *l = ctx;

	(void)ino;
	(void)type;
	ck_assert_uint_gt(cookie, l->last);
	if (l->n == l->most)
		return 1;
	l->last = cookie;
	l->n++;
	strcat(l->text, name);
	strcat(l->text, " ");
	return 0;
}

START_TEST(listing_goes_on_where_it_stopped)
{
	struct names l = {.most = 1};
	struct fs_session *anna;

	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	t_make(anna, "p");
	t_make(anna, "q");
	ck_assert_int_eq(write_text(FS_POLICY_JOURNALS, "x", "any\n"), 0);
	for (int k = 0; k < 5; k++) {
		l.n = 0;
		ck_assert_int_eq(fs_policy_files_list(pf, &me, FS_POLICY_JOURNALS, l.last, add_name,
						      &l),
				 0);
	}
	ck_assert_str_eq(l.text, "x p.policy q.policy ");
	ck_assert_ptr_nonnull(strstr(text_of(FS_POLICY_JOURNALS, "p.policy"), "journal \"p\""));
	ck_assert_int_eq(move(FS_POLICY_JOURNALS, "p.policy", "q.policy"), -EPERM);
	ck_assert_int_eq(write_text(FS_POLICY_JOURNALS, "p.policy", "journal \"q\"\nunit north\n"),
			 -EINVAL);
	ck_assert_uint_ne(out.journal, 0);
	t_logout(anna);
}
END_TEST

START_TEST(reports_of_long_names_fit)
{
	char name[256], file[256], error[256];
	struct fs_session *anna;

	memset(name, 'x', sizeof(name));
	name[242] = '\0';
	t_enroll(dan, "anna", ANNA);
	anna = t_login("anna", ANNA);
	t_make(anna, name);
	snprintf(file, sizeof(file), "%.242s.policy", name);
	ck_assert_int_eq(write_text(FS_POLICY_JOURNALS, file, "bad\n"), -EINVAL);
	snprintf(error, sizeof(error), "%.242s.policy.error", name);
	ck_assert_uint_ne(ino_of(FS_POLICY_JOURNALS, error), 0);
	snprintf(error, sizeof(error), "%.242s.pol.rejected", name);
	error[246] = '\0';
	strcat(error, ".rejected");
	ck_assert_uint_eq(strlen(error), 255);
	ck_assert_uint_ne(ino_of(FS_POLICY_JOURNALS, error), 0);
	t_logout(anna);
}
END_TEST

/* ---- bounds and wiping ---- */

START_TEST(scratch_is_bounded_and_room_comes_back)
{
	char *big = calloc(1, 1 << 20), name[16];
	uint64_t fh[5], ino;
	int rc = 0, n = 0;

	for (; n < 5 && !rc; n++) {
		snprintf(name, sizeof(name), "big%d", n);
		fh[n] = open_write(TOP, name, 0);
		rc = fs_policy_files_write(pf, fh[n], 0, false, big, 1 << 20);
	}
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_int_eq(n, 5);
	ck_assert_int_eq(fs_policy_files_write(pf, fh[0], 3 << 20, false, big, 1), -EFBIG);
	while (n-- > 0) {
		snprintf(name, sizeof(name), "big%d", n);
		fs_policy_files_close(pf, &me, fh[n], &out);
		ck_assert_int_eq(fs_policy_files_unlink(pf, &me, TOP, name, &out), 0);
	}
	for (n = 0; n < 256; n++) {
		snprintf(name, sizeof(name), "f%d", n);
		ck_assert_int_eq(write_text(TOP, name, "x"), 0);
	}
	ck_assert_int_eq(fs_policy_files_create(pf, &me, TOP, "one more", 0, 0600, &ino, &out),
			 -ENOSPC);
	/* Reports find room all the same. */
	ck_assert_int_eq(write_text(TOP, "practice.policy", "bad\n"), -EINVAL);
	ck_assert_str_eq(text_of(TOP, "practice.policy.rejected"), "bad\n");
	free(big);
}
END_TEST

START_TEST(unlinked_scratch_lives_until_it_is_closed)
{
	uint64_t fh = open_write(TOP, "x", 0);
	struct stat st;
	char buf[8];
	size_t got;

	ck_assert_int_eq(fs_policy_files_lookup(pf, &me, TOP, "x", &st), 0);
	ck_assert_int_eq(fs_policy_files_write(pf, fh, 0, false, "here", 4), 0);
	ck_assert_int_eq(fs_policy_files_unlink(pf, &me, TOP, "x", &out), 0);
	ck_assert_uint_eq(ino_of(TOP, "x"), 0);
	ck_assert_int_eq(fs_policy_files_read(pf, &me, fh, 0, 8, buf, &got), 0);
	ck_assert_uint_eq(got, 4);
	ck_assert_int_eq(fs_policy_files_stat(pf, &me, st.st_ino, fh, &st), 0);
	ck_assert_int_eq(st.st_nlink, 0);
	fs_policy_files_close(pf, &me, fh, &out);
	ck_assert_int_eq(fs_policy_files_stat(pf, &me, st.st_ino, 0, &st), -ENOENT);
}
END_TEST

START_TEST(lock_wipes_contents_and_remembers_what_was_shown)
{
	struct fs_session *sue = second_steward();
	char mine[T_POLICY_MAX], buf[8];
	uint64_t fh;
	size_t got;

	snprintf(mine, sizeof(mine), "%s# mine\n", text_of(TOP, "practice.policy"));
	ck_assert_int_eq(write_text(TOP, "scratch", "secret"), 0);
	fh = open_write(TOP, "scratch", 0);
	fs_policy_files_clear(pf);
	ck_assert_int_eq(fs_policy_files_read(pf, &me, fh, 0, 8, buf, &got), -EIO);
	ck_assert_int_eq(fs_policy_files_write(pf, fh, 0, false, "x", 1), -EIO);
	ck_assert_int_eq(save(fh), -EIO);
	fs_policy_files_close(pf, &me, fh, &out);
	ck_assert_uint_eq(ino_of(TOP, "scratch"), 0);
	by(sue, "Klinik Nord", "Klinik Sue");
	me.now_ns += 2 * SECOND;
	ck_out_of_date(write_text(TOP, "practice.policy", mine));
	t_logout(sue);
}
END_TEST

START_TEST(who_lost_the_right_saves_nothing)
{
	struct fs_session *sue = second_steward();
	struct fs_policy_files *hers = NULL, *mine = pf;
	uint64_t fh;

	ck_assert_int_eq(fs_policy_files_new(t.v, sue, &hers), 0);
	pf = hers;
	fh = open_write(TOP, "practice.policy", O_TRUNC);
	ck_assert_int_eq(fs_policy_files_write(pf, fh, 0, false, "practice \"x\"\n", 13), 0);
	by(dan, "sue user sue role steward", "sue user sue role secretary");
	ck_assert_int_eq(save(fh), -EACCES);
	fs_policy_files_close(pf, &me, fh, &out);
	ck_assert_uint_eq(ino_of(TOP, "practice.policy"), 0);
	fs_policy_files_free(hers);
	pf = mine;
	t_logout(sue);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/policy_files");
	TCase *t_case = tcase_create("files");

	tcase_set_timeout(t_case, 60);
	tcase_add_checked_fixture(t_case, set_up, tear_down);
	tcase_add_test(t_case, policy_file_shows_what_is_in_force);
	tcase_add_test(t_case, open_handle_reads_one_text_to_its_end);
	tcase_add_test(t_case, save_in_place_is_one_version_however_often_it_is_flushed);
	tcase_add_test(t_case, close_by_another_process_is_not_the_end_of_writing);
	tcase_add_test(t_case, refused_save_tells_why_and_keeps_the_text);
	tcase_add_test(t_case, refused_save_says_so_at_each_close_and_is_told_once);
	tcase_add_test(t_case, byte_order_mark_is_no_part_of_a_policy);
	tcase_add_test(t_case, empty_file_is_refused_at_the_last_close);
	tcase_add_test(t_case, rename_over_a_policy_saves_and_takes_the_file);
	tcase_add_test(t_case, policy_renamed_away_is_missing_until_written_or_for_a_while);
	tcase_add_test(t_case, text_read_before_another_steward_saved_is_out_of_date);
	tcase_add_test(t_case, process_that_read_nothing_goes_by_what_the_mount_was_shown);
	tcase_add_test(t_case, what_the_steward_saved_elsewhere_is_not_out_of_date);
	tcase_add_test(t_case, appending_is_to_what_is_in_force);
	tcase_add_test(t_case, part_is_added_changed_and_removed_as_a_file);
	tcase_add_test(t_case, part_that_is_gone_is_asked_after_while_others_come);
	tcase_add_test(t_case, time_of_a_part_is_not_that_of_another);
	tcase_add_test(t_case, names_that_no_policy_can_have_are_refused_and_told);
	tcase_add_test(t_case, listing_goes_on_where_it_stopped);
	tcase_add_test(t_case, reports_of_long_names_fit);
	tcase_add_test(t_case, scratch_is_bounded_and_room_comes_back);
	tcase_add_test(t_case, unlinked_scratch_lives_until_it_is_closed);
	tcase_add_test(t_case, lock_wipes_contents_and_remembers_what_was_shown);
	tcase_add_test(t_case, who_lost_the_right_saves_nothing);
	suite_add_tcase(s, t_case);
	return t_run(s);
}
