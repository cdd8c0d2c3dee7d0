#!/bin/bash
# Every fuzzer (tests/fuzz/fuzz_*.c) under libFuzzer with ASan and UBSan, FUZZ_SECONDS each.
# SPDX-License-Identifier: Apache-2.0
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build-fuzz}
mkdir -p "$BUILD/fuzz"
make -s -j"$(nproc)" BUILD="$BUILD" CC=clang OPT="-O1 -g" FORTIFY= \
	EXTRA_CFLAGS="-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined" \
	"$BUILD/libkeys.a" "$BUILD/libpolicy.a" "$BUILD/libfs.a" || exit 1
ran=0 failed=0
libs="$(pkg-config --libs fuse3 libsodium lmdb jansson libseccomp libacl liboath libzstd libcrypto) -lpthread"
for f in tests/fuzz/fuzz_*.c; do
	name=$(basename "$f" .c)
	# shellcheck disable=SC2086
	clang -std=gnu11 -D_GNU_SOURCE -I. -g -O1 -fsanitize=address,undefined,fuzzer $(pkg-config --cflags libsodium jansson) \
		-o "$BUILD/fuzz/$name" "$f" "$BUILD"/libfs.a "$BUILD"/libpolicy.a "$BUILD"/libkeys.a $libs ||
		{ echo "FAIL $name: does not build"; failed=$((failed + 1)); continue; }
	mkdir -p "$BUILD/fuzz/corpus-$name"
	dict=
	[[ $name == fuzz_policy_* ]] && dict=-dict=tests/fuzz/policy.dict
	if "$BUILD/fuzz/$name" -max_total_time="${FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		${dict:+"$dict"} -artifact_prefix="$BUILD/fuzz/$name-" "$BUILD/fuzz/corpus-$name" >"$BUILD/fuzz/$name.log" 2>&1; then
		echo "PASS $name: $(grep -a number_of_executed_units "$BUILD/fuzz/$name.log" | awk '{print $2}') runs"
	else
		echo "FAIL $name:"
		grep -aE 'ERROR|SUMMARY|runtime error|Test unit' "$BUILD/fuzz/$name.log" | head -8
		failed=$((failed + 1))
	fi
	ran=$((ran + 1))
done
echo "$((ran - failed)) passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$ran" -gt 0 ]
