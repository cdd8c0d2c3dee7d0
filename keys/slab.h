/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys/slab.h - guarded memory for long-lived secrets.
 *
 * One slab: memory between guard pages, locked against swap, excluded from core
 * dumps, cut into slots of one size. sodium_malloc pages are scarce (each costs
 * three pages of locked address space), so thousands of keys share one slab.
 * All calls are safe from any thread.
 */
#ifndef KEYS_SLAB_H
#define KEYS_SLAB_H

#include <stdbool.h>
#include "label.h"

struct keys_slab;

/* slot_len bytes a slot (rounded up to 16), count slots. -ENOMEM. */
int keys_slab_new(size_t slot_len, size_t count, struct keys_slab **out);

/* Wipes all slots. NULL is legal. */
void keys_slab_free(struct keys_slab *slab);

/* A zeroed slot, or NULL when all are in use. */
void *keys_slab_get(struct keys_slab *slab);

/* Wipes the slot and takes it back. NULL is legal. */
void keys_slab_put(struct keys_slab *slab, void *slot);

/* Whether mlock worked, for status and doctor. */
bool keys_slab_locked(const struct keys_slab *slab);

size_t keys_slab_used(const struct keys_slab *slab);

/* A single guarded, locked allocation (identity secrets); NULL when memory is short. */
void *keys_guard_new(size_t len);
void keys_guard_free(void *p);

#endif
