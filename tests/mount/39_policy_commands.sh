#!/bin/bash
# The steward's commands: check, put, edit, diff, log, show --at, explain, test, status, review; and who may not.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

PASS_rut='rut waters the tall ferns'
HANSEN='010190-1234 Hansen, Åse & søn'
ESC=$'\e'

policy_of() { # JOURNAL LINE...
	printf 'journal "%s"\nunit    north\nallow   user:anna:rwx\n' "$1"
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@"
}
put() { # WHO NAME OPTION... < TEXT
	local who=$1 name=$2
	shift 2
	cat >"$ROOT/put.policy"
	chmod 644 "$ROOT/put.policy"
	jfs "$who" policy put "$name" "$ROOT/put.policy" "$@"
}
newest() { jfs dan policy log --json | head -n 1 | grep -o '"version":[0-9]*' | cut -d: -f2; }
refused() { # WORDS COMMAND...: fails with status 1, saying this
	local want=$1 out rc
	shift
	out=$("$@" 2>&1)
	rc=$?
	[ $rc -eq 1 ] || fail "status $rc: $* -- $out" || return 1
	grep -q -- "$want" <<<"$out" || fail "wanted $want from: $* -- got: $out"
}
at_terminal() { # WHO KEYS COMMAND...: the command at a terminal at which KEYS are typed
	local who=$1 keys=$2 line
	shift 2
	printf -v line '%q ' "$@"
	printf "$keys" | as "$who" script -qefc "$line" /dev/null
}

t_stewards_and_practitioners_are_there() {
	account rut || return 1
	{ practice_policy; echo 'practitioner rut user jft-rut role steward'; } | put dan practice || return 1
	enroll rut && login rut && login anna && login bo && login eva || return 1
	as anna mkdir "$(J anna)/$HANSEN" || return 1
	as anna sh -c "echo finding >'$(J anna)/$HANSEN/note.txt'"
}

t_check_reports_all_errors_under_the_files_own_name() {
	policy_of "$HANSEN" 'allow user:bbo:rwx' 'allow unit:nroth:r-x' >"$ROOT/draft one.policy"
	jfs dan policy check "$ROOT/draft one.policy" 2>"$ROOT/said" && return 1
	grep -q "^$ROOT/draft one.policy:4:.*did you mean .bo" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q "^$ROOT/draft one.policy:5:.*did you mean .north" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs dan policy check "$HANSEN" "$ROOT/draft one.policy" 2>&1 | grep -c "^$ROOT/draft one.policy:" | grep -qx 2 || return 1
	policy_of "$HANSEN" >"$ROOT/draft one.policy"
	jfs dan policy check "$ROOT/draft one.policy" | grep -q "would be accepted as $HANSEN" || return 1
	practice_policy >"$ROOT/p.policy"
	# rut is enrolled and may not simply be gone.
	refused "^$ROOT/p.policy:.*rut" jfs dan policy check "$ROOT/p.policy" || return 1
	refused "^$ROOT/p.policy:.*rut" jfs dan policy check practice "$ROOT/p.policy" || return 1
	refused 'policy right' jfs anna policy check "$ROOT/p.policy"
}

t_wrong_usage_is_status_2() {
	local rc
	for args in 'policy' 'policy frobnicate' 'policy put practice' 'policy diff' 'policy show practice --at yesterdayish' \
		'policy show practice --version 2 --at -1h' 'policy explain' 'policy explain --note x --action read' \
		'policy diff practice --from x' 'policy diff practice --to 2' 'policy test' 'policy status more' \
		'policy review --sign-off=' 'audit frobnicate' 'audit show --since yesterdayish' 'invite --days 91 bo'; do
		# shellcheck disable=SC2086
		jfs dan $args >/dev/null 2>"$ROOT/said"
		rc=$?
		[ $rc -eq 2 ] || fail "status $rc of: $args -- $(cat "$ROOT/said")" || return 1
		[ -s "$ROOT/said" ] || fail "nothing said: $args" || return 1
	done
	[ "$(jfs dan status --version)" = "$("$JFS" --version)" ]
}

t_put_takes_a_reason_that_the_log_of_versions_shows_escaped() {
	FIRST=$(newest)
	policy_of "$HANSEN" 'allow user:bo:r-x until 2099-12-31 reason "stands in"' |
		put dan "$HANSEN" --reason "anna er syg ${ESC}[31mrød" || return 1
	SECOND=$(newest)
	[ "$SECOND" -gt "$FIRST" ] || return 1
	jfs dan policy log "$HANSEN" >"$ROOT/log" || return 1
	grep -qF 'why: anna er syg \x1b[31mrød' "$ROOT/log" || fail "$(cat "$ROOT/log")" || return 1
	! grep -q "$ESC" "$ROOT/log" || fail "an escape reaches the terminal" || return 1
	grep -q "version $SECOND .* dan .*$HANSEN  (in force)" "$ROOT/log" || fail "$(cat "$ROOT/log")" || return 1
	grep -q '+1 -0: + allow user:bo:r-x until 2099-12-31' "$ROOT/log" || fail "$(cat "$ROOT/log")" || return 1
	tail -n 2 "$ROOT/log" | grep -q ' anna .*(first)' || fail "$(cat "$ROOT/log")" || return 1
	jfs dan policy log "$HANSEN" --json | head -n 1 | grep -qi '"reason":"anna er syg \\u001b\[31mrød"' || return 1
	audit --journal "$HANSEN" --json | grep '"policy"' | grep -qF 'anna er syg' || fail "not in the access log"
}

t_put_from_an_old_version_is_refused() {
	policy_of "$HANSEN" >"$ROOT/put.policy"
	refused 'no longer in force: dan replaced it' jfs dan policy put "$HANSEN" "$ROOT/put.policy" --version "$FIRST" || return 1
	[ "$(newest)" = "$SECOND" ]
}

t_show_and_diff_of_versions() {
	jfs dan policy show "$HANSEN" --version "$FIRST" | grep -q bo && fail "the first has bo" && return 1
	jfs dan policy show "$HANSEN" --version "$SECOND" | grep -q user:bo || return 1
	jfs dan policy diff "$HANSEN" >"$ROOT/diff" || return 1
	grep -q '^+allow user:bo:r-x' "$ROOT/diff" && ! grep -q '^-allow' "$ROOT/diff" || fail "$(cat "$ROOT/diff")" || return 1
	jfs dan policy diff "$HANSEN" --from "$SECOND" --to "$FIRST" | grep -q '^-allow user:bo:r-x' || return 1
	policy_of "$HANSEN" 'allow user:bo:rwx' >"$ROOT/draft"
	jfs dan policy diff "$HANSEN" "$ROOT/draft" | grep -q '^+allow user:bo:rwx' || return 1
	jfs dan policy diff practice --from 1 | grep -q '^+role manager' || return 1
	refused 'no policy' jfs dan policy show "no such journal" --version "$SECOND"
}

t_moments_find_renamed_and_removed_journals() {
	as anna mkdir "$(J anna)/old name" || return 1
	sleep 1.1
	THEN=$(date '+%Y-%m-%d %H:%M:%S')
	sleep 1.1
	as anna mv "$(J anna)/old name" "$(J anna)/new name" || return 1
	as anna mkdir "$(J anna)/short-lived" && as anna rmdir "$(J anna)/short-lived" || return 1
	sleep 1.1
	jfs dan policy show "old name" --at "$THEN" | grep -q 'journal "old name"' || return 1
	jfs dan policy show "new name" | grep -q 'journal "new name"' || return 1
	refused 'no policy' jfs dan policy show "old name" || return 1
	refused 'no policy "old name" then' jfs dan policy show "old name" --at "$(date '+%Y-%m-%d %H:%M:%S')" || return 1
	jfs dan policy show "short-lived" --at "$(date '+%Y-%m-%d %H:%M:%S')" | grep -q user:anna || return 1
	jfs dan policy log "short-lived" | grep -q 'its journal is gone' || return 1
	jfs dan policy log "old name" | head -n 1 | grep -q 'new name' || return 1
	refused 'no policy' jfs dan policy show practice --at 2001-01-01
}

t_parts_of_the_practice_have_a_history_of_their_own() {
	{ jfs dan policy show; echo 'include practice.d'; } | put dan practice >/dev/null || return 1
	echo 'unit west "Vest"' | put dan practice.d/west --reason 'a third house' >"$ROOT/said" 2>&1 || {
		fail "$(cat "$ROOT/said")"
		return 1
	}
	[ "$(jfs dan policy show practice.d/west)" = 'unit west "Vest"' ] || return 1
	jfs dan policy diff practice.d/west | grep -qx '+unit west "Vest"' || return 1
	echo 'unit west "Vestfløjen"' | put dan practice.d/west >/dev/null || return 1
	[ "$(jfs dan policy log practice.d/west | grep -c ^version)" = 2 ] || fail "$(jfs dan policy log practice.d/west)" || return 1
	jfs dan policy log practice.d/west | grep -q 'why: a third house' || return 1
	echo 'unit west' >"$ROOT/part"
	refused "^$ROOT/part:1:10: " jfs dan policy check practice.d/west "$ROOT/part"
}

t_earlier_versions_are_for_stewards_and_auditors() {
	refused 'does not have' jfs anna policy show "$HANSEN" --version "$FIRST" || return 1
	refused 'does not have' jfs anna policy log || return 1
	refused 'does not have' jfs anna policy log "no such journal" || return 1
	audit --who anna | grep -q 'reading earlier versions of a policy' || fail "not logged"
}

t_edit_offers_again_after_errors() {
	cat >"$ROOT/editor" <<-'END'
		#!/bin/sh
		n=$(cat "$HOME/rounds" 2>/dev/null || echo 0)
		echo $((n + 1)) >"$HOME/rounds"
		[ "$n" -gt 0 ] && { sed -i 's/bbo/bo/; s/rwq/rwx/' "$1"; exit 0; }
		sed -i 's/user:bo:r-x.*/user:bbo:rwq/' "$1"
	END
	chmod 755 "$ROOT/editor"
	at_terminal dan 'x\ne\n' env EDITOR="$ROOT/editor" "$JFS" policy --vault "$ROOT/clinic.conf" edit "$HANSEN" \
		--reason 'more for bo' >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'rwq' "$ROOT/said" && grep -q '(e)dit again' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	[ "$(cat "$ROOT/home/dan/rounds")" = 2 ] || fail "rounds" || return 1
	jfs dan policy show "$HANSEN" | grep -q 'user:bo:rwx' || return 1
	jfs dan policy log "$HANSEN" | grep -q 'why: more for bo' || return 1
	[ -z "$(find /dev/shm -maxdepth 1 -user jft-dan -name 'journalfs-policy-*')" ] || fail "the text lies about"
}

t_edit_keeps_or_discards_a_refused_text() {
	printf '#!/bin/sh\necho "allow user:bbo:rwx" >>"$1"\n' >"$ROOT/editor"
	chmod 755 "$ROOT/editor"
	at_terminal dan 'k\n' env EDITOR="$ROOT/editor" "$JFS" policy --vault "$ROOT/clinic.conf" edit "$HANSEN" \
		>"$ROOT/said" 2>&1 && fail accepted && return 1
	local kept
	kept=$(grep -o '/dev/shm/journalfs-policy-[A-Za-z0-9]*/text.policy' "$ROOT/said" | head -n 1)
	as dan grep -q bbo "$kept" || fail "not kept: $(cat "$ROOT/said")" || return 1
	as dan rm -r "$(dirname "$kept")"
	at_terminal dan 'd\n' env EDITOR="$ROOT/editor" "$JFS" policy --vault "$ROOT/clinic.conf" edit "$HANSEN" \
		>"$ROOT/said" 2>&1 && fail accepted && return 1
	[ -z "$(find /dev/shm -maxdepth 1 -user jft-dan -name 'journalfs-policy-*')" ] || fail "not discarded" || return 1
	! jfs dan policy show "$HANSEN" | grep -q bbo
}

t_edit_shows_what_another_steward_changed_meanwhile() {
	cat >"$ROOT/editor" <<-END
		#!/bin/sh
		n=\$(cat "\$HOME/again" 2>/dev/null || echo 0)
		echo \$((n + 1)) >"\$HOME/again"
		if [ "\$n" = 0 ]; then
			sed -i 's/^unit    north/unit    north\n# as dan sees it/' "\$1"
			touch "$ROOT/home/dan/in-editor"
			for i in \$(seq 200); do [ -e "$ROOT/rut-is-done" ] && exit 0; sleep 0.05; done
			exit 1
		fi
		grep -q 'from rut' "\$1" || exit 1
		grep -q 'as dan sees it' "\$(dirname "\$1")/mine-1.policy" || exit 1
		sed -i 's/^unit    north/unit    north\n# as dan sees it/' "\$1"
	END
	chmod 755 "$ROOT/editor"
	at_terminal dan 'e\n' env EDITOR="$ROOT/editor" "$JFS" policy --vault "$ROOT/clinic.conf" edit "$HANSEN" \
		>"$ROOT/said" 2>&1 &
	local editing=$!
	wait_for 10 test -e "$ROOT/home/dan/in-editor" || fail "no editor: $(cat "$ROOT/said")" || return 1
	{ jfs rut policy show "$HANSEN"; echo '# from rut'; } | put rut "$HANSEN" || return 1
	touch "$ROOT/rut-is-done"
	wait $editing || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'rut replaced it' "$ROOT/said" && grep -q '^+# from rut' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs dan policy show "$HANSEN" >"$ROOT/now"
	grep -q 'from rut' "$ROOT/now" && grep -q 'as dan sees it' "$ROOT/now"
}

t_edit_without_a_terminal_keeps_the_text() {
	printf 'nonsense\n' | put_policy dan "$HANSEN" >"$ROOT/said" 2>&1 && return 1
	grep -q 'Your text is kept' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

t_explain_says_why_and_what_is_missing() {
	jfs dan policy explain --who eva --journal "$HANSEN" --note note.txt >"$ROOT/said" || return 1
	grep -q 'eva' "$ROOT/said" && grep -q 'note "note.txt"' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -qi 'den\|refus\|may not' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs dan policy explain --who bo --journal "$HANSEN" --action read,write | grep -q 'allow user:bo:rwx (line' || return 1
	jfs dan policy explain --who anna --action policy | grep -qi 'role physician' || return 1
	refused 'is no action' jfs dan policy explain --who anna --action fly || return 1
	audit --who dan | grep -q 'the access of eva was explained' || fail "not logged"
}

t_explain_at_a_time_uses_the_policies_of_then() {
	jfs dan policy explain --who bo --journal "$HANSEN" --at "$THEN" | grep -q 'user:bo:r-x' || return 1
	jfs dan policy explain --who anna --journal "old name" --at "$THEN" >"$ROOT/said" || return 1
	grep -q 'journal "old name"' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs dan policy explain --who anna --journal "short-lived" >"$ROOT/said" || return 1
	grep -q 'not there any more' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

t_practitioners_ask_about_themselves_only() {
	jfs bo policy explain --journal "$HANSEN" | grep -q 'user:bo' || return 1
	jfs bo policy explain --who bo --journal "$HANSEN" >/dev/null || return 1
	refused 'does not have' jfs bo policy explain --who eva --journal "$HANSEN" || return 1
	refused 'does not have' jfs bo policy explain --who nobody --journal "$HANSEN" || return 1
	audit --who bo | grep -q 'explaining the access of eva' || fail "not logged"
}

t_hidden_journal_is_explained_like_none() {
	jfs eva policy explain --journal "$HANSEN" >"$ROOT/hidden" 2>&1 && fail explained && return 1
	jfs eva policy explain --journal "no such journal" >"$ROOT/none" 2>&1 && fail explained && return 1
	sed "s/$HANSEN/NAME/" "$ROOT/hidden" >"$ROOT/a"
	sed 's/no such journal/NAME/' "$ROOT/none" >"$ROOT/b"
	cmp "$ROOT/a" "$ROOT/b" || fail "$(cat "$ROOT/hidden" "$ROOT/none")" || return 1
	# A block hides: from bo, who could ask before, and also when he asks about a time before it. (What is said
	# depends on the role of who asks: the way of an emergency is told to who has it.)
	jfs bo policy explain --journal "no such journal" 2>&1 | sed 's/no such journal/NAME/' >"$ROOT/b"
	jfs bo policy explain --journal "no such journal" --at "$THEN" 2>&1 | sed 's/no such journal/NAME/' >"$ROOT/then"
	{ jfs dan policy show "$HANSEN"; echo 'block user:bo'; } | put dan "$HANSEN" >/dev/null || return 1
	jfs bo policy explain --journal "$HANSEN" >"$ROOT/hidden" 2>&1 && fail explained && return 1
	sed "s/$HANSEN/NAME/" "$ROOT/hidden" | cmp - "$ROOT/b" || return 1
	jfs bo policy explain --journal "$HANSEN" --at "$THEN" >"$ROOT/hidden" 2>&1 && fail explained && return 1
	sed "s/$HANSEN/NAME/" "$ROOT/hidden" | cmp - "$ROOT/then" || return 1
	BLOCKED=$(date '+%Y-%m-%d %H:%M:%S')
	sleep 1.1
	jfs dan policy show "$HANSEN" | grep -v ^block | put dan "$HANSEN" >/dev/null || return 1
	jfs bo policy explain --journal "$HANSEN" >/dev/null || return 1
	# And the block that is lifted is not told afterwards.
	jfs bo policy explain --journal "$HANSEN" --at "$BLOCKED" >"$ROOT/hidden" 2>&1 && fail explained && return 1
	sed "s/$HANSEN/NAME/" "$ROOT/hidden" | cmp - "$ROOT/then" || return 1
	jfs dan policy explain --who bo --journal "$HANSEN" --at "$BLOCKED" | grep -q 'block user:bo'
}

t_expectations_hold_or_fail_by_name() {
	cat >"$ROOT/expect" <<-END
		expect anna read,write "$HANSEN" allow
		expect eva  read       "$HANSEN" deny
		expect eva  -          "$HANSEN" hidden
		expect rut  policy     allow
	END
	jfs dan policy test "$ROOT/expect" | grep -qx '4 expectations, 0 failed' || fail "$(jfs dan policy test "$ROOT/expect" 2>&1)" || return 1
	{ jfs dan policy show "$HANSEN"; echo 'allow user:eva:r-x'; } >"$ROOT/draft"
	jfs dan policy test "$ROOT/expect" --draft "$HANSEN=$ROOT/draft" >"$ROOT/said"
	[ $? -eq 1 ] || fail "status" || return 1
	grep -qx '4 expectations, 2 failed' "$ROOT/said" && grep -q '2:.*eva' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs dan policy explain --who eva --journal "$HANSEN" | grep -qi 'den\|refus\|may not' || fail "the draft is in force" || return 1
	# Drafts of the practice count too, and what does not parse is reported.
	jfs dan policy show | sed 's/^role nurse .*/role nurse clinical may list read/' >"$ROOT/practice.draft"
	echo "expect bo write \"$HANSEN\" allow" >"$ROOT/expect2"
	jfs dan policy test "$ROOT/expect2" | grep -qx '1 expectation, 0 failed' || return 1
	jfs dan policy test "$ROOT/expect2" --draft "practice=$ROOT/practice.draft" | grep -qx '1 expectation, 1 failed' || return 1
	echo 'role nurze' >>"$ROOT/practice.draft"
	refused 'practice.*:[0-9]*:' jfs dan policy test "$ROOT/expect2" --draft "practice=$ROOT/practice.draft" || return 1
	refused 'policy right' jfs anna policy test "$ROOT/expect"
}

t_expectations_are_judged_by_a_directory_alone() {
	mkdir -p "$ROOT/texts/journals" "$ROOT/texts/practice.d"
	{ practice_policy; echo 'include practice.d'; } >"$ROOT/texts/practice.policy"
	echo 'practitioner zoe user zoe role nurse unit south' >"$ROOT/texts/practice.d/south.policy"
	policy_of "$HANSEN" 'allow user:zoe:r-x' >"$ROOT/texts/journals/hansen.policy"
	cat >"$ROOT/expect3" <<-END
		expect anna read  "$HANSEN" allow
		expect zoe  read  "$HANSEN" allow
		expect zoe  write "$HANSEN" allow
	END
	chmod -R a+rX "$ROOT/texts"
	stop_daemon || return 1
	jfs bo policy test "$ROOT/expect3" --from "$ROOT/texts" >"$ROOT/said"
	[ $? -eq 1 ] || fail "status" || return 1
	grep -qx '3 expectations, 1 failed' "$ROOT/said" && grep -q '3:.*zoe' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	sed -i 3d "$ROOT/expect3"
	jfs bo policy test "$ROOT/expect3" --from "$ROOT/texts" | grep -qx '2 expectations, 0 failed' || return 1
	echo 'allow user:zoo:r-x' >>"$ROOT/texts/journals/hansen.policy"
	refused "^$ROOT/texts/journals/hansen.policy:5:.*did you mean .zoe" jfs bo policy test "$ROOT/expect3" --from "$ROOT/texts" || return 1
	start_daemon && login dan && login anna && login bo && login rut
}

t_status_shows_what_waits_and_the_next_step() {
	{ practice_policy; echo 'practitioner rut user jft-rut role steward'; echo 'include practice.d'; } |
		sed '/practitioner eva/s/$/ on leave/; /practitioner bo/s/$/ until '"$(date -d '+10 days' +%F)"'/' |
		put dan practice >/dev/null || return 1
	jfs dan policy show | sed '/^practitioner rut/a practitioner sue user jft-sue role secretary' | put dan practice || return 1
	policy_of "$HANSEN" "allow user:bo:r-x until $(date -d '+5 days' +%F) reason \"holiday\"" \
		"allow user:rut:r-x until $(date -d '+40 days' +%F)" | put dan "$HANSEN" >/dev/null || return 1
	jfs dan policy status >"$ROOT/said" || return 1
	grep -q 'sue has not been invited' "$ROOT/said" && grep -q 'journalfs invite sue' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'eva is on leave' "$ROOT/said" && grep -q "bo's time ends with $(date -d '+10 days' +%F)" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q "$HANSEN\": allow user:bo:r-x ends with $(date -d '+5 days' +%F)" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	! grep -q 'user:rut' "$ROOT/said" || fail "40 days are not within 30" || return 1
	jfs dan policy status --days 50 | grep -q 'user:rut:r-x ends' || return 1
	jfs dan policy status --json | grep '"kind":"leave"' | grep -q '"who":"eva"' || return 1
	refused 'policy right' jfs anna policy status || return 1
	audit --who anna | grep -q 'reading what waits for a steward' || fail "not logged"
}

t_status_names_who_waits_for_a_key() {
	logout anna
	logout bo
	jfs dan policy show | sed '/practitioner eva/s/ on leave//' | put dan practice >/dev/null || return 1
	{ jfs dan policy show "$HANSEN"; echo 'allow user:eva:rwx'; } | put dan "$HANSEN" >/dev/null || return 1
	login eva || return 1
	sleep 1.5
	jfs dan policy status >"$ROOT/said"
	grep -q "$HANSEN\": its key waits for eva" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'one of them logs in: anna' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs dan policy explain --who eva --journal "$HANSEN" | grep -q 'key has not been given to eva yet' || fail "explain" || return 1
	login anna
	wait_for 10 as eva test -r "$(J eva)/$HANSEN/note.txt" || fail "eva was not admitted" || return 1
	! jfs dan policy status | grep -q 'waits for eva'
}

t_review_is_a_report_for_people_and_json() {
	login bo
	as bo cat "$(J bo)/$HANSEN/note.txt" >/dev/null || return 1
	jfs dan audit usage --since -1d >"$ROOT/usage.json" || return 1
	chmod 644 "$ROOT/usage.json"
	grep -q '"who": "bo"' "$ROOT/usage.json" && ! grep -q 'note.txt' "$ROOT/usage.json" || fail "$(cat "$ROOT/usage.json")" || return 1
	jfs rut policy review --usage "$ROOT/usage.json" >"$ROOT/said" || return 1
	grep -q '^ACCESS REVIEW  Klinik Nord' "$ROOT/said" && grep -q 'last sign-off *none yet' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'dan holds several duties: steward, auditor' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'operator: unknown' "$ROOT/said" && grep -q 'dan alone has the right audit' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep "own entry.*$HANSEN" "$ROOT/said" | grep -q 'uses: [1-9]' || fail "$(cat "$ROOT/said")" || return 1
	grep "own entry.*new name" "$ROOT/said" | grep -q 'NOT USED' || fail "$(cat "$ROOT/said")" || return 1
	jfs rut policy review --json --usage "$ROOT/usage.json" | grep '"item":"access"' | grep '"who":"bo"' | grep -q '"used":[1-9]' || return 1
	jfs rut policy review --unit south | grep -q 'Practitioners' || return 1
	! jfs rut policy review --unit south | grep -q '^bo,' || fail "bo is of north" || return 1
	refused 'no unit' jfs rut policy review --unit nowhere
}

t_review_and_usage_are_not_for_practitioners() {
	mounted anna || login anna || return 1
	refused 'does not have' jfs anna policy review || return 1
	refused 'does not have' jfs anna policy review --sign-off 'all well' || return 1
	audit --who anna | grep -q 'making an access review' || fail "not logged" || return 1
	refused 'right\|audit' jfs rut audit usage || return 1
	echo '{}' >"$ROOT/usage2.json"
	refused 'is not what' jfs rut policy review --usage "$ROOT/usage2.json"
}

t_sign_off_names_the_reports_digest_in_the_access_log() {
	local sum version
	jfs rut policy review --sign-off "looked at all of it ${ESC}[1m; bo goes in June" >"$ROOT/report" 2>"$ROOT/said" || return 1
	sum=$(sha256sum <"$ROOT/report" | cut -d' ' -f1)
	grep -q "$sum" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	audit --who rut | grep "$sum" | grep -qF 'looked at all of it' || fail "$(audit --who rut | tail -n 3)" || return 1
	! audit --who rut | grep -q "$ESC" || fail "an escape reaches the terminal" || return 1
	version=$(newest)
	jfs dan policy show | sed 's/Afdeling Syd/Afdeling Syd og Vest/' | put dan practice --reason 'a new name' >/dev/null || return 1
	jfs rut policy review >"$ROOT/report" || return 1
	grep -q "last sign-off *number 1, .* by rut, SHA-256 $sum" "$ROOT/report" || fail "$(head -n 12 "$ROOT/report")" || return 1
	sed -n '/since the last sign-off/,/journals. policies/p' "$ROOT/report" >"$ROOT/changes"
	grep -q "version $((version + 1)) .*why: a new name" "$ROOT/changes" || fail "$(cat "$ROOT/changes")" || return 1
	[ "$(grep -c 'version [0-9]' "$ROOT/changes")" = 1 ] || fail "$(cat "$ROOT/changes")"
}

# A copy of a program under another name is another program to the practice.
named() { install -m 755 "$(command -v "$1")" "$PROBES/$2"; }
# The practice as it is, with rut as a steward and without such lines.
undenied() { jfs dan policy show | grep -v '^program deny' >"$ROOT/undenied" && { grep -q '^practitioner rut' "$ROOT/undenied" || echo 'practitioner rut user jft-rut role steward'; cat "$ROOT/undenied"; }; }
deny_line() { { undenied; [ $# = 0 ] || echo "program deny $*"; } | put rut practice; }
denials() { audit | grep REFUSED | grep -c "program deny $1"; }

t_denied_programs_find_nothing_and_are_counted() {
	local note out
	note="$(J anna)/$HANSEN/note.txt"
	logout anna && login anna || return 1 # a session of which nothing was counted yet
	named cat tracker-miner-fs && named find updatedb && named ls plocate || return 1
	as anna "$PROBES/tracker-miner-fs" "$note" | grep -qx finding || fail "kept out before the line" || return 1
	deny_line tracker-miner-fs updatedb plocate || return 1
	for out in 1 2 3; do
		expect_errno EACCES as anna "$PROBES/tracker-miner-fs" "$note" || return 1
		expect_errno EACCES as anna "$PROBES/plocate" "$(J anna)" || return 1
		expect_errno EACCES as anna "$PROBES/plocate" "$(J anna)/$HANSEN" || return 1
	done
	out=$(as anna "$PROBES/updatedb" "$(J anna)" 2>/dev/null)
	[ "$out" = "$(J anna)" ] || fail "walked: $out" || return 1
	as anna stat "$(J anna)" >/dev/null && as anna cat "$note" | grep -qx finding && as anna ls "$(J anna)" | grep -qxF "$HANSEN" || fail "others are kept out too" || return 1
	[ "$(denials tracker-miner-f)" = 1 ] && [ "$(denials plocate)" = 1 ] && [ "$(denials updatedb)" = 1 ] || fail "not one record each: $(audit | grep "program deny")" || return 1
	audit | grep "program deny" | grep -F "${HANSEN#* }" && fail "a journal is named" && return 1
	logout anna || return 1
	[ "$(denials tracker-miner-f)" = 2 ] || fail "the end of the session told no number" || return 1
	login anna && deny_line || return 1
	as anna "$PROBES/tracker-miner-fs" "$note" | grep -qx finding
}

t_denied_program_saves_what_it_has_open() {
	local note p
	note="$(J anna)/$HANSEN/open.txt"
	named sh baloo_file || return 1
	as anna "$PROBES/baloo_file" -c "exec 7>>'$note' && echo one >&7 && touch '$ROOT/home/anna/opened' &&
		until [ -e '$ROOT/home/anna/go' ]; do sleep 0.05; done && echo two >&7 && exec 7>&-" &
	p=$!
	wait_for 10 test -e "$ROOT/home/anna/opened" && deny_line baloo_file && as anna touch "$ROOT/home/anna/go" && wait "$p" || return 1
	[ "$(as anna cat "$note" | tr '\n' ' ')" = 'one two ' ] || return 1
	expect_errno EACCES as anna "$PROBES/baloo_file" -c "echo three >>'$note'" || return 1
	deny_line
}

t_steward_takes_a_line_back_with_a_denied_program() {
	local file
	file="$(J rut)/.policy/practice.policy"
	named tee noted && deny_line noted bash cat ls && grep -q . <(as rut cat "$file") || return 1
	as rut ls "$(J rut)/.policy" | grep -qx practice.policy || fail ".policy can't be listed" || return 1
	expect_errno EACCES as rut ls "$(J rut)" || return 1
	undenied | as rut "$PROBES/noted" "$file" >/dev/null || return 1
	as rut ls "$(J rut)" >/dev/null && as anna cat "$(J anna)/$HANSEN/note.txt" | grep -qx finding
}

t_long_answers_come_whole() {
	mounted anna || login anna || return 1
	as anna sh -c 'cd "$1" && for i in $(seq 230); do mkdir "many $i" || exit 1; done' sh "$(J anna)" || return 1
	[ "$(jfs dan policy log --json | grep -c '"file":"many ')" = 230 ] || fail "log" || return 1
	[ "$(jfs rut policy review --json | grep '"item":"access"' | grep -c '"journal":"many ')" = 230 ] || fail "review" || return 1
	# Who stops reading stops the daemon's answer, and nothing else.
	jfs dan policy log | head -n 1 | grep -q 'many 230' || return 1
	jfs dan policy log practice | grep -q "(the vault's root)" || return 1
	as anna sh -c 'cd "$1" && rmdir many*' sh "$(J anna)"
}

t_signed_off_and_reasons_survive_a_restart() {
	stop_daemon && start_daemon && login dan || return 1
	jfs dan policy review | grep -q 'last sign-off *number 1, .* by rut' || return 1
	jfs dan policy log "$HANSEN" | grep -q 'why: more for bo'
}

need_root
clinic || { echo "FAIL clinic: set-up"; cat "$ROOT/daemon.log"; exit 1; }
run_tests
