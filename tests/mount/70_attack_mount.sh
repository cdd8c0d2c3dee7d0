#!/bin/bash
# A malicious practitioner on the own mount, and a steward who would read: what they try stays
# without effect, delays nobody, or stands in the log.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OTHER='020290-5678 Other, Otto'
ATTACK=$PROBES/attack
alarms() { audit | grep -ci alarm; }
ended() { audit --who "$1" | grep -q "logged out.*$2"; }
hostile_login() { # MODE NAME: logs in with a fusermount3 of the own
	as "$2" env PATH="$ROOT/bin:$PATH" ATTACK="$1" "$JFS" login --vault "$ROOT/clinic.conf" --passphrase-fd 9 9< <(pass_of "$2")
}
stopped() { ! kill -0 "$DAEMON"; }

t_open_without_flags_is_logged_before_cached_bytes_are_read() {
	as anna cat "$D/note" >/dev/null || return 1
	as anna "$ATTACK" open32 "$D/note"
	local rc=$?
	[ $rc -ne 77 ] || { echo "this kernel has no 32-bit calls"; return 77; }
	[ $rc -eq 0 ] || fail "the read failed" || return 1
	audit --who anna --since -1m | grep -q 'opened.*by attack' || fail "read without a record"
}

t_attributes_of_a_journals_directory_are_logged_before_they_are_read() {
	as anna setfattr -n user.finding -v severe "$D" || return 1
	logout anna && login anna || return 1
	as anna getfattr --only-values --absolute-names -n user.finding "$D" | grep -q severe || return 1
	audit --who anna | sed -n '/logged in/h;/logged in/!H;${x;p}' | grep -q 'may read.*by getfattr' || fail "read without a record"
}

t_mapped_changes_survive_logging_out() {
	local pid line
	coproc DIRTY { as anna "$ATTACK" dirty "$D/mapped"; }
	pid=$DIRTY_PID
	read -r -u "${DIRTY[0]}" line
	logout anna
	echo >&"${DIRTY[1]}"
	wait "$pid"
	login anna || return 1
	as anna grep -q 'typed but not saved' "$D/mapped" || fail "the work is lost"
}

t_steward_cannot_make_a_reader_quietly() {
	local n
	n=$(alarms)
	{ practice_policy; echo 'practitioner zed user jft-zed role physician unit north left'; } | put_policy dan practice || return 1
	{ practice_policy; echo 'practitioner zed user jft-zed role physician unit north'; } | put_policy dan practice || return 1
	[ "$(alarms)" -gt "$n" ] || fail "who comes back from left becomes a reader without an alarm" || return 1
	n=$(alarms)
	{ practice_policy; echo 'practitioner zed user jft-yet role physician unit north'; } | put_policy dan practice || return 1
	[ "$(alarms)" -gt "$n" ] || fail "another account for a physician without an alarm" || return 1
	n=$(alarms)
	{ practice_policy | sed 's/role manager .*/role manager may policy audit review list read/'
	  echo 'practitioner zed user jft-yet role physician unit north left'; } | put_policy dan practice || return 1
	[ "$(alarms)" -gt "$n" ] || fail "the steward's role reads without an alarm" || return 1
	{ practice_policy; echo 'practitioner zed user jft-yet role physician unit north left'; } | put_policy dan practice
}

t_diff_in_the_log_cannot_be_pushed_out_by_comments() {
	jfs dan policy show "$HANSEN" >"$ROOT/was.policy" || return 1
	{ seq 50 | sed 's/.*/# a harmless remark about this journal that is somewhat long &/'
	  cat "$ROOT/was.policy"; echo 'allow user:bo:r-x reason "hidden"'; } | put_policy dan "$HANSEN" || return 1
	audit --since -1m | grep -q 'policy accepted.*+ allow user:bo:r-x' || fail "the record does not show who was admitted" || return 1
	put_policy dan "$HANSEN" <"$ROOT/was.policy"
}

t_device_that_is_no_mount_is_refused() {
	hostile_login other bo && { fail "the log-in was accepted"; logout bo; return 1; }
	as anna cat "$D/note" >/dev/null
}

t_revoking_ends_who_stalls_the_own_mount() {
	jfs dan policy show "$HANSEN" >"$ROOT/was.policy" || return 1
	{ cat "$ROOT/was.policy"; echo 'allow user:bo:r-x'; } | put_policy dan "$HANSEN" || return 1
	hostile_login keep bo || return 1
	local E reader line p rc=0
	E="$(J bo)/$HANSEN"
	wait_for 10 as bo test -r "$E/note" || fail "bo was not admitted" || return 1
	coproc PAGES { as bo "$ATTACK" pages "$E/large"; }
	reader=$PAGES_PID
	read -r -u "${PAGES[0]}" line
	# From here on a READ is taken away and never answered: its page stays locked in bo's kernel.
	as bo touch "$ROOT/home/bo/steal"
	sleep 0.5
	echo >&"${PAGES[1]}"
	sleep 0.5
	put_policy dan "$HANSEN" <"$ROOT/was.policy" || rc=1
	wait_for 15 ended bo 'did not let go' || { fail "bo keeps a session that nothing can be taken from"; rc=1; }
	as anna cat "$D/note" >/dev/null || rc=1
	for p in $(ps -o pid= -u jft-bo); do kill -9 "$p" 2>/dev/null; done
	rm -f "$ROOT/home/bo/steal"
	wait "$reader" 2>/dev/null
	umount -l "$(J bo)" 2>/dev/null
	return $rc
}

t_stalled_mounts_cannot_be_piled_up() {
	jfs dan policy show "$HANSEN" >"$ROOT/was.policy" || return 1
	{ cat "$ROOT/was.policy"; echo 'allow user:bo:r-x'; } | put_policy dan "$HANSEN" || return 1
	local n p rc=0 bound
	for n in 1 2 3; do
		bound=
		hostile_login keep bo || { bound=yes; break; }
		wait_for 10 as bo test -r "$(J bo)/$HANSEN/large" || rc=1
		as bo "$ATTACK" pages "$(J bo)/$HANSEN/large" < <(sleep 2; echo) >/dev/null &
		sleep 1
		as bo touch "$ROOT/home/bo/steal"
		sleep 1.5
		# What changes is taken out of bo's cache, which waits for the stolen READ.
		as anna sh -c "echo more >>'$D/large'" || rc=1
		sleep 0.5
		rm -f "$ROOT/home/bo/steal"
		logout bo
		wait_for 10 unmounted bo
	done
	[ -n "$bound" ] || { fail "as many threads of the daemon as one likes"; rc=1; }
	as anna cat "$D/note" >/dev/null || rc=1
	for p in $(procs bo); do kill -9 "$p" 2>/dev/null; done
	wait_for 10 login bo || { fail "no log-in after the culprit is gone"; rc=1; }
	logout bo
	put_policy dan "$HANSEN" <"$ROOT/was.policy" || rc=1
	return $rc
}

t_entries_that_run_out_at_midnight_cut_what_is_open() {
	[ -z "${SANITIZE:-}" ] || { echo "a clock can't be preloaded into a sanitized daemon"; return 77; }
	cat >"$ROOT/clock.c" <<-'END'
		#include <dlfcn.h>
		#include <fcntl.h>
		#include <stdlib.h>
		#include <sys/mman.h>
		#include <sys/syscall.h>
		#include <time.h>
		#include <unistd.h>
		static volatile long *ahead;
		__attribute__((constructor)) static void begin(void)
		{
			int fd = open(getenv("CLOCK_AHEAD"), O_RDONLY);
			ahead = mmap(0, 8, PROT_READ, MAP_SHARED, fd, 0);
			close(fd);
		}
		int clock_gettime(clockid_t id, struct timespec *t)
		{
			int rc = (int)syscall(SYS_clock_gettime, id, t);
			if (!rc && id == CLOCK_REALTIME)
				t->tv_sec += *ahead;
			return rc;
		}
		time_t time(time_t *out)
		{
			struct timespec t;
			clock_gettime(CLOCK_REALTIME, &t);
			if (out)
				*out = t.tv_sec;
			return t.tv_sec;
		}
	END
	ahead() { perl -e 'print pack("q", shift)' "$1" | dd of="$ROOT/ahead" conv=notrunc status=none; }
	${CC:-cc} -shared -fPIC -o "$ROOT/clock.so" "$ROOT/clock.c" || return 1
	local now left jfs=$JFS line rc=0
	now=$(date +%s)
	left=$((86400 - now % 86400))
	ahead $((left - 60))
	chmod 644 "$ROOT/ahead" "$ROOT/clock.so"
	logout anna
	logout dan
	stop_daemon
	printf '#!/bin/sh\nexport LD_PRELOAD=%s CLOCK_AHEAD=%s\nexec %s "$@"\n' "$ROOT/clock.so" "$ROOT/ahead" "$jfs" >"$ROOT/faked"
	chmod 755 "$ROOT/faked"
	JFS=$ROOT/faked
	start_daemon || rc=1
	JFS=$jfs
	login dan && login anna || rc=1
	jfs dan policy show "$HANSEN" >"$ROOT/was.policy"
	{ cat "$ROOT/was.policy"; echo "allow user:eva:r-x until $(date -u -d "@$now" +%F)"; } | put_policy dan "$HANSEN" || rc=1
	login eva && wait_for 10 as eva test -r "$(J eva)/$HANSEN/note" || { fail "eva was not admitted"; rc=1; }
	coproc MAPPED { as eva "$PROBES/probe" holdmap "$(J eva)/$HANSEN/note"; }
	local pid=$MAPPED_PID
	read -r -u "${MAPPED[0]}" line
	ahead $((left + 60))
	sleep 3
	echo >&"${MAPPED[1]}"
	read -r -u "${MAPPED[0]}" line
	[ "$line" = SIGBUS ] || { fail "the mapping answers '$line' after midnight"; rc=1; }
	kill "$pid"
	wait "$pid" 2>/dev/null
	logout eva
	logout anna
	logout dan
	stop_daemon
	# The host has seen the future now: it stays there.
	JFS=$ROOT/faked
	start_daemon || rc=1
	JFS=$jfs
	login dan && login anna || rc=1
	return $rc
}

t_slow_reader_does_not_keep_the_daemon_from_stopping() {
	as anna "$ATTACK" opens "$D/note" 30000 || return 1
	local pid line rc=0
	coproc SLOW { as dan "$ATTACK" slow "$ROOT/run/socket"; }
	pid=$SLOW_PID
	read -r -u "${SLOW[0]}" line
	kill -TERM "$DAEMON"
	wait_for 30 stopped || { fail "the daemon still runs"; rc=1; kill -9 "$DAEMON"; }
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	return $rc
}

need_root
clinic && login anna || { echo "FAIL attack on the mount: set-up"; cat "$ROOT/daemon.log"; exit 1; }
D="$(J anna)/$HANSEN"
install -d -m 755 "$ROOT/bin" && install -m 755 "$ATTACK" "$ROOT/bin/fusermount3"
as anna mkdir "$D" "$(J anna)/$OTHER"
echo 'still here' | as anna tee "$D/note" >/dev/null
head -c 2000000 /dev/urandom >"$ROOT/large" && chmod 644 "$ROOT/large"
as anna cp "$ROOT/large" "$D/large"
run_tests
