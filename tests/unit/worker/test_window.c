/* SPDX-License-Identifier: Apache-2.0 */
/* The inline calls of weir/emit.h against the real worker. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "worker/outcome.h"
#include "worker/output.h"
#include "worker/turn.h"
#include "worker/window.h"

#define SIZES_MAX 3000u

/* Payload sizes that end exactly at, just before and just behind the window, and wrap round the lane many times. */
static size_t size_of_item(uint64_t number)
{
	return (number * 37 + number / 11) % 480;
}

static void fill(unsigned char *payload, uint64_t number)
{
	for (size_t i = 0; i < size_of_item(number); i++)
		payload[i] = (unsigned char)(number * 7 + i);
}

struct reader {
	struct worker *consumer;
	uint64_t n_seen;
	bool wrong;
};

static bool same(const struct item_header *header, const unsigned char *payload, uint64_t number)
{
	unsigned char expected[512];

	fill(expected, number);
	return header->sequence == number && header->size_bytes == size_of_item(number) &&
	       !memcmp(payload, expected, header->size_bytes);
}

static void *read_all(void *data)
{
	struct reader *reader = data;
	struct lane_in *lane = &reader->consumer->inputs[0].lanes[0].lane;
	struct item_header header;
	const void *payload;
	int r;

	while ((r = lane_in_peek(lane, &header, &payload)) != LANE_E_CLOSED && !reader->wrong) {
		if (r == LANE_E_EMPTY) {
			usleep(200);
			continue;
		}
		reader->wrong = r != 0 || !same(&header, payload, reader->n_seen);
		lane_in_advance(lane, &header);
		reader->n_seen++;
		reader->consumer->inputs[0].lanes[0].touched = true;
		reader->consumer->changed = true;
		rig_commit(reader->consumer);
	}
	return NULL;
}

static bool in_place;

static int make_one(struct weir_context *context, uint64_t number)
{
	unsigned char payload[512];
	void *place;
	int r;

	if (!in_place) {
		fill(payload, number);
		return weir_emit(context, 0, payload, size_of_item(number));
	}
	r = weir_reserve(context, 0, sizeof(payload), &place); /* more than it needs */
	if (r)
		return r;
	fill(place, number);
	return weir_push(context, 0, size_of_item(number));
}

static int source_produce(struct weir_context *context, void *state)
{
	uint64_t *made = weir_cursor(context);

	(void)state;
	while (*made < SIZES_MAX) {
		int r = make_one(context, *made);

		if (r)
			return r == WEIR_FULL ? WEIR_MORE : r;
		++*made;
	}
	return WEIR_CLOSED;
}

static const struct weir_stage source = { .role = WEIR_SOURCE,
					  .produce = source_produce,
					  .cursor_size_bytes = sizeof(uint64_t) };

/* A source in the relay's seat: its input is never looked at. */
static void run_source(void)
{
	struct reader reader = { 0 };
	pthread_t thread;
	struct rig rig;

	rig_init_chain(&rig, &source);
	reader.consumer = &rig.consumers[0];
	assert_int_equal(pthread_create(&thread, NULL, read_all, &reader), 0);
	assert_int_equal(turn_loop(&rig.relay), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(reader.wrong);
	assert_int_equal(reader.n_seen, SIZES_MAX);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_ACCEPTED], SIZES_MAX);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_EMITTED], SIZES_MAX);
	assert_int_equal(rig.relay.cursor.sequence, SIZES_MAX);
	rig_deinit(&rig);
}

static void test_sizes_that_meet_every_edge_of_the_window(void **state)
{
	(void)state;
	in_place = false;
	run_source();
}

static void test_items_built_in_place(void **state)
{
	(void)state;
	in_place = true;
	run_source();
}

/* Emits `copies` and then says what the item says. */
static int stage_says(struct weir_context *context, void *state, const struct weir_item *item)
{
	const char *text = item->data;
	uint64_t *cursor = weir_cursor(context);

	(void)state;
	for (int i = 0; i < text[0] - '0'; i++) {
		int r = weir_emit(context, 0, item->data, item->size_bytes);

		if (r)
			return r;
	}
	++*cursor;
	if (text[1] != '!')
		return 0;
	weir_fail(context, "as it was told");
	return WEIR_FAILED;
}

static const struct weir_stage says = { .role = WEIR_OPERATOR,
					.process = stage_says,
					.cursor_size_bytes = sizeof(uint64_t) };

static void test_a_failed_item_leaves_nothing_in_the_window(void **state)
{
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &says);
	assert_int_equal(rig_push(&rig.producers[0], "1a"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "0b"), 0);
	assert_int_equal(rig_push(&rig.producers[0], "2!"), 0);
	rig_commit(&rig.producers[0]);
	assert_int_equal(turn_loop(&rig.relay), WEIR_FAILED);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_TAKEN], 2);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_CONSUMED], 1);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_FILTERED], 1);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_EMITTED], 1);
	assert_int_equal(*(uint64_t *)(void *)rig.relay.cursor.stage, 2);
	assert_string_equal(rig_take(&rig.consumers[0]), "1a");
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	rig_deinit(&rig);
}

/* What the item in hand has put there is counted only when somebody asks: it must be what each emit said. */
static void test_an_item_in_hand_is_known_from_its_records(void **state)
{
	static const size_t sizes[] = { 0, 7, 8, 16, 17, 33, 64 };
	const uint32_t n_sizes = sizeof(sizes) / sizeof(sizes[0]);
	unsigned char payload[64] = { 0 };
	struct rig rig;
	uint64_t sum = 0;

	(void)state;
	rig_init_chain(&rig, &says);
	rig.relay.plain_output = true;
	rig.relay.phase = PHASE_PROCESS;
	window_open(&rig.relay);
	assert_true(rig.relay.window.is_open);
	assert_int_equal(weir_emit(&rig.relay.context, 0, payload, 5), 0);

	window_item_begin(&rig.relay);
	for (uint32_t i = 0; i < n_sizes; i++)
		assert_int_equal(weir_emit(&rig.relay.context, 0, payload, sizes[i]), 0);
	window_item_drop(&rig.relay);
	assert_false(window_item_emitted(&rig.relay));
	assert_int_equal(rig.relay.context.sequence, 1);
	assert_int_equal(rig.relay.context.size_bytes, 5);

	for (uint32_t i = 1; i < n_sizes - 1; i++) {
		assert_int_equal(weir_emit(&rig.relay.context, 0, payload, sizes[i]), 0);
		sum += sizes[i];
	}
	window_shut(&rig.relay);
	assert_int_equal(rig.relay.cursor.sequence, 1);
	assert_int_equal(rig.relay.cursor.ledger[LEDGER_EMITTED], 1);
	assert_int_equal(rig.relay.item_emitted, n_sizes - 2);
	assert_int_equal(rig.relay.outputs[0].item_records, n_sizes - 2);
	assert_int_equal(rig.relay.outputs[0].item_bytes, sum);
	assert_int_equal(load_relaxed(&rig.relay.segment.counters->values[COUNTER_BYTES_OUT]), 5 + sum);
	rig_deinit(&rig);
}

static void test_a_push_without_a_reservation_is_refused(void **state)
{
	struct rig rig;
	void *place;

	(void)state;
	rig_init_chain(&rig, &says);
	rig.relay.reserved.output = NO_LANE;
	rig.relay.phase = PHASE_PROCESS;
	assert_int_equal(weir_push(&rig.relay.context, 0, 5), -EINVAL);
	assert_int_equal(weir_push(&rig.relay.context, 7, 5), -EINVAL);
	assert_int_equal(weir_reserve(&rig.relay.context, 7, 5, &place), -EINVAL);
	assert_int_equal(weir_reserve(&rig.relay.context, 0, 5, &place), 0);
	assert_int_equal(weir_push(&rig.relay.context, 0, 6), -EINVAL);
	assert_int_equal(weir_push(&rig.relay.context, 0, 4), 0);
	assert_int_equal(weir_push(&rig.relay.context, 0, 4), -EINVAL);
	assert_int_equal(weir_reserve(&rig.relay.context, 0, RIG_LANE_SIZE, &place), WEIR_TOO_LARGE);
	assert_int_equal(weir_emit(&rig.relay.context, 0, NULL, SIZE_MAX - 8), WEIR_TOO_LARGE);
	rig_deinit(&rig);
}

/* What another item has reserved, and did not push, is gone: it would be built where the window already stands. */
static void test_a_reservation_does_not_outlive_its_item(void **state)
{
	struct rig rig;
	void *place;

	(void)state;
	rig_init_chain(&rig, &says);
	rig.relay.reserved.output = NO_LANE;
	rig.relay.phase = PHASE_PROCESS;
	window_open(&rig.relay);
	assert_int_equal(weir_reserve(&rig.relay.context, 0, RIG_LANE_SIZE / 2, &place), 0);
	window_open(&rig.relay); /* the next item */
	assert_int_equal(weir_emit(&rig.relay.context, 0, "small", 5), 0);
	assert_int_equal(weir_push(&rig.relay.context, 0, RIG_LANE_SIZE / 2), -EINVAL);
	window_shut(&rig.relay);
	rig.relay.phase = PHASE_FLUSH;
	assert_int_equal(weir_push(&rig.relay.context, 0, 8), -EPERM);
	rig_commit(&rig.relay);
	assert_string_equal(rig_take(&rig.consumers[0]), "small");
	assert_string_equal(rig_take(&rig.consumers[0]), "-");
	rig_deinit(&rig);
}

/* A turn that has built its share is ended by the next item, but not by one that no turn could take. */
static void test_what_never_fits_is_told_at_once(void **state)
{
	static const char text[RIG_LANE_SIZE];
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &says);
	rig.relay.reserved.output = NO_LANE;
	rig.relay.phase = PHASE_PRODUCE;
	assert_int_equal(weir_emit(&rig.relay.context, 0, text, sizeof(text) / 4), 0);
	assert_int_equal(weir_emit(&rig.relay.context, 0, text, sizeof(text) / 4), WEIR_FULL);
	assert_int_equal(weir_emit(&rig.relay.context, 0, text, sizeof(text)), WEIR_TOO_LARGE);
	rig_deinit(&rig);
}

/* Otherwise what was meant for it would be lost, and the item counted as filtered. */
static void test_an_output_that_is_not_there_fails_the_stage(void **state)
{
	struct rig rig;
	void *place;

	(void)state;
	rig_init_chain(&rig, &says);
	for (int reserves = 0; reserves < 2; reserves++) {
		rig.relay.emit_refused = 0;
		rig.relay.reason[0] = '\0';
		rig.relay.phase = PHASE_PROCESS;
		assert_int_equal(reserves ? weir_reserve(&rig.relay.context, 1, 5, &place) :
					    weir_emit(&rig.relay.context, 1, "text", 4),
				 -EINVAL);
		assert_int_equal(outcome_after_emits(&rig.relay, "process", OUTCOMES_ENDING, WEIR_OK), WEIR_FAILED);
		assert_non_null(strstr(rig.relay.reason, "an output that it does not have"));
	}
	rig_deinit(&rig);
}

static void test_a_stage_that_overlooks_it_is_told_why(void **state)
{
	struct rig rig;

	(void)state;
	rig_init_chain(&rig, &says);
	for (int status = 0; status >= -EINVAL; status -= EINVAL) { /* overlooked; handed on */
		rig.relay.reserved.output = NO_LANE;
		rig.relay.emit_refused = 0;
		rig.relay.reason[0] = '\0';
		rig.relay.phase = PHASE_PROCESS;
		assert_int_equal(weir_push(&rig.relay.context, 0, 5), -EINVAL);
		assert_int_equal(outcome_after_emits(&rig.relay, "process", OUTCOMES_ENDING, status), WEIR_FAILED);
		assert_non_null(strstr(rig.relay.reason, "weir_push()"));
	}
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_that_meet_every_edge_of_the_window),
		cmocka_unit_test(test_items_built_in_place),
		cmocka_unit_test(test_a_failed_item_leaves_nothing_in_the_window),
		cmocka_unit_test(test_an_item_in_hand_is_known_from_its_records),
		cmocka_unit_test(test_a_push_without_a_reservation_is_refused),
		cmocka_unit_test(test_a_reservation_does_not_outlive_its_item),
		cmocka_unit_test(test_what_never_fits_is_told_at_once),
		cmocka_unit_test(test_an_output_that_is_not_there_fails_the_stage),
		cmocka_unit_test(test_a_stage_that_overlooks_it_is_told_why),
	};

	return cmocka_run_group_tests_name("worker.window", tests, NULL, NULL);
}
