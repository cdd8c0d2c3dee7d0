#!/bin/bash
# Earlier versions: kept by every way of saving, read in .history and by the command, by who may and nobody else.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna'
OLSEN='020285-4321 Olsen, Ole'
D= H= N=

practice_without() { # ROLE: the practice in which that role has no right `history`
	practice_policy | sed "/^role $1 /s/ history//"
}

version() { # N TEXT: version N of the plan holds that
	[ "$(as anna cat "$N/$1")" = "$2" ] || fail "version $1 is: $(as anna cat "$N/$1" 2>&1)"
}

t_set_up_journals() {
	practice_policy | put_policy dan practice || return 1
	login anna && login bo && login eva || return 1
	D=$(J anna)/$HANSEN H=$(J anna)/$HANSEN/.history N=$(J anna)/$HANSEN/.history/plan.txt
	as anna mkdir "$D" "$(J anna)/$OLSEN" || return 1
	{ jfs dan policy show "$HANSEN"; echo 'allow user:bo:rwx'; } | put_policy dan "$HANSEN" || return 1
	wait_for 10 as bo ls "$(J bo)/$HANSEN"
}

t_every_way_of_saving_keeps_what_was_there() {
	as anna sh -c "cd '$D' && echo one >plan.txt" || return 1
	as anna sh -c "cd '$D' && echo two >plan.txt" || return 1
	as anna sh -c "cd '$D' && echo three >>plan.txt" || return 1
	as anna sh -c "cd '$D' && echo four >other && cp other plan.txt" || return 1
	as anna sh -c "cd '$D' && echo five >tmp && mv tmp plan.txt" || return 1
	as anna sh -c "cd '$D' && mv plan.txt plan.txt~ && echo six >plan.txt && rm plan.txt~" || return 1
	version 1 one && version 2 two && version 3 $'two\nthree' && version 4 four && version 5 five && version 6 six || return 1
	expect_errno ENOENT as anna cat "$N/7" || return 1
	[ "$(as anna ls "$N" | wc -l)" -eq 6 ] || fail "$(as anna ls "$N")"
}

t_vim_keeps_what_was_there() {
	command -v vim >/dev/null || { echo "vim is not installed"; return 77; }
	as anna sh -c "cd '$D' && echo before >vim.txt" || return 1
	as anna vim -u NONE -es -c '%s/before/after/' -c wq "$D/vim.txt" </dev/null || return 1
	as anna vim -u NONE -es -c 'set backupcopy=yes' -c '%s/after/at last/' -c wq "$D/vim.txt" </dev/null || return 1
	[ "$(as anna cat "$D/vim.txt")" = 'at last' ] || return 1
	[ "$(as anna cat "$H/vim.txt/1")" = before ] && [ "$(as anna cat "$H/vim.txt/2")" = after ] ||
		fail "$(as anna sh -c "ls -la '$H/vim.txt'; head '$H'/vim.txt/*")" || return 1
	[ "$(as anna ls "$H/vim.txt" | wc -l)" -eq 3 ] || fail "$(as anna ls "$H/vim.txt")"
}

t_names_say_when_and_who() {
	as anna sh -c "ls '$N'" | grep -qE '^1 20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}\.[0-9]{2} anna\.txt$' || fail "$(as anna ls "$N")" || return 1
	as bo sh -c "echo bo >>'$(J bo)/$HANSEN/plan.txt'" || return 1
	as anna sh -c "cat '$N'/7*' bo.txt'" | grep -q '^bo$' || fail "$(as anna ls "$N")" || return 1
	[ "$(as anna cat "$N/@2")" = two ] || fail "@2" || return 1
	as anna stat -c '%A %U' "$N/1" | grep -q '^-r--------' || fail "$(as anna stat -c %A "$N/1")" || return 1
	as anna stat -c '%A' "$N" | grep -q '^dr-x------' || fail "$(as anna stat -c %A "$N")"
}

t_it_is_not_listed_and_not_walked() {
	as anna ls -a "$D" | grep -qx .history && fail "listed" && return 1
	as anna find "$D" | grep -q .history && fail "walked" && return 1
	as anna cp -r "$D" "$ROOT/home/anna/copied" && [ ! -e "$ROOT/home/anna/copied/.history" ] || fail "copied along" || return 1
	rm -rf "$ROOT/home/anna/copied"
	as anna find "$H" -type f | grep -c 'plan.txt/' | grep -qx 7 || fail "$(as anna find "$H")"
}

t_a_version_is_brought_back_by_cp() {
	as anna cp "$N/2" "$D/back.txt" && [ "$(as anna cat "$D/back.txt")" = two ] || return 1
	as anna sh -c "cat '$N/1' >'$D/plan.txt'" || return 1
	[ "$(as anna cat "$D/plan.txt")" = one ] && version 7 $'six\nbo' || return 1
	as anna cmp "$N/8" "$D/plan.txt" || fail "the newest is not what there is"
}

t_larger_notes_share_and_come_back() {
	as anna sh -c "seq 1 60000 >'$D/large.txt'; cp '$D/large.txt' first; printf x | dd of='$D/large.txt' bs=1 seek=150000 conv=notrunc status=none; echo end >>'$D/large.txt'" || return 1
	as anna cmp first "$H/large.txt/1" || fail "version 1 differs" || return 1
	as anna sh -c "tail -n 1 '$D/large.txt'" | grep -qx end
}

t_nothing_below_can_be_changed() {
	local f=$N/1
	local ro='Read-only file system'
	expect_errno "$ro" as anna sh -c "echo x >'$f'" || return 1
	expect_errno "$ro" as anna sh -c "echo x >>'$f'" || return 1
	expect_errno "$ro" as anna sh -c "exec 3<>'$f'" || return 1
	expect_errno "$ro" as anna truncate -s 0 "$f" || return 1
	expect_errno "$ro" as anna rm -f "$f" || return 1
	expect_errno "$ro" as anna rm -rf "$N" || return 1
	expect_errno "$ro" as anna rmdir "$N" || return 1
	expect_errno "$ro" as anna mv "$f" "$D/moved" || return 1
	expect_errno "$ro" as anna mv "$D/back.txt" "$H/moved" || return 1
	expect_errno "$ro" as anna ln "$f" "$D/link" || return 1
	expect_errno "$ro" as anna ln "$D/back.txt" "$H/link" || return 1
	expect_errno "$ro" as anna ln -s x "$H/link" || return 1
	expect_errno "$ro" as anna mkdir "$H/dir" || return 1
	expect_errno "$ro" as anna mkfifo "$N/pipe" || return 1
	expect_errno "$ro" as anna touch "$N/new" || return 1
	expect_errno "$ro" as anna touch "$f" || return 1
	expect_errno "$ro" as anna chmod 777 "$f" || return 1
	expect_errno "$ro" as anna chmod 777 "$H" || return 1
	expect_errno "$ro" as anna setfattr -n user.x -v y "$f" || return 1
	expect_errno "$ro" as anna setfattr -n user.journalfs.state -v final "$f" || return 1
	expect_errno "$ro" as anna cp "$D/back.txt" "$f" || return 1
	expect_errno "$ro" as anna fallocate -l 1M "$f" || return 1
	as anna mv -T "$H" "$D/gone" 2>/dev/null && fail "renamed" && return 1
	as anna mv -T "$D/back.txt" "$H" 2>/dev/null && fail "replaced" && return 1
	version 1 one
}

t_nobody_makes_an_entry_of_that_name() {
	# Who may not see it meets the refusal itself.
	practice_without nurse | put_policy dan practice || return 1
	local b
	b=$(J bo)/$HANSEN
	expect_errno EPERM as bo mkdir "$b/.history" || return 1
	expect_errno EPERM as bo sh -c "echo x >'$b/.history'" || return 1
	expect_errno EPERM as bo ln -s x "$b/.history" || return 1
	expect_errno EPERM as bo mkfifo "$b/.history" || return 1
	expect_errno EPERM as bo ln "$b/back.txt" "$b/.history" || return 1
	expect_errno EPERM as bo mv "$b/back.txt" "$b/.history" || return 1
	as bo mkdir -p "$b/sub/.history" || fail "below the journal it is a name like others" || return 1
	as bo rmdir "$b/sub/.history" "$b/sub"
}

t_without_the_right_it_is_not_there_and_the_log_knows() {
	local b
	b=$(J bo)/$HANSEN
	as bo cat "$b/plan.txt" >/dev/null || return 1
	expect_errno ENOENT as bo ls "$b/.history" || return 1
	expect_errno ENOENT as bo cat "$b/.history/plan.txt/1" || return 1
	jfs bo history "$b/plan.txt" >"$ROOT/said" 2>&1 && fail "$(cat "$ROOT/said")" && return 1
	grep -q 'may not read earlier versions' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	as bo "$JFS" show "$b/plan.txt@1" >"$ROOT/said" 2>&1 && fail "shown" && return 1
	grep -q 'no such version, or policy' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	audit --who bo | grep -i refused | grep -q '\.history' || fail "not in the log" || return 1
	audit --who bo | grep -i refused | grep -q 'history: you may not read earlier versions' || fail "the command is not in the log"
}

t_right_taken_away_cuts_an_open_version() {
	practice_policy | put_policy dan practice || return 1
	local v
	v=$(J bo)/$HANSEN/.history/large.txt/1
	wait_for 10 as bo head -c 1 "$v" || fail "not there" || return 1
	for _ in $(seq 100); do echo r || break; sleep 0.1; done | as bo "$PROBES/probe" hold "$v" r >"$ROOT/held" 2>&1 &
	wait_for 5 grep -q ok "$ROOT/held" || fail "could not open: $(cat "$ROOT/held")" || return 1
	practice_without nurse | put_policy dan practice || return 1
	wait_for 5 grep -q EACCES "$ROOT/held" || fail "still reads: $(tail -n 1 "$ROOT/held")" || return 1
	expect_errno ENOENT as bo cat "$v" || return 1
	practice_policy | put_policy dan practice || return 1
	wait_for 10 as bo head -c 1 "$v"
}

t_emergency_gives_no_earlier_versions() {
	jfs eva break-glass "$HANSEN" --ground danger --reason 'unconscious, brought in by ambulance' --yes >/dev/null 2>&1 || return 1
	local e
	e=$(J eva)/$HANSEN
	wait_for 5 as eva cat "$e/plan.txt" || fail "the emergency gives nothing" || return 1
	expect_errno ENOENT as eva ls "$e/.history" || return 1
	expect_errno ENOENT as eva cat "$e/.history/plan.txt/1" || return 1
	jfs eva history "$e/plan.txt" >"$ROOT/said" 2>&1 && fail "$(cat "$ROOT/said")" && return 1
	grep -q 'may not read earlier versions' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

t_what_is_removed_is_kept_and_found() {
	as anna sh -c "cd '$D' && mkdir old && echo first >old/gone.txt && echo second >old/gone.txt && rm old/gone.txt" || return 1
	local g
	g=$(as anna ls "$H/old")
	grep -qE '^gone.txt \(removed 20[0-9-]+T[0-9.]+\)$' <<<"$g" || fail "listed: $g" || return 1
	[ "$(as anna cat "$H/old/$g/1")" = first ] && [ "$(as anna cat "$H/old/$g/2")" = second ] || return 1
	jfs anna history "$D" >"$ROOT/said" || return 1
	grep -q "removed; kept as old/gone.txt (removed" "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs anna history "$D/old/gone.txt" >"$ROOT/said" || return 1
	grep -q 'gone.txt: removed' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	[ "$(as anna "$JFS" show "$D/old/$g@1")" = first ] || fail "not shown" || return 1
	as anna rmdir "$D/old" || return 1
	[ "$(as anna sh -c "cat '$H/old_'gone.txt*/1")" = first ] || fail "$(as anna ls "$H")"
}

t_history_prints_a_table_and_json() {
	jfs anna history "$D/plan.txt" >"$ROOT/said" || return 1
	grep -q '^plan.txt: draft, written by anna$' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -qE '^ +8 +20[0-9-]+ [0-9:]+ +anna +4  as it is now$' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -qE '^ +7 +20[0-9-]+ [0-9:]+ +bo +7$' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs anna history --json "$D/plan.txt" | python3 -c '
import json, sys
h = json.load(sys.stdin)
v = [e for e in h["events"] if e["kind"] == "version"]
assert h["state"] == "draft" and h["author"] == "anna", h
assert [e["version"] for e in v] == [8, 7, 6, 5, 4, 3, 2, 1], v
assert v[0]["now"] and not v[1]["now"] and v[1]["who"] == "bo", v
' || return 1
	(cd / && as anna sh -c "cd '$D' && '$JFS' history --vault '$ROOT/clinic.conf' plan.txt") | grep -q 'as it is now' || fail "relative" || return 1
	jfs anna history "$ROOT/home/anna/code" 2>"$ROOT/said" && return 1
	grep -q 'in no mounted vault' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs anna history "$D/never" 2>"$ROOT/said" && return 1
	grep -q 'no such note' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

t_show_writes_and_compares() {
	[ "$(as anna "$JFS" show "$D/plan.txt@2")" = two ] || return 1
	as anna "$JFS" show --diff "$D/plan.txt@2" >"$ROOT/said" || return 1
	grep -qx -- '-two' "$ROOT/said" && grep -qx -- '+one' "$ROOT/said" && grep -q '^--- .*plan.txt@2$' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	as anna "$JFS" show --diff "$D/plan.txt@1" >"$ROOT/said" && [ ! -s "$ROOT/said" ] || fail "equal ones differ" || return 1
	as anna "$JFS" show "$D/plan.txt@99" 2>"$ROOT/said" && return 1
	grep -q 'no such version' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	as anna "$JFS" show "$D/plan.txt" 2>"$ROOT/said" && return 1
	grep -q 'name a version' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	# Names with @ in them.
	as anna sh -c "cd '$D' && echo mail >'a@b.dk' && echo more >'a@b.dk' && echo odd >'a@2'" || return 1
	[ "$(as anna "$JFS" show "$D/a@b.dk@1")" = mail ] || fail "a@b.dk@1" || return 1
	[ "$(as anna "$JFS" show "$D/a@2" 2>"$ROOT/said")" = odd ] && grep -q 'a note of just this name' "$ROOT/said" || fail "a@2" || return 1
	[ "$(as anna "$JFS" show "$D/a@2@1")" = odd ] || fail "a@2@1"
}

t_reading_is_in_the_log_by_the_note() {
	as anna cat "$N/3" >/dev/null || return 1
	audit --who anna --json | grep '"kind":"open"' | grep -q 'plan.txt@3' || fail "not logged" || return 1
	local n
	n=$(as anna stat -c %i "$D/vim.txt" 2>/dev/null || as anna stat -c %i "$D/back.txt")
	[ "$n" -gt 0 ] || return 1
	audit --who anna --json | grep '"kind":"open"' | grep 'plan.txt@3' | grep -qE '"note":"?[0-9]{1,6}"?[,}]' || fail "$(audit --who anna --json | grep 'plan.txt@3' | tail -n 1)" || return 1
	audit --who anna | grep -q 'its history' || fail "the command's look is not logged"
}

t_below_the_journal_it_is_a_name_like_others() {
	# It may be made there, and is no way in.
	as anna sh -c "cd '$D' && mkdir deep && mkdir deep/.history && echo mine >deep/.history/x && cat deep/.history/x" | grep -qx mine || return 1
	as anna rm -r "$D/deep"
}

t_all_is_there_after_a_restart() {
	stop_daemon || return 1
	wait_for 10 unmounted anna || return 1
	start_daemon || return 1
	login dan && login anna && login bo || return 1
	version 1 one && version 2 two && version 3 $'two\nthree' && version 5 five && version 7 $'six\nbo' || return 1
	as anna cmp first "$H/large.txt/1" || fail "the large one differs" || return 1
	[ "$(as anna sh -c "cat '$H/old_'gone.txt*/2")" = second ] || fail "$(as anna ls "$H")"
}

t_locked_session_reads_none() {
	jfs anna lock || return 1
	expect_errno ENOKEY as anna cat "$N/1" || return 1
	as anna "$JFS" show "$D/plan.txt@1" 2>"$ROOT/said" && return 1
	grep -q 'journalfs unlock' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs anna unlock --passphrase-fd 9 9< <(pass_of anna) || return 1
	version 1 one
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
