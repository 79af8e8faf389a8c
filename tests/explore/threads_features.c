/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The explorer's programs as threads under ThreadSanitizer: the same bodies over the same real files, with thousands of items, real
 * doorbells and the processor's own orders. What the explorer asks of its machine is answered here: nothing is declared, nobody
 * dies, and a pause gives the processor away.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/memory/doorbell.h"
#include "tests/explore/features.h"
#include "tests/explore/real.h"

#define BODIES_MAX 3u

struct program {
	const char *name;
	struct world_settings settings;
	void (*prepare)(void);
	void (*bodies[BODIES_MAX])(unsigned slot); /* each in the slot, or thread, of `numbers` */
	unsigned numbers[BODIES_MAX];
	const char *(*at_end)(void);
	unsigned rounds; /* how often, of what happens once */
};

struct running {
	pthread_t thread;
	void (*body)(unsigned slot);
	unsigned number;
};

noreturn void explore_fail(const char *what)
{
	fprintf(stderr, "threads: %s\n", what);
	exit(1);
}

void explore_arena(void *base, size_t size_bytes)
{
	memset(base, 0, size_bytes);
}

void explore_word(const void *address, size_t size_bytes, enum explore_word how)
{
	(void)address;
	(void)size_bytes;
	(void)how;
}

void explore_bulk(const void *base, size_t size_bytes)
{
	(void)base;
	(void)size_bytes;
}

void explore_pause(const void *const *words, unsigned n_words)
{
	(void)words;
	(void)n_words;
	sched_yield();
}

int explore_wait_death(unsigned mask)
{
	(void)mask;
	return -1;
}

void explore_spawn(unsigned thread)
{
	(void)thread;
}

void explore_killable(bool killable)
{
	(void)killable;
}

bool explore_kill_was_whole(void)
{
	return true;
}

static const char *end_at_1(void)
{
	return world_check_consumer(1);
}

static const char *end_at_2(void)
{
	return world_check_consumer(2);
}

static const struct program programs[] = {
	{ .name = "plain",
	  .settings = { .items = 20000, .batch = 1, .capacity = 16 * RECORD_SIZE },
	  .bodies = { real_produce_plain, real_consume_plain },
	  .numbers = { 0, 1 },
	  .at_end = end_at_1,
	  .rounds = 1 },
	{ .name = "general",
	  .settings = { .items = 20000, .batch = 3, .capacity = 8 * RECORD_SIZE },
	  .bodies = { real_produce, real_consume },
	  .numbers = { 0, 1 },
	  .at_end = end_at_1,
	  .rounds = 1 },
	{ .name = "relay",
	  .settings = { .items = 20000, .batch = 2, .capacity = 4 * RECORD_SIZE },
	  .bodies = { produce, relay, consume },
	  .numbers = { 0, 1, 2 },
	  .at_end = end_at_2,
	  .rounds = 1 },
	{ .name = "drop_old",
	  .settings = { .items = 20000, .batch = 1, .capacity = 4 * RECORD_SIZE },
	  .bodies = { drop_produce, drop_consume },
	  .numbers = { 0, 1 },
	  .at_end = drop_end,
	  .rounds = 1 },
	{ .name = "in_flight",
	  .settings = { .items = 20000, .batch = 4, .capacity = 16 * RECORD_SIZE, .asynchronous = true },
	  .bodies = { produce, async_run },
	  .numbers = { 0, 1 },
	  .at_end = async_end,
	  .rounds = 1 },
	{ .name = "pass_on", /* as many as the lane of references holds: their records don't divide it */
	  .settings = { .items = LANE_MAX / 56, .batch = 1, .capacity = 2 * RECORD_SIZE },
	  .bodies = { produce, pass_relay, pass_consume },
	  .numbers = { 0, 1, 2 },
	  .at_end = pass_end,
	  .rounds = 1 },
	{ .name = "rendezvous",
	  .settings = { .items = 2000, .batch = 1, .capacity = 2 * RECORD_SIZE },
	  .bodies = { meet_produce, meet_consume },
	  .numbers = { 0, 1 },
	  .at_end = end_at_1,
	  .rounds = 1 },
	{ .name = "retire",
	  .settings = { .batch = 1, .capacity = 4 * RECORD_SIZE },
	  .prepare = retire_prepare,
	  .bodies = { retire_produce, retire_supervise, retire_sum },
	  .numbers = { 0, 3, 4 },
	  .at_end = retire_end,
	  .rounds = 200 },
	{ .name = "retire_asleep",
	  .settings = { .batch = 1, .capacity = 4 * RECORD_SIZE },
	  .prepare = retire_prepare_asleep,
	  .bodies = { retire_produce, retire_consume },
	  .numbers = { 0, 2 },
	  .rounds = 200 },
	{ .name = "leave",
	  .settings = { .items = 50, .batch = 1, .capacity = RECORD_SIZE },
	  .bodies = { leave_produce, leave_consume },
	  .numbers = { 0, 1 },
	  .at_end = leave_end,
	  .rounds = 50 },
};

static void *run_body(void *argument)
{
	const struct running *running = argument;

	running->body(running->number);
	return NULL;
}

static void run(const struct program *program, uint64_t base)
{
	struct running running[BODIES_MAX] = { 0 };
	struct world_settings settings = program->settings;
	const char *wrong;
	unsigned n = 0;

	settings.base = base;
	if (program->bodies[0] == drop_produce)
		settings.see[0] = SEE_LOW; /* the geometry has ordinals */
	real_reset();
	world_reset(&settings);
	if (program->prepare)
		program->prepare();
	for (; n < BODIES_MAX && program->bodies[n]; n++) {
		running[n] = (struct running){ .body = program->bodies[n], .number = program->numbers[n] };
		if (pthread_create(&running[n].thread, NULL, run_body, &running[n]))
			exit(2);
	}
	while (n)
		pthread_join(running[--n].thread, NULL);
	wrong = program->at_end ? program->at_end() : NULL;
	if (wrong) {
		fprintf(stderr, "threads: %s: %s\n", program->name, wrong);
		exit(1);
	}
}

int main(void)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (doorbell_open(&world_doorbells[i]))
			return 2;
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		for (unsigned round = 0; round < programs[i].rounds; round++)
			run(&programs[i], programs[i].at_end == pass_end ? 0 : UINT64_MAX - 127);
		printf("threads program=%s items=%llu rounds=%u violations=0\n", programs[i].name,
		       (unsigned long long)programs[i].settings.items, programs[i].rounds);
		fflush(stdout);
	}
	return 0;
}
