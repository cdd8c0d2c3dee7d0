#!/bin/bash
# A test script that was killed: the next one removes its accounts, processes, mounts and files, and those of no other.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

# A script of its own with an account, a process under it and a mount; it says its $ROOT and waits to be killed.
other_script() { # ACCOUNT-NAME
	cat >"$ROOT/other.sh" <<-END
		. "$HERE/lib.sh"
		need_root other
		account $1 || exit 1
		mkdir "\$ROOT/mnt" && mount -t tmpfs tmpfs "\$ROOT/mnt" || exit 1
		as $1 sleep 600 &
		echo "\$ROOT" >"$ROOT/other.root.new" && mv "$ROOT/other.root.new" "$ROOT/other.root"
		read -r _ <"$ROOT/never"
	END
	rm -f "$ROOT/other.root" "$ROOT/never"
	mkfifo "$ROOT/never"
	bash "$ROOT/other.sh" &
	OTHER=$!
	PIDS+=("$OTHER")
	wait_for 30 test -s "$ROOT/other.root" || { fail "the other script made nothing"; return 1; }
	OTHER_ROOT=$(cat "$ROOT/other.root")
	wait_for 10 test -n "$(procs "$1" sleep)"
}

t_what_a_killed_script_left_is_removed() {
	other_script left || return 1
	kill -9 "$OTHER" && wait "$OTHER"
	id jft-left >/dev/null && [ -d "$OTHER_ROOT/mnt" ] && [ -n "$(procs left sleep)" ] || { fail "nothing was left"; return 1; }
	remove_leftovers >"$ROOT/out" || { fail "$(cat "$ROOT/out")"; return 1; }
	grep -q 'removing the account jft-left' "$ROOT/out" || { fail "it is not said: $(cat "$ROOT/out")"; return 1; }
	id jft-left >/dev/null 2>&1 && fail "the account is there" && return 1
	[ ! -e "$OTHER_ROOT" ] || { fail "its files are there"; return 1; }
	! grep -qF "$OTHER_ROOT" /proc/self/mounts || fail "its mount is there"
}

t_account_that_was_left_is_made_anew() {
	other_script left || return 1
	kill -9 "$OTHER" && wait "$OTHER"
	account left >"$ROOT/out" || { fail "$(cat "$ROOT/out")"; return 1; }
	[ "$(as left pwd)" = "$ROOT/home/left" ] || fail "it has another's home"
}

t_script_that_runs_keeps_its_own() {
	other_script busy || return 1
	remove_leftovers >"$ROOT/out" && { fail "it is taken for a leftover"; return 1; }
	grep -q "jft-busy is in use by the test script of process $OTHER" "$ROOT/out" || { fail "$(cat "$ROOT/out")"; return 1; }
	[ -n "$(procs busy sleep)" ] && [ -d "$OTHER_ROOT" ] || { fail "something of it is gone"; return 1; }
	(account busy) >"$ROOT/out" 2>&1 && { fail "its account was taken"; return 1; }
	kill "$OTHER" && wait "$OTHER"
	! id jft-busy >/dev/null 2>&1 || fail "it did not clean up"
}

t_account_of_somebody_else_is_left_alone() {
	useradd -M -U -d "$ROOT/home/own" jft-own && ACCOUNTS+=(jft-own) || return 1
	usermod -d /srv/own jft-own || return 1
	remove_leftovers >"$ROOT/out" && { fail "nothing is said"; return 1; }
	grep -q 'jft-own lives in /srv/own' "$ROOT/out" && id jft-own >/dev/null || fail "$(cat "$ROOT/out")"
}

need_root leftovers
run_tests
