/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/newpass.c - see newpass.h.
 */
#include <stdio.h>
#include <string.h>
#include "newpass.h"
#include "prompt.h"

/* The new passphrase with every salt that the daemon names. */
static int stretch_olds(struct newpass *np, struct client *cl, const struct tool_options *o,
			const struct prompt_secret *pass)
{
	struct fs_wire_message m;
	json_t *costs, *one;
	size_t i;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			 json_pack("{s:s, s:s}", "verb", "passphrases", "who", o->as ? o->as : ""),
			 NULL, 0, -1, &m);
	costs = rc ? NULL : json_object_get(m.json, "costs");
	np->n_olds = json_array_size(costs);
	if (!rc && (np->n_olds > FS_PASSPHRASES_MAX || m.blob_len != np->n_olds * KEYS_SALT_LEN))
		rc = tools_fail("the daemon's answer makes no sense: is it newer than this command?");
	json_array_foreach(costs, i, one) {
		struct keys_stretch_cost cost = {
			.passes = (uint32_t)json_integer_value(json_array_get(one, 0)),
			.memory_kib = (uint32_t)json_integer_value(json_array_get(one, 1)),
		};

		if (!rc)
			rc = tools_prompt_stretch(pass, m.blob + i * KEYS_SALT_LEN, &cost,
						  np->olds[i]);
	}
	fs_wire_message_clear(&m);
	return rc;
}

int tools_newpass_make(struct newpass *np, struct client *cl, const struct tool_options *o, int fd,
		       const char *who)
{
	struct prompt_secret *pass = NULL;
	int rc = tools_prompt_secret_new(fd, "New passphrase", who, &pass);

	if (rc)
		return TOOL_FAILED;
	keys_random(np->salt, sizeof(np->salt));
	np->n_olds = 0;
	rc = tools_prompt_stretch(pass, np->salt, &keys_stretch_default, np->stretched);
	if (!rc && cl)
		rc = stretch_olds(np, cl, o, pass);
	tools_prompt_secret_free(pass);
	np->has_keyfile = o->key_file != NULL;
	if (!rc && o->key_file) {
		rc = tools_prompt_key_file(o->key_file, np->keyfile);
		if (rc)
			tools_fail("the key file %s can't be read: %s", o->key_file, strerror(-rc));
	}
	return rc ? TOOL_FAILED : TOOL_OK;
}

size_t tools_newpass_put(const struct newpass *np, uint8_t *out)
{
	uint8_t *at = out;

	memcpy(at, np->salt, sizeof(np->salt));
	at += sizeof(np->salt);
	memcpy(at, np->stretched, sizeof(np->stretched));
	at += sizeof(np->stretched);
	if (np->has_keyfile) {
		memcpy(at, np->keyfile, sizeof(np->keyfile));
		at += sizeof(np->keyfile);
	}
	memcpy(at, np->olds, np->n_olds * KEYS_LEN);
	return (size_t)(at - out) + np->n_olds * KEYS_LEN;
}
