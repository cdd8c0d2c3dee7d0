#!/bin/bash
# One person alone: init, open, work, logout; lost passphrase, lost state, copied vaults.
# SPDX-License-Identifier: Apache-2.0
SLOW_KEYS=1 # passphrases as people have them
. "$(dirname "$0")/lib.sh"

me() { as me "$JFS" "$@"; }
open_mine() { me open --passphrase-fd 9 "$ROOT/home/me/vault" 9< <(pass_of me); }
gone() { unmounted me; }
daemon_gone() { [ -z "$(procs me)" ]; }

t_init_says_what_one_is_and_prints_the_key_once() {
	me init --passphrase-fd 9 "$ROOT/home/me/vault" 9< <(pass_of me) >"$ROOT/init.out" || return 1
	grep -q 'practitioner, steward and auditor in one' "$ROOT/init.out" || return 1
	RECOVERY=$(grep -A2 '^Recovery key' "$ROOT/init.out" | tail -n 1 | tr -d ' ')
	[ ${#RECOVERY} -gt 40 ] || fail "no recovery key: $RECOVERY" || return 1
	! grep -rqF "$RECOVERY" "$ROOT/home/me"
}

t_open_starts_the_daemon_and_mounts() {
	open_mine || return 1
	as me mkdir "$(J me)/010190-1234 Hansen, Anna" || return 1
	as me sh -c "seq 1 20000 >'$(J me)/010190-1234 Hansen, Anna/large'; echo small >'$(J me)/010190-1234 Hansen, Anna/small'"
}

t_logout_unmounts_and_the_daemon_ends() {
	me logout || return 1
	gone || fail "still mounted" || return 1
	wait_for 10 daemon_gone || fail "the daemon stays: $(ps -f -u jft-me)"
}

t_opened_again_everything_is_there() {
	open_mine || return 1
	[ "$(as me cat "$(J me)/010190-1234 Hansen, Anna/small")" = small ] || return 1
	as me sh -c "seq 1 20000 | cmp - '$(J me)/010190-1234 Hansen, Anna/large'"
}

t_passwd_changes_without_reencryption() {
	me passwd --passphrase-fd 9 --new-passphrase-fd 8 9< <(pass_of me) 8< <(echo 'another quiet passphrase') || return 1
	me logout || return 1
	expect_errno 'passphrase' open_mine || return 1
	PASS_me='another quiet passphrase'
	sleep 2
	open_mine && me passwd --passphrase-fd 9 --new-passphrase-fd 8 9< <(pass_of me) 8< <(echo 'one quiet person again') || return 1
	PASS_me='one quiet person again'
}

t_killed_agent_ends_the_session() {
	me logout 2>/dev/null
	wait_for 10 gone
	wait_for 10 daemon_gone
	open_mine || return 1
	local agent
	agent=$(procs me journalfs-agent)
	[ -n "$agent" ] || fail "no agent" || return 1
	kill -9 "$agent"
	expect_errno 'ENOTCONN\|Transport\|not connected\|Required key\|No such device\|Software caused' as me ls "$(J me)" ||
		{ sleep 1; expect_errno 'Transport\|not connected\|No such device\|Software caused' as me ls "$(J me)"; }
}

t_login_cleans_a_dead_mountpoint() {
	wait_for 10 daemon_gone
	open_mine || return 1
	as me cat "$(J me)/010190-1234 Hansen, Anna/small"
}

t_killed_daemon_is_noticed_by_the_agent() {
	local d
	d=$(procs me journalfs)
	[ -n "$d" ] || fail "no daemon" || return 1
	kill -9 "$d"
	wait_for 10 gone || fail "the agent did not unmount" || return 1
	open_mine && [ "$(as me cat "$(J me)/010190-1234 Hansen, Anna/small")" = small ]
}

t_second_daemon_is_told_who_holds_the_vault() {
	expect_errno 'in use\|held\|holds\|another' me serve --socket "$ROOT/home/me/other.sock" --state "$(echo "$ROOT"/home/me/.local/state/journalfs/*)" "$ROOT/home/me/vault"
}

t_copy_of_the_vault_without_the_host_secret_opens_nothing() {
	me logout
	wait_for 10 daemon_gone
	account thief || return 1
	cp -a "$ROOT/home/me/vault" "$ROOT/home/thief/vault"
	chown -R jft-thief: "$ROOT/home/thief/vault"
	expect_errno 'local state\|recover' as thief "$JFS" open --passphrase-fd 9 "$ROOT/home/thief/vault" 9< <(pass_of me) || return 1
	# With a state of another vault's making: the host secret is another.
	as thief "$JFS" init --passphrase-fd 9 "$ROOT/home/thief/own" 9< <(pass_of me) >/dev/null || return 1
	local mine theirs
	mine=$(basename "$ROOT"/home/me/.local/state/journalfs/*)
	theirs=$(basename "$ROOT"/home/thief/.local/state/journalfs/*)
	cp -a "$ROOT/home/thief/.local/state/journalfs/$theirs" "$ROOT/home/thief/.local/state/journalfs/$mine"
	sed -i "s|^root = .*|$(grep ^root "$ROOT/home/me/.local/state/journalfs/$mine/client.conf")|" "$ROOT/home/thief/.local/state/journalfs/$mine/client.conf"
	chown -R jft-thief: "$ROOT/home/thief/.local"
	! as thief "$JFS" open --passphrase-fd 9 "$ROOT/home/thief/vault" 9< <(pass_of me)
}

t_recovery_key_gives_back_a_lost_state_and_passphrase() {
	rm -rf "$ROOT/home/me/.local/state/journalfs"
	expect_errno 'recover' open_mine || return 1
	RECOVERY=$(grep -A2 '^Recovery key' "$ROOT/init.out" | tail -n 1 | tr -d ' ')
	me recover --passphrase-fd 9 --new-passphrase-fd 8 "$ROOT/home/me/vault" 9< <(echo "$RECOVERY") 8< <(echo 'found again at last') || return 1
	PASS_me='found again at last'
	open_mine || return 1
	[ "$(as me cat "$(J me)/010190-1234 Hansen, Anna/small")" = small ] || fail "the note is gone" || return 1
	me audit show >"$ROOT/audit.out" || return 1
	grep -qi recover "$ROOT/audit.out" || fail "the recovery is not in the log" || return 1
	me logout
	wait_for 10 daemon_gone
}

t_rolled_back_vault_is_refused_until_accepted() {
	PASS_me='found again at last'
	cp -a "$ROOT/home/me/vault" "$ROOT/home/me/older"
	open_mine || return 1
	as me sh -c "echo newer >'$(J me)/010190-1234 Hansen, Anna/newer'" || return 1
	me logout
	wait_for 10 daemon_gone
	mv "$ROOT/home/me/vault" "$ROOT/home/me/newest"
	mv "$ROOT/home/me/older" "$ROOT/home/me/vault"
	expect_errno 'older\|rolled back' open_mine || return 1
	RECOVERY=$(grep -A2 '^Recovery key' "$ROOT/init.out" | tail -n 1 | tr -d ' ')
	me recover --passphrase-fd 9 --new-passphrase-fd 8 "$ROOT/home/me/vault" 9< <(echo "$RECOVERY") 8< <(pass_of me) || return 1
	open_mine && [ "$(as me cat "$(J me)/010190-1234 Hansen, Anna/small")" = small ]
}

need_root
account me || exit 1
run_tests
