/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/policy_text.h - what the sub-commands of `policy` share: texts from files and from the
 * daemon, and which policy a text is.
 */
#ifndef TOOLS_POLICY_TEXT_H
#define TOOLS_POLICY_TEXT_H

#include "client.h"

#define POLICY_TEXT_LIMIT (256u << 10)

/* The whole file, NUL-terminated; the caller frees. NULL after saying why. */
char *tools_policy_text_read(const char *path);

/*
 * Which policy this text is, by its own words: a `journal "NAME"` statement makes it that journal's,
 * else it is "practice". The caller frees; NULL when memory is short.
 */
char *tools_policy_text_name(const char *text);

/* The text in force of a file: m has "text" and "version". */
int tools_policy_text_fetch(struct client *cl, const char *file, struct fs_wire_message *m);
/*
 * The text to begin an edit from, which the caller frees, and its version: a part of the practice that
 * is not there yet is "" with version 0. NULL after saying why.
 */
char *tools_policy_text_begin(struct client *cl, const char *file, json_int_t *version);
/* As it was: version (0: none), else the moment at_s (0: now); m has also "file", "time_s", "who",
 * "reason". */
int tools_policy_text_at(struct client *cl, const char *file, json_int_t version, json_int_t at_s,
			 struct fs_wire_message *m);

/* A member of an answer: "" or 0 where it is absent. */
const char *tools_policy_text_of(const json_t *j, const char *key);
json_int_t tools_policy_number_of(const json_t *j, const char *key);

/*
 * One request whose report names `path` instead of the daemon's name for `file`: prints everything
 * that is wrong. 0 or a negative errno; json is taken over.
 */
int tools_policy_text_offer(struct client *cl, json_t *json, const char *file, const char *path,
			    struct fs_wire_message *m);

#endif
