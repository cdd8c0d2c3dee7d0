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
	with_stewards | sed 's/ policy//; s/may$/may list/' | grep -v '^role steward' | refused practice.policy 'no active practitioner may `policy`' || return 1
	with_stewards | sed 's/audit review/list/; s/ list list/ list/; s/policy list/policy/' | refused practice.policy 'no active practitioner may `audit`' || return 1
	with_stewards | grep -v '^practitioner bo' | refused practice.policy '`bo` is enrolled' || return 1
	shown "$ONE" | sed 's/user:anna/user:ana/' | refused "journals/$ONE.policy" 'ana.*did you mean `anna`' || return 1
	shown "$ONE" | sed 's/^unit .*/unit nowhere/' | refused "journals/$ONE.policy" 'nowhere' || return 1
	shown "$ONE" | sed 's/^journal .*/journal "Somebody else"/' | refused "journals/$ONE.policy" 'Somebody else' || return 1
	printf 'journal "%s"\nunit north\nblock role:physician\nblock role:nurse\n' "$ONE" | refused "journals/$ONE.policy" 'nobody who is active could open this journal' || return 1
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
	in_policy 'rm "practice.d/No Such.policy.error" journals/Nobody.policy.error' || return 1
	[ "$(as dan "$POLICY" try mkdir "$P/dir" x)" = EPERM ] && [ "$(as dan "$POLICY" try symlink "$P/link" x)" = EPERM ] || return 1
	[ "$(as dan "$POLICY" try link "$P/practice.policy" "$P/hard")" = EPERM ] && [ "$(as dan "$POLICY" try mkfifo "$P/fifo" x)" = EPERM ] || return 1
	[ "$(as dan "$POLICY" try rename "$P/practice.d" "$P/elsewhere")" = EPERM ] || return 1
	[ "$(as dan "$POLICY" try rename "$P/journals/$ONE.policy" "$P/journals/$TWO.policy")" = EPERM ] || return 1
	[ "$(as dan "$POLICY" try chmod "$P/practice.policy" x)$(as dan "$POLICY" try chown "$P/practice.policy" x)$(as dan "$POLICY" try utimens "$P/practice.policy" x)" = okokok ] || return 1
	[ "$(as dan "$POLICY" try mmap "$P/practice.policy" x)" = ENODEV ] || return 1
	[ "$(as dan "$POLICY" try rename "$P/practice.policy" "$(J dan)/away")" = EPERM ] || return 1
	expect_errno EPERM as dan mkdir "$(J dan)/.policies" || return 1
	expect_errno EPERM as dan rmdir "$P" && expect_errno EPERM as dan mv -T "$P" "$(J dan)/away" && expect_errno EPERM as dan mv -T "$P" "$(J dan)/.away" || return 1
	as dan "$POLICY" lock "$P/practice.policy" && in_policy 'echo x >scratch' && as dan "$POLICY" lock "$P/scratch" && in_policy 'rm scratch'
}

# ---- two stewards ----

t_second_save_from_an_old_version_is_refused_with_what_changed() {
	local way
	for way in vim sed write; do
		reset_policy
		# Both look; sue saves first.
		as dan cat "$P/practice.policy" >"$ROOT/home/dan/mine" && as sue cat "$Q/practice.policy" >"$ROOT/home/sue/hers" || return 1
		chown jft-dan "$ROOT/home/dan/mine"
		as sue sh -c "sed 's/Afdeling Nord/Afdeling Sue/' '$Q/practice.policy' >'$Q/.new' && mv '$Q/.new' '$Q/practice.policy'" || fail "sue was refused" || return 1
		has 'Afdeling Sue' || return 1
		echo '# by dan' >>"$ROOT/home/dan/mine"
		case $way in
		vim) # an editor that has been open since before
			reset_policy
			as dan env -i PATH="$PATH" HOME="$ROOT/home/dan" TERM=vt100 expect -c "set timeout 20
				spawn vim.tiny -u NONE -N -n \"$P/practice.policy\"
				expect Klinik; exec touch ready; while {![file exists go]} {after 100}
				send \"Go# by dan\x1b\"; send \":w!\r\"; expect {(y/n)}; send y; expect -re {E512|E667|Invalid}; send \":q!\r\"; expect eof" >"$ROOT/dan.out" 2>&1 &
			local pid=$!
			wait_for 20 test -e "$ROOT/home/dan/ready" || return 1
			sleep 1.2
			as sue sh -c "sed 's/Afdeling Nord/Afdeling Sue/' '$Q/practice.policy' >'$Q/.new' && mv '$Q/.new' '$Q/practice.policy'" || fail "sue was refused" || return 1
			as dan touch "$ROOT/home/dan/go"
			wait $pid
			rm -f "$ROOT/home/dan/go" "$ROOT/home/dan/ready"
			;;
		sed) as dan sh -c "cp '$ROOT/home/dan/mine' '$P/.x' && mv '$P/.x' '$P/practice.policy'" 2>/dev/null && fail "dan overwrote by renaming" && return 1 ;;
		write) as dan cp "$ROOT/home/dan/mine" "$P/practice.policy" 2>/dev/null && fail "dan overwrote in place" && return 1 ;;
		esac
		has 'Afdeling Sue' || fail "$way: sue's version is gone" || return 1
		shown | grep -q 'by dan' && fail "$way: dan's version is in force" && return 1
		error_of practice.policy >"$ROOT/said" || fail "$way: $(tail -c 300 "$ROOT/dan.out")" || return 1
		grep -q 'practice.policy:1:1: .*out of date: sue replaced it with version [0-9]* at 20' "$ROOT/said" &&
			grep -q '^-unit north "Afdeling Nord"' "$ROOT/said" && grep -q '^+unit north "Afdeling Sue"' "$ROOT/said" || fail "$way: $(cat "$ROOT/said")" || return 1
		in_policy 'grep -q "# by dan" practice.policy.rejected' || fail "$way: what dan typed is lost" || return 1
		! as sue test -e "$Q/practice.policy.error" || fail "sue sees dan's error" || return 1
		# Read again, changed there, saved.
		in_policy 'sed -i "\$a # by dan" practice.policy' && has '# by dan' && has 'Afdeling Sue' || return 1
		! as dan test -e "$P/practice.policy.error" || fail "$way: the error stays" || return 1
	done
	reset_policy
}

t_reader_sees_the_text_it_opened_and_others_the_new_one() {
	coproc H { as dan "$POLICY" hold "$P/practice.policy" r; }
	local pid=$H_PID in=${H[1]} out=${H[0]} line
	read -r -t 20 line <&"$out"
	{ echo '# first'; with_stewards; } | put_policy sue practice || return 1
	in_policy 'head -n 1 practice.policy' | grep -qx '# first' || fail "the next open shows the old text" || return 1
	echo r >&"$in"
	read -r -t 20 line <&"$out"
	[ "$line" = 'practice "Klinik Nord"' ] || fail "the open descriptor shows $line" || return 1
	echo c >&"$in"
	wait $pid
	reset_policy
}

t_readers_see_whole_texts_during_a_hundred_saves() {
	local k pid n
	{ echo '# save 0'; with_stewards; echo '# end 0'; } | put_policy dan practice || return 1
	as sue "$POLICY" whole "$Q/practice.policy" "$ROOT/stop" >"$ROOT/whole.out" 2>&1 &
	pid=$!
	with_stewards >"$ROOT/body" && chmod 644 "$ROOT/body"
	as dan bash -c "for k in \$(seq 50); do
		{ echo \"# save \$k\"; cat '$ROOT/body'; seq -f '# %g' \$((k % 7 * 100)); echo \"# end \$k\"; } >'$P/.x' && mv '$P/.x' '$P/practice.policy' || exit 1
		{ echo \"# save 9\$k\"; cat '$ROOT/body'; echo \"# end 9\$k\"; } >'$P/practice.policy' || exit 1
	done" || fail "a save was refused: $(error_of practice.policy)"
	local rc=$?
	touch "$ROOT/stop"
	wait $pid || { fail "$(cat "$ROOT/whole.out")"; rc=1; }
	rm -f "$ROOT/stop"
	[ "$(cat "$ROOT/whole.out")" -gt 20 ] 2>/dev/null || { fail "only $(cat "$ROOT/whole.out") reads"; rc=1; }
	has '# end 950' || rc=1
	reset_policy
	return $rc
}

# ---- parts ----

t_practice_in_parts() {
	{ with_stewards; echo 'include practice.d'; } | as dan "$POLICY" save close "$P/practice.policy" || fail "$(error_of practice.policy)" || return 1
	printf 'unit west "Afdeling Vest"\ndefault unit west allow user:anna:r-x\n' | as dan "$POLICY" save rename "$P/practice.d/west.policy" || fail "$(error_of practice.d/west.policy)" || return 1
	[ "$(in_policy 'ls practice.d')" = west.policy ] && in_policy 'grep -q anna practice.d/west.policy' || fail "$(in_policy 'ls practice.d')" || return 1
	! in_policy 'grep -q Vest practice.policy' || fail "the part shows in the practice" || return 1
	in_policy 'sed -i s/Vest/Vester/ practice.d/west.policy && grep -q Vester practice.d/west.policy' || return 1
	vim backupcopy=no '%s/Vester/Vestlig/' "$P/practice.d/west.policy" || fail "vim: $(error_of practice.d/west.policy)" || return 1
	printf 'unit west "Vest"\ndefault unit wets allow user:anna:r-x\n' | as dan "$POLICY" save close "$P/practice.d/west.policy" && fail "a bad part was taken" && return 1
	error_of practice.d/west.policy | grep -q '^practice.d/west.policy:2:.*wets.*did you mean' || fail "$(error_of practice.d/west.policy)" || return 1
	in_policy 'grep -q Vestlig practice.d/west.policy' || fail "the bad part is in force" || return 1
	# Two stewards, two parts: neither is in the other's way.
	as dan sh -c "cat '$P/practice.d/west.policy' >'$ROOT/home/dan/w'" || return 1
	printf 'unit east "Afdeling Oest"\n' | as sue "$POLICY" save rename "$Q/practice.d/east.policy" || return 1
	as dan sh -c "(cat '$ROOT/home/dan/w'; echo '# more') >'$P/practice.d/west.policy'" || return 1
	in_policy 'grep -q "# more" practice.d/west.policy' || fail "another part made this one stale: $(error_of practice.d/west.policy)" || return 1
	as sue sh -c "(cat '$Q/practice.d/west.policy' && echo '# by sue') >'$Q/.w' && mv '$Q/.w' '$Q/practice.d/west.policy'" || return 1
	as dan cp "$ROOT/home/dan/w" "$P/practice.d/west.policy" 2>/dev/null && fail "dan overwrote sue's part" && return 1
	error_of practice.d/west.policy | grep -q 'sue replaced it' || fail "$(error_of practice.d/west.policy)" || return 1
	[ "$(in_policy 'ls practice.d | grep -v "error\|rejected"' | tr '\n' ' ')" = 'east.policy west.policy ' ] || fail "$(in_policy 'ls practice.d')" || return 1
	# What another part needs can't go; what nobody needs can.
	printf 'default unit east allow user:bo:r-x\n' | as dan "$POLICY" save close "$P/practice.d/more.policy" || fail "$(error_of practice.d/more.policy)" || return 1
	[ "$(as dan "$POLICY" try unlink "$P/practice.d/east.policy" x)" = EINVAL ] || fail "east went, more needs it" || return 1
	error_of practice.d/east.policy | grep -q east || return 1
	in_policy 'mv practice.d/east.policy practice.d/orient.policy && grep -q Oest practice.d/orient.policy && mv practice.d/orient.policy practice.d/east.policy' || fail 'a part gets no other name' || return 1
	in_policy 'cat practice.d/*.policy >/dev/null; rm practice.d/more.policy practice.d/east.policy practice.d/west.policy' || fail "$(in_policy 'tail practice.d/*.error')" || return 1
	! in_policy 'ls practice.d' | grep -v 'error\|rejected' | grep . || fail "parts stay" || return 1
	audit --since -2m | grep -q 'Afdeling Vestlig' || fail "no diff of a part in the log" || return 1
	reset_policy && in_policy 'rm -f practice.d/*'
}

t_new_powers_wait_for_a_second_steward() {
	local n before
	before=$(shown)
	{ with_stewards; echo 'practitioner ulla user jft-ulla role physician unit north'; } >"$ROOT/new.text"
	chmod 644 "$ROOT/new.text"
	as dan "$POLICY" save close "$P/practice.policy" <"$ROOT/new.text" >"$ROOT/said" && fail "in force at once" && return 1
	grep -qx 'close EINPROGRESS' "$ROOT/said" && [ "$(shown)" = "$before" ] || fail "$(cat "$ROOT/said")" || return 1
	error_of practice.policy | grep -q 'takes two stewards: it is kept as proposal' || fail "$(error_of practice.policy)" || return 1
	n=$(error_of practice.policy | sed -n 's/.*kept as proposal \([0-9]*\) .*/\1/p')
	jfs sue approve "$n" </dev/null || jfs sue approve --yes "$n" || fail "sue can't agree to proposal $n" || return 1
	in_policy 'grep -q ulla practice.policy' || fail "not in force after both agreed" || return 1
	reset_policy && in_policy 'rm -f practice.policy.error'
}

# ---- who may not ----

t_everybody_else_is_refused_and_each_refusal_logged() {
	local who call m n got
	for who in anna bo lis; do
		m=$(J $who)/.policy
		n=0
		for call in stat read write cut create mmap list mkdir unlink truncate chmod rename link symlink setxattr getxattr; do
			got=$(as $who "$POLICY" try $call "$m/practice.policy" "$m/other")
			[ "$got" = EACCES ] || fail "$who: $call answers $got" || return 1
			got=$(as $who "$POLICY" try $call "$m" "$m.other")
			[ "$got" = EACCES ] || [ "$call $got" = 'mkdir EPERM' ] || [ "$call $got" = 'symlink EPERM' ] || fail "$who: $call of .policy answers $got" || return 1
		done
		expect_errno EACCES as $who ls "$m" || return 1
		expect_errno EACCES as $who ls "$m/journals" || return 1
		audit --who $who --since -3m | grep -i refused | grep -q '\.policy' || fail "$who's tries are not in the log" || return 1
	done
	expect_errno EACCES as anna mv "$(J anna)/$ONE" "$(J anna)/.policy" || expect_errno EPERM as anna mv "$(J anna)/$ONE" "$(J anna)/.policy" || return 1
	# Those who are not of this mount at all.
	! ls "$P" 2>/dev/null && ! as bo ls "$P" 2>/dev/null
}

t_steward_reads_no_journal_by_any_path() {
	local p
	echo secret | as anna tee "$(J anna)/$ONE/note" >/dev/null || return 1
	for p in "$P/../$ONE/note" "$P/journals/../../$ONE/note" "$P/journals/$ONE/note" "$P/journals/$ONE.policy/note" "$(J dan)/$ONE/note" "$P/practice.d/../../$ONE"; do
		as dan cat "$p" 2>/dev/null | grep -q . && fail "dan reads $p" && return 1
		as dan sh -c "ls -A '$p' >'$ROOT/home/dan/ls' 2>/dev/null && [ -s '$ROOT/home/dan/ls' ]" && fail "dan lists $p" && return 1
	done
	[ "$(as dan "$POLICY" try rename "$(J dan)/$ONE/note" "$P/note")" != ok ] && [ "$(as dan "$POLICY" try link "$(J dan)/$ONE/note" "$P/note")" != ok ] &&
		audit --who dan --since -1m | grep -qi refused
}

t_admission_and_its_end_through_a_journals_file() {
	local line rc=0
	shown "$ONE" >"$ROOT/before"
	as anna sh -c "head -c 9000 /dev/zero | tr '\\0' x >'$(J anna)/$ONE/long'" || return 1
	in_policy "echo 'allow user:bo:rwx reason \"second opinion\"' >>'journals/$ONE.policy'" || fail "$(error_of "journals/$ONE.policy")" || return 1
	wait_for 10 as bo cat "$(J bo)/$ONE/long" >/dev/null || fail "bo is not admitted" || return 1
	coproc HOLD { as bo "$PROBES/probe" hold "$(J bo)/$ONE/long" r; }
	local pid=$HOLD_PID in=${HOLD[1]} out=${HOLD[0]}
	read -r -t 20 line <&"$out"
	coproc MAP { as bo "$PROBES/probe" holdmap "$(J bo)/$ONE/long"; } 2>/dev/null
	local mpid=$MAP_PID min=${MAP[1]} mout=${MAP[0]}
	read -r -t 20 line <&"$mout"
	in_policy "sed -i '/user:bo:/d' 'journals/$ONE.policy'" || rc=1
	sleep 1
	echo r >&"$in"; read -r -t 20 line <&"$out"
	[ "$line" = EACCES ] || { fail "bo's descriptor answers $line"; rc=1; }
	echo r >&"$min"; read -r -t 20 line <&"$mout"
	[ "$line" = SIGBUS ] || { fail "bo's mapping answers $line"; rc=1; }
	eval "exec $in>&-" "$min>&-"
	wait $pid $mpid 2>/dev/null
	shown "$ONE" | cmp - "$ROOT/before" || { fail "the file is another than before"; rc=1; }
	audit --since -1m | grep -q 'second opinion' || { fail "no diff in the log"; rc=1; }
	return $rc
}

t_reading_and_listing_are_in_the_log() {
	in_policy "cat 'journals/$TWO.policy' practice.policy >/dev/null; ls journals >/dev/null" || return 1
	audit --who dan --since -1m >"$ROOT/said"
	grep -q "\.policy/journals/$TWO\.policy" "$ROOT/said" && grep -q '\.policy/practice\.policy' "$ROOT/said" && grep -q 'listed.*\.policy/journals' "$ROOT/said" || fail "$(tail -n 5 "$ROOT/said")"
}

# ---- scratch ----

t_scratch_is_bounded_and_files_do_as_files_do() {
	in_policy 'echo one >a && mv a b && cat b >c && cmp b c && truncate -s 2 c && [ "$(cat c)" = on ] && chmod 640 c && [ "$(stat -c %a c)" = 640 ] &&
		touch -d 2001-02-03 c && [ "$(stat -c %Y c)" = "$(date -d 2001-02-03 +%s)" ] && mv c practice.d/c && mv practice.d/c journals/c && rm journals/c b' || return 1
	in_policy 'exec 3<>gone && rm gone && echo here >&3 && [ "$(cat /proc/self/fd/3)" = here ] || [ $? -eq 1 ]'
	in_policy 'head -c 6000000 /dev/zero >big' 2>"$ROOT/said" && fail "6 MB were taken" && return 1
	grep -q 'No space\|too large' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	in_policy 'for n in $(seq 300); do echo >f$n || break; done' 2>"$ROOT/said"
	grep -q 'No space' "$ROOT/said" && in_policy 'rm -f big f*' && in_policy 'echo again >x && rm x' || fail "$(cat "$ROOT/said")" || return 1
	[ -z "$(in_policy 'ls -A | grep -v "^journals$\|^practice\.\|^practice.d$"')" ] || fail "left: $(in_policy 'ls -A')"
}

t_lock_wipes_scratch_and_nothing_lies_on_disk() {
	in_policy 'echo MARKERscratch >scratch; sed "s/^practice .*/practize MARKERrejected/" practice.policy >x; mv x practice.policy 2>/dev/null; rm -f x'
	in_policy 'grep -q MARKERrejected practice.policy.rejected' || return 1
	{ with_stewards; echo '# MARKERinforce'; } | as dan "$POLICY" save close "$P/practice.policy" || fail "$(error_of practice.policy)" || return 1
	in_policy 'echo "practize" >y; mv y practice.policy 2>/dev/null'
	jfs dan lock || return 1
	expect_errno ENOKEY as dan cat "$P/practice.policy" || return 1
	jfs dan unlock --passphrase-fd 9 9< <(pass_of dan) || return 1
	[ -z "$(in_policy 'ls -A | grep -v "^journals$\|^practice.policy$\|^practice.d$"')" ] || fail "after the lock: $(in_policy 'ls -A')" || return 1
	in_policy 'grep -q MARKERinforce practice.policy' || return 1
	sync
	grep -raq 'MARKER' "$ROOT/disk" "$ROOT/daemon.log" && fail "clear text on disk" && return 1
	reset_policy
}

# Last: to get it back takes two stewards.
t_losing_the_right_cuts_open_files_at_once() {
	coproc H { as sue "$POLICY" hold "$Q/practice.policy" w; }
	local pid=$H_PID in=${H[1]} out=${H[0]} line rc=0
	read -r -t 20 line <&"$out"
	echo w >&"$in"
	read -r -t 20 line <&"$out"
	[ "$line" = ok ] || fail "sue can't write: $line" || return 1
	as sue sh -c "echo mine >'$Q/scratch'" || return 1
	with_stewards | sed 's/^role owner may policy/role owner may list/' | put_policy dan practice || return 1
	for what in r w s; do
		echo $what >&"$in"
		read -r -t 20 line <&"$out"
		[ "$line" = EACCES ] || { fail "after the change $what answers $line"; rc=1; }
	done
	expect_errno EACCES as sue cat "$Q/scratch" || rc=1
	! as sue ls -A "$(J sue)" | grep -q policy || rc=1
	echo c >&"$in"
	wait $pid
	audit --who sue --since -1m | grep -i refused | grep -q 'read\|write' || { fail "not in the log"; rc=1; }
	return $rc
}

need_root
POLICY=$PROBES/policy
clinic || { echo "FAIL policy_files: set-up"; cat "$ROOT/daemon.log"; exit 1; }
account sue lis || exit 1
with_stewards | put_policy dan practice && enroll sue && enroll lis && login anna && login bo && login sue && login lis ||
	{ echo "FAIL policy_files: set-up of people"; cat "$ROOT/daemon.log"; exit 1; }
as anna mkdir "$(J anna)/$ONE" "$(J anna)/$TWO" || { echo "FAIL policy_files: journals"; exit 1; }
P=$(J dan)/.policy Q=$(J sue)/.policy
run_tests
