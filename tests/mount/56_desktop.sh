#!/bin/bash
# Emergency access in windows: journalfs-emergency with windows that answer by themselves and note what they were given.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
# shellcheck disable=SC2016,SC1003 # a name, not an expansion
WEIRD='-rf "Weird" & <b>Co<b>'\'' | %s \040 $(id) `id` *'
WHY='unconscious, brought in by ambulance'
DESK=$ROOT/desk
EMERGENCY=$ROOT/fake/journalfs-emergency

# What a window (zenity, kdialog) or another program is given goes to $DESK; windows then look at the arguments of
# every process on this computer, and answer with the next line of $DESK/answers: KIND STATUS TEXT.
fakes() {
	local p
	mkdir -p "$ROOT/fake" "$ROOT/plain" "$DESK"
	# Without the zenity and the terminals that this computer may have.
	for p in sh awk sed grep cat tr wc id head ls sleep; do ln -s "$(command -v $p)" "$ROOT/plain/$p"; done
	install -m 755 "$HERE/../../tools/desktop/journalfs-emergency" "$EMERGENCY"
	cat >"$ROOT/fake/zenity" <<-'END'
		#!/bin/sh
		d=DESK
		printf '%s\n' "${0##*/}" "$@" >>"$d/argv"
		for p in /proc/[0-9]*; do tr '\0' '\n' <"$p/cmdline"; done >>"$d/argv" 2>/dev/null
		printf '== %s\n' "$*" >>"$d/shown"
		kind=none
		for a in "$@"; do case $a in
			--entry | --list | --text-info | --question | --file-selection) kind=${a#--}; break ;;
			--inputbox | --password | --getopenfilename | --textbox | --warningcontinuecancel | --menu) kind=${a#--}; break ;;
		esac; done
		cat >>"$d/shown"
		read -r want status text <"$d/answers" || want=nothing
		sed -i 1d "$d/answers"
		[ "$want" = "$kind" ] || { echo "$kind instead of $want" >>"$d/wrong"; exit 1; }
		[ -z "$text" ] || printf '%s\n' "$text"
		exit "$status"
	END
	cat >"$ROOT/fake/xdg-open" <<-'END'
		#!/bin/sh
		printf '%s\n' xdg-open "$@" >>DESK/argv
		pwd >DESK/opened
		ls >>DESK/opened
	END
	cat >"$ROOT/fake/x-terminal-emulator" <<-'END'
		#!/bin/sh
		printf '%s\n' x-terminal-emulator "$@" >>DESK/argv
		echo "$JOURNALFS_EMERGENCY_PATH" >DESK/terminal
	END
	# As it is called, then the real one; or what a test wants to be answered.
	cat >"$ROOT/fake/journalfs" <<-'END'
		#!/bin/sh
		printf '%s\n' journalfs "$@" >>DESK/argv
		[ ! -x DESK/pretend ] || exec DESK/pretend "$@"
		exec JFS "$@"
	END
	sed -i "s|DESK|$DESK|g; s|JFS|$JFS|g" "$ROOT/fake/"*
	chmod 755 "$ROOT/fake/"*
	mv "$ROOT/fake/zenity" "$ROOT/window"
	chmod 777 "$DESK"
}

# NAME ARGUMENT...: with $UI there, answering the lines of standard input
emergency() {
	local n=$1
	shift
	rm -rf "${DESK:?}"/* "$ROOT/fake/zenity" "$ROOT/fake/kdialog"
	[ -z "$UI" ] || cp "$ROOT/window" "$ROOT/fake/$UI"
	cat >"$DESK/answers"
	[ -z "$PRETEND" ] || { printf '%s\n' "$PRETEND" >"$DESK/pretend" && chmod 755 "$DESK/pretend"; }
	chmod -R a+rwX "$DESK"
	as "$n" env PATH="$ROOT/fake:$ROOT/plain" DISPLAY="${SCREEN-:none}" "$EMERGENCY" --vault "$ROOT/clinic.conf" "$@" </dev/null >"$DESK/printed" 2>&1
}
UI=zenity
PRETEND=

all_was_asked() {
	[ ! -s "$DESK/wrong" ] || fail "$(cat "$DESK/wrong"); $(cat "$DESK/shown")" || return 1
	[ ! -s "$DESK/answers" ] || fail "not asked: $(cat "$DESK/answers"); shown: $(cat "$DESK/shown") $(cat "$DESK/printed")"
}

kept_secret() { # WORD...: stands in no program's arguments
	local w
	for w in "$@"; do
		! grep -qF -e "$w" "$DESK/argv" || fail "in arguments: $(grep -F -e "$w" "$DESK/argv")" || return 1
	done
}

shut() { # JOURNAL: eva can't read it
	expect_errno ENOENT as eva cat "$(J eva)/$1/note.txt" || fail "open: $1"
}

end() { printf 'journal=%s\n' "$1" | jfs eva break-glass --stdin --close >/dev/null; }

whole() { # JOURNAL-PART [BLOCK-LINE]: answers up to the end
	printf '%s\n' "entry 0 $1" 'list 0 1' 'text-info 0' 'list 0 danger' "entry 0 $WHY"
	[ -z "${2-}" ] || echo "$2"
	echo 'text-info 0'
}

t_set_up_journals() {
	{ practice_policy; echo 'break-glass limit 60m reason 20 review 72h notify daily 50'; } | put_policy dan practice || return 1
	login anna && login eva || return 1
	for j in "$HANSEN" "$OLSEN" "$WEIRD"; do
		as anna mkdir -- "$(J anna)/$j" && echo "finding of $j" | as anna tee "$(J anna)/$j/note.txt" || return 1
	done
	{ jfs dan policy show "$OLSEN"; echo 'block user:eva  # asked for'; } | put_policy dan "$OLSEN" || return 1
	fakes
}

t_whole_way_opens_the_journal() {
	whole hansen | emergency eva || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	all_was_asked || return 1
	[ "$(as eva cat "$(J eva)/$HANSEN/note.txt")" = "finding of $HANSEN" ] || return 1
	wait_for 5 grep -qx note.txt "$DESK/opened" || fail "the file manager" || return 1
	head -1 "$DESK/opened" | grep -qxF "$(J eva)/$HANSEN" || return 1
	grep -q 'For 60 minutes you can read everything' "$DESK/shown" && grep -q 'within 72 hours' "$DESK/shown" &&
		grep -q 'At least 20 characters' "$DESK/shown" && grep -q 'is open to you until' "$DESK/shown" || fail "$(cat "$DESK/shown")" || return 1
	kept_secret Hansen hansen 010190 unconscious ambulance || return 1
	audit --who eva --json | grep '"kind":"break-glass"' | grep -q "$WHY"
}

t_what_is_open_already_is_said_in_the_daemons_words() {
	printf '%s\n' 'entry 0 hansen' 'list 0 1' 'text-info 0' | emergency eva && fail "twice" && return 1
	all_was_asked && grep -q 'it is not made longer' "$DESK/shown" || return 1
	kept_secret Hansen hansen
}

t_it_can_be_ended_in_the_last_window() {
	end "$HANSEN" || return 1
	{ whole hansen | head -n -1; printf '%s\n' 'text-info 1 End it now' 'text-info 0'; } | emergency eva || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	all_was_asked && grep -q 'has ended' "$DESK/shown" || return 1
	grep -q 'again\|within 24 hours: that is told' "$DESK/shown" || fail "not warned" || return 1
	shut "$HANSEN" && kept_secret Hansen hansen 010190 unconscious
}

t_cancelled_at_any_step_opens_nothing() {
	local i
	for i in 0 1 2 3 4; do
		{ whole hansen | head -n $i; whole hansen | sed -n "$((i + 1))s/ 0.*/ 1/p"; } | emergency eva && fail "step $i went on" && return 1
		all_was_asked && shut "$HANSEN" || fail "step $i" || return 1
	done
	whole olsen 'question 1' | head -n -1 | emergency eva && fail "went on past the block" && return 1
	all_was_asked && shut "$OLSEN"
}

t_block_is_a_window_of_its_own() {
	whole olsen | emergency eva && fail "opened without that window" && return 1
	grep -q 'question instead of text-info' "$DESK/wrong" && shut "$OLSEN" || return 1
	whole olsen 'question 0' | emergency eva || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	all_was_asked || return 1
	grep -q -- '--question.*--default-cancel' "$DESK/shown" || fail "the dangerous choice is the default" || return 1
	[ "$(as eva cat "$(J eva)/$OLSEN/note.txt")" = "finding of $OLSEN" ] || return 1
	kept_secret Olsen olsen 020285 unconscious || return 1
	end "$OLSEN"
}

t_short_reason_and_vain_search_are_asked_again() {
	printf '%s\n' 'entry 0 ha' 'text-info 0' 'entry 0 nobody' 'text-info 0' 'entry 0 hansen' 'list 0 1' \
		'text-info 0' 'list 0' 'list 0 danger' 'entry 0 short' 'text-info 0' 'entry 1' | emergency eva && fail "opened" && return 1
	all_was_asked && grep -q 'at least 3 characters' "$DESK/shown" && grep -q 'No journal.s name has that part' "$DESK/shown" &&
		grep -q 'needs at least 20 characters' "$DESK/shown" && shut "$HANSEN"
}

t_empty_words_are_refused_by_the_daemon_and_shown() {
	printf '%s\n' 'entry 0 hansen' 'list 0 1' 'text-info 0' 'list 0 other' 'entry 0 . . . . . . . . . . . . . . . .' 'text-info 0' | emergency eva && fail "opened" && return 1
	all_was_asked && grep -q 'a reason in own words of at least 20 characters is wanted' "$DESK/shown" && shut "$HANSEN"
}

t_who_may_not_is_told_why() {
	printf '%s\n' 'entry 0 hansen' 'text-info 0' 'entry 1' | emergency dan && fail "a steward" && return 1
	all_was_asked && grep -q 'for clinicians' "$DESK/shown" || return 1
	jfs eva lock && printf '%s\n' 'entry 0 hansen' 'text-info 0' 'entry 1' | emergency eva && fail "a locked session" && return 1
	all_was_asked && jfs eva unlock --passphrase-fd 9 9< <(pass_of eva)
}

t_weird_names_are_names() {
	whole 'rf "weird" & <b>co' | emergency eva || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	all_was_asked && grep -qxF -e "$WEIRD" "$DESK/shown" || fail "shown otherwise: $(cat "$DESK/shown")" || return 1
	[ "$(as eva cat "$(J eva)/$WEIRD/note.txt")" = "finding of $WEIRD" ] || return 1
	wait_for 5 grep -qx note.txt "$DESK/opened" && kept_secret Weird weird || return 1
	end "$WEIRD" && shut "$WEIRD"
}

t_path_of_a_file_manager_is_searched_first() {
	whole x | sed 1d | emergency eva "$(J eva)/$WEIRD/" || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	all_was_asked && end "$WEIRD" || return 1
	# A note in the journal means the journal; the path stands in no arguments once a window is there.
	printf '%s\n' 'list 1' | emergency eva "$(J eva)/$HANSEN/scans/a.txt" && return 1
	all_was_asked && grep -qxF "$HANSEN" "$DESK/shown" && kept_secret Hansen 010190 || return 1
	printf '%s\n' 'entry 1' | emergency eva "$(J eva)" && return 1
	all_was_asked
}

t_kdialog_gets_no_names_in_arguments() {
	UI=kdialog
	printf '%s\n' 'inputbox 0 weird' 'textbox 0' 'menu 0 1' 'textbox 0' 'warningcontinuecancel 0' 'menu 0 danger' \
		"inputbox 0 $WHY" 'textbox 0' 'menu 0 no' | emergency eva || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	all_was_asked && kept_secret Weird weird unconscious || return 1
	# Markup is text.
	grep -qF '1 -rf "Weird" &amp; &lt;b&gt;Co&lt;b&gt;' "$DESK/shown" || fail "$(cat "$DESK/shown")" || return 1
	[ "$(as eva cat "$(J eva)/$WEIRD/note.txt")" = "finding of $WEIRD" ] && end "$WEIRD"
}

t_kdialog_cancelled_or_closed_opens_nothing() {
	UI=kdialog
	local way=('inputbox 0 olsen' 'textbox 0' 'menu 0 1' 'textbox 0' 'warningcontinuecancel 0' 'menu 0 danger' "inputbox 0 $WHY" 'menu 0 no')
	printf '%s\n' "${way[@]}" | emergency eva && fail "the block" && return 1
	all_was_asked && shut "$OLSEN" || return 1
	printf '%s\n' "${way[@]:0:7}" 'menu 1' | emergency eva && fail "closed at the block" && return 1
	all_was_asked && shut "$OLSEN" || return 1
	printf '%s\n' "${way[@]:0:4}" 'warningcontinuecancel 1' | emergency eva && fail "cancelled" && return 1
	all_was_asked && shut "$OLSEN" && kept_secret Olsen olsen
}

# A journalfs that wants a code: the first is wrong.
t_code_travels_through_a_pipe() {
	UI=zenity
	PRETEND='#!/bin/sh
words=$(cat)
case $words in search=*) echo "a journal"; exit 0 ;; esac
case " $* " in
*" --ask "*) printf "%s\n" "journal=a journal" minutes=60 reason=20 review-hours=72 today=0 blocked=no needs_code=yes key_file=$(echo no) again=no serial=no "ground=danger text"; exit 0 ;;
*" --code-fd 5 "* | *" --passphrase-fd 5 --key-file /a/key "*) read -r code <&5 ;;
esac
[ "$code" != 111111 ] || { echo "journalfs: the code is wrong" >&2; exit 1; }
printf "%s\n%s\n" "$words" "code $code" >DESK/got
echo "it is open"'
	PRETEND=${PRETEND//DESK/$DESK}
	printf '%s\n' 'entry 0 journal' 'list 0 1' 'text-info 0' 'list 0 danger' "entry 0 $WHY" 'entry 0 111111' 'text-info 0' \
		'entry 0 654321' 'text-info 0' | emergency eva || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	all_was_asked && grep -qx 'the code is wrong' "$DESK/shown" && grep -q -- '--hide-text' "$DESK/shown" || return 1
	grep -qx 'code 654321' "$DESK/got" && grep -qx "reason=$WHY" "$DESK/got" && grep -qx 'past-block=no' "$DESK/got" || return 1
	kept_secret 111111 654321 unconscious 'a journal'
}

t_passphrase_and_key_file_instead_of_a_code() {
	PRETEND=${PRETEND/echo no/echo yes}
	printf '%s\n' 'entry 0 journal' 'list 0 1' 'text-info 0' 'list 0 danger' "entry 0 $WHY" 'entry 0 very secret' \
		'file-selection 0 /a/key' 'text-info 0' | emergency eva || fail "$(cat "$DESK/shown" "$DESK/printed")" || return 1
	all_was_asked && grep -qx 'code very secret' "$DESK/got" && kept_secret 'very secret'
}

t_without_windows_a_terminal() {
	UI='' PRETEND=''
	emergency eva "$(J eva)/$HANSEN" </dev/null || return 1
	grep -A9 -x x-terminal-emulator "$DESK/argv" | grep -qx -- --terminal && [ "$(cat "$DESK/terminal")" = "$(J eva)/$HANSEN" ] || fail "$(cat "$DESK/argv")" || return 1
	kept_secret Hansen || return 1
	SCREEN='' emergency eva </dev/null && fail "neither window nor terminal" && return 1
	grep -q 'install zenity' "$DESK/printed"
}

t_terminal_asks_everything() {
	command -v expect >/dev/null || return 77
	cat >"$ROOT/talk" <<-'END'
		set timeout 20
		eval spawn -noecho $argv
		expect "Part of the patient's name" { send "hansen\r" }
		expect "Which one?" { send "1\r" }
		expect "On what ground" { send "1\r" }
		expect "own words" { send "she fainted, and nobody else is here\r" }
		expect "Open it?" { send "y\r" }
		expect "is open to you until" { exit 0 }
		exit 1
	END
	rm -f "$ROOT/fake/zenity" "$ROOT/fake/kdialog"
	as eva env PATH="$ROOT/fake:$PATH" expect "$ROOT/talk" "$EMERGENCY" --vault "$ROOT/clinic.conf" >"$DESK/printed" 2>&1 || fail "$(cat "$DESK/printed")" || return 1
	as eva cat "$(J eva)/$HANSEN/note.txt" >/dev/null && end "$HANSEN"
}

t_words_from_standard_input_are_checked() {
	local said
	said=$(printf 'journal=%s\njournal=x\n' "$HANSEN" | jfs eva break-glass --stdin --yes 2>&1) && return 1
	grep -q 'journal= stands there twice' <<<"$said" || fail "$said" || return 1
	said=$(echo "patient=$HANSEN" | jfs eva break-glass --stdin --yes 2>&1) && return 1
	grep -q 'expected journal=' <<<"$said" && ! grep -q Hansen <<<"$said" || fail "$said" || return 1
	said=$(echo "ground=danger" | jfs eva break-glass "$HANSEN" --stdin --yes 2>&1) && return 1
	grep -q 'none from arguments' <<<"$said" || fail "$said" || return 1
	said=$(printf 'journal=%s\n' "$HANSEN" | jfs eva break-glass --stdin 2>&1) && return 1
	grep -q -- '--yes where there is no terminal' <<<"$said" || fail "$said" || return 1
	said=$(head -c 9000 /dev/zero | tr '\0' x | jfs eva break-glass --stdin --yes 2>&1) && return 1
	grep -q 'longer than' <<<"$said" || fail "$said" || return 1
	shut "$HANSEN"
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
