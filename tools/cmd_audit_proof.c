/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_proof.c - audit prove: that records are in the log, or that the log continues a
 * kept checkpoint, as text that is checked elsewhere (cmd_audit_check_proof.c).
 *
 * Beside a proof of inclusion, FILE.record holds the record's stored bytes: sealed, so that giving
 * them away tells nobody what they say, and the leaf that the proof is about.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../keys/merkle.h"
#include "../keys/proof.h"
#include "audit_whole.h"
#include "cmd_audit.h"
#include "new_file.h"

#define PROVE_MAX 1000

struct proving {
	const struct tool_options *o;
	const struct fs_log_source *source;
	const char *checkpoint;
	bool dir; /* o->to is one */
	size_t n;
};

static int write_file(const char *path, const void *p, size_t len)
{
	struct tools_new_file f = {0};

	if (tools_new_file_open(&f, path))
		return TOOL_FAILED;
	fwrite(p, 1, len, f.to);
	return tools_new_file_commit(&f);
}

static int say_rc(int rc)
{
	if (rc == -ENOENT)
		return tools_fail(
			"no proof: a record is not there, or no checkpoint covers it yet");
	if (rc == -EBADMSG)
		return tools_fail(
			"no proof: the stored records do not give the checkpoint's root; see "
			"`journalfs audit verify`");
	return tools_fail("no proof: %s", strerror(-rc));
}

/* ---- inclusion ---- */

static int proof_path(const struct proving *p, uint64_t seq, char *out, size_t cap)
{
	int n = p->dir ? snprintf(out, cap, "%s/%" PRIu64 ".tlog-proof", p->o->to, seq)
		       : snprintf(out, cap, "%s", p->o->to);

	return n < 0 || (size_t)n >= cap ? tools_fail("%s is too long a name", p->o->to) : TOOL_OK;
}

static int write_record(const struct proving *p, uint64_t seq, const uint8_t *leaf,
			const char *path)
{
	uint8_t *bytes = NULL, hash[KEYS_LEN];
	char record[PATH_MAX + 16];
	size_t len = 0;
	int rc = fs_log_record_bytes(p->source, seq, &bytes, &len);

	if (rc)
		return say_rc(rc);
	keys_tree_leaf(bytes, len, hash);
	snprintf(record, sizeof(record), "%s.record", path);
	rc = memcmp(hash, leaf, KEYS_LEN) ? say_rc(-EBADMSG) : write_file(record, bytes, len);
	free(bytes);
	return rc;
}

static int give_proof(void *ctx, uint64_t seq, const uint8_t leaf[static KEYS_LEN],
		      const uint8_t *proof, size_t count)
{
	struct proving *p = ctx;
	char *text = keys_proof_inclusion_text(seq - 1, proof, count, p->checkpoint);
	char path[PATH_MAX];
	int rc;

	if (!text)
		return tools_fail("out of memory");
	if (!p->o->to) {
		fputs(text, stdout);
		free(text);
		return TOOL_OK;
	}
	rc = proof_path(p, seq, path, sizeof(path));
	if (!rc)
		rc = write_file(path, text, strlen(text));
	free(text);
	if (!rc)
		rc = write_record(p, seq, leaf, path);
	if (!rc)
		printf("%s proves record %" PRIu64 "; its sealed bytes are in %s.record\n", path,
		       seq, path);
	return rc;
}

static int numbers(int argc, char **argv, uint64_t *seqs)
{
	for (int i = 1; i < argc; i++) {
		char *end;

		errno = 0;
		seqs[i - 1] = strtoull(argv[i], &end, 10);
		if (errno || *end || !*argv[i] || argv[i][0] == '-' || !seqs[i - 1])
			return tools_usage("%s is no record's number (`audit show` prints them)",
					   argv[i]);
	}
	return TOOL_OK;
}

static int is_dir(const char *path)
{
	struct stat st;

	return path && !stat(path, &st) && S_ISDIR(st.st_mode);
}

static int prove_records(struct proving *p, const struct keys_checkpoint *c, const uint64_t *seqs)
{
	int rc = fs_log_prove(p->source, c, seqs, p->n, give_proof, p);

	return rc < 0 ? say_rc(rc) : rc;
}

/* ---- consistency ---- */

static int prove_from(struct proving *p, const struct keys_checkpoint *c)
{
	uint8_t proof[2 * KEYS_TREE_LEVELS * KEYS_LEN];
	struct keys_checkpoint old;
	size_t len = 0, count = 0;
	char *kept = tools_audit_text_file(p->o->from, KEYS_CHECKPOINT_MAX - 1, &len), *text;
	int rc = kept ? tools_audit_checkpoint(p->o->from, kept, len, &old) : TOOL_FAILED;

	free(kept);
	if (rc)
		return rc;
	if (old.size > c->size)
		return tools_fail("%s covers %" PRIu64
				  " records, the log's newest checkpoint %" PRIu64
				  ": the log was rolled back, or the checkpoint is of another",
				  p->o->from, old.size, c->size);
	rc = fs_log_prove_consistency(p->source, old.size, c, proof, &count);
	if (rc)
		return say_rc(rc);
	if (keys_tree_check_consistency(old.size, old.root, c->size, c->root, proof, count))
		return tools_fail("the log does not continue %s: its first %" PRIu64
				  " records are other ones",
				  p->o->from, old.size);
	text = keys_proof_consistency_text(old.size, proof, count, p->checkpoint);
	if (!text)
		return tools_fail("out of memory");
	if (p->o->to)
		rc = write_file(p->o->to, text, strlen(text));
	else
		fputs(text, stdout);
	free(text);
	if (!rc && p->o->to)
		printf("%s proves that the log continues %s\n", p->o->to, p->o->from);
	return rc;
}

/* ---- the command ---- */

static int prove(struct tool_options *o, struct audit_source *s, const uint64_t *seqs, size_t n)
{
	struct audit_whole w = {0};
	struct tool_options plain = *o;
	struct keys_checkpoint c;
	struct proving p = {.o = o, .dir = is_dir(o->to), .n = n};
	int rc;

	plain.from_count = 0; /* what it proves against is no condition here */
	rc = tools_audit_whole(s, &plain, &w);
	if (!rc && !w.v.checkpoint[0])
		rc = tools_fail("there is no checkpoint yet to prove against");
	if (!rc && w.v.alarms)
		fputs("journalfs: the access log is not whole (`journalfs audit verify`)\n",
		      stderr);
	p.source = tools_audit_segments(s);
	p.checkpoint = w.v.checkpoint;
	if (!rc)
		rc = tools_audit_checkpoint("the newest checkpoint", w.v.checkpoint,
					    strlen(w.v.checkpoint), &c);
	if (!rc)
		rc = o->from ? prove_from(&p, &c) : prove_records(&p, &c, seqs);
	if (!rc && fflush(stdout))
		rc = tools_fail("the output could not be written");
	tools_audit_whole_clear(&w);
	return rc;
}

int tools_cmd_audit_prove(struct tool_options *o, int argc, char **argv)
{
	uint64_t seqs[PROVE_MAX];
	struct audit_source *s;
	int rc;

	if ((argc > 1) == (o->from != NULL))
		return tools_usage(
			"`audit prove` takes numbers of records, or --from CHECKPOINT-FILE");
	if (argc - 1 > PROVE_MAX)
		return tools_usage("at most %d records at once", PROVE_MAX);
	if (argc > 2 && !is_dir(o->to))
		return tools_usage("several proofs go into a directory: --to DIR");
	rc = numbers(argc, argv, seqs);
	if (rc)
		return rc;
	s = tools_audit_open(o);
	if (!s)
		return TOOL_FAILED;
	rc = prove(o, s, seqs, (size_t)argc - 1);
	tools_audit_close(s);
	return rc;
}
