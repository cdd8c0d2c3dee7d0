/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault, the log and the directory that the test of the gate plays, and its fixture.
 */
#ifndef TEST_FS_GATE_H
#define TEST_FS_GATE_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "../../fs/gate.h"
#include "../../fs/history_tree.h"
#include "../../fs/tree.h"

#define UID 1000
#define NOTES_MAX 4000

/* ---- the vault, the log and the tree as the gate sees them ---- */

static struct {
	struct policy_verdict verdict;
	int decide_rc, journal_rc, append_rc, wait_rc;
	bool strict;
	unsigned decided;
	int64_t grant_since_s; /* 0: there is no emergency grant */
	const char *denied;    /* the program that asks is kept out under this name; NULL: it is not */
	unsigned asked_program;
	/* log */
	struct policy_record record[256];
	size_t records, notes_named;
	size_t largest; /* bytes of names in one record */
	uint64_t durable;
	uint64_t note; /* the first that the last record named */
	bool revoke_in_wait, lock_in_wait, change_in_wait;
	const struct fs_gate_request *ask_in_wait; /* another thread asks this, once */
	int asked_rc;
	struct fs_session *session;
	uint64_t waits;
	/* directory */
	size_t notes;
	size_t dirs; /* 50 on, in directory 40 */
	struct fs_inode inode;
} w;

static struct fs_gate *gate;
static struct fs_vault *the_vault = (struct fs_vault *)&w;
static struct fs_journal *the_journal = (struct fs_journal *)&w.notes;

int fs_vault_decide(struct fs_vault *v, struct fs_session *s, uint32_t index, uint32_t rights,
		    struct policy_verdict *out, char *rule, size_t rule_cap)
{
	ck_assert_ptr_eq(v, the_vault);
	ck_assert_uint_ne(index, 0);
	(void)s;
	w.decided++;
	*out = w.verdict;
	out->answer = (w.verdict.rights & rights) == rights ? POLICY_ALLOW : POLICY_DENY;
	if (rule_cap)
		snprintf(rule, rule_cap, "a rule");
	return w.decide_rc;
}

bool fs_vault_grant(struct fs_vault *v, struct fs_session *s, uint32_t index, uint64_t *number,
		    int64_t *since_s)
{
	ck_assert_ptr_eq(v, the_vault);
	ck_assert_uint_eq(index, 7);
	(void)s;
	*number = 31;
	*since_s = w.grant_since_s;
	return w.grant_since_s != 0;
}

bool fs_vault_drafts(struct fs_vault *v, struct fs_session *s, uint32_t index, int64_t *since_s)
{
	uint64_t number;

	return fs_vault_grant(v, s, index, &number, since_s);
}

/* `program deny` lines. */
bool fs_vault_denies_program(struct fs_vault *v, pid_t tid, char name[static 16])
{
	ck_assert_ptr_eq(v, the_vault);
	ck_assert_int_eq(tid, 42);
	w.asked_program++;
	if (w.denied)
		snprintf(name, 16, "%s", w.denied);
	return w.denied != NULL;
}

/* The policy right: under .policy. */
int fs_vault_decide_vault(struct fs_vault *v, struct fs_session *s, uint32_t rights,
			  struct policy_verdict *out, char *rule, size_t rule_cap)
{
	ck_assert_ptr_eq(v, the_vault);
	ck_assert_uint_eq(rights, POLICY_POLICY);
	(void)s;
	w.decided++;
	out->answer = w.verdict.rights & POLICY_POLICY ? POLICY_ALLOW : POLICY_DENY;
	if (rule_cap)
		snprintf(rule, rule_cap, "a rule");
	return w.decide_rc;
}

int fs_vault_journal_name(struct fs_vault *v, uint32_t index, char name[static 256])
{
	(void)v;
	snprintf(name, 256, "journal %u", index);
	return 0;
}

int fs_vault_journal(struct fs_vault *v, struct fs_session *s, uint32_t index,
		     struct fs_journal **out)
{
	(void)v;
	(void)s;
	(void)index;
	if (!w.journal_rc)
		*out = the_journal;
	return w.journal_rc;
}

struct fs_records *fs_vault_records(struct fs_vault *v)
{
	return (struct fs_records *)v;
}

/* Somebody has a file of it open. */
struct fs_journal *fs_journal_find(struct fs_records *r, uint32_t index)
{
	ck_assert_ptr_eq(r, the_vault);
	ck_assert_uint_ne(index, 0);
	return w.journal_rc == -ENOENT ? NULL : the_journal;
}

struct fs_log *fs_vault_log(struct fs_vault *v)
{
	return (struct fs_log *)v;
}

struct policy_practice *fs_vault_practice(struct fs_vault *v)
{
	(void)v;
	return w.strict ? NULL : (struct policy_practice *)&w;
}

const struct policy_settings *policy_practice_settings(const struct policy_practice *p)
{
	static const struct policy_settings settings;

	(void)p;
	return &settings;
}

void policy_practice_put(struct policy_practice *p)
{
	(void)p;
}

void fs_vault_record(struct fs_vault *v, struct fs_session *s, pid_t pid, struct policy_record *r)
{
	(void)v;
	(void)s;
	r->pid = (uint32_t)pid;
}

void policy_record_init(struct policy_record *r, enum policy_record_kind kind)
{
	memset(r, 0, sizeof(*r));
	r->kind = (uint8_t)kind;
	/* As of all acts on notes. */
	snprintf(r->purpose, sizeof(r->purpose), "TREAT");
}

int fs_log_append(struct fs_log *l, struct policy_record *r, uint64_t *seq)
{
	size_t bytes = 0;

	(void)l;
	if (w.append_rc)
		return w.append_rc;
	ck_assert_uint_lt(w.records, 256);
	for (size_t n = 0; n < r->note_count; n++)
		bytes += strlen(r->notes[n].name);
	w.largest = bytes > w.largest ? bytes : w.largest;
	w.notes_named += r->note_count;
	w.note = r->note_count ? r->notes[0].note : 0;
	w.record[w.records++] = *r;
	if (seq)
		*seq = w.records;
	return 0;
}

int fs_log_wait(struct fs_log *l, uint64_t seq)
{
	(void)l;
	w.waits++;
	if (w.ask_in_wait) {
		const struct fs_gate_request *rq = w.ask_in_wait;
		struct fs_gate_pass pass;

		w.ask_in_wait = NULL;
		w.asked_rc = fs_gate_begin(gate, rq, &pass);
	}
	if (w.revoke_in_wait)
		w.verdict = (struct policy_verdict){.answer = POLICY_DENY};
	if (w.lock_in_wait)
		atomic_store(&w.session->state, FS_SESSION_LOCKED);
	if (w.change_in_wait) {
		const struct timespec moment = {.tv_nsec = 1000000};
		uint32_t journals[4];

		nanosleep(&moment, NULL);
		w.verdict.rights ^= POLICY_WRITE;
		ck_assert_uint_eq(fs_gate_changed(gate, journals, 4), 1);
	}
	if (!w.wait_rc)
		w.durable = seq;
	return w.wait_rc;
}

struct fs_session *fs_session_get(struct fs_session *s)
{
	return s;
}

void fs_session_put(struct fs_session *s)
{
	(void)s;
}

struct fs_signer *fs_session_signer(struct fs_session *s)
{
	return (struct fs_signer *)s;
}

void fs_signer_put(struct fs_signer *s)
{
	(void)s;
}

uint32_t fs_journal_index(const struct fs_journal *j)
{
	ck_assert_ptr_eq(j, the_journal);
	return 7;
}

void fs_journal_put(struct fs_journal *j)
{
	ck_assert_ptr_eq(j, the_journal);
}

int fs_inode_get(struct fs_journal *j, uint64_t ino, struct fs_inode **out)
{
	(void)j;
	w.inode.ino = ino;
	w.inode.parent = ino >= 50 && ino < 100 ? 40 : FS_ROOT_INO;
	*out = &w.inode;
	return 0;
}

void fs_inode_put(struct fs_inode *i)
{
	(void)i;
}

/* What lies under .history stands for note 5. */
uint64_t fs_history_tree_real(struct fs_journal *j, uint64_t ino)
{
	ck_assert_ptr_eq(j, the_journal);
	return ino < FS_INO_HISTORY ? ino : 5;
}

int fs_tree_list(struct fs_inode *dir, uint64_t after,
		 int (*fn)(void *ctx, const struct fs_tree_entry *e), void *ctx)
{
	ck_assert_uint_eq(after, 0);
	for (size_t n = 0; dir->ino == 40 && n < w.dirs; n++) {
		struct fs_tree_entry e = {
			.cookie = n + 4, .ino = n + 50, .mode = S_IFDIR, .name = "visits"};

		if (fn(ctx, &e))
			return 0;
	}
	for (size_t n = 0; n < w.notes; n++) {
		char name[64];
		struct fs_tree_entry e = {.cookie = n + 4, .ino = n + 100, .name = name};

		snprintf(name, sizeof(name), "a note with a rather long name, number %zu.odt", n);
		if (fn(ctx, &e))
			break;
	}
	return 0;
}

void keys_wipe(void *p, size_t n)
{
	memset(p, 0, n);
}

/* ---- fixture ---- */

static struct fs_session session;

static void set_up(void)
{
	memset(&w, 0, sizeof(w));
	pthread_rwlock_init(&w.inode.lock, NULL);
	memset(&session, 0, sizeof(session));
	session.uid = UID;
	w.session = &session;
	w.verdict.visible = true;
	w.verdict.rights = POLICY_LIST | POLICY_READ | POLICY_WRITE;
	ck_assert_int_eq(fs_gate_new(the_vault, &session, &gate), 0);
}

static void tear_down(void)
{
	fs_gate_free(gate);
}

static struct fs_gate_request asks(uint64_t ino, uint32_t rights)
{
	return (struct fs_gate_request){.op = "open",
					.nodeid = fs_nodeid(7, ino),
					.name = "note.odt",
					.rights = rights,
					.uid = UID,
					.pid = 42};
}

static int begin(const struct fs_gate_request *rq)
{
	struct fs_gate_pass pass;
	int rc = fs_gate_begin(gate, rq, &pass);

	if (!rc)
		fs_gate_end(&pass);
	return rc;
}

#endif
