#!/bin/bash
# Is the access log whole: on a live vault, for its operator, on a copy elsewhere; attacks; proofs; tiles.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

verify() { # NAME DIR [OPTION...]: without a daemon; what it says in said
	local n=$1 d=$2
	shift 2
	as "$n" "$JFS" audit verify --log "$d" "$@" >"$ROOT/said" 2>&1
}

whole() { # NAME DIR [OPTION...]
	verify "$@" || fail "not whole: $(cat "$ROOT/said")" || return 1
	grep -q 'The access log is whole' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

broken() { # WORD NAME DIR [OPTION...]
	local want=$1 rc
	shift
	verify "$@"
	rc=$?
	[ $rc -eq 1 ] || fail "ended with $rc: $(cat "$ROOT/said")" || return 1
	grep -q 'NOT whole' "$ROOT/said" && grep -q "$want *alarm" "$ROOT/said" || fail "no $want: $(cat "$ROOT/said")"
}

copy() { # TO: the vault's log as it is now, for bo, who has nothing else
	rm -rf "$ROOT/$1"
	cp -r "$VAULT/log" "$ROOT/$1" || return 1
	chown -R jft-bo: "$ROOT/$1"
}

restart() { # [SIGNAL]
	stop_daemon "$@"
	start_daemon
}

t_live_log_is_whole_for_an_auditor() {
	jfs dan audit verify >"$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'The access log is whole' "$ROOT/said" || return 1
	grep -q 'Compared with' "$ROOT/said" || fail 'the log-in kept nothing' || return 1
	jfs dan audit verify --json | python3 -c '
import json, sys
rows = [json.loads(l) for l in sys.stdin]
assert rows[0]["kind"] == "verified" and rows[0]["whole"] == "yes" and rows[0]["records"] > 3, rows' || return 1
	jfs bo audit verify >"$ROOT/said" 2>&1 && fail 'a nurse took the segments' && return 1
	:
}

t_operator_verifies_without_a_session() {
	local root
	root=$(awk '$1 == "root" {print $3}' "$ROOT/clinic.conf")
	whole daemon "$VAULT/log" --root "$root" || return 1
	grep -q 'Whose log it is' "$ROOT/said" && fail 'the root was not taken' && return 1
	broken foreign daemon "$VAULT/log" --root "${root//[0-9]/7}" || return 1
	verify daemon "$VAULT/log" --root xyz
	[ $? -eq 2 ] || fail 'wrong usage'
}

t_killed_daemon_is_no_alarm() {
	logout dan >/dev/null
	restart KILL || return 1
	login dan >/dev/null || return 1
	whole daemon "$VAULT/log" || return 1
	grep -q 'unclean end' "$ROOT/said" || fail "not told: $(cat "$ROOT/said")"
}

t_stopped_daemon_seals_everything() {
	local before
	logout dan >/dev/null
	stop_daemon || return 1
	verify daemon "$VAULT/log" --json || return 1
	python3 -c '
import json, sys
v = json.loads(open(sys.argv[1]).readline())
assert v["sealed"] == v["records"], v' "$ROOT/said" || return 1
	before=$(find "$VAULT/log" -name '*.seg' | wc -l)
	start_daemon && login dan >/dev/null || return 1
	[ "$(find "$VAULT/log" -name '*.seg' | wc -l)" -eq "$before" ] || fail 'a start began a segment'
}

t_flipped_byte_in_a_copy_is_named() {
	logout dan >/dev/null
	restart || return 1
	login dan >/dev/null || return 1
	copy elsewhere || return 1
	whole bo "$ROOT/elsewhere" || return 1
	printf x | dd of="$ROOT/elsewhere/00000001.seg" bs=1 seek=5000 conv=notrunc 2>/dev/null
	broken changed bo "$ROOT/elsewhere" || return 1
	verify bo "$ROOT/elsewhere" --json
	python3 -c '
import json, sys
rows = [json.loads(l) for l in open(sys.argv[1])]
first = next(r for r in rows if r["kind"] == "finding")
assert rows[0]["whole"] == "no" and first["alarm"] == "alarm" and first["first"] >= 1, rows' "$ROOT/said"
}

t_older_copy_is_seen_with_a_kept_checkpoint() {
	copy older || return 1
	whole bo "$ROOT/older" || return 1
	as bo touch x
	login anna >/dev/null && as anna mkdir "$(J anna)/010190-1234 Hansen, Anna" || return 1
	logout anna >/dev/null
	logout dan >/dev/null
	restart || return 1
	login dan >/dev/null || return 1
	jfs dan audit anchor --to kept >/dev/null || return 1
	cp "$ROOT/home/dan/kept" "$ROOT/kept"
	chmod 644 "$ROOT/kept"
	copy newer || return 1
	# Nobody on another machine can know, but by what was kept.
	rm -rf "$ROOT/home/bo/.local/state/journalfs/checkpoints"
	whole bo "$ROOT/older" || return 1
	rm -rf "$ROOT/home/bo/.local/state/journalfs/checkpoints"
	broken 'rolled back' bo "$ROOT/older" --from "$ROOT/kept" || return 1
	whole bo "$ROOT/newer" --from "$ROOT/kept" || return 1
	# From then on it is remembered.
	broken 'rolled back' bo "$ROOT/older"
}

t_anchor_is_text_for_a_witness() {
	jfs dan audit anchor >"$ROOT/text" || return 1
	grep -q '^journalfs/[0-9a-f]\{32\}$' "$ROOT/text" || return 1
	[ "$(grep -c '^— journalfs/' "$ROOT/text")" -eq 2 ] || return 1
	jfs dan audit anchor --json | python3 -c '
import json, sys
a = json.load(sys.stdin)
assert "/witness+" in a["vkey"] and a["checkpoint"].startswith("journalfs/"), a
open(sys.argv[1], "w").write(a["vkey"] + "\n")' "$ROOT/vkey"
}

t_proofs_hold_on_another_machine() {
	local record
	as dan mkdir -p proofs
	jfs dan audit prove 1 2 5 --to proofs || return 1
	rm -rf "$ROOT/proofs"
	cp -r "$ROOT/home/dan/proofs" "$ROOT/proofs"
	chown -R jft-bo: "$ROOT/proofs"
	for n in 1 2 5; do
		as bo "$JFS" audit check-proof "$ROOT/proofs/$n.tlog-proof" --key "$ROOT/vkey" >"$ROOT/said" ||
			fail "$n: $(cat "$ROOT/said")" || return 1
		grep -q "are record $n of" "$ROOT/said" || return 1
	done
	record=$ROOT/proofs/2.tlog-proof.record
	as bo "$JFS" audit check-proof "$ROOT/proofs/1.tlog-proof" "$record" --key "$ROOT/vkey" 2>/dev/null && fail "another record's" && return 1
	as bo "$JFS" audit check-proof "$ROOT/proofs/1.tlog-proof" >"$ROOT/said" 2>&1
	[ $? -eq 2 ] || fail 'a proof on trust' || return 1
	sed -i 3d "$ROOT/proofs/5.tlog-proof"
	as bo "$JFS" audit check-proof "$ROOT/proofs/5.tlog-proof" --key "$ROOT/vkey" 2>/dev/null && fail 'a changed proof' && return 1
	grep -qa 'Hansen\|Klinik' "$ROOT"/proofs/* && fail 'in the clear' && return 1
	:
}

t_log_is_proven_to_continue_what_was_kept() {
	logout dan >/dev/null
	restart || return 1
	login dan >/dev/null || return 1
	jfs dan audit prove --from kept --to onward || return 1
	cp "$ROOT/home/dan/onward" "$ROOT/onward"
	chmod 644 "$ROOT/onward"
	as bo "$JFS" audit check-proof "$ROOT/onward" --from "$ROOT/kept" --key "$ROOT/vkey" >"$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	grep -q 'continues the one of' "$ROOT/said" || return 1
	sed '3s/^[^A]/A/;t;3s/^A/B/' "$ROOT/kept" >"$ROOT/other"
	as bo "$JFS" audit check-proof "$ROOT/onward" --from "$ROOT/other" --key "$ROOT/vkey" 2>/dev/null && fail 'another root' && return 1
	:
}

# The layout, looked at by something that shares no line with us.
tiles_agree() { # DIR
	python3 -c '
import base64, hashlib, sys
d = sys.argv[1]
lines = open(d + "/checkpoint", encoding="utf8").read().split("\n")
size, root = int(lines[1]), base64.b64decode(lines[2])
def node(a, b):
	return hashlib.sha256(b"\x01" + a + b).digest()
def mth(h):
	if len(h) == 1:
		return h[0]
	k = 1
	while 2 * k < len(h):
		k *= 2
	return node(mth(h[:k]), mth(h[k:]))
def tile(level, n, width):
	b = open("%s/tile/%d/%03d%s" % (d, level, n, "" if width == 256 else ".p/%d" % width), "rb").read()
	assert len(b) == 32 * width
	return [b[32 * i:32 * i + 32] for i in range(width)]
leaves = []
for n in range((size + 255) // 256):
	leaves += tile(0, n, min(256, size - 256 * n))
assert mth(leaves) == root, size' "$1"
}

t_tiles_are_published_and_grow() {
	jfs dan audit publish tiles >"$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	tiles_agree "$ROOT/home/dan/tiles" || fail 'the tiles do not give the root' || return 1
	logout dan >/dev/null
	restart || return 1
	login dan >/dev/null || return 1
	jfs dan audit publish tiles >"$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	tiles_agree "$ROOT/home/dan/tiles" || fail 'the grown tiles do not give the root' || return 1
	# Somebody else's history is not gone on with.
	sed -i '3s/^[^A]/A/;t;3s/^A/B/' "$ROOT/home/dan/tiles/checkpoint"
	cp "$ROOT/home/dan/tiles/checkpoint" "$ROOT/there"
	jfs dan audit publish tiles >"$ROOT/said" 2>&1 && fail 'published over it' && return 1
	cmp -s "$ROOT/home/dan/tiles/checkpoint" "$ROOT/there" || fail 'the checkpoint was replaced'
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
