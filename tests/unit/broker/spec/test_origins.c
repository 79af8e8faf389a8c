/* SPDX-License-Identifier: Apache-2.0 */
/* Which edges carry references, and whose lanes their consumers map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/reading.h"

#define EDGES_MAX 400u

static void draw(struct plan *plan, uint32_t n_stages, uint32_t workers, const char *forwards)
{
	*plan = (struct plan){ .stages = spec_alloc(n_stages, sizeof(*plan->stages)),
			       .edges = spec_alloc(EDGES_MAX, sizeof(*plan->edges)),
			       .n_stages = n_stages };
	for (uint32_t i = 0; i < n_stages; i++) {
		plan->stages[i].workers = workers;
		plan->stages[i].forwards =
			forwards ? i < strlen(forwards) && forwards[i] == 'f' : i > 0 && i + 1 < n_stages;
	}
}

static void connect(struct plan *plan, uint32_t from, uint32_t to)
{
	struct plan_stage *producer = &plan->stages[from], *consumer = &plan->stages[to];

	plan->edges[plan->n_edges] = (struct plan_edge){ .from = from, .to = to };
	producer->outputs = spec_grow(producer->outputs, producer->n_outputs, sizeof(uint32_t));
	producer->outputs[producer->n_outputs++] = plan->n_edges;
	consumer->inputs = spec_grow(consumer->inputs, consumer->n_inputs, sizeof(uint32_t));
	consumer->inputs[consumer->n_inputs++] = plan->n_edges++;
}

static void discard(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->n_stages; i++) {
		free(plan->stages[i].inputs);
		free(plan->stages[i].outputs);
		free(plan->stages[i].origins);
	}
	free(plan->stages);
	free(plan->edges);
}

/* "0 2": the stage's origins, in the order of their numbers. */
static const char *origins_of(const struct plan *plan, uint32_t stage)
{
	static char text[4096];
	size_t n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < plan->n_stages; i++)
		for (uint32_t j = 0; j < plan->stages[stage].n_origins; j++)
			if (plan->stages[stage].origins[j] == i)
				n += (size_t)snprintf(text + n, sizeof(text) - n, n ? " %u" : "%u", i);
	return text;
}

static void test_copies_where_nothing_is_passed_on(void **state)
{
	struct plan plan;

	(void)state;
	draw(&plan, 3, 2, "");
	connect(&plan, 0, 1);
	connect(&plan, 1, 2);
	plan_find_origins(&plan);
	for (uint32_t i = 0; i < 2; i++)
		assert_false(plan.edges[i].references);
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(origins_of(&plan, i), "");
	discard(&plan);
}

static void test_a_chain_reaches_back_to_the_writer(void **state)
{
	struct plan plan;

	(void)state;
	draw(&plan, 6, 3, "-ff-f-"); /* 3 makes new items */
	for (uint32_t i = 0; i < 5; i++)
		connect(&plan, i, i + 1);
	plan_find_origins(&plan);
	assert_false(plan.edges[0].references);
	assert_string_equal(origins_of(&plan, 1), "");
	assert_string_equal(origins_of(&plan, 2), "0");
	assert_string_equal(origins_of(&plan, 3), "0 1");
	assert_string_equal(origins_of(&plan, 4), "");
	assert_false(plan.edges[3].references);
	assert_string_equal(origins_of(&plan, 5), "3");
	assert_true(plan.edges[1].references && plan.edges[2].references && plan.edges[4].references);
	assert_int_equal(plan_origin_slots(&plan, &plan.stages[3]), 6);
	discard(&plan);
}

static void test_several_outputs(void **state)
{
	struct plan plan;

	(void)state;
	draw(&plan, 5, 1, "--f"); /* 0 -> 1, 2; 2 forwards; 1, 2 -> 3; 1 -> 4 */
	connect(&plan, 0, 1);
	connect(&plan, 0, 2);
	connect(&plan, 1, 3);
	connect(&plan, 2, 3);
	connect(&plan, 1, 4);
	plan_find_origins(&plan);
	assert_string_equal(origins_of(&plan, 1), "0");
	assert_string_equal(origins_of(&plan, 2), "0");
	assert_string_equal(origins_of(&plan, 3), "0 1");
	assert_string_equal(origins_of(&plan, 4), "1");
	discard(&plan);
}

/* Where the origins would be too many the edge copies, and what follows begins anew. */
static void test_a_long_way_is_cut(void **state)
{
	struct plan plan;
	uint32_t n_cut = 0;

	(void)state;
	draw(&plan, 300, 1, NULL);
	for (uint32_t i = 0; i + 1 < 300; i++)
		connect(&plan, i, i + 1);
	plan_find_origins(&plan);
	for (uint32_t i = 1; i + 1 < 300; i++)
		n_cut += !plan.edges[i].references;
	assert_int_equal(n_cut, 1);
	assert_true(plan.edges[256].references); /* from 256 to 257, with 0 .. 255 behind it */
	assert_false(plan.edges[257].references);
	assert_string_equal(origins_of(&plan, 259), "257");
	discard(&plan);

	draw(&plan, 7, 64, NULL);
	for (uint32_t i = 0; i + 1 < 7; i++)
		connect(&plan, i, i + 1);
	plan_find_origins(&plan);
	for (uint32_t i = 0; i < 7; i++)
		assert_true(plan_origin_slots(&plan, &plan.stages[i]) <= 256);
	assert_false(plan.edges[5].references);
	discard(&plan);
}

static void test_a_loop_copies(void **state)
{
	struct plan plan;

	(void)state;
	draw(&plan, 4, 1, "-ff-"); /* 0 -> 1 -> 2 -> 3, and 2 -> 1 */
	connect(&plan, 0, 1);
	connect(&plan, 2, 1);
	plan.edges[1].feedback = true;
	connect(&plan, 1, 2);
	connect(&plan, 2, 3);
	plan_find_origins(&plan);
	assert_false(plan.edges[0].references || plan.edges[1].references);
	assert_false(plan.edges[2].references);
	assert_true(plan.edges[3].references); /* out of it */
	assert_string_equal(origins_of(&plan, 1), "");
	assert_string_equal(origins_of(&plan, 2), "");
	assert_string_equal(origins_of(&plan, 3), "1 2");
	discard(&plan);
}

static void test_where_old_items_are_dropped_nothing_stays(void **state)
{
	struct plan plan;

	(void)state;
	draw(&plan, 4, 1, "-ff-");
	plan.stages[2].full = HERITAGE_FULL_DROP_OLD;
	for (uint32_t i = 0; i < 3; i++)
		connect(&plan, i, i + 1);
	plan_find_origins(&plan);
	assert_false(plan.edges[1].references);
	assert_string_equal(origins_of(&plan, 3), "1");
	discard(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_where_nothing_is_passed_on),
		cmocka_unit_test(test_a_chain_reaches_back_to_the_writer),
		cmocka_unit_test(test_several_outputs),
		cmocka_unit_test(test_a_long_way_is_cut),
		cmocka_unit_test(test_a_loop_copies),
		cmocka_unit_test(test_where_old_items_are_dropped_nothing_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
