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
# One after the other: they share accounts, and some measure how soon a right is gone.
for t in "${scripts[@]}"; do
	mount_script "$t"
done
[ -z "${JOURNALFS_TOTALS:-}" ] || echo "$passed $failed $skipped" >"$JOURNALFS_TOTALS"
echo "$passed passed, $failed failed, $skipped skipped"
# Without root every mount test is skipped, by name; that nothing at all was met is a failure.
[ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
