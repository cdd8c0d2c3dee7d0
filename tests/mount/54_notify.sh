#!/bin/bash
# Somebody is told of an emergency access at once, by a service that can delay nothing and learns nothing else.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
BERG='170745-4410 Berg, Aksel'
WHY='unconscious, brought in by ambulance'
TOLD=$ROOT/told
CONF=

glass() { # JOURNAL: by eva
	jfs eva break-glass "$1" --ground danger --reason "$WHY" --yes
}
shut() { # JOURNAL
	jfs eva break-glass --close "$1"
}

# Records what it is told, as its mode says. Root's, like its configuration and all above.
make_program() {
	cat >"$CONF/tell" <<-'END'
		#!/bin/sh
		record=$(cat)
		n=$(printf '%s\n' "$record" | sed -n 's/^  "notice": \([0-9]*\),*/\1/p')
		echo "$n" >>"$1/tried"
		case $(cat "$1/mode") in
		fail) echo "$record"; exit 3 ;;
		hang) sleep 600 & echo "$! $$" >"$1/pids"; wait ;;
		*) printf '%s\n' "$record" >"$1/.$n" && mv "$1/.$n" "$1/$n.json" ;;
		esac
	END
	chmod 755 "$CONF/tell"
}

configure() { # TIMEOUT
	printf 'program = %s\nargument = %s\ntimeout = %s\n' "$CONF/tell" "$TOLD" "$1" >"$CONF/clinic.notify"
	chmod 644 "$CONF/clinic.notify"
}

mode() {
	echo "$1" >"$TOLD/mode"
	chmod 644 "$TOLD/mode"
}

start_teller() {
	(cd / && exec setpriv --reuid=jft-teller --regid=jft-teller --init-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME=/nonexistent LANG=C.UTF-8 "${SAN[@]}" \
		"$JFS" notify --vault "$CONF/clinic.conf" >>"$ROOT/teller.log" 2>&1) &
	TELLER=$!
	PIDS+=("$TELLER")
}

stop_teller() { # [SIGNAL]
	kill "-${1:-TERM}" "$TELLER" 2>/dev/null
	wait "$TELLER" 2>/dev/null
	return 0
}

told() { # NUMBER
	test -f "$TOLD/$1.json"
}
says() { # NUMBER FIELD VALUE, as JSON has it
	grep -qF "\"$2\": $3" "$TOLD/$1.json" || fail "notice $1 lacks $2 $3: $(cat "$TOLD/$1.json")"
}
logged() { # WORD...: a notice of the log
	audit | grep 'notice of an emergency access' | grep -q "$*"
}
waiting() { # COUNT: as the steward sees it
	jfs dan status --json >"$ROOT/status.json" && tr -d ' \n' <"$ROOT/status.json" | grep -q "\"notices\":{[^}]*\"waiting\":$1[,}]"
}

t_set_up_journals() {
	{ practice_policy; echo 'break-glass limit 60m reason 20 review 72h notify daily 100 at-once 20'; } | put_policy dan practice || return 1
	login anna && login eva || return 1
	for j in "$HANSEN" "$OLSEN" "$BERG"; do
		as anna mkdir "$(J anna)/$j" && as anna sh -c "echo 'finding of $j' >'$(J anna)/$j/note.txt'" || return 1
	done
}

t_none_configured_is_said_and_refuses_no_access() {
	jfs_teller && fail "a service without a program" && return 1
	grep -q "there is no $CONF/clinic.notify" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	glass "$HANSEN" || return 1
	waiting 1 || fail "$(cat "$ROOT/status.json")" || return 1
	jfs dan status | grep -q '^notices .*1 waiting.*has not asked' || fail "$(jfs dan status)" || return 1
	jfs eva status | grep -q '^notices' && fail "eva sees the queue"
	jfs eva status --json | grep -q '"notices"' && fail "eva sees the queue" && return 1
	return 0
}

jfs_teller() { # the service as it answers at once; what it says is in $ROOT/said
	(cd / && timeout 20 setpriv --reuid=jft-teller --regid=jft-teller --init-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME=/nonexistent "${SAN[@]}" "$JFS" notify --vault "$CONF/clinic.conf") >"$ROOT/said" 2>&1
}

t_configuration_that_others_can_write_is_refused() {
	configure 20
	chmod 664 "$CONF/clinic.notify"
	jfs_teller && fail "a writable file" && return 1
	grep -q 'clinic.notify is not trusted' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	chmod 644 "$CONF/clinic.notify"
	chmod 757 "$CONF/tell"
	jfs_teller && fail "a writable program" && return 1
	grep -q 'tell is not trusted' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	chmod 755 "$CONF/tell"
	chown jft-teller "$CONF/tell"
	jfs_teller && fail "the service's own program" && return 1
	chown root "$CONF/tell"
	chmod 777 "$CONF"
	jfs_teller && fail "a writable directory" && return 1
	grep -q "not trusted: $CONF" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	chmod 755 "$CONF"
	test ! -e "$TOLD/tried" || fail "it ran"
}

t_other_accounts_are_refused_and_logged() {
	local n
	for n in eva dan daemon; do
		as "$n" timeout 20 "$JFS" notify --vault "$CONF/clinic.conf" >"$ROOT/said" 2>&1 && fail "$n got in" && return 1
		grep -q 'for the notify service alone' "$ROOT/said" || fail "$n: $(cat "$ROOT/said")" || return 1
	done
	[ "$(audit | grep REFUSED | grep -c 'not the notify account')" -eq 3 ] || fail "not logged" || return 1
	test ! -e "$TOLD/tried" || fail "told: $(cat "$TOLD/tried")" || return 1
	as teller "$JFS" status --vault "$CONF/clinic.conf" >"$ROOT/said" 2>&1
	grep -qF -e Hansen -e "$WHY" "$ROOT/said" && fail "the service's account learns more" && return 1
	return 0
}

t_what_waited_is_delivered_when_the_service_comes() {
	mode ok
	start_teller
	wait_for 10 told 1 || fail "nobody was told: $(cat "$ROOT/teller.log")" || return 1
	says 1 event '"opened"' && says 1 who '"eva"' && says 1 reason "\"$WHY\"" && says 1 ground '"danger"' || return 1
	says 1 role '"physician"' && says 1 unit '"south"' && says 1 vault_name '"clinic"' && says 1 grant 1 || return 1
	grep -qF -e Hansen -e 010190 "$TOLD/1.json" && fail "the patient's name went out" && return 1
	wait_for 5 logged 'opened: notice 1 was delivered, try 1' || fail "not logged" || return 1
	wait_for 5 waiting 0
}

t_end_is_told_too_and_names_only_by_policy() {
	shut "$HANSEN" || return 1
	wait_for 5 told 2 || return 1
	says 2 event '"closed"' || return 1
	{ practice_policy; echo 'break-glass limit 60m reason 20 review 72h notify names daily 100 at-once 20'; } | put_policy dan practice || return 1
	glass "$OLSEN" || return 1
	wait_for 5 told 3 || return 1
	says 3 journal_name "\"$OLSEN\"" || return 1
	shut "$OLSEN" && wait_for 5 told 4
}

t_failure_is_tried_again_and_both_are_logged() {
	mode fail
	glass "$OLSEN" || return 1
	wait_for 10 logged 'notice 5 was not delivered, try 1: the program ended with status 3' || fail "the failure is not logged" || return 1
	waiting 1 || return 1
	jfs dan status | grep -q 'the program ended with status 3' || fail "$(jfs dan status)" || return 1
	mode ok
	wait_for 40 told 5 || fail "not tried again" || return 1
	[ "$(grep -cx 5 "$TOLD/tried")" -ge 2 ] || return 1
	wait_for 5 logged 'opened: notice 5 was delivered, try [23]'
}

t_program_that_hangs_delays_nothing_and_is_stopped() {
	local start=$SECONDS pids
	configure 3
	mode hang
	# The end of an access, and the next, while the program hangs.
	shut "$OLSEN" || return 1
	wait_for 10 test -s "$TOLD/pids" || return 1
	read -r -a pids <"$TOLD/pids"
	glass "$BERG" || return 1
	[ "$(as eva cat "$(J eva)/$BERG/note.txt")" = "finding of $BERG" ] || return 1
	as anna sh -c "echo more >>'$(J anna)/$HANSEN/note.txt'" || return 1
	wait_for 20 logged 'did not end within 3 seconds and was stopped' || fail "$(cat "$ROOT/teller.log")" || return 1
	mode ok
	wait_for 5 test ! -e "/proc/${pids[0]}" -a ! -e "/proc/${pids[1]}" || fail "left behind: ${pids[*]}" || return 1
	wait_for 60 told 6 && wait_for 60 told 7 || fail "not told after $((SECONDS - start)) s" || return 1
	shut "$BERG" && wait_for 10 told 8
}

t_service_says_nothing_of_what_it_tells() {
	grep -qF -e "$WHY" -e Hansen -e Olsen -e Berg -e eva "$ROOT/teller.log" && fail "$(cat "$ROOT/teller.log")" && return 1
	grep -q 'notice 1 was delivered' "$ROOT/teller.log" || fail "$(cat "$ROOT/teller.log")"
}

t_service_killed_with_its_program_tells_again() {
	configure 60
	rm -f "$TOLD/pids"
	mode hang
	glass "$BERG" || return 1
	wait_for 10 test -s "$TOLD/pids" || return 1
	stop_teller KILL
	mode ok
	for p in $(cat "$TOLD/pids"); do kill -9 "$p" 2>/dev/null; done
	start_teller
	wait_for 10 told 9 || fail "the notice is lost: $(cat "$ROOT/teller.log")"
}

t_stopping_the_service_stops_its_program() {
	local pids
	rm -f "$TOLD/pids"
	mode hang
	shut "$BERG" || return 1
	wait_for 10 test -s "$TOLD/pids" || return 1
	read -r -a pids <"$TOLD/pids"
	stop_teller
	wait_for 5 test ! -e "/proc/${pids[0]}" -a ! -e "/proc/${pids[1]}" || fail "left behind: ${pids[*]}"
}

t_killed_daemon_forgets_no_notice() {
	mode ok
	glass "$BERG" || return 1
	# The next commit.
	as eva dd if=/dev/zero "of=$(J eva)/$BERG/by-eva" bs=10 count=1 conv=fsync 2>/dev/null || return 1
	stop_daemon KILL
	start_teller # with the daemon away
	wait_for 10 grep -q 'is away; notices wait there' "$ROOT/teller.log" || fail "$(cat "$ROOT/teller.log")" || return 1
	start_daemon || return 1
	wait_for 40 told 10 && wait_for 10 told 11 || fail "$(ls "$TOLD"; cat "$ROOT/teller.log")" || return 1
	says 10 event '"closed"' && says 11 event '"opened"' && says 11 who '"eva"' || return 1
	kill -0 "$TELLER"
}

t_notices_go_on_over_a_clean_restart_with_nobody_logged_in() {
	stop_daemon || fail "the daemon did not stop cleanly" || return 1
	start_daemon || return 1
	login dan || return 1
	wait_for 10 waiting 0
}

t_example_mails_without_the_reason() {
	printf '#!/bin/sh\n{ echo "args: $*"; cat; } >%s/mail\n' "$TOLD" >"$CONF/sendmail"
	install -m 755 "$HERE/../../tools/packaging/notify-mail" "$CONF/notify-mail"
	chmod 755 "$CONF/sendmail"
	printf 'program = %s\n' "$CONF/notify-mail" >"$CONF/clinic.notify"
	printf 'argument = %s\n' --sendmail "$CONF/sendmail" chief@example.org >>"$CONF/clinic.notify"
	login eva || return 1
	shut "$BERG" || return 1
	wait_for 40 grep -q 'Grant 6, notice' "$TOLD/mail" || fail "$(cat "$TOLD/mail" "$ROOT/teller.log")" || return 1
	grep -q '^args: -oi -- chief@example.org$' "$TOLD/mail" || fail "$(cat "$TOLD/mail")" || return 1
	grep -q '^Subject: Emergency access closed: eva, grant 6$' "$TOLD/mail" || fail "$(cat "$TOLD/mail")" || return 1
	grep -q "^journal *$BERG" "$TOLD/mail" || fail "$(cat "$TOLD/mail")" || return 1
	grep -qF "$WHY" "$TOLD/mail" && fail "the reason went by mail" && return 1
	return 0
}

need_root
CONF=$(mktemp -d /run/jft-notify.XXXXXX)
chmod 755 "$CONF"
trap 'cleanup; rm -rf "$CONF"' EXIT
account teller || exit 1
install -d -o jft-teller -m 755 "$TOLD"
SERVE=(--notify-account jft-teller)
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
cp "$ROOT/clinic.conf" "$CONF/clinic.conf"
make_program
run_tests
