#!/bin/bash
# Runs the suites named (unit, fault, mount), prints each test that fails, and the totals.
# SPDX-License-Identifier: Apache-2.0
#
# The totals are also written to $JOURNALFS_TOTALS when that is set: "passed failed skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=$(realpath "${BUILD:-build}")
export BUILD
# Check's own 4 s for a test are little on a busy machine; tests that set a time of their own keep it.
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-60}
passed=0 failed=0 skipped=0

# Runs one binary of Check's, says how it went, and leaves "passed failed skipped" in a file.
# Check's closing line: "97%: Checks: 33, Failures: 1, Errors: 0"
check_binary() { # BINARY COUNTS-FILE
	local out line checks bad
	out=$(CK_VERBOSITY=normal timeout -k 10 600 "$1" 2>&1)
	local rc=$?
	line=$(grep -aoE 'Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' <<<"$out" | tail -n 1)
	if [ -z "$line" ]; then
		echo "FAIL $(basename "$1"): no totals (exit $rc)"
		tail -n 30 <<<"$out"
		echo "0 1 0" >"$2"
		return
	fi
	checks=$(sed -E 's/Checks: ([0-9]+).*/\1/' <<<"$line")
	bad=$(sed -E 's/.*Failures: ([0-9]+), Errors: ([0-9]+)/\1 + \2/' <<<"$line")
	bad=$((bad))
	[ "$rc" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
	echo "$((checks - bad)) $bad $(grep -ac '^SKIP ' <<<"$out")" >"$2"
	echo "$(basename "$1"): $line"
	grep -a '^SKIP ' <<<"$out"
	[ "$bad" -eq 0 ] || grep -aE ':[FE]:|runtime error|ERROR: AddressSanitizer' <<<"$out" | head -40
}

# As many at a time as there are processors: each works in a directory of its own. A binary that
# left no counts has failed.
check_binaries() { # BINARY...
	local work b p f s
	work=$(mktemp -d)
	for b in "$@"; do
		while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
		{
			check_binary "$b" "$work/$(basename "$b").counts" >"$work/$(basename "$b").says"
			cat "$work/$(basename "$b").says"
		} &
	done
	wait
	for b in "$@"; do
		read -r p f s <"$work/$(basename "$b").counts" || { p=0 f=1 s=0; echo "FAIL $(basename "$b"): was not run to its end"; }
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	done
	rm -rf "$work"
}

. tests/mount/leftovers.sh

# ---- mount scripts: two lanes ----
#
# Scripts make accounts, look for processes and unmount. As root two lanes run side by side: the second has
# accounts (a copy of /etc), processes, mounts and /dev/shm of its own. Each takes the next script of the queue
# when it is done with one. Without root, or where there are no namespaces, there is one lane.

# The next script; 1: there is none.
take_script() { # WORK
	local t
	exec 8>>"$1/lock" && flock 8
	t=$(head -n 1 "$1/queue")
	sed -i 1d "$1/queue"
	exec 8>&-
	[ -n "$t" ] && echo "$t"
}

lane() { # WORK NAME
	local t
	passed=0 failed=0 skipped=0
	while t=$(take_script "$1"); do
		mount_script "$t" >"$1/says.$2" 2>&1
		cat "$1/says.$2"
	done
	echo "$passed $failed $skipped" >"$1/counts.$2"
}

# In namespaces of its own, as their first process.
own_lane() { # WORK
	mount --bind "$1/etc" /etc && mount -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 1
	lane "$1" own
}

mount_scripts() { # SCRIPT...
	local work mode second='' name p f s
	# Once, before the second lane has its copy of the accounts.
	[ "$(id -u)" -ne 0 ] || remove_leftovers || { mounts_failed=1; return; }
	work=$(mktemp -d)
	chmod 755 "$work"
	printf '%s\n' "$@" >"$work/queue"
	mode=$(stat -c %a /dev/fuse 2>/dev/null)
	if [ "$(id -u)" -eq 0 ] && unshare -m -p -f --mount-proc true 2>/dev/null; then
		# Here, since scripts that put it back would take it from the other lane.
		[ "${mode:-666}" = 666 ] || { echo "note: /dev/fuse has mode $mode; it is 666 during the tests" && chmod 666 /dev/fuse; }
		# Before anybody changes accounts.
		mkdir "$work/etc" && cp -a /etc/. "$work/etc"
		# Other numbers too: the main lane sees these processes, and ends those of its own accounts.
		sed -i -E 's/^((UID|GID)_MIN)[[:space:]].*/\1 20000/' "$work/etc/login.defs"
		unshare -m -p -f --mount-proc bash tests/run.sh lane "$work" &
		second=$!
	fi
	lane "$work" main
	if [ -n "$second" ]; then
		wait "$second"
		[ "${mode:-666}" = 666 ] || chmod "$mode" /dev/fuse
	fi
	# lane has counted from 0: what the suites before it had is the caller's
	for name in main ${second:+own}; do
		read -r p f s <"$work/counts.$name" || { p=0 f=1 s=0; echo "FAIL a lane of mount scripts was not run to its end"; }
		mounts_passed=$((mounts_passed + p)) mounts_failed=$((mounts_failed + f)) mounts_skipped=$((mounts_skipped + s))
	done
	[ ! -s "$work/queue" ] || { mounts_failed=$((mounts_failed + 1)); echo "FAIL mount scripts were left over: $(cat "$work/queue")"; }
	rm -rf "$work"
}

# A mount script prints "PASS name", "FAIL name: why", "SKIP name: why".
mount_script() {
	local log began=$SECONDS
	log=$(mktemp)
	timeout -k 30 900 bash "$1" >"$log" 2>&1
	local rc=$? p f s
	p=$(grep -ac '^PASS ' "$log") f=$(grep -ac '^FAIL ' "$log") s=$(grep -ac '^SKIP ' "$log")
	[ "$rc" -ne 0 ] && [ "$f" -eq 0 ] && f=1 && echo "FAIL $(basename "$1"): ended with $rc"
	[ "$p" -eq 0 ] && [ "$f" -eq 0 ] && [ "$s" -eq 0 ] && f=1 && echo "FAIL $(basename "$1"): ran no test"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	echo "$(basename "$1"): $p passed, $f failed, $s skipped, in $((SECONDS - began)) s"
	grep -aE '^(FAIL|SKIP) ' "$log"
	[ "$f" -eq 0 ] || { echo "--- $(basename "$1") ---"; tail -n 60 "$log"; echo "---"; }
	rm -f "$log"
}

if [ "${1:-}" = lane ]; then
	own_lane "$2"
	exit
fi
binaries=() scripts=()
for suite in "$@"; do
	case $suite in
	unit)
		for t in tests/unit/test_*.c; do
			binaries+=("$BUILD/tests/$(basename "$t" .c)")
		done
		;;
	fault) # first: some of them take longest
		for t in tests/fault/test_*.c; do
			name=$(basename "$t" .c)
			binaries=("$BUILD/tests/fault/run_${name#test_}" "${binaries[@]}")
		done
		;;
	mount)
		scripts=(tests/mount/[0-9]*.sh)
		;;
	*)
		echo "there is no suite $suite" >&2
		exit 2
		;;
	esac
done
check_binaries "${binaries[@]}"
mounts_passed=0 mounts_failed=0 mounts_skipped=0
if [ ${#scripts[@]} -gt 0 ]; then
	before="$passed $failed $skipped"
	mount_scripts "${scripts[@]}"
	read -r passed failed skipped <<<"$before"
	passed=$((passed + mounts_passed)) failed=$((failed + mounts_failed)) skipped=$((skipped + mounts_skipped))
fi
[ -z "${JOURNALFS_TOTALS:-}" ] || echo "$passed $failed $skipped" >"$JOURNALFS_TOTALS"
echo "$passed passed, $failed failed, $skipped skipped"
# Without root every mount test is skipped, by name; that nothing at all was met is a failure.
[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
