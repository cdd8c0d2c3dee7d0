#!/bin/bash
# Two practitioners edit one note, each with the editor of their own, each in the own mount.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

ONE='010190-1234 Hansen, Anna'
A='' B='' # the journal in anna's and in bo's mount

needs() { # PROGRAM...
	local p
	for p in "$@"; do
		command -v "$p" >/dev/null || { echo "$p is missing"; return 77; }
	done
}

edit() { # NAME COMMANDS: an editor under expect, in the journal
	as "$1" env -i PATH="$PATH" HOME="$ROOT/home/$1" TERM=vt100 expect -c "set timeout 30; cd \"$(J "$1")/$ONE\"; $2"
}

t_second_vim_is_warned_by_the_first_ones_swap_file() {
	needs expect vim.tiny || return
	as anna sh -c "echo 'first line' >'$A/vim.txt'" || return 1
	edit anna 'spawn vim.tiny -u NONE -N --cmd "set swapfile" vim.txt
		expect "first line"; send "oanna is typing\x1b"; exec touch ready; while {![file exists leave]} {after 100}
		send ":wq\r"; expect eof' >"$ROOT/anna.out" 2>&1 &
	local anna=$! rc=0
	wait_for 20 as bo test -e "$B/.vim.txt.swp" || { fail "bo does not see the swap file"; rc=1; }
	edit bo 'spawn vim.tiny -u NONE -N --cmd "set swapfile" vim.txt
		expect {-re "E325|ATTENTION|swap file" {puts WARNED} timeout {exit 1}}; send "q"; expect eof' >"$ROOT/bo.out" 2>&1
	grep -q WARNED "$ROOT/bo.out" || { fail "bo is not warned: $(tail -n 3 "$ROOT/bo.out")"; rc=1; }
	as anna touch "$A/leave"
	wait "$anna"
	as bo grep -q 'anna is typing' "$B/vim.txt" || { fail "bo does not see what anna saved"; rc=1; }
	! as bo test -e "$B/.vim.txt.swp" || { fail "the swap file stays"; rc=1; }
	as anna rm -f "$A/leave" "$A/ready"
	return $rc
}

t_second_nano_is_warned_by_the_first_ones_lock_file() {
	needs expect nano || return
	as anna sh -c "echo 'first line' >'$A/nano.txt'" || return 1
	edit anna 'spawn nano --ignorercfiles --locking nano.txt
		expect "first line"; while {![file exists leave]} {after 100}; send "\x18"; expect eof' >"$ROOT/anna.out" 2>&1 &
	local anna=$! rc=0
	wait_for 20 as bo test -e "$B/.nano.txt.swp" || { fail "bo does not see the lock file"; rc=1; }
	edit bo 'spawn nano --ignorercfiles --locking nano.txt
		expect {-re "being edited|open anyway" {puts WARNED} timeout {exit 1}}; send "\x03"; sleep 1; send "\x18"' >"$ROOT/bo.out" 2>&1
	grep -q WARNED "$ROOT/bo.out" || { fail "bo is not warned: $(tail -n 3 "$ROOT/bo.out")"; rc=1; }
	as anna touch "$A/leave"
	wait "$anna"
	as anna rm -f "$A/leave"
	return $rc
}

# LibreOffice makes .~lock.NAME# exclusively and reads who holds it.
t_lock_file_of_an_office_program_is_made_by_one_only() {
	local k won first
	for k in $(seq 20); do
		as anna sh -c "set -C; echo ',anna' >'$A/.~lock.letter$k.odt#'" 2>/dev/null &
		first=$!
		as bo sh -c "set -C; echo ',bo' >'$B/.~lock.letter$k.odt#'" 2>/dev/null && won=,bo || won=,anna
		wait $first && won=,anna$([ $won = ,bo ] && echo ' and bo')
		[ "$(as anna cat "$A/.~lock.letter$k.odt#")" = "$won" ] && [ "$(as bo cat "$B/.~lock.letter$k.odt#")" = "$won" ] ||
			fail "round $k: $won made it, it reads $(as anna cat "$A/.~lock.letter$k.odt#")" || return 1
		as anna rm "$A/.~lock.letter$k.odt#" || return 1
		as bo test -e "$B/.~lock.letter$k.odt#" && fail "bo still sees a lock that is gone" && return 1
	done
	return 0
}

t_save_by_rename_leaves_the_old_note_to_who_has_it_open() {
	as anna sh -c "echo before >'$A/sed.txt'" || return 1
	coproc READER { as bo sh -c "exec 3<'$B/sed.txt'; echo ready; read -r x; cat <&3; cat '$B/sed.txt'; echo end"; }
	local pid=$READER_PID in=${READER[1]} out=${READER[0]} line said=
	read -r -t 20 line <&"$out"
	as anna sed -i s/before/after/ "$A/sed.txt" || return 1
	echo go >&"$in"
	while read -r -t 20 line <&"$out" && [ "$line" != end ]; do said="$said$line "; done
	wait "$pid" 2>/dev/null
	[ "$said" = 'before after ' ] || fail "bo reads: $said"
}

t_save_in_place_over_the_others_is_the_last_ones() {
	local k
	for k in $(seq 30); do
		as anna sh -c "seq $k $((k + 3000)) >'$A/place.txt'" && as bo sh -c "echo 'short $k' >'$B/place.txt'" || return 1
		[ "$(as anna cat "$A/place.txt")" = "short $k" ] || fail "anna reads $(as anna head -c 80 "$A/place.txt")" || return 1
		as anna sh -c "seq $k $((k + 3000)) >'$A/place.txt'" || return 1
		as bo sh -c "seq $k $((k + 3000)) | cmp -s - '$B/place.txt'" || fail "bo does not read what anna saved" || return 1
	done
}

t_saves_by_rename_of_both_are_never_mixed() {
	as anna sh -c "for k in \$(seq 150); do yes anna | head -n \$((k * 7)) >'$A/.a' && mv '$A/.a' '$A/both.txt'; done" &
	local a=$!
	as bo sh -c "for k in \$(seq 150); do yes bo | head -n \$((k * 11)) >'$B/.b' && mv '$B/.b' '$B/both.txt'; done" &
	local b=$! rc=0 kinds
	wait_for 10 as bo test -e "$B/both.txt" || rc=1
	while kill -0 $a 2>/dev/null || kill -0 $b 2>/dev/null; do
		kinds=$(as bo sh -c "sort -u '$B/both.txt'" | wc -l)
		[ "$kinds" -eq 1 ] || { fail "$kinds kinds of lines in one save"; rc=1; break; }
	done
	wait $a || { fail "anna could not save"; rc=1; }
	wait $b || { fail "bo could not save"; rc=1; }
	[ "$(as anna md5sum <"/dev/null" "$A/both.txt" | cut -c1-32)" = "$(as bo md5sum "$B/both.txt" | cut -c1-32)" ] || { fail "they see different notes"; rc=1; }
	return $rc
}

t_tail_f_shows_lines_that_the_other_appends() {
	as anna sh -c "echo one >'$A/tail.txt'" || return 1
	as bo tail -s 0.2 -f "$B/tail.txt" >"$ROOT/tail.out" 2>/dev/null &
	local pid=$! k rc=0
	for k in two three four; do
		as anna sh -c "echo $k >>'$A/tail.txt'" || rc=1
		wait_for 20 grep -qx "$k" "$ROOT/tail.out" || { fail "tail does not show $k"; rc=1; break; }
	done
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	[ "$(tr '\n' ' ' <"$ROOT/tail.out")" = 'one two three four ' ] || { fail "$(cat "$ROOT/tail.out")"; rc=1; }
	return $rc
}

# The kernel looks every name up again after the other's rename, the names on the way to one's own directory too.
t_working_directory_holds_while_the_other_renames() {
	as anna mkdir -p "$A/ward/here" || return 1
	as anna sh -c "echo note >'$A/ward/here/note'; for k in \$(seq 200); do echo \$k >'$A/ward/.x' && mv '$A/ward/.x' '$A/ward/x'; done" &
	local pid=$! rc=0
	as bo sh -c "cd '$B/ward/here' && for k in \$(seq 150); do
		ls ../here '$B/ward/here' >/dev/null && [ \"\$(cat note)\" = note ] && /bin/pwd | grep -q '/ward/here\$' || exit 1
		done" || { fail "bo's working directory is lost"; rc=1; }
	wait $pid || { fail "anna could not save"; rc=1; }
	return $rc
}

need_root
clinic || { echo "FAIL clinic: set-up"; cat "$ROOT/daemon.log"; exit 1; }
login anna && login bo && as anna mkdir "$(J anna)/$ONE" || { echo "FAIL clinic: a journal"; exit 1; }
{ jfs dan policy show "$ONE"; echo 'allow user:bo:rwx'; } | put_policy dan "$ONE" || { echo "FAIL clinic: bo"; exit 1; }
A="$(J anna)/$ONE" B="$(J bo)/$ONE"
wait_for 10 as bo test -w "$B" || { echo "FAIL clinic: bo is not admitted"; exit 1; }
run_tests
