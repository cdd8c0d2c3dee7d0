#!/bin/bash
# The same random operations in a journal and on ext4: every answer, every attribute, all contents alike.
# SPDX-License-Identifier: Apache-2.0
#
# SEED=N runs that seed (COUNT sequences from it on, SECONDS_EACH at most), SEED=random one that is printed.
. "$(dirname "$0")/lib.sh"

SEED=${SEED:-20261122}
[ "$SEED" != random ] || SEED=$((RANDOM * 32768 + RANDOM))
LOCAL=''
differential() { as anna "$PROBES/differential" "$@" "$LOCAL" "$D"; }

# An image of our own, with room for large attributes; else a local ext4 that is there already.
local_side() {
	truncate -s 512M "$ROOT/local.img" && mkdir -p "$ROOT/local" &&
		mkfs.ext4 -q -F -I 256 -O ea_inode "$ROOT/local.img" && mount -o loop,noatime "$ROOT/local.img" "$ROOT/local" &&
		LOCAL=$ROOT/local/side && install -d -o jft-anna -g jft-anna "$LOCAL" && return 0
	[ "$(stat -f -c %T "$ROOT/home/anna")" = ext2/ext3 ] && LOCAL=$ROOT/home/anna/side && as anna mkdir "$LOCAL"
}

t_known_seeds_agree_with_ext4() {
	[ -n "$LOCAL" ] || { echo "neither a loop device nor a local ext4"; return 77; }
	differential -s 1 -n 60 -t "${SECONDS_EACH:-20}"
}

t_another_seed_agrees_with_ext4() {
	[ -n "$LOCAL" ] || { echo "neither a loop device nor a local ext4"; return 77; }
	differential -s "$SEED" -n "${COUNT:-400}" -t "${SECONDS_EACH:-20}"
}

t_everything_is_the_same_after_a_crash_and_a_restart() {
	[ -n "$LOCAL" ] || { echo "neither a loop device nor a local ext4"; return 77; }
	differential -k -s "$SEED" -n 1 -c 1500 || return 1
	as anna sync "$D" || return 1
	kill -9 "$DAEMON"
	wait "$DAEMON" 2>/dev/null
	wait_for 10 unmounted anna || fail "still mounted" || return 1
	start_daemon && login anna && differential -C || return 1
	logout anna && stop_daemon && start_daemon && login anna && differential -C
}

t_differences_are_written_down() {
	local line
	"$PROBES/differential" -d >"$ROOT/differences" || return 1
	while IFS= read -r line; do
		grep -qF -- "${line%%: *}" "$HERE/../../fs/README.md" || fail "fs/README.md does not name: $line" || return 1
	done <"$ROOT/differences"
}

need_root
clinic && login anna || { echo "FAIL differential: set-up"; exit 1; }
local_side 2>/dev/null || LOCAL=''
D="$(J anna)/010190-1234 Hansen, Anna/side"
as anna mkdir -p "$D"
echo "note: the other seed is $SEED"
run_tests
