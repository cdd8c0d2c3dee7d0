#!/bin/bash
# Somebody leaves, and the journals that he knew get new keys: everybody else works on, daemons are
# killed in the middle, the disk fills up, and not a byte is lost.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
LARSEN='020280-5678 Larsen, Bo'
NOTES=1000 LARGE=3 LARGE_MIB=12

sums() { # NAME JOURNAL: of everything that stays as it was
	as "$1" sh -c "cd '$(J "$1")/$2' && find kept -type f -print0 | sort -z | xargs -0 sha256sum" | sha256sum
}
state() { # the one journal's state, "" when there is no order
	jfs dan keys status --json | sed -n 's/.*"state": "\([a-z]*\)".*/\1/p' | head -n 1
}
done_with() { [ -z "$(state)" ]; }
is_state() { [ "$(state)" = "$1" ]; }
under_way() { # some of it is done
	local n
	n=$(jfs dan keys status --json | sed -n 's/.*"records": \([0-9]*\),*/\1/p')
	[ -n "$n" ] && [ "$n" -gt 0 ]
}
gone() { unmounted anna && unmounted bo && unmounted dan; }
back() { # after a kill
	wait_for 10 gone || return 1
	start_daemon && login dan && login anna && login bo
}
kill_daemon() {
	kill -9 "$DAEMON"
	wait "$DAEMON" 2>/dev/null
}
work() { # NAME: writes, appends, renames and reads until killed, and says what was acknowledged
	as "$1" sh -c "cd '$(J "$1")/$HANSEN' && i=0; while i=\$((i+1)); do
		echo \"$1 \$i\" >work-$1.tmp && sync work-$1.tmp && mv work-$1.tmp work-$1 && sync . &&
		dd if=/dev/urandom of=blocks-$1 bs=64k count=1 seek=\$((i % 20)) conv=notrunc,fsync 2>/dev/null &&
		cat kept/large1 kept/n\$((i % $NOTES)) >/dev/null && echo \$i || exit; done" >"$ROOT/acks-$1" 2>/dev/null &
	WORK=$!
}

t_left_ends_everything_at_once() {
	login eva && wait_for 10 as eva test -r "$(J eva)/$LARSEN/secret" || return 1
	# A program of hers that has the note open
	as eva sh -c "exec 7<'$(J eva)/$LARSEN/secret'; echo ready; read go; cat <&7 && echo READ" <"$ROOT/hold" >"$ROOT/hold.out" 2>&1 &
	local p=$!
	exec 6>"$ROOT/hold"
	wait_for 10 grep -q ready "$ROOT/hold.out" || fail "the holder did not begin" || return 1
	practice_policy | sed 's/^practitioner eva.*/& left/' | put_policy dan practice || return 1
	wait_for 2 unmounted eva || fail "the mount is still there" || return 1
	echo go >&6
	exec 6>&-
	wait "$p"
	grep -q 'READ\|what eva knew' "$ROOT/hold.out" && { fail "the open file is still read"; return 1; }
	jfs dan status | grep -q ' eva ' && { fail "her session is still there"; return 1; }
	expect_errno 'left' login eva || return 1
	wait_for 5 audit_says 'key taken from eva' || fail "her keys were not taken" || return 1
	wait_for 5 audit_says 'break-glass key taken from eva' || fail "her break-glass key was not taken" || return 1
	wait_for 5 audit_says 'the index key taken from eva, who left' || fail "the index key was not renewed" || return 1
	audit --who eva | grep -q Larsen || fail "the log does not name her any more" || return 1
	wait_for 5 status_says "eva left: 1 journal he could read still has the key that he knew" ||
		fail "status suggests nothing: $(jfs dan status)"
}
audit_says() { audit | grep -q -- "$1"; }
status_says() { jfs dan status | grep -qF -- "$1"; }

t_all_of_one_who_left() {
	jfs dan keys renew --all-of eva >"$ROOT/out" || return 1
	grep -qx '1 journal is sealed under new keys' "$ROOT/out" || fail "said: $(cat "$ROOT/out")" || return 1
	jfs dan status | grep -q 'eva left' && { fail "status still suggests it"; return 1; }
	[ "$(as anna cat "$(J anna)/$LARSEN/secret")" = 'what eva knew' ] || return 1
	audit --journal "$LARSEN" | grep -q 'asked for by dan, on account of eva' || return 1
	jfs dan keys renew --all-of eva | grep -q 'knows no key'
}

t_who_may_ask() {
	expect_errno 'steward' jfs bo keys renew "$LARSEN" || return 1
	expect_errno 'steward' jfs bo keys renew --all-of anna || return 1
	expect_errno 'no journal' jfs dan keys renew 'nobody at all' || return 1
	audit --who bo | grep -q 'renewing keys' || fail "the refusals are not logged" || return 1
	jfs dan keys renew 2>/dev/null && return 1
	jfs dan keys status extra 2>/dev/null && return 1
	jfs dan keys status | grep -q 'no journal waits'
}

t_renewal_under_load_with_killed_daemons() {
	local before after round wa wb n name
	before=$(sums anna "$HANSEN") || return 1
	jfs dan keys renew --no-wait "$HANSEN" | grep -q 'in the background' || return 1
	for round in 1 2 3; do
		work anna
		wa=$WORK
		work bo
		wb=$WORK
		wait_for 20 under_way || done_with || fail "round $round: it does not begin: $(state)" || return 1
		sleep "0.$((RANDOM % 4 + 1))"
		kill_daemon
		wait "$wa" "$wb" 2>/dev/null
		back || return 1
		for name in anna bo; do
			n=$(tail -n 1 "$ROOT/acks-$name")
			[ -n "$n" ] || continue
			after=$(as $name cat "$(J $name)/$HANSEN/work-$name" | cut -d ' ' -f 2)
			[ "$after" -ge "$n" ] || fail "round $round: $name's $n is lost, there is $after" || return 1
		done
		[ "$(sums bo "$HANSEN")" = "$before" ] || fail "round $round: contents differ" || return 1
	done
	work anna
	wa=$WORK
	jfs dan keys renew --no-wait "$HANSEN" >/dev/null
	wait_for 60 done_with || fail "it does not end: $(jfs dan keys status)" || return 1
	kill "$wa" 2>/dev/null
	wait "$wa" 2>/dev/null
	[ "$(sums bo "$HANSEN")" = "$before" ] || fail "contents differ in the end" || return 1
	audit --journal "$HANSEN" | grep -q 'sealed under key [0-9]* alone' || return 1
	audit | grep ALARM | grep -v "gets the role" >"$ROOT/alarms" && { fail "an alarm was raised: $(cat "$ROOT/alarms")"; return 1; }
	logout anna && logout bo && login anna && login bo || return 1
	[ "$(sums anna "$HANSEN")" = "$before" ]
}

t_bar_on_a_terminal_and_interrupt() {
	as dan script -qec "timeout -s INT 0.7 $JFS keys renew --vault $ROOT/clinic.conf '$HANSEN'" /dev/null >"$ROOT/out" 2>&1
	grep -q '\[[#.]*\] ' "$ROOT/out" || fail "no bar: $(cat "$ROOT/out")" || return 1
	grep -q 'goes on in the background\|sealed under new keys' "$ROOT/out" || fail "said: $(cat "$ROOT/out")" || return 1
	wait_for 60 done_with
}

t_nobody_who_may_write_is_there() {
	logout anna && logout bo || return 1
	jfs dan keys renew "$HANSEN" >"$ROOT/out" || return 1
	grep -q 'wait for somebody who may write there to log in' "$ROOT/out" || fail "said: $(cat "$ROOT/out")" || return 1
	status_says 'new keys for 1 journal: 1 wait for somebody' || fail "$(jfs dan status)" || return 1
	login bo || return 1
	wait_for 60 done_with || fail "bo's session does not serve: $(jfs dan keys status)" || return 1
	login anna
}

t_locked_session_pauses_it() {
	local before
	before=$(sums anna "$HANSEN")
	logout bo && jfs dan keys renew --no-wait "$HANSEN" >/dev/null && wait_for 20 under_way || return 1
	jfs anna lock || return 1
	wait_for 10 is_state waiting || fail "state is $(state)" || return 1
	jfs anna unlock --passphrase-fd 9 9< <(pass_of anna) || return 1
	wait_for 60 done_with || fail "it does not go on: $(jfs dan keys status)" || return 1
	login bo && [ "$(sums bo "$HANSEN")" = "$before" ]
}

t_full_disk_pauses_it() {
	local before size try
	before=$(sums anna "$HANSEN")
	size=$(($(df --output=avail -B1 "$ROOT/disk" | tail -n 1) - 18000000))
	for try in 1 2 3 4 5; do # until the disk is filled before the end
		jfs dan keys renew --no-wait "$HANSEN" >/dev/null || return 1
		kill -STOP "$DAEMON"
		fallocate -l "$size" "$ROOT/disk/filler" || return 1
		kill -CONT "$DAEMON"
		wait_for 10 is_state space && break
		rm "$ROOT/disk/filler"
		wait_for 30 done_with
	done
	is_state space || fail "state is '$(state)'" || return 1
	jfs dan keys status | grep -q 'disk is nearly full' || return 1
	# The last megabytes are for people's work.
	as anna sh -c "echo urgent >'$(J anna)/$HANSEN/urgent' && sync '$(J anna)/$HANSEN/urgent'" || fail "no room for a note" || return 1
	kill_daemon
	back || return 1
	[ "$(sums bo "$HANSEN")" = "$before" ] || return 1
	rm "$ROOT/disk/filler"
	wait_for 90 done_with || fail "it does not go on: $(jfs dan keys status)" || return 1
	[ "$(sums bo "$HANSEN")" = "$before" ] && [ "$(as bo cat "$(J bo)/$HANSEN/urgent")" = urgent ]
}

need_root
mkdir -p "$ROOT/disk"
mount -t tmpfs -o size=400m,mode=755 tmpfs "$ROOT/disk"
mkfifo "$ROOT/hold"
clinic && login anna && login bo || exit 1
as anna mkdir "$(J anna)/$HANSEN" "$(J anna)/$LARSEN"
put_policy dan "$HANSEN" <<-END
	journal "$HANSEN"
	unit north
	allow user:anna:rwx
	allow user:bo:rwx
END
put_policy dan "$LARSEN" <<-END
	journal "$LARSEN"
	unit north
	allow user:anna:rwx
	allow user:eva:r-x
END
as anna sh -c "cd '$(J anna)/$HANSEN' && mkdir kept && cd kept && i=0; while [ \$i -lt $NOTES ]; do echo \"note \$i\" >n\$i; i=\$((i+1)); done
	for k in $(seq -s ' ' $LARGE); do head -c ${LARGE_MIB}M /dev/urandom >large\$k; done; truncate -s 40M large1; sync ."
as anna sh -c "echo 'what eva knew' >'$(J anna)/$LARSEN/secret'"
wait_for 10 as bo test -r "$(J bo)/$HANSEN/kept/n1"
run_tests
