/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a worker at every instruction of its way through shared memory.
 *
 *      live      the victim is stepped through it         --copy at each instruction that changed it-->
 *      replica   the judge: [peers act] repair, check, ring, next generation, every item once and in order, nobody sleeps for ever
 *      scratch   the same copy, on which a repairer is stepped --copy at each instruction--> replica: repair again, ...
 *
 * Memory after a kill is what memory held between two instructions, so a copy is as good as a corpse, and cheap. That
 * the two are indeed the same is checked by real kills at a sample of the points: first of the victim, then of a
 * repairer, then of the next generation. Instructions that did not change memory share their judgement with the
 * one before; but an item in hand is asked for at each.
 *
 * Victim and peers are the workers of worker/, the repairer is broker/supervise/mend.c: nothing of what is walked was written for it.
 *
 * One line per scenario and one per operation on stdout, machine-readable. Exit: 0 no violation and full coverage, 1 not so,
 * 77 this machine can't trace. --expect-violations (builds with a planted error): 0 and 1 change places. --all-kills: a real kill
 * at every instruction that changed memory. --only NAME: one scenario, coverage not judged. --by-flag: steps by the processor's
 * trap flag, not by breakpoints; the counts are the same. --list.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/flow/repair.h"
#include "tests/crash/code.h"
#include "tests/crash/coverage.h"
#include "tests/crash/judge.h"
#include "tests/crash/step.h"

#define STEPS_WALK_MAX 1000000u /* in one walk; a victim that needs more hangs */
#define KILLS 8u                /* about so many real kills of each victim, repairer and next generation per scenario */
#define IMAGES_MAX 65536u
#define EXIT_SKIP 77

extern const struct scenario *const __start_weir_scenarios[], *const __stop_weir_scenarios[];

struct tally {
	const char *name;
	uint64_t points, images, repair_points, repair_images, kills, violations;
	uint64_t at;         /* the victim's last instruction */
	uint64_t n_killable; /* images before its neighbours have acted: a real kill can be made there */
	bool interrupted;
};

static struct world live, last, replica, scratch, origin;
static bool expected; /* this build has an error planted */
static bool all_kills;

/* An instruction that changed memory: where, and how often the victim had been there. */
struct image_place {
	uint64_t address;
	uint32_t times;
};
static struct image_place image_places[IMAGES_MAX];
static uint32_t visits[1u << 16]; /* by a hash of the address: a real kill a little off is as good */

static uint32_t *visits_of(uint64_t address)
{
	return &visits[(address ^ address >> 16) & 0xffff];
}

static void violation(struct tally *tally, const char *where, uint64_t point, const char *what)
{
	if (tally->violations++ < 5 && !expected)
		fprintf(stderr, "crash: %s: %s at instruction %" PRIu64 ": %s\n", tally->name, where, point, what);
}

/* ---- what the children do ---- */

static void run_victim(void *generation)
{
	actor_be_victim(&live, *(uint32_t *)generation);
}

static void run_repairer(void *argument)
{
	struct world *world = argument;
	struct board *board = mmap(NULL, SEGMENT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, world->board_fd, 0);

	actor_use(NULL);
	if (board == MAP_FAILED)
		return;
	world->supervisor.board = world->board = board;
	for (;;) {
		step_mark();
		(void)judge_mend(world);
		seat_ring_neighbours(&world->seats[scenario_now->victim]);
	}
}

/* ---- from copies ---- */

static void judge_both(struct tally *tally, const struct world *image, const char *where, uint64_t point,
		       struct judge_case judged)
{
	for (int disturbed = 0; disturbed < 2; disturbed++) {
		const char *wrong;

		judged.disturbed = disturbed;
		wrong = judge_image(image, &judged);
		if (wrong)
			violation(tally, where, point, wrong);
	}
}

/*
 * The repairer dies at each of its instructions, and another one begins again. It attaches to the segment first, and changes nothing by
 * that; it detaches and rings at the end. A scenario's first repair is stepped through these, those after it run there and from there on.
 */
static void walk_repair(struct tally *tally, struct step_child *repairer, uint64_t point)
{
	uint32_t slot = scenario_now->victim;
	enum step_outcome step = STEP_DONE;
	bool first = !tally->repair_points;
	uint64_t key, steps = 0;

	world_copy(&scratch, &live);
	key = world_repair_key(&scratch, slot);
	if (!first)
		step = step_until(repairer, (uint64_t)(uintptr_t)repair_run, 1);
	if (world_repair_key(&scratch, slot) != key)
		violation(tally, "repair", point, "what attaches to memory has changed it");
	while (step == STEP_DONE && steps++ < STEPS_WALK_MAX) {
		coverage_count(repairer->address);
		step = !first && repairer->address == (uint64_t)(uintptr_t)segment_detach ? step_on(repairer) :
											    step_once(repairer);
		tally->repair_points++;
		if (world_repair_key(&scratch, slot) == key)
			continue;
		key = world_repair_key(&scratch, slot);
		tally->repair_images++;
		judge_both(tally, &scratch, "victim killed, then the repair,", point,
			   (struct judge_case){ .repair_cut = true });
	}
	if (step != STEP_MARK)
		violation(tally, "repair", point, "the repairer does not come to its end");
}

static void walk_point(struct tally *tally, struct step_child *repairer, uint64_t *key, uint64_t *in_hand)
{
	uint32_t slot = scenario_now->victim;
	bool same = world_same(&live, &last, slot);

	if (same && actor_victim_hand() == *in_hand)
		return;
	*in_hand = actor_victim_hand();
	world_copy(&last, &live);
	if (!same && !tally->interrupted && tally->n_killable < IMAGES_MAX)
		image_places[tally->n_killable++] = (struct image_place){ tally->at, *visits_of(tally->at) };
	tally->images += !same;
	judge_both(tally, &live, "victim killed", tally->points, (struct judge_case){ .in_hand = *in_hand });
	if (world_repair_key(&live, slot) == *key)
		return;
	*key = world_repair_key(&live, slot);
	walk_repair(tally, repairer, tally->points);
}

static void walk_interlude(struct tally *tally)
{
	const char *wrong = judge_interlude(&live);

	tally->interrupted = true;
	if (wrong)
		violation(tally, "neighbours", tally->points, wrong);
	world_copy(&last, &live);
	judge_both(tally, &live, "victim killed", tally->points, (struct judge_case){ .in_hand = actor_victim_hand() });
}

static int walk_images(struct tally *tally, struct step_child *repairer)
{
	uint32_t generation = judge_generation();
	enum step_outcome step = STEP_DONE;
	uint64_t key = 0, in_hand = 0;
	struct step_child victim;
	int r;

	world_copy(&live, &replica);
	world_copy(&last, &live);
	actor_victim_reset();
	r = step_spawn(&victim, run_victim, &generation, true);
	if (r)
		return r;
	judge_both(tally, &live, "victim killed", 0, (struct judge_case){ 0 });
	memset(visits, 0, sizeof(visits));
	while (step == STEP_DONE && tally->points < STEPS_WALK_MAX && !(expected && tally->violations)) {
		coverage_count(victim.address);
		if (victim.address != tally->at) /* not the next round of one string instruction */
			++*visits_of(victim.address);
		tally->at = victim.address;
		step = step_once(&victim);
		tally->points++;
		walk_point(tally, repairer, &key, &in_hand);
		if (step == STEP_MARK && actor_victim_pauses()) {
			walk_interlude(tally);
			step = STEP_DONE;
		}
	}
	if (expected && tally->violations)
		step = STEP_MARK; /* caught */
	if (step != STEP_MARK)
		violation(tally, "victim", tally->points, "does not come to its end");
	if (actor_victim_wrong())
		violation(tally, "victim", tally->points, actor_victim_wrong());
	step_kill(&victim);
	return 0;
}

/* ---- from corpses ---- */

/* Dies there, and so many instructions later; or at its mark, if it does not come there. */
static int kill_at(struct tally *tally, void (*body)(void *), void *argument, const struct image_place *place,
		   uint64_t steps)
{
	enum step_outcome step = STEP_DONE;
	struct step_child child;
	int r = step_spawn(&child, body, argument, !place);

	if (r)
		return r;
	if (place)
		step = step_until(&child, place->address, place->times);
	while (steps-- && step == STEP_DONE)
		step = step_once(&child);
	step_kill(&child);
	tally->kills++;
	return 0;
}

/* Victim, repairer and next generation die one after the other. */
static const char *kill_three(struct tally *tally, uint64_t image, int *ret)
{
	uint32_t generation = judge_generation();
	const struct image_place *next = &image_places[image * 7 % tally->n_killable];
	const char *wrong;
	int r;

	world_copy(&live, &origin);
	actor_victim_reset();
	r = kill_at(tally, run_victim, &generation, &image_places[image], 1);
	if (!r)
		r = kill_at(tally, run_repairer, &live, NULL, image * 61 % 600);
	actor_victim_reset();
	wrong = judge_repair(&live, &(struct judge_case){ .repair_cut = true });
	generation++;
	if (!r && !scenario_now->given_up)
		r = kill_at(tally, run_victim, &generation, next, image % 3);
	if (!wrong && !r)
		wrong = judge_image(&live, &(struct judge_case){ .disturbed = image % 2, .repair_cut = true });
	*ret = r;
	return wrong ? wrong : actor_victim_wrong();
}

static int walk_kills(struct tally *tally)
{
	uint64_t stride = all_kills || tally->n_killable < KILLS ? 1 : tally->n_killable / KILLS;

	judge_rewind();
	for (uint64_t i = stride / 2; i < tally->n_killable; i += stride) {
		int r;
		const char *wrong = kill_three(tally, i, &r);

		if (r)
			return r;
		if (wrong)
			violation(tally, "real kill", i, wrong);
	}
	return 0;
}

static int walk(struct tally *tally)
{
	static struct world *const worlds[] = { &live, &last, &replica, &scratch, &origin };
	struct step_child repairer;
	int r;

	actor_use(NULL);
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++)
		world_init(worlds[i]);
	judge_prepare(&replica);
	r = step_spawn(&repairer, run_repairer, &scratch, true);
	if (r)
		return r;
	world_copy(&origin, &replica);
	r = walk_images(tally, &repairer);
	step_kill(&repairer);
	if (!r && !expected)
		r = walk_kills(tally);
	actor_use(NULL);
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++)
		world_deinit(worlds[i]);
	plan_free(world_plan_now);
	return r;
}

static int walk_scenario(const struct scenario *scenario, uint64_t *violations)
{
	struct tally tally = { .name = scenario->name };
	uint64_t start_ns = clock_now_ns();
	int r;

	world_plan(scenario);
	r = walk(&tally);
	if (r) {
		printf("crash name=%s skipped=\"can't trace: %s\"\n", tally.name, strerror(-r));
		return EXIT_SKIP;
	}
	printf("crash name=%s build=%s points=%" PRIu64 " images=%" PRIu64 " repair_points=%" PRIu64
	       " repair_images=%" PRIu64 " kills=%" PRIu64 " violations=%" PRIu64 " ms=%" PRIu64 "\n",
	       tally.name, CRASH_BUILD, tally.points, tally.images, tally.repair_points, tally.repair_images,
	       tally.kills, tally.violations, (clock_now_ns() - start_ns) / NS_PER_MS);
	fflush(stdout);
	*violations += tally.violations;
	if (!expected && (!tally.images || !tally.repair_images || !tally.kills)) {
		fprintf(stderr, "crash: %s: a walk that saw nothing proves nothing\n", tally.name);
		return 1;
	}
	return 0;
}

/* ---- all of them ---- */

/* Between the processes that share the scenarios: what they have found. */
struct found {
	uint32_t next;
	uint32_t exit_code; /* the worst */
	uint64_t violations;
};

static uint32_t n_scenarios(void)
{
	return (uint32_t)(__stop_weir_scenarios - __start_weir_scenarios);
}

/* One processor each: a step goes there and back between two processes, which is cheap only where neither has to be woken elsewhere. */
static void pin(uint32_t worker)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	worker %= (uint32_t)CPU_COUNT(&allowed);
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &allowed) && !worker--)
			CPU_SET(i, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static void take_scenarios(struct found *found, const char *only)
{
	uint32_t i;

	while ((i = __atomic_fetch_add(&found->next, 1, __ATOMIC_RELAXED)) < n_scenarios()) {
		const struct scenario *scenario = __start_weir_scenarios[i];
		uint64_t violations = 0;
		int r;

		if (only && strcmp(only, scenario->name) != 0)
			continue;
		/* a planted error has to show in one scenario, not in each */
		if (expected && __atomic_load_n(&found->violations, __ATOMIC_RELAXED))
			break;
		r = walk_scenario(scenario, &violations);
		__atomic_fetch_add(&found->violations, violations, __ATOMIC_RELAXED);
		if (r)
			__atomic_store_n(&found->exit_code, (uint32_t)r, __ATOMIC_RELAXED);
	}
}

/* Returns 0, or the exit code of a run that has failed or can't be. */
static int walk_all(struct found *found, const char *only)
{
	uint32_t n = only ? 1 : (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	int status;

	for (uint32_t i = 0; i < n; i++) {
		pid_t pid = fork();

		must_work(pid < 0 ? -errno : 0, "fork");
		if (pid)
			continue;
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(i);
		take_scenarios(found, only);
		fflush(stdout);
		_exit(0);
	}
	while (wait(&status) > 0)
		if (status)
			__atomic_store_n(&found->exit_code, 2, __ATOMIC_RELAXED);
	return (int)found->exit_code;
}

int main(int argc, char **argv)
{
	struct found *found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *only = NULL;
	bool list = false, by_flag = false, covered = true;
	int r;

	must_work(found == MAP_FAILED ? -errno : 0, "mmap");
	for (int i = 1; i < argc; i++) {
		all_kills |= !strcmp(argv[i], "--all-kills");
		expected |= !strcmp(argv[i], "--expect-violations");
		list |= !strcmp(argv[i], "--list");
		by_flag |= !strcmp(argv[i], "--by-flag");
		if (!strcmp(argv[i], "--only") && i + 1 < argc)
			only = argv[++i];
	}
	for (uint32_t i = 0; list && i < n_scenarios(); i++)
		puts(__start_weir_scenarios[i]->name);
	if (list)
		return 0;
	coverage_begin();
	if (!by_flag)
		code_begin();
	r = walk_all(found, only);
	if (r)
		return r;
	if (!only && !expected)
		covered = coverage_report(!strcmp(CRASH_BUILD, "walk_O0"));
	return ((__atomic_load_n(&found->violations, __ATOMIC_RELAXED) > 0) != expected) || !covered;
}
