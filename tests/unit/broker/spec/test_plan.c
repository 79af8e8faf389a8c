/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: slots, lanes, indices, orders, geometry, memory bound, and what one worker inherits of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/spec/spec.h"
#include "common/memory/board_layout.h"

#define MIB (UINT64_C(1) << 20)

static char path[] = "/tmp/weir-test-plan-XXXXXX";

static int set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

static struct plan *load_with(const char *spec, const struct spec_override *overrides, size_t n_overrides)
{
	struct diagnostics diagnostics;
	struct plan *plan = NULL;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(spec, file);
	fclose(file);
	if (spec_load(path, overrides, n_overrides, &plan, &diagnostics) != 0) {
		diagnostics_format(&diagnostics, false, &text);
		fail_msg("%s", text_get(&text));
	}
	diagnostics_deinit(&diagnostics);
	return plan;
}

static struct plan *load(const char *spec)
{
	return load_with(spec, NULL, 0);
}

/* Every index is used once, and lanes of a segment neither overlap nor leave it. */
static void check_lanes(const struct plan *plan)
{
	for (uint32_t slot = 0; slot < plan->n_slots; slot++) {
		const struct segment_geometry *geometry = &plan->slots[slot].geometry;
		uint64_t end = geometry->off_data;

		assert_int_equal(geometry->slot, slot);
		for (uint32_t index = 0; index < geometry->n_writers; index++) {
			unsigned n = 0;

			for (uint32_t i = 0; i < plan->n_lanes; i++)
				if (plan->lanes[i].producer == slot && plan->lanes[i].writer_index == index) {
					assert_int_equal(plan->lanes[i].off_data, end);
					end += plan->lanes[i].capacity_bytes;
					n++;
				}
			assert_int_equal(n, 1);
		}
		for (uint32_t i = 0; i < plan->n_lanes; i++) /* behind them the holds, in the order of the lanes */
			if (plan->lanes[i].consumer == slot && plan->lanes[i].off_hold) {
				assert_int_equal(plan->lanes[i].off_hold, end);
				end += plan->lanes[i].capacity_bytes;
			}
		assert_int_equal(end, geometry->size_bytes);
		for (uint32_t index = 0; index < geometry->n_readers; index++) {
			unsigned n = 0;

			for (uint32_t i = 0; i < plan->n_lanes; i++)
				n += plan->lanes[i].consumer == slot && plan->lanes[i].reader_index == index;
			assert_int_equal(n, 1);
		}
	}
	for (uint32_t i = 0; i < plan->n_lanes; i++) {
		const struct plan_edge *edge = &plan->edges[plan->lanes[i].edge];
		const struct plan_slot *producer = &plan->slots[plan->lanes[i].producer],
				       *consumer = &plan->slots[plan->lanes[i].consumer];

		assert_int_equal(producer->stage, edge->from);
		assert_int_equal(consumer->stage, edge->to);
		assert_int_equal(i, edge->first_lane + producer->worker_index * plan->stages[edge->to].workers +
					    consumer->worker_index);
		assert_int_equal(plan->lanes[i].capacity_bytes, plan->stages[edge->to].lane_bytes);
	}
}

/* A supervisor's numbers are added, then the document goes through the worker's eyes and back. */
static void check_heritages(const struct plan *plan)
{
	for (uint32_t slot = 0; slot < plan->n_slots; slot++) {
		struct heritage heritage, back;
		int fd;

		assert_int_equal(plan_heritage(plan, slot, &heritage), 0);
		heritage.segment_fd = heritage.board_fd = heritage.doorbell_fd = 5;
		heritage.lifeline_fd = heritage.cancel_fd = heritage.scopes_fd = 5;
		heritage.supervisor_pid = 1;
		heritage.control_endpoint = strdup("ipc:///tmp/nowhere");
		for (uint32_t i = 0; i < heritage.n_peers; i++)
			heritage.peers[i].segment_fd = heritage.peers[i].doorbell_fd = 6;
		for (uint32_t i = 0; i < heritage.n_origins; i++)
			heritage.origins[i].segment_fd = 7;
		assert_int_equal(heritage_write(&heritage, &fd), 0);
		assert_int_equal(heritage_read(fd, &back), 0);
		assert_string_equal(back.stage, heritage.stage);
		assert_int_equal(back.n_peers, heritage.n_peers);
		assert_int_equal(back.n_options, heritage.n_options);
		assert_int_equal(back.n_origins, heritage.n_origins);
		heritage_deinit(&heritage);
		heritage_deinit(&back);
		close(fd);
	}
}

static const char hello[] = "pipeline: hello\n"
			    "stages:\n"
			    "  - {name: count, source: generate, count: 5, text: 'hello {n}'}\n"
			    "  - {name: shout, exec: [tr, a-z, A-Z]}\n"
			    "  - {name: show, sink: stdout}";

static const struct heritage_option *option(const struct plan_stage *stage, const char *name)
{
	for (uint32_t i = 0; i < stage->n_options; i++)
		if (strcmp(stage->options[i].name, name) == 0)
			return &stage->options[i];
	return NULL;
}

static void test_hello(void **state)
{
	struct plan *plan = load(hello);

	(void)state;
	assert_string_equal(plan->pipeline, "hello");
	assert_string_equal(plan->spec_path, path);
	assert_int_equal(plan->n_stages, 3);
	assert_int_equal(plan->n_slots, 3);
	assert_int_equal(plan->n_lanes, 2);
	assert_true(plan->finite);
	assert_int_equal(plan->deadline_ns, 0);
	assert_int_equal(plan->drain_ns, UINT64_C(30000000000));
	assert_int_equal(plan->stages[0].role, WEIR_SOURCE);
	assert_string_equal(plan->stages[0].kind, "generate");
	assert_int_equal(option(&plan->stages[0], "count")->number, 5);
	assert_string_equal(option(&plan->stages[0], "text")->string, "hello {n}");
	assert_null(option(&plan->stages[0], "rate"));
	assert_int_equal(plan->stages[1].role, WEIR_OPERATOR);
	assert_string_equal(plan->stages[1].kind, "exec");
	assert_string_equal(option(&plan->stages[1], "command")->list[0], "tr");
	assert_null(option(&plan->stages[1], "command")->list[3]);
	assert_int_equal(option(&plan->stages[1], "command")->n_list, 3);
	assert_int_equal(option(&plan->stages[1], "command")->line, 4);
	assert_int_equal(option(&plan->stages[1], "block_wait")->number, 1000000000);
	assert_string_equal(option(&plan->stages[1], "mode")->string, "block");
	assert_string_equal(option(&plan->stages[1], "ok_exit")->list[0], "0");
	assert_int_equal(plan->stages[2].role, WEIR_SINK);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(plan->stages[i].workers, 1);
		assert_int_equal(plan->stages[i].batch, 64);
		assert_int_equal(plan->stages[i].lane_bytes, 262144);
		assert_int_equal(plan->stages[i].attempts, 3);
		assert_null(plan->stages[i].dead_letter_path);
		assert_int_equal(plan->stages[i].restart_intensity, 10);
		assert_int_equal(plan->stages[i].restart_type, PLAN_TRANSIENT);
		assert_int_equal(plan->stages[i].restart_period_ns, UINT64_C(30000000000));
		assert_int_equal(plan->stages[i].backoff_min_ns, 10000000);
		assert_int_equal(plan->stages[i].backoff_max_ns, UINT64_C(10000000000));
		assert_int_equal(plan->stages[i].grace_ns, 2000000000);
		assert_int_equal(plan->stages[i].position.line, 3 + i);
		assert_int_equal(plan->stages[i].position.column, 12);
	}
	check_lanes(plan);
	check_heritages(plan);
	plan_free(plan);
}

static void test_memory_bound(void **state)
{
	struct plan *plan = load("pipeline: p\nstages:\n"
				 "  - {name: in, source: generate}\n"
				 "  - {name: a, exec: cat, workers: 2, lane: 1MiB, spool: 4MiB}\n"
				 "  - {name: out, sink: discard}\n");
	uint64_t expected = SEGMENT_PAGE_SIZE + 8192 * 16 + RECORDER_BOARD_EVENTS * 32; /* the board */

	(void)state;
	assert_false(plan->finite);
	for (uint32_t i = 0; i < plan->n_slots; i++)
		expected += plan->slots[i].geometry.control_size_bytes + SEGMENT_RECORDER_SIZE;
	expected += 2 * MIB + 2 * 262144; /* lanes into a, into out */
	/* a block of 1 MiB, with separators three, and one item of half a lane; and the spool for the output */
	expected += 2 * (3 * MIB + MIB / 2 + SEGMENT_PAGE_SIZE + 4 * MIB);
	assert_int_equal(plan->memory_bound_bytes, expected);
	plan_free(plan);
}

/* 1 -> 4 -> 1, in order. */
static const char fifo[] =
	"pipeline: p\nstages:\n"
	"  - {name: in, source: stdin}\n"
	"  - {name: a, exec: cat, workers: 4, order: fifo, block: 64KiB, block_wait: 100ms, balance: round-robin}\n"
	"  - {name: out, sink: stdout}\n";

static void test_fifo_edges(void **state)
{
	struct plan *plan = load(fifo);

	(void)state;
	check_lanes(plan);
	check_heritages(plan);
	assert_int_equal(plan->n_lanes, 8);
	assert_int_equal(plan->edges[0].order, HERITAGE_ORDER_DEAL);
	assert_false(plan->edges[0].merge);
	assert_int_equal(plan->edges[0].run_bytes, 65536);
	assert_int_equal(plan->edges[0].run_wait_ns, 100000000);
	assert_int_equal(plan->edges[1].order, HERITAGE_ORDER_KEEP);
	assert_true(plan->edges[1].merge);
	assert_int_equal(plan->edges[1].run_bytes, 0);
	plan_free(plan);
}

static void test_fifo_heritage(void **state)
{
	struct plan *plan = load(fifo);
	struct heritage heritage;

	(void)state;
	assert_int_equal(plan_heritage(plan, 0, &heritage), 0);
	assert_int_equal(heritage.n_inputs, 0);
	assert_int_equal(heritage.n_outputs, 1);
	assert_int_equal(heritage.outputs[0].n_lanes, 4);
	assert_int_equal(heritage.outputs[0].balance, HERITAGE_ROUND_ROBIN);
	assert_int_equal(heritage.outputs[0].order, HERITAGE_ORDER_DEAL);
	assert_int_equal(heritage.outputs[0].run_bytes, 65536);
	assert_false(heritage.ordered);
	assert_int_equal(heritage.n_peers, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(heritage.peers[i].slot, i + 1);
		assert_int_equal(heritage.outputs[0].lanes[i].peer, i);
		assert_int_equal(heritage.outputs[0].lanes[i].own_index, i);
		assert_int_equal(heritage.outputs[0].lanes[i].peer_index, 0);
	}
	heritage_deinit(&heritage);

	assert_int_equal(plan_heritage(plan, 3, &heritage), 0); /* a's third worker */
	assert_string_equal(heritage.stage, "a");
	assert_int_equal(heritage.worker_index, 2);
	assert_int_equal(heritage.n_workers, 4);
	assert_true(heritage.ordered);
	assert_int_equal(heritage.n_peers, 2);
	assert_int_equal(heritage.peers[0].slot, 0);
	assert_int_equal(heritage.peers[1].slot, 5);
	assert_int_equal(heritage.inputs[0].lanes[0].peer_index, 2);
	assert_false(heritage.inputs[0].merge);
	assert_int_equal(heritage.outputs[0].order, HERITAGE_ORDER_KEEP);
	assert_int_equal(heritage.outputs[0].lanes[0].peer, 1);
	assert_int_equal(heritage.outputs[0].lanes[0].peer_index, 2);
	assert_int_equal(heritage.segment_fd, -1);
	assert_int_equal(heritage.spool_fds[0], -1);
	heritage_deinit(&heritage);

	assert_int_equal(plan_heritage(plan, 5, &heritage), 0);
	assert_int_equal(heritage.inputs[0].n_lanes, 4);
	assert_true(heritage.inputs[0].merge);
	assert_int_equal(heritage.inputs[0].first_ticket, 0);
	assert_int_equal(heritage.inputs[0].ticket_step, 1);
	heritage_deinit(&heritage);
	plan_free(plan);
}

/* 1 -> 3 -> 2 -> 1 in order, then given up: 3 -> 2 unordered. */
static void test_chained_fifo(void **state)
{
	struct plan *plan = load("pipeline: p\nstages:\n"
				 "  - {name: in, source: stdin}\n"
				 "  - {name: a, exec: cat, workers: 3, order: fifo, mode: line}\n"
				 "  - {name: b, exec: cat, workers: 2, order: fifo}\n"
				 "  - {name: out, sink: stdout}\n"
				 "  - {name: c, from: a, exec: cat, workers: 2}\n"
				 "  - {name: out2, sink: stdout}\n");
	struct heritage heritage;

	(void)state;
	check_lanes(plan);
	check_heritages(plan);
	assert_int_equal(plan->n_edges, 5);
	assert_int_equal(plan->edges[0].order, HERITAGE_ORDER_DEAL);
	assert_int_equal(plan->edges[0].run_bytes, 0); /* line mode: a run ends with the producer's turn */
	assert_int_equal(plan->edges[1].order, HERITAGE_ORDER_KEEP);
	assert_true(plan->edges[1].merge);
	assert_int_equal(plan->edges[2].order, HERITAGE_ORDER_KEEP);
	assert_true(plan->edges[2].merge);
	assert_int_equal(plan->edges[3].order, HERITAGE_ORDER_NONE); /* a -> c: order is given up */
	assert_false(plan->edges[3].merge);
	assert_int_equal(plan->edges[4].order, HERITAGE_ORDER_NONE);
	assert_int_equal(plan_heritage(plan, 5, &heritage), 0); /* b's second worker */
	assert_string_equal(heritage.stage, "b");
	assert_int_equal(heritage.inputs[0].n_lanes, 3);
	assert_true(heritage.inputs[0].merge);
	assert_int_equal(heritage.inputs[0].first_ticket, 1);
	assert_int_equal(heritage.inputs[0].ticket_step, 2);
	assert_int_equal(heritage.n_peers, 4);
	for (uint32_t i = 0; i < 3; i++) { /* in a's segments: two lanes to b, then two to c */
		assert_int_equal(heritage.inputs[0].lanes[i].own_index, i);
		assert_int_equal(heritage.inputs[0].lanes[i].peer_index, 1);
	}
	heritage_deinit(&heritage);
	plan_free(plan);
}

/* in -> a, in -> b x2; a + b -> out; and one more source straight into out. */
static void test_diamond(void **state)
{
	struct plan *plan = load("pipeline: p\nstages:\n"
				 "  - {name: in, source: stdin}\n"
				 "  - {name: a, exec: cat}\n"
				 "  - {name: b, from: in, exec: cat, workers: 2}\n"
				 "  - {name: more, source: generate, count: 3}\n"
				 "  - {name: out, from: [b, a, more], sink: stdout, lane: 64KiB}\n");
	struct heritage heritage;

	(void)state;
	check_lanes(plan);
	check_heritages(plan);
	assert_true(plan->finite);
	assert_int_equal(plan->n_slots, 6);
	assert_int_equal(plan->n_edges, 5);
	assert_int_equal(plan->stages[0].n_outputs, 2);
	assert_int_equal(plan->stages[4].n_inputs, 3);
	assert_int_equal(plan->edges[plan->stages[4].inputs[0]].from, 2); /* as in `from` */
	assert_int_equal(plan->edges[plan->stages[4].inputs[1]].from, 1);
	assert_int_equal(plan->edges[plan->stages[4].inputs[2]].from, 3);
	assert_int_equal(plan->edges[plan->stages[4].inputs[1]].position.column, 27);
	assert_int_equal(plan_heritage(plan, 5, &heritage), 0);
	assert_int_equal(heritage.n_inputs, 3);
	assert_string_equal(heritage.inputs[0].peer_stage, "b");
	assert_int_equal(heritage.inputs[0].n_lanes, 2);
	assert_int_equal(heritage.n_peers, 4);
	assert_int_equal(heritage.peers[0].slot, 1);
	assert_int_equal(heritage.peers[3].slot, 4);
	assert_int_equal(heritage.inputs[0].lanes[0].peer, 1); /* slot 2 */
	assert_int_equal(heritage.inputs[1].lanes[0].peer, 0); /* slot 1 */
	assert_int_equal(heritage.inputs[1].lanes[0].own_index, 2);
	assert_int_equal(heritage.inputs[2].lanes[0].own_index, 3);
	assert_int_equal(heritage.inputs[2].lanes[0].capacity_bytes, 65536);
	heritage_deinit(&heritage);
	assert_int_equal(plan_heritage(plan, 0, &heritage), 0);
	assert_int_equal(heritage.n_outputs, 2);
	assert_int_equal(heritage.outputs[1].lanes[1].own_index, 2);
	assert_int_equal(heritage.outputs[1].lanes[1].peer, 2);
	heritage_deinit(&heritage);
	plan_free(plan);
}

/* One worker in order needs nothing; after an unordered stage it merges nothing. */
static void test_one_worker_fifo(void **state)
{
	struct plan *plan = load("pipeline: p\nstages:\n"
				 "  - {name: in, source: stdin}\n"
				 "  - {name: a, exec: cat, order: fifo}\n"
				 "  - {name: b, exec: cat, workers: 2}\n"
				 "  - {name: out, sink: stdout, order: fifo}\n");

	(void)state;
	for (uint32_t i = 0; i < plan->n_edges; i++) {
		assert_int_equal(plan->edges[i].order, HERITAGE_ORDER_NONE);
		assert_false(plan->edges[i].merge);
	}
	check_heritages(plan);
	plan_free(plan);
}

static void test_values(void **state)
{
	struct plan *plan = load("pipeline: p\ndeadline: 1h\ndrain: 5s\ngrace: 1s\nstrategy: rest_for_one\n"
				 "restart: {intensity: 3, backoff: 1s, type: permanent}\nstages:\n"
				 "  - {name: in, source: file, path: [/dev/null, '/etc/host*'], too_long: cut}\n"
				 "  - name: a\n"
				 "    exec: |\n"
				 "      tr a-z A-Z | cat\n"
				 "    restart: {period: 1m, intensity: 0, type: temporary}\n"
				 "    on_failure: drop_branch\n"
				 "    grace: 500ms\n"
				 "    dead_letter: {attempts: 1, path: bad}\n"
				 "    batch: 1k\n    block: all\n"
				 "  - {name: out, sink: file, path: x, existing: append}\n");

	(void)state;
	assert_int_equal(plan->deadline_ns, UINT64_C(3600000000000));
	assert_int_equal(plan->drain_ns, UINT64_C(5000000000));
	assert_int_equal(plan->stages[0].grace_ns, 1000000000);
	assert_int_equal(plan->strategy, PLAN_REST_FOR_ONE);
	assert_int_equal(plan->stages[0].restart_type, PLAN_PERMANENT);
	assert_int_equal(plan->stages[1].restart_type, PLAN_TEMPORARY);
	assert_true(plan->stages[1].drop_branch && !plan->stages[0].drop_branch);
	assert_int_equal(plan->stages[0].restart_intensity, 3);
	assert_int_equal(plan->stages[0].backoff_min_ns, 1000000000);
	assert_string_equal(option(&plan->stages[0], "path")->list[1], "/etc/host*");
	assert_int_equal(option(&plan->stages[0], "too_long")->number, 1);
	assert_string_equal(option(&plan->stages[0], "too_long")->string, "cut");
	assert_int_equal(plan->stages[1].restart_intensity, 0);
	assert_int_equal(plan->stages[1].restart_period_ns, UINT64_C(60000000000));
	assert_int_equal(plan->stages[1].backoff_min_ns, 1000000000);
	assert_int_equal(plan->stages[1].grace_ns, 500000000);
	assert_int_equal(plan->stages[1].attempts, 1);
	assert_int_equal(plan->stages[1].batch, 1000);
	assert_string_equal(plan->stages[1].dead_letter_path, "bad");
	assert_string_equal(option(&plan->stages[1], "command")->list[0], "sh");
	assert_string_equal(option(&plan->stages[1], "command")->list[1], "-c");
	assert_string_equal(option(&plan->stages[1], "command")->list[2], "tr a-z A-Z | cat\n");
	assert_string_equal(option(&plan->stages[1], "block")->string, "all");
	assert_null(plan->stages[2].dead_letter_path);
	check_heritages(plan);
	plan_free(plan);
}

static void test_overrides(void **state)
{
	static const struct spec_override good[] = {
		{ "deadline", "5s" },
		{ "stages.shout.workers", "4" },
		{ "stages.count.text", "[bye, {n}]" },
		{ "stages.count.text", "bye" },
		{ "stages.shout.exec", "[sort, -u]" },
		{ "restart.intensity", "1" },
		{ "stages.shout.dead_letter.attempts", "2" },
	};
	struct plan *plan = load_with(hello, good, 0);
	struct diagnostics diagnostics;

	(void)state;
	plan_free(plan);
	plan = load_with(hello, good, sizeof(good) / sizeof(good[0]));
	assert_int_equal(plan->deadline_ns, UINT64_C(5000000000));
	assert_int_equal(plan->stages[1].workers, 4);
	assert_int_equal(plan->stages[1].attempts, 2);
	assert_int_equal(plan->stages[0].restart_intensity, 1);
	assert_string_equal(option(&plan->stages[0], "text")->string, "bye");
	assert_string_equal(option(&plan->stages[1], "command")->list[0], "sort");
	plan_free(plan);

	static const struct spec_override bad[] = {
		{ "stages.shuot.workers", "4" },
		{ "deadlin", "5s" },
		{ "stages.shout", "4" },
		{ "a..b", "1" },
		{ "pipeline.x", "1" },
		{ "stages.shout.workers", "none" },
		{ "stages.count.rate", "[1" },
		{ "stages", "x" },
		{ "stages.count.text", "a\xff" },
	};
	static const char *const said[] = {
		"--set stages.shuot.workers=4: error: there is no stage 'shuot'\n         did you mean 'shout'?\n",
		"--set deadlin=5s: error: unknown key 'deadlin' in the spec\n         did you mean 'deadline'?\n",
		"--set stages.shout=4: error: a stage's name and a key are missing in the path\n",
		"--set a..b=1: error: expected a path such as",
		"--set pipeline.x=1: error: 'pipeline' holds nothing that could be set by name\n",
		"--set stages.shout.workers=none: error: workers 'none' is wrong: expected a whole number",
		"--set stages.count.rate=[1: error: this [ is never closed\n",
		"--set stages=x: error: stages wants a list of stages",
		"--set stages.count.text=a?: error: this is not UTF-8",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_(text_deinit) struct text text = TEXT_NULL;

		assert_int_equal(spec_load(path, &bad[i], 1, &plan, &diagnostics), SPEC_E_INVALID);
		diagnostics_format(&diagnostics, false, &text);
		if (!strstr(text_get(&text), said[i]))
			fail_msg("expected %s, said %s", said[i], text_get(&text));
		assert_int_equal(diagnostics.n_errors, 1);
		diagnostics_deinit(&diagnostics);
	}
}

static void test_json(void **state)
{
	struct diagnostics diagnostics;
	struct plan *plan;
	_cleanup_(text_deinit) struct text text = TEXT_NULL;
	static const struct spec_override bad = { "stages.show.sink", "stdut" };

	(void)state;
	assert_int_equal(spec_load(path, &bad, 1, &plan, &diagnostics), SPEC_E_INVALID);
	diagnostics_format_json(&diagnostics, &text);
	assert_string_equal(text_get(&text),
			    "[{\"level\":\"error\",\"place\":\"--set stages.show.sink=stdut\","
			    "\"message\":\"there is no sink 'stdut'\",\"hint\":\"did you mean 'stdout'?\"}]");
	text_clear(&text);
	diagnostics_format(&diagnostics, true, &text);
	assert_non_null(strstr(text_get(&text), "\033[31merror:\033[0m there is"));
	diagnostics_deinit(&diagnostics);
}

static void test_admission(void **state)
{
	struct plan *plan =
		load("pipeline: p\nstages:\n"
		     "  - {name: in, source: stdin}\n"
		     "  - {name: a, from: [in, {stage: b, credit: 65}], exec: cat, full: drop-new}\n"
		     "  - {name: b, from: a, exec: cat, workers: 4, order: key, balance: \"key(field(2, ','))\"}\n"
		     "  - {name: one, from: b, exec: cat, capacity: 0}\n"
		     "  - {name: out, sink: discard, workers: 2, on_failure: degrade, full: reject}\n");
	struct heritage heritage;

	(void)state;
	check_lanes(plan);
	check_heritages(plan);
	assert_int_equal(plan->stages[1].full, HERITAGE_FULL_DROP_NEW);
	assert_int_equal(plan->stages[2].order, PLAN_ORDER_KEY);
	assert_int_equal(plan->stages[2].in_flight, 1);
	assert_true(plan->stages[3].rendezvous);
	assert_false(plan->stages[3].degrade);
	assert_true(plan->stages[4].degrade);
	assert_true(plan->edges[1].feedback);
	assert_int_equal(plan->edges[1].credit, 65);
	assert_false(plan->edges[0].feedback);

	assert_int_equal(plan_heritage(plan, 1, &heritage), 0); /* a */
	assert_int_equal(heritage.in_flight, 1);
	assert_int_equal(heritage.inputs[0].full, HERITAGE_FULL_DROP_NEW);
	assert_int_equal(heritage.inputs[1].credit, 16); /* of each of four */
	assert_true(heritage.inputs[1].feedback);
	assert_int_equal(heritage.outputs[0].balance, HERITAGE_BALANCE_KEY);
	assert_string_equal(heritage.outputs[0].balance_key, "field(2, ',')");
	assert_int_equal(heritage.outputs[0].order, HERITAGE_ORDER_NONE);
	heritage_deinit(&heritage);
	assert_int_equal(plan_heritage(plan, 3, &heritage), 0); /* b's second worker */
	assert_false(heritage.ordered);
	assert_true(heritage.outputs[0].feedback);
	assert_int_equal(heritage.outputs[0].credit, 16);
	assert_int_equal(heritage.outputs[0].full, HERITAGE_FULL_DROP_NEW);
	assert_true(heritage.outputs[1].rendezvous);
	assert_int_equal(heritage.outputs[1].credit, 0);
	heritage_deinit(&heritage);
	assert_int_equal(plan_heritage(plan, 6, &heritage), 0); /* one */
	assert_true(heritage.inputs[0].rendezvous);
	assert_int_equal(heritage.outputs[0].full, HERITAGE_FULL_REJECT);
	heritage_deinit(&heritage);
	plan_free(plan);
}

/* A hold for each lane in, as large as the lane, behind the lanes out; part of the bound. */
static void test_drop_old(void **state)
{
	struct plan *plan = load("pipeline: p\nstages:\n"
				 "  - {name: in, source: stdin}\n"
				 "  - {name: a, exec: cat, workers: 2, full: drop-old, lane: 64KiB}\n"
				 "  - {name: out, sink: discard, full: drop-old, lane: 128KiB}\n");
	struct heritage heritage;
	uint64_t first;

	(void)state;
	check_lanes(plan);
	check_heritages(plan);
	assert_false(plan->slots[0].geometry.holds);
	assert_true(plan->slots[1].geometry.holds && plan->slots[3].geometry.holds);
	assert_int_equal(plan->slots[1].geometry.size_bytes, plan->slots[1].geometry.off_data + 131072 + 65536);
	assert_int_equal(plan_heritage(plan, 1, &heritage), 0);
	assert_int_equal(heritage.inputs[0].lanes[0].off_hold, heritage.off_data + 131072);
	assert_int_equal(heritage.outputs[0].lanes[0].off_hold, 0);
	heritage_deinit(&heritage);
	assert_int_equal(plan_heritage(plan, 3, &heritage), 0);
	first = heritage.inputs[0].lanes[0].off_hold;
	assert_int_equal(first, heritage.off_data);
	assert_int_equal(heritage.inputs[0].lanes[1].off_hold, first + 131072);
	assert_int_equal(heritage.segment_size, first + 2 * 131072);
	heritage_deinit(&heritage);
	plan_free(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello),           cmocka_unit_test(test_memory_bound),
		cmocka_unit_test(test_fifo_edges),      cmocka_unit_test(test_fifo_heritage),
		cmocka_unit_test(test_chained_fifo),    cmocka_unit_test(test_diamond),
		cmocka_unit_test(test_one_worker_fifo), cmocka_unit_test(test_values),
		cmocka_unit_test(test_overrides),       cmocka_unit_test(test_json),
		cmocka_unit_test(test_admission),       cmocka_unit_test(test_drop_old),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
