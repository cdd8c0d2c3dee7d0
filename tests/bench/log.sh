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
mkdir "$work/log"
row() { printf '| %-46s | %s |\n' "$1" "$2"; }
cold() { sync && echo 3 >/proc/sys/vm/drop_caches 2>/dev/null || echo "(the cache could not be dropped)" >&2; }
each() { # NAME COMMAND...
	local name=$1
	shift
	row "$name" "$("$@" 2>&1 | tail -n 1)"
}
tool() { # VERB ARGUMENT...: an audit command on the copied log
	"$BENCH" run "$BUILD/journalfs" audit "$@" --log "$work/log" --key "$work/key" --passphrase-fd 9 \
		9< <(echo 'an auditor keeps count of everything') >/dev/null
}

row "access log of $RECORDS records" measured
row --- ---
each 'append, besides syncs' "$BENCH" append "$ram" 500000
each "fill ($CLINICS practices of 25)" "$BENCH" fill "$work/log" "$RECORDS" "$CLINICS" "$PATIENTS" "$work/key"
row 'on disk' "$(du -sh "$work/log" | cut -f1), of it indexes $(du -ch "$work"/log/*.idx 2>/dev/null | tail -n 1 | cut -f1)"
cold
each 'verify, 2 threads, cold' "$BENCH" verify "$work/log" 2
each 'verify, 2 threads, warm' "$BENCH" verify "$work/log" 2
each 'verify, 1 thread, warm' "$BENCH" verify "$work/log" 1
each 'read all, 1 thread' "$BENCH" read "$work/log" 1
each 'read all, 2 threads' "$BENCH" read "$work/log" 2
read -r journal name < <("$BENCH" busiest "$work/log")
cold
each 'one journal through the index, cold' "$BENCH" patient "$work/log" "$journal"
each 'one journal through the index, warm' "$BENCH" patient "$work/log" "$journal"
cold
each 'audit patient, the command, cold' tool patient "$name"
each 'audit patient, the command, warm' tool patient "$name"
each 'audit verify, the command' tool verify
each 'audit unusual, the command' tool unusual
