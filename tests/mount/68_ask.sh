#!/bin/bash
# Questions to the log: a patient's statement, a practitioner's use, what is unusual, a sample, an incident's pack.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
REASON='found unconscious at home, the ambulance asks for medicines'
PASS_lis='lis asks what the log knows'
KEYPASS='a passphrase for the key file'

asking_practice() { # LINE...: the practice with an auditor who is nothing else, and these lines
	practice_policy
	echo 'break-glass limit 60m reason 20 review 72h'
	echo 'practitioner lis user jft-lis role auditor'
	printf '%s\n' "$@"
}

refused() { # EXIT TEXT COMMAND...: fails so and says so
	local exit=$1 want=$2 rc
	shift 2
	"$@" >"$ROOT/said" 2>&1
	rc=$?
	[ $rc -eq "$exit" ] || fail "$* ended with $rc: $(cat "$ROOT/said")" || return 1
	grep -q -- "$want" "$ROOT/said" || fail "$* said: $(cat "$ROOT/said")"
}

ask() { # COMMAND [ARGUMENT...]: as the auditor
	jfs lis audit "$@"
}

has() { # TEXT...: all of these in what was answered
	local t
	for t in "$@"; do
		grep -qF -- "$t" "$ROOT/answer" || fail "lacks '$t': $(cat "$ROOT/answer")" || return 1
	done
}

hasnt() { # TEXT...: none of these
	local t
	for t in "$@"; do
		! grep -qF -- "$t" "$ROOT/answer" || fail "has '$t': $(cat "$ROOT/answer")" || return 1
	done
}

t_set_up_a_clinic_that_is_asked_about() {
	account lis || return 1
	asking_practice | put_policy dan practice || return 1
	enroll lis && login lis && login anna && login bo && login eva || return 1
	for j in "$HANSEN" "$OLSEN"; do
		as anna mkdir "$(J anna)/$j" && as anna sh -c "echo 'finding' >'$(J anna)/$j/note.txt'" || return 1
	done
	{ jfs dan policy show "$HANSEN"; echo 'allow user:bo:r-x'; } | put_policy dan "$HANSEN" || return 1
	as bo cat "$(J bo)/$HANSEN/note.txt" >/dev/null || return 1
	as eva ls "$(J eva)/$HANSEN" 2>/dev/null && fail 'eva is in' && return 1
	jfs eva break-glass "$HANSEN" --ground danger --reason "$REASON" --yes || return 1
	as eva cat "$(J eva)/$HANSEN/note.txt" >/dev/null || return 1
	as lis mkdir out
	sleep 0.3
}

t_statement_says_units_until_policy_says_names() {
	ask patient "$HANSEN" >"$ROOT/answer" || return 1
	has 'Afdeling Nord' 'Afdeling Syd' EMERGENCY "$REASON" physician 'read' 'Klinik Nord' || return 1
	hasnt ' anna ' ' bo ' ' eva ' note.txt 'was refused' || return 1
	ask patient "$HANSEN" --all >"$ROOT/answer" && has note.txt || return 1
	asking_practice 'statement country DK refused' | put_policy dan practice || return 1
	ask patient "$HANSEN" >"$ROOT/answer" || return 1
	has anna bo eva 'was refused' EMERGENCY || return 1
	# The other journal is another patient's.
	hasnt "$OLSEN" || return 1
	ask patient "$OLSEN" >"$ROOT/answer" && hasnt "$REASON" ' bo ' "$HANSEN"
}

t_statement_in_all_forms() {
	ask patient "$HANSEN" --json >"$ROOT/answer" || return 1
	python3 - "$ROOT/answer" <<-'END' || fail "json: $(cat "$ROOT/answer")" || return 1
		import json, sys
		rows = [json.loads(l) for l in open(sys.argv[1])]
		visits = [r for r in rows if r.get("kind") == "visit"]
		assert any(v.get("emergency") == "EMERGENCY" and v["by"] == "eva" for v in visits), visits
	END
	ask patient "$HANSEN" --csv >"$ROOT/answer" || return 1
	head -n 1 "$ROOT/answer" | grep -q '^from,until,by' || fail "csv: $(cat "$ROOT/answer")" || return 1
	ask patient "$HANSEN" --fhir >"$ROOT/answer" || return 1
	python3 -c 'import json,sys; b=json.load(open(sys.argv[1])); assert b["resourceType"] == "Bundle" and b["entry"]' "$ROOT/answer" || return 1
	hasnt note.txt "$OLSEN" || return 1
	ask patient "$HANSEN" --html "out/hansen.html" || return 1
	[ "$(stat -c %a "$ROOT/home/lis/out/hansen.html")" = 600 ] || fail mode || return 1
	cp "$ROOT/home/lis/out/hansen.html" "$ROOT/answer"
	has '<h1>' EMERGENCY eva
}

t_practitioner_is_shown_with_and_without_relationship() {
	asking_practice 'hours mon 00:00-00:01' "relative bo \"$HANSEN\"" | put_policy dan practice || return 1
	ask practitioner bo >"$ROOT/answer" || return 1
	has "A RELATIVE'S" "$HANSEN" 'nurse' 'Sessions' 'those of the practice policy' || return 1
	hasnt "$OLSEN" || return 1
	ask practitioner eva >"$ROOT/answer" || return 1
	has 'emergency access' 'emergency accesses' || return 1
	refused 1 'no practitioner olaf' ask practitioner olaf || return 1
	ask practitioner anna --json | python3 -c 'import json,sys; [json.loads(l) for l in sys.stdin]'
}

t_unusual_shows_relatives_with_the_reason() {
	ask unusual >"$ROOT/answer" || return 1
	has "a relative's journal" bo "$HANSEN" || return 1
	ask unusual --who anna >"$ROOT/answer" && hasnt "$HANSEN" || return 1
	asking_practice | put_policy dan practice || return 1
	ask unusual >"$ROOT/answer" || return 1
	hasnt "a relative's journal"
}

t_sample_is_drawn_again_and_signed_off() {
	ask sample --per-thousand 1000 --seed s --until -0m --csv >"$ROOT/answer" 2>/dev/null || return 1
	has "$HANSEN" note.txt || return 1
	cp "$ROOT/answer" "$ROOT/first"
	ask sample --per-thousand 300 --seed s --csv 2>/dev/null | tail -n +2 | cut -d, -f1 | sort -u >"$ROOT/some"
	ask sample --per-thousand 300 --seed s --csv 2>/dev/null | tail -n +2 | cut -d, -f1 | sort -u >"$ROOT/again"
	cmp "$ROOT/some" "$ROOT/again" || return 1
	ask sample --per-thousand 1000 --seed 2026-Q4 --sign-off 'all in order' >/dev/null || return 1
	ask show --who lis >"$ROOT/answer" || return 1
	has 'signed off a review of the log' 'seed 2026-Q4' 'all in order' '1000 per thousand' || return 1
	refused 2 'needs the --seed' ask sample --per-thousand 1 --sign-off x || return 1
	refused 2 'how large a sample' ask sample || return 1
}

t_incident_pack_is_whole_and_has_proofs() {
	local n
	# A checkpoint that covers all of it: each minute, and when the daemon ends.
	for n in lis anna bo eva dan; do logout $n >/dev/null; done
	stop_daemon && start_daemon && login dan && login lis && login anna && login bo && login eva || return 1
	ask incident --practitioner eva --journal "$HANSEN" --since -1d --to out/pack >"$ROOT/answer" || fail "$(cat "$ROOT/answer")" || return 1
	[ "$(stat -c %a "$ROOT/home/lis/out/pack")" = 700 ] || fail mode || return 1
	[ "$(find "$ROOT/home/lis/out/pack" -type f ! -perm 600 | wc -l)" = 0 ] || fail 'modes of files' || return 1
	(cd "$ROOT/home/lis/out/pack" && sha256sum --quiet -c SHA256SUMS) || return 1
	cp "$ROOT/home/lis/out/pack/README.txt" "$ROOT/answer"
	has eva "$REASON" 'Emergency accesses' 'Yes: all' 'Nothing was exported' || return 1
	grep -q 'note.txt' "$ROOT/home/lis/out/pack/notes.csv" || return 1
	grep -q '"who":"bo"' "$ROOT/home/lis/out/pack/records.jsonl" && fail 'somebody else' && return 1
	n=$(find "$ROOT/home/lis/out/pack/proofs" -name '*.tlog-proof' | wc -l)
	[ "$n" -ge 1 ] || fail 'no proofs' || return 1
	for n in "$ROOT"/home/lis/out/pack/proofs/*.tlog-proof; do
		"$JFS" audit check-proof "$n" --from "$ROOT/home/lis/out/pack/checkpoint.txt" >/dev/null || fail "$n" || return 1
	done
	refused 1 'is there already' ask incident --practitioner eva --since -1d --to out/pack || return 1
	refused 2 'is of somebody or something' ask incident --since -1d --to out/more || return 1
	refused 2 'since when' ask incident --practitioner eva --to out/more || return 1
	refused 1 'no record of the log fits' ask incident --practitioner olaf --since -1d --to out/more || return 1
	[ -z "$(find "$ROOT/home/lis/out" -maxdepth 1 -name 'more*')" ] || fail 'something is left behind'
}

t_incident_of_a_session_is_that_session_alone() {
	local id
	id=$(ask practitioner bo --json | python3 -c 'import json,sys
for l in sys.stdin:
    r = json.loads(l)
    if r.get("kind") == "session": print(r["session"]); break')
	[ ${#id} -eq 32 ] || fail "session $id" || return 1
	ask incident --session "${id:0:12}" --since -1d --to out/session >/dev/null || return 1
	python3 - "$ROOT/home/lis/out/session/records.jsonl" "$id" <<-'END'
		import json, sys
		rows = [json.loads(l) for l in open(sys.argv[1])]
		assert rows and all(r["session"] == sys.argv[2] for r in rows if "seq" in r), rows
	END
}

t_audit_help_has_every_command() {
	local c
	"$JFS" audit help >"$ROOT/answer" || return 1
	for c in show usage patient practitioner unusual report sample incident replay state verify anchor prove check-proof publish key copy archive; do
		grep -q "^  $c  *[a-z]" "$ROOT/answer" || fail "lacks $c" || return 1
	done
	refused 2 'audit help' "$JFS" audit nonsense || return 1
	refused 2 'audit COMMAND' "$JFS" audit || return 1
	refused 2 'usage: journalfs audit patient JOURNAL' "$JFS" audit patient
}

t_nobody_but_an_auditor_asks() {
	for who in bo eva; do
		refused 1 'needs the audit' jfs $who audit patient "$HANSEN" || return 1
		refused 1 'needs the audit' jfs $who audit practitioner anna || return 1
		refused 1 'needs the audit' jfs $who audit unusual || return 1
		refused 1 'needs the audit' jfs $who audit sample --per-thousand 1000 || return 1
		refused 1 'needs the audit' jfs $who audit incident --practitioner anna --since -1d --to pack || return 1
		[ ! -e "$ROOT/home/$who/pack" ] || fail 'a pack' || return 1
	done
	ask show --who bo >"$ROOT/answer" && has 'reading the log' || return 1
	# What the auditor asked is in the log too.
	ask show --who lis >"$ROOT/answer" && has 'audit patient' 'audit unusual' 'audit incident' 'audit sample' 'audit practitioner'
}

t_report_of_a_live_log_is_one_page() {
	local page=$ROOT/home/lis/out/report.html
	jfs lis audit report --html out/report.html >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	[ "$(stat -c %a "$page")" = 600 ] || fail "mode $(stat -c %a "$page")" || return 1
	cp "$page" "$ROOT/answer"
	has 'Klinik Nord' 'The log is whole' "${HANSEN#* }" "$REASON" '<span class="tag info">open<' || return 1
	grep -qiE '(src|href)="?(https?:)?//|<script' "$page" && fail 'something is loaded or run' && return 1
	refused 1 'needs the audit' jfs anna audit report --html mine.html || return 1
	[ ! -e "$ROOT/home/anna/mine.html" ] || fail 'a page for anna' || return 1
	ask show --who lis >"$ROOT/answer" && has 'audit report'
}

t_nothing_young_is_taken_out_of_the_log() {
	local before
	before=$(find "$VAULT/log" -name '*.seg' -printf '%f %s\n' | sort)
	jfs dan audit archive --before "$(date +%F)" --remove >"$ROOT/answer" 2>&1 || fail "$(cat "$ROOT/answer")" || return 1
	has 'Nothing may go' || return 1
	refused 1 'right' jfs anna audit archive --remove || return 1
	ask show --who anna >"$ROOT/answer" && has REFUSED || return 1
	[ "$(find "$VAULT/log" -name '*.seg' -printf '%f %s\n' | sort)" = "$before" ] || fail 'the segments changed'
}

t_answers_of_a_copy_are_those_of_the_vault() {
	jfs lis audit key export out/key --new-passphrase-fd 9 9< <(printf '%s\n' "$KEYPASS") >/dev/null || return 1
	jfs lis audit copy out/log >/dev/null || return 1
	for q in "patient '$HANSEN' --csv" "practitioner bo --csv" "unusual --csv"; do
		eval "as lis '$JFS' audit $q --log out/log --key out/key --passphrase-fd 9" >"$ROOT/off" 2>"$ROOT/said" \
			9< <(printf '%s\n' "$KEYPASS") || fail "$q" || return 1
		eval "ask $q" >"$ROOT/on" 2>/dev/null || return 1
		cmp "$ROOT/off" "$ROOT/on" || fail "$q: $(cat "$ROOT/said"; diff "$ROOT/off" "$ROOT/on")" || return 1
	done
	as lis "$JFS" audit sample --per-thousand 1000 --seed s --sign-off x --log out/log --key out/key --passphrase-fd 9 \
		>"$ROOT/said" 2>&1 9< <(printf '%s\n' "$KEYPASS") && fail 'a copy was signed off' && return 1
	grep -q 'signed off where the log is' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

# A pack is evidence: the copy alone is whole, and only what is kept of the log tells that its end is gone.
t_incident_of_a_log_that_was_rolled_back_says_so() {
	local of=(incident --practitioner eva --since -1d --log out/log.2 --key out/key --passphrase-fd 9)
	jfs lis audit copy out/log.2 >/dev/null || return 1
	as lis "$JFS" audit "${of[@]}" --to out/before 9< <(printf '%s\n' "$KEYPASS") >/dev/null || return 1
	cp "$ROOT/home/lis/out/before/README.txt" "$ROOT/answer" && has 'Yes: all' 'kept outside' || return 1
	as anna sh -c "echo 'seen again' >>'$(J anna)/$HANSEN/note.txt'" || return 1
	jfs lis audit anchor --to out/later >/dev/null || return 1
	as lis "$JFS" audit "${of[@]}" --to out/rolled --from out/later 9< <(printf '%s\n' "$KEYPASS") >/dev/null 2>"$ROOT/said" || return 1
	grep -q 'the log is not whole' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	cp "$ROOT/home/lis/out/rolled/README.txt" "$ROOT/answer" && has 'NO: '
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
