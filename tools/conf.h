/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/conf.h - how a client finds a vault and what it pins of it.
 *
 * A clinic: /etc/journalfs/NAME.conf, written by root:
 *     socket = /run/journalfs/NAME/socket
 *     account = journalfs            (the daemon's; its uid is checked on the socket)
 *     root = 64 hex digits           (the hash of the vault's header)
 * Alone: STATE/journalfs/VAULTID/client.conf with the same keys and `vault`, the
 * vault's path; STATE is $XDG_STATE_HOME or ~/.local/state.
 */
#ifndef TOOLS_CONF_H
#define TOOLS_CONF_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include "../keys/header.h"
#include "tool.h"

struct conf {
	char name[64];		    /* NAME, or the vault id alone */
	char file[PATH_MAX];	    /* a clinic's: NAME.conf */
	char socket[PATH_MAX];
	char vault[PATH_MAX];	    /* alone only */
	char state[PATH_MAX];	    /* alone only: the directory of client.conf */
	uid_t daemon_uid;
	uint8_t root_hash[KEYS_LEN];
	bool alone;
};

/*
 * The vault that o->vault (name or path), or the only one known, means; o->socket overrides the
 * socket. Says what is missing; TOOL_OK or TOOL_FAILED.
 */
int tools_conf_find(const struct tool_options *o, struct conf *out);
/* Alone: by the vault's path; reads VAULT/header for the id. Says what is wrong. */
int tools_conf_find_alone(const char *vault, struct conf *out);
/* Writes state/client.conf and fills out->socket. */
int tools_conf_save_alone(struct conf *c);
/* $XDG_STATE_HOME/journalfs or ~/.local/state/journalfs, made if missing. 0 or negative errno. */
int tools_conf_state_base(char *out, size_t cap);
/* VAULT/header, decoded, with messages for what is not a vault, damaged or newer. */
int tools_conf_read_header(const char *vault, struct keys_header *h, uint8_t raw[static KEYS_HEADER_LEN]);
/* mkdir -p with 0700. */
int tools_conf_make_dirs(const char *path);
void tools_conf_hex(const uint8_t *p, size_t n, char *out);
int tools_conf_unhex(const char *text, uint8_t *out, size_t n);

#endif
