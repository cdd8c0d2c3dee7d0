#!/bin/bash
# The main job, for people to watch: a clinic, four people, notes, refusals, the log. Cleans up after itself.
# SPDX-License-Identifier: Apache-2.0
if [ "$(id -u)" -ne 0 ]; then
	exec sudo BUILD="${BUILD:-build}" "$0" "$@"
fi
mkdir -p "${BUILD:-build}/tests/mount"
SLOW_KEYS=1 # passphrases as people have them
. "$(dirname "$0")/mount/lib.sh"

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { # NAME SHELL-COMMAND: prints it as that person types it, runs it, lets it fail visibly
	printf '\033[36m%s$\033[0m %s\n' "$1" "$2"
	as "$1" bash -c "cd ~/Journals && { $2; }" 2>&1 | sed -E "s|$ROOT/home/[a-z]*|~|g; s/^bash: line [0-9]*: //; s/^/    /"
}
die() { echo "demo: $*"; exit 1; }

need_root_demo() {
	[ -c /dev/fuse ] || die "there is no /dev/fuse: modprobe fuse"
	local mode
	mode=$(stat -c %a /dev/fuse)
	if [ "$mode" != 666 ]; then
		echo "note: /dev/fuse has mode $mode; it is 666 during the demo, as udev makes it elsewhere"
		FUSE_MODE=$mode
		chmod 666 /dev/fuse
	fi
	trap cleanup EXIT
	trap 'exit 130' INT TERM
}
need_root_demo
PATH=$PROBES:$PATH # journalfs by its name, as practitioners call it
cp "$HERE/../clinic/expectations.txt" "$ROOT/" && chmod 644 "$ROOT/expectations.txt"

step 'A vault for the clinic: the operator makes it, dan is its steward; everyone enrolls under an account of their own'
clinic >"$ROOT/demo.log" 2>&1 || { cat "$ROOT/demo.log"; die "the clinic could not be set up"; }
grep -B1 -A3 'Recovery key' "$ROOT/init.out" | sed -E 's/([A-Z0-9]{4}-){6}/(...)-/; s/^/    /'
echo '    practitioners: anna (physician, north), bo (nurse, north), eva (physician, south)'

step 'Log-in is mounting: each has a directory of their own, served by one unprivileged daemon'
for n in anna bo eva; do login $n | sed -E "s|$ROOT/home/[a-z]*|~|; s/^/    /"; done

step 'Anna opens a journal and writes notes with ordinary programs'
show anna "mkdir '010190-1234 Hansen, Anna'"
show anna "echo 'Referred with chest pain. ECG normal.' > '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show anna "cp /etc/os-release '010190-1234 Hansen, Anna/attachment.bin' && ls -l '010190-1234 Hansen, Anna'"

step 'Bo is of the same unit: he sees that the journal exists, but may not open it. Eva does not see it at all'
show bo "ls; cat '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show eva "ls; cat '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
echo '    and root, from outside:'
ls "$(J anna)" 2>&1 | sed "s|$ROOT/home/[a-z]*|~|; s/^/    /"

step 'The steward lets bo take part in the care: the policy is a text file in his own mount, for any editor'
show dan "cat '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show dan "cat '.policy/journals/010190-1234 Hansen, Anna.policy'"
show dan "echo 'allow   user:bo:rwx  reason \"shares the care\"' >> '.policy/journals/010190-1234 Hansen, Anna.policy'"
wait_for 10 as bo test -r "$(J bo)/010190-1234 Hansen, Anna/2026-11-21 consultation.txt"
show bo "echo 'Blood pressure 130/80.' >> '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show anna "cat '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show dan "getfacl '010190-1234 Hansen, Anna' | grep user:"

step 'Saves keep what was there before; a finished note is locked and signed, and never changes again'
show anna "echo 'Plan: exercise test in two weeks.' >> '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show anna "journalfs history --vault $ROOT/clinic.conf '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show anna "journalfs show --vault $ROOT/clinic.conf '010190-1234 Hansen, Anna/2026-11-21 consultation.txt@1'"
show anna "journalfs finalize --vault $ROOT/clinic.conf --yes '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show anna "echo changed > '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'; rm -f '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show bo "mv '010190-1234 Hansen, Anna/2026-11-21 consultation.txt' '010190-1234 Hansen, Anna/gone'; lsattr '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show anna "journalfs amend --vault $ROOT/clinic.conf '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show anna "echo 'The ECG was that of 20 November.' > '010190-1234 Hansen, Anna/2026-11-21 consultation amendment 1.txt'"
show anna "journalfs finalize --vault $ROOT/clinic.conf --yes '010190-1234 Hansen, Anna/2026-11-21 consultation amendment 1.txt'"
show bo "getfattr -d -m user.journalfs '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
show bo "journalfs verify --vault $ROOT/clinic.conf '010190-1234 Hansen, Anna'"

step 'A mistake is refused with its place and the likely fix; what was in force stays'
show dan "echo 'practitioner zoe user jft-zoe role phisician unit nort' >> .policy/practice.policy"
show dan "cat .policy/practice.policy.error; grep -c zoe .policy/practice.policy"
show dan "sed -i 's/^role physician clinical may /&attend /' .policy/practice.policy"

step 'Who may open it, and why? In plain words'
jfs dan policy explain --who bo --journal '010190-1234 Hansen, Anna' --action write | sed 's/^/    /'
jfs dan policy explain --who eva --journal '010190-1234 Hansen, Anna' --action read | tail -n 4 | sed 's/^/    /'

step 'Eva covers for Anna tonight: she says why, and takes part in the care until tomorrow'
show eva "journalfs attend --vault $ROOT/clinic.conf '010190-1234 Hansen, Anna' --reason 'covering for Anna tonight'"
show eva "tail -n 1 '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
jfs dan policy status | sed 's/^/    /' | head -n 12

step 'Expected decisions are tests: a made-up practice of 25 people and 2,000 journals says what it was meant to say'
"$HERE/../clinic/make.sh" "$ROOT/practice"
as dan "$JFS" policy test "$ROOT/expectations.txt" --from "$ROOT/practice" --at 2026-11-28 | sed 's/^/    /'

step 'An emergency: eva is on call, a patient whom she does not treat is brought in unconscious'
show dan "echo 'break-glass limit 1m reason 20 review 72h notify' >> .policy/practice.policy"
show anna "mkdir '020285-4321 Olsen, Ole' && echo 'Allergic to penicillin.' > '020285-4321 Olsen, Ole/allergies.txt'"
show eva "cat '020285-4321 Olsen, Ole/allergies.txt'"
show eva "journalfs break-glass --vault $ROOT/clinic.conf --search olsen"
echo '    (the access is for one minute here, so that its end can be watched; an hour is usual)'
show eva "journalfs break-glass --vault $ROOT/clinic.conf '020285-4321 Olsen, Ole' --ground danger --reason 'unconscious, brought in by ambulance' --yes"
show eva "cat '020285-4321 Olsen, Ole/allergies.txt'"
show eva "echo 'Given adrenaline 0.5 mg.' > '020285-4321 Olsen, Ole/emergency.txt'; echo changed > '020285-4321 Olsen, Ole/allergies.txt'"

step 'It ends by itself, and takes open files along'
show eva "tail -f '020285-4321 Olsen, Ole/allergies.txt' 2>&1 | head -n 2 & sleep 61; wait; cat '020285-4321 Olsen, Ole/allergies.txt'"

step 'The privacy officer sees it, with what was opened under it, and judges it (dan holds that right too here)'
jfs dan review | sed 's/^/    /'
jfs dan review 1 --justified --note 'the ambulance report is with the practice' | sed 's/^/    /'
jfs dan review 1 | sed 's/^/    /'

step 'Anna locks her session when she leaves the room, and unlocks it'
jfs anna lock
show anna "cat '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"
jfs anna unlock --passphrase-fd 9 9< <(pass_of anna)
show anna "head -n 1 '010190-1234 Hansen, Anna/2026-11-21 consultation.txt'"

step 'The auditor reads who did what (dan holds that right too here, and the product says so)'
audit | sed 's/^/    /' | cut -c1-220 | tail -n 28

step 'Is that log whole? What did the patient get to know, what should somebody ask about, was every decision by the policy?'
jfs dan audit verify | sed 's/^/    /'
jfs dan audit patient '020285-4321 Olsen, Ole' | sed 's/^/    /'
jfs dan audit unusual | sed 's/^/    /' | cut -c1-220
jfs dan audit replay --decisions | sed 's/^/    /' | tail -n 4
as dan "$JFS" audit anchor --vault "$ROOT/clinic.conf" | sed 's/^/    /' | grep -v '[█▀▄]'

step 'On disk there is only ciphertext'
for n in anna bo eva dan; do logout $n; done
stop_daemon
for w in Hansen 'chest pain' consultation 'Klinik Nord'; do
	printf '    grep -r "%s" in the vault: ' "$w"
	grep -rqaF "$w" "$ROOT/disk/" && die "found in clear" || echo nothing
done
step 'Somebody turns one bit in the log of the stopped vault; the operator, who can read nothing in it, sees that it was changed'
as daemon cp -r "$ROOT/disk/vault/log" "$ROOT/disk/copy"
as daemon "$JFS" audit verify --log "$ROOT/disk/copy" >"$ROOT/verified" 2>&1 || die "the copy of the log is not whole"
sed -n '1,2s/^/    /p' "$ROOT/verified"
printf '\x5a' | dd of="$ROOT/disk/copy/00000001.seg" bs=1 seek=9001 conv=notrunc status=none
as daemon "$JFS" audit verify --log "$ROOT/disk/copy" >"$ROOT/verified" 2>&1 && die "a changed log was believed"
sed -n '1,7s/^/    /p' "$ROOT/verified"

step 'Done; the accounts, the vault and the mounts of this demonstration are removed'
