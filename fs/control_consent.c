/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/control_consent.c - verbs by which people answer for an act: attend; proposals, approve, reject.
 *
 * Rights are the vault's to judge.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../keys/slab.h"
#include "control_impl.h"

static uint32_t number_of(const struct fs_control_request *rq)
{
	return (uint32_t)fs_control_int(rq, "number");
}

/* Without a number all of them, a line each; with one what it would change. */
int fs_control_verb_proposals(struct fs_control_request *rq)
{
	uint32_t number = number_of(rq);
	char *text = NULL;
	int rc;

	if (number)
		rc = fs_vault_proposal_diff(rq->c->vault, rq->session, number, &text, &rq->say);
	else
		rc = fs_vault_proposals(rq->c->vault, rq->session, &text, &rq->say);
	if (!rc && json_object_set_new(rq->answer, "text",
				       fs_control_json_text(text, strlen(text))))
		rc = -ENOMEM;
	free(text);
	return rc;
}

int fs_control_verb_approve(struct fs_control_request *rq)
{
	char code[KEYS_CODE_TEXT_MAX];
	uint8_t *at = NULL;
	int rc;

	rc = fs_vault_proposal_approve(rq->c->vault, rq->session, number_of(rq), code, &rq->report,
				       &rq->say);
	if (!rc && code[0]) {
		at = fs_control_blob(rq, strlen(code));
		if (at)
			memcpy(at, code, strlen(code));
		rc = at ? 0 : -ENOMEM;
	}
	keys_wipe(code, sizeof(code));
	return rc;
}

int fs_control_verb_reject(struct fs_control_request *rq)
{
	return fs_vault_proposal_reject(rq->c->vault, rq->session, number_of(rq), &rq->say);
}

int fs_control_verb_attend(struct fs_control_request *rq)
{
	const struct fs_attend in = {
		.journal = fs_control_text(rq, "journal"),
		.reason = fs_control_text(rq, "reason"),
		.seconds = (uint32_t)fs_control_int(rq, "seconds"),
	};
	int64_t until_s = 0;
	int rc = fs_vault_attend(rq->c->vault, rq->session, &in, &until_s, &rq->say);

	if (!rc && (json_object_set_new(rq->answer, "until_s", json_integer(until_s)) ||
		    json_object_set_new(rq->answer, "notice", json_string(rq->say.text))))
		rc = -ENOMEM;
	return rc;
}
