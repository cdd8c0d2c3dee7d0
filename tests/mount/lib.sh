# What every mount test stands on: accounts, a vault, a daemon, log-ins, and cleaning up after it all.
# SPDX-License-Identifier: Apache-2.0
#
# A test script sources this, calls `need_root NAME...`, defines functions t_*, and ends with
# `run_tests`. Everything made lies in $ROOT or is recorded and undone by the exit trap, after a
# failure too. Processes are stopped by the ids recorded here, never by name.

set -u
BUILD=${BUILD:-build}
HERE=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
SCRIPT=$(realpath "$0")
unset XDG_STATE_HOME XDG_RUNTIME_DIR
# The leak checker traces its own process, which the daemon forbids: unit tests look for leaks.
SAN=()
[ -z "${SANITIZE:-}" ] || SAN=(ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1)
umask 022
. "$HERE/leftovers.sh"
ROOT=$(mktemp -d /tmp/journalfs-test.XXXXXX)
chmod 755 "$ROOT"
this_script >"$ROOT/script"
# Copies: the checkout may lie where other accounts may not look, such as root's home.
JFS=$ROOT/program/journalfs
PROBES=$ROOT/program
mkdir "$PROBES"
find "$BUILD/journalfs" "$BUILD/tests/mount" -maxdepth 1 -type f -executable -exec install -m 755 -t "$PROBES" {} +
# Quicker log-ins, but where a script says SLOW_KEYS (quick/quick.c): not with sanitizers, which come first themselves.
QUICK=() QUICK_SO=
if [ -z "${SLOW_KEYS:-}" ] && [ -z "${SANITIZE:-}" ] && gcc -shared -fPIC -O1 -o "$PROBES/quick.so" "$HERE/quick/quick.c" -ldl; then
	QUICK_SO=$PROBES/quick.so
	QUICK=("LD_PRELOAD=$QUICK_SO")
fi
ACCOUNTS=()
PIDS=()
SERVE=() # more options for the daemon
FUSE_MODE=
PASS_anna='anna keeps five otters' PASS_bo='bo walks to the harbour' PASS_eva='eva reads by lamplight'
PASS_dan='dan counts all the keys' PASS_me='one quiet person alone'

# 1: it can't be added, and why is said.
add_account() { # ACCOUNT OPTION...: with its home below $ROOT, recorded for cleanup
	local a=$1
	shift
	id "$a" >/dev/null 2>&1 && { remove_leftovers || return 1; }
	useradd "$@" -M -U -d "$ROOT/home/${a#jft-}" -s /bin/bash "$a" || return 1
	ACCOUNTS+=("$a")
}

account() { # NAME...: makes system accounts jft-NAME with a home below $ROOT
	local n
	for n in "$@"; do
		add_account "jft-$n" || return 1
		install -d -o "jft-$n" -g "jft-$n" -m 700 "$ROOT/home/$n"
	done
	chmod 755 "$ROOT/home"
}

as() { # NAME COMMAND...: runs a command under jft-NAME, in its home
	local n=$1
	shift
	(cd "$ROOT/home/$n" && exec setpriv --reuid="jft-$n" --regid="jft-$n" --init-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME="$ROOT/home/$n" USER="jft-$n" LANG=C.UTF-8 TERM=dumb "${QUICK[@]}" "${SAN[@]}" "$@")
}

jfs() { # NAME VERB...: the journalfs command under jft-NAME on the clinic's vault
	local n=$1 v=$2
	shift 2
	as "$n" "$JFS" "$v" --vault "$ROOT/clinic.conf" "$@"
}

pass_of() {
	local v=PASS_$1
	printf '%s\n' "${!v}"
}

login() { # NAME [DIR]
	jfs "$1" login --passphrase-fd 9 ${2:+"$2"} 9< <(pass_of "$1")
}

mounted() { # NAME [DIR]: from the kernel's table; root itself can't stat a practitioner's mount
	awk -v d="${2:-$(J "$1")}" '$2 == d && $3 == "fuse.journalfs" {found = 1} END {exit !found}' /proc/self/mounts
}
unmounted() { ! mounted "$@"; }

procs() { # NAME [COMM]: ids of that account's living processes
	ps -o pid=,stat=,comm= -u "jft-$1" | awk -v c="${2:-}" '$2 !~ /Z/ && (c == "" || $3 == c) {print $1}'
}

logout() {
	jfs "$1" logout
}

J() { # NAME: that practitioner's mount
	echo "$ROOT/home/$1/Journals"
}

wait_for() { # SECONDS COMMAND...: until the command succeeds
	local end=$((SECONDS + $1))
	shift
	until "$@" 2>/dev/null; do
		[ $SECONDS -ge $end ] && return 1
		sleep 0.05
	done
}

start_daemon() { # serves the clinic's vault under jft-daemon
	rm -f "$ROOT/run/ready"
	mkfifo "$ROOT/run/ready"
	chown jft-daemon "$ROOT/run/ready"
	# exec, so that $! is the daemon itself
	(cd / && exec setpriv --reuid=jft-daemon --regid=jft-daemon --init-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME="$ROOT/home/daemon" LANG=C.UTF-8 "${SAN[@]}" \
		"$JFS" serve "${SERVE[@]}" --state "$ROOT/state" --socket "$ROOT/run/socket" --ready-fd 8 "$ROOT/vault" \
		8>"$ROOT/run/ready" >>"$ROOT/daemon.log" 2>&1) &
	DAEMON=$!
	PIDS+=("$DAEMON")
	local word
	read -r -n 1 -t 60 word <"$ROOT/run/ready"
	[ "$word" = R ] || { echo "the daemon did not start:"; cat "$ROOT/daemon.log"; return 1; }
}

stop_daemon() { # [SIGNAL]
	kill "-${1:-TERM}" "$DAEMON" 2>/dev/null
	wait "$DAEMON" 2>/dev/null
	local rc=$?
	[ "${1:-TERM}" != TERM ] || return $rc
}

put_policy() { # NAME FILE < TEXT: that person's edit of practice or a journal's policy
	cat >"$ROOT/new.policy"
	chmod 644 "$ROOT/new.policy"
	local n=$1
	(cd "$ROOT/home/$n" && exec setpriv --reuid="jft-$n" --regid="jft-$n" --init-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME="$ROOT/home/$n" LANG=C.UTF-8 "EDITOR=cp $ROOT/new.policy" "${SAN[@]}" \
		"$JFS" policy --vault "$ROOT/clinic.conf" edit "$2" </dev/null)
}

practice_policy() {
	cat <<-'END'
		practice "Klinik Nord"
		role physician clinical may list read write create finalize export history break-glass
		role nurse     clinical may list read write finalize export history break-glass
		role secretary          may list create
		role steward            may policy
		role auditor            may audit review
		role manager            may policy audit review
		unit north "Afdeling Nord"
		unit south "Afdeling Syd"
		practitioner anna user jft-anna role physician unit north
		practitioner bo   user jft-bo   role nurse     unit north
		practitioner eva  user jft-eva  role physician unit south
		practitioner dan  user jft-dan  role manager
	END
}

# A clinic: daemon, steward dan (also auditor), practitioners anna, bo (north), eva (south), all enrolled.
clinic() {
	account daemon dan anna bo eva || return 1
	install -d -o jft-daemon -g jft-daemon -m 755 "$ROOT/run"
	install -d -o jft-daemon -g jft-daemon -m 700 "$ROOT/disk"
	[ -n "${VAULT_ON:-}" ] || ln -s "$ROOT/disk/vault" "$ROOT/vault"
	rm -f "$ROOT/vault"
	as daemon mkdir -p "$ROOT/home/daemon"
	VAULT=${VAULT_ON:-$ROOT/disk}/vault
	ln -sfn "$VAULT" "$ROOT/vault"
	as daemon "$JFS" init --steward dan --account jft-dan --title "Klinik Nord" --state "$ROOT/disk/state" "$VAULT" \
		>"$ROOT/init.out" || return 1
	ln -sfn "$ROOT/disk/state" "$ROOT/state"
	RECOVERY=$(grep -A2 '^Recovery key' "$ROOT/init.out" | tail -n 1 | tr -d ' ')
	grep -A2 '^Invitation' "$ROOT/init.out" | tail -n 1 | tr -d ' ' >"$ROOT/home/dan/code"
	chown jft-dan "$ROOT/home/dan/code"
	{
		echo "socket = $ROOT/run/socket"
		echo "account = jft-daemon"
		grep -E '^ *root = ' "$ROOT/init.out"
	} >"$ROOT/clinic.conf"
	start_daemon || return 1
	jfs dan enroll --passphrase-fd 9 "$ROOT/home/dan/code" 9< <(pass_of dan) || return 1
	login dan || return 1
	practice_policy | put_policy dan practice || return 1
	local n
	for n in anna bo eva; do
		enroll "$n" || return 1
	done
}

enroll() { # NAME: invited by dan, enrolled under the own account
	local n=$1
	jfs dan invite "$n" >"$ROOT/home/$n/code" 2>/dev/null || return 1
	chown "jft-$n" "$ROOT/home/$n/code"
	jfs "$n" enroll --passphrase-fd 9 "$ROOT/home/$n/code" 9< <(pass_of "$n")
}

audit() { # OPTION...: the log as dan reads it
	jfs dan audit show "$@"
}

fail() {
	echo "   $*"
	return 1
}

expect_errno() { # ERRNO-NAME COMMAND...: fails with that errno's text
	local want=$1 out
	shift
	out=$(LC_ALL=C "$@" 2>&1) && { fail "succeeded: $*"; return 1; }
	case $want in
	ENOKEY) want='Required key not available' ;;
	EACCES) want='Permission denied' ;;
	ENOENT) want='No such file or directory' ;;
	EPERM) want='Operation not permitted' ;;
	EXDEV) want='cross-device\|Cross-device' ;;
	ENOSPC) want='No space left' ;;
	EIO) want='Input/output error' ;;
	EINVAL) want='Invalid argument' ;;
	ENOTSUP) want='not supported' ;;
	ENOTCONN) want='not connected\|not connected' ;;
	esac
	grep -q "$want" <<<"$out" || fail "wanted $want from: $* -- got: $out"
}

cleanup() {
	local p a
	set +eu
	cd /
	unmount_below "$ROOT"
	for p in "${PIDS[@]}"; do
		kill -CONT "$p" 2>/dev/null
		kill "$p" 2>/dev/null
		for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep 0.05; done
		kill -9 "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	for a in "${ACCOUNTS[@]}"; do
		# Agents run under the test's own accounts only.
		end_account "$a"
	done
	unmount_below "$ROOT"
	[ -z "$FUSE_MODE" ] || chmod "$FUSE_MODE" /dev/fuse
	[ -n "${KEEP:-}" ] || rm -rf "$ROOT"
}

need_root() { # without root every test of the script is skipped, by name
	if [ "$(id -u)" -ne 0 ]; then
		for f in $(compgen -A function t_); do echo "SKIP ${f#t_}: needs root"; done
		rm -rf "$ROOT"
		exit 0
	fi
	if [ ! -c /dev/fuse ]; then
		for f in $(compgen -A function t_); do echo "SKIP ${f#t_}: no /dev/fuse"; done
		rm -rf "$ROOT"
		exit 0
	fi
	local mode
	mode=$(stat -c %a /dev/fuse)
	if [ "$mode" != 666 ]; then
		echo "note: /dev/fuse has mode $mode; it is 666 while the tests run, as udev makes it elsewhere"
		FUSE_MODE=$mode
		chmod 666 /dev/fuse
	fi
	trap cleanup EXIT
	trap 'exit 130' INT TERM
}

run_tests() { # every function t_* in order of definition; 77 says that it can't be tried here
	local f rc=0 names
	names=$(grep -oE "^t_[a-z0-9_]+" "$SCRIPT")
	for f in ${ONLY:-$names}; do
		# In this shell, so that a restarted daemon or a new passphrase is known to the next test.
		"$f" >"$ROOT/test.log" 2>&1
		case $? in
		0) echo "PASS ${f#t_}" ;;
		77) echo "SKIP ${f#t_}: $(tail -n 1 "$ROOT/test.log")" ;;
		*)
			echo "FAIL ${f#t_}: $(tail -n 1 "$ROOT/test.log")"
			sed 's/^/    /' "$ROOT/test.log"
			rc=1
			;;
		esac
	done
	return $rc
}
