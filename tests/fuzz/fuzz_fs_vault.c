/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz_fs_vault.c - the vault's own records, and what the host remembers.
 *
 * The first byte chooses what is hostile, and where it pays whether the root has signed it. The
 * bytes go into the open group of an empty vault, or into a file of the state directory; then the
 * vault's own loaders read them. What loads is written back and must load as the same.
 */
#include <fcntl.h>
#include <stdint.h>

#include "fs/break_glass_impl.h"
#include "fs/vault_impl.h"
#include "fuzz_dir.h"
#include "keys/seal.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fs_vault *vault;
static uint8_t root_sk[KEYS_SIGN_SK_LEN];
static const uint8_t index_key[KEYS_LEN] = {4};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct fs_vault_config cfg = {.path = NULL};
	struct fs_records_config records = {.create = true};

	(void)argc;
	(void)argv;
	if (keys_init())
		abort();
	fuzz_dir_make();
	if (fs_vault_alloc(&cfg, &vault))
		abort();
	vault->statefd = open(fuzz_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(vault->header.vault, 1, KEYS_VAULT_ID_LEN);
	keys_sign_new(vault->header.root_pk, root_sk);
	records.path = fuzz_dir;
	memcpy(records.vault, vault->header.vault, KEYS_VAULT_ID_LEN);
	if (fs_records_open(&records, &vault->records))
		abort();
	fs_records_index_key(vault->records, 1, index_key);
	return 0;
}

static struct fs_key part_of(struct fs_key key, unsigned part)
{
	fs_key_add(&key, part, 2);
	return key;
}

static void apply(struct fs_batch *b)
{
	if (fs_group_apply(fs_records_group(vault->records), b, NULL))
		abort();
	fs_batch_clear(b);
}

static void put(const struct fs_key *key, const uint8_t *p, size_t len)
{
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	fs_batch_put(&b, fs_records_vault(vault->records), key, p, len);
	apply(&b);
}

static int count(void *ctx, const struct fs_key *key, struct fs_buf *buf)
{
	(void)buf;
	fs_batch_del(ctx, fs_records_vault(vault->records), key);
	return 0;
}

/* Back to an empty vault. */
static void clear(void)
{
	struct fs_key from = fs_key(0, 0, FS_T_IDENTITY), to = fs_key(0, 0, FS_T_PASSPHRASES + 1);
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	if (fs_record_scan(fs_records_vault(vault->records), &from, &to, count, &b))
		abort();
	apply(&b);
	fs_people_clear(vault);
	memset(&vault->counters, 0, sizeof(vault->counters));
	memset(vault->invite_head, 0, KEYS_LEN);
	vault->list_count = vault->daemon_count = 0;
}

/* A statement of the root with this body; the caller frees. */
static uint8_t *sign(enum keys_statement_kind kind, const uint8_t *p, size_t len, size_t *made)
{
	struct keys_statement st = {.kind = (uint8_t)kind, .number = 1, .body = {p, len}};
	uint8_t *out = malloc(len + KEYS_STATEMENT_OVERHEAD);

	memcpy(st.vault, vault->header.vault, KEYS_VAULT_ID_LEN);
	keys_statement_sign(&st, root_sk);
	if (!out || keys_statement_encode(&st, out, len + KEYS_STATEMENT_OVERHEAD, made))
		abort();
	return out;
}

static void put_parts(const struct fs_key *prefix, const uint8_t *p, size_t len)
{
	struct fs_batch b;

	fs_batch_init(&b, NULL);
	fs_vault_parts_put(vault, &b, prefix, p, len);
	apply(&b);
}

static void counters(const uint8_t *p, size_t len)
{
	struct fs_key key = fs_key(0, 0, FS_T_COUNTERS);
	struct fs_buf *buf = NULL;
	struct fs_edit e;

	put(&key, p, len);
	if (fs_vault_edit_load(vault))
		return;
	fs_vault_edit_begin(vault, &e, NULL);
	if (fs_vault_edit_commit(&e))
		abort();
	fs_vault_edit_clear(&e);
	if (fs_record_get(fs_records_vault(vault->records), &key, &buf) || buf->len != len ||
	    memcmp(buf->data, p, len))
		abort();
	fs_buf_put(buf);
}

/* Number u8 and length u16 of each part, and its bytes; number 255 is a key that is too short. */
static void parts(const uint8_t *p, size_t len)
{
	struct fs_key prefix = fs_key_n(0, 0, FS_T_KEY_LIST, 1, 4), key;
	struct bytes_in in = bytes_in(p, len);
	uint8_t *got = NULL, *again = NULL;
	size_t n, m;
	struct fs_batch b;

	while (in.off < in.len && !in.bad) {
		uint8_t number = bytes_get_u8(&in);

		n = bytes_get_u16(&in) % (FS_PLAIN_MAX + 1);
		if (n > in.len - in.off)
			n = in.len - in.off;
		key = part_of(prefix, number);
		if (number == 255)
			key.len--;
		put(&key, in.p + in.off, n);
		in.off += n;
	}
	if (fs_vault_parts_get(vault, &prefix, &got, &n))
		return;
	put_parts(&prefix, got, n);
	if (fs_vault_parts_get(vault, &prefix, &again, &m) || m != n || memcmp(again, got, n))
		abort();
	free(again);
	free(got);
	fs_batch_init(&b, NULL);
	fs_vault_parts_del(vault, &b, &prefix);
	apply(&b);
	if (fs_vault_parts_get(vault, &prefix, &got, &n) != -ENOENT)
		abort();
}

static void people(void)
{
	const struct keys_identity *id;

	vault->counters.pid = UINT32_MAX;
	if (fs_people_load(vault))
		return;
	for (size_t i = 0; i < vault->people_count; i++) {
		const struct fs_person *p = vault->people[i];

		if (fs_people_by_pid(vault, p->pid) != p || strlen(p->name) > KEYS_NAME_MAX)
			abort();
		for (uint32_t n = 0; n < p->id_count + 2; n++)
			(void)fs_people_identity(vault, p->pid, n, false, &id);
	}
}

/* One invitation, as it is or as the body of a statement of the root. */
static void invites(const uint8_t *p, size_t len, bool signed_by_root)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_INVITE, 1, 4);
	uint8_t *st = NULL;
	size_t made = 0;

	if (signed_by_root) {
		st = sign(KEYS_STATEMENT_INVITE, p, len, &made);
		if (made <= FS_PLAIN_MAX)
			put(&key, st, made);
		free(st);
	} else {
		put(&key, p, len);
	}
	vault->counters.invite = 1;
	people();
}

/* A record as it is; one that decodes also where it belongs, and as of this vault. */
static void identities(const uint8_t *p, size_t len, bool ours)
{
	uint8_t bytes[KEYS_IDENTITY_MAX];
	struct keys_identity id;
	struct fs_key key;
	size_t n = 0;

	if (keys_identity_decode(p, len, &id)) {
		key = fs_key_n(0, 0, FS_T_IDENTITY, 1, 4);
		fs_key_add(&key, 1, 4);
		put(&key, p, len);
	} else {
		/* Made to belong here, twice, so that the table itself is met. */
		for (unsigned i = 0; i < 2; i++) {
			key = fs_key_n(0, 0, FS_T_IDENTITY, id.pid, 4);
			fs_key_add(&key, id.enrolment, 4);
			if (ours) {
				memcpy(id.vault, vault->header.vault, KEYS_VAULT_ID_LEN);
				memcpy(id.root_hash, vault->root_hash, KEYS_LEN);
			}
			if (keys_identity_encode(&id, bytes, sizeof(bytes), &n))
				abort();
			put(&key, bytes, n);
			id.enrolment += len % 97;
		}
	}
	people();
}

/* Several sound records about few people, with any numbers. */
static void made_identities(const uint8_t *p, size_t len)
{
	struct bytes_in in = bytes_in(p, len);
	uint8_t bytes[KEYS_IDENTITY_MAX];
	struct keys_identity id = {.pid = 1};
	size_t n = 0;

	for (unsigned i = 0; i < 8 && in.off < in.len; i++) {
		struct fs_key key;

		id.pid = bytes_get_u8(&in) % 3 + 1;
		id.enrolment = bytes_get_u8(&in);
		if (bytes_get_u8(&in) == 0)
			id.enrolment = bytes_get_u32(&in);
		id.invite = bytes_get_u8(&in);
		snprintf(id.name, sizeof(id.name), "p%u", bytes_get_u8(&in) % 2);
		snprintf(id.account, sizeof(id.account), "a");
		memcpy(id.vault, vault->header.vault, KEYS_VAULT_ID_LEN);
		memcpy(id.root_hash, vault->root_hash, KEYS_LEN);
		key = fs_key_n(0, 0, FS_T_IDENTITY, id.pid, 4);
		fs_key_add(&key, i, 4);
		if (!keys_identity_encode(&id, bytes, sizeof(bytes), &n))
			put(&key, bytes, n);
	}
	people();
}

static void key_list(const uint8_t *p, size_t len, bool signed_by_root)
{
	struct fs_key prefix = fs_key_n(0, 0, FS_T_KEY_LIST, 1, 4);
	struct keys_list_entry readers[KEYS_LIST_MAX];
	uint8_t *st = NULL;
	size_t made = 0;

	if (signed_by_root) {
		st = sign(KEYS_STATEMENT_KEY_LIST, p, len, &made);
		put_parts(&prefix, st, made);
		free(st);
	} else {
		put_parts(&prefix, p, len);
	}
	vault->counters.list = 1;
	if (fs_lists_load(vault))
		return;
	if (!signed_by_root || vault->list_count > KEYS_LIST_MAX ||
	    vault->daemon_count > FS_DAEMONS_MAX ||
	    fs_lists_readers(vault->list, vault->list_count, readers) > vault->list_count)
		abort();
}

/* A policy in force and a key list, both the root's, so that the index can be opened. */
static void practice(void)
{
	static const struct keys_list_entry recovery = {.kind = KEYS_LIST_RECOVERY};
	const struct fs_hand root = {.sk = root_sk};
	char *text = policy_practice_initial("Klinik", "anna", "anna", false);
	struct keys_manifest m = {.place = {.generation = 1}};
	struct fs_key at = fs_key_n(0, 0, FS_T_MANIFEST, 1, 4);
	uint8_t bytes[KEYS_MANIFEST_LEN];
	struct fs_edit e;

	memcpy(m.place.vault, vault->header.vault, KEYS_VAULT_ID_LEN);
	keys_manifest_sign(&m, index_key, NULL, root_sk);
	keys_manifest_encode(&m, bytes);
	memset(vault->policy_head, 0, KEYS_LEN);
	memset(vault->list_head, 0, KEYS_LEN);
	fs_vault_edit_begin(vault, &e, NULL);
	e.c.index_generation = 1;
	fs_batch_put(&e.b, fs_records_vault(vault->records), &at, bytes, sizeof(bytes));
	if (!text || fs_policies_add(&e, &root, 0, 0, text, strlen(text)) ||
	    fs_lists_add(&e, &root, &recovery, 1) || fs_vault_edit_commit(&e))
		abort();
	fs_vault_edit_clear(&e);
	free(text);
}

/* Length u8 and bytes of each NAME record; then what is left is the policy of journal 1. */
static void names(const uint8_t *p, size_t len)
{
	struct fs_index_keys keys = {.n = 1, .k = {{.generation = 1}}};
	struct fs_key manifest_key = fs_key_n(0, 0, FS_T_MANIFEST, 1, 4);
	struct fs_key policy = fs_policies_key(1);
	struct bytes_in in = bytes_in(p, len);
	uint8_t n = bytes_get_u8(&in) % 6;
	struct fs_batch b;
	int rc;

	memcpy(keys.k[0].key, index_key, KEYS_LEN);
	practice();
	for (uint8_t i = 0; i < n && !in.bad; i++) {
		struct fs_key key = fs_catalog_name_key(i / 2, i);
		size_t take = bytes_get_u8(&in);

		if (take > in.len - in.off)
			take = in.len - in.off;
		put(&key, in.p + in.off, take);
		in.off += take;
	}
	put_parts(&policy, in.p + in.off, in.len - in.off);
	/* What the group holds must be sealed before the key is forgotten. */
	if (fs_group_sync(fs_records_group(vault->records), 0))
		abort();
	rc = fs_policies_open_index(vault, &keys);
	if (!n && rc)
		abort();
	for (uint32_t i = 0; !rc && i < vault->journals.cap; i++) {
		const struct fs_entry *e = fs_catalog_by_index(vault, i);

		if (e && (e->index != i || fs_catalog_by_name(vault, e->name) != e))
			abort();
	}
	fs_policies_forget(vault);
	fs_records_index_key(vault->records, 1, index_key);
	fs_batch_init(&b, NULL);
	fs_vault_parts_del(vault, &b, &policy);
	fs_batch_del(&b, fs_records_vault(vault->records), &manifest_key);
	apply(&b);
}

static void policy(const uint8_t *p, size_t len, bool signed_by_root)
{
	struct fs_key prefix = fs_key_n(0, 0, FS_T_POLICY, 1, 4), in_force = fs_policies_key(0);
	struct fs_version ver;
	uint32_t version = 0;
	uint8_t *st = NULL;
	char *text = NULL;
	size_t made = 0, n = 0;

	if (signed_by_root) {
		st = sign(KEYS_STATEMENT_POLICY, p, len, &made);
		put_parts(&prefix, st, made);
		free(st);
	} else {
		put_parts(&prefix, p, len);
	}
	if (!fs_policies_read(vault, 1, &ver)) {
		if (!signed_by_root || ver.len > len ||
		    memcmp(ver.text, p + len - ver.len, ver.len))
			abort();
		fs_policies_clear(&ver);
	}
	put_parts(&in_force, p, len);
	if (!fs_policies_text(vault, 0, &text, &n, &version)) {
		if (n + 4 != len || memcmp(text, p + 4, n) || text[n])
			abort();
		free(text);
	}
}

/* Wraps with an enrolment in front: nothing that was not sealed opens. */
static void wraps(const uint8_t *p, size_t len)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_BG_WRAP, 2, 4);
	uint8_t sk[KEYS_LEN] = {8}, got[KEYS_LEN];
	struct bytes_in in = bytes_in(p, len);

	put(&key, p, len);
	if (fs_bg_get(vault, 2, bytes_get_u32(&in), 0, sk, got) == 0)
		abort();
}

static void manifest(const uint8_t *p, size_t len)
{
	struct fs_key key = fs_key_n(0, 0, FS_T_MANIFEST, 1, 4);
	struct fs_journal_chain got;
	uint8_t sk[KEYS_LEN] = {8};
	struct fs_batch b;

	put(&key, p, len);
	if (fs_journals_unwrap(vault, 0, FS_WRAP_PRACTITIONER, 2, 1, sk, &got) == 0)
		abort();
	fs_batch_init(&b, NULL);
	fs_batch_del(&b, fs_records_vault(vault->records), &key);
	apply(&b);
}

/* What is to be renewed, or what one who left knew. */
static void renewals(const uint8_t *p, size_t len, bool known)
{
	struct fs_key key = fs_key_n(0, 0, known ? FS_T_KNOWN : FS_T_RENEWAL, 3, 4);
	int rc;

	if (known)
		fs_key_add(&key, 5, 4);
	put(&key, p, len);
	rc = fs_renew_load(vault);
	if (rc && rc != -EBADMSG)
		abort();
	if (!rc && (len != (known ? 8 : 32) || p[0] != 1 || vault->renewal_count != !known))
		abort();
	if (!rc && !known && (vault->renewals[0].journal != 3 || !vault->renewals[0].from))
		abort();
}

/* What the host remembers: as it is, or behind the right head. */
static void last(const uint8_t *p, size_t len, bool head)
{
	struct fs_last got = {0}, again;
	struct fs_say say;
	uint8_t bytes[128] = "journalfs last 1", *room = bytes;
	size_t room_len = sizeof(bytes);

	if (head) {
		memcpy(bytes + 16, vault->header.vault, KEYS_VAULT_ID_LEN);
		room += 16 + KEYS_VAULT_ID_LEN;
		room_len -= 16 + KEYS_VAULT_ID_LEN;
		memcpy(room, p, len < room_len ? len : room_len);
		p = bytes;
		len = sizeof(bytes);
	}
	if (fs_state_put_file(vault->statefd, "last", p, len, 0600))
		abort();
	if (fs_state_last_read(vault, &got, &say))
		return;
	if (fs_state_last_write(vault, &got) || fs_state_last_read(vault, &again, &say) ||
	    again.commit != got.commit || again.closed != got.closed || again.log != got.log ||
	    again.db_size != got.db_size || again.db_ctime_ns != got.db_ctime_ns ||
	    memcmp(again.root, got.root, KEYS_LEN))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size - 1;
	bool second;

	if (!size || size > 60000)
		return 0;
	second = data[0] & 0x80;
	data++;
	if ((data[-1] & 0x7f) % 11 != 1 && (data[-1] & 0x7f) % 11 < 4 && len > FS_PLAIN_MAX)
		len = FS_PLAIN_MAX;
	switch ((data[-1] & 0x7f) % 11) {
	case 0:
		counters(data, len);
		break;
	case 1:
		parts(data, len);
		break;
	case 2:
		invites(data, len, second);
		break;
	case 3:
		identities(data, len, second);
		break;
	case 4:
		made_identities(data, len);
		break;
	case 5:
		key_list(data, len, second);
		break;
	case 6:
		policy(data, len, second);
		break;
	case 7:
		if (len <= FS_PLAIN_MAX) {
			wraps(data, len);
			manifest(data, len);
		}
		break;
	case 8:
		names(data, len);
		break;
	case 9:
		renewals(data, len > FS_PLAIN_MAX ? FS_PLAIN_MAX : len, second);
		break;
	default:
		last(data, len, second);
	}
	clear();
	return 0;
}
