/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fault/model.h - a small vault without keys: store, group and one container.
 *
 * Every operation carries a stamp, 1, 2, 3 ... and rewrites all records with it, one chunk out of
 * MODEL_CHUNKS, and moves one record. So one look at what is on disk tells which operation it is
 * the state of, and whether it is all of it: nothing half present, no unit free and in use.
 */
#ifndef TESTS_FAULT_MODEL_H
#define TESTS_FAULT_MODEL_H

#include "fs/container.h"
#include "fs/group.h"

#define MODEL_RECORDS 24
#define MODEL_CHUNKS 5
#define MODEL_UNITS 3
/* Room for a few operations: areas change, and the database has to be waited for. */
#define MODEL_REDO_BYTES (384u << 10)

struct model;

/* dir: an empty or former directory of a model. */
int model_open(const char *dir, struct model **out);
/* The result of the last commit. */
int model_close(struct model *m);
struct fs_group *model_group(struct model *m);
struct fs_store *model_store(struct model *m);
/* Applies operation `stamp`; not durable before fs_group_sync. */
int model_apply(struct model *m, uint32_t stamp);

/* The records of operation `stamp` alone, for a store without a group: n of them, sorted. */
size_t model_items(uint32_t stamp, struct fs_store_item **items);
void model_items_free(struct fs_store_item *items, size_t n);
/* The stamp that all records carry; fails the test when they differ. */
uint32_t model_verify_records(struct fs_store *store);

/* Opens what is in dir, checks structure, records, chunks and bitmap; fails the test when anything
 * is wrong, else the stamp (0: empty). */
uint32_t model_verify(const char *dir);

/* A temporary directory, and its removal. */
void model_dir_make(char path[static 64]);
void model_dir_remove(const char *path);

#endif
