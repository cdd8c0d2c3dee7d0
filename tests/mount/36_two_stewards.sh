#!/bin/bash
# Two stewards: new powers are in force only when both have agreed.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

PASS_rut='rut waters the tall ferns'

stewards() { # MORE: the practice with a second steward
	practice_policy
	echo 'practitioner rut user jft-rut role steward'
	[ -z "${1:-}" ] || echo "$1"
}
ZOE='practitioner zoe user jft-zoe role physician unit north'

t_second_steward_is_appointed_by_the_only_one() {
	account rut || return 1
	stewards | put_policy dan practice || return 1
	enroll rut && login rut
}

t_new_physician_is_kept_as_a_proposal() {
	jfs dan policy show >"$ROOT/before"
	stewards "$ZOE" | put_policy dan practice >"$ROOT/said" 2>&1 && fail "accepted" && return 1
	grep -q 'takes two stewards' "$ROOT/said" || fail "$(cat "$ROOT/said")" || return 1
	jfs dan policy show | cmp - "$ROOT/before" || fail "in force" || return 1
	jfs rut approve | grep -q 'by dan: a practice policy' || fail "rut is not shown it" || return 1
	NUMBER=$(jfs rut approve | awk '{print $1; exit}')
}

t_proposer_and_practitioners_cannot_approve() {
	jfs dan approve "$NUMBER" --yes 2>"$ROOT/said" && fail "dan approved his own" && return 1
	grep -q 'is your own' "$ROOT/said" || return 1
	login anna && ! jfs anna approve "$NUMBER" --yes 2>/dev/null || fail "anna approved" || return 1
	jfs dan policy show | cmp - "$ROOT/before" || return 1
	audit --who anna | grep -i refused | grep -q 'approving proposal' || fail "not logged"
}

t_second_steward_sees_the_change_and_agrees() {
	jfs rut approve "$NUMBER" </dev/null >"$ROOT/said" 2>&1 && fail "agreed without being asked" && return 1
	grep -qF "+$ZOE" "$ROOT/said" || fail "no diff: $(cat "$ROOT/said")" || return 1
	jfs rut approve "$NUMBER" --yes || return 1
	jfs dan policy show | grep -qF "$ZOE" || fail "not in force" || return 1
	jfs rut approve | grep -q 'nothing waits' || return 1
	audit | grep 'policy accepted' | grep -q 'as proposed by dan' || fail "the log does not say who proposed"
}

t_new_identity_for_somebody_enrolled_takes_both() {
	jfs dan invite --again bo 2>"$ROOT/said" >"$ROOT/code" && fail "dan alone" && return 1
	[ ! -s "$ROOT/code" ] || fail "a code was printed" || return 1
	NUMBER=$(jfs rut approve | awk '{print $1; exit}')
	jfs rut approve "$NUMBER" --yes 2>/dev/null >"$ROOT/home/bo/code" || return 1
	chown jft-bo "$ROOT/home/bo/code"
	PASS_bo='bo has another passphrase now'
	jfs bo enroll --passphrase-fd 9 "$ROOT/home/bo/code" 9< <(pass_of bo) && login bo
}

t_suspended_colleague_still_counts() {
	stewards "$ZOE" | sed 's/role steward$/role steward on leave/' | put_policy dan practice || return 1
	{ stewards "$ZOE" | sed 's/role steward$/role steward on leave/'; echo 'practitioner ib user jft-ib role nurse'; } |
		put_policy dan practice >"$ROOT/said" 2>&1 && fail "alone at once" && return 1
	grep -q 'takes two stewards' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

t_rejected_proposal_is_gone() {
	NUMBER=$(jfs dan approve | awk '{print $1; exit}')
	jfs dan approve "$NUMBER" --reject && jfs dan approve | grep -q 'nothing waits'
}

need_root
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
