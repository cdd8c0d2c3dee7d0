/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/marks.h - included before every unit and fault test: a place is marked once, however often
 * it passes in a row.
 *
 * Check writes down the place of each assertion that passes, with a system call or two, so that a
 * crash can be told with the last of them. A loop over a megabyte would write the same place a
 * million times, which was most of what the tests took. The last place stays exact.
 */
#ifndef TESTS_MARKS_H
#define TESTS_MARKS_H

#include <check.h>

static inline void tests_mark(const char *file, int line)
{
	static _Thread_local const char *last_file;
	static _Thread_local int last_line;

	if (line == last_line && file == last_file)
		return;
	last_file = file;
	last_line = line;
	_mark_point(file, line);
}

#define _mark_point(file, line) tests_mark(file, line)

#endif
