#!/bin/bash
# Bad input gets a message that names the thing and the remedy, and a nonzero exit; nothing is lost.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# PATTERN COMMAND...: exits nonzero (not by a signal) and says something that matches.
says() {
	local want=$1 out rc
	shift
	out=$("$@" 2>&1 </dev/null)
	rc=$?
	[ $rc -ne 0 ] && [ $rc -lt 100 ] || fail "exit $rc: $*: $out" || return 1
	grep -qiE "$want" <<<"$out" || fail "wanted /$want/ from: $*: $out"
}
me() { as me "$JFS" "$@"; }
V='' H=''

t_no_verb_and_unknown_verb() { says 'usage' me && says 'no verb' me frobnicate && says 'unrecognized|unknown' me login --frobnicate; }
t_init_needs_an_empty_place() {
	as me sh -c "mkdir $H/full && touch $H/full/x"
	says 'not empty|empty' me init --passphrase-fd 9 "$H/full" 9< <(pass_of me) || return 1
	[ -e "$H/full/x" ] && says 'No such|parent|exist' me init --passphrase-fd 9 "$H/no/such/place" 9< <(pass_of me)
}
t_init_wants_a_real_passphrase() {
	says 'at least' me init --passphrase-fd 9 "$H/short" 9< <(echo short) || return 1
	[ ! -e "$H/short" ] || fail "something was left behind" || return 1
	says 'passphrase' me init --passphrase-fd 9 "$H/short" 9</dev/null && says 'terminal' me init "$H/short"
}
t_closed_standard_descriptors_are_held() { # else a file of the vault gets number 2, and messages are written into it
	me init --passphrase-fd 9 "$H/closed" 9< <(pass_of me) <&- >&- 2>&- || fail "no vault was made" || return 1
	me doctor "$H/closed" >"$ROOT/out" 2>&1 || fail "$(cat "$ROOT/out")" || return 1
	rm -rf "$H/closed"
}
t_doctor_finds_backup_copies_in_clear() {
	local d=$ROOT/home/me/.config/libreoffice/4/user/backup

	me doctor "$V" >"$ROOT/out" 2>&1
	grep -q '^ok .*LibreOffice keeps none' "$ROOT/out" || fail "$(cat "$ROOT/out")" || return 1
	as me mkdir -p "$d" && as me touch "$d/letter.bak"
	me doctor "$V" >"$ROOT/out" 2>&1
	grep -q '^WARN .*backup copy' "$ROOT/out" || fail "$(cat "$ROOT/out")" || return 1
	rm -rf "$ROOT/home/me/.config/libreoffice"
}
t_not_a_vault() {
	mkdir -p "$ROOT/home/me/plain"
	chown jft-me "$ROOT/home/me/plain"
	says 'not a vault' me open "$H/plain" && says 'not a vault|No such' me open "$H/nothing"
}
t_damaged_and_newer_header() {
	cp "$V/header" "$ROOT/header"
	printf '\377' | dd of="$V/header" bs=1 seek=40 conv=notrunc status=none
	says 'damaged' me open --passphrase-fd 9 "$V" 9< <(pass_of me) || return 1
	head -c 100 "$ROOT/header" >"$V/header"
	says 'damaged|not a vault' me open --passphrase-fd 9 "$V" 9< <(pass_of me) || return 1
	cp "$ROOT/header" "$V/header"
}
t_substituted_header_is_noticed() {
	me init --passphrase-fd 9 "$H/other" 9< <(pass_of me) >/dev/null || return 1
	cp "$H/other/header" "$V/header"
	says '.' me open --passphrase-fd 9 "$V" 9< <(pass_of me)
	local rc=$?
	cp "$ROOT/header" "$V/header"
	rm -rf "$H/other" # a vault that is gone is no longer one of those that are known
	return $rc
}
t_vault_readable_by_others() {
	chmod 755 "$V"
	says '0700|chmod' me open --passphrase-fd 9 "$V" 9< <(pass_of me)
	local rc=$?
	says 'chmod' me doctor "$V" || rc=1
	chmod 700 "$V"
	return $rc
}
t_wrong_passphrase() { says 'passphrase' me open --passphrase-fd 9 "$V" 9< <(echo 'certainly not this'); }
t_mountpoint_not_empty_or_not_yours() {
	as me sh -c "mkdir $H/used && echo in clear >$H/used/file"
	says 'not empty' me open --passphrase-fd 9 "$V" "$H/used" 9< <(pass_of me) || return 1
	grep -q 'in clear' "$H/used/file" || return 1
	says 'not yours|denied' me open --passphrase-fd 9 "$V" "$ROOT/home/anna" 9< <(pass_of me) || return 1
	says 'No such' me open --passphrase-fd 9 "$V" "$H/nowhere" 9< <(pass_of me)
}
t_already_mounted() {
	me open --passphrase-fd 9 "$V" 9< <(pass_of me) || return 1
	says 'mounted|already' me open --passphrase-fd 9 "$V" 9< <(pass_of me) || return 1
	me logout
}
t_wrong_recovery_key() {
	says 'recovery key' me recover --passphrase-fd 9 --new-passphrase-fd 8 "$V" 9< <(echo nonsense) 8< <(pass_of me) || return 1
	says 'recovery key' me recover --passphrase-fd 9 --new-passphrase-fd 8 "$V" 8< <(pass_of me) \
		9< <(echo 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-A')
}
t_unknown_practitioner_and_no_enrolment() {
	account nobody2 || return 1
	says 'enrol' as nobody2 "$JFS" login --vault "$ROOT/clinic.conf" --passphrase-fd 9 9< <(echo 'whatever it may be') || return 1
	says 'enrol|not' jfs anna login --as ghost --passphrase-fd 9 9< <(pass_of anna)
}
t_invitation_codes() {
	says 'code' jfs bo enroll --passphrase-fd 9 /dev/null 9< <(pass_of bo) || return 1
	echo 'ABCD-EFGH' >"$ROOT/home/bo/bad"
	says 'not an invitation code' jfs bo enroll --passphrase-fd 9 "$ROOT/home/bo/bad" 9< <(pass_of bo) || return 1
	says 'used|invitation' jfs bo enroll --passphrase-fd 9 "$ROOT/home/bo/code" 9< <(pass_of bo) || return 1
	says 'logged in' jfs anna invite bo || return 1
	login anna || return 1
	says 'policy|right' jfs anna invite bo || return 1
	says 'ghost' jfs dan invite ghost || return 1
	jfs dan invite --again bo >"$ROOT/home/anna/stolen" 2>/dev/null || return 1
	says 'account|another' jfs anna enroll --passphrase-fd 9 "$ROOT/home/anna/stolen" 9< <(pass_of anna)
}
t_policy_that_does_not_parse_changes_nothing() {
	local before
	before=$(jfs dan policy show practice)
	{ practice_policy; echo 'practitioner zoe user zoe role phisician'; echo 'unit'; } >"$ROOT/bad.policy"
	says ':14:32: .*did you mean .physician' jfs dan policy check practice "$ROOT/bad.policy" || return 1
	says ':15:' jfs dan policy check practice "$ROOT/bad.policy" || return 1
	put_policy dan practice <"$ROOT/bad.policy" >/dev/null 2>&1 && return 1
	[ "$(jfs dan policy show practice)" = "$before" ] || return 1
	practice_policy | grep -v 'dan' >"$ROOT/bad.policy"
	says 'policy' jfs dan policy check practice "$ROOT/bad.policy" || return 1
	says 'right' jfs anna policy check practice "$ROOT/bad.policy"
}
t_statements_without_effect_are_refused_by_name() {
	{ practice_policy; echo 'retention 10y after last-entry'; } >"$ROOT/bad.policy"
	says 'retention' jfs dan policy check practice "$ROOT/bad.policy"
}
t_daemon_gone() {
	stop_daemon
	says 'serves' jfs anna status && says 'serves' jfs anna login --passphrase-fd 9 9< <(pass_of anna)
	local rc=$?
	start_daemon && login dan || return 1
	return $rc
}
t_conf_that_others_may_write_is_not_trusted() {
	chmod 666 "$ROOT/clinic.conf"
	says 'trusted' jfs anna status
	local rc=$?
	chmod 644 "$ROOT/clinic.conf"
	return $rc
}
t_another_daemon_behind_the_socket_gets_nothing() {
	sed "s/^ *root = .*/root = $(printf '0%.0s' $(seq 63))1/" "$ROOT/clinic.conf" >"$ROOT/wrong.conf"
	chmod 644 "$ROOT/wrong.conf"
	says 'prove' as anna "$JFS" status --vault "$ROOT/wrong.conf" || return 1
	sed "s/^account = .*/account = jft-eva/" "$ROOT/clinic.conf" >"$ROOT/wrong.conf"
	says 'account' as anna "$JFS" status --vault "$ROOT/wrong.conf"
}
t_socket_in_a_writable_place_is_refused() {
	install -d -m 777 "$ROOT/open"
	stop_daemon
	says 'written by others|writable|chmod' as daemon "$JFS" serve --state "$ROOT/state" --socket "$ROOT/open/s" "$ROOT/vault"
	local rc=$?
	start_daemon && login dan
	return $rc
}
t_daemon_started_twice() { says 'in use|held|holds|another' as daemon "$JFS" serve --state "$ROOT/state" --socket "$ROOT/run/two" "$ROOT/vault"; }
t_secrets_are_not_in_argv_or_environment() {
	local p
	for p in $(ps -o pid= -u jft-anna) "$DAEMON"; do
		tr '\0' '\n' <"/proc/$p/cmdline" | grep -qF "$(pass_of anna)" && return 1
		tr '\0' '\n' <"/proc/$p/environ" | grep -qF "$(pass_of anna)" && return 1
	done
	[ "$(stat -c %u "/proc/$DAEMON/environ")" = 0 ] || fail "the daemon is dumpable"
}

need_root
account me || exit 1
H=$ROOT/home/me V=$ROOT/home/me/vault
me init --passphrase-fd 9 "$V" 9< <(pass_of me) >/dev/null && clinic || { echo "FAIL bad_input: set-up"; cat "$ROOT/daemon.log"; exit 1; }
run_tests
