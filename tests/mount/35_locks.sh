#!/bin/bash
# File locks between practitioners: flock, fcntl and OFD locks hold across mounts, waiting ends as it
# does on a local disk, and whoever leaves leaves no lock behind.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
LOCK=$PROBES/lock
declare -A IN OUT PID ID

holder() { # TAG NAME FILE MODE [SUBCOMMAND ARG]: a program of that practitioner, spoken to by its tag
	local tag=$1 name=$2 file=$3 in out line
	shift 3
	rm -f "$ROOT/in.$tag" "$ROOT/out.$tag"
	mkfifo "$ROOT/in.$tag" "$ROOT/out.$tag"
	as "$name" "$LOCK" "${2:-hold}" "$(J "$name")/$HANSEN/$file" "$1" <"$ROOT/in.$tag" >"$ROOT/out.$tag" 2>>"$ROOT/holders.log" &
	PID[$tag]=$!
	exec {in}>"$ROOT/in.$tag" {out}<"$ROOT/out.$tag"
	IN[$tag]=$in OUT[$tag]=$out
	ID[$tag]=other
	[ "${2:-hold}" = hold ] || return 0
	read -r -t 20 -u "$out" line ID[$tag] && [ "$line" = ready ]
}

done_with() { # TAG... : they end as programs do
	local tag fd
	for tag in "$@"; do
		[ -n "${PID[$tag]:-}" ] || continue
		fd=${IN[$tag]}
		# Others have inherited this end: closing it tells nothing.
		[ -n "${ID[$tag]:-}" ] && echo quit >&"$fd"
		exec {fd}>&-
		wait "${PID[$tag]}" 2>/dev/null
		fd=${OUT[$tag]}
		exec {fd}<&-
		unset "PID[$tag]"
	done
}

killed() { # TAG...: with SIGKILL, and gone when this returns
	local tag
	for tag in "$@"; do
		kill -9 "${ID[$tag]}"
		unset "ID[$tag]"
	done
	done_with "$@"
}

tell() { # TAG WORDS: without waiting for the answer
	local tag=$1
	shift
	echo "$*" >&"${IN[$tag]}"
}
hear() { # TAG WANTED
	local line=
	read -r -t 20 -u "${OUT[$1]}" line
	[ "$line" = "$2" ] || fail "$1 answers '$line', not '$2'"
}
is() { # TAG WANTED WORDS
	local tag=$1 want=$2
	shift 2
	tell "$tag" "$@"
	hear "$tag" "$want" || fail "... to: $*"
}
waits() { # TAG: has not answered yet
	local line
	! read -r -t 0.3 -u "${OUT[$1]}" line || fail "$1 does not wait: '$line'"
}
pair() { # FILE: anna's program A and bo's B on one file
	as anna sh -c "echo contents >'$D/$1'" && holder A anna "$1" rw && holder B bo "$1" rw
}
gone() { ! kill -0 "$1"; }

t_flock_holds_between_mounts() {
	pair flock || return 1
	is A ok ex && is B EAGAIN ex && is B EAGAIN sh && is A ok sh && is B ok sh && is A EAGAIN ex &&
		is B ok un && is A ok ex && is A ok un && is B ok ex && is B ok un || return 1
	done_with A B
}

t_flock_needs_no_particular_way_of_opening() {
	as anna sh -c "echo x >'$D/modes'" && holder A anna modes r && holder B bo modes w || return 1
	is A ok ex && is B EAGAIN ex && is A ok un && is B ok sh && is A ok sh && is A EAGAIN ex || return 1
	done_with A B
}

t_ranges_hold_between_mounts() {
	pair ranges || return 1
	is A ok w 10 10 && is B EAGAIN w 19 1 && is B EAGAIN r 0 0 && is B ok w 20 0 && is B ok r 0 10 &&
		is A EAGAIN r 20 1 && is A ok r 5 1 && is A EAGAIN w 5 1 && is A ok u 12 2 && is B ok w 12 2 || return 1
	done_with A B
}

t_ofd_locks_hold_between_mounts() {
	pair ofd || return 1
	is A ok ow 0 100 && is B EAGAIN ow 50 1 && is B EAGAIN w 50 1 && is B ok or 100 1 &&
		is A EAGAIN ow 100 1 && is A ok ou 0 0 && is B ok ow 0 200 && is B ok ou 0 0 || return 1
	done_with A B
}

t_getlk_names_the_lock_of_another_mount() {
	pair getlk || return 1
	is A ok w 10 5 && is B "w 10 5 ${ID[A]}" g 0 0 && is A free g 0 0 && is B free g 0 10 &&
		is A ok r 100 0 && is B "r 100 0 ${ID[A]}" g 50 0 && is B free gr 50 0 &&
		is A ok u 0 0 && is B free g 0 0 && is A ok ow 3 1 && is B "w 3 1 -1" og 0 0 || return 1
	done_with A B
}

t_waiting_ends_when_the_other_lets_go() {
	pair waiting || return 1
	local w
	for w in "ex EX un" "w W u" "ow OW ou"; do
		set -- $w
		is A ok "$1" 0 0 || return 1
		tell B "$2" 0 0
		waits B && is A ok "$3" 0 0 && hear B ok && is A EAGAIN "$1" 0 0 && is B ok "$3" 0 0 || return 1
	done
	done_with A B
}

t_signal_interrupts_waiting() {
	pair signal || return 1
	local w
	for w in EX W OW; do
		is A ok ex 0 0 && is A ok w 0 0 && is B ok alarm 1 || return 1
		tell B "$w" 0 0
		hear B EINTR || return 1
	done
	# Nothing of it is left.
	is A ok un && is A ok u 0 0 && is A ok ex && is A ok w 0 0 && is A ok ow 0 0 && return 1
	is B EAGAIN ex || return 1
	done_with A B
}

t_interrupts_and_grants_that_cross_lose_nothing() {
	pair storm || return 1
	local pids=() p rc=0
	for p in 1 2; do
		as anna "$LOCK" storm "$D/storm" 4000 &
		pids+=($!)
		as bo "$LOCK" storm "$E/storm" 4000 &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p" || rc=1; done
	is A ok w 0 0 && is A ok u 0 0 && is B ok w 0 0 && is B ok u 0 0 || rc=1
	done_with A B
	return $rc
}

t_killed_waiter_is_gone_at_once_and_leaves_nothing() {
	pair killed || return 1
	is A ok w 0 0 || return 1
	tell B W 0 0
	waits B || return 1
	killed B
	is A ok u 0 0 && holder B bo killed rw && is B ok w 0 0 || return 1
	done_with A B
}

t_circle_between_mounts_is_a_deadlock() {
	pair circle || return 1
	as anna sh -c "echo x >'$D/circle2'" && holder C anna circle2 rw || return 1
	is A ok w 0 1 && is B ok w 1 1 || return 1
	tell A W 1 1
	waits A && is B EDEADLK W 0 1 && is B ok u 1 1 && hear A ok && is A ok u 0 0 || return 1
	# Of three, one of whom waits in between.
	is A ok w 0 1 && is B ok w 1 1 && is C ok w 0 1 || return 1
	holder E bo circle rw && is E ok w 2 1 || return 1
	tell A W 1 1
	tell B W 2 1
	waits A && waits B && is E EDEADLK W 0 1 && is E ok u 2 1 && hear B ok && is B ok u 0 0 && hear A ok || return 1
	done_with A B C E
}

t_closing_ends_locks() {
	pair closing || return 1
	# POSIX: any descriptor of the file that the process closes. OFD and flock: the last of the open file.
	is A ok w 0 0 && is B EAGAIN w 0 0 && is A ok touch && is B ok w 0 0 && is B ok u 0 0 || return 1
	is A ok ow 0 0 && is A ok close && is B EAGAIN w 0 0 && is A ok reopen || return 1
	wait_lock B w || return 1
	is B ok u 0 0 && is A ok ex && is A ok close && is B EAGAIN ex && is A ok reopen || return 1
	wait_lock B ex || return 1
	done_with A B
}

wait_lock() { # TAG WORD: RELEASE comes a moment after close() has returned
	local n line
	for n in $(seq 100); do
		tell "$1" "$2" 0 0
		read -r -t 20 -u "${OUT[$1]}" line
		[ "$line" != ok ] || return 0
		sleep 0.05
	done
	fail "$1 never gets its lock: $line"
}

t_exit_and_sigkill_end_locks() {
	pair exit || return 1
	local w
	for w in w ow ex; do
		is A ok "$w" 0 0 || return 1
		done_with A
		wait_lock B "$w" && done_with B && pair exit && is A ok "$w" 0 0 || return 1
		killed A
		wait_lock B "$w" && done_with B && pair exit || return 1
	done
	done_with A B
}

t_what_was_written_under_a_lock_is_read_under_the_next() {
	local how a b n=1500
	for how in fcntl ofd flock; do
		as anna sh -c "echo 0 >'$D/count'" || return 1
		as anna "$LOCK" count "$D/count" "$how" $n & a=$!
		as bo "$LOCK" count "$E/count" "$how" $n & b=$!
		wait $a && wait $b || { fail "counting with $how failed"; return 1; }
		[ "$(as anna head -n 1 "$D/count")" = $((2 * n)) ] || fail "$how: $(as anna cat "$D/count") of $((2 * n))" || return 1
	done
}

t_logging_out_ends_locks() {
	pair logout || return 1
	is B ok w 0 0 && is B ok ex || return 1
	tell A W 0 0
	waits A || return 1
	logout bo
	hear A ok && is A ok ex || return 1
	done_with A B
	login bo
}

t_killed_agent_ends_locks() {
	pair agent || return 1
	local p
	is B ok w 0 0 || return 1
	tell A W 0 0
	waits A || return 1
	for p in $(procs bo journalfs-agent); do kill -9 "$p"; done
	hear A ok || return 1
	done_with A B
	wait_for 10 unmounted bo || umount -l "$(J bo)"
	wait_for 10 login bo
}

t_waiter_who_logs_out_is_answered() {
	pair waiter || return 1
	is A ok w 0 0 || return 1
	tell B W 0 0
	waits B || return 1
	logout bo
	local line
	read -r -t 20 -u "${OUT[B]}" line || { fail "bo's program still waits"; return 1; }
	[ "$line" != ok ] || { fail "the lock was given to who left"; return 1; }
	is A ok write 0 || return 1
	done_with A B
	login bo
}

t_policy_takes_locks_and_ends_waiting() {
	pair policy || return 1
	holder C anna policy rw && holder E bo policy rw || return 1
	is B ok w 0 1 && is A ok w 5 1 || return 1
	tell A W 0 1
	tell E W 5 1
	waits A && waits E || return 1
	jfs dan policy show "$HANSEN" >"$ROOT/was.policy"
	{ cat "$ROOT/was.policy"; echo 'block user:bo'; } | put_policy dan "$HANSEN" || return 1
	hear A ok && hear E EACCES && is B EACCES write 0 || return 1
	put_policy dan "$HANSEN" <"$ROOT/was.policy" || return 1
	wait_for 10 as bo test -r "$E/policy" || return 1
	# Its lock was taken: it must not write until it has opened the file again.
	is B EIO write 0 && is B EIO truncate 0 && is B EIO w 9 1 && is B ok reopen && is B ok write 0 || return 1
	done_with A B C E
}

t_lost_right_to_write_takes_exclusive_locks_only() {
	pair shrink || return 1
	is B ok r 0 1 || return 1
	jfs dan policy show "$HANSEN" >"$ROOT/was.policy"
	sed 's/^allow  *user:bo:rwx.*/allow user:bo:r-x/' "$ROOT/was.policy" | put_policy dan "$HANSEN" || return 1
	wait_for 10 sh -c "! touch '$E/shrink2' 2>/dev/null"
	is A EAGAIN w 0 1 && is B EACCES w 3 1 && is B ok ex || return 1
	put_policy dan "$HANSEN" <"$ROOT/was.policy" || return 1
	done_with A B
}

session_lock() { jfs "$1" lock; }
session_unlock() { jfs "$1" unlock --passphrase-fd 9 9< <(pass_of "$1"); }

t_locked_session_holds_nobody_up() {
	pair away || return 1
	holder C bo away rw && is B ok w 0 1 && is A ok w 5 1 || return 1
	tell A W 0 1
	tell C W 5 1
	waits A && waits C && session_lock bo || return 1
	hear C ENOKEY && hear A ok && is A ok write 0 && session_unlock bo || return 1
	# B believes that it has its lock: nothing that it knows may reach the file.
	is B EIO write 0 && is B EIO read 0 && is C EIO write 0 && is B ok reopen && is B ok read 0 && is B EAGAIN w 0 1 || return 1
	done_with A B C
}

t_locked_session_keeps_locks_that_nobody_wants() {
	pair back || return 1
	is B ok w 0 1 && is B ok ex && session_lock bo || return 1
	is A ok w 7 1 && is A free g 0 1 && session_unlock bo || return 1
	is B ok write 0 && is A EAGAIN w 0 1 && is A EAGAIN ex || return 1
	done_with A B
}

t_locks_of_programs_that_ended_in_a_locked_session_are_gone() {
	pair ended || return 1
	is B ok w 0 1 && session_lock bo || return 1
	killed B
	session_unlock bo && is A ok w 0 1 || return 1
	done_with A
}

# ---- SQLite ----

writes() { # NAME SECONDS: transactions until then, each upon what the others wrote; how many in writes.NAME
	local end=$((SECONDS + $2)) n=0 in out line
	mkfifo "$ROOT/in.$1" "$ROOT/out.$1"
	as "$1" sqlite3 -bail -cmd '.timeout 60000' "$(J "$1")/$HANSEN/db" <"$ROOT/in.$1" >"$ROOT/out.$1" &
	exec {in}>"$ROOT/in.$1" {out}<"$ROOT/out.$1"
	while [ $SECONDS -lt $end ]; do
		echo "begin immediate; update c set n = n + 1; insert into t select n, '$1', hex(randomblob(200)) from c; commit; select 'done';" >&"$in"
		read -r -t 90 -u "$out" line && [ "$line" = done ] || return 1
		n=$((n + 1))
		# People pause; SQLite's own waiting, which asks now and then, has no turn otherwise.
		sleep 0.0$((RANDOM % 5))
	done
	echo $n >"$ROOT/writes.$1"
	echo .quit >&"$in"
	wait $!
	[ $n -gt 20 ]
}

t_sqlite_is_written_by_two_at_once() {
	local seconds=20 a b sum
	[ -z "${JOURNALFS_LONG:-}" ] || seconds=60
	as anna sqlite3 "$D/db" "create table c(n); insert into c values(0); create table t(n integer primary key, who, what);" || return 1
	writes anna $seconds & a=$!
	writes bo $seconds & b=$!
	wait $a || { fail "anna's transactions failed"; wait $b; return 1; }
	wait $b || { fail "bo's transactions failed"; return 1; }
	sum=$(($(cat "$ROOT/writes.anna") + $(cat "$ROOT/writes.bo")))
	echo "transactions: anna $(cat "$ROOT/writes.anna"), bo $(cat "$ROOT/writes.bo")"
	[ "$(as bo sqlite3 "$E/db" 'pragma integrity_check; select count(*) = max(n) from t; select n from c; select count(*) from t')" = "ok
1
$sum
$sum" ] || fail "$(as bo sqlite3 "$E/db" 'pragma integrity_check; select count(*), max(n) from t; select n from c'); $sum were made"
	as anna sqlite3 "$D/db" 'pragma integrity_check' | grep -qx ok
}

t_sqlite_wal_is_refused_in_the_second_mount() {
	local in out line rc=0 n
	as anna sqlite3 "$D/wal" 'pragma journal_mode=wal; create table t(a); insert into t values(1)' >/dev/null || return 1
	mkfifo "$ROOT/in.wal" "$ROOT/out.wal"
	as anna sqlite3 -bail "$D/wal" <"$ROOT/in.wal" >"$ROOT/out.wal" 2>&1 &
	exec {in}>"$ROOT/in.wal" {out}<"$ROOT/out.wal"
	echo "insert into t values(2); select count(*) from t;" >&"$in"
	read -r -t 20 -u "$out" line
	[ "$line" = 2 ] || { fail "anna's WAL does not work: $line"; rc=1; }
	for n in 1 2 3; do
		line=$(as bo sqlite3 "$E/wal" "insert into t values(100 + $n)" 2>&1) && { fail "bo writes beside anna's shared memory"; rc=1; }
		grep -qE 'I/O error|locked|unable to open' <<<"$line" || { fail "no clean refusal: $line"; rc=1; }
		echo "insert into t values(10 + $n); select count(*) from t;" >&"$in"
		read -r -t 20 -u "$out" line
		[ "$line" = $((2 + n)) ] || { fail "anna is disturbed: $line"; rc=1; }
	done
	echo .quit >&"$in"
	wait $!
	exec {in}>&- {out}<&-
	[ $rc = 0 ] || return 1
	# When anna has closed it, it is bo's turn.
	as bo sqlite3 "$E/wal" 'insert into t values(3); select count(*) from t; pragma integrity_check' | tr '\n' ' ' | grep -qx '6 ok ' || fail "bo can't after anna"
}

t_file_mapped_for_writing_is_mapped_in_one_mount_only() {
	pair mapped || return 1
	is A ok map && is B ENODEV map && is A ok reopen && done_with A B || return 1
}

# ---- attacks ----

t_million_ranges_of_one_hurt_nobody_else() {
	as anna sh -c "echo x >'$D/million'" && holder A anna million rw && holder M bo million 1000000 ranges || return 1
	local n
	for n in $(seq 20); do
		is A ok w $n 1 && is A ok write 0 && as anna cat "$D/million" >/dev/null || return 1
	done
	local line
	read -r -t 120 -u "${OUT[M]}" line
	[ "$line" = '4096 ENOLCK' ] || { fail "bo got $line"; return 1; }
	is A ok w 900 1 && is A EAGAIN w 1000 1 && is A ok u 0 0 || return 1
	as bo sh -c "flock -n 9 && echo >&9" 9>>"$ROOT/home/bo/other" || return 1
	logout bo
	is A ok w 0 0 || return 1
	done_with A M
	login bo
}

t_ten_thousand_waiters_of_one_hurt_nobody_else() {
	as anna sh -c "echo x >'$D/crowd'" && holder A anna crowd rw && is A ok w 0 1 && holder M bo crowd 10000 waiters || return 1
	local line n
	read -r -t 120 -u "${OUT[M]}" line
	[ "$line" = 9744 ] || { fail "$line of 10000 were refused"; return 1; }
	for n in $(seq 20); do
		is A ok w $n 1 && as anna sh -c "cat '$D/crowd' && ls '$D'" >/dev/null || return 1
	done
	# bo's other programs go on, too.
	as bo cat "$E/crowd" >/dev/null && session_lock bo && session_unlock bo || return 1
	tell M how
	read -r -t 20 -u "${OUT[M]}" line
	[ "$line" = '0 256' ] || { fail "of those who waited: $line"; return 1; }
	done_with M
	is A ok u 0 0 && is A ok w 0 0 || return 1
	done_with A
}

hostile_login() { # NAME: logs in with a fusermount3 of the own that keeps a copy of the device
	as "$1" env PATH="$ROOT/bin:$PATH" ATTACK=keep "$JFS" login --vault "$ROOT/clinic.conf" --passphrase-fd 9 9< <(pass_of "$1")
}

t_stalled_mount_keeps_no_lock_from_others() {
	logout bo
	wait_for 10 unmounted bo
	hostile_login bo || return 1
	wait_for 10 as bo test -r "$E/large" || return 1
	as anna sh -c "echo x >'$D/stall'" && holder A anna stall rw && holder B bo stall rw || return 1
	is B ok w 0 1 || return 1
	as bo "$PROBES/attack" pages "$E/large" < <(sleep 2; echo) >/dev/null &
	local reader=$! rc=0 p
	sleep 1
	# From here on a READ of bo's is taken away: what is said to bo's kernel about that page waits.
	as bo touch "$ROOT/home/bo/steal"
	sleep 1.5
	as anna sh -c "echo more >>'$D/large'" || rc=1
	tell A W 0 1
	waits A || rc=1
	is_free() { as anna cat "$D/stall" >/dev/null; }
	is_free || rc=1
	logout bo
	hear A ok || { fail "anna waits for a mount that is stalled"; rc=1; }
	rm -f "$ROOT/home/bo/steal"
	for p in $(procs bo); do kill -9 "$p" 2>/dev/null; done
	wait "$reader" 2>/dev/null
	umount -l "$(J bo)" 2>/dev/null
	unset "ID[B]"
	done_with A B
	wait_for 10 login bo || rc=1
	return $rc
}

need_root
clinic && login anna || { echo "FAIL locks: set-up"; cat "$ROOT/daemon.log"; exit 1; }
D="$(J anna)/$HANSEN"
E="$(J bo)/$HANSEN"
install -d -m 755 "$ROOT/bin" && install -m 755 "$PROBES/attack" "$ROOT/bin/fusermount3"
as anna mkdir "$D"
jfs dan policy show "$HANSEN" >"$ROOT/first.policy"
{ cat "$ROOT/first.policy"; echo 'allow user:bo:rwx'; } | put_policy dan "$HANSEN" || { echo "FAIL locks: set-up"; exit 1; }
login bo && wait_for 10 as bo ls "$E" >/dev/null || { echo "FAIL locks: set-up"; exit 1; }
head -c 2000000 /dev/urandom >"$ROOT/large" && chmod 644 "$ROOT/large"
as anna cp "$ROOT/large" "$D/large"
run_tests
