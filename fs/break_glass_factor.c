/* SPDX-License-Identifier: Apache-2.0 */
/* fs/break_glass_factor.c - until a second factor can be enrolled, none is. */
#include "vault_impl.h"

int fs_factor_prove(struct fs_vault *v, struct fs_session *s, const struct fs_proof *p,
		    uint32_t fresh_s, struct fs_say *say)
{
	(void)v;
	(void)s;
	(void)p;
	(void)fresh_s;
	(void)say;
	return 0;
}

void fs_factor_wanted(struct fs_vault *v, struct fs_session *s, uint32_t fresh_s, bool *wanted,
		      bool *key_file)
{
	(void)v;
	(void)s;
	(void)fresh_s;
	*wanted = *key_file = false;
}
