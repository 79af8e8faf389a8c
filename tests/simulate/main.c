/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulate                      1,000 seeds (WEIR_NIGHTLY=1: 100,000), each twice: no invariant broken, the same trace both times
 * simulate --seeds FROM TO      these seeds
 * simulate --seed N             one seed, with its trace on stdout
 * simulate --planted            each planted error is found within the same number of seeds
 * simulate --plant NAME ...     with one planted error, before any of the above
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulate/world.h"

#define SEEDS 1000u
#define SEEDS_NIGHTLY 100000u

static struct world world;

struct verdict_on_seed {
	char broken[sizeof(world.broken)];
	uint64_t hash, n_events;
	enum pipeline_state state;
	bool resumed;
	uint32_t n_reloads, n_reverts;
	uint32_t n_overruns;
};

static struct verdict_on_seed run(uint64_t seed, bool trace)
{
	struct verdict_on_seed verdict = { 0 };

	memset(&world, 0, sizeof(world));
	world.seed = seed;
	world.trace = trace;
	world_run(&world);
	memcpy(verdict.broken, world.broken, sizeof(verdict.broken));
	verdict.hash = world.hash;
	verdict.n_events = world.n_events;
	verdict.state = world.lifecycle.state;
	verdict.resumed = world.n_resumes > 0;
	verdict.n_reloads = world.n_reloads;
	verdict.n_reverts = world.n_reverts;
	verdict.n_overruns = world.n_overruns;
	world_free(&world);
	return verdict;
}

static void print_replay(uint64_t seed)
{
	printf("  replay: tests/simulate_lifecycle%s%s --seed %llu\n", planted_now ? " --plant " : "",
	       planted_now ? planted_name(planted_now) : "", (unsigned long long)seed);
}

/* Returns the number of seeds that broke something. */
static unsigned run_seeds(uint64_t from, uint64_t to)
{
	unsigned n_broken = 0, n_stopped = 0, n_resumed = 0;
	uint64_t n_events = 0, n_overruns = 0, n_reloads = 0, n_reverts = 0, sum = 0;

	for (uint64_t seed = from; seed < to; seed++) {
		struct verdict_on_seed first = run(seed, false), second = run(seed, false);
		bool same = first.hash == second.hash;

		n_events += first.n_events;
		n_stopped += first.state == PIPELINE_STOPPED;
		n_resumed += first.resumed;
		n_overruns += first.n_overruns;
		n_reloads += first.n_reloads;
		n_reverts += first.n_reverts;
		sum = (sum ^ first.hash) * 0x100000001b3u;
		if (!first.broken[0] && same)
			continue;
		n_broken++;
		printf("seed %llu: %s\n", (unsigned long long)seed,
		       first.broken[0] ? first.broken : "two runs, two traces");
		print_replay(seed);
		if (n_broken == 10)
			break;
	}
	printf("seeds %llu to %llu, each twice: %llu events, %u stopped cleanly, in %u a drain was to be taken back, %llu items overran, %llu reloads took effect and %llu were taken back, %u broken; hash %016llx\n",
	       (unsigned long long)from, (unsigned long long)to, (unsigned long long)n_events, n_stopped, n_resumed,
	       (unsigned long long)n_overruns, (unsigned long long)n_reloads, (unsigned long long)n_reverts, n_broken,
	       (unsigned long long)sum);
	return n_broken;
}

static unsigned find_planted(uint64_t seeds)
{
	unsigned n_missed = 0;

	for (planted_now = 1; planted_now < PLANTED_COUNT; planted_now++) {
		struct verdict_on_seed verdict = { 0 };
		uint64_t seed = 0;

		while (!verdict.broken[0] && ++seed <= seeds)
			verdict = run(seed, false);
		if (verdict.broken[0]) {
			printf("found   %-26s seed %4llu: %s\n", planted_name(planted_now), (unsigned long long)seed,
			       verdict.broken);
		} else {
			printf("MISSED  %s\n", planted_name(planted_now));
			n_missed++;
		}
	}
	planted_now = PLANTED_NOTHING;
	return n_missed;
}

static int usage(void)
{
	fputs("usage: simulate_lifecycle [--plant NAME] [--seed N | --seeds FROM TO | --planted]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	uint64_t seeds = getenv("WEIR_NIGHTLY") ? SEEDS_NIGHTLY : SEEDS;

	if (argc > 2 && strcmp(argv[1], "--plant") == 0) {
		for (planted_now = 1; planted_now < PLANTED_COUNT; planted_now++)
			if (strcmp(planted_name(planted_now), argv[2]) == 0)
				break;
		if (planted_now == PLANTED_COUNT)
			return usage();
		argv += 2;
		argc -= 2;
	}
	if (argc == 1)
		return run_seeds(1, seeds + 1) != 0;
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		return run(strtoull(argv[2], NULL, 10), true).broken[0] != '\0';
	if (argc == 4 && strcmp(argv[1], "--seeds") == 0)
		return run_seeds(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10) + 1) != 0;
	if (argc == 2 && strcmp(argv[1], "--planted") == 0)
		return find_planted(SEEDS) != 0;
	return usage();
}
