#!/bin/bash
# The auditor's day: reading the log through the daemon, and a copy of it without: keys, copies, refusals.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
PASS_lis='lis counts what others open'
KEYPASS='a passphrase for the key file'

audited_practice() { # the practice with an auditor who is nothing else
	practice_policy
	echo 'practitioner lis user jft-lis role auditor'
}

refused() { # TEXT COMMAND...: fails with 1 and says so
	local want=$1 rc
	shift
	"$@" >"$ROOT/said" 2>&1
	rc=$?
	[ $rc -eq 1 ] || fail "$* ended with $rc: $(cat "$ROOT/said")" || return 1
	grep -q -- "$want" "$ROOT/said" || fail "$* said: $(cat "$ROOT/said")"
}

keyed() { # COMMAND...: with the key file's passphrase on descriptor 9
	"$@" 9< <(printf '%s\n' "$KEYPASS")
}

export_key() { # FILE [OPTION...]
	local f=$1
	shift
	keyed jfs lis audit key export "$f" --new-passphrase-fd 9 "$@"
}

offline() { # COMMAND [OPTION...]: lis's copy and key, elsewhere, without the vault
	local c=$1
	shift
	keyed as bo "$JFS" audit "$c" --log "$ROOT/elsewhere/log" --key "$ROOT/elsewhere/key" --passphrase-fd 9 "$@"
}

carry_away() { # what lis has made goes to another account's machine
	rm -rf "$ROOT/elsewhere"
	cp -r "$ROOT/home/lis/out" "$ROOT/elsewhere" || return 1
	chown -R jft-bo: "$ROOT/elsewhere"
	chmod 755 "$ROOT/elsewhere"
}

t_set_up_a_clinic_with_an_auditor() {
	account lis || return 1
	audited_practice | put_policy dan practice || return 1
	enroll lis && login lis && login anna && login bo && login eva || return 1
	for j in "$HANSEN" "$OLSEN"; do
		as anna mkdir "$(J anna)/$j" && as anna sh -c "echo 'finding of $j' >'$(J anna)/$j/note.txt'" || return 1
	done
	put_policy dan "$HANSEN" <<-END || return 1
		journal "$HANSEN"
		unit north
		allow user:anna:rwx
		allow user:bo:rwx
	END
	wait_for 20 as bo cat "$(J bo)/$HANSEN/note.txt" >/dev/null || return 1
	as lis mkdir out
}

t_auditor_reads_and_the_reading_is_in_the_log() {
	jfs lis audit show --who bo >"$ROOT/bo" || return 1
	grep -q "bo (nurse, north)  opened  \"$HANSEN\" / note.txt" "$ROOT/bo" || fail "$(cat "$ROOT/bo")" || return 1
	grep -q ' anna ' "$ROOT/bo" && fail "somebody else's records" && return 1
	jfs lis audit show | grep -q 'lis (auditor)  read the log .*who bo, for audit show' || fail 'not logged' || return 1
	jfs lis audit usage | grep -q '"journalfs_usage": 1' || return 1
	jfs lis audit show --json --journal "$HANSEN" | head -n 1 | python3 -c 'import json,sys; json.loads(sys.stdin.readline())'
}

t_nurse_is_refused_and_that_is_in_the_log() {
	refused 'needs the audit right, which bo does not have' jfs bo audit show || return 1
	refused 'needs the audit right' jfs bo audit key export out.key || return 1
	[ ! -e "$ROOT/home/bo/out.key" ] || fail 'a key file' || return 1
	refused 'needs the audit, the review or the policy right' jfs bo audit copy copied || return 1
	[ -z "$(ls "$ROOT/home/bo/copied" 2>/dev/null)" ] || fail 'a copy' || return 1
	jfs lis audit show --who bo >"$ROOT/bo"
	for what in 'reading the log' 'exporting keys of the log' "taking the log's segments"; do
		grep -q "REFUSED .*$what" "$ROOT/bo" || fail "$what: $(cat "$ROOT/bo")" || return 1
	done
}

t_key_file_says_what_it_opens() {
	export_key out/key >"$ROOT/said" || return 1
	grep -q 'opens [0-9]* stretch' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	[ "$(stat -c %a "$ROOT/home/lis/out/key")" = 600 ] || fail mode || return 1
	keyed as lis "$JFS" audit key show out/key --passphrase-fd 9 >"$ROOT/said" || return 1
	grep -q '^practice *Klinik Nord$' "$ROOT/said" && grep -q '^auditor *lis$' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	refused 'that is not its passphrase' as lis "$JFS" audit key show out/key --passphrase-fd 9 9< <(echo wrong) || return 1
	refused 'is there already' export_key out/key || return 1
	refused 'passphrase' jfs lis audit key export out/weak --new-passphrase-fd 9 9< <(echo short) || return 1
	[ ! -e "$ROOT/home/lis/out/weak" ] || fail 'a weak key file' || return 1
	jfs lis audit show --who lis | grep -q 'exported .*keys of the access log were exported to a key file' || fail 'not logged'
}

t_copy_takes_what_is_new() {
	jfs lis audit copy out/log >"$ROOT/said" || return 1
	[ -s "$ROOT/home/lis/out/log/00000001.seg" ] && [ -s "$ROOT/home/lis/out/log/policies" ] || return 1
	grep -qa 'Klinik Nord\|Hansen' "$ROOT/home/lis/out/log/policies" "$ROOT/home/lis/out/key" && fail 'in the clear' && return 1
	touch -d '2020-01-01' "$ROOT"/home/lis/out/log/*.seg
	jfs lis audit copy out/log || return 1
	[ "$(find "$ROOT/home/lis/out/log" -name '*.seg' -newermt 2021-01-01 | wc -l)" -le 2 ] || fail 'all again' || return 1
	# Who may not read copies what is sealed, and is told what is left out.
	jfs dan audit copy sealed >/dev/null || return 1
	[ -s "$ROOT/home/dan/sealed/00000001.seg" ] || return 1
	mkdir "$ROOT/home/lis/other" && echo nothing >"$ROOT/home/lis/other/00000001.seg" && chown -R jft-lis: "$ROOT/home/lis/other"
	refused 'holds something else' jfs lis audit copy other
}

t_copy_is_read_elsewhere_as_it_was_online() {
	as eva cat "$(J eva)/$HANSEN/note.txt" >/dev/null 2>&1
	as bo sh -c "echo more >>'$(J bo)/$HANSEN/note.txt'" || return 1
	sleep 0.3
	# Also the stretch that has begun since, and the names of journals as they were.
	rm -f "$ROOT/home/lis/out/key"
	export_key out/key >/dev/null && jfs lis audit copy out/log >/dev/null && carry_away || return 1
	for q in '' "--who bo" "--journal '$HANSEN'" "--json --who anna" "--csv --who bo"; do
		eval "offline show $q" >"$ROOT/off" || return 1
		eval "jfs lis audit show $q" >"$ROOT/on" || return 1
		# What was read online is in the log behind what was copied.
		head -n "$(wc -l <"$ROOT/off")" "$ROOT/on" | cmp - "$ROOT/off" || fail "$q: $(diff "$ROOT/on" "$ROOT/off" | head -n 5)" || return 1
		[ "$(wc -l <"$ROOT/off")" -ge 2 ] || fail "$q: nothing" || return 1
	done
}

t_copy_is_read_with_the_daemon_gone() {
	offline show >"$ROOT/before" || return 1
	for n in lis anna bo eva dan; do logout $n >/dev/null; done
	stop_daemon || return 1
	offline show >"$ROOT/after" || return 1
	cmp "$ROOT/before" "$ROOT/after" || return 1
	offline usage | grep -q "\"$HANSEN\"" || fail 'no usage' || return 1
	refused 'sealed: --key FILE' as bo "$JFS" audit show --log "$ROOT/elsewhere/log" || return 1
	start_daemon || return 1
	for n in dan lis anna bo eva; do login $n >/dev/null || return 1; done
}

t_damaged_or_foreign_files_are_named() {
	local f at
	cp "$ROOT/elsewhere/key" "$ROOT/elsewhere/key.good"
	printf x | dd of="$ROOT/elsewhere/key" bs=1 seek=100 conv=notrunc 2>/dev/null
	refused 'is damaged' offline show || return 1
	cp "$ROOT/elsewhere/log/00000001.seg" "$ROOT/elsewhere/key"
	refused "no auditor's key file" offline show || return 1
	cp "$ROOT/elsewhere/key.good" "$ROOT/elsewhere/key"
	# Some records: that is told and the others are read.
	cp -r "$ROOT/elsewhere/log" "$ROOT/elsewhere/log.good"
	offline show 2>/dev/null >"$ROOT/whole" || return 1
	for f in "$ROOT"/elsewhere/log/*.seg; do
		at=$(grep -abo JFRC "$f" | tail -n 4 | sed -n '1s/:.*//p') # among the newest, which lis can open
		[ -z "$at" ] || printf xxxx | dd of="$f" bs=1 seek=$((at + 40)) conv=notrunc 2>/dev/null
	done
	offline show >"$ROOT/off" 2>"$ROOT/said" || return 1
	grep -q 'cannot be read' "$ROOT/said" || fail 'nothing said' || return 1
	[ "$(wc -l <"$ROOT/off")" -lt "$(wc -l <"$ROOT/whole")" ] && [ -s "$ROOT/off" ] || fail "$(wc -l "$ROOT/off")" || return 1
	rm -r "$ROOT/elsewhere/log" && mv "$ROOT/elsewhere/log.good" "$ROOT/elsewhere/log"
}

t_key_of_a_time_opens_that_time_alone() {
	rm -f "$ROOT/home/lis/out/key"
	export_key out/key --until 2020-01-01 >"$ROOT/said" 2>&1 && fail 'a key for nothing' && return 1
	grep -q 'nothing of the log' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	export_key out/key --since -10m >/dev/null || return 1
	keyed as lis "$JFS" audit key show out/key --passphrase-fd 9 | grep -q '^since ' || return 1
	jfs lis audit show --who lis | grep -q 'exported to a key file, since 20' || fail 'the time is not logged'
}

t_log_in_warns_when_the_log_was_rolled_back() {
	local kept
	kept=$(echo "$ROOT"/home/eva/.local/state/journalfs/checkpoints/*)
	[ -s "$kept" ] || fail 'nothing is kept' || return 1
	logout eva >/dev/null || return 1
	login eva >"$ROOT/said" 2>&1 || return 1
	grep -q WARNING "$ROOT/said" && fail "$(cat "$ROOT/said")" && return 1
	logout eva >/dev/null
	# As it would stand there had the log been longer once.
	sed -i '2s/.*/99999999/' "$kept"
	login eva >"$ROOT/said" 2>&1 || fail 'log-in was refused' || return 1
	grep -q 'WARNING: the access log of this vault was rolled back' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q 99999999 "$kept" || fail 'what was known is forgotten'
}

# Segments enough that what is asked for is read at its place, by the daemon shut in as it is.
t_one_journal_of_a_long_log_is_the_same_without_indexes() {
	local n
	as anna python3 - "$(J anna)/$HANSEN" "$(J anna)/$OLSEN" <<-'END' || return 1
		import os, sys
		for n in range(24000):
		    path = os.path.join(sys.argv[1 + (n % 400 == 7)], f"n{n % 50}")
		    os.close(os.open(path, os.O_RDWR | os.O_CREAT))
		    os.unlink(path)
	END
	n=$(find "$VAULT/log" -name '*.idx' | wc -l)
	[ "$n" -ge 2 ] || fail "$n indexes" || return 1
	jfs lis audit show --journal "$OLSEN" >"$ROOT/by.index" 2>"$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	mkdir "$ROOT/idx" && mv "$VAULT"/log/*.idx "$ROOT/idx" || return 1
	jfs lis audit show --journal "$OLSEN" >"$ROOT/whole" 2>"$ROOT/said.2" || return 1
	mv "$ROOT"/idx/* "$VAULT/log"
	[ "$(wc -l <"$ROOT/by.index")" -gt 100 ] || fail "$(cat "$ROOT/by.index")" || return 1
	cmp "$ROOT/said" "$ROOT/said.2" || fail "$(cat "$ROOT/said")" || return 1
	# The first of the two readings stands in the second.
	head -n "$(wc -l <"$ROOT/by.index")" "$ROOT/whole" | cmp - "$ROOT/by.index" || fail 'they differ'
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
