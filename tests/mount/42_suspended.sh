#!/bin/bash
# Daemon or agent suspended, killed, or out of descriptors or memory, and practitioners who take
# more than their share: what programs see, what stays, and how it goes on.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

D='' REVOKE=$PROBES/revoke
agent() { procs "$1" journalfs-agent; }
gone() { unmounted anna; }

t_suspended_daemon_lets_programs_wait_and_nothing_is_lost() {
	mkfifo "$ROOT/in" "$ROOT/out"
	local in out pid first second rc=0
	exec {in}<>"$ROOT/in" {out}<>"$ROOT/out"
	as anna "$REVOKE" steady "$D/steady" <"$ROOT/in" >"$ROOT/out" 2>&1 {in}>&- {out}>&- &
	pid=$!
	read -r -t 30 -u "$out" first
	kill -STOP "$DAEMON"
	sleep 1.5
	as anna sh -c "echo written meanwhile >'$D/meanwhile' && sync '$D/meanwhile'" &
	local late=$!
	sleep 0.5
	kill -CONT "$DAEMON"
	wait "$late" || { fail "a program that waited failed"; rc=1; }
	echo n >&"$in"
	read -r -t 30 -u "$out" first
	sleep 0.3
	echo q >&"$in"
	read -r -t 30 -u "$out" second
	wait "$pid" || { fail "the work stopped: $second"; rc=1; }
	[ "$second" -gt "$first" ] 2>/dev/null || { fail "it stands still: $first, $second"; rc=1; }
	grep -q "entry number $second" <(as anna cat "$D/steady") || { fail "the last entry is lost"; rc=1; }
	[ "$(as anna cat "$D/meanwhile")" = 'written meanwhile' ] || { fail "what was written meanwhile is lost"; rc=1; }
	exec {in}>&- {out}>&-
	return $rc
}

t_suspended_daemon_is_named_instead_of_waited_for() {
	kill -STOP "$DAEMON"
	local out rc=0
	out=$(timeout 60 setpriv --reuid=jft-anna --regid=jft-anna --init-groups env -i PATH="$PATH" HOME="$ROOT/home/anna" \
		"$JFS" status --vault "$ROOT/clinic.conf" 2>&1)
	rc=$?
	kill -CONT "$DAEMON"
	[ $rc -ne 0 ] && [ $rc -ne 124 ] || fail "ended with $rc" || return 1
	grep -q "process $DAEMON.*suspended" <<<"$out" || fail "it said: $out" || return 1
	jfs anna status >/dev/null
}

t_suspended_agent_holds_nothing_up() {
	local pid
	pid=$(agent anna)
	kill -STOP $pid
	as anna sh -c "echo without >'$D/without' && sync '$D/without'" || return 1
	jfs anna lock && jfs anna unlock --passphrase-fd 9 9< <(pass_of anna) || return 1
	[ "$(as anna cat "$D/without")" = without ] || return 1
	jfs anna logout
	as anna cat "$D/without" 2>/dev/null && { fail "readable after logging out"; return 1; }
	login anna || fail "no log-in while the old agent is suspended" || return 1
	[ "$(as anna cat "$D/without")" = without ] || return 1
	# It hears of its session's end now, and must not take the new mount for its own.
	kill -CONT $pid
	for _ in $(seq 100); do kill -0 $pid 2>/dev/null || break; sleep 0.1; done
	[ "$(as anna cat "$D/without")" = without ] || fail "the old agent unmounted the new session"
}

t_mount_left_by_killed_daemon_and_agent_is_cleaned_by_the_next_login() {
	as anna cat "$D/without" >/dev/null
	kill -9 $(agent anna) "$DAEMON"
	wait "$DAEMON" 2>/dev/null
	mounted anna || fail "there is nothing to clean" || return 1
	as anna cat "$D/without" 2>/dev/null && { fail "the dead mount still answers"; return 1; }
	start_daemon && login anna || return 1
	[ "$(as anna cat "$D/without")" = without ] || return 1
	login dan
}

t_killed_agent_ends_the_session() {
	kill -9 $(agent anna)
	wait_for 5 expect_errno 'not connected\|No such device\|not available' as anna cat "$D/without" || return 1
	login anna && [ "$(as anna cat "$D/without")" = without ]
}

# The daemon anew, under a limit of `ulimit`, and who was logged in.
limited() { # none, or OPTION VALUE
	local jfs=$JFS rc=0 limit="$1 ${2:-}"
	logout anna
	logout dan
	stop_daemon
	printf '#!/bin/sh\nulimit %s\nexec %s "$@"\n' "$limit" "$jfs" >"$ROOT/limited"
	chmod 755 "$ROOT/limited"
	[ "$1" = none ] || JFS=$ROOT/limited
	start_daemon || rc=1
	JFS=$jfs
	login dan && login anna || rc=1
	return $rc
}

t_descriptors_of_one_who_opens_everything_are_not_everybodys() {
	local n rc=0
	for n in $(seq 20); do
		as anna mkdir "$(J anna)/many $n" || return 1
		as anna cp "$ROOT/large" "$(J anna)/many $n/large" || return 1
	done
	limited -n 56 || return 1
	for n in $(seq 20) 1; do
		as anna cat "$(J anna)/many $n/large" | cmp -s - "$ROOT/large" || { fail "many $n can't be read"; rc=1; }
		as anna sh -c "cat '$ROOT/large' >>'$(J anna)/many $n/more'" || { fail "many $n can't be written"; rc=1; }
	done
	# Whoever needs a descriptor for a connection and a mount gets them.
	login bo || { fail "nobody can log in"; rc=1; }
	login eva || { fail "only one can log in"; rc=1; }
	logout bo
	logout eva
	limited none || return 1
	for n in $(seq 20); do
		as anna cat "$(J anna)/many $n/more" | head -c 300000 | cmp -s - "$ROOT/large" || { fail "many $n is lost"; rc=1; }
	done
	audit --since -5m 2>/dev/null | grep -i alarm | grep -v 'gets the role' && { fail "an alarm was raised over it"; rc=1; }
	return $rc
}

t_log_in_without_a_descriptor_left_fails_and_harms_nobody() {
	local n rc=0 some=0
	for n in 26 28 30 32 34; do
		limited -n "$n" >/dev/null 2>&1 && login bo 2>/dev/null && login eva 2>/dev/null && some=$((some + 1))
		kill -0 "$DAEMON" 2>/dev/null || { grep -q 'Too many open files' "$ROOT/daemon.log" || fail "died with $n"; }
		logout eva 2>/dev/null
		logout bo 2>/dev/null
	done
	[ "$some" -lt 5 ] || { fail "nothing was short"; rc=1; }
	! grep -q 'Segmentation\|Sanitizer' "$ROOT/test.log" || rc=1
	limited none || return 1
	return $rc
}

t_daemon_out_of_memory_says_so_and_recovers() {
	[ -z "${SANITIZE:-}" ] || { echo "a sanitized program's memory can't be limited"; return 77; }
	local rc=0 size short=0 n
	as anna sh -c "echo precious >'$D/precious' && sync '$D/precious'" || return 1
	size=$(awk '/^VmData/ {print $2}' "/proc/$DAEMON/status")
	limited -d "$((size + 8192))" || { fail "the daemon does not start in so little"; limited none; return 1; }
	for n in $(seq 40); do
		if as anna sh -c "cp '$ROOT/large' '$D/hungry $n' && sync '$D/hungry $n'" 2>/dev/null; then
			touch "$ROOT/copied $n"
		else
			short=$((short + 1))
		fi
	done
	as anna find "$(J anna)" -type f -exec cat {} + >/dev/null 2>&1
	kill -0 "$DAEMON" || { fail "the daemon is gone"; rc=1; }
	limited none || return 1
	[ "$(as anna cat "$D/precious")" = precious ] || { fail "what was there is lost"; rc=1; }
	as anna sh -c "echo after >'$D/after' && sync '$D/after'" || { fail "nothing can be written any more"; rc=1; }
	for n in $(seq 40); do
		[ ! -e "$ROOT/copied $n" ] || as anna cat "$D/hungry $n" | cmp -s - "$ROOT/large" || { fail "hungry $n is damaged"; rc=1; }
	done
	return $rc
}

t_greedy_writer_does_not_hold_up_a_small_save() {
	local pid n rc=0
	jfs dan policy show "$(basename "$D")" >"$ROOT/open.policy" || return 1
	{ cat "$ROOT/open.policy"; echo 'allow user:bo:rwx'; } | put_policy dan "$(basename "$D")" || return 1
	login bo && wait_for 10 as bo test -w "$(J bo)/$(basename "$D")" || return 1
	as bo sh -c "cd '$(J bo)/$(basename "$D")' && while :; do dd if=/dev/zero of=flood bs=1M count=200 conv=notrunc 2>/dev/null || exit; done" &
	pid=$!
	for n in $(seq 20); do
		as anna timeout 20 sh -c "echo save $n >'$D/t' && sync '$D/t' && mv '$D/t' '$D/saved'" || { fail "save $n did not come through"; rc=1; break; }
	done
	[ "$(as anna cat "$D/saved")" = 'save 20' ] || rc=1
	kill -0 "$pid" || { fail "the writer met an error"; rc=1; }
	kill $(procs bo sh) $(procs bo dd) 2>/dev/null
	wait "$pid" 2>/dev/null
	logout bo
	put_policy dan "$(basename "$D")" <"$ROOT/open.policy" || rc=1
	return $rc
}

t_open_files_of_a_session_are_bounded_and_others_go_on() {
	local rc=0 out
	[ "$(ulimit -Hn)" -ge 4096 ] || { echo "4096 descriptors a process are not allowed here"; return 77; }
	as anna sh -c "echo text >'$D/opened'" || return 1
	cat >"$ROOT/open.pl" <<-'END'
		my ($path, @held) = @ARGV;
		$| = 1;
		for my $child (1 .. 6) {
			my $pid = fork;
			if (!$pid) {
				@held = ();
				while (@held < 3500) {
					open(my $f, "<", $path) or do { print "$!\n"; last };
					push @held, $f;
				}
				print "\n";
				sleep 60;
				exit;
			}
			push @children, $pid;
		}
		waitpid $_, 0 for @children;
	END
	chmod 644 "$ROOT/open.pl"
	ulimit -Sn 4096
	as anna sh -c "exec timeout 45 perl '$ROOT/open.pl' '$D/opened'" >"$ROOT/opened" 2>&1 &
	local pid=$!
	wait_for 40 grep -q 'Too many open files in system' "$ROOT/opened" || { fail "no bound: $(sort "$ROOT/opened" | uniq -c)"; rc=1; }
	jfs dan status >/dev/null || { fail "others are held up"; rc=1; }
	login bo && as bo ls "$(J bo)" >/dev/null || { fail "nobody else can log in"; rc=1; }
	logout bo
	kill $(procs anna timeout) $(procs anna perl) 2>/dev/null
	wait "$pid" 2>/dev/null
	wait_for 20 as anna cat "$D/opened" || { fail "it does not recover"; rc=1; }
	return $rc
}

need_root
clinic && login anna || { echo "FAIL suspended: set-up"; cat "$ROOT/daemon.log"; exit 1; }
D="$(J anna)/010190-1234 Hansen, Anna"
as anna mkdir "$D"
head -c 300000 /dev/urandom >"$ROOT/large" && chmod 644 "$ROOT/large"
run_tests
