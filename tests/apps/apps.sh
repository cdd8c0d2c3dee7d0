#!/bin/bash
# LibreOffice converts and saves documents inside a journal.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../mount/lib.sh"

D=''
t_libreoffice_converts_a_document_in_the_journal() {
	as anna sh -c "cd '$D' && printf 'Epikrise\n\nPatienten er i bedring.\n' >note.txt &&
		soffice --headless --convert-to odt note.txt >/dev/null 2>&1 && soffice --headless --convert-to pdf note.odt >/dev/null 2>&1 &&
		test -s note.odt && head -c 4 note.pdf | grep -q '%PDF'"
}
t_document_is_whole_after_a_restart() {
	as anna sha256sum "$D/note.odt" >"$ROOT/sum" || return 1
	logout anna && stop_daemon && start_daemon && login anna || return 1
	as anna sha256sum "$D/note.odt" | cmp - "$ROOT/sum" || return 1
	as anna sh -c "cd '$D' && soffice --headless --convert-to txt:Text --outdir back note.odt >/dev/null 2>&1 && grep -q 'bedring' back/note.txt"
}

need_root
clinic && login anna || { echo "FAIL apps: set-up"; exit 1; }
D="$(J anna)/010190-1234 Hansen, Anna"
as anna mkdir "$D"
run_tests
