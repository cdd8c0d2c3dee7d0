/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/audit_key_file.h - an auditor's key file on disk.
 */
#ifndef TOOLS_AUDIT_KEY_FILE_H
#define TOOLS_AUDIT_KEY_FILE_H

#include "../keys/audit_key.h"
#include "tool.h"

/* Reads a whole regular file of at most max bytes; the caller frees. -EFBIG, -EMEDIUMTYPE, -errno.
 */
int tools_audit_file_read(const char *path, size_t max, uint8_t **out, size_t *len);
/* Writes it anew beside the old one, durable; mode 0600. -errno. */
int tools_audit_file_write(const char *path, const uint8_t *p, size_t len);

/* Opens the file with the passphrase from fd or the terminal. TOOL_FAILED after a message. */
int tools_audit_key_read(const char *path, int passphrase_fd, struct keys_audit_key *out);
/* Asks for a new passphrase and writes the file, which must not exist. TOOL_FAILED after a message.
 */
int tools_audit_key_write(const char *path, int new_passphrase_fd, const char *who,
			  const struct keys_audit_key *k);

#endif
