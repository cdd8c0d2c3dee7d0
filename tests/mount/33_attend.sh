#!/bin/bash
# A care relationship of one's own, the patient's block, and entries that begin and end by the clock.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
BERG='170745-4410 Berg, Aksel'

attending_practice() { # MORE
	practice_policy | sed -E 's/^(role (physician|nurse) .*)/\1 attend/'
	printf '%s\n' "$@"
}

t_set_up_journals() {
	attending_practice | put_policy dan practice || return 1
	login anna && login bo && login eva || return 1
	for j in "$HANSEN" "$OLSEN" "$BERG"; do
		as anna mkdir "$(J anna)/$j" && as anna sh -c "echo 'finding of $j' >'$(J anna)/$j/note.txt'" || return 1
	done
	{ jfs dan policy show "$OLSEN"; echo 'block user:eva  # asked for'; } | put_policy dan "$OLSEN"
}

t_journal_appears_at_once_for_who_attends() {
	expect_errno ENOENT as eva cat "$(J eva)/$HANSEN/note.txt" || return 1
	jfs eva attend "$HANSEN" --reason 'covering for Anna today' >"$ROOT/said" || return 1
	grep -q 'take part in the care' "$ROOT/said" || return 1
	[ "$(as eva cat "$(J eva)/$HANSEN/note.txt")" = "finding of $HANSEN" ] || return 1
	as eva sh -c "echo more >>'$(J eva)/$HANSEN/note.txt'" || fail "a physician writes" || return 1
	as eva ls "$(J eva)" | grep -qF "$HANSEN"
}

t_attending_is_logged_with_its_reason_and_shown_to_the_steward() {
	audit --who eva | grep 'takes part in the care' | grep -q 'covering for Anna today' || fail "not in the log" || return 1
	jfs dan policy show "$HANSEN" | grep -qE '^attend +user:eva.*"covering for Anna today"' || fail "not in the text"
}

t_reason_is_wanted() {
	jfs bo attend "$BERG" --reason 'busy' 2>"$ROOT/said" && fail "a word was enough" && return 1
	grep -q 'at least 10 characters' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs bo attend "$BERG" </dev/null 2>"$ROOT/said" && fail "no word was enough" && return 1
	grep -q -- '--reason' "$ROOT/said"
}

t_blocked_practitioner_cannot_tell_a_block_from_no_journal() {
	jfs eva attend "$OLSEN" --reason 'covering for Anna today' >"$ROOT/one" 2>&1 && fail "passed a block" && return 1
	jfs eva attend "none of that name" --reason 'covering for Anna today' >"$ROOT/two" 2>&1 && return 1
	cmp "$ROOT/one" "$ROOT/two" || fail "told of the block: $(cat "$ROOT/one")" || return 1
	expect_errno ENOENT as eva ls "$(J eva)/$OLSEN" || return 1
	audit --who eva | grep -i refused | grep -q 'a block stands in the way' || fail "the auditor sees which"
}

t_block_is_shown_where_the_practice_says_so() {
	attending_practice 'blocks shown' | put_policy dan practice || return 1
	{ jfs dan policy show "$OLSEN" | sed 's/^unit.*/unit south/'; } | put_policy dan "$OLSEN" || return 1
	wait_for 5 as eva sh -c "ls '$(J eva)' | grep -qF '$OLSEN'" || fail "not listed" || return 1
	expect_errno EACCES as eva ls "$(J eva)/$OLSEN" || return 1
	jfs eva attend "$OLSEN" --reason 'covering for Anna today' 2>"$ROOT/said" && return 1
	grep -q blocked "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	attending_practice | put_policy dan practice || return 1
	wait_for 5 as eva sh -c "! ls '$(J eva)' | grep -qF '$OLSEN'" || fail "still listed"
}

t_steward_and_stranger_cannot_attend() {
	jfs dan attend "$HANSEN" --reason 'I would like to read it' 2>/dev/null && fail "the steward" && return 1
	account zoe || return 1
	jfs zoe attend "$HANSEN" --reason 'I would like to read it' 2>/dev/null && fail "no session" && return 1
	audit --who dan | grep -i refused | grep -q attending || fail "not logged"
}

poke() { # a line each half second, for a minute and a half at most
	for _ in $(seq 180); do echo r || return; sleep 0.5; done
}

# One wait of a minute for both: what was stated ends, what was agreed begins.
t_entries_end_and_begin_by_the_clock() {
	local start
	start=$(date -u -d '+1 minute' +%Y-%m-%dT%H:%MZ)
	{ jfs dan policy show "$HANSEN"; echo "allow user:bo:r-x from $start reason \"second opinion\""; } | put_policy dan "$HANSEN" || return 1
	jfs eva attend "$BERG" --reason 'covering for a minute' --for 1m || return 1
	poke | as eva "$PROBES/probe" hold "$(J eva)/$BERG/note.txt" r >"$ROOT/held" 2>&1 &
	poke | as eva "$PROBES/probe" holdmap "$(J eva)/$BERG/note.txt" >"$ROOT/mapped" 2>&1 &
	wait_for 5 grep -q ok "$ROOT/held" || fail "eva could not open: $(cat "$ROOT/held")" || return 1
	wait_for 5 grep -q ok "$ROOT/mapped" || fail "eva could not map: $(cat "$ROOT/mapped")" || return 1
	expect_errno EACCES as bo cat "$(J bo)/$HANSEN/note.txt" || return 1
	wait_for 75 grep -q EACCES "$ROOT/held" || fail "eva still reads: $(tail -1 "$ROOT/held")" || return 1
	wait_for 3 grep -q SIGBUS "$ROOT/mapped" || fail "eva's mapping still reads" || return 1
	expect_errno ENOENT as eva cat "$(J eva)/$BERG/note.txt" || return 1
	wait_for 75 as bo cat "$(J bo)/$HANSEN/note.txt" || fail "bo's entry did not begin"
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
