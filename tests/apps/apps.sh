#!/bin/bash
# LibreOffice converts and saves documents inside a journal, and edits a policy as text.
# SPDX-License-Identifier: Apache-2.0
SLOW_KEYS=1 # passphrases as people have them
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

# A macro that opens the file as text, adds a line, and saves it where it was; what it met goes to a file.
office_adds() { # LINE FILE
	local b=$ROOT/home/dan/.config/libreoffice/4/user/basic/Standard
	# Makes the profile.
	[ -d "$b" ] || as dan timeout 120 soffice --headless --terminate_after_init >/dev/null 2>&1
	cat >"$b/Module1.xba" <<-END
		<?xml version="1.0" encoding="UTF-8"?>
		<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
		<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1" script:language="StarBasic">
		Sub Edit
			Dim how(1) As New com.sun.star.beans.PropertyValue
			Dim doc As Object, said As String
			how(0).Name = &quot;FilterName&quot; : how(0).Value = &quot;Text (encoded)&quot;
			how(1).Name = &quot;FilterOptions&quot; : how(1).Value = &quot;UTF8,LF&quot;
			On Error Goto Failed
			doc = StarDesktop.loadComponentFromURL(ConvertToURL(&quot;$2&quot;), &quot;_blank&quot;, 0, how())
			said = &quot;loaded&quot;
			doc.Text.insertString(doc.Text.End, Chr(10) + &quot;$1&quot; + Chr(10), False)
			doc.store()
			said = &quot;stored&quot;
		Failed:
			If said &lt;&gt; &quot;stored&quot; Then said = said + &quot; &quot; + Error\$
			Open &quot;$ROOT/home/dan/office.said&quot; For Output As #1
			Print #1, said
			Close #1
			On Error Resume Next
			doc.close(True)
		End Sub
		</script:module>
	END
	chown -R jft-dan: "$ROOT/home/dan/.config"
	rm -f "$ROOT/home/dan/office.said"
	as dan timeout 120 soffice --headless --norestore 'macro:///Standard.Module1.Edit' >/dev/null 2>&1
	cat "$ROOT/home/dan/office.said"
}
t_libreoffice_edits_a_policy_as_text() {
	local p said
	p=$(J dan)/.policy
	said=$(office_adds '# by LibreOffice' "$p/practice.policy")
	[ "$said" = stored ] || fail "LibreOffice says: $said; $(as dan cat "$p/practice.policy.error")" || return 1
	jfs dan policy show practice | grep -qx '# by LibreOffice' || fail "not in force: $(jfs dan policy show practice | tail -n 2)" || return 1
	said=$(office_adds 'practize' "$p/practice.policy")
	[ "$said" != stored ] || fail "LibreOffice says that it stored a text that was refused" || return 1
	jfs dan policy show practice | grep -q practize && fail "the bad text is in force" && return 1
	as dan grep -q 'practize' "$p/practice.policy.error" || fail "$(as dan ls -A "$p")" || return 1
	as dan ls -A "$p" | grep -q '~lock' && fail "left: $(as dan ls -A "$p")" && return 1
	return 0
}

need_root
clinic && login anna || { echo "FAIL apps: set-up"; exit 1; }
D="$(J anna)/010190-1234 Hansen, Anna"
as anna mkdir "$D"
run_tests
