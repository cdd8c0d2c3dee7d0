# LibreOffice Writer without a window, for tests that source tests/mount/lib.sh.
# SPDX-License-Identifier: Apache-2.0

# Opens FILE, or makes it, and adds the line TEXT and saves, TIMES times in one session. Prints "stored", or what was in the way.
office_saves() { # NAME FILE TEXT [TIMES]
	local home=$ROOT/home/$1 b
	b=$home/.config/libreoffice/4/user/basic/Standard
	# Makes the profile.
	[ -d "$b" ] || as "$1" timeout 120 soffice --headless --terminate_after_init >/dev/null 2>&1
	[ -d "$b" ] || { echo "LibreOffice made no profile in $b"; return 1; }
	cat >"$b/Module1.xba" <<-END
		<?xml version="1.0" encoding="UTF-8"?>
		<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
		<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1" script:language="StarBasic">
		Sub Save
			Dim none()
			Dim doc As Object, said As String, n As Integer
			On Error Goto Failed
			If FileExists(&quot;$2&quot;) Then
				doc = StarDesktop.loadComponentFromURL(ConvertToURL(&quot;$2&quot;), &quot;_blank&quot;, 0, none())
			Else
				doc = StarDesktop.loadComponentFromURL(&quot;private:factory/swriter&quot;, &quot;_blank&quot;, 0, none())
			End If
			said = &quot;loaded&quot;
			For n = 1 To ${4:-1}
				doc.Text.insertString(doc.Text.End, &quot;$3&quot; + Chr(10), False)
				If doc.hasLocation() Then
					doc.store()
				Else
					doc.storeAsURL(ConvertToURL(&quot;$2&quot;), none())
				End If
			Next
			said = &quot;stored&quot;
		Failed:
			If said &lt;&gt; &quot;stored&quot; Then said = said + &quot; &quot; + Error\$
			Open &quot;$home/office.said&quot; For Output As #1
			Print #1, said
			Close #1
			On Error Resume Next
			doc.close(True)
		End Sub
		</script:module>
	END
	grep -q Module1 "$b/script.xlb" || sed -i 's#</library:library># <library:element library:name="Module1"/>\n</library:library>#' "$b/script.xlb"
	chown -R "jft-$1:" "$home/.config"
	rm -f "$home/office.said"
	as "$1" timeout 120 soffice --headless --norestore 'macro:///Standard.Module1.Save' >/dev/null 2>&1
	cat "$home/office.said" 2>/dev/null || echo "LibreOffice said nothing"
}

office_text() { # NAME FILE: the document's text
	as "$1" sh -c 'd=$(mktemp -d) && soffice --headless --convert-to txt:Text --outdir "$d" "$1" >/dev/null 2>&1 && cat "$d"/*.txt; rm -rf "$d"' sh "$2"
}
