/* SPDX-License-Identifier: Apache-2.0 */
/* Items seen in passing: each is one that was sent, whatever the producer builds meanwhile; and no bytes lead the observer astray. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/observe/glimpse.h"
#include "common/base/clock.h"
#include "common/flow/lane.h"
#include "tests/unit/broker/observe/exhibition.h"

#define ITEMS_SEEN 300u
#define CAPACITY ((uint64_t)EXHIBITION_LANE_BYTES)

/* Lane 0 is s0#0 -> s1#0; lane 1 is s0#0 -> s1#1; lane 4 is s1#0 -> s2#0. */
struct fixture {
	struct exhibition exhibition;
	struct observer *observer;
	struct glimpse glimpse;
	struct glimpse_item item;
	struct lane_out out; /* of lane 0 */
	struct lane_reader *reader;
	uint64_t sequence;
};

static struct lane_out lane_out_of(struct fixture *f, uint32_t lane)
{
	const struct plan_lane *planned = &f->exhibition.plan.lanes[lane];
	struct lane_out out = { .writer = &f->exhibition.segments[planned->producer].writers[planned->writer_index],
				.peer = &f->exhibition.segments[planned->consumer].readers[planned->reader_index],
				.capacity_bytes = CAPACITY,
				.index = planned->writer_index };

	assert_int_equal(lane_map(f->exhibition.segment_fds[planned->producer], planned->off_data, CAPACITY,
				  SEGMENT_WRITE, false, &out.data),
			 0);
	return out;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct text why = TEXT_NULL;

	assert_non_null(f);
	exhibition_init(&f->exhibition, 3, 2);
	exhibition_open(&f->exhibition);
	assert_int_equal(observer_open(f->exhibition.dir.path, EXHIBITION_BOUND_NS, &f->observer, &why), 0);
	f->out = lane_out_of(f, 0);
	f->reader = &f->exhibition.segments[2].readers[0];
	assert_int_equal(glimpse_open(&f->glimpse, f->observer, 0), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	glimpse_close(&f->glimpse);
	text_deinit(&f->item.bytes);
	lane_unmap(f->out.data, CAPACITY);
	observer_close(f->observer);
	exhibition_deinit(&f->exhibition);
	free(f);
	return 0;
}

/* Its bytes say its number. */
static void build(struct fixture *f, size_t size_bytes)
{
	struct item_header header = {
		.size_bytes = (uint32_t)size_bytes, .kind = ITEM_DATA, .sequence = f->sequence, .accepted_ns = 5
	};
	void *payload;

	assert_int_equal(lane_out_reserve(&f->out, size_bytes, &payload), 0);
	memset(payload, (int)(f->sequence & 0xff), size_bytes);
	lane_out_push(&f->out, &header);
	f->sequence++;
}

static void commit(struct fixture *f)
{
	f->out.tail = f->out.built;
	store_release(&f->out.writer->tail, f->out.tail);
}

/* The consumer is through with all of it. */
static void free_all(struct fixture *f)
{
	store_release(&f->reader->done, f->out.tail);
	store_release(&f->reader->free, f->out.tail);
}

static void send(struct fixture *f, size_t size_bytes)
{
	build(f, size_bytes);
	commit(f);
	free_all(f);
}

static int take(struct fixture *f)
{
	return glimpse_take(&f->glimpse, &f->item);
}

static void assert_item(struct fixture *f, uint64_t sequence, size_t size_bytes)
{
	assert_int_equal(take(f), 0);
	assert_int_equal(f->item.header.sequence, sequence);
	assert_int_equal(f->item.size_bytes, size_bytes);
	assert_int_equal(f->item.bytes.length, size_bytes);
	for (size_t i = 0; i < size_bytes; i++)
		assert_int_equal((unsigned char)f->item.bytes.data[i], sequence & 0xff);
}

/* ---- what is shown ---- */

static void test_in_order(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(take(f), GLIMPSE_E_NOTHING);
	build(f, 10);
	assert_int_equal(take(f), GLIMPSE_E_NOTHING); /* it is not committed */
	assert_int_equal(lane_out_push_run_end(&f->out, 1), 0);
	build(f, 0);
	commit(f);
	store_relaxed(&f->exhibition.segments[0].status->generation, 3);
	assert_item(f, 0, 10);
	assert_int_equal(f->item.position, 0);
	assert_int_equal(f->item.generation, 3);
	assert_int_equal(f->item.header.accepted_ns, 5);
	assert_item(f, 1, 0);
	assert_int_equal(take(f), GLIMPSE_E_NOTHING);
	assert_int_equal(lane_out_push_run_end(&f->out, 2), 0);
	commit(f);
	assert_int_equal(take(f), GLIMPSE_E_NOTHING);
	build(f, 3);
	build(f, 4);
	commit(f);
	glimpse_skip(&f->glimpse);
	assert_int_equal(take(f), GLIMPSE_E_NOTHING);
	send(f, 5);
	assert_item(f, 4, 5);
}

/* Its consumer was quicker than any observer: shown all the same, several times round the ring. */
static void test_of_a_quick_consumer(void **state)
{
	struct fixture *f = *state;

	for (uint64_t i = 0; i < 400; i++) {
		send(f, 40 + i % 7);
		assert_item(f, i, 40 + i % 7);
	}
}

/* An observer that comes later finds what lies before the tail. */
static void test_begins_in_the_middle(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 150; i++)
		send(f, 30 + i % 50);
	glimpse_close(&f->glimpse);
	assert_int_equal(glimpse_open(&f->glimpse, f->observer, 0), 0);
	assert_true(f->glimpse.marked);
	assert_int_equal(f->glimpse.mark.sequence, 149);
	assert_int_equal(take(f), GLIMPSE_E_NOTHING);
	send(f, 33);
	assert_item(f, 150, 33);
}

/* An extension is not the payload. */
static void test_extension(void **state)
{
	struct fixture *f = *state;
	struct item_header header = { .size_bytes = 24 + 4, .kind = ITEM_DATA, .flags = 3 };
	unsigned char *payload;

	assert_int_equal(lane_out_reserve(&f->out, header.size_bytes, (void **)&payload), 0);
	memset(payload, 0, header.size_bytes);
	memcpy(payload + 24, "item", 4);
	lane_out_push(&f->out, &header);
	commit(f);
	assert_int_equal(take(f), 0);
	assert_int_equal(f->item.size_bytes, 4);
	assert_memory_equal(f->item.bytes.data, "item", 4);
}

/* ---- what is not ---- */

static void test_overtaken(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 300; i++)
		send(f, 50);
	assert_int_equal(take(f), GLIMPSE_E_MISSED);
	assert_int_equal(take(f), GLIMPSE_E_NOTHING);
	send(f, 50);
	assert_item(f, 300, 50);
}

/* What is far behind is shown while it is held, and no longer. */
static void test_held(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 30; i++)
		build(f, 96);
	commit(f);
	assert_item(f, 0, 96);
	free_all(f); /* 29 behind it lie there still, but who knows how much is built behind the tail */
	assert_int_equal(take(f), GLIMPSE_E_MISSED);
}

/* The consumer is not through with what waits: that can be shown where what is older can't. */
static void test_waiting(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 30; i++)
		build(f, 96);
	commit(f);
	store_release(&f->reader->done, 10u * 128);
	store_release(&f->reader->free, 10u * 128);
	assert_item(f, 10, 96);
	assert_item(f, 11, 96);
	store_release(&f->reader->done, f->out.tail);
	store_release(&f->reader->free, 12u * 128); /* it holds room that it has no use for */
	assert_item(f, 12, 96);
}

/* Built all the way round, and not committed. */
static void test_built_over(void **state)
{
	struct fixture *f = *state;

	send(f, 96);
	assert_item(f, 0, 96);
	send(f, 96);
	for (unsigned i = 0; i < 31; i++)
		build(f, 96);
	assert_int_equal(take(f), GLIMPSE_E_MISSED);
}

/* One record is reserved behind the tail, and nobody can see how far it goes: what it can't reach is shown, what it can is not. */
static void test_reserved_over(void **state)
{
	struct fixture *f = *state;
	void *payload;

	send(f, 96);
	assert_item(f, 0, 96);
	for (unsigned i = 0; i < 14; i++)
		build(f, 96);
	commit(f);
	free_all(f);
	assert_int_equal(lane_out_reserve(&f->out, CAPACITY / 2, &payload), 0);
	memset(payload, 0xee, CAPACITY / 2);
	assert_item(f, 1, 96);
	for (unsigned i = 0; i < 5; i++)
		send(f, 96);
	assert_int_equal(lane_out_reserve(&f->out, CAPACITY / 2, &payload), 0);
	memset(payload, 0xee, CAPACITY / 2);
	assert_int_equal(take(f), GLIMPSE_E_MISSED);
}

/* In front of it others are pushed, so that it reaches farther; it is written from its end, and the record before is as it was. */
static void test_reserved_behind_others(void **state)
{
	struct fixture *f = *state;
	unsigned char *payload;

	send(f, 96);
	assert_item(f, 0, 96);
	send(f, 96);
	for (unsigned i = 0; i < 16; i++)
		build(f, 96);
	assert_int_equal(lane_out_reserve(&f->out, CAPACITY / 2 - 32, (void **)&payload), 0);
	memset(payload + CAPACITY / 2 - 32 - 8, 0xee, 8); /* the last bytes of the item behind the one that was shown */
	assert_int_equal(take(f), GLIMPSE_E_MISSED);
}

/* A turn that was taken back has left its bytes there, and a short one has been committed since. */
static void test_taken_back(void **state)
{
	struct fixture *f = *state;
	uint64_t sequence;

	send(f, 96);
	assert_item(f, 0, 96);
	send(f, 96); /* the one that is built over */
	sequence = f->sequence;
	for (unsigned i = 0; i < 32; i++)
		build(f, 95);
	f->out.built = f->out.tail;
	f->sequence = sequence;
	send(f, 40); /* so what lies at the tail is no record */
	assert_int_equal(take(f), GLIMPSE_E_MISSED);
	assert_int_equal(take(f), GLIMPSE_E_NOTHING);
}

/* full: drop-old: the consumer holds it, and the producer has given it up. */
static void test_given_up(void **state)
{
	struct fixture *f = *state;

	build(f, 96);
	for (unsigned i = 0; i < 25; i++)
		build(f, 96);
	commit(f);
	store_release(&f->out.writer->low, 128);
	assert_int_equal(take(f), GLIMPSE_E_MISSED);
	for (unsigned i = 0; i < 5; i++)
		build(f, 96);
	commit(f);
	assert_item(f, 26, 96);
}

/* Retiring takes the end of a lane back. */
static void test_retracted(void **state)
{
	struct fixture *f = *state;

	send(f, 96);
	send(f, 96);
	assert_item(f, 0, 96);
	assert_item(f, 1, 96);
	store_release(&f->out.writer->tail, 128);
	assert_int_equal(take(f), GLIMPSE_E_MISSED);
	assert_int_equal(take(f), GLIMPSE_E_NOTHING);
}

/* ---- references ---- */

static void refer(struct lane_out *out, struct item_reference reference)
{
	struct item_header header = { .size_bytes = sizeof(reference), .kind = ITEM_REFERENCE, .sequence = 77 };
	void *payload;

	assert_int_equal(lane_out_reserve(out, sizeof(reference), &payload), 0);
	memcpy(payload, &reference, sizeof(reference));
	lane_out_push(out, &header);
	out->tail = out->built;
	store_release(&out->writer->tail, out->tail);
}

static void test_references(void **state)
{
	struct fixture *f = *state;
	struct lane_out on = lane_out_of(f, 4);
	struct lane_reader *reader = &f->exhibition.segments[4].readers[0];
	const struct item_reference good = { .slot = 0, .writer = 0, .position = 32, .size_bytes = 100 };
	struct item_reference bad[] = { good, good, good, good, good };
	struct glimpse glimpse;

	assert_int_equal(glimpse_open(&glimpse, f->observer, 4), 0);
	f->sequence = 9;
	build(f, 100);
	commit(f);
	refer(&on, good);
	assert_int_equal(glimpse_take(&glimpse, &f->item), 0);
	assert_true(f->item.reference && !f->item.gone);
	assert_int_equal(f->item.header.sequence, 77);
	assert_int_equal(f->item.size_bytes, 100);
	assert_int_equal(f->item.bytes.length, 100);
	assert_int_equal(f->item.bytes.data[99], 9);

	refer(&on, good);
	store_release(&reader->done, on.tail);
	store_release(&reader->free, on.tail); /* nobody holds what it refers to */
	assert_int_equal(glimpse_take(&glimpse, &f->item), 0);
	assert_true(f->item.gone);
	assert_int_equal(f->item.size_bytes, 100);
	assert_int_equal(f->item.bytes.length, 0);

	bad[0].slot = 6;
	bad[1].writer = 2;
	bad[2].position = 33;
	bad[3].size_bytes = CAPACITY;
	bad[4].slot = UINT32_MAX;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		refer(&on, bad[i]);
		assert_int_equal(glimpse_take(&glimpse, &f->item), GLIMPSE_E_MISSED);
	}
	glimpse_close(&glimpse);
	lane_unmap(on.data, CAPACITY);
}

/* ---- strangers ---- */

/* Everything that the worker can write is anything. */
static void test_hostile(void **state)
{
	struct fixture *f = *state;
	unsigned n_items = 0, n_missed = 0;

	srand(11);
	for (unsigned round = 0; round < 60000; round++) {
		uint64_t tail = (uint64_t)(rand() % 1200) * (rand() % 9 ? 8 : 1);
		uint32_t word = (uint32_t)(rand() % 4 ? rand() % 200 : rand());

		memcpy(f->out.data + (rand() % (int)CAPACITY & ~3), &word, 4);
		word = (uint32_t)(ITEM_DATA + rand() % 4) | (uint32_t)(rand() % 8 ? 0 : rand() % 70) << 16;
		memcpy(f->out.data + (rand() % (int)CAPACITY & ~7) + 4, &word, 4);
		store_release(&f->out.writer->tail, rand() % 50 ? tail : (uint64_t)rand() << 33);
		store_release(&f->reader->done, (uint64_t)(rand() % 1200) * 8);
		store_release(&f->reader->free, (uint64_t)(rand() % 1200) * 8);
		store_release(&f->out.writer->low, rand() % 3 ? 0 : tail);
		switch (take(f)) {
		case 0:
			n_items++;
			assert_true(f->item.gone || f->item.bytes.length == f->item.size_bytes);
			assert_true(f->item.size_bytes <= CAPACITY);
			break;
		case GLIMPSE_E_MISSED:
			n_missed++;
			break;
		default:
			break;
		}
	}
	assert_true(n_items && n_missed);
}

/* Who looks can't write, and can't get what could. */
static void test_read_only(void **state)
{
	struct fixture *f = *state;
	int status, fd = observer_segment_fd(f->observer, 0);
	pid_t pid;

	send(f, 8);
	assert_item(f, 0, 8);
	assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(errno, EACCES);
	assert_int_equal(mprotect(f->glimpse.data, CAPACITY, PROT_READ | PROT_WRITE), -1);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile unsigned char *)f->glimpse.data = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(f->out.data[0], 8); /* the size of the record there */
}

/* ---- while it runs ---- */

struct running {
	struct fixture *f;
	atomic_bool stop;
};

static void *produce(void *data)
{
	struct running *running = data;
	struct fixture *f = running->f;

	while (!atomic_load(&running->stop)) {
		for (uint64_t i = 0, n = f->sequence % 5; i <= n; i++) {
			void *payload;

			if (lane_out_reserve(&f->out, f->sequence % 90, &payload) == 0)
				build(f, f->sequence % 90);
		}
		commit(f);
	}
	return NULL;
}

static void *consume(void *data)
{
	struct running *running = data;
	struct fixture *f = running->f;
	unsigned round = 0;

	while (!atomic_load(&running->stop)) {
		uint64_t tail = load_acquire(&f->out.writer->tail);

		if (++round % 64 == 0)
			poll(NULL, 0, 0);
		store_release(&f->reader->done, tail);
		store_release(&f->reader->free, tail);
	}
	return NULL;
}

static void test_while_it_runs(void **state)
{
	struct fixture *f = *state;
	struct running running = { .f = f };
	uint64_t until_ns = clock_now_ns() + 5 * EXHIBITION_BOUND_NS, last = 0;
	pthread_t threads[2];
	unsigned n = 0;

	assert_int_equal(pthread_create(&threads[0], NULL, produce, &running), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, consume, &running), 0);
	while (n < ITEMS_SEEN && clock_now_ns() < until_ns) {
		if (take(f) != 0)
			continue;
		n++;
		assert_true(f->item.header.sequence >= last);
		last = f->item.header.sequence + 1;
		assert_int_equal(f->item.size_bytes, f->item.header.sequence % 90);
		for (size_t i = 0; i < f->item.size_bytes; i++)
			assert_int_equal((unsigned char)f->item.bytes.data[i], f->item.header.sequence & 0xff);
	}
	atomic_store(&running.stop, true);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_int_equal(n, ITEMS_SEEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_of_a_quick_consumer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_begins_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_extension, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overtaken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_waiting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_built_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserved_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserved_behind_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retracted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_references, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_while_it_runs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
