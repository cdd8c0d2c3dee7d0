#!/bin/bash
# Records go to the practice's own monitoring where policy says so, as they are written, and hold nobody up.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
MONITOR=$ROOT/monitor/socket
GOT=$ROOT/got

listen() {
	"$PROBES/listen" "$MONITOR" >>"$GOT" &
	LISTENER=$!
	PIDS+=("$LISTENER")
	wait_for 5 test -S "$MONITOR"
}

deaf() {
	kill "$LISTENER"
	wait "$LISTENER" 2>/dev/null
	rm -f "$MONITOR"
}

policy_with() { # LINE
	{
		practice_policy
		echo "$1"
	} | put_policy dan practice
}

got() { grep -c "$1" "$GOT"; }
arrives() { wait_for 5 grep -q "$1" "$GOT"; }
write_note() { # NAME
	as anna sh -c "echo text >'$(J anna)/$HANSEN/$1'"
}
status_of() { jfs dan status --json | tr -d '\n ' | sed -E "s/.*\"forward\":\{([^}]*)\}.*/\1/"; }

# Numbers of the records that arrived, in the order of arrival.
numbers() { grep -o ' seq="[0-9]*"' "$GOT" | tr -dc '0-9\n'; }

t_set_up() {
	install -d -m 755 "$ROOT/monitor"
	: >"$GOT"
	listen || return 1
	SERVE=(--syslog "unix:$MONITOR")
	clinic && login anna && as anna mkdir "$(J anna)/$HANSEN"
}

t_nothing_is_forwarded_until_policy_says_so() {
	write_note first || return 1
	sleep 0.5
	[ ! -s "$GOT" ] || fail "forwarded without a word of the policy: $(cat "$GOT")" || return 1
	status_of | grep -q '"policy":"off"' || fail "status: $(status_of)" || return 1
	jfs dan status | grep -q '^forwarded to .*does not say `log forward`' || fail "$(jfs dan status)"
}

t_each_record_arrives_without_names() {
	policy_with 'log forward' || return 1
	write_note secret-hiv-note || return 1
	as anna cat "$(J anna)/$HANSEN/secret-hiv-note" >/dev/null || return 1
	arrives ' close \[journalfs@32473 ' || fail "no close arrived" || return 1
	grep -q '^<86>1 [0-9-]*T[0-9:.]*Z [^ ]* journalfs [0-9]* create \[journalfs@32473 seq="[0-9]*" .*journal="1".*who="anna"\|who="anna".*journal="1"' \
		"$GOT" || fail "no create arrived: $(tail -n 3 "$GOT")" || return 1
	# No patient, no note, nothing typed.
	! grep -qi 'hansen\|010190\|hiv' "$GOT" || fail "a name left: $(grep -i 'hansen\|hiv' "$GOT" | head -n 1)"
}

t_no_number_is_missing() {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		write_note "n$i" || return 1
	done
	sleep 1
	numbers | sort -n | awk 'NR > 1 && $1 != last + 1 {print "after " last " comes " $1; bad = 1} {last = $1} END {exit bad || NR < 20}' ||
		fail "a gap in $(numbers | sort -n | paste -sd' ')"
}

t_names_only_with_the_word_and_at_once() {
	policy_with 'log forward names' || return 1
	write_note with-a-name || return 1
	arrives 'journalName="010190-1234 Hansen, Anna" name="with-a-name"' || fail "no name arrived" || return 1
	policy_with 'log forward' || return 1
	: >"$GOT"
	write_note without-a-name || return 1
	arrives ' create ' || return 1
	sleep 0.3
	! grep -qi 'hansen\|without-a-name' "$GOT" || fail "names go on: $(cat "$GOT")" || return 1
	[ -e "$ROOT/state/forward" ] || fail "the host does not remember" || return 1
	policy_with '' || return 1
	[ ! -e "$ROOT/state/forward" ] || fail "the host remembers what is over" || return 1
	sleep 0.3
	: >"$GOT"
	write_note unseen || return 1
	sleep 0.5
	[ ! -s "$GOT" ] || fail "forwarded after the word was gone: $(cat "$GOT")" || return 1
	policy_with 'log forward'
}

t_hostile_note_name_breaks_no_message() {
	policy_with 'log forward names' || return 1
	: >"$GOT"
	as anna sh -c "echo x >'$(J anna)/$HANSEN/a\"] [evil@1 seq=\"1\"]
<80>1 - - - - - -'" || return 1
	arrives 'evil' || return 1
	sleep 0.3
	! grep -qv '^<[0-9]*>1 [^ ]* [^ ]* journalfs ' "$GOT" || fail "a line of its own: $(cat "$GOT")" || return 1
	grep -q 'name=\\*"a\\"\\\] \[evil@1 seq=\\"1\\"\\\]' "$GOT" || fail "not escaped: $(grep evil "$GOT" | head -n 1)" || return 1
	policy_with 'log forward'
}

t_listener_that_is_gone_holds_nobody_up() {
	deaf
	write_note while-nobody-listens || return 1
	[ "$(as anna cat "$(J anna)/$HANSEN/while-nobody-listens")" = text ] || return 1
	status_of | grep -q '"lost":[1-9]' || fail "nothing counted: $(status_of)" || return 1
	jfs dan status | grep -q 'lost: nobody listened' || return 1
	: >"$GOT"
	listen || return 1
	write_note again || return 1
	arrives ' create '
}

t_listener_that_sleeps_holds_nobody_up() {
	kill -STOP "$LISTENER"
	local i rc=0
	for i in $(seq 1 40); do
		as anna sh -c "for k in 1 2 3 4 5 6 7 8 9 10; do echo \$k >'$(J anna)/$HANSEN/many'; done" || rc=1
	done
	kill -CONT "$LISTENER"
	[ "$rc" = 0 ] || fail "a write failed while the listener slept"
}

t_start_is_told_before_anybody_logs_in() {
	policy_with 'log forward names' || return 1
	logout anna
	stop_daemon || return 1
	sleep 0.3
	: >"$GOT"
	start_daemon || return 1
	arrives ' start ' || fail "the start was not told" || return 1
	! grep -qi 'hansen' "$GOT" || return 1
	login dan && login anna
}

t_target_that_is_none_is_said_at_start() {
	local said
	stop_daemon || return 1
	said=$(as daemon "$JFS" serve --syslog udp:localhost:514 --state "$ROOT/state" --socket "$ROOT/run/socket" "$ROOT/vault" 2>&1) &&
		{ fail "it serves"; return 1; }
	echo "$said" | grep -q -- '--syslog udp:localhost:514: give unix:/PATH, udp:ADDRESS:PORT' || fail "$said"
}

need_root
run_tests
