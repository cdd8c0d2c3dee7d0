#!/bin/bash
# getfacl and setfacl on a journal: its policy as an access list, and what must not touch it.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

NAME='010190-1234 Hansen, Anna'

acl() { # NAME: what getfacl shows of the journal in that practitioner's mount, without the heading
	as "$1" getfacl -cE -- "$(J "$1")/$NAME" 2>/dev/null | sed '/^$/d'
}

policy() { # the journal's policy in force
	jfs dan policy show "$NAME"
}

setacl() { # NAME OPTION...
	local n=$1
	shift
	as "$n" setfacl "$@" -- "$(J "$n")/$NAME"
}

kept() { # COMMAND...: its answer; fails when the policy is not the same afterwards, to the byte
	local before rc
	before=$(policy) || return 1
	"$@"
	rc=$?
	[ "$(policy)" = "$before" ] || { fail "the policy was changed by: $*"; return 1; }
	return $rc
}

refused() { # ERRNO COMMAND...: and nothing changes
	kept expect_errno "$@"
}

reset() {
	put_policy dan "$NAME" <<-'END'
		# Who may see this journal, and why.
		journal "010190-1234 Hansen, Anna"
		unit    north
		allow	user:anna:rwx	reason "treating # physician"   # since 2019
		   allow unit:north:r-x          # the ward
		allow   user:eva:r-x  until 2099-12-31  reason "second opinion"
		allow   role:secretary:r-x
		# The end.
	END
}

bo_elsewhere() { # bo is of another unit, and knows nothing of the journal
	jfs dan policy show practice | sed 's/^practitioner bo .*/practitioner bo user jft-bo role nurse unit south/' | put_policy dan practice &&
		wait_for 2 expect_errno ENOENT as bo ls "$(J bo)/$NAME"
}

t_getfacl_shows_practitioners_and_units() {
	local want="user::rwx
user:jft-anna:rwx
user:jft-eva:r-x
group::GROUP
group:jft-north:r-x
mask::rwx
other::OTHER"
	[ "$(acl anna | sed -E 's/^group::.*/group::GROUP/; s/^other::.*/other::OTHER/')" = "$want" ] || { acl anna; fail "anna"; return 1; }
	[ "$(acl bo | sed -E 's/^group::.*/group::GROUP/; s/^other::.*/other::OTHER/; s/^user::.*/user::rwx/')" = "$want" ] || fail "bo" || return 1
	# The steward may not enter, and sees who may.
	acl dan | grep -qx 'user::---' && acl dan | grep -qx 'user:jft-anna:rwx' && acl dan | grep -qx 'group:jft-north:r-x'
}

t_blocked_ones_are_shown_without_permissions() {
	{ policy && echo 'block   user:bo'; } | put_policy dan "$NAME" || return 1
	acl anna | grep -qx 'user:jft-bo:---' || fail "not shown" || return 1
	# A block goes by editing the text only; so does what looks like lifting it.
	refused EINVAL setacl dan -x u:jft-bo && refused EINVAL setacl dan -m u:jft-bo:r-x && refused EINVAL setacl dan -b && reset
}

t_setfacl_by_the_steward_admits_within_a_second() {
	local before after
	reset || return 1
	before=$(policy)
	expect_errno ENOENT as eva cat "$(J eva)/$NAME/nothing" || return 1
	bo_elsewhere || return 1
	setacl dan -m u:jft-bo:r-x || return 1
	wait_for 1 as bo cat "$(J bo)/$NAME/note" >/dev/null || fail "bo was not let in" || return 1
	expect_errno EACCES as bo touch "$(J bo)/$NAME/other" || return 1
	after=$(policy)
	[ "$(diff <(echo "$before") <(echo "$after") | grep '^[<>]')" = '> allow   user:bo:r-x' ] || fail "$(diff <(echo "$before") <(echo "$after"))" || return 1
	# Behind the last of its kind, and everything else byte for byte.
	[ "$(grep -n user:bo <<<"$after" | cut -d: -f1)" = 8 ] || fail "$after" || return 1
	acl anna | grep -qx 'user:jft-bo:r-x'
}

t_setfacl_changes_only_the_permissions_of_a_line() {
	local before after
	before=$(policy)
	setacl dan -m u:jft-eva:rwx,g:jft-north:--x || return 1
	after=$(policy)
	[ "$(sed 's/user:eva:r-x/user:eva:rwx/; s/unit:north:r-x/unit:north:--x/' <<<"$before")" = "$after" ] || fail "$after" || return 1
	wait_for 1 as eva touch "$(J eva)/$NAME/by-eva" || fail "eva may not write" || return 1
	setacl dan -m u:jft-eva:r-x,g:jft-north:r-x && [ "$(policy)" = "$before" ]
}

t_setfacl_x_cuts_open_files() {
	local fifo=$ROOT/hold
	reset && bo_elsewhere && setacl dan -m u:jft-bo:r-x && wait_for 1 as bo cat "$(J bo)/$NAME/note" >/dev/null || return 1
	rm -f "$fifo" && mkfifo "$fifo" && chmod 666 "$fifo"
	as bo sh -c 'exec 3<"$1" && cat /dev/fd/3 >/dev/null && exec 4<"$2" && read -r x && cat /dev/fd/4 2>&1; cat <&3 2>&1' \
		_ "$(J bo)/$NAME/note" "$(J bo)/$NAME/note2" <"$fifo" >"$ROOT/cut" &
	exec 7>"$fifo"
	sleep 0.5
	setacl dan -x u:jft-bo || return 1
	sleep 1
	echo go >&7
	exec 7>&-
	wait $!
	grep -qi 'denied\|No such file' "$ROOT/cut" && ! grep -q secret "$ROOT/cut" || fail "$(cat "$ROOT/cut")" || return 1
	! policy | grep -q user:bo
}

t_others_may_not_and_it_is_logged() {
	refused EPERM setacl anna -m u:jft-eva:rwx || return 1
	refused EPERM setacl anna -x u:jft-eva || return 1
	refused EPERM setacl anna -b || return 1
	audit --who anna --since -5m | grep -q 'setxattr: EPERM' || fail "not logged" || return 1
	# Whom the journal is hidden from learns nothing, as ever.
	setacl dan -x u:jft-eva || return 1
	wait_for 2 expect_errno ENOENT setacl eva -m u:jft-eva:rwx && expect_errno ENOENT as eva getfacl "$(J eva)/$NAME" && reset
}

t_what_is_no_line_of_the_policy_is_refused() {
	refused EINVAL setacl dan -m u:jft-daemon:r-x || return 1   # an account, no practitioner's
	refused EINVAL setacl dan -m u:4000000:r-x || return 1
	refused EINVAL setacl dan -m g:jft-daemon:r-x || return 1   # a group, no unit's
	refused EINVAL setacl dan -m u::rwx || return 1
	refused EINVAL setacl dan -m g::rwx || return 1
	refused EINVAL setacl dan -m o::r-x || return 1
	refused EINVAL setacl dan -n -m u:jft-eva:rwx,m::r-x || return 1
	# --- for somebody without a line keeps nobody out.
	refused EINVAL setacl dan -m u:jft-dan:--- || return 1
	# One who left.
	jfs dan policy show practice | sed 's/^practitioner bo .*/& left/' | put_policy dan practice || return 1
	refused EINVAL setacl dan -m u:jft-bo:r-x || return 1
	practice | put_policy dan practice || return 1
	audit --who dan --since -5m | grep -q "no practitioner's" || fail "the reason is not logged"
}

t_entry_of_two_lines_is_for_an_editor() {
	{ policy && echo 'allow   user:eva:-w-  from 2099-01-01'; } | put_policy dan "$NAME" || return 1
	refused EINVAL setacl dan -m u:jft-eva:rwx && refused EINVAL setacl dan -x u:jft-eva || return 1
	# What is not in force is not shown, and can't be brought into force this way.
	reset && policy | sed 's/until 2099-12-31/from 2099-12-31/' | put_policy dan "$NAME" || return 1
	! acl anna | grep -q jft-eva && refused EINVAL setacl dan -m u:jft-eva:r-x && reset
}

t_dashes_take_a_line_away_unless_that_lets_somebody_in() {
	setacl dan -m u:jft-eva:--- && ! policy | grep -q user:eva || fail "eva" || return 1
	# anna's unit may read: without her own line she still gets in, so that --- would not be true.
	refused EINVAL setacl dan -m u:jft-anna:--- && reset
}

t_nobody_is_locked_out_of_everything() {
	policy | sed '/unit:north/d' | put_policy dan "$NAME" || return 1
	refused EINVAL setacl dan -b || return 1
	policy | grep -q user:anna:rwx || return 1
	# With an entry for a role there is still somebody: everything that is shown goes.
	{ policy && echo 'allow   role:physician:rwx'; } | put_policy dan "$NAME" || return 1
	setacl dan -b || return 1
	! policy | grep -q user: && [ "$(acl anna | grep -c jft-)" = 0 ] && reset
}

carry_in() { # DIRECTORY JOURNAL
	# All of them complain of a file system without lists, and copy.
	kept as anna sh -c "cp -a '$1' '$2/copy' 2>/dev/null; cmp '$1/f' '$2/copy/f'" || fail "cp -a" || return 1
	kept as anna sh -c "cp -a '$1/.' '$2/' 2>/dev/null; cmp '$1/f' '$2/f' && rm '$2/f'" || fail "cp -a over it" || return 1
	kept as anna sh -c "rsync -aA '$1/' '$2/' 2>/dev/null; cmp '$1/f' '$2/f' && rm '$2/f'" || fail "rsync" || return 1
	kept as anna sh -c "cd '$2' && tar --acls -xf '$1.tar' 2>/dev/null; cmp '$1/f' '$2/f'" || fail "tar" || return 1
	kept as anna install -d -m 700 "$2" && kept as anna chmod 700 "$2"
}

t_copies_carry_no_list_in() {
	local d="$ROOT/home/anna/tree" j
	j="$(J anna)/$NAME"
	rm -rf "$d" && as anna mkdir "$d" && as anna sh -c "echo x >'$d/f'" && as anna setfacl -m u:jft-bo:rwx,g:jft-north:rwx "$d" "$d/f" && as anna tar --acls -C "$d" -cf "$d.tar" . || return 1
	carry_in "$d" "$j" || return 1
	# Programs of other names are answered so, too.
	kept as anna sh -c "! python3 -c 'import os,sys; os.setxattr(sys.argv[1], \"system.posix_acl_access\", os.getxattr(sys.argv[2], \"system.posix_acl_access\"))' '$j' '$d' 2>&1 | grep -q supported" && { fail "setxattr"; return 1; }
	kept as anna sh -c "! setfattr -x system.posix_acl_access '$j' 2>/dev/null" || return 1
	# The same in the hands of a steward who is a practitioner too.
	jfs dan policy show practice | sed 's/^role physician .*/& policy/' | put_policy dan practice || return 1
	carry_in "$d" "$j" || return 1
	as anna test -f "$j/f" && as anna test -f "$j/copy/f" || return 1
	# That it is the program which makes the difference, and no other obstacle:
	setacl anna -m u:jft-eva:rwx && policy | grep -q user:eva:rwx && reset && practice | put_policy dan practice
}

t_copies_carry_no_list_out() {
	local j d="$ROOT/home/anna/out"
	j="$(J anna)/$NAME"
	rm -rf "$d" && as anna cp -a "$j" "$d" && ! as anna getfacl -cE "$d" | grep -q jft- || fail "cp -a took the list along" || return 1
	rm -rf "$d" && as anna rsync -aA "$j/" "$d/" && ! as anna getfacl -cE "$d" | grep -q jft-
}

t_files_below_have_no_list() {
	as anna getfacl -cE "$(J anna)/$NAME/note" | grep -q jft- && { fail "a note has one"; return 1; }
	kept expect_errno ENOTSUP as anna setfacl -m u:jft-bo:rwx "$(J anna)/$NAME/note" &&
		kept expect_errno ENOTSUP as anna setfacl -d -m u:jft-bo:rwx "$(J anna)/$NAME" &&
		kept expect_errno EACCES as dan setfacl -d -m u:jft-bo:rwx "$(J dan)/$NAME" &&
		kept expect_errno EPERM as anna setfacl -m u:jft-bo:rwx "$(J anna)"
}

practice() {
	practice_policy | sed 's/^unit north .*/& group jft-north/'
}

need_root
clinic && account north && practice | put_policy dan practice && login anna && login bo && login eva || { echo "FAIL acl: set-up"; exit 1; }
as anna mkdir "$(J anna)/$NAME" && as anna sh -c "echo secret >'$(J anna)/$NAME/note' && echo secret >'$(J anna)/$NAME/note2'" && reset ||
	{ echo "FAIL acl: set-up"; exit 1; }
run_tests
