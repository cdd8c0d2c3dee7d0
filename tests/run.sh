#!/bin/bash
# Runs the suites named (unit, fault, mount), prints each test that fails, and the totals.
# SPDX-License-Identifier: Apache-2.0
#
# The totals are also written to $JOURNALFS_TOTALS when that is set: "passed failed skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
BUILD=$(realpath "${BUILD:-build}")
export BUILD
passed=0 failed=0 skipped=0

# Check's closing line: "97%: Checks: 33, Failures: 1, Errors: 0"
check_binary() {
	local out line checks bad
	out=$(CK_VERBOSITY=normal timeout -k 10 600 "$1" 2>&1)
	local rc=$?
	line=$(grep -aoE 'Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' <<<"$out" | tail -n 1)
	if [ -z "$line" ]; then
		echo "FAIL $(basename "$1"): no totals (exit $rc)"
		tail -n 30 <<<"$out"
		failed=$((failed + 1))
		return
	fi
	checks=$(sed -E 's/Checks: ([0-9]+).*/\1/' <<<"$line")
	bad=$(sed -E 's/.*Failures: ([0-9]+), Errors: ([0-9]+)/\1 + \2/' <<<"$line")
	bad=$((bad))
	[ "$rc" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
	passed=$((passed + checks - bad))
	failed=$((failed + bad))
	skipped=$((skipped + $(grep -ac '^SKIP ' <<<"$out")))
	echo "$(basename "$1"): $line"
	grep -a '^SKIP ' <<<"$out"
	[ "$bad" -eq 0 ] || grep -aE ':[FE]:|runtime error|ERROR: AddressSanitizer' <<<"$out" | head -40
}

# A mount script prints "PASS name", "FAIL name: why", "SKIP name: why".
mount_script() {
	local log
	log=$(mktemp)
	timeout -k 30 900 bash "$1" >"$log" 2>&1
	local rc=$? p f s
	p=$(grep -ac '^PASS ' "$log") f=$(grep -ac '^FAIL ' "$log") s=$(grep -ac '^SKIP ' "$log")
	[ "$rc" -ne 0 ] && [ "$f" -eq 0 ] && f=1 && echo "FAIL $(basename "$1"): ended with $rc"
	[ "$p" -eq 0 ] && [ "$f" -eq 0 ] && [ "$s" -eq 0 ] && f=1 && echo "FAIL $(basename "$1"): ran no test"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	echo "$(basename "$1"): $p passed, $f failed, $s skipped"
	grep -aE '^(FAIL|SKIP) ' "$log"
	[ "$f" -eq 0 ] || { echo "--- $(basename "$1") ---"; tail -n 60 "$log"; echo "---"; }
	rm -f "$log"
}

for suite in "$@"; do
	case $suite in
	unit)
		for t in tests/unit/test_*.c; do
			check_binary "$BUILD/tests/$(basename "$t" .c)"
		done
		;;
	fault)
		for t in tests/fault/test_*.c; do
			name=$(basename "$t" .c)
			check_binary "$BUILD/tests/fault/run_${name#test_}"
		done
		;;
	mount)
		for t in tests/mount/[0-9]*.sh; do
			mount_script "$t"
		done
		;;
	*)
		echo "there is no suite $suite" >&2
		exit 2
		;;
	esac
done
[ -z "${JOURNALFS_TOTALS:-}" ] || echo "$passed $failed $skipped" >"$JOURNALFS_TOTALS"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
