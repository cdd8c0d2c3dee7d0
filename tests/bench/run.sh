#!/bin/bash
# The project's own benchmark: what the shared file-system benchmark does not measure.
# SPDX-License-Identifier: Apache-2.0
#
# Making journals, log-in, listing the root, one save (write, fsync, rename), first open of a note.
# Medians of ROUNDS (default 5); JOURNALS (default 1000) journals.
set -u
if [ "$(id -u)" -ne 0 ]; then
	echo "the benchmark needs root: it makes accounts and mounts" >&2
	exit 1
fi
mkdir -p "${BUILD:-build}/tests/mount"
SLOW_KEYS=1 # passphrases as people have them
. "$(dirname "$0")/../mount/lib.sh"
ROUNDS=${ROUNDS:-5} JOURNALS=${JOURNALS:-1000}
trap cleanup EXIT
mode=$(stat -c %a /dev/fuse)
[ "$mode" = 666 ] || { FUSE_MODE=$mode; chmod 666 /dev/fuse; }

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
seconds() { # COMMAND...: wall seconds
	local t0 t1
	t0=$(date +%s.%N)
	"$@" >/dev/null 2>&1 || echo "failed: $*" >&2
	t1=$(date +%s.%N)
	echo "$t1 $t0" | awk '{printf "%.6f\n", $1 - $2}'
}
row() { printf '| %-44s | %10s |\n' "$1" "$2"; }

clinic >/dev/null || { echo "the clinic could not be set up"; exit 1; }
login anna >/dev/null
row "workload ($JOURNALS journals, median of $ROUNDS)" seconds
row --- ---:
row "make $JOURNALS journals" "$(seconds as anna sh -c "cd '$(J anna)' && seq -f 'journal %06.0f' $JOURNALS | xargs -d '\n' mkdir")"
row 'list the root' "$(for _ in $(seq "$ROUNDS"); do seconds as anna ls "$(J anna)"; done | median)"
D="$(J anna)/journal 000001"
row 'save 100 notes (write, fsync, rename)' "$(for _ in $(seq "$ROUNDS"); do
	seconds as anna sh -c "cd '$D' && for i in \$(seq 100); do echo text >t && sync t && mv t n\$i; done"; done | median)"
row 'log-in with key derivation, mount' "$(for _ in $(seq "$ROUNDS"); do logout anna; seconds login anna; done | median)"
row 'first open of 100 notes after log-in' "$(for _ in $(seq "$ROUNDS"); do logout anna; login anna >/dev/null; seconds as anna sh -c "cat '$D'/n*"; done | median)"
echo "daemon: $(awk '/VmHWM/ {print "peak " $2 " KiB"} /RssAnon/ {print "anonymous now " $2 " KiB"}' "/proc/$DAEMON/status" | paste -sd, )"
jfs dan status --json | grep -E '"(records|syncs)"'
