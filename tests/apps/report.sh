#!/bin/bash
# The report on a made-up clinic's year, and one full of hostile names, looked at in headless Chromium (outside CI: it is
# large to install). The pictures stay in $SHOTS, build/report by default: look at them.
# SPDX-License-Identifier: Apache-2.0
set -eu
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
SHOTS=${SHOTS:-$BUILD/report}
if ! command -v chromium >/dev/null; then
	echo "installing: chromium (large)"
	${SUDO:-} apt-get update -qq
	DEBIAN_FRONTEND=noninteractive ${SUDO:-} apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
fi
make -s "$BUILD/journalfs" "$BUILD/tests/apps/year_log" "$BUILD/tests/test_tools_report_html"
# A year is written in small pieces: memory is kinder to it than a disk.
work=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)" journalfs-report-XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir -p "$SHOTS"

"$BUILD/tests/apps/year_log" "$work" >"$work/said"
cat "$work/said"
"$BUILD/journalfs" audit report --log "$work/log" --key "$work/key" --passphrase-fd 3 --html "$work/year.html" 3<<<year
rc=0
[ "$(stat -c %a "$work/year.html")" = 600 ] || { echo "FAIL the report is for others to read too"; rc=1; }
grep -q 'The log is whole.' "$work/year.html" || { echo "FAIL the log is whole, but the report does not say so"; rc=1; }
# Who was planted stands among those to ask about.
while read -r who; do
	grep -q "<strong>$who</strong>" "$work/year.html" || { echo "FAIL $who is not told of"; rc=1; }
done < <(sed -n 's/^planted: //p' "$work/said")
JOURNALFS_REPORT_PAGE=$work/hostile.html "$BUILD/tests/test_tools_report_html" >/dev/null
for page in year hostile; do
	python3 tests/apps/browse.py "$work/$page.html" "$SHOTS/$page" || rc=1
done
[ $rc -eq 0 ] && echo "report: everything is in order"
exit $rc
