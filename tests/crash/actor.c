/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker beside the victim has to be asleep with `armed` set when the victim dies, and has to be so again for each of
 * the thousands of images that are judged. So workers are coroutines: the code of worker/ runs on a stack of its own until it sleeps
 * with a silent doorbell; then the judge goes on. Stack, heap and struct worker of each lie in one arena, which is copied
 * away and back.
 *
 *      judge   --resume-->  worker_attach, turn_loop ... wait_sleep -> sleep  --switch-->  judge
 *                                                                   ^--------resume-------/
 *
 * The linker sends the calls that touch the kernel here (--wrap): inside a coroutine they are answered from the judge's world;
 * in the victim, which is a process of its own, they go through.
 */
#include "tests/crash/actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/memory/doorbell.h"
#include "tests/rings.h"
#include "tests/crash/step.h"
#include "worker/attach.h"
#include "worker/host.h"
#include "worker/run.h"
#include "worker/sleeper.h"
#include "worker/turn.h"
#include "worker/worker.h"

#define HEAP_SIZE 262144u
#define STACK_SIZE 49152u
#define TIMERS_MAX 40u
#define SWITCHES_MAX 20000u /* in one judgement; more is a livelock */

struct actor {
	ucontext_t context;
	struct worker worker;
	uint32_t slot, generation, calls_left;                  /* calls_left 0: never stopped */
	bool seated, running, ended, asleep, paused, wake, due; /* due: its sleep would end by itself within a second */
	size_t heap_used;
	_Alignas(16) unsigned char heap[HEAP_SIZE];
	_Alignas(16) unsigned char stack[STACK_SIZE];
};

static struct actor actors[WORLD_SLOTS_MAX];
static struct actor saved_first[WORLD_SLOTS_MAX], saved_later[WORLD_SLOTS_MAX];
static struct actor *saved = saved_first;
static struct actor *current; /* NULL: not in a coroutine */
static struct world *world_used;
static ucontext_t judge;
static const char *wrong;

struct victim {
	uint64_t hand;
	bool pauses; /* it stands before a sleep, and its neighbours may act */
	char wrong[128];
};
static struct victim *victim; /* shared with its process */
static struct worker *victim_worker;
static uint32_t sleeps_left, interludes_left;

/* ---- stages' words ---- */

void crash_wrong(const char *what)
{
	if (victim_worker)
		snprintf(victim->wrong, sizeof(victim->wrong), "%s", what);
	else if (!wrong)
		wrong = what;
}

static void yield(void)
{
	struct actor *actor = current;

	swapcontext(&actor->context, &judge);
}

void crash_item(struct weir_context *context, const struct weir_item *item)
{
	(void)context;
	if (victim_worker && item)
		victim->hand = (uint64_t)item->input << ACTOR_HAND_INPUT_SHIFT | (item->sequence + 1);
	if (!current || !current->calls_left)
		return;
	if (!--current->calls_left) {
		current->paused = true;
		yield();
	}
}

void crash_item_in_flight(struct weir_context *context, const struct weir_item *item, bool alone)
{
	(void)context;
	if (victim_worker)
		victim->hand = alone ? (uint64_t)item->input << ACTOR_HAND_INPUT_SHIFT | (item->sequence + 1) :
				       ACTOR_HAND_SEVERAL;
}

void crash_item_over(struct weir_context *context)
{
	(void)context;
	if (victim_worker)
		victim->hand = 0;
}

uint64_t actor_victim_hand(void)
{
	return victim->hand;
}

bool actor_victim_pauses(void)
{
	bool pauses = victim->pauses;

	victim->pauses = false;
	return pauses;
}

const char *actor_victim_wrong(void)
{
	return victim->wrong[0] ? victim->wrong : NULL;
}

void actor_victim_reset(void)
{
	if (!victim)
		victim = mmap(NULL, sizeof(*victim), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must_work(victim == MAP_FAILED ? -ENOMEM : 0, "mmap");
	*victim = (struct victim){ 0 };
}

/* ---- what a worker is ---- */

static const struct weir_stage *stage_of(uint32_t slot)
{
	uint32_t number = world_plan_now->slots[slot].stage;
	const struct plan_stage *planned = &world_plan_now->stages[number];

	if (scenario_now->stages[number])
		return scenario_now->stages[number];
	return planned->role == WEIR_SOURCE ? &crash_source :
	       planned->role == WEIR_SINK   ? &crash_sink :
					      &crash_operator;
}

/* What worker/main.c does, without the control client. Returns what its loop says. */
static int be_worker(struct worker *worker, const struct heritage *heritage, uint32_t generation)
{
	struct text why = TEXT_NULL;
	int r;

	*worker = (struct worker){ .context = { .host = &worker_host }, .watch = { .fd = -1 }, .heritage = *heritage };
	worker->heritage.generation = generation;
	/* the peers' fds are closed and forgotten by the worker: not in the world's own list */
	worker->heritage.peers = calloc(heritage->n_peers + 1, sizeof(*heritage->peers));
	memcpy(worker->heritage.peers, heritage->peers, heritage->n_peers * sizeof(*heritage->peers));
	worker->stage = *stage_of(heritage->slot);
	worker->order_seen = BOARD_RUN;
	r = worker_attach(worker, &why);
	if (r < 0)
		return r;
	worker->phase = PHASE_OPEN;
	r = worker->stage.open(&worker->context, &worker->state);
	worker->phase = PHASE_NONE;
	if (r == 0)
		r = worker->stage.run ? run_loop(worker) : turn_loop(worker);
	if (r == WEIR_FAILED && scenario_now->lost)
		r = 0; /* that is how its producer's end has to end */
	else if (r == 0)
		worker_set_state(worker, WORKER_STATE_ENDED, NO_LANE);
	return r;
}

/* ---- coroutines ---- */

static void body(void)
{
	struct actor *actor = current;
	static char text[256];

	int r = be_worker(&actor->worker, &world_used->heritages[actor->slot], actor->generation);
	if (r != 0) {
		snprintf(text, sizeof(text), "the worker in slot %u ends with %d: %.150s", actor->slot, r,
			 actor->worker.reason);
		crash_wrong(text);
	}
	actor->ended = true;
	for (;;)
		yield();
}

static void resume(struct actor *actor)
{
	if (!actor->running) {
		getcontext(&actor->context);
		actor->context.uc_stack.ss_sp = actor->stack;
		actor->context.uc_stack.ss_size = sizeof(actor->stack);
		actor->context.uc_link = NULL;
		makecontext(&actor->context, body, 0);
		actor->running = true;
	}
	actor->asleep = false;
	actor->paused = false;
	current = actor;
	swapcontext(&judge, &actor->context);
	current = NULL;
}

void actor_use(struct world *world)
{
	world_used = world;
	memset(actors, 0, sizeof(actors));
}

void actor_seat(uint32_t slot, uint32_t generation)
{
	actors[slot] = (struct actor){ .slot = slot, .generation = generation, .seated = true };
}

void actor_kill(uint32_t slot)
{
	actors[slot].seated = false;
}

bool actor_is_seated(uint32_t slot)
{
	return actors[slot].seated;
}

void actor_run(const struct scenario_step *step)
{
	struct actor *actor = &actors[step->slot];

	if (!actor->seated)
		actor_seat(step->slot, 0);
	actor->calls_left = step->calls;
	do
		resume(actor);
	while (!actor->ended && !actor->paused && doorbell_is_rung(world_used->doorbells[step->slot]));
	actor->calls_left = 0;
	must_work(wrong ? 1 : 0, wrong ? wrong : "");
}

const char *actor_run_all(bool wake)
{
	uint32_t switches = 0, rounds = TIMERS_MAX;
	bool progress = true;

	wrong = NULL;
	for (uint32_t i = 0; i < world_plan_now->n_slots; i++)
		actors[i].wake = wake;
	while (progress && !wrong) {
		progress = false;
		for (uint32_t i = 0; i < world_plan_now->n_slots; i++) {
			struct actor *actor = &actors[i];

			if (!actor->seated || actor->ended ||
			    (actor->asleep && !actor->wake && !doorbell_is_rung(world_used->doorbells[i])))
				continue;
			resume(actor);
			progress = true;
			if (++switches == SWITCHES_MAX)
				return "the workers wake each other for ever";
		}
		for (uint32_t i = 0; i < world_plan_now->n_slots && scenario_now->timers && !progress && rounds; i++)
			if (actors[i].seated && actors[i].asleep && actors[i].due) {
				actors[i].wake = progress = true;
				rounds--;
			}
	}
	return wrong;
}

const char *actor_asleep(void)
{
	static char text[64];

	for (uint32_t i = 0; i < world_plan_now->n_slots; i++)
		if (actors[i].seated && !actors[i].ended) {
			snprintf(text, sizeof(text), "hang: the worker in slot %u sleeps for ever", i);
			return text;
		}
	return NULL;
}

static size_t actor_head(void)
{
	return offsetof(struct actor, heap);
}

/* The unused parts of heap and stack are not copied. */
static void copy_actor(struct actor *to, const struct actor *from)
{
	size_t below = 0;

	memcpy(to, from, actor_head());
	memcpy(to->heap, from->heap, from->heap_used);
	if (!from->running)
		return;
#ifdef __x86_64__
	{
		/* the original's address: a copy's stack pointer still points there. 128 bytes: the red zone */
		const struct actor *original = &actors[from->slot];
		uintptr_t sp = (uintptr_t)from->context.uc_mcontext.gregs[REG_RSP] - 128;

		if (sp > (uintptr_t)original->stack && sp < (uintptr_t)original->stack + STACK_SIZE)
			below = sp - (uintptr_t)original->stack;
	}
#endif
	memcpy(to->stack + below, from->stack + below, STACK_SIZE - below);
}

void actor_save(bool later)
{
	saved = later ? saved_later : saved_first;
	for (uint32_t i = 0; i < world_plan_now->n_slots; i++)
		copy_actor(&saved[i], &actors[i]);
}

void actor_restore_first(void)
{
	saved = saved_first;
}

void actor_restore(void)
{
	for (uint32_t i = 0; i < world_plan_now->n_slots; i++)
		copy_actor(&actors[i], &saved[i]);
}

/* ---- the victim ---- */

void actor_be_victim(struct world *world, uint32_t generation)
{
	struct heritage *heritage = &world->heritages[scenario_now->victim];
	static struct worker worker;
	int r;

	world_used = NULL;
	/* a slot can be a peer, too: its descriptor as that is closed early */
	for (uint32_t i = 0; i < heritage->n_origins; i++)
		heritage->origins[i].segment_fd = dup(heritage->origins[i].segment_fd);
	sleeps_left = scenario_now->sleeps ? scenario_now->sleeps : 2;
	interludes_left = scenario_now->interludes;
	victim_worker = &worker;
	step_mark();
	r = be_worker(&worker, heritage, generation);
	if (r != 0)
		snprintf(victim->wrong, sizeof(victim->wrong), "it ends with %d: %.90s", r, worker.reason);
	step_mark();
}

/* ---- calls that go elsewhere in a coroutine ---- */

static void victim_sleeps(void)
{
	if (interludes_left) {
		interludes_left--;
		victim->pauses = true;
		step_mark();
	} else if (!--sleeps_left) {
		step_mark();
	}
}

/* A coroutine's sleep: its bell alone, and to be told of a ring is to take it back, as in an edge-triggered epoll. */
static int actor_sleeps(bool may_wait, bool due)
{
	int doorbell_fd = world_used->doorbells[current->slot];

	if (!doorbell_is_rung(doorbell_fd) && may_wait) {
		current->asleep = true;
		current->due = due;
		yield();
		current->wake = false;
	}
	if (!doorbell_is_rung(doorbell_fd))
		return 0;
	rings_forget(doorbell_fd);
	return SLEEPER_DOORBELL;
}

int __real_sleeper_open(struct sleeper *sleeper, int doorbell_fd, int control_fd, int lifeline_fd);
int __wrap_sleeper_open(struct sleeper *sleeper, int doorbell_fd, int control_fd, int lifeline_fd);
int __wrap_sleeper_open(struct sleeper *sleeper, int doorbell_fd, int control_fd, int lifeline_fd)
{
	if (!current)
		return __real_sleeper_open(sleeper, doorbell_fd, control_fd, lifeline_fd);
	*sleeper = (struct sleeper){ .is_open = true, .epoll_fd = -1, .timer_fd = -1 };
	return 0;
}

int __real_sleeper_wait(struct sleeper *sleeper, uint64_t now_ns, uint64_t until_ns);
int __wrap_sleeper_wait(struct sleeper *sleeper, uint64_t now_ns, uint64_t until_ns);
int __wrap_sleeper_wait(struct sleeper *sleeper, uint64_t now_ns, uint64_t until_ns)
{
	bool may_wait = until_ns > now_ns;
	int r;

	if (current)
		return actor_sleeps(may_wait, may_wait && until_ns - now_ns < NS_PER_S);
	r = __real_sleeper_wait(sleeper, now_ns, now_ns);
	if (r != 0 || !may_wait)
		return r;
	victim_sleeps();
	return __real_sleeper_wait(sleeper, now_ns, now_ns);
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	unsigned char *place;

	if (!current)
		return __real_calloc(n, size);
	place = current->heap + current->heap_used;
	current->heap_used += (n * size + 63) / 64 * 64;
	must(current->heap_used <= HEAP_SIZE);
	return memset(place, 0, n * size);
}

void __real_free(void *pointer);
void __wrap_free(void *pointer);
void __wrap_free(void *pointer)
{
	if (!current)
		__real_free(pointer);
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	return current ? 0 : __real_close(fd);
}

int __real_segment_attach(struct segment *segment, int fd, const struct segment_geometry *geometry,
			  enum segment_access access);
int __wrap_segment_attach(struct segment *segment, int fd, const struct segment_geometry *geometry,
			  enum segment_access access);
int __wrap_segment_attach(struct segment *segment, int fd, const struct segment_geometry *geometry,
			  enum segment_access access)
{
	for (uint32_t i = 0; world_used && i < world_plan_now->n_slots; i++)
		if (world_used->fds[i] == fd) {
			*segment = world_used->segments[i];
			return 0;
		}
	return __real_segment_attach(segment, fd, geometry, access);
}

void __real_segment_detach(struct segment *segment);
void __wrap_segment_detach(struct segment *segment);
void __wrap_segment_detach(struct segment *segment)
{
	for (uint32_t i = 0; world_used && i < world_plan_now->n_slots; i++)
		if (world_used->segments[i].base == segment->base)
			return;
	__real_segment_detach(segment);
}

int __real_lane_map(int fd, uint64_t offset, size_t size_bytes, enum segment_access access, bool populate,
		    unsigned char **ret_data);
int __wrap_lane_map(int fd, uint64_t offset, size_t size_bytes, enum segment_access access, bool populate,
		    unsigned char **ret_data);
int __wrap_lane_map(int fd, uint64_t offset, size_t size_bytes, enum segment_access access, bool populate,
		    unsigned char **ret_data)
{
	for (uint32_t i = 0; world_used && i < world_plan_now->n_lanes; i++)
		if (world_used->fds[world_plan_now->lanes[i].producer] == fd &&
		    world_plan_now->lanes[i].off_data == offset) {
			*ret_data = world_used->lanes[i];
			return 0;
		} else if (world_used->holds[i] && world_used->fds[world_plan_now->lanes[i].consumer] == fd &&
			   world_plan_now->lanes[i].off_hold == offset) {
			*ret_data = world_used->holds[i];
			return 0;
		}
	return __real_lane_map(fd, offset, size_bytes, access, populate, ret_data);
}

int __real_board_attach(int fd, uint32_t n_slots, const struct board **ret_board);
int __wrap_board_attach(int fd, uint32_t n_slots, const struct board **ret_board);
int __wrap_board_attach(int fd, uint32_t n_slots, const struct board **ret_board)
{
	if (!world_used)
		return __real_board_attach(fd, n_slots, ret_board);
	*ret_board = world_used->board;
	return 0;
}
