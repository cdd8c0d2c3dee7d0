/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_basic.c - what verbs read of a request and write into its answer; and the verbs of the first
 * contact: hello, salt, enroll, invite.
 *
 * Owns nothing. A request is its job's alone: no locks. Implements fs/FORMAT.md, "Control socket".
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "../keys/slab.h"
#include "control_impl.h"

/* ---- what verbs read and write ---- */

const char *fs_control_text(const struct fs_control_request *rq, const char *name)
{
	const char *text = json_string_value(json_object_get(rq->m.json, name));

	return text ? text : "";
}

int64_t fs_control_int(const struct fs_control_request *rq, const char *name)
{
	return json_integer_value(json_object_get(rq->m.json, name));
}

bool fs_control_true(const struct fs_control_request *rq, const char *name)
{
	return json_is_true(json_object_get(rq->m.json, name));
}

uint8_t *fs_control_blob(struct fs_control_request *rq, size_t len)
{
	uint8_t *at;

	if (!rq->blob)
		rq->blob = keys_guard_new(FS_WIRE_BLOB_MAX);
	if (!rq->blob || len > FS_WIRE_BLOB_MAX - rq->blob_len)
		return NULL;
	at = rq->blob + rq->blob_len;
	rq->blob_len += len;
	return at;
}

json_t *fs_control_json_text(const char *text, size_t len)
{
	json_t *json = json_stringn(text, len);
	char *escaped;
	size_t n = 0;

	if (json)
		return json;
	escaped = malloc(4 * len + 1);
	if (!escaped)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte >= 0x20 && byte < 0x7f)
			escaped[n++] = (char)byte;
		else
			n += (size_t)snprintf(escaped + n, 5, "\\x%02x", byte);
	}
	json = json_stringn(escaped, n);
	free(escaped);
	return json;
}

/* ---- small verbs ---- */

int fs_control_verb_hello(struct fs_control_request *rq)
{
	char id[2 * KEYS_VAULT_ID_LEN + 1];
	const uint8_t *vault = fs_vault_id(rq->c->vault);
	struct fs_vault_proof proof;
	uint8_t *at;

	fs_vault_prove(rq->c->vault, rq->m.blob, &proof);
	at = fs_control_blob(rq, sizeof(proof.header) + sizeof(proof.daemon_pk) +
					 sizeof(proof.cert) + sizeof(proof.answer));
	if (!at)
		return -ENOMEM;
	memcpy(at, proof.header, sizeof(proof.header));
	at += sizeof(proof.header);
	memcpy(at, proof.daemon_pk, sizeof(proof.daemon_pk));
	at += sizeof(proof.daemon_pk);
	memcpy(at, proof.cert, sizeof(proof.cert));
	at += sizeof(proof.cert);
	memcpy(at, proof.answer, sizeof(proof.answer));
	for (size_t i = 0; i < KEYS_VAULT_ID_LEN; i++)
		snprintf(id + 2 * i, 3, "%02x", vault[i]);
	if (json_object_set_new(rq->answer, "vault", json_string(id)) ||
	    json_object_set_new(rq->answer, "version", json_string(FS_CONTROL_VERSION)) ||
	    json_object_set_new(rq->answer, "alone", json_boolean(rq->c->alone)))
		return -ENOMEM;
	atomic_store(&rq->conn->greeted, true);
	return 0;
}

int fs_control_verb_salt(struct fs_control_request *rq)
{
	char who[KEYS_NAME_MAX + 1];
	struct keys_stretch_cost cost;
	uint8_t *salt = fs_control_blob(rq, KEYS_SALT_LEN);
	enum fs_factor_kind kind;
	int rc;

	if (!salt)
		return -ENOMEM;
	rc = fs_vault_salt(rq->c->vault, rq->conn->uid, fs_control_text(rq, "who"), salt, &cost,
			   who);
	if (!rc)
		rc = fs_vault_factor_of(rq->c->vault, rq->conn->uid, fs_control_text(rq, "who"),
					&kind);
	if (rc)
		return rc;
	return json_object_set_new(rq->answer, "who", json_string(who)) ||
			       json_object_set_new(rq->answer, "factor",
						   json_string(fs_control_factor_text(kind))) ||
			       json_object_set_new(rq->answer, "passes",
						   json_integer(cost.passes)) ||
			       json_object_set_new(rq->answer, "memory_kib",
						   json_integer(cost.memory_kib))
		       ? -ENOMEM
		       : 0;
}

/* The name of an account on this host, or "". */
static void account_of(uid_t uid, char out[static KEYS_NAME_MAX + 1])
{
	struct passwd pw, *found = NULL;
	char buf[16384];

	out[0] = '\0';
	if (!getpwuid_r(uid, &pw, buf, sizeof(buf), &found) && found &&
	    strlen(pw.pw_name) <= KEYS_NAME_MAX)
		strcpy(out, pw.pw_name);
}

int fs_control_verb_enroll(struct fs_control_request *rq)
{
	const uint8_t *blob = rq->m.blob, *salt = blob + KEYS_CODE_LEN;
	const uint8_t *stretched = salt + KEYS_SALT_LEN, *keyfile = stretched + KEYS_LEN;
	struct keys_stretch_cost cost = fs_control_cost(rq);
	char account[KEYS_NAME_MAX + 1], name[KEYS_NAME_MAX + 1];
	struct fs_enroll in = {
		.uid = rq->conn->uid,
		.pid = rq->conn->pid,
		.account = account,
		.origin = fs_control_text(rq, "origin"),
		.code = blob,
		.salt = salt,
		.cost = &cost,
		.stretched = stretched,
		.keyfile = {keyfile, rq->m.blob_len - (size_t)(keyfile - blob)},
	};
	int rc;

	account_of(rq->conn->uid, account);
	if (!account[0]) {
		fs_say(&rq->say, "the daemon's host knows no account with number %u",
		       (unsigned)rq->conn->uid);
		return -EPERM;
	}
	rc = fs_vault_enroll(rq->c->vault, &in, name, &rq->say);
	if (!rc && json_object_set_new(rq->answer, "who", json_string(name)))
		rc = -ENOMEM;
	return rc;
}

int fs_control_verb_invite(struct fs_control_request *rq)
{
	int64_t days = fs_control_int(rq, "days");
	char code[KEYS_CODE_TEXT_MAX];
	uint8_t *at;
	int rc;

	rc = fs_vault_invite(rq->c->vault, rq->session, fs_control_text(rq, "name"),
			     fs_control_true(rq, "again"), days ? (uint32_t)days : 7, code,
			     &rq->say);
	if (rc)
		return rc;
	at = fs_control_blob(rq, strlen(code));
	if (at)
		memcpy(at, code, strlen(code));
	keys_wipe(code, sizeof(code));
	return at ? 0 : -ENOMEM;
}
