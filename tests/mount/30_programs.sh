#!/bin/bash
# Ordinary programs on a real mount: they know nothing of journalfs and must not notice it.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

D='' # the journal in anna's mount
in_journal() { as anna sh -c "cd '$D' && $1"; }
reopen() { logout anna && stop_daemon && start_daemon && login anna; }

t_tree_copied_with_cp_a_is_equal() {
	as anna sh -c "cp -a '$ROOT/material' '$D/cp' && diff -r -x pipe --no-dereference '$ROOT/material' '$D/cp'" || return 1
	diff <(cd "$ROOT/material" && find . -printf '%P %M %s %T+ %l\n' | grep -v '^ ' | sort) \
		<(as anna sh -c "cd '$D/cp' && find . -printf '%P %M %s %T+ %l\n' | grep -v '^ ' | sort") | grep -v ' d' | head -5 | grep . && fail "attributes differ" && return 1
	return 0
}

t_tar_round_trip() {
	tar -C "$ROOT/material" -cf "$ROOT/m.tar" . && chmod 644 "$ROOT/m.tar" || return 1
	in_journal "mkdir tar && tar -C tar -xf '$ROOT/m.tar' && tar -C tar -df '$ROOT/m.tar'"
}

t_rsync_round_trip_by_checksum() {
	in_journal "rsync -a '$ROOT/material/' rsync/" || return 1
	[ -z "$(as anna sh -c "rsync -anc --itemize-changes '$ROOT/material/' '$D/rsync/' | grep -v '^\.'")" ] || return 1
	in_journal "rsync -a rsync/ '$ROOT/home/anna/back/' && diff -r -x pipe --no-dereference rsync '$ROOT/home/anna/back'"
}

t_git_with_500_files() {
	in_journal "git init -q g && cd g && git config user.email a@b && git config user.name A &&
		mkdir d && for i in \$(seq 500); do echo \"file \$i\" >d/f\$i; done && git add . && git commit -qm one &&
		for i in \$(seq 1 7 500); do echo more >>d/f\$i; done && git commit -qam two &&
		git fsck --full --strict && git status --porcelain | wc -l | grep -qx 0 && git gc -q && git fsck --full" || return 1
	in_journal "git clone -q g clone && diff -r g/d clone/d"
}

t_sqlite_database_keeps_its_integrity() {
	in_journal "sqlite3 db 'create table t(a integer primary key, b text)' &&
		for i in \$(seq 20); do sqlite3 db \"begin; with recursive c(x) as (select 1 union all select x+1 from c where x < 200)
			insert into t(b) select hex(randomblob(100)) from c; commit\"; done &&
		sqlite3 db 'pragma integrity_check; select count(*) from t; vacuum; pragma integrity_check'" | tr '\n' ' ' |
		grep -qx 'ok 4000 ok '
}

t_sqlite_wal_within_one_mount() {
	in_journal "sqlite3 wal 'pragma journal_mode=wal; create table t(a); insert into t values(1),(2)' >/dev/null &&
		sqlite3 wal 'insert into t values(3); select count(*) from t; pragma integrity_check'" | tr '\n' ' ' | grep -qx '3 ok '
}

t_vim_saves_in_place() {
	in_journal "printf 'one\ntwo\n' >v.txt && vim.tiny -u NONE -N -es -c '%s/two/three/' -c 'set backup' -c wq v.txt; grep -q three v.txt"
}

t_sed_i_replaces_by_rename() {
	in_journal "echo before >s.txt && sed -i s/before/after/ s.txt && grep -q after s.txt"
}

t_nano_saves() {
	as anna env -i PATH="$PATH" HOME="$ROOT/home/anna" TERM=vt100 expect -c "
		set timeout 20
		spawn nano --ignorercfiles \"$D/nano.txt\"
		sleep 1
		send \"typed in nano\r\"
		send \"\x0f\r\"
		sleep 1
		send \"\x18\"
		expect eof" >/dev/null
	in_journal "grep -q 'typed in nano' nano.txt"
}

t_mapping_is_written_back() { as anna "$PROBES/probe" mmap "$D/mapped"; }
t_unlinked_file_lives_until_closed() { as anna "$PROBES/probe" unlinked "$D/unlinked"; }
t_parallel_appends_lose_nothing() { as anna "$PROBES/probe" append "$D/appended" 4 500; }
t_readdir_sees_stable_names_once() {
	in_journal "mkdir rd" && as anna "$PROBES/probe" readdir "$D/rd" 3000
}

t_names_and_links() {
	local long
	long=$(printf 'x%.0s' $(seq 255))
	in_journal "touch '$long' && ! touch '${long}x' 2>/dev/null && touch 'æøå 日本' && ln 'æøå 日本' second &&
		[ \$(stat -c %h second) = 2 ] && ln -s 'æøå 日本' soft && [ \"\$(readlink soft)\" = 'æøå 日本' ] && rm second &&
		[ \$(stat -c %h 'æøå 日本') = 1 ]" || return 1
	in_journal "printf 'x' >\"\$(printf 'bad\\377utf')\" && ls | LC_ALL=C grep -qa bad"
}

t_truncate_holes_and_offsets() {
	in_journal "truncate -s 300000 hole && printf end | dd of=hole bs=1 seek=299997 conv=notrunc status=none &&
		[ \$(head -c 299997 hole | tr -d '\\0' | wc -c) = 0 ] && [ \"\$(tail -c 3 hole)\" = end ] &&
		truncate -s 10 hole && truncate -s 100000 hole && [ \$(tr -d '\\0' <hole | wc -c) = 0 ]"
}

t_times_hold_after_later_flushes() {
	in_journal "echo x >t && touch -d '2001-02-03 04:05:06.123456789' t && sync t && cat t >/dev/null && sleep 1.2 &&
		[ \"\$(stat -c %y t | cut -c1-29)\" = '2001-02-03 04:05:06.123456789' ]"
}

t_xattrs() {
	in_journal "touch xa && setfattr -n user.color -v green xa && getfattr --only-values -n user.color xa | grep -qx green &&
		head -c 60000 /dev/zero | tr '\\0' a >'$ROOT/home/anna/big' &&
		setfattr -n user.big -v \"\$(head -c 30000 '$ROOT/home/anna/big')\" xa && [ \$(getfattr --only-values -n user.big xa | wc -c) = 30000 ] &&
		setfattr -x user.color xa && ! getfattr -n user.color xa 2>/dev/null"
}

t_rename_over_is_old_or_new() {
	in_journal "echo new0 >target; (for i in \$(seq 400); do echo new\$i >tmp && mv tmp target || exit 1; done) & p=\$!
		n=0; while kill -0 \$p 2>/dev/null; do read -r l <target || exit 1; case \$l in new[0-9]*) n=\$((n+1)) ;; *) exit 1 ;; esac; done
		wait \$p && [ \$n -gt 100 ]"
}

t_large_file_by_checksum() {
	head -c 40000000 /dev/urandom >"$ROOT/large" && chmod 644 "$ROOT/large"
	in_journal "cp '$ROOT/large' large && cmp '$ROOT/large' large && dd if='$ROOT/large' of=odd bs=7001 status=none && cmp odd '$ROOT/large'"
}

t_statfs_and_permissions() {
	in_journal "df . | tail -n 1 | grep -q '%' && touch p && chmod 600 p && [ \$(stat -c %a p) = 600 ] && chmod 755 p && [ \$(stat -c %a p) = 755 ] && [ \$(stat -c %U p) = jft-anna ]"
}

t_everything_is_equal_after_a_restart() {
	in_journal "find . -type f ! -path './g/*' ! -path './clone/*' -exec sha256sum {} + | sort >'$ROOT/home/anna/sums'" || return 1
	reopen || return 1
	in_journal "find . -type f ! -path './g/*' ! -path './clone/*' -exec sha256sum {} + | sort | cmp - '$ROOT/home/anna/sums'" || return 1
	in_journal "cd g && git fsck --full && cd .. && sqlite3 db 'pragma integrity_check'" | grep -qx ok
}

t_everything_can_be_removed() {
	in_journal 'find . -mindepth 1 -delete' && [ -z "$(in_journal 'ls -A')" ]
}

need_root
clinic && login anna || { echo "FAIL programs: set-up"; exit 1; }
D="$(J anna)/010190-1234 Hansen, Anna"
as anna mkdir "$D"
mkdir -p "$ROOT/material/sub/deep" && cd "$ROOT/material" && for i in $(seq 60); do head -c $((i * 977)) /dev/urandom >"f$i"; done &&
	ln f1 hard && ln -s f2 soft && ln -s nowhere broken && mkfifo pipe && touch -d '1999-12-31 23:59:59.5' f3 && chmod 640 f4 &&
	echo deep >sub/deep/x && chown -R jft-anna: . && cd /
run_tests
