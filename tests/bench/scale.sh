#!/bin/bash
# Cost per operation in a vault of few and of many journals: it should not depend on how many there are.
# SPDX-License-Identifier: Apache-2.0
#
# One person's vault in a directory of its own under TMPDIR (default /var/tmp). JOURNALS="1000 100000":
# the sizes, ascending; ROUNDS (default 5): medians of so many. Cold: after a new log-in by a new daemon.
set -u
BUILD=$(realpath "${BUILD:-build}")
JFS=$BUILD/journalfs OPS=$BUILD/tests/bench/ops
JOURNALS=${JOURNALS:-1000 100000} ROUNDS=${ROUNDS:-5} N=200
ROOT=$(mktemp -d "${TMPDIR:-/var/tmp}/journalfs-scale.XXXXXX") || exit 1
export XDG_STATE_HOME=$ROOT/state XDG_RUNTIME_DIR=$ROOT/run
mkdir -m 700 "$ROOT/state" "$ROOT/run" "$ROOT/mnt"
PASS='three quiet horses on a hill'

close_vault() {
	"$JFS" logout --vault "$ROOT/vault" 2>/dev/null
	for _ in $(seq 200); do
		[ -z "$(pgrep -f -- "$ROOT/vault" || true)" ] && return
		sleep 0.05
	done
}
open_vault() { "$JFS" open --passphrase-fd 9 "$ROOT/vault" "$ROOT/mnt" 9<<<"$PASS" >/dev/null; }
cleanup() {
	close_vault
	mountpoint -q "$ROOT/mnt" && fusermount3 -uz "$ROOT/mnt"
	rm -rf "$ROOT"
}
trap cleanup EXIT

median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
seconds() {
	local t0 t1
	t0=$(date +%s.%N)
	"$@" >/dev/null
	t1=$(date +%s.%N)
	echo "$t1 $t0" | awk '{printf "%.3f\n", $1 - $2}'
}
anonymous() { awk '/RssAnon/ {print $2}' "/proc/$(pgrep -f -- "$ROOT/vault" | head -n 1)/status"; }

"$JFS" init --passphrase-fd 9 "$ROOT/vault" 9<<<"$PASS" >/dev/null || exit 1
open_vault || exit 1
have=0
echo "| journals | make one | create | save | read | stat | remove | read cold | log-in s | list s | daemon KiB |"
echo "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
for want in $JOURNALS; do
	made=$("$OPS" make "$ROOT/mnt" "$have" $((want - have))) || exit 1
	have=$want
	D="$ROOT/mnt/journal $(printf %06d $((want / 2)))"
	for op in create save read stat remove cold login list; do : >"$ROOT/$op"; done
	for _ in $(seq "$ROUNDS"); do
		"$OPS" create "$D" $N >>"$ROOT/create" || exit 1
		for op in save read stat; do "$OPS" $op "$D" $N >>"$ROOT/$op" || exit 1; done
		close_vault
		seconds open_vault >>"$ROOT/login"
		"$OPS" read "$D" $N >>"$ROOT/cold" || exit 1
		seconds ls "$ROOT/mnt" >>"$ROOT/list"
		"$OPS" remove "$D" $N >>"$ROOT/remove" || exit 1
	done
	row="| $want | $made |"
	for op in create save read stat remove cold login list; do row="$row $(median <"$ROOT/$op") |"; done
	echo "$row $(anonymous) |"
done
echo "Microseconds per operation where nothing else is said; medians of $ROUNDS rounds of $N operations."
