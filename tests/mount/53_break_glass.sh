#!/bin/bash
# Emergency access: asked for, logged first, limited, told, and over by itself.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
BERG='170745-4410 Berg, Aksel'
LUND='230461-2209 Lund, Kirsten'
DAHL='041199-3318 Dahl, Per'
WHY='unconscious, brought in by ambulance'

emergency_practice() { # MORE: the practice, with emergencies of so many minutes
	practice_policy
	printf '%s\n' "${@:-break-glass limit 60m reason 20 review 72h notify}"
}

glass() { # NAME JOURNAL REASON [OPTION...]
	local n=$1 j=$2 r=$3
	shift 3
	jfs "$n" break-glass "$j" --ground danger --reason "$r" --yes "$@"
}

t_set_up_journals() {
	emergency_practice | put_policy dan practice || return 1
	login anna && login bo && login eva || return 1
	for j in "$HANSEN" "$OLSEN" "$BERG" "$LUND" "$DAHL"; do
		as anna mkdir "$(J anna)/$j" && as anna sh -c "echo 'finding of $j' >'$(J anna)/$j/note.txt'" || return 1
	done
	{ jfs dan policy show "$OLSEN"; echo 'block user:eva  # asked for'; } | put_policy dan "$OLSEN"
}

t_preview_tells_what_will_happen() {
	jfs eva break-glass "$HANSEN" --ask --json >"$ROOT/said" || return 1
	grep -q '"limit_s":3600' "$ROOT/said" && grep -q '"blocked":false' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	expect_errno ENOENT as eva cat "$(J eva)/$HANSEN/note.txt" || fail "asking opened it" || return 1
	audit --who eva | grep -q 'asked what emergency access would give' || fail "asking was not logged"
}

t_search_finds_by_part_and_is_logged() {
	[ "$(jfs eva break-glass --search 'hansen')" = "$HANSEN" ] || return 1
	jfs eva break-glass --search 'ha' 2>"$ROOT/said" && fail "two letters" && return 1
	grep -q 'at least 3' "$ROOT/said" || return 1
	audit --who eva | grep -q 'emergency search for "hansen": 1 found'
}

t_words_are_wanted() {
	glass eva "$HANSEN" 'short' 2>"$ROOT/said" && fail "a word was enough" && return 1
	grep -q 'at least 20 characters' "$ROOT/said" || return 1
	glass eva "$HANSEN" '. . . . . . . . . . . . . . . . . .' 2>/dev/null && fail "points were enough" && return 1
	jfs eva break-glass "$HANSEN" --ground boredom --reason "$WHY" --yes 2>"$ROOT/said" && return 1
	grep -q 'danger, acute, duty, other' "$ROOT/said" || return 1
	jfs eva break-glass "$HANSEN" </dev/null 2>"$ROOT/said" && return 1
	grep -q -- '--ground' "$ROOT/said" || return 1
	audit --who eva | grep -i refused | grep -c 'break-glass' | grep -q '[3-9]' || fail "refusals are not logged"
}

t_journal_appears_at_once_to_read_and_for_new_notes() {
	glass eva "$HANSEN" "$WHY" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'is open to you until' "$ROOT/said" || return 1
	as eva ls "$(J eva)" | grep -qF "$HANSEN" || fail "not listed" || return 1
	[ "$(as eva cat "$(J eva)/$HANSEN/note.txt")" = "finding of $HANSEN" ] || return 1
	as eva sh -c "echo 'given 5 mg' >'$(J eva)/$HANSEN/emergency.txt' && echo more >>'$(J eva)/$HANSEN/emergency.txt'" || fail "no new note" || return 1
	[ "$(as anna cat "$(J anna)/$HANSEN/emergency.txt")" = $'given 5 mg\nmore' ] || fail "anna does not see it"
}

t_others_notes_cannot_be_changed() {
	local d n
	d=$(J eva)/$HANSEN n=$d/note.txt
	expect_errno EACCES as eva sh -c "echo x >>'$n'" || return 1
	expect_errno EACCES as eva truncate -s 0 "$n" || return 1
	expect_errno EACCES as eva rm -f "$n" || return 1
	expect_errno EACCES as eva mv "$n" "$d/other.txt" || return 1
	expect_errno EACCES as eva mv "$d/emergency.txt" "$n" || return 1
	expect_errno EACCES as eva ln "$n" "$d/link" || return 1
	expect_errno EACCES as eva chmod 600 "$n" || return 1
	expect_errno EACCES as eva touch "$n" || return 1
	expect_errno EACCES as eva setfattr -n user.x -v y "$n" || return 1
	expect_errno EACCES as eva sh -c "exec 3<>'$n'" || return 1
	expect_errno EACCES as eva chmod 700 "$d" || return 1
	as eva stat -c %A "$n" | grep -q '^-r-' || fail "shown writable: $(as eva stat -c %A "$n")" || return 1
	as eva stat -c %A "$d/emergency.txt" | grep -q '^-rw' || fail "her own is shown read-only" || return 1
	[ "$(as anna cat "$(J anna)/$HANSEN/note.txt")" = "finding of $HANSEN" ] || fail "it changed" || return 1
	audit --who eva | grep -i refused | grep -q 'new notes of one.s own' || fail "not logged"
}

t_own_new_notes_can_be_edited_as_editors_do() {
	local d
	d=$(J eva)/$HANSEN
	as eva sh -c "cd '$d' && echo v2 >.emergency.txt.tmp && mv .emergency.txt.tmp emergency.txt && cat emergency.txt" >"$ROOT/said" || return 1
	grep -q v2 "$ROOT/said" || return 1
	as eva sh -c "cd '$d' && mkdir scans && echo s >scans/a && mv scans/a scans/b && rm -r scans && echo bak >emergency.txt~ && rm emergency.txt~" || fail "folders and temporary files"
}

t_log_has_ground_reason_grant_and_purpose() {
	audit --who eva --json | grep '"kind":"break-glass"' >"$ROOT/said" || fail "no record" || return 1
	grep -q "$WHY" "$ROOT/said" && grep -q '"subtype":110127' "$ROOT/said" && grep -q '"purpose":"BTG"' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	audit --who eva --json | grep '"kind":"open"' | grep -q '"grant":"\?1"\?.*"purpose":"BTG"' || fail "what was opened does not name the grant" || return 1
	audit --who eva | grep -q 'the break-glass key opens the journal' || fail "use of the key is not logged"
}

t_no_silent_renewal() {
	glass eva "$HANSEN" "$WHY" 2>"$ROOT/said" && fail "made longer" && return 1
	grep -q 'not made longer' "$ROOT/said"
}

t_close_cuts_what_is_open() {
	yes r | head -200 | while read -r l; do echo "$l" || break; sleep 0.1; done | as eva "$PROBES/probe" hold "$(J eva)/$HANSEN/note.txt" r >"$ROOT/held" 2>&1 &
	yes r | head -200 | while read -r l; do echo "$l" || break; sleep 0.1; done | as eva "$PROBES/probe" holdmap "$(J eva)/$HANSEN/note.txt" >"$ROOT/mapped" 2>&1 &
	wait_for 5 grep -q ok "$ROOT/held" && wait_for 5 grep -q ok "$ROOT/mapped" || fail "could not open" || return 1
	jfs eva break-glass --close "$HANSEN" || return 1
	wait_for 3 grep -q EACCES "$ROOT/held" || fail "still reads: $(tail -1 "$ROOT/held")" || return 1
	wait_for 3 grep -q SIGBUS "$ROOT/mapped" || fail "the mapping still reads" || return 1
	expect_errno ENOENT as eva cat "$(J eva)/$HANSEN/note.txt" || return 1
	audit --who eva --json | grep '"kind":"break-glass-end"' | grep -q '"subtype":110138' || return 1
	# What she wrote stays with the journal.
	[ "$(as anna cat "$(J anna)/$HANSEN/emergency.txt")" = v2 ] || fail "her note is lost" || return 1
	jfs eva break-glass --close "$HANSEN" 2>/dev/null && fail "closed twice" && return 1
	true
}

t_opening_again_is_told() {
	glass eva "$HANSEN" "$WHY" 2>"$ROOT/said" >&2 || return 1
	grep -q 'within 24 hours' "$ROOT/said" && grep -q 'word for word' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	audit --who eva --json | grep '"kind":"break-glass"' | tail -1 | grep -q 'again within 24 hours' || return 1
	# A note of the first time is no note of this one.
	expect_errno EACCES as eva sh -c "echo x >>'$(J eva)/$HANSEN/emergency.txt'" || return 1
	jfs eva break-glass --close "$HANSEN"
}

t_block_is_passed_only_by_a_step_of_its_own() {
	jfs eva break-glass "$OLSEN" --ask --json | grep -q '"blocked":true' || return 1
	glass eva "$OLSEN" "the patient can not be asked now" 2>"$ROOT/said" && fail "passed without the step" && return 1
	grep -q 'BLOCKED' "$ROOT/said" || return 1
	expect_errno ENOENT as eva cat "$(J eva)/$OLSEN/note.txt" || return 1
	glass eva "$OLSEN" "the patient can not be asked now" --past-block >/dev/null 2>&1 || return 1
	[ "$(as eva cat "$(J eva)/$OLSEN/note.txt")" = "finding of $OLSEN" ] || return 1
	audit | grep ALARM | grep -q "passed a patient's block" || fail "no alarm" || return 1
	jfs eva break-glass --close "$OLSEN"
}

t_who_may_not() {
	# A steward, somebody without a session, a wrong name, what is open already.
	glass dan "$HANSEN" "$WHY" 2>"$ROOT/said" && fail "a steward" && return 1
	grep -q 'for clinicians' "$ROOT/said" || return 1
	jfs dan break-glass --search hansen 2>/dev/null && fail "a steward searches" && return 1
	account zoe || return 1
	glass zoe "$HANSEN" "$WHY" 2>/dev/null && fail "no session" && return 1
	glass eva 'no such journal' "$WHY" 2>"$ROOT/said" && return 1
	grep -q 'no journal of that name' "$ROOT/said" || return 1
	glass anna "$HANSEN" "$WHY" 2>"$ROOT/said" && return 1
	grep -q 'open to you already, by policy' "$ROOT/said" || return 1
	jfs bo lock && glass bo "$HANSEN" "$WHY" 2>"$ROOT/said" && fail "a locked session" && return 1
	jfs bo unlock --passphrase-fd 9 9< <(pass_of bo)
}

t_neither_export_nor_other_rights_come_with_it() {
	glass eva "$BERG" "needs his medication list now" >/dev/null 2>&1 || return 1
	jfs eva policy show "$BERG" >"$ROOT/said" || fail "who treats the patient is not shown" || return 1
	printf '%s\nallow user:eva:rwx\n' "$(cat "$ROOT/said")" | put_policy eva "$BERG" >/dev/null 2>&1 && fail "changed the policy" && return 1
	jfs eva policy show practice >/dev/null 2>&1 && fail "the practice's policy" && return 1
	as eva mkdir "$(J eva)/x" && as eva rmdir "$(J eva)/x"
	as eva mv "$(J eva)/$BERG" "$(J eva)/renamed" 2>/dev/null && fail "renamed the journal" && return 1
	as eva rmdir "$(J eva)/$BERG" 2>/dev/null && fail "removed the journal" && return 1
	as anna ls "$(J anna)" | grep -qF "$BERG" || return 1
	jfs eva keys renew "$BERG" --no-wait >/dev/null 2>&1 && fail "renewed keys" && return 1
	true
}

t_works_when_nobody_else_is_logged_in_and_survives_kill() {
	logout anna; logout bo; logout dan
	as eva cat "$(J eva)/$BERG/note.txt" >/dev/null || fail "alone" || return 1
	stop_daemon KILL
	start_daemon || return 1
	wait_for 10 unmounted eva
	login eva || return 1
	[ "$(as eva cat "$(J eva)/$BERG/note.txt")" = "finding of $BERG" ] || fail "the grant is gone after a restart" || return 1
	jfs eva break-glass "$LUND" --ground acute --reason 'alone on the ward tonight, chest pain' --yes >/dev/null 2>&1 || return 1
	[ "$(as eva cat "$(J eva)/$LUND/note.txt")" = "finding of $LUND" ] || return 1
	login dan && login anna && login bo
}

t_serial_is_limited_and_escalated() {
	emergency_practice 'break-glass limit 60m notify at-once 2 daily 6' | put_policy dan practice || return 1
	glass eva "$DAHL" 'the third of them at once, chest pain' 2>"$ROOT/said" && fail "a third at once" && return 1
	grep -q 'as many as the practice allows together' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs eva break-glass --close "$LUND" && jfs eva break-glass --close "$BERG" || return 1
	glass eva "$DAHL" 'the sixth within a day, chest pain' >/dev/null 2>&1 || return 1
	audit | grep ALARM | grep -q 'journal after journal' || fail "not escalated" || return 1
	jfs eva break-glass --close "$DAHL" || return 1
	glass eva "$LUND" 'the seventh within a day, chest pain' 2>"$ROOT/said" && fail "no end" && return 1
	grep -q 'within 24 hours' "$ROOT/said" || return 1
	audit | grep ALARM | grep -q 'was refused: 6 emergency accesses'
}

poke() { # a line each half second, for a minute and a half at most
	for _ in $(seq 180); do echo r || return; sleep 0.5; done
}

# Opens and maps it as fast as it can, for 80 s; writes when that succeeded last.
race() {
	as eva bash -c "end=\$((SECONDS + 80)); while [ \$SECONDS -lt \$end ]; do t=\$(date +%s); head -c 1 '$1' >/dev/null && cmp -s '$1' '$1' && echo \$t || sleep 0.05; done"
}

# One wait of a minute: it ends by itself, and takes descriptors and mappings along.
t_it_ends_by_itself() {
	emergency_practice 'break-glass limit 1m notify daily 50' | put_policy dan practice || return 1
	glass eva "$LUND" "she collapsed in the waiting room" >/dev/null 2>&1 || return 1
	rm -f "$ROOT/held" "$ROOT/mapped" # of an earlier test, which had its EACCES
	poke | as eva "$PROBES/probe" hold "$(J eva)/$LUND/note.txt" r >"$ROOT/held" 2>&1 &
	poke | as eva "$PROBES/probe" holdmap "$(J eva)/$LUND/note.txt" >"$ROOT/mapped" 2>&1 &
	race "$(J eva)/$LUND/note.txt" >"$ROOT/raced" 2>/dev/null &
	wait_for 5 grep -q ok "$ROOT/held" && wait_for 5 grep -q ok "$ROOT/mapped" || fail "could not open" || return 1
	wait_for 75 grep -q EACCES "$ROOT/held" || fail "still reads: $(tail -1 "$ROOT/held")" || return 1
	wait_for 3 grep -q SIGBUS "$ROOT/mapped" || fail "the mapping still reads" || return 1
	expect_errno ENOENT as eva cat "$(J eva)/$LUND/note.txt" || return 1
	audit --who eva --json | grep '"kind":"break-glass-end"' | grep -q 'its time is over' || return 1
	# Who opened and mapped it again and again had it until its end and not afterwards.
	local end last
	end=$(audit --who eva --json | grep '"kind":"break-glass"' | tail -n 1 | sed -E 's/.*"until":"([^"]*)".*/\1/')
	last=$(tail -n 1 "$ROOT/raced")
	[ -n "$last" ] && [ "$last" -le "$(date -d "$end" +%s)" ] || fail "read at $last, it ended $end"
}

t_leave_withdraws_it_at_once() {
	emergency_practice 'break-glass limit 60m notify daily 50' | put_policy dan practice || return 1
	glass eva "$LUND" "she collapsed once more in the hall" >/dev/null 2>&1 || return 1
	emergency_practice 'break-glass limit 60m notify daily 50' | sed 's/^\(practitioner eva .*\)/\1 on leave/' | put_policy dan practice || return 1
	wait_for 10 unmounted eva || fail "still mounted" || return 1
	glass eva "$DAHL" "on leave, but I would like to" 2>/dev/null && fail "on leave" && return 1
	emergency_practice 'break-glass limit 60m notify daily 50' | put_policy dan practice || return 1
	login eva || return 1
	expect_errno ENOENT as eva cat "$(J eva)/$LUND/note.txt" || fail "came back after the leave"
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
