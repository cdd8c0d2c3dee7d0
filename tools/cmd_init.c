/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_init.c - make a vault, alone or for a clinic.
 *
 * Alone: the caller is practitioner, steward and auditor in one. A clinic: the
 * operator (the daemon's account) runs it; the recovery key and the steward's
 * invitation are printed for the steward's eyes only.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../fs/vault.h"
#include "../keys/slab.h"
#include "conf.h"
#include "prompt.h"

struct init_secrets { /* keys_guard memory */
	uint8_t salt[KEYS_SALT_LEN];
	uint8_t stretched[KEYS_LEN];
	struct fs_vault_made made;
};

static int ask_passphrase(const struct tool_options *o, struct init_secrets *s)
{
	struct prompt_secret *pass = NULL;
	int rc;

	if (tools_prompt_secret_new(o->passphrase_fd, "New passphrase", o->name, &pass))
		return TOOL_FAILED;
	keys_random(s->salt, sizeof(s->salt));
	rc = tools_prompt_stretch(pass, s->salt, &keys_stretch_default, s->stretched);
	tools_prompt_secret_free(pass);
	return rc ? TOOL_FAILED : TOOL_OK;
}

/* The state directory is named after the vault's id, which init only now makes: a temporary name. */
static int choose_state(const struct tool_options *o, char *out, size_t cap)
{
	char base[PATH_MAX];

	if (o->state) {
		snprintf(out, cap, "%s", o->state);
		return TOOL_OK;
	}
	if (tools_conf_state_base(base, sizeof(base)))
		return tools_fail("there is no home directory for the vault's local state; give --state "
				 "DIR or set XDG_STATE_HOME");
	if (snprintf(out, cap, "%s/new-%ld", base, (long)getpid()) >= (int)cap)
		return tools_fail("%s is too long a path", base);
	return TOOL_OK;
}

static int settle_state(const struct tool_options *o, const struct init_secrets *s, char *state,
			size_t cap)
{
	char id[2 * KEYS_VAULT_ID_LEN + 1], to[PATH_MAX], *slash;

	if (o->state)
		return TOOL_OK;
	tools_conf_hex(s->made.vault, KEYS_VAULT_ID_LEN, id);
	slash = strrchr(state, '/');
	if (snprintf(to, sizeof(to), "%.*s/%s", (int)(slash - state), state, id) >=
		    (int)sizeof(to) ||
	    rename(state, to))
		return tools_fail("the local state in %s can't be renamed to %s: %s; rename it by hand",
				 state, to, strerror(errno));
	snprintf(state, cap, "%s", to);
	return TOOL_OK;
}

static int pin_alone(const char *vault, const char *state, const struct init_secrets *s)
{
	struct conf c = { .alone = true };

	if (!realpath(vault, c.vault))
		return tools_fail("%s: %s", vault, strerror(errno));
	snprintf(c.state, sizeof(c.state), "%s", state);
	snprintf(c.name, sizeof(c.name), "%.32s", strrchr(state, '/') + 1);
	memcpy(c.root_hash, s->made.root_hash, KEYS_LEN);
	return tools_conf_save_alone(&c);
}

static void print_recovery(const struct init_secrets *s)
{
	printf("\nRecovery key (shown once, stored nowhere):\n\n    %s\n\n"
	       "Write it on paper and lock it away from this computer. It gives back a forgotten\n"
	       "passphrase, a dead computer's secret and a lost local state; whoever holds it and a\n"
	       "copy of the vault can read everything.\n",
	       s->made.recovery);
}

static void print_alone(const char *vault, const char *who, const struct init_secrets *s)
{
	printf("The vault %s is made. You (%s) are practitioner, steward and auditor in one: nobody\n"
	       "else checks what you do in it, and every access review will say so.\n", vault, who);
	print_recovery(s);
	printf("\nNext: journalfs open %s\n", vault);
}

static void print_clinic(const struct tool_options *o, const char *vault, const char *state,
			 const struct init_secrets *s)
{
	char root[2 * KEYS_LEN + 1];
	struct passwd *pw = getpwuid(geteuid());

	tools_conf_hex(s->made.root_hash, KEYS_LEN, root);
	printf("The vault %s is made; its local state and host secret are in %s.\n", vault, state);
	print_recovery(s);
	printf("\nInvitation of the steward %s (account %s), for one use within 7 days:\n\n    %s\n\n"
	       "Both are for the steward's eyes: hand them over in person.\n\n"
	       "On every computer where practitioners log in, /etc/journalfs/NAME.conf (root, 0644):\n\n"
	       "    socket = /run/journalfs/NAME/socket\n    account = %s\n    root = %s\n\n"
	       "Next: journalfs serve --state %s --socket /run/journalfs/NAME/socket %s\n"
	       "then the steward: journalfs enroll\n",
	       o->steward, o->account, s->made.code, pw ? pw->pw_name : "journalfs", root, state,
	       vault);
}

static const char *own_name(void)
{
	struct passwd *pw = getpwuid(geteuid());

	return pw ? pw->pw_name : NULL;
}

static int fill_person(struct tool_options *o, struct fs_vault_init *in)
{
	struct passwd *pw;

	in->account = own_name();
	in->who = o->name ? o->name : in->account;
	in->uid = geteuid();
	if (!o->steward) {
		if (!in->account)
			return tools_fail("the account %u has no name on this computer", geteuid());
		return TOOL_OK;
	}
	if (!o->account)
		o->account = o->steward;
	pw = getpwnam(o->account);
	if (!pw)
		return tools_fail("there is no account `%s` on this computer: the steward logs in under "
				 "it; name it with --account", o->account);
	in->who = o->steward;
	in->account = o->account;
	in->uid = pw->pw_uid;
	return TOOL_OK;
}

int tools_cmd_init(struct tool_options *o, int argc, char **argv)
{
	struct init_secrets *s = keys_guard_new(sizeof(*s));
	struct fs_vault_init in = { .path = argv[0], .title = o->title ? o->title : "Practice" };
	struct fs_say say = { .text = "" };
	char state[PATH_MAX];
	int rc = TOOL_FAILED;

	(void)argc;
	if (!s || choose_state(o, state, sizeof(state)) || fill_person(o, &in))
		goto out;
	in.state = (struct fs_state_paths){ .dir = state, .host_secret = o->host_secret };
	if (!o->steward) {
		if (ask_passphrase(o, s))
			goto out;
		in.stretched = s->stretched;
		in.salt = s->salt;
		in.cost = &keys_stretch_default;
	}
	if (fs_vault_init(&in, &s->made, &say)) {
		rmdir(state);
		tools_fail("%s", say.text);
		goto out;
	}
	if (settle_state(o, s, state, sizeof(state)))
		goto out;
	if (o->steward)
		print_clinic(o, argv[0], state, s);
	else if (o->state || !pin_alone(argv[0], state, s))
		print_alone(argv[0], in.who, s);
	else
		goto out;
	rc = fflush(stdout) ? tools_fail("the recovery key could not be printed: remove %s and begin "
					"again", argv[0]) : TOOL_OK;
out:
	keys_guard_free(s);
	return rc;
}
