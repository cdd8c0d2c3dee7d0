#!/bin/bash
# Access is taken away while everything is under way: whatever takes it, and however the one whom it
# is taken from stalls the own mount, it is cut, typed work is saved first, and nobody else notices.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
ATTACK=$PROBES/attack REVOKE=$PROBES/revoke
declare -A IN OUT PID

# TAG NAME PROGRAM...: in the background, fed and read line by line with tell and hear
start() {
	local tag=$1 who=$2 in out
	shift 2
	rm -f "$ROOT/$tag.in" "$ROOT/$tag.out"
	mkfifo "$ROOT/$tag.in" "$ROOT/$tag.out"
	exec {in}<>"$ROOT/$tag.in" {out}<>"$ROOT/$tag.out"
	IN[$tag]=$in OUT[$tag]=$out
	as "$who" "$@" <"$ROOT/$tag.in" >"$ROOT/$tag.out" 2>&1 {in}>&- {out}>&- &
	PID[$tag]=$!
	[ "$(hear "$tag")" = ready ] || fail "$tag did not begin"
}
tell() { echo "$2" >&"${IN[$1]}"; }
hear() { # TAG: the next line
	local line
	read -r -t 30 -u "${OUT[$1]}" line && echo "$line"
}
finish() { # TAG: whatever it still does
	local in=${IN[$1]} out=${OUT[$1]}
	kill "${PID[$1]}" 2>/dev/null
	wait "${PID[$1]}" 2>/dev/null
	exec {in}>&- {out}>&-
}

admit() { # bo may read and write again, and is logged in
	put_policy dan "$HANSEN" <"$ROOT/open.policy" || return 1
	unmounted bo && { login bo || return 1; }
	wait_for 10 as bo test -w "$E" || fail "bo was not admitted"
}
begin() { # bo's programs and anna, who goes on with her own work
	admit || return 1
	start anna anna "$REVOKE" steady "$D/steady" || return 1
	start one bo "$REVOKE" hold "$E" one || return 1
	start two bo "$REVOKE" hold "$E" two
}
cut_for() { # r|w TAG: what is taken can't be had any more, in any way
	local line rc=0
	tell "$2" "$1"
	while line=$(hear "$2") && [ "$line" != end ]; do
		fail "$2, still $line"
		rc=1
	done
	[ "$line" = end ] || fail "$2 does not answer any more"
	return $rc
}
unnoticed() { # anna's work went on, and goes on
	local first second
	tell anna n
	first=$(hear anna)
	sleep 0.2
	tell anna n
	second=$(hear anna)
	[ "$second" -gt "$first" ] 2>/dev/null || fail "anna's work stopped: '$first', then '$second'"
}
typed() { # TAG: what was typed into a mapping is saved
	local n
	for n in $(seq 0 15); do
		as anna grep -aq "typed but not saved, page $n\$" "$D/$1.typed" || { fail "page $n of $1 is lost"; return 1; }
	done
}
after() { # r|w: all that holds after a cut
	local rc=0
	sleep 1
	cut_for "$1" one || rc=1
	cut_for "$1" two || rc=1
	unnoticed || rc=1
	typed one && typed two || rc=1
	finish one
	finish two
	tell anna q
	finish anna
	return $rc
}

t_policy_that_shuts_out_cuts_what_is_under_way() {
	begin || return 1
	put_policy dan "$HANSEN" <"$ROOT/shut.policy" || return 1
	after r
}

t_policy_that_leaves_reading_cuts_what_writes() {
	begin || return 1
	put_policy dan "$HANSEN" <"$ROOT/reader.policy" || return 1
	sleep 1
	local sum
	sum=$(as anna cat "$D/one.dirtied" | sha256sum)
	after w || return 1
	[ "$(as anna cat "$D/one.dirtied" | sha256sum)" = "$sum" ] || fail "a mapping still changes the file" || return 1
	as bo cat "$E/one.read" >/dev/null || fail "bo may read no more"
}

t_lock_cuts_what_is_under_way() {
	begin || return 1
	jfs bo lock || return 1
	after r
	local rc=$?
	jfs bo unlock --passphrase-fd 9 9< <(pass_of bo) || return 1
	as bo cat "$E/one.read" >/dev/null || fail "not readable after unlocking" || return 1
	return $rc
}

t_descriptors_work_again_after_unlocking() {
	admit && start held bo "$PROBES/probe" hold "$E/one.read" r || return 1
	jfs bo lock && tell held r || return 1
	[ "$(hear held)" = ENOKEY ] || fail "readable while locked" || return 1
	jfs bo unlock --passphrase-fd 9 9< <(pass_of bo) || return 1
	tell held r
	local line
	line=$(hear held)
	finish held
	[ "$line" = ok ] || fail "the descriptor answers $line"
}

t_logout_cuts_what_is_under_way() {
	begin || return 1
	logout bo || return 1
	after r
}

t_leaving_the_practice_cuts_what_is_under_way() {
	begin || return 1
	practice_policy | sed 's/\(practitioner bo .*\)/\1 on leave/' | put_policy dan practice || return 1
	wait_for 10 unmounted bo || fail "the session goes on" || return 1
	after r
	local rc=$?
	practice_policy | put_policy dan practice || return 1
	return $rc
}

t_longest_time_cuts_what_is_under_way() {
	logout bo
	{ practice_policy; echo 'session ceiling 1m'; } | put_policy dan practice || return 1
	begin || return 1
	practice_policy | put_policy dan practice || return 1
	wait_for 75 unmounted bo || fail "the session goes on" || return 1
	after r
}

t_end_of_the_agent_cuts_what_is_under_way() {
	begin || return 1
	local agent
	agent=$(procs bo journalfs-agent)
	[ -n "$agent" ] && kill -9 $agent || return 1
	after r
	local rc=$?
	# The mount it left behind is dead; the next log-in takes it away.
	mounted bo || fail "who unmounted it?" || return 1
	login bo && as bo cat "$E/one.read" >/dev/null || fail "no log-in after the agent was killed" || return 1
	return $rc
}

# ---- who stalls the own mount on purpose ----

hostile() { # MODE: bo logs in with a fusermount3 of the own and a copy of the descriptor
	put_policy dan "$HANSEN" <"$ROOT/open.policy" || return 1
	mounted bo && logout bo
	wait_for 10 unmounted bo || return 1
	as bo env PATH="$ROOT/bin:$PATH" ATTACK="$1" "$JFS" login --vault "$ROOT/clinic.conf" --passphrase-fd 9 9< <(pass_of bo) || return 1
	wait_for 10 as bo test -w "$E/large" || fail "bo was not admitted"
}
ended() { audit --who bo --since -2m | grep -q "logged out.*$1"; }
stalled() { # what holds after bo's mount was stalled and the right taken
	local p rc=0
	put_policy dan "$HANSEN" <"$ROOT/shut.policy" || rc=1
	[ -z "${1:-}" ] || wait_for 15 ended "$1" || [ ! -e "$ROOT/home/bo/stolen" ] ||
		{ fail "bo keeps a session that nothing can be taken from"; rc=1; }
	unnoticed || rc=1
	tell anna q
	finish anna
	for p in $(procs bo); do kill -9 "$p" 2>/dev/null; done
	rm -f "$ROOT/home/bo/steal"
	for p in "${!PID[@]}"; do wait "${PID[$p]}" 2>/dev/null; done
	wait_for 10 unmounted bo || umount -l "$(J bo)"
	as anna cat "$D/large" >/dev/null || rc=1
	return $rc
}

t_reader_that_is_stopped_does_not_keep_what_it_has() {
	admit && start anna anna "$REVOKE" steady "$D/steady" || return 1
	start held bo "$PROBES/probe" holdmap "$E/large" || return 1
	start pages bo "$ATTACK" pages "$E/large" && tell pages go
	sleep 0.3
	kill -STOP $(procs bo attack)
	put_policy dan "$HANSEN" <"$ROOT/shut.policy" || return 1
	sleep 1
	tell held go
	local line
	line=$(hear held)
	kill -CONT $(procs bo attack)
	wait "${PID[pages]}" # its next read fails
	finish held
	stalled || return 1
	[ "$line" = SIGBUS ] || fail "the mapping answers $line"
}

t_listing_into_a_page_of_the_own_mount_stalls_nobody() {
	hostile keep && start anna anna "$REVOKE" steady "$D/steady" || return 1
	start into bo "$ATTACK" into "$E" "$E/large" || return 1
	as bo touch "$ROOT/home/bo/steal"
	sleep 0.3
	tell into go
	sleep 0.7
	# Which of the two requests bo took is chance: cut, or ended since it could not be.
	stalled
}

# Which requests bo gets is chance: the daemon may be quicker each time, and then nothing is stalled.
until_stolen() { # COMMAND
	local n
	for n in 1 2 3 4; do
		rm -f "$ROOT/home/bo/stolen"
		"$1" || return 1
		[ ! -e "$ROOT/home/bo/stolen" ] || return 0
	done
	echo "the daemon was quicker four times"
	return 77
}

t_swallowed_write_ends_the_session() { until_stolen swallow; }
swallow() {
	hostile swallow && start anna anna "$REVOKE" steady "$D/steady" || return 1
	local n
	# Of so many pages that the invalidation forces out bo gets one before the daemon does.
	for n in $(seq 8); do start "dirty$n" bo "$ATTACK" dirty "$E/swallowed$n" || return 1; done
	as bo touch "$ROOT/home/bo/steal"
	sleep 0.5
	stalled 'did not let go'
}

t_answers_that_drip_do_not_put_the_cut_off() { until_stolen let_drip; }
let_drip() {
	local n
	hostile drip && start anna anna "$REVOKE" steady "$D/steady" || return 1
	for n in $(seq 12); do start "pages$n" bo "$ATTACK" pages "$E/large$n" || return 1; done
	as bo touch "$ROOT/home/bo/steal"
	sleep 0.3
	for n in $(seq 12); do tell "pages$n" go; done
	sleep 0.3
	stalled 'did not let go'
}

t_waiting_copy_of_the_descriptor_stalls_nobody() {
	hostile flags || return 1
	start anna anna "$REVOKE" steady "$D/steady" && start one bo "$REVOKE" hold "$E" one || return 1
	put_policy dan "$HANSEN" <"$ROOT/shut.policy" || return 1
	sleep 1
	local rc=0
	cut_for r one || rc=1
	typed one || rc=1
	stalled || rc=1
	return $rc
}

t_killed_daemon_gives_up_the_vault_though_a_mount_is_stalled() {
	hostile keep && start anna anna "$REVOKE" steady "$D/steady" || return 1
	start pages bo "$ATTACK" pages "$E/large" || return 1
	as bo touch "$ROOT/home/bo/steal"
	sleep 0.3
	tell pages go
	sleep 0.3
	put_policy dan "$HANSEN" <"$ROOT/shut.policy" || return 1
	sleep 0.5 # the daemon waits in bo's kernel now
	kill -9 "$DAEMON"
	wait_for 10 unmounted anna || fail "anna's agent did not unmount" || return 1
	local rc=0 old=$DAEMON
	start_daemon || { fail "the vault is not free: $(tail -n 1 "$ROOT/daemon.log")"; rc=1; }
	[ $rc -ne 0 ] || { login anna && as anna cat "$D/large" >/dev/null; } || rc=1
	finish anna
	for n in $(procs bo); do kill -9 "$n" 2>/dev/null; done
	rm -f "$ROOT/home/bo/steal"
	finish pages
	umount -l "$(J bo)" 2>/dev/null
	wait "$old" 2>/dev/null
	[ $rc -eq 0 ] || { start_daemon && login anna; }
	login dan || rc=1
	return $rc
}

need_root
clinic && login anna && login bo || { echo "FAIL revoke: set-up"; cat "$ROOT/daemon.log"; exit 1; }
D="$(J anna)/$HANSEN" E="$(J bo)/$HANSEN"
install -d -m 755 "$ROOT/bin" && install -m 755 "$ATTACK" "$ROOT/bin/fusermount3"
as anna mkdir "$D"
head -c 300000 /dev/urandom >"$ROOT/large" && chmod 644 "$ROOT/large"
for n in '' $(seq 12); do as anna cp "$ROOT/large" "$D/large$n"; done
jfs dan policy show "$HANSEN" >"$ROOT/shut.policy"
{ cat "$ROOT/shut.policy"; echo 'allow user:bo:rwx'; } >"$ROOT/open.policy"
{ cat "$ROOT/shut.policy"; echo 'allow user:bo:r-x'; } >"$ROOT/reader.policy"
run_tests
