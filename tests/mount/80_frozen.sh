#!/bin/bash
# Vaults that older versions made are opened for ever: contents, attributes, policy, log.
# SPDX-License-Identifier: Apache-2.0
SLOW_KEYS=1 # passphrases as people have them
. "$(dirname "$0")/lib.sh"
FROZEN=$HERE/../frozen/v2
H=$ROOT/home/frozen
A='010190-1234 Hansen, Anna' C='311299-4321 Ærø-Ødegård, Čeněk 日本'
PASS_frozen=$(cat "$FROZEN/passphrase")

me() { as frozen "$JFS" "$@"; }
open_it() { me open --passphrase-fd 9 "$H/vault" 9< <(pass_of frozen); }
daemon_gone() { [ -z "$(procs frozen)" ]; }
close_it() { me logout && wait_for 10 unmounted frozen && wait_for 10 daemon_gone; }
in_journals() { as frozen bash -e -c "cd ~/Journals; $1"; }
same() { [ "$1" = "$2" ] || fail "$3: $2, not $1"; }
audit_has() { me audit show >"$ROOT/audit.out" && grep -q -- "$1" "$ROOT/audit.out" || fail "the log has no $1: $(cat "$ROOT/audit.out")"; }

# Of the format before the first release only a header is left.
t_vault_of_format_1_is_refused_by_name() {
	mkdir -m 700 "$H/old" && cp "$HERE/../frozen/v1/header" "$H/old/header" && chown -R jft-frozen: "$H/old" || return 1
	me open --passphrase-fd 9 "$H/old" 9< <(pass_of frozen) 2>"$ROOT/old.err" && fail "it opens" && return 1
	grep -q 'format 1' "$ROOT/old.err" || fail "$(cat "$ROOT/old.err")"
}

# Identities, and so the roots of journals, are bound to the number of an account.
unpack() {
	add_account jft-frozen -u 47011 || exit 1
	install -d -o jft-frozen -g jft-frozen -m 700 "$H"
	chmod 755 "$ROOT/home"
	fresh
}

fresh() { # the vault and its state as they were then
	rm -rf "$H/vault" "$H/.local"
	xz -dc "$FROZEN/vault.tar.xz" | tar --numeric-owner -C "$H" -xpf - || exit 1
	chown -R jft-frozen: "$H/vault" "$H/.local"
	sed -i "s|^vault = .*|vault = $H/vault|; s|^socket = .*/home/frozen|socket = $H|" "$H"/.local/state/journalfs/*/client.conf
}

t_opens_and_lists_journals() {
	open_it || return 1
	same "$(printf '%s\n' "$A" "$C")" "$(in_journals 'ls -1' | sort)" journals
	same "$(printf '%s\n' '2024-05-02 note.txt' empty inline letters pipe)" "$(in_journals "ls -1 '$A'" | sort)" "first journal"
	same "$(printf '%s\n' picture 'Übersicht, alt')" "$(in_journals "ls -1 '$C'" | LC_ALL=C sort)" "second journal"
}

t_notes_hold_what_was_written() {
	in_journals "cd '$A'
		[ \"\$(cat '2024-05-02 note.txt')\" = 'Control in three months.' ]
		seq 1 3000 | cmp - inline
		[ ! -s empty ] && [ -p pipe ]
		[ \"\$(cat 'letters/ærlig besked, δοκιμή.txt')\" = 'Kære Anna,' ]
		cmp letters/link '2024-05-02 note.txt'
		[ \"\$(readlink letters/link)\" = '../2024-05-02 note.txt' ]
		[ \"\$(cat '../$C/Übersicht, alt')\" = short ]"
}

t_large_file_and_its_hole_are_whole() {
	{ seq 100000 999999 | head -c 20000; head -c 177000 /dev/zero; seq 500000 999999 | head -c 3000; head -c 4800 /dev/zero; } >"$ROOT/picture"
	chmod 644 "$ROOT/picture"
	in_journals "cmp '$ROOT/picture' '$C/picture'" || return 1
	same 204800 "$(in_journals "stat -c %s '$C/picture'")" size || return 1
	[ "$(in_journals "stat -c %b '$C/picture'")" -lt 200 ] || fail "the hole is filled"
}

t_attributes_are_as_they_were() {
	same '2 2024-05-02 10:11:12.123456789 +0000' "$(in_journals "TZ=UTC stat -c '%h %y' '$A/2024-05-02 note.txt'")" "links and time" || return 1
	same "$(in_journals "stat -c %i '$A/2024-05-02 note.txt'")" "$(in_journals "stat -c %i '$A/letters/same note'")" "hard link" || return 1
	same green "$(in_journals "getfattr --only-values -n user.color '$A/2024-05-02 note.txt'")" user.color || return 1
	same "$(seq 1 1500)" "$(in_journals "getfattr --only-values -n user.long '$A/inline'")" user.long || return 1
	same 640 "$(in_journals "stat -c %a '$A/inline'")" mode || return 1
	same 47011 "$(in_journals "stat -c %u '$A/inline'")" owner
}

t_policy_and_its_edit_are_in_force() {
	me policy show practice >"$ROOT/policy.out" || return 1
	grep -Eq '^practice +"Klinik Nord"' "$ROOT/policy.out" && grep -q '^unit north "Afdeling Nord"' "$ROOT/policy.out" ||
		fail "not the policy: $(cat "$ROOT/policy.out")"
}

t_log_tells_the_whole_story() {
	audit_has frida && audit_has "$A" && audit_has policy && audit_has 'login\|log-in' || return 1
	[ "$(wc -l <"$ROOT/audit.out")" -ge 6 ] || fail "a short log: $(cat "$ROOT/audit.out")" || return 1
	me status | grep -qi 'damage\|broken\|alarm' && fail "$(me status)"
	return 0
}

t_new_notes_stay_beside_the_old_ones() {
	in_journals "cd '$A'
		echo 'a new note' >new
		echo 'more' >>'2024-05-02 note.txt'
		echo x >'../$C/picture.txt'
		dd if=/dev/zero of='../$C/picture' bs=1000 seek=100 count=1 conv=notrunc status=none
		mkdir '../fresh journal' && echo first >'../fresh journal/note'" || return 1
	close_it || fail "does not close" || return 1
	open_it || return 1
	in_journals "cd '$A'
		[ \"\$(cat new)\" = 'a new note' ]
		[ \"\$(cat 'letters/same note')\" = \"\$(printf 'Control in three months.\nmore')\" ]
		[ \"\$(cat '../fresh journal/note')\" = first ]
		seq 1 3000 | cmp - inline
		cmp '$ROOT/picture' '../$C/picture'" || return 1
	audit_has 'fresh journal' && close_it
}

t_recovery_key_of_then_opens_it_now() {
	wait_for 10 daemon_gone
	fresh
	rm -rf "$H/.local/state/journalfs"
	me recover --name frida --passphrase-fd 9 --new-passphrase-fd 8 "$H/vault" 9< <(cat "$FROZEN/recovery") 8< <(echo 'found again at last') || return 1
	PASS_frozen='found again at last'
	open_it || return 1
	in_journals "seq 1 3000 | cmp - '$A/inline'" && close_it
}

need_root
unpack
run_tests
