/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy/record_fhir.h - a record as one AuditEvent of HL7 FHIR R4 (4.0.1), in JSON (FORMAT.md,
 * FHIR).
 */
#ifndef POLICY_RECORD_FHIR_H
#define POLICY_RECORD_FHIR_H

#include "record.h"

/*
 * One JSON object without newline; returns the length needed, like snprintf. vault: the vault's
 * id, which tells the source apart; NULL or zeros: not known. Every kind has its codes; a kind that
 * is not known is an application activity.
 */
size_t policy_record_fhir(const struct policy_record *r, const uint8_t *vault, char *out,
			  size_t cap);
/* "urn:uuid:...": the same for the same record, another for each other record of a vault. */
void policy_record_fhir_url(const struct policy_record *r, char out[static 48]);

#endif
