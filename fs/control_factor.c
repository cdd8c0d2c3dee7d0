/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_factor.c - verbs about passphrases and second factors.
 *
 * Each is one request that proves itself: nothing is kept between two of them, and
 * but for passwd none needs a session. Implements fs/FORMAT.md, "Control socket".
 */
#include <errno.h>
#include <string.h>

#include "control_impl.h"

struct keys_stretch_cost fs_control_cost(const struct fs_control_request *rq)
{
	return (struct keys_stretch_cost){
		.passes = (uint32_t)fs_control_int(rq, "passes"),
		.memory_kib = (uint32_t)fs_control_int(rq, "memory_kib"),
	};
}

const char *fs_control_factor_text(enum fs_factor_kind kind)
{
	static const char *const names[] = {"none", "totp", "key-file"};

	return names[kind];
}

struct fs_login fs_control_credentials(struct fs_control_request *rq, size_t at, size_t keyfile)
{
	return (struct fs_login){
		.uid = rq->conn->uid,
		.pid = rq->conn->pid,
		.who = fs_control_text(rq, "who"),
		.origin = fs_control_text(rq, "origin"),
		.stretched = rq->m.blob,
		.keyfile = {rq->m.blob + at, keyfile},
		.code = fs_control_text(rq, "code"),
	};
}

/* passphrase | salt, the next one | key file? | the next one stretched with `olds` salts */
static int parse_next(struct fs_control_request *rq, struct fs_login *in,
		      struct fs_passphrase *next, struct keys_stretch_cost *cost)
{
	const size_t head = 2 * KEYS_LEN + KEYS_SALT_LEN;
	size_t olds = (size_t)fs_control_int(rq, "olds"), len = rq->m.blob_len;
	size_t all = head + olds * KEYS_LEN, keyfile = len > all ? KEYS_LEN : 0;

	if (len != all + keyfile) {
		fs_say(&rq->say, "the new passphrase did not come as this daemon expects it; is it "
				 "older or newer than the command?");
		return -EINVAL;
	}
	*in = fs_control_credentials(rq, head, keyfile);
	*cost = fs_control_cost(rq);
	*next = (struct fs_passphrase){
		.salt = rq->m.blob + KEYS_LEN,
		.stretched = rq->m.blob + KEYS_LEN + KEYS_SALT_LEN,
		.cost = cost,
		.keyfile = in->keyfile,
		.olds = rq->m.blob + head + keyfile,
		.n_olds = olds,
	};
	return 0;
}

int fs_control_credentials_renew(struct fs_control_request *rq, struct fs_login *in,
				 struct fs_passphrase *next, struct keys_stretch_cost *cost)
{
	int rc;

	if (fs_control_true(rq, "renew")) {
		rc = parse_next(rq, in, next, cost);
		if (!rc)
			in->renew = next;
		return rc;
	}
	if (rq->m.blob_len != KEYS_LEN && rq->m.blob_len != 2 * KEYS_LEN) {
		fs_say(&rq->say, "`login` came with %zu bytes of secrets, which is not its length",
		       rq->m.blob_len);
		return -EINVAL;
	}
	*in = fs_control_credentials(rq, KEYS_LEN, rq->m.blob_len - KEYS_LEN);
	return 0;
}

int fs_control_verb_passwd(struct fs_control_request *rq)
{
	struct keys_stretch_cost cost;
	struct fs_passphrase next;
	struct fs_login old;
	int rc = parse_next(rq, &old, &next, &cost);

	if (rc)
		return rc;
	old.who = rq->session->who;
	old.origin = rq->session->origin;
	return fs_vault_passwd(rq->c->vault, rq->session, &old, &next, &rq->say);
}

static int not_yours(struct fs_control_request *rq)
{
	fs_say(&rq->say, "your account has no identity of that name here");
	return -EPERM;
}

int fs_control_verb_passphrases(struct fs_control_request *rq)
{
	struct fs_passphrase_salt salt[FS_PASSPHRASES_MAX];
	json_t *costs = json_array();
	size_t n = 0;
	int rc;

	if (!costs || json_object_set_new(rq->answer, "costs", costs))
		return -ENOMEM;
	rc = fs_vault_passphrases(rq->c->vault, rq->conn->uid, fs_control_text(rq, "who"), salt,
				  &n);
	if (rc)
		return rc == -EPERM ? not_yours(rq) : rc;
	for (size_t i = 0; i < n; i++) {
		uint8_t *at = fs_control_blob(rq, KEYS_SALT_LEN);

		if (!at || json_array_append_new(
				   costs, json_pack("[I, I]", (json_int_t)salt[i].cost.passes,
						    (json_int_t)salt[i].cost.memory_kib)))
			return -ENOMEM;
		memcpy(at, salt[i].salt, KEYS_SALT_LEN);
	}
	return 0;
}

int fs_control_verb_factor_status(struct fs_control_request *rq)
{
	struct fs_factor_status st;
	int rc = fs_vault_factor_status(rq->c->vault, rq->conn->uid, fs_control_text(rq, "who"),
					&st);

	if (rc)
		return rc == -EPERM ? not_yours(rq) : rc;
	return json_object_set_new(rq->answer, "factor",
				   json_string(fs_control_factor_text(st.kind))) ||
			       json_object_set_new(rq->answer, "since_s",
						   json_integer((json_int_t)st.since_s)) ||
			       json_object_set_new(rq->answer, "codes_left",
						   json_integer(st.codes_left))
		       ? -ENOMEM
		       : 0;
}

#define CODES_LEN ((size_t)KEYS_FACTOR_CODES * KEYS_FACTOR_CODE_LEN)

int fs_control_verb_factor_enroll(struct fs_control_request *rq)
{
	const size_t head = KEYS_LEN + KEYS_TOTP_SECRET_LEN + CODES_LEN;
	struct fs_login in = fs_control_credentials(rq, head, rq->m.blob_len - head);
	const struct fs_factor_new next = {
		.secret = rq->m.blob + KEYS_LEN,
		.codes = rq->m.blob + KEYS_LEN + KEYS_TOTP_SECRET_LEN,
		.code = fs_control_text(rq, "new_code"),
	};

	return fs_vault_factor_enroll(rq->c->vault, &in, &next, &rq->say);
}

int fs_control_verb_factor_codes(struct fs_control_request *rq)
{
	const size_t head = KEYS_LEN + CODES_LEN;
	struct fs_login in = fs_control_credentials(rq, head, rq->m.blob_len - head);

	return fs_vault_factor_codes(rq->c->vault, &in, rq->m.blob + KEYS_LEN, &rq->say);
}

int fs_control_verb_factor_remove(struct fs_control_request *rq)
{
	struct fs_login in = fs_control_credentials(rq, KEYS_LEN, rq->m.blob_len - KEYS_LEN);

	return fs_vault_factor_remove(rq->c->vault, &in, &rq->say);
}
