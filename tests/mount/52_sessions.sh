#!/bin/bash
# Sessions: seen and ended by who may, what programs keep over a lock, and a desktop that sleeps or
# locks its screen.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
BUS=unix:path=$ROOT/bus/socket
declare -A IN OUT PID

from() { # HOST NAME VERB...: the command as if that person had come over ssh from HOST
	local host=$1 n=$2 v=$3
	shift 3
	as "$n" env SSH_CONNECTION="$host 4711 192.0.2.200 22" "$JFS" "$v" --vault "$ROOT/clinic.conf" "$@"
}
login_from() { # HOST NAME DIR
	from "$1" "$2" login --passphrase-fd 9 "$3" 9< <(pass_of "$2")
}
unlock() { jfs "$1" unlock --passphrase-fd 9 9< <(pass_of "$1"); }
id_from() { # NAME HOST: the id of the session that began there
	jfs "$1" sessions | awk -v h="ssh $2" '/^[0-9a-f]/ && index($0, "from " h) {print $1}'
}

program() { # TAG NAME COMMAND...: a program of that practitioner, spoken to by its tag
	local tag=$1 name=$2 in out
	shift 2
	rm -f "$ROOT/in.$tag" "$ROOT/out.$tag"
	mkfifo "$ROOT/in.$tag" "$ROOT/out.$tag"
	as "$name" "$@" <"$ROOT/in.$tag" >"$ROOT/out.$tag" 2>>"$ROOT/programs.log" &
	PID[$tag]=$!
	exec {in}>"$ROOT/in.$tag" {out}<"$ROOT/out.$tag"
	IN[$tag]=$in OUT[$tag]=$out
	hear "$tag" ready
}
hear() { # TAG WANTED
	local line=
	read -r -t 20 -u "${OUT[$1]}" line
	[ "$line" = "$2" ] || fail "$1 answers '$line', not '$2'"
}
is() { # TAG WANTED LINE
	echo "$3" >&"${IN[$1]}"
	hear "$1" "$2" || fail "... to: $3"
}
done_with() { # TAG...
	local tag fd
	for tag in "$@"; do
		[ -n "${PID[$tag]:-}" ] || continue
		fd=${IN[$tag]}
		exec {fd}>&-
		fd=${OUT[$tag]}
		exec {fd}<&-
		# Others have inherited the pipe's end: closing it tells nothing.
		kill "${PID[$tag]}"
		wait "${PID[$tag]}" 2>/dev/null
		unset "PID[$tag]"
	done
}

t_own_sessions_are_listed_with_programs_wherever_they_began() {
	local out
	login_from 192.0.2.1 anna "$ROOT/home/anna/Away" || return 1
	program A anna "$PROBES/probe" hold "$(J anna)/$HANSEN/note.txt" r || return 1
	out=$(jfs anna sessions)
	[ "$(grep -c '^[0-9a-f]\{8\}  anna .*active' <<<"$out")" = 2 ] || fail "listed: $out" || return 1
	grep -q 'from ssh 192.0.2.1' <<<"$out" || fail "no origin: $out" || return 1
	grep -q 'open in probe (1)' <<<"$out" || fail "no program: $out" || return 1
	jfs anna sessions --json | grep -q '"id": "[0-9a-f]\{32\}"' || fail "no JSON" || return 1
	done_with A
}

t_steward_sees_whose_and_which_programs_but_no_name_of_a_note() {
	local out
	program A anna "$PROBES/probe" hold "$(J anna)/$HANSEN/note.txt" r || return 1
	out=$(jfs dan sessions --json; jfs dan sessions)
	done_with A
	grep -q '"who": "anna"' <<<"$out" || fail "anna is not seen: $out" || return 1
	grep -q '"name": "probe"' <<<"$out" || fail "her program is not seen" || return 1
	grep -qE 'Hansen|010190|note' <<<"$out" && { fail "a name is seen: $out"; return 1; }
	out=$(jfs bo sessions --json)
	! grep -q anna <<<"$out" || fail "bo sees anna"
}

t_status_tells_of_sessions_elsewhere() {
	local out
	out=$(jfs anna status)
	grep -q '^elsewhere .*1 session of yours, the newest since .* from ssh 192.0.2.1' <<<"$out" || fail "$out" || return 1
	out=$(jfs bo status)
	! grep -q '^elsewhere' <<<"$out" || fail "for bo: $out"
}

t_others_cannot_be_ended_and_the_log_has_the_try() {
	local id out
	id=$(id_from anna 192.0.2.1)
	[ -n "$id" ] || fail "no id" || return 1
	out=$(from 192.0.2.66 bo sessions end "$id" 2>&1) && { fail "bo ended it"; return 1; }
	[ "$(sed "s/$id/ID/" <<<"$out")" = "$(from 192.0.2.66 bo sessions end ffffffff 2>&1 | sed 's/ffffffff/ID/')" ] ||
		fail "an id of another reads otherwise: $out" || return 1
	out=$(as eva "$JFS" sessions end --vault "$ROOT/clinic.conf" "$id" 2>&1) && { fail "eva ended it"; return 1; }
	[ -n "$(id_from anna 192.0.2.1)" ] || fail "it is gone" || return 1
	audit --since -2m | grep REFUSED | grep "ending session $id" | grep -q '192.0.2.66' || fail "not in the log"
}

t_session_elsewhere_is_ended_and_its_mount_is_gone() {
	local away=$ROOT/home/anna/Away
	as anna ls "$away/$HANSEN" >/dev/null || return 1
	jfs anna sessions end "$(id_from anna 192.0.2.1)" || return 1
	as anna cat "$away/$HANSEN/note.txt" 2>/dev/null && { fail "still readable"; return 1; }
	wait_for 10 unmounted anna "$away" || fail "still mounted" || return 1
	as anna cat "$(J anna)/$HANSEN/note.txt" >/dev/null || fail "the other one was ended too" || return 1
	audit --who anna --since -2m | grep 'logged out' | grep -q 'ended by its own account' || fail "not in the log"
}

t_all_others_keeps_what_began_here() {
	login_from 192.0.2.2 anna "$ROOT/home/anna/Away" && login_from 192.0.2.3 anna "$ROOT/home/anna/Far" || return 1
	from 192.0.2.9 anna sessions end --all-others 2>&1 | grep -q 'name them' || fail "it guessed" || return 1
	[ "$(jfs anna sessions | grep -c ' active ')" = 3 ] || return 1
	from 192.0.2.2 anna sessions end --all-others || return 1
	[ "$(jfs anna sessions | grep -c ' active ')" = 1 ] || fail "$(jfs anna sessions)" || return 1
	[ -n "$(id_from anna 192.0.2.2)" ] || fail "its own was ended" || return 1
	as anna cat "$ROOT/home/anna/Away/$HANSEN/note.txt" >/dev/null || return 1
	logout anna
	wait_for 10 unmounted anna "$ROOT/home/anna/Away" && login anna
}

t_login_tells_of_the_last_one() {
	local out
	logout bo
	out=$(login bo) || return 1
	grep -q '^last log-in: 2.* from no terminal' <<<"$out" || fail "$out" || return 1
	logout bo
	login_from 192.0.2.4 bo "$(J bo)" >/dev/null || return 1
	logout bo
	out=$(login bo) || return 1
	grep -q '^last log-in: .* from ssh 192.0.2.4' <<<"$out" || fail "$out"
}

t_steward_ends_with_a_reason_that_the_agent_is_told() {
	local pid id out
	logout bo
	as bo env SSH_CONNECTION='192.0.2.5 1 2 3' "$JFS" login --foreground --vault "$ROOT/clinic.conf" --passphrase-fd 9 \
		9< <(pass_of bo) >"$ROOT/agent.out" 2>&1 &
	pid=$!
	wait_for 30 mounted bo || return 1
	id=$(jfs dan sessions | awk '/from ssh 192.0.2.5/ {print $1}')
	jfs dan sessions end "$id" 2>&1 | grep -q -- '--reason' || fail "without a reason" || return 1
	mounted bo || return 1
	from 192.0.2.99 dan sessions end "$id" --reason "$(printf 'left\033[31m alone')" || return 1
	wait "$pid"
	grep -q 'the session is over: ended by the steward dan: left\\x1b\[31m alone' "$ROOT/agent.out" ||
		fail "told: $(cat "$ROOT/agent.out")" || return 1
	out=$(audit --since -2m | grep 'ended a session')
	grep -q "$id of bo" <<<"$out" && grep -q 192.0.2.99 <<<"$out" || fail "in the log: $out" || return 1
	login bo
}

t_programs_go_on_after_the_unlock_on_what_they_had_open() {
	local d rc=0
	d=$(J anna)/$HANSEN
	as anna sh -c "echo something >'$d/mapped'" || return 1
	program R anna "$PROBES/probe" hold "$d/note.txt" r && program W anna "$PROBES/probe" hold "$d/note.txt" w &&
		program M anna "$PROBES/probe" holdmap "$d/mapped" || return 1
	is R ok r && is W ok w && is M ok r || rc=1
	jfs anna lock || rc=1
	is R ENOKEY r && is W ENOKEY w && is M SIGBUS r || rc=1
	unlock anna || rc=1
	is R ok r && is W ok w && is M ok r || rc=1
	done_with R W M
	[ "$(as anna head -c 1 "$d/note.txt")" = x ] || { fail "what was written after the unlock is not there"; rc=1; }
	return $rc
}

t_lock_and_unlock_stand_in_the_log_with_where_they_were_asked() {
	from 192.0.2.31 anna lock || return 1
	from 192.0.2.32 anna unlock --passphrase-fd 9 9< <(pass_of anna) || return 1
	audit --who anna --since -1m | grep ' locked' | grep -q 192.0.2.31 || fail "the lock: $(audit --who anna --since -1m | tail -n 3)" || return 1
	audit --who anna --since -1m | grep unlocked | grep -q 192.0.2.32 || fail "the unlock"
}

# ---- logind, as far as an agent knows it, on a bus of its own

start_bus() {
	mkdir -p "$ROOT/bus"
	cat >"$ROOT/bus/conf" <<-END
		<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
		 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
		<busconfig><listen>$BUS</listen><auth>EXTERNAL</auth>
		<policy context="default"><allow user="*"/><allow send_destination="*"/><allow send_type="signal"/>
		<allow receive_type="signal"/><allow receive_type="method_return"/><allow receive_type="method_call"/><allow receive_type="error"/></policy>
		<policy user="root"><allow own="*"/></policy></busconfig>
	END
	dbus-daemon --config-file="$ROOT/bus/conf" --nofork --nopidfile >"$ROOT/bus/log" 2>&1 &
	PIDS+=($!)
	wait_for 10 test -S "$ROOT/bus/socket" || return 1
	mkfifo "$ROOT/in.logind" "$ROOT/out.logind"
	DBUS_SYSTEM_BUS_ADDRESS=$BUS "$PROBES/logind" <"$ROOT/in.logind" >"$ROOT/out.logind" 2>&1 &
	PIDS+=($!)
	exec {IN[logind]}>"$ROOT/in.logind" {OUT[logind]}<"$ROOT/out.logind"
	hear logind ready
}
logind() { # COMMAND: its answer
	local line=
	echo "$1" >&"${IN[logind]}"
	read -r -t 20 -u "${OUT[logind]}" line
	echo "$line"
}
state() { jfs "$1" status --json | grep -q "\"state\": \"$2\""; }
held_by() { [ "$(logind holders)" = "$1" ]; }

t_agent_locks_before_the_computer_sleeps() {
	command -v dbus-daemon >/dev/null || { echo "there is no dbus-daemon"; return 77; }
	start_bus || return 1
	logout anna
	as anna env DBUS_SYSTEM_BUS_ADDRESS="$BUS" "$JFS" login --vault "$ROOT/clinic.conf" --passphrase-fd 9 9< <(pass_of anna) || return 1
	wait_for 10 held_by 1 || fail "sleep is not held back" || return 1
	[ "$(logind sleep)" = released ] || fail "sleep is held back for ever" || return 1
	# No waiting: it was let go when the lock was done.
	state anna locked || fail "not locked when sleep was let go" || return 1
	expect_errno ENOKEY as anna cat "$(J anna)/$HANSEN/note.txt" || return 1
	audit --who anna --since -1m 2>/dev/null | grep ' locked' | grep -q 'goes to sleep' || fail "not in the log" || return 1
	logind wake
	wait_for 10 held_by 1 || fail "the next sleep is not held back" || return 1
	unlock anna && as anna cat "$(J anna)/$HANSEN/note.txt" >/dev/null
}

t_locked_screen_locks_the_session() {
	[ -n "${IN[logind]:-}" ] || return 77
	state anna active || return 1
	logind lock
	wait_for 10 state anna locked || return 1
	audit --who anna --since -1m | grep ' locked' | grep -q 'screen was locked' || fail "not in the log" || return 1
	unlock anna
}

forged() { # MEMBER ARGS...: bo sends it over the bus, to all and straight to anna's agent
	local to
	for to in '' "--dest=$(logind who)"; do
		as bo env DBUS_SYSTEM_BUS_ADDRESS="$BUS" dbus-send --system ${to:+"$to"} --type=signal "$@" || return 1
	done
}

t_signals_of_others_on_the_bus_lock_nobody() {
	[ -n "${IN[logind]:-}" ] || return 77
	forged /org/freedesktop/login1 org.freedesktop.login1.Manager.PrepareForSleep boolean:true || return 1
	forged /org/freedesktop/login1/session/_31 org.freedesktop.login1.Session.Lock || return 1
	# What comes after them on the same bus has been heard, so have they.
	logind wake
	logind lock
	wait_for 10 state anna locked || return 1
	[ "$(audit --who anna --since -1m | grep ' locked' | grep -c 'goes to sleep')" -le 1 ] || fail "a forged sleep locked" || return 1
	unlock anna || return 1
	held_by 1 || fail "the hold on sleep was lost"
}

t_lost_bus_is_no_end_of_the_session() {
	[ -n "${IN[logind]:-}" ] || return 77
	local p
	for p in "${PIDS[@]: -2}"; do
		kill "$p"
		wait "$p" 2>/dev/null
	done
	as anna cat "$(J anna)/$HANSEN/note.txt" >/dev/null || fail "the session is gone" || return 1
	jfs anna lock && unlock anna && as anna cat "$(J anna)/$HANSEN/note.txt" >/dev/null
}

need_root "$0"
clinic || { echo "FAIL clinic: could not be set up"; exit 1; }
login anna && login bo || exit 1
as anna mkdir "$ROOT/home/anna/Away" "$ROOT/home/anna/Far" || exit 1
as anna mkdir "$(J anna)/$HANSEN" && as anna sh -c "echo contents >'$(J anna)/$HANSEN/note.txt'" || exit 1
run_tests
