/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/apps/year_log.c - a made-up clinic's year (tests/year) as a copied log: DIR/log with the
 * policies beside it, and DIR/key, the auditor's, under the passphrase "year".
 *
 * usage: year_log DIR [DAYS]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../fs/log_segment.h"
#include "../../keys/audit_key.h"
#include "../../keys/seal.h"
#include "../../tools/audit_policies.h"
#include "../../tools/tool.h"
#include "../year/sink.h"

struct making {
	struct year_keys keys;
	struct audit_policies policies;
};

/* main.c's, which this does not link. */
int tools_fail(const char *fmt, ...)
{
	fprintf(stderr, "year_log: %s\n", fmt);
	return TOOL_FAILED;
}
int tools_usage(const char *fmt, ...)
{
	return tools_fail("%s", fmt);
}

static void need(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "year_log: %s: %s\n", what, strerror(rc < 0 ? -rc : rc));
	exit(1);
}

static int wrap(void *ctx, const struct fs_log_head *h)
{
	struct making *m = ctx;
	const uint8_t *sealed = fs_log_head_wrap(h, m->keys.box_pk);
	uint8_t wrapped[KEYS_AUDIT_WRAP_LEN];
	struct keys_ratchet r;
	int rc = sealed ? keys_ratchet_open(&r, m->keys.vault, h->stream, sealed,
					    KEYS_STREAM_WRAP_LEN, m->keys.box_sk)
			: -1;

	if (rc)
		return rc;
	keys_audit_wrap(r.key, m->keys.vault, h->stream, m->policies.key, wrapped);
	return tools_audit_policies_wrap(&m->policies, h->stream, wrapped);
}

static void put_policies(struct making *m, const struct year *y, const char *log)
{
	static char practice[65536];
	const size_t len = year_practice(y, practice, sizeof(practice));
	const struct policy_past_change c = {.version = 1,
					     .time_s = 1,
					     .name = NULL,
					     .who = "",
					     .reason = "",
					     .text = practice,
					     .len = len};
	uint8_t *frame = NULL, *bytes = NULL;
	uint64_t segment = 1;
	char path[4096];
	size_t n = 0;
	int rc = 0;
	FILE *f;

	tools_audit_policies_init(&m->policies, m->keys.vault);
	while (!rc)
		rc = fs_log_streams(log, m->keys.vault, &segment, wrap, m);
	need(rc == -ENOENT ? 0 : rc, "streams");
	need(fs_audit_change_encode(&c, &frame, &n), "policy");
	need(tools_audit_policies_add(&m->policies, frame + 4, n - 4), "policy");
	need(tools_audit_policies_seal(&m->policies, &bytes, &n), "policies");
	snprintf(path, sizeof(path), "%s/policies", log);
	f = fopen(path, "w");
	need(!f || fwrite(bytes, 1, n, f) != n || fclose(f), "policies");
	free(frame);
	free(bytes);
	tools_audit_policies_clear(&m->policies);
}

int main(int argc, char **argv)
{
	struct year_config cfg = {.seed = 1};
	static struct making m;
	struct year_sink *sink;
	char log[4000], key[4000];
	struct year *y;

	if (argc < 2 || argc > 3)
		return 2;
	cfg.days = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	snprintf(log, sizeof(log), "%s/log", argv[1]);
	snprintf(key, sizeof(key), "%s/key", argv[1]);
	mkdir(log, 0700);
	need(keys_init(), "libsodium");
	year_keys(cfg.seed, &m.keys);
	need(year_new(&cfg, &y), "year");
	need(year_sink_open(log, &m.keys, 0, &sink), "log");
	need(year_run(y, year_sink_record, sink), "records");
	printf("%llu records\n", (unsigned long long)year_sink_count(sink));
	need(year_sink_close(sink), "log");
	put_policies(&m, y, log);
	need(year_sink_key(log, &m.keys, "year", key), "key");
	for (int i = 0; i < YEAR_MISUSES; i++)
		printf("planted: %s\n", year_plant(y, (enum year_misuse)i)->who);
	year_free(y);
	return 0;
}
