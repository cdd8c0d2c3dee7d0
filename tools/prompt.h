/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/prompt.h - asking a person for secrets and consent.
 *
 * Secrets are read from the terminal with echo off, or from a file descriptor
 * (--passphrase-fd) up to a newline or the end; never from argv or environment.
 * They live in guarded memory.
 */
#ifndef TOOLS_PROMPT_H
#define TOOLS_PROMPT_H

#include <stdbool.h>
#include "../keys/stretch.h"

#define PROMPT_MAX 1024

struct prompt_secret { /* keys_guard memory */
	size_t len;
	char text[PROMPT_MAX];
};

/* fd -1: the terminal. -ENOTTY: no terminal and no fd; -EINVAL empty; -E2BIG. The caller frees. */
int tools_prompt_secret_read(int fd, const char *question, struct prompt_secret **out);
/*
 * A new passphrase: asked twice at the terminal, checked for strength (tools/strength.h) with the account's
 * name and `who`, which may be NULL. Says itself what is wrong.
 */
int tools_prompt_secret_new(int fd, const char *question, const char *who,
			    struct prompt_secret **out);
void tools_prompt_secret_free(struct prompt_secret *s); /* wipes; NULL is legal */

/* Stretches with a progress word on standard error; out in the caller's guarded memory. */
int tools_prompt_stretch(const struct prompt_secret *s, const uint8_t salt[static KEYS_SALT_LEN],
		   const struct keys_stretch_cost *cost, uint8_t out[static KEYS_LEN]);

/* "y" or "yes" at the terminal. false without one. */
bool tools_prompt_yes(const char *question);

/* One of these letters, asked at the terminal until one is given; 0 without a terminal or at its end. */
char tools_prompt_choice(const char *question, const char *letters);

/* BLAKE2b-256 of a key file's content (1 byte .. 1 MiB, a regular file). 0 or negative errno. */
int tools_prompt_key_file(const char *path, uint8_t out[static KEYS_LEN]);

#endif
