/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/test_fs_notes.h - a clinic where notes are finalized: anna, a physician, and max, one
 * of another unit (both with the right to finalize), bo, a nurse (without it), tim, a student
 * (whose notes want a second one), eva, who reads.
 */
#ifndef TEST_FS_NOTES_H
#define TEST_FS_NOTES_H

#include "test_fs_vault.h"

#include "fs/notes_impl.h"

#define NOTES_POLICY(settings)                                                                     \
	"practice \"Klinik Nord\"\n"                                                               \
	"session ceiling 12h\n" settings                                                           \
	"role physician clinical may list read write create finalize export break-glass\n"         \
	"role nurse clinical may list read write\n"                                                \
	"role student clinical may list read write finalize\n"                                     \
	"role reader clinical may list read\n"                                                     \
	"role steward may policy\n"                                                                \
	"role auditor may audit review\n"                                                          \
	"unit north \"Nord\"\n"                                                                    \
	"unit south \"Syd\"\n"                                                                     \
	"practitioner dan user dan role steward\n"                                                 \
	"practitioner anna user anna role physician unit north\n"                                  \
	"practitioner bo user bo role nurse unit north\n"                                          \
	"practitioner tim user tim role student unit north\n"                                      \
	"practitioner eva user eva role reader unit north\n"                                       \
	"practitioner max user max role physician unit south\n"                                    \
	"practitioner lis user lis role auditor\n"
#define COUNTERSIGN "finalize countersign student\n"
#define JOURNAL_P "journal \"p\"\nunit north\nallow unit:north:rwx\n"
#define JOURNAL_Q "journal \"q\"\nunit north\nallow user:anna:rwx\nallow user:bo:rwx\n"

#define TIM (LIS + 1)

static uint32_t p, q;
static struct fs_session *dan, *anna, *bo, *tim, *eva, *max;
static struct fs_note_result result;

static void n_clinic(const char *practice)
{
	dan = t_clinic();
	t_put(dan, "practice", practice);
	t_enroll(dan, "anna", ANNA);
	t_enroll(dan, "bo", BO);
	t_enroll(dan, "tim", TIM);
	t_enroll(dan, "eva", EVA);
	t_enroll(dan, "max", MAX);
	anna = t_login("anna", ANNA);
	p = t_make(anna, "p");
	q = t_make(anna, "q");
	t_put(dan, "p", JOURNAL_P);
	t_put(dan, "q", JOURNAL_Q);
	bo = t_login("bo", BO);
	tim = t_login("tim", TIM);
	eva = t_login("eva", EVA);
	max = t_login("max", MAX);
	t_ticks();
}

static void n_out(void)
{
	struct fs_session **all[] = {&max, &eva, &tim, &bo, &anna, &dan};

	for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
		if (*all[k])
			t_logout(*all[k]);
		*all[k] = NULL;
	}
}

static __attribute__((unused)) struct fs_note_place n_at(const char *path)
{
	return (struct fs_note_place){.journal = "p", .path = path};
}

static int n_finalize_as(struct fs_session *s, const char *path, enum fs_note_how how)
{
	struct fs_note_place at = n_at(path);

	t.say.text[0] = '\0';
	return fs_vault_note_finalize(t.v, s, &at, how, NULL, &result, &t.say);
}

static __attribute__((unused)) int n_finalize(struct fs_session *s, const char *path)
{
	return n_finalize_as(s, path, FS_NOTE_SIGN);
}

static __attribute__((unused)) int n_sign(struct fs_session *s, const char *path)
{
	struct fs_note_place at = n_at(path);

	t.say.text[0] = '\0';
	return fs_vault_note_sign(t.v, s, &at, &result, &t.say);
}

static __attribute__((unused)) int n_error(struct fs_session *s, const char *path)
{
	struct fs_note_place at = n_at(path);

	t.say.text[0] = '\0';
	return fs_vault_note_error(t.v, s, &at, "wrong side", NULL, &result, &t.say);
}

/* What a verification found. */
struct n_found {
	unsigned n, by[FS_NOTE_DAMAGED + 1];
	struct n_one {
		uint32_t number;
		enum fs_note_finding finding;
		char path[256], why[256];
	} one[32];
	uint32_t done, of;
};

static int n_found_one(void *ctx, const struct fs_note_check *c)
{
	struct n_found *f = ctx;
	struct n_one *one = &f->one[f->n++];

	ck_assert_uint_le(f->n, 32);
	f->by[c->finding]++;
	one->number = c->number;
	one->finding = c->finding;
	snprintf(one->path, sizeof(one->path), "%.255s", c->note ? c->note->path : "");
	snprintf(one->why, sizeof(one->why), "%s", c->why);
	return 0;
}

static void n_progress(void *ctx, uint32_t done, uint32_t of)
{
	struct n_found *f = ctx;

	ck_assert_uint_eq(done, f->done + 1);
	f->done = done;
	f->of = of;
}

static int n_verify(struct fs_session *s, const char *path, struct n_found *f)
{
	const struct fs_note_verify how = {.fn = n_found_one, .progress = n_progress, .ctx = f};
	struct fs_note_place at = n_at(path);

	memset(f, 0, sizeof(*f));
	t.say.text[0] = '\0';
	return fs_vault_note_verify(t.v, s, &at, &how, &t.say);
}

static __attribute__((unused)) void n_all_well(struct fs_session *s, unsigned ok,
					       unsigned unsigned_)
{
	struct n_found f;

	ck_assert_int_eq(n_verify(s, NULL, &f), 0);
	for (unsigned k = 0; k < f.n; k++)
		ck_assert_msg(f.one[k].finding == FS_NOTE_OK ||
				      f.one[k].finding == FS_NOTE_UNSIGNED,
			      "statement %u of %s: %d %s", f.one[k].number, f.one[k].path,
			      f.one[k].finding, f.one[k].why);
	ck_assert_uint_eq(f.by[FS_NOTE_OK], ok);
	ck_assert_uint_eq(f.by[FS_NOTE_UNSIGNED], unsigned_);
	ck_assert_uint_eq(f.done, f.of);
}

/* The inode at a path of a journal, through this session; put both. */
static __attribute__((unused)) struct fs_inode *n_inode(struct fs_session *s, uint32_t index,
							const char *path, struct fs_journal **j)
{
	struct fs_inode *i = NULL;

	ck_assert_int_eq(fs_vault_journal(t.v, s, index, j), 0);
	ck_assert_int_eq(fs_final_lookup(*j, path, &i), 0);
	return i;
}

static __attribute__((unused)) struct fs_note_status n_status(struct fs_session *s, uint32_t index,
							      const char *path)
{
	struct fs_note_place at = {.index = index, .path = path};
	static struct fs_note_status out;
	int rc = fs_vault_note_status(t.v, s, &at, &out, &t.say);

	ck_assert_msg(rc == 0, "status of %s: %d %s", path, rc, t.say.text);
	return out;
}

/* A note that this practitioner writes now, as a program does. */
static __attribute__((unused)) int n_write_now(struct fs_session *s, uint32_t index,
					       const char *name, const char *text)
{
	struct fs_actor who = {.pid = s->pid, .now = {.tv_sec = fs_vault_wall_s()}};
	struct fs_journal *j = NULL;
	struct fs_inode *root = NULL, *note = NULL;
	int rc = fs_vault_journal(t.v, s, index, &j);

	if (rc)
		return rc;
	who.signer = fs_session_signer(s);
	rc = fs_inode_get(j, FS_ROOT_INO, &root);
	if (!rc)
		rc = fs_tree_create(root, name, S_IFREG | 0600, &who, &note);
	if (!rc)
		rc = fs_content_write(note, 0, false, (const uint8_t *)text, strlen(text), &who,
				      NULL);
	fs_inode_put(note);
	fs_inode_put(root);
	fs_signer_put(who.signer);
	fs_journal_put(j);
	return rc;
}

#endif
