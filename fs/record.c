/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/record.c - verified, sealed records: opening the layer, reading.
 *
 * A read looks in the groups first and in a snapshot afterwards; the other way
 * round a commit between the two looks would hide a record. In the snapshot the
 * tag tree is asked first and the database must agree:
 *	in tree and database	the tags must be equal, then it is unsealed
 *	in neither		-ENOENT, proved
 *	in one of them		-EBADMSG: dropped, or slipped in
 * Damage is reported once per record, with no lock and no snapshot held.
 *
 * Locks: record_impl.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chunk_impl.h"

#define CACHE_BYTES (16u << 20)
#define CHUNK_CACHE_BYTES (2u << 20)
#define MAP_CACHE_BYTES (6u << 20) /* maps some 380 MiB of files */
#define SLAB_SLOTS 16384

/* ---- signers ---- */

int fs_signer_new(const struct keys_session_cert *cert, const uint8_t sk[static KEYS_SIGN_SK_LEN],
		  struct fs_signer **out)
{
	struct fs_signer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->sk = keys_guard_new(KEYS_SIGN_SK_LEN);
	if (!s->sk) {
		free(s);
		return -ENOMEM;
	}
	atomic_init(&s->refs, 1);
	memcpy(s->session, cert->session, KEYS_SESSION_ID_LEN);
	s->pid = cert->pid;
	s->enrolment = cert->enrolment;
	memcpy(s->sk, sk, KEYS_SIGN_SK_LEN);
	*out = s;
	return 0;
}

struct fs_signer *fs_signer_get(struct fs_signer *s)
{
	if (s)
		atomic_fetch_add(&s->refs, 1);
	return s;
}

void fs_signer_put(struct fs_signer *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	keys_guard_free(s->sk);
	free(s);
}

/* ---- opening and closing ---- */

static int load_vault_root(struct fs_records *r, const struct fs_records_config *cfg)
{
	struct fs_key key = fs_root_key(0);
	struct fs_snap *snap;
	struct fs_root root;
	const uint8_t *val;
	size_t len;
	int rc = fs_store_snap_begin(r->store, &snap);

	if (rc)
		return rc;
	rc = fs_store_get(snap, &key, &val, &len);
	if (!rc)
		rc = fs_root_decode_vault(val, len, &root);
	fs_store_snap_end(snap);
	if (rc)
		return rc;
	if (!cfg->adopt && fs_root_check_mac(r->vault_id, &root, r->mac_key))
		return -EBADMSG;
	r->vault.cur = root;
	return 0;
}

static int write_first_root(struct fs_records *r)
{
	struct fs_root root = {.tree.next = 1, .info.commit = 1};
	struct fs_store_item item = {.key = fs_root_key(0), .val = root.raw};
	int rc;

	fs_root_mac(r->vault_id, &root, r->mac_key);
	item.len = root.len;
	rc = fs_store_apply(r->store, &item, 1);
	if (!rc)
		r->vault.cur = root;
	return rc;
}

static int open_containers(const char *path, bool create, int *out)
{
	char *dir;
	int fd;

	if (asprintf(&dir, "%s/containers", path) < 0)
		return -ENOMEM;
	if (create && mkdir(dir, 0700) && errno != EEXIST) {
		free(dir);
		return -errno;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	free(dir);
	if (fd < 0)
		return -errno;
	*out = fd;
	return 0;
}

static int open_store(const struct fs_records_config *cfg, struct fs_store **out)
{
	unsigned flags =
		(cfg->read_only ? FS_STORE_READ_ONLY : 0) | (cfg->create ? FS_STORE_CREATE : 0);
	char *dir;
	int rc;

	if (asprintf(&dir, "%s/db", cfg->path) < 0)
		return -ENOMEM;
	rc = fs_store_open(dir, flags, out);
	free(dir);
	return rc;
}

/* The commits that were durable but had not reached the database. */
static int replay(struct fs_records *r, const struct fs_records_config *cfg)
{
	struct fs_store_replay how = {
		.containers = r->containers,
		.key = r->mac_key,
		.lenient = !cfg->least_commit,
	};
	int rc;

	if (cfg->adopt) /* the key is not known */
		return 0;
	fs_root_mark(&r->vault.cur, &how.state);
	rc = fs_store_replay(r->store, &how);
	return rc ? rc : load_vault_root(r, cfg);
}

static int load(struct fs_records *r, const struct fs_records_config *cfg)
{
	int rc = load_vault_root(r, cfg);

	if (cfg->create)
		rc = rc == -ENOENT ? write_first_root(r) : rc ? rc : -EEXIST;
	else if (rc == -ENOENT)
		rc = -EBADMSG;
	if (!rc)
		rc = replay(r, cfg);
	return rc ? rc : r->vault.cur.info.commit < cfg->least_commit ? -ESTALE : 0;
}

static int build(struct fs_records *r, const struct fs_records_config *cfg)
{
	struct fs_group_hooks hooks = fs_commit_hooks;
	int rc;

	r->mac_key = keys_guard_new(KEYS_LEN);
	if (!r->mac_key)
		return -ENOMEM;
	memcpy(r->mac_key, cfg->mac_key, KEYS_LEN);
	rc = keys_slab_new(sizeof(struct keys_journal), SLAB_SLOTS, &r->slab);
	if (!rc)
		rc = fs_tagtree_cache_new(cfg->cache_bytes ? cfg->cache_bytes : CACHE_BYTES,
					  &r->nodes);
	if (!rc)
		rc = fs_chunk_cache_new(CHUNK_CACHE_BYTES, &r->chunks);
	if (!rc)
		rc = fs_chunk_cache_new(MAP_CACHE_BYTES, &r->maps);
	if (!rc)
		rc = fs_chunk_help_new(&r->help);
	if (!rc)
		rc = open_store(cfg, &r->store);
	if (!rc)
		rc = open_containers(cfg->path, cfg->create, &r->containers);
	if (!rc)
		rc = load(r, cfg);
	hooks.ctx = r;
	if (!rc)
		rc = fs_group_new(r->store, &hooks, &r->group);
	return rc;
}

static void teardown(struct fs_records *r)
{
	fs_commit_free(r->commit);
	free(r->lost);
	fs_store_close(r->store);
	if (r->containers >= 0)
		close(r->containers);
	fs_chunk_help_free(r->help);
	fs_chunk_cache_free(r->maps);
	fs_chunk_cache_free(r->chunks);
	fs_tagtree_cache_free(r->nodes);
	keys_slab_free(r->slab);
	keys_guard_free(r->mac_key);
	fs_journal_clear(&r->vault);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->opened);
	free(r);
}

int fs_records_open(const struct fs_records_config *cfg, struct fs_records **out)
{
	struct fs_records *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->opened, NULL);
	fs_journal_init(&r->vault, r, 0);
	memcpy(r->vault_id, cfg->vault, KEYS_VAULT_ID_LEN);
	r->read_only = cfg->read_only;
	r->containers = -1;
	r->damaged = cfg->damaged;
	r->failed = cfg->failed;
	r->damaged_ctx = cfg->ctx;
	rc = build(r, cfg);
	if (rc) {
		teardown(r);
		return rc;
	}
	*out = r;
	return 0;
}

int fs_records_close(struct fs_records *r)
{
	int rc;

	if (!r)
		return 0;
	rc = fs_group_free(r->group);
	teardown(r);
	return rc;
}

struct fs_group *fs_records_group(struct fs_records *r)
{
	return r->group;
}

const uint8_t *fs_records_vault_id(const struct fs_records *r)
{
	return r->vault_id;
}

struct fs_store *fs_records_store(struct fs_records *r)
{
	return r->store;
}

struct fs_journal *fs_records_vault(struct fs_records *r)
{
	return &r->vault;
}

void fs_records_head(struct fs_records *r, uint64_t *commit, uint8_t root[static KEYS_LEN])
{
	pthread_mutex_lock(&r->vault.lock);
	*commit = r->vault.cur.info.commit;
	memcpy(root, r->vault.cur.tree.hash, KEYS_LEN);
	pthread_mutex_unlock(&r->vault.lock);
}

void fs_records_policy_version(struct fs_records *r, uint32_t version)
{
	atomic_store(&r->policy_version, version);
}

uint32_t fs_records_policy_now(const struct fs_records *r)
{
	return atomic_load(&r->policy_version);
}

/* ---- the index key ---- */

static void forget_index_keys(struct fs_records *r)
{
	for (size_t i = 0; i < FS_RECORD_INDEX_KEYS; i++) {
		keys_slab_put(r->slab, r->index[i].keys);
		r->index[i] = (struct fs_record_index_key){.generation = 0};
	}
}

/* Under the lock: the place for a generation, an unused one, or that of the oldest. */
static struct fs_record_index_key *index_place(struct fs_records *r, uint32_t generation)
{
	struct fs_record_index_key *best = &r->index[0];

	for (size_t i = 0; i < FS_RECORD_INDEX_KEYS; i++) {
		if (r->index[i].generation == generation)
			return &r->index[i];
		if (r->index[i].generation < best->generation)
			best = &r->index[i];
	}
	return best;
}

void fs_records_index_key(struct fs_records *r, uint32_t generation, const uint8_t *key)
{
	fs_records_index_key_since(r, generation, key, 0);
}

void fs_records_index_key_since(struct fs_records *r, uint32_t generation, const uint8_t *key,
				uint64_t since)
{
	uint8_t place[8] = {0}; /* journal 0, generation */
	struct keys_span parts[] = {{r->vault_id, KEYS_VAULT_ID_LEN}, {place, sizeof(place)}};
	struct fs_record_index_key *k;

	pthread_mutex_lock(&r->lock);
	if (!key) {
		forget_index_keys(r);
	} else if (generation) {
		for (unsigned i = 0; i < 4; i++)
			place[4 + i] = (uint8_t)(generation >> (8 * i));
		k = index_place(r, generation);
		if (!k->keys)
			k->keys = keys_slab_get(r->slab);
		k->generation = k->keys ? generation : 0;
		k->since = since;
		if (k->keys)
			keys_label_derive(KEYS_LABEL_RECORD_KEY, key, parts, 2, k->keys->record,
					  KEYS_LEN);
	}
	pthread_mutex_unlock(&r->lock);
}

/* ---- damage ---- */

static bool known_in(struct fs_records *r, uint32_t journal)
{
	bool known = false;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_reported && !known; i++)
		known = fs_key_journal(&r->reported[i]) == journal;
	pthread_mutex_unlock(&r->lock);
	return known;
}

void fs_record_report_first(struct fs_records *r, const struct fs_key *key)
{
	if (!known_in(r, fs_key_journal(key)))
		fs_record_report(r, key);
}

void fs_record_report(struct fs_records *r, const struct fs_key *key)
{
	bool known = false;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n_reported && !known; i++)
		known = !fs_key_cmp(&r->reported[i], key);
	if (!known && r->n_reported < FS_RECORD_DAMAGED_MAX)
		r->reported[r->n_reported++] = *key;
	else
		known = true;
	pthread_mutex_unlock(&r->lock);
	if (!known && r->damaged)
		r->damaged(r->damaged_ctx, fs_key_journal(key), fs_key_ino(key), fs_key_table(key));
}

/* ---- reading ---- */

static bool is_root(const struct fs_root *root, const uint8_t *raw, size_t len)
{
	return root->len == len && !memcmp(root->raw, raw, len);
}

/* Is this the root that t has, or will have? */
static bool known_root(struct fs_journal *t, const uint8_t *raw, size_t len,
		       struct fs_tagtree_root *root)
{
	const struct fs_root *found = NULL;

	pthread_mutex_lock(&t->lock);
	if (is_root(&t->cur, raw, len))
		found = &t->cur;
	else if (t->has_next && is_root(&t->next, raw, len))
		found = &t->next;
	if (found)
		*root = found->tree;
	pthread_mutex_unlock(&t->lock);
	return found;
}

int fs_record_snap(struct fs_journal *t, struct fs_snap **out, struct fs_tagtree_root *root)
{
	struct fs_records *r = t->records;
	struct fs_key key = fs_root_key(t->index);
	struct fs_snap *snap;
	const uint8_t *raw;
	size_t len;
	unsigned long seq;
	int rc;

	for (;;) {
		seq = atomic_load(&r->seq);
		rc = fs_store_snap_begin(r->store, &snap);
		if (rc)
			return rc;
		rc = fs_store_get(snap, &key, &raw, &len);
		if (rc == -ENOENT) {
			raw = (const uint8_t *)"";
			len = 0;
		}
		if ((!rc || rc == -ENOENT) && known_root(t, raw, len, root)) {
			*out = snap;
			return 0;
		}
		fs_store_snap_end(snap);
		if (rc && rc != -ENOENT)
			return rc;
		/* A commit that ended meanwhile makes an honest snapshot look old. */
		if (seq == atomic_load(&r->seq)) {
			fs_record_report(r, &key);
			return -EBADMSG;
		}
	}
}

struct fs_journal *fs_record_cover(struct fs_journal *j, const struct fs_key *key)
{
	uint8_t table = fs_key_table(key);

	if (table == FS_T_NODE || table == FS_T_VAULT_ROOT)
		return NULL;
	if (fs_value_of_vault(key))
		return &j->records->vault;
	return fs_key_journal(key) == j->index ? j : NULL;
}

int fs_record_open_stored(struct fs_journal *j, struct fs_snap *snap, const struct fs_key *key,
			  const uint8_t tag[static FS_TAG_LEN], struct fs_buf **out)
{
	uint8_t have[FS_TAG_LEN];
	const uint8_t *val;
	size_t len;
	int rc = fs_store_get(snap, key, &val, &len);

	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	fs_tagtree_tag(key, val, len, have);
	if (memcmp(have, tag, FS_TAG_LEN))
		return -EBADMSG;
	return fs_value_unseal(j, key, val, len, out);
}

/* The tree says that there is no such record: then there must be none. */
static int check_absent(struct fs_snap *snap, const struct fs_key *key)
{
	const uint8_t *val;
	size_t len;
	int rc = fs_store_get(snap, key, &val, &len);

	return rc ? rc : -EBADMSG;
}

/* The record when it is among those that stay open. */
static struct fs_buf *recall(struct fs_journal *j, const struct fs_key *key,
			     const uint8_t tag[static FS_TAG_LEN])
{
	struct fs_buf *buf = NULL;

	if (fs_key_table(key) != FS_T_DIRENT)
		return NULL;
	pthread_mutex_lock(&j->lock);
	for (size_t n = 0; !buf && n < FS_RECORD_RECENT; n++) {
		const struct fs_record_recent *x = &j->recent[n];

		if (x->buf && !fs_key_cmp(&x->key, key) && !memcmp(x->tag, tag, FS_TAG_LEN))
			buf = fs_buf_get(x->buf);
	}
	pthread_mutex_unlock(&j->lock);
	return buf;
}

static void remember(struct fs_journal *j, const struct fs_key *key,
		     const uint8_t tag[static FS_TAG_LEN], struct fs_buf *buf)
{
	struct fs_record_recent *x;
	struct fs_buf *old;

	if (fs_key_table(key) != FS_T_DIRENT)
		return;
	pthread_mutex_lock(&j->lock);
	x = &j->recent[j->recent_at];
	j->recent_at = (j->recent_at + 1) % FS_RECORD_RECENT;
	old = x->buf;
	x->key = *key;
	memcpy(x->tag, tag, FS_TAG_LEN);
	x->buf = fs_buf_get(buf);
	pthread_mutex_unlock(&j->lock);
	fs_buf_put(old);
}

/* What the tree holds with this tag; from memory when it was there lately. */
static int open_or_recall(struct fs_journal *j, struct fs_snap *snap, const struct fs_key *key,
			  const uint8_t tag[static FS_TAG_LEN], struct fs_buf **out)
{
	struct fs_buf *buf = recall(j, key, tag);
	int rc = buf ? 0 : fs_record_open_stored(j, snap, key, tag, out);

	if (buf)
		*out = buf;
	else if (!rc)
		remember(j, key, tag, *out);
	return rc;
}

int fs_record_committed(struct fs_journal *j, const struct fs_key *key, struct fs_buf **out)
{
	struct fs_journal *t = fs_record_cover(j, key);
	uint8_t tag[FS_TAG_LEN];
	struct fs_tagtree_root root;
	struct fs_snap *snap;
	int rc;

	if (!t)
		return -EINVAL;
	rc = fs_record_snap(t, &snap, &root);
	if (rc)
		return rc;
	rc = fs_tagtree_get(j->records->nodes, snap, &root, key, tag);
	if (!rc)
		rc = open_or_recall(j, snap, key, tag, out);
	else if (rc == -ENOENT)
		rc = check_absent(snap, key);
	fs_store_snap_end(snap);
	if (rc == -EBADMSG)
		fs_record_report(j->records, key);
	return rc;
}

int fs_record_get(struct fs_journal *j, const struct fs_key *key, struct fs_buf **out)
{
	int rc;

	if (!fs_record_cover(j, key))
		return -EINVAL;
	rc = fs_group_get(j->records->group, key, out);
	if (rc)
		return rc > 0 ? 0 : rc;
	return fs_record_committed(j, key, out);
}

static int stored_generation(struct fs_journal *j, struct fs_snap *snap,
			     const struct fs_tagtree_root *root, const struct fs_key *key,
			     uint32_t *generation)
{
	uint8_t tag[FS_TAG_LEN], have[FS_TAG_LEN];
	const uint8_t *val;
	size_t len;
	int rc = fs_tagtree_get(j->records->nodes, snap, root, key, tag);

	if (rc)
		return rc;
	rc = fs_store_get(snap, key, &val, &len);
	if (rc)
		return rc == -ENOENT ? -EBADMSG : rc;
	fs_tagtree_tag(key, val, len, have);
	return memcmp(have, tag, FS_TAG_LEN) ? -EBADMSG : fs_value_generation(val, len, generation);
}

int fs_record_generation(struct fs_journal *j, const struct fs_key *key, uint32_t *generation)
{
	struct fs_journal *t = fs_record_cover(j, key);
	struct fs_tagtree_root root;
	struct fs_buf *buf = NULL;
	struct fs_snap *snap;
	int rc = t ? fs_group_get(j->records->group, key, &buf) : -EINVAL;

	if (rc < 0)
		return rc;
	if (rc) {
		fs_buf_put(buf);
		*generation = 0;
		return 0;
	}
	rc = fs_record_snap(t, &snap, &root);
	if (rc)
		return rc;
	rc = stored_generation(j, snap, &root, key, generation);
	fs_store_snap_end(snap);
	return rc;
}
