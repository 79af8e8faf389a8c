/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/broker/observe/made_pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"

static uint32_t string(struct made *made, const char *words)
{
	uint32_t at = made->head.strings_bytes;

	assert_true(at + strlen(words) < sizeof(made->strings));
	strcpy(made->strings + at, words);
	made->head.strings_bytes += (uint32_t)strlen(words) + 1;
	return at;
}

void made_init(struct made *made)
{
	memset(made, 0, sizeof(*made));
	made->head.strings_bytes = 1;
	made->catalog = (struct catalog){ .head = &made->head,
					  .stages = made->stages,
					  .edges = made->edges,
					  .lanes = made->lanes,
					  .slots = made->slots,
					  .strings = made->strings };
}

uint32_t made_stage(struct made *made, const char *name, const char *kind, enum weir_role role, uint32_t workers)
{
	uint32_t number = made->head.n_stages++;

	made->stages[number] = (struct catalog_stage){ .name = string(made, name),
						       .kind = string(made, kind),
						       .role = role,
						       .workers = workers,
						       .first_slot = made->head.n_slots };
	assert_true(made->head.n_slots + workers <= MADE_MAX);
	for (uint32_t i = 0; i < workers; i++)
		made->slots[made->head.n_slots++] = (struct catalog_slot){ .stage = number, .worker_index = i };
	return number;
}

uint32_t made_edge(struct made *made, uint32_t from, uint32_t to)
{
	const struct catalog_stage *producer = &made->stages[from], *consumer = &made->stages[to];
	uint32_t number = made->head.n_edges++;

	made->edges[number] = (struct catalog_edge){
		.from = from, .to = to, .first_lane = made->head.n_lanes, .lane_bytes = MADE_LANE_BYTES
	};
	assert_true(made->head.n_lanes + producer->workers * consumer->workers <= MADE_MAX);
	for (uint32_t i = 0; i < producer->workers; i++)
		for (uint32_t j = 0; j < consumer->workers; j++)
			made->lanes[made->head.n_lanes++] = (struct catalog_lane){ .edge = number,
										   .producer = producer->first_slot + i,
										   .consumer = consumer->first_slot + j,
										   .capacity_bytes = MADE_LANE_BYTES };
	return number;
}

void made_views(struct made *made)
{
	pace_view_init(&made->before, &made->catalog);
	pace_view_init(&made->after, &made->catalog);
	made->before.running = made->after.running = true;
	made->before.now_ns = 5 * NS_PER_S;
	made->after.now_ns = 6 * NS_PER_S;
	for (uint32_t i = 0; i < made->head.n_slots; i++) {
		struct pace_worker *worker = &made->after.workers[i];

		worker->counts = made->before.workers[i].counts = true;
		worker->pid = (pid_t)(100 + i);
		worker->n_looks = worker->n_doing[PACE_WANTS_ITEM] = MADE_LOOKS;
	}
	for (uint32_t i = 0; i < made->head.n_lanes; i++)
		made->after.lanes[i].n_looks = MADE_LOOKS;
}

void made_deinit(struct made *made)
{
	pace_view_deinit(&made->before);
	pace_view_deinit(&made->after);
}

struct pace_worker *made_worker(struct made *made, uint32_t stage, uint32_t index)
{
	return &made->after.workers[made->stages[stage].first_slot + index];
}

struct pace_lane *made_lane(struct made *made, uint32_t edge, uint32_t producer, uint32_t consumer)
{
	uint32_t n = made->stages[made->edges[edge].to].workers;

	return &made->after.lanes[made->edges[edge].first_lane + producer * n + consumer];
}

void made_does(struct made *made, uint32_t stage, uint32_t index, enum pace_doing doing, uint32_t percent)
{
	struct pace_worker *worker = made_worker(made, stage, index);

	assert_true(worker->n_doing[PACE_WANTS_ITEM] >= percent);
	worker->n_doing[PACE_WANTS_ITEM] -= percent;
	worker->n_doing[doing] += percent;
}

void made_wants_room(struct made *made, uint32_t edge, uint32_t producer, uint32_t consumer, uint32_t percent)
{
	made_does(made, made->edges[edge].from, producer, PACE_WANTS_ROOM, percent);
	made_lane(made, edge, producer, consumer)->n_room += percent;
}

void made_items(struct made *made, uint32_t stage, uint32_t index, uint64_t n, uint64_t each_ns)
{
	struct pace_worker *worker = made_worker(made, stage, index);
	bool is_source = made->stages[stage].role == WEIR_SOURCE;

	worker->ledger[is_source ? LEDGER_ACCEPTED : LEDGER_TAKEN] += n;
	worker->n_items += n;
	worker->processing_ns += n * each_ns;
}

void made_event(struct made *made, enum pace_event_kind kind, uint32_t stage, int64_t ago_ms, uint64_t number)
{
	struct pace_event *event = &made->after.events[made->after.n_events++];

	*event = (struct pace_event){ .kind = kind, .stage = stage, .ago_ms = ago_ms };
	if (kind == PACE_EVENT_DIED)
		event->item = number;
	else
		event->n_workers = (uint32_t)number;
	snprintf(event->text, sizeof(event->text), "was killed by SIGKILL");
}

void made_find(struct made *made)
{
	made->n_findings = pace_find(&made->catalog, &made->before, &made->after, made->findings);
}

const struct pace_finding *made_first(struct made *made, enum pace_kind kind, uint32_t stage)
{
	made_find(made);
	assert_true(made->n_findings > 0);
	assert_string_equal(pace_kind_lines[made->findings[0].kind].name, pace_kind_lines[kind].name);
	assert_int_equal(made->findings[0].stage, stage);
	return &made->findings[0];
}

const struct pace_finding *made_one(struct made *made, enum pace_kind kind, uint32_t stage)
{
	const struct pace_finding *finding = made_first(made, kind, stage);

	assert_int_equal(made->n_findings, 1);
	return finding;
}

void made_line(struct made *made, const char *kind, uint32_t workers)
{
	made_init(made);
	made_stage(made, "read", "generate", WEIR_SOURCE, 1);
	made_stage(made, "work", kind, WEIR_OPERATOR, workers);
	made_stage(made, "out", "discard", WEIR_SINK, 1);
	made_edge(made, READ, WORK);
	made_edge(made, WORK, OUT);
	made_views(made);
}

void made_words(const struct made *made, const struct pace_finding *finding, const char *words)
{
	_cleanup_(text_deinit) struct text sentence = TEXT_NULL;

	pace_describe(&made->catalog, finding, &sentence);
	if (!strstr(text_get(&sentence), words))
		fail_msg("no '%s' in: %s", words, text_get(&sentence));
}
