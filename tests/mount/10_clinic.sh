#!/bin/bash
# A clinic end to end: who sees which journals, what is refused, what the log says.
# SPDX-License-Identifier: Apache-2.0
SLOW_KEYS=1 # passphrases as people have them
. "$(dirname "$0")/lib.sh"

no_agent() { [ -z "$(procs "$1" journalfs-agent)" ]; }
HANSEN='010190-1234 Hansen, Anna'

t_login_mounts_own_directory() {
	login anna && login bo && login eva || return 1
	mounted anna && mounted bo && mounted eva
}

t_mkdir_makes_journal_and_note_is_kept() {
	as anna mkdir "$(J anna)/$HANSEN" || return 1
	as anna sh -c "echo 'the secret finding' >'$(J anna)/$HANSEN/note.txt'" || return 1
	[ "$(as anna cat "$(J anna)/$HANSEN/note.txt")" = 'the secret finding' ]
}

t_only_admitted_practitioners_see_the_journal() {
	[ "$(as anna ls "$(J anna)")" = "$HANSEN" ] || return 1
	[ -z "$(as eva ls "$(J eva)")" ] || fail "eva sees it" || return 1
	expect_errno ENOENT as eva ls "$(J eva)/$HANSEN"
	expect_errno ENOENT as eva cat "$(J eva)/$HANSEN/note.txt"
}

t_same_unit_lists_but_does_not_open() {
	[ "$(as bo ls "$(J bo)")" = "$HANSEN" ] || return 1
	expect_errno EACCES as bo ls "$(J bo)/$HANSEN"
}

t_refusals_stand_in_the_log() {
	audit --who eva | grep -i refused | grep -q "$HANSEN" || fail "no refusal of eva" || return 1
	audit --who bo | grep -i refused | grep -q "$HANSEN" || fail "no refusal of bo"
}

t_steward_admits_by_editing_the_journals_policy() {
	jfs dan policy show "$HANSEN" >"$ROOT/j.policy" || return 1
	{ cat "$ROOT/j.policy"; echo 'allow user:bo:rwx reason "shares the care"'; } | put_policy dan "$HANSEN" || return 1
	wait_for 10 as bo test -r "$(J bo)/$HANSEN/note.txt" || fail "bo was not admitted" || return 1
	[ "$(as bo cat "$(J bo)/$HANSEN/note.txt")" = 'the secret finding' ]
}

t_two_practitioners_write_in_one_journal() {
	as bo sh -c "echo 'seen by bo' >>'$(J bo)/$HANSEN/note.txt'" || return 1
	as anna grep -q 'seen by bo' "$(J anna)/$HANSEN/note.txt" || fail "anna does not see bo's line" || return 1
	as anna sh -c "echo 'third line' >>'$(J anna)/$HANSEN/note.txt'" || return 1
	as bo grep -q 'third line' "$(J bo)/$HANSEN/note.txt" || return 1
	[ "$(as bo wc -l <"$(J bo)/$HANSEN/note.txt" 2>/dev/null || as bo sh -c "wc -l <'$(J bo)/$HANSEN/note.txt'")" -eq 3 ]
}

t_new_names_appear_in_the_other_mount() {
	as anna touch "$(J anna)/$HANSEN/a-new-one" || return 1
	wait_for 3 as bo test -e "$(J bo)/$HANSEN/a-new-one" || fail "name not seen" || return 1
	as bo rm "$(J bo)/$HANSEN/a-new-one" || return 1
	wait_for 3 as anna test ! -e "$(J anna)/$HANSEN/a-new-one"
}

t_kept_listing_is_dropped_though_its_time_was_set_back() {
	as anna mkdir "$(J anna)/$HANSEN/visits" && as anna touch "$(J anna)/$HANSEN/visits/one" || return 1
	as bo ls "$(J bo)/$HANSEN/visits" >/dev/null && as bo ls "$(J bo)/$HANSEN/visits" | grep -qx one || return 1
	as anna sh -c 'cd "$1" && touch -r . /tmp/jft-time.$$ && touch two && touch -r /tmp/jft-time.$$ . && rm /tmp/jft-time.$$' \
		sh "$(J anna)/$HANSEN/visits" || return 1
	wait_for 3 as bo sh -c "ls '$(J bo)/$HANSEN/visits' | grep -qx two" ||
		fail "bo's kernel shows an old listing" || return 1
	as anna rm -r "$(J anna)/$HANSEN/visits"
}

t_root_and_others_are_kept_out_by_the_kernel() {
	expect_errno EACCES ls "$(J anna)"
	chmod 755 "$ROOT/home/anna"
	expect_errno EACCES as eva ls "$(J anna)"
	expect_errno EACCES cat "$(J anna)/$HANSEN/note.txt"
}

t_steward_cannot_read() {
	as dan ls "$(J dan)" | grep -qF "$HANSEN" || fail "the steward should see the name" || return 1
	expect_errno EACCES as dan ls "$(J dan)/$HANSEN"
}

t_mode_bits_say_what_the_viewer_may() {
	jfs dan policy show "$HANSEN" | sed 's/user:bo:rwx/user:bo:r-x/' | put_policy dan "$HANSEN" || return 1
	sleep 1
	as bo test -r "$(J bo)/$HANSEN/note.txt" || fail "not readable" || return 1
	as bo stat -c %A "$(J bo)/$HANSEN/note.txt" | grep -q '^-r-' || fail "mode $(as bo stat -c %A "$(J bo)/$HANSEN/note.txt")" || return 1
	expect_errno EACCES as bo sh -c "echo no >>'$(J bo)/$HANSEN/note.txt'"
	as anna stat -c %A "$(J anna)/$HANSEN/note.txt" | grep -q '^-rw' || fail "anna may not write"
}

t_block_overrides() {
	{ jfs dan policy show "$HANSEN"; echo 'block user:bo'; } | put_policy dan "$HANSEN" || return 1
	sleep 1
	expect_errno 'denied\|No such file' as bo cat "$(J bo)/$HANSEN/note.txt"
	jfs dan policy show "$HANSEN" | grep -v '^block' | sed 's/user:bo:r-x/user:bo:rwx/' | put_policy dan "$HANSEN"
	wait_for 5 as bo cat "$(J bo)/$HANSEN/note.txt"
}

t_policy_change_cuts_open_files() {
	coproc HOLD { as bo "$PROBES/probe" hold "$(J bo)/$HANSEN/note.txt" r; }
	local word rc=0
	read -r -t 10 word <&"${HOLD[0]}"
	echo r >&"${HOLD[1]}"
	read -r -t 10 word <&"${HOLD[0]}"
	[ "$word" = ok ] || { fail "first read: $word"; rc=1; }
	jfs dan policy show "$HANSEN" | grep -v 'user:bo' | put_policy dan "$HANSEN" || rc=1
	sleep 1
	echo r >&"${HOLD[1]}"
	read -r -t 10 word <&"${HOLD[0]}"
	[ "$word" = EACCES ] || { fail "read after revocation: $word"; rc=1; }
	eval "exec ${HOLD[1]}>&-"
	wait "$HOLD_PID" 2>/dev/null
	{ jfs dan policy show "$HANSEN"; echo 'allow user:bo:rwx'; } | put_policy dan "$HANSEN" || rc=1
	return $rc
}

t_nothing_crosses_journals() {
	as anna mkdir "$(J anna)/020202-2222 Jensen" || return 1
	expect_errno EXDEV as anna ln "$(J anna)/$HANSEN/note.txt" "$(J anna)/020202-2222 Jensen/linked"
	as anna "$PROBES/probe" unlinked "$(J anna)/$HANSEN/passing" || return 1
	as anna mv "$(J anna)/$HANSEN/note.txt" "$(J anna)/020202-2222 Jensen/" || fail "mv copies between journals" || return 1
	as anna mv "$(J anna)/020202-2222 Jensen/note.txt" "$(J anna)/$HANSEN/"
}

t_only_journals_live_at_the_root() {
	expect_errno 'Operation not permitted\|Permission denied' as anna touch "$(J anna)/loose-file"
	expect_errno 'Operation not permitted\|Permission denied' as anna mkdir "$(J anna)/.Trash-1000"
	expect_errno 'File exists\|Permission\|not permitted' as eva mkdir "$(J eva)/$HANSEN"
}

t_journal_is_renamed_and_removed_only_while_empty() {
	as anna mkdir "$(J anna)/030303-3333 Temporary" || return 1
	as anna touch "$(J anna)/030303-3333 Temporary/n" || return 1
	expect_errno 'not empty\|not permitted' as anna rmdir "$(J anna)/030303-3333 Temporary"
	as anna mv "$(J anna)/030303-3333 Temporary" "$(J anna)/030303-3333 Renamed" || return 1
	as anna test -e "$(J anna)/030303-3333 Renamed/n" || return 1
	as anna rm "$(J anna)/030303-3333 Renamed/n" && as anna rmdir "$(J anna)/030303-3333 Renamed" || return 1
	! as anna test -e "$(J anna)/030303-3333 Renamed"
}

t_journal_under_a_hold_stays() {
	local kept='040404-4444 Kept'
	as anna mkdir "$(J anna)/$kept" || return 1
	{ jfs dan policy show "$kept"; echo 'hold "case 7"'; } | put_policy dan "$kept" || return 1
	expect_errno 'not permitted' as anna rmdir "$(J anna)/$kept" || return 1
	audit --who anna | grep -i refused | grep -q 'under a hold' || fail "not in the log" || return 1
	jfs dan policy show "$kept" | grep -v '^hold' | put_policy dan "$kept" || return 1
	as anna rmdir "$(J anna)/$kept"
}

t_lock_answers_enokey_and_unlock_brings_descriptors_back() {
	coproc HOLD { as anna "$PROBES/probe" hold "$(J anna)/$HANSEN/note.txt" w; }
	local word rc=0
	read -r -t 10 word <&"${HOLD[0]}"
	jfs anna lock || rc=1
	echo r >&"${HOLD[1]}"
	read -r -t 10 word <&"${HOLD[0]}"
	[ "$word" = ENOKEY ] || { fail "read while locked: $word"; rc=1; }
	expect_errno ENOKEY as anna ls "$(J anna)" || rc=1
	as bo cat "$(J bo)/$HANSEN/note.txt" >/dev/null || { fail "bo was disturbed"; rc=1; }
	jfs anna unlock --passphrase-fd 9 9< <(pass_of anna) || rc=1
	echo r >&"${HOLD[1]}"
	read -r -t 10 word <&"${HOLD[0]}"
	[ "$word" = ok ] || { fail "read after unlock: $word"; rc=1; }
	echo w >&"${HOLD[1]}"
	read -r -t 10 word <&"${HOLD[0]}"
	[ "$word" = ok ] || { fail "write after unlock: $word"; rc=1; }
	eval "exec ${HOLD[1]}>&-"
	wait "$HOLD_PID" 2>/dev/null
	return $rc
}

t_log_names_notes_opened_after_an_unlock() {
	jfs anna lock && jfs anna unlock --passphrase-fd 9 9< <(pass_of anna) || return 1
	as anna cat "$(J anna)/$HANSEN/note.txt" >/dev/null || return 1
	audit --who anna --since -1m | grep ' opened ' | tail -n 1 | grep -q 'note.txt' || fail "$(audit --who anna --since -1m | tail -n 4)"
}

t_logout_cuts_open_files_and_mappings() {
	coproc HOLD { as bo "$PROBES/probe" holdmap "$(J bo)/$HANSEN/note.txt"; }
	local word rc=0
	read -r -t 10 word <&"${HOLD[0]}"
	logout bo || rc=1
	echo r >&"${HOLD[1]}"
	read -r -t 10 word <&"${HOLD[0]}"
	[ "$word" = SIGBUS ] || { fail "mapping after logout: $word"; rc=1; }
	eval "exec ${HOLD[1]}>&-"
	wait "$HOLD_PID" 2>/dev/null
	unmounted bo || { fail "still mounted"; rc=1; }
	return $rc
}

t_nothing_is_written_in_clear_where_the_mount_was() {
	login bo || return 1
	umount -l "$(J bo)" # as after a crash; the agent sees the session end
	expect_errno EACCES as bo touch "$(J bo)/in-clear" || return 1
	wait_for 10 no_agent bo || fail "the agent stays" || return 1
	expect_errno EACCES as bo touch "$(J bo)/in-clear" || return 1
	login bo && logout bo || return 1
	expect_errno EACCES as bo touch "$(J bo)/in-clear"
}

t_wrong_passphrase_is_refused_logged_and_slowed() {
	local i out=
	# Stretching takes a second where the machine is slow, as long as the first delay.
	for i in 1 2 3 4 5 6; do
		out+=$(jfs bo login --passphrase-fd 9 9< <(echo 'not the passphrase') 2>&1) && return 1
	done
	grep -qiE 'wait|again in|second' <<<"$out" || fail "no back-off: $out" || return 1
	audit --who bo | grep -qi refused || fail "not in the log" || return 1
	# Somebody else's account is not slowed, nor locked out by it.
	logout eva && login eva
}

t_one_account_cannot_log_in_as_another() {
	as eva mkdir -p "$ROOT/home/eva/other"
	expect_errno 'account\|yours' as eva "$JFS" login --vault "$ROOT/clinic.conf" --as anna --passphrase-fd 9 "$ROOT/home/eva/other" 9< <(pass_of anna)
}

t_left_ends_the_session_at_once() {
	practice_policy | sed '/practitioner eva/s/$/ left/' | put_policy dan practice || return 1
	wait_for 5 unmounted eva || fail "eva's mount stays" || return 1
	expect_errno 'left\|ended\|leave' login eva
}

t_status_tells_and_hides() {
	jfs dan status | grep -q 'anna' || fail "the steward sees who is logged in" || return 1
	jfs anna status | grep -q 'dan' && fail "anna sees others' sessions" && return 1
	jfs dan status --json | grep -q '"policy_version"'
}

t_audit_filters_and_json() {
	audit --journal "$HANSEN" --who anna --json | head -n 3 | grep -q '"journal"' || fail "no JSON" || return 1
	audit --since -1m >/dev/null || return 1
	[ -z "$(audit --until 2020-01-01 --json)" ] || fail "filter by time" || return 1
	expect_errno 'right\|audit' jfs anna audit show
}

t_vault_and_daemon_output_show_no_plaintext() {
	logout anna
	stop_daemon || fail "the daemon did not stop cleanly" || return 1
	for w in Hansen 010190 'secret finding' Jensen note.txt 'five otters' 'Klinik Nord' 'shares the care'; do
		if grep -rqaF "$w" "$ROOT/disk/" "$ROOT/daemon.log"; then
			fail "'$w' stands in clear in: $(grep -rlaF "$w" "$ROOT/disk/" "$ROOT/daemon.log" | head -3)"
			return 1
		fi
	done
}

t_restarted_everything_is_there() {
	start_daemon && login anna || return 1
	as anna grep -q 'secret finding' "$(J anna)/$HANSEN/note.txt" || return 1
	login dan && audit --who anna | grep -q "$HANSEN"
}

need_root
clinic || { echo "FAIL clinic: set-up"; cat "$ROOT/daemon.log"; exit 1; }
run_tests
