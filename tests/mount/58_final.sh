#!/bin/bash
# Final notes on a mount: nothing that a program does changes one, whoever asks and whatever was open before;
# how a note becomes final by attribute and by chmod; what is shown of it.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
FINAL=$PROBES/final
ATTACK=$PROBES/attack
state() { as "$1" getfattr --only-values --absolute-names -n "user.journalfs.${3:-state}" "$2" 2>/dev/null; }
lock() { as "$1" setfattr -n user.journalfs.state -v final "$2"; }
all_of() { # PATH: contents and every attribute, as anna sees them
	as anna sha256sum "$1"
	as anna stat -c '%a %h %s %b %X %Y %Z %i %F' "$1"
	as anna getfattr --absolute-names -d -m - "$1"
	as anna lsattr -l "$1" 2>/dev/null
}
note() { # PATH TEXT
	as anna mkdir -p "$(dirname "$1")" && echo "$2" | as anna tee "$1" >/dev/null
}
session_of_bo() { mounted bo || login bo; }
# A program that holds a note open, as NAME: hold NAME MODE PATH; then go_on NAME, which answers as it did.
hold() {
	rm -f "$ROOT/$1.in" "$ROOT/$1.out"
	mkfifo "$ROOT/$1.in"
	as "$1" "$FINAL" "$2" "$3" <"$ROOT/$1.in" >"$ROOT/$1.out" 2>&1 &
	HOLDS[$1]=$!
	exec {fd}>"$ROOT/$1.in"
	INPUT[$1]=$fd
	wait_for 10 grep -q ready "$ROOT/$1.out" || fail "$1 has it not open: $(cat "$ROOT/$1.out")"
}
go_on() {
	fd=${INPUT[$1]}
	echo go >&"$fd"
	exec {fd}>&-
	wait "${HOLDS[$1]}" || { sed "s/^/   $1: /" "$ROOT/$1.out"; fail "what $1 has open changes it"; }
}
declare -A HOLDS INPUT

# More than a mount has workers: what each waits for is taken all the same, and nobody's session ends of it.
t_many_notes_become_final_at_once_with_all_their_pages() {
	local dir
	dir=$(J anna)/$HANSEN/many
	as anna mkdir -p "$dir" || return 1
	as anna "$PROBES/final_many" "$dir" 40 || return 1
	[ "$(state anna "$dir/many-0.md")" = final ] || fail "the session ended" || return 1
	jfs anna verify "$dir" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
}

t_what_was_written_and_mapped_before_is_in_the_final_note_and_nothing_after() {
	local N="$D/visits/today/note.txt" before rc=0
	note "$N" 'the first line of it' || return 1
	as anna setfattr -n user.kept -v yes "$N" && session_of_bo || return 1
	hold anna hold "$N" && hold bo hold-fd "$(J bo)/$HANSEN/visits/today/note.txt" || return 1
	lock anna "$N" || fail "it is not locked" || return 1
	[ "$(state anna "$N")" = final ] || fail "its state is '$(state anna "$N")'" || return 1
	[ "$(as anna cat "$N")" = "$(printf 'mappedrst line of it\nwritten\nwritten')" ] || fail "what was typed is not in it: $(as anna cat "$N")" || return 1
	[ "$(state anna "$N" sha256)" = "$(as anna sha256sum "$N" | cut -d' ' -f1)" ] || fail "another SHA-256 is stated" || return 1
	before=$(all_of "$N")
	go_on anna || rc=1
	go_on bo || rc=1
	[ "$(all_of "$N")" = "$before" ] || { diff <(echo "$before") <(all_of "$N"); fail "it changed"; rc=1; }
	return $rc
}

t_no_system_call_changes_it_for_anybody() {
	local N="$D/visits/today/note.txt" before rc=0 who
	[ "$(state anna "$N")" = final ] || fail "no final note" || return 1
	before=$(all_of "$N")
	as anna "$FINAL" try "$N" || { fail "anna changes it"; rc=1; }
	as bo "$FINAL" try "$(J bo)/$HANSEN/visits/today/note.txt" || { fail "bo changes it"; rc=1; }
	for who in anna bo dan; do
		"$FINAL" try "$(J $who)/$HANSEN/visits/today/note.txt" any || { fail "root changes it in $who's mount"; rc=1; }
	done
	as dan "$FINAL" try "$(J dan)/$HANSEN/visits/today/note.txt" any || { fail "the steward changes it"; rc=1; }
	[ "$(all_of "$N")" = "$before" ] || { diff <(echo "$before") <(all_of "$N"); fail "it changed"; rc=1; }
	return $rc
}

t_directories_above_keep_their_place_and_take_new_notes() {
	local V="$D/visits"
	expect_errno EPERM as anna mv "$V" "$D/elsewhere" || return 1
	expect_errno EPERM as anna mv "$V/today" "$V/yesterday" || return 1
	expect_errno EPERM as anna mv "$D" "$(J anna)/030390-1111 Other" || return 1
	note "$V/today/second.txt" 'a draft' && as anna mkdir "$V/later" && as anna rmdir "$V/later" || return 1
	as anna mv "$V/today/second.txt" "$V/third.txt" && as anna rm "$V/third.txt"
}

t_mode_and_flags_say_that_it_is_final() {
	local N="$D/visits/today/note.txt"
	[ "$(as anna stat -c %A "$N")" = -r--r--r-- ] || fail "its mode is $(as anna stat -c %A "$N")" || return 1
	[ "$(as bo stat -c %A "$(J bo)/$HANSEN/visits/today/note.txt")" = -r--r--r-- ] || fail "bo sees another mode" || return 1
	as anna lsattr "$N" | cut -d' ' -f1 | grep -q i || fail "lsattr: $(as anna lsattr "$N")" || return 1
	as anna lsattr -d "$D/visits" | cut -d' ' -f1 | grep -q i && { fail "its directory is shown as immutable"; return 1; }
	expect_errno EPERM as anna chattr +A "$N"
}

t_attributes_tell_of_it_and_are_not_copied() {
	local N="$D/visits/today/note.txt" a
	[ "$(state anna "$N" author)" = anna ] || fail "its author is '$(state anna "$N" author)'" || return 1
	state anna "$N" finalized-at | grep -qE '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$' || fail "finalized at $(state anna "$N" finalized-at)" || return 1
	state anna "$N" version | grep -qE '^[0-9]+$' || fail "version $(state anna "$N" version)" || return 1
	for a in signed-by amends amended-by nothing; do
		as anna getfattr -n "user.journalfs.$a" "$N" 2>&1 | grep -q 'No such attribute' || fail "it has $a: $(state anna "$N" $a)" || return 1
	done
	as anna getfattr -d "$N" | grep -q '^user.journalfs.state="final"$' || fail "getfattr -d does not show it" || return 1
	as anna "$FINAL" list "$N" | grep -q journalfs && { fail "any program is shown them"; return 1; }
	as anna cp -a "$N" "$D/copy.txt" || fail "cp -a failed" || return 1
	[ "$(state anna "$D/copy.txt")" = draft ] || fail "the copy is $(state anna "$D/copy.txt")" || return 1
	as anna rsync -aX "$N" "$D/copied.txt" || fail "rsync -X failed" || return 1
	[ "$(state anna "$D/copied.txt")" = draft ] || fail "the copy is $(state anna "$D/copied.txt")" || return 1
	as anna getfattr -n user.kept "$D/copied.txt" >/dev/null || fail "its own attributes were not copied"
}

t_only_state_can_be_set_and_only_to_final() {
	local N="$D/draft.txt" a
	note "$N" text || return 1
	for a in author sha256 version signed-by new 'state '; do
		expect_errno EPERM as anna setfattr -n "user.journalfs.$a" -v x "$N" || return 1
	done
	expect_errno EPERM as anna setfattr -n user.journalfs.state -v finalized "$N" || return 1
	expect_errno EPERM as anna setfattr -n user.journalfs.state -v fina "$N" || return 1
	expect_errno EPERM as anna setfattr -n user.journalfs.state "$N" || return 1
	expect_errno EPERM as anna setfattr -x user.journalfs.state "$N" || return 1
	expect_errno EPERM as anna setfattr -n user.journalfs.state -v final "$D" || return 1
	as anna setfattr -n user.journalfs.state -v draft "$N" || fail "a draft is no draft" || return 1
	[ "$(state anna "$N")" = draft ] || return 1
	as anna setfattr -n user.journalfs.state -v 0x66696e616c0a "$N" || fail "a line is not taken" || return 1
	[ "$(state anna "$N")" = final ] || fail "its state is $(state anna "$N")"
}

t_who_may_not_finalize_does_not_lock() {
	local N="$D/annas.txt"
	note "$N" text && session_of_bo || return 1
	expect_errno EACCES lock bo "$(J bo)/$HANSEN/annas.txt" || return 1
	[ "$(state anna "$N")" = draft ] || fail "its state is $(state anna "$N")" || return 1
	as bo sh -c "echo more >>'$(J bo)/$HANSEN/annas.txt'" || fail "it is not as it was"
}

t_several_names_are_refused() {
	note "$D/one.txt" text && as anna ln "$D/one.txt" "$D/two.txt" || return 1
	lock anna "$D/one.txt" && { fail "a note with two names is locked"; return 1; }
	as anna rm "$D/two.txt" && lock anna "$D/one.txt"
}

t_refusals_are_logged_once_and_counted() {
	local N="$D/logged.txt" n
	note "$N" text && lock anna "$N" || return 1
	for _ in 1 2 3 4 5; do
		expect_errno EPERM as anna sh -c "echo x >>'$N'" || return 1
	done
	n=$(audit --who anna --since -2m | grep -c 'logged.txt.*a final note does not change')
	[ "$n" -eq 1 ] || { audit --who anna --since -2m | grep logged.txt; fail "$n records of five refusals"; }
}

t_chmod_changes_only_the_mode_where_policy_is_silent() {
	local N="$D/mode.txt"
	note "$N" text && as anna chmod a-w "$N" || return 1
	[ "$(state anna "$N")" = draft ] || fail "it is final" || return 1
	as anna chmod u+w "$N" && as anna sh -c "echo more >>'$N'"
}

t_chmod_locks_where_policy_says_so_after_the_last_close() {
	local N="$D/ro.txt" rc=0
	{ practice_policy; echo 'finalize on read-only'; } | put_policy dan practice || return 1
	note "$N" text && as anna chmod a-w "$N" || rc=1
	[ "$(state anna "$N")" = final ] || { fail "it is not locked at once: $(state anna "$N")"; rc=1; }
	note "$D/open.txt" text || rc=1
	as anna "$FINAL" read-only "$D/open.txt" || { fail "a program that still writes is refused"; rc=1; }
	wait_for 10 is_final "$D/open.txt" || { fail "it is not locked at the last close"; rc=1; }
	as anna grep -q 'the end' "$D/open.txt" || { fail "the end is missing"; rc=1; }
	note "$D/some.txt" text && as anna chmod g-w,o-w "$D/some.txt" || rc=1
	[ "$(state anna "$D/some.txt")" = draft ] || { fail "a note that its owner may write is locked"; rc=1; }
	practice_policy | put_policy dan practice || rc=1
	return $rc
}
is_final() { [ "$(state anna "$1")" = final ]; }

t_locking_and_unlocking_the_session_leaves_it_final() {
	local N="$D/session.txt" rc=0
	note "$N" 'some text that is long enough' || return 1
	hold anna hold "$N" && lock anna "$N" || return 1
	jfs anna lock || return 1
	expect_errno ENOKEY as anna cat "$N" || rc=1
	jfs anna unlock --passphrase-fd 9 9< <(pass_of anna) || return 1
	go_on anna || rc=1
	[ "$(as anna cat "$N" | head -n 1)" = 'mappedext that is long enough' ] || { fail "its text: $(as anna cat "$N")"; rc=1; }
	return $rc
}

# Pages that were made dirty after the note had become final are pushed out, refused, and hold up nobody.
t_late_pages_hold_up_no_lock_and_no_revoking() {
	local N="$D/late.txt" L="$D/later.txt" rc=0
	note "$N" 'some text that is long enough' && note "$L" 'some text that is long enough' && session_of_bo || return 1
	hold anna dirty "$N" && lock anna "$N" || return 1
	echo go >&"${INPUT[anna]}"
	wait_for 10 grep -q dirty "$ROOT/anna.out" || return 1
	jfs anna lock || { fail "the session can't be locked"; rc=1; }
	jfs anna unlock --passphrase-fd 9 9< <(pass_of anna) || return 1
	go_on anna || rc=1
	[ "$(as anna cat "$N")" = 'some text that is long enough' ] || { fail "anna reads: $(as anna cat "$N")"; rc=1; }
	hold bo dirty "$(J bo)/$HANSEN/later.txt" && lock anna "$L" || return 1
	echo go >&"${INPUT[bo]}"
	wait_for 10 grep -q dirty "$ROOT/bo.out" || return 1
	jfs dan policy show "$HANSEN" >"$ROOT/was.policy" || return 1
	grep -v 'user:bo' "$ROOT/was.policy" | put_policy dan "$HANSEN" || return 1
	wait_for 10 expect_errno EACCES as bo cat "$(J bo)/$HANSEN/later.txt" || { fail "bo still reads"; rc=1; }
	go_on bo || rc=1
	[ "$(as anna cat "$L")" = 'some text that is long enough' ] || { fail "anna reads: $(as anna cat "$L")"; rc=1; }
	audit --who bo --since -2m | grep -q 'did not let go' && { fail "bo's session was ended"; rc=1; }
	put_policy dan "$HANSEN" <"$ROOT/was.policy" || rc=1
	return $rc
}

t_stalled_mount_does_not_keep_others_from_finalizing() {
	local N="$D/large.bin" reader p rc=0
	as anna cp "$ROOT/large" "$N" || return 1
	logout bo
	as bo env PATH="$ROOT/bin:$PATH" ATTACK=keep "$JFS" login --vault "$ROOT/clinic.conf" --passphrase-fd 9 9< <(pass_of bo) || return 1
	coproc PAGES { as bo "$ATTACK" pages "$(J bo)/$HANSEN/large.bin"; }
	reader=$PAGES_PID
	read -r -u "${PAGES[0]}" _
	as bo touch "$ROOT/home/bo/steal"
	sleep 0.5
	echo >&"${PAGES[1]}"
	sleep 0.5
	lock anna "$N" || { fail "anna can't finalize"; rc=1; }
	[ "$(state anna "$N" sha256)" = "$(sha256sum <"$ROOT/large" | cut -d' ' -f1)" ] || { fail "another SHA-256 is stated"; rc=1; }
	for p in $(ps -o pid= -u jft-bo); do kill -9 "$p" 2>/dev/null; done
	rm -f "$ROOT/home/bo/steal"
	wait "$reader" 2>/dev/null
	umount -l "$(J bo)" 2>/dev/null
	return $rc
}

need_root
clinic && login anna || { echo "FAIL final notes: set-up"; cat "$ROOT/daemon.log"; exit 1; }
D="$(J anna)/$HANSEN"
install -d -m 755 "$ROOT/bin" && install -m 755 "$ATTACK" "$ROOT/bin/fusermount3"
head -c 2000000 /dev/urandom >"$ROOT/large" && chmod 644 "$ROOT/large"
as anna mkdir "$D" || exit 1
{ jfs dan policy show "$HANSEN"; echo 'allow user:bo:rwx reason "shares the care"'; } | put_policy dan "$HANSEN" || exit 1
run_tests
