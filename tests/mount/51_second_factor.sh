#!/bin/bash
# Second factors and passphrase rules: enrolled, asked for, used once, required; passphrases that grow old or come again.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

declare -A SECRET STEP
CODE=
LATER=0

practice() { # SESSION-SETTINGS
	practice_policy
	[ -z "${1:-}" ] || echo "session $1"
}

at_step() { # NAME STEP: what the app shows then
	oathtool --totp -b "${SECRET[$1]}" --now "@$(($2 * 30))"
}

# In CODE: one of now or the next half minute, later than what this test used before.
next_code() { # NAME
	local now step
	while :; do
		now=$((($(date +%s) + LATER) / 30))
		step=$now
		[ "$step" -gt "${STEP[$1]:-0}" ] || step=$((STEP[$1] + 1))
		[ "$step" -le $((now + 1)) ] && break
		sleep 0.5
	done
	STEP[$1]=$step
	CODE=$(at_step "$1" "$step")
}

enrol_factor() { # NAME [CODE]: the output stays in $ROOT/NAME.enrol
	local n=$1 pid
	rm -f "$ROOT/fifo"
	mkfifo "$ROOT/fifo"
	exec 7<>"$ROOT/fifo"
	jfs "$n" factor --passphrase-fd 9 --code-fd 6 --new-code-fd 7 enroll \
		9< <(pass_of "$n") 6< <(echo "${2:-}") >"$ROOT/$n.enrol" 2>"$ROOT/$n.err" &
	pid=$!
	if wait_for 20 grep -q '^    otpauth://' "$ROOT/$n.enrol"; then
		SECRET[$n]=$(sed -nE 's/^ *otpauth:.*[?]secret=([A-Z2-7]+)&.*/\1/p' "$ROOT/$n.enrol")
		next_code "$n"
		echo "$CODE" >&7
	else
		kill "$pid" 2>/dev/null
	fi
	wait "$pid"
	local rc=$?
	exec 7>&-
	return $rc
}

recovery_code() { # NAME NUMBER, 1 to 10
	grep -oE '^    ([0-9A-Z]{4}-){3}[0-9A-Z]{4}$' "$ROOT/$1.enrol" | sed -n "$2p" | tr -d ' '
}

login_with() { # NAME CODE [OPTION...]
	local n=$1 code=$2
	shift 2
	jfs "$n" login --passphrase-fd 9 --code-fd 6 "$@" 9< <(pass_of "$n") 6< <(echo "$code") >"$ROOT/said" 2>&1
}

refused_with() { # NAME CODE WORDS [OPTION...]
	local n=$1 code=$2 words=$3
	shift 3
	login_with "$n" "$code" "$@" && { fail "logged in with $code"; return 1; }
	grep -qE "$words" "$ROOT/said" || fail "said: $(cat "$ROOT/said")"
}

factor() { # NAME CODE VERB
	jfs "$1" factor --passphrase-fd 9 --code-fd 6 "$3" 9< <(pass_of "$1") 6< <(echo "$2") >"$ROOT/said" 2>&1
}

killed_daemon_again() { # [SECONDS-AHEAD]
	stop_daemon KILL
	wait_for 20 unmounted anna || return 1
	start_daemon
}

t_none_is_enrolled_at_first() {
	jfs anna factor status | grep -q '^none' || return 1
	login anna && logout anna
}

t_enrolling_shows_the_secret_and_ten_recovery_codes() {
	enrol_factor anna || fail "$(cat "$ROOT/anna.err")" || return 1
	[ ${#SECRET[anna]} -eq 32 ] || fail "secret ${SECRET[anna]}" || return 1
	[ "$(grep -cE '^    ([0-9A-Z]{4}-){3}[0-9A-Z]{4}$' "$ROOT/anna.enrol")" -eq 10 ] || return 1
	grep -q '▀' "$ROOT/anna.enrol" || fail "no QR code" || return 1
	jfs anna factor status | grep -q 'authenticator app.*10 recovery codes' || return 1
	audit --who '' | grep -q 'anna: second factor enrolled'
}

t_wrong_first_code_enrols_nothing() {
	printf '000000\n' >"$ROOT/zero"
	jfs bo factor --passphrase-fd 9 --new-code-fd 7 enroll 9< <(pass_of bo) 7<"$ROOT/zero" >"$ROOT/said" 2>&1 &&
		fail "enrolled with 000000" && return 1
	grep -q 'Nothing was changed' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	! grep -qE '^    ([0-9A-Z]{4}-){3}' "$ROOT/said" || fail "recovery codes were shown" || return 1
	jfs bo factor status | grep -q '^none'
}

t_login_takes_passphrase_and_code() {
	login anna 2>"$ROOT/said" && fail "no code was asked for" && return 1
	next_code anna
	local right wrong
	wrong=$(printf '%06d' $(((10#$CODE + 1) % 1000000)))
	refused_with anna "$wrong" 'wrong passphrase or code' || return 1
	cp "$ROOT/said" "$ROOT/said.code"
	STEP[anna]=$((STEP[anna] - 1)) # it was not used
	next_code anna
	right=$CODE
	local keep=$PASS_anna
	PASS_anna='anna keeps no otters at all'
	refused_with anna "$right" 'wrong passphrase or code'
	local rc=$?
	PASS_anna=$keep
	[ $rc -eq 0 ] || return 1
	cmp "$ROOT/said" "$ROOT/said.code" || fail "the two are told apart" || return 1
	login_with anna "$right" || fail "$(cat "$ROOT/said")" || return 1
	audit --who anna | grep -q 'log-in, second factor: totp' || return 1
	audit --who anna | grep -q 'wrong passphrase' && audit --who anna | grep -q 'wrong code'
}

t_code_is_used_once() {
	logout anna || return 1
	refused_with anna "$CODE" 'wrong passphrase or code' || return 1
	# On a slow machine its time is over by now.
	audit --who anna | grep -qE 'the code was used before|wrong code'
}

t_code_stays_used_after_kill_9() {
	next_code anna
	login_with anna "$CODE" || fail "$(cat "$ROOT/said")" || return 1
	killed_daemon_again || return 1
	refused_with anna "$CODE" 'wrong passphrase or code' || return 1
	login dan
}

t_recovery_code_is_used_once() {
	local code
	code=$(recovery_code anna 3)
	login_with anna "$code" || fail "$(cat "$ROOT/said")" || return 1
	jfs anna factor status | grep -q ' 9 recovery codes' || return 1
	audit --who anna | grep -q 'recovery code, 9 left' || return 1
	logout anna || return 1
	refused_with anna "$code" 'wrong passphrase or code' || return 1
	killed_daemon_again || return 1
	login dan || return 1
	refused_with anna "$code" 'wrong passphrase or code' || return 1
	login_with anna "$(recovery_code anna 4)" || fail "$(cat "$ROOT/said")"
}

t_unlock_asks_for_no_code() {
	jfs anna lock && jfs anna unlock --passphrase-fd 9 9< <(pass_of anna) && logout anna
}

t_new_recovery_codes_replace_the_old() {
	factor anna "$(recovery_code anna 5)" recovery-codes || fail "$(cat "$ROOT/said")" || return 1
	local old
	old=$(recovery_code anna 6)
	cp "$ROOT/said" "$ROOT/anna.enrol"
	refused_with anna "$old" 'wrong passphrase or code' || return 1
	login_with anna "$(recovery_code anna 1)" || fail "$(cat "$ROOT/said")" || return 1
	logout anna
}

t_nobody_touches_anothers_factor() {
	local v
	for v in remove recovery-codes; do
		jfs bo factor --as anna --passphrase-fd 9 --code-fd 6 "$v" 9< <(pass_of anna) \
			6< <(recovery_code anna 2) >"$ROOT/said" 2>&1 && fail "$v went through" && return 1
		grep -q 'another system account' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	done
	jfs bo factor --as anna status >"$ROOT/said" 2>&1 && fail "its status is told" && return 1
	jfs bo factor --as nobody status >"$ROOT/said.2" 2>&1 && return 1
	cmp "$ROOT/said" "$ROOT/said.2" || fail "names can be probed" || return 1
	jfs anna factor status | grep -q 'authenticator app'
}

t_enrolling_again_takes_a_code() {
	local secret=${SECRET[anna]}
	cp "$ROOT/anna.enrol" "$ROOT/anna.kept"
	enrol_factor anna 123456 && fail "without a code" && return 1
	SECRET[anna]=$secret
	cp "$ROOT/anna.kept" "$ROOT/anna.enrol"
	grep -q 'wrong passphrase or code' "$ROOT/anna.err" || fail "$(cat "$ROOT/anna.err")" || return 1
	jfs anna factor status | grep -q 'authenticator app'
}

t_policy_requires_one() {
	practice 'second-factor required' | put_policy dan practice || return 1
	login bo >"$ROOT/said" 2>&1 && fail "bo logged in without" && return 1
	grep -q 'journalfs factor enroll' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	enrol_factor bo || fail "$(cat "$ROOT/bo.err")" || return 1
	next_code bo
	login_with bo "$CODE" || fail "$(cat "$ROOT/said")" || return 1
	factor bo "$(recovery_code bo 1)" remove && fail "removed though required" && return 1
	grep -q 'requires a second factor' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	logout bo && jfs bo factor status | grep -q 'authenticator app'
}

t_key_file_is_a_second_factor() {
	login eva >"$ROOT/said" 2>&1 && fail "eva logged in without" && return 1
	head -c 64 /dev/urandom >"$ROOT/home/eva/key"
	chown jft-eva "$ROOT/home/eva/key"
	jfs dan invite --again eva >"$ROOT/home/eva/code" 2>/dev/null || return 1
	jfs eva enroll --key-file "$ROOT/home/eva/key" --passphrase-fd 9 "$ROOT/home/eva/code" 9< <(pass_of eva) || return 1
	refused_with eva '' 'wrong passphrase' || return 1
	login_with eva '' --key-file "$ROOT/home/eva/key" || fail "$(cat "$ROOT/said")" || return 1
	jfs eva factor status | grep -q '^key file' || return 1
	audit --who eva | grep -q 'second factor: key file' && logout eva
}

t_removed_it_is_asked_for_no_more() {
	practice '' | put_policy dan practice || return 1
	factor bo "$(recovery_code bo 2)" remove || fail "$(cat "$ROOT/said")" || return 1
	login bo && logout bo
}

t_guessing_codes_is_slowed() {
	local i
	# Each takes a while by itself; the delay doubles until it is the longer one.
	for i in 1 2 3 4 5 6 7 8 9; do
		login_with anna "11111$i" && return 1
		grep -q 'too many wrong tries' "$ROOT/said" && return 0
	done
	fail "nine wrong codes, one after the other: $(cat "$ROOT/said")"
}

t_passphrase_may_not_come_again() {
	login bo || return 1
	local first=$PASS_bo next='bo rows across the fjord'
	jfs bo passwd --passphrase-fd 9 --new-passphrase-fd 8 9< <(pass_of bo) 8< <(echo "$first") 2>"$ROOT/said" &&
		fail "the same again" && return 1
	grep -q 'choose another' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs bo passwd --passphrase-fd 9 --new-passphrase-fd 8 9< <(pass_of bo) 8< <(echo "$next") || return 1
	PASS_bo=$next
	jfs bo passwd --passphrase-fd 9 --new-passphrase-fd 8 9< <(pass_of bo) 8< <(echo "$first") 2>"$ROOT/said" &&
		fail "the one before again" && return 1
	grep -q 'choose another' "$ROOT/said" && logout bo
}

t_weak_passphrases_are_refused() {
	login bo || return 1
	local p
	for p in short 'aaaaaaaaaaaaaaaa' 'abcabcabcabcabc' 'qwertyuiopasdf' '123456789012' 'Password1234!' 'bojft-bo12345'; do
		jfs bo passwd --passphrase-fd 9 --new-passphrase-fd 8 9< <(pass_of bo) 8< <(echo "$p") 2>/dev/null &&
			fail "$p was taken" && return 1
	done
	logout bo
}

t_old_passphrase_is_replaced_at_login() {
	[ -z "${SANITIZE:-}" ] || { echo "the sanitizer lets nothing be preloaded"; return 77; }
	practice 'passphrase-age 90d' | put_policy dan practice || return 1
	gcc -shared -fPIC -o "$ROOT/program/later.so" "$HERE/later/later.c" || return 1
	jfs dan status | grep -q 'PASSPHRASE' && fail "warned too early" && return 1
	logout dan
	stop_daemon || return 1
	SAN+=("LD_PRELOAD=$ROOT/program/later.so:$QUICK_SO" "LATER_S=$((80 * 86400))")
	start_daemon && login dan || return 1
	jfs dan status >"$ROOT/said"
	SAN=()
	grep -q 'PASSPHRASE  *yours holds until' "$ROOT/said" || fail "no warning: $(cat "$ROOT/said")" || return 1
	logout dan && stop_daemon || return 1
	LATER=$((91 * 86400))
	SAN+=("LD_PRELOAD=$ROOT/program/later.so:$QUICK_SO" "LATER_S=$LATER")
	start_daemon || return 1
	SAN=()
	next_code anna
	refused_with anna "$(printf '%06d' $(((10#$CODE + 1) % 1000000)))" 'wrong passphrase or code' || return 1
	local new='anna counts seven otters'
	jfs anna login --passphrase-fd 9 --code-fd 6 --new-passphrase-fd 8 9< <(pass_of anna) 6< <(echo "$CODE") \
		8< <(echo "$new") >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'older than the 90 days' "$ROOT/said" && grep -q 'passphrase is changed' "$ROOT/said" || return 1
	logout anna || return 1
	refused_with anna "$(recovery_code anna 7)" 'wrong passphrase' || return 1
	PASS_anna=$new
	login_with anna "$(recovery_code anna 7)" || fail "$(cat "$ROOT/said")"
}

need_root
clinic >"$ROOT/setup.log" 2>&1 || { echo "FAIL second_factor: set-up"; cat "$ROOT/setup.log" "$ROOT/daemon.log"; exit 1; }
run_tests
