/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a worker at every instruction of its way through shared memory.
 *
 *      live      the victim is stepped through it         --copy at each instruction that changed it-->
 *      replica   the judge: [peers act] repair, check, next generation, every item once and in order
 *      scratch   the same copy, on which a repairer is stepped --copy at each instruction--> replica: repair again, ...
 *
 * Memory after a kill is what memory held between two instructions, so a copy is as good as a corpse, and cheap. That
 * the two are indeed the same is checked by real kills at a sample of the points: first of the victim, then of a
 * repairer, then of the next generation. Instructions that did not change memory share their judgement with the
 * one before.
 *
 * One line per preset on stdout, machine-readable. Exit: 0 no violation, 1 violations, 77 this machine can't trace. With
 * --expect-violations (builds with a planted error) 0 and 1 change places. --all-kills: a real kill at every point.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/flow/repair.h"
#include "tests/crash/step.h"
#include "tests/crash/world.h"

#define STEPS_MAX 1000000u    /* in one walk; a victim that needs more hangs */
#define KILL_STRIDE_MIN 37u   /* at most every so many instructions a real kill ... */
#define KILL_STEPS_MAX 40000u /* ... and about so many steps spent on them per preset */
#define EXIT_SKIP 77

static const struct preset presets[] = {
	{ .name = "turn", .items = 2, .batch = 1 },
	{ .name = "wrap", .position = (UINT64_C(1) << 32) - 56, .items = 3, .batch = 3 },
	{ .name = "full", .crowded = true, .batch = 4 },
	{ .name = "end", .position = UINT64_MAX - 199, .items = 1, .batch = 2, .closed = true },
	{ .name = "attach", .items = 1, .batch = 2, .from_attach = true },
};

struct tally {
	const char *name;
	uint64_t points, images, repair_points, repair_images, kills, unrung, violations;
};

static struct world live, last, replica, scratch;

static bool expected; /* this build has an error planted */

static void violation(struct tally *tally, const char *where, uint64_t point, const char *what)
{
	if (tally->violations++ < 5 && !expected)
		fprintf(stderr, "crash: %s: %s at instruction %" PRIu64 ": %s\n", tally->name, where, point, what);
}

/* ---- what the children do ---- */

static void run_victim(void *argument)
{
	const struct preset *preset = argument;
	static struct worker worker;

	if (preset->from_attach)
		step_mark();
	world_attach(&live, &worker);
	if (!preset->from_attach)
		step_mark();
	worker_start(&worker);
	worker_run(&worker, preset->batch);
	step_mark();
}

static void run_repairer(void *argument)
{
	const struct world *world = argument;
	struct segment segment = SEGMENT_NULL;
	struct repair_report report;

	if (segment_attach(&segment, world->fds[SLOT_VICTIM], &world->slots[SLOT_VICTIM].geometry, SEGMENT_WRITE))
		return;
	for (;;) {
		step_mark();
		repair_run(&segment, &report);
	}
}

/* ---- from copies ---- */

static void judge_image(struct tally *tally, const struct world *image, const char *where, uint64_t point)
{
	for (int disturbed = 0; disturbed < 2; disturbed++) {
		const char *wrong;

		world_copy(&replica, image);
		wrong = disturbed ? world_disturb(&replica) : NULL;
		if (!wrong)
			wrong = world_judge(&replica);
		if (wrong)
			violation(tally, where, point, wrong);
	}
}

/* The repairer dies at each of its instructions, and another one begins again. */
static void walk_repair(struct tally *tally, pid_t repairer, uint64_t point)
{
	enum step step = STEP_DONE;
	uint64_t key, steps = 0;

	world_copy(&scratch, &live);
	key = world_repair_key(&scratch);
	while (step == STEP_DONE && steps++ < STEPS_MAX) {
		step = step_once(repairer);
		tally->repair_points++;
		if (world_repair_key(&scratch) == key)
			continue;
		key = world_repair_key(&scratch);
		tally->repair_images++;
		judge_image(tally, &scratch, "victim killed, then the repair,", point);
	}
	if (step != STEP_MARK)
		violation(tally, "repair", point, "the repairer does not come to its end");
}

/* The consumer sleeps beside an item that nobody will ring for: why the supervisor rings after a death. */
static bool is_unrung(void)
{
	struct pollfd pollfd = { .fd = live.doorbells[SLOT_CONSUMER], .events = POLLIN };
	const struct segment *victim = &live.slots[SLOT_VICTIM], *consumer = &live.slots[SLOT_CONSUMER];

	return load_relaxed(&victim->writers[0].tail) != load_relaxed(&consumer->readers[0].done) &&
	       poll(&pollfd, 1, 0) == 0;
}

static int walk_images(struct tally *tally, const struct preset *preset, pid_t repairer)
{
	enum step step = STEP_DONE;
	uint64_t key = 0;
	pid_t victim;

	world_reset(&live, preset);
	world_copy(&last, &live);
	victim = step_spawn(run_victim, (void *)(uintptr_t)preset);
	if (victim < 0)
		return victim;
	judge_image(tally, &live, "victim killed", 0);
	while (step == STEP_DONE && tally->points < STEPS_MAX) {
		step = step_once(victim);
		tally->points++;
		tally->unrung += is_unrung();
		if (world_same(&live, &last))
			continue;
		world_copy(&last, &live);
		tally->images++;
		judge_image(tally, &live, "victim killed", tally->points);
		if (world_repair_key(&live) == key)
			continue;
		key = world_repair_key(&live);
		walk_repair(tally, repairer, tally->points);
	}
	if (step != STEP_MARK)
		violation(tally, "victim", tally->points, "does not come to its end");
	if (step != STEP_GONE)
		step_kill(victim);
	return 0;
}

/* ---- from corpses ---- */

static int kill_after(struct tally *tally, void (*body)(void *), void *argument, uint64_t steps)
{
	enum step step = STEP_DONE;
	pid_t pid = step_spawn(body, argument);

	if (pid < 0)
		return pid;
	while (steps-- && step == STEP_DONE)
		step = step_once(pid);
	if (step != STEP_GONE)
		step_kill(pid);
	tally->kills++;
	return 0;
}

static int walk_kills(struct tally *tally, const struct preset *preset, uint64_t stride)
{
	void *argument = (void *)(uintptr_t)preset;

	for (uint64_t at = stride; at < tally->points; at += stride) {
		const char *wrong;
		int r;

		world_reset(&live, preset);
		r = kill_after(tally, run_victim, argument, at);
		wrong = at / stride % 2 ? world_disturb(&live) : NULL;
		if (!r)
			r = kill_after(tally, run_repairer, &live, at % 300);
		if (!wrong)
			wrong = world_repair(&live);
		if (!r)
			r = kill_after(tally, run_victim, argument, at * 7 % tally->points);
		if (r)
			return r;
		if (!wrong)
			wrong = world_judge(&live);
		if (wrong)
			violation(tally, "real kill", at, wrong);
	}
	return 0;
}

static int walk(struct tally *tally, const struct preset *preset, bool all_kills)
{
	pid_t repairer = step_spawn(run_repairer, &scratch);
	uint64_t stride;
	int r;

	if (repairer < 0)
		return repairer;
	r = walk_images(tally, preset, repairer);
	step_kill(repairer);
	stride = tally->points * tally->points / KILL_STEPS_MAX;
	if (stride < KILL_STRIDE_MIN)
		stride = KILL_STRIDE_MIN;
	return r ? r : walk_kills(tally, preset, all_kills ? 1 : stride | 1);
}

int main(int argc, char **argv)
{
	bool all_kills = argc > 1 && !strcmp(argv[1], "--all-kills");
	uint64_t violations = 0;

	expected = argc > 1 && !strcmp(argv[1], "--expect-violations");
	world_init(&live);
	world_init(&last);
	world_init(&replica);
	world_init(&scratch);
	for (size_t i = 0; i < (expected ? 1 : sizeof(presets) / sizeof(presets[0])); i++) {
		struct tally tally = { .name = presets[i].name };
		uint64_t start_ns = clock_now_ns();
		int r = walk(&tally, &presets[i], all_kills);

		if (r) {
			printf("crash name=%s skipped=\"can't trace: %s\"\n", tally.name, strerror(-r));
			return EXIT_SKIP;
		}
		printf("crash name=%s build=%s points=%" PRIu64 " images=%" PRIu64 " repair_points=%" PRIu64
		       " repair_images=%" PRIu64 " kills=%" PRIu64 " unrung=%" PRIu64 " violations=%" PRIu64
		       " ms=%" PRIu64 "\n",
		       tally.name, CRASH_BUILD, tally.points, tally.images, tally.repair_points, tally.repair_images,
		       tally.kills, tally.unrung, tally.violations, (clock_now_ns() - start_ns) / NS_PER_MS);
		fflush(stdout);
		violations += tally.violations;
		if (!tally.images || !tally.repair_images || !tally.kills) {
			fprintf(stderr, "crash: %s: a walk that saw nothing proves nothing\n", tally.name);
			return 1;
		}
	}
	return (violations > 0) != expected;
}
