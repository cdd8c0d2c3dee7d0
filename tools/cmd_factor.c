/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_factor.c - factor enroll, status, remove, recovery-codes.
 *
 * Secret and recovery codes are made here. All goes to the daemon in one request, together with
 * what proves who asks; only when that is stored are the recovery codes shown, once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../fs/factor.h"
#include "../keys/slab.h"
#include "factor.h"
#include "qr.h"

#define CODES_LEN ((size_t)KEYS_FACTOR_CODES * KEYS_FACTOR_CODE_LEN)
#define URI_MAX 1024
#define TRIES 3

/* Guarded memory. */
struct change {
	uint8_t bytes[2 * KEYS_LEN + KEYS_TOTP_SECRET_LEN + CODES_LEN];
	size_t len;
	uint8_t made[KEYS_TOTP_SECRET_LEN + CODES_LEN]; /* the secret, then the recovery codes */
	char uri[URI_MAX];
	char text[KEYS_TOTP_TEXT_LEN];
};

/* ---- what is shown ---- */

static void print_codes(const uint8_t *codes)
{
	char text[KEYS_FACTOR_CODE_TEXT];

	puts("Recovery codes, each for one use instead of a code, should the telephone be lost. They\n"
	     "are shown this once: print them and keep them apart from it.\n");
	for (unsigned i = 0; i < KEYS_FACTOR_CODES; i++) {
		keys_base32_print(codes + (size_t)i * KEYS_FACTOR_CODE_LEN, KEYS_FACTOR_CODE_LEN, text);
		printf("    %s\n", text);
	}
	keys_wipe(text, sizeof(text));
}

/* Letters, digits and little else as they are, the rest as %XX (RFC 3986). */
static size_t escape(char *out, size_t cap, const char *text)
{
	size_t n = 0;

	for (; *text && n + 4 < cap; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    strchr("-._~", c))
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, 4, "%%%02X", c);
	}
	out[n] = '\0';
	return n;
}

static void fill_uri(struct change *ch, const char *vault, const char *who)
{
	char v[3 * 64 + 1], w[3 * KEYS_NAME_MAX + 1];

	keys_totp_print(ch->made, ch->text);
	escape(v, sizeof(v), vault);
	escape(w, sizeof(w), who);
	snprintf(ch->uri, sizeof(ch->uri),
		 "otpauth://totp/journalfs%%20%s:%s?secret=%s&issuer=journalfs%%20%s", v, w, ch->text,
		 v);
}

static void show_secret(struct change *ch)
{
	puts("Scan this with an authenticator app:\n");
	if (tools_qr_print(stdout, ch->uri))
		puts("(the QR code can't be shown)");
	printf("\nor type the secret into it (time based, 6 digits, 30 seconds):\n\n    ");
	for (size_t i = 0; ch->text[i]; i++)
		printf("%s%c", i && i % 4 == 0 ? " " : "", ch->text[i]);
	printf("\n\n    %s\n\n", ch->uri);
	fflush(stdout);
}

/* ---- one request ---- */

/* passphrase | middle | key file */
static void fill(struct change *ch, const struct client_credentials *cr, const void *middle,
		 size_t len)
{
	memcpy(ch->bytes, cr->bytes, KEYS_LEN);
	if (len)
		memcpy(ch->bytes + KEYS_LEN, middle, len);
	ch->len = KEYS_LEN + len;
	memcpy(ch->bytes + ch->len, cr->bytes + KEYS_LEN, cr->len - KEYS_LEN);
	ch->len += cr->len - KEYS_LEN;
}

static int ask_daemon(struct client *cl, const struct tool_options *o, const char *verb,
		      const struct client_credentials *cr, const char *new_code, struct change *ch)
{
	struct fs_wire_message m;
	char origin[256];
	json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "verb", verb, "who", o->as ? o->as : "",
				 "origin", tools_client_origin(origin), "code", cr->code);
	int rc;

	if (new_code && json_object_set_new(json, "new_code", json_string(new_code))) {
		json_decref(json);
		return tools_fail("that is no code");
	}
	fs_wire_message_init(&m);
	rc = tools_client_call(cl, json, ch->bytes, ch->len, -1, &m);
	fs_wire_message_clear(&m);
	return rc;
}

/* The app's first code; a mistyped one may be given again. */
static int confirm(struct client *cl, const struct tool_options *o,
		   const struct client_credentials *cr, struct change *ch)
{
	struct tool_options asked = *o;
	int rc = -EINVAL;

	asked.code_fd = o->new_code_fd;
	for (unsigned i = 0; i < TRIES && rc == -EINVAL; i++) {
		struct prompt_secret *code = NULL;

		if (i && asked.code_fd >= 0)
			break;
		if (tools_factor_ask(&asked, "The code that the app shows now", &code))
			return TOOL_FAILED;
		rc = ask_daemon(cl, o, "factor-enroll", cr, code->text, ch);
		tools_prompt_secret_free(code);
	}
	return rc;
}

static int enroll(struct client *cl, const struct conf *c, const struct tool_options *o,
		  const struct client_credentials *cr, struct change *ch)
{
	int rc;

	fill_uri(ch, c->name, cr->who);
	fill(ch, cr, ch->made, sizeof(ch->made));
	show_secret(ch);
	rc = confirm(cl, o, cr, ch);
	if (rc)
		return TOOL_FAILED;
	puts("The second factor is enrolled: from now on log-in asks for a code.\n");
	print_codes(ch->made + KEYS_TOTP_SECRET_LEN);
	return TOOL_OK;
}

static int recovery_codes(struct client *cl, const struct conf *c, const struct tool_options *o,
			  const struct client_credentials *cr, struct change *ch)
{
	(void)c;
	fill(ch, cr, ch->made + KEYS_TOTP_SECRET_LEN, CODES_LEN);
	if (ask_daemon(cl, o, "factor-codes", cr, NULL, ch))
		return TOOL_FAILED;
	puts("The earlier recovery codes are void.\n");
	print_codes(ch->made + KEYS_TOTP_SECRET_LEN);
	return TOOL_OK;
}

static int take_away(struct client *cl, const struct conf *c, const struct tool_options *o,
		     const struct client_credentials *cr, struct change *ch)
{
	(void)c;
	fill(ch, cr, NULL, 0);
	if (ask_daemon(cl, o, "factor-remove", cr, NULL, ch))
		return TOOL_FAILED;
	puts("The second factor is removed: log-in asks for the passphrase alone.");
	return TOOL_OK;
}

/* ---- status ---- */

static int print_status(struct client *cl, const struct tool_options *o)
{
	struct fs_wire_message m;
	const char *kind;
	char when[32] = "";
	struct tm tm;
	time_t since;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_client_call(cl,
			 json_pack("{s:s, s:s}", "verb", "factor-status", "who", o->as ? o->as : ""),
			 NULL, 0, -1, &m);
	if (rc)
		goto out;
	kind = json_string_value(json_object_get(m.json, "factor"));
	since = (time_t)json_integer_value(json_object_get(m.json, "since_s"));
	if (localtime_r(&since, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	if (o->json)
		json_dumpf(m.json, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
	else if (kind && !strcmp(kind, "totp"))
		printf("authenticator app, since %s; %lld recovery codes left\n", when,
		       (long long)json_integer_value(json_object_get(m.json, "codes_left")));
	else if (kind && !strcmp(kind, "key-file"))
		printf("key file, since %s\n", when);
	else
		puts("none; `journalfs factor enroll` adds one");
out:
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

/* ---- the verb ---- */

typedef int (*factor_fn)(struct client *cl, const struct conf *c, const struct tool_options *o,
			 const struct client_credentials *cr, struct change *ch);

/* Passphrase and, where one is enrolled, a code; then fn. */
static int with_proof(struct client *cl, const struct conf *c, const struct tool_options *o,
		      factor_fn fn)
{
	struct client_credentials *cr = NULL;
	struct change *ch = keys_guard_new(sizeof(*ch));
	int rc = TOOL_FAILED;

	if (ch && !tools_client_credentials_new(cl, o, &cr) && !tools_factor_credentials(o, cr)) {
		keys_random(ch->made, sizeof(ch->made));
		rc = fn(cl, c, o, cr, ch);
		if (fflush(stdout))
			rc = tools_fail("not everything could be printed: `journalfs factor "
					"recovery-codes` makes new recovery codes");
	}
	tools_client_credentials_free(cr);
	keys_guard_free(ch);
	return rc;
}

int tools_cmd_factor(struct tool_options *o, int argc, char **argv)
{
	static const struct {
		const char *name;
		factor_fn fn;
	} verbs[] = {
		{ "status", NULL },
		{ "enroll", enroll },
		{ "remove", take_away },
		{ "recovery-codes", recovery_codes },
	};
	struct client cl = { .sock = -1 };
	struct conf c;
	size_t i = 0;
	int rc;

	(void)argc;
	while (i < sizeof(verbs) / sizeof(verbs[0]) && strcmp(argv[0], verbs[i].name))
		i++;
	if (i == sizeof(verbs) / sizeof(verbs[0]))
		return tools_usage("`factor` takes enroll, status, remove or recovery-codes, not `%s`",
				   argv[0]);
	if (tools_client_find(o, &c, &cl))
		return TOOL_FAILED;
	rc = verbs[i].fn ? with_proof(&cl, &c, o, verbs[i].fn) : print_status(&cl, o);
	tools_client_close(&cl);
	return rc;
}
