#!/bin/bash
# Programs save a note three times: its history is exactly these three texts, and nothing of what lay beside it meanwhile.
# shellcheck disable=SC2016 # the words are the other shell's
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../mount/lib.sh"
. "$HERE/../apps/office.sh"

TOP="$ROOT/home/anna/Journals/010190-1234 Hansen, Anna"
D=''
WORDS=(none one two three)
VIM=$(command -v vim || command -v vim.tiny || echo vim)

need() { # PROGRAM: the test is skipped by name where it is not installed
	command -v "$1" >/dev/null || { echo "$1 is not installed"; return 77; }
}

begin() { # NAME: a directory of its own, D
	D="$TOP/$1"
	as anna mkdir "$D"
	removed >"$ROOT/removed"
}

removed() { # notes that are kept though nobody sees them any more
	jfs anna history "$TOP" 2>&1 | grep -v '^\(Version\|No\|$\)' | sort
}

text_of() { # what a version says: the last of the words
	grep -aoE 'one|two|three' | tail -n 1
}

kept() { # FILE [LEFT-BESIDE-IT...]: three versions; nothing else in the directory, nothing removed that is kept
	local f=$1 k rel
	shift
	rel=${f#"$TOP"/}
	as anna ls "$TOP/.history/$rel" >"$ROOT/versions" 2>&1 || fail "$(cat "$ROOT/versions")" || return 1
	[ "$(wc -l <"$ROOT/versions")" -eq 3 ] || fail "$(wc -l <"$ROOT/versions") versions: $(cat "$ROOT/versions")" || return 1
	for k in 1 2 3; do
		jfs anna show "$f@$k" >"$ROOT/version" || fail "no version $k" || return 1
		[ "$(text_of <"$ROOT/version")" = "${WORDS[$k]}" ] || fail "version $k: $(head -c 300 "$ROOT/version")" || return 1
	done
	[ "$(as anna cat "$f" | text_of)" = three ] || fail "the note holds $(as anna head -c 300 "$f")" || return 1
	[ "$(as anna ls -A "$D" | sort)" = "$(printf '%s\n' "${f##*/}" "$@" | sort)" ] || fail "left: $(as anna ls -A "$D" | paste -sd' ')" || return 1
	removed | diff "$ROOT/removed" - || fail "kept as removed"
}

vim_does() { # FILE COMMAND...: in one session
	local f=$1
	shift
	printf '%s\n' 'set backupskip= writebackup' "$@" | as anna "$VIM" -u NONE -N -es "$f"
}
vims() { # OPTIONS: three sessions
	local w
	as anna sh -c "echo one >'$D/note.txt'"
	for w in two three; do vim_does "$D/note.txt" "set ${1:-nobackup}" "%s/.*/$w/" wq || return 1; done
}
t_vim_writes_a_new_note_and_saves_again_in_one_session() {
	need "$VIM" || return
	begin vim
	vim_does "$D/note.txt" 0a one . w '%s/.*/two/' w '%s/.*/three/' w q || return 1
	kept "$D/note.txt"
}
t_vim_as_it_is() { need "$VIM" || return; begin 'vim plain'; vims '' && kept "$D/note.txt"; }
t_vim_with_backups() { need "$VIM" || return; begin 'vim backup'; vims backup && kept "$D/note.txt" 'note.txt~'; }
t_vim_copying() { need "$VIM" || return; begin 'vim copy'; vims backupcopy=yes && kept "$D/note.txt"; }
t_vim_copying_with_backups() { need "$VIM" || return; begin 'vim copy backup'; vims 'backup backupcopy=yes' && kept "$D/note.txt" 'note.txt~'; }
t_vim_in_place() { need "$VIM" || return; begin 'vim in place'; vims 'nobackup nowritebackup' && kept "$D/note.txt"; }
t_vim_with_undo_file() { need "$VIM" || return; begin 'vim undo'; vims undofile && kept "$D/note.txt" '.note.txt.un~'; }

emacs_does() { # LISP
	as anna emacs -Q --batch --eval "(progn (setq default-directory \"$D/\" backup-enable-predicate (lambda (f) t)) $1)" </dev/null >"$ROOT/emacs.out" 2>&1
}
emacses() { # LISP-SETTING: three sessions
	local w
	for w in one two three; do
		emacs_does "$1 (find-file \"note.txt\") (erase-buffer) (insert \"$w\\n\") (save-buffer)" || { cat "$ROOT/emacs.out"; return 1; }
	done
}
t_emacs_three_times_in_one_session() {
	need emacs || return
	begin emacs
	emacs_does '(find-file "note.txt") (insert "one\n") (save-buffer) (insert "two\n") (save-buffer) (insert "three\n") (save-buffer)' || fail "$(cat "$ROOT/emacs.out")" || return 1
	kept "$D/note.txt" 'note.txt~'
}
t_emacs_three_sessions() { need emacs || return; begin 'emacs sessions'; emacses '' && kept "$D/note.txt" 'note.txt~'; }
t_emacs_copying() { need emacs || return; begin 'emacs copy'; emacses '(setq backup-by-copying t)' && kept "$D/note.txt" 'note.txt~'; }
t_emacs_numbered_backups() { need emacs || return; begin 'emacs numbered'; emacses '(setq version-control t)' && kept "$D/note.txt" 'note.txt.~1~' 'note.txt.~2~'; }
t_emacs_precious() { need emacs || return; begin 'emacs precious'; emacses '(setq file-precious-flag t make-backup-files nil)' && kept "$D/note.txt"; }
t_emacs_auto_save() {
	need emacs || return
	begin 'emacs auto'
	emacses '(defun jf () (auto-save-mode 1) (insert "x") (do-auto-save) (insert "y") (do-auto-save) (erase-buffer)) (add-hook (quote find-file-hook) (quote jf))' &&
		kept "$D/note.txt" 'note.txt~'
}

nanos() { # OPTIONS: three saves in one session
	as anna env TERM=xterm expect -c "
		set timeout 20
		spawn nano $1 \"$D/note.txt\"
		sleep 0.5
		foreach w {one two three} { send -- \"\$w\\r\"; sleep 0.3; send -- \"\\x13\"; expect -re {Wrote} ; sleep 0.3 }
		send -- \"\\x18\"
		expect eof" >"$ROOT/nano.out" 2>&1
}
t_nano() { need nano && need expect || return; begin nano; nanos '' && kept "$D/note.txt"; }
t_nano_with_backups_and_lock() { need nano && need expect || return; begin 'nano backup'; nanos '-B -G' && kept "$D/note.txt" 'note.txt~'; }

t_libreoffice() {
	need soffice || return
	begin libreoffice
	local said w k
	for w in one two three; do
		said=$(office_saves anna "$D/note.odt" "$w")
		[ "$said" = stored ] || fail "$said" || return 1
	done
	[ "$(as anna ls "$TOP/.history/libreoffice/note.odt" | wc -l)" -eq 3 ] || fail "$(as anna ls "$TOP/.history/libreoffice/note.odt")" || return 1
	for k in 1 2 3; do
		jfs anna show "$D/note.odt@$k" >"$ROOT/home/anna/v.odt" && chown jft-anna "$ROOT/home/anna/v.odt" || return 1
		[ "$(office_text anna "$ROOT/home/anna/v.odt" | text_of)" = "${WORDS[$k]}" ] || fail "version $k" || return 1
	done
	[ "$(as anna ls -A "$D")" = note.odt ] || fail "left: $(as anna ls -A "$D")" || return 1
	removed | diff "$ROOT/removed" - || fail "kept as removed"
}
t_libreoffice_three_times_in_one_session() {
	need soffice || return
	begin 'libreoffice session'
	[ "$(office_saves anna "$D/note.odt" one 3)" = stored ] || return 1
	[ "$(as anna ls "$TOP/.history/libreoffice session/note.odt" | wc -l)" -eq 3 ] || fail "$(as anna ls "$TOP/.history/libreoffice session/note.odt")" || return 1
	removed | diff "$ROOT/removed" - || fail "kept as removed"
}

each() { # SHELL-COMMAND with $w, run for each word in the directory
	local w
	for w in one two three; do
		as anna sh -c "cd '$D' && w=$w && { $1; }" >"$ROOT/each.out" 2>&1 </dev/null || fail "$w: $(cat "$ROOT/each.out")" || return 1
	done
}
t_glib() { need gio || return; begin gio; each 'echo $w | gio save note.txt' && kept "$D/note.txt"; }
t_glib_with_backups() { need gio || return; begin 'gio backup'; each 'echo $w | gio save -b note.txt' && kept "$D/note.txt" 'note.txt~'; }
t_glib_set_contents() {
	/usr/bin/python3 -c 'from gi.repository import GLib' 2>/dev/null || { echo 'python3-gi is not installed'; return 77; }
	begin set_contents
	each '/usr/bin/python3 -c "from gi.repository import GLib; GLib.file_set_contents(\"note.txt\", b\"$w\")"' && kept "$D/note.txt"
}
t_zim() {
	/usr/bin/python3 -c 'import zim.newfs' 2>/dev/null || { echo 'zim is not installed'; return 77; }
	begin zim
	each '/usr/bin/python3 -c "import os; from zim.newfs import LocalFile; LocalFile(os.path.abspath(\"note.txt\")).write(\"$w\n\")"' && kept "$D/note.txt"
}
t_rednotebook() {
	[ -d /usr/share/rednotebook ] || { echo 'rednotebook is not installed'; return 77; }
	begin rednotebook
	each '/usr/bin/python3 -c "
import os, sys
sys.path.insert(0, \"/usr/share/rednotebook\")
from rednotebook import storage
from rednotebook.data import Month
m = Month(2026, 1, {5: {\"text\": \"$w\"}}, os.path.getmtime(\"2026-01.txt\") if os.path.exists(\"2026-01.txt\") else 0)
m.edited = True
storage._save_month_to_disk(m, \".\")"' && kept "$D/2026-01.txt"
}
t_shell() { begin shell; each 'echo $w >note.txt' && kept "$D/note.txt"; }
t_shell_with_several_children() { begin children; each '(/bin/echo a; /bin/echo b; /bin/echo $w) >note.txt' && kept "$D/note.txt"; }
t_shell_appends() { begin append; each 'echo $w >>note.txt' && kept "$D/note.txt"; }
t_tee() { begin tee; each 'echo $w | tee note.txt' && kept "$D/note.txt"; }
t_sed() { begin sed; each '[ -f note.txt ] || echo one >note.txt; [ $w = one ] || sed -i "s/.*/$w/" note.txt' && kept "$D/note.txt"; }
t_perl() { begin perl; each '[ -f note.txt ] || echo one >note.txt; [ $w = one ] || perl -i -pe "s/.*/$w/" note.txt' && kept "$D/note.txt"; }
t_cp() { begin cp; each 'echo $w >~/new && cp ~/new note.txt' && kept "$D/note.txt"; }
t_cp_numbered() { begin 'cp numbered'; each 'echo $w >~/new && cp --backup=numbered ~/new note.txt' && kept "$D/note.txt" 'note.txt.~1~' 'note.txt.~2~'; }
t_cp_removing() { begin 'cp removing'; each 'echo $w >~/new && cp --remove-destination ~/new note.txt' && kept "$D/note.txt"; }
t_mv() { begin mv; each 'echo $w >new.txt && mv new.txt note.txt' && kept "$D/note.txt"; }
t_rsync() { begin rsync; each 'mkdir -p ~/from && echo $w >~/from/note.txt && rsync -a --ignore-times ~/from/note.txt note.txt' && kept "$D/note.txt"; }
t_rsync_with_backups() { begin 'rsync backup'; each 'mkdir -p ~/from && echo $w >~/from/note.txt && rsync -ab --ignore-times ~/from/note.txt note.txt' && kept "$D/note.txt" 'note.txt~'; }
t_rsync_in_place() { begin 'rsync in place'; each 'mkdir -p ~/from && echo $w >~/from/note.txt && rsync -a --inplace --ignore-times ~/from/note.txt note.txt' && kept "$D/note.txt"; }
t_tar() { begin tar; each 'mkdir -p ~/from && echo $w >~/from/note.txt && tar -C ~/from -c note.txt | tar x' && kept "$D/note.txt"; }

# Attributes, times and openings without a change are no save.
t_what_changes_nothing_is_no_version() {
	begin nothing
	each 'echo $w >note.txt; chmod 640 note.txt; touch note.txt; : >>note.txt; exec 5<>note.txt; exec 5>&-; cat note.txt' && kept "$D/note.txt"
}

# Who names a note as a backup is named, to be rid of it, is not rid of it.
t_note_renamed_to_a_backups_name_and_removed_is_kept() {
	begin hidden
	as anna sh -c "cd '$D' && echo one >note.txt && mv note.txt 'note.txt~' && rm 'note.txt~'" || return 1
	removed | diff "$ROOT/removed" - >"$ROOT/new"
	grep -q 'note.txt' "$ROOT/new" || fail "nothing is kept of it"
}

need_root
clinic && login anna || { echo "FAIL versions: set-up"; exit 1; }
practice_policy | sed -E '/history/!s/^(role physician +clinical may .*)$/\1 history/' | put_policy dan practice || { echo "FAIL versions: policy"; exit 1; }
as anna mkdir "$TOP" || { echo "FAIL versions: journal"; exit 1; }
run_tests
