/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_enroll.c - invite, enroll, passwd: how people come by an identity and keep it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../keys/invite.h"
#include "../keys/slab.h"
#include "newpass.h"
#include "prompt.h"

#define INVITE_DAYS 7
#define INVITE_DAYS_MAX 90

int tools_cmd_invite(struct tool_options *o, int argc, char **argv)
{
	struct client cl = { .sock = -1 };
	struct fs_wire_message m;
	struct conf c;
	int rc, days = o->days ? o->days : INVITE_DAYS;

	(void)argc;
	if (days > INVITE_DAYS_MAX)
		return tools_usage("an invitation is valid for 1 to %d days", INVITE_DAYS_MAX);
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	fs_wire_message_init(&m);
	rc = tools_client_call(&cl,
			 json_pack("{s:s, s:s, s:b, s:i}", "verb", "invite", "name", argv[0],
				   "again", o->again, "days", days),
			 NULL, 0, -1, &m);
	if (!rc) {
		printf("%.*s\n", (int)m.blob_len, (const char *)m.blob);
		fprintf(stderr,
			"This code makes %s's identity, once, within %d days. Give it to them in "
			"person;\nthey type it at `journalfs enroll` under their own account. A second "
			"use raises an alarm.\n",
			argv[0], days);
	}
	fs_wire_message_clear(&m);
	tools_client_close(&cl);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int read_code(const char *file, uint8_t code[static KEYS_CODE_LEN])
{
	struct prompt_secret *text = NULL;
	int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1, rc;

	if (file && fd < 0)
		return tools_fail("%s can't be read: %s", file, strerror(errno));
	rc = tools_prompt_secret_read(fd, "Invitation code", &text);
	if (fd >= 0)
		close(fd);
	if (!rc)
		rc = keys_code_parse(text->text, code);
	tools_prompt_secret_free(text);
	if (rc)
		return tools_fail("that is not an invitation code: check it character by character "
				 "(groups of four, as `journalfs invite` printed it)");
	return TOOL_OK;
}

struct enroll_blob {
	uint8_t bytes[KEYS_CODE_LEN + NEWPASS_MAX];
	struct newpass np;
};

int tools_cmd_enroll(struct tool_options *o, int argc, char **argv)
{
	struct enroll_blob *b = keys_guard_new(sizeof(*b));
	struct client cl = { .sock = -1 };
	struct fs_wire_message m;
	struct conf c;
	char origin[256];
	size_t len;
	int rc = TOOL_FAILED;

	fs_wire_message_init(&m);
	if (!b || tools_client_find(o, &c, &cl))
		goto out;
	if (read_code(argc ? argv[0] : NULL, b->bytes) ||
	    tools_newpass_make(&b->np, NULL, o, o->passphrase_fd, NULL))
		goto out;
	len = KEYS_CODE_LEN + tools_newpass_put(&b->np, b->bytes + KEYS_CODE_LEN);
	if (tools_client_call(&cl,
			json_pack("{s:s, s:s, s:I, s:I}", "verb", "enroll", "origin",
				  tools_client_origin(origin), "passes",
				  (json_int_t)keys_stretch_default.passes, "memory_kib",
				  (json_int_t)keys_stretch_default.memory_kib),
			b->bytes, len, -1, &m))
		goto out;
	printf("You are enrolled as %s. `journalfs login` mounts your journals.\n",
	       json_string_value(json_object_get(m.json, "who")));
	rc = TOOL_OK;
out:
	fs_wire_message_clear(&m);
	tools_client_close(&cl);
	keys_guard_free(b);
	return rc;
}

struct passwd_blob {
	uint8_t bytes[KEYS_LEN + NEWPASS_MAX];
	struct newpass np;
};

int tools_cmd_passwd(struct tool_options *o, int argc, char **argv)
{
	struct passwd_blob *b = keys_guard_new(sizeof(*b));
	struct client_credentials *old = NULL;
	struct client cl = { .sock = -1 };
	struct conf c;
	size_t len;
	int rc = TOOL_FAILED;

	(void)argc;
	(void)argv;
	if (!b || tools_client_find(o, &c, &cl))
		goto out;
	if (tools_client_credentials_new(&cl, o, &old) ||
	    tools_newpass_make(&b->np, &cl, o, o->new_passphrase_fd, old->who))
		goto out;
	memcpy(b->bytes, old->bytes, KEYS_LEN);
	len = KEYS_LEN + tools_newpass_put(&b->np, b->bytes + KEYS_LEN);
	rc = tools_client_do(&cl,
		       json_pack("{s:s, s:I, s:I, s:I}", "verb", "passwd", "passes",
				 (json_int_t)keys_stretch_default.passes, "memory_kib",
				 (json_int_t)keys_stretch_default.memory_kib, "olds",
				 (json_int_t)b->np.n_olds),
		       b->bytes, len);
	if (rc == TOOL_OK)
		puts("The passphrase is changed.");
out:
	tools_client_credentials_free(old);
	tools_client_close(&cl);
	keys_guard_free(b);
	return rc;
}
