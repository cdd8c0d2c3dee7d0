/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs/vault_acl.c - a journal's policy as an access control list, and back.
 *
 * Invariant: a text goes in only when the list that it shows is the one that was
 * asked for, computed from the parsed text and not from what the edits meant to do.
 *
 * Locks: `lock` for a look at the people; never across a lookup of accounts.
 */
#include "vault_impl.h"

#include <grp.h>
#include <pwd.h>

#include "../policy/edit.h"
#include "../policy/shown.h"
#include "vault_acl.h"

#define TRIES 5		  /* somebody else's edit came first */
#define LOOKUP_MAX 262144 /* bytes of an account's or a group's line */

/* A named entry of the list, and whom it stands for in the policy. */
struct named {
	struct fs_acl_entry acl;
	char name[KEYS_NAME_MAX + 1];
	bool blocked;
	bool several; /* more than one name has this number: no change of it is clear */
};

struct list {
	struct named *entry;
	size_t count;
};

/* ---- accounts and groups ---- */

/*
 * What a lookup ended with: 0, -ENOENT, or an error that says nothing of the name. A source that
 * the sandbox keeps from answering does not know it.
 */
static int looked_up(int rc, bool found)
{
	static const int passing[] = {EINTR,  EIO,    EMFILE,	 ENFILE,
				      ENOMEM, EAGAIN, ETIMEDOUT, ERANGE};

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		if (rc == passing[i])
			return rc == ERANGE ? -EIO : -rc;
	}
	return !rc && found ? 0 : -ENOENT;
}

static int lookup_account(const char *name, uint32_t *id)
{
	struct passwd pw, *found = NULL;
	char *buf = NULL;
	int rc = ERANGE;

	for (size_t size = 4096; rc == ERANGE && size <= LOOKUP_MAX; size *= 2) {
		char *more = realloc(buf, size);

		rc = more ? 0 : ENOMEM;
		if (more) {
			buf = more;
			rc = getpwnam_r(name, &pw, buf, size, &found);
		}
	}
	if (!rc && found)
		*id = pw.pw_uid;
	free(buf);
	return looked_up(rc, found != NULL);
}

static int lookup_group(const char *name, uint32_t *id)
{
	struct group gr, *found = NULL;
	char *buf = NULL;
	int rc = ERANGE;

	for (size_t size = 4096; rc == ERANGE && size <= LOOKUP_MAX; size *= 2) {
		char *more = realloc(buf, size);

		rc = more ? 0 : ENOMEM;
		if (more) {
			buf = more;
			rc = getgrnam_r(name, &gr, buf, size, &found);
		}
	}
	if (!rc && found)
		*id = gr.gr_gid;
	free(buf);
	return looked_up(rc, found != NULL);
}

/* The uid of an enrolled identity for the account that policy gives this practitioner now. */
static bool enrolled(struct fs_vault *v, const struct policy_practitioner *p, uint32_t *id)
{
	const struct keys_identity *known;
	const struct fs_person *person;
	bool found = false;

	pthread_rwlock_rdlock(&v->lock);
	person = fs_people_find(v, p->name);
	if (person && person->enrolment && person->ids[person->enrolment - 1]) {
		known = &person->ids[person->enrolment - 1]->id;
		found = !strcmp(known->account, p->account);
		*id = known->uid;
	}
	pthread_rwlock_unlock(&v->lock);
	return found;
}

/* The number of a practitioner or unit. -ENOENT: there is none to show. */
static int number_of(struct fs_vault *v, const struct policy_practice *practice,
		     enum policy_edit_subject subject, const char *name, uint32_t *id)
{
	const struct policy_practitioner *p;
	const struct policy_unit *unit;

	if (subject == POLICY_EDIT_UNIT) {
		unit = policy_practice_unit(practice, name);
		return unit && unit->group ? lookup_group(unit->group, id) : -ENOENT;
	}
	p = policy_practice_find(practice, name);
	if (!p || p->state == POLICY_LEFT)
		return -ENOENT;
	return enrolled(v, p, id) ? 0 : lookup_account(p->account, id);
}

/* ---- the list of a text ---- */

static struct named *find(const struct list *l, bool group, uint32_t id)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->entry[i].acl.group == group && l->entry[i].acl.id == id)
			return &l->entry[i];
	}
	return NULL;
}

static void add(struct list *l, const struct policy_shown *s, uint32_t id)
{
	bool group = s->subject == POLICY_EDIT_UNIT;
	struct named *n = find(l, group, id);

	if (!n) {
		n = &l->entry[l->count++];
		*n = (struct named){.acl = {.group = group, .id = id}};
		snprintf(n->name, sizeof(n->name), "%s", s->name);
	} else {
		n->several = true;
	}
	n->blocked |= s->blocked;
	n->acl.perms = n->blocked ? 0 : n->acl.perms | s->perms;
}

static int list_of(struct fs_vault *v, const struct policy_practice *practice,
		   const struct policy_journal *j, struct list *out)
{
	struct policy_shown *shown = NULL;
	size_t n = 0;
	int rc = policy_shown_list(j, fs_vault_wall_s(), &shown, &n);

	*out = (struct list){.count = 0};
	if (rc)
		return rc;
	out->entry = calloc(n + 1, sizeof(*out->entry));
	rc = out->entry ? 0 : -ENOMEM;
	for (size_t i = 0; !rc && i < n; i++) {
		uint32_t id;

		rc = number_of(v, practice, shown[i].subject, shown[i].name, &id);
		if (!rc)
			add(out, &shown[i], id);
		else if (rc == -ENOENT)
			rc = 0;
	}
	free(shown);
	return rc;
}

int fs_vault_acl(struct fs_vault *v, uint32_t index, struct fs_acl *acl)
{
	struct policy_practice *practice = NULL;
	struct policy_journal *j = NULL;
	struct list list = {.count = 0};
	const struct fs_entry *e;
	int rc = -ENOKEY;

	pthread_rwlock_rdlock(&v->lock);
	if (v->practice) {
		e = fs_catalog_by_index(v, index);
		rc = !e ? -ENOENT : e->policy ? 0 : -EBADMSG;
		if (!rc) {
			j = policy_journal_get(e->policy);
			practice = policy_practice_get(v->practice);
		}
	}
	pthread_rwlock_unlock(&v->lock);
	if (!rc)
		rc = list_of(v, practice, j, &list);
	if (!rc && list.count > FS_ACL_ENTRIES)
		rc = -E2BIG;
	for (size_t i = 0; !rc && i < list.count; i++)
		acl->entry[i] = list.entry[i].acl;
	if (!rc)
		acl->count = list.count;
	free(list.entry);
	if (j)
		policy_journal_put(j);
	if (practice)
		policy_practice_put(practice);
	return rc;
}

/* ---- changing it ---- */

struct change {
	struct fs_vault *v;
	struct policy_practice *practice;
	char *text;
	size_t len;
	uint32_t version; /* that the text came from */
	struct list now;
	struct fs_say why;
};

static void change_clear(struct change *c)
{
	if (c->practice)
		policy_practice_put(c->practice);
	free(c->text);
	free(c->now.entry);
}

/* Whom a number stands for in the practice policy. -EINVAL, and said: nobody, or several. */
static int name_of(struct change *c, bool group, uint32_t id, char name[static KEYS_NAME_MAX + 1])
{
	enum policy_edit_subject subject = group ? POLICY_EDIT_UNIT : POLICY_EDIT_USER;
	size_t count = group ? policy_practice_unit_count(c->practice)
			     : policy_practice_count(c->practice);
	unsigned found = 0;

	for (size_t i = 0; i < count; i++) {
		const char *one = group ? policy_practice_unit_at(c->practice, i)->name
					: policy_practice_at(c->practice, i)->name;
		uint32_t other = 0;
		int rc = number_of(c->v, c->practice, subject, one, &other);

		if (rc && rc != -ENOENT)
			return rc;
		if (rc || other != id)
			continue;
		snprintf(name, KEYS_NAME_MAX + 1, "%s", one);
		found++;
	}
	if (found == 1)
		return 0;
	fs_say(&c->why, "%s %u is %s", group ? "group" : "account", id,
	       found   ? "that of several in the practice policy"
	       : group ? "no unit's group"
		       : "no practitioner's");
	return -EINVAL;
}

static void perms_text(unsigned perms, char out[static 4])
{
	out[0] = perms & 4 ? 'r' : '-';
	out[1] = perms & 2 ? 'w' : '-';
	out[2] = perms & 1 ? 'x' : '-';
	out[3] = '\0';
}

/* One difference. perms 0: the line goes. */
static int edit(struct change *c, bool group, const char *name, unsigned perms)
{
	char text[4], *next = NULL;
	const struct policy_edit e = {
		.subject = group ? POLICY_EDIT_UNIT : POLICY_EDIT_USER,
		.name = name,
		.perms = text,
	};
	int rc;

	perms_text(perms, text);
	rc = perms ? policy_edit_set(c->text, c->len, &e, &next)
		   : policy_edit_remove(c->text, c->len, &e, &next);
	if (!rc) {
		free(c->text);
		c->text = next;
		c->len = strlen(next);
		return 0;
	}
	if (rc == -ENOMEM)
		return rc;
	fs_say(&c->why, "no single line of the policy says it for %s %s: edit the text",
	       group ? "unit" : "practitioner", name);
	return -EINVAL;
}

/* An entry that is shown now gets other permissions, or (0) goes. */
static int change(struct change *c, const struct named *was, unsigned perms)
{
	if (!was->blocked && !was->several)
		return edit(c, was->acl.group, was->name, perms);
	fs_say(&c->why, "%s is %s: edit the text", was->name,
	       was->blocked ? "blocked" : "not the only one with that number");
	return -EINVAL;
}

/* An entry as it should be. */
static int set(struct change *c, const struct fs_acl_entry *want)
{
	const struct named *was = find(&c->now, want->group, want->id);
	char name[KEYS_NAME_MAX + 1];
	int rc;

	if (was)
		return was->acl.perms == want->perms ? 0 : change(c, was, want->perms);
	rc = name_of(c, want->group, want->id, name);
	if (!rc && !want->perms) {
		fs_say(&c->why, "%s has no entry, and --- keeps nobody out: write `block %s:%s`",
		       name, want->group ? "unit" : "user", name);
		rc = -EINVAL;
	}
	return rc ? rc : edit(c, want->group, name, want->perms);
}

static const struct fs_acl_entry *wanted(const struct fs_acl *next, const struct named *n)
{
	for (size_t i = 0; i < next->count; i++) {
		if (next->entry[i].group == n->acl.group && next->entry[i].id == n->acl.id)
			return &next->entry[i];
	}
	return NULL;
}

/* All differences. */
static int apply(struct change *c, const struct fs_acl *next)
{
	int rc = 0;

	for (size_t i = 0; i < next->count && !rc; i++)
		rc = set(c, &next->entry[i]);
	for (size_t i = 0; i < c->now.count && !rc; i++) {
		if (!wanted(next, &c->now.entry[i]))
			rc = change(c, &c->now.entry[i], 0);
	}
	return rc;
}

/*
 * Who is shown with --- on purpose is kept out by that in any file system, so here too: an entry
 * of his unit or role must not let him in.
 */
static int check_kept_out(struct change *c, const struct policy_journal *j, uint32_t id)
{
	char name[KEYS_NAME_MAX + 1];
	struct policy_verdict verdict;
	int rc = name_of(c, false, id, name);
	const struct policy_question q = {
		.practice = c->practice, .journal = j, .who = name, .now_s = fs_vault_wall_s()};

	if (rc)
		return rc;
	policy_decide(&q, &verdict);
	if (!(verdict.rights & (POLICY_LIST | POLICY_READ | POLICY_WRITE)))
		return 0;
	fs_say(&c->why, "an entry of another kind lets %s in: write `block user:%s`", name, name);
	return -EINVAL;
}

/* The invariant: what the new text shows is what was asked for. */
static int check(struct change *c, const struct fs_acl *next)
{
	struct policy_journal *j = NULL;
	struct list list = {.count = 0};
	size_t same = 0, given = 0;
	int rc = fs_policies_parse_journal(c->text, c->len, "journal", &j);

	if (!rc)
		rc = list_of(c->v, c->practice, j, &list);
	for (size_t i = 0; !rc && i < next->count; i++) {
		const struct fs_acl_entry *e = &next->entry[i];
		const struct named *n = find(&list, e->group, e->id);

		same += n && n->acl.perms == e->perms;
		given += e->perms || n;
		if (!e->perms && !n && !e->group)
			rc = check_kept_out(c, j, e->id);
	}
	if ((!rc && (same != given || same != list.count)) || rc == -EBADMSG) {
		fs_say(&c->why, "the policy says more than a list can: edit the text");
		rc = -EINVAL;
	}
	free(list.entry);
	if (j)
		policy_journal_put(j);
	return rc;
}

/* The text in force, and what it shows. */
static int load(struct change *c, uint32_t index)
{
	struct policy_journal *j = NULL;
	int rc;

	c->practice = fs_vault_practice(c->v);
	if (!c->practice)
		return -ENOKEY;
	rc = fs_policies_text(c->v, index, &c->text, &c->len, &c->version);
	if (!rc)
		rc = fs_policies_parse_journal(c->text, c->len, "journal", &j);
	if (!rc)
		rc = list_of(c->v, c->practice, j, &c->now);
	if (j)
		policy_journal_put(j);
	return rc;
}

/* The first line of a report is enough: it names the place and the remedy. */
static void say_report(struct fs_say *why, const char *report)
{
	if (report)
		fs_say(why, "%.*s", (int)strcspn(report, "\n"), report);
}

static int try(struct fs_vault *v, struct fs_session *by, uint32_t index, const char *name,
	       const struct fs_acl *next, struct fs_say *why)
{
	struct change c = {.v = v};
	char *before = NULL, *report = NULL;
	int rc = load(&c, index);

	if (!rc) {
		before = strdup(c.text);
		rc = before ? apply(&c, next) : -ENOMEM;
	}
	if (!rc)
		rc = check(&c, next);
	if (!rc && strcmp(before, c.text)) {
		rc = fs_vault_policy_put(v, by, name, c.text, c.len, c.version, &report, &c.why);
		say_report(&c.why, report);
	}
	*why = c.why;
	free(before);
	free(report);
	change_clear(&c);
	return rc;
}

int fs_vault_acl_put(struct fs_vault *v, struct fs_session *by, uint32_t index,
		     const struct fs_acl *next)
{
	struct fs_say why = {""};
	char name[256] = "";
	int rc = -ESTALE, rc2;

	for (int i = 0; i < TRIES && (rc == -ESTALE || rc == -ENOENT); i++) {
		rc = fs_vault_journal_name(v, index, name);
		if (rc) /* removed */
			return rc;
		/* -ENOENT: it was given another name meanwhile. */
		rc = try(v, by, index, name, next, &why);
	}
	if (rc == -ESTALE || rc == -ENOENT)
		return -EBUSY;
	if (rc != -EINVAL)
		return rc;
	rc2 = fs_vault_tell(v, by, POLICY_RECORD_REFUSED, index, name, "setfacl: %s", why.text);
	return rc2 ? rc2 : rc;
}
