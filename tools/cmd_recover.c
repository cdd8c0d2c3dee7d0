/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_recover.c - the printed recovery key: a forgotten passphrase, a dead host's secret, a
 * lost local state. Offline: the daemon must not run.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../fs/vault.h"
#include "../keys/slab.h"
#include "conf.h"
#include "prompt.h"

struct recover_secrets { /* keys_guard memory */
	uint8_t salt[KEYS_SALT_LEN];
	uint8_t stretched[KEYS_LEN];
	char code[KEYS_CODE_TEXT_MAX];
};

static int new_passphrase(const struct tool_options *o, struct recover_secrets *s)
{
	struct prompt_secret *pass = NULL;
	int rc;

	if (tools_prompt_secret_new(o->new_passphrase_fd, "New passphrase", o->name, &pass))
		return TOOL_FAILED;
	keys_random(s->salt, sizeof(s->salt));
	rc = tools_prompt_stretch(pass, s->salt, &keys_stretch_default, s->stretched);
	tools_prompt_secret_free(pass);
	return rc ? TOOL_FAILED : TOOL_OK;
}

/* The state directory that is (or was) this vault's. */
static int state_dir(const struct tool_options *o, const struct keys_header *h, char *out, size_t cap)
{
	char base[PATH_MAX], id[2 * KEYS_VAULT_ID_LEN + 1];

	tools_conf_hex(h->vault, sizeof(h->vault), id);
	if (o->state)
		snprintf(out, cap, "%s", o->state);
	else if (tools_conf_state_base(base, sizeof(base)))
		return tools_fail("there is no home directory for the vault's local state; give --state");
	else if (snprintf(out, cap, "%s/%s", base, id) >= (int)cap)
		return tools_fail("%s is too long a path", base);
	return TOOL_OK;
}

static int pin(const char *vault, const char *state, const uint8_t raw[static KEYS_HEADER_LEN])
{
	struct conf c = { .alone = true };

	if (!realpath(vault, c.vault))
		return tools_fail("%s: %s", vault, strerror(errno));
	snprintf(c.state, sizeof(c.state), "%s", state);
	snprintf(c.name, sizeof(c.name), "%.32s", strrchr(state, '/') + 1);
	keys_header_root_hash(raw, c.root_hash);
	return tools_conf_save_alone(&c);
}

/*
 * Alone: the caller (or --name NAME) gets a new passphrase at once. A clinic (--state DIR): the
 * host's state is made anew, and with --name NAME an invitation for that practitioner.
 */
int tools_cmd_recover(struct tool_options *o, int argc, char **argv)
{
	struct recover_secrets *s = keys_guard_new(sizeof(*s));
	struct prompt_secret *key = NULL;
	struct fs_vault_config cfg = { .path = argv[0] };
	struct fs_say say = { .text = "" };
	struct fs_recover in = { .config = &cfg };
	uint8_t raw[KEYS_HEADER_LEN];
	struct passwd *pw = getpwuid(geteuid());
	struct keys_header h;
	char state[PATH_MAX];
	bool clinic = o->state != NULL;
	int rc = TOOL_FAILED;

	(void)argc;
	if (!s || tools_conf_read_header(argv[0], &h, raw) || state_dir(o, &h, state, sizeof(state)))
		goto out;
	cfg.state = (struct fs_state_paths){ .dir = state, .host_secret = o->host_secret };
	if (tools_prompt_secret_read(o->passphrase_fd, "Recovery key", &key)) {
		tools_fail("no recovery key was given");
		goto out;
	}
	in.recovery = key->text;
	in.who = o->name ? o->name : clinic ? NULL : pw ? pw->pw_name : NULL;
	if (!clinic) {
		in.uid = geteuid();
		if (new_passphrase(o, s))
			goto out;
		in.salt = s->salt;
		in.cost = &keys_stretch_default;
		in.stretched = s->stretched;
	}
	if (fs_vault_recover(&in, s->code, &say)) {
		tools_fail("%s", say.text);
		goto out;
	}
	if (!clinic && pin(argv[0], state, raw))
		goto out;
	if (s->code[0])
		printf("Invitation of %s, for one use:\n\n    %s\n\n", in.who, s->code);
	printf("%s is recovered; its local state is in %s. The use of the recovery key is in the "
	       "access log.\n", argv[0], state);
	rc = TOOL_OK;
out:
	tools_prompt_secret_free(key);
	keys_guard_free(s);
	return rc;
}
