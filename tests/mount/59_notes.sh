#!/bin/bash
# Final notes by the command: finalize, sign, verify, export, amend, move-note, entered-in-error, and the file manager's window.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
DESK=$ROOT/desk

notes_policy() {
	practice_policy | sed 's/^role nurse .*/role nurse     clinical may list read write create finalize/'
	cat <<-'END'
		role student   clinical may list read write create
		practitioner ida  user jft-ida  role student unit north
		finalize countersign student
		history for "*.tmp" keep none
	END
}

note() { # NAME JOURNAL/NOTE < TEXT
	as "$1" tee "$(J "$1")/$2" >/dev/null
}

run() { # NAME VERB...: without a terminal; its words (both) in $said, its status
	local n=$1 v=$2
	shift 2
	said=$(as "$n" setsid -w "$JFS" "$v" --vault "$ROOT/clinic.conf" "$@" </dev/null 2>&1)
}

says() { # TEXT...: all of them were said
	local w
	for w in "$@"; do
		grep -qF -- "$w" <<<"$said" || fail "not said: $w -- but: $said" || return 1
	done
}

t_set_up_journals() {
	account ida || return 1
	notes_policy | put_policy dan practice || return 1
	# shellcheck disable=SC2034 # pass_of
	PASS_ida='ida learns to knit socks'
	enroll ida || return 1
	login anna && login bo && login ida && login eva || return 1
	as anna mkdir "$(J anna)/$HANSEN" "$(J anna)/$OLSEN" || return 1
	for j in "$HANSEN" "$OLSEN"; do
		printf 'journal "%s"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\nallow user:ida:rwx\n' "$j" | put_policy dan "$j" || return 1
	done
	wait_for 20 as bo ls "$(J bo)/$HANSEN" >/dev/null && wait_for 20 as ida ls "$(J ida)/$HANSEN" >/dev/null || return 1
	wait_for 20 as bo ls "$(J bo)/$OLSEN" >/dev/null || return 1
	as anna mkdir "$(J anna)/$HANSEN/2026" || return 1
	echo 'rest, and walk again in May' | note anna "$HANSEN/plan.txt" && echo 'knee, left' | note anna "$HANSEN/2026/knee.txt" &&
		echo 'half' | note anna "$HANSEN/2026/scan.tmp" && echo 'pulse 72' | note bo "$HANSEN/2026/pulse.txt"
}

t_without_terminal_and_yes_nothing_is_locked() {
	run anna finalize "$(J anna)/$HANSEN/plan.txt"
	[ $? -eq 1 ] || fail "$said" || return 1
	says 'Will be locked and signed:' 'there is no terminal to ask at; nothing was locked' || return 1
	echo 'and swim' | as anna tee -a "$(J anna)/$HANSEN/plan.txt" >/dev/null
}

t_ask_shows_and_locks_nothing() {
	run anna finalize --ask "$(J anna)/$HANSEN/plan.txt" || fail "$said" || return 1
	says 'Will be locked and signed:' "$HANSEN/plan.txt" 'by anna (yours)' '37 bytes' || return 1
	as anna touch "$(J anna)/$HANSEN/plan.txt"
}

t_terminal_is_asked_once() {
	command -v expect >/dev/null || return 77
	cat >"$ROOT/talk" <<-'END'
		set timeout 20
		set answer [lindex $argv 0]
		eval spawn -noecho [lrange $argv 1 end]
		expect "Lock and sign this note for ever?" { send "$answer\r" }
		expect eof
		catch wait result
		exit [lindex $result 3]
	END
	echo 'to be asked for' | note anna "$HANSEN/asked.txt" || return 1
	as anna expect "$ROOT/talk" n "$JFS" finalize --vault "$ROOT/clinic.conf" "$(J anna)/$HANSEN/asked.txt" >"$ROOT/out" 2>&1 && fail "no was yes" && return 1
	grep -q 'nothing was locked' "$ROOT/out" && as anna touch "$(J anna)/$HANSEN/asked.txt" || return 1
	as anna expect "$ROOT/talk" y "$JFS" finalize --vault "$ROOT/clinic.conf" "$(J anna)/$HANSEN/asked.txt" >"$ROOT/out" 2>&1 || fail "$(cat "$ROOT/out")" || return 1
	grep -q 'Locked and signed: ' "$ROOT/out" && expect_errno EPERM as anna touch "$(J anna)/$HANSEN/asked.txt"
}

t_finalized_note_never_changes() {
	local n
	n="$(J anna)/$HANSEN/plan.txt"
	run anna finalize --yes "$n" || fail "$said" || return 1
	says 'Will be locked and signed:' "Locked and signed: $HANSEN/plan.txt" || return 1
	expect_errno EPERM as anna tee -a "$n" && expect_errno EPERM as anna rm -f "$n" && expect_errno EPERM as anna mv "$n" "$n.old" || return 1
	[ "$(as anna cat "$n")" = "$(printf 'rest, and walk again in May\nand swim')" ] || return 1
	run anna finalize --yes "$n" && fail "twice" && return 1
	says 'final already'
}

t_directory_goes_on_after_a_refusal() {
	run anna finalize --yes "$(J anna)/$HANSEN/2026" && fail "bo's note too: $said" && return 1
	says "$HANSEN/2026/pulse.txt can't be locked: bo wrote this note" 'left out:' 'scan.tmp' "Locked and signed: $HANSEN/2026/knee.txt" || return 1
	expect_errno EPERM as anna tee -a "$(J anna)/$HANSEN/2026/knee.txt" || return 1
	echo 'and more' | as bo tee -a "$(J bo)/$HANSEN/2026/pulse.txt" >/dev/null && as anna touch "$(J anna)/$HANSEN/2026/scan.tmp"
}

t_names_that_lead_nowhere_are_named() {
	run anna finalize --yes "$(J anna)/$HANSEN/none.txt" && return 1
	says 'none.txt' || return 1
	run anna finalize --yes /etc/passwd && return 1
	says /etc/passwd || return 1
	run anna finalize --yes "$(J anna)" && return 1
	run anna finalize --yes
	[ $? -eq 2 ] || return 1
	run anna sign "$(J anna)/$HANSEN" && return 1
	says 'name a note in it'
}

t_student_wants_a_second_signature_and_bo_gives_it() {
	echo 'blood pressure 120/80' | note ida "$HANSEN/pressure.txt" || return 1
	run ida finalize --yes "$(J ida)/$HANSEN/pressure.txt" || fail "$said" || return 1
	says 'a second practitioner is to countersign' 'journalfs sign' || return 1
	run ida sign "$(J ida)/$HANSEN/pressure.txt" && fail "countersigned by its author" && return 1
	run eva sign "$(J eva)/$HANSEN/pressure.txt" && fail "by who does not see it" && return 1
	run bo sign "$(J bo)/$HANSEN/pressure.txt" || fail "$said" || return 1
	says "Countersigned: $HANSEN/pressure.txt" || return 1
	run bo sign "$(J bo)/$HANSEN/pressure.txt" && fail "twice" && return 1
	audit --who bo --json | grep -q '"kind":"sign"'
}

t_verify_finds_all_well() {
	run anna verify "$(J anna)/$HANSEN" || fail "$said" || return 1
	says 'Verified ' ' ok' || return 1
	run anna verify "$(J anna)/$HANSEN/plan.txt" || fail "$said" || return 1
	says "ok: $HANSEN/plan.txt" 'by anna' || return 1
	run anna verify --all || fail "$said" || return 1
	run anna verify --all --json || return 1
	says '"finding": "ok"' || return 1
	run anna verify "$(J anna)/$OLSEN" || return 1
	says 'There is no final note here' || return 1
	said=$(as anna sh -c "cd '$(J anna)/$OLSEN' && exec '$JFS' verify --vault '$ROOT/clinic.conf' '$HANSEN'" 2>&1) || fail "$said" || return 1
	says ' ok' || return 1
	run anna verify --all "$(J anna)/$HANSEN"
	[ $? -eq 2 ]
}

t_export_is_checked_by_minisign_elsewhere() {
	command -v minisign >/dev/null || return 77
	local d=$ROOT/home/anna/out
	as anna mkdir "$d" || return 1
	run anna export "$(J anna)/$HANSEN/plan.txt"
	[ $? -eq 2 ] || return 1
	says '--signature' || return 1
	run anna export --signature "$(J anna)/$HANSEN/plan.txt" --to "$d" || fail "$said" || return 1
	says 'minisign -Vm plan.txt -p anna.pub' || return 1
	[ "$(stat -c '%a %U' "$d/plan.txt.minisig" "$d/anna.pub" "$d/anna.cert" | sort -u)" = '600 jft-anna' ] || return 1
	as anna cp "$(J anna)/$HANSEN/plan.txt" "$d/plan.txt" || return 1
	(cd "$d" && minisign -Vm plan.txt -p anna.pub) >"$ROOT/out" 2>&1 || fail "$(cat "$ROOT/out")" || return 1
	grep -q 'Signature and comment signature verified' "$ROOT/out" || return 1
	chmod u+w "$d/plan.txt"
	echo 'and run' >>"$d/plan.txt"
	(cd "$d" && minisign -Vm plan.txt -p anna.pub) >"$ROOT/out" 2>&1 && fail "a changed note passes" && return 1
	audit --who anna --json | grep -q '"kind":"export"'
}

t_export_replaces_nothing_and_follows_no_link() {
	local d=$ROOT/home/anna/out e=$ROOT/home/anna/out2
	run anna export --signature "$(J anna)/$HANSEN/plan.txt" --to "$d" && fail "replaced" && return 1
	says 'plan.txt.minisig is there already; --force' || return 1
	as anna mkdir "$e" && echo mine | as anna tee "$ROOT/home/anna/kept" >/dev/null && as anna ln -s "$ROOT/home/anna/kept" "$e/plan.txt.minisig" || return 1
	run anna export --signature "$(J anna)/$HANSEN/plan.txt" --to "$e" && fail "through a link" && return 1
	run anna export --force --signature "$(J anna)/$HANSEN/plan.txt" --to "$e" || fail "$said" || return 1
	[ "$(cat "$ROOT/home/anna/kept")" = mine ] && [ ! -L "$e/plan.txt.minisig" ] || return 1
	run anna export --signature "$(J anna)/$HANSEN/plan.txt" --to "$ROOT/none" && return 1
	says "$ROOT/none"
}

t_export_needs_the_right_and_a_signature() {
	run bo export --signature "$(J bo)/$HANSEN/plan.txt" --to "$ROOT/home/bo" && fail "a nurse may not" && return 1
	[ ! -e "$ROOT/home/bo/plan.txt.minisig" ] || return 1
	echo 'a draft' | note anna "$HANSEN/draft.txt" || return 1
	run anna export --signature "$(J anna)/$HANSEN/draft.txt" --to "$ROOT/home/anna" && return 1
	[ ! -e "$ROOT/home/anna/draft.txt.minisig" ]
}

t_amend_opens_the_editor_without_the_patients_name() {
	cat >"$ROOT/editor" <<-END
		#!/bin/sh
		printf '%s\n' "\$0" "\$@" >"$ROOT/home/anna/argv"
		echo 'May was too early' >>"\$1"
	END
	chmod 755 "$ROOT/editor"
	said=$(as anna env "EDITOR=$ROOT/editor" "$JFS" amend --vault "$ROOT/clinic.conf" --edit "$(J anna)/$HANSEN/plan.txt" 2>&1) || fail "$said" || return 1
	[ "$said" = "$(J anna)/$HANSEN/plan amendment 1.txt" ] || fail "$said" || return 1
	[ "$(as anna cat "$said")" = 'May was too early' ] || return 1
	! grep -q Hansen "$ROOT/home/anna/argv" && grep -qx './plan amendment 1.txt' "$ROOT/home/anna/argv" || fail "$(cat "$ROOT/home/anna/argv")" || return 1
	run anna amend --name why.txt "$(J anna)/$HANSEN/plan.txt" || fail "$said" || return 1
	run anna amend --name why.txt "$(J anna)/$HANSEN/plan.txt" && fail "twice" && return 1
	run anna amend "$(J anna)/$HANSEN/why.txt" && fail "a draft" && return 1
	said=$(as anna env EDITOR=false "$JFS" amend --vault "$ROOT/clinic.conf" --edit "$(J anna)/$HANSEN/plan.txt" 2>&1) && return 1
	says 'did not end well; the draft is there'
}

t_amendment_is_finalized_and_shown() {
	run anna finalize --yes "$(J anna)/$HANSEN/plan amendment 1.txt" || fail "$said" || return 1
	[ "$(as anna getfattr --only-values -n user.journalfs.amends "$(J anna)/$HANSEN/plan amendment 1.txt")" = plan.txt ] || return 1
	[ "$(as anna getfattr --only-values -n user.journalfs.state "$(J anna)/$HANSEN/plan.txt")" = amended ]
}

t_entered_in_error_wants_a_reason() {
	echo 'not hers' | note anna "$HANSEN/wrong.txt" && run anna finalize --yes "$(J anna)/$HANSEN/wrong.txt" || return 1
	run anna entered-in-error "$(J anna)/$HANSEN/wrong.txt" && fail "without a reason" && return 1
	says '--reason' || return 1
	run anna entered-in-error "$(J anna)/$HANSEN/wrong.txt" --reason 'x' && return 1
	run anna entered-in-error "$(J anna)/$HANSEN/wrong.txt" --reason 'written on the wrong day' || fail "$said" || return 1
	says "Marked as entered in error: $HANSEN/wrong.txt" || return 1
	[ "$(as anna getfattr --only-values -n user.journalfs.state "$(J anna)/$HANSEN/wrong.txt")" = entered-in-error ] || return 1
	[ "$(as anna cat "$(J anna)/$HANSEN/wrong.txt")" = 'not hers' ] || return 1
	audit --who anna --json | grep -q 'written on the wrong day'
}

t_move_note_asks_with_both_patients() {
	command -v expect >/dev/null || return 77
	echo 'fell off his bicycle' | note bo "$HANSEN/bicycle.txt" || return 1
	run bo move-note "$(J bo)/$HANSEN/bicycle.txt" "$OLSEN" --reason 'wrong patient chosen' && fail "without asking" && return 1
	cat >"$ROOT/talk2" <<-'END'
		set timeout 20
		eval spawn -noecho $argv
		expect "010190-1234 Hansen, Anna" {} timeout { exit 3 }
		expect "020285-4321 Olsen, Ole" {} timeout { exit 3 }
		expect "Move it?" { send "y\r" }
		expect eof
		catch wait result
		exit [lindex $result 3]
	END
	as bo expect "$ROOT/talk2" "$JFS" move-note --vault "$ROOT/clinic.conf" --reason "wrong patient chosen" "$(J bo)/$HANSEN/bicycle.txt" "$OLSEN" >"$ROOT/out" 2>&1 || fail "$(cat "$ROOT/out")" || return 1
	[ "$(as bo cat "$(J bo)/$OLSEN/bicycle.txt")" = 'fell off his bicycle' ] || return 1
	[ "$(as bo getfattr --only-values -n user.journalfs.state "$(J bo)/$HANSEN/bicycle.txt")" = entered-in-error ] || return 1
	[ "$(as anna cat "$(J anna)/$OLSEN/bicycle.txt")" = 'fell off his bicycle' ]
}

t_move_note_needs_both_journals() {
	echo 'of eva' | note anna "$HANSEN/other.txt" || return 1
	run anna move-note "$(J anna)/$HANSEN/other.txt" 'no such patient' --reason 'wrong patient' --yes && return 1
	run anna move-note "$(J anna)/$HANSEN/other.txt" "$HANSEN" --reason 'wrong patient' --yes && return 1
	says 'in that journal already' || return 1
	run eva move-note "$(J eva)/$HANSEN/other.txt" "$OLSEN" --reason 'wrong patient' --yes && return 1
	as anna touch "$(J anna)/$HANSEN/other.txt"
}

# ---- the file manager's window

fakes() {
	local p
	mkdir -p "$ROOT/fake" "$ROOT/plain" "$DESK"
	# Without the zenity and the terminals that this computer may have.
	for p in sh awk sed grep cat tr id head tail env; do ln -sf "$(command -v $p)" "$ROOT/plain/$p"; done
	install -m 755 "$HERE/../../tools/desktop/journalfs-finalize" "$ROOT/fake/journalfs-finalize"
	cat >"$ROOT/fake/zenity" <<-'END'
		#!/bin/sh
		d=DESK
		printf '%s\n' "$@" >>"$d/argv"
		for p in /proc/[0-9]*; do tr '\0' '\n' <"$p/cmdline"; done >>"$d/argv" 2>/dev/null
		cat >>"$d/shown"
		read -r status <"$d/answers" || status=9
		sed -i 1d "$d/answers"
		exit "$status"
	END
	cat >"$ROOT/fake/xdg-open" <<-'END'
		#!/bin/sh
		printf '%s\n' "$@" >>DESK/argv
		{ pwd; printf '%s\n' "$@"; } >DESK/opened
	END
	cat >"$ROOT/fake/journalfs" <<-'END'
		#!/bin/sh
		printf '%s\n' "$@" >>DESK/argv
		exec JFS "$@"
	END
	sed -i "s|DESK|$DESK|g; s|JFS|$JFS|g" "$ROOT/fake/"*
	chmod 755 "$ROOT/fake/"*
	mv "$ROOT/fake/zenity" "$ROOT/window"
	chmod 777 "$DESK"
}
UI=zenity

window() { # NAME STATUSES OPTION...: the paths come in the environment variable $PATHS
	local n=$1 s=$2
	shift 2
	rm -f "$DESK"/* "$ROOT/fake/zenity" "$ROOT/fake/kdialog"
	[ -z "$UI" ] || cp "$ROOT/window" "$ROOT/fake/$UI"
	tr ' ' '\n' <<<"$s" >"$DESK/answers"
	chmod -R a+rwX "$DESK"
	as "$n" env PATH="$ROOT/fake:$ROOT/plain" DISPLAY=:none JOURNALFS_FINALIZE_PATHS="$PATHS" journalfs-finalize --vault "$ROOT/clinic.conf" "$@" </dev/null >"$DESK/printed" 2>&1
}

t_window_shows_asks_and_locks() {
	fakes
	echo 'by window' | note anna "$HANSEN/window.txt" || return 1
	PATHS="$(J anna)/$HANSEN/window.txt"
	window anna 1 && fail "cancelled, and 0" && return 1
	as anna touch "$(J anna)/$HANSEN/window.txt" || fail "locked though cancelled" || return 1
	grep -q 'by anna (yours)' "$DESK/shown" && grep -q 'Nobody can change' "$DESK/shown" || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	window anna '0 0' || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	expect_errno EPERM as anna touch "$(J anna)/$HANSEN/window.txt" || return 1
	grep -q "Locked and signed: $HANSEN/window.txt" "$DESK/shown" || return 1
	! grep -q 'Hansen\|010190\|window.txt' "$DESK/argv" || fail "in arguments: $(grep 'Hansen\|010190\|window.txt' "$DESK/argv")"
}

t_window_shows_what_was_refused() {
	PATHS="$(J anna)/$HANSEN/2026/pulse.txt"
	window anna 0 && return 1
	grep -q 'bo wrote this note' "$DESK/shown" || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	! grep -q 'Hansen\|pulse.txt' "$DESK/argv" || fail "$(cat "$DESK/argv")"
}

t_window_amends() {
	PATHS="$(J anna)/$HANSEN/window.txt"
	window anna 0 --amend || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	wait_for 5 grep -qx './window amendment 1.txt' "$DESK/opened" || return 1
	head -n 1 "$DESK/opened" | grep -qxF "$(J anna)/$HANSEN" && ! grep -q Hansen "$DESK/argv"
}

t_kdialog_asks_the_same() {
	UI=kdialog
	echo 'by <b>window</b>' | note anna "$HANSEN/kde <b>.txt" || return 1
	PATHS="$(J anna)/$HANSEN/kde <b>.txt"
	window anna '0 1' && fail "cancelled, and 0" && return 1
	as anna touch "$PATHS" || fail "locked though cancelled" || return 1
	window anna '0 0 0' || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	expect_errno EPERM as anna touch "$PATHS" || return 1
	grep -q 'kde &lt;b&gt;.txt' "$DESK/shown" && ! grep -q 'kde <b>' "$DESK/shown" || fail "$(cat "$DESK/shown")" || return 1
	! grep -q 'Hansen\|kde' "$DESK/argv" || fail "in arguments: $(grep 'Hansen\|kde' "$DESK/argv")"
}

t_neither_window_nor_terminal_is_said() {
	UI=''
	PATHS="$(J anna)/$HANSEN/other.txt"
	window anna 0 && return 1
	grep -q 'install zenity' "$DESK/printed" && as anna touch "$PATHS"
}

# ---- somebody who can write to the vault's files

t_damage_on_the_disk_is_found() {
	local size
	# A note large enough that what it holds lies in a container of its own.
	head -c 3000000 /dev/urandom | note anna "$OLSEN/scan.bin" || return 1
	run anna finalize --yes "$(J anna)/$OLSEN/scan.bin" || fail "$said" || return 1
	run anna verify "$(J anna)/$OLSEN/scan.bin" || fail "$said" || return 1
	for n in anna bo ida eva dan; do logout $n; done
	stop_daemon || return 1
	damage || return 1
	start_daemon && login dan && login anna || return 1
	run anna verify "$(J anna)/$OLSEN/scan.bin" && fail "not found: $said" && return 1
	says "DAMAGED: $OLSEN/scan.bin" || return 1
	run anna verify --all && fail "not found" && return 1
	says 'Verified '
}

damage() { # bytes in the middle of each large container, as the newest large note has them
	local f size
	while read -r size f; do
		[ "$size" -ge 2000000 ] || continue
		for at in 2 3 4 5 6; do
			printf 'mallory' | dd of="$f" bs=1 seek=$((size * at / 8)) conv=notrunc 2>/dev/null
		done
		done_one=yes
	done < <(find -L "$ROOT/vault" -type f ! -name '*.mdb' -printf '%s %p\n')
	[ -n "${done_one-}" ] || fail "no container: $(find -L "$ROOT/vault" -type f -printf '%s %p\n')"
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
