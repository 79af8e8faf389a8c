/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of items at a full lane, one at a time through a rendezvous, and keys in their lanes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "worker/admission.h"
#include "worker/key.h"
#include "worker/output.h"
#include "worker/turn.h"

#define BIG 1900 /* two records of it fill a lane */

static char big[BIG + 1];

static int set_up(void **state)
{
	(void)state;
	memset(big, 'x', BIG);
	return 0;
}

/* One producer, in produce(), as a source. */
static struct worker *make(struct rig *rig, uint32_t n_consumers, enum heritage_full full, bool rendezvous)
{
	struct worker *producer = &rig->producers[0];

	rig_init(rig, 1, n_consumers, HERITAGE_ORDER_NONE, HERITAGE_LEAST_LOADED, false);
	producer->heritage.outputs[0].full = full;
	producer->heritage.outputs[0].rendezvous = rendezvous;
	producer->rendezvous = rendezvous;
	producer->outputs[0].plain = producer->plain_output = false;
	producer->phase = PHASE_PRODUCE;
	producer->stage.role = WEIR_SOURCE;
	producer->now_ns = 1;
	return producer;
}

static void assert_ledger(const struct worker *worker, uint64_t emitted, uint64_t dropped, uint64_t refused)
{
	assert_int_equal(worker->cursor.ledger[LEDGER_EMITTED], emitted);
	assert_int_equal(worker->cursor.ledger[LEDGER_DROPPED_NEW], dropped);
	assert_int_equal(worker->cursor.ledger[LEDGER_REFUSED], refused);
}

static void test_block(void **state)
{
	struct rig rig;
	struct worker *producer = make(&rig, 1, HERITAGE_FULL_BLOCK, false);

	(void)state;
	assert_int_equal(rig_push(producer, big), 0);
	assert_int_equal(rig_push(producer, big), 0);
	rig_commit(producer);
	assert_int_equal(rig_push(producer, big), OUTPUT_E_FULL);
	assert_false(output_room(producer, producer->need_bytes));
	assert_ledger(producer, 2, 0, 0);
	rig_deinit(&rig);
}

static void test_drop_new(void **state)
{
	struct rig rig;
	struct worker *producer = make(&rig, 1, HERITAGE_FULL_DROP_NEW, false);

	(void)state;
	assert_int_equal(rig_push(producer, big), 0);
	assert_int_equal(rig_push(producer, big), 0);
	/* Not committed: the reader has had no chance. First commit, which nobody has to wait for. */
	assert_int_equal(rig_push(producer, big), OUTPUT_E_FULL);
	assert_true(output_room(producer, producer->need_bytes) && output_possible(producer, producer->need_bytes));
	rig_commit(producer);
	assert_int_equal(rig_push(producer, big), 0);
	assert_true(producer->changed);
	assert_ledger(producer, 3, 1, 0);
	assert_int_equal(producer->cursor.sequence, 3);
	rig_commit(producer);
	assert_string_equal(rig_take(&rig.consumers[0]), big);
	rig_commit(&rig.consumers[0]);
	assert_int_equal(rig_push(producer, big), 0);
	assert_ledger(producer, 4, 1, 0);
	rig_deinit(&rig);
}

static void test_reject_tells_a_source(void **state)
{
	struct rig rig;
	struct worker *producer = make(&rig, 2, HERITAGE_FULL_REJECT, false);

	(void)state;
	for (unsigned i = 0; i < 4; i++) { /* two lanes */
		assert_int_equal(output_push(producer, 0, big, BIG), 0);
		assert_false(admission_refused(producer, 0));
		output_item_end(producer);
	}
	rig_commit(producer);
	assert_int_equal(output_push(producer, WEIR_ALL_OUTPUTS, big, BIG), 0);
	assert_true(admission_refused(producer, WEIR_ALL_OUTPUTS));
	output_item_end(producer);
	assert_ledger(producer, 5, 0, 1);
	assert_int_equal(producer->outputs[0].said_ns, producer->now_ns);
	producer->now_ns++;
	assert_int_equal(rig_push(producer, big), 0); /* said once a second only */
	assert_int_equal(producer->outputs[0].said_ns, producer->now_ns - 1);
	assert_ledger(producer, 6, 0, 2);
	rig_deinit(&rig);
}

/* What an operator made is kept; and what it made of an item that is dropped in the end was never made. */
static void test_reject_buries(void **state)
{
	struct rig rig;
	struct worker *producer = make(&rig, 1, HERITAGE_FULL_REJECT, false);
	char path[] = "/tmp/weir-test-admission-XXXXXX", line[8192] = "";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	producer->stage.role = WEIR_OPERATOR;
	producer->phase = PHASE_PROCESS;
	producer->heritage.dead_letter_path = path;
	producer->heritage.pipeline = (char *)(uintptr_t) "p";
	producer->heritage.stage = (char *)(uintptr_t) "s";
	assert_int_equal(rig_push(producer, big), 0);
	assert_int_equal(rig_push(producer, big), 0);
	rig_commit(producer);
	assert_int_equal(output_push(producer, 0, "refuse me, then the rest of this long text", 42), 0);
	assert_int_equal(output_push(producer, 0, big, BIG), 0);
	assert_true(read(fd, line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, "the lane to 'consumer' was full"));
	output_item_drop(producer);
	output_item_end(producer);
	assert_ledger(producer, 2, 0, 0);
	assert_int_equal(output_push(producer, 0, big, BIG), 0);
	output_item_end(producer);
	assert_ledger(producer, 3, 0, 1);
	producer->heritage.dead_letter_path = producer->heritage.pipeline = producer->heritage.stage = NULL;
	close(fd);
	unlink(path);
	rig_deinit(&rig);
}

/* With a flush() nothing can be committed between, so waiting for that would be for ever. */
static int flush_nothing(struct weir_context *context, void *state)
{
	(void)context;
	(void)state;
	return 0;
}

static void test_drop_with_flush(void **state)
{
	struct rig rig;
	struct worker *producer = make(&rig, 1, HERITAGE_FULL_DROP_NEW, false);

	(void)state;
	producer->stage.flush = flush_nothing;
	producer->phase = PHASE_PROCESS;
	assert_int_equal(rig_push(producer, big), 0);
	assert_int_equal(rig_push(producer, big), 0);
	assert_int_equal(rig_push(producer, big), 0);
	assert_ledger(producer, 3, 1, 0);
	rig_deinit(&rig);
}

static void test_too_large_is_no_matter_of_room(void **state)
{
	static char huge[RIG_LANE_SIZE];
	struct rig rig;
	struct worker *producer = make(&rig, 1, HERITAGE_FULL_DROP_NEW, false);

	(void)state;
	assert_int_equal(output_push(producer, 0, huge, sizeof(huge)), OUTPUT_E_TOO_LARGE);
	assert_ledger(producer, 0, 0, 0);
	rig_deinit(&rig);
}

static void test_rendezvous(void **state)
{
	struct rig rig;
	struct worker *producer = make(&rig, 1, HERITAGE_FULL_BLOCK, true), *consumer = &rig.consumers[0];

	(void)state;
	assert_int_equal(rig_push(producer, "a"), 0);
	assert_int_equal(rig_push(producer, "b"), OUTPUT_E_FULL); /* not even committed */
	assert_true(admission_handed_over(producer));             /* of what is committed: nothing */
	rig_commit(producer);
	assert_false(admission_handed_over(producer));
	assert_false(output_room(producer, producer->need_bytes));
	assert_true(output_possible(producer, producer->need_bytes));
	assert_int_equal(rig_push(producer, "b"), OUTPUT_E_FULL);
	assert_string_equal(rig_take(consumer), "a");
	assert_int_equal(rig_push(producer, "b"), OUTPUT_E_FULL); /* taken, not committed */
	assert_false(admission_handed_over(producer));
	rig_commit(consumer);
	assert_true(admission_handed_over(producer));
	assert_true(output_room(producer, producer->need_bytes));
	assert_int_equal(rig_push(producer, "b"), 0);
	rig_deinit(&rig);
}

/* What is made of one item goes over together. */
static void test_rendezvous_of_several(void **state)
{
	struct rig rig;
	struct worker *producer = make(&rig, 1, HERITAGE_FULL_BLOCK, true);

	(void)state;
	producer->phase = PHASE_PROCESS;
	assert_int_equal(output_push(producer, 0, "a", 1), 0);
	assert_int_equal(output_push(producer, 0, "b", 1), 0);
	output_item_end(producer);
	assert_int_equal(output_push(producer, 0, "c", 1), OUTPUT_E_FULL);
	rig_commit(producer);
	assert_string_equal(rig_take(&rig.consumers[0]), "a");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(output_push(producer, 0, "c", 1), OUTPUT_E_FULL);
	assert_string_equal(rig_take(&rig.consumers[0]), "b");
	rig_commit(&rig.consumers[0]);
	assert_int_equal(output_push(producer, 0, "c", 1), 0);
	rig_deinit(&rig);
}

/* Each key has its lane, also when that one is full and others are not. */
static void test_keys(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct rig rig;
	struct worker *producer = make(&rig, 4, HERITAGE_FULL_BLOCK, false);
	struct output_edge *edge = &producer->outputs[0];
	uint64_t hash;
	uint32_t lane;

	(void)state;
	assert_int_equal(key_new("bytes(0, 2)", &edge->key, &why), 0);
	for (unsigned i = 0; i < 200; i++) {
		char item[16];

		snprintf(item, sizeof(item), "%02u%u", i % 50, i);
		assert_int_equal(rig_push(producer, item), 0);
		assert_true(key_hash(edge->key, item, 2, &hash));
		assert_int_equal(edge->item_lane, key_lane(hash, 4));
	}
	assert_int_equal(load_relaxed(&producer->segment.counters->values[COUNTER_UNKEYED]), 0);
	assert_int_equal(rig_push(producer, "1"), 0);
	assert_int_equal(load_relaxed(&producer->segment.counters->values[COUNTER_UNKEYED]), 1);
	assert_true(key_hash(edge->key, big, 2, &hash));
	lane = key_lane(hash, 4);
	while (rig_push(producer, big) == 0)
		assert_int_equal(edge->item_lane, lane);
	assert_false(output_room(producer, producer->need_bytes));
	rig_deinit(&rig);
}

/* A payload that is built in place has its key only when it is whole: then there must be room, wherever it goes. */
static void test_reserved_with_a_key(void **state)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct rig rig;
	struct worker *producer = make(&rig, 2, HERITAGE_FULL_BLOCK, false);
	struct output_edge *edge = &producer->outputs[0];
	void *payload;
	uint64_t hash;

	(void)state;
	assert_int_equal(key_new("item", &edge->key, &why), 0);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(output_reserve(producer, 0, 8, &payload), 0);
		memcpy(payload, (char[]){ 'k', (char)i }, 2);
		assert_true(key_hash(edge->key, payload, 2, &hash));
		assert_int_equal(output_push_reserved(producer, 0, 2), 0);
		output_item_end(producer);
		assert_int_equal(edge->item_lane, key_lane(hash, 2));
	}
	while (rig_push(producer, big) == 0)
		;
	assert_int_equal(output_reserve(producer, 0, BIG, &payload), OUTPUT_E_FULL);
	assert_int_equal(output_push_reserved(producer, 0, 1), OUTPUT_E_UNRESERVED);
	assert_false(output_room(producer, producer->need_bytes)); /* of the lane that has none */
	rig_deinit(&rig);
}

static void test_reserved_and_skipped(void **state)
{
	struct rig rig;
	struct worker *producer = make(&rig, 1, HERITAGE_FULL_DROP_NEW, false);
	void *payload;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(output_reserve(producer, 0, BIG, &payload), 0);
		assert_int_equal(output_push_reserved(producer, 0, BIG), 0);
		output_item_end(producer);
	}
	assert_int_equal(output_reserve(producer, 0, BIG, &payload), OUTPUT_E_FULL);
	rig_commit(producer);
	assert_int_equal(output_reserve(producer, 0, BIG, &payload), 0);
	memset(payload, 'y', BIG);
	assert_int_equal(output_push_reserved(producer, 0, BIG), 0);
	output_item_end(producer);
	assert_ledger(producer, 3, 1, 0);
	rig_deinit(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_drop_new),
		cmocka_unit_test(test_reject_tells_a_source),
		cmocka_unit_test(test_reject_buries),
		cmocka_unit_test(test_drop_with_flush),
		cmocka_unit_test(test_too_large_is_no_matter_of_room),
		cmocka_unit_test(test_rendezvous),
		cmocka_unit_test(test_rendezvous_of_several),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_reserved_with_a_key),
		cmocka_unit_test(test_reserved_and_skipped),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
