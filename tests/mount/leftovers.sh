# What a test script that was killed, or whose machine stopped, left behind: accounts jft-*, their processes, mounts
# and files. The next run finds them by the accounts and removes them. Sourced by lib.sh and tests/run.sh.
# SPDX-License-Identifier: Apache-2.0

this_script() { # what tells this shell from every other process, after a restart of the machine too
	echo "$$ $(sed 's/.*) //' "/proc/$$/stat" | cut -d ' ' -f 20) $(cat /proc/sys/kernel/random/boot_id)"
}

script_lives() { # ROOT: the script that works there has not ended
	local pid start boot
	read -r pid start boot 2>/dev/null <"$1/script" || return 1
	[ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] && [ -r "/proc/$pid/stat" ] &&
		[ "$start" = "$(sed 's/.*) //' "/proc/$pid/stat" | cut -d ' ' -f 20)" ]
}

unmount_below() { # ROOT
	local m
	for m in $(awk -v r="$1/" 'index($2, r) == 1 {print $2}' /proc/self/mounts | sort -r); do
		umount -l "$m"
	done
}

end_account() { # ACCOUNT: its processes, what it left in memory, and the account itself
	local p
	for p in $(ps -o pid= -u "$1" 2>/dev/null); do kill "$p" 2>/dev/null; done
	for _ in $(seq 60); do [ -z "$(ps -o pid= -u "$1" 2>/dev/null)" ] && break; sleep 0.05; done
	for p in $(ps -o pid= -u "$1" 2>/dev/null); do kill -9 "$p" 2>/dev/null; done
	find /dev/shm -maxdepth 1 -user "$1" -name 'journalfs-policy-*' -exec rm -rf {} + 2>/dev/null
	userdel "$1" 2>/dev/null
}

# 1: accounts are in use by a script that still runs, or are none of the tests'; they are named and left alone.
remove_leftovers() {
	local name home root rc=0 roots=()
	while IFS=: read -r name _ _ _ _ home _; do
		[[ $name == jft-* ]] || continue
		root=${home%/home/*}
		if [[ $root != /tmp/journalfs-test.* ]]; then
			echo "the account $name lives in $home, so the tests did not make it: remove it or rename it"
			rc=1
		elif script_lives "$root"; then
			echo "the account $name is in use by the test script of process $(cut -d ' ' -f 1 "$root/script"): wait for its end"
			rc=1
		else
			echo "note: removing the account $name, which a test script that was killed has left"
			unmount_below "$root"
			end_account "$name"
			roots+=("$root")
		fi
	done </etc/passwd
	for root in "${roots[@]}"; do
		unmount_below "$root"
		rm -rf "$root"
	done
	return $rc
}
