/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that the practice keeps out, at the gate: what they are refused, what they
 * are not asked for, and that the log counts them instead of repeating them.
 */
#include "test_fs_gate.h"

#include "../../fs/clock.h"
#include "../../fs/gate_impl.h"

#define MINUTE_NS (60 * INT64_C(1000000000))

static int64_t boot_ns;

static int64_t boot(void)
{
	return boot_ns;
}

static void set_up_programs(void)
{
	static const struct fs_clock_source source = {.boot_ns = boot};

	set_up();
	boot_ns = 1000 * MINUTE_NS;
	fs_clock_pretend(&source);
	w.denied = "tracker-miner-f";
}

static void tear_down_programs(void)
{
	tear_down();
	fs_clock_pretend(NULL);
}

static struct fs_gate_request at_root(const char *op)
{
	return (struct fs_gate_request){
		.op = op, .nodeid = FS_ROOT_INO, .rights = 0, .uid = UID, .pid = 42};
}

START_TEST(kept_out_program_is_refused_before_anything_is_looked_at)
{
	struct fs_gate_request rq = asks(FS_ROOT_INO, POLICY_LIST);

	rq.op = "opendir";
	rq.reveals = rq.activity = true;
	rq.dir = FS_ROOT_INO;
	w.notes = 3;
	session.active_ns = 7;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.decided, 0);
	ck_assert_uint_eq(w.notes_named, 0);
	/* It does not keep the session awake either. */
	ck_assert_uint_eq(session.active_ns, 7);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_uint_eq(w.durable, 1);
	ck_assert_uint_eq(w.record[0].kind, POLICY_RECORD_REFUSED);
	ck_assert_str_eq(w.record[0].rule, "program deny tracker-miner-f");
	ck_assert_str_eq(w.record[0].detail, "opendir: EACCES");
	/* A patient's record it is not: nothing of the journal was looked at. */
	ck_assert_uint_eq(w.record[0].journal, 0);
	ck_assert_uint_eq(w.record[0].note, 0);
	ck_assert_str_eq(w.record[0].name, "");
	ck_assert_uint_eq(w.record[0].pid, 42);
}
END_TEST

START_TEST(every_way_by_a_path_is_refused)
{
	static const char *const ops[] = {"opendir", "getattr", "open", "access", "getxattr", "setattr",
					  "create", "rename", "link", "unlink", "readlink"};
	struct fs_gate_request rq = asks(5, POLICY_READ);

	for (size_t n = 0; n < sizeof(ops) / sizeof(ops[0]); n++) {
		rq.op = ops[n];
		ck_assert_int_eq(begin(&rq), -EACCES);
	}
	rq.rights = 0;
	ck_assert_int_eq(begin(&rq), -EACCES);
	rq.nodeid = fs_nodeid(7, FS_INO_HISTORY);
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.decided, 0);
	ck_assert_uint_eq(w.records, 1);
}
END_TEST

START_TEST(mounts_own_directory_is_shown_and_searched_but_not_listed)
{
	struct fs_gate_request rq = at_root("getattr");

	ck_assert_int_eq(begin(&rq), 0);
	rq = at_root("access");
	ck_assert_int_eq(begin(&rq), 0);
	rq = at_root("statfs");
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(w.asked_program, 0);
	rq = at_root("opendir");
	rq.reveals = true;
	ck_assert_int_eq(begin(&rq), -EACCES);
	rq = at_root("lookup");
	rq.reveals = true;
	rq.name = "010190-1234 Hansen, Bo";
	/* Else the kernel would forget it for everybody. */
	ck_assert_int_eq(begin(&rq), 0);
	rq = at_root("mkdir");
	rq.entries = true;
	rq.name = "new";
	ck_assert_int_eq(begin(&rq), -EACCES);
	/* Not even the name of whom it looked for is in the log. */
	ck_assert_uint_eq(w.records, 1);
	ck_assert_str_eq(w.record[0].name, "");
}
END_TEST

START_TEST(refusal_beside_the_first_has_a_record_of_its_own)
{
	struct fs_gate_request rq = at_root("opendir"), other = at_root("opendir");

	rq.reveals = other.reveals = true;
	w.ask_in_wait = &other; /* while the first one waits for the disk */
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_int_eq(w.asked_rc, -EACCES);
	ck_assert_uint_eq(w.records, 2);
	ck_assert_uint_eq(w.waits, 2);
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 2); /* counted */
}
END_TEST

START_TEST(refusals_whose_record_fails_are_not_forgotten)
{
	struct fs_gate_request rq = at_root("opendir"), other = at_root("opendir");

	rq.reveals = other.reveals = true;
	w.wait_rc = -EIO;
	w.ask_in_wait = &other;
	ck_assert_int_eq(begin(&rq), -EIO);
	ck_assert_int_eq(w.asked_rc, -EIO);
	w.wait_rc = 0;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 3);
	/* Counted, and the hour's record can't be written: it is, the next time. */
	ck_assert_int_eq(begin(&rq), -EACCES);
	boot_ns += 61 * MINUTE_NS;
	w.append_rc = -EIO;
	fs_gate_programs_flush(gate, false);
	w.append_rc = 0;
	boot_ns += 61 * MINUTE_NS;
	fs_gate_programs_flush(gate, false);
	ck_assert_uint_eq(w.records, 4);
	ck_assert_uint_eq(w.record[3].count, 1);
}
END_TEST

START_TEST(what_is_open_is_not_asked)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	rq.by_handle = true;
	rq.op = "read";
	ck_assert_int_eq(begin(&rq), 0);
	rq.op = "write";
	rq.rights = POLICY_WRITE;
	ck_assert_int_eq(begin(&rq), 0);
	rq.op = "flush";
	rq.rights = 0;
	rq.drain = true;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(w.asked_program, 0);
	ck_assert_uint_eq(w.records, 0);
}
END_TEST

START_TEST(steward_reaches_policy_with_any_program)
{
	struct fs_gate_request rq = at_root("lookup");

	w.verdict.rights = POLICY_POLICY;
	rq.reveals = true;
	rq.name = FS_GATE_POLICY_DIR;
	ck_assert_int_eq(begin(&rq), 0);
	rq = at_root("open");
	rq.nodeid = 2; /* of journal 0, below .policy */
	ck_assert_int_eq(begin(&rq), 0);
	rq.entries = true;
	rq.nodeid2 = 2;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(w.asked_program, 0);
	/* Who may not is refused for that, and in the log. */
	w.verdict.rights = POLICY_LIST;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_str_eq(w.record[0].rule, "a rule");
	/* The directory's name itself is nobody's to change. */
	rq = at_root("rmdir");
	rq.entries = true;
	rq.name = FS_GATE_POLICY_DIR;
	w.verdict.rights = POLICY_POLICY;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.asked_program, 1);
}
END_TEST

START_TEST(line_holds_from_the_next_request_on_and_no_longer_than_it_stands)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	w.denied = NULL;
	ck_assert_int_eq(begin(&rq), 0);
	w.denied = "cat";
	ck_assert_int_eq(begin(&rq), -EACCES);
	w.denied = NULL;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(w.records, 1);
}
END_TEST

START_TEST(session_and_account_are_asked_first)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	rq.uid = UID + 1;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_str_eq(w.record[0].rule, "another account than the session's");
	rq.uid = UID;
	atomic_store(&session.state, FS_SESSION_LOCKED);
	ck_assert_int_eq(begin(&rq), -ENOKEY);
	ck_assert_uint_eq(w.asked_program, 0);
}
END_TEST

START_TEST(refusals_are_one_record_an_hour_with_their_number)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	for (int minute = 0; minute < 180; minute++) {
		for (uint64_t n = 0; n < 10; n++) {
			rq.nodeid = fs_nodeid(7, 5 + n);
			ck_assert_int_eq(begin(&rq), -EACCES);
		}
		boot_ns += MINUTE_NS;
		fs_gate_tick(gate);
	}
	ck_assert_uint_eq(w.records, 4);
	ck_assert_uint_eq(w.record[0].count, 0);
	ck_assert_uint_eq(w.record[1].count, 599);
	ck_assert_uint_eq(w.record[2].count, 600);
	ck_assert_uint_eq(w.record[3].count, 600);
	ck_assert_str_eq(w.record[3].rule, "program deny tracker-miner-f");
	ck_assert_uint_eq(w.record[3].journal, 0);
	/* A quiet hour is no record; what comes after it is a first one again. */
	boot_ns += 60 * MINUTE_NS;
	fs_gate_tick(gate);
	ck_assert_uint_eq(w.records, 4);
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 5);
	ck_assert_uint_eq(w.record[4].count, 0);
}
END_TEST

START_TEST(locking_writes_nothing_and_the_end_writes_the_rest)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);
	struct fs_gate *other;

	for (int n = 0; n < 5; n++) {
		ck_assert_int_eq(begin(&rq), -EACCES);
		fs_gate_reset(gate);
	}
	ck_assert_uint_eq(w.records, 1);
	ck_assert_int_eq(fs_gate_new(the_vault, &session, &other), 0);
	fs_gate_free(gate);
	gate = other;
	ck_assert_uint_eq(w.records, 2);
	ck_assert_uint_eq(w.record[1].count, 4);
}
END_TEST

/* A program that changes its name all the time: the log stays quiet, and no refusal is lost. */
START_TEST(program_of_many_names_fills_no_log)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);
	struct fs_gate *other;
	char name[16];
	uint64_t sum = 0;

	w.denied = name;
	for (int round = 0; round < 10; round++) {
		for (int n = 0; n < 200; n++) {
			snprintf(name, sizeof(name), "p%d", n);
			ck_assert_int_eq(begin(&rq), -EACCES);
		}
	}
	ck_assert_uint_eq(w.records, FS_GATE_PROGRAMS);
	ck_assert_str_eq(w.record[FS_GATE_PROGRAMS - 1].rule, "program deny (others)");
	ck_assert_int_eq(fs_gate_new(the_vault, &session, &other), 0);
	fs_gate_free(gate);
	gate = other;
	ck_assert_uint_eq(w.records, 2 * FS_GATE_PROGRAMS);
	for (size_t n = 0; n < w.records; n++)
		sum += w.record[n].count ? w.record[n].count : 1;
	ck_assert_uint_eq(sum, 2000);
}
END_TEST

START_TEST(unwritable_log_refuses_all_the_same_and_the_next_is_recorded)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	w.append_rc = -ENOSPC;
	ck_assert_int_eq(begin(&rq), -EIO);
	w.append_rc = 0;
	w.wait_rc = -EIO;
	ck_assert_int_eq(begin(&rq), -EIO);
	w.wait_rc = 0;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 2);
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/gate_program");
	TCase *t = tcase_create("kept out");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up_programs, tear_down_programs);
	tcase_add_test(t, kept_out_program_is_refused_before_anything_is_looked_at);
	tcase_add_test(t, every_way_by_a_path_is_refused);
	tcase_add_test(t, mounts_own_directory_is_shown_and_searched_but_not_listed);
	tcase_add_test(t, refusal_beside_the_first_has_a_record_of_its_own);
	tcase_add_test(t, refusals_whose_record_fails_are_not_forgotten);
	tcase_add_test(t, what_is_open_is_not_asked);
	tcase_add_test(t, steward_reaches_policy_with_any_program);
	tcase_add_test(t, line_holds_from_the_next_request_on_and_no_longer_than_it_stands);
	tcase_add_test(t, session_and_account_are_asked_first);
	tcase_add_test(t, refusals_are_one_record_an_hour_with_their_number);
	tcase_add_test(t, locking_writes_nothing_and_the_end_writes_the_rest);
	tcase_add_test(t, program_of_many_names_fills_no_log);
	tcase_add_test(t, unwritable_log_refuses_all_the_same_and_the_next_is_recorded);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
