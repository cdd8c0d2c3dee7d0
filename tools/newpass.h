/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/newpass.h - a new passphrase on its way to the daemon.
 *
 * The daemon never sees one. So that it can tell whether this one was used before, it is
 * stretched here with each of the earlier ones' salts, too.
 */
#ifndef TOOLS_NEWPASS_H
#define TOOLS_NEWPASS_H

#include "../fs/factor.h"
#include "client.h"

struct newpass { /* guarded memory */
	uint8_t salt[KEYS_SALT_LEN];
	uint8_t stretched[KEYS_LEN];
	uint8_t keyfile[KEYS_LEN];
	bool has_keyfile;
	uint8_t olds[FS_PASSPHRASES_MAX][KEYS_LEN];
	size_t n_olds;
};
#define NEWPASS_MAX (KEYS_SALT_LEN + (2 + FS_PASSPHRASES_MAX) * KEYS_LEN)

/*
 * Asks for it (fd, or twice at the terminal) and stretches it. who: the practitioner's name, or NULL. cl
 * NULL: there are no earlier ones. Says itself what is wrong. TOOL_OK or TOOL_FAILED.
 */
int tools_newpass_make(struct newpass *np, struct client *cl, const struct tool_options *o, int fd,
		       const char *who);
/* salt | stretched | key file | olds: the end of a request's blob; its length. */
size_t tools_newpass_put(const struct newpass *np, uint8_t *out);

#endif
