/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/commit_carry.c - how the contents that a commit wrote into containers become durable.
 *
 * Little is carried in the commit's own record, which is one synced write for all; more is
 * synced here, container by container, and the commit then goes straight into the database:
 * else a replay could put older bytes over units that were synced later.
 *
 * Committer only; no locks.
 */
#include <errno.h>
#include <stdlib.h>

#include "commit_impl.h"

/* The bytes and pieces that all containers of the commit kept; false: some kept none. */
static bool measure(const struct fs_commit *c, size_t *bytes, size_t *pieces)
{
	const struct fs_container_piece *p;
	bool whole = true;

	*bytes = *pieces = 0;
	for (size_t i = 0; i < c->n_touched; i++) {
		if (!c->touched[i].units || !c->touched[i].j->container)
			continue;
		/* One whose descriptor was needed elsewhere is synced already. */
		whole &= fs_container_pieces(c->touched[i].j->container, &p) &&
			 fs_container_fd(c->touched[i].j->container) >= 0;
		for (; p; p = p->next) {
			*bytes += p->len;
			++*pieces;
		}
	}
	return whole;
}

static int sync_all(struct fs_commit *c)
{
	int rc = 0;

	for (size_t i = 0; i < c->n_touched && !rc; i++) {
		if (c->touched[i].units && c->touched[i].j->container)
			rc = fs_container_sync(c->touched[i].j->container);
	}
	c->direct = true;
	return rc;
}

static void add_pieces(struct fs_commit *c, struct fs_journal *j)
{
	const struct fs_container_piece *p;
	int fd = fs_container_fd(j->container);

	(void)fs_container_pieces(j->container, &p);
	for (; p; p = p->next)
		c->writes[c->n_writes++] = (struct fs_store_write){j->index, fd, p->at, p->data, p->len};
}

int fs_commit_carry(struct fs_commit *c)
{
	size_t bytes, pieces;
	bool whole = measure(c, &bytes, &pieces);

	if (whole && !pieces)
		return 0;
	if (!whole || !fs_store_carries(c->r->store, bytes))
		return sync_all(c);
	c->writes = calloc(pieces, sizeof(*c->writes));
	if (!c->writes)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_touched; i++) {
		if (c->touched[i].units && c->touched[i].j->container)
			add_pieces(c, c->touched[i].j);
	}
	return 0;
}
