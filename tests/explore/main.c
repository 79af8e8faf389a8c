/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      explore                         every program, nothing weakened: no violation allowed
 *      explore --mutants               every row of mutants.def: caught by the program it names, or explained
 *      explore --sites                 rows for every order that the programs meet
 *      explore --full [--mutants]      one more preemption where they are bounded; explained mutants through all executions
 *      explore --program NAME [--mutant N] [--strong] [--trace CHOICES]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explore/mutants.h"
#include "tests/explore/programs.h"

#define SITES_MAX 256u
#define EXPLAINED_EXECUTIONS 1000u /* of each program, for a mutant that nothing is expected to catch */

static const char *const kinds[] = { "LOAD", "STORE", "FENCE" };
static const char *const orders[] = { "RELAXED", "ACQUIRE", "RELEASE", "ACQ_REL", "SEQ_CST" };

static const struct mutant *mutant_now; /* NULL: none */
static bool full;
static uint32_t configuration = 1;
static const struct explore_site *sites[SITES_MAX]; /* met so far, each once */
static unsigned n_sites;

const struct mutant mutants[] = {
#define MUTANT(label_, unit_, function_, kind_, text_, from_, to_, caught_by_, because_) \
	{ label_, unit_, function_, text_, EXPLORE_##kind_, EXPLORE_##from_, EXPLORE_##to_, caught_by_, because_ },
#include "tests/explore/mutants.def"
#undef MUTANT
};
const unsigned n_mutants = sizeof(mutants) / sizeof(*mutants);

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool same_site(const struct explore_site *a, const struct explore_site *b)
{
	return a->kind == b->kind && !strcmp(a->text, b->text) && !strcmp(a->function, b->function) &&
	       !strcmp(a->unit, b->unit);
}

static bool mutates(const struct mutant *mutant, const struct explore_site *site)
{
	return site->kind == mutant->kind && site->order == mutant->from && !strcmp(site->text, mutant->text) &&
	       !strcmp(site->function, mutant->function) && !strcmp(base_of(site->unit), mutant->unit);
}

static void note_site(const struct explore_site *site)
{
	for (unsigned i = 0; i < n_sites; i++)
		if (same_site(sites[i], site))
			return;
	if (n_sites < SITES_MAX)
		sites[n_sites++] = site;
}

uint32_t explore_order_of(struct explore_site *site)
{
	if (site->configuration == configuration)
		return site->order_explored;
	note_site(site);
	site->configuration = configuration;
	site->order_explored = mutant_now && mutates(mutant_now, site) ? mutant_now->to : site->order;
	return site->order_explored;
}

static const struct explore_program *find_program(const char *name)
{
	for (unsigned i = 0; i < n_programs; i++)
		if (!strcmp(programs[i].name, name))
			return &programs[i];
	fprintf(stderr, "explore: no program '%s'\n", name);
	exit(2);
}

static struct explore_result run(const struct explore_program *program, const struct mutant *mutant, bool strong,
				 const char *trace)
{
	struct explore_program changed = *program;

	mutant_now = mutant;
	configuration++;
	if (full && changed.preemptions >= 0)
		changed.preemptions++;
	if (!full && mutant && !mutant->caught_by)
		changed.executions_max = EXPLAINED_EXECUTIONS;
	return explore_run(&changed, strong, trace);
}

static bool report(const struct explore_program *program, const struct explore_result *result, const char *mode)
{
	printf("explore program=%s mode=%s executions=%llu pruned=%llu exhausted=%s preemptions=%d kills=%u violations=%d trace=%s%s%s\n",
	       program->name, mode, (unsigned long long)result->executions, (unsigned long long)result->pruned,
	       result->exhausted ? "yes" :
	       result->violation ? "no" :
				   "bounded",
	       program->preemptions + (full && program->preemptions >= 0), program->kills, result->violation != NULL,
	       result->violation ? result->trace : "-", result->violation ? " what=" : "",
	       result->violation ? result->violation : "");
	fflush(stdout);
	return !result->violation;
}

static int run_programs(const char *only, const struct mutant *mutant, bool strong_too, const char *trace)
{
	bool well = true;

	for (unsigned i = 0; i < n_programs; i++) {
		struct explore_result result;

		if (only && strcmp(programs[i].name, only))
			continue;
		result = run(&programs[i], mutant, strong_too, trace);
		well &= report(&programs[i], &result, strong_too ? "strong" : "weak");
	}
	return well ? 0 : 1;
}

/* ---- mutants ---- */

static bool covered(const struct explore_site *site)
{
	for (unsigned i = 0; i < n_mutants; i++)
		if (mutates(&mutants[i], site))
			return true;
	return site->order == EXPLORE_RELAXED;
}

static int try_mutant(unsigned number)
{
	const struct mutant *mutant = &mutants[number];
	const char *caught_by = "-", *strong = "-";
	struct explore_result first = { 0 };
	bool well;

	for (unsigned i = 0; i < n_programs && !strcmp(caught_by, "-"); i++) {
		struct explore_result result;

		if (mutant->caught_by && strcmp(mutant->caught_by, programs[i].name))
			continue;
		result = run(&programs[i], mutant, false, NULL);
		if (!result.violation)
			continue;
		caught_by = programs[i].name;
		first = result;
		if (mutant->kind == EXPLORE_FENCE && run(&programs[i], mutant, true, NULL).violation)
			strong = "caught";
	}
	well = mutant->caught_by ? !strcmp(caught_by, mutant->caught_by) : !strcmp(caught_by, "-");
	printf("mutant number=%u label=%s site=%s:%s:%s to=%s caught_by=%s executions=%llu strong=%s trace=%s %s what=%s\n",
	       number, mutant->label, mutant->unit, mutant->function, mutant->text, orders[mutant->to], caught_by,
	       (unsigned long long)first.executions, strong, first.violation ? first.trace : "-",
	       well ? (mutant->caught_by ? "ok" : "explained") :
		      (mutant->caught_by ? "FAILED: it survives" : "FAILED: the explanation is wrong"),
	       first.violation ? first.violation :
	       mutant->because ? mutant->because :
				 "");
	fflush(stdout);
	return well ? 0 : 1;
}

/* The code has changed: it weakens nothing any more. */
static bool is_stale(const struct mutant *mutant)
{
	for (unsigned i = 0; i < n_sites; i++)
		if (mutates(mutant, sites[i]))
			return false;
	return true;
}

static int run_mutants(void)
{
	unsigned n_wrong = 0, n_uncovered = 0, n_stale = 0;

	for (unsigned i = 0; i < n_mutants; i++)
		n_wrong += (unsigned)try_mutant(i);
	for (unsigned i = 0; i < n_sites; i++)
		if (!covered(sites[i])) {
			n_uncovered++;
			printf("site without a row: %s %s %s %s %s\n", base_of(sites[i]->unit), sites[i]->function,
			       kinds[sites[i]->kind], sites[i]->text, orders[sites[i]->order]);
		}
	for (unsigned i = 0; i < n_mutants; i++)
		if (is_stale(&mutants[i])) {
			n_stale++;
			printf("row without a site: %u %s %s %s\n", i, mutants[i].unit, mutants[i].function,
			       mutants[i].text);
		}
	printf("mutants=%u wrong=%u sites_without_row=%u rows_without_site=%u\n", n_mutants, n_wrong, n_uncovered,
	       n_stale);
	return n_wrong || n_uncovered || n_stale ? 1 : 0;
}

static void propose(const struct explore_site *site, uint32_t to)
{
	struct mutant mutant = { .unit = base_of(site->unit),
				 .function = site->function,
				 .text = site->text,
				 .kind = site->kind,
				 .from = site->order,
				 .to = to };
	const char *caught_by = NULL;

	for (unsigned i = 0; i < n_programs && !caught_by; i++)
		if (run(&programs[i], &mutant, false, NULL).violation)
			caught_by = programs[i].name;
	printf("MUTANT(\"?\", \"%s\", \"%s\", %s, \"%s\", %s, %s, %s%s%s, NULL)\n", mutant.unit, mutant.function,
	       kinds[mutant.kind], mutant.text, orders[mutant.from], orders[to], caught_by ? "\"" : "",
	       caught_by ? caught_by : "NULL", caught_by ? "\"" : "");
	fflush(stdout);
}

static int list_sites(void)
{
	unsigned n;

	for (unsigned i = 0; i < n_programs; i++)
		run(&programs[i], NULL, false, NULL);
	n = n_sites;
	for (unsigned i = 0; i < n; i++) {
		if (sites[i]->order == EXPLORE_RELAXED)
			continue;
		if (sites[i]->order == EXPLORE_SEQ_CST)
			propose(sites[i], EXPLORE_ACQ_REL);
		propose(sites[i], EXPLORE_RELAXED);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "full", no_argument, NULL, 'f' },         { "mutants", no_argument, NULL, 'm' },
		{ "sites", no_argument, NULL, 's' },        { "program", required_argument, NULL, 'p' },
		{ "mutant", required_argument, NULL, 'n' }, { "strong", no_argument, NULL, 'x' },
		{ "trace", required_argument, NULL, 't' },  { 0 },
	};
	const char *program = NULL, *trace = NULL;
	const struct mutant *mutant = NULL;
	bool all_mutants = false, strong = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			all_mutants = true;
			break;
		case 'f':
			full = true;
			break;
		case 's':
			return list_sites();
		case 'p':
			program = find_program(optarg)->name;
			break;
		case 'n':
			mutant = &mutants[strtoul(optarg, NULL, 10) % n_mutants];
			break;
		case 'x':
			strong = true;
			break;
		case 't':
			trace = optarg;
			break;
		default:
			return 2;
		}
	}
	return all_mutants ? run_mutants() : run_programs(program, mutant, strong, trace);
}
