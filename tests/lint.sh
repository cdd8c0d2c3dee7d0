#!/bin/bash
# Every static gate: two compilers, cppcheck, and the rules of the house. Prints what fails, at its place.
# SPDX-License-Identifier: Apache-2.0
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0
say() {
	echo "lint: $*"
	bad=1
}
out=build-lint
mkdir -p "$out"

# ---- both compilers, warnings are errors
make -s -j"$(nproc)" BUILD="$out" EXTRA_CFLAGS=-Werror tests-built || say "gcc: see above"
flags="-std=gnu11 -D_GNU_SOURCE -DFUSE_USE_VERSION=314 -DHAVE_LIBCRYPTO=1 -I. $(pkg-config --cflags fuse3 libsodium lmdb jansson libseccomp libacl liboath libqrencode libzstd)"
warn="-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wundef -Wformat=2 -Werror"
# shellcheck disable=SC2086
find keys policy fs tools -name '*.c' -print0 |
	xargs -0 -P "$(nproc)" -n 4 clang -fsyntax-only $flags $warn || say "clang: see above"

# Fuzzers are built by who runs them (make fuzz): here only that they still fit.
# shellcheck disable=SC2086
find tests/fuzz -name '*.c' -print0 | xargs -0 -P "$(nproc)" -n 4 clang -fsyntax-only $flags -Werror=implicit-function-declaration ||
	say "fuzzers: see above"

# ---- cppcheck
# shellcheck disable=SC2086
cppcheck -q -j "$(nproc)" --enable=warning,portability --inline-suppr --error-exitcode=1 --std=c11 \
	--suppress=missingIncludeSystem --suppress=checkersReport --suppress=unknownMacro --suppress=syntaxError:fs/op_table.c -D_GNU_SOURCE -DFUSE_USE_VERSION=314 \
	-DHAVE_LIBCRYPTO=1 -I. keys policy fs tools || say "cppcheck: see above"

# ---- headers stand alone
for h in keys/*.h policy/*.h fs/*.h tools/*.h; do
	# shellcheck disable=SC2086
	echo "#include \"$h\"" | gcc -x c -fsyntax-only $flags - 2>/dev/null || say "$h does not compile by itself"
done

# ---- external symbols begin with their folder
for f in keys policy fs tools; do
	nm -A --defined-only --extern-only "$out/$f"/*.o 2>/dev/null |
		awk -v f="$f" '{n = split($NF, p, "_")} $2 != "" && $NF !~ "^" f "_" && $NF != "main" {print $1, $NF}' >"$out/symbols"
	[ -s "$out/symbols" ] && say "symbols without the prefix ${f}_:" && cat "$out/symbols"
done

# ---- folders: tools -> fs, policy, keys; fs -> policy, keys; keys and policy never meet (but bytes.h)
grep -nE '#include "(\.\./)?(fs|policy|tools)/' keys/*.[ch] && say "keys/ may include only keys/"
grep -nE '#include "(\.\./)?(fs|keys|tools)/' policy/*.[ch] | grep -v 'keys/bytes\.h"' && say "policy/ may include only policy/ and keys/bytes.h"
grep -nE '#include "(\.\./)?tools/' fs/*.[ch] && say "fs/ may not include tools/"

# ---- keys and policy are pure: no files, no clock, no environment
for f in keys policy; do
	nm -u "$out/lib$f.a" | awk '{print $2}' |
		grep -E '^(open|openat|read|write|pread|pwrite|fopen|fdopen|stat|fstat|unlink|rename|socket|connect|time|clock_gettime|gettimeofday|getenv|system|fork|execve?|printf|fprintf|puts|localtime(_r)?)(64)?(@.*)?$' &&
		say "$f/ is pure: the calls above have no place in it"
done

# ---- one door per library
door() { # HEADER PATTERN-OF-FILES
	local hits
	hits=$(grep -lE "#include <$1" keys/*.[ch] policy/*.[ch] fs/*.[ch] tools/*.[ch] | grep -vE "^($2)$")
	[ -z "$hits" ] || say "<$1> has one door ($2); also in: $hits"
}
door 'lmdb\.h' 'fs/store[a-z_]*\.[ch]'
door 'sodium' 'keys/[a-z0-9_]*\.c'
door 'openssl/' 'keys/(seal|bulk)[a-z_]*\.c'
door '(fuse|fuse3/|fuse_lowlevel)' 'fs/(op|mount|serve)[a-z_]*\.[ch]'
door '(seccomp|linux/landlock)' 'fs/harden[a-z_]*\.[ch]'
door '(sys/acl|acl/libacl)' 'fs/acl\.c'
door 'liboath/' 'keys/totp\.c'
door 'zstd' 'fs/history_delta\.c'
door 'qrencode' 'tools/qr\.c'
door 'jansson' '(fs/(wire|control)[a-z_]*\.[ch])|tools/[a-z_]*\.[ch]'

door 'systemd/' 'tools/logind\.c'

# ---- clocks are pretended by tests alone
hits=$(grep -l 'fs_clock_pretend' keys/*.[ch] policy/*.[ch] fs/*.[ch] tools/*.[ch] | grep -vE '^fs/clock\.[ch]$')
[ -z "$hits" ] || say "fs_clock_pretend is for unit tests: $hits"

# ---- ranks in fs/: a module includes only modules of its own rank or below (table in fs/README.md)
awk -F'|' '/^\| *[0-9] *\|/ {gsub(/[` ,]+/, " ", $3); n = split($3, m, " "); for (i = 1; i <= n; i++) if (m[i] != "") print m[i], $2 + 0}' \
	fs/README.md >"$out/ranks"
for f in fs/*.[ch]; do
	name=$(basename "${f%.*}")
	rank=$(awk -v n="$name" '$1 == n {print $2}' "$out/ranks")
	if [ -z "$rank" ]; then
		say "$f has no rank in fs/README.md"
		continue
	fi
	for i in $(sed -nE 's/^#include "([a-z_0-9]+)\.h".*/\1/p' "$f"); do
		r=$(awk -v n="$i" '$1 == n {print $2}' "$out/ranks")
		[ -n "$r" ] && [ "$r" -gt "$rank" ] && say "$f (rank $rank) includes $i.h (rank $r)"
	done
done

# ---- unfinished by its own words; words that have no place; files too long to be one thing
git grep -nIE '\b(TODO|FIXME|XXX|HACK|not (yet )?implemented)\b' -- '*.c' '*.h' '*.sh' Makefile ':!tests/lint.sh' && say "unfinished by its own words"
for f in $(git ls-files '*.c' '*.h'); do
	grep -q 'SPDX-License-Identifier' "$f" || say "$f lacks its SPDX line"
	case $f in tests/*) most=1300 ;; *) most=700 ;; esac
	[ "$(wc -l <"$f")" -le $most ] || say "$f is over $most lines"
done
extra=$(git ls-files | cut -d/ -f1 | sort -u | grep -vxE 'fs|policy|keys|tools|tests|Makefile|README.md|LICENSE|\..*')
[ -z "$extra" ] || say "top-level names that have no place: $extra"

# ---- the label table of keys/FORMAT.md is the code's
grep -oE '"journalfs [^"]+"' keys/label.c | tr -d '"' | sort >"$out/labels"
while read -r l; do grep -qF "$l" keys/FORMAT.md || say "keys/FORMAT.md lacks the label $l"; done <"$out/labels"

# ---- every verb and option stands in the man page
for v in $(sed -nE 's/^\t\{ "([a-z]+)", tools.*/\1/p' tools/main.c); do
	grep -q "^\.It Cm $v\b" tools/man/journalfs.1 || say "man page lacks the verb $v"
done
for o in $(sed -nE 's/^\t\{ "([a-z-]+)", (required|no)_argument.*/\1/p' tools/main.c); do
	grep -q -- "Fl -$o\b" tools/man/journalfs.1 || say "man page lacks --$o"
done

# ---- the desktop's side
dash=$(command -v dash || echo sh)
for f in tools/desktop/journalfs-emergency tools/desktop/nautilus-script tools/desktop/journalfs-finalize tools/desktop/nautilus-finalize; do
	"$dash" -n "$f" && shellcheck "$f" || say "$f: see above"
done
desktop-file-validate tools/desktop/journalfs-emergency.desktop || say "the menu entry: see above"

[ $bad -eq 0 ] && echo "lint: clean"
exit $bad
