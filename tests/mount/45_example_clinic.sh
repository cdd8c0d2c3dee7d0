#!/bin/bash
# The made-up practice of tests/clinic in a real vault: loaded, its decisions as expected, seen through mounts.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"

HANSEN='010190-1234 Hansen, Anna' OLSEN='020285-4321 Olsen, Ole' DAHL='030388-1021 Dahl, Ida'

t_all_of_it_is_as_expected() { # 2,000 journals, without a vault
	[ "$(find "$ROOT/practice/journals" -type f | wc -l)" = 2000 ] || return 1
	"$JFS" policy test "$HERE/../clinic/expectations.txt" --from "$ROOT/practice" --at 2026-11-28 | tee "$ROOT/said"
	grep -qx '51 expectations, 0 failed' "$ROOT/said"
}

t_a_wrong_line_fails_an_expectation() {
	cp -r "$ROOT/practice" "$ROOT/wrong"
	sed -i '/^block/d' "$ROOT/wrong/journals/$OLSEN.policy"
	"$JFS" policy test "$HERE/../clinic/expectations.txt" --from "$ROOT/wrong" --at 2026-11-28 >"$ROOT/said" && return 1
	grep -q 'expected fatima' "$ROOT/said" || fail "$(cat "$ROOT/said")"
}

# The clinic's dan is its first steward here; the others have the accounts of this test.
t_practice_is_loaded_in_one_version() {
	cp -r "$ROOT/practice" "$ROOT/ours"
	rm -r "$ROOT/ours/journals"
	sed -i 's/user lh-/user jft-/; s/^role  steward .*/role  steward                 may policy audit/' \
		"$ROOT/ours/practice.policy" "$ROOT/ours/practice.d/"*
	echo 'practitioner dan user jft-dan role steward' >>"$ROOT/ours/practice.policy"
	jfs dan policy load "$ROOT/ours" --reason 'the practice moves in' || return 1
	jfs dan policy show practice.d/mind | cmp - "$ROOT/ours/practice.d/mind.policy" || return 1
	as dan ls "$(J dan)/.policy/practice.d" | grep -qx 'physio.policy' || fail "no part in .policy" || return 1
	jfs dan policy log practice | grep -q 'the practice moves in'
}

t_people_move_from_a_part_to_another_in_one_version() {
	cp -r "$ROOT/ours" "$ROOT/moved"
	grep '^practitioner bo ' "$ROOT/ours/practice.d/doctors.policy" >>"$ROOT/moved/practice.d/physio.policy"
	sed -i '/^practitioner bo /d' "$ROOT/moved/practice.d/doctors.policy"
	as dan sh -c "cp '$ROOT/moved/practice.d/doctors.policy' '$(J dan)/.policy/practice.d/doctors.policy'" 2>/dev/null &&
		fail "an enrolled person vanished" && return 1
	jfs dan policy load "$ROOT/moved" && jfs dan policy load "$ROOT/ours"
}

t_journals_are_made_and_their_policies_copied_in() {
	login anna && login bo && login eva || return 1
	for j in "$HANSEN" "$OLSEN" "$DAHL"; do
		as anna mkdir "$(J anna)/$j" && as anna sh -c "echo 'of $j' >'$(J anna)/$j/note.txt'" || return 1
		as dan cp "$ROOT/practice/journals/$j.policy" "$(J dan)/.policy/journals/$j.policy" || return 1
		jfs dan policy show "$j" | cmp - "$ROOT/practice/journals/$j.policy" || return 1
	done
}

t_mounts_show_what_is_expected() {
	wait_for 10 as bo cat "$(J bo)/$HANSEN/note.txt" || fail "the unit's default lets nurses in" || return 1
	wait_for 5 as bo sh -c "echo x >>'$(J bo)/$HANSEN/note.txt'" || return 1
	expect_errno EACCES as eva ls "$(J eva)/$HANSEN" || return 1
	expect_errno EACCES as anna cat "$(J anna)/$OLSEN/note.txt" || fail "it is Bjorn's now" || return 1
	as bo cat "$(J bo)/$OLSEN/note.txt" >/dev/null
}

t_expectations_hold_in_the_vault_as_well() {
	grep -E "^expect .*($HANSEN|$OLSEN|$DAHL)" "$HERE/../clinic/expectations.txt" >"$ROOT/mine.txt"
	jfs dan policy test "$ROOT/mine.txt" --at 2026-11-28 | tee "$ROOT/said"
	grep -q ' expectations, 0 failed' "$ROOT/said"
}

t_man_page_teaches_what_is_accepted() { # its examples stand in the practice, and the statements it names parse
	local line n=0
	while IFS= read -r line; do
		grep -rqF "$(tr -s ' ' <<<"$line")" <(cat "$ROOT"/practice/*.policy "$ROOT"/practice/practice.d/* "$ROOT/practice/journals/$OLSEN.policy" \
			"$ROOT/practice/journals/$DAHL.policy" | tr -s ' ') || fail "not in tests/clinic: $line" || return 1
		n=$((n + 1))
	done < <(sed -n '/^\.Bd/,/^\.Ed/p' "$HERE/../../tools/man/journalfs-policy.5" |
		grep -E '^(practice|session|log|durability|attend  *limit|blocks|role|default|practitioner|unit  *(doctors|mind)  *"|journal)' |
		sed 's/  *reason ".*//; s/ *#.*//')
	[ "$n" -ge 20 ] || fail "only $n lines found"
}

need_root
"$HERE/../clinic/make.sh" "$ROOT/practice" && chmod -R a+rX "$ROOT/practice"
clinic >"$ROOT/clinic.log" 2>&1 || { cat "$ROOT/clinic.log"; echo "FAIL clinic: could not be set up"; exit 1; }
run_tests
