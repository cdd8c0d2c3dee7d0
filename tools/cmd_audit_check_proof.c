/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/cmd_audit_check_proof.c - audit check-proof: a proof against nothing but files.
 *
 * A proof is worth what its checkpoint is: it must be signed by the key of --key, or be the one
 * that
 * --from holds, which somebody kept. That a log continues a kept checkpoint needs both: the kept
 * one, and the key for the newer.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../keys/merkle.h"
#include "../keys/proof.h"
#include "audit_whole.h"
#include "cmd_audit.h"
#include "when.h"

#define PROOF_MAX (64u << 10)
#define RECORD_MAX (1u << 20)

struct checking {
	const struct tool_options *o;
	struct keys_proof proof;
	char checkpoint[KEYS_CHECKPOINT_MAX];
	struct keys_signed_note note;
	struct keys_checkpoint c, kept;
	bool have_kept;
};

/* The verifier key that is given, or that stands alone in a file. */
static int read_vkey(const char *arg, char name[static KEYS_CHECKPOINT_NAME],
		     uint8_t pk[static KEYS_LEN])
{
	char *text;
	size_t len = 0;
	int rc;

	if (!keys_note_vkey_parse(arg, name, pk))
		return TOOL_OK;
	if (strchr(arg, '+') && access(arg, F_OK))
		return tools_usage(
			"--key takes the line that `audit anchor` prints for a witness, or a "
			"file with it");
	text = tools_audit_text_file(arg, KEYS_CHECKPOINT_MAX, &len);
	if (!text)
		return TOOL_FAILED;
	text[strcspn(text, "\r\n")] = '\0';
	rc = keys_note_vkey_parse(text, name, pk);
	free(text);
	return rc ? tools_fail("%s holds no verifier key (NAME+ID+KEY)", arg) : TOOL_OK;
}

static int check_signature(const struct checking *k)
{
	char name[KEYS_CHECKPOINT_NAME];
	uint8_t pk[KEYS_LEN];
	int rc = read_vkey(k->o->key, name, pk);

	if (rc)
		return rc;
	rc = keys_signed_note_verify(&k->note, name, pk);
	if (rc)
		return tools_fail("the proof's checkpoint is not signed by %s: it proves nothing",
				  name);
	printf("The checkpoint is signed by %s.\n", name);
	return TOOL_OK;
}

static int read_kept(struct checking *k)
{
	size_t len = 0;
	char *text;
	int rc;

	if (!k->o->from)
		return TOOL_OK;
	text = tools_audit_text_file(k->o->from, KEYS_CHECKPOINT_MAX - 1, &len);
	rc = text ? tools_audit_checkpoint(k->o->from, text, len, &k->kept) : TOOL_FAILED;
	free(text);
	k->have_kept = !rc;
	if (!rc && memcmp(k->kept.vault, k->c.vault, KEYS_VAULT_ID_LEN))
		rc = tools_fail("%s is of another vault than the proof", k->o->from);
	return rc;
}

static int read_proof(struct checking *k, const char *path, char **text)
{
	size_t len = 0;

	*text = tools_audit_text_file(path, PROOF_MAX, &len);
	if (!*text)
		return TOOL_FAILED;
	if (keys_proof_parse(*text, len, &k->proof) ||
	    k->proof.checkpoint_len >= sizeof(k->checkpoint))
		return tools_fail("%s is no proof (`journalfs audit prove` writes one)", path);
	memcpy(k->checkpoint, k->proof.checkpoint, k->proof.checkpoint_len);
	k->checkpoint[k->proof.checkpoint_len] = '\0';
	if (keys_signed_note_parse(k->checkpoint, k->proof.checkpoint_len, &k->note) ||
	    keys_checkpoint_read(&k->note, &k->c))
		return tools_fail("%s ends with no checkpoint of journalfs", path);
	return TOOL_OK;
}

/* ---- inclusion ---- */

static int read_leaf(const char *proof, const char *record, uint8_t leaf[static KEYS_LEN])
{
	char beside[PATH_MAX + 16];
	size_t len = 0;
	char *bytes;

	if (!record) {
		snprintf(beside, sizeof(beside), "%s.record", proof);
		record = beside;
	}
	bytes = tools_audit_text_file(record, RECORD_MAX, &len);
	if (!bytes)
		return TOOL_FAILED;
	keys_tree_leaf(bytes, len, leaf);
	free(bytes);
	return TOOL_OK;
}

static int check_inclusion(const struct checking *k, const char *path, const char *record)
{
	uint8_t leaf[KEYS_LEN];
	char when[32];

	if (k->have_kept &&
	    (k->kept.size != k->c.size || memcmp(k->kept.root, k->c.root, KEYS_LEN)))
		return tools_fail("the proof's checkpoint (%" PRIu64
				  " records) is not the one in %s (%" PRIu64 " records)",
				  k->c.size, k->o->from, k->kept.size);
	if (read_leaf(path, record, leaf))
		return TOOL_FAILED;
	if (keys_tree_check_inclusion(leaf, k->proof.number, k->c.size,
				      (const uint8_t *)k->proof.hash, k->proof.count, k->c.root))
		return tools_fail("the proof does not hold: these bytes are not record %" PRIu64
				  " of that log",
				  k->proof.number + 1);
	printf("These bytes are record %" PRIu64 " of the %" PRIu64
	       " that the checkpoint of %s covers.\n",
	       k->proof.number + 1, k->c.size, tools_when_text((int64_t)k->c.time_s, when));
	return TOOL_OK;
}

/* ---- consistency ---- */

static int check_consistency(const struct checking *k)
{
	if (k->kept.size != k->proof.number)
		return tools_fail("the proof is from a checkpoint over %" PRIu64
				  " records, and %s is over "
				  "%" PRIu64,
				  k->proof.number, k->o->from, k->kept.size);
	if (keys_tree_check_consistency(k->kept.size, k->kept.root, k->c.size, k->c.root,
					(const uint8_t *)k->proof.hash, k->proof.count))
		return tools_fail(
			"the proof does not hold: the newer log is not a continuation of %s",
			k->o->from);
	printf("The log of %" PRIu64 " records continues the one of %" PRIu64 " in %s unchanged.\n",
	       k->c.size, k->kept.size, k->o->from);
	return TOOL_OK;
}

static int check(struct checking *k, const char *path, const char *record)
{
	int rc = read_kept(k);

	if (rc)
		return rc;
	if (k->proof.consistency && (!k->o->from || !k->o->key))
		return tools_usage(
			"this proof says that a log continues a kept checkpoint: name that one "
			"with --from FILE, and the key of the newer with --key VKEY");
	if (!k->o->from && !k->o->key)
		return tools_usage(
			"a proof is worth what its checkpoint is: --key VKEY (the line that "
			"`audit anchor` prints for a witness), or --from FILE with that "
			"checkpoint as it was kept");
	if (k->o->key)
		rc = check_signature(k);
	if (!rc)
		rc = k->proof.consistency ? check_consistency(k) : check_inclusion(k, path, record);
	if (!rc && fflush(stdout))
		rc = tools_fail("the output could not be written");
	return rc;
}

int tools_cmd_audit_check_proof(struct tool_options *o, int argc, char **argv)
{
	struct checking k = {.o = o};
	char *text = NULL;
	int rc = read_proof(&k, argv[1], &text);

	if (!rc)
		rc = check(&k, argv[1], argc > 2 ? argv[2] : NULL);
	free(text);
	return rc;
}
