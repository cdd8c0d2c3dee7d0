/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/year/sink.c - a made-up year written by the log's own writer, and the key file that opens
 * it.
 *
 * Owns the pretended clocks, which stand at the time of the record that is appended. Nobody waits
 * for a record: the writer's own thread makes them durable.
 */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/clock.h"
#include "fs/log_segment.h"
#include "keys/audit_key.h"
#include "keys/slab.h"

#define CHECKPOINT_NS (60 * INT64_C(1000000000))

struct year_sink {
	struct fs_log_config cfg;
	struct keys_list_entry reader;
	struct fs_log *log; /* NULL: stopped */
	uint64_t count;
	int64_t checkpoint_ns; /* of the last one */
};

static _Atomic int64_t wall_ns, boot_ns;

static int64_t wall(void)
{
	return wall_ns;
}

static int64_t boot(void)
{
	return boot_ns;
}

static const struct fs_clock_source pretended = {.wall_ns = wall, .boot_ns = boot};

/* ---- keys ---- */

static void derived(uint64_t seed, const char *what, uint8_t *out, size_t len)
{
	uint8_t in[64] = {0};

	memcpy(in, &seed, sizeof(seed));
	snprintf((char *)in + sizeof(seed), sizeof(in) - sizeof(seed), "year %s", what);
	crypto_generichash(out, len, in, sizeof(in), NULL, 0);
}

void year_keys(uint64_t seed, struct year_keys *out)
{
	uint8_t from[32];

	derived(seed, "vault", out->vault, sizeof(out->vault));
	derived(seed, "daemon", from, sizeof(from));
	crypto_sign_seed_keypair(out->daemon_pk, out->daemon_sk, from);
	derived(seed, "auditor", from, sizeof(from));
	crypto_box_seed_keypair(out->box_pk, out->box_sk, from);
}

/* ---- writing ---- */

int year_sink_open(const char *dir, const struct year_keys *keys, uint64_t segment_bytes,
		   struct year_sink **out)
{
	struct year_sink *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	memcpy(s->reader.box_pk, keys->box_pk, KEYS_LEN);
	memcpy(s->cfg.vault, keys->vault, sizeof(s->cfg.vault));
	s->cfg.dir = dir;
	s->cfg.readers = &s->reader;
	s->cfg.reader_count = 1;
	s->cfg.sign_sk = keys->daemon_sk;
	s->cfg.segment_bytes = segment_bytes;
	fs_clock_pretend(&pretended);
	*out = s;
	return 0;
}

static int checkpoint(struct year_sink *s, int64_t ns)
{
	uint8_t root[KEYS_LEN];

	if (ns - s->checkpoint_ns < CHECKPOINT_NS)
		return 0;
	s->checkpoint_ns = ns;
	derived(s->count, "root", root, sizeof(root));
	return fs_log_checkpoint(s->log, s->count, root, KEYS_CHECKPOINT_RUNNING);
}

static int stopped(struct year_sink *s)
{
	struct fs_log_stat st;
	int rc;

	if (!s->log)
		return 0;
	fs_log_stat(s->log, &st);
	s->count = st.records + 1; /* and its STOP */
	rc = fs_log_close(s->log);
	s->log = NULL;
	return rc;
}

int year_sink_record(void *sink, const struct policy_record *r)
{
	struct year_sink *s = sink;
	struct policy_record mine;
	int rc = 0;

	wall_ns = r->time_ns;
	boot_ns = (int64_t)r->boot_ns;
	if (r->kind == POLICY_RECORD_STOP)
		return stopped(s);
	if (!s->log)
		rc = fs_log_open(&s->cfg, &s->log);
	if (rc || r->kind == POLICY_RECORD_START)
		return rc;
	mine = *r;
	rc = fs_log_append(s->log, &mine, &s->count);
	return rc ? rc : checkpoint(s, r->time_ns);
}

uint64_t year_sink_count(const struct year_sink *s)
{
	return s->count;
}

int year_sink_close(struct year_sink *s)
{
	int rc;

	if (!s)
		return 0;
	rc = stopped(s);
	fs_clock_pretend(NULL);
	free(s);
	return rc;
}

/* ---- the key file ---- */

struct streams {
	const struct year_keys *keys;
	struct keys_audit_stream *v; /* guarded */
	uint32_t n, cap;
};

static int grow(struct streams *s)
{
	uint32_t cap = s->cap ? 2 * s->cap : 64;
	struct keys_audit_stream *more = keys_guard_new(cap * sizeof(*more));

	if (!more)
		return -ENOMEM;
	if (s->v)
		memcpy(more, s->v, s->n * sizeof(*more));
	keys_guard_free(s->v);
	s->v = more;
	s->cap = cap;
	return 0;
}

static int stream(void *ctx, const struct fs_log_head *h)
{
	struct streams *s = ctx;
	const uint8_t *wrap = fs_log_head_wrap(h, s->keys->box_pk);
	struct keys_audit_stream *at;
	struct keys_ratchet r;
	int rc = wrap ? 0 : -ENOENT;

	if (!rc && s->n == s->cap)
		rc = grow(s);
	if (!rc)
		rc = keys_ratchet_open(&r, s->keys->vault, h->stream, wrap, KEYS_STREAM_WRAP_LEN,
				       s->keys->box_sk);
	if (rc)
		return rc;
	at = &s->v[s->n++];
	memcpy(at->stream, h->stream, sizeof(at->stream));
	at->first_seq = h->first_seq;
	at->time_s = h->time_s;
	memcpy(at->k0, r.key, sizeof(at->k0));
	keys_wipe(&r, sizeof(r));
	return 0;
}

static int put_file(const char *file, const uint8_t *p, size_t len)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, p, len) != (ssize_t)len)
		rc = -EIO;
	close(fd);
	return rc;
}

static int seal(const struct keys_audit_key *k, const char *passphrase, const char *file)
{
	static const struct keys_stretch_cost least = {.passes = 1, .memory_kib = 8 << 10};
	uint8_t salt[KEYS_SALT_LEN], stretched[KEYS_LEN], *p = NULL;
	size_t len = 0;
	int rc;

	derived(k->streams, "salt", salt, sizeof(salt));
	rc = keys_stretch(passphrase, strlen(passphrase), salt, &least, stretched);
	if (!rc)
		rc = keys_audit_key_seal(k, stretched, salt, &least, &p, &len);
	if (!rc)
		rc = put_file(file, p, len);
	free(p);
	return rc;
}

int year_sink_key(const char *dir, const struct year_keys *keys, const char *passphrase,
		  const char *file)
{
	struct streams s = {.keys = keys};
	struct keys_audit_key k = {.made_s = 1, .daemons = 1};
	uint8_t daemon[1][KEYS_LEN];
	uint64_t segment = 1;
	int rc;

	do {
		rc = fs_log_streams(dir, keys->vault, &segment, stream, &s);
	} while (!rc);
	if (rc == -ENOENT)
		rc = 0;
	memcpy(daemon[0], keys->daemon_pk, KEYS_LEN);
	memcpy(k.vault, keys->vault, sizeof(k.vault));
	memcpy(k.root_pk, keys->daemon_pk, sizeof(k.root_pk)); /* as fs/log.h has it without one */
	snprintf(k.who, sizeof(k.who), "kirsten");
	snprintf(k.practice, sizeof(k.practice), "Lægehuset ved Havnen");
	k.daemon = daemon;
	k.stream = s.v;
	k.streams = s.n;
	if (!rc)
		rc = seal(&k, passphrase, file);
	keys_guard_free(s.v);
	return rc;
}
