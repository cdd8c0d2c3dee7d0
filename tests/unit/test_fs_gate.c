/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate against a vault, a log and a directory that the test plays: who passes,
 * what is recorded, and that nothing passes before its record is durable.
 */
#include "test_fs_gate.h"

/* ---- who passes ---- */

START_TEST(request_with_rights_passes)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);
	struct fs_gate_pass pass;

	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_ptr_eq(pass.journal, the_journal);
	ck_assert_ptr_nonnull(pass.signer);
	ck_assert_uint_eq(pass.rights, w.verdict.rights);
	fs_gate_end(&pass);
	ck_assert_uint_eq(w.records, 0);
}
END_TEST

START_TEST(reading_request_gets_no_signer)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);
	struct fs_gate_pass pass;

	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_ptr_null(pass.signer);
	fs_gate_end(&pass);
}
END_TEST

START_TEST(refusal_is_durable_before_it_returns)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);

	w.verdict.rights = POLICY_LIST | POLICY_READ;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_uint_eq(w.durable, 1);
	ck_assert_uint_eq(w.record[0].kind, POLICY_RECORD_REFUSED);
	ck_assert_uint_eq(w.record[0].journal, 7);
	ck_assert_uint_eq(w.record[0].note, 5);
	ck_assert_uint_eq(w.record[0].pid, 42);
	ck_assert_str_eq(w.record[0].name, "note.odt");
	ck_assert_str_eq(w.record[0].rule, "a rule");
	ck_assert_str_eq(w.record[0].detail, "open: EACCES");
}
END_TEST

START_TEST(refusals_that_repeat_are_counted)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE), other = asks(6, POLICY_WRITE);

	w.verdict.rights = 0;
	for (int n = 0; n < 5; n++)
		ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_int_eq(begin(&other), -EACCES);
	ck_assert_uint_eq(w.records, 2);
	fs_gate_reset(gate);
	ck_assert_uint_eq(w.records, 3);
	ck_assert_uint_eq(w.record[2].count, 4);
	ck_assert_uint_eq(w.record[2].note, 5);
}
END_TEST

START_TEST(many_different_refusals_lose_none)
{
	w.verdict.rights = 0;
	for (uint64_t n = 0; n < 100; n++) {
		struct fs_gate_request rq = asks(n + 10, POLICY_READ);

		ck_assert_int_eq(begin(&rq), -EACCES);
		ck_assert_int_eq(begin(&rq), -EACCES);
	}
	fs_gate_reset(gate);
	ck_assert_uint_eq(w.records, 200);
}
END_TEST

START_TEST(invisible_journal_refuses_even_without_rights_asked)
{
	struct fs_gate_request rq = asks(FS_ROOT_INO, 0);

	w.verdict = (struct policy_verdict){.answer = POLICY_DENY};
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 1);
}
END_TEST

START_TEST(visible_journal_without_rights_passes_without_journal)
{
	struct fs_gate_request rq = asks(FS_ROOT_INO, 0);
	struct fs_gate_pass pass;

	w.verdict.rights = 0;
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_ptr_null(pass.journal);
	fs_gate_end(&pass);
}
END_TEST

START_TEST(waiting_key_refuses_what_needs_it)
{
	struct fs_gate_request look = asks(FS_ROOT_INO, 0), open = asks(5, POLICY_READ);

	w.journal_rc = -EACCES;
	ck_assert_int_eq(begin(&look), 0);
	ck_assert_int_eq(begin(&open), -EACCES);
	ck_assert_uint_eq(w.record[0].kind, POLICY_RECORD_REFUSED);
}
END_TEST

START_TEST(failed_decision_denies)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	w.decide_rc = -ENOMEM;
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

START_TEST(damaged_journal_answers_eio)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	w.journal_rc = -EBADMSG;
	ck_assert_int_eq(begin(&rq), -EIO);
}
END_TEST

START_TEST(other_account_is_refused_but_not_by_handle)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	rq.uid = UID + 1;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 1);
	rq.by_handle = true;
	ck_assert_int_eq(begin(&rq), 0);
}
END_TEST

START_TEST(two_journals_in_one_request_are_exdev)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);

	rq.nodeid2 = fs_nodeid(8, 5);
	ck_assert_int_eq(begin(&rq), -EXDEV);
}
END_TEST

/* ---- under .history ---- */

#define VERSION (FS_INO_HISTORY + 77)
#define READER (POLICY_LIST | POLICY_READ | POLICY_WRITE)

START_TEST(everything_under_history_asks_for_the_right_history)
{
	const uint32_t rights[] = {0, POLICY_LIST, POLICY_READ, POLICY_LIST | POLICY_READ};
	struct fs_gate_request rq;

	for (unsigned n = 0; n < 4; n++) {
		rq = asks(VERSION + n, rights[n]);
		w.verdict.rights = READER;
		ck_assert_int_eq(begin(&rq), -ENOENT);
		ck_assert_uint_eq(w.records, n + 1);
		ck_assert_uint_eq(w.durable, n + 1);
		ck_assert_uint_eq(w.record[n].kind, POLICY_RECORD_REFUSED);
		/* The log knows the note by its own number. */
		ck_assert_uint_eq(w.record[n].note, 5);
		ck_assert_str_eq(w.record[n].detail, "open: ENOENT");
		w.verdict.rights = READER | POLICY_HISTORY;
		ck_assert_int_eq(begin(&rq), 0);
	}
	/* The right alone is not enough. */
	w.verdict.rights = POLICY_LIST | POLICY_HISTORY;
	rq = asks(VERSION, POLICY_READ);
	ck_assert_int_eq(begin(&rq), -EACCES);
	/* It opens nothing else, and notes need none of it. */
	rq = asks(5, POLICY_WRITE);
	ck_assert_int_eq(begin(&rq), -EACCES);
	w.verdict.rights = READER;
	ck_assert_int_eq(begin(&rq), 0);
}
END_TEST

START_TEST(open_version_is_cut_when_the_right_goes)
{
	struct fs_gate_request rq = asks(VERSION, POLICY_READ);
	uint32_t journals[4];

	rq.by_handle = true;
	w.verdict.rights = READER | POLICY_HISTORY;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(fs_gate_changed(gate, journals, 4), 0);
	w.verdict.rights = READER;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(fs_gate_changed(gate, journals, 4), 1);
	ck_assert_uint_eq(journals[0], 7);
	/* Closing it is let through. */
	rq = (struct fs_gate_request){.op = "flush",
				      .nodeid = fs_nodeid(7, VERSION),
				      .by_handle = true,
				      .drain = true,
				      .closes = true};
	ck_assert_int_eq(begin(&rq), 0);
}
END_TEST

START_TEST(nobody_changes_anything_under_history)
{
	struct fs_gate_request rq = asks(VERSION, POLICY_WRITE);

	w.verdict.rights = ~(uint32_t)POLICY_DRAFT;
	ck_assert_int_eq(begin(&rq), -EROFS);
	rq.rights = POLICY_READ | POLICY_WRITE;
	ck_assert_int_eq(begin(&rq), -EROFS);
	rq.rights = POLICY_LIST | POLICY_WRITE;
	rq.entries = true;
	ck_assert_int_eq(begin(&rq), -EROFS);
	/* A rename or link out of it or into it. */
	rq.nodeid2 = fs_nodeid(7, 5);
	ck_assert_int_eq(begin(&rq), -EROFS);
	rq.nodeid = fs_nodeid(7, 5);
	rq.nodeid2 = fs_nodeid(7, VERSION);
	ck_assert_int_eq(begin(&rq), -EROFS);
	/* Who may not see it is not told that it is there. */
	w.verdict.rights = READER;
	ck_assert_int_eq(begin(&rq), -ENOENT);
	/* Who may only read is told the same as who may write. */
	w.verdict.rights = POLICY_LIST | POLICY_READ | POLICY_HISTORY;
	rq = asks(VERSION, POLICY_WRITE);
	ck_assert_int_eq(begin(&rq), -EROFS);
}
END_TEST

START_TEST(version_is_copied_into_a_note_and_not_the_other_way)
{
	struct fs_gate_request rq = asks(VERSION, POLICY_READ | POLICY_WRITE);

	rq.op = "copy_file_range";
	rq.by_handle = true;
	rq.nodeid2 = fs_nodeid(7, 5);
	w.verdict.rights = READER | POLICY_HISTORY;
	ck_assert_int_eq(begin(&rq), 0);
	w.verdict.rights = POLICY_LIST | POLICY_READ | POLICY_HISTORY;
	ck_assert_int_eq(begin(&rq), -EACCES);
	w.verdict.rights = READER;
	ck_assert_int_eq(begin(&rq), -EACCES);
	w.verdict.rights = READER | POLICY_HISTORY;
	rq.nodeid = fs_nodeid(7, 5);
	rq.nodeid2 = fs_nodeid(7, VERSION);
	ck_assert_int_eq(begin(&rq), -EROFS);
}
END_TEST

START_TEST(looking_up_history_is_refused_durably_without_the_right)
{
	struct fs_gate_request rq = asks(FS_ROOT_INO, POLICY_LIST);
	struct fs_gate_pass pass;

	rq.op = "lookup";
	rq.name = ".history";
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_int_eq(fs_gate_history(gate, &rq, &pass), -ENOENT);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_uint_eq(w.durable, 1);
	ck_assert_str_eq(w.record[0].name, ".history");
	ck_assert_str_eq(w.record[0].detail, "lookup: ENOENT");
	fs_gate_end(&pass);
	w.verdict.rights |= POLICY_HISTORY;
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_int_eq(fs_gate_history(gate, &rq, &pass), 0);
	fs_gate_end(&pass);
	/* Not when the log can't be written either. */
	w.verdict.rights = READER;
	w.wait_rc = -EIO;
	rq.name2 = "another";
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_int_eq(fs_gate_history(gate, &rq, &pass), -EIO);
	fs_gate_end(&pass);
}
END_TEST

START_TEST(emergency_gives_no_earlier_versions)
{
	struct fs_gate_request rq = asks(VERSION, POLICY_READ);
	struct fs_gate_pass pass;

	w.grant_since_s = 1000;
	w.verdict.rights = POLICY_LIST | POLICY_READ | POLICY_DRAFT;
	ck_assert_int_eq(begin(&rq), -ENOENT);
	rq.rights = POLICY_WRITE;
	ck_assert_int_eq(begin(&rq), -ENOENT);
	rq = asks(FS_ROOT_INO, POLICY_LIST);
	rq.name = ".history";
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_int_eq(fs_gate_history(gate, &rq, &pass), -ENOENT);
	fs_gate_end(&pass);
}
END_TEST

START_TEST(intents_name_versions_by_the_note_s_own_number)
{
	struct fs_gate_request rq = asks(VERSION, POLICY_READ);

	w.verdict.rights = READER | POLICY_HISTORY;
	ck_assert_int_eq(fs_gate_cover(gate, &rq, VERSION, "plan.txt@1"), 0);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_uint_eq(w.record[0].kind, POLICY_RECORD_INTENT);
	ck_assert_uint_eq(w.note, 5);
	/* Covered is that version, not the note and not another. */
	ck_assert_int_eq(fs_gate_cover(gate, &rq, VERSION, "plan.txt@1"), 0);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_int_eq(fs_gate_cover(gate, &rq, VERSION + 1, "plan.txt@2"), 0);
	ck_assert_uint_eq(w.records, 2);
	ck_assert_int_eq(fs_gate_cover(gate, &rq, 5, "plan.txt"), 0);
	ck_assert_uint_eq(w.records, 3);
}
END_TEST

/* ---- session state ---- */

/* ---- under .policy ---- */

static struct fs_gate_request asks_policy(uint64_t ino)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	rq.nodeid = ino;
	rq.name = NULL;
	return rq;
}

START_TEST(everything_under_policy_asks_for_the_policy_right)
{
	struct fs_gate_request rq = asks_policy(2);
	struct fs_gate_pass pass;

	/* All other rights are none there. */
	w.verdict.rights = ~(uint32_t)POLICY_POLICY;
	for (uint64_t ino = 2; ino < 17; ino++) {
		rq = asks_policy(ino == 16 ? UINT64_C(0xffffffffff) : ino);
		rq.rights = ino % 2 ? POLICY_WRITE : 0;
		rq.by_handle = ino % 3 == 0;
		ck_assert_int_eq(begin(&rq), -EACCES);
		ck_assert_uint_eq(w.records, ino - 1);
		ck_assert_uint_eq(w.durable, ino - 1);
		ck_assert_uint_eq(w.record[ino - 2].kind, POLICY_RECORD_REFUSED);
		ck_assert_uint_eq(w.record[ino - 2].journal, 0);
		ck_assert_int_eq(fs_gate_again(gate, &rq, &pass), -EACCES);
	}
	w.verdict.rights = POLICY_POLICY;
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_uint_eq(pass.rights, POLICY_POLICY);
	ck_assert_ptr_null(pass.journal);
	ck_assert_ptr_null(pass.signer);
	ck_assert_int_eq(fs_gate_again(gate, &rq, &pass), 0);
	w.decide_rc = -EIO;
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

START_TEST(looking_up_policy_by_its_name_asks_too)
{
	struct fs_gate_request rq = asks_policy(1);

	rq.reveals = true;
	rq.name = ".policy";
	w.verdict.rights = POLICY_LIST;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_str_eq(w.record[0].name, ".policy");
	rq.name = ".policies";
	ck_assert_int_eq(begin(&rq), 0);
	rq.name = ".policy";
	w.verdict.rights = POLICY_POLICY;
	ck_assert_int_eq(begin(&rq), 0);
}
END_TEST

START_TEST(request_that_names_policy_second_asks_too)
{
	struct fs_gate_request rq = asks_policy(1);

	rq.nodeid2 = 2;
	w.verdict.rights = POLICY_LIST;
	ck_assert_int_eq(begin(&rq), -EACCES);
	w.verdict.rights = POLICY_POLICY;
	ck_assert_int_eq(begin(&rq), 0);
	/* Out of a journal or into one nothing goes. */
	rq.nodeid = fs_nodeid(7, 5);
	ck_assert_int_eq(begin(&rq), -EXDEV);
}
END_TEST

START_TEST(other_account_is_refused_under_policy_too)
{
	struct fs_gate_request rq = asks_policy(5);

	w.verdict.rights = POLICY_POLICY;
	rq.uid = UID + 1;
	ck_assert_int_eq(begin(&rq), -EACCES);
	atomic_store(&session.state, FS_SESSION_LOCKED);
	rq.uid = UID;
	ck_assert_int_eq(begin(&rq), -ENOKEY);
}
END_TEST

START_TEST(lost_policy_right_is_told_once_and_only_to_who_used_it)
{
	struct fs_gate_request rq = asks_policy(5);

	w.verdict.rights = 0;
	ck_assert(!fs_gate_policy_lost(gate));
	w.verdict.rights = POLICY_POLICY;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert(!fs_gate_policy_lost(gate));
	w.verdict.rights = 0;
	ck_assert(fs_gate_policy_lost(gate));
	ck_assert(!fs_gate_policy_lost(gate));
}
END_TEST

START_TEST(locked_session_answers_enokey_without_record)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	atomic_store(&session.state, FS_SESSION_LOCKED);
	rq.drain = rq.by_handle = true;
	ck_assert_int_eq(begin(&rq), -ENOKEY);
	atomic_store(&session.state, FS_SESSION_ENDED);
	ck_assert_int_eq(begin(&rq), -ENOKEY);
	ck_assert_uint_eq(w.records, 0);
	ck_assert_uint_eq(w.decided, 0);
}
END_TEST

START_TEST(draining_session_admits_only_writing_out)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);

	atomic_store(&session.state, FS_SESSION_DRAINING);
	ck_assert_int_eq(begin(&rq), -ENOKEY);
	rq.by_handle = true;
	ck_assert_int_eq(begin(&rq), -ENOKEY);
	rq.drain = true;
	ck_assert_int_eq(begin(&rq), 0);
}
END_TEST

START_TEST(session_past_its_ceiling_answers_enokey)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	session.ceiling_boot_ns = 1;
	ck_assert_int_eq(begin(&rq), -ENOKEY);
	session.ceiling_boot_ns = 0;
	session.ceiling_s = 1;
	ck_assert_int_eq(begin(&rq), -ENOKEY);
}
END_TEST

START_TEST(only_activity_keeps_a_session_awake)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(atomic_load(&session.active_ns), 0);
	rq.activity = true;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_ne(atomic_load(&session.active_ns), 0);
}
END_TEST

/* ---- log before light ---- */

static struct fs_gate_request looks(uint64_t dir)
{
	struct fs_gate_request rq = asks(dir, POLICY_LIST);

	rq.op = "lookup";
	rq.reveals = true;
	rq.dir = dir;
	return rq;
}

START_TEST(first_look_waits_for_an_intent_that_names_the_notes)
{
	struct fs_gate_request rq = looks(9);

	w.notes = 3;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_uint_eq(w.durable, 1);
	ck_assert_uint_eq(w.record[0].kind, POLICY_RECORD_INTENT);
	ck_assert_uint_eq(w.record[0].note, 9);
	ck_assert_uint_eq(w.record[0].note_count, 3);
	ck_assert_int_gt(w.record[0].until_ns, 0);
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_int_eq(fs_gate_cover(gate, &rq, 101, "x"), 0);
	ck_assert_uint_eq(w.records, 1);
}
END_TEST

START_TEST(intent_is_per_directory)
{
	struct fs_gate_request a = looks(9), b = looks(10);

	ck_assert_int_eq(begin(&a), 0);
	ck_assert_int_eq(begin(&b), 0);
	ck_assert_uint_eq(w.records, 2);
}
END_TEST

START_TEST(walk_over_directories_waits_less_and_less_often)
{
	uint64_t waited;

	w.notes = 2;
	w.dirs = 40;
	for (uint64_t dir = 50; dir < 90; dir++) {
		struct fs_gate_request rq = looks(dir);

		waited = w.waits;
		ck_assert_int_eq(begin(&rq), 0);
		/* What let it pass without a wait names it and is durable. */
		for (size_t n = 0; n < w.records; n++) {
			if (w.record[n].note == dir)
				waited = 0;
		}
		ck_assert_uint_eq(waited, 0);
		ck_assert_uint_eq(w.durable, w.records);
	}
	ck_assert_uint_eq(w.records, 40);
	ck_assert_uint_le(w.waits, 7);
}
END_TEST

START_TEST(single_directory_names_no_other)
{
	struct fs_gate_request rq = looks(60);

	w.dirs = 40;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_uint_eq(w.record[0].note, 60);
}
END_TEST

START_TEST(large_directory_is_split_over_records)
{
	struct fs_gate_request rq = looks(9);

	w.notes = NOTES_MAX;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_gt(w.records, 1);
	ck_assert_uint_eq(w.notes_named, NOTES_MAX);
	ck_assert_uint_le(w.largest, 32768);
	ck_assert_uint_eq(w.durable, w.records);
}
END_TEST

START_TEST(note_that_no_intent_names_gets_its_own_record)
{
	struct fs_gate_request rq = looks(9);

	w.notes = 1;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_int_eq(fs_gate_cover(gate, &rq, 555, "new.odt"), 0);
	ck_assert_uint_eq(w.records, 2);
	ck_assert_uint_eq(w.durable, 2);
	ck_assert_uint_eq(w.record[1].kind, POLICY_RECORD_INTENT);
	ck_assert_int_eq(fs_gate_cover(gate, &rq, 555, "new.odt"), 0);
	ck_assert_uint_eq(w.records, 2);
}
END_TEST

START_TEST(own_creation_is_covered_by_its_record)
{
	struct fs_gate_request rq = asks(9, POLICY_WRITE);
	struct fs_gate_pass pass;

	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	fs_gate_created(gate, &pass, 77, false);
	ck_assert_int_eq(fs_gate_cover(gate, &rq, 77, "mine"), 0);
	ck_assert_uint_eq(w.records, 0);
	fs_gate_end(&pass);
}
END_TEST

START_TEST(rights_changed_during_the_wait_cover_no_longer_than_the_record_says)
{
	struct fs_gate_request rq = looks(9);

	w.change_in_wait = true;
	ck_assert_int_eq(begin(&rq), 0);
	w.change_in_wait = false;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_int_eq(fs_gate_cover(gate, &rq, 555, "new.odt"), 0);
	ck_assert_uint_eq(w.records, 2);
	/* All that is covered ends together. */
	ck_assert_int_le(w.record[1].until_ns, w.record[0].until_ns);
}
END_TEST

START_TEST(unwritable_log_lets_nothing_through)
{
	struct fs_gate_request rq = looks(9);

	w.wait_rc = -EIO;
	ck_assert_int_eq(begin(&rq), -EIO);
	ck_assert_int_eq(fs_gate_cover(gate, &rq, 5, "x"), -EIO);
	w.wait_rc = 0;
	w.append_rc = -ENOSPC;
	ck_assert_int_eq(begin(&rq), -EIO);
	ck_assert_int_eq(fs_gate_cover(gate, &rq, 5, "x"), -EIO);
	w.append_rc = 0;
	ck_assert_int_eq(begin(&rq), 0);
}
END_TEST

START_TEST(unwritable_log_turns_refusals_into_eio)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);

	w.verdict.rights = 0;
	w.append_rc = -EIO;
	ck_assert_int_eq(begin(&rq), -EIO);
}
END_TEST

START_TEST(refusal_after_one_that_could_not_be_recorded_is_recorded)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);

	w.verdict.rights = 0;
	w.append_rc = -EIO;
	ck_assert_int_eq(begin(&rq), -EIO);
	w.append_rc = 0;
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 1);
	ck_assert_uint_eq(w.durable, 1);
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.records, 1);
}
END_TEST

START_TEST(access_revoked_during_the_wait_is_refused)
{
	struct fs_gate_request rq = looks(9);

	w.revoke_in_wait = true;
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

START_TEST(access_revoked_while_a_note_gets_its_record_is_refused)
{
	struct fs_gate_request rq = looks(9);

	ck_assert_int_eq(begin(&rq), 0);
	w.revoke_in_wait = true;
	ck_assert_int_eq(fs_gate_cover(gate, &rq, 555, "new.odt"), -EACCES);
}
END_TEST

START_TEST(session_locked_during_the_wait_is_refused)
{
	struct fs_gate_request rq = looks(9);

	w.lock_in_wait = true;
	ck_assert_int_eq(begin(&rq), -ENOKEY);
}
END_TEST

START_TEST(reset_forgets_what_was_covered)
{
	struct fs_gate_request rq = looks(9);

	ck_assert_int_eq(begin(&rq), 0);
	fs_gate_reset(gate);
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(w.records, 2);
}
END_TEST

START_TEST(strict_open_is_durable_at_once)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);
	const struct fs_gate_act act = {.kind = POLICY_RECORD_OPEN, .nodeid = rq.nodeid};
	struct fs_gate_pass pass;

	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_int_eq(fs_gate_record_open(gate, &pass, &rq, &act), 0);
	ck_assert_uint_eq(w.durable, 0);
	w.strict = true;
	ck_assert_int_eq(fs_gate_record_open(gate, &pass, &rq, &act), 0);
	ck_assert_uint_eq(w.durable, 2);
	fs_gate_end(&pass);
}
END_TEST

START_TEST(changed_rights_are_told_once_and_uncover)
{
	struct fs_gate_request rq = looks(9);
	uint32_t journals[4];

	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(fs_gate_changed(gate, journals, 4), 0);
	w.verdict.rights = POLICY_LIST;
	ck_assert_uint_eq(fs_gate_changed(gate, journals, 4), 1);
	ck_assert_uint_eq(journals[0], 7);
	ck_assert_uint_eq(fs_gate_changed(gate, journals, 4), 0);
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(w.records, 2);
}
END_TEST

/* ---- what mappings hold when the right to write goes ---- */

static struct fs_gate_request page(void)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);

	rq.by_handle = rq.drain = rq.mapped = true;
	return rq;
}

START_TEST(mapped_page_is_taken_just_after_the_right_to_write_went)
{
	struct fs_gate_request rq = page(), other = asks(5, POLICY_WRITE);
	struct fs_gate_pass pass;
	uint32_t journals[4];

	w.verdict.rights |= POLICY_WRITE;
	ck_assert_int_eq(begin(&rq), 0);
	w.verdict.rights = 0;
	w.verdict.visible = false;
	w.journal_rc = -EACCES; /* its key is not this session's any more */
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_ptr_eq(pass.journal, the_journal);
	ck_assert_ptr_nonnull(pass.signer);
	ck_assert_uint_eq(pass.rights, POLICY_WRITE);
	fs_gate_end(&pass);
	other.by_handle = true;
	ck_assert_int_eq(begin(&other), -EACCES);
	ck_assert_uint_eq(fs_gate_changed(gate, journals, 4), 1);
	ck_assert_int_eq(begin(&rq), 0);
}
END_TEST

START_TEST(mapped_page_is_refused_once_all_were_pushed_out)
{
	struct fs_gate_request rq = page();
	uint32_t journals[4];

	w.verdict.rights |= POLICY_WRITE;
	ck_assert_int_eq(begin(&rq), 0);
	w.verdict.rights &= ~(uint32_t)POLICY_WRITE;
	ck_assert_uint_eq(fs_gate_changed(gate, journals, 4), 1);
	fs_gate_drained(gate, 7);
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

START_TEST(mapped_page_is_refused_where_writing_was_never_allowed)
{
	struct fs_gate_request rq = page(), look = asks(5, POLICY_READ);

	w.verdict.rights = POLICY_READ | POLICY_LIST;
	ck_assert_int_eq(begin(&look), 0);
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

START_TEST(mapped_page_of_a_journal_that_nobody_holds_open_is_refused)
{
	struct fs_gate_request rq = page();

	w.verdict.rights |= POLICY_WRITE;
	ck_assert_int_eq(begin(&rq), 0);
	w.verdict.rights = 0;
	w.journal_rc = -ENOENT;
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

/* ---- emergency grants ---- */

/* The world of a grant that began at second 1000; the inode was made by practitioner 9. */
static void emergency(uint32_t author, int64_t made_s)
{
	w.verdict.rights = POLICY_LIST | POLICY_READ | POLICY_DRAFT;
	w.grant_since_s = 1000;
	session.pid = 9;
	w.inode.author = author;
	w.inode.writer = author;
	w.inode.btime.tv_sec = made_s;
}

START_TEST(emergency_reads_and_its_records_name_the_grant)
{
	struct fs_gate_request rq = asks(5, POLICY_READ);
	const struct fs_gate_act act = {.kind = POLICY_RECORD_OPEN, .nodeid = fs_nodeid(7, 5)};
	struct fs_gate_pass pass;

	emergency(1, 10);
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_int_eq(fs_gate_record(gate, &pass, &rq, &act), 0);
	ck_assert_uint_eq(w.record[0].grant, 31);
	ck_assert_str_eq(w.record[0].purpose, "BTG");
	fs_gate_end(&pass);
}
END_TEST

START_TEST(emergency_writes_what_was_made_under_it)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);
	struct fs_gate_pass pass;

	emergency(9, 1000);
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert_int_eq(pass.drafts_s, 1000);
	ck_assert_ptr_nonnull(pass.signer);
	ck_assert(fs_gate_draft(&pass, &w.inode));
	fs_gate_end(&pass);
}
END_TEST

START_TEST(emergency_writes_nobody_elses_note_and_no_older_one)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);

	emergency(8, 2000);
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.durable, 1);
	ck_assert_uint_eq(w.record[0].kind, POLICY_RECORD_REFUSED);
	emergency(9, 999);
	ck_assert_int_eq(begin(&rq), -EACCES);
	/* Begun under the grant, and somebody else has written in it since. */
	emergency(9, 2000);
	w.inode.writer = 8;
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

START_TEST(emergency_copies_into_its_own_note_only)
{
	struct fs_gate_request rq = asks(5, POLICY_READ | POLICY_WRITE);

	rq.nodeid2 = fs_nodeid(7, 6);
	emergency(8, 2000);
	ck_assert_int_eq(begin(&rq), -EACCES);
	ck_assert_uint_eq(w.inode.ino, 6);
	emergency(9, 2000);
	ck_assert_int_eq(begin(&rq), 0);
}
END_TEST

START_TEST(emergency_lets_make_entries_and_leaves_the_others_to_who_finds_them)
{
	struct fs_gate_request rq = asks(1, POLICY_LIST | POLICY_WRITE);
	struct fs_gate_pass pass;

	rq.entries = true;
	emergency(8, 10);
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert(!fs_gate_draft(&pass, &w.inode));
	fs_gate_end(&pass);
}
END_TEST

START_TEST(emergency_gives_no_other_right)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE | POLICY_FINALIZE);

	emergency(9, 2000);
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

START_TEST(draft_right_without_a_grant_is_none)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);

	emergency(9, 2000);
	w.grant_since_s = 0;
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

START_TEST(who_may_write_by_policy_is_not_limited_to_drafts)
{
	struct fs_gate_request rq = asks(5, POLICY_WRITE);
	struct fs_gate_pass pass;

	emergency(8, 10);
	w.verdict.rights |= POLICY_WRITE;
	ck_assert_int_eq(fs_gate_begin(gate, &rq, &pass), 0);
	ck_assert(fs_gate_draft(&pass, &w.inode));
	fs_gate_end(&pass);
}
END_TEST

START_TEST(mapped_page_of_a_draft_is_taken_for_a_moment_after_the_end)
{
	struct fs_gate_request rq = page();
	uint32_t journals[4];

	emergency(9, 2000);
	ck_assert_int_eq(begin(&rq), 0);
	w.verdict.rights = 0;
	w.grant_since_s = 0;
	ck_assert_int_eq(begin(&rq), 0);
	ck_assert_uint_eq(fs_gate_changed(gate, journals, 4), 1);
	fs_gate_drained(gate, 7);
	ck_assert_int_eq(begin(&rq), -EACCES);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs/gate");
	TCase *door = tcase_create("door"), *light = tcase_create("log before light"),
	      *btg = tcase_create("emergency");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(door, set_up, tear_down);
	tcase_add_checked_fixture(light, set_up, tear_down);
	tcase_add_checked_fixture(btg, set_up, tear_down);
	tcase_add_test(door, request_with_rights_passes);
	tcase_add_test(door, reading_request_gets_no_signer);
	tcase_add_test(door, refusal_is_durable_before_it_returns);
	tcase_add_test(door, refusals_that_repeat_are_counted);
	tcase_add_test(door, many_different_refusals_lose_none);
	tcase_add_test(door, invisible_journal_refuses_even_without_rights_asked);
	tcase_add_test(door, visible_journal_without_rights_passes_without_journal);
	tcase_add_test(door, waiting_key_refuses_what_needs_it);
	tcase_add_test(door, failed_decision_denies);
	tcase_add_test(door, damaged_journal_answers_eio);
	tcase_add_test(door, other_account_is_refused_but_not_by_handle);
	tcase_add_test(door, two_journals_in_one_request_are_exdev);
	tcase_add_test(door, everything_under_history_asks_for_the_right_history);
	tcase_add_test(door, open_version_is_cut_when_the_right_goes);
	tcase_add_test(door, nobody_changes_anything_under_history);
	tcase_add_test(door, version_is_copied_into_a_note_and_not_the_other_way);
	tcase_add_test(door, looking_up_history_is_refused_durably_without_the_right);
	tcase_add_test(door, emergency_gives_no_earlier_versions);
	tcase_add_test(door, intents_name_versions_by_the_note_s_own_number);
	tcase_add_test(door, everything_under_policy_asks_for_the_policy_right);
	tcase_add_test(door, looking_up_policy_by_its_name_asks_too);
	tcase_add_test(door, request_that_names_policy_second_asks_too);
	tcase_add_test(door, other_account_is_refused_under_policy_too);
	tcase_add_test(door, lost_policy_right_is_told_once_and_only_to_who_used_it);
	tcase_add_test(door, locked_session_answers_enokey_without_record);
	tcase_add_test(door, draining_session_admits_only_writing_out);
	tcase_add_test(door, session_past_its_ceiling_answers_enokey);
	tcase_add_test(door, only_activity_keeps_a_session_awake);
	tcase_add_test(door, mapped_page_is_taken_just_after_the_right_to_write_went);
	tcase_add_test(door, mapped_page_is_refused_once_all_were_pushed_out);
	tcase_add_test(door, mapped_page_is_refused_where_writing_was_never_allowed);
	tcase_add_test(door, mapped_page_of_a_journal_that_nobody_holds_open_is_refused);
	tcase_add_test(light, first_look_waits_for_an_intent_that_names_the_notes);
	tcase_add_test(light, intent_is_per_directory);
	tcase_add_test(light, walk_over_directories_waits_less_and_less_often);
	tcase_add_test(light, single_directory_names_no_other);
	tcase_add_test(light, large_directory_is_split_over_records);
	tcase_add_test(light, note_that_no_intent_names_gets_its_own_record);
	tcase_add_test(light, own_creation_is_covered_by_its_record);
	tcase_add_test(light, rights_changed_during_the_wait_cover_no_longer_than_the_record_says);
	tcase_add_test(light, unwritable_log_lets_nothing_through);
	tcase_add_test(light, unwritable_log_turns_refusals_into_eio);
	tcase_add_test(light, refusal_after_one_that_could_not_be_recorded_is_recorded);
	tcase_add_test(light, access_revoked_during_the_wait_is_refused);
	tcase_add_test(light, access_revoked_while_a_note_gets_its_record_is_refused);
	tcase_add_test(light, session_locked_during_the_wait_is_refused);
	tcase_add_test(light, reset_forgets_what_was_covered);
	tcase_add_test(light, strict_open_is_durable_at_once);
	tcase_add_test(light, changed_rights_are_told_once_and_uncover);
	tcase_add_test(btg, emergency_reads_and_its_records_name_the_grant);
	tcase_add_test(btg, emergency_writes_what_was_made_under_it);
	tcase_add_test(btg, emergency_writes_nobody_elses_note_and_no_older_one);
	tcase_add_test(btg, emergency_copies_into_its_own_note_only);
	tcase_add_test(btg, emergency_lets_make_entries_and_leaves_the_others_to_who_finds_them);
	tcase_add_test(btg, emergency_gives_no_other_right);
	tcase_add_test(btg, draft_right_without_a_grant_is_none);
	tcase_add_test(btg, who_may_write_by_policy_is_not_limited_to_drafts);
	tcase_add_test(btg, mapped_page_of_a_draft_is_taken_for_a_moment_after_the_end);
	suite_add_tcase(s, door);
	suite_add_tcase(s, btg);
	suite_add_tcase(s, light);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
