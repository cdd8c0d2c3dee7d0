/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/save_names.c - the names of editors' temporary, swap, lock and backup files.
 *
 * Owns: nothing. Locks: none.
 *
 * Invariants:
 *   1. A name is taken only for a form that programs make and people do not: a bare ".tmp", ".bak",
 *      ".old", ".save" or ".lock" at the end is a note's as well, and is not taken.
 *   2. Files that a program writes beside the note and renames over it, once, need no rule: they
 * become the note, and their one writing keeps no version. So the random ends of sed (sedXXXXXX),
 * perl (XXXXXXXX), emacs (tmpXXXXXX), QSaveFile and g_file_set_contents (NAME.XXXXXX) are not
 *      taken: "sedations" and "brev.Hansen" are notes.
 *   3. Files that stay empty need no rule: vim's 4913 and .NAME.swx, git's HEAD.lock.
 */
#include "save_names.h"

#include <stddef.h>
#include <string.h>

enum random {
	NONE,
	UPPER_DIGITS, /* GLib's: six of A-Z and 0-9 */
	MIXED,	/* mkstemp's at the end: six of A-Z, a-z, 0-9, not all small (".data.sqlite") */
	OFFICE, /* LibreOffice's: a process id, then a-z and 0-9, six or more in all */
};

/* A name is `before`, something, `after`; least is the shortest something. */
struct rule {
	const char *before, *after;
	size_t least;
	enum random random;
};

static const struct rule rules[] = {
	/* vim, emacs, nano, gedit, kate, rsync, cp: backups; emacs also NAME.~1~, vim's undo
	   .NAME.un~, Zim's NAME.zim-new~ */
	{"", "~", 1, NONE},
	/* emacs: what is typed and not saved */
	{"#", "#", 1, NONE},
	/* emacs: lock, a symbolic link */
	{".#", "", 1, NONE},
	/* LibreOffice: lock, and the document while it is written */
	{".~lock.", "#", 1, NONE},
	{"lu", ".tmp", 6, OFFICE},
	/* GLib's g_file_replace: gedit and most of GNOME */
	{".goutputstream-", "", 6, UPPER_DIGITS},
	/* kate, kwrite: what is typed and not saved */
	{".", ".kate-swp", 1, NONE},
	/* rsync: .NAME.XXXXXX */
	{".", "", 8, MIXED},
	/* Microsoft Office, OnlyOffice: owner file */
	{"~$", "", 1, NONE},
	/* SQLite: beside a database that has an extension */
	{"", ".db-journal", 1, NONE},
	{"", ".db-wal", 1, NONE},
	{"", ".db-shm", 1, NONE},
	{"", ".sqlite-journal", 1, NONE},
	{"", ".sqlite-wal", 1, NONE},
	{"", ".sqlite-shm", 1, NONE},
	{"", ".sqlite3-journal", 1, NONE},
	{"", ".sqlite3-wal", 1, NONE},
	{"", ".sqlite3-shm", 1, NONE},
};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool small(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool capital(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool upper_digits(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!capital(s[i]) && !digit(s[i]))
			return false;
	return len == 6;
}

static bool office(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!small(s[i]) && !digit(s[i]))
			return false;
	return digit(s[0]);
}

static bool mixed_end(const char *s, size_t len)
{
	const char *end = s + len - 6;
	bool only_small = true;

	if (end[-1] != '.')
		return false;
	for (size_t i = 0; i < 6; i++) {
		if (!small(end[i]) && !capital(end[i]) && !digit(end[i]))
			return false;
		only_small = only_small && small(end[i]);
	}
	return !only_small;
}

static bool fits(const struct rule *r, const char *name, size_t len)
{
	size_t before = strlen(r->before), after = strlen(r->after), between;

	if (len < before + after + r->least)
		return false;
	if (memcmp(name, r->before, before) != 0 ||
	    memcmp(name + len - after, r->after, after) != 0)
		return false;
	name += before;
	between = len - before - after;
	switch (r->random) {
	case UPPER_DIGITS:
		return upper_digits(name, between);
	case OFFICE:
		return office(name, between);
	case MIXED:
		return mixed_end(name, between);
	case NONE:
		break;
	}
	return true;
}

/* vim, nano -G: .NAME.swp, then .swo down to .swa when the one before is taken; .swp of a text
 * without a name. */
static bool swap(const char *name, size_t len)
{
	return len >= 4 && name[0] == '.' && !memcmp(name + len - 4, ".sw", 3) &&
	       name[len - 1] >= 'a' && name[len - 1] <= 'p';
}

/* RedNotebook: YYYY-MM.old.txt, a copy of the month while it is replaced. */
static bool old_month(const char *name, size_t len)
{
	static const char like[] = "0000-00.old.txt";

	if (len != sizeof(like) - 1)
		return false;
	for (size_t i = 0; i < len; i++)
		if (like[i] == '0' ? !digit(name[i]) : name[i] != like[i])
			return false;
	return true;
}

bool fs_save_names_temporary(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (fits(&rules[i], name, len))
			return true;
	return swap(name, len) || old_month(name, len);
}
