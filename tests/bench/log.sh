#!/bin/bash
# The access log at the size of many years: filling, appending, verifying, asking for one patient, reading all.
# SPDX-License-Identifier: Apache-2.0
#
# RECORDS (default 10,000,000) of CLINICS practices (16) of 25 people and PATIENTS patients (2,500) each, in LOG_DIR (a
# temporary directory, removed in the end; about 420 bytes a record). Appending is measured in memory (/dev/shm), where syncs cost
# nothing. Cold means: dropped from the kernel's
# cache first, for which root is needed.
set -u
BUILD=${BUILD:-build} RECORDS=${RECORDS:-10000000} CLINICS=${CLINICS:-16} PATIENTS=${PATIENTS:-2500}
BENCH=$BUILD/tests/bench/log
work=$(mktemp -d "${LOG_DIR:-/tmp}/journalfs-log-bench.XXXXXX")
ram=$(mktemp -d /dev/shm/journalfs-log-bench.XXXXXX)
trap 'rm -rf "$work" "$ram"' EXIT
mkdir "$work/log" "$ram/append"
row() { printf '| %-46s | %s |\n' "$1" "$2"; }
cold() { sync && echo 3 >/proc/sys/vm/drop_caches 2>/dev/null || echo "(the cache could not be dropped)" >&2; }
each() { # NAME COMMAND...
	local name=$1
	shift
	row "$name" "$("$@" 2>&1 | tail -n 1)"
}
tool() { # VERB ARGUMENT...: an audit command on the copied log
	# A home of its own: what somebody kept of another made log must not be compared with this one.
	env HOME="$work" XDG_STATE_HOME="$work/state" "$BENCH" run "$BUILD/journalfs" audit "$@" --log "$work/log" --key "$work/key" --passphrase-fd 9 \
		9< <(echo 'an auditor keeps count of everything') >/dev/null
}

row "access log of $RECORDS records" measured
row --- ---
each 'append, besides syncs' "$BENCH" append "$ram/append" 500000
rm -rf "$ram/append"
# In memory where it fits, since a checkpoint for each minute of years is a sync each.
need=$((RECORDS / 2000)) # MiB
free=$(df -m --output=avail /dev/shm | tail -n 1)
made=$work/log
[ "$free" -lt $((2 * need)) ] || made=$ram/log
mkdir -p "$made"
each "fill ($CLINICS practices of 25)" "$BENCH" fill "$made" "$RECORDS" "$CLINICS" "$PATIENTS" "$work/key"
each 'the policies beside it, as in a copied log' "$BENCH" policies "$made" "$CLINICS" "$PATIENTS"
[ "$made" = "$work/log" ] || { cp "$made"/* "$work/log/" && rm -rf "$made"; }
row 'on disk' "$(du -sh "$work/log" | cut -f1), of it indexes $(du -ch "$work"/log/*.idx 2>/dev/null | tail -n 1 | cut -f1)"
cold
each 'verify, 2 threads, cold' "$BENCH" verify "$work/log" 2
each 'verify, 2 threads, warm' "$BENCH" verify "$work/log" 2
each 'verify, 1 thread, warm' "$BENCH" verify "$work/log" 1
each 'read all, 1 thread' "$BENCH" read "$work/log" 1
each 'read all, 2 threads' "$BENCH" read "$work/log" 2
read -r common busiest name < <("$BENCH" journals "$work/log")
cold
each 'a common journal through the index, cold' "$BENCH" patient "$work/log" "$common"
each 'a common journal through the index, warm' "$BENCH" patient "$work/log" "$common"
each 'the busiest journal through the index, warm' "$BENCH" patient "$work/log" "$busiest"
# First as it is once the log was verified: by `audit verify`, of a morning.
each 'audit verify, the command' tool verify
cold
each 'audit patient (busiest), the command, cold' tool patient "$name"
each 'audit patient (busiest), the command, warm' tool patient "$name"
each 'audit unusual, the command' tool unusual

# ---- syncs of the log for what a person does, on a mount of one's own
alone() { env HOME="$work/home" XDG_RUNTIME_DIR="$work/run" "$BUILD/journalfs" "$@"; }
counts() { # records and syncs so far, when what nobody waits for is written too
	sleep 0.3
	alone status --json | tr -d '\n ' | sed -E 's/.*"records":([0-9]+).*"syncs":([0-9]+).*/\1 \2/; t; s/.*"syncs":([0-9]+).*"records":([0-9]+).*/\2 \1/'
}
acts() { # NAME TIMES COMMAND
	local before after
	before=$(counts)
	for _ in $(seq "$2"); do (cd "$work/home/Journals/a" && eval "$3" >/dev/null); done
	after=$(counts)
	row "$1" "$(echo "$before $after $2" | awk '{printf "%.1f records, %.1f syncs", ($3 - $1) / $5, ($4 - $2) / $5}')"
}
unset XDG_STATE_HOME
BUILD=$(realpath "$BUILD")
mkdir -m 700 "$work/home" "$work/run"
alone init --passphrase-fd 9 "$work/vault" 9< <(echo 'one quiet person alone') >/dev/null &&
	alone open --passphrase-fd 9 "$work/vault" 9< <(echo 'one quiet person alone') >/dev/null || exit 1
trap 'cd /; alone logout; rm -rf "$work" "$ram"' EXIT
mkdir "$work/home/Journals/a"
(cd "$work/home/Journals/a" && for i in $(seq 100); do echo text >"n$i"; done)
row 'what a person does: the log, for each' ''
row --- ---
acts 'make a note (create, write, close)' 20 'echo text >m$RANDOM$RANDOM'
acts 'save (write beside, fsync, rename over)' 20 'echo more >t && sync t && mv t n1'
acts 'open and read a note, journal in use' 20 'cat n2'
acts 'list the journal again' 20 'ls'
alone lock && alone unlock --passphrase-fd 9 9< <(echo 'one quiet person alone')
acts 'open and read the first note after a lock' 1 'cat n3'
acts 'read a hundred notes more' 1 'cat n?*'
