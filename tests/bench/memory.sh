#!/bin/bash
# What the daemon keeps in memory: ten practitioners, 20,000 notes written, then walked and read by all.
# SPDX-License-Identifier: Apache-2.0
#
# Prints anonymous memory (RssAnon), the highest of each stage and what is left of it. NOTES (default 20000) notes of SIZE (default
# 4096) bytes in DIRS (default 200) directories of JOURNALS (default 20) journals; SESSIONS (default 10).
set -u
if [ "$(id -u)" -ne 0 ]; then
	echo "the benchmark needs root: it makes accounts and mounts" >&2
	exit 1
fi
mkdir -p "${BUILD:-build}/tests/mount"
SLOW_KEYS=1 # passphrases as people have them
. "$(dirname "$0")/../mount/lib.sh"
NOTES=${NOTES:-20000} DIRS=${DIRS:-200} JOURNALS=${JOURNALS:-20} SIZE=${SIZE:-4096} SESSIONS=${SESSIONS:-10}
trap cleanup EXIT
trap 'exit 130' INT TERM
mode=$(stat -c %a /dev/fuse)
[ "$mode" = 666 ] || { FUSE_MODE=$mode; chmod 666 /dev/fuse; }

kib() { awk -v k="$1:" '$1 == k {print $2}' "/proc/$DAEMON/status"; }
sample() { # the highest since the stage before, ten times a second
	local now most=0
	while now=$(kib RssAnon 2>/dev/null) && [ -n "$now" ]; do
		[ ! -e "$ROOT/most" ] && most=0
		[ "$now" -le "$most" ] || most=$now
		echo "$most" >"$ROOT/most"
		sleep 0.1
	done
}
PEAK=0
stage() { # NAME: the highest during it, and what is left after a moment
	local most now
	most=$(cat "$ROOT/most" 2>/dev/null || kib RssAnon)
	sleep "${SETTLE:-6}"
	now=$(kib RssAnon)
	[ "$most" -le "$PEAK" ] || PEAK=$most
	printf '| %-44s | %8s | %8s | %7s |\n' "$1" "$most" "$now" "$(ls "/proc/$DAEMON/task" | wc -l)"
	rm -f "$ROOT/most"
}
everybody() { # COMMAND: in a shell at each practitioner's mount, all at once
	local p pids=()
	for p in "${PEOPLE[@]}"; do
		as "$p" sh -c "cd '$(J "$p")' && $1" >/dev/null 2>&1 &
		pids+=($!)
	done
	wait "${pids[@]}"
}

printf '| %-44s | %8s | %8s | %7s |\n' "stage ($SESSIONS sessions, $NOTES notes); KiB anonymous" highest then threads --- ---: ---: ---:
clinic >/dev/null || { echo "the clinic could not be set up"; exit 1; }
sample &
PIDS+=($!)
PEOPLE=(anna)
text=$(practice_policy)
for n in $(seq 2 "$SESSIONS"); do
	PEOPLE+=("p$n")
	declare "PASS_p$n=person number $n has a lamp"
	text+=$'\n'"practitioner p$n user jft-p$n role physician unit north"
done
account "${PEOPLE[@]:1}" || exit 1
echo "$text" | put_policy dan practice >/dev/null || exit 1
for p in "${PEOPLE[@]:1}"; do enroll "$p" >/dev/null || exit 1; done
stage 'started, one session'
login anna >/dev/null || exit 1
per_journal=$((DIRS / JOURNALS)) per_dir=$((NOTES / DIRS))
for j in $(seq "$JOURNALS"); do
	as anna mkdir "$(J anna)/journal $j" || exit 1
	jfs dan policy show "journal $j" >"$ROOT/journal.policy" || exit 1
	{ cat "$ROOT/journal.policy"; echo 'allow unit:north:rwx'; } | put_policy dan "journal $j" >/dev/null || exit 1
done
for p in "${PEOPLE[@]:1}"; do login "$p" >/dev/null || exit 1; done
wait_for 60 as "p$SESSIONS" ls "$(J "p$SESSIONS")/journal $JOURNALS" >/dev/null || { echo "not admitted"; exit 1; }
stage "all logged in"
head -c "$SIZE" /dev/urandom | base64 -w 0 | head -c "$SIZE" >"$ROOT/one"
chmod 644 "$ROOT/one"
as anna perl -e '
	my ($root, $journals, $dirs, $notes, $one) = @ARGV;
	open(my $f, "<", $one) or die; read($f, my $text, 1 << 20);
	for my $j (1 .. $journals) { for my $d (1 .. $dirs) {
		my $dir = "$root/journal $j/directory $d";
		mkdir $dir or die "$dir: $!";
		for my $n (1 .. $notes) {
			open(my $o, ">", "$dir/note number $n.txt") or die $!; print $o $text; close($o) or die $!;
		}
	} }' "$(J anna)" "$JOURNALS" "$per_journal" "$per_dir" "$ROOT/one" || exit 1
stage 'one wrote all notes'
everybody 'find . >/dev/null'
stage 'all listed them (find)'
everybody "find . -type f -printf '%s %m %T@\n'"
stage 'all looked at their attributes (stat)'
everybody 'find . -type f -exec cat {} + >/dev/null'
stage 'all read them'
echo 2 >/proc/sys/vm/drop_caches
stage 'the kernel forgot what it knew'
everybody "find . -type f -printf '%s %m %T@\n'"
stage 'all walked them again'
for p in "${PEOPLE[@]}"; do logout "$p"; done
stage 'all but the steward logged out'
echo "highest: $PEAK KiB; peak resident: $(kib VmHWM) KiB with file pages; bound: 65536"
