#!/bin/bash
# A day at the clinic: drafts, final notes, a trainee's, a nurse's, an amendment, a note in the wrong journal, and the proof afterwards.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$HERE/../apps/office.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
PASS_cara='cara learns it every day'
H=$ROOT/home/anna/Journals/$HANSEN
O=$ROOT/home/anna/Journals/$OLSEN
VIM=$(command -v vim || command -v vim.tiny)
NOTE="$H/2026/consultation.txt"

day_practice() { # a trainee's final notes want a second signature; physicians and nurses may see what a note was
	practice_policy | sed -E '/history/!s/^(role (physician|nurse) +clinical may .*)$/\1 history/'
	echo 'finalize countersign trainee'
	echo 'role trainee clinical may list read write create finalize'
	echo 'practitioner cara user jft-cara role trainee unit north'
}

vim_appends() { # NAME FILE LINE: opens, adds a line, saves as people do with a plain vim
	printf '%s\n' 'set backupskip= writebackup' '$a' "$3" . wq | as "$1" "$VIM" -u NONE -N -es "$2"
}

journalfs_says() { # NAME TEXT VERB...: succeeds and says that
	local n=$1 want=$2
	shift 2
	jfs "$n" "$@" >"$ROOT/said" 2>&1 </dev/null || fail "$n: $*: $(cat "$ROOT/said")" || return 1
	grep -qF -- "$want" "$ROOT/said" || fail "$n: $* said: $(cat "$ROOT/said")"
}

journalfs_refuses() { # NAME TEXT VERB...
	local n=$1 want=$2
	shift 2
	jfs "$n" "$@" >"$ROOT/said" 2>&1 </dev/null && fail "$n: $* succeeded: $(cat "$ROOT/said")" && return 1
	grep -qF -- "$want" "$ROOT/said" || fail "$n: $* said: $(cat "$ROOT/said")"
}

of() { # NAME PATH-OF-ANNA: the same file in NAME's mount
	echo "${2/#$ROOT\/home\/anna/$ROOT\/home\/$1}"
}

state() { # NAME FILE [ATTRIBUTE]
	as "$1" getfattr --only-values -n "user.journalfs.${3:-state}" "$(of "$1" "$2")" 2>/dev/null
}

t_set_up_the_practice() {
	account cara || return 1
	day_practice | put_policy dan practice || return 1
	enroll cara && login anna && login bo && login cara && login eva || return 1
	as anna mkdir "$H" "$O" || return 1
	{ jfs dan policy show "$HANSEN"; printf 'allow user:%s:rwx reason "shares the care"\n' bo cara; } | put_policy dan "$HANSEN" || return 1
	wait_for 10 as cara test -w "$(of cara "$H")" || fail "cara can't write" || return 1
	wait_for 10 as bo test -w "$(of bo "$H")" || fail "bo can't write"
}

t_draft_is_written_with_vim_and_every_save_is_kept() {
	[ -n "$VIM" ] || { echo 'vim is not installed'; return 77; }
	as anna mkdir "$H/2026" && as anna sh -c "echo 'Referred with chest pain.' >'$NOTE'" || return 1
	vim_appends anna "$NOTE" 'ECG normal.' && vim_appends anna "$NOTE" 'The pain is gone.' || return 1
	[ "$(as anna ls -A "$H/2026")" = consultation.txt ] || fail "left: $(as anna ls -A "$H/2026")" || return 1
	jfs anna history "$NOTE" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	for v in 1 2; do jfs anna show "$NOTE@$v" >"$ROOT/v$v" || return 1; done
	[ "$(cat "$ROOT/v1")" = 'Referred with chest pain.' ] || fail "version 1: $(cat "$ROOT/v1")" || return 1
	[ "$(tail -n 1 "$ROOT/v2")" = 'ECG normal.' ] || fail "version 2: $(cat "$ROOT/v2")" || return 1
	jfs anna show "$NOTE@4" >"$ROOT/said" 2>&1 && fail "a fourth version: $(cat "$ROOT/said")" && return 1
	return 0
}

t_history_is_a_directory_that_cannot_be_changed() {
	local d="$H/.history/2026/consultation.txt"
	as anna ls "$d" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	[ "$(wc -l <"$ROOT/said")" -eq 3 ] && grep -q '^1 .* anna.txt$' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	[ "$(as anna cat "$d/1")" = 'Referred with chest pain.' ] || fail "$(as anna cat "$d/1")" || return 1
	as anna ls -A "$H" | grep -q history && fail "listed: find and cp -r would walk it" && return 1
	expect_errno 'Read-only' as anna sh -c "echo x >'$d/1'" && expect_errno 'Read-only' as anna rm "$d/1" || return 1
	# A trainee may read the note, and not what it was.
	as cara test -r "$(of cara "$NOTE")" && expect_errno ENOENT as cara ls "$(of cara "$d")"
}

t_document_is_written_with_libreoffice() {
	command -v soffice >/dev/null || { echo 'LibreOffice is not installed'; return 77; }
	local said
	said=$(office_saves anna "$H/2026/epicrisis.odt" 'Discharged in good health.' 3)
	[ "$said" = stored ] || fail "$said" || return 1
	[ "$(as anna ls -A "$H/2026" | grep -vc consultation.txt)" -eq 1 ] || fail "left: $(as anna ls -A "$H/2026")" || return 1
	[ "$(as anna ls "$H/.history/2026/epicrisis.odt" | wc -l)" -eq 3 ] || fail "$(as anna ls "$H/.history/2026/epicrisis.odt")" || return 1
	for v in 1 2 3; do
		jfs anna show "$H/2026/epicrisis.odt@$v" >"$ROOT/home/anna/v$v.odt" || return 1
		chown jft-anna "$ROOT/home/anna/v$v.odt"
		[ "$(office_text anna "$ROOT/home/anna/v$v.odt" | grep -c 'good health')" -eq $v ] || fail "version $v" || return 1
	done
}

t_finalizing_shows_what_it_locks_and_asks() {
	journalfs_says anna 'consultation.txt' finalize --ask "$H/2026/consultation.txt" || return 1
	grep -q 'yours' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	journalfs_refuses anna 'locked' finalize "$NOTE" || return 1 # nobody is there to say yes
	[ "$(state anna "$NOTE")" = draft ] || fail "$(state anna "$NOTE")" || return 1
	# Another's draft is his to finish.
	journalfs_refuses bo 'locked' finalize --yes "$(of bo "$NOTE")" || return 1
	[ "$(state anna "$NOTE")" = draft ]
}

t_author_finalizes_all_notes_of_a_folder() {
	journalfs_says anna 'Locked and signed' finalize --yes "$H/2026" || return 1
	local f
	as anna find "$H/2026" -type f >"$ROOT/notes"
	while read -r f; do [ "$(state anna "$f")" = final ] || fail "$f: $(state anna "$f")" || return 1; done <"$ROOT/notes"
	local sum
	sum=$(as anna sha256sum "$NOTE" | cut -d' ' -f1)
	[ "$(state bo "$NOTE" sha256)" = "$sum" ] || fail "sha256: $(state bo "$NOTE" sha256)" || return 1
	[ "$(state bo "$NOTE" author)" = anna ] && [ "$(state bo "$NOTE" signed-by)" = anna ] || fail "author $(state bo "$NOTE" author)" || return 1
	state bo "$NOTE" finalized-at | grep -qE '^20[0-9]{2}-[01][0-9]-[0-3][0-9]T'
}

t_programs_see_that_it_is_final() {
	as anna stat -c %A "$NOTE" | grep -q '^-r--' || fail "$(as anna stat -c %A "$NOTE")" || return 1
	as anna test -w "$NOTE" && fail "writable, it says" && return 1
	as anna lsattr "$NOTE" | grep -q '^[^ ]*i' || fail "$(as anna lsattr "$NOTE" 2>&1)"
}

stand() { # what may never change of the note
	as anna sh -c "sha256sum <'$NOTE'; stat -c '%a %s %Y %Z %h' '$NOTE'; getfattr -d '$NOTE' 2>/dev/null; ls -A '$H/2026'"
}

PY='import ctypes, fcntl, mmap, os, sys
note, other = sys.argv[2], sys.argv[3]
libc = ctypes.CDLL(None, use_errno=True)
def check(rc):
    if rc: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def mapped():
    with open(note, "r+b") as f: mmap.mmap(f.fileno(), 0)[0:1] = b"X"
def copied():
    with open(other, "rb") as a: b = os.open(note, os.O_WRONLY); os.copy_file_range(a.fileno(), b, 4)
ways = {
 "exchange": lambda: check(libc.renameat2(-100, note.encode(), -100, other.encode(), 2)),
 "exchange-from": lambda: check(libc.renameat2(-100, other.encode(), -100, note.encode(), 2)),
 "map": mapped, "copy-range": copied,
 "fallocate": lambda: os.posix_fallocate(os.open(note, os.O_RDWR), 0, 100000),
 "times": lambda: os.utime(note, (1, 1)), "owner": lambda: os.chown(note, os.getuid(), os.getgid() + 1),
 "xattr": lambda: os.setxattr(note, "user.colour", b"red"),
 "flags": lambda: fcntl.ioctl(os.open(note, os.O_RDONLY), 0x40086602, (0).to_bytes(8, "little")),
}
try: ways[sys.argv[1]]()
except OSError as e: print(os.strerror(e.errno)); sys.exit(1)
'
call() { # NAME WAY: a call that programs seldom make
	as "$1" /usr/bin/python3 -c "$PY" "$2" "$(of "$1" "$NOTE")" "$(of "$1" "$H/draft.txt")"
}

t_it_is_changed_in_none_of_thirty_ways() {
	local before n=0 f=$NOTE d=$H/2026 w
	as anna sh -c "echo draft >'$H/draft.txt'" && as bo cat "$(of bo "$f")" >/dev/null || return 1
	before=$(stand)
	try() { # NAME COMMAND...: fails; the note is as it was
		n=$((n + 1))
		as "$@" >"$ROOT/said" 2>&1 </dev/null && fail "succeeded: $*" && return 1
		[ "$(stand)" = "$before" ] || fail "changed by: $*: $(diff <(echo "$before") <(stand))"
	}
	try anna sh -c "echo x >'$f'" && try anna sh -c "echo x >>'$f'" && try anna sed -i s/chest/back/ "$f" &&
		try anna cp "$H/draft.txt" "$f" && try anna mv -f "$H/draft.txt" "$f" && try anna rm -f "$f" && try anna mv "$f" "$H/away.txt" &&
		try anna ln "$f" "$H/second.txt" && try anna mv "$d" "$H/2025" && try anna rm -rf "$d" && try anna mv "$H" "$ROOT/home/anna/Journals/030303-3333 Other" &&
		try anna rmdir "$H" && try anna truncate -s 3 "$f" && try anna dd if=/dev/zero of="$f" bs=1 count=1 conv=notrunc &&
		try anna fallocate -p -l 10 "$f" && try anna chmod u+w "$f" && try anna touch -d 2020-01-01 "$f" &&
		try anna setfattr -n user.colour -v red "$f" && try anna setfattr -n user.journalfs.state -v draft "$f" &&
		try anna setfattr -x user.journalfs.state "$f" && try anna chattr -i "$f" && try anna setfacl -m u:jft-eva:rw "$f" || return 1
	for w in exchange exchange-from map copy-range fallocate times owner xattr flags; do
		n=$((n + 1))
		call anna $w >"$ROOT/said" 2>&1 && fail "succeeded: $w" && return 1
		[ "$(stand)" = "$before" ] || fail "changed by $w: $(diff <(echo "$before") <(stand))" || return 1
	done
	for w in bo cara; do
		try $w sh -c "echo x >>'$(of $w "$f")'" && try $w rm -f "$(of $w "$f")" && try $w mv -f "$(of $w "$H/draft.txt")" "$(of $w "$f")" || return 1
	done
	try dan sh -c "echo x >>'$(of dan "$f")'" || return 1
	! cat "$f" >/dev/null 2>&1 || fail "root reads it from outside" || return 1
	jfs eva break-glass "$HANSEN" --ground danger --reason 'unconscious, brought in by ambulance' --yes >/dev/null 2>&1 || return 1
	as eva cat "$(of eva "$f")" >/dev/null && try eva sh -c "echo x >>'$(of eva "$f")'" && try eva rm -f "$(of eva "$f")" || return 1
	jfs eva break-glass --close "$HANSEN" >/dev/null || return 1
	[ $n -ge 30 ] || fail "$n ways"
}

t_refusal_says_that_it_is_not_permitted_and_stands_in_the_log() {
	expect_errno EPERM as anna sh -c "echo x >>'$NOTE'" && expect_errno EPERM as anna rm -f "$NOTE" && expect_errno EPERM as bo mv -f "$(of bo "$H/draft.txt")" "$(of bo "$NOTE")" || return 1
	audit --who bo | grep -i refused | grep -q 'final' || fail "$(audit --who bo | tail -n 3)"
}

t_who_had_it_open_writes_nothing_after() {
	local f="$H/open.txt" word rc=0
	as anna sh -c "echo first >'$f'" || return 1
	coproc HOLD { as anna "$PROBES/probe" hold "$f" w; }
	read -r -t 10 word <&"${HOLD[0]}"
	journalfs_says anna 'Locked and signed' finalize --yes "$f" || rc=1
	local sum
	sum=$(as anna sha256sum "$f")
	echo w >&"${HOLD[1]}"
	read -r -t 10 word <&"${HOLD[0]}"
	[ "$word" = EPERM ] || { fail "a write after it: $word"; rc=1; }
	eval "exec ${HOLD[1]}>&-"
	wait "$HOLD_PID" 2>/dev/null
	[ "$(as anna sha256sum "$f")" = "$sum" ] && [ $rc -eq 0 ]
}

t_vim_and_libreoffice_do_not_save_over_it() {
	local before
	before=$(stand)
	if [ -n "$VIM" ]; then
		printf '%s\n' 'set backupskip= writebackup' '$a' more . 'w!' 'q!' | as anna "$VIM" -u NONE -N -es "$NOTE"
		as anna rm -f "$NOTE~" # vim's own copy, made before it failed
		[ "$(stand)" = "$before" ] || fail "vim: $(diff <(echo "$before") <(stand))" || return 1
	fi
	command -v soffice >/dev/null || return 0
	[ "$(office_saves anna "$H/2026/epicrisis.odt" 'Added later.')" != stored ] || fail "LibreOffice says that it stored" || return 1
	[ "$(stand)" = "$before" ] || fail "LibreOffice: $(diff <(echo "$before") <(stand))"
}

t_trainees_note_wants_a_second_signature() {
	local f
	f=$(of cara "$H/ward round.txt")
	as cara sh -c "echo 'Mobilised, no fever.' >'$f'" || return 1
	journalfs_says cara 'second practitioner' finalize --yes "$f" || return 1
	jfs cara sign "$f" >"$ROOT/said" 2>&1 && fail "the trainee countersigns herself: $(cat "$ROOT/said")" && return 1
	jfs dan sign "$(of dan "$f")" >"$ROOT/said" 2>&1 && fail "the steward countersigns" && return 1
	jfs anna sign "$H/ward round.txt" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	state anna "$H/ward round.txt" signed-by | grep -q cara || fail "$(state anna "$H/ward round.txt" signed-by)" || return 1
	audit --who anna | grep -q 'countersigned' || fail "$(audit --who anna | tail -n 3)"
}

t_nurse_locks_hers_now_and_signs_it_later() {
	local f
	f=$(of bo "$H/nursing.txt")
	as bo sh -c "echo 'Ate well.' >'$f'" && as bo setfattr -n user.journalfs.state -v final "$f" || return 1
	[ "$(state bo "$H/nursing.txt")" = final ] || fail "$(state bo "$H/nursing.txt")" || return 1
	jfs bo verify "$f" 2>&1 | grep -q 'not signed' || fail "$(jfs bo verify "$f" 2>&1)" || return 1
	expect_errno EPERM as bo sh -c "echo x >>'$f'" || return 1
	jfs bo sign "$f" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	[ "$(state anna "$H/nursing.txt" signed-by)" = bo ] || fail "$(state anna "$H/nursing.txt" signed-by)"
}

t_final_note_is_amended_beside() {
	local a before
	before=$(as anna sha256sum "$NOTE")
	jfs anna amend "$NOTE" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	a="$H/2026/consultation amendment 1.txt"
	as anna test -w "$a" || fail "$(as anna ls "$H/2026"): $(cat "$ROOT/said")" || return 1
	as anna sh -c "echo 'Correction: the ECG was of another day.' >'$a'" || return 1
	[ "$(state anna "$a" amends)" != '' ] || fail "it says nothing of what it amends" || return 1
	journalfs_says anna 'Locked and signed' finalize --yes "$a" || return 1
	state bo "$NOTE" amended-by | grep -qF 'consultation amendment 1.txt' || fail "$(state bo "$NOTE" amended-by)" || return 1
	state bo "$a" amends | grep -qF consultation.txt || fail "$(state bo "$a" amends)" || return 1
	[ "$(state bo "$NOTE")" = amended ] || fail "state $(state bo "$NOTE")" || return 1
	[ "$(as anna sha256sum "$NOTE")" = "$before" ]
}

t_note_in_the_wrong_journal_is_moved_and_its_origin_remains() {
	local f="$H/olsens.txt"
	as anna sh -c "echo 'Knee: effusion.' >'$f'" && journalfs_says anna 'Locked' finalize --yes "$f" || return 1
	jfs anna move-note --reason 'written in the wrong journal' --yes "$f" "$OLSEN" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	[ "$(as anna cat "$O/olsens.txt")" = 'Knee: effusion.' ] || fail "$(as anna ls "$O")" || return 1
	[ "$(as anna cat "$f")" = 'Knee: effusion.' ] && [ "$(state anna "$f")" = entered-in-error ] || fail "state $(state anna "$f")" || return 1
	expect_errno EPERM as anna rm -f "$f" || return 1
	# Who may not see the other patient does not learn there who that is.
	jfs bo history "$(of bo "$f")" 2>&1 | grep -q 'Olsen' && fail "bo is told of Olsen" && return 1
	audit --who anna | grep -q 'copied into its right journal' || fail "$(audit --who anna | tail -n 4)"
}

t_everything_verifies() {
	jfs anna verify --all >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	grep -q '^Verified ' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs bo verify "$(of bo "$H")" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")"
}

t_minisign_checks_the_signature_outside_of_the_mount() {
	local d=$ROOT/home/anna/out
	as anna mkdir "$d" && as anna cp "$NOTE" "$d/" || return 1
	jfs anna export --signature --to "$d" "$NOTE" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	as anna test -s "$d/consultation.txt.minisig" && as anna test -s "$d/anna.pub" && as anna test -s "$d/anna.cert" || fail "$(as anna ls "$d")" || return 1
	command -v minisign >/dev/null || { echo 'minisign is not installed'; return 77; }
	as anna minisign -V -p "$d/anna.pub" -m "$d/consultation.txt" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	as anna sh -c "chmod u+w '$d/consultation.txt'; echo x >>'$d/consultation.txt'" || return 1
	as anna minisign -V -p "$d/anna.pub" -m "$d/consultation.txt" >"$ROOT/said" 2>&1 && fail "a changed copy verifies" && return 1
	grep -q anna "$d/anna.cert"
}

t_history_tells_the_day() {
	jfs anna history "$NOTE" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	for w in anna 'final' 'amended' 'consultation amendment 1.txt'; do grep -qiF "$w" "$ROOT/said" || fail "no $w: $(cat "$ROOT/said")" || return 1; done
	jfs anna history "$H/2026/consultation amendment 1.txt" 2>&1 | grep -qF 'consultation.txt' || fail "the amendment's says nothing of the note" || return 1
	[ "$(jfs anna show "$NOTE@1")" = 'Referred with chest pain.' ] || fail "drafts of a final note are kept" || return 1
	jfs anna history "$H/olsens.txt" >"$ROOT/said" 2>&1
	grep -q 'wrong journal' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

t_deleted_draft_is_still_there_for_who_may_see_it() {
	as anna sh -c "echo 'A thought.' >'$H/thought.txt'" && as anna rm "$H/thought.txt" || return 1
	expect_errno ENOENT as anna cat "$H/thought.txt" || return 1
	jfs anna history "$H" >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	grep -qF 'thought.txt' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	as anna sh -c "cat '$H/.history/thought.txt (removed '*/*" | grep -q 'A thought.' || fail "$(as anna ls "$H/.history")"
}

t_auditor_reads_the_day() {
	audit >"$ROOT/log" || return 1
	for w in 'finalized' 'locked without signature' 'signed' 'countersigned' 'began an amendment of' 'marked as entered in error' 'copied into its right journal'; do
		grep -qF "$w" "$ROOT/log" || fail "the log has no \"$w\"" || return 1
	done
	grep -qiE 'refused.*consultation.txt' "$ROOT/log" || fail "no refusal at the note" || return 1
	grep -q 'chest pain\|Knee: effusion' "$ROOT/log" && fail "the log has contents" && return 1
	return 0
}

t_all_of_it_is_there_after_a_restart() {
	local before
	before=$(stand)
	for n in anna bo cara eva dan; do logout $n; done
	stop_daemon && start_daemon && login anna || return 1
	[ "$(stand)" = "$before" ] || fail "$(diff <(echo "$before") <(stand))" || return 1
	jfs anna verify --all >"$ROOT/said" 2>&1 || fail "$(cat "$ROOT/said")" || return 1
	expect_errno EPERM as anna sh -c "echo x >>'$NOTE'"
}

need_root
clinic || { echo "FAIL 65_clinic_day: set-up"; exit 1; }
run_tests
