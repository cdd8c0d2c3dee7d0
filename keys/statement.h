/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/statement.h - signed, chained statements.
 *
 * A statement is a body of bytes with a kind, a number, the hash of the one
 * before it in its chain, a signer and a time. Policy versions, invitations and
 * key lists are statements. Signer 0 is the vault's root key (only at init and
 * recovery). Format: keys/FORMAT.md, "Statement".
 */
#ifndef KEYS_STATEMENT_H
#define KEYS_STATEMENT_H

#include "label.h"

enum keys_statement_kind {
	KEYS_STATEMENT_POLICY = 1,
	KEYS_STATEMENT_INVITE = 2,
	KEYS_STATEMENT_KEY_LIST = 3,
	KEYS_STATEMENT_ACCEPT = 4, /* acceptance of a restored or recovered vault */
	KEYS_STATEMENT_PROPOSAL = 5, /* waits for a second steward; in no chain */
};

struct keys_statement {
	uint8_t kind;
	uint8_t vault[KEYS_VAULT_ID_LEN];
	uint32_t number;	 /* 1, 2, ... within its chain */
	uint8_t prev[KEYS_LEN];	 /* hash of number - 1; zero for 1 */
	uint32_t signer;	 /* pid, 0 = root */
	uint32_t enrolment;	 /* of the signer, 0 for root */
	uint64_t time_s;
	struct keys_span body;	 /* points into the decoded bytes, or the caller's */
	uint8_t sig[KEYS_SIG_LEN];
};

#define KEYS_STATEMENT_OVERHEAD 160 /* encoded length <= body.len + this */

void keys_statement_sign(struct keys_statement *st, const uint8_t sk[static KEYS_SIGN_SK_LEN]);
int keys_statement_verify(const struct keys_statement *st, const uint8_t pk[static KEYS_LEN]);
void keys_statement_hash(const struct keys_statement *st, uint8_t out[static KEYS_LEN]);
int keys_statement_encode(const struct keys_statement *st, uint8_t *out, size_t cap, size_t *len);
/* body points into p. -EBADMSG. */
int keys_statement_decode(const uint8_t *p, size_t len, struct keys_statement *st);

/* The body of a key list: whose keys read the log, recover, review. */
enum keys_list_kind { KEYS_LIST_RECOVERY = 1, KEYS_LIST_AUDITOR = 2, KEYS_LIST_REVIEWER = 3, KEYS_LIST_BREAK_GLASS = 4 };
struct keys_list_entry {
	uint8_t kind;
	uint32_t pid; /* 0 for recovery and break-glass */
	uint8_t box_pk[KEYS_LEN];
};
#define KEYS_LIST_MAX 256
int keys_list_encode(const struct keys_list_entry *e, size_t n, uint8_t *out, size_t cap, size_t *len);
/* At most cap entries; *n receives the count. -EBADMSG, -ENOSPC. */
int keys_list_decode(const uint8_t *p, size_t len, struct keys_list_entry *e, size_t cap, size_t *n);

#endif
