#!/bin/bash
# What POSIX and Linux promise beyond single calls: large, deep, sparse, removed, shared between practitioners.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

NAME='010190-1234 Hansen, Anna'
D='' B='' # the journal in anna's mount, in bo's
posix() { as anna "$PROBES/posix" "$@"; }
gone() { unmounted "$1"; }
used() { du -sk "$VAULT/containers" | cut -f 1; }
used_below() { [ "$(used)" -lt "$1" ]; }

t_10000_entries_keep_their_cookies_while_others_come_and_go() { posix bigdir "$D/big" 10000; }
t_names_of_255_bytes_of_anything() { as anna mkdir "$D/names" && posix names "$D/names"; }
t_paths_deeper_than_path_max() { posix deep "$D"; }
t_a_tebibyte_of_holes() { posix sparse "$D/sparse"; }
t_what_is_refused_is_refused_by_the_right_errno() { posix refusals "$D"; }
t_times_set_by_hand_outlive_flush_fsync_and_commit() { posix times "$D/times"; }
t_writes_and_truncates_at_once_lose_nothing() { posix race "$D/race"; }
t_file_without_a_name_gets_one() { posix tmpfile "$D"; }
t_running_programs_are_not_written() { posix textbusy "$D" "$(command -v sleep)"; }
t_closed_directory_hides_what_is_below() { posix closed "$D"; }

append_both() { # FILE open|fcntl: anna and bo at once; how bo comes to append
	local p
	as anna touch "$D/$1" || return 1
	wait_for 5 as bo test -w "$B/$1" || fail "bo does not see it" || return 1
	posix appends "$D/$1" anna 1500 open &
	p=$!
	as bo "$PROBES/posix" appends "$B/$1" bo 1500 "$2" || return 1
	wait $p
}

t_appends_of_two_practitioners_lose_and_tear_nothing() {
	append_both appended open || return 1
	posix appended "$D/appended" 1500 anna bo && as bo "$PROBES/posix" appended "$B/appended" 1500 anna bo
}

# The kernel sends such writes page by page, so records may be split by the other's; no byte goes, and both see the same.
t_appending_set_by_fcntl_loses_nothing() {
	append_both later fcntl || return 1
	as anna sh -c "touch local && '$PROBES/posix' appends local anna 1500 open && '$PROBES/posix' appends local bo 1500 open" || return 1
	[ "$(as anna cat "$D/later" | fold -w 1 | sort | uniq -c)" = "$(fold -w 1 "$ROOT/home/anna/local" | sort | uniq -c)" ] ||
		fail "other bytes than were written" || return 1
	[ "$(as anna cat "$D/later" | md5sum)" = "$(as bo cat "$B/later" | md5sum)" ] ||
		fail "the two mounts show other bytes"
}

t_modes_bind_who_may_write_but_hide_nothing_from_readers() {
	as anna sh -c "echo closed >'$D/closed' && chmod 0 '$D/closed'" || return 1
	expect_errno EACCES as anna cat "$D/closed" || return 1
	expect_errno EACCES as bo cat "$B/closed" || return 1
	jfs dan policy show "$NAME" | sed 's/user:bo:rwx/user:bo:r-x/' | put_policy dan "$NAME" || return 1
	wait_for 5 as bo cat "$B/closed" || fail "a reader is locked out by a mode" || return 1
	[ "$(as bo stat -c %a "$B/closed")" = 400 ] || fail "mode $(as bo stat -c %a "$B/closed")" || return 1
	jfs dan policy show "$NAME" | sed 's/user:bo:r-x/user:bo:rwx/' | put_policy dan "$NAME" || return 1
	as anna chmod 644 "$D/closed" && as anna cat "$D/closed"
}

t_statfs_tells_what_the_disk_has() {
	local total free avail size names disk_total disk_avail
	read -r total free avail size names < <(as anna stat -f -c '%b %f %a %S %l' "$D")
	read -r disk_total disk_avail < <(stat -f -c '%b %a' "$VAULT")
	local disk_size
	disk_size=$(stat -f -c %S "$VAULT")
	[ "$names" = 255 ] || fail "names of $names bytes" || return 1
	# Other programs use the disk meanwhile: a twentieth of it.
	local slack=$((disk_total * disk_size / 20))
	[ $((avail * size)) -le $((disk_avail * disk_size + slack)) ] || fail "more free than the disk has" || return 1
	[ $((avail * size + slack)) -ge $((disk_avail * disk_size)) ] || fail "less free than the disk has" || return 1
	[ $((total * size)) -le $((disk_total * disk_size)) ] && [ "$free" -le "$total" ] || fail "larger than the disk"
}

t_unlinked_file_lives_while_others_come_and_go() {
	as anna touch "$D/lives" || return 1
	coproc HOLD { posix orphan "$D/lives" keep; }
	local word rc=0
	read -r -t 30 word <&"${HOLD[0]}"
	wait_for 5 as bo test -s "$B/lives" || { fail "bo does not see it"; rc=1; }
	as bo rm "$B/lives" || rc=1
	logout bo && login bo || rc=1
	echo >&"${HOLD[1]}"
	read -r -t 30 word <&"${HOLD[0]}"
	[ "$word" = ok ] || { fail "after bo came back: $word"; rc=1; }
	as bo test ! -e "$B/lives" || { fail "the name is back"; rc=1; }
	eval "exec ${HOLD[1]}>&-"
	wait "$HOLD_PID" 2>/dev/null
	return $rc
}

# Under the name of a swap file: a note would be kept though it was removed.
t_file_without_a_name_goes_after_a_crash() {
	local before word rc=0
	as anna sync "$D" || return 1
	before=$(used)
	coproc HOLD { posix orphan "$D/.crashed.txt.swp" unlink; }
	read -r -t 30 word <&"${HOLD[0]}"
	[ "$word" = ready ] || { fail "$word"; rc=1; }
	[ "$(used)" -ge $((before + 8000)) ] || { fail "its contents are not on the disk: $(used) after $before"; rc=1; }
	kill -9 "$DAEMON"
	wait "$DAEMON" 2>/dev/null
	eval "exec ${HOLD[1]}>&-"
	wait "$HOLD_PID" 2>/dev/null
	wait_for 10 gone anna && wait_for 10 gone bo || { fail "still mounted"; rc=1; }
	start_daemon && login anna && login bo || return 1
	as anna sh -c "echo after >'$D/after' && sync '$D/after'" || return 1
	wait_for 20 used_below $((before + 1000)) || { fail "$(used) KiB, $before before the crash"; rc=1; }
	return $rc
}

t_hard_links_and_tar_survive_a_restart() {
	as anna sh -c "cd '$D' && mkdir links && echo one >links/a && ln links/a links/b && ln links/b links/c && mkfifo links/pipe &&
		ln -s a links/soft && chmod 2750 links && tar -cf '$ROOT/home/anna/links.tar' links" || return 1
	logout anna && stop_daemon && start_daemon && login anna && login bo || return 1
	as anna sh -c "cd '$D' && tar -df '$ROOT/home/anna/links.tar' && [ \$(stat -c %h links/c) = 3 ] && [ links/a -ef links/c ] &&
		[ -p links/pipe ] && [ \$(stat -c %a links) = 2750 ] && [ \$(readlink links/soft) = a ]"
}

need_root
clinic && login anna && login bo || { echo "FAIL posix: set-up"; exit 1; }
D="$(J anna)/$NAME" B="$(J bo)/$NAME"
as anna mkdir "$D"
{ jfs dan policy show "$NAME"; echo 'allow user:bo:rwx reason "shares the care"'; } | put_policy dan "$NAME" ||
	{ echo "FAIL posix: policy"; exit 1; }
wait_for 10 as bo test -w "$B" || { echo "FAIL posix: bo was not admitted"; exit 1; }
run_tests
