/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transport under measurement: what carries messages from one process to another.
 *
 * Each transport is one file that defines `struct channel` and the static functions below, then includes transport_main.h, which
 * has the loops and main(). So the transport is inlined into the loop, and all of them are measured by the same one.
 *
 *     void channel_open(channel, run, index)       before the fork; index tells channels of one run apart
 *     void channel_role(channel, role)             after the fork, in each process
 *     void channel_send(channel, data, size)       copies the message; waits for room
 *     void channel_flush(channel)                  nothing may be kept back any longer
 *     void channel_close(channel)                  producer: no more messages
 *     const unsigned char *channel_receive(channel, size)   next message, valid until the next call; NULL: closed and empty
 *     const unsigned char *channel_try(channel, size)       the same without waiting; NULL: nothing now
 *     bool channel_ended(channel)                  after channel_try() gave NULL: nothing will come
 *
 * CHANNEL_SHARED 1: any number of processes may send to, and receive from, one channel. CHANNEL_CHAINS 0: one way and round trip only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_LINE 64u /* the consumer touches one byte in as many */
#define CPU_PRODUCER 0
#define CPU_CONSUMER 1
#define CHANNELS_MAX 4u
#define WARM_UP_PART 10u /* the first tenth is not measured */

enum shape { SHAPE_ONE_WAY, SHAPE_ROUND_TRIP, SHAPE_FAN, SHAPE_MANY };
enum role { ROLE_NONE, ROLE_PRODUCER, ROLE_CONSUMER };

struct run {
	enum shape shape;
	size_t size_bytes;
	uint64_t count; /* messages, of all producers together */
	uint32_t batch; /* messages that are published, or written, at once */
	uint64_t capacity_bytes;
	uint32_t spins; /* empty or full looks before the processor is given away */
	uint64_t
		think_ns; /* round trip: pause before each message, not measured, in which the other side falls asleep */
	bool poll;        /* look again and again instead of a blocking call */
	bool pinned;      /* producer on CPU_PRODUCER, consumer on CPU_CONSUMER */
	bool one_processor; /* everything on CPU_PRODUCER */
	const char *folder; /* for sockets */
};

/* Reads the command line; ends the program with a message when it is wrong. `name` is the transport's. */
void run_read(int argc, char **argv, const char *name, struct run *ret_run);

/* Says what went wrong, with errno if it is set, and ends this process with 1. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Runs this process on one processor from now on; nothing when !run->pinned. */
void run_pin(const struct run *run, int cpu);

uint64_t time_now_ns(void);

/* Keeps the processor busy for so long. Returns the time at the end. */
uint64_t time_pass(uint64_t pause_ns);

/* A message: number in the first 8 bytes, then a pattern of which one byte a line is checked. Owned by the caller (free). */
unsigned char *message_new(size_t size_bytes);
/* What one message's checked bytes add up to. */
uint64_t message_sum(size_t size_bytes);

/* Page that all processes of a run share: producers stay until the consumer has everything. */
void run_share(void);
void run_done(void);
void run_wait_done(void);
bool run_is_done(void);

/* On the same page: the address of channel `index` has someone behind it. */
void run_bound(uint32_t index);
void run_wait_bound(uint32_t index);

/* Waits for n children; ends the program with 1 if one failed. */
void run_reap(uint32_t n_children);

/* Print the result, as one line of JSON. */
void report_rate(const struct run *run, uint64_t n_messages, uint64_t elapsed_ns);
void report_round_trips(uint32_t *samples_ns, uint64_t n_samples);
