#!/bin/bash
# What keeping earlier versions costs: a save with history on against history off, and the bytes of a hundred saves.
# SPDX-License-Identifier: Apache-2.0
#
# ROUNDS (default 6) of COUNT saves (default 50) each way, history off and on in turn in the practice policy;
# medians over all rounds. Numbers are printed, nothing is asserted. The bytes are those of the database (pages
# ever used) and of the journal's container, before and after; the same saves with history off stand beside them, since a
# database that copies on write grows by itself at first.
set -u
if [ "$(id -u)" -ne 0 ]; then
	echo "the benchmark needs root: it makes accounts and mounts" >&2
	exit 1
fi
mkdir -p "${BUILD:-build}/tests/mount"
. "$(dirname "$0")/../mount/lib.sh"
ROUNDS=${ROUNDS:-6} COUNT=${COUNT:-50} NOTES=${NOTES:-20}
trap cleanup EXIT
mode=$(stat -c %a /dev/fuse)
[ "$mode" = 666 ] || { FUSE_MODE=$mode; chmod 666 /dev/fuse; }
install -m 755 "$BUILD/tests/bench/saves" "$PROBES/saves"

history_is() { # on | off
	{
		practice_policy
		[ "$1" = on ] || echo 'history off'
	} | put_policy dan practice >/dev/null || { echo "the policy was refused" >&2; exit 1; }
}

used() { # bytes of the database's pages and the containers, everything durable
	sync -f "$(J anna)" 2>/dev/null
	sleep 2
	local db
	db=$(jfs dan status --json | sed -nE 's/.*"used_bytes": ([0-9]+).*/\1/p')
	echo $((db + $(find "$VAULT/containers" -type f -printf '%b\n' | awk '{n += $1} END {print n * 512}')))
}

hundred_saves() { # on | off: bytes for NOTES notes of 10 KB, each saved 100 times
	local d before
	d="$(J anna)/hundred saves $1"
	history_is "$1"
	as anna mkdir "$d"
	before=$(used)
	as anna "$PROBES/saves" edit "$d" "$NOTES" 100
	echo $(($(used) - before))
}

clinic >/dev/null || { echo "the clinic could not be set up"; exit 1; }
login anna >/dev/null
D="$(J anna)/saves"
as anna mkdir "$D"
history_is on
as anna "$PROBES/saves" "$D" 20 warm >/dev/null # warm
for r in $(seq "$ROUNDS"); do
	for h in off on; do
		[ $((r % 2)) -eq 0 ] || h=$([ $h = on ] && echo off || echo on) # who comes first changes
		history_is "$h"
		as anna "$PROBES/saves" "$D" "$COUNT" "$h$r" | sed "s/^/$h /"
	done
done >"$ROOT/times"

printf '| %-10s | %6s | %-5s | %12s | %12s | %6s |\n' save KiB fsync 'off, us' 'on, us' ratio
echo '| --- | ---: | --- | ---: | ---: | ---: |'
sort -k2,2 -k3,3n -k4,4n -k1,1 -k5,5n "$ROOT/times" | awk '
	function median() { return v[int((n + 1) / 2)] }
	function end() { if (n) m[key, h] = median(); n = 0 }
	{ k = $2 " " $3 " " $4; if (k != key || $1 != h) { end(); if (k != key) order[++keys] = k; key = k; h = $1 } v[++n] = $5 }
	END { end(); for (i = 1; i <= keys; i++) { split(order[i], p, " "); a = m[order[i], "off"]; b = m[order[i], "on"]
		printf "| %-10s | %6d | %-5s | %12.1f | %12.1f | %6.2f |\n", p[1], p[2], p[3] ? "yes" : "no", a, b, b / a } }'
off=$(hundred_saves off) on=$(hundred_saves on)
echo "100 saves of each of $NOTES notes of 10 KiB: $((off / 1024)) KiB with history off, $((on / 1024)) KiB with history on;" \
	"the texts are $((NOTES * 10)) KiB: $(awk -v a="$on" -v n="$NOTES" 'BEGIN {printf "%.2f", a / n / 10240}') times their size with all versions"
