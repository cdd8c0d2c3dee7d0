/* SPDX-License-Identifier: Apache-2.0 */
/* fs/notice.c - notices of emergency accesses that wait to be delivered. */
#include "vault_impl.h"

void fs_notice_put(struct fs_vault *v, const struct fs_grant *g, const char *event,
		  const char *reason, const char *journal_name)
{
	(void)v;
	(void)g;
	(void)event;
	(void)reason;
	(void)journal_name;
}
