#!/bin/bash
# Attacks on a running clinic: a hostile peer on the socket, a vault edited underneath,
# a session locked in the middle of things.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

SOCK=''
alive() { kill -0 "$DAEMON" && as anna cat "$D/note" | grep -qx 'still here'; }
gone() { unmounted "$1"; }

t_garbage_on_the_socket_changes_nothing() {
	local i
	for i in 1 2 3 4 5; do
		head -c $((RANDOM * 20 + 8)) /dev/urandom | as eva "$PROBES/probe" peer "$SOCK" 3 2>/dev/null
	done
	printf '\377\377\377\377\377\377\377\377' | as eva "$PROBES/probe" peer "$SOCK" 3 2>/dev/null
	printf '\002\000\000\000\000\000\000\000{}' | as eva "$PROBES/probe" peer "$SOCK" 3 2>/dev/null
	alive
}

t_idle_and_half_open_peers_delay_nobody() {
	local i pids=()
	for i in $(seq 40); do
		(printf '\377' | as eva "$PROBES/probe" peer "$SOCK" 20) 2>/dev/null &
		pids+=($!)
	done
	sleep 0.5
	login bo || { fail "bo cannot log in beside 40 idle peers"; return 1; }
	alive || return 1
	logout bo
	wait "${pids[@]}"
}

t_stopped_agent_delays_nobody() {
	login bo || return 1
	local a
	a=$(procs bo journalfs-agent)
	kill -STOP "$a"
	as anna sh -c "echo x >'$D/while-stopped'" && jfs dan status >/dev/null
	local rc=$?
	kill -CONT "$a"
	logout bo
	return $rc
}

t_other_accounts_can_end_nobodys_session() {
	jfs eva logout 2>/dev/null
	jfs eva lock 2>/dev/null && fail "eva locked something" && return 1
	alive
}

t_unprivileged_verbs_are_refused() {
	login eva || return 1
	expect_errno 'right\|policy' jfs eva policy show practice || return 1
	expect_errno 'right\|audit' jfs eva audit show || return 1
	expect_errno 'right\|policy' jfs eva invite bo || return 1
	audit --who eva | grep -ci refused | grep -q '[3-9]' || fail "the refusals are not all in the log" || return 1
	logout eva
}

# Edits the stopped daemon's files with a function, then expects the note to be EIO, or the start refused.
tampered() { # FUNCTION
	logout anna
	stop_daemon
	rm -rf "$ROOT/keep" && cp -a "$ROOT/disk" "$ROOT/keep"
	"$1"
	local rc=0
	if start_daemon 2>/dev/null && login dan && login anna; then
		as anna cat "$D/note" >/dev/null 2>&1 && as anna cmp -s "$D/large" "$ROOT/large" && rc=1
	fi
	logout anna 2>/dev/null
	stop_daemon 2>/dev/null
	for m in anna dan; do wait_for 10 gone $m; done
	rm -rf "$ROOT/disk"/* && cp -a "$ROOT/keep"/* "$ROOT/disk/"
	start_daemon && login dan && login anna || rc=1
	as anna cat "$D/note" | grep -qx 'still here' || { echo "the untampered copy does not open"; rc=1; }
	return $rc
}

flip_container() {
	local f
	f=$(find "$ROOT/vault/containers/" -type f -size +100k | head -1)
	printf '\252' | dd of="$f" bs=1 seek=20000 conv=notrunc status=none
}
swap_units() {
	local f
	f=$(find "$ROOT/vault/containers/" -type f -size +100k | head -1)
	dd if="$f" of="$ROOT/u0" bs=64k count=1 status=none
	dd if="$f" of="$ROOT/u1" bs=64k skip=1 count=1 status=none
	dd if="$ROOT/u1" of="$f" bs=64k conv=notrunc status=none
	dd if="$ROOT/u0" of="$f" bs=64k seek=1 conv=notrunc status=none
}
flip_database() { # every 4 KiB page of the second half loses a bit
	local f=$ROOT/vault/db/data.mdb n i
	n=$(($(stat -c %s "$f") / 4096))
	for i in $(seq 8 $((n - 1))); do printf '\125' | dd of="$f" bs=1 seek=$((i * 4096 + 2000)) conv=notrunc status=none; done
}
wipe_shred() { dd if=/dev/zero of="$ROOT/vault/shred" bs=32 count=64 conv=notrunc status=none; }

t_flipped_container_bit_is_noticed() { tampered flip_container; }
t_swapped_chunks_are_noticed() { tampered swap_units; }
t_damaged_database_is_noticed() { tampered flip_database; }
t_overwritten_shred_slot_destroys_the_journal() { tampered wipe_shred; }

t_damage_raises_an_alarm_that_names_the_file_once() {
	logout anna
	stop_daemon
	rm -rf "$ROOT/keep" && cp -a "$ROOT/disk" "$ROOT/keep"
	flip_container
	start_daemon && login dan && login anna || return 1
	expect_errno EIO as anna cat "$D/large" || return 1
	audit --since -2m | grep -i alarm | head -1 | grep -q . || fail "no alarm in the log"
	local rc=$?
	logout anna
	logout dan
	stop_daemon
	rm -rf "$ROOT/disk"/* && cp -a "$ROOT/keep"/* "$ROOT/disk/"
	start_daemon && login dan && login anna || return 1
	return $rc
}

t_log_records_come_before_light() {
	# The log's space is taken away: nothing new may be read.
	echo 'a new note' | as anna tee "$D/unread" >/dev/null || return 1
	logout anna
	stop_daemon
	start_daemon && login dan && login anna || return 1
	as anna cat "$D/unread" >/dev/null || return 1
	audit --who anna --since -1m | grep -q 'unread' || fail "the read note is not in the log"
}

t_session_ends_at_daemon_stop_and_mount_goes() {
	stop_daemon || fail "stop: not clean" || return 1
	wait_for 10 gone anna && wait_for 10 gone dan || fail "mounts stay" || return 1
	start_daemon && login dan && login anna && alive
}

need_root
clinic && login anna || { echo "FAIL attack: set-up"; cat "$ROOT/daemon.log"; exit 1; }
SOCK=$ROOT/run/socket
D="$(J anna)/010190-1234 Hansen, Anna"
as anna mkdir "$D"
echo 'still here' | as anna tee "$D/note" >/dev/null
head -c 1000000 /dev/urandom >"$ROOT/large" && chmod 644 "$ROOT/large"
as anna cp "$ROOT/large" "$D/large"
as anna sync "$D/large"
run_tests
