/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_key.c - audit key export, audit key show: an auditor's key for a copied log.
 *
 * What leaves the vault are keys of stretches of the log, not the auditor's own: whoever finds the
 * file and its passphrase reads these stretches, and the policies beside a copy of the log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../fs/audit_wire.h"
#include "../keys/slab.h"
#include "audit_key_file.h"
#include "audit_source_impl.h"
#include "audit_stream.h"
#include "cmd_audit.h"
#include "plain.h"
#include "prompt.h"
#include "when.h"

/* ---- export ---- */

struct exporting {
	struct keys_audit_key k;
	uint32_t stream_cap, daemon_cap;
};

static int add_daemon(struct exporting *x, const uint8_t *pk)
{
	if (x->k.daemons == x->daemon_cap) {
		uint32_t cap = x->daemon_cap ? 2 * x->daemon_cap : 16;
		void *more = reallocarray(x->k.daemon, cap, KEYS_LEN);

		if (!more)
			return -ENOMEM;
		x->k.daemon = more;
		x->daemon_cap = cap;
	}
	memcpy(x->k.daemon[x->k.daemons++], pk, KEYS_LEN);
	return 0;
}

static int add_stream(struct exporting *x, const struct fs_audit_key *k)
{
	struct keys_audit_stream *s;

	if (x->k.streams == x->stream_cap) {
		uint32_t cap = x->stream_cap ? 2 * x->stream_cap : 256;
		struct keys_audit_stream *more = keys_guard_new(cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		if (x->k.streams)
			memcpy(more, x->k.stream, x->k.streams * sizeof(*more));
		keys_guard_free(x->k.stream);
		x->k.stream = more;
		x->stream_cap = cap;
	}
	s = &x->k.stream[x->k.streams++];
	memcpy(s->stream, k->stream, sizeof(s->stream));
	memcpy(s->k0, k->key, sizeof(s->k0));
	s->first_seq = k->first_seq;
	s->time_s = k->time_s;
	return 0;
}

/* Daemons' keys come first and are shorter than what says something of a stream. */
static int take(void *ctx, const uint8_t *p, size_t len)
{
	struct fs_audit_key k;
	int rc;

	if (len == KEYS_LEN)
		return add_daemon(ctx, p);
	rc = fs_audit_key_decode(p, len, &k);
	if (!rc)
		rc = k.key_len == KEYS_LEN ? add_stream(ctx, &k) : -EBADMSG;
	keys_wipe(&k, sizeof(k));
	return rc;
}

static void take_texts(struct exporting *x, const json_t *answer)
{
	const char *who = json_string_value(json_object_get(answer, "who"));
	const char *practice = json_string_value(json_object_get(answer, "practice"));

	snprintf(x->k.who, sizeof(x->k.who), "%s", who ? who : "");
	snprintf(x->k.practice, sizeof(x->k.practice), "%s", practice ? practice : "");
}

static int fetch(struct audit_source *s, struct exporting *x)
{
	struct fs_wire_message m;
	json_int_t shut;
	int rc;

	fs_wire_message_init(&m);
	rc = tools_audit_stream(s,
				json_pack("{s:s, s:I, s:I}", "verb", "audit-streams", "since_s",
					  (json_int_t)x->k.since_s, "until_s",
					  (json_int_t)x->k.until_s),
				NULL, 0, take, x, &m);
	if (!rc) {
		take_texts(x, m.json);
		shut = json_integer_value(json_object_get(m.json, "shut"));
		if (shut)
			fprintf(stderr,
				"journalfs: %lld %s of the log can't be opened by you and %s not "
				"in the "
				"key file\n",
				(long long)shut, shut == 1 ? "stretch" : "stretches",
				shut == 1 ? "is" : "are");
	}
	fs_wire_message_clear(&m);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static int prepare(struct audit_source *s, const struct tool_options *o, struct exporting *x)
{
	struct audit_filter f;
	int rc = tools_audit_filter(o, &f);

	if (rc)
		return rc;
	x->k.since_s = f.since_ns / 1000000000;
	x->k.until_s = f.until_ns / 1000000000;
	memcpy(x->k.vault, s->vault, sizeof(x->k.vault));
	memcpy(x->k.root_pk, s->root_pk, sizeof(x->k.root_pk));
	return TOOL_OK;
}

static int export_to(struct tool_options *o, const char *path)
{
	struct exporting x = {.stream_cap = 0};
	struct audit_source *s;
	int rc = TOOL_FAILED;

	if (o->log)
		return tools_usage("a key is exported from the vault: leave out --log");
	/* Before anything is taken, which is logged. */
	if (!access(path, F_OK) || errno != ENOENT)
		return tools_fail("%s is there already, or can't be made", path);
	s = tools_audit_open(o);
	if (!s)
		return TOOL_FAILED;
	rc = prepare(s, o, &x);
	if (!rc)
		rc = fetch(s, &x);
	if (!rc && !x.k.streams)
		rc = tools_fail(
			"there is nothing of the log that you can open in that time: no key "
			"file was written");
	if (!rc)
		x.k.made_s = (uint64_t)time(NULL);
	if (!rc)
		rc = tools_audit_key_write(path, o->new_passphrase_fd, x.k.who, &x.k);
	if (!rc)
		printf("%s opens %u %s of the log. Without its passphrase nobody reads it; records "
		       "that come later are mostly not in it.\n",
		       path, x.k.streams, x.k.streams == 1 ? "stretch" : "stretches");
	keys_audit_key_clear(&x.k);
	tools_audit_close(s);
	return rc;
}

/* ---- show ---- */

static void print_hex(const char *name, const uint8_t *p, size_t len)
{
	char hex[2 * KEYS_LEN + 1];

	tools_conf_hex(p, len, hex);
	printf("%-10s%s\n", name, hex);
}

static void print_text(const char *name, const char *text)
{
	printf("%-10s", name);
	tools_plain_put(stdout, text, 0);
	putchar('\n');
}

static void print_json(const struct keys_audit_key *k)
{
	char vault[2 * KEYS_VAULT_ID_LEN + 1], root[2 * KEYS_LEN + 1];
	json_t *json;

	tools_conf_hex(k->vault, sizeof(k->vault), vault);
	tools_conf_hex(k->root_pk, sizeof(k->root_pk), root);
	json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:i, s:I, s:I, s:I}", "vault", vault,
			 "root", root, "practice", k->practice, "who", k->who, "made_s",
			 (json_int_t)k->made_s, "since_s", (json_int_t)k->since_s, "until_s",
			 (json_int_t)k->until_s, "streams", (int)k->streams, "first",
			 (json_int_t)(k->streams ? k->stream[0].first_seq : 0), "first_s",
			 (json_int_t)(k->streams ? k->stream[0].time_s : 0), "last_s",
			 (json_int_t)(k->streams ? k->stream[k->streams - 1].time_s : 0));
	if (json && !json_dumpf(json, stdout, JSON_COMPACT))
		putchar('\n');
	json_decref(json);
}

static void print_key(const struct keys_audit_key *k)
{
	char when[32];

	print_text("practice", k->practice);
	print_hex("vault", k->vault, sizeof(k->vault));
	print_hex("root key", k->root_pk, sizeof(k->root_pk));
	print_text("auditor", k->who);
	print_text("made", tools_when_text((int64_t)k->made_s, when));
	if (k->since_s)
		print_text("since", tools_when_text(k->since_s, when));
	if (k->until_s)
		print_text("until", tools_when_text(k->until_s, when));
	printf("%-10s%u\n", "stretches", k->streams);
	if (!k->streams)
		return;
	printf("%-10srecord %llu, %s\n", "from", (unsigned long long)k->stream[0].first_seq,
	       tools_when_text((int64_t)k->stream[0].time_s, when));
	printf("%-10sthe stretch of record %llu, %s\n", "to",
	       (unsigned long long)k->stream[k->streams - 1].first_seq,
	       tools_when_text((int64_t)k->stream[k->streams - 1].time_s, when));
}

static int show(const struct tool_options *o, const char *path)
{
	struct keys_audit_key k;

	if (tools_audit_key_read(path, o->passphrase_fd, &k))
		return TOOL_FAILED;
	if (o->json)
		print_json(&k);
	else
		print_key(&k);
	keys_audit_key_clear(&k);
	return fflush(stdout) ? tools_fail("the output could not be written") : TOOL_OK;
}

int tools_cmd_audit_key(struct tool_options *o, int argc, char **argv)
{
	(void)argc;
	if (!strcmp(argv[1], "export"))
		return export_to(o, argv[2]);
	if (!strcmp(argv[1], "show"))
		return show(o, argv[2]);
	return tools_usage("`audit key %s` is not known; there are: export FILE, show FILE",
			   argv[1]);
}
