/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The practice policy: what it says when parsed, and every error in its words.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/features.h"
#include "policy/practice.h"

/* What every practice needs, so that a test's own line is the only thing wrong. */
#define BASE                                                                                       \
	"role r clinical may list read policy audit\n"                                             \
	"unit north \"N\"\n"                                                                       \
	"practitioner anna user anna role r unit north\n"
#define KEEP "`keep` takes a number of versions, as 5, a duration, as 30d, or `none`\n"
#define DOCTOR "role doctor clinical may list read write finalize\n"

static void features_all(bool built)
{
	for (unsigned i = 0; i < POLICY_FEATURE_COUNT; i++)
		ck_assert(policy_feature_set(policy_feature_name(i), built));
}

static struct policy_practice *parsed(const char *text)
{
	struct policy_practice *p = NULL;
	struct policy_report *report = NULL;
	int rc;

	ck_assert_int_eq(policy_report_new(&report), 0);
	rc = policy_practice_parse(text, strlen(text), "p", report, &p);
	ck_assert_msg(!rc, "%s", rc ? policy_report_line(report, 0) : "");
	ck_assert_uint_eq(policy_report_count(report), 0);
	policy_report_free(report);
	return p;
}

/* The text is refused with exactly these lines. */
static void refused(const char *text, size_t len, const char *errors)
{
	struct policy_practice *p = NULL;
	struct policy_report *report = NULL;
	char *got;

	ck_assert_int_eq(policy_report_new(&report), 0);
	ck_assert_int_eq(policy_practice_parse(text, len, "p", report, &p), -EINVAL);
	ck_assert_ptr_null(p);
	got = policy_report_text(report);
	ck_assert_str_eq(got, errors);
	free(got);
	policy_report_free(report);
}

static const struct {
	const char *text, *errors;
} golden[] = {
	{BASE "sesion idle 5m\n", "p:4:1: unknown statement `sesion`: did you mean `session`?\n"},
	{BASE "zzz\n",
	 "p:4:1: unknown statement `zzz`: known are practice, session, break-glass, "
	 "attend, blocks, finalize, history, retention, log, durability, include, hours, "
	 "statement, role, unit, default, practitioner, program, own, relative\n"},
	{BASE "\"practice\"\n", "p:4:1: a statement begins with a word, not with a string\n"},
	{BASE "practice\n", "p:4:9: the practice's name is missing here\n"},
	{BASE "practice Klinik\n",
	 "p:4:10: the practice's name is wanted here: put `Klinik` into double quotes\n"},
	{BASE "practice \"\"\n", "p:4:10: the practice's name is empty\n"},
	{BASE "practice \"a\" b\n", "p:4:14: nothing more is wanted on this line: remove `b`\n"},
	{BASE "practice \"a\"\n"
	      "practice \"b\"\n",
	 "p:5:1: the practice was named on line 4 already\n"},
	{BASE "practice \"a\n", "p:4:10: the string is not closed: add \" at its end\n"},
	{BASE "practice \"a\\n\"\n",
	 "p:4:12: a backslash in a string stands before \" or \\: write \\\\ for one backslash\n"},
	{BASE "practice \"a\"b\n", "p:4:13: put a blank after the closing \"\n"},
	{BASE "practice a\"b\"\n", "p:4:11: put a blank before the \"\n"},
	{BASE
	 "practice "
	 "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n",
	 "p:4:10: the practice's name is 256 bytes long: at most 255 fit\n"},
	{BASE "session\n",
	 "p:4:8: missing here is one of idle, ceiling, second-factor, passphrase-age\n"},
	{BASE "session idel 5m\n", "p:4:9: unknown session setting `idel`: did you mean `idle`?\n"},
	{BASE "session idle\n", "p:4:13: a duration is missing here\n"},
	{BASE "session idle 5\n",
	 "p:4:14: `5` is not a duration: write a number and m, h, d or y, as in 15m or 90d\n"},
	{BASE "session idle 5s\n",
	 "p:4:14: `5s` is not a duration: write a number and m, h, d or y, as in 15m or 90d\n"},
	{BASE "session idle 0m\n",
	 "p:4:14: `0m` is not a duration: write a number and m, h, d or y, as in 15m or 90d\n"},
	{BASE "session idle 99999999999m\n", "p:4:14: `99999999999m` is not a duration: write a "
					     "number and m, h, d or y, as in 15m or 90d\n"},
	{BASE "session idle 25h\n", "p:4:14: `idle` is from 1m to 24h, not `25h`\n"},
	{BASE "session idle \"5m\"\n", "p:4:14: a duration is wanted here, not \"5m\"\n"},
	{BASE "session ceiling 25h\n", "p:4:17: `ceiling` is from 1m to 24h, not `25h`\n"},
	{BASE "session ceiling 2d\n", "p:4:17: `ceiling` is from 1m to 24h, not `2d`\n"},
	{BASE "session ceiling 1h ceiling 2h\n", "p:4:20: `ceiling` was given on line 4 already\n"},
	{BASE "session ceiling 1h\n"
	      "session ceiling 2h\n",
	 "p:5:9: `ceiling` was given on line 4 already\n"},
	{BASE "session second-factor\n", "p:4:22: `required` is missing here\n"},
	{BASE "session second-factor requird\n",
	 "p:4:23: `required` is wanted here, not `requird`\n"},
	{BASE "session passphrase-age 1h\n",
	 "p:4:24: `passphrase-age` is from 1d to 10y, not `1h`\n"},
	{BASE "session passphrase-age 11y\n",
	 "p:4:24: `passphrase-age` is from 1d to 10y, not `11y`\n"},
	{BASE "session idle 2h ceiling 1h\n",
	 "p:4:1: `idle` is longer than `ceiling`: it would never end a session\n"},
	{BASE "break-glass\n", "p:4:12: missing here is one of limit, reason, review, notify, "
			       "fresh, at-once, daily\n"},
	{BASE "break-glass limit 25h\n", "p:4:19: `limit` is from 1m to 24h, not `25h`\n"},
	{BASE "break-glass reason 19\n",
	 "p:4:20: `reason`, in characters, is from 20 to 500, not `19`\n"},
	{BASE "break-glass reason 501\n",
	 "p:4:20: `reason`, in characters, is from 20 to 500, not `501`\n"},
	{BASE "break-glass reason x\n",
	 "p:4:20: `reason`, in characters, is from 20 to 500, not `x`\n"},
	{BASE "break-glass reason\n", "p:4:19: a number is missing here\n"},
	{BASE "break-glass review 30m\n", "p:4:20: `review` is from 1h to 90d, not `30m`\n"},
	{BASE "break-glass notify notify\n", "p:4:20: `notify` was given on line 4 already\n"},
	{BASE "break-glass limit\n", "p:4:18: a duration is missing here\n"},
	{BASE "break-glass limit 59s\n",
	 "p:4:19: `59s` is not a duration: write a number and m, h, d or y, as in 15m or 90d\n"},
	{BASE "break-glass limit 0m\n",
	 "p:4:19: `0m` is not a duration: write a number and m, h, d or y, as in 15m or 90d\n"},
	{BASE "break-glass limt 1h\n",
	 "p:4:13: unknown break-glass setting `limt`: did you mean `limit`?\n"},
	{BASE "break-glass names\n", "p:4:13: unknown break-glass setting `names`: known are "
				     "limit, reason, review, notify, fresh, at-once, daily\n"},
	{BASE "break-glass notify name\n",
	 "p:4:20: unknown break-glass setting `name`: known are limit, reason, review, notify, "
	 "fresh, at-once, daily\n"},
	{BASE "break-glass notify \"names\"\n",
	 "p:4:20: unknown break-glass setting \"names\": known are limit, reason, review, notify, "
	 "fresh, at-once, daily\n"},
	{BASE "break-glass notify names names\n",
	 "p:4:26: unknown break-glass setting `names`: known are limit, reason, review, notify, "
	 "fresh, at-once, daily\n"},
	{BASE "break-glass notify names notify\n",
	 "p:4:26: `notify` was given on line 4 already\n"},
	{BASE "break-glass notify\nbreak-glass notify names\n",
	 "p:5:13: `notify` was given on line 4 already\n"},
	{BASE "break-glass review 91d\n", "p:4:20: `review` is from 1h to 90d, not `91d`\n"},
	{BASE "break-glass review\n", "p:4:19: a duration is missing here\n"},
	{BASE "break-glass fresh\n", "p:4:18: a duration is missing here\n"},
	{BASE "break-glass fresh 25h\n", "p:4:19: `fresh` is from 1m to 24h, not `25h`\n"},
	{BASE "break-glass fresh 0m\n",
	 "p:4:19: `0m` is not a duration: write a number and m, h, d or y, as in 15m or 90d\n"},
	{BASE "break-glass fresh 5\n",
	 "p:4:19: `5` is not a duration: write a number and m, h, d or y, as in 15m or 90d\n"},
	{BASE "break-glass at-once\n", "p:4:20: a number is missing here\n"},
	{BASE "break-glass at-once 0\n",
	 "p:4:21: `at-once`, in grants, is from 1 to 20, not `0`\n"},
	{BASE "break-glass at-once 21\n",
	 "p:4:21: `at-once`, in grants, is from 1 to 20, not `21`\n"},
	{BASE "break-glass at-once 3m\n",
	 "p:4:21: `at-once`, in grants, is from 1 to 20, not `3m`\n"},
	{BASE "break-glass daily\n", "p:4:18: a number is missing here\n"},
	{BASE "break-glass daily 0\n", "p:4:19: `daily`, in grants, is from 1 to 200, not `0`\n"},
	{BASE "break-glass daily 201\n",
	 "p:4:19: `daily`, in grants, is from 1 to 200, not `201`\n"},
	{BASE "break-glass daily -1\n", "p:4:19: `daily`, in grants, is from 1 to 200, not `-1`\n"},
	{BASE "break-glass daily 99999999999999999999\n",
	 "p:4:19: `daily`, in grants, is from 1 to 200, not `99999999999999999999`\n"},
	{BASE "break-glass limit 1h limit 1h\n", "p:4:22: `limit` was given on line 4 already\n"},
	{BASE "break-glass reason 20 reason 20\n",
	 "p:4:23: `reason` was given on line 4 already\n"},
	{BASE "break-glass review 1h\nbreak-glass review 1h\n",
	 "p:5:13: `review` was given on line 4 already\n"},
	{BASE "break-glass fresh 5m at-once 2\nbreak-glass fresh 5m\n",
	 "p:5:13: `fresh` was given on line 4 already\n"},
	{BASE "break-glass at-once 2 daily 3 at-once 2\n",
	 "p:4:31: `at-once` was given on line 4 already\n"},
	{BASE "break-glass daily 3\nbreak-glass limit 1h daily 3\n",
	 "p:5:22: `daily` was given on line 4 already\n"},
	{BASE "break-glass notify\n"
	      "break-glass limit 1h notify\n",
	 "p:5:22: `notify` was given on line 4 already\n"},
	{BASE "finalize\n",
	 "p:4:9: missing here is one of after, on, others, countersign, amendment\n"},
	{BASE "finalize after 14h\n", "p:4:16: `after` is from 1d to 10y, not `14h`\n"},
	{BASE "finalize on readonly\n", "p:4:13: `read-only` is wanted here, not `readonly`\n"},
	{BASE "finalize after 14d\n"
	      "finalize after 15d\n",
	 "p:5:10: `after` was given on line 4 already\n"},
	{BASE "finalize never\n", "p:4:10: unknown finalize setting `never`: known are after, on, "
				  "others, countersign, amendment\n"},
	{BASE "finalize others others\n", "p:4:17: `others` was given on line 4 already\n"},
	{BASE "finalize others now\n",
	 "p:4:17: unknown finalize setting `now`: known are after, on, others, countersign, "
	 "amendment\n"},
	{BASE "finalize countersign\n", "p:4:21: a role name is missing here\n"},
	{BASE "finalize countersign Student\n",
	 "p:4:22: `Student` is not a name: use a-z, 0-9, `.`, `_` and `-`, and begin with a letter "
	 "or digit\n"},
	{BASE DOCTOR "finalize countersign docter\n",
	 "p:5:22: unknown role `docter`: did you mean `doctor`?\n"},
	{BASE DOCTOR "finalize countersign r zebra after 14d\n",
	 "p:5:24: unknown role `zebra`: declare it on a `role` line\n"},
	{BASE DOCTOR "finalize countersign r r\n", "p:5:24: role `r` stands twice\n"},
	{BASE DOCTOR "finalize countersign r\nfinalize countersign doctor\n",
	 "p:6:10: `countersign` was given on line 5 already\n"},
	{BASE DOCTOR "finalize countersign r doctor\n",
	 "p:5:22: nobody could countersign: that takes a clinical role with `write` and "
	 "`finalize` which is not named here\n"},
	{BASE "finalize countersign r\n",
	 "p:4:22: nobody could countersign: that takes a clinical role with `write` and "
	 "`finalize` which is not named here\n"},
	{BASE "finalize amendment\n",
	 "p:4:19: the pattern of an amendment's name is missing here\n"},
	{BASE "finalize amendment %n\n", "p:4:20: the pattern of an amendment's name is wanted "
					 "here: put `%n` into double quotes\n"},
	{BASE "finalize amendment \"\"\n", "p:4:20: the pattern of an amendment's name is empty\n"},
	{BASE "finalize amendment \"amendment %i%e\"\n",
	 "p:4:20: `amendment` needs `%n`, the note's name, as in \"%n amendment %i%e\"\n"},
	{BASE "finalize amendment \"%n%e\"\n",
	 "p:4:20: `amendment` needs a word or `%i`: this is the name of the note itself\n"},
	{BASE "finalize amendment \"../%n\"\n",
	 "p:4:20: `amendment` has no `/` in it: an amendment stands beside its note\n"},
	{BASE "finalize amendment \"%n %s\"\n",
	 "p:4:20: `amendment` knows `%n` (name), `%e` (extension) and `%i` (number), and no other "
	 "`%`\n"},
	{BASE "finalize amendment \"%n %\"\n",
	 "p:4:20: `amendment` knows `%n` (name), `%e` (extension) and `%i` (number), and no other "
	 "`%`\n"},
	{BASE "history\n", "p:4:8: missing here is one of off, for\n"},
	{BASE "history of\n", "p:4:9: unknown history setting `of`: did you mean `off`?\n"},
	{BASE "history off now\n", "p:4:13: nothing more is wanted on this line: remove `now`\n"},
	{BASE "history off\nhistory off\n", "p:5:9: `off` was given on line 4 already\n"},
	{BASE "history for\n", "p:4:12: a pattern of file names (\"*.tmp\") is missing here\n"},
	{BASE "history for *.tmp keep 3\n",
	 "p:4:13: a pattern of file names (\"*.tmp\") is wanted here: put `*.tmp` into double "
	 "quotes\n"},
	{BASE "history for \"\" keep 3\n",
	 "p:4:13: a pattern of file names (\"*.tmp\") is empty\n"},
	{BASE "history for \"a/*\" keep 3\n",
	 "p:4:13: a pattern is for a file's name alone: `a/*` has a `/`\n"},
	{BASE "history for \"*.tmp\"\n", "p:4:20: `keep` is missing here\n"},
	{BASE "history for \"*.tmp\" keep\n", "p:4:25: " KEEP},
	{BASE "history for \"*.tmp\" keep nothing\n", "p:4:26: " KEEP},
	{BASE "history for \"*.tmp\" keep \"3\"\n", "p:4:26: " KEEP},
	{BASE "history for \"*.tmp\" keep 3x\n", "p:4:26: " KEEP},
	{BASE "history for \"*.tmp\" keep \"3\n",
	 "p:4:26: the string is not closed: add \" at its end\n"},
	{BASE "history for \"*.tmp\" keep 0\n",
	 "p:4:26: `keep`, in versions, is from 1 to 10000, not `0`\n"},
	{BASE "history for \"*.tmp\" keep 10001\n",
	 "p:4:26: `keep`, in versions, is from 1 to 10000, not `10001`\n"},
	{BASE "history for \"*.tmp\" keep 30m\n", "p:4:26: `keep` is from 1h to 10y, not `30m`\n"},
	{BASE "history for \"*.tmp\" keep none 3\n",
	 "p:4:31: nothing more is wanted on this line: remove `3`\n"},
	{BASE "history for \"*.tmp\" \"*.tmp\" keep 3\n", "p:4:21: pattern `*.tmp` stands twice\n"},
	{BASE "history for \"*.tmp\" keep 3\nhistory for \"a\" \"*.tmp\" keep none\n",
	 "p:5:17: pattern `*.tmp` stands twice\n"},
	{BASE "include practice.d\n%part a\nhistory off\n",
	 "practice.d/a.policy:1:1: `history` is for the whole practice: move the line to "
	 "practice.policy\n"},
	{BASE "retention\n", "p:4:10: retention is in years, from 1y to 1000y, as in 10y\n"},
	{BASE "retention 10 after last-entry\n",
	 "p:4:11: retention is in years, from 1y to 1000y, as in 10y\n"},
	{BASE "retention 10d after last-entry\n",
	 "p:4:11: retention is in years, from 1y to 1000y, as in 10y\n"},
	{BASE "retention 1001y after last-entry\n",
	 "p:4:11: retention is in years, from 1y to 1000y, as in 10y\n"},
	{BASE "retention 10y\n", "p:4:14: `after` is missing here\n"},
	{BASE "retention 10y after last-entyr\n",
	 "p:4:21: `last-entry` is wanted here, not `last-entyr`\n"},
	{BASE "retention 10y after last-entry now\n",
	 "p:4:32: nothing more is wanted on this line: remove `now`\n"},
	{BASE "retention 10y after last-entry\n"
	      "retention 11y after last-entry\n",
	 "p:5:1: `retention` was given on line 4 already\n"},
	{BASE "log\n", "p:4:4: missing here is one of strict, keep, forward\n"},
	{BASE "log lazy\n", "p:4:5: unknown log setting `lazy`: known are strict, keep, forward\n"},
	{BASE "log strict strict\n", "p:4:12: `strict` was given on line 4 already\n"},
	{BASE "log strict\n"
	      "log strict\n",
	 "p:5:5: `strict` was given on line 4 already\n"},
	{BASE "log keep\n",
	 "p:4:9: `log keep` is in years, from 5y to 1000y: what is not five years old yet is never "
	 "taken out of the log\n"},
	{BASE "log keep 4y\n",
	 "p:4:10: `log keep` is in years, from 5y to 1000y: what is not five years old yet is never "
	 "taken out of the log\n"},
	{BASE "log keep 90d\n",
	 "p:4:10: `log keep` is in years, from 5y to 1000y: what is not five years old yet is never "
	 "taken out of the log\n"},
	{BASE "log strict keep 7y\n"
	      "log keep 8y\n",
	 "p:5:5: `keep` was given on line 4 already\n"},
	{BASE "durability\n", "p:4:11: `close` is missing here\n"},
	{BASE "durability open\n", "p:4:12: `close` is wanted here, not `open`\n"},
	{BASE "durability close\n"
	      "durability close\n",
	 "p:5:1: `durability` was given on line 4 already\n"},
	{BASE "role\n", "p:4:5: a role name is missing here\n"},
	{BASE "role Nurse may list\n", "p:4:6: `Nurse` is not a name: use a-z, 0-9, `.`, `_` and "
				       "`-`, and begin with a letter or digit\n"},
	{BASE "role nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn may list\n",
	 "p:4:6: `nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...` is too "
	 "long: names have at most 64 bytes\n"},
	{BASE "role nurse\n", "p:4:11: missing here is one of clinical, may\n"},
	{BASE "role nurse clinical\n", "p:4:20: missing here is may\n"},
	{BASE "role nurse list\n", "p:4:12: unknown word `list`: known are clinical, may\n"},
	{BASE "role nurse clinicl may list\n",
	 "p:4:12: unknown word `clinicl`: did you mean `clinical`?\n"},
	{BASE "role nurse may\n",
	 "p:4:15: missing here is one of list, read, write, create, "
	 "finalize, export, break-glass, policy, audit, review, attend, history\n"},
	{BASE "role nurse may raed\n", "p:4:16: unknown right `raed`: did you mean `read`?\n"},
	{BASE "role nurse may list list\n", "p:4:21: `list` is named twice\n"},
	{BASE "role nurse may list fly\n",
	 "p:4:21: unknown right `fly`: known are list, read, write, create, finalize, export, "
	 "break-glass, policy, audit, review, attend, history\n"},
	{BASE "role nurse may break-glass\n",
	 "p:4:16: role `nurse` is not clinical and can never break the glass: remove "
	 "`break-glass`, or write `clinical` before `may`\n"},
	{BASE "role r may list\n", "p:4:6: role `r` was declared on line 1 already\n"},
	{BASE "role \"nurse\" may list\n", "p:4:6: a role name is wanted here, not \"nurse\"\n"},
	{BASE "role -x may list\n", "p:4:6: `-x` is not a name: use a-z, 0-9, `.`, `_` and `-`, "
				    "and begin with a letter or digit\n"},
	{BASE "role n\xc3\xb8rse may list\n",
	 "p:4:6: `n\xc3\xb8rse` is not a name: use a-z, 0-9, `.`, `_` and `-`, and begin with a "
	 "letter or digit\n"},
	{BASE "unit\n", "p:4:5: a unit name is missing here\n"},
	{BASE "unit west\n", "p:4:10: the unit's title is missing here\n"},
	{BASE "unit west West\n",
	 "p:4:11: the unit's title is wanted here: put `West` into double quotes\n"},
	{BASE "unit west \"W\" grp g\n",
	 "p:4:15: nothing more is wanted on this line: remove `grp`\n"},
	{BASE "unit west \"W\" group\n", "p:4:20: a system group is missing here\n"},
	{BASE "unit west \"W\" group G\n", "p:4:21: `G` is not a name: use a-z, 0-9, `.`, `_` and "
					   "`-`, and begin with a letter or digit\n"},
	{BASE "unit north \"N2\"\n", "p:4:6: unit `north` was declared on line 2 already\n"},
	{BASE "unit west \"\"\n", "p:4:11: the unit's title is empty\n"},
	{BASE "practitioner\n", "p:4:13: a practitioner name is missing here\n"},
	{BASE "practitioner bo\n",
	 "p:4:16: missing here is one of user, role, unit, from, until, on, left\n"},
	{BASE "practitioner bo user bo\n", "p:4:24: `role ROLE` is missing: what `bo` may do\n"},
	{BASE "practitioner bo role r\n",
	 "p:4:23: `user ACCOUNT` is missing: the system account of `bo`\n"},
	{BASE "practitioner bo user bo role rr\n",
	 "p:4:30: unknown role `rr`: did you mean `r`?\n"},
	{BASE "practitioner bo user bo role r unit nort\n",
	 "p:4:37: unknown unit `nort`: did you mean `north`?\n"},
	{BASE "practitioner bo user bo role zzzzzz unit zzzzzz\n",
	 "p:4:30: unknown role `zzzzzz`: declare it on a `role` line\n"
	 "p:4:42: unknown unit `zzzzzz`: declare it on a `unit` line\n"},
	{BASE "practitioner bo user bo role r unit\n", "p:4:36: a unit name is missing here\n"},
	{BASE "practitioner bo user bo role r from 2026-13-01\n",
	 "p:4:37: `2026-13-01` is not a date: write YYYY-MM-DD or YYYY-MM-DDTHH:MMZ, as in "
	 "2026-11-01 or 2026-11-01T14:30Z\n"},
	{BASE "practitioner bo user bo role r from 2026-02-29\n",
	 "p:4:37: `2026-02-29` is not a date: write YYYY-MM-DD or YYYY-MM-DDTHH:MMZ, as in "
	 "2026-11-01 or 2026-11-01T14:30Z\n"},
	{BASE "practitioner bo user bo role r from 1.2.2026\n",
	 "p:4:37: `1.2.2026` is not a date: write YYYY-MM-DD or YYYY-MM-DDTHH:MMZ, as in "
	 "2026-11-01 or 2026-11-01T14:30Z\n"},
	{BASE "practitioner bo user bo role r until\n", "p:4:37: a date is missing here\n"},
	{BASE "practitioner bo user bo role r from 2026-02-02 until 2026-02-01\n",
	 "p:4:54: nothing lies between `from` and `until`: write the earlier one at `from`\n"},
	{BASE "practitioner bo user bo role r until 2026-02-01 from 2026-02-02\n",
	 "p:4:14: nothing lies between `from` and `until`: write the earlier one at `from`\n"},
	{BASE "practitioner bo user bo role r on holiday\n",
	 "p:4:35: `leave` is wanted here, not `holiday`\n"},
	{BASE "practitioner bo user bo role r on\n", "p:4:34: `leave` is missing here\n"},
	{BASE "practitioner bo user bo role r left left\n",
	 "p:4:37: `left` was given on line 4 already\n"},
	{BASE "practitioner bo user bo role r on leave left\n",
	 "p:4:41: `left` was given on line 4 already\n"},
	{BASE "practitioner bo user bo role r retired\n",
	 "p:4:32: unknown practitioner clause `retired`: known are user, role, unit, from, until, "
	 "on, left\n"},
	{BASE "practitioner bo user bo user bo role r\n",
	 "p:4:25: `user` was given on line 4 already\n"},
	{BASE "practitioner anna user bo role r\n",
	 "p:4:14: practitioner `anna` was declared on line 3 already\n"},
	{BASE "practitioner bo user anna role r\n",
	 "p:4:22: account `anna` is that of practitioner `anna` on line 3 already\n"},
	{BASE "practitioner bo user Bo role r\n",
	 "p:4:22: `Bo` is not a name: use a-z, 0-9, `.`, `_` and `-`, and begin with a letter or "
	 "digit\n"},
	{BASE "program\n", "p:4:8: `deny` is missing here\n"},
	{BASE "program allow x\n", "p:4:9: `deny` is wanted here, not `allow`\n"},
	{BASE "program deny\n", "p:4:13: a program's name is missing here\n"},
	{BASE "program deny \"\"\n", "p:4:14: a program's name is missing here\n"},
	{BASE "program deny ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp\n",
	 "p:4:14: a program's name has at most 64 bytes\n"},
	{BASE "program deny a \"b\n", "p:4:16: the string is not closed: add \" at its end\n"},
	{BASE "a\x07"
	      "b\n",
	 "p:4:2: control character U+0007: remove it\n"},
	{BASE "practice \"N\xc3\xb8rre\xff\"\n",
	 "p:4:16: not UTF-8: save the file as UTF-8 text\n"},
	{BASE "practice \"\xc2\x85\"\n", "p:4:11: control character U+0085: remove it\n"},
	{BASE "practice \"\xe2\x80\xae\"\n", "p:4:11: control character U+202E: remove it\n"},
	{BASE "\xef\xbb\xbfpractice \"a\"\n", "p:4:1: control character U+FEFF: remove it\n"},
	{BASE "practice \"a\"\x0d\n",
	 "p:4:13: a carriage return: save the file with Unix line ends (LF)\n"},
	{BASE "\xc3\xa6\xc3\xb8\xc3\xa5 x \"y\n",
	 "p:4:1: unknown statement `\xc3\xa6\xc3\xb8\xc3\xa5`: known are practice, session, "
	 "break-glass, attend, blocks, finalize, history, retention, log, durability, include, "
	 "hours, statement, role, unit, default, practitioner, program, own, relative\n"},
	{BASE "x\tsession\n",
	 "p:4:1: unknown statement `x`: known are practice, session, break-glass, attend, "
	 "blocks, finalize, history, retention, log, durability, include, hours, statement, role, "
	 "unit, default, practitioner, program, own, relative\n"},
	{BASE "  practice \"a\" # ok\n"
	      "\t# only a comment\n"
	      "sessoin idle 5m # typo\n"
	      "lgo strict\n",
	 "p:6:1: unknown statement `sessoin`: did you mean `session`?\n"
	 "p:7:1: unknown statement `lgo`: did you mean `log`?\n"},
	{BASE "attend\n", "p:4:7: missing here is one of limit, reason\n"},
	{BASE "attend limt 1h\n", "p:4:8: unknown attend setting `limt`: did you mean `limit`?\n"},
	{BASE "attend limit 8d\n", "p:4:14: `limit` is from 1m to 7d, not `8d`\n"},
	{BASE "attend reason 9\n", "p:4:15: `reason`, in characters, is from 10 to 500, not `9`\n"},
	{BASE "attend reason 501\n",
	 "p:4:15: `reason`, in characters, is from 10 to 500, not `501`\n"},
	{BASE "attend limit 1h\n"
	      "attend reason 10 limit 2h\n",
	 "p:5:18: `limit` was given on line 4 already\n"},
	{BASE "blocks\n", "p:4:7: missing here is one of hidden, shown\n"},
	{BASE "blocks show\n", "p:4:8: unknown word `show`: did you mean `shown`?\n"},
	{BASE "blocks \"shown\"\n", "p:4:8: unknown word \"shown\": did you mean `shown`?\n"},
	{BASE "blocks shown now\n", "p:4:14: nothing more is wanted on this line: remove `now`\n"},
	{BASE "blocks shown\n"
	      "blocks hidden\n",
	 "p:5:1: `blocks` was given on line 4 already\n"},
	{BASE "include\n", "p:4:8: `practice.d` is missing here\n"},
	{BASE "include parts\n", "p:4:9: `practice.d` is wanted here, not `parts`\n"},
	{BASE "include practice.d x\n",
	 "p:4:20: nothing more is wanted on this line: remove `x`\n"},
	{BASE "include practice.d\n"
	      "include practice.d\n",
	 "p:5:1: `include` was given on line 4 already\n"},
	{BASE "role nurse may attend\n",
	 "p:4:16: role `nurse` is not clinical and can never state a care relationship: remove "
	 "`attend`, or write `clinical` before `may`\n"},
	{BASE "default\n", "p:4:8: `unit` is missing here\n"},
	{BASE "default north\n", "p:4:9: `unit` is wanted here, not `north`\n"},
	{BASE "default unit\n", "p:4:13: a unit name is missing here\n"},
	{BASE "default unit north\n", "p:4:19: `allow` is missing here\n"},
	{BASE "default unit north alow user:anna:rwx\n",
	 "p:4:20: `allow` is wanted here, not `alow`\n"},
	{BASE "default unit north block user:anna\n",
	 "p:4:20: a default only allows: write `block` into the journals themselves, it is the "
	 "patient's own\n"},
	{BASE "default unit north allow\n",
	 "p:4:25: an entry is missing here: write user:NAME:rwx\n"},
	{BASE "default unit north allow \"user:anna:r\"\n",
	 "p:4:26: an entry stands without quotes: write user:NAME:rwx\n"},
	{BASE "default unit north allow user:anna\n",
	 "p:4:35: permissions are missing: write `allow user:anna:rwx`\n"},
	{BASE "default unit north allow user:anna:rwx now\n",
	 "p:4:40: unknown word `now`: known are from, until, reason\n"},
	{BASE "default unit nrth allow user:ana:r-x\n",
	 "p:4:14: unknown unit `nrth`: did you mean `north`?\n"
	 "p:4:30: unknown practitioner `ana`: did you mean `anna`?\n"},
	{BASE "default unit west allow role:nurse:r-x\n",
	 "p:4:14: unknown unit `west`: declare it on a `unit` line\n"
	 "p:4:30: unknown role `nurse`: declare it on a `role` line\n"},
	{BASE "default unit north allow unit:nort:r-x\n",
	 "p:4:31: unknown unit `nort`: did you mean `north`?\n"},
	{BASE "default unit north allow role:r:r-x\n"
	      "default unit north allow role:r:rwx\n",
	 "p:5:1: line 4 says this already: remove one of the two\n"},
	{BASE "%part\n", "p:4:1: `%part` begins no line of a policy: remove the line\n"},
	{BASE "%part No\n", "p:4:1: `%part` begins no line of a policy: remove the line\n"},
	{BASE "include practice.d\n%part a\nbreak-glass limit 24h daily 200\n",
	 "practice.d/a.policy:1:1: `break-glass` is for the whole practice: move the line to "
	 "practice.policy\n"},
	{BASE "include practice.d\n%part a\nlog strict\nrole r may list\n"
	      "practice \"x\"\ninclude practice.d\n",
	 "practice.d/a.policy:1:1: `log` is for the whole practice: move the line to "
	 "practice.policy\n"
	 "practice.d/a.policy:2:6: role `r` was declared on line 1 of p already\n"
	 "practice.d/a.policy:3:1: `practice` is for the whole practice: move the line to "
	 "practice.policy\n"
	 "practice.d/a.policy:4:1: `include` is for the whole practice: move the line to "
	 "practice.policy\n"},
	{BASE "include practice.d\n%part a\nsesion idle 5m\n%part b\n"
	      "practitioner bo user anna role rr\nunit west \"W\"\n%part c\nunit west \"V\"\n"
	      "default unit nort allow user:bo:r-x\n",
	 "practice.d/a.policy:1:1: unknown statement `sesion`: known are role, unit, default, "
	 "practitioner, program, own, relative\n"
	 "practice.d/c.policy:1:6: unit `west` was declared on line 2 of practice.d/b.policy "
	 "already\n"
	 "practice.d/b.policy:1:32: unknown role `rr`: did you mean `r`?\n"
	 "practice.d/b.policy:1:22: account `anna` is that of practitioner `anna` on line 3 of p "
	 "already\n"
	 "practice.d/c.policy:2:14: unknown unit `nort`: did you mean `north`?\n"},
	{BASE "\n\n%part a\nrole x may list\n%part b\nrole y may list\n",
	 "p:5:1: practice.d/a.policy is there, but nothing includes it: add the line `include "
	 "practice.d`, or remove the file\n"},
	{BASE "include practice.d\n%part b\nrole x may list\n%part a\nrole y may list\n"
	      "%part a\nrole z may list\n",
	 "practice.d/a.policy:1:1: this part stands twice, or not in the order of names: put its "
	 "file back\n"
	 "practice.d/a.policy:1:1: this part stands twice, or not in the order of names: put its "
	 "file back\n"},
	{BASE "include practice.d\n%part a\nrole x may list\n%part B\nrole y may list\n",
	 "practice.d/a.policy:2:1: `%part` begins no line of a policy: remove the line\n"},
	{"\n", "p:1:1: no active practitioner may `policy`: nobody could change this file again\n"
	       "p:1:1: no active practitioner may `audit`: nobody could read the log\n"},
	{"role r clinical may list read policy\n"
	 "practitioner anna user anna role r\n",
	 "p:2:1: no active practitioner may `audit`: nobody could read the log\n"},
	{"role r clinical may list read audit\n"
	 "practitioner anna user anna role r\n",
	 "p:2:1: no active practitioner may `policy`: nobody could change this file again\n"},
	{"role r may policy audit\n"
	 "practitioner anna user anna role r on leave\n"
	 "practitioner bo user bo role r left\n",
	 "p:3:1: no active practitioner may `policy`: nobody could change this file again\n"
	 "p:3:1: no active practitioner may `audit`: nobody could read the log\n"},
	{"role r may policy audit\n"
	 "practitioner anna user anna role rx\n",
	 "p:2:34: unknown role `rx`: did you mean `r`?\n"},
};

START_TEST(practice_error_reads_as_written)
{
	features_all(true);
	refused(golden[_i].text, strlen(golden[_i].text), golden[_i].errors);
}
END_TEST

START_TEST(practice_full_text_gives_every_setting)
{
	static const char text[] =
		"practice \"Klinik \\\"Nord\\\" \\\\ S\xc3\xb8n\"   # comment\n"
		"\tsession passphrase-age 1y idle 60m second-factor required\n"
		"session ceiling 24h\n"
		"break-glass notify names review 90d limit 1h reason 500\n"
		"break-glass daily 200 fresh 24h at-once 20\n"
		"attend reason 20 limit 7d\nblocks shown\ninclude practice.d\n"
		"finalize on read-only\nfinalize after 1d\n"
		"retention 15y after last-entry\nlog strict keep 12y\ndurability close\n" BASE
		"practitioner bo user b-o role late from 2026-11-01 until 2026-11-30 left\n"
		"practitioner eva user eva role late on leave\n"
		"role late may list\n"
		"unit south \"S\" group g\n"
		"program deny tracker-miner-fs \"Web Content\"";
	const struct policy_practitioner *bo;
	const struct policy_settings *s;
	struct policy_practice *p;

	features_all(true);
	p = parsed(text);
	s = policy_practice_settings(p);
	ck_assert_str_eq(s->title, "Klinik \"Nord\" \\ S\xc3\xb8n");
	ck_assert_uint_eq(s->idle_s, 3600);
	ck_assert_uint_eq(s->ceiling_s, 86400);
	ck_assert(s->second_factor);
	ck_assert_uint_eq(s->passphrase_age_s, 365u * 86400);
	ck_assert_uint_eq(s->break_glass_limit_s, 3600);
	ck_assert_uint_eq(s->break_glass_reason, 500);
	ck_assert_uint_eq(s->break_glass_review_s, 90u * 86400);
	ck_assert(s->break_glass_notify && s->break_glass_names);
	ck_assert_uint_eq(s->break_glass_fresh_s, 86400);
	ck_assert_uint_eq(s->break_glass_at_once, 20);
	ck_assert_uint_eq(s->break_glass_daily, 200);
	ck_assert_uint_eq(s->finalize_after_s, 86400);
	ck_assert(s->finalize_on_read_only);
	ck_assert_uint_eq(s->retention_years, 15);
	ck_assert(s->log_strict);
	ck_assert_uint_eq(s->log_keep_years, 12);
	ck_assert(s->durability_close);

	ck_assert_uint_eq(policy_practice_count(p), 3);
	ck_assert_str_eq(policy_practice_at(p, 0)->name, "anna");
	ck_assert_ptr_null(policy_practice_at(p, 3));
	bo = policy_practice_find(p, "bo");
	ck_assert_ptr_nonnull(bo);
	ck_assert_str_eq(bo->account, "b-o");
	ck_assert_str_eq(bo->role->name, "late");
	ck_assert_ptr_null(bo->unit);
	ck_assert_int_eq(bo->state, POLICY_LEFT);
	ck_assert_int_eq(bo->from_s, 1793491200);
	ck_assert_int_eq(bo->until_s, 1796083200);
	ck_assert_uint_eq(bo->line, 17);
	ck_assert_str_eq(bo->file, "practice");
	ck_assert_uint_eq(s->attend_limit_s, 7u * 86400);
	ck_assert_uint_eq(s->attend_reason, 20);
	ck_assert(s->blocks_shown);
	ck_assert_int_eq(policy_practice_find(p, "eva")->state, POLICY_ON_LEAVE);
	ck_assert_int_eq(policy_practice_find(p, "anna")->from_s, INT64_MIN);
	ck_assert_int_eq(policy_practice_find(p, "anna")->until_s, INT64_MAX);
	ck_assert_ptr_null(policy_practice_find(p, "zed"));
	ck_assert_str_eq(policy_practice_unit(p, "south")->group, "g");
	ck_assert_ptr_null(policy_practice_unit(p, "north")->group);
	ck_assert_ptr_null(policy_practice_unit(p, "west"));
	ck_assert_uint_eq(policy_practice_role(p, "late")->rights, POLICY_LIST);
	ck_assert(!policy_practice_role(p, "late")->clinical);
	ck_assert(policy_practice_role(p, "r")->clinical);
	ck_assert(policy_practice_denies_program(p, "tracker-miner-f"));
	ck_assert(policy_practice_denies_program(p, "Web Content"));
	ck_assert(!policy_practice_denies_program(p, "tracker-miner"));
	ck_assert(!policy_practice_denies_program(p, ""));
	ck_assert(policy_practice_denies_programs(p));
	ck_assert_ptr_eq(policy_practice_get(p), p);
	policy_practice_put(p);
	policy_practice_put(p);
	policy_practice_put(NULL);
}
END_TEST

START_TEST(practice_settings_left_out_have_defaults)
{
	struct policy_practice *p = parsed(BASE);
	const struct policy_settings *s = policy_practice_settings(p);

	ck_assert_str_eq(s->title, "");
	ck_assert_uint_eq(s->ceiling_s, 12 * 3600);
	ck_assert(!s->log_strict);
	ck_assert_uint_eq(s->log_keep_years, 5);
	ck_assert(!s->durability_close);
	ck_assert_uint_eq(s->attend_limit_s, 24 * 3600);
	ck_assert_uint_eq(s->attend_reason, 10);
	ck_assert(!s->blocks_shown);
	ck_assert(!policy_practice_denies_program(p, "updatedb"));
	ck_assert(!policy_practice_denies_programs(p));
	policy_practice_put(p);
}
END_TEST

START_TEST(practice_parts_are_read_as_one_policy)
{
	static const char text[] =
		"include practice.d\npractitioner anna user anna role r unit north\n"
		"%part a\nrole r clinical may policy audit list read\n\n# comment\n"
		"practitioner bo user bo role late unit north from 2026-11-01T08:30Z until "
		"2026-11-01T09:00Z\n"
		"%part b\nunit north \"N\"\nrole late may list\n"
		"default unit north allow role:late:r-x\nprogram deny updatedb\n%part empty\n";
	struct policy_practice *p = parsed(text);
	const struct policy_practitioner *bo = policy_practice_find(p, "bo");

	ck_assert_str_eq(policy_practice_find(p, "anna")->file, "practice");
	ck_assert_uint_eq(policy_practice_find(p, "anna")->line, 2);
	ck_assert_str_eq(bo->file, "practice.d/a");
	ck_assert_uint_eq(bo->line, 4);
	ck_assert_int_eq(bo->from_s, 1793521800);
	ck_assert_int_eq(bo->until_s, 1793523600);
	ck_assert_str_eq(bo->role->file, "practice.d/b");
	ck_assert_uint_eq(bo->role->line, 2);
	ck_assert_str_eq(bo->unit->file, "practice.d/b");
	ck_assert_uint_eq(bo->unit->line, 1);
	ck_assert(policy_practice_denies_program(p, "updatedb"));
	policy_practice_put(p);
}
END_TEST

START_TEST(practice_takes_256_parts_and_64_defaults_of_a_unit)
{
	static const char more[] = "p:70:1: unit `north` has more than 64 defaults: use roles\n";
	char *text = malloc(40000);
	size_t n;

	ck_assert_ptr_nonnull(text);
	n = (size_t)sprintf(text, "%sinclude practice.d\n", BASE);
	for (unsigned i = 0; i < 64; i++)
		n += (size_t)sprintf(
			text + n, "default unit north allow role:r:r-x until %u-01-01\n", 2000 + i);
	n += (size_t)sprintf(text + n, "#\n");
	for (unsigned i = 0; i < 256; i++)
		n += (size_t)sprintf(text + n, "%%part n%03u\nrole r%u may list\n", i, i);
	policy_practice_put(parsed(text));
	sprintf(text + n, "%%part o\n");
	refused(text, n + 8, "practice.d/n255.policy:2:1: there are more than 256 parts\n");

	n = (size_t)(strstr(text, "#\n") - text);
	n += (size_t)sprintf(text + n, "\ndefault unit north allow role:r:rwx\n");
	refused(text, n, more);
	free(text);
}
END_TEST

/* BASE, and `count` lines with a number where the @ is. */
static void refused_many(const char *line, unsigned count, const char *errors)
{
	char *text = malloc(sizeof(BASE) + count * (strlen(line) + 10));
	const char *mark = strchr(line, '@');
	size_t n;

	ck_assert_ptr_nonnull(text);
	n = (size_t)sprintf(text, "%s", BASE);
	for (unsigned i = 0; i < count; i++)
		n += (size_t)sprintf(text + n, "%.*s%u%s", (int)(mark - line), line, i, mark + 1);
	refused(text, n, errors);
	free(text);
}

START_TEST(practice_of_too_many_is_refused)
{
	char *text = malloc(1100 * 60);
	size_t n;

	refused_many("unit u@ \"U\"\n", 4096, "p:4099:6: there are more than 4096 units\n");
	refused_many("role q@ may list\n", 4096, "p:4099:6: there are more than 4096 roles\n");
	refused_many("program deny p@\n", 257, "p:260:14: there are more than 256 programs\n");
	ck_assert_ptr_nonnull(text);
	n = (size_t)sprintf(text, "%s", BASE);
	for (unsigned i = 0; i < 17; i++)
		n += (size_t)sprintf(text + n, "unit u%u \"U\"\n", i);
	for (unsigned i = 0; i < 1025; i++)
		n += (size_t)sprintf(text + n, "default unit u%u allow role:r:r-x until %u-01-01\n",
				     i % 17, 2000 + i / 17);
	refused(text, n, "p:1045:1: there are more than 1024 defaults: use roles\n");
	free(text);
}
END_TEST

START_TEST(practice_statement_without_effect_is_refused_by_name)
{
	static const char text[] =
		"session idle 15m ceiling 8h second-factor required passphrase-age 90d\n"
		"  break-glass limit 60m reason 20 review 72h notify\n"
		"finalize after 14d on read-only\n"
		"retention 10y after last-entry\n"
		"log strict\ndurability close\nprogram deny updatedb\n" BASE;

	refused(text, strlen(text), "p:4:1: `retention` is not in this version: remove the line\n");
}
END_TEST

START_TEST(practice_rights_may_be_named_in_a_role)
{
	struct policy_practice *p = parsed(
		"role all clinical may list read write create finalize export break-glass policy "
		"audit review attend history\npractitioner a user a role all\n");
	char text[128];

	ck_assert_uint_eq(policy_practice_role(p, "all")->rights, 0xfff);
	ck_assert_str_eq(policy_right_text(0xfff, text),
			 "list read write create finalize export break-glass policy audit review "
			 "attend history");
	ck_assert_str_eq(policy_right_text(0, text), "");
	policy_practice_put(p);
}
END_TEST

START_TEST(practice_with_nul_bytes_is_refused)
{
	static const char text[] = "practice \"a\0b\"\n" BASE;

	refused(text, sizeof(text) - 1, "p:1:12: a NUL byte: this is not a text file\n");
}
END_TEST

START_TEST(practice_line_of_4096_bytes_is_the_longest)
{
	size_t base = strlen(BASE);
	char *text = malloc(base + 4098);
	struct policy_practice *p = NULL;

	ck_assert_ptr_nonnull(text);
	memcpy(text, BASE, base);
	memset(text + base, '#', 4097);
	ck_assert_int_eq(policy_practice_parse(text, base + 4096, "p", NULL, &p), 0);
	policy_practice_put(p);
	refused(text, base + 4097, "p:4:1: the line is 4097 bytes long: at most 4096 are read\n");
	free(text);
}
END_TEST

START_TEST(practice_text_above_a_mebibyte_is_refused)
{
	size_t len = (1u << 20) + 1;
	char *text = malloc(len);

	ck_assert_ptr_nonnull(text);
	memset(text, '\n', len);
	refused(text, len, "p:1:1: the text is 1048577 bytes long: at most 1048576 are read\n");
	free(text);
}
END_TEST

START_TEST(report_beyond_its_room_counts_on)
{
	struct policy_practice *p = NULL;
	struct policy_report *report = NULL;
	char text[2 * 150 + sizeof(BASE)] = "";
	char *all;

	for (unsigned i = 0; i < 150; i++)
		strcat(text, "x\n");
	strcat(text, BASE);
	ck_assert_int_eq(policy_report_new(&report), 0);
	ck_assert_int_eq(policy_practice_parse(text, strlen(text), "p", report, &p), -EINVAL);
	ck_assert_uint_eq(policy_report_count(report), 150);
	ck_assert_ptr_nonnull(policy_report_line(report, POLICY_REPORT_MAX - 1));
	ck_assert_ptr_null(policy_report_line(report, POLICY_REPORT_MAX));
	all = policy_report_text(report);
	ck_assert_ptr_nonnull(strstr(all, "\nand 50 more errors\n"));
	free(all);
	policy_report_free(report);
	policy_report_free(NULL);
}
END_TEST

START_TEST(practice_initial_alone_gives_one_person_all)
{
	char *text = policy_practice_initial("Psykolog \"Bo\" \\ S\xc3\xb8n", "bo", "bosen", true);
	const struct policy_practitioner *bo;
	struct policy_practice *p;

	ck_assert_ptr_nonnull(text);
	p = parsed(text);
	ck_assert_str_eq(policy_practice_settings(p)->title, "Psykolog \"Bo\" \\ S\xc3\xb8n");
	ck_assert_uint_eq(policy_practice_count(p), 1);
	bo = policy_practice_find(p, "bo");
	ck_assert_str_eq(bo->account, "bosen");
	ck_assert_str_eq(bo->role->name, "practitioner");
	ck_assert(bo->role->clinical);
	ck_assert_uint_eq(bo->role->rights, POLICY_LIST | POLICY_READ | POLICY_WRITE |
						    POLICY_CREATE | POLICY_FINALIZE |
						    POLICY_EXPORT | POLICY_HISTORY | POLICY_POLICY |
						    POLICY_AUDIT);
	/* Nobody is there to be locked out of what one forgot to finish. */
	ck_assert_uint_eq(policy_practice_settings(p)->finalize_after_s, 0);
	ck_assert_ptr_nonnull(bo->unit);
	policy_practice_put(p);
	free(text);
}
END_TEST

START_TEST(practice_initial_of_a_clinic_has_a_steward_who_reads_nothing)
{
	char *text = policy_practice_initial("Klinik", "dan", "dan", false);
	const struct policy_practitioner *dan;
	struct policy_practice *p;

	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, "Separation of duties"));
	p = parsed(text);
	dan = policy_practice_find(p, "dan");
	ck_assert_str_eq(dan->role->name, "practice-manager");
	ck_assert(!dan->role->clinical);
	ck_assert_uint_eq(dan->role->rights, POLICY_POLICY | POLICY_AUDIT | POLICY_REVIEW);
	ck_assert_ptr_nonnull(policy_practice_role(p, "physician"));
	ck_assert_uint_eq(policy_practice_role(p, "nurse")->rights,
			  POLICY_LIST | POLICY_READ | POLICY_WRITE | POLICY_FINALIZE |
				  POLICY_HISTORY | POLICY_ATTEND);
	ck_assert_uint_eq(policy_practice_settings(p)->finalize_after_s, 14 * 86400);
	ck_assert_ptr_nonnull(policy_practice_role(p, "auditor"));
	policy_practice_put(p);
	free(text);
}
END_TEST

START_TEST(practice_initial_refuses_what_the_language_cannot_hold)
{
	char title[300];

	memset(title, 'x', sizeof(title) - 1);
	title[sizeof(title) - 1] = '\0';
	ck_assert_ptr_null(policy_practice_initial(title, "bo", "bo", true));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(policy_practice_initial("", "bo", "bo", true));
	ck_assert_ptr_null(policy_practice_initial("a\nb", "bo", "bo", true));
	ck_assert_ptr_null(policy_practice_initial("a\xff", "bo", "bo", true));
	ck_assert_ptr_null(policy_practice_initial("a", "Bo", "bo", true));
	ck_assert_ptr_null(policy_practice_initial("a", "bo", "b o", false));
	title[255] = '\0';
	memset(title, '"', 255);
	char *text = policy_practice_initial(title, "bo", "bo", false);

	ck_assert_ptr_nonnull(text);
	policy_practice_put(parsed(text));
	free(text);
}
END_TEST

START_TEST(practice_of_many_finds_everybody)
{
	size_t cap = 200000, n = 0;
	char *text = malloc(cap), name[16];
	struct policy_practice *p;

	ck_assert_ptr_nonnull(text);
	n = (size_t)sprintf(text, "%s", BASE);
	for (unsigned i = 0; i < 2000; i++)
		n += (size_t)sprintf(text + n, "practitioner p%u user u%u role r unit north\n", i,
				     i);
	p = parsed(text);
	for (unsigned i = 0; i < 2000; i++) {
		sprintf(name, "p%u", i);
		ck_assert_str_eq(policy_practice_find(p, name)->name, name);
	}
	policy_practice_put(p);
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy_practice");
	TCase *t = tcase_create("practice");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, practice_error_reads_as_written, 0,
			    (int)(sizeof(golden) / sizeof(golden[0])));
	tcase_add_test(t, practice_full_text_gives_every_setting);
	tcase_add_test(t, practice_settings_left_out_have_defaults);
	tcase_add_test(t, practice_parts_are_read_as_one_policy);
	tcase_add_test(t, practice_takes_256_parts_and_64_defaults_of_a_unit);
	tcase_add_test(t, practice_of_too_many_is_refused);
	tcase_add_test(t, practice_statement_without_effect_is_refused_by_name);
	tcase_add_test(t, practice_rights_may_be_named_in_a_role);
	tcase_add_test(t, practice_with_nul_bytes_is_refused);
	tcase_add_test(t, practice_line_of_4096_bytes_is_the_longest);
	tcase_add_test(t, practice_text_above_a_mebibyte_is_refused);
	tcase_add_test(t, report_beyond_its_room_counts_on);
	tcase_add_test(t, practice_initial_alone_gives_one_person_all);
	tcase_add_test(t, practice_initial_of_a_clinic_has_a_steward_who_reads_nothing);
	tcase_add_test(t, practice_initial_refuses_what_the_language_cannot_hold);
	tcase_add_test(t, practice_of_many_finds_everybody);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
