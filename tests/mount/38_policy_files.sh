#!/bin/bash
# Policies as files: stewards edit them with any editor under .policy; nobody else gets in.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
PASS_sue='sue reads the small print' PASS_lis='lis looks at the log'

ONE='010190-1234 Hansen, Anna'
TWO='020280-2345 Olsen, Per'
P='' Q=''   # .policy in dan's and in sue's mount
POLICY=''   # the probe

# The practice policy of these tests: two stewards, an auditor.
with_stewards() {
	practice_policy
	cat <<-'END'
		role owner may policy
		practitioner sue user jft-sue role owner
		practitioner lis user jft-lis role auditor
	END
}
reset_policy() { # what the practice policy is at the start of a test
	with_stewards | put_policy dan practice
	rm -f "$ROOT/state-of"
}
shown() { jfs dan policy show "${1:-practice}"; }
in_policy() { as dan sh -c "cd '$P' && $1"; }
has() { # TEXT [FILE]: is in force
	shown "${2:-practice}" | grep -qF -- "$1" || fail "\"$1\" is not in force"
}
error_of() { as dan cat "$P/$1.error"; }

t_steward_sees_the_files_and_nobody_else_does() {
	[ "$(as dan ls -A "$(J dan)" | head -n 1)" = .policy ] || fail "dan does not see .policy" || return 1
	[ "$(in_policy 'ls -A' | tr '\n' ' ')" = 'journals practice.d practice.policy ' ] || fail "$(in_policy 'ls -A')" || return 1
	[ "$(in_policy 'ls -A journals')" = "$ONE.policy
$TWO.policy" ] || fail "$(in_policy 'ls -A journals')" || return 1
	in_policy 'stat -c "%a %U %F" practice.policy' | grep -qx '600 jft-dan regular file' || fail "$(in_policy 'stat practice.policy')" || return 1
	cmp <(shown) <(in_policy 'cat practice.policy') && cmp <(shown "$ONE") <(in_policy "cat 'journals/$ONE.policy'") || return 1
	[ "$(in_policy 'stat -c %s practice.policy')" = "$(shown | wc -c)" ] || fail "the size is another" || return 1
	! as anna ls -A "$(J anna)" | grep -q policy && ! as lis ls -A "$(J lis)" | grep -q policy
}

t_time_is_that_of_the_version() {
	local before now
	before=$(in_policy 'stat -c %Y practice.policy')
	sleep 1.1
	{ with_stewards; echo '# later'; } | put_policy dan practice || return 1
	now=$(in_policy 'stat -c %Y practice.policy')
	[ "$now" -gt "$before" ] && [ $(($(date +%s) - now)) -lt 30 ] || fail "$before, then $now" || return 1
	sleep 1.1
	[ "$(in_policy 'stat -c %Y practice.policy')" = "$now" ] || fail "the time moves by itself" || return 1
	reset_policy
}

# ---- every way of saving ----

t_shell_writes_in_place() {
	with_stewards | sed 's/Klinik Nord/Klinik Sol/' | as dan sh -c "cat >'$P/practice.policy'" || fail "cat was refused: $(error_of practice.policy)" || return 1
	has 'Klinik Sol' || return 1
	as dan bash -c "{ cat '$P/practice.policy'; echo '# by bash'; } >'$ROOT/home/dan/x' && cat '$ROOT/home/dan/x' >'$P/practice.policy'" || return 1
	has '# by bash' || return 1
	as dan bash -c "text=\$(cat '$P/practice.policy'); printf '%s\n# printf\n' \"\$text\" >'$P/practice.policy'" || fail "printf was refused" || return 1
	has '# printf' || return 1
	as dan sh -c "text=\$(cat '$P/practice.policy'); printf '%s\n# dash\n' \"\$text\" >'$P/practice.policy'" || fail "dash's printf was refused" || return 1
	has '# dash' || return 1
	as dan sh -c "echo '# appended' >>'$P/practice.policy'" && has '# appended' || return 1
	# Commands that inherit the descriptor each close it: one save, at the end.
	local n
	n=$(audit --since -5m | grep -c 'version [0-9]*:')
	as dan sh -c "cat '$P/practice.policy' >'$ROOT/home/dan/x'; (head -n 4 '$ROOT/home/dan/x'; tail -n +5 '$ROOT/home/dan/x'; echo '# in two') >'$P/practice.policy'" || return 1
	has '# in two' && [ "$(audit --since -5m | grep -c 'version [0-9]*:')" -eq $((n + 1)) ] || fail "not one version" || return 1
	reset_policy
}

t_cp_tee_dd_and_mv_save() {
	with_stewards | sed 's/Nord"/Tee"/' >"$ROOT/a.policy"
	with_stewards | sed 's/Nord"/Copied"/' >"$ROOT/b.policy"
	with_stewards | sed 's/Nord"/Moved"/' >"$ROOT/c.policy"
	chmod 644 "$ROOT"/?.policy
	as dan sh -c "tee '$P/practice.policy' <'$ROOT/a.policy' >/dev/null" && has 'Klinik Tee' || return 1
	as dan cp "$ROOT/b.policy" "$P/practice.policy" && has 'Klinik Copied' || return 1
	as dan sh -c "cp '$ROOT/c.policy' '$P/.draft' && mv '$P/.draft' '$P/practice.policy'" && has 'Klinik Moved' || return 1
	as dan cp -p "$ROOT/a.policy" "$P/practice.policy" && has 'Klinik Tee' || return 1
	as dan dd if="$ROOT/b.policy" of="$P/practice.policy" bs=100 conv=fsync status=none && has 'Klinik Copied' || return 1
	as dan sh -c "mv '$ROOT/home/dan/none' '$P/practice.policy' 2>/dev/null; cp '$ROOT/c.policy' '$ROOT/home/dan/c' && mv '$ROOT/home/dan/c' '$P/practice.policy'" && has 'Klinik Moved' || return 1
	[ -z "$(in_policy 'ls -A' | grep -v '^journals$\|^practice\.\(d\|policy\)$')" ] || fail "left: $(in_policy 'ls -A')" || return 1
	reset_policy
}

t_sed_i_saves() {
	in_policy "sed -i 's/Klinik Nord/Klinik Sed/' practice.policy" && has 'Klinik Sed' || return 1
	in_policy "sed -i.bak 's/Klinik Sed/Klinik Zed/' practice.policy" && has 'Klinik Zed' || return 1
	in_policy "grep -q 'Klinik Sed' practice.policy.bak && rm practice.policy.bak" || fail "no backup" || return 1
	reset_policy
}

vim() { # SETTINGS COMMANDS FILE: vim without a screen, as dan
	as dan vim.tiny -u NONE -N -es --cmd "set $1" -c "$2" -c 'wq' "$3"
}
t_vim_saves_whatever_its_settings() {
	local n=0 s
	for s in 'backupcopy=yes' 'backupcopy=no' 'backupcopy=auto' 'backup backupcopy=no' 'backup backupcopy=yes' 'nowritebackup' 'swapfile backupcopy=no' 'swapfile fsync'; do
		n=$((n + 1))
		vim "$s" "%s/^practice .*/practice \"Klinik Vim $n\"/" "$P/practice.policy" || { fail "vim with $s was refused: $(error_of practice.policy)"; return 1; }
		has "Klinik Vim $n" || fail "with $s" || return 1
		in_policy 'grep -q "Klinik Vim '$n'" practice.policy' || fail "the file is another with $s" || return 1
	done
	in_policy 'ls -A' | grep -q '\.swp$\|4913' && fail "left: $(in_policy 'ls -A')" && return 1
	in_policy 'rm -f practice.policy~'
	reset_policy
}

t_vim_that_is_refused_keeps_what_is_in_force_and_what_was_typed() {
	local s before
	before=$(shown)
	for s in 'backupcopy=yes' 'backupcopy=no' 'nowritebackup' 'backup backupcopy=no'; do
		vim "$s" '%s/role nurse     unit/role nurze unit/' "$P/practice.policy" && fail "vim with $s says that it saved" && return 1
		[ "$(shown)" = "$before" ] && [ "$(in_policy 'cat practice.policy')" = "$before" ] || fail "with $s something else is in force" || return 1
		error_of practice.policy | grep -q 'practice.policy:[0-9]*:[0-9]*: .*nurze\|did you mean' || fail "with $s: $(error_of practice.policy)" || return 1
		in_policy 'grep -q "role nurze unit" practice.policy.rejected' || fail "with $s the text is lost" || return 1
	done
	in_policy 'rm -f practice.policy~'
	# The rejected text, put right, is saved and takes both away.
	in_policy "sed 's/nurze/nurse/; s/Klinik Nord/Klinik Ret/' practice.policy.rejected >good && mv good practice.policy" || return 1
	has 'Klinik Ret' && ! in_policy 'ls practice.policy.error practice.policy.rejected' 2>/dev/null || return 1
	reset_policy
}

nano() { # KEYS FILE
	as dan env -i PATH="$PATH" HOME="$ROOT/home/dan" TERM=vt100 expect -c "
		set timeout 20
		spawn nano --ignorercfiles ${3:-} \"$2\"
		sleep 1
		send \"$1\"
		send \"\x0f\r\"
		sleep 1
		send \"\x18\"
		expect {eof {} -re {Save modified} {send n; expect eof}}" >"$ROOT/nano.out" 2>&1
}
t_nano_saves() {
	nano '# typed in nano\r' "$P/practice.policy" || return 1
	has '# typed in nano' || fail "$(tail -c 600 "$ROOT/nano.out")" || return 1
	nano '# with a backup\r' "$P/journals/$ONE.policy" --backup || return 1
	has '# with a backup' "$ONE" || return 1
	in_policy "rm -f 'journals/$ONE.policy~'"
	local before
	before=$(shown)
	nano 'practize \r' "$P/practice.policy"
	grep -q 'Error writing' "$ROOT/nano.out" || fail "nano does not say it was refused: $(tail -c 600 "$ROOT/nano.out")" || return 1
	[ "$(shown)" = "$before" ] || return 1
	reset_policy
}

# ---- refused ----

refused() { # FILE PATTERN < TEXT: refused by close, by fsync and by rename, each with EINVAL, and told
	local how said before
	cat >"$ROOT/bad.policy"
	chmod 644 "$ROOT/bad.policy"
	before=$(shown "${1%.policy}" 2>/dev/null || shown "$(basename "${1%.policy}")")
	for how in close fsync rename; do
		said=$(as dan "$POLICY" save $how "$P/$1" <"$ROOT/bad.policy") && fail "$how took it: $2" && return 1
		grep -q "^$how EINVAL" <<<"$said" || fail "$how says $said" || return 1
		error_of "$1" >"$ROOT/said" 2>/dev/null
		grep -Eq "^[^:]+:[0-9]+:[0-9]+: .*$2" "$ROOT/said" || fail "wanted $2, .error says: $(cat "$ROOT/said")" || return 1
		as dan cat "$P/$1.rejected" | cmp - "$ROOT/bad.policy" || fail "the text is lost" || return 1
	done
	[ "$(shown "${1%.policy}" 2>/dev/null || shown "$(basename "${1%.policy}")")" = "$before" ] || fail "something else is in force" || return 1
	as dan cat "$P/$1" | cmp - <(printf '%s\n' "$before") || fail "the file shows something else"
}
t_bad_text_is_refused_with_the_place_and_the_fix() {
	with_stewards | sed 's/^practice /practize /' | refused practice.policy 'did you mean `practice`' || return 1
	with_stewards | sed 's/role nurse     unit north/role nurze unit north/' | refused practice.policy 'nurze.*did you mean `nurse`' || return 1
	with_stewards | sed 's/unit north$/unit nort/' | refused practice.policy 'nort.*did you mean `north`' || return 1
	with_stewards | sed 's/^role secretary.*/role secretary may list create break-glass/' | refused practice.policy 'clinical' || return 1
	with_stewards | sed 's/ policy//; s/may$/may list/' | grep -v '^role steward' | refused practice.policy '[Ss]teward|policy' || return 1
	with_stewards | sed 's/audit review/list/; s/ list list/ list/; s/policy list/policy/' | refused practice.policy 'audit' || return 1
	with_stewards | grep -v '^practitioner bo' | refused practice.policy '`bo` is enrolled' || return 1
	shown "$ONE" | sed 's/user:anna/user:ana/' | refused "journals/$ONE.policy" 'ana.*did you mean `anna`' || return 1
	shown "$ONE" | sed 's/^unit .*/unit nowhere/' | refused "journals/$ONE.policy" 'nowhere' || return 1
	shown "$ONE" | sed 's/^journal .*/journal "Somebody else"/' | refused "journals/$ONE.policy" 'Somebody else' || return 1
	printf 'journal "%s"\nunit north\nblock role:physician\nblock role:nurse\n' "$ONE" | refused "journals/$ONE.policy" '' || return 1
	with_stewards | put_policy dan practice
}

t_every_error_is_told_at_once() {
	with_stewards | sed 's/^unit south/unitt south/; s/^role auditor/rolle auditor/; s/nurse     unit/nurze unit/' |
		as dan "$POLICY" save close "$P/practice.policy" >/dev/null
	[ "$(error_of practice.policy | grep -c '^practice.policy:[0-9]*:[0-9]*: ')" -ge 3 ] || fail "$(error_of practice.policy)" || return 1
	audit --since -1m | grep -i refused | grep -q 'practice.policy:[0-9]*:[0-9]*:' || fail "the refusal is not in the log" || return 1
	reset_policy
	in_policy 'cp practice.policy x && echo "# good" >>x && mv x practice.policy' || return 1
	! as dan test -e "$P/practice.policy.error" && ! as dan test -e "$P/practice.policy.rejected" || fail "the reports stay" || return 1
	reset_policy
}

t_empty_text_is_never_a_version() {
	local before said
	before=$(shown)
	said=$(as dan "$POLICY" save close "$P/practice.policy" </dev/null) && fail "an empty file was taken" && return 1
	[ "$said" = 'close EINVAL' ] || fail "$said" || return 1
	as dan sh -c ": >'$P/practice.policy'" 2>/dev/null
	as dan truncate -s 0 "$P/practice.policy" 2>/dev/null && fail "truncate was taken" && return 1
	[ "$(shown)" = "$before" ] && [ "$(in_policy 'cat practice.policy')" = "$before" ] || return 1
	wait_for 5 as dan test -e "$P/practice.policy.error" && error_of practice.policy | grep -q empty || fail "$(error_of practice.policy)" || return 1
	reset_policy && in_policy 'rm -f practice.policy.error practice.policy.rejected'
}

t_same_text_is_no_version() {
	local n
	n=$(audit --since -10m | grep -c 'version [0-9]*:')
	in_policy 'cp practice.policy x && mv x practice.policy' && in_policy 'cat practice.policy >y && cat y >practice.policy && rm y' &&
		in_policy 'touch practice.policy && chmod 644 practice.policy && mv practice.policy z && mv z practice.policy' || return 1
	in_policy 'cat practice.policy' >"$ROOT/same"
	echo '# one more' >>"$ROOT/same"
	as dan "$POLICY" save fsync "$P/practice.policy" <"$ROOT/same" | grep -qx ok || return 1
	[ "$(audit --since -10m | grep -c 'version [0-9]*:')" -eq $((n + 1)) ] || fail "fsync and close made two versions, or the same text one" || return 1
	reset_policy
}

# ---- names that are taken away ----

t_policy_that_is_moved_away_or_removed_stays_in_force() {
	local before
	before=$(shown)
	in_policy 'mv practice.policy practice.policy~' && ! as dan test -e "$P/practice.policy" || fail "the name stays" || return 1
	[ "$(shown)" = "$before" ] && [ "$(in_policy 'cat practice.policy~')" = "$before" ] || return 1
	in_policy 'sed "s/Klinik Nord/Klinik Ny/" practice.policy~ >practice.policy && rm practice.policy~' && has 'Klinik Ny' || return 1
	in_policy 'rm practice.policy' && [ "$(shown)" != "" ] || return 1
	wait_for 15 as dan test -e "$P/practice.policy" || fail "the name does not come back" || return 1
	has 'Klinik Ny' && in_policy "rm 'journals/$ONE.policy'" && shown "$ONE" | grep -q 'user:anna' || return 1
	wait_for 15 as dan test -e "$P/journals/$ONE.policy" || return 1
	reset_policy
}

t_what_is_no_policy_file_is_no_policy() {
	[ "$(as dan "$POLICY" try create "$P/journals/Nobody.policy" x)" = EINVAL ] || return 1
	as dan cat "$P/journals/Nobody.policy.error" | grep -q 'no journal of this name' || return 1
	[ "$(as dan "$POLICY" try create "$P/practice.d/No Such.policy" x)" = EINVAL ] || return 1
	[ "$(as dan "$POLICY" try mkdir "$P/dir" x)" = EPERM ] && [ "$(as dan "$POLICY" try symlink "$P/link" x)" = EPERM ] || return 1
	[ "$(as dan "$POLICY" try link "$P/practice.policy" "$P/hard")" = EPERM ] && [ "$(as dan "$POLICY" try mkfifo "$P/fifo" x)" = EPERM ] || return 1
	[ "$(as dan "$POLICY" try rename "$P/practice.d" "$P/elsewhere")" = EPERM ] || return 1
	[ "$(as dan "$POLICY" try rename "$P/journals/$ONE.policy" "$P/journals/$TWO.policy")" = EPERM ] || return 1
	[ "$(as dan "$POLICY" try chmod "$P/practice.policy" x)$(as dan "$POLICY" try chown "$P/practice.policy" x)$(as dan "$POLICY" try utimens "$P/practice.policy" x)" = okokok ] || return 1
	[ "$(as dan "$POLICY" try mmap "$P/practice.policy" x)" = ENODEV ] || return 1
	[ "$(as dan "$POLICY" try rename "$P/practice.policy" "$(J dan)/away")" = EPERM ] || return 1
	expect_errno EPERM as dan mkdir "$(J dan)/.policies" || return 1
	as dan "$POLICY" lock "$P/practice.policy" && in_policy 'echo x >scratch' && as dan "$POLICY" lock "$P/scratch" && in_policy 'rm scratch'
}

need_root
POLICY=$PROBES/policy
clinic || { echo "FAIL policy_files: set-up"; cat "$ROOT/daemon.log"; exit 1; }
account sue lis
with_stewards | put_policy dan practice && enroll sue && enroll lis && login anna && login bo && login sue && login lis ||
	{ echo "FAIL policy_files: set-up of people"; cat "$ROOT/daemon.log"; exit 1; }
as anna mkdir "$(J anna)/$ONE" "$(J anna)/$TWO" || { echo "FAIL policy_files: journals"; exit 1; }
P=$(J dan)/.policy Q=$(J sue)/.policy
run_tests
