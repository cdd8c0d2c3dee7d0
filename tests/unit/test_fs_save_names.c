/* SPDX-License-Identifier: Apache-2.0 */
/* fs/save_names: what programs leave beside notes is known, and notes are not taken for it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/save_names.h"

static const char *const temporary[] = {
	".note.txt.swp",
	".note.txt.swo",
	".note.txt.swa",
	"..hidden.swp",
	".swp", /* vim, nano -G */
	"note.txt~",
	".note.txt.un~",
	"note.txz~",
	"note~", /* vim */
	"#note.txt#",
	".#note.txt",
	"note.txt.~1~",
	"note.txt.~12~", /* emacs */
	"note.txt~",
	"Epikrise 12.5.~", /* nano -B, gedit, kate */
	".~lock.Epikrise Hansen.odt#",
	"lu1234abcd.tmp",
	"lu132808aval.tmp", /* LibreOffice */
	".goutputstream-A1B2C3",
	".goutputstream-ABCDEF", /* GLib */
	".note.txt.kate-swp",	 /* kate */
	".note.txt.aB3dEf",
	".note.txt.ABCDEF",
	".note.txt.123456", /* rsync */
	"Page.txt.zim-new~",
	"2026-01.old.txt", /* Zim, RedNotebook */
	"~$pikrise.docx",  /* Office */
	"list.db-journal",
	"list.sqlite-wal",
	"list.sqlite3-shm", /* SQLite */
};

static const char *const notes[] = {
	"",
	".",
	"..",
	"a",
	"~",
	"#",
	"##",
	".#",
	"note",
	"note.txt",
	"Epikrise Hansen.odt",
	"report.tmp.odt",
	"backup~plan.txt",
	"~plan.txt",
	"plan~.txt",
	"~/plan", /* a tilde elsewhere */
	"report.tmp",
	"report.bak",
	"report.old",
	"report.lock",
	"report.save",
	"report.orig",
	"report.swp.txt",
	"#1 priority.txt",
	"room #4",
	"C#",
	"#", /* number signs */
	"note.swp",
	"note.swo",
	".note.swq",
	".note.svg",
	".note.sw",
	".note.swpp",
	".note.SWP", /* near a swap file */
	"sedations",
	"sedABCDEF",
	"sedation.txt", /* near sed -i */
	"brev.Hansen",
	"note.txt.AbCdEf",
	"note.123456",
	"kontrol.010190", /* near QSaveFile */
	".data.sqlite",
	".config.backup",
	".abcDEF",
	".a.b",
	".123456",
	".note.txt.aB3dE",
	".note.txt.aB-dEf", /* near rsync */
	".goutputstream-",
	".goutputstream-a1b2c3",
	".goutputstream-A1B2C3D",
	".goutputstream-A1B2C3.txt",
	"goutputstream-A1B2C3",
	"2026-01.old.txt.odt",
	"2026-01.txt",
	"2026-01.old.odt",
	"2026-1.old.txt",
	"plan.old.txt",
	"x2026-01.old.txt",
	"2026-01.new.txt",
	"lunch.tmp",
	"lucas1.tmp",
	"lu12345.tmp",
	"lu.tmp",
	"lu1.tmp",
	"lung 1234.tmp",
	"luABCD1.tmp",
	"lu1234abcd.tmp.odt", /* near LibreOffice */
	".~lock.note.odt",
	"~lock.note.odt#",
	".~lock.#",
	".note.kate-swp.txt",
	"note.kate-swp",
	".kate-swp",
	"patient-journal",
	"journal",
	"db-journal",
	".db-journal",
	"list.db",
	"list-wal",
	"list.db-journal.txt",
	"4913", /* vim's probe is empty, the note may not be */
	"n\xc3\xb8gle.txt",
	"\xff\xfe",
	"Lu4913.odt",
};

START_TEST(names_of_programs_are_known)
{
	for (size_t i = 0; i < sizeof(temporary) / sizeof(temporary[0]); i++)
		ck_assert_msg(fs_save_names_temporary(temporary[i]), "\"%s\" is taken for a note",
			      temporary[i]);
}
END_TEST

START_TEST(notes_are_notes)
{
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		ck_assert_msg(!fs_save_names_temporary(notes[i]), "\"%s\" is not taken for a note",
			      notes[i]);
}
END_TEST

/* A form is the whole name's: nothing before it, nothing behind it. */
START_TEST(form_in_the_middle_of_a_name_is_a_note)
{
	char name[256];

	for (size_t i = 0; i < sizeof(temporary) / sizeof(temporary[0]); i++) {
		(void)snprintf(name, sizeof(name), "x %s.odt", temporary[i]);
		ck_assert_msg(!fs_save_names_temporary(name), "\"%s\"", name);
	}
}
END_TEST

/* Every cut and every single byte changed, at the edges of exact memory (for the sanitizers). */
START_TEST(any_bytes_are_judged_within_the_name)
{
	size_t seen = 0;

	for (size_t i = 0; i < sizeof(temporary) / sizeof(temporary[0]); i++)
		for (size_t len = 0; len <= strlen(temporary[i]); len++) {
			char *name = strndup(temporary[i], len);

			ck_assert_ptr_nonnull(name);
			seen += fs_save_names_temporary(name);
			for (size_t at = 0; at < len; at++) {
				name[at] = (char)0x80;
				seen += fs_save_names_temporary(name);
				name[at] = temporary[i][at];
			}
			free(name);
		}
	ck_assert_uint_ge(seen, sizeof(temporary) / sizeof(temporary[0]));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fs_save_names");
	TCase *c = tcase_create("names");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, names_of_programs_are_known);
	tcase_add_test(c, notes_are_notes);
	tcase_add_test(c, form_in_the_middle_of_a_name_is_a_note);
	tcase_add_test(c, any_bytes_are_judged_within_the_name);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
