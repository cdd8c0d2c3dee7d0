#!/bin/bash
# The policy of a large practice: decisions, loading, one change, the listing of somebody who may see few.
# SPDX-License-Identifier: Apache-2.0
#
# JOURNALS (default 100000) journals with LINES (10) allow lines each, PEOPLE (200) practitioners besides the
# clinic's four; eva may see one in a thousand. Medians of ROUNDS (5).
set -u
if [ "$(id -u)" -ne 0 ]; then
	echo "the benchmark needs root: it makes accounts and mounts" >&2
	exit 1
fi
mkdir -p "${BUILD:-build}/tests/mount"
SLOW_KEYS=1 # passphrases as people have them
. "$(dirname "$0")/../mount/lib.sh"
ROUNDS=${ROUNDS:-5} JOURNALS=${JOURNALS:-100000} LINES=${LINES:-10} PEOPLE=${PEOPLE:-200}
trap cleanup EXIT
mode=$(stat -c %a /dev/fuse)
[ "$mode" = 666 ] || { FUSE_MODE=$mode; chmod 666 /dev/fuse; }
install -m 755 "$BUILD/tests/bench/ops" "$BUILD/tests/bench/fill" "$PROBES"

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
milliseconds() {
	local t0 t1
	t0=$(date +%s.%N)
	"$@" >/dev/null 2>&1 || echo "failed: $*" >&2
	t1=$(date +%s.%N)
	echo "$t1 $t0" | awk '{printf "%.1f\n", ($1 - $2) * 1000}'
}
row() { printf '| %-62s | %10s |\n' "$1" "$2"; }

"$BUILD/tests/bench/policy" "$JOURNALS" "$PEOPLE" "$LINES"
clinic >/dev/null || { echo "the clinic could not be set up"; exit 1; }
login anna >/dev/null
row "$JOURNALS journals, $LINES lines each, $PEOPLE practitioners" ''
row --- ---:
row 'make one, us' "$(as anna "$PROBES/ops" make "$(J anna)" 0 "$JOURNALS")"
row 'accept the practice policy, ms' "$(as dan "$PROBES/fill" "$ROOT/clinic.conf" practice "$PEOPLE" | awk '{printf "%.1f", $1 / 1000}')"
row 'accept a journal'\''s policy (show, put), mean of all, us' "$(as dan "$PROBES/fill" "$ROOT/clinic.conf" journals 0 "$JOURNALS" "$LINES" "$PEOPLE" eva)"
row 'the same with eva and anna logged in, mean of 1000, us' "$(login eva >/dev/null; as dan "$PROBES/fill" "$ROOT/clinic.conf" journals $((JOURNALS / 2)) 1000 "$LINES" "$PEOPLE" eva)"
row "list the root (eva sees $(as eva ls "$(J eva)" | wc -l)), ms" "$(for _ in $(seq "$ROUNDS"); do milliseconds as eva ls "$(J eva)"; done | median)"
row '  of that a process that only starts, ms' "$(for _ in $(seq "$ROUNDS"); do milliseconds as eva ls /proc/self/fdinfo; done | median)"
for n in anna dan eva; do logout $n; done
row 'first log-in: key derivation, loading everything, ms' "$(for _ in $(seq "$ROUNDS"); do milliseconds login eva; logout eva; done | median)"
login anna >/dev/null
row '  of that what a second log-in takes as well, ms' "$(for _ in $(seq "$ROUNDS"); do milliseconds login eva; logout eva; done | median)"
echo "daemon: $(awk '/VmHWM/ {print "peak " $2 " KiB"} /RssAnon/ {print "anonymous now " $2 " KiB"}' "/proc/$DAEMON/status" | paste -sd, )"
