#!/bin/bash
# What keeping earlier versions costs: a save with history on against history off, and the bytes of a hundred saves.
# SPDX-License-Identifier: Apache-2.0
#
# BLOCKS (default 30) blocks of ten saves each way, of a note whose versions are kept and of one whose versions are not, in turn: its name is
# one for which the policy says `history for "*.off" keep none`, which is `history off` for that name. Medians of saves that come after the one before
# is durable, as a person saves, and of a save's part in ten in a row that end with fsync. Numbers are printed, nothing is asserted.
# The bytes are the pages that the database holds and the journal's container, before and after; the texts are of words, one sentence is changed in each save.
set -u
if [ "$(id -u)" -ne 0 ]; then
	echo "the benchmark needs root: it makes accounts and mounts" >&2
	exit 1
fi
mkdir -p "${BUILD:-build}/tests/mount"
. "$(dirname "$0")/../mount/lib.sh"
BLOCKS=${BLOCKS:-30} NOTES=${NOTES:-20}
trap cleanup EXIT
mode=$(stat -c %a /dev/fuse)
[ "$mode" = 666 ] || { FUSE_MODE=$mode; chmod 666 /dev/fuse; }
install -m 755 "$BUILD/tests/bench/saves" "$PROBES/saves"

used() { # sets bytes: what the database and the containers hold after a shutdown, when nothing waits in the redo log
	logout anna && stop_daemon && rm -rf "$ROOT/copy" && mkdir "$ROOT/copy" && cp "$VAULT/db/data.mdb" "$ROOT/copy/" || return 1
	bytes=$(mdb_stat -ef "$ROOT/copy" | awk '/Number of pages used/ {n = $NF} /Free pages/ {n -= $NF} END {print n * 4096}')
	bytes=$((bytes + $(find "$VAULT/containers" -type f -printf '%b\n' | awk '{n += $1} END {print n * 512}')))
	start_daemon && login anna >/dev/null
}

hundred_saves() { # off | txt: sets bytes, for NOTES notes of 10 KB, each saved 100 times
	local d before
	d="$(J anna)/hundred saves $1"
	as anna mkdir "$d" && used || return 1
	before=$bytes
	as anna "$PROBES/saves" edit "$d" "$1" "$NOTES" 100 && used || return 1
	bytes=$((bytes - before))
}

clinic >/dev/null || { echo "the clinic could not be set up"; exit 1; }
{ practice_policy; echo 'history for "*.off" keep none'; } | put_policy dan practice >/dev/null || { echo "the policy was refused" >&2; exit 1; }
login anna >/dev/null

if command -v mdb_stat >/dev/null; then
	once=$((NOTES * 10240))
	hundred_saves off && off=$bytes && hundred_saves txt && on=$bytes || exit 1
	echo "100 saves of each of $NOTES notes of 10 KiB, $((once / 1024)) KiB of text: $((off / 1024)) KiB with history off, $((on / 1024)) KiB with all versions," \
		"$(awk -v a="$on" -v n="$once" 'BEGIN {printf "%.2f", a / n}') times the text"
else
	echo "the bytes of 100 saves are counted by mdb_stat: apt-get install lmdb-utils"
fi

D="$(J anna)/saves"
as anna mkdir "$D"
as anna "$PROBES/saves" "$D" 2 >/dev/null # warm
as anna "$PROBES/saves" "$D" "$BLOCKS" >"$ROOT/times" || exit 1
median_of() { # save|row WAY KIB SYNC on|off
	awk -v w="$1" -v y="$2" -v k="$3" -v s="$4" -v h="$5" '$1 == y && $2 == k && $3 == s && $4 == h && $5 == w {print $6}' "$ROOT/times" |
		sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'
}
printf '| %-8s | %5s | %-5s | %10s | %10s | %6s | %10s | %10s | %6s |\n' save KiB fsync 'off, us' 'on, us' ratio 'row, off' 'row, on' ratio
echo '| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |'
for way in rewrite rename append; do
	for kib in 10 100; do
		for sync in 0 1; do
			echo "$way $kib $sync $(for w in save row; do for h in off on; do median_of $w $way $kib $sync $h; done; done | paste -sd' ')"
		done
	done
done | awk '{printf "| %-8s | %5d | %-5s | %10.1f | %10.1f | %6.2f | %10.1f | %10.1f | %6.2f |\n", $1, $2, $3 ? "yes" : "no", $4, $5, $5 / $4, $6, $7, $7 / $6}'
