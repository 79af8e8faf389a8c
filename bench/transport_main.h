/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measured loops and main(); included once, at the end of a transport's file.
 *
 *     one-way      P0 ---> C1                       round-trip   P0 ---> C1
 *                                                                P0 <--- C1
 *     fan          P0 ---> W0 ---> C1               many         P0 P0 P0 P0 ---> C1
 *                     \--> W1 --/                   (the digit is the processor)
 */
#pragma once

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/transport.h"
#include "common/base/atomic.h"

#define N_WORKERS 2u
#define N_PRODUCERS 4u
#define SMALL 64u /* the one size that is a constant to the compiler, for every transport */
#define INLINE static inline __attribute__((always_inline))

static struct channel channels[CHANNELS_MAX];

struct tally {
	uint64_t n_taken, n_warm_up, sum, sequences;
	uint64_t begun_ns, ended_ns;
};

INLINE uint64_t tally_take(struct tally *tally, const struct run *run, const unsigned char *message, size_t size_bytes)
{
	uint64_t sequence;

	memcpy(&sequence, message, sizeof(sequence));
	for (size_t at = MESSAGE_LINE; at < size_bytes; at += MESSAGE_LINE)
		tally->sum += message[at];
	tally->sequences += sequence;
	tally->n_taken++;
	if (tally->n_taken == tally->n_warm_up)
		tally->begun_ns = time_now_ns();
	else if (tally->n_taken == run->count)
		tally->ended_ns = time_now_ns();
	return sequence;
}

static void tally_check(const struct tally *tally, const struct run *run, uint64_t n_producers)
{
	uint64_t each = run->count / n_producers, sequences = n_producers * (each * (each - 1) / 2);

	errno = 0;
	if (tally->n_taken != run->count || tally->sequences != sequences)
		die("%llu messages of %llu came, or not the same ones", (unsigned long long)tally->n_taken,
		    (unsigned long long)run->count);
	if (tally->sum != tally->n_taken * message_sum(run->size_bytes))
		die("a message has changed on its way");
	report_rate(run, tally->n_taken - tally->n_warm_up, tally->ended_ns - tally->begun_ns);
}

INLINE void produce_sized(const struct run *run, uint64_t count, struct channel *to, uint32_t n_to, size_t size_bytes)
{
	unsigned char *message = message_new(size_bytes);
	uint32_t lane = 0, left = run->batch;

	for (uint64_t i = 0; i < count; i++) {
		memcpy(message, &i, sizeof(i));
		channel_send(&to[lane], message, size_bytes);
		if (n_to > 1 && !--left) {
			left = run->batch;
			lane = lane + 1 < n_to ? lane + 1 : 0;
		}
	}
	for (uint32_t i = 0; i < n_to; i++)
		channel_close(&to[i]);
	free(message);
}

INLINE void consume_one(const struct run *run, struct tally *tally, size_t size_bytes)
{
	for (uint64_t expected = 0; expected < run->count; expected++) {
		const unsigned char *message = channel_receive(&channels[0], size_bytes);

		errno = 0;
		if (!message || tally_take(tally, run, message, size_bytes) != expected)
			die("message %llu is missing", (unsigned long long)expected);
	}
}

static void produce(const struct run *run, uint64_t count, struct channel *to, uint32_t n_to)
{
	if (run->size_bytes == SMALL && n_to == 1)
		produce_sized(run, count, to, 1, SMALL);
	else if (run->size_bytes == SMALL)
		produce_sized(run, count, to, n_to, SMALL);
	else
		produce_sized(run, count, to, n_to, run->size_bytes);
	run_wait_done();
}

static void roles(enum role role, const struct channel *mine, uint32_t n_mine)
{
	for (uint32_t i = 0; i < CHANNELS_MAX; i++)
		if (&channels[i] >= mine && &channels[i] < mine + n_mine)
			channel_role(&channels[i], role);
}

/* In the child: returns true. */
static bool run_fork(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("cannot fork");
	return pid == 0;
}

static void run_one_way(const struct run *run)
{
	struct tally tally = { .n_warm_up = run->count / WARM_UP_PART };

	channel_open(&channels[0], run, 0);
	if (run_fork()) {
		run_pin(run, CPU_PRODUCER);
		roles(ROLE_PRODUCER, channels, 1);
		produce(run, run->count, channels, 1);
		_exit(0);
	}
	run_pin(run, CPU_CONSUMER);
	roles(ROLE_CONSUMER, channels, 1);
	if (run->size_bytes == SMALL)
		consume_one(run, &tally, SMALL);
	else
		consume_one(run, &tally, run->size_bytes);
	run_done();
	run_reap(1);
	tally_check(&tally, run, 1);
}

static void echo(const struct run *run)
{
	for (uint64_t i = 0; i < run->count; i++) {
		const unsigned char *message = channel_receive(&channels[0], run->size_bytes);

		if (!message)
			break;
		channel_send(&channels[1], message, run->size_bytes);
		channel_flush(&channels[1]);
	}
	channel_close(&channels[1]);
	run_wait_done();
}

static void run_round_trip(const struct run *run)
{
	unsigned char *message = message_new(run->size_bytes);
	uint64_t n_warm_up = run->count / WARM_UP_PART, before_ns, now_ns;
	uint32_t *samples = calloc(run->count, sizeof(*samples));

	if (!samples)
		die("no memory for %llu samples", (unsigned long long)run->count);
	channel_open(&channels[0], run, 0);
	channel_open(&channels[1], run, 1);
	if (run_fork()) {
		run_pin(run, CPU_CONSUMER);
		channel_role(&channels[0], ROLE_CONSUMER);
		channel_role(&channels[1], ROLE_PRODUCER);
		echo(run);
		_exit(0);
	}
	run_pin(run, CPU_PRODUCER);
	channel_role(&channels[0], ROLE_PRODUCER);
	channel_role(&channels[1], ROLE_CONSUMER);
	before_ns = time_now_ns();
	for (uint64_t i = 0; i < run->count; i++) {
		const unsigned char *answer;

		memcpy(message, &i, sizeof(i));
		if (run->think_ns)
			before_ns = time_pass(run->think_ns);
		channel_send(&channels[0], message, run->size_bytes);
		channel_flush(&channels[0]);
		answer = channel_receive(&channels[1], run->size_bytes);
		errno = 0;
		if (!answer || memcmp(answer, message, run->size_bytes) != 0)
			die("answer %llu is missing or wrong", (unsigned long long)i);
		now_ns = time_now_ns();
		samples[i] = now_ns - before_ns < UINT32_MAX ? (uint32_t)(now_ns - before_ns) : UINT32_MAX;
		before_ns = now_ns;
	}
	channel_close(&channels[0]);
	run_done();
	run_reap(1);
	report_round_trips(samples + n_warm_up, run->count - n_warm_up);
	free(samples);
	free(message);
}

#if CHANNEL_CHAINS
static void unused(uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++)
		channel_role(&channels[i], ROLE_NONE);
}

static void consume_many(const struct run *run, struct tally *tally, struct channel *from, uint32_t n_from)
{
	uint64_t next[CHANNELS_MAX] = { 0 };
	uint32_t lane = 0, n_idle = 0, n_looks = 0;

	while (tally->n_taken < run->count) {
		const unsigned char *message = n_from == 1 ? channel_receive(&from[0], run->size_bytes) :
							     channel_try(&from[lane], run->size_bytes);

		if (message) {
			uint64_t sequence = tally_take(tally, run, message, run->size_bytes);

			errno = 0;
			if (!CHANNEL_SHARED && sequence < next[lane])
				die("message %llu came out of turn", (unsigned long long)sequence);
			next[lane] = sequence + 1;
			n_idle = n_looks = 0;
			continue;
		}
		errno = 0;
		if (n_from == 1)
			die("the channel ended too early");
		lane = lane + 1 < n_from ? lane + 1 : 0;
		if (++n_idle < n_from)
			continue;
		n_idle = 0;
		if (++n_looks < run->spins)
			cpu_relax();
		else
			sched_yield();
	}
}

static void pass_on(const struct run *run, struct channel *from, struct channel *to)
{
	const unsigned char *message;

	if (run->size_bytes == SMALL)
		while ((message = channel_receive(from, SMALL)))
			channel_send(to, message, SMALL);
	else
		while ((message = channel_receive(from, run->size_bytes)))
			channel_send(to, message, run->size_bytes);
	channel_close(to);
	run_wait_done();
}

static void run_fan(const struct run *run)
{
	const uint32_t n_in = CHANNEL_SHARED ? 1 : N_WORKERS;
	struct channel *in = channels, *out = channels + n_in;
	struct tally tally = { .n_warm_up = run->count / WARM_UP_PART };

	for (uint32_t i = 0; i < 2 * n_in; i++)
		channel_open(&channels[i], run, i);
	if (run_fork()) {
		run_pin(run, CPU_PRODUCER);
		roles(ROLE_PRODUCER, in, n_in);
		unused(n_in, 2 * n_in);
		produce(run, run->count, in, n_in);
		_exit(0);
	}
	for (uint32_t i = 0; i < N_WORKERS; i++)
		if (run_fork()) {
			uint32_t lane = CHANNEL_SHARED ? 0 : i;

			run_pin(run, i == 0 ? CPU_PRODUCER : CPU_CONSUMER);
			for (uint32_t j = 0; j < n_in; j++) {
				channel_role(&in[j], j == lane ? ROLE_CONSUMER : ROLE_NONE);
				channel_role(&out[j], j == lane ? ROLE_PRODUCER : ROLE_NONE);
			}
			pass_on(run, &in[lane], &out[lane]);
			_exit(0);
		}
	run_pin(run, CPU_CONSUMER);
	unused(0, n_in);
	roles(ROLE_CONSUMER, out, n_in);
	consume_many(run, &tally, out, n_in);
	run_done();
	run_reap(1 + N_WORKERS);
	tally_check(&tally, run, 1);
}

static void run_many(const struct run *run)
{
	const uint32_t n = CHANNEL_SHARED ? 1 : N_PRODUCERS;
	struct tally tally = { .n_warm_up = run->count / WARM_UP_PART };

	errno = 0;
	if (run->count % N_PRODUCERS)
		die("--count must be a multiple of %u", N_PRODUCERS);
	for (uint32_t i = 0; i < n; i++)
		channel_open(&channels[i], run, i);
	for (uint32_t i = 0; i < N_PRODUCERS; i++)
		if (run_fork()) {
			uint32_t lane = CHANNEL_SHARED ? 0 : i;

			run_pin(run, CPU_PRODUCER);
			for (uint32_t j = 0; j < n; j++)
				channel_role(&channels[j], j == lane ? ROLE_PRODUCER : ROLE_NONE);
			produce(run, run->count / N_PRODUCERS, &channels[lane], 1);
			_exit(0);
		}
	run_pin(run, CPU_CONSUMER);
	roles(ROLE_CONSUMER, channels, n);
	consume_many(run, &tally, channels, n);
	run_done();
	run_reap(N_PRODUCERS);
	tally_check(&tally, run, N_PRODUCERS);
}
#endif

int main(int argc, char **argv)
{
	struct run run;

	run_read(argc, argv, CHANNEL_NAME, &run);
	run_share();
	switch (run.shape) {
	case SHAPE_ONE_WAY:
		run_one_way(&run);
		break;
	case SHAPE_ROUND_TRIP:
		run_round_trip(&run);
		break;
#if CHANNEL_CHAINS
	case SHAPE_FAN:
		run_fan(&run);
		break;
	case SHAPE_MANY:
		run_many(&run);
		break;
#else
	case SHAPE_FAN:
	case SHAPE_MANY:
		errno = 0;
		die("does one-way and round-trip only");
#endif
	}
	return 0;
}
