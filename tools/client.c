/* SPDX-License-Identifier: Apache-2.0 */
/* tools/client.c - see client.h. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "../keys/identity.h"
#include "../keys/recovery.h"
#include "../keys/slab.h"
#include "client.h"
#include "prompt.h"

#define ANSWER_TIMEOUT_MS 120000
#define GREET_TIMEOUT_S 10 /* needs neither disk nor policy nor log */
#define PROOF_LEN (KEYS_HEADER_LEN + KEYS_LEN + 2 * KEYS_SIG_LEN)

static int dial(const struct conf *c, int *sock)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = GREET_TIMEOUT_S };
	int s, rc;

	if (strlen(c->socket) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, c->socket, strlen(c->socket) + 1);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	/* A daemon that takes nobody any more lets connections wait, too. */
	if (setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    connect(s, (struct sockaddr *)&to, sizeof(to))) {
		rc = errno == ENOENT ? -ECONNREFUSED : errno == EAGAIN ? -ETIMEDOUT : -errno;
		close(s);
		return rc;
	}
	*sock = s;
	return 0;
}

static int send_request(struct client *cl, json_t *json, const void *blob, size_t blob_len, int fd)
{
	int rc = json ? fs_wire_send(cl->sock, json, blob, blob_len, fd) : -ENOMEM;

	json_decref(json);
	if (rc)
		tools_fail("the daemon can't be reached any more: %s", strerror(-rc));
	return rc;
}

/* True when nothing came, nor the end, for as long as a greeting may take. */
static bool wait_answer(struct client *cl)
{
	struct pollfd p = { .fd = cl->sock, .events = POLLIN };

	return poll(&p, 1, GREET_TIMEOUT_S * 1000) == 0;
}

/* The daemon's proof against what we pinned. */
static int check_proof(const struct conf *c, struct client *cl, const uint8_t *nonce,
		       const uint8_t *proof)
{
	const uint8_t *daemon_pk = proof + KEYS_HEADER_LEN;
	const uint8_t *cert = daemon_pk + KEYS_LEN;
	uint8_t root[KEYS_LEN];
	struct keys_header h;

	keys_header_root_hash(proof, root);
	if (!keys_equal(root, c->root_hash, KEYS_LEN) ||
	    keys_header_decode(proof, KEYS_HEADER_LEN, &h))
		return -EBADMSG;
	memcpy(cl->vault, h.vault, sizeof(cl->vault));
	memcpy(cl->root_pk, h.root_pk, sizeof(cl->root_pk));
	return keys_daemon_check(h.vault, h.root_pk, daemon_pk, cert, nonce, cert + KEYS_SIG_LEN);
}

/* Says why nothing comes from process pid, as far as one can see from outside. */
static void say_silent(const struct conf *c, pid_t pid)
{
	char path[64], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = pid > 0 ? fopen(path, "re") : NULL;
	if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	if (f)
		fclose(f);
	tools_fail(state == 'T' || state == 't'
			   ? "the daemon (process %d, %s) is suspended: programs that use the mount wait; "
			     "`kill -CONT %d`, by its account, lets it go on where it was"
			   : "the daemon (process %d, %s) does not answer: it is suspended or has too much to "
			     "do; look at process %d",
		   (int)pid, c->socket, (int)pid);
}

static int greet(const struct conf *c, struct client *cl, pid_t pid)
{
	struct fs_wire_message m;
	uint8_t nonce[KEYS_NONCE_LEN];
	int rc;

	fs_wire_message_init(&m);
	keys_random(nonce, sizeof(nonce));
	rc = send_request(cl, json_pack("{s:s, s:i}", "verb", "hello", "protocol", 1), nonce,
			  sizeof(nonce), -1);
	if (!rc && wait_answer(cl)) {
		say_silent(c, pid);
		rc = -ETIMEDOUT;
	}
	if (!rc)
		rc = tools_client_next(cl, &m);
	if (!rc && (m.blob_len != PROOF_LEN || check_proof(c, cl, nonce, m.blob)))
		rc = -EBADMSG;
	fs_wire_message_clear(&m);
	if (rc == -EBADMSG)
		tools_fail("what answers on %s could not prove that it serves this vault (the root "
			  "hash or its certificate differs): nothing was sent to it. Was the vault "
			  "replaced? Then put the new root hash into the configuration", c->socket);
	return rc;
}

int tools_client_connect(const struct conf *c, bool quiet, struct client *out)
{
	uid_t uid;
	gid_t gid;
	pid_t pid;
	int rc;

	memset(out, 0, sizeof(*out));
	out->sock = -1;
	rc = dial(c, &out->sock);
	if (rc == -ECONNREFUSED && quiet)
		return rc;
	if (rc == -ECONNREFUSED)
		tools_fail(c->alone ? "nothing serves this vault (%s); `journalfs open VAULT` starts it"
				   : "nothing serves this vault (%s); the operator starts it with "
				     "`systemctl start journalfs@NAME` or `journalfs serve VAULT`",
			  c->socket);
	else if (rc == -ETIMEDOUT)
		tools_fail("%s: the daemon takes no connection: it is suspended or has too much to do",
			   c->socket);
	else if (rc)
		tools_fail("%s: %s", c->socket, strerror(-rc));
	if (rc)
		return rc;
	if (fs_wire_peer(out->sock, &uid, &gid, &pid) || uid != c->daemon_uid) {
		tools_fail("%s is served by account %u, not by %u as configured: nothing was sent",
			  c->socket, (unsigned)uid, (unsigned)c->daemon_uid);
		tools_client_close(out);
		return -EPERM;
	}
	rc = greet(c, out, pid);
	if (rc)
		tools_client_close(out);
	return rc;
}

void tools_client_close(struct client *cl)
{
	if (cl->sock >= 0)
		close(cl->sock);
	cl->sock = -1;
}

static int refusal_of(const json_t *json)
{
	int no = (int)json_integer_value(json_object_get(json, "errno"));

	return no > 0 ? -no : -EPROTO;
}

/* Prints the daemon's text; the errno it names, negated. */
static int refused(const json_t *json)
{
	const char *say = json_string_value(json_object_get(json, "say"));
	const char *report = json_string_value(json_object_get(json, "report"));
	int rc = refusal_of(json);

	if (report)
		fputs(report, stderr);
	if (say && *say)
		tools_fail("%s", say);
	else if (!report)
		tools_fail("the daemon refused: %s", strerror(-rc));
	return rc;
}

/* The next answer, whatever it says; says why when none comes. */
static int receive(struct client *cl, struct fs_wire_message *answer)
{
	int rc;

	/* Events may stand between; only the agent's own loop cares for them. */
	do {
		fs_wire_message_clear(answer);
		rc = fs_wire_receive(cl->sock, answer, ANSWER_TIMEOUT_MS);
	} while (!rc && json_object_get(answer->json, "event"));
	if (rc) {
		tools_fail(rc == -EPIPE ? "the daemon closed the connection"
				       : "the daemon's answer did not arrive: %s", strerror(-rc));
		fs_wire_message_clear(answer);
	}
	return rc;
}

int tools_client_next(struct client *cl, struct fs_wire_message *answer)
{
	int rc = receive(cl, answer);

	if (!rc && !json_is_true(json_object_get(answer->json, "ok")))
		rc = refused(answer->json);
	return rc;
}

int tools_client_answer(struct client *cl, struct fs_wire_message *answer)
{
	int rc = receive(cl, answer);

	if (!rc && !json_is_true(json_object_get(answer->json, "ok")))
		rc = refusal_of(answer->json);
	return rc;
}

int tools_client_ask(struct client *cl, json_t *json, struct fs_wire_message *answer)
{
	int rc = send_request(cl, json, NULL, 0, -1);

	return rc ? rc : tools_client_answer(cl, answer);
}

int tools_client_refused(const struct fs_wire_message *answer)
{
	if (answer->json)
		(void)refused(answer->json);
	return TOOL_FAILED;
}

int tools_client_call(struct client *cl, json_t *json, const void *blob, size_t blob_len, int fd,
		struct fs_wire_message *answer)
{
	int rc = send_request(cl, json, blob, blob_len, fd);

	return rc ? rc : tools_client_next(cl, answer);
}

int tools_client_do(struct client *cl, json_t *json, const void *blob, size_t blob_len)
{
	struct fs_wire_message m;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl, json, blob, blob_len, -1, &m);
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

const char *tools_client_origin(char out[static 256])
{
	const char *tty = ttyname(0);
	const char *ssh = getenv("SSH_CONNECTION");

	if (ssh && *ssh)
		snprintf(out, 256, "ssh %.*s", (int)strcspn(ssh, " "), ssh);
	else
		snprintf(out, 256, "%.200s", tty ? tty : "no terminal");
	return out;
}

static int fill(struct client *cl, const struct tool_options *o, struct client_credentials *cr)
{
	struct keys_stretch_cost cost;
	struct prompt_secret *pass = NULL;
	struct fs_wire_message m;
	const char *who, *factor;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl, json_pack("{s:s, s:s}", "verb", "salt", "who", o->as ? o->as : ""),
			 NULL, 0, -1, &m);
	if (rc)
		goto out;
	who = json_string_value(json_object_get(m.json, "who"));
	cost.passes = (uint32_t)json_integer_value(json_object_get(m.json, "passes"));
	cost.memory_kib = (uint32_t)json_integer_value(json_object_get(m.json, "memory_kib"));
	rc = -EPROTO;
	if (!who || m.blob_len != KEYS_SALT_LEN)
		goto out;
	snprintf(cr->who, sizeof(cr->who), "%s", who);
	factor = json_string_value(json_object_get(m.json, "factor"));
	snprintf(cr->factor, sizeof(cr->factor), "%s", factor ? factor : "none");
	rc = tools_prompt_secret_read(o->passphrase_fd, "Passphrase", &pass);
	if (rc) {
		tools_fail(rc == -ENOTTY ? "there is no terminal to ask at; use --passphrase-fd"
					: "no passphrase was given");
		goto out;
	}
	rc = tools_prompt_stretch(pass, m.blob, &cost, cr->bytes);
	cr->len = KEYS_LEN;
	if (!rc && o->key_file) {
		rc = tools_prompt_key_file(o->key_file, cr->bytes + KEYS_LEN);
		cr->len = 2 * KEYS_LEN;
		if (rc)
			tools_fail("the key file %s can't be read: %s", o->key_file, strerror(-rc));
	}
out:
	tools_prompt_secret_free(pass);
	fs_wire_message_clear(&m);
	return rc;
}

int tools_client_credentials_new(struct client *cl, const struct tool_options *o,
			   struct client_credentials **out)
{
	struct client_credentials *cr = keys_guard_new(sizeof(*cr));
	int rc = cr ? fill(cl, o, cr) : -ENOMEM;

	if (rc) {
		tools_client_credentials_free(cr);
		return rc;
	}
	*out = cr;
	return 0;
}

void tools_client_credentials_free(struct client_credentials *cr)
{
	keys_guard_free(cr);
}

int tools_client_find(const struct tool_options *o, struct conf *c, struct client *cl)
{
	if (tools_conf_find(o, c) || tools_client_connect(c, false, cl))
		return TOOL_FAILED;
	return TOOL_OK;
}
