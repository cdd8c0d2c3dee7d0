/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/log.c - the access log at the size of many years, and what its parts cost: for
 * log.sh.
 *
 * - fill DIR RECORDS CLINICS PATIENTS KEYFILE: a made log of about so many records (tests/year)
 * - policies DIR CLINICS PATIENTS: the policies beside it, as a copy of such a log has them
 * - append DIR RECORDS: the cost of an append besides syncs
 * - read DIR THREADS: every record, decrypted and decoded
 * - verify DIR THREADS: every byte hashed, every chain followed
 * - journals DIR: the numbers of a common journal and of the busiest, and the name of that
 * - patient DIR JOURNAL: one journal's records, through the index
 * - run COMMAND...: a command's wall time and peak memory
 *
 * Each prints one line: numbers and what they are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fs/log_segment.h"
#include "fs/log_verify.h"
#include "tests/year/sink.h"
#include "tools/audit_policies.h"

#define SEED 20261129u
#define PASSPHRASE "an auditor keeps count of everything"

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double peak_mib(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (double)r.ru_maxrss / 1024;
}

/* Seconds of processor that this process took, all threads. */
static double cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static int fail(const char *what, int rc)
{
	fprintf(stderr, "%s: %s\n", what, strerror(rc < 0 ? -rc : rc));
	return EXIT_FAILURE;
}

/* ---- fill ---- */

struct filling {
	struct year_sink *sink;
	uint64_t most;
};

static int put(void *ctx, const struct policy_record *r)
{
	struct filling *f = ctx;
	int rc = year_sink_record(f->sink, r);

	return rc ? rc : year_sink_count(f->sink) >= f->most;
}

static int fill(char **argv)
{
	struct year_config cfg = {.seed = SEED, .days = 3650};
	struct filling f = {.most = strtoull(argv[1], NULL, 10)};
	double begun = now(CLOCK_MONOTONIC), took;
	struct year_keys keys;
	struct year *y = NULL;
	int rc;

	cfg.clinics = (unsigned)atoi(argv[2]);
	cfg.patients = (unsigned)atoi(argv[3]);
	year_keys(SEED, &keys);
	rc = year_new(&cfg, &y);
	if (!rc)
		rc = year_sink_open(argv[0], &keys, 0, &f.sink);
	if (rc)
		return fail("fill", rc);
	rc = year_run(y, put, &f);
	year_free(y);
	if (rc >= 0)
		rc = year_sink_close(f.sink);
	if (!rc)
		rc = year_sink_key(argv[0], &keys, PASSPHRASE, argv[4]);
	if (rc)
		return fail("fill", rc);
	took = now(CLOCK_MONOTONIC) - begun;
	printf("%.0f records/s filled, %.0f s (%.0f s CPU), %.0f MiB peak\n", (double)f.most / took,
	       took, cpu_s(), peak_mib(RUSAGE_SELF));
	return EXIT_SUCCESS;
}

/* ---- policies ---- */

struct making {
	struct audit_policies p;
	const struct year_keys *keys;
	uint32_t version;
};

/* For the first stream that is met: one is enough to open them. */
static int wrap_one(void *ctx, const struct fs_log_head *h)
{
	struct making *m = ctx;
	const uint8_t *wrap = fs_log_head_wrap(h, m->keys->box_pk);
	uint8_t sealed[KEYS_AUDIT_WRAP_LEN];
	struct keys_ratchet r;
	int rc = wrap ? keys_ratchet_open(&r, m->keys->vault, h->stream, wrap, KEYS_STREAM_WRAP_LEN,
					  m->keys->box_sk)
		      : -ENOENT;

	if (rc)
		return rc;
	keys_audit_wrap(r.key, m->keys->vault, h->stream, m->p.key, sealed);
	rc = tools_audit_policies_wrap(&m->p, h->stream, sealed);
	return rc ? rc : 1;
}

static int policy_add(struct making *m, uint32_t journal, const char *name, const char *text)
{
	const struct policy_past_change c = {.version = ++m->version,
					     .time_s = 1,
					     .journal = journal,
					     .name = name,
					     .who = "steward",
					     .text = text,
					     .len = strlen(text)};
	uint8_t *bytes = NULL;
	size_t len = 0;
	int rc = fs_audit_change_encode(&c, &bytes, &len);

	if (!rc)
		rc = tools_audit_policies_add(&m->p, bytes + 4, len - 4);
	free(bytes);
	return rc;
}

static int journal_add(void *ctx, uint32_t number, const char *name)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "journal \"%s\"\n\n# as the practice has it, with those who attend\n", name);
	return policy_add(ctx, number, name, text);
}

static int put_file(const char *dir, const char *name, const uint8_t *p, size_t len)
{
	char path[4096];
	FILE *f;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	rc = fwrite(p, 1, len, f) == len ? 0 : -EIO;
	return fclose(f) ? -EIO : rc;
}

static int policies(char **argv)
{
	struct year_config cfg = {.seed = SEED, .days = 3650};
	static char practice[1 << 20];
	struct making m = {.version = 0};
	uint64_t segment = 1;
	struct year_keys keys;
	struct year *y = NULL;
	uint8_t *p = NULL;
	size_t len = 0;
	int rc;

	cfg.clinics = (unsigned)atoi(argv[1]);
	cfg.patients = (unsigned)atoi(argv[2]);
	year_keys(SEED, &keys);
	m.keys = &keys;
	tools_audit_policies_init(&m.p, keys.vault);
	rc = year_new(&cfg, &y);
	if (!rc)
		rc = fs_log_streams(argv[0], keys.vault, &segment, wrap_one, &m);
	if (rc == 1) {
		year_practice(y, practice, sizeof(practice));
		rc = policy_add(&m, 0, NULL, practice);
	}
	if (!rc)
		rc = year_journals(y, journal_add, &m);
	if (!rc)
		rc = tools_audit_policies_seal(&m.p, &p, &len);
	if (!rc)
		rc = put_file(argv[0], "policies", p, len);
	year_free(y);
	tools_audit_policies_clear(&m.p);
	free(p);
	if (rc)
		return fail("policies", rc);
	printf("%u versions of policies, %zu KiB sealed\n", m.version, len >> 10);
	return EXIT_SUCCESS;
}

/* ---- append ---- */

struct kept {
	struct policy_record *r;
	size_t n, cap;
};

/* Notes of intents live only during the call: the ones that are kept have none. */
static int keep(void *ctx, const struct policy_record *r)
{
	struct kept *k = ctx;

	if (r->kind == POLICY_RECORD_START || r->kind == POLICY_RECORD_STOP)
		return 0;
	k->r[k->n] = *r;
	k->r[k->n].notes = NULL;
	k->r[k->n].note_count = k->r[k->n].note_total = 0;
	return ++k->n == k->cap;
}

static int append(char **argv)
{
	struct year_config cfg = {.seed = SEED};
	struct kept k = {.cap = 20000};
	uint64_t most = strtoull(argv[1], NULL, 10);
	struct keys_list_entry reader;
	struct fs_log_config log = {.dir = argv[0], .readers = &reader, .reader_count = 1};
	struct fs_log *l = NULL;
	struct year_keys keys;
	struct year *y = NULL;
	double cpu, wall;
	int rc;

	memset(&reader, 0, sizeof(reader));
	year_keys(SEED, &keys);
	memcpy(reader.box_pk, keys.box_pk, KEYS_LEN);
	memcpy(log.vault, keys.vault, sizeof(log.vault));
	log.sign_sk = keys.daemon_sk;
	k.r = calloc(k.cap, sizeof(*k.r));
	rc = k.r ? year_new(&cfg, &y) : -ENOMEM;
	if (!rc)
		rc = year_run(y, keep, &k);
	year_free(y);
	if (rc >= 0)
		rc = fs_log_open(&log, &l);
	if (rc)
		return fail("append", rc);
	cpu = now(CLOCK_THREAD_CPUTIME_ID);
	wall = now(CLOCK_MONOTONIC);
	for (uint64_t i = 0; !rc && i < most; i++)
		rc = fs_log_append(l, &k.r[i % k.n], NULL);
	cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	wall = now(CLOCK_MONOTONIC) - wall;
	if (!rc)
		rc = fs_log_close(l);
	free(k.r);
	if (rc)
		return fail("append", rc);
	printf("%.2f us CPU an append, %.2f us wall with the writer beside it, %.0f MiB peak\n",
	       cpu * 1e6 / (double)most, wall * 1e6 / (double)most, peak_mib(RUSAGE_SELF));
	return EXIT_SUCCESS;
}

/* ---- read ---- */

struct reading {
	uint64_t n, bad;
	uint32_t *seen; /* by journal */
	uint32_t journals;
	uint32_t best;
	char name[POLICY_RECORD_TEXT];
};

static int read_one(void *ctx, const struct policy_record *r)
{
	struct reading *x = ctx;

	x->n++;
	if (x->seen && r->journal && r->journal < x->journals &&
	    ++x->seen[r->journal] > x->seen[x->best]) {
		x->best = r->journal;
		memcpy(x->name, r->journal_name, sizeof(x->name));
	}
	return 0;
}

static void bad(void *ctx, uint64_t seq, const char *why)
{
	struct reading *x = ctx;

	if (!x->bad++)
		fprintf(stderr, "record %llu: %s\n", (unsigned long long)seq, why);
}

static int read_log(const char *dir, unsigned threads, const uint32_t *journal, struct reading *x)
{
	struct fs_log_reading q = {
		.dir = dir, .fn = read_one, .bad = bad, .ctx = x, .threads = threads};
	struct year_keys keys;

	year_keys(SEED, &keys);
	q.vault = keys.vault;
	q.box_pk = keys.box_pk;
	q.box_sk = keys.box_sk;
	q.journals = journal;
	q.journal_count = journal ? 1 : 0;
	return fs_log_read_as(&q);
}

static int read_all(char **argv)
{
	struct reading x = {0};
	double took = now(CLOCK_MONOTONIC);
	int rc = read_log(argv[0], (unsigned)atoi(argv[1]), NULL, &x);

	took = now(CLOCK_MONOTONIC) - took;
	if (rc || x.bad)
		return fail("read", rc ? rc : EBADMSG);
	printf("%.0f records/s read, %llu records, %.1f s (%.1f s CPU), %.0f MiB peak\n",
	       (double)x.n / took, (unsigned long long)x.n, took, cpu_s(), peak_mib(RUSAGE_SELF));
	return EXIT_SUCCESS;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int patient(char **argv)
{
	uint32_t journal = (uint32_t)strtoul(argv[1], NULL, 10);
	struct reading x = {0};
	double took = now(CLOCK_MONOTONIC);
	int rc = read_log(argv[0], 1, &journal, &x);

	took = now(CLOCK_MONOTONIC) - took;
	if (rc || x.bad)
		return fail("patient", rc ? rc : EBADMSG);
	printf("%.3f s (%.3f s CPU), %llu records of one journal, %.0f MiB peak\n", took, cpu_s(),
	       (unsigned long long)x.n, peak_mib(RUSAGE_SELF));
	return EXIT_SUCCESS;
}

/* Two journals: one with as many records as half of all have at most, and the one with the most. */
static int journals(char **argv)
{
	struct reading x = {.journals = 1000000};
	uint32_t *by_count, n = 0, middle = 0;
	int rc;

	x.seen = calloc(x.journals, sizeof(*x.seen));
	by_count = calloc(x.journals, sizeof(*by_count));
	rc = x.seen && by_count ? read_log(argv[0], 2, NULL, &x) : -ENOMEM;
	for (uint32_t i = 1; !rc && i < x.journals; i++) {
		if (x.seen[i])
			by_count[n++] = x.seen[i];
	}
	if (!rc && !n)
		rc = -ENOENT;
	if (!rc) {
		qsort(by_count, n, sizeof(*by_count), by_number);
		for (middle = 1; x.seen[middle] != by_count[n / 2];)
			middle++;
		printf("%u %u %s\n", middle, x.best, x.name);
	}
	free(x.seen);
	free(by_count);
	return rc ? fail("journals", rc) : EXIT_SUCCESS;
}

/* ---- verify ---- */

static void finding(void *ctx, const struct fs_log_finding *f)
{
	(void)ctx;
	if (f->kind < FS_LOG_NOTES)
		fprintf(stderr, "%s: record %llu: %s\n", fs_log_finding_text(f->kind),
			(unsigned long long)f->seq, f->text);
}

static int verify(char **argv)
{
	struct fs_log_source source;
	struct fs_log_verifying q = {.source = &source, .finding = finding};
	struct fs_log_verified v;
	double took;
	int rc = fs_log_source_dir(argv[0], &source);

	q.threads = (unsigned)atoi(argv[1]);
	if (rc)
		return fail("verify", rc);
	took = now(CLOCK_MONOTONIC);
	rc = fs_log_verify(&q, &v);
	took = now(CLOCK_MONOTONIC) - took;
	fs_log_source_close(&source);
	if (rc || v.alarms)
		return fail("verify", rc ? rc : EBADMSG);
	printf("%.0f MB/s verified, %llu records, %llu checkpoints, %.1f s (%.1f s CPU), %.0f MiB "
	       "peak\n",
	       (double)v.bytes / 1e6 / took, (unsigned long long)v.records,
	       (unsigned long long)v.checkpoints, took, cpu_s(), peak_mib(RUSAGE_SELF));
	return EXIT_SUCCESS;
}

static int run(char **argv)
{
	double took = now(CLOCK_MONOTONIC);
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return fail(argv[0], errno);
	fprintf(stderr, "%.3f s, %.0f MiB peak%s\n", now(CLOCK_MONOTONIC) - took,
		peak_mib(RUSAGE_CHILDREN), status ? ", FAILED" : "");
	return status ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		int (*fn)(char **argv);
	} table[] = {{"fill", 5, fill},		{"policies", 3, policies}, {"append", 2, append},
		     {"read", 2, read_all},	{"verify", 2, verify},	   {"patient", 2, patient},
		     {"journals", 1, journals}, {"run", -1, run}};

	if (keys_init())
		return EXIT_FAILURE;
	for (size_t i = 0; argc > 2 && i < sizeof(table) / sizeof(table[0]); i++) {
		if (!strcmp(argv[1], table[i].name) &&
		    (table[i].args < 0 || argc == table[i].args + 2))
			return table[i].fn(argv + 2);
	}
	fputs("usage: see the head of tests/bench/log.c\n", stderr);
	return 2;
}
