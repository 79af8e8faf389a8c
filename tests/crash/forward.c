/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kills a worker at every instruction of forwarding, of sharing one payload among outputs, of giving held room back, and of attaching
 * with references outstanding.
 *
 *      live      the victim is stepped through it    --copy at each instruction that changed its segment-->
 *      replica   the judge: [peers take all that they see, the producer overwrites all room that it sees], repair, next generation,
 *                everything to the end: each item once, in order, with the bytes that were put in
 *
 * What must not happen is that room is given back which a visible reference leads to, so the producer fills whatever it is given. Real worker
 * code in real segments (tests/unit/worker/hops); walk.c says why a copy is as good as a corpse. One line per preset on stdout. Exit: 0 no
 * violation, 1 violations, 77 this machine can't trace.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/base/clock.h"
#include "tests/crash/step.h"
#include "tests/unit/worker/hops.h"
#include "worker/pins.h"
#include "worker/turn.h"

#define STEPS_MAX 2000000u
#define SIZE 8192u
#define EXIT_SKIP 77

static const uint32_t chain[][2] = { { 0, 1 }, { 1, 2 }, { 2, 3 } };
static const uint32_t fan[][2] = { { 0, 1 }, { 0, 2 } };

struct preset {
	const char *name;
	const uint32_t (*edges)[2];
	uint32_t n_edges, victim;
	unsigned passed;  /* items that have gone all the way before */
	unsigned held;    /* items that the victim has passed on and nobody has taken */
	unsigned waiting; /* items that wait for the victim */
	bool freed;       /* its consumers have just freed what it holds */
	bool from_attach;
};

static const struct preset presets[] = {
	{ .name = "forward", .edges = chain, .n_edges = 3, .victim = 1, .waiting = 2 },
	{ .name = "forward_reference", .edges = chain, .n_edges = 3, .victim = 2, .passed = 3, .waiting = 2 },
	{ .name = "forward_held", .edges = chain, .n_edges = 3, .victim = 1, .passed = 6, .held = 3, .waiting = 2 },
	{ .name = "release", .edges = chain, .n_edges = 3, .victim = 1, .held = 3, .freed = true },
	{ .name = "attach", .edges = chain, .n_edges = 3, .victim = 1, .held = 3, .waiting = 1, .from_attach = true },
	{ .name = "attach_freed", .edges = chain, .n_edges = 3, .victim = 1, .held = 3, .freed = true, .from_attach = true },
	{ .name = "share", .edges = fan, .n_edges = 2, .victim = 0, .waiting = 2 },
	{ .name = "share_full", .edges = fan, .n_edges = 2, .victim = 0, .passed = 5, .held = 6, .waiting = 1 },
	{ .name = "share_attach", .edges = fan, .n_edges = 2, .victim = 0, .held = 3, .waiting = 1, .from_attach = true },
};

struct world {
	struct hops hops;
	unsigned char *bytes[HOPS_MAX]; /* each segment, whole and writable */
	unsigned n_put;                 /* items that the first worker has committed */
	unsigned n_got[HOPS_MAX];       /* ... and that each worker at an end has taken */
};

struct tally {
	const char *name;
	uint64_t points, images, violations;
};

static struct world live, replica;
static unsigned char *last; /* the victim's segment at the last image */

static void violation(struct tally *tally, uint64_t point, const char *what)
{
	if (tally->violations++ < 5)
		fprintf(stderr, "crash: %s: victim killed at instruction %" PRIu64 ": %s\n", tally->name, point, what);
}

static bool is_end(const struct preset *preset, uint32_t slot)
{
	for (uint32_t i = 0; i < preset->n_edges; i++)
		if (preset->edges[i][0] == slot)
			return false;
	return true;
}

/* ---- what the workers do ---- */

/* The first one's next items, as many as fit: numbers follow from its cursor, so no generation repeats one. */
static void put_some(struct world *world, unsigned limit)
{
	struct worker *worker = &world->hops.workers[0];

	turn_release(worker);
	while (limit-- && hops_put(&world->hops, 0, (unsigned)(worker->cursor.sequence & 127), SIZE) == 0)
		;
	hops_commit(&world->hops, 0);
}

static const char *take_some(struct world *world, uint32_t slot, unsigned limit)
{
	int number;

	while (limit-- && (number = hops_take(&world->hops, slot)) != -1) {
		if (number < 0)
			return "an end finds its lane broken";
		if (number != (int)(world->n_got[slot]++ & 127))
			return "an item is lost, repeated, out of order or overwritten";
	}
	hops_commit(&world->hops, slot);
	return NULL;
}

static void pass_some(struct world *world, uint32_t slot, unsigned limit)
{
	while (limit-- && hops_pass(&world->hops, slot) >= 0)
		;
	hops_commit(&world->hops, slot);
}

/* One worker does what it can. */
static const char *act(struct world *world, const struct preset *preset, uint32_t slot, unsigned limit)
{
	const char *wrong = NULL;

	if (slot == 0)
		put_some(world, limit);
	else if (is_end(preset, slot))
		wrong = take_some(world, slot, limit);
	else
		pass_some(world, slot, limit);
	turn_release(&world->hops.workers[slot]);
	return wrong;
}

/* Everybody but one, from the ends up, so that room travels up and then is filled. */
static const char *act_all(struct world *world, const struct preset *preset, uint32_t except)
{
	const char *wrong = NULL;

	for (uint32_t slot = world->hops.n; slot-- > 0 && !wrong;)
		if (slot != except)
			wrong = act(world, preset, slot, UINT32_MAX);
	return wrong;
}

static void victim_turn(struct world *world, const struct preset *preset)
{
	if (preset->victim == 0)
		put_some(world, preset->waiting);
	else
		pass_some(world, preset->victim, preset->waiting);
	turn_release(&world->hops.workers[preset->victim]);
}

static void run_victim(void *argument)
{
	const struct preset *preset = argument;

	if (preset->from_attach)
		step_mark();
	/* the parent's writable mapping was not inherited; its record of it is forgotten, not unmapped */
	live.hops.workers[preset->victim].pins = NULL;
	if (hops_seat(&live.hops, preset->victim) != 0)
		return;
	if (!preset->from_attach)
		step_mark();
	victim_turn(&live, preset);
	step_mark();
}

/* ---- worlds ---- */

static void world_init(struct world *world, const struct preset *preset)
{
	*world = (struct world){ 0 };
	hops_init(&world->hops, preset->edges, preset->n_edges);
	for (uint32_t i = 0; i < world->hops.n; i++) {
		world->bytes[i] = mmap(NULL, world->hops.geometries[i].size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
				       world->hops.fds[i], 0);
		if (world->bytes[i] == MAP_FAILED)
			exit(2);
	}
}

static void world_deinit(struct world *world)
{
	for (uint32_t i = 0; i < world->hops.n; i++)
		munmap(world->bytes[i], world->hops.geometries[i].size_bytes);
	hops_deinit(&world->hops);
}

static void world_prepare(struct world *world, const struct preset *preset)
{
	unsigned n = preset->held + (preset->victim ? preset->waiting : 0);

	for (unsigned i = 0; i < preset->passed; i++)
		for (uint32_t slot = 0; slot < world->hops.n; slot++)
			act(world, preset, slot, 1);
	for (uint32_t slot = world->hops.n; slot-- > 0;)
		turn_release(&world->hops.workers[slot]);
	for (uint32_t slot = 0; slot < preset->victim; slot++)
		act(world, preset, slot, n);
	if (preset->held)
		act(world, preset, preset->victim, preset->held);
	for (uint32_t slot = world->hops.n - 1; preset->freed && slot > preset->victim; slot--)
		for (uint32_t later = preset->victim + 1; later < world->hops.n; later++)
			act(world, preset, later, UINT32_MAX);
	world->n_put = 0;
}

/* The memory, and fresh workers on it; whoever is not the victim has lost nothing but its pins. */
static const char *world_copy(struct world *to, const struct world *from, uint32_t victim)
{
	for (uint32_t i = 0; i < to->hops.n; i++)
		memcpy(to->bytes[i], from->bytes[i], from->hops.geometries[i].size_bytes);
	memcpy(to->n_got, from->n_got, sizeof(to->n_got));
	for (uint32_t i = 0; i < to->hops.n; i++)
		if (i != victim && hops_replace(&to->hops, i) != 0)
			return "a neighbour can't attach";
	return NULL;
}

static const char *run_to_the_end(struct world *world, const struct preset *preset)
{
	unsigned before = world->n_got[world->hops.n - 1];
	const char *wrong = NULL;

	for (unsigned round = 0; round < 20 && !wrong; round++)
		wrong = act_all(world, preset, UINT32_MAX);
	for (unsigned round = 0; round < 4 && !wrong; round++)
		for (uint32_t slot = 1; slot < world->hops.n && !wrong; slot++)
			wrong = act(world, preset, slot, UINT32_MAX);
	if (wrong)
		return wrong;
	for (uint32_t slot = 1; slot < world->hops.n; slot++)
		if (is_end(preset, slot) &&
		    world->n_got[slot] != world->hops.workers[0].cursor.sequence)
			return "an item never arrived";
	return world->n_got[world->hops.n - 1] < before + 20 ? "the room that was held does not come back" : NULL;
}

static const char *judge(const struct preset *preset, bool disturbed)
{
	const char *wrong = world_copy(&replica, &live, preset->victim);

	for (unsigned i = 0; i < 2 && disturbed && !wrong; i++)
		wrong = act_all(&replica, preset, preset->victim);
	if (!wrong && hops_replace(&replica.hops, preset->victim) != 0)
		wrong = "the next generation can't attach";
	for (unsigned i = 0; i < 2 && !wrong; i++)
		wrong = act_all(&replica, preset, i ? UINT32_MAX : preset->victim);
	return wrong ? wrong : run_to_the_end(&replica, preset);
}

static void judge_image(struct tally *tally, const struct preset *preset)
{
	tally->images++;
	for (int disturbed = 0; disturbed < 2; disturbed++) {
		const char *wrong = judge(preset, disturbed);

		if (wrong)
			violation(tally, tally->points, wrong);
	}
}

static int walk(struct tally *tally, const struct preset *preset)
{
	size_t size;
	enum step step = STEP_DONE;
	pid_t victim;

	world_init(&live, preset);
	world_init(&replica, preset);
	world_prepare(&live, preset);
	size = live.hops.geometries[preset->victim].size_bytes;
	last = malloc(size);
	if (!last)
		exit(2);
	memcpy(last, live.bytes[preset->victim], size);
	victim = step_spawn(run_victim, (void *)(uintptr_t)preset);
	if (victim < 0)
		return victim;
	judge_image(tally, preset);
	while (step == STEP_DONE && tally->points < STEPS_MAX) {
		step = step_once(victim);
		tally->points++;
		if (!memcmp(live.bytes[preset->victim], last, size))
			continue;
		memcpy(last, live.bytes[preset->victim], size);
		judge_image(tally, preset);
	}
	if (step != STEP_MARK)
		violation(tally, tally->points, "the victim does not come to its end");
	if (step != STEP_GONE)
		step_kill(victim);
	free(last);
	world_deinit(&replica);
	world_deinit(&live);
	return 0;
}

int main(void)
{
	uint64_t violations = 0;

	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
		struct tally tally = { .name = presets[i].name };
		uint64_t start_ns = clock_now_ns();
		int r = walk(&tally, &presets[i]);

		if (r) {
			printf("crash name=%s skipped=\"can't trace: %s\"\n", tally.name, strerror(-r));
			return EXIT_SKIP;
		}
		printf("crash name=%s points=%" PRIu64 " images=%" PRIu64 " violations=%" PRIu64 " ms=%" PRIu64 "\n",
		       tally.name, tally.points, tally.images, tally.violations,
		       (clock_now_ns() - start_ns) / NS_PER_MS);
		fflush(stdout);
		violations += tally.violations;
		if (tally.images < 3) {
			fprintf(stderr, "crash: %s: a walk that saw nothing proves nothing\n", tally.name);
			return 1;
		}
	}
	return violations > 0;
}
