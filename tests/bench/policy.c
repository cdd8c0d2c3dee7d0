/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/bench/policy.c - what a decision costs, and loading the policy of a large practice.
 *
 *   policy [JOURNALS [PRACTITIONERS [LINES]]]     (default 100,000, 200 and 10)
 *
 * Every journal has LINES allow lines for practitioners, units and roles, every third with dates. Only
 * policy/ is measured: no vault, no keys, no mount (policy_vault.sh has those).
 */
#include <err.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/decide.h"

#define UNITS 10
#define QUESTIONS 2000000u
#define NOW 1795000000 /* a day of November 2026 */

static uint64_t seed = 1;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % below;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static char *practice_text(unsigned people)
{
	static const char *const roles[] = {"physician", "nurse", "psychologist", "secretary"};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fputs("practice \"Large\"\n"
	      "role physician clinical may list read write create\n"
	      "role nurse clinical may list read write\n"
	      "role psychologist clinical may list read write create\n"
	      "role secretary may list create\n"
	      "role steward may policy\n"
	      "role auditor may audit\n"
	      "practitioner dan user dan role steward\n"
	      "practitioner kim user kim role auditor\n"
	      "role locum clinical may list read\n"
	      "practitioner few user few role locum\n",
	      f);
	for (unsigned u = 0; u < UNITS; u++)
		fprintf(f, "unit u%u \"Unit %u\"\n", u, u);
	for (unsigned p = 0; p < people; p++)
		fprintf(f, "practitioner p%u user p%u role %s unit u%u\n", p, p, roles[p % 4],
			p % UNITS);
	fclose(f);
	return text;
}

/* few: the practitioner who may see one journal in a thousand. */
static size_t journal_text(char *out, size_t cap, unsigned j, unsigned people, unsigned lines)
{
	size_t n = (size_t)snprintf(out, cap, "journal \"journal %06u\"\nunit u%u\n", j, j % UNITS);

	if (j % 1000 == 7)
		n += (size_t)snprintf(out + n, cap - n, "allow user:few:r-x\n");
	for (unsigned l = 0; l < lines; l++) {
		const char *dates = l % 3 == 2 ? " from 2026-01-01 until 2027-12-31" : "";

		if (l % 5 == 4)
			n += (size_t)snprintf(out + n, cap - n, "allow unit:u%u:r-x from 2020-0%u-01\n",
					      draw(UNITS), 1 + l % 9);
		else
			n += (size_t)snprintf(out + n, cap - n,
					      "allow user:p%u:rwx%s reason \"takes part, line %u\"\n",
					      (draw(people) / lines * lines + l) % people, dates, l);
	}
	return n;
}

static double percentile(double *v, size_t n, double part)
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = i; k > 0 && v[k] < v[k - 1]; k--) {
			double t = v[k];

			v[k] = v[k - 1];
			v[k - 1] = t;
		}
	return v[(size_t)((double)(n - 1) * part)];
}

int main(int argc, char **argv)
{
	unsigned journals = argc > 1 ? (unsigned)atoi(argv[1]) : 100000;
	unsigned people = argc > 2 ? (unsigned)atoi(argv[2]) : 200;
	unsigned lines = argc > 3 ? (unsigned)atoi(argv[3]) : 10;
	char **text = calloc(journals, sizeof(*text)), *practice = practice_text(people);
	size_t *len = calloc(journals, sizeof(*len));
	struct policy_journal **j = calloc(journals, sizeof(*j));
	struct policy_practice *p = NULL;
	struct policy_report *report = NULL;
	static double batch[QUESTIONS / 1000];
	char (*who)[16] = calloc(people, sizeof(*who));
	size_t allowed = 0, seen = 0, bytes = 0;
	size_t before;
	double t, parse, listing;

	if (!text || !practice || !len || !j || !who || policy_report_new(&report))
		errx(1, "no memory");
	for (unsigned i = 0; i < people; i++)
		snprintf(who[i], sizeof(who[i]), "p%u", i);
	for (unsigned i = 0; i < journals; i++) {
		char buf[4096];

		len[i] = journal_text(buf, sizeof(buf), i, people, lines);
		text[i] = strdup(buf);
		bytes += len[i];
	}
	before = mallinfo2().uordblks;
	t = now();
	if (policy_practice_parse(practice, strlen(practice), "practice", report, &p))
		errx(1, "%s", policy_report_text(report));
	for (unsigned i = 0; i < journals; i++)
		if (policy_journal_parse(text[i], len[i], "journal", NULL, report, &j[i]))
			errx(1, "%s", policy_report_text(report));
	parse = now() - t;
	printf("load %u journals of %u lines, %u practitioners: %.3f s (%.1f MB of text, %.1f MB "
	       "kept)\n",
	       journals, lines, people, parse, (double)bytes / 1e6,
	       (double)(mallinfo2().uordblks - before) / 1e6);
	for (size_t b = 0; b < QUESTIONS / 1000; b++) {
		t = now();
		for (unsigned k = 0; k < 1000; k++) {
			struct policy_question q = {p, j[draw(journals)], who[draw(people)],
						    POLICY_READ, NOW, NULL};
			struct policy_verdict v;

			policy_decide(&q, &v);
			allowed += v.answer == POLICY_ALLOW;
		}
		batch[b] = (now() - t) / 1000;
	}
	t = now();
	printf("decide, random journal and practitioner: median %.0f ns, 99 %% of batches below "
	       "%.0f ns (%zu of %u allowed)\n",
	       percentile(batch, QUESTIONS / 1000, 0.5) * 1e9,
	       percentile(batch, QUESTIONS / 1000, 0.99) * 1e9, allowed, QUESTIONS);
	t = now();
	for (unsigned i = 0; i < journals; i++) {
		struct policy_question q = {p, j[i], "few", 0, NOW, NULL};
		struct policy_verdict v;

		policy_decide(&q, &v);
		seen += v.visible;
	}
	listing = now() - t;
	printf("which of %u journals does somebody see who may see %zu: %.2f ms\n", journals, seen,
	       listing * 1e3);
	for (unsigned i = 0; i < journals; i++) {
		policy_journal_put(j[i]);
		free(text[i]);
	}
	policy_practice_put(p);
	policy_report_free(report);
	free(text);
	free(len);
	free(j);
	free(who);
	free(practice);
	return 0;
}
