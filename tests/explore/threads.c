/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lanes under ThreadSanitizer: three workers run as threads of one process, source -> operator -> sink, with real doorbells.
 * Positions begin just below the numbers where an implementation might break: 2^31, 2^32, 2^63, 2^64.
 *
 * One mapping for all: the detector knows addresses, and a lane that is mapped twice would hide a race from it. Records divide
 * the capacity instead. It ignores fences, so what they order is the explorer's to prove; that nobody sleeps beside
 * work is checked here by the clock: a poll that times out with work in the lane fails.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/flow/commit.h"
#include "common/flow/lane.h"
#include "common/memory/doorbell.h"
#include "tests/rings.h"

#define SLOTS 3u
#define CAPACITY 1024u
#define PAYLOAD_WORDS 12u /* 96 bytes: records of 128 */
#define SLEEP_MS_MAX 5000

struct slot {
	_Alignas(64) struct segment_armed armed;
	struct segment_cursor_switch cursor_switch;
	struct cursor cursors[2];
	_Alignas(64) struct lane_reader reader;
	struct lane_writer writer;
	_Alignas(64) unsigned char record[sizeof(struct commit_record) + 3 * sizeof(struct commit_operation)];
	_Alignas(64) unsigned char data[CAPACITY];
};

struct worker {
	pthread_t thread;
	unsigned slot, batch;
	uint64_t n_items, n_sleeps;
	struct segment segment;
	struct lane_in in;
	struct lane_out out;
	struct commit commit;
	struct cursor cursor;
	struct doorbell_peer upstream, downstream;
	uint64_t epoch;
	unsigned n_open;
};

static struct slot slots[SLOTS];
static int doorbells[SLOTS];

static void fail(const char *what, const struct worker *worker)
{
	fprintf(stderr, "threads: slot %u, item %llu: %s\n", worker->slot, (unsigned long long)worker->cursor.sequence,
		what);
	exit(1);
}

static bool can_go_on(struct worker *worker, uint32_t event)
{
	struct item_header header;
	const void *payload;

	if (event == ARM_DATA)
		return lane_in_peek(&worker->in, &header, &payload) != LANE_E_EMPTY;
	return lane_out_room(&worker->out, true) >= sizeof(struct item_header) + PAYLOAD_WORDS * 8;
}

/* As wait_sleep() of worker/wait.c. */
static void nap(struct worker *worker, uint32_t event)
{
	struct segment_armed *armed = worker->segment.armed;
	struct pollfd pollfd = { .fd = doorbells[worker->slot], .events = POLLIN };

	store_relaxed(&armed->need_bytes, sizeof(struct item_header) + PAYLOAD_WORDS * 8);
	store_release(&armed->word, ++worker->epoch << 8 | event);
	fence_seq_cst(); /* [D1] */
	if (!can_go_on(worker, event)) {
		worker->n_sleeps++;
		if (!poll(&pollfd, 1, SLEEP_MS_MAX) && can_go_on(worker, event))
			fail("slept beside work", worker);
		rings_forget(doorbells[worker->slot]);
	}
	store_relaxed(&armed->word, 0);
}

static void wake(struct worker *worker, uint64_t room_bytes)
{
	fence_seq_cst(); /* [D1] */
	if (worker->slot > 0)
		doorbell_wake(&worker->upstream, ARM_SPACE, room_bytes);
	if (worker->slot + 1 < SLOTS)
		doorbell_wake(&worker->downstream, ARM_DATA, 0);
}

static void commit(struct worker *worker)
{
	if (!worker->n_open)
		return;
	if (worker->slot + 1 < SLOTS)
		commit_add_tail(&worker->commit, &worker->out);
	commit_add_cursor(&worker->commit, &worker->cursor);
	if (worker->slot > 0)
		commit_add_done(&worker->commit, &worker->in);
	commit_publish(&worker->commit);
	worker->n_open = 0;
	worker->out.tail = worker->out.built;
	worker->in.done = worker->in.next;
	if (worker->slot > 0)
		lane_in_release(&worker->in);
	wake(worker, CAPACITY - (worker->in.tail_cached - worker->in.done));
}

static void put(struct worker *worker)
{
	struct item_header header = { .size_bytes = PAYLOAD_WORDS * 8,
				      .kind = ITEM_DATA,
				      .sequence = worker->cursor.sequence };
	void *place;
	uint64_t *words;
	int r;

	while ((r = lane_out_reserve(&worker->out, header.size_bytes, &place)) == LANE_E_FULL) {
		commit(worker);
		nap(worker, ARM_SPACE);
	}
	if (r)
		fail("its output is broken", worker);
	words = place;
	for (unsigned i = 0; i < PAYLOAD_WORDS; i++)
		words[i] = header.sequence * PAYLOAD_WORDS + i;
	lane_out_push(&worker->out, &header);
}

/* False: closed. */
static bool take(struct worker *worker, struct item_header *header)
{
	const void *payload;
	const uint64_t *words;
	int r;

	while ((r = lane_in_peek(&worker->in, header, &payload)) == LANE_E_EMPTY) {
		commit(worker);
		nap(worker, ARM_DATA);
	}
	if (r == LANE_E_CLOSED)
		return false;
	if (r)
		fail("its input is broken", worker);
	words = payload;
	for (unsigned i = 0; i < PAYLOAD_WORDS; i++)
		if (words[i] != worker->cursor.sequence * PAYLOAD_WORDS + i)
			fail("an item is lost, repeated, out of order or not whole", worker);
	return true;
}

static void *run(void *argument)
{
	struct worker *worker = argument;

	for (;;) {
		struct item_header header;

		if (worker->slot ? !take(worker, &header) : worker->cursor.sequence == worker->n_items)
			break;
		if (worker->slot + 1 < SLOTS)
			put(worker);
		if (worker->slot)
			lane_in_advance(&worker->in, &header);
		worker->cursor.sequence++;
		if (++worker->n_open == worker->batch)
			commit(worker);
	}
	commit(worker);
	if (worker->slot + 1 < SLOTS) {
		lane_out_close(&worker->out);
		wake(worker, 0);
	}
	return NULL;
}

static void prepare(struct worker *worker, unsigned slot, uint64_t base, uint64_t n_items)
{
	*worker = (struct worker){ .slot = slot, .batch = 1 + slot * 2, .n_items = n_items };
	worker->segment = (struct segment){ .geometry = { .slot = slot, .n_readers = 1, .n_writers = 1 },
					    .base = (unsigned char *)&slots[slot],
					    .armed = &slots[slot].armed,
					    .cursor_switch = &slots[slot].cursor_switch,
					    .cursors = slots[slot].cursors,
					    .readers = &slots[slot].reader,
					    .writers = &slots[slot].writer,
					    .record = (struct commit_record *)slots[slot].record };
	store_relaxed(&slots[slot].writer.tail, base);
	store_relaxed(&slots[slot].reader.done, base);
	store_relaxed(&slots[slot].reader.free, base);
	commit_init(&worker->commit, &worker->segment);
	if (slot > 0) {
		worker->in = (struct lane_in){ .reader = &slots[slot].reader,
					       .peer = &slots[slot - 1].writer,
					       .data = slots[slot - 1].data,
					       .capacity_bytes = CAPACITY };
		lane_in_rewind(&worker->in);
		worker->upstream = (struct doorbell_peer){ .armed = &slots[slot - 1].armed, .fd = doorbells[slot - 1] };
	}
	if (slot + 1 < SLOTS) {
		worker->out = (struct lane_out){ .writer = &slots[slot].writer,
						 .peer = &slots[slot + 1].reader,
						 .data = slots[slot].data,
						 .capacity_bytes = CAPACITY };
		worker->downstream =
			(struct doorbell_peer){ .armed = &slots[slot + 1].armed, .fd = doorbells[slot + 1] };
	}
}

static void run_from(const char *name, uint64_t base, uint64_t n_items)
{
	static struct worker workers[SLOTS];
	uint64_t n_sleeps = 0;

	memset(slots, 0, sizeof(slots));
	for (unsigned i = 0; i < SLOTS; i++)
		prepare(&workers[i], i, base, n_items);
	for (unsigned i = 0; i + 1 < SLOTS; i++)
		lane_out_rewind(&workers[i].out);
	for (unsigned i = 0; i < SLOTS; i++)
		if (pthread_create(&workers[i].thread, NULL, run, &workers[i]))
			exit(2);
	for (unsigned i = 0; i < SLOTS; i++) {
		pthread_join(workers[i].thread, NULL);
		n_sleeps += workers[i].n_sleeps;
	}
	if (workers[SLOTS - 1].cursor.sequence != n_items)
		fail("items are missing at the end", &workers[SLOTS - 1]);
	printf("threads base=%s items=%llu sleeps=%llu violations=0\n", name, (unsigned long long)n_items,
	       (unsigned long long)n_sleeps);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint64_t base;
	} starts[] = {
		{ "0", 0 },
		{ "2^31-128", (UINT64_C(1) << 31) - 128 },
		{ "2^32-128", (UINT64_C(1) << 32) - 128 },
		{ "2^63-128", (UINT64_C(1) << 63) - 128 },
		{ "2^64-128", UINT64_MAX - 127 },
	};
	uint64_t n_items = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;

	for (unsigned i = 0; i < SLOTS; i++)
		if (doorbell_open(&doorbells[i]))
			return 2;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
		run_from(starts[i].name, starts[i].base, n_items);
	return 0;
}
