#!/bin/bash
# The auditor walks the log: a day as a story, each decision taken again, what a draft would have changed, and who could see what at a moment.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
WHY='found unconscious in the waiting room'
KEYPASS='seven lamps along the quay'
H=$ROOT/home/anna/Journals/$HANSEN

clinic_practice() { # [BO'S STATE]
	practice_policy | sed -E "s/^(role physician .*)$/\1 attend/; s/^(practitioner bo .*)$/\1 ${1:-}/"
	echo 'break-glass limit 60m reason 20 review 72h'
}

admit() { # LINES...: besides anna, in Hansen's journal
	{
		printf 'journal "%s"\nunit north\nallow user:anna:rwx\n' "$HANSEN"
		printf '%s\n' "$@"
	} | put_policy dan "$HANSEN"
}

replay() { # OPTION...: as dan, into $ROOT/said; the status is the command's
	jfs dan audit replay "$@" >"$ROOT/said" 2>&1
}

says() { # TEXT...: each stands there
	local t
	for t in "$@"; do
		grep -qF -- "$t" "$ROOT/said" || fail "no \"$t\" in: $(cat "$ROOT/said")" || return 1
	done
}

refused() { # TEXT COMMAND...
	local want=$1
	shift
	"$@" >"$ROOT/said" 2>&1 && fail "$* succeeded" && return 1
	says "$want"
}

bo_reads() { as bo cat "$(J bo)/$HANSEN/note.txt" >/dev/null; }

offline() { # COMMAND [OPTION...]: dan's copy and key, without the vault
	local c=$1
	shift
	as bo "$JFS" audit "$c" --log "$ROOT/elsewhere/log" --key "$ROOT/elsewhere/key" --passphrase-fd 9 "$@" \
		9< <(printf '%s\n' "$KEYPASS")
}

t_set_up_a_clinic() {
	clinic_practice | put_policy dan practice || return 1
	login anna && login bo && login eva || return 1
	as anna mkdir "$H" "$(J anna)/$OLSEN" || return 1
	as anna sh -c "echo 'Referred with chest pain.' >'$H/note.txt'" || return 1
	as anna touch "$H/$(printf 'evil\033[31m.txt')" || return 1
	admit 'allow user:bo:r-x' || return 1
	wait_for 10 bo_reads || fail 'bo can not read'
}

t_a_day_is_told_as_a_story() {
	BEFORE=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	expect_errno EACCES as bo sh -c "echo more >>'$(J bo)/$HANSEN/note.txt'" || return 1
	expect_errno ENOENT as eva cat "$(J eva)/$HANSEN/note.txt" || return 1
	jfs eva break-glass "$HANSEN" --ground danger --reason "$WHY" --yes >/dev/null || return 1
	wait_for 10 as eva cat "$(J eva)/$HANSEN/note.txt" || return 1
	jfs eva break-glass --close "$HANSEN" >/dev/null || return 1
	replay || fail "$(cat "$ROOT/said")" || return 1
	says 'anna (physician, north)' 'bo (nurse, north)' "in \"$HANSEN\": allow user:anna:rwx (line 3)" \
		'makes note.txt' 'opens note.txt' 'is REFUSED: open: EACCES note.txt' 'BREAKS THE GLASS' "$WHY" \
		'BY EMERGENCY ACCESS, grant 1: emergency access, grant 1' 'puts a policy in force' || return 1
	grep -q $'\033' "$ROOT/said" && fail 'an escape sequence came through' && return 1
	says 'evil\x1b[31m.txt'
}

t_one_person_or_one_journal_is_told_alone() {
	replay --who bo || return 1
	says 'bo (nurse, north)' || return 1
	grep -q 'anna (' "$ROOT/said" && fail 'anna is told too' && return 1
	replay --journal "$HANSEN" --since "$BEFORE" || return 1
	grep -qF "$OLSEN" "$ROOT/said" && fail 'another journal' && return 1
	says 'BREAKS THE GLASS'
}

t_programs_get_the_records() {
	jfs dan audit replay --json >"$ROOT/said" 2>/dev/null || return 1
	python3 - "$ROOT/said" <<-'END' || fail 'no JSON'
		import json, sys
		records = [json.loads(line) for line in open(sys.argv[1])]
		assert len(records) > 30 and {"login", "open", "break-glass"} <= {r["kind"] for r in records}
		assert [r["seq"] for r in records] == sorted(r["seq"] for r in records)
	END
}

t_pauses_follow_the_log() { # a thousand times as fast
	replay --speed 100000 --since "$BEFORE" || return 1
	says 'BREAKS THE GLASS' || return 1
	refused 'how many times as fast' jfs dan audit replay --speed fast || return 1
	refused 'one of them' jfs dan audit replay --decisions --policy "$ROOT/new.policy"
}

t_decisions_of_changing_policies_are_what_they_say() {
	admit 'allow user:bo:r-x' 'block user:bo' || return 1
	wait_for 10 eval '! bo_reads' || fail 'the block does not hold' || return 1
	admit 'allow unit:north:rwx' || return 1
	wait_for 10 bo_reads || return 1
	as bo sh -c "echo 'seen by bo' >>'$(J bo)/$HANSEN/note.txt'" || return 1
	jfs eva attend "$OLSEN" --for 2h --reason 'on call for the district tonight' >/dev/null || return 1
	wait_for 10 as eva ls "$(J eva)/$OLSEN" || return 1
	clinic_practice 'on leave' | put_policy dan practice || return 1
	wait_for 10 eval '! bo_reads' || fail 'bo on leave reads on' || return 1
	clinic_practice | put_policy dan practice || return 1
	jfs anna lock || return 1
	jfs anna unlock --passphrase-fd 9 9< <(pass_of anna) || return 1
	as anna rm "$H/$(printf 'evil\033[31m.txt')" || return 1
	as anna sh -c "mkdir '$H/2026' && mv '$H/note.txt' '$H/2026/' && ln '$H/2026/note.txt' '$H/again'" || return 1
	refused 'policy right' jfs anna invite bo || return 1
	replay --decisions || fail "$(cat "$ROOT/said")" || return 1
	says 'Nothing was decided against the policy.' 'decided as the policy says' || return 1
	jfs dan audit replay --decisions --json 2>/dev/null | grep -q '"kind":"difference"' && fail 'a difference' && return 1
	return 0
}

t_after_a_crash_what_may_have_been_read_is_told() {
	login bo || return 1
	# Named by an intent, not opened.
	as bo ls -l "$(J bo)/$HANSEN/2026" >/dev/null || return 1
	stop_daemon KILL
	wait_for 20 unmounted "$(J bo)" || return 1
	start_daemon || return 1
	login dan && login anna && login bo && login eva || return 1
	replay || return 1
	says 'is cut off: the daemon ended without a word' 'POSSIBLY READ' \
		'after it had ended without a word (killed, or power failed)' || return 1
	replay --decisions || fail "$(cat "$ROOT/said")"
}

t_a_draft_says_what_it_would_have_changed() {
	clinic_practice | sed 's/^\(role nurse .*\) write /\1 /; s/^role secretary .*/&/' >"$ROOT/home/dan/draft.policy"
	chmod 644 "$ROOT/home/dan/draft.policy"
	replay --policy draft.policy || fail "$(cat "$ROOT/said")" || return 1
	says 'would refuse' 'bo' 'role nurse may not write' 'Nothing was put in force.' || return 1
	grep -q 'would refuse.*anna' "$ROOT/said" && fail 'anna is hit' && return 1
	printf 'journal "%s"\nunit north\nallow user:anna:rwx\nallow unit:south:r-x\n' "$HANSEN" >"$ROOT/home/dan/hansen.policy"
	jfs dan audit replay --policy hansen.policy --csv >"$ROOT/said" 2>/dev/null || return 1
	grep -q '"would allow","eva"' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	echo 'role nobody' >"$ROOT/home/dan/bad.policy"
	refused 'is no policy that could be put in force' jfs dan audit replay --policy bad.policy || return 1
	jfs dan policy show practice | grep -q '^role nurse .* write ' || fail 'the draft was put in force'
}

t_state_tells_who_could_see_what() {
	jfs dan audit state >"$ROOT/said" || return 1
	says 'Logged in' 'anna' 'pending review' || return 1
	jfs dan audit state --journal "$HANSEN" >"$ROOT/said" || return 1
	says 'unit entry' 'bo' || return 1
	grep -q 'eva.*read' "$ROOT/said" && grep 'eva' "$ROOT/said" | grep -qv "$WHY" && fail "eva reads: $(cat "$ROOT/said")" && return 1
	# While the glass was broken, and bo had an entry of his own.
	jfs dan audit state --who eva >"$ROOT/said" || return 1
	says "$OLSEN" 'attend' || return 1
	jfs dan audit state --at 2001-01-01 >"$ROOT/said" || return 1
	says 'nobody could see anything' || return 1
	refused 'there was no practitioner nobody then' jfs dan audit state --who nobody || return 1
	refused 'needs the audit' jfs bo audit state
}

t_a_copy_replays_the_same_elsewhere() {
	as dan mkdir -p out || return 1
	jfs dan audit key export out/key --new-passphrase-fd 9 9< <(printf '%s\n' "$KEYPASS") >/dev/null || return 1
	jfs dan audit copy out/log >/dev/null || return 1
	cp -r "$ROOT/home/dan/out" "$ROOT/elsewhere" && chown -R jft-bo: "$ROOT/elsewhere" || return 1
	offline replay --decisions >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	says 'Nothing was decided against the policy.' || return 1
	offline replay >"$ROOT/said" 2>&1 || return 1
	says 'BREAKS THE GLASS' || return 1
	offline state --who eva >"$ROOT/said" 2>&1 || return 1
	says "$OLSEN"
}

need_root
clinic || { echo "FAIL set_up"; exit 1; }
run_tests
