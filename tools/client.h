/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/client.h - the client's side of the control socket.
 *
 * Connecting checks both sides: the peer's uid is the daemon's account and the
 * daemon signs our nonce with a key that chains to the vault's root, whose hash
 * we keep. A daemon that can't is never given a stretched passphrase.
 */
#ifndef TOOLS_CLIENT_H
#define TOOLS_CLIENT_H

#include "../fs/wire.h"
#include "conf.h"

struct client {
	int sock;
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint8_t root_pk[KEYS_LEN]; /* of the header whose hash is pinned */
};

/* -ECONNREFUSED: nobody serves (quiet says nothing then). Says everything else. */
int tools_client_connect(const struct conf *c, bool quiet, struct client *out);
void tools_client_close(struct client *cl);

/*
 * One request and its answer. json is taken over. 0 and *answer (to be cleared by the caller) when
 * ok is true; else the errno that the daemon names, negated, after printing its text.
 */
int tools_client_call(struct client *cl, json_t *json, const void *blob, size_t blob_len, int fd,
		struct fs_wire_message *answer);
/* The same without a wanted answer: TOOL_OK or TOOL_FAILED. */
int tools_client_do(struct client *cl, json_t *json, const void *blob, size_t blob_len);
/* Another message of a stream. */
int tools_client_next(struct client *cl, struct fs_wire_message *answer);
/*
 * As tools_client_call without a blob, but a refusal is not printed: the answer holds its texts. Its
 * json is NULL when none came, which has been said.
 */
int tools_client_ask(struct client *cl, json_t *json, struct fs_wire_message *answer);
/* An answer that is still to come; a refusal is not printed. */
int tools_client_answer(struct client *cl, struct fs_wire_message *answer);
/* Prints the texts of a refusal that tools_client_ask brought, if any. Returns TOOL_FAILED. */
int tools_client_refused(const struct fs_wire_message *answer);

/* tty name or "remote HOST" for the log. */
const char *tools_client_origin(char out[static 256]);

/*
 * The blob of login and unlock: asks for the passphrase (o->passphrase_fd or the terminal),
 * stretches it with the vault's salt; out (guarded, 64 bytes) gets stretched key and key file hash.
 */
struct client_credentials {
	uint8_t bytes[2 * KEYS_LEN];
	size_t len;
	char factor[16]; /* "totp", "key-file", "none": what the vault tells this account */
	char code[41];	 /* tools_factor_credentials fills it in */
	char who[KEYS_LEN * 2 + 1];
};
int tools_client_credentials_new(struct client *cl, const struct tool_options *o,
			   struct client_credentials **out);
void tools_client_credentials_free(struct client_credentials *cr);

/* tools_conf_find and tools_client_connect in one. */
int tools_client_find(const struct tool_options *o, struct conf *c, struct client *cl);

#endif
