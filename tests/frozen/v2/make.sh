#!/bin/bash
# Made tests/frozen/v2/vault.tar.xz, once: a vault used alone, with what its format can hold in small.
# SPDX-License-Identifier: Apache-2.0
#
# Kept to be read, and as a beginning for the next version's. tests/mount/80_frozen.sh knows what is in it.
. "$(dirname "$0")/../../mount/lib.sh"
OUT=$(realpath "$(dirname "$0")")/vault.tar.xz
PASS_frozen=$(cat "$(dirname "$OUT")/passphrase")
[ ! -e "$OUT" ] || { echo "$OUT exists; a frozen vault is never made again"; exit 1; }

need_root
add_account jft-frozen -u 47011 || exit 1
install -d -o jft-frozen -g jft-frozen -m 700 "$ROOT/home/frozen"
chmod 755 "$ROOT/home"
set -e
me() { as frozen "$JFS" "$@"; }

me init --passphrase-fd 9 --name frida --title "Klinik Nord" "$ROOT/home/frozen/vault" 9< <(pass_of frozen) >"$ROOT/init.out"
grep -A2 '^Recovery key' "$ROOT/init.out" | tail -n 1 | tr -d ' ' >"$(dirname "$OUT")/recovery"
me open --passphrase-fd 9 "$ROOT/home/frozen/vault" 9< <(pass_of frozen)
as frozen bash -e <<'END'
cd ~/Journals
mkdir '010190-1234 Hansen, Anna' '311299-4321 Ærø-Ødegård, Čeněk 日本'
cd '010190-1234 Hansen, Anna'
printf 'Control in three months.\n' >'2024-05-02 note.txt'
seq 1 3000 >inline
mkdir letters
printf 'Kære Anna,\n' >'letters/ærlig besked, δοκιμή.txt'
ln '2024-05-02 note.txt' 'letters/same note'
ln -s '../2024-05-02 note.txt' letters/link
setfattr -n user.color -v 'green' '2024-05-02 note.txt'
setfattr -n user.long -v "$(seq 1 1500)" inline
chmod 640 inline
touch -d '2024-05-02 10:11:12.123456789 UTC' '2024-05-02 note.txt'
: >empty
mkfifo pipe
cd '../311299-4321 Ærø-Ødegård, Čeněk 日本'
# 200 KB, a hole from 20,000 to 197,000
seq 100000 999999 | head -c 20000 >picture
seq 500000 999999 | head -c 3000 | dd of=picture bs=1000 seek=197 conv=notrunc status=none
truncate -s 204800 picture
printf 'short' >'Übersicht'
mv 'Übersicht' 'Übersicht, alt'
echo gone >gone; rm gone
sync -f picture
END
me policy show practice >"$ROOT/new.policy"
echo 'unit north "Afdeling Nord"' >>"$ROOT/new.policy"
chmod 644 "$ROOT/new.policy"
(cd "$ROOT/home/frozen" && setpriv --reuid=jft-frozen --regid=jft-frozen --init-groups --inh-caps=-all \
	env -i PATH="$PATH" HOME="$ROOT/home/frozen" LANG=C.UTF-8 "EDITOR=cp $ROOT/new.policy" \
	"$JFS" policy edit practice </dev/null)
me logout
ended() { [ -z "$(procs frozen)" ]; }
wait_for 20 ended
tar --sort=name --numeric-owner --sparse -C "$ROOT/home/frozen" -cf - vault .local | xz -9e >"$OUT"
ls -l "$OUT"
