/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fault/model.c - see model.h. */
#include "model.h"

#include "fs/record.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define JOURNAL 1u
#define INO 7u
#define MOVED 1000u /* the record that moves lies at MOVED + stamp */
#define CHUNK_BYTES (MODEL_UNITS * FS_UNIT)

struct fs_journal {
	struct model *model;
};

struct place { /* a map record */
	uint64_t pos;
	uint32_t stamp, units;
};

struct model {
	struct fs_journal journal;
	struct fs_store *store;
	struct fs_container *container;
	struct fs_group *group;
	struct fs_reserve *reserve;
	int dirfd, containers;
	struct fs_store_item *items;
	size_t n;
	struct fs_store_write *writes;
	size_t n_writes;
	struct fs_redo_mark state, next; /* committed; of the closing group */
	atomic_ulong reserved; /* units, by apply */
	unsigned long taken;   /* of them by the closing group */
};

/* ---- directories ---- */

void model_dir_make(char path[static 64])
{
	strcpy(path, "/tmp/journalfs-fault-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void model_dir_remove(const char *path)
{
	ck_assert_int_eq(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- records ---- */

static struct fs_key piece(uint32_t n)
{
	return fs_key_n(JOURNAL, INO, FS_T_PIECE, n, 4);
}

/* Sizes differ, so that pages split and some values get pages of their own. */
static size_t size_of(uint32_t n, uint32_t stamp)
{
	return 4 + (n * 397 + stamp * 61) % 3600;
}

static uint8_t *value_of(uint32_t n, uint32_t stamp)
{
	size_t len = size_of(n, stamp);
	uint8_t *p = malloc(len);

	if (!p)
		ck_abort_msg("no memory");
	memset(p, (int)(stamp + n), len);
	memcpy(p, &stamp, 4);
	return p;
}

static void add_item(struct fs_store_item **items, size_t *n, const struct fs_key *key,
		     uint8_t *val, size_t len)
{
	*items = reallocarray(*items, *n + 1, sizeof(**items));
	if (!*items)
		ck_abort_msg("no memory");
	(*items)[(*n)++] = (struct fs_store_item){.key = *key, .val = val, .len = len};
}

size_t model_items(uint32_t stamp, struct fs_store_item **items)
{
	size_t n = 0;

	*items = NULL;
	for (uint32_t i = 0; i < MODEL_RECORDS; i++)
		add_item(items, &n, &(struct fs_key){0}, value_of(i, stamp), size_of(i, stamp));
	for (uint32_t i = 0; i < MODEL_RECORDS; i++)
		(*items)[i].key = piece(i);
	if (stamp > 1)
		add_item(items, &n, &(struct fs_key){0}, NULL, 0);
	(*items)[n - 1].key = stamp > 1 ? piece(MOVED + stamp - 1) : (*items)[n - 1].key;
	add_item(items, &n, &(struct fs_key){0}, value_of(MOVED, stamp), size_of(MOVED, stamp));
	(*items)[n - 1].key = piece(MOVED + stamp);
	return n;
}

void model_items_free(struct fs_store_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)items[i].val);
	free(items);
}

static bool read_one(struct fs_snap *snap, const struct fs_key *key, const uint8_t **val,
		     size_t *len)
{
	int rc = fs_store_get(snap, key, val, len);

	ck_assert_msg(rc == 0 || rc == -ENOENT, "a record cannot be read: %d", rc);
	return !rc;
}

static void expect_value(struct fs_snap *snap, uint32_t n, uint32_t at, uint32_t stamp)
{
	struct fs_key key = piece(at);
	uint8_t *want = value_of(n, stamp);
	const uint8_t *val;
	size_t len;

	ck_assert_msg(read_one(snap, &key, &val, &len), "record %u of %u is missing", at, stamp);
	ck_assert_uint_eq(len, size_of(n, stamp));
	ck_assert_mem_eq(val, want, len);
	free(want);
}

uint32_t model_verify_records(struct fs_store *store)
{
	struct fs_key key = piece(0), from = piece(MOVED), found;
	struct fs_snap *snap;
	const uint8_t *val;
	uint32_t stamp = 0;
	size_t len;

	ck_assert_int_eq(fs_store_snap_begin(store, &snap), 0);
	if (read_one(snap, &key, &val, &len)) {
		memcpy(&stamp, val, 4);
		for (uint32_t i = 0; i < MODEL_RECORDS; i++)
			expect_value(snap, i, i, stamp);
		expect_value(snap, MOVED, MOVED + stamp, stamp);
		/* Only one of those that move. */
		ck_assert_int_eq(fs_store_next(snap, &from, &found, &val, &len), 0);
		ck_assert_uint_eq(fs_key_sub(&found, 4), MOVED + stamp);
	} else {
		ck_assert_int_eq(fs_store_next(snap, &key, &found, &val, &len), -ENOENT);
	}
	fs_store_snap_end(snap);
	return stamp;
}

/* ---- chunks ---- */

static uint32_t chunk_stamp(uint32_t chunk, uint32_t stamp)
{
	uint32_t back = (stamp + MODEL_CHUNKS - chunk) % MODEL_CHUNKS;

	return stamp > back ? stamp - back : 0;
}

static int place_of(struct model *m, uint32_t chunk, struct place *out)
{
	struct fs_key key = fs_key_n(JOURNAL, INO, FS_T_MAP, chunk, 4);
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;
	int rc = fs_store_snap_begin(m->store, &snap);

	if (rc)
		return rc;
	rc = fs_store_get(snap, &key, &val, &len);
	if (!rc)
		memcpy(out, val, sizeof(*out));
	fs_store_snap_end(snap);
	return rc;
}

static int encode_chunk(struct model *m, const struct fs_group_entry *e)
{
	uint32_t chunk = (uint32_t)fs_key_sub(&e->key, 4);
	struct fs_key key = fs_key_n(JOURNAL, INO, FS_T_MAP, chunk, 4);
	struct iovec iov = {e->buf->data, CHUNK_BYTES};
	struct place old, *now;
	int rc;

	rc = place_of(m, chunk, &old);
	if (!rc)
		fs_container_free(m->container, old.pos, old.units);
	else if (rc != -ENOENT)
		return rc;
	now = calloc(1, sizeof(*now));
	if (!now)
		return -ENOMEM;
	add_item(&m->items, &m->n, &key, (uint8_t *)now, sizeof(*now));
	memcpy(&now->stamp, e->buf->data, 4);
	now->units = MODEL_UNITS;
	rc = fs_container_alloc(m->container, MODEL_UNITS, &now->pos);
	if (!rc)
		m->taken += MODEL_UNITS;
	return rc ? rc : fs_container_writev(m->container, now->pos, &iov, 1);
}

static int encode_free_page(void *ctx, uint32_t page, const uint8_t *bits, size_t len)
{
	struct model *m = ctx;
	struct fs_key key = fs_key_n(JOURNAL, 0, FS_T_FREE, page, 4);
	uint8_t *p = malloc(len);

	if (!p)
		return -ENOMEM;
	memcpy(p, bits, len);
	add_item(&m->items, &m->n, &key, p, len);
	return 0;
}

/* The state that this group leads to, as a record too: what an opener finds in the database. */
static int add_state(struct model *m)
{
	struct fs_key key = fs_key(0, 0, FS_T_VAULT_ROOT);
	struct fs_redo_mark *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	m->next.number = m->state.number + 1;
	keys_random(m->next.id, sizeof(m->next.id));
	*copy = m->next;
	add_item(&m->items, &m->n, &key, (uint8_t *)copy, sizeof(*copy));
	return 0;
}

/* Chunks ride along while the store takes them; else they are synced here. */
static int add_writes(struct model *m, struct fs_store_commit *out)
{
	const struct fs_container_piece *p, *first;
	size_t bytes = 0, n = 0;
	bool whole = fs_container_pieces(m->container, &first);

	for (p = first; p; p = p->next) {
		bytes += p->len;
		n++;
	}
	if (!whole || !fs_store_carries(m->store, bytes)) {
		out->direct = true;
		return fs_container_sync(m->container);
	}
	m->writes = calloc(n + 1, sizeof(*m->writes));
	if (!m->writes)
		return -ENOMEM;
	for (p = first; p; p = p->next)
		m->writes[m->n_writes++] = (struct fs_store_write){
			JOURNAL, fs_container_fd(m->container), p->at, p->data, p->len};
	out->writes = m->writes;
	out->n_writes = m->n_writes;
	return 0;
}

static int compare_items(const void *a, const void *b)
{
	const struct fs_store_item *x = a, *y = b;

	return fs_key_cmp(&x->key, &y->key);
}

static int encode(void *ctx, struct fs_closing *c, struct fs_store_commit *out)
{
	struct model *m = ctx;
	int rc = 0;

	for (size_t i = 0; i < fs_closing_count(c) && !rc; i++) {
		const struct fs_group_entry *e = fs_closing_at(c, i);
		uint8_t *copy = NULL;

		if (fs_key_table(&e->key) == FS_T_CHUNK) {
			rc = encode_chunk(m, e);
			continue;
		}
		if (e->buf) {
			copy = malloc(e->buf->len);
			ck_assert_ptr_nonnull(copy);
			memcpy(copy, e->buf->data, e->buf->len);
		}
		add_item(&m->items, &m->n, &e->key, copy, e->buf ? e->buf->len : 0);
	}
	if (!rc)
		rc = fs_container_dirty_pages(m->container, encode_free_page, m);
	if (!rc)
		rc = add_state(m);
	if (!rc)
		rc = add_writes(m, out);
	if (rc)
		return rc;
	qsort(m->items, m->n, sizeof(*m->items), compare_items);
	out->items = m->items;
	out->n = m->n;
	out->after = m->next;
	return 0;
}

static void done(void *ctx, struct fs_closing *c, int rc)
{
	struct model *m = ctx;

	(void)c;
	if (rc) {
		fs_container_aborted(m->container);
	} else {
		/* A chunk written twice in one group was reserved twice. */
		unsigned long left = atomic_load(&m->reserved);

		m->state = m->next;
		fs_container_committed(m->container);
		atomic_fetch_sub(&m->reserved, left);
		fs_container_unreserve(m->container, left > m->taken ? left - m->taken : 0);
	}
	m->taken = 0;
	model_items_free(m->items, m->n);
	m->items = NULL;
	m->n = 0;
	free(m->writes);
	m->writes = NULL;
	m->n_writes = 0;
}

static void keep(void *ctx, struct fs_journal *j)
{
	(void)ctx;
	(void)j;
}

static void keep_signer(void *ctx, struct fs_signer *s)
{
	(void)ctx;
	(void)s;
}

/* ---- open, apply, verify ---- */

static int load_bitmap(struct model *m)
{
	struct fs_key from = fs_key(JOURNAL, 0, FS_T_FREE), found;
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;
	int rc = fs_store_snap_begin(m->store, &snap);

	if (rc)
		return rc;
	while (!(rc = fs_store_next(snap, &from, &found, &val, &len)) &&
	       fs_key_table(&found) == FS_T_FREE) {
		rc = fs_container_load(m->container, (uint32_t)fs_key_sub(&found, 4), val, len);
		if (rc)
			break;
		from = found;
		from.b[from.len++] = 0;
	}
	fs_store_snap_end(snap);
	return rc == -ENOENT ? 0 : rc;
}

/* The state that the database, or with it the redo file, is in. */
static int read_state(struct model *m)
{
	struct fs_key key = fs_key(0, 0, FS_T_VAULT_ROOT);
	struct fs_snap *snap;
	const uint8_t *val;
	size_t len;
	int rc = fs_store_snap_begin(m->store, &snap);

	if (rc)
		return rc;
	rc = fs_store_get(snap, &key, &val, &len);
	if (!rc)
		memcpy(&m->state, val, sizeof(m->state));
	fs_store_snap_end(snap);
	return rc == -ENOENT ? 0 : rc;
}

/* As a vault's init does: the database holds a state, durably, before there is a redo file. */
static int begin(struct model *m)
{
	struct fs_store_item item = {.key = fs_key(0, 0, FS_T_VAULT_ROOT),
				     .val = (const uint8_t *)&m->state,
				     .len = sizeof(m->state)};

	m->state.number = 1;
	return fs_store_apply(m->store, &item, 1);
}

static int replay(struct model *m)
{
	static const uint8_t key[KEYS_LEN] = "the model's";
	struct fs_store_replay how = {
		.containers = m->containers, .bytes = MODEL_REDO_BYTES, .key = key};
	int rc = keys_init();

	if (!rc)
		rc = read_state(m);
	if (!rc && !m->state.number)
		rc = begin(m);
	how.state = m->state;
	if (!rc)
		rc = fs_store_replay(m->store, &how);
	return rc ? rc : read_state(m);
}

static int model_open_parts(struct model *m, const char *dir)
{
	char db[80];
	int rc;

	snprintf(db, sizeof(db), "%s/db", dir);
	m->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(m->dirfd, 0);
	if (mkdirat(m->dirfd, "containers", 0700) && errno != EEXIST)
		return -errno;
	m->containers = openat(m->dirfd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(m->containers, 0);
	rc = fs_store_open(db, FS_STORE_CREATE, &m->store);
	if (!rc)
		rc = replay(m);
	if (!rc)
		rc = fs_container_open(m->containers, JOURNAL, &m->container);
	return rc ? rc : load_bitmap(m);
}

int model_open(const char *dir, struct model **out)
{
	struct fs_group_hooks hooks = {.encode = encode,
				       .done = done,
				       .hold = keep,
				       .release = keep,
				       .signer_get = keep_signer,
				       .signer_put = keep_signer};
	struct model *m = calloc(1, sizeof(*m));
	int rc;

	ck_assert_ptr_nonnull(m);
	m->dirfd = m->containers = -1;
	hooks.ctx = m;
	rc = model_open_parts(m, dir);
	if (!rc)
		rc = fs_reserve_open(m->dirfd, true, &m->reserve);
	if (!rc)
		rc = fs_group_new(m->store, &hooks, &m->group);
	if (rc) {
		model_close(m);
		return rc;
	}
	fs_group_use_reserve(m->group, m->reserve);
	*out = m;
	return 0;
}

int model_close(struct model *m)
{
	int rc = fs_group_free(m->group);

	fs_container_close(m->container);
	fs_store_close(m->store);
	fs_reserve_close(m->reserve);
	close(m->containers);
	close(m->dirfd);
	free(m);
	return rc;
}

struct fs_group *model_group(struct model *m)
{
	return m->group;
}

struct fs_store *model_store(struct model *m)
{
	return m->store;
}

int model_apply(struct model *m, uint32_t stamp)
{
	static uint8_t content[CHUNK_BYTES];
	struct fs_store_item *items;
	struct fs_batch b;
	struct fs_key key = fs_key_n(JOURNAL, INO, FS_T_CHUNK, stamp % MODEL_CHUNKS, 4);
	size_t n;
	int rc;

	rc = fs_container_reserve(m->container, MODEL_UNITS);
	if (rc)
		return rc;
	n = model_items(stamp, &items);
	memset(content, (int)stamp, sizeof(content));
	memcpy(content, &stamp, 4);
	fs_batch_init(&b, NULL);
	for (size_t i = 0; i < n; i++) {
		if (items[i].val)
			fs_batch_put(&b, &m->journal, &items[i].key, items[i].val, items[i].len);
		else
			fs_batch_del(&b, &m->journal, &items[i].key);
	}
	fs_batch_put(&b, &m->journal, &key, content, sizeof(content));
	rc = fs_group_apply(m->group, &b, NULL);
	fs_batch_clear(&b);
	model_items_free(items, n);
	if (rc)
		fs_container_unreserve(m->container, MODEL_UNITS);
	else
		atomic_fetch_add(&m->reserved, MODEL_UNITS);
	return rc;
}

static void verify_chunks(struct model *m, uint32_t stamp)
{
	static uint8_t content[CHUNK_BYTES];
	struct place p, seen[MODEL_CHUNKS];
	unsigned n = 0;

	for (uint32_t c = 0; c < MODEL_CHUNKS; c++) {
		uint32_t want = chunk_stamp(c, stamp);

		if (!want) {
			ck_assert_int_eq(place_of(m, c, &p), -ENOENT);
			continue;
		}
		ck_assert_int_eq(place_of(m, c, &p), 0);
		ck_assert_uint_eq(p.stamp, want);
		for (unsigned i = 0; i < n; i++)
			ck_assert(p.pos >= seen[i].pos + seen[i].units ||
				  p.pos + p.units <= seen[i].pos);
		seen[n++] = p;
		ck_assert_int_eq(fs_container_read(m->container, p.pos, content, sizeof(content)),
				 0);
		ck_assert_mem_eq(content, &want, 4);
		for (size_t i = 4; i < sizeof(content); i++)
			ck_assert_uint_eq(content[i], (uint8_t)want);
		/* The bitmap has it: freeing it once more changes the count by just that. */
		fs_container_free(m->container, p.pos, p.units);
	}
	ck_assert_uint_eq(fs_container_units_used(m->container), 0);
}

uint32_t model_verify(const char *dir)
{
	struct model *m = calloc(1, sizeof(*m));
	uint32_t stamp;
	char db[80];

	ck_assert_ptr_nonnull(m);
	snprintf(db, sizeof(db), "%s/db", dir);
	ck_assert_int_eq(fs_store_check(db), 0);
	ck_assert_int_eq(model_open_parts(m, dir), 0);
	stamp = model_verify_records(m->store);
	verify_chunks(m, stamp);
	model_close(m);
	return stamp;
}
