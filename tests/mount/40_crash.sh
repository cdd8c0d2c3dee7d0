#!/bin/bash
# Killed daemons, full disks, read-only disks: what was acknowledged is there, nothing else is lost.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

D=''
gone() { unmounted anna; }
half_empty() { [ "$(df --output=pcent "$ROOT/disk" | tail -n 1 | tr -dc 0-9)" -lt 50 ]; }

t_kill_9_keeps_everything_fsynced() {
	local round last n
	for round in 1 2 3 4 5; do
		as anna "$PROBES/probe" fsyncs "$D/r$round" >"$ROOT/acks" 2>/dev/null &
		local p=$!
		sleep "0.$((RANDOM % 6 + 2))"
		kill -9 "$DAEMON"
		wait "$DAEMON" 2>/dev/null
		wait $p
		wait_for 10 gone || fail "round $round: the agent did not unmount" || return 1
		start_daemon && login anna || return 1
		last=$(tail -n 1 "$ROOT/acks")
		[ -n "$last" ] || fail "round $round: nothing was acknowledged" || return 1
		for n in $(seq "$last"); do
			[ "$(as anna cat "$D/r$round.$n")" = "contents of number $n" ] || fail "round $round: number $n of $last is lost" || return 1
		done
	done
}

t_kill_9_in_a_rename_loop_leaves_old_or_new() {
	local round
	for round in 1 2 3; do
		as anna sh -c "cd '$D' && echo v0 >doc && i=0; while i=\$((i+1)); do echo v\$i >doc.tmp && sync doc.tmp && mv doc.tmp doc || exit; done" 2>/dev/null &
		local p=$!
		sleep 0.4
		kill -9 "$DAEMON"
		wait "$DAEMON" 2>/dev/null
		wait $p
		wait_for 10 gone || return 1
		start_daemon && login anna || return 1
		as anna grep -qxE 'v[0-9]+' "$D/doc" || fail "round $round: doc is '$(as anna cat "$D/doc")'" || return 1
	done
}

t_dead_daemon_answers_and_login_recovers() {
	kill -9 "$DAEMON"
	wait "$DAEMON" 2>/dev/null
	wait_for 10 gone || return 1
	expect_errno 'serves' jfs anna status || return 1
	start_daemon && login anna && as anna ls "$D" >/dev/null
}

# Deleted notes are kept, swap files are not: it is these that give their space back.
t_full_disk_is_enospc_and_nothing_is_lost() {
	as anna sh -c "echo precious >'$D/precious' && sync '$D/precious'" || return 1
	expect_errno ENOSPC as anna dd if=/dev/zero of="$D/.filler.swp" bs=1M || return 1
	[ "$(as anna cat "$D/precious")" = precious ] || fail "reading fails when the disk is full" || return 1
	as anna rm "$D/.filler.swp" || fail "deleting fails when the disk is full" || return 1
	wait_for 15 half_empty || fail "the disk does not get its space back" || return 1
	wait_for 15 as anna sh -c "head -c 3000000 /dev/zero >'$D/fits' && sync '$D/fits'" || fail "space did not come back" || return 1
	jfs anna status >/dev/null
}

# Not a byte is left, also not what the vault keeps for itself: that is when somebody collapses.
t_full_disk_keeps_nobody_from_an_emergency() {
	login bo && login eva || return 1
	dd if=/dev/zero of="$ROOT/disk/foreign" bs=1M 2>/dev/null
	expect_errno ENOSPC as anna dd if=/dev/zero of="$D/.filler.swp" bs=1M || return 1
	dd if=/dev/zero of="$ROOT/disk/foreign2" bs=4k 2>/dev/null
	expect_errno ENOENT as eva cat "$D_EVA/precious" || return 1
	jfs eva break-glass "$(basename "$D")" --ground danger --reason 'unconscious, brought in by ambulance' --yes >"$ROOT/said" 2>&1 ||
		fail "$(cat "$ROOT/said")" || return 1
	[ "$(as eva cat "$D_EVA/precious")" = precious ] || fail "opened, but nothing is read" || return 1
	rm -f "$ROOT/disk/foreign" "$ROOT/disk/foreign2"
	as anna rm "$D/.filler.swp" || return 1
	wait_for 15 half_empty || return 1
	login dan || return 1
	audit --who eva --json | grep -q '"kind":"break-glass"' || fail "it is not in the log" || return 1
	jfs eva break-glass --close "$(basename "$D")" || return 1
	expect_errno ENOENT as eva cat "$D_EVA/precious"
}

t_full_disk_from_outside_then_kill() {
	dd if=/dev/zero of="$ROOT/disk/foreign" bs=1M 2>/dev/null
	as anna sh -c "echo late >'$D/late' && sync '$D/late'" 2>/dev/null
	local rc=$?
	as anna cat "$D/precious" >/dev/null || fail "reading fails" || return 1
	kill -9 "$DAEMON"
	wait "$DAEMON" 2>/dev/null
	wait_for 10 gone || return 1
	rm -f "$ROOT/disk/foreign"
	start_daemon && login anna || return 1
	[ "$(as anna cat "$D/precious")" = precious ] || return 1
	[ $rc -ne 0 ] || [ "$(as anna cat "$D/late")" = late ] || fail "an acknowledged fsync was lost"
}

t_read_only_disk_is_named() {
	logout anna
	stop_daemon
	mount -o remount,ro "$ROOT/disk" || return 1
	local out
	out=$(as daemon "$JFS" serve --state "$ROOT/state" --socket "$ROOT/run/socket" "$ROOT/vault" 2>&1)
	local rc=$?
	mount -o remount,rw "$ROOT/disk"
	[ $rc -ne 0 ] || return 1
	grep -qi 'read-only' <<<"$out" || fail "message: $out" || return 1
	start_daemon && login anna && as anna cat "$D/precious" >/dev/null
}

t_sigstop_of_the_daemon_only_delays() {
	kill -STOP "$DAEMON"
	as anna cat "$D/precious" >"$ROOT/out" 2>&1 &
	local p=$!
	sleep 0.5
	kill -CONT "$DAEMON"
	wait $p
}

need_root
mkdir -p "$ROOT/disk"
truncate -s 220M "$ROOT/disk.img" && mkfs.ext4 -q -F "$ROOT/disk.img" && mount -o loop "$ROOT/disk.img" "$ROOT/disk" ||
	{ for f in $(compgen -A function t_); do echo "SKIP ${f#t_}: no loop device"; done; exit 0; }
clinic && login anna || { echo "FAIL crash: set-up"; cat "$ROOT/daemon.log"; exit 1; }
D="$(J anna)/010190-1234 Hansen, Anna"
D_EVA="$(J eva)/010190-1234 Hansen, Anna"
as anna mkdir "$D"
run_tests
