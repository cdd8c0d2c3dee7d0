/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_audit.c - what an auditor's session takes out of a vault: names, times, keys
 * and policies; what an auditor who came later gets; what stays with whoever has no right.
 */
#include "test_fs_vault.h"

#include <sys/syscall.h>

static int64_t wall_s;

/* Defined before the C library's, so that hours between stretches of the log need no waiting. */
int clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	if (clock == CLOCK_REALTIME)
		out->tv_sec += wall_s;
	return rc;
}

static void setup(void)
{
	t_setup();
	wall_s = 0;
}

static struct fs_session *dan, *lis, *anna;

static void clinic(void)
{
	dan = t_clinic();
	t_enroll(dan, "lis", LIS);
	t_enroll(dan, "anna", ANNA);
	t_ticks();
	lis = t_login("lis", LIS);
	anna = t_login("anna", ANNA);
}

static void everybody_out(void)
{
	t_logout(anna);
	t_logout(lis);
	t_logout(dan);
}

/* ---- names ---- */

static unsigned by_name(const char *name)
{
	struct fs_audit_query q = {.journal = name, .who = "anna"};
	struct t_counting c = {.kind = POLICY_RECORD_JOURNAL};

	t.say.text[0] = '\0';
	ck_assert_msg(fs_vault_audit(t.v, lis, &q, t_count_one, &c, &t.say) == 0, "%s", t.say.text);
	return c.n;
}

static const struct fs_audit_name *name_of(const struct fs_audit_names *names, uint32_t number)
{
	for (size_t i = 0; i < names->n; i++) {
		if (names->at[i].number == number)
			return &names->at[i];
	}
	return NULL;
}

START_TEST(journal_is_found_under_all_its_names)
{
	struct fs_audit_names names = {0};
	uint32_t first, second;

	clinic();
	first = t_make(anna, "Hansen, Ana");
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "Hansen, Ana", "Hansen, Anna"), 0);
	/* The name that was wrong is somebody else's now. */
	second = t_make(anna, "Hansen, Ana");
	ck_assert_int_eq(fs_audit_names_find(t.v, "Hansen, Ana", &names), 0);
	ck_assert_uint_eq(names.n, 2);
	ck_assert(!name_of(&names, first)->last);
	ck_assert(name_of(&names, second)->last);
	fs_audit_names_clear(&names);
	/* Made and renamed: all of it under its last name; under the first, what bore that. */
	ck_assert_uint_eq(by_name("Hansen, Anna"), 2);
	ck_assert_uint_ge(by_name("Hansen, Ana"), 2);
	ck_assert_uint_eq(by_name("Nobody"), 0);
	everybody_out();
}
END_TEST

START_TEST(removed_journal_is_still_found)
{
	struct fs_audit_names names = {0};
	uint32_t gone;

	clinic();
	gone = t_make(anna, "short-lived");
	ck_assert_int_eq(fs_vault_journal_remove(t.v, anna, "short-lived"), 0);
	ck_assert_int_eq(fs_audit_names_find(t.v, "short-lived", &names), 0);
	ck_assert_uint_eq(names.n, 1);
	ck_assert_uint_eq(names.at[0].number, gone);
	ck_assert(names.at[0].last);
	fs_audit_names_clear(&names);
	ck_assert_uint_eq(by_name("short-lived"), 2);
	everybody_out();
}
END_TEST

START_TEST(filter_lets_through_by_what_a_record_says)
{
	struct fs_audit_names names = {0};
	struct fs_audit_filter f = {.names = &names};
	struct policy_record r = {.journal = 3, .time_ns = 50, .grant = 2};
	uint32_t *numbers;
	size_t n;

	strcpy(r.who, "anna");
	strcpy(r.journal_name, "old");
	ck_assert(fs_audit_lets(&f, &r));
	f.who = "bo";
	ck_assert(!fs_audit_lets(&f, &r));
	f.who = "anna";
	f.since_ns = 50;
	f.until_ns = 51;
	ck_assert(fs_audit_lets(&f, &r));
	f.until_ns = 50;
	ck_assert(!fs_audit_lets(&f, &r));
	f.until_ns = 0;
	f.grant = 1;
	ck_assert(!fs_audit_lets(&f, &r));
	f.grant = 2;
	/* No numbers known: the name decides. */
	f.journal = "new";
	ck_assert(!fs_audit_lets(&f, &r));
	ck_assert_int_eq(fs_audit_numbers(&f, &numbers, &n), 0);
	ck_assert_ptr_null(numbers);
	ck_assert_int_eq(fs_audit_names_add(&names, 3, false), 0);
	ck_assert(!fs_audit_lets(&f, &r));
	ck_assert_int_eq(fs_audit_names_add(&names, 3, true), 0);
	ck_assert(fs_audit_lets(&f, &r));
	ck_assert_uint_eq(names.n, 1);
	ck_assert_int_eq(fs_audit_numbers(&f, &numbers, &n), 0);
	ck_assert_uint_eq(n, 2); /* and 0: what was asked of a name alone */
	ck_assert_uint_eq(numbers[0], 3);
	ck_assert_uint_eq(numbers[1], 0);
	free(numbers);
	r.journal = 4;
	strcpy(r.journal_name, "new");
	ck_assert(!fs_audit_lets(&f, &r));
	r.journal = 0;
	ck_assert(fs_audit_lets(&f, &r));
	/* A statement is of what was done in the journal, not of who asked about it. */
	r.journal = 0;
	strcpy(r.journal_name, "new");
	ck_assert(fs_audit_lets(&f, &r));
	f.own = true;
	ck_assert(!fs_audit_lets(&f, &r));
	ck_assert_int_eq(fs_audit_numbers(&f, &numbers, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(numbers[0], 3);
	free(numbers);
	r.journal = 3;
	ck_assert(fs_audit_lets(&f, &r));
	fs_audit_names_clear(&names);
}
END_TEST

/* ---- keys ---- */

struct got {
	unsigned n;
	struct fs_audit_key k[64];
};

static int keep_key(void *ctx, const struct fs_audit_key *k)
{
	struct got *g = ctx;

	ck_assert_uint_lt(g->n, 64);
	g->k[g->n++] = *k;
	return 0;
}

static unsigned keys_of(struct fs_session *by, int64_t since_s, int64_t until_s, struct got *g,
			unsigned *shut)
{
	struct fs_audit_streams q = {.since_s = since_s, .until_s = until_s};

	g->n = 0;
	ck_assert_int_eq(fs_vault_audit_streams(t.v, by, &q, keep_key, g, &t.say), 0);
	ck_assert_uint_ge(q.daemons, 1);
	ck_assert_str_eq(q.practice, "Klinik Nord");
	free(q.daemon);
	*shut = q.shut;
	return g->n;
}

START_TEST(keys_open_what_the_auditor_reads_and_no_more)
{
	struct got *mine = malloc(sizeof(*mine));
	unsigned shut;

	clinic();
	ck_assert_uint_ge(keys_of(lis, 0, 0, mine, &shut), 1);
	/* From before there was any auditor: nobody but the recovery key opens that. */
	ck_assert_uint_ge(shut, 1);
	for (unsigned i = 1; i < mine->n; i++)
		ck_assert_uint_gt(mine->k[i].first_seq, mine->k[i - 1].first_seq);
	for (unsigned i = 0; i < mine->n; i++)
		ck_assert_uint_eq(mine->k[i].key_len, KEYS_LEN);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_EXPORT, "key file"), 1);
	free(mine);
	everybody_out();
}
END_TEST

/* Within the hour that began then. */
static bool near(const struct fs_audit_key *k, int64_t began_s)
{
	return (int64_t)k->time_s >= began_s && (int64_t)k->time_s < began_s + 3600;
}

START_TEST(keys_of_a_time_are_of_stretches_that_reach_into_it)
{
	struct got *g = malloc(sizeof(*g));
	unsigned shut, all;
	int64_t began[3];

	clinic();
	/* Three more stretches, an hour apart. */
	for (int i = 0; i < 3; i++) {
		everybody_out();
		t_close();
		wall_s += 3600;
		began[i] = time(NULL) + wall_s;
		t_open();
		dan = t_login("dan", DAN);
		lis = t_login("lis", LIS);
		anna = t_login("anna", ANNA);
	}
	all = keys_of(lis, 0, 0, g, &shut);
	ck_assert_uint_ge(all, 4);
	ck_assert(near(&g->k[all - 1], began[2]));
	/* Until the second began: it and the third are not in it. */
	keys_of(lis, 0, began[1], g, &shut);
	for (unsigned i = 0; i < g->n; i++)
		ck_assert_int_lt((int64_t)g->k[i].time_s, began[1]);
	ck_assert(near(&g->k[g->n - 1], began[0]));
	/* From the middle of the second on: that one too, since it reaches into it. */
	keys_of(lis, began[1] + 1800, 0, g, &shut);
	ck_assert(near(&g->k[0], began[1]));
	ck_assert(near(&g->k[g->n - 1], began[2]));
	ck_assert_uint_eq(keys_of(lis, 0, 1600000000, g, &shut), 0);
	free(g);
	everybody_out();
}
END_TEST

static int never_key(void *ctx, const struct fs_audit_key *k)
{
	(void)ctx;
	(void)k;
	ck_abort_msg("a key was given");
	return 0;
}

static int never_change(void *ctx, const struct policy_past_change *c)
{
	(void)ctx;
	(void)c;
	ck_abort_msg("a policy was given");
	return 0;
}

static int never_segment(void *ctx, const struct fs_audit_segment *s)
{
	(void)ctx;
	(void)s;
	ck_abort_msg("a segment was named");
	return 0;
}

START_TEST(physician_takes_nothing_and_each_try_is_logged)
{
	struct fs_audit_streams q = {0};
	struct fs_audit_result res = {0};
	uint64_t durable;
	int fd = -1;

	clinic();
	ck_assert_int_eq(fs_vault_audit_streams(t.v, anna, &q, never_key, NULL, &t.say), -EACCES);
	ck_assert_int_eq(fs_vault_audit_policies(t.v, anna, never_change, NULL, &res, &t.say),
			 -EACCES);
	ck_assert_int_eq(fs_vault_audit_practice(t.v, anna, never_change, NULL, &res, &t.say),
			 -EACCES);
	ck_assert_int_eq(
		fs_vault_audit_segments(t.v, anna, "", never_segment, NULL, &durable, &t.say),
		-EACCES);
	ck_assert_int_eq(fs_vault_audit_segment(t.v, anna, 1, FS_AUDIT_SEGMENT, &fd, &t.say),
			 -EACCES);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(fs_vault_audit_sign_off(t.v, anna, "all", "well", &t.say), -EACCES);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "exporting keys"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "all versions"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "segments"), 2);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_REFUSED, "signing off"), 1);
	ck_assert_uint_eq(t_logged(POLICY_RECORD_EXPORT, NULL), 0);
	everybody_out();
}
END_TEST

START_TEST(segment_that_is_no_file_is_not_opened)
{
	char path[200];
	int fd = -1;

	clinic();
	snprintf(path, sizeof(path), "%s/log/00000042.seg", t.vault);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	ck_assert_int_lt(fs_vault_audit_segment(t.v, lis, 42, FS_AUDIT_SEGMENT, &fd, &t.say), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(fs_vault_audit_segment(t.v, lis, 42, FS_AUDIT_SEGMENT, &fd, &t.say),
			 -EBADMSG);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(
		fs_vault_audit_segment(t.v, lis, UINT64_MAX, FS_AUDIT_SEGMENT, &fd, &t.say),
		-ENOENT);
	everybody_out();
}
END_TEST

static int count_segment(void *ctx, const struct fs_audit_segment *s)
{
	unsigned *n = ctx;

	ck_assert_uint_gt(s->bytes, 0);
	++*n;
	return 0;
}

START_TEST(what_is_taken_is_sealed_to_its_end)
{
	char text[KEYS_CHECKPOINT_MAX], vkey[FS_VKEY_MAX];
	struct keys_signed_note note;
	struct keys_checkpoint c;
	uint64_t durable = 0;
	unsigned n = 0;

	clinic();
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(
			fs_vault_audit_segments(t.v, lis, "", count_segment, &n, &durable, &t.say),
			0);
		ck_assert_uint_gt(fs_log_newest(t.v->log, text), 0);
		ck_assert_int_eq(keys_signed_note_parse(text, strlen(text), &note), 0);
		ck_assert_int_eq(keys_checkpoint_read(&note, &c), 0);
		ck_assert_uint_ge(c.size, durable);
		/* And whoever asks for a checkpoint gets one over what came since. */
		ck_assert_int_eq(fs_vault_tell(t.v, lis, POLICY_RECORD_ALARM, 0, NULL, "one more"), 0);
		durable = c.size;
		ck_assert_int_eq(fs_vault_log_checkpoint(t.v, text, vkey), 0);
		ck_assert_int_eq(keys_signed_note_parse(text, strlen(text), &note), 0);
		ck_assert_int_eq(keys_checkpoint_read(&note, &c), 0);
		ck_assert_uint_gt(c.size, durable);
	}
	ck_assert_uint_ge(n, 5);
	everybody_out();
}
END_TEST

/* ---- policies ---- */

struct versions {
	unsigned n;
	uint32_t journal[64];
	char name[64][80];
};

static int keep_change(void *ctx, const struct policy_past_change *c)
{
	struct versions *v = ctx;

	ck_assert_uint_lt(v->n, 64);
	ck_assert_uint_eq(c->version, v->n + 1);
	v->journal[v->n] = c->journal;
	snprintf(v->name[v->n++], sizeof(v->name[0]), "%s", c->name ? c->name : "");
	return 0;
}

START_TEST(policies_are_all_there_with_names_as_they_were)
{
	struct versions *v = calloc(1, sizeof(*v));
	struct fs_audit_result res = {0};
	uint32_t index;

	clinic();
	index = t_make(anna, "first");
	ck_assert_int_eq(fs_vault_journal_rename(t.v, anna, "first", "second"), 0);
	ck_assert_int_eq(fs_vault_audit_policies(t.v, lis, keep_change, v, &res, &t.say), 0);
	ck_assert_uint_eq(v->n, fs_vault_policy_version(t.v));
	ck_assert_uint_eq(res.unread, 0);
	ck_assert_uint_eq(v->journal[v->n - 1], index);
	ck_assert_str_eq(v->name[v->n - 1], "second");
	ck_assert_str_eq(v->name[v->n - 2], "first");
	ck_assert_str_eq(v->name[0], "");
	free(v);
	everybody_out();
}
END_TEST

static int count_change(void *ctx, const struct policy_past_change *c)
{
	unsigned *n = ctx;

	(void)c;
	++*n;
	return 0;
}

START_TEST(damaged_version_is_left_out_and_said)
{
	struct fs_audit_result res = {0};
	struct fs_key prefix = fs_key_n(0, 0, FS_T_POLICY, 2, 4);
	size_t len = 0;
	uint8_t *p = NULL;
	unsigned n = 0;
	struct fs_batch b;

	clinic();
	t_make(anna, "first");
	ck_assert_int_eq(fs_vault_parts_get(t.v, &prefix, &p, &len), 0);
	p[len - 1] ^= 1;
	fs_batch_init(&b, NULL);
	fs_vault_parts_put(t.v, &b, &prefix, p, len);
	ck_assert_int_eq(fs_group_apply(fs_records_group(t.v->records), &b, NULL), 0);
	fs_batch_clear(&b);
	free(p);
	ck_assert_int_eq(fs_vault_audit_policies(t.v, lis, count_change, &n, &res, &t.say), 0);
	ck_assert_uint_eq(n, fs_vault_policy_version(t.v) - 1);
	ck_assert_uint_eq(res.unread, 1);
	ck_assert_ptr_nonnull(strstr(res.text[0], "policy version 2"));
	ck_assert_uint_ge(t.alarms, 1);
	everybody_out();
}
END_TEST

/* ---- frames ---- */

START_TEST(frames_of_changes_come_back_and_damage_is_told)
{
	static const struct policy_past_change all[] = {
		{.version = 1, .time_s = 5, .text = "practice \"x\"\n", .len = 13},
		{.version = 7,
		 .journal = 3,
		 .name = "a",
		 .who = "dan",
		 .reason = "why",
		 .text = "t",
		 .len = 1},
		{.version = 9, .journal = 3, .name = "a"},
	};

	for (unsigned i = 0; i < 3; i++) {
		struct policy_past_change c;
		uint8_t *p = NULL;
		char *store = NULL;
		size_t len = 0;

		ck_assert_int_eq(fs_audit_change_encode(&all[i], &p, &len), 0);
		ck_assert_int_eq(fs_audit_change_decode(p + 4, len - 4, &c, &store), 0);
		ck_assert_uint_eq(c.version, all[i].version);
		ck_assert_uint_eq(c.journal, all[i].journal);
		ck_assert_int_eq(c.name == NULL, all[i].name == NULL);
		ck_assert_int_eq(c.text == NULL, all[i].text == NULL);
		ck_assert_str_eq(c.who, all[i].who ? all[i].who : "");
		ck_assert_uint_eq(c.len, all[i].len);
		if (c.text)
			ck_assert_str_eq(c.text, all[i].text);
		free(store);
		for (size_t n = 0; n < len - 4; n++)
			ck_assert_int_eq(fs_audit_change_decode(p + 4, n, &c, &store), -EBADMSG);
		free(p);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/audit");
	TCase *tc = tcase_create("all");

	tcase_add_checked_fixture(tc, setup, t_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, journal_is_found_under_all_its_names);
	tcase_add_test(tc, removed_journal_is_still_found);
	tcase_add_test(tc, filter_lets_through_by_what_a_record_says);
	tcase_add_test(tc, keys_open_what_the_auditor_reads_and_no_more);
	tcase_add_test(tc, keys_of_a_time_are_of_stretches_that_reach_into_it);
	tcase_add_test(tc, physician_takes_nothing_and_each_try_is_logged);
	tcase_add_test(tc, segment_that_is_no_file_is_not_opened);
	tcase_add_test(tc, what_is_taken_is_sealed_to_its_end);
	tcase_add_test(tc, policies_are_all_there_with_names_as_they_were);
	tcase_add_test(tc, damaged_version_is_left_out_and_said);
	tcase_add_test(tc, frames_of_changes_come_back_and_damage_is_told);
	suite_add_tcase(s, tc);
	return t_run(s);
}
