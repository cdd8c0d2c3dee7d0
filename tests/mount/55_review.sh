#!/bin/bash
# Emergency accesses afterwards: who sees them, what was done under them, who judges them, what recurs.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
WHY='unconscious, brought in by ambulance'
PASS_kim='kim reads what was done'

reviewed_practice() { # the practice with a privacy officer, who may review and nothing else
	practice_policy | sed 's/^role manager .*/role manager may policy audit/'
	echo 'break-glass limit 60m reason 20 review 1h notify at-once 5 daily 50'
	echo 'role privacy may review'
	echo 'practitioner kim user jft-kim role privacy'
}

glass() { # NAME JOURNAL REASON [OPTION...]
	local n=$1 j=$2 r=$3
	shift 3
	jfs "$n" break-glass "$j" --ground danger --reason "$r" --yes "$@"
}

refused() { # TEXT COMMAND...: fails with 1 and says so
	local want=$1 rc
	shift
	"$@" >"$ROOT/said" 2>&1
	rc=$?
	[ $rc -eq 1 ] || fail "$* ended with $rc: $(cat "$ROOT/said")" || return 1
	grep -q -- "$want" "$ROOT/said" || fail "$* said: $(cat "$ROOT/said")"
}

t_set_up_journals_and_a_privacy_officer() {
	account kim || return 1
	reviewed_practice | put_policy dan practice || return 1
	enroll kim && login kim && login anna && login bo && login eva || return 1
	for j in "$HANSEN" "$OLSEN"; do
		as anna mkdir "$(J anna)/$j" && as anna sh -c "echo 'finding of $j' >'$(J anna)/$j/note.txt'" || return 1
	done
	jfs kim review | grep -q 'No emergency access is to be shown' || return 1
	jfs dan status | grep -q 'emergencies *0 open, 0 to be judged, 0 deviations' || fail "$(jfs dan status)"
}

t_status_shows_an_open_one_with_the_time_left() {
	jfs eva break-glass --search hansen >/dev/null || return 1
	glass eva "$HANSEN" "$WHY" >/dev/null 2>&1 || return 1
	jfs eva status | grep -qE "EMERGENCY +\"$HANSEN\" is open to you for (59|60) min more" || fail "$(jfs eva status)" || return 1
	jfs eva status | grep -q 'to be judged' && fail "the practice's numbers" && return 1
	jfs bo status | grep -qi emergenc && fail "another's" && return 1
	for n in dan kim; do
		jfs $n status | grep -q 'emergencies *1 open, 0 to be judged' || fail "$n: $(jfs $n status)" || return 1
	done
}

t_open_one_is_shown_and_not_judged() {
	jfs kim review | grep -qE " 1  open .* eva .*\"$HANSEN\".*until" || fail "$(jfs kim review)" || return 1
	refused 'not over yet' jfs kim review 1 --justified --note 'it looks right'
}

t_what_was_done_under_it_is_shown_to_the_reviewer() {
	local d
	d=$(J eva)/$HANSEN
	as eva cat "$d/note.txt" >/dev/null && as eva sh -c "echo 'given 5 mg' >'$d/emergency.txt'" || return 1
	expect_errno EACCES as eva sh -c "echo x >>'$d/note.txt'" || return 1
	as anna sh -c "echo daily >'$(J anna)/$HANSEN/daily.txt'" || return 1
	jfs eva break-glass --close "$HANSEN" || return 1
	# Kim became a reader of the log a moment ago: what was written before, an auditor's session gives her.
	for _ in $(seq 15); do
		jfs kim review 1 >"$ROOT/said" || return 1
		grep -q 'emergency search' "$ROOT/said" && break
		sleep 1
	done
	grep -q 'EMERGENCY ACCESS 1  pending-review' "$ROOT/said" &&
		grep -q 'eva (physician, south then)' "$ROOT/said" &&
		grep -q "\"$WHY\"" "$ROOT/said" &&
		grep -q 'by who opened it' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -qE 'opened +"note.txt"  [0-9]+ time' "$ROOT/said" &&
		grep -qE 'made +"emergency.txt"  1 time.* 11 bytes written' "$ROOT/said" &&
		grep -qE 'REFUSED +"note.txt"' "$ROOT/said" &&
		grep -q 'emergency search for "hansen": 1 found' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'daily.txt\|given 5 mg\|finding of' "$ROOT/said" && fail "too much: $(cat "$ROOT/said")" && return 1
	jfs kim review 1 --json | python3 -c '
import json, sys
g = json.load(sys.stdin)
assert g["number"] == 1 and g["who"] == "eva" and g["verdict"] == "" and g["end"] == "closed"
opened = [a for a in g["acts"] if a["kind"] == "open" and a["name"] == "note.txt"]
assert opened and not any("given" in str(a) for a in g["acts"])' || fail "json"
}

t_reviewer_reads_no_more_of_the_log() {
	refused 'audit right' jfs kim audit show || return 1
	expect_errno ENOENT as kim cat "$(J kim)/$HANSEN/note.txt" || return 1
	[ -z "$(as kim ls "$(J kim)")" ] || fail "sees journals"
}

t_user_sees_the_own_one_and_does_not_judge_it() {
	jfs eva review | grep -qE ' 1  pending-review' || return 1
	jfs eva review 1 >"$ROOT/said" 2>&1 || return 1
	grep -q "$WHY" "$ROOT/said" && grep -q 'stands in the access log' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'What was done' "$ROOT/said" && fail "the log is shown" && return 1
	refused 'needs the review right' jfs eva review 1 --justified --note 'I was right' || return 1
	jfs bo review --all 2>&1 | grep -q 'No emergency access' || fail "bo sees it" || return 1
	refused 'not yours to see' jfs bo review 1 || return 1
	# With the right it stays hers.
	reviewed_practice | sed 's/^practitioner eva .*/practitioner eva user jft-eva role both unit south/' >"$ROOT/both"
	echo 'role both clinical may list read write create export break-glass review' >>"$ROOT/both"
	put_policy dan practice <"$ROOT/both" || return 1
	refused 'never judges it' jfs eva review 1 --justified --note 'I was right' || return 1
	reviewed_practice | put_policy dan practice || return 1
	audit --who eva | grep -i refused | grep -c 'judging emergency access 1' | grep -qx 2 || fail "not logged"
}

t_steward_and_stranger_do_not_judge() {
	refused 'needs the review right' jfs dan review 1 --unjustified --note 'I decide this' || return 1
	account zoe || return 1
	refused 'not logged in' jfs zoe review || return 1
	refused 'not logged in' jfs zoe review 1 --justified --note 'let it be'
}

t_verdict_wants_a_note_and_one_option() {
	refused 'one line of plain text' jfs kim review 1 --justified --note '' || return 1
	refused 'one line of plain text' jfs kim review 1 --justified --note $'two\nlines' || return 1
	refused 'say what was found' jfs kim review 1 --justified </dev/null || return 1
	refused 'no emergency access of that number' jfs kim review 99 --justified --note 'of nothing' || return 1
	refused 'no deviation to close' jfs kim review 1 --settled --note 'there is none' || return 1
	jfs kim review 1 --justified --unjustified --note x 2>/dev/null
	[ $? -eq 2 ] || fail "both verdicts" || return 1
	jfs kim review one 2>/dev/null
	[ $? -eq 2 ] || fail "a word for a number" || return 1
	jfs kim review | grep -q ' 1  pending-review'
}

t_unjustified_is_a_deviation_until_it_is_closed() {
	jfs kim review 1 --unjustified --note 'the ward had others on duty' >"$ROOT/said" || return 1
	grep -q 'deviation 1 is open' "$ROOT/said" || return 1
	refused 'judged already' jfs kim review 1 --justified --note 'after all' || return 1
	audit | grep ALARM | grep -q 'unjustified: deviation 1' || fail "no alarm" || return 1
	audit | grep 'judged an emergency access' | grep -q 'the ward had others on duty' || fail "not in the log" || return 1
	jfs dan status | grep -q '1 deviations open' || return 1
	jfs eva review 1 2>/dev/null | grep -q 'unjustified, kim .*"the ward had others on duty"' || fail "eva is not told" || return 1
	jfs kim review 1 --settled --note 'spoken with her and the patient' | grep -q 'Deviation 1 is closed' || return 1
	jfs kim review | grep -q 'Nothing is open or waits to be judged' || return 1
	jfs kim review --all | grep -q ' 1  closed .*deviation 1'
}

t_verdicts_survive_a_killed_daemon() {
	stop_daemon KILL
	start_daemon || return 1
	wait_for 10 unmounted kim
	login kim && login dan && login anna && login bo && login eva || return 1
	jfs kim review 1 >"$ROOT/said" || return 1
	grep -q 'spoken with her and the patient' "$ROOT/said" && grep -qE 'opened +"note.txt"' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

t_auditor_filters_by_grant() {
	audit --grant 1 >"$ROOT/said" || return 1
	grep -q 'BROKE THE GLASS' "$ROOT/said" && grep -q 'note.txt' "$ROOT/said" && grep -q 'judged an emergency access' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q daily.txt "$ROOT/said" && fail "another's" && return 1
	[ -z "$(audit --grant 77)" ]
}

t_what_recurs_is_proposed_as_policy() {
	jfs kim review --propose | grep -q '^# Nobody' || return 1
	for i in one two three; do
		glass eva "$OLSEN" "covering at night, the $i time this week" >/dev/null 2>&1 && jfs eva break-glass --close "$OLSEN" >/dev/null || return 1
	done
	refused 'review, audit or policy right' jfs bo review --propose || return 1
	jfs dan review --propose >"$ROOT/said" || return 1
	grep -q "^# eva and \"$OLSEN\": 3 emergency accesses" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	[ "$(grep -vc '^#' "$ROOT/said")" = 1 ] || return 1
	{ jfs dan policy show "$OLSEN"; cat "$ROOT/said"; } | put_policy dan "$OLSEN" || fail "is no policy: $(cat "$ROOT/said")" || return 1
	wait_for 5 as eva cat "$(J eva)/$OLSEN/note.txt" || fail "eva does not read" || return 1
	jfs dan review --propose | grep -q 'admits this practitioner by now'
}

t_verdict_is_asked_for_at_a_terminal() {
	typed() { # KEYS: what kim types
		printf "$1" | as kim script -qefc "$JFS review --vault '$ROOT/clinic.conf' 3" /dev/null
	}
	typed 'l\n' >"$ROOT/said" || return 1
	grep -q 'EMERGENCY ACCESS 3' "$ROOT/said" && grep -q '(j/u/l)' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs kim review | grep -q ' 3  pending-review' || return 1
	typed 'u\nshe was not on call\n' >"$ROOT/said" || return 1
	grep -q 'deviation 2 is open' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	typed 'c\ntold off\n' >"$ROOT/said" || return 1
	grep -q 'Deviation 2 is closed' "$ROOT/said"
}

t_yearly_review_counts_them() {
	jfs kim review 2 --justified --note 'nobody else was in the house' >/dev/null || return 1
	jfs dan policy review | grep -qE 'emergencies +4 so far; of all: 1 to be judged, 0 overdue, 0 deviations open \(journalfs review\)' || fail "$(jfs dan policy review | grep emerg)"
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
