#!/bin/bash
# Several practitioners in one journal: what one does, the others see.
# SPDX-License-Identifier: Apache-2.0
#
# SEED (a number, or random), STEPS, SECONDS_EACH and RUNS in the environment make the property test longer or replay it, STRESS_S
# the others longer; SAVE names a file that gets all that the driver said.
. "$(dirname "$0")/lib.sh"

ONE='010190-1234 Hansen, Anna'
TWO='020202-2222 Jensen, Jens'

user_spec() { echo "$1:$(id -u "jft-$1"):$(id -g "jft-$1"):$(J "$1")"; }

journal_n() { [ "$1" = 0 ] && echo "$ONE" || echo "$TWO"; }

set_rights() { # NAME JOURNAL-NUMBER rwx|r-x|none: by the steward
	local journal
	journal=$(journal_n "$2")
	{
		jfs dan policy show "$journal" | grep -v "^allow *user:$1:"
		[ "$3" = none ] || echo "allow user:$1:$3"
	} | put_policy dan "$journal"
}

obey() { # VERB ARGUMENT...: what the driver asks for
	case $1 in
	rights) set_rights "$2" "$3" "$4" ;;
	lock) jfs "$2" lock ;;
	unlock) jfs "$2" unlock --passphrase-fd 9 9< <(pass_of "$2") ;;
	logout) logout "$2" && wait_for 10 unmounted "$2" ;;
	login) login "$2" ;;
	*) return 1 ;;
	esac
}

property() { # SEED
	local line rc
	: >"$ROOT/control.out"
	as anna rm -rf "$(J anna)/$ONE/"{a,b,c,d,e,f} "$(J anna)/$TWO/"{a,b,c,d,e,f}
	coproc DRIVER { exec "$PROBES/coherence" "$1" "${STEPS:-1000000000}" "${SECONDS_EACH:-15}" "$ONE" "$TWO" \
		"$(user_spec anna)" "$(user_spec bo)" "$(user_spec eva)" 2>"$ROOT/property.out"; }
	local pid=$DRIVER_PID in=${DRIVER[1]} out=${DRIVER[0]}
	PIDS+=("$pid")
	while read -r -a line <&"$out"; do
		if obey "${line[@]}" >>"$ROOT/control.out" 2>&1; then echo ok; else echo no; fi >&"$in"
	done 2>/dev/null
	wait "$pid"
	rc=$?
	[ $rc -eq 0 ] || tail -n 5 "$ROOT/control.out"
	cat "$ROOT/property.out"
	cat "$ROOT/property.out" "$ROOT/control.out" >>"${SAVE:-/dev/null}"
	return $rc
}

all_back() { # whatever state the driver left them in
	local n
	for n in anna bo eva; do
		mounted "$n" || login "$n" || return 1
		as "$n" ls "$(J "$n")" >/dev/null 2>&1 || obey unlock "$n" || return 1
	done
	set_rights anna 0 rwx && set_rights bo 0 rwx && set_rights eva 0 rwx &&
		set_rights anna 1 rwx && set_rights bo 1 none && set_rights eva 1 none || return 1
	wait_for 10 as eva test -w "$(J eva)/$ONE" && wait_for 10 as bo test -w "$(J bo)/$ONE" &&
		wait_for 10 as anna test -w "$(J anna)/$ONE"
}

t_three_users_see_what_the_model_says() {
	local run seed=${SEED:-20261122}
	[ "$seed" != random ] || seed=$RANDOM$RANDOM
	for run in $(seq "${RUNS:-2}"); do
		all_back >/dev/null || fail "the users could not be let in" || return 1
		property "$seed" || return 1
		seed=$((seed + 1))
	done
}

specs() { user_spec anna; user_spec bo; user_spec eva; }

together() { # stress|tree SECONDS JOURNAL
	# shellcheck disable=SC2046
	timeout -k 5 300 "$PROBES/together" "$1" "$2" "$3" $(specs) >"$ROOT/together.out" 2>"$ROOT/together.err"
	local rc=$?
	cut -c1-300 "$ROOT/together.err"
	return $rc
}

t_unordered_work_in_one_directory_ends_alike_in_all_mounts() {
	all_back >/dev/null || fail "the users could not be let in" || return 1
	as anna mkdir "$(J anna)/$ONE/stress" || return 1
	together stress "${STRESS_S:-10}" "$ONE/stress" || return 1
	cp "$ROOT/together.out" "$ROOT/stress.seen"
	jfs dan status >/dev/null || fail "status does not answer"
}

t_directories_renamed_against_each_other_neither_hang_nor_get_lost() {
	as anna mkdir "$(J anna)/$ONE/tree" || return 1
	together tree "${STRESS_S:-6}" "$ONE/tree" || return 1
	jfs dan status >/dev/null || fail "status does not answer"
}

vault_kib() { du -sk "$VAULT/containers" | cut -f1; }
shrunk() { [ "$(vault_kib)" -lt "$1" ]; }

# A swap file: of notes that are removed the contents are kept.
t_space_of_a_note_that_the_other_had_looked_at_returns() {
	local before
	all_back >/dev/null || fail "the users could not be let in" || return 1
	before=$(vault_kib)
	as anna sh -c "head -c 40000000 /dev/urandom >'$(J anna)/$ONE/.large.txt.swp' && sync '$(J anna)/$ONE/.large.txt.swp'" || return 1
	[ "$(vault_kib)" -gt $((before + 30000)) ] || fail "from $before to $(vault_kib) KiB with the note" || return 1
	as bo stat "$(J bo)/$ONE/.large.txt.swp" >/dev/null && as eva cat "$(J eva)/$ONE/.large.txt.swp" >/dev/null || return 1
	as anna rm "$(J anna)/$ONE/.large.txt.swp" || return 1
	wait_for 30 shrunk $((before + 10000)) || fail "from $before to $(vault_kib) KiB without the note"
}

t_after_a_restart_everything_is_as_it_was_seen() {
	local n
	for n in anna bo eva; do logout "$n"; done
	stop_daemon || fail "the daemon did not stop cleanly" || return 1
	start_daemon && login dan && login anna && login bo && login eva || return 1
	together dump 0 "$ONE/stress" || return 1
	cmp "$ROOT/together.out" "$ROOT/stress.seen" || { diff "$ROOT/together.out" "$ROOT/stress.seen" | head -20; return 1; }
}

need_root
clinic || { echo "FAIL clinic: set-up"; cat "$ROOT/daemon.log"; exit 1; }
login anna && login bo && login eva && as anna mkdir "$(J anna)/$ONE" "$(J anna)/$TWO" ||
	{ echo "FAIL clinic: two journals"; exit 1; }
run_tests
